/* SPDX-License-Identifier: MIT */
/*
 * What fills promise beyond their bytes (those are the goldens'): measured draws are the draws taken, pieces equal the
 * whole, refusals change nothing, memory outside a view stays, and running out of memory is an error.
 */
#include "test.h"

#include <math.h>

#include "fanin/fanin.h"

static const fanin_dtype random_dtypes[] = {FANIN_F32, FANIN_F64, FANIN_BF16, FANIN_F16};

static const fanin_fill fills[] = {
    {FANIN_FILL_CONSTANT, {2.5}},
    {FANIN_FILL_UNIFORM, {-0.3, 0.7}},
    {FANIN_FILL_NORMAL, {0.5, 2}},
    {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}},
    {FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}},
    {FANIN_FILL_TRUNC_NORMAL, {0, 1, 1, 3}},
    {FANIN_FILL_EYE, {0}},
    {FANIN_FILL_ORTHOGONAL, {1.5}},
    {FANIN_FILL_SPARSE, {0.4, 0.1}},
};
enum { NFILLS = sizeof fills / sizeof *fills };

static bool equal_generators(const fanin_generator *a, const fanin_generator *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The draws between two states of one stream. */
static uint64_t draws_between(fanin_generator from, const fanin_generator *to)
{
    uint64_t n = 0;
    while (memcmp(from.words, to->words, sizeof from.words) != 0 || from.left != to->left) {
        fanin_generator_u32(&from);
        assert_true(++n < 10000000);
    }
    return n;
}

static void test_measure_is_what_is_drawn(void **state)
{
    static const int64_t shapes[][2] = {{0, 3},  {1, 1},  {3, 5}, {4, 4},  {16, 1},
                                        {1, 17}, {31, 1}, {8, 4}, {33, 3}, {40, 50}};
    static double memory[2 * 4000];
    (void)state;
    for (size_t p = 0; p < fanin_profile_count(); p += test_is_slow() ? 3 : 1)
        for (size_t d = 0; d < 4; d++)
            for (size_t f = 0; f < NFILLS; f++)
                for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
                    for (int variant = 0; variant < 6; variant++) {
                        fanin_tensor t = fanin_tensor_2d(memory, random_dtypes[d], shapes[s][0], shapes[s][1]);
                        fanin_generator g = fanin_generator_create(fanin_profile_at(p), 5), before;
                        fanin_fill_stream stream = {0};
                        if (variant % 3 == 1)
                            t = fanin_tensor_transpose(&t);
                        if (variant % 3 == 2)
                            for (int i = 0; i < 2; i++)
                                t.strides[i] *= 2;
                        g.has_next_normal = stream.has_cached = variant >= 3;
                        g.next_normal = variant >= 3 ? 0.25 : 0;
                        before = g;
                        fanin_status expected = fanin_fill_check(&fills[f], &t, g.profile, NULL);
                        assert_int_equal(fanin_fill_measure(&fills[f], &t, g.profile, &stream, NULL), expected);
                        assert_int_equal(fanin_fill_run(&fills[f], &t, &g, NULL), expected);
                        if (expected != FANIN_OK) {
                            assert_true(equal_generators(&g, &before));
                            continue;
                        }
                        uint64_t drawn = draws_between(before, &g);
                        if (stream.data_dependent) {
                            assert_true(drawn >= stream.ndraws);
                        } else {
                            assert_true(drawn == stream.ndraws);
                            assert_int_equal(g.has_next_normal, stream.has_cached);
                        }
                    }
}

static void test_pieces_equal_the_whole(void **state)
{
    static const int64_t sizes[] = {16, 17, 31, 32, 33, 47, 640, 1000, 5001};
    static double whole[5001], pieces[5001];
    (void)state;
    for (size_t p = 0; p < fanin_profile_count(); p += test_is_slow() ? 3 : 1)
        for (size_t d = 0; d < 4; d++)
            for (size_t f = 0; f < NFILLS; f++)
                for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
                    for (int64_t piece = 16; piece <= 1024; piece *= 4) {
                        size_t item = fanin_dtype_nbits(random_dtypes[d]) / 8;
                        int64_t n = sizes[s];
                        fanin_tensor t = fanin_tensor_1d(whole, random_dtypes[d], n);
                        fanin_generator a = fanin_generator_create(fanin_profile_at(p), 11), b = a;
                        if (fanin_fill_check(&fills[f], &t, a.profile, NULL) != FANIN_OK ||
                            !fanin_fill_is_splittable(&fills[f], &t, a.profile))
                            continue;
                        assert_int_equal(fanin_fill_run(&fills[f], &t, &a, NULL), FANIN_OK);
                        for (int64_t done = 0; done < n;) {
                            int64_t m = n - done < piece + 16 ? n - done : piece;
                            fanin_tensor part = fanin_tensor_1d((char *)pieces + (size_t)done * item, t.dtype, m);
                            assert_int_equal(fanin_fill_run(&fills[f], &part, &b, NULL), FANIN_OK);
                            done += m;
                        }
                        assert_memory_equal(whole, pieces, (size_t)n * item);
                        assert_true(equal_generators(&a, &b));
                    }
}

/* Too large for caches, where other stores are taken; memory beside it stays. */
static void test_large_zeros(void **state)
{
    enum { NBYTES = (25 << 20) + 3, AROUND = 77 };
    uint8_t *memory = malloc(NBYTES + 2 * AROUND);
    const char *before = fanin_isa_active();
    fanin_error error;
    (void)state;
    assert_non_null(memory);
    for (size_t isa = 0; isa < fanin_isa_count(); isa++) {
        if (!fanin_isa_is_supported(isa))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(isa), &error), error);
        memset(memory, 0xa5, NBYTES + 2 * AROUND);
        fanin_tensor tensor = fanin_tensor_1d(memory + AROUND, FANIN_U8, NBYTES);
        assert_ok(fanin_zeros(&tensor, &error), error);
        for (size_t i = 0; i < NBYTES + 2 * AROUND; i++)
            if (memory[i] != (i < AROUND || i >= AROUND + NBYTES ? 0xa5 : 0))
                fail_msg("byte %zu is %d in %s", i, memory[i], fanin_isa_active());
    }
    assert_ok(fanin_isa_force(before, &error), error);
    free(memory);
}

