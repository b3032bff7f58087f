/* SPDX-License-Identifier: MIT */
/*
 * Layers in a description: {"linear": [784, 256]} or torch's argument names, for every kind that layer.h has.
 */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/model_data.h"

enum argument_kind {
    ARGUMENT_SIZE, /* a whole number >= 0 */
    ARGUMENT_BOOL,
    ARGUMENT_NUMBER,
    ARGUMENT_KERNEL, /* one size for all dimensions, or one each */
    ARGUMENT_SHAPE,  /* one size, or a list */
    ARGUMENT_PADDING /* an index that may be negative, or null */
};

struct argument {
    const char *name; /* torch's; NULL ends the list */
    const char *alias;
    enum argument_kind kind;
    size_t offset;
};

#define MAX_ARGUMENTS 9
#define AT(field)     offsetof(fanin_layer, field)

/* Arguments in torch's order. The first nrequired must be given; the first npositional may stand in a list. */
struct signature {
    fanin_layer_kind kind;
    const char *alias;
    unsigned nrequired;
    unsigned npositional;
    struct argument arguments[MAX_ARGUMENTS + 1];
};

#define CONV                                                                                                           \
    {                                                                                                                  \
        {"in_channels", "in", ARGUMENT_SIZE, AT(in_channels)},                                                         \
            {"out_channels", "out", ARGUMENT_SIZE, AT(out_channels)},                                                  \
            {"kernel_size", "k", ARGUMENT_KERNEL, AT(kernel_size)}, {"groups", NULL, ARGUMENT_SIZE, AT(groups)},       \
            {"bias", NULL, ARGUMENT_BOOL, AT(bias)},                                                                   \
    }
#define RECURRENT                                                                                                      \
    {"input_size", NULL, ARGUMENT_SIZE, AT(input_size)}, {"hidden_size", NULL, ARGUMENT_SIZE, AT(hidden_size)},        \
        {"num_layers", NULL, ARGUMENT_SIZE, AT(num_layers)}, {"bias", NULL, ARGUMENT_BOOL, AT(bias)},                  \
    {                                                                                                                  \
        "bidirectional", NULL, ARGUMENT_BOOL, AT(bidirectional)                                                        \
    }
#define CELL                                                                                                           \
    {                                                                                                                  \
        {"input_size", NULL, ARGUMENT_SIZE, AT(input_size)}, {"hidden_size", NULL, ARGUMENT_SIZE, AT(hidden_size)},    \
            {"bias", NULL, ARGUMENT_BOOL, AT(bias)},                                                                   \
    }
#define TRANSFORMER_SIZES                                                                                              \
    {"d_model", NULL, ARGUMENT_SIZE, AT(embed_dim)},                                                                   \
    {                                                                                                                  \
        "nhead", NULL, ARGUMENT_SIZE, AT(num_heads)                                                                    \
    }
#define TRANSFORMER_REST                                                                                               \
    {"dim_feedforward", NULL, ARGUMENT_SIZE, AT(dim_feedforward)},                                                     \
    {                                                                                                                  \
        "bias", NULL, ARGUMENT_BOOL, AT(bias)                                                                          \
    }

