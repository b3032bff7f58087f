/* SPDX-License-Identifier: MIT */
/*
 * Blocks of tensors: every one is equal to that block of the whole, whatever its place, size and destination.
 */
#include "plan_fixture.h"

#include "counting_allocator.h"

static fanin_error error;

#define SPEC(dtype, tensors)                                                                                           \
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"" dtype "\",\"tensors\":[" tensors "],\"rules\":["           \
    "{\"match\":\"t*\",\"init\":\"trunc_normal\",\"std\":0.02},{\"match\":\"r*\",\"init\":\"trunc_normal\"},"          \
    "{\"match\":\"u*\",\"init\":\"uniform\"},{\"match\":\"o*\",\"init\":\"orthogonal\"},"                              \
    "{\"match\":\"p*\",\"row\":2,\"init\":\"zeros\"},{\"match\":\"**\",\"init\":\"normal\"}]}"

static const char *const specs[] = {
    SPEC("f32", "{\"name\":\"n1\",\"shape\":[21,13]},{\"name\":\"n2\",\"shape\":[4,5,6]},{\"name\":\"u\",\"shape\":"
                "[7,3]},{\"name\":\"p\",\"shape\":[9,11]},{\"name\":\"scalar\",\"shape\":[3,3]},{\"name\":\"t\","
                "\"shape\":[17,5]},{\"name\":\"r\",\"shape\":[40,9]},{\"name\":\"o\",\"shape\":[6,8]},"
                "{\"name\":\"n3\",\"shape\":[]},{\"name\":\"n4\",\"shape\":[0,4]}"),
    SPEC("bf16", "{\"name\":\"n1\",\"shape\":[21,13]},{\"name\":\"n2\",\"shape\":[4,5,6]},{\"name\":\"u\",\"shape\":"
                 "[33]},{\"name\":\"p\",\"shape\":[9,11]},{\"name\":\"t\",\"shape\":[17,5]}"),
    SPEC("f64", "{\"name\":\"n1\",\"shape\":[21,13]},{\"name\":\"n2\",\"shape\":[2,5,3,4]},{\"name\":\"u\",\"shape\":"
                "[5,7]},{\"name\":\"p\",\"shape\":[9,11]},{\"name\":\"t\",\"shape\":[17,5]}"),
};

static uint32_t random_state;

static int64_t below(int64_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return n > 0 ? (int64_t)(random_state >> 8) % n : 0;
}

/* Row-major element i of a block, in the whole. */
static size_t element_at(const fanin_plan_tensor *of, const int64_t *offsets, const int64_t *sizes, int64_t i)
{
    int64_t at = 0, stride = 1;
    for (int32_t d = of->ndim; d-- > 0;) {
        at += (offsets[d] + i % sizes[d]) * stride;
        i /= sizes[d];
        stride *= of->shape[d];
    }
    return (size_t)at;
}

static void check_block(const fanin_plan *plan, uint64_t seed, size_t tensor, const uint8_t *whole,
                        const int64_t *offsets, const int64_t *sizes, int64_t gap)
{
    const fanin_plan_tensor *of = fanin_plan_tensor_at(plan, tensor);
    const fanin_run_options options = test_options(seed);
    size_t item = fanin_dtype_nbits(of->dtype) / 8;
    fanin_tensor to = fanin_tensor_nd(NULL, of->dtype, of->ndim, sizes);
    int64_t n = fanin_tensor_nelem(&to), span = 1;
    for (int32_t d = 0; d < of->ndim; d++) {
        to.strides[d] *= gap;
        span += (sizes[d] > 0 ? sizes[d] - 1 : 0) * to.strides[d];
    }
    uint8_t *memory = malloc((size_t)span * item);
    memset(memory, 0xa5, (size_t)span * item);
    to.data = memory;
    assert_ok(fanin_run_slice(plan, &options, tensor, offsets, sizes, &to, &error), error);
    for (int64_t i = 0; i < n; i++) /* the strides are those of contiguous memory, `gap` times */
        if (memcmp(memory + (size_t)(i * gap) * item, whole + element_at(of, offsets, sizes, i) * item, item) != 0)
            fail_msg("%s: element %d of the block at %d, ...", of->name, (int)i, (int)offsets[0]);
    for (size_t i = 0; gap > 1 && i < (size_t)span; i++)
        if (i % (size_t)gap != 0)
            assert_int_equal(memory[i * item], 0xa5);
    free(memory);
}

