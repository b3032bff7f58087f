/* SPDX-License-Identifier: MIT */
/*
 * Names: their ends, and those of a description against those of weights: a base model is saved without the prefix its
 * names have in a larger one, or the other way round.
 */
#ifndef FANIN_DIAGNOSE_NAMING_H
#define FANIN_DIAGNOSE_NAMING_H

#include "diagnose/diagnosis_data.h"

/* Whether the last segments of a name are these. */
bool fanin_name_ends_in(const char *name, const char *end);

struct fanin_description {
    const fanin_plan *plan; /* one of them */
    const fanin_model *model;
    size_t count;
    fanin_name_index names;
    char added[256]; /* goes before the names of the weights; "" */
    size_t nleft;    /* bytes that are left out at their front */
};

struct fanin_described {
    const char *name;
    int32_t ndim;
    const int64_t *shape;
    const char *tied_to;
    bool is_stored; /* a checkpoint without it is not whole */
};

/* Of the diagnosis' model, or plan. End it, after success only. */
fanin_status fanin_description_of_model(struct fanin_description *description, const fanin_diagnosis *diagnosis,
                                        fanin_error *error);
fanin_status fanin_description_of_plan(struct fanin_description *description, const fanin_diagnosis *diagnosis,
                                       fanin_error *error);
void fanin_description_end(struct fanin_description *description);

struct fanin_described fanin_description_at(const struct fanin_description *description, size_t i);
/* The tensor that a weight of this name is; SIZE_MAX: none. */
size_t fanin_description_find(const struct fanin_description *description, const char *name);

#endif