/* The same for uniforms: what begins inside a line of a cache equals what is made in pieces that caches hold. */
static void test_large_uniforms(void **state)
{
    enum { NBYTES = (25 << 20) + 12, PIECE = 1 << 16, OFFSET = 20 };
    uint8_t *whole = malloc(NBYTES + OFFSET + 1), *pieces = malloc(NBYTES + OFFSET);
    const char *before = fanin_isa_active();
    fanin_error error;
    (void)state;
    assert_true(whole != NULL && pieces != NULL);
    for (size_t isa = 0; isa < fanin_isa_count(); isa++) {
        if (!fanin_isa_is_supported(isa))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(isa), &error), error);
        for (size_t d = 0; d < 4; d++) {
            const int64_t item = fanin_dtype_nbits(random_dtypes[d]) / 8, n = NBYTES / item;
            fanin_generator a = fanin_generator_torch(d), b = a;
            whole[OFFSET + n * item] = 0xa5;
            fanin_tensor tensor = fanin_tensor_1d(whole + (item < 8 ? OFFSET : 16), random_dtypes[d], n);
            assert_ok(fanin_uniform(&tensor, -0.05, 0.07, &a, &error), error);
            for (int64_t done = 0; done < n; done += PIECE) {
                fanin_tensor part =
                    fanin_tensor_1d(pieces + done * item, random_dtypes[d], n - done < PIECE ? n - done : PIECE);
                assert_ok(fanin_uniform(&part, -0.05, 0.07, &b, &error), error);
            }
            assert_memory_equal(tensor.data, pieces, (size_t)(n * item));
            assert_true(equal_generators(&a, &b));
            assert_int_equal(whole[OFFSET + n * item], 0xa5);
        }
    }
    assert_ok(fanin_isa_force(before, &error), error);
    free(pieces);
    free(whole);
}

static void test_memory_outside_the_view_stays(void **state)
{
    static unsigned char memory[40 * 60 * 8];
    (void)state;
    for (size_t d = 0; d < 4; d++)
        for (size_t f = 0; f < NFILLS; f++) {
            size_t item = fanin_dtype_nbits(random_dtypes[d]) / 8;
            fanin_tensor t = fanin_tensor_2d(memory + 3 * item, random_dtypes[d], 12, 17);
            fanin_generator g = fanin_generator_torch(1);
            t.strides[0] = 90;
            t.strides[1] = 3;
            memset(memory, 0xa5, sizeof memory);
            if (fanin_fill_run(&fills[f], &t, &g, NULL) != FANIN_OK)
                continue;
            for (size_t i = 0; i < sizeof memory; i++) {
                size_t element = i / item;
                bool inside = element >= 3 && (element - 3) / 90 < 12 && (element - 3) % 90 % 3 == 0 &&
                              (element - 3) % 90 / 3 < 17;
                if (!inside)
                    assert_int_equal(memory[i], 0xa5);
            }
        }
}

