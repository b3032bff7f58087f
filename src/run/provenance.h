/* SPDX-License-Identifier: MIT */
/*
 * What a checkpoint says about where it comes from: the metadata we write, and the plan and seed read back from it.
 */
#ifndef FANIN_RUN_PROVENANCE_H
#define FANIN_RUN_PROVENANCE_H

#include "fanin/run.h"
#include "format/safetensors.h"

/* A plan with more JSON than this is not repeated in every file's header, but written beside them. */
#define FANIN_MAX_EMBEDDED_PLAN_NBYTES ((size_t)1 << 20)

typedef struct fanin_provenance {
    char *plan; /* compact JSON */
    size_t plan_nbytes;
    char sha256[65];
    char seed[24];
    bool plan_beside; /* in a file of its own */
    fanin_pair pairs[8];
    size_t npairs;
} fanin_provenance;

/* Borrows source. On failure nothing is to be released. */
fanin_status fanin_provenance_create(fanin_provenance *provenance, const fanin_plan *plan, uint64_t seed,
                                     const char *source, fanin_error *error);
void fanin_provenance_release(fanin_provenance *provenance);

#endif
