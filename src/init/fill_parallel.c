/* SPDX-License-Identifier: MIT */
/*
 * One fill on several threads: the tensor is cut into pieces, each with a generator that was moved to its first draw.
 */
#include "base/error.h"
#include "base/memory.h"
#include "base/touch.h"
#include "init/orthogonal.h"
#include "init/rounds.h"
#include "fanin/fill.h"

enum { MAX_PIECES = 256 };

/* Less is touched by filling it. */
enum { MIN_FRESH_NBYTES = 1 << 20 };

/* Fresh memory is touched and filled by so many elements at a time, which the second pass still finds in the cache. */
enum { FRESH_NELEM = 256 * 1024 };

/*
 * Below this many elements a piece waking a thread (20 us) and leaving out the draws before it (0.15 ns each, at most
 * 0.6 ms) cost more than they save: so many uniform draws take 50 us, normals 130 us.
 */
static const int64_t MIN_PIECE = 1 << 17;

struct piece {
    fanin_tensor view;
    uint64_t skip; /* draws before it */
    fanin_generator generator;
    fanin_status status;
    fanin_error error;
};

struct job {
    const fanin_fill *fill;
    const fanin_generator *start;
    struct piece *pieces;
    bool draws;
    fanin_touch *touch; /* NULL: the memory is in use */
};

/* A fill that can be split is the same in parts of multiples of 16 elements, of which the last has 16 or more. */
static fanin_status fill_fresh(const fanin_fill *fill, const fanin_tensor *view, fanin_generator *generator,
                               fanin_touch *touch, fanin_error *error)
{
    const int64_t nelem = fanin_tensor_nelem(view);
    const size_t nbytes = fanin_dtype_nbits(view->dtype) / 8;
    char *data = view->data;
    fanin_touch_part part = fanin_touch_part_of(touch, data, (size_t)nelem * nbytes);
    for (int64_t begin = 0, end; begin < nelem; begin = end) {
        end = nelem - begin < 2 * FRESH_NELEM ? nelem : begin + FRESH_NELEM;
        fanin_touch_until(&part, data + (size_t)end * nbytes);
        const fanin_tensor now = fanin_tensor_1d(data + (size_t)begin * nbytes, view->dtype, end - begin);
        FANIN_TRY(fanin_fill_run(fill, &now, generator, error));
    }
    return FANIN_OK;
}

static void run_piece(void *context, size_t i)
{
    struct job *job = context;
    struct piece *piece = &job->pieces[i];
    fanin_generator *generator = job->draws ? &piece->generator : NULL;
    if (job->draws) {
        piece->generator = *job->start;
        fanin_generator_skip(&piece->generator, piece->skip);
    }
    piece->status = job->touch != NULL ? fill_fresh(job->fill, &piece->view, generator, job->touch, &piece->error)
                                       : fanin_fill_run(job->fill, &piece->view, generator, &piece->error);
}

static size_t count_pieces(int64_t nelem, const fanin_parallel *parallel)
{
    size_t n = parallel->nthreads;
    if (n > MAX_PIECES)
        n = MAX_PIECES;
    if ((int64_t)n > nelem / MIN_PIECE)
        n = (size_t)(nelem / MIN_PIECE);
    return n;
}

/*
 * What leaving out draws costs, in elements of the fill: 0.12 ns a draw, at most 0.4 ms, beside 0.35 ns for a uniform
 * value and 0.75 ns for a normal one, in float64 three and six times as much.
 */
static double jump_nelem(const fanin_fill *fill, fanin_dtype dtype, uint64_t ndraws)
{
    const double most = 0.4e6, jump = 0.12 * (double)ndraws;
    const double normal = dtype == FANIN_F64 ? 4.5 : 0.75, uniform = dtype == FANIN_F64 ? 1.0 : 0.35;
    return (jump < most ? jump : most) / (fill->kind == FANIN_FILL_UNIFORM ? uniform : normal);
}

static fanin_status count_draws_before(const fanin_tensor *tensor, const fanin_fill *fill, int64_t nelem,
                                       fanin_profile profile, uint64_t *ndraws, fanin_error *error)
{
    const fanin_tensor before = fanin_tensor_1d(NULL, tensor->dtype, nelem);
    fanin_fill_stream stream = {0};
    FANIN_TRY(fanin_fill_measure(fill, &before, profile, &stream, error));
    *ndraws = stream.ndraws;
    return FANIN_OK;
}

/*
 * Pieces of multiples of 16 elements but the last. Each is shorter by what the jump to it costs, but by no more than
 * half, so that all end at once.
 */
