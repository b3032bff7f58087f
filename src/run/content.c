/* SPDX-License-Identifier: MIT */
/*
 * What a plan's checkpoint holds as a whole.
 */
#include "run/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/content_digest.h"

typedef struct named_digest {
    const fanin_plan_tensor *tensor;
    const uint8_t *sha256;
} named_digest;

static int by_name(const void *left, const void *right)
{
    return strcmp(((const named_digest *)left)->tensor->name, ((const named_digest *)right)->tensor->name);
}

fanin_status fanin_plan_content_digest(const fanin_plan *plan, uint8_t (*digests)[32], fanin_digest *digest,
                                       fanin_error *error)
{
    size_t ntensors = fanin_plan_tensor_count(plan), n = 0;
    named_digest *sorted = fanin_allocate(ntensors, sizeof *sorted);
    if (sorted == NULL)
        return fanin_fail_memory(error, ntensors * sizeof *sorted);
    for (size_t i = 0; i < ntensors; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (fanin_plan_tensor_is_stored(tensor))
            sorted[n++] = (named_digest){.tensor = tensor, .sha256 = digests[i]};
    }
    if (n > 1)
        qsort(sorted, n, sizeof *sorted, by_name);
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_tensor *tensor = sorted[i].tensor;
        fanin_content_digest_add(&hash, tensor->name, tensor->dtype, tensor->ndim, tensor->shape, sorted[i].sha256);
    }
    fanin_sha256_end(&hash, digest->bytes);
    fanin_free(sorted);
    return FANIN_OK;
}

fanin_status fanin_plan_check_refusals(const fanin_plan *plan, fanin_error *error)
{
    size_t nrefused = 0, first = SIZE_MAX;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to == NULL && tensor->is_persistent && tensor->refused != NULL && nrefused++ == 0)
            first = i;
    }
    if (nrefused == 0)
        return FANIN_OK;
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, first);
    char shown[FANIN_SHOW_NBYTES], more[64] = "";
    if (nrefused > 1)
        snprintf(more, sizeof more, ", nor can %zu other%s", nrefused - 1, nrefused > 2 ? "s" : "");
    return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                      "tensor %s cannot be made: %.600s%s; leave out what cannot be made (fanin_plan_part)",
                      fanin_show(tensor->name, strlen(tensor->name), shown), tensor->refused, more);
}
