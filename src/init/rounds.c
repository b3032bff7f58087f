/* SPDX-License-Identifier: MIT */
/*
 * Rejection rounds, piece after piece. A piece goes through all its rounds before the next one; of later rounds only
 * the values are made that are still needed.
 */
#include "init/rounds.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/random.h"
#include "kernel/convert.h"
#include "rng/stream.h"

enum { MEAN, STD, A, B };

/*
 * Blocks that are looked at while they are in the second cache, a multiple of 4: each portion begins with words that no
 * arithmetic hides. Elements that one call of a kernel makes again.
 */
enum { PORTION = 4096, BATCH = 128 };

static size_t draws_of_block(fanin_dtype dtype)
{
    return dtype == FANIN_F64 ? 2 * FANIN_NORMAL_BLOCK : FANIN_NORMAL_BLOCK;
}

static size_t nbytes_of_block(fanin_dtype dtype)
{
    return (size_t)fanin_dtype_nbits(dtype) / 8 * FANIN_NORMAL_BLOCK;
}

/* A bound as key; that of zero is the one farther out. */
static int16_t key_of(fanin_dtype dtype, double bound, bool is_low)
{
    const float value = (float)bound;
    const uint16_t bits = dtype == FANIN_BF16 ? fanin_bf16_from_f32(value) : fanin_f16_from_f32(value);
    if ((bits & 0x7fff) == 0)
        return is_low ? -1 : 0;
    return (int16_t)(bits >> 15 ? bits ^ 0x7fff : bits);
}

static struct fanin_bounds bounds_of(fanin_dtype dtype, double low, double high)
{
    return (struct fanin_bounds){
        .f64_low = low,
        .f64_high = high,
        .f32_low = (float)low,
        .f32_high = (float)high,
        .key_low = key_of(dtype, low, true),
        .key_high = key_of(dtype, high, false),
        .infinity = dtype == FANIN_BF16 ? 0x7f80 : 0x7c00,
    };
}

static const struct fanin_truncation *truncation_of(const struct fanin_kernel *kernel, fanin_dtype dtype)
{
    return dtype == FANIN_F64   ? &kernel->truncation_f64
           : dtype == FANIN_F32 ? &kernel->truncation_f32
                                : &kernel->truncation_16bit;
}

void fanin_rounds_begin(fanin_rounds *rounds, const fanin_fill *fill, const fanin_tensor *tensor,
                        const fanin_generator *generator)
{
    const fanin_dtype dtype = tensor->dtype;
    const double low = fanin_round_to(dtype, fill->value[A]), high = fanin_round_to(dtype, fill->value[B]);
    bool cached = false;
    rounds->dtype = dtype;
    rounds->mean = fill->value[MEAN];
    rounds->std = fill->value[STD];
    rounds->low = low;
    rounds->high = high;
    rounds->bounds = bounds_of(dtype, low, high);
    rounds->nelem = (uint64_t)fanin_tensor_nelem(tensor);
    rounds->ndraws = fanin_normal_ndraws(dtype, rounds->nelem, true, generator->profile, &cached);
    rounds->n = 0;
    rounds->place[0].generator = *generator;
    rounds->place[0].at = 0;
    for (size_t r = 1; r <= FANIN_ROUNDS_KEPT; r++)
        rounds->place[r].at = UINT64_MAX;
}

/* The generator at a draw of a round, from where `ndraws` will be taken. A round is begun from the one before. */
static fanin_generator *take(fanin_rounds *rounds, uint64_t round, uint64_t draw, uint64_t ndraws)
{
    const size_t slot = round < FANIN_ROUNDS_KEPT ? (size_t)round : FANIN_ROUNDS_KEPT;
    const uint64_t at = round * rounds->ndraws + draw;
    if (slot > 0 && rounds->place[slot].at > at)
        rounds->place[slot] = rounds->place[slot - 1];
    fanin_generator_skip(&rounds->place[slot].generator, at - rounds->place[slot].at);
    rounds->place[slot].at = at + ndraws;
    if (rounds->n <= round)
        rounds->n = round + 1;
    return &rounds->place[slot].generator;
}

