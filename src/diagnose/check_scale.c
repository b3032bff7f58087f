/* SPDX-License-Identifier: MIT */
/*
 * The check of the size of weights: against the law that a plan or a family gives, against others of the same role, and
 * against the number of inputs.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/expected.h"
#include "diagnose/law.h"
#include "diagnose/origin.h"
#include "diagnose/roles.h"

/* A norm behind the layer takes a factor out of the output; of one beyond this a learning rate of 1% or less is left.
 */
#define NORM_FACTOR 10.0
/* How many tensors of a role make a custom, how near to their middle they are, and how far off one stands out. */
#define ODD_MIN    4
#define NEAR       0.03
#define ODD_FACTOR 2.0
/* No layer of 250 models as their libraries begin them goes over 7 by the smaller of its fans, few go below 0.02. */
#define LARGE_GAIN 8.0
#define SMALL_GAIN 0.005

/* ---- against a law ---- */

static const char *found_rule(const struct fanin_record *record)
{
    return record->origin != NULL && record->origin->nrules > 0 ? record->origin->rules[0].rule : NULL;
}

static const char *expected_rule(const struct fanin_record *record)
{
    return record->initializer != NULL ? record->initializer : "its law";
}

static fanin_status add_scale(struct fanin_examination *e, const struct fanin_record *record, const size_t *tensor,
                              double errors, fanin_error *error)
{
    const double std = fanin_expected_std_of(record), right = record->tensor.expected_std;
    const bool norm = record->norm_follows == FANIN_YES && !e->diagnosis->options->expect;
    const bool slight = norm && std < NORM_FACTOR * right && right < NORM_FACTOR * std;
    struct fanin_draft draft = fanin_draft_begin(slight ? FANIN_SEVERITY_INFO : FANIN_SEVERITY_WARN);
    const char *other = found_rule(record);
    draft.topic = std > right ? "large" : "small";
    draft.measured = std;
    draft.expected = right;
    draft.what = other != NULL
                     ? fanin_say(e, "std %.4g, that of %s, is x %.3g of what it should be", std, other, std / right)
                     : fanin_say(e, "std %.4g is x %.3g of what it should be, %.3g standard errors off", std,
                                 std / right, fabs(errors));
    draft.expectation =
        fanin_say(e, "std %.4g (%s: %s)", right,
                  record->tensor.expected_by != NULL ? record->tensor.expected_by : "plan", expected_rule(record));
    if (norm)
        draft.consequence = fanin_say(
            e, "the norm that follows takes the factor out of the output; steps of the optimizer count x %.3g",
            right * right / (std * std));
    else
        draft.consequence = std > right
                                ? "the layer's output and its gradients are larger than the scheme intends, by that "
                                  "factor"
                                : "the layer's output and its gradients are smaller than the scheme intends, by that "
                                  "factor";
    draft.ntensors = 1;
    draft.tensors = tensor;
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

static fanin_status check_laws(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        if (record->tensor.is_buffer || !fanin_expected_is_random(record))
            continue;
        double errors = fanin_expected_errors(record);
        if (fabs(errors) > FANIN_NERRORS && !fanin_expected_has_other_fan(record) &&
            !fanin_expected_is_unscaled_branch(diagnosis, record))
            FANIN_TRY(add_scale(e, record, &i, errors, error));
    }
    return FANIN_OK;
}

/* ---- against others ---- */

/* Whether a check of the tensor alone has said what is wrong with it. */
static bool is_told(const struct fanin_record *record)
{
    const struct fanin_draft *draft = record->first;
    while (draft != NULL && draft->severity == FANIN_SEVERITY_INFO)
        draft = draft->next;
    return draft != NULL;
}

/* Drawn weights whose law nobody tells, or no single draw for each element has. */
static bool is_unplanned(const struct fanin_record *record)
{
    return record->tensor.is_weight && record->tensor.is_random_looking &&
           (record->tensor.expected.kind == FANIN_LAW_NONE || record->tensor.expected.kind == FANIN_LAW_OTHER) &&
           record->statistics.variance > 0 && record->statistics.nelem >= 256;
}

