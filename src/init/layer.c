/* SPDX-License-Identifier: MIT */
/*
 * Modules of torch.nn by kind: the table of kinds, their default arguments, and their parameters and steps.
 */
#include <inttypes.h>
#include <string.h>

#include "init/layer_program.h"

/* A kind's name, the function that describes it, and what tells it from the other kinds of that function. */
static const struct {
    const char *name;
    void (*describe)(fanin_program *program);
    int variant;
} kinds[FANIN_LAYER_KIND_COUNT] = {
    [FANIN_LAYER_LINEAR] = {"linear", fanin_describe_linear, 0},
    [FANIN_LAYER_BILINEAR] = {"bilinear", fanin_describe_bilinear, 0},
    [FANIN_LAYER_CONV1D] = {"conv1d", fanin_describe_conv, 1},
    [FANIN_LAYER_CONV2D] = {"conv2d", fanin_describe_conv, 2},
    [FANIN_LAYER_CONV3D] = {"conv3d", fanin_describe_conv, 3},
    [FANIN_LAYER_CONV_TRANSPOSE1D] = {"conv_transpose1d", fanin_describe_conv_transpose, 1},
    [FANIN_LAYER_CONV_TRANSPOSE2D] = {"conv_transpose2d", fanin_describe_conv_transpose, 2},
    [FANIN_LAYER_CONV_TRANSPOSE3D] = {"conv_transpose3d", fanin_describe_conv_transpose, 3},
    [FANIN_LAYER_EMBEDDING] = {"embedding", fanin_describe_embedding, 0},
    [FANIN_LAYER_RNN] = {"rnn", fanin_describe_recurrent, 1},
    [FANIN_LAYER_LSTM] = {"lstm", fanin_describe_recurrent, 4},
    [FANIN_LAYER_GRU] = {"gru", fanin_describe_recurrent, 3},
    [FANIN_LAYER_RNN_CELL] = {"rnn_cell", fanin_describe_cell, 1},
    [FANIN_LAYER_LSTM_CELL] = {"lstm_cell", fanin_describe_cell, 4},
    [FANIN_LAYER_GRU_CELL] = {"gru_cell", fanin_describe_cell, 3},
    [FANIN_LAYER_MULTIHEAD_ATTENTION] = {"multihead_attention", fanin_describe_attention, 0},
    [FANIN_LAYER_TRANSFORMER_ENCODER_LAYER] = {"transformer_encoder_layer", fanin_describe_transformer_layer, 0},
    [FANIN_LAYER_TRANSFORMER_DECODER_LAYER] = {"transformer_decoder_layer", fanin_describe_transformer_layer, 1},
    [FANIN_LAYER_TRANSFORMER_ENCODER] = {"transformer_encoder", fanin_describe_transformer_stack, 0},
    [FANIN_LAYER_TRANSFORMER_DECODER] = {"transformer_decoder", fanin_describe_transformer_stack, 1},
    [FANIN_LAYER_TRANSFORMER] = {"transformer", fanin_describe_transformer, 0},
    [FANIN_LAYER_BATCH_NORM] = {"batch_norm", fanin_describe_batch_norm, 0},
    [FANIN_LAYER_LAYER_NORM] = {"layer_norm", fanin_describe_layer_norm, 0},
    [FANIN_LAYER_GROUP_NORM] = {"group_norm", fanin_describe_group_norm, 0},
    [FANIN_LAYER_RMS_NORM] = {"rms_norm", fanin_describe_rms_norm, 0},
    [FANIN_LAYER_PRELU] = {"prelu", fanin_describe_prelu, 0},
};

static bool is_kind(fanin_layer_kind kind)
{
    return (unsigned)kind > FANIN_LAYER_NONE && (unsigned)kind < FANIN_LAYER_KIND_COUNT;
}

const char *fanin_layer_kind_name(fanin_layer_kind kind)
{
    return is_kind(kind) ? kinds[kind].name : "none";
}

fanin_layer_kind fanin_layer_kind_from_name(const char *name)
{
    for (int kind = FANIN_LAYER_NONE + 1; kind < FANIN_LAYER_KIND_COUNT; kind++)
        if (strcmp(kinds[kind].name, name) == 0)
            return (fanin_layer_kind)kind;
    return FANIN_LAYER_NONE;
}

