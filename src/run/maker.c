/* SPDX-License-Identifier: MIT */
/*
 * What makers share: the plan's live ops by storage, cursors, and progress.
 */
#include "run/maker.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Counted one place further on, first[s + 1] is where storage s's ops begin while they are listed, and end after. */
static void list_ops(fanin_maker *maker)
{
    size_t nops = fanin_plan_op_count(maker->plan);
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(maker->plan, i);
        if (!op->dead)
            maker->first[op->storage + 2]++;
    }
    for (size_t s = 2; s < maker->nstorages + 2; s++)
        maker->first[s] += maker->first[s - 1];
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(maker->plan, i);
        if (!op->dead)
            maker->ops[maker->first[op->storage + 1]++] = i;
    }
}

/* What every maker has for itself. */
static fanin_status allocate_own(fanin_maker *maker, fanin_error *error)
{
    maker->others = fanin_allocate_zeroed(fanin_plan_stream_count(maker->plan), sizeof *maker->others);
    maker->whole = fanin_allocate_zeroed(maker->nstorages, sizeof *maker->whole);
    /* up to 15 elements more, and whole blocks of 16, and 16 more, at both ends */
    const size_t piece_nbytes = (maker->piece_nelem + 15 + 64) * 8;
    maker->piece = fanin_allocate(piece_nbytes, 1);
    return maker->others != NULL && maker->whole != NULL && maker->piece != NULL
               ? FANIN_OK
               : fanin_fail_memory(error, piece_nbytes);
}

fanin_status fanin_maker_begin(fanin_maker *maker, const fanin_plan *plan, const fanin_run_options *options,
                               fanin_error *error)
{
    memset(maker, 0, sizeof *maker);
    if (options == NULL || options->size < sizeof *options)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "fanin_run_options.size must be sizeof(fanin_run_options), %zu, not %zu", sizeof *options,
                          options != NULL ? options->size : 0);
    maker->plan = plan;
    maker->options = options;
    maker->nstorages = fanin_plan_storage_count(plan);
    maker->piece_nelem = FANIN_CHUNK_NELEM;
    FANIN_TRY(fanin_cursor_begin(&maker->cursor, plan, 0, options->seed, error));
    maker->first = fanin_allocate_zeroed(maker->nstorages + 2, sizeof *maker->first);
    maker->ops = fanin_allocate(fanin_plan_op_count(plan), sizeof *maker->ops);
    fanin_status status = allocate_own(maker, error);
    if (status == FANIN_OK && (maker->first == NULL || maker->ops == NULL))
        status = fanin_fail_memory(error, fanin_plan_op_count(plan) * sizeof *maker->ops);
    if (status == FANIN_OK)
        list_ops(maker);
    else
        fanin_maker_end(maker);
    return status;
}

fanin_status fanin_maker_begin_shared(fanin_maker *maker, fanin_shared_progress *shared, size_t task,
                                      size_t piece_nelem, fanin_error *error)
{
    const fanin_maker *whole = shared->whole;
    *maker = (fanin_maker){.plan = whole->plan,
                           .options = whole->options,
                           .first = whole->first,
                           .ops = whole->ops,
                           .nstorages = whole->nstorages,
                           .piece_nelem = piece_nelem,
                           .shared = shared,
                           .task = task};
    fanin_cursor_begin_shared(&maker->cursor, &whole->cursor);
    fanin_status status = allocate_own(maker, error);
    for (size_t s = 1; status == FANIN_OK && s < fanin_plan_stream_count(whole->plan); s++)
        if (whole->others[s - 1].plan != NULL)
            fanin_cursor_begin_shared(&maker->others[s - 1], &whole->others[s - 1]);
    if (status != FANIN_OK)
        fanin_maker_end(maker);
    return status;
}

void fanin_maker_end(fanin_maker *maker)
{
    fanin_cursor_end(&maker->cursor);
    for (size_t s = 1; maker->others != NULL && s < fanin_plan_stream_count(maker->plan); s++)
        fanin_cursor_end(&maker->others[s - 1]);
    fanin_free(maker->others);
    if (maker->shared == NULL) {
        fanin_free(maker->first);
        fanin_free(maker->ops);
    }
    fanin_free(maker->whole);
    fanin_free(maker->piece);
    fanin_free(maker->rounds);
    memset(maker, 0, sizeof *maker);
}

