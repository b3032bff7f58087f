/* SPDX-License-Identifier: MIT */
/*
 * Conversions between float and the 16-bit types, rounding to nearest, ties to even, in plain integer arithmetic.
 */
#ifndef FANIN_KERNEL_CONVERT_H
#define FANIN_KERNEL_CONVERT_H

#include <stdint.h>
#include <string.h>

static inline uint32_t fanin_f32_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float fanin_f32_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t fanin_f64_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline double fanin_f64_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* NaN becomes 0x7fc0 as in torch. */
static inline uint16_t fanin_bf16_from_f32(float value)
{
    uint32_t bits = fanin_f32_bits(value);
    if (value != value)
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float fanin_f32_from_bf16(uint16_t bits) { return fanin_f32_from_bits((uint32_t)bits << 16); }

/* NaN becomes sign | 0x7e00, as torch's scalar conversion gives it. */
static inline uint16_t fanin_f16_from_f32(float value)
{
    uint32_t bits = fanin_f32_bits(value);
    uint16_t sign = (uint16_t)((bits >> 16) & 0x8000);
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return sign | 0x7e00;
    if (magnitude >= 0x477ff000) /* 65520 and more round to infinity */
        return sign | 0x7c00;
    if (magnitude <
        0x38800000) { /* below 2^-14: subnormal; adding 0.5 leaves the 2^-24 grid in the low mantissa bits */
        float grid = fanin_f32_from_bits(magnitude) + 0.5f;
        return (uint16_t)(sign | (fanin_f32_bits(grid) - 0x3f000000));
    }
    magnitude += 0xfff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

static inline float fanin_f32_from_f16(uint16_t bits)
{
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
    uint32_t magnitude = bits & 0x7fff;
    if (magnitude >= 0x7c00)
        return fanin_f32_from_bits(sign | 0x7f800000 | ((magnitude & 0x3ff) << 13));
    if (magnitude < 0x400) {
        float value = (float)magnitude * 0x1p-24f;
        return sign ? -value : value;
    }
    return fanin_f32_from_bits(sign | ((magnitude << 13) + 0x38000000));
}

#endif
