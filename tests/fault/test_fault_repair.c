/* SPDX-License-Identifier: MIT */
/*
 * Mending while every file operation and every allocation fails in its turn, and mending that is killed: the new name
 * holds a whole checkpoint or what it held before, the old one is as it was, nothing leaks.
 */
#define _XOPEN_SOURCE 700
#include "damage.h"
#include "failing_writer.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fanin/check.h"

static const char spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"emb.weight\",\"shape\":[50,16]},{\"name\":\"h.0.weight\",\"shape\":[33,17]},"
    "{\"name\":\"h.0.bias\",\"shape\":[33]},{\"name\":\"h.1.weight\",\"shape\":[33,17]}],"
    "\"rules\":[{\"match\":\"emb.*\",\"row\":0,\"init\":\"zeros\"},"
    "{\"match\":\"**.bias\",\"init\":\"zeros\"},{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";
/* 12 MB, of which 8 are made anew: long enough to be met in the middle. */
static const char large_spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"a.weight\",\"shape\":[1000,1000]},{\"name\":\"b.weight\",\"shape\":[1000,1000]},"
    "{\"name\":\"c.weight\",\"shape\":[1000,1000]}],"
    "\"rules\":[{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";

static const uint8_t nan32[] = {0, 0, 0xc0, 0x7f};

static fanin_plan *plan;
static fanin_checkpoint *bad;
static fanin_diagnosis *diagnosis;

typedef struct scenario {
    const char *name;
    const char *path;
    const char *config;
    bool by_plan;
    uint64_t seed;
    bool replaces; /* a mended checkpoint of another seed is there before */
    const char *main;
} scenario;

static const scenario scenarios[] = {
    {"one file by its plan", "out/one.safetensors", NULL, true, 7, false, "out/one.safetensors"},
    {"one file by rules, replaced", "out/one.safetensors", NULL, false, 8, true, "out/one.safetensors"},
    {"shards by plan and rules", "out", "{}\n", true, 8, false, "out/model.safetensors.index.json"},
    {"shards, replaced", "out", "{}\n", false, 8, true, "out/model.safetensors.index.json"},
};
enum { NSCENARIOS = sizeof scenarios / sizeof scenarios[0] };
static fanin_digest digests[NSCENARIOS][2]; /* of what is written, and of what was there */

static fanin_status repair(const scenario *s, uint64_t seed, bool force, fanin_digest *digest)
{
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {.size = sizeof write, .path = s->path, .config_json = s->config, .force = force};
    fanin_repair_result result;
    fanin_status status = fanin_repair(bad, diagnosis, s->by_plan ? plan : NULL, &options, &write, &result, &error);
    if (status == FANIN_OK && digest != NULL)
        *digest = result.digest;
    return status;
}

static void prepare(const scenario *s)
{
    mkdir("out", 0700);
    test_empty_folder("out");
    if (s->replaces)
        assert_ok(repair(s, s->seed + 1, false, NULL), error);
}

/* 1: the new one, 2: the old one, 0: none. */
static int found(const void *given)
{
    const scenario *s = given;
    struct stat info;
    fanin_checkpoint *checkpoint;
    fanin_digest digest;
    const size_t i = (size_t)(s - scenarios);
    if (stat(s->main, &info) != 0)
        return 0;
    assert_ok(fanin_checkpoint_open(s->path, &checkpoint, &error), error);
    assert_ok(fanin_checkpoint_digest(checkpoint, &digest, &error), error);
    fanin_checkpoint_close(checkpoint);
    if (memcmp(digest.bytes, digests[i][0].bytes, 32) == 0)
        return 1;
    if (memcmp(digest.bytes, digests[i][1].bytes, 32) != 0)
        fail_msg("%s: a mixture", s->name);
    return 2;
}

static void prepare_scenario(const void *given)
{
    prepare(given);
}

static fanin_status write_scenario(const void *given, bool force)
{
    const scenario *s = given;
    return repair(s, s->seed, force, NULL);
}

static writer writer_of(const scenario *s)
{
    return (writer){.name = s->name,
                    .scenario = s,
                    .replaces = s->replaces,
                    .keeps_old = s->replaces && s->config == NULL,
                    .prepare = prepare_scenario,
                    .write = write_scenario,
                    .found = found};
}

static void failing_io(void **state)
{
    (void)state;
    long total = 0;
    for (size_t i = 0; i < NSCENARIOS; i++) {
        const writer w = writer_of(&scenarios[i]);
        total += fail_every_operation(&w);
    }
    print_message("%ld failed calls\n", total);
}

