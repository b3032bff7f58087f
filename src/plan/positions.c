/* SPDX-License-Identifier: MIT */
/*
 * Positions in the stream: how many draws each op takes, where it begins, and which of its results survive. All of it
 * is arithmetic on shapes and dtypes; only behind ops whose number of rounds depends on data it is relative to them.
 */
#include <string.h>

#include "base/error.h"
#include "fanin/fill.h"
#include "plan/plan_data.h"

bool fanin_fill_kind_draws(fanin_fill_kind kind)
{
    return kind != FANIN_FILL_CONSTANT && kind != FANIN_FILL_EYE && kind != FANIN_FILL_DIRAC;
}

/* The cached normal as the op finds it. */
static uint64_t cached_position(const fanin_position *position)
{
    if (position->cache == FANIN_CACHE_EMPTY)
        return FANIN_NO_POSITION;
    /* A normal from before the last data-dependent op, or one that may be there or not, is in the snapshot after it. */
    if (position->cache == FANIN_CACHE_UNKNOWN || position->cached_barriers != position->barriers)
        return FANIN_CACHED_AT_BARRIER;
    return position->cached_at;
}

fanin_status fanin_position_pass(fanin_position *position, fanin_profile profile, fanin_plan_op *op, fanin_error *error)
{
    fanin_fill_stream stream = {.has_cached = position->cache == FANIN_CACHE_FULL};
    FANIN_TRY(fanin_fill_measure(&op->fill, &op->view, profile, &stream, error));
    uint64_t nelem = (uint64_t)fanin_tensor_nelem(&op->view);
    bool full = position->cache == FANIN_CACHE_FULL;
    /*
     * With a cache that may be there or not, the draws of an odd number of normals depend on it, and of an even number
     * where the normal it leaves comes from: both are taken as data-dependent, so that a snapshot is kept behind them.
     */
    bool depends = stream.data_dependent || (stream.scalar && nelem > 0 && position->cache == FANIN_CACHE_UNKNOWN);
    op->at = position->at;
    op->ndraws = stream.ndraws;
    op->barriers = position->barriers;
    op->data_dependent = depends;
    op->cached_at = stream.scalar || depends ? cached_position(position) : FANIN_NO_POSITION;
    if (!fanin_checked_add(position->at, op->ndraws, &position->at) || position->at >= FANIN_CACHED_AT_BARRIER)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "the stream would be longer than 2^64 draws");

    if (stream.scalar && nelem > 0) {
        uint64_t npairs = (nelem - full + 1) / 2;
        bool odd = nelem % 2 != 0;
        if (depends) {
            /* Rounds of an odd number of normals turn the cache over each time; of an even number they keep it. */
            if (odd || position->cache == FANIN_CACHE_UNKNOWN)
                position->cache = FANIN_CACHE_UNKNOWN;
        } else if (odd == full) {
            position->cache = FANIN_CACHE_EMPTY;
        } else {
            position->cache = FANIN_CACHE_FULL;
            position->cached_at = op->at + 4 * (npairs - 1);
            position->cached_barriers = position->barriers;
        }
    }
    position->barriers += depends;
    return FANIN_OK;
}

/* ---- what survives ---- */

/* The elements of a storage that a view touches, from the first to the last, and whether it touches all between. */
struct extent {
    uint64_t begin;
    uint64_t end;
    bool whole;
};

static struct extent extent_of(const fanin_plan_op *op)
{
    uint64_t last = (uint64_t)op->offset;
    for (int32_t d = 0; d < op->view.ndim; d++) {
        if (op->view.shape[d] == 0)
            return (struct extent){0};
        last += (uint64_t)(op->view.shape[d] - 1) * (uint64_t)op->view.strides[d];
    }
    /* Views do not overlap themselves, so one of as many elements as its extent has touches them all. */
    bool whole = last - (uint64_t)op->offset + 1 == (uint64_t)fanin_tensor_nelem(&op->view);
    return (struct extent){(uint64_t)op->offset, last + 1, whole};
}

