/* SPDX-License-Identifier: MIT */
/*
 * Rules and tensors brought together: the first rule that matches takes a tensor, or a part of it. What is left over on
 * either side is told with its place and the nearest name.
 */
#include "plan/assignment.h"

#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Names looked at for a suggestion: enough for one, few enough for any model. */
#define MAX_CANDIDATES 1000

/* ---- rules ---- */

fanin_status fanin_place_keep(fanin_plan *plan, const char *place, const char **kept, fanin_error *error)
{
    const char *slash = strrchr(place, '/');
    const char *rest = slash != NULL ? slash + 1 : place;
    *kept = fanin_arena_text(&plan->arena, rest, strlen(rest));
    return *kept != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(rest) + 1);
}

static fanin_status activate(fanin_assignment *a, const fanin_rules *rules, bool from_model, fanin_scope *scope)
{
    char text[512];
    const fanin_scope *closed = NULL;
    for (size_t i = 0; i < rules->count; i++) {
        fanin_active_rule *active = &a->active[a->nactive++];
        *active = (fanin_active_rule){.rule = &rules->items[i], .from_model = from_model};
        FANIN_TRY(fanin_place_keep(a->plan, active->rule->where, &active->where, a->error));
        if (active->rule->torch_default)
            continue;
        if (closed != active->rule->scope) {
            closed = active->rule->scope;
            *scope = *closed;
            FANIN_TRY(fanin_scope_close(scope, a->model, a->error));
        }
        FANIN_TRY(fanin_rule_call(active->rule, scope, &active->call, a->error));
        fanin_call_format(&active->call, text, sizeof text);
        active->text = fanin_arena_text(&a->plan->arena, text, strlen(text));
        if (active->text == NULL)
            return fanin_fail_memory(a->error, strlen(text));
    }
    return FANIN_OK;
}

static fanin_status activate_all(fanin_assignment *a, const fanin_recipe *recipe)
{
    size_t count = a->model->rules.count + (recipe != NULL ? recipe->rules.count : 0);
    a->active = fanin_allocate_zeroed(count, sizeof *a->active);
    fanin_scope *scope = fanin_allocate_zeroed(1, sizeof *scope);
    fanin_status status = a->active == NULL || scope == NULL
                              ? fanin_fail_memory(a->error, (uint64_t)count * sizeof *a->active + sizeof *scope)
                              : FANIN_OK;
    if (status == FANIN_OK && recipe != NULL)
        status = activate(a, &recipe->rules, false, scope);
    if (status == FANIN_OK)
        status = activate(a, &a->model->rules, true, scope);
    fanin_free(scope);
    return status;
}

/* ---- which rule for which tensor ---- */

static bool is_claimed(const fanin_claims *claims)
{
    size_t n = 0;
    while (n < claims->ngates && claims->gate[n] != NULL)
        n++;
    return claims->base != NULL || (claims->ngates > 0 && n == claims->ngates);
}

static fanin_status set_gates(fanin_assignment *a, const char *gates, fanin_claims *claims)
{
    if (claims->gates != NULL)
        return FANIN_OK;
    claims->gates = gates;
    claims->ngates = fanin_gate_count(gates);
    claims->gate = fanin_arena_allocate(&a->scratch, claims->ngates, sizeof(fanin_active_rule *));
    return claims->gate != NULL ? FANIN_OK : fanin_fail_memory(a->error, claims->ngates * sizeof(fanin_active_rule *));
}

/* A rule's own names for the blocks of dimension 0. */
static fanin_status name_gates(fanin_assignment *a, const fanin_rule *rule, const fanin_model_tensor *tensor,
                               fanin_claims *claims)
{
    if (rule->gates == NULL)
        return FANIN_OK;
    size_t n = fanin_gate_count(rule->gates);
    if (claims->gates != NULL && strcmp(claims->gates, rule->gates) != 0)
        return fanin_fail(a->error, FANIN_ERROR_FORMAT, "%s: tensor \"%.200s\" has the gates %s already, not %s",
                          rule->where, tensor->name, claims->gates, rule->gates);
    if (tensor->ndim < 1 || tensor->shape[0] % (int64_t)n != 0)
        return fanin_fail(a->error, FANIN_ERROR_FORMAT,
                          "%s: %zu gates do not divide dimension 0 of tensor \"%.200s\" into equal blocks", rule->where,
                          n, tensor->name);
    return set_gates(a, rule->gates, claims);
}

