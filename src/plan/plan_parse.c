/* SPDX-License-Identifier: MIT */
/*
 * Reading plan files. Nothing in them is taken on trust: views lie inside their storages, fills are such as the library
 * makes, and every position and number of draws is computed again and must be the same.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "plan/plan_file.h"
#include "plan/plan_reader.h"
#include "recipe/recipe.h"

/* As deep as descriptions may be, since it is told apart from them by what it holds. */
static const fanin_json_limits limits = {.depth = 64, .values = 100000000};

/* Of literals that are tables of a large model, and of descriptions with millions of tensors. */
static const uint64_t MAX_FILE_NBYTES = (uint64_t)1 << 30;

/* ---- values ---- */

fanin_status fanin_plan_need(fanin_plan_reader *r, const fanin_json *object, const char *key, fanin_json_kind kind,
                             const fanin_json **value)
{
    *value = fanin_json_get(object, key);
    if (*value == NULL)
        return fanin_json_fail(r->document, object, r->error, "\"%s\" is missing", key);
    return fanin_json_expect(r->document, *value, kind, key, r->error);
}

fanin_status fanin_plan_need_size(fanin_plan_reader *r, const fanin_json *object, const char *key, int64_t *size)
{
    const fanin_json *value;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_UNSIGNED, &value));
    if (value->unsigned_value > INT64_MAX)
        return fanin_json_fail(r->document, value, r->error, "\"%s\" is too large", key);
    *size = (int64_t)value->unsigned_value;
    return FANIN_OK;
}

fanin_status fanin_plan_need_index(fanin_plan_reader *r, const fanin_json *object, const char *key, size_t count,
                                   const char *what, size_t *index)
{
    const fanin_json *value;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_UNSIGNED, &value));
    if (value->unsigned_value >= count)
        return fanin_json_fail(r->document, value, r->error, "there is no %s %" PRIu64, what, value->unsigned_value);
    *index = (size_t)value->unsigned_value;
    return FANIN_OK;
}

fanin_status fanin_plan_need_number(fanin_plan_reader *r, const fanin_json *object, const char *key, uint64_t expected)
{
    const fanin_json *value;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_UNSIGNED, &value));
    if (value->unsigned_value != expected)
        return fanin_json_fail(r->document, value, r->error, "\"%s\" must be %" PRIu64 " here, not %" PRIu64, key,
                               expected, value->unsigned_value);
    return FANIN_OK;
}

fanin_status fanin_plan_need_text(fanin_plan_reader *r, const fanin_json *object, const char *key, const char **text)
{
    const fanin_json *value;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_STRING, &value));
    return fanin_json_text(r->document, value, key, &r->plan->arena, text, r->error);
}

fanin_status fanin_plan_need_word(fanin_plan_reader *r, const fanin_json *object, const char *key, const char *word)
{
    const char *text;
    FANIN_TRY(fanin_plan_need_text(r, object, key, &text));
    if (strcmp(text, word) != 0)
        return fanin_json_fail(r->document, fanin_json_get(object, key), r->error, "\"%s\" must be \"%s\"", key, word);
    return FANIN_OK;
}

fanin_status fanin_plan_read_double(fanin_plan_reader *r, const fanin_json *value, const char *key, double *number)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}, {"-0", -0.0}};
    if (fanin_json_is_number(value)) {
        *number = value->number;
        return FANIN_OK;
    }
    for (size_t i = 0; value->kind == FANIN_JSON_STRING && i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].word) == value->nbytes && memcmp(words[i].word, value->string, value->nbytes) == 0) {
            *number = words[i].value;
            return FANIN_OK;
        }
    }
    return fanin_json_fail(r->document, value, r->error,
                           "\"%s\" must be a number, \"nan\", \"inf\", \"-inf\" or \"-0\"", key);
}

fanin_status fanin_plan_need_sizes(fanin_plan_reader *r, const fanin_json *object, const char *key,
                                   int64_t sizes[FANIN_MAX_DIMS], int32_t *ndim)
{
    const fanin_json *value;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_ARRAY, &value));
    if (value->count > FANIN_MAX_DIMS)
        return fanin_json_fail(r->document, value, r->error, "\"%s\" has more than %d dimensions", key, FANIN_MAX_DIMS);
    for (size_t d = 0; d < value->count; d++) {
        const fanin_json *item = &value->items[d];
        if (item->kind != FANIN_JSON_UNSIGNED || item->unsigned_value > INT64_MAX)
            return fanin_json_fail(r->document, item, r->error, "\"%s\" must hold whole numbers", key);
        sizes[d] = (int64_t)item->unsigned_value;
    }
    *ndim = (int32_t)value->count;
    return FANIN_OK;
}

