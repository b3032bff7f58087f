/* SPDX-License-Identifier: MIT */
/*
 * One tensor in a file: the literal and the padding of .npy headers, strided views, refusals. Equality with numpy.save
 * itself is tests/python/test_safetensors_reference.py.
 */
#define _XOPEN_SOURCE 700
#include "test.h"
#include "scratch.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "fanin/run.h"
#include "format/npy.h"

static fanin_error error;

/* The literal, and the length of everything before the data. */
static void check_header(fanin_dtype dtype, int ndim, const int64_t *shape, const char *literal, size_t nbytes)
{
    fanin_tensor tensor = fanin_tensor_nd(NULL, dtype, ndim, shape);
    fanin_text text = {0};
    assert_ok(fanin_npy_format(&tensor, "x.npy", &text, &error), error);
    assert_int_equal(text.nbytes, nbytes);
    assert_memory_equal(text.data, "\x93NUMPY\x01\0", 8);
    assert_int_equal((uint8_t)text.data[8] | (uint8_t)text.data[9] << 8, nbytes - 10);
    assert_memory_equal(text.data + 10, literal, strlen(literal));
    for (size_t i = 10 + strlen(literal); i < nbytes - 1; i++)
        assert_int_equal(text.data[i], ' ');
    assert_int_equal(text.data[nbytes - 1], '\n');
    fanin_text_release(&text);
}

static void headers(void **state)
{
    (void)state;
    const int64_t two[] = {2, 3}, one[] = {1000000}, none[] = {0}, wide[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const int64_t long_dims[] = {123456789, 1234567890123456789, 0, 1};
    check_header(FANIN_F32, 2, two, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 128);
    check_header(FANIN_F64, 1, one, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000,), }", 128);
    check_header(FANIN_F16, 1, none, "{'descr': '<f2', 'fortran_order': False, 'shape': (0,), }", 128);
    check_header(FANIN_BOOL, 0, NULL, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }", 128);
    check_header(FANIN_U8, 8, wide, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 2, 3, 4, 5, 6, 7, 8), }",
                 128);
    check_header(FANIN_I64, 4, long_dims,
                 "{'descr': '<i8', 'fortran_order': False, 'shape': (123456789, 1234567890123456789, 0, 1), }", 128);
    static const char *const descrs[FANIN_DTYPE_COUNT] = {
        [FANIN_BOOL] = "|b1", [FANIN_U8] = "|u1",  [FANIN_I8] = "|i1",  [FANIN_I16] = "<i2", [FANIN_U16] = "<u2",
        [FANIN_F16] = "<f2",  [FANIN_I32] = "<i4", [FANIN_U32] = "<u4", [FANIN_F32] = "<f4", [FANIN_C64] = "<c8",
        [FANIN_BF16] = "<V2", [FANIN_F64] = "<f8", [FANIN_I64] = "<i8", [FANIN_U64] = "<u8",
    };
    for (fanin_dtype dtype = FANIN_BOOL; dtype < FANIN_DTYPE_COUNT; dtype++) {
        char literal[128];
        if (descrs[dtype] != NULL) {
            snprintf(literal, sizeof literal, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }",
                     descrs[dtype]);
            check_header(dtype, 2, two, literal, 128);
        } else {
            fanin_tensor tensor = fanin_tensor_2d(NULL, dtype, 2, 3);
            fanin_text text = {0};
            assert_fails(fanin_npy_format(&tensor, "x.npy", &text, &error), FANIN_ERROR_DTYPE, error,
                         fanin_dtype_name(dtype));
            fanin_text_release(&text);
        }
    }
}

static size_t read_whole(const char *path, uint8_t *bytes, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, capacity, file);
    fclose(file);
    return n;
}

static void files(void **state)
{
    (void)state;
    float values[6] = {0, 1, 2, 3, 4, 5};
    const float transposed[6] = {0, 3, 1, 4, 2, 5};
    uint8_t bytes[1024];
    fanin_tensor tensor = fanin_tensor_2d(values, FANIN_F32, 2, 3), view = fanin_tensor_transpose(&tensor);

    assert_ok(fanin_write_tensor("w.bin", &tensor, false, &error), error);
    assert_int_equal(read_whole("w.bin", bytes, sizeof bytes), 24);
    assert_memory_equal(bytes, values, 24);
    assert_fails(fanin_write_tensor("w.bin", &view, false, &error), FANIN_ERROR_EXISTS, error, "--force");
    assert_int_equal(read_whole("w.bin", bytes, sizeof bytes), 24);
    assert_memory_equal(bytes, values, 24);
    assert_ok(fanin_write_tensor("w.bin", &view, true, &error), error);
    assert_int_equal(read_whole("w.bin", bytes, sizeof bytes), 24);
    assert_memory_equal(bytes, transposed, 24);

    assert_ok(fanin_write_tensor("w.npy", &view, false, &error), error);
    assert_int_equal(read_whole("w.npy", bytes, sizeof bytes), 128 + 24);
    assert_memory_equal(bytes + 128, transposed, 24);

    assert_ok(fanin_write_tensor("w.safetensors", &view, false, &error), error);
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open("w.safetensors", &checkpoint, &error), error);
    assert_int_equal(fanin_checkpoint_tensor_count(checkpoint), 1);
    assert_string_equal(fanin_checkpoint_tensor_at(checkpoint, 0)->name, "weight");
    assert_int_equal(fanin_checkpoint_tensor_at(checkpoint, 0)->shape[0], 3);
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, "format"), "pt");
    assert_ok(fanin_checkpoint_read(checkpoint, 0, 0, bytes, 24, &error), error);
    assert_memory_equal(bytes, transposed, 24);
    fanin_checkpoint_close(checkpoint);

    fanin_tensor empty = fanin_tensor_1d(NULL, FANIN_F32, 0);
    assert_ok(fanin_write_tensor("w.bin", &empty, true, &error), error);
    assert_int_equal(read_whole("w.bin", bytes, sizeof bytes), 0);
    unlink("w.bin");
    unlink("w.npy");
    unlink("w.safetensors");
}

