/* SPDX-License-Identifier: MIT */
/*
 * The safetensors writer against bytes written out by hand from the format's rules, and the reader on what it writes.
 * Equality with the reference writer itself is tests/python/test_safetensors_reference.py.
 */
#define _XOPEN_SOURCE 700
#include "test.h"

#include <unistd.h>

#include "base/memory.h"
#include "format/safetensors.h"

static fanin_error error;

static const int64_t shapes[] = {2, 3, 0, 5, 1, 4};

static fanin_safetensors_tensor tensor(const char *name, fanin_dtype dtype, int32_t ndim, const int64_t *shape,
                                       uint64_t nelem)
{
    return (fanin_safetensors_tensor){.name = name, .dtype = dtype, .ndim = ndim, .shape = shape, .nelem = nelem};
}

static void assert_header(const fanin_text *text, const char *json)
{
    size_t n = strlen(json), padded = (n + 7) / 8 * 8;
    assert_int_equal(text->nbytes, 8 + padded);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | (uint8_t)text->data[i];
    assert_int_equal(length, padded);
    assert_memory_equal(text->data + 8, json, n);
    for (size_t i = n; i < padded; i++)
        assert_int_equal(text->data[8 + i], ' ');
}

static void order_and_bytes(void **state)
{
    (void)state;
    fanin_safetensors_tensor tensors[] = {
        tensor("layers.2", FANIN_F32, 2, shapes, 6),  tensor("layers.10", FANIN_F32, 1, shapes, 2),
        tensor("count", FANIN_I64, 0, NULL, 1),       tensor("Z", FANIN_F32, 1, shapes + 2, 0),
        tensor("half", FANIN_F16, 1, shapes + 5, 4),  tensor("brain", FANIN_BF16, 1, shapes + 5, 4),
        tensor("flag", FANIN_BOOL, 1, shapes + 4, 1), tensor("four", FANIN_F4, 1, shapes + 5, 4),
    };
    fanin_pair metadata[] = {{"format", "pt"}};
    fanin_text text = {0};
    assert_ok(fanin_safetensors_format(tensors, 8, metadata, 1, "x", &text, &error), error);
    assert_header(&text, "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"count\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                         "\"Z\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]},"
                         "\"layers.10\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]},"
                         "\"layers.2\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[16,40]},"
                         "\"brain\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[40,48]},"
                         "\"half\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[48,56]},"
                         "\"four\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[56,58]},"
                         "\"flag\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[58,59]}}");
    fanin_text_release(&text);
}

static void metadata_sorted_and_escaped(void **state)
{
    (void)state;
    fanin_safetensors_tensor one = tensor("a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9", FANIN_U8, 0, NULL, 1);
    fanin_pair metadata[] = {{"b", ""}, {"B", "<&>"}, {"a_", "\xe2\x82\xac"}, {"a", "\x1b"}};
    fanin_text text = {0};
    assert_ok(fanin_safetensors_format(&one, 1, metadata, 4, "x", &text, &error), error);
    assert_header(&text, "{\"__metadata__\":{\"B\":\"<&>\",\"a\":\"\\u001b\",\"a_\":\"\xe2\x82\xac\",\"b\":\"\"},"
                         "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9\":"
                         "{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}");
    fanin_text_release(&text);
}

/* Headers of every length modulo 8, with nothing in them and with no metadata. */
static void padding(void **state)
{
    (void)state;
    fanin_text text = {0};
    assert_ok(fanin_safetensors_format(NULL, 0, NULL, 0, "x", &text, &error), error);
    assert_header(&text, "{}");
    fanin_text_release(&text);
    for (int n = 0; n < 16; n++) {
        char name[17] = "", json[128];
        memset(name, 'n', (size_t)n);
        fanin_safetensors_tensor one = tensor(name, FANIN_F32, 1, shapes, 2);
        assert_ok(fanin_safetensors_format(&one, 1, NULL, 0, "x", &text, &error), error);
        snprintf(json, sizeof json, "{\"%s\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", name);
        assert_header(&text, json);
        fanin_text_release(&text);
    }
}

