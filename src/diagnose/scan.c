/* SPDX-License-Identifier: MIT */
/*
 * The pass over weights. A tensor is cut into parts of fixed size, whole rows where rows are short; each part is summed
 * up on its own, and parts are put together in their order, so that no bit depends on threads or on how bytes arrive.
 * Tensors of one part are looked at side by side; of larger ones each thread takes the next part there is.
 */
#include "diagnose/scan.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "diagnose/summarize.h"

enum { PART_NELEM = 1 << 18, PART_NROWS = 1 << 16, GROUP_NBYTES = 4 << 20, MAX_GROUP = 256 };

/* -- How a tensor is cut --------------------------------------------------------------------------------------------*/

struct cut {
    uint64_t nelem, nrows, ncols;
    uint64_t rows_of_part; /* whole rows a part; 0: */
    uint64_t parts_of_row; /* rows longer than a part are cut themselves */
    uint64_t nparts;
    bool has_columns, keeps_rows;
};

/* What is no float is one row: parts begin at multiples of 8 elements, which are whole bytes. */
static struct cut cut_of(const fanin_weight *weight)
{
    struct cut cut = {.nelem = 1, .nrows = 1, .ncols = 1};
    for (int32_t i = 0; i < weight->ndim; i++) {
        cut.nelem *= (uint64_t)weight->shape[i];
        if (i > 0)
            cut.ncols *= (uint64_t)weight->shape[i];
    }
    const bool is_matrix = weight->ndim >= 2 && fanin_is_summed(weight->dtype);
    if (is_matrix)
        cut.nrows = (uint64_t)weight->shape[0];
    else
        cut.ncols = cut.nelem;
    if (cut.nelem == 0)
        return cut;
    cut.has_columns = is_matrix && cut.ncols <= FANIN_SCAN_MAX_COLUMNS;
    cut.keeps_rows = cut.nrows <= FANIN_SCAN_MAX_ROWS;
    if (cut.ncols <= PART_NELEM) {
        cut.rows_of_part = PART_NELEM / cut.ncols < PART_NROWS ? PART_NELEM / cut.ncols : PART_NROWS;
        cut.nparts = (cut.nrows + cut.rows_of_part - 1) / cut.rows_of_part;
    } else {
        cut.parts_of_row = (cut.ncols + PART_NELEM - 1) / PART_NELEM;
        cut.nparts = cut.nrows * cut.parts_of_row;
    }
    return cut;
}

/* Elements [begin, end) of part i; the part begins in this row, at this column. */
struct place {
    uint64_t begin, end, row, column;
};

static struct place place_of(const struct cut *cut, uint64_t i)
{
    struct place place = {0};
    if (cut->rows_of_part > 0) {
        place.row = i * cut->rows_of_part;
        uint64_t last = place.row + cut->rows_of_part;
        place.begin = place.row * cut->ncols;
        place.end = (last < cut->nrows ? last : cut->nrows) * cut->ncols;
    } else {
        place.row = i / cut->parts_of_row;
        place.column = i % cut->parts_of_row * PART_NELEM;
        place.begin = place.row * cut->ncols + place.column;
        uint64_t left = cut->ncols - place.column;
        place.end = place.begin + (left < PART_NELEM ? left : PART_NELEM);
    }
    return place;
}

/* -- What the threads share -----------------------------------------------------------------------------------------*/

struct scanning {
    const fanin_weights *weights;
    const uint8_t *memory; /* of the only weight, which is then not read; or NULL */
    const fanin_parallel *parallel;
    fanin_progress progress;
    void *user;
    fanin_scan_visit visit;
    void *context;
    uint64_t done_nbytes, total_nbytes;
    pthread_mutex_t lock; /* of progress and failure */
    bool is_cancelled;
    fanin_status status; /* of the failed tensor of the lowest number */
    size_t failed;
    fanin_error error;
};

static void fail(struct scanning *s, size_t i, fanin_status status, const fanin_error *error)
{
    pthread_mutex_lock(&s->lock);
    if (s->status == FANIN_OK || i < s->failed) {
        s->status = status;
        s->failed = i;
        s->error = *error;
    }
    pthread_mutex_unlock(&s->lock);
}

