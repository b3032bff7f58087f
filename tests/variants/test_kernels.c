/* SPDX-License-Identifier: MIT */
/*
 * Every kernel of every machine variant against the scalar one, bit for bit: all lengths around the vector widths, odd
 * alignments, a guard page at the end of each output, and parameters that make infinities, NaN and subnormals.
 */
#define _GNU_SOURCE
#include "test.h"

#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sha256.h"
#include "fanin/version.h"
#include "kernel/convert.h"
#include "kernel/kernel.h"
#include "kernel/math64.inc.h"

enum { MAX_N = 700, MAX_WORDS = 2 * 16 * 48 };

/* nbytes that end where unreadable memory begins */
static void *guarded(size_t nbytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), span = (nbytes + page - 1) / page * page;
    char *map = mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(mprotect(map + span, page, PROT_NONE), 0);
    return map + span - nbytes;
}

static void release(void *memory, size_t nbytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), span = (nbytes + page - 1) / page * page;
    munmap((char *)memory + nbytes - span, span + page);
}

static void random_words(uint32_t *words, size_t n, uint64_t seed)
{
    fanin_generator g = fanin_generator_torch(seed);
    for (size_t i = 0; i < n; i++)
        words[i] = fanin_generator_u32(&g);
}

/* The word that tempering turns into y. */
static uint32_t untempered(uint32_t y)
{
    y ^= y >> 18;
    y ^= (y << 15) & 0xefc60000;
    uint32_t x = y;
    for (int k = 0; k < 5; k++)
        x = y ^ ((x << 7) & 0x9d2c5680);
    y = x;
    for (int k = 0; k < 3; k++)
        x = y ^ x >> 11;
    return x;
}

/* Words whose tempered value has all, none or few of its low bits set: the edges of every uniform. */
static void plant_edges(uint32_t *words, size_t n)
{
    static const uint32_t edges[] = {0, 0xffffffff, 0xffffff, 0xff000000, 1, 0x800000, 0x7fffff, 0x1fffff};
    for (size_t i = 0; i < n; i += 7)
        words[i] = untempered(edges[(i / 7) % (sizeof edges / sizeof *edges)]);
}

typedef void (*compare_function)(const struct fanin_kernel *scalar, const struct fanin_kernel *other);

static void for_each_variant(compare_function compare)
{
    size_t compared = 0;
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        const struct fanin_kernel *kernel = fanin_kernel_at(i);
        if (kernel == NULL || kernel == &fanin_kernel_scalar)
            continue;
        print_message("%s against scalar\n", kernel->name);
        compare(&fanin_kernel_scalar, kernel);
        compared++;
    }
    if (compared == 0)
        print_message("this processor has the scalar variant only: nothing to compare\n");
}

static void compare_generate(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    enum { N = FANIN_MT19937_NWORDS, MOST = 5 * N, AFTER = 16 };
    size_t nbytes = (N + MOST + FANIN_MT_MORE + AFTER) * sizeof(uint32_t);
    uint32_t *a = malloc(nbytes), *b = malloc(nbytes);
    static const uint32_t zeros[MOST + AFTER];
    for (size_t n = 0; n <= MOST; n += n < 70 ? 1 : 61) {
        fanin_generator g = fanin_generator_torch(n);
        memset(a, 0, nbytes);
        memset(b, 0, nbytes);
        memcpy(a, g.words, sizeof g.words);
        memcpy(b, g.words, sizeof g.words);
        scalar->mt_generate(a, n);
        other->mt_generate(b, n);
        assert_memory_equal(a, b, (N + n) * sizeof *a);
        assert_memory_equal(b + N + n + FANIN_MT_MORE, zeros, (MOST - n + AFTER) * sizeof *b);
    }
    free(a);
    free(b);
}

static void compare_temper(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    uint32_t raw[MAX_N + 3];
    random_words(raw, MAX_N + 3, 1);
    for (size_t n = 0; n <= 100; n++)
        for (size_t shift = 0; shift < 3; shift++) {
            uint32_t *a = guarded(n * 4), *b = guarded(n * 4);
            scalar->mt_temper(a, raw + shift, n);
            other->mt_temper(b, raw + shift, n);
            assert_memory_equal(a, b, n * 4);
            release(a, n * 4);
            release(b, n * 4);
        }
}

/* Against the division itself: every divisor that is small, both ways to divide, quotients next to whole numbers. */
static void compare_remainders(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    static const uint32_t ranges[] = {1,    2,    100,   4000,     4095,    4096,           4097,
                                      4112, 4200, 65536, 12345678, 1 << 28, (1 << 30) - 77, 1 << 30};
    uint32_t raw[MAX_N], words[MAX_N];
    for (size_t r = 0; r < sizeof ranges / sizeof *ranges; r++)
        for (size_t n = 0; n < MAX_N && n < ranges[r]; n += n < 70 ? 1 : 61) {
            uint32_t *a = guarded(n * 4), *b = guarded(n * 4);
            random_words(raw, MAX_N, r);
            for (size_t i = 0; i < n; i++) {
                const uint32_t divisor = ranges[r] - (uint32_t)i;
                const uint64_t multiple = ((uint64_t)raw[i] / divisor + 1) * divisor + i % 3 - 1;
                if (i % 4 != 0 && multiple <= UINT32_MAX)
                    raw[i] = untempered((uint32_t)multiple);
            }
            scalar->mt_temper(words, raw, n);
            scalar->mt_remainders(a, raw, n, ranges[r]);
            other->mt_remainders(b, raw, n, ranges[r]);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(a[i], words[i] % (ranges[r] - (uint32_t)i));
            assert_memory_equal(a, b, n * 4);
            release(a, n * 4);
            release(b, n * 4);
        }
}

