/* SPDX-License-Identifier: MIT */
/*
 * Checks between tensors: copies, tied weights, and one stream of random numbers used again.
 */
#include "check_fixture.h"

static const char spec[] =
    "{'format':'fanin-spec','version':1,'construct':true,'tensors':[{'name':'embed','embedding':[300,64]},"
    "{'repeat':{'i':[0,5]},'tensors':[{'name':'layers.{i}.fc','linear':[64,64]}]},"
    "{'name':'narrow','linear':[8,16]},{'name':'lm_head','linear':{'in':64,'out':300,'bias':false}}]}";

static void healthy(void **state)
{
    (void)state;
    check_expect_healthy_seeds(spec);
}

static void copies(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 3);
    for (int i = 1; i < 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "layers.%d.fc.weight", i);
        memcpy(check_data(&w, name), check_data(&w, "layers.0.fc.weight"), 4096 * sizeof(float));
    }
    memcpy(check_data(&w, "layers.4.fc.bias"), check_data(&w, "layers.1.fc.bias"), 64 * sizeof(float));
    memcpy(check_data(&w, "lm_head.weight"), check_data(&w, "embed.weight"), 300 * 64 * sizeof(float));
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    const fanin_finding *finding =
        check_expect(diagnosis, "W06", "layers.3.fc.weight", FANIN_SEVERITY_ERROR, "equal to layers.0.fc.weight");
    assert_string_equal(finding->where, "layers.1-4.fc.weight");
    assert_int_equal(finding->ntensors, 4);
    assert_non_null(finding->rule);
    check_expect(diagnosis, "W06", "layers.4.fc.bias", FANIN_SEVERITY_INFO, "equal to layers.1.fc.bias");
    check_expect(diagnosis, "W06", "lm_head.weight", FANIN_SEVERITY_INFO, "equal to embed.weight");
    assert_int_equal(fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR), 1);
    fanin_diagnosis_free(diagnosis);
    w.weights[fanin_plan_tensor_find(w.plan, "lm_head.weight")].tied_to = "embed.weight";
    diagnosis = check_diagnose(&w, NULL);
    assert_null(check_find(diagnosis, "W06", "lm_head.weight"));
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void one_stream(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 3);
    float *to = check_data(&w, "layers.2.fc.weight"), *narrow = check_data(&w, "narrow.weight");
    const float *from = check_data(&w, "layers.0.fc.weight");
    for (size_t i = 0; i < 4096; i++)
        to[i] = -0.71f * from[i];
    for (size_t i = 0; i < 128; i++)
        narrow[i] = 2 * ((const float *)check_data(&w, "layers.1.fc.weight"))[i];
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W07", "layers.2.fc.weight", FANIN_SEVERITY_WARN, "layers.0.fc.weight x -0.71");
    check_expect(diagnosis, "W07", "narrow.weight", FANIN_SEVERITY_WARN, "layers.1.fc.weight x ");
    assert_int_equal(fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN), 2);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),
        cmocka_unit_test(copies),
        cmocka_unit_test(one_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
