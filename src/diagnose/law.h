/* SPDX-License-Identifier: MIT */
/*
 * Laws: distributions of values, as they are after rounding to a dtype, and whether the values of a scan follow one.
 */
#ifndef FANIN_DIAGNOSE_LAW_H
#define FANIN_DIAGNOSE_LAW_H

#include "base/text.h"
#include "diagnose/scan.h"

/* P(X < x), P(X <= x) of a constant; NaN for laws that are not one draw for each element. */
double fanin_law_cdf(const fanin_law *law, double x);
/* Of the law itself, truncation included; NaN where there is no such number. */
double fanin_law_mean(const fanin_law *law);
double fanin_law_std(const fanin_law *law);
double fanin_law_kurtosis(const fanin_law *law);

/* The call that gives this law, "normal(std=0.02)"; nothing of laws that no call gives. */
void fanin_law_write(const fanin_law *law, fanin_text *text);
fanin_law fanin_law_of_fill(const fanin_fill *fill);

/* How many standard errors a statistic may be off: by chance 6e-14 on both sides together for a normal one. */
#define FANIN_LAW_MAX_ERRORS 7.5

struct fanin_law_test {
    bool applies;    /* there are finite values, and the law says something of each */
    double distance; /* Kolmogorov-Smirnov, between the values and the law as rounded to the dtype */
    double limit;    /* that chance exceeds once in 10^12 */
    double mean_z;   /* in standard errors, after what rounding and torch's grid of uniforms explain */
    double std_z;
    bool keeps_bounds; /* no value where the law has none, and none further out than n draws of a normal go */
    bool passed;
};
/* How far the ratio of a sample's variance to the law's is from 1, in standard errors; n values of that kurtosis. */
double fanin_law_variance_errors(double ratio, double kurtosis, uint64_t n);
void fanin_law_test(const fanin_law *law, fanin_dtype dtype, const struct fanin_scan *scan,
                    struct fanin_law_test *result);

/* The laws that values may follow, the simplest first among those that pass; nfits 0: none does. */
enum { FANIN_LAW_MAX_FITS = 4 };
struct fanin_law_fit {
    fanin_law laws[FANIN_LAW_MAX_FITS];
    struct fanin_law_test tests[FANIN_LAW_MAX_FITS];
    size_t nfits;
};
void fanin_law_fit(fanin_dtype dtype, const struct fanin_scan *scan, struct fanin_law_fit *fit);

#endif