static void compare_add(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    enum { N = FANIN_MT19937_NWORDS };
    uint32_t x[2 * N], a[N], b[N];
    uint16_t at[N];
    random_words(x, 2 * N, 8);
    for (size_t n = 0; n <= N; n += 78) {
        random_words(a, N, n);
        memcpy(b, a, sizeof a);
        for (size_t i = 0; i < n; i++)
            at[i] = (uint16_t)(x[i] % N);
        scalar->mt_add(a, x, at, n);
        other->mt_add(b, x, at, n);
        assert_memory_equal(a, b, sizeof a);
    }
}

/* Any terms that keep the promised distance will do: the reduction must only be the same. */
static void compare_square(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    static const uint16_t terms[] = {0, 1, 31, 32, 33, 63, 64, 65, 511, 512, 623, 5000, 12345, 19313, 19314};
    uint64_t a[FANIN_JUMP_NWORDS], b[FANIN_JUMP_NWORDS];
    for (uint64_t seed = 0; seed < 20; seed++) {
        random_words((uint32_t *)a, 2 * FANIN_JUMP_NWORDS, seed);
        a[FANIN_JUMP_NWORDS - 1] &= ((uint64_t)1 << (FANIN_JUMP_DEGREE % 64)) - 1;
        memcpy(b, a, sizeof a);
        scalar->mt_square(a, seed % 2, terms, sizeof terms / sizeof *terms);
        other->mt_square(b, seed % 2, terms, sizeof terms / sizeof *terms);
        assert_memory_equal(a, b, sizeof a);
    }
}

/*
 * Words to take, with room for as many behind them. A kernel that is called running finds only the first 624 and makes
 * the others, one that is not finds them all.
 */
enum { TAKEN = MAX_WORDS, ROOM = TAKEN + FANIN_MT19937_NWORDS + FANIN_MT_MORE };
static uint32_t taken_words[2][ROOM];

static uint32_t *words_for(size_t i, const uint32_t *words, size_t n, bool running)
{
    memcpy(taken_words[i], words, TAKEN * sizeof *words);
    if (running)
        memset(taken_words[i] + FANIN_MT19937_NWORDS, 0xa5, (ROOM - FANIN_MT19937_NWORDS) * sizeof(uint32_t));
    else
        memset(taken_words[i] + n, 0xa5, (ROOM - n) * sizeof(uint32_t)); /* not to be read */
    return taken_words[i];
}

/* What was made is that which the generator makes. */
static void check_made(const struct fanin_kernel *scalar, size_t n, bool running)
{
    static uint32_t expected[ROOM];
    for (size_t i = 0; running && i < 2; i++) {
        memcpy(expected, taken_words[i], FANIN_MT19937_NWORDS * sizeof *expected);
        scalar->mt_generate(expected, n);
        assert_memory_equal(expected, taken_words[i], (FANIN_MT19937_NWORDS + n) * sizeof *expected);
    }
}

static const double parameters[][2] = {
    {0, 1},    {-0.3, 0.7},     {1, 1.0001},     {-1e30, 1e30}, {0, 1e-40}, {3, 3},     {-2, -1.9},
    {0, 3e38}, {-1e-45, 1e-45}, {0.5, INFINITY}, {NAN, 1},      {0, 0},     {1e5, 7e4}, {-0.0, 2.5e-7},
};

#define DEFINE_COMPARE_UNIFORM(name, type, slot)                                                                       \
    static void name(const struct fanin_kernel *scalar, const struct fanin_kernel *other)                              \
    {                                                                                                                  \
        static uint32_t raw[TAKEN];                                                                                    \
        random_words(raw, TAKEN, 2);                                                                                   \
        plant_edges(raw, TAKEN);                                                                                       \
        for (size_t p = 0; p < sizeof parameters / sizeof *parameters; p++)                                            \
            for (size_t n = 0; n <= MAX_N; n += n < 70 ? 1 : 97) {                                                     \
                float from = (float)parameters[p][0], to = (float)parameters[p][1];                                    \
                if (!isfinite(from) || !isfinite(to))                                                                  \
                    continue; /* refused before any kernel sees them */                                                \
                struct fanin_uniform_f32 rule = {0xffffff, 0x1p-24f, from, to - from, p % 2 ? to : INFINITY};          \
                type *a = guarded(n * sizeof *a), *b = guarded(n * sizeof *b);                                         \
                bool running = n % 3 != 0;                                                                             \
                scalar->slot(a, words_for(0, raw, n, running), n, &rule, running);                                     \
                other->slot(b, words_for(1, raw, n, running), n, &rule, running);                                      \
                check_made(scalar, n, running);                                                                        \
                assert_memory_equal(a, b, n * sizeof *a);                                                              \
                release(a, n * sizeof *a);                                                                             \
                release(b, n * sizeof *b);                                                                             \
            }                                                                                                          \
    }
DEFINE_COMPARE_UNIFORM(compare_uniform_f32, float, uniform_f32)
DEFINE_COMPARE_UNIFORM(compare_uniform_f32_bypass, float, uniform_f32_bypass)
DEFINE_COMPARE_UNIFORM(compare_uniform_bf16, uint16_t, uniform_bf16)
DEFINE_COMPARE_UNIFORM(compare_uniform_f16, uint16_t, uniform_f16)

