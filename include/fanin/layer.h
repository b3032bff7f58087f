/* SPDX-License-Identifier: MIT */
/*
 * What the constructors of torch.nn modules do to their parameters: which there are, with what shape, and what is
 * drawn for each in which order.
 */
#ifndef FANIN_LAYER_H
#define FANIN_LAYER_H

#include "fanin/fill.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fanin_layer_kind {
    FANIN_LAYER_NONE = 0,
    FANIN_LAYER_LINEAR,
    FANIN_LAYER_BILINEAR,
    FANIN_LAYER_CONV1D,
    FANIN_LAYER_CONV2D,
    FANIN_LAYER_CONV3D,
    FANIN_LAYER_CONV_TRANSPOSE1D,
    FANIN_LAYER_CONV_TRANSPOSE2D,
    FANIN_LAYER_CONV_TRANSPOSE3D,
    FANIN_LAYER_EMBEDDING,
    FANIN_LAYER_RNN,
    FANIN_LAYER_LSTM,
    FANIN_LAYER_GRU,
    FANIN_LAYER_RNN_CELL,
    FANIN_LAYER_LSTM_CELL,
    FANIN_LAYER_GRU_CELL,
    FANIN_LAYER_MULTIHEAD_ATTENTION,
    FANIN_LAYER_TRANSFORMER_ENCODER_LAYER,
    FANIN_LAYER_TRANSFORMER_DECODER_LAYER,
    FANIN_LAYER_TRANSFORMER_ENCODER, /* num_layers copies of one encoder layer: equal weights, as torch makes them */
    FANIN_LAYER_TRANSFORMER_DECODER,
    FANIN_LAYER_TRANSFORMER,
    FANIN_LAYER_BATCH_NORM, /* 1-3d; affine and running statistics */
    FANIN_LAYER_LAYER_NORM,
    FANIN_LAYER_GROUP_NORM,
    FANIN_LAYER_RMS_NORM,
    FANIN_LAYER_PRELU,
    FANIN_LAYER_KIND_COUNT
} fanin_layer_kind;

/*
 * The constructor's arguments under torch's names. Begin with fanin_layer_default(kind), which sets torch's defaults
 * and -1 where torch has none; then set what the kind needs. Fields a kind does not have are ignored.
 */
typedef struct fanin_layer {
    size_t size; /* sizeof(fanin_layer), set by fanin_layer_default */
    fanin_layer_kind kind;
    fanin_dtype dtype;                        /* f32 */
    bool bias;                                /* true */
    int64_t in_features, out_features;        /* linear; bilinear: in1_features, and in2_features below */
    int64_t in2_features;                     /* bilinear */
    int64_t in_channels, out_channels;        /* conv */
    int64_t kernel_size[3];                   /* conv: the first 1, 2 or 3 */
    int64_t groups;                           /* conv: 1; group_norm: its num_groups, which must divide num_features */
    int64_t num_embeddings;                   /* embedding */
    int64_t embedding_dim;                    /* embedding */
    bool has_padding_idx;                     /* embedding: false */
    int64_t padding_idx;                      /* embedding: may be negative */
    int64_t input_size, hidden_size;          /* recurrent */
    int64_t num_layers;                       /* recurrent: 1; transformer_encoder, transformer_decoder */
    int64_t proj_size;                        /* lstm: 0 */
    bool bidirectional;                       /* recurrent: false */
    int64_t embed_dim;                        /* multihead_attention; d_model of the transformers (transformer: 512) */
    int64_t num_heads;                        /* must divide embed_dim; 1 (transformer: 8) */
    int64_t kdim, vdim;                       /* multihead_attention: 0 is embed_dim */
    bool add_bias_kv;                         /* multihead_attention: false */
    int64_t dim_feedforward;                  /* transformers: 2048 */
    int64_t num_encoder_layers;               /* transformer: 6 */
    int64_t num_decoder_layers;               /* transformer: 6 */
    int64_t num_features;                     /* batch_norm; num_channels of group_norm; num_parameters of prelu (1) */
    int64_t normalized_shape[FANIN_MAX_DIMS]; /* layer_norm, rms_norm */
    int32_t normalized_ndim;
    bool affine;              /* norms: true (elementwise_affine) */
    bool track_running_stats; /* batch_norm: true */
    double init;              /* prelu: 0.25 */
} fanin_layer;