static void any_block(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof specs / sizeof specs[0]; s++) {
        fanin_plan *plan = test_plan(specs[s], 0);
        const fanin_run_options options = test_options(s);
        void **whole = test_allocate_tensors(plan);
        assert_ok(fanin_run_memory(plan, &options, whole, &error), error);
        random_state = 1;
        for (size_t t = 0; t < fanin_plan_tensor_count(plan); t++) {
            const fanin_plan_tensor *of = fanin_plan_tensor_at(plan, t);
            for (int k = 0; k < 60; k++) {
                int64_t offsets[FANIN_MAX_DIMS] = {0}, sizes[FANIN_MAX_DIMS] = {0};
                for (int32_t d = 0; d < of->ndim; d++) {
                    bool all = below(3) == 0;
                    offsets[d] = all ? 0 : below(of->shape[d] + 1);
                    sizes[d] = all ? of->shape[d] : below(of->shape[d] - offsets[d] + 1);
                }
                check_block(plan, s, t, whole[t], offsets, sizes, 1 + below(3));
            }
        }
        test_free_tensors(plan, whole);
        fanin_plan_free(plan);
    }
}

/* torch.chunk over dimension 0 and 1, in one call for all ranks and tensors. */
static void shards(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(specs[0], 0);
    const fanin_run_options options = test_options(5);
    void **whole = test_allocate_tensors(plan);
    size_t ntensors = fanin_plan_tensor_count(plan);
    assert_ok(fanin_run_memory(plan, &options, whole, &error), error);
    for (int dim = 0; dim < 2; dim++) {
        for (int64_t nshards = 1; nshards <= 5; nshards++) {
            fanin_slice slices[64];
            int64_t offsets[64][FANIN_MAX_DIMS] = {{0}};
            void **joined = test_allocate_tensors(plan);
            size_t n = 0;
            for (int64_t rank = nshards; rank-- > 0;) {
                for (size_t t = 0; t < ntensors; t++) {
                    const fanin_plan_tensor *of = fanin_plan_tensor_at(plan, t);
                    if (of->ndim <= dim)
                        continue;
                    int64_t rows = (of->shape[dim] + nshards - 1) / nshards, begin = rank * rows;
                    begin = begin < of->shape[dim] ? begin : of->shape[dim];
                    fanin_tensor to = fanin_tensor_nd(joined[t], of->dtype, of->ndim, of->shape);
                    offsets[n][dim] = begin;
                    to.shape[dim] = of->shape[dim] - begin < rows ? of->shape[dim] - begin : rows;
                    to.data = (uint8_t *)joined[t] + (size_t)(begin * to.strides[dim]) * 4;
                    slices[n] = (fanin_slice){.tensor = t, .offsets = offsets[n], .destination = to};
                    n++;
                }
            }
            assert_ok(fanin_run_slices(plan, &options, slices, n, &error), error);
            for (size_t t = 0; t < ntensors; t++)
                if (fanin_plan_tensor_at(plan, t)->ndim > dim)
                    assert_memory_equal(joined[t], whole[t], fanin_plan_tensor_at(plan, t)->nbytes);
            test_free_tensors(plan, joined);
        }
    }
    test_free_tensors(plan, whole);
    fanin_plan_free(plan);
}

/* Over several pieces, from inside a block, with gaps that are jumped over; and without memory for the whole. */
static void large(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(SPEC("f32", "{\"name\":\"n\",\"shape\":[1733,2003]},{\"name\":\"u\",\"shape\":[3,"
                                             "1000003]},{\"name\":\"p\",\"shape\":[3,3000017]}"),
                                 0);
    static const struct {
        size_t tensor;
        int64_t offsets[2], sizes[2];
    } blocks[] = {{0, {0, 0}, {1733, 2003}},  {0, {1, 1}, {1731, 2001}}, {0, {400, 0}, {1333, 2003}},
                  {0, {1732, 1990}, {1, 13}}, {0, {3, 2000}, {1700, 3}}, {1, {0, 5}, {3, 7}},
                  {1, {1, 999999}, {2, 4}},   {2, {0, 17}, {3, 40}},     {2, {0, 2999999}, {3, 18}},
                  {2, {1, 1}, {2, 3000016}}};
    const fanin_run_options options = test_options(3);
    void **whole = test_allocate_tensors(plan);
    assert_ok(fanin_run_memory(plan, &options, whole, &error), error);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        check_block(plan, 3, blocks[i].tensor, whole[blocks[i].tensor], blocks[i].offsets, blocks[i].sizes, 1 + i % 2);
    counting_allocator counter;
    counting_begin(&counter);
    for (int64_t column = 0; column < 2000003; column += 1000001) {
        float few[6];
        const fanin_tensor to = fanin_tensor_2d(few, FANIN_F32, 3, 2);
        const int64_t offsets[2] = {0, column}, sizes[2] = {3, 2};
        assert_ok(fanin_run_slice(plan, &options, 2, offsets, sizes, &to, &error), error);
    }
    counting_end();
    assert_true(counter.peak_nbytes < (uint64_t)4 << 20); /* of 36 MB */
    assert_int_equal(counter.nblocks, 0);
    test_free_tensors(plan, whole);
    fanin_plan_free(plan);
}