static const struct signature signatures[] = {
    {FANIN_LAYER_LINEAR,
     NULL,
     2,
     2,
     {{"in_features", "in", ARGUMENT_SIZE, AT(in_features)},
      {"out_features", "out", ARGUMENT_SIZE, AT(out_features)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)}}},
    {FANIN_LAYER_BILINEAR,
     NULL,
     3,
     3,
     {{"in1_features", "in1", ARGUMENT_SIZE, AT(in_features)},
      {"in2_features", "in2", ARGUMENT_SIZE, AT(in2_features)},
      {"out_features", "out", ARGUMENT_SIZE, AT(out_features)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)}}},
    {FANIN_LAYER_CONV1D, NULL, 3, 3, CONV},
    {FANIN_LAYER_CONV2D, NULL, 3, 3, CONV},
    {FANIN_LAYER_CONV3D, NULL, 3, 3, CONV},
    {FANIN_LAYER_CONV_TRANSPOSE1D, NULL, 3, 3, CONV},
    {FANIN_LAYER_CONV_TRANSPOSE2D, NULL, 3, 3, CONV},
    {FANIN_LAYER_CONV_TRANSPOSE3D, NULL, 3, 3, CONV},
    {FANIN_LAYER_EMBEDDING,
     NULL,
     2,
     2,
     {{"num_embeddings", NULL, ARGUMENT_SIZE, AT(num_embeddings)},
      {"embedding_dim", NULL, ARGUMENT_SIZE, AT(embedding_dim)},
      {"padding_idx", NULL, ARGUMENT_PADDING, AT(padding_idx)}}},
    {FANIN_LAYER_RNN, NULL, 2, 3, {RECURRENT}},
    {FANIN_LAYER_LSTM, NULL, 2, 3, {RECURRENT, {"proj_size", NULL, ARGUMENT_SIZE, AT(proj_size)}}},
    {FANIN_LAYER_GRU, NULL, 2, 3, {RECURRENT}},
    {FANIN_LAYER_RNN_CELL, NULL, 2, 2, CELL},
    {FANIN_LAYER_LSTM_CELL, NULL, 2, 2, CELL},
    {FANIN_LAYER_GRU_CELL, NULL, 2, 2, CELL},
    {FANIN_LAYER_MULTIHEAD_ATTENTION,
     NULL,
     2,
     2,
     {{"embed_dim", NULL, ARGUMENT_SIZE, AT(embed_dim)},
      {"num_heads", NULL, ARGUMENT_SIZE, AT(num_heads)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)},
      {"add_bias_kv", NULL, ARGUMENT_BOOL, AT(add_bias_kv)},
      {"kdim", NULL, ARGUMENT_SIZE, AT(kdim)},
      {"vdim", NULL, ARGUMENT_SIZE, AT(vdim)}}},
    {FANIN_LAYER_TRANSFORMER_ENCODER_LAYER, NULL, 2, 2, {TRANSFORMER_SIZES, TRANSFORMER_REST}},
    {FANIN_LAYER_TRANSFORMER_DECODER_LAYER, NULL, 2, 2, {TRANSFORMER_SIZES, TRANSFORMER_REST}},
    {FANIN_LAYER_TRANSFORMER_ENCODER,
     NULL,
     3,
     3,
     {TRANSFORMER_SIZES, {"num_layers", NULL, ARGUMENT_SIZE, AT(num_layers)}, TRANSFORMER_REST}},
    {FANIN_LAYER_TRANSFORMER_DECODER,
     NULL,
     3,
     3,
     {TRANSFORMER_SIZES, {"num_layers", NULL, ARGUMENT_SIZE, AT(num_layers)}, TRANSFORMER_REST}},
    {FANIN_LAYER_TRANSFORMER,
     NULL,
     0,
     4,
     {TRANSFORMER_SIZES,
      {"num_encoder_layers", NULL, ARGUMENT_SIZE, AT(num_encoder_layers)},
      {"num_decoder_layers", NULL, ARGUMENT_SIZE, AT(num_decoder_layers)},
      TRANSFORMER_REST}},
    {FANIN_LAYER_BATCH_NORM,
     "batchnorm",
     1,
     1,
     {{"num_features", "n", ARGUMENT_SIZE, AT(num_features)},
      {"affine", NULL, ARGUMENT_BOOL, AT(affine)},
      {"track_running_stats", NULL, ARGUMENT_BOOL, AT(track_running_stats)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)}}},
    {FANIN_LAYER_LAYER_NORM,
     "layernorm",
     1,
     0,
     {{"normalized_shape", NULL, ARGUMENT_SHAPE, AT(normalized_shape)},
      {"elementwise_affine", NULL, ARGUMENT_BOOL, AT(affine)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)}}},
    {FANIN_LAYER_GROUP_NORM,
     "groupnorm",
     2,
     2,
     {{"num_groups", NULL, ARGUMENT_SIZE, AT(groups)},
      {"num_channels", NULL, ARGUMENT_SIZE, AT(num_features)},
      {"affine", NULL, ARGUMENT_BOOL, AT(affine)},
      {"bias", NULL, ARGUMENT_BOOL, AT(bias)}}},
    {FANIN_LAYER_RMS_NORM,
     "rmsnorm",
     1,
     0,
     {{"normalized_shape", NULL, ARGUMENT_SHAPE, AT(normalized_shape)},
      {"elementwise_affine", NULL, ARGUMENT_BOOL, AT(affine)}}},
    {FANIN_LAYER_PRELU,
     NULL,
     0,
     1,
     {{"num_parameters", "n", ARGUMENT_SIZE, AT(num_features)}, {"init", NULL, ARGUMENT_NUMBER, AT(init)}}},
};
#define NSIGNATURES (sizeof signatures / sizeof signatures[0])

