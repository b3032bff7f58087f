/* SPDX-License-Identifier: MIT */
/*
 * Bulk drawing. The words are one linear array, in which each is made from those 624 to 227 before it: a group that
 * straddles two blocks is contiguous, and a kernel can make words while it takes those before them.
 */
#include <string.h>

#include "rng/stream.h"

enum { N = FANIN_MT19937_NWORDS, CAPACITY = FANIN_STREAM_BLOCKS * N };

void fanin_stream_begin(fanin_stream *stream, fanin_generator *generator)
{
    stream->kernel = fanin_kernel_for(generator->profile);
    stream->generator = generator;
    memcpy(stream->words, generator->words, sizeof generator->words);
    stream->end = N;
    stream->position = generator->left == 1 ? N : generator->next;
    stream->touched = false;
}

/* Makes words until there are `end`. */
static void make_until(fanin_stream *stream, size_t end)
{
    if (end <= stream->end)
        return;
    stream->kernel->mt_generate(stream->words + stream->end - N, end - stream->end);
    stream->end = end;
}

void fanin_stream_end(fanin_stream *stream)
{
    if (!stream->touched)
        return;
    /* the block that holds the last word drawn: torch refills only for the next draw */
    size_t block = (stream->position - 1) / N;
    fanin_generator *g = stream->generator;
    make_until(stream, (block + 1) * N);
    memcpy(g->words, stream->words + block * N, sizeof g->words);
    g->next = (uint32_t)(stream->position - block * N);
    g->left = N + 1 - (int32_t)g->next;
}

/* Brings the block that the next word lies in to the front; 624 words are kept all the same. */
static void compact(fanin_stream *stream)
{
    size_t from = stream->position / N * N;
    if (from > stream->end - N)
        from = (stream->end - N) / N * N;
    memmove(stream->words, stream->words + from, (stream->end - from) * sizeof *stream->words);
    stream->position -= from;
    stream->end -= from;
}

static size_t take(fanin_stream *stream, size_t want, size_t group)
{
    if (stream->end - stream->position < group) {
        compact(stream);
        size_t end = stream->position + want < CAPACITY ? stream->position + want : CAPACITY;
        make_until(stream, (end + N - 1) / N * N);
    }
    size_t n = stream->end - stream->position;
    n -= n % group;
    if (n > want)
        n = want;
    stream->position += n;
    stream->touched = true;
    return n;
}

size_t fanin_stream_take(fanin_stream *stream, size_t want, size_t group, const uint32_t **raw)
{
    size_t n = take(stream, want, group);
    *raw = stream->words + stream->position - n;
    return n;
}

/* How many words can be taken while as many are made: none if those at hand are nearly enough. */
static size_t running_length(fanin_stream *stream, size_t want, size_t group)
{
    if (want <= 2 * N)
        return 0;
    if (stream->position > CAPACITY / 2)
        compact(stream);
    size_t n = CAPACITY - N - stream->position;
    if (n > want - N) /* the last 624 are taken plainly, so that no word is made that nobody takes */
        n = want - N;
    return n - n % group;
}

size_t fanin_stream_take_running(fanin_stream *stream, size_t want, size_t group, uint32_t **raw, bool *running)
{
    size_t n = running_length(stream, want, group);
    *running = n > 0;
    if (*running) {
        make_until(stream, stream->position + N);
        stream->position += n;
        if (stream->end < stream->position + N)
            stream->end = stream->position + N;
        stream->touched = true;
    } else {
        n = take(stream, want, group);
    }
    *raw = stream->words + stream->position - n;
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
