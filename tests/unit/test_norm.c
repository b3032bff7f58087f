/* SPDX-License-Identifier: MIT */
/*
 * Norms against sums in long double, over every choice of dimensions of views with any strides, and at the ends of the
 * range. How near torch is, test_plans tells.
 */
#include "test.h"

#include <math.h>

#include "base/memory.h"
#include "fanin/fanin.h"
#include "long_double.h"
#include "run/norm.h"

static fanin_error error;

static void run(const fanin_tensor *from, uint32_t summed, int64_t nnorms, void *out)
{
    const fanin_plan_source source = {.view = *from};
    const fanin_plan_op op = {
        .kind = FANIN_OP_NORM, .view = fanin_tensor_1d(NULL, from->dtype, nnorms), .source = &source, .summed = summed};
    assert_ok(fanin_norm_run(&op, from, out, &error), error);
}

/* Of elements of both signs and many sizes, at rows[..] of a permuted view with gaps. */
static void test_against_long_double(void **state)
{
    if (!long_double_is_longer())
        skip();
    static double values[5 * 6 * 14];
    static float narrow[5 * 6 * 14];
    double norms[420];
    float rounded[420];
    fanin_generator g = fanin_generator_create(FANIN_PROFILE_TORCH, 3);
    fanin_tensor all = fanin_tensor_1d(values, FANIN_F64, 420);
    (void)state;
    assert_ok(fanin_normal(&all, 0, 1, &g, &error), error);
    for (size_t i = 0; i < 420; i++) {
        values[i] = ldexp(values[i], (int)(i % 23) - 11);
        narrow[i] = (float)values[i];
    }
    for (uint32_t summed = 0; summed < 8; summed++) {
        fanin_tensor view = fanin_tensor_nd(values, FANIN_F64, 3, (const int64_t[]){7, 5, 6});
        memcpy(view.strides, (const int64_t[]){2, 84, 14}, 3 * sizeof(int64_t));
        fanin_tensor view32 = view;
        view32.dtype = FANIN_F32;
        view32.data = narrow;
        int64_t n = 1, at = 0;
        for (int d = 0; d < 3; d++)
            n *= summed >> d & 1 ? 1 : view.shape[d];
        run(&view, summed, n, norms);
        run(&view32, summed, n, rounded);
        long double sums[420] = {0}, narrow_sums[420] = {0};
        for (int64_t i = 0; i < 7; i++)
            for (int64_t j = 0; j < 5; j++)
                for (int64_t k = 0; k < 6; k++) {
                    const int64_t index[3] = {i, j, k};
                    at = 0;
                    for (int d = 0; d < 3; d++)
                        at = summed >> d & 1 ? at : at * view.shape[d] + index[d];
                    long double x = values[2 * i + 84 * j + 14 * k], y = narrow[2 * i + 84 * j + 14 * k];
                    sums[at] += x * x;
                    narrow_sums[at] += y * y;
                }
        for (int64_t i = 0; i < n; i++) {
            assert_true(fabsl((long double)norms[i] - sqrtl(sums[i])) <= 0x1p-53L * 2 * sqrtl(sums[i]));
            assert_true(rounded[i] == (float)sqrtl(narrow_sums[i]));
        }
    }
}

/* What the order of plain sums would lose: ten million small terms behind a large one. */
static void test_many_terms(void **state)
{
    enum { COUNT = 10000000 };
    double *values = malloc(COUNT * sizeof *values), norm;
    (void)state;
    assert_non_null(values);
    values[0] = 1;
    for (size_t i = 1; i < COUNT; i++)
        values[i] = 0x1p-27; /* whose squares, 2^-54, vanish beside 1 */
    const fanin_tensor view = fanin_tensor_1d(values, FANIN_F64, COUNT);
    run(&view, 1, 1, &norm);
    assert_true(norm == (double)sqrtl(1 + (COUNT - 1) * 0x1p-54L));
    free(values);
}

static void test_ends(void **state)
{
    static const struct {
        float x, y, norm;
    } cases[] = {
        {3, -4, 5},
        {0, -0.0f, 0},
        {0x1p-149f, 0, 0x1p-149f},
        {0x1p127f, 0, 0x1p127f},
        {0x1.fffffep127f, 0x1.fffffep127f, INFINITY},
        {-INFINITY, 1, INFINITY},
        {1, NAN, NAN},
        {INFINITY, NAN, NAN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float values[2] = {cases[i].x, cases[i].y}, norm;
        fanin_tensor view = fanin_tensor_1d(values, FANIN_F32, 2);
        run(&view, 1, 1, &norm);
        assert_true(norm == cases[i].norm || (isnan(norm) && isnan(cases[i].norm)));
    }
    double large[2] = {1e200, 1e200}, norm;
    fanin_tensor view = fanin_tensor_1d(large, FANIN_F64, 2);
    run(&view, 1, 1, &norm); /* as torch: squares overflow */
    assert_true(isinf(norm));
    double none[3] = {1, 1, 1};
    view = fanin_tensor_nd(NULL, FANIN_F64, 2, (const int64_t[]){3, 0});
    run(&view, 2, 3, none);
    assert_true(none[0] == 0 && none[2] == 0);
    uint16_t halves[2] = {0x3c00, 0x3c00}, half;
    view = fanin_tensor_1d(halves, FANIN_F16, 2);
    run(&view, 1, 1, &half);
    assert_int_equal(half, 0x3da8); /* sqrt(2) */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_long_double), cmocka_unit_test(test_many_terms),
                                       cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
