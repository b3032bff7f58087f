/* SPDX-License-Identifier: MIT */
/*
 * The content digest: which bytes of a tensor's description enter the hash, and how a digest is printed.
 */
#include "format/content_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

void fanin_content_digest_add(fanin_sha256 *hash, const char *name, fanin_dtype dtype, int32_t ndim,
                              const int64_t *shape, const uint8_t sha256_of_bytes[32])
{
    const char *type = fanin_dtype_safetensors_name(dtype);
    fanin_sha256_update(hash, name, strlen(name) + 1);
    fanin_sha256_update(hash, type, strlen(type) + 1);
    for (int32_t i = 0; i < ndim; i++) {
        char dimension[24];
        int n = snprintf(dimension, sizeof dimension, "%s%" PRId64, i > 0 ? "," : "", shape[i]);
        fanin_sha256_update(hash, dimension, (size_t)n);
    }
    fanin_sha256_update(hash, "", 1);
    fanin_sha256_update(hash, sha256_of_bytes, 32);
}

void fanin_digest_hex(const fanin_digest *digest, char hex[65])
{
    fanin_hex32(digest->bytes, hex);
}

fanin_status fanin_checkpoint_hash_tensor(const fanin_checkpoint *checkpoint, size_t i, uint8_t *piece,
                                          size_t piece_nbytes, uint8_t sha256[32], fanin_error *error)
{
    uint64_t total = fanin_checkpoint_tensor_at(checkpoint, i)->nbytes;
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    for (uint64_t offset = 0; offset < total; offset += piece_nbytes) {
        size_t nbytes = total - offset < piece_nbytes ? (size_t)(total - offset) : piece_nbytes;
        fanin_status status = fanin_checkpoint_read(checkpoint, i, offset, piece, nbytes, error);
        if (status != FANIN_OK)
            return status;
        fanin_sha256_update(&hash, piece, nbytes);
    }
    fanin_sha256_end(&hash, sha256);
    return FANIN_OK;
}

fanin_status fanin_checkpoint_digest(const fanin_checkpoint *checkpoint, fanin_digest *digest, fanin_error *error)
{
    enum { PIECE_NBYTES = 1 << 20 };
    fanin_clear(error);
    uint8_t *piece = fanin_allocate(PIECE_NBYTES, 1);
    if (piece == NULL)
        return fanin_fail_memory(error, PIECE_NBYTES);
    fanin_sha256 content;
    fanin_sha256_begin(&content);
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < fanin_checkpoint_tensor_count(checkpoint) && status == FANIN_OK; i++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(checkpoint, i);
        uint8_t sha256[32];
        status = fanin_checkpoint_hash_tensor(checkpoint, i, piece, PIECE_NBYTES, sha256, error);
        if (status == FANIN_OK)
            fanin_content_digest_add(&content, tensor->name, tensor->dtype, tensor->ndim, tensor->shape, sha256);
    }
    if (status == FANIN_OK)
        fanin_sha256_end(&content, digest->bytes);
    fanin_free(piece);
    return status;
}
