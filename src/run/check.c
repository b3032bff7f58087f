/* SPDX-License-Identifier: MIT */
/*
 * Proving that a recorded plan makes here what its recorder found: the digests it carries, computed again.
 */
#include "fanin/run.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/chunk.h"
#include "run/together.h"

typedef struct checking {
    const fanin_plan *plan;
    size_t *tensors;        /* that have a digest and can be made */
    uint8_t (*digests)[32]; /* by tensor: what they are found to have */
} checking;

static fanin_status compare(const checking *c, size_t n, void (*report)(void *user, size_t tensor, bool equal),
                            void *user, fanin_check_result *result, fanin_error *error)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t expected[32] = {0};
        (void)fanin_plan_check_sha256(c->plan, c->tensors[i], expected);
        bool equal = memcmp(expected, c->digests[c->tensors[i]], sizeof expected) == 0;
        *(equal ? &result->nequal : &result->ndifferent) += 1;
        if (report != NULL)
            report(user, c->tensors[i], equal);
    }
    if (result->ndifferent > 0)
        return fanin_fail(error, FANIN_ERROR_MISMATCH,
                          "%zu tensors are not what the recorder found; %zu are, byte for byte", result->ndifferent,
                          result->nequal);
    return FANIN_OK;
}

static fanin_status run(checking *c, const fanin_run_options *options,
                        void (*report)(void *user, size_t tensor, bool equal), void *user, fanin_check_result *result,
                        fanin_error *error)
{
    size_t n = 0;
    fanin_maker maker;
    FANIN_TRY(fanin_maker_begin(&maker, c->plan, options, error));
    for (size_t i = 0; i < fanin_plan_tensor_count(c->plan); i++) {
        uint8_t expected[32];
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(c->plan, i);
        if (!fanin_plan_check_sha256(c->plan, i, expected))
            continue;
        if (tensor->refused != NULL) {
            result->nrefused++;
            continue;
        }
        c->tensors[n++] = i;
        maker.total_nbytes += tensor->nbytes;
    }
    fanin_sink null = fanin_null_sink();
    const fanin_together together = {
        .maker = &maker, .tensors = c->tensors, .ntensors = n, .sink = &null, .digests = c->digests};
    fanin_status status = fanin_make_together(&together, error);
    fanin_maker_end(&maker);
    return status == FANIN_OK ? compare(c, n, report, user, result, error) : status;
}

fanin_status fanin_run_check(const fanin_plan *plan, const fanin_run_options *options,
                             void (*report)(void *user, size_t tensor, bool equal), void *user,
                             fanin_check_result *result, fanin_error *error)
{
    fanin_clear(error);
    fanin_check_result local = {0};
    checking c = {.plan = plan};
    size_t ntensors = fanin_plan_tensor_count(plan);
    uint64_t seed;
    if (!fanin_plan_check_seed(plan, &seed))
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED, "the plan carries no digests to compare with");
    if (options == NULL || options->size < sizeof *options)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "fanin_run_options.size must be sizeof(fanin_run_options)");
    fanin_run_options own = *options;
    own.size = sizeof own;
    own.seed = seed;
    c.tensors = fanin_allocate(ntensors, sizeof *c.tensors);
    c.digests = fanin_allocate(ntensors, sizeof *c.digests);
    fanin_status status = c.tensors != NULL && c.digests != NULL
                              ? run(&c, &own, report, user, &local, error)
                              : fanin_fail_memory(error, ntensors * sizeof *c.digests);
    if (result != NULL)
        *result = local;
    fanin_free(c.tensors);
    fanin_free(c.digests);
    return status;
}
