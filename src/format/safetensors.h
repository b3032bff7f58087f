/* SPDX-License-Identifier: MIT */
/*
 * The safetensors file: u64 header length, JSON header, data. Reading it strictly and laying it out as the reference
 * writer does.
 */
#ifndef FANIN_FORMAT_SAFETENSORS_H
#define FANIN_FORMAT_SAFETENSORS_H

#include "base/memory.h"
#include "base/text.h"
#include "fanin/dtype.h"

/* Readers refuse a longer header; ours and the reference. */
#define FANIN_SAFETENSORS_MAX_HEADER 100000000
/* Tools of the hub refuse a longer one, so none is written. */
#define FANIN_SAFETENSORS_MAX_WRITTEN_HEADER 25000000
#define FANIN_SAFETENSORS_MAX_DIMS           64

typedef struct fanin_safetensors_tensor {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    uint64_t nelem;
    uint64_t begin; /* first byte, and the one behind the last, counted from the end of the header */
    uint64_t end;
    size_t id; /* for the caller: which of its tensors this is */
} fanin_safetensors_tensor;

typedef struct fanin_pair {
    const char *key;
    const char *value;
} fanin_pair;

typedef struct fanin_safetensors_header {
    fanin_safetensors_tensor *tensors; /* in the order of their bytes */
    size_t ntensors;
    fanin_pair *metadata;
    size_t nmetadata;
    const char **warnings;
    size_t nwarnings;
    uint64_t data_begin; /* in the file */
    fanin_arena arena;   /* owns all of the above */
} fanin_safetensors_header;

/*
 * The length of the JSON from the file's first 8 bytes (fewer, if the file is shorter), checked against the file's
 * size.
 */
fanin_status fanin_safetensors_length(const uint8_t *first, uint64_t file_nbytes, const char *path, uint64_t *nbytes,
                                      fanin_error *error);
/*
 * Parses and checks a header of which text holds the JSON; data_nbytes follow it in the file. On failure nothing is to
 * be released.
 */
fanin_status fanin_safetensors_parse(const char *text, size_t nbytes, uint64_t data_nbytes, const char *path,
                                     fanin_safetensors_header *header, fanin_error *error);
void fanin_safetensors_release(fanin_safetensors_header *header);

/* Opens a regular file (anything else is refused before it is read) and parses its header. The caller closes *fd. */
fanin_status fanin_safetensors_open(const char *path, int *fd, fanin_safetensors_header *header, fanin_error *error);
/* Bytes of nelem elements; false if they are no whole number of bytes, or too many. */
bool fanin_safetensors_nbytes(fanin_dtype dtype, uint64_t nelem, uint64_t *nbytes);

/*
 * Puts tensors in the order of the file (dtype descending, then name by bytes), sets their begin and end from nelem,
 * and appends length, header and padding to `out`. Metadata is sorted by key, without which no equal bytes are
 * possible. Refused: a header beyond what hub tools read, a tensor named __metadata__, a tensor of no whole bytes.
 */
fanin_status fanin_safetensors_format(fanin_safetensors_tensor *tensors, size_t ntensors, fanin_pair *metadata,
                                      size_t nmetadata, const char *path, fanin_text *out, fanin_error *error);

#endif
