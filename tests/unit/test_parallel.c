/* SPDX-License-Identifier: MIT */
/*
 * Threads change no byte: fills in pieces for any count of threads, with our pool and with a caller's own loop that
 * runs backwards; pools after a fork, in use by two threads at once, and without memory.
 */
#define _GNU_SOURCE /* mmap, madvise, mincore */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fanin/fanin.h"

/* More than the pieces of 4 threads need; four times that where it matters less how long it takes. */
enum { MAX_NELEM = 3500005, SLOW_NELEM = 600005 };

static const fanin_fill fills[] = {
    {FANIN_FILL_UNIFORM, {-0.3, 0.7}},
    {FANIN_FILL_NORMAL, {0.5, 2}},
    {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}},
    {FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}},
    {FANIN_FILL_CONSTANT, {3}},
    {FANIN_FILL_SPARSE, {0.1, 1}},
};
static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64, FANIN_BF16, FANIN_F16};

static void run_backwards(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    while (ntasks-- > 0)
        task(context, ntasks);
}

/* The same into memory that nobody has touched, at an odd place in its pages. */
static void check_fresh(const fanin_fill *fill, const fanin_tensor *tensor, const fanin_generator *before,
                        const fanin_parallel *parallel, const void *bytes, const fanin_generator *after)
{
    const size_t nbytes = (size_t)fanin_tensor_nelem(tensor) * fanin_dtype_nbits(tensor->dtype) / 8;
    char *memory = mmap(NULL, nbytes + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fanin_generator generator = *before;
    fanin_tensor fresh = *tensor;
    bool huge = true;
    assert_ptr_not_equal(memory, MAP_FAILED);
    fresh.data = memory + 64;
    assert_int_equal(fanin_fill_run_fresh(fill, &fresh, &generator, parallel, &huge, NULL), FANIN_OK);
    assert_memory_equal(fresh.data, bytes, nbytes);
    assert_memory_equal(&generator, after, sizeof generator);
    munmap(memory, nbytes + 64);
}

static void test_same_bytes(void **state)
{
    const int64_t nelem = test_is_slow() ? SLOW_NELEM : MAX_NELEM;
    char *whole = malloc(MAX_NELEM * 8), *pieces = malloc(MAX_NELEM * 8);
    fanin_pool *pool;
    (void)state;
    assert_int_equal(fanin_pool_create(3, &pool, NULL), FANIN_OK);
    for (size_t p = 0; p < fanin_profile_count(); p++)
        for (size_t d = 0; d < 4; d++)
            for (size_t f = 0; f < sizeof fills / sizeof *fills; f++) {
                bool is_newest = fanin_profile_at(p) == FANIN_PROFILE_TORCH;
                if (!is_newest && fills[f].kind != FANIN_FILL_NORMAL)
                    continue;
                int64_t n = fills[f].kind == FANIN_FILL_SPARSE ? 1000 : nelem;
                fanin_tensor a = fanin_tensor_2d(whole, dtypes[d], n, 1), b = fanin_tensor_2d(pieces, dtypes[d], n, 1);
                fanin_generator before = fanin_generator_create(fanin_profile_at(p), 9), x, y;
                fanin_generator_skip(&before, 77);
                before.has_next_normal = true;
                before.next_normal = 0.5;
                x = before;
                assert_int_equal(fanin_fill_run(&fills[f], &a, &x, NULL), FANIN_OK);
                for (unsigned threads = 1; threads <= 4; threads++) {
                    fanin_parallel parallel = fanin_pool_parallel(pool), backwards = {run_backwards, NULL, threads};
                    parallel.nthreads = threads;
                    y = before;
                    memset(pieces, 0, (size_t)nelem * 8);
                    assert_int_equal(
                        fanin_fill_run_parallel(&fills[f], &b, &y, threads % 2 ? &parallel : &backwards, NULL),
                        FANIN_OK);
                    assert_memory_equal(whole, pieces, (size_t)n * fanin_dtype_nbits(dtypes[d]) / 8);
                    assert_memory_equal(&x, &y, sizeof x);
                    if (!is_newest)
                        continue;
                    check_fresh(&fills[f], &b, &before, threads % 2 ? &parallel : &backwards, whole, &x);
                }
            }
    fanin_pool_free(pool);
    free(whole);
    free(pieces);
}

/* A matrix is not cut into pieces of its own, but its factorization is shared out. */
static void test_orthogonal(void **state)
{
    enum { ROWS = 300, COLS = 410 };
    const fanin_fill fill = {FANIN_FILL_ORTHOGONAL, {1.5}};
    const fanin_parallel backwards = {run_backwards, NULL, 3};
    char *alone = malloc(ROWS * COLS * 8), *shared = malloc(ROWS * COLS * 8);
    fanin_pool *pool;
    (void)state;
    assert_int_equal(fanin_pool_create(2, &pool, NULL), FANIN_OK);
    for (size_t d = 0; d < 2; d++) {
        fanin_tensor a = fanin_tensor_2d(alone, dtypes[d], ROWS, COLS),
                     b = fanin_tensor_2d(shared, dtypes[d], ROWS, COLS);
        fanin_generator x = fanin_generator_torch(3);
        assert_int_equal(fanin_fill_run(&fill, &a, &x, NULL), FANIN_OK);
        for (int own = 0; own < 2; own++) {
            fanin_parallel parallel = own ? fanin_pool_parallel(pool) : backwards;
            fanin_generator y = fanin_generator_torch(3);
            assert_int_equal(fanin_fill_run_parallel(&fill, &b, &y, &parallel, NULL), FANIN_OK);
            assert_memory_equal(alone, shared, (size_t)ROWS * COLS * fanin_dtype_nbits(dtypes[d]) / 8);
            assert_memory_equal(&x, &y, sizeof x);
        }
    }
    fanin_pool_free(pool);
    free(alone);
    free(shared);
}

static void test_refusals_are_those_of_one_thread(void **state)
{
    fanin_parallel backwards = {run_backwards, NULL, 4};
    float *memory = malloc(MAX_NELEM * sizeof *memory);
    fanin_tensor t = fanin_tensor_1d(memory, FANIN_F32, MAX_NELEM), none = fanin_tensor_1d(NULL, FANIN_F32, MAX_NELEM);
    fanin_generator g = fanin_generator_torch(1);
    fanin_error error;
    (void)state;
    const fanin_fill wrong = {FANIN_FILL_UNIFORM, {1, 0}}, normal = {FANIN_FILL_NORMAL, {0, 1}};
    assert_int_equal(fanin_fill_run_parallel(&wrong, &t, &g, &backwards, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_parallel(&normal, &none, &g, &backwards, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_parallel(&normal, &t, NULL, &backwards, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_parallel(&normal, &t, &g, NULL, &error), FANIN_OK);
    bool huge = false;
    assert_int_equal(fanin_fill_run_fresh(&wrong, &t, &g, &backwards, &huge, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_fresh(&normal, &none, &g, &backwards, &huge, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_fresh(&normal, &t, NULL, &backwards, &huge, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_fill_run_fresh(&normal, &t, &g, NULL, &huge, &error), FANIN_OK);
    free(memory);
}

/* Runs backwards, and makes the fill wrong for all pieces but the first: another number for each. */
static void run_and_spoil(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    fanin_fill *fill = user;
    while (ntasks-- > 0) {
        fill->value[0] = (double)ntasks;
        task(context, ntasks);
    }
}

/* Nothing that passes the check of the whole fails in a piece, but who shares a fill with others may change it. */
static void test_the_first_piece_that_fails_is_told(void **state)
{
    fanin_fill fill = {FANIN_FILL_UNIFORM, {0, 0.5}};
    const fanin_parallel spoiling = {run_and_spoil, &fill, 4};
    float *memory = malloc(SLOW_NELEM * sizeof *memory);
    const fanin_tensor t = fanin_tensor_1d(memory, FANIN_F32, SLOW_NELEM);
    const fanin_generator before = fanin_generator_torch(1);
    fanin_generator g = before;
    fanin_error error;
    (void)state;
    assert_fails(fanin_fill_run_parallel(&fill, &t, &g, &spoiling, &error), FANIN_ERROR_ARGUMENT, error,
                 "from = 1 is greater than to = 0.5");
    assert_memory_equal(&g, &before, sizeof g);
    free(memory);
}

static void count_task(void *context, size_t i)
{
    atomic_int *counts = context;
    atomic_fetch_add(&counts[i], 1);
}

static void assert_runs_every_task(fanin_pool *pool, size_t ntasks)
{
    static atomic_int counts[5000];
    fanin_parallel parallel = fanin_pool_parallel(pool);
    memset((void *)counts, 0, sizeof counts);
    parallel.run(parallel.user, ntasks, count_task, counts);
    for (size_t i = 0; i < ntasks; i++)
        assert_int_equal(atomic_load(&counts[i]), 1);
}

static void test_every_task_runs_once(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 9; threads++) {
        fanin_pool *pool;
        assert_int_equal(fanin_pool_create(threads, &pool, NULL), FANIN_OK);
        assert_int_equal(fanin_pool_parallel(pool).nthreads, threads > 0 ? threads : fanin_processor_count());
        for (int round = 0; round < 50; round++)
            assert_runs_every_task(pool, (size_t)round * 97);
        fanin_pool_free(pool);
    }
    fanin_pool_free(NULL);
}

/* A child has none of the threads: it must neither hang nor miss a task. */
static void test_after_fork(void **state)
{
    fanin_pool *pool;
    int status;
    (void)state;
    assert_int_equal(fanin_pool_create(4, &pool, NULL), FANIN_OK);
    assert_runs_every_task(pool, 100);
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        assert_runs_every_task(pool, 100);
        fanin_pool_free(pool);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_runs_every_task(pool, 100);
    fanin_pool_free(pool);
}

static void *use_pool(void *user)
{
    fanin_parallel parallel = fanin_pool_parallel(user);
    atomic_int counts[200] = {0};
    for (int round = 0; round < 200; round++)
        parallel.run(parallel.user, 200, count_task, counts);
    for (int i = 0; i < 200; i++)
        if (atomic_load(&counts[i]) != 200)
            return (void *)1;
    return NULL;
}

static void test_two_callers(void **state)
{
    fanin_pool *pool;
    pthread_t other;
    void *result;
    (void)state;
    assert_int_equal(fanin_pool_create(3, &pool, NULL), FANIN_OK);
    assert_int_equal(pthread_create(&other, NULL, use_pool, pool), 0);
    assert_null(use_pool(pool));
    assert_int_equal(pthread_join(other, &result), 0);
    assert_null(result);
    fanin_pool_free(pool);
}

static void *no_memory(void *user, size_t nbytes)
{
    (void)user;
    (void)nbytes;
    return NULL;
}

static void no_release(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

static void test_no_memory(void **state)
{
    static const fanin_allocator nothing = {no_memory, no_release, NULL};
    fanin_pool *pool;
    (void)state;
    fanin_set_allocator(&nothing);
    assert_int_equal(fanin_pool_create(2, &pool, NULL), FANIN_ERROR_MEMORY);
    fanin_set_allocator(NULL);
}

/*
 * Whatever the size and the place in its pages, every page but the two that are shared with neighbours is there after a
 * touch, what was written before stays, and memory outside is not touched.
 */
static void test_touch(void **state)
{
    static const size_t sizes[] = {1, 4096, 8191, 100000, (2 << 20) + 5, 4 << 20, (9 << 20) + 12345};
    const fanin_parallel backwards = {run_backwards, NULL, 3};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), around = 4 << 20;
    (void)state;
    /* MADV_POPULATE_WRITE, from Linux 5.14 on; before it, pages are left to the first writes. */
    void *probe = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool is_supported = probe != MAP_FAILED && madvise(probe, page, 23) == 0;
    fanin_pool *pool;
    assert_int_equal(fanin_pool_create(2, &pool, NULL), FANIN_OK);
    const fanin_parallel own = fanin_pool_parallel(pool), *const ways[] = {NULL, &own, &backwards};
    for (size_t w = 0; w < 3; w++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            const size_t n = sizes[s], nbytes = n + 2 * around;
            unsigned char *memory = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            assert_ptr_not_equal(memory, MAP_FAILED);
            unsigned char *data = memory + around + 40 * s;
            memory[0] = 7; /* the neighbours are in use */
            data[n - 1] = 9;
            fanin_parallel_touch(ways[w], data, n, true);
            fanin_parallel_touch(ways[w], data, n, true);
            assert_int_equal(memory[0], 7);
            assert_int_equal(data[n - 1], 9);
            unsigned char *resident = malloc(nbytes / page + 1);
            assert_non_null(resident);
            assert_int_equal(mincore(memory, nbytes, resident), 0);
            size_t first = (around + 40 * s + page - 1) / page, end = (around + 40 * s + n) / page;
            size_t nresident = 0;
            for (size_t i = first; i < end; i++)
                nresident += resident[i] & 1;
            if (is_supported)
                assert_int_equal(nresident, end > first ? end - first : 0);
            free(resident);
            munmap(memory, nbytes);
        }
        fanin_parallel_touch(ways[w], NULL, 1 << 20, true);
        fanin_parallel_touch(ways[w], (void *)(uintptr_t)page, 1 << 20, false); /* nobody's */
    }
    fanin_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_orthogonal),
        cmocka_unit_test(test_refusals_are_those_of_one_thread),
        cmocka_unit_test(test_the_first_piece_that_fails_is_told),
        cmocka_unit_test(test_every_task_runs_once),
        cmocka_unit_test(test_after_fork),
        cmocka_unit_test(test_two_callers),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_touch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
