/* SPDX-License-Identifier: MIT */
/*
 * The first touch of fresh memory, before it is filled: in huge pages where it holds some, and on all threads. A page
 * fault costs as much as making a thousand normals, and half of that is entering and leaving the system.
 */
#define _GNU_SOURCE /* madvise, mincore */
#include "fanin/parallel.h"

#ifdef __linux__

#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses, and the first writes do it page by page */
#endif

enum { HUGE_NBYTES = 2 << 20, MAX_TASKS = 256 };

struct span {
    char *begin; /* of a page, as is the end */
    char *end;
    char *cut;     /* parts end here, and every `length` bytes from here on */
    size_t length; /* of a part */
};

static void populate(void *context, size_t i)
{
    const struct span *span = context;
    char *begin = i == 0 ? span->begin : span->cut + (i - 1) * span->length;
    char *end = span->cut + i * span->length;
    if (end > span->end)
        end = span->end;
    if (begin < end)
        madvise(begin, (size_t)(end - begin), MADV_POPULATE_WRITE);
}

void fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes)
{
    const size_t page_nbytes = (size_t)sysconf(_SC_PAGESIZE), nthreads = parallel != NULL ? parallel->nthreads : 1;
    const size_t before = -(uintptr_t)data % page_nbytes;
    if (data == NULL || nbytes < before + page_nbytes)
        return;
    const size_t npages = (nbytes - before) / page_nbytes;
    struct span span = {.begin = (char *)data + before};
    span.end = span.begin + npages * page_nbytes;

    /* The middle page tells whether all of it is fresh; nothing depends on it but time. */
    unsigned char resident = 1;
    if (mincore(span.begin + npages / 2 * page_nbytes, page_nbytes, &resident) != 0 || (resident & 1) != 0)
        return;

    /* The first to touch a huge page makes all of it, so that parts have to end between two. */
    const size_t span_nbytes = npages * page_nbytes;
    size_t unit = page_nbytes;
    if (span_nbytes >= 2 * (size_t)HUGE_NBYTES && madvise(span.begin, span_nbytes, MADV_HUGEPAGE) == 0)
        unit = HUGE_NBYTES;
    size_t ntasks = nthreads > 1 ? 4 * nthreads : 1;
    if (ntasks > MAX_TASKS)
        ntasks = MAX_TASKS;
    span.length = (span_nbytes / ntasks / unit + 1) * unit;
    span.cut = span.begin + span.length - (uintptr_t)(span.begin + span.length) % unit;
    ntasks = span.cut < span.end ? 2 + (size_t)(span.end - span.cut) / span.length : 1;
    if (nthreads > 1) {
        parallel->run(parallel->user, ntasks, populate, &span);
    } else {
        for (size_t i = 0; i < ntasks; i++)
            populate(&span, i);
    }
}

#else

void fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes)
{
    (void)parallel;
    (void)data;
    (void)nbytes;
}

#endif
