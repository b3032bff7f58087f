/* SPDX-License-Identifier: MIT */
/*
 * What only recorded plans have: streams, literals, copies, casts, stated positions, digests. A recorder leaves out
 * what is dead, so positions do not follow from one op to the next: they are taken as stated, and checked for what they
 * say.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/sha256.h"
#include "kernel/cast.h"
#include "plan/plan_reader.h"
#include "recipe/recipe.h"

/* More would be memory and jumps for nothing: no recording of 568 architectures has more than one. */
enum { MAX_STREAMS = 1024 };

static fanin_status read_u64_text(fanin_plan_reader *r, const fanin_json *object, const char *key, uint64_t *value)
{
    const fanin_json *text;
    FANIN_TRY(fanin_plan_need(r, object, key, FANIN_JSON_STRING, &text));
    if (!fanin_u64_parse(text->string, text->nbytes, value))
        return fanin_json_fail(r->document, text, r->error, "\"%s\" must be a number from 0 to 2^64 - 1 in decimal",
                               key);
    return FANIN_OK;
}

fanin_status fanin_recording_read_streams(fanin_plan_reader *r, const fanin_json *list)
{
    static const char *const keys[] = {"id", "kind", "seed", NULL};
    fanin_plan *plan = r->plan;
    if (list->count < 1 || list->count > MAX_STREAMS)
        return fanin_json_fail(r->document, list, r->error, "there must be 1 to %d streams", MAX_STREAMS);
    plan->stream_seeds = fanin_allocate_zeroed(list->count, sizeof *plan->stream_seeds);
    r->streams = fanin_allocate_zeroed(list->count, sizeof *r->streams);
    if (plan->stream_seeds == NULL || r->streams == NULL)
        return fanin_fail_memory(r->error, list->count * sizeof *r->streams);
    plan->nstreams = list->count;
    for (size_t i = 0; i < list->count; i++) {
        const fanin_json *json = &list->items[i];
        FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "a stream", r->error));
        FANIN_TRY(fanin_keys_check(r->document, json, keys, "a stream", r->error));
        FANIN_TRY(fanin_plan_need_number(r, json, "id", i));
        FANIN_TRY(fanin_plan_need_word(r, json, "kind", "mt19937"));
        FANIN_TRY(i == 0 ? fanin_plan_need_word(r, json, "seed", "user")
                         : read_u64_text(r, json, "seed", &plan->stream_seeds[i]));
    }
    return FANIN_OK;
}

fanin_status fanin_recording_read_source(fanin_plan_reader *r, const fanin_json *source)
{
    fanin_plan *plan = r->plan;
    plan->notes = fanin_allocate_zeroed(source->count, sizeof *plan->notes);
    if (plan->notes == NULL)
        return fanin_fail_memory(r->error, source->count * sizeof *plan->notes);
    for (size_t i = 0; i < source->count; i++) {
        const fanin_json *value = &source->items[i];
        fanin_plan_note *note = &plan->notes[i];
        if (memchr(value->key, '\0', value->key_nbytes) != NULL)
            return fanin_json_fail(r->document, value, r->error, "the key holds a NUL");
        note->key = fanin_arena_text(&plan->arena, value->key, value->key_nbytes);
        if (note->key == NULL)
            return fanin_fail_memory(r->error, value->key_nbytes);
        if (value->kind != FANIN_JSON_NULL)
            FANIN_TRY(fanin_json_text(r->document, value, note->key, &plan->arena, &note->value, r->error));
        plan->nnotes = i + 1;
    }
    return FANIN_OK;
}

/* ---- literals and digests ---- */

static fanin_status read_sha256(fanin_plan_reader *r, const fanin_json *value, uint8_t sha256[32])
{
    static const char digits[] = "0123456789abcdef";
    bool valid = value->kind == FANIN_JSON_STRING && value->nbytes == 64;
    for (size_t i = 0; i < 64 && valid; i++) {
        const char *digit = memchr(digits, value->string[i], 16);
        valid = digit != NULL;
        if (valid)
            sha256[i / 2] = (uint8_t)(sha256[i / 2] << 4 | (digit - digits));
    }
    return valid
               ? FANIN_OK
               : fanin_json_fail(r->document, value, r->error, "a SHA-256 must be 64 hexadecimal digits in lower case");
}

