/* SPDX-License-Identifier: MIT */
/*
 * A plan from a spec written in the test, for tests of what is done with plans; and the plain way to run one.
 */
#ifndef FANIN_PLAN_FIXTURE_H
#define FANIN_PLAN_FIXTURE_H

#include "test.h"

#include "fanin/run.h"

static inline fanin_plan *test_plan(const char *spec, fanin_profile profile)
{
    fanin_error error;
    fanin_model *model;
    fanin_plan *plan;
    const fanin_plan_options options = {.size = sizeof options, .profile = profile};
    assert_ok(fanin_model_parse(spec, strlen(spec), "spec", &model, &error), error);
    assert_ok(fanin_plan_create(model, NULL, &options, &plan, &error), error);
    fanin_model_free(model);
    return plan;
}

static inline fanin_run_options test_options(uint64_t seed)
{
    return (fanin_run_options){.size = sizeof(fanin_run_options), .seed = seed};
}

/* Memory for every tensor of a plan that is not tied, filled with a byte that no run leaves by accident. */
static inline void **test_allocate_tensors(const fanin_plan *plan)
{
    size_t n = fanin_plan_tensor_count(plan);
    void **data = calloc(n + 1, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to != NULL)
            continue;
        data[i] = malloc(tensor->nbytes + 1);
        assert_non_null(data[i]);
        memset(data[i], 0xa5, tensor->nbytes + 1);
    }
    return data;
}

static inline void test_free_tensors(const fanin_plan *plan, void **data)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        free(data[i]);
    free(data);
}

/* One generator from the seed on, every op in order, dead ones into memory that is thrown away: what a plan means. */
static inline void test_run_plainly(const fanin_plan *plan, uint64_t seed, void **data)
{
    fanin_generator generator = fanin_generator_create(fanin_plan_profile(plan), seed);
    fanin_error error;
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        fanin_tensor view = op->view;
        size_t element = fanin_dtype_nbits(view.dtype) / 8, span = 1;
        void *scratch = NULL;
        for (int32_t d = 0; d < view.ndim; d++)
            span += view.shape[d] > 0 ? (size_t)(view.shape[d] - 1) * (size_t)view.strides[d] : 0;
        if (op->dead)
            view.data = scratch = malloc(span * (element > 0 ? element : 1));
        else
            view.data = (char *)data[op->tensor] + (size_t)op->offset * element;
        assert_ok(fanin_fill_run(&op->fill, &view, &generator, &error), error);
        free(scratch);
    }
}

#endif
