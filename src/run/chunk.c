/* SPDX-License-Identifier: MIT */
/*
 * Making tensors piece by piece, where all that is written lies in runs of elements that can be made apart; whole where
 * it does not.
 */
#include "run/chunk.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/view.h"
#include "kernel/cast.h"
#include "run/function.h"
#include "run/whole.h"

/*
 * A jump takes as long as about 2 million uniform draws: what lies between two runs of a block is made and thrown away
 * if it is less.
 */
static const uint64_t JUMP_NELEM = (uint64_t)2 << 20;

/* Every piece is held against every op of its storage; with more of them it is made whole. */
enum { MAX_SPLIT_OPS = 256 };

/* -- Elements of a storage in pieces ---------------------------------------------------------------------------- */

typedef fanin_making making;

static const fanin_plan_op *op_at(const making *m, size_t i)
{
    return fanin_plan_op_at(m->maker->plan, m->ops[i]);
}

static bool draws(const fanin_plan_op *op)
{
    return op->kind == FANIN_OP_FILL && op->fill.kind != FANIN_FILL_CONSTANT;
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

static fanin_status fail_within_tensor(const char *name, fanin_status status, fanin_error *error)
{
    char shown[FANIN_SHOW_NBYTES];
    fanin_fail_within(error, "tensor %s", fanin_show(name, strlen(name), shown));
    if (error != NULL)
        error->status = status;
    return status;
}

/* Draws that depend on data, but of each block on its own alone. */
static bool has_rounds(const fanin_maker *maker, const fanin_plan_op *op)
{
    return op->data_dependent && op->kind == FANIN_OP_FILL &&
           fanin_fill_has_rounds(&op->fill, &op->view, fanin_plan_profile(maker->plan));
}

/*
 * Pieces are possible if every op writes one run of elements, is a constant, a literal, a function of the elements it
 * writes, or a fill that can be split, and no two that draw meet. All but the last may lie over anything (a padding
 * row) and are laid over each piece in the plan's order.
 */
static bool can_split(const fanin_maker *maker, size_t storage)
{
    fanin_profile profile = fanin_plan_profile(maker->plan);
    const size_t *ops = maker->ops + maker->first[storage];
    size_t nops = maker->first[storage + 1] - maker->first[storage];
    if (nops > MAX_SPLIT_OPS)
        return false;
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(maker->plan, ops[i]);
        bool splits = op->kind == FANIN_OP_LITERAL    ? fanin_tensor_is_contiguous(&op->view)
                      : op->kind == FANIN_OP_FUNCTION ? fanin_function_is_in_place(op)
                      : op->data_dependent
                          ? has_rounds(maker, op)
                          : op->kind == FANIN_OP_FILL && fanin_fill_is_splittable(&op->fill, &op->view, profile);
        if (!splits)
            return false;
        for (size_t j = 0; j < i && draws(op); j++) {
            const fanin_plan_op *other = fanin_plan_op_at(maker->plan, ops[j]);
            if (draws(other) && op_begin(op) < op_end(other) && op_begin(other) < op_end(op))
                return false;
        }
    }
    return true;
}

/* The op that draws the element at `position`, and how many elements of the range the piece that begins there has. */
static const fanin_plan_op *next_piece(const making *m, uint64_t position, uint64_t *nelem)
{
    uint64_t rest = m->end - position;
    const fanin_plan_op *drawn = NULL;
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        if (!draws(op) || op_end(op) <= position)
            continue;
        if (op_begin(op) <= position) {
            drawn = op;
            rest = min_u64(m->end, op_end(op)) - position;
            break;
        }
        rest = min_u64(rest, op_begin(op) - position);
    }
    *nelem = rest;
    if (rest > m->maker->piece_nelem + 15) {
        /* the next piece is to begin a block, wherever this one begins */
        uint64_t begun = drawn != NULL ? (position - op_begin(drawn)) % 16 : 0;
        *nelem = m->maker->piece_nelem - begun;
    }
    return drawn;
}

