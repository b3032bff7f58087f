/* SPDX-License-Identifier: MIT */
/*
 * The pass over weights. A tensor is cut into parts of fixed size, whole rows where rows are short; each part is summed
 * up on its own, and parts are put together in their order, so that no bit depends on threads or on how bytes arrive.
 * Tensors of one part are looked at side by side, larger ones one after the other with their parts side by side.
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

static fanin_status read_part(const struct scanning *s, size_t i, struct place place, uint8_t *bytes,
                              fanin_error *error)
{
    const fanin_weight *weight = &s->weights->weights[i];
    uint64_t from = nbytes_of(weight, place.begin);
    return s->weights->read(s->weights->user, i, from, bytes, (size_t)(nbytes_of(weight, place.end) - from), error);
}

/* -- Tensors of one part --------------------------------------------------------------------------------------------*/

struct group {
    size_t begin, end; /* of the tensors; those of more parts among them are passed over */
};

struct small_pass {
    struct scanning *s;
    const struct group *groups;
};

static fanin_status scan_small(struct scanning *s, size_t i, const struct cut *cut, struct fanin_part *part,
                               uint8_t *bytes, fanin_error *error)
{
    const fanin_weight *weight = &s->weights->weights[i];
    struct fanin_whole whole;
    FANIN_TRY(fanin_whole_begin(&whole, weight->dtype, cut->nelem, cut->nrows, cut->ncols, cut->keeps_rows,
                                cut->has_columns, error));
    fanin_status status = FANIN_OK;
    if (cut->nelem > 0) {
        struct place place = place_of(cut, 0);
        status = read_part(s, i, place, bytes, error);
        if (status == FANIN_OK) {
            fanin_part_take(part, &whole, bytes, place.begin, place.end, place.row, place.column);
            fanin_whole_add(&whole, part);
        }
    }
    if (status == FANIN_OK) {
        struct fanin_scan scan;
        status = fanin_whole_end(&whole, &scan, error);
        if (status == FANIN_OK)
            status = s->visit(s->context, i, &scan, error);
    }
    fanin_whole_release(&whole);
    return status;
}

static void scan_group(void *context, size_t g)
{
    const struct small_pass *pass = context;
    struct scanning *s = pass->s;
    const struct group *group = &pass->groups[g];
    fanin_error error;
    struct fanin_part part;
    uint8_t *bytes = fanin_allocate(PART_NELEM, 8);
    fanin_status status = bytes != NULL ? fanin_part_begin(&part, PART_NELEM, PART_NROWS, &error)
                                        : fanin_fail_memory(&error, (uint64_t)PART_NELEM * 8);
    if (status != FANIN_OK) {
        fail(s, group->begin, status, &error);
        fanin_free(bytes);
        return;
    }
    for (size_t i = group->begin; i < group->end && !is_over(s); i++) {
        const fanin_weight *weight = &s->weights->weights[i];
        struct cut cut = cut_of(weight);
        if (cut.nparts > 1)
            continue;
        status = scan_small(s, i, &cut, &part, bytes, &error);
        if (status != FANIN_OK)
            fail(s, i, status, &error);
        else
            advance(s, nbytes_of(weight, cut.nelem));
    }
    fanin_part_release(&part);
    fanin_free(bytes);
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
    struct small_pass pass = {.s = s, .groups = groups};
    run_tasks(s, ngroups, scan_group, &pass);
    fanin_free(groups);
    return FANIN_OK;
}

/* -- Tensors of many parts ------------------------------------------------------------------------------------------*/

struct large_pass {
    struct scanning *s;
    size_t tensor;
    const struct cut *cut;
    const struct fanin_whole *whole;
    struct fanin_part *parts;
    uint8_t *bytes; /* PART_NELEM * 8 a part */
    uint64_t first; /* of this round */
};

static void scan_part(void *context, size_t i)
{
    const struct large_pass *pass = context;
    struct scanning *s = pass->s;
    struct place place = place_of(pass->cut, pass->first + i);
    uint8_t *bytes = pass->bytes + i * PART_NELEM * 8;
    fanin_error error;
    if (is_over(s))
        return;
    fanin_status status = read_part(s, pass->tensor, place, bytes, &error);
    if (status != FANIN_OK) {
        fail(s, pass->tensor, status, &error);
        return;
    }
    fanin_part_take(&pass->parts[i], pass->whole, bytes, place.begin, place.end, place.row, place.column);
    advance(s, nbytes_of(&s->weights->weights[pass->tensor], place.end - place.begin));
}

