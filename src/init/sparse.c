/* SPDX-License-Identifier: MIT */
/*
 * sparse_(sparsity, std), and the randperm it takes its rows from.
 */
#include <inttypes.h>
#include <math.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/random.h"
#include "rng/stream.h"

/*
 * torch's switch to an algorithm on 64-bit draws. It came with 2.6, inside the profile torch-2.1; that profile keeps
 * the older rule.
 */
static const int64_t HUGE_PERMUTATION = 4294967295u / 20;

fanin_status fanin_randperm(int64_t *indices, int64_t n, fanin_generator *generator, fanin_error *error)
{
    fanin_clear(error);
    if (n < 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "randperm: n = %" PRId64 " is negative", n);
    if (n >= HUGE_PERMUTATION && fanin_profile_base(generator->profile) >= FANIN_PROFILE_TORCH_2_12) {
        for (int64_t i = 0; i < n; i++) {
            int64_t z = (int64_t)(fanin_generator_u64(generator) % (uint64_t)(i + 1));
            indices[i] = i;
            indices[i] = indices[z];
            indices[z] = i;
        }
        return FANIN_OK;
    }
    for (int64_t i = 0; i < n; i++)
        indices[i] = i;
    fanin_stream stream;
    fanin_stream_begin(&stream, generator);
    for (int64_t i = 0; i < n - 1;) {
        enum { RUN = 512 };
        const uint32_t *raw;
        uint32_t words[RUN];
        int64_t left = n - 1 - i;
        size_t taken = fanin_stream_take(&stream, (size_t)(left < RUN ? left : RUN), 1, &raw);
        stream.kernel->mt_temper(words, raw, taken);
        for (size_t k = 0; k < taken; k++, i++) {
            /* 32-bit division is the faster one; a range of 2^32 and more leaves the word as it is */
            uint64_t range = (uint64_t)(n - i);
            /* NOLINTNEXTLINE(*DivideZero): taken <= left, so the range is at least 2 */
            int64_t z = i + (int64_t)(range > UINT32_MAX ? words[k] : words[k] % (uint32_t)range);
            int64_t swapped = indices[i];
            indices[i] = indices[z];
            indices[z] = swapped;
        }
    }
    fanin_stream_end(&stream);
    return FANIN_OK;
}

static uint64_t randperm_ndraws(uint64_t n, fanin_profile profile)
{
    if (n >= (uint64_t)HUGE_PERMUTATION && fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_12)
        return 2 * n;
    return n > 0 ? n - 1 : 0;
}

enum { SPARSITY, STD };

static fanin_status check(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    char number[FANIN_NUMBER_NBYTES];
    (void)profile;
    if (tensor->ndim != 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "sparse needs 2 dimensions, the tensor has %d", (int)tensor->ndim);
    if (!isfinite(value[SPARSITY]))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "sparse: sparsity = %s; it is the share of zeros in a column, 0 to 1",
                          fanin_number_format(value[SPARSITY], number));
    return fanin_normal_check(value[STD], error);
}

/* torch takes the first ceil(sparsity * rows) of a permutation; a Python slice, so a negative count is from the end. */
static int64_t zero_count(double sparsity, int64_t rows)
{
    double count = ceil(sparsity * (double)rows);
    if (count >= (double)rows)
        return rows;
    if (count >= 0)
        return (int64_t)count;
    return -count >= (double)rows ? 0 : rows + (int64_t)count;
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    const int64_t rows = tensor->shape[0], cols = tensor->shape[1];
    const int64_t nzeros = zero_count(value[SPARSITY], rows);
    const double normal[4] = {0, value[STD]};
    int64_t *order = fanin_allocate((size_t)rows, sizeof *order);
    if (order == NULL)
        return fanin_fail_memory(error, (uint64_t)rows * sizeof *order);
    fanin_status status = fanin_fill_normal.run(normal, tensor, generator, error);
    for (int64_t column = 0; status == FANIN_OK && column < cols; column++) {
        status = fanin_randperm(order, rows, generator, error);
        for (int64_t i = 0; i < nzeros; i++) {
            fanin_tensor element = *tensor;
            element.data = (char *)tensor->data + (order[i] * tensor->strides[0] + column * tensor->strides[1]) *
                                                      (int64_t)(fanin_dtype_nbits(tensor->dtype) / 8);
            element.ndim = 0;
            fanin_constant_write(&element, 0.0);
        }
    }
    fanin_free(order);
    return status;
}

static void measure(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    (void)value;
    fanin_fill_normal.measure((const double[4]){0, 1}, tensor, profile, stream);
    stream->ndraws += (uint64_t)tensor->shape[1] * randperm_ndraws((uint64_t)tensor->shape[0], profile);
}

static bool is_splittable(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return false;
}

const fanin_fill_rule fanin_fill_sparse = {
    .name = "sparse",
    .values = {"sparsity", "std"},
    .random = true,
    .check = check,
    .run = run,
    .measure = measure,
    .is_splittable = is_splittable,
};
