/* SPDX-License-Identifier: MIT */
/* Elementary functions with the bits of glibc 2.36 on x86-64 with FMA, in plain C: no call of the host's libm, no
 * state, the same result on every machine. Each ISA's stub includes this text.
 *
 * torch takes log, log1p, sin and cos of float64 normals, and the float functions of 16-bit ones, from libm, so its
 * bits are those of one libm: nearly all its users run the FMA variants of glibc >= 2.28. The operations here and their
 * order are those of these variants. Each __builtin_fma is one fused operation, every other product and sum is rounded
 * by itself: objects are compiled with -ffp-contract=off.
 *
 * Where the special cases of the original follow from its general path they are left out, with the reason. Both sides
 * of a choice are computed and one is picked, so a loop over a block becomes vector code (gcc 12, clang 14 at -O3
 * -mavx2 -mfma: log 1.3, log1p 2.0, sin and cos together 4.2 ns an element).
 *
 * "Compared" says with how many arguments results were compared with that glibc (tests/unit/test_math64.c), all bits
 * equal. Error bounds are against the real value. Rounding is to nearest; floating-point exceptions and errno are not
 * part of the contract. */
#ifndef FANIN_KERNEL_MATH64_INC_H
#define FANIN_KERNEL_MATH64_INC_H

#include <stdbool.h>

#include "kernel/convert.h"
#include "kernel/math64_tables.inc.h"

/* The integer e (0 <= e < 2^52) less bias, as a double. Through the mantissa of 2^52, because AVX2 has no conversion
 * from 64-bit integers. */
static inline double fanin_f64_of_u52(uint64_t e, double bias)
{
    return fanin_f64_from_bits(e | 0x4330000000000000) - (0x1p52 + bias);
}

/* take ? a : b through a mask. A ternary would do, but GCC sinks the work for one side into a branch and then refuses
 * to vectorize the loop. take is 0 or 1. */
static inline uint64_t fanin_pick_bits(uint64_t take, uint64_t a, uint64_t b)
{
    uint64_t mask = 0 - take;
    return (a & mask) | (b & ~mask);
}

static inline double fanin_pick(uint64_t take, double a, double b)
{
    return fanin_f64_from_bits(fanin_pick_bits(take, fanin_f64_bits(a), fanin_f64_bits(b)));
}

/* ---- log --------------------------------------------------------------------------------------------------------- */

/* Natural logarithm of x 2^(1023-bias), x positive, normal, finite. Two methods, both computed and one taken:
 *
 * - x = 2^k z, z in [0x1.6p-1, 0x1.6p0), c from the table: log x = k ln2 + log c + log1p(z/c - 1), where z/c - 1 has
 *   one rounding (fma) and k ln2hi + log c none (both lie on the grid of 2^-43);
 *
 * - near 1, on [1 - 2^-4, 1 + 0x1.09p-4), that sum would cancel: a series in s = x - 1, whose s - s^2/2 is kept in two
 *   parts by splitting s after 26 bits. x = 1 gives +0, since every term is +0. */
static inline double fanin_log_scaled(double x, double bias)
{
    const double *a = fanin_log_poly, *b = fanin_log_near1;

    uint64_t ix = fanin_f64_bits(x);
    uint64_t t = ix - 0x3fe6000000000000 + 0x3ff0000000000000; /* exponent k + 1023, never negative */
    uint64_t i = t >> 45 & 127;
    double k = fanin_f64_of_u52(t >> 52, bias);
    double z = fanin_f64_from_bits(ix - (t & 0xfff0000000000000) + 0x3ff0000000000000);
    double r = __builtin_fma(z, fanin_log_table[i][0], -1.0);
    double w = __builtin_fma(k, 0x1.62e42fefa38p-1, fanin_log_table[i][1]);
    double hi = w + r;
    double lo = __builtin_fma(k, 0x1.ef35793c7673p-45, w - hi + r);
    double r2 = r * r;
    double p = __builtin_fma(__builtin_fma(r, a[4], a[3]), r2, __builtin_fma(a[2], r, a[1]));
    double far = __builtin_fma(r * r2, p, __builtin_fma(r2, a[0], lo)) + hi;

    double s = x - 1.0;
    double s2 = s * s;
    double s3 = s * s2;
    double q = __builtin_fma(s3, b[10], __builtin_fma(s2, b[9], __builtin_fma(b[8], s, b[7])));
    q = __builtin_fma(q, s3, __builtin_fma(s2, b[6], __builtin_fma(b[5], s, b[4])));
    q = __builtin_fma(q, s3, __builtin_fma(s2, b[3], __builtin_fma(b[2], s, b[1])));
    double head = __builtin_fma(-0x1p27, s, __builtin_fma(s, 0x1p27, s)); /* the upper 26 bits of s */
    double head2 = head * head;
    double top = __builtin_fma(head2, b[0], s);
    double rest = __builtin_fma(head2, b[0], s - top);
    rest = __builtin_fma(b[0] * (s - head), s + head, rest);
    double near = top + __builtin_fma(q, s3, rest);

    return fanin_pick((uint64_t)(x >= 0x1.ep-1) & (uint64_t)(x < 0x1.109p0), near, far);
}

