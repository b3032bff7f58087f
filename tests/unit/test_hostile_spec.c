/* SPDX-License-Identifier: MIT */
/*
 * Hostile descriptions: every file of tests/hostile/spec must be refused with its status and its words, or accepted
 * with its warning, at a small cost and without a trace.
 */
#include "test.h"

#include "counting_allocator.h"
#include "fanin/plan.h"

static fanin_error error;
static char warning[1024];

static fanin_status read_recipe(const char *path)
{
    fanin_recipe *recipe = NULL;
    fanin_status status = fanin_recipe_create(&recipe, &error);
    if (status == FANIN_OK)
        status = fanin_recipe_read(recipe, path, &error);
    fanin_recipe_free(recipe);
    return status;
}

/* The model, and if there is one its plan. */
static fanin_status read_model(const char *path)
{
    fanin_model *model = NULL;
    fanin_plan *plan = NULL;
    warning[0] = '\0';
    fanin_status status = fanin_model_read(path, &model, &error);
    if (status == FANIN_OK)
        status = fanin_plan_create(model, NULL, NULL, &plan, &error);
    if (status == FANIN_OK && fanin_plan_warning_count(plan) > 0)
        snprintf(warning, sizeof warning, "%s", fanin_plan_warning_at(plan, 0));
    fanin_plan_free(plan);
    fanin_model_free(model);
    return status;
}

/* What is wrong, or NULL. */
static const char *replay(const char *path, const char *name, const char *status_name, const char *part)
{
    counting_allocator counter;
    counting_begin(&counter);
    bool is_recipe = strncmp(name, "bad-recipe-", 11) == 0 && strcmp(name, "bad-recipe-as-model.json") != 0;
    fanin_status status = is_recipe ? read_recipe(path) : read_model(path);
    counting_end();
    const char *said = status == FANIN_OK ? warning : error.message;
    if (counter.nblocks != 0)
        return "memory is left";
    if (counter.peak_nbytes > 64 << 20)
        return "more than 64 MiB were taken";
    if (strcmp(fanin_status_name(status), status_name) != 0)
        return "another status";
    if (strstr(said, part) == NULL)
        return "other words";
    if (strstr(said, path) == NULL)
        return "no path";
    for (const char *c = said; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return "control characters";
    return NULL;
}

static void test_files(void **state)
{
    char list[1024], path[1024], line[512];
    size_t ncases = 0, nfaults = 0;
    FILE *expected = fopen(test_source_path(list, sizeof list, "tests/hostile/spec/expected.txt"), "r");
    (void)state;
    assert_non_null(expected);
    while (fgets(line, sizeof line, expected) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#')
            continue;
        char *status = strstr(line, " | "), *part = status != NULL ? strstr(status + 3, " | ") : NULL;
        assert_non_null(part);
        *status = *part = '\0';
        char relative[600];
        snprintf(relative, sizeof relative, "tests/hostile/spec/%s", line);
        const char *fault = replay(test_source_path(path, sizeof path, relative), line, status + 3, part + 3);
        if (fault != NULL)
            print_error("%s: %s: expected %s \"%s\", found \"%s\"%s\n", line, fault, status + 3, part + 3,
                        error.message, warning);
        nfaults += fault != NULL;
        ncases++;
    }
    fclose(expected);
    assert_int_equal(nfaults, 0);
    assert_true(ncases >= 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
