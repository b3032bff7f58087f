/* SPDX-License-Identifier: MIT */
/*
 * Checks of how the values of one weight are spread: around zero, without tails, without heaps at the ends.
 */
#include <inttypes.h>

#include "diagnose/checks.h"
#include "diagnose/law.h"

#define MEAN_NVALUES 256
#define MEAN_SHARE   0.1
/*
 * Above this and 8 standard errors the tails are heavy. In few values one alone moves the kurtosis: at 8 standard
 * deviations, which 10^12 normal values do not reach, by 8^4 / n.
 */
#define KURTOSIS        4.0
#define KURTOSIS_ERRORS 8.0
#define FARTHEST_4      4096.0

/* Weights of no known law are meant to be centred, light-tailed and smooth. */
static bool is_random_weight(const struct fanin_record *record)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    return tensor->is_weight && tensor->is_random_looking && !record->is_smooth &&
           tensor->expected.kind != FANIN_LAW_OTHER;
}

static double expected_mean(const struct fanin_record *record)
{
    double mean = fanin_law_mean(&record->tensor.expected);
    return mean == mean ? mean : 0;
}

static bool is_off_centre(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    double std = __builtin_sqrt(s->variance), chance = FANIN_NERRORS / __builtin_sqrt((double)s->nelem);
    double limit = chance > MEAN_SHARE ? chance : MEAN_SHARE;
    return is_random_weight(record) && s->nelem >= MEAN_NVALUES && std > 0 &&
           __builtin_fabs(s->mean - expected_mean(record)) > limit * std;
}

/* Of values off their centre the rest follows, and is not told besides. */
static bool is_heavy_tailed(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    double n = (double)s->nelem, chance = 3 + KURTOSIS_ERRORS * __builtin_sqrt(24.0 / n), one = 3 + FARTHEST_4 / n;
    double limit = chance > KURTOSIS ? chance : KURTOSIS;
    limit = one > limit ? one : limit;
    return is_random_weight(record) && !is_off_centre(record) && (double)s->nzero <= 0.1 * n && s->kurtosis > limit;
}

fanin_status fanin_check_mean(struct fanin_examination *e, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    if (!is_off_centre(e->record))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const double expected = expected_mean(e->record), std = __builtin_sqrt(s->variance);
    draft.measured = s->mean;
    draft.expected = expected;
    draft.what = fanin_say(
        e, "mean %+.3g, %.2g standard deviations%s%s", s->mean, __builtin_fabs(s->mean - expected) / std,
        expected != 0 ? " off" : "",
        s->min >= 0 && expected == 0 ? ", and no value below 0: uniform(0, a) instead of uniform(-a, a)?" : "");
    draft.expectation = expected == 0 ? "mean 0" : fanin_say(e, "mean %.3g", expected);
    draft.consequence = "all units get the same push, which grows with the number of inputs and drowns what differs "
                        "between them";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_tails(struct fanin_examination *e, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    if (!is_heavy_tailed(e->record))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    bool low = -s->min > s->max;
    double std = __builtin_sqrt(s->variance), most = low ? s->min : s->max;
    draft.measured = s->kurtosis;
    draft.expected = 3;
    draft.what = fanin_say(e, "kurtosis %.4g; %" PRIu64 " of the values %s %.4g, %.3g standard deviations out",
                           s->kurtosis, low ? s->nmin : s->nmax, (low ? s->nmin : s->nmax) == 1 ? "is" : "are", most,
                           __builtin_fabs(most - s->mean) / std);
    draft.expectation = "3 for a normal distribution, 1.8 for a uniform one";
    draft.consequence = "a few values are far larger than the others and rule what their units give; no common scheme "
                        "makes them (a fault in a sampler, or trained weights)";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

/* ---- heaps at the ends ---- */

/* How many values of the dtype share one of the scan's bins. */
static double values_in_bin(fanin_dtype dtype)
{
    return dtype == FANIN_F16 ? 8 : 1;
}

static uint32_t bin_of(double value)
{
    float single = (float)value;
    uint32_t bits;
    __builtin_memcpy(&bits, &single, sizeof bits);
    return bits >> 16;
}

/*
 * What a smooth distribution has at its outermost value, at most: in f32 the grid of 2^-23 that uniform values lie on;
 * else twice what one of the next values inside has, since the grid is twice as wide where a power of 2 begins.
 */
static double smooth_mass(const struct fanin_examination *e, double bound)
{
    const fanin_dtype dtype = e->record->tensor.dtype;
    double most = 0;
    if (dtype == FANIN_F32 || dtype == FANIN_F64)
        return dtype == FANIN_F32 ? (double)e->record->statistics.nelem * 0x1p-23 : 0;
    uint32_t bin = bin_of(bound), sign = bin & 0x8000, magnitude = bin & 0x7fff;
    /* f8 has 2 or 3 bits of mantissa where a bin has 7, so its values are up to 32 bins apart. */
    for (uint32_t seen = 0, k = 1; k <= 192 && k <= magnitude && seen < 4; k++) {
        double count = (double)e->scan->bins[sign | (magnitude - k)];
        seen += count > 0;
        most = count > most ? count : most;
    }
    return 2 * most / values_in_bin(dtype);
}

fanin_status fanin_check_bounds(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_statistics *s = &record->statistics;
    if (!is_random_weight(record) || is_off_centre(record) || is_heavy_tailed(record) || e->scan->bins == NULL ||
        !(s->max > s->min))
        return FANIN_OK;
    double low = smooth_mass(e, s->min), high = smooth_mass(e, s->max);
    double low_limit = low + 6 * __builtin_sqrt(low) + 3, high_limit = high + 6 * __builtin_sqrt(high) + 3;
    bool at_min = s->min != 0 && (double)s->nmin >= low_limit, at_max = s->max != 0 && (double)s->nmax >= high_limit;
    if (!at_min && !at_max)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    if (at_min && at_max)
        draft.what = fanin_say(e, "%" PRIu64 " values are exactly %.6g and %" PRIu64 " exactly %.6g, the ends", s->nmin,
                               s->min, s->nmax, s->max);
    else
        draft.what = fanin_say(e, "%" PRIu64 " values are exactly %.6g, the %s", at_min ? s->nmin : s->nmax,
                               at_min ? s->min : s->max, at_min ? "least" : "greatest");
    draft.measured = (double)(at_min && s->nmin > s->nmax ? s->nmin : at_max ? s->nmax : s->nmin);
    draft.expectation = fanin_say(e, "fewer than %.0f", at_min ? low_limit : high_limit);
    draft.consequence = "values were clamped to the bound instead of drawn again: the distribution is not the one that "
                        "was meant";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}