/* fanin_log for positive, normal, finite x only: without a branch, for loops over uniforms. */
static inline double fanin_log_normal(double x) { return fanin_log_scaled(x, 1023.0); }

/* Natural logarithm; -inf at +-0, NaN below. Error < 0.520 ulp, 0.083 % of the results are not the nearest double.
 * Compared: 4.5e8 arguments, 1.5e8 of them 1 - m 2^-53. */
static inline double fanin_log(double x)
{
    if (__builtin_expect(x >= 0x1p-1022 && x <= 0x1.fffffffffffffp1023, 1))
        return fanin_log_normal(x);
    if (x == 0)
        return -__builtin_inf();
    if (!(x > 0))
        return __builtin_nan("");
    return x < 1 ? fanin_log_scaled(x * 0x1p52, 1023.0 + 52.0) : x;
}

/* ---- log1p ------------------------------------------------------------------------------------------------------- */

/* log(1 + x) for -1 < x < inf, without a branch: fdlibm's method.
 * 1 + x = 2^k (1 + f) with 1 + f in about [sqrt(1/2), sqrt(2)); c = what was lost when 1 + x was rounded, relative to
 * it. log(1+f) = f - (f^2/2 - s (f^2/2 + R(s^2))), s = f/(2+f).
 *
 * For k = 0 the original has its own final expression, which is the general one with k = 0 and c = 0; for f = 0 too
 * (then R = 0, and -(-c) = c). Below 2^-54 it returns x: so does x - x^2/2, which is nearer to x than half an ulp.
 *
 * Error < 1 ulp, 7.1 % of the results are not the nearest double. */
static inline double fanin_log1p_finite(double x)
{
    const double *l = fanin_log1p_poly;
    double ax = __builtin_fabs(x);

    double tiny = __builtin_fma(-0.5, x * x, x);

    uint64_t huge = x >= 0x1p53; /* 1 + x is x, exactly for our purpose */
    double u = fanin_pick(huge, x, 1.0 + x);
    uint64_t iu = fanin_f64_bits(u);
    uint64_t m = iu >> 32 & 0xfffff;
    uint64_t up = m >= 0x6a09e; /* 1 + f is u's mantissa, or half of it */
    uint64_t hu = fanin_pick_bits(up, (0x100000 - m) >> 2, m);
    double k = fanin_f64_of_u52((iu >> 52) + up, 1023.0);
    double f = fanin_f64_from_bits((iu & 0x000fffffffffffff) | (0x3ff - up) << 52) - 1.0;
    double c = fanin_pick(iu >= 0x4000000000000000, 1.0 - (u - x), x - (u - 1.0)) / u;

    /* k = 0 and f = x for -0.2929 < x < 0.4142; the original's thresholds are on the upper words */
    uint64_t ix = fanin_f64_bits(x);
    uint64_t small = (uint64_t)(ax < fanin_f64_from_bits(0x3fd2bec400000000)) |
                     ((uint64_t)(x < fanin_f64_from_bits(0x3fda827a00000000)) & (ix >> 63 ^ 1));
    k = fanin_pick(small, 0.0, k);
    f = fanin_pick(small, x, f);
    c = fanin_pick((uint64_t)(k == 0.0) | huge, 0.0, c);

    double half = 0.5 * f * f;
    double s = f / (2.0 + f);
    double z = s * s;
    double z2 = z * z;
    double z4 = z2 * z2;
    double z6 = z2 * z4;
    double r = __builtin_fma(z, l[0], z2 * __builtin_fma(l[2], z, l[1]));
    r = __builtin_fma(z4, __builtin_fma(l[4], z, l[3]), r);
    r = __builtin_fma(z6, __builtin_fma(l[6], z, l[5]), r);
    double lo = __builtin_fma(k, 0x1.a39ef35793c76p-33, c);
    double far = half - (lo + s * (half + r));
    /* |f| < 2^-20: two terms are enough */
    double close = half * __builtin_fma(-0x1.5555555555555p-1, f, 1.0) - lo;
    far = fanin_pick((uint64_t)(hu == 0) & (small ^ 1), close, far);
    double y = __builtin_fma(k, 0x1.62e42feep-1, -(far - f));

    return fanin_pick(ax < 0x1p-29, tiny, y);
}

