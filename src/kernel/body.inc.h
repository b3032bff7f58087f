/* SPDX-License-Identifier: MIT */
/*
 * The numeric text: every kernel once, in the vocabulary that the including stub has chosen.
 *
 * The stub defines KERNEL_TABLE and KERNEL_NAME, includes a vocabulary, and may define UNFUSED to 1: then a
 * "contracted" multiply-add (vf_madd) rounds the product first, as builds of torch without contraction do. Where torch
 * itself calls fma the text says vf_fma.
 *
 * Source of every formula: PyTorch's CPU kernels as verified on its wheels (docs/compatibility.md); the polynomials are
 * Cephes' logf, sinf, cosf in the operation order of the AVX2 kernels that PyTorch ships.
 */
#include "kernel/kernel.h"
#include "kernel/math64.inc.h"

#ifndef UNFUSED
#define UNFUSED 0
#endif

#if UNFUSED
static inline vf vf_madd(vf a, vf b, vf c) { return vf_add(vf_mul(a, b), c); }
static inline vf vf_mnsub(vf a, vf b, vf c) { return vf_sub(vf_mul(a, vf_sub(vf_set1(0.0f), b)), c); }
static inline vd vd_madd(vd a, vd b, vd c) { return vd_add(vd_mul(a, b), c); }
static inline double madd(double a, double b, double c) { return a * b + c; }
#else
static inline vf vf_madd(vf a, vf b, vf c) { return vf_fma(a, b, c); }
static inline vf vf_mnsub(vf a, vf b, vf c) { return vf_fnmsub(a, b, c); } /* -(a b) - c */
static inline vd vd_madd(vd a, vd b, vd c) { return vd_fma(a, b, c); }
static inline double madd(double a, double b, double c) { return __builtin_fma(a, b, c); }
#endif

enum { MT_N = FANIN_MT19937_NWORDS, MT_M = 397 };

/*
 * Linear form of the recurrence: x[i + 624] depends on x[i], x[i + 1] and x[i + 397], all at least 227 words behind, so
 * whole vectors of up to 16 lanes never read what they write. 624 is a multiple of 16.
 */
static inline vu mt_next(const uint32_t *x, vu first)
{
    vu next = vu_once(vu_load(x + 1));
    vu joined = vu_choose(vu_set1(0x80000000), first, next);
    return vu_xor3(vu_load(x + MT_M), vu_shr(joined, 1), vu_if_odd(next, 0x9908b0df));
}

static inline void mt_step(uint32_t *x, vu first) { vu_store(x + MT_N, mt_next(x, first)); }

/* For kernels that have other things to do meanwhile. */
static inline void mt_steps(uint32_t *x, size_t n)
{
    for (size_t i = 0; i < n; i += W)
        mt_step(x + i, vu_load(x + i));
}

static void mt_generate(uint32_t *x, size_t n)
{
    size_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        vu a = mt_next(x + i, vu_load(x + i)), b = mt_next(x + i + W, vu_load(x + i + W));
        vu_store(x + i + MT_N, a);
        vu_store(x + i + W + MT_N, b);
    }
    mt_steps(x + i, n - i);
}

/* All but the last step, y ^ y >> 18, which what takes the word may join with a mask. */
static inline vu vu_temper_but_last(vu y)
{
    y = vu_xor(y, vu_shr(y, 11));
    y = vu_xor_and(y, vu_shl(y, 7), vu_set1(0x9d2c5680));
    return vu_xor_and(y, vu_shl(y, 15), vu_set1(0xefc60000));
}

static inline vu vu_temper(vu y)
{
    y = vu_temper_but_last(y);
    return vu_xor(y, vu_shr(y, 18));
}

static inline vu vu_temper_masked(vu y, vu mask)
{
    y = vu_temper_but_last(y);
    return vu_xor_masked(y, vu_shr(y, 18), mask);
}

/* One word of any variant, for what is left of a count that is no multiple of W. */
static inline uint32_t temper_one(uint32_t y)
{
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ y >> 18;
}

static void mt_temper(uint32_t *words, const uint32_t *raw, size_t n)
{
    size_t i = 0;
    for (; i + W <= n; i += W)
        vu_store(words + i, vu_temper(vu_load(raw + i)));
    for (; i < n; i++)
        words[i] = temper_one(raw[i]);
}

/*
 * A vector of these loops has no division of integers, so the quotient is that of floats where it is below 2^20. Its
 * error is then below 2^-2 by four roundings, and 2^-4 more by the 8 bits that the word goes without: it is off by one
 * at most, and one sum and one difference put that right. A remainder below 0 or from range on is the greater one
 * modulo 2^32.
 */
