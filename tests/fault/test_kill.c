/* SPDX-License-Identifier: MIT */
/*
 * Runs that are killed, and runs that meet: at any moment a name holds a whole checkpoint or what it held before, the
 * next run is not hindered, and of two runs for one output each ends well or says that the other is there.
 */
#define _XOPEN_SOURCE 700
#include "plan_fixture.h"
#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static fanin_error error;
static fanin_plan *plan;
static fanin_digest digest_of[3]; /* by seed */

/* 12 MB: long enough to be met in the middle, short enough for many runs. */
static const char spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"a.weight\",\"shape\":[1000,1000]},{\"name\":\"b.weight\",\"shape\":[1000,1000]},"
    "{\"name\":\"c.weight\",\"shape\":[1000,1000]}],"
    "\"rules\":[{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";

typedef struct output {
    const char *path;
    uint64_t max_shard_nbytes;
    const char *main;
} output;
static const output outputs[] = {{"out/one.safetensors", 0, "out/one.safetensors"},
                                 {"out", 0, "out/model.safetensors"},
                                 {"out", 5000000, "out/model.safetensors.index.json"}};
enum { NOUTPUTS = sizeof outputs / sizeof outputs[0] };

static void empty_folder(void)
{
    mkdir("out", 0700);
    test_empty_folder("out");
}

static size_t count_files(const char *part)
{
    return test_count_files("out", part);
}

static fanin_status run(const output *out, uint64_t seed, bool force)
{
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {.size = sizeof write,
                                       .path = out->path,
                                       .max_shard_nbytes = out->max_shard_nbytes,
                                       .config_json = "{}\n",
                                       .force = force};
    return fanin_run_checkpoint(plan, &options, &write, NULL, &error);
}

/* The seed of the whole checkpoint that is there, 0 for none; fails on anything else. */
static uint64_t seed_found(const output *out)
{
    struct stat info;
    fanin_checkpoint *checkpoint;
    fanin_digest digest;
    if (stat(out->main, &info) != 0)
        return 0;
    assert_ok(fanin_checkpoint_open(out->path, &checkpoint, &error), error);
    assert_ok(fanin_checkpoint_digest(checkpoint, &digest, &error), error);
    fanin_checkpoint_close(checkpoint);
    for (uint64_t seed = 1; seed <= 2; seed++)
        if (memcmp(digest.bytes, digest_of[seed].bytes, 32) == 0)
            return seed;
    fail_msg("%s is a mixture", out->path);
    return 0;
}

/* A child that runs and tells by its exit status how it went. */
static pid_t start(const output *out, uint64_t seed, bool force)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit((int)run(out, seed, force));
    return child;
}

static int end_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void killed(void **state)
{
    (void)state;
    unsigned random = 12345; /* of the moments */
    size_t nkilled = 0, nwhole = 0, nleft = 0;
    for (size_t i = 0; i < NOUTPUTS; i++) {
        const output *out = &outputs[i];
        empty_folder();
        double begin = seconds();
        assert_int_equal(end_of(start(out, 2, false)), FANIN_OK);
        double duration = seconds() - begin;
        empty_folder();
        for (int n = 0; n < 18; n++) {
            uint64_t before = n % 2 == 0 ? 0 : 2; /* nothing there, or another checkpoint that is replaced */
            empty_folder();
            if (before != 0)
                assert_ok(run(out, before, false), error);
            random = random * 1103515245 + 12345;
            double wait = duration * 1.1 * (random >> 16 & 0x7fff) / 32768;
            pid_t child = start(out, 1, before != 0);
            const struct timespec pause = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
            nanosleep(&pause, NULL);
            kill(child, SIGKILL);
            nkilled += end_of(child) == -SIGKILL;
            uint64_t after = seed_found(out);
            nwhole += after == 1;
            nleft += count_files(".partial-") > 0;
            if (after != 1 && after != before && out->max_shard_nbytes == 0)
                fail_msg("%s: seed %d before, %d after", out->path, (int)before, (int)after);
            /* what was left behind is no hindrance, and goes */
            assert_ok(run(out, 1, true), error);
            assert_int_equal(seed_found(out), 1);
            assert_int_equal(count_files(".partial-"), 0);
        }
    }
    print_message("%zu killed, %zu had finished, %zu left a temporary file\n", nkilled, nwhole, nleft);
    assert_true(nkilled >= 20);
    assert_true(nleft >= 10);
}

static void two_at_once(void **state)
{
    (void)state;
    size_t nrefused = 0;
    for (size_t i = 0; i < NOUTPUTS; i++) {
        const output *out = &outputs[i];
        for (int n = 0; n < 10; n++) {
            empty_folder();
            pid_t first = start(out, 1, true), second = start(out, n % 2 + 1, true);
            int a = end_of(first), b = end_of(second);
            if ((a != FANIN_OK && a != FANIN_ERROR_IO) || (b != FANIN_OK && b != FANIN_ERROR_IO))
                fail_msg("%s: %d and %d", out->path, a, b);
            assert_true(a == FANIN_OK || b == FANIN_OK);
            nrefused += a != FANIN_OK || b != FANIN_OK;
            assert_int_not_equal(seed_found(out), 0);
            assert_int_equal(count_files(".partial-"), 0);
        }
    }
    print_message("%zu of 30 second runs were refused\n", nrefused);
    assert_true(nrefused > 0);
}

/* The message that the second gets while the first is alive; from the same process, so that the moment is sure. */
static bool run_inside(void *user, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    const output *out = user;
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {
        .size = sizeof write, .path = out->path, .max_shard_nbytes = out->max_shard_nbytes, .force = true};
    assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_IO, error, "another run");
    return true;
}

static void one_inside_another(void **state)
{
    (void)state;
    for (size_t i = 0; i < NOUTPUTS; i++) {
        empty_folder();
        output out = outputs[i];
        fanin_run_options options = test_options(1);
        fanin_error outer;
        options.progress = run_inside;
        options.user = &out;
        const fanin_write_options write = {
            .size = sizeof write, .path = out.path, .max_shard_nbytes = out.max_shard_nbytes};
        assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &outer), outer);
        assert_int_equal(seed_found(&out), 1);
        assert_int_equal(count_files(".partial-"), 0);
    }
}

static int make_plan(void **state)
{
    if (test_enter_scratch(state) != 0)
        return -1;
    plan = test_plan(spec, 0);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        const fanin_run_options options = test_options(seed);
        assert_ok(fanin_run_digest(plan, &options, &digest_of[seed], &error), error);
    }
    return 0;
}

static int free_plan(void **state)
{
    fanin_plan_free(plan);
    return test_leave_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed), cmocka_unit_test(two_at_once),
                                       cmocka_unit_test(one_inside_another)};
    return cmocka_run_group_tests(tests, make_plan, free_plan);
}
