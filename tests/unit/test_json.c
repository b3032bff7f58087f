/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader: values, places, order, limits, and what it costs. Refusals one by one are in tests/hostile/json.
 */
#include "test.h"

#include <time.h>

#include "base/json.h"
#include "counting_allocator.h"
#include "json_compare.h"

static const fanin_json_limits limits = {.depth = 64, .values = 10000000};

static void parse(const char *text, fanin_json_document *document)
{
    fanin_error error = {0};
    assert_ok(fanin_json_parse(text, strlen(text), "t.json", &limits, document, &error), error);
}

static void assert_place(const fanin_json *value, uint32_t line, uint32_t column)
{
    assert_non_null(value);
    assert_int_equal(value->line, line);
    assert_int_equal(value->column, column);
}

static void test_values(void **state)
{
    (void)state;
    fanin_json_document document;
    parse(" {\"n\": null, \"t\": true, \"f\": false, \"u\": 18446744073709551615, \"i\": -9223372036854775808,\n"
          "  \"d\": -2.5e-3, \"s\": \"a\\u00E9\\u20ac\\ud83d\\ude00\\n\\u0000z\", \"a\": [1, [], {}], \"o\": {\"\": "
          "0}}\r\n",
          &document);
    const fanin_json *root = &document.root;
    assert_int_equal(root->kind, FANIN_JSON_OBJECT);
    assert_int_equal(root->count, 9);
    static const char *const keys[] = {"n", "t", "f", "u", "i", "d", "s", "a", "o"};
    for (size_t i = 0; i < 9; i++) {
        assert_string_equal(root->items[i].key, keys[i]);
        assert_ptr_equal(fanin_json_get(root, keys[i]), &root->items[i]);
    }
    assert_int_equal(fanin_json_get(root, "n")->kind, FANIN_JSON_NULL);
    assert_int_equal(fanin_json_get(root, "t")->kind, FANIN_JSON_BOOL);
    assert_true(fanin_json_get(root, "t")->boolean);
    assert_int_equal(fanin_json_get(root, "f")->kind, FANIN_JSON_BOOL);
    assert_false(fanin_json_get(root, "f")->boolean);
    const fanin_json *u = fanin_json_get(root, "u");
    assert_int_equal(u->kind, FANIN_JSON_UNSIGNED);
    assert_true(u->unsigned_value == UINT64_MAX);
    assert_same_double(u->number, 18446744073709551616.0);
    const fanin_json *i = fanin_json_get(root, "i");
    assert_int_equal(i->kind, FANIN_JSON_NEGATIVE);
    assert_true(i->signed_value == INT64_MIN);
    assert_same_double(i->number, -9223372036854775808.0);
    const fanin_json *d = fanin_json_get(root, "d");
    assert_int_equal(d->kind, FANIN_JSON_NUMBER);
    assert_same_double(d->number, -0.0025);
    const fanin_json *s = fanin_json_get(root, "s");
    assert_int_equal(s->kind, FANIN_JSON_STRING);
    assert_int_equal(s->nbytes, 13);
    assert_memory_equal(s->string, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n\0z", 14);
    const fanin_json *a = fanin_json_get(root, "a");
    assert_int_equal(a->kind, FANIN_JSON_ARRAY);
    assert_int_equal(a->count, 3);
    assert_int_equal(a->items[1].kind, FANIN_JSON_ARRAY);
    assert_int_equal(a->items[1].count, 0);
    assert_int_equal(a->items[2].kind, FANIN_JSON_OBJECT);
    const fanin_json *o = fanin_json_get(root, "o");
    assert_int_equal(o->count, 1);
    assert_int_equal(o->items[0].key_nbytes, 0);
    assert_non_null(fanin_json_get(o, ""));
    assert_null(fanin_json_get(root, "x"));
    assert_null(fanin_json_get(a, "n"));
    assert_null(fanin_json_get(NULL, "n"));
    fanin_json_release(&document);
    fanin_json_release(&document);
}

/* The text may go after the call: all strings are copies. */
static void test_text_may_go(void **state)
{
    (void)state;
    fanin_json_document document;
    fanin_error error;
    char text[] = "{\"key\": \"value\"}";
    assert_ok(fanin_json_parse(text, sizeof text - 1, "t.json", &limits, &document, &error), error);
    memset(text, 'x', sizeof text);
    assert_string_equal(document.root.items[0].key, "key");
    assert_string_equal(document.root.items[0].string, "value");
    fanin_json_release(&document);
}

/* Lines by \n, columns in characters, of keys and of values. */
static void test_places(void **state)
{
    (void)state;
    fanin_json_document document;
    parse("\n {\"gr\xc3\xb6\xc3\x9f"
          "e\" : 1, \"\xf0\x9f\x98\x80\":[2,\r\n\t\t3 , {\"b\":\n\"c\"} ]}",
          &document);
    const fanin_json *root = &document.root;
    assert_place(root, 2, 2);
    assert_int_equal(root->items[0].key_line, 2);
    assert_int_equal(root->items[0].key_column, 3);
    assert_place(&root->items[0], 2, 13);
    assert_int_equal(root->items[1].key_column, 16);
    assert_place(&root->items[1], 2, 20);
    const fanin_json *array = &root->items[1];
    assert_place(&array->items[0], 2, 21);
    assert_place(&array->items[1], 3, 3);
    assert_place(&array->items[2], 3, 7);
    assert_int_equal(array->items[2].items[0].key_column, 8);
    assert_place(&array->items[2].items[0], 4, 1);
    fanin_error error;
    assert_int_equal(fanin_json_fail(&document, &array->items[1], &error, "not %s", "3"), FANIN_ERROR_FORMAT);
    assert_string_equal(error.message, "t.json:3:3: not 3");
    fanin_json_fail(&document, NULL, &error, "no \"%s\"", "x");
    assert_string_equal(error.message, "t.json:2:2: no \"x\"");
    fanin_json_release(&document);
}

static void test_kind_names(void **state)
{
    (void)state;
    fanin_json_document document;
    parse("[null, true, 1, -1, 1.0, \"\", [], {}]", &document);
    static const char *const names[] = {
        "null",     "true or false", "an integer", "a negative integer", "a number with a fraction or exponent",
        "a string", "an array",      "an object"};
    for (size_t i = 0; i < 8; i++)
        assert_string_equal(fanin_json_kind_name(&document.root.items[i]), names[i]);
    fanin_json_release(&document);
}

static void test_limits(void **state)
{
    (void)state;
    fanin_json_document document;
    fanin_error error;
    static const struct {
        const char *text;
        fanin_json_limits limits;
        const char *message; /* NULL: accepted */
    } rows[] = {
        {"1", {0, 1}, NULL},
        {"[]", {0, 9}, "t:1:1: nested deeper than 0 levels"},
        {"[]", {1, 1}, NULL},
        {"[{}]", {1, 9}, "t:1:2: nested deeper than 1 levels"},
        {"[{}]", {2, 2}, NULL},
        {"[[1],[2,3]]", {2, 6}, NULL},
        {"[[1],[2,3]]", {2, 5}, "t:1:6: with the items of an array the text has more than 5 values"},
        {"{\"a\":1,\"b\":2}", {1, 2}, "t:1:1: with the items of an object the text has more than 2 values"},
        {"1", {0, 0}, "t:1:1: no values are allowed here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fanin_status status =
            fanin_json_parse(rows[i].text, strlen(rows[i].text), "t", &rows[i].limits, &document, &error);
        if (rows[i].message == NULL) {
            assert_ok(status, error);
            fanin_json_release(&document);
        } else {
            assert_fails(status, FANIN_ERROR_FORMAT, error, rows[i].message);
        }
    }
}

/* Ten million brackets are refused at the limit before anything is allocated for them. */
static void test_ten_million_brackets(void **state)
{
    (void)state;
    enum { MANY = 10000000 };
    char *text = malloc(MANY);
    assert_non_null(text);
    for (int kind = 0; kind < 2; kind++) {
        counting_allocator counter;
        fanin_json_document document;
        fanin_error error;
        memset(text, '[', MANY);
        for (size_t i = 0; kind == 1 && i + 5 <= MANY; i += 5)
            memcpy(text + i, "{\"a\":", 5);
        counting_begin(&counter);
        assert_fails(fanin_json_parse(text, MANY, "t", &limits, &document, &error), FANIN_ERROR_FORMAT, error,
                     "nested deeper than 64 levels");
        assert_true(counter.peak_nbytes < 1 << 14);
        assert_int_equal(counter.nblocks, 0);
        counting_end();
    }
    free(text);
}

/* The texts that take most for their size: below 64 MiB for a text below 1 MiB. */
static void test_memory_is_proportional(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    static const char *const pieces[] = {"0,", "[],", "{},", "\"\",", "[0],", "[[0]],", "{\"\":0},", "\"\\u0041\","};
    char *text = malloc(MIB);
    assert_non_null(text);
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t size = strlen(pieces[p]), n = 0;
        text[n++] = '[';
        while (n + size < MIB) {
            memcpy(text + n, pieces[p], size);
            n += size;
        }
        text[n - 1] = ']';
        counting_allocator counter;
        fanin_json_document document;
        fanin_error error;
        counting_begin(&counter);
        assert_ok(fanin_json_parse(text, n, "t", &limits, &document, &error), error);
        if (counter.peak_nbytes > 64 * (uint64_t)MIB)
            fail_msg("%s takes %llu bytes", pieces[p], (unsigned long long)counter.peak_nbytes);
        fanin_json_release(&document);
        assert_int_equal(counter.nblocks, 0);
        counting_end();
    }
    /* Many keys: the search for twins has its own memory. */
    size_t n = 0;
    text[n++] = '{';
    for (unsigned i = 0; n + 16 < MIB; i++)
        n += (size_t)sprintf(text + n, "%s\"%x\":0", i > 0 ? "," : "", i);
    text[n++] = '}';
    counting_allocator counter;
    fanin_json_document document;
    fanin_error error;
    counting_begin(&counter);
    assert_ok(fanin_json_parse(text, n, "t", &limits, &document, &error), error);
    assert_true(counter.peak_nbytes <= 64 * (uint64_t)MIB);
    fanin_json_release(&document);
    counting_end();
    free(text);
}

/* A key given twice among many, wherever the two stand; the earliest second one is named. */
static void test_twins(void **state)
{
    (void)state;
    enum { N = 2000 };
    static const struct {
        int first, second;
    } pairs[] = {{0, 1}, {0, N - 1}, {N - 2, N - 1}, {7, 8}, {8, 1500}, {999, 1001}};
    char *text = malloc(32 * N);
    assert_non_null(text);
    for (int sorted = 0; sorted < 2; sorted++) {
        for (size_t p = 0; p < sizeof pairs / sizeof pairs[0]; p++) {
            size_t n = 0;
            text[n++] = '{';
            for (int i = 0; i < N; i++) {
                int key = i == pairs[p].second ? pairs[p].first : i;
                /* 919 has no factor in common with 2000: the keys come in disorder, each once. */
                n += (size_t)sprintf(text + n, "%s\n\"%07d\":%d", i > 0 ? "," : "", sorted ? key : key * 919 % N, i);
            }
            text[n++] = '}';
            fanin_json_document document;
            fanin_error error;
            char expected[100];
            snprintf(expected, sizeof expected, "t:%d:1: the key \"%07d\" was given before, at line %d, column 1",
                     pairs[p].second + 2, sorted ? pairs[p].first : pairs[p].first * 919 % N, pairs[p].first + 2);
            assert_fails(fanin_json_parse(text, n, "t", &limits, &document, &error), FANIN_ERROR_FORMAT, error,
                         expected);
        }
    }
    /* Two pairs: the one that is complete first. */
    static const char two[] =
        "{\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"z\":0,\"a\":0,\"z\":0,\"a\":0}";
    fanin_json_document document;
    fanin_error error;
    assert_fails(fanin_json_parse(two, sizeof two - 1, "t", &limits, &document, &error), FANIN_ERROR_FORMAT, error,
                 "t:1:56: the key \"z\" was given before, at line 1, column 44");
    free(text);
}

/* Written out and read again, a document is the same. */
static void test_round_trip(void **state)
{
    (void)state;
    fanin_json_document document, again;
    fanin_error error;
    fanin_text text = {0};
    parse("{\"a\\u0000\\n\":[1,-1,1.5,-0.0,3.0,1e300,\"\\u001f\\\"\\\\/"
          "\xe2\x82\xac\",null,true,false,[],{}],\"b\":{\"c\":[[]]}}",
          &document);
    json_write(&text, &document.root);
    assert_string_equal(text.data,
                        "{\"a\\u0000\\n\":[1,-1,1.5,-0.0,3.0,1e300,\"\\u001f\\\"\\\\/\xe2\x82\xac\",null,true,false,"
                        "[],{}],\"b\":{\"c\":[[]]}}");
    assert_ok(fanin_json_parse(text.data, text.nbytes, "t", &limits, &again, &error), error);
    assert_true(json_same(&document.root, &again.root));
    fanin_json_release(&again);
    fanin_text_release(&text);
    fanin_json_release(&document);
}

/* Every cut of a text is refused, and reads nothing beyond its end. */
static void test_every_cut(void **state)
{
    (void)state;
    static const char text[] = "{\"name\": [\"\\u00e9\\n\xe2\x82\xac\", -12.5e+3, true, {\"x\": null}], \"y\": {}}";
    for (size_t n = 0; n < sizeof text - 1; n++) {
        char *cut = malloc(n > 0 ? n : 1);
        fanin_json_document document;
        fanin_error error;
        assert_non_null(cut);
        memcpy(cut, text, n);
        assert_int_equal(fanin_json_parse(cut, n, "t", &limits, &document, &error), FANIN_ERROR_FORMAT);
        assert_int_equal(fanin_json_parse(cut, n, "t", &limits, &document, NULL), FANIN_ERROR_FORMAT);
        free(cut);
    }
    fanin_json_document document;
    fanin_error error;
    assert_fails(fanin_json_parse("\"\\u1\"", 5, "t", &limits, &document, &error), FANIN_ERROR_FORMAT, error,
                 "t:1:2: four hexadecimal digits must follow \\u");
    assert_fails(fanin_json_parse(NULL, 0, "t", &limits, &document, &error), FANIN_ERROR_FORMAT, error, "t:1:1: ");
}

/* Every n-th allocation fails, once and from then on: the right status, nothing left behind. */
static void test_without_memory(void **state)
{
    (void)state;
    fanin_text text = {0};
    fanin_text_add(&text, "[");
    for (int i = 0; i < 300; i++)
        fanin_text_format(&text,
                          "{\"a%d\":[1,2,3],\"b\":\"\\u00e9%d\",\"c\":{},\"d\":1,\"e\":2,\"f\":3,\"g\":4,\"h\":5,"
                          "\"i\":6},",
                          i, i);
    fanin_text_format(&text, "\"%05000d\",", 1); /* a string with a block of its own */
    fanin_text_add(&text, "0]");
    assert_false(text.failed);
    counting_allocator counter;
    fanin_json_document document;
    fanin_error error;
    counting_begin(&counter);
    assert_ok(fanin_json_parse(text.data, text.nbytes, "t", &limits, &document, &error), error);
    uint64_t ncalls = counter.ncalls;
    fanin_json_release(&document);
    assert_int_equal(counter.nblocks, 0);
    assert_true(ncalls > 300);
    for (int on = 0; on < 2; on++) {
        for (uint64_t n = 1; n <= ncalls; n++) {
            counter.ncalls = 0;
            counter.fail_at = n;
            counter.fail_on = on;
            assert_fails(fanin_json_parse(text.data, text.nbytes, "t", &limits, &document, &error), FANIN_ERROR_MEMORY,
                         error, "out of memory");
            assert_int_equal(counter.nblocks, 0);
            assert_null(document.arena.blocks);
        }
    }
    counting_end();
    fanin_text_release(&text);
}

/* A header as checkpoints have, with a million tensors: no step may grow faster than the text. */
static void test_large(void **state)
{
    (void)state;
    enum { N = 200000 };
    fanin_text text = {0};
    fanin_json_document document;
    fanin_error error;
    fanin_text_add(&text, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < N; i++)
        fanin_text_format(&text,
                          ",\"model.layers.%d.mlp.weight\":{\"dtype\":\"F32\",\"shape\":[1024,%d],\"data_offsets\":"
                          "[%d,%d]}",
                          (int)((int64_t)i * 7919 % N), i, i, i + 1);
    fanin_text_add(&text, "}");
    assert_false(text.failed);
    struct timespec begin, end;
    timespec_get(&begin, TIME_UTC);
    assert_ok(fanin_json_parse(text.data, text.nbytes, "t", &limits, &document, &error), error);
    timespec_get(&end, TIME_UTC);
    double seconds = (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    print_message("%zu bytes in %.3f s: %.0f MB/s\n", text.nbytes, seconds, 1e-6 * (double)text.nbytes / seconds);
    assert_int_equal(document.root.count, N + 1);
    fanin_json_release(&document);
    fanin_text_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_text_may_go),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_kind_names),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ten_million_brackets),
        cmocka_unit_test(test_memory_is_proportional),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
