/* SPDX-License-Identifier: MIT */
/*
 * Pairs of tensors that hold the same numbers are found, each as what it is, and independent ones are not.
 */
#define _XOPEN_SOURCE 700
#include <math.h>

#include "fanin/fanin.h"
#include "fanin/same.h"
#include "kernel/convert.h"
#include "scratch.h"
#include "test.h"

enum { NROWS = 48, NCOLS = 80, N = NROWS * NCOLS };

static void draw(float *values, int64_t n, uint64_t seed, double std)
{
    fanin_error error;
    fanin_generator generator = fanin_generator_torch(seed);
    const fanin_tensor tensor = fanin_tensor_1d(values, FANIN_F32, n);
    assert_ok(fanin_normal(&tensor, 0, std, &generator, &error), error);
}

static fanin_checkpoint *write_tensor(const char *path, fanin_dtype dtype, int64_t nrows, int64_t ncols, void *data)
{
    fanin_error error;
    fanin_checkpoint *checkpoint;
    const fanin_tensor tensor = fanin_tensor_2d(data, dtype, nrows, ncols);
    assert_ok(fanin_write_tensor(path, &tensor, true, &error), error);
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    return checkpoint;
}

/* The one pair between two tensors; sameness FANIN_SAME_COUNT if there is none. */
static fanin_same_pair compare(fanin_dtype dtype_a, int64_t nrows_a, void *a, fanin_dtype dtype_b, int64_t nrows_b,
                               int64_t ncols_b, void *b)
{
    fanin_error error;
    fanin_same *same;
    fanin_same_pair pair = {.sameness = FANIN_SAME_COUNT};
    fanin_checkpoint *first = write_tensor("a.safetensors", dtype_a, nrows_a, N / nrows_a, a);
    fanin_checkpoint *second = write_tensor("b.safetensors", dtype_b, nrows_b, ncols_b, b);
    assert_ok(fanin_same_find(first, second, NULL, &same, &error), error);
    assert_true(fanin_same_count(same) <= 1);
    if (fanin_same_count(same) == 1)
        pair = *fanin_same_at(same, 0);
    fanin_same_free(same);
    fanin_checkpoint_close(second);
    fanin_checkpoint_close(first);
    return pair;
}

static void test_each_kind(void **state)
{
    static float a[N + 1000], b[N];
    static uint16_t narrow[N];
    fanin_same_pair pair;
    (void)state;
    draw(a, N + 1000, 1, 0.02);

    assert_int_equal(compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS, NCOLS, a).sameness, FANIN_SAME_EQUAL);
    assert_int_equal(compare(FANIN_F32, NROWS, a, FANIN_F32, NCOLS, NROWS, a).sameness, FANIN_SAME_BYTES);
    for (int i = 0; i < N; i++)
        narrow[i] = fanin_bf16_from_f32(a[i]);
    assert_int_equal(compare(FANIN_F32, NROWS, a, FANIN_BF16, NROWS, NCOLS, narrow).sameness, FANIN_SAME_CAST);
    assert_int_equal(compare(FANIN_BF16, NROWS, narrow, FANIN_F32, NROWS, NCOLS, a).sameness, FANIN_SAME_CAST);

    for (int i = 0; i < N; i++)
        b[i] = -3 * a[i];
    pair = compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS, NCOLS, b);
    assert_int_equal(pair.sameness, FANIN_SAME_SCALED);
    assert_true(fabs(pair.correlation + 1) < 1e-6 && fabs(pair.scale + 3) < 1e-5 && pair.nelem == N);

    for (int i = 0; i < NROWS; i++)
        for (int j = 0; j < NCOLS; j++)
            b[j * NROWS + i] = 2 * a[i * NCOLS + j];
    pair = compare(FANIN_F32, NROWS, a, FANIN_F32, NCOLS, NROWS, b);
    assert_int_equal(pair.sameness, FANIN_SAME_TRANSPOSED);
    assert_true(fabs(pair.correlation - 1) < 1e-6 && fabs(pair.scale - 2) < 1e-5);

    pair = compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS / 2, NCOLS, a + 1000);
    assert_int_equal(pair.sameness, FANIN_SAME_SHIFTED);
    assert_int_equal(pair.lag, 1000);
    assert_true(fabs(pair.correlation - 1) < 1e-6);

    /* with a sixth of its square new, and turned over: no long run of signs is left as it was */
    draw(b, N, 3, 0.008);
    for (int i = 0; i < N / 2; i++)
        b[i] -= a[777 + i];
    pair = compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS / 2, NCOLS, b);
    assert_int_equal(pair.sameness, FANIN_SAME_SHIFTED);
    assert_int_equal(pair.lag, 777);
    assert_true(fabs(pair.correlation + 0.928) < 0.02);

    /* half of it new */
    draw(b, N, 2, 0.02);
    for (int i = 0; i < N; i++)
        b[i] += a[i];
    pair = compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS, NCOLS, b);
    assert_int_equal(pair.sameness, FANIN_SAME_SCALED);
    assert_true(fabs(pair.correlation - sqrt(0.5)) < 0.05);
}

static void test_independent_ones(void **state)
{
    static float a[N], b[N];
    const uint64_t nseeds = test_is_slow() ? 5 : 60;
    (void)state;
    for (uint64_t seed = 0; seed < nseeds; seed++) {
        draw(a, N, 2 * seed, 0.02);
        draw(b, N, 2 * seed + 1, 0.02);
        assert_int_equal(compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS, NCOLS, b).sameness, FANIN_SAME_COUNT);
    }
    memset(a, 0, sizeof a); /* two constants are no pair */
    assert_int_equal(compare(FANIN_F32, NROWS, a, FANIN_F32, NROWS, NCOLS, a).sameness, FANIN_SAME_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_kind), cmocka_unit_test(test_independent_ones)};
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
