/* SPDX-License-Identifier: MIT */
/*
 * Specs: tensors and layers, repeated and tied, with the rules for them, from JSON to a model. The format is described
 * in docs/spec-format.md.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/name_index.h"
#include "model/model_data.h"

/* A spec of a thousand tensors has a page; one tensor per line for four million still fits. */
static const fanin_json_limits limits = {.depth = 64, .values = 50000000};

/* Keys of an entry besides the layer kinds. */
enum entry_form { FORM_NONE, FORM_SHAPE, FORM_TIE, FORM_REPEAT, FORM_LAYER };

struct reader {
    const fanin_json_document *document;
    fanin_model *model;
    fanin_scope *scope; /* grows by the variables of repeats and shrinks again */
    fanin_dtype dtype;  /* of entries that name none */
    size_t budget;      /* tensors and turns of repeats left */
    size_t max_tensors;
    fanin_error *error;
};

static fanin_status spend(struct reader *r, const fanin_json *value, uint64_t n)
{
    if (n > r->budget)
        return fanin_json_fail(r->document, value, r->error,
                               "the description comes to more than %zu tensors or repetitions here, which is the limit",
                               r->max_tensors);
    r->budget -= (size_t)n;
    return FANIN_OK;
}

/* ---- entries of the model ---- */

static fanin_status grow(void **items, size_t count, size_t *capacity, size_t size, fanin_error *error)
{
    if (count < *capacity)
        return FANIN_OK;
    size_t wanted = *capacity < 16 ? 16 : *capacity * 2;
    void *grown = fanin_reallocate(*items, count, wanted, size);
    if (grown == NULL)
        return fanin_fail_memory(error, (uint64_t)wanted * size);
    *items = grown;
    *capacity = wanted;
    return FANIN_OK;
}

static fanin_status add_entry(struct reader *r, const fanin_model_entry *entry)
{
    fanin_model *model = r->model;
    void *items = model->entries;
    fanin_status status = grow(&items, model->count, &model->capacity, sizeof *entry, r->error);
    model->entries = items;
    if (status == FANIN_OK)
        model->entries[model->count++] = *entry;
    return status;
}

/* Sizes whose product and bytes fit in 63 bits, whatever of them is 0. */
static fanin_status check_size(struct reader *r, const fanin_json *value, const fanin_model_tensor *tensor)
{
    uint64_t nelem = 1, nbits;
    bool fits = true, empty = false;
    for (int32_t d = 0; d < tensor->ndim; d++) {
        empty = empty || tensor->shape[d] == 0;
        fits = fits && (tensor->shape[d] == 0 || fanin_checked_mul(nelem, (uint64_t)tensor->shape[d], &nelem));
    }
    fits = fits && fanin_checked_mul(nelem, fanin_dtype_nbits(tensor->dtype), &nbits) && nbits / 8 <= INT64_MAX;
    if (!fits)
        return fanin_json_fail(r->document, value, r->error,
                               "tensor \"%.200s\": the product of its sizes is too large for any machine",
                               tensor->name);
    if (!empty && nbits % 8 != 0)
        return fanin_json_fail(r->document, value, r->error,
                               "tensor \"%.200s\": %" PRIu64 " elements of %s do not fill whole bytes", tensor->name,
                               nelem, fanin_dtype_name(tensor->dtype));
    return FANIN_OK;
}

static fanin_status read_dtype(struct reader *r, const fanin_json *value, fanin_dtype *dtype)
{
    if (value == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_json_expect(r->document, value, FANIN_JSON_STRING, "\"dtype\"", r->error));
    *dtype =
        memchr(value->string, '\0', value->nbytes) == NULL ? fanin_dtype_from_name(value->string) : FANIN_DTYPE_NONE;
    if (*dtype != FANIN_DTYPE_NONE)
        return FANIN_OK;
    const char *names[FANIN_DTYPE_COUNT];
    for (int i = 1; i < FANIN_DTYPE_COUNT; i++)
        names[i - 1] = fanin_dtype_name((fanin_dtype)i);
    const char *near = fanin_nearest(value->string, names, FANIN_DTYPE_COUNT - 1);
    return fanin_json_fail(r->document, value, r->error, "there is no dtype \"%.64s\"; %s%s%s", value->string,
                           near != NULL ? "did you mean \"" : "write f32, bf16, f16, f64, i64 ...",
                           near != NULL ? near : "", near != NULL ? "\"?" : "");
}

