/* SPDX-License-Identifier: MIT */
/*
 * uniform_(from, to): one draw an element (f64: two), from + range * u in the dtype, in the order of memory.
 */
#include <float.h>
#include <math.h>

#include "base/error.h"
#include "base/text.h"
#include "init/random.h"
#include "kernel/convert.h"
#include "rng/stream.h"

static double largest(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_F64:
        return DBL_MAX;
    case FANIN_F32:
        return FLT_MAX;
    case FANIN_BF16:
        return 0x1.fep+127;
    default:
        return 65504.0;
    }
}

fanin_status fanin_uniform_check(fanin_dtype dtype, double from, double to, fanin_error *error)
{
    double max = largest(dtype);
    const char *name = fanin_dtype_name(dtype);
    char number[FANIN_NUMBER_NBYTES];
    if (!(from >= -max && from <= max))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "uniform: from = %s is outside the finite range of %s",
                          fanin_number_format(from, number), name);
    if (!(to >= -max && to <= max))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "uniform: to = %s is outside the finite range of %s",
                          fanin_number_format(to, number), name);
    if (!(from <= to)) {
        char upper[FANIN_NUMBER_NBYTES];
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "uniform: from = %s is greater than to = %s; swap them",
                          fanin_number_format(from, number), fanin_number_format(to, upper));
    }
    if (!(to - from <= max))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "uniform: to - from = %s overflows %s; make the interval smaller",
                          fanin_number_format(to - from, number), name);
    return FANIN_OK;
}

static float round_f32_to(fanin_dtype dtype, float value)
{
    if (dtype == FANIN_BF16)
        return fanin_f32_from_bf16(fanin_bf16_from_f32(value));
    if (dtype == FANIN_F16)
        return fanin_f32_from_f16(fanin_f16_from_f32(value));
    return value;
}

/* Floats in order as integers, and back. */
static int64_t order_of(float value)
{
    uint32_t bits = fanin_f32_bits(value);
    return bits >> 31 ? -(int64_t)(bits & 0x7fffffff) : (int64_t)bits;
}

static float float_at(int64_t order)
{
    return fanin_f32_from_bits(order < 0 ? (uint32_t)-order | 0x80000000 : (uint32_t)order);
}

/* The least float that is rounded to `value`, a value of the dtype. */
static float least_that_rounds_to(fanin_dtype dtype, float value)
{
    int64_t inside = 0, outside = order_of(value) + 0x7f800000; /* distances; at the second is -infinity */
    while (outside - inside > 1) {
        int64_t middle = (inside + outside) / 2;
        if (round_f32_to(dtype, float_at(order_of(value) - middle)) == value)
            inside = middle;
        else
            outside = middle;
    }
    return float_at(order_of(value) - inside);
}

/* The value that 24 bits of a draw make, before it is rounded to the dtype; it grows with them, and is at most `to`. */
static float value_of(uint32_t bits, float from, float range, fanin_profile profile)
{
    float unit = (float)bits * 0x1p-24f;
    return profile & FANIN_UNFUSED ? unit * range + from : fmaf(unit, range, from);
}

/*
 * Before 2.12 the 16-bit types take as many bits of a draw as they have digits, and their bounds are rounded to them
 * first; the upper bound could come out. From 2.12 all take 24 bits, and a value equal to `to` becomes `from`.
 */
static struct fanin_uniform_f32 rule_f32(fanin_dtype dtype, double from, double to, fanin_profile profile)
{
    struct fanin_uniform_f32 rule = {.mask = 0xffffff, .scale = 0x1p-24f, .upper = INFINITY};
    float f = (float)from, t = (float)to;
    if (fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_12) {
        rule.range = t - f;
        float upper = least_that_rounds_to(dtype, round_f32_to(dtype, t));
        if (value_of(rule.mask, f, rule.range, profile) >= upper)
            rule.upper = upper;
    } else {
        if (dtype == FANIN_BF16) {
            rule.mask = 0xff;
            rule.scale = 0x1p-8f;
        } else if (dtype == FANIN_F16) {
            rule.mask = 0x7ff;
            rule.scale = 0x1p-11f;
        }
        f = round_f32_to(dtype, f);
        t = round_f32_to(dtype, t);
        rule.range = round_f32_to(dtype, t - f);
    }
    rule.from = f;
    return rule;
}