/* By shape, then size. */
static int order_sizes(const void *a, const void *b)
{
    const struct fanin_record *x = *(const struct fanin_record *const *)a, *y = *(const struct fanin_record *const *)b;
    if (x->tensor.layer_kind != y->tensor.layer_kind)
        return x->tensor.layer_kind < y->tensor.layer_kind ? -1 : 1;
    int order = fanin_shape_order(&x->tensor, &y->tensor);
    if (order == 0 && x->statistics.variance != y->statistics.variance)
        order = x->statistics.variance < y->statistics.variance ? -1 : 1;
    return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

static bool is_odd(double std, double middle)
{
    return std > ODD_FACTOR * middle || middle > ODD_FACTOR * std;
}

static bool is_near(const struct fanin_record *record, double middle)
{
    const double n = (double)record->statistics.nelem, errors = 5 * sqrt((record->statistics.kurtosis - 1) / (4 * n));
    return fabs(fanin_expected_std_of(record) / middle - 1) < (errors > NEAR ? errors : NEAR);
}

static fanin_status add_odd(struct fanin_examination *e, const struct fanin_record *record, double middle, size_t nnear,
                            fanin_error *error)
{
    const size_t i = (size_t)(record - e->diagnosis->records);
    const double std = fanin_expected_std_of(record);
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    draft.ntensors = 1;
    draft.tensors = &i;
    draft.topic = "odd";
    draft.measured = std;
    draft.expected = middle;
    draft.what = fanin_say(e, "std %.4g is x %.3g of that of the %zu other tensors of its role and shape", std,
                           std / middle, nnear);
    draft.expectation = fanin_say(e, "std %.4g, as the others", middle);
    draft.consequence = "the layer's output is larger or smaller than that of its like, by that factor: it was scaled "
                        "afterwards, or made by other code";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

/* Tensors of one role and shape, in the order of their sizes: few that stand out from many that agree. */
static fanin_status check_kin(struct fanin_examination *e, const struct fanin_record *const *sorted, size_t n,
                              fanin_error *error)
{
    size_t nnear = 0, nodd = 0;
    if (n < ODD_MIN)
        return FANIN_OK;
    const double middle = fanin_expected_std_of(sorted[n / 2]);
    for (size_t i = 0; i < n; i++) {
        nnear += is_near(sorted[i], middle);
        nodd += is_odd(fanin_expected_std_of(sorted[i]), middle);
    }
    for (size_t i = 0; i < n && nnear + nodd == n && 4 * nodd <= n; i++)
        if (is_odd(fanin_expected_std_of(sorted[i]), middle) && !is_told(sorted[i]))
            FANIN_TRY(add_odd(e, sorted[i], middle, nnear, error));
    return FANIN_OK;
}

static fanin_status check_roles(struct fanin_examination *e, const struct fanin_record **kin, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t r = 0; r < diagnosis->nroles; r++) {
        const struct fanin_role *role = &diagnosis->roles[r];
        size_t n = 0;
        for (size_t k = 0; k < role->count; k++)
            if (is_unplanned(&diagnosis->records[role->members[k]]))
                kin[n++] = &diagnosis->records[role->members[k]];
        qsort((void *)kin, n, sizeof *kin, order_sizes);
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i + 1; end < n && kin[i]->tensor.layer_kind == kin[end]->tensor.layer_kind &&
                              fanin_shape_order(&kin[i]->tensor, &kin[end]->tensor) == 0;)
                end++;
            FANIN_TRY(check_kin(e, kin + i, end - i, error));
        }
    }
    return FANIN_OK;
}

/* ---- against the number of inputs ---- */

/* What the layer does to the size of its input, by the fan for which it does less. NaN: that is not known. */
static double gain_of(const struct fanin_record *record)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const bool layer = tensor->layer_kind != FANIN_LAYER_EMBEDDING && tensor->layer_kind != FANIN_LAYER_NONE;
    const int64_t fan = tensor->fan_in < tensor->fan_out ? tensor->fan_in : tensor->fan_out;
    if (!is_unplanned(record) || !layer || fan < 1 || record->norm_follows == FANIN_YES)
        return (double)NAN;
    return fanin_expected_std_of(record) * sqrt((double)fan);
}

