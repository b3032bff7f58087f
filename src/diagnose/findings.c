/* SPDX-License-Identifier: MIT */
/*
 * From drafts to findings: those that say the same of tensors of one role become one, each gets the rule that mends it
 * or the word for what is missing, and the worst comes first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/diagnosis_data.h"
#include "diagnose/remedy.h"
#include "diagnose/roles.h"

/* Of numbers in a name, more ranges are not told one by one. */
enum { MAX_RANGES = 8 };

/* One draft on its way into a group. */
struct entry {
    const struct fanin_draft *draft;
    size_t role;      /* SIZE_MAX: its tensors stay together, and alone */
    size_t place;     /* in the role; else where it stood among all drafts */
    const char *init; /* what makes its tensors anew; NULL */
};

static int order_texts(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "");
}

/* Entries that are equal up to their place become one finding. */
static int order_groups(const struct entry *x, const struct entry *y)
{
    const struct fanin_draft *a = x->draft, *b = y->draft;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    int order = strcmp(a->check->id, b->check->id);
    if (order == 0 && x->role != y->role)
        order = x->role < y->role ? -1 : 1;
    if (order == 0)
        order = order_texts(a->topic, b->topic);
    if (order == 0 && a->remedy != b->remedy)
        order = a->remedy < b->remedy ? -1 : 1;
    if (order == 0)
        order = order_texts(x->init, y->init);
    if (order == 0)
        order = order_texts(a->missing, b->missing);
    return order;
}

static int order_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = order_groups(x, y);
    if (order == 0)
        order = x->place < y->place ? -1 : x->place > y->place;
    return order;
}

