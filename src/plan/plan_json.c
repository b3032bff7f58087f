/* SPDX-License-Identifier: MIT */
/*
 * A plan as compact JSON, the format of docs/plan-format.md. The same plan is always the same bytes, whatever the
 * machine, so that their SHA-256 names it.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"
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

bool fanin_plan_covers(const fanin_plan *plan, size_t tensor)
{
    const fanin_plan_tensor *t = &plan->tensors[tensor];
    fanin_tensor view = fanin_tensor_nd(NULL, t->dtype, t->ndim, t->shape);
    memcpy(view.strides, t->strides, sizeof view.strides);
    return t->offset == 0 && t->nelem == (uint64_t)plan->storages[t->storage].nelem &&
           fanin_tensor_is_contiguous(&view);
}

fanin_tensor fanin_plan_whole_view(const fanin_plan *plan, size_t storage, size_t tensor)
{
    const fanin_storage *s = &plan->storages[storage];
    if (tensor == SIZE_MAX || !fanin_plan_covers(plan, tensor))
        return fanin_tensor_1d(NULL, s->dtype, s->nelem);
    const fanin_plan_tensor *t = &plan->tensors[tensor];
    return fanin_tensor_nd(NULL, t->dtype, t->ndim, t->shape);
}

/* A plan, or the part of it that has some of its names, on its way to text. */
typedef struct writing {
    fanin_text *text;
    const fanin_plan *plan;
    const size_t *named; /* by storage: as fanin_storage.tensor, among the names that are kept */
    const size_t *owner; /* by tensor: the name it is an alias of, itself if it is none, SIZE_MAX if it is left out */
    const size_t *storage_id; /* by storage: its number in the text, SIZE_MAX if it is left out */
    const size_t *literal_id; /* by literal: the same */
    bool without_dead;        /* ops that only take their draws, which a recorded plan need not have */
} writing;

/* Where a data-dependent op ends is needed even if it is dead. */
static bool is_left_out(const writing *w, const fanin_plan_op *op)
{
    return w->without_dead && op->dead && !op->data_dependent;
}

static bool is_whole(const writing *w, const fanin_plan_op *op)
{
    fanin_tensor whole = fanin_plan_whole_view(w->plan, op->storage, w->named[op->storage]);
    return op->offset == 0 && op->view.ndim == whole.ndim && fanin_tensor_is_contiguous(&op->view) &&
           memcmp(op->view.shape, whole.shape, sizeof whole.shape) == 0;
}

static void add_view(fanin_text *text, int64_t offset, const fanin_tensor *view)
{
    fanin_text_format(text, ",\"off\":%" PRId64, offset);
    add_sizes(text, "sizes", view->shape, view->ndim);
    if (!fanin_tensor_is_contiguous(view))
        add_sizes(text, "strides", view->strides, view->ndim);
}

static void add_position(const writing *w, const fanin_plan_op *op)
{
    fanin_text *text = w->text;
    fanin_text_format(text, ",\"at\":%" PRIu64 ",\"words\":%" PRIu64, op->at, op->ndraws);
    if (w->plan->is_recorded && op->barriers > 0)
        fanin_text_format(text, ",\"barriers\":%zu", op->barriers);
    if (op->cached_at == FANIN_CACHED_AT_BARRIER)
        fanin_text_add(text, ",\"cached\":\"barrier\"");
    else if (op->cached_at != FANIN_NO_POSITION)
        fanin_text_format(text, ",\"cached\":%" PRIu64, op->cached_at);
    if (op->data_dependent)
        fanin_text_add(text, ",\"data_dependent\":true");
    if (op->stream > 0)
        fanin_text_format(text, ",\"stream\":%zu", op->stream);
}

