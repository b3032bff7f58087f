/* SPDX-License-Identifier: MIT */
/*
 * Checks against the description, and of what is recorded with the weights.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/naming.h"

/* Of more names than this the nearest is not looked for: it takes time for each. */
#define MAX_SUGGESTED 32
#define MAX_LISTED    5

struct comparison {
    struct fanin_examination *e;
    struct fanin_description description;
    size_t *found;       /* by described tensor, the one that is it; SIZE_MAX */
    const char **unused; /* names of tensors that are not described */
    size_t nunused;
    const char **missing; /* described names that are not there */
    size_t nmissing;
};

static const char *shape_text(struct fanin_examination *e, const int64_t *shape, int32_t ndim)
{
    fanin_text text = {0};
    fanin_text_add(&text, "[");
    for (int32_t d = 0; d < ndim; d++)
        fanin_text_format(&text, "%s%" PRId64, d == 0 ? "" : ", ", shape[d]);
    fanin_text_add(&text, "]");
    const char *kept = text.failed ? "" : fanin_say(e, "%s", text.data);
    e->failed = e->failed || text.failed;
    fanin_text_release(&text);
    return kept;
}

static fanin_status check_shape(struct comparison *c, size_t i, const struct fanin_described *described,
                                fanin_error *error)
{
    struct fanin_examination *e = c->e;
    const fanin_diagnosis_tensor *tensor = &e->diagnosis->records[i].tensor;
    bool same = tensor->ndim == described->ndim, reversed = same && tensor->ndim >= 2;
    for (int32_t d = 0; d < tensor->ndim && (same || reversed); d++) {
        reversed = reversed && tensor->shape[d] == described->shape[tensor->ndim - 1 - d];
        same = same && tensor->shape[d] == described->shape[d];
    }
    if (same)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.ntensors = 1;
    draft.tensors = &i;
    draft.topic = reversed ? "transposed" : "shape";
    draft.what =
        fanin_say(e, "the shape is %s%s", shape_text(e, tensor->shape, tensor->ndim), reversed ? ", transposed" : "");
    draft.expectation = fanin_say(e, "%s", shape_text(e, described->shape, described->ndim));
    draft.consequence = reversed
                            ? "loading fails, or inputs and outputs change places: fans are those of the other axis"
                            : "loading fails, or drops the tensor and makes up another";
    draft.remedy = FANIN_REMEDY_NONE;
    draft.missing = "a tensor of the shape that is described: transpose it, or use the description it belongs to";
    return fanin_add(e, &draft, error);
}

static fanin_status add_extra(struct comparison *c, size_t i, fanin_error *error)
{
    struct fanin_examination *e = c->e;
    const fanin_diagnosis_tensor *tensor = &e->diagnosis->records[i].tensor;
    const char *nearest = c->nunused <= MAX_SUGGESTED ? fanin_nearest(tensor->name, c->missing, c->nmissing) : NULL;
    struct fanin_draft draft = fanin_draft_begin(tensor->is_buffer ? FANIN_SEVERITY_INFO : FANIN_SEVERITY_ERROR);
    draft.ntensors = 1;
    draft.tensors = &i;
    draft.topic = "extra";
    draft.what = nearest != NULL ? fanin_say(e, "not described; the nearest name that is missing is %s", nearest)
                                 : "not described";
    draft.expectation = "only tensors of the description";
    draft.consequence = "it is ignored when the model is loaded";
    if (!tensor->is_buffer)
        draft.missing = "the description that belongs to this checkpoint, or another name for the tensor";
    return fanin_add(e, &draft, error);
}

static fanin_status add_missing(struct comparison *c, fanin_error *error)
{
    struct fanin_examination *e = c->e;
    fanin_text text = {0};
    if (c->nmissing == 0)
        return FANIN_OK;
    fanin_text_format(&text, "%zu %s missing: ", c->nmissing, c->nmissing == 1 ? "tensor is" : "tensors are");
    for (size_t i = 0; i < c->nmissing && i < MAX_LISTED; i++) {
        const char *nearest = c->nmissing <= MAX_SUGGESTED ? fanin_nearest(c->missing[i], c->unused, c->nunused) : NULL;
        fanin_text_format(&text, "%s%s", i == 0 ? "" : ", ", c->missing[i]);
        if (nearest != NULL)
            fanin_text_format(&text, " (there is %s)", nearest);
    }
    if (c->nmissing > MAX_LISTED)
        fanin_text_format(&text, " and %zu more", c->nmissing - MAX_LISTED);
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.topic = "missing";
    draft.measured = (double)c->nmissing;
    draft.expected = 0;
    draft.what = text.failed ? "" : fanin_say(e, "%s", text.data);
    e->failed = e->failed || text.failed;
    fanin_text_release(&text);
    draft.expectation = "every tensor of the description";
    draft.consequence = "what is missing is made up when the model is loaded, often silently";
    draft.missing = "the tensors: make a checkpoint of the description with fanin init";
    return fanin_add(e, &draft, error);
}

