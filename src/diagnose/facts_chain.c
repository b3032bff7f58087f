/* SPDX-License-Identifier: MIT */
/*
 * Chains: layers that follow each other with nothing between them but an activation. Names do not tell what a model
 * computes, so only a model that can be nothing else is called one: no norm anywhere, and all of its weights in the one
 * order in which each takes what the one before it gives.
 */
#include <string.h>

#include "base/error.h"
#include "diagnose/facts.h"

/* Groups of numbered layers whose order is tried: 6! ways. */
#define MAX_GROUPS 6
#define MAX_LAYERS 1024

/* Layers of one name but for the number: "features.#", "fc#". */
struct group {
    const char *name;
    size_t nbytes;
    size_t count;
    size_t layers[MAX_LAYERS];
    uint32_t numbers[MAX_LAYERS];
};

struct chain {
    const fanin_diagnosis *diagnosis;
    struct group *groups;
    size_t ngroups;
    size_t order[MAX_GROUPS];
    size_t found[MAX_GROUPS];
    size_t nfound; /* ways that link */
};

/* "features.12.weight" is number 12 of "features."; "out.weight" number 0 of "out". */
static void split_layer(const char *name, size_t *nbytes, uint32_t *number)
{
    const char *dot = strrchr(name, '.');
    size_t end = dot != NULL ? (size_t)(dot - name) : 0, begin = end;
    while (begin > 0 && end - begin < 9 && name[begin - 1] >= '0' && name[begin - 1] <= '9')
        begin--;
    *nbytes = begin;
    *number = 0;
    for (size_t i = begin; i < end; i++)
        *number = *number * 10 + (uint32_t)(name[i] - '0');
}

static bool is_conv(const struct fanin_record *record)
{
    return record->tensor.layer_kind >= FANIN_LAYER_CONV1D && record->tensor.layer_kind <= FANIN_LAYER_CONV3D;
}

/* After a convolution a linear layer takes its maps flattened, so many places of each. */
static bool links(const struct fanin_record *a, const struct fanin_record *b)
{
    int64_t out = a->tensor.shape[0], in = b->tensor.shape[1];
    return in == out || (is_conv(a) && !is_conv(b) && out > 0 && in % out == 0);
}

static bool all_link(const struct chain *chain, const size_t *order, size_t ngroups)
{
    const struct fanin_record *records = chain->diagnosis->records, *last = NULL;
    for (size_t g = 0; g < ngroups; g++) {
        const struct group *group = &chain->groups[order[g]];
        for (size_t i = 0; i < group->count; i++) {
            const struct fanin_record *next = &records[group->layers[i]];
            if (last != NULL && !links(last, next))
                return false;
            last = next;
        }
    }
    return true;
}

static void try_orders(struct chain *chain, size_t depth, unsigned used)
{
    if (chain->nfound > 1 || (depth > 0 && !all_link(chain, chain->order, depth)))
        return;
    if (depth == chain->ngroups) {
        memcpy(chain->found, chain->order, sizeof chain->found);
        chain->nfound++;
        return;
    }
    for (size_t g = 0; g < chain->ngroups; g++)
        if ((used & 1u << g) == 0) {
            chain->order[depth] = g;
            try_orders(chain, depth + 1, used | 1u << g);
        }
}

static bool add_layer(struct chain *chain, size_t i)
{
    const struct fanin_record *record = &chain->diagnosis->records[i];
    const char *name = record->tensor.name;
    size_t nbytes, g = 0;
    uint32_t number;
    split_layer(name, &nbytes, &number);
    while (g < chain->ngroups &&
           (chain->groups[g].nbytes != nbytes || memcmp(chain->groups[g].name, name, nbytes) != 0))
        g++;
    if (g == chain->ngroups) {
        if (g == MAX_GROUPS)
            return false;
        chain->groups[chain->ngroups++] = (struct group){.name = name, .nbytes = nbytes};
    }
    struct group *group = &chain->groups[g];
    if (group->count == MAX_LAYERS)
        return false;
    size_t k = group->count++;
    for (; k > 0 && group->numbers[k - 1] > number; k--) {
        group->numbers[k] = group->numbers[k - 1];
        group->layers[k] = group->layers[k - 1];
    }
    group->numbers[k] = number;
    group->layers[k] = i;
    return true;
}

/* Only linear layers and plain convolutions, their biases, and nothing else. */
static bool add_layers(struct chain *chain)
{
    size_t nlayers = 0;
    for (size_t i = 0; i < chain->diagnosis->nrecords; i++) {
        const struct fanin_record *record = &chain->diagnosis->records[i];
        if (record->part == FANIN_PART_BIAS)
            continue;
        bool layer = record->tensor.is_weight && (record->tensor.layer_kind == FANIN_LAYER_LINEAR || is_conv(record)) &&
                     record->layout == FANIN_LAYOUT_OUT_IN && record->groups <= 1 && !record->is_stacked;
        if (!layer || !add_layer(chain, i))
            return false;
        nlayers++;
    }
    return nlayers >= 2;
}

static bool has_group(const struct chain *chain, const char *name)
{
    for (size_t g = 0; g < chain->ngroups; g++)
        if (chain->groups[g].nbytes == strlen(name) && memcmp(chain->groups[g].name, name, strlen(name)) == 0)
            return true;
    return false;
}

fanin_status fanin_facts_chain(fanin_diagnosis *diagnosis, fanin_error *error)
{
    struct chain chain = {.diagnosis = diagnosis};
    chain.groups = fanin_allocate(MAX_GROUPS, sizeof *chain.groups);
    if (chain.groups == NULL)
        return fanin_fail_memory(error, MAX_GROUPS * sizeof *chain.groups);
    if (add_layers(&chain))
        try_orders(&chain, 0, 0);
    /* AlexNet and VGG, as torchvision and all after it name them. */
    bool relu = chain.ngroups == 2 && has_group(&chain, "features.") && has_group(&chain, "classifier.");
    size_t place = 0;
    for (size_t g = 0; g < chain.ngroups && chain.nfound == 1; g++) {
        const struct group *group = &chain.groups[chain.found[g]];
        for (size_t i = 0; i < group->count; i++) {
            struct fanin_record *record = &diagnosis->records[group->layers[i]];
            bool last = g + 1 == chain.ngroups && i + 1 == group->count;
            record->chain = ++place;
            record->norm_follows = FANIN_NO;
            record->in_residual = FANIN_NO;
            record->tensor.activation = last ? "linear" : relu ? "relu" : NULL;
        }
    }
    fanin_free(chain.groups);
    return FANIN_OK;
}
