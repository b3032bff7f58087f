/* SPDX-License-Identifier: MIT */
/*
 * orthogonal_(gain): Householder QR of a normal matrix, the signs of R's diagonal taken into Q (Mezzadri 2007), in the
 * tensor's dtype and in one order of operations, so that the bits are the same on every machine.
 */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/orthogonal.h"
#include "init/random.h"

static fanin_status check(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    (void)value;
    (void)profile;
    if (tensor->ndim < 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "orthogonal needs 2 or more dimensions, the tensor has %d",
                          (int)tensor->ndim);
    if (fanin_tensor_nelem(tensor) == 0)
        return FANIN_OK;
    if (tensor->dtype != FANIN_F32 && tensor->dtype != FANIN_F64)
        return fanin_fail(error, FANIN_ERROR_DTYPE,
                          "orthogonal has no %s factorization, as in torch; make it in f32 and cast",
                          fanin_dtype_name(tensor->dtype));
    /* torch copies Q through a view of [shape[0], rest], which the trailing strides must allow */
    int64_t expected = -1;
    for (int i = tensor->ndim; i-- > 1;) {
        if (tensor->shape[i] == 1)
            continue;
        if (expected >= 0 && tensor->strides[i] != expected)
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "orthogonal: dimensions 1.. of the view cannot be flattened (dimension %d), as in torch; "
                              "make it contiguous",
                              i);
        expected = tensor->strides[i] * tensor->shape[i];
    }
    return FANIN_OK;
}

/* The least multiple of step, a power of two, that is not below n > 0. */
static size_t round_up(size_t n, size_t step)
{
    return (n - 1 + step) & ~(step - 1);
}

bool fanin_qr_begin(fanin_qr *qr, fanin_dtype dtype, size_t nrows, size_t ncols)
{
    enum { LINE = 64 }; /* strips begin where a vector and a line of the cache do */
    const struct fanin_kernel *kernel = fanin_kernel_for(FANIN_PROFILE_TORCH);
    const size_t item = fanin_dtype_nbits(dtype) / 8;
    *qr = (fanin_qr){.item = item, .nrows = nrows, .ncols = ncols, .nbytes = UINT64_MAX};
    qr->kernel = dtype == FANIN_F64 ? &kernel->householder_f64 : &kernel->householder_f32;
    uint64_t s_nbytes = 0, sign_nbytes = 0;
    if (ncols <= FANIN_NARROW) {
        qr->nstrips = 1;
        qr->width = ncols;
        qr->height = round_up(nrows, FANIN_COLUMN_BLOCK);
        qr->row_step = item;
        qr->column_step = qr->height * item;
    } else {
        qr->nstrips = (ncols - 1) / FANIN_STRIP + 1;
        qr->width = FANIN_STRIP;
        qr->height = round_up(nrows, FANIN_STRIP_ROWS);
        if (qr->height < qr->nstrips * FANIN_STRIP)
            qr->height = qr->nstrips * FANIN_STRIP;
        qr->row_step = FANIN_STRIP * item;
        qr->column_step = item;
        s_nbytes = qr->nstrips * FANIN_STRIP * FANIN_STRIP * item;
        sign_nbytes = qr->nstrips * FANIN_STRIP * sizeof *qr->sign;
    }
    uint64_t strips_nbytes, nbytes;
    if (!fanin_checked_mul(qr->height, qr->width * item, &strips_nbytes) ||
        !fanin_checked_mul(strips_nbytes, qr->nstrips, &strips_nbytes) ||
        !fanin_checked_add(strips_nbytes, LINE + s_nbytes + sign_nbytes, &nbytes))
        return false;
    qr->nbytes = nbytes;
    qr->memory = fanin_allocate(nbytes, 1);
    if (qr->memory == NULL)
        return false;
    qr->strips = (char *)qr->memory + (LINE - (uintptr_t)qr->memory % LINE) % LINE;
    qr->s = qr->strips + strips_nbytes;
    qr->sign = (double *)(void *)(qr->s + s_nbytes);
    memset(qr->strips, 0, strips_nbytes);
    return true;
}

void fanin_qr_end(fanin_qr *qr)
{
    fanin_free(qr->memory);
}

char *fanin_qr_at(const fanin_qr *qr, size_t row, size_t col)
{
    return qr->strips + col / qr->width * qr->height * FANIN_STRIP * qr->item + row * qr->row_step +
           col % qr->width * qr->column_step;
}

/* What kernels take of strip p: its reflectors, from its first row on. */
struct reflectors {
    size_t row, nrows;
    char *v, *s;
    double *sign;
};

static struct reflectors reflectors_of(const fanin_qr *qr, size_t p)
{
    const size_t row = p * FANIN_STRIP;
    return (struct reflectors){row, qr->height - row, fanin_qr_at(qr, row, row), qr->s + row * FANIN_STRIP * qr->item,
                               qr->sign + row};
}

