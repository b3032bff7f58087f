/* SPDX-License-Identifier: MIT */
/*
 * The vector vocabulary for AVX2 with FMA and F16C: 8 lanes of 32 bits, 4 of 64. Meanings are those of scalar.h.
 */
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/convert.h"

#define W 8
#define D 4

typedef __m256i vu;
typedef __m256 vf;
typedef __m256d vd;
typedef __m256 vf_mask;
typedef __m256d vd_mask;

static inline vu vu_load(const uint32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vu_store(uint32_t *p, vu a) { _mm256_storeu_si256((__m256i *)p, a); }
static inline vu vu_set1(uint32_t a) { return _mm256_set1_epi32((int32_t)a); }
static inline vu vu_once(vu a)
{
    __asm__("" : "+x"(a));
    return a;
}
static inline vu vu_and(vu a, vu b) { return _mm256_and_si256(a, b); }
static inline vu vu_xor(vu a, vu b) { return _mm256_xor_si256(a, b); }
static inline vu vu_add(vu a, vu b) { return _mm256_add_epi32(a, b); }
static inline vu vu_sub(vu a, vu b) { return _mm256_sub_epi32(a, b); }
#define vu_shl(a, n) _mm256_slli_epi32(a, n)
#define vu_shr(a, n) _mm256_srli_epi32(a, n)
static inline vu vu_choose(vu mask, vu a, vu b)
{
    return _mm256_or_si256(vu_and(a, mask), _mm256_andnot_si256(mask, b));
}
static inline vu vu_xor_and(vu a, vu b, vu c) { return vu_xor(a, vu_and(b, c)); }
static inline vu vu_xor_masked(vu a, vu b, vu c) { return vu_and(vu_xor(a, b), c); }
/* A permutation looks at the last bits of a place only, so it looks up in a table by whether b is odd. */
static inline vu vu_if_odd(vu b, uint32_t c)
{
    return _mm256_permutevar8x32_epi32(_mm256_set1_epi64x((int64_t)((uint64_t)c << 32)), b);
}
#define vu_turn(a, n) _mm256_or_si256(vu_shr(a, n), vu_shl(a, 32 - (n)))
static inline vu vu_xor3(vu a, vu b, vu c) { return vu_xor(vu_xor(a, b), c); }
static inline vu vu_majority(vu a, vu b, vu c) { return vu_choose(vu_xor(a, b), c, a); }
static inline vu vu_broadcast(const uint32_t *p) { return _mm256_set1_epi32((int32_t)*p); }
/* Words of pairs, then of fours, then of all eight rows side by side. */
static inline void vu_transpose(vu row[8])
{
    vu pair[8], four[8];
    for (int i = 0; i < 8; i += 2) {
        pair[i] = _mm256_unpacklo_epi32(row[i], row[i + 1]);
        pair[i + 1] = _mm256_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int j = 0; j < 2; j++) {
            four[i + 2 * j] = _mm256_unpacklo_epi64(pair[i + j], pair[i + 2 + j]);
            four[i + 2 * j + 1] = _mm256_unpackhi_epi64(pair[i + j], pair[i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        row[i] = _mm256_permute2x128_si256(four[i], four[i + 4], 0x20);
        row[i + 4] = _mm256_permute2x128_si256(four[i], four[i + 4], 0x31);
    }
}
static inline void vu_load_messages(vu word[16], const uint8_t *const *data, size_t offset)
{
    const __m256i order = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (int half = 0; half < 16; half += 8) {
        for (int i = 0; i < 8; i++)
            word[half + i] = _mm256_loadu_si256((const __m256i *)(data[i] + offset + 4 * half));
        vu_transpose(word + half);
    }
    for (int i = 0; i < 16; i++)
        word[i] = _mm256_shuffle_epi8(word[i], order);
}

/* 4 KiB ahead: nearer is too late for what comes from memory, and farther too much for the first cache. */
static inline void will_store(const void *p) { __builtin_prefetch((const void *)((uintptr_t)p + 4096), 1); }

static inline vf vf_set1(float a) { return _mm256_set1_ps(a); }
static inline void vf_store2(float *p, float *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    _mm256_storeu_ps(p, a);
    _mm256_storeu_ps(p + W, b);
}
static inline void vf_store2_bypass(float *p, float *q, vf a, vf b)
{
    (void)q;
    _mm256_stream_ps(p, a);
    _mm256_stream_ps(p + W, b);
}
static inline void vu_fence(void) { _mm_sfence(); }
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf vf_fnmsub(vf a, vf b, vf c) { return _mm256_fnmsub_ps(a, b, c); }
static inline vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf_mask vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vf vf_select(vf_mask m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
static inline vf vf_bits(vu a) { return _mm256_castsi256_ps(a); }
static inline vu vu_bits(vf a) { return _mm256_castps_si256(a); }
static inline vf vf_from_int(vu a) { return _mm256_cvtepi32_ps(a); }
#define vf_select_bit(bits, bit, a, b) _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_slli_epi32(bits, 31 - (bit))))

/*
 * bf16 of a and b, rounded to even: up by 1 if the half that is dropped, less 1 where the last bit that stays is 0, is
 * 0x8000 or more. Both halves of both vectors make one vector each, so that they are rounded at once; then a's lanes,
 * which lie beside b's, go before them.
 */
static inline vu vf_pack2_bf16(vf a, vf b)
{
    const vu apart = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2,
                                      3, 6, 7, 10, 11, 14, 15);
    vu high = _mm256_blend_epi16(vu_shr(vu_bits(a), 16), vu_bits(b), 0xaa);
    vu low = _mm256_blend_epi16(vu_bits(a), vu_shl(vu_bits(b), 16), 0xaa);
    vu dropped = _mm256_subs_epu16(low, _mm256_andnot_si256(high, _mm256_set1_epi16(1)));
    vu rounded = _mm256_add_epi16(high, _mm256_srli_epi16(dropped, 15));
    return _mm256_permute4x64_epi64(_mm256_shuffle_epi8(rounded, apart), 0xd8);
}
static inline void vf_store2_bf16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    _mm256_storeu_si256((__m256i *)p, vf_pack2_bf16(a, b));
}
static inline void vf_store2_f16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm_storeu_si128((__m128i *)(p + W), _mm256_cvtps_ph(b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

/*
 * Both halves become doubles by planting them in the mantissas of 2^84 and 2^52; the differences and their sum are
 * exact.
 */
static inline vd vd_from_words53(const uint32_t *words)
{
    __m256i both = _mm256_loadu_si256((const __m256i *)words);
    __m256i high = _mm256_and_si256(both, _mm256_set1_epi64x(0x1fffff));
    __m256i low = _mm256_srli_epi64(both, 32);
    __m256i two84 = _mm256_set1_epi64x(0x4530000000000000), two52 = _mm256_set1_epi64x(0x4330000000000000);
    vd h = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(high, two84)), _mm256_castsi256_pd(two84));
    vd l = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(low, two52)), _mm256_castsi256_pd(two52));
    return _mm256_add_pd(h, l);
}
static inline vd vd_set1(double a) { return _mm256_set1_pd(a); }
static inline void vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
static inline vd vd_widen(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
static inline vd_mask vd_eq(vd a, vd b) { return _mm256_cmp_pd(a, b, _CMP_EQ_OQ); }
static inline vd vd_select(vd_mask m, vd a, vd b) { return _mm256_blendv_pd(b, a, m); }

typedef __m256i vq;
static inline vq vq_load(const uint64_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline void vq_store(uint64_t *p, vq a) { _mm256_storeu_si256((__m256i *)p, a); }
static inline vq vq_set1(uint64_t a) { return _mm256_set1_epi64x((int64_t)a); }
static inline void vq_store_bypass(uint64_t *p, vq a) { _mm256_stream_si256((__m256i *)p, a); }
static inline vq vq_xor(vq a, vq b) { return _mm256_xor_si256(a, b); }
/* A shift by 64 leaves nothing, so that n = 0 is no case of its own. */
static inline vq vq_funnel(vq low, vq high, unsigned n)
{
    return _mm256_or_si256(_mm256_srlv_epi64(low, _mm256_set1_epi64x((int64_t)n)),
                           _mm256_sllv_epi64(high, _mm256_set1_epi64x(64 - (int64_t)n)));
}
static inline vq vq_add(vq a, vq b) { return _mm256_add_epi64(a, b); }
static inline vq vq_load_any(const void *p) { return _mm256_loadu_si256(p); }
static inline vq vq_zip(const void *p, const void *q)
{
    __m128i low = _mm_loadu_si128(p), high = _mm_loadu_si128(q);
    return _mm256_set_m128i(_mm_unpackhi_epi32(low, high), _mm_unpacklo_epi32(low, high));
}
static inline vq vq_fold(vq a, vq key) { return _mm256_xor_si256(_mm256_xor_si256(a, key), _mm256_srli_epi64(a, 16)); }
static inline vq vq_product_of_halves(vq a) { return _mm256_mul_epu32(a, _mm256_srli_epi64(a, 32)); }

static inline void vu_load_halves(const uint32_t *raw, size_t j, vu *first, vu *second)
{
    (void)j;
    *first = vu_load(raw);
    *second = vu_load(raw + 8);
}
#define vf_store_halves_f32(out, j, first, second)  vf_store2((out), (out) + 8, first, second)
#define vf_store_halves_bf16(out, j, first, second) vf_store2_bf16((out), (out) + 8, first, second)
#define vf_store_halves_f16(out, j, first, second)  vf_store2_f16((out), (out) + 8, first, second)

/* Matrices: 4 rows of 3 vectors are 12 of the 16 registers. */
#define TILE_ROWS 4
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
static inline vd vd_load(const double *p) { return _mm256_loadu_pd(p); }

static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
static inline vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }

/* Truncation: a block is one vector of 16-bit lanes. */
#define S 16
typedef __m256i vs;
typedef __m256i vs_mask;
struct vf_bounds {
    vf low, high;
};
struct vd_bounds {
    vd low, high;
};
struct vs_bounds {
    vs low, high, infinity;
};
static inline struct vf_bounds vf_bounds_set(float low, float high, uint16_t infinity)
{
    (void)infinity;
    return (struct vf_bounds){vf_set1(low), vf_set1(high)};
}
static inline struct vd_bounds vd_bounds_set(double low, double high, uint16_t infinity)
{
    (void)infinity;
    return (struct vd_bounds){vd_set1(low), vd_set1(high)};
}
static inline struct vs_bounds vs_bounds_set(int16_t low, int16_t high, uint16_t infinity)
{
    return (struct vs_bounds){_mm256_set1_epi16(low), _mm256_set1_epi16(high), _mm256_set1_epi16((int16_t)infinity)};
}
static inline vs vs_load(const uint16_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vs_mask vs_outside(vs a, const struct vs_bounds *b)
{
    const vs magnitude = _mm256_and_si256(a, _mm256_set1_epi16(0x7fff));
    const vs key = _mm256_xor_si256(a, _mm256_srli_epi16(_mm256_srai_epi16(a, 15), 1));
    const vs_mask outside = _mm256_or_si256(_mm256_cmpgt_epi16(b->low, key), _mm256_cmpgt_epi16(key, b->high));
    return _mm256_andnot_si256(_mm256_cmpgt_epi16(magnitude, b->infinity), outside);
}
/* Two bits a lane beside each other come out of bytes, so they are made bytes first. */
static inline unsigned vs_bits_of(vs_mask m)
{
    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1)));
}
static inline vf_mask vf_outside(vf a, const struct vf_bounds *b)
{
    return _mm256_or_ps(_mm256_cmp_ps(a, b->low, _CMP_LT_OQ), _mm256_cmp_ps(a, b->high, _CMP_GT_OQ));
}
static inline vd_mask vd_outside(vd a, const struct vd_bounds *b)
{
    return _mm256_or_pd(_mm256_cmp_pd(a, b->low, _CMP_LT_OQ), _mm256_cmp_pd(a, b->high, _CMP_GT_OQ));
}
static inline unsigned vf_bits_of(vf_mask m) { return (unsigned)_mm256_movemask_ps(m); }
static inline unsigned vd_bits_of(vd_mask m) { return (unsigned)_mm256_movemask_pd(m); }