/* log(1 + x); -inf at -1, NaN below. Compared: 7.5e8 arguments, 1.5e8 of them -m 2^-53. */
static inline double fanin_log1p(double x)
{
    if (__builtin_expect(x > -1 && x <= 0x1.fffffffffffffp1023, 1))
        return fanin_log1p_finite(x);
    if (x == -1)
        return -__builtin_inf();
    return x > 0 ? x : __builtin_nan("");
}

/* ---- sin, cos ---------------------------------------------------------------------------------------------------- */

struct fanin_sincos {
    double sin, cos;
};

/* |t| in units of 1/128, rounded: adding this brings it to the last bits of the sum. Its row of the table. */
static const double fanin_sincos_grid = 0x1.8p45;
static inline uint64_t fanin_sincos_row(double t)
{
    return fanin_f64_bits(__builtin_fabs(t) + fanin_sincos_grid) & 127;
}

/* sin(t + dt), |t| <= 0.8555, |dt| below an ulp of t. |t| < 0.126: Taylor; otherwise from row i of the table, that of
 * k/128 next to |t|. */
static inline double fanin_sin_reduced(double t, double dt, uint64_t i)
{
    double at = __builtin_fabs(t);

    double tt = t * t;
    double p = __builtin_fma(-0x1.addffc2fcdf59p-26, tt, 0x1.71de27b9a7ed9p-19);
    p = __builtin_fma(p, tt, -0x1.a01a019db08b8p-13);
    p = __builtin_fma(p, tt, 0x1.1111111110ecep-7);
    p = __builtin_fma(p, tt, -0x1.5555555555555p-3);
    double taylor = t + __builtin_fma(tt, __builtin_fma(p, t, -(0.5 * dt)), dt);

    double r = at - (at + fanin_sincos_grid - fanin_sincos_grid);
    double d = __builtin_copysign(1.0, t) * dt;
    double sn = fanin_sincos_table[i][0], sn_lo = fanin_sincos_table[i][1];
    double cs = fanin_sincos_table[i][2], cs_lo = fanin_sincos_table[i][3];
    double r2 = r * r;
    double s = r + __builtin_fma(r * r2, __builtin_fma(0x1.11110e829872fp-7, r2, -0x1.5555555555515p-3), d);
    double c = __builtin_fma(0x1.6c16bedd9e239p-10, r2, -0x1.5555555555535p-5);
    c = __builtin_fma(r, d, r2 * __builtin_fma(c, r2, 0.5));
    double e = __builtin_fma(-c, sn, __builtin_fma(cs_lo, s, sn_lo));
    double y = sn + __builtin_fma(s, cs, e);

    return __builtin_copysign(fanin_pick(at < 0.126, taylor, y), t);
}

