/* SPDX-License-Identifier: MIT */
/*
 * Whether short runs of values are the same random numbers, and what chance would make of them.
 */
#ifndef FANIN_DIAGNOSE_CORRELATION_H
#define FANIN_DIAGNOSE_CORRELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Above this (or below its negative) values go together. Of 32 independent pairs the chance is below
 * (1 - 0.99^2)^15 = 3e-26.
 */
#define FANIN_SAME_CORRELATION 0.99
#define FANIN_SAME_NVALUES     32

/* Pearson's correlation; 0 where one side does not vary. */
double fanin_correlation(const float *a, const float *b, size_t n);
/* p^n, the chance of n equal events. */
double fanin_power(double p, uint64_t n);
/* Whether more than 30 % of a few values differ from each other and neighbours are not alike. */
bool fanin_head_is_random(const float *values, size_t n);

#endif