static fanin_status read_literal(fanin_plan_reader *r, const fanin_json *json, size_t index)
{
    static const char *const keys[] = {"id", "nbytes", "sha256", "data", NULL};
    const fanin_json *data, *stated;
    fanin_plan_literal *literal = &r->plan->literals[index];
    int64_t nbytes;
    FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_OBJECT, "a literal", r->error));
    FANIN_TRY(fanin_keys_check(r->document, json, keys, "a literal", r->error));
    FANIN_TRY(fanin_plan_need_number(r, json, "id", index));
    FANIN_TRY(fanin_plan_need_size(r, json, "nbytes", &nbytes));
    FANIN_TRY(fanin_plan_need(r, json, "sha256", FANIN_JSON_STRING, &stated));
    FANIN_TRY(read_sha256(r, stated, literal->sha256));
    FANIN_TRY(fanin_plan_need(r, json, "data", FANIN_JSON_STRING, &data));
    if ((uint64_t)nbytes > data->nbytes) /* before memory is taken for what a file merely says */
        return fanin_json_fail(r->document, data, r->error, "\"data\" is too short for %" PRId64 " bytes", nbytes);
    void *bytes = fanin_allocate((size_t)nbytes, 1);
    if (bytes == NULL)
        return fanin_fail_memory(r->error, (uint64_t)nbytes);
    literal->data = bytes;
    literal->nbytes = (uint64_t)nbytes;
    r->plan->nliterals = index + 1;
    if (!fanin_base64_decode(data->string, data->nbytes, bytes, (size_t)nbytes))
        return fanin_json_fail(r->document, data, r->error,
                               "\"data\" must be the base64 of %" PRId64 " bytes, with padding, without line breaks",
                               nbytes);
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, bytes, (size_t)nbytes);
    fanin_sha256_end(&hash, digest);
    if (memcmp(digest, literal->sha256, sizeof digest) != 0)
        return fanin_json_fail(r->document, stated, r->error,
                               "\"sha256\" is not that of \"data\": one of them was changed");
    return FANIN_OK;
}

fanin_status fanin_recording_read_literals(fanin_plan_reader *r, const fanin_json *list)
{
    FANIN_TRY(fanin_json_expect(r->document, list, FANIN_JSON_ARRAY, "\"literals\"", r->error));
    r->plan->literals = fanin_allocate_zeroed(list->count, sizeof *r->plan->literals);
    if (r->plan->literals == NULL)
        return fanin_fail_memory(r->error, list->count * sizeof *r->plan->literals);
    for (size_t i = 0; i < list->count; i++)
        FANIN_TRY(read_literal(r, &list->items[i], i));
    return FANIN_OK;
}

fanin_status fanin_recording_read_check(fanin_plan_reader *r, const fanin_json *check)
{
    static const char *const keys[] = {"seed", "sha256", NULL};
    fanin_plan *plan = r->plan;
    const fanin_json *digests;
    FANIN_TRY(fanin_json_expect(r->document, check, FANIN_JSON_OBJECT, "\"check\"", r->error));
    FANIN_TRY(fanin_keys_check(r->document, check, keys, "\"check\"", r->error));
    FANIN_TRY(read_u64_text(r, check, "seed", &plan->check_seed));
    FANIN_TRY(fanin_plan_need(r, check, "sha256", FANIN_JSON_OBJECT, &digests));
    plan->check_sha256 = fanin_allocate_zeroed(plan->ntensors, sizeof *plan->check_sha256);
    plan->is_checked = fanin_allocate_zeroed(plan->ntensors, sizeof *plan->is_checked);
    if (plan->check_sha256 == NULL || plan->is_checked == NULL)
        return fanin_fail_memory(r->error, plan->ntensors * sizeof *plan->check_sha256);
    plan->has_check = true;
    for (size_t i = 0; i < digests->count; i++) {
        const fanin_json *value = &digests->items[i];
        size_t tensor =
            memchr(value->key, '\0', value->key_nbytes) == NULL ? fanin_names_find(&plan->names, value->key) : SIZE_MAX;
        if (tensor == SIZE_MAX)
            return fanin_json_fail(r->document, value, r->error, "\"check\" names a tensor that the plan has not");
        plan->is_checked[tensor] = true;
        FANIN_TRY(read_sha256(r, value, plan->check_sha256[tensor]));
    }
    return FANIN_OK;
}