static void mt_remainders(uint32_t *remainders, const uint32_t *raw, size_t n, uint32_t range)
{
    enum { LEAST = 1 << 12 };
    const size_t nfast = range <= LEAST ? 0 : range - LEAST < n ? range - LEAST : n;
    mt_temper(remainders, raw, n);
    for (size_t i = 0; i < nfast; i++) {
        const uint32_t word = remainders[i], divisor = range - (uint32_t)i;
        const float quotient = (float)(int32_t)(word >> 8) * (256.0f / (float)(int32_t)divisor);
        uint32_t rest = word - (uint32_t)(int32_t)quotient * divisor;
        rest = rest + divisor < rest ? rest + divisor : rest;
        remainders[i] = rest - divisor < rest ? rest - divisor : rest;
    }
    for (size_t i = nfast; i < n; i++)
        remainders[i] %= range - (uint32_t)i;
}

/* ---- jumps ---- */

/* In strips whose sums stay in registers: 624 = 13 vectors of 16 lanes 3 times, of 8 lanes 6 times. */
static void mt_add(uint32_t *sum, const uint32_t *x, const uint16_t *at, size_t n)
{
    enum { STRIP = 13 };
    for (size_t j = 0; j < MT_N; j += STRIP * W) {
        vu strip[STRIP];
        for (size_t k = 0; k < STRIP; k++)
            strip[k] = vu_load(sum + j + k * W);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < STRIP; k++)
                strip[k] = vu_xor(strip[k], vu_load(x + at[i] + j + k * W));
        for (size_t k = 0; k < STRIP; k++)
            vu_store(sum + j + k * W, strip[k]);
    }
}

/* 32 bits to 64, a zero after each: squaring over GF(2) */
static inline uint64_t spread(uint32_t half)
{
    uint64_t x = half;
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0f;
    x = (x | x << 2) & 0x3333333333333333;
    return (x | x << 1) & 0x5555555555555555;
}

/*
 * acc ^= the 512 bits of q from bit `at` on. The sums stay in registers: a reduction that writes every shifted term
 * would read back at other alignments what it just wrote.
 */
static inline void add_shifted(vq acc[8 / D], const uint64_t *q, size_t at)
{
    const uint64_t *from = q + at / 64;
    unsigned bit = at % 64;
    for (size_t k = 0; k < 8 / D; k++) {
        vq low = vq_load(from + k * D), high = vq_load(from + k * D + 1);
        acc[k] = vq_xor(acc[k], vq_funnel(low, high, bit));
    }
}

/*
 * With p(t) = t^19937 + sum of terms t^e, the square is high t^19937 + low. The quotient q is found from the top, 512
 * bits at a time, q = high + sum of q >> (19937 - e), for which the bits needed are at least 623 above; the rest is low
 * + sum of q << e, cut off at t^19937.
 */
static void mt_square(uint64_t *polynomial, unsigned shift, const uint16_t *terms, size_t nterms)
{
    enum { DEGREE = FANIN_JUMP_DEGREE, N = FANIN_JUMP_NWORDS, TOP = DEGREE / 64, KEPT = DEGREE % 64, SPAN = 8 };
    uint64_t wide[2 * N + 2] = {0}, memory[N + SPAN + N + N + 2 * SPAN] = {0};
    uint64_t *q = memory + N + SPAN; /* zeros on both sides: coefficients that are not there */
    for (size_t i = 0; i < N; i++) {
        wide[2 * i] = spread((uint32_t)polynomial[i]);
        wide[2 * i + 1] = spread((uint32_t)(polynomial[i] >> 32));
    }
    if (shift)
        for (size_t i = 2 * N; i-- > 0;)
            wide[i] = wide[i] << 1 | (i > 0 ? wide[i - 1] >> 63 : 0);
    for (size_t span = N / SPAN; span-- > 0;) {
        vq acc[SPAN / D];
        memset(acc, 0, sizeof acc);
        add_shifted(acc, wide + TOP, 64 * SPAN * span + KEPT);
        for (size_t i = nterms; i-- > 0;) {
            size_t at = 64 * SPAN * span + DEGREE - terms[i];
            if (at >= 64 * N)
                break;
            add_shifted(acc, q, at);
        }
        for (size_t k = 0; k < SPAN / D; k++)
            vq_store(q + span * SPAN + k * D, acc[k]);
    }
    wide[TOP] &= ((uint64_t)1 << KEPT) - 1;
    for (size_t span = 0; span < N / SPAN; span++) {
        vq acc[SPAN / D];
        for (size_t k = 0; k < SPAN / D; k++)
            acc[k] = vq_load(wide + span * SPAN + k * D);
        for (size_t i = 0; i < nterms && terms[i] < 64 * SPAN * (span + 1); i++)
            add_shifted(acc, memory, 64 * (SPAN * span + N + SPAN) - terms[i]);
        for (size_t k = 0; k < SPAN / D; k++)
            vq_store(polynomial + span * SPAN + k * D, acc[k]);
    }
    polynomial[TOP] &= ((uint64_t)1 << KEPT) - 1;
}

/* ---- uniform ---- */

/*
 * What a rule allows to leave out: `folded`, range 2^-bits is exact, so one product is enough; `open`, no value comes
 * to be the upper bound.
 */
struct uniform_shortcuts {
    bool folded, open;
};

