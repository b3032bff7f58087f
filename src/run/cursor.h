/* SPDX-License-Identifier: MIT */
/*
 * The generator of a run, put where an op of the plan begins: anywhere in the stream, in any order. Only behind ops
 * whose number of draws depends on their data the positions are not arithmetic; there the cursor keeps snapshots.
 */
#ifndef FANIN_RUN_CURSOR_H
#define FANIN_RUN_CURSOR_H

#include "fanin/parallel.h"
#include "fanin/plan.h"

typedef struct fanin_cursor {
    const fanin_plan *plan;
    size_t stream;
    fanin_generator seed;
    fanin_generator generator; /* what ops draw from */
    uint64_t position;         /* of `generator`, counted as fanin_plan_op.at */
    size_t barriers;           /* data-dependent ops before it */
    uint64_t cached_at;        /* of the pair its cached normal is from; FANIN_NO_POSITION: not known */
    size_t *dependent;         /* the data-dependent ops of the stream, in order */
    size_t ndependent;
    fanin_generator *snapshots; /* [k]: after the k-th of them; the first nsnapshots are made */
    size_t nsnapshots;
    bool is_shared; /* the two lists are another cursor's, and only read */
} fanin_cursor;

/* In one stream of the plan; `seed` is the user's. */
fanin_status fanin_cursor_begin(fanin_cursor *cursor, const fanin_plan *plan, size_t stream, uint64_t seed,
                                fanin_error *error);
/* A cursor of its own over the snapshots of another, which lives longer and makes no new ones meanwhile. */
void fanin_cursor_begin_shared(fanin_cursor *cursor, const fanin_cursor *of);
void fanin_cursor_end(fanin_cursor *cursor);

/*
 * Makes the snapshots behind the first `n` data-dependent ops that are not there yet, in order: each op is run for its
 * draws alone, on the threads (parallel may be NULL).
 */
fanin_status fanin_cursor_pass_barriers(fanin_cursor *cursor, size_t n, const fanin_parallel *parallel,
                                        fanin_error *error);

/*
 * cursor->generator becomes what the op draws from. Data-dependent ops before it that were not run yet are run; a
 * shared cursor cannot, so they must have been.
 */
fanin_status fanin_cursor_seek(fanin_cursor *cursor, const fanin_plan_op *op, fanin_error *error);
/* To be called when the op has drawn all it draws. */
void fanin_cursor_passed(fanin_cursor *cursor, const fanin_plan_op *op);

#endif
