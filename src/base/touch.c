/* SPDX-License-Identifier: MIT */
/*
 * The first touch of fresh memory, before it is filled: in huge pages where it holds some, and on all threads. A page
 * fault costs as much as making a thousand normals, and half of that is entering and leaving the system.
 */
#define _GNU_SOURCE /* madvise, mincore */
#include "fanin/parallel.h"

#ifdef __linux__

#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; an older one refuses, and the first writes do it page by page */
#endif

/*
 * A huge page is cleared in 0.1 to 0.6 ms. One that takes longer is cold: a virtual machine has given its free blocks
 * of 2 MiB back to its host, which backs them again in small pages, at 4 ms for each huge one. Small pages come from
 * the remains of blocks, which the machine keeps, at 0.6 to 2 ms for as many bytes. One slow page may be an accident.
 */
enum { HUGE_NBYTES = 2 << 20, MAX_TASKS = 256, COLD_NS = 1200000, COLD_NPAGES = 2 };

struct span {
    char *begin; /* of a page, as is the end */
    char *end;
    char *cut;     /* parts end here, and every `length` bytes from here on */
    size_t length; /* of a part */
    bool huge;
    atomic_int ncold; /* huge pages found cold */
};

/* Of this thread: waiting for a processor does not count. */
static int64_t processor_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Huge page by huge page, until they turn out to be cold; returns where it stopped. */
static char *populate_huge(struct span *span, char *begin, const char *end)
{
    int64_t before = processor_ns();
    while (begin < end && atomic_load_explicit(&span->ncold, memory_order_relaxed) < COLD_NPAGES) {
        size_t nbytes = HUGE_NBYTES - (uintptr_t)begin % HUGE_NBYTES;
        if (nbytes > (size_t)(end - begin))
            nbytes = (size_t)(end - begin);
        madvise(begin, nbytes, MADV_POPULATE_WRITE);
        int64_t after = processor_ns();
        if (nbytes == HUGE_NBYTES && after - before > COLD_NS)
            atomic_fetch_add_explicit(&span->ncold, 1, memory_order_relaxed);
        before = after;
        begin += nbytes;
    }
    return begin;
}

static void populate(void *context, size_t i)
{
    struct span *span = context;
    char *begin = i == 0 ? span->begin : span->cut + (i - 1) * span->length;
    char *end = span->cut + i * span->length;
    if (end > span->end)
        end = span->end;
    if (span->huge && begin < end) {
        begin = populate_huge(span, begin, end);
        if (begin < end)
            madvise(begin, (size_t)(end - begin), MADV_NOHUGEPAGE);
    }
    if (begin < end)
        madvise(begin, (size_t)(end - begin), MADV_POPULATE_WRITE);
}

bool fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes, bool huge)
{
    const size_t page_nbytes = (size_t)sysconf(_SC_PAGESIZE), nthreads = parallel != NULL ? parallel->nthreads : 1;
    const size_t before = -(uintptr_t)data % page_nbytes;
    if (data == NULL || nbytes < before + page_nbytes)
        return false;
    const size_t npages = (nbytes - before) / page_nbytes;
    struct span span = {.begin = (char *)data + before};
    span.end = span.begin + npages * page_nbytes;

    /* The middle page tells whether all of it is fresh; nothing depends on it but time. */
    unsigned char resident = 1;
    if (mincore(span.begin + npages / 2 * page_nbytes, page_nbytes, &resident) != 0 || (resident & 1) != 0)
        return false;

    /* The first to touch a huge page makes all of it, so that parts have to end between two. */
    const size_t span_nbytes = npages * page_nbytes;
    size_t unit = page_nbytes;
    span.huge = huge && span_nbytes >= 2 * (size_t)HUGE_NBYTES && madvise(span.begin, span_nbytes, MADV_HUGEPAGE) == 0;
    if (span.huge)
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
    return atomic_load(&span.ncold) >= COLD_NPAGES;
}

#else

bool fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes, bool huge)
{
    (void)parallel;
    (void)data;
    (void)nbytes;
    (void)huge;
    return false;
}

#endif
