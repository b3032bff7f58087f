/* SPDX-License-Identifier: MIT */
/*
 * Checks between tensors: those that are equal, and those made of the same random numbers at another scale or in
 * another shape.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/correlation.h"
#include "diagnose/roles.h"

static size_t number_of(const struct fanin_examination *e, const struct fanin_record *record)
{
    return (size_t)(record - e->diagnosis->records);
}

/* Records that are compared, in an order that brings together what is alike. */
static fanin_status collect(const struct fanin_examination *e, bool (*is_compared)(const struct fanin_record *record),
                            int (*order)(const void *a, const void *b), const struct fanin_record ***records, size_t *n,
                            fanin_error *error)
{
    *records = fanin_allocate(e->diagnosis->nrecords, sizeof **records);
    *n = 0;
    if (*records == NULL)
        return fanin_fail_memory(error, e->diagnosis->nrecords * sizeof **records);
    for (size_t i = 0; i < e->diagnosis->nrecords; i++)
        if (is_compared(&e->diagnosis->records[i]))
            (*records)[(*n)++] = &e->diagnosis->records[i];
    if (order != NULL && *n > 1)
        qsort(*records, *n, sizeof **records, order);
    return FANIN_OK;
}

/* ---- equal tensors ---- */

static bool has_bytes_to_compare(const struct fanin_record *record)
{
    return record->tensor.is_random_looking && !record->tensor.is_buffer && record->tied_to == NULL &&
           record->statistics.nelem >= FANIN_SAME_NVALUES;
}

static int order_bytes(const struct fanin_record *x, const struct fanin_record *y)
{
    if (x->statistics.hash != y->statistics.hash)
        return x->statistics.hash < y->statistics.hash ? -1 : 1;
    if (x->tensor.dtype != y->tensor.dtype)
        return x->tensor.dtype < y->tensor.dtype ? -1 : 1;
    return fanin_shape_order(&x->tensor, &y->tensor);
}

/* Equal tensors by role and place, so that the first layer is the one the others are copies of. */
static int order_equal(const void *a, const void *b)
{
    const struct fanin_record *x = *(const struct fanin_record *const *)a, *y = *(const struct fanin_record *const *)b;
    int order = order_bytes(x, y);
    if (order == 0 && x->role != y->role)
        order = x->role < y->role ? -1 : 1;
    return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

/* An embedding is often the head's weight too, and then stored under both names. */
static bool is_tied_pair(const struct fanin_record *a, const struct fanin_record *b)
{
    return a->tensor.layer_kind == FANIN_LAYER_EMBEDDING || b->tensor.layer_kind == FANIN_LAYER_EMBEDDING;
}

static fanin_status add_equal(struct fanin_examination *e, const struct fanin_record *original,
                              const struct fanin_record *copy, fanin_error *error)
{
    size_t i = number_of(e, copy);
    bool tied = is_tied_pair(original, copy), planned = copy->is_copied || original->is_copied;
    bool serious = copy->tensor.is_weight && !tied && !planned;
    struct fanin_draft draft = fanin_draft_begin(serious ? FANIN_SEVERITY_ERROR : FANIN_SEVERITY_INFO);
    draft.ntensors = 1;
    draft.tensors = &i;
    draft.topic = original->role == copy->role ? "" : original->tensor.name;
    draft.what = fanin_say(e, "equal to %s in every bit", original->tensor.name);
    draft.measured = 1;
    draft.expectation = "values of its own";
    if (serious) {
        draft.consequence =
            "the layers are copies: they were copied after they were initialized, or made with one seed "
            "each, and begin by learning the same";
        draft.remedy = FANIN_REMEDY_REDRAW;
    } else if (tied) {
        draft.expectation = "one tensor under two names, if they are tied";
        draft.consequence = "if they are not tied, one of them was copied from the other";
    } else if (planned)
        draft.consequence = "the plan makes it as a copy, as the constructor does";
    else
        draft.consequence =
            "torch's nn.Transformer makes its layers' biases as copies; weights that differ make up for it";
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_equal(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record **records;
    size_t n;
    FANIN_TRY(collect(e, has_bytes_to_compare, order_equal, &records, &n, error));
    fanin_status status = FANIN_OK;
    for (size_t i = 0, end; i < n && status == FANIN_OK; i = end)
        for (end = i + 1; end < n && status == FANIN_OK && order_bytes(records[i], records[end]) == 0; end++)
            status = add_equal(e, records[i], records[end], error);
    fanin_free(records);
    return status;
}

/* ---- the same random numbers ---- */

/*
 * All pairs would be too many. Of two runs whose correlation is 0.99, 16 neighbouring values lie on the same sides of
 * their means with a chance of one half, so among 16 such stretches there is one with a chance of 1 - 2^-16 at least;
 * only tensors that agree on a stretch are compared.
 */
enum { STRETCH = 16, NSTRETCHES = FANIN_HEAD_NVALUES / STRETCH };

struct candidate {
    const struct fanin_record *record;
    uint16_t signs; /* of a stretch; the first is always 0, so that negated values meet too */
};

static bool is_random_weight(const struct fanin_record *record)
{
    return record->tensor.is_weight && record->head != NULL && record->nhead >= FANIN_SAME_NVALUES;
}

static uint16_t signs_of(const struct fanin_record *record, size_t stretch)
{
    unsigned signs = 0;
    for (size_t i = 0; i < STRETCH; i++)
        signs = signs << 1 | ((double)record->head[stretch * STRETCH + i] > record->statistics.mean);
    return (uint16_t)(signs & 0x8000 ? ~signs : signs);
}

static int order_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->signs != y->signs)
        return x->signs < y->signs ? -1 : 1;
    return x->record < y->record ? -1 : x->record > y->record;
}

