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
#include "run/content.h"
#include "run/together.h"

typedef struct verifying {
    const fanin_checkpoint *checkpoint;
    const fanin_plan *plan;
    void (*report)(void *user, const fanin_difference *difference);
    void *user;
    fanin_verify_result *result;
    fanin_error *error;
    fanin_maker maker;
    size_t *tensors;               /* of the plan, whose bytes are compared */
    fanin_comparison *comparisons; /* by tensor of the plan */
    uint8_t *piece;                /* of the checkpoint */
    bool *is_hashed;               /* by tensor of the checkpoint */
    bool *is_expected;             /* the same: the plan has its name */
    uint8_t (*digests)[32];        /* the same */
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

static fanin_status compare_tensor(void *user, fanin_maker *maker, size_t tensor, fanin_error *error)
{
    const verifying *v = user;
    const fanin_plan_tensor *planned = fanin_plan_tensor_at(v->plan, tensor);
    size_t nbytes = planned->nbytes < FANIN_CHUNK_MAX_NBYTES ? (size_t)planned->nbytes : FANIN_CHUNK_MAX_NBYTES;
    uint8_t *piece = fanin_allocate(nbytes, 1);
    if (piece == NULL)
        return fanin_fail_memory(error, nbytes);
    fanin_compare_sink compare = fanin_compare_sink_create(v->checkpoint, piece, v->digests);
    compare.target = fanin_checkpoint_tensor_find(v->checkpoint, planned->name);
    fanin_status status = fanin_maker_make(maker, tensor, &compare.sink, tensor, error);
    v->comparisons[tensor] = compare.result;
    fanin_free(piece);
    return status;
}

/* SIZE_MAX if the checkpoint has none, or one of another dtype or shape, so that there are no bytes to compare. */
static size_t find_comparable(const verifying *v, const fanin_plan_tensor *tensor)
{
    size_t found = fanin_checkpoint_tensor_find(v->checkpoint, tensor->name);
    if (found == SIZE_MAX)
        return SIZE_MAX;
    const fanin_checkpoint_tensor *other = fanin_checkpoint_tensor_at(v->checkpoint, found);
    return tensor->dtype == other->dtype && same_shape(tensor, other) ? found : SIZE_MAX;
}

static void report_bytes(verifying *v, size_t planned, size_t found)
{
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(v->plan, planned);
    const fanin_comparison *comparison = &v->comparisons[planned];
    v->is_hashed[found] = true;
    v->result->nbytes += tensor->nbytes;
    if (comparison->ndiffering == 0) {
        v->result->nequal++;
        return;
    }
    const fanin_difference difference = {
        .kind = FANIN_DIFFERENCE_BYTES,
        .tensor = tensor->name,
        .nelem = tensor->nelem,
        .ndiffering = comparison->ndiffering,
        .first = comparison->first,
        .expected = comparison->expected,
        .found = comparison->found,
        .max_abs = comparison->max_abs,
    };
    report(v, &difference);
}

/* In the plan's order, whichever thread compared them. */
static void report_all(verifying *v)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(v->plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(v->plan, i);
        size_t found = fanin_checkpoint_tensor_find(v->checkpoint, tensor->name);
        if (found == SIZE_MAX) {
            if (fanin_plan_tensor_is_stored(tensor) && !is_there_by_another_name(v, tensor->name))
                report_kind(v, FANIN_DIFFERENCE_MISSING, tensor->name, tensor->nelem);
            continue;
        }
        v->is_expected[found] = true;
        if (find_comparable(v, tensor) != SIZE_MAX)
            report_bytes(v, i, found);
        else
            report_kind(v,
                        tensor->dtype != fanin_checkpoint_tensor_at(v->checkpoint, found)->dtype
                            ? FANIN_DIFFERENCE_DTYPE
                            : FANIN_DIFFERENCE_SHAPE,
                        tensor->name, tensor->nelem);
    }
}

static fanin_status compare_all(verifying *v)
{
    size_t n = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(v->plan); i++)
        if (find_comparable(v, fanin_plan_tensor_at(v->plan, i)) != SIZE_MAX)
            v->tensors[n++] = i;
    const fanin_together together = {
        .maker = &v->maker, .tensors = v->tensors, .ntensors = n, .make = compare_tensor, .user = v};
    FANIN_TRY(fanin_make_together(&together, v->error));
    report_all(v);
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
    FANIN_TRY(fanin_plan_check_refusals(plan, error));
    size_t n = fanin_checkpoint_tensor_count(checkpoint), nplanned = fanin_plan_tensor_count(plan);
    verifying v = {.checkpoint = checkpoint, .plan = plan, .report = report_to, .user = user, .error = error};
    fanin_verify_result local = {0};
    v.result = &local;
    FANIN_TRY(fanin_maker_begin(&v.maker, plan, options, error));
    for (size_t i = 0; i < n; i++)
        v.maker.total_nbytes += fanin_checkpoint_tensor_at(checkpoint, i)->nbytes;
    v.tensors = fanin_allocate(nplanned, sizeof *v.tensors);
    v.comparisons = fanin_allocate(nplanned, sizeof *v.comparisons);
    v.piece = fanin_allocate(FANIN_CHUNK_MAX_NBYTES, 1);
    v.is_hashed = fanin_allocate_zeroed(n, sizeof *v.is_hashed);
    v.is_expected = fanin_allocate_zeroed(n, sizeof *v.is_expected);
    v.digests = fanin_allocate(n, sizeof *v.digests);
    fanin_status status = FANIN_OK;
    if (v.tensors == NULL || v.comparisons == NULL || v.piece == NULL || v.is_hashed == NULL || v.is_expected == NULL ||
        v.digests == NULL)
        status = fanin_fail_memory(error, FANIN_CHUNK_MAX_NBYTES + nplanned * sizeof *v.comparisons);
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
    fanin_free(v.comparisons);
    fanin_free(v.tensors);
    fanin_maker_end(&v.maker);
    return status;
}
