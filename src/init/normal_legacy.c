/* SPDX-License-Identifier: MIT */
/*
 * 16-bit normal_ of the profiles up to torch-2.12, on the float functions of glibc. Scalar only: these bits are
 * history.
 */
#include <math.h>

#include "init/random.h"
#include "kernel/convert.h"
#include "kernel/math64.inc.h"
#include "rng/stream.h"

static float round_to(fanin_dtype dtype, float value)
{
    return dtype == FANIN_BF16 ? fanin_f32_from_bf16(fanin_bf16_from_f32(value))
                               : fanin_f32_from_f16(fanin_f16_from_f32(value));
}

static uint16_t bits_of(fanin_dtype dtype, float value)
{
    return dtype == FANIN_BF16 ? fanin_bf16_from_f32(value) : fanin_f16_from_f32(value);
}

struct rule {
    fanin_dtype dtype;
    float mean, std;
    enum {
        ROUND_EACH, /* every operation rounded to the type: bf16 to 2.11, f16 from 2.1 to 2.11 */
        ROUND_SOME, /* f16 in 1.13 and 2.0: float between radius, angle and result */
        ROUND_LAST  /* 2.12: float throughout, 24-bit uniforms */
    } rounding;
    bool fused;
};

static float angle_of(float u)
{
    return (float)(0x1.921fb54442d18p+2 * (double)u);
}

static float scale(const struct rule *rule, float value)
{
    return rule->fused ? __builtin_fmaf(value, rule->std, rule->mean) : value * rule->std + rule->mean;
}

static void box_muller(const struct rule *rule, float u, float v, uint16_t *cosine, uint16_t *sine)
{
    fanin_dtype t = rule->dtype;
    float c, s;
    if (rule->rounding == ROUND_EACH) {
        float radius = round_to(t, fanin_logf(round_to(t, 1.0f - u)));
        radius = round_to(t, sqrtf(round_to(t, -2.0f * radius)));
        float angle = round_to(t, angle_of(v));
        c = round_to(t, round_to(t, radius * round_to(t, fanin_cosf(angle))) * rule->std) + rule->mean;
        s = round_to(t, round_to(t, radius * round_to(t, fanin_sinf(angle))) * rule->std) + rule->mean;
    } else if (rule->rounding == ROUND_SOME) {
        float radius = round_to(t, sqrtf(-2.0f * fanin_logf(round_to(t, 1.0f - u))));
        float angle = round_to(t, angle_of(v));
        c = scale(rule, radius * fanin_cosf(angle));
        s = scale(rule, radius * fanin_sinf(angle));
    } else {
        float radius = sqrtf(-2.0f * fanin_logf(1.0f - u));
        float angle = angle_of(v);
        c = scale(rule, radius * fanin_cosf(angle));
        s = scale(rule, radius * fanin_sinf(angle));
    }
    *cosine = bits_of(t, c);
    *sine = bits_of(t, s);
}

static void block(const struct rule *rule, fanin_stream *stream, uint16_t *out, size_t nblocks)
{
    const bool newer = rule->rounding == ROUND_LAST;
    const uint32_t mask = newer ? 0xffffff : rule->dtype == FANIN_BF16 ? 0xff : 0x7ff;
    const float unit = newer ? 0x1p-24f : rule->dtype == FANIN_BF16 ? 0x1p-8f : 0x1p-11f;
    for (size_t i = 0; i < nblocks; i++, out += FANIN_NORMAL_BLOCK) {
        const uint32_t *raw;
        uint32_t words[FANIN_NORMAL_BLOCK];
        fanin_stream_take(stream, FANIN_NORMAL_BLOCK, FANIN_NORMAL_BLOCK, &raw);
        stream->kernel->mt_temper(words, raw, FANIN_NORMAL_BLOCK);
        for (size_t j = 0; j < 8; j++)
            box_muller(rule, (float)(words[j] & mask) * unit, (float)(words[j + 8] & mask) * unit, out + j,
                       out + j + 8);
    }
}

void fanin_normal_legacy(fanin_dtype dtype, uint16_t *out, int64_t n, double mean, double std,
                         fanin_generator *generator)
{
    const fanin_profile profile = fanin_profile_base(generator->profile);
    const size_t rest = (size_t)n % FANIN_NORMAL_BLOCK;
    fanin_stream stream;
    struct rule rule = {
        .dtype = dtype,
        .mean = round_to(dtype, (float)mean),
        .std = round_to(dtype, (float)std),
        .rounding = ROUND_EACH,
        .fused = !(generator->profile & FANIN_UNFUSED),
    };
    if (profile == FANIN_PROFILE_TORCH_2_12) {
        rule.rounding = ROUND_LAST;
        rule.fused = true;
    } else if (dtype == FANIN_F16 && profile <= FANIN_PROFILE_TORCH_2_0) {
        rule.rounding = ROUND_SOME;
    }
    fanin_stream_begin(&stream, generator);
    block(&rule, &stream, out, (size_t)n / FANIN_NORMAL_BLOCK);
    if (rest > 0) {
        const uint32_t *raw;
        if (rule.rounding != ROUND_LAST)
            for (size_t thrown = 0; thrown < rest;)
                thrown += fanin_stream_take(&stream, rest - thrown, 1, &raw);
        block(&rule, &stream, out + n - FANIN_NORMAL_BLOCK, 1);
    }
    fanin_stream_end(&stream);
}
