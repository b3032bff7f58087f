/* SPDX-License-Identifier: MIT */
/*
 * The roofline: loops that store a constant, with plain and with non-temporal stores of the widest registers the core
 * has. The memory is observed after each, or a compiler that sees nobody read it drops the loop.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define OBSERVE(memory) __asm__ volatile("" : : "r"(memory) : "memory")

/* 0.5f in every lane: not zero, and no repetition of one byte, so that the loop is not taken for a memset. */
enum { PATTERN = 0x3f000000 };

#if defined(__x86_64__)
/* One loop in several widths: VALUE is made once, STORE writes VALUE to the place p. */
#define STORE_LOOP(name, isa, type, value, width, STORE)                                                               \
    __attribute__((target(isa))) static void name(void *memory, size_t nbytes)                                         \
    {                                                                                                                  \
        const type v = value;                                                                                          \
        char *end = (char *)memory + nbytes / (4 * (width)) * (4 * (width));                                           \
        for (char *p = memory; p < end; p += 4 * (width)) {                                                            \
            STORE((void *)p, v);                                                                                       \
            STORE((void *)(p + (width)), v);                                                                           \
            STORE((void *)(p + 2 * (width)), v);                                                                       \
            STORE((void *)(p + 3 * (width)), v);                                                                       \
        }                                                                                                              \
        _mm_sfence();                                                                                                  \
        OBSERVE(memory);                                                                                               \
    }

STORE_LOOP(store_128, "sse2", __m128i, _mm_set1_epi32(PATTERN), 16, _mm_store_si128)
STORE_LOOP(stream_128, "sse2", __m128i, _mm_set1_epi32(PATTERN), 16, _mm_stream_si128)
STORE_LOOP(store_256, "avx2", __m256i, _mm256_set1_epi32(PATTERN), 32, _mm256_store_si256)
STORE_LOOP(stream_256, "avx2", __m256i, _mm256_set1_epi32(PATTERN), 32, _mm256_stream_si256)
STORE_LOOP(store_512, "avx512f", __m512i, _mm512_set1_epi32(PATTERN), 64, _mm512_store_si512)
STORE_LOOP(stream_512, "avx512f", __m512i, _mm512_set1_epi32(PATTERN), 64, _mm512_stream_si512)
#else
static void store_words(void *memory, size_t nbytes)
{
    uint32_t *words = memory;
    for (size_t i = 0; i < nbytes / 4; i++)
        words[i] = PATTERN;
    OBSERVE(memory);
}
#endif

static void store_memset(void *memory, size_t nbytes)
{
    memset(memory, 0x3f, nbytes);
    OBSERVE(memory);
}

size_t bench_stores(const struct bench_store **stores)
{
#if defined(__x86_64__)
    static const struct bench_store of_128[] = {
        {"plain 128-bit", store_128}, {"non-temporal 128-bit", stream_128}, {"memset", store_memset}};
    static const struct bench_store of_256[] = {
        {"plain 256-bit", store_256}, {"non-temporal 256-bit", stream_256}, {"memset", store_memset}};
    static const struct bench_store of_512[] = {
        {"plain 512-bit", store_512}, {"non-temporal 512-bit", stream_512}, {"memset", store_memset}};
    *stores = __builtin_cpu_supports("avx512f") ? of_512 : __builtin_cpu_supports("avx2") ? of_256 : of_128;
    return 3;
#else
    static const struct bench_store plain[] = {{"plain", store_words}, {"memset", store_memset}};
    *stores = plain;
    return 2;
#endif
}

void bench_stores_check(void)
{
    enum { NWORDS = 16 << 10 };
    static _Alignas(64) uint32_t words[NWORDS];
    const struct bench_store *stores;
    size_t n = bench_stores(&stores);
    for (size_t i = 0; i < n; i++) {
        memset(words, 0, sizeof words);
        stores[i].store(words, sizeof words);
        for (size_t j = 0; j < NWORDS; j++)
            if (words[j] != PATTERN && words[j] != 0x3f3f3f3f)
                bench_die(stores[i].name, "the loop of the roofline does not store what it should");
    }
}

struct share {
    const struct bench_store_pass *pass;
    size_t nbytes; /* of each thread but the last */
    size_t nthreads;
};

static void store_share(void *context, size_t i)
{
    const struct share *share = context;
    size_t begin = i * share->nbytes, end = i + 1 < share->nthreads ? begin + share->nbytes : share->pass->nbytes;
    share->pass->store->store((char *)share->pass->memory + begin, end - begin);
}

static void store_pass(void *context)
{
    const struct bench_store_pass *pass = context;
    size_t nthreads = pass->parallel != NULL ? pass->parallel->nthreads : 1;
    struct share share = {pass, pass->nbytes / nthreads / 4096 * 4096, nthreads};
    if (nthreads > 1)
        pass->parallel->run(pass->parallel->user, nthreads, store_share, &share);
    else
        pass->store->store(pass->memory, pass->nbytes);
}

size_t bench_store_contenders(struct bench_contender *contenders, struct bench_store_pass *passes, void *memory,
                              size_t nbytes, const fanin_parallel *parallel, enum bench_clock clock)
{
    const struct bench_store *stores;
    size_t n = bench_stores(&stores);
    for (size_t i = 0; i < n; i++) {
        passes[i] = (struct bench_store_pass){&stores[i], memory, nbytes, parallel};
        contenders[i] = (struct bench_contender){.pass = store_pass, .context = &passes[i], .clock = clock};
    }
    return n;
}

double bench_best_store(const struct bench_contender *contenders, size_t n)
{
    double best = bench_median(&contenders[0]);
    for (size_t i = 1; i < n; i++)
        if (bench_median(&contenders[i]) < best)
            best = bench_median(&contenders[i]);
    return best;
}
