/* SPDX-License-Identifier: MIT */
/*
 * Storages in memory, and their ops run on them one after the other. A copy reads what the ops before it left, so the
 * storages that a storage depends on are made beside it, all their ops in the order of the plan.
 */
#include "run/whole.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/orthogonal.h"
#include "init/view.h"
#include "kernel/cast.h"
#include "run/function.h"
#include "run/norm.h"

/* A storage that is made, and the index before which its ops matter. */
typedef struct needed {
    size_t storage;
    size_t end;
} needed;

typedef struct making {
    fanin_maker *maker;
    fanin_error *error;
    needed *storages; /* the one that is wanted first */
    size_t nstorages;
    size_t capacity;
} making;

uint64_t fanin_whole_nbytes(const fanin_plan *plan, size_t storage)
{
    uint64_t nelem = fanin_plan_storage_nelem(plan, storage);
    unsigned nbits = fanin_dtype_nbits(fanin_plan_storage_dtype(plan, storage));
    return nelem / 8 * nbits + nelem % 8 * nbits / 8;
}

/* ---- one op ---- */

/* Where a view begins; elements of 4 and 6 bits may begin inside a byte, where nothing can be written. */
static fanin_status place(const making *m, size_t storage, int64_t offset, fanin_tensor *view)
{
    unsigned nbits = fanin_dtype_nbits(view->dtype);
    view->data = m->maker->whole[storage] + (uint64_t)offset * nbits / 8;
    if ((uint64_t)offset * nbits % 8 == 0)
        return FANIN_OK;
    return fanin_fail(m->error, FANIN_ERROR_UNSUPPORTED, "a fill begins at element %" PRId64 " of %s, inside a byte",
                      offset, fanin_dtype_name(view->dtype));
}

/* One normal that begins with the cached one takes nothing from the stream, but it is the stream that says which. */
static bool uses_stream(const fanin_plan_op *op)
{
    return op->ndraws > 0 || op->cached_at != FANIN_NO_POSITION;
}

static fanin_status run_fill(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_generator *generator = NULL;
    const fanin_parallel *threads = fanin_maker_threads(m->maker);
    if (!uses_stream(op))
        return fanin_fill_run_parallel(&op->fill, view, &m->maker->cursor.generator, threads, m->error);
    FANIN_TRY(fanin_maker_seek(m->maker, op, &generator, m->error));
    FANIN_TRY(fanin_fill_run_parallel(&op->fill, view, generator, threads, m->error));
    fanin_maker_passed(m->maker, op);
    return FANIN_OK;
}

static void write_literal(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_walk walk;
    fanin_walk_logical(view, &walk);
    if (walk.nelem > 0)
        fanin_walk_scatter(&walk, 0, walk.nelem, fanin_plan_literal_at(m->maker->plan, op->literal)->data);
}

/* The elements that an op reads, in row-major order. */
static fanin_status walk_source(const making *m, const fanin_plan_source *source, fanin_walk *walk)
{
    fanin_tensor view = source->view;
    FANIN_TRY(place(m, source->storage, source->offset, &view));
    fanin_walk_logical(&view, walk);
    return FANIN_OK;
}

/* Memory for n elements of each: what is read from both sources, and what is written. */
typedef struct portions {
    uint8_t *first;
    uint8_t *second; /* NULL: there is no second source */
    uint8_t *result;
} portions;

static void compute(const fanin_plan_op *op, const portions *p, size_t n)
{
    if (op->kind == FANIN_OP_FUNCTION)
        fanin_function_run(op, p->first, p->second, p->result, n);
    else
        fanin_cast(op->source->view.dtype, p->first, op->view.dtype, p->result, n);
}

/* Whether an op may read what it has written before, unless all is read first. */
static bool reads_itself(const fanin_plan_op *op)
{
    return (op->source->storage == op->storage && !fanin_function_is_in_place(op)) ||
           (op->other != NULL && op->other->storage == op->storage);
}

/* A copy, cast or function, in portions; all at once where what is written may be read. */
static fanin_status write_from_sources(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_walk first, second, to;
    int64_t nelem = fanin_tensor_nelem(view), portion = FANIN_CHUNK_NELEM;
    if (portion > nelem || reads_itself(op))
        portion = nelem;
    FANIN_TRY(walk_source(m, op->source, &first));
    if (op->other != NULL)
        FANIN_TRY(walk_source(m, op->other, &second));
    fanin_walk_logical(view, &to);
    portions p = {.first = fanin_allocate((size_t)portion, first.nbytes),
                  .second = op->other != NULL ? fanin_allocate((size_t)portion, to.nbytes) : NULL,
                  .result = fanin_allocate((size_t)portion, to.nbytes)};
    fanin_status status = FANIN_OK;
    if (p.first == NULL || p.result == NULL || (op->other != NULL && p.second == NULL))
        status = fanin_fail_memory(m->error, (uint64_t)portion * to.nbytes);
    for (int64_t done = 0; done < nelem && status == FANIN_OK; done += portion) {
        int64_t n = nelem - done < portion ? nelem - done : portion;
        fanin_walk_gather(&first, done, n, p.first);
        if (p.second != NULL)
            fanin_walk_gather(&second, done, n, p.second);
        compute(op, &p, (size_t)n);
        fanin_walk_scatter(&to, done, n, p.result);
    }
    fanin_free(p.first);
    fanin_free(p.second);
    fanin_free(p.result);
    return status;
}

