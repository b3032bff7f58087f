/* SPDX-License-Identifier: MIT */
/*
 * What writes a checkpoint into out/ while every file operation and every allocation fails in its turn, once and from
 * then on: whatever happens, the name holds a whole checkpoint or what it held before, and nothing is left.
 */
#ifndef FANIN_FAILING_WRITER_H
#define FANIN_FAILING_WRITER_H

#include "counting_allocator.h"
#include "failing_io.h"
#include "plan_fixture.h" /* before the error that all share here */
#include "scratch.h"
#include "test.h"

static fanin_error error;
static counting_allocator memory;

typedef struct writer {
    const char *name;
    const void *scenario;
    bool replaces;  /* another checkpoint is there before */
    bool keeps_old; /* until the new one is whole; shards cannot */
    void (*prepare)(const void *scenario);
    fanin_status (*write)(const void *scenario, bool force);
    int (*found)(const void *scenario); /* 1: the new one, 2: the old one, 0: none; fails on a mixture */
} writer;

static void end(void)
{
    io.armed = false;
    fanin_set_io(NULL);
    counting_end();
}

static int end_test(void **state)
{
    (void)state;
    end();
    return 0;
}

static void watch(void)
{
    fanin_set_io(&bad_io);
    counting_begin(&memory);
    io.calls = io.open_files = 0;
    io.happened = io.spared_partials = false;
}

/* Call n fails, or all from there on. A system that interrupts for ever makes no progress: that ends after some. */
static void arm(long n, size_t kind, bool from_then_on)
{
    io.fault = faults[kind].fault;
    io.first = n;
    io.last = !from_then_on ? n : io.fault == -EINTR ? n + 40 : LONG_MAX;
    io.armed = true;
}

static void begin(const writer *w)
{
    end();
    w->prepare(w->scenario);
    watch();
}

static void check_outcome(const writer *w, fanin_status status, const char *what, long n)
{
    const fanin_error said = error; /* looking at what is there says other things */
    const int now = w->found(w->scenario);
    const size_t npartials = test_count_files("out", ".partial-");
    const char *fault = NULL;
    if (status == FANIN_OK && now != 1)
        fault = "success without the new checkpoint";
    else if (status != FANIN_OK && said.message[0] == 0)
        fault = "a failure without words";
    else if (npartials > 0 && !io.spared_partials)
        fault = "a temporary file is left";
    else if (!w->replaces && now == 0 && test_count_files("out", "") != npartials && !io.spared_partials)
        fault = "files without a checkpoint";
    else if (w->keeps_old && now == 0)
        fault = "the old checkpoint is gone, and there is no new one";
    else if (io.open_files != 0)
        fault = "an open file is left";
    else if (memory.nblocks != 0)
        fault = "memory is left";
    if (fault != NULL)
        fail_msg("%s, %s, call %ld: %s (%s: %s)", w->name, what, n, fault, fanin_status_name(status), said.message);
}

/* Whatever was left, the next run is not hindered by it. */
static void check_again(const writer *w)
{
    assert_ok(w->write(w->scenario, true), error);
    assert_int_equal(w->found(w->scenario), 1);
    assert_int_equal(test_count_files("out", ".partial-"), 0);
}

/* Fails call n = 1, 2 ... until there is no such call. Returns how many there were. */
static long fail_every_call(const writer *w, size_t kind, bool from_then_on)
{
    for (long n = 1;; n++) {
        begin(w);
        arm(n, kind, from_then_on);
        const fanin_status status = w->write(w->scenario, w->replaces);
        const bool happened = io.happened;
        end();
        check_outcome(w, status, faults[kind].name, n);
        if ((status != FANIN_OK && status != FANIN_ERROR_IO) || (faults[kind].is_harmless && status != FANIN_OK))
            fail_msg("%s, %s, call %ld: %s: %s", w->name, faults[kind].name, n, fanin_status_name(status),
                     error.message);
        if (status != FANIN_OK && n % 4 == 0)
            check_again(w);
        if (!happened) {
            assert_int_equal(status, FANIN_OK);
            return n - 1;
        }
    }
}

static long fail_every_operation(const writer *w)
{
    long total = 0;
    for (size_t kind = 0; kind < NFAULTS; kind++)
        for (int from_then_on = 0; from_then_on < 2; from_then_on++) {
            const long n = fail_every_call(w, kind, from_then_on);
            assert_true(n >= 15);
            total += n;
        }
    return total;
}

static long fail_every_allocation(const writer *w)
{
    long total = 0;
    for (int from_then_on = 0; from_then_on < 2; from_then_on++)
        for (long n = 1;; n++, total++) {
            begin(w);
            memory.fail_at = (uint64_t)n;
            memory.fail_on = from_then_on;
            const fanin_status status = w->write(w->scenario, w->replaces);
            const bool happened = memory.ncalls >= (uint64_t)n;
            end();
            check_outcome(w, status, "no memory", n);
            if (status != (happened ? FANIN_ERROR_MEMORY : FANIN_OK))
                fail_msg("%s, allocation %ld: %s", w->name, n, fanin_status_name(status));
            if (!happened)
                break;
        }
    return total;
}

#endif