static bool is_over(struct scanning *s)
{
    pthread_mutex_lock(&s->lock);
    bool over = s->status != FANIN_OK || s->is_cancelled;
    pthread_mutex_unlock(&s->lock);
    return over;
}

static void advance(struct scanning *s, uint64_t nbytes)
{
    pthread_mutex_lock(&s->lock);
    s->done_nbytes += nbytes;
    if (s->progress != NULL && !s->is_cancelled)
        s->is_cancelled = !s->progress(s->user, s->done_nbytes, s->total_nbytes);
    pthread_mutex_unlock(&s->lock);
}

static uint64_t nbytes_of(const fanin_weight *weight, uint64_t nelem)
{
    const unsigned nbits = fanin_dtype_nbits(weight->dtype);
    return nelem / 8 * nbits + (nelem % 8 * nbits + 7) / 8;
}

/* Room for a part. */
struct buffer {
    struct fanin_part part;
    uint8_t *memory, *bytes; /* from a line of the cache on */
};

enum { LINE = 64 };

/* For the parts of all tensors that are in this pass. */
static struct fanin_part_limits limits_of(const struct scanning *s, bool is_large)
{
    struct fanin_part_limits limits = {.nelem = 1, .nrows = 1, .nbytes = 1};
    for (size_t i = 0; i < s->weights->nweights; i++) {
        const fanin_weight *weight = &s->weights->weights[i];
        const struct cut cut = cut_of(weight);
        if (cut.nelem == 0 || (cut.nparts > 1) != is_large)
            continue;
        const struct place place = place_of(&cut, 0); /* no other part is larger */
        const uint64_t n = place.end - place.begin, nrows = cut.rows_of_part < cut.nrows ? cut.rows_of_part : cut.nrows,
                       nbytes = nbytes_of(weight, n), ncolumns = cut.has_columns ? cut.ncols : 0;
        limits.nelem = n > limits.nelem ? n : limits.nelem;
        limits.nbytes = nbytes > limits.nbytes ? nbytes : limits.nbytes;
        limits.nrows = nrows > limits.nrows ? nrows : limits.nrows;
        limits.ncolumns = ncolumns > limits.ncolumns ? ncolumns : limits.ncolumns;
    }
    return limits;
}

static fanin_status buffer_begin(struct buffer *buffer, const struct fanin_part_limits *limits, fanin_error *error)
{
    buffer->memory = fanin_allocate(limits->nbytes + LINE, 1);
    if (buffer->memory == NULL)
        return fanin_fail_memory(error, limits->nbytes);
    buffer->bytes = buffer->memory + (LINE - (uintptr_t)buffer->memory % LINE);
    fanin_status status = fanin_part_begin(&buffer->part, limits, error);
    if (status != FANIN_OK) {
        fanin_free(buffer->memory);
        buffer->memory = NULL;
    }
    return status;
}

static void buffer_end(struct buffer *buffer)
{
    fanin_part_release(&buffer->part);
    fanin_free(buffer->memory);
    buffer->memory = NULL;
}

static fanin_status take_part(const struct scanning *s, size_t i, const struct fanin_whole *whole, struct place place,
                              struct buffer *buffer, fanin_error *error)
{
    const fanin_weight *weight = &s->weights->weights[i];
    const uint64_t from = nbytes_of(weight, place.begin);
    const uint8_t *bytes = s->memory != NULL ? s->memory + from : buffer->bytes;
    if (s->memory == NULL)
        FANIN_TRY(s->weights->read(s->weights->user, i, from, buffer->bytes,
                                   (size_t)(nbytes_of(weight, place.end) - from), error));
    fanin_part_take(&buffer->part, whole, bytes, place.begin, place.end, place.row, place.column);
    return FANIN_OK;
}

static fanin_status begin_whole(const struct scanning *s, size_t i, const struct cut *cut, struct fanin_whole *whole,
                                fanin_error *error)
{
    return fanin_whole_begin(whole, s->weights->weights[i].dtype, cut->nelem, cut->nrows, cut->ncols, cut->keeps_rows,
                             cut->has_columns, error);
}

static fanin_status visit_whole(const struct scanning *s, size_t i, struct fanin_whole *whole, fanin_error *error)
{
    struct fanin_scan scan;
    FANIN_TRY(fanin_whole_end(whole, &scan, error));
    return s->visit(s->context, i, &scan, error);
}

