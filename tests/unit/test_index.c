/* SPDX-License-Identifier: MIT */
/*
 * The index of shards: the bytes that are written, and that they are read back.
 */
#include "test.h"

#include "format/index.h"
#include "format/path.h"
#include "base/memory.h"

static fanin_error error;

static void written_as_transformers_does(void **state)
{
    (void)state;
    fanin_index_entry entries[] = {
        {"lm.\"q\".weight", "model-00002-of-00002.safetensors"},
        {"b.10", "model-00001-of-00002.safetensors"},
        {"b.2", "model-00002-of-00002.safetensors"},
        {"B", "model-00001-of-00002.safetensors"},
    };
    fanin_text text = {0};
    assert_ok(fanin_index_format(entries, 4, 10000000000, &text, &error), error);
    assert_string_equal(text.data, "{\n"
                                   "  \"metadata\": {\n"
                                   "    \"total_size\": 10000000000\n"
                                   "  },\n"
                                   "  \"weight_map\": {\n"
                                   "    \"B\": \"model-00001-of-00002.safetensors\",\n"
                                   "    \"b.10\": \"model-00001-of-00002.safetensors\",\n"
                                   "    \"b.2\": \"model-00002-of-00002.safetensors\",\n"
                                   "    \"lm.\\\"q\\\".weight\": \"model-00002-of-00002.safetensors\"\n"
                                   "  }\n"
                                   "}\n");
    fanin_index index;
    assert_ok(fanin_index_parse(text.data, text.nbytes, "x.json", &index, &error), error);
    assert_int_equal(index.nentries, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(index.entries[i].tensor, entries[i].tensor);
        assert_string_equal(index.entries[i].file, entries[i].file);
    }
    assert_int_equal(index.nfiles, 2);
    assert_string_equal(index.files[0], "model-00001-of-00002.safetensors");
    assert_string_equal(index.files[1], "model-00002-of-00002.safetensors");
    assert_true(index.has_total_nbytes);
    assert_int_equal(index.total_nbytes, 10000000000);
    assert_int_equal(index.nwarnings, 0);
    fanin_index_release(&index);
    fanin_text_release(&text);
}

static void assert_path(char *found, const char *expected)
{
    assert_non_null(found);
    assert_string_equal(found, expected);
    fanin_free(found);
}

static void paths(void **state)
{
    (void)state;
    assert_path(fanin_path_folder("a/b/c"), "a/b");
    assert_path(fanin_path_folder("c"), ".");
    assert_path(fanin_path_folder("/c"), "/");
    assert_path(fanin_path_folder("a/"), "a");
    assert_path(fanin_path_join("a", "b"), "a/b");
    assert_path(fanin_path_join("a/", "b"), "a/b");
    assert_path(fanin_path_join("/", "b"), "/b");
    assert_path(fanin_path_join(".", "b"), "b");
    assert_path(fanin_path_join("..", "b"), "../b");
    assert_true(fanin_path_ends_with("a.json", ".json"));
    assert_false(fanin_path_ends_with("json", ".json"));
    assert_false(fanin_path_ends_with("a.JSON", ".json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(written_as_transformers_does), cmocka_unit_test(paths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
