/* SPDX-License-Identifier: MIT */
/*
 * Hostile plans: every file of tests/hostile/plan is refused with its status and its words, or accepted and run, at a
 * small cost and without a trace.
 */
#include "test.h"

#include "counting_allocator.h"
#include "fanin/run.h"

static fanin_error error;
static char reason[1024];

static fanin_status run_all(const fanin_plan *plan)
{
    const fanin_run_options options = {.size = sizeof options, .seed = 5};
    fanin_status status = FANIN_OK;
    for (size_t t = 0; t < fanin_plan_tensor_count(plan) && status == FANIN_OK; t++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
        if (tensor->refused != NULL) {
            if (reason[0] == '\0')
                snprintf(reason, sizeof reason, "%s", tensor->refused);
            continue;
        }
        void *data = malloc(tensor->nbytes + 1);
        assert_non_null(data);
        status = fanin_run_tensor(plan, &options, t, data, &error);
        free(data);
    }
    return status;
}

/* What is wrong, or NULL. */
static const char *replay(const char *path, const char *status_name, const char *part)
{
    counting_allocator counter;
    fanin_model *model = NULL;
    fanin_plan *plan = NULL;
    reason[0] = '\0';
    counting_begin(&counter);
    fanin_status status = fanin_description_read(path, &model, &plan, &error);
    bool is_read = status == FANIN_OK;
    if (is_read)
        status = run_all(plan);
    fanin_plan_free(plan);
    fanin_model_free(model);
    counting_end();
    const char *said = is_read && status == FANIN_OK ? reason : error.message;
    if (counter.nblocks != 0)
        return "memory is left";
    if (counter.peak_nbytes > 64 << 20)
        return "more than 64 MiB were taken";
    if (strcmp(fanin_status_name(status), status_name) != 0)
        return "another status";
    if (strcmp(part, "-") == 0 ? said[0] != '\0' : strstr(said, part) == NULL)
        return "other words";
    if (!is_read && strstr(said, path) == NULL)
        return "no path";
    return NULL;
}

static void test_files(void **state)
{
    char list[1024], path[1024], line[512];
    size_t ncases = 0, nfaults = 0;
    FILE *expected = fopen(test_source_path(list, sizeof list, "tests/hostile/plan/expected.txt"), "r");
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
        snprintf(relative, sizeof relative, "tests/hostile/plan/%s", line);
        const char *wrong = replay(test_source_path(path, sizeof path, relative), status + 3, part + 3);
        if (wrong != NULL) {
            print_error("%s: %s: %s %s\n", line, wrong, error.message, reason);
            nfaults++;
        }
        ncases++;
    }
    fclose(expected);
    print_message("%zu files\n", ncases);
    assert_true(ncases > 50);
    assert_int_equal(nfaults, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
