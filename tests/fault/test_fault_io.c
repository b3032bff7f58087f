/* SPDX-License-Identifier: MIT */
/*
 * Every file operation and every allocation of writing and verifying a checkpoint fails in its turn, once and from then
 * on. Whatever happens, a name holds a whole file or what it held before, nothing is left lying about, nothing leaks.
 */
#define _XOPEN_SOURCE 700
#include "failing_writer.h"

#include <sys/stat.h>
#include <unistd.h>

/* -- Scenarios ----------------------------------------------------------------------------------------------------- */

static const char spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"wte.weight\",\"shape\":[50,16]},{\"name\":\"h.weight\",\"shape\":[33,17]},"
    "{\"name\":\"h.bias\",\"shape\":[33]},{\"name\":\"dead.weight\",\"shape\":[1,21]},"
    "{\"name\":\"square.weight\",\"shape\":[24,24]},"
    "{\"name\":\"head.weight\",\"tie\":\"wte.weight\"}],"
    "\"rules\":[{\"match\":\"dead.*\",\"row\":0,\"init\":\"ones\"},{\"match\":\"dead.*\",\"init\":\"trunc_normal\"},"
    "{\"match\":\"**.bias\",\"init\":\"zeros\"},{\"match\":\"square.weight\",\"init\":\"orthogonal\"},"
    "{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";

static fanin_plan *plan;
static fanin_digest digest_of[3]; /* by seed */

typedef struct scenario {
    const char *name;
    const char *path;
    uint64_t max_shard_nbytes;
    const char *config;
    uint64_t old_seed; /* what is there before; 0: nothing */
    const char *main;  /* the file that makes the checkpoint visible */
} scenario;

static const scenario scenarios[] = {
    {"one file", "out/one.safetensors", 0, NULL, 0, "out/one.safetensors"},
    {"one file, replaced", "out/one.safetensors", 0, NULL, 2, "out/one.safetensors"},
    {"folder with a config", "out", 0, "{\"a\":1}\n", 0, "out/model.safetensors"},
    {"three shards with a config", "out", 3000, "{\"a\":1}\n", 0, "out/model.safetensors.index.json"},
    {"three shards, replaced", "out", 3000, "{\"a\":1}\n", 2, "out/model.safetensors.index.json"},
};
enum { NSCENARIOS = sizeof scenarios / sizeof scenarios[0] };

static fanin_status run(const scenario *s, uint64_t seed, bool force)
{
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {.size = sizeof write,
                                       .path = s->path,
                                       .max_shard_nbytes = s->max_shard_nbytes,
                                       .config_json = s->config,
                                       .force = force};
    fanin_write_result result;
    fanin_status status = fanin_run_checkpoint(plan, &options, &write, &result, &error);
    if (status == FANIN_OK)
        assert_memory_equal(result.digest.bytes, digest_of[seed].bytes, 32);
    return status;
}

/* The scenario's start: an empty folder, or a checkpoint of another seed (in two shards where there will be three). */
static void prepare(const scenario *s)
{
    test_empty_folder("out");
    mkdir("out", 0700);
    if (s->old_seed == 0)
        return;
    scenario old = *s;
    old.max_shard_nbytes = s->max_shard_nbytes > 0 ? 4500 : 0;
    assert_ok(run(&old, s->old_seed, false), error);
}

/* Which seed's checkpoint is there, whole and verified; 0 for none. Fails if it is a mixture or no plan's. */
static uint64_t seed_found(const scenario *s)
{
    struct stat info;
    fanin_checkpoint *checkpoint;
    fanin_plan *found_plan;
    fanin_digest digest;
    uint64_t seed;
    if (stat(s->main, &info) != 0)
        return 0;
    assert_ok(fanin_checkpoint_open(s->path, &checkpoint, &error), error);
    assert_ok(fanin_checkpoint_digest(checkpoint, &digest, &error), error);
    assert_ok(fanin_plan_from_checkpoint(checkpoint, &found_plan, &seed, &error), error);
    assert_in_range(seed, 1, 2);
    assert_memory_equal(digest.bytes, digest_of[seed].bytes, 32);
    const fanin_run_options options = test_options(seed);
    assert_ok(fanin_verify(checkpoint, found_plan, &options, NULL, NULL, NULL, &error), error);
    fanin_plan_free(found_plan);
    fanin_checkpoint_close(checkpoint);
    return seed;
}

static void prepare_scenario(const void *given)
{
    prepare(given);
}

static fanin_status write_scenario(const void *given, bool force)
{
    return run(given, 1, force);
}

static int found_scenario(const void *given)
{
    return (int)seed_found(given);
}

