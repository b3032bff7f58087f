/* SPDX-License-Identifier: MIT */
/*
 * The first touch of fresh memory, before it is filled: in huge pages where it holds some, and on all threads. A page
 * fault costs as much as making a thousand normals, and half of that is entering and leaving the system.
 */
#define _GNU_SOURCE /* madvise, mincore */
#include "base/touch.h"

#include "fanin/parallel.h"

#ifdef __linux__

#include <stdint.h>
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

/* Of this thread: waiting for a processor does not count. */
static int64_t processor_ns(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

bool fanin_touch_begin(fanin_touch *touch, void *data, size_t nbytes, bool huge)
{
    const size_t page_nbytes = page_size(), before = -(uintptr_t)data % page_nbytes;
    if (data == NULL || nbytes < before + page_nbytes)
        return false;
    const size_t npages = (nbytes - before) / page_nbytes;
    touch->begin = (char *)data + before;
    touch->end = touch->begin + npages * page_nbytes;

    /* The middle page tells whether all of it is fresh. */
    unsigned char resident = 1;
    if (mincore(touch->begin + npages / 2 * page_nbytes, page_nbytes, &resident) != 0 || (resident & 1) != 0)
        return false;
    touch->huge = huge && npages * page_nbytes >= 2 * (size_t)HUGE_NBYTES &&
                  madvise(touch->begin, npages * page_nbytes, MADV_HUGEPAGE) == 0;
    atomic_init(&touch->ncold, 0);
    return true;
}

bool fanin_touch_was_cold(fanin_touch *touch)
{
    return atomic_load_explicit(&touch->ncold, memory_order_relaxed) >= COLD_NPAGES;
}

/* The page that `at` lies in, or the one behind if `at` lies within the memory's first; within the memory. */
static char *page_of(const fanin_touch *touch, char *at, size_t page_nbytes)
{
    char *page = at - (uintptr_t)at % page_nbytes;
    return page < touch->begin ? touch->begin : page < touch->end ? page : touch->end;
}

fanin_touch_part fanin_touch_part_of(fanin_touch *touch, void *data, size_t nbytes)
{
    const size_t page_nbytes = touch->huge ? HUGE_NBYTES : page_size();
    char *end = (char *)data + nbytes;
    return (fanin_touch_part){.touch = touch,
                              .next = page_of(touch, data, page_nbytes),
                              .end = end < touch->end ? page_of(touch, end, page_nbytes) : touch->end,
                              .huge = touch->huge};
}

/* Huge page by huge page, until they turn out to be cold. */
static void populate_huge(fanin_touch_part *part, const char *end)
{
    int64_t before = processor_ns();
    while (part->next < end && !fanin_touch_was_cold(part->touch)) {
        size_t nbytes = HUGE_NBYTES - (uintptr_t)part->next % HUGE_NBYTES;
        if (nbytes > (size_t)(part->end - part->next))
            nbytes = (size_t)(part->end - part->next);
        madvise(part->next, nbytes, MADV_POPULATE_WRITE);
        int64_t after = processor_ns();
        if (nbytes == HUGE_NBYTES && after - before > COLD_NS)
            atomic_fetch_add_explicit(&part->touch->ncold, 1, memory_order_relaxed);
        before = after;
        part->next += nbytes;
    }
}

void fanin_touch_until(fanin_touch_part *part, void *end)
{
    const size_t page_nbytes = page_size();
    char *last = (char *)end + -(uintptr_t)end % page_nbytes;
    if (last > part->end)
        last = part->end;
    if (part->huge)
        populate_huge(part, last);
    if (part->next >= last)
        return;
    if (part->huge) {
        madvise(part->next, (size_t)(part->end - part->next), MADV_NOHUGEPAGE);
        part->huge = false;
    }
    madvise(part->next, (size_t)(last - part->next), MADV_POPULATE_WRITE);
    part->next = last;
}

struct span {
    fanin_touch touch;
    size_t length; /* of a task, in bytes */
};

static void touch_part(void *context, size_t i)
{
    struct span *span = context;
    char *begin = span->touch.begin + i * span->length, *end = begin + span->length;
    if (end > span->touch.end)
        end = span->touch.end;
    fanin_touch_part part = fanin_touch_part_of(&span->touch, begin, (size_t)(end - begin));
    fanin_touch_until(&part, part.end);
}

bool fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes, bool huge)
{
    struct span span;
    if (!fanin_touch_begin(&span.touch, data, nbytes, huge))
        return false;
    const size_t nthreads = parallel != NULL ? parallel->nthreads : 1;
    const size_t total = (size_t)(span.touch.end - span.touch.begin);
    const size_t unit = span.touch.huge ? HUGE_NBYTES : page_size();
    size_t ntasks = nthreads > 1 ? 4 * nthreads : 1;
    if (ntasks > MAX_TASKS)
        ntasks = MAX_TASKS;
    span.length = (total / ntasks / unit + 1) * unit;
    ntasks = (total + span.length - 1) / span.length;
    if (nthreads > 1) {
        parallel->run(parallel->user, ntasks, touch_part, &span);
    } else {
        for (size_t i = 0; i < ntasks; i++)
            touch_part(&span, i);
    }
    return fanin_touch_was_cold(&span.touch);
}

#else

bool fanin_touch_begin(fanin_touch *touch, void *data, size_t nbytes, bool huge)
{
    (void)touch;
    (void)data;
    (void)nbytes;
    (void)huge;
    return false;
}

fanin_touch_part fanin_touch_part_of(fanin_touch *touch, void *data, size_t nbytes)
{
    (void)data;
    (void)nbytes;
    return (fanin_touch_part){.touch = touch};
}

void fanin_touch_until(fanin_touch_part *part, void *end)
{
    (void)part;
    (void)end;
}

bool fanin_touch_was_cold(fanin_touch *touch)
{
    (void)touch;
    return false;
}

bool fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes, bool huge)
{
    (void)parallel;
    (void)data;
    (void)nbytes;
    (void)huge;
    return false;
}

#endif
