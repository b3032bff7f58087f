/* SPDX-License-Identifier: MIT */
/*
 * Sorting names: a merge sort of its own, since qsort may take quadratic time on hostile names, or memory that does not
 * come from the allocation table.
 */
#include "base/name_index.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

fanin_status fanin_names_begin(fanin_name_index *index, size_t count, fanin_error *error)
{
    index->count = count;
    index->entries = fanin_allocate_zeroed(count, sizeof *index->entries);
    return index->entries != NULL ? FANIN_OK : fanin_fail_memory(error, (uint64_t)count * sizeof *index->entries);
}

void fanin_names_end(fanin_name_index *index)
{
    fanin_free(index->entries);
    *index = (fanin_name_index){0};
}

static bool precedes(const fanin_name_entry *a, const fanin_name_entry *b)
{
    int order = strcmp(a->name, b->name);
    return order < 0 || (order == 0 && a->index < b->index);
}

/* [from + begin, from + middle) and [from + middle, from + end), both sorted, become one in `to`. */
static void merge(const fanin_name_entry *from, fanin_name_entry *to, size_t begin, size_t middle, size_t end)
{
    size_t left = begin, right = middle;
    for (size_t i = begin; i < end; i++)
        to[i] = right >= end || (left < middle && !precedes(&from[right], &from[left])) ? from[left++] : from[right++];
}

fanin_status fanin_names_sort(fanin_name_index *index, fanin_error *error)
{
    size_t n = index->count;
    fanin_name_entry *from = index->entries;
    fanin_name_entry *to = fanin_allocate(n, sizeof *to);
    if (to == NULL)
        return fanin_fail_memory(error, (uint64_t)n * sizeof *to);
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = width < n - begin ? begin + width : n;
            size_t end = 2 * width < n - begin ? begin + 2 * width : n;
            merge(from, to, begin, middle, end);
        }
        fanin_name_entry *swap = from;
        from = to;
        to = swap;
    }
    index->entries = from;
    fanin_free(to);
    return FANIN_OK;
}

size_t fanin_names_find(const fanin_name_index *index, const char *name)
{
    size_t begin = 0, end = index->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (strcmp(index->entries[middle].name, name) < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    bool found = begin < index->count && strcmp(index->entries[begin].name, name) == 0;
    return found ? index->entries[begin].index : SIZE_MAX;
}

size_t fanin_names_twin(const fanin_name_index *index)
{
    size_t twin = SIZE_MAX;
    for (size_t i = 1; i < index->count; i++)
        if (index->entries[i].index < twin && strcmp(index->entries[i].name, index->entries[i - 1].name) == 0)
            twin = index->entries[i].index;
    return twin;
}
