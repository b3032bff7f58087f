/* SPDX-License-Identifier: MIT */
/*
 * Statistics of tensors: against NumPy and SciPy (tests/golden/statistics.txt), against plain formulas on every dtype,
 * and the same bits on every variant and count of threads. Hashes, limits of memory, and reads that fail.
 */
#include "test.h"

#include <float.h>
#include <math.h>
#include <pthread.h>

#include "base/error.h"
#include "base/sha256.h"
#include "counting_allocator.h"
#include "diagnose/scan.h"
#include "fanin/fanin.h"
#include "kernel/convert.h"
#include "long_double.h"

static const fanin_dtype float_dtypes[] = {FANIN_F64, FANIN_F32, FANIN_F16, FANIN_BF16, FANIN_F8_E4M3, FANIN_F8_E5M2};
enum { NFLOATS = sizeof float_dtypes / sizeof *float_dtypes, PART = 1 << 18 };

/* -- Values ---------------------------------------------------------------------------------------------------------*/

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t integer_at(uint64_t seed, uint64_t i)
{
    return mix((seed << 32 | i) * 0x9e3779b97f4a7c15 + 1);
}

/* As generate_statistics.py; every step rounds as there. */
static double value_at(const char *law, uint64_t seed, uint64_t i, uint64_t n)
{
    uint64_t h = integer_at(seed, i);
    double u0 = (double)(h & 0xffff), u1 = (double)(h >> 16 & 0xffff), u2 = (double)(h >> 32 & 0xffff),
           u3 = (double)(h >> 48);
    double bell = (u0 + u1 + u2 + u3 - 131070.0) / 65536.0;
    if (strcmp(law, "uniform") == 0)
        return (u0 + 0.5) / 65536.0 - 0.5;
    if (strcmp(law, "bell") == 0)
        return bell * 0.03125;
    if (strcmp(law, "far") == 0)
        return 1.0 + bell * 0.0078125;
    if (strcmp(law, "skewed") == 0) {
        double x = (u0 + 1.0) / 65536.0;
        return x * x * x;
    }
    if (strcmp(law, "heavy") == 0)
        return bell * ldexp(1, (int)((h >> 48) % 13) - 6);
    if (i == n - 1)
        return -INFINITY;
    if (i == 7 % n)
        return INFINITY;
    if (i == 5 % n || i == n / 2 + 1)
        return NAN;
    if (i == n / 2)
        return -0.0;
    return i >= n / 3 && i < n / 3 + 40 ? 0.0 : bell;
}

static void store(fanin_dtype dtype, void *data, uint64_t i, double value)
{
    switch (dtype) {
    case FANIN_F64:
        ((double *)data)[i] = value;
        break;
    case FANIN_F32:
        ((float *)data)[i] = (float)value;
        break;
    case FANIN_F16:
        ((uint16_t *)data)[i] = isnan(value) ? 0x7e00 : fanin_f16_from_f32((float)value);
        break;
    default:
        ((uint16_t *)data)[i] = fanin_bf16_from_f32((float)value);
    }
}

static void *tensor_data(fanin_dtype dtype, const char *law, uint64_t seed, uint64_t n)
{
    void *data = malloc(n * 8 + 8);
    assert_non_null(data);
    if (fanin_dtype_nbits(dtype) == 8)
        for (uint64_t i = 0; i < n; i++)
            ((uint8_t *)data)[i] = (uint8_t)(integer_at(seed, i) >> 56);
    else
        for (uint64_t i = 0; i < n; i++)
            store(dtype, data, i, value_at(law, seed, i, n));
    return data;
}

/* -- Weights in memory, and what a visit keeps ----------------------------------------------------------------------*/

enum { MAX_WEIGHTS = 256 };

struct kept {
    struct fanin_scan scan; /* with arrays of its own */
    int nvisits;
};

struct set {
    fanin_weight weights[MAX_WEIGHTS];
    int64_t shapes[MAX_WEIGHTS][4];
    const void *data[MAX_WEIGHTS];
    struct kept kept[MAX_WEIGHTS];
    fanin_weights all;
    pthread_mutex_t lock;
    uint64_t nreads, fail_read; /* the read that fails, from 1; 0: none */
    size_t fail_visit;          /* the tensor whose visit fails; SIZE_MAX: none */
};

static fanin_status read_set(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    struct set *set = user;
    pthread_mutex_lock(&set->lock);
    bool fails = ++set->nreads == set->fail_read;
    pthread_mutex_unlock(&set->lock);
    if (fails)
        return fanin_fail(error, FANIN_ERROR_IO, "the disk is gone");
    if (nbytes > 0)
        memcpy(data, (const char *)set->data[i] + offset, nbytes);
    return FANIN_OK;
}

static struct set *set_begin(void)
{
    struct set *set = calloc(1, sizeof *set);
    assert_non_null(set);
    set->all = (fanin_weights){.weights = set->weights, .read = read_set, .user = set, .name = "set"};
    set->fail_visit = SIZE_MAX;
    pthread_mutex_init(&set->lock, NULL);
    return set;
}

static void set_add(struct set *set, fanin_dtype dtype, int32_t ndim, const int64_t *shape, const void *data)
{
    size_t i = set->all.nweights++;
    assert_true(i < MAX_WEIGHTS);
    for (int32_t d = 0; d < ndim; d++)
        set->shapes[i][d] = shape[d];
    set->weights[i] = (fanin_weight){.name = "tensor", .dtype = dtype, .ndim = ndim, .shape = set->shapes[i]};
    set->data[i] = data;
}