/* Draws of the first n elements of an op that can be split; n is a multiple of 16. */
static fanin_status measure_part(const making *m, const fanin_plan_op *op, uint64_t n, uint64_t *ndraws)
{
    fanin_tensor part = fanin_tensor_1d(NULL, op->view.dtype, (int64_t)n);
    fanin_fill_stream stream = {0};
    FANIN_TRY(fanin_fill_measure(&op->fill, &part, fanin_plan_profile(m->maker->plan), &stream, m->error));
    *ndraws = stream.ndraws;
    return FANIN_OK;
}

/* An op with rounds that was drawn from end to end tells where the next one begins; else the stream stays before it. */
static void leave_rounds(making *m)
{
    const fanin_plan_op *op = m->drawn;
    if (m->part.at == op->at && m->next == op_end(op)) {
        fanin_rounds_end(m->maker->rounds, m->maker->rounds->n, m->generator);
        fanin_maker_passed(m->maker, op);
    }
    m->drawn = NULL;
}

/* Leaves the op that is being drawn: the stream is where its next element would begin. */
static fanin_status leave(making *m)
{
    if (m->drawn == NULL)
        return FANIN_OK;
    if (has_rounds(m->maker, m->drawn)) {
        leave_rounds(m);
        return FANIN_OK;
    }
    uint64_t done = m->next - op_begin(m->drawn), end = m->drawn->at + m->drawn->ndraws, ndraws;
    if (m->next < op_end(m->drawn)) {
        FANIN_TRY(measure_part(m, m->drawn, done, &ndraws));
        end = m->drawn->at + ndraws;
    }
    m->part.ndraws = end - m->part.at;
    fanin_maker_passed(m->maker, &m->part);
    m->drawn = NULL;
    return FANIN_OK;
}

static fanin_status enter_rounds(making *m, const fanin_plan_op *op, uint64_t element)
{
    fanin_maker *maker = m->maker;
    if (maker->rounds == NULL)
        maker->rounds = fanin_allocate(1, sizeof *maker->rounds);
    if (maker->rounds == NULL)
        return fanin_fail_memory(m->error, sizeof *maker->rounds);
    FANIN_TRY(fanin_maker_seek(maker, op, &m->generator, m->error));
    fanin_rounds_begin(maker->rounds, &op->fill, &op->view, m->generator);
    m->drawn = op;
    m->next = element;
    m->part.at = op->at + (element - op_begin(op)); /* only whether it is the first one counts */
    return FANIN_OK;
}

/* Puts the generator where `element` of an op is drawn, which begins a block of 16 of it. */
static fanin_status enter(making *m, const fanin_plan_op *op, uint64_t element)
{
    if (m->drawn == op && m->next == element)
        return FANIN_OK;
    uint64_t skipped;
    FANIN_TRY(leave(m));
    if (has_rounds(m->maker, op))
        return enter_rounds(m, op, element);
    FANIN_TRY(measure_part(m, op, element - op_begin(op), &skipped));
    m->part = *op;
    m->part.at += skipped;
    m->part.ndraws -= skipped;
    FANIN_TRY(fanin_maker_seek(m->maker, &m->part, &m->generator, m->error));
    m->drawn = op;
    m->next = element;
    return FANIN_OK;
}

/*
 * Widens [*begin, *end) of an op to pieces that can be made: from a block of 16, with 16 at least, to the end of a
 * block with 16 left, or to the end of the op. (The last 16 of an odd number of normals are drawn for themselves.)
 */
static void widen(const fanin_plan_op *op, uint64_t *begin, uint64_t *end)
{
    uint64_t n = (uint64_t)fanin_tensor_nelem(&op->view), last = n >= 16 ? (n - 16) / 16 * 16 : 0;
    uint64_t first = min_u64((*begin - op_begin(op)) / 16 * 16, last);
    uint64_t after = (*end - op_begin(op) + 15) / 16 * 16;
    *begin = op_begin(op) + first;
    *end = op_begin(op) + (after > last ? n : after);
}

