/* SPDX-License-Identifier: MIT */
/*
 * Distributions and their tests. Every test is made so that chance fails it at most once in 10^12 tensors: a tool that
 * cries on healthy models is not run twice.
 */
#include "diagnose/law.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "kernel/math64.inc.h"

static const double none = (double)NAN;

/* -- Distribution functions -----------------------------------------------------------------------------------------*/

static double normal_cdf(double z)
{
    return isinf(z) ? (z < 0 ? 0 : 1) : 0.5 * (1.0 + fanin_erf(z / 0x1.6a09e667f3bcdp+0));
}

double fanin_law_cdf(const fanin_law *law, double x)
{
    switch (law->kind) {
    case FANIN_LAW_CONSTANT:
        return x >= law->value ? 1 : 0;
    case FANIN_LAW_UNIFORM:
        if (!(law->high > law->low))
            return x >= law->low ? 1 : 0;
        return fmin(1, fmax(0, (x - law->low) / (law->high - law->low)));
    case FANIN_LAW_NORMAL:
        return law->std > 0 ? normal_cdf((x - law->mean) / law->std) : (x >= law->mean ? 1 : 0);
    case FANIN_LAW_TRUNC_NORMAL: {
        double low = normal_cdf((law->low - law->mean) / law->std),
               high = normal_cdf((law->high - law->mean) / law->std);
        if (x <= law->low)
            return 0;
        if (x >= law->high)
            return 1;
        return high > low ? fmin(1, fmax(0, (normal_cdf((x - law->mean) / law->std) - low) / (high - low))) : none;
    }
    default:
        return none;
    }
}

struct truncated {
    double mean, variance, kurtosis;
};

static double normal_density(double z)
{
    return isinf(z) ? 0 : 0x1.9884533d43651p-2 * fanin_exp(-0.5 * z * z); /* 1 / sqrt(2 pi) */
}

static struct truncated central(const fanin_law *law, double m1, double m2, double m3, double m4)
{
    double variance = m2 - m1 * m1, fourth = m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 * m1 * m1 * m1;
    return (struct truncated){law->mean + law->std * m1, law->std * law->std * variance,
                              variance > 0 ? fourth / (variance * variance) : none};
}

/* Bounds far out on one side leave nothing of the formulas below: Simpson's rule over 12 standard deviations. */
static struct truncated integrated_moments(const fanin_law *law, double a, double b)
{
    enum { NSTEPS = 512 };
    a = fmax(a, -12), b = fmin(b, 12);
    if (!(b > a))
        return (struct truncated){none, none, none};
    const double step = (b - a) / NSTEPS, nearest = a > 0 ? a : (b < 0 ? b : 0);
    double sums[5] = {0};
    for (int i = 0; i <= NSTEPS; i++) {
        double z = a + step * i, weight = i == 0 || i == NSTEPS ? 1 : (i % 2 == 1 ? 4 : 2);
        double power = weight * fanin_exp(-0.5 * (z * z - nearest * nearest)); /* the peak is 1: nothing underflows */
        for (int k = 0; k < 5; k++) {
            sums[k] += power;
            power *= z;
        }
    }
    return central(law, sums[1] / sums[0], sums[2] / sums[0], sums[3] / sums[0], sums[4] / sums[0]);
}

/* Moments of a normal within bounds: m(k) = (k - 1) m(k - 2) - (b^(k-1) f(b) - a^(k-1) f(a)) / (F(b) - F(a)). */
static struct truncated truncated_moments(const fanin_law *law)
{
    const double a = (law->low - law->mean) / law->std, b = (law->high - law->mean) / law->std;
    const double share = normal_cdf(b) - normal_cdf(a);
    if (!(share > 0.03))
        return integrated_moments(law, a, b);
    const double fa = normal_density(a) / share, fb = normal_density(b) / share;
    const double a1 = fa > 0 ? a : 0, b1 = fb > 0 ? b : 0; /* infinite bounds have no density */
    const double m1 = fa - fb, m2 = 1 - (b1 * fb - a1 * fa), m3 = 2 * m1 - (b1 * b1 * fb - a1 * a1 * fa);
    return central(law, m1, m2, m3, 3 * m2 - (b1 * b1 * b1 * fb - a1 * a1 * a1 * fa));
}

double fanin_law_mean(const fanin_law *law)
{
    switch (law->kind) {
    case FANIN_LAW_CONSTANT:
        return law->value;
    case FANIN_LAW_UNIFORM:
        return 0.5 * (law->low + law->high);
    case FANIN_LAW_NORMAL:
        return law->mean;
    case FANIN_LAW_TRUNC_NORMAL:
        return truncated_moments(law).mean;
    default:
        return none;
    }
}

