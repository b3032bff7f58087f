/* SPDX-License-Identifier: MIT */
/*
 * Fills by kind: the table that joins data (fanin_fill) and the code that checks, measures and runs it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "init/random.h"

static const fanin_fill_rule *const rules[FANIN_FILL_KIND_COUNT] = {
    [FANIN_FILL_CONSTANT] = &fanin_fill_constant,
    [FANIN_FILL_UNIFORM] = &fanin_fill_uniform,
    [FANIN_FILL_NORMAL] = &fanin_fill_normal,
    [FANIN_FILL_TRUNC_NORMAL] = &fanin_fill_trunc_normal,
    [FANIN_FILL_EYE] = &fanin_fill_eye,
    [FANIN_FILL_DIRAC] = &fanin_fill_dirac,
    [FANIN_FILL_ORTHOGONAL] = &fanin_fill_orthogonal,
    [FANIN_FILL_SPARSE] = &fanin_fill_sparse,
};

static const fanin_fill_rule *rule_of(fanin_fill_kind kind)
{
    return (unsigned)kind < FANIN_FILL_KIND_COUNT ? rules[kind] : NULL;
}

const char *fanin_fill_kind_name(fanin_fill_kind kind)
{
    const fanin_fill_rule *rule = rule_of(kind);
    return rule != NULL ? rule->name : NULL;
}

fanin_fill_kind fanin_fill_kind_from_name(const char *name)
{
    for (int kind = 1; kind < FANIN_FILL_KIND_COUNT; kind++)
        if (strcmp(rules[kind]->name, name) == 0)
            return (fanin_fill_kind)kind;
    return FANIN_FILL_NONE;
}

size_t fanin_fill_nvalues(fanin_fill_kind kind)
{
    size_t n = 0;
    while (n < 4 && fanin_fill_value_name(kind, n) != NULL)
        n++;
    return n;
}

const char *fanin_fill_value_name(fanin_fill_kind kind, size_t i)
{
    const fanin_fill_rule *rule = rule_of(kind);
    return rule != NULL && i < 4 ? rule->values[i] : NULL;
}

fanin_status fanin_fill_check(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile,
                              fanin_error *error)
{
    const fanin_fill_rule *rule = rule_of(fill->kind);
    fanin_clear(error);
    if (rule == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no fill of kind %d", (int)fill->kind);
    if (strcmp(fanin_profile_name(profile), "unknown") == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "the generator has no profile (%" PRIu32 "); make it with fanin_generator_torch", profile);
    FANIN_TRY(fanin_view_check(tensor, fill->kind != FANIN_FILL_CONSTANT, error));
    if (rule->random && !fanin_dtype_is_random(tensor->dtype))
        return fanin_fail(error, FANIN_ERROR_DTYPE,
                          "%s draws random values, which exist for f64, f32, bf16 and f16, not for %s", rule->name,
                          fanin_dtype_name(tensor->dtype));
    return rule->check(fill->value, tensor, profile, error);
}

fanin_status fanin_fill_run(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                            fanin_error *error)
{
    FANIN_TRY(fanin_fill_check(fill, tensor, generator != NULL ? generator->profile : FANIN_PROFILE_TORCH, error));
    const fanin_fill_rule *rule = rule_of(fill->kind);
    if (rule->random && generator == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s draws random values and needs a generator", rule->name);
    if (tensor->data == NULL && fanin_tensor_nelem(tensor) > 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "the tensor has no memory (its data is NULL)");
    return rule->run(fill->value, tensor, generator, error);
}

/* The scalar path in a fill that has no way past it: small matrices of orthogonal_ and views of sparse_. */
static fanin_status run_on_scratch(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                                   fanin_error *error)
{
    fanin_tensor scratch = *tensor;
    uint64_t span = 1; /* elements from the first of the view to the last; a few too many if it is empty */
    for (int32_t d = 0; d < tensor->ndim; d++)
        if (tensor->shape[d] > 0)
            span += (uint64_t)(tensor->shape[d] - 1) * (uint64_t)tensor->strides[d];
    const size_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    scratch.data = fanin_allocate(span, nbytes);
    if (scratch.data == NULL)
        return fanin_fail_memory(error, span * nbytes);
    const fanin_status status = fanin_fill_run(fill, &scratch, generator, error);
    fanin_free(scratch.data);
    return status;
}

fanin_status fanin_fill_pass(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                             const fanin_parallel *parallel, fanin_error *error)
{
    fanin_fill_stream stream = {.has_cached = generator->has_next_normal};
    FANIN_TRY(fanin_fill_measure(fill, tensor, generator->profile, &stream, error));
    const fanin_fill_rule *rule = rule_of(fill->kind);
    if (rule->pass != NULL)
        return rule->pass(fill->value, tensor, generator, parallel, error);
    if (stream.scalar)
        return run_on_scratch(fill, tensor, generator, error);
    fanin_generator_skip(generator, stream.ndraws);
    return FANIN_OK;
}

fanin_status fanin_fill_measure(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile,
                                fanin_fill_stream *stream, fanin_error *error)
{
    FANIN_TRY(fanin_fill_check(fill, tensor, profile, error));
    stream->ndraws = 0;
    stream->data_dependent = false;
    stream->scalar = false;
    rule_of(fill->kind)->measure(fill->value, tensor, profile, stream);
    return FANIN_OK;
}

bool fanin_fill_is_splittable(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile)
{
    const fanin_fill_rule *rule = rule_of(fill->kind);
    return rule != NULL && fanin_tensor_is_contiguous(tensor) && rule->is_splittable(fill->value, tensor, profile);
}