/* A strip by the reflectors of strips [begin, end), all left of it, in the order of the factorization ... */
static void reduce_strip(const fanin_qr *qr, size_t begin, size_t end, size_t strip)
{
    for (size_t p = begin; p < end; p++) {
        const struct reflectors h = reflectors_of(qr, p);
        qr->kernel->apply_transposed(fanin_qr_at(qr, h.row, strip * FANIN_STRIP), h.v, h.s, h.nrows);
    }
}

/* ... and in the other order, which gives its columns of Q. */
static void expand_strip(const fanin_qr *qr, size_t begin, size_t end, size_t strip)
{
    for (size_t p = end; p-- > begin;) {
        const struct reflectors h = reflectors_of(qr, p);
        qr->kernel->apply(fanin_qr_at(qr, h.row, strip * FANIN_STRIP), h.v, h.s, h.nrows);
    }
}

/*
 * Two strips of reflectors at a time, so that a strip of a large matrix comes from memory half as often. The strips
 * right of them do not depend on each other: they are taken in any order, by any thread.
 */
enum { GROUP = 2 };

struct group {
    const fanin_qr *qr;
    size_t begin, end;
};

static struct group group_at(const fanin_qr *qr, size_t begin)
{
    return (struct group){qr, begin, qr->nstrips - begin < GROUP ? qr->nstrips : begin + GROUP};
}

static void reduce_task(void *context, size_t i)
{
    const struct group *group = context;
    reduce_strip(group->qr, group->begin, group->end, group->end + i);
}

static void expand_task(void *context, size_t i)
{
    const struct group *group = context;
    expand_strip(group->qr, group->begin, group->end, group->end + i);
}

/* Threads from 4096 rows of strips on: 0.2 ms of work, some ten times what it costs to wake and wait for them. */
static void for_strips_right_of(struct group *group, void (*task)(void *context, size_t i))
{
    const fanin_qr *qr = group->qr;
    const fanin_parallel *parallel = qr->parallel;
    const size_t ntasks = qr->nstrips - group->end, nrows = qr->height - group->begin * FANIN_STRIP;
    if (parallel != NULL && parallel->nthreads > 1 && ntasks > 1 && ntasks * nrows >= 4096)
        parallel->run(parallel->user, ntasks, task, group);
    else
        for (size_t i = 0; i < ntasks; i++)
            task(group, i);
}

static void factor(const fanin_qr *qr)
{
    for (size_t begin = 0; begin < qr->nstrips; begin += GROUP) {
        struct group group = group_at(qr, begin);
        for (size_t p = begin; p < group.end; p++) {
            const struct reflectors h = reflectors_of(qr, p);
            const size_t ncols = qr->ncols - h.row < FANIN_STRIP ? qr->ncols - h.row : FANIN_STRIP;
            reduce_strip(qr, begin, p, p);
            qr->kernel->factor(h.v, h.nrows, ncols, h.s, h.sign);
        }
        for_strips_right_of(&group, reduce_task);
    }
}

/* From the last reflectors to the first, each strip in place of its own as soon as no other needs them. */
static void form(const fanin_qr *qr)
{
    for (size_t ngroups = (qr->nstrips - 1) / GROUP + 1; ngroups-- > 0;) {
        struct group group = group_at(qr, ngroups * GROUP);
        for_strips_right_of(&group, expand_task);
        for (size_t p = group.end; p-- > group.begin;) {
            const struct reflectors h = reflectors_of(qr, p);
            qr->kernel->form(h.v, h.s, h.sign, h.nrows);
            expand_strip(qr, group.begin, p, p);
        }
    }
}

void fanin_qr_orthogonalize(fanin_qr *qr)
{
    if (qr->width == FANIN_STRIP) {
        factor(qr);
        form(qr);
    } else {
        qr->kernel->orthogonalize_narrow(qr->strips, qr->height, qr->ncols);
    }
}

static void copy(char *to, size_t to_step, const char *from, size_t from_step, size_t item, size_t n)
{
    if (to_step == item && from_step == item)
        memcpy(to, from, n * item);
    else if (item == 4)
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * to_step, from + i * from_step, 4);
    else
        for (size_t i = 0; i < n; i++)
            memcpy(to + i * to_step, from + i * from_step, 8);
}

/* n elements of the matrix from (row, col) on, downwards or along a strip, into or out of every flat_step-th byte. */
static void exchange_run(const fanin_qr *qr, size_t row, size_t col, bool down, char *flat, size_t flat_step, size_t n,
                         bool into)
{
    char *at = fanin_qr_at(qr, row, col);
    const size_t step = down ? qr->row_step : qr->column_step;
    if (into)
        copy(at, step, flat, flat_step, qr->item, n);
    else
        copy(flat, flat_step, at, step, qr->item, n);
}

