/* SPDX-License-Identifier: MIT */
/*
 * A plan as compact JSON, the format of docs/plan-format.md. The same plan is always the same bytes, whatever the
 * machine, so that their SHA-256 names it.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/sha256.h"
#include "base/text.h"
#include "plan/plan_file.h"

void fanin_plan_number_add(fanin_text *text, double value)
{
    char number[FANIN_NUMBER_NBYTES];
    bool plain = isfinite(value) && !(value == 0 && signbit(value));
    if (plain)
        fanin_text_add(text, fanin_number_format(value, number));
    else
        fanin_text_format(text, "\"%s\"", isnan(value) ? "nan" : value == 0 ? "-0" : value < 0 ? "-inf" : "inf");
}

static void add_sizes(fanin_text *text, const char *key, const int64_t *sizes, int32_t n)
{
    fanin_text_format(text, ",\"%s\":[", key);
    for (int32_t d = 0; d < n; d++)
        fanin_text_format(text, "%s%" PRId64, d == 0 ? "" : ",", sizes[d]);
    fanin_text_add(text, "]");
}

/* What goes before the next member of an object. A text that failed may hold nothing. */
static const char *separator(const fanin_text *text)
{
    return text->nbytes > 0 && text->data[text->nbytes - 1] == '{' ? "" : ",";
}

static void add_string(fanin_text *text, const char *key, const char *value)
{
    if (value == NULL)
        return;
    fanin_text_format(text, "%s\"%s\":", separator(text), key);
    fanin_text_json_string(text, value, strlen(value));
}

static void add_number(fanin_text *text, const char *key, double value)
{
    if (isnan(value))
        return;
    fanin_text_format(text, "%s\"%s\":", separator(text), key);
    fanin_plan_number_add(text, value);
}

const char *fanin_plan_op_word(fanin_fill_kind kind)
{
    return kind == FANIN_FILL_CONSTANT ? "fill" : fanin_fill_kind_name(kind);
}

static bool is_whole(const fanin_plan *plan, size_t storage, const fanin_plan_op *op)
{
    fanin_tensor whole = fanin_plan_whole_view(plan, storage);
    return op->offset == 0 && op->view.ndim == whole.ndim && fanin_tensor_is_contiguous(&op->view) &&
           memcmp(op->view.shape, whole.shape, sizeof whole.shape) == 0;
}

fanin_tensor fanin_plan_whole_view(const fanin_plan *plan, size_t storage)
{
    const fanin_storage *s = &plan->storages[storage];
    if (s->tensor == SIZE_MAX)
        return fanin_tensor_1d(NULL, s->dtype, s->nelem);
    const fanin_plan_tensor *tensor = &plan->tensors[s->tensor];
    return fanin_tensor_nd(NULL, tensor->dtype, tensor->ndim, tensor->shape);
}

static void add_op(fanin_text *text, const fanin_plan *plan, size_t index)
{
    const fanin_plan_op *op = &plan->ops[index];
    size_t storage = op->storage;
    fanin_text_format(text, "{\"op\":\"%s\",\"s\":%zu", fanin_plan_op_word(op->fill.kind), storage);
    if (!is_whole(plan, storage, op)) {
        fanin_text_format(text, ",\"off\":%" PRId64, op->offset);
        add_sizes(text, "sizes", op->view.shape, op->view.ndim);
        if (!fanin_tensor_is_contiguous(&op->view))
            add_sizes(text, "strides", op->view.strides, op->view.ndim);
    }
    fanin_text_format(text, ",\"n\":%" PRId64, fanin_tensor_nelem(&op->view));
    if (fanin_fill_kind_draws(op->fill.kind)) {
        fanin_text_format(text, ",\"at\":%" PRIu64 ",\"words\":%" PRIu64, op->at, op->ndraws);
        if (op->cached_at == FANIN_CACHED_AT_BARRIER)
            fanin_text_add(text, ",\"cached\":\"barrier\"");
        else if (op->cached_at != FANIN_NO_POSITION)
            fanin_text_format(text, ",\"cached\":%" PRIu64, op->cached_at);
        if (op->data_dependent)
            fanin_text_add(text, ",\"data_dependent\":true");
    }
    for (size_t i = 0, n = fanin_fill_nvalues(op->fill.kind); i < n; i++) {
        fanin_text_format(text, ",\"%s\":", fanin_fill_value_name(op->fill.kind, i));
        fanin_plan_number_add(text, op->fill.value[i]);
    }
    fanin_text_add(text, ",\"explain\":{");
    add_string(text, "init", op->initializer);
    add_string(text, "part", op->part);
    add_string(text, "where", op->where);
    add_number(text, "fan_in", op->fan_in >= 0 ? (double)op->fan_in : NAN);
    add_number(text, "fan_out", op->fan_out >= 0 ? (double)op->fan_out : NAN);
    add_number(text, "gain", op->gain);
    add_number(text, "std", op->std);
    add_number(text, "bound", op->bound);
    fanin_text_add(text, "}}");
}