/* Lays constants and literals, and what is drawn, over elements [begin, end) in memory. */
static fanin_status make_piece(making *m, const fanin_plan_op *drawn, uint64_t begin, uint64_t end, uint8_t *memory)
{
    for (size_t i = 0; i < m->nops; i++) {
        const fanin_plan_op *op = op_at(m, i);
        uint64_t from = max_u64(op_begin(op), begin), to = min_u64(op_end(op), end);
        if (from >= to || (draws(op) && op != drawn))
            continue;
        uint8_t *at = memory + (size_t)(from - begin) * m->nbytes;
        fanin_tensor view = fanin_tensor_1d(at, m->dtype, (int64_t)(to - from));
        if (op->kind == FANIN_OP_LITERAL)
            memcpy(at,
                   (const uint8_t *)fanin_plan_literal_at(m->maker->plan, op->literal)->data +
                       (size_t)(from - op_begin(op)) * m->nbytes,
                   (size_t)(to - from) * m->nbytes);
        else if (op->kind == FANIN_OP_FUNCTION)
            fanin_function_run(op, at, NULL, at, (size_t)(to - from));
        else if (has_rounds(m->maker, op))
            fanin_rounds_make(m->maker->rounds, from - op_begin(op), to - from, at);
        else
            FANIN_TRY(fanin_fill_run(&op->fill, &view, draws(op) ? m->generator : NULL, m->error));
    }
    if (drawn != NULL)
        m->next = end;
    return FANIN_OK;
}

static fanin_status make_next(making *m, uint64_t position, uint64_t *nelem)
{
    const fanin_plan_op *drawn = next_piece(m, position, nelem);
    uint64_t begin = position, end = position + *nelem;
    if (drawn != NULL) {
        widen(drawn, &begin, &end);
        FANIN_TRY(enter(m, drawn, begin));
    }
    size_t offset = (size_t)(position - m->begin) * m->nbytes, nbytes = (size_t)*nelem * m->nbytes;
    bool is_wider = begin < position || end > position + *nelem;
    uint8_t *memory = m->sink->lend != NULL && !is_wider ? m->sink->lend(m->sink, m->id, offset, nbytes) : NULL;
    if (memory == NULL)
        memory = m->maker->piece;
    FANIN_TRY(make_piece(m, drawn, begin, end, memory));
    FANIN_TRY(m->sink->put(m->sink, m->id, offset, memory + (size_t)(position - begin) * m->nbytes, nbytes, m->error));
    return fanin_maker_progress(m->maker, nbytes, m->error);
}

/* Makes one piece more; `leave` follows the last one. */
static fanin_status make_some(making *m)
{
    uint64_t nelem = 0;
    if (m->position < m->end)
        FANIN_TRY(make_next(m, m->position, &nelem));
    m->position += nelem;
    return m->position < m->end ? FANIN_OK : leave(m);
}

/* -- Where the elements of a tensor are made -------------------------------------------------------------------- */

/* A storage that can be made in pieces, and what becomes of its elements before they are those of the tensor's. */
typedef struct origin {
    size_t storage;
    uint64_t shift;    /* element of it that element 0 of the tensor's storage is */
    fanin_dtype dtype; /* what it is cast to */
} origin;

/* The one op of a storage if it copies or casts a run of a storage that is complete by then; NULL. */
static const fanin_plan_op *only_copy(const fanin_maker *maker, size_t storage)
{
    if (maker->first[storage + 1] - maker->first[storage] != 1)
        return NULL;
    size_t index = maker->ops[maker->first[storage]];
    const fanin_plan_op *op = fanin_plan_op_at(maker->plan, index);
    if ((op->kind != FANIN_OP_COPY && op->kind != FANIN_OP_CAST) || op->offset != 0 ||
        !fanin_tensor_is_contiguous(&op->view) || !fanin_tensor_is_contiguous(&op->source->view) ||
        (uint64_t)fanin_tensor_nelem(&op->view) != fanin_plan_storage_nelem(maker->plan, storage))
        return NULL;
    size_t end = maker->first[op->source->storage + 1];
    bool is_complete = end > maker->first[op->source->storage] && maker->ops[end - 1] < index;
    return is_complete ? op : NULL;
}

