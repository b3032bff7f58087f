/* SPDX-License-Identifier: MIT */
/*
 * The table of kernels: one slot per operation, one table per machine variant. Every variant gives the same bits;
 * the scalar one is the specification, a NULL slot of another falls back to it when the table is chosen.
 */
#ifndef FANIN_KERNEL_KERNEL_H
#define FANIN_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fanin/generator.h"

/*
 * "raw" words are MT19937 state words before tempering, in stream order. A kernel tempers what it takes.
 */

/*
 * value = from + range * (word & mask) * 2^-bits, and `from` wherever the stored value would be the upper bound: that
 * is where the value before rounding is not below `upper` (INFINITY: nowhere).
 */
struct fanin_uniform_f32 {
    uint32_t mask;
    float scale; /* 2^-bits */
    float from;
    float range;
    float upper;
};

struct fanin_uniform_f64 {
    double from;
    double range;
    double upper; /* a value equal to it becomes `from` (NaN: none) */
};

/* Polynomials of degree below 19937, lowest coefficient first; the terms lie at least 623 below the degree. */
enum { FANIN_JUMP_DEGREE = 19937, FANIN_JUMP_NWORDS = FANIN_JUMP_DEGREE / 64 + 1 };

/* What caches and stores past them move at once. */
enum { FANIN_LINE_NBYTES = 64 };

/* One normal block is 16 elements from 16 draws (f64: 32 draws). */
enum { FANIN_NORMAL_BLOCK = 16, FANIN_NORMAL_HALF = FANIN_NORMAL_BLOCK / 2 };

/*
 * Householder QR of a matrix kept as strips: 48 columns each, one strip after the other, row-major; a last strip of
 * fewer columns is filled up with zeros, and so are the rows, up to a multiple of 8 and to 48 a strip. Strip number p
 * meets the others from row 48 p on: that is where v, c and nrows begin. void is float or double; s is 48 x 48.
 *
 * A strip's results depend on v, s and what it held only, so the strips right of one can be taken in any order.
 */
enum { FANIN_STRIP = 48, FANIN_STRIP_ROWS = 8, FANIN_NARROW = 32, FANIN_COLUMN_BLOCK = 64 };
struct fanin_householder {
    /* v becomes its reflectors, s their coupling, sign[0..47] the signs of R's diagonal; ncols <= 48 are not filling */
    void (*factor)(void *v, size_t nrows, size_t ncols, void *s, double *sign);
    /* c = transposed(H) c but for its first 48 rows, which are left as they are: rows of R */
    void (*apply_transposed)(void *c, const void *v, const void *s, size_t nrows);
    /* c = H c, where the first 48 rows of c count as zeros */
    void (*apply)(void *c, const void *v, const void *s, size_t nrows);
    /* v becomes H E, E the first 48 columns of the identity, each column times its sign */
    void (*form)(void *v, const void *s, const double *sign, size_t nrows);
    /* at most 32 columns, one after the other, filled up with zeros to a height that is a multiple of 64: they become Q
       with the signs of R's diagonal */
    void (*orthogonalize_narrow)(void *columns, size_t height, size_t ncols);
};

/*
 * Bounds of a truncation, each type in its own terms; NaN is not outside. 16-bit values compare as keys, which lie in
 * the order of the values: bits ^ (bits >> 15 & 0x7fff) as signed integers. A bound of 0 stands for both zeros.
 */
struct fanin_bounds {
    double f64_low, f64_high;
    float f32_low, f32_high;
    int16_t key_low, key_high;
    uint16_t infinity; /* 16 bits of the type */
};

/*
 * Rejection rounds on blocks of 16 elements of a type. An element is made of one draw of its block's first half and the
 * one that lies as far in the second half; they make the other element that lies so, too. So elements that are made
 * again, wherever they lie, come 8 in a block, each in the half in which it was.
 */
struct fanin_truncation {
    /* bit i of pending: element i is outside; whole words are written. Returns whether any is. */
    bool (*mark)(uint64_t *pending, const void *values, size_t nblocks, const struct fanin_bounds *bounds);
    /* the words of the elements at 8 nblocks offsets */
    void (*gather)(uint32_t *words, const uint32_t *raw, const uint16_t *offsets, size_t nblocks);
    /* the elements at those offsets; they become the offsets of those that are outside, of which there are as many as
       are returned */
    size_t (*scatter)(void *values, const void *fresh, const uint64_t *outside, uint16_t *offsets, size_t nblocks);
};

/*
 * What sums of values are added to. `columns` and `column_squares` may be NULL together, and so may `bins`: counts by
 * the upper 16 bits, of f32 alone.
 */
enum { FANIN_SUM_LANES = 8 };
struct fanin_sums {
    double *rows, *row_squares;
    double *columns, *column_squares;
    double *cubes, *fourths; /* FANIN_SUM_LANES */
    uint32_t *bins;
};

/* Sums over values of statistics; void is float or double. */
struct fanin_summing {
    /* Of columns 0 to n - 1 of rows that lie ncols apart the least and the greatest; NaN is neither, and where there is
       nothing else they are infinity and its opposite. */
    void (*extremes)(const void *values, size_t nrows, size_t ncols, size_t n, double extremes[2]);
    /*
     * Of the same columns. Of a row: column i to lane i % 8 after it was added to column
     * i + 8, sixteen columns a step, those that are missing are 0 and a step of their own; lanes in pairs 4 apart, then
     * 2, 1. Cubes and fourth powers so too, 4 rows by turns as long as there are as many. Of a column: row after row.
     */
    void (*sums)(const void *values, size_t nrows, size_t ncols, size_t n, const struct fanin_sums *sums);
    /* sums of the first four powers of what values are from `from`, which are finite */
    void (*powers)(const void *values, size_t n, double from, double powers[4]);
    /* adds to hashes (sums.inc.h); a column's words are values of 64 bits, two of 32 bits from a row and the next one
     */
    void (*hash_columns)(const void *bits, size_t nrows, size_t ncols, size_t n, const uint64_t *keys,
                         uint64_t *hashes);
};

