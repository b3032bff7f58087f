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
    fanin_status (*make)(void *user, fanin_maker *maker, size_t tensor, fanin_error *error);
    void *user;
    /*
     * `make` gives the sink memory that is made in place, and does nothing else: then tensors whose draws depend on
     * data are made where they are met. Else they are drawn once to know where they end, and once by whoever makes
     * them: about as much work again as hashing them, but on all threads.
     */
    bool in_place;
} fanin_together;

/* The error is that of the first tensor that failed. */
fanin_status fanin_make_together(const fanin_together *together, fanin_error *error);

#endif
