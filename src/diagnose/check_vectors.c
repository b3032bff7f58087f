/* SPDX-License-Identifier: MIT */
/*
 * Checks of biases and of normalization layers.
 */
#include <string.h>

#include "base/error.h"
#include "diagnose/checks.h"

static bool is_constant(const struct fanin_record *record, double value)
{
    const fanin_statistics *s = &record->statistics;
    return s->is_float && s->nnan + s->ninf == 0 && s->min == value && s->max == value;
}

static bool is_finite(const struct fanin_record *record)
{
    return record->statistics.is_float && record->statistics.nelem > 0 &&
           record->statistics.nnan + record->statistics.ninf == 0;
}

/* Numbers right before the last word count the modules of a list, which may be of different kinds. */
static bool is_list_of_modules(const char *pattern)
{
    const char *dot = strrchr(pattern, '.');
    return dot != NULL && dot > pattern && dot[-1] == '#';
}

/* Whether a plan or family says that all values are one, and they are not, beyond what 16 bits round. */
static bool breaks_constant(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    const double value = record->tensor.expected.value, near = __builtin_fabs(value) * 0x1p-8;
    return record->tensor.expected.kind == FANIN_LAW_CONSTANT && is_finite(record) &&
           (__builtin_fabs(s->min - value) > near || __builtin_fabs(s->max - value) > near);
}

static fanin_status check_constants(struct fanin_examination *e, bool (*wanted)(const struct fanin_record *record),
                                    const char *consequence, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        const fanin_statistics *s = &record->statistics;
        if (!wanted(record) || !breaks_constant(record))
            continue;
        const double value = record->tensor.expected.value;
        struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.topic = "constant";
        draft.measured = __builtin_fabs(s->min - value) > __builtin_fabs(s->max - value) ? s->min : s->max;
        draft.expected = value;
        draft.what = s->min == s->max ? fanin_say(e, "all values are %.4g", s->min)
                                      : fanin_say(e, "values from %.4g to %.4g", s->min, s->max);
        draft.expectation = fanin_say(e, "%.4g everywhere (%s)", value, record->tensor.expected_by);
        draft.consequence = consequence;
        draft.remedy = FANIN_REMEDY_REMAKE;
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}

/* One finding about all tensors that `wanted` picks. */
static fanin_status tell(struct fanin_examination *e, bool (*wanted)(const struct fanin_record *record),
                         const char *topic, const char *what, const char *expectation, const char *consequence,
                         fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_INFO);
    double most = 0;
    size_t *tensors = fanin_allocate(diagnosis->nrecords, sizeof *tensors);
    if (tensors == NULL)
        return fanin_fail_memory(error, diagnosis->nrecords * sizeof *tensors);
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const fanin_statistics *s = &diagnosis->records[i].statistics;
        if (!wanted(&diagnosis->records[i]))
            continue;
        most = s->max > most ? s->max : most;
        most = -s->min > most ? -s->min : most;
        tensors[draft.ntensors++] = i;
    }
    draft.tensors = tensors;
    draft.topic = topic;
    draft.measured = most;
    draft.what = most > 0 ? fanin_say(e, "%s, up to %.3g", what, most) : what;
    draft.expectation = expectation;
    draft.consequence = consequence;
    fanin_status status = draft.ntensors > 0 ? fanin_add(e, &draft, error) : FANIN_OK;
    fanin_free(tensors);
    return status;
}

/* ---- biases ---- */

static bool is_bias(const struct fanin_record *record)
{
    return record->part == FANIN_PART_BIAS && is_finite(record);
}

/* Of a bias whose law is known, the law speaks. */
static bool is_unplanned_bias(const struct fanin_record *record)
{
    return is_bias(record) && record->tensor.expected.kind == FANIN_LAW_NONE;
}

static bool is_drawn_bias(const struct fanin_record *record)
{
    return is_bias(record) && !is_constant(record, 0) && !breaks_constant(record);
}

