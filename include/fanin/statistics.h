/* SPDX-License-Identifier: MIT */
/*
 * What the values of a tensor are like, from one pass over them. The same bits for any number of threads, any size of
 * the pieces and every machine variant.
 */
#ifndef FANIN_STATISTICS_H
#define FANIN_STATISTICS_H

#include "fanin/parallel.h"
#include "fanin/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FANIN_HISTOGRAM_NBINS 64
#define FANIN_NO_INDEX        UINT64_MAX

/* Quantiles that are kept, within 1/256 of their value: 0.001 0.01 0.05 0.25 0.5 0.75 0.95 0.99 0.999. */
#define FANIN_QUANTILE_COUNT 9

/*
 * Of f64, f32, bf16, f16, f8_e4m3 and f8_e5m2; of other dtypes only nelem and hash are known, and is_float is false.
 * Rows are dimension 0, columns all the others together; a tensor of fewer than two dimensions is one row. NaN and
 * infinite values are counted, and left out of everything else. Indices are row-major, FANIN_NO_INDEX where there is
 * none; doubles are NaN where nothing can be said (no finite value, no variance).
 */
typedef struct fanin_statistics {
    bool is_float;
    uint64_t nelem;
    uint64_t nnan, ninf, nzero, nsubnormal; /* subnormal in the tensor's own dtype */
    uint64_t first_nan, first_inf;
    uint64_t zero_run, zero_run_at; /* the longest run of zeros, and where it begins */
    double min, max;
    uint64_t nmin, nmax; /* how many elements are equal to them */
    double mean;
    double variance; /* divided by the count, as numpy.var */
    double skewness; /* third standardized moment */
    double kurtosis; /* fourth standardized moment: 3 for a normal, 1.8 for a uniform */
    double quantiles[FANIN_QUANTILE_COUNT];
    double median_abs; /* of the values that are not zero, within 1/256 */
    uint64_t
        histogram[FANIN_HISTOGRAM_NBINS]; /* equal bins from min to max; within the sketch's 1/128 at their edges */
    /* of the first 65,536 values */
    double distinct; /* share of different values among them */
    double lag1;     /* autocorrelation at lag 1 */
    /* as a matrix */
    uint64_t nrows, ncols;
    uint64_t nzero_rows;                             /* rows of zeros alone */
    double row_variance_min, row_variance_max;       /* of the rows that are not zero */
    double column_variance_min, column_variance_max; /* NaN above 262,144 columns, as of one row */
    uint64_t hash; /* of all bits in order; equal tensors of one dtype and shape have equal hashes */
} fanin_statistics;

/* The p of quantiles[i]; NaN if there is none. */
FANIN_API double fanin_statistics_quantile_at(size_t i);

/* Of contiguous memory. parallel may be NULL. Errors: FANIN_ERROR_SHAPE (not contiguous), FANIN_ERROR_MEMORY. */
FANIN_API fanin_status fanin_statistics_of(const fanin_tensor *tensor, const fanin_parallel *parallel,
                                           fanin_statistics *statistics, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
