/* SPDX-License-Identifier: MIT */
/*
 * One pass over weights: every tensor's statistics and what checks need beyond them, in memory that does not grow with
 * the checkpoint.
 */
#ifndef FANIN_DIAGNOSE_SCAN_H
#define FANIN_DIAGNOSE_SCAN_H

#include "fanin/check.h"

enum {
    FANIN_SCAN_NBINS = 65536,
    FANIN_SCAN_SIGN = 0x8000,     /* of a bin */
    FANIN_SCAN_INFINITE = 0x7f80, /* the bin of infinity; above it NaN */
    FANIN_SCAN_NFIRST = 65536,
    FANIN_SCAN_MAX_COLUMNS = 262144, /* above it columns are not looked at */
    FANIN_SCAN_MAX_ROWS = 1 << 21    /* above it rows are not kept one by one */
};

/* A tensor while it is looked at. Arrays are NULL where the statistics are not of floats, or a limit is exceeded. */
struct fanin_scan {
    fanin_statistics statistics;
    /* Counts by the upper 16 bits of the value as f32, rounded toward zero: for bf16 and f8 one value each. */
    const uint64_t *bins;
    uint32_t bins_begin[2], bins_end[2]; /* of numbers above 0, of numbers below: bins outside are 0 */
    /* Equal rows have equal hashes; others with a probability of 2^-48. The same of columns, if there are 2 dimensions.
     */
    const uint64_t *row_hashes, *column_hashes;
    const double *row_means, *row_variances, *column_means, *column_variances; /* NaN and infinity count as 0 */
    const float *first;                                                        /* the first values */
    size_t nfirst;
};

/* Called once for each tensor, from any thread, more than one at a time; the scan is gone when it returns. */
typedef fanin_status (*fanin_scan_visit)(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error);

/* parallel and progress may be NULL. After an error some tensors have been visited and some not. */
fanin_status fanin_scan_weights(const fanin_weights *weights, const fanin_parallel *parallel, fanin_progress progress,
                                void *user, fanin_scan_visit visit, void *context, fanin_error *error);

/* The same of one weight in memory, aligned for its dtype, which is not copied. */
fanin_status fanin_scan_memory(const fanin_weight *weight, const void *data, const fanin_parallel *parallel,
                               fanin_scan_visit visit, void *context, fanin_error *error);

/* Value of f32 whose upper 16 bits are the bin and the lower 0: the edge toward zero of what the bin counts. */
double fanin_scan_bin_edge(uint32_t bin);
/* Whether every value of the dtype is the edge of its bin. */
bool fanin_scan_is_exact(fanin_dtype dtype);
/* Whether values of the dtype are summed up: those of floats that are looked at. Of others there is a hash alone. */
bool fanin_is_summed(fanin_dtype dtype);

#endif
