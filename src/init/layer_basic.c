/* SPDX-License-Identifier: MIT */
/*
 * Modules without repetition: linear, convolutional, embedding and normalization modules, PReLU.
 */
#include <inttypes.h>
#include <math.h>

#include "init/catalogue.h"
#include "init/layer_program.h"

/* kaiming_uniform_(weight, a=sqrt(5)): what torch's Linear and Conv do to their weights. */
static void draw_weight(fanin_program *program, size_t weight)
{
    const double values[] = {sqrt(5), FANIN_FAN_IN, FANIN_LEAKY_RELU};
    fanin_program_call(program, weight, &fanin_initializer_kaiming_uniform, values);
}

/* U(+-1/sqrt(fan_in)) of the weight, 0 for a fan of 0. */
static double bias_bound(const fanin_program *program, size_t weight)
{
    fanin_fans fans = {0};
    fanin_calculate_fans(&program->slots[weight].view, &fans, NULL);
    return fans.in > 0 ? 1 / sqrt((double)fans.in) : 0;
}

size_t fanin_program_linear(fanin_program *program, const char *prefix, int64_t in_features, int64_t out_features,
                            bool bias)
{
    size_t weight = fanin_program_add(program, (fanin_slot_name){prefix, "weight", "weight"}, 2,
                                      (int64_t[]){out_features, in_features});
    draw_weight(program, weight);
    if (bias)
        fanin_program_uniform(program,
                              fanin_program_add(program, (fanin_slot_name){prefix, "bias", "bias"}, 1, &out_features),
                              bias_bound(program, weight));
    return weight;
}

void fanin_describe_linear(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "in_features", layer->in_features, 0);
    fanin_program_require_size(program, "out_features", layer->out_features, 0);
    fanin_program_once(program);
    fanin_program_linear(program, "", layer->in_features, layer->out_features, layer->bias);
}

void fanin_describe_bilinear(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "in_features (in1_features)", layer->in_features, 1);
    fanin_program_require_size(program, "in2_features", layer->in2_features, 0);
    fanin_program_require_size(program, "out_features", layer->out_features, 0);
    fanin_program_once(program);
    double bound = 1 / sqrt((double)layer->in_features);
    size_t weight = fanin_program_add(program, (fanin_slot_name){"", "weight", "weight"}, 3,
                                      (int64_t[]){layer->out_features, layer->in_features, layer->in2_features});
    fanin_program_uniform(program, weight, bound);
    if (layer->bias)
        fanin_program_uniform(
            program, fanin_program_add(program, (fanin_slot_name){"", "bias", "bias"}, 1, &layer->out_features), bound);
}

/*
 * Before 2.12 a bias whose fan is 0 is left as it was allocated, without draws; here it becomes 0. Since 2.12 a weight
 * that is not contiguous gets the values of a contiguous one.
 */
static void describe_conv(fanin_program *program, int kernel_ndim, bool transposed)
{
    const fanin_layer *layer = program->layer;
    bool is_newer = (program->profile & ~(fanin_profile)FANIN_UNFUSED) >= FANIN_PROFILE_TORCH_2_12;
    fanin_program_require_size(program, "in_channels", layer->in_channels, 0);
    fanin_program_require_size(program, "out_channels", layer->out_channels, 0);
    for (int i = 0; i < kernel_ndim; i++)
        fanin_program_require_size(program, "kernel_size", layer->kernel_size[i], 0);
    fanin_program_require_size(program, "groups", layer->groups, 1);
    int64_t groups = layer->groups > 0 ? layer->groups : 1;
    fanin_program_require(program, layer->in_channels % groups == 0,
                          "in_channels (%" PRId64 ") must be divisible by groups (%" PRId64 ")", layer->in_channels,
                          groups);
    fanin_program_require(program, layer->out_channels % groups == 0,
                          "out_channels (%" PRId64 ") must be divisible by groups (%" PRId64 ")", layer->out_channels,
                          groups);

    int64_t shape[5] = {layer->out_channels, layer->in_channels / groups};
    if (transposed) {
        shape[0] = layer->in_channels;
        shape[1] = layer->out_channels / groups;
    }
    for (int i = 0; i < kernel_ndim; i++)
        shape[2 + i] = layer->kernel_size[i];
    fanin_program_once(program);
    size_t weight = fanin_program_add(program, (fanin_slot_name){"", "weight", "weight"}, 2 + kernel_ndim, shape);
    program->slots[weight].layout = transposed ? FANIN_LAYOUT_TRANSPOSED : FANIN_LAYOUT_OUT_IN;
    program->slots[weight].is_drawn_contiguous = is_newer;
    draw_weight(program, weight);
    if (layer->bias) {
        size_t bias = fanin_program_add(program, (fanin_slot_name){"", "bias", "bias"}, 1, &layer->out_channels);
        double bound = bias_bound(program, weight);
        if (bound > 0 || is_newer)
            fanin_program_uniform(program, bias, bound);
        else
            fanin_program_constant(program, bias, 0);
    }
}

