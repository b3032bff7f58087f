/* SPDX-License-Identifier: MIT */
/*
 * Checks of the values of one tensor: what is no number, what was never written, zeros and constants.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/correlation.h"

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

/* ---- memory that was never written ---- */

/* The farthest of 10^11 normal values, in standard deviations; a standard deviation in medians of |x|. */
#define FARTHEST      6.7
#define STD_IN_MEDIAN 1.48
#define SPREAD        256.0
/* Whole rows of zeros up to the end are memory that was never written if they are one of so many. */
#define UNWRITTEN_SHARE 16
/*
 * Parts may be small on purpose (gMLP and GLUs begin their gates at 1e-6): then the others are many, which the kurtosis
 * tells, 1 over their share and 3 times that of normals, and no larger than weights are.
 */
#define PARTS_KURTOSIS 9.0
#define PARTS_MOST     10.0
/* Tables are no draws of anything, and powers are common in them. */
#define TABLE_SPREAD 1e7

#define TEXT_NBYTES 65536
#define TEXT_SHARE  0.95

static fanin_status add_unwritten(struct fanin_examination *e, const char *topic, double measured, const char *what,
                                  const char *expectation, fanin_error *error)
{
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.topic = topic;
    draft.measured = measured;
    draft.what = what;
    draft.expectation = expectation;
    draft.consequence =
        "this is what was in memory before, not what a scheme draws: the layer begins at random in a way "
        "that nobody chose, or overflows";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

/* The share of bytes that are printable ASCII, and of 8-byte words that are addresses of a process on Linux. */
static void count_bytes(const unsigned char *bytes, size_t nbytes, bool half_words, double *text, double *addresses)
{
    size_t nprintable = 0, nwords = 0, naddresses = 0;
    for (size_t i = 0; i < nbytes; i++)
        nprintable += (bytes[i] >= 0x20 && bytes[i] < 0x7f) || bytes[i] == '\n' || bytes[i] == '\t';
    for (size_t i = 0; i + 8 <= nbytes; i += 8) {
        bool high = bytes[i + 7] == 0 && bytes[i + 6] == 0, any = false;
        for (size_t k = 0; k < 8; k++)
            any = any || bytes[i + k] != 0;
        bool stack = bytes[i + 5] == 0x7f && bytes[i + 4] >= 0x80; /* as f16 and bf16 this is NaN or huge */
        bool heap = !half_words && (bytes[i + 5] == 0x55 || bytes[i + 5] == 0x56);
        nwords += any;
        naddresses += high && (stack || heap);
    }
    *text = nbytes > 0 ? (double)nprintable / (double)nbytes : 0;
    *addresses = nwords > 0 ? (double)naddresses / (double)nwords : 0;
}

static fanin_status check_bytes(struct fanin_examination *e, bool *found, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    const fanin_statistics *s = &e->record->statistics;
    size_t i = (size_t)(e->record - diagnosis->records);
    uint64_t nbytes = s->nelem * (fanin_dtype_nbits(e->record->tensor.dtype) / 8);
    double text, addresses;
    *found = false;
    if (fanin_dtype_nbits(e->record->tensor.dtype) < 16 || nbytes < 64 || s->min == s->max)
        return FANIN_OK;
    nbytes = nbytes < TEXT_NBYTES ? nbytes : TEXT_NBYTES;
    unsigned char *bytes = fanin_allocate(nbytes, 1);
    if (bytes == NULL)
        return fanin_fail_memory(error, nbytes);
    fanin_status status = diagnosis->weights->read(diagnosis->weights->user, i, 0, bytes, nbytes, error);
    if (status == FANIN_OK)
        count_bytes(bytes, nbytes, e->record->tensor.dtype == FANIN_F16, &text, &addresses);
    char sample[25] = "";
    for (size_t k = 0; status == FANIN_OK && k < 24; k++)
        sample[k] = (char)(bytes[k] >= 0x20 && bytes[k] < 0x7f ? bytes[k] : '.');
    fanin_free(bytes);
    FANIN_TRY(status);
    *found = text > TEXT_SHARE || addresses > 0.25;
    if (text > TEXT_SHARE)
        return add_unwritten(
            e, "text", text,
            fanin_say(e, "%.0f %% of the first %" PRIu64 " bytes are text: \"%s...\"", 100 * text, nbytes, sample),
            "numbers, of whose bytes less than half happen to be letters", error);
    if (addresses > 0.25)
        return add_unwritten(e, "addresses", addresses,
                             fanin_say(e, "%.0f %% of the first 8-byte words are addresses of memory", 100 * addresses),
                             "numbers", error);
    return FANIN_OK;
}

/* A run of zeros that is not whole rows, and that zeros strewn as densely as elsewhere would not make. */
static bool has_unwritten_run(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    if (!record->tensor.is_weight || s->zero_run < 64 || s->zero_run == s->nelem || s->ncols == 0)
        return false;
    bool whole_rows = s->zero_run_at % s->ncols == 0 && s->zero_run % s->ncols == 0;
    bool hides = s->zero_run_at < 65536 && s->zero_run >= 16384; /* the zeros themselves make it look unlike random */
    /* rows for padding stand anywhere; what was never written is the rest */
    const uint64_t end = s->zero_run_at + s->zero_run;
    if (whole_rows && record->tensor.layer_kind != FANIN_LAYER_EMBEDDING && !record->is_stacked && s->zero_run_at > 0 &&
        end == s->nelem && s->zero_run >= s->nelem / UNWRITTEN_SHARE)
        return true;
    double others = (double)(s->nzero - s->zero_run) / (double)(s->nelem - s->zero_run);
    return !whole_rows && (record->tensor.is_random_looking || hides) &&
           (double)s->nelem * fanin_power(others, s->zero_run) < 1e-12;
}

fanin_status fanin_check_unwritten(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_statistics *s = &record->statistics;
    const fanin_dtype dtype = record->tensor.dtype;
    bool found, wide = dtype == FANIN_F32 || dtype == FANIN_F64 || dtype == FANIN_BF16;
    if (!s->is_float || s->nelem < 16)
        return FANIN_OK;
    FANIN_TRY(check_bytes(e, &found, error));
    if (found)
        return FANIN_OK;
    double most = -s->min > s->max ? -s->min : s->max;
    double limit = record->part == FANIN_PART_OTHER ? TABLE_SPREAD : SPREAD * FARTHEST * STD_IN_MEDIAN;
    const bool in_parts = s->kurtosis < PARTS_KURTOSIS && most < PARTS_MOST;
    if (most > limit * s->median_abs && !in_parts)
        return add_unwritten(
            e, "huge", most,
            fanin_say(e, "values up to %.3g, %.2g times the median %.3g", most, most / s->median_abs, s->median_abs),
            "no value over 7 standard deviations", error);
    double subnormal = (double)s->nsubnormal / (double)s->nelem;
    if (wide && subnormal > 0.01)
        return add_unwritten(
            e, "subnormal", subnormal,
            fanin_say(e, "%.0f %% of the values are subnormal, too small for the dtype's precision", 100 * subnormal),
            "none", error);
    if (has_unwritten_run(record))
        return add_unwritten(
            e, "zeros", (double)s->zero_run,
            fanin_say(e, "%" PRIu64 " zeros in a row, from %s on", s->zero_run, index_text(e, s->zero_run_at)),
            "random values everywhere", error);
    return FANIN_OK;
}
