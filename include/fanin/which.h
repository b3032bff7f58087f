/* SPDX-License-Identifier: MIT */
/*
 * Where the values of a tensor come from: the law they follow, the rules that give it for the tensor's shape, and
 * whether anything has changed them since. And which seed of a plan a checkpoint was made with.
 */
#ifndef FANIN_WHICH_H
#define FANIN_WHICH_H

#include "fanin/check.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A rule whose law passes every test of the values: mean and std within 7.5 standard errors, bounds, distribution. */
typedef struct fanin_origin_rule {
    const char *title; /* "He (Kaiming) normal" */
    const char *rule;  /* "kaiming_normal(nonlinearity=relu)", as --set takes it behind the = */
    const char
        *divisor; /* "fan_in", "fan_in + fan_out", "hidden_size" ...; NULL: no number of the shape plays a part */
    int64_t fan;  /* that number; -1 */
    double std;   /* the rule's, of the values */
} fanin_origin_rule;

typedef struct fanin_origin {
    bool fits;     /* whether one law of initialization passes every test */
    fanin_law law; /* that law, with its numbers as the values have them; the nearest one if none passes */
    double std;    /* of the values */
    double bound;  /* greatest absolute value */
    double distance,
        limit;     /* Kolmogorov-Smirnov, from that law; what chance exceeds once in 10^12. NaN: no such test */
    size_t nrules; /* the most usual first; 0: no rule that fanin knows */
    const fanin_origin_rule *rules;
    bool is_one_law; /* the rules differ in name only */
    /*
     * YES: one law passes every test, rows and columns are as alike as its draws are, and a rule gives it. NO: none
     * does. UNKNOWN: too few values, or a law without a rule.
     */
    fanin_answer untouched;
    const char *reason; /* a sentence's end: "too few values to tell"; never NULL */
} fanin_origin;

/* Of tensor i of the diagnosis; NULL if there is no such tensor, or its values are no floats. */
FANIN_API const fanin_origin *fanin_diagnosis_origin(const fanin_diagnosis *diagnosis, size_t i);

/* -- Seeds ----------------------------------------------------------------------------------------------------------*/

/* Seeds begin, begin + 1 ... end, both included. */
typedef struct fanin_seed_range {
    uint64_t begin, end;
} fanin_seed_range;

typedef struct fanin_seed_options {
    size_t size;                    /* sizeof(fanin_seed_options) */
    const fanin_parallel *parallel; /* NULL: the calling thread alone */
    fanin_progress progress;        /* NULL; seeds, not bytes */
    void *user;
} fanin_seed_options;

typedef struct fanin_seed_result {
    bool found;
    uint64_t seed;    /* the first that made most tensors */
    uint64_t ntried;  /* seeds */
    size_t ncompared; /* tensors that draw, are in the checkpoint with the plan's dtype and shape, and were compared */
    size_t nequal;    /* of them equal byte for byte at that seed */
    size_t nprobes;   /* tensors whose first values decided */
} fanin_seed_result;

/*
 * Which of the seeds made the checkpoint by the plan. The first values of a few tensors are made for each seed; where
 * they are equal, all tensors are made and compared. `found` means that at least one tensor that draws is equal byte
 * for byte. FANIN_ERROR_ARGUMENT if no tensor of the checkpoint is one that the plan draws, or there is no seed.
 */
FANIN_API fanin_status fanin_find_seed(const fanin_checkpoint *checkpoint, const fanin_plan *plan,
                                       const fanin_seed_range *ranges, size_t nranges,
                                       const fanin_seed_options *options, fanin_seed_result *result,
                                       fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
