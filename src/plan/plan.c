/* SPDX-License-Identifier: MIT */
/*
 * Plans as a whole: what they say of themselves, and how they grow while they are made.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "plan/plan_data.h"

void fanin_plan_free(fanin_plan *plan)
{
    if (plan == NULL)
        return;
    fanin_names_end(&plan->names);
    fanin_arena_release(&plan->arena);
    for (size_t i = 0; i < plan->nliterals; i++)
        fanin_free((void *)(uintptr_t)plan->literals[i].data);
    fanin_free(plan->literals);
    fanin_free(plan->stream_seeds);
    fanin_free(plan->notes);
    fanin_free(plan->check_sha256);
    fanin_free(plan->is_checked);
    fanin_free(plan->storages);
    fanin_free(plan->tensors);
    fanin_free(plan->ops);
    fanin_free(plan->warnings);
    fanin_free(plan);
}

fanin_profile fanin_plan_profile(const fanin_plan *plan)
{
    return plan->profile;
}
size_t fanin_plan_tensor_count(const fanin_plan *plan)
{
    return plan->ntensors;
}
size_t fanin_plan_storage_count(const fanin_plan *plan)
{
    return plan->nstorages;
}
fanin_dtype fanin_plan_storage_dtype(const fanin_plan *plan, size_t storage)
{
    return storage < plan->nstorages ? plan->storages[storage].dtype : FANIN_DTYPE_NONE;
}
uint64_t fanin_plan_storage_nelem(const fanin_plan *plan, size_t storage)
{
    return storage < plan->nstorages ? (uint64_t)plan->storages[storage].nelem : 0;
}
size_t fanin_plan_op_count(const fanin_plan *plan)
{
    return plan->nops;
}
uint64_t fanin_plan_ndraws(const fanin_plan *plan)
{
    return plan->ndraws;
}
size_t fanin_plan_warning_count(const fanin_plan *plan)
{
    return plan->nwarnings;
}

const fanin_plan_tensor *fanin_plan_tensor_at(const fanin_plan *plan, size_t i)
{
    return i < plan->ntensors ? &plan->tensors[i] : NULL;
}

const fanin_plan_op *fanin_plan_op_at(const fanin_plan *plan, size_t i)
{
    return i < plan->nops ? &plan->ops[i] : NULL;
}

const char *fanin_plan_warning_at(const fanin_plan *plan, size_t i)
{
    return i < plan->nwarnings ? plan->warnings[i] : NULL;
}

const char *fanin_plan_function_name(fanin_plan_function function)
{
    static const char *const names[FANIN_FUNCTION_COUNT] = {"exp",  "log", "expm1", "log1p", "erfinv", "neg",  "sqrt",
                                                            "sign", "add", "sub",   "mul",   "div",    "clamp"};
    return (unsigned)function < FANIN_FUNCTION_COUNT ? names[function] : NULL;
}

bool fanin_plan_function_is_host(fanin_plan_function function, fanin_dtype dtype)
{
    return function <= FANIN_FUNCTION_ERFINV || (dtype != FANIN_F32 && dtype != FANIN_F64);
}

bool fanin_plan_is_recorded(const fanin_plan *plan)
{
    return plan->is_recorded;
}
size_t fanin_plan_stream_count(const fanin_plan *plan)
{
    return plan->nstreams > 0 ? plan->nstreams : 1;
}
uint64_t fanin_plan_stream_seed(const fanin_plan *plan, size_t stream)
{
    return stream > 0 && stream < plan->nstreams ? plan->stream_seeds[stream] : 0;
}
size_t fanin_plan_note_count(const fanin_plan *plan)
{
    return plan->nnotes;
}
size_t fanin_plan_literal_count(const fanin_plan *plan)
{
    return plan->nliterals;
}

const char *fanin_plan_note_key(const fanin_plan *plan, size_t i)
{
    return i < plan->nnotes ? plan->notes[i].key : NULL;
}

const char *fanin_plan_note_value(const fanin_plan *plan, size_t i)
{
    return i < plan->nnotes ? plan->notes[i].value : NULL;
}

const fanin_plan_literal *fanin_plan_literal_at(const fanin_plan *plan, size_t i)
{
    return i < plan->nliterals ? &plan->literals[i] : NULL;
}

bool fanin_plan_check_seed(const fanin_plan *plan, uint64_t *seed)
{
    if (plan->has_check)
        *seed = plan->check_seed;
    return plan->has_check;
}

bool fanin_plan_check_sha256(const fanin_plan *plan, size_t tensor, uint8_t sha256[32])
{
    if (!plan->has_check || tensor >= plan->ntensors || !plan->is_checked[tensor])
        return false;
    memcpy(sha256, plan->check_sha256[tensor], 32);
    return true;
}

bool fanin_plan_tensor_is_stored(const fanin_plan_tensor *tensor)
{
    return tensor->tied_to == NULL && tensor->is_persistent && tensor->refused == NULL;
}

size_t fanin_plan_tensor_find(const fanin_plan *plan, const char *name)
{
    return fanin_names_find(&plan->names, name);
}

fanin_status fanin_plan_index_names(fanin_plan *plan, fanin_error *error)
{
    FANIN_TRY(fanin_names_begin(&plan->names, plan->ntensors, error));
    for (size_t i = 0; i < plan->ntensors; i++)
        plan->names.entries[i] = (fanin_name_entry){plan->tensors[i].name, i};
    FANIN_TRY(fanin_names_sort(&plan->names, error));
    size_t twin = fanin_names_twin(&plan->names);
    if (twin != SIZE_MAX)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "there are two tensors \"%.200s\"", plan->tensors[twin].name);
    return FANIN_OK;
}

fanin_status fanin_plan_tensor_set_view(fanin_plan *plan, fanin_plan_tensor *tensor, const fanin_tensor *view,
                                        fanin_error *error)
{
    int64_t nelem = fanin_tensor_nelem(view);
    uint64_t nbits;
    if (nelem < 0 || !fanin_checked_mul((uint64_t)nelem, fanin_dtype_nbits(view->dtype), &nbits))
        return fanin_fail(error, FANIN_ERROR_SHAPE, "is too large as %s", fanin_dtype_name(view->dtype));
    int64_t *sizes = fanin_arena_allocate(&plan->arena, 2 * FANIN_MAX_DIMS, sizeof *sizes);
    if (sizes == NULL)
        return fanin_fail_memory(error, 2 * sizeof view->shape);
    memcpy(sizes, view->shape, sizeof view->shape);
    memcpy(sizes + FANIN_MAX_DIMS, view->strides, sizeof view->strides);
    tensor->dtype = view->dtype;
    tensor->ndim = view->ndim;
    tensor->shape = sizes;
    tensor->strides = sizes + FANIN_MAX_DIMS;
    tensor->nelem = (uint64_t)nelem;
    tensor->nbytes = nbits / 8;
    tensor->is_persistent = true;
    return FANIN_OK;
}

fanin_status fanin_plan_add_storage(fanin_plan *plan, const fanin_storage *storage, fanin_error *error)
{
    if (plan->nstorages == plan->storages_capacity) {
        size_t capacity = plan->storages_capacity < 16 ? 16 : 2 * plan->storages_capacity;
        fanin_storage *storages = fanin_reallocate(plan->storages, plan->nstorages, capacity, sizeof *storages);
        if (storages == NULL)
            return fanin_fail_memory(error, (uint64_t)capacity * sizeof *storages);
        plan->storages = storages;
        plan->storages_capacity = capacity;
    }
    plan->storages[plan->nstorages++] = *storage;
    return FANIN_OK;
}

fanin_status fanin_plan_add_op(fanin_plan *plan, const fanin_plan_op *op, fanin_error *error)
{
    if (plan->nops == plan->ops_capacity) {
        size_t capacity = plan->ops_capacity < 16 ? 16 : 2 * plan->ops_capacity;
        fanin_plan_op *ops = fanin_reallocate(plan->ops, plan->nops, capacity, sizeof *ops);
        if (ops == NULL)
            return fanin_fail_memory(error, (uint64_t)capacity * sizeof *ops);
        plan->ops = ops;
        plan->ops_capacity = capacity;
    }
    plan->ops[plan->nops++] = *op;
    return FANIN_OK;
}

fanin_status fanin_plan_warn(fanin_plan *plan, fanin_error *error, const char *format, ...)
{
    char sentence[2048];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    size_t nbytes = n < 0 ? 0 : (size_t)n < sizeof sentence ? (size_t)n : sizeof sentence - 1;
    if (plan->nwarnings == plan->warnings_capacity) {
        size_t capacity = plan->warnings_capacity < 8 ? 8 : 2 * plan->warnings_capacity;
        const char **warnings = fanin_reallocate(plan->warnings, plan->nwarnings, capacity, sizeof *warnings);
        if (warnings == NULL)
            return fanin_fail_memory(error, (uint64_t)capacity * sizeof *warnings);
        plan->warnings = warnings;
        plan->warnings_capacity = capacity;
    }
    char *kept = fanin_arena_text(&plan->arena, sentence, nbytes);
    if (kept == NULL)
        return fanin_fail_memory(error, nbytes);
    plan->warnings[plan->nwarnings++] = kept;
    return FANIN_OK;
}

fanin_status fanin_plan_warn_of_family(fanin_plan *plan, fanin_error *error)
{
    if (plan->family == NULL)
        return FANIN_OK;
    return fanin_plan_warn(plan, error,
                           "%s: the weights have transformers' distributions, not its bits: its order of draws changes "
                           "with its releases.",
                           plan->family);
}
