/* SPDX-License-Identifier: MIT */
/*
 * Planted faults: healthy models with one thing wrong each. The diagnosis must find it by the right check, at the right
 * tensor and severity, and nothing else; where it proposes a rule, mending must leave a checkpoint that is clean.
 */
#define _XOPEN_SOURCE 700
#include "diagnose/made.h"
#include "scratch.h"

enum flags { EXPECT = 1, DEEP = 2 };
enum mend { MENDS, ASKS, NO_MEND }; /* by a rule; says what is missing; not a thing of values */

struct fault;
typedef void (*plant_function)(struct made *made, struct made_tensor *tensor, const struct fault *fault);

struct fault {
    const char *id;
    fanin_severity severity;
    const char *model;
    fanin_dtype dtype; /* NONE: the model's own */
    enum made_knowledge known;
    const char *tensor; /* all that match are changed and must be found */
    plant_function plant;
    double a, b, c; /* of the plant */
    const char *other;
    enum mend mend;
    int flags;
    fanin_dtype target;
    const char *activation;
    const char *config; /* the text of a config.json */
};

#define INFO   FANIN_SEVERITY_INFO
#define WARN   FANIN_SEVERITY_WARN
#define SEVERE FANIN_SEVERITY_ERROR
enum { MEND_SEED = 11, PLANT_SEED = 77 };

static uint64_t nelem_of(const struct made_tensor *tensor)
{
    return (uint64_t)fanin_tensor_nelem(&tensor->view);
}

static uint64_t ncolumns_of(const struct made_tensor *tensor)
{
    return nelem_of(tensor) / (uint64_t)tensor->view.shape[0];
}

/* -- Plants ---------------------------------------------------------------------------------------------------------*/

/* b elements, evenly spread from the middle on, become a */
static void values(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    uint64_t n = nelem_of(tensor), count = (uint64_t)fault->b;
    for (uint64_t i = 0; i < count; i++)
        made_set(&tensor->view, (n / 2 + i * (n / count)) % n, fault->a);
}

static void constant(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < nelem_of(tensor); i++)
        made_set(&tensor->view, i, fault->a);
}

/* Memory that was never written: an earlier program's numbers of any exponent */
static void garbage(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    fanin_generator generator = fanin_generator_torch(PLANT_SEED);
    fanin_error error;
    uint64_t n = nelem_of(tensor);
    float *exponents = malloc(n * sizeof *exponents);
    assert_non_null(exponents);
    fanin_tensor view = fanin_tensor_1d(exponents, FANIN_F32, (int64_t)n);
    assert_ok(fanin_uniform(&view, -4, 4, &generator, &error), error);
    for (uint64_t i = 0; i < n; i++)
        made_set(&tensor->view, i, (i % 2 == 0 ? 1 : -1) * pow(10, (double)exponents[i]));
    free(exponents);
}

/* a zeros from element b on: a page that was never written */
static void zero_run(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < (uint64_t)fault->a; i++)
        made_set(&tensor->view, (uint64_t)fault->b + i, 0);
}

static void text(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    static const char words[] = "a line of a log file that lay in this memory before; ";
    char *bytes = tensor->view.data;
    for (size_t i = 0; i < made_nbytes(&tensor->view); i++)
        bytes[i] = words[i % (sizeof words - 1)];
}

static void pointers(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    unsigned char *bytes = tensor->view.data;
    for (size_t i = 0; i + 8 <= made_nbytes(&tensor->view); i += 8) {
        uint64_t pointer = UINT64_C(0x7f3a5c000000) + i * 24;
        memcpy(bytes + i, &pointer, 8);
    }
}

/* every a-th element is tiny: b */
static void every(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < nelem_of(tensor); i += (uint64_t)fault->a)
        made_set(&tensor->view, i, fault->b);
}

static void scale(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < nelem_of(tensor); i++)
        made_set(&tensor->view, i, made_get(&tensor->view, i) * fault->a);
}

static void shift(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < nelem_of(tensor); i++)
        made_set(&tensor->view, i, made_get(&tensor->view, i) + fault->a);
}