_Static_assert(NSIGNATURES == FANIN_LAYER_KIND_COUNT - 1, "every layer kind has its signature");

fanin_layer_kind fanin_layer_key(const char *key)
{
    for (size_t i = 0; i < NSIGNATURES; i++)
        if (signatures[i].alias != NULL && strcmp(signatures[i].alias, key) == 0)
            return signatures[i].kind;
    return fanin_layer_kind_from_name(key);
}

struct reader {
    const fanin_scope *scope;
    const fanin_json_document *document;
    fanin_layer *layer;
    fanin_error *error;
};

static unsigned kernel_ndim(fanin_layer_kind kind)
{
    switch (kind) {
    case FANIN_LAYER_CONV1D:
    case FANIN_LAYER_CONV_TRANSPOSE1D:
        return 1;
    case FANIN_LAYER_CONV2D:
    case FANIN_LAYER_CONV_TRANSPOSE2D:
        return 2;
    default:
        return 3;
    }
}

static fanin_status read_sizes(struct reader *r, const fanin_json *value, const char *what, int64_t least,
                               int64_t *sizes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const fanin_json *item = value->kind == FANIN_JSON_ARRAY ? &value->items[i] : value;
        FANIN_TRY(fanin_scope_integer(r->scope, r->document, item, what, least, &sizes[i], r->error));
    }
    return FANIN_OK;
}

static fanin_status read_argument(struct reader *r, const struct argument *argument, const fanin_json *value)
{
    char *field = (char *)r->layer + argument->offset;
    bool is_list = value->kind == FANIN_JSON_ARRAY;
    switch (argument->kind) {
    case ARGUMENT_SIZE:
        return fanin_scope_integer(r->scope, r->document, value, argument->name, 0, (int64_t *)(void *)field, r->error);
    case ARGUMENT_BOOL:
        FANIN_TRY(fanin_json_expect(r->document, value, FANIN_JSON_BOOL, argument->name, r->error));
        *(bool *)field = value->boolean;
        return FANIN_OK;
    case ARGUMENT_NUMBER:
        return fanin_scope_number(r->scope, r->document, value, argument->name, (double *)(void *)field, r->error);
    case ARGUMENT_KERNEL:
        if (is_list && value->count != kernel_ndim(r->layer->kind))
            return fanin_json_fail(r->document, value, r->error, "%s of a %s must be one size or a list of %u",
                                   argument->name, fanin_layer_kind_name(r->layer->kind), kernel_ndim(r->layer->kind));
        return read_sizes(r, value, argument->name, 1, r->layer->kernel_size, kernel_ndim(r->layer->kind));
    case ARGUMENT_SHAPE:
        if (is_list && (value->count == 0 || value->count > FANIN_MAX_DIMS))
            return fanin_json_fail(r->document, value, r->error, "%s must have 1 to %d sizes", argument->name,
                                   FANIN_MAX_DIMS);
        r->layer->normalized_ndim = is_list ? (int32_t)value->count : 1;
        return read_sizes(r, value, argument->name, 0, r->layer->normalized_shape, is_list ? value->count : 1);
    case ARGUMENT_PADDING:
        if (value->kind == FANIN_JSON_NULL)
            return FANIN_OK;
        r->layer->has_padding_idx = true;
        return fanin_scope_integer(r->scope, r->document, value, argument->name, INT64_MIN, &r->layer->padding_idx,
                                   r->error);
    }
    return FANIN_OK;
}

