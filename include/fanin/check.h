/* SPDX-License-Identifier: MIT */
/*
 * Is this checkpoint initialized as it should be? Weights go through one pass of statistics and a table of checks;
 * out come findings: what, the number, what was expected, what follows, and the command that mends it.
 */
#ifndef FANIN_CHECK_H
#define FANIN_CHECK_H

#include "fanin/run.h"
#include "fanin/statistics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -- Where the weights come from ------------------------------------------------------------------------------------*/

typedef enum fanin_answer { FANIN_UNKNOWN = 0, FANIN_NO, FANIN_YES } fanin_answer;

/*
 * One tensor and what the caller knows of its layer. What is zero is not known: names, shapes, the model, and the plan
 * of the options are asked instead, in that order of growing weight.
 */
typedef struct fanin_weight {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    bool is_buffer;
    const char *tied_to; /* the tensor whose memory it shares; NULL */
    fanin_layer_kind layer_kind;
    const char *role; /* as in fanin_layer_parameter; NULL */
    fanin_layout layout;
    int32_t groups;         /* 0: not known */
    const char *activation; /* what follows the layer: "relu", "tanh", "gelu" ..., "linear" for none; NULL */
    fanin_answer norm_follows;
    fanin_answer in_residual; /* whether a sum with an earlier activation follows before the next layer */
    size_t chain;  /* 1, 2, 3 ...: its place among layers that follow each other with nothing else between; 0: none */
    bool has_seed; /* whether the seed that made it is recorded with it, as fanin_repair does */
} fanin_weight;

/* Weights of any origin. read gives bytes [offset, offset + nbytes) of tensor i, from any thread. */
typedef struct fanin_weights {
    size_t nweights;
    const fanin_weight *weights;
    fanin_status (*read)(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error);
    void *user;
    const char *name;     /* what they are called in messages: a path, "model" */
    bool has_seed;        /* whether a seed is recorded with all of them */
    uint64_t seed;        /* that seed */
    const char *metadata; /* what else is known of their origin, a sentence; NULL */
} fanin_weights;

/* -- Findings -------------------------------------------------------------------------------------------------------*/

typedef enum fanin_severity {
    FANIN_SEVERITY_INFO = 0,
    FANIN_SEVERITY_WARN = 1,
    FANIN_SEVERITY_ERROR = 2
} fanin_severity;
FANIN_API const char *fanin_severity_name(fanin_severity severity); /* "info", "warn", "error" */

/* A row of the table of checks: what docs/check.md is made of. All texts are complete sentences, never NULL. */
typedef struct fanin_check {
    const char *id;       /* "W01" */
    const char *title;    /* "NaN or infinity" */
    const char *measures; /* the quantity */
    const char *rule;     /* when it speaks, with the numbers */
    fanin_severity worst; /* the worst it can say */
    const char *means;    /* for somebody who has never heard of a fan-in: what it is and what comes of it */
    const char *fix;      /* what to do */
    const char *source;   /* papers with their equations, documented bugs */
    bool deep;            /* only with options.deep */
} fanin_check;
FANIN_API size_t fanin_check_count(void);
FANIN_API const fanin_check *fanin_check_at(size_t i);

/*
 * One finding, about one tensor or the same of several tensors of one role ("layers 0-31"). Texts are UTF-8 and may
 * hold names as they are in the file: escape before printing. They live as long as the diagnosis.
 */
typedef struct fanin_finding {
    const fanin_check *check;
    fanin_severity severity;
    size_t ntensors;         /* at least 1, but of the whole checkpoint 0 */
    const size_t *tensors;   /* their numbers, ascending */
    const char *where;       /* "h.3.mlp.c_fc.weight", "layers.0-31.fc1.weight" (32 tensors), "the checkpoint" */
    const char *what;        /* "3 NaN, the first at [12, 7]" */
    double measured;         /* the number of the first tensor; NaN if it is none */
    double expected;         /* what it should be; NaN if it is no single number */
    const char *expectation; /* "none", "std 0.0313 (He, fan_in 2048)"; NULL */
    const char *consequence; /* "training gives NaN in the first step" */
    const char *rule;        /* 'PATTERN=INIT(args)', with which fanin makes these tensors as they should be; NULL */
    const char *missing;     /* what has to be known for a rule: "the recipe", "the activation that follows"; NULL */
    const char *command;     /* what to type; NULL */
} fanin_finding;

