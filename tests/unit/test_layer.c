/* SPDX-License-Identifier: MIT */
/*
 * Layers beyond their bytes (those are the goldens'): which arguments are refused in which words, the lists of
 * parameters and steps, views with strides, calls that fail and change nothing, and that none of it allocates.
 */
#include "test.h"

#include <inttypes.h>
#include <math.h>

#include "base/text.h"
#include "fanin/hooks.h"
#include "fanin/layer.h"

/* ---- arguments ---- */

static void test_kinds(void **state)
{
    (void)state;
    for (int kind = 1; kind < FANIN_LAYER_KIND_COUNT; kind++) {
        const char *name = fanin_layer_kind_name((fanin_layer_kind)kind);
        assert_int_equal(fanin_layer_kind_from_name(name), kind);
        for (int other = 1; other < kind; other++)
            assert_string_not_equal(name, fanin_layer_kind_name((fanin_layer_kind)other));
    }
    assert_string_equal(fanin_layer_kind_name(FANIN_LAYER_CONV2D), "conv2d");
    assert_string_equal(fanin_layer_kind_name(FANIN_LAYER_MULTIHEAD_ATTENTION), "multihead_attention");
    assert_string_equal(fanin_layer_kind_name(FANIN_LAYER_NONE), "none");
    assert_string_equal(fanin_layer_kind_name((fanin_layer_kind)1000), "none");
    assert_int_equal(fanin_layer_kind_from_name("none"), FANIN_LAYER_NONE);
    assert_int_equal(fanin_layer_kind_from_name("Conv2d"), FANIN_LAYER_NONE);
}

#define LAYER(what, ...) fanin_layer what = fanin_layer_default(__VA_ARGS__)

/* Every query refuses alike, and fanin_layer_init as well. */
static void refuse(const fanin_layer *layer, fanin_status expected, const char *part)
{
    fanin_error error = {0};
    fanin_layer_parameter parameter;
    fanin_layer_step step;
    size_t n;
    assert_fails(fanin_layer_parameter_count(layer, &n, &error), expected, error, part);
    assert_fails(fanin_layer_parameter_at(layer, 0, &parameter, &error), expected, error, part);
    assert_fails(fanin_layer_step_count(layer, &n, &error), expected, error, part);
    assert_fails(fanin_layer_step_at(layer, 0, &step, &error), expected, error, part);
    assert_fails(fanin_layer_init(layer, NULL, 0, NULL, &error), expected, error, part);
    assert_int_equal(fanin_layer_parameter_count(layer, &n, NULL), expected);
}

