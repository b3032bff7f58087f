/* SPDX-License-Identifier: MIT */
/*
 * normal_(mean, std): blocks of 16 for contiguous tensors of at least 16 elements, else one element at a time in double
 * through the cached normal.
 */
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "init/random.h"
#include "kernel/convert.h"
#include "rng/stream.h"

fanin_status fanin_normal_check(double std, fanin_error *error)
{
    char number[FANIN_NUMBER_NBYTES];
    if (!(std >= 0))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "normal: std = %s; it must be 0 or more",
                          fanin_number_format(std, number));
    return FANIN_OK;
}

bool fanin_normal_is_blocked(const fanin_tensor *tensor)
{
    return fanin_tensor_nelem(tensor) >= FANIN_NORMAL_BLOCK && fanin_tensor_is_contiguous(tensor);
}

static bool is_16bit(fanin_dtype dtype)
{
    return dtype == FANIN_BF16 || dtype == FANIN_F16;
}

void fanin_normal_make(fanin_dtype dtype, const struct fanin_kernel *kernel, void *out, uint32_t *raw, size_t nblocks,
                       double mean, double std, bool running)
{
    switch (dtype) {
    case FANIN_F64:
        if (running)
            kernel->mt_generate(raw, nblocks * 2 * FANIN_NORMAL_BLOCK);
        kernel->normal_f64(out, raw, nblocks, mean, std);
        break;
    case FANIN_F32:
        kernel->normal_f32(out, raw, nblocks, (float)mean, (float)std, running);
        break;
    case FANIN_BF16:
        kernel->normal_bf16(out, raw, nblocks, (float)mean, (float)std, running);
        break;
    default:
        kernel->normal_f16(out, raw, nblocks, (float)mean, (float)std, running);
        break;
    }
}

bool fanin_normal_is_legacy(fanin_dtype dtype, fanin_profile profile)
{
    return is_16bit(dtype) && fanin_profile_base(profile) < FANIN_PROFILE_TORCH_2_13;
}

/*
 * f32 and f64 draw for all n elements, then 16 new ones for the last 16: a rest of n % 16 draws is made and thrown
 * away. 16-bit types never draw that rest.
 */
void fanin_normal_blocks(fanin_dtype dtype, void *out, int64_t n, double mean, double std, fanin_generator *generator)
{
    if (fanin_normal_is_legacy(dtype, generator->profile)) {
        fanin_normal_legacy(dtype, out, n, mean, std, generator);
        return;
    }
    fanin_stream stream;
    uint32_t *raw;
    const uint32_t *thrown_away;
    bool running;
    const size_t words = dtype == FANIN_F64 ? 2 : 1, group = words * FANIN_NORMAL_BLOCK;
    const size_t rest = (size_t)n % FANIN_NORMAL_BLOCK, whole = (size_t)n - rest;
    const size_t item = fanin_dtype_nbits(dtype) / 8;
    fanin_stream_begin(&stream, generator);
    for (size_t done = 0; done < whole;) {
        size_t taken = fanin_stream_take_running(&stream, (whole - done) * words, group, &raw, &running);
        fanin_normal_make(dtype, stream.kernel, (char *)out + done * item, raw, taken / group, mean, std, running);
        done += taken / words;
    }
    if (rest > 0) {
        if (!is_16bit(dtype))
            for (size_t thrown = 0; thrown < rest * words;)
                thrown += fanin_stream_take(&stream, rest * words - thrown, 1, &thrown_away);
        fanin_stream_take_running(&stream, group, group, &raw, &running);
        fanin_normal_make(dtype, stream.kernel, (char *)out + ((size_t)n - FANIN_NORMAL_BLOCK) * item, raw, 1, mean,
                          std, running);
    }
    fanin_stream_end(&stream);
}

static void store(fanin_dtype dtype, void *out, int64_t first, const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        switch (dtype) {
        case FANIN_F64:
            ((double *)out)[first + i] = values[i];
            break;
        case FANIN_F32:
            ((float *)out)[first + i] = (float)values[i];
            break;
        case FANIN_BF16:
            ((uint16_t *)out)[first + i] = fanin_bf16_from_f32((float)values[i]);
            break;
        default:
            ((uint16_t *)out)[first + i] = fanin_f16_from_f32((float)values[i]);
            break;
        }
    }
}