/* cos(t + dt), arguments as above. |t| < 2^-27 needs no care: k = 0, and 1 - t^2/2 rounds to 1. */
static inline double fanin_cos_reduced(double t, double dt, uint64_t i)
{
    double at = __builtin_fabs(t);
    double r = at - (at + fanin_sincos_grid - fanin_sincos_grid) + __builtin_copysign(1.0, t) * dt;
    double sn = fanin_sincos_table[i][0], sn_lo = fanin_sincos_table[i][1];
    double cs = fanin_sincos_table[i][2], cs_lo = fanin_sincos_table[i][3];
    double r2 = r * r;
    double s = __builtin_fma(r * r2, __builtin_fma(0x1.11110e829872fp-7, r2, -0x1.5555555555515p-3), r);
    double c = __builtin_fma(0x1.6c16bedd9e239p-10, r2, -0x1.5555555555535p-5);
    c = r2 * __builtin_fma(c, r2, 0.5);
    double e = __builtin_fma(-c, cs, __builtin_fma(-s, sn_lo, cs_lo));
    return cs + __builtin_fma(-s, sn, e);
}

/* Both functions of one angle, 0 <= x <= 105414336. Branch-free.
 *
 * x < 0x1.b6p-1 needs no reduction; up to 0x1.368fdp1, pi/2 - x is exact in its upper part; beyond, x - n pi/2 with
 * pi/2 in four parts, 136 bits. In the middle range the original takes the cosine series at pi/2's upper part less x,
 * the sine series at the normalized sum; the two can lie on different sides of a tie of the table's grid, so each has
 * its own row. That is rare, and reading a row is a good part of the work: with one_row both take the sine's, and
 * *apart gets bits where that was wrong. Below 2^-26 the original returns x for the sine, and so does the Taylor series
 * (x^2/6 < 2^-54).
 *
 * Error < 0.55 ulp, 0.13 % of the results are not the nearest double.
 * Compared: 6e8 arguments each, 1.5e8 of them 2 pi m 2^-53. */
static inline struct fanin_sincos fanin_sincos_positive(double x, bool one_row, uint64_t *apart)
{
    double g = __builtin_fma(x, 0x1.45f306dc9c883p-1, 0x1.8p52);
    double n = g - 0x1.8p52;
    double v = __builtin_fma(-n, -0x1.dde973cp-27, __builtin_fma(-n, 0x1.921fb58p0, x));
    double v1 = __builtin_fma(-n, -0x1.cb3b398p-55, v);
    double dv = __builtin_fma(-n, -0x1.cb3b398p-55, v - v1);
    double v2 = __builtin_fma(-n, -0x1.d747f23e32ed7p-83, v1);
    dv = dv + __builtin_fma(-n, -0x1.d747f23e32ed7p-83, v1 - v2);

    double h = 0x1.921fb54442d18p0 - x;
    double h1 = h + 0x1.1a62633145c07p-54;
    double dh = h - h1 + 0x1.1a62633145c07p-54;

    uint64_t low = x < 0x1.b6p-1;
    uint64_t mid = x < 0x1.368fdp1;
    /* in the middle range -(pi/2 - x), so that it is quadrant 1 like the general one; cos is even */
    double ts = fanin_pick(low, x, fanin_pick(mid, -h1, v2));
    double ds = fanin_pick(low, 0.0, fanin_pick(mid, -dh, dv));
    double tc = fanin_pick(low, x, fanin_pick(mid, h, v2));
    double dc = fanin_pick(low, 0.0, fanin_pick(mid, 0x1.1a62633145c07p-54, dv));
    uint64_t quadrant = fanin_pick_bits(low, 0, fanin_pick_bits(mid, 1, fanin_f64_bits(g)));

    uint64_t row_s = fanin_sincos_row(ts), row_c = fanin_sincos_row(tc);
    *apart |= row_s ^ row_c;
    double a = fanin_sin_reduced(ts, ds, row_s);
    double b = fanin_cos_reduced(tc, dc, one_row ? row_s : row_c);
    uint64_t odd = quadrant & 1;
    return (struct fanin_sincos){
        fanin_f64_from_bits(fanin_pick_bits(odd, fanin_f64_bits(b), fanin_f64_bits(a)) ^ (quadrant & 2) << 62),
        fanin_f64_from_bits(fanin_pick_bits(odd, fanin_f64_bits(a), fanin_f64_bits(b)) ^ ((quadrant + 1) & 2) << 62)};
}

/* Any x; beyond 105414336, and for inf and NaN: NaN. The original reduces x with its sign; reducing |x| is the same,
 * since rounding to nearest is symmetric, its sine odd and its cosine even in every step. */
