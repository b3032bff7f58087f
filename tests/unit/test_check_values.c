/* SPDX-License-Identifier: MIT */
/*
 * Checks of single values: NaN, memory that was never written, zeros, constants. Each is found where it was planted and
 * nothing is said of healthy weights.
 */
#include "check_fixture.h"

#include <math.h>

static const char mlp[] = "{'format':'fanin-spec','version':1,'construct':true,'tensors':["
                          "{'repeat':{'i':[0,4]},'tensors':[{'name':'layers.{i}.fc','linear':[64,64]},"
                          "{'name':'layers.{i}.norm','layer_norm':64}]},{'name':'head','linear':[64,10]}]}";

static void healthy(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        check_weights w;
        check_make(&w, mlp, seed);
        fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
        check_expect_healthy(diagnosis);
        assert_int_equal(fanin_diagnosis_tensor_count(diagnosis), 18);
        fanin_diagnosis_free(diagnosis);
        check_free(&w);
    }
}

static void not_finite(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, mlp, 1);
    ((float *)check_data(&w, "layers.2.fc.weight"))[12 * 64 + 7] = NAN;
    ((float *)check_data(&w, "layers.3.fc.weight"))[5] = INFINITY;
    ((float *)check_data(&w, "layers.0.norm.weight"))[3] = NAN;
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    const fanin_finding *finding = check_expect(diagnosis, "W01", "layers.2.fc.weight", FANIN_SEVERITY_ERROR,
                                                "1 NaN of 4096 values, the first at [12, 7]");
    assert_int_equal(finding->ntensors, 2);
    assert_string_equal(finding->where, "layers.2,3.fc.weight");
    finding = check_expect(diagnosis, "W01", "layers.0.norm.weight", FANIN_SEVERITY_ERROR, "at [3]");
    assert_string_equal(finding->rule, "layers.0.norm.weight=ones");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void zeros(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, mlp, 1);
    memset(check_data(&w, "head.weight"), 0, 640 * sizeof(float));
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W03", "head.weight", FANIN_SEVERITY_INFO, "all values are 0");
    fanin_diagnosis_free(diagnosis);
    memset(check_data(&w, "layers.1.fc.weight"), 0, 4096 * sizeof(float));
    diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W03", "layers.1.fc.weight", FANIN_SEVERITY_ERROR, "in 1 of the 4 tensors");
    fanin_diagnosis_free(diagnosis);
    memset(check_data(&w, "layers.0.fc.weight"), 0, 4096 * sizeof(float));
    memset(check_data(&w, "layers.2.fc.weight"), 0, 4096 * sizeof(float));
    memset(check_data(&w, "layers.3.fc.weight"), 0, 4096 * sizeof(float));
    diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W03", "layers.1.fc.weight", FANIN_SEVERITY_ERROR, "of 5 of all 5 weights");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void constants(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, mlp, 1);
    float *weight = check_data(&w, "layers.1.fc.weight");
    for (size_t i = 0; i < 4096; i++)
        weight[i] = 0.02f;
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    const fanin_finding *finding =
        check_expect(diagnosis, "W04", "layers.1.fc.weight", FANIN_SEVERITY_ERROR, "all 4096 values are 0.02");
    assert_int_equal(finding->ntensors, 1);
    assert_int_equal(fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR), 1);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(zeros),
        cmocka_unit_test(constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
