/* SPDX-License-Identifier: MIT */
/*
 * Allocation through the table: sizes that wrap, the arena, shapes, and that every request reaches the caller's table.
 */
#include "test.h"

#include "base/memory.h"
#include "counting_allocator.h"

static void test_arrays(void **state)
{
    (void)state;
    counting_allocator counter;
    counting_begin(&counter);
    assert_null(fanin_allocate(SIZE_MAX, 2));
    assert_null(fanin_allocate(SIZE_MAX / 2 + 2, 2));
    assert_null(fanin_allocate(SIZE_MAX, 1));
    assert_null(fanin_allocate_zeroed(SIZE_MAX / 8 + 1, 8));
    assert_int_equal(counter.ncalls, 0);

    void *empty = fanin_allocate(0, 8);
    assert_non_null(empty);
    fanin_free(empty);
    fanin_free(NULL);

    uint32_t *numbers = fanin_allocate_zeroed(1000, sizeof *numbers);
    assert_non_null(numbers);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(numbers[i], 0);
        numbers[i] = i;
    }
    numbers = fanin_reallocate(numbers, 1000, 3000, sizeof *numbers);
    assert_non_null(numbers);
    assert_int_equal(numbers[999], 999);
    numbers = fanin_reallocate(numbers, 3000, 10, sizeof *numbers);
    assert_non_null(numbers);
    assert_int_equal(numbers[9], 9);
    /* On failure the old block stays. */
    assert_null(fanin_reallocate(numbers, 10, SIZE_MAX, sizeof *numbers));
    counter.fail_at = counter.ncalls + 1;
    assert_null(fanin_reallocate(numbers, 10, 20, sizeof *numbers));
    assert_int_equal(numbers[9], 9);
    fanin_free(numbers);
    uint32_t *fresh = fanin_reallocate(NULL, 0, 4, sizeof *fresh);
    assert_non_null(fresh);
    fanin_free(fresh);

    char *copy = fanin_duplicate("a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    fanin_free(copy);
    copy = fanin_duplicate(NULL, 0);
    assert_string_equal(copy, "");
    fanin_free(copy);
    assert_null(fanin_duplicate("x", SIZE_MAX));
    assert_int_equal(counter.nblocks, 0);
    counting_end();
}

static void test_checked(void **state)
{
    (void)state;
    uint64_t result;
    assert_true(fanin_checked_mul(UINT64_MAX, 1, &result) && result == UINT64_MAX);
    assert_true(fanin_checked_mul(UINT64_MAX, 0, &result) && result == 0);
    assert_false(fanin_checked_mul((uint64_t)1 << 32, (uint64_t)1 << 32, &result));
    assert_true(fanin_checked_add(UINT64_MAX, 0, &result) && result == UINT64_MAX);
    assert_false(fanin_checked_add(UINT64_MAX, 1, &result));
}

