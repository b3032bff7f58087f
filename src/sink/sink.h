/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of tensors go. A sink takes each tensor in ascending pieces and knows nothing about how they are
 * made.
 */
#ifndef FANIN_SINK_SINK_H
#define FANIN_SINK_SINK_H

#include "base/sha256.h"
#include "fanin/checkpoint.h"
#include "sink/file_writer.h"

typedef struct fanin_sink fanin_sink;
struct fanin_sink {
    /* Bytes [offset, offset + nbytes) of a tensor; pieces come in ascending order and leave nothing out. */
    fanin_status (*put)(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error);
    /* The tensor is complete. NULL: not needed. */
    fanin_status (*end)(fanin_sink *sink, size_t tensor, fanin_error *error);
    /*
     * Memory to make these bytes in, which `put` then gets, all of them and before any others; NULL, or a NULL result:
     * none to lend.
     */
    void *(*lend)(fanin_sink *sink, size_t tensor, uint64_t offset, size_t nbytes);
    bool in_memory; /* what is lent is the tensor's own place, which may be written in any order */
};

/* Counts for nothing: the end of a chain. */
fanin_sink fanin_null_sink(void);

/* Contiguous memory of the caller, data[i] for tensor i. */
typedef struct fanin_memory_sink {
    fanin_sink sink;
    void *const *data;
} fanin_memory_sink;
fanin_memory_sink fanin_memory_sink_create(void *const *data);

/* A file; tensor i begins at offsets[i]. */
typedef struct fanin_file_sink {
    fanin_sink sink;
    fanin_file_writer *writer;
    const uint64_t *offsets;
} fanin_file_sink;
fanin_file_sink fanin_file_sink_create(fanin_file_writer *writer, const uint64_t *offsets);

/* Passes everything on, and leaves in digests[i] the SHA-256 of tensor i's bytes. */
typedef struct fanin_digest_sink {
    fanin_sink sink;
    fanin_sink *next;
    fanin_sha256 hash;
    uint8_t (*digests)[32];
} fanin_digest_sink;
fanin_digest_sink fanin_digest_sink_create(fanin_sink *next, uint8_t (*digests)[32]);

/* What comparing one tensor with a checkpoint's found. */
typedef struct fanin_comparison {
    uint64_t ndiffering;
    uint64_t first;
    double expected;
    double found;
    double max_abs;
} fanin_comparison;

/*
 * Compares what it gets with a tensor of a checkpoint, which it reads piece by piece, and hashes what it read.
 * Before each tensor: set `target`, clear `result`. `piece` has room for the largest piece.
 */
typedef struct fanin_compare_sink {
    fanin_sink sink;
    const fanin_checkpoint *checkpoint;
    size_t target; /* of the checkpoint */
    uint8_t *piece;
    fanin_comparison result;
    fanin_sha256 hash;
    uint8_t (*digests)[32]; /* by tensor of the checkpoint */
} fanin_compare_sink;
fanin_compare_sink fanin_compare_sink_create(const fanin_checkpoint *checkpoint, uint8_t *piece,
                                             uint8_t (*digests)[32]);

#endif
