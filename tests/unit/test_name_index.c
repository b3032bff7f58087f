/* SPDX-License-Identifier: MIT */
/*
 * Names sorted by their bytes: all are found, twins are noticed, and no order of names makes it slow.
 */
#include "test.h"

#include "base/name_index.h"

static void fill(fanin_name_index *index, const char *const *names, size_t n)
{
    fanin_error error = {0};
    assert_ok(fanin_names_begin(index, n, &error), error);
    for (size_t i = 0; i < n; i++)
        index->entries[i] = (fanin_name_entry){names[i], i};
    assert_ok(fanin_names_sort(index, &error), error);
}

static void test_find(void **state)
{
    static const char *const names[] = {"b", "", "a.b", "a", "\xc3\xa9", "B", "ab"};
    fanin_name_index index;
    (void)state;
    for (size_t n = 0; n <= 7; n++) {
        fill(&index, names, n);
        for (size_t i = 0; i < 7; i++)
            assert_int_equal(fanin_names_find(&index, names[i]), i < n ? i : SIZE_MAX);
        for (size_t i = 1; i < n; i++)
            assert_true(strcmp(index.entries[i - 1].name, index.entries[i].name) < 0);
        assert_int_equal(fanin_names_find(&index, "x"), SIZE_MAX);
        assert_int_equal(fanin_names_twin(&index), SIZE_MAX);
        fanin_names_end(&index);
    }
}

static void test_twins(void **state)
{
    static const char *const names[] = {"c", "a", "b", "b", "a", "b"};
    fanin_name_index index;
    (void)state;
    fill(&index, names, 6);
    assert_int_equal(fanin_names_twin(&index), 3);
    assert_int_equal(fanin_names_find(&index, "b"), 2);
    fanin_names_end(&index);
}

static void test_many(void **state)
{
    enum { COUNT = 100000 };
    static char texts[COUNT][8];
    static const char *names[COUNT];
    fanin_name_index index;
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "n%zu", (i * 7919) % COUNT);
        names[i] = texts[i];
    }
    fill(&index, names, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(fanin_names_find(&index, names[i]), i);
    fanin_names_end(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
