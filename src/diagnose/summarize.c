/* SPDX-License-Identifier: MIT */
/*
 * Sums over values in plain C: the specification. Order is fixed: blocks of 4096 elements from a part's beginning,
 * sixteen lanes in a block, element i in lane i % 16; blocks and parts are put together in ascending order.
 */
#include "diagnose/summarize.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { BLOCK = 4096, NLANES = 16, HASH_BLOCK = 1024 };

/* -- Hashes ---------------------------------------------------------------------------------------------------------*/

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014), a bijection. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* Odd multiplier number i. A sum of odd multiples is a universal hash in all but its lowest bits, which mixing spreads.
 */
static uint64_t multiplier(uint64_t i)
{
    return mix((i + 1) * 0x9e3779b97f4a7c15) | 1;
}

static uint64_t bits_at(const uint8_t *bytes, unsigned nbytes, uint64_t i)
{
    uint64_t bits = 0;
    memcpy(&bits, bytes + i * nbytes, nbytes);
    return bits;
}

/* -- Bins -----------------------------------------------------------------------------------------------------------*/

double fanin_scan_bin_edge(uint32_t bin)
{
    uint32_t bits = bin << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

bool fanin_scan_is_exact(fanin_dtype dtype)
{
    return dtype == FANIN_BF16 || dtype == FANIN_F8_E4M3 || dtype == FANIN_F8_E5M2;
}

static bool is_float(fanin_dtype dtype)
{
    return dtype == FANIN_F64 || dtype == FANIN_F32 || dtype == FANIN_F16 || fanin_scan_is_exact(dtype);
}

static double least_normal(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_F64:
        return DBL_MIN;
    case FANIN_F16:
    case FANIN_F8_E5M2:
        return 0x1p-14;
    case FANIN_F8_E4M3:
        return 0x1p-6;
    default:
        return 0x1p-126;
    }
}

/* As f32 toward zero, so that a bin counts the values from its edge outward. */
static float toward_zero(double value)
{
    if (fabs(value) > (double)FLT_MAX && !isinf(value))
        return value < 0 ? -FLT_MAX : FLT_MAX;
    float rounded = (float)value;
    if (fabs((double)rounded) > fabs(value)) {
        uint32_t bits;
        memcpy(&bits, &rounded, sizeof bits);
        bits--;
        memcpy(&rounded, &bits, sizeof rounded);
    }
    return rounded;
}

/* -- A part ---------------------------------------------------------------------------------------------------------*/

fanin_status fanin_part_begin(struct fanin_part *part, uint64_t max_nelem, fanin_error *error)
{
    *part = (struct fanin_part){.max_nelem = max_nelem};
    part->bins = fanin_allocate_zeroed(FANIN_SCAN_NBINS, sizeof *part->bins);
    part->values = fanin_allocate(max_nelem, sizeof *part->values);
    part->wide = fanin_allocate(max_nelem, sizeof *part->wide);
    part->row_hashes = fanin_allocate(max_nelem, sizeof *part->row_hashes);
    part->row_sums = fanin_allocate(max_nelem, sizeof *part->row_sums);
    part->row_squares = fanin_allocate(max_nelem, sizeof *part->row_squares);
    part->column_hashes = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_hashes);
    part->column_sums = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_sums);
    part->column_squares = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_squares);
    if (part->bins != NULL && part->values != NULL && part->wide != NULL && part->row_hashes != NULL &&
        part->row_sums != NULL && part->row_squares != NULL && part->column_hashes != NULL &&
        part->column_sums != NULL && part->column_squares != NULL)
        return FANIN_OK;
    fanin_part_release(part);
    return fanin_fail_memory(error, max_nelem * 5 * 8);
}

void fanin_part_release(struct fanin_part *part)
{
    fanin_free(part->column_squares);
    fanin_free(part->column_sums);
    fanin_free(part->column_hashes);
    fanin_free(part->row_squares);
    fanin_free(part->row_sums);
    fanin_free(part->row_hashes);
    fanin_free(part->wide);
    fanin_free(part->values);
    fanin_free(part->bins);
    *part = (struct fanin_part){0};
}