/* Left out of a recorded plan if it says nothing. */
static void add_explanation(const writing *w, const fanin_plan_op *op)
{
    fanin_text *text = w->text;
    bool is_empty = op->initializer == NULL && op->part == NULL && op->where == NULL && op->fan_in < 0 &&
                    op->fan_out < 0 && isnan(op->gain) && isnan(op->std) && isnan(op->bound);
    if (w->plan->is_recorded && is_empty)
        return;
    fanin_text_add(text, ",\"explain\":{");
    add_string(text, "init", op->initializer);
    add_string(text, "part", op->part);
    add_string(text, "where", op->where);
    add_number(text, "fan_in", op->fan_in >= 0 ? (double)op->fan_in : NAN);
    add_number(text, "fan_out", op->fan_out >= 0 ? (double)op->fan_out : NAN);
    add_number(text, "gain", op->gain);
    add_number(text, "std", op->std);
    add_number(text, "bound", op->bound);
    fanin_text_add(text, "}");
}

static const char *word_of(const fanin_plan_op *op)
{
    return op->kind == FANIN_OP_LITERAL    ? "literal"
           : op->kind == FANIN_OP_COPY     ? "copy"
           : op->kind == FANIN_OP_CAST     ? "cast"
           : op->kind == FANIN_OP_NORM     ? "norm"
           : op->kind == FANIN_OP_QR       ? "qr"
           : op->kind == FANIN_OP_FUNCTION ? fanin_plan_function_name(op->function)
                                           : fanin_plan_op_word(op->fill.kind);
}

static void add_source(const writing *w, const char *key, const fanin_plan_source *source)
{
    fanin_text_format(w->text, ",\"%s\":{\"s\":%zu", key, w->storage_id[source->storage]);
    add_view(w->text, source->offset, &source->view);
    fanin_text_add(w->text, "}");
}

/* What a function has beside the tensor it is of. */
static void add_function(const writing *w, const fanin_plan_op *op)
{
    fanin_text *text = w->text;
    if (op->function == FANIN_FUNCTION_CLAMP) {
        add_number(text, "min", op->numbers[0]);
        add_number(text, "max", op->numbers[1]);
    } else if (op->other != NULL) {
        add_source(w, "other", op->other);
    } else if (op->function >= FANIN_FUNCTION_ADD) {
        fanin_text_add(text, ",\"other\":");
        fanin_plan_number_add(text, op->numbers[0]);
    }
    if (fanin_plan_function_is_host(op->function, op->view.dtype))
        add_string(text, "bits", "host");
}

/* The dimensions that a norm is over. Its bits are never torch's, which sums in an order of its host. */
static void add_norm(const writing *w, const fanin_plan_op *op)
{
    int64_t dims[FANIN_MAX_DIMS];
    int32_t n = 0;
    for (int32_t d = 0; d < op->source->view.ndim; d++)
        if (op->summed >> d & 1)
            dims[n++] = d;
    add_sizes(w->text, "dims", dims, n);
    add_string(w->text, "bits", "host");
}

static void add_op(const writing *w, const fanin_plan_op *op)
{
    fanin_text *text = w->text;
    if (op->kind == FANIN_OP_UNKNOWN) {
        fanin_text_add(text, op->unknown);
        return;
    }
    fanin_text_format(text, "{\"op\":\"%s\",\"s\":%zu", word_of(op), w->storage_id[op->storage]);
    if (!is_whole(w, op))
        add_view(text, op->offset, &op->view);
    fanin_text_format(text, ",\"n\":%" PRId64, fanin_tensor_nelem(&op->view));
    if (op->kind == FANIN_OP_LITERAL) {
        fanin_text_format(text, ",\"literal\":%zu", w->literal_id[op->literal]);
    } else if (op->source != NULL) {
        add_source(w, "src", op->source);
        if (op->kind == FANIN_OP_FUNCTION)
            add_function(w, op);
        else if (op->kind == FANIN_OP_NORM)
            add_norm(w, op);
        else if (op->kind == FANIN_OP_QR)
            add_string(text, "bits", "host");
    } else {
        if (fanin_fill_kind_draws(op->fill.kind))
            add_position(w, op);
        for (size_t i = 0, n = fanin_fill_nvalues(op->fill.kind); i < n; i++) {
            fanin_text_format(text, ",\"%s\":", fanin_fill_value_name(op->fill.kind, i));
            fanin_plan_number_add(text, op->fill.value[i]);
        }
    }
    add_explanation(w, op);
    fanin_text_add(text, "}");
}

