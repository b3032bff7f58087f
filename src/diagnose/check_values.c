/* SPDX-License-Identifier: MIT */
/*
 * Checks of the values of one tensor: what is no number, what was never written, zeros and constants.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"

/* "[12, 7]" for element i of a row-major tensor. */
static const char *index_text(struct fanin_examination *e, uint64_t i)
{
    const fanin_diagnosis_tensor *tensor = &e->record->tensor;
    uint64_t at[FANIN_MAX_DIMS] = {0};
    char text[32 * FANIN_MAX_DIMS + 8];
    size_t n = 0;
    if (tensor->ndim > FANIN_MAX_DIMS || tensor->ndim < 1)
        return fanin_say(e, "%" PRIu64, i);
    for (int32_t d = tensor->ndim - 1; d >= 0; d--) {
        uint64_t size = tensor->shape[d] > 0 ? (uint64_t)tensor->shape[d] : 1;
        at[d] = i % size;
        i /= size;
    }
    for (int32_t d = 0; d < tensor->ndim; d++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%" PRIu64, d == 0 ? "[" : ", ", at[d]);
    return fanin_say(e, "%s]", text);
}

fanin_status fanin_check_not_finite(struct fanin_examination *e, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    if (s->nnan == 0 && s->ninf == 0)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    uint64_t first = s->first_nan < s->first_inf ? s->first_nan : s->first_inf;
    draft.measured = (double)(s->nnan + s->ninf);
    draft.expected = 0;
    if (s->ninf == 0)
        draft.what = fanin_say(e, "%" PRIu64 " NaN of %" PRIu64 " values, the first at %s", s->nnan, s->nelem,
                               index_text(e, first));
    else if (s->nnan == 0)
        draft.what = fanin_say(e, "%" PRIu64 " infinite of %" PRIu64 " values, the first at %s", s->ninf, s->nelem,
                               index_text(e, first));
    else
        draft.what = fanin_say(e, "%" PRIu64 " NaN and %" PRIu64 " infinite of %" PRIu64 " values, the first at %s",
                               s->nnan, s->ninf, s->nelem, index_text(e, first));
    draft.expectation = "none";
    draft.consequence = "memory was never initialized, a load failed, or a value did not fit the dtype; the first "
                        "forward pass gives NaN, and every gradient after it";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

static bool is_zero(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    return record->tensor.is_weight && s->nelem > 0 && s->nzero == s->nelem;
}

fanin_status fanin_check_constant(struct fanin_examination *e, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    if (!e->record->tensor.is_weight || s->nelem < 2 || s->nnan + s->ninf > 0 || !(s->min == s->max) || s->min == 0)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.measured = s->min;
    draft.what = fanin_say(e, "all %" PRIu64 " values are %.6g", s->nelem, s->min);
    draft.expectation = "different values in different rows";
    draft.consequence = "all units of the layer compute the same, get the same gradient, and stay identical for ever: "
                        "the layer is as good as one unit";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

static fanin_status add_zero(struct fanin_examination *e, size_t i, const char *what, fanin_severity severity,
                             const char *topic, fanin_error *error)
{
    struct fanin_draft draft = fanin_draft_begin(severity);
    draft.topic = topic;
    draft.measured = 0;
    draft.what = what;
    draft.ntensors = 1;
    draft.tensors = &i;
    if (severity == FANIN_SEVERITY_INFO) {
        draft.expectation = "zero on purpose in the last layer of a branch, a head, or an adapter's second matrix";
        draft.consequence = "nothing passes this layer in the first step, and it begins to learn from the second on";
        return fanin_add(e, &draft, error);
    }
    draft.expectation = "random values";
    draft.consequence = "zero weights pass no gradient to the layers below, and all their units are alike";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_zero(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nweights = 0, nzero = 0;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        nweights += record->tensor.is_weight;
        nzero += is_zero(record);
    }
    for (size_t r = 0; r < diagnosis->nroles && nzero > 0; r++) {
        const struct fanin_role *role = &diagnosis->roles[r];
        size_t in_role = 0, weights = 0;
        for (size_t k = 0; k < role->count; k++) {
            weights += diagnosis->records[role->members[k]].tensor.is_weight;
            in_role += is_zero(&diagnosis->records[role->members[k]]);
        }
        for (size_t k = 0; k < role->count; k++) {
            size_t i = role->members[k];
            if (!is_zero(&diagnosis->records[i]))
                continue;
            if (2 * nzero > nweights)
                FANIN_TRY(add_zero(
                    e, i, fanin_say(e, "all values are 0, as are those of %zu of all %zu weights", nzero, nweights),
                    FANIN_SEVERITY_ERROR, "most", error));
            else if (in_role < weights)
                FANIN_TRY(add_zero(
                    e, i,
                    fanin_say(e, "all values are 0 in %zu of the %zu tensors %s", in_role, weights, role->pattern),
                    FANIN_SEVERITY_ERROR, "some", error));
            else
                FANIN_TRY(add_zero(e, i, "all values are 0", FANIN_SEVERITY_INFO, NULL, error));
        }
    }
    return FANIN_OK;
}