static fanin_status cut(const fanin_tensor *tensor, const struct job *job, size_t npieces, fanin_profile profile,
                        fanin_error *error)
{
    const int64_t nelem = fanin_tensor_nelem(tensor), even = nelem / (int64_t)npieces;
    const size_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    double saved[MAX_PIECES] = {0}, total = 0;
    for (size_t i = 1; i < npieces && job->draws; i++) {
        uint64_t ndraws;
        FANIN_TRY(count_draws_before(tensor, job->fill, even * (int64_t)i, profile, &ndraws, error));
        saved[i] = jump_nelem(job->fill, tensor->dtype, ndraws);
        if (saved[i] > (double)even / 2)
            saved[i] = (double)even / 2;
        total += saved[i];
    }
    for (int64_t i = 0, begin = 0, end; i < (int64_t)npieces; i++, begin = end) {
        struct piece *piece = &job->pieces[i];
        const double length = (double)even + total / (double)npieces - saved[i];
        end = i + 1 < (int64_t)npieces ? begin + (int64_t)length / 16 * 16 : nelem;
        piece->view = fanin_tensor_1d((char *)tensor->data + (size_t)begin * nbytes, tensor->dtype, end - begin);
        FANIN_TRY(count_draws_before(tensor, job->fill, begin, profile, &piece->skip, error));
    }
    return FANIN_OK;
}

/* touch: what of the memory is fresh; NULL: nothing */
static fanin_status run(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                        const fanin_parallel *parallel, fanin_touch *touch, fanin_error *error)
{
    const fanin_profile profile = generator != NULL ? generator->profile : FANIN_PROFILE_TORCH;
    const bool is_valid = tensor->data != NULL && fanin_fill_check(fill, tensor, profile, error) == FANIN_OK;
    if (is_valid && fill->kind == FANIN_FILL_ORTHOGONAL && parallel != NULL && parallel->nthreads > 1 &&
        generator != NULL)
        return fanin_orthogonal_run(fill->value[0], tensor, generator, parallel, error);
    if (is_valid && generator != NULL && fanin_fill_has_rounds(fill, tensor, profile))
        return fanin_rounds_run(fill, tensor, generator, parallel, error);
    const size_t npieces = parallel != NULL ? count_pieces(fanin_tensor_nelem(tensor), parallel) : 0;
    if (!is_valid || !fanin_fill_is_splittable(fill, tensor, profile) ||
        (generator == NULL && fill->kind != FANIN_FILL_CONSTANT))
        return fanin_fill_run(fill, tensor, generator, error);
    if (npieces < 2)
        return touch != NULL ? fill_fresh(fill, tensor, generator, touch, error)
                             : fanin_fill_run(fill, tensor, generator, error);
    struct job job = {.fill = fill, .start = generator, .draws = generator != NULL, .touch = touch};
    job.pieces = fanin_allocate(npieces, sizeof *job.pieces);
    if (job.pieces == NULL)
        return fanin_fail_memory(error, npieces * sizeof *job.pieces);
    fanin_status status = cut(tensor, &job, npieces, profile, error);
    if (status == FANIN_OK)
        parallel->run(parallel->user, npieces, run_piece, &job);
    for (size_t i = 0; i < npieces && status == FANIN_OK; i++) {
        status = job.pieces[i].status;
        if (error != NULL)
            *error = job.pieces[i].error;
    }
    if (status == FANIN_OK && generator != NULL)
        *generator = job.pieces[npieces - 1].generator;
    fanin_free(job.pieces);
    return status;
}

fanin_status fanin_fill_run_parallel(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                                     const fanin_parallel *parallel, fanin_error *error)
{
    return run(fill, tensor, generator, parallel, NULL, error);
}

fanin_status fanin_fill_run_fresh(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                                  const fanin_parallel *parallel, bool *huge, fanin_error *error)
{
    fanin_touch touch;
    if (generator == NULL || fanin_fill_check(fill, tensor, generator->profile, error) != FANIN_OK)
        return run(fill, tensor, generator, parallel, NULL, error);
    const size_t nbytes = (size_t)fanin_tensor_nelem(tensor) * fanin_dtype_nbits(tensor->dtype) / 8;
    if (nbytes < MIN_FRESH_NBYTES || !fanin_tensor_is_contiguous(tensor))
        return run(fill, tensor, generator, parallel, NULL, error);
    const bool is_whole = !fanin_fill_is_splittable(fill, tensor, generator->profile) ||
                          fanin_fill_has_rounds(fill, tensor, generator->profile);
    if (is_whole) {
        if (fanin_parallel_touch(parallel, tensor->data, nbytes, *huge))
            *huge = false;
        return run(fill, tensor, generator, parallel, NULL, error);
    }
    if (!fanin_touch_begin(&touch, tensor->data, nbytes, *huge))
        return run(fill, tensor, generator, parallel, NULL, error);
    const fanin_status status = run(fill, tensor, generator, parallel, &touch, error);
    if (fanin_touch_was_cold(&touch))
        *huge = false;
    return status;
}