/* What was found out about a tensor: the least other one it is like. */
struct match {
    const struct fanin_record *other;
    double correlation;
};

static void compare(const struct fanin_examination *e, const struct fanin_record *a, const struct fanin_record *b,
                    struct match *matches)
{
    struct match *match = &matches[number_of(e, b)];
    size_t n = a->nhead < b->nhead ? a->nhead : b->nhead;
    if ((match->other != NULL && match->other <= a) || order_bytes(a, b) == 0)
        return;
    double r = fanin_correlation(a->head, b->head, n);
    if (__builtin_fabs(r) > FANIN_SAME_CORRELATION)
        *match = (struct match){a, r};
}

static fanin_status find_matches(const struct fanin_examination *e, const struct fanin_record *const *records, size_t n,
                                 struct match *matches, fanin_error *error)
{
    struct candidate *candidates = fanin_allocate(n, sizeof *candidates);
    if (candidates == NULL)
        return fanin_fail_memory(error, n * sizeof *candidates);
    for (size_t stretch = 0; stretch < NSTRETCHES; stretch++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            if (records[i]->nhead >= (stretch + 1) * STRETCH)
                candidates[count++] = (struct candidate){records[i], signs_of(records[i], stretch)};
        qsort(candidates, count, sizeof *candidates, order_candidates);
        for (size_t i = 0; i < count; i++) {
            if (matches[number_of(e, candidates[i].record)].other != NULL)
                continue; /* what is like this one is like the one before it, which lies among these too */
            for (size_t k = i + 1; k < count && candidates[k].signs == candidates[i].signs; k++)
                compare(e, candidates[i].record, candidates[k].record, matches);
        }
    }
    fanin_free(candidates);
    return FANIN_OK;
}

static fanin_status add_match(struct fanin_examination *e, const struct fanin_record *record, const struct match *match,
                              fanin_error *error)
{
    const struct fanin_record *other = match->other;
    size_t i = number_of(e, record);
    double ratio = __builtin_sqrt(record->statistics.variance / other->statistics.variance);
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    draft.ntensors = 1;
    draft.tensors = &i;
    draft.topic = other->role == record->role ? "" : other->tensor.name;
    draft.measured = match->correlation;
    draft.expected = 0;
    draft.what = fanin_say(e, "its first values are %s x %.3g (correlation %.4f)", other->tensor.name,
                           match->correlation < 0 ? -ratio : ratio, match->correlation);
    draft.expectation = "random numbers of its own";
    draft.consequence =
        "the seed was set again before each layer: weights that every scheme takes to be independent are "
        "not";
    draft.remedy = FANIN_REMEDY_REDRAW;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_same_stream(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record **records;
    size_t n;
    FANIN_TRY(collect(e, is_random_weight, NULL, &records, &n, error));
    struct match *matches = fanin_allocate_zeroed(e->diagnosis->nrecords, sizeof *matches);
    fanin_status status = matches != NULL ? find_matches(e, records, n, matches, error)
                                          : fanin_fail_memory(error, e->diagnosis->nrecords * sizeof *matches);
    for (size_t i = 0; i < e->diagnosis->nrecords && status == FANIN_OK; i++)
        if (matches[i].other != NULL)
            status = add_match(e, &e->diagnosis->records[i], &matches[i], error);
    fanin_free(matches);
    fanin_free(records);
    return status;
}
