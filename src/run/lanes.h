/* SPDX-License-Identifier: MIT */
/*
 * Tensors that are hashed on their way: a thread makes a piece of one, then of the next, so that they are hashed side
 * by side. Tasks are those of together.h.
 */
#ifndef FANIN_RUN_LANES_H
#define FANIN_RUN_LANES_H

#include <stdatomic.h>

#include "run/chunk.h"

typedef struct fanin_lane_tasks {
    fanin_shared_progress *progress;
    const size_t *tensors;
    const size_t *first; /* task i makes tensors[first[i]] to tensors[first[i + 1] - 1] */
    size_t ntasks;
    size_t nlanes;    /* of each thread */
    fanin_sink *sink; /* takes pieces from many threads at once */
    uint8_t (*digests)[32];
    atomic_size_t next; /* task; begins as 0 */
} fanin_lane_tasks;

/* Works on tasks, which is a fanin_lane_tasks, until none is left to begin; as many threads at once as the caller
 * likes. */
void fanin_lanes_work(void *tasks, size_t worker);

#endif