static inline vf uniform_lanes(vu raw, const struct fanin_uniform_f32 *rule, struct uniform_shortcuts can)
{
    vf x = vf_from_int(vu_temper_masked(raw, vu_set1(rule->mask)));
    vf v = can.folded ? vf_madd(x, vf_set1(rule->range * rule->scale), vf_set1(rule->from))
                      : vf_madd(vf_mul(x, vf_set1(rule->scale)), vf_set1(rule->range), vf_set1(rule->from));
    return can.open ? v : vf_select(vf_lt(v, vf_set1(rule->upper)), v, vf_set1(rule->from));
}

/*
 * Two vectors a step. The words of a short last step go through memory of its own: same operations, same bits. Inlined
 * whatever it costs: gcc would rather ask in each step what is the same in all.
 */
#define DEFINE_UNIFORM_RUN(name, type, store2)                                                                         \
    __attribute__((always_inline)) static inline void name(type *out, uint32_t *raw, size_t n,                         \
                                                           const struct fanin_uniform_f32 *rule,                       \
                                                           struct uniform_shortcuts can, bool running)                 \
    {                                                                                                                  \
        enum { STEP = 2 * W };                                                                                         \
        const struct fanin_uniform_f32 r = *rule; /* stores cannot change it */                                        \
        size_t i = 0;                                                                                                  \
        if (running) {                                                                                                 \
            for (; i + STEP <= n; i += STEP) {                                                                         \
                vu a = vu_load(raw + i), b = vu_load(raw + i + W);                                                     \
                mt_step(raw + i, a);                                                                                   \
                mt_step(raw + i + W, b);                                                                               \
                store2(out + i, out + i + W, uniform_lanes(a, &r, can), uniform_lanes(b, &r, can));                    \
            }                                                                                                          \
            mt_generate(raw + i, n - i);                                                                               \
        }                                                                                                              \
        for (; i + STEP <= n; i += STEP)                                                                               \
            store2(out + i, out + i + W, uniform_lanes(vu_load(raw + i), &r, can),                                     \
                   uniform_lanes(vu_load(raw + i + W), &r, can));                                                      \
        if (i < n) {                                                                                                   \
            uint32_t last[STEP] = {0};                                                                                 \
            _Alignas(W * 4) type made[STEP];                                                                           \
            memcpy(last, raw + i, (n - i) * sizeof *last);                                                             \
            store2(made, made + W, uniform_lanes(vu_load(last), &r, can), uniform_lanes(vu_load(last + W), &r, can));  \
            memcpy(out + i, made, (n - i) * sizeof *made);                                                             \
        }                                                                                                              \
    }
DEFINE_UNIFORM_RUN(uniform_run_f32, float, vf_store2)
DEFINE_UNIFORM_RUN(uniform_run_f32_bypass, float, vf_store2_bypass)
DEFINE_UNIFORM_RUN(uniform_run_bf16, uint16_t, vf_store2_bf16)
DEFINE_UNIFORM_RUN(uniform_run_f16, uint16_t, vf_store2_f16)

/* A loop for each case that is met: a subnormal product would be rounded, and is rare. */
#define DEFINE_UNIFORM(name, run, type)                                                                                \
    static void name(type *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running)           \
    {                                                                                                                  \
        if (rule->range != 0 && fabsf(rule->range) * rule->scale < 0x1p-126f)                                          \
            run(out, raw, n, rule, (struct uniform_shortcuts){false, false}, running);                                 \
        else if (rule->upper == INFINITY)                                                                              \
            run(out, raw, n, rule, (struct uniform_shortcuts){true, true}, running);                                   \
        else                                                                                                           \
            run(out, raw, n, rule, (struct uniform_shortcuts){true, false}, running);                                  \
    }
DEFINE_UNIFORM(uniform_f32, uniform_run_f32, float)
DEFINE_UNIFORM(uniform_f32_aligned, uniform_run_f32_bypass, float)
DEFINE_UNIFORM(uniform_bf16, uniform_run_bf16, uint16_t)
DEFINE_UNIFORM(uniform_f16, uniform_run_f16, uint16_t)

/* Stores past the caches begin where a line does: what is before is stored as ever. */
static void uniform_f32_bypass(float *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running)
{
    size_t head = (0 - (uintptr_t)out) % FANIN_LINE_NBYTES / sizeof *out;
    if (head > n)
        head = n;
    uniform_f32(out, raw, head, rule, running);
    uniform_f32_aligned(out + head, raw + head, n - head, rule, running);
}

/* ---- constant ---- */

