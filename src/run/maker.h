/* SPDX-License-Identifier: MIT */
/*
 * What making any part of a plan needs: the live ops by storage, a cursor in each stream, memory for a piece, and the
 * count of what is done.
 */
#ifndef FANIN_RUN_MAKER_H
#define FANIN_RUN_MAKER_H

#include <pthread.h>

#include "fanin/run.h"
#include "init/rounds.h"
#include "run/cursor.h"

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
    fanin_cursor cursor;  /* in the user's stream */
    fanin_cursor *others; /* [s - 1]: in stream s, which has begun if it has a plan */
    size_t *first;        /* live ops of storage s: ops[first[s]] to ops[first[s + 1] - 1], in the order of the plan */
    size_t *ops;
    size_t nstorages;
    uint8_t **whole; /* by storage: its memory while it is made whole; NULL */
    uint8_t *piece;
    size_t piece_nelem;
    fanin_rounds *rounds; /* of a trunc_normal that is made in pieces; NULL until there is one */
    uint64_t done_nbytes;
    uint64_t total_nbytes;         /* to be set by the caller, for progress */
    fanin_shared_progress *shared; /* NULL: works alone; else `first` and `ops` are those of shared->whole */
    size_t task;                   /* which of those that share it */
} fanin_maker;

/* Refuses options that are no options. On failure nothing is to be ended. */
fanin_status fanin_maker_begin(fanin_maker *maker, const fanin_plan *plan, const fanin_run_options *options,
                               fanin_error *error);
/*
 * One of those that work side by side for shared->whole, with its snapshots: those they need must be there. Pieces have
 * piece_nelem elements, a multiple of 16 and FANIN_CHUNK_NELEM at most.
 */
fanin_status fanin_maker_begin_shared(fanin_maker *maker, fanin_shared_progress *shared, size_t task,
                                      size_t piece_nelem, fanin_error *error);
void fanin_maker_end(fanin_maker *maker);

/* The threads that a fill may use inside; NULL where others work beside. */
const fanin_parallel *fanin_maker_threads(const fanin_maker *maker);
/* Makes the snapshots behind the first n data-dependent ops of a stream. */
fanin_status fanin_maker_pass_barriers(fanin_maker *maker, size_t stream, size_t n, fanin_error *error);

/* The generator that an op draws from, put where it begins; and the word that it has drawn all it draws. */
fanin_status fanin_maker_seek(fanin_maker *maker, const fanin_plan_op *op, fanin_generator **generator,
                              fanin_error *error);
void fanin_maker_passed(fanin_maker *maker, const fanin_plan_op *op);

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
