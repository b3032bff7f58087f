/* SPDX-License-Identifier: MIT */
/*
 * Models and recipes: which tensors there are, and the rules that say how each one begins.
 */
#ifndef FANIN_MODEL_H
#define FANIN_MODEL_H

#include "fanin/initializer.h"
#include "fanin/layer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Names, shapes, dtypes, ties and layer kinds, in stream order, with the rules its description carries. Immutable. */
typedef struct fanin_model fanin_model;

/* Strings and shapes live as long as the model. */
typedef struct fanin_model_tensor {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    fanin_layout layout;
    int32_t groups;
    const char *tied_to;         /* the tensor this name is another name of; NULL */
    fanin_layer_kind layer_kind; /* FANIN_LAYER_NONE for a bare tensor */
    const char *role;            /* as in fanin_layer_parameter; NULL */
    const char *gates;           /* "i,f,g,o": equal blocks of dimension 0; NULL */
    const char *where;           /* file:line:column of its description */
} fanin_model_tensor;

/*
 * A spec file or a Hugging Face config.json (told apart by content); "-" reads standard input. Errors carry
 * file:line:column. The formats are in docs/spec-format.md.
 */
FANIN_API fanin_status fanin_model_read(const char *path, fanin_model **model, fanin_error *error);
/* The same from memory; `name` stands in messages where the file name would. */
FANIN_API fanin_status fanin_model_parse(const char *text, size_t nbytes, const char *name, fanin_model **model,
                                         fanin_error *error);
/* Names, shapes and dtypes of a checkpoint, in byte order of the names. It carries no rules. */
FANIN_API fanin_status fanin_model_like(const char *checkpoint, fanin_model **model, fanin_error *error);
FANIN_API void fanin_model_free(fanin_model *model);

FANIN_API size_t fanin_model_tensor_count(const fanin_model *model);
FANIN_API const fanin_model_tensor *fanin_model_tensor_at(const fanin_model *model, size_t i);
/* Families of config.json that are expanded: "gpt2", "llama" ... for i < fanin_family_count(). */
FANIN_API size_t fanin_family_count(void);
FANIN_API const char *fanin_family_name(size_t i);
/*
 * "gpt2", "llama" ... when it came from a config.json, else NULL. Such a model has transformers' names, shapes and
 * distributions, not its bits: the order in which transformers draws changes with its releases.
 */
FANIN_API const char *fanin_model_family(const fanin_model *model);
/* The config.json it came from with its dtype set to `dtype`; NULL if it came from none. Release with fanin_release. */
FANIN_API fanin_status fanin_model_config(const fanin_model *model, fanin_dtype dtype, char **text, fanin_error *error);
/* The model and its rules as a spec, readable again by fanin_model_parse. Release with fanin_release. */
FANIN_API fanin_status fanin_model_to_spec(const fanin_model *model, char **text, fanin_error *error);

/* Ordered rules: name pattern, or layer kind, -> initializer. First match wins. */
typedef struct fanin_recipe fanin_recipe;
FANIN_API fanin_status fanin_recipe_create(fanin_recipe **recipe, fanin_error *error);
/* Appends the rules of a recipe file ({"format":"fanin-recipe","version":1,"rules":[...]}; a spec's rules too). */
FANIN_API fanin_status fanin_recipe_read(fanin_recipe *recipe, const char *path, fanin_error *error);
FANIN_API fanin_status fanin_recipe_parse(fanin_recipe *recipe, const char *text, size_t nbytes, const char *name,
                                          fanin_error *error);
/* Appends one rule written as PATTERN=INIT(args). */
FANIN_API fanin_status fanin_recipe_set(fanin_recipe *recipe, const char *rule, fanin_error *error);
FANIN_API void fanin_recipe_free(fanin_recipe *recipe);

/* Gives back text that the library allocated. NULL is fine. */
FANIN_API void fanin_release(void *memory);

#ifdef __cplusplus
}
#endif
#endif
