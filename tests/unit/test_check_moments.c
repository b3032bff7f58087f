/* SPDX-License-Identifier: MIT */
/*
 * Checks of how values are spread: mean, tails, heaps at the ends, in every dtype that random fills have.
 */
#include "check_fixture.h"

#include "kernel/element.h"

#define SPEC(dtype)                                                                                                    \
    "{'format':'fanin-spec','version':1,'dtype':'" dtype "','tensors':[{'name':'a','linear':[128,128]},"               \
    "{'name':'b','linear':[128,128]},{'name':'c','linear':[128,128]},{'name':'d','linear':[16,16]}],"                  \
    "'rules':[{'match':'a.weight','init':'xavier_normal'},{'match':'b.weight','init':'kaiming_uniform'},"              \
    "{'match':'*.weight','init':'trunc_normal','std':0.02,'cut':2},{'match':'*.bias','init':'zeros'}]}"

static const char *const specs[] = {SPEC("f32"), SPEC("f64"), SPEC("bf16"), SPEC("f16")};
enum { NSPECS = sizeof specs / sizeof specs[0] };

static double get(check_weights *w, const char *name, size_t i)
{
    return fanin_dtype_value(fanin_plan_tensor_at(w->plan, 0)->dtype, check_data(w, name), i);
}

static void set(check_weights *w, const char *name, size_t i, double value)
{
    const fanin_dtype dtype = fanin_plan_tensor_at(w->plan, 0)->dtype;
    const uint64_t bits = fanin_element_encode(dtype, value);
    size_t nbytes = fanin_dtype_nbits(dtype) / 8;
    memcpy((char *)check_data(w, name) + i * nbytes, &bits, nbytes); /* little endian */
}

static void healthy(void **state)
{
    (void)state;
    for (size_t s = 0; s < NSPECS; s++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            check_weights w;
            check_make(&w, specs[s], seed);
            fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
            check_expect_healthy(diagnosis);
            assert_true(fanin_diagnosis_tensor_at(diagnosis, 0)->is_random_looking);
            fanin_diagnosis_free(diagnosis);
            check_free(&w);
        }
}

static void planted(void **state)
{
    (void)state;
    for (size_t s = 0; s < NSPECS; s++) {
        check_weights w;
        check_make(&w, specs[s], 2);
        for (size_t i = 0; i < 128 * 128; i++) {
            double a = get(&w, "a.weight", i), b = get(&w, "b.weight", i);
            set(&w, "a.weight", i, a > 0.15 ? 0.15 : a < -0.15 ? -0.15 : a);
            set(&w, "b.weight", i, b < 0 ? -b : b);
        }
        for (size_t i = 0; i < 8; i++)
            set(&w, "c.weight", 1000 * i, i % 2 == 0 ? 1 : -1);
        fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
        check_expect(diagnosis, "W12", "a.weight", FANIN_SEVERITY_WARN, "exactly");
        check_expect(diagnosis, "W10", "b.weight", FANIN_SEVERITY_WARN, "uniform(0, a) instead of uniform(-a, a)?");
        check_expect(diagnosis, "W11", "c.weight", FANIN_SEVERITY_WARN, "4 of the values are");
        assert_null(check_find(diagnosis, "W10", "a.weight"));
        assert_null(check_find(diagnosis, "W12", "b.weight"));
        fanin_diagnosis_free(diagnosis);
        check_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),
        cmocka_unit_test(planted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