/* Against bytes set one by one; every length and every place in a line. */
#define DEFINE_COMPARE_FILL(name, slot)                                                                                \
    static void name(const struct fanin_kernel *scalar, const struct fanin_kernel *other)                              \
    {                                                                                                                  \
        static const uint64_t pattern = 0x8877665544332211;                                                            \
        for (size_t n = 0; n <= MAX_N; n += n < 200 ? 1 : 83) {                                                        \
            uint8_t *a = guarded(n), *b = guarded(n);                                                                  \
            scalar->slot(a, pattern, n);                                                                               \
            other->slot(b, pattern, n);                                                                                \
            for (size_t i = 0; i < n; i++)                                                                             \
                assert_true(a[i] == (uint8_t)(pattern >> 8 * (i % 8)));                                                \
            assert_memory_equal(a, b, n);                                                                              \
            release(a, n);                                                                                             \
            release(b, n);                                                                                             \
        }                                                                                                              \
    }
DEFINE_COMPARE_FILL(compare_fill, fill)
DEFINE_COMPARE_FILL(compare_fill_bypass, fill_bypass)

static void compare_uniform_f64(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    uint32_t raw[2 * MAX_N];
    random_words(raw, 2 * MAX_N, 3);
    plant_edges(raw, 2 * MAX_N);
    for (size_t p = 0; p < sizeof parameters / sizeof *parameters; p++)
        for (size_t n = 0; n <= MAX_N; n += n < 140 ? 1 : 97) {
            double from = parameters[p][0], to = parameters[p][1];
            struct fanin_uniform_f64 rule = {from, to - from, p % 2 ? to : NAN};
            double *a = guarded(n * 8), *b = guarded(n * 8);
            scalar->uniform_f64(a, raw, n, &rule);
            other->uniform_f64(b, raw, n, &rule);
            assert_memory_equal(a, b, n * 8);
            release(a, n * 8);
            release(b, n * 8);
        }
}

