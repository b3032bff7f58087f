/* SPDX-License-Identifier: MIT */
/*
 * trunc_normal_ by rejection against its definition written out: every round fills a fresh tensor and takes from it
 * what replaces a value that is still outside. Lengths reach over many blocks, tails and jumps.
 */
#include "test.h"

#include <math.h>

#include "fanin/fill.h"
#include "init/random.h"
#include "init/rounds.h"

static fanin_profile current_profile;

/* For its draws alone, and on threads, it leaves the generator as running it did. */
static void check_pass(const fanin_fill *fill, const fanin_tensor *tensor, const fanin_generator *after)
{
    fanin_tensor bare = *tensor;
    bare.data = NULL;
    fanin_pool *pool;
    assert_int_equal(fanin_pool_create(3, &pool, NULL), FANIN_OK);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    for (int with_threads = 0; with_threads < 2; with_threads++) {
        fanin_generator g = fanin_generator_create(after->profile, after->seed);
        assert_int_equal(fanin_fill_pass(fill, &bare, &g, with_threads ? &parallel : NULL, NULL), FANIN_OK);
        assert_memory_equal(&g, after, sizeof g);
    }
    fanin_pool_free(pool);
}

/* Any stretch of blocks, in pieces of any length, has the bytes of the whole. */
static void check_pieces(const fanin_fill *fill, const fanin_tensor *tensor)
{
    const uint64_t n = (uint64_t)fanin_tensor_nelem(tensor);
    const size_t item = fanin_dtype_nbits(tensor->dtype) / 8;
    const fanin_generator g = fanin_generator_create(current_profile, n);
    if (!fanin_fill_has_rounds(fill, tensor, current_profile))
        return;
    fanin_rounds *rounds = malloc(sizeof *rounds);
    char *made = malloc(n * item);
    uint64_t length = 16, begin = n / 3 / 16 * 16;
    fanin_rounds_begin(rounds, fill, tensor, &g);
    for (uint64_t at = begin; at < n; at += length, length = length * 3 + 16) {
        if (n - at < length + 16)
            length = n - at;
        fanin_rounds_make(rounds, at, length, made);
        assert_memory_equal(made, (char *)tensor->data + at * item, length * item);
    }
    free(made);
    free(rounds);
}

