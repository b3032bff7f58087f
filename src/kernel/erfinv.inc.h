/* SPDX-License-Identifier: MIT */
/* The inverse error function: rounded to nearest in double and float, and torch's own float formula for 16-bit types.
 *
 *
 * Method. x = c + h, where c = k/32 is the grid point next to a first guess, solves
 *
 *     I(h) = int_0^h exp(-2ct - t^2) dt = w,    w = (y - erf c) sqrt(pi)/2 exp(c^2).
 *
 * erf c and the factor stand in a table as pairs of doubles, so y - erf c loses nothing to cancellation; for k >= 16 it
 * is erfc c - (1 - y), and 1 - y is exact (y > 1/2), so the tail keeps its relative accuracy. I(h) is a short Taylor
 * series, as 2c|h| < 0.19. One step of Halley's method in double and one with the residual w - I(h) accumulated in
 * pairs follow. */

#ifndef FANIN_KERNEL_ERFINV_INC_H
#define FANIN_KERNEL_ERFINV_INC_H

#include "kernel/math64.inc.h"

/* a + b exactly, |a| >= |b| or a = 0 */
static inline double fanin_fast_two_sum(double a, double b, double *err)
{
    double s = a + b;
    *err = b - (s - a);
    return s;
}

/* a + b exactly */
static inline double fanin_two_sum(double a, double b, double *err)
{
    double s = a + b;
    double t = s - a;
    *err = (a - (s - t)) + (b - t);
    return s;
}

#define FANIN_ERFINV_TERMS 14

/* 1/n, since a compiler may not replace a division by it */
static const double fanin_reciprocal[FANIN_ERFINV_TERMS + 1] = {
    0,       1,       1.0 / 2,  1.0 / 3,  1.0 / 4,  1.0 / 5,  1.0 / 6,  1.0 / 7,
    1.0 / 8, 1.0 / 9, 1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13, 1.0 / 14,
};

/* erfinv(y) = c + h with relative error < 2^-33, and what the last step needs. */
struct fanin_erfinv {
    double c, h, w, w_lo;
    double p[FANIN_ERFINV_TERMS]; /* exp(-2ct - t^2) = sum p_n t^n */
};

