/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of plan files: what is accepted keeps every promise of plan.h, and is written and read to the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/plan.h"

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
        check_inside(plan, op->source->storage, &op->source->view, op->source->offset);
        REQUIRE(fanin_tensor_nelem(&op->source->view) == fanin_tensor_nelem(&op->view));
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
    fanin_plan_free(again);
    fanin_plan_free(plan);
    return 0;
}
