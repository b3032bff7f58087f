/* SPDX-License-Identifier: MIT */
/*
 * The writer of files: every byte is where it belongs, whatever pieces come in whatever order, past the page cache and
 * through it, beside other tasks, and with a system that does less than it was asked for.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include "test.h"
#include "counting_allocator.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "sink/file_writer.h"

enum { NBYTES = 21 * 1000 * 1000 + 17, NTASKS = 4, NBLOCKS = FANIN_FILE_SPARE_BLOCKS };

static fanin_error error;

/* Any byte of the file, by its place. */
static uint8_t byte_at(uint64_t at)
{
    return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void fill(uint8_t *to, uint64_t at, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        to[i] = byte_at(at + i);
}

/* -- A system whose calls are looked at ---------------------------------------------------------------------------- */

static struct {
    bool is_direct;
    int direct_code;   /* what set_direct returns; 0: the system's */
    int write_code;    /* what a direct write returns; 0: the system's */
    unsigned short_of; /* every n-th write does half; 0: none */
    unsigned nwrites;
    unsigned fail_at; /* this write fails; 0: none */
    uint64_t ndirect; /* bytes */
    uint64_t ncached;
    atomic_int nwriting; /* at once */
    bool too_many;
    pthread_mutex_t lock;
} seen;

static int see_direct(void *user, int fd, bool direct)
{
    if (seen.direct_code < 0)
        return seen.direct_code;
    const int code = fanin_default_io()->set_direct(user, fd, direct);
    pthread_mutex_lock(&seen.lock);
    seen.is_direct = code >= 0 ? direct : seen.is_direct;
    pthread_mutex_unlock(&seen.lock);
    return code;
}

/* What becomes of a write: bytes to write, or an error. */
static int64_t decide(const void *data, size_t nbytes, uint64_t offset, bool *is_direct)
{
    const uint64_t bits = offset | nbytes | (uint64_t)(uintptr_t)data;
    *is_direct = seen.is_direct;
    seen.nwrites++;
    if (seen.is_direct && bits % FANIN_FILE_ALIGNMENT != 0)
        return -EINVAL;
    if (seen.nwrites == seen.fail_at)
        return -ENOSPC;
    if (seen.is_direct && seen.write_code < 0)
        return seen.write_code;
    return (int64_t)(seen.short_of > 0 && seen.nwrites % seen.short_of == 0 ? (nbytes + 1) / 2 : nbytes);
}

static int64_t see_write(void *user, int fd, const void *data, size_t nbytes, uint64_t offset)
{
    bool is_direct;
    const int nothers = atomic_fetch_add(&seen.nwriting, 1);
    pthread_mutex_lock(&seen.lock);
    int64_t n = decide(data, nbytes, offset, &is_direct);
    seen.too_many = seen.too_many || nothers >= (is_direct ? FANIN_FILE_NTHREADS : 1);
    pthread_mutex_unlock(&seen.lock);
    if (n > 0)
        n = fanin_default_io()->pwrite(user, fd, data, (size_t)n, offset);
    pthread_mutex_lock(&seen.lock);
    if (n > 0)
        *(is_direct ? &seen.ndirect : &seen.ncached) += (uint64_t)n;
    pthread_mutex_unlock(&seen.lock);
    atomic_fetch_sub(&seen.nwriting, 1);
    return n;
}

static void look(bool has_direct)
{
    fanin_io io = *fanin_default_io();
    memset(&seen, 0, sizeof seen);
    pthread_mutex_init(&seen.lock, NULL);
    io.pwrite = see_write;
    io.set_direct = has_direct ? see_direct : NULL;
    fanin_set_io(&io);
}

/* -- Whole files --------------------------------------------------------------------------------------------------- */

static int create(void)
{
    const int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0666);
    assert_true(fd >= 0);
    return fd;
}

/* The file has these bytes, and its descriptor is an ordinary one again. */
static void check_and_close(int fd, uint64_t begin, uint64_t end)
{
    uint8_t piece[4096], expected[4096];
    assert_int_equal(fcntl(fd, F_GETFL) & O_DIRECT, 0);
    for (uint64_t at = begin; at < end; at += sizeof piece) {
        const size_t n = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        fill(expected, at, n);
        assert_int_equal(pread(fd, piece, n, (off_t)at), n);
        assert_memory_equal(piece, expected, n);
    }
    assert_int_equal(lseek(fd, 0, SEEK_END), end);
    close(fd);
}

/* What the writer is told: as many tensors as there are, or so many that it begins with blocks of all lengths. */
static size_t ntensors;