static inline struct fanin_sincos fanin_sincos(double x)
{
    double ax = __builtin_fabs(x);
    uint64_t valid = ax <= 105414336.0, apart = 0;
    struct fanin_sincos both = fanin_sincos_positive(fanin_pick(valid, ax, 0.0), false, &apart);
    double s = fanin_f64_from_bits(fanin_f64_bits(both.sin) ^ (fanin_f64_bits(x) & 0x8000000000000000));
    return (struct fanin_sincos){fanin_pick(valid, s, __builtin_nan("")),
                                 fanin_pick(valid, both.cos, __builtin_nan(""))};
}

static inline double fanin_sin(double x) { return fanin_sincos(x).sin; }

static inline double fanin_cos(double x) { return fanin_sincos(x).cos; }

/* ---- exp --------------------------------------------------------------------------------------------------------- */

/* e^(x + lo), |lo| at most some ulp of x. x = n ln2/128 + r; 2^(n/128) = T (1 + tail) from the table; e^(r + lo) - 1
 * by a polynomial. In the subnormal range T(1 + p) is rounded on the subnormal grid (by adding 1 in units of 2^-1022)
 * before it is scaled, so that it is rounded once. */
static inline double fanin_exp_sum(double x, double lo)
{
    const double *c = fanin_exp_poly;
    double ax = __builtin_fabs(x);

    if (__builtin_expect(!(ax >= 0x1p-54 && ax < 1024), 0)) {
        if (ax < 0x1p-54)
            return 1.0 + x;
        return x != x ? x + x : x > 0 ? __builtin_inf() : 0.0;
    }
    double g = __builtin_fma(x, 0x1.71547652b82fep7, 0x1.8p52);
    uint64_t n = fanin_f64_bits(g);
    g -= 0x1.8p52;
    double r = __builtin_fma(g, fanin_exp_reduce[1], __builtin_fma(g, fanin_exp_reduce[0], x)) + lo;
    uint64_t t = fanin_exp_table[n & 127][1] + (n << 45);
    double r2 = r * r;
    double p = fanin_f64_from_bits(fanin_exp_table[n & 127][0]) + r;
    p = __builtin_fma(__builtin_fma(c[1], r, c[0]), r2, p);
    p = __builtin_fma(r2 * r2, __builtin_fma(r, c[3], c[2]), p);

    if (__builtin_expect(ax < 512, 1)) {
        double scale = fanin_f64_from_bits(t);
        return __builtin_fma(scale, p, scale);
    }
    if (x > 0) { /* the exponent may have passed 1023: go down by 1009 and up again */
        double scale = fanin_f64_from_bits(t - ((uint64_t)1009 << 52));
        return __builtin_fma(scale, p, scale) * 0x1p1009;
    }
    double scale = fanin_f64_from_bits(t + ((uint64_t)1022 << 52));
    double part = scale * p;
    double y = scale + part;
    if (y < 1) {
        double lost = scale - y + part;
        double sum = 1.0 + y;
        lost = 1.0 - sum + y + lost;
        y = sum + lost - 1.0;
        y = y == 0 ? 0.0 : y; /* no -0 */
    }
    return y * 0x1p-1022;
}

/* e^x. Error < 0.511 ulp, 0.527 in the subnormal range. Compared: 6e8 arguments. */
static inline double fanin_exp(double x) { return fanin_exp_sum(x, 0.0); }

/* ---- pow(x, 2) --------------------------------------------------------------------------------------------------- */

/* pow(x, 2.0), the x ** 2 of Python: e^(2 log|x|), which is not always the double nearest to x^2, as x * x is.
 *
 * |x| = 2^k z, z in [0x1.69555p-1, 0x1.69555p0), c from the table: log|x| = k ln2 + log c + log1p(z/c - 1) in two
 * parts, where z/c - 1 is exact, k ln2hi + log c too (both lie on the grid of 2^-43). Each larger sum leaves its error
 * to the lower part. Twice both parts is exact, so what the original adds for the rounding of that product is zero.
 *
 * Outside [2^-600, 2^600] the result is 0, inf or NaN, and so is x * x.
 *
 * Error < 0.541 ulp: that of e^x, and at most 745 times the logarithm's 1.3 2^-68; 0.509 seen. 0.086 % of the results
 * are not the nearest double. Compared: 1.4e9 arguments. */