#define DEFINE_COMPARE_NORMAL(name, type, slot, words, and_running)                                                    \
    static void name(const struct fanin_kernel *scalar, const struct fanin_kernel *other)                              \
    {                                                                                                                  \
        static uint32_t raw[MAX_WORDS];                                                                                \
        random_words(raw, MAX_WORDS, 4);                                                                               \
        plant_edges(raw, MAX_WORDS);                                                                                   \
        for (size_t p = 0; p < sizeof parameters / sizeof *parameters; p++)                                            \
            for (size_t blocks = 0; blocks <= MAX_WORDS / (16 * (words)); blocks++) {                                  \
                size_t nbytes = blocks * FANIN_NORMAL_BLOCK * sizeof(type);                                            \
                type *a = guarded(nbytes), *b = guarded(nbytes);                                                       \
                size_t n = blocks * 16 * (words);                                                                      \
                bool running = (words) == 1 && blocks % 3 != 0;                                                        \
                scalar->slot(a, words_for(0, raw, n, running), blocks, (type##_parameter)parameters[p][0],             \
                             (type##_parameter)parameters[p][1] and_running);                                          \
                other->slot(b, words_for(1, raw, n, running), blocks, (type##_parameter)parameters[p][0],              \
                            (type##_parameter)parameters[p][1] and_running);                                           \
                assert_memory_equal(a, b, nbytes);                                                                     \
                check_made(scalar, n, running);                                                                        \
                release(a, nbytes);                                                                                    \
                release(b, nbytes);                                                                                    \
            }                                                                                                          \
    }
#define AND_RUNNING , running
typedef float float_parameter;
typedef float uint16_t_parameter;
typedef double double_parameter;
DEFINE_COMPARE_NORMAL(compare_normal_f32, float, normal_f32, 1, AND_RUNNING)
DEFINE_COMPARE_NORMAL(compare_normal_bf16, uint16_t, normal_bf16, 1, AND_RUNNING)
DEFINE_COMPARE_NORMAL(compare_normal_f16, uint16_t, normal_f16, 1, AND_RUNNING)
DEFINE_COMPARE_NORMAL(compare_normal_f64, double, normal_f64, 2, )

static void compare_pairs(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    static uint32_t raw[MAX_WORDS];
    random_words(raw, MAX_WORDS, 5);
    plant_edges(raw, MAX_WORDS);
    for (size_t n = 0; n <= MAX_WORDS / 4; n++)
        for (int log1p = 0; log1p < 2; log1p++) {
            size_t nbytes = 2 * n * sizeof(double);
            double *a = guarded(nbytes), *b = guarded(nbytes);
            scalar->normal_pairs(a, raw, n, log1p != 0);
            other->normal_pairs(b, raw, n, log1p != 0);
            assert_memory_equal(a, b, nbytes);
            scalar->scale(a, 2 * n, 0.37, -1.1);
            other->scale(b, 2 * n, 0.37, -1.1);
            assert_memory_equal(a, b, nbytes);
            release(a, nbytes);
            release(b, nbytes);
        }
}

/*
 * Every slot on the strips that it meets in a factorization, one after the other: heights around blocks and chunks, few
 * and all columns, one of zeros and one that counts as zeros.
 */
#define DEFINE_COMPARE_HOUSEHOLDER(suffix, type)                                                                       \
    static void fill_##suffix(type *a, size_t nrows, size_t width, size_t ncols, uint64_t seed)                        \
    {                                                                                                                  \
        const size_t n = nrows * width;                                                                                \
        uint32_t *words = malloc(n * sizeof *words);                                                                   \
        random_words(words, n, seed);                                                                                  \
        for (size_t i = 0; i < n; i++)                                                                                 \
            a[i] = i % width < ncols ? ((type)(words[i] >> 8) - 0x1p23f) * 0x1p-22f : 0;                               \
        for (size_t i = 0; i < nrows; i++) {                                                                           \
            a[i * width + seed % width] *= (type)(seed % 3 == 0 ? 0 : 1);                                              \
            a[i * width + seed * 5 % width] *= (type)(seed % 4 == 1 ? 0x1p-120f : 1);                                  \
        }                                                                                                              \
        free(words);                                                                                                   \
    }                                                                                                                  \
    static void compare_householder_##suffix(const struct fanin_kernel *scalar, const struct fanin_kernel *other)      \
    {                                                                                                                  \
        static const size_t heights[] = {48, 56, 64, 96, 104, 112, 120, 168, 176, 184, 192, 304, 312};                 \
        static const size_t widths[] = {1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 40, 47, 48};                               \
        enum { SQUARE = FANIN_STRIP * FANIN_STRIP };                                                                   \
        for (size_t h = 0; h < sizeof heights / sizeof *heights; h++)                                                  \
            for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {                                              \
                const size_t nrows = heights[h], nbytes = nrows * FANIN_STRIP * sizeof(type);                          \
                const struct fanin_kernel *const kernels[] = {scalar, other};                                          \
                type *v[2], *c[2], *s[2];                                                                              \
                double sign[2][FANIN_STRIP];                                                                           \
                for (size_t k = 0; k < 2; k++) {                                                                       \
                    v[k] = guarded(nbytes);                                                                            \
                    c[k] = guarded(nbytes);                                                                            \
                    s[k] = guarded(SQUARE * sizeof(type));                                                             \
                    fill_##suffix(v[k], nrows, FANIN_STRIP, widths[w], h + w);                                         \
                    fill_##suffix(c[k], nrows, FANIN_STRIP, FANIN_STRIP, 100);                                         \
                    kernels[k]->householder_##suffix.factor(v[k], nrows, widths[w], s[k], sign[k]);                    \
                    kernels[k]->householder_##suffix.apply_transposed(c[k], v[k], s[k], nrows);                        \
                    if (w % 2 == 0)                                                                                    \
                        kernels[k]->householder_##suffix.apply(c[k], v[k], s[k], nrows);                               \
                }                                                                                                      \
                assert_memory_equal(v[0], v[1], nbytes);                                                               \
                assert_memory_equal(c[0], c[1], nbytes);                                                               \
                assert_memory_equal(s[0], s[1], SQUARE * sizeof(type));                                                \
                assert_memory_equal(sign[0], sign[1], sizeof sign[0]);                                                 \
                for (size_t k = 0; k < 2; k++)                                                                         \
                    kernels[k]->householder_##suffix.form(v[k], s[k], sign[k], nrows);                                 \
                assert_memory_equal(v[0], v[1], nbytes);                                                               \
                for (size_t k = 0; k < 2; k++) {                                                                       \
                    release(v[k], nbytes);                                                                             \
                    release(c[k], nbytes);                                                                             \
                    release(s[k], SQUARE * sizeof(type));                                                              \
                }                                                                                                      \
            }                                                                                                          \
    }                                                                                                                  \
    static void compare_narrow_##suffix(const struct fanin_kernel *scalar, const struct fanin_kernel *other)           \
    {                                                                                                                  \
        static const size_t heights[] = {64, 128, 192, 448, 512, 576, 960, 1024, 1088, 2112};                          \
        for (size_t h = 0; h < sizeof heights / sizeof *heights; h++)                                                  \
            for (size_t ncols = 1; ncols <= FANIN_NARROW; ncols++) {                                                   \
                const size_t nbytes = heights[h] * ncols * sizeof(type);                                               \
                type *a = guarded(nbytes), *b = guarded(nbytes);                                                       \
                fill_##suffix(a, ncols, heights[h], heights[h] - h * 3, h + ncols);                                    \
                memset(a + ncols / 2 * heights[h], 0, h % 4 == 0 ? heights[h] * sizeof *a : 0);                        \
                memcpy(b, a, nbytes);                                                                                  \
                scalar->householder_##suffix.orthogonalize_narrow(a, heights[h], ncols);                               \
                other->householder_##suffix.orthogonalize_narrow(b, heights[h], ncols);                                \
                assert_memory_equal(a, b, nbytes);                                                                     \
                release(a, nbytes);                                                                                    \
                release(b, nbytes);                                                                                    \
            }                                                                                                          \
    }
DEFINE_COMPARE_HOUSEHOLDER(f32, float)
DEFINE_COMPARE_HOUSEHOLDER(f64, double)

static void compare_take_bits(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    enum { NBITS = 600, NWORDS = (NBITS + 63) / 64 };
    static const struct {
        size_t first, end;
    } spans[] = {{0, NBITS}, {0, 0}, {64, 64}, {16, 48}, {16, 64}, {48, 80}, {112, 592}, {128, 512}};
    for (unsigned rarity = 0; rarity < 9; rarity += 2)
        for (size_t s = 0; s < sizeof spans / sizeof *spans; s++) {
            uint32_t random[NBITS];
            uint64_t bits[3][NWORDS] = {{0}};
            uint16_t offsets[2][NBITS + 7];
            bool is_set[NBITS];
            size_t n = 0;
            random_words(random, NBITS, rarity + 1);
            for (size_t i = 0; i < NBITS; i++) {
                is_set[i] = rarity == 0 || random[i] >> (32 - rarity) == 0;
                if (is_set[i]) {
                    for (size_t k = 0; k < 2; k++)
                        bits[k][i / 64] |= (uint64_t)1 << (i % 64);
                    if (i < spans[s].first || i >= spans[s].end)
                        bits[2][i / 64] |= (uint64_t)1 << (i % 64);
                }
            }
            const size_t count = scalar->take_bits(bits[0], spans[s].first, spans[s].end, offsets[0]);
            assert_int_equal(other->take_bits(bits[1], spans[s].first, spans[s].end, offsets[1]), count);
            for (size_t i = spans[s].first; i < spans[s].end; i++)
                if (is_set[i]) {
                    assert_int_equal(offsets[0][n], i - spans[s].first);
                    assert_int_equal(offsets[1][n++], i - spans[s].first);
                }
            assert_int_equal(n, count);
            assert_memory_equal(bits[0], bits[2], sizeof bits[0]);
            assert_memory_equal(bits[1], bits[2], sizeof bits[1]);
        }
}

/*
 * Values of a type on, beside and far from the bounds, with infinities, NaN and both zeros; then those that are
 * outside, or the first where none is, made again of words that name their places.
 */
#define DEFINE_COMPARE_TRUNCATION(name, type, slot, nwords, as_type, nan)                                              \
    static void name(const struct fanin_kernel *scalar, const struct fanin_kernel *other)                              \
    {                                                                                                                  \
        enum { BLOCK = FANIN_NORMAL_BLOCK, HALF = FANIN_NORMAL_HALF, BLOCKS = 150, N = BLOCKS * BLOCK };               \
        static const double edges[] = {2, -2, 0.0, -0.0, 3, -3, 1.5, -1.5, INFINITY, -INFINITY};                       \
        static const double low[] = {-2, 0.0, -0.0, -INFINITY, -2, -3}, high[] = {2, 3, 2, INFINITY, -0.0, 0.0};       \
        for (size_t p = 0; p < sizeof low / sizeof *low; p++)                                                          \
            for (size_t n = 0; n <= BLOCKS; n += n < 4 ? 1 : 73) {                                                     \
                struct fanin_bounds bounds = {low[p], high[p], (float)low[p], (float)high[p], 0, 0, 0x7f80};           \
                const uint16_t l = fanin_bf16_from_f32((float)low[p]), h = fanin_bf16_from_f32((float)high[p]);        \
                bounds.key_low = (int16_t)(l << 1 == 0x10000 || l == 0 ? -1 : l >> 15 ? l ^ 0x7fff : l);               \
                bounds.key_high = (int16_t)(h << 1 == 0x10000 || h == 0 ? 0 : h >> 15 ? h ^ 0x7fff : h);               \
                type *a = guarded(n * BLOCK * sizeof *a), *b = guarded(n * BLOCK * sizeof *b), expected[N];            \
                uint32_t word[2 * N];                                                                                  \
                uint64_t marks[2][(N + 63) / 64] = {{0}};                                                              \
                uint16_t at[2][N + HALF];                                                                              \
                size_t count = 0, left = 0;                                                                            \
                random_words(word, 2 * N, 9 + p);                                                                      \
                for (size_t i = 0; i < n * BLOCK; i++) {                                                               \
                    const uint32_t w = word[N + i];                                                                    \
                    a[i] = w % 16 != 0  ? as_type((float)(w % 3))                                                      \
                           : w % 5 == 0 ? nan                                                                          \
                                        : as_type((float)edges[w / 16 % 10]);                                          \
                }                                                                                                      \
                memcpy(b, a, n *BLOCK * sizeof *a);                                                                    \
                memcpy(expected, a, n *BLOCK * sizeof *a);                                                             \
                const bool any = scalar->slot.mark(marks[0], a, n, &bounds);                                           \
                assert_int_equal(other->slot.mark(marks[1], a, n, &bounds), any);                                      \
                assert_memory_equal(marks[0], marks[1], sizeof marks[0]);                                              \
                for (size_t i = 0; i < n * BLOCK; i++) {                                                               \
                    const bool outside = value_of_##type(a[i]) < low[p] || value_of_##type(a[i]) > high[p];            \
                    assert_int_equal(marks[0][i / 64] >> (i % 64) & 1, outside);                                       \
                    if (outside)                                                                                       \
                        at[0][count++] = (uint16_t)i;                                                                  \
                }                                                                                                      \
                assert_int_equal(count > 0, any);                                                                      \
                for (at[0][count] = 0; n > 0 && (count == 0 || count % HALF != 0); count++)                            \
                    at[0][count] = at[0][count > 0 ? count - 1 : 0];                                                   \
                memcpy(at[1], at[0], sizeof at[0]);                                                                    \
                const size_t nblocks = count / HALF, nbytes = nblocks * BLOCK * (nwords) * sizeof(uint32_t);           \
                uint32_t *c = guarded(nbytes), *d = guarded(nbytes);                                                   \
                uint32_t raw[(nwords)*N];                                                                              \
                for (size_t i = 0; i < (nwords)*N; i++)                                                                \
                    raw[i] = (uint32_t)i;                                                                              \
                scalar->slot.gather(c, raw, at[0], nblocks);                                                           \
                other->slot.gather(d, raw, at[0], nblocks);                                                            \
                assert_memory_equal(c, d, nbytes);                                                                     \
                type *fresh = guarded(nblocks * BLOCK * sizeof *fresh);                                                \
                for (size_t i = 0; i < nblocks * BLOCK; i++)                                                           \
                    fresh[i] = word[i % N] % 16 == 0 ? nan : as_type((float)edges[word[i % N] / 16 % 10]);             \
                uint64_t again[(2 * N + 63) / 64 + 1];                                                                 \
                uint16_t kept[N + HALF];                                                                               \
                scalar->slot.mark(again, fresh, nblocks, &bounds);                                                     \
                for (size_t i = 0; i < count; i++) {                                                                   \
                    const size_t offset = at[0][i], place = i / HALF * BLOCK + i % HALF;                               \
                    const size_t made = place + (offset & HALF), block = offset / BLOCK * BLOCK + offset % HALF;       \
                    for (size_t half = 0; half < 2; half++)                                                            \
                        for (size_t k = 0; k < (nwords); k++)                                                          \
                            assert_int_equal(c[(place + half * HALF) * (nwords) + k],                                  \
                                             (block + half * HALF) * (nwords) + k);                                    \
                    expected[offset] = fresh[made];                                                                    \
                    if (value_of_##type(fresh[made]) < low[p] || value_of_##type(fresh[made]) > high[p])               \
                        kept[left++] = (uint16_t)offset;                                                               \
                }                                                                                                      \
                assert_int_equal(scalar->slot.scatter(a, fresh, again, at[0], nblocks), left);                         \
                assert_int_equal(other->slot.scatter(b, fresh, again, at[1], nblocks), left);                          \
                assert_memory_equal(at[0], kept, left * sizeof *kept);                                                 \
                assert_memory_equal(at[1], kept, left * sizeof *kept);                                                 \
                assert_memory_equal(a, expected, n *BLOCK * sizeof *a);                                                \
                assert_memory_equal(b, expected, n *BLOCK * sizeof *b);                                                \
                release(a, n *BLOCK * sizeof *a);                                                                      \
                release(b, n *BLOCK * sizeof *b);                                                                      \
                release(c, nbytes);                                                                                    \
                release(d, nbytes);                                                                                    \
                release(fresh, nblocks *BLOCK * sizeof *fresh);                                                        \
            }                                                                                                          \
    }
#define AS_IS(x) (x)
static double value_of_float(float x)
{
    return x;
}
static double value_of_double(double x)
{
    return x;
}
static double value_of_uint16_t(uint16_t x)
{
    return fanin_f32_from_bf16(x);
}
DEFINE_COMPARE_TRUNCATION(compare_truncation_f32, float, truncation_f32, 1, AS_IS, NAN)
DEFINE_COMPARE_TRUNCATION(compare_truncation_f64, double, truncation_f64, 2, AS_IS, NAN)
DEFINE_COMPARE_TRUNCATION(compare_truncation_16bit, uint16_t, truncation_16bit, 1, fanin_bf16_from_f32, 0xffc1)

/* ---- the float32 normal as PyTorch writes it: Cephes' functions in their order of operations ---- */

static float reference_madd(bool unfused, float a, float b, float c)
{
    const float product = a * b;
    return unfused ? product + c : fmaf(a, b, c);
}

static float reference_log(bool unfused, float x)
{
    static const float coefficients[] = {0x1.204376p-4f,  -0x1.d7a370p-4f, 0x1.de4a34p-4f,
                                         -0x1.fcba9ep-4f, 0x1.23d37ep-3f,  -0x1.555ca0p-3f,
                                         0x1.999d58p-3f,  -0x1.fffff8p-3f, 0x1.555554p-2f};
    const uint32_t bits = fanin_f32_bits(x);
    float exponent = (float)((int32_t)(bits >> 23) - 127) + 1.0f;
    float m = fanin_f32_from_bits((bits & 0x807fffff) | 0x3f000000);
    const bool small = m < 0x1.6a09e6p-1f;
    exponent -= small ? 1.0f : 0.0f;
    const float t = (m - 1.0f) + (small ? m : 0.0f), z = t * t;
    float y = coefficients[0];
    for (size_t i = 1; i < sizeof coefficients / sizeof *coefficients; i++)
        y = reference_madd(unfused, y, t, coefficients[i]);
    y *= t;
    y = reference_madd(unfused, y, z, exponent * -0x1.bd0106p-13f);
    y = reference_madd(unfused, 0.0f - z, 0.5f, y);
    return reference_madd(unfused, exponent, 0x1.63p-1f, t + y);
}

static void reference_sincos(bool unfused, float x, float *sine, float *cosine)
{
    const uint32_t j = ((uint32_t)(int32_t)(x * 0x1.45f306p+0f) + 1) & 0xfffffffe;
    const float n = (float)(int32_t)j;
    x = reference_madd(unfused, n, -0x1.92p-1f, x);
    x = reference_madd(unfused, n, -0x1.fb4p-13f, x);
    x = reference_madd(unfused, n, -0x1.4442d2p-25f, x);
    const float z = x * x;
    float a = reference_madd(unfused, 0x1.99eb9cp-16f, z, -0x1.6c0c34p-10f);
    a = reference_madd(unfused, a, z, 0x1.55554ap-5f) * z;
    const float a_z = a * z, half = z * 0.5f;
    a = (unfused ? a_z - half : fmaf(a, z, 0.0f - half)) + 1.0f;
    float b = reference_madd(unfused, -0x1.9943f2p-13f, z, 0x1.11073cp-7f);
    b = reference_madd(unfused, b, z, -0x1.555546p-3f) * z;
    b = reference_madd(unfused, b, x, x);
    const float s = (j & 2 ? a : b) + 0.0f, c = (j & 2 ? b : a) + 0.0f;
    *sine = j & 4 ? -s : s;
    *cosine = (j - 2) & 4 ? c : -c;
}

/* Every radius and every angle there is, against that order of operations; a mean of -0 shows the signs of zeros. */
static void check_all_normals(const struct fanin_kernel *const *kernels, size_t nkernels, bool unfused)
{
    enum { BLOCKS = 512, HALF = FANIN_NORMAL_HALF, PAIRS = BLOCKS * HALF };
    static uint32_t raw[2 * PAIRS];
    static float expected[2 * PAIRS], made[2 * PAIRS];
    for (uint32_t done = 0; done < 1 << 24; done += (test_is_slow() ? 64 : 1) * PAIRS) {
        for (uint32_t i = 0; i < PAIRS; i++) {
            const uint32_t k = done + i, angle = (k * 0x9e3779b1) & 0xffffff; /* odd: a permutation */
            const size_t at = i / HALF * FANIN_NORMAL_BLOCK + i % HALF;
            const float u = 1.0f - (float)k * 0x1p-24f;
            const float radius = sqrtf(-2.0f * reference_log(unfused, u));
            float sine, cosine;
            reference_sincos(unfused, 0x1.921fb6p+2f * ((float)angle * 0x1p-24f), &sine, &cosine);
            raw[at] = untempered(k);
            raw[at + HALF] = untempered(angle);
            expected[at] = fmaf(radius * cosine, 1.0f, -0.0f);
            expected[at + HALF] = fmaf(radius * sine, 1.0f, -0.0f);
        }
        for (size_t i = 0; i < nkernels; i++) {
            kernels[i]->normal_f32(made, raw, BLOCKS, -0.0f, 1.0f, false);
            assert_memory_equal(made, expected, sizeof made);
        }
    }
}

static void test_all_normals(void **state)
{
    const struct fanin_kernel *kernels[8], *unfused = &fanin_kernel_unfused;
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < fanin_isa_count(); i++)
        if (fanin_kernel_at(i) != NULL)
            kernels[n++] = fanin_kernel_at(i);
    check_all_normals(kernels, n, false);
    check_all_normals(&unfused, 1, true);
}

/*
 * Angles whose sine and cosine are read from different rows of the table: pi / 2 less the angle lies on a tie of its
 * grid. Runs that have one are made again, with both rows; beside them are angles at random.
 */
static void test_ties_of_angles(void **state)
{
    enum { PAIRS = 256 };
    uint32_t raw[4 * PAIRS];
    double made[2 * PAIRS];
    size_t nties = 0;
    (void)state;
    random_words(raw, 4 * PAIRS, 12);
    for (int k = -219; k < 183; k += 2) {
        const double tie = 0x1.921fb54442d18p0 - k / 256.0;
        const double near = floor(tie / 0x1.921fb54442d18p+2 * 0x1p53);
        for (double m = near - 2; m <= near + 2; m++) {
            uint64_t apart = 0, word = (uint64_t)m;
            const double angle = 0x1.921fb54442d18p+2 * (m * 0x1p-53);
            fanin_sincos_positive(angle, false, &apart);
            if (apart == 0 || nties == PAIRS)
                continue;
            const size_t at = 4 * (nties * 7 % PAIRS);
            raw[at] = untempered((uint32_t)(word >> 32));
            raw[at + 1] = untempered((uint32_t)word);
            nties++;
        }
    }
    assert_true(nties >= 10);
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        const struct fanin_kernel *kernel = fanin_kernel_at(i);
        if (kernel == NULL)
            continue;
        kernel->normal_pairs(made, raw, PAIRS, false);
        for (size_t pair = 0; pair < PAIRS; pair++) {
            uint32_t words[4];
            fanin_kernel_scalar.mt_temper(words, raw + 4 * pair, 4);
            const double u1 = (double)((uint64_t)(words[0] & 0x1fffff) << 32 | words[1]) * 0x1p-53;
            const double u2 = (double)((uint64_t)(words[2] & 0x1fffff) << 32 | words[3]) * 0x1p-53;
            const struct fanin_sincos both = fanin_sincos(0x1.921fb54442d18p+2 * u1);
            const double radius = sqrt(-2.0 * fanin_log(1.0 - u2));
            assert_true(made[2 * pair] == radius * both.cos && made[2 * pair + 1] == radius * both.sin);
        }
    }
}

static void compare_summing(const struct fanin_summing *a, const struct fanin_summing *b, size_t width,
                            const void *data)
{
    enum { NCOLS = 41, NROWS = 11 };
    uint64_t keys[NROWS];
    random_words((uint32_t *)keys, 2 * NROWS, 3);
    for (size_t n = 1; n <= NCOLS; n++)
        for (size_t nrows = 1; nrows <= NROWS; nrows++) {
            double sums[2][2 * NROWS + 2 * NCOLS + 2 * FANIN_SUM_LANES] = {{0}}, found[2][6];
            uint64_t hashes[2][NCOLS] = {{0}};
            static uint32_t bins[2][65536];
            for (size_t k = 0; k < 2; k++) {
                const struct fanin_summing *kernel = k == 0 ? a : b;
                const struct fanin_sums to = {.rows = sums[k],
                                              .row_squares = sums[k] + NROWS,
                                              .columns = n % 3 != 0 ? sums[k] + 2 * NROWS : NULL,
                                              .column_squares = n % 3 != 0 ? sums[k] + 2 * NROWS + NCOLS : NULL,
                                              .cubes = sums[k] + 2 * NROWS + 2 * NCOLS,
                                              .fourths = sums[k] + 2 * NROWS + 2 * NCOLS + FANIN_SUM_LANES,
                                              .bins = width == 4 ? bins[k] : NULL};
                kernel->sums(data, nrows, NCOLS, n, &to);
                kernel->powers(data, nrows * n, 0.25, found[k]);
                kernel->extremes(data, nrows, NCOLS, n, found[k] + 4);
                kernel->hash_columns(data, nrows, NCOLS, n, keys, hashes[k]);
            }
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
            assert_memory_equal(found[0], found[1], sizeof found[0]);
            assert_memory_equal(hashes[0], hashes[1], sizeof hashes[0]);
            if (n == NCOLS)
                assert_memory_equal(bins[0], bins[1], sizeof bins[0]);
        }
}

static void compare_sums(const struct fanin_kernel *scalar, const struct fanin_kernel *other)
{
    enum { N = 11 * 41 };
    float narrow[N];
    double wide[N];
    uint64_t keys[2 * N];
    uint32_t words[2 * N];
    random_words(words, 2 * N, 1);
    random_words((uint32_t *)keys, 4 * N, 2);
    for (size_t i = 0; i < N; i++) {
        wide[i] = ldexp((double)words[i] - 0x1p31, (int)(words[N + i] % 60) - 60);
        narrow[i] = (float)wide[i];
    }
    compare_summing(&scalar->summing_f32, &other->summing_f32, 4, narrow);
    compare_summing(&scalar->summing_f64, &other->summing_f64, 8, wide);
    for (size_t nbytes = 0; nbytes < 300; nbytes++)
        assert_true(scalar->hash_bytes((const char *)words + nbytes % 7, nbytes, keys) ==
                    other->hash_bytes((const char *)words + nbytes % 7, nbytes, keys));
}

/* Of every lane by itself what the plain SHA-256 of base has after as many blocks; messages end where memory ends. */
static void check_sha256(const struct fanin_kernel *kernel)
{
    enum { MAX_LANES = 16, MAX_BLOCKS = 5 };
    const uint8_t *data[MAX_LANES];
    uint32_t states[8 * MAX_LANES];
    fanin_sha256 alone[MAX_LANES];
    assert_in_range(kernel->nlanes, 1, MAX_LANES);
    for (size_t nblocks = 0; nblocks <= MAX_BLOCKS; nblocks++) {
        for (size_t l = 0; l < kernel->nlanes; l++) {
            uint8_t *message = guarded(64 * nblocks + l % 3);
            random_words((uint32_t *)states, 8 * MAX_LANES, 100 * nblocks + l);
            memcpy(alone[l].state, states, sizeof alone[l].state);
            for (size_t i = 0; i < 64 * nblocks; i++)
                message[i] = (uint8_t)(states[i % (8 * MAX_LANES)] >> (i / (8 * MAX_LANES)));
            data[l] = message;
        }
        for (size_t l = 0; l < kernel->nlanes; l++)
            for (size_t i = 0; i < 8; i++)
                states[i * kernel->nlanes + l] = alone[l].state[i];
        kernel->sha256_lanes(states, data, nblocks);
        for (size_t l = 0; l < kernel->nlanes; l++) {
            alone[l].nbytes = 0;
            fanin_sha256_update(&alone[l], data[l], 64 * nblocks);
            for (size_t i = 0; i < 8; i++)
                assert_int_equal(states[i * kernel->nlanes + l], alone[l].state[i]);
            release((uint8_t *)(uintptr_t)data[l], 64 * nblocks + l % 3);
        }
    }
}

static void test_sha256(void **state)
{
    (void)state;
    for (size_t i = 0; i < fanin_isa_count(); i++)
        if (fanin_kernel_at(i) != NULL)
            check_sha256(fanin_kernel_at(i));
}

#define TEST(name)                                                                                                     \
    static void test_##name(void **state)                                                                              \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        for_each_variant(compare_##name);                                                                              \
    }
TEST(generate)
TEST(temper)
TEST(remainders)
TEST(add)
TEST(square)
TEST(uniform_f32)
TEST(uniform_f32_bypass)
TEST(uniform_bf16)
TEST(uniform_f16)
TEST(fill)
TEST(fill_bypass)
TEST(uniform_f64)
TEST(normal_f32)
TEST(normal_bf16)
TEST(normal_f16)
TEST(normal_f64)
TEST(pairs)
TEST(take_bits)
TEST(truncation_f32)
TEST(truncation_f64)
TEST(truncation_16bit)
TEST(householder_f32)
TEST(householder_f64)
TEST(narrow_f32)
TEST(narrow_f64)
TEST(sums)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_normals),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_sha256),
        cmocka_unit_test(test_ties_of_angles),
        cmocka_unit_test(test_generate),
        cmocka_unit_test(test_temper),
        cmocka_unit_test(test_remainders),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_square),
        cmocka_unit_test(test_uniform_f32),
        cmocka_unit_test(test_uniform_f32_bypass),
        cmocka_unit_test(test_uniform_bf16),
        cmocka_unit_test(test_uniform_f16),
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_fill_bypass),
        cmocka_unit_test(test_uniform_f64),
        cmocka_unit_test(test_normal_f32),
        cmocka_unit_test(test_normal_bf16),
        cmocka_unit_test(test_normal_f16),
        cmocka_unit_test(test_normal_f64),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_take_bits),
        cmocka_unit_test(test_truncation_f32),
        cmocka_unit_test(test_truncation_f64),
        cmocka_unit_test(test_truncation_16bit),
        cmocka_unit_test(test_householder_f32),
        cmocka_unit_test(test_householder_f64),
        cmocka_unit_test(test_narrow_f32),
        cmocka_unit_test(test_narrow_f64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