static int order_numbers(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* Worst first, then by check and tensor; of the whole checkpoint before its tensors. */
static int order_findings(const void *a, const void *b)
{
    const fanin_finding *x = a, *y = b;
    if (x->severity != y->severity)
        return x->severity > y->severity ? -1 : 1;
    int order = strcmp(x->check->id, y->check->id);
    if (order != 0)
        return order;
    if (x->ntensors == 0 || y->ntensors == 0)
        return x->ntensors == 0 && y->ntensors == 0 ? strcmp(x->what, y->what) : x->ntensors == 0 ? -1 : 1;
    if (x->tensors[0] != y->tensors[0])
        return x->tensors[0] < y->tensors[0] ? -1 : 1;
    return strcmp(x->what, y->what);
}

/* ---- names of many tensors ---- */

/* The different values of one number of the names, sorted; how many there are. */
static size_t collect_numbers(const fanin_diagnosis *diagnosis, const size_t *tensors, size_t ntensors, size_t which,
                              size_t *values)
{
    size_t n = 0;
    for (size_t i = 0; i < ntensors; i++) {
        uint32_t numbers[FANIN_ROLE_MAX_NUMBERS];
        fanin_role_numbers(diagnosis->records[tensors[i]].tensor.name, numbers);
        values[i] = numbers[which];
    }
    qsort(values, ntensors, sizeof *values, order_numbers);
    for (size_t i = 0; i < ntensors; i++)
        if (i == 0 || values[i] != values[n - 1])
            values[n++] = values[i];
    return n;
}

/* "0-3,5"; of many "1,3,5,7,9,11,13,15,...,4095" */
static void add_ranges(fanin_text *text, const size_t *values, size_t n)
{
    size_t nranges = 0;
    for (size_t i = 0; i < n;) {
        if (nranges++ == MAX_RANGES) {
            fanin_text_format(text, ",...,%zu", values[n - 1]);
            return;
        }
        size_t end = i + 1;
        while (end < n && values[end] == values[end - 1] + 1)
            end++;
        fanin_text_format(text, "%s%zu", i == 0 ? "" : ",", values[i]);
        if (end - i > 1)
            fanin_text_format(text, "%s%zu", end - i > 2 ? "-" : ",", values[end - 1]);
        i = end;
    }
}

/* "layers.0-31.fc1.weight"; "*" for numbers whose combinations are not all there. */
static fanin_status name_role(const fanin_diagnosis *diagnosis, const char *pattern, const size_t *tensors,
                              size_t ntensors, fanin_text *text, fanin_error *error)
{
    size_t *values = fanin_allocate(ntensors, sizeof *values);
    uint64_t nnumbers = 0, product = 1;
    if (values == NULL)
        return fanin_fail_memory(error, ntensors * sizeof *values);
    for (const char *c = pattern; *c != '\0'; c++)
        nnumbers += *c == '#';
    for (size_t k = 0; k < nnumbers; k++)
        if (!fanin_checked_mul(product, collect_numbers(diagnosis, tensors, ntensors, k, values), &product))
            product = UINT64_MAX;
    size_t which = 0;
    for (const char *c = pattern; *c != '\0'; c++) {
        if (*c != '#') {
            fanin_text_append(text, c, 1);
            continue;
        }
        size_t n = collect_numbers(diagnosis, tensors, ntensors, which++, values);
        if (product == ntensors || n == 1)
            add_ranges(text, values, n);
        else
            fanin_text_add(text, "*");
    }
    fanin_free(values);
    return FANIN_OK;
}

static fanin_status name_tensors(const fanin_diagnosis *diagnosis, const size_t *tensors, size_t ntensors,
                                 fanin_text *text, fanin_error *error)
{
    bool one_role = true;
    if (ntensors == 0)
        fanin_text_add(text, "the checkpoint");
    if (ntensors == 1)
        fanin_text_add(text, diagnosis->records[tensors[0]].tensor.name);
    if (ntensors < 2)
        return FANIN_OK;
    for (size_t i = 1; i < ntensors; i++)
        one_role = one_role && diagnosis->records[tensors[i]].role == diagnosis->records[tensors[0]].role;
    if (one_role)
        return name_role(diagnosis, diagnosis->records[tensors[0]].tensor.pattern, tensors, ntensors, text, error);
    for (size_t i = 0; i < ntensors && i < 3; i++)
        fanin_text_format(text, "%s%s", i == 0 ? "" : ", ", diagnosis->records[tensors[i]].tensor.name);
    if (ntensors > 3)
        fanin_text_format(text, " and %zu more", ntensors - 3);
    return FANIN_OK;
}

/* ---- findings ---- */

static bool differs(double a, double b)
{
    return !(a == b) && !(a != a && b != b);
}

/* What the first says, and how far the numbers of the others go. */
static void describe(const struct entry *entries, size_t n, fanin_text *text)
{
    const struct fanin_draft *first = entries[0].draft;
    double least = first->measured, greatest = first->measured;
    bool varies = false;
    fanin_text_add(text, first->what);
    for (size_t i = 1; i < n; i++) {
        const double measured = entries[i].draft->measured;
        varies = varies || differs(measured, first->measured);
        least = measured < least ? measured : least;
        greatest = measured > greatest ? measured : greatest;
    }
    if (varies)
        fanin_text_format(text, " (the first; %.3g to %.3g in all %zu)", least, greatest, n);
}

static const char *keep_text(fanin_diagnosis *diagnosis, fanin_text *text, fanin_error *error)
{
    const char *kept = text->failed ? NULL : fanin_arena_text(&diagnosis->arena, text->data, text->nbytes);
    fanin_text_release(text);
    if (kept == NULL)
        fanin_fail_memory(error, FANIN_SHOW_NBYTES);
    return kept;
}

/* Entries [0, n) as one finding. */
static fanin_status make_finding(fanin_diagnosis *diagnosis, const struct entry *entries, size_t n,
                                 fanin_finding *finding, fanin_error *error)
{
    const struct fanin_draft *draft = entries[0].draft;
    size_t ntensors = n == 1 ? draft->ntensors : n;
    size_t *tensors = fanin_arena_allocate(&diagnosis->arena, ntensors, sizeof *tensors);
    fanin_text text = {0};
    if (tensors == NULL)
        return fanin_fail_memory(error, ntensors * sizeof *tensors);
    for (size_t i = 0; i < ntensors; i++)
        tensors[i] = n == 1 ? draft->tensors[i] : entries[i].draft->tensors[0];
    fanin_status status = name_tensors(diagnosis, tensors, ntensors, &text, error);
    if (status != FANIN_OK) {
        fanin_text_release(&text);
        return status;
    }
    *finding = (fanin_finding){.check = draft->check,
                               .severity = draft->severity,
                               .ntensors = ntensors,
                               .tensors = tensors,
                               .measured = draft->measured,
                               .expected = draft->expected,
                               .expectation = draft->expectation,
                               .consequence = draft->consequence,
                               .missing = draft->missing,
                               .command = draft->command};
    if ((finding->where = keep_text(diagnosis, &text, error)) == NULL)
        return FANIN_ERROR_MEMORY;
    describe(entries, n, &text);
    if ((finding->what = keep_text(diagnosis, &text, error)) == NULL)
        return FANIN_ERROR_MEMORY;
    qsort(tensors, ntensors, sizeof *tensors, order_numbers);
    return fanin_remedy_set(diagnosis, draft, entries[0].init, finding, error);
}

static void add_entries(const fanin_diagnosis *diagnosis, const struct fanin_draft *draft, struct entry *entries,
                        size_t *n)
{
    for (; draft != NULL; draft = draft->next) {
        struct entry entry = {draft, SIZE_MAX, *n, NULL};
        if (draft->ntensors == 1) {
            entry.role = diagnosis->records[draft->tensors[0]].role;
            entry.place = diagnosis->records[draft->tensors[0]].place;
        }
        if (entries != NULL)
            entries[*n] = entry;
        ++*n;
    }
}

static size_t all_entries(const fanin_diagnosis *diagnosis, struct entry *entries)
{
    size_t n = 0;
    add_entries(diagnosis, diagnosis->first, entries, &n);
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        add_entries(diagnosis, diagnosis->records[i].first, entries, &n);
    return n;
}

static void note_worst(const fanin_diagnosis *diagnosis, const struct fanin_draft *draft)
{
    for (size_t i = 0; i < draft->ntensors; i++) {
        int *worst = &diagnosis->records[draft->tensors[i]].tensor.worst;
        *worst = *worst < (int)draft->severity ? (int)draft->severity : *worst;
    }
}

/* What an error of the same tensor explains, and checks that see the error already do not say. */
static bool is_explained(const fanin_diagnosis *diagnosis, const struct fanin_draft *draft)
{
    return draft->severity < FANIN_SEVERITY_ERROR && draft->ntensors == 1 && fanin_check_is_sound_only(draft->check) &&
           diagnosis->records[draft->tensors[0]].tensor.worst == (int)FANIN_SEVERITY_ERROR;
}

static fanin_status make_findings(fanin_diagnosis *diagnosis, struct entry *entries, size_t n, fanin_error *error)
{
    /* What mends a tensor is asked of its healthy siblings, so the verdicts come first. */
    for (size_t i = 0; i < n; i++)
        note_worst(diagnosis, entries[i].draft);
    size_t nkept = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_explained(diagnosis, entries[i].draft))
            entries[nkept++] = entries[i];
    n = nkept;
    struct fanin_remedies remedies;
    FANIN_TRY(fanin_remedies_begin(&remedies, diagnosis, error));
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < n && status == FANIN_OK; i++)
        status = fanin_remedy_find(&remedies, diagnosis, entries[i].draft, &entries[i].init, error);
    fanin_remedies_end(&remedies);
    FANIN_TRY(status);
    qsort(entries, n, sizeof *entries, order_entries);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && entries[i].role != SIZE_MAX && order_groups(&entries[i], &entries[end]) == 0;)
            end++;
        fanin_finding *finding = &diagnosis->findings[diagnosis->nfindings++];
        FANIN_TRY(make_finding(diagnosis, &entries[i], end - i, finding, error));
        diagnosis->nseverities[finding->severity]++;
    }
    qsort(diagnosis->findings, diagnosis->nfindings, sizeof *diagnosis->findings, order_findings);
    return FANIN_OK;
}

fanin_status fanin_findings_gather(fanin_diagnosis *diagnosis, fanin_error *error)
{
    size_t n = all_entries(diagnosis, NULL);
    struct entry *entries = fanin_allocate(n, sizeof *entries);
    diagnosis->findings = fanin_arena_allocate(&diagnosis->arena, n, sizeof *diagnosis->findings);
    fanin_status status = FANIN_OK;
    if (entries == NULL || diagnosis->findings == NULL)
        status = fanin_fail_memory(error, n * sizeof *entries);
    if (status == FANIN_OK) {
        all_entries(diagnosis, entries);
        status = make_findings(diagnosis, entries, n, error);
    }
    fanin_free(entries);
    return status;
}
