/* SPDX-License-Identifier: MIT */
/*
 * Laws against numbers of mpmath, and the tests of values: what was drawn from a law passes for every seed, in every
 * dtype; what was drawn from another does not.
 */
#include <math.h>

#include "diagnose/law.h"
#include "fanin/fanin.h"
#include "test.h"

/* -- Distribution functions and moments ----------------------------------------------------------------------------*/

static void assert_near(double found, double expected, double tolerance, const char *what, int line)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("line %d: %s is %.17g, expected %.17g", line, what, found, expected);
}

static void test_golden_laws(void **state)
{
    char path[4096], kind[32];
    double v[9];
    int line = 0;
    (void)state;
    FILE *file = fopen(test_source_path(path, sizeof path, "tests/golden/laws.txt"), "r");
    assert_non_null(file);
    while (fscanf(file, "%31s %la %la %la %la %la %la %la %la %la", kind, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
                  &v[6], &v[7], &v[8]) == 10) {
        line++;
        const fanin_law law = {.kind = strcmp(kind, "normal") == 0    ? FANIN_LAW_NORMAL
                                       : strcmp(kind, "uniform") == 0 ? FANIN_LAW_UNIFORM
                                                                      : FANIN_LAW_TRUNC_NORMAL,
                               .mean = v[0],
                               .std = v[1],
                               .low = v[2],
                               .high = v[3]};
        assert_near(fanin_law_cdf(&law, v[4]), v[5], 1e-14, "cdf", line);
        assert_near(fanin_law_mean(&law), v[6], 1e-9 * v[7], "mean", line);
        assert_near(fanin_law_std(&law), v[7], 1e-9 * v[7], "std", line);
        assert_near(fanin_law_kurtosis(&law), v[8], 1e-8, "kurtosis", line);
    }
    fclose(file);
    assert_int_equal(line, 120);
}

/* -- Values --------------------------------------------------------------------------------------------------------*/

enum { NROWS = 64, NCOLS = 128 };

struct drawn {
    uint8_t bytes[NROWS * NCOLS * 8];
    fanin_dtype dtype;
    const fanin_law *law;       /* to be tested */
    struct fanin_law_test test; /* the result */
};

static fanin_status read_drawn(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    const struct drawn *drawn = user;
    (void)i, (void)error;
    memcpy(data, drawn->bytes + offset, nbytes);
    return FANIN_OK;
}

static fanin_status visit(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error)
{
    struct drawn *drawn = context;
    (void)i, (void)error;
    fanin_law_test(drawn->law, drawn->dtype, scan, &drawn->test);
    return FANIN_OK;
}

/* Draws by the fill, and tests the law. */
static struct fanin_law_test draw(const fanin_fill *fill, const fanin_law *law, fanin_dtype dtype,
                                  fanin_profile profile, uint64_t seed)
{
    static struct drawn drawn;
    fanin_error error;
    const int64_t shape[] = {NROWS, NCOLS};
    fanin_generator generator = fanin_generator_create(profile, seed);
    const fanin_tensor tensor = fanin_tensor_nd(drawn.bytes, dtype, 2, shape);
    const fanin_weight weight = {.name = "w", .dtype = dtype, .ndim = 2, .shape = shape};
    const fanin_weights weights = {.nweights = 1, .weights = &weight, .read = read_drawn, .user = &drawn};
    drawn.dtype = dtype;
    drawn.law = law;
    assert_ok(fanin_fill_run(fill, &tensor, &generator, &error), error);
    assert_ok(fanin_scan_weights(&weights, NULL, NULL, NULL, visit, &drawn, &error), error);
    return drawn.test;
}

static const fanin_fill fills[] = {{FANIN_FILL_NORMAL, {0, 0.02}},
                                   {FANIN_FILL_NORMAL, {0.5, 1}},
                                   {FANIN_FILL_UNIFORM, {-0.0361, 0.0361}},
                                   {FANIN_FILL_UNIFORM, {0, 1}},
                                   {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -0.04, 0.04}},
                                   {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}},
                                   {FANIN_FILL_CONSTANT, {0.02}}};
static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64, FANIN_BF16, FANIN_F16};

static void test_no_false_alarm(void **state)
{
    static const fanin_profile profiles[] = {FANIN_PROFILE_TORCH, FANIN_PROFILE_TORCH_2_1};
    const uint64_t nseeds = test_is_slow() ? 5 : 100;
    size_t nfailed = 0, nall = 0;
    (void)state;
    for (size_t f = 0; f < sizeof fills / sizeof fills[0]; f++)
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++)
            for (uint64_t seed = 0; seed < nseeds; seed++) {
                /* torch before 2.12 made values of exactly -2 there (its issue 155588): no healthy ones */
                if (fills[f].kind == FANIN_FILL_TRUNC_NORMAL && fills[f].value[3] == 2 && seed % 2 == 1)
                    continue;
                const fanin_law law = fanin_law_of_fill(&fills[f]);
                struct fanin_law_test test = draw(&fills[f], &law, dtypes[d], profiles[seed % 2], seed);
                nall++;
                nfailed += !test.applies || !test.passed;
                if (!test.passed)
                    print_error("fill %zu, %s, seed %d: distance %.4g of %.4g, mean %.3g, std %.3g errors, bounds %d\n",
                                f, fanin_dtype_name(dtypes[d]), (int)seed, test.distance, test.limit, test.mean_z,
                                test.std_z, test.keeps_bounds);
            }
    assert_int_equal(nfailed, 0);
    assert_true(nall >= 26 * nseeds); /* of 28 */
}

static void test_other_laws_fail(void **state)
{
    (void)state;
    for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
        const fanin_fill normal = {FANIN_FILL_NORMAL, {0, 0.02}}, uniform = {FANIN_FILL_UNIFORM, {-0.034641, 0.034641}};
        const fanin_fill cut = {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -0.04, 0.04}};
        const fanin_law as_normal = fanin_law_of_fill(&normal), as_uniform = fanin_law_of_fill(&uniform);
        const fanin_law shifted = {.kind = FANIN_LAW_NORMAL, .mean = 0.004, .std = 0.02};
        const fanin_law wider = {.kind = FANIN_LAW_NORMAL, .std = 0.0225};
        /* of one std: told apart by the distribution, and by the bounds */
        assert_false(draw(&uniform, &as_normal, dtypes[d], FANIN_PROFILE_TORCH, 1).passed);
        assert_false(draw(&normal, &as_uniform, dtypes[d], FANIN_PROFILE_TORCH, 1).passed);
        assert_false(draw(&normal, &shifted, dtypes[d], FANIN_PROFILE_TORCH, 1).passed);
        assert_false(draw(&normal, &wider, dtypes[d], FANIN_PROFILE_TORCH, 1).passed);
        assert_false(draw(&cut, &as_normal, dtypes[d], FANIN_PROFILE_TORCH, 1).passed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_laws), cmocka_unit_test(test_no_false_alarm),
                                       cmocka_unit_test(test_other_laws_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
