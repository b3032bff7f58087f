/* SPDX-License-Identifier: MIT */
/*
 * Which names of a plan patterns choose: to make a part of it, or to leave out what cannot be made.
 */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "plan/plan_data.h"
#include "recipe/recipe.h"

/* Sets keep[i] to `value` for each name that matches. */
static fanin_status match(const fanin_plan *plan, const char *text, bool value, bool *keep, fanin_error *error)
{
    fanin_arena arena = {0};
    const fanin_pattern *pattern;
    size_t at = 0, nmatched = 0;
    char shown[FANIN_SHOW_NBYTES];
    fanin_status status = fanin_pattern_parse(text, strlen(text), &arena, &pattern, &at, error);
    for (size_t i = 0; status == FANIN_OK && i < plan->ntensors; i++) {
        if (!fanin_pattern_matches(pattern, plan->tensors[i].name))
            continue;
        keep[i] = value;
        nmatched++;
    }
    if (status == FANIN_OK && nmatched == 0)
        status = fanin_fail(error, FANIN_ERROR_ARGUMENT, "no tensor of the plan matches \"%s\"",
                            fanin_show(text, strlen(text), shown));
    fanin_arena_release(&arena);
    return status;
}

fanin_status fanin_plan_match(const fanin_plan *plan, const char *const *only, size_t nonly, const char *const *except,
                              size_t nexcept, bool *keep, fanin_error *error)
{
    fanin_error own;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    for (size_t i = 0; i < plan->ntensors; i++)
        keep[i] = nonly == 0;
    for (size_t i = 0; i < nonly; i++)
        FANIN_TRY(match(plan, only[i], true, keep, error));
    for (size_t i = 0; i < nexcept; i++)
        FANIN_TRY(match(plan, except[i], false, keep, error));
    return FANIN_OK;
}