static void add_head(const writing *w)
{
    fanin_text *text = w->text;
    const fanin_plan *plan = w->plan;
    fanin_text_format(text,
                      "{\"format\":\"fanin-plan\",\"version\":[1,%d],\"profile\":\"%s\","
                      "\"streams\":[{\"id\":0,\"kind\":\"mt19937\",\"seed\":\"user\"}",
                      plan->is_recorded, fanin_profile_name(plan->profile));
    for (size_t i = 1; i < plan->nstreams; i++)
        fanin_text_format(text, ",{\"id\":%zu,\"kind\":\"mt19937\",\"seed\":\"%" PRIu64 "\"}", i,
                          plan->stream_seeds[i]);
    fanin_text_add(text, "]");
    if (plan->family == NULL && plan->notes == NULL)
        return;
    fanin_text_add(text, ",\"source\":{");
    add_string(text, "family", plan->family);
    for (size_t i = 0; i < plan->nnotes; i++) {
        fanin_text_add(text, i == 0 ? "" : ",");
        fanin_text_json_string(text, plan->notes[i].key, strlen(plan->notes[i].key));
        fanin_text_add(text, ":");
        if (plan->notes[i].value != NULL)
            fanin_text_json_string(text, plan->notes[i].value, strlen(plan->notes[i].value));
        else
            fanin_text_add(text, "null");
    }
    fanin_text_add(text, "}");
}

static void add_tensor(const writing *w, size_t index)
{
    fanin_text *text = w->text;
    const fanin_plan_tensor *tensor = &w->plan->tensors[index];
    add_string(text, "name", tensor->name);
    if (w->owner[index] != index) {
        add_string(text, "alias_of", w->plan->tensors[w->owner[index]].name);
        return;
    }
    fanin_tensor view = fanin_tensor_nd(NULL, tensor->dtype, tensor->ndim, tensor->shape);
    memcpy(view.strides, tensor->strides, sizeof view.strides);
    fanin_text_format(text, ",\"s\":%zu", w->storage_id[tensor->storage]);
    if (tensor->offset > 0)
        fanin_text_format(text, ",\"off\":%" PRId64, tensor->offset);
    add_sizes(text, "shape", tensor->shape, tensor->ndim);
    if (!fanin_tensor_is_contiguous(&view))
        add_sizes(text, "strides", view.strides, view.ndim);
    if (tensor->is_buffer)
        fanin_text_add(text, ",\"kind\":\"buffer\"");
    if (!tensor->is_persistent)
        fanin_text_add(text, ",\"persistent\":false");
    /* a refusal that follows from an op of a later version is found again */
    if (tensor->refused != w->plan->storages[tensor->storage].unknown)
        add_string(text, "refused", tensor->refused);
}

static void add_literals(const writing *w)
{
    fanin_text *text = w->text;
    const char *before = ",\"literals\":[";
    for (size_t i = 0; i < w->plan->nliterals && !text->failed; i++) {
        const fanin_plan_literal *literal = &w->plan->literals[i];
        char hex[65];
        if (w->literal_id[i] == SIZE_MAX)
            continue;
        fanin_hex32(literal->sha256, hex);
        fanin_text_format(text, "%s{\"id\":%zu,\"nbytes\":%" PRIu64 ",\"sha256\":\"%s\",\"data\":\"", before,
                          w->literal_id[i], literal->nbytes, hex);
        fanin_base64_add(text, literal->data, literal->nbytes);
        fanin_text_add(text, "\"}");
        before = ",";
    }
    fanin_text_add(text, before[1] == '\0' ? "]" : "");
}

static void add_check(const writing *w)
{
    fanin_text *text = w->text;
    const fanin_plan *plan = w->plan;
    fanin_text_format(text, ",\"check\":{\"seed\":\"%" PRIu64 "\",\"sha256\":{", plan->check_seed);
    for (size_t i = 0; i < plan->ntensors && !text->failed; i++) {
        char hex[65];
        if (!plan->is_checked[i] || w->owner[i] == SIZE_MAX)
            continue;
        fanin_hex32(plan->check_sha256[i], hex);
        add_string(text, plan->tensors[i].name, hex);
    }
    fanin_text_add(text, "}}");
}

