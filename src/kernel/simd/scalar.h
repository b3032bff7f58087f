/* SPDX-License-Identifier: MIT */
/*
 * The vector vocabulary with one lane: plain C, the specification that every other vocabulary must match bit for bit.
 *
 * W lanes of 32 bits (vu unsigned, vf float), D lanes of 64 bits (vd double). A mask is what a comparison gives and
 * what select takes. Names follow type_operation.
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/convert.h"

#define W 1
#define D 1

typedef uint32_t vu;
typedef float vf;
typedef double vd;
typedef bool vf_mask;
typedef bool vd_mask;

static inline vu vu_load(const uint32_t *p) { return *p; }
static inline void vu_store(uint32_t *p, vu a) { *p = a; }
static inline vu vu_set1(uint32_t a) { return a; }
static inline vu vu_once(vu a) { return a; } /* compilers that would load it for each use load it once */
static inline vu vu_and(vu a, vu b) { return a & b; }
static inline vu vu_xor(vu a, vu b) { return a ^ b; }
static inline vu vu_add(vu a, vu b) { return a + b; }
static inline vu vu_sub(vu a, vu b) { return a - b; }
#define vu_shl(a, n) ((a) << (n))
#define vu_shr(a, n) ((a) >> (n))
/* bits of a where mask has ones, of b elsewhere; a ^ (b & c); (a ^ b) & c; c where b is odd, 0 elsewhere */
static inline vu vu_choose(vu mask, vu a, vu b) { return (a & mask) | (b & ~mask); }
static inline vu vu_xor_and(vu a, vu b, vu c) { return a ^ (b & c); }
static inline vu vu_xor_masked(vu a, vu b, vu c) { return (a ^ b) & c; }
static inline vu vu_if_odd(vu b, uint32_t c) { return b & 1 ? c : 0; }
/* a turned right by n bits, 0 < n < 32; a ^ b ^ c; the bits that two of three have */
#define vu_turn(a, n) ((a) >> (n) | (a) << (32 - (n)))
static inline vu vu_xor3(vu a, vu b, vu c) { return a ^ b ^ c; }
static inline vu vu_majority(vu a, vu b, vu c) { return (a & b) | (c & (a | b)); }
static inline vu vu_broadcast(const uint32_t *p) { return *p; }
/* word[i]: of each lane's 64 bytes at data[lane] + offset the i-th word, which lies there highest byte first */
static inline void vu_load_messages(vu word[16], const uint8_t *const *data, size_t offset)
{
    for (size_t i = 0; i < 16; i++) {
        const uint8_t *p = data[0] + offset + 4 * i;
        word[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
}

/*
 * Memory will soon be stored to from some way past p on: a variant may ask for the line. A store that waits for its
 * line holds up those after it, and with them the words that later values are made of.
 */
static inline void will_store(const void *p) { (void)p; }

static inline vf vf_set1(float a) { return a; }
/* Two vectors at p and q; variants of more than one lane may take q = p + W for granted. 16-bit types: no NaN. */
static inline void vf_store2(float *p, float *q, vf a, vf b)
{
    *p = a;
    *q = b;
}
/* The same past the caches, p at a multiple of what is stored; the fence makes what was stored visible in order. */
static inline void vf_store2_bypass(float *p, float *q, vf a, vf b) { vf_store2(p, q, a, b); }
static inline void vu_fence(void) {}
static inline void vf_store2_bf16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    *p = fanin_bf16_from_f32(a);
    *q = fanin_bf16_from_f32(b);
}
static inline void vf_store2_f16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    *p = fanin_f16_from_f32(a);
    *q = fanin_f16_from_f32(b);
}
static inline vf vf_add(vf a, vf b) { return a + b; }
static inline vf vf_sub(vf a, vf b) { return a - b; }
static inline vf vf_mul(vf a, vf b) { return a * b; }
static inline vf vf_fma(vf a, vf b, vf c) { return __builtin_fmaf(a, b, c); }
static inline vf vf_fnmsub(vf a, vf b, vf c) { return __builtin_fmaf(-a, b, -c); } /* -(a b) - c */
static inline vf vf_sqrt(vf a) { return sqrtf(a); }
static inline vf_mask vf_lt(vf a, vf b) { return a < b; }
static inline vf vf_select(vf_mask m, vf a, vf b) { return m ? a : b; } /* a where m */
static inline vf vf_bits(vu a) { return fanin_f32_from_bits(a); }
static inline vu vu_bits(vf a) { return fanin_f32_bits(a); }
static inline vf vf_from_int(vu a) { return (float)(int32_t)a; }
static inline vf vf_select_bit(vu bits, unsigned bit, vf a, vf b) { return (bits >> bit) & 1 ? a : b; }