/* Whatever is not set is named. */
static void test_missing_arguments(void **state)
{
    static const struct {
        fanin_layer_kind kind;
        const char *missing; /* NULL: torch has defaults for all */
    } rows[] = {
        {FANIN_LAYER_LINEAR, "linear: in_features is -1"},
        {FANIN_LAYER_BILINEAR, "bilinear: in_features (in1_features) is -1"},
        {FANIN_LAYER_CONV1D, "conv1d: in_channels is -1"},
        {FANIN_LAYER_CONV_TRANSPOSE3D, "conv_transpose3d: in_channels is -1"},
        {FANIN_LAYER_EMBEDDING, "embedding: num_embeddings is -1"},
        {FANIN_LAYER_LSTM, "lstm: input_size is -1; it must be set to 1 or more"},
        {FANIN_LAYER_GRU_CELL, "gru_cell: input_size is -1; it must be set to 0 or more"},
        {FANIN_LAYER_MULTIHEAD_ATTENTION, "multihead_attention: embed_dim is -1"},
        {FANIN_LAYER_TRANSFORMER_ENCODER_LAYER, "transformer_encoder_layer: embed_dim is -1"},
        {FANIN_LAYER_TRANSFORMER_ENCODER, "transformer_encoder: num_layers is -1"},
        {FANIN_LAYER_TRANSFORMER, NULL},
        {FANIN_LAYER_BATCH_NORM, "batch_norm: num_features is -1"},
        {FANIN_LAYER_LAYER_NORM, "layer_norm: normalized_shape must have 1 to 8 sizes"},
        {FANIN_LAYER_GROUP_NORM, "group_norm: num_features (num_channels) is -1"},
        {FANIN_LAYER_PRELU, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        LAYER(layer, rows[i].kind);
        fanin_error error = {0};
        size_t n;
        if (rows[i].missing != NULL)
            refuse(&layer, FANIN_ERROR_ARGUMENT, rows[i].missing);
        else
            assert_ok(fanin_layer_parameter_count(&layer, &n, &error), error);
    }
    fanin_layer zero = {0};
    refuse(&zero, FANIN_ERROR_ARGUMENT, "begin with fanin_layer_default");
    LAYER(none, FANIN_LAYER_NONE);
    refuse(&none, FANIN_ERROR_ARGUMENT, "there is no layer of kind 0");
    LAYER(unknown, FANIN_LAYER_KIND_COUNT);
    refuse(&unknown, FANIN_ERROR_ARGUMENT, "there is no layer of kind");
}

static fanin_layer linear(int64_t in_features, int64_t out_features)
{
    LAYER(layer, FANIN_LAYER_LINEAR);
    layer.in_features = in_features;
    layer.out_features = out_features;
    return layer;
}

static fanin_layer conv2d(int64_t in_channels, int64_t out_channels, int64_t size)
{
    LAYER(layer, FANIN_LAYER_CONV2D);
    layer.in_channels = in_channels;
    layer.out_channels = out_channels;
    layer.kernel_size[0] = layer.kernel_size[1] = size;
    return layer;
}

static fanin_layer embedding(int64_t num_embeddings, int64_t embedding_dim, int64_t padding_idx)
{
    LAYER(layer, FANIN_LAYER_EMBEDDING);
    layer.num_embeddings = num_embeddings;
    layer.embedding_dim = embedding_dim;
    layer.has_padding_idx = true;
    layer.padding_idx = padding_idx;
    return layer;
}

static fanin_layer recurrent(fanin_layer_kind kind, int64_t input_size, int64_t hidden_size)
{
    LAYER(layer, kind);
    layer.input_size = input_size;
    layer.hidden_size = hidden_size;
    return layer;
}

static fanin_layer attention(fanin_layer_kind kind, int64_t embed_dim, int64_t num_heads)
{
    LAYER(layer, kind);
    layer.embed_dim = embed_dim;
    layer.num_heads = num_heads;
    layer.dim_feedforward = 6;
    return layer;
}

static void test_refused_arguments(void **state)
{
    fanin_layer layer;
    (void)state;
    layer = linear(3, INT64_MIN);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "out_features is -9223372036854775808");
    layer = linear(INT64_C(1) << 31, INT64_C(1) << 31);
    refuse(&layer, FANIN_ERROR_SHAPE, "linear: weight: the shape has more elements than memory can hold");
    layer = linear(3, 4);
    layer.dtype = FANIN_I32;
    refuse(&layer, FANIN_ERROR_DTYPE, "linear: parameters of layers are floating-point numbers, not i32");
    layer.dtype = (fanin_dtype)999;
    refuse(&layer, FANIN_ERROR_DTYPE, "not none");

    LAYER(bilinear, FANIN_LAYER_BILINEAR);
    bilinear.in_features = 0;
    bilinear.in2_features = bilinear.out_features = 2;
    refuse(&bilinear, FANIN_ERROR_ARGUMENT, "in1_features) is 0; it must be set to 1 or more");

    layer = conv2d(4, 6, 3);
    layer.groups = 3;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "in_channels (4) must be divisible by groups (3)");
    layer.groups = 4;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "out_channels (6) must be divisible by groups (4)");
    layer.groups = 0;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "groups is 0; it must be set to 1 or more");
    layer = conv2d(4, 6, -3);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "kernel_size is -3");

    layer = embedding(11, 5, 11);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "padding_idx is 11");
    layer = embedding(11, 5, -12);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "padding_idx is -12");
    layer = embedding(0, 5, 0);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "padding_idx is 0");
    layer = embedding(INT64_MIN, 5, INT64_MIN);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "num_embeddings is -9223372036854775808");

    layer = recurrent(FANIN_LAYER_LSTM, 3, 4);
    layer.proj_size = 4;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "proj_size (4) must be smaller than hidden_size (4)");
    layer.proj_size = -1;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "proj_size is -1");
    layer = recurrent(FANIN_LAYER_GRU, 3, 4);
    layer.proj_size = 2;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "gru: proj_size is 2; only an lstm has projections");
    layer = recurrent(FANIN_LAYER_RNN, 3, 4);
    layer.num_layers = 0;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "num_layers is 0");
    layer = recurrent(FANIN_LAYER_LSTM_CELL, 3, INT64_MAX);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "hidden_size 9223372036854775807 is too large");

    layer = attention(FANIN_LAYER_MULTIHEAD_ATTENTION, 12, 5);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "embed_dim (12) must be divisible by num_heads (5)");
    layer = attention(FANIN_LAYER_TRANSFORMER, INT64_MAX, 1);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "embed_dim 9223372036854775807 is too large");
    layer = attention(FANIN_LAYER_TRANSFORMER_DECODER_LAYER, 12, 0);
    refuse(&layer, FANIN_ERROR_ARGUMENT, "num_heads is 0");
    layer = attention(FANIN_LAYER_MULTIHEAD_ATTENTION, 12, 3);
    layer.kdim = -5;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "kdim is -5");
    layer = attention(FANIN_LAYER_TRANSFORMER_ENCODER, 4, 2);
    layer.num_layers = INT64_MAX;
    refuse(&layer, FANIN_ERROR_ARGUMENT, "so many layers cannot be counted");

    LAYER(group_norm, FANIN_LAYER_GROUP_NORM);
    group_norm.num_features = 6;
    group_norm.groups = 4;
    refuse(&group_norm, FANIN_ERROR_ARGUMENT, "num_channels (6) must be divisible by num_groups (4)");
    LAYER(rms_norm, FANIN_LAYER_RMS_NORM);
    rms_norm.normalized_ndim = 9;
    refuse(&rms_norm, FANIN_ERROR_ARGUMENT, "normalized_ndim is 9");
}

