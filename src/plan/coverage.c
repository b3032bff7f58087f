/* SPDX-License-Identifier: MIT */
/*
 * Whether every element of every tensor is written by some op, and every element that a copy reads by an op before it:
 * nothing that a plan makes is left to chance.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "init/view.h"
#include "plan/plan_reader.h"

/* Runs of elements that are looked at in all, of views that are scattered: 16 bytes each while one storage is. */
static const uint64_t MAX_RUNS = (uint64_t)1 << 24;

/* The same of ops that are held against tensors and copies of their storage: less than a second's work. */
static const uint64_t MAX_TRIALS = (uint64_t)1 << 28;

/* Elements [begin, end). */
typedef struct run {
    uint64_t begin;
    uint64_t end;
} run;

typedef struct covering {
    const fanin_plan *plan;
    const char *name; /* of the file */
    fanin_error *error;
    size_t *first; /* ops on storage s: ops[first[s]] to ops[first[s + 1] - 1] */
    size_t *ops;
    run *runs;
    size_t nruns;
    size_t capacity;
    uint64_t looked_at;
    uint64_t ntrials;
} covering;

/* What needs elements of a storage: a tensor, or op `reader`. */
typedef struct need {
    size_t storage;
    int64_t offset;
    fanin_tensor view;
    size_t before;      /* the ops with a smaller index have written by then */
    const char *tensor; /* NULL: it is op `before` */
} need;