/* The 53-bit integers of u64 & (2^53 - 1), the first word of each two the high half. */
static inline vd vd_from_words53(const uint32_t *words)
{
    return (double)(((uint64_t)(words[0] & 0x1fffff) << 32) | words[1]);
}
static inline vd vd_set1(double a) { return a; }
static inline void vd_store(double *p, vd a) { *p = a; }
static inline vd vd_widen(const float *p) { return (double)*p; }
static inline vd vd_add(vd a, vd b) { return a + b; }
static inline vd vd_mul(vd a, vd b) { return a * b; }
static inline vd vd_fma(vd a, vd b, vd c) { return __builtin_fma(a, b, c); }
static inline vd_mask vd_eq(vd a, vd b) { return a == b; }
static inline vd vd_select(vd_mask m, vd a, vd b) { return m ? a : b; }

/* 64-bit words, D lanes; shifts by a count that all lanes share, 0 to 63 */
typedef uint64_t vq;
static inline vq vq_load(const uint64_t *p) { return *p; }
static inline void vq_store(uint64_t *p, vq a) { *p = a; }
static inline vq vq_set1(uint64_t a) { return a; }
static inline void vq_store_bypass(uint64_t *p, vq a) { *p = a; }
static inline vq vq_xor(vq a, vq b) { return a ^ b; }
/* 64 bits of two words from bit n of the low one on, n < 64 */
static inline vq vq_funnel(vq low, vq high, unsigned n) { return low >> n | high << 1 << (63 - n); }
static inline vq vq_add(vq a, vq b) { return a + b; }
/* The words at p, whatever lies there; those of 32 bits at p as lower halves, those at q as upper ones. */
static inline vq vq_load_any(const void *p)
{
    vq a;
    memcpy(&a, p, sizeof a);
    return a;
}
static inline vq vq_zip(const void *p, const void *q)
{
    uint32_t low, high;
    memcpy(&low, p, sizeof low);
    memcpy(&high, q, sizeof high);
    return (uint64_t)high << 32 | low;
}
/* What hashes do with a word (sums.inc.h). */
static inline vq vq_fold(vq a, vq key) { return a ^ a >> 16 ^ key; }
static inline vq vq_product_of_halves(vq a) { return (a & 0xffffffff) * (a >> 32); }

/* Lanes of first and second halves of normal blocks: W <= 8 takes lane j of one block. */
static inline void vu_load_halves(const uint32_t *raw, size_t j, vu *first, vu *second)
{
    *first = raw[j];
    *second = raw[j + 8];
}
#define vf_store_halves_f32(out, j, first, second)  vf_store2((out) + (j), (out) + (j) + 8, first, second)
#define vf_store_halves_bf16(out, j, first, second) vf_store2_bf16((out) + (j), (out) + (j) + 8, first, second)
#define vf_store_halves_f16(out, j, first, second)  vf_store2_f16((out) + (j), (out) + (j) + 8, first, second)

/* Matrices: the rows of a tile of 3 vectors whose sums stay in registers. */
#define TILE_ROWS 4
static inline vf vf_load(const float *p) { return *p; }
static inline void vf_store(float *p, vf a) { *p = a; }
static inline vd vd_load(const double *p) { return *p; }

/* b where a or b is NaN */
static inline vf vf_min(vf a, vf b) { return a < b ? a : b; }
static inline vf vf_max(vf a, vf b) { return a > b ? a : b; }
static inline vd vd_min(vd a, vd b) { return a < b ? a : b; }
static inline vd vd_max(vd a, vd b) { return a > b ? a : b; }

/*
 * Truncation: which lanes lie outside two bounds, NaN never; S lanes of 16 bits (vs), whose bounds are keys (kernel.h).
 */
#define S 1
typedef uint16_t vs;
typedef bool vs_mask;
struct vf_bounds {
    vf low, high;
};
struct vd_bounds {
    vd low, high;
};
struct vs_bounds {
    int16_t low, high;
    uint16_t infinity;
};
static inline struct vf_bounds vf_bounds_set(float low, float high, uint16_t infinity)
{
    (void)infinity;
    return (struct vf_bounds){low, high};
}
static inline struct vd_bounds vd_bounds_set(double low, double high, uint16_t infinity)
{
    (void)infinity;
    return (struct vd_bounds){low, high};
}
static inline struct vs_bounds vs_bounds_set(int16_t low, int16_t high, uint16_t infinity)
{
    return (struct vs_bounds){low, high, infinity};
}
static inline vs vs_load(const uint16_t *p) { return *p; }
static inline vf_mask vf_outside(vf a, const struct vf_bounds *b) { return a < b->low || a > b->high; }
static inline vd_mask vd_outside(vd a, const struct vd_bounds *b) { return a < b->low || a > b->high; }
static inline vs_mask vs_outside(vs a, const struct vs_bounds *b)
{
    const int16_t key = (int16_t)(a >> 15 ? a ^ 0x7fff : a);
    return (key < b->low || key > b->high) && (a & 0x7fff) <= b->infinity;
}
static inline unsigned vf_bits_of(vf_mask m) { return m; }
static inline unsigned vd_bits_of(vd_mask m) { return m; }
static inline unsigned vs_bits_of(vs_mask m) { return m; }
