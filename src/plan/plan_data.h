/* SPDX-License-Identifier: MIT */
/*
 * What a plan holds, for the code that makes plans and for the code that writes and reads them.
 */
#ifndef FANIN_PLAN_PLAN_DATA_H
#define FANIN_PLAN_PLAN_DATA_H

#include "base/memory.h"
#include "base/name_index.h"
#include "fanin/plan.h"

/* Memory that names are views of. */
typedef struct fanin_storage {
    fanin_dtype dtype;
    int64_t nelem;
    size_t tensor;       /* the first that is all of it, else the first; SIZE_MAX: of no name */
    const char *unknown; /* why nobody knows what it holds: an op of a later version; NULL */
} fanin_storage;

/* What a recording says of where it comes from. */
typedef struct fanin_plan_note {
    const char *key;
    const char *value; /* NULL: null */
} fanin_plan_note;

struct fanin_plan {
    fanin_arena arena; /* all strings and shapes */
    bool is_recorded;  /* minor version 1 */
    fanin_profile profile;
    uint64_t *stream_seeds; /* [0], the user's, is not used */
    size_t nstreams;
    fanin_plan_note *notes;
    size_t nnotes;
    const char *family; /* of the config.json it comes from; NULL */
    fanin_storage *storages;
    size_t nstorages;
    size_t storages_capacity;
    fanin_plan_tensor *tensors;
    size_t ntensors;
    fanin_plan_literal *literals; /* their bytes are the plan's */
    size_t nliterals;
    fanin_plan_op *ops;
    size_t nops;
    size_t ops_capacity;
    uint64_t ndraws;
    bool has_check;
    uint64_t check_seed;
    uint8_t (*check_sha256)[32]; /* of each tensor, */
    bool *is_checked;            /* if it has one */
    const char **warnings;
    size_t nwarnings;
    size_t warnings_capacity;
    fanin_name_index names; /* of tensors */
};

/* Dtype, shape, strides and sizes of a tensor, kept in the arena. FANIN_ERROR_SHAPE: larger than memory can be. */
fanin_status fanin_plan_tensor_set_view(fanin_plan *plan, fanin_plan_tensor *tensor, const fanin_tensor *view,
                                        fanin_error *error);
/* Appends a storage, the index of which is nstorages before; and an op on a storage. Room is made. */
fanin_status fanin_plan_add_storage(fanin_plan *plan, const fanin_storage *storage, fanin_error *error);
fanin_status fanin_plan_add_op(fanin_plan *plan, const fanin_plan_op *op, fanin_error *error);
/* A sentence, kept in the arena. */
fanin_status fanin_plan_warn(fanin_plan *plan, fanin_error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The warning that comes with a family. */
fanin_status fanin_plan_warn_of_family(fanin_plan *plan, fanin_error *error);
/* Sorts the names; false with an error if two are the same. */
fanin_status fanin_plan_index_names(fanin_plan *plan, fanin_error *error);
/* Marks ops whose every element later ops on the same storage overwrite, and those of storages that nobody needs. */
fanin_status fanin_plan_mark_dead(fanin_plan *plan, fanin_error *error);

/*
 * Where the next draw of the stream is, and what is known of the normal that the scalar path of normal_ keeps for the
 * next call.
 */
enum fanin_cache_knowledge {
    FANIN_CACHE_EMPTY,
    FANIN_CACHE_FULL,   /* from the pair at cached_at, drawn after cached_barriers data-dependent ops */
    FANIN_CACHE_UNKNOWN /* that depends on data */
};
typedef struct fanin_position {
    uint64_t at;
    size_t barriers;
    enum fanin_cache_knowledge cache;
    uint64_t cached_at;
    size_t cached_barriers;
} fanin_position;

/*
 * Sets the position, draws and dependence of an op (its fill and view are there) and moves behind it. Fills that
 * fanin_fill_check refuses, and a stream longer than 2^64, are errors.
 */
fanin_status fanin_position_pass(fanin_position *position, fanin_profile profile, fanin_plan_op *op,
                                 fanin_error *error);
/* Whether fills of this kind draw at all. */
bool fanin_fill_kind_draws(fanin_fill_kind kind);

#endif
