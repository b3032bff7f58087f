/* SPDX-License-Identifier: MIT */
/*
 * torch.randperm. Indices are kept in 32 bits while they are swapped, which is half the memory to miss caches in.
 */
#include "init/permutation.h"

#include <inttypes.h>

#include "base/error.h"
#include "init/random.h"

/*
 * torch's switch to an algorithm on 64-bit draws. It came with 2.6, inside the profile torch-2.1; that profile keeps
 * the older rule.
 */
static const int64_t HUGE_PERMUTATION = 4294967295u / 20;

static bool takes_long_draws(int64_t n, fanin_profile profile)
{
    return n >= HUGE_PERMUTATION && fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_12;
}

bool fanin_permutation_is_short(int64_t n, fanin_profile profile)
{
    return n <= INT64_C(1) << 30 && !takes_long_draws(n, profile);
}

uint64_t fanin_permutation_ndraws(uint64_t n, fanin_profile profile)
{
    if (n <= INT64_MAX && takes_long_draws((int64_t)n, profile))
        return 2 * n;
    return n > 0 ? n - 1 : 0;
}

/* Elements leave one by one: a vector of them would wait for those stores, and they for the lines before them. */
static void take_run(int64_t *elements, fanin_index *order, const uint32_t *distance, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        fanin_index *here = order + k, *there = here + distance[k];
        const fanin_index element = *there;
        *there = *here;
        elements[k] = element;
    }
}

int64_t fanin_permutation_take(int64_t elements[FANIN_PERMUTATION_RUN], fanin_index *order, int64_t n, int64_t i,
                               int64_t most, fanin_stream *stream)
{
    /* so few that a core makes the next distances while it waits for the lines of the last, which are random */
    enum { FEW = 64 };
    const uint32_t *raw;
    const size_t want = (size_t)(most < FANIN_PERMUTATION_RUN ? most : FANIN_PERMUTATION_RUN);
    const size_t taken = fanin_stream_take(stream, want, 1, &raw);
    for (size_t done = 0; done < taken; done += FEW) {
        uint32_t distance[FEW];
        const size_t few = taken - done < FEW ? taken - done : FEW;
        stream->kernel->mt_remainders(distance, raw + done, few, (uint32_t)((size_t)(n - i) - done));
        take_run(elements + done, order + (size_t)i + done, distance, few);
    }
    return (int64_t)taken;
}

/* The indices in 32 bits lie in the upper half of those in 64: elements 0 to i reach to index 2 i + 1 - n <= i there.
 */
static void permute_short(int64_t *indices, int64_t n, fanin_generator *generator)
{
    fanin_stream stream;
    fanin_index *order = (fanin_index *)(void *)indices + n;
    for (int64_t i = 0; i < n; i++)
        order[i] = (fanin_index)i;
    fanin_stream_begin(&stream, generator);
    for (int64_t i = 0; i < n - 1;)
        i += fanin_permutation_take(indices + i, order, n, i, n - 1 - i, &stream);
    fanin_stream_end(&stream);
    if (n > 0)
        indices[n - 1] = order[n - 1];
}

static void permute_long(int64_t *indices, int64_t n, fanin_generator *generator)
{
    for (int64_t i = 0; i < n; i++)
        indices[i] = i;
    for (int64_t i = 0; i < n - 1; i++) {
        const uint64_t range = (uint64_t)(n - i), draw = fanin_generator_u32(generator);
        const int64_t z = i + (int64_t)(draw % range), swapped = indices[i];
        indices[i] = indices[z];
        indices[z] = swapped;
    }
}

fanin_status fanin_randperm(int64_t *indices, int64_t n, fanin_generator *generator, fanin_error *error)
{
    fanin_clear(error);
    if (n < 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "randperm: n = %" PRId64 " is negative", n);
    if (takes_long_draws(n, generator->profile)) {
        for (int64_t i = 0; i < n; i++) {
            int64_t z = (int64_t)(fanin_generator_u64(generator) % (uint64_t)(i + 1));
            indices[i] = i;
            indices[i] = indices[z];
            indices[z] = i;
        }
        return FANIN_OK;
    }
    if (fanin_permutation_is_short(n, generator->profile))
        permute_short(indices, n, generator);
    else
        permute_long(indices, n, generator);
    return FANIN_OK;
}
