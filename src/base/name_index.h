/* SPDX-License-Identifier: MIT */
/*
 * Names sorted by their bytes, to find one among millions and to notice two that are the same.
 */
#ifndef FANIN_BASE_NAME_INDEX_H
#define FANIN_BASE_NAME_INDEX_H

#include "fanin/status.h"

typedef struct fanin_name_entry {
    const char *name;
    size_t index;
} fanin_name_entry;

typedef struct fanin_name_index {
    fanin_name_entry *entries;
    size_t count;
} fanin_name_index;

/* Room for count entries; the caller fills entries[0 .. count - 1], then sorts. */
fanin_status fanin_names_begin(fanin_name_index *index, size_t count, fanin_error *error);
/* By name, equal names by index. Takes as much memory again while it works. */
fanin_status fanin_names_sort(fanin_name_index *index, fanin_error *error);
/* The least index with this name, or SIZE_MAX. */
size_t fanin_names_find(const fanin_name_index *index, const char *name);
/* The index of an entry whose name an earlier one has too: the least such index; SIZE_MAX if all differ. */
size_t fanin_names_twin(const fanin_name_index *index);
void fanin_names_end(fanin_name_index *index);

#endif