/* Elements [first, first + n) of the tensor in row-major order, into or out of the matrix, its transposed if `wide`. */
static void exchange(const fanin_qr *qr, bool wide, size_t first, size_t n, char *flat, bool into)
{
    const size_t length = wide ? qr->nrows : qr->ncols;
    if (!wide && qr->width < FANIN_STRIP) {
        /* short rows: down each column instead */
        for (size_t i = 0; i < length && i < n; i++)
            exchange_run(qr, (first + i) / length, (first + i) % length, true, flat + i * qr->item, length * qr->item,
                         (n - i - 1) / length + 1, into);
        return;
    }
    for (size_t done = 0; done < n;) {
        const size_t i = (first + done) / length, j = (first + done) % length;
        size_t run = wide ? length - j : qr->width - j % qr->width;
        run = run < length - j ? run : length - j;
        run = run < n - done ? run : n - done;
        exchange_run(qr, wide ? j : i, wide ? i : j, wide, flat + done * qr->item, qr->item, run, into);
        done += run;
    }
}

/* Rounded to the dtype, then multiplied by the gain in the dtype, as torch does. */
static void unload(const fanin_qr *qr, bool wide, double gain, const fanin_tensor *tensor)
{
    const size_t nelem = (size_t)fanin_tensor_nelem(tensor);
    fanin_chunk chunk;
    fanin_walk walk;
    fanin_walk_logical(tensor, &walk);
    for (size_t done = 0; done < nelem;) {
        const size_t n = nelem - done < FANIN_CHUNK ? nelem - done : FANIN_CHUNK;
        exchange(qr, wide, done, n, (char *)&chunk, false);
        for (size_t i = 0; i < n; i++)
            if (tensor->dtype == FANIN_F64)
                chunk.f64[i] *= gain;
            else
                /* NOLINTNEXTLINE(*uninitialized.Assign): no row is empty, so that all n were exchanged */
                chunk.f32[i] *= (float)gain;
        fanin_walk_scatter(&walk, (int64_t)done, (int64_t)n, &chunk);
        done += n;
    }
}

fanin_status fanin_orthogonal_run(double gain, const fanin_tensor *tensor, fanin_generator *generator,
                                  const fanin_parallel *parallel, fanin_error *error)
{
    const size_t nelem = (size_t)fanin_tensor_nelem(tensor);
    if (nelem == 0)
        return FANIN_OK;
    const size_t rows = (size_t)tensor->shape[0], cols = nelem / rows;
    const bool wide = rows < cols;
    fanin_qr qr;
    if (!fanin_qr_begin(&qr, tensor->dtype, wide ? cols : rows, wide ? rows : cols))
        return fanin_fail_memory(error, qr.nbytes);
    qr.parallel = parallel;
    fanin_chunk chunk;
    for (size_t done = 0; done < nelem;) {
        /* pieces of blocks, the last one at least one block long */
        const size_t left = nelem - done;
        const size_t n = left <= FANIN_CHUNK                       ? left
                         : left < FANIN_CHUNK + FANIN_NORMAL_BLOCK ? FANIN_CHUNK / 2
                                                                   : FANIN_CHUNK;
        if (nelem < FANIN_NORMAL_BLOCK)
            fanin_normal_scalar(tensor->dtype, &chunk, (int64_t)n, 0, 1, generator);
        else
            fanin_normal_blocks(tensor->dtype, &chunk, (int64_t)n, 0, 1, generator);
        exchange(&qr, wide, done, n, (char *)&chunk, true);
        done += n;
    }
    fanin_qr_orthogonalize(&qr);
    unload(&qr, wide, gain, tensor);
    fanin_qr_end(&qr);
    return FANIN_OK;
}

fanin_status fanin_qr_run(const fanin_tensor *from, const fanin_tensor *to, const fanin_parallel *parallel,
                          fanin_error *error)
{
    const size_t nelem = (size_t)fanin_tensor_nelem(from);
    fanin_qr qr;
    if (nelem == 0)
        return FANIN_OK;
    if (!fanin_qr_begin(&qr, from->dtype, (size_t)from->shape[0], (size_t)from->shape[1]))
        return fanin_fail_memory(error, qr.nbytes);
    qr.parallel = parallel;
    fanin_chunk chunk;
    fanin_walk walk;
    fanin_walk_logical(from, &walk);
    for (size_t done = 0; done < nelem;) {
        const size_t n = nelem - done < FANIN_CHUNK ? nelem - done : FANIN_CHUNK;
        fanin_walk_gather(&walk, (int64_t)done, (int64_t)n, &chunk);
        exchange(&qr, false, done, n, (char *)&chunk, true);
        done += n;
    }
    fanin_qr_orthogonalize(&qr);
    unload(&qr, false, 1, to);
    fanin_qr_end(&qr);
    return FANIN_OK;
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    return fanin_orthogonal_run(value[0], tensor, generator, NULL, error);
}

static void measure(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    const fanin_tensor flat = fanin_tensor_1d(NULL, tensor->dtype, fanin_tensor_nelem(tensor));
    (void)value;
    fanin_fill_normal.measure((const double[4]){0, 1}, &flat, profile, stream);
}

static bool is_splittable(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return false;
}

const fanin_fill_rule fanin_fill_orthogonal = {
    .name = "orthogonal",
    .values = {"gain"},
    .random = true,
    .check = check,
    .run = run,
    .measure = measure,
    .is_splittable = is_splittable,
};
