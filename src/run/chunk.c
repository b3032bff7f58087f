/* SPDX-License-Identifier: MIT */
/*
 * Making tensors piece by piece, or whole where a fill needs all of a tensor at once.
 */
#include "run/chunk.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"

fanin_status fanin_maker_begin(fanin_maker *maker, const fanin_plan *plan, const fanin_run_options *options,
                               fanin_error *error)
{
    memset(maker, 0, sizeof *maker);
    if (options == NULL || options->size < sizeof *options)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "fanin_run_options.size must be sizeof(fanin_run_options), %zu, not %zu", sizeof *options,
                          options != NULL ? options->size : 0);
    maker->plan = plan;
    maker->options = options;
    size_t ntensors = fanin_plan_tensor_count(plan), nops = fanin_plan_op_count(plan);
    FANIN_TRY(fanin_cursor_begin(&maker->cursor, plan, options->seed, error));
    maker->first = fanin_allocate_zeroed(ntensors + 2, sizeof *maker->first);
    maker->ops = fanin_allocate(nops, sizeof *maker->ops);
    maker->piece = fanin_allocate(FANIN_CHUNK_MAX_NBYTES, 1);
    if (maker->first == NULL || maker->ops == NULL || maker->piece == NULL) {
        fanin_maker_end(maker);
        return fanin_fail_memory(error, FANIN_CHUNK_MAX_NBYTES);
    }
    /* counted one place further on, first[t + 1] is where tensor t's ops begin while they are listed, and end after */
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (!op->dead)
            maker->first[op->tensor + 2]++;
    }
    for (size_t t = 2; t < ntensors + 2; t++)
        maker->first[t] += maker->first[t - 1];
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (!op->dead)
            maker->ops[maker->first[op->tensor + 1]++] = i;
    }
    return FANIN_OK;
}

void fanin_maker_end(fanin_maker *maker)
{
    fanin_cursor_end(&maker->cursor);
    fanin_free(maker->first);
    fanin_free(maker->ops);
    fanin_free(maker->piece);
    memset(maker, 0, sizeof *maker);
}

static fanin_status count(fanin_maker *maker, uint64_t nbytes, fanin_error *error)
{
    const fanin_run_options *options = maker->options;
    maker->done_nbytes += nbytes;
    if (options->progress != NULL && !options->progress(options->user, maker->done_nbytes, maker->total_nbytes))
        return fanin_fail(error, FANIN_ERROR_CANCELLED, "cancelled after %" PRIu64 " of %" PRIu64 " bytes",
                          maker->done_nbytes, maker->total_nbytes);
    return FANIN_OK;
}

/* Under the lock. What a task that was stopped returns is not heard. */
static void note_failure(fanin_shared_progress *shared, size_t task, fanin_status status, const fanin_error *error)
{
    if (task >= shared->stopped_from)
        return;
    shared->stopped_from = status == FANIN_ERROR_CANCELLED ? 0 : task;
    shared->status = status;
    shared->error = *error;
}

fanin_status fanin_maker_progress(fanin_maker *maker, uint64_t nbytes, fanin_error *error)
{
    fanin_shared_progress *shared = maker->shared;
    if (shared == NULL)
        return count(maker, nbytes, error);
    fanin_status status = FANIN_ERROR_CANCELLED;
    pthread_mutex_lock(&shared->lock);
    if (maker->task < shared->stopped_from) {
        status = count(shared->whole, nbytes, error);
        if (status != FANIN_OK)
            note_failure(shared, maker->task, status, error);
    }
    pthread_mutex_unlock(&shared->lock);
    return status;
}

void fanin_shared_progress_begin(fanin_shared_progress *shared, fanin_maker *whole)
{
    *shared = (fanin_shared_progress){.whole = whole, .stopped_from = SIZE_MAX};
    pthread_mutex_init(&shared->lock, NULL);
}

bool fanin_shared_progress_is_stopped(fanin_shared_progress *shared, size_t task)
{
    pthread_mutex_lock(&shared->lock);
    bool stopped = task >= shared->stopped_from;
    pthread_mutex_unlock(&shared->lock);
    return stopped;
}

