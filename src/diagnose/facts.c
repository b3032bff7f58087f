/* SPDX-License-Identifier: MIT */
/*
 * What is known of each tensor before a byte of it is read: by names and shapes, by the model, by the plan, by the
 * caller, each saying more than the one before.
 */
#include <string.h>

#include "base/error.h"
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

fanin_status fanin_facts_gather(fanin_diagnosis *diagnosis, fanin_error *error)
{
    FANIN_TRY(index_names(diagnosis, error));
    FANIN_TRY(fanin_roles_make(diagnosis, error));
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        fanin_facts_by_name(diagnosis, &diagnosis->records[i]);
    FANIN_TRY(take_caller(diagnosis, error));
    diagnosis->summary.known_by = diagnosis->plan != NULL ? "plan" : "nothing but names and shapes";
    return FANIN_OK;
}