/* Whole lines of 64 bytes where a cache has them; the pattern turns with what is before the first. */
#define DEFINE_FILL(name, store)                                                                                       \
    static void name(void *out, uint64_t pattern, size_t nbytes)                                                       \
    {                                                                                                                  \
        enum { LINE = FANIN_LINE_NBYTES };                                                                             \
        uint8_t *p = out;                                                                                              \
        size_t head = (0 - (uintptr_t)out) % LINE;                                                                     \
        uint64_t line[LINE / 8];                                                                                       \
        if (head > nbytes)                                                                                             \
            head = nbytes;                                                                                             \
        for (size_t k = 0; k < LINE / 8; k++)                                                                          \
            line[k] = pattern;                                                                                         \
        memcpy(p, line, head);                                                                                         \
        if (head % 8 != 0)                                                                                             \
            pattern = pattern >> 8 * (head % 8) | pattern << (64 - 8 * (head % 8));                                    \
        const vq v = vq_set1(pattern);                                                                                 \
        for (p += head, nbytes -= head; nbytes >= LINE; p += LINE, nbytes -= LINE)                                     \
            for (size_t k = 0; k < LINE / 8; k += D)                                                                   \
                store((uint64_t *)(void *)p + k, v);                                                                   \
        for (size_t k = 0; k < LINE / 8; k++)                                                                          \
            line[k] = pattern;                                                                                         \
        memcpy(p, line, nbytes);                                                                                       \
    }
DEFINE_FILL(fill, vq_store)
DEFINE_FILL(fill_bypass, vq_store_bypass)

static void fence(void) { vu_fence(); }

static void uniform_f64(double *out, const uint32_t *raw, size_t n, const struct fanin_uniform_f64 *rule)
{
    enum { CHUNK = 128 };
    uint32_t words[2 * CHUNK];
    const vd from = vd_set1(rule->from), range = vd_set1(rule->range), unit = vd_set1(0x1p-53);
    const vd upper = vd_set1(rule->upper);
    for (size_t done = 0; done < n; done += CHUNK) {
        size_t m = n - done < CHUNK ? n - done : CHUNK;
        double last[CHUNK], *made = m == CHUNK ? out + done : last;
        mt_temper(words, raw + 2 * done, 2 * m);
        for (size_t i = 2 * m; i < 2 * CHUNK && i % (2 * D) != 0; i++)
            words[i] = 0;
        for (size_t i = 0; i < m; i += D) {
            vd v = vd_madd(vd_mul(vd_from_words53(words + 2 * i), unit), range, from);
            will_store(made + i);
            vd_store(made + i, vd_select(vd_eq(v, upper), from, v));
        }
        if (made == last)
            memcpy(out + done, made, m * sizeof *made);
    }
}

/* ---- normal: Box-Muller on blocks of 16, radii from the first 8 draws, angles from the last 8 ---- */

/*
 * A value is a chain of some 110 cycles, of which a core that looks 100 operations ahead (Intel's do) sees two at once
 * and waits half the time. So each step is taken of TOGETHER vectors before the next one: that many chains are side by
 * side in the program already. More would not fit into the registers.
 */
enum { TOGETHER = 4 };
#define EACH(k) _Pragma("GCC unroll 4") for (size_t k = 0; k < n; k++)

/*
 * -2 ln x for 2^-24 <= x <= 1, -0 at 1. Cephes' polynomial for ln m + exponent ln 2, m in [sqrt(1/2), sqrt(2)), with
 * every coefficient doubled: that is exact, so the roundings are those of ln x times -2. m and its exponent come from
 * the bits, the polynomial's argument m - 1 is exact. The exponent stays where it was in the bits, times 2^23, and its
 * coefficients are 2^-23 of the original's.
 */