fanin_status fanin_plan_check_inside(fanin_plan_reader *r, const fanin_json *json, int64_t nelem, int64_t offset,
                                     const fanin_tensor *view)
{
    uint64_t last = (uint64_t)offset, reach;
    bool empty = false, inside = true;
    for (int32_t d = 0; d < view->ndim; d++) {
        int64_t size = view->shape[d];
        empty = empty || size == 0;
        inside = inside && (size <= 1 || (fanin_checked_mul((uint64_t)size - 1, (uint64_t)view->strides[d], &reach) &&
                                          fanin_checked_add(last, reach, &last)));
    }
    inside = empty ? offset <= nelem : inside && last < (uint64_t)nelem;
    return inside ? FANIN_OK
                  : fanin_json_fail(r->document, json, r->error,
                                    "the view reaches beyond its storage of %" PRId64 " elements", nelem);
}

fanin_status fanin_plan_fail_at(fanin_plan_reader *r, const fanin_json *json)
{
    fanin_status status = r->error->status;
    fanin_fail_within(r->error, "%s:%" PRIu32 ":%" PRIu32, r->document->name, json->line, json->column);
    return r->error->status = status == FANIN_ERROR_MEMORY ? status : FANIN_ERROR_FORMAT;
}

/* ---- storages and tensors ---- */

static fanin_status read_storages(fanin_plan_reader *r, const fanin_json *list)
{
    static const char *const keys[] = {"id", "dtype", "n", NULL};
    for (size_t i = 0; i < list->count; i++) {
        const fanin_json *json = &list->items[i];
        fanin_storage storage = {.tensor = SIZE_MAX};
        const char *dtype;
        uint64_t nbits;
        FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "a storage", r->error));
        FANIN_TRY(fanin_keys_check(r->document, json, keys, "a storage", r->error));
        FANIN_TRY(fanin_plan_need_number(r, json, "id", i));
        FANIN_TRY(fanin_plan_need_text(r, json, "dtype", &dtype));
        FANIN_TRY(fanin_plan_need_size(r, json, "n", &storage.nelem));
        storage.dtype = fanin_dtype_from_name(dtype);
        if (storage.dtype == FANIN_DTYPE_NONE || strcmp(fanin_dtype_name(storage.dtype), dtype) != 0)
            return fanin_json_fail(r->document, fanin_json_get(json, "dtype"), r->error, "there is no dtype \"%.64s\"",
                                   dtype);
        if (!fanin_checked_mul((uint64_t)storage.nelem, fanin_dtype_nbits(storage.dtype), &nbits) ||
            nbits / 8 > INT64_MAX || nbits % 8 != 0)
            return fanin_json_fail(r->document, json, r->error, "a storage of %" PRId64 " elements of %s cannot be",
                                   storage.nelem, dtype);
        FANIN_TRY(fanin_plan_add_storage(r->plan, &storage, r->error));
    }
    return FANIN_OK;
}

/* Each of a description's tensors is all of a storage of its own. */
static fanin_status read_tensor(fanin_plan_reader *r, const fanin_json *json, fanin_plan_tensor *tensor)
{
    static const char *const own_keys[] = {"name", "s", "shape", NULL};
    int64_t sizes[FANIN_MAX_DIMS] = {0};
    int32_t ndim;
    FANIN_TRY(fanin_keys_check(r->document, json, own_keys, "a tensor", r->error));
    FANIN_TRY(fanin_plan_need_index(r, json, "s", r->plan->nstorages, "storage", &tensor->storage));
    const fanin_storage *storage = &r->plan->storages[tensor->storage];
    if (storage->tensor != SIZE_MAX)
        return fanin_json_fail(r->document, json, r->error,
                               "storage %zu has a name already; other names are \"alias_of\" it", tensor->storage);
    FANIN_TRY(fanin_plan_need_sizes(r, json, "shape", sizes, &ndim));
    fanin_tensor view = fanin_tensor_nd(NULL, storage->dtype, ndim, sizes);
    if (fanin_tensor_nelem(&view) != storage->nelem)
        return fanin_json_fail(r->document, fanin_json_get(json, "shape"), r->error,
                               "the shape must have the %" PRId64 " elements of its storage", storage->nelem);
    return fanin_plan_tensor_set_view(r->plan, tensor, &view, r->error);
}