/* ---- bare tensors ---- */

static fanin_status read_layout(struct reader *r, const fanin_json *entry, fanin_model_tensor *tensor)
{
    static const char *const names[] = {"out_in", "in_out", "transposed"};
    const fanin_json *layout = fanin_json_get(entry, "layout");
    const fanin_json *groups = fanin_json_get(entry, "groups");
    if (layout != NULL) {
        FANIN_TRY(fanin_json_expect(r->document, layout, FANIN_JSON_STRING, "\"layout\"", r->error));
        size_t i = 0;
        while (i < 3 && strcmp(layout->string, names[i]) != 0)
            i++;
        if (i == 3)
            return fanin_json_fail(r->document, layout, r->error,
                                   "\"layout\" must be \"out_in\", \"in_out\" or \"transposed\"");
        tensor->layout = (fanin_layout)i;
    }
    if (groups != NULL) {
        int64_t n;
        FANIN_TRY(fanin_scope_integer(r->scope, r->document, groups, "\"groups\"", 1, &n, r->error));
        /* The channels that are split stand first, and last where kernels and inputs come before them. */
        int32_t axis = tensor->layout == FANIN_LAYOUT_IN_OUT ? tensor->ndim - 1 : 0;
        if (tensor->ndim < 2 || n > INT32_MAX || tensor->shape[axis] % n != 0)
            return fanin_json_fail(r->document, groups, r->error,
                                   "\"groups\" must divide the channels of a tensor with two dimensions or more");
        tensor->groups = (int32_t)n;
    }
    return FANIN_OK;
}

static fanin_status read_tensor_gates(struct reader *r, const fanin_json *entry, fanin_model_tensor *tensor)
{
    const fanin_json *gates = fanin_json_get(entry, "gates");
    if (gates == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_gates_read(r->document, gates, "\"gates\"", &r->model->arena, &tensor->gates, r->error));
    size_t n = fanin_gate_count(tensor->gates);
    if (tensor->ndim < 1 || tensor->shape[0] % (int64_t)n != 0)
        return fanin_json_fail(r->document, gates, r->error,
                               "%zu gates do not divide dimension 0 of tensor \"%.200s\" into equal blocks", n,
                               tensor->name);
    return FANIN_OK;
}

static fanin_status read_tensor(struct reader *r, const fanin_json *json, const char *name, const char *where)
{
    const fanin_json *shape = fanin_json_get(json, "shape");
    fanin_model_entry entry = {.layer = SIZE_MAX, .tied = SIZE_MAX};
    fanin_model_tensor *tensor = &entry.tensor;
    FANIN_TRY(fanin_json_expect(r->document, shape, FANIN_JSON_ARRAY, "\"shape\"", r->error));
    if (shape->count > FANIN_MAX_DIMS)
        return fanin_json_fail(r->document, shape, r->error, "%zu dimensions are more than %d; merge some",
                               shape->count, FANIN_MAX_DIMS);
    int64_t *sizes = fanin_arena_allocate(&r->model->arena, shape->count, sizeof *sizes);
    if (sizes == NULL)
        return fanin_fail_memory(r->error, shape->count * sizeof *sizes);
    for (size_t d = 0; d < shape->count; d++)
        FANIN_TRY(fanin_scope_integer(r->scope, r->document, &shape->items[d], "a size", 0, &sizes[d], r->error));
    *tensor = (fanin_model_tensor){
        .name = name, .dtype = r->dtype, .ndim = (int32_t)shape->count, .shape = sizes, .groups = 1, .where = where};
    FANIN_TRY(read_dtype(r, fanin_json_get(json, "dtype"), &tensor->dtype));
    FANIN_TRY(check_size(r, shape, tensor));
    FANIN_TRY(read_layout(r, json, tensor));
    FANIN_TRY(read_tensor_gates(r, json, tensor));
    return add_entry(r, &entry);
}

/* The name is looked up when all are there. */
static fanin_status read_tie(struct reader *r, const fanin_json *json, const char *name, const char *where)
{
    fanin_model_entry entry = {.layer = SIZE_MAX, .tied = SIZE_MAX};
    entry.tensor = (fanin_model_tensor){.name = name, .where = where};
    FANIN_TRY(fanin_scope_name(r->scope, r->document, fanin_json_get(json, "tie"), false, &r->model->arena,
                               &entry.tensor.tied_to, r->error));
    return add_entry(r, &entry);
}