/* A view that needs several pieces, on strides no piece is a multiple of. */
static void large_strided(void **state)
{
    (void)state;
    enum { ROWS = 1003, COLUMNS = 1009 };
    uint16_t *values = malloc(2 * ROWS * COLUMNS * sizeof *values), *read = malloc(ROWS * COLUMNS * sizeof *read);
    assert_non_null(values);
    assert_non_null(read);
    for (size_t i = 0; i < 2 * ROWS * COLUMNS; i++)
        values[i] = (uint16_t)(i * 40503 >> 3);
    fanin_tensor view = fanin_tensor_2d(values, FANIN_BF16, COLUMNS, ROWS);
    view.strides[0] = 2;
    view.strides[1] = 2 * COLUMNS;
    assert_ok(fanin_write_tensor("large.bin", &view, false, &error), error);
    assert_int_equal(read_whole("large.bin", (uint8_t *)read, ROWS * COLUMNS * sizeof *read), ROWS * COLUMNS * 2);
    for (size_t c = 0; c < COLUMNS; c++)
        for (size_t r = 0; r < ROWS; r++)
            if (read[c * ROWS + r] != values[2 * (r * COLUMNS + c)])
                fail_msg("element %zu, %zu", c, r);
    unlink("large.bin");
    free(values);
    free(read);
}

/* A name as long as names may be, though the temporary one would be longer. */
static void longest_name(void **state)
{
    (void)state;
    char name[256];
    float value = 1;
    fanin_tensor tensor = fanin_tensor_1d(&value, FANIN_F32, 1);
    for (size_t n = 225; n <= 255; n++) {
        memset(name, 'n', n);
        strcpy(name + n - 4, ".bin");
        assert_ok(fanin_write_tensor(name, &tensor, false, &error), error);
        assert_int_equal(test_count_files(".", name), 1);
        assert_int_equal(test_count_files(".", ".partial-"), 0);
        unlink(name);
    }
}

static void refusals(void **state)
{
    (void)state;
    uint8_t bytes[8] = {0};
    fanin_tensor tensor = fanin_tensor_1d(bytes, FANIN_F8_E4M3, 4);
    assert_fails(fanin_write_tensor("w.npy", &tensor, false, &error), FANIN_ERROR_DTYPE, error, ".safetensors");
    assert_fails(fanin_write_tensor("w.pt", &tensor, false, &error), FANIN_ERROR_ARGUMENT, error, ".npy, .safetensors");
    assert_fails(fanin_write_tensor("", &tensor, false, &error), FANIN_ERROR_ARGUMENT, error, "ending");
    assert_fails(fanin_write_tensor("no-such-folder/w.bin", &tensor, false, &error), FANIN_ERROR_IO, error,
                 "no-such-folder/w.bin");
    assert_int_equal(mkdir("folder.bin", 0700), 0);
    assert_fails(fanin_write_tensor("folder.bin", &tensor, true, &error), FANIN_ERROR_ARGUMENT, error,
                 "no regular file");
    rmdir("folder.bin");
    tensor = fanin_tensor_1d(bytes, FANIN_F4, 3);
    assert_fails(fanin_write_tensor("w.bin", &tensor, false, &error), FANIN_ERROR_SHAPE, error, "no whole number");
    tensor = fanin_tensor_2d(bytes, FANIN_F4, 2, 4);
    tensor = fanin_tensor_transpose(&tensor);
    assert_fails(fanin_write_tensor("w.bin", &tensor, false, &error), FANIN_ERROR_UNSUPPORTED, error, "contiguous");
    tensor = fanin_tensor_1d(NULL, FANIN_F32, 4);
    assert_fails(fanin_write_tensor("w.bin", &tensor, false, &error), FANIN_ERROR_ARGUMENT, error, "no memory");
    tensor = fanin_tensor_1d(bytes, FANIN_DTYPE_NONE, 4);
    assert_fails(fanin_write_tensor("w.bin", &tensor, false, &error), FANIN_ERROR_DTYPE, error, "no dtype");
    tensor = fanin_tensor_1d(bytes, FANIN_U8, -1);
    assert_fails(fanin_write_tensor("w.bin", &tensor, false, &error), FANIN_ERROR_SHAPE, error, "negative");
    struct stat info;
    assert_int_equal(stat("w.bin", &info), -1);
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(files),
                                       cmocka_unit_test(large_strided), cmocka_unit_test(longest_name),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