static fanin_status claim_row(fanin_assignment *a, fanin_active_rule *active, const fanin_model_tensor *tensor,
                              fanin_claims *claims)
{
    const fanin_rule *rule = active->rule;
    int64_t nrows = tensor->ndim > 0 ? tensor->shape[0] : 0;
    int64_t row = rule->row < 0 ? rule->row + nrows : rule->row;
    if (row < 0 || row >= nrows)
        return fanin_fail(a->error, FANIN_ERROR_FORMAT, "%s: tensor \"%.200s\" has no row %lld, only %lld", rule->where,
                          tensor->name, (long long)rule->row, (long long)nrows);
    fanin_row_claim **last = &claims->rows;
    for (; *last != NULL; last = &(*last)->next) {
        if ((*last)->row == row) {
            active->taken_by = (*last)->active->rule->where;
            return FANIN_OK;
        }
    }
    *last = fanin_arena_allocate(&a->scratch, 1, sizeof **last);
    if (*last == NULL)
        return fanin_fail_memory(a->error, sizeof **last);
    (*last)->row = row;
    (*last)->active = active;
    active->napplied++;
    return FANIN_OK;
}

/* Takes of the tensor what the rule is for and no earlier rule has. */
static fanin_status claim(fanin_assignment *a, fanin_active_rule *active, const fanin_model_tensor *tensor,
                          fanin_claims *claims)
{
    const fanin_rule *rule = active->rule;
    if (rule->has_row)
        return claim_row(a, active, tensor, claims);
    FANIN_TRY(name_gates(a, rule, tensor, claims));
    if (rule->only == NULL) {
        claims->base = active;
        active->napplied++;
        return FANIN_OK;
    }
    for (size_t i = 0, n = claims->gates != NULL ? fanin_gate_count(rule->only) : 0; i < n; i++) {
        size_t nbytes;
        const char *name = fanin_gate_at(rule->only, i, &nbytes);
        size_t gate = fanin_gate_find(claims->gates, name, nbytes);
        if (gate == SIZE_MAX)
            continue;
        if (claims->gate[gate] != NULL) {
            active->taken_by = claims->gate[gate]->rule->where;
            continue;
        }
        claims->gate[gate] = active;
        active->napplied++;
    }
    return FANIN_OK;
}

/* Whether the rule is about this tensor at all: rules for gates are not about tensors without them. */
static bool is_about(const fanin_rule *rule, const fanin_model_tensor *tensor, const fanin_claims *claims)
{
    const char *gates = rule->gates != NULL ? rule->gates : claims->gates;
    if (!fanin_rule_matches(rule, tensor))
        return false;
    for (size_t i = 0, n = rule->only != NULL && gates != NULL ? fanin_gate_count(rule->only) : 0; i < n; i++) {
        size_t nbytes;
        const char *name = fanin_gate_at(rule->only, i, &nbytes);
        if (fanin_gate_find(gates, name, nbytes) != SIZE_MAX)
            return true;
    }
    return rule->only == NULL;
}

static fanin_status claim_tensor(fanin_assignment *a, size_t index)
{
    const fanin_model_tensor *tensor = &a->model->entries[index].tensor;
    fanin_claims *claims = &a->claims[index];
    if (tensor->tied_to == NULL && tensor->gates != NULL)
        FANIN_TRY(set_gates(a, tensor->gates, claims));
    for (size_t i = 0; i < a->nactive; i++) {
        fanin_active_rule *active = &a->active[i];
        bool taken = is_claimed(claims);
        /* Once a rule was applied nobody asks what else it matches. */
        if (taken && active->napplied > 0)
            continue;
        if (!is_about(active->rule, tensor, claims))
            continue;
        if (tensor->tied_to != NULL) {
            active->tie = tensor->name;
            continue;
        }
        active->nmatched++;
        if (taken) {
            const fanin_active_rule *taker = claims->base != NULL ? claims->base : claims->gate[0];
            active->taken_by = taker->rule->where;
            active->taken_by_other = active->taken_by_other || taker->from_model != active->from_model;
        } else {
            FANIN_TRY(claim(a, active, tensor, claims));
        }
    }
    return FANIN_OK;
}

/* ---- what to say when nothing matches ---- */

static fanin_status fail_unmatched(fanin_assignment *a, const fanin_model_tensor *tensor, const fanin_claims *claims)
{
    const fanin_active_rule *nearest = NULL;
    size_t least = SIZE_MAX;
    const char *part = claims->rows != NULL ? "all rows of " : claims->ngates > 0 ? "all gates of " : "";
    for (size_t i = 0; i < a->nactive; i++) {
        const fanin_rule *rule = a->active[i].rule;
        if (rule->pattern == NULL)
            continue;
        size_t distance = fanin_pattern_distance(rule->pattern, tensor->name, fanin_pattern_tolerance(rule->pattern));
        if (distance > 0 && distance < least) {
            least = distance;
            nearest = &a->active[i];
        }
    }
    if (a->nactive == 0)
        return fanin_fail(
            a->error, FANIN_ERROR_FORMAT,
            "%s: there are no rules, so tensor \"%.200s\" has none: give a recipe, or \"rules\" in the spec",
            tensor->where, tensor->name);
    if (nearest != NULL)
        return fanin_fail(a->error, FANIN_ERROR_FORMAT,
                          "%s: no rule matches %stensor \"%.200s\"; the nearest is %s (%s)", tensor->where, part,
                          tensor->name, nearest->rule->shown, nearest->rule->where);
    return fanin_fail(a->error, FANIN_ERROR_FORMAT,
                      "%s: no rule matches %stensor \"%.200s\"; add one, as {\"match\": \"%.200s\", \"init\": ...}",
                      tensor->where, part, tensor->name, tensor->name);
}