/* Blocks being made. */
struct piece {
    uint64_t first; /* block */
    size_t nblocks;
    char *data;
    uint64_t *pending; /* a bit for each element that is outside */
};

static bool first_round(fanin_rounds *rounds, const struct piece *piece)
{
    const size_t nwords = draws_of_block(rounds->dtype), nbytes = nbytes_of_block(rounds->dtype);
    fanin_generator *generator = take(rounds, 0, piece->first * nwords, (uint64_t)piece->nblocks * nwords);
    const struct fanin_truncation *truncation = truncation_of(fanin_kernel_for(generator->profile), rounds->dtype);
    bool any = false;
    for (size_t done = 0; done < piece->nblocks; done += PORTION) {
        const size_t n = piece->nblocks - done < PORTION ? piece->nblocks - done : PORTION;
        char *data = piece->data + done * nbytes;
        fanin_normal_blocks(rounds->dtype, data, (int64_t)n * FANIN_NORMAL_BLOCK, rounds->mean, rounds->std, generator);
        any |= truncation->mark(piece->pending + done * FANIN_NORMAL_BLOCK / 64, data, n, &rounds->bounds);
    }
    return any;
}

/* The last of n bits that is set; there is one. */
static size_t last_pending(const uint64_t *pending, size_t n)
{
    size_t k = (n - 1) / 64;
    while (pending[k] == 0)
        k--;
    return 64 * k + 63 - (size_t)__builtin_clzll(pending[k]);
}

/*
 * Makes elements of a window again, from its words and into its data. Offsets, with room for 7 more, becomes those of
 * the elements that are still outside; returns how many.
 */
static size_t make_again(const fanin_rounds *rounds, const struct fanin_kernel *kernel, const uint32_t *raw, void *data,
                         uint16_t *offsets, size_t count)
{
    enum { HALF = FANIN_NORMAL_HALF, NBLOCKS = BATCH / HALF };
    _Alignas(64) uint32_t words[NBLOCKS * FANIN_NORMAL_BLOCK * 2];
    _Alignas(64) double fresh[NBLOCKS * FANIN_NORMAL_BLOCK];
    uint64_t outside[NBLOCKS * FANIN_NORMAL_BLOCK / 64];
    const struct fanin_truncation *truncation = truncation_of(kernel, rounds->dtype);
    size_t left = 0;
    for (size_t i = count; i % HALF != 0; i++)
        offsets[i] = offsets[count - 1]; /* a block is filled up with what comes out the same */
    for (size_t done = 0; done < count; done += BATCH) {
        const size_t nblocks = count - done < BATCH ? (count - done + HALF - 1) / HALF : NBLOCKS;
        truncation->gather(words, raw, offsets + done, nblocks);
        fanin_normal_make(rounds->dtype, kernel, fresh, words, nblocks, rounds->mean, rounds->std, false);
        truncation->mark(outside, fresh, nblocks, &rounds->bounds);
        const size_t more = truncation->scatter(data, fresh, outside, offsets + done, nblocks);
        memmove(offsets + left, offsets + done, more * sizeof *offsets);
        left += more;
    }
    return left;
}