static void add_plan(fanin_text *text, const fanin_plan *plan)
{
    fanin_text_format(text,
                      "{\"format\":\"fanin-plan\",\"version\":[1,0],\"profile\":\"%s\","
                      "\"streams\":[{\"id\":0,\"kind\":\"mt19937\",\"seed\":\"user\"}]",
                      fanin_profile_name(plan->profile));
    if (plan->family != NULL) {
        fanin_text_add(text, ",\"source\":{\"family\":");
        fanin_text_json_string(text, plan->family, strlen(plan->family));
        fanin_text_add(text, "}");
    }
    fanin_text_add(text, ",\"storages\":[");
    for (size_t i = 0; i < plan->nstorages; i++)
        fanin_text_format(text, "%s{\"id\":%zu,\"dtype\":\"%s\",\"n\":%" PRId64 "}", i == 0 ? "" : ",", i,
                          fanin_dtype_name(plan->storages[i].dtype), plan->storages[i].nelem);
    fanin_text_add(text, "],\"tensors\":[");
    for (size_t i = 0; i < plan->ntensors; i++) {
        const fanin_plan_tensor *tensor = &plan->tensors[i];
        fanin_text_add(text, i == 0 ? "{\"name\":" : ",{\"name\":");
        fanin_text_json_string(text, tensor->name, strlen(tensor->name));
        if (tensor->tied_to != NULL) {
            add_string(text, "alias_of", tensor->tied_to);
        } else {
            fanin_text_format(text, ",\"s\":%zu", tensor->storage);
            add_sizes(text, "shape", tensor->shape, tensor->ndim);
        }
        fanin_text_add(text, "}");
    }
    fanin_text_add(text, "],\"ops\":[");
    for (size_t i = 0; i < plan->nops && !text->failed; i++) {
        if (i > 0)
            fanin_text_add(text, ",");
        add_op(text, plan, i);
    }
    fanin_text_format(text, "],\"words\":%" PRIu64 "}", plan->ndraws);
}

fanin_status fanin_plan_to_json(const fanin_plan *plan, char **text, fanin_error *error)
{
    fanin_text json = {0};
    fanin_clear(error);
    add_plan(&json, plan);
    *text = json.failed ? NULL : fanin_duplicate(json.data, json.nbytes);
    fanin_text_release(&json);
    return *text != NULL ? FANIN_OK : fanin_fail_memory(error, json.nbytes);
}

fanin_status fanin_plan_sha256(const fanin_plan *plan, char hex[65], fanin_error *error)
{
    fanin_text json = {0};
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_clear(error);
    add_plan(&json, plan);
    if (!json.failed) {
        fanin_sha256_begin(&hash);
        fanin_sha256_update(&hash, json.data, json.nbytes);
        fanin_sha256_end(&hash, digest);
        fanin_hex32(digest, hex);
    }
    bool failed = json.failed;
    fanin_text_release(&json);
    return failed ? fanin_fail_memory(error, 1) : FANIN_OK;
}
