/* SPDX-License-Identifier: MIT */
/*
 * MultiheadAttention and the transformers made of it, whose stacks are deep copies of one layer.
 */
#include <inttypes.h>

#include "init/catalogue.h"
#include "init/layer_program.h"

static void draw_xavier(fanin_program *program, size_t slot, const fanin_initializer *initializer)
{
    fanin_program_call(program, slot, initializer, (double[]){1.0});
}

static void require_heads(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "embed_dim", layer->embed_dim, 1);
    fanin_program_require_size(program, "num_heads", layer->num_heads, 1);
    if (program->status == FANIN_OK)
        fanin_program_require(program, layer->embed_dim % layer->num_heads == 0,
                              "embed_dim (%" PRId64 ") must be divisible by num_heads (%" PRId64 ")", layer->embed_dim,
                              layer->num_heads);
    fanin_program_require(program, layer->embed_dim <= INT64_MAX / 3, "embed_dim %" PRId64 " is too large",
                          layer->embed_dim);
}

/* Names of an attention module where it is a part of another, and of its inner module. */
struct attention_prefix {
    const char *own;
    const char *out_proj;
};
static const struct attention_prefix alone = {"", "out_proj."};
static const struct attention_prefix self_attn = {"self_attn.", "self_attn.out_proj."};
static const struct attention_prefix multihead_attn = {"multihead_attn.", "multihead_attn.out_proj."};

/*
 * The projections of queries, keys and values are one matrix if their sizes are the same. out_proj, an inner module,
 * stands last in the list but is drawn first, when it is constructed; its bias is then overwritten.
 */
static void add_attention(fanin_program *program, struct attention_prefix prefix, int64_t kdim, int64_t vdim,
                          bool add_bias_kv)
{
    const fanin_layer *layer = program->layer;
    int64_t size = layer->embed_dim, rows = 3 * size;
    size_t weights[3] = {0}, nweights = 0, biases[2] = {0}, nbiases = 0, in_proj_bias = 0;
    if (kdim == size && vdim == size) {
        weights[nweights++] = fanin_program_add(
            program, (fanin_slot_name){prefix.own, "in_proj_weight", "in_proj_weight"}, 2, (int64_t[]){rows, size});
    } else {
        static const char *const names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
        const int64_t columns[] = {size, kdim, vdim};
        for (; nweights < 3; nweights++)
            weights[nweights] =
                fanin_program_add(program, (fanin_slot_name){prefix.own, names[nweights], names[nweights]}, 2,
                                  (int64_t[]){size, columns[nweights]});
    }
    if (layer->bias)
        in_proj_bias =
            fanin_program_add(program, (fanin_slot_name){prefix.own, "in_proj_bias", "in_proj_bias"}, 1, &rows);
    if (add_bias_kv) {
        static const char *const names[] = {"bias_k", "bias_v"};
        for (; nbiases < 2; nbiases++)
            biases[nbiases] = fanin_program_add(program, (fanin_slot_name){prefix.own, names[nbiases], names[nbiases]},
                                                3, (int64_t[]){1, 1, size});
    }
    size_t out_proj = fanin_program_linear(program, prefix.out_proj, size, size, layer->bias);
    for (size_t i = 0; i < nweights; i++)
        draw_xavier(program, weights[i], &fanin_initializer_xavier_uniform);
    if (layer->bias) {
        fanin_program_constant(program, in_proj_bias, 0);
        fanin_program_constant(program, out_proj + 1, 0);
    }
    for (size_t i = 0; i < nbiases; i++)
        draw_xavier(program, biases[i], &fanin_initializer_xavier_normal);
}

void fanin_describe_attention(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    require_heads(program);
    fanin_program_require_size(program, "kdim", layer->kdim, 0);
    fanin_program_require_size(program, "vdim", layer->vdim, 0);
    if (program->status != FANIN_OK)
        return;
    fanin_program_once(program);
    add_attention(program, alone, layer->kdim != 0 ? layer->kdim : layer->embed_dim,
                  layer->vdim != 0 ? layer->vdim : layer->embed_dim, layer->add_bias_kv);
}