static void check(fanin_dtype dtype, fanin_profile profile, int64_t n, const double value[4])
{
    const size_t item = fanin_dtype_nbits(dtype) / 8;
    const fanin_fill normal = {FANIN_FILL_NORMAL, {value[0], value[1]}};
    const fanin_fill truncated = {FANIN_FILL_TRUNC_NORMAL, {value[0], value[1], value[2], value[3]}};
    const double low = fanin_round_to(dtype, value[2]), high = fanin_round_to(dtype, value[3]);
    char *made = malloc((size_t)n * item), *expected = malloc((size_t)n * item), *fresh = malloc((size_t)n * item);
    fanin_generator g = fanin_generator_create(profile, (uint64_t)n), reference = g;
    current_profile = profile;
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
    check_pass(&truncated, &tensor, &g);
    check_pieces(&truncated, &tensor);
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
            for (int64_t n = 1; n < 60000; n = n < 50 ? n + (test_is_slow() ? 7 : 1) : n * 5 + 3) {
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

/* More rounds than keep their place in the stream: trunc_normal_ itself takes other draws for such bounds. */
static void test_many_rounds(void **state)
{
    enum { N = 1280, HALF = N / 2 };
    static const fanin_fill fill = {FANIN_FILL_TRUNC_NORMAL, {0, 1, -0.1, 0.1}}, normal = {FANIN_FILL_NORMAL, {0, 1}};
    static float made[N], expected[N], fresh[N];
    const fanin_tensor tensor = fanin_tensor_1d(expected, FANIN_F32, N), again = fanin_tensor_1d(fresh, FANIN_F32, N);
    fanin_generator g = fanin_generator_torch(3), reference = g;
    fanin_rounds *rounds = malloc(sizeof *rounds);
    uint64_t nrounds = 1;
    (void)state;
    assert_int_equal(fanin_fill_run(&normal, &tensor, &reference, NULL), FANIN_OK);
    for (bool outside = true; outside; nrounds += outside) {
        outside = false;
        for (size_t i = 0; i < N; i++)
            outside |= fabsf(expected[i]) > 0.1f;
        if (outside)
            assert_int_equal(fanin_fill_run(&normal, &again, &reference, NULL), FANIN_OK);
        for (size_t i = 0; i < N; i++)
            if (fabsf(expected[i]) > 0.1f)
                expected[i] = fresh[i];
    }
    fanin_rounds_begin(rounds, &fill, &tensor, &g);
    fanin_rounds_make(rounds, 0, HALF, made);
    fanin_rounds_make(rounds, HALF, HALF, made + HALF);
    assert_memory_equal(made, expected, sizeof made);
    assert_true(nrounds > FANIN_ROUNDS_KEPT + 1);
    assert_int_equal(rounds->n, nrounds);
    fanin_rounds_end(rounds, nrounds, &g);
    assert_memory_equal(&g, &reference, sizeof g);
    free(rounds);
}

/* Rounds that elements [begin, end) need by themselves. */
static uint64_t count_rounds(const fanin_fill *fill, const fanin_tensor *tensor, uint64_t seed, uint64_t begin,
                             uint64_t end)
{
    const fanin_generator g = fanin_generator_torch(seed);
    fanin_rounds *rounds = malloc(sizeof *rounds);
    float *made = malloc((size_t)(end - begin) * sizeof *made);
    fanin_rounds_begin(rounds, fill, tensor, &g);
    fanin_rounds_make(rounds, begin, end - begin, made);
    const uint64_t n = rounds->n;
    free(made);
    free(rounds);
    return n;
}

/*
 * Just long enough for three threads; neither the end nor the third part is a multiple of what they take. The stream
 * goes on behind the rounds of the section that needs the most: with each seed that is another one alone.
 */
static void test_threads(void **state)
{
    enum { NSECTIONS = 3, SECTION = 4 << 20, N = NSECTIONS * (SECTION + 80) + 21 };
    static const fanin_fill fill = {FANIN_FILL_TRUNC_NORMAL, {0.1, 1, -2, 2}};
    static const uint64_t seeds[NSECTIONS] = {38, 35, 13};
    float *memory = malloc((size_t)2 * N * sizeof *memory);
    fanin_tensor alone = fanin_tensor_1d(memory, FANIN_F32, N), together = fanin_tensor_1d(memory + N, FANIN_F32, N);
    fanin_pool *pool;
    (void)state;
    assert_int_equal(fanin_pool_create(NSECTIONS, &pool, NULL), FANIN_OK);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    for (size_t s = 0; s < (test_is_slow() ? 1 : NSECTIONS); s++) {
        fanin_generator g = fanin_generator_torch(seeds[s]), expected = g;
        uint64_t nrounds[NSECTIONS];
        for (uint64_t i = 0; i < NSECTIONS; i++)
            nrounds[i] = count_rounds(&fill, &alone, seeds[s], i * SECTION, i < 2 ? (i + 1) * SECTION : N);
        for (size_t i = 0; i < NSECTIONS; i++)
            assert_true(i == s || nrounds[i] < nrounds[s]);
        assert_int_equal(fanin_fill_run(&fill, &alone, &expected, NULL), FANIN_OK);
        assert_int_equal(fanin_fill_run_parallel(&fill, &together, &g, &parallel, NULL), FANIN_OK);
        assert_memory_equal(memory, memory + N, N * sizeof *memory);
        assert_memory_equal(&g, &expected, sizeof g);
        check_pass(&fill, &together, &expected);
    }
    fanin_pool_free(pool);
    free(memory);
}

/* One thread makes so many in pieces, two threads each their half in one go. */
static void test_long_sections(void **state)
{
    enum { N = (16 << 20) + 37 };
    static const fanin_fill fill = {FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}};
    uint16_t *memory = malloc((size_t)2 * N * sizeof *memory);
    fanin_tensor alone = fanin_tensor_1d(memory, FANIN_BF16, N), together = fanin_tensor_1d(memory + N, FANIN_BF16, N);
    fanin_generator g = fanin_generator_torch(7), expected = g;
    fanin_pool *pool;
    (void)state;
    assert_int_equal(fanin_pool_create(2, &pool, NULL), FANIN_OK);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    assert_int_equal(fanin_fill_run(&fill, &alone, &expected, NULL), FANIN_OK);
    assert_int_equal(fanin_fill_run_parallel(&fill, &together, &g, &parallel, NULL), FANIN_OK);
    assert_memory_equal(memory, memory + N, N * sizeof *memory);
    assert_memory_equal(&g, &expected, sizeof g);
    fanin_pool_free(pool);
    free(memory);
}

/* Views with gaps and in another order, whose later rounds take another path than the first. */
static void test_views(void **state)
{
    static const fanin_fill fills[] = {{FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}},
                                       {FANIN_FILL_TRUNC_NORMAL, {0, 1, 1, 5}},
                                       {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}},
                                       {FANIN_FILL_NORMAL, {0, 1}},
                                       {FANIN_FILL_ORTHOGONAL, {1}},
                                       {FANIN_FILL_UNIFORM, {0, 1}}};
    float memory[40 * 80];
    (void)state;
    for (size_t f = 0; f < sizeof fills / sizeof *fills; f++)
        for (int64_t rows = 1; rows < 40; rows = rows * 2 + 1)
            for (int cached = 0; cached < 2; cached++) {
                fanin_tensor views[] = {
                    fanin_tensor_2d(memory, FANIN_F32, rows, 3), fanin_tensor_2d(memory, FANIN_F32, 3, rows), {0}};
                views[0].strides[0] = 7;
                views[2] = fanin_tensor_transpose(&views[1]);
                for (size_t v = 0; v < 3; v++) {
                    fanin_generator g = fanin_generator_torch(f), passed;
                    g.has_next_normal = cached;
                    g.next_normal = cached ? 0.25 : 0;
                    passed = g;
                    assert_int_equal(fanin_fill_run(&fills[f], &views[v], &g, NULL), FANIN_OK);
                    views[v].data = NULL;
                    assert_int_equal(fanin_fill_pass(&fills[f], &views[v], &passed, NULL, NULL), FANIN_OK);
                    assert_memory_equal(&g, &passed, sizeof g);
                }
            }
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
        cmocka_unit_test(test_many_rounds),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_long_sections),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_uniform_candidates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
