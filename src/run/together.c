/* SPDX-License-Identifier: MIT */
/*
 * Sharing the tensors of a plan out to the caller's threads. A task that fails stops those behind it; those before it
 * go on, since one of them may fail as well, and the first error is the one that is told.
 */
#include "run/together.h"

#include "base/error.h"
#include "base/memory.h"
#include "run/hash_lanes.h"
#include "run/lanes.h"

/* A jump takes as long as about 2 million uniform draws: tasks with fewer elements would mostly jump. */
static const uint64_t MIN_TASK_NELEM = (uint64_t)2 << 20;

typedef struct sharing {
    const fanin_together *together;
    bool *made;    /* tensors that are there already */
    size_t *first; /* task i makes tensors[first[i]] to tensors[first[i + 1] - 1] */
    fanin_shared_progress progress;
} sharing;

static bool is_hashed(const fanin_together *together)
{
    return together->make == NULL && together->digests != NULL;
}

static bool is_in_place(const fanin_together *together)
{
    return together->make == NULL && together->digests == NULL && together->sink->in_memory;
}

static fanin_status make_one(const fanin_together *together, fanin_maker *maker, size_t tensor, fanin_error *error)
{
    if (together->make != NULL)
        return together->make(together->user, maker, tensor, error);
    if (!is_hashed(together))
        return fanin_maker_make(maker, tensor, together->sink, tensor, error);
    fanin_digest_sink hashing = fanin_digest_sink_create(together->sink, together->digests);
    return fanin_maker_make(maker, tensor, &hashing.sink, tensor, error);
}

/* made: NULL, or what is to be left out */
static fanin_status make_range(const fanin_together *together, const bool *made, fanin_maker *maker, size_t begin,
                               size_t end, fanin_error *error)
{
    for (size_t i = begin; i < end; i++)
        if (made == NULL || !made[i])
            FANIN_TRY(make_one(together, maker, together->tensors[i], error));
    return FANIN_OK;
}

static void run_task(void *context, size_t i)
{
    sharing *s = context;
    fanin_maker maker;
    fanin_error error;
    if (fanin_shared_progress_is_stopped(&s->progress, i))
        return;
    fanin_status status = fanin_maker_begin_shared(&maker, &s->progress, i, FANIN_CHUNK_NELEM, &error);
    if (status == FANIN_OK) {
        status = make_range(s->together, s->made, &maker, s->first[i], s->first[i + 1], &error);
        fanin_maker_end(&maker);
    }
    if (status != FANIN_OK)
        fanin_shared_progress_fail(&s->progress, i, status, &error);
}

/* Lists where the tasks begin, and returns how many there are. */
static size_t cut(const sharing *s)
{
    const fanin_together *together = s->together;
    size_t n = 0;
    uint64_t nelem = MIN_TASK_NELEM;
    for (size_t i = 0; i < together->ntensors; i++) {
        if (s->made[i])
            continue;
        if (nelem >= MIN_TASK_NELEM) {
            s->first[n++] = i;
            nelem = 0;
        }
        nelem += fanin_plan_tensor_at(together->maker->plan, together->tensors[i])->nelem;
    }
    s->first[n] = together->ntensors;
    return n;
}

/* Marks the storages of these tensors, and those that theirs are copied from. */
static void mark_storages(const fanin_together *together, bool *marked)
{
    const fanin_maker *maker = together->maker;
    for (size_t i = 0; i < together->ntensors; i++)
        marked[fanin_plan_tensor_at(maker->plan, together->tensors[i])->storage] = true;
    /* what a copy reads was written by an op before it */
    for (size_t i = fanin_plan_op_count(maker->plan); i-- > 0;) {
        const fanin_plan_op *op = fanin_plan_op_at(maker->plan, i);
        if (!op->dead && op->source != NULL && marked[op->storage])
            marked[op->source->storage] = true;
        if (!op->dead && op->other != NULL && marked[op->storage])
            marked[op->other->storage] = true;
    }
}

/* How many data-dependent ops of each stream must have been run before all of these tensors can be made. */
static fanin_status count_barriers(const fanin_together *together, size_t *nbarriers, fanin_error *error)
{
    const fanin_plan *plan = together->maker->plan;
    bool *marked = fanin_allocate_zeroed(together->maker->nstorages, sizeof *marked);
    if (marked == NULL)
        return fanin_fail_memory(error, together->maker->nstorages);
    mark_storages(together, marked);
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (!op->dead && marked[op->storage] && (op->ndraws > 0 || op->cached_at != FANIN_NO_POSITION) &&
            nbarriers[op->stream] < op->barriers)
            nbarriers[op->stream] = op->barriers;
    }
    fanin_free(marked);
    return FANIN_OK;
}

/* Which of these tensors it is; ntensors if none. */
static size_t place_of(const fanin_together *together, size_t tensor)
{
    size_t begin = 0, end = together->ntensors;
    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        if (together->tensors[middle] < tensor)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin < together->ntensors && together->tensors[begin] == tensor ? begin : together->ntensors;
}