/* A layer of a decoder has a second attention, and with it a third norm. */
static void add_transformer_layer(fanin_program *program, bool is_decoder)
{
    const fanin_layer *layer = program->layer;
    int64_t size = layer->embed_dim;
    add_attention(program, self_attn, size, size, false);
    if (is_decoder)
        add_attention(program, multihead_attn, size, size, false);
    fanin_program_linear(program, "linear1.", size, layer->dim_feedforward, layer->bias);
    fanin_program_linear(program, "linear2.", layer->dim_feedforward, size, layer->bias);
    fanin_program_layer_norm(program, "norm1.", size, layer->bias);
    fanin_program_layer_norm(program, "norm2.", size, layer->bias);
    if (is_decoder)
        fanin_program_layer_norm(program, "norm3.", size, layer->bias);
}

static bool require_transformer(fanin_program *program)
{
    require_heads(program);
    fanin_program_require_size(program, "dim_feedforward", program->layer->dim_feedforward, 0);
    return program->status == FANIN_OK;
}

void fanin_describe_transformer_layer(fanin_program *program)
{
    if (!require_transformer(program))
        return;
    fanin_program_once(program);
    add_transformer_layer(program, program->variant == 1);
}

/* A stack as it is before its copies are made. Returns its section; its one phase is the last one. */
static size_t add_stack(fanin_program *program, const char *prefix, int64_t nlayers, bool is_decoder)
{
    size_t section = fanin_program_section(program, prefix, FANIN_NUMBER_PREFIX, 0, (uint64_t)nlayers);
    fanin_program_phase(program, section, 0, 1);
    add_transformer_layer(program, is_decoder);
    return section;
}

/* What copies 1, 2 ... of a stack get from `phase`; with vectors_only what is not drawn anew afterwards. */
static void add_copies(fanin_program *program, size_t section, size_t phase, bool vectors_only)
{
    const fanin_section *stack = &program->sections[section];
    fanin_program_phase(program, section, 1, stack->ncopies > 1 ? stack->ncopies - 1 : 0);
    for (size_t slot = stack->slot; slot < stack->slot + stack->nslots; slot++)
        if (!vectors_only || program->slots[slot].view.ndim == 1)
            fanin_program_repeat(program, phase, slot);
}

void fanin_describe_transformer_stack(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "num_layers", layer->num_layers, 0);
    if (!require_transformer(program))
        return;
    size_t section = add_stack(program, "layers.", layer->num_layers, program->variant == 1);
    add_copies(program, section, 0, false);
}

/* All matrices are drawn again in the end, each copy its own; biases stay as the copies have them. */
void fanin_describe_transformer(fanin_program *program)
{
    static const char *const prefixes[][2] = {{"encoder.layers.", "encoder.norm."},
                                              {"decoder.layers.", "decoder.norm."}};
    const fanin_layer *layer = program->layer;
    const int64_t nlayers[] = {layer->num_encoder_layers, layer->num_decoder_layers};
    size_t stacks[2];
    fanin_program_require_size(program, "num_encoder_layers", nlayers[0], 0);
    fanin_program_require_size(program, "num_decoder_layers", nlayers[1], 0);
    if (!require_transformer(program))
        return;
    for (int i = 0; i < 2; i++) {
        stacks[i] = add_stack(program, prefixes[i][0], nlayers[i], i == 1);
        size_t phase = program->nphases - 1;
        fanin_program_phase(program, fanin_program_section(program, prefixes[i][1], FANIN_NUMBER_NONE, 0, 1), 0, 1);
        fanin_program_layer_norm(program, "", layer->embed_dim, layer->bias);
        add_copies(program, stacks[i], phase, true);
    }
    for (int i = 0; i < 2; i++) {
        const fanin_section *stack = &program->sections[stacks[i]];
        fanin_program_phase(program, stacks[i], 0, stack->ncopies);
        for (size_t slot = stack->slot; slot < stack->slot + stack->nslots; slot++)
            if (program->slots[slot].view.ndim > 1)
                draw_xavier(program, slot, &fanin_initializer_xavier_uniform);
    }
}