/* -- Tensors of one part --------------------------------------------------------------------------------------------*/

struct group {
    size_t begin, end; /* of the tensors; those of more parts among them are passed over */
};

struct small_pass {
    struct scanning *s;
    const struct group *groups;
    struct fanin_part_limits limits;
};

static fanin_status scan_small(const struct scanning *s, size_t i, const struct cut *cut, struct buffer *buffer,
                               fanin_error *error)
{
    struct fanin_whole whole;
    FANIN_TRY(begin_whole(s, i, cut, &whole, error));
    fanin_status status = FANIN_OK;
    if (cut->nelem > 0) {
        status = take_part(s, i, &whole, place_of(cut, 0), buffer, error);
        if (status == FANIN_OK)
            fanin_whole_add(&whole, &buffer->part);
    }
    if (status == FANIN_OK)
        status = visit_whole(s, i, &whole, error);
    fanin_whole_release(&whole);
    return status;
}

static void scan_group(void *context, size_t g)
{
    const struct small_pass *pass = context;
    struct scanning *s = pass->s;
    const struct group *group = &pass->groups[g];
    fanin_error error;
    struct buffer buffer;
    fanin_status status = buffer_begin(&buffer, &pass->limits, &error);
    if (status != FANIN_OK) {
        fail(s, group->begin, status, &error);
        return;
    }
    for (size_t i = group->begin; i < group->end && !is_over(s); i++) {
        const fanin_weight *weight = &s->weights->weights[i];
        const struct cut cut = cut_of(weight);
        if (cut.nparts > 1)
            continue;
        status = scan_small(s, i, &cut, &buffer, &error);
        if (status != FANIN_OK)
            fail(s, i, status, &error);
        else
            advance(s, nbytes_of(weight, cut.nelem));
    }
    buffer_end(&buffer);
}

static void run_tasks(const struct scanning *s, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    if (s->parallel != NULL && s->parallel->nthreads > 1 && ntasks > 1) {
        s->parallel->run(s->parallel->user, ntasks, task, context);
        return;
    }
    for (size_t i = 0; i < ntasks; i++)
        task(context, i);
}

static fanin_status scan_small_ones(struct scanning *s, fanin_error *error)
{
    size_t n = s->weights->nweights, ngroups = 0;
    struct group *groups = fanin_allocate(n, sizeof *groups);
    if (groups == NULL)
        return fanin_fail_memory(error, n * sizeof *groups);
    uint64_t nbytes = 0;
    for (size_t i = 0, begin = 0; i < n; i++) {
        struct cut cut = cut_of(&s->weights->weights[i]);
        if (cut.nparts <= 1)
            nbytes += nbytes_of(&s->weights->weights[i], cut.nelem);
        if (nbytes >= GROUP_NBYTES || i + 1 - begin >= MAX_GROUP || i + 1 == n) {
            groups[ngroups++] = (struct group){begin, i + 1};
            begin = i + 1;
            nbytes = 0;
        }
    }
    struct small_pass pass = {.s = s, .groups = groups, .limits = limits_of(s, false)};
    run_tasks(s, ngroups, scan_group, &pass);
    fanin_free(groups);
    return FANIN_OK;
}

/* -- Tensors of many parts ------------------------------------------------------------------------------------------*/

/* Tensors that parts may belong to at once: while the last parts of one are summed up, the next one begins. */
enum { NOPEN = 2, SPARE = 2 };

struct open_tensor {
    bool is_open, is_adding; /* a thread is adding parts */
    size_t tensor;
    struct cut cut;
    struct fanin_whole whole;
    uint64_t nadded;
};

struct piece {
    struct buffer buffer;
    bool is_begun, is_taken, is_done;
    struct open_tensor *of; /* of a piece that is taken, and */
    uint64_t number;
};

/* All under the lock, but for what a thread has taken: a piece until it is done, a tensor while it is adding. */
struct large_pass {
    struct scanning *s;
    struct fanin_part_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t change;
    struct open_tensor open[NOPEN];
    struct open_tensor *current; /* whose parts are taken; NULL: the next tensor's */
    size_t next_tensor;
    uint64_t next_part; /* of the current one */
    size_t npieces;
    struct piece *pieces;
};