static const void *copy_of(const void *data, size_t nbytes)
{
    if (data == NULL)
        return NULL;
    void *copy = malloc(nbytes + 1);
    assert_non_null(copy);
    memcpy(copy, data, nbytes);
    return copy;
}

static fanin_status keep(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error)
{
    struct set *set = context;
    struct kept *kept = &set->kept[i];
    const uint64_t nrows = scan->statistics.nrows, ncols = scan->statistics.ncols;
    if (i == set->fail_visit)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "the visit is over");
    kept->nvisits++;
    kept->scan = *scan;
    kept->scan.bins = copy_of(scan->bins, FANIN_SCAN_NBINS * sizeof(uint64_t));
    kept->scan.row_hashes = copy_of(scan->row_hashes, nrows * sizeof(uint64_t));
    kept->scan.row_means = copy_of(scan->row_means, nrows * sizeof(double));
    kept->scan.row_variances = copy_of(scan->row_variances, nrows * sizeof(double));
    kept->scan.column_hashes = copy_of(scan->column_hashes, ncols * sizeof(uint64_t));
    kept->scan.column_means = copy_of(scan->column_means, ncols * sizeof(double));
    kept->scan.column_variances = copy_of(scan->column_variances, ncols * sizeof(double));
    kept->scan.first = copy_of(scan->first, scan->nfirst * sizeof(float));
    return FANIN_OK;
}

static void set_forget(struct set *set)
{
    for (size_t i = 0; i < set->all.nweights; i++) {
        struct fanin_scan *scan = &set->kept[i].scan;
        const void *arrays[] = {scan->bins,          scan->row_hashes,   scan->row_means,        scan->row_variances,
                                scan->column_hashes, scan->column_means, scan->column_variances, scan->first};
        for (size_t a = 0; a < sizeof arrays / sizeof *arrays; a++)
            free((void *)(uintptr_t)arrays[a]);
        set->kept[i] = (struct kept){0};
    }
    set->nreads = 0;
}

static void set_end(struct set *set)
{
    set_forget(set);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static void set_scan(struct set *set, const fanin_parallel *parallel)
{
    fanin_error error;
    assert_ok(fanin_scan_weights(&set->all, parallel, NULL, NULL, keep, set, &error), error);
    for (size_t i = 0; i < set->all.nweights; i++)
        assert_int_equal(set->kept[i].nvisits, 1);
}

/* One tensor; the scan belongs to the set. */
static const struct fanin_scan *scan_one(struct set *set, fanin_dtype dtype, int32_t ndim, const int64_t *shape,
                                         const void *data)
{
    set_forget(set);
    set->all.nweights = 0;
    set_add(set, dtype, ndim, shape, data);
    set_scan(set, NULL);
    return &set->kept[0].scan;
}

/* -- Against NumPy and SciPy ----------------------------------------------------------------------------------------*/

static double golden(const char *line, const char *name)
{
    char key[80];
    snprintf(key, sizeof key, " %s=", name);
    const char *at = strstr(line, key);
    if (at == NULL)
        fail_msg("no %s in %s", name, line);
    return strtod(at + strlen(key), NULL);
}

static void expect_near(const char *line, const char *name, double found, double tolerance)
{
    double expected = golden(line, name);
    if (isnan(expected) ? !isnan(found) : !(fabs(found - expected) <= tolerance))
        fail_msg("%s is %.17g, expected %.17g within %g: %.60s", name, found, expected, tolerance, line);
}

/* Between low and high, but for the width of a bin. */
static void expect_between(const char *line, const char *name, double found)
{
    char key[64];
    snprintf(key, sizeof key, "%s_low", name);
    double low = golden(line, key);
    snprintf(key, sizeof key, "%s_high", name);
    double high = golden(line, key);
    if (!(found >= low - fabs(low) / 128 && found <= high + fabs(high) / 128))
        fail_msg("%s is %.17g, expected within [%.17g, %.17g]: %.60s", name, found, low, high, line);
}

static void compare_with_golden(const char *line)
{
    char dtype_name[16], law[16], sha256[65], found[65];
    unsigned long long seed, nrows, ncols;
    assert_int_equal(sscanf(line, "%15s %15s %llu %llu %llu %64s", dtype_name, law, &seed, &nrows, &ncols, sha256), 6);
    fanin_dtype dtype = fanin_dtype_from_name(dtype_name);
    const uint64_t n = nrows * ncols;
    void *data = tensor_data(dtype, law, seed, n);
    uint8_t digest[32];
    fanin_sha256 state;
    fanin_sha256_begin(&state);
    fanin_sha256_update(&state, data, n * fanin_dtype_nbits(dtype) / 8);
    fanin_sha256_end(&state, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(found + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(found, sha256) != 0)
        fail_msg("other values than NumPy's: %.60s", line);
    fanin_tensor tensor = nrows > 1 ? fanin_tensor_2d(data, dtype, (int64_t)nrows, (int64_t)ncols)
                                    : fanin_tensor_1d(data, dtype, (int64_t)n);
    fanin_statistics s;
    fanin_error error;
    assert_ok(fanin_statistics_of(&tensor, NULL, &s, &error), error);
    assert_true(s.is_float);
    assert_int_equal(s.nelem, n);
    const struct {
        const char *name;
        double found;
    } counts[] = {{"nnan", (double)s.nnan},
                  {"ninf", (double)s.ninf},
                  {"nzero", (double)s.nzero},
                  {"nmin", (double)s.nmin},
                  {"nmax", (double)s.nmax},
                  {"nzero_rows", (double)s.nzero_rows},
                  {"min", s.min},
                  {"max", s.max}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        expect_near(line, counts[i].name, counts[i].found, 0);
    const double variance = golden(line, "variance"), mean = golden(line, "mean"), std = sqrt(variance),
                 extent = golden(line, "max") - golden(line, "min");
    /* A relative error of 2^-53 in each term, times what many terms may add up to. */
    expect_near(line, "mean", s.mean, 1e-14 * (fabs(mean) + std));
    expect_near(line, "variance", s.variance, 1e-13 * variance);
    expect_near(line, "skewness", s.skewness, 1e-12 * (1 + extent / std));
    expect_near(line, "kurtosis", s.kurtosis, 1e-12 * golden(line, "kurtosis"));
    expect_near(line, "lag1", s.lag1, 1e-9);
    expect_near(line, "ndistinct", s.distinct * (double)(n < 65536 ? n : 65536), 1e-6);
    /* Of rows and columns in one pass, so that a mean that is large beside the spread costs digits. */
    const double squares = variance + mean * mean;
    expect_near(line, "row_variance_min", s.row_variance_min, 1e-12 * squares);
    expect_near(line, "row_variance_max", s.row_variance_max, 1e-12 * squares * extent / std);
    if (nrows > 1 && ncols <= FANIN_SCAN_MAX_COLUMNS) {
        expect_near(line, "column_variance_min", s.column_variance_min, 1e-12 * squares);
        expect_near(line, "column_variance_max", s.column_variance_max, 1e-12 * squares * extent / std);
    } else {
        assert_true(isnan(s.column_variance_min) && isnan(s.column_variance_max));
    }
    expect_between(line, "median_abs", s.median_abs);
    for (size_t i = 0; i < FANIN_QUANTILE_COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "q%zu", i);
        expect_between(line, name, s.quantiles[i]);
    }
    free(data);
}

static void test_golden(void **state)
{
    char path[4096], line[4096];
    (void)state;
    FILE *file = fopen(test_source_path(path, sizeof path, "tests/golden/statistics.txt"), "r");
    assert_non_null(file);
    size_t n = 0;
    for (; fgets(line, sizeof line, file) != NULL; n++)
        compare_with_golden(line);
    fclose(file);
    assert_true(n >= 80);
}

/* -- Against plain formulas -----------------------------------------------------------------------------------------*/

/* What is fit to break: every pattern of bits, long runs of zeros, values on both sides of each limit. */
static void *random_bits(fanin_dtype dtype, uint64_t seed, uint64_t n)
{
    const unsigned nbytes = fanin_dtype_nbits(dtype) / 8;
    uint8_t *data = malloc(n * nbytes + 8);
    assert_non_null(data);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bits = integer_at(seed, i);
        memcpy(data + i * nbytes, &bits, nbytes);
    }
    for (uint64_t at = integer_at(seed, n) % 1000, k = 0; at < n; k++) {
        uint64_t length = integer_at(seed, n + 1 + k) % (k % 3 == 0 ? 5000 : 20);
        length = length < n - at ? length : n - at;
        memset(data + at * nbytes, 0, length * nbytes);
        at += length + integer_at(seed, 2 * n + k) % (k % 2 == 0 ? 40000 : 300);
    }
    return data;
}

static double least_normal(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_F64:
        return DBL_MIN;
    case FANIN_F16:
    case FANIN_F8_E5M2:
        return ldexp(1, -14);
    case FANIN_F8_E4M3:
        return ldexp(1, -6);
    default:
        return (double)FLT_MIN;
    }
}