/* All norms are there before any is written, which may be where the elements are that they are of. */
static fanin_status write_norms(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_walk to;
    fanin_tensor from = op->source->view;
    FANIN_TRY(place(m, op->source->storage, op->source->offset, &from));
    fanin_walk_logical(view, &to);
    void *norms = fanin_allocate((size_t)to.nelem, to.nbytes);
    if (norms == NULL)
        return fanin_fail_memory(m->error, (uint64_t)to.nelem * to.nbytes);
    fanin_status status = fanin_norm_run(op, &from, norms, m->error);
    if (status == FANIN_OK && to.nelem > 0)
        fanin_walk_scatter(&to, 0, to.nelem, norms);
    fanin_free(norms);
    return status;
}

static fanin_status write_qr(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_tensor from = op->source->view;
    FANIN_TRY(place(m, op->source->storage, op->source->offset, &from));
    return fanin_qr_run(&from, view, fanin_maker_threads(m->maker), m->error);
}

static fanin_status run_op(const making *m, const fanin_plan_op *op)
{
    fanin_tensor view = op->view;
    FANIN_TRY(place(m, op->storage, op->offset, &view));
    switch (op->kind) {
    case FANIN_OP_LITERAL:
        write_literal(m, op, &view);
        return FANIN_OK;
    case FANIN_OP_COPY:
    case FANIN_OP_CAST:
    case FANIN_OP_FUNCTION:
        return write_from_sources(m, op, &view);
    case FANIN_OP_NORM:
        return write_norms(m, op, &view);
    case FANIN_OP_QR:
        return write_qr(m, op, &view);
    default:
        return run_fill(m, op, &view);
    }
}

/* ---- what a storage depends on ---- */

static fanin_status add_storage(making *m, size_t storage, size_t end, void *memory)
{
    if (m->nstorages == m->capacity) {
        size_t capacity = m->capacity == 0 ? 8 : 2 * m->capacity;
        needed *storages = fanin_reallocate(m->storages, m->nstorages, capacity, sizeof *storages);
        if (storages == NULL)
            return fanin_fail_memory(m->error, capacity * sizeof *storages);
        m->storages = storages;
        m->capacity = capacity;
    }
    if (memory == NULL)
        memory = fanin_allocate(fanin_whole_nbytes(m->maker->plan, storage), 1);
    if (memory == NULL)
        return fanin_fail_memory(m->error, fanin_whole_nbytes(m->maker->plan, storage));
    m->maker->whole[storage] = memory;
    m->storages[m->nstorages++] = (needed){storage, end};
    return FANIN_OK;
}

/* A source of op `reader`: what is written to it before that matters. */
static fanin_status add_source(making *m, size_t storage, size_t reader, bool *again)
{
    if (m->maker->whole[storage] == NULL)
        return add_storage(m, storage, reader, NULL);
    for (size_t i = 0; i < m->nstorages; i++) {
        if (m->storages[i].storage == storage && m->storages[i].end < reader) {
            m->storages[i].end = reader;
            *again = true; /* ops that did not matter may have sources too */
        }
    }
    return FANIN_OK;
}

/* Sources, and theirs. */
static fanin_status add_sources(making *m)
{
    const fanin_maker *maker = m->maker;
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < m->nstorages; i++) {
            size_t storage = m->storages[i].storage;
            for (size_t k = maker->first[storage + 1]; k-- > maker->first[storage];) {
                const fanin_plan_op *op = fanin_plan_op_at(maker->plan, maker->ops[k]);
                if (op->source != NULL && maker->ops[k] < m->storages[i].end)
                    FANIN_TRY(add_source(m, op->source->storage, maker->ops[k], &again));
                if (op->other != NULL && maker->ops[k] < m->storages[i].end)
                    FANIN_TRY(add_source(m, op->other->storage, maker->ops[k], &again));
            }
        }
    }
    return FANIN_OK;
}

static int by_index(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static size_t list_ops(const making *m, size_t *ops)
{
    const fanin_maker *maker = m->maker;
    size_t n = 0;
    for (size_t i = 0; i < m->nstorages; i++) {
        const needed *of = &m->storages[i];
        for (size_t k = maker->first[of->storage]; k < maker->first[of->storage + 1] && maker->ops[k] < of->end; k++) {
            if (ops != NULL)
                ops[n] = maker->ops[k];
            n++;
        }
    }
    return n;
}

static fanin_status run_ops(const making *m)
{
    size_t n = list_ops(m, NULL);
    size_t *ops = fanin_allocate(n, sizeof *ops);
    if (ops == NULL)
        return fanin_fail_memory(m->error, n * sizeof *ops);
    list_ops(m, ops);
    if (m->nstorages > 1)
        qsort(ops, n, sizeof *ops, by_index);
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < n && status == FANIN_OK; i++)
        status = run_op(m, fanin_plan_op_at(m->maker->plan, ops[i]));
    fanin_free(ops);
    return status;
}

fanin_status fanin_whole_make(fanin_maker *maker, size_t storage, const char *name, void *memory, fanin_error *error)
{
    making m = {.maker = maker, .error = error};
    fanin_status status = add_storage(&m, storage, SIZE_MAX, memory);
    if (status == FANIN_OK)
        status = add_sources(&m);
    if (status == FANIN_OK)
        status = run_ops(&m);
    for (size_t i = 0; i < m.nstorages; i++) {
        if (i > 0)
            fanin_free(maker->whole[m.storages[i].storage]);
        maker->whole[m.storages[i].storage] = NULL;
    }
    fanin_free(m.storages);
    if (status != FANIN_OK) {
        char shown[FANIN_SHOW_NBYTES];
        fanin_fail_within(error, "tensor %s", fanin_show(name, strlen(name), shown));
        if (error != NULL)
            error->status = status;
    }
    return status;
}