/* ---- layers ---- */

/* Blocks of dimension 0 in the order in which torch stacks them. */
static const char *gates_of(fanin_layer_kind kind, const char *role)
{
    bool stacked = strcmp(role, "weight_ih") == 0 || strcmp(role, "weight_hh") == 0 || strcmp(role, "bias_ih") == 0 ||
                   strcmp(role, "bias_hh") == 0;
    if (stacked && (kind == FANIN_LAYER_LSTM || kind == FANIN_LAYER_LSTM_CELL))
        return "i,f,g,o";
    if (stacked && (kind == FANIN_LAYER_GRU || kind == FANIN_LAYER_GRU_CELL))
        return "r,z,n";
    if (strcmp(role, "in_proj_weight") == 0 || strcmp(role, "in_proj_bias") == 0)
        return "q,k,v";
    return NULL;
}

/* The place before an error of the layer's; what is a bad argument there is a bad description here. */
static fanin_status fail_at(struct reader *r, const fanin_json *value)
{
    fanin_status status = r->error->status;
    fanin_fail_within(r->error, "%s:%" PRIu32 ":%" PRIu32, r->document->name, value->line, value->column);
    if (status == FANIN_ERROR_ARGUMENT || status == FANIN_ERROR_SHAPE || status == FANIN_ERROR_DTYPE)
        r->error->status = FANIN_ERROR_FORMAT;
    return r->error->status;
}

static fanin_status add_parameter(struct reader *r, const fanin_json *json, const char *prefix, const char *where,
                                  size_t index)
{
    fanin_model *model = r->model;
    const fanin_layer *layer = &model->layers[model->nlayers - 1].layer;
    fanin_layer_parameter parameter;
    if (fanin_layer_parameter_at(layer, index, &parameter, r->error) != FANIN_OK)
        return fail_at(r, json);
    fanin_model_entry entry = {
        .layer = model->nlayers - 1, .parameter = index, .tied = SIZE_MAX, .is_buffer = parameter.is_buffer};
    int64_t *sizes = fanin_arena_allocate(&model->arena, (size_t)parameter.ndim, sizeof *sizes);
    const char *name = prefix[0] == '\0' ? fanin_arena_text(&model->arena, parameter.name, strlen(parameter.name))
                                         : fanin_arena_format(&model->arena, "%s.%s", prefix, parameter.name);
    if (sizes == NULL || name == NULL)
        return fanin_fail_memory(r->error, sizeof parameter);
    memcpy(sizes, parameter.shape, (size_t)parameter.ndim * sizeof *sizes);
    const char *problem = fanin_name_problem(name, strlen(name));
    if (problem != NULL)
        return fanin_json_fail(r->document, json, r->error, "%s", problem);
    /* Fans of layers are torch's own, from the stored shape, transposed and grouped convolutions too. */
    entry.tensor = (fanin_model_tensor){.name = name,
                                        .dtype = parameter.dtype,
                                        .ndim = parameter.ndim,
                                        .shape = sizes,
                                        .groups = 1,
                                        .layer_kind = layer->kind,
                                        .role = parameter.role,
                                        .gates = parameter.role != NULL ? gates_of(layer->kind, parameter.role) : NULL,
                                        .where = where};
    FANIN_TRY(check_size(r, json, &entry.tensor));
    return add_entry(r, &entry);
}

static fanin_status read_layer(struct reader *r, const fanin_json *json, const fanin_json *value, const char *name,
                               const char *where)
{
    fanin_model *model = r->model;
    fanin_dtype dtype = r->dtype;
    FANIN_TRY(read_dtype(r, fanin_json_get(json, "dtype"), &dtype));
    void *items = model->layers;
    fanin_status status = grow(&items, model->nlayers, &model->layers_capacity, sizeof *model->layers, r->error);
    model->layers = items;
    if (status != FANIN_OK)
        return status;
    fanin_model_layer *layer = &model->layers[model->nlayers];
    FANIN_TRY(
        fanin_layer_read(r->scope, r->document, fanin_layer_key(value->key), value, dtype, &layer->layer, r->error));
    if (fanin_layer_parameter_count(&layer->layer, &layer->count, r->error) != FANIN_OK)
        return fail_at(r, value);
    FANIN_TRY(spend(r, json, layer->count));
    layer->first = model->count;
    layer->where = where;
    model->nlayers++;
    for (size_t i = 0, n = layer->count; i < n; i++)
        FANIN_TRY(add_parameter(r, value, name, where, i));
    return FANIN_OK;
}