static void compare_counts(const fanin_statistics *s, fanin_dtype dtype, const void *data, uint64_t n)
{
    fanin_statistics e = {.first_nan = FANIN_NO_INDEX,
                          .first_inf = FANIN_NO_INDEX,
                          .zero_run_at = FANIN_NO_INDEX,
                          .min = INFINITY,
                          .max = -INFINITY};
    uint64_t run = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = fanin_dtype_value(dtype, data, i);
        run = x == 0 ? run + 1 : 0;
        if (run > e.zero_run) {
            e.zero_run = run;
            e.zero_run_at = i + 1 - run;
        }
        e.nzero += x == 0;
        if (isnan(x) && e.nnan++ == 0)
            e.first_nan = i;
        if (isinf(x) && e.ninf++ == 0)
            e.first_inf = i;
        if (!isfinite(x))
            continue;
        e.nsubnormal += x != 0 && fabs(x) < least_normal(dtype);
        e.min = fmin(e.min, x);
        e.max = fmax(e.max, x);
    }
    for (uint64_t i = 0; i < n; i++) {
        double x = fanin_dtype_value(dtype, data, i);
        e.nmin += x == e.min;
        e.nmax += x == e.max;
    }
    assert_int_equal(s->nnan, e.nnan);
    assert_int_equal(s->ninf, e.ninf);
    assert_int_equal(s->nzero, e.nzero);
    assert_int_equal(s->nsubnormal, e.nsubnormal);
    assert_int_equal(s->first_nan, e.first_nan);
    assert_int_equal(s->first_inf, e.first_inf);
    assert_int_equal(s->zero_run, e.zero_run);
    assert_int_equal(s->zero_run_at, e.zero_run_at);
    if (s->nnan + s->ninf == n)
        return;
    assert_true(s->min == e.min && s->max == e.max);
    assert_int_equal(s->nmin, e.nmin);
    assert_int_equal(s->nmax, e.nmax);
}

static uint32_t bin_of(double x)
{
    float f = (float)x;
    if (isfinite(x) && fabs((double)f) > fabs(x))
        f = nextafterf(f, 0);
    return fanin_f32_bits(f) >> 16;
}

