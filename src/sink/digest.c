/* SPDX-License-Identifier: MIT */
/*
 * The sink that hashes what it passes on.
 */
#include "sink/sink.h"

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    fanin_digest_sink *digest = (fanin_digest_sink *)sink;
    fanin_sha256_update(&digest->hash, data, nbytes);
    return digest->next->put(digest->next, tensor, offset, data, nbytes, error);
}

static fanin_status end(fanin_sink *sink, size_t tensor, fanin_error *error)
{
    fanin_digest_sink *digest = (fanin_digest_sink *)sink;
    fanin_sha256_end(&digest->hash, digest->digests[tensor]);
    fanin_sha256_begin(&digest->hash);
    return digest->next->end != NULL ? digest->next->end(digest->next, tensor, error) : FANIN_OK;
}

static void *lend(fanin_sink *sink, size_t tensor, uint64_t offset, size_t nbytes)
{
    const fanin_digest_sink *digest = (const fanin_digest_sink *)sink;
    return digest->next->lend != NULL ? digest->next->lend(digest->next, tensor, offset, nbytes) : NULL;
}

fanin_digest_sink fanin_digest_sink_create(fanin_sink *next, uint8_t (*digests)[32])
{
    fanin_digest_sink digest = {.sink = {.put = put, .end = end, .lend = lend}, .next = next, .digests = digests};
    fanin_sha256_begin(&digest.hash);
    return digest;
}
