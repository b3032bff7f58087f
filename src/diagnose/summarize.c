/* SPDX-License-Identifier: MIT */
/*
 * Sums over values in plain C: the specification. Order is fixed: blocks of 4096 elements from a part's, or a long
 * row's, beginning, sixteen lanes in a block, element i in lane i % 16; blocks and parts are put together in ascending
 * order.
 */
#include "diagnose/summarize.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"

/* Rows of LONG_ROW values and more end a block: their sums follow from its moments. */
enum { BLOCK = 4096, NLANES = 16, HASH_BLOCK = 1024, LONG_ROW = 1024 };

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

bool fanin_is_summed(fanin_dtype dtype)
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

fanin_status fanin_part_begin(struct fanin_part *part, uint64_t max_nelem, uint64_t max_nrows, fanin_error *error)
{
    *part = (struct fanin_part){.max_nelem = max_nelem};
    part->bins = fanin_allocate_zeroed(FANIN_SCAN_NBINS, sizeof *part->bins);
    part->room = fanin_allocate(max_nelem, 12);
    part->row_hashes = fanin_allocate(max_nrows, sizeof *part->row_hashes);
    part->row_sums = fanin_allocate(max_nrows, sizeof *part->row_sums);
    part->row_squares = fanin_allocate(max_nrows, sizeof *part->row_squares);
    part->row_factors = fanin_allocate(max_nrows, sizeof *part->row_factors);
    part->column_hashes = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_hashes);
    part->column_sums = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_sums);
    part->column_squares = fanin_allocate(FANIN_SCAN_MAX_COLUMNS, sizeof *part->column_squares);
    if (part->bins != NULL && part->room != NULL && part->row_hashes != NULL && part->row_sums != NULL &&
        part->row_squares != NULL && part->row_factors != NULL && part->column_hashes != NULL &&
        part->column_sums != NULL && part->column_squares != NULL)
        return FANIN_OK;
    fanin_part_release(part);
    return fanin_fail_memory(error, max_nelem * 12 + max_nrows * 32 + FANIN_SCAN_MAX_COLUMNS * 24);
}

void fanin_part_release(struct fanin_part *part)
{
    fanin_free(part->column_squares);
    fanin_free(part->column_sums);
    fanin_free(part->column_hashes);
    fanin_free(part->row_factors);
    fanin_free(part->row_squares);
    fanin_free(part->row_sums);
    fanin_free(part->row_hashes);
    fanin_free(part->room);
    fanin_free(part->bins);
    *part = (struct fanin_part){0};
}

/* The values as f32 (of f64: toward zero), in the part's room unless they are that already. */
static const float *as_floats(const struct fanin_part *part, const struct fanin_whole *whole, const uint8_t *bytes,
                              uint64_t n)
{
    float *out = (float *)(void *)part->room;
    switch (whole->dtype) {
    case FANIN_F32:
        return (const float *)(const void *)bytes;
    case FANIN_BF16:
        whole->kernels->widen_bf16(out, (const uint16_t *)(const void *)bytes, n);
        return out;
    case FANIN_F16:
        whole->kernels->widen_f16(out, (const uint16_t *)(const void *)bytes, n);
        return out;
    case FANIN_F64:
        for (uint64_t i = 0; i < n; i++)
            out[i] = toward_zero(((const double *)(const void *)bytes)[i]);
        return out;
    default: { /* of 8 bits */
        float values[256];
        for (unsigned i = 0; i < 256; i++) {
            uint8_t byte = (uint8_t)i;
            values[i] = (float)fanin_dtype_value(whole->dtype, &byte, 0);
        }
        for (uint64_t i = 0; i < n; i++)
            out[i] = values[bytes[i]];
        return out;
    }
    }
}

/* A block of up to BLOCK values; those of f64 as they are, all others as f32. */
struct block {
    const void *values;
    uint64_t begin; /* in the part */
    size_t n;
    bool is_wide;
    bool is_finite;
    struct fanin_value_range range;
};

static double value_at(const struct block *block, size_t i)
{
    return block->is_wide ? ((const double *)block->values)[i] : (double)((const float *)block->values)[i];
}

static double value_of_bits(uint64_t bits, bool is_wide)
{
    return is_wide ? fanin_f64_from_bits(bits) : (double)fanin_f32_from_bits((uint32_t)bits);
}

/* Bits of both signs in order of their magnitude: what a range says of each sign. */
static uint64_t sign_of(bool is_wide)
{
    return is_wide ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
}