static fanin_status scan_large(struct scanning *s, size_t i, const struct cut *cut, struct fanin_part *parts,
                               uint8_t *bytes, size_t nparts, fanin_error *error)
{
    struct fanin_whole whole;
    FANIN_TRY(fanin_whole_begin(&whole, s->weights->weights[i].dtype, cut->nelem, cut->nrows, cut->ncols,
                                cut->keeps_rows, cut->has_columns, error));
    struct large_pass pass = {.s = s, .tensor = i, .cut = cut, .whole = &whole, .parts = parts, .bytes = bytes};
    while (pass.first < cut->nparts && !is_over(s)) {
        uint64_t left = cut->nparts - pass.first;
        size_t n = left < nparts ? (size_t)left : nparts;
        run_tasks(s, n, scan_part, &pass);
        for (size_t p = 0; p < n && !is_over(s); p++)
            fanin_whole_add(&whole, &parts[p]);
        pass.first += n;
    }
    fanin_status status = FANIN_OK;
    if (!is_over(s)) {
        struct fanin_scan scan;
        status = fanin_whole_end(&whole, &scan, error);
        if (status == FANIN_OK)
            status = s->visit(s->context, i, &scan, error);
    }
    fanin_whole_release(&whole);
    return status;
}

static fanin_status scan_large_ones(struct scanning *s, fanin_error *error)
{
    bool is_any = false;
    for (size_t i = 0; i < s->weights->nweights; i++)
        is_any = is_any || cut_of(&s->weights->weights[i]).nparts > 1;
    if (!is_any)
        return FANIN_OK;
    size_t nparts = s->parallel != NULL && s->parallel->nthreads > 1 ? (size_t)s->parallel->nthreads : 1, nbegun = 0;
    struct fanin_part *parts = fanin_allocate_zeroed(nparts, sizeof *parts);
    uint8_t *bytes = fanin_allocate(nparts, (size_t)PART_NELEM * 8);
    fanin_status status =
        parts != NULL && bytes != NULL ? FANIN_OK : fanin_fail_memory(error, nparts * (uint64_t)PART_NELEM * 8);
    for (; nbegun < nparts && status == FANIN_OK; nbegun++)
        status = fanin_part_begin(&parts[nbegun], PART_NELEM, PART_NROWS, error);
    for (size_t i = 0; i < s->weights->nweights && status == FANIN_OK && !is_over(s); i++) {
        struct cut cut = cut_of(&s->weights->weights[i]);
        if (cut.nparts > 1)
            status = scan_large(s, i, &cut, parts, bytes, nparts, error);
    }
    for (size_t p = 0; p < nbegun; p++)
        fanin_part_release(&parts[p]);
    fanin_free(bytes);
    fanin_free(parts);
    return status;
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
    fanin_clear(error);
    for (size_t i = 0; i < weights->nweights; i++) {
        const fanin_weight *weight = &weights->weights[i];
        uint64_t nelem, nbits;
        if (!fanin_shape_nelem(weight->shape, weight->ndim, &nelem) || fanin_dtype_nbits(weight->dtype) == 0 ||
            !fanin_checked_mul(nelem, fanin_dtype_nbits(weight->dtype), &nbits))
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "weight %zu has a negative dimension, no dtype, or too many elements", i);
        s.total_nbytes += nbytes_of(weight, nelem);
    }
    pthread_mutex_init(&s.lock, NULL);
    fanin_status status = scan_small_ones(&s, error);
    if (status == FANIN_OK && !is_over(&s))
        status = scan_large_ones(&s, error);
    pthread_mutex_destroy(&s.lock);
    if (status != FANIN_OK)
        return status;
    if (s.status != FANIN_OK) {
        if (error != NULL)
            *error = s.error;
        return s.status;
    }
    return s.is_cancelled ? fanin_fail(error, FANIN_ERROR_CANCELLED, "stopped by the caller") : FANIN_OK;
}