struct refusal {
    fanin_fill fill;
    fanin_dtype dtype;
    int ndim;
    int64_t shape[3];
    fanin_status status;
    const char *words;
};

static void test_refusals(void **state)
{
    static const struct refusal cases[] = {
        {{FANIN_FILL_UNIFORM, {1, 0}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "greater than"},
        {{FANIN_FILL_UNIFORM, {NAN, 0}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "from"},
        {{FANIN_FILL_UNIFORM, {0, INFINITY}}, FANIN_F64, 1, {4}, FANIN_ERROR_ARGUMENT, "to"},
        {{FANIN_FILL_UNIFORM, {-60000, 60000}}, FANIN_F16, 1, {4}, FANIN_ERROR_ARGUMENT, "overflows"},
        {{FANIN_FILL_NORMAL, {0, -1}}, FANIN_F32, 1, {0}, FANIN_ERROR_ARGUMENT, "std"},
        {{FANIN_FILL_NORMAL, {0, NAN}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "std"},
        {{FANIN_FILL_NORMAL, {0, 1}}, FANIN_I32, 1, {4}, FANIN_ERROR_DTYPE, "i32"},
        {{FANIN_FILL_UNIFORM, {0, 1}}, FANIN_F8_E4M3, 1, {4}, FANIN_ERROR_DTYPE, "f8_e4m3"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, 0, -2, 2}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "std"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, -1, -2, 2}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "std"},
        {{FANIN_FILL_TRUNC_NORMAL, {NAN, 1, -2, 2}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "mean"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, INFINITY, -2, 2}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "std"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, 1, 2, -2}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "below"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, 1, 3, INFINITY}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "finite range"},
        {{FANIN_FILL_TRUNC_NORMAL, {0, 1e-3, 1, 2}}, FANIN_F32, 1, {17}, FANIN_ERROR_ARGUMENT, "rounds"},
        {{FANIN_FILL_CONSTANT, {1e6}}, FANIN_F16, 1, {4}, FANIN_ERROR_ARGUMENT, "overflows"},
        {{FANIN_FILL_CONSTANT, {1e39}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "overflows"},
        {{FANIN_FILL_CONSTANT, {-1}}, FANIN_U8, 1, {4}, FANIN_ERROR_ARGUMENT, "fit"},
        {{FANIN_FILL_CONSTANT, {7}}, FANIN_F4, 1, {4}, FANIN_ERROR_ARGUMENT, "overflows"},
        {{FANIN_FILL_CONSTANT, {NAN}}, FANIN_F6_E2M3, 1, {4}, FANIN_ERROR_ARGUMENT, "NaN"},
        {{FANIN_FILL_EYE, {0}}, FANIN_F32, 1, {4}, FANIN_ERROR_SHAPE, "2 dimensions"},
        {{FANIN_FILL_EYE, {0}}, FANIN_F4, 2, {4, 4}, FANIN_ERROR_DTYPE, "f32"},
        {{FANIN_FILL_DIRAC, {1}}, FANIN_F32, 2, {4, 4}, FANIN_ERROR_SHAPE, "3, 4 or 5"},
        {{FANIN_FILL_DIRAC, {0}}, FANIN_F32, 3, {4, 4, 3}, FANIN_ERROR_ARGUMENT, "groups"},
        {{FANIN_FILL_DIRAC, {3}}, FANIN_F32, 3, {4, 4, 3}, FANIN_ERROR_SHAPE, "divisible"},
        {{FANIN_FILL_DIRAC, {1}}, FANIN_F32, 3, {4, 4, 0}, FANIN_ERROR_SHAPE, "kernel"},
        {{FANIN_FILL_ORTHOGONAL, {1}}, FANIN_F32, 1, {4}, FANIN_ERROR_SHAPE, "2 or more"},
        {{FANIN_FILL_ORTHOGONAL, {1}}, FANIN_BF16, 2, {4, 4}, FANIN_ERROR_DTYPE, "f32"},
        {{FANIN_FILL_SPARSE, {0.5, 0.1}}, FANIN_F32, 3, {4, 4, 4}, FANIN_ERROR_SHAPE, "2 dimensions"},
        {{FANIN_FILL_SPARSE, {NAN, 0.1}}, FANIN_F32, 2, {4, 4}, FANIN_ERROR_ARGUMENT, "sparsity"},
        {{FANIN_FILL_NONE, {0}}, FANIN_F32, 1, {4}, FANIN_ERROR_ARGUMENT, "kind"},
        {{FANIN_FILL_CONSTANT, {1}}, FANIN_DTYPE_NONE, 1, {4}, FANIN_ERROR_DTYPE, "dtype"},
        {{FANIN_FILL_CONSTANT, {1}}, FANIN_F32, 2, {-1, 4}, FANIN_ERROR_SHAPE, "negative"},
        {{FANIN_FILL_CONSTANT, {1}}, FANIN_F32, 2, {INT64_MAX, 4}, FANIN_ERROR_SHAPE, "memory"},
    };
    unsigned char memory[1024], before[1024];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct refusal *c = &cases[i];
        fanin_tensor t = fanin_tensor_nd(memory, c->dtype, c->ndim, c->shape);
        fanin_generator g = fanin_generator_torch(1), untouched = g;
        fanin_error error;
        memset(memory, 0x5a, sizeof memory);
        memcpy(before, memory, sizeof memory);
        fanin_status status = fanin_fill_run(&c->fill, &t, &g, &error);
        if (status != c->status || strstr(error.message, c->words) == NULL)
            fail_msg("case %zu: status %s, message '%s'; expected %s with '%s'", i, fanin_status_name(status),
                     error.message, fanin_status_name(c->status), c->words);
        assert_int_equal(error.status, status);
        assert_true(equal_generators(&g, &untouched));
        assert_memory_equal(memory, before, sizeof memory);
    }
}