void fanin_describe_conv(fanin_program *program)
{
    describe_conv(program, program->variant, false);
}

void fanin_describe_conv_transpose(fanin_program *program)
{
    describe_conv(program, program->variant, true);
}

void fanin_describe_embedding(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    int64_t n = layer->num_embeddings, row = layer->padding_idx;
    fanin_program_require_size(program, "num_embeddings", n, 0);
    fanin_program_require_size(program, "embedding_dim", layer->embedding_dim, 0);
    if (layer->has_padding_idx)
        fanin_program_require(program, n >= 0 && row >= -n && row < n,
                              "padding_idx is %" PRId64 "; it must be from -num_embeddings to num_embeddings - 1 "
                              "(num_embeddings is %" PRId64 ")",
                              row, n);
    fanin_program_once(program);
    size_t weight = fanin_program_add(program, (fanin_slot_name){"", "weight", "embedding"}, 2,
                                      (int64_t[]){n, layer->embedding_dim});
    fanin_program_normal(program, weight, 0, 1);
    if (layer->has_padding_idx && program->status == FANIN_OK)
        fanin_program_zero_rows(program, weight, row < 0 ? n + row : row, (row < 0 ? n + row : row) + 1);
}

/* Weight 1 and bias 0, as all normalizations begin. */
static void add_norm(fanin_program *program, const char *prefix, int ndim, const int64_t *shape, bool bias)
{
    fanin_program_constant(
        program, fanin_program_add(program, (fanin_slot_name){prefix, "weight", "norm_weight"}, ndim, shape), 1);
    if (bias)
        fanin_program_constant(
            program, fanin_program_add(program, (fanin_slot_name){prefix, "bias", "norm_bias"}, ndim, shape), 0);
}

void fanin_program_layer_norm(fanin_program *program, const char *prefix, int64_t size, bool bias)
{
    add_norm(program, prefix, 1, &size, bias);
}

void fanin_describe_batch_norm(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    const int64_t *n = &layer->num_features;
    fanin_program_require_size(program, "num_features", *n, 0);
    fanin_program_once(program);
    if (layer->affine)
        add_norm(program, "", 1, n, layer->bias);
    if (!layer->track_running_stats)
        return;
    static const struct {
        const char *name;
        int ndim;
        double value;
    } buffers[] = {{"running_mean", 1, 0}, {"running_var", 1, 1}, {"num_batches_tracked", 0, 0}};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        const char *name = buffers[i].name;
        size_t slot = fanin_program_add(program, (fanin_slot_name){"", name, name}, buffers[i].ndim, n);
        program->slots[slot].is_buffer = true;
        if (buffers[i].ndim == 0)
            program->slots[slot].view.dtype = FANIN_I64;
        fanin_program_constant(program, slot, buffers[i].value);
    }
}

static void describe_normalized_shape(fanin_program *program, bool bias)
{
    const fanin_layer *layer = program->layer;
    int ndim = layer->normalized_ndim;
    if (!fanin_program_require(program, ndim >= 1 && ndim <= FANIN_MAX_DIMS,
                               "normalized_shape must have 1 to %d sizes (normalized_ndim is %d)", FANIN_MAX_DIMS,
                               ndim))
        return;
    for (int i = 0; i < ndim; i++)
        fanin_program_require_size(program, "normalized_shape", layer->normalized_shape[i], 0);
    fanin_program_once(program);
    if (layer->affine)
        add_norm(program, "", ndim, layer->normalized_shape, bias);
}

void fanin_describe_layer_norm(fanin_program *program)
{
    describe_normalized_shape(program, program->layer->bias);
}

void fanin_describe_rms_norm(fanin_program *program)
{
    describe_normalized_shape(program, false);
}

void fanin_describe_group_norm(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "num_features (num_channels)", layer->num_features, 0);
    fanin_program_require_size(program, "groups (num_groups)", layer->groups, 1);
    fanin_program_require(program, layer->groups < 1 || layer->num_features % layer->groups == 0,
                          "num_channels (%" PRId64 ") must be divisible by num_groups (%" PRId64 ")",
                          layer->num_features, layer->groups);
    fanin_program_once(program);
    if (layer->affine)
        add_norm(program, "", 1, &layer->num_features, layer->bias);
}

void fanin_describe_prelu(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "num_features (num_parameters)", layer->num_features, 0);
    fanin_program_once(program);
    fanin_program_constant(
        program, fanin_program_add(program, (fanin_slot_name){"", "weight", "slope"}, 1, &layer->num_features),
        layer->init);
}
