/* SPDX-License-Identifier: MIT */
/*
 * The vector vocabulary for AVX-512 F, BW, DQ and VL: 16 lanes of 32 bits, 8 of 64. Meanings are those of scalar.h.
 */
#include <immintrin.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernel/convert.h"

#define W 16
#define D 8

typedef __m512i vu;
typedef __m512 vf;
typedef __m512d vd;
typedef __mmask16 vf_mask;
typedef __mmask8 vd_mask;

static inline vu vu_load(const uint32_t *p) { return _mm512_loadu_si512(p); }
static inline void vu_store(uint32_t *p, vu a) { _mm512_storeu_si512(p, a); }
/*
 * Opaque to the compiler: what it knows to be a constant, gcc 12 would rather make anew in each step than keep, by a
 * broadcast from a general register, which takes a turn in the pipe that shuffles and masks need.
 */
static inline vu vu_set1(uint32_t a)
{
    vu all = _mm512_set1_epi32((int32_t)a);
    __asm__("" : "+v"(all));
    return all;
}
static inline vu vu_once(vu a)
{
    __asm__("" : "+v"(a));
    return a;
}
static inline vu vu_and(vu a, vu b) { return _mm512_and_si512(a, b); }
static inline vu vu_xor(vu a, vu b) { return _mm512_xor_si512(a, b); }
static inline vu vu_add(vu a, vu b) { return _mm512_add_epi32(a, b); }
static inline vu vu_sub(vu a, vu b) { return _mm512_sub_epi32(a, b); }
#define vu_shl(a, n) _mm512_slli_epi32(a, n)
#define vu_shr(a, n) _mm512_srli_epi32(a, n)
/* One three-way operation each. */
static inline vu vu_choose(vu mask, vu a, vu b) { return _mm512_ternarylogic_epi32(mask, a, b, 0xca); }
static inline vu vu_xor_and(vu a, vu b, vu c) { return _mm512_ternarylogic_epi32(a, b, c, 0x78); }
static inline vu vu_xor_masked(vu a, vu b, vu c) { return _mm512_ternarylogic_epi32(a, b, c, 0x28); }
/* A permutation looks at the last bits of a place only, so it looks up in a table by whether b is odd. */
static inline vu vu_if_odd(vu b, uint32_t c)
{
    vu table = _mm512_set1_epi64((int64_t)((uint64_t)c << 32));
    __asm__("" : "+v"(table)); /* as in vu_set1 */
    return _mm512_permutexvar_epi32(b, table);
}
#define vu_turn(a, n) _mm512_ror_epi32(a, n)
static inline vu vu_xor3(vu a, vu b, vu c) { return _mm512_ternarylogic_epi32(a, b, c, 0x96); }
static inline vu vu_majority(vu a, vu b, vu c) { return _mm512_ternarylogic_epi32(a, b, c, 0xe8); }
static inline vu vu_broadcast(const uint32_t *p) { return _mm512_set1_epi32((int32_t)*p); }
/* Words of pairs, then of fours, eights and all sixteen rows side by side. */
static inline void vu_transpose(vu row[16])
{
    vu pair[16], four[16];
    for (int i = 0; i < 16; i += 2) {
        pair[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        pair[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int j = 0; j < 2; j++) {
            four[i + 2 * j] = _mm512_unpacklo_epi64(pair[i + j], pair[i + 2 + j]);
            four[i + 2 * j + 1] = _mm512_unpackhi_epi64(pair[i + j], pair[i + 2 + j]);
        }
    for (int i = 0; i < 4; i++) {
        vu even_low = _mm512_shuffle_i32x4(four[i], four[i + 4], 0x88);
        vu odd_low = _mm512_shuffle_i32x4(four[i], four[i + 4], 0xdd);
        vu even_high = _mm512_shuffle_i32x4(four[i + 8], four[i + 12], 0x88);
        vu odd_high = _mm512_shuffle_i32x4(four[i + 8], four[i + 12], 0xdd);
        row[i] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        row[i + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        row[i + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        row[i + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}
static inline void vu_load_messages(vu word[16], const uint8_t *const *data, size_t offset)
{
    const __m512i order = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
    for (int i = 0; i < 16; i++)
        word[i] = _mm512_loadu_si512(data[i] + offset);
    vu_transpose(word);
    for (int i = 0; i < 16; i++)
        word[i] = _mm512_shuffle_epi8(word[i], order);
}

/* 4 KiB ahead: nearer is too late for what comes from memory, and farther too much for the first cache. */
static inline void will_store(const void *p) { __builtin_prefetch((const void *)((uintptr_t)p + 4096), 1); }

static inline vf vf_set1(float a) { return _mm512_set1_ps(a); }
static inline void vf_store2(float *p, float *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    will_store(p + W);
    _mm512_storeu_ps(p, a);
    _mm512_storeu_ps(p + W, b);
}
static inline void vf_store2_bypass(float *p, float *q, vf a, vf b)
{
    (void)q;
    _mm512_stream_ps(p, a);
    _mm512_stream_ps(p + W, b);
}
static inline void vu_fence(void) { _mm_sfence(); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
static inline vf vf_fnmsub(vf a, vf b, vf c) { return _mm512_fnmsub_ps(a, b, c); }
static inline vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
static inline vf_mask vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline vf vf_select(vf_mask m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
static inline vf vf_bits(vu a) { return _mm512_castsi512_ps(a); }
static inline vu vu_bits(vf a) { return _mm512_castps_si512(a); }
static inline vf vf_from_int(vu a) { return _mm512_cvtepi32_ps(a); }
#define vf_select_bit(bits, bit, a, b) _mm512_mask_blend_ps(_mm512_test_epi32_mask(bits, vu_set1(1u << (bit))), b, a)

/*
 * bf16 of a and b, a's lane beside b's, `order` names their places. Rounded to even: up by 1 if the half that is
 * dropped is above 0x8000 after the last bit that stays was joined to it. Both halves of both vectors make one vector
 * each, so that they are rounded at once. The processor's own conversion would flush subnormals, and few have it.
 */
static inline __m512i vf_pack_bf16(vf a, vf b, __m512i order)
{
    const __m512i one = vu_set1(0x10001), upper = vu_set1(0xffff0000);
    __m512i high = vu_choose(upper, vu_bits(b), vu_shr(vu_bits(a), 16));
    __m512i low = vu_choose(upper, vu_shl(vu_bits(b), 16), vu_bits(a));
    low = _mm512_ternarylogic_epi32(low, high, one, 0xf8);
    __mmask32 up = _mm512_cmpgt_epu16_mask(low, vu_set1(0x80008000));
    return _mm512_permutexvar_epi16(order, _mm512_mask_add_epi16(high, up, high, one));
}
static inline __m512i vf_pack2_bf16(vf a, vf b)
{
    return vf_pack_bf16(a, b,
                        _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1, 30, 28, 26, 24, 22,
                                         20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0));
}
static inline void vf_store2_bf16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    _mm512_storeu_si512(p, vf_pack2_bf16(a, b));
}
static inline void vf_store2_f16(uint16_t *p, uint16_t *q, vf a, vf b)
{
    (void)q;
    will_store(p);
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    _mm256_storeu_si256((__m256i *)(p + W), _mm512_cvtps_ph(b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

static inline vd vd_from_words53(const uint32_t *words)
{
    __m512i both = _mm512_loadu_si512(words);
    __m512i high = _mm512_slli_epi64(_mm512_and_si512(both, _mm512_set1_epi64(0x1fffff)), 32);
    return _mm512_cvtepu64_pd(_mm512_or_si512(high, _mm512_srli_epi64(both, 32)));
}
static inline vd vd_set1(double a) { return _mm512_set1_pd(a); }
static inline void vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
static inline vd vd_widen(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
static inline vd_mask vd_eq(vd a, vd b) { return _mm512_cmp_pd_mask(a, b, _CMP_EQ_OQ); }
static inline vd vd_select(vd_mask m, vd a, vd b) { return _mm512_mask_blend_pd(m, b, a); }

typedef __m512i vq;
static inline vq vq_load(const uint64_t *p) { return _mm512_loadu_si512(p); }
static inline void vq_store(uint64_t *p, vq a) { _mm512_storeu_si512(p, a); }
static inline vq vq_set1(uint64_t a) { return _mm512_set1_epi64((int64_t)a); }
static inline void vq_store_bypass(uint64_t *p, vq a) { _mm512_stream_si512((__m512i *)p, a); }
static inline vq vq_xor(vq a, vq b) { return _mm512_xor_si512(a, b); }
/* A shift by 64 leaves nothing, so that n = 0 is no case of its own. */
static inline vq vq_funnel(vq low, vq high, unsigned n)
{
    return _mm512_or_si512(_mm512_srlv_epi64(low, _mm512_set1_epi64((int64_t)n)),
                           _mm512_sllv_epi64(high, _mm512_set1_epi64(64 - (int64_t)n)));
}
static inline vq vq_add(vq a, vq b) { return _mm512_add_epi64(a, b); }
static inline vq vq_load_any(const void *p) { return _mm512_loadu_si512(p); }
static inline vq vq_zip(const void *p, const void *q)
{
    const __m512i order = _mm512_set_epi32(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0);
    __m512i both = _mm512_castsi256_si512(_mm256_loadu_si256(p));
    return _mm512_permutexvar_epi32(order, _mm512_inserti64x4(both, _mm256_loadu_si256(q), 1));
}
static inline vq vq_fold(vq a, vq key) { return _mm512_ternarylogic_epi64(a, _mm512_srli_epi64(a, 16), key, 0x96); }
static inline vq vq_product_of_halves(vq a) { return _mm512_mul_epu32(a, _mm512_srli_epi64(a, 32)); }

/*
 * Two normal blocks at once: the first halves of both make one vector, the second halves the other. Halves move by
 * loads and stores of 256 bits, which take no turn in the pipe that shuffles need.
 */
static inline vu vu_join(const uint32_t *low, const uint32_t *high)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)low), b = _mm256_loadu_si256((const __m256i *)high);
    return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1);
}
static inline void vu_load_halves(const uint32_t *raw, size_t j, vu *first, vu *second)
{
    (void)j;
    *first = vu_join(raw, raw + 16);
    *second = vu_join(raw + 8, raw + 24);
}
static inline void vf_store_halves_f32(float *out, size_t j, vf first, vf second)
{
    (void)j;
    will_store(out);
    will_store(out + 16);
    _mm256_storeu_ps(out, _mm512_castps512_ps256(first));
    _mm256_storeu_ps(out + 8, _mm512_castps512_ps256(second));
    _mm256_storeu_ps(out + 16, _mm512_extractf32x8_ps(first, 1));
    _mm256_storeu_ps(out + 24, _mm512_extractf32x8_ps(second, 1));
}
static inline void vf_store_halves_bf16(uint16_t *out, size_t j, vf first, vf second)
{
    const __m512i order = _mm512_set_epi16(31, 29, 27, 25, 23, 21, 19, 17, 30, 28, 26, 24, 22, 20, 18, 16, 15, 13, 11,
                                           9, 7, 5, 3, 1, 14, 12, 10, 8, 6, 4, 2, 0);
    (void)j;
    will_store(out);
    _mm512_storeu_si512(out, vf_pack_bf16(first, second, order));
}
static inline void vf_store_halves_f16(uint16_t *out, size_t j, vf first, vf second)
{
    __m256i a = _mm512_cvtps_ph(first, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256i b = _mm512_cvtps_ph(second, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    (void)j;
    will_store(out);
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(a));
    _mm_storeu_si128((__m128i *)(out + 8), _mm256_castsi256_si128(b));
    _mm_storeu_si128((__m128i *)(out + 16), _mm256_extracti128_si256(a, 1));
    _mm_storeu_si128((__m128i *)(out + 24), _mm256_extracti128_si256(b, 1));
}

/* Matrices: 8 rows of 3 vectors are 24 of the 32 registers. */
#define TILE_ROWS 8
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
static inline vd vd_load(const double *p) { return _mm512_loadu_pd(p); }

static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
static inline vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }

/* Truncation: a block of 16-bit lanes is one vector of 256 bits, as in avx2.h. */
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
static inline unsigned vs_bits_of(vs_mask m) { return _mm256_movepi16_mask(m); }
static inline vf_mask vf_outside(vf a, const struct vf_bounds *b)
{
    return _kor_mask16(_mm512_cmp_ps_mask(a, b->low, _CMP_LT_OQ), _mm512_cmp_ps_mask(a, b->high, _CMP_GT_OQ));
}
static inline vd_mask vd_outside(vd a, const struct vd_bounds *b)
{
    return _kor_mask8(_mm512_cmp_pd_mask(a, b->low, _CMP_LT_OQ), _mm512_cmp_pd_mask(a, b->high, _CMP_GT_OQ));
}
static inline unsigned vf_bits_of(vf_mask m) { return m; }
static inline unsigned vd_bits_of(vd_mask m) { return m; }
