/* SPDX-License-Identifier: MIT */
/*
 * Element types: three names each that lead back, sizes, and every pattern of the small formats as a number.
 */
#include "test.h"

#include <math.h>

#include "fanin/dtype.h"

static void test_names(void **state)
{
    (void)state;
    for (int i = FANIN_DTYPE_NONE + 1; i < FANIN_DTYPE_COUNT; i++) {
        fanin_dtype dtype = (fanin_dtype)i;
        const char *torch_name = fanin_dtype_torch_name(dtype);
        assert_int_equal(fanin_dtype_from_name(fanin_dtype_name(dtype)), dtype);
        assert_int_equal(fanin_dtype_from_name(fanin_dtype_safetensors_name(dtype)), dtype);
        if (torch_name != NULL)
            assert_int_equal(fanin_dtype_from_name(torch_name), dtype);
        assert_true(fanin_dtype_nbits(dtype) > 0);
        bool is_random = dtype == FANIN_F64 || dtype == FANIN_F32 || dtype == FANIN_BF16 || dtype == FANIN_F16;
        assert_int_equal(fanin_dtype_is_random(dtype), is_random);
    }
    assert_string_equal(fanin_dtype_name(FANIN_BF16), "bf16");
    assert_string_equal(fanin_dtype_safetensors_name(FANIN_F8_E4M3), "F8_E4M3");
    assert_string_equal(fanin_dtype_torch_name(FANIN_F8_E4M3), "float8_e4m3fn");
    assert_null(fanin_dtype_torch_name(FANIN_F6_E2M3));
    static const char *const none[] = {"", "none", "F3", "f32 ", "Float32", "float", "bF16"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(fanin_dtype_from_name(none[i]), FANIN_DTYPE_NONE);
    assert_int_equal(fanin_dtype_from_name(NULL), FANIN_DTYPE_NONE);
}

static void test_no_dtype(void **state)
{
    (void)state;
    static const int values[] = {FANIN_DTYPE_NONE, FANIN_DTYPE_COUNT, -1, 1000000};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fanin_dtype dtype = (fanin_dtype)values[i];
        assert_string_equal(fanin_dtype_name(dtype), "none");
        assert_null(fanin_dtype_torch_name(dtype));
        assert_int_equal(fanin_dtype_nbits(dtype), 0);
        assert_false(fanin_dtype_is_random(dtype));
        assert_true(isnan(fanin_dtype_value(dtype, "", 0)));
    }
}

/* The order of the reference safetensors writer, smallest alignment first. */
static void test_order(void **state)
{
    (void)state;
    static const char *const order[] = {"BOOL",    "F4",      "F6_E2M3", "F6_E3M2",     "U8",          "I8",
                                        "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",
                                        "U16",     "F16",     "BF16",    "I32",         "U32",         "F32",
                                        "C64",     "F64",     "I64",     "U64"};
    assert_int_equal(sizeof order / sizeof order[0], FANIN_DTYPE_COUNT - 1);
    for (int i = 1; i < FANIN_DTYPE_COUNT; i++)
        assert_string_equal(fanin_dtype_safetensors_name((fanin_dtype)i), order[i - 1]);
}

static void assert_value(fanin_dtype dtype, const void *data, uint64_t i, double expected)
{
    double found = fanin_dtype_value(dtype, data, i);
    if (isnan(expected) ? !isnan(found) : test_double_bits(found) != test_double_bits(expected))
        fail_msg("%s element %u is %a, expected %a", fanin_dtype_name(dtype), (unsigned)i, found, expected);
}