/* -- Diagnosis ------------------------------------------------------------------------------------------------------*/

/* A distribution that values were, or should have been, drawn from. */
typedef enum fanin_law_kind {
    FANIN_LAW_NONE = 0, /* not known, or no such distribution */
    FANIN_LAW_CONSTANT,
    FANIN_LAW_UNIFORM,
    FANIN_LAW_NORMAL,
    FANIN_LAW_TRUNC_NORMAL, /* normal(mean, std) within [low, high] */
    FANIN_LAW_ORTHOGONAL,
    FANIN_LAW_OTHER /* eye, dirac, sparse, tables, copies: known, but not one draw for each element */
} fanin_law_kind;
typedef struct fanin_law {
    fanin_law_kind kind;
    double value;     /* constant; gain of orthogonal */
    double mean, std; /* normal, trunc_normal: of the normal before truncation */
    double low, high; /* uniform, trunc_normal */
} fanin_law;

typedef struct fanin_diagnosis_options {
    size_t size;                    /* sizeof(fanin_diagnosis_options) */
    const fanin_parallel *parallel; /* NULL: the calling thread alone */
    fanin_progress progress;        /* NULL; bytes read */
    void *user;
    const fanin_model *model; /* layer kinds of a spec or config.json; NULL */
    const fanin_plan *plan;   /* the law of each tensor, from a plan, or a model and a recipe; NULL */
    const char *config;       /* text of the config.json, for what a model does not tell (activation, depth); NULL */
    const char *activation;   /* what follows linear and convolution layers where nothing else tells, by name; NULL */
    bool expect;              /* test each tensor against its law of the plan, in every way there is */
    bool deep;                /* linear algebra and correlations at other lags too */
    fanin_dtype target;       /* FANIN_DTYPE_NONE, or what the weights will be stored as */
    bool plan_is_partial;     /* the plan is about some of the tensors: the others are not strange for that */
    /*
     * The command of this diagnosis, as a shell takes it: "fanin check gpt2 --config config.json". Findings say what to
     * type with it. NULL: of a checkpoint it is made up, else there is none.
     */
    const char *command;
} fanin_diagnosis_options;

typedef struct fanin_diagnosis fanin_diagnosis;

FANIN_API fanin_status fanin_diagnose(const fanin_weights *weights, const fanin_diagnosis_options *options,
                                      fanin_diagnosis **diagnosis, fanin_error *error);
/* The same of a checkpoint, with the plan and seed it carries if it is one of fanin's and the options name none. */
FANIN_API fanin_status fanin_diagnose_checkpoint(const fanin_checkpoint *checkpoint,
                                                 const fanin_diagnosis_options *options, fanin_diagnosis **diagnosis,
                                                 fanin_error *error);
FANIN_API void fanin_diagnosis_free(fanin_diagnosis *diagnosis);

/* Worst first, then by check and tensor. */
FANIN_API size_t fanin_diagnosis_finding_count(const fanin_diagnosis *diagnosis);
FANIN_API const fanin_finding *fanin_diagnosis_finding_at(const fanin_diagnosis *diagnosis, size_t i);
FANIN_API size_t fanin_diagnosis_severity_count(const fanin_diagnosis *diagnosis, fanin_severity severity);

