/* SPDX-License-Identifier: MIT */
/*
 * Sums over the values of parts, and of parts put together. A part is gone through by strips of columns, a few rows at
 * a time, so that what was read stays in the first cache for all that is done with it; the order is fixed by the shape.
 */
#include "diagnose/summarize.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "kernel/convert.h"

/* Columns and rows of a step; of rows alone more columns. A strip of 8 bytes a value has NKEYS words. */
enum { STRIP = 512, STRIP_ROWS = 4, LONG_STRIP = 2048, NKEYS = LONG_STRIP };

/* -- Hashes ---------------------------------------------------------------------------------------------------------*/

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014), a bijection. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

/* Key number i: what a sum's terms are made different by. */
static uint64_t key_of_place(uint64_t i)
{
    return mix((i + 1) * 0x9e3779b97f4a7c15);
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

fanin_status fanin_part_begin(struct fanin_part *part, const struct fanin_part_limits *limits, fanin_error *error)
{
    const uint64_t nrows = limits->nrows, ncolumns = limits->ncolumns;
    *part = (struct fanin_part){.max_nelem = limits->nelem};
    part->bins = fanin_allocate_zeroed(FANIN_SCAN_NBINS, sizeof *part->bins);
    part->room = fanin_allocate(limits->nelem, 12);
    part->row_hashes = fanin_allocate(nrows, sizeof *part->row_hashes);
    part->row_sums = fanin_allocate(nrows, sizeof *part->row_sums);
    part->row_squares = fanin_allocate(nrows, sizeof *part->row_squares);
    part->row_keys = fanin_allocate(nrows, sizeof *part->row_keys);
    part->column_hashes = fanin_allocate(ncolumns, sizeof *part->column_hashes);
    part->column_sums = fanin_allocate(ncolumns, sizeof *part->column_sums);
    part->column_squares = fanin_allocate(ncolumns, sizeof *part->column_squares);
    if (part->bins != NULL && part->room != NULL && part->row_hashes != NULL && part->row_sums != NULL &&
        part->row_squares != NULL && part->row_keys != NULL && part->column_hashes != NULL &&
        part->column_sums != NULL && part->column_squares != NULL)
        return FANIN_OK;
    fanin_part_release(part);
    return fanin_fail_memory(error, limits->nelem * 12 + nrows * 32 + ncolumns * 24);
}

void fanin_part_release(struct fanin_part *part)
{
    fanin_free(part->column_squares);
    fanin_free(part->column_sums);
    fanin_free(part->column_hashes);
    fanin_free(part->row_keys);
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

/* What a part is made of: rows of `length` values, of f64 as they are and of all others as f32. */
struct matrix {
    const uint8_t *values;
    size_t width; /* of a value */
    bool is_wide;
    uint64_t n, nrows, length;
};

static double value_at(const struct matrix *matrix, uint64_t i)
{
    return matrix->is_wide ? ((const double *)(const void *)matrix->values)[i]
                           : (double)((const float *)(const void *)matrix->values)[i];
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

/* Bins beyond the greatest of each sign are empty: `greatest` of numbers above 0, of those below. */
static void find_used_bins(struct fanin_part *part, const double greatest[2], bool is_finite)
{
    enum { RUN = 64 };
    for (uint32_t sign = 0; sign < 2; sign++) {
        const uint32_t *bins = part->bins + sign * FANIN_SCAN_SIGN;
        uint32_t begin = 0,
                 end = is_finite ? (fanin_f32_bits(toward_zero(greatest[sign])) >> 16) + 1 : (uint32_t)FANIN_SCAN_SIGN;
        for (uint32_t any = 0; begin + RUN <= end; begin += RUN) {
            for (uint32_t i = 0; i < RUN; i++)
                any |= bins[begin + i];
            if (any != 0)
                break;
        }
        while (begin < end && bins[begin] == 0)
            begin++;
        if (begin < end)
            part->used[sign] = (struct fanin_bin_range){sign * FANIN_SCAN_SIGN + begin, sign * FANIN_SCAN_SIGN + end};
    }
}

static uint64_t count_equal(const uint8_t *values, size_t n, bool is_wide, double value)
{
    uint64_t count = 0;
    if (is_wide) {
        for (size_t i = 0; i < n; i++)
            count += ((const double *)(const void *)values)[i] == value;
    } else {
        const float narrow = (float)value;
        for (size_t i = 0; i < n; i++)
            count += ((const float *)(const void *)values)[i] == narrow;
    }
    return count;
}

static void take_extremes(struct fanin_part *part, const struct fanin_summing *kernel, const uint8_t *values,
                          bool is_wide, size_t nrows, size_t ncols, size_t n)
{
    const size_t pitch = ncols * (is_wide ? 8 : 4);
    double extremes[2];
    kernel->extremes(values, nrows, ncols, n, extremes);
    if (extremes[0] < part->min) {
        part->min = extremes[0];
        part->nmin = 0;
    }
    if (extremes[1] > part->max) {
        part->max = extremes[1];
        part->nmax = 0;
    }
    for (size_t r = 0; r < nrows && extremes[0] == part->min; r++)
        part->nmin += count_equal(values + r * pitch, n, is_wide, part->min);
    for (size_t r = 0; r < nrows && extremes[1] == part->max; r++)
        part->nmax += count_equal(values + r * pitch, n, is_wide, part->max);
}

static void take_zero_runs(struct fanin_part *part, const struct matrix *matrix)
{
    enum { STEP = 64 };
    struct fanin_zero_runs *zeros = &part->zeros;
    for (uint64_t at = 0; at < matrix->n; at += STEP) {
        const uint64_t n = matrix->n - at < STEP ? matrix->n - at : STEP,
                       nzero = count_equal(matrix->values + at * matrix->width, (size_t)n, matrix->is_wide, 0);
        part->nzero += nzero;
        if (nzero == 0) {
            zeros->suffix = 0;
            continue;
        }
        for (uint64_t i = at; i < at + n; i++) {
            if (value_at(matrix, i) == 0) {
                zeros->suffix++;
                if (zeros->suffix > zeros->best) {
                    zeros->best = zeros->suffix;
                    zeros->best_at = i + 1 - zeros->suffix;
                }
                if (zeros->suffix == i + 1)
                    zeros->prefix = zeros->suffix;
            } else {
                zeros->suffix = 0;
            }
        }
    }
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

/* Keys of the words of a strip: made once. */
static uint64_t word_keys[NKEYS];
static pthread_once_t word_keys_once = PTHREAD_ONCE_INIT;

static void make_word_keys(void)
{
    for (uint64_t i = 0; i < NKEYS; i++)
        word_keys[i] = key_of_place(i);
}

static double sum_of(const double *values, uint64_t n)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

/* From sums of powers of the differences from `from`. */
static struct fanin_moments moments_about(double from, uint64_t n, const double s[4])
{
    const double d = s[0] / (double)n;
    struct fanin_moments moments = {.n = n,
                                    .mean = from + d,
                                    .m2 = s[1] - d * s[0],
                                    .m3 = s[2] - 3 * d * s[1] + 2 * d * d * s[0],
                                    .m4 = s[3] - 4 * d * s[2] + 6 * d * d * s[1] - 3 * d * d * d * s[0]};
    moments.m2 = moments.m2 > 0 ? moments.m2 : 0;
    moments.m4 = moments.m4 > 0 ? moments.m4 : 0;
    return moments;
}

/* Values with another for each that is not finite, behind the floats in the room. */
static const uint8_t *make_finite(struct fanin_part *part, const struct matrix *matrix, double other)
{
    if (matrix->is_wide) {
        double *out = (double *)(void *)(part->room + 4 * part->max_nelem);
        const double *values = (const double *)(const void *)matrix->values;
        for (uint64_t i = 0; i < matrix->n; i++)
            out[i] = isfinite(values[i]) ? values[i] : other;
        return (const uint8_t *)out;
    }
    float *out = (float *)(void *)(part->room + 4 * part->max_nelem);
    const float *values = (const float *)(const void *)matrix->values;
    for (uint64_t i = 0; i < matrix->n; i++)
        out[i] = isfinite(values[i]) ? values[i] : (float)other;
    return (const uint8_t *)out;
}

static bool has_value(const double *values, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (values[i] != 0 && isfinite(values[i]))
            return true;
    return false;
}

/* NaN and infinity are counted, and the extremes are those of the others. */
static void take_odd(struct fanin_part *part, const struct matrix *matrix)
{
    part->min = INFINITY;
    part->max = -INFINITY;
    for (uint64_t i = 0; i < matrix->n; i++) {
        const double value = value_at(matrix, i);
        if (isnan(value)) {
            if (part->nnan++ == 0)
                part->first_nan = part->begin + i;
        } else if (isinf(value)) {
            if (part->ninf++ == 0)
                part->first_inf = part->begin + i;
        } else {
            part->min = value < part->min ? value : part->min;
            part->max = value > part->max ? value : part->max;
        }
    }
    part->nmin = count_equal(matrix->values, (size_t)matrix->n, matrix->is_wide, part->min);
    part->nmax = count_equal(matrix->values, (size_t)matrix->n, matrix->is_wide, part->max);
}

/* Sums begin at 0. */
static void clear_sums(struct fanin_part *part, uint64_t nrows, uint64_t ncolumns)
{
    memset(part->row_sums, 0, nrows * sizeof *part->row_sums);
    memset(part->row_squares, 0, nrows * sizeof *part->row_squares);
    memset(part->column_sums, 0, ncolumns * sizeof *part->column_sums);
    memset(part->column_squares, 0, ncolumns * sizeof *part->column_squares);
    memset(part->cubes, 0, sizeof part->cubes);
    memset(part->fourths, 0, sizeof part->fourths);
}

/* What sums of a strip's rows from r on, columns from `from` on are added to. */
static struct fanin_sums sums_at(struct fanin_part *part, bool has_columns, uint64_t r, uint64_t from)
{
    return (struct fanin_sums){.rows = part->row_sums + r,
                               .row_squares = part->row_squares + r,
                               .columns = has_columns ? part->column_sums + from : NULL,
                               .column_squares = has_columns ? part->column_squares + from : NULL,
                               .cubes = part->cubes,
                               .fourths = part->fourths};
}

/* All there is to each strip of each few rows while they are in the first cache. */
static void take_strips(struct fanin_part *part, const struct fanin_whole *whole, const struct matrix *matrix,
                        const uint8_t *bytes, uint64_t column)
{
    const struct fanin_summing *kernel = whole->kernel;
    const bool has_columns = whole->column_hashes != NULL;
    const uint64_t strip = has_columns ? STRIP : LONG_STRIP, length = matrix->length;
    const size_t width = matrix->width, nbytes = fanin_dtype_nbits(whole->dtype) / 8;
    for (uint64_t from = 0; from < length; from += strip) {
        const size_t n = length - from < strip ? (size_t)(length - from) : (size_t)strip;
        const uint64_t place = key_of_place(NKEYS + (column + from) / strip);
        for (uint64_t r = 0; r < matrix->nrows; r += STRIP_ROWS) {
            const size_t nrows = matrix->nrows - r < STRIP_ROWS ? (size_t)(matrix->nrows - r) : STRIP_ROWS;
            const uint64_t at = r * length + from;
            const uint8_t *values = matrix->values + at * width;
            struct fanin_sums sums = sums_at(part, has_columns, r, from);
            sums.bins = matrix->is_wide ? NULL : part->bins;
            kernel->sums(values, nrows, length, n, &sums);
            if (has_columns)
                kernel->hash_columns(values, nrows, length, n, part->row_keys + (matrix->is_wide ? r : r / 2),
                                     part->column_hashes + from);
            for (size_t k = 0; k < nrows; k++)
                part->row_hashes[r + k] +=
                    mix(whole->kernels->hash_bytes(bytes + (at + k * length) * nbytes, n * nbytes, word_keys) + place);
            if (n == length)
                take_extremes(part, kernel, values, matrix->is_wide, 1, 0, nrows * n);
            else
                take_extremes(part, kernel, values, matrix->is_wide, nrows, length, n);
        }
    }
}

/* The sums again: of the finite values, after a part turned out to have others. */
static void sum_finite(struct fanin_part *part, const struct fanin_whole *whole, const struct matrix *matrix)
{
    const bool has_columns = whole->column_hashes != NULL;
    const uint64_t strip = has_columns ? STRIP : LONG_STRIP, length = matrix->length;
    const uint8_t *values = make_finite(part, matrix, 0);
    clear_sums(part, matrix->nrows, has_columns ? length : 0);
    for (uint64_t from = 0; from < length; from += strip)
        for (uint64_t r = 0; r < matrix->nrows; r += STRIP_ROWS) {
            const struct fanin_sums sums = sums_at(part, has_columns, r, from);
            whole->kernel->sums(values + (r * length + from) * matrix->width,
                                matrix->nrows - r < STRIP_ROWS ? (size_t)(matrix->nrows - r) : STRIP_ROWS, length,
                                length - from < strip ? (size_t)(length - from) : (size_t)strip, &sums);
        }
}

/*
 * Powers are summed up as they are, moved to the mean they are off by d: that costs the fourth moment digits as
 * (d / std)^4 does. Where d is more than a standard deviation, powers of differences from the mean are summed up.
 */
static void take_moments(struct fanin_part *part, const struct fanin_whole *whole, const struct matrix *matrix)
{
    const uint64_t nodd = part->nnan + part->ninf, n = matrix->n - nodd;
    double powers[4] = {sum_of(part->row_sums, matrix->nrows), sum_of(part->row_squares, matrix->nrows),
                        sum_of(part->cubes, FANIN_SUM_LANES), sum_of(part->fourths, FANIN_SUM_LANES)};
    if (n == 0)
        return;
    part->moments = moments_about(0, n, powers);
    const double mean = part->moments.mean;
    if (!(mean * powers[0] > part->moments.m2))
        return;
    const double from = matrix->is_wide ? mean : (double)(float)mean; /* so that what takes a place is no difference */
    whole->kernel->powers(nodd > 0 ? make_finite(part, matrix, from) : matrix->values, (size_t)matrix->n, from, powers);
    part->moments = moments_about(from, n, powers);
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
    pthread_once(&word_keys_once, make_word_keys);
    part->begin = begin, part->end = end, part->row = row, part->column = column;
    if (!whole->is_float) { /* as bytes: of 4 and 6 bits too */
        const unsigned nbits = fanin_dtype_nbits(whole->dtype);
        uint64_t total = n / 8 * nbits + (n % 8 * nbits + 7) / 8, hash = 0;
        for (uint64_t at = 0; at < total; at += 4) {
            uint32_t word = 0;
            memcpy(&word, bytes + at, total - at < 4 ? (size_t)(total - at) : 4);
            hash += mix(word + key_of_place(at));
        }
        part->row_hashes[0] = hash + mix(begin);
        return;
    }
    clear(part);
    part->zeros.n = n;
    const bool is_wide = whole->dtype == FANIN_F64, has_columns = whole->column_hashes != NULL;
    part->floats = as_floats(part, whole, bytes, n);
    const uint64_t length = n < whole->ncols ? n : whole->ncols;
    const uint64_t nrows = n / length; /* NOLINT(*DivideZero): a part has elements */
    const struct matrix matrix = {.values = is_wide ? bytes : (const uint8_t *)part->floats,
                                  .width = is_wide ? 8 : 4,
                                  .is_wide = is_wide,
                                  .n = n,
                                  .nrows = nrows,
                                  .length = length};
    clear_sums(part, matrix.nrows, has_columns ? length : 0);
    memset(part->row_hashes, 0, matrix.nrows * sizeof *part->row_hashes);
    if (has_columns) {
        memset(part->column_hashes, 0, length * sizeof *part->column_hashes);
        for (uint64_t r = 0; r < matrix.nrows; r += is_wide ? 1 : 2)
            part->row_keys[is_wide ? r : r / 2] = key_of_place(row + r);
    }
    take_strips(part, whole, &matrix, bytes, column);
    bool is_finite = isfinite(sum_of(part->row_squares, matrix.nrows));
    if (!is_finite) {
        take_odd(part, &matrix);
        is_finite = part->nnan + part->ninf == 0; /* squares of f64 may be too large */
        if (!is_finite)
            sum_finite(part, whole, &matrix);
    }
    take_moments(part, whole, &matrix);
    if (is_wide)
        for (uint64_t i = 0; i < n; i++) {
            const double magnitude = fabs(value_at(&matrix, i));
            part->bins[fanin_f32_bits(part->floats[i]) >> 16]++;
            part->nsubnormal += magnitude != 0 && magnitude < DBL_MIN;
        }
    const double greatest[2] = {part->max > 0 ? part->max : 0, part->min < 0 ? -part->min : 0};
    find_used_bins(part, greatest, is_finite);
    if (part->bins[0] + part->bins[FANIN_SCAN_SIGN] > 0)
        take_zero_runs(part, &matrix);
    for (uint64_t r = 0; r < matrix.nrows && is_wide; r++)
        if (part->row_squares[r] == 0 && has_value((const double *)(const void *)bytes + r * length, length))
            part->row_squares[r] = DBL_TRUE_MIN; /* below 2^-537 squares vanish, but no row of zeros is that */
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
    whole->hash += mix(hash + key_of_place(row));
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

static unsigned bits_for(size_t n)
{
    unsigned nbits = 7;
    while (((size_t)1 << nbits) < 2 * n)
        nbits++;
    return nbits;
}

/* By a table of keys that have been seen; slots are 0 but for those. */
static size_t count_keys(const uint32_t *keys, size_t n, uint32_t *slots)
{
    const unsigned nbits = bits_for(n);
    size_t count = 0;
    memset(slots, 0, sizeof *slots << nbits);
    for (size_t i = 0; i < n; i++) {
        size_t at = keys[i] * UINT32_C(0x9e3779b1) >> (32 - nbits);
        while (slots[at] != 0 && slots[at] != keys[i] + 1)
            at = (at + 1) & (((size_t)1 << nbits) - 1);
        count += slots[at] == 0;
        slots[at] = keys[i] + 1; /* no key is all ones */
    }
    return count;
}

/*
 * Distinct values. Of 16 n places and more, a bit each, most values have one to themselves; those that have not, equal
 * or not, are told apart in a table. Values of 16 bits have exact places.
 */
static fanin_status count_distinct(const float *values, size_t n, bool is_narrow, size_t *count, fanin_error *error)
{
    enum { NARROW_BITS = 19 }; /* f16 and bf16 leave the lower 13 of 32 empty */
    const unsigned nbits = is_narrow ? (unsigned)NARROW_BITS : bits_for(n) + 3, shift = 32 - nbits;
    const uint32_t factor = is_narrow ? 1 : UINT32_C(0x85ebca6b);
    const size_t nwords = (size_t)1 << (nbits - 6), nslots = (size_t)1 << bits_for(n);
    uint64_t *seen = fanin_allocate_zeroed(2 * nwords, sizeof *seen), *shared = seen + nwords;
    uint32_t *keys = fanin_allocate(n + nslots, sizeof *keys);
    size_t nshared = 0, nkeys = 0;
    if (seen == NULL || keys == NULL) {
        fanin_free(keys);
        fanin_free(seen);
        return fanin_fail_memory(error, 16 * nwords + 4 * (n + nslots));
    }
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t place = key_of(values[i]) * factor >> shift;
        const uint64_t bit = (uint64_t)1 << place % 64, before = seen[place / 64] & bit;
        nshared += (before & ~shared[place / 64]) != 0;
        *count += before == 0;
        seen[place / 64] |= bit;
        shared[place / 64] |= before;
    }
    if (!is_narrow && nshared > 0) {
        for (size_t i = 0; i < n; i++) {
            const uint32_t key = key_of(values[i]), place = key * factor >> shift;
            keys[nkeys] = key;
            nkeys += shared[place / 64] >> place % 64 & 1;
        }
        *count += count_keys(keys, nkeys, keys + n) - nshared;
    }
    fanin_free(keys);
    fanin_free(seen);
    return FANIN_OK;
}

/* What the value is from `from`; of NaN and infinity nothing. */
static double difference(float value, double from)
{
    return fabsf(value) <= FLT_MAX ? (double)value - from : 0;
}

/* Sums in four lanes, which do not wait for each other. */
enum { NLANES = 4 };

static double sum_lanes(const double lanes[NLANES])
{
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

static fanin_status look_at_first(const struct fanin_whole *whole, fanin_statistics *statistics, fanin_error *error)
{
    const size_t n = whole->nfirst, nsteps = (n - 1) / NLANES;
    const float *first = whole->first, *next = first + 1;
    const bool is_narrow = whole->dtype != FANIN_F32 && whole->dtype != FANIN_F64;
    size_t ndistinct = 0, nfinite = 0;
    double lanes[NLANES] = {0}, squares[NLANES] = {0}, products[NLANES] = {0};
    FANIN_TRY(count_distinct(first, n, is_narrow, &ndistinct, error));
    statistics->distinct = (double)ndistinct / (double)n;
    for (size_t i = 0; i < n; i++)
        nfinite += fabsf(first[i]) <= FLT_MAX;
    for (size_t i = 0; i < nsteps * NLANES; i += NLANES)
        for (size_t k = 0; k < NLANES; k++)
            lanes[k] += difference(first[i + k], 0);
    for (size_t i = nsteps * NLANES; i < n; i++)
        lanes[0] += difference(first[i], 0);
    const double mean = nfinite > 0 ? sum_lanes(lanes) / (double)nfinite : 0;
    for (size_t i = 0; i < nsteps * NLANES; i += NLANES)
        for (size_t k = 0; k < NLANES; k++) {
            const double d = difference(first[i + k], mean);
            squares[k] += d * d;
            products[k] += d * difference(next[i + k], mean);
        }
    for (size_t i = nsteps * NLANES; i < n; i++) {
        const double d = difference(first[i], mean);
        squares[0] += d * d;
        products[0] += i + 1 < n ? d * difference(first[i + 1], mean) : 0;
    }
    const double square = sum_lanes(squares);
    statistics->lag1 = square > 0 ? sum_lanes(products) / square : (double)NAN;
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
