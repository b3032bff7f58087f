/* SPDX-License-Identifier: MIT */
/*
 * Hashing side by side: digests are those of one message after the other, whatever comes when; and plans of enough
 * tasks for it run to the same bytes, digests and errors with it and without, on every machine variant.
 */
#define _XOPEN_SOURCE 700
#include "counting_allocator.h"
#include "plan_fixture.h"
#include "scratch.h"

#include <unistd.h>

#include "base/sha256.h"
#include "fanin/version.h"
#include "run/hash_lanes.h"

static fanin_error error;
static uint32_t state_of_random = 1;

static uint32_t next_random(void)
{
    state_of_random = state_of_random * 1664525 + 1013904223;
    return state_of_random >> 8;
}

/* Every variant of this machine, with the processor's instructions for one message and without. */
static void on_every_variant(void (*check)(void))
{
    const char *before = fanin_isa_active();
    size_t nside_by_side = 0;
    for (size_t i = 0; i < 2 * fanin_isa_count(); i++) {
        if (!fanin_isa_is_supported(i / 2))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(i / 2), &error), error);
        fanin_sha256_force_scalar(i % 2 == 1);
        nside_by_side += fanin_hash_lanes_count() > 1;
        check();
    }
    fanin_sha256_force_scalar(false);
    assert_ok(fanin_isa_force(before, &error), error);
    if (nside_by_side == 0)
        print_message("this processor hashes one message after the other only\n");
}

/* ---- messages ---- */

typedef struct message {
    fanin_sha256 hash;
    bool is_begun;
    bool is_lent; /* what came last */
    size_t left;
} message;

/* A copy, or lent: in the caller's memory, or in the lane's own where it has some. */
static void put(fanin_hash_lanes *lanes, size_t lane, message *m, size_t nbytes)
{
    static uint8_t memory[16][3 * FANIN_LANE_NBYTES], copied[3 * FANIN_LANE_NBYTES];
    const size_t from = next_random() % 64, how = next_random() % 3;
    uint8_t *data = how == 0 ? copied + from : memory[lane] + from;
    if (m->is_lent && how != 0)
        fanin_hash_lanes_settle(lanes);
    m->is_lent = false;
    nbytes = nbytes < m->left ? nbytes : m->left;
    if (how == 2 && fanin_hash_lanes_memory(lanes, lane, nbytes) != NULL)
        data = fanin_hash_lanes_memory(lanes, lane, nbytes);
    memset(data, (int)(next_random() % 256), nbytes);
    for (size_t i = 0; i < nbytes; i += 7)
        data[i] = (uint8_t)next_random();
    fanin_sha256_update(&m->hash, data, nbytes);
    if (how == 0) {
        fanin_hash_lanes_put(lanes, lane, data, nbytes);
    } else {
        fanin_hash_lanes_lend(lanes, lane, data, nbytes);
        m->is_lent = true;
    }
    m->left -= nbytes;
}

static void finish(fanin_hash_lanes *lanes, size_t lane, message *m)
{
    uint8_t expected[32], found[32];
    fanin_sha256_end(&m->hash, expected);
    fanin_hash_lanes_end(lanes, lane, found);
    assert_memory_equal(found, expected, 32);
}

static size_t piece_of(int kind)
{
    const size_t longest = 2 * FANIN_LANE_NBYTES;
    return kind == 0 ? FANIN_LANE_NBYTES / 4 : kind == 1 ? next_random() % 200 : next_random() % longest;
}

/* By turns in equal pieces, in short ones, in any; and each lane again and again. */
static void hash_messages(void)
{
    const size_t nlanes = fanin_hash_lanes_count();
    assert_in_range(nlanes, 1, 16);
    for (int kind = 0; kind < 3; kind++)
        for (size_t n = 1; n <= nlanes; n = n < nlanes && 2 * n > nlanes ? nlanes : 2 * n) {
            fanin_hash_lanes *lanes = fanin_hash_lanes_create(n);
            message messages[16] = {{.left = 0}};
            size_t nfinished = 0;
            assert_non_null(lanes);
            for (size_t turn = 0; nfinished < 4 * n; turn++) {
                const size_t l = kind < 2 ? turn % n : next_random() % n;
                message *m = &messages[l];
                if (m->left == 0) {
                    if (m->is_begun) {
                        finish(lanes, l, m);
                        nfinished++;
                    }
                    m->is_begun = true;
                    fanin_sha256_begin(&m->hash);
                    m->left = next_random() % (kind == 1 ? 3000 : 4 * FANIN_LANE_NBYTES);
                }
                put(lanes, l, m, piece_of(kind));
            }
            fanin_hash_lanes_free(lanes);
        }
}

static void messages(void **state)
{
    (void)state;
    on_every_variant(hash_messages);
}

/* ---- plans ---- */

/* Enough tasks for all lanes of two threads, among them what is made whole, what is drawn in several ways, ties, and
   tensors that are shorter than a piece, or than nothing. */