static void compare_bins(const struct fanin_scan *scan, fanin_dtype dtype, const void *data, uint64_t n)
{
    static uint64_t bins[FANIN_SCAN_NBINS];
    uint64_t nnan = 0, nfinite = 0;
    memset(bins, 0, sizeof bins);
    for (uint64_t i = 0; i < n; i++) {
        double x = fanin_dtype_value(dtype, data, i);
        nfinite += isfinite(x);
        if (!isnan(x))
            bins[bin_of(x)]++;
    }
    for (uint32_t bin = 0; bin < FANIN_SCAN_NBINS; bin++)
        if ((bin & 0x7fff) >= 0x7f80)
            nnan += scan->bins[bin]; /* which NaN it is does not matter, and some lie beside infinity */
        else
            assert_int_equal(scan->bins[bin], bins[bin]);
    assert_int_equal(nnan, scan->statistics.nnan + scan->statistics.ninf);
    uint64_t total = 0;
    for (size_t k = 0; k < FANIN_HISTOGRAM_NBINS; k++)
        total += scan->statistics.histogram[k];
    assert_int_equal(total, nfinite);
}

/* Counts below each edge of the histogram lie between those a bin's width below and above it. */
static void compare_histogram(const fanin_statistics *s, fanin_dtype dtype, const void *data, uint64_t n)
{
    uint64_t found = 0;
    for (size_t k = 1; k < FANIN_HISTOGRAM_NBINS; k++) {
        double edge = s->min + (s->max - s->min) * (double)k / FANIN_HISTOGRAM_NBINS, slack = fabs(edge) / 64;
        uint64_t low = 0, high = 0;
        for (uint64_t i = 0; i < n; i++) {
            double x = fanin_dtype_value(dtype, data, i);
            low += isfinite(x) && x < edge - slack;
            high += isfinite(x) && x <= edge + slack;
        }
        found += s->histogram[k - 1];
        if (found + 1 < low || found > high + 1)
            fail_msg("%llu values below edge %zu, expected %llu to %llu", (unsigned long long)found, k,
                     (unsigned long long)low, (unsigned long long)high);
    }
}

/* Mean and variance of values that lie `step` apart; what is not finite counts as 0. */
static void compare_vector(const char *what, uint64_t at, double mean, double variance, fanin_dtype dtype,
                           const void *data, uint64_t begin, uint64_t step, uint64_t n)
{
    long double sum = 0, squares = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = fanin_dtype_value(dtype, data, begin + i * step);
        sum += isfinite(x) ? x : 0;
    }
    long double expected = sum / (long double)n, scale = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = fanin_dtype_value(dtype, data, begin + i * step);
        long double value = isfinite(x) ? x : 0;
        squares += (value - expected) * (value - expected);
        scale += value * value;
    }
    squares /= (long double)n;
    scale /= (long double)n;
    const long double rounding = ldexpl(64 + (long double)n / 8, -53); /* of as many additions */
    if (fabsl((long double)mean - expected) > rounding * sqrtl(scale) ||
        fabsl((long double)variance - squares) > rounding * scale)
        fail_msg("%s %llu: %.17g, %.17g instead of %.17Lg, %.17Lg", what, (unsigned long long)at, mean, variance,
                 expected, squares);
}

static void compare_matrix(const struct fanin_scan *scan, fanin_dtype dtype, const void *data)
{
    const uint64_t nrows = scan->statistics.nrows, ncols = scan->statistics.ncols;
    if (!long_double_is_longer())
        return;
    for (uint64_t r = 0; r < nrows; r += 1 + nrows / 50)
        compare_vector("row", r, scan->row_means[r], scan->row_variances[r], dtype, data, r * ncols, 1, ncols);
    if (scan->column_means != NULL)
        for (uint64_t c = 0; c < ncols; c += 1 + ncols / 50)
            compare_vector("column", c, scan->column_means[c], scan->column_variances[c], dtype, data, c, ncols, nrows);
}

static const struct {
    int32_t ndim;
    int64_t shape[4];
} shapes[] = {{0, {0}},
              {1, {1}},
              {1, {0}},
              {2, {0, 7}},
              {2, {7, 0}},
              {1, {15}},
              {1, {4097}},
              {2, {1, 33}},
              {2, {33, 1}},
              {4, {5, 3, 7, 11}},
              {2, {100, 1000}},
              {1, {PART - 1}},
              {1, {PART}},
              {1, {PART + 1}},
              {2, {1, 2 * PART + 77}},
              {2, {PART + 300, 1}},
              {2, {3, PART + 1}},
              {2, {700, 777}},
              {3, {40000, 3, 5}},
              {2, {60, 1500}},
              {3, {20, 100, 50}}};
enum { NSHAPES = sizeof shapes / sizeof *shapes };

static uint64_t nelem_of(int32_t ndim, const int64_t *shape)
{
    uint64_t n = 1;
    for (int32_t i = 0; i < ndim; i++)
        n *= (uint64_t)shape[i];
    return n;
}

