/* SPDX-License-Identifier: MIT */
/*
 * Generators: known answers, torch's state bytes, skipping against stepping, bulk drawing against single draws,
 * profiles.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/sha256.h"
#include "fanin/generator.h"
#include "rng/mt19937.h"
#include "rng/stream.h"

static void assert_equal_generators(const fanin_generator *a, const fanin_generator *b)
{
    uint8_t x[FANIN_TORCH_STATE_NBYTES], y[FANIN_TORCH_STATE_NBYTES];
    fanin_generator_get_torch_state(a, x);
    fanin_generator_get_torch_state(b, y);
    assert_memory_equal(x, y, sizeof x);
}

/* Matsumoto's reference: seed 5489, the 10000th output (also C++'s requirement on std::mt19937). */
static void test_known_answer(void **state)
{
    fanin_generator g = fanin_generator_torch(5489);
    uint32_t last = 0;
    (void)state;
    for (int i = 0; i < 10000; i++)
        last = fanin_generator_u32(&g);
    assert_int_equal(last, 4123659995u);
}

static void test_u64_takes_the_high_half_first(void **state)
{
    fanin_generator a = fanin_generator_torch(7), b = a;
    (void)state;
    uint64_t high = fanin_generator_u32(&a), low = fanin_generator_u32(&a);
    assert_true(fanin_generator_u64(&b) == (high << 32 | low));
    assert_equal_generators(&a, &b);
}

static void test_only_low_seed_bits_reach_the_engine(void **state)
{
    fanin_generator a = fanin_generator_torch(5), b = fanin_generator_torch(5 + ((uint64_t)1 << 32));
    (void)state;
    assert_true(a.seed != b.seed);
    for (int i = 0; i < 2000; i++)
        assert_int_equal(fanin_generator_u32(&a), fanin_generator_u32(&b));
}

static void test_state_round_trip(void **state)
{
    uint8_t bytes[FANIN_TORCH_STATE_NBYTES];
    (void)state;
    for (int draws = 0; draws < 1300; draws += 311) {
        fanin_generator a = fanin_generator_create(FANIN_PROFILE_TORCH_2_1, UINT64_MAX - 3), b;
        for (int i = 0; i < draws; i++)
            fanin_generator_u32(&a);
        a.has_next_normal = draws > 400;
        a.next_normal = a.has_next_normal ? -0.75 : 0;
        fanin_generator_get_torch_state(&a, bytes);
        b = fanin_generator_create(FANIN_PROFILE_TORCH_2_1, 1);
        assert_int_equal(fanin_generator_set_torch_state(&b, bytes, sizeof bytes, NULL), FANIN_OK);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void test_bad_states_are_refused(void **state)
{
    fanin_generator g = fanin_generator_torch(3), before = g;
    uint8_t good[FANIN_TORCH_STATE_NBYTES], bytes[FANIN_TORCH_STATE_NBYTES];
    fanin_error error;
    (void)state;
    fanin_generator_get_torch_state(&g, good);
    assert_int_equal(fanin_generator_set_torch_state(&g, good, 16, &error), FANIN_ERROR_FORMAT);
    assert_non_null(strstr(error.message, "5056"));
    static const struct {
        size_t at;
        uint8_t value;
    } damages[] = {{8, 0}, {8, 5}, {9, 3}, {11, 0x80}, {12, 0}, {12, 2}, {16, 7}, {17, 3}, {23, 1}};
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        memcpy(bytes, good, sizeof bytes);
        bytes[damages[i].at] = damages[i].value;
        assert_int_equal(fanin_generator_set_torch_state(&g, bytes, sizeof bytes, &error), FANIN_ERROR_FORMAT);
        assert_memory_equal(&g, &before, sizeof g);
    }
}

static void test_skip_equals_stepping(void **state)
{
    static const uint64_t counts[] = {0,    1,    2,     623,    624,    625,    1247,   1248,
                                      1249, 9999, 62400, 373775, 374399, 374400, 374401, 1000003};
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int before = 0; before <= 1248; before += 208) {
            fanin_generator a = fanin_generator_torch(42), b;
            for (int k = 0; k < before; k++)
                fanin_generator_u32(&a);
            b = a;
            for (uint64_t k = 0; k < counts[i]; k++)
                fanin_generator_u32(&a);
            fanin_generator_skip(&b, counts[i]);
            assert_memory_equal(&a, &b, sizeof a);
        }
}

