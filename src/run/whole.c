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
#include "init/view.h"
#include "kernel/cast.h"

typedef struct making {
    fanin_maker *maker;
    const char *name;
    fanin_error *error;
    size_t *storages; /* that are made, the one that is wanted first */
    size_t nstorages;
    size_t capacity;
} making;

static size_t nbytes_of(const making *m, size_t storage)
{
    uint64_t nelem = fanin_plan_storage_nelem(m->maker->plan, storage);
    return (size_t)(nelem / 8 * fanin_dtype_nbits(fanin_plan_storage_dtype(m->maker->plan, storage)) +
                    nelem % 8 * fanin_dtype_nbits(fanin_plan_storage_dtype(m->maker->plan, storage)) / 8);
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

/* In portions, but all at once within one storage, where what is written may be read. */
static fanin_status copy(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_tensor source = op->source->view;
    fanin_walk from, to;
    int64_t nelem = fanin_tensor_nelem(view), portion = FANIN_CHUNK_NELEM;
    if (op->source->storage == op->storage || portion > nelem)
        portion = nelem;
    FANIN_TRY(place(m, op->source->storage, op->source->offset, &source));
    fanin_walk_logical(&source, &from);
    fanin_walk_logical(view, &to);
    uint8_t *read = fanin_allocate((size_t)portion, from.nbytes);
    uint8_t *converted = op->kind == FANIN_OP_CAST ? fanin_allocate((size_t)portion, to.nbytes) : read;
    if (read == NULL || converted == NULL) {
        fanin_free(read);
        return fanin_fail_memory(m->error, (uint64_t)portion * from.nbytes);
    }
    for (int64_t done = 0; done < nelem; done += portion) {
        int64_t n = nelem - done < portion ? nelem - done : portion;
        fanin_walk_gather(&from, done, n, read);
        if (converted != read)
            fanin_cast(source.dtype, read, view->dtype, converted, (size_t)n);
        fanin_walk_scatter(&to, done, n, converted);
    }
    if (converted != read)
        fanin_free(converted);
    fanin_free(read);
    return FANIN_OK;
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
        return copy(m, op, &view);
    default:
        return run_fill(m, op, &view);
    }
}

/* ---- what a storage depends on ---- */

static fanin_status add_storage(making *m, size_t storage, void *memory)
{
    if (m->nstorages == m->capacity) {
        size_t capacity = m->capacity == 0 ? 8 : 2 * m->capacity;
        size_t *storages = fanin_reallocate(m->storages, m->nstorages, capacity, sizeof *storages);
        if (storages == NULL)
            return fanin_fail_memory(m->error, capacity * sizeof *storages);
        m->storages = storages;
        m->capacity = capacity;
    }
    if (memory == NULL)
        memory = fanin_allocate(nbytes_of(m, storage), 1);
    if (memory == NULL)
        return fanin_fail_memory(m->error, nbytes_of(m, storage));
    m->maker->whole[storage] = memory;
    m->storages[m->nstorages++] = storage;
    return FANIN_OK;
}

/* Sources, and theirs, of what was written up to op `last`; and how many ops that is in all. */
static fanin_status add_sources(making *m, size_t last, size_t *nops)
{
    const fanin_maker *maker = m->maker;
    for (size_t i = 0; i < m->nstorages; i++) {
        size_t storage = m->storages[i];
        for (size_t k = maker->first[storage]; k < maker->first[storage + 1] && maker->ops[k] <= last; k++) {
            const fanin_plan_source *source = fanin_plan_op_at(maker->plan, maker->ops[k])->source;
            ++*nops;
            if (source != NULL && maker->whole[source->storage] == NULL)
                FANIN_TRY(add_storage(m, source->storage, NULL));
        }
    }
    return FANIN_OK;
}

static int by_index(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static fanin_status run_ops(const making *m, size_t last, size_t nops)
{
    const fanin_maker *maker = m->maker;
    size_t *ops = fanin_allocate(nops, sizeof *ops), n = 0;
    if (ops == NULL)
        return fanin_fail_memory(m->error, nops * sizeof *ops);
    for (size_t i = 0; i < m->nstorages; i++)
        for (size_t k = maker->first[m->storages[i]]; k < maker->first[m->storages[i] + 1]; k++)
            if (maker->ops[k] <= last)
                ops[n++] = maker->ops[k];
    if (m->nstorages > 1)
        qsort(ops, n, sizeof *ops, by_index);
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < n && status == FANIN_OK; i++)
        status = run_op(m, fanin_plan_op_at(maker->plan, ops[i]));
    fanin_free(ops);
    return status;
}

fanin_status fanin_whole_make(fanin_maker *maker, size_t storage, const char *name, void *memory, fanin_error *error)
{
    making m = {.maker = maker, .name = name, .error = error};
    size_t end = maker->first[storage + 1], nops = 0;
    if (end == maker->first[storage]) /* of no elements */
        return FANIN_OK;
    size_t last = maker->ops[end - 1];
    fanin_status status = add_storage(&m, storage, memory);
    if (status == FANIN_OK)
        status = add_sources(&m, last, &nops);
    if (status == FANIN_OK)
        status = run_ops(&m, last, nops);
    for (size_t i = 0; i < m.nstorages; i++) {
        if (i > 0)
            fanin_free(maker->whole[m.storages[i]]);
        maker->whole[m.storages[i]] = NULL;
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