fanin_layer fanin_layer_default(fanin_layer_kind kind)
{
    const bool is_transformer = kind == FANIN_LAYER_TRANSFORMER;
    const bool is_stack = kind == FANIN_LAYER_TRANSFORMER_ENCODER || kind == FANIN_LAYER_TRANSFORMER_DECODER;
    return (fanin_layer){
        .size = sizeof(fanin_layer),
        .kind = kind,
        .dtype = FANIN_F32,
        .bias = true,
        .in_features = -1,
        .out_features = -1,
        .in2_features = -1,
        .in_channels = -1,
        .out_channels = -1,
        .kernel_size = {-1, -1, -1},
        .groups = 1,
        .num_embeddings = -1,
        .embedding_dim = -1,
        .input_size = -1,
        .hidden_size = -1,
        .num_layers = is_stack ? -1 : 1,
        .embed_dim = is_transformer ? 512 : -1,
        .num_heads = is_transformer ? 8 : 1,
        .dim_feedforward = 2048,
        .num_encoder_layers = 6,
        .num_decoder_layers = 6,
        .num_features = kind == FANIN_LAYER_PRELU ? 1 : -1,
        .affine = true,
        .track_running_stats = true,
        .init = 0.25,
    };
}

static bool is_floating(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_DTYPE_NONE:
    case FANIN_BOOL:
    case FANIN_U8:
    case FANIN_I8:
    case FANIN_I16:
    case FANIN_U16:
    case FANIN_I32:
    case FANIN_U32:
    case FANIN_I64:
    case FANIN_U64:
        return false;
    default:
        return (unsigned)dtype < FANIN_DTYPE_COUNT;
    }
}

fanin_status fanin_program_build(const fanin_layer *layer, fanin_profile profile, fanin_program *program,
                                 fanin_error *error)
{
    memset(program, 0, sizeof *program);
    program->layer = layer;
    program->profile = profile;
    fanin_clear(error);
    if (layer->size != sizeof *layer)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "a layer of another version of fanin (its size is %zu, not %zu); begin with "
                          "fanin_layer_default",
                          layer->size, sizeof *layer);
    if (!is_kind(layer->kind))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no layer of kind %d", (int)layer->kind);
    if (!is_floating(layer->dtype))
        return fanin_fail(error, FANIN_ERROR_DTYPE, "%s: parameters of layers are floating-point numbers, not %s",
                          kinds[layer->kind].name, fanin_dtype_name(layer->dtype));
    program->variant = kinds[layer->kind].variant;
    kinds[layer->kind].describe(program);
    if (fanin_program_count(program) != FANIN_OK && error != NULL)
        *error = program->error;
    return program->status;
}

fanin_status fanin_layer_parameter_count(const fanin_layer *layer, size_t *count, fanin_error *error)
{
    fanin_program program;
    FANIN_TRY(fanin_program_build(layer, FANIN_PROFILE_TORCH, &program, error));
    *count = (size_t)program.nparameters;
    return FANIN_OK;
}

fanin_status fanin_layer_parameter_at(const fanin_layer *layer, size_t i, fanin_layer_parameter *parameter,
                                      fanin_error *error)
{
    fanin_program program;
    FANIN_TRY(fanin_program_build(layer, FANIN_PROFILE_TORCH, &program, error));
    if (i >= program.nparameters)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: there is no parameter %zu, only %" PRIu64,
                          kinds[layer->kind].name, i, program.nparameters);
    fanin_program_parameter(&program, i, parameter);
    return FANIN_OK;
}

fanin_status fanin_layer_step_count(const fanin_layer *layer, size_t *count, fanin_error *error)
{
    fanin_program program;
    FANIN_TRY(fanin_program_build(layer, FANIN_PROFILE_TORCH, &program, error));
    *count = (size_t)program.nsteps;
    return FANIN_OK;
}

fanin_status fanin_layer_step_at(const fanin_layer *layer, size_t i, fanin_layer_step *step, fanin_error *error)
{
    fanin_program program;
    FANIN_TRY(fanin_program_build(layer, FANIN_PROFILE_TORCH, &program, error));
    if (i >= program.nsteps)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: there is no step %zu, only %" PRIu64,
                          kinds[layer->kind].name, i, program.nsteps);
    fanin_program_step(&program, i, step);
    return FANIN_OK;
}