/* Blocks of different kinds may share a name: convolutions in the first, linear layers in the others. */
static fanin_status check_mixed_biases(struct fanin_examination *e, const struct fanin_role *role, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nbiases[FANIN_LAYER_KIND_COUNT] = {0}, nzeros[FANIN_LAYER_KIND_COUNT] = {0};
    for (size_t k = 0; k < role->count; k++) {
        const struct fanin_record *record = &diagnosis->records[role->members[k]];
        nbiases[record->tensor.layer_kind] += is_unplanned_bias(record);
        nzeros[record->tensor.layer_kind] += is_unplanned_bias(record) && is_constant(record, 0);
    }
    for (size_t k = 0; k < role->count && !is_list_of_modules(role->pattern); k++) {
        size_t i = role->members[k];
        const struct fanin_record *record = &diagnosis->records[i];
        const size_t n = nbiases[record->tensor.layer_kind], nzero = nzeros[record->tensor.layer_kind];
        const bool zero_is_odd = 2 * nzero <= n; /* the few are what somebody forgot */
        if (!is_unplanned_bias(record) || nzero == 0 || nzero == n || is_constant(record, 0) != zero_is_odd)
            continue;
        struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.topic = "mixed";
        draft.measured =
            __builtin_sqrt(record->statistics.variance + record->statistics.mean * record->statistics.mean);
        draft.what =
            zero_is_odd
                ? fanin_say(e, "all zero, where %zu of %zu biases of its role are not", n - nzero, n)
                : fanin_say(e, "not zero (%.3g in the root mean square), where %zu of %zu biases of its role are",
                            draft.measured, nzero, n);
        draft.expectation = "one law for all biases of a role";
        draft.consequence = "some layers were initialized by other code than the rest, or not at all";
        draft.remedy = FANIN_REMEDY_REMAKE;
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}

/* The mean of block 1 of 4, the forget gate in torch's order i, f, g, o. */
static bool forget_bias(const struct fanin_record *record, double *mean)
{
    *mean = record->forget_mean;
    return record->forget_mean == record->forget_mean;
}

/* torch adds bias_ih and bias_hh; a tensor without the other counts alone. */
static fanin_status check_forget_gates(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        char other_name[1024];
        const char *name = record->tensor.name, *at = strstr(name, "bias_hh");
        double sum, other = 0;
        size_t n = strlen(name);
        if (at == NULL || n >= sizeof other_name || !forget_bias(record, &sum))
            continue;
        memcpy(other_name, name, n + 1);
        memcpy(other_name + (at - name), "bias_ih", 7);
        size_t k = fanin_names_find(&diagnosis->names, other_name);
        if (k != SIZE_MAX && forget_bias(&diagnosis->records[k], &other))
            sum += other;
        if (sum >= 0.5)
            continue;
        uint64_t block = record->statistics.nelem / 4;
        struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_INFO);
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.topic = "forget";
        draft.measured = sum;
        draft.expected = 1;
        draft.what =
            fanin_say(e,
                      "the forget gate begins with a bias of %.3g (elements %llu to %llu of bias_ih and bias_hh "
                      "together)",
                      sum, (unsigned long long)block, (unsigned long long)(2 * block - 1));
        draft.expectation = "1: ones for gate f of bias_hh, zeros for all other biases";
        draft.consequence =
            "the layer forgets half of its memory in every step at first, and learns what lies far apart "
            "slowly";
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}

fanin_status fanin_check_biases(struct fanin_examination *e, fanin_error *error)
{
    FANIN_TRY(tell(e, is_drawn_bias, "drawn", "biases are not zero",
                   "zero in most schemes; torch's own constructors draw them", "no harm is known", error));
    FANIN_TRY(check_forget_gates(e, error));
    FANIN_TRY(check_constants(e, is_bias,
                              "the layer's units begin with outputs of their own that the scheme does not "
                              "give them: other code initialized it, or none",
                              error));
    for (size_t r = 0; r < e->diagnosis->nroles; r++)
        FANIN_TRY(check_mixed_biases(e, &e->diagnosis->roles[r], error));
    return FANIN_OK;
}

/* ---- norms ---- */

static bool is_norm_weight(const struct fanin_record *record)
{
    return record->part == FANIN_PART_NORM_WEIGHT && is_finite(record);
}

static bool is_fresh_norm(const struct fanin_record *record)
{
    return is_norm_weight(record) && (is_constant(record, 0) || is_constant(record, 1));
}

static bool is_other_norm(const struct fanin_record *record)
{
    return is_norm_weight(record) && !is_fresh_norm(record) && !breaks_constant(record);
}

static bool is_shift(const struct fanin_record *record)
{
    return (record->part == FANIN_PART_NORM_BIAS || record->part == FANIN_PART_RUNNING_MEAN) && is_finite(record);
}

static bool is_shifted_norm(const struct fanin_record *record)
{
    return is_shift(record) && !is_constant(record, 0) && !breaks_constant(record);
}

static bool is_zero_norm(const struct fanin_record *record)
{
    return is_norm_weight(record) && is_constant(record, 0) && record->tensor.expected.kind == FANIN_LAW_NONE;
}