static int few_tensors(void **state)
{
    ntensors = NTASKS;
    (void)state;
    return 0;
}

static int many_tensors(void **state)
{
    ntensors = 4 * (size_t)NTASKS;
    (void)state;
    return 0;
}

/* A run of the file that one task makes, from its begin on. */
typedef struct task {
    fanin_file_writer *writer;
    uint64_t at;
    uint64_t end;
    uint32_t random;
    bool lends;
    uint8_t *memory; /* of the largest piece */
    fanin_status status;
} task;

enum { LARGEST = 5 << 20 };

/* Most pieces are those of 256 Ki elements of 2 bytes, some are short, some longer than a block. */
static size_t next_nbytes(task *t)
{
    t->random = t->random * 1664525 + 1013904223;
    const uint32_t kind = t->random >> 28;
    const size_t nbytes = kind < 9 ? 512 << 10 : kind < 14 ? 1 + t->random % 9000 : 1 + t->random % LARGEST;
    return t->end - t->at < nbytes ? (size_t)(t->end - t->at) : nbytes;
}

static fanin_status put_next(task *t)
{
    const size_t nbytes = next_nbytes(t);
    uint8_t *lent = t->lends ? fanin_file_writer_lend(t->writer, nbytes, t->at) : NULL;
    uint8_t *memory = lent != NULL ? lent : t->memory;
    fill(memory, t->at, nbytes);
    t->status = fanin_file_writer_put(t->writer, memory, nbytes, t->at, NULL);
    t->at += nbytes;
    return t->status;
}

/* Tasks by turns in one thread; false if a write failed. */
static bool write_by_turns(uint64_t begin, uint64_t nbytes, bool lends, int *fd)
{
    static uint8_t memory[LARGEST];
    fanin_file_writer writer;
    task tasks[NTASKS];
    bool is_on = true;
    *fd = create();
    fanin_file_writer_begin(&writer, *fd, "f", ntensors);
    for (unsigned i = 0; i < NTASKS; i++)
        tasks[i] = (task){.writer = &writer,
                          .at = begin + nbytes * i / NTASKS,
                          .end = begin + nbytes * (i + 1) / NTASKS,
                          .random = i,
                          .lends = lends,
                          .memory = memory};
    for (bool any = true; any && is_on;) {
        any = false;
        for (unsigned i = 0; i < NTASKS && is_on; i++)
            if (tasks[i].at < tasks[i].end) {
                is_on = put_next(&tasks[i]) == FANIN_OK;
                any = true;
            }
    }
    if (is_on)
        is_on = fanin_file_writer_finish(&writer, &error) == FANIN_OK;
    else
        assert_fails(fanin_file_writer_finish(&writer, &error), FANIN_ERROR_IO, error, "cannot write f");
    fanin_file_writer_end(&writer);
    fanin_set_io(NULL);
    return is_on;
}

static void lands(uint64_t begin, uint64_t nbytes)
{
    for (int lends = 0; lends < 2; lends++) {
        int fd;
        assert_true(write_by_turns(begin, nbytes, lends, &fd));
        check_and_close(fd, begin, begin + nbytes);
    }
}

static void every_byte_lands(void **state)
{
    (void)state;
    static const uint64_t begins[] = {0, 1, 4095, 4096, 5000, 2 << 20};
    static const uint64_t sizes[] = {1, 2, 4095, 4096, 8191, 8192, 300000, 2 << 20, (2 << 20) + 1};
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
            lands(begins[i], sizes[j]);
        if (i % 3 == 2 || !test_is_slow())
            lands(begins[i], NBYTES);
    }
}

/* Whether this file system lets the page cache be passed by at all. */
static bool has_direct(void)
{
    const int fd = create();
    const bool has = fanin_default_io()->set_direct(NULL, fd, true) >= 0;
    close(fd);
    return has;
}

static void past_the_page_cache(void **state)
{
    (void)state;
    int fd;
    if (!has_direct())
        skip();
    for (int lends = 0; lends < 2; lends++) {
        look(true);
        assert_true(write_by_turns(1234, NBYTES, lends, &fd));
        check_and_close(fd, 1234, 1234 + NBYTES);
        assert_int_equal(seen.ndirect + seen.ncached, NBYTES);
        /* the pages where the tasks' runs meet, and those of blocks given up half full */
        assert_true(seen.ncached < 100 * FANIN_FILE_ALIGNMENT);
        assert_false(seen.too_many);
    }
}

