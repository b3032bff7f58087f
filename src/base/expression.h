/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic in descriptions: "0.02/sqrt(2*L)". Numbers, variables, pi, + - * / ( ), sqrt(x), pow(x, n).
 */
#ifndef FANIN_BASE_EXPRESSION_H
#define FANIN_BASE_EXPRESSION_H

#include "fanin/status.h"

/* Value of a variable by name ([name, name + nbytes)), or false. */
typedef bool (*fanin_lookup)(void *user, const char *name, size_t nbytes, double *value);

/*
 * Errors name the text, the character where it went wrong, and for an unknown variable those that exist if `known`
 * (a comma-separated list, may be NULL) says. Division by zero and results that are not finite are errors. pow takes a
 * multiple of 0.5 as exponent, by multiplication and sqrt, so that the bits are the same everywhere.
 */
fanin_status fanin_expression_evaluate(const char *text, size_t nbytes, fanin_lookup lookup, void *user,
                                       const char *known, double *value, fanin_error *error);

#endif