static inline double fanin_square(double x)
{
    const double *a = fanin_pow_log_poly;
    double ax = __builtin_fabs(x);

    if (__builtin_expect(!(ax >= 0x1p-600 && ax <= 0x1p600), 0))
        return x * x;
    uint64_t ix = fanin_f64_bits(ax);
    uint64_t t = ix - 0x3fe6955500000000 + 0x3ff0000000000000; /* exponent k + 1023, never negative */
    const double *row = fanin_pow_log_table[t >> 45 & 127];
    double k = fanin_f64_of_u52(t >> 52, 1023.0);
    double z = fanin_f64_from_bits(ix - (t & 0xfff0000000000000) + 0x3ff0000000000000);
    double r = __builtin_fma(z, row[0], -1.0);
    double w = __builtin_fma(k, 0x1.62e42fefa38p-1, row[1]);
    double head = w + r;
    double u = a[0] * r;
    double u2 = r * u;
    double hi = head + u2;
    double p = __builtin_fma(__builtin_fma(r, a[6], a[5]), u2, __builtin_fma(a[4], r, a[3]));
    p = __builtin_fma(u2, p, __builtin_fma(a[2], r, a[1]));
    double lo = __builtin_fma(k, 0x1.ef35793c7673p-45, row[2]) + (w - head + r);
    lo = lo + __builtin_fma(u, r, -u2) + (head - hi + u2);
    lo = __builtin_fma(r * u2, p, lo);
    double sum = hi + lo;
    return fanin_exp_sum(2.0 * sum, 2.0 * (hi - sum + lo));
}

/* ---- erf --------------------------------------------------------------------------------------------------------- */

/* erf x, fdlibm's method: x + x P/Q below 27/32, erx + P/Q about 1 below 5/4, 1 - exp(-x^2) (..R/S in 1/x^2..)/x to 6.
 * No fma: the library has one erf for all processors, but its exp is the one above. The polynomials are split in even
 * and odd pairs as there. Error < 1 ulp. Compared: 4.5e8 arguments. */
static inline double fanin_erf(double x)
{
    double ax = __builtin_fabs(x);

    if (ax < 0.84375) {
        if (ax < 0x1p-28) {
            if (ax < 0x1p-1015) /* x efx might be subnormal: in units of 1/16 */
                return 0.0625 * (16.0 * x + 0x1.06eba8214db69p1 * x);
            return x + 0x1.06eba8214db69p-3 * x;
        }
        const double *p = fanin_erf_small_p, *q = fanin_erf_small_q;
        double z = x * x, z2 = z * z, z4 = z2 * z2;
        double num = z2 * (p[3] * z + p[2]) + (p[1] * z + p[0]) + p[4] * z4;
        double den = (q[2] * z + q[1]) * z2 + (q[0] * z + 1.0) + (q[4] * z + q[3]) * z4;
        return num / den * x + x;
    }
    if (ax < 1.25) {
        const double *p = fanin_erf_mid_p, *q = fanin_erf_mid_q;
        double s = ax - 1.0, s2 = s * s, s4 = s2 * s2, s6 = s2 * s4;
        double num = (p[3] * s + p[2]) * s2 + (p[1] * s + p[0]) + (p[5] * s + p[4]) * s4 + p[6] * s6;
        double den = (q[2] * s + q[1]) * s2 + (q[0] * s + 1.0) + (q[4] * s + q[3]) * s4 + q[5] * s6;
        return __builtin_copysign(0x1.b0ac16p-1 + num / den, x);
    }
    if (!(ax < 6)) /* 1 - 1e-300 is 1 */
        return x != x ? x + x : __builtin_copysign(1.0, x);

    double s = 1.0 / (x * x), s2 = s * s, s4 = s2 * s2, s6 = s4 * s2;
    double num, den;
    if (ax < fanin_f64_from_bits(0x4006db6e00000000)) { /* 1/0.35 in its upper word */
        const double *r = fanin_erf_near_r, *q = fanin_erf_near_s;
        num = (r[3] * s + r[2]) * s2 + (r[1] * s + r[0]) + (r[5] * s + r[4]) * s4 + (r[7] * s + r[6]) * s6;
        den = (q[2] * s + q[1]) * s2 + (q[0] * s + 1.0) + (q[4] * s + q[3]) * s4 + (q[6] * s + q[5]) * s6 +
              s4 * s4 * q[7];
    } else {
        const double *r = fanin_erf_far_r, *q = fanin_erf_far_s;
        num = (r[3] * s + r[2]) * s2 + (r[1] * s + r[0]) + (r[5] * s + r[4]) * s4 + r[6] * s6;
        den = (q[2] * s + q[1]) * s2 + (q[0] * s + 1.0) + (q[4] * s + q[3]) * s4 + (q[6] * s + q[5]) * s6;
    }
    double z = fanin_f64_from_bits(fanin_f64_bits(ax) & 0xffffffff00000000); /* z^2 is exact */
    double y = fanin_exp((z - ax) * (z + ax) + num / den) * fanin_exp(-z * z - 0.5625);
    return __builtin_copysign(1.0 - y / ax, x);
}