static void refused(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(specs[0], 0);
    const fanin_run_options options = test_options(0);
    float memory[64];
    const int64_t zero[2] = {0, 0}, sizes[2] = {2, 3};
    fanin_tensor to = fanin_tensor_2d(memory, FANIN_F32, 2, 3);
    assert_fails(fanin_run_slice(plan, &options, 99, zero, sizes, &to, &error), FANIN_ERROR_ARGUMENT, error,
                 "there is no tensor 99");
    assert_fails(fanin_run_slice(plan, &options, 0, (int64_t[]){20, 0}, sizes, &to, &error), FANIN_ERROR_SHAPE, error,
                 "2 elements from 20 on are more than dimension 0 has, 21");
    assert_fails(fanin_run_slice(plan, &options, 0, (int64_t[]){-1, 0}, sizes, &to, &error), FANIN_ERROR_SHAPE, error,
                 "from -1 on");
    assert_fails(fanin_run_slice(plan, &options, 0, (int64_t[]){INT64_MAX, 0}, sizes, &to, &error), FANIN_ERROR_SHAPE,
                 error, "dimension 0");
    assert_fails(fanin_run_slice(plan, &options, 0, zero, (int64_t[]){2, 4}, &to, &error), FANIN_ERROR_SHAPE, error,
                 "the sizes of the block");
    to.dtype = FANIN_F64;
    assert_fails(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), FANIN_ERROR_DTYPE, error, "is f32");
    to = fanin_tensor_1d(memory, FANIN_F32, 2);
    assert_fails(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), FANIN_ERROR_SHAPE, error,
                 "2 dimensions, the destination 1");
    to = fanin_tensor_2d(memory, FANIN_F32, 2, 3);
    to.strides[1] = 0;
    assert_fails(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), FANIN_ERROR_SHAPE, error, "stride 0");
    to = fanin_tensor_2d(NULL, FANIN_F32, 2, 3);
    assert_fails(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), FANIN_ERROR_ARGUMENT, error,
                 "has no memory");
    fanin_plan_free(plan);
}

/* Elements of 4 bits share bytes with their neighbours. */
static void packed(void **state)
{
    (void)state;
    fanin_plan *plan =
        test_plan("{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":[{\"name\":\"w\","
                  "\"shape\":[4,8],\"dtype\":\"f4\"}],\"rules\":[{\"match\":\"**\",\"init\":\"zeros\"}]}",
                  0);
    const fanin_run_options options = test_options(0);
    uint8_t memory[16] = {0};
    const int64_t zero[2] = {0, 0}, sizes[2] = {4, 8};
    fanin_tensor to = fanin_tensor_2d(memory, FANIN_F4, 4, 8);
    assert_fails(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), FANIN_ERROR_DTYPE, error,
                 "f4 packs elements into bytes");
    fanin_plan_free(plan);
}

typedef struct heard {
    uint64_t done;
    uint64_t total;
} heard;

static bool hear(void *user, uint64_t done, uint64_t total)
{
    *(heard *)user = (heard){done, total};
    return true;
}

/* Of what is made, not of the whole model: all blocks that were asked for. */
static void progress_of_blocks(void **state)
{
    (void)state;
    heard last = {0};
    fanin_plan *plan = test_plan(specs[0], 0);
    fanin_run_options options = test_options(0);
    float memory[64];
    const int64_t zero[2] = {0, 0}, sizes[2] = {2, 3};
    const fanin_tensor to = fanin_tensor_2d(memory, FANIN_F32, 2, 3);
    options.progress = hear;
    options.user = &last;
    assert_ok(fanin_run_slice(plan, &options, 0, zero, sizes, &to, &error), error);
    assert_int_equal(last.total, 2 * 3 * sizeof *memory);
    assert_int_equal(last.done, last.total);
    fanin_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_block), cmocka_unit_test(shards), cmocka_unit_test(large),
        cmocka_unit_test(refused),   cmocka_unit_test(packed), cmocka_unit_test(progress_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