static writer writer_of(const scenario *s)
{
    return (writer){.name = s->name,
                    .scenario = s,
                    .replaces = s->old_seed != 0,
                    .keeps_old = s->old_seed != 0 && s->max_shard_nbytes == 0,
                    .prepare = prepare_scenario,
                    .write = write_scenario,
                    .found = found_scenario};
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
    assert_true(total > 300);
}

/* Verifying writes nothing; it only has to end with the right word and leave nothing behind. */
static fanin_status verify(const scenario *s)
{
    fanin_checkpoint *checkpoint;
    fanin_plan *found = NULL;
    uint64_t seed;
    fanin_status status = fanin_checkpoint_open(s->path, &checkpoint, &error);
    if (status != FANIN_OK)
        return status;
    status = fanin_plan_from_checkpoint(checkpoint, &found, &seed, &error);
    if (status == FANIN_OK) {
        const fanin_run_options options = test_options(seed);
        status = fanin_verify(checkpoint, found, &options, NULL, NULL, NULL, &error);
    }
    fanin_plan_free(found);
    fanin_checkpoint_close(checkpoint);
    return status;
}

static void failing_verify(void **state)
{
    (void)state;
    static const scenario *const verified[] = {&scenarios[0], &scenarios[3]};
    long total = 0;
    for (size_t i = 0; i < 2; i++) {
        prepare(verified[i]);
        assert_ok(run(verified[i], 1, false), error);
        for (size_t kind = 0; kind < NFAULTS; kind++)
            for (int from_then_on = 0; from_then_on < 2; from_then_on++)
                for (long n = 1;; n++) {
                    watch();
                    arm(n, kind, from_then_on);
                    fanin_status status = verify(verified[i]);
                    bool happened = io.happened;
                    end();
                    if (status != FANIN_OK && status != FANIN_ERROR_IO)
                        fail_msg("%s, %s, call %ld: %s", verified[i]->name, faults[kind].name, n, error.message);
                    if ((faults[kind].is_harmless || !happened) && status != FANIN_OK)
                        fail_msg("%s, %s, call %ld: %s", verified[i]->name, faults[kind].name, n, error.message);
                    assert_int_equal(io.open_files, 0);
                    assert_int_equal(memory.nblocks, 0);
                    total++;
                    if (!happened)
                        break;
                }
        for (int from_then_on = 0; from_then_on < 2; from_then_on++)
            for (long n = 1;; n++) {
                counting_begin(&memory);
                memory.fail_at = (uint64_t)n;
                memory.fail_on = from_then_on;
                fanin_status status = verify(verified[i]);
                bool happened = memory.ncalls >= (uint64_t)n;
                end();
                assert_int_equal(status, happened ? FANIN_ERROR_MEMORY : FANIN_OK);
                assert_int_equal(memory.nblocks, 0);
                total++;
                if (!happened)
                    break;
            }
    }
    print_message("%ld failed calls and allocations\n", total);
}

/* Without force an old output is refused before any work, and stays as it is to the byte. */
static void old_output_without_force(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSCENARIOS; i++) {
        const scenario *s = &scenarios[i];
        if (s->old_seed == 0)
            continue;
        prepare(s);
        size_t nfiles = test_count_files("out", "");
        for (long n = 1;; n++) {
            fanin_set_io(&bad_io);
            io.calls = 0;
            io.happened = false;
            io.fault = -EIO;
            io.first = io.last = n;
            io.armed = true;
            fanin_status status = run(s, 1, false);
            bool happened = io.happened;
            end();
            assert_int_equal(status, happened && status == FANIN_ERROR_IO ? FANIN_ERROR_IO : FANIN_ERROR_EXISTS);
            if (!happened)
                assert_non_null(strstr(error.message, "--force"));
            assert_int_equal(seed_found(s), s->old_seed);
            assert_int_equal(test_count_files("out", ""), nfiles);
            if (!happened)
                break;
        }
    }
}

/* A progress function that says stop is a failure like the others. */
static bool stop_at_once(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    assert_true(done <= total);
    return false;
}

static void cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSCENARIOS; i++) {
        const scenario *s = &scenarios[i];
        prepare(s);
        fanin_run_options options = test_options(1);
        options.progress = stop_at_once;
        const fanin_write_options write = {
            .size = sizeof write, .path = s->path, .max_shard_nbytes = s->max_shard_nbytes, .force = true};
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_CANCELLED, error,
                     "cancelled");
        assert_int_equal(test_count_files("out", ".partial-"), 0);
        assert_int_equal(seed_found(s), s->old_seed);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(failing_io, end_test),
        cmocka_unit_test_teardown(failing_memory, end_test),
        cmocka_unit_test_teardown(failing_verify, end_test),
        cmocka_unit_test_teardown(old_output_without_force, end_test),
        cmocka_unit_test_teardown(cancelled, end_test),
    };
    return cmocka_run_group_tests(tests, make_plan, free_plan);
}