/* Makes the pending elements again; those that are still outside stay pending. */
static bool later_round(fanin_rounds *rounds, uint64_t round, const struct piece *piece)
{
    enum { BLOCK = FANIN_NORMAL_BLOCK };
    const size_t nwords = draws_of_block(rounds->dtype), nbytes = nbytes_of_block(rounds->dtype);
    uint64_t *pending = piece->pending;
    const size_t end = last_pending(pending, piece->nblocks * BLOCK) / BLOCK + 1;
    size_t done = fanin_next_pending(pending, 0, end * BLOCK) / BLOCK;
    uint16_t offsets[FANIN_STREAM_BLOCKS * FANIN_MT19937_NWORDS + 7];
    bool any = false;
    fanin_stream stream;
    fanin_stream_begin(&stream, take(rounds, round, (piece->first + done) * nwords, (end - done) * nwords));
    while (done < end) {
        const size_t first = fanin_next_pending(pending, done * BLOCK, end * BLOCK) / BLOCK;
        const uint32_t *raw;
        fanin_stream_skip(&stream, (uint64_t)(first - done) * nwords);
        done = first + fanin_stream_take(&stream, (end - first) * nwords, nwords, &raw) / nwords;
        size_t count = stream.kernel->take_bits(pending, first * BLOCK, done * BLOCK, offsets);
        count = make_again(rounds, stream.kernel, raw, piece->data + first * nbytes, offsets, count);
        any |= count > 0;
        for (size_t i = 0; i < count; i++) {
            const size_t at = first * BLOCK + offsets[i];
            pending[at / 64] |= (uint64_t)1 << (at % 64);
        }
    }
    fanin_stream_end(&stream);
    return any;
}

/*
 * The end of a tensor whose length is no multiple of 16: a fresh tensor makes its last 16 elements by themselves, over
 * part of the block before. `data` are those 16 to 31 elements, the last `length` of the tensor.
 */
static void make_end(fanin_rounds *rounds, uint64_t length, void *data)
{
    const fanin_dtype dtype = rounds->dtype;
    const uint64_t draw = (rounds->nelem - length) / FANIN_NORMAL_BLOCK * draws_of_block(dtype);
    fanin_chunk made, fresh;
    uint64_t pending = ~(uint64_t)0;
    for (uint64_t round = 0; pending != 0; round++) {
        fanin_generator *generator = take(rounds, round, draw, rounds->ndraws - draw);
        fanin_normal_blocks(dtype, &fresh, (int64_t)length, rounds->mean, rounds->std, generator);
        uint64_t outside = 0;
        for (size_t i = 0; i < length; i++) {
            if (!(pending >> i & 1))
                continue;
            const double value = fanin_chunk_get(dtype, &fresh, i);
            fanin_chunk_set(dtype, &made, i, value);
            outside |= (uint64_t)(value < rounds->low || value > rounds->high) << i;
        }
        pending = outside;
    }
    memcpy(data, &made, (size_t)length * fanin_dtype_nbits(dtype) / 8);
}

/* How many of n elements come next, at most `most`; the last part has 16 at least. */
static uint64_t part_of(uint64_t n, uint64_t most)
{
    return n <= most ? n : n < most + FANIN_NORMAL_BLOCK ? most - FANIN_NORMAL_BLOCK : most;
}

/* Elements [first, first + n), the blocks of which are one piece. */
static void make(fanin_rounds *rounds, uint64_t first, uint64_t n, char *out, uint64_t *pending)
{
    const uint64_t rest = n % FANIN_NORMAL_BLOCK;
    const struct piece piece = {.first = first / FANIN_NORMAL_BLOCK,
                                .nblocks = (size_t)(n / FANIN_NORMAL_BLOCK - (rest > 0)),
                                .data = out,
                                .pending = pending};
    bool any = piece.nblocks > 0 && first_round(rounds, &piece);
    for (uint64_t round = 1; any; round++)
        any = later_round(rounds, round, &piece);
    if (rest > 0)
        make_end(rounds, FANIN_NORMAL_BLOCK + rest, out + piece.nblocks * nbytes_of_block(rounds->dtype));
}

void fanin_rounds_make(fanin_rounds *rounds, uint64_t first, uint64_t n, void *out)
{
    const size_t nbytes = fanin_dtype_nbits(rounds->dtype) / 8;
    for (uint64_t done = 0, part; done < n; done += part) {
        part = part_of(n - done, FANIN_ROUNDS_PIECE);
        make(rounds, first + done, part, (char *)out + done * nbytes, rounds->pending);
    }
}

