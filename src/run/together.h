/* SPDX-License-Identifier: MIT */
/*
 * Making many tensors of a plan, side by side where the caller gave threads: tasks of neighbouring tensors, each with a
 * maker of its own. What is made does not depend on how many run at once.
 */
#ifndef FANIN_RUN_TOGETHER_H
#define FANIN_RUN_TOGETHER_H

#include "run/chunk.h"

typedef struct fanin_together {
    fanin_maker *maker;    /* the caller's: counts progress, and makes everything if there are no threads */
    const size_t *tensors; /* of the plan, in its order */
    size_t ntensors;
    fanin_sink *sink;       /* where they go, in pieces from many threads at once */
    uint8_t (*digests)[32]; /* NULL, or by tensor: the SHA-256 of its bytes is left there */
    /* NULL, or what is done with each in place of that */
    fanin_status (*make)(void *user, fanin_maker *maker, size_t tensor, fanin_error *error);
    void *user;
} fanin_together;

/* How many tensors may be under way at once. */
size_t fanin_count_together(const fanin_parallel *parallel, bool hashed);
/*
 * Tensors whose draws depend on data are made where they are met if the sink is their memory. Else they are drawn once
 * to know where they end, and once by whoever makes them: about as much work again as hashing them, but on all threads.
 * The error is that of the first tensor that failed.
 */
fanin_status fanin_make_together(const fanin_together *together, fanin_error *error);

#endif