double fanin_law_std(const fanin_law *law)
{
    switch (law->kind) {
    case FANIN_LAW_CONSTANT:
        return 0;
    case FANIN_LAW_UNIFORM:
        return (law->high - law->low) / 0x1.bb67ae8584caap+1; /* sqrt(12) */
    case FANIN_LAW_NORMAL:
        return law->std;
    case FANIN_LAW_TRUNC_NORMAL:
        return sqrt(truncated_moments(law).variance);
    default:
        return none;
    }
}

double fanin_law_kurtosis(const fanin_law *law)
{
    switch (law->kind) {
    case FANIN_LAW_UNIFORM:
        return 1.8;
    case FANIN_LAW_NORMAL:
        return 3;
    case FANIN_LAW_TRUNC_NORMAL:
        return truncated_moments(law).kurtosis;
    default:
        return none;
    }
}

fanin_law fanin_law_of_fill(const fanin_fill *fill)
{
    const double *value = fill->value;
    switch (fill->kind) {
    case FANIN_FILL_CONSTANT:
        return (fanin_law){.kind = FANIN_LAW_CONSTANT, .value = value[0]};
    case FANIN_FILL_UNIFORM:
        if (value[0] == value[1])
            return (fanin_law){.kind = FANIN_LAW_CONSTANT, .value = value[0]};
        return (fanin_law){.kind = FANIN_LAW_UNIFORM, .low = value[0], .high = value[1]};
    case FANIN_FILL_NORMAL:
        if (value[1] == 0)
            return (fanin_law){.kind = FANIN_LAW_CONSTANT, .value = value[0]};
        return (fanin_law){.kind = FANIN_LAW_NORMAL, .mean = value[0], .std = value[1]};
    case FANIN_FILL_TRUNC_NORMAL:
        return (fanin_law){
            .kind = FANIN_LAW_TRUNC_NORMAL, .mean = value[0], .std = value[1], .low = value[2], .high = value[3]};
    case FANIN_FILL_ORTHOGONAL:
        return (fanin_law){.kind = FANIN_LAW_ORTHOGONAL, .value = value[0]};
    case FANIN_FILL_NONE:
        return (fanin_law){.kind = FANIN_LAW_NONE};
    default:
        return (fanin_law){.kind = FANIN_LAW_OTHER};
    }
}

void fanin_law_write(const fanin_law *law, fanin_text *text)
{
    char a[FANIN_NUMBER_NBYTES], b[FANIN_NUMBER_NBYTES], c[FANIN_NUMBER_NBYTES], d[FANIN_NUMBER_NBYTES];
    if (law->kind == FANIN_LAW_CONSTANT && law->value == 0)
        fanin_text_add(text, "zeros");
    else if (law->kind == FANIN_LAW_CONSTANT && law->value == 1)
        fanin_text_add(text, "ones");
    else if (law->kind == FANIN_LAW_CONSTANT)
        fanin_text_format(text, "constant(val=%s)", fanin_number_format(law->value, a));
    else if (law->kind == FANIN_LAW_UNIFORM)
        fanin_text_format(text, "uniform(a=%s, b=%s)", fanin_number_format(law->low, a),
                          fanin_number_format(law->high, b));
    else if (law->kind == FANIN_LAW_NORMAL && law->mean == 0)
        fanin_text_format(text, "normal(std=%s)", fanin_number_format(law->std, a));
    else if (law->kind == FANIN_LAW_NORMAL)
        fanin_text_format(text, "normal(mean=%s, std=%s)", fanin_number_format(law->mean, a),
                          fanin_number_format(law->std, b));
    else if (law->kind == FANIN_LAW_TRUNC_NORMAL)
        fanin_text_format(text, "trunc_normal(mean=%s, std=%s, a=%s, b=%s)", fanin_number_format(law->mean, a),
                          fanin_number_format(law->std, b), fanin_number_format(law->low, c),
                          fanin_number_format(law->high, d));
    else if (law->kind == FANIN_LAW_ORTHOGONAL)
        fanin_text_format(text, "orthogonal(gain=%s)", fanin_number_format(law->value, a));
}

/* -- Rounding -------------------------------------------------------------------------------------------------------*/

/* Bits of the significand, the hidden one too, and the exponent of the least normal. */
struct grid {
    int precision, least;
};

