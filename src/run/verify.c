/* SPDX-License-Identifier: MIT */
/*
 * Proving a checkpoint against a plan: every tensor is made again and compared with what the files hold, piece by
 * piece.
 */
#include "fanin/run.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/content_digest.h"
#include "run/chunk.h"

typedef struct verifying {
    const fanin_checkpoint *checkpoint;
    const fanin_plan *plan;
    void (*report)(void *user, const fanin_difference *difference);
    void *user;
    fanin_verify_result *result;
    fanin_error *error;
    fanin_maker maker;
    uint8_t *piece;         /* of the checkpoint */
    bool *is_hashed;        /* by tensor of the checkpoint */
    bool *is_expected;      /* the same: the plan has its name */
    uint8_t (*digests)[32]; /* the same */
} verifying;

static void report(const verifying *v, const fanin_difference *difference)
{
    v->result->ndifferent++;
    if (v->report != NULL)
        v->report(v->user, difference);
}

static void report_kind(const verifying *v, fanin_difference_kind kind, const char *tensor, uint64_t nelem)
{
    const fanin_difference difference = {
        .kind = kind, .tensor = tensor, .nelem = nelem, .expected = NAN, .found = NAN, .max_abs = NAN};
    report(v, &difference);
}

static bool same_shape(const fanin_plan_tensor *planned, const fanin_checkpoint_tensor *found)
{
    return planned->ndim == found->ndim &&
           memcmp(planned->shape, found->shape, (size_t)planned->ndim * sizeof *planned->shape) == 0;
}

/* Of names that share bytes a file holds one, and not every writer keeps the one we keep. */
static bool is_there_by_another_name(const verifying *v, const char *owner)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(v->plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(v->plan, i);
        if (tensor->tied_to != NULL && strcmp(tensor->tied_to, owner) == 0 &&
            fanin_checkpoint_tensor_find(v->checkpoint, tensor->name) != SIZE_MAX)
            return true;
    }
    return false;
}

static fanin_status compare_bytes(verifying *v, fanin_compare_sink *compare, size_t planned, size_t found)
{
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(v->plan, planned);
    compare->target = found;
    compare->result = (fanin_comparison){0};
    FANIN_TRY(fanin_maker_make(&v->maker, planned, &compare->sink, planned, v->error));
    v->is_hashed[found] = true;
    v->result->nbytes += tensor->nbytes;
    if (compare->result.ndiffering == 0) {
        v->result->nequal++;
        return FANIN_OK;
    }
    const fanin_difference difference = {
        .kind = FANIN_DIFFERENCE_BYTES,
        .tensor = tensor->name,
        .nelem = tensor->nelem,
        .ndiffering = compare->result.ndiffering,
        .first = compare->result.first,
        .expected = compare->result.expected,
        .found = compare->result.found,
        .max_abs = compare->result.max_abs,
    };
    report(v, &difference);
    return FANIN_OK;
}

static fanin_status compare_all(verifying *v)
{
    fanin_compare_sink compare = fanin_compare_sink_create(v->checkpoint, v->piece, v->digests);
    for (size_t i = 0; i < fanin_plan_tensor_count(v->plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(v->plan, i);
        size_t found = fanin_checkpoint_tensor_find(v->checkpoint, tensor->name);
        if (found == SIZE_MAX) {
            if (tensor->tied_to == NULL && !is_there_by_another_name(v, tensor->name))
                report_kind(v, FANIN_DIFFERENCE_MISSING, tensor->name, tensor->nelem);
            continue;
        }
        v->is_expected[found] = true;
        const fanin_checkpoint_tensor *other = fanin_checkpoint_tensor_at(v->checkpoint, found);
        if (tensor->dtype != other->dtype)
            report_kind(v, FANIN_DIFFERENCE_DTYPE, tensor->name, tensor->nelem);
        else if (!same_shape(tensor, other))
            report_kind(v, FANIN_DIFFERENCE_SHAPE, tensor->name, tensor->nelem);
        else
            FANIN_TRY(compare_bytes(v, &compare, i, found));
    }
    return FANIN_OK;
}

/* The digest is of all that the checkpoint holds, so what was not compared is read for it. */
static fanin_status finish(verifying *v)
{
    fanin_sha256 content;
    fanin_sha256_begin(&content);
    for (size_t i = 0; i < fanin_checkpoint_tensor_count(v->checkpoint); i++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(v->checkpoint, i);
        if (!v->is_expected[i])
            report_kind(v, FANIN_DIFFERENCE_UNEXPECTED, tensor->name, tensor->nelem);
        if (!v->is_hashed[i]) {
            FANIN_TRY(fanin_checkpoint_hash_tensor(v->checkpoint, i, v->piece, FANIN_CHUNK_MAX_NBYTES, v->digests[i],
                                                   v->error));
            FANIN_TRY(fanin_maker_progress(&v->maker, tensor->nbytes, v->error));
        }
        fanin_content_digest_add(&content, tensor->name, tensor->dtype, tensor->ndim, tensor->shape, v->digests[i]);
    }
    fanin_sha256_end(&content, v->result->digest.bytes);
    if (v->result->ndifferent > 0)
        return fanin_fail(v->error, FANIN_ERROR_MISMATCH,
                          "%s: %zu differences from the plan; %zu tensors are equal byte for byte",
                          fanin_checkpoint_file_at(v->checkpoint, 0), v->result->ndifferent, v->result->nequal);
    return FANIN_OK;
}

fanin_status fanin_verify(const fanin_checkpoint *checkpoint, const fanin_plan *plan, const fanin_run_options *options,
                          void (*report_to)(void *user, const fanin_difference *difference), void *user,
                          fanin_verify_result *result, fanin_error *error)
{
    fanin_clear(error);
    size_t n = fanin_checkpoint_tensor_count(checkpoint);
    verifying v = {.checkpoint = checkpoint, .plan = plan, .report = report_to, .user = user, .error = error};
    fanin_verify_result local = {0};
    v.result = &local;
    FANIN_TRY(fanin_maker_begin(&v.maker, plan, options, error));
    for (size_t i = 0; i < n; i++)
        v.maker.total_nbytes += fanin_checkpoint_tensor_at(checkpoint, i)->nbytes;
    v.piece = fanin_allocate(FANIN_CHUNK_MAX_NBYTES, 1);
    v.is_hashed = fanin_allocate_zeroed(n, sizeof *v.is_hashed);
    v.is_expected = fanin_allocate_zeroed(n, sizeof *v.is_expected);
    v.digests = fanin_allocate(n, sizeof *v.digests);
    fanin_status status = FANIN_OK;
    if (v.piece == NULL || v.is_hashed == NULL || v.is_expected == NULL || v.digests == NULL)
        status = fanin_fail_memory(error, FANIN_CHUNK_MAX_NBYTES + n * sizeof *v.digests);
    if (status == FANIN_OK)
        status = compare_all(&v);
    if (status == FANIN_OK)
        status = finish(&v);
    if (result != NULL)
        *result = local;
    fanin_free(v.digests);
    fanin_free(v.is_expected);
    fanin_free(v.is_hashed);
    fanin_free(v.piece);
    fanin_maker_end(&v.maker);
    return status;
}
