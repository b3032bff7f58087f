/* SPDX-License-Identifier: MIT */
/*
 * What is known of each tensor before a byte of it is read: by names and shapes, by the model, by the plan, by the
 * caller, each saying more than the one before.
 */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/facts.h"
#include "diagnose/roles.h"

/* ---- what the caller says ---- */

static fanin_status take_caller(fanin_diagnosis *diagnosis, fanin_error *error)
{
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const fanin_weight *weight = &diagnosis->weights->weights[i];
        struct fanin_record *record = &diagnosis->records[i];
        if (weight->layer_kind != FANIN_LAYER_NONE)
            record->tensor.layer_kind = weight->layer_kind;
        if (weight->role != NULL) {
            record->tensor.role = fanin_arena_text(&diagnosis->arena, weight->role, strlen(weight->role));
            if (record->tensor.role == NULL)
                return fanin_fail_memory(error, strlen(weight->role));
        }
        if (weight->layer_kind != FANIN_LAYER_NONE || weight->role != NULL)
            fanin_facts_by_role(record);
        if (weight->layout != FANIN_LAYOUT_OUT_IN)
            record->layout = weight->layout;
        if (weight->groups != 0)
            record->groups = weight->groups;
        const char *activation = weight->activation != NULL ? weight->activation : diagnosis->options->activation;
        if (activation != NULL && (weight->activation != NULL || record->tensor.activation == NULL)) {
            record->tensor.activation = fanin_arena_text(&diagnosis->arena, activation, strlen(activation));
            if (record->tensor.activation == NULL)
                return fanin_fail_memory(error, strlen(activation));
        }
        if (weight->tied_to != NULL) {
            record->tied_to = fanin_arena_text(&diagnosis->arena, weight->tied_to, strlen(weight->tied_to));
            if (record->tied_to == NULL)
                return fanin_fail_memory(error, strlen(weight->tied_to));
        }
        if (weight->norm_follows != FANIN_UNKNOWN)
            record->norm_follows = weight->norm_follows;
        if (weight->in_residual != FANIN_UNKNOWN)
            record->in_residual = weight->in_residual;
        if (weight->chain != 0)
            record->chain = weight->chain;
    }
    return FANIN_OK;
}

static fanin_status index_names(fanin_diagnosis *diagnosis, fanin_error *error)
{
    FANIN_TRY(fanin_names_begin(&diagnosis->names, diagnosis->nrecords, error));
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        diagnosis->names.entries[i] = (fanin_name_entry){diagnosis->records[i].tensor.name, i};
    return fanin_names_sort(&diagnosis->names, error);
}

/* ---- fans ---- */

/* Experts in one tensor are matrices whose axes nobody named: unless square, which is the input is not known. */
static void find_fans(struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    fanin_tensor view = {.ndim = tensor->ndim, .layout = record->layout, .groups = record->groups};
    fanin_fans fans;
    if (!tensor->is_weight || tensor->ndim > FANIN_MAX_DIMS)
        return;
    if (record->is_stacked) {
        if (tensor->ndim == 3 && tensor->shape[1] == tensor->shape[2])
            tensor->fan_in = tensor->fan_out = tensor->shape[1];
        return;
    }
    for (int32_t d = 0; d < tensor->ndim; d++)
        view.shape[d] = tensor->shape[d];
    if (fanin_calculate_fans(&view, &fans, NULL) != FANIN_OK)
        return;
    tensor->fan_in = fans.in;
    tensor->fan_out = fans.out;
}

/* ---- all ---- */

static const char *known_by(fanin_diagnosis *diagnosis)
{
    const char *family = diagnosis->summary.family;
    if ((diagnosis->has_config_plan || diagnosis->has_config_laws) && family != NULL)
        return fanin_arena_format(&diagnosis->arena, "config (%s)", family);
    if (diagnosis->plan != NULL)
        return "plan";
    if (diagnosis->model != NULL)
        return "model";
    return family != NULL ? fanin_arena_format(&diagnosis->arena, "names (%s)", family)
                          : "nothing but names and shapes";
}

fanin_status fanin_facts_gather(fanin_diagnosis *diagnosis, fanin_error *error)
{
    FANIN_TRY(index_names(diagnosis, error));
    FANIN_TRY(fanin_roles_make(diagnosis, error));
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        fanin_facts_by_name(diagnosis, &diagnosis->records[i]);
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        fanin_facts_by_sibling(diagnosis, &diagnosis->records[i]);
    diagnosis->summary.family = fanin_facts_family(diagnosis);
    FANIN_TRY(fanin_facts_chain(diagnosis, error));
    if (diagnosis->model != NULL) {
        FANIN_TRY(fanin_facts_by_model(diagnosis, error));
        if (fanin_model_family(diagnosis->model) != NULL)
            diagnosis->summary.family = fanin_model_family(diagnosis->model);
    }
    if (diagnosis->plan != NULL)
        FANIN_TRY(fanin_facts_by_plan(diagnosis, error));
    else if (diagnosis->options->config != NULL)
        FANIN_TRY(fanin_facts_by_config(diagnosis, error));
    FANIN_TRY(take_caller(diagnosis, error));
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        fanin_facts_by_norm(diagnosis, &diagnosis->records[i]);
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        find_fans(&diagnosis->records[i]);
    diagnosis->summary.known_by = known_by(diagnosis);
    return diagnosis->summary.known_by != NULL ? FANIN_OK : fanin_fail_memory(error, FANIN_SHOW_NBYTES);
}