/* A first guess, relative error < 2^-13.9: the rational functions of torch's formula, in general use. 0 < y < 1. */
static inline double fanin_erfinv_guess(double y)
{
    if (y <= 0.7) {
        double z = y * y;
        double num = ((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899;
        double den = (((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1.0;
        return y * num / den;
    }
    double z = __builtin_sqrt(-fanin_log_normal(0.5 * (1.0 - y)));
    return (((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454) /
           ((1.637067800 * z + 3.543889200) * z + 1.0);
}

/* 2^-900 <= y < 1 */
static inline void fanin_erfinv_start(struct fanin_erfinv *v, double y)
{
    double guess = fanin_erfinv_guess(y);
    double grid = guess * 32.0 + 0x1.8p52;
    uint64_t i = fanin_f64_bits(grid) & 0xff;
    const double *row = fanin_erfinv_table[i];
    double c = (grid - 0x1.8p52) * 0x1p-5;
    double h = guess - c;

    /* w = d g, d = y - erf c or erfc c - (1 - y); relative error 2^-103 */
    double e;
    double d = i < 16 ? fanin_two_sum(y, -row[0], &e) : fanin_two_sum(row[0], -(1.0 - y), &e);
    d = fanin_fast_two_sum(d, i < 16 ? e - row[1] : e + row[1], &e);
    double w = d * row[2];
    v->w_lo = __builtin_fma(d, row[2], -w) + (d * row[3] + e * row[2]);
    v->w = w;

    double *p = v->p;
    p[0] = 1.0;
    p[1] = -2.0 * c;
    for (int n = 2; n < FANIN_ERFINV_TERMS; n++)
        p[n] = -2.0 * (c * p[n - 1] + p[n - 2]) * fanin_reciprocal[n];

    double integral = 0, density = 0;
    for (int n = 9; n >= 0; n--) {
        integral = integral * h + p[n] * fanin_reciprocal[n + 1];
        density = density * h + p[n];
    }
    d = (w - h * integral) / density;
    v->c = c;
    v->h = h + d / (1.0 - (c + h) * d); /* Halley's step: the integrand's logarithmic derivative is -2 (c + h) */
}

/* x = erfinv(y) as the returned double and *lo, relative error < 2^-71.9 (400 000 arguments). */
static inline double fanin_erfinv_finish(const struct fanin_erfinv *v, double *lo)
{
    const double *p = v->p;
    double c = v->c, h = v->h;

    /* w - I(h) = w - h + c h^2 - (2c^2-1)/3 h^3 - h^4 (..): the first four terms in pairs, the rest being small */
    double integral = 0, density = 0;
    for (int n = FANIN_ERFINV_TERMS - 1; n >= 3; n--) {
        integral = integral * h + p[n] * fanin_reciprocal[n + 1];
        density = density * h + p[n];
    }
    density = ((density * h + p[2]) * h + p[1]) * h + p[0];
    double h2 = h * h, h2_lo = __builtin_fma(h, h, -h2);
    double t2 = c * h2, t2_lo = __builtin_fma(c, h2, -t2) + c * h2_lo;
    double h3 = h * h2, h3_lo = __builtin_fma(h, h2, -h3) + h * h2_lo;
    double m = 2.0 * c * c - 1.0; /* exact: c has 8 bits */
    double u = m * h3, u_lo = __builtin_fma(m, h3, -u) + m * h3_lo;
    double t3 = u * fanin_reciprocal[3], t3_lo = (__builtin_fma(-3.0, t3, u) + u_lo) * fanin_reciprocal[3];
    double e, e2, e3;
    double sum = fanin_two_sum(v->w, -h, &e);
    sum = fanin_two_sum(sum, t2, &e2);
    sum = fanin_two_sum(sum, -t3, &e3);
    e += e2 + e3 + (v->w_lo + t2_lo - t3_lo - h2 * h2 * integral);
    double d = (sum + e) / density;
    d = d / (1.0 - (c + h) * d);

    double x = fanin_fast_two_sum(c, h, &e);
    return fanin_fast_two_sum(x, e + d, lo);
}

/* x = sqrt(pi)/2 y for tiny y (the next term, pi/12 y^2 of it, is below 2^-100 of x), rounded once, into subnormals
 * too. */
static inline double fanin_erfinv_tiny(double y)
{
    const double *g = &fanin_erfinv_table[0][2];
    double n = y * 0x1p537 * 0x1p537; /* in units of the least subnormal */
    double hi = n * g[0];
    double lo = __builtin_fma(n, g[0], -hi) + n * g[1];
    double x = fanin_fast_two_sum(hi, lo, &lo);
    if (x < 0x1p52) { /* subnormal: round to an integer */
        double r = x + 0x1p52 - 0x1p52;
        double rest = x - r + lo;
        x = rest > 0.5 ? r + 1 : rest < -0.5 ? r - 1 : r;
    }
    return x * 0x1p-537 * 0x1p-537;
}

/* erfinv y; +-inf at +-1, NaN beyond. Before the last rounding the relative error is below 2^-71.9 (largest of 400 000
 * arguments against 220-bit arithmetic), so it is the nearest double but for at most one argument in 2^18, and there
 * within 0.500002 ulp; none was met. */
static inline double fanin_erfinv(double y)
{
    double ay = __builtin_fabs(y);
    if (!(ay < 1))
        return ay == 1 ? __builtin_copysign(__builtin_inf(), y) : __builtin_nan("");
    if (ay < 0x1p-800)
        return __builtin_copysign(fanin_erfinv_tiny(ay), y);
    struct fanin_erfinv v;
    double lo;
    fanin_erfinv_start(&v, ay);
    return __builtin_copysign(fanin_erfinv_finish(&v, &lo), y);
}

/* hi + lo, |lo| <= half an ulp of hi > 0, rounded once to float: by way of the double rounded to odd. */
static inline float fanin_f32_of_pair(double hi, double lo)
{
    uint64_t b = fanin_f64_bits(hi);
    if (lo != 0 && !(b & 1))
        b = lo > 0 ? b + 1 : b - 1;
    return (float)fanin_f64_from_bits(b);
}

/* erfinv y, the nearest float for every y: over all floats the least distance of erfinv y from a midpoint between
 * floats is 2^-54 of it, and fanin_erfinv_finish errs by less than 2^-71.9. One argument in about 2^7 needs that second
 * step. */
static inline float fanin_erfinvf(float y)
{
    double ay = __builtin_fabsf(y);
    if (!(ay < 1))
        return ay == 1 ? __builtin_copysignf(__builtin_inff(), y) : __builtin_nanf("");
    if (ay == 0)
        return y;
    struct fanin_erfinv v;
    fanin_erfinv_start(&v, ay);
    double x = v.c + v.h;
    float below = (float)(x * (1.0 - 0x1p-32));
    float above = (float)(x * (1.0 + 0x1p-32));
    if (__builtin_expect(below != above, 0)) {
        double lo;
        x = fanin_erfinv_finish(&v, &lo);
        above = fanin_f32_of_pair(x, lo);
    }
    return __builtin_copysignf(above, y);
}

/* erfinv of torch built without MKL, float: two rational functions and two steps of Newton's method, every step rounded
 * to float as its AVX2 kernel does, with logf, expf and erff of libm. torch <= 2.11 uses it for bfloat16 and float16 in
 * all builds, rounding the result to the type. */
static inline float fanin_erfinvf_torch(float y)
{
    float ay = __builtin_fabsf(y);
    float x;
    if (!(ay < 1))
        return ay == 1 ? __builtin_copysignf(__builtin_inff(), y) : __builtin_nanf("");
    if (ay <= 0.7f) {
        float z = y * y;
        float num = __builtin_fmaf(-0.140543331f, z, 0.914624893f);
        num = __builtin_fmaf(__builtin_fmaf(num, z, -1.645349621f), z, 0.886226899f);
        float den = __builtin_fmaf(0.012229801f, z, -0.329097515f);
        den = __builtin_fmaf(__builtin_fmaf(__builtin_fmaf(den, z, 1.442710462f), z, -2.118377725f), z, 1.0f);
        x = y * num / den;
    } else {
        float z = __builtin_sqrtf(-fanin_logf((1.0f - ay) / 2.0f));
        float num = __builtin_fmaf(1.641345311f, z, 3.429567803f);
        num = __builtin_fmaf(__builtin_fmaf(num, z, -1.624906493f), z, -1.970840454f);
        float den = __builtin_fmaf(__builtin_fmaf(1.637067800f, z, 3.543889200f), z, 1.0f);
        x = __builtin_copysignf(num, y) / den;
    }
    float slope = 2.0f / 0x1.c5bf8ap0f; /* 2 / (float)sqrt(pi) */
    x -= (fanin_erff(x) - y) / (slope * fanin_expf(-x * x));
    x -= (fanin_erff(x) - y) / (slope * fanin_expf(-x * x));
    return x;
}

#endif
