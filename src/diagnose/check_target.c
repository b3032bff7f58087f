/* SPDX-License-Identifier: MIT */
/*
 * What becomes of the values in the dtype they will be stored as: counted by the bins of the scan, whose edges are the
 * limits of small dtypes or split a bin in a known share.
 */
#include <math.h>

#include "base/error.h"
#include "diagnose/checks.h"

#define WARN_SHARE  0.01
#define ERROR_SHARE 0.1 /* of zeros */

/* Absolute values below `zero` become 0, from there to `normal` subnormal, from `infinite` on no number. */
struct limits {
    fanin_dtype dtype;
    double zero, normal, infinite;
    double max;
};

static const struct limits limits[] = {
    /* the least subnormal is 2^-24, and half of it rounds to even: to 0 */
    {FANIN_F16, 0x1p-25, 0x1.ffep-15, 65520, 65504},
    {FANIN_BF16, 0x1p-134, 0x1.fep-127, 0x1.ffp127, 0x1.fep127},
    {FANIN_F8_E4M3, 0x1p-10, 0x1.ep-7, 464, 448},
    {FANIN_F8_E5M2, 0x1p-17, 0x1.cp-15, 61440, 57344},
    {FANIN_F32, 0x1p-150, 0x1.fffffcp-127, 0x1.ffffffp127, 0x1.fffffep127},
};

static const struct limits *find_limits(fanin_dtype dtype)
{
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].dtype == dtype)
            return &limits[i];
    return NULL;
}

/* Share of a bin's values below x, taken as spread evenly over it. */
static double share_below(double x, double from, double to)
{
    return to <= x ? 1 : from >= x ? 0 : (x - from) / (to - from);
}

struct fate {
    double zeros, subnormals, infinite; /* values, 0 itself and what is subnormal already left out */
};

static struct fate count_fates(const struct fanin_scan *scan, const struct limits *limit, bool is_exact)
{
    struct fate fate = {0, 0, 0};
    const uint64_t nzero = scan->statistics.nzero;
    for (uint32_t bin = 0; bin < FANIN_SCAN_INFINITE; bin++) {
        double count = (double)(scan->bins[bin] + scan->bins[bin | FANIN_SCAN_SIGN]);
        if (bin == 0) /* zeros are there, and what is below the edge of the next bin */
            count = fmax(0, count - (double)nzero);
        if (count == 0)
            continue;
        double from = fanin_scan_bin_edge(bin),
               to = bin + 1 < FANIN_SCAN_INFINITE ? fanin_scan_bin_edge(bin + 1) : 0x1p128;
        double below_zero, below_normal, below_infinite;
        if (is_exact) { /* all values are the edge; half way to the least number rounds to 0 */
            below_zero = from <= limit->zero;
            below_normal = from < limit->normal;
            below_infinite = from < limit->infinite;
        } else {
            below_zero = share_below(limit->zero, from, to);
            below_normal = share_below(limit->normal, from, to);
            below_infinite = share_below(limit->infinite, from, to);
        }
        fate.zeros += count * below_zero;
        fate.subnormals += count * (below_normal - below_zero);
        fate.infinite += count * (1 - below_infinite);
    }
    return fate;
}

/*
 * The exponent k of a scale 2^k with which the largest value stays within the dtype, and 16 standard deviations do: by
 * those it is the same for layers that are alike.
 */
static int scale_exponent(const fanin_statistics *s, const struct limits *limit)
{
    const double std = sqrt(s->variance + s->mean * s->mean);
    int exponent;
    frexp(limit->max / fmax(fmax(fabs(s->min), fabs(s->max)), 16 * std), &exponent);
    return exponent - 1;
}

fanin_status fanin_check_target(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_statistics *s = &record->statistics;
    const fanin_dtype target = e->diagnosis->options->target;
    const struct limits *limit = find_limits(target);
    if (limit == NULL || e->scan->bins == NULL || record->tensor.is_buffer || !(s->max - s->min >= 0) ||
        target == record->tensor.dtype)
        return FANIN_OK;
    const struct fate fate = count_fates(e->scan, limit, fanin_scan_is_exact(record->tensor.dtype));
    const double n = (double)s->nelem, lost = fate.zeros / n, all = (fate.zeros + fate.subnormals + fate.infinite) / n;
    if (!(all > WARN_SHARE))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(lost > ERROR_SHARE ? FANIN_SEVERITY_ERROR : FANIN_SEVERITY_WARN);
    const char *name = fanin_dtype_name(target);
    draft.topic = fate.infinite > 0 ? "large" : "small";
    draft.measured = lost > ERROR_SHARE ? lost : all;
    draft.expected = 0;
    draft.what = fanin_say(e, "in %s %.3g %% of the values become 0, %.3g %% subnormal, %.3g %% infinite", name,
                           100 * lost, 100 * fate.subnormals / n, 100 * fate.infinite / n);
    draft.expectation = fanin_say(e, "at most 1 %%: %s holds %.3g to %.5g", name, limit->normal, limit->max);
    draft.consequence = fate.infinite > 0 ? "infinite weights give NaN in the first step"
                        : lost > 0        ? "the smallest weights are lost and the next ones have few bits left"
                                          : "these weights have fewer bits than the dtype promises";
    int exponent = scale_exponent(s, limit);
    draft.missing =
        fanin_say(e, "a scale: store the values x 2^%d and divide by it in the layer, or store them as bf16", exponent);
    draft.remedy = FANIN_REMEDY_NONE;
    return fanin_add(e, &draft, error);
}