/* ---- tensors ---- */

static fanin_status read_bool(fanin_plan_reader *r, const fanin_json *object, const char *key, bool *value)
{
    const fanin_json *json = fanin_json_get(object, key);
    if (json == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_json_expect(r->document, json, FANIN_JSON_BOOL, key, r->error));
    *value = json->boolean;
    return FANIN_OK;
}

static fanin_status read_kind(fanin_plan_reader *r, const fanin_json *json, fanin_plan_tensor *tensor)
{
    const char *kind;
    if (fanin_json_get(json, "kind") != NULL) {
        FANIN_TRY(fanin_plan_need_text(r, json, "kind", &kind));
        tensor->is_buffer = strcmp(kind, "buffer") == 0;
        if (!tensor->is_buffer && strcmp(kind, "param") != 0)
            return fanin_json_fail(r->document, fanin_json_get(json, "kind"), r->error,
                                   "\"kind\" must be \"param\" or \"buffer\"");
    }
    FANIN_TRY(read_bool(r, json, "persistent", &tensor->is_persistent));
    if (!tensor->is_persistent && !tensor->is_buffer)
        return fanin_json_fail(r->document, fanin_json_get(json, "persistent"), r->error,
                               "only a buffer can be without a place in checkpoints");
    return FANIN_OK;
}

fanin_status fanin_recording_read_tensor(fanin_plan_reader *r, const fanin_json *json, fanin_plan_tensor *tensor)
{
    static const char *const keys[] = {"name", "s", "off", "shape", "strides", "kind", "persistent", "refused", NULL};
    int64_t sizes[FANIN_MAX_DIMS] = {0};
    int32_t ndim, nstrides;
    FANIN_TRY(fanin_keys_check(r->document, json, keys, "a tensor", r->error));
    FANIN_TRY(fanin_plan_need_index(r, json, "s", r->plan->nstorages, "storage", &tensor->storage));
    fanin_storage *storage = &r->plan->storages[tensor->storage];
    FANIN_TRY(fanin_plan_need_sizes(r, json, "shape", sizes, &ndim));
    fanin_tensor view = fanin_tensor_nd(NULL, storage->dtype, ndim, sizes);
    if (fanin_json_get(json, "strides") != NULL) {
        FANIN_TRY(fanin_plan_need_sizes(r, json, "strides", view.strides, &nstrides));
        if (nstrides != ndim)
            return fanin_json_fail(r->document, json, r->error, "there must be as many \"strides\" as dimensions");
    }
    if (fanin_json_get(json, "off") != NULL)
        FANIN_TRY(fanin_plan_need_size(r, json, "off", &tensor->offset));
    FANIN_TRY(fanin_plan_check_inside(r, json, storage->nelem, tensor->offset, &view));
    bool is_packed = fanin_dtype_nbits(storage->dtype) % 8 != 0;
    if (is_packed && (tensor->offset != 0 || fanin_tensor_nelem(&view) != storage->nelem))
        return fanin_json_fail(r->document, json, r->error, "%s packs elements into bytes: a tensor must be all of it",
                               fanin_dtype_name(storage->dtype));
    if (fanin_plan_tensor_set_view(r->plan, tensor, &view, r->error) != FANIN_OK)
        return fanin_plan_fail_at(r, json);
    FANIN_TRY(read_kind(r, json, tensor));
    return fanin_json_get(json, "refused") != NULL ? fanin_plan_need_text(r, json, "refused", &tensor->refused)
                                                   : FANIN_OK;
}

/* ---- ops ---- */