/* ---- parameters and steps ---- */

/* "name:role[shape]" of every parameter, buffers in parentheses, compared with `expected`. */
static void expect_parameters(const fanin_layer *layer, const char *expected)
{
    fanin_text text = {0};
    fanin_error error = {0};
    fanin_layer_parameter parameter;
    size_t n;
    assert_ok(fanin_layer_parameter_count(layer, &n, &error), error);
    for (size_t i = 0; i < n; i++) {
        assert_ok(fanin_layer_parameter_at(layer, i, &parameter, &error), error);
        fanin_text_format(&text, "%s%s%s:%s[", i > 0 ? " " : "", parameter.is_buffer ? "(" : "", parameter.name,
                          parameter.role);
        for (int k = 0; k < parameter.ndim; k++)
            fanin_text_format(&text, "%s%" PRId64, k > 0 ? "," : "", parameter.shape[k]);
        fanin_text_format(&text, "]%s", parameter.is_buffer ? ")" : "");
        assert_int_equal(parameter.dtype,
                         strcmp(parameter.role, "num_batches_tracked") == 0 ? FANIN_I64 : layer->dtype);
    }
    assert_string_equal(n > 0 ? text.data : "", expected);
    fanin_text_release(&text);
    assert_fails(fanin_layer_parameter_at(layer, n, &parameter, &error), FANIN_ERROR_ARGUMENT, error,
                 "there is no parameter");
}

static void test_parameters(void **state)
{
    fanin_layer layer;
    (void)state;
    layer = linear(3, 4);
    layer.dtype = FANIN_BF16;
    expect_parameters(&layer, "weight:weight[4,3] bias:bias[4]");
    layer.bias = false;
    expect_parameters(&layer, "weight:weight[4,3]");

    layer = conv2d(4, 6, 3);
    layer.groups = 2;
    layer.kernel_size[1] = 5;
    expect_parameters(&layer, "weight:weight[6,2,3,5] bias:bias[6]");
    layer.kind = FANIN_LAYER_CONV_TRANSPOSE2D;
    expect_parameters(&layer, "weight:weight[4,3,3,5] bias:bias[6]");
    fanin_layer_parameter parameter;
    assert_int_equal(fanin_layer_parameter_at(&layer, 0, &parameter, NULL), FANIN_OK);
    assert_int_equal(parameter.layout, FANIN_LAYOUT_TRANSPOSED);

    layer = embedding(7, 3, -1);
    expect_parameters(&layer, "weight:embedding[7,3]");

    layer = recurrent(FANIN_LAYER_LSTM, 5, 4);
    layer.num_layers = 2;
    layer.bidirectional = true;
    layer.proj_size = 2;
    layer.bias = false;
    expect_parameters(&layer, "weight_ih_l0:weight_ih[16,5] weight_hh_l0:weight_hh[16,2] weight_hr_l0:weight_hr[2,4] "
                              "weight_ih_l0_reverse:weight_ih[16,5] weight_hh_l0_reverse:weight_hh[16,2] "
                              "weight_hr_l0_reverse:weight_hr[2,4] "
                              "weight_ih_l1:weight_ih[16,4] weight_hh_l1:weight_hh[16,2] weight_hr_l1:weight_hr[2,4] "
                              "weight_ih_l1_reverse:weight_ih[16,4] weight_hh_l1_reverse:weight_hh[16,2] "
                              "weight_hr_l1_reverse:weight_hr[2,4]");
    layer = recurrent(FANIN_LAYER_GRU, 5, 4);
    layer.num_layers = 3;
    layer.bias = false;
    expect_parameters(&layer, "weight_ih_l0:weight_ih[12,5] weight_hh_l0:weight_hh[12,4] "
                              "weight_ih_l1:weight_ih[12,4] weight_hh_l1:weight_hh[12,4] "
                              "weight_ih_l2:weight_ih[12,4] weight_hh_l2:weight_hh[12,4]");
    layer = recurrent(FANIN_LAYER_RNN_CELL, 5, 4);
    expect_parameters(&layer,
                      "weight_ih:weight_ih[4,5] weight_hh:weight_hh[4,4] bias_ih:bias_ih[4] bias_hh:bias_hh[4]");

    layer = attention(FANIN_LAYER_MULTIHEAD_ATTENTION, 6, 2);
    layer.add_bias_kv = true;
    expect_parameters(&layer, "in_proj_weight:in_proj_weight[18,6] in_proj_bias:in_proj_bias[18] "
                              "bias_k:bias_k[1,1,6] bias_v:bias_v[1,1,6] "
                              "out_proj.weight:weight[6,6] out_proj.bias:bias[6]");
    layer.add_bias_kv = layer.bias = false;
    layer.kdim = 5;
    expect_parameters(&layer, "q_proj_weight:q_proj_weight[6,6] k_proj_weight:k_proj_weight[6,5] "
                              "v_proj_weight:v_proj_weight[6,6] out_proj.weight:weight[6,6]");
    layer = attention(FANIN_LAYER_TRANSFORMER, 4, 2);
    layer.bias = false;
    layer.num_encoder_layers = 2;
    layer.num_decoder_layers = 1;
    expect_parameters(&layer,
                      "encoder.layers.0.self_attn.in_proj_weight:in_proj_weight[12,4] "
                      "encoder.layers.0.self_attn.out_proj.weight:weight[4,4] "
                      "encoder.layers.0.linear1.weight:weight[6,4] encoder.layers.0.linear2.weight:weight[4,6] "
                      "encoder.layers.0.norm1.weight:norm_weight[4] encoder.layers.0.norm2.weight:norm_weight[4] "
                      "encoder.layers.1.self_attn.in_proj_weight:in_proj_weight[12,4] "
                      "encoder.layers.1.self_attn.out_proj.weight:weight[4,4] "
                      "encoder.layers.1.linear1.weight:weight[6,4] encoder.layers.1.linear2.weight:weight[4,6] "
                      "encoder.layers.1.norm1.weight:norm_weight[4] encoder.layers.1.norm2.weight:norm_weight[4] "
                      "encoder.norm.weight:norm_weight[4] "
                      "decoder.layers.0.self_attn.in_proj_weight:in_proj_weight[12,4] "
                      "decoder.layers.0.self_attn.out_proj.weight:weight[4,4] "
                      "decoder.layers.0.multihead_attn.in_proj_weight:in_proj_weight[12,4] "
                      "decoder.layers.0.multihead_attn.out_proj.weight:weight[4,4] "
                      "decoder.layers.0.linear1.weight:weight[6,4] decoder.layers.0.linear2.weight:weight[4,6] "
                      "decoder.layers.0.norm1.weight:norm_weight[4] decoder.layers.0.norm2.weight:norm_weight[4] "
                      "decoder.layers.0.norm3.weight:norm_weight[4] decoder.norm.weight:norm_weight[4]");

    LAYER(batch_norm, FANIN_LAYER_BATCH_NORM);
    batch_norm.num_features = 5;
    expect_parameters(&batch_norm, "weight:norm_weight[5] bias:norm_bias[5] (running_mean:running_mean[5]) "
                                   "(running_var:running_var[5]) (num_batches_tracked:num_batches_tracked[])");
    batch_norm.affine = batch_norm.track_running_stats = false;
    expect_parameters(&batch_norm, "");
    LAYER(layer_norm, FANIN_LAYER_LAYER_NORM);
    layer_norm.normalized_ndim = 2;
    layer_norm.normalized_shape[0] = 2;
    layer_norm.normalized_shape[1] = 3;
    expect_parameters(&layer_norm, "weight:norm_weight[2,3] bias:norm_bias[2,3]");
    layer_norm.kind = FANIN_LAYER_RMS_NORM;
    expect_parameters(&layer_norm, "weight:norm_weight[2,3]");
    LAYER(prelu, FANIN_LAYER_PRELU);
    expect_parameters(&prelu, "weight:slope[1]");
}