/* ---- the float functions, in double arithmetic ------------------------------------------------------------------- */

/* log x; -inf at +-0, NaN below. The method of fanin_log with 16 parts and a cubic. Error < 0.818 float ulp.
 * Compared: all floats. */
static inline float fanin_logf(float x)
{
    double bias = 127.0;
    if (__builtin_expect(!(x >= 0x1p-126f && x <= 0x1.fffffep127f), 0)) {
        if (x == 0)
            return -__builtin_inff();
        if (!(x > 0))
            return __builtin_nanf("");
        if (x > 1)
            return x;
        x *= 0x1p23f;
        bias += 23.0;
    }
    const double *p = fanin_logf_poly;
    uint32_t ix = fanin_f32_bits(x);
    uint32_t t = ix - 0x3f330000 + 0x3f800000; /* exponent k + 127 */
    uint32_t i = t >> 19 & 15;
    double k = fanin_f64_of_u52(t >> 23, bias);
    double z = fanin_f32_from_bits(ix - (t & 0xff800000) + 0x3f800000);
    double r = __builtin_fma(z, fanin_logf_table[i][0], -1.0);
    double w = __builtin_fma(k, 0x1.62e42fefa39efp-1, fanin_logf_table[i][1]);
    double r2 = r * r;
    double q = __builtin_fma(r2, p[0], __builtin_fma(p[1], r, p[2]));
    return (float)__builtin_fma(r2, q, r + w);
}

/* e^x, by 2^(n/32) and a cubic. Error < 0.502 float ulp. Compared: all floats. */
static inline float fanin_expf(float x)
{
    if (__builtin_expect(!(x >= -0x1.9fe368p6f && x <= 0x1.62e42ep6f),
                         0)) /* ln of the least and of the largest float */
        return x != x ? x + x : x > 0 ? __builtin_inff() : 0.0f;
    const double *p = fanin_expf_poly;
    double g = __builtin_fma(0x1.71547652b82fep5, (double)x, 0x1.8p52);
    uint64_t n = fanin_f64_bits(g);
    double r = __builtin_fma(0x1.71547652b82fep5, (double)x, -(g - 0x1.8p52));
    double scale = fanin_f64_from_bits(fanin_expf_table[n & 31] + (n << 47));
    double r2 = r * r;
    double y = __builtin_fma(__builtin_fma(p[0], r, p[1]), r2, __builtin_fma(r, p[2], 1.0));
    return (float)(y * scale);
}

/* erf x: fdlibm's method in float arithmetic, as erf above but by Horner's rule. Error < 1 float ulp.
 * Compared: all floats. */
