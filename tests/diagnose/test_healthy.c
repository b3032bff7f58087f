/* SPDX-License-Identifier: MIT */
/*
 * Healthy checkpoints: every model of tests/diagnose/models, and every initializer of the catalogue, in every dtype and
 * under many seeds, with all that can be known of it and with nothing. No finding above info may come of them.
 *
 *     test_healthy [FIRST LAST]    seeds; without, 0 to 199
 */
#define _XOPEN_SOURCE 700
#include "diagnose/made.h"
#include "description.h"

#include <stdlib.h>

static uint64_t first_seed = 0, last_seed = 199;

static const char *const models[] = {
    "mlp-relu.spec",    "mlp-tanh.spec", "vgg.spec",         "resnet.spec",    "mobilenet.spec", "lstm.spec",
    "gru.spec",         "bert.spec",     "vit.spec",         "whisper.spec",   "t5.spec",        "mixtral.spec",
    "transformer.spec", "dcgan.spec",    "autoencoder.spec", "depthwise.spec", "lora.spec",      "gpt2.config",
    "llama.config",     "qwen3.config",  "qwen2.config",
};
enum { NMODELS = sizeof models / sizeof models[0] };
static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_BF16, FANIN_F16, FANIN_F64};

/* Weights in memory, as a caller who trains in C has them. */
struct reading {
    const struct made *made;
    fanin_weight *weights;
};

static fanin_status read_memory(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    (void)error;
    const struct reading *reading = user;
    memcpy(data, (const char *)reading->made->tensors[i].view.data + offset, nbytes);
    return FANIN_OK;
}

static struct reading read_all(const struct made *made)
{
    struct reading reading = {.made = made, .weights = calloc(made->ntensors, sizeof *reading.weights)};
    assert_non_null(reading.weights);
    for (size_t i = 0; i < made->ntensors; i++)
        reading.weights[i] = (fanin_weight){.name = made->tensors[i].name,
                                            .dtype = made->tensors[i].view.dtype,
                                            .ndim = made->tensors[i].view.ndim,
                                            .shape = made->tensors[i].view.shape};
    return reading;
}

static size_t count_alarms(const struct made *made, struct reading *reading, const char *name, uint64_t seed,
                           enum made_knowledge known)
{
    fanin_error error;
    fanin_diagnosis *diagnosis;
    const fanin_weights weights = {
        .nweights = made->ntensors, .weights = reading->weights, .read = read_memory, .user = reading, .name = name};
    fanin_diagnosis_options options = made_options(made, known);
    options.expect = known == BY_PLAN;
    assert_ok(fanin_diagnose(&weights, &options, &diagnosis, &error), error);
    size_t n = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN) +
               fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR);
    if (n > 0) {
        static const char *const by[] = {"names", "model", "plan"};
        print_error("%s %s, seed %llu, known by its %s:\n", name, fanin_dtype_name(made->tensors[0].view.dtype),
                    (unsigned long long)seed, by[known]);
        made_print_findings(diagnosis, FANIN_SEVERITY_WARN);
    }
    fanin_diagnosis_free(diagnosis);
    return n;
}

static void test_models(void **state)
{
    (void)state;
    size_t nalarms = 0;
    for (size_t m = 0; m < NMODELS; m++)
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            struct made made;
            made_begin(&made, models[m], dtypes[d]);
            struct reading reading = read_all(&made);
            /* each seed is one (dtype, knowledge) in turn, so that all of them meet every model */
            for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
                if (seed % 4 != d)
                    continue;
                made_fill(&made, seed);
                nalarms += count_alarms(&made, &reading, models[m], seed, (enum made_knowledge)(seed / 4 % 3));
            }
            free(reading.weights);
            made_end(&made);
        }
    if (nalarms > 0)
        fail_msg("%zu findings about healthy models", nalarms);
}

/* Ways to begin a matrix or a kernel, of all that the catalogue has; those that are no law of each value too. */
static const struct scheme {
    const char *call;
    bool is_for_matrix, is_for_kernel, is_for_wide; /* the last: f32 and f64 only */
} schemes[] = {
    {"'init': 'normal', 'std': 0.02", true, true, false},
    {"'init': 'trunc_normal', 'std': 0.02", true, true, false},
    {"'init': 'trunc_normal', 'std': 0.5, 'a': -1, 'b': 1", true, true, false},
    {"'init': 'uniform', 'a': -0.05, 'b': 0.05", true, true, false},
    {"'init': 'xavier_uniform'", true, true, false},
    {"'init': 'xavier_normal', 'gain': '5/3'", true, true, false},
    {"'init': 'kaiming_uniform', 'a': 'sqrt(5)'", true, true, false},
    {"'init': 'kaiming_uniform', 'nonlinearity': 'relu'", true, true, false},
    {"'init': 'kaiming_normal', 'nonlinearity': 'relu'", true, true, false},
    {"'init': 'kaiming_normal', 'mode': 'fan_out', 'nonlinearity': 'relu'", true, true, false},
    {"'init': 'kaiming_normal', 'nonlinearity': 'linear'", true, true, false},
    {"'init': 'orthogonal', 'gain': 1", true, true, true},
    {"'init': 'sparse', 'sparsity': 0.5", true, false, false},
    {"'init': 'eye'", true, false, false},
    {"'init': 'dirac'", false, true, false},
};
enum { NSCHEMES = sizeof schemes / sizeof schemes[0] };

static void test_schemes(void **state)
{
    (void)state;
    size_t nalarms = 0;
    for (size_t s = 0; s < NSCHEMES; s++)
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            char text[2048], *json;
            if (schemes[s].is_for_wide && fanin_dtype_nbits(dtypes[d]) < 32)
                continue;
            snprintf(
                text, sizeof text,
                "{'format': 'fanin-spec', 'version': 1, 'tensors': [{'repeat': {'i': [0, 3]}, 'tensors': [%s%s%s]}],"
                " 'rules': [{'match': '**.weight', %s}, {'match': '**.bias', 'init': 'zeros'}]}",
                schemes[s].is_for_matrix ? "{'name': 'layers.{i}.fc', 'linear': [160, 128]}" : "",
                schemes[s].is_for_matrix && schemes[s].is_for_kernel ? ", " : "",
                schemes[s].is_for_kernel ? "{'name': 'layers.{i}.conv', 'conv2d': [32, 48, 3]}" : "", schemes[s].call);
            json = test_json(text);
            struct made made;
            made_begin_text(&made, json, dtypes[d]);
            free(json);
            struct reading reading = read_all(&made);
            for (uint64_t seed = first_seed; seed <= last_seed; seed++) {
                if (seed % 4 != d)
                    continue;
                made_fill(&made, seed);
                nalarms += count_alarms(&made, &reading, schemes[s].call, seed, seed / 4 % 2 == 0 ? BY_NAMES : BY_PLAN);
            }
            free(reading.weights);
            made_end(&made);
        }
    if (nalarms > 0)
        fail_msg("%zu findings about healthy schemes", nalarms);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        first_seed = strtoull(argv[1], NULL, 10);
        last_seed = strtoull(argv[2], NULL, 10);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_schemes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