/* Appended to what is there already: lengths and padding are those of the header alone. */
static void appends(void **state)
{
    (void)state;
    fanin_text text = {0};
    fanin_text_add(&text, "abc");
    assert_ok(fanin_safetensors_format(NULL, 0, NULL, 0, "x", &text, &error), error);
    assert_int_equal(text.nbytes, 3 + 16);
    assert_memory_equal(text.data, "abc\x08\0\0\0\0\0\0\0{}      ", 19);
    fanin_text_release(&text);
}

static void refusals(void **state)
{
    (void)state;
    fanin_text text = {0};
    fanin_safetensors_tensor wrong[] = {tensor("__metadata__", FANIN_F32, 1, shapes, 2)};
    assert_fails(fanin_safetensors_format(wrong, 1, NULL, 0, "x", &text, &error), FANIN_ERROR_ARGUMENT, error,
                 "rename");
    wrong[0] = tensor("odd", FANIN_F4, 1, shapes + 1, 3);
    assert_fails(fanin_safetensors_format(wrong, 1, NULL, 0, "x", &text, &error), FANIN_ERROR_SHAPE, error,
                 "tensor odd");
    fanin_safetensors_tensor large[] = {tensor("a", FANIN_U8, 0, NULL, UINT64_MAX / 8),
                                        tensor("b", FANIN_F64, 0, NULL, UINT64_MAX / 64)};
    assert_ok(fanin_safetensors_format(large, 2, NULL, 0, "x", &text, &error), error);
    large[0].nelem++; /* the wider one is first now */
    assert_fails(fanin_safetensors_format(large, 2, NULL, 0, "x", &text, &error), FANIN_ERROR_SHAPE, error, "tensor b");
    fanin_text_release(&text);

    size_t n = FANIN_SAFETENSORS_MAX_WRITTEN_HEADER;
    char *value = malloc(n);
    assert_non_null(value);
    memset(value, 'v', n - 1);
    value[n - 1] = 0;
    fanin_pair metadata[] = {{"k", value}};
    assert_fails(fanin_safetensors_format(NULL, 0, metadata, 1, "x.safetensors", &text, &error),
                 FANIN_ERROR_UNSUPPORTED, error, "smaller shards");
    fanin_text_release(&text);
    value[n - 25] = 0; /* {"__metadata__":{"k":""}} is 25 long: one character less than the limit, then the limit */
    assert_ok(fanin_safetensors_format(NULL, 0, metadata, 1, "x.safetensors", &text, &error), error);
    assert_int_equal(text.nbytes, 8 + n);
    fanin_text_release(&text);
    free(value);
}

static void reads_what_it_writes(void **state)
{
    (void)state;
    fanin_safetensors_tensor tensors[FANIN_DTYPE_COUNT - 1];
    char names[FANIN_DTYPE_COUNT][16];
    for (int i = 0; i < FANIN_DTYPE_COUNT - 1; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i * 7919 % 101);
        tensors[i] = tensor(names[i], (fanin_dtype)(i + 1), i % 2, shapes + 5, i % 2 ? 4 : 1);
        if (fanin_dtype_nbits(tensors[i].dtype) % 8 != 0)
            tensors[i].ndim = 1, tensors[i].nelem = 4;
    }
    fanin_pair metadata[] = {{"k\n", "v\t\x01"}};
    fanin_text text = {0};
    assert_ok(fanin_safetensors_format(tensors, FANIN_DTYPE_COUNT - 1, metadata, 1, "x", &text, &error), error);
    uint64_t data_nbytes = tensors[FANIN_DTYPE_COUNT - 2].end, length;
    assert_ok(fanin_safetensors_length((const uint8_t *)text.data, text.nbytes + data_nbytes, "x", &length, &error),
              error);
    assert_int_equal(length, text.nbytes - 8);
    fanin_safetensors_header header;
    assert_ok(fanin_safetensors_parse(text.data + 8, length, data_nbytes, "x", &header, &error), error);
    assert_int_equal(header.ntensors, FANIN_DTYPE_COUNT - 1);
    for (size_t i = 0; i < header.ntensors; i++) {
        const fanin_safetensors_tensor *read = &header.tensors[i];
        assert_string_equal(read->name, tensors[i].name);
        assert_int_equal(read->dtype, tensors[i].dtype);
        assert_int_equal(read->ndim, tensors[i].ndim);
        assert_int_equal(read->nelem, tensors[i].nelem);
        assert_int_equal(read->begin, tensors[i].begin);
        assert_int_equal(read->end, tensors[i].end);
        if (read->ndim > 0)
            assert_int_equal(read->shape[0], 4);
    }
    assert_int_equal(header.nmetadata, 1);
    assert_string_equal(header.metadata[0].key, "k\n");
    assert_string_equal(header.metadata[0].value, "v\t\x01");
    assert_int_equal(header.data_begin, text.nbytes);
    assert_int_equal(header.nwarnings, 0);
    fanin_safetensors_release(&header);
    /* one byte of data too many or too few is seen */
    assert_fails(fanin_safetensors_parse(text.data + 8, length, data_nbytes + 1, "x", &header, &error),
                 FANIN_ERROR_FORMAT, error, "1 bytes after the last tensor");
    assert_fails(fanin_safetensors_parse(text.data + 8, length, data_nbytes - 1, "x", &header, &error),
                 FANIN_ERROR_FORMAT, error, "cut short");
    fanin_text_release(&text);
}