static struct grid grid_of(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_F64:
        return (struct grid){53, -1022};
    case FANIN_F16:
        return (struct grid){11, -14};
    case FANIN_BF16:
        return (struct grid){8, -126};
    case FANIN_F8_E4M3:
        return (struct grid){4, -6};
    case FANIN_F8_E5M2:
        return (struct grid){3, -14};
    default:
        return (struct grid){24, -126};
    }
}

/* Distance of neighbours at and above |x|. */
static double spacing(struct grid grid, double x)
{
    int exponent = grid.least;
    if (x != 0) {
        int e;
        frexp(fabs(x), &e);
        exponent = e - 1 > grid.least ? e - 1 : grid.least;
    }
    return ldexp(1, exponent - grid.precision + 1);
}

/*
 * Where values begin to round to `edge` > 0 or above: half way between the least number of the grid that is not below
 * it and the one before that.
 */
static double rounding_edge(struct grid grid, double edge)
{
    double above = ceil(edge / spacing(grid, edge)) * spacing(grid, edge);
    int e;
    double step = frexp(above, &e) == 0.5 && e - 1 > grid.least ? spacing(grid, above) / 2 : spacing(grid, above);
    return above - step / 2;
}

/* torch makes uniforms of as many bits as the significand has: 2^-bits of the range is the grid they begin on. */
static double uniform_grid(const fanin_law *law, fanin_dtype dtype)
{
    return law->kind == FANIN_LAW_UNIFORM ? ldexp(1, -grid_of(dtype).precision) : 0;
}

/*
 * Before 2.13 torch made 16-bit normals of uniforms with as many bits as the significand has, and rounded every step.
 * How far their distribution, mean and standard deviation (in units of it) are off, and how far the values reach: of
 * 4 million values, with room.
 */
struct legacy {
    double distance, mean, std, reach;
};

static struct legacy legacy_of(const fanin_law *law, fanin_dtype dtype)
{
    const bool normal = law->kind == FANIN_LAW_NORMAL || law->kind == FANIN_LAW_TRUNC_NORMAL;
    if (normal && dtype == FANIN_BF16)
        return (struct legacy){0.008, 0.001, 0.012, 3.2};
    if (normal && dtype == FANIN_F16)
        return (struct legacy){0.001, 0.001, 0.002, 3.8};
    return (struct legacy){0, 0, 0, 5.6}; /* of uniforms with 24 bits: sqrt(48 log 2) and more */
}

/* -- Tests ----------------------------------------------------------------------------------------------------------*/

/* Massart 1990: P(D > d) <= 2 exp(-2 n d^2). */
static double ks_limit(uint64_t n)
{
    return sqrt((fanin_log(2.0) + 12 * fanin_log(10.0)) / (2 * (double)n));
}

/*
 * Within a sixteenth of the limit: the law is asked only where that much has been counted since it was last, which is
 * all the distance there can be between.
 */
static double ks_distance(const fanin_law *law, fanin_dtype dtype, const struct fanin_scan *scan, uint64_t n)
{
    const struct grid grid = grid_of(dtype);
    const uint64_t *bins = scan->bins, enough = (uint64_t)(ks_limit(n) / 16 * (double)n);
    const uint32_t negative = scan->bins_end[1] > FANIN_SCAN_SIGN ? scan->bins_end[1] - FANIN_SCAN_SIGN : 0;
    uint64_t below = 0, asked = 0;
    double worst = 0;
    const uint32_t nearest = scan->bins_begin[1] > FANIN_SCAN_SIGN + 1 ? scan->bins_begin[1] - FANIN_SCAN_SIGN : 1;
    for (uint32_t b = (negative < FANIN_SCAN_INFINITE ? negative : FANIN_SCAN_INFINITE); b-- > nearest;) {
        below += bins[b | FANIN_SCAN_SIGN];
        if (below - asked > enough || b == nearest) {
            double there = fanin_law_cdf(law, -rounding_edge(grid, fanin_scan_bin_edge(b)));
            worst = fmax(worst, fabs(there - (double)below / (double)n));
            asked = below;
        }
    }
    below += bins[FANIN_SCAN_SIGN] + bins[0];
    const uint32_t end = scan->bins_end[0] < FANIN_SCAN_INFINITE ? scan->bins_end[0] : FANIN_SCAN_INFINITE;
    const uint32_t begin = scan->bins_begin[0] > 1 ? scan->bins_begin[0] : 1;
    for (uint32_t b = begin; b < end || b == begin; b++) {
        if (below - asked > enough || b == begin) {
            double there = fanin_law_cdf(law, rounding_edge(grid, fanin_scan_bin_edge(b)));
            worst = fmax(worst, fabs(there - (double)below / (double)n));
            asked = below;
        }
        below += b < end ? bins[b] : 0;
    }
    /* beyond the last value, and below the first, the law may go on */
    const double top =
        end < FANIN_SCAN_INFINITE ? fanin_law_cdf(law, rounding_edge(grid, fanin_scan_bin_edge(end > 1 ? end : 1))) : 1;
    worst = fmax(worst, fabs(top - (double)below / (double)n));
    if (negative > 0 && negative < FANIN_SCAN_INFINITE)
        worst = fmax(worst, fanin_law_cdf(law, -rounding_edge(grid, fanin_scan_bin_edge(negative))));
    return worst;
}