/* Follows copies, and one cast, to a storage that can be made in pieces; false if there is none. */
static bool find_origin(const fanin_maker *maker, size_t storage, origin *of)
{
    const fanin_plan_op *op;
    *of = (origin){.storage = storage, .dtype = fanin_plan_storage_dtype(maker->plan, storage)};
    while (!can_split(maker, of->storage)) {
        op = only_copy(maker, of->storage);
        if (op == NULL ||
            (op->kind == FANIN_OP_CAST && fanin_plan_storage_dtype(maker->plan, of->storage) != of->dtype))
            return false;
        of->storage = op->source->storage;
        of->shift += (uint64_t)op->source->offset;
    }
    return true;
}

static fanin_status put_cast(fanin_sink *sink, size_t id, uint64_t offset, const void *data, size_t nbytes,
                             fanin_error *error)
{
    fanin_casting *c = (fanin_casting *)sink;
    size_t from = fanin_dtype_nbits(c->from) / 8, to = fanin_dtype_nbits(c->to) / 8;
    fanin_cast(c->from, data, c->to, c->memory, nbytes / from);
    return c->next->put(c->next, id, offset / from * to, c->memory, nbytes / from * to, error);
}

/* Elements [begin, end) of a storage that has this origin; to be ended, whatever comes of it. */
static fanin_status begin_from(making *m, fanin_maker *maker, const origin *of, uint64_t begin, uint64_t end,
                               fanin_sink *sink, size_t id, fanin_error *error)
{
    *m = (making){
        .maker = maker,
        .sink = sink,
        .id = id,
        .dtype = fanin_plan_storage_dtype(maker->plan, of->storage),
        .begin = begin + of->shift,
        .end = end + of->shift,
        .position = begin + of->shift,
        .ops = maker->ops + maker->first[of->storage],
        .nops = maker->first[of->storage + 1] - maker->first[of->storage],
        .error = error,
    };
    m->nbytes = fanin_dtype_nbits(m->dtype) / 8;
    if (m->dtype == of->dtype)
        return FANIN_OK;
    const size_t memory_nbytes = (maker->piece_nelem + 15) * (fanin_dtype_nbits(of->dtype) / 8);
    m->cast = (fanin_casting){.sink = {.put = put_cast},
                              .next = sink,
                              .from = m->dtype,
                              .to = of->dtype,
                              .memory = fanin_allocate(memory_nbytes, 1)};
    m->sink = &m->cast.sink;
    return m->cast.memory != NULL ? FANIN_OK : fanin_fail_memory(error, memory_nbytes);
}

void fanin_making_end(fanin_making *m)
{
    fanin_free(m->cast.memory);
    m->cast.memory = NULL;
}

static fanin_status make_from(fanin_maker *maker, const origin *of, uint64_t begin, uint64_t end, fanin_sink *sink,
                              size_t id, fanin_error *error)
{
    making m;
    fanin_status status = begin_from(&m, maker, of, begin, end, sink, id, error);
    while (status == FANIN_OK && m.position < m.end)
        status = make_some(&m);
    fanin_making_end(&m);
    return status;
}

/* -- One tensor ------------------------------------------------------------------------------------------------- */

static fanin_tensor view_of(const fanin_plan_tensor *tensor, void *data)
{
    fanin_tensor view = fanin_tensor_nd(data, tensor->dtype, tensor->ndim, tensor->shape);
    memcpy(view.strides, tensor->strides, sizeof view.strides);
    return view;
}

static fanin_status put(fanin_maker *maker, fanin_sink *sink, size_t id, uint64_t offset, const void *data,
                        size_t nbytes, fanin_error *error)
{
    FANIN_TRY(sink->put(sink, id, offset, data, nbytes, error));
    return fanin_maker_progress(maker, nbytes, error);
}

/* Bytes in memory, to the sink in pieces. */
static fanin_status put_all(fanin_maker *maker, const fanin_plan_tensor *tensor, fanin_sink *sink, size_t id,
                            const uint8_t *memory, fanin_error *error)
{
    uint64_t piece = (uint64_t)maker->piece_nelem / 8 * fanin_dtype_nbits(tensor->dtype);
    for (uint64_t offset = 0; offset < tensor->nbytes; offset += piece)
        FANIN_TRY(put(maker, sink, id, offset, memory + offset, min_u64(tensor->nbytes - offset, piece), error));
    return FANIN_OK;
}