static bool range_is_finite(const struct fanin_value_range *range, bool is_wide)
{
    const uint64_t infinity = is_wide ? UINT64_C(0x7ff) << 52 : UINT64_C(0xff) << 23;
    return (range->greatest_signed < 0 || (uint64_t)range->greatest_signed < infinity) &&
           (range->least_signed >= 0 || range->greatest < (infinity | sign_of(is_wide)));
}

static void use_bins(struct fanin_bin_range *used, struct fanin_bin_range more)
{
    if (more.end == 0)
        return;
    if (used->end == 0) {
        *used = more;
        return;
    }
    used->begin = more.begin < used->begin ? more.begin : used->begin;
    used->end = more.end > used->end ? more.end : used->end;
}

static void count_bins(struct fanin_part *part, const float *floats, size_t n, const struct fanin_value_range *range)
{
    uint32_t *bins = part->bins;
    uint32_t least[2] = {UINT32_MAX, UINT32_MAX}, greatest[2] = {0, 0};
    size_t at = 0;
    for (; at + 4 <= n; at += 4) { /* in pairs: loads, not additions, are what is slow here */
        uint64_t first, second;
        memcpy(&first, floats + at, sizeof first);
        memcpy(&second, floats + at + 2, sizeof second);
        bins[first >> 16 & 0xffff]++;
        bins[first >> 48]++;
        bins[second >> 16 & 0xffff]++;
        bins[second >> 48]++;
    }
    for (; at < n; at++)
        bins[fanin_f32_bits(floats[at]) >> 16]++;
    if (range->greatest_signed >= 0) {
        least[0] = (uint32_t)(range->least >> 16);
        greatest[0] = (uint32_t)((uint64_t)range->greatest_signed >> 16);
    }
    if (range->least_signed < 0) {
        least[1] = (uint32_t)range->least_signed >> 16;
        greatest[1] = (uint32_t)(range->greatest >> 16);
    }
    for (int sign = 0; sign < 2; sign++) {
        if (least[sign] != UINT32_MAX)
            use_bins(&part->used[sign], (struct fanin_bin_range){least[sign], greatest[sign] + 1});
    }
}

static uint64_t count_equal(const struct block *block, double value)
{
    uint64_t count = 0;
    if (block->is_wide) {
        for (size_t i = 0; i < block->n; i++)
            count += ((const double *)block->values)[i] == value;
    } else {
        const float narrow = (float)value;
        for (size_t i = 0; i < block->n; i++)
            count += ((const float *)block->values)[i] == narrow;
    }
    return count;
}

static void take_extremes(struct fanin_part *part, const struct block *block, double min, double max)
{
    if (min < part->min) {
        part->min = min;
        part->nmin = 0;
    }
    if (min == part->min)
        part->nmin += count_equal(block, min);
    if (max > part->max) {
        part->max = max;
        part->nmax = 0;
    }
    if (max == part->max)
        part->nmax += count_equal(block, max);
}