static fanin_status read_source(fanin_plan_reader *r, const fanin_json *json, const char *key,
                                const fanin_plan_source **read)
{
    static const char *const keys[] = {"s", "off", "sizes", "strides", NULL};
    const fanin_json *from;
    int64_t sizes[FANIN_MAX_DIMS] = {0};
    int32_t ndim, nstrides;
    fanin_plan_source *source = fanin_arena_allocate(&r->plan->arena, 1, sizeof *source);
    if (source == NULL)
        return fanin_fail_memory(r->error, sizeof *source);
    FANIN_TRY(fanin_plan_need(r, json, key, FANIN_JSON_OBJECT, &from));
    FANIN_TRY(fanin_keys_check(r->document, from, keys, key, r->error));
    FANIN_TRY(fanin_plan_need_index(r, from, "s", r->plan->nstorages, "storage", &source->storage));
    FANIN_TRY(fanin_plan_need_sizes(r, from, "sizes", sizes, &ndim));
    const fanin_storage *storage = &r->plan->storages[source->storage];
    source->view = fanin_tensor_nd(NULL, storage->dtype, ndim, sizes);
    if (fanin_json_get(from, "strides") != NULL) {
        FANIN_TRY(fanin_plan_need_sizes(r, from, "strides", source->view.strides, &nstrides));
        if (nstrides != ndim)
            return fanin_json_fail(r->document, from, r->error, "there must be as many \"strides\" as \"sizes\"");
    }
    if (fanin_json_get(from, "off") != NULL)
        FANIN_TRY(fanin_plan_need_size(r, from, "off", &source->offset));
    FANIN_TRY(fanin_plan_check_inside(r, from, storage->nelem, source->offset, &source->view));
    *read = source;
    return FANIN_OK;
}

/* One that has an element for each that is written. */
static fanin_status read_equal_source(fanin_plan_reader *r, const fanin_json *json, const char *key,
                                      const fanin_plan_op *op, const fanin_plan_source **read)
{
    FANIN_TRY(read_source(r, json, key, read));
    if (fanin_tensor_nelem(&(*read)->view) != fanin_tensor_nelem(&op->view))
        return fanin_json_fail(r->document, fanin_json_get(json, key), r->error,
                               "\"%s\" has %" PRId64 " elements, and what is written has %" PRId64, key,
                               fanin_tensor_nelem(&(*read)->view), fanin_tensor_nelem(&op->view));
    return FANIN_OK;
}

static fanin_status read_norm(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    fanin_dtype dtype = op->view.dtype;
    const fanin_json *list;
    int64_t kept[FANIN_MAX_DIMS];
    int32_t nkept = 0;
    FANIN_TRY(read_source(r, json, "src", &op->source));
    const fanin_tensor *view = &op->source->view;
    FANIN_TRY(fanin_plan_need(r, json, "dims", FANIN_JSON_ARRAY, &list));
    for (size_t i = 0; i < list->count; i++) {
        const fanin_json *dim = &list->items[i];
        if (dim->kind != FANIN_JSON_UNSIGNED || dim->unsigned_value >= (uint64_t)view->ndim ||
            op->summed >> dim->unsigned_value != 0)
            return fanin_json_fail(r->document, dim, r->error,
                                   "\"dims\" must be dimensions of \"src\", counted from 0, in order");
        op->summed |= 1u << dim->unsigned_value;
    }
    for (int32_t d = 0; d < view->ndim; d++)
        if ((op->summed >> d & 1) == 0)
            kept[nkept++] = view->shape[d];
    const fanin_tensor norms = fanin_tensor_nd(NULL, dtype, nkept, kept);
    int64_t nnorms = fanin_tensor_nelem(&norms), nread = fanin_tensor_nelem(view); /* -1: too many */
    if (nnorms != fanin_tensor_nelem(&op->view))
        return fanin_json_fail(r->document, json, r->error,
                               "there are %" PRId64 " norms, and %" PRId64 " elements to write", nnorms,
                               fanin_tensor_nelem(&op->view));
    if (view->dtype != dtype || !fanin_dtype_is_random(dtype))
        return fanin_json_fail(r->document, json, r->error,
                               "a norm is computed in f64, f32, bf16 or f16, of elements of the same dtype");
    /* a stride of 0 makes billions of an element */
    if (nread < 0 || nread > r->plan->storages[op->source->storage].nelem)
        return fanin_json_fail(r->document, json, r->error, "a norm must not read an element twice");
    return fanin_plan_need_word(r, json, "bits", "host");
}

