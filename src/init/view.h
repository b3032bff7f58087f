/* SPDX-License-Identifier: MIT */
/*
 * Views of memory: what makes one valid, and the order in which torch visits its elements.
 */
#ifndef FANIN_INIT_VIEW_H
#define FANIN_INIT_VIEW_H

#include "fanin/tensor.h"

/*
 * Refuses what no fill can write: dimensions out of range, sizes whose product or extent overflows, negative strides.
 * The dtype must be one. With `distinct` also a stride of 0 over more than one element, as torch does for every fill
 * but a constant.
 */
fanin_status fanin_view_check(const fanin_tensor *tensor, bool distinct, fanin_error *error);

/*
 * Elements in the order of memory: dimensions sorted by stride, the smallest innermost (torch's TensorIterator), those
 * of size 1 dropped, neighbours that are one run merged.
 */
typedef struct fanin_walk {
    char *data;
    size_t nbytes; /* of an element: 1, 2, 4 or 8 */
    int ndim;
    int64_t shape[FANIN_MAX_DIMS]; /* innermost first */
    int64_t strides[FANIN_MAX_DIMS];
    int64_t nelem;
    bool is_flat;      /* one run without gaps */
    bool is_row_major; /* that order is also the logical one */
} fanin_walk;
void fanin_walk_begin(const fanin_tensor *tensor, fanin_walk *walk);

/* The same elements in logical (row-major) order. */
void fanin_walk_logical(const fanin_tensor *tensor, fanin_walk *walk);

/* Elements [first, first + count) of the walk from, or to, contiguous memory. */
void fanin_walk_scatter(const fanin_walk *walk, int64_t first, int64_t count, const void *from);
void fanin_walk_gather(const fanin_walk *walk, int64_t first, int64_t count, void *to);

#endif
