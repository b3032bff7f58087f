/* SPDX-License-Identifier: MIT */
/*
 * A generator opened for bulk drawing: raw words in long contiguous runs, so that kernels see whole vectors.
 */
#ifndef FANIN_RNG_STREAM_H
#define FANIN_RNG_STREAM_H

#include "kernel/kernel.h"

/* Blocks of 624 words kept: with the output that is made of them they stay inside a first-level cache. */
enum { FANIN_STREAM_BLOCKS = 9 };

/* Words from which on a jump, about 0.2 ms, is faster than making them, which vectors do at 7 to 15 G/s. */
enum { FANIN_JUMP_PAYS = 1 << 21 };

/* Between begin and end the generator's draws are here; use nothing else on it. */
typedef struct fanin_stream {
    const struct fanin_kernel *kernel;
    fanin_generator *generator;
    size_t position; /* next unread word */
    size_t end;      /* words there are; words[0] begins a block as torch has them */
    bool touched;
    uint32_t words[FANIN_STREAM_BLOCKS * FANIN_MT19937_NWORDS + FANIN_MT_MORE];
} fanin_stream;

void fanin_stream_begin(fanin_stream *stream, fanin_generator *generator);
void fanin_stream_end(fanin_stream *stream);

/*
 * The next raw words, consumed: returns how many, > 0, at most `want` and a multiple of `group` (a power of two up to
 * 32 that divides want).
 */
size_t fanin_stream_take(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw);

/*
 * The same for a kernel that can make words while it takes others. With *running it must make as many as it takes,
 * behind raw[0..623], before the next take: words that lie further than these come to be on the way.
 */
size_t fanin_stream_take_running(fanin_stream *stream, size_t want, size_t group, uint32_t **raw, bool *running);

/* Leaves out n words: by making them, or by a jump where that is faster. */
void fanin_stream_skip(fanin_stream *stream, uint64_t n);

#endif