static struct piece *free_piece(struct large_pass *pass)
{
    for (size_t i = 0; i < pass->npieces; i++)
        if (!pass->pieces[i].is_taken)
            return &pass->pieces[i];
    return NULL;
}

static struct open_tensor *closed_tensor(struct large_pass *pass)
{
    for (size_t i = 0; i < NOPEN; i++)
        if (!pass->open[i].is_open)
            return &pass->open[i];
    return NULL;
}

static bool find_large(struct large_pass *pass)
{
    const fanin_weights *weights = pass->s->weights;
    while (pass->next_tensor < weights->nweights && cut_of(&weights->weights[pass->next_tensor]).nparts <= 1)
        pass->next_tensor++;
    return pass->next_tensor < weights->nweights;
}

/* The tensor of the next part, NULL where another thread has to end one first. */
static struct open_tensor *open_current(struct large_pass *pass, fanin_status *status, fanin_error *error)
{
    if (pass->current != NULL)
        return pass->current;
    struct open_tensor *open = closed_tensor(pass);
    if (open == NULL)
        return NULL;
    *open =
        (struct open_tensor){.tensor = pass->next_tensor, .cut = cut_of(&pass->s->weights->weights[pass->next_tensor])};
    *status = begin_whole(pass->s, open->tensor, &open->cut, &open->whole, error);
    if (*status != FANIN_OK)
        return NULL;
    open->is_open = true;
    pass->current = open;
    pass->next_part = 0;
    return open;
}

/* Waits for a piece and a tensor: those who have them are at work. NULL: nothing is left to be done. */
static struct piece *take_piece(struct large_pass *pass)
{
    fanin_error error;
    for (;;) {
        if (is_over(pass->s) || (pass->current == NULL && !find_large(pass)))
            return NULL;
        fanin_status status = FANIN_OK;
        struct piece *piece = free_piece(pass);
        struct open_tensor *open = piece != NULL ? open_current(pass, &status, &error) : NULL;
        if (status == FANIN_OK && open != NULL && !piece->is_begun) {
            status = buffer_begin(&piece->buffer, &pass->limits, &error);
            piece->is_begun = status == FANIN_OK;
        }
        if (status != FANIN_OK) {
            fail(pass->s, pass->next_tensor, status, &error);
            return NULL;
        }
        if (open != NULL) {
            piece->is_taken = true;
            piece->is_done = false;
            piece->of = open;
            piece->number = pass->next_part++;
            if (pass->next_part == open->cut.nparts) {
                pass->current = NULL;
                pass->next_tensor++;
            }
            return piece;
        }
        pthread_cond_wait(&pass->change, &pass->lock);
    }
}

static struct piece *next_done(struct large_pass *pass, const struct open_tensor *open)
{
    for (size_t i = 0; i < pass->npieces; i++) {
        struct piece *piece = &pass->pieces[i];
        if (piece->is_taken && piece->is_done && piece->of == open && piece->number == open->nadded)
            return piece;
    }
    return NULL;
}

/* Adds what is next in order, unless another thread is at it, which will find what is done. */
static void add_done(struct large_pass *pass, struct open_tensor *open)
{
    struct piece *piece;
    if (open->is_adding)
        return;
    open->is_adding = true;
    while ((piece = next_done(pass, open)) != NULL) {
        pthread_mutex_unlock(&pass->lock);
        fanin_whole_add(&open->whole, &piece->buffer.part);
        pthread_mutex_lock(&pass->lock);
        open->nadded++;
        piece->is_taken = false;
        pthread_cond_broadcast(&pass->change);
    }
    open->is_adding = false;
    if (open->nadded < open->cut.nparts)
        return;
    pthread_mutex_unlock(&pass->lock);
    fanin_error error;
    fanin_status status = is_over(pass->s) ? FANIN_OK : visit_whole(pass->s, open->tensor, &open->whole, &error);
    if (status != FANIN_OK)
        fail(pass->s, open->tensor, status, &error);
    fanin_whole_release(&open->whole);
    pthread_mutex_lock(&pass->lock);
    open->is_open = false;
    pthread_cond_broadcast(&pass->change);
}

