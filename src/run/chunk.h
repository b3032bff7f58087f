/* SPDX-License-Identifier: MIT */
/*
 * Making the tensors of a plan piece by piece: each alone, in any order, with memory that does not grow with them
 * where the fills allow it.
 */
#ifndef FANIN_RUN_CHUNK_H
#define FANIN_RUN_CHUNK_H

#include <pthread.h>

#include "fanin/run.h"
#include "run/cursor.h"
#include "sink/sink.h"

/*
 * Elements of a piece: small enough to stay in the second-level cache until it is hashed and written, a multiple of the
 * 16 that blocks of normals come in. The last piece of an op may have up to 15 more, since it must have 16.
 */
enum { FANIN_CHUNK_NELEM = 256 * 1024, FANIN_CHUNK_MAX_NELEM = FANIN_CHUNK_NELEM + 15 };
/* The most a piece takes, whatever its dtype. */
#define FANIN_CHUNK_MAX_NBYTES ((size_t)FANIN_CHUNK_MAX_NELEM * 8)

struct fanin_maker;

/* Of makers that work side by side: one count of bytes, and the first task that failed. */
typedef struct fanin_shared_progress {
    pthread_mutex_t lock; /* of all that follows, and held while the caller's progress function is called */
    struct fanin_maker *whole;
    size_t stopped_from; /* tasks from this one on are to stop; SIZE_MAX: none */
    fanin_status status; /* of the failure that is told, and its words */
    fanin_error error;
} fanin_shared_progress;

typedef struct fanin_maker {
    const fanin_plan *plan;
    const fanin_run_options *options;
    fanin_cursor cursor;
    size_t *first; /* live ops of tensor t: ops[first[t]] to ops[first[t + 1] - 1], in the order of the plan */
    size_t *ops;
    uint8_t *piece;
    uint64_t done_nbytes;
    uint64_t total_nbytes;         /* to be set by the caller, for progress */
    fanin_shared_progress *shared; /* NULL: works alone */
    size_t task;                   /* which of those that share it */
} fanin_maker;

/* Refuses options that are no options. On failure nothing is to be ended. */
fanin_status fanin_maker_begin(fanin_maker *maker, const fanin_plan *plan, const fanin_run_options *options,
                               fanin_error *error);
void fanin_maker_end(fanin_maker *maker);

/* Makes a tensor (of a tied name: the bytes it shares) and gives them to the sink under `id`. */
fanin_status fanin_maker_make(fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id, fanin_error *error);
/* Counts bytes as done; FANIN_ERROR_CANCELLED if the progress function says so. */
fanin_status fanin_maker_progress(fanin_maker *maker, uint64_t nbytes, fanin_error *error);

/* Bytes are counted as made by `whole`. */
void fanin_shared_progress_begin(fanin_shared_progress *shared, fanin_maker *whole);
bool fanin_shared_progress_is_stopped(fanin_shared_progress *shared, size_t task);
/* Stops the tasks behind this one; all of them if it was cancelled. */
void fanin_shared_progress_fail(fanin_shared_progress *shared, size_t task, fanin_status status,
                                const fanin_error *error);
/* What became of all tasks. */
fanin_status fanin_shared_progress_end(fanin_shared_progress *shared, fanin_error *error);

#endif
