/* SPDX-License-Identifier: MIT */
/*
 * Putting the generator where an op begins: from where it stands, from the seed, or from a snapshot.
 */
#include "run/cursor.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/random.h"

static bool is_dependent(const fanin_cursor *cursor, const fanin_plan_op *op)
{
    return op->data_dependent && op->stream == cursor->stream;
}

fanin_status fanin_cursor_begin(fanin_cursor *cursor, const fanin_plan *plan, size_t stream, uint64_t seed,
                                fanin_error *error)
{
    memset(cursor, 0, sizeof *cursor);
    cursor->plan = plan;
    cursor->stream = stream;
    cursor->seed =
        fanin_generator_create(fanin_plan_profile(plan), stream == 0 ? seed : fanin_plan_stream_seed(plan, stream));
    cursor->generator = cursor->seed;
    cursor->cached_at = FANIN_NO_POSITION;
    size_t nops = fanin_plan_op_count(plan);
    for (size_t i = 0; i < nops; i++)
        cursor->ndependent += is_dependent(cursor, fanin_plan_op_at(plan, i));
    if (cursor->ndependent == 0)
        return FANIN_OK;
    cursor->dependent = fanin_allocate(cursor->ndependent, sizeof *cursor->dependent);
    cursor->snapshots = fanin_allocate(cursor->ndependent, sizeof *cursor->snapshots);
    if (cursor->dependent == NULL || cursor->snapshots == NULL) {
        fanin_cursor_end(cursor);
        return fanin_fail_memory(error, cursor->ndependent * sizeof *cursor->snapshots);
    }
    for (size_t i = 0, n = 0; i < nops; i++)
        if (is_dependent(cursor, fanin_plan_op_at(plan, i)))
            cursor->dependent[n++] = i;
    return FANIN_OK;
}

void fanin_cursor_begin_shared(fanin_cursor *cursor, const fanin_cursor *of)
{
    *cursor = *of;
    cursor->is_shared = true;
}

void fanin_cursor_end(fanin_cursor *cursor)
{
    if (!cursor->is_shared) {
        fanin_free(cursor->dependent);
        fanin_free(cursor->snapshots);
    }
    cursor->dependent = NULL;
    cursor->snapshots = NULL;
}

/* Where the k-th data-dependent op ends, taken as one round. */
static uint64_t end_of_barrier(const fanin_cursor *cursor, size_t k)
{
    const fanin_plan_op *op = fanin_plan_op_at(cursor->plan, cursor->dependent[k]);
    return op->at + op->ndraws;
}

/* The generator at a position, without regard to a cached normal. The snapshots up to `barriers` are there. */
static fanin_generator generator_at(const fanin_cursor *cursor, uint64_t at, size_t barriers)
{
    fanin_generator generator;
    uint64_t from;
    if (cursor->barriers == barriers && cursor->position <= at) {
        generator = cursor->generator;
        from = cursor->position;
    } else if (barriers > 0) {
        generator = cursor->snapshots[barriers - 1];
        from = end_of_barrier(cursor, barriers - 1);
    } else {
        generator = cursor->seed;
        from = 0;
    }
    fanin_generator_skip(&generator, at - from);
    return generator;
}

/* An op that neither takes the scalar path of normal_ nor leaves a snapshot does not look at the cache. */
static bool looks_at_cache(const fanin_plan_op *op, fanin_profile profile)
{
    fanin_fill_stream stream = {0};
    return op->data_dependent ||
           (fanin_fill_measure(&op->fill, &op->view, profile, &stream, NULL) == FANIN_OK && stream.scalar);
}

static void take_cache(fanin_generator *generator, const fanin_generator *from)
{
    generator->has_next_normal = from->has_next_normal;
    generator->next_normal = from->next_normal;
}

/*
 * The second normal of the pair drawn at `at` becomes the cached one: one normal is taken there, the other stays. The
 * plan names only pairs behind the last data-dependent op; older ones are in its snapshot.
 */
static fanin_status restore_cache(const fanin_cursor *cursor, uint64_t at, size_t barriers, fanin_generator *generator,
                                  fanin_error *error)
{
    fanin_generator pair = generator_at(cursor, at, barriers);
    pair.has_next_normal = false;
    double first;
    fanin_tensor one = fanin_tensor_1d(&first, FANIN_F64, 1);
    fanin_status status = fanin_normal(&one, 0, 1, &pair, error);
    take_cache(generator, &pair);
    return status;
}

static fanin_status place(fanin_cursor *cursor, const fanin_plan_op *op, fanin_error *error)
{
    fanin_generator generator = generator_at(cursor, op->at, op->barriers);
    /* counted from the same data-dependent op, the same position is the same pair */
    bool is_kept =
        cursor->generator.has_next_normal && cursor->cached_at == op->cached_at && cursor->barriers == op->barriers;
    fanin_status status = FANIN_OK;
    cursor->cached_at = FANIN_NO_POSITION;
    if (!looks_at_cache(op, generator.profile) || op->cached_at == FANIN_NO_POSITION) {
        generator.has_next_normal = false;
    } else if (op->cached_at == FANIN_CACHED_AT_BARRIER) {
        take_cache(&generator, &cursor->snapshots[op->barriers - 1]);
        /* only a recorded plan can be wrong here, since its history is not all there to be checked before */
        if (!generator.has_next_normal && !op->data_dependent && fanin_tensor_nelem(&op->view) > 0)
            status = fanin_fail(error, FANIN_ERROR_FORMAT,
                                "the plan says that data-dependent op %zu leaves a normal for the op at %" PRIu64
                                ", and under this seed it does not",
                                op->barriers, op->at);
    } else {
        if (is_kept)
            take_cache(&generator, &cursor->generator);
        else
            status = restore_cache(cursor, op->cached_at, op->barriers, &generator, error);
        cursor->cached_at = op->cached_at;
    }
    cursor->generator = generator;
    cursor->position = op->at;
    cursor->barriers = op->barriers;
    return status;
}

fanin_status fanin_cursor_pass_barriers(fanin_cursor *cursor, size_t n, const fanin_parallel *parallel,
                                        fanin_error *error)
{
    while (cursor->nsnapshots < n) {
        const fanin_plan_op *op = fanin_plan_op_at(cursor->plan, cursor->dependent[cursor->nsnapshots]);
        FANIN_TRY(place(cursor, op, error));
        FANIN_TRY(fanin_fill_pass(&op->fill, &op->view, &cursor->generator, parallel, error));
        fanin_cursor_passed(cursor, op);
    }
    return FANIN_OK;
}

fanin_status fanin_cursor_seek(fanin_cursor *cursor, const fanin_plan_op *op, fanin_error *error)
{
    FANIN_TRY(fanin_cursor_pass_barriers(cursor, op->barriers, NULL, error));
    return place(cursor, op, error);
}

void fanin_cursor_passed(fanin_cursor *cursor, const fanin_plan_op *op)
{
    cursor->position = op->at + op->ndraws;
    if (op->data_dependent) {
        cursor->barriers = op->barriers + 1;
        cursor->cached_at = FANIN_NO_POSITION;
        if (cursor->nsnapshots == op->barriers && !cursor->is_shared)
            cursor->snapshots[cursor->nsnapshots++] = cursor->generator;
    } else if (op->ndraws > 0 && looks_at_cache(op, cursor->generator.profile)) {
        /* a fill of normals alone ends with its last pair, which took four draws */
        bool known = op->fill.kind == FANIN_FILL_NORMAL && cursor->generator.has_next_normal;
        cursor->cached_at = known ? cursor->position - 4 : FANIN_NO_POSITION;
    }
}
