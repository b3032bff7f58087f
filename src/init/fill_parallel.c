/* SPDX-License-Identifier: MIT */
/*
 * One fill on several threads: the tensor is cut into pieces, each with a generator that was moved to its first draw.
 */
#include "base/error.h"
#include "base/memory.h"
#include "init/orthogonal.h"
#include "init/rounds.h"
#include "fanin/fill.h"

enum { MAX_PIECES = 256 };

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
};

static void run_piece(void *context, size_t i)
{
    struct job *job = context;
    struct piece *piece = &job->pieces[i];
    if (job->draws) {
        piece->generator = *job->start;
        fanin_generator_skip(&piece->generator, piece->skip);
    }
    piece->status = fanin_fill_run(job->fill, &piece->view, job->draws ? &piece->generator : NULL, &piece->error);
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

/* Pieces of equal length, multiples of 16 elements but the last. */
static fanin_status cut(const fanin_tensor *tensor, const struct job *job, size_t npieces, fanin_profile profile,
                        fanin_error *error)
{
    const int64_t nelem = fanin_tensor_nelem(tensor), length = nelem / (int64_t)npieces / 16 * 16;
    const size_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    for (size_t i = 0; i < npieces; i++) {
        int64_t begin = length * (int64_t)i, end = i + 1 < npieces ? begin + length : nelem;
        fanin_tensor before = fanin_tensor_1d(NULL, tensor->dtype, begin);
        fanin_fill_stream stream = {0};
        job->pieces[i].view =
            fanin_tensor_1d((char *)tensor->data + (size_t)begin * nbytes, tensor->dtype, end - begin);
        FANIN_TRY(fanin_fill_measure(job->fill, &before, profile, &stream, error));
        job->pieces[i].skip = stream.ndraws;
    }
    return FANIN_OK;
}

fanin_status fanin_fill_run_parallel(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                                     const fanin_parallel *parallel, fanin_error *error)
{
    const fanin_profile profile = generator != NULL ? generator->profile : FANIN_PROFILE_TORCH;
    if (fill->kind == FANIN_FILL_ORTHOGONAL && parallel != NULL && parallel->nthreads > 1 && generator != NULL &&
        tensor->data != NULL && fanin_fill_check(fill, tensor, profile, error) == FANIN_OK)
        return fanin_orthogonal_run(fill->value[0], tensor, generator, parallel, error);
    if (generator != NULL && tensor->data != NULL && fanin_fill_check(fill, tensor, profile, error) == FANIN_OK &&
        fanin_fill_has_rounds(fill, tensor, profile))
        return fanin_rounds_run(fill, tensor, generator, parallel, error);
    size_t npieces = parallel != NULL ? count_pieces(fanin_tensor_nelem(tensor), parallel) : 0;
    if (npieces < 2 || tensor->data == NULL || fanin_fill_check(fill, tensor, profile, error) != FANIN_OK ||
        !fanin_fill_is_splittable(fill, tensor, profile) || (generator == NULL && fill->kind != FANIN_FILL_CONSTANT))
        return fanin_fill_run(fill, tensor, generator, error);
    struct job job = {.fill = fill, .start = generator, .draws = generator != NULL};
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