/* In the user's stream, making on the way what is made in place and depends on data. */
static fanin_status pass_first_stream(const sharing *s, size_t n, fanin_error *error)
{
    const fanin_together *together = s->together;
    fanin_maker *maker = together->maker;
    for (size_t k = maker->cursor.nsnapshots; k < n; k = maker->cursor.nsnapshots) {
        const fanin_plan_op *op = fanin_plan_op_at(maker->plan, maker->cursor.dependent[k]);
        const size_t i = is_in_place(together) && !op->dead ? place_of(together, op->tensor) : together->ntensors;
        if (i < together->ntensors && !s->made[i]) {
            FANIN_TRY(make_one(together, maker, op->tensor, error));
            s->made[i] = true;
        } else {
            FANIN_TRY(fanin_maker_pass_barriers(maker, 0, k + 1, error));
        }
    }
    return FANIN_OK;
}

/* After this, all positions are known. */
static fanin_status pass_barriers(const sharing *s, const size_t *nbarriers, fanin_error *error)
{
    fanin_maker *maker = s->together->maker;
    fanin_status status = pass_first_stream(s, nbarriers[0], error);
    for (size_t stream = 1; stream < fanin_plan_stream_count(maker->plan) && status == FANIN_OK; stream++)
        if (nbarriers[stream] > 0)
            status = fanin_maker_pass_barriers(maker, stream, nbarriers[stream], error);
    return status;
}

/*
 * Tensors in memory that are long enough are shared out one by one, so that none is left to one thread while the others
 * have nothing to do.
 */
static fanin_status make_large(const sharing *s, fanin_error *error)
{
    const fanin_together *together = s->together;
    fanin_maker *maker = together->maker;
    const uint64_t large = MIN_TASK_NELEM * maker->options->parallel->nthreads;
    for (size_t i = 0; i < together->ntensors && is_in_place(together); i++) {
        if (s->made[i] || fanin_plan_tensor_at(maker->plan, together->tensors[i])->nelem < large)
            continue;
        FANIN_TRY(make_one(together, maker, together->tensors[i], error));
        s->made[i] = true;
    }
    return FANIN_OK;
}

static size_t nthreads_of(const fanin_parallel *parallel)
{
    return parallel != NULL && parallel->nthreads > 1 ? parallel->nthreads : 1;
}

size_t fanin_count_together(const fanin_parallel *parallel, bool hashed)
{
    return nthreads_of(parallel) * (hashed ? fanin_hash_lanes_count() : 1);
}

/* How many lanes each thread has, if so many tasks are hashed that it is worth while; else 1. */
static size_t count_lanes(const fanin_together *together, size_t ntasks)
{
    const size_t nthreads = nthreads_of(together->maker->options->parallel);
    const size_t most = fanin_hash_lanes_count(), n = (ntasks + nthreads - 1) / nthreads;
    if (!is_hashed(together) || n < fanin_hash_lanes_least())
        return 1;
    return n < most ? n : most;
}

static void run_lanes(sharing *s, size_t ntasks, size_t nlanes)
{
    const fanin_together *together = s->together;
    const fanin_parallel *parallel = together->maker->options->parallel;
    fanin_lane_tasks tasks = {.progress = &s->progress,
                              .tensors = together->tensors,
                              .first = s->first,
                              .ntasks = ntasks,
                              .nlanes = nlanes,
                              .sink = together->sink,
                              .digests = together->digests};
    if (nthreads_of(parallel) > 1)
        parallel->run(parallel->user, parallel->nthreads, fanin_lanes_work, &tasks);
    else
        fanin_lanes_work(&tasks, 0);
}

static bool any(const size_t *n, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (n[i] > 0)
            return true;
    return false;
}

static fanin_status share(sharing *s, size_t *nbarriers, fanin_error *error)
{
    const fanin_together *together = s->together;
    const fanin_parallel *parallel = together->maker->options->parallel;
    const bool is_alone = nthreads_of(parallel) < 2;
    FANIN_TRY(count_barriers(together, nbarriers, error));
    if (!is_alone) {
        FANIN_TRY(pass_barriers(s, nbarriers, error));
        FANIN_TRY(make_large(s, error));
    }
    const size_t ntasks = cut(s), nlanes = count_lanes(together, ntasks);
    /* one thread has nothing of it where draws would have to be made once more to know where the tasks begin */
    if (ntasks < 2 || (is_alone && (nlanes < 2 || any(nbarriers, fanin_plan_stream_count(together->maker->plan)))))
        return make_range(together, s->made, together->maker, 0, together->ntensors, error);
    fanin_shared_progress_begin(&s->progress, together->maker);
    if (nlanes > 1)
        run_lanes(s, ntasks, nlanes);
    else
        parallel->run(parallel->user, ntasks, run_task, s);
    return fanin_shared_progress_end(&s->progress, error);
}

fanin_status fanin_make_together(const fanin_together *together, fanin_error *error)
{
    const fanin_maker *maker = together->maker;
    const size_t n = together->ntensors, nstreams = fanin_plan_stream_count(maker->plan);
    if ((nthreads_of(maker->options->parallel) < 2 && !is_hashed(together)) || n == 0)
        return make_range(together, NULL, together->maker, 0, n, error);
    sharing s = {.together = together,
                 .made = fanin_allocate_zeroed(n, sizeof *s.made),
                 .first = fanin_allocate(n + 1, sizeof *s.first)};
    size_t *nbarriers = fanin_allocate_zeroed(nstreams, sizeof *nbarriers);
    fanin_status status = s.made != NULL && s.first != NULL && nbarriers != NULL
                              ? share(&s, nbarriers, error)
                              : fanin_fail_memory(error, n * sizeof *s.first + nstreams * sizeof *nbarriers);
    fanin_free(nbarriers);
    fanin_free(s.first);
    fanin_free(s.made);
    return status;
}
