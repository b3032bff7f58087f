/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis while it is made: what is known of each tensor, the table of checks with their functions, and how a check
 * says what it found. Checks see this header; the rest of the world sees fanin/check.h.
 */
#ifndef FANIN_DIAGNOSE_DIAGNOSIS_DATA_H
#define FANIN_DIAGNOSE_DIAGNOSIS_DATA_H

#include "base/memory.h"
#include "base/name_index.h"
#include "diagnose/scan.h"
#include "fanin/check.h"

/* Values kept of each random-looking weight, to compare tensors with each other. */
#define FANIN_HEAD_NVALUES 256
/* No test of chance may fail a healthy tensor more often than 1e-12, which is 7.1 standard errors of a normal. */
#define FANIN_NERRORS 7.5

/* What a tensor is for. */
typedef enum fanin_part {
    FANIN_PART_OTHER = 0, /* not known: bare parameters, tables, integers */
    FANIN_PART_WEIGHT,    /* of a linear, convolution, recurrent or embedding layer, of two or more dimensions */
    FANIN_PART_BIAS,      /* of such a layer */
    FANIN_PART_NORM_WEIGHT,
    FANIN_PART_NORM_BIAS,
    FANIN_PART_RUNNING_MEAN,
    FANIN_PART_RUNNING_VAR
} fanin_part;

/* Tensors whose names are equal but for their numbers. */
struct fanin_role {
    const char *pattern; /* "layers.#.fc1.weight": a pattern of rules too */
    size_t count;
    const size_t *members;                  /* numbers of tensors, in the order of the numbers in their names */
    const struct fanin_role *begins_branch; /* if these end residual branches, those that begin them; NULL */
    double begin_std;                       /* of their middle one; NaN: they are not fresh */
};

struct fanin_draft;

struct fanin_record {
    fanin_diagnosis_tensor tensor; /* what the world sees; name, shape and texts live in the diagnosis */
    fanin_statistics statistics;   /* tensor.statistics points here */
    fanin_part part;
    size_t role;  /* of diagnosis->roles */
    size_t place; /* in it */
    fanin_layout layout;
    int32_t groups;      /* 0: not known */
    bool is_stacked;     /* dimension 0 counts experts, each a matrix of its own */
    int32_t nblocks;     /* equal blocks along the outputs: 3 of q, k, v; gates of a recurrent layer; 1: none */
    const char *blocks;  /* their names, "q,k,v", "i,f,g,o"; NULL */
    const char *tied_to; /* the tensor whose memory it shares; NULL */
    fanin_answer norm_follows;
    fanin_answer in_residual;
    size_t chain;            /* as in fanin_weight */
    size_t planned;          /* its number in the plan; SIZE_MAX: none */
    const char *initializer; /* the call that makes all of it, "normal(std=0.02)", by the plan; NULL */
    int64_t zero_row;        /* that the plan sets to zero, as an embedding's for padding; -1 */
    bool has_seed;           /* one is recorded for it alone */
    bool is_copied;          /* made by the plan as a copy of another tensor's values */
    fanin_arena arena;       /* texts of its findings */
    struct fanin_draft *first, *last;
    const struct fanin_origin *origin; /* NULL: no floats */
    double forget_mean;                /* of the forget gate of an LSTM's bias; NaN: it has none */
    bool is_smooth; /* values go on from row to row, as those of tables do and those of draws do not */
    float *head;    /* the first nhead values of a random-looking weight, as f32; else NULL */
    size_t nhead;
};

struct fanin_diagnosis {
    fanin_arena arena;
    fanin_diagnosis_summary summary;
    size_t nrecords;
    struct fanin_record *records;
    size_t nroles;
    struct fanin_role *roles;
    fanin_name_index names;           /* of the tensors */
    struct fanin_draft *first, *last; /* of the whole checkpoint, and of checks between tensors */
    fanin_finding *findings;
    size_t nfindings;
    size_t nseverities[3];
    /* borrowed, NULL once the diagnosis is made */
    const fanin_weights *weights;
    const fanin_diagnosis_options *options; /* complete: what the caller's struct is too short for is zero */
    const fanin_model *model;
    const fanin_plan *plan;
    bool has_config_plan; /* the plan is that of the config.json's family */
    bool has_config_laws; /* there is no plan, but the table of families knows the config.json's */
};

/* ---- checks ---- */

/* How what was found is mended. */
typedef enum fanin_remedy {
    FANIN_REMEDY_NONE = 0, /* by nothing that fanin does to the tensor */
    FANIN_REMEDY_REMAKE,   /* by its law, if plan, kind or siblings tell one; else `missing` says what is */
    FANIN_REMEDY_REDRAW,   /* the same, and if nothing else tells, by the law that its own values follow */
    FANIN_REMEDY_INIT      /* by `init` */
} fanin_remedy;

/* What a check says. Texts are constants, or made by fanin_say. */
struct fanin_draft {
    fanin_severity severity;
    const char *topic; /* a constant: findings of one check, role and topic become one; NULL is a topic too */
    const char *what;
    double measured, expected; /* NaN: none */
    const char *expectation, *consequence;
    fanin_remedy remedy;
    const char *init;    /* "zeros", "kaiming_normal(nonlinearity=relu)" */
    const char *missing; /* why there is no rule; NULL: said by who looked for one */
    const char *command; /* what to type besides the rule; NULL */
    size_t ntensors;     /* 0 in a check of one tensor: that one; of the whole checkpoint 0 and no tensors */
    const size_t *tensors;
    /* set by fanin_add */
    const fanin_check *check;
    struct fanin_draft *next;
};

/* What a check is given. Of checks of one tensor, two may run at once, on different records. */
struct fanin_examination {
    const fanin_diagnosis *diagnosis;
    const fanin_check *check;
    struct fanin_record *record;   /* NULL in a check between tensors */
    const struct fanin_scan *scan; /* the same */
    fanin_arena *arena;
    struct fanin_draft **first, **last;
    bool failed; /* memory ran out */
};

/* Text in the arena of the examination; "" when memory ran out, which fanin_add then reports. */
const char *fanin_say(struct fanin_examination *examination, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A draft to fill in: numbers are NaN, everything else is zero. */
struct fanin_draft fanin_draft_begin(fanin_severity severity);
fanin_status fanin_add(struct fanin_examination *examination, const struct fanin_draft *draft, fanin_error *error);

typedef fanin_status (*fanin_check_function)(struct fanin_examination *examination, fanin_error *error);

/* A row of the table in checks.c: what the world reads, and at most one function of each kind. */
struct fanin_check_row {
    fanin_check check;
    fanin_check_function of_tensor; /* while its scan is there */
    bool sound_only;                /* not of tensors that have an error already, which explains the rest */
    fanin_check_function of_all;    /* after all tensors */
};
const struct fanin_check_row *fanin_check_rows(size_t *count);
/* Of a row's check. */
bool fanin_check_is_sound_only(const fanin_check *check);

/* ---- facts: what is known before a byte is read ---- */

fanin_status fanin_facts_gather(fanin_diagnosis *diagnosis, fanin_error *error);

/* ---- findings: drafts become findings, grouped and sorted ---- */

fanin_status fanin_findings_gather(fanin_diagnosis *diagnosis, fanin_error *error);

#endif