static void add_plan(const writing *w)
{
    fanin_text *text = w->text;
    const fanin_plan *plan = w->plan;
    add_head(w);
    fanin_text_add(text, ",\"storages\":[");
    for (size_t i = 0; i < plan->nstorages; i++)
        if (w->storage_id[i] != SIZE_MAX)
            fanin_text_format(text, "%s{\"id\":%zu,\"dtype\":\"%s\",\"n\":%" PRId64 "}",
                              w->storage_id[i] == 0 ? "" : ",", w->storage_id[i],
                              fanin_dtype_name(plan->storages[i].dtype), plan->storages[i].nelem);
    fanin_text_add(text, "],\"tensors\":[");
    for (size_t i = 0, n = 0; i < plan->ntensors && !text->failed; i++) {
        if (w->owner[i] == SIZE_MAX)
            continue;
        fanin_text_add(text, n++ == 0 ? "{" : ",{");
        add_tensor(w, i);
        fanin_text_add(text, "}");
    }
    fanin_text_add(text, "]");
    add_literals(w);
    fanin_text_add(text, ",\"ops\":[");
    for (size_t i = 0, n = 0; i < plan->nops && !text->failed; i++) {
        if (is_left_out(w, &plan->ops[i]))
            continue;
        fanin_text_add(text, n++ == 0 ? "" : ",");
        add_op(w, &plan->ops[i]);
    }
    fanin_text_format(text, "],\"words\":%" PRIu64, plan->ndraws);
    if (plan->has_check)
        add_check(w);
    fanin_text_add(text, "}");
}

/* Of names that share a view the one that the others are tied to, or, if it is left out, the first that is not. */
static void find_owners(const fanin_plan *plan, const bool *keep, size_t *owner, size_t *named)
{
    for (size_t i = 0; i < plan->ntensors; i++)
        owner[i] = keep == NULL || keep[i] ? i : SIZE_MAX;
    for (size_t i = 0; i < plan->ntensors; i++) {
        const char *tied_to = plan->tensors[i].tied_to;
        if (tied_to == NULL || (keep != NULL && !keep[i]))
            continue;
        size_t target = fanin_names_find(&plan->names, tied_to);
        if (keep != NULL && !keep[target] && owner[target] == SIZE_MAX)
            owner[target] = i; /* in whose place it stands from now on; put right below */
        owner[i] = owner[target];
    }
    for (size_t s = 0; s < plan->nstorages; s++)
        named[s] = SIZE_MAX;
    for (size_t i = 0; i < plan->ntensors; i++) {
        if (keep != NULL && !keep[i])
            owner[i] = SIZE_MAX;
        if (owner[i] != i)
            continue;
        size_t *first = &named[plan->tensors[i].storage];
        if (*first == SIZE_MAX || (fanin_plan_covers(plan, i) && !fanin_plan_covers(plan, *first)))
            *first = i;
    }
}

/* Of storages and literals those that a name or an op of the text has, numbered in their order. */
static void number(const writing *w, size_t *storage_id, size_t *literal_id)
{
    const fanin_plan *plan = w->plan;
    for (size_t s = 0; s < plan->nstorages; s++)
        storage_id[s] = w->without_dead ? SIZE_MAX : 0;
    for (size_t i = 0; i < plan->nliterals; i++)
        literal_id[i] = w->without_dead ? SIZE_MAX : 0;
    for (size_t i = 0; i < plan->ntensors; i++)
        if (w->owner[i] != SIZE_MAX)
            storage_id[plan->tensors[i].storage] = 0;
    for (size_t i = 0; i < plan->nops; i++) {
        const fanin_plan_op *op = &plan->ops[i];
        if (is_left_out(w, op))
            continue;
        storage_id[op->storage] = 0;
        if (op->source != NULL)
            storage_id[op->source->storage] = 0;
        if (op->other != NULL)
            storage_id[op->other->storage] = 0;
        if (op->kind == FANIN_OP_LITERAL)
            literal_id[op->literal] = 0;
    }
    for (size_t s = 0, n = 0; s < plan->nstorages; s++)
        if (storage_id[s] == 0)
            storage_id[s] = n++;
    for (size_t i = 0, n = 0; i < plan->nliterals; i++)
        if (literal_id[i] == 0)
            literal_id[i] = n++;
}