void fanin_rounds_end(const fanin_rounds *rounds, uint64_t nrounds, fanin_generator *generator)
{
    const uint64_t end = nrounds * rounds->ndraws;
    size_t slot = FANIN_ROUNDS_KEPT;
    while (rounds->place[slot].at > end)
        slot--;
    *generator = rounds->place[slot].generator;
    fanin_generator_skip(generator, end - rounds->place[slot].at);
}

/* ---- on threads ---- */

/* SCRATCH: elements, in the second cache with all that the rounds keep */
enum { MAX_SECTIONS = 64, SCRATCH = 16 * 1024 };

/* Each section begins every round with a jump (0.3 ms), and there are 6 to 10: with fewer elements it mostly jumps. */
static const uint64_t MIN_SECTION = (uint64_t)4 << 20;
/*
 * Elements that go through each round in one go, memory for memory, until this many: then pieces, which stay in the
 * second cache through all their rounds, win more than the jump costs by which each round begins for them.
 */
static const uint64_t MIN_IN_PIECES = (uint64_t)16 << 20;

struct section {
    uint64_t begin, end;
    char *data;        /* of the tensor; NULL: made into the scratch, for the count of its rounds */
    uint64_t *pending; /* of its part of the tensor; NULL: it is made in pieces */
    fanin_rounds rounds;
    char scratch[SCRATCH * sizeof(double)];
};

static void run_section(void *context, size_t i)
{
    struct section *section = (struct section *)context + i;
    const size_t nbytes = fanin_dtype_nbits(section->rounds.dtype) / 8;
    if (section->data != NULL) {
        const uint64_t length = section->end - section->begin;
        char *data = section->data + section->begin * nbytes;
        if (section->pending == NULL)
            fanin_rounds_make(&section->rounds, section->begin, length, data);
        else
            make(&section->rounds, section->begin, length, data, section->pending);
        return;
    }
    for (uint64_t at = section->begin, n; at < section->end; at += n) {
        n = part_of(section->end - at, SCRATCH);
        fanin_rounds_make(&section->rounds, at, n, section->scratch);
    }
}

fanin_status fanin_rounds_run(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                              const fanin_parallel *parallel, fanin_error *error)
{
    const uint64_t nelem = (uint64_t)fanin_tensor_nelem(tensor);
    uint64_t n = parallel != NULL && parallel->nthreads > 1 ? nelem / MIN_SECTION : 1, nrounds = 0;
    if (n > 1 && n > parallel->nthreads)
        n = parallel->nthreads;
    n = n < 1 ? 1 : n > MAX_SECTIONS ? MAX_SECTIONS : n;
    const uint64_t length = nelem / n / 64 * 64; /* sections begin with a word of bits, so that each has its own */
    const bool in_one_go = tensor->data != NULL && length < MIN_IN_PIECES;
    const uint64_t nwords = in_one_go ? nelem / 64 + 1 : 0;
    struct section *sections = fanin_allocate(n, sizeof *sections);
    uint64_t *pending = fanin_allocate(nwords, sizeof *pending);
    if (sections == NULL || pending == NULL) {
        fanin_free(sections);
        fanin_free(pending);
        return fanin_fail_memory(error, n * sizeof *sections + nwords * sizeof *pending);
    }
    for (uint64_t i = 0; i < n; i++) {
        sections[i].begin = i * length;
        sections[i].end = i + 1 < n ? (i + 1) * length : nelem;
        sections[i].data = tensor->data;
        sections[i].pending = in_one_go ? pending + sections[i].begin / 64 : NULL;
        fanin_rounds_begin(&sections[i].rounds, fill, tensor, generator);
    }
    if (n > 1)
        parallel->run(parallel->user, n, run_section, sections);
    else
        run_section(sections, 0);
    for (uint64_t i = 0; i < n; i++)
        if (nrounds < sections[i].rounds.n)
            nrounds = sections[i].rounds.n;
    fanin_rounds_end(&sections[n - 1].rounds, nrounds, generator);
    fanin_free(pending);
    fanin_free(sections);
    return FANIN_OK;
}