static void clamp(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    for (uint64_t i = 0; i < nelem_of(tensor); i++)
        made_set(&tensor->view, i, fmax(-fault->a, fmin(fault->a, made_get(&tensor->view, i))));
}

/* rows [a, a + c) become rows [b, b + c) */
static void rows(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    size_t row = made_nbytes(&tensor->view) / (size_t)tensor->view.shape[0];
    char *data = tensor->view.data;
    memcpy(data + (size_t)fault->a * row, data + (size_t)fault->b * row, (size_t)fault->c * row);
}

/* all rows are row 0 */
static void broadcast(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    size_t row = made_nbytes(&tensor->view) / (size_t)tensor->view.shape[0];
    for (int64_t i = 1; i < tensor->view.shape[0]; i++)
        memcpy((char *)tensor->view.data + (size_t)i * row, tensor->view.data, row);
}

/* columns [a, a + c) become columns [b, b + c) */
static void columns(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    uint64_t ncols = ncolumns_of(tensor);
    for (uint64_t r = 0; r < (uint64_t)tensor->view.shape[0]; r++)
        for (uint64_t i = 0; i < (uint64_t)fault->c; i++)
            made_set(&tensor->view, r * ncols + (uint64_t)fault->a + i,
                     made_get(&tensor->view, r * ncols + (uint64_t)fault->b + i));
}

/* four parts of the columns were made with one seed */
static void four_columns(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    struct fault part = *fault;
    part.b = 0, part.c = (double)ncolumns_of(tensor) / 4;
    for (int i = 1; i < 4; i++) {
        part.a = i * part.c;
        columns(made, tensor, &part);
    }
}

/* becomes `other`, element by element, times a */
static void stream_of(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    const struct made_tensor *other = made_find(made, fault->other);
    uint64_t n = nelem_of(tensor), m = nelem_of(other);
    for (uint64_t i = 0; i < n; i++)
        made_set(&tensor->view, i, made_get(&other->view, i % m) * fault->a);
}

static void draw_normal(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    fanin_error error;
    fanin_generator generator = fanin_generator_torch(PLANT_SEED + (uint64_t)(tensor - made->tensors));
    assert_ok(fanin_normal(&tensor->view, fault->b, fault->a, &generator, &error), error);
}

static void draw_uniform(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    fanin_error error;
    fanin_generator generator = fanin_generator_torch(PLANT_SEED + (uint64_t)(tensor - made->tensors));
    assert_ok(fanin_uniform(&tensor->view, fault->a, fault->b, &generator, &error), error);
}

/* heavy tails: a normal of std a times another */
static void heavy(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    draw_normal(made, tensor, fault);
    uint64_t n = nelem_of(tensor);
    for (uint64_t i = 0; i < n; i++)
        made_set(&tensor->view, i, made_get(&tensor->view, i) * made_get(&tensor->view, (i * 31 + 7) % n) / fault->a);
}

/* a product of two normals of a columns: rank a, std b */
static void low_rank(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    uint64_t m = (uint64_t)tensor->view.shape[0], n = ncolumns_of(tensor), rank = (uint64_t)fault->a;
    fanin_error error;
    fanin_generator generator = fanin_generator_torch(PLANT_SEED);
    double *factors = malloc((m + n) * rank * sizeof *factors);
    assert_non_null(factors);
    fanin_tensor view = fanin_tensor_1d(factors, FANIN_F64, (int64_t)((m + n) * rank));
    assert_ok(fanin_normal(&view, 0, 1, &generator, &error), error);
    for (uint64_t i = 0; i < m; i++)
        for (uint64_t j = 0; j < n; j++) {
            double sum = 0;
            for (uint64_t k = 0; k < rank; k++)
                sum += factors[i * rank + k] * factors[(m + j) * rank + k];
            made_set(&tensor->view, i * n + j, sum * fault->b / sqrt((double)rank));
        }
    free(factors);
}

static void remove_it(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    tensor->is_gone = true;
}

