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

/*
 * Passes on what its lane's tensor becomes, and hashes it beside the others. A piece that was made in memory of the
 * next sink stays there until all lanes have made one: then they are hashed where they are, and passed on.
 */
typedef struct hashing {
    fanin_sink sink;
    const fanin_lane_tasks *tasks;
    fanin_hash_lanes *hashes;
    size_t lane;
    void *lent; /* NULL: none */
    struct waiting {
        const void *piece; /* NULL: none */
        uint64_t offset;
        size_t nbytes;
        size_t tensor;
        bool is_end; /* of the tensor, behind the piece if there is one */
    } waits;
} hashing;

/* Passes on what has waited for the hash. */
static fanin_status pass_on(hashing *h, fanin_error *error)
{
    fanin_sink *next = h->tasks->sink;
    const struct waiting w = h->waits;
    h->lent = NULL;
    h->waits = (struct waiting){.piece = NULL};
    if (w.is_end)
        fanin_hash_lanes_end(h->hashes, h->lane, h->tasks->digests[w.tensor]);
    if (w.piece != NULL)
        FANIN_TRY(next->put(next, w.tensor, w.offset, w.piece, w.nbytes, error));
    return w.is_end && next->end != NULL ? next->end(next, w.tensor, error) : FANIN_OK;
}

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    hashing *h = (hashing *)sink;
    fanin_sink *next = h->tasks->sink;
    if (data == h->lent && h->waits.piece == NULL) {
        fanin_hash_lanes_lend(h->hashes, h->lane, data, nbytes);
        h->waits = (struct waiting){.piece = data, .offset = offset, .nbytes = nbytes, .tensor = tensor};
        return FANIN_OK;
    }
    fanin_hash_lanes_put(h->hashes, h->lane, data, nbytes);
    FANIN_TRY(pass_on(h, error));
    return next->put(next, tensor, offset, data, nbytes, error);
}

static fanin_status end_tensor(fanin_sink *sink, size_t tensor, fanin_error *error)
{
    hashing *h = (hashing *)sink;
    (void)error;
    h->waits.is_end = true;
    h->waits.tensor = tensor;
    return FANIN_OK;
}

static void *lend(fanin_sink *sink, size_t tensor, uint64_t offset, size_t nbytes)
{
    hashing *h = (hashing *)sink;
    fanin_sink *next = h->tasks->sink;
    h->lent = next->lend != NULL ? next->lend(next, tensor, offset, nbytes)
                                 : fanin_hash_lanes_memory(h->hashes, h->lane, nbytes);
    return h->lent;
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
    fanin_status status; /* of the last step */
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

/* Of each lane a piece; false if there is nothing left to do. */
static bool step_all(fanin_lane_tasks *tasks, fanin_hash_lanes *hashes, lane *lanes)
{
    bool any = false;
    for (lane *l = lanes; l < lanes + tasks->nlanes; l++)
        if (l->is_busy || take(tasks, l)) {
            l->status = step(tasks, l);
            any = true;
        }
    fanin_hash_lanes_settle(hashes);
    for (lane *l = lanes; l < lanes + tasks->nlanes; l++) {
        if (!l->is_busy)
            continue;
        if (l->status == FANIN_OK)
            l->status = pass_on(&l->to, &l->error);
        if (l->status != FANIN_OK)
            fanin_shared_progress_fail(tasks->progress, l->task, l->status, &l->error);
        if (l->status != FANIN_OK || l->at == l->end)
            end(l);
    }
    return any;
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
            lanes[i].to = (hashing){
                .sink = {.put = put, .end = end_tensor, .lend = lend}, .tasks = tasks, .hashes = hashes, .lane = i};
        while (step_all(tasks, hashes, lanes))
            ;
    } else {
        fanin_status status = fanin_fail_memory(&error, tasks->nlanes * FANIN_LANE_NBYTES);
        fanin_shared_progress_fail(tasks->progress, 0, status, &error);
    }
    fanin_free(lanes);
    fanin_hash_lanes_free(hashes);
}