/* Wilson and Hilferty 1931: the cube root of a sample variance is nearly normal, even of few values. */
double fanin_law_variance_errors(double ratio, double kurtosis, uint64_t n)
{
    double freedom = 2 * (double)n / (kurtosis - 1), spread = 2 / (9 * freedom);
    double root = ratio > 0 ? fanin_exp(fanin_log(ratio) / 3) : 0;
    return (root - (1 - spread)) / sqrt(spread);
}

/* Whether n draws of a normal reach z standard deviations by chance: n P(|Z| > z) by Mills' ratio, above 1e-12. */
static bool normal_reaches(double z, uint64_t n)
{
    if (z < 3)
        return true;
    double log_share = -0.5 * z * z - fanin_log(z) - 0.918938533204672742 /* log(sqrt(2 pi)) */ + fanin_log(2.0);
    return log_share + fanin_log((double)n) > -12 * fanin_log(10.0);
}

/* Whether n draws of a normal go no further than z by chance: (1 - P(|Z| > z))^n, above 1e-12. */
static bool normal_stays(double z, uint64_t n)
{
    return (double)n * 2 * (1 - normal_cdf(z)) < 12 * fanin_log(10.0);
}

static bool keeps_bounds(const fanin_law *law, fanin_dtype dtype, const fanin_statistics *s, uint64_t n)
{
    struct grid grid = grid_of(dtype);
    switch (law->kind) {
    case FANIN_LAW_UNIFORM:
    case FANIN_LAW_TRUNC_NORMAL:
        return s->min >= law->low - spacing(grid, law->low) && s->max <= law->high + spacing(grid, law->high);
    case FANIN_LAW_NORMAL: {
        const double far = fmax(fabs(s->min - law->mean), fabs(s->max - law->mean)), step = spacing(grid, far);
        const double outer = (far + step) / law->std;
        return normal_reaches((far - step) / law->std, n) &&
               (outer > legacy_of(law, dtype).reach || normal_stays(outer, n));
    }
    default:
        return true;
    }
}

/*
 * trunc_normal_ compares what it has rounded with bounds that are rounded too, so that the law reaches half a step
 * beyond them.
 */
static fanin_law as_rounded(const fanin_law *law, fanin_dtype dtype)
{
    fanin_law rounded = *law;
    if (law->kind == FANIN_LAW_TRUNC_NORMAL) {
        struct grid grid = grid_of(dtype);
        double step = spacing(grid, law->low);
        rounded.low = rint(law->low / step) * step - step / 2;
        step = spacing(grid, law->high);
        rounded.high = rint(law->high / step) * step + step / 2;
    }
    return rounded;
}

