/* SPDX-License-Identifier: MIT */
/*
 * For tests of descriptions: JSON written with ' for ", and models, recipes and plans made of it in one call.
 */
#ifndef FANIN_TEST_DESCRIPTION_H
#define FANIN_TEST_DESCRIPTION_H

#include "test.h"

#include "fanin/plan.h"

/* The text with " for ', on the heap. */
static inline char *test_json(const char *text)
{
    char *json = malloc(strlen(text) + 1);
    assert_non_null(json);
    strcpy(json, text);
    for (char *c = json; *c != '\0'; c++)
        if (*c == '\'')
            *c = '"';
    return json;
}

static inline fanin_status test_model_parse(const char *text, fanin_model **model, fanin_error *error)
{
    char *json = test_json(text);
    fanin_status status = fanin_model_parse(json, strlen(json), "dir/m.json", model, error);
    free(json);
    return status;
}

static inline fanin_model *test_model(const char *text)
{
    fanin_model *model;
    fanin_error error;
    assert_ok(test_model_parse(text, &model, &error), error);
    return model;
}

static inline fanin_status test_recipe_parse(fanin_recipe *recipe, const char *text, fanin_error *error)
{
    char *json = test_json(text);
    fanin_status status = fanin_recipe_parse(recipe, json, strlen(json), "dir/r.json", error);
    free(json);
    return status;
}

/* A plan with torch's newest profile; recipe may be NULL. */
static inline fanin_plan *test_plan(const char *text, const char *recipe_text)
{
    fanin_model *model = test_model(text);
    fanin_recipe *recipe;
    fanin_plan *plan;
    fanin_error error;
    assert_ok(fanin_recipe_create(&recipe, &error), error);
    if (recipe_text != NULL)
        assert_ok(test_recipe_parse(recipe, recipe_text, &error), error);
    assert_ok(fanin_plan_create(model, recipe, NULL, &plan, &error), error);
    fanin_recipe_free(recipe);
    fanin_model_free(model);
    return plan;
}

/* The model is good and its plan is refused with this message. */
static inline void test_plan_fails(const char *text, fanin_status status, const char *part)
{
    fanin_model *model = test_model(text);
    fanin_plan *plan;
    fanin_error error;
    assert_fails(fanin_plan_create(model, NULL, NULL, &plan, &error), status, error, part);
    assert_null(plan);
    fanin_model_free(model);
}

#endif
