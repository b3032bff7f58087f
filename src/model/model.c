/* SPDX-License-Identifier: MIT */
/*
 * Models as a whole: which kind of description a text is, and what a model says of itself.
 */
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "model/model_data.h"

/* Four million tensors, one a line. */
#define MAX_FILE_NBYTES (UINT64_C(1) << 30)

static const fanin_json_limits limits = {.depth = 64, .values = 50000000};

void fanin_release(void *memory)
{
    fanin_free(memory);
}

void fanin_model_free(fanin_model *model)
{
    if (model == NULL)
        return;
    fanin_rules_release(&model->rules);
    fanin_arena_release(&model->arena);
    fanin_free(model->entries);
    fanin_free(model->layers);
    fanin_free(model->config);
    fanin_free(model->spec);
    fanin_free(model);
}

size_t fanin_model_tensor_count(const fanin_model *model)
{
    return model->count;
}

const fanin_model_tensor *fanin_model_tensor_at(const fanin_model *model, size_t i)
{
    return i < model->count ? &model->entries[i].tensor : NULL;
}

const char *fanin_model_family(const fanin_model *model)
{
    return model->family;
}

fanin_status fanin_model_to_spec(const fanin_model *model, char **text, fanin_error *error)
{
    fanin_clear(error);
    *text = fanin_duplicate(model->spec, strlen(model->spec));
    return *text != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(model->spec));
}

/* A spec that was written here gets the name of what it was written from: "config.json as spec:12:5". */
static fanin_status parse_expanded(const fanin_text *spec, const char *name, size_t max_tensors, fanin_model **model,
                                   fanin_error *error)
{
    fanin_text place = {0};
    fanin_text_format(&place, "%s as spec", name);
    fanin_status status = spec->failed || place.failed ? fanin_fail_memory(error, spec->nbytes) : FANIN_OK;
    if (status == FANIN_OK)
        status = fanin_spec_parse(spec->data, spec->nbytes, place.data, max_tensors, model, error);
    fanin_text_release(&place);
    return status;
}

static fanin_status parse_config(const char *text, size_t nbytes, const fanin_json_document *document,
                                 size_t max_tensors, fanin_model **model, fanin_error *error)
{
    const char *family;
    fanin_text spec = {0};
    fanin_status status = fanin_config_expand(document, &spec, &family, error);
    if (status == FANIN_OK)
        status = parse_expanded(&spec, document->name, max_tensors, model, error);
    fanin_text_release(&spec);
    if (status != FANIN_OK)
        return status;
    (*model)->family = family;
    (*model)->config = fanin_duplicate(text, nbytes);
    if ((*model)->config != NULL)
        return FANIN_OK;
    fanin_model_free(*model);
    *model = NULL;
    return fanin_fail_memory(error, nbytes);
}

static bool is_text(const fanin_json *value, const char *text)
{
    return value != NULL && value->kind == FANIN_JSON_STRING && strcmp(value->string, text) == 0;
}

fanin_status fanin_description_parse(const char *text, size_t nbytes, const char *name, size_t max_tensors,
                                     fanin_model **model, fanin_error *error)
{
    fanin_json_document document;
    *model = NULL;
    FANIN_TRY(fanin_json_parse(text, nbytes, name, &limits, &document, error));
    const fanin_json *root = &document.root;
    const fanin_json *format = root->kind == FANIN_JSON_OBJECT ? fanin_json_get(root, "format") : NULL;
    bool is_config = root->kind == FANIN_JSON_OBJECT && format == NULL &&
                     (fanin_json_get(root, "model_type") != NULL || fanin_json_get(root, "architectures") != NULL);
    bool is_spec = is_text(format, "fanin-spec");
    fanin_status status = FANIN_OK;
    if (is_config)
        status = parse_config(text, nbytes, &document, max_tensors, model, error);
    else if (is_text(format, "fanin-recipe"))
        status = fanin_json_fail(&document, format, error,
                                 "this is a recipe: it says how tensors begin, not which there "
                                 "are; give it beside a model");
    else if (is_text(format, "fanin-plan"))
        status = fanin_json_fail(&document, format, error, "this is a plan, not the description of a model");
    else if (!is_spec)
        status =
            fanin_json_fail(&document, format != NULL ? format : root, error,
                            "a model is a spec (\"format\": \"fanin-spec\") or a config.json with a \"model_type\"");
    fanin_json_release(&document);
    if (status != FANIN_OK || is_config)
        return status;
    return fanin_spec_parse(text, nbytes, name, max_tensors, model, error);
}

fanin_status fanin_model_parse(const char *text, size_t nbytes, const char *name, fanin_model **model,
                               fanin_error *error)
{
    fanin_error own;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    return fanin_description_parse(text, nbytes, name, FANIN_MODEL_MAX_TENSORS, model, error);
}

fanin_status fanin_model_read(const char *path, fanin_model **model, fanin_error *error)
{
    fanin_error own;
    char *text;
    size_t nbytes;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *model = NULL;
    FANIN_TRY(fanin_read_file(path, MAX_FILE_NBYTES, &text, &nbytes, error));
    fanin_status status = fanin_model_parse(text, nbytes, strcmp(path, "-") == 0 ? "<stdin>" : path, model, error);
    fanin_free(text);
    return status;
}

fanin_status fanin_model_like(const char *checkpoint, fanin_model **model, fanin_error *error)
{
    fanin_error own;
    fanin_checkpoint *opened;
    fanin_text spec = {0};
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *model = NULL;
    FANIN_TRY(fanin_checkpoint_open(checkpoint, &opened, error));
    fanin_status status = fanin_shapes_expand(opened, &spec, error);
    fanin_checkpoint_close(opened);
    if (status == FANIN_OK)
        status = parse_expanded(&spec, checkpoint, FANIN_MODEL_MAX_TENSORS, model, error);
    fanin_text_release(&spec);
    return status;
}