void fanin_shared_progress_fail(fanin_shared_progress *shared, size_t task, fanin_status status,
                                const fanin_error *error)
{
    pthread_mutex_lock(&shared->lock);
    note_failure(shared, task, status, error);
    pthread_mutex_unlock(&shared->lock);
}

fanin_status fanin_shared_progress_end(fanin_shared_progress *shared, fanin_error *error)
{
    pthread_mutex_destroy(&shared->lock);
    if (shared->status != FANIN_OK && error != NULL)
        *error = shared->error;
    return shared->status;
}

/* -- One tensor ------------------------------------------------------------------------------------------------- */

/* A tensor being made. */
typedef struct making {
    fanin_maker *maker;
    fanin_sink *sink;
    size_t id; /* for the sink */
    const fanin_plan_tensor *tensor;
    const size_t *ops; /* that write it, in order */
    size_t nops;
    fanin_error *error;
} making;

static const fanin_plan_op *op_at(const making *m, size_t i)
{
    return fanin_plan_op_at(m->maker->plan, m->ops[i]);
}

static bool draws(const fanin_plan_op *op)
{
    return op->fill.kind != FANIN_FILL_CONSTANT;
}

/* One normal that begins with the cached one takes nothing from the stream, but it is the stream that says which. */
static bool uses_stream(const fanin_plan_op *op)
{
    return op->ndraws > 0 || op->cached_at != FANIN_NO_POSITION;
}

static uint64_t op_begin(const fanin_plan_op *op)
{
    return (uint64_t)op->offset;
}

static uint64_t op_end(const fanin_plan_op *op)
{
    return (uint64_t)op->offset + (uint64_t)fanin_tensor_nelem(&op->view);
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Where element i begins; elements of 4 and 6 bits may begin inside a byte, where no fill can. */
static fanin_status byte_offset(const making *m, uint64_t element, size_t *offset)
{
    unsigned nbits = fanin_dtype_nbits(m->tensor->dtype);
    *offset = (size_t)(element * nbits / 8);
    if (element * nbits % 8 == 0)
        return FANIN_OK;
    char shown[FANIN_SHOW_NBYTES];
    return fanin_fail(
        m->error, FANIN_ERROR_UNSUPPORTED, "tensor %s: a fill begins at element %" PRIu64 " of %s, inside a byte",
        fanin_show(m->tensor->name, strlen(m->tensor->name), shown), element, fanin_dtype_name(m->tensor->dtype));
}

static fanin_status put(const making *m, uint64_t offset, const void *data, size_t nbytes)
{
    fanin_status status = m->sink->put(m->sink, m->id, offset, data, nbytes, m->error);
    return status == FANIN_OK ? fanin_maker_progress(m->maker, nbytes, m->error) : status;
}

static fanin_status run_fill(const making *m, const fanin_plan_op *op, const fanin_tensor *view)
{
    fanin_status status = fanin_fill_run(&op->fill, view, &m->maker->cursor.generator, m->error);
    if (status != FANIN_OK) {
        char shown[FANIN_SHOW_NBYTES];
        fanin_fail_within(m->error, "tensor %s", fanin_show(m->tensor->name, strlen(m->tensor->name), shown));
    }
    return status;
}

/*
 * Pieces are possible if every op writes one run of elements, is a constant or can be split, and no two that draw meet.
 * Constants may lie over anything (a padding row) and are laid over each piece in the plan's order.
 */
static bool can_split(const making *m)
{
    fanin_profile profile = fanin_plan_profile(m->maker->plan);
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        if (op->data_dependent || !fanin_fill_is_splittable(&op->fill, &op->view, profile))
            return false;
        for (size_t j = 0; j < i && draws(op); j++) {
            const fanin_plan_op *other = op_at(m, j);
            if (draws(other) && op_begin(op) < op_end(other) && op_begin(other) < op_end(op))
                return false;
        }
    }
    return true;
}

/* The op that draws the element at `position`, and how many elements the piece that begins there has. */
static const fanin_plan_op *next_piece(const making *m, uint64_t position, uint64_t *nelem)
{
    uint64_t rest = m->tensor->nelem - position;
    const fanin_plan_op *drawn = NULL;
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        if (!draws(op) || op_end(op) <= position)
            continue;
        if (op_begin(op) <= position) {
            drawn = op;
            rest = op_end(op) - position;
            break;
        }
        rest = min_u64(rest, op_begin(op) - position);
    }
    *nelem = rest > FANIN_CHUNK_MAX_NELEM ? FANIN_CHUNK_NELEM : rest;
    return drawn;
}

