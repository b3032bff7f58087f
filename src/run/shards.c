/* SPDX-License-Identifier: MIT */
/*
 * The greedy split into shards. Names, shapes and dtypes alone decide it, so any process can compute it by itself.
 */
#include "run/shards.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* Fills of_tensor with shards numbered as they are opened, and `number` with what they are called when closed. */
static size_t assign(const fanin_plan *plan, uint64_t max_nbytes, size_t *of_tensor, size_t *number)
{
    size_t opened = 0, closed = 0, current = SIZE_MAX;
    uint64_t current_nbytes = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        of_tensor[i] = SIZE_MAX;
        if (!fanin_plan_tensor_is_stored(tensor))
            continue;
        if (tensor->nbytes > max_nbytes) {
            of_tensor[i] = opened;
            number[opened++] = closed++;
            continue;
        }
        if (current != SIZE_MAX && tensor->nbytes > max_nbytes - current_nbytes) {
            number[current] = closed++;
            current = SIZE_MAX;
        }
        if (current == SIZE_MAX) {
            current = opened++;
            current_nbytes = 0;
        }
        of_tensor[i] = current;
        current_nbytes += tensor->nbytes;
    }
    if (current != SIZE_MAX)
        number[current] = closed;
    return opened;
}

fanin_status fanin_shards_create(fanin_shards *shards, const fanin_plan *plan, uint64_t max_nbytes, fanin_error *error)
{
    size_t n = fanin_plan_tensor_count(plan);
    memset(shards, 0, sizeof *shards);
    size_t *number = fanin_allocate(n, sizeof *number);
    shards->of_tensor = fanin_allocate(n, sizeof *shards->of_tensor);
    shards->tensors = fanin_allocate(n, sizeof *shards->tensors);
    shards->first = fanin_allocate_zeroed(n + 2, sizeof *shards->first);
    if (number == NULL || shards->of_tensor == NULL || shards->tensors == NULL || shards->first == NULL) {
        fanin_free(number);
        fanin_shards_release(shards);
        return fanin_fail_memory(error, (n + 2) * sizeof *shards->first);
    }
    size_t nshards = assign(plan, max_nbytes, shards->of_tensor, number);
    shards->nshards = nshards > 0 ? nshards : 1;
    /* counted one place further on, first[s + 1] is where shard s begins while it is listed, and where it ends after */
    for (size_t i = 0; i < n; i++) {
        if (shards->of_tensor[i] == SIZE_MAX)
            continue;
        shards->of_tensor[i] = number[shards->of_tensor[i]];
        shards->nbytes += fanin_plan_tensor_at(plan, i)->nbytes;
        shards->first[shards->of_tensor[i] + 2]++;
    }
    for (size_t s = 2; s <= shards->nshards; s++)
        shards->first[s] += shards->first[s - 1];
    for (size_t i = 0; i < n; i++)
        if (shards->of_tensor[i] != SIZE_MAX)
            shards->tensors[shards->first[shards->of_tensor[i] + 1]++] = i;
    fanin_free(number);
    return FANIN_OK;
}

void fanin_shards_release(fanin_shards *shards)
{
    fanin_free(shards->first);
    fanin_free(shards->tensors);
    fanin_free(shards->of_tensor);
    memset(shards, 0, sizeof *shards);
}

void fanin_shard_name(const fanin_shards *shards, size_t shard, char name[FANIN_SHARD_NAME_NBYTES])
{
    if (shards->nshards == 1)
        snprintf(name, FANIN_SHARD_NAME_NBYTES, "model.safetensors");
    else
        snprintf(name, FANIN_SHARD_NAME_NBYTES, "model-%05zu-of-%05zu.safetensors", shard + 1, shards->nshards);
}
