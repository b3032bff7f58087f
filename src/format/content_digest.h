/* SPDX-License-Identifier: MIT */
/*
 * The content digest of checkpoint.h: what a set of tensors holds, whatever the files around them.
 */
#ifndef FANIN_FORMAT_CONTENT_DIGEST_H
#define FANIN_FORMAT_CONTENT_DIGEST_H

#include "base/sha256.h"
#include "fanin/checkpoint.h"

/* Begin the hash, add every tensor in byte order of the names, end it. */
void fanin_content_digest_add(fanin_sha256 *hash, const char *name, fanin_dtype dtype, int32_t ndim,
                              const int64_t *shape, const uint8_t sha256_of_bytes[32]);

/* SHA-256 of the bytes of tensor i, read through `piece`, which has room for piece_nbytes. */
fanin_status fanin_checkpoint_hash_tensor(const fanin_checkpoint *checkpoint, size_t i, uint8_t *piece,
                                          size_t piece_nbytes, uint8_t sha256[32], fanin_error *error);

#endif