/* ---- the list ---- */

static fanin_status read_entries(struct reader *r, const fanin_json *list);

static fanin_status read_repeat(struct reader *r, const fanin_json *json)
{
    static const char *const keys[] = {"repeat", "tensors", "layers", NULL};
    FANIN_TRY(fanin_keys_check(r->document, json, keys, "a repeat", r->error));
    const fanin_json *repeat = fanin_json_get(json, "repeat");
    const fanin_json *list = fanin_json_get(json, "tensors");
    list = list != NULL ? list : fanin_json_get(json, "layers");
    FANIN_TRY(fanin_json_expect(r->document, repeat, FANIN_JSON_OBJECT, "\"repeat\"", r->error));
    const fanin_json *range = repeat->count == 1 ? &repeat->items[0] : NULL;
    if (range == NULL || range->kind != FANIN_JSON_ARRAY || range->count != 2)
        return fanin_json_fail(r->document, repeat, r->error,
                               "write \"repeat\" as {\"i\": [0, 12]}: one variable, from and up to but not including; "
                               "repeats may nest");
    if (list == NULL || (fanin_json_get(json, "tensors") != NULL && fanin_json_get(json, "layers") != NULL))
        return fanin_json_fail(r->document, json, r->error, "a repeat needs one list \"tensors\" of what is repeated");
    int64_t begin, end;
    FANIN_TRY(
        fanin_scope_integer(r->scope, r->document, &range->items[0], "the first value", -1000000000, &begin, r->error));
    FANIN_TRY(fanin_scope_integer(r->scope, r->document, &range->items[1], "the end", begin, &end, r->error));
    FANIN_TRY(spend(r, range, (uint64_t)(end - begin)));
    const char *place = fanin_json_place(r->document, range, &r->model->arena);
    const char *name = fanin_arena_text(&r->model->arena, range->key, range->key_nbytes);
    if (place == NULL || name == NULL)
        return fanin_fail_memory(r->error, range->key_nbytes);
    FANIN_TRY(fanin_scope_push(r->scope, name, (double)begin, place, r->error));
    size_t index = r->scope->count - 1;
    for (int64_t i = begin; i < end; i++) {
        r->scope->variables[index].value = (double)i;
        FANIN_TRY(read_entries(r, list));
    }
    r->scope->count = r->scope->nclosed = index;
    return FANIN_OK;
}

/* What an entry is, by the one key that says so. */
static fanin_status find_form(struct reader *r, const fanin_json *json, enum entry_form *form, const fanin_json **value)
{
    static const struct {
        const char *key;
        enum entry_form form;
    } forms[] = {{"shape", FORM_SHAPE}, {"tie", FORM_TIE}, {"repeat", FORM_REPEAT}};
    *form = FORM_NONE;
    for (size_t i = 0; i < json->count; i++) {
        const fanin_json *member = &json->items[i];
        enum entry_form found = fanin_layer_key(member->key) != FANIN_LAYER_NONE ? FORM_LAYER : FORM_NONE;
        for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++)
            if (strcmp(member->key, forms[k].key) == 0)
                found = forms[k].form;
        if (found == FORM_NONE)
            continue;
        fanin_json key = fanin_json_key(member);
        if (*form != FORM_NONE)
            return fanin_json_fail(r->document, &key, r->error,
                                   "an entry cannot be both \"%s\" and \"%.64s\": make two", (*value)->key,
                                   member->key);
        *form = found;
        *value = member;
    }
    return FANIN_OK;
}

/* No key said what the entry is: one of them may be a slip. */
static fanin_status fail_formless(struct reader *r, const fanin_json *json)
{
    static const char *const others[] = {"shape", "tie", "repeat", "name", "dtype", "layout", "groups", "gates"};
    const char *keys[sizeof others / sizeof others[0] + FANIN_LAYER_KIND_COUNT + 1] = {0};
    size_t n = sizeof others / sizeof others[0];
    memcpy(keys, others, sizeof others);
    for (int kind = 1; kind < FANIN_LAYER_KIND_COUNT; kind++)
        keys[n++] = fanin_layer_kind_name((fanin_layer_kind)kind);
    for (size_t i = 0; i < json->count; i++) {
        const char *near = fanin_nearest(json->items[i].key, keys, n);
        fanin_json key = fanin_json_key(&json->items[i]);
        if (near != NULL && strcmp(near, json->items[i].key) != 0)
            return fanin_json_fail(r->document, &key, r->error, "an entry has no key \"%.64s\"; did you mean \"%s\"?",
                                   json->items[i].key, near);
    }
    return fanin_json_fail(r->document, json, r->error,
                           "an entry needs \"shape\", a layer such as \"linear\" or \"conv2d\", \"tie\" or \"repeat\"");
}