/* A view of a storage in memory, to the sink in row-major pieces. */
static fanin_status put_view(fanin_maker *maker, const fanin_tensor *view, fanin_sink *sink, size_t id,
                             fanin_error *error)
{
    fanin_walk walk;
    fanin_walk_logical(view, &walk);
    const int64_t piece = (int64_t)maker->piece_nelem;
    for (int64_t done = 0; done < walk.nelem; done += piece) {
        int64_t n = walk.nelem - done < piece ? walk.nelem - done : piece;
        fanin_walk_gather(&walk, done, n, maker->piece);
        FANIN_TRY(put(maker, sink, id, (uint64_t)done * walk.nbytes, maker->piece, (size_t)n * walk.nbytes, error));
    }
    return FANIN_OK;
}

static fanin_status make_whole(fanin_maker *maker, const fanin_plan_tensor *tensor, fanin_sink *sink, size_t id,
                               fanin_error *error)
{
    uint64_t nbytes = fanin_whole_nbytes(maker->plan, tensor->storage);
    fanin_tensor view = view_of(tensor, NULL);
    bool is_all = nbytes == tensor->nbytes && tensor->offset == 0 && fanin_tensor_is_contiguous(&view);
    uint8_t *lent = is_all && sink->in_memory ? sink->lend(sink, id, 0, nbytes) : NULL;
    uint8_t *memory = lent != NULL ? lent : fanin_allocate(nbytes, 1);
    if (memory == NULL)
        return fanin_fail_memory(error, nbytes);
    fanin_status status = fanin_whole_make(maker, tensor->storage, tensor->name, memory, error);
    view.data = memory + (uint64_t)tensor->offset * (fanin_dtype_nbits(tensor->dtype) / 8);
    if (status == FANIN_OK)
        status = is_all ? put_all(maker, tensor, sink, id, memory, error) : put_view(maker, &view, sink, id, error);
    if (lent == NULL)
        fanin_free(memory);
    return status;
}

static fanin_status check_not_refused(const fanin_plan_tensor *tensor, fanin_error *error)
{
    char shown[FANIN_SHOW_NBYTES];
    if (tensor->refused == NULL)
        return FANIN_OK;
    return fanin_fail(error, FANIN_ERROR_UNSUPPORTED, "tensor %s cannot be made: %s",
                      fanin_show(tensor->name, strlen(tensor->name), shown), tensor->refused);
}

fanin_status fanin_making_begin(fanin_making *m, fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id,
                                fanin_error *error)
{
    const fanin_plan_tensor *named = fanin_plan_tensor_at(maker->plan, tensor);
    fanin_tensor view = view_of(named, NULL);
    origin of;
    *m = (making){.maker = maker, .sink = sink, .id = id, .error = error};
    FANIN_TRY(check_not_refused(named, error));
    /* what is made in memory that is there for all of it is shared out fill by fill */
    const bool is_shared_out = sink->in_memory && fanin_maker_threads(maker) != NULL;
    fanin_status status = FANIN_OK;
    if (!is_shared_out && fanin_tensor_is_contiguous(&view) && find_origin(maker, named->storage, &of))
        status =
            begin_from(m, maker, &of, (uint64_t)named->offset, (uint64_t)named->offset + named->nelem, sink, id, error);
    else
        m->is_whole = true;
    m->of = named;
    m->to = sink;
    return status == FANIN_OK ? FANIN_OK : fail_within_tensor(named->name, status, error);
}

fanin_status fanin_making_step(fanin_making *m, bool *done)
{
    fanin_status status;
    *done = true;
    if (m->is_whole) {
        status = make_whole(m->maker, m->of, m->to, m->id, m->error);
    } else {
        status = make_some(m);
        *done = m->position >= m->end;
        if (status != FANIN_OK && status != FANIN_ERROR_CANCELLED && status != FANIN_ERROR_IO)
            status = fail_within_tensor(m->of->name, status, m->error);
    }
    return status == FANIN_OK && *done && m->to->end != NULL ? m->to->end(m->to, m->id, m->error) : status;
}

