/* SPDX-License-Identifier: MIT */
/*
 * Which rule each tensor of a model gets, and what is to be said of rules that none gets.
 */
#ifndef FANIN_PLAN_ASSIGNMENT_H
#define FANIN_PLAN_ASSIGNMENT_H

#include "model/model_data.h"
#include "plan/plan_data.h"

/* A rule at work. */
typedef struct fanin_active_rule {
    const fanin_rule *rule;
    bool from_model;
    fanin_call call;
    const char *text;     /* the call, for explanations; NULL for torch_default */
    const char *where;    /* without the folder, which is the machine's */
    size_t nmatched;      /* tensors */
    size_t napplied;      /* tensors, or parts of them */
    const char *tie;      /* a tied name it matches */
    const char *taken_by; /* the place of a rule that took what it matches */
    bool taken_by_other;  /* ... and that stands in another list */
} fanin_active_rule;

typedef struct fanin_row_claim {
    int64_t row;
    fanin_active_rule *active;
    struct fanin_row_claim *next;
} fanin_row_claim;

/* What the rules say of one tensor. */
typedef struct fanin_claims {
    const char *gates;
    size_t ngates;
    fanin_active_rule *base;  /* the whole of it, or all gates that are left */
    fanin_active_rule **gate; /* of each gate; NULL if there are none */
    fanin_row_claim *rows;    /* in the order of the rules */
} fanin_claims;

typedef struct fanin_assignment {
    const fanin_model *model;
    fanin_plan *plan; /* gets the warnings; its arena the texts */
    fanin_active_rule *active;
    size_t nactive;
    fanin_claims *claims; /* of each entry of the model */
    fanin_arena scratch;  /* what claims point to */
    fanin_error *error;
} fanin_assignment;

/*
 * Rules of the recipe (may be NULL), then the model's own, first match wins. model, plan and error are set before;
 * after a failure too the assignment must be ended.
 */
fanin_status fanin_assignment_make(fanin_assignment *assignment, const fanin_recipe *recipe);
void fanin_assignment_end(fanin_assignment *assignment);

/* A place without its folder, in the plan's arena. */
fanin_status fanin_place_keep(fanin_plan *plan, const char *place, const char **kept, fanin_error *error);

#endif
