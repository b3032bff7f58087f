/* SPDX-License-Identifier: MIT */
/*
 * One rule: reading it from JSON, what it matches, and the call it makes.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "model/model_data.h"
#include "recipe/recipe.h"

static const char torch_default[] = "torch_default";

/* Keys that every rule may have; the parameters of its initializer come after them. */
#define NKEYS 10
static const char *const rule_keys[NKEYS] = {"match", "layer",    "role", "init", "gates",
                                             "only",  "per_gate", "row",  "cut",  "optional"};

struct reader {
    fanin_rules *rules;
    const fanin_json_document *document;
    const fanin_scope *scope;
    fanin_error *error;
};

/* "where: " before an error of another function; what was a bad argument there is a bad description here. */
static fanin_status fail_at(const char *where, fanin_error *error)
{
    fanin_fail_within(error, "%s", where);
    if (error->status == FANIN_ERROR_ARGUMENT)
        error->status = FANIN_ERROR_FORMAT;
    return error->status;
}

static fanin_status place_of(struct reader *r, const fanin_json *value, const char **where)
{
    *where = fanin_json_place(r->document, value, &r->rules->arena);
    return *where != NULL ? FANIN_OK : fanin_fail_memory(r->error, strlen(r->document->name) + 24);
}

/* ---- gates ---- */

size_t fanin_gate_count(const char *gates)
{
    size_t count = 1;
    for (; *gates != '\0'; gates++)
        count += *gates == ',';
    return count;
}

const char *fanin_gate_at(const char *gates, size_t i, size_t *nbytes)
{
    for (; i > 0; i--)
        gates = strchr(gates, ',') + 1;
    *nbytes = strcspn(gates, ",");
    return gates;
}

size_t fanin_gate_find(const char *gates, const char *name, size_t nbytes)
{
    for (size_t i = 0, n = fanin_gate_count(gates); i < n; i++) {
        size_t length;
        const char *gate = fanin_gate_at(gates, i, &length);
        if (length == nbytes && memcmp(gate, name, nbytes) == 0)
            return i;
    }
    return SIZE_MAX;
}

fanin_status fanin_gates_read(const fanin_json_document *document, const fanin_json *value, const char *what,
                              fanin_arena *arena, const char **gates, fanin_error *error)
{
    FANIN_TRY(fanin_json_text(document, value, what, arena, gates, error));
    size_t n = fanin_gate_count(*gates);
    if (n > FANIN_MAX_GATES)
        return fanin_json_fail(document, value, error, "%s has more than %d names", what, FANIN_MAX_GATES);
    for (size_t i = 0; i < n; i++) {
        size_t nbytes;
        const char *gate = fanin_gate_at(*gates, i, &nbytes);
        if (!fanin_is_identifier(gate, nbytes))
            return fanin_json_fail(document, value, error, "%s must be names with commas between, as in \"i,f,g,o\"",
                                   what);
        if (fanin_gate_find(*gates, gate, nbytes) != i)
            return fanin_json_fail(document, value, error, "%s names \"%.*s\" twice", what, (int)nbytes, gate);
    }
    return FANIN_OK;
}

/* ---- what it matches ---- */

static fanin_status read_pattern(struct reader *r, const fanin_json *value, fanin_rule *rule)
{
    size_t at;
    FANIN_TRY(fanin_json_expect(r->document, value, FANIN_JSON_STRING, "\"match\"", r->error));
    if (fanin_pattern_parse(value->string, value->nbytes, &r->rules->arena, &rule->pattern, &at, r->error) == FANIN_OK)
        return FANIN_OK;
    /* Inside a string without escapes the character is a column of the file. */
    fanin_json place = *value;
    place.column += (uint32_t)at + 1;
    const char *where;
    FANIN_TRY(place_of(r, &place, &where));
    return fail_at(where, r->error);
}

static fanin_status read_layer(struct reader *r, const fanin_json *value, fanin_rule *rule)
{
    const char *name, *names[FANIN_LAYER_KIND_COUNT];
    FANIN_TRY(fanin_json_text(r->document, value, "\"layer\"", &r->rules->arena, &name, r->error));
    rule->layer = fanin_layer_key(name);
    if (rule->layer != FANIN_LAYER_NONE)
        return FANIN_OK;
    for (int kind = 1; kind < FANIN_LAYER_KIND_COUNT; kind++)
        names[kind - 1] = fanin_layer_kind_name((fanin_layer_kind)kind);
    const char *near = fanin_nearest(name, names, FANIN_LAYER_KIND_COUNT - 1);
    if (near == NULL)
        return fanin_json_fail(r->document, value, r->error,
                               "there is no layer kind \"%.64s\"; write one such as \"linear\", \"conv2d\", \"lstm\"",
                               name);
    return fanin_json_fail(r->document, value, r->error, "there is no layer kind \"%.64s\"; did you mean \"%s\"?", name,
                           near);
}