static void test_plain(void **state)
{
    struct set *set = set_begin();
    (void)state;
    for (size_t d = 0; d < NFLOATS; d++)
        for (size_t k = 0; k < NSHAPES; k++) {
            const fanin_dtype dtype = float_dtypes[d];
            const uint64_t n = nelem_of(shapes[k].ndim, shapes[k].shape);
            void *data = random_bits(dtype, d * NSHAPES + k, n);
            const struct fanin_scan *scan = scan_one(set, dtype, shapes[k].ndim, shapes[k].shape, data);
            assert_true(scan->statistics.is_float);
            assert_int_equal(scan->statistics.nelem, n);
            if (n > 0) {
                compare_counts(&scan->statistics, dtype, data, n);
                compare_bins(scan, dtype, data, n);
                for (size_t i = 0; i < scan->nfirst; i++) {
                    double x = fanin_dtype_value(dtype, data, i);
                    assert_true(isnan(x) ? isnan(scan->first[i]) : fanin_f32_bits(scan->first[i]) >> 16 == bin_of(x));
                }
            } else {
                assert_true(isnan(scan->statistics.mean) && isnan(scan->statistics.min));
            }
            free(data);
            /* Sums of all patterns of bits are infinite, of these not. */
            if (n == 0)
                continue;
            data = tensor_data(dtype, "spoiled", k + 1, n);
            scan = scan_one(set, dtype, shapes[k].ndim, shapes[k].shape, data);
            compare_counts(&scan->statistics, dtype, data, n);
            compare_matrix(scan, dtype, data);
            if (n > 100 && n < 10000)
                compare_histogram(&scan->statistics, dtype, data, n);
            free(data);
        }
    set_end(set);
}

/* Zeros across the borders of parts and blocks, and a tensor of nothing else. */
static void test_zero_runs(void **state)
{
    static const uint64_t runs[][2] = {
        {0, 3 * PART + 5}, {0, PART},       {PART - 1, 2}, {PART - 5, PART + 10},    {PART, PART},
        {4095, 2},         {PART + 7, 900}, {3 * PART, 5}, {PART - 3, 2 * PART + 8}, {2 * PART - 1, 1}};
    const int64_t n = 3 * PART + 5;
    struct set *set = set_begin();
    uint16_t *data = malloc((size_t)n * 2);
    assert_non_null(data);
    (void)state;
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        for (int64_t i = 0; i < n; i++)
            data[i] = 0x3f80;
        memset(data + runs[r][0], 0, runs[r][1] * 2);
        data[runs[r][0]] = 0x8000; /* -0 */
        const struct fanin_scan *scan = scan_one(set, FANIN_BF16, 1, &n, data);
        assert_int_equal(scan->statistics.zero_run, runs[r][1]);
        assert_int_equal(scan->statistics.zero_run_at, runs[r][0]);
        assert_int_equal(scan->statistics.nzero, runs[r][1]);
        assert_true(scan->statistics.nzero_rows == (runs[r][1] == (uint64_t)n));
    }
    free(data);
    set_end(set);
}

/* What has no spread has none to the last bit, and no value that is there is called zero. */
static void test_constant(void **state)
{
    static const double values[] = {0.02, -1, 1e-30, 3e8, 0.1};
    const int64_t shape[] = {300, 1001}, n = shape[0] * shape[1];
    struct set *set = set_begin();
    void *data = malloc((size_t)n * 8);
    assert_non_null(data);
    (void)state;
    for (size_t d = 0; d < 4; d++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            for (int64_t i = 0; i < n; i++)
                store(float_dtypes[d], data, (uint64_t)i, values[v]);
            double value = fanin_dtype_value(float_dtypes[d], data, 0);
            if (value == 0 || isinf(value))
                continue;
            const struct fanin_scan *scan = scan_one(set, float_dtypes[d], 2, shape, data);
            const fanin_statistics *s = &scan->statistics;
            assert_same_double(s->min, value);
            assert_same_double(s->max, value);
            assert_int_equal(s->nmin, n);
            assert_int_equal(s->nmax, n);
            assert_int_equal(s->histogram[0], n);
            assert_int_equal(s->nzero_rows, 0);
            assert_true(fabs(s->mean - value) <= 1e-13 * fabs(value));
            assert_true(sqrt(s->variance) <= 1e-13 * fabs(value));
            assert_true(s->row_variance_max <= 1e-13 * value * value);
            assert_true(s->column_variance_max <= 1e-13 * value * value);
            assert_true(fabs(s->median_abs - fabs(value)) <= fabs(value) / 128);
        }
    free(data);
    set_end(set);
}

/* -- The same bits --------------------------------------------------------------------------------------------------*/

static void expect_same(const struct fanin_scan *a, const struct fanin_scan *b, const char *how, size_t i)
{
    const fanin_statistics *s = &a->statistics, *t = &b->statistics;
    const uint64_t nrows = s->nrows, ncols = s->ncols;
    bool is_same = s->is_float == t->is_float;
    /* All that follows the flag is 64 bits wide. */
    is_same = is_same && memcmp(&s->nelem, &t->nelem, sizeof *s - offsetof(fanin_statistics, nelem)) == 0;
    const struct {
        const void *a, *b;
        uint64_t nbytes;
    } arrays[] = {
        {a->bins, b->bins, FANIN_SCAN_NBINS * 8},
        {a->row_hashes, b->row_hashes, nrows * 8},
        {a->row_means, b->row_means, nrows * 8},
        {a->row_variances, b->row_variances, nrows * 8},
        {a->column_hashes, b->column_hashes, ncols * 8},
        {a->column_means, b->column_means, ncols * 8},
        {a->column_variances, b->column_variances, ncols * 8},
        {a->first, b->first, a->nfirst * 4},
    };
    is_same = is_same && a->nfirst == b->nfirst;
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays && is_same; k++)
        is_same = (arrays[k].a == NULL) == (arrays[k].b == NULL) &&
                  (arrays[k].a == NULL || memcmp(arrays[k].a, arrays[k].b, arrays[k].nbytes) == 0);
    if (!is_same)
        fail_msg("tensor %zu differs: %s", i, how);
}

static void compare_sets(const struct set *a, const struct set *b, const char *how)
{
    for (size_t i = 0; i < a->all.nweights; i++)
        expect_same(&a->kept[i].scan, &b->kept[i].scan, how, i);
}