/* "parameter kind(nelem)" of every step, "=i" for a copy of step i, "-" for what is thrown away. */
static void expect_steps(const fanin_layer *layer, const char *expected)
{
    fanin_text text = {0};
    fanin_error error = {0};
    fanin_layer_step step;
    size_t n;
    assert_ok(fanin_layer_step_count(layer, &n, &error), error);
    for (size_t i = 0; i < n; i++) {
        assert_ok(fanin_layer_step_at(layer, i, &step, &error), error);
        fanin_text_add(&text, i > 0 ? " " : "");
        if (step.parameter == SIZE_MAX)
            fanin_text_add(&text, "-");
        else
            fanin_text_format(&text, "%zu", step.parameter);
        if (step.row_end >= 0)
            fanin_text_format(&text, "[%" PRId64 ":%" PRId64 "]", step.row_begin, step.row_end);
        fanin_text_format(&text, "%s(%" PRId64 ")", fanin_fill_kind_name(step.fill.kind), step.nelem);
        if (step.copy_of_step >= 0)
            fanin_text_format(&text, "=%" PRId64, step.copy_of_step);
    }
    assert_string_equal(n > 0 ? text.data : "", expected);
    fanin_text_release(&text);
    assert_fails(fanin_layer_step_at(layer, n, &step, &error), FANIN_ERROR_ARGUMENT, error, "there is no step");
}

