/* SPDX-License-Identifier: MIT */
/*
 * Checks of biases, gates and norms.
 */
#include "check_fixture.h"

static const char spec[] =
    "{'format':'fanin-spec','version':1,'construct':true,'tensors':[{'repeat':{'i':[0,4]},'tensors':["
    "{'name':'layers.{i}.fc','linear':[64,64]},{'name':'layers.{i}.norm','layer_norm':64},"
    "{'name':'layers.{i}.bn','batch_norm':64}]},{'name':'lstm','lstm':[8,16]}],"
    "'rules':[{'match':'layers.**.bias','init':'zeros'}]}";

static void fill(check_weights *w, const char *name, size_t n, float value)
{
    float *data = check_data(w, name);
    for (size_t i = 0; i < n; i++)
        data[i] = value;
}

static void biases(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect_healthy(diagnosis);
    check_expect(diagnosis, "W13", "lstm.bias_ih_l0", FANIN_SEVERITY_INFO, "biases are not zero");
    check_expect(diagnosis, "W13", "lstm.bias_hh_l0", FANIN_SEVERITY_INFO, "biases are not zero");
    bool forgets = false;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++)
        forgets = forgets || strstr(fanin_diagnosis_finding_at(diagnosis, i)->what, "elements 16 to 31") != NULL;
    assert_true(forgets);
    fanin_diagnosis_free(diagnosis);
    fill(&w, "lstm.bias_hh_l0", 64, 1);
    fill(&w, "layers.2.fc.bias", 64, 0.3f);
    diagnosis = check_diagnose(&w, NULL);
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++)
        assert_null(strstr(fanin_diagnosis_finding_at(diagnosis, i)->what, "forget gate"));
    const fanin_finding *finding = check_expect(diagnosis, "W13", "layers.2.fc.bias", FANIN_SEVERITY_WARN,
                                                "not zero (0.3 in the root mean square), where 3 of 4");
    assert_string_equal(finding->rule, "layers.2.fc.bias=zeros");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void norms(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    fill(&w, "layers.1.bn.running_var", 64, 0);
    fill(&w, "layers.3.norm.weight", 64, 0.5f);
    fill(&w, "layers.0.bn.running_mean", 64, 0.1f);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    const fanin_finding *finding =
        check_expect(diagnosis, "W14", "layers.1.bn.running_var", FANIN_SEVERITY_ERROR, "running_var has zeros");
    assert_string_equal(finding->rule, "layers.1.bn.running_var=ones");
    finding = check_expect(diagnosis, "W14", "layers.3.norm.weight", FANIN_SEVERITY_WARN, "where 3 of 4 weights");
    assert_string_equal(finding->rule, "layers.3.norm.weight=ones");
    check_expect(diagnosis, "W14", "layers.0.bn.running_mean", FANIN_SEVERITY_INFO, "not 0, up to 0.1");
    fanin_diagnosis_free(diagnosis);
    /* all of them scaled: on purpose */
    for (char i = '0'; i < '4'; i++) {
        char name[] = "layers.0.norm.weight";
        name[7] = i;
        fill(&w, name, 64, 0.5f);
    }
    fill(&w, "layers.1.bn.running_var", 64, 1);
    diagnosis = check_diagnose(&w, NULL);
    check_expect_healthy(diagnosis);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(biases),
        cmocka_unit_test(norms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