static void test_shapes(void **state)
{
    (void)state;
    const int64_t half = (int64_t)1 << 62;
    static const struct {
        int ndim;
        int64_t shape[4];
        bool fits;
        uint64_t nelem;
    } rows[] = {
        {0, {0}, true, 1},
        {1, {0}, true, 0},
        {2, {3, 5}, true, 15},
        {4, {2, 3, 4, 5}, true, 120},
        {2, {0, INT64_MAX}, true, 0},
        {1, {-1}, false, 0},
        {2, {0, -1}, false, 0},
        {2, {(int64_t)1 << 32, (int64_t)1 << 32}, false, 0},
        {2, {(int64_t)1 << 32, ((int64_t)1 << 32) - 1}, true, 0xffffffff00000000u},
        {3, {INT64_MAX, 3, 0}, false, 0}, /* overflows on the way to 0, as in the safetensors reader */
        {3, {0, INT64_MAX, 3}, true, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t nelem;
        bool fits = fanin_shape_nelem(rows[i].shape, rows[i].ndim, &nelem);
        if (fits != rows[i].fits || (fits && nelem != rows[i].nelem))
            fail_msg("row %zu", i);
    }
    uint64_t nelem;
    assert_true(fanin_shape_nelem((const int64_t[]){half, 2}, 2, &nelem) && nelem == (uint64_t)1 << 63);
    assert_false(fanin_shape_nelem((const int64_t[]){half, 4}, 2, &nelem));
}

/* Pieces of every size are aligned, zeroed, apart from each other, and all go with the arena. */
static void test_arena(void **state)
{
    (void)state;
    enum { N = 3000 };
    static struct {
        unsigned char *data;
        size_t nbytes;
    } pieces[N];
    counting_allocator counter;
    counting_begin(&counter);
    fanin_arena arena = {0};
    uint32_t random = 1;
    uint64_t total = 0;
    for (size_t i = 0; i < N; i++) {
        random = random * 1664525u + 1013904223u;
        pieces[i].nbytes = (random >> 20) % (i % 100 == 0 ? 5000 : 60);
        pieces[i].data = fanin_arena_allocate(&arena, pieces[i].nbytes, 1);
        assert_non_null(pieces[i].data);
        assert_int_equal((uintptr_t)pieces[i].data % _Alignof(max_align_t), 0);
        for (size_t at = 0; at < pieces[i].nbytes; at++)
            assert_int_equal(pieces[i].data[at], 0);
        memset(pieces[i].data, (int)(i % 251), pieces[i].nbytes);
        total += pieces[i].nbytes;
        if (i % 7 == 0)
            fanin_arena_text(&arena, "abc", 3);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t at = 0; at < pieces[i].nbytes; at++)
            assert_int_equal(pieces[i].data[at], i % 251);
    assert_true(counter.peak_nbytes < 3 * total);
    assert_true(counter.ncalls < 100);
    assert_null(fanin_arena_allocate(&arena, SIZE_MAX / 2, 4));
    assert_null(fanin_arena_allocate(&arena, SIZE_MAX, 1));
    assert_null(fanin_arena_text(&arena, "x", SIZE_MAX));
    fanin_arena_release(&arena);
    assert_int_equal(counter.nblocks, 0);
    assert_null(arena.blocks);
    fanin_arena_release(&arena);
    counting_end();
}

static void test_arena_text(void **state)
{
    (void)state;
    fanin_arena arena = {0};
    char longer[9000];
    memset(longer, 'x', sizeof longer);
    char *one = fanin_arena_text(&arena, "one\0two", 7);
    char *formatted = fanin_arena_format(&arena, "%s:%d", "file", 12);
    char *large = fanin_arena_text(&arena, longer, sizeof longer);
    char *large_formatted = fanin_arena_format(&arena, "%.*s", 8999, longer);
    char *empty = fanin_arena_text(&arena, NULL, 0);
    assert_memory_equal(one, "one\0two", 8);
    assert_string_equal(formatted, "file:12");
    assert_memory_equal(large, longer, sizeof longer);
    assert_int_equal(strlen(large), sizeof longer);
    assert_int_equal(strlen(large_formatted), 8999);
    assert_string_equal(empty, "");
    fanin_arena_release(&arena);
}

static void test_arena_without_memory(void **state)
{
    (void)state;
    counting_allocator counter;
    for (uint64_t fail_at = 1; fail_at < 5; fail_at++) {
        counting_begin(&counter);
        counter.fail_at = fail_at;
        counter.fail_on = true;
        fanin_arena arena = {0};
        char *last = "";
        while (last != NULL)
            last = fanin_arena_text(&arena, "some text", 9);
        assert_null(fanin_arena_allocate(&arena, 1000, 1000));
        assert_null(fanin_arena_format(&arena, "%5000d", 1));
        assert_int_equal(counter.nblocks, fail_at - 1);
        fanin_arena_release(&arena);
        assert_int_equal(counter.nblocks, 0);
        counting_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays), cmocka_unit_test(test_checked),    cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_arena),  cmocka_unit_test(test_arena_text), cmocka_unit_test(test_arena_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