static void take_zero_runs(struct fanin_part *part, const struct block *block)
{
    struct fanin_zero_runs *zeros = &part->zeros;
    for (size_t i = 0; i < block->n; i++) {
        if (value_at(block, i) == 0) {
            zeros->suffix++;
            if (zeros->suffix > zeros->best) {
                zeros->best = zeros->suffix;
                zeros->best_at = block->begin + i + 1 - zeros->suffix;
            }
            if (zeros->suffix == block->begin + i + 1)
                zeros->prefix = zeros->suffix;
        } else {
            zeros->suffix = 0;
        }
    }
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

/* A block with NaN or infinity: value by value, in the lanes where they lie. */
static struct fanin_moments take_odd_block(struct fanin_part *part, const struct block *block)
{
    double finite[BLOCK], lanes[4][NLANES] = {{0}};
    struct fanin_moments moments = {0};
    double min = INFINITY, max = -INFINITY;
    for (size_t i = 0; i < block->n; i++) {
        double value = finite[i] = value_at(block, i);
        if (isnan(value)) {
            if (part->nnan++ == 0)
                part->first_nan = part->begin + block->begin + i;
        } else if (isinf(value)) {
            if (part->ninf++ == 0)
                part->first_inf = part->begin + block->begin + i;
        } else {
            moments.n++;
            lanes[0][i % NLANES] += value;
            min = fmin(min, value);
            max = fmax(max, value);
        }
    }
    if (moments.n == 0)
        return moments;
    take_extremes(part, block, min, max);
    moments.mean = sum_lanes(lanes[0]) / (double)moments.n;
    for (size_t i = 0; i < block->n; i++)
        if (isfinite(finite[i])) {
            double d = finite[i] - moments.mean, square = d * d;
            lanes[1][i % NLANES] += square;
            lanes[2][i % NLANES] += square * d;
            lanes[3][i % NLANES] += square * square;
        }
    moments.m2 = sum_lanes(lanes[1]);
    moments.m3 = sum_lanes(lanes[2]);
    moments.m4 = sum_lanes(lanes[3]);
    return moments;
}

static struct fanin_moments take_finite_block(struct fanin_part *part, const struct fanin_summing *kernel,
                                              const struct block *block)
{
    const struct fanin_value_range *range = &block->range;
    double sums[4];
    uint64_t min = range->least_signed < 0 ? range->greatest : range->least;
    uint64_t max = range->greatest_signed >= 0 ? (uint64_t)range->greatest_signed : (uint64_t)range->least_signed;
    take_extremes(part, block, value_of_bits(min, block->is_wide), value_of_bits(max, block->is_wide));
    kernel->moments(block->values, block->n, sums);
    return (struct fanin_moments){.n = block->n, .mean = sums[0], .m2 = sums[1], .m3 = sums[2], .m4 = sums[3]};
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

/* Multipliers of the places in a hash's block, and of the blocks: made once. */
static uint64_t multipliers[HASH_BLOCK];
static pthread_once_t multipliers_once = PTHREAD_ONCE_INIT;

static void make_multipliers(void)
{
    for (uint64_t i = 0; i < HASH_BLOCK; i++)
        multipliers[i] = multiplier(i);
}

static uint64_t row_hash(const struct fanin_summing *kernel, const uint8_t *bits, size_t width, uint64_t n,
                         uint64_t column)
{
    uint64_t hash = 0;
    for (uint64_t at = 0; at < n; at += HASH_BLOCK) {
        uint64_t length = n - at < HASH_BLOCK ? n - at : HASH_BLOCK;
        hash += mix(kernel->hash(bits + at * width, length, multipliers) +
                    multiplier(HASH_BLOCK + (column + at) / HASH_BLOCK));
    }
    return hash;
}

/* Values with zeros for what is not finite, behind the floats in the room. */
static const void *make_finite(struct fanin_part *part, const void *values, bool is_wide, uint64_t n)
{
    if (is_wide) {
        double *out = (double *)(void *)(part->room + 4 * part->max_nelem);
        for (uint64_t i = 0; i < n; i++)
            out[i] = isfinite(((const double *)values)[i]) ? ((const double *)values)[i] : 0;
        return out;
    }
    float *out = (float *)(void *)(part->room + 4 * part->max_nelem);
    for (uint64_t i = 0; i < n; i++)
        out[i] = isfinite(((const float *)values)[i]) ? ((const float *)values)[i] : 0;
    return out;
}

static bool has_value(const double *values, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (values[i] != 0)
            return true;
    return false;
}

static void add_to_row(struct fanin_part *part, uint64_t r, bool is_first, const struct fanin_moments *moments)
{
    const double sum = (double)moments->n * moments->mean, square = moments->m2 + sum * moments->mean;
    part->row_sums[r] = is_first ? sum : part->row_sums[r] + sum;
    part->row_squares[r] = is_first ? square : part->row_squares[r] + square;
}

/* Sums of long rows are there afterwards if all values are finite. */
static void take_blocks(struct fanin_part *part, const struct fanin_whole *whole, const void *values, bool is_wide,
                        uint64_t n, uint64_t length)
{
    const size_t width = is_wide ? 8 : 4;
    size_t size;
    for (uint64_t at = 0; at < n; at += size) {
        const uint64_t left = length >= LONG_ROW ? length - at % length : n - at;
        size = left < BLOCK ? (size_t)left : BLOCK;
        struct block block = {
            .values = (const uint8_t *)values + at * width, .begin = at, .n = size, .is_wide = is_wide};
        whole->kernel->range(block.values, block.n, &block.range);
        block.is_finite = range_is_finite(&block.range, is_wide);
        part->nzero += block.range.nzero;
        if (block.range.nzero > 0)
            take_zero_runs(part, &block);
        else
            part->zeros.suffix = 0;
        struct fanin_moments moments =
            block.is_finite ? take_finite_block(part, whole->kernel, &block) : take_odd_block(part, &block);
        merge_moments(&part->moments, &moments);
        if (length >= LONG_ROW)
            add_to_row(part, at / length, at % length == 0, &moments);
        struct fanin_value_range narrow = block.range;
        if (is_wide)
            whole->kernels->summing_f32.range(part->floats + at, block.n, &narrow);
        count_bins(part, part->floats + at, block.n, &narrow);
        if (is_wide)
            for (size_t i = 0; i < block.n; i++)
                part->nsubnormal += value_at(&block, i) != 0 && fabs(value_at(&block, i)) < DBL_MIN;
    }
}

static void clear(struct fanin_part *part)
{
    for (uint32_t sign = 0; sign < 2; sign++) {
        const struct fanin_bin_range *used = &part->used[sign];
        if (used->end > 0)
            memset(part->bins + used->begin, 0, (used->end - used->begin) * sizeof *part->bins);
        part->used[sign] = (struct fanin_bin_range){0};
    }
    part->nnan = part->ninf = part->nzero = part->nsubnormal = part->nmin = part->nmax = 0;
    part->first_nan = part->first_inf = FANIN_NO_INDEX;
    part->min = INFINITY;
    part->max = -INFINITY;
    part->moments = (struct fanin_moments){0};
    part->zeros = (struct fanin_zero_runs){0};
}

void fanin_part_take(struct fanin_part *part, const struct fanin_whole *whole, const uint8_t *bytes, uint64_t begin,
                     uint64_t end, uint64_t row, uint64_t column)
{
    const uint64_t n = end - begin;
    pthread_once(&multipliers_once, make_multipliers);
    part->begin = begin, part->end = end, part->row = row, part->column = column;
    if (!whole->is_float) { /* as bytes: of 4 and 6 bits too */
        const unsigned nbits = fanin_dtype_nbits(whole->dtype);
        uint64_t total = n / 8 * nbits + (n % 8 * nbits + 7) / 8, hash = 0;
        for (uint64_t at = 0; at < total; at += 4) {
            uint32_t word = 0;
            memcpy(&word, bytes + at, total - at < 4 ? (size_t)(total - at) : 4);
            hash += mix(word + multiplier(at));
        }
        part->row_hashes[0] = hash + mix(begin);
        return;
    }
    clear(part);
    part->zeros.n = n;
    const bool is_wide = whole->dtype == FANIN_F64;
    const size_t width = is_wide ? 8 : 4;
    part->floats = as_floats(part, whole, bytes, n);
    const void *bits = is_wide ? (const void *)bytes : part->floats;
    /* NOLINTNEXTLINE(*DivideZero): a part has elements */
    const uint64_t length = n < whole->ncols ? n : whole->ncols, nrows = n / length;
    take_blocks(part, whole, bits, is_wide, n, length);
    const bool is_finite = part->nnan + part->ninf == 0;
    const void *values = is_finite ? bits : make_finite(part, bits, is_wide, n);
    for (uint64_t r = 0; r < nrows; r++) {
        part->row_hashes[r] =
            row_hash(whole->kernel, (const uint8_t *)bits + r * length * width, width, length, column);
        if (length < LONG_ROW || !is_finite)
            whole->kernel->row((const uint8_t *)values + r * length * width, length, &part->row_sums[r],
                               &part->row_squares[r]);
        if (is_wide && part->row_squares[r] == 0 && has_value((const double *)values + r * length, length))
            part->row_squares[r] = DBL_TRUE_MIN; /* below 2^-537 squares vanish, but no row of zeros is that */
    }
    if (whole->column_hashes != NULL) {
        memset(part->column_hashes, 0, length * sizeof *part->column_hashes);
        memset(part->column_sums, 0, length * sizeof *part->column_sums);
        memset(part->column_squares, 0, length * sizeof *part->column_squares);
        for (uint64_t r = 0; r < nrows; r++)
            part->row_factors[r] = multiplier(row + r);
        whole->kernel->columns(values, bits, nrows, length, part->row_factors, part->column_hashes, part->column_sums,
                               part->column_squares);
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
                                  .is_float = fanin_is_summed(dtype),
                                  .kernels = fanin_kernel_for(FANIN_PROFILE_TORCH_2_13),
                                  .row_variance_min = INFINITY,
                                  .row_variance_max = -INFINITY};
    whole->kernel = dtype == FANIN_F64 ? &whole->kernels->summing_f64 : &whole->kernels->summing_f32;
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
    for (int sign = 0; sign < 2; sign++) {
        use_bins(&sums->used[sign], part->used[sign]);
        for (uint32_t i = part->used[sign].begin; i < part->used[sign].end; i++)
            whole->bins[i] += part->bins[i];
    }
    for (uint64_t i = 0; i < n && part->begin + i < FANIN_SCAN_NFIRST; i++)
        whole->first[whole->nfirst++] = part->floats[i];
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
        /* NOLINTNEXTLINE(*DivideZero): a part has elements */
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

/* Bins of finite values from the least to the greatest, by rank 0 ... */
static uint32_t bin_in_order(uint32_t rank)
{
    return rank < FANIN_SCAN_INFINITE ? FANIN_SCAN_SIGN + FANIN_SCAN_INFINITE - 1 - rank : rank - FANIN_SCAN_INFINITE;
}

/* Ranks outside [first, last) are empty. */
static uint32_t first_rank(const struct fanin_whole *whole)
{
    uint32_t end = whole->sums.used[1].end;
    end = end > FANIN_SCAN_SIGN + FANIN_SCAN_INFINITE ? FANIN_SCAN_SIGN + FANIN_SCAN_INFINITE : end;
    return end > 0 ? FANIN_SCAN_SIGN + FANIN_SCAN_INFINITE - end : FANIN_SCAN_INFINITE;
}

static uint32_t last_rank(const struct fanin_whole *whole)
{
    uint32_t end = whole->sums.used[0].end;
    return FANIN_SCAN_INFINITE + (end > FANIN_SCAN_INFINITE ? FANIN_SCAN_INFINITE : end);
}

/* The value `share` of the way through a bin, from its edge toward zero outward. */
static double within_bin(uint32_t bin, double share, bool is_exact)
{
    double from = fanin_scan_bin_edge(bin);
    if (is_exact)
        return from;
    double to = (bin & ~(uint32_t)FANIN_SCAN_SIGN) + 1 < FANIN_SCAN_INFINITE
                    ? fanin_scan_bin_edge(bin + 1)
                    : (bin & FANIN_SCAN_SIGN ? -(double)FLT_MAX : (double)FLT_MAX);
    return from + (to - from) * share;
}

/* The rank after this one; what lies between the signs is empty and left out. */
static uint32_t next_rank(const struct fanin_whole *whole, uint32_t rank)
{
    const struct fanin_bin_range *used = whole->sums.used;
    const uint32_t from = used[1].end > 0 ? FANIN_SCAN_SIGN + FANIN_SCAN_INFINITE - used[1].begin : FANIN_SCAN_INFINITE,
                   to = used[0].end > 0 ? FANIN_SCAN_INFINITE + used[0].begin : 2 * FANIN_SCAN_INFINITE;
    rank++;
    return rank >= from && rank < to ? to : rank;
}

static void find_quantiles(const struct fanin_whole *whole, fanin_statistics *statistics)
{
    const uint64_t n = whole->sums.moments.n;
    const bool is_exact = fanin_scan_is_exact(whole->dtype);
    uint64_t before = 0;
    size_t q = 0;
    for (uint32_t rank = first_rank(whole); rank < last_rank(whole) && q < FANIN_QUANTILE_COUNT;
         rank = next_rank(whole, rank)) {
        uint32_t bin = bin_in_order(rank);
        uint64_t count = whole->bins[bin];
        for (; q < FANIN_QUANTILE_COUNT; q++) {
            double wanted = quantiles[q] * (double)(n - 1);
            if (!(wanted < (double)(before + count)))
                break;
            double share = (wanted - (double)before + 0.5) / (double)count;
            double value = within_bin(bin, bin & FANIN_SCAN_SIGN ? 1 - share : share, is_exact);
            if ((bin & ~(uint32_t)FANIN_SCAN_SIGN) == 0)
                value = 0; /* of both signs; what else lies there is below 2^-133 */
            statistics->quantiles[q] = fmin(fmax(value, statistics->min), statistics->max);
        }
        before += count;
    }
}

/* Of both signs: bins nearer to zero are empty. */
static uint32_t nearest_bin(const struct fanin_whole *whole)
{
    const struct fanin_bin_range *used = whole->sums.used;
    const uint32_t positive = used[0].end > 0 ? used[0].begin : FANIN_SCAN_SIGN,
                   negative = used[1].end > 0 ? used[1].begin - FANIN_SCAN_SIGN : FANIN_SCAN_SIGN;
    return positive < negative ? positive : negative;
}

static double find_median_abs(const struct fanin_whole *whole)
{
    const uint64_t n = whole->sums.moments.n - whole->sums.nzero;
    const bool is_exact = fanin_scan_is_exact(whole->dtype);
    uint64_t before = 0;
    if (n == 0)
        return (double)NAN;
    const uint32_t end = last_rank(whole) - FANIN_SCAN_INFINITE, negative_end = FANIN_SCAN_INFINITE - first_rank(whole);
    for (uint32_t bin = nearest_bin(whole); bin < end || bin < negative_end; bin++) {
        uint64_t count = whole->bins[bin] + whole->bins[bin | FANIN_SCAN_SIGN];
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
    for (uint32_t rank = first_rank(whole); rank < last_rank(whole); rank = next_rank(whole, rank)) {
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

/* -0 is 0, and every NaN one value. */
static uint32_t key_of(float value)
{
    return value == 0 ? 0 : isnan(value) ? 0x7fc00000 : fanin_f32_bits(value);
}

/* Of keys that share the upper byte of their product with an odd number; slots are 0 but for those found. */
static size_t count_bucket(const uint32_t *keys, size_t n, uint32_t *slots)
{
    size_t nslots = 64, count = 0;
    while (nslots < 2 * n)
        nslots *= 2;
    memset(slots, 0, nslots * sizeof *slots);
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)(keys[i] * UINT64_C(0x9e3779b97f4a7c15) >> 38) & (nslots - 1);
        while (slots[at] != 0 && slots[at] != keys[i] + 1)
            at = (at + 1) & (nslots - 1);
        count += slots[at] == 0;
        slots[at] = keys[i] + 1; /* no key is all ones */
    }
    return count;
}

/* Counts distinct values bucket by bucket, so that the slots of each stay in the first cache. */
static fanin_status count_distinct(const float *values, size_t n, size_t *count, fanin_error *error)
{
    size_t nslots = 64, ends[257] = {0};
    while (nslots < 2 * n)
        nslots *= 2;
    uint32_t *slots = fanin_allocate(nslots + n, sizeof *slots), *keys = slots + nslots;
    if (slots == NULL)
        return fanin_fail_memory(error, (nslots + n) * sizeof *slots);
    for (size_t i = 0; i < n; i++)
        ends[1 + (uint8_t)(key_of(values[i]) * UINT64_C(0x9e3779b97f4a7c15) >> 56)]++;
    for (size_t k = 1; k < 257; k++)
        ends[k] += ends[k - 1];
    for (size_t i = 0; i < n; i++) {
        const uint32_t key = key_of(values[i]);
        keys[ends[(uint8_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 56)]++] = key;
    }
    *count = 0;
    for (size_t k = 0, begin = 0; k < 256; k++) { /* what was the beginning of a bucket is its end now */
        *count += ends[k] > begin ? count_bucket(keys + begin, ends[k] - begin, slots) : 0;
        begin = ends[k];
    }
    fanin_free(slots);
    return FANIN_OK;
}

static fanin_status look_at_first(const struct fanin_whole *whole, fanin_statistics *statistics, fanin_error *error)
{
    const size_t n = whole->nfirst;
    size_t ndistinct, nfinite = 0;
    double sum = 0, squares = 0, products = 0;
    FANIN_TRY(count_distinct(whole->first, n, &ndistinct, error));
    for (size_t i = 0; i < n; i++)
        if (isfinite(whole->first[i])) {
            sum += (double)whole->first[i];
            nfinite++;
        }
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

/* Subnormal in the tensor's own dtype; of f64 they were counted one by one. */
static uint64_t count_subnormals(const struct fanin_whole *whole)
{
    if (whole->dtype == FANIN_F64)
        return whole->sums.nsubnormal;
    const uint32_t normal = fanin_f32_bits((float)least_normal(whole->dtype)) >> 16;
    uint64_t count = 0;
    for (uint32_t bin = nearest_bin(whole); bin < normal; bin++)
        count += whole->bins[bin] + whole->bins[bin | FANIN_SCAN_SIGN];
    return count - whole->sums.nzero;
}

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
    statistics->nsubnormal = count_subnormals(whole);
    if (moments->n > 0) {
        double n = (double)moments->n;
        statistics->min = sums->min + 0.0; /* -0 is 0 */
        statistics->max = sums->max + 0.0;
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
    for (int sign = 0; sign < 2; sign++) {
        scan->bins_begin[sign] = sums->used[sign].begin;
        scan->bins_end[sign] = sums->used[sign].end;
    }
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