static fanin_status read_tensors(fanin_plan_reader *r, const fanin_json *list)
{
    static const char *const alias_keys[] = {"name", "alias_of", NULL};
    fanin_plan *plan = r->plan;
    plan->tensors = fanin_allocate_zeroed(list->count, sizeof *plan->tensors);
    if (plan->tensors == NULL)
        return fanin_fail_memory(r->error, (uint64_t)list->count * sizeof *plan->tensors);
    for (size_t i = 0; i < list->count; i++) {
        const fanin_json *json = &list->items[i];
        fanin_plan_tensor *tensor = &plan->tensors[i];
        FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "a tensor", r->error));
        FANIN_TRY(fanin_plan_need_text(r, json, "name", &tensor->name));
        const char *problem = fanin_name_problem(tensor->name, strlen(tensor->name));
        if (problem != NULL)
            return fanin_json_fail(r->document, fanin_json_get(json, "name"), r->error, "%s", problem);
        plan->ntensors = i + 1;
        if (fanin_json_get(json, "alias_of") == NULL) {
            FANIN_TRY(plan->is_recorded ? fanin_recording_read_tensor(r, json, tensor) : read_tensor(r, json, tensor));
            size_t *first = &plan->storages[tensor->storage].tensor;
            if (*first == SIZE_MAX || (fanin_plan_covers(plan, i) && !fanin_plan_covers(plan, *first)))
                *first = i;
        } else {
            FANIN_TRY(fanin_keys_check(r->document, json, alias_keys, "an alias", r->error));
            FANIN_TRY(fanin_plan_need_text(r, json, "alias_of", &tensor->tied_to));
        }
    }
    if (fanin_plan_index_names(plan, r->error) != FANIN_OK)
        return fanin_plan_fail_at(r, list);
    for (size_t i = 0; i < list->count; i++) {
        fanin_plan_tensor *tensor = &plan->tensors[i];
        size_t target = tensor->tied_to != NULL ? fanin_names_find(&plan->names, tensor->tied_to) : i;
        if (target == SIZE_MAX || (target != i && plan->tensors[target].tied_to != NULL) ||
            (target == i && tensor->tied_to != NULL))
            return fanin_json_fail(r->document, &list->items[i], r->error,
                                   "\"alias_of\" must name a tensor that is no alias itself");
        if (target == i)
            continue;
        const char *name = tensor->name;
        *tensor = plan->tensors[target];
        tensor->tied_to = tensor->name;
        tensor->name = name;
    }
    return FANIN_OK;
}

/* ---- ops ---- */

/* Whether no two elements of the view are the same element of the storage: each stride is beyond what it spans. */
static bool is_distinct(const fanin_tensor *view)
{
    bool used[FANIN_MAX_DIMS] = {false};
    uint64_t span = 0; /* of the dimensions with smaller strides: index of their last element */
    for (int32_t k = 0; k < view->ndim; k++) {
        int32_t least = -1;
        for (int32_t d = 0; d < view->ndim; d++)
            if (!used[d] && (least < 0 || view->strides[d] < view->strides[least]))
                least = d;
        used[least] = true;
        if (view->shape[least] == 1)
            continue;
        if ((uint64_t)view->strides[least] <= span)
            return false;
        span += (uint64_t)(view->shape[least] - 1) * (uint64_t)view->strides[least];
    }
    return true;
}

