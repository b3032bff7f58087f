/* SPDX-License-Identifier: MIT */
/*
 * Plans run side by side: bytes, digests, errors and reports must be those of one thread, for every count of threads
 * and every order in which a caller runs the tasks.
 */
#define _XOPEN_SOURCE 700
#include "counting_allocator.h"
#include "plan_fixture.h"
#include "scratch.h"

#include <pthread.h>
#include <unistd.h>

static fanin_error error;

/* Enough elements for several tasks, of every kind of fill that can stand in one. */
#define TENSORS                                                                                                        \
    "{\"name\":\"a\",\"shape\":[3]},{\"name\":\"emb\",\"embedding\":[30000,100]},{\"name\":\"z\",\"shape\":[0,4]},"    \
    "{\"name\":\"b\",\"shape\":[700,3001]},{\"name\":\"c\",\"shape\":[5]},{\"name\":\"t\",\"tie\":\"b\"},"             \
    "{\"name\":\"o\",\"shape\":[40,30]},{\"name\":\"lstm\",\"lstm\":[300,300]},"                                       \
    "{\"name\":\"d\",\"shape\":[2200000]},{\"name\":\"e\",\"shape\":[7]},{\"name\":\"f\",\"shape\":[17]}"
#define SPEC(dtype, tensors, rules)                                                                                    \
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"" dtype "\",\"tensors\":[" tensors "],\"rules\":[" rules "]" \
    "}"
#define RULES                                                                                                          \
    "{\"match\":\"emb.*\",\"row\":1,\"init\":\"zeros\"},{\"match\":\"d\",\"init\":\"uniform\"},"                       \
    "{\"match\":\"lstm.*\",\"init\":\"uniform\",\"per_gate\":true},{\"match\":\"**\",\"init\":\"normal\"}"

#define TRUNCATED                                                                                                      \
    "{\"match\":\"emb.*\",\"row\":1,\"init\":\"zeros\"},{\"match\":\"o\",\"init\":\"trunc_normal\",\"a\":1,\"b\":5},"  \
    "{\"match\":\"lstm.*\",\"init\":\"trunc_normal\",\"per_gate\":true},{\"match\":\"**\",\"init\":\"trunc_normal\"}"

static const char *const specs[] = {
    SPEC("f32", TENSORS, "{\"match\":\"o\",\"init\":\"orthogonal\"}," RULES),
    SPEC("f64", TENSORS, RULES),
    SPEC("bf16", TENSORS, RULES),
    SPEC("f32", TENSORS, "{\"match\":\"{a,b,e}\",\"init\":\"trunc_normal\"}," RULES),
    /* nothing but draws that depend on data, by each of the ways, and what is overwritten among them */
    SPEC("f32", TENSORS, TRUNCATED),
    SPEC("bf16", TENSORS, TRUNCATED),
    /* layers that are constructed, and made alike in pairs */
    "{\"format\":\"fanin-spec\",\"version\":1,\"construct\":true,\"tensors\":["
    "{\"name\":\"fc\",\"linear\":[1500,1500]},{\"name\":\"mha\",\"multihead_attention\":[640,4]},"
    "{\"name\":\"tail\",\"linear\":[1500,1500]}],\"rules\":[{\"match\":\"fc.*\",\"init\":\"normal\"}]}",
};
enum { NSPECS = sizeof specs / sizeof specs[0] };

static void run_backwards(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    while (ntasks > 0)
        task(context, --ntasks);
}

/* 2^k steps of a generator with full period visit every number below it once. */
static void run_mixed(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    size_t period = 1, x = 0;
    while (period < ntasks)
        period *= 2;
    for (size_t k = 0; k < period; k++) {
        x = (x * 5 + 3) % period;
        if (x < ntasks)
            task(context, x);
    }
}

static void check_parallel(const fanin_plan *plan, const fanin_parallel *parallel, void *const *expected,
                           const fanin_digest *digest)
{
    fanin_run_options options = test_options(5);
    options.parallel = parallel;
    void **found = test_allocate_tensors(plan);
    assert_ok(fanin_run_memory(plan, &options, found, &error), error);
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        if (found[i] != NULL)
            assert_memory_equal(found[i], expected[i], fanin_plan_tensor_at(plan, i)->nbytes);
    test_free_tensors(plan, found);
    if (!test_is_slow()) { /* the checkpoint has it as well */
        fanin_digest other;
        assert_ok(fanin_run_digest(plan, &options, &other, &error), error);
        assert_memory_equal(other.bytes, digest->bytes, 32);
    }
    fanin_write_options write = {.size = sizeof write, .path = "out", .max_shard_nbytes = 12000000, .force = true};
    fanin_write_result written;
    fanin_checkpoint *checkpoint;
    fanin_verify_result result;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &written, &error), error);
    assert_memory_equal(written.digest.bytes, digest->bytes, 32);
    assert_ok(fanin_checkpoint_open("out", &checkpoint, &error), error);
    assert_ok(fanin_verify(checkpoint, plan, &options, NULL, NULL, &result, &error), error);
    assert_memory_equal(result.digest.bytes, digest->bytes, 32);
    fanin_checkpoint_close(checkpoint);
}