static fanin_status read_entry(struct reader *r, const fanin_json *json)
{
    static const char *const tensor_keys[] = {"name", "shape", "dtype", "layout", "groups", "gates", NULL};
    static const char *const tie_keys[] = {"name", "tie", NULL};
    enum entry_form form;
    const fanin_json *value = NULL;
    const char *name;
    FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "an entry of \"tensors\"", r->error));
    FANIN_TRY(find_form(r, json, &form, &value));
    if (form == FORM_NONE)
        return fail_formless(r, json);
    if (form == FORM_REPEAT)
        return read_repeat(r, json);

    const char *const layer_keys[] = {"name", value->key, "dtype", NULL};
    fanin_keys keys = form == FORM_SHAPE ? tensor_keys : form == FORM_TIE ? tie_keys : layer_keys;
    const char *what = form == FORM_SHAPE ? "a tensor" : form == FORM_TIE ? "a tie" : "a layer";
    FANIN_TRY(fanin_keys_check(r->document, json, keys, what, r->error));
    const fanin_json *named = fanin_json_get(json, "name");
    if (named == NULL)
        return fanin_json_fail(r->document, json, r->error, "%s needs a \"name\"", what);
    FANIN_TRY(fanin_scope_name(r->scope, r->document, named, form == FORM_LAYER, &r->model->arena, &name, r->error));
    const char *where = fanin_json_place(r->document, json, &r->model->arena);
    if (where == NULL)
        return fanin_fail_memory(r->error, strlen(r->document->name));
    if (form == FORM_LAYER)
        return read_layer(r, json, value, name, where);
    FANIN_TRY(spend(r, json, 1));
    return form == FORM_SHAPE ? read_tensor(r, json, name, where) : read_tie(r, json, name, where);
}

/* Depth is that of the JSON, which is limited. */
static fanin_status read_entries(struct reader *r, const fanin_json *list)
{
    FANIN_TRY(fanin_json_expect(r->document, list, FANIN_JSON_ARRAY, "\"tensors\"", r->error));
    for (size_t i = 0; i < list->count; i++)
        FANIN_TRY(read_entry(r, &list->items[i]));
    return FANIN_OK;
}

/* ---- names and ties ---- */

static fanin_status resolve_ties(fanin_model *model, const fanin_name_index *index, fanin_error *error)
{
    for (size_t i = 0; i < model->count; i++) {
        fanin_model_tensor *tensor = &model->entries[i].tensor;
        if (tensor->tied_to == NULL)
            continue;
        size_t target = fanin_names_find(index, tensor->tied_to);
        if (target == SIZE_MAX)
            return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: \"%.200s\" is tied to \"%.200s\", which does not exist",
                              tensor->where, tensor->name, tensor->tied_to);
        const fanin_model_tensor *other = &model->entries[target].tensor;
        if (other->tied_to != NULL)
            return fanin_fail(
                error, FANIN_ERROR_FORMAT,
                "%s: \"%.200s\" is tied to \"%.200s\", itself a tie; name the tensor at the end of the chain",
                tensor->where, tensor->name, tensor->tied_to);
        model->entries[i].tied = target;
    }
    for (size_t i = 0; i < model->count; i++) {
        fanin_model_tensor *tensor = &model->entries[i].tensor;
        if (model->entries[i].tied == SIZE_MAX)
            continue;
        const char *name = tensor->name, *where = tensor->where;
        *tensor = model->entries[model->entries[i].tied].tensor;
        tensor->tied_to = tensor->name;
        tensor->name = name;
        tensor->where = where;
    }
    return FANIN_OK;
}