fanin_status fanin_check_running_variance(struct fanin_examination *e, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    if (e->record->part != FANIN_PART_RUNNING_VAR || !s->is_float || s->nelem == 0 || (s->min > 0 && s->nnan == 0))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.measured = s->min;
    draft.expected = 1;
    draft.what = s->nnan > 0   ? "running_var has NaN"
                 : s->min == 0 ? "running_var has zeros"
                               : fanin_say(e, "running_var goes down to %.3g", s->min);
    draft.expectation = "1 in a fresh layer, and above 0 ever after";
    draft.consequence = "in evaluation the layer divides by the square root of it: huge values or NaN";
    draft.remedy = FANIN_REMEDY_INIT;
    draft.init = "ones";
    return fanin_add(e, &draft, error);
}

/* Of three or more norms of a role all but a few are 1, and those are 0: no design does that. */
static fanin_status check_zero_norms(struct fanin_examination *e, const struct fanin_role *role, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nzeros = 0, nones = 0;
    for (size_t k = 0; k < role->count; k++) {
        const struct fanin_record *record = &diagnosis->records[role->members[k]];
        if (record->tensor.layer_kind == FANIN_LAYER_BATCH_NORM)
            return FANIN_OK; /* some are zero on purpose: GENet's, in every other block */
        nzeros += is_zero_norm(record);
        nones += is_norm_weight(record) && is_constant(record, 1);
    }
    for (size_t k = 0; k < role->count && nones >= 2 && nzeros > 0 && 3 * nzeros <= nones; k++) {
        size_t i = role->members[k];
        if (!is_zero_norm(&diagnosis->records[i]))
            continue;
        struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.topic = "zero";
        draft.measured = 0;
        draft.expected = 1;
        draft.what = fanin_say(e, "all values are 0, where those of %zu other norms of its role are 1", nones);
        draft.expectation = "1, as the others";
        draft.consequence = "nothing passes the layer: its output is its bias, whatever comes in";
        draft.remedy = FANIN_REMEDY_INIT;
        draft.init = "ones";
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}

/* Where some of a role are fresh, those that are not stand out; where none is, the model was trained or is scaled. */
fanin_status fanin_check_norms(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t r = 0; r < diagnosis->nroles; r++) {
        const struct fanin_role *role = &diagnosis->roles[r];
        size_t nfresh = 0, n = 0;
        if (!is_list_of_modules(role->pattern))
            FANIN_TRY(check_zero_norms(e, role, error));
        for (size_t k = 0; k < role->count; k++) {
            n += is_norm_weight(&diagnosis->records[role->members[k]]);
            nfresh += is_fresh_norm(&diagnosis->records[role->members[k]]);
        }
        if (nfresh == 0 || nfresh == n || is_list_of_modules(role->pattern))
            continue;
        for (size_t k = 0; k < role->count; k++) {
            size_t i = role->members[k];
            const fanin_statistics *s = &diagnosis->records[i].statistics;
            if (!is_other_norm(&diagnosis->records[i]))
                continue;
            struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
            draft.ntensors = 1;
            draft.tensors = &i;
            draft.topic = "mixed";
            draft.measured = s->mean;
            draft.expected = 1;
            draft.what = fanin_say(e, "values from %.3g to %.3g, where %zu of %zu weights of its role are 0 or 1",
                                   s->min, s->max, nfresh, n);
            draft.expectation = "1 (or 0, where the layer ends a branch)";
            draft.consequence = "the layer scales its output by numbers that no scheme sets";
            draft.remedy = FANIN_REMEDY_REMAKE;
            FANIN_TRY(fanin_add(e, &draft, error));
        }
    }
    FANIN_TRY(
        check_constants(e, is_norm_weight,
                        "the layer scales its output by numbers that its scheme does not set; by 0 nothing passes "
                        "it",
                        error));
    FANIN_TRY(
        check_constants(e, is_shift, "the layer shifts its output by numbers that its scheme does not set", error));
    FANIN_TRY(tell(e, is_zero_norm, "zeros", "weights of norms are zero",
                   "1; zero on purpose in the last norm of a "
                   "residual branch, or where the code adds 1",
                   "elsewhere nothing passes the layer: its output is its bias, whatever comes in", error));
    FANIN_TRY(tell(e, is_other_norm, "weights", "weights of norms are neither 0 nor 1", "1 in a fresh layer",
                   "none, if the model was trained or scales them on purpose", error));
    return tell(e, is_shifted_norm, "shifts", "biases or running means of norms are not 0", "0 in a fresh layer",
                "none, if the model was trained", error);
}