static fanin_status claim_all(fanin_assignment *a)
{
    const fanin_model *model = a->model;
    a->claims = fanin_allocate_zeroed(model->count, sizeof *a->claims);
    if (a->claims == NULL)
        return fanin_fail_memory(a->error, (uint64_t)model->count * sizeof *a->claims);
    for (size_t i = 0; i < model->count; i++) {
        const fanin_model_entry *entry = &model->entries[i];
        FANIN_TRY(claim_tensor(a, i));
        bool constructed = model->construct && entry->layer != SIZE_MAX;
        if (entry->tensor.tied_to == NULL && !constructed && !is_claimed(&a->claims[i]))
            return fail_unmatched(a, &entry->tensor, &a->claims[i]);
        const fanin_active_rule *base = a->claims[i].base;
        if (base != NULL && base->rule->torch_default && entry->layer == SIZE_MAX)
            return fanin_fail(
                a->error, FANIN_ERROR_FORMAT,
                "%s: torch_default is what a layer's constructor does, and tensor \"%.200s\" (%s) is of no "
                "layer: name an initializer",
                base->rule->where, entry->tensor.name, entry->tensor.where);
    }
    return FANIN_OK;
}

/* The tensor whose name comes nearest to a rule that matches none. */
static const char *nearest_name(const fanin_assignment *a, const fanin_rule *rule)
{
    const char *name = NULL;
    size_t limit = rule->pattern != NULL ? fanin_pattern_tolerance(rule->pattern) : 0;
    for (size_t i = 0; limit > 0 && i < a->model->count && i < MAX_CANDIDATES; i++) {
        size_t distance = fanin_pattern_distance(rule->pattern, a->model->entries[i].tensor.name, limit);
        if (distance <= limit) {
            name = a->model->entries[i].tensor.name;
            limit = distance - (distance > 0);
        }
    }
    return name;
}

/* The same for its role. */
static const char *nearest_role(const fanin_assignment *a, const fanin_rule *rule)
{
    const char *near = NULL;
    for (size_t i = 0; rule->role != NULL && near == NULL && i < a->model->count && i < MAX_CANDIDATES; i++) {
        const char *role = a->model->entries[i].tensor.role;
        if (role != NULL && strcmp(role, rule->role) != 0)
            near = fanin_nearest(rule->role, &role, 1);
    }
    return near;
}

static fanin_status warn_of_unused(fanin_assignment *a, const fanin_active_rule *active)
{
    const fanin_rule *rule = active->rule;
    const char *where = rule->where, *shown = rule->shown;
    if (active->nmatched > 0 && active->taken_by_other)
        return FANIN_OK; /* a recipe is there to go before the model's own rules */
    if (active->nmatched > 0)
        return fanin_plan_warn(a->plan, a->error,
                               "%s: the rule for %s never applies: an earlier rule (%s) takes what it matches.", where,
                               shown, active->taken_by);
    if (active->tie != NULL)
        return fanin_plan_warn(
            a->plan, a->error,
            "%s: the rule for %s matches only tied names such as \"%.200s\", which have no values of "
            "their own.",
            where, shown, active->tie);
    const char *name = nearest_name(a, rule), *role = nearest_role(a, rule);
    if (name != NULL)
        return fanin_plan_warn(a->plan, a->error,
                               "%s: the rule for %s matches no tensor; the nearest name is \"%.200s\".", where, shown,
                               name);
    if (role != NULL)
        return fanin_plan_warn(a->plan, a->error, "%s: the rule for %s matches no tensor; the nearest role is \"%s\".",
                               where, shown, role);
    return fanin_plan_warn(a->plan, a->error, "%s: the rule for %s matches no tensor.", where, shown);
}

/* ---- the whole ---- */

fanin_status fanin_assignment_make(fanin_assignment *a, const fanin_recipe *recipe)
{
    FANIN_TRY(activate_all(a, recipe));
    FANIN_TRY(claim_all(a));
    for (size_t i = 0; i < a->nactive; i++)
        if (a->active[i].napplied == 0 && !a->active[i].rule->optional)
            FANIN_TRY(warn_of_unused(a, &a->active[i]));
    return FANIN_OK;
}

void fanin_assignment_end(fanin_assignment *a)
{
    fanin_free(a->active);
    fanin_free(a->claims);
    fanin_arena_release(&a->scratch);
}