static fanin_status read_view(fanin_plan_reader *r, const fanin_json *json, const fanin_storage *storage,
                              fanin_plan_op *op)
{
    const fanin_json *off = fanin_json_get(json, "off");
    int64_t sizes[FANIN_MAX_DIMS] = {0};
    int32_t ndim, nstrides;
    if (off == NULL && fanin_json_get(json, "sizes") == NULL && fanin_json_get(json, "strides") == NULL)
        return FANIN_OK;
    if (off != NULL || !r->plan->is_recorded)
        FANIN_TRY(fanin_plan_need_size(r, json, "off", &op->offset));
    FANIN_TRY(fanin_plan_need_sizes(r, json, "sizes", sizes, &ndim));
    op->view = fanin_tensor_nd(NULL, storage->dtype, ndim, sizes);
    if (fanin_json_get(json, "strides") != NULL) {
        FANIN_TRY(fanin_plan_need_sizes(r, json, "strides", op->view.strides, &nstrides));
        if (nstrides != ndim)
            return fanin_json_fail(r->document, json, r->error, "there must be as many \"strides\" as \"sizes\"");
    }
    FANIN_TRY(fanin_plan_check_inside(r, json, storage->nelem, op->offset, &op->view));
    if (fanin_tensor_nelem(&op->view) > 0 && !is_distinct(&op->view))
        return fanin_json_fail(r->document, json, r->error, "the view holds an element twice");
    return FANIN_OK;
}

static fanin_status read_fill(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    for (size_t i = 0; i < fanin_fill_nvalues(op->fill.kind); i++) {
        const char *key = fanin_fill_value_name(op->fill.kind, i);
        const fanin_json *value = fanin_json_get(json, key);
        if (value == NULL)
            return fanin_json_fail(r->document, json, r->error, "\"%s\" is missing", key);
        FANIN_TRY(fanin_plan_read_double(r, value, key, &op->fill.value[i]));
    }
    return FANIN_OK;
}

static fanin_status read_explanation(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    static const char *const keys[] = {"init", "part", "where", "fan_in", "fan_out", "gain", "std", "bound", NULL};
    const fanin_json *explain = fanin_json_get(json, "explain");
    if (explain == NULL && r->plan->is_recorded)
        return FANIN_OK;
    FANIN_TRY(fanin_plan_need(r, json, "explain", FANIN_JSON_OBJECT, &explain));
    FANIN_TRY(fanin_keys_check(r->document, explain, keys, "an explanation", r->error));
    const struct {
        const char *key;
        const char **text;
    } texts[] = {{"init", &op->initializer}, {"part", &op->part}, {"where", &op->where}};
    const struct {
        const char *key;
        double *number;
    } numbers[] = {{"gain", &op->gain}, {"std", &op->std}, {"bound", &op->bound}};
    const struct {
        const char *key;
        int64_t *size;
    } sizes[] = {{"fan_in", &op->fan_in}, {"fan_out", &op->fan_out}};
    for (size_t i = 0; i < 3; i++) {
        const fanin_json *number = fanin_json_get(explain, numbers[i].key);
        if (number != NULL)
            FANIN_TRY(fanin_plan_read_double(r, number, numbers[i].key, numbers[i].number));
        if (fanin_json_get(explain, texts[i].key) != NULL)
            FANIN_TRY(fanin_plan_need_text(r, explain, texts[i].key, texts[i].text));
    }
    for (size_t i = 0; i < 2; i++) {
        if (fanin_json_get(explain, sizes[i].key) != NULL)
            FANIN_TRY(fanin_plan_need_size(r, explain, sizes[i].key, sizes[i].size));
    }
    return FANIN_OK;
}

/* The op that draws at this position, if one does. */
static const fanin_plan_op *find_drawing(const fanin_plan_reader *r, uint64_t at)
{
    size_t begin = 0, end = r->ndrawing;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (r->plan->ops[r->drawing[middle]].at < at)
            begin = middle + 1;
        else
            end = middle;
    }
    const fanin_plan_op *op = begin < r->ndrawing ? &r->plan->ops[r->drawing[begin]] : NULL;
    return op != NULL && op->at == at ? op : NULL;
}