static fanin_cursor *cursor_of(fanin_maker *maker, size_t stream)
{
    return stream == 0 ? &maker->cursor : &maker->others[stream - 1];
}

static fanin_status begin_stream(fanin_maker *maker, size_t stream, fanin_error *error)
{
    fanin_cursor *cursor = cursor_of(maker, stream);
    return cursor->plan != NULL ? FANIN_OK
                                : fanin_cursor_begin(cursor, maker->plan, stream, maker->options->seed, error);
}

fanin_status fanin_maker_seek(fanin_maker *maker, const fanin_plan_op *op, fanin_generator **generator,
                              fanin_error *error)
{
    FANIN_TRY(begin_stream(maker, op->stream, error));
    *generator = &cursor_of(maker, op->stream)->generator;
    return fanin_cursor_seek(cursor_of(maker, op->stream), op, error);
}

const fanin_parallel *fanin_maker_threads(const fanin_maker *maker)
{
    const fanin_parallel *parallel = maker->options->parallel;
    return maker->shared == NULL && parallel != NULL && parallel->nthreads > 1 ? parallel : NULL;
}

fanin_status fanin_maker_pass_barriers(fanin_maker *maker, size_t stream, size_t n, fanin_error *error)
{
    FANIN_TRY(begin_stream(maker, stream, error));
    return fanin_cursor_pass_barriers(cursor_of(maker, stream), n, fanin_maker_threads(maker), error);
}

void fanin_maker_passed(fanin_maker *maker, const fanin_plan_op *op)
{
    fanin_cursor_passed(cursor_of(maker, op->stream), op);
}

/* Of a block more may be made than it has, since pieces are made whole: it is done when as much is made. */
static fanin_status count(fanin_maker *maker, uint64_t nbytes, fanin_error *error)
{
    const fanin_run_options *options = maker->options;
    const uint64_t left = maker->total_nbytes - maker->done_nbytes;
    maker->done_nbytes += nbytes < left ? nbytes : left;
    if (options->progress != NULL && !options->progress(options->user, maker->done_nbytes, maker->total_nbytes))
        return fanin_fail(error, FANIN_ERROR_CANCELLED, "cancelled after %" PRIu64 " of %" PRIu64 " bytes",
                          maker->done_nbytes, maker->total_nbytes);
    return FANIN_OK;
}

/* Under the lock. What a task that was stopped returns is not heard. */
static void note_failure(fanin_shared_progress *shared, size_t task, fanin_status status, const fanin_error *error)
{
    if (task >= shared->stopped_from)
        return;
    shared->stopped_from = status == FANIN_ERROR_CANCELLED ? 0 : task;
    shared->status = status;
    shared->error = *error;
}

fanin_status fanin_maker_progress(fanin_maker *maker, uint64_t nbytes, fanin_error *error)
{
    fanin_shared_progress *shared = maker->shared;
    if (shared == NULL)
        return count(maker, nbytes, error);
    fanin_status status = FANIN_ERROR_CANCELLED;
    pthread_mutex_lock(&shared->lock);
    if (maker->task < shared->stopped_from) {
        status = count(shared->whole, nbytes, error);
        if (status != FANIN_OK)
            note_failure(shared, maker->task, status, error);
    }
    pthread_mutex_unlock(&shared->lock);
    return status;
}

void fanin_shared_progress_begin(fanin_shared_progress *shared, fanin_maker *whole)
{
    *shared = (fanin_shared_progress){.whole = whole, .stopped_from = SIZE_MAX};
    pthread_mutex_init(&shared->lock, NULL);
}

bool fanin_shared_progress_is_stopped(fanin_shared_progress *shared, size_t task)
{
    pthread_mutex_lock(&shared->lock);
    bool stopped = task >= shared->stopped_from;
    pthread_mutex_unlock(&shared->lock);
    return stopped;
}

void fanin_shared_progress_fail(fanin_shared_progress *shared, size_t task, fanin_status status,
                                const fanin_error *error)
{
    pthread_mutex_lock(&shared->lock);
    note_failure(shared, task, status, error);
    pthread_mutex_unlock(&shared->lock);
}

fanin_status fanin_shared_progress_end(fanin_shared_progress *shared, fanin_error *error)
{
    pthread_mutex_destroy(&shared->lock);
    if (shared->status != FANIN_OK && error != NULL)
        *error = shared->error;
    return shared->status;
}
