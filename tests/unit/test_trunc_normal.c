/* SPDX-License-Identifier: MIT */
/*
 * trunc_normal_ by rejection against its definition written out: every round fills a fresh tensor and takes from it
 * what replaces a value that is still outside. Lengths reach over many blocks, tails and jumps.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/fill.h"
#include "init/random.h"

static void check(fanin_dtype dtype, fanin_profile profile, int64_t n, const double value[4])
{
    const size_t item = fanin_dtype_nbits(dtype) / 8;
    const fanin_fill normal = {FANIN_FILL_NORMAL, {value[0], value[1]}};
    const fanin_fill truncated = {FANIN_FILL_TRUNC_NORMAL, {value[0], value[1], value[2], value[3]}};
    const double low = fanin_round_to(dtype, value[2]), high = fanin_round_to(dtype, value[3]);
    char *made = malloc((size_t)n * item), *expected = malloc((size_t)n * item), *fresh = malloc((size_t)n * item);
    fanin_generator g = fanin_generator_create(profile, (uint64_t)n), reference = g;
    fanin_tensor tensor = fanin_tensor_1d(made, dtype, n), slow = fanin_tensor_1d(expected, dtype, n);
    fanin_tensor again = fanin_tensor_1d(fresh, dtype, n);
    assert_int_equal(fanin_fill_run(&truncated, &tensor, &g, NULL), FANIN_OK);
    assert_int_equal(fanin_fill_run(&normal, &slow, &reference, NULL), FANIN_OK);
    for (bool drawn = false;; drawn = true) {
        bool outside = false;
        if (drawn)
            assert_int_equal(fanin_fill_run(&normal, &again, &reference, NULL), FANIN_OK);
        for (int64_t i = 0; i < n; i++) {
            fanin_chunk one;
            char *at = expected + (size_t)i * item;
            memcpy(&one, at, item);
            double x = fanin_chunk_get(dtype, &one, 0);
            if (!(x < low || x > high))
                continue;
            if (drawn) {
                memcpy(at, fresh + (size_t)i * item, item);
                memcpy(&one, at, item);
                x = fanin_chunk_get(dtype, &one, 0);
            }
            outside = outside || x < low || x > high;
        }
        if (!outside)
            break;
    }
    assert_memory_equal(made, expected, (size_t)n * item);
    assert_memory_equal(&g, &reference, sizeof g);
    free(made);
    free(expected);
    free(fresh);
}

static void test_rounds(void **state)
{
    static const double values[][4] = {
        {0, 1, -2, 2}, {0, 0.45, -2, 2}, {0.1, 1, 0, 3}, {-0.1, 1, -3, 0}, {0, 1, -0.4, 0.4}};
    static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64, FANIN_BF16, FANIN_F16};
    (void)state;
    for (size_t t = 0; t < 4; t++)
        for (size_t p = 0; p < sizeof values / sizeof *values; p++)
            for (int64_t n = 1; n < 60000; n = n < 50 ? n + 1 : n * 5 + 3) {
                check(dtypes[t], FANIN_PROFILE_TORCH, n, values[p]);
                check(dtypes[t], FANIN_PROFILE_TORCH_2_12, n, values[p]);
            }
}

/* Few blocks that wait, far apart. */
static void test_jumps(void **state)
{
    static const double values[4] = {0, 0.4, -2, 2};
    (void)state;
    check(FANIN_F32, FANIN_PROFILE_TORCH, 7000011, values);
    check(FANIN_BF16, FANIN_PROFILE_TORCH, 6000000, values);
}

/* Candidates for all, then what decides for all, round by round. */
static void test_uniform_candidates(void **state)
{
    enum { N = 20011 };
    const fanin_fill truncated = {FANIN_FILL_TRUNC_NORMAL, {0, 1, 1, 5}}, between = {FANIN_FILL_UNIFORM, {1, 5}};
    const fanin_fill unit = {FANIN_FILL_UNIFORM, {0, 1}};
    double *memory = calloc(4 * N, sizeof *memory), *made = memory, *expected = made + N;
    double *candidate = expected + N, *u = candidate + N;
    bool *decided = calloc(N, sizeof *decided);
    fanin_generator g = fanin_generator_torch(5), reference = g;
    fanin_tensor tensor = fanin_tensor_1d(made, FANIN_F64, N), candidates = fanin_tensor_1d(candidate, FANIN_F64, N);
    fanin_tensor deciding = fanin_tensor_1d(u, FANIN_F64, N);
    (void)state;
    assert_int_equal(fanin_fill_run(&truncated, &tensor, &g, NULL), FANIN_OK);
    for (size_t left = N; left > 0;) {
        assert_int_equal(fanin_fill_run(&between, &candidates, &reference, NULL), FANIN_OK);
        assert_int_equal(fanin_fill_run(&unit, &deciding, &reference, NULL), FANIN_OK);
        for (size_t i = 0; i < N; i++) {
            if (decided[i])
                continue;
            expected[i] = candidate[i];
            decided[i] = log(u[i]) <= candidate[i] * candidate[i] * -0.5 - -0.5;
            left -= decided[i];
        }
    }
    assert_memory_equal(made, expected, N * sizeof *made);
    assert_memory_equal(&g, &reference, sizeof g);
    free(memory);
    free(decided);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_uniform_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