static void test_steps(void **state)
{
    fanin_layer layer;
    fanin_layer_step step;
    (void)state;
    layer = linear(3, 4);
    expect_steps(&layer, "0uniform(12) 1uniform(4)");
    layer = embedding(7, 3, -2);
    expect_steps(&layer, "0normal(21) 0[5:6]constant(3)");
    layer = attention(FANIN_LAYER_MULTIHEAD_ATTENTION, 4, 2);
    layer.add_bias_kv = true;
    expect_steps(&layer, "4uniform(16) 5uniform(4) 0uniform(48) 1constant(12) 5constant(4) 2normal(4) 3normal(4)");
    layer = attention(FANIN_LAYER_TRANSFORMER_ENCODER, 4, 2);
    layer.bias = false;
    layer.num_layers = 3;
    expect_steps(&layer, "1uniform(16) 0uniform(48) 2uniform(24) 3uniform(24) 4constant(4) 5constant(4) "
                         "6uniform(48)=1 7uniform(16)=0 8uniform(24)=2 9uniform(24)=3 10constant(4) 11constant(4) "
                         "12uniform(48)=1 13uniform(16)=0 14uniform(24)=2 15uniform(24)=3 16constant(4) 17constant(4)");
    layer.num_layers = 0;
    expect_steps(&layer, "-uniform(16) -uniform(48) -uniform(24) -uniform(24) -constant(4) -constant(4)");

    /* gain 1, fans (4, 12): the input projections are one matrix */
    layer = attention(FANIN_LAYER_MULTIHEAD_ATTENTION, 4, 2);
    assert_int_equal(fanin_layer_step_at(&layer, 2, &step, NULL), FANIN_OK);
    assert_same_double(step.fill.value[1], sqrt(3.0) * sqrt(2.0 / 16.0));
    assert_same_double(step.fill.value[0], -step.fill.value[1]);

    /* a fan of 0: the bound is 0, and its negative +0 */
    layer = linear(0, 3);
    assert_int_equal(fanin_layer_step_at(&layer, 1, &step, NULL), FANIN_OK);
    assert_same_double(step.fill.value[0], 0.0);
    assert_same_double(step.fill.value[1], 0.0);
}

/* Programs have the same size for any number of layers. */
static void test_many_layers(void **state)
{
    const int64_t nlayers = INT64_C(1000000000000);
    fanin_error error = {0};
    fanin_layer_parameter parameter;
    fanin_layer_step step;
    size_t n;
    (void)state;
    fanin_layer layer = attention(FANIN_LAYER_TRANSFORMER, 4, 2);
    layer.num_encoder_layers = layer.num_decoder_layers = nlayers;
    assert_ok(fanin_layer_parameter_count(&layer, &n, &error), error);
    assert_int_equal(n, (12 + 18) * nlayers + 4);
    assert_ok(fanin_layer_parameter_at(&layer, n - 3, &parameter, &error), error);
    assert_string_equal(parameter.name, "decoder.layers.999999999999.norm3.bias");
    /* prototypes and norms, copies of vectors, matrices drawn again */
    assert_ok(fanin_layer_step_count(&layer, &n, &error), error);
    assert_int_equal(n, 13 + 2 + 20 + 2 + (8 + 12) * (nlayers - 1) + (4 + 6) * nlayers);
    assert_ok(fanin_layer_step_at(&layer, n - 1, &step, &error), error);
    assert_int_equal(step.parameter, (12 + 18) * nlayers + 2 - 8);
    assert_int_equal(step.copy_of_step, -1);

    layer = recurrent(FANIN_LAYER_LSTM, 3, 4);
    layer.num_layers = nlayers;
    layer.bidirectional = true;
    assert_ok(fanin_layer_parameter_count(&layer, &n, &error), error);
    assert_int_equal(n, 8 * nlayers);
    assert_ok(fanin_layer_parameter_at(&layer, n - 1, &parameter, &error), error);
    assert_string_equal(parameter.name, "bias_hh_l999999999999_reverse");
}

/* ---- running ---- */

enum { MAX_PARAMETERS = 64, MAX_ELEMENTS = 4096 };

/* Contiguous memory for a layer's parameters. */
struct memory {
    size_t n;
    fanin_tensor views[MAX_PARAMETERS];
    double data[MAX_PARAMETERS][MAX_ELEMENTS];
};

static void begin_memory(struct memory *memory, const fanin_layer *layer)
{
    fanin_error error = {0};
    memset(memory, 0xa5, sizeof *memory);
    assert_ok(fanin_layer_parameter_count(layer, &memory->n, &error), error);
    assert_true(memory->n <= MAX_PARAMETERS);
    for (size_t i = 0; i < memory->n; i++) {
        fanin_layer_parameter parameter;
        assert_ok(fanin_layer_parameter_at(layer, i, &parameter, &error), error);
        memory->views[i] = fanin_tensor_nd(memory->data[i], parameter.dtype, parameter.ndim, parameter.shape);
        assert_true(fanin_tensor_nelem(&memory->views[i]) <= MAX_ELEMENTS);
    }
}

static bool same_generator(const fanin_generator *a, const fanin_generator *b)
{
    uint8_t states[2][FANIN_TORCH_STATE_NBYTES];
    fanin_generator_get_torch_state(a, states[0]);
    fanin_generator_get_torch_state(b, states[1]);
    return memcmp(states[0], states[1], sizeof states[0]) == 0;
}

static struct memory first, second;