fanin_status fanin_maker_make(fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id, fanin_error *error)
{
    fanin_making m;
    bool done = false;
    fanin_status status = fanin_making_begin(&m, maker, tensor, sink, id, error);
    while (status == FANIN_OK && !done)
        status = fanin_making_step(&m, &done);
    fanin_making_end(&m);
    return status;
}

/* -- A block of a tensor ---------------------------------------------------------------------------------------- */

/* The block as runs of the tensor's elements, in row-major order, in which they fill the destination. */
typedef struct runs {
    const fanin_plan_tensor *tensor;
    const int64_t *offsets;
    const int64_t *sizes;
    int32_t nouter;                /* dimensions that runs are counted in; those behind lie in one run */
    int64_t index[FANIN_MAX_DIMS]; /* of the run, in the outer dimensions */
    uint64_t begin;                /* its first element in the tensor */
    uint64_t length;
    uint64_t left; /* runs from this one on */
} runs;

static uint64_t run_begin(const runs *r, const fanin_tensor *whole)
{
    uint64_t begin = 0;
    for (int32_t d = 0; d < whole->ndim; d++)
        begin += (uint64_t)(r->offsets[d] + (d < r->nouter ? r->index[d] : 0)) * (uint64_t)whole->strides[d];
    return begin;
}

static runs runs_begin(const fanin_plan_tensor *tensor, const fanin_tensor *whole, const int64_t *offsets,
                       const int64_t *sizes)
{
    runs r = {.tensor = tensor, .offsets = offsets, .sizes = sizes, .length = 1, .left = 1};
    int32_t d = tensor->ndim;
    while (d > 0 && sizes[d - 1] == tensor->shape[d - 1])
        r.length *= (uint64_t)sizes[--d];
    if (d > 0)
        r.length *= (uint64_t)sizes[--d];
    r.nouter = d;
    while (d-- > 0)
        r.left *= (uint64_t)sizes[d];
    r.begin = run_begin(&r, whole);
    return r;
}

static void runs_next(runs *r, const fanin_tensor *whole)
{
    r->left--;
    for (int32_t d = r->nouter; d-- > 0;) {
        if (++r->index[d] < r->sizes[d])
            break;
        r->index[d] = 0;
    }
    r->begin = run_begin(r, whole);
}

/* Takes of the pieces of a range what the runs say. */
typedef struct block_sink {
    fanin_sink sink;
    runs *runs;
    fanin_tensor whole;
    uint64_t origin; /* element of the tensor that the range begins with */
    uint64_t done;   /* of the run */
    fanin_walk *to;
    int64_t ntaken;
} block_sink;

static fanin_status put_block(fanin_sink *sink, size_t id, uint64_t offset, const void *data, size_t nbytes,
                              fanin_error *error)
{
    block_sink *b = (block_sink *)sink;
    runs *r = b->runs;
    size_t element = b->to->nbytes;
    uint64_t begin = b->origin + offset / element, end = begin + nbytes / element;
    (void)id, (void)error;
    while (r->left > 0 && r->begin + b->done < end) {
        uint64_t from = r->begin + b->done, n = min_u64(r->begin + r->length, end) - from;
        fanin_walk_scatter(b->to, b->ntaken, (int64_t)n, (const uint8_t *)data + (size_t)(from - begin) * element);
        b->ntaken += (int64_t)n;
        b->done += n;
        if (b->done < r->length)
            break;
        b->done = 0;
        runs_next(r, &b->whole);
    }
    return FANIN_OK;
}

/* A contiguous destination of one run is where its elements are made. */
static void *lend_block(fanin_sink *sink, size_t id, uint64_t offset, size_t nbytes)
{
    const block_sink *b = (const block_sink *)sink;
    (void)id, (void)nbytes;
    return b->to->data + offset;
}

