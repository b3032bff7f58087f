/* SPDX-License-Identifier: MIT */
/*
 * The check of residual branches: families scale the projection that ends one by the number of branches that add up.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/expected.h"
#include "diagnose/naming.h"
#include "diagnose/origin.h"

struct branch {
    const char *out;         /* the projection that ends a branch, as the end of its pattern */
    const char *in;          /* one that begins it, in the same place */
    const char *siblings[2]; /* patterns that have to be there too, or the name means another family; NULL */
};

static const struct branch branches[] = {
    /* OpenAI's first GPT has the same without ln_f, GPT-Neo without c_attn: theirs are not scaled */
    {"h.#.attn.c_proj.weight", "h.#.attn.c_attn.weight", {"ln_f.weight", NULL}},
    {"h.#.mlp.c_proj.weight", "h.#.mlp.c_fc.weight", {"ln_f.weight", "h.#.attn.c_attn.weight"}},
    {"layers.#.self_attention.linear_proj.weight", "layers.#.self_attention.linear_qkv.weight", {NULL, NULL}},
    {"layers.#.mlp.linear_fc2.weight", "layers.#.mlp.linear_fc1.weight", {NULL, NULL}},
    {"encoder.layers.#.self_attention.dense.weight",
     "encoder.layers.#.self_attention.query_key_value.weight",
     {NULL, NULL}},
    {"encoder.layers.#.mlp.dense_4h_to_h.weight", "encoder.layers.#.mlp.dense_h_to_4h.weight", {NULL, NULL}},
};

static const struct branch *branch_of(const char *pattern)
{
    for (size_t i = 0; i < sizeof branches / sizeof branches[0]; i++)
        if (fanin_name_ends_in(pattern, branches[i].out))
            return &branches[i];
    return NULL;
}

static bool has_pattern_end(const fanin_diagnosis *diagnosis, const char *end)
{
    for (size_t i = 0; i < diagnosis->nroles; i++)
        if (fanin_name_ends_in(diagnosis->roles[i].pattern, end))
            return true;
    return false;
}

static bool has_siblings(const fanin_diagnosis *diagnosis, const struct branch *branch)
{
    for (size_t i = 0; i < 2; i++)
        if (branch->siblings[i] != NULL && !has_pattern_end(diagnosis, branch->siblings[i]))
            return false;
    return true;
}

static const struct fanin_role *role_beside(const fanin_diagnosis *diagnosis, const char *pattern,
                                            const struct branch *branch)
{
    const size_t front = strlen(pattern) - strlen(branch->out);
    for (size_t i = 0; i < diagnosis->nroles; i++) {
        const char *other = diagnosis->roles[i].pattern;
        if (strlen(other) == front + strlen(branch->in) && strncmp(other, pattern, front) == 0 &&
            strcmp(other + front, branch->in) == 0)
            return &diagnosis->roles[i];
    }
    return NULL;
}

/* Whether both look as they were drawn, from normals: what training does to them is not asked. */
static bool is_fresh_normal(const struct fanin_record *record)
{
    const fanin_law_kind kind = record->tensor.fitted.kind;
    return record->origin != NULL && record->origin->fits && record->origin->untouched != FANIN_NO &&
           (kind == FANIN_LAW_NORMAL || kind == FANIN_LAW_TRUNC_NORMAL) && record->statistics.nelem >= 1024;
}

static int order_sizes(const void *a, const void *b)
{
    const struct fanin_record *x = *(const struct fanin_record *const *)a, *y = *(const struct fanin_record *const *)b;
    return x->statistics.variance < y->statistics.variance ? -1 : x->statistics.variance > y->statistics.variance;
}

/* The middle one of the layers: a single odd layer makes no difference. NaN if they are not fresh. */
static double middle_std(const fanin_diagnosis *diagnosis, const struct fanin_role *role,
                         const struct fanin_record **sorted)
{
    size_t n = 0;
    for (size_t i = 0; i < role->count; i++)
        if (is_fresh_normal(&diagnosis->records[role->members[i]]))
            sorted[n++] = &diagnosis->records[role->members[i]];
    qsort((void *)sorted, n, sizeof *sorted, order_sizes);
    return 2 * n > role->count ? fanin_expected_std_of(sorted[n / 2]) : (double)NAN;
}