static void test_init_refuses(void **state)
{
    const fanin_generator begin = fanin_generator_torch(5);
    fanin_generator generator = begin;
    fanin_error error = {0};
    fanin_layer layer = linear(3, 4);
    fanin_tensor good;
    (void)state;
    begin_memory(&first, &layer);
    memcpy(&second, &first, sizeof first);
    good = first.views[1];

    assert_fails(fanin_layer_init(&layer, first.views, 1, &generator, &error), FANIN_ERROR_ARGUMENT, error,
                 "linear: 1 tensors for its 2 parameters and buffers");
    assert_fails(fanin_layer_init(&layer, first.views, 2, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "linear draws random values and needs a generator");
    first.views[1].dtype = FANIN_F64;
    assert_fails(fanin_layer_init(&layer, first.views, 2, &generator, &error), FANIN_ERROR_DTYPE, error,
                 "linear: bias is f64, not f32");
    first.views[1] = fanin_tensor_2d(first.data[1], FANIN_F32, 4, 1);
    assert_fails(fanin_layer_init(&layer, first.views, 2, &generator, &error), FANIN_ERROR_SHAPE, error,
                 "linear: the shape of bias is [4,1], not [4]");
    first.views[1] = good;
    first.views[1].strides[0] = 0;
    assert_fails(fanin_layer_init(&layer, first.views, 2, &generator, &error), FANIN_ERROR_SHAPE, error,
                 "linear: bias: dimension 0 has stride 0");
    first.views[1] = good;
    first.views[1].data = NULL;
    assert_fails(fanin_layer_init(&layer, first.views, 2, &generator, &error), FANIN_ERROR_ARGUMENT, error,
                 "linear: bias: the tensor has no memory");
    first.views[1] = good;
    layer.dtype = FANIN_F8_E4M3;
    first.views[0].dtype = first.views[1].dtype = FANIN_F8_E4M3;
    assert_fails(fanin_layer_init(&layer, first.views, 2, &generator, &error), FANIN_ERROR_DTYPE, error,
                 "linear: uniform draws random values");
    assert_true(same_generator(&generator, &begin));
    assert_memory_equal(first.data, second.data, sizeof first.data);

    LAYER(prelu, FANIN_LAYER_PRELU);
    prelu.dtype = FANIN_F16;
    prelu.init = 1e6;
    begin_memory(&first, &prelu);
    assert_fails(fanin_layer_init(&prelu, first.views, 1, NULL, &error), FANIN_ERROR_ARGUMENT, error, "prelu");
    prelu.init = 0.5;
    assert_ok(fanin_layer_init(&prelu, first.views, 1, NULL, &error), error);
    assert_memory_equal(first.data[0], &(uint16_t){0x3800}, sizeof(uint16_t));
}

static void test_zero_elements_warn(void **state)
{
    fanin_error error = {0};
    fanin_generator generator = fanin_generator_torch(5);
    fanin_layer layer = linear(0, 3);
    (void)state;
    begin_memory(&first, &layer);
    assert_ok(fanin_layer_init(&layer, first.views, 2, &generator, &error), error);
    assert_string_not_equal(error.warning, "");
    const float zeros[3] = {0};
    assert_memory_equal(first.data[1], zeros, sizeof zeros);
    layer = linear(2, 3);
    begin_memory(&first, &layer);
    assert_ok(fanin_layer_init(&layer, first.views, 2, &generator, &error), error);
    assert_string_equal(error.warning, "");
}

/* The calls of one module each do what fanin_layer_init does. */
static void expect_same(const fanin_layer *layer, fanin_status status, const fanin_error *error,
                        const fanin_generator *generator)
{
    fanin_generator other = fanin_generator_torch(9);
    fanin_error other_error = {0};
    if (status != FANIN_OK)
        fail_msg("%s", error->message);
    begin_memory(&second, layer);
    assert_ok(fanin_layer_init(layer, second.views, second.n, &other, &other_error), other_error);
    assert_memory_equal(first.data, second.data, sizeof first.data);
    assert_true(same_generator(generator, &other));
}

static void test_single_calls(void **state)
{
    fanin_error error = {0};
    fanin_generator generator;
    fanin_layer layer = linear(7, 5);
    fanin_status status;
    (void)state;
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_linear(&first.views[0], &first.views[1], &generator, &error);
    expect_same(&layer, status, &error, &generator);
    layer.bias = false;
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_linear(&first.views[0], NULL, &generator, &error);
    expect_same(&layer, status, &error, &generator);

    LAYER(bilinear, FANIN_LAYER_BILINEAR);
    bilinear.in_features = 3;
    bilinear.in2_features = 4;
    bilinear.out_features = 5;
    begin_memory(&first, &bilinear);
    generator = fanin_generator_torch(9);
    status = fanin_bilinear(&first.views[0], &first.views[1], &generator, &error);
    expect_same(&bilinear, status, &error, &generator);

    layer = conv2d(6, 4, 3);
    layer.groups = 2;
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_conv(&first.views[0], &first.views[1], &generator, &error);
    expect_same(&layer, status, &error, &generator);
    layer.kind = FANIN_LAYER_CONV_TRANSPOSE2D;
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_conv_transpose(&first.views[0], &first.views[1], &generator, &error);
    expect_same(&layer, status, &error, &generator);

    layer = embedding(9, 4, -1);
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_embedding(&first.views[0], &(int64_t){-1}, &generator, &error);
    expect_same(&layer, status, &error, &generator);

    layer = recurrent(FANIN_LAYER_LSTM, 3, 4);
    layer.num_layers = 2;
    layer.bidirectional = true;
    layer.proj_size = 2;
    begin_memory(&first, &layer);
    generator = fanin_generator_torch(9);
    status = fanin_recurrent(first.views, first.n, 4, &generator, &error);
    expect_same(&layer, status, &error, &generator);
}

static void test_single_calls_refuse(void **state)
{
    float data[64];
    const fanin_generator begin = fanin_generator_torch(9);
    fanin_generator generator = begin;
    fanin_error error = {0};
    fanin_tensor vector = fanin_tensor_1d(data, FANIN_F32, 4), matrix = fanin_tensor_2d(data, FANIN_F32, 4, 2),
                 kernel = fanin_tensor_3d(data, FANIN_F32, 4, 2, 3);
    (void)state;
    memset(data, 0xa5, sizeof data);
    assert_fails(fanin_linear(&vector, NULL, &generator, &error), FANIN_ERROR_SHAPE, error, "weight has 1 dimensions");
    assert_fails(fanin_linear(&matrix, &matrix, &generator, &error), FANIN_ERROR_SHAPE, error,
                 "the shape of bias is [4,2], not [4]");
    assert_fails(fanin_bilinear(&matrix, NULL, &generator, &error), FANIN_ERROR_SHAPE, error, "must have 3 to 3");
    assert_fails(fanin_conv(&matrix, NULL, &generator, &error), FANIN_ERROR_SHAPE, error, "must have 3 to 5");
    fanin_tensor five = fanin_tensor_1d(data, FANIN_F32, 5), six = fanin_tensor_1d(data, FANIN_F32, 6);
    assert_fails(fanin_conv_transpose(&kernel, &five, &generator, &error), FANIN_ERROR_SHAPE, error, "bias");
    /* 3 groups of 2 outputs, but 4 inputs */
    assert_fails(fanin_conv_transpose(&kernel, &six, &generator, &error), FANIN_ERROR_ARGUMENT, error,
                 "in_channels (4) must be divisible by groups (3)");
    assert_fails(fanin_embedding(&matrix, &(int64_t){4}, &generator, &error), FANIN_ERROR_ARGUMENT, error,
                 "padding_idx is 4");
    assert_fails(fanin_recurrent(&matrix, 1, 0, &generator, &error), FANIN_ERROR_ARGUMENT, error, "hidden_size is 0");
    assert_fails(fanin_recurrent(&matrix, 1, 4, NULL, &error), FANIN_ERROR_ARGUMENT, error, "need a generator");
    fanin_tensor broken[2] = {matrix, vector};
    broken[1].data = NULL;
    assert_fails(fanin_recurrent(broken, 2, 4, &generator, &error), FANIN_ERROR_ARGUMENT, error,
                 "recurrent parameter 1: the tensor has no memory");
    assert_true(same_generator(&generator, &begin));
    for (size_t i = 0; i < sizeof data; i++)
        assert_int_equal(((const unsigned char *)data)[i], 0xa5);
}

/* Rows and columns lie apart, so that nothing in the view is contiguous. */
static void spread(struct memory *memory)
{
    for (size_t i = 0; i < memory->n; i++) {
        fanin_tensor *view = &memory->views[i];
        int64_t stride = 2;
        for (int k = view->ndim; k-- > 0;) {
            view->strides[k] = stride;
            stride = stride * view->shape[k] + 1;
        }
        assert_true(stride < MAX_ELEMENTS);
    }
}

static float element(const fanin_tensor *view, int64_t i)
{
    int64_t at = 0;
    for (int k = view->ndim; k-- > 0;) {
        at += i % view->shape[k] * view->strides[k];
        i /= view->shape[k];
    }
    return ((const float *)view->data)[at];
}

static void expect_equal_views(void)
{
    for (size_t i = 0; i < first.n; i++)
        for (int64_t k = 0; k < fanin_tensor_nelem(&first.views[i]); k++)
            assert_float_equal(element(&first.views[i], k), element(&second.views[i], k), 0);
}

/* Uniform fills of sliced views come in their row-major order: deep copies then equal those of contiguous views. */
static void test_strided_stack(void **state)
{
    fanin_error error = {0};
    fanin_generator a = fanin_generator_torch(3), b = fanin_generator_torch(3);
    fanin_layer layer = attention(FANIN_LAYER_TRANSFORMER_DECODER, 4, 2);
    (void)state;
    layer.num_layers = 3;
    begin_memory(&first, &layer);
    begin_memory(&second, &layer);
    spread(&second);
    assert_ok(fanin_layer_init(&layer, first.views, first.n, &a, &error), error);
    assert_ok(fanin_layer_init(&layer, second.views, second.n, &b, &error), error);
    expect_equal_views();
    assert_true(same_generator(&a, &b));
    for (size_t i = 0; i < 18; i++)
        assert_memory_equal(first.data[i], first.data[18 + i], sizeof first.data[i]);
    for (size_t i = 0; i < second.n; i++) /* between the elements nothing was written */
        assert_memory_equal((const float *)second.views[i].data + 1, &(uint32_t){0xa5a5a5a5}, sizeof(uint32_t));
}

/* From 2.12 on a channels_last convolution has the values of a contiguous one; before, those of the order of memory. */
static void test_channels_last(void **state)
{
    static const struct {
        fanin_profile profile;
        bool is_same;
    } rows[] = {{FANIN_PROFILE_TORCH_2_13, true},
                {FANIN_PROFILE_TORCH_2_12, true},
                {FANIN_PROFILE_TORCH_2_1, false},
                {FANIN_PROFILE_TORCH_1_13, false},
                {FANIN_PROFILE_TORCH_2_13 | FANIN_UNFUSED, true}};
    fanin_layer layer = conv2d(8, 16, 3);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fanin_error error = {0};
        fanin_generator a = fanin_generator_create(rows[i].profile, 3), b = a;
        begin_memory(&first, &layer);
        begin_memory(&second, &layer);
        memcpy(second.views[0].strides, (int64_t[]){72, 1, 24, 8}, 4 * sizeof(int64_t));
        assert_ok(fanin_layer_init(&layer, first.views, 2, &a, &error), error);
        assert_ok(fanin_layer_init(&layer, second.views, 2, &b, &error), error);
        assert_true(same_generator(&a, &b));
        if (rows[i].is_same)
            expect_equal_views();
        else
            assert_memory_equal(first.data[0], second.data[0], 16 * 72 * sizeof(float));
    }
}

