/* SPDX-License-Identifier: MIT */
/*
 * What a diagnosis knows: names and shapes, a model, a plan, a config.json, the caller; and the check of names against
 * the description.
 */
#include "check_fixture.h"

#include <math.h>

static const char gpt2[] =
    "{'format':'fanin-spec','version':1,'tensors':[{'name':'wte.weight','shape':[60,16]},"
    "{'name':'wpe.weight','shape':[20,16]},{'repeat':{'i':[0,2]},'tensors':["
    "{'name':'h.{i}.ln_1','layer_norm':16},"
    "{'name':'h.{i}.attn.c_attn.weight','shape':[16,48]},{'name':'h.{i}.attn.c_attn.bias','shape':[48]},"
    "{'name':'h.{i}.attn.c_proj.weight','shape':[16,16]},{'name':'h.{i}.attn.c_proj.bias','shape':[16]},"
    "{'name':'h.{i}.ln_2','layer_norm':16},"
    "{'name':'h.{i}.mlp.c_fc.weight','shape':[16,64]},{'name':'h.{i}.mlp.c_fc.bias','shape':[64]},"
    "{'name':'h.{i}.mlp.c_proj.weight','shape':[64,16]},{'name':'h.{i}.mlp.c_proj.bias','shape':[16]}]},"
    "{'name':'ln_f','layer_norm':16}],"
    "'rules':[{'match':'**.c_proj.weight','init':'normal','std':0.01},{'match':'**.bias','init':'zeros'},"
    "{'match':'**.ln_*.weight','init':'ones'},{'match':'**','init':'normal','std':0.02}]}";
static const char config[] = "{\"model_type\":\"gpt2\",\"vocab_size\":60,\"n_embd\":16,\"n_layer\":2,\"n_head\":2,"
                             "\"n_positions\":20}";

static const fanin_diagnosis_tensor *tensor_of(const fanin_diagnosis *diagnosis, const char *name)
{
    for (size_t i = 0; i < fanin_diagnosis_tensor_count(diagnosis); i++)
        if (strcmp(fanin_diagnosis_tensor_at(diagnosis, i)->name, name) == 0)
            return fanin_diagnosis_tensor_at(diagnosis, i);
    fail_msg("no tensor %s", name);
    return NULL;
}