static fanin_status read_bool(struct reader *r, const fanin_json *rule, const char *key, bool *value)
{
    const fanin_json *member = fanin_json_get(rule, key);
    if (member == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_json_expect(r->document, member, FANIN_JSON_BOOL, key, r->error));
    *value = member->boolean;
    return FANIN_OK;
}

static fanin_status read_target(struct reader *r, const fanin_json *json, fanin_rule *rule)
{
    const fanin_json *match = fanin_json_get(json, "match");
    const fanin_json *layer = fanin_json_get(json, "layer");
    const fanin_json *role = fanin_json_get(json, "role");
    const fanin_json *gates = fanin_json_get(json, "gates");
    const fanin_json *only = fanin_json_get(json, "only");
    const fanin_json *row = fanin_json_get(json, "row");
    fanin_arena *arena = &r->rules->arena;
    if (match == NULL && layer == NULL && role == NULL)
        return fanin_json_fail(r->document, json, r->error,
                               "a rule needs \"match\" (a name pattern; \"**\" is every name), \"layer\" or \"role\"");
    if (match != NULL)
        FANIN_TRY(read_pattern(r, match, rule));
    if (layer != NULL)
        FANIN_TRY(read_layer(r, layer, rule));
    if (role != NULL)
        FANIN_TRY(fanin_json_text(r->document, role, "\"role\"", arena, &rule->role, r->error));
    if (gates != NULL)
        FANIN_TRY(fanin_gates_read(r->document, gates, "\"gates\"", arena, &rule->gates, r->error));
    if (only != NULL)
        FANIN_TRY(fanin_gates_read(r->document, only, "\"only\"", arena, &rule->only, r->error));
    if (row != NULL) {
        FANIN_TRY(fanin_scope_integer(r->scope, r->document, row, "\"row\"", INT64_MIN, &rule->row, r->error));
        rule->has_row = true;
    }
    FANIN_TRY(read_bool(r, json, "per_gate", &rule->per_gate));
    FANIN_TRY(read_bool(r, json, "optional", &rule->optional));
    if (row != NULL && (only != NULL || gates != NULL || rule->per_gate))
        return fanin_json_fail(r->document, row, r->error, "\"row\" does not go with gates; write two rules");

    fanin_text shown = {0};
    if (match != NULL)
        fanin_text_format(&shown, "\"%.200s\"", match->string);
    if (layer != NULL)
        fanin_text_format(&shown, "%slayer %s", match != NULL ? " of " : "", fanin_layer_kind_name(rule->layer));
    if (role != NULL)
        fanin_text_format(&shown, "%srole %.64s", match != NULL || layer != NULL ? ", " : "", rule->role);
    rule->shown = shown.failed ? NULL : fanin_arena_text(arena, shown.data, shown.nbytes);
    fanin_text_release(&shown);
    return rule->shown != NULL ? FANIN_OK : fanin_fail_memory(r->error, 256);
}

/* ---- the call it makes ---- */

static bool is_rule_key(const fanin_json *member)
{
    for (size_t k = 0; k < NKEYS; k++)
        if (strlen(rule_keys[k]) == member->key_nbytes && memcmp(rule_keys[k], member->key, member->key_nbytes) == 0)
            return true;
    return false;
}

static fanin_status read_setting(struct reader *r, const fanin_json *value, fanin_rule_setting *setting)
{
    setting->name = fanin_arena_text(&r->rules->arena, value->key, value->key_nbytes);
    if (setting->name == NULL)
        return fanin_fail_memory(r->error, value->key_nbytes);
    FANIN_TRY(place_of(r, value, &setting->where));
    if (fanin_json_is_number(value)) {
        setting->number = value->number;
        return FANIN_OK;
    }
    if (value->kind != FANIN_JSON_STRING)
        return fanin_json_fail(r->document, value, r->error,
                               "%s must be a number, or an expression or word in quotes, not %s", setting->name,
                               fanin_json_kind_name(value));
    return fanin_json_text(r->document, value, setting->name, &r->rules->arena, &setting->text, r->error);
}