static fanin_status check_names(fanin_model *model, fanin_error *error)
{
    fanin_name_index index;
    FANIN_TRY(fanin_names_begin(&index, model->count, error));
    for (size_t i = 0; i < model->count; i++)
        index.entries[i] = (fanin_name_entry){model->entries[i].tensor.name, i};
    fanin_status status = fanin_names_sort(&index, error);
    size_t twin = status == FANIN_OK ? fanin_names_twin(&index) : SIZE_MAX;
    if (twin != SIZE_MAX) {
        const fanin_model_tensor *second = &model->entries[twin].tensor;
        const fanin_model_tensor *first = &model->entries[fanin_names_find(&index, second->name)].tensor;
        status =
            fanin_fail(error, FANIN_ERROR_FORMAT, "%s: there is a tensor \"%.200s\" already (%s); names are unique",
                       second->where, second->name, first->where);
    }
    if (status == FANIN_OK)
        status = resolve_ties(model, &index, error);
    fanin_names_end(&index);
    return status;
}

/* ---- the whole ---- */

static fanin_status build(const fanin_json_document *document, size_t max_tensors, fanin_model *model,
                          fanin_error *error)
{
    static const char *const keys[] = {"format",  "version", "description", "dtype",     "vars",
                                       "tensors", "layers",  "rules",       "construct", NULL};
    const fanin_json *root = &document->root;
    FANIN_TRY(fanin_json_expect(document, root, FANIN_JSON_OBJECT, "a spec", error));
    const fanin_json *format = fanin_json_get(root, "format");
    const fanin_json *version = fanin_json_get(root, "version");
    const fanin_json *description = fanin_json_get(root, "description");
    const fanin_json *tensors = fanin_json_get(root, "tensors");
    const fanin_json *layers = fanin_json_get(root, "layers");
    const fanin_json *rules = fanin_json_get(root, "rules");
    const fanin_json *construct = fanin_json_get(root, "construct");
    if (format == NULL || format->kind != FANIN_JSON_STRING || strcmp(format->string, "fanin-spec") != 0)
        return fanin_json_fail(document, format, error, "a spec begins with \"format\": \"fanin-spec\"");
    if (version == NULL || version->kind != FANIN_JSON_UNSIGNED || version->unsigned_value != 1)
        return fanin_json_fail(document, version, error, "this fanin reads \"version\": 1");
    FANIN_TRY(fanin_keys_check(document, root, keys, "a spec", error));
    if (description != NULL)
        FANIN_TRY(fanin_json_expect(document, description, FANIN_JSON_STRING, "\"description\"", error));
    if ((tensors == NULL) == (layers == NULL))
        return fanin_json_fail(document, layers, error, "a spec needs one list \"tensors\"");
    if (construct != NULL) {
        FANIN_TRY(fanin_json_expect(document, construct, FANIN_JSON_BOOL, "\"construct\"", error));
        model->construct = construct->boolean;
    }

    fanin_scope *scope = fanin_arena_allocate(&model->rules.arena, 1, sizeof *scope);
    if (scope == NULL)
        return fanin_fail_memory(error, sizeof *scope);
    struct reader r = {document, model, scope, FANIN_F32, max_tensors, max_tensors, error};
    FANIN_TRY(read_dtype(&r, fanin_json_get(root, "dtype"), &r.dtype));
    FANIN_TRY(fanin_scope_read(scope, document, fanin_json_get(root, "vars"), false, &model->rules.arena, error));
    FANIN_TRY(read_entries(&r, tensors != NULL ? tensors : layers));
    if (rules != NULL)
        FANIN_TRY(fanin_rules_read(&model->rules, document, rules, scope, error));
    return check_names(model, error);
}

fanin_status fanin_spec_parse(const char *text, size_t nbytes, const char *name, size_t max_tensors,
                              fanin_model **model, fanin_error *error)
{
    fanin_json_document document;
    FANIN_TRY(fanin_json_parse(text, nbytes, name, &limits, &document, error));
    fanin_model *made = fanin_allocate_zeroed(1, sizeof *made);
    fanin_status status = made != NULL ? FANIN_OK : fanin_fail_memory(error, sizeof *made);
    if (status == FANIN_OK)
        status = build(&document, max_tensors, made, error);
    if (status == FANIN_OK) {
        made->spec = fanin_duplicate(text, nbytes);
        status = made->spec != NULL ? FANIN_OK : fanin_fail_memory(error, nbytes);
    }
    fanin_json_release(&document);
    if (status != FANIN_OK) {
        fanin_model_free(made);
        return status;
    }
    *model = made;
    return FANIN_OK;
}
