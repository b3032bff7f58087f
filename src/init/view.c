/* SPDX-License-Identifier: MIT */
/*
 * Tensor views: constructors, checks, and the walk over elements in memory order.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/view.h"

fanin_tensor fanin_tensor_nd(void *data, fanin_dtype dtype, int ndim, const int64_t *shape)
{
    fanin_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.dtype = dtype;
    t.ndim = ndim;
    uint64_t stride = 1; /* unsigned: a product too large wraps here and is refused by fanin_view_check */
    for (int i = ndim <= FANIN_MAX_DIMS ? ndim : 0; i-- > 0;) {
        t.shape[i] = shape[i];
        t.strides[i] = (int64_t)stride;
        stride *= (uint64_t)(shape[i] > 1 ? shape[i] : 1);
    }
    return t;
}

fanin_tensor fanin_tensor_1d(void *data, fanin_dtype dtype, int64_t n0)
{
    return fanin_tensor_nd(data, dtype, 1, (int64_t[]){n0});
}

fanin_tensor fanin_tensor_2d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1)
{
    return fanin_tensor_nd(data, dtype, 2, (int64_t[]){n0, n1});
}

fanin_tensor fanin_tensor_3d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1, int64_t n2)
{
    return fanin_tensor_nd(data, dtype, 3, (int64_t[]){n0, n1, n2});
}

fanin_tensor fanin_tensor_4d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1, int64_t n2, int64_t n3)
{
    return fanin_tensor_nd(data, dtype, 4, (int64_t[]){n0, n1, n2, n3});
}

fanin_tensor fanin_tensor_transpose(const fanin_tensor *tensor)
{
    fanin_tensor t = *tensor;
    if (t.ndim == 2) {
        t.shape[0] = tensor->shape[1];
        t.shape[1] = tensor->shape[0];
        t.strides[0] = tensor->strides[1];
        t.strides[1] = tensor->strides[0];
    }
    return t;
}

fanin_tensor fanin_tensor_rows(const fanin_tensor *tensor, int64_t begin, int64_t end)
{
    fanin_tensor t = *tensor;
    if (t.data != NULL)
        t.data = (char *)t.data + begin * t.strides[0] * (int64_t)(fanin_dtype_nbits(t.dtype) / 8);
    t.shape[0] = end - begin;
    return t;
}

int64_t fanin_tensor_nelem(const fanin_tensor *tensor)
{
    uint64_t n = 1;
    if (tensor->ndim < 0 || tensor->ndim > FANIN_MAX_DIMS)
        return -1;
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] < 0 || !fanin_checked_mul(n, (uint64_t)tensor->shape[i], &n) || n > INT64_MAX)
            return -1;
    return (int64_t)n;
}

bool fanin_tensor_is_contiguous(const fanin_tensor *tensor)
{
    int64_t expected = 1;
    for (int i = 0; i < tensor->ndim; i++)
        if (tensor->shape[i] == 0)
            return true;
    for (int i = tensor->ndim; i-- > 0;) {
        if (tensor->shape[i] == 1)
            continue;
        if (tensor->strides[i] != expected)
            return false;
        expected *= tensor->shape[i];
    }
    return true;
}

fanin_status fanin_view_check(const fanin_tensor *tensor, bool distinct, fanin_error *error)
{
    unsigned nbits = fanin_dtype_nbits(tensor->dtype);
    if (nbits == 0)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "the tensor has no dtype (its dtype field is %d)",
                          (int)tensor->dtype);
    if (tensor->ndim < 0 || tensor->ndim > FANIN_MAX_DIMS)
        return fanin_fail(error, FANIN_ERROR_SHAPE,
                          "%" PRId32 " dimensions; a view has 0 to %d: merge those that are contiguous", tensor->ndim,
                          FANIN_MAX_DIMS);
    uint64_t last = 0; /* index of the element farthest from data */
    int64_t nelem = fanin_tensor_nelem(tensor);
    for (int i = 0; i < tensor->ndim; i++) {
        int64_t n = tensor->shape[i], stride = tensor->strides[i];
        uint64_t reach;
        if (n < 0)
            return fanin_fail(error, FANIN_ERROR_SHAPE, "dimension %d has a negative size, %" PRId64, i, n);
        if (nelem == 0 || n == 1)
            continue;
        if (stride < 0)
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "dimension %d has a negative stride, %" PRId64 "; fill the unflipped view instead", i,
                              stride);
        if (stride == 0 && distinct)
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "dimension %d has stride 0 and size %" PRId64
                              ": its elements share memory; fill the tensor it was expanded from",
                              i, n);
        if (!fanin_checked_mul((uint64_t)n - 1, (uint64_t)stride, &reach) || !fanin_checked_add(last, reach, &last))
            return fanin_fail(error, FANIN_ERROR_SHAPE, "the strides reach beyond any memory (dimension %d)", i);
    }
    if (nelem < 0 || last > (uint64_t)INT64_MAX / 16)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "the shape has more elements than memory can hold");
    if (nelem > 0 && nbits % 8 != 0 && !fanin_tensor_is_contiguous(tensor))
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%s packs elements into bytes and must be contiguous",
                          fanin_dtype_name(tensor->dtype));
    return FANIN_OK;
}