static void convert(struct fanin_part *part, fanin_dtype dtype, const uint8_t *bytes, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        double value = fanin_dtype_value(dtype, bytes, i);
        part->wide[i] = value;
        part->values[i] = isnan(value) ? NAN : toward_zero(value);
    }
}

static void count_values(struct fanin_part *part, fanin_dtype dtype, uint64_t n)
{
    const double normal = least_normal(dtype);
    uint64_t run = 0;
    memset(part->bins, 0, FANIN_SCAN_NBINS * sizeof *part->bins);
    part->nnan = part->ninf = part->nzero = part->nsubnormal = part->nmin = part->nmax = 0;
    part->first_nan = part->first_inf = FANIN_NO_INDEX;
    part->zeros = (struct fanin_zero_runs){.n = n};
    part->min = INFINITY;
    part->max = -INFINITY;
    for (uint64_t i = 0; i < n; i++) {
        double value = part->wide[i];
        uint32_t bits;
        memcpy(&bits, &part->values[i], sizeof bits);
        part->bins[bits >> 16]++;
        if (value == 0) {
            run++;
            part->nzero++;
            if (run > part->zeros.best) {
                part->zeros.best = run;
                part->zeros.best_at = i + 1 - run;
            }
            if (run == i + 1)
                part->zeros.prefix = run;
        } else {
            run = 0;
        }
        if (isnan(value)) {
            if (part->nnan++ == 0)
                part->first_nan = part->begin + i;
        } else if (isinf(value)) {
            if (part->ninf++ == 0)
                part->first_inf = part->begin + i;
        } else {
            part->nsubnormal += value != 0 && fabs(value) < normal;
            if (value < part->min) {
                part->min = value;
                part->nmin = 0;
            }
            part->nmin += value == part->min;
            if (value > part->max) {
                part->max = value;
                part->nmax = 0;
            }
            part->nmax += value == part->max;
        }
    }
    part->zeros.suffix = run;
}

