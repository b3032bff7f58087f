/* SPDX-License-Identifier: MIT */
/*
 * Memory that nobody has touched yet, made resident part by part by the threads that are about to fill it. Nothing
 * depends on it but time.
 */
#ifndef FANIN_BASE_TOUCH_H
#define FANIN_BASE_TOUCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct fanin_touch {
    char *begin; /* of a page, as is the end */
    char *end;
    bool huge;
    atomic_int ncold; /* huge pages found cold */
} fanin_touch;

/* What one thread touches of it. */
typedef struct fanin_touch_part {
    fanin_touch *touch;
    char *next; /* what lies before is there */
    char *end;
    bool huge;
} fanin_touch_part;

/* Whether the whole pages of this memory are fresh; asks the system for huge ones if `huge`. */
bool fanin_touch_begin(fanin_touch *touch, void *data, size_t nbytes, bool huge);
/* The part of the thread that fills [data, data + nbytes); a page in which two of them meet is the second one's. */
fanin_touch_part fanin_touch_part_of(fanin_touch *touch, void *data, size_t nbytes);
/* Touches the part's pages before `end`, the one it lies in too. */
void fanin_touch_until(fanin_touch_part *part, void *end);
/* Whether huge pages took longer than small ones, and were given up. */
bool fanin_touch_was_cold(fanin_touch *touch);

#endif