static fanin_status check_gains(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nlayers = 0, nlarge = 0, nsmall = 0;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const double gain = gain_of(&diagnosis->records[i]);
        nlayers += gain == gain;
        nlarge += gain > LARGE_GAIN;
        nsmall += gain < SMALL_GAIN;
    }
    if (nlayers < 2 || (2 * nlarge <= nlayers && 2 * nsmall <= nlayers))
        return FANIN_OK;
    const bool large = 2 * nlarge > nlayers;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        const double gain = gain_of(record);
        /* of many, those that are nearly so too */
        if (!(large ? gain > LARGE_GAIN / 2 : gain < SMALL_GAIN * 2) || record->chain != 0)
            continue;
        struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.topic = large ? "gain" : "loss";
        draft.measured = fanin_expected_std_of(record);
        draft.what = fanin_say(e, "std %.4g makes the output x %.3g of the input, as it does in %zu of %zu layers",
                               draft.measured, gain, large ? nlarge : nsmall, nlayers);
        draft.expectation = fanin_say(e, "about 1/sqrt(inputs), std %.3g; models of normalized layers often 0.02",
                                      1 / sqrt((double)record->tensor.fan_in));
        draft.consequence = large ? "values and gradients explode from layer to layer, or saturate what follows: a std "
                                    "of 1 instead of 0.02?"
                                  : "next to nothing passes the layers, and gradients vanish on their way back";
        draft.missing = "the scheme that was meant: --config config.json, --recipe FILE, or a rule, --set "
                        "'PATTERN=normal(std=0.02)'";
        draft.remedy = FANIN_REMEDY_REMAKE;
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}

fanin_status fanin_check_scale(struct fanin_examination *e, fanin_error *error)
{
    FANIN_TRY(check_laws(e, error));
    const struct fanin_record **kin = fanin_allocate(e->diagnosis->nrecords, sizeof *kin);
    if (kin == NULL)
        return fanin_fail_memory(error, e->diagnosis->nrecords * sizeof *kin);
    fanin_status status = check_roles(e, kin, error);
    fanin_free((void *)kin);
    FANIN_TRY(status);
    FANIN_TRY(check_gains(e, error));
    return fanin_check_chain(e, error);
}

/* ---- --expect ---- */

/* What --expect asks beyond the standard deviation. */
fanin_status fanin_check_expected(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const fanin_law *law = &tensor->expected;
    struct fanin_law_test test;
    if (!e->diagnosis->options->expect || tensor->is_buffer ||
        !(fanin_expected_is_random(record) || law->kind == FANIN_LAW_CONSTANT))
        return FANIN_OK;
    fanin_law_test(law, tensor->dtype, e->scan, &test);
    if (!test.applies || test.passed || fabs(fanin_expected_errors(record)) > FANIN_NERRORS)
        return FANIN_OK; /* of the standard deviation check_scale speaks */
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const fanin_statistics *s = &record->statistics;
    const char *other = found_rule(record);
    draft.topic = "law";
    draft.expectation = fanin_say(e, "%s (%s)", expected_rule(record), tensor->expected_by);
    draft.consequence = "the values are not those of the law that was asked for";
    draft.remedy = FANIN_REMEDY_REMAKE;
    if (law->kind == FANIN_LAW_CONSTANT) {
        draft.measured = s->max;
        draft.expected = law->value;
        draft.what = fanin_say(e, "values from %.4g to %.4g instead of one constant, %.4g", s->min, s->max, law->value);
    } else if (fabs(test.mean_z) > FANIN_LAW_MAX_ERRORS) {
        draft.measured = s->mean;
        draft.expected = fanin_law_mean(law);
        draft.what =
            fanin_say(e, "mean %.4g is %.3g standard errors from %.4g", s->mean, fabs(test.mean_z), draft.expected);
    } else if (!test.keeps_bounds) {
        draft.measured = fabs(s->min) > fabs(s->max) ? s->min : s->max;
        draft.what = fanin_say(e, "values from %.6g to %.6g, where that law has none", s->min, s->max);
    } else if (test.distance > test.limit) {
        draft.measured = test.distance;
        draft.expected = 0;
        draft.what =
            other != NULL
                ? fanin_say(e, "the distribution is that of %s: %.3g from the law (chance gives up to %.3g)", other,
                            test.distance, test.limit)
                : fanin_say(e, "the distribution is %.3g from the law (Kolmogorov-Smirnov; chance gives up to %.3g)",
                            test.distance, test.limit);
    } else {
        return FANIN_OK; /* what 16 bits explain */
    }
    return fanin_add(e, &draft, error);
}
