/* SPDX-License-Identifier: MIT */
/*
 * Jumping MT19937 by n words: x^n modulo the characteristic polynomial of its recurrence, applied to the sequence.
 *
 * Stepping by one word is a linear map on the 19937 bits of state, so the word n places on is the exclusive or of those
 * of the next 19937 words whose coefficient in t^n mod p(t) is 1 (Haramoto et al. 2008). p is sparse, 135 terms, its
 * second highest exponent 623 below the top, which makes the reduction a few shifts and no multiplication.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "rng/mt19937.h"

enum { N = FANIN_MT19937_NWORDS, M = 397, DEGREE = FANIN_JUMP_DEGREE, MAX_TERMS = 160 };

struct polynomial {
    uint64_t bits[FANIN_JUMP_NWORDS];
};

static void flip(uint64_t *bits, unsigned exponent)
{
    bits[exponent / 64] ^= (uint64_t)1 << (exponent % 64);
}

/*
 * Adds (t^624 + t^397)^p (t^623 + t^396)^q: by Lucas the binomial C(q, i) is odd exactly when i has no bit outside q;
 * p is 0 or 1.
 */
static void add_product(uint64_t *bits, unsigned p, unsigned q)
{
    for (unsigned i = 0; i <= q; i++) {
        if ((i & q) != i)
            continue;
        unsigned exponent = i * (N - 1) + (q - i) * (M - 1);
        if (p == 0) {
            flip(bits, exponent);
        } else {
            flip(bits, exponent + N);
            flip(bits, exponent + M);
        }
    }
}

/* Exponents of p(t) below DEGREE, after Matsumoto & Nishimura 1998, appendix A, with w = 32, r = 31. */
static size_t characteristic_terms(uint16_t terms[MAX_TERMS])
{
    static const uint32_t a = 0x9908b0df;
    uint64_t bits[FANIN_JUMP_NWORDS] = {0};
    size_t n = 0;
    add_product(bits, 1, 31);
    for (unsigned i = 0; i < 31; i++)
        if (a >> i & 1)
            add_product(bits, 1, 30 - i);
    if (a >> 31 & 1)
        add_product(bits, 0, 0);
    for (unsigned exponent = 0; exponent < DEGREE; exponent++)
        if (bits[exponent / 64] >> (exponent % 64) & 1)
            terms[n++] = (uint16_t)exponent;
    return n;
}

/* t^n mod p, by squaring from the highest bits of n; the first ones are a plain monomial */
static void power(const struct fanin_kernel *kernel, struct polynomial *f, uint64_t n)
{
    uint16_t terms[MAX_TERMS];
    size_t nterms = characteristic_terms(terms);
    unsigned shift = 0;
    while (n >> shift >= DEGREE)
        shift++;
    memset(f, 0, sizeof *f);
    flip(f->bits, (unsigned)(n >> shift));
    while (shift-- > 0)
        kernel->mt_square(f->bits, (unsigned)(n >> shift & 1), terms, nterms);
}

/*
 * Three coefficients at a time: where they are not all zero, what they add is a word or one of three sums, up to two
 * places on. That makes 182 additions of 624 words where one by one they were 312.
 */
enum { TOGETHER = 3, LENGTH = 2 * N + FANIN_MT_MORE };
enum sums { WORD, WITH_NEXT, WITH_SECOND, WITH_BOTH, NSUMS };
static const uint16_t place_of[1 << TOGETHER] = {
    [1] = WORD * LENGTH,        [2] = WORD * LENGTH + 1,      [3] = WITH_NEXT * LENGTH, [4] = WORD * LENGTH + 2,
    [5] = WITH_SECOND * LENGTH, [6] = WITH_NEXT * LENGTH + 1, [7] = WITH_BOTH * LENGTH,
};

static void add_up(uint32_t sums[NSUMS][LENGTH])
{
    for (size_t i = 0; i < 2 * N - 2; i++) {
        sums[WITH_NEXT][i] = sums[WORD][i] ^ sums[WORD][i + 1];
        sums[WITH_SECOND][i] = sums[WORD][i] ^ sums[WORD][i + 2];
        sums[WITH_BOTH][i] = sums[WITH_NEXT][i] ^ sums[WORD][i + 2];
    }
}

void fanin_mt19937_jump(uint32_t words[N], uint64_t n)
{
    struct polynomial f;
    const struct fanin_kernel *kernel = fanin_kernel_for(FANIN_PROFILE_TORCH);
    uint32_t out[N] = {0};
    uint32_t sums[NSUMS][LENGTH];
    if (n == 0)
        return;
    power(kernel, &f, n);
    memcpy(sums[WORD], words, N * sizeof *words);
    for (size_t base = 0; base < DEGREE; base += N) {
        uint16_t at[N / TOGETHER];
        size_t nset = 0;
        kernel->mt_generate(sums[WORD], N);
        add_up(sums);
        for (size_t i = 0; i < N; i += TOGETHER) {
            const size_t word = (base + i) / 64, bit = (base + i) % 64;
            uint64_t pattern = f.bits[word] >> bit;
            if (bit > 64 - TOGETHER)
                pattern |= f.bits[word + 1] << (64 - bit);
            pattern &= (1 << TOGETHER) - 1;
            at[nset] = (uint16_t)(place_of[pattern] + i);
            nset += pattern != 0; /* without a branch: no processor foresees which */
        }
        kernel->mt_add(out, sums[WORD], at, nset);
        memcpy(sums[WORD], sums[WORD] + N, N * sizeof *words);
    }
    memcpy(words, out, sizeof out);
}