/* A stack without layers takes from the generator what its prototype draws. */
static void test_thrown_away(void **state)
{
    fanin_error error = {0};
    fanin_generator a = fanin_generator_torch(3), b = fanin_generator_torch(3);
    fanin_layer stack = attention(FANIN_LAYER_TRANSFORMER_ENCODER, 4, 2),
                layer = attention(FANIN_LAYER_TRANSFORMER_ENCODER_LAYER, 4, 2);
    (void)state;
    stack.num_layers = 0;
    assert_ok(fanin_layer_init(&stack, NULL, 0, &a, &error), error);
    begin_memory(&first, &layer);
    assert_ok(fanin_layer_init(&layer, first.views, first.n, &b, &error), error);
    assert_true(same_generator(&a, &b));
}

/* Before 2.12 torch leaves a convolution's bias alone when its fan is 0. */
static void test_conv_without_inputs(void **state)
{
    const float zeros[4] = {0};
    fanin_layer layer = conv2d(0, 4, 3);
    (void)state;
    for (int i = 0; i < 2; i++) {
        fanin_error error = {0};
        fanin_generator begin = fanin_generator_create(i == 0 ? FANIN_PROFILE_TORCH_2_1 : FANIN_PROFILE_TORCH_2_12, 3);
        fanin_generator generator = begin;
        begin_memory(&first, &layer);
        assert_ok(fanin_layer_init(&layer, first.views, 2, &generator, &error), error);
        assert_memory_equal(first.data[1], zeros, sizeof zeros);
        if (i > 0)
            fanin_generator_skip(&begin, 4);
        assert_int_equal(begin.left, generator.left);
        assert_memory_equal(begin.words, generator.words, sizeof begin.words);
    }
}