static void test_same_bits(void **state)
{
    static const unsigned nthreads[] = {2, 3, 7, 64};
    struct set *sets[2] = {set_begin(), set_begin()};
    void *data[NFLOATS * NSHAPES];
    fanin_error error;
    size_t n = 0;
    (void)state;
    for (size_t d = 0; d < NFLOATS; d++)
        for (size_t k = 0; k < NSHAPES; k++, n++) {
            uint64_t nelem = nelem_of(shapes[k].ndim, shapes[k].shape);
            data[n] = (d + k) % 2 == 0 ? random_bits(float_dtypes[d], n, nelem)
                                       : tensor_data(float_dtypes[d], "heavy", n, nelem > 0 ? nelem : 1);
            for (int s = 0; s < 2; s++)
                set_add(sets[s], float_dtypes[d], shapes[k].ndim, shapes[k].shape, data[n]);
        }
    const char *best = fanin_isa_active();
    assert_ok(fanin_isa_force("scalar", &error), error);
    set_scan(sets[0], NULL);
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        if (!fanin_isa_is_supported(i))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(i), &error), error);
        set_forget(sets[1]);
        set_scan(sets[1], NULL);
        compare_sets(sets[0], sets[1], fanin_isa_name(i));
    }
    assert_ok(fanin_isa_force(best, &error), error);
    for (size_t t = 0; t < sizeof nthreads / sizeof *nthreads; t++) {
        fanin_pool *pool;
        char how[32];
        assert_ok(fanin_pool_create(nthreads[t], &pool, &error), error);
        const fanin_parallel parallel = fanin_pool_parallel(pool);
        snprintf(how, sizeof how, "%u threads", nthreads[t]);
        set_forget(sets[1]);
        set_scan(sets[1], &parallel);
        compare_sets(sets[0], sets[1], how);
        fanin_pool_free(pool);
    }
    for (size_t i = 0; i < n; i++)
        free(data[i]);
    set_end(sets[0]);
    set_end(sets[1]);
}

/* -- Hashes ---------------------------------------------------------------------------------------------------------*/

/* Equal rows and columns, however far apart and wherever parts end, have equal hashes, and others have not. */
static void test_row_hashes(void **state)
{
    static const int64_t matrices[][2] = {{5, 9}, {64, 64}, {4, PART + 100}, {900, 1030}, {3, 2 * PART}, {2000, 131}};
    struct set *set = set_begin();
    (void)state;
    for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++)
        for (size_t d = 0; d < NFLOATS; d++) {
            const unsigned nbytes = fanin_dtype_nbits(float_dtypes[d]) / 8;
            const uint64_t nrows = (uint64_t)matrices[m][0], ncols = (uint64_t)matrices[m][1], last = nrows - 1;
            uint8_t *data = random_bits(float_dtypes[d], m, nrows * ncols);
            for (uint64_t i = 0; i < nrows * ncols * nbytes; i++)
                data[i] = (uint8_t)integer_at(m, i); /* no runs of zeros: they would make rows equal */
            memcpy(data + last * ncols * nbytes, data, ncols * nbytes);
            memcpy(data + ncols * nbytes, data, ncols * nbytes);
            data[ncols * nbytes + (ncols / 2 + 1) * nbytes - 1] ^= 0x80; /* the sign alone */
            for (uint64_t r = 0; r < nrows; r++)
                memcpy(data + (r * ncols + ncols - 1) * nbytes, data + (r * ncols + 1) * nbytes, nbytes);
            const struct fanin_scan *scan = scan_one(set, float_dtypes[d], 2, matrices[m], data);
            assert_int_equal(scan->row_hashes[0], scan->row_hashes[last]);
            for (uint64_t r = 1; r < last; r++)
                for (uint64_t q = 0; q < r; q++)
                    assert_int_not_equal(scan->row_hashes[r], scan->row_hashes[q]);
            if (scan->column_hashes != NULL && nrows * nbytes >= 9) {
                assert_int_equal(scan->column_hashes[1], scan->column_hashes[ncols - 1]);
                for (uint64_t c = 1; c + 1 < ncols; c++)
                    assert_int_not_equal(scan->column_hashes[c], scan->column_hashes[c - 1]);
            }
            free(data);
        }
    set_end(set);
}

/* Ones and zeros, and signs alone: bits that differ in high places only. */
static void test_plain_rows(void **state)
{
    enum { N = 500 };
    static const int64_t shape[] = {N, N};
    struct set *set = set_begin();
    void *data = malloc(N * N * 8);
    assert_non_null(data);
    (void)state;
    for (size_t d = 0; d < 4; d++)
        for (int kind = 0; kind < 2; kind++) {
            for (uint64_t i = 0; i < N * N; i++) {
                uint64_t row = i / N, column = i % N;
                bool is_minus = integer_at(row / 2, column / 2) % 2;
                store(float_dtypes[d], data, i,
                      kind == 0            ? (double)(row == column)
                      : is_minus           ? (row + column) % 2 ? 1 : -1
                      : (row + column) % 2 ? -1
                                           : 1);
            }
            const struct fanin_scan *scan = scan_one(set, float_dtypes[d], 2, shape, data);
            for (size_t i = 1; i < N; i++)
                for (size_t k = 0; k < i; k++) {
                    assert_int_not_equal(scan->row_hashes[i], scan->row_hashes[k]);
                    assert_int_not_equal(scan->column_hashes[i], scan->column_hashes[k]);
                }
        }
    free(data);
    set_end(set);
}

static uint64_t hash_of(struct set *set, fanin_dtype dtype, const int64_t *shape, const void *data)
{
    return scan_one(set, dtype, 2, shape, data)->statistics.hash;
}

/* One bit anywhere, two values or two rows exchanged: another hash. For every dtype there is, at each border of parts.
 */