/* {"in": 3, "out": 32, "k": 3} */
static fanin_status read_named(struct reader *r, const struct signature *signature, const fanin_json *value)
{
    const char *keys[2 * MAX_ARGUMENTS + 1] = {0};
    size_t nkeys = 0;
    for (const struct argument *argument = signature->arguments; argument->name != NULL; argument++) {
        keys[nkeys++] = argument->name;
        if (argument->alias != NULL)
            keys[nkeys++] = argument->alias;
    }
    FANIN_TRY(fanin_keys_check(r->document, value, keys, fanin_layer_kind_name(signature->kind), r->error));
    for (unsigned i = 0; signature->arguments[i].name != NULL; i++) {
        const struct argument *argument = &signature->arguments[i];
        const fanin_json *full = fanin_json_get(value, argument->name);
        const fanin_json *brief = argument->alias != NULL ? fanin_json_get(value, argument->alias) : NULL;
        if (full != NULL && brief != NULL)
            return fanin_json_fail(r->document, brief, r->error,
                                   "\"%s\" and \"%s\" are the same argument: leave one out", argument->alias,
                                   argument->name);
        if (full == NULL && brief == NULL) {
            if (i < signature->nrequired)
                return fanin_json_fail(r->document, value, r->error, "a %s needs \"%s\"",
                                       fanin_layer_kind_name(signature->kind), argument->name);
            continue;
        }
        FANIN_TRY(read_argument(r, argument, full != NULL ? full : brief));
    }
    return FANIN_OK;
}

/* [3, 32, 3]; one number where one argument says it all */
static fanin_status read_positional(struct reader *r, const struct signature *signature, const fanin_json *value)
{
    const fanin_json *items = value;
    size_t n = 1;
    if (value->kind == FANIN_JSON_ARRAY && signature->npositional > 0) {
        items = value->items;
        n = value->count;
    }
    if (n < signature->nrequired || n > (signature->npositional > 0 ? signature->npositional : 1)) {
        fanin_text names = {0};
        for (unsigned i = 0; i < signature->npositional; i++)
            fanin_text_format(&names, "%s%s", i == 0 ? "" : ", ", signature->arguments[i].name);
        fanin_status status =
            fanin_json_fail(r->document, value, r->error, "write a %s as [%s], or as an object with these keys",
                            fanin_layer_kind_name(signature->kind), names.data != NULL ? names.data : "");
        fanin_text_release(&names);
        return status;
    }
    for (size_t i = 0; i < n; i++)
        FANIN_TRY(read_argument(r, &signature->arguments[i], &items[i]));
    return FANIN_OK;
}

fanin_status fanin_layer_read(const fanin_scope *scope, const fanin_json_document *document, fanin_layer_kind kind,
                              const fanin_json *value, fanin_dtype dtype, fanin_layer *layer, fanin_error *error)
{
    const struct signature *signature = signatures;
    while (signature->kind != kind)
        signature++;
    *layer = fanin_layer_default(kind);
    layer->dtype = dtype;
    struct reader r = {scope, document, layer, error};
    return value->kind == FANIN_JSON_OBJECT ? read_named(&r, signature, value) : read_positional(&r, signature, value);
}