static fanin_status make_piece(const making *m, const fanin_plan_op *drawn, uint64_t position, uint64_t nelem,
                               uint8_t *memory)
{
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        uint64_t begin = max_u64(op_begin(op), position), end = min_u64(op_end(op), position + nelem);
        if (begin >= end || (draws(op) && op != drawn))
            continue;
        size_t offset;
        FANIN_TRY(byte_offset(m, begin - position, &offset));
        fanin_tensor view = fanin_tensor_1d(memory + offset, op->view.dtype, (int64_t)(end - begin));
        FANIN_TRY(run_fill(m, op, &view));
    }
    return FANIN_OK;
}

static fanin_status make_in_pieces(const making *m)
{
    fanin_maker *maker = m->maker;
    uint64_t nelem;
    for (uint64_t position = 0; position < m->tensor->nelem; position += nelem) {
        const fanin_plan_op *drawn = next_piece(m, position, &nelem);
        size_t offset, nbytes;
        FANIN_TRY(byte_offset(m, position, &offset));
        FANIN_TRY(byte_offset(m, nelem, &nbytes));
        uint8_t *memory = m->sink->lend != NULL ? m->sink->lend(m->sink, m->id, offset, nbytes) : NULL;
        if (memory == NULL)
            memory = maker->piece;
        if (drawn != NULL && position == op_begin(drawn))
            FANIN_TRY(fanin_cursor_seek(&maker->cursor, drawn, m->error));
        FANIN_TRY(make_piece(m, drawn, position, nelem, memory));
        if (drawn != NULL && position + nelem == op_end(drawn))
            fanin_cursor_passed(&maker->cursor, drawn);
        FANIN_TRY(put(m, offset, memory, nbytes));
    }
    return FANIN_OK;
}

static fanin_status fill_whole(const making *m, uint8_t *memory)
{
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        size_t offset;
        FANIN_TRY(byte_offset(m, op_begin(op), &offset));
        fanin_tensor view = op->view;
        view.data = memory + offset;
        if (uses_stream(op))
            FANIN_TRY(fanin_cursor_seek(&m->maker->cursor, op, m->error));
        FANIN_TRY(run_fill(m, op, &view));
        if (uses_stream(op))
            fanin_cursor_passed(&m->maker->cursor, op);
    }
    return FANIN_OK;
}

static fanin_status make_whole(const making *m)
{
    uint64_t nbytes = m->tensor->nbytes;
    uint8_t *lent = m->sink->lend != NULL ? m->sink->lend(m->sink, m->id, 0, nbytes) : NULL;
    uint8_t *memory = lent != NULL ? lent : fanin_allocate(nbytes, 1);
    if (memory == NULL)
        return fanin_fail_memory(m->error, nbytes);
    fanin_status status = fill_whole(m, memory);
    unsigned nbits = fanin_dtype_nbits(m->tensor->dtype);
    for (uint64_t offset = 0; offset < nbytes && status == FANIN_OK; offset += (uint64_t)FANIN_CHUNK_NELEM / 8 * nbits)
        status = put(m, offset, memory + offset, min_u64(nbytes - offset, (uint64_t)FANIN_CHUNK_NELEM / 8 * nbits));
    if (lent == NULL)
        fanin_free(memory);
    return status;
}

fanin_status fanin_maker_make(fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id, fanin_error *error)
{
    const fanin_plan_tensor *named = fanin_plan_tensor_at(maker->plan, tensor);
    size_t owner = named->tied_to != NULL ? fanin_plan_tensor_find(maker->plan, named->tied_to) : tensor;
    making m = {
        .maker = maker,
        .sink = sink,
        .id = id,
        .tensor = fanin_plan_tensor_at(maker->plan, owner),
        .ops = maker->ops + maker->first[owner],
        .nops = maker->first[owner + 1] - maker->first[owner],
        .error = error,
    };
    fanin_status status = can_split(&m) ? make_in_pieces(&m) : make_whole(&m);
    return status == FANIN_OK && sink->end != NULL ? sink->end(sink, id, error) : status;
}
