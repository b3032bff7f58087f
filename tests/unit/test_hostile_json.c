/* SPDX-License-Identifier: MIT */
/*
 * Every file of tests/hostile/json: good ones are read; bad ones are refused with the place and words that
 * expected.txt has for them. A file without a line there, or a line without a file, fails.
 */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <dirent.h>

#include "base/io.h"
#include "base/json.h"

static const fanin_json_limits limits = {.depth = 64, .values = 10000};

static fanin_status parse_file(const char *file, fanin_error *error)
{
    char relative[256], path[1024], *text;
    size_t nbytes;
    fanin_json_document document;
    snprintf(relative, sizeof relative, "tests/hostile/json/%s", file);
    test_source_path(path, sizeof path, relative);
    assert_ok(fanin_read_file(path, 1 << 24, &text, &nbytes, error), *error);
    /* A copy of the exact size: reading beyond it is seen by the address sanitizer. */
    char *exact = malloc(nbytes > 0 ? nbytes : 1);
    assert_non_null(exact);
    memcpy(exact, text, nbytes);
    fanin_free(text);
    fanin_status status = fanin_json_parse(exact, nbytes, file, &limits, &document, error);
    free(exact);
    if (status == FANIN_OK)
        fanin_json_release(&document);
    return status;
}

/* The table as text, to be released with fanin_free. */
static char *read_table(void)
{
    char path[1024], *table;
    size_t nbytes;
    fanin_error error = {0};
    test_source_path(path, sizeof path, "tests/hostile/json/expected.txt");
    assert_ok(fanin_read_file(path, 1 << 20, &table, &nbytes, &error), error);
    return table;
}

static void test_bad(void **state)
{
    (void)state;
    char *table = read_table();
    int count = 0;
    for (char *line = table; *line != '\0'; count++) {
        char *tab = strchr(line, '\t'), *end = strchr(line, '\n');
        assert_true(tab != NULL && end != NULL && tab < end);
        *tab = *end = '\0';
        char expected[1024];
        snprintf(expected, sizeof expected, "%s:%s", line, tab + 1);
        fanin_error error = {0};
        fanin_status status = parse_file(line, &error);
        if (status != FANIN_ERROR_FORMAT || strncmp(error.message, expected, strlen(expected)) != 0)
            fail_msg("%s: %s: %s", expected, fanin_status_name(status), error.message);
        line = end + 1;
    }
    assert_true(count >= 30);
    fanin_free(table);
}

static void test_every_file(void **state)
{
    (void)state;
    char path[1024], *table = read_table();
    test_source_path(path, sizeof path, "tests/hostile/json");
    DIR *folder = opendir(path);
    assert_non_null(folder);
    int ngood = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char line[300];
        fanin_error error = {0};
        snprintf(line, sizeof line, "%s\t", entry->d_name);
        if (strncmp(entry->d_name, "good-", 5) == 0) {
            assert_ok(parse_file(entry->d_name, &error), error);
            ngood++;
        } else if (strncmp(entry->d_name, "bad-", 4) == 0 && strstr(table, line) == NULL) {
            fail_msg("%s has no line in expected.txt", entry->d_name);
        }
    }
    assert_true(ngood > 0);
    closedir(folder);
    fanin_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_every_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