static double sum_lanes(const double lanes[NLANES])
{
    double sum[NLANES];
    memcpy(sum, lanes, sizeof sum);
    for (int width = NLANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            sum[i] += sum[i + width];
    return sum[0];
}

static struct fanin_moments moments_of_block(const double *values, uint64_t n)
{
    double lanes[4][NLANES] = {{0}};
    struct fanin_moments moments = {0};
    for (uint64_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            moments.n++;
            lanes[0][i % NLANES] += values[i];
        }
    if (moments.n == 0)
        return moments;
    moments.mean = sum_lanes(lanes[0]) / (double)moments.n;
    for (uint64_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            double d = values[i] - moments.mean, square = d * d;
            lanes[1][i % NLANES] += square;
            lanes[2][i % NLANES] += square * d;
            lanes[3][i % NLANES] += square * square;
        }
    moments.m2 = sum_lanes(lanes[1]);
    moments.m3 = sum_lanes(lanes[2]);
    moments.m4 = sum_lanes(lanes[3]);
    return moments;
}

/* Pebay 2008, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order moments, eq. 1.1
 * ff. */
static void merge_moments(struct fanin_moments *a, const struct fanin_moments *b)
{
    if (b->n == 0)
        return;
    if (a->n == 0) {
        *a = *b;
        return;
    }
    double na = (double)a->n, nb = (double)b->n, n = na + nb, d = b->mean - a->mean, step = d / n;
    double across = d * step * na * nb;
    double m4 = a->m4 + b->m4 + across * step * step * (na * na - na * nb + nb * nb) +
                6 * step * step * (na * na * b->m2 + nb * nb * a->m2) + 4 * step * (na * b->m3 - nb * a->m3);
    double m3 = a->m3 + b->m3 + across * step * (na - nb) + 3 * step * (na * b->m2 - nb * a->m2);
    a->m2 += b->m2 + across;
    a->m3 = m3;
    a->m4 = m4;
    a->mean += step * nb;
    a->n += b->n;
}

static uint64_t row_hash(const uint8_t *bytes, unsigned nbytes, uint64_t n, uint64_t column)
{
    uint64_t hash = 0;
    for (uint64_t at = 0; at < n; at += HASH_BLOCK) {
        uint64_t length = n - at < HASH_BLOCK ? n - at : HASH_BLOCK, block = 0;
        for (uint64_t i = 0; i < length; i++)
            block += bits_at(bytes, nbytes, at + i) * multiplier(i);
        hash += mix(block + multiplier(HASH_BLOCK + (column + at) / HASH_BLOCK));
    }
    return hash;
}

static void sum_row(const double *values, uint64_t n, double *sum, double *square)
{
    double lanes[2][NLANES] = {{0}};
    for (uint64_t i = 0; i < n; i++) {
        double value = isfinite(values[i]) ? values[i] : 0;
        lanes[0][i % NLANES] += value;
        lanes[1][i % NLANES] += value * value;
    }
    *sum = sum_lanes(lanes[0]);
    *square = sum_lanes(lanes[1]);
}

void fanin_part_take(struct fanin_part *part, const struct fanin_whole *whole, const uint8_t *bytes, uint64_t begin,
                     uint64_t end, uint64_t row, uint64_t column)
{
    const unsigned nbytes = fanin_dtype_nbits(whole->dtype) / 8;
    const uint64_t n = end - begin;
    part->begin = begin, part->end = end, part->row = row, part->column = column;
    if (!whole->is_float) { /* as bytes: of 4 and 6 bits too */
        uint64_t total = n / 8 * fanin_dtype_nbits(whole->dtype) + n % 8 * fanin_dtype_nbits(whole->dtype) / 8;
        part->row_hashes[0] = row_hash(bytes, 1, total, 0) + mix(begin);
        return;
    }
    convert(part, whole->dtype, bytes, n);
    count_values(part, whole->dtype, n);
    part->moments = (struct fanin_moments){0};
    for (uint64_t at = 0; at < n; at += BLOCK) {
        struct fanin_moments block = moments_of_block(part->wide + at, n - at < BLOCK ? n - at : BLOCK);
        merge_moments(&part->moments, &block);
    }
    const uint64_t length = n < whole->ncols ? n : whole->ncols, nrows = n / length;
    for (uint64_t r = 0; r < nrows; r++) {
        part->row_hashes[r] = row_hash(bytes + r * length * nbytes, nbytes, length, column);
        sum_row(part->wide + r * length, length, &part->row_sums[r], &part->row_squares[r]);
    }
    if (whole->column_hashes != NULL) {
        memset(part->column_hashes, 0, length * sizeof *part->column_hashes);
        memset(part->column_sums, 0, length * sizeof *part->column_sums);
        memset(part->column_squares, 0, length * sizeof *part->column_squares);
        for (uint64_t r = 0; r < nrows; r++) {
            uint64_t factor = multiplier(row + r);
            for (uint64_t i = 0; i < length; i++) {
                double value = isfinite(part->wide[r * length + i]) ? part->wide[r * length + i] : 0;
                part->column_hashes[i] += bits_at(bytes, nbytes, r * length + i) * factor;
                part->column_sums[i] += value;
                part->column_squares[i] += value * value;
            }
        }
    }
}

/* -- The whole ------------------------------------------------------------------------------------------------------*/

fanin_status fanin_whole_begin(struct fanin_whole *whole, fanin_dtype dtype, uint64_t nelem, uint64_t nrows,
                               uint64_t ncols, bool keeps_rows, bool has_columns, fanin_error *error)
{
    *whole = (struct fanin_whole){.dtype = dtype,
                                  .nelem = nelem,
                                  .nrows = nrows,
                                  .ncols = ncols,
                                  .is_float = is_float(dtype),
                                  .row_variance_min = INFINITY,
                                  .row_variance_max = -INFINITY};
    whole->sums.first_nan = whole->sums.first_inf = FANIN_NO_INDEX;
    whole->sums.min = INFINITY;
    whole->sums.max = -INFINITY;
    if (!whole->is_float || nelem == 0)
        return FANIN_OK;
    uint64_t nfirst = nelem < FANIN_SCAN_NFIRST ? nelem : FANIN_SCAN_NFIRST;
    whole->bins = fanin_allocate_zeroed(FANIN_SCAN_NBINS, sizeof *whole->bins);
    whole->first = fanin_allocate(nfirst, sizeof *whole->first);
    bool is_there = whole->bins != NULL && whole->first != NULL;
    if (keeps_rows) {
        whole->row_hashes = fanin_allocate(nrows, sizeof *whole->row_hashes);
        whole->row_means = fanin_allocate(nrows, sizeof *whole->row_means);
        whole->row_variances = fanin_allocate(nrows, sizeof *whole->row_variances);
        is_there = is_there && whole->row_hashes != NULL && whole->row_means != NULL && whole->row_variances != NULL;
    }
    if (has_columns) {
        whole->column_hashes = fanin_allocate_zeroed(ncols, sizeof *whole->column_hashes);
        whole->column_sums = fanin_allocate_zeroed(ncols, sizeof *whole->column_sums);
        whole->column_squares = fanin_allocate_zeroed(ncols, sizeof *whole->column_squares);
        is_there =
            is_there && whole->column_hashes != NULL && whole->column_sums != NULL && whole->column_squares != NULL;
    }
    if (is_there)
        return FANIN_OK;
    fanin_whole_release(whole);
    return fanin_fail_memory(error, (keeps_rows ? nrows : 0) * 24 + (has_columns ? ncols : 0) * 24);
}

void fanin_whole_release(struct fanin_whole *whole)
{
    fanin_free(whole->column_squares);
    fanin_free(whole->column_sums);
    fanin_free(whole->column_hashes);
    fanin_free(whole->row_variances);
    fanin_free(whole->row_means);
    fanin_free(whole->row_hashes);
    fanin_free(whole->first);
    fanin_free(whole->bins);
    *whole = (struct fanin_whole){0};
}

static void merge_zeros(struct fanin_zero_runs *a, const struct fanin_zero_runs *b)
{
    uint64_t across = a->suffix + b->prefix;
    if (across > a->best && across > 0) {
        a->best = across;
        a->best_at = a->n - a->suffix;
    }
    if (b->best > a->best) {
        a->best = b->best;
        a->best_at = a->n + b->best_at;
    }
    if (a->prefix == a->n)
        a->prefix = a->n + b->prefix;
    a->suffix = b->suffix == b->n ? a->suffix + b->n : b->suffix;
    a->n += b->n;
}

static void merge_extremes(struct fanin_part *a, const struct fanin_part *b)
{
    if (b->min < a->min) {
        a->min = b->min;
        a->nmin = 0;
    }
    if (b->min == a->min)
        a->nmin += b->nmin;
    if (b->max > a->max) {
        a->max = b->max;
        a->nmax = 0;
    }
    if (b->max == a->max)
        a->nmax += b->nmax;
}

static void end_row(struct fanin_whole *whole, uint64_t row, uint64_t hash, double sum, double square)
{
    double n = (double)whole->ncols, mean = sum / n, variance = square / n - mean * mean;
    variance = variance > 0 ? variance : 0;
    whole->hash += mix(hash + multiplier(row));
    if (square == 0) {
        whole->nzero_rows++;
    } else {
        whole->row_variance_min = fmin(whole->row_variance_min, variance);
        whole->row_variance_max = fmax(whole->row_variance_max, variance);
    }
    if (whole->row_hashes != NULL) {
        whole->row_hashes[row] = mix(hash);
        whole->row_means[row] = mean;
        whole->row_variances[row] = variance;
    }
}

void fanin_whole_add(struct fanin_whole *whole, const struct fanin_part *part)
{
    const uint64_t n = part->end - part->begin;
    if (!whole->is_float) {
        whole->hash += mix(part->row_hashes[0]);
        return;
    }
    struct fanin_part *sums = &whole->sums;
    sums->nnan += part->nnan;
    sums->ninf += part->ninf;
    sums->nzero += part->nzero;
    sums->nsubnormal += part->nsubnormal;
    sums->first_nan = sums->first_nan < part->first_nan ? sums->first_nan : part->first_nan;
    sums->first_inf = sums->first_inf < part->first_inf ? sums->first_inf : part->first_inf;
    merge_zeros(&sums->zeros, &part->zeros);
    merge_extremes(sums, part);
    merge_moments(&sums->moments, &part->moments);
    for (size_t i = 0; i < FANIN_SCAN_NBINS; i++)
        whole->bins[i] += part->bins[i];
    for (uint64_t i = 0; i < n && part->begin + i < FANIN_SCAN_NFIRST; i++)
        whole->first[whole->nfirst++] = part->values[i];
    if (n < whole->ncols) {
        whole->open_hash += part->row_hashes[0];
        whole->open_sum += part->row_sums[0];
        whole->open_square += part->row_squares[0];
        if (part->column + n == whole->ncols) {
            end_row(whole, part->row, whole->open_hash, whole->open_sum, whole->open_square);
            whole->open_hash = 0;
            whole->open_sum = whole->open_square = 0;
        }
    } else {
        for (uint64_t r = 0; r < n / whole->ncols; r++)
            end_row(whole, part->row + r, part->row_hashes[r], part->row_sums[r], part->row_squares[r]);
    }
    if (whole->column_hashes != NULL)
        for (uint64_t i = 0; i < whole->ncols; i++) {
            whole->column_hashes[i] += part->column_hashes[i];
            whole->column_sums[i] += part->column_sums[i];
            whole->column_squares[i] += part->column_squares[i];
        }
}

/* -- What follows from the bins -------------------------------------------------------------------------------------*/

static const double quantiles[FANIN_QUANTILE_COUNT] = {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999};

double fanin_statistics_quantile_at(size_t i)
{
    return i < FANIN_QUANTILE_COUNT ? quantiles[i] : (double)NAN;
}

enum { SIGN = 0x8000, INFINITE = 0x7f80 };

/* Bins of finite values from the least to the greatest, by rank 0 ... */
static uint32_t bin_in_order(uint32_t rank)
{
    return rank < INFINITE ? SIGN + INFINITE - 1 - rank : rank - INFINITE;
}

/* The value `share` of the way through a bin, from its edge toward zero outward. */
static double within_bin(uint32_t bin, double share, bool is_exact)
{
    double from = fanin_scan_bin_edge(bin);
    if (is_exact)
        return from;
    double to = (bin & ~(uint32_t)SIGN) + 1 < INFINITE ? fanin_scan_bin_edge(bin + 1)
                                                       : (bin & SIGN ? -(double)FLT_MAX : (double)FLT_MAX);
    return from + (to - from) * share;
}

static void find_quantiles(const struct fanin_whole *whole, fanin_statistics *statistics)
{
    const uint64_t n = whole->sums.moments.n;
    const bool is_exact = fanin_scan_is_exact(whole->dtype);
    uint64_t before = 0;
    size_t q = 0;
    for (uint32_t rank = 0; rank < 2 * INFINITE && q < FANIN_QUANTILE_COUNT; rank++) {
        uint32_t bin = bin_in_order(rank);
        uint64_t count = whole->bins[bin];
        for (; q < FANIN_QUANTILE_COUNT; q++) {
            double wanted = quantiles[q] * (double)(n - 1);
            if (!(wanted < (double)(before + count)))
                break;
            double share = (wanted - (double)before + 0.5) / (double)count;
            double value = within_bin(bin, bin & SIGN ? 1 - share : share, is_exact);
            statistics->quantiles[q] = fmin(fmax(value, statistics->min), statistics->max);
        }
        before += count;
    }
}

static double find_median_abs(const struct fanin_whole *whole)
{
    const uint64_t n = whole->sums.moments.n - whole->sums.nzero;
    const bool is_exact = fanin_scan_is_exact(whole->dtype);
    uint64_t before = 0;
    if (n == 0)
        return (double)NAN;
    for (uint32_t bin = 0; bin < INFINITE; bin++) {
        uint64_t count = whole->bins[bin] + whole->bins[bin | SIGN];
        if (bin == 0) /* both zeros lie there, and of f32 and f64 the least subnormals */
            count -= whole->sums.nzero < count ? whole->sums.nzero : count;
        if (count > 0 && (double)(n - 1) * 0.5 < (double)(before + count))
            return fabs(within_bin(bin, ((double)(n - 1) * 0.5 - (double)before + 0.5) / (double)count, is_exact));
        before += count;
    }
    return (double)NAN;
}

/* Counts below an edge, a bin that the edge cuts shared out evenly, rounded down: so they add up. */
static void fill_histogram(const struct fanin_whole *whole, fanin_statistics *statistics)
{
    const double min = statistics->min, max = statistics->max, width = (max - min) / FANIN_HISTOGRAM_NBINS;
    const bool is_exact = fanin_scan_is_exact(whole->dtype);
    if (!(width > 0) || isinf(width)) {
        statistics->histogram[0] = whole->sums.moments.n;
        return;
    }
    double shared[FANIN_HISTOGRAM_NBINS] = {0};
    for (uint32_t rank = 0; rank < 2 * INFINITE; rank++) {
        uint32_t bin = bin_in_order(rank);
        uint64_t count = whole->bins[bin];
        if (count == 0)
            continue;
        double a = fmin(fmax(within_bin(bin, 0, is_exact), min), max),
               b = fmin(fmax(within_bin(bin, 1, is_exact), min), max);
        double low = (fmin(a, b) - min) / width, high = (fmax(a, b) - min) / width;
        int first = low < FANIN_HISTOGRAM_NBINS ? (int)low : FANIN_HISTOGRAM_NBINS - 1;
        int last = high < FANIN_HISTOGRAM_NBINS ? (int)high : FANIN_HISTOGRAM_NBINS - 1;
        for (int k = first; k <= last; k++) {
            double from = fmax(low, k), to = fmin(high, k + 1);
            shared[k] += high > low ? (double)count * (to - from) / (high - low) : (double)count;
        }
    }
    double total = 0;
    uint64_t given = 0;
    for (int k = 0; k < FANIN_HISTOGRAM_NBINS; k++) {
        total += shared[k];
        uint64_t upto = k + 1 == FANIN_HISTOGRAM_NBINS ? whole->sums.moments.n : (uint64_t)(total + 0.5);
        upto = upto < given ? given : upto;
        statistics->histogram[k] = upto - given;
        given = upto;
    }
}

/* -- The first values -----------------------------------------------------------------------------------------------*/

static fanin_status look_at_first(const struct fanin_whole *whole, fanin_statistics *statistics, fanin_error *error)
{
    enum { NSLOTS = 4 * FANIN_SCAN_NFIRST };
    const size_t n = whole->nfirst;
    uint32_t *slots = fanin_allocate_zeroed(NSLOTS, sizeof *slots); /* bits + 1, 0 free; -NaN of all ones is one NaN */
    if (slots == NULL)
        return fanin_fail_memory(error, NSLOTS * sizeof *slots);
    size_t ndistinct = 0;
    double sum = 0, squares = 0, products = 0;
    size_t nfinite = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &whole->first[i], sizeof bits);
        bits = whole->first[i] == 0 || isnan(whole->first[i]) ? 0 : bits;
        uint32_t key = bits + 1;
        size_t at = (size_t)(mix(key) % NSLOTS);
        while (slots[at] != 0 && slots[at] != key)
            at = (at + 1) % NSLOTS;
        ndistinct += slots[at] == 0;
        slots[at] = key;
        if (isfinite(whole->first[i])) {
            sum += (double)whole->first[i];
            nfinite++;
        }
    }
    fanin_free(slots);
    statistics->distinct = (double)ndistinct / (double)n;
    double mean = nfinite > 0 ? sum / (double)nfinite : 0, previous = 0;
    for (size_t i = 0; i < n; i++) {
        double d = isfinite(whole->first[i]) ? (double)whole->first[i] - mean : 0;
        squares += d * d;
        products += d * previous;
        previous = d;
    }
    statistics->lag1 = squares > 0 ? products / squares : (double)NAN;
    return FANIN_OK;
}