__attribute__((always_inline)) static inline void minus_2_log_lanes(vf *x, const size_t n)
{
    const vu root_half = vu_set1(0x3f3504f3);
    vf exponent[TOGETHER], t[TOGETHER], y[TOGETHER];
    EACH(k)
    {
        vu bits = vu_bits(x[k]);
        vu above = vu_and(vu_sub(bits, root_half), vu_set1(0xff800000));
        exponent[k] = vf_from_int(above);
        t[k] = vf_sub(vf_bits(vu_sub(bits, above)), vf_set1(1.0f));
    }
    EACH(k) y[k] = vf_madd(vf_set1(0x1.204376p-3f), t[k], vf_set1(-0x1.d7a370p-3f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(0x1.de4a34p-3f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(-0x1.fcba9ep-3f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(0x1.23d37ep-2f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(-0x1.555ca0p-2f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(0x1.999d58p-2f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(-0x1.fffff8p-2f));
    EACH(k) y[k] = vf_madd(y[k], t[k], vf_set1(0x1.555554p-1f));
    EACH(k) y[k] = vf_mul(y[k], t[k]);
    EACH(k)
    {
        vf z = vf_mul(t[k], t[k]);
        y[k] = vf_sub(vf_madd(y[k], z, vf_mul(exponent[k], vf_set1(-0x1.bd0106p-35f))), z);
    }
    EACH(k) y[k] = vf_fma(t[k], vf_set1(2.0f), y[k]);
    EACH(k) x[k] = vf_mnsub(exponent[k], vf_set1(0x1.63p-23f), y[k]);
}

/*
 * sin x and cos x for x = 2 pi w 2^-24, w of 24 bits, after reduction by quarter turns. The original takes the nearest
 * quarter from x; from w it is the same for all w, and needs no conversion. It subtracts quarters in three steps, of
 * which the first two are exact: x and what they leave are multiples of 2^-24 where there is a quarter to subtract, and
 * below 1. Their constants sum up to 23 bits, so one fma takes both. What is left of x is never -0, and zero at x = 0
 * only. 2 pi 2^-24 is a power of two times 2 pi: the product is rounded as it is there.
 *
 * The cosine's polynomial a is -2 times the original's: 1 - z / 2 + a z comes out of two fma as it is rounded there.
 */
__attribute__((always_inline)) static inline void sincos_lanes(const vu *w, vf *sine, vf *cosine, const size_t n)
{
    const vu sign = vu_set1(0x80000000);
    vu turned[TOGETHER]; /* by an eighth; then two bits from 22 on are the quarter, modulo 4 */
    vf x[TOGETHER], y[TOGETHER], z[TOGETHER], a[TOGETHER], b[TOGETHER];
    EACH(k) x[k] = vf_mul(vf_from_int(w[k]), vf_set1(0x1.921fb6p-22f));
    EACH(k) turned[k] = vu_add(w[k], vu_set1(0x200000));
    EACH(k) y[k] = vf_from_int(vu_shr(turned[k], 22));
    EACH(k) x[k] = vf_fma(y[k], vf_set1(-0x1.921fb4p+0f), x[k]);
    EACH(k) x[k] = vf_madd(y[k], vf_set1(-0x1.4442d2p-24f), x[k]);
    EACH(k) z[k] = vf_mul(x[k], x[k]);
    EACH(k) a[k] = vf_madd(vf_set1(-0x1.99eb9cp-15f), z[k], vf_set1(0x1.6c0c34p-9f));
    EACH(k) b[k] = vf_madd(vf_set1(-0x1.9943f2p-13f), z[k], vf_set1(0x1.11073cp-7f));
    EACH(k) a[k] = vf_madd(a[k], z[k], vf_set1(-0x1.55554ap-4f));
    EACH(k) b[k] = vf_madd(b[k], z[k], vf_set1(-0x1.555546p-3f));
    EACH(k) a[k] = vf_mul(a[k], z[k]);
    EACH(k) b[k] = vf_mul(b[k], z[k]);
    EACH(k) a[k] = vf_mnsub(a[k], z[k], z[k]);
    EACH(k) b[k] = vf_madd(b[k], x[k], x[k]);
    EACH(k) a[k] = vf_fma(a[k], vf_set1(0.5f), vf_set1(1.0f));
    EACH(k)
    {
        vu s = vu_bits(vf_select_bit(turned[k], 22, a[k], b[k]));
        vu c = vu_bits(vf_select_bit(turned[k], 22, b[k], a[k]));
        /* the sine is negative in the upper half turn, the cosine in that which begins a quarter before */
        vu half = vu_shl(turned[k], 8);
        sine[k] = vf_bits(vu_xor_and(s, half, sign));
        cosine[k] = vf_bits(vu_xor_and(c, vu_add(half, vu_set1(0x40000000)), sign));
    }
}

/* The first halves of blocks, and the second ones; u1 = 1 - word 2^-24 is exact. */
__attribute__((always_inline)) static inline void normal_lanes(const vu *raw1, const vu *raw2, vf mean, vf std,
                                                               vf *first, vf *second, const size_t n)
{
    const vu mask = vu_set1(0xffffff);
    vu angle[TOGETHER];
    vf radius[TOGETHER], sine[TOGETHER], cosine[TOGETHER];
    EACH(k)
    {
        angle[k] = vu_temper_masked(raw2[k], mask);
        radius[k] = vf_fma(vf_from_int(vu_temper_masked(raw1[k], mask)), vf_set1(-0x1p-24f), vf_set1(1.0f));
    }
    minus_2_log_lanes(radius, n);
    EACH(k) radius[k] = vf_sqrt(radius[k]);
    sincos_lanes(angle, sine, cosine, n);
    EACH(k)
    {
        first[k] = vf_fma(vf_mul(radius[k], cosine[k]), std, mean);
        second[k] = vf_fma(vf_mul(radius[k], sine[k]), std, mean);
    }
}

/* Vectors of 16 lanes take two blocks at once; an odd last one goes through a pair on the side. */
enum {
    PAIR_BLOCKS = W > 8 ? W / 8 : 1,
    PAIR_STEP = W > 8 ? 8 : W,
    PAIR = PAIR_BLOCKS * FANIN_NORMAL_BLOCK,
    GROUP = TOGETHER * PAIR
};

#define DEFINE_NORMAL(name, type, store_halves)                                                                        \
    __attribute__((always_inline)) static inline void name##_pairs(type *out, const uint32_t *raw, vf mean, vf std,    \
                                                                   const size_t n)                                     \
    {                                                                                                                  \
        for (size_t j = 0; j < 8; j += PAIR_STEP) {                                                                    \
            vu raw1[TOGETHER], raw2[TOGETHER];                                                                         \
            vf first[TOGETHER], second[TOGETHER];                                                                      \
            EACH(k) vu_load_halves(raw + k * PAIR, j, &raw1[k], &raw2[k]);                                             \
            normal_lanes(raw1, raw2, mean, std, first, second, n);                                                     \
            EACH(k) store_halves(out + k * PAIR, j, first[k], second[k]);                                              \
        }                                                                                                              \
    }                                                                                                                  \
    static void name(type *out, uint32_t *raw, size_t nblocks, float mean, float std, bool running)                    \
    {                                                                                                                  \
        const vf m = vf_set1(mean), s = vf_set1(std);                                                                  \
        const size_t n = nblocks * FANIN_NORMAL_BLOCK;                                                                 \
        size_t i = 0;                                                                                                  \
        if (running) {                                                                                                 \
            for (; i + GROUP <= n; i += GROUP) {                                                                       \
                mt_steps(raw + i, GROUP);                                                                              \
                name##_pairs(out + i, raw + i, m, s, TOGETHER);                                                        \
            }                                                                                                          \
            mt_generate(raw + i, n - i);                                                                               \
        }                                                                                                              \
        for (; i + GROUP <= n; i += GROUP)                                                                             \
            name##_pairs(out + i, raw + i, m, s, TOGETHER);                                                            \
        for (; i + PAIR <= n; i += PAIR)                                                                               \
            name##_pairs(out + i, raw + i, m, s, 1);                                                                   \
        if (i < n) {                                                                                                   \
            uint32_t last[PAIR] = {0};                                                                                 \
            _Alignas(FANIN_LINE_NBYTES) type made[PAIR];                                                               \
            memcpy(last, raw + i, (n - i) * sizeof *last);                                                             \
            name##_pairs(made, last, m, s, 1);                                                                         \
            memcpy(out + i, made, (n - i) * sizeof *made);                                                             \
        }                                                                                                              \
    }
DEFINE_NORMAL(normal_f32, float, vf_store_halves_f32)
DEFINE_NORMAL(normal_bf16_finite, uint16_t, vf_store_halves_bf16)
DEFINE_NORMAL(normal_f16_finite, uint16_t, vf_store_halves_f16)

/* NaN comes out only if mean or std is not finite: then the conversion that knows NaN is taken, a block at a time. */
#define DEFINE_NORMAL_16(name, from_f32)                                                                               \
    static void name(uint16_t *out, uint32_t *raw, size_t nblocks, float mean, float std, bool running)                \
    {                                                                                                                  \
        if (isfinite(mean) && isfinite(std)) {                                                                         \
            name##_finite(out, raw, nblocks, mean, std, running);                                                      \
            return;                                                                                                    \
        }                                                                                                              \
        for (size_t i = 0; i < nblocks; i++) {                                                                         \
            float block[FANIN_NORMAL_BLOCK];                                                                           \
            normal_f32(block, raw + i * FANIN_NORMAL_BLOCK, 1, mean, std, running);                                    \
            for (size_t j = 0; j < FANIN_NORMAL_BLOCK; j++)                                                            \
                out[i * FANIN_NORMAL_BLOCK + j] = from_f32(block[j]);                                                  \
        }                                                                                                              \
    }
DEFINE_NORMAL_16(normal_bf16, fanin_bf16_from_f32)
DEFINE_NORMAL_16(normal_f16, fanin_f16_from_f32)

/*
 * The double functions are plain C without branches: compilers make vectors of these loops over arrays that stay in
 * cache, if their length is a constant: what a short last run makes too much is dropped. Angles are below 2 pi and
 * uniforms in [0, 1), so the functions' special cases do not occur.
 */
enum { RUN = 64 };

/* Inlined, since only with one_row known is it a loop without branches. */
__attribute__((always_inline)) static inline uint64_t box_muller_run(const double *radius_squared, const double *angle,
                                                                     double *cosine, double *sine, bool one_row)
{
    uint64_t apart = 0;
    for (size_t i = 0; i < RUN; i++) {
        struct fanin_sincos both = fanin_sincos_positive(0x1.921fb54442d18p+2 * angle[i], one_row, &apart);
        double radius = sqrt(radius_squared[i]);
        cosine[i] = radius * both.cos;
        sine[i] = radius * both.sin;
    }
    return apart;
}

static void box_muller_f64(const double *radius_squared, const double *angle, double *cosine, double *sine)
{
    if (box_muller_run(radius_squared, angle, cosine, sine, true) != 0)
        box_muller_run(radius_squared, angle, cosine, sine, false);
}

static void normal_f64(double *out, const uint32_t *raw, size_t nblocks, double mean, double std)
{
    enum { HALF = FANIN_NORMAL_HALF, BLOCKS = RUN / HALF };
    for (size_t done = 0; done < nblocks; done += BLOCKS) {
        size_t blocks = nblocks - done < BLOCKS ? nblocks - done : BLOCKS;
        uint32_t words[BLOCKS * 2 * FANIN_NORMAL_BLOCK] = {0};
        double u[BLOCKS * FANIN_NORMAL_BLOCK], first[RUN], second[RUN], squared[RUN], cosine[RUN], sine[RUN];
        mt_temper(words, raw + done * 2 * FANIN_NORMAL_BLOCK, blocks * 2 * FANIN_NORMAL_BLOCK);
        for (size_t i = 0; i < BLOCKS * FANIN_NORMAL_BLOCK; i += D)
            vd_store(u + i, vd_mul(vd_from_words53(words + 2 * i), vd_set1(0x1p-53)));
        for (size_t b = 0; b < BLOCKS; b++) {
            memcpy(first + b * HALF, u + b * FANIN_NORMAL_BLOCK, HALF * sizeof *u);
            memcpy(second + b * HALF, u + b * FANIN_NORMAL_BLOCK + HALF, HALF * sizeof *u);
        }
        /* not in place: clang 14 sees a dependence there, and makes no vectors */
        for (size_t i = 0; i < RUN; i++)
            squared[i] = -2.0 * fanin_log_normal(1.0 - first[i]);
        box_muller_f64(squared, second, cosine, sine);
        for (size_t b = 0; b < blocks; b++, out += FANIN_NORMAL_BLOCK) {
            will_store(out);
            will_store(out + HALF);
            for (size_t j = 0; j < HALF; j++) {
                out[j] = madd(cosine[b * HALF + j], std, mean);
                out[j + HALF] = madd(sine[b * HALF + j], std, mean);
            }
        }
    }
}

static void normal_pairs(double *values, const uint32_t *raw, size_t npairs, bool log1p)
{
    for (size_t done = 0; done < npairs; done += RUN) {
        size_t n = npairs - done < RUN ? npairs - done : RUN;
        uint32_t words[4 * RUN] = {0};
        double u[2 * RUN], angle[RUN], squared[RUN], cosine[RUN], sine[RUN];
        mt_temper(words, raw + 4 * done, 4 * n);
        for (size_t i = 0; i < 2 * RUN; i += D)
            vd_store(u + i, vd_mul(vd_from_words53(words + 2 * i), vd_set1(0x1p-53)));
        for (size_t i = 0; i < RUN; i++) {
            angle[i] = u[2 * i];
            squared[i] = u[2 * i + 1];
        }
        if (log1p)
            for (size_t i = 0; i < RUN; i++)
                squared[i] = -2.0 * fanin_log1p_finite(-squared[i]);
        else
            for (size_t i = 0; i < RUN; i++)
                squared[i] = -2.0 * fanin_log_normal(1.0 - squared[i]);
        box_muller_f64(squared, angle, cosine, sine);
        for (size_t i = 0; i < n; i++) {
            values[2 * (done + i)] = cosine[i];
            values[2 * (done + i) + 1] = sine[i];
        }
    }
}

static void scale(double *values, size_t n, double std, double mean)
{
    for (size_t i = 0; i < n; i++)
        values[i] = madd(values[i], std, mean);
}

/* ---- truncation ---- */

/*
 * Eight bits are looked for at once, whether they are there or not: how many a word has is nothing that a processor
 * could foresee.
 */
static size_t take_bits(uint64_t *bits, size_t first, size_t end, uint16_t *offsets)
{
    size_t count = 0;
    for (size_t k = first / 64; 64 * k < end; k++) {
        uint64_t word = bits[k];
        if (word == 0)
            continue;
        if (64 * k < first)
            word &= ~(uint64_t)0 << (first % 64);
        if (64 * (k + 1) > end)
            word &= ~(uint64_t)0 >> (64 * (k + 1) - end);
        bits[k] ^= word;
        const size_t n = (size_t)__builtin_popcountll(word);
        for (size_t i = 0; i < n; i += 8)
            for (size_t j = 0; j < 8; j++) {
                offsets[count + i + j] = (uint16_t)(64 * k - first + (size_t)__builtin_ctzll(word | (uint64_t)1 << 63));
                word &= word - 1;
            }
        count += n;
    }
    return count;
}

/* Inlined: with n known to be 64 the shifts are by constants. */
#define DEFINE_MARK(name, type, v, lanes, low, high)                                                                   \
    __attribute__((always_inline)) static inline uint64_t name##_word(const type *p, size_t n,                         \
                                                                      const struct v##_bounds *bounds)                 \
    {                                                                                                                  \
        uint64_t word = 0;                                                                                             \
        for (size_t k = 0; k < n; k += lanes)                                                                          \
            word |= (uint64_t)v##_bits_of(v##_outside(v##_load(p + k), bounds)) << k;                                  \
        return word;                                                                                                   \
    }                                                                                                                  \
    static bool name(uint64_t *pending, const void *values, size_t nblocks, const struct fanin_bounds *b)              \
    {                                                                                                                  \
        const struct v##_bounds bounds = v##_bounds_set(b->low, b->high, b->infinity);                                 \
        const type *p = values;                                                                                        \
        const size_t n = nblocks * FANIN_NORMAL_BLOCK;                                                                 \
        uint64_t all = 0;                                                                                              \
        for (size_t i = 0; i < n; i += 64) {                                                                           \
            pending[i / 64] = n - i < 64 ? name##_word(p + i, n - i, &bounds) : name##_word(p + i, 64, &bounds);       \
            all |= pending[i / 64];                                                                                    \
        }                                                                                                              \
        return all != 0;                                                                                               \
    }
DEFINE_MARK(mark_f32, float, vf, W, f32_low, f32_high)
DEFINE_MARK(mark_f64, double, vd, D, f64_low, f64_high)
DEFINE_MARK(mark_16bit, uint16_t, vs, S, key_low, key_high)

/* nwords: of a draw */
#define DEFINE_GATHER(name, nwords)                                                                                    \
    static void name(uint32_t *words, const uint32_t *raw, const uint16_t *offsets, size_t nblocks)                    \
    {                                                                                                                  \
        for (; nblocks > 0; nblocks--, offsets += FANIN_NORMAL_HALF, words += FANIN_NORMAL_BLOCK * nwords)             \
            for (size_t k = 0; k < FANIN_NORMAL_HALF; k++) {                                                           \
                const size_t first = offsets[k] & ~(size_t)FANIN_NORMAL_HALF, second = first + FANIN_NORMAL_HALF;      \
                memcpy(words + k * nwords, raw + first * nwords, nwords * sizeof *raw);                                \
                memcpy(words + (k + FANIN_NORMAL_HALF) * nwords, raw + second * nwords, nwords * sizeof *raw);         \
            }                                                                                                          \
    }
DEFINE_GATHER(gather_draws, 1)
DEFINE_GATHER(gather_draws_f64, 2)

#define DEFINE_SCATTER(name, type)                                                                                     \
    static size_t name(void *values, const void *fresh, const uint64_t *outside, uint16_t *offsets, size_t nblocks)    \
    {                                                                                                                  \
        type *to = values;                                                                                             \
        const type *from = fresh;                                                                                      \
        size_t left = 0;                                                                                               \
        for (size_t i = 0; i < nblocks * FANIN_NORMAL_HALF; i += FANIN_NORMAL_HALF, from += FANIN_NORMAL_BLOCK) {      \
            const uint64_t bits = outside[2 * i / 64] >> 2 * i % 64;                                                   \
            for (size_t k = 0; k < FANIN_NORMAL_HALF; k++) {                                                           \
                const uint16_t offset = offsets[i + k];                                                                \
                const size_t at = k + (offset & FANIN_NORMAL_HALF);                                                    \
                to[offset] = from[at];                                                                                 \
                offsets[left] = offset;                                                                                \
                left += bits >> at & 1;                                                                                \
            }                                                                                                          \
        }                                                                                                              \
        return left;                                                                                                   \
    }
DEFINE_SCATTER(scatter_f32, float)
DEFINE_SCATTER(scatter_f64, double)
DEFINE_SCATTER(scatter_16bit, uint16_t)

#include "kernel/strips.inc.h"
#include "kernel/sums.inc.h"
#include "kernel/sha256.inc.h"

const struct fanin_kernel KERNEL_TABLE = {
    .name = KERNEL_NAME,
    .mt_generate = mt_generate,
    .mt_temper = mt_temper,
    .mt_remainders = mt_remainders,
    .mt_add = mt_add,
    .mt_square = mt_square,
    .uniform_f32 = uniform_f32,
    .uniform_f32_bypass = uniform_f32_bypass,
    .uniform_bf16 = uniform_bf16,
    .uniform_f16 = uniform_f16,
    .uniform_f64 = uniform_f64,
    .normal_f32 = normal_f32,
    .normal_bf16 = normal_bf16,
    .normal_f16 = normal_f16,
    .normal_f64 = normal_f64,
    .normal_pairs = normal_pairs,
    .scale = scale,
    .fence = fence,
    .fill = fill,
    .fill_bypass = fill_bypass,
    .take_bits = take_bits,
    .truncation_f32 = {mark_f32, gather_draws, scatter_f32},
    .truncation_f64 = {mark_f64, gather_draws_f64, scatter_f64},
    .truncation_16bit = {mark_16bit, gather_draws, scatter_16bit},
    .householder_f32 = {factor_f32, apply_transposed_f32, apply_f32, form_f32, orthogonalize_narrow_f32},
    .householder_f64 = {factor_f64, apply_transposed_f64, apply_f64, form_f64, orthogonalize_narrow_f64},
    .summing_f32 = {extremes_of_f32, sums_of_f32, powers_of_f32, hash_columns_of_f32},
    .summing_f64 = {extremes_of_f64, sums_of_f64, powers_of_f64, hash_columns_of_f64},
    .hash_bytes = hash_bytes,
    .nlanes = W,
    .sha256_lanes = sha256_lanes,
    .widen_bf16 = widen_bf16,
    .widen_f16 = widen_f16,
};
