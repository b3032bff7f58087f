/* SPDX-License-Identifier: MIT */
/*
 * Blocks of tensors into the caller's memory: what one rank of many needs of a model.
 */
#include "fanin/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/view.h"
#include "run/chunk.h"
#include "run/together.h"

static const int64_t zeros[FANIN_MAX_DIMS];

/* Slices by tensor, so that each tensor is one task's, and the tensors in order without repetition. */
typedef struct slicing {
    const fanin_slice **sorted;
    size_t nslices;
    size_t *tensors;
    size_t ntensors;
} slicing;

static int by_tensor(const void *left, const void *right)
{
    const fanin_slice *const *a = left, *const *b = right;
    return (*a)->tensor < (*b)->tensor ? -1 : (*a)->tensor > (*b)->tensor;
}

static fanin_status check_slice(const fanin_plan *plan, const fanin_slice *slice, fanin_error *error)
{
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, slice->tensor);
    const fanin_tensor *to = &slice->destination;
    const int64_t *offsets = slice->offsets != NULL ? slice->offsets : zeros;
    char shown[FANIN_SHOW_NBYTES];
    if (tensor == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no tensor %zu; the plan has %zu", slice->tensor,
                          fanin_plan_tensor_count(plan));
    fanin_show(tensor->name, strlen(tensor->name), shown);
    if (to->dtype != tensor->dtype)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "tensor %s is %s, the destination %s", shown,
                          fanin_dtype_name(tensor->dtype), fanin_dtype_name(to->dtype));
    if (to->ndim != tensor->ndim)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "tensor %s has %d dimensions, the destination %d", shown,
                          (int)tensor->ndim, (int)to->ndim);
    if (fanin_view_check(to, true, error) != FANIN_OK) {
        fanin_status status = error != NULL ? error->status : FANIN_ERROR_SHAPE;
        fanin_fail_within(error, "tensor %s: the destination", shown);
        return status;
    }
    if (fanin_dtype_nbits(to->dtype) % 8 != 0)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "tensor %s: %s packs elements into bytes and has no blocks", shown,
                          fanin_dtype_name(to->dtype));
    for (int32_t d = 0; d < tensor->ndim; d++)
        if (offsets[d] < 0 || offsets[d] > tensor->shape[d] || to->shape[d] > tensor->shape[d] - offsets[d])
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "tensor %s: %" PRId64 " elements from %" PRId64 " on are more than dimension %d has, "
                              "%" PRId64,
                              shown, to->shape[d], offsets[d], (int)d, tensor->shape[d]);
    if (to->data == NULL && fanin_tensor_nelem(to) > 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "tensor %s: the destination has no memory (its data is NULL)",
                          shown);
    return FANIN_OK;
}

static fanin_status make_slices(void *user, fanin_maker *maker, size_t tensor, fanin_error *error)
{
    const slicing *s = user;
    size_t begin = 0, end = s->nslices;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (s->sorted[middle]->tensor < tensor)
            begin = middle + 1;
        else
            end = middle;
    }
    for (size_t i = begin; i < s->nslices && s->sorted[i]->tensor == tensor; i++) {
        const fanin_slice *slice = s->sorted[i];
        FANIN_TRY(fanin_maker_make_block(maker, tensor, slice->offsets != NULL ? slice->offsets : zeros,
                                         &slice->destination, error));
    }
    return FANIN_OK;
}

static fanin_status run(const fanin_plan *plan, const fanin_run_options *options, const fanin_slice *slices, slicing *s,
                        fanin_error *error)
{
    fanin_maker maker;
    for (size_t i = 0; i < s->nslices; i++) {
        FANIN_TRY(check_slice(plan, &slices[i], error));
        s->sorted[i] = &slices[i];
    }
    if (s->nslices > 1)
        qsort(s->sorted, s->nslices, sizeof *s->sorted, by_tensor);
    for (size_t i = 0; i < s->nslices; i++)
        if (i == 0 || s->sorted[i]->tensor != s->sorted[i - 1]->tensor)
            s->tensors[s->ntensors++] = s->sorted[i]->tensor;
    FANIN_TRY(fanin_maker_begin(&maker, plan, options, error));
    for (size_t i = 0; i < s->nslices; i++) {
        const fanin_tensor *to = &slices[i].destination;
        maker.total_nbytes += (uint64_t)fanin_tensor_nelem(to) * (fanin_dtype_nbits(to->dtype) / 8);
    }
    const fanin_together together = {
        .maker = &maker, .tensors = s->tensors, .ntensors = s->ntensors, .make = make_slices, .user = s};
    fanin_status status = fanin_make_together(&together, error);
    fanin_maker_end(&maker);
    return status;
}

fanin_status fanin_run_slices(const fanin_plan *plan, const fanin_run_options *options, const fanin_slice *slices,
                              size_t nslices, fanin_error *error)
{
    fanin_clear(error);
    slicing s = {.nslices = nslices};
    s.sorted = fanin_allocate(nslices, sizeof *s.sorted);
    s.tensors = fanin_allocate(nslices, sizeof *s.tensors);
    fanin_status status = s.sorted != NULL && s.tensors != NULL ? run(plan, options, slices, &s, error)
                                                                : fanin_fail_memory(error, nslices * sizeof *s.sorted);
    fanin_free(s.sorted);
    fanin_free(s.tensors);
    return status;
}

fanin_status fanin_run_slice(const fanin_plan *plan, const fanin_run_options *options, size_t tensor,
                             const int64_t *offsets, const int64_t *sizes, const fanin_tensor *destination,
                             fanin_error *error)
{
    fanin_clear(error);
    const fanin_plan_tensor *named = fanin_plan_tensor_at(plan, tensor);
    for (int32_t d = 0; named != NULL && destination->ndim == named->ndim && d < named->ndim; d++)
        if (destination->shape[d] != sizes[d])
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "the destination must have the sizes of the block: dimension "
                              "%d is %" PRId64 ", not %" PRId64,
                              (int)d, destination->shape[d], sizes[d]);
    const fanin_slice slice = {.tensor = tensor, .offsets = offsets, .destination = *destination};
    return fanin_run_slices(plan, options, &slice, 1, error);
}