/* An op before the position reached draws nothing new: it is a copy of the one that drew there. */
static fanin_status copy_position(fanin_plan_reader *r, const fanin_json *json, uint64_t at, fanin_plan_op *op)
{
    const fanin_plan_op *source = find_drawing(r, at);
    bool same = source != NULL && !source->data_dependent && source->fill.kind == op->fill.kind &&
                memcmp(source->fill.value, op->fill.value, sizeof op->fill.value) == 0 &&
                source->view.dtype == op->view.dtype && source->view.ndim == op->view.ndim &&
                memcmp(source->view.shape, op->view.shape, sizeof op->view.shape) == 0 &&
                memcmp(source->view.strides, op->view.strides, sizeof op->view.strides) == 0;
    if (!same)
        return fanin_json_fail(r->document, json, r->error,
                               "\"at\" must be %" PRIu64
                               " here; an earlier position is for a copy of the op that draws there",
                               r->position.at);
    op->at = source->at;
    op->ndraws = source->ndraws;
    op->cached_at = source->cached_at;
    op->barriers = source->barriers;
    return FANIN_OK;
}

static fanin_status check_position(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    const fanin_json *at = NULL, *cached = fanin_json_get(json, "cached");
    const fanin_json *dependent = fanin_json_get(json, "data_dependent");
    bool draws = fanin_fill_kind_draws(op->fill.kind);
    if (draws)
        FANIN_TRY(fanin_plan_need(r, json, "at", FANIN_JSON_UNSIGNED, &at));
    if (draws && at->unsigned_value < r->position.at) {
        /* The checks of a new op, and what it would draw. */
        fanin_position elsewhere = {0};
        FANIN_TRY(fanin_position_pass(&elsewhere, r->plan->profile, op, r->error));
        op->data_dependent = false;
        FANIN_TRY(copy_position(r, json, at->unsigned_value, op));
    } else if (fanin_position_pass(&r->position, r->plan->profile, op, r->error) != FANIN_OK) {
        return fanin_plan_fail_at(r, json);
    } else if (op->ndraws > 0) {
        r->drawing[r->ndrawing++] = r->plan->nops;
    }
    if (!draws)
        return FANIN_OK;
    FANIN_TRY(fanin_plan_need_number(r, json, "at", op->at));
    FANIN_TRY(fanin_plan_need_number(r, json, "words", op->ndraws));
    bool at_barrier = cached != NULL && cached->kind == FANIN_JSON_STRING && strcmp(cached->string, "barrier") == 0;
    uint64_t stated = at_barrier ? FANIN_CACHED_AT_BARRIER : FANIN_NO_POSITION;
    if (cached != NULL && cached->kind == FANIN_JSON_UNSIGNED)
        stated = cached->unsigned_value;
    if (stated != op->cached_at || (cached != NULL && stated == FANIN_NO_POSITION))
        return fanin_json_fail(r->document, cached != NULL ? cached : json, r->error,
                               "\"cached\" does not agree with the ops before");
    if ((dependent != NULL) != op->data_dependent ||
        (dependent != NULL && (dependent->kind != FANIN_JSON_BOOL || !dependent->boolean)))
        return fanin_json_fail(r->document, dependent != NULL ? dependent : json, r->error,
                               "\"data_dependent\": true belongs to ops whose draws depend on data, and only to them");
    return FANIN_OK;
}

/* The kind of an op, from its word; FANIN_OP_UNKNOWN if this version has no such op. */
static void find_kind(const fanin_plan_reader *r, const char *word, fanin_plan_op *op)
{
    static const struct {
        const char *word;
        fanin_plan_op_kind kind;
    } recorded[] = {{"literal", FANIN_OP_LITERAL},
                    {"copy", FANIN_OP_COPY},
                    {"cast", FANIN_OP_CAST},
                    {"norm", FANIN_OP_NORM},
                    {"qr", FANIN_OP_QR}};
    op->kind = FANIN_OP_UNKNOWN;
    for (int kind = 1; kind < FANIN_FILL_KIND_COUNT; kind++) {
        if (strcmp(fanin_plan_op_word((fanin_fill_kind)kind), word) == 0) {
            op->kind = FANIN_OP_FILL;
            op->fill.kind = (fanin_fill_kind)kind;
        }
    }
    for (int f = 0; r->plan->is_recorded && f < FANIN_FUNCTION_COUNT; f++) {
        if (strcmp(fanin_plan_function_name((fanin_plan_function)f), word) == 0) {
            op->kind = FANIN_OP_FUNCTION;
            op->function = (fanin_plan_function)f;
        }
    }
    for (size_t i = 0; r->plan->is_recorded && i < sizeof recorded / sizeof recorded[0]; i++)
        if (strcmp(recorded[i].word, word) == 0)
            op->kind = recorded[i].kind;
}

