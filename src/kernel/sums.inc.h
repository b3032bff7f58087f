/* SPDX-License-Identifier: MIT */
/*
 * The texts of sums, once for float and once for double, the hashes, and 16-bit types as floats.
 */
typedef uint16_t __attribute__((may_alias)) half_of_f32;
typedef uint32_t __attribute__((may_alias)) bits_of_f32;

enum { SUM_LANES = FANIN_SUM_LANES, SUM_ROWS = 4 };

static inline double sum_lanes(const double lanes[SUM_LANES])
{
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/* By the upper 16 bits, which lie behind the lower ones. */
static inline void count16_of_f32(uint32_t *bins, const float *values)
{
    const half_of_f32 *halves = (const half_of_f32 *)values + 1;
    for (size_t i = 0; i < 16; i++)
        bins[halves[2 * i]]++;
}
static inline void count_of_f32(uint32_t *bins, const float *values, size_t n)
{
    const half_of_f32 *halves = (const half_of_f32 *)values + 1;
    for (size_t i = 0; i < n; i++)
        bins[halves[2 * i]]++;
}

/* Of doubles there are no bins: they are counted as floats. */
static inline void count16_of_f64(uint32_t *bins, const double *values) { (void)bins, (void)values; }
static inline void count_of_f64(uint32_t *bins, const double *values, size_t n) { (void)bins, (void)values, (void)n; }

#define REAL            float
#define VECTOR          vf
#define LANES           W
#define V(word)         vf_##word
#define DOUBLES         vd_widen
#define SUMMARIZE(name) name##_of_f32
#include "kernel/summarize.inc.h"
#undef REAL
#undef VECTOR
#undef LANES
#undef V
#undef DOUBLES
#undef SUMMARIZE

#define REAL            double
#define VECTOR          vd
#define LANES           D
#define V(word)         vd_##word
#define DOUBLES         vd_load
#define SUMMARIZE(name) name##_of_f64
#include "kernel/summarize.inc.h"
#undef REAL
#undef VECTOR
#undef LANES
#undef V
#undef DOUBLES
#undef SUMMARIZE

/*
 * A hash is the sum of lower half times upper half plus the word itself, modulo 2^64, over words that were folded and
 * xored with the key of their place: (lower + 2^32) (upper + 1) but for a constant, so that another half is always
 * another term. Folding brings the upper bits of each half down: signs and exponents alone would be multiples of a
 * large power of two, whose sums have few bits.
 */
static inline vq hash_words(vq sum, vq words, vq keys)
{
    vq folded = vq_fold(words, keys);
    return vq_add(sum, vq_add(vq_product_of_halves(folded), folded));
}

static inline uint64_t hash_word(uint64_t word, uint64_t key)
{
    uint64_t folded = word ^ word >> 16 ^ key;
    return (folded & 0xffffffff) * (folded >> 32) + folded;
}

static uint64_t hash_bytes(const void *data, size_t nbytes, const uint64_t *keys)
{
    const uint8_t *bytes = data;
    vq sums = vq_set1(0);
    uint64_t lanes[D], sum = 0;
    size_t i = 0;
    for (; i + 8 * D <= nbytes; i += 8 * D)
        sums = hash_words(sums, vq_load_any(bytes + i), vq_load(keys + i / 8));
    vq_store(lanes, sums);
    for (size_t k = 0; k < D; k++)
        sum += lanes[k];
    for (; i < nbytes; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, nbytes - i < 8 ? nbytes - i : 8);
        sum += hash_word(word, keys[i / 8]);
    }
    return sum;
}

/* Two rows make the words of 32 bits, 4 rows are taken at a time; a last one has zeros beside it. */
static void hash_columns_of_f32(const void *data, size_t nrows, size_t ncols, size_t n, const uint64_t *keys,
                                uint64_t *hashes)
{
    static const uint32_t none[D];
    const size_t width = 4, pitch = ncols * width;
    const uint8_t *a = data;
    for (; nrows >= 4; nrows -= 4, a += 4 * pitch, keys += 2) {
        const vq key = vq_set1(keys[0]), key2 = vq_set1(keys[1]);
        size_t j = 0;
        for (; j + D <= n; j += D) {
            const uint8_t *at = a + j * width;
            vq hash = hash_words(vq_load(hashes + j), vq_zip(at, at + pitch), key);
            vq_store(hashes + j, hash_words(hash, vq_zip(at + 2 * pitch, at + 3 * pitch), key2));
        }
        for (; j < n; j++)
            for (size_t pair = 0; pair < 2; pair++) {
                uint32_t low, high;
                memcpy(&low, a + 2 * pair * pitch + j * width, sizeof low);
                memcpy(&high, a + (2 * pair + 1) * pitch + j * width, sizeof high);
                hashes[j] += hash_word((uint64_t)high << 32 | low, keys[pair]);
            }
    }
    for (; nrows > 0; nrows -= nrows < 2 ? nrows : 2, a += 2 * pitch, keys++) {
        size_t j = 0;
        for (; j + D <= n; j += D) {
            const uint8_t *at = a + j * width, *below = nrows > 1 ? at + pitch : (const uint8_t *)none;
            vq_store(hashes + j, hash_words(vq_load(hashes + j), vq_zip(at, below), vq_set1(keys[0])));
        }
        for (; j < n; j++) {
            uint32_t low, high = 0;
            memcpy(&low, a + j * width, sizeof low);
            if (nrows > 1)
                memcpy(&high, a + pitch + j * width, sizeof high);
            hashes[j] += hash_word((uint64_t)high << 32 | low, keys[0]);
        }
    }
}

static void hash_columns_of_f64(const void *data, size_t nrows, size_t ncols, size_t n, const uint64_t *keys,
                                uint64_t *hashes)
{
    for (size_t r = 0; r < nrows; r++) {
        const uint8_t *row = (const uint8_t *)data + r * ncols * 8;
        size_t j = 0;
        for (; j + D <= n; j += D)
            vq_store(hashes + j, hash_words(vq_load(hashes + j), vq_load_any(row + 8 * j), vq_set1(keys[r])));
        for (; j < n; j++) {
            uint64_t word;
            memcpy(&word, row + 8 * j, sizeof word);
            hashes[j] += hash_word(word, keys[r]);
        }
    }
}

static void widen_bf16(float *out, const uint16_t *in, size_t n)
{
    bits_of_f32 *bits = (bits_of_f32 *)out;
    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)in[i] << 16;
}

/* Moved to f32's place the exponent is 112 too low, which a product mends exactly, subnormals too. */
static void widen_f16(float *out, const uint16_t *in, size_t n)
{
    bits_of_f32 *bits = (bits_of_f32 *)out;
    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)(in[i] & 0x7fff) << 13;
    for (size_t i = 0; i < n; i++)
        out[i] *= 0x1p112f;
    for (size_t i = 0; i < n; i++) {
        uint32_t special = (in[i] & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
        bits[i] |= special | (uint32_t)(in[i] & 0x8000) << 16;
    }
}
