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

static void check_op(const fanin_plan *plan, const fanin_plan_op *op, size_t *barriers, uint64_t *end)
{
    fanin_error error;
    REQUIRE(fanin_fill_check(&op->fill, &op->view, fanin_plan_profile(plan), &error) == FANIN_OK);
    REQUIRE(op->offset >= 0 && op->barriers <= *barriers);
    REQUIRE(op->tensor == SIZE_MAX || op->tensor < fanin_plan_tensor_count(plan));
    REQUIRE(op->tensor != SIZE_MAX || op->dead);
    REQUIRE(op->at <= *end && (op->ndraws == 0 || op->at + op->ndraws > op->at));
    if (op->tensor != SIZE_MAX && fanin_tensor_nelem(&op->view) > 0) {
        uint64_t last = (uint64_t)op->offset;
        for (int32_t d = 0; d < op->view.ndim; d++)
            last += (uint64_t)(op->view.shape[d] - 1) * (uint64_t)op->view.strides[d];
        REQUIRE(last < fanin_plan_tensor_at(plan, op->tensor)->nelem);
        REQUIRE(op->view.dtype == fanin_plan_tensor_at(plan, op->tensor)->dtype);
    }
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
    REQUIRE(end == fanin_plan_ndraws(plan));
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