/* What is known of each tensor, in the order of the weights. */
typedef struct fanin_diagnosis_tensor {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    const fanin_statistics *statistics;
    const char *pattern; /* its name with numbers replaced: "layers.#.fc1.weight"; tensors that share it compare */
    fanin_layer_kind layer_kind; /* FANIN_LAYER_NONE: not known */
    const char *role;            /* NULL: not known */
    bool is_buffer;
    bool is_weight;          /* a linear, convolution, recurrent or embedding weight of two or more dimensions */
    bool is_random_looking;  /* see docs/check.md */
    int64_t fan_in, fan_out; /* -1: none */
    int64_t layer;           /* the first number in its name; -1 */
    const char *activation;  /* NULL: not known */
    fanin_law expected;      /* by plan, recipe or family */
    const char *expected_by; /* "plan", "gpt2", "He (relu follows)"; NULL */
    double expected_std;     /* NaN: nothing to compare with */
    fanin_law fitted;        /* what its values look like */
    int worst;               /* severity of its worst finding; -1: none */
} fanin_diagnosis_tensor;
FANIN_API size_t fanin_diagnosis_tensor_count(const fanin_diagnosis *diagnosis);
FANIN_API const fanin_diagnosis_tensor *fanin_diagnosis_tensor_at(const fanin_diagnosis *diagnosis, size_t i);

/* What was checked, for the head of a report. */
typedef struct fanin_diagnosis_summary {
    const char *name;     /* of the weights */
    const char *known_by; /* "plan", "recipe", "config (gpt2)", "names (bert)", "nothing but names and shapes" */
    const char *family;   /* NULL */
    uint64_t nelem, nbytes;
    bool has_seed;
    uint64_t seed;
    const char *profile; /* NULL */
    fanin_dtype target;
    bool deep, expect;
} fanin_diagnosis_summary;
FANIN_API const fanin_diagnosis_summary *fanin_diagnosis_summarize(const fanin_diagnosis *diagnosis);

/* -- Reports: text allocated by the library, given back by fanin_release. The same bytes for the same diagnosis.
 * -------*/

/* By docs/check.schema.json. */
FANIN_API fanin_status fanin_diagnosis_to_json(const fanin_diagnosis *diagnosis, char **text, fanin_error *error);
/* One page that needs nothing else: no script, no font, no network. */
FANIN_API fanin_status fanin_diagnosis_to_html(const fanin_diagnosis *diagnosis, char **text, fanin_error *error);

/* -- Mending --------------------------------------------------------------------------------------------------------*/

/* The key of __metadata__ under which a mended file says how: JSON with seed, profile, source, and each tensor's call.
 */
#define FANIN_METADATA_REPAIR "fanin_repair"

typedef struct fanin_repair_result {
    size_t nmade; /* tensors made anew */
    size_t nleft; /* tensors with a finding above info for which no rule could be computed: as they were */
    fanin_digest digest;
} fanin_repair_result;

/*
 * Writes a checkpoint in which the tensors with findings above info are made anew by the findings' rules, the others
 * as they are, under the same promise as fanin_run_checkpoint: whole or absent, in files like those there were (one, if
 * the path ends in .safetensors; max_shard_nbytes is not asked). Its metadata is what it was, and tells what was done.
 *
 * plan (may be NULL) is the one that the diagnosis knew the tensors by: it makes them at the place in the stream that
 * they have there, so that at the seed of the checkpoint they become what they should have been to the bit, and a
 * checkpoint of fanin's its plan's again. run gives seed, threads and progress.
 */
FANIN_API fanin_status fanin_repair(const fanin_checkpoint *checkpoint, const fanin_diagnosis *diagnosis,
                                    const fanin_plan *plan, const fanin_run_options *run,
                                    const fanin_write_options *write, fanin_repair_result *result, fanin_error *error);
/* Sets made[i] to whether tensor i of the checkpoint was made by a mending that the metadata tells of, with its seed.
 */
FANIN_API fanin_status fanin_repair_recorded(const fanin_checkpoint *checkpoint, bool *made, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
