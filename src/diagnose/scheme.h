/* SPDX-License-Identifier: MIT */
/*
 * Schemes by what they leave behind: which named rules give, for a tensor's shape, the law that its values follow.
 */
#ifndef FANIN_DIAGNOSE_SCHEME_H
#define FANIN_DIAGNOSE_SCHEME_H

#include "diagnose/law.h"

/* What a scheme looks at. */
struct fanin_scheme_subject {
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    fanin_layout layout;
    int32_t groups;
    fanin_layer_kind layer_kind;
    const char *role;   /* NULL */
    int64_t fan_beside; /* of a vector: the fan_in of the weight it stands beside; -1 */
    int64_t hidden;     /* of a recurrent layer's tensors: its hidden size; -1 */
    int64_t nlayers;    /* repeated blocks of the model; 0: not known */
};

/* A rule and what it comes to. */
struct fanin_scheme {
    const char *title; /* "He normal" */
    char call[128];    /* "kaiming_normal(nonlinearity=relu)", as rules take it */
    fanin_law law;
    double std;          /* of the values */
    const char *divisor; /* what the variance is divided by: "fan_in", "fan_in + fan_out"; NULL: nothing */
    int64_t fan;         /* that number; -1 */
};

/*
 * The schemes whose law passes every test of the values, the most usual first; how many (at most max).
 * Only laws of a kind that the fit has are tried.
 */
enum { FANIN_SCHEME_MAX = 8 };
size_t fanin_scheme_find(const struct fanin_scheme_subject *subject, const struct fanin_scan *scan,
                         const struct fanin_law_fit *fit, struct fanin_scheme *schemes, size_t max);

/*
 * Of the named schemes that look at fans alone (Xavier, He, LeCun, torch's default), the first whose standard deviation
 * is `std` within the relative tolerance; NULL title: none.
 */
struct fanin_scheme fanin_scheme_of_std(const struct fanin_scheme_subject *subject, fanin_law_kind kind, double std,
                                        double tolerance);

/* A number with few digits within the relative tolerance of the value, if that is no accident; else 0. */
double fanin_scheme_round_number(double value, double tolerance);

#endif