static fanin_status put_lent(fanin_sink *sink, size_t id, uint64_t offset, const void *data, size_t nbytes,
                             fanin_error *error)
{
    char *place = ((const block_sink *)sink)->to->data + offset;
    (void)id, (void)error;
    if (data != place) /* a piece that was made wider than what is wanted of it */
        memcpy(place, data, nbytes);
    return FANIN_OK;
}

/* Runs that lie near each other are taken from one range of the storage. */
static fanin_status make_block_from(fanin_maker *maker, const fanin_plan_tensor *tensor, const origin *of,
                                    const int64_t *offsets, const fanin_tensor *destination, fanin_error *error)
{
    fanin_walk to;
    fanin_walk_logical(destination, &to);
    block_sink b = {.sink = {.put = put_block}, .to = &to};
    b.whole = fanin_tensor_nd(NULL, tensor->dtype, tensor->ndim, tensor->shape);
    runs taken = runs_begin(tensor, &b.whole, offsets, destination->shape), ahead = taken;
    b.runs = &taken;
    if (taken.left == 1 && to.is_flat)
        b.sink = (fanin_sink){.put = put_lent, .lend = lend_block, .in_memory = true};
    while (ahead.left > 0) {
        uint64_t begin = ahead.begin, end = begin;
        for (; ahead.left > 0 && ahead.begin - end < JUMP_NELEM; runs_next(&ahead, &b.whole))
            end = ahead.begin + ahead.length;
        b.origin = begin;
        FANIN_TRY(
            make_from(maker, of, (uint64_t)tensor->offset + begin, (uint64_t)tensor->offset + end, &b.sink, 0, error));
    }
    return FANIN_OK;
}

static fanin_status make_block_whole(fanin_maker *maker, const fanin_plan_tensor *tensor, const int64_t *offsets,
                                     const fanin_tensor *destination, fanin_error *error)
{
    uint64_t nbytes = fanin_whole_nbytes(maker->plan, tensor->storage);
    uint8_t *memory = fanin_allocate(nbytes, 1);
    if (memory == NULL)
        return fanin_fail_memory(error, nbytes);
    fanin_status status = fanin_whole_make(maker, tensor->storage, tensor->name, memory, error);
    if (status == FANIN_OK) {
        fanin_tensor block = *destination;
        uint64_t first = (uint64_t)tensor->offset;
        for (int32_t d = 0; d < tensor->ndim; d++) {
            first += (uint64_t)offsets[d] * (uint64_t)tensor->strides[d];
            block.strides[d] = tensor->strides[d];
        }
        fanin_walk from, to;
        block.data = memory + first * (fanin_dtype_nbits(tensor->dtype) / 8);
        fanin_walk_logical(&block, &from);
        fanin_walk_logical(destination, &to);
        const int64_t piece = (int64_t)maker->piece_nelem;
        for (int64_t done = 0; done < to.nelem; done += piece) {
            int64_t n = to.nelem - done < piece ? to.nelem - done : piece;
            fanin_walk_gather(&from, done, n, maker->piece);
            fanin_walk_scatter(&to, done, n, maker->piece);
        }
        status = fanin_maker_progress(maker, (uint64_t)to.nelem * to.nbytes, error);
    }
    fanin_free(memory);
    return status;
}

fanin_status fanin_maker_make_block(fanin_maker *maker, size_t tensor, const int64_t *offsets,
                                    const fanin_tensor *destination, fanin_error *error)
{
    const fanin_plan_tensor *named = fanin_plan_tensor_at(maker->plan, tensor);
    fanin_tensor view = view_of(named, NULL);
    origin of;
    FANIN_TRY(check_not_refused(named, error));
    if (fanin_tensor_nelem(destination) == 0)
        return FANIN_OK;
    if (!fanin_tensor_is_contiguous(&view) || !find_origin(maker, named->storage, &of))
        return make_block_whole(maker, named, offsets, destination, error);
    fanin_status status = make_block_from(maker, named, &of, offsets, destination, error);
    return status != FANIN_OK && status != FANIN_ERROR_CANCELLED ? fail_within_tensor(named->name, status, error)
                                                                 : status;
}
