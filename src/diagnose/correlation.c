/* SPDX-License-Identifier: MIT */
/*
 * Pearson's correlation of two runs of values, and whether a run looks random at all.
 */
#include "diagnose/correlation.h"

double fanin_correlation(const float *a, const float *b, size_t n)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t i = 0; i < n; i++) {
        mean_a += (double)a[i];
        mean_b += (double)b[i];
    }
    mean_a /= (double)n;
    mean_b /= (double)n;
    for (size_t i = 0; i < n; i++) {
        double x = (double)a[i] - mean_a, y = (double)b[i] - mean_b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return aa > 0 && bb > 0 ? ab / (__builtin_sqrt(aa) * __builtin_sqrt(bb)) : 0;
}

double fanin_power(double p, uint64_t n)
{
    double result = 1;
    for (; n > 0; n >>= 1) {
        if (n & 1)
            result *= p;
        p *= p;
    }
    return result;
}

bool fanin_head_is_random(const float *values, size_t n)
{
    size_t ndistinct = 0;
    double mean = 0, variance = 0, lag = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && values[k] != values[i])
            k++;
        ndistinct += k == i;
        mean += (double)values[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double x = (double)values[i] - mean;
        variance += x * x;
        lag += i > 0 ? x * ((double)values[i - 1] - mean) : 0;
    }
    double chance = 6 / __builtin_sqrt((double)n);
    return 10 * ndistinct > 3 * n && lag < (chance < 0.5 ? chance : 0.5) * variance;
}