/* -- The end --------------------------------------------------------------------------------------------------------*/

static void end_columns(struct fanin_whole *whole, fanin_statistics *statistics)
{
    double n = (double)whole->nrows, min = INFINITY, max = -INFINITY;
    for (uint64_t i = 0; i < whole->ncols; i++) {
        double mean = whole->column_sums[i] / n, variance = whole->column_squares[i] / n - mean * mean;
        whole->column_hashes[i] = mix(whole->column_hashes[i]);
        whole->column_sums[i] = mean;
        variance = variance > 0 ? variance : 0;
        if (whole->column_squares[i] > 0) {
            min = fmin(min, variance);
            max = fmax(max, variance);
        }
        whole->column_squares[i] = variance;
    }
    statistics->column_variance_min = min <= max ? min : (double)NAN;
    statistics->column_variance_max = min <= max ? max : (double)NAN;
}

fanin_status fanin_whole_end(struct fanin_whole *whole, struct fanin_scan *scan, fanin_error *error)
{
    const struct fanin_part *sums = &whole->sums;
    const struct fanin_moments *moments = &sums->moments;
    const double none = (double)NAN;
    *scan =
        (struct fanin_scan){.statistics = {.is_float = whole->is_float,
                                           .nelem = whole->nelem,
                                           .nnan = sums->nnan,
                                           .ninf = sums->ninf,
                                           .nzero = sums->nzero,
                                           .nsubnormal = sums->nsubnormal,
                                           .first_nan = sums->first_nan,
                                           .first_inf = sums->first_inf,
                                           .zero_run = sums->zeros.best,
                                           .zero_run_at = sums->zeros.best > 0 ? sums->zeros.best_at : FANIN_NO_INDEX,
                                           .min = none,
                                           .max = none,
                                           .mean = none,
                                           .variance = none,
                                           .skewness = none,
                                           .kurtosis = none,
                                           .median_abs = none,
                                           .distinct = none,
                                           .lag1 = none,
                                           .nrows = whole->nrows,
                                           .ncols = whole->ncols,
                                           .nzero_rows = whole->nzero_rows,
                                           .row_variance_min = none,
                                           .row_variance_max = none,
                                           .column_variance_min = none,
                                           .column_variance_max = none,
                                           .hash = mix(whole->hash)}};
    fanin_statistics *statistics = &scan->statistics;
    for (size_t i = 0; i < FANIN_QUANTILE_COUNT; i++)
        statistics->quantiles[i] = none;
    if (!whole->is_float || whole->nelem == 0)
        return FANIN_OK;
    if (moments->n > 0) {
        double n = (double)moments->n;
        statistics->min = sums->min;
        statistics->max = sums->max;
        statistics->nmin = sums->nmin;
        statistics->nmax = sums->nmax;
        statistics->mean = moments->mean;
        statistics->variance = moments->m2 / n;
        if (moments->m2 > 0) {
            statistics->skewness = moments->m3 / n / (statistics->variance * sqrt(statistics->variance));
            statistics->kurtosis = moments->m4 / n / (statistics->variance * statistics->variance);
        }
        find_quantiles(whole, statistics);
        fill_histogram(whole, statistics);
        statistics->median_abs = find_median_abs(whole);
    }
    if (whole->row_variance_min <= whole->row_variance_max) {
        statistics->row_variance_min = whole->row_variance_min;
        statistics->row_variance_max = whole->row_variance_max;
    }
    if (whole->column_hashes != NULL)
        end_columns(whole, statistics);
    scan->bins = whole->bins;
    scan->row_hashes = whole->row_hashes;
    scan->row_means = whole->row_means;
    scan->row_variances = whole->row_variances;
    scan->column_hashes = whole->column_hashes;
    scan->column_means = whole->column_sums;
    scan->column_variances = whole->column_squares;
    scan->first = whole->first;
    scan->nfirst = whole->nfirst;
    return look_at_first(whole, statistics, error);
}
