/* SPDX-License-Identifier: MIT */
/*
 * A lane has bytes that are to be hashed, its own copy of them or the caller's. When it has enough, or its message
 * ends, its whole blocks are hashed with as many of the others as these have, so the digests depend on no order in
 * which pieces come.
 */
#include "run/hash_lanes.h"

#include <stdbool.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "kernel/kernel.h"

/* A lane waits for the others until it has ENOUGH: sixteen times as much stays in the second-level cache. */
enum { BLOCK_NBYTES = 64, MAX_LANES = 16, ENOUGH_NBYTES = 32 << 10 };

typedef struct lane {
    fanin_sha256 hash;   /* of whole blocks */
    uint8_t *kept;       /* FANIN_LANE_NBYTES */
    const uint8_t *next; /* `left` bytes that are to be hashed: kept, or the caller's */
    size_t left;
    bool is_lent;
} lane;

/* Between lanes, so that what all of them read at once is not in one set of the first cache. */
enum { LINE_NBYTES = 64, STRIDE_NBYTES = FANIN_LANE_NBYTES + 4 * LINE_NBYTES };

struct fanin_hash_lanes {
    const struct fanin_kernel *kernel;
    size_t n;
    size_t least;
    lane lanes[MAX_LANES];
    uint8_t memory[];
};

static const struct fanin_kernel *kernel_in_force(void)
{
    return fanin_kernel_for(FANIN_PROFILE_TORCH);
}

/*
 * The processor's own instructions hash one message as fast as eight of the sixteen lanes of AVX-512, and as all eight
 * of AVX2 (docs/performance.md); plain C makes a fifth of either.
 */
static size_t least_of(const struct fanin_kernel *kernel)
{
    if (!fanin_sha256_has_instructions())
        return kernel->nlanes > 1 ? 2 : SIZE_MAX;
    return kernel->nlanes > 8 ? 8 : SIZE_MAX;
}

size_t fanin_hash_lanes_least(void)
{
    return least_of(kernel_in_force());
}

size_t fanin_hash_lanes_count(void)
{
    const struct fanin_kernel *kernel = kernel_in_force();
    return least_of(kernel) <= kernel->nlanes ? kernel->nlanes : 1;
}

fanin_hash_lanes *fanin_hash_lanes_create(size_t n)
{
    fanin_hash_lanes *lanes = fanin_allocate(sizeof *lanes + n * STRIDE_NBYTES + LINE_NBYTES, 1);
    if (lanes == NULL)
        return NULL;
    uint8_t *kept = lanes->memory + (LINE_NBYTES - (uintptr_t)lanes->memory % LINE_NBYTES);
    lanes->kernel = kernel_in_force();
    lanes->least = least_of(lanes->kernel);
    lanes->n = n;
    for (size_t i = 0; i < n; i++) {
        lanes->lanes[i] = (lane){.kept = kept + i * STRIDE_NBYTES, .next = kept + i * STRIDE_NBYTES};
        fanin_sha256_begin(&lanes->lanes[i].hash);
    }
    return lanes;
}

void fanin_hash_lanes_free(fanin_hash_lanes *lanes)
{
    fanin_free(lanes);
}

static size_t nblocks_of(const lane *l)
{
    return l->left / BLOCK_NBYTES;
}

static void advance(lane *l, size_t nbytes)
{
    l->next += nbytes;
    l->left -= nbytes;
}

/* Hashes so many blocks of each of these lanes; a lane of the machine that has no message repeats the first. */
static void hash_beside(const struct fanin_kernel *kernel, lane *const *chosen, size_t n, size_t nblocks)
{
    const size_t nlanes = kernel->nlanes;
    const uint8_t *data[MAX_LANES];
    uint32_t states[8 * MAX_LANES];
    for (size_t l = 0; l < nlanes; l++) {
        const lane *of = chosen[l < n ? l : 0];
        data[l] = of->next;
        for (size_t i = 0; i < 8; i++)
            states[i * nlanes + l] = of->hash.state[i];
    }
    kernel->sha256_lanes(states, data, nblocks);
    for (size_t l = 0; l < n; l++) {
        for (size_t i = 0; i < 8; i++)
            chosen[l]->hash.state[i] = states[i * nlanes + l];
        chosen[l]->hash.nbytes += nblocks * BLOCK_NBYTES;
        advance(chosen[l], nblocks * BLOCK_NBYTES);
    }
}