static void test_hash(void **state)
{
    static const int64_t matrices[][2] = {{8, 13}, {100000, 3}, {2, PART + 40}};
    struct set *set = set_begin();
    (void)state;
    for (int dtype = FANIN_DTYPE_NONE + 1; dtype < FANIN_DTYPE_COUNT; dtype++)
        for (size_t m = 0; m < sizeof matrices / sizeof *matrices; m++) {
            const int64_t *shape = matrices[m];
            const uint64_t nelem = (uint64_t)(shape[0] * shape[1]),
                           nbytes = nelem * fanin_dtype_nbits((fanin_dtype)dtype) / 8;
            uint8_t *data = malloc(nbytes + 8);
            assert_non_null(data);
            for (uint64_t i = 0; i < nbytes; i++)
                data[i] = (uint8_t)integer_at(m, i);
            uint64_t hash = hash_of(set, (fanin_dtype)dtype, shape, data);
            assert_int_equal(set->kept[0].scan.statistics.nelem, nelem);
            const uint64_t part = nelem > PART ? nbytes * (PART / (uint64_t)shape[1] * (uint64_t)shape[1]) / nelem : 0;
            for (uint64_t k = 0; k < 20; k++) {
                uint64_t at = k < 4            ? k
                              : k < 8          ? nbytes - 1 - (k - 4)
                              : k < 12 && part ? part - 2 + (k - 8)
                                               : integer_at(k, nbytes) % nbytes;
                data[at] ^= (uint8_t)(1 << k % 8);
                if (hash_of(set, (fanin_dtype)dtype, shape, data) == hash)
                    fail_msg("%s: bit %llu of byte %llu is not in the hash", fanin_dtype_name((fanin_dtype)dtype),
                             (unsigned long long)(k % 8), (unsigned long long)at);
                data[at] ^= (uint8_t)(1 << k % 8);
            }
            assert_int_equal(hash_of(set, (fanin_dtype)dtype, shape, data), hash);
            uint8_t byte = data[0];
            assert_int_not_equal(data[0], data[nbytes - 1]);
            data[0] = data[nbytes - 1];
            data[nbytes - 1] = byte;
            assert_int_not_equal(hash_of(set, (fanin_dtype)dtype, shape, data), hash);
            free(data);
        }
    uint32_t rows[8] = {1, 2, 3, 4, 5, 6, 7, 8}, other[8] = {5, 6, 7, 8, 1, 2, 3, 4};
    static const int64_t two[] = {2, 4};
    assert_int_not_equal(hash_of(set, FANIN_F32, two, rows), hash_of(set, FANIN_F32, two, other));
    assert_int_not_equal(hash_of(set, FANIN_I32, two, rows), hash_of(set, FANIN_I32, two, other));
    set_end(set);
}

/* -- Limits ---------------------------------------------------------------------------------------------------------*/

static fanin_status read_nothing(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    (void)user, (void)i, (void)offset, (void)error;
    memset(data, 0x3c, nbytes);
    return FANIN_OK;
}

static fanin_status look(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error)
{
    (void)i, (void)error;
    *(struct fanin_scan *)context = *scan;
    return FANIN_OK;
}

static void run_one_by_one(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    for (size_t i = 0; i < ntasks; i++)
        task(context, i);
}

/* At most 256 MiB and 16 MiB a thread, whatever the shape. */
static void test_memory(void **state)
{
    static const int64_t large[][2] = {{1, 9000000}, {FANIN_SCAN_MAX_ROWS + 3, 1}, {FANIN_SCAN_MAX_ROWS, 2},
                                       {9000000, 1}, {20, FANIN_SCAN_MAX_COLUMNS}, {20, FANIN_SCAN_MAX_COLUMNS + 1}};
    static const unsigned nthreads[] = {1, 2, 64};
    fanin_error error;
    (void)state;
    for (size_t t = 0; t < sizeof nthreads / sizeof *nthreads; t++)
        for (size_t k = 0; k < sizeof large / sizeof *large; k++) {
            const fanin_parallel parallel = {.run = run_one_by_one, .nthreads = nthreads[t]};
            const fanin_weight weight = {.name = "w", .dtype = FANIN_F8_E4M3, .ndim = 2, .shape = large[k]};
            const fanin_weights weights = {.nweights = 1, .weights = &weight, .read = read_nothing, .name = "large"};
            counting_allocator counter;
            struct fanin_scan scan;
            counting_begin(&counter);
            fanin_status status = fanin_scan_weights(&weights, &parallel, NULL, NULL, look, &scan, &error);
            counting_end();
            assert_ok(status, error);
            assert_int_equal(counter.nblocks, 0);
            if (counter.peak_nbytes > (UINT64_C(256) << 20) + ((uint64_t)nthreads[t] << 24))
                fail_msg("[%lld, %lld] takes %.1f MiB on %u threads", (long long)large[k][0], (long long)large[k][1],
                         (double)counter.peak_nbytes / (1 << 20), nthreads[t]);
            assert_int_equal(scan.statistics.nmin, scan.statistics.nelem);
            assert_true((scan.row_means != NULL) == (large[k][0] <= FANIN_SCAN_MAX_ROWS));
            assert_true((scan.column_means != NULL) == (large[k][1] <= FANIN_SCAN_MAX_COLUMNS));
        }
}