static void by_names(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, gpt2, 1);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect_healthy(diagnosis);
    assert_string_equal(fanin_diagnosis_summarize(diagnosis)->known_by, "names (gpt2)");
    const fanin_diagnosis_tensor *tensor = tensor_of(diagnosis, "h.1.mlp.c_proj.weight");
    assert_string_equal(tensor->pattern, "h.#.mlp.c_proj.weight");
    assert_int_equal(tensor->layer, 1);
    assert_int_equal(tensor->layer_kind, FANIN_LAYER_LINEAR);
    assert_int_equal(tensor->fan_in, 64);
    assert_int_equal(tensor->fan_out, 16);
    assert_true(tensor->is_weight && tensor->is_random_looking);
    assert_int_equal(tensor_of(diagnosis, "wte.weight")->layer_kind, FANIN_LAYER_EMBEDDING);
    tensor = tensor_of(diagnosis, "h.0.ln_2.weight");
    assert_int_equal(tensor->layer_kind, FANIN_LAYER_LAYER_NORM);
    assert_string_equal(tensor->role, "norm_weight");
    assert_false(tensor->is_weight);
    assert_true(isnan(tensor->expected_std));
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void by_config(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, gpt2, 1);
    const fanin_diagnosis_options options = {.size = sizeof options, .config = config};
    fanin_diagnosis *diagnosis = check_diagnose(&w, &options);
    assert_null(check_find(diagnosis, "W21", NULL));
    assert_string_equal(fanin_diagnosis_summarize(diagnosis)->known_by, "config (gpt2)");
    const fanin_diagnosis_tensor *tensor = tensor_of(diagnosis, "h.1.mlp.c_fc.weight");
    assert_int_equal(tensor->expected.kind, FANIN_LAW_NORMAL);
    assert_true(tensor->expected_std == 0.02);
    assert_string_equal(tensor->expected_by, "gpt2");
    assert_true(tensor_of(diagnosis, "h.1.mlp.c_proj.weight")->expected_std == 0.02 / 2);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void by_plan(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, gpt2, 1);
    const fanin_diagnosis_options options = {.size = sizeof options, .plan = w.plan};
    memset(check_data(&w, "h.0.attn.c_proj.weight"), 0, 256 * sizeof(float));
    fanin_diagnosis *diagnosis = check_diagnose(&w, &options);
    assert_string_equal(fanin_diagnosis_summarize(diagnosis)->known_by, "plan");
    const fanin_finding *finding =
        check_expect(diagnosis, "W03", "h.0.attn.c_proj.weight", FANIN_SEVERITY_ERROR, "in 1 of the 2");
    assert_string_equal(finding->rule, "h.0.attn.c_proj.weight=normal(std=0.01)");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void by_caller(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w,
               "{'format':'fanin-spec','version':1,'construct':true,'tensors':[{'name':'a','linear':[8,16]},"
               "{'name':'b','linear':[16,16]},{'name':'c','linear':[16,4]}]}",
               1);
    w.weights[fanin_plan_tensor_find(w.plan, "b.weight")].layer_kind = FANIN_LAYER_EMBEDDING;
    w.weights[fanin_plan_tensor_find(w.plan, "b.weight")].activation = "tanh";
    const fanin_diagnosis_options options = {.size = sizeof options, .activation = "relu"};
    fanin_diagnosis *diagnosis = check_diagnose(&w, &options);
    assert_int_equal(tensor_of(diagnosis, "b.weight")->layer_kind, FANIN_LAYER_EMBEDDING);
    assert_string_equal(tensor_of(diagnosis, "b.weight")->activation, "tanh");
    assert_string_equal(tensor_of(diagnosis, "a.weight")->activation, "relu");
    assert_string_equal(tensor_of(diagnosis, "c.weight")->activation, "linear");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void not_as_described(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, gpt2, 1);
    const int64_t transposed[] = {48, 16}, other[] = {30, 32};
    w.weights[fanin_plan_tensor_find(w.plan, "h.0.attn.c_attn.weight")].shape = transposed;
    w.weights[fanin_plan_tensor_find(w.plan, "wte.weight")].shape = other;
    w.weights[fanin_plan_tensor_find(w.plan, "h.1.ln_1.weight")].name = "h.1.ln1.weight";
    const fanin_diagnosis_options options = {.size = sizeof options, .config = config};
    fanin_diagnosis *diagnosis = check_diagnose(&w, &options);
    const fanin_finding *finding =
        check_expect(diagnosis, "W21", "h.0.attn.c_attn.weight", FANIN_SEVERITY_ERROR, "[48, 16], transposed");
    assert_string_equal(finding->expectation, "[16, 48]");
    check_expect(diagnosis, "W21", "wte.weight", FANIN_SEVERITY_ERROR, "the shape is [30, 32]");
    check_expect(diagnosis, "W21", "h.1.ln1.weight", FANIN_SEVERITY_ERROR,
                 "the nearest name that is missing is h.1.ln_1.weight");
    bool missing = false;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        finding = fanin_diagnosis_finding_at(diagnosis, i);
        missing = missing ||
                  (finding->ntensors == 0 && finding->severity == FANIN_SEVERITY_ERROR &&
                   strstr(finding->what, "1 tensor is missing: h.1.ln_1.weight (there is h.1.ln1.weight)") != NULL);
    }
    assert_true(missing);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void copies_of_a_plan(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w,
               "{'format':'fanin-spec','version':1,'construct':true,'tensors':["
               "{'name':'e','transformer_encoder':[16,2,3]}]}",
               1);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W06", "e.layers.1.linear1.weight", FANIN_SEVERITY_ERROR, "equal to e.layers.0.linear1");
    fanin_diagnosis_free(diagnosis);
    const fanin_diagnosis_options options = {.size = sizeof options, .plan = w.plan};
    diagnosis = check_diagnose(&w, &options);
    check_expect_healthy(diagnosis);
    check_expect(diagnosis, "W06", "e.layers.1.linear1.weight", FANIN_SEVERITY_INFO, "equal to e.layers.0.linear1");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_names),  cmocka_unit_test(by_config),        cmocka_unit_test(by_plan),
        cmocka_unit_test(by_caller), cmocka_unit_test(not_as_described), cmocka_unit_test(copies_of_a_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