static fanin_status read_qr(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    FANIN_TRY(read_equal_source(r, json, "src", op, &op->source));
    const fanin_tensor *from = &op->source->view, *to = &op->view;
    if (from->ndim != 2 || to->ndim != 2 || from->shape[0] != to->shape[0] || from->shape[1] != to->shape[1] ||
        to->shape[0] < to->shape[1])
        return fanin_json_fail(r->document, json, r->error,
                               "\"src\" and what is written must be matrices of one shape, with no more columns than "
                               "rows");
    if (from->dtype != to->dtype || (to->dtype != FANIN_F32 && to->dtype != FANIN_F64))
        return fanin_json_fail(r->document, json, r->error,
                               "a QR factorization is of f64 or f32, into a matrix of the same dtype");
    return fanin_plan_need_word(r, json, "bits", "host");
}

/* Numbers, the second tensor, and the mark of what depends on the host. The first tensor is there. */
static fanin_status read_function(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    fanin_dtype dtype = op->view.dtype;
    const fanin_json *other = fanin_json_get(json, "other"), *bits = fanin_json_get(json, "bits");
    bool is_host = fanin_plan_function_is_host(op->function, dtype);
    op->numbers[0] = op->numbers[1] = NAN;
    if (!fanin_dtype_is_random(dtype))
        return fanin_json_fail(r->document, json, r->error,
                               "functions are computed in f64, f32, bf16 and f16, not in %s", fanin_dtype_name(dtype));
    if (op->function == FANIN_FUNCTION_CLAMP) {
        static const char *const keys[] = {"min", "max"};
        for (size_t i = 0; i < 2; i++)
            if (fanin_json_get(json, keys[i]) != NULL)
                FANIN_TRY(fanin_plan_read_double(r, fanin_json_get(json, keys[i]), keys[i], &op->numbers[i]));
        if (isnan(op->numbers[0]) && isnan(op->numbers[1]))
            return fanin_json_fail(r->document, json, r->error, "a clamp needs a number as \"min\" or \"max\"");
    } else if (op->function >= FANIN_FUNCTION_ADD) {
        if (other == NULL)
            return fanin_json_fail(r->document, json, r->error, "\"other\" is missing");
        FANIN_TRY(other->kind == FANIN_JSON_OBJECT ? read_equal_source(r, json, "other", op, &op->other)
                                                   : fanin_plan_read_double(r, other, "other", &op->numbers[0]));
    }
    if (op->source->view.dtype != dtype || (op->other != NULL && op->other->view.dtype != dtype))
        return fanin_json_fail(r->document, json, r->error, "all tensors of a function must have one dtype");
    if (bits != NULL)
        FANIN_TRY(fanin_plan_need_word(r, json, "bits", "host"));
    if ((bits != NULL) != is_host)
        return fanin_json_fail(r->document, json, r->error,
                               "\"bits\": \"host\" belongs to functions that are not exact, and to those of 16 bits");
    return FANIN_OK;
}

fanin_status fanin_recording_read_content(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    fanin_dtype dtype = op->view.dtype;
    unsigned nbits = fanin_dtype_nbits(dtype);
    if (nbits % 8 != 0)
        return fanin_json_fail(r->document, json, r->error, "%s packs elements into bytes; only constants are written",
                               fanin_dtype_name(dtype));
    if (op->kind == FANIN_OP_LITERAL) {
        FANIN_TRY(fanin_plan_need_index(r, json, "literal", r->plan->nliterals, "literal", &op->literal));
        uint64_t expected = (uint64_t)fanin_tensor_nelem(&op->view) * (nbits / 8); /* inside a storage, so it fits */
        if (r->plan->literals[op->literal].nbytes != expected)
            return fanin_json_fail(r->document, fanin_json_get(json, "literal"), r->error,
                                   "literal %zu has %" PRIu64 " bytes; %" PRIu64 " are to be written", op->literal,
                                   r->plan->literals[op->literal].nbytes, expected);
        return FANIN_OK;
    }
    if (op->kind == FANIN_OP_NORM)
        return read_norm(r, json, op);
    if (op->kind == FANIN_OP_QR)
        return read_qr(r, json, op);
    FANIN_TRY(read_equal_source(r, json, "src", op, &op->source));
    if (op->kind == FANIN_OP_FUNCTION)
        return read_function(r, json, op);
    fanin_dtype from = op->source->view.dtype;
    if (op->kind == FANIN_OP_COPY && from != dtype)
        return fanin_json_fail(r->document, json, r->error, "a copy from %s to %s is a \"cast\"",
                               fanin_dtype_name(from), fanin_dtype_name(dtype));
    if (op->kind == FANIN_OP_CAST && !fanin_cast_is_known(from, dtype))
        return fanin_json_fail(r->document, json, r->error, "there is no cast from %s to %s", fanin_dtype_name(from),
                               fanin_dtype_name(dtype));
    return FANIN_OK;
}