static void systems_that_do_less(void **state)
{
    (void)state;
    static const struct {
        bool has_direct;
        int direct_code, write_code;
        unsigned short_of;
    } systems[] = {{false, 0, 0, 0}, {true, -EINVAL, 0, 0}, {true, 0, -EINVAL, 0},
                   {true, 0, 0, 3},  {true, 0, -EINTR, 0},  {false, 0, 0, 2}};
    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++) {
        int fd;
        look(systems[i].has_direct);
        seen.direct_code = systems[i].direct_code;
        seen.write_code = systems[i].write_code;
        seen.short_of = systems[i].short_of;
        assert_true(write_by_turns(77, NBYTES, true, &fd));
        check_and_close(fd, 77, 77 + NBYTES);
        assert_false(seen.too_many);
        if (seen.direct_code < 0 || seen.write_code < 0 || !systems[i].has_direct)
            assert_int_equal(seen.ndirect, 0);
    }
}

static void failures_are_told(void **state)
{
    (void)state;
    int fd;
    look(true);
    assert_true(write_by_turns(77, NBYTES, true, &fd));
    close(fd);
    const unsigned nwrites = seen.nwrites;
    assert_true(nwrites > 10);
    for (unsigned fail_at = 1; fail_at <= nwrites - 3; fail_at += test_is_slow() ? 5 : 1) {
        look(true);
        seen.fail_at = fail_at;
        assert_false(write_by_turns(77, NBYTES, fail_at % 2, &fd));
        assert_int_equal(error.status, FANIN_ERROR_IO);
        assert_non_null(strstr(error.message, "cannot write f"));
        close(fd);
    }
}

/* -- Beside others ------------------------------------------------------------------------------------------------- */

static void *run_task(void *context)
{
    task *t = context;
    while (t->at < t->end && put_next(t) == FANIN_OK) {
    }
    return NULL;
}

/* With more of them than were spoken of, none waits for ever. */
static void tasks_beside_each_other(void **state)
{
    (void)state;
    enum { MANY = FANIN_FILE_SPARE_BLOCKS + 6 };
    for (size_t spoken_of = 1; spoken_of <= MANY; spoken_of += MANY - 1) {
        const int fd = create();
        fanin_file_writer writer;
        task tasks[MANY];
        pthread_t threads[MANY];
        fanin_file_writer_begin(&writer, fd, "f", spoken_of);
        for (unsigned i = 0; i < MANY; i++) {
            tasks[i] = (task){.writer = &writer,
                              .at = 9 + (uint64_t)NBYTES * i / MANY,
                              .end = 9 + (uint64_t)NBYTES * (i + 1) / MANY,
                              .random = i,
                              .lends = i % 2,
                              .memory = malloc(LARGEST)};
            assert_int_equal(pthread_create(&threads[i], NULL, run_task, &tasks[i]), 0);
        }
        for (unsigned i = 0; i < MANY; i++) {
            pthread_join(threads[i], NULL);
            assert_int_equal(tasks[i].status, FANIN_OK);
            free(tasks[i].memory);
        }
        assert_ok(fanin_file_writer_finish(&writer, &error), error);
        fanin_file_writer_end(&writer);
        check_and_close(fd, 9, 9 + (uint64_t)NBYTES);
    }
}

/* What is kept does not grow with the file; what is allocated is released, and no memory is an error. */
static void memory_is_bounded(void **state)
{
    (void)state;
    int fd;
    counting_allocator counter;
    counting_begin(&counter);
    assert_true(write_by_turns(77, NBYTES, true, &fd));
    close(fd);
    /* blocks come by threes; those that were left half full grow until there are as many as was said */
    const size_t nblocks = ntensors + NBLOCKS + 2;
    assert_true(counter.peak_nbytes <= nblocks * (FANIN_FILE_BLOCK_NBYTES + (16 << 10)));
    assert_int_equal(counter.nblocks, 0);
    counting_begin(&counter);
    counter.fail_at = 1;
    counter.fail_on = true;
    fanin_file_writer writer;
    fd = create();
    fanin_file_writer_begin(&writer, fd, "f", 1);
    assert_null(fanin_file_writer_lend(&writer, 3, 0));
    assert_fails(fanin_file_writer_put(&writer, "abc", 3, 0, &error), FANIN_ERROR_MEMORY, error, "");
    fanin_file_writer_end(&writer);
    close(fd);
    counting_end();
}

#define BOTH(test) cmocka_unit_test_setup(test, few_tensors), cmocka_unit_test_setup(test, many_tensors)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_byte_lands),  BOTH(past_the_page_cache),     BOTH(systems_that_do_less),
        BOTH(failures_are_told), BOTH(tasks_beside_each_other), BOTH(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
