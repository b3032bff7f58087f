/* SPDX-License-Identifier: MIT */
/*
 * Growing text, JSON strings, foreign text in messages, the nearest name, and the words of failures.
 */
#include "test.h"

#include "base/error.h"
#include "base/text.h"
#include "counting_allocator.h"

static void test_growing(void **state)
{
    (void)state;
    fanin_text text = {0};
    char expected[4001] = "";
    for (int i = 0; i < 1000; i++) {
        fanin_text_format(&text, "%03d,", i);
        snprintf(expected + 4 * i, sizeof expected - 4 * (size_t)i, "%03d,", i);
    }
    assert_false(text.failed);
    assert_int_equal(text.nbytes, 4000);
    assert_string_equal(text.data, expected);
    fanin_text_release(&text);
    assert_null(text.data);

    fanin_text_append(&text, "", 0);
    assert_string_equal(text.data, "");
    fanin_text_append(&text, "a\0b", 3);
    fanin_text_add(&text, "c");
    fanin_text_format(&text, "%s", "");
    assert_int_equal(text.nbytes, 4);
    assert_memory_equal(text.data, "a\0bc", 5);
    fanin_text_release(&text);

    static const char large[1000] = "large";
    fanin_text_append(&text, large, sizeof large);
    assert_int_equal(text.nbytes, sizeof large);
    fanin_text_append(&text, large, SIZE_MAX);
    assert_true(text.failed);
    assert_int_equal(text.nbytes, sizeof large);
    fanin_text_release(&text);
}

/* A failed append leaves what was there, and nothing is appended any more. */
static void test_growing_without_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    counting_begin(&counter);
    fanin_text text = {0};
    fanin_text_add(&text, "kept");
    counter.fail_at = counter.ncalls + 1;
    for (int i = 0; i < 100; i++)
        fanin_text_add(&text, "0123456789");
    assert_true(text.failed);
    assert_true(text.nbytes < 100);
    assert_memory_equal(text.data, "kept", 4);
    size_t nbytes = text.nbytes;
    fanin_text_format(&text, "%d", 1);
    fanin_text_json_string(&text, "x", 1);
    assert_int_equal(text.nbytes, nbytes);
    fanin_text_release(&text);
    assert_int_equal(counter.nblocks, 0);
    counting_end();
}

static void assert_json_string(const char *string, size_t nbytes, const char *expected)
{
    fanin_text text = {0};
    fanin_text_json_string(&text, string, nbytes);
    assert_string_equal(text.data, expected);
    fanin_text_release(&text);
}

