/* SPDX-License-Identifier: MIT */
/*
 * Fills that draw nothing: constant_ in every dtype, eye_ and dirac_.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "init/random.h"
#include "kernel/element.h"

static void set_run(void *data, uint64_t bits, int64_t n, size_t nbytes)
{
    const size_t total = (size_t)n * nbytes;
    const struct fanin_kernel *kernel = fanin_kernel_for(FANIN_PROFILE_TORCH);
    if (bits == 0 && (total <= FANIN_BYPASS_NBYTES || !fanin_kernel_bypasses_zeros(kernel))) {
        memset(data, 0, total); /* in caches zeros are cheaper than any other value */
        return;
    }
    uint64_t pattern = nbytes < sizeof bits ? bits & (((uint64_t)1 << 8 * nbytes) - 1) : bits; /* without the sign's */
    for (size_t width = nbytes; width < sizeof pattern; width *= 2)
        pattern |= pattern << 8 * width;
    if (total <= FANIN_BYPASS_NBYTES) {
        kernel->fill(data, pattern, total);
        return;
    }
    kernel->fill_bypass(data, pattern, total);
    kernel->fence();
}

/* Sub-byte types: elements follow each other from the low bits up, as safetensors packs them. */
static void set_packed(uint8_t *data, uint64_t bits, int64_t n, unsigned nbits)
{
    uint64_t at = 0;
    memset(data, 0, ((uint64_t)n * nbits + 7) / 8);
    for (int64_t i = 0; i < n; i++)
        for (unsigned b = 0; b < nbits; b++, at++)
            data[at / 8] |= (uint8_t)((bits >> b & 1) << (at % 8));
}

void fanin_constant_write(const fanin_tensor *tensor, double value)
{
    uint64_t bits = fanin_element_encode(tensor->dtype, value);
    unsigned nbits = fanin_dtype_nbits(tensor->dtype);
    fanin_walk walk;
    fanin_walk_begin(tensor, &walk);
    if (walk.nelem == 0)
        return;
    if (nbits % 8 != 0) {
        set_packed(tensor->data, bits, walk.nelem, nbits);
    } else if (walk.is_flat) {
        set_run(walk.data, bits, walk.nelem, walk.nbytes);
    } else {
        uint64_t line[FANIN_CHUNK];
        set_run(line, bits, walk.nelem < FANIN_CHUNK ? walk.nelem : FANIN_CHUNK, walk.nbytes);
        for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK)
            fanin_walk_scatter(&walk, done, walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK, line);
    }
}

static fanin_status check_constant(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                                   fanin_error *error)
{
    (void)profile;
    return fanin_element_check(tensor->dtype, value[0], error);
}

static fanin_status run_constant(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                                 fanin_error *error)
{
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, value[0]);
    return FANIN_OK;
}

static void measure_nothing(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                            fanin_fill_stream *stream)
{
    (void)value;
    (void)tensor;
    (void)profile;
    (void)stream;
}

static bool split_bytes(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)profile;
    return fanin_dtype_nbits(tensor->dtype) % 8 == 0;
}

const fanin_fill_rule fanin_fill_constant = {
    .name = "constant",
    .values = {"value"},
    .check = check_constant,
    .run = run_constant,
    .measure = measure_nothing,
    .is_splittable = split_bytes,
};

/* ---- eye and dirac: zeros, then ones at given places ---- */

/* The element of each number i < n in steps of the sum of the first two strides: a diagonal. */
static void set_diagonal(const fanin_tensor *tensor, int64_t offset, int64_t n)
{
    const uint64_t bits = fanin_element_encode(tensor->dtype, 1.0);
    const int64_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    const int64_t step = (tensor->strides[0] + tensor->strides[1]) * nbytes;
    char *to = (char *)tensor->data + offset * nbytes;
    /* copies of a known length are single stores; the low bytes come first */
    for (int64_t i = 0; i < n; i++) {
        if (nbytes == 4)
            memcpy(to + i * step, &bits, 4);
        else if (nbytes == 2)
            memcpy(to + i * step, &bits, 2);
        else if (nbytes == 8)
            memcpy(to + i * step, &bits, 8);
        else
            memcpy(to + i * step, &bits, 1);
    }
}

static fanin_status check_placeable(const fanin_tensor *tensor, const char *name, fanin_error *error)
{
    if (fanin_dtype_nbits(tensor->dtype) % 8 != 0)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "%s cannot be made in %s; make it in f32 and convert", name,
                          fanin_dtype_name(tensor->dtype));
    return FANIN_OK;
}

static fanin_status check_eye(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                              fanin_error *error)
{
    (void)value;
    (void)profile;
    if (tensor->ndim != 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "eye needs 2 dimensions, the tensor has %d", (int)tensor->ndim);
    return check_placeable(tensor, "eye", error);
}

static fanin_status run_eye(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                            fanin_error *error)
{
    (void)value;
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, 0.0);
    set_diagonal(tensor, 0, tensor->shape[0] < tensor->shape[1] ? tensor->shape[0] : tensor->shape[1]);
    return FANIN_OK;
}

static fanin_status check_dirac(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                                fanin_error *error)
{
    double groups = value[0];
    (void)profile;
    if (tensor->ndim < 3 || tensor->ndim > 5)
        return fanin_fail(error, FANIN_ERROR_SHAPE,
                          "dirac needs a convolution weight of 3, 4 or 5 dimensions, the tensor has %d",
                          (int)tensor->ndim);
    if (!(groups >= 1 && groups <= 0x1p53) || groups != floor(groups))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "dirac: groups must be a whole number of 1 or more");
    if (tensor->shape[0] % (int64_t)groups != 0)
        return fanin_fail(error, FANIN_ERROR_SHAPE,
                          "dirac: dimension 0 has size %" PRId64 ", not divisible by %" PRId64 " groups",
                          tensor->shape[0], (int64_t)groups);
    for (int i = 2; i < tensor->ndim; i++)
        if (tensor->shape[i] == 0 && tensor->shape[0] > 0 && tensor->shape[1] > 0)
            return fanin_fail(error, FANIN_ERROR_SHAPE, "dirac: dimension %d of the kernel has size 0", i);
    return check_placeable(tensor, "dirac", error);
}

static fanin_status run_dirac(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                              fanin_error *error)
{
    int64_t groups = (int64_t)value[0], out = tensor->shape[0] / groups;
    int64_t n = out < tensor->shape[1] ? out : tensor->shape[1];
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, 0.0);
    if (n == 0) /* also when groups is large and there are no channels */
        return FANIN_OK;
    int64_t centre = 0;
    for (int i = 2; i < tensor->ndim; i++)
        centre += tensor->shape[i] / 2 * tensor->strides[i];
    for (int64_t g = 0; g < groups; g++)
        set_diagonal(tensor, centre + g * out * tensor->strides[0], n);
    return FANIN_OK;
}

static bool never_split(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return false;
}

const fanin_fill_rule fanin_fill_eye = {
    .name = "eye",
    .check = check_eye,
    .run = run_eye,
    .measure = measure_nothing,
    .is_splittable = never_split,
};

const fanin_fill_rule fanin_fill_dirac = {
    .name = "dirac",
    .values = {"groups"},
    .check = check_dirac,
    .run = run_dirac,
    .measure = measure_nothing,
    .is_splittable = never_split,
};