static int by_begin(const void *left, const void *right)
{
    const run *a = left, *b = right;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

/* The view in runs, appended. A stride of 0 repeats what is there already. */
static fanin_status add_runs(covering *c, const fanin_tensor *view, int64_t offset)
{
    fanin_tensor distinct = *view;
    fanin_walk walk;
    for (int32_t d = 0; d < view->ndim; d++)
        if (view->strides[d] == 0)
            distinct.shape[d] = 1;
    if (fanin_tensor_nelem(view) == 0)
        return FANIN_OK;
    fanin_walk_begin(&distinct, &walk);
    int inner = walk.ndim > 0 && walk.strides[0] == 1 ? 1 : 0;
    uint64_t length = inner == 1 ? (uint64_t)walk.shape[0] : 1, n = (uint64_t)walk.nelem / length;
    if (n > MAX_RUNS - c->looked_at)
        return fanin_fail(c->error, FANIN_ERROR_UNSUPPORTED,
                          "%s: views of storages in more than %" PRIu64 " separate pieces are not looked at", c->name,
                          MAX_RUNS);
    c->looked_at += n;
    if (n > c->capacity - c->nruns) {
        size_t capacity = 2 * (c->nruns + (size_t)n);
        run *runs = fanin_reallocate(c->runs, c->nruns, capacity, sizeof *runs);
        if (runs == NULL)
            return fanin_fail_memory(c->error, capacity * sizeof *runs);
        c->runs = runs;
        c->capacity = capacity;
    }
    int64_t index[FANIN_MAX_DIMS] = {0};
    uint64_t at = (uint64_t)offset;
    for (uint64_t i = 0; i < n; i++) {
        c->runs[c->nruns++] = (run){at, at + length};
        for (int d = inner; d < walk.ndim; d++) {
            at += (uint64_t)walk.strides[d];
            if (++index[d] < walk.shape[d])
                break;
            at -= (uint64_t)walk.strides[d] * (uint64_t)walk.shape[d];
            index[d] = 0;
        }
    }
    return FANIN_OK;
}

/* From the first element of a view to the last, and whether it is all between. */
static run extent_of(const fanin_tensor *view, int64_t offset, bool *is_run)
{
    uint64_t last = (uint64_t)offset;
    for (int32_t d = 0; d < view->ndim; d++)
        last += view->shape[d] > 0 ? (uint64_t)(view->shape[d] - 1) * (uint64_t)view->strides[d] : 0;
    *is_run = last - (uint64_t)offset + 1 == (uint64_t)fanin_tensor_nelem(view);
    return (run){(uint64_t)offset, last + 1};
}

static fanin_status fail(const covering *c, const need *of, uint64_t element)
{
    if (of->tensor != NULL)
        return fanin_fail(c->error, FANIN_ERROR_FORMAT,
                          "%s: tensor \"%.200s\" would hold element %" PRIu64
                          " of storage %zu, which no op writes; what cannot be made is \"refused\"",
                          c->name, of->tensor, element, of->storage);
    return fanin_fail(c->error, FANIN_ERROR_FORMAT,
                      "%s: op %zu (from 0) reads element %" PRIu64 " of storage %zu, which no op before it writes",
                      c->name, of->before, element, of->storage);
}

/* Whether one op alone writes all that is needed: as good as always one does. */
static bool is_covered_by_one(covering *c, const need *of)
{
    bool is_run;
    run needed = extent_of(&of->view, of->offset, &is_run);
    for (size_t i = c->first[of->storage]; i < c->first[of->storage + 1] && c->ops[i] < of->before; i++) {
        const fanin_plan_op *op = &c->plan->ops[c->ops[i]];
        c->ntrials++;
        run written = extent_of(&op->view, op->offset, &is_run);
        if (is_run && written.begin <= needed.begin && needed.end <= written.end)
            return true;
    }
    return false;
}

static fanin_status check_need(covering *c, const need *of)
{
    if (c->ntrials > MAX_TRIALS)
        return fanin_fail(c->error, FANIN_ERROR_UNSUPPORTED,
                          "%s: too many ops and views of the same storages to hold against each other", c->name);
    if (fanin_tensor_nelem(&of->view) == 0 || is_covered_by_one(c, of))
        return FANIN_OK;
    c->nruns = 0;
    for (size_t i = c->first[of->storage]; i < c->first[of->storage + 1] && c->ops[i] < of->before; i++)
        FANIN_TRY(add_runs(c, &c->plan->ops[c->ops[i]].view, c->plan->ops[c->ops[i]].offset));
    size_t nwritten = 0, n = c->nruns;
    if (n > 1)
        qsort(c->runs, n, sizeof *c->runs, by_begin);
    for (size_t i = 0; i < n; i++) { /* those that touch become one */
        if (nwritten > 0 && c->runs[i].begin <= c->runs[nwritten - 1].end) {
            if (c->runs[i].end > c->runs[nwritten - 1].end)
                c->runs[nwritten - 1].end = c->runs[i].end;
        } else {
            c->runs[nwritten++] = c->runs[i];
        }
    }
    c->nruns = nwritten;
    FANIN_TRY(add_runs(c, &of->view, of->offset));
    for (size_t i = nwritten; i < c->nruns; i++) {
        size_t begin = 0, end = nwritten; /* the last run that begins at or before it */
        while (end - begin > 1) {
            size_t middle = begin + (end - begin) / 2;
            if (c->runs[middle].begin <= c->runs[i].begin)
                begin = middle;
            else
                end = middle;
        }
        bool begins = nwritten > 0 && c->runs[begin].begin <= c->runs[i].begin && c->runs[begin].end > c->runs[i].begin;
        if (!begins || c->runs[begin].end < c->runs[i].end)
            return fail(c, of, begins ? c->runs[begin].end : c->runs[i].begin);
    }
    return FANIN_OK;
}

static fanin_status check_all(covering *c)
{
    const fanin_plan *plan = c->plan;
    for (size_t i = 0; i < plan->nops; i++)
        if (plan->ops[i].kind != FANIN_OP_UNKNOWN)
            c->first[plan->ops[i].storage + 2]++;
    for (size_t s = 2; s < plan->nstorages + 2; s++)
        c->first[s] += c->first[s - 1];
    for (size_t i = 0; i < plan->nops; i++)
        if (plan->ops[i].kind != FANIN_OP_UNKNOWN)
            c->ops[c->first[plan->ops[i].storage + 1]++] = i;
    for (size_t i = 0; i < plan->nops; i++) {
        const fanin_plan_source *sources[] = {plan->ops[i].source, plan->ops[i].other};
        for (size_t k = 0; k < 2; k++) {
            if (sources[k] == NULL || plan->storages[sources[k]->storage].unknown != NULL)
                continue;
            const need read = {sources[k]->storage, sources[k]->offset, sources[k]->view, i, NULL};
            FANIN_TRY(check_need(c, &read));
        }
    }
    for (size_t i = 0; i < plan->ntensors; i++) {
        const fanin_plan_tensor *tensor = &plan->tensors[i];
        if (tensor->tied_to != NULL || tensor->refused != NULL)
            continue;
        need held = {.storage = tensor->storage, .offset = tensor->offset, .before = SIZE_MAX, .tensor = tensor->name};
        held.view = fanin_tensor_nd(NULL, tensor->dtype, tensor->ndim, tensor->shape);
        memcpy(held.view.strides, tensor->strides, sizeof held.view.strides);
        FANIN_TRY(check_need(c, &held));
    }
    return FANIN_OK;
}

fanin_status fanin_plan_check_coverage(const fanin_plan *plan, const char *name, fanin_error *error)
{
    covering c = {.plan = plan, .name = name, .error = error};
    c.first = fanin_allocate_zeroed(plan->nstorages + 2, sizeof *c.first);
    c.ops = fanin_allocate(plan->nops, sizeof *c.ops);
    fanin_status status = c.first != NULL && c.ops != NULL
                              ? check_all(&c)
                              : fanin_fail_memory(error, (plan->nstorages + plan->nops) * sizeof *c.ops);
    fanin_free(c.first);
    fanin_free(c.ops);
    fanin_free(c.runs);
    return status;
}