/* The initializer that a call in text begins with. */
static fanin_status find_initializer(struct reader *r, const fanin_rule *rule, const fanin_initializer **initializer)
{
    static const char *const other[] = {torch_default};
    fanin_call call;
    char *name = fanin_arena_text(&r->rules->arena, rule->init, strcspn(rule->init, "( \t\r\n"));
    if (name == NULL)
        return fanin_fail_memory(r->error, strlen(rule->init));
    if (fanin_call_begin(name, &call, r->error) != FANIN_OK) {
        if (fanin_nearest(name, other, 1) != NULL)
            return fanin_fail(r->error, FANIN_ERROR_FORMAT, "%s: there is no initializer '%s'; did you mean '%s'?",
                              rule->init_at, name, torch_default);
        return fail_at(rule->init_at, r->error);
    }
    *initializer = call.initializer;
    return FANIN_OK;
}

static fanin_status read_call(struct reader *r, const fanin_json *json, fanin_rule *rule)
{
    const fanin_json *init = fanin_json_get(json, "init");
    const fanin_json *cut = fanin_json_get(json, "cut");
    const char *keys[NKEYS + FANIN_MAX_PARAMETERS + 1] = {0};
    size_t nkeys = NKEYS;
    memcpy(keys, rule_keys, sizeof rule_keys);
    if (init == NULL) {
        FANIN_TRY(fanin_keys_check(r->document, json, keys, "a rule", r->error));
        return fanin_json_fail(r->document, json, r->error,
                               "a rule needs \"init\": the name of an initializer, or \"torch_default\"");
    }
    FANIN_TRY(fanin_json_text(r->document, init, "\"init\"", &r->rules->arena, &rule->init, r->error));
    FANIN_TRY(place_of(r, init, &rule->init_at));
    rule->torch_default = strcmp(rule->init, torch_default) == 0;

    const fanin_initializer *initializer = NULL;
    if (!rule->torch_default)
        FANIN_TRY(find_initializer(r, rule, &initializer));
    for (size_t i = 0; initializer != NULL && initializer->parameters[i].name != NULL; i++)
        keys[nkeys++] = initializer->parameters[i].name;
    const char *name = initializer != NULL ? initializer->name : torch_default;
    const char *what = fanin_arena_format(&r->rules->arena, "a rule with %s", name);
    if (what == NULL)
        return fanin_fail_memory(r->error, strlen(name));
    FANIN_TRY(fanin_keys_check(r->document, json, keys, what, r->error));
    if (rule->torch_default && (rule->only != NULL || rule->per_gate || rule->has_row))
        return fanin_json_fail(r->document, init, r->error,
                               "torch_default is for whole tensors: leave \"only\", \"per_gate\" and \"row\" out");

    bool has_arguments = strchr(rule->init, '(') != NULL;
    fanin_rule_setting *settings = fanin_arena_allocate(&r->rules->arena, json->count, sizeof *settings);
    if (settings == NULL)
        return fanin_fail_memory(r->error, json->count * sizeof *settings);
    rule->settings = settings;
    for (size_t i = 0; i < json->count; i++) {
        if (is_rule_key(&json->items[i]))
            continue;
        if (has_arguments)
            return fanin_json_fail(r->document, &json->items[i], r->error,
                                   "write the parameters either in the call or as keys, not both");
        FANIN_TRY(read_setting(r, &json->items[i], &settings[rule->nsettings++]));
    }
    if (cut != NULL) {
        fanin_rule_setting *setting = &settings[rule->nsettings]; /* of json->count places one is "cut"'s */
        if (initializer == NULL || strcmp(initializer->name, "trunc_normal") != 0)
            return fanin_json_fail(r->document, cut, r->error,
                                   "\"cut\" (bounds in multiples of std) goes with trunc_normal only");
        for (size_t i = 0; i < rule->nsettings; i++)
            if (strcmp(settings[i].name, "a") == 0 || strcmp(settings[i].name, "b") == 0)
                return fanin_json_fail(r->document, cut, r->error,
                                       "write either \"cut\" (in multiples of std) or \"a\" and \"b\" (values)");
        FANIN_TRY(read_setting(r, cut, setting));
        rule->cut = setting;
    }
    return FANIN_OK;
}

static double *value_of(fanin_call *call, const char *parameter)
{
    for (size_t i = 0; call->initializer->parameters[i].name != NULL; i++)
        if (strcmp(call->initializer->parameters[i].name, parameter) == 0)
            return &call->values[i];
    return NULL;
}

static fanin_status apply_cut(const fanin_rule *rule, const fanin_scope *scope, fanin_call *call, fanin_error *error)
{
    double cut = rule->cut->number;
    if (rule->cut->text != NULL &&
        fanin_scope_evaluate(scope, rule->cut->text, strlen(rule->cut->text), &cut, error) != FANIN_OK)
        return fail_at(rule->cut->where, error);
    if (!(cut > 0) || isinf(cut))
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: \"cut\" must be a positive number: bounds are mean - cut std and mean + cut std",
                          rule->cut->where);
    double mean = *value_of(call, "mean"), std = *value_of(call, "std");
    *value_of(call, "a") = mean - cut * std;
    *value_of(call, "b") = mean + cut * std;
    return FANIN_OK;
}

