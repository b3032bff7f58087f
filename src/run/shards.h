/* SPDX-License-Identifier: MIT */
/*
 * Which file each tensor of a plan goes to: the greedy split of the Hugging Face hub.
 */
#ifndef FANIN_RUN_SHARDS_H
#define FANIN_RUN_SHARDS_H

#include "fanin/plan.h"

typedef struct fanin_shards {
    size_t nshards;    /* at least 1 */
    size_t *first;     /* shard s holds tensors[first[s]] to tensors[first[s + 1] - 1], */
    size_t *tensors;   /* in the order of the plan; tied names, and what is in no checkpoint, are in none */
    size_t *of_tensor; /* the shard of tensor t; SIZE_MAX: in none */
    uint64_t nbytes;   /* of all tensors */
} fanin_shards;

/*
 * In the plan's order, a tensor joins the open shard unless that would take more than max_nbytes; then a new one is
 * opened. A tensor that is larger alone gets a shard of its own and leaves the open one open. Shards are numbered as
 * they are closed. UINT64_MAX makes one.
 */
fanin_status fanin_shards_create(fanin_shards *shards, const fanin_plan *plan, uint64_t max_nbytes, fanin_error *error);
void fanin_shards_release(fanin_shards *shards);

enum { FANIN_SHARD_NAME_NBYTES = 64 };
/* "model.safetensors", or "model-00002-of-00007.safetensors". */
void fanin_shard_name(const fanin_shards *shards, size_t shard, char name[FANIN_SHARD_NAME_NBYTES]);

#endif