/*
 * "cached", of which "barrier" says that the normal is in what the last data-dependent op left. A pair is four draws,
 * and lies between that op and this one.
 */
static fanin_status read_cached(fanin_plan_reader *r, const fanin_json *cached, const fanin_plan_op *op,
                                uint64_t barrier_end, uint64_t *position)
{
    bool at_barrier = cached->kind == FANIN_JSON_STRING && strcmp(cached->string, "barrier") == 0;
    if (at_barrier && op->barriers > 0) {
        *position = FANIN_CACHED_AT_BARRIER;
        return FANIN_OK;
    }
    if (cached->kind != FANIN_JSON_UNSIGNED || cached->unsigned_value < barrier_end || op->at < 4 ||
        cached->unsigned_value > op->at - 4)
        return fanin_json_fail(r->document, cached, r->error,
                               "\"cached\" must be the position of four draws between the last data-dependent op and "
                               "this one, or \"barrier\" if there is such an op");
    *position = cached->unsigned_value;
    return FANIN_OK;
}

/* Draws and dependence as the fill has them, against what is stated. */
static fanin_status check_draws(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    bool at_barrier = op->cached_at == FANIN_CACHED_AT_BARRIER, stated = false;
    fanin_fill_stream with = {.has_cached = op->cached_at != FANIN_NO_POSITION}, without = {0};
    if (fanin_fill_measure(&op->fill, &op->view, r->plan->profile, &with, r->error) != FANIN_OK ||
        fanin_fill_measure(&op->fill, &op->view, r->plan->profile, &without, r->error) != FANIN_OK)
        return fanin_plan_fail_at(r, json);
    FANIN_TRY(read_bool(r, json, "data_dependent", &stated));
    /* A normal that may be in the last one's snapshot or not makes the draws of the scalar path depend on data. */
    bool may_depend = with.scalar && at_barrier && fanin_tensor_nelem(&op->view) > 0;
    if (stated != with.data_dependent && !(stated && may_depend))
        return fanin_json_fail(r->document, json, r->error,
                               "\"data_dependent\": true belongs to ops whose draws depend on data, and only to them");
    if (op->cached_at != FANIN_NO_POSITION && !with.scalar && !stated)
        return fanin_json_fail(r->document, json, r->error,
                               "\"cached\" belongs to the scalar path of normal_ and to data-dependent ops");
    const fanin_json *words;
    FANIN_TRY(fanin_plan_need(r, json, "words", FANIN_JSON_UNSIGNED, &words));
    op->data_dependent = stated;
    op->ndraws = stated && at_barrier && words->unsigned_value == without.ndraws ? without.ndraws : with.ndraws;
    return fanin_plan_need_number(r, json, "words", op->ndraws);
}