void fanin_law_test(const fanin_law *wanted, fanin_dtype dtype, const struct fanin_scan *scan,
                    struct fanin_law_test *result)
{
    const fanin_statistics *s = &scan->statistics;
    const fanin_law rounded = as_rounded(wanted, dtype), *law = &rounded;
    *result = (struct fanin_law_test){.distance = none, .limit = none, .mean_z = none, .std_z = none};
    if (scan->bins == NULL || isnan(s->mean))
        return;
    const uint64_t n = s->nelem - s->nnan - s->ninf;
    if (law->kind == FANIN_LAW_CONSTANT) {
        double half = spacing(grid_of(dtype), law->value) / 2;
        result->applies = true;
        result->keeps_bounds = fabs(s->min - law->value) <= half && fabs(s->max - law->value) <= half;
        result->passed = result->keeps_bounds && s->nnan == 0 && s->ninf == 0;
        return;
    }
    const double std = fanin_law_std(law), mean = fanin_law_mean(law), kurtosis = fanin_law_kurtosis(law);
    if (!(std > 0) || isnan(kurtosis))
        return;
    const double grid = uniform_grid(law, dtype), off = s->mean - mean;
    const double bias = 0.5 * grid * (law->kind == FANIN_LAW_UNIFORM ? law->high - law->low : 0);
    const struct legacy legacy = legacy_of(law, dtype);
    const double explained_off = bias + legacy.mean * std;
    const double unexplained = fabs(off) > explained_off ? fabs(off) - explained_off : 0;
    result->applies = true;
    result->distance = ks_distance(law, dtype, scan, n);
    result->limit = ks_limit(n) + grid + legacy.distance;
    result->mean_z = copysign(unexplained, off) * sqrt((double)n) / std;
    /* the variance about the law's mean: n degrees of freedom, and no bias in small tensors. Rounding adds a twelfth of
       the grid's square. */
    double step = spacing(grid_of(dtype), fabs(mean) + std), rounding = dtype == FANIN_F64 ? 0 : step * step / 12;
    double second = s->variance + off * off, ratio = second / (std * std);
    double explained = ratio > 1 ? fmax(1, ratio - rounding / (std * std)) : ratio;
    const double root = sqrt(explained);
    if (fabs(root - 1) <= legacy.std)
        explained = 1;
    else if (legacy.std > 0)
        explained = root > 1 ? (root - legacy.std) * (root - legacy.std) : (root + legacy.std) * (root + legacy.std);
    result->std_z = fanin_law_variance_errors(explained, kurtosis, n);
    result->keeps_bounds = keeps_bounds(law, dtype, s, n);
    result->passed = s->nnan == 0 && s->ninf == 0 && result->keeps_bounds && result->distance <= result->limit &&
                     fabs(result->mean_z) <= FANIN_LAW_MAX_ERRORS && fabs(result->std_z) <= FANIN_LAW_MAX_ERRORS;
}

/* -- Fitting --------------------------------------------------------------------------------------------------------*/

/* The std of a normal that has std `s` within +-bound, by bisection over bound / std; none if a uniform is narrower. */
static double std_before_truncation(double s, double bound)
{
    double low = 0.05, high = 8;
    for (int i = 0; i < 60; i++) {
        double ratio = 0.5 * (low + high);
        fanin_law law = {.kind = FANIN_LAW_TRUNC_NORMAL, .std = bound / ratio, .low = -bound, .high = bound};
        if (fanin_law_std(&law) > s)
            low = ratio;
        else
            high = ratio;
    }
    return high < 7.9 && low > 0.06 ? bound / low : none;
}

static void try_law(fanin_law law, fanin_dtype dtype, const struct fanin_scan *scan, struct fanin_law_fit *fit)
{
    struct fanin_law_test test;
    fanin_law_test(&law, dtype, scan, &test);
    if (test.applies && test.passed && fit->nfits < FANIN_LAW_MAX_FITS) {
        fit->laws[fit->nfits] = law;
        fit->tests[fit->nfits++] = test;
    }
}

void fanin_law_fit(fanin_dtype dtype, const struct fanin_scan *scan, struct fanin_law_fit *fit)
{
    const fanin_statistics *s = &scan->statistics;
    *fit = (struct fanin_law_fit){0};
    if (scan->bins == NULL || isnan(s->mean))
        return;
    if (s->min == s->max) {
        try_law((fanin_law){.kind = FANIN_LAW_CONSTANT, .value = s->min}, dtype, scan, fit);
        return;
    }
    const double n = (double)(s->nelem - s->nnan - s->ninf);
    if (n < 8)
        return; /* anything fits */
    const double std = sqrt(s->variance), error = std / sqrt(n);
    const double mean = fabs(s->mean) <= FANIN_LAW_MAX_ERRORS * error +
                                             std * uniform_grid(&(fanin_law){.kind = FANIN_LAW_UNIFORM}, dtype) * 2
                            ? 0
                            : s->mean;
    const double bound = fmax(fabs(s->min - mean), fabs(s->max - mean));
    /* a uniform's greatest of n values lies 1 / (n + 1) of the range inside, on both ends together 2 / (n + 1) */
    const double outer = bound * (1 + 1 / n);
    try_law((fanin_law){.kind = FANIN_LAW_NORMAL, .mean = mean, .std = std}, dtype, scan, fit);
    try_law((fanin_law){.kind = FANIN_LAW_UNIFORM, .low = mean - outer, .high = mean + outer}, dtype, scan, fit);
    double before = fit->nfits == 0 ? std_before_truncation(std, outer) : none; /* either is its limit */
    if (!isnan(before))
        try_law(
            (fanin_law){
                .kind = FANIN_LAW_TRUNC_NORMAL, .mean = mean, .std = before, .low = mean - outer, .high = mean + outer},
            dtype, scan, fit);
}
