/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of plan files: what is accepted keeps every promise of plan.h, is written and read to the same bytes,
 * and, if it is small, makes the same bytes in every way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_inside(const fanin_plan *plan, size_t storage, const fanin_tensor *view, int64_t offset)
{
    uint64_t last = (uint64_t)offset;
    REQUIRE(storage < fanin_plan_storage_count(plan) && offset >= 0);
    REQUIRE(view->dtype == fanin_plan_storage_dtype(plan, storage));
    if (fanin_tensor_nelem(view) == 0)
        return;
    for (int32_t d = 0; d < view->ndim; d++)
        last += (uint64_t)(view->shape[d] - 1) * (uint64_t)view->strides[d];
    REQUIRE(last < fanin_plan_storage_nelem(plan, storage));
}

/* barriers and end are those of a description's plan, whose positions follow from each other. */
static void check_op(const fanin_plan *plan, const fanin_plan_op *op, size_t *barriers, uint64_t *end)
{
    fanin_error error;
    REQUIRE(op->tensor == SIZE_MAX || op->tensor < fanin_plan_tensor_count(plan));
    REQUIRE(op->stream < fanin_plan_stream_count(plan));
    check_inside(plan, op->storage, &op->view, op->offset);
    REQUIRE(op->ndraws == 0 || op->at + op->ndraws > op->at);
    switch (op->kind) {
    case FANIN_OP_FILL:
        REQUIRE(fanin_fill_check(&op->fill, &op->view, fanin_plan_profile(plan), &error) == FANIN_OK);
        break;
    case FANIN_OP_LITERAL:
        REQUIRE(op->literal < fanin_plan_literal_count(plan));
        break;
    case FANIN_OP_COPY:
    case FANIN_OP_CAST:
    case FANIN_OP_FUNCTION:
        if (op->other != NULL)
            check_inside(plan, op->other->storage, &op->other->view, op->other->offset);
        check_inside(plan, op->source->storage, &op->source->view, op->source->offset);
        REQUIRE(fanin_tensor_nelem(&op->source->view) == fanin_tensor_nelem(&op->view));
        break;
    case FANIN_OP_QR:
        check_inside(plan, op->source->storage, &op->source->view, op->source->offset);
        REQUIRE(op->view.ndim == 2 && memcmp(op->view.shape, op->source->view.shape, 2 * sizeof(int64_t)) == 0);
        break;
    case FANIN_OP_NORM:
        check_inside(plan, op->source->storage, &op->source->view, op->source->offset);
        REQUIRE(op->summed >> op->source->view.ndim == 0);
        break;
    default:
        REQUIRE(op->unknown != NULL && op->dead);
    }
    if (fanin_plan_is_recorded(plan))
        return;
    REQUIRE(op->kind == FANIN_OP_FILL && op->barriers <= *barriers && op->at <= *end);
    REQUIRE(op->tensor != SIZE_MAX || op->dead);
    REQUIRE(!op->data_dependent || op->barriers == *barriers);
    *barriers += op->data_dependent;
    *end = op->at + op->ndraws > *end ? op->at + op->ndraws : *end;
}

/* Data-dependent ops are drawn again for each tensor that is made alone. */
enum { MOST_NBYTES = 1 << 16, MOST_TENSORS = 64, MOST_OPS = 200, MOST_DEPENDENT = 4 };

static bool is_small(const fanin_plan *plan)
{
    uint64_t nbytes = 0;
    size_t ndependent = 0;
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        ndependent += fanin_plan_op_at(plan, i)->data_dependent;
    for (size_t s = 0; s < fanin_plan_storage_count(plan) && nbytes <= MOST_NBYTES; s++)
        nbytes +=
            fanin_plan_storage_nelem(plan, s) > MOST_NBYTES ? MOST_NBYTES + 1 : 8 * fanin_plan_storage_nelem(plan, s);
    for (size_t t = 0; t < fanin_plan_tensor_count(plan) && nbytes <= MOST_NBYTES; t++)
        nbytes += fanin_plan_tensor_at(plan, t)->nbytes > MOST_NBYTES ? MOST_NBYTES + 1
                                                                      : fanin_plan_tensor_at(plan, t)->nbytes;
    return nbytes <= MOST_NBYTES && fanin_plan_tensor_count(plan) <= MOST_TENSORS && ndependent <= MOST_DEPENDENT &&
           fanin_plan_op_count(plan) <= MOST_OPS;
}

/* Each tensor alone, from the last to the first, and as a block, is what it is among all. */
static void check_runs(const fanin_plan *plan)
{
    const fanin_run_options options = {.size = sizeof options, .seed = 7};
    void *data[MOST_TENSORS] = {NULL};
    size_t n = fanin_plan_tensor_count(plan);
    fanin_error error;
    for (size_t t = 0; t < n; t++)
        if (fanin_plan_tensor_at(plan, t)->refused == NULL)
            data[t] = calloc(fanin_plan_tensor_at(plan, t)->nbytes + 1, 1);
    bool made = fanin_run_memory(plan, &options, data, &error) == FANIN_OK;
    REQUIRE(made || error.message[0] != '\0');
    for (size_t t = n; made && t-- > 0;) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
        const int64_t zeros[FANIN_MAX_DIMS] = {0};
        if (data[t] == NULL || tensor->tied_to != NULL)
            continue;
        void *alone = calloc(tensor->nbytes + 1, 1);
        REQUIRE(fanin_run_tensor(plan, &options, t, alone, &error) == FANIN_OK);
        REQUIRE(memcmp(alone, data[t], tensor->nbytes) == 0);
        if (fanin_dtype_nbits(tensor->dtype) % 8 == 0) {
            const fanin_tensor to = fanin_tensor_nd(alone, tensor->dtype, tensor->ndim, tensor->shape);
            memset(alone, 0, tensor->nbytes);
            REQUIRE(fanin_run_slice(plan, &options, t, zeros, tensor->shape, &to, &error) == FANIN_OK);
            REQUIRE(memcmp(alone, data[t], tensor->nbytes) == 0);
        }
        free(alone);
    }
    for (size_t t = 0; t < n; t++)
        free(data[t]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fanin_plan *plan, *again;
    char *first, *second;
    size_t barriers = 0;
    uint64_t end = 0;
    fanin_error error;
    if (fanin_plan_parse((const char *)data, nbytes, "fuzz", &plan, &error) != FANIN_OK) {
        REQUIRE(error.message[0] != '\0');
        return 0;
    }
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        check_op(plan, fanin_plan_op_at(plan, i), &barriers, &end);
    REQUIRE(fanin_plan_is_recorded(plan) || end == fanin_plan_ndraws(plan));
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        REQUIRE(fanin_plan_tensor_find(plan, fanin_plan_tensor_at(plan, i)->name) == i);
    REQUIRE(fanin_plan_to_json(plan, &first, &error) == FANIN_OK);
    REQUIRE(fanin_plan_parse(first, strlen(first), "again", &again, &error) == FANIN_OK);
    REQUIRE(fanin_plan_to_json(again, &second, &error) == FANIN_OK);
    REQUIRE(strcmp(first, second) == 0);
    fanin_release(first);
    fanin_release(second);
    if (is_small(plan))
        check_runs(plan);
    fanin_plan_free(again);
    fanin_plan_free(plan);
    return 0;
}
