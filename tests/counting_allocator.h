/* SPDX-License-Identifier: MIT */
/*
 * An allocator for tests that counts blocks and bytes, and fails the n-th call once or every call from the n-th on.
 * Each block carries its size before it.
 */
#ifndef FANIN_COUNTING_ALLOCATOR_H
#define FANIN_COUNTING_ALLOCATOR_H

#include <stdlib.h>

#include "fanin/hooks.h"

typedef struct counting_allocator {
    uint64_t ncalls;
    uint64_t nblocks; /* not released */
    uint64_t nbytes;  /* in them */
    uint64_t peak_nbytes;
    uint64_t fail_at; /* the call that fails, from 1; 0: none */
    bool fail_on;     /* and every later one */
} counting_allocator;

#define COUNTING_HEADER_NBYTES 16

static inline void *counting_allocate(void *user, size_t nbytes)
{
    counting_allocator *counter = user;
    counter->ncalls++;
    if (counter->fail_at != 0 &&
        (counter->ncalls == counter->fail_at || (counter->fail_on && counter->ncalls > counter->fail_at)))
        return NULL;
    char *block = malloc(COUNTING_HEADER_NBYTES + nbytes);
    if (block == NULL)
        return NULL;
    *(size_t *)(void *)block = nbytes;
    counter->nblocks++;
    counter->nbytes += nbytes;
    if (counter->nbytes > counter->peak_nbytes)
        counter->peak_nbytes = counter->nbytes;
    return block + COUNTING_HEADER_NBYTES;
}

static inline void counting_release(void *user, void *memory)
{
    counting_allocator *counter = user;
    char *block = (char *)memory - COUNTING_HEADER_NBYTES;
    counter->nblocks--;
    counter->nbytes -= *(size_t *)(void *)block;
    free(block);
}

/* Everything the library allocates is counted from now on. `counter` must outlive its use. */
static inline void counting_begin(counting_allocator *counter)
{
    *counter = (counting_allocator){0};
    fanin_set_allocator(&(fanin_allocator){counting_allocate, counting_release, counter});
}

static inline void counting_end(void)
{
    fanin_set_allocator(NULL);
}

#endif
