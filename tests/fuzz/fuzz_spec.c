/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of descriptions: an input is a spec, a config.json or a recipe. What is accepted must be planned or
 * refused, and its plan must be written and read to the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/plan.h"
#include "model/model_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A short input may stand for millions of tensors; that they are too many is known without making them all. */
#define MAX_TENSORS 2000

static void check_plan(const fanin_plan *plan)
{
    fanin_plan *again;
    char *first, *second;
    fanin_error error;
    REQUIRE(fanin_plan_to_json(plan, &first, &error) == FANIN_OK);
    if (fanin_plan_parse(first, strlen(first), "plan", &again, &error) != FANIN_OK) {
        fprintf(stderr, "%s\n%s\n", error.message, first);
        abort();
    }
    REQUIRE(fanin_plan_to_json(again, &second, &error) == FANIN_OK);
    REQUIRE(strcmp(first, second) == 0);
    REQUIRE(fanin_plan_op_count(plan) == fanin_plan_op_count(again));
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        REQUIRE(fanin_plan_op_at(plan, i)->dead == fanin_plan_op_at(again, i)->dead);
    fanin_release(first);
    fanin_release(second);
    fanin_plan_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fanin_model *model = NULL;
    fanin_recipe *recipe;
    fanin_plan *plan;
    fanin_error error;
    REQUIRE(fanin_recipe_create(&recipe, &error) == FANIN_OK);
    fanin_status read = fanin_recipe_parse(recipe, (const char *)data, nbytes, "fuzz", &error);
    REQUIRE(read == FANIN_OK || error.message[0] != '\0');
    if (fanin_description_parse((const char *)data, nbytes, "fuzz", MAX_TENSORS, &model, &error) == FANIN_OK) {
        if (fanin_plan_create(model, read == FANIN_OK ? recipe : NULL, NULL, &plan, &error) == FANIN_OK) {
            check_plan(plan);
            fanin_plan_free(plan);
        } else {
            REQUIRE(error.message[0] != '\0');
        }
        fanin_model_free(model);
    } else {
        REQUIRE(error.message[0] != '\0');
    }
    fanin_recipe_free(recipe);
    return 0;
}