void fanin_uniform_flat(fanin_dtype dtype, void *out, int64_t n, double from, double to, fanin_generator *generator)
{
    fanin_stream stream;
    const struct fanin_kernel *kernel;
    uint32_t *raw;
    struct fanin_uniform_f32 rule = rule_f32(dtype, from, to, generator->profile);
    bool newer = fanin_profile_base(generator->profile) >= FANIN_PROFILE_TORCH_2_12;
    struct fanin_uniform_f64 rule64 = {from, to - from, newer ? to : NAN};
    const size_t words = dtype == FANIN_F64 ? 2 : 1;
    /* only float32 is made faster than memory takes whole lines that it first has to read */
    const bool bypass =
        dtype == FANIN_F32 && (uint64_t)n * sizeof(float) > FANIN_BYPASS_NBYTES && (uintptr_t)out % sizeof(float) == 0;
    /* what is stored past the caches begins where a line does, and all but the last are whole vectors */
    size_t until = bypass ? (0 - (uintptr_t)out) % FANIN_LINE_NBYTES / sizeof(float) : (size_t)n;
    fanin_stream_begin(&stream, generator);
    kernel = stream.kernel;
    for (size_t done = 0; done < (size_t)n;) {
        enum { GROUP = 32 };
        bool running;
        if (done == until)
            until = (size_t)n;
        const size_t want = (until - done) * words, group = want < GROUP ? words : GROUP;
        size_t m = fanin_stream_take_running(&stream, want - want % group, group, &raw, &running) / words;
        switch (dtype) {
        case FANIN_F64:
            if (running)
                kernel->mt_generate(raw, m * words);
            kernel->uniform_f64((double *)out + done, raw, m, &rule64);
            break;
        case FANIN_F32:
            (bypass ? kernel->uniform_f32_bypass : kernel->uniform_f32)((float *)out + done, raw, m, &rule, running);
            break;
        case FANIN_BF16:
            kernel->uniform_bf16((uint16_t *)out + done, raw, m, &rule, running);
            break;
        default:
            kernel->uniform_f16((uint16_t *)out + done, raw, m, &rule, running);
            break;
        }
        done += m;
    }
    if (bypass)
        kernel->fence();
    fanin_stream_end(&stream);
}

uint64_t fanin_uniform_ndraws(fanin_dtype dtype, uint64_t n)
{
    return dtype == FANIN_F64 ? 2 * n : n;
}

static fanin_status check(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    (void)profile;
    return fanin_uniform_check(tensor->dtype, value[0], value[1], error);
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    fanin_walk walk;
    (void)error;
    fanin_walk_begin(tensor, &walk);
    if (walk.is_flat) {
        fanin_uniform_flat(tensor->dtype, walk.data, walk.nelem, value[0], value[1], generator);
        return FANIN_OK;
    }
    for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK) {
        fanin_chunk chunk;
        int64_t n = walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK;
        fanin_uniform_flat(tensor->dtype, &chunk, n, value[0], value[1], generator);
        fanin_walk_scatter(&walk, done, n, &chunk);
    }
    return FANIN_OK;
}

static void measure(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    (void)value;
    (void)profile;
    stream->ndraws = fanin_uniform_ndraws(tensor->dtype, (uint64_t)fanin_tensor_nelem(tensor));
}

static bool is_splittable(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return true;
}

const fanin_fill_rule fanin_fill_uniform = {
    .name = "uniform",
    .values = {"from", "to"},
    .random = true,
    .check = check,
    .run = run,
    .measure = measure,
    .is_splittable = is_splittable,
};