/* Members that an op of this kind may have. */
static fanin_status check_keys(fanin_plan_reader *r, const fanin_json *json, const char *word, const fanin_plan_op *op)
{
    static const char *const common[] = {"op", "s", "off", "sizes", "strides", "n", "explain"};
    static const char *const drawing[] = {"at", "words", "cached", "data_dependent"};
    static const char *const recorded[] = {"barriers", "stream"};
    const char *keys[sizeof common / sizeof common[0] + sizeof drawing / sizeof drawing[0] +
                     sizeof recorded / sizeof recorded[0] + 5] = {0};
    size_t n = sizeof common / sizeof common[0];
    memcpy(keys, common, sizeof common);
    if (op->kind == FANIN_OP_FILL && fanin_fill_kind_draws(op->fill.kind)) {
        memcpy(keys + n, drawing, sizeof drawing);
        n += sizeof drawing / sizeof drawing[0];
        if (r->plan->is_recorded) {
            memcpy(keys + n, recorded, sizeof recorded);
            n += sizeof recorded / sizeof recorded[0];
        }
    }
    for (size_t i = 0; op->kind == FANIN_OP_FILL && i < fanin_fill_nvalues(op->fill.kind); i++)
        keys[n++] = fanin_fill_value_name(op->fill.kind, i);
    if (op->kind == FANIN_OP_LITERAL)
        keys[n++] = "literal";
    if (op->kind == FANIN_OP_COPY || op->kind == FANIN_OP_CAST || op->kind == FANIN_OP_FUNCTION ||
        op->kind == FANIN_OP_NORM || op->kind == FANIN_OP_QR)
        keys[n++] = "src";
    if (op->kind == FANIN_OP_NORM || op->kind == FANIN_OP_QR)
        keys[n++] = "bits";
    if (op->kind == FANIN_OP_NORM)
        keys[n++] = "dims";
    if (op->kind == FANIN_OP_FUNCTION) {
        keys[n++] = "bits";
        if (op->function == FANIN_FUNCTION_CLAMP) {
            keys[n++] = "min";
            keys[n++] = "max";
        } else if (op->function >= FANIN_FUNCTION_ADD) {
            keys[n++] = "other";
        }
    }
    return fanin_keys_check(r->document, json, keys, word, r->error);
}

static fanin_status read_content(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    if (op->kind != FANIN_OP_FILL)
        return fanin_recording_read_content(r, json, op);
    FANIN_TRY(read_fill(r, json, op));
    if (!r->plan->is_recorded)
        return check_position(r, json, op);
    if (fanin_fill_kind_draws(op->fill.kind))
        return fanin_recording_read_position(r, json, op);
    return fanin_fill_check(&op->fill, &op->view, r->plan->profile, r->error) == FANIN_OK ? FANIN_OK
                                                                                          : fanin_plan_fail_at(r, json);
}

static fanin_status read_op(fanin_plan_reader *r, const fanin_json *json)
{
    fanin_plan_op op = {
        .cached_at = FANIN_NO_POSITION, .fan_in = -1, .fan_out = -1, .gain = NAN, .std = NAN, .bound = NAN};
    const char *word;
    FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "an op", r->error));
    FANIN_TRY(fanin_plan_need_text(r, json, "op", &word));
    find_kind(r, word, &op);
    if (op.kind == FANIN_OP_UNKNOWN && !r->plan->is_recorded)
        return fanin_json_fail(r->document, fanin_json_get(json, "op"), r->error, "this fanin knows no op \"%.64s\"",
                               word);
    FANIN_TRY(fanin_plan_need_index(r, json, "s", r->plan->nstorages, "storage", &op.storage));
    op.tensor = r->plan->storages[op.storage].tensor;
    if (op.kind == FANIN_OP_UNKNOWN) {
        op.initializer = word;
        FANIN_TRY(fanin_recording_read_unknown(r, json, &op));
        return fanin_plan_add_op(r->plan, &op, r->error);
    }
    FANIN_TRY(check_keys(r, json, word, &op));
    op.view = fanin_plan_whole_view(r->plan, op.storage, op.tensor);
    FANIN_TRY(read_view(r, json, &r->plan->storages[op.storage], &op));
    FANIN_TRY(fanin_plan_need_number(r, json, "n", (uint64_t)fanin_tensor_nelem(&op.view)));
    FANIN_TRY(read_explanation(r, json, &op));
    FANIN_TRY(read_content(r, json, &op));
    fanin_recording_follow_unknown(r->plan, &op);
    return fanin_plan_add_op(r->plan, &op, r->error);
}