static void add_other(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    struct made_tensor *extra = &made->tensors[made->ntensors++];
    *extra = *tensor;
    snprintf(extra->name, sizeof extra->name, "%s", fault->other);
    extra->view.data = malloc(made_nbytes(&tensor->view));
    assert_non_null(extra->view.data);
    struct fault again = *fault;
    again.a = 0.02, again.b = 0;
    draw_normal(made, extra, &again);
}

static void transpose(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made, (void)fault;
    int64_t first = tensor->view.shape[0];
    tensor->view = fanin_tensor_2d(tensor->view.data, tensor->view.dtype, tensor->view.shape[1], first);
}

/* a rows fewer */
static void cut(struct made *made, struct made_tensor *tensor, const struct fault *fault)
{
    (void)made;
    tensor->view = fanin_tensor_2d(tensor->view.data, tensor->view.dtype, tensor->view.shape[0] - (int64_t)fault->a,
                                   tensor->view.shape[1]);
}

/* -- The table ------------------------------------------------------------------------------------------------------*/

static const char bert[] = "{\"model_type\": \"bert\", \"initializer_range\": 0.02}";

static const struct fault faults[] = {
    {"W01", SEVERE, "mlp-relu.spec", FANIN_F32, BY_NAMES, "4.weight", values, .a = NAN, .b = 3, .mend = MENDS},
    {"W01", SEVERE, "resnet.spec", FANIN_BF16, BY_NAMES, "layer1.0.conv2.weight", values, .a = INFINITY, .b = 1,
     .mend = MENDS},
    {"W01", SEVERE, "gpt2.config", FANIN_F16, BY_MODEL, "transformer.h.2.mlp.c_fc.bias", values, .a = NAN, .b = 2},
    {"W01", SEVERE, "lstm.spec", FANIN_F64, BY_PLAN, "lstm.weight_hh_l1", constant, .a = NAN},
    {"W01", SEVERE, "resnet.spec", FANIN_F32, BY_PLAN, "layer2.0.bn1.running_mean", values, .a = NAN, .b = 1},
    {"W02", SEVERE, "llama.config", FANIN_F32, BY_MODEL, "model.layers.1.mlp.up_proj.weight", values, .a = 1e37,
     .b = 5},
    {"W02", SEVERE, "bert.spec", FANIN_BF16, BY_NAMES, "bert.pooler.dense.weight", values, .a = 3e20, .b = 2},
    {"W02", SEVERE, "t5.spec", FANIN_F32, BY_PLAN, "encoder.block.1.layer.1.DenseReluDense.wi.weight", garbage, .a = 0},
    {"W02", SEVERE, "vit.spec", FANIN_BF16, BY_NAMES, "vit.encoder.layer.1.output.dense.weight", every, .a = 40,
     .b = 1e-39},
    {"W02", SEVERE, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.2.output.dense.weight", zero_run, .a = 1024,
     .b = 5000},
    {"W02", SEVERE, "whisper.spec", FANIN_F16, BY_NAMES, "model.decoder.layers.0.fc1.weight", text, .a = 0},
    {"W02", SEVERE, "mlp-tanh.spec", FANIN_F32, BY_PLAN, "4.weight", pointers, .a = 0},
    {"W03", SEVERE, "gpt2.config", FANIN_F32, BY_MODEL, "transformer.h.1.mlp.c_fc.weight", constant, .a = 0},
    {"W03", SEVERE, "resnet.spec", FANIN_F16, BY_NAMES, "layer2.1.conv1.weight", constant, .a = 0},
    {"W03", SEVERE, "mlp-relu.spec", FANIN_F32, BY_PLAN, "*.weight", constant, .a = 0},
    {"W03", SEVERE, "mlp-tanh.spec", FANIN_BF16, BY_NAMES, "*.weight", constant, .mend = ASKS},
    {"W04", SEVERE, "mlp-relu.spec", FANIN_F32, BY_PLAN, "6.weight", constant, .a = 0.01},
    {"W04", SEVERE, "resnet.spec", FANIN_BF16, BY_NAMES, "layer1.1.conv1.weight", constant, .a = 1},
    {"W04", SEVERE, "bert.spec", FANIN_F16, BY_NAMES, "bert.embeddings.word_embeddings.weight", constant, .a = 0.02},
    {"W04", SEVERE, "gru.spec", FANIN_F64, BY_NAMES, "rnn.weight_hh_l0", constant, .a = 0.125},
    {"W05", SEVERE, "llama.config", FANIN_F32, BY_MODEL, "model.layers.2.mlp.gate_proj.weight", rows, .a = 128, .b = 0,
     .c = 128},
    {"W05", SEVERE, "qwen3.config", FANIN_BF16, BY_NAMES, "model.layers.0.self_attn.q_proj.weight", columns, .a = 48,
     .b = 0, .c = 48},
    {"W05", SEVERE, "mlp-tanh.spec", FANIN_F32, BY_NAMES, "2.weight", broadcast, .a = 0},
    {"W05", SEVERE, "vgg.spec", FANIN_F16, BY_NAMES, "features.5.weight", rows, .a = 32, .b = 0, .c = 32},
    {"W05", SEVERE, "lora.spec", FANIN_F32, BY_NAMES, "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight",
     rows, .a = 4, .b = 0, .c = 4},
    {"W06", SEVERE, "copied-encoder.spec", FANIN_F32, BY_NAMES, "encoder.layers.#.linear1.weight",
     .other = "encoder.layers.*"},
    {"W06", SEVERE, "vit.spec", FANIN_BF16, BY_NAMES, "vit.encoder.layer.3.intermediate.dense.weight", stream_of,
     .a = 1, .other = "vit.encoder.layer.0.intermediate.dense.weight"},
    {"W06", SEVERE, "mlp-relu.spec", FANIN_F64, BY_PLAN, "8.weight", stream_of, .a = 1, .other = "2.weight"},
    {"W07", WARN, "resnet.spec", FANIN_F32, BY_NAMES, "layer2.0.conv1.weight", stream_of, .a = 0.7071,
     .other = "layer1.0.conv1.weight"},
    {"W07", WARN, "mlp-tanh.spec", FANIN_BF16, BY_NAMES, "6.weight", stream_of, .a = 0.5, .other = "0.weight"},
    {"W08", SEVERE, "vgg.spec", FANIN_F32, BY_NAMES, "features.#.weight", draw_normal, .a = 0.017,
     .activation = "relu"},
    {"W08", SEVERE, "mlp-relu.spec", FANIN_F32, BY_NAMES, "*.weight", scale, .a = 0.408, .activation = "relu"},
    {"W08", SEVERE, "mlp-relu.spec", FANIN_F32, BY_NAMES, "*.weight", draw_normal, .a = 1, .activation = "relu"},
    {"W08", WARN, "mlp-relu.spec", FANIN_BF16, BY_NAMES, "*.weight", scale, .a = 0.7071, .activation = "relu"},
    /* nothing is planted: torch's defaults lose the signal of eight layers with ReLU, and torchvision keeps them */
    {"W08", WARN, "alexnet.spec", FANIN_F16, BY_NAMES, "features.#.weight", .other = "*", .mend = MENDS},
    {"W08", WARN, "gpt2.config", FANIN_F32, BY_MODEL, "transformer.h.3.attn.c_attn.weight", scale, .a = 1.5},
    {"W08", WARN, "llama.config", FANIN_BF16, BY_MODEL, "model.embed_tokens.weight", scale, .a = 50},
    {"W08", WARN, "whisper.spec", FANIN_F16, BY_PLAN, "model.encoder.layers.1.fc2.weight", scale, .a = 0.5},
    {"W09", WARN, "autoencoder.spec", FANIN_F32, BY_PLAN, "decoder.2.weight", scale, .a = 1.63299316},
    {"W09", WARN, "depthwise.spec", FANIN_F32, BY_PLAN, "2.weight", draw_normal, .a = 0.0589256},
    {"W10", WARN, "mlp-relu.spec", FANIN_F32, BY_NAMES, "10.weight", draw_uniform, .b = 1},
    {"W10", WARN, "bert.spec", FANIN_BF16, BY_NAMES, "bert.encoder.layer.1.intermediate.dense.weight", shift,
     .a = 0.01},
    {"W11", WARN, "t5.spec", FANIN_F32, BY_NAMES, "encoder.block.2.layer.0.SelfAttention.o.weight", heavy, .a = 0.125},
    {"W11", WARN, "vit.spec", FANIN_F32, BY_NAMES, "vit.encoder.layer.0.intermediate.dense.weight", values, .a = -0.3,
     .b = 4},
    {"W12", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.3.intermediate.dense.weight", clamp, .a = 0.04},
    {"W12", WARN, "whisper.spec", FANIN_BF16, BY_NAMES, "model.decoder.layers.1.fc1.weight", clamp, .a = 0.03},
    {"W13", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.2.intermediate.dense.bias", draw_normal,
     .a = 0.02},
    {"W13", INFO, "lstm.spec", FANIN_F32, BY_NAMES, "lstm.bias_ih_l0", .mend = NO_MEND},
    {"W14", SEVERE, "resnet.spec", FANIN_F32, BY_NAMES, "layer1.0.bn1.running_var", values, .b = 2},
    {"W14", SEVERE, "mobilenet.spec", FANIN_F16, BY_NAMES, "features.2.conv.0.1.running_var", values, .a = -1, .b = 1},
    {"W14", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.1.output.LayerNorm.weight", constant, .a = 0.5},
    {"W15", WARN, "lstm.spec", FANIN_F32, BY_PLAN, "lstm.weight_hh_l0", draw_normal, .a = 0.1, .flags = DEEP,
     .other = "orthogonal"},
    {"W16", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.0.intermediate.dense.weight", low_rank, .a = 8,
     .b = 0.02, .flags = DEEP},
    {"W17", WARN, "gpt2.config", FANIN_F32, BY_MODEL, "transformer.h.0.attn.c_attn.weight", .other = "transformer.*",
     .target = FANIN_F8_E4M3, .mend = NO_MEND},
    {"W17", SEVERE, "mlp-tanh.spec", FANIN_F32, BY_NAMES, "6.weight", scale, .a = 1e-7, .target = FANIN_F16,
     .mend = NO_MEND},
    {"W17", WARN, "llama.config", FANIN_BF16, BY_NAMES, "lm_head.weight", scale, .a = 1e7, .target = FANIN_F16,
     .mend = NO_MEND},
    {"W18", WARN, "gpt2.config", FANIN_F32, BY_MODEL, "transformer.h.#.*.c_proj.weight", scale, .a = 3.4641},
    {"W18", WARN, "gpt2.config", FANIN_BF16, BY_NAMES, "transformer.h.#.*.c_proj.weight", scale, .a = 3.4641},
    {"W20", SEVERE, "mixtral.spec", FANIN_BF16, BY_NAMES, "model.layers.1.mlp.experts.gate_up_proj", rows, .a = 2,
     .b = 0, .c = 1},
    {"W20", SEVERE, "mixtral.spec", FANIN_F32, BY_PLAN, "model.layers.0.mlp.experts.down_proj", broadcast, .a = 0},
    {"W20", SEVERE, "transformer.spec", FANIN_F32, BY_NAMES, "transformer.encoder.layers.1.self_attn.in_proj_weight",
     rows, .a = 64, .b = 0, .c = 64},
    {"W21", SEVERE, "llama.config", FANIN_F32, BY_MODEL, "model.norm.weight", remove_it, .mend = NO_MEND},
    {"W21", SEVERE, "gpt2.config", FANIN_F16, BY_MODEL, "transformer.h.0.mlp.c_fc.weight", add_other,
     .other = "transformer.h.0.mlp.c_fcc.weight", .mend = NO_MEND},
    {"W21", SEVERE, "qwen3.config", FANIN_F32, BY_MODEL, "model.layers.0.mlp.down_proj.weight", transpose,
     .mend = NO_MEND},
    {"W21", SEVERE, "bert.spec", FANIN_F32, BY_PLAN, "bert.embeddings.position_embeddings.weight", cut, .a = 64,
     .mend = NO_MEND},
    {"W08", WARN, "vit.spec", FANIN_F32, BY_PLAN, "vit.encoder.layer.2.attention.attention.key.weight", draw_uniform,
     .a = -0.0346, .b = 0.0346, .flags = EXPECT},
    {"W08", WARN, "bert.spec", FANIN_BF16, BY_PLAN, "bert.encoder.layer.0.intermediate.dense.weight", draw_uniform,
     .a = -0.034641, .b = 0.034641, .flags = EXPECT},
    /* a norm follows: it makes up for the factor, until it takes the learning rate with it */
    {"W08", INFO, "dcgan.spec", FANIN_F32, BY_PLAN, "main.3.weight", draw_normal, .a = 0.03, .mend = NO_MEND},
    {"W08", INFO, "resnet.spec", FANIN_BF16, BY_PLAN, "layer1.0.conv1.weight", scale, .a = 1.5, .mend = NO_MEND},
    {"W08", WARN, "resnet.spec", FANIN_F32, BY_PLAN, "layer1.0.conv1.weight", scale, .a = 100},
    {"W08", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.2.intermediate.dense.weight", scale, .a = 100},
    {"W08", WARN, "llama.config", FANIN_BF16, BY_NAMES, "model.layers.3.self_attn.k_proj.weight", scale, .a = 0.01},
    {"W08", WARN, "llama.config", FANIN_F32, BY_NAMES, "model.layers.#.*_proj.weight", draw_normal, .a = 1,
     .mend = ASKS},
    {"W08", WARN, "gpt2.config", FANIN_F16, BY_NAMES, "transformer.h.#.*.c_*.weight", scale, .a = 0.01, .mend = ASKS},
    {"W08", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.1.attention.self.key.weight", scale, .a = 1.3,
     .config = bert},
    {"W08", WARN, "whisper.spec", FANIN_BF16, BY_NAMES, "model.decoder.layers.0.fc1.weight", scale, .a = 5,
     .config = "{\"model_type\": \"whisper\"}"},
    {"W08", WARN, "t5.spec", FANIN_F32, BY_NAMES, "encoder.block.1.layer.0.SelfAttention.q.weight", scale, .a = 4,
     .config = "{\"model_type\": \"t5\", \"d_model\": 64, \"d_kv\": 16, \"d_ff\": 256, \"num_heads\": 4}"},
    {"W13", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.encoder.layer.#.output.dense.bias", draw_uniform, .a = -0.1,
     .b = 0.1, .config = bert},
    {"W13", WARN, "gpt2.config", FANIN_BF16, BY_MODEL, "transformer.h.#.attn.c_attn.bias", draw_normal, .a = 0.02},
    {"W14", WARN, "bert.spec", FANIN_F32, BY_PLAN, "bert.encoder.layer.1.output.LayerNorm.weight", constant, .a = 0},
    {"W14", WARN, "llama.config", FANIN_F16, BY_MODEL, "model.norm.weight", constant, .a = 0.5},
    {"W19", WARN, "qwen2.config", FANIN_F32, BY_PLAN, "model.embed_tokens.weight", draw_normal, .a = 0.02},
    {"W19", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.embeddings.word_embeddings.weight", draw_normal, .a = 0.02,
     .config = "{\"model_type\": \"bert\", \"pad_token_id\": 0}"},
    {"W14", WARN, "bert.spec", FANIN_BF16, BY_NAMES, "bert.encoder.layer.0.output.LayerNorm.weight", constant, .a = 0},
    {"W14", WARN, "bert.spec", FANIN_F32, BY_NAMES, "bert.*.LayerNorm.weight", constant, .a = 0, .config = bert},
    {"W02", SEVERE, "llama.config", FANIN_F32, BY_NAMES, "model.layers.2.mlp.down_proj.weight", zero_run, .a = 12288,
     .b = 12288},
    {"W05", SEVERE, "gpt2.config", FANIN_F32, BY_NAMES, "transformer.h.3.mlp.c_fc.weight", four_columns, .a = 0},
    {"W21", SEVERE, "gpt2.config", FANIN_F32, BY_MODEL, "transformer.wte.weight", add_other, .other = "lm_head.weight",
     .mend = NO_MEND},
};
enum { NFAULTS = sizeof faults / sizeof faults[0] };

/* -- Running it -----------------------------------------------------------------------------------------------------*/

/* Whether a finding by this check and severity names the tensor (or, of tensors that are not there, says the name). */
static bool is_found(const fanin_diagnosis *diagnosis, const struct fault *fault, const char *name)
{
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if (strcmp(finding->check->id, fault->id) != 0 || finding->severity != fault->severity)
            continue;
        if (strstr(finding->where, name) != NULL || strstr(finding->what, name) != NULL)
            return true;
        for (size_t t = 0; t < finding->ntensors; t++)
            if (strcmp(fanin_diagnosis_tensor_at(diagnosis, finding->tensors[t])->name, name) == 0)
                return true;
    }
    return false;
}

/* Findings above info that are about none of the planted tensors. */
static size_t count_strange(const fanin_diagnosis *diagnosis, const struct fault *fault)
{
    size_t nstrange = 0;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        bool is_ours = finding->ntensors == 0 || finding->severity == FANIN_SEVERITY_INFO;
        for (size_t t = 0; t < finding->ntensors && !is_ours; t++) {
            const char *name = fanin_diagnosis_tensor_at(diagnosis, finding->tensors[t])->name;
            is_ours = made_name_matches(fault->tensor, name) ||
                      (fault->other != NULL && made_name_matches(fault->other, name));
        }
        nstrange += !is_ours;
    }
    return nstrange;
}

static fanin_diagnosis *diagnose(const struct made *made, const fanin_diagnosis_options *options, const char *path,
                                 fanin_checkpoint **checkpoint)
{
    (void)made;
    fanin_error error;
    fanin_diagnosis *diagnosis;
    assert_ok(fanin_checkpoint_open(path, checkpoint, &error), error);
    assert_ok(fanin_diagnose_checkpoint(*checkpoint, options, &diagnosis, &error), error);
    return diagnosis;
}

/* Mends what was found and looks again; returns whether that is as the table says. */
static bool mends(const struct made *made, const struct fault *fault, const fanin_diagnosis_options *options,
                  const fanin_checkpoint *checkpoint, const fanin_diagnosis *diagnosis)
{
    fanin_error error;
    fanin_repair_result result;
    fanin_checkpoint *mended;
    const fanin_run_options run = {.size = sizeof run, .seed = MEND_SEED};
    const fanin_write_options write = {.size = sizeof write, .path = "mended.safetensors", .force = true};
    fanin_status status = fanin_repair(checkpoint, diagnosis, options->plan, &run, &write, &result, &error);
    if (status != FANIN_OK) {
        print_error("  mending: %s: %s\n", fanin_status_name(status), error.message);
        return false;
    }
    fanin_diagnosis *again = diagnose(made, options, "mended.safetensors", &mended);
    size_t nleft = fanin_diagnosis_severity_count(again, FANIN_SEVERITY_WARN) +
                   fanin_diagnosis_severity_count(again, FANIN_SEVERITY_ERROR);
    bool is_right = fault->mend == MENDS ? result.nleft == 0 && result.nmade > 0 && nleft == 0 : result.nleft > 0;
    if (!is_right) {
        print_error("  mended: %zu made, %zu left, %zu findings after\n", result.nmade, result.nleft, nleft);
        made_print_findings(again, FANIN_SEVERITY_WARN);
    }
    fanin_diagnosis_free(again);
    fanin_checkpoint_close(mended);
    return is_right;
}

static bool run_fault(const struct fault *fault)
{
    struct made made;
    fanin_checkpoint *checkpoint;
    fanin_error error;
    fanin_plan *wanted = NULL;
    made_begin(&made, fault->model, fault->dtype);
    made_fill(&made, 1);
    fanin_diagnosis_options options = made_options(&made, fault->known);
    if (strcmp(fault->id, "W15") == 0) { /* what was wanted is another recipe than what was made */
        fanin_recipe *recipe;
        char rule[256];
        snprintf(rule, sizeof rule, "%s=%s", fault->tensor, fault->other);
        assert_ok(fanin_recipe_create(&recipe, &error), error);
        assert_ok(fanin_recipe_set(recipe, rule, &error), error);
        assert_ok(fanin_plan_create(made.model, recipe, NULL, &wanted, &error), error);
        fanin_recipe_free(recipe);
        options.plan = wanted;
    }
    options.expect = fault->flags & EXPECT;
    options.deep = fault->flags & DEEP;
    options.target = fault->target;
    options.activation = fault->activation;
    if (fault->config != NULL)
        options.config = fault->config;
    size_t nplanted = 0;
    for (size_t i = 0, n = made.ntensors; i < n; i++)
        if (made_name_matches(fault->tensor, made.tensors[i].name)) {
            nplanted++;
            if (fault->plant != NULL)
                fault->plant(&made, &made.tensors[i], fault);
        }
    assert_true(nplanted > 0);
    made_write(&made, "planted.safetensors");
    fanin_diagnosis *diagnosis = diagnose(&made, &options, "planted.safetensors", &checkpoint);

    size_t nmissed = 0, nstrange = count_strange(diagnosis, fault);
    for (size_t i = 0; i < fanin_plan_tensor_count(made.plan); i++) {
        const char *name = fanin_plan_tensor_at(made.plan, i)->name;
        if (made_name_matches(fault->tensor, name) && fanin_plan_tensor_at(made.plan, i)->tied_to == NULL)
            nmissed += !is_found(diagnosis, fault, fault->plant == add_other ? fault->other : name);
    }
    bool is_right = nmissed == 0 && nstrange == 0;
    if (!is_right)
        print_error("%s %s %s %s: %zu of %zu not found, %zu strange findings\n", fault->id, fault->model,
                    fanin_dtype_name(fault->dtype), fault->tensor, nmissed, nplanted, nstrange);
    if (is_right && fault->mend != NO_MEND && !mends(&made, fault, &options, checkpoint, diagnosis)) {
        is_right = false;
        print_error("%s %s %s %s: found, but not mended as it should\n", fault->id, fault->model,
                    fanin_dtype_name(fault->dtype), fault->tensor);
    }
    if (!is_right)
        made_print_findings(diagnosis, FANIN_SEVERITY_WARN);
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(wanted);
    made_end(&made);
    return is_right;
}

static void test_planted_faults(void **state)
{
    (void)state;
    const char *only = getenv("FANIN_FAULT"); /* an id, or a number in the table */
    size_t nwrong = 0;
    for (size_t i = 0; i < NFAULTS; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        if (only == NULL || strcmp(only, faults[i].id) == 0 || strcmp(only, number) == 0)
            nwrong += !run_fault(&faults[i]);
    }
    if (nwrong > 0)
        fail_msg("%zu of %d planted faults are not found, or not mended, as they should be", nwrong, (int)NFAULTS);
}

/* The suite is what it claims to be: 60 faults, every check that can be planted, ten models, five dtypes. */
static void test_the_table_is_wide(void **state)
{
    (void)state;
    size_t nmodels = 0, ndtypes = 0;
    for (size_t i = 0; i < NFAULTS; i++) {
        bool is_new_model = true, is_new_dtype = true;
        for (size_t j = 0; j < i; j++) {
            is_new_model &= strcmp(faults[i].model, faults[j].model) != 0;
            is_new_dtype &= faults[i].dtype != faults[j].dtype;
        }
        nmodels += is_new_model;
        ndtypes += is_new_dtype;
    }
    assert_true(NFAULTS >= 60);
    assert_true(nmodels >= 10);
    assert_true(ndtypes >= 4);
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const char *id = fanin_check_at(i)->id;
        bool is_planted = fanin_check_at(i)->worst == FANIN_SEVERITY_INFO;
        for (size_t j = 0; j < NFAULTS && !is_planted; j++)
            is_planted = strcmp(faults[j].id, id) == 0;
        if (!is_planted)
            fail_msg("no fault is planted for %s", id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_wide),
        cmocka_unit_test(test_planted_faults),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