static void failing_memory(void **state)
{
    (void)state;
    long total = 0;
    for (size_t i = 0; i < NSCENARIOS; i++) {
        const writer w = writer_of(&scenarios[i]);
        total += fail_every_allocation(&w);
    }
    print_message("%ld failed allocations\n", total);
    assert_true(total > 200);
}

/* -- Killed -------------------------------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static pid_t start(const fanin_checkpoint *checkpoint, const fanin_diagnosis *of, const char *path)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const fanin_run_options options = test_options(9);
        const fanin_write_options write = {.size = sizeof write, .path = path};
        _exit((int)fanin_repair(checkpoint, of, NULL, &options, &write, NULL, &error));
    }
    return child;
}

static int end_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void killed(void **state)
{
    (void)state;
    static const char *const paths[] = {"out/one.safetensors", "out"};
    fanin_plan *large = test_plan(large_spec, 0);
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {.size = sizeof write, .path = "large", .max_shard_nbytes = 5000000};
    fanin_checkpoint *checkpoint;
    fanin_diagnosis *of_large;
    const fanin_diagnosis_options known = {.size = sizeof known, .plan = large};
    assert_ok(fanin_run_checkpoint(large, &options, &write, NULL, &error), error);
    test_damage("large", "a.weight", 0, nan32, 4);
    test_damage("large", "c.weight", 0, nan32, 4);
    assert_ok(fanin_checkpoint_open("large", &checkpoint, &error), error);
    assert_ok(fanin_diagnose_checkpoint(checkpoint, &known, &of_large, &error), error);
    unsigned random = 54321; /* of the moments */
    size_t nkilled = 0;
    for (size_t i = 0; i < 2; i++) {
        fanin_digest whole, digest;
        fanin_checkpoint *made;
        test_empty_folder("out");
        const double began = seconds();
        assert_int_equal(end_of(start(checkpoint, of_large, paths[i])), FANIN_OK);
        const double duration = seconds() - began;
        assert_ok(fanin_checkpoint_open(paths[i], &made, &error), error);
        assert_ok(fanin_checkpoint_digest(made, &whole, &error), error);
        fanin_checkpoint_close(made);
        for (int n = 0; n < 12; n++) {
            test_empty_folder("out");
            random = random * 1103515245 + 12345;
            const double wait = duration * 1.1 * (random >> 16 & 0x7fff) / 32768;
            pid_t child = start(checkpoint, of_large, paths[i]);
            const struct timespec pause = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
            nanosleep(&pause, NULL);
            kill(child, SIGKILL);
            nkilled += end_of(child) == -SIGKILL;
            if (fanin_checkpoint_open(paths[i], &made, &error) != FANIN_OK)
                continue;
            assert_ok(fanin_checkpoint_digest(made, &digest, &error), error);
            assert_memory_equal(digest.bytes, whole.bytes, 32);
            fanin_checkpoint_close(made);
        }
        /* what was left behind is no hindrance, and goes */
        test_empty_folder("out");
        pid_t child = start(checkpoint, of_large, paths[i]);
        const struct timespec pause = {0, (long)(duration * 0.5e9)};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        if (end_of(child) == -SIGKILL)
            assert_int_equal(end_of(start(checkpoint, of_large, paths[i])), FANIN_OK);
        assert_int_equal(test_count_files("out", ".partial-"), 0);
    }
    print_message("%zu killed\n", nkilled);
    assert_true(nkilled >= 8);
    fanin_diagnosis_free(of_large);
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(large);
}

static int make_bad(void **state)
{
    if (test_enter_scratch(state) != 0)
        return -1;
    plan = test_plan(spec, 0);
    const fanin_run_options options = test_options(7);
    const fanin_write_options write = {.size = sizeof write, .path = "bad", .max_shard_nbytes = 3000};
    const fanin_diagnosis_options known = {.size = sizeof known, .plan = plan};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    test_damage("bad", "emb.weight", 400, nan32, 4);
    test_damage("bad", "h.1.weight", 0, nan32, 4);
    assert_ok(fanin_checkpoint_open("bad", &bad, &error), error);
    assert_ok(fanin_diagnose_checkpoint(bad, &known, &diagnosis, &error), error);
    for (size_t i = 0; i < NSCENARIOS; i++) {
        const scenario *s = &scenarios[i];
        prepare(&(scenario){.path = s->path});
        assert_ok(repair(s, s->seed, true, &digests[i][0]), error);
        assert_ok(repair(s, s->seed + 1, true, &digests[i][1]), error);
    }
    return 0;
}

static int free_bad(void **state)
{
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(bad);
    fanin_plan_free(plan);
    return test_leave_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(failing_io, end_test),
                                       cmocka_unit_test_teardown(failing_memory, end_test), cmocka_unit_test(killed)};
    return cmocka_run_group_tests(tests, make_bad, free_bad);
}