static fanin_status read_ops(fanin_plan_reader *r, const fanin_json *list)
{
    r->drawing = fanin_allocate(list->count, sizeof *r->drawing);
    if (r->drawing == NULL)
        return fanin_fail_memory(r->error, (uint64_t)list->count * sizeof *r->drawing);
    for (size_t i = 0; i < list->count; i++)
        FANIN_TRY(read_op(r, &list->items[i]));
    return FANIN_OK;
}

/* ---- the whole ---- */

static fanin_status read_version(fanin_plan_reader *r, const fanin_json *root)
{
    const fanin_json *version;
    FANIN_TRY(fanin_plan_need(r, root, "version", FANIN_JSON_ARRAY, &version));
    if (version->count != 2 || version->items[0].kind != FANIN_JSON_UNSIGNED ||
        version->items[1].kind != FANIN_JSON_UNSIGNED || version->items[0].unsigned_value != 1 ||
        version->items[1].unsigned_value > 1) {
        fanin_json_fail(r->document, version, r->error, "this fanin reads plans of \"version\": [1, 0] and [1, 1]");
        return r->error->status = FANIN_ERROR_UNSUPPORTED;
    }
    r->plan->is_recorded = version->items[1].unsigned_value == 1;
    return FANIN_OK;
}

static fanin_status read_streams(fanin_plan_reader *r, const fanin_json *streams)
{
    static const char *const keys[] = {"id", "kind", "seed", NULL};
    if (streams->count != 1 || streams->items[0].kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, streams, r->error, "there must be one stream");
    FANIN_TRY(fanin_keys_check(r->document, &streams->items[0], keys, "a stream", r->error));
    FANIN_TRY(fanin_plan_need_number(r, &streams->items[0], "id", 0));
    FANIN_TRY(fanin_plan_need_word(r, &streams->items[0], "kind", "mt19937"));
    return fanin_plan_need_word(r, &streams->items[0], "seed", "user");
}

static fanin_status read_source(fanin_plan_reader *r, const fanin_json *source)
{
    static const char *const keys[] = {"family", NULL};
    FANIN_TRY(fanin_json_expect(r->document, source, FANIN_JSON_OBJECT, "source", r->error));
    if (r->plan->is_recorded)
        return fanin_recording_read_source(r, source);
    FANIN_TRY(fanin_keys_check(r->document, source, keys, "\"source\"", r->error));
    return fanin_plan_need_text(r, source, "family", &r->plan->family);
}

static fanin_status read_head(fanin_plan_reader *r, const fanin_json *root)
{
    static const char *const keys[] = {"format",   "version", "profile", "streams", "source",
                                       "storages", "tensors", "ops",     "words",   NULL};
    static const char *const recorded_keys[] = {"format",  "version",  "profile", "streams", "source", "storages",
                                                "tensors", "literals", "ops",     "words",   "check",  NULL};
    const fanin_json *streams;
    const char *profile;
    FANIN_TRY(fanin_json_expect(r->document, root, FANIN_JSON_OBJECT, "a plan", r->error));
    FANIN_TRY(fanin_plan_need_word(r, root, "format", "fanin-plan"));
    FANIN_TRY(read_version(r, root));
    FANIN_TRY(fanin_keys_check(r->document, root, r->plan->is_recorded ? recorded_keys : keys, "a plan", r->error));
    FANIN_TRY(fanin_plan_need_text(r, root, "profile", &profile));
    fanin_error ignored;
    if (fanin_profile_parse(profile, &r->plan->profile, &ignored) != FANIN_OK ||
        strcmp(fanin_profile_name(r->plan->profile), profile) != 0)
        return fanin_json_fail(r->document, fanin_json_get(root, "profile"), r->error,
                               "\"%.64s\" is not the frozen name of a profile, as \"torch-2.13\" is", profile);
    FANIN_TRY(fanin_plan_need(r, root, "streams", FANIN_JSON_ARRAY, &streams));
    FANIN_TRY(r->plan->is_recorded ? fanin_recording_read_streams(r, streams) : read_streams(r, streams));
    const fanin_json *source = fanin_json_get(root, "source");
    return source != NULL ? read_source(r, source) : FANIN_OK;
}