/* One of the threads; a parallel-for that runs one after the other has all done by the first. */
static void scan_parts(void *context, size_t worker)
{
    struct large_pass *pass = context;
    struct scanning *s = pass->s;
    struct piece *piece;
    (void)worker;
    pthread_mutex_lock(&pass->lock);
    while ((piece = take_piece(pass)) != NULL) {
        struct open_tensor *open = piece->of;
        pthread_mutex_unlock(&pass->lock);
        fanin_error error;
        const struct place place = place_of(&open->cut, piece->number);
        fanin_status status = take_part(s, open->tensor, &open->whole, place, &piece->buffer, &error);
        if (status != FANIN_OK)
            fail(s, open->tensor, status, &error);
        else
            advance(s, nbytes_of(&s->weights->weights[open->tensor], place.end - place.begin));
        pthread_mutex_lock(&pass->lock);
        if (is_over(s))
            break;
        piece->is_done = true;
        add_done(pass, open);
    }
    pthread_cond_broadcast(&pass->change); /* whoever waits may wait for what is over */
    pthread_mutex_unlock(&pass->lock);
}

static fanin_status scan_large_ones(struct scanning *s, fanin_error *error)
{
    const size_t nthreads = s->parallel != NULL && s->parallel->nthreads > 1 ? (size_t)s->parallel->nthreads : 1;
    struct large_pass pass = {.s = s, .limits = limits_of(s, true), .npieces = nthreads > 1 ? nthreads + SPARE : 1};
    if (!find_large(&pass))
        return FANIN_OK;
    pass.pieces = fanin_allocate_zeroed(pass.npieces, sizeof *pass.pieces);
    if (pass.pieces == NULL)
        return fanin_fail_memory(error, pass.npieces * sizeof *pass.pieces);
    pthread_mutex_init(&pass.lock, NULL);
    pthread_cond_init(&pass.change, NULL);
    run_tasks(s, nthreads, scan_parts, &pass);
    pthread_cond_destroy(&pass.change);
    pthread_mutex_destroy(&pass.lock);
    for (size_t i = 0; i < NOPEN; i++)
        if (pass.open[i].is_open)
            fanin_whole_release(&pass.open[i].whole);
    for (size_t i = 0; i < pass.npieces; i++)
        if (pass.pieces[i].is_begun)
            buffer_end(&pass.pieces[i].buffer);
    fanin_free(pass.pieces);
    return FANIN_OK;
}

static fanin_status scan(struct scanning *s, fanin_error *error)
{
    fanin_clear(error);
    for (size_t i = 0; i < s->weights->nweights; i++) {
        const fanin_weight *weight = &s->weights->weights[i];
        uint64_t nelem, nbits;
        if (!fanin_shape_nelem(weight->shape, weight->ndim, &nelem) || fanin_dtype_nbits(weight->dtype) == 0 ||
            !fanin_checked_mul(nelem, fanin_dtype_nbits(weight->dtype), &nbits))
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "weight %zu has a negative dimension, no dtype, or too many elements", i);
        s->total_nbytes += nbytes_of(weight, nelem);
    }
    pthread_mutex_init(&s->lock, NULL);
    fanin_status status = scan_small_ones(s, error);
    if (status == FANIN_OK && !is_over(s))
        status = scan_large_ones(s, error);
    pthread_mutex_destroy(&s->lock);
    if (status != FANIN_OK)
        return status;
    if (s->status != FANIN_OK) {
        if (error != NULL)
            *error = s->error;
        return s->status;
    }
    return s->is_cancelled ? fanin_fail(error, FANIN_ERROR_CANCELLED, "stopped by the caller") : FANIN_OK;
}

fanin_status fanin_scan_weights(const fanin_weights *weights, const fanin_parallel *parallel, fanin_progress progress,
                                void *user, fanin_scan_visit visit, void *context, fanin_error *error)
{
    struct scanning s = {.weights = weights,
                         .parallel = parallel,
                         .progress = progress,
                         .user = user,
                         .visit = visit,
                         .context = context};
    return scan(&s, error);
}

fanin_status fanin_scan_memory(const fanin_weight *weight, const void *data, const fanin_parallel *parallel,
                               fanin_scan_visit visit, void *context, fanin_error *error)
{
    const fanin_weights weights = {.nweights = 1, .weights = weight, .name = weight->name};
    struct scanning s = {.weights = &weights, .memory = data, .parallel = parallel, .visit = visit, .context = context};
    return scan(&s, error);
}
