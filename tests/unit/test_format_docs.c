/* SPDX-License-Identifier: MIT */
/*
 * The examples in the descriptions of the formats are read as what they say they are.
 */
#include "test.h"

#include "fanin/plan.h"

static char *read_text(const char *relative)
{
    char path[1024];
    FILE *file = fopen(test_source_path(path, sizeof path, relative), "rb");
    char *text = calloc(1, 1 << 16);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static fanin_status read_example(const char *text, size_t nbytes, fanin_error *error)
{
    fanin_model *model = NULL;
    fanin_recipe *recipe = NULL;
    fanin_plan *plan = NULL;
    fanin_status status;
    if (strstr(text, "\"fanin-spec\"") != NULL) {
        status = fanin_model_parse(text, nbytes, "example", &model, error);
        if (status == FANIN_OK)
            status = fanin_plan_create(model, NULL, NULL, &plan, error);
    } else if (strstr(text, "\"fanin-recipe\"") != NULL) {
        status = fanin_recipe_create(&recipe, error);
        if (status == FANIN_OK)
            status = fanin_recipe_parse(recipe, text, nbytes, "example", error);
    } else {
        status = fanin_plan_parse(text, nbytes, "example", &plan, error);
    }
    fanin_plan_free(plan);
    fanin_recipe_free(recipe);
    fanin_model_free(model);
    return status;
}

static void test_examples(void **state)
{
    static const char *const files[] = {"docs/spec-format.md", "docs/recipe-format.md", "docs/plan-format.md"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *text = read_text(files[i]), *end;
        size_t nexamples = 0;
        for (char *at = strstr(text, "```json\n"); at != NULL; at = strstr(end, "```json\n")) {
            char *begin = at + strlen("```json\n");
            end = strstr(begin, "```");
            assert_non_null(end);
            /* Fragments of rules stand there too. */
            if (strncmp(begin, "{\"format\":", 10) == 0) {
                fanin_error error;
                *end = '\0';
                assert_ok(read_example(begin, strlen(begin), &error), error);
                nexamples++;
            }
            end += 3;
        }
        assert_true(nexamples > 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_examples)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