static void walk_begin(const fanin_tensor *tensor, fanin_walk *walk)
{
    walk->data = tensor->data;
    walk->nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    walk->nelem = fanin_tensor_nelem(tensor);
    walk->ndim = 0;
}

/* Merges runs and notes whether there is only one. */
static void walk_merge(fanin_walk *walk)
{
    int n = 0;
    for (int i = 0; i < walk->ndim; i++) {
        if (n > 0 && walk->strides[i] == walk->strides[n - 1] * walk->shape[n - 1]) {
            walk->shape[n - 1] *= walk->shape[i];
        } else {
            walk->shape[n] = walk->shape[i];
            walk->strides[n] = walk->strides[i];
            n++;
        }
    }
    walk->ndim = n;
    walk->is_flat = walk->nelem <= 1 || (n == 1 && walk->strides[0] == 1);
}

void fanin_walk_begin(const fanin_tensor *tensor, fanin_walk *walk)
{
    walk_begin(tensor, walk);
    walk->is_row_major = true;
    /* insertion from the last dimension on: dimensions of equal stride keep their order */
    for (int i = tensor->ndim; i-- > 0;) {
        if (tensor->shape[i] == 1)
            continue;
        int at = walk->ndim++;
        while (at > 0 && walk->strides[at - 1] > tensor->strides[i]) {
            walk->shape[at] = walk->shape[at - 1];
            walk->strides[at] = walk->strides[at - 1];
            at--;
            walk->is_row_major = false;
        }
        walk->shape[at] = tensor->shape[i];
        walk->strides[at] = tensor->strides[i];
    }
    walk_merge(walk);
}

void fanin_walk_logical(const fanin_tensor *tensor, fanin_walk *walk)
{
    walk_begin(tensor, walk);
    walk->is_row_major = true;
    for (int i = tensor->ndim; i-- > 0;) {
        if (tensor->shape[i] == 1)
            continue;
        walk->shape[walk->ndim] = tensor->shape[i];
        walk->strides[walk->ndim++] = tensor->strides[i];
    }
    walk_merge(walk);
}

/* Copies `count` elements between a line of the tensor and contiguous memory. The loops differ in the type only. */
#define COPY_LINE(type)                                                                                                \
    do {                                                                                                               \
        type *at = (type *)line, *packed = (type *)flat;                                                               \
        if (to_tensor)                                                                                                 \
            for (int64_t i = 0; i < count; i++)                                                                        \
                at[i * stride] = packed[i];                                                                            \
        else                                                                                                           \
            for (int64_t i = 0; i < count; i++)                                                                        \
                packed[i] = at[i * stride];                                                                            \
    } while (0)

static void copy_line(void *line, int64_t stride, void *flat, int64_t count, size_t nbytes, bool to_tensor)
{
    if (stride == 1) {
        memcpy(to_tensor ? line : flat, to_tensor ? flat : line, (size_t)count * nbytes);
        return;
    }
    switch (nbytes) {
    case 1:
        COPY_LINE(uint8_t);
        break;
    case 2:
        COPY_LINE(uint16_t);
        break;
    case 4:
        COPY_LINE(uint32_t);
        break;
    default:
        COPY_LINE(uint64_t);
        break;
    }
}

static void walk_copy(const fanin_walk *walk, int64_t first, int64_t count, char *flat, bool to_tensor)
{
    int64_t index[FANIN_MAX_DIMS] = {0};
    int64_t inner = walk->ndim > 0 ? walk->shape[0] : 1;
    int64_t stride = walk->ndim > 0 ? walk->strides[0] : 1;
    int64_t at = 0, rest = first;
    for (int i = 0; i < walk->ndim; i++) {
        index[i] = rest % walk->shape[i];
        rest /= walk->shape[i];
        at += index[i] * walk->strides[i];
    }
    while (count > 0) {
        int64_t n = inner - index[0] < count ? inner - index[0] : count;
        copy_line(walk->data + at * (int64_t)walk->nbytes, stride, flat, n, walk->nbytes, to_tensor);
        flat += (size_t)n * walk->nbytes;
        count -= n;
        at -= index[0] * stride;
        index[0] = 0;
        for (int i = 1; i < walk->ndim; i++) {
            at += walk->strides[i];
            if (++index[i] < walk->shape[i])
                break;
            at -= walk->strides[i] * walk->shape[i];
            index[i] = 0;
        }
    }
}

void fanin_walk_scatter(const fanin_walk *walk, int64_t first, int64_t count, const void *from)
{
    /* only read: walk_copy writes to `flat` in the other direction alone */
    walk_copy(walk, first, count, (char *)(uintptr_t)from, true);
}

void fanin_walk_gather(const fanin_walk *walk, int64_t first, int64_t count, void *to)
{
    walk_copy(walk, first, count, to, false);
}
