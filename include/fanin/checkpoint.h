/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints on disk: a safetensors file, an index of shards, a folder that holds one of them, or a .npy file. Read
 * strictly.
 */
#ifndef FANIN_CHECKPOINT_H
#define FANIN_CHECKPOINT_H

#include "fanin/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_checkpoint fanin_checkpoint;

/* Strings and shapes live as long as the checkpoint. */
typedef struct fanin_checkpoint_tensor {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    uint64_t nelem;
    uint64_t nbytes;
    size_t file;     /* which shard */
    uint64_t offset; /* where its bytes begin in that file (of a .npy in Fortran order they lie column by column) */
} fanin_checkpoint_tensor;

/*
 * Opens a .safetensors file, a .safetensors.index.json, or a folder with model.safetensors(.index.json), and checks all
 * that the format promises: no holes, no overlap, sizes that agree, no duplicate keys, shards that agree with the
 * index. A .npy file (1.0 to 3.0, either order, little endian) is a checkpoint of one tensor, "weight".
 */
FANIN_API fanin_status fanin_checkpoint_open(const char *path, fanin_checkpoint **checkpoint, fanin_error *error);
FANIN_API void fanin_checkpoint_close(fanin_checkpoint *checkpoint);

/* Tensors in byte order of their names. */
FANIN_API size_t fanin_checkpoint_tensor_count(const fanin_checkpoint *checkpoint);
FANIN_API const fanin_checkpoint_tensor *fanin_checkpoint_tensor_at(const fanin_checkpoint *checkpoint, size_t i);
FANIN_API size_t fanin_checkpoint_tensor_find(const fanin_checkpoint *checkpoint, const char *name); /* or SIZE_MAX */
/* As it was opened: of a file, an index, or a folder. */
FANIN_API const char *fanin_checkpoint_path(const fanin_checkpoint *checkpoint);
FANIN_API size_t fanin_checkpoint_file_count(const fanin_checkpoint *checkpoint);
FANIN_API const char *fanin_checkpoint_file_at(const fanin_checkpoint *checkpoint, size_t i);
/* A value of the first file's __metadata__; NULL if it has none under this key. */
FANIN_API const char *fanin_checkpoint_metadata(const fanin_checkpoint *checkpoint, const char *key);
/* What was ignored (unknown fields of an entry ...), as complete sentences. */
FANIN_API size_t fanin_checkpoint_warning_count(const fanin_checkpoint *checkpoint);
FANIN_API const char *fanin_checkpoint_warning_at(const fanin_checkpoint *checkpoint, size_t i);

/* Bytes [offset, offset + nbytes) of tensor i. */
FANIN_API fanin_status fanin_checkpoint_read(const fanin_checkpoint *checkpoint, size_t i, uint64_t offset, void *data,
                                             size_t nbytes, fanin_error *error);

/*
 * The content digest: SHA-256 over the tensors in byte order of their names. Each tensor adds
 *   name NUL dtype-as-in-safetensors NUL shape-in-decimal-joined-by-commas NUL sha256-of-its-bytes(32 bytes)
 * so it does not depend on files, order, metadata or version.
 */
typedef struct fanin_digest {
    uint8_t bytes[32];
} fanin_digest;
FANIN_API void fanin_digest_hex(const fanin_digest *digest, char hex[65]);
FANIN_API fanin_status fanin_checkpoint_digest(const fanin_checkpoint *checkpoint, fanin_digest *digest,
                                               fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