/* Cosine first; the sine, unscaled, is what the generator keeps when n ends between the two. */
void fanin_normal_scalar(fanin_dtype dtype, void *out, int64_t n, double mean, double std, fanin_generator *generator)
{
    enum { PAIRS = 64 };
    const struct fanin_kernel *kernel = fanin_kernel_for(generator->profile);
    bool log1p = fanin_profile_base(generator->profile) >= FANIN_PROFILE_TORCH_2_0;
    double values[2 * PAIRS];
    int64_t done = 0;
    if (n > 0 && generator->has_next_normal) {
        values[0] = generator->next_normal;
        generator->has_next_normal = false;
        generator->next_normal = 0;
        kernel->scale(values, 1, std, mean);
        store(dtype, out, 0, values, 1);
        done = 1;
    }
    if (done == n)
        return;
    fanin_stream stream;
    fanin_stream_begin(&stream, generator);
    while (done < n) {
        const uint32_t *raw;
        size_t npairs = (size_t)(n - done + 1) / 2;
        npairs = fanin_stream_take(&stream, 4 * (npairs < PAIRS ? npairs : PAIRS), 4, &raw) / 4;
        int64_t made = 2 * (int64_t)npairs;
        kernel->normal_pairs(values, raw, npairs, log1p);
        if (made > n - done) {
            made = n - done;
            generator->next_normal = values[made];
            generator->has_next_normal = true;
        }
        kernel->scale(values, (size_t)made, std, mean);
        store(dtype, out, done, values, made);
        done += made;
    }
    fanin_stream_end(&stream);
}

uint64_t fanin_normal_ndraws(fanin_dtype dtype, uint64_t n, bool blocked, fanin_profile profile, bool *cached)
{
    if (!blocked) {
        uint64_t fresh = n - (n > 0 && *cached ? 1 : 0);
        *cached = n == 0 ? *cached : fresh % 2 != 0;
        return 4 * (fresh / 2 + fresh % 2);
    }
    if (is_16bit(dtype) && fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_12)
        return (n + 15) / 16 * 16;
    return (n + (n % 16 ? 16 : 0)) * (dtype == FANIN_F64 ? 2 : 1);
}

static fanin_status check(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    (void)tensor;
    (void)profile;
    return fanin_normal_check(value[1], error);
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    fanin_walk walk;
    (void)error;
    fanin_walk_begin(tensor, &walk);
    if (fanin_normal_is_blocked(tensor)) {
        fanin_normal_blocks(tensor->dtype, walk.data, walk.nelem, value[0], value[1], generator);
    } else if (walk.is_flat) {
        fanin_normal_scalar(tensor->dtype, walk.data, walk.nelem, value[0], value[1], generator);
    } else {
        for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK) {
            fanin_chunk chunk;
            int64_t n = walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK;
            fanin_normal_scalar(tensor->dtype, &chunk, n, value[0], value[1], generator);
            fanin_walk_scatter(&walk, done, n, &chunk);
        }
    }
    return FANIN_OK;
}

/* The scalar path leaves a normal behind, which has to be made; the blocks are as many draws as there are. */
static fanin_status pass(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                         const fanin_parallel *parallel, fanin_error *error)
{
    const int64_t nelem = fanin_tensor_nelem(tensor);
    bool cached = generator->has_next_normal;
    (void)parallel, (void)error;
    if (fanin_normal_is_blocked(tensor)) {
        fanin_generator_skip(generator,
                             fanin_normal_ndraws(tensor->dtype, (uint64_t)nelem, true, generator->profile, &cached));
        return FANIN_OK;
    }
    for (int64_t done = 0; done < nelem; done += FANIN_CHUNK) {
        fanin_chunk chunk;
        const int64_t n = nelem - done < FANIN_CHUNK ? nelem - done : FANIN_CHUNK;
        fanin_normal_scalar(tensor->dtype, &chunk, n, value[0], value[1], generator);
    }
    return FANIN_OK;
}

static void measure(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    bool blocked = fanin_normal_is_blocked(tensor);
    (void)value;
    stream->scalar = !blocked;
    stream->ndraws =
        fanin_normal_ndraws(tensor->dtype, (uint64_t)fanin_tensor_nelem(tensor), blocked, profile, &stream->has_cached);
}

static bool is_splittable(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)profile;
    return fanin_normal_is_blocked(tensor);
}

const fanin_fill_rule fanin_fill_normal = {
    .name = "normal",
    .values = {"mean", "std"},
    .random = true,
    .check = check,
    .run = run,
    .pass = pass,
    .measure = measure,
    .is_splittable = is_splittable,
};