static void *refuse_memory(void *user, size_t nbytes)
{
    (void)nbytes;
    ++*(size_t *)user;
    return NULL;
}

static void release_memory(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

static void test_no_allocation(void **state)
{
    size_t nrequests = 0;
    const fanin_allocator allocator = {refuse_memory, release_memory, &nrequests};
    fanin_error error = {0};
    fanin_generator generator = fanin_generator_torch(3);
    fanin_layer layer = attention(FANIN_LAYER_TRANSFORMER, 4, 2);
    (void)state;
    layer.num_encoder_layers = layer.num_decoder_layers = 1;
    fanin_set_allocator(&allocator);
    begin_memory(&first, &layer);
    fanin_status status = fanin_layer_init(&layer, first.views, first.n, &generator, &error);
    fanin_set_allocator(NULL);
    assert_ok(status, error);
    assert_int_equal(nrequests, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_missing_arguments),
        cmocka_unit_test(test_refused_arguments),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_many_layers),
        cmocka_unit_test(test_init_refuses),
        cmocka_unit_test(test_zero_elements_warn),
        cmocka_unit_test(test_single_calls),
        cmocka_unit_test(test_single_calls_refuse),
        cmocka_unit_test(test_strided_stack),
        cmocka_unit_test(test_channels_last),
        cmocka_unit_test(test_thrown_away),
        cmocka_unit_test(test_conv_without_inputs),
        cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
