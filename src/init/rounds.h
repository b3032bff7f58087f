/* SPDX-License-Identifier: MIT */
/*
 * trunc_normal_ by rejection of normals that come in blocks, piece after piece: a round draws for the whole tensor, and
 * since each block has its own place in every round, a piece needs nothing of the others. How many rounds the tensor
 * takes, and with them where the next fill begins, is the most that any of its pieces needs.
 */
#ifndef FANIN_INIT_ROUNDS_H
#define FANIN_INIT_ROUNDS_H

#include "fanin/fill.h"
#include "kernel/kernel.h"

/* Rounds that keep their place in the stream from one piece to the next; more are rare, and found again each time. */
enum { FANIN_ROUNDS_KEPT = 64 };
/* Elements that go through all their rounds at a time, where there is no memory of more. */
enum { FANIN_ROUNDS_PIECE = 256 * 1024 };

typedef struct fanin_rounds {
    fanin_dtype dtype;
    double mean, std;
    double low, high; /* rounded to the dtype */
    struct fanin_bounds bounds;
    uint64_t nelem;  /* of the whole tensor */
    uint64_t ndraws; /* of one round */
    uint64_t n;      /* rounds that were needed so far */
    /* where each round's next piece is drawn, at the latest; the last one serves all rounds beyond */
    struct {
        fanin_generator generator;
        uint64_t at; /* draws from the first of the tensor; UINT64_MAX: not begun */
    } place[FANIN_ROUNDS_KEPT + 1];
    uint64_t pending[FANIN_ROUNDS_PIECE / 64]; /* a bit for each element of a piece that is outside */
} fanin_rounds;

/* Whether this fill is one: contiguous, by rejection of normals in blocks, more than one round possible. */
bool fanin_fill_has_rounds(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile);

/* `generator` stands at the tensor's first draw. Values of the fill have been checked. */
void fanin_rounds_begin(fanin_rounds *rounds, const fanin_fill *fill, const fanin_tensor *tensor,
                        const fanin_generator *generator);
/*
 * Makes elements [first, first + n). Calls go forward; a first one may begin anywhere. `first` is a multiple of 16, and
 * so is n but for the last piece of the tensor, which has at least 16.
 */
void fanin_rounds_make(fanin_rounds *rounds, uint64_t first, uint64_t n, void *out);
/* Where the generator stands after nrounds of the tensor. */
void fanin_rounds_end(const fanin_rounds *rounds, uint64_t nrounds, fanin_generator *generator);

/* All of it, on threads if there are some. tensor->data NULL: for the generator alone. */
fanin_status fanin_rounds_run(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                              const fanin_parallel *parallel, fanin_error *error);

/* The first bit from `from` on that is set; `end` if there is none before it. */
static inline size_t fanin_next_pending(const uint64_t *pending, size_t from, size_t end)
{
    if (from >= end)
        return end;
    size_t k = from / 64;
    uint64_t word = pending[k] >> (from % 64) << (from % 64);
    while (word == 0) {
        if (64 * ++k >= end)
            return end;
        word = pending[k];
    }
    from = 64 * k + (size_t)__builtin_ctzll(word);
    return from < end ? from : end;
}

#endif
