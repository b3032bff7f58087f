/* SPDX-License-Identifier: MIT */
/*
 * What `check` looks at: a checkpoint or the part of it that was asked for, and all that the command line tells of what
 * its tensors should be. Every function says on stderr what went wrong and returns the exit status of the process.
 */
#ifndef FANIN_CLI_CHECK_SUBJECT_H
#define FANIN_CLI_CHECK_SUBJECT_H

#include "source.h"

/* The row of options that says which tensors are looked at. */
#define SUBJECT_ONLY                                                                                                   \
    OPTION_ROW("only", 0, OPTION_LIST, only, "PATTERN"),                                                               \
        "leave out all tensors but those whose names match; may be repeated"

/* Zero-initialize; release with subject_release whatever happened. */
typedef struct subject {
    fanin_checkpoint *checkpoint;
    fanin_weights weights;
    fanin_weight *items;     /* of the weights */
    size_t *numbers;         /* of the items in the checkpoint */
    size_t nskipped;         /* tensors left out by --only and --except */
    source described;        /* DESCRIPTION, or --plan, or the checkpoint's own shapes under --recipe and --set */
    fanin_model *configured; /* of --config */
    char *config;            /* its text, or that of DESCRIPTION; NULL */
    char *unexpanded;        /* why --config gives no model; NULL */
    fanin_plan *own_plan;    /* that the checkpoint carries; NULL */
    uint64_t own_seed;
    fanin_plan *family_plan; /* of the model of --config, where no other plan tells; NULL */
    fanin_plan *part;        /* of one of the plans; NULL: all of it */
    /* borrowed */
    const fanin_model *model;
    const fanin_plan *mending_plan; /* own_plan, described.plan or family_plan; NULL */
    const fanin_plan *plan;         /* own_plan, described.plan, or part; NULL */
    bool is_own_plan;
    bool is_partial; /* the plan is of rules without a description, for the tensors they match */
} subject;

/* Whether --fix makes the tensors of a finding anew: by its rule, or by the plan where no single rule can say how. */
bool subject_is_mended(const subject *of, const fanin_finding *finding);

/* Says so where the config.json told nothing. */
void subject_note_config(const settings *given, const subject *of, const fanin_diagnosis *diagnosis);

int subject_open(const settings *given, subject *of);
void subject_release(subject *of);

#endif