/* keep: by tensor; NULL for all. */
static fanin_status write_plan(const fanin_plan *plan, const bool *keep, bool without_dead, fanin_text *text,
                               fanin_error *error)
{
    size_t *owner = fanin_allocate(plan->ntensors, sizeof *owner);
    size_t *named = fanin_allocate(plan->nstorages, sizeof *named);
    size_t *storage_id = fanin_allocate(plan->nstorages, sizeof *storage_id);
    size_t *literal_id = fanin_allocate(plan->nliterals, sizeof *literal_id);
    bool failed = owner == NULL || named == NULL || storage_id == NULL || literal_id == NULL;
    if (!failed) {
        const writing w = {.text = text,
                           .plan = plan,
                           .named = named,
                           .owner = owner,
                           .storage_id = storage_id,
                           .literal_id = literal_id,
                           .without_dead = without_dead};
        find_owners(plan, keep, owner, named);
        number(&w, storage_id, literal_id);
        add_plan(&w);
        failed = text->failed;
    }
    fanin_free(owner);
    fanin_free(named);
    fanin_free(storage_id);
    fanin_free(literal_id);
    return failed ? fanin_fail_memory(error, text->nbytes + plan->ntensors * sizeof *owner) : FANIN_OK;
}

fanin_status fanin_plan_to_json(const fanin_plan *plan, char **text, fanin_error *error)
{
    fanin_text json = {0};
    fanin_clear(error);
    fanin_status status = write_plan(plan, NULL, false, &json, error);
    *text = status == FANIN_OK ? fanin_duplicate(json.data, json.nbytes) : NULL;
    fanin_text_release(&json);
    return *text != NULL ? FANIN_OK : fanin_fail_memory(error, json.nbytes);
}

fanin_status fanin_plan_sha256(const fanin_plan *plan, char hex[65], fanin_error *error)
{
    fanin_text json = {0};
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_clear(error);
    fanin_status status = write_plan(plan, NULL, false, &json, error);
    if (status == FANIN_OK) {
        fanin_sha256_begin(&hash);
        fanin_sha256_update(&hash, json.data, json.nbytes);
        fanin_sha256_end(&hash, digest);
        fanin_hex32(digest, hex);
    }
    fanin_text_release(&json);
    return status;
}

static fanin_status copy_part(const fanin_plan *plan, const bool *keep, bool without_dead, fanin_plan **part,
                              fanin_error *error)
{
    fanin_text json = {0};
    fanin_status status = write_plan(plan, keep, without_dead, &json, error);
    if (status == FANIN_OK)
        status = fanin_plan_parse(json.data, json.nbytes, "part of a plan", part, error);
    fanin_text_release(&json);
    return status;
}

/* Ops of a later version are kept as they are, with the numbers of storages that they name. */
static bool has_unknown_op(const fanin_plan *plan)
{
    for (size_t i = 0; i < plan->nops; i++)
        if (plan->ops[i].kind == FANIN_OP_UNKNOWN)
            return true;
    return false;
}

fanin_status fanin_plan_part(const fanin_plan *plan, const bool *keep, fanin_plan **part, fanin_error *error)
{
    fanin_plan *named;
    fanin_clear(error);
    *part = NULL;
    FANIN_TRY(copy_part(plan, keep, false, &named, error));
    if (!named->is_recorded || has_unknown_op(named)) {
        *part = named;
        return FANIN_OK;
    }
    fanin_status status = copy_part(named, NULL, true, part, error);
    fanin_plan_free(named);
    return status;
}
