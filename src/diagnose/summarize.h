/* SPDX-License-Identifier: MIT */
/*
 * Sums over the values of a tensor: of one part, and of parts put together in their order.
 */
#ifndef FANIN_DIAGNOSE_SUMMARIZE_H
#define FANIN_DIAGNOSE_SUMMARIZE_H

#include "diagnose/scan.h"
#include "kernel/kernel.h"

/* Count, mean and sums of powers of differences from it. */
struct fanin_moments {
    uint64_t n;
    double mean, m2, m3, m4;
};

struct fanin_zero_runs {
    uint64_t n;      /* elements so far */
    uint64_t prefix; /* zeros at the beginning */
    uint64_t suffix; /* zeros at the end */
    uint64_t best, best_at;
};

/* Bins from `begin` to `end` - 1 of one sign: all others of it are 0. */
struct fanin_bin_range {
    uint32_t begin, end;
};

/* What a part has room for. */
struct fanin_part_limits {
    uint64_t nelem, nrows, ncolumns, nbytes;
};

struct fanin_part {
    uint64_t max_nelem;
    uint64_t begin, end, row, column; /* elements; where the first one lies */
    uint64_t nnan, ninf, nzero, nsubnormal, first_nan, first_inf;
    struct fanin_zero_runs zeros;
    double min, max;
    uint64_t nmin, nmax;
    struct fanin_moments moments;
    uint32_t *bins; /* all 0 but in `used` */
    struct fanin_bin_range used[2];
    const float *floats; /* the values as f32: the caller's bytes, or in the room */
    uint8_t *room;       /* 12 bytes an element */
    /* by row from `row` on, of a cut row those of its piece */
    uint64_t *row_hashes;
    double *row_sums, *row_squares;
    uint64_t *row_keys;
    uint64_t *column_hashes;
    double *column_sums, *column_squares;
    double cubes[FANIN_SUM_LANES], fourths[FANIN_SUM_LANES];
};

struct fanin_whole {
    fanin_dtype dtype;
    uint64_t nelem, nrows, ncols;
    bool is_float;
    const struct fanin_summing *kernel; /* of its width */
    const struct fanin_kernel *kernels;
    struct fanin_part sums; /* of the parts added, but for the arrays */
    uint64_t *bins;
    uint64_t hash;
    uint64_t nzero_rows;
    double row_variance_min, row_variance_max;
    /* a row longer than a part, as far as it was added */
    uint64_t open_hash;
    double open_sum, open_square;
    uint64_t *row_hashes;
    double *row_means, *row_variances;
    uint64_t *column_hashes;
    double *column_sums, *column_squares;
    float *first;
    size_t nfirst;
};

fanin_status fanin_part_begin(struct fanin_part *part, const struct fanin_part_limits *limits, fanin_error *error);
void fanin_part_release(struct fanin_part *part);
/*
 * Sums up elements [begin, end) of the whole, which begin in `row` at `column`; bytes are theirs alone, aligned for the
 * dtype, and stay until the part was added.
 */
void fanin_part_take(struct fanin_part *part, const struct fanin_whole *whole, const uint8_t *bytes, uint64_t begin,
                     uint64_t end, uint64_t row, uint64_t column);

fanin_status fanin_whole_begin(struct fanin_whole *whole, fanin_dtype dtype, uint64_t nelem, uint64_t nrows,
                               uint64_t ncols, bool keeps_rows, bool has_columns, fanin_error *error);
/* Parts in their order, all of them. */
void fanin_whole_add(struct fanin_whole *whole, const struct fanin_part *part);
/* Fills the scan, whose arrays are those of the whole. */
fanin_status fanin_whole_end(struct fanin_whole *whole, struct fanin_scan *scan, fanin_error *error);
void fanin_whole_release(struct fanin_whole *whole);

#endif
