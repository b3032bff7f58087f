/* SPDX-License-Identifier: MIT */
/*
 * Bulk drawing. The words are one linear array: the last block made stays in front, the next ones are made behind it,
 * and a group that straddles two fills is contiguous all the same.
 */
#include <string.h>

#include "rng/stream.h"

enum { N = FANIN_MT19937_NWORDS };

void fanin_stream_begin(fanin_stream *stream, fanin_generator *generator)
{
    stream->kernel = fanin_kernel_for(generator->profile);
    stream->generator = generator;
    stream->current = 0;
    memcpy(stream->words[0], generator->words, sizeof generator->words);
    stream->end = N;
    stream->position = generator->left == 1 ? N : generator->next;
    stream->touched = false;
}

void fanin_stream_end(fanin_stream *stream)
{
    if (!stream->touched)
        return;
    /* the block that holds the last word drawn: torch refills only for the next draw */
    size_t block = (stream->position - 1) / N;
    fanin_generator *g = stream->generator;
    memcpy(g->words, stream->words[stream->current] + block * N, sizeof g->words);
    g->next = (uint32_t)(stream->position - block * N);
    g->left = N + 1 - (int32_t)g->next;
}

static void refill(fanin_stream *stream, size_t want)
{
    size_t unread = stream->end - stream->position;
    size_t blocks = (want - unread + N - 1) / N;
    if (blocks > FANIN_STREAM_BLOCKS)
        blocks = FANIN_STREAM_BLOCKS;
    uint32_t *words = stream->words[stream->current];
    memmove(words, words + stream->end - N, N * sizeof *words);
    stream->kernel->mt_generate(words, blocks);
    stream->position = N - unread;
    stream->end = N + blocks * N;
}

size_t fanin_stream_take(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw)
{
    if (stream->end - stream->position < group)
        refill(stream, want);
    size_t n = stream->end - stream->position;
    n -= n % group;
    if (n > want)
        n = want;
    *raw = stream->words[stream->current] + stream->position;
    stream->position += n;
    stream->touched = true;
    return n;
}

size_t fanin_stream_take_ahead(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw,
                               struct fanin_ahead *ahead)
{
    const size_t n = fanin_stream_take(stream, want, group, raw), rest = want - n;
    const size_t unread = stream->end - stream->position;
    *ahead = (struct fanin_ahead){NULL, 0};
    if (rest <= unread)
        return n;
    size_t blocks = (rest - unread + N - 1) / N;
    if (blocks > FANIN_STREAM_BLOCKS)
        blocks = FANIN_STREAM_BLOCKS;
    if (blocks > n / N) /* no more than is taken, or the arithmetic would not overlap */
        blocks = n / N;
    if (blocks == 0)
        return n;
    const uint32_t *from = stream->words[stream->current];
    stream->current = !stream->current;
    ahead->words = stream->words[stream->current];
    ahead->nblocks = blocks;
    memcpy(ahead->words, from + stream->end - N, N * sizeof *from);
    stream->position = N - unread;
    stream->end = N + blocks * N;
    return n;
}

void fanin_stream_skip(fanin_stream *stream, uint64_t n)
{
    if (n >= FANIN_JUMP_PAYS) {
        fanin_stream_end(stream);
        fanin_generator_skip(stream->generator, n);
        fanin_stream_begin(stream, stream->generator);
        return;
    }
    const uint32_t *raw;
    while (n > 0)
        n -= fanin_stream_take(stream, (size_t)n, 1, &raw);
}
