/* SPDX-License-Identifier: MIT */
/*
 * A lane is a task with a maker of its own, and the tensor it is at. A task that fails stops those behind it, as in
 * together.c.
 */
#include "run/lanes.h"

#include "base/error.h"
#include "base/memory.h"
#include "run/hash_lanes.h"

/* Of the widest type as much as a lane of the hash takes at once. */
enum { PIECE_NELEM = FANIN_LANE_NBYTES / 8 };

/* Passes on what its lane's tensor becomes, and hashes it beside the others. */
typedef struct hashing {
    fanin_sink sink;
    const fanin_lane_tasks *tasks;
    fanin_hash_lanes *hashes;
    size_t lane;
} hashing;

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    const hashing *h = (const hashing *)sink;
    fanin_hash_lanes_put(h->hashes, h->lane, data, nbytes);
    return h->tasks->sink->put(h->tasks->sink, tensor, offset, data, nbytes, error);
}

static fanin_status end_tensor(fanin_sink *sink, size_t tensor, fanin_error *error)
{
    const hashing *h = (const hashing *)sink;
    fanin_sink *next = h->tasks->sink;
    fanin_hash_lanes_end(h->hashes, h->lane, h->tasks->digests[tensor]);
    return next->end != NULL ? next->end(next, tensor, error) : FANIN_OK;
}

static void *lend(fanin_sink *sink, size_t tensor, uint64_t offset, size_t nbytes)
{
    fanin_sink *next = ((const hashing *)sink)->tasks->sink;
    return next->lend != NULL ? next->lend(next, tensor, offset, nbytes) : NULL;
}

typedef struct lane {
    bool is_busy;
    size_t task;
    size_t at; /* its tensors[at] is the next one, up to tensors[end - 1] */
    size_t end;
    bool is_making; /* it has begun */
    fanin_maker maker;
    fanin_making making;
    hashing to;
    fanin_error error;
} lane;

static fanin_status begin(fanin_lane_tasks *tasks, lane *l, size_t task)
{
    l->task = task;
    l->at = tasks->first[task];
    l->end = tasks->first[task + 1];
    l->is_making = false;
    FANIN_TRY(fanin_maker_begin_shared(&l->maker, tasks->progress, task, PIECE_NELEM, &l->error));
    l->is_busy = true;
    return FANIN_OK;
}

static void end(lane *l)
{
    if (l->is_making)
        fanin_making_end(&l->making);
    if (l->is_busy)
        fanin_maker_end(&l->maker);
    l->is_making = l->is_busy = false;
}

/* Gives an idle lane the next task that is not to be left out; false if there is none. */
static bool take(fanin_lane_tasks *tasks, lane *l)
{
    size_t task;
    while ((task = atomic_fetch_add(&tasks->next, 1)) < tasks->ntasks) {
        if (fanin_shared_progress_is_stopped(tasks->progress, task))
            continue;
        fanin_status status = begin(tasks, l, task);
        if (status == FANIN_OK)
            return true;
        fanin_shared_progress_fail(tasks->progress, task, status, &l->error);
    }
    return false;
}

/* A piece more of its tensor. */
static fanin_status step(fanin_lane_tasks *tasks, lane *l)
{
    bool done = false;
    if (!l->is_making) {
        const size_t tensor = tasks->tensors[l->at];
        l->is_making = true;
        FANIN_TRY(fanin_making_begin(&l->making, &l->maker, tensor, &l->to.sink, tensor, &l->error));
    }
    FANIN_TRY(fanin_making_step(&l->making, &done));
    if (done) {
        fanin_making_end(&l->making);
        l->is_making = false;
        l->at++;
    }
    return FANIN_OK;
}

static void work(fanin_lane_tasks *tasks, lane *lanes)
{
    bool any = true;
    while (any) {
        any = false;
        for (size_t i = 0; i < tasks->nlanes; i++) {
            lane *l = &lanes[i];
            if (!l->is_busy && !take(tasks, l))
                continue;
            fanin_status status = step(tasks, l);
            if (status != FANIN_OK)
                fanin_shared_progress_fail(tasks->progress, l->task, status, &l->error);
            if (status != FANIN_OK || l->at == l->end)
                end(l);
            any = true;
        }
    }
}

void fanin_lanes_work(void *context, size_t worker)
{
    fanin_lane_tasks *tasks = context;
    fanin_error error;
    fanin_hash_lanes *hashes = fanin_hash_lanes_create(tasks->nlanes);
    lane *lanes = fanin_allocate_zeroed(tasks->nlanes, sizeof *lanes);
    (void)worker;
    if (hashes != NULL && lanes != NULL) {
        for (size_t i = 0; i < tasks->nlanes; i++)
            lanes[i].to = (hashing){{.put = put, .end = end_tensor, .lend = lend}, tasks, hashes, i};
        work(tasks, lanes);
    } else {
        fanin_status status = fanin_fail_memory(&error, tasks->nlanes * FANIN_LANE_NBYTES);
        fanin_shared_progress_fail(tasks->progress, 0, status, &error);
    }
    fanin_free(lanes);
    fanin_hash_lanes_free(hashes);
}
