/* SPDX-License-Identifier: MIT */
/*
 * Plans into memory, and into a digest.
 */
#include "fanin/run.h"

#include "base/error.h"
#include "base/memory.h"
#include "run/chunk.h"
#include "run/content.h"
#include "run/together.h"

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

/* Makes the tensors that have bytes of their own, as `how` says: of `data` those that are not NULL, else those of a
   checkpoint. */
static fanin_status make_all(fanin_maker *maker, void *const *data, const fanin_together *how, fanin_error *error)
{
    size_t ntensors = fanin_plan_tensor_count(maker->plan), n = 0;
    size_t *tensors = fanin_allocate(ntensors, sizeof *tensors);
    if (tensors == NULL)
        return fanin_fail_memory(error, ntensors * sizeof *tensors);
    for (size_t i = 0; i < ntensors; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(maker->plan, i);
        if (data == NULL ? fanin_plan_tensor_is_stored(tensor) : tensor->tied_to == NULL && data[i] != NULL) {
            tensors[n++] = i;
            maker->total_nbytes += tensor->nbytes;
        }
    }
    fanin_together together = *how;
    together.maker = maker;
    together.tensors = tensors;
    together.ntensors = n;
    fanin_status status = fanin_make_together(&together, error);
    fanin_free(tensors);
    return status;
}

fanin_status fanin_run_memory(const fanin_plan *plan, const fanin_run_options *options, void *const *data,
                              fanin_error *error)
{
    fanin_clear(error);
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    fanin_memory_sink memory = fanin_memory_sink_create(data);
    const fanin_together how = {.sink = &memory.sink};
    fanin_status status = make_all(&maker, data, &how, error);
    fanin_maker_end(&maker);
    return status;
}

fanin_status fanin_run_digest(const fanin_plan *plan, const fanin_run_options *options, fanin_digest *digest,
                              fanin_error *error)
{
    fanin_clear(error);
    FANIN_TRY(fanin_plan_check_refusals(plan, error));
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    size_t ntensors = fanin_plan_tensor_count(plan);
    uint8_t(*digests)[32] = fanin_allocate(ntensors, sizeof *digests);
    fanin_sink null = fanin_null_sink();
    const fanin_together how = {.sink = &null, .digests = digests};
    fanin_status status =
        digests != NULL ? make_all(&maker, NULL, &how, error) : fanin_fail_memory(error, ntensors * sizeof *digests);
    if (status == FANIN_OK)
        status = fanin_plan_content_digest(plan, digests, digest, error);
    fanin_free(digests);
    fanin_maker_end(&maker);
    return status;
}
