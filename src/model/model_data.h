/* SPDX-License-Identifier: MIT */
/*
 * What a model holds, for the code that makes models and for plans.
 */
#ifndef FANIN_MODEL_MODEL_DATA_H
#define FANIN_MODEL_MODEL_DATA_H

#include "base/text.h"
#include "fanin/checkpoint.h"
#include "fanin/model.h"
#include "recipe/recipe.h"

/* More than the largest models have (about a hundred thousand), few enough to refuse before memory runs out. */
#define FANIN_MODEL_MAX_TENSORS 4000000

typedef struct fanin_model_entry {
    fanin_model_tensor tensor;
    size_t layer;     /* SIZE_MAX: a bare tensor */
    size_t parameter; /* of the layer */
    size_t tied;      /* the entry it is another name of; SIZE_MAX */
    bool is_buffer;
} fanin_model_entry;

/* A layer's parameters are the entries first, first + 1 ... in the order of fanin_layer_parameter_at. */
typedef struct fanin_model_layer {
    fanin_layer layer;
    size_t first;
    size_t count;
    const char *where;
} fanin_model_layer;

struct fanin_model {
    fanin_arena arena;
    fanin_model_entry *entries;
    size_t count;
    size_t capacity;
    fanin_model_layer *layers;
    size_t nlayers;
    size_t layers_capacity;
    fanin_rules rules;
    bool construct;     /* every layer is constructed before the rules are applied */
    const char *family; /* of a config.json; NULL */
    char *config;       /* its text; NULL */
    char *spec;         /* the text this model was made from */
};

/* Text that fanin_model_parse reads in the end is always a spec: what comes from elsewhere is first written as one. */
fanin_status fanin_spec_parse(const char *text, size_t nbytes, const char *name, size_t max_tensors,
                              fanin_model **model, fanin_error *error);
/* fanin_model_parse with another limit. */
fanin_status fanin_description_parse(const char *text, size_t nbytes, const char *name, size_t max_tensors,
                                     fanin_model **model, fanin_error *error);
/* Writes a config.json as a spec. *family is a constant. */
fanin_status fanin_config_expand(const fanin_json_document *document, fanin_text *spec, const char **family,
                                 fanin_error *error);
/* Writes names, shapes and dtypes as a spec without rules. */
fanin_status fanin_shapes_expand(const fanin_checkpoint *checkpoint, fanin_text *spec, fanin_error *error);

/* A layer from {"linear": [2, 3]}: `value` is what stands behind the kind. */
fanin_status fanin_layer_read(const fanin_scope *scope, const fanin_json_document *document, fanin_layer_kind kind,
                              const fanin_json *value, fanin_dtype dtype, fanin_layer *layer, fanin_error *error);
/* The kind a key of a tensor entry stands for, short spellings too ("batchnorm"). */
fanin_layer_kind fanin_layer_key(const char *key);

#endif
