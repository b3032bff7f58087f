/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 by FIPS 180-4: blocks in plain C, and by the x86 SHA extensions where the processor has them. Both give the
 * same digest; the choice is made once and published atomically.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/sha256.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_SHA_NI 1
#include <cpuid.h>
#include <immintrin.h>
#else
#define HAVE_SHA_NI 0
#endif

/* FIPS 180-4, 4.2.2: the first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const uint32_t fanin_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

typedef void (*block_function)(uint32_t state[8], const uint8_t *data, size_t nblocks);

/* -- Plain C: the specification -------------------------------------------------------------------------------------*/

static uint32_t rotate_right(uint32_t x, unsigned n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void blocks_scalar(uint32_t state[8], const uint8_t *data, size_t nblocks)
{
    for (; nblocks > 0; nblocks--, data += 64) {
        uint32_t w[64];
        for (int t = 0; t < 16; t++)
            w[t] = load_big_endian(data + 4 * t);
        for (int t = 16; t < 64; t++) {
            uint32_t s0 = rotate_right(w[t - 15], 7) ^ rotate_right(w[t - 15], 18) ^ w[t - 15] >> 3;
            uint32_t s1 = rotate_right(w[t - 2], 17) ^ rotate_right(w[t - 2], 19) ^ w[t - 2] >> 10;
            w[t] = s1 + w[t - 7] + s0 + w[t - 16];
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int t = 0; t < 64; t++) {
            uint32_t s1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
            uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + fanin_sha256_constants[t] + w[t];
            uint32_t s0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
            uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1;
            d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

/* -- x86 SHA extensions ---------------------------------------------------------------------------------------------*/

#if HAVE_SHA_NI

/*
 * The instructions hold the state as the two vectors (a b e f) and (c d g h), highest word first. sha256rnds2 does two
 * rounds with the low two words of its third operand; sha256msg1 and sha256msg2 make four words of the schedule from
 * the sixteen before it.
 */
__attribute__((target("sha,sse4.1"))) static void blocks_sha_ni(uint32_t state[8], const uint8_t *data, size_t nblocks)
{
    const __m128i byte_order = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i dcba = _mm_loadu_si128((const __m128i *)&state[0]);
    __m128i hgfe = _mm_loadu_si128((const __m128i *)&state[4]);
    __m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
    __m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

    for (; nblocks > 0; nblocks--, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4]; /* the last sixteen words, four a vector; round 4r works on w[r % 4] */
#pragma GCC unroll 16
        for (int r = 0; r < 16; r++) {
            if (r < 4) {
                w[r] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * r)), byte_order);
            } else {
                __m128i s0 = _mm_sha256msg1_epu32(w[r % 4], w[(r + 1) % 4]);
                __m128i seven_back = _mm_alignr_epi8(w[(r + 3) % 4], w[(r + 2) % 4], 4);
                w[r % 4] = _mm_sha256msg2_epu32(_mm_add_epi32(s0, seven_back), w[(r + 3) % 4]);
            }
            __m128i wk = _mm_add_epi32(w[r % 4], _mm_loadu_si128((const __m128i *)&fanin_sha256_constants[4 * r]));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }

    __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)&state[0], _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)&state[4], _mm_alignr_epi8(dchg, feba, 8));
}

static bool has_sha_ni(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#endif

/* NULL until the first use (cpuid is slow in virtual machines). Two threads that choose at once choose the same. */
static _Atomic(block_function) chosen;

static block_function choose(void)
{
#if HAVE_SHA_NI
    if (has_sha_ni())
        return blocks_sha_ni;
#endif
    return blocks_scalar;
}

static block_function in_force(void)
{
    block_function blocks = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (blocks == NULL) {
        blocks = choose();
        atomic_store_explicit(&chosen, blocks, memory_order_relaxed);
    }
    return blocks;
}

bool fanin_sha256_has_instructions(void)
{
    return in_force() != blocks_scalar;
}

bool fanin_sha256_force_scalar(bool forced)
{
    atomic_store_explicit(&chosen, forced ? blocks_scalar : choose(), memory_order_relaxed);
    return choose() != blocks_scalar;
}

/* -- Pieces ---------------------------------------------------------------------------------------------------------*/

void fanin_sha256_begin(fanin_sha256 *hash)
{
    /* FIPS 180-4, 5.3.3 */
    *hash = (fanin_sha256){
        .state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void fanin_sha256_update(fanin_sha256 *hash, const void *data, size_t nbytes)
{
    const uint8_t *at = data;
    size_t npending = (size_t)(hash->nbytes % 64);
    hash->nbytes += nbytes;
    if (npending > 0 && nbytes > 0) {
        size_t taken = nbytes < 64 - npending ? nbytes : 64 - npending;
        memcpy(hash->pending + npending, at, taken);
        if (npending + taken < 64)
            return;
        in_force()(hash->state, hash->pending, 1);
        at += taken;
        nbytes -= taken;
    }
    if (nbytes >= 64)
        in_force()(hash->state, at, nbytes / 64);
    if (nbytes % 64 > 0)
        memcpy(hash->pending, at + (nbytes & ~(size_t)63), nbytes % 64);
}

void fanin_sha256_end(fanin_sha256 *hash, uint8_t digest[32])
{
    /* A one bit, zeros up to 8 bytes before a block's end, the length in bits. */
    uint8_t tail[72] = {0x80};
    uint64_t nbits = hash->nbytes * 8;
    size_t nzeros = (size_t)(119 - hash->nbytes % 64) % 64;
    for (int i = 0; i < 8; i++)
        tail[1 + nzeros + (size_t)i] = (uint8_t)(nbits >> (56 - 8 * i));
    fanin_sha256_update(hash, tail, 1 + nzeros + 8);
    for (int i = 0; i < 32; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void fanin_hex32(const uint8_t digest[32], char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
}
