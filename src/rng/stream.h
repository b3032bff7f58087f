/* SPDX-License-Identifier: MIT */
/*
 * A generator opened for bulk drawing: raw words in long contiguous runs, so that kernels see whole vectors.
 */
#ifndef FANIN_RNG_STREAM_H
#define FANIN_RNG_STREAM_H

#include "kernel/kernel.h"

/* Blocks of 624 words made at a time: two buffers of them and the output stay inside a first-level cache. */
enum { FANIN_STREAM_BLOCKS = 4 };

/* Words from which on a jump, about 0.3 ms, is faster than making them, which vectors do at 7 to 15 G/s. */
enum { FANIN_JUMP_PAYS = 1 << 21 };

/* Between begin and end the generator's draws are here; use nothing else on it. */
typedef struct fanin_stream {
    const struct fanin_kernel *kernel;
    fanin_generator *generator;
    size_t position; /* next unread word of the buffer in use */
    size_t end;      /* words there are */
    bool touched;
    unsigned char current; /* the buffer in use; the other one is for words made ahead */
    /* vectors may load one past the last block */
    uint32_t words[2][(FANIN_STREAM_BLOCKS + 1) * FANIN_MT19937_NWORDS + 16];
} fanin_stream;

void fanin_stream_begin(fanin_stream *stream, fanin_generator *generator);
void fanin_stream_end(fanin_stream *stream);

/*
 * The next raw words, consumed: returns how many, > 0, at most `want` and a multiple of `group` (a power of two up to
 * 32 that divides want).
 */
size_t fanin_stream_take(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw);

/* The same for a kernel that makes the next words on the way: it must make all of `ahead` before the next take. */
size_t fanin_stream_take_ahead(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw,
                               struct fanin_ahead *ahead);

/* Leaves out n words: by making them, or by a jump where that is faster. */
void fanin_stream_skip(fanin_stream *stream, uint64_t n);

#endif