static inline float fanin_erff(float x)
{
    float ax = __builtin_fabsf(x);
    const float *p, *q;

    if (ax < 0.84375f) {
        if (ax < 0x1p-28f)
            return ax < 0x1p-119f ? 0.0625f * (16.0f * x + 0x1.06eba8p1f * x) : x + 0x1.06eba8p-3f * x;
        p = fanin_erff_small_p, q = fanin_erff_small_q;
        float z = x * x;
        float num = (((p[4] * z + p[3]) * z + p[2]) * z + p[1]) * z + p[0];
        float den = ((((q[5] * z + q[4]) * z + q[3]) * z + q[2]) * z + q[1]) * z + q[0];
        return num / den * x + x;
    }
    if (ax < 1.25f) {
        p = fanin_erff_mid_p, q = fanin_erff_mid_q;
        float s = ax - 1.0f;
        float num = (((((p[6] * s + p[5]) * s + p[4]) * s + p[3]) * s + p[2]) * s + p[1]) * s + p[0];
        float den = (((((q[6] * s + q[5]) * s + q[4]) * s + q[3]) * s + q[2]) * s + q[1]) * s + q[0];
        return __builtin_copysignf(0x1.b0ac16p-1f + num / den, x);
    }
    if (!(ax < 6))
        return x != x ? x + x : __builtin_copysignf(1.0f, x);

    float s = 1.0f / (x * x);
    float num, den;
    if (ax < 0x1.6db6dcp1f) { /* 1/0.35 */
        p = fanin_erff_near_r, q = fanin_erff_near_s;
        num = ((((((p[7] * s + p[6]) * s + p[5]) * s + p[4]) * s + p[3]) * s + p[2]) * s + p[1]) * s + p[0];
        den =
            (((((((q[8] * s + q[7]) * s + q[6]) * s + q[5]) * s + q[4]) * s + q[3]) * s + q[2]) * s + q[1]) * s + q[0];
    } else {
        p = fanin_erff_far_r, q = fanin_erff_far_s;
        num = (((((p[6] * s + p[5]) * s + p[4]) * s + p[3]) * s + p[2]) * s + p[1]) * s + p[0];
        den = ((((((q[7] * s + q[6]) * s + q[5]) * s + q[4]) * s + q[3]) * s + q[2]) * s + q[1]) * s + q[0];
    }
    float z = fanin_f32_from_bits(fanin_f32_bits(ax) & 0xfffff000); /* z^2 is exact */
    float y = fanin_expf((z - ax) * (z + ax) + num / den) * fanin_expf(-z * z - 0.5625f);
    return __builtin_copysignf(1.0f - y / ax, x);
}

struct fanin_sincosf {
    float sin, cos;
};

/* Both functions of one angle, |x| < 120 (beyond, and for inf and NaN: NaN). One reduction by pi/2 in double suffices.
 * The original returns x or 1 below 2^-12 and skips the reduction below 0.75; there n = 0 and the polynomials give the
 * same (x^3/6 and x^2/2 are below half an ulp). Error < 0.562 float ulp. Compared: all floats below 120, with sinf and
 * cosf; sincosf gives the same. */
static inline struct fanin_sincosf fanin_sincosf(float x)
{
    const double *s = fanin_sinf_poly, *c = fanin_cosf_poly;
    uint64_t valid = __builtin_fabsf(x) < 120.0f;
    double d = valid ? (double)x : 0.0;
    int32_t n = ((int32_t)(d * 0x1.45f306dc9c883p23) + 0x800000) >> 24;
    double r = __builtin_fma(-(double)n, 0x1.921fb54442d18p0, d);
    double r2 = r * r, r3 = r * r2, r4 = r2 * r2;
    double a = __builtin_fma(__builtin_fma(s[2], r2, s[1]), r2 * r3, __builtin_fma(r3, s[0], r));
    double b = __builtin_fma(r4, c[2], __builtin_fma(c[1], r2, c[0]));
    b = __builtin_fma(__builtin_fma(c[4], r2, c[3]), r2 * r4, b);
    double ys = n & 1 ? b : a;
    double yc = n & 1 ? a : b;
    ys = n & 2 ? -ys : ys;
    yc = (n + 1) & 2 ? -yc : yc;
    struct fanin_sincosf y = {x == 0 ? x : (float)ys, (float)yc};
    y.sin = valid ? y.sin : __builtin_nanf("");
    y.cos = valid ? y.cos : __builtin_nanf("");
    return y;
}

static inline float fanin_sinf(float x) { return fanin_sincosf(x).sin; }

static inline float fanin_cosf(float x) { return fanin_sincosf(x).cos; }

#endif