static fanin_status add_untied(struct comparison *c, size_t i, size_t main, fanin_error *error)
{
    struct fanin_examination *e = c->e;
    const size_t tensors[2] = {i, main};
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    draft.ntensors = 2;
    draft.tensors = tensors;
    draft.topic = "untied";
    draft.what = fanin_say(e, "the two are tied, one tensor under two names, but their values differ");
    draft.expectation = "equal values, or one of the two names alone";
    draft.consequence = "one of them is lost when the model is loaded, and which one depends on the loader";
    draft.missing = "which of the two is right: save the model anew after tying its weights";
    return fanin_add(e, &draft, error);
}

/* A file keeps one of two tied names, whichever its writer took, or both. */
static fanin_status note_tied(struct comparison *c, fanin_error *error)
{
    const struct fanin_record *records = c->e->diagnosis->records;
    for (size_t at = 0; at < c->description.count; at++) {
        struct fanin_described described = fanin_description_at(&c->description, at);
        size_t main = described.tied_to != NULL && c->found[at] != SIZE_MAX
                          ? fanin_names_find(&c->description.names, described.tied_to)
                          : SIZE_MAX;
        if (main == SIZE_MAX)
            continue;
        const size_t i = c->found[at], other = c->found[main];
        if (other == SIZE_MAX)
            c->found[main] = i;
        else if (records[i].statistics.nelem != records[other].statistics.nelem ||
                 records[i].tensor.dtype != records[other].tensor.dtype ||
                 records[i].statistics.hash != records[other].statistics.hash)
            FANIN_TRY(add_untied(c, i, other, error));
    }
    return FANIN_OK;
}

static fanin_status compare(struct comparison *c, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = c->e->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        size_t at = fanin_description_find(&c->description, diagnosis->records[i].tensor.name);
        if (at == SIZE_MAX) {
            c->unused[c->nunused++] = diagnosis->records[i].tensor.name + c->description.nleft;
            continue;
        }
        struct fanin_described described = fanin_description_at(&c->description, at);
        c->found[at] = i;
        FANIN_TRY(check_shape(c, i, &described, error));
    }
    const size_t nadded = strlen(c->description.added);
    FANIN_TRY(note_tied(c, error));
    for (size_t at = 0; at < c->description.count; at++) {
        struct fanin_described described = fanin_description_at(&c->description, at);
        /* a base model lacks what a larger one has beside it, its head */
        if (c->found[at] == SIZE_MAX && described.is_stored &&
            strncmp(described.name, c->description.added, nadded) == 0)
            c->missing[c->nmissing++] = described.name + nadded;
    }
    FANIN_TRY(add_missing(c, error));
    for (size_t i = 0; i < diagnosis->nrecords && !diagnosis->options->plan_is_partial; i++)
        if (fanin_description_find(&c->description, diagnosis->records[i].tensor.name) == SIZE_MAX)
            FANIN_TRY(add_extra(c, i, error));
    return FANIN_OK;
}

fanin_status fanin_check_described(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    struct comparison c = {.e = e};
    if (diagnosis->plan == NULL && diagnosis->model == NULL)
        return FANIN_OK;
    FANIN_TRY(diagnosis->plan != NULL ? fanin_description_of_plan(&c.description, diagnosis, error)
                                      : fanin_description_of_model(&c.description, diagnosis, error));
    c.found = fanin_allocate(c.description.count, sizeof *c.found);
    for (size_t at = 0; c.found != NULL && at < c.description.count; at++)
        c.found[at] = SIZE_MAX;
    c.missing = fanin_allocate(c.description.count, sizeof *c.missing);
    c.unused = fanin_allocate(diagnosis->nrecords, sizeof *c.unused);
    fanin_status status = c.found != NULL && c.missing != NULL && c.unused != NULL
                              ? compare(&c, error)
                              : fanin_fail_memory(error, diagnosis->nrecords * sizeof *c.unused);
    fanin_free(c.found);
    fanin_free(c.missing);
    fanin_free(c.unused);
    fanin_description_end(&c.description);
    return status;
}

/* ---- the seed ---- */

fanin_status fanin_check_seed(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nweights = 0, nfresh = 0, nknown = 0;
    if (diagnosis->summary.has_seed)
        return FANIN_OK;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        const fanin_diagnosis_tensor *tensor = &record->tensor;
        bool random = tensor->is_weight && tensor->is_random_looking;
        bool fresh = random && tensor->fitted.kind != FANIN_LAW_NONE && tensor->fitted.kind != FANIN_LAW_OTHER;
        nweights += random;
        nfresh += fresh;
        nknown += fresh && record->has_seed;
    }
    if (2 * nfresh <= nweights || nknown == nfresh)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_INFO);
    draft.what = nknown == 0 ? "no seed is recorded with these weights, which look as they were initialized"
                             : fanin_say(e,
                                         "no seed is recorded with %zu of the %zu weights that look as they were "
                                         "initialized; the others were made anew, with one",
                                         nfresh - nknown, nfresh);
    draft.expectation = "seed and plan in the file";
    draft.consequence = "they cannot be made again, and nothing proves what they began as";
    draft.command = "fanin init MODEL --seed N -o NEW";
    return fanin_add(e, &draft, error);
}