static void every_count_is_equal(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 2, 3, 7, 64};
    for (size_t i = 0; i < NSPECS; i++) {
        fanin_plan *plan = test_plan(specs[i], 0);
        void **expected = test_allocate_tensors(plan);
        test_run_plainly(plan, 5, expected);
        const fanin_run_options options = test_options(5);
        fanin_digest digest;
        assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            if (test_is_slow() && (c + i) % 5 != 2)
                continue;
            fanin_pool *pool;
            assert_ok(fanin_pool_create(counts[c], &pool, &error), error);
            const fanin_parallel parallel = fanin_pool_parallel(pool);
            check_parallel(plan, &parallel, expected, &digest);
            fanin_pool_free(pool);
        }
        const fanin_parallel backwards = {run_backwards, NULL, 2}, mixed = {run_mixed, NULL, 2};
        if (!test_is_slow()) { /* one thread each */
            check_parallel(plan, &backwards, expected, &digest);
            check_parallel(plan, &mixed, expected, &digest);
        }
        test_free_tensors(plan, expected);
        fanin_plan_free(plan);
    }
    test_empty_folder("out");
    rmdir("out");
}

static char *read_back(const char *path, size_t *nbytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long end = ftell(file);
    assert_true(end > 0);
    *nbytes = (size_t)end;
    rewind(file);
    char *bytes = malloc(*nbytes);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *nbytes, file), *nbytes);
    fclose(file);
    return bytes;
}

/* Not the digest alone: every byte, headers too, with the digest and without. */
static void files_are_equal(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 2, 3, 7};
    static const uint8_t zeros[32];
    for (size_t i = 0; i < NSPECS; i++) {
        fanin_plan *plan = test_plan(specs[i], 0);
        fanin_run_options options = test_options(5);
        fanin_write_options write = {.size = sizeof write, .path = "first.safetensors", .force = true};
        fanin_write_result first, result;
        assert_ok(fanin_run_checkpoint(plan, &options, &write, &first, &error), error);
        size_t nbytes, nfound;
        char *expected = read_back("first.safetensors", &nbytes);
        write.path = "out.safetensors";
        for (size_t k = 0; k < 2 * (sizeof counts / sizeof counts[0]); k++) {
            fanin_pool *pool;
            assert_ok(fanin_pool_create(counts[k / 2], &pool, &error), error);
            const fanin_parallel parallel = fanin_pool_parallel(pool);
            options.parallel = &parallel;
            write.no_digest = k % 2 == 1;
            assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
            assert_memory_equal(result.digest.bytes, write.no_digest ? zeros : first.digest.bytes, 32);
            assert_int_equal(result.nbytes, first.nbytes);
            char *found = read_back("out.safetensors", &nfound);
            assert_int_equal(nfound, nbytes);
            assert_memory_equal(found, expected, nbytes);
            free(found);
            fanin_pool_free(pool);
        }
        free(expected);
        fanin_plan_free(plan);
    }
    unlink("first.safetensors");
    unlink("out.safetensors");
}

typedef struct stopper {
    uint64_t last;
    size_t ncalls;
    size_t stop_at;
} stopper;

/* Not safe for two threads at once: the race is for ThreadSanitizer to see. */
static bool stop(void *user, uint64_t done, uint64_t total)
{
    stopper *s = user;
    assert_true(done >= s->last && done <= total);
    s->last = done;
    return ++s->ncalls != s->stop_at;
}

static void cancelled(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(specs[0], 0);
    fanin_pool *pool;
    assert_ok(fanin_pool_create(2, &pool, &error), error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    stopper s = {.stop_at = 12};
    fanin_run_options options = test_options(5);
    options.parallel = &parallel;
    options.progress = stop;
    options.user = &s;
    const fanin_write_options write = {.size = sizeof write, .path = "c.safetensors"};
    fanin_write_result result;
    assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_CANCELLED, error, "cancelled");
    assert_int_equal(s.ncalls, 12);
    assert_int_equal(test_count_files(".", "c.safetensors"), 0);
    s = (stopper){0};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_int_equal(s.last, result.nbytes);
    unlink("c.safetensors");
    fanin_pool_free(pool);
    fanin_plan_free(plan);
}

