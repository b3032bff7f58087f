/* SPDX-License-Identifier: MIT */
/*
 * Sums over the values of a tensor: of one part, and of parts put together in their order.
 */
#ifndef FANIN_DIAGNOSE_SUMMARIZE_H
#define FANIN_DIAGNOSE_SUMMARIZE_H

#include "diagnose/scan.h"

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

struct fanin_part {
    uint64_t max_nelem;
    uint64_t begin, end, row, column; /* elements; where the first one lies */
    uint64_t nnan, ninf, nzero, nsubnormal, first_nan, first_inf;
    struct fanin_zero_runs zeros;
    double min, max;
    uint64_t nmin, nmax;
    struct fanin_moments moments;
    uint32_t *bins;
    float *values; /* room for max_nelem, as f32 */
    double *wide;  /* the same of f64 */
    /* by row from `row` on, one more than fit whole: a cut row's hash is that of its piece, before mixing */
    uint64_t *row_hashes;
    double *row_sums, *row_squares;
    uint64_t rows_room;
    uint64_t *column_hashes;
    double *column_sums, *column_squares;
    uint64_t columns_room;
    const float *first; /* values of the tensor's beginning, if this part has it */
};

struct fanin_whole {
    fanin_dtype dtype;
    uint64_t nelem, nrows, ncols;
    bool is_float;
    struct fanin_part sums; /* of the parts added, its arrays apart */
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

fanin_status fanin_part_begin(struct fanin_part *part, uint64_t max_nelem, fanin_error *error);
void fanin_part_release(struct fanin_part *part);
/* Sums up elements [begin, end) of the whole, which begin in `row` at `column`; bytes are theirs alone. */
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