/* skip(a) then skip(b) is skip(a + b), up to 2^63, and whatever the split */
static void test_skips_compose(void **state)
{
    fanin_generator splits = fanin_generator_torch(99);
    (void)state;
    for (int i = 0; i < 40; i++) {
        uint64_t total = fanin_generator_u64(&splits) >> (1 + i), first = fanin_generator_u64(&splits) % (total + 1);
        fanin_generator a = fanin_generator_torch((uint64_t)i), b = a;
        fanin_generator_skip(&a, total);
        fanin_generator_skip(&b, first);
        fanin_generator_skip(&b, total - first);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

static void test_skip_keeps_the_cached_normal(void **state)
{
    fanin_generator g = fanin_generator_torch(1);
    (void)state;
    g.has_next_normal = true;
    g.next_normal = 1.25;
    fanin_generator_skip(&g, 5000000);
    assert_true(g.has_next_normal && g.next_normal == 1.25);
}

static void test_stream_equals_single_draws(void **state)
{
    static fanin_stream stream;
    fanin_generator a = fanin_generator_torch(3), b = a;
    (void)state;
    for (size_t round = 0; round < 600; round++) {
        static const size_t groups[] = {1, 2, 4, 16, 32};
        size_t group = groups[round % 5], want = round * 37 % 20000 / group * group;
        fanin_stream_begin(&stream, &a);
        for (size_t done = 0; done < want;) {
            const uint32_t *raw;
            uint32_t words[FANIN_STREAM_BLOCKS * FANIN_MT19937_NWORDS], *run;
            bool running = false;
            size_t n;
            if (round % 4 == 0) {
                n = fanin_stream_take(&stream, want - done, group, &raw);
            } else {
                n = fanin_stream_take_running(&stream, want - done, group, &run, &running);
                if (running)
                    stream.kernel->mt_generate(run, n);
                raw = run;
            }
            assert_true(n > 0 && n % group == 0 && n <= want - done);
            stream.kernel->mt_temper(words, raw, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(words[i], fanin_generator_u32(&b));
            done += n;
        }
        fanin_stream_end(&stream);
        assert_memory_equal(&a, &b, sizeof a);
        for (size_t extra = 0; extra < round % 7; extra++)
            assert_int_equal(fanin_generator_u32(&a), fanin_generator_u32(&b));
    }
}

static void test_profile_names(void **state)
{
    static const struct {
        const char *name;
        const char *frozen; /* NULL: refused */
    } cases[] = {
        {"torch", "torch-2.13"},
        {"torch-2.13", "torch-2.13"},
        {"torch-2.15", "torch-2.13"},
        {"torch-2.15.0", "torch-2.13"},
        {"torch-3.0", "torch-2.13"},
        {"torch-2.12", "torch-2.12"},
        {"torch-2.12.1", "torch-2.12"},
        {"torch-2.11", "torch-2.1"},
        {"torch-2.6", "torch-2.1"},
        {"torch-2.1", "torch-2.1"},
        {"torch-2.0", "torch-2.0"},
        {"torch-2.0.1", "torch-2.0"},
        {"torch-1.13", "torch-1.13"},
        {"torch-1.13.1", "torch-1.13"},
        {"torch:unfused", "torch-2.13:unfused"},
        {"torch-2.6:unfused", "torch-2.1:unfused"},
        {"torch-1.12", NULL},
        {"torch-2", NULL},
        {"torch-", NULL},
        {"torch-2.", NULL},
        {"torch-2.13.", NULL},
        {"torch-2.13.0.1", NULL},
        {"torch-2.1300", NULL},
        {"torch-+2.1", NULL},
        {"Torch", NULL},
        {"torch:fused", NULL},
        {"", NULL},
        {":unfused", NULL},
        {"numpy", NULL},
        {"torch 2.13", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fanin_profile profile = 77;
        fanin_error error;
        fanin_status status = fanin_profile_parse(cases[i].name, &profile, &error);
        if (cases[i].frozen == NULL) {
            assert_int_not_equal(status, FANIN_OK);
            assert_int_equal(profile, 77);
            assert_non_null(strstr(error.message, "torch"));
        } else {
            assert_int_equal(status, FANIN_OK);
            assert_string_equal(fanin_profile_name(profile), cases[i].frozen);
        }
    }
    for (size_t i = 0; i < fanin_profile_count(); i++) {
        fanin_profile profile;
        assert_int_equal(fanin_profile_parse(fanin_profile_name(fanin_profile_at(i)), &profile, NULL), FANIN_OK);
        assert_int_equal(profile, fanin_profile_at(i));
    }
    assert_string_equal(fanin_profile_name(0), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answer),
        cmocka_unit_test(test_u64_takes_the_high_half_first),
        cmocka_unit_test(test_only_low_seed_bits_reach_the_engine),
        cmocka_unit_test(test_state_round_trip),
        cmocka_unit_test(test_bad_states_are_refused),
        cmocka_unit_test(test_skip_equals_stepping),
        cmocka_unit_test(test_skips_compose),
        cmocka_unit_test(test_skip_keeps_the_cached_normal),
        cmocka_unit_test(test_stream_equals_single_draws),
        cmocka_unit_test(test_profile_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