/* What follows from the ops. */
static fanin_status finish(fanin_plan_reader *r, const fanin_json *root)
{
    const fanin_json *words, *check = fanin_json_get(root, "check");
    FANIN_TRY(fanin_plan_need(r, root, "words", FANIN_JSON_UNSIGNED, &words));
    if (!r->plan->is_recorded)
        FANIN_TRY(fanin_plan_need_number(r, root, "words", r->position.at));
    r->plan->ndraws = words->unsigned_value;
    if (r->plan->ndraws >= FANIN_CACHED_AT_BARRIER)
        return fanin_json_fail(r->document, words, r->error, "the stream would be longer than 2^64 draws");
    if (check != NULL)
        FANIN_TRY(fanin_recording_read_check(r, check));
    fanin_recording_refuse_unknown(r->plan);
    FANIN_TRY(fanin_plan_check_coverage(r->plan, r->document->name, r->error));
    FANIN_TRY(fanin_plan_warn_of_family(r->plan, r->error));
    return fanin_plan_mark_dead(r->plan, r->error);
}

static fanin_status read_plan(fanin_plan_reader *r)
{
    const fanin_json *root = &r->document->root, *list;
    FANIN_TRY(read_head(r, root));
    FANIN_TRY(fanin_plan_need(r, root, "storages", FANIN_JSON_ARRAY, &list));
    FANIN_TRY(read_storages(r, list));
    FANIN_TRY(fanin_plan_need(r, root, "tensors", FANIN_JSON_ARRAY, &list));
    FANIN_TRY(read_tensors(r, list));
    list = fanin_json_get(root, "literals");
    if (list != NULL)
        FANIN_TRY(fanin_recording_read_literals(r, list));
    FANIN_TRY(fanin_plan_need(r, root, "ops", FANIN_JSON_ARRAY, &list));
    FANIN_TRY(read_ops(r, list));
    return finish(r, root);
}

static fanin_status read_document(const fanin_json_document *document, fanin_plan **plan, fanin_error *error)
{
    fanin_plan_reader r = {.document = document, .error = error};
    r.plan = fanin_allocate_zeroed(1, sizeof *r.plan);
    fanin_status status = r.plan != NULL ? read_plan(&r) : fanin_fail_memory(error, sizeof *r.plan);
    fanin_free(r.drawing);
    fanin_free(r.streams);
    if (status == FANIN_OK)
        *plan = r.plan;
    else
        fanin_plan_free(r.plan);
    return status;
}

fanin_status fanin_plan_parse(const char *text, size_t nbytes, const char *name, fanin_plan **plan, fanin_error *error)
{
    fanin_error own;
    fanin_json_document document;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *plan = NULL;
    FANIN_TRY(fanin_json_parse(text, nbytes, name, &limits, &document, error));
    fanin_status status = read_document(&document, plan, error);
    fanin_json_release(&document);
    return status;
}

fanin_status fanin_description_read(const char *path, fanin_model **model, fanin_plan **plan, fanin_error *error)
{
    fanin_error own;
    fanin_json_document document;
    char *text;
    size_t nbytes;
    const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *model = NULL;
    *plan = NULL;
    FANIN_TRY(fanin_read_file(path, MAX_FILE_NBYTES, &text, &nbytes, error));
    bool is_plan = false;
    if (fanin_json_parse(text, nbytes, name, &limits, &document, error) == FANIN_OK) {
        const fanin_json *root = &document.root;
        const fanin_json *format = root->kind == FANIN_JSON_OBJECT ? fanin_json_get(root, "format") : NULL;
        is_plan = format != NULL && format->kind == FANIN_JSON_STRING && strcmp(format->string, "fanin-plan") == 0;
        if (is_plan) {
            fanin_free(text);
            text = NULL;
            (void)read_document(&document, plan, error);
        }
        fanin_json_release(&document);
    }
    fanin_status status = is_plan ? error->status : fanin_model_parse(text, nbytes, name, model, error);
    fanin_free(text);
    return status;
}
