/* SPDX-License-Identifier: MIT */
/*
 * MT19937 as torch seeds, steps and saves it. Matsumoto & Nishimura 1998; torch's state layout is at::mt19937 inside
 * CPUGeneratorImplState.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "kernel/convert.h"
#include "rng/mt19937.h"
#include "rng/stream.h"

enum { N = FANIN_MT19937_NWORDS, M = 397 };

void fanin_mt19937_refill(uint32_t words[N])
{
    for (int i = 0; i < N; i++) {
        uint32_t next = words[(i + 1) % N];
        uint32_t joined = (words[i] & 0x80000000) | (next & 0x7fffffff);
        words[i] = words[(i + M) % N] ^ (joined >> 1) ^ (next & 1 ? 0x9908b0df : 0);
    }
}

fanin_generator fanin_generator_create(fanin_profile profile, uint64_t seed)
{
    fanin_generator g;
    memset(&g, 0, sizeof g); /* padding too: equal generators are equal bytes */
    g.profile = profile;
    g.seed = seed;
    g.words[0] = (uint32_t)seed;
    for (uint32_t j = 1; j < N; j++)
        g.words[j] = 1812433253u * (g.words[j - 1] ^ (g.words[j - 1] >> 30)) + j;
    g.left = 1;
    g.next = 0;
    return g;
}

fanin_generator fanin_generator_torch(uint64_t seed)
{
    return fanin_generator_create(FANIN_PROFILE_TORCH, seed);
}

uint32_t fanin_generator_u32(fanin_generator *generator)
{
    if (--generator->left == 0) {
        fanin_mt19937_refill(generator->words);
        generator->left = N;
        generator->next = 0;
    }
    uint32_t y = generator->words[generator->next++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return y ^ y >> 18;
}

uint64_t fanin_generator_u64(fanin_generator *generator)
{
    uint64_t high = fanin_generator_u32(generator);
    return high << 32 | fanin_generator_u32(generator);
}

/*
 * Within the block a skip only moves the index. Across blocks the last word skipped decides which block torch would
 * hold (it refills lazily), so the window moves by whole blocks.
 */
void fanin_generator_skip(fanin_generator *generator, uint64_t ndraws)
{
    uint64_t have = (uint64_t)generator->left - 1;
    if (ndraws <= have) {
        generator->left -= (int32_t)ndraws;
        generator->next += (uint32_t)ndraws;
        return;
    }
    if (ndraws < FANIN_JUMP_PAYS) {
        fanin_stream stream;
        fanin_stream_begin(&stream, generator);
        fanin_stream_skip(&stream, ndraws);
        fanin_stream_end(&stream);
        return;
    }
    uint64_t rest = ndraws - have; /* >= 1 */
    uint64_t blocks = (rest - 1) / N + 1;
    uint32_t used = (uint32_t)((rest - 1) % N) + 1;
    /* The window's first word has 31 bits that the jump cannot know; one step more makes all bits those of torch. */
    fanin_mt19937_jump(generator->words, (blocks - 1) * N);
    fanin_mt19937_refill(generator->words);
    generator->next = used;
    generator->left = N + 1 - (int32_t)used;
}

/* Byte offsets of Generator.get_state(); everything little endian, gaps zero. */
enum {
    STATE_SEED = 0,
    STATE_LEFT = 8,
    STATE_SEEDED = 12,
    STATE_NEXT = 16,
    STATE_WORDS = 24,
    STATE_NORMAL = 5024,
    STATE_HAS_NORMAL = 5040,
    STATE_FLOAT_NORMAL = 5048,
    STATE_HAS_FLOAT_NORMAL = 5052,
};

static void put(uint8_t *p, uint64_t value, int nbytes)
{
    for (int i = 0; i < nbytes; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *p, int nbytes)
{
    uint64_t value = 0;
    for (int i = nbytes; i-- > 0;)
        value = value << 8 | p[i];
    return value;
}

/* The same for a word, in a form that compilers make one instruction of: there are 624 of them. */
static void put_word(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static uint32_t get_word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void fanin_generator_get_torch_state(const fanin_generator *generator, uint8_t state[FANIN_TORCH_STATE_NBYTES])
{
    memset(state, 0, FANIN_TORCH_STATE_NBYTES);
    put(state + STATE_SEED, generator->seed, 8);
    put(state + STATE_LEFT, (uint32_t)generator->left, 4);
    put(state + STATE_SEEDED, 1, 4);
    put(state + STATE_NEXT, generator->next, 8);
    for (int i = 0; i < N; i++)
        put_word(state + STATE_WORDS + 8 * i, generator->words[i]);
    if (generator->has_next_normal) {
        put(state + STATE_NORMAL, fanin_f64_bits(generator->next_normal), 8);
        put(state + STATE_HAS_NORMAL, 1, 4);
    }
    if (generator->has_next_float_normal) {
        put(state + STATE_FLOAT_NORMAL, fanin_f32_bits(generator->next_float_normal), 4);
        put(state + STATE_HAS_FLOAT_NORMAL, 1, 1);
    }
}

fanin_status fanin_generator_set_torch_state(fanin_generator *generator, const uint8_t *state, size_t nbytes,
                                             fanin_error *error)
{
    fanin_clear(error);
    if (nbytes != FANIN_TORCH_STATE_NBYTES)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "a torch CPU generator state has %d bytes, this has %zu; save generator.get_state() whole "
                          "(a 16-byte state is that of a GPU generator)",
                          FANIN_TORCH_STATE_NBYTES, nbytes);
    int32_t left = (int32_t)get(state + STATE_LEFT, 4);
    uint64_t next = get(state + STATE_NEXT, 8);
    if (get(state + STATE_SEEDED, 4) != 1 || left < 1 || left > N || next > N)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "not a torch CPU generator state: seeded %" PRIu64 " (must be 1), left %" PRId32
                          " (1..624), next %" PRIu64 " (0..624)",
                          get(state + STATE_SEEDED, 4), left, next);
    /* Seeding leaves (1, 0), every draw keeps left + next = 625; anything else would make torch read past its words. */
    if (!(left == 1 && next == 0) && (uint64_t)left + next != N + 1)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "not a state that torch's generator can be in: left %" PRId32 " and next %" PRIu64
                          " do not add up to 625",
                          left, next);
    fanin_generator g;
    memset(&g, 0, sizeof g);
    g.profile = generator->profile;
    g.seed = get(state + STATE_SEED, 8);
    g.left = left;
    g.next = (uint32_t)next;
    for (int i = 0; i < N; i++)
        g.words[i] = get_word(state + STATE_WORDS + 8 * i);
    g.has_next_normal = get(state + STATE_HAS_NORMAL, 4) != 0;
    if (g.has_next_normal)
        g.next_normal = fanin_f64_from_bits(get(state + STATE_NORMAL, 8));
    g.has_next_float_normal = get(state + STATE_HAS_FLOAT_NORMAL, 1) != 0;
    if (g.has_next_float_normal)
        g.next_float_normal = fanin_f32_from_bits((uint32_t)get(state + STATE_FLOAT_NORMAL, 4));
    *generator = g;
    return FANIN_OK;
}