static void test_refusals(void **state)
{
    static const int64_t negative[] = {3, -1}, wrapping[] = {INT64_C(1) << 62, 4}, bits[] = {INT64_C(1) << 60, 2},
                         two[] = {2, 2};
    float data[4] = {0};
    fanin_error error;
    struct set *set = set_begin();
    fanin_statistics statistics;
    (void)state;
    const int64_t *const shapes_refused[] = {negative, wrapping, bits};
    for (size_t i = 0; i < 3; i++) {
        set->all.nweights = 0;
        set_add(set, FANIN_F32, 2, shapes_refused[i], data);
        assert_fails(fanin_scan_weights(&set->all, NULL, NULL, NULL, keep, set, &error), FANIN_ERROR_SHAPE, error,
                     "weight 0");
    }
    set->all.nweights = 0;
    set_add(set, FANIN_DTYPE_NONE, 2, two, data);
    assert_fails(fanin_scan_weights(&set->all, NULL, NULL, NULL, keep, set, &error), FANIN_ERROR_SHAPE, error, "dtype");
    set->all.nweights = 0;
    set_end(set);
    fanin_tensor tensor = fanin_tensor_2d(data, FANIN_F32, 2, 2);
    tensor = fanin_tensor_transpose(&tensor);
    assert_fails(fanin_statistics_of(&tensor, NULL, &statistics, &error), FANIN_ERROR_SHAPE, error, "contiguous");
}

/* -- What fails -----------------------------------------------------------------------------------------------------*/

static struct set *mixed_set(void *data)
{
    static const int64_t mixed[][2] = {{3, 5}, {2, 2 * PART + 5}, {40, 30}, {0, 3}, {PART, 2}, {7, 1}};
    struct set *set = set_begin();
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++)
        set_add(set, i == 2 ? FANIN_I16 : FANIN_BF16, 2, mixed[i], data);
    return set;
}

static void test_reads_that_fail(void **state)
{
    void *data = random_bits(FANIN_BF16, 1, 5 * PART);
    struct set *set = mixed_set(data);
    fanin_error error;
    (void)state;
    set_scan(set, NULL);
    const uint64_t nreads = set->nreads;
    for (unsigned nthreads = 1; nthreads <= 3; nthreads++) {
        fanin_pool *pool;
        assert_ok(fanin_pool_create(nthreads, &pool, &error), error);
        const fanin_parallel parallel = fanin_pool_parallel(pool);
        for (uint64_t k = 1; k <= nreads; k++) {
            set_forget(set);
            set->fail_read = k;
            assert_fails(fanin_scan_weights(&set->all, &parallel, NULL, NULL, keep, set, &error), FANIN_ERROR_IO, error,
                         "the disk is gone");
        }
        set->fail_read = 0;
        for (size_t i = 0; i < set->all.nweights; i++) {
            set_forget(set);
            set->fail_visit = i;
            assert_fails(fanin_scan_weights(&set->all, &parallel, NULL, NULL, keep, set, &error), FANIN_ERROR_ARGUMENT,
                         error, "the visit is over");
            assert_int_equal(set->kept[i].nvisits, 0);
        }
        set->fail_visit = SIZE_MAX;
        fanin_pool_free(pool);
    }
    set_end(set);
    free(data);
}

static void test_allocations_that_fail(void **state)
{
    void *data = random_bits(FANIN_BF16, 1, 5 * PART);
    struct set *set = mixed_set(data), *expected = mixed_set(data);
    counting_allocator counter;
    fanin_error error;
    (void)state;
    set_scan(expected, NULL);
    counting_begin(&counter);
    set_scan(set, NULL);
    const uint64_t ncalls = counter.ncalls;
    for (int on = 0; on < 2; on++)
        for (uint64_t k = 1; k <= ncalls; k++) {
            set_forget(set);
            counter = (counting_allocator){.fail_at = k, .fail_on = on};
            assert_fails(fanin_scan_weights(&set->all, NULL, NULL, NULL, keep, set, &error), FANIN_ERROR_MEMORY, error,
                         "memory");
            assert_int_equal(counter.nblocks, 0);
        }
    counting_end();
    set_forget(set);
    set_scan(set, NULL);
    compare_sets(expected, set, "after failures");
    set_end(set);
    set_end(expected);
    free(data);
}

struct watch {
    uint64_t done, total, stop_at;
    unsigned ncalls;
};

static bool watch_progress(void *user, uint64_t done, uint64_t total)
{
    struct watch *watch = user;
    assert_true(done >= watch->done && done <= total);
    watch->done = done;
    watch->total = total;
    return ++watch->ncalls != watch->stop_at;
}

static void test_progress(void **state)
{
    void *data = random_bits(FANIN_BF16, 1, 5 * PART);
    struct set *set = mixed_set(data);
    struct watch watch = {0};
    fanin_error error;
    (void)state;
    assert_ok(fanin_scan_weights(&set->all, NULL, watch_progress, &watch, keep, set, &error), error);
    assert_int_equal(watch.done, watch.total);
    assert_true(watch.ncalls > 5);
    for (unsigned k = 1, n = watch.ncalls; k < n; k++) {
        set_forget(set);
        watch = (struct watch){.stop_at = k};
        assert_fails(fanin_scan_weights(&set->all, NULL, watch_progress, &watch, keep, set, &error),
                     FANIN_ERROR_CANCELLED, error, "stopped");
        assert_int_equal(watch.ncalls, k);
    }
    set_end(set);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),          cmocka_unit_test(test_plain),
        cmocka_unit_test(test_zero_runs),       cmocka_unit_test(test_constant),
        cmocka_unit_test(test_same_bits),       cmocka_unit_test(test_row_hashes),
        cmocka_unit_test(test_plain_rows),      cmocka_unit_test(test_hash),
        cmocka_unit_test(test_memory),          cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_reads_that_fail), cmocka_unit_test(test_allocations_that_fail),
        cmocka_unit_test(test_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
