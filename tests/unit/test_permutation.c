/* SPDX-License-Identifier: MIT */
/*
 * randperm and sparse_ against their definition, a draw and a swap a step, in every machine variant: lengths around the
 * runs that are taken at once and around the divisors that are divided by another way.
 */
#include "test.h"

#include "fanin/fanin.h"

static const int64_t lengths[] = {0,    1,    2,    3,    63,   64,   65,   66,   511,  512,   513,   514,
                                  1025, 4095, 4096, 4097, 4100, 4159, 4160, 4161, 4600, 10007, 65537, 300007};
enum { NLENGTHS = sizeof lengths / sizeof *lengths, MOST = 300007, AROUND = 8 };

static void permute(int64_t *order, int64_t n, fanin_generator *generator)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t i = 0; i < n - 1; i++) {
        const int64_t z = i + (int64_t)(fanin_generator_u32(generator) % (uint64_t)(n - i)), swapped = order[i];
        order[i] = order[z];
        order[z] = swapped;
    }
}

static void for_each_variant(void (*check)(void))
{
    fanin_error error;
    const char *before = fanin_isa_active();
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        if (!fanin_isa_is_supported(i))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(i), &error), error);
        check();
    }
    assert_ok(fanin_isa_force(before, &error), error);
}

static void check_randperm(void)
{
    static int64_t expected[MOST], made[MOST + 2 * AROUND];
    fanin_error error;
    for (size_t l = 0; l < NLENGTHS; l++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const int64_t n = lengths[l];
            fanin_generator a = fanin_generator_torch(seed), b = a;
            memset(made, 0x5a, sizeof made);
            permute(expected, n, &a);
            assert_ok(fanin_randperm(made + AROUND, n, &b, &error), error);
            assert_memory_equal(expected, made + AROUND, (size_t)n * sizeof *made);
            for (int64_t i = 0; i < AROUND; i++)
                assert_true(made[i] == 0x5a5a5a5a5a5a5a5a && made[AROUND + n + i] == 0x5a5a5a5a5a5a5a5a);
            assert_memory_equal(&a, &b, sizeof a);
        }
}

/* Columns around the batch that shares a pass over the rows; rows from none to all become zero. */
static void check_sparse(void)
{
    static const int64_t rows[] = {1, 2, 65, 700}, cols[] = {1, 63, 64, 65, 130};
    static const double shares[] = {0, 0.1, 0.5, 0.999, 1};
    static float expected[700 * 130], made[700 * 130];
    static int64_t order[700];
    fanin_error error;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        for (size_t c = 0; c < sizeof cols / sizeof *cols; c++)
            for (size_t s = 0; s < sizeof shares / sizeof *shares; s++) {
                fanin_tensor tensor = fanin_tensor_2d(expected, FANIN_F32, rows[r], cols[c]);
                fanin_generator a = fanin_generator_torch(s), b = a;
                assert_ok(fanin_normal(&tensor, 0, 0.3, &a, &error), error);
                for (int64_t column = 0; column < cols[c]; column++) {
                    permute(order, rows[r], &a);
                    for (int64_t i = 0; (double)i < shares[s] * (double)rows[r]; i++)
                        expected[order[i] * cols[c] + column] = 0;
                }
                tensor.data = made;
                assert_ok(fanin_sparse(&tensor, shares[s], 0.3, &b, &error), error);
                assert_memory_equal(expected, made, (size_t)(rows[r] * cols[c]) * sizeof *made);
                assert_memory_equal(&a, &b, sizeof a);
            }
}

static void test_randperm(void **state)
{
    (void)state;
    for_each_variant(check_randperm);
}

static void test_sparse(void **state)
{
    (void)state;
    for_each_variant(check_sparse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_randperm),
        cmocka_unit_test(test_sparse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