/* OCP MX specification 1.0, tables 4 to 6: every value of the formats of 4 and 6 bits, positive half. */
static void test_sub_byte(void **state)
{
    (void)state;
    static const double f4[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    uint8_t packed[48];
    for (unsigned i = 0; i < 8; i++)
        packed[i] = (uint8_t)(2 * i | (2 * i + 1) << 4);
    for (unsigned i = 0; i < 16; i++)
        assert_value(FANIN_F4, packed, i, i < 8 ? f4[i] : -f4[i - 8]);

    memset(packed, 0, sizeof packed);
    for (unsigned i = 0; i < 64; i++)
        for (unsigned bit = 0; bit < 6; bit++)
            if (i >> bit & 1)
                packed[(6 * i + bit) / 8] |= (uint8_t)(1u << (6 * i + bit) % 8);
    for (unsigned i = 0; i < 32; i++) {
        unsigned e = i >> 3, m = i & 7;
        double e2m3 = e == 0 ? m / 8.0 : (1 + m / 8.0) * (1 << (e - 1));
        assert_value(FANIN_F6_E2M3, packed, i, e2m3);
        assert_value(FANIN_F6_E2M3, packed, i + 32, -e2m3);
        e = i >> 2, m = i & 3;
        double e3m2 = e == 0 ? m / 16.0 : (1 + m / 4.0) * (1 << e) / 8;
        assert_value(FANIN_F6_E3M2, packed, i, e3m2);
        assert_value(FANIN_F6_E3M2, packed, i + 32, -e3m2);
    }
    assert_value(FANIN_F6_E2M3, packed, 31, 7.5);
    assert_value(FANIN_F6_E3M2, packed, 31, 28);
}

static void test_eight_bits(void **state)
{
    (void)state;
    static const struct {
        fanin_dtype dtype;
        uint8_t bits;
        double value;
    } rows[] = {
        {FANIN_F8_E5M2, 0x00, 0},
        {FANIN_F8_E5M2, 0x80, -0.0},
        {FANIN_F8_E5M2, 0x01, 0x1p-16},
        {FANIN_F8_E5M2, 0x04, 0x1p-14},
        {FANIN_F8_E5M2, 0x3c, 1},
        {FANIN_F8_E5M2, 0x7b, 57344},
        {FANIN_F8_E5M2, 0x7c, INFINITY},
        {FANIN_F8_E5M2, 0xfc, -INFINITY},
        {FANIN_F8_E5M2, 0x7d, NAN},
        {FANIN_F8_E4M3, 0x01, 0x1p-9},
        {FANIN_F8_E4M3, 0x38, 1},
        {FANIN_F8_E4M3, 0x7e, 448},
        {FANIN_F8_E4M3, 0xfe, -448},
        {FANIN_F8_E4M3, 0x7f, NAN},
        {FANIN_F8_E4M3, 0xff, NAN},
        {FANIN_F8_E4M3, 0x78, 256},
        {FANIN_F8_E8M0, 0x00, 0x1p-127},
        {FANIN_F8_E8M0, 0x7f, 1},
        {FANIN_F8_E8M0, 0xfe, 0x1p127},
        {FANIN_F8_E8M0, 0xff, NAN},
        {FANIN_F8_E4M3FNUZ, 0x01, 0x1p-10},
        {FANIN_F8_E4M3FNUZ, 0x40, 1},
        {FANIN_F8_E4M3FNUZ, 0x7f, 240},
        {FANIN_F8_E4M3FNUZ, 0x80, NAN},
        {FANIN_F8_E4M3FNUZ, 0x81, -0x1p-10},
        {FANIN_F8_E5M2FNUZ, 0x01, 0x1p-17},
        {FANIN_F8_E5M2FNUZ, 0x40, 1},
        {FANIN_F8_E5M2FNUZ, 0x7f, 57344},
        {FANIN_F8_E5M2FNUZ, 0x80, NAN},
        {FANIN_U8, 0xff, 255},
        {FANIN_I8, 0xff, -1},
        {FANIN_I8, 0x80, -128},
        {FANIN_I8, 0x7f, 127},
        {FANIN_BOOL, 1, 1},
        {FANIN_BOOL, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t data[4] = {0x55, 0x55, 0x55, rows[i].bits};
        assert_value(rows[i].dtype, data, 3, rows[i].value);
    }
}

static void test_wide(void **state)
{
    (void)state;
    static const uint16_t half[] = {0x3c00, 0x0001, 0x7bff, 0x8000, 0x7c00, 0xfc00, 0x7e00, 0x0400, 0xc000};
    static const double half_values[] = {1, 0x1p-24, 65504, -0.0, INFINITY, -INFINITY, NAN, 0x1p-14, -2};
    for (size_t i = 0; i < sizeof half / sizeof half[0]; i++)
        assert_value(FANIN_F16, half, i, half_values[i]);
    static const uint16_t brain[] = {0x3f80, 0x0001, 0x7f7f, 0x8000, 0x7f80, 0xff80, 0x7fc0, 0xc049};
    static const double brain_values[] = {1, 0x1p-133, 0x1.fep127, -0.0, INFINITY, -INFINITY, NAN, -3.140625};
    for (size_t i = 0; i < sizeof brain / sizeof brain[0]; i++)
        assert_value(FANIN_BF16, brain, i, brain_values[i]);
    static const float single[] = {1, -0.0f, 0x1p-149f, 3.4028234663852886e38f, INFINITY, NAN, 0.1f, 0x1.8p-127f};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        assert_value(FANIN_F32, single, i, (double)single[i]);
    static const double real[] = {0.1, -0.0, 5e-324, INFINITY, NAN};
    for (size_t i = 0; i < sizeof real / sizeof real[0]; i++)
        assert_value(FANIN_F64, real, i, real[i]);
    static const float complex_pairs[] = {1, 2, -3, 4};
    assert_value(FANIN_C64, complex_pairs, 0, 1);
    assert_value(FANIN_C64, complex_pairs, 1, -3);
    static const int16_t i16[] = {0, -1, INT16_MIN, INT16_MAX};
    static const int32_t i32[] = {0, -1, INT32_MIN, INT32_MAX};
    static const int64_t i64[] = {0, -1, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < 4; i++) {
        assert_value(FANIN_I16, i16, i, i16[i]);
        assert_value(FANIN_I32, i32, i, i32[i]);
        assert_value(FANIN_I64, i64, i, (double)i64[i]);
        assert_value(FANIN_U16, i16, i, (uint16_t)i16[i]);
        assert_value(FANIN_U32, i32, i, (uint32_t)i32[i]);
        assert_value(FANIN_U64, i64, i, (double)(uint64_t)i64[i]);
    }
}

/* Unaligned data, as it lies in a file. */
static void test_unaligned(void **state)
{
    (void)state;
    uint8_t data[1 + 2 * sizeof(double)];
    const double values[] = {1.5, -2.25};
    memcpy(data + 1, values, sizeof values);
    assert_value(FANIN_F64, data + 1, 1, -2.25);
    const float singles[] = {1.5f, -2.25f};
    memcpy(data + 1, singles, sizeof singles);
    assert_value(FANIN_F32, data + 1, 1, -2.25);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_no_dtype),   cmocka_unit_test(test_order),
        cmocka_unit_test(test_sub_byte),  cmocka_unit_test(test_eight_bits), cmocka_unit_test(test_wide),
        cmocka_unit_test(test_unaligned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