typedef struct task_count {
    size_t most;      /* tasks of one run */
    size_t in_a_task; /* runs begun inside a task */
    bool is_running;
} task_count;

static void run_counted(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    task_count *count = user;
    const bool was_running = count->is_running;
    count->most = ntasks > count->most ? ntasks : count->most;
    count->in_a_task += was_running;
    count->is_running = true;
    run_backwards(NULL, ntasks, task, context);
    count->is_running = was_running;
}

/* Made once each: alone in pieces if it is large, else as a part of a task. */
static void each_is_made_once(void **state)
{
    (void)state;
    static const char *const rules[] = {"normal", "trunc_normal"};
    for (size_t i = 0; i < 2; i++) {
        char spec[600];
        snprintf(spec, sizeof spec,
                 SPEC("f32",
                      "{\"name\":\"large\",\"shape\":[4200000]},{\"name\":\"a\",\"shape\":[2100000]},"
                      "{\"name\":\"b\",\"shape\":[2100000]},{\"name\":\"c\",\"shape\":[2100000]}",
                      "{\"match\":\"b\",\"init\":\"%s\"},{\"match\":\"**\",\"init\":\"normal\"}"),
                 rules[i]);
        fanin_plan *plan = test_plan(spec, 0);
        void **expected = test_allocate_tensors(plan), **found = test_allocate_tensors(plan);
        test_run_plainly(plan, 5, expected);
        task_count count = {0};
        const fanin_parallel parallel = {run_counted, &count, 2};
        stopper s = {0};
        fanin_run_options options = test_options(5);
        options.parallel = &parallel;
        options.progress = stop; /* no more bytes than there are */
        options.user = &s;
        assert_ok(fanin_run_memory(plan, &options, found, &error), error);
        assert_int_equal(s.last, 10500000 * sizeof(float));
        /* a and c, and b if it does not have to be made on the way; the pieces of a fill would be 2 */
        assert_int_equal(count.most, i == 0 ? 3 : 2);
        assert_int_equal(count.in_a_task, 0);
        for (size_t t = 0; t < 4; t++)
            assert_memory_equal(found[t], expected[t], fanin_plan_tensor_at(plan, t)->nbytes);
        test_free_tensors(plan, expected);
        test_free_tensors(plan, found);
        fanin_plan_free(plan);
    }
}

typedef struct locked_counter {
    pthread_mutex_t lock;
    counting_allocator counter;
} locked_counter;

static void *allocate_locked(void *user, size_t nbytes)
{
    locked_counter *l = user;
    pthread_mutex_lock(&l->lock);
    void *memory = counting_allocate(&l->counter, nbytes);
    pthread_mutex_unlock(&l->lock);
    return memory;
}

static void release_locked(void *user, void *memory)
{
    locked_counter *l = user;
    pthread_mutex_lock(&l->lock);
    counting_release(&l->counter, memory);
    pthread_mutex_unlock(&l->lock);
}

static void failing_memory(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(specs[2], 0);
    fanin_pool *pool;
    assert_ok(fanin_pool_create(2, &pool, &error), error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    fanin_run_options options = test_options(5);
    options.parallel = &parallel;
    const fanin_write_options write = {.size = sizeof write, .path = "m.safetensors"};
    locked_counter l = {.lock = PTHREAD_MUTEX_INITIALIZER};
    fanin_status status = FANIN_ERROR_MEMORY;
    uint64_t n = 0;
    while (status != FANIN_OK) {
        n += test_is_slow() ? 5 : 1;
        l.counter = (counting_allocator){.fail_at = n};
        fanin_set_allocator(&(fanin_allocator){allocate_locked, release_locked, &l});
        status = fanin_run_checkpoint(plan, &options, &write, NULL, &error);
        fanin_set_allocator(NULL);
        assert_int_equal(status, l.counter.ncalls >= n ? FANIN_ERROR_MEMORY : FANIN_OK);
        assert_int_equal(l.counter.nblocks, 0);
        assert_int_equal(test_count_files(".", "m.safetensors"), status == FANIN_OK);
    }
    assert_true(n > 20);
    unlink("m.safetensors");
    fanin_pool_free(pool);
    fanin_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_is_equal), cmocka_unit_test(files_are_equal), cmocka_unit_test(cancelled),
        cmocka_unit_test(each_is_made_once),    cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