/* -- Files for the comparison with the reference writer ----------------------------------------------------------- */

static void write_file(const char *folder, const char *stem, fanin_safetensors_tensor *tensors, size_t n,
                       fanin_pair *metadata, size_t nmetadata)
{
    char path[1024];
    fanin_text text = {0};
    if (fanin_safetensors_format(tensors, n, metadata, nmetadata, stem, &text, &error) != FANIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    snprintf(path, sizeof path, "%s/%s.safetensors", folder, stem);
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fwrite(text.data, 1, text.nbytes, file);
    for (uint64_t i = 0; n > 0 && i < tensors[n - 1].end; i++)
        fputc(tensors[0].dtype == FANIN_BOOL ? (int)(i & 1) : (int)(i * 7 & 0xff), file);
    fclose(file);
    fanin_text_release(&text);
}

/* Every dtype torch has, names whose byte order differs from their order in time, all that JSON escapes. */
static int write_files(const char *folder)
{
    static const char *const odd[] = {
        "",   "a\"\\/",           "\b\f\n\r\t",      "\x01\x1f",         "\x7f",
        "Z",  "\xc3\xa9",         "e\xcc\x81",       "\xf0\x9f\x98\x80", "\xef\xbf\xbd",
        "_a", "layers.10.weight", "layers.2.weight", "layers.2",         "model.norm.weight"};
    enum { NODD = sizeof odd / sizeof odd[0] };
    fanin_safetensors_tensor tensors[NODD + 2 * FANIN_DTYPE_COUNT];
    char names[2 * FANIN_DTYPE_COUNT][16];
    fanin_pair metadata[] = {{"format", "pt"}, {"", "a\"\\/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9"}};
    size_t n = 0;
    write_file(folder, "nothing", tensors, 0, NULL, 0);
    write_file(folder, "only-metadata", tensors, 0, metadata, 1);
    for (size_t i = 0; i < NODD; i++)
        tensors[n++] = tensor(odd[i], i % 3 ? FANIN_F32 : FANIN_BF16, i % 2 ? 2 : 0, shapes, i % 2 ? 6 : 1);
    write_file(folder, "names", tensors, n, NULL, 0);
    write_file(folder, "names-pt", tensors, n, metadata, 1);
    write_file(folder, "names-escaped", tensors, n, metadata + 1, 1);
    for (fanin_dtype dtype = FANIN_BOOL; dtype < FANIN_DTYPE_COUNT; dtype++) {
        if (dtype == FANIN_F4 || dtype == FANIN_F6_E2M3 || dtype == FANIN_F6_E3M2)
            continue; /* torch shapes the first otherwise and has not the others */
        for (int k = 0; k < 2; k++) {
            snprintf(names[n - NODD], sizeof names[0], "%d.%d", dtype * 31 % 23, k);
            tensors[n] = tensor(names[n - NODD], dtype, k, shapes + 5, k ? 4 : 1);
            n++;
        }
    }
    write_file(folder, "dtypes", tensors, n, NULL, 0);
    write_file(folder, "dtypes-pt", tensors, n, metadata, 1);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return write_files(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_bytes), cmocka_unit_test(metadata_sorted_and_escaped),
        cmocka_unit_test(padding),         cmocka_unit_test(appends),
        cmocka_unit_test(refusals),        cmocka_unit_test(reads_what_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