fanin_status fanin_branches_find(fanin_diagnosis *diagnosis, fanin_error *error)
{
    const struct fanin_record **sorted = fanin_allocate(diagnosis->nrecords, sizeof *sorted);
    if (sorted == NULL)
        return fanin_fail_memory(error, diagnosis->nrecords * sizeof *sorted);
    for (size_t r = 0; r < diagnosis->nroles; r++) {
        struct fanin_role *role = &diagnosis->roles[r];
        const struct branch *branch = branch_of(role->pattern);
        if (branch == NULL || !has_siblings(diagnosis, branch))
            continue;
        const struct fanin_role *beside = role_beside(diagnosis, role->pattern, branch);
        if (beside == NULL || beside->count != role->count)
            continue;
        role->begins_branch = beside;
        role->begin_std = middle_std(diagnosis, beside, sorted);
    }
    fanin_free((void *)sorted);
    return FANIN_OK;
}

/* Ratio of std of the end to that of the beginning, where W18 speaks of it; NaN elsewhere. */
static double branch_ratio(const fanin_diagnosis *diagnosis, const struct fanin_role *role, size_t place,
                           double *wanted)
{
    const struct fanin_record *out = &diagnosis->records[role->members[place]];
    *wanted = (double)NAN;
    if (role->begins_branch == NULL || !is_fresh_normal(out))
        return (double)NAN;
    *wanted = 1 / sqrt(2 * (double)role->count);
    /* a plan that says otherwise is right, and one that says the same speaks of the end alone */
    const struct fanin_record *in = &diagnosis->records[role->begins_branch->members[place]];
    if (fanin_expected_is_random(out) && fanin_expected_is_random(in) &&
        (fabs(out->tensor.expected_std / in->tensor.expected_std / *wanted - 1) > 0.1 ||
         fabs(fanin_expected_errors(out)) <= FANIN_NERRORS))
        return (double)NAN;
    return fanin_expected_std_of(out) / role->begin_std;
}

/* Whether W18 says what W08 would say again: the end of a branch has the size of its beginning. */
bool fanin_expected_is_unscaled_branch(const fanin_diagnosis *diagnosis, const struct fanin_record *record)
{
    const struct fanin_role *role = &diagnosis->roles[record->role];
    double wanted, ratio = branch_ratio(diagnosis, role, record->place, &wanted);
    return fabs(ratio - 1) < 0.1 && fabs(ratio / wanted - 1) > 0.1;
}

fanin_status fanin_check_branch(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t r = 0; r < diagnosis->nroles; r++) {
        const struct fanin_role *role = &diagnosis->roles[r];
        for (size_t k = 0; k < role->count; k++) {
            double wanted, ratio = branch_ratio(diagnosis, role, k, &wanted);
            if (!(fabs(ratio / wanted - 1) > 0.1))
                continue;
            const struct fanin_record *out = &diagnosis->records[role->members[k]];
            const double std = fanin_expected_std_of(out), right = std / ratio * wanted;
            char number[FANIN_NUMBER_NBYTES];
            double round = fanin_scheme_round_number(std / ratio, 0.01);
            struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
            draft.measured = std;
            draft.expected = right;
            draft.what =
                fanin_say(e, "std %.4g is x %.3g of that of the projection that begins the branch", std, ratio);
            draft.expectation = fanin_say(e, "x %.3g, 1/sqrt(2 x %zu layers): std %.4g", wanted, role->count, right);
            draft.consequence = fanin_say(e, "%zu branches add up to x %.3g of the signal that GPT-2's scheme intends",
                                          2 * role->count, ratio / wanted);
            draft.ntensors = 1;
            draft.tensors = &role->members[k];
            draft.remedy =
                out->planned != SIZE_MAX || out->initializer != NULL ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_INIT;
            if (round == 0)
                round = std / ratio;
            draft.init = fanin_say(e, "normal(std=%s/sqrt(2*%zu))", fanin_number_format(round, number), role->count);
            FANIN_TRY(fanin_add(e, &draft, error));
        }
    }
    return FANIN_OK;
}