static void test_overlapping_views(void **state)
{
    float memory[64] = {0};
    fanin_tensor t = fanin_tensor_2d(memory, FANIN_F32, 4, 4);
    fanin_generator g = fanin_generator_torch(1);
    fanin_error error;
    (void)state;
    t.strides[0] = 0;
    assert_int_equal(fanin_uniform(&t, 0, 1, &g, &error), FANIN_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "share memory"));
    assert_int_equal(fanin_eye(&t, &error), FANIN_ERROR_SHAPE);
    assert_int_equal(fanin_ones(&t, &error), FANIN_OK); /* torch allows constants */
    t.strides[0] = -4;
    assert_int_equal(fanin_ones(&t, &error), FANIN_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "negative stride"));
    t.strides[0] = INT64_MAX / 2;
    assert_int_equal(fanin_ones(&t, &error), FANIN_ERROR_SHAPE);
}

static void test_missing_pieces(void **state)
{
    float memory[16];
    fanin_tensor t = fanin_tensor_1d(memory, FANIN_F32, 16), none = fanin_tensor_1d(NULL, FANIN_F32, 16);
    fanin_generator g = fanin_generator_torch(1), blank = {0};
    fanin_error error;
    (void)state;
    assert_int_equal(fanin_normal(&t, 0, 1, NULL, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_normal(&none, 0, 1, &g, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_normal(&t, 0, 1, &blank, &error), FANIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "profile"));
    assert_int_equal(fanin_normal(&t, 0, 1, &g, NULL), FANIN_OK);
}

static void test_warnings(void **state)
{
    float memory[32];
    fanin_tensor t = fanin_tensor_1d(memory, FANIN_F32, 32), empty = fanin_tensor_1d(NULL, FANIN_F32, 0);
    fanin_generator g = fanin_generator_torch(1);
    fanin_error error;
    (void)state;
    assert_int_equal(fanin_trunc_normal(&t, 3, 1e-3, 0, 1, &g, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_trunc_normal(&t, 3, 0.9, 0, 1, &g, &error), FANIN_OK);
    assert_non_null(strstr(error.warning, "2 std"));
    assert_int_equal(fanin_trunc_normal(&t, 0, 1, -2, 2, &g, &error), FANIN_OK);
    assert_string_equal(error.warning, "");
    assert_int_equal(fanin_kaiming_normal(&empty, 0, FANIN_FAN_IN, FANIN_RELU, &g, &error), FANIN_OK);
    assert_non_null(strstr(error.warning, "without elements"));
    assert_int_equal(fanin_xavier_normal(&t, 1, &g, &error), FANIN_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "2 or more dimensions"));
}

static int allocations_left;
static int allocations_alive;

static void *limited_allocate(void *user, size_t nbytes)
{
    (void)user;
    if (allocations_left-- <= 0)
        return NULL;
    allocations_alive++;
    return malloc(nbytes);
}

static void limited_release(void *user, void *memory)
{
    (void)user;
    allocations_alive--;
    free(memory);
}

/* The n-th allocation fails: an error, no leak, nothing drawn or written. */
static void test_out_of_memory(void **state)
{
    static const fanin_allocator limited = {limited_allocate, limited_release, NULL};
    float memory[24 * 10], before[24 * 10];
    (void)state;
    fanin_set_allocator(&limited);
    for (size_t f = 0; f < NFILLS; f++)
        for (int allowed = 0;; allowed++) {
            fanin_tensor t = fanin_tensor_2d(memory, FANIN_F32, 24, 10);
            fanin_generator g = fanin_generator_torch(1), untouched = g;
            memset(memory, 0x11, sizeof memory);
            memcpy(before, memory, sizeof memory);
            allocations_left = allowed;
            fanin_status status = fanin_fill_run(&fills[f], &t, &g, NULL);
            assert_int_equal(allocations_alive, 0);
            if (status == FANIN_OK)
                break;
            assert_int_equal(status, FANIN_ERROR_MEMORY);
            assert_memory_equal(memory, before, sizeof memory);
            assert_true(equal_generators(&g, &untouched));
            assert_true(allowed < 10);
        }
    fanin_set_allocator(NULL);
}

static void test_fans(void **state)
{
    static const struct {
        int ndim;
        int64_t shape[4];
        fanin_layout layout;
        int32_t groups;
        int64_t in, out;
    } cases[] = {
        {2, {10, 4}, FANIN_LAYOUT_OUT_IN, 0, 4, 10},         {4, {8, 3, 5, 7}, FANIN_LAYOUT_OUT_IN, 0, 105, 280},
        {4, {8, 3, 5, 7}, FANIN_LAYOUT_OUT_IN, 2, 105, 140}, {2, {10, 4}, FANIN_LAYOUT_IN_OUT, 0, 10, 4},
        {4, {5, 7, 3, 8}, FANIN_LAYOUT_IN_OUT, 0, 105, 280}, {4, {5, 7, 3, 8}, FANIN_LAYOUT_IN_OUT, 4, 105, 70},
        {3, {6, 4, 3}, FANIN_LAYOUT_TRANSPOSED, 0, 18, 12},  {3, {6, 4, 3}, FANIN_LAYOUT_TRANSPOSED, 3, 6, 12},
        {2, {0, 4}, FANIN_LAYOUT_OUT_IN, 0, 4, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fanin_tensor t = fanin_tensor_nd(NULL, FANIN_F32, cases[i].ndim, cases[i].shape);
        fanin_fans fans;
        t.layout = cases[i].layout;
        t.groups = cases[i].groups;
        assert_int_equal(fanin_calculate_fans(&t, &fans, NULL), FANIN_OK);
        assert_int_equal(fans.in, cases[i].in);
        assert_int_equal(fans.out, cases[i].out);
    }
    fanin_tensor t = fanin_tensor_2d(NULL, FANIN_F32, 10, 4);
    fanin_fans fans;
    fanin_error error;
    t.groups = 3;
    assert_int_equal(fanin_calculate_fans(&t, &fans, &error), FANIN_ERROR_SHAPE);
    assert_non_null(strstr(error.message, "groups"));
    t = fanin_tensor_2d(NULL, FANIN_F32, INT64_MAX, INT64_MAX);
    assert_int_equal(fanin_calculate_fans(&t, &fans, &error), FANIN_ERROR_SHAPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measure_is_what_is_drawn),
        cmocka_unit_test(test_pieces_equal_the_whole),
        cmocka_unit_test(test_large_zeros),
        cmocka_unit_test(test_large_uniforms),
        cmocka_unit_test(test_memory_outside_the_view_stays),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_overlapping_views),
        cmocka_unit_test(test_missing_pieces),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_fans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