FANIN_API fanin_layer fanin_layer_default(fanin_layer_kind kind);
FANIN_API const char *fanin_layer_kind_name(fanin_layer_kind kind); /* "conv2d", "multihead_attention" */
FANIN_API fanin_layer_kind fanin_layer_kind_from_name(const char *name);

/* A parameter or buffer, in state_dict order. */
#define FANIN_MAX_PARAMETER_NAME 128
typedef struct fanin_layer_parameter {
    char name[FANIN_MAX_PARAMETER_NAME]; /* "weight", "layers.3.self_attn.in_proj_weight" */
    fanin_dtype dtype;                   /* the layer's; i64 for batch_norm's num_batches_tracked */
    int32_t ndim;
    int64_t shape[FANIN_MAX_DIMS];
    bool is_buffer;
    fanin_layout layout; /* what the axes are; conv_transpose: TRANSPOSED. torch's own functions read all as OUT_IN */
    /*
     * What kind of thing it is: "weight", "bias", "embedding", "slope" (prelu); weight_ih, weight_hh, weight_hr,
     * bias_ih, bias_hh; in_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight, in_proj_bias, bias_k, bias_v;
     * norm_weight, norm_bias, running_mean, running_var, num_batches_tracked.
     */
    const char *role;
} fanin_layer_parameter;

/* Checks the arguments as torch's constructor does and counts parameters and buffers. */
FANIN_API fanin_status fanin_layer_parameter_count(const fanin_layer *layer, size_t *count, fanin_error *error);
FANIN_API fanin_status fanin_layer_parameter_at(const fanin_layer *layer, size_t i, fanin_layer_parameter *parameter,
                                                fanin_error *error);

/*
 * One step of a constructor: rows [row_begin, row_end) of a parameter (row_end -1: all of it) get a fill, or become a
 * copy of what an earlier step made in another parameter (deep copies draw nothing).
 */
typedef struct fanin_layer_step {
    size_t parameter; /* SIZE_MAX: of a layer that is thrown away (a stack of 0 layers): it draws, and that is all */
    int64_t row_begin;
    int64_t row_end;
    int64_t nelem; /* elements it fills */
    fanin_fill fill;
    int64_t copy_of_step; /* -1, or the index of the step with this fill whose result it repeats */
} fanin_layer_step;
FANIN_API fanin_status fanin_layer_step_count(const fanin_layer *layer, size_t *count, fanin_error *error);
FANIN_API fanin_status fanin_layer_step_at(const fanin_layer *layer, size_t i, fanin_layer_step *step,
                                           fanin_error *error);

/*
 * What the constructor does, on memory of the caller: parameters[i] is the view of parameter i (shapes and dtypes are
 * checked). Same seed, same bytes, same generator afterwards as torch; views with other strides as reset_parameters()
 * fills them. On failure nothing was written or drawn.
 */
FANIN_API fanin_status fanin_layer_init(const fanin_layer *layer, const fanin_tensor *parameters, size_t nparameters,
                                        fanin_generator *generator, fanin_error *error);

/* The common ones as one call each; bias may be NULL where the module can be without. */
FANIN_API fanin_status fanin_linear(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                                    fanin_error *error);
FANIN_API fanin_status fanin_bilinear(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                                      fanin_error *error);
/* weight [out, in / groups, kernel...] (transposed: [in, out / groups, kernel...]), 1 to 3 kernel dimensions. */
FANIN_API fanin_status fanin_conv(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                                  fanin_error *error);
FANIN_API fanin_status fanin_conv_transpose(const fanin_tensor *weight, const fanin_tensor *bias,
                                            fanin_generator *generator, fanin_error *error);
/* padding_idx: NULL for none. */
FANIN_API fanin_status fanin_embedding(const fanin_tensor *weight, const int64_t *padding_idx,
                                       fanin_generator *generator, fanin_error *error);
/* RNN, LSTM, GRU and their cells: their parameters in torch's order, any number; hidden_size decides the bound. */
FANIN_API fanin_status fanin_recurrent(const fanin_tensor *parameters, size_t nparameters, int64_t hidden_size,
                                       fanin_generator *generator, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