static void test_json_string(void **state)
{
    (void)state;
    assert_json_string("", 0, "\"\"");
    assert_json_string("plain", 5, "\"plain\"");
    assert_json_string("\"\\/", 3, "\"\\\"\\\\/\"");
    assert_json_string("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
    assert_json_string("\0\x01\x0b\x1f\x7f", 5, "\"\\u0000\\u0001\\u000b\\u001f\x7f\"");
    assert_json_string("\xc3\xa9\xe2\x82\xac", 5, "\"\xc3\xa9\xe2\x82\xac\"");
}

static void test_utf8_length(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t nbytes;
        size_t length;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\x80", 1, 0},
        {"\xc1\xbf", 2, 0},
        {"\xc2\x80", 2, 2},
        {"\xdf\xbf", 2, 2},
        {"\xc2", 1, 0},
        {"\xc2x", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xed\xa0\x80", 3, 0},
        {"\xee\x80\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xe2\x82", 2, 0},
        {"\xe2\x82x", 3, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"\xff", 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fanin_utf8_length(rows[i].bytes, rows[i].nbytes) != rows[i].length)
            fail_msg("row %zu", i);
}

static void test_show(void **state)
{
    (void)state;
    char shown[FANIN_SHOW_NBYTES], text[400];
    assert_string_equal(fanin_show("layers.0", 8, shown), "layers.0");
    assert_string_equal(fanin_show("\x1b[31m\n\0", 7, shown), "\\x1b[31m\\x0a\\x00");
    assert_string_equal(fanin_show("\xc2\x9b\xff\x7f", 4, shown), "\\xc2\\x9b\\xff\\x7f");
    assert_string_equal(fanin_show("\xc3\xa4", 2, shown), "\xc3\xa4");
    /* Cut at a whole character, whatever the offset. */
    for (size_t offset = 0; offset < 4; offset++) {
        memset(text, 'x', offset);
        for (size_t i = offset; i + 4 <= sizeof text; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        fanin_show(text, 300, shown);
        size_t length = strlen(shown);
        assert_true(length < FANIN_SHOW_NBYTES && length > FANIN_SHOW_NBYTES - 8);
        assert_string_equal(shown + length - 3, "...");
        for (size_t at = 0; at < length - 3;) {
            size_t n = fanin_utf8_length(shown + at, length - 3 - at);
            assert_true(n > 0);
            at += n;
        }
    }
    memset(text, 1, sizeof text);
    assert_true(strlen(fanin_show(text, sizeof text, shown)) < FANIN_SHOW_NBYTES);
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"uniform",         "normal",         "trunc_normal",
                                        "kaiming_uniform", "kaiming_normal", "eye"};
    const size_t n = sizeof names / sizeof names[0];
    assert_string_equal(fanin_nearest("kaimin_uniform", names, n), "kaiming_uniform");
    assert_string_equal(fanin_nearest("nromal", names, n), "normal");
    assert_string_equal(fanin_nearest("Normal", names, n), "normal");
    assert_string_equal(fanin_nearest("truncnormal", names, n), "trunc_normal");
    assert_string_equal(fanin_nearest("eyes", names, n), "eye");
    assert_null(fanin_nearest("orthogonal", names, n));
    assert_null(fanin_nearest("xyz", names, n));
    assert_null(fanin_nearest("", names, n));
    assert_null(fanin_nearest("normal", names, 0));
    char longest[300];
    memset(longest, 'a', sizeof longest);
    longest[299] = '\0';
    assert_null(fanin_nearest(longest, names, n));
    const char *const long_names[] = {longest, "ab"};
    assert_string_equal(fanin_nearest("aab", long_names, 2), "ab");
}

static void test_fail(void **state)
{
    (void)state;
    fanin_error error = {.status = FANIN_ERROR_IO, .message = "old", .warning = "old"};
    assert_int_equal(fanin_fail(&error, FANIN_ERROR_SHAPE, "dimension %d", 3), FANIN_ERROR_SHAPE);
    assert_int_equal(error.status, FANIN_ERROR_SHAPE);
    assert_string_equal(error.message, "dimension 3");
    assert_string_equal(error.warning, "");
    /* A message may quote the one it replaces. */
    fanin_fail(&error, FANIN_ERROR_FORMAT, "tensor a: %s", error.message);
    assert_string_equal(error.message, "tensor a: dimension 3");
    fanin_fail_within(&error, "file %s", "x");
    assert_int_equal(error.status, FANIN_ERROR_FORMAT);
    assert_string_equal(error.message, "file x: tensor a: dimension 3");
    fanin_warn(&error, "beware of %s", "this");
    assert_string_equal(error.warning, "beware of this");
    fanin_clear(&error);
    assert_int_equal(error.status, FANIN_OK);
    assert_string_equal(error.message, "");
    assert_string_equal(error.warning, "");
    assert_int_equal(fanin_fail_memory(&error, UINT64_MAX), FANIN_ERROR_MEMORY);
    assert_non_null(strstr(error.message, "18446744073709551615 bytes"));
    assert_int_equal(fanin_fail_io(&error, -2, "open", "a/b"), FANIN_ERROR_IO);
    assert_string_equal(error.message, "cannot open a/b: No such file or directory");

    fanin_fail_io(&error, -99999, "open", "a/b");
    assert_string_equal(error.message, "cannot open a/b: error 99999 of the operating system");

    assert_int_equal(fanin_fail(NULL, FANIN_ERROR_DTYPE, "%d", 1), FANIN_ERROR_DTYPE);
    assert_int_equal(fanin_fail_io(NULL, -2, "open", "x"), FANIN_ERROR_IO);
    fanin_fail_within(NULL, "x");
    fanin_warn(NULL, "x");
    fanin_clear(NULL);
}

/* A message too long is cut at a whole character, whatever the offset. */
static void test_fail_long(void **state)
{
    (void)state;
    static const char *const characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    for (size_t kind = 0; kind < 4; kind++) {
        size_t size = strlen(characters[kind]);
        for (int offset = 0; offset < 5; offset++) {
            char text[3000] = "";
            for (size_t i = 0; i + size < sizeof text; i += size)
                memcpy(text + i, characters[kind], size + 1);
            fanin_error error;
            fanin_fail(&error, FANIN_ERROR_IO, "%.*s%s", offset, "xxxxx", text);
            size_t length = strlen(error.message);
            assert_true(length > sizeof error.message - 5 && length < sizeof error.message);
            assert_true((length - (size_t)offset) % size == 0);
            assert_true(length + size >= sizeof error.message);
            fanin_fail_within(&error, "context");
            assert_memory_equal(error.message, "context: xxxxx", 9 + (size_t)offset);
            assert_true((strlen(error.message) - 9 - (size_t)offset) % size == 0);
            fanin_warn(&error, "%.*s%s", offset, "xxxxx", text);
            assert_true((strlen(error.warning) - (size_t)offset) % size == 0);
        }
    }
}

static void test_status_names(void **state)
{
    (void)state;
    assert_string_equal(fanin_status_name(FANIN_OK), "ok");
    assert_string_equal(fanin_status_name(FANIN_ERROR_CANCELLED), "cancelled");
    for (int i = 0; i <= FANIN_ERROR_CANCELLED; i++)
        for (int j = 0; j < i; j++)
            assert_string_not_equal(fanin_status_name((fanin_status)i), fanin_status_name((fanin_status)j));
    assert_string_equal(fanin_status_name((fanin_status)(FANIN_ERROR_CANCELLED + 1)), "unknown");
    assert_string_equal(fanin_status_name((fanin_status)-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing),      cmocka_unit_test(test_growing_without_memory),
        cmocka_unit_test(test_json_string),  cmocka_unit_test(test_utf8_length),
        cmocka_unit_test(test_show),         cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_fail),         cmocka_unit_test(test_fail_long),
        cmocka_unit_test(test_status_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
