/* SPDX-License-Identifier: MIT */
/*
 * Clocks, and the order in which things are timed; memory that was, or was not, touched before.
 */
#define _GNU_SOURCE /* sched_setaffinity, MADV_HUGEPAGE */
#include "bench.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HUGE_PAGE = 2 << 20, MAX_CONTENDERS = BENCH_MAX_CREWS * (BENCH_MAX_STORES + 1) };

static double now(enum bench_clock clock)
{
    struct timespec time;
    clock_gettime(clock == BENCH_WALL ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of one pass, npasses of them timed together. */
static double sample(const struct bench_contender *contender, uint64_t npasses)
{
    if (contender->prepare != NULL)
        contender->prepare(contender->context);
    if (npasses > 1)
        contender->pass(contender->context); /* what the one before left in the cache is not this one's */
    double begin = now(contender->clock);
    for (uint64_t i = 0; i < npasses; i++)
        contender->pass(contender->context);
    return (now(contender->clock) - begin) / (double)npasses;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_done(const struct bench_contender *contender, double spent, const struct bench_effort *effort)
{
    if (contender->nsamples >= effort->max_samples || contender->nsamples >= BENCH_MAX_SAMPLES)
        return true;
    double limit = contender->nsamples >= effort->min_samples ? effort->total_seconds : 4 * effort->total_seconds;
    return contender->nsamples > 0 && spent > limit;
}

void bench_race(struct bench_contender *contenders, size_t n, const struct bench_effort *effort)
{
    uint64_t npasses[MAX_CONTENDERS];
    double spent[MAX_CONTENDERS];
    bool is_pinned = true;
    if (n > MAX_CONTENDERS)
        bench_die("bench_race", "too many contenders");
    for (size_t i = 0; i < n; i++)
        is_pinned = is_pinned && contenders[i].clock == BENCH_THREAD_CPU;
    cpu_set_t before, one;
    is_pinned = is_pinned && sched_getaffinity(0, sizeof before, &before) == 0;
    if (is_pinned) {
        CPU_ZERO(&one);
        CPU_SET((size_t)sched_getcpu(), &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    for (size_t i = 0; i < n; i++) {
        struct bench_contender *c = &contenders[i];
        c->nsamples = 0;
        double first = sample(c, 1);
        spent[i] = first;
        npasses[i] = 1;
        if (first > effort->total_seconds)
            c->samples[c->nsamples++] = first;
        else if (!c->is_single && first < effort->sample_seconds)
            npasses[i] = 1 + (uint64_t)(effort->sample_seconds / (first > 1e-8 ? first : 1e-8));
    }
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < n; i++) {
            struct bench_contender *c = &contenders[i];
            if (is_done(c, spent[i], effort))
                continue;
            double seconds = sample(c, npasses[i]);
            spent[i] += seconds * (double)npasses[i];
            c->samples[c->nsamples++] = seconds;
            any = true;
        }
    }
    for (size_t i = 0; i < n; i++)
        qsort(contenders[i].samples, (size_t)contenders[i].nsamples, sizeof contenders[i].samples[0], ascending);
    if (is_pinned)
        sched_setaffinity(0, sizeof before, &before);
}

double bench_median(const struct bench_contender *contender)
{
    int n = contender->nsamples;
    return 0.5 * (contender->samples[(n - 1) / 2] + contender->samples[n / 2]);
}

void *bench_untouched(size_t nbytes, bool is_huge)
{
    char *memory = mmap(NULL, nbytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_die("no memory for a tensor", "choose a smaller one with --memory");
    size_t before = (HUGE_PAGE - (uintptr_t)memory % HUGE_PAGE) % HUGE_PAGE;
    if (before > 0)
        munmap(memory, before);
    if (before < HUGE_PAGE)
        munmap(memory + before + nbytes, HUGE_PAGE - before);
    madvise(memory + before, nbytes, is_huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return memory + before;
}

void *bench_touched(size_t nbytes)
{
    void *memory = bench_untouched(nbytes, true);
    memset(memory, 1, nbytes);
    return memory;
}

void bench_unmap(void *memory, size_t nbytes)
{
    munmap(memory, nbytes);
}