static const char spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"bf16\",\"tensors\":["
    "{\"name\":\"e\",\"embedding\":[21000,100]},{\"name\":\"z\",\"shape\":[0,4]},{\"name\":\"o\",\"shape\":[40,30],"
    "\"dtype\":\"f32\"},"
    "{\"repeat\":{\"i\":[0,18]},\"tensors\":[{\"name\":\"b.{i}\",\"shape\":[517]},"
    "{\"name\":\"w.{i}\",\"shape\":[2097153]}]},{\"name\":\"t\",\"tie\":\"w.3\"},"
    "{\"name\":\"f\",\"shape\":[70001],\"dtype\":\"f64\"}],\"rules\":["
    "{\"match\":\"e.*\",\"row\":1,\"init\":\"zeros\"},{\"match\":\"o\",\"init\":\"orthogonal\"},"
    "{\"match\":\"w.{0,7,13}\",\"init\":\"normal\"},{\"match\":\"w.*\",\"init\":\"constant\",\"val\":3},"
    "{\"match\":\"b.*\",\"init\":\"%s\"},{\"match\":\"**\",\"init\":\"normal\"}]}";

static fanin_plan *plan;
static fanin_digest expected;

static void make_plan(const char *rule)
{
    char text[sizeof spec + 20];
    const fanin_run_options options = test_options(5);
    void **tensors;
    snprintf(text, sizeof text, spec, rule);
    plan = test_plan(text, 0);
    tensors = test_allocate_tensors(plan);
    test_run_plainly(plan, 5, tensors);
    test_free_tensors(plan, tensors);
    /* the digest of what is in memory is that of a file without one of its own */
    const fanin_write_options write = {
        .size = sizeof write, .path = "plain.safetensors", .no_digest = true, .force = true};
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    assert_ok(fanin_checkpoint_open("plain.safetensors", &checkpoint, &error), error);
    assert_ok(fanin_checkpoint_digest(checkpoint, &expected, &error), error);
    fanin_checkpoint_close(checkpoint);
}

static void check_same_bytes(const char *path, const char *other)
{
    static char a[1 << 20], b[1 << 20];
    FILE *first = fopen(path, "rb"), *second = fopen(other, "rb");
    size_t n;
    assert_non_null(first);
    assert_non_null(second);
    do {
        n = fread(a, 1, sizeof a, first);
        assert_int_equal(fread(b, 1, sizeof b, second), n);
        assert_memory_equal(a, b, n);
    } while (n > 0);
    fclose(first);
    fclose(second);
}

static void run_plan(void)
{
    static const unsigned counts[] = {1, 2, 64};
    fanin_run_options options = test_options(5);
    fanin_write_options write = {.size = sizeof write, .path = "out.safetensors", .force = true};
    fanin_write_result written;
    fanin_digest digest;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        fanin_pool *pool;
        if (test_is_slow() && i != 1)
            continue;
        assert_ok(fanin_pool_create(counts[i], &pool, &error), error);
        const fanin_parallel parallel = fanin_pool_parallel(pool);
        options.parallel = i > 0 ? &parallel : NULL;
        assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
        assert_memory_equal(digest.bytes, expected.bytes, 32);
        if (i == 1) {
            assert_ok(fanin_run_checkpoint(plan, &options, &write, &written, &error), error);
            assert_memory_equal(written.digest.bytes, expected.bytes, 32);
            check_same_bytes("out.safetensors", "plain.safetensors");
        }
        fanin_pool_free(pool);
    }
}

/* With draws that depend on data, and without. */
static void plans(void **state)
{
    (void)state;
    static const char *const rules[] = {"uniform", "trunc_normal"};
    for (size_t i = 0; i < 2; i++) {
        make_plan(rules[i]);
        on_every_variant(run_plan);
        fanin_plan_free(plan);
    }
    unlink("plain.safetensors");
    unlink("out.safetensors");
}

/* ---- what goes wrong ---- */

static size_t ncalls_left;
static uint64_t last_done;

static bool stop(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    assert_true(done >= last_done && done <= total);
    last_done = done;
    return ncalls_left == 0 || --ncalls_left > 0;
}

/* Cancelled, and told to the end. */
static void cancel_plan(void)
{
    fanin_run_options options = test_options(5);
    fanin_digest digest;
    options.progress = stop;
    ncalls_left = 100;
    last_done = 0;
    assert_fails(fanin_run_digest(plan, &options, &digest, &error), FANIN_ERROR_CANCELLED, error, "cancelled");
    ncalls_left = 0;
    last_done = 0;
    assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
    uint64_t total = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        total += fanin_plan_tensor_at(plan, i)->tied_to == NULL ? fanin_plan_tensor_at(plan, i)->nbytes : 0;
    assert_int_equal(last_done, total);
}

static void fail_plan(void)
{
    const fanin_run_options options = test_options(5);
    fanin_status status = FANIN_ERROR_MEMORY;
    fanin_digest digest;
    for (uint64_t n = 1; status != FANIN_OK; n += test_is_slow() ? 23 : 1) {
        counting_allocator counter;
        counting_begin(&counter);
        counter.fail_at = n;
        status = fanin_run_digest(plan, &options, &digest, &error);
        counting_end();
        assert_int_equal(status, counter.ncalls >= n ? FANIN_ERROR_MEMORY : FANIN_OK);
        assert_int_equal(counter.nblocks, 0);
    }
}

static void failures(void **state)
{
    (void)state;
    make_plan("uniform");
    on_every_variant(cancel_plan);
    fanin_sha256_force_scalar(true); /* side by side wherever there are vectors */
    fail_plan();
    fanin_sha256_force_scalar(false);
    fanin_plan_free(plan);
    unlink("plain.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages),
        cmocka_unit_test(plans),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
