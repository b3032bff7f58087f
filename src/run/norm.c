/* SPDX-License-Identifier: MIT */
/*
 * Euclidean norms over dimensions. Squares are summed in double, in row-major order of the dimensions that are summed
 * over, with what each sum lost to rounding kept beside it; so the result depends neither on threads nor on a variant.
 */
#include "run/norm.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/view.h"
#include "kernel/convert.h"

/* Elements gathered at a time. */
enum { PORTION_NELEM = 1 << 14 };

/* A sum and what it lost, after Neumaier (ZAMM 54, 1974): the error is of order 2^-53, not n 2^-53. */
typedef struct sum {
    double high;
    double low;
} sum;

static void add(sum *s, double x)
{
    double total = s->high + x;
    s->low += s->high >= x ? (s->high - total) + x : (x - total) + s->high; /* no term is negative */
    s->high = total;
}

/* Where the sum has overflowed, what was lost is infinity less infinity. */
static double root_of(const sum *s)
{
    return sqrt(isfinite(s->high) ? s->high + s->low : s->high);
}

static double load(fanin_dtype dtype, const void *in, int64_t i)
{
    switch (dtype) {
    case FANIN_F64:
        return ((const double *)in)[i];
    case FANIN_F32:
        return (double)((const float *)in)[i];
    case FANIN_BF16:
        return (double)fanin_f32_from_bf16(((const uint16_t *)in)[i]);
    default:
        return (double)fanin_f32_from_f16(((const uint16_t *)in)[i]);
    }
}

/* 16-bit floats by way of float, as torch rounds them. */
static void store(fanin_dtype dtype, void *out, int64_t i, double value)
{
    switch (dtype) {
    case FANIN_F64:
        ((double *)out)[i] = value;
        break;
    case FANIN_F32:
        ((float *)out)[i] = (float)value;
        break;
    case FANIN_BF16:
        ((uint16_t *)out)[i] = fanin_bf16_from_f32((float)value);
        break;
    default:
        ((uint16_t *)out)[i] = fanin_f16_from_f32((float)value);
        break;
    }
}

/* The dimensions that stay, then those that are summed over, so that each sum is of neighbours; says how many. */
static int64_t gather_terms(const fanin_plan_op *op, const fanin_tensor *from, fanin_tensor *ordered)
{
    int64_t nterms = 1;
    int32_t n = 0;
    *ordered = *from;
    for (unsigned summed = 0; summed < 2; summed++) {
        for (int32_t d = 0; d < from->ndim; d++) {
            if ((op->summed >> d & 1) != summed)
                continue;
            ordered->shape[n] = from->shape[d];
            ordered->strides[n++] = from->strides[d];
            nterms *= summed ? from->shape[d] : 1;
        }
    }
    return nterms;
}

fanin_status fanin_norm_run(const fanin_plan_op *op, const fanin_tensor *from, void *out, fanin_error *error)
{
    fanin_dtype dtype = op->view.dtype;
    fanin_tensor ordered;
    int64_t nterms = gather_terms(op, from, &ordered), nelem = fanin_tensor_nelem(from), nsums = 0, nadded = 0;
    if (nelem == 0) { /* sums of nothing, or no sums */
        memset(out, 0, (size_t)fanin_tensor_nelem(&op->view) * fanin_dtype_nbits(dtype) / 8);
        return FANIN_OK;
    }
    fanin_walk walk;
    fanin_walk_logical(&ordered, &walk);
    void *terms = fanin_allocate(PORTION_NELEM, walk.nbytes);
    if (terms == NULL)
        return fanin_fail_memory(error, PORTION_NELEM * walk.nbytes);
    sum s = {0};
    for (int64_t done = 0; done < nelem; done += PORTION_NELEM) {
        int64_t n = nelem - done < PORTION_NELEM ? nelem - done : PORTION_NELEM;
        fanin_walk_gather(&walk, done, n, terms);
        for (int64_t i = 0; i < n; i++) {
            double x = load(dtype, terms, i);
            add(&s, x * x);
            if (++nadded == nterms) {
                store(dtype, out, nsums++, root_of(&s));
                s = (sum){0};
                nadded = 0;
            }
        }
    }
    fanin_free(terms);
    return FANIN_OK;
}