fanin_status fanin_rule_call(const fanin_rule *rule, const fanin_scope *scope, fanin_call *call, fanin_error *error)
{
    const fanin_variable *variables = scope->variables;
    size_t n = scope->nclosed;
    bool whole = strchr(rule->init, '(') != NULL;
    fanin_status status =
        whole ? fanin_call_parse(rule->init, variables, n, call, error) : fanin_call_begin(rule->init, call, error);
    if (status != FANIN_OK)
        return fail_at(rule->init_at, error);
    for (size_t i = 0; i < rule->nsettings; i++) {
        const fanin_rule_setting *setting = &rule->settings[i];
        if (fanin_call_set(call, setting->name, setting->text, setting->number, variables, n, error) != FANIN_OK)
            return fail_at(setting->where, error);
    }
    if (fanin_call_finish(call, error) != FANIN_OK)
        return fail_at(rule->init_at, error);
    return rule->cut != NULL ? apply_cut(rule, scope, call, error) : FANIN_OK;
}

/* ---- lists of rules ---- */

static fanin_status read_rule(struct reader *r, const fanin_json *json, fanin_rule *rule)
{
    fanin_call call;
    FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "a rule", r->error));
    rule->scope = r->scope;
    FANIN_TRY(place_of(r, json, &rule->where));
    FANIN_TRY(read_target(r, json, rule));
    FANIN_TRY(read_call(r, json, rule));
    /* With counted variables the values are known, and checked, once there is a model. */
    if (rule->torch_default || r->scope->nclosed < r->scope->count)
        return FANIN_OK;
    return fanin_rule_call(rule, r->scope, &call, r->error);
}

fanin_status fanin_rules_read(fanin_rules *rules, const fanin_json_document *document, const fanin_json *array,
                              const fanin_scope *scope, fanin_error *error)
{
    struct reader r = {rules, document, scope, error};
    FANIN_TRY(fanin_json_expect(document, array, FANIN_JSON_ARRAY, "\"rules\"", error));
    if (array->count > rules->capacity - rules->count) {
        size_t capacity = rules->count + array->count;
        fanin_rule *items = fanin_reallocate(rules->items, rules->count, capacity, sizeof *items);
        if (items == NULL)
            return fanin_fail_memory(error, capacity * sizeof *items);
        rules->items = items;
        rules->capacity = capacity;
    }
    for (size_t i = 0; i < array->count; i++) {
        fanin_rule *rule = &rules->items[rules->count + i];
        *rule = (fanin_rule){0};
        FANIN_TRY(read_rule(&r, &array->items[i], rule));
    }
    rules->count += array->count; /* all or none */
    return FANIN_OK;
}

void fanin_rules_release(fanin_rules *rules)
{
    fanin_free(rules->items);
    fanin_arena_release(&rules->arena);
    *rules = (fanin_rules){0};
}

/* ---- matching ---- */

bool fanin_rule_matches(const fanin_rule *rule, const fanin_model_tensor *tensor)
{
    if (rule->layer != FANIN_LAYER_NONE && rule->layer != tensor->layer_kind)
        return false;
    if (rule->role != NULL && (tensor->role == NULL || strcmp(rule->role, tensor->role) != 0))
        return false;
    return rule->pattern == NULL || fanin_pattern_matches(rule->pattern, tensor->name);
}

static double count_matches(const fanin_pattern *pattern, const fanin_model *model)
{
    size_t count = 0;
    for (size_t i = 0, n = fanin_model_tensor_count(model); i < n; i++)
        count += fanin_pattern_matches(pattern, fanin_model_tensor_at(model, i)->name);
    return (double)count;
}

fanin_status fanin_scope_close(fanin_scope *scope, const fanin_model *model, fanin_error *error)
{
    fanin_arena scratch = {0};
    fanin_status status = FANIN_OK;
    for (size_t i = scope->nclosed; i < scope->count && status == FANIN_OK; i++) {
        const char *text = scope->texts[i];
        double *value = &scope->variables[i].value;
        if (scope->counts[i]) {
            const fanin_pattern *pattern;
            size_t at;
            status = fanin_pattern_parse(text, strlen(text), &scratch, &pattern, &at, error);
            if (status == FANIN_OK)
                *value = count_matches(pattern, model);
        } else if (text != NULL && fanin_scope_evaluate(scope, text, strlen(text), value, error) != FANIN_OK) {
            status = fail_at(scope->places[i], error);
        }
        scope->nclosed = i + 1;
    }
    fanin_arena_release(&scratch);
    return status;
}