fanin_status fanin_recording_read_position(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    const fanin_json *at, *cached = fanin_json_get(json, "cached");
    if (fanin_json_get(json, "stream") != NULL)
        FANIN_TRY(fanin_plan_need_index(r, json, "stream", r->plan->nstreams, "stream", &op->stream));
    fanin_stream_reading *stream = &r->streams[op->stream];
    op->barriers = stream->barriers;
    if (op->barriers > 0 || fanin_json_get(json, "barriers") != NULL)
        FANIN_TRY(fanin_plan_need_number(r, json, "barriers", op->barriers));
    FANIN_TRY(fanin_plan_need(r, json, "at", FANIN_JSON_UNSIGNED, &at));
    op->at = at->unsigned_value;
    if (op->at < stream->barrier_end)
        return fanin_json_fail(r->document, at, r->error,
                               "\"at\" must be %" PRIu64 " or more, where the data-dependent op before it ends",
                               stream->barrier_end);
    if (cached != NULL)
        FANIN_TRY(read_cached(r, cached, op, stream->barrier_end, &op->cached_at));
    FANIN_TRY(check_draws(r, json, op));
    uint64_t end;
    if (!fanin_checked_add(op->at, op->ndraws, &end) || end >= FANIN_CACHED_AT_BARRIER)
        return fanin_json_fail(r->document, at, r->error, "the stream would be longer than 2^64 draws");
    if (op->data_dependent) {
        stream->barriers++;
        stream->barrier_end = end;
    }
    return FANIN_OK;
}

/* ---- ops of a later version ---- */

/* The value as compact JSON; numbers as they are read back. */
static void add_json(fanin_text *text, const fanin_json *value)
{
    bool is_object = value->kind == FANIN_JSON_OBJECT;
    switch (value->kind) {
    case FANIN_JSON_NULL:
        fanin_text_add(text, "null");
        break;
    case FANIN_JSON_BOOL:
        fanin_text_add(text, value->boolean ? "true" : "false");
        break;
    case FANIN_JSON_UNSIGNED:
        fanin_text_format(text, "%" PRIu64, value->unsigned_value);
        break;
    case FANIN_JSON_NEGATIVE:
        fanin_text_format(text, "%" PRId64, value->signed_value);
        break;
    case FANIN_JSON_NUMBER:
        fanin_text_add(text, fanin_number_format(value->number, (char[FANIN_NUMBER_NBYTES]){0}));
        break;
    case FANIN_JSON_STRING:
        fanin_text_json_string(text, value->string, value->nbytes);
        break;
    default: /* no deeper than the limit of the document */
        fanin_text_add(text, is_object ? "{" : "[");
        for (size_t i = 0; i < value->count && !text->failed; i++) {
            fanin_text_add(text, i > 0 ? "," : "");
            if (is_object) {
                fanin_text_json_string(text, value->items[i].key, value->items[i].key_nbytes);
                fanin_text_add(text, ":");
            }
            add_json(text, &value->items[i]);
        }
        fanin_text_add(text, is_object ? "}" : "]");
        break;
    }
}

fanin_status fanin_recording_read_unknown(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op)
{
    const fanin_json *dependent = fanin_json_get(json, "data_dependent");
    fanin_storage *storage = &r->plan->storages[op->storage];
    fanin_text text = {0};
    if (dependent != NULL && dependent->kind == FANIN_JSON_BOOL && dependent->boolean)
        return fanin_json_fail(r->document, json, r->error,
                               "this fanin knows no op \"%.64s\", and without its draws no later position",
                               op->initializer);
    op->kind = FANIN_OP_UNKNOWN;
    op->view = fanin_tensor_1d(NULL, storage->dtype, 0);
    add_json(&text, json);
    op->unknown = text.failed ? NULL : fanin_arena_text(&r->plan->arena, text.data, text.nbytes);
    if (storage->unknown == NULL)
        storage->unknown = fanin_arena_format(&r->plan->arena, "this fanin knows no op \"%.64s\", which it depends on",
                                              op->initializer);
    fanin_text_release(&text);
    return op->unknown != NULL && storage->unknown != NULL ? FANIN_OK : fanin_fail_memory(r->error, json->count);
}

void fanin_recording_follow_unknown(fanin_plan *plan, const fanin_plan_op *op)
{
    fanin_storage *storage = &plan->storages[op->storage];
    if (op->source != NULL && storage->unknown == NULL)
        storage->unknown = plan->storages[op->source->storage].unknown;
    if (op->other != NULL && storage->unknown == NULL)
        storage->unknown = plan->storages[op->other->storage].unknown;
}

void fanin_recording_refuse_unknown(fanin_plan *plan)
{
    for (size_t i = 0; i < plan->ntensors; i++)
        if (plan->tensors[i].refused == NULL)
            plan->tensors[i].refused = plan->storages[plan->tensors[i].storage].unknown;
}