/* Hashes the blocks of a lane; what is less than one is kept. */
static void hash_blocks(fanin_hash_lanes *lanes, lane *full)
{
    size_t nblocks;
    while ((nblocks = nblocks_of(full)) > 0) {
        lane *chosen[MAX_LANES] = {full};
        size_t n = 1;
        for (size_t i = 0; i < lanes->n && n < lanes->kernel->nlanes; i++) {
            lane *l = &lanes->lanes[i];
            if (l == full || nblocks_of(l) == 0)
                continue;
            chosen[n++] = l;
            nblocks = nblocks_of(l) < nblocks ? nblocks_of(l) : nblocks;
        }
        if (n >= lanes->least) {
            hash_beside(lanes->kernel, chosen, n, nblocks);
        } else {
            const size_t nbytes = nblocks_of(full) * BLOCK_NBYTES;
            fanin_sha256_update(&full->hash, full->next, nbytes);
            advance(full, nbytes);
        }
    }
    memmove(full->kept, full->next, full->left);
    full->next = full->kept;
    full->is_lent = false;
}

/* Copies as much as there is room for. */
static size_t keep(lane *l, const uint8_t *data, size_t nbytes, size_t room)
{
    const size_t n = nbytes < room ? nbytes : room;
    memcpy(l->kept + (size_t)(l->next - l->kept) + l->left, data, n);
    l->left += n;
    return n;
}

void fanin_hash_lanes_put(fanin_hash_lanes *lanes, size_t lane_index, const void *data, size_t nbytes)
{
    lane *l = &lanes->lanes[lane_index];
    if (l->is_lent)
        hash_blocks(lanes, l);
    for (size_t done = 0; done < nbytes;) {
        const uint8_t *end = l->kept + FANIN_LANE_NBYTES;
        if (l->left >= ENOUGH_NBYTES || l->next + l->left == end)
            hash_blocks(lanes, l);
        done += keep(l, (const uint8_t *)data + done, nbytes - done, (size_t)(end - (l->next + l->left)));
    }
}

void fanin_hash_lanes_lend(fanin_hash_lanes *lanes, size_t lane_index, const void *data, size_t nbytes)
{
    lane *l = &lanes->lanes[lane_index];
    hash_blocks(lanes, l);
    if (l->left > 0) {
        const size_t n = keep(l, data, nbytes, BLOCK_NBYTES - l->left);
        data = (const uint8_t *)data + n;
        nbytes -= n;
        if (l->left < BLOCK_NBYTES)
            return;
        fanin_sha256_update(&l->hash, l->kept, BLOCK_NBYTES);
    }
    l->next = data;
    l->left = nbytes;
    l->is_lent = true;
}

void *fanin_hash_lanes_memory(fanin_hash_lanes *lanes, size_t lane_index, size_t nbytes)
{
    const lane *l = &lanes->lanes[lane_index];
    return l->left == 0 && nbytes <= FANIN_LANE_NBYTES ? l->kept : NULL;
}

void fanin_hash_lanes_settle(fanin_hash_lanes *lanes)
{
    for (size_t i = 0; i < lanes->n; i++)
        if (lanes->lanes[i].is_lent)
            hash_blocks(lanes, &lanes->lanes[i]);
}

void fanin_hash_lanes_end(fanin_hash_lanes *lanes, size_t lane_index, uint8_t digest[32])
{
    lane *l = &lanes->lanes[lane_index];
    hash_blocks(lanes, l);
    fanin_sha256_update(&l->hash, l->kept, l->left);
    fanin_sha256_end(&l->hash, digest);
    fanin_sha256_begin(&l->hash);
    l->left = 0;
}