/*
 * A kernel that is called `running` makes as many words as it takes, behind raw[0..623], as mt_generate would: the
 * arithmetic of both overlaps, and words beyond raw[623] are there when it comes to them. It may write up to
 * FANIN_MT_MORE words more than it has to.
 */
enum { FANIN_MT_MORE = 32 };

struct fanin_kernel {
    const char *name;
    /* x[0..623] is a state; the n words that follow are written behind it, and up to FANIN_MT_MORE more */
    void (*mt_generate)(uint32_t *x, size_t n);
    void (*mt_temper)(uint32_t *words, const uint32_t *raw, size_t n);
    /* words tempered, word i modulo range - i; n < range <= 2^30 */
    void (*mt_remainders)(uint32_t *remainders, const uint32_t *raw, size_t n, uint32_t range);
    /* sum[j] ^= x[at[i] + j] for all i, 0 <= j < 624: what a jump adds up */
    void (*mt_add)(uint32_t *sum, const uint32_t *x, const uint16_t *at, size_t n);
    /* the square of a polynomial over GF(2), times t if `shift`, modulo t^19937 + the terms (src/rng/jump.c) */
    void (*mt_square)(uint64_t *polynomial, unsigned shift, const uint16_t *terms, size_t nterms);
    void (*uniform_f32)(float *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running);
    /* the same by stores past the caches, for memory too large for them; elements are aligned, `fence` comes last */
    void (*uniform_f32_bypass)(float *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running);
    void (*fence)(void);
    /* out[i] = byte i % 8 of the pattern, from the low one up; by stores past the caches, `fence` comes last */
    void (*fill)(void *out, uint64_t pattern, size_t nbytes);
    void (*fill_bypass)(void *out, uint64_t pattern, size_t nbytes);
    void (*uniform_bf16)(uint16_t *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running);
    void (*uniform_f16)(uint16_t *out, uint32_t *raw, size_t n, const struct fanin_uniform_f32 *rule, bool running);
    void (*uniform_f64)(double *out, const uint32_t *raw, size_t n, const struct fanin_uniform_f64 *rule);
    void (*normal_f32)(float *out, uint32_t *raw, size_t nblocks, float mean, float std, bool running);
    void (*normal_bf16)(uint16_t *out, uint32_t *raw, size_t nblocks, float mean, float std, bool running);
    void (*normal_f16)(uint16_t *out, uint32_t *raw, size_t nblocks, float mean, float std, bool running);
    void (*normal_f64)(double *out, const uint32_t *raw, size_t nblocks, double mean, double std);
    /* scalar path: npairs unscaled (cosine, sine) values from 4 words each; log1p: torch 2.0 and newer */
    void (*normal_pairs)(double *values, const uint32_t *raw, size_t npairs, bool log1p);
    /* values[i] = values[i] * std + mean */
    void (*scale)(double *values, size_t n, double std, double mean);
    /* takes the bits of [first, end) away, and gives those that were set as offsets from the first, with room for 7
       more; returns how many */
    size_t (*take_bits)(uint64_t *bits, size_t first, size_t end, uint16_t *offsets);
    struct fanin_truncation truncation_f32, truncation_f64, truncation_16bit;
    struct fanin_householder householder_f32, householder_f64;
    struct fanin_summing summing_f32, summing_f64;
    /* of words of 64 bits, the last one filled up with zeros, a key each; any alignment (sums.inc.h) */
    uint64_t (*hash_bytes)(const void *bytes, size_t nbytes, const uint64_t *keys);
    /*
     * SHA-256 (FIPS 180-4) of `nlanes` messages side by side: each gets nblocks blocks of 64 bytes, lane l's from
     * data[l] on, any alignment. Word i of lane l's state is states[i * nlanes + l].
     */
    size_t nlanes;
    void (*sha256_lanes)(uint32_t *states, const uint8_t *const *data, size_t nblocks);
    void (*widen_bf16)(float *out, const uint16_t *in, size_t n);
    void (*widen_f16)(float *out, const uint16_t *in, size_t n); /* a signaling NaN stays one */
};

/* The table in force for a profile: the chosen variant, or the one that rounds products first for FANIN_UNFUSED. */
const struct fanin_kernel *fanin_kernel_for(fanin_profile profile);

/*
 * Whether fill_bypass is the faster way to zeros, too, in memory too large for the caches. On Intel the C library's
 * memset reads each line first and reaches half of it; on AMD processors the same call is nearly twice as fast as any
 * store (docs/performance.md).
 */
bool fanin_kernel_bypasses_zeros(const struct fanin_kernel *kernel);

/* For tests: the tables by index as in fanin_isa_name, NULL slots filled; NULL if this processor lacks the variant. */
const struct fanin_kernel *fanin_kernel_at(size_t isa);

extern const struct fanin_kernel fanin_kernel_scalar;
extern const struct fanin_kernel fanin_kernel_unfused;
#if FANIN_HAVE_AVX2
extern const struct fanin_kernel fanin_kernel_avx2;
#endif
#if FANIN_HAVE_AVX512
extern const struct fanin_kernel fanin_kernel_avx512;
#endif

#endif