static void sift_down(uint64_t *heap, size_t i, size_t n)
{
    for (size_t child = 2 * i + 1; child < n; i = child, child = 2 * i + 1) {
        child += child + 1 < n && heap[child + 1] > heap[child];
        if (heap[i] >= heap[child])
            return;
        uint64_t swap = heap[i];
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

static void sort(uint64_t *values, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift_down(values, i, n);
    for (size_t end = n; end-- > 1;) {
        uint64_t swap = values[0];
        values[0] = values[end];
        values[end] = swap;
        sift_down(values, 0, end);
    }
}

/* Index of a value that is among the sorted ones. */
static size_t index_of(const uint64_t *values, size_t n, uint64_t value)
{
    size_t begin = 0, end = n;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (values[middle] < value)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* The first piece at or after `piece` that no later op overwrites; ways are shortened as they are walked. */
static size_t next_open(size_t *next, size_t piece)
{
    size_t open = piece;
    while (next[open] != open)
        open = next[open];
    while (next[piece] != open) {
        size_t after = next[piece];
        next[piece] = open;
        piece = after;
    }
    return open;
}

/* What is known of a storage while ops are looked at from the last to the first. */
struct survival {
    size_t first; /* its cuts are cuts[first] to cuts[first + ncuts - 1] */
    size_t ncuts;
    bool is_read; /* by a live op further on */
};

/* The ends of a storage's ops cut it into pieces; all are open at first. */
static void cut(struct survival *storage, uint64_t *cuts, size_t *next)
{
    size_t n = 0;
    sort(cuts, storage->ncuts);
    for (size_t i = 0; i < storage->ncuts; i++)
        if (n == 0 || cuts[i] != cuts[n - 1])
            cuts[n++] = cuts[i];
    for (size_t i = 0; i < n; i++)
        next[i] = i;
    storage->ncuts = n;
}

/* An op that finds no open piece is dead, and one that touches all between its ends closes its pieces. */
static void mark_op(fanin_plan_op *op, const struct survival *storage, const uint64_t *cuts, size_t *next)
{
    struct extent extent = extent_of(op);
    size_t begin = index_of(cuts, storage->ncuts, extent.begin), end = index_of(cuts, storage->ncuts, extent.end);
    if (begin == end) /* nothing to write, nothing to overwrite */
        return;
    size_t piece = next_open(next, begin);
    op->dead = piece >= end;
    for (; extent.whole && piece < end; piece = next_open(next, piece))
        next[piece] = piece + 1;
}

/* All that was written to a storage before a live op reads it counts as live, though some of it may not be read. */
static void mark_all(fanin_plan *plan, struct survival *storages, uint64_t *cuts, size_t *next)
{
    for (size_t i = 0; i < plan->nops; i++)
        storages[plan->ops[i].storage].ncuts += 2;
    for (size_t s = 1; s < plan->nstorages; s++)
        storages[s].first = storages[s - 1].first + storages[s - 1].ncuts;
    for (size_t s = 0; s < plan->nstorages; s++)
        storages[s].ncuts = 0;
    for (size_t i = 0; i < plan->nops; i++) {
        struct survival *storage = &storages[plan->ops[i].storage];
        struct extent extent = extent_of(&plan->ops[i]);
        cuts[storage->first + storage->ncuts++] = extent.begin;
        cuts[storage->first + storage->ncuts++] = extent.end;
    }
    for (size_t s = 0; s < plan->nstorages; s++)
        cut(&storages[s], cuts + storages[s].first, next + storages[s].first);
    for (size_t i = plan->nops; i-- > 0;) {
        fanin_plan_op *op = &plan->ops[i];
        struct survival *storage = &storages[op->storage];
        if (op->kind == FANIN_OP_UNKNOWN)
            op->dead = true;
        else if (storage->is_read)
            op->dead = false;
        else if (plan->storages[op->storage].tensor == SIZE_MAX)
            op->dead = true;
        else
            mark_op(op, storage, cuts + storage->first, next + storage->first);
        if (!op->dead && op->source != NULL)
            storages[op->source->storage].is_read = true;
        if (!op->dead && op->other != NULL)
            storages[op->other->storage].is_read = true;
    }
}

fanin_status fanin_plan_mark_dead(fanin_plan *plan, fanin_error *error)
{
    struct survival *storages = fanin_allocate_zeroed(plan->nstorages, sizeof *storages);
    uint64_t *cuts = fanin_allocate(plan->nops, 2 * sizeof *cuts);
    size_t *next = fanin_allocate(plan->nops, 2 * sizeof *next);
    fanin_status status = FANIN_OK;
    if (storages == NULL || cuts == NULL || next == NULL)
        status = fanin_fail_memory(error, (uint64_t)plan->nops * 4 * sizeof *cuts);
    else
        mark_all(plan, storages, cuts, next);
    fanin_free(storages);
    fanin_free(cuts);
    fanin_free(next);
    return status;
}
