/* SPDX-License-Identifier: MIT */
/*
 * Plans into memory, and into a digest.
 */
#include "fanin/run.h"

#include "base/error.h"
#include "base/memory.h"
#include "run/chunk.h"
#include "run/content.h"

fanin_status fanin_run_tensor(const fanin_plan *plan, const fanin_run_options *options, size_t tensor, void *data,
                              fanin_error *error)
{
    fanin_clear(error);
    if (tensor >= fanin_plan_tensor_count(plan))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no tensor %zu; the plan has %zu", tensor,
                          fanin_plan_tensor_count(plan));
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    maker.total_nbytes = fanin_plan_tensor_at(plan, tensor)->nbytes;
    fanin_memory_sink memory = fanin_memory_sink_create(&data);
    fanin_status status = fanin_maker_make(&maker, tensor, &memory.sink, 0, error);
    fanin_maker_end(&maker);
    return status;
}

fanin_status fanin_run_memory(const fanin_plan *plan, const fanin_run_options *options, void *const *data,
                              fanin_error *error)
{
    fanin_clear(error);
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    size_t ntensors = fanin_plan_tensor_count(plan);
    for (size_t i = 0; i < ntensors; i++)
        if (data[i] != NULL && fanin_plan_tensor_at(plan, i)->tied_to == NULL)
            maker.total_nbytes += fanin_plan_tensor_at(plan, i)->nbytes;
    fanin_memory_sink memory = fanin_memory_sink_create(data);
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < ntensors && status == FANIN_OK; i++)
        if (data[i] != NULL && fanin_plan_tensor_at(plan, i)->tied_to == NULL)
            status = fanin_maker_make(&maker, i, &memory.sink, i, error);
    fanin_maker_end(&maker);
    return status;
}

static fanin_status digest_all(fanin_maker *maker, uint8_t (*digests)[32], fanin_digest *digest, fanin_error *error)
{
    fanin_sink null = fanin_null_sink();
    fanin_digest_sink hashing = fanin_digest_sink_create(&null, digests);
    for (size_t i = 0; i < fanin_plan_tensor_count(maker->plan); i++)
        if (fanin_plan_tensor_at(maker->plan, i)->tied_to == NULL)
            FANIN_TRY(fanin_maker_make(maker, i, &hashing.sink, i, error));
    return fanin_plan_content_digest(maker->plan, digests, digest, error);
}

fanin_status fanin_run_digest(const fanin_plan *plan, const fanin_run_options *options, fanin_digest *digest,
                              fanin_error *error)
{
    fanin_clear(error);
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    maker.total_nbytes = fanin_plan_nbytes(plan);
    size_t ntensors = fanin_plan_tensor_count(plan);
    uint8_t(*digests)[32] = fanin_allocate(ntensors, sizeof *digests);
    fanin_status status = digests != NULL ? digest_all(&maker, digests, digest, error)
                                          : fanin_fail_memory(error, ntensors * sizeof *digests);
    fanin_free(digests);
    fanin_maker_end(&maker);
    return status;
}
