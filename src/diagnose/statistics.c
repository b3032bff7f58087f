/* SPDX-License-Identifier: MIT */
/*
 * Statistics of a tensor in memory: the pass over weights, with one weight.
 */
#include "fanin/statistics.h"

#include <string.h>

#include "base/error.h"
#include "diagnose/scan.h"

static fanin_status read_memory(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    (void)i, (void)error;
    memcpy(data, (const char *)user + offset, nbytes);
    return FANIN_OK;
}

static fanin_status keep(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error)
{
    (void)i, (void)error;
    *(fanin_statistics *)context = scan->statistics;
    return FANIN_OK;
}

fanin_status fanin_statistics_of(const fanin_tensor *tensor, const fanin_parallel *parallel,
                                 fanin_statistics *statistics, fanin_error *error)
{
    fanin_clear(error);
    if (!fanin_tensor_is_contiguous(tensor))
        return fanin_fail(error, FANIN_ERROR_SHAPE, "statistics are made of contiguous tensors; copy this one first");
    const fanin_weight weight = {
        .name = "tensor", .dtype = tensor->dtype, .ndim = tensor->ndim, .shape = tensor->shape};
    const unsigned nbytes = (fanin_dtype_nbits(tensor->dtype) + 7) / 8;
    if (tensor->data != NULL && nbytes > 0 && (uintptr_t)tensor->data % nbytes == 0)
        return fanin_scan_memory(&weight, tensor->data, parallel, keep, statistics, error);
    const fanin_weights weights = {
        .nweights = 1, .weights = &weight, .read = read_memory, .user = tensor->data, .name = "tensor"};
    return fanin_scan_weights(&weights, parallel, NULL, NULL, keep, statistics, error);
}
