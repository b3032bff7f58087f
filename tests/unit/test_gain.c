/* SPDX-License-Identifier: MIT */
/*
 * Squares taken as torch takes them, by Python's **: calculate_gain against what torch 2.15 returned, where a product
 * has other bits, and what both refuse because ** overflows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "fanin/init.h"

static void test_leaky_relu(void **state)
{
    static const struct {
        double slope, gain;
    } recorded[] = {
        {0.01, 0x1.6a05442aad7e4p+0},   {0.5102, 0x1.427da39350704p+0}, {1.0204, 0x1.facdf38452d7bp-1},
        {1.1439, 0x1.dc8fda4d6fa02p-1}, {1.2704, 0x1.bfdb547e2ca12p-1}, {-1.4437, 0x1.9c4bb1c73b7c4p-1},
        {2.2131, 0x1.2a2739bb14c3fp-1}, {2.7878, 0x1.e8f4c3d0558fap-2}, {INFINITY, 0},
    };
    fanin_error error;
    double gain;
    (void)state;
    for (size_t i = 0; i < sizeof recorded / sizeof recorded[0]; i++) {
        assert_int_equal(fanin_calculate_gain(FANIN_LEAKY_RELU, &recorded[i].slope, &gain, &error), FANIN_OK);
        assert_memory_equal(&gain, &recorded[i].gain, sizeof gain);
    }
}

static void test_overflow(void **state)
{
    const double largest = 0x1.fffffffffffffp511, above = 0x1p512;
    float memory[4] = {1, 2, 3, 4};
    const float before[4] = {1, 2, 3, 4};
    fanin_tensor t = fanin_tensor_1d(memory, FANIN_F32, 4);
    fanin_generator g = fanin_generator_torch(1);
    fanin_error error;
    double gain;
    (void)state;
    assert_int_equal(fanin_calculate_gain(FANIN_LEAKY_RELU, &largest, &gain, &error), FANIN_OK);
    assert_int_equal(fanin_calculate_gain(FANIN_LEAKY_RELU, &above, &gain, &error), FANIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "overflows"));
    assert_int_equal(fanin_trunc_normal(&t, 1e200, 1, -2, 2, &g, &error), FANIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "overflows"));
    assert_int_equal(fanin_trunc_normal(&t, 0, 1e-200, 1, 2, &g, &error), FANIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "overflows"));
    assert_memory_equal(memory, before, sizeof memory);
    /* the distance itself overflows: Python's division gives inf, whose square is no error */
    assert_int_equal(fanin_trunc_normal(&t, 0, 1e-320, 1, 2, &g, &error), FANIN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaky_relu),
        cmocka_unit_test(test_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
