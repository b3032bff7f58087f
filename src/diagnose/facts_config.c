/* SPDX-License-Identifier: MIT */
/*
 * What a config.json tells of a model whose family is not expanded to names and shapes: how large the family's weights
 * begin. The law of a tensor is that of its name in the table of families.
 */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "diagnose/facts.h"
#include "diagnose/family_laws.h"
#include "diagnose/law.h"
#include "fanin/initializer.h"

/* The numbers that rules of the table name, and the keys under which families have them. */
static const struct number {
    char letter;
    const char *keys[4];
} numbers[] = {
    {'L', {"num_hidden_layers", "n_layer", "num_layers", "n_layers"}},
    {'d', {"d_model", "hidden_size", "n_embd", NULL}},
    {'k', {"d_kv", NULL}},
    {'n', {"num_heads", "num_attention_heads", "n_head", NULL}},
    {'f', {"d_ff", "intermediate_size", NULL}},
};
enum { NNUMBERS = sizeof numbers / sizeof numbers[0] };

struct config {
    const char *family;
    double scale;
    double values[NNUMBERS]; /* NaN: not there */
    double pad;              /* the row for padding; NaN: there is none */
};

static double number_of(const fanin_json *value)
{
    bool is_number = value != NULL && (value->kind == FANIN_JSON_UNSIGNED || value->kind == FANIN_JSON_NEGATIVE ||
                                       value->kind == FANIN_JSON_NUMBER);
    return is_number ? value->number : __builtin_nan("");
}

static double find_number(const fanin_json *root, const struct number *number)
{
    double found = __builtin_nan("");
    for (size_t i = 0; i < 4 && number->keys[i] != NULL && found != found; i++)
        found = number_of(fanin_json_get(root, number->keys[i]));
    return found;
}

/* False: of that family nothing is known. */
static bool read_config(const fanin_json *root, struct config *config)
{
    const fanin_json *type = fanin_json_get(root, "model_type");
    if (type == NULL || type->kind != FANIN_JSON_STRING)
        return false;
    const struct fanin_family_scale *scale = fanin_family_scale_of(type->string);
    if (scale == NULL)
        return false;
    const fanin_json *given = fanin_json_get(root, scale->key);
    config->family = type->string;
    config->scale = given != NULL ? number_of(given) : scale->preset;
    config->pad = number_of(fanin_json_get(root, "pad_token_id"));
    for (size_t i = 0; i < NNUMBERS; i++)
        config->values[i] = find_number(root, &numbers[i]);
    return config->scale > 0;
}

/* "normal(std=$s/sqrt(2*$L))" with numbers. False if one of them is not known. */
static bool write_rule(const struct config *config, const char *rule, fanin_text *text)
{
    char number[FANIN_NUMBER_NBYTES];
    for (const char *c = rule; *c != '\0'; c++) {
        if (*c != '$') {
            fanin_text_append(text, c, 1);
            continue;
        }
        double value = *++c == 's' ? config->scale : __builtin_nan("");
        for (size_t i = 0; i < NNUMBERS; i++)
            value = numbers[i].letter == *c ? config->values[i] : value;
        if (!(value > 0))
            return false;
        fanin_text_add(text, fanin_number_format(value, number));
    }
    return true;
}

static fanin_status take_rule(fanin_diagnosis *diagnosis, const struct config *config, const char *rule,
                              struct fanin_record *record, fanin_error *error)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    fanin_text text = {0};
    fanin_call call;
    fanin_resolved resolved;
    bool known = write_rule(config, rule, &text);
    if (text.failed) {
        fanin_text_release(&text);
        return fanin_fail_memory(error, strlen(rule));
    }
    fanin_tensor view = fanin_tensor_nd(NULL, FANIN_F64, tensor->ndim, tensor->shape);
    known = known && fanin_call_parse(text.data, NULL, 0, &call, NULL) == FANIN_OK &&
            fanin_call_resolve(&call, &view, &resolved, NULL) == FANIN_OK;
    const char *kept = known ? fanin_arena_text(&diagnosis->arena, text.data, text.nbytes) : NULL;
    fanin_text_release(&text);
    if (!known)
        return FANIN_OK;
    if (kept == NULL)
        return fanin_fail_memory(error, strlen(rule));
    record->initializer = kept;
    tensor->expected = fanin_law_of_fill(&resolved.fill);
    tensor->expected_std = fanin_law_std(&tensor->expected);
    tensor->expected_by = diagnosis->summary.family;
    return FANIN_OK;
}

static fanin_status take_config(fanin_diagnosis *diagnosis, const struct config *config, fanin_error *error)
{
    diagnosis->summary.family = fanin_arena_text(&diagnosis->arena, config->family, strlen(config->family));
    if (diagnosis->summary.family == NULL)
        return fanin_fail_memory(error, strlen(config->family));
    diagnosis->has_config_laws = true;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        struct fanin_record *record = &diagnosis->records[i];
        const char *name = record->tensor.name, *rule = NULL;
        if (record->tensor.ndim > FANIN_MAX_DIMS)
            continue;
        if (record->part == FANIN_PART_WEIGHT)
            rule = fanin_family_rule(config->family, name);
        if (record->part == FANIN_PART_BIAS)
            rule = fanin_family_bias_rule(config->family, name);
        if (record->part == FANIN_PART_NORM_WEIGHT)
            rule = fanin_family_norm_rule(config->family, name);
        if (record->part == FANIN_PART_NORM_BIAS)
            rule = "zeros";
        if (record->part == FANIN_PART_WEIGHT && record->tensor.ndim == 2 && config->pad >= 0 &&
            config->pad < (double)record->tensor.shape[0] && fanin_family_pads(config->family, name)) {
            record->zero_row = (int64_t)config->pad;
            record->tensor.expected_by = diagnosis->summary.family;
        }
        if (rule != NULL)
            FANIN_TRY(take_rule(diagnosis, config, rule, record, error));
    }
    return FANIN_OK;
}

fanin_status fanin_facts_by_config(fanin_diagnosis *diagnosis, fanin_error *error)
{
    static const fanin_json_limits limits = {.depth = 64, .values = 50000000};
    const char *text = diagnosis->options->config;
    fanin_json_document document;
    fanin_error ignored;
    struct config config = {0};
    fanin_status status = fanin_json_parse(text, strlen(text), "config.json", &limits, &document, &ignored);
    if (status == FANIN_ERROR_MEMORY)
        return fanin_fail_memory(error, strlen(text));
    if (status != FANIN_OK)
        return FANIN_OK;
    if (read_config(&document.root, &config))
        status = take_config(diagnosis, &config, error);
    fanin_json_release(&document);
    return status;
}
