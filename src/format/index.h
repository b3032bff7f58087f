/* SPDX-License-Identifier: MIT */
/*
 * The index of a checkpoint in shards, model.safetensors.index.json: which file holds which tensor.
 */
#ifndef FANIN_FORMAT_INDEX_H
#define FANIN_FORMAT_INDEX_H

#include "base/memory.h"
#include "base/text.h"

typedef struct fanin_index_entry {
    const char *tensor;
    const char *file; /* one of the names in files */
} fanin_index_entry;

typedef struct fanin_index {
    fanin_index_entry *entries; /* in byte order of the tensors' names */
    size_t nentries;
    const char **files; /* plain names, each once, in byte order */
    size_t nfiles;
    bool has_total_nbytes;
    uint64_t total_nbytes;
    const char **warnings;
    size_t nwarnings;
    fanin_arena arena;
} fanin_index;

/* On failure nothing is to be released. A shard's name is that of a .safetensors file in the index's own folder. */
fanin_status fanin_index_parse(const char *text, size_t nbytes, const char *path, fanin_index *index,
                               fanin_error *error);
fanin_status fanin_index_read(const char *path, fanin_index *index, fanin_error *error);
void fanin_index_release(fanin_index *index);

/* Appends the index as transformers writes it: sorted, indented by two, with a newline at the end. Sorts entries. */
fanin_status fanin_index_format(fanin_index_entry *entries, size_t nentries, uint64_t total_nbytes, fanin_text *out,
                                fanin_error *error);

#endif
