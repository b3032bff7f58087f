/* SPDX-License-Identifier: MIT */
/*
 * orthogonal_(gain): Householder QR of a normal matrix, the signs of R's diagonal taken into Q (Mezzadri 2007), in
 * double and in one order of operations, so that the bits are the same on every machine.
 */
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/random.h"

/* rows x cols of the factored matrix, rows >= cols, row-major */
struct matrix {
    double *at;
    int64_t rows, cols;
};

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

/*
 * Columns are reduced one after the other; v (leading 1) stays below the diagonal, sign[] keeps the sign of R's
 * diagonal. The sums run down the rows, for all columns to the right at once.
 */
static void factor(struct matrix a, double *tau, double *sign, double *work)
{
    for (int64_t k = 0; k < a.cols; k++) {
        double *pivot = a.at + k * a.cols + k;
        double head = *pivot, tail = 0;
        for (int64_t i = k + 1; i < a.rows; i++) {
            double x = a.at[i * a.cols + k];
            tail += x * x;
        }
        if (tail == 0) {
            tau[k] = 0;
            sign[k] = head > 0 ? 1 : head < 0 ? -1 : 0;
            continue;
        }
        double norm = sqrt(head * head + tail);
        double beta = head > 0 ? -norm : norm;
        double scale = head - beta;
        tau[k] = -scale / beta;
        sign[k] = beta > 0 ? 1 : -1;
        *pivot = 1;
        for (int64_t i = k + 1; i < a.rows; i++)
            a.at[i * a.cols + k] /= scale;
        for (int64_t j = k + 1; j < a.cols; j++)
            work[j] = 0;
        for (int64_t i = k; i < a.rows; i++) {
            const double *row = a.at + i * a.cols;
            for (int64_t j = k + 1; j < a.cols; j++)
                work[j] += row[k] * row[j];
        }
        for (int64_t j = k + 1; j < a.cols; j++)
            work[j] *= tau[k];
        for (int64_t i = k; i < a.rows; i++) {
            double *row = a.at + i * a.cols;
            for (int64_t j = k + 1; j < a.cols; j++)
                row[j] -= row[k] * work[j];
        }
    }
}

/* Q in place of the reflectors, from the last to the first, each column times its sign. */
static void form_q(struct matrix a, const double *tau, const double *sign, double *work)
{
    for (int64_t k = a.cols; k-- > 0;) {
        for (int64_t j = k; j < a.cols; j++)
            work[j] = 0;
        if (tau[k] != 0) {
            for (int64_t i = k + 1; i < a.rows; i++) {
                const double *row = a.at + i * a.cols;
                for (int64_t j = k + 1; j < a.cols; j++)
                    work[j] += row[k] * row[j];
            }
            work[k] = 1;
        }
        for (int64_t j = k; j < a.cols; j++)
            work[j] *= tau[k];
        /* row k of the identity below the reflector; column k of Q is e_k - tau v */
        double *top = a.at + k * a.cols;
        for (int64_t j = k + 1; j < a.cols; j++)
            top[j] = -work[j];
        top[k] = 1 - tau[k];
        for (int64_t i = k + 1; i < a.rows; i++) {
            double *row = a.at + i * a.cols, v = tau[k] != 0 ? row[k] : 0;
            for (int64_t j = k + 1; j < a.cols; j++)
                row[j] -= v * work[j];
            row[k] = -v * tau[k];
        }
    }
    for (int64_t i = 0; i < a.rows; i++)
        for (int64_t j = 0; j < a.cols; j++)
            a.at[i * a.cols + j] *= sign[j];
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    const int64_t nelem = fanin_tensor_nelem(tensor);
    if (nelem == 0)
        return FANIN_OK;
    const int64_t rows = tensor->shape[0], cols = nelem / rows;
    const bool wide = rows < cols;
    struct matrix a = {NULL, wide ? cols : rows, wide ? rows : cols};
    const size_t item = fanin_dtype_nbits(tensor->dtype) / 8;
    const size_t count = (size_t)nelem + 3 * (size_t)a.cols;
    char *drawn = fanin_allocate((size_t)nelem, item);
    a.at = fanin_allocate(count, sizeof *a.at);
    if (drawn == NULL || a.at == NULL) {
        fanin_free(drawn);
        fanin_free(a.at);
        return fanin_fail_memory(error, (uint64_t)count * sizeof *a.at);
    }
    double *tau = a.at + nelem, *sign = tau + a.cols, *work = sign + a.cols;
    const fanin_tensor flat = fanin_tensor_2d(drawn, tensor->dtype, rows, cols);
    fanin_status status = fanin_fill_normal.run((const double[4]){0, 1}, &flat, generator, error);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            double x = item == 8 ? ((double *)drawn)[i * cols + j] : (double)((float *)drawn)[i * cols + j];
            a.at[wide ? j * rows + i : i * cols + j] = x;
        }
    factor(a, tau, sign, work);
    form_q(a, tau, sign, work);
    /* rounded to the dtype, then multiplied by the gain in the dtype, as torch does */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            double q = a.at[wide ? j * rows + i : i * cols + j];
            if (item == 8)
                ((double *)drawn)[i * cols + j] = q * value[0];
            else
                ((float *)drawn)[i * cols + j] = (float)q * (float)value[0];
        }
    fanin_walk walk;
    fanin_walk_logical(tensor, &walk);
    fanin_walk_scatter(&walk, 0, nelem, drawn);
    fanin_free(drawn);
    fanin_free(a.at);
    return status;
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
