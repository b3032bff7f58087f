/* SPDX-License-Identifier: MIT */
/*
 * Conversions between dtypes. Floats go to narrower floats to nearest even, f64 to 16 bits through f32 as torch's
 * scalar types do; integers keep their low bits; floats become integers by cutting the fraction off.
 */
#include "kernel/cast.h"

#include <string.h>

#include "kernel/convert.h"

bool fanin_cast_is_known(fanin_dtype from, fanin_dtype to)
{
    static const bool known[FANIN_DTYPE_COUNT] = {
        [FANIN_BOOL] = true, [FANIN_U8] = true,  [FANIN_I8] = true,  [FANIN_I16] = true, [FANIN_U16] = true,
        [FANIN_I32] = true,  [FANIN_U32] = true, [FANIN_I64] = true, [FANIN_U64] = true, [FANIN_F16] = true,
        [FANIN_BF16] = true, [FANIN_F32] = true, [FANIN_F64] = true,
    };
    return known[from] && known[to];
}

/* A value on its way: whole ones exactly, in the two's complement of `bits`; others as a double, exactly too. */
typedef struct value {
    bool is_whole;
    bool is_signed; /* of a whole one */
    uint64_t bits;
    double number;
} value;

static value whole(bool is_signed, uint64_t bits)
{
    return (value){.is_whole = true, .is_signed = is_signed, .bits = bits};
}

static value number(double x) { return (value){.number = x}; }

static value load(fanin_dtype dtype, const uint8_t *in)
{
    uint16_t half = 0;
    uint32_t word = 0;
    uint64_t wide = 0;
    switch (fanin_dtype_nbits(dtype)) {
    case 16:
        memcpy(&half, in, sizeof half);
        break;
    case 32:
        memcpy(&word, in, sizeof word);
        break;
    case 64:
        memcpy(&wide, in, sizeof wide);
        break;
    default:
        break;
    }
    switch (dtype) {
    case FANIN_BOOL:
        return whole(false, *in != 0);
    case FANIN_U8:
        return whole(false, *in);
    case FANIN_I8:
        return whole(true, (uint64_t)(int64_t)(int8_t)*in);
    case FANIN_I16:
        return whole(true, (uint64_t)(int64_t)(int16_t)half);
    case FANIN_U16:
        return whole(false, half);
    case FANIN_I32:
        return whole(true, (uint64_t)(int64_t)(int32_t)word);
    case FANIN_U32:
        return whole(false, word);
    case FANIN_I64:
        return whole(true, wide);
    case FANIN_U64:
        return whole(false, wide);
    case FANIN_F16:
        return number((double)fanin_f32_from_f16(half));
    case FANIN_BF16:
        return number((double)fanin_f32_from_bf16(half));
    case FANIN_F32:
        return number((double)fanin_f32_from_bits(word));
    default:
        return number(fanin_f64_from_bits(wide));
    }
}

static float to_float(value v)
{
    return !v.is_whole ? (float)v.number : v.is_signed ? (float)(int64_t)v.bits : (float)v.bits;
}

static double to_double(value v)
{
    return !v.is_whole ? v.number : v.is_signed ? (double)(int64_t)v.bits : (double)v.bits;
}

/*
 * Truncated, in two's complement. Out of range C++ promises nothing; here it is what x86 gives where torch converts
 * one value at a time: the least integer of the width that the instruction has.
 */
static uint64_t to_bits(fanin_dtype dtype, value v)
{
    if (v.is_whole)
        return v.bits;
    double x = v.number;
    if (dtype == FANIN_U64 && x >= 0x1p63 && x < 0x1p64)
        return (uint64_t)x;
    bool is_narrow = fanin_dtype_nbits(dtype) < 32 || dtype == FANIN_I32;
    if (is_narrow && dtype != FANIN_U8)
        return x > -2147483649.0 && x < 2147483648.0 ? (uint64_t)(int64_t)x : (uint64_t)INT32_MIN;
    return x >= -0x1p63 && x < 0x1p63 ? (uint64_t)(int64_t)x : (uint64_t)INT64_MIN;
}

static void store(fanin_dtype dtype, uint8_t *out, value v)
{
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    switch (dtype) {
    case FANIN_BOOL:
        *out = v.is_whole ? v.bits != 0 : v.number != 0;
        return;
    case FANIN_F64:
        wide = fanin_f64_bits(to_double(v));
        memcpy(out, &wide, sizeof wide);
        return;
    case FANIN_F32:
        word = fanin_f32_bits(to_float(v));
        memcpy(out, &word, sizeof word);
        return;
    case FANIN_BF16:
        half = fanin_bf16_from_f32(to_float(v));
        memcpy(out, &half, sizeof half);
        return;
    case FANIN_F16:
        half = fanin_f16_from_f32(to_float(v));
        memcpy(out, &half, sizeof half);
        return;
    default:
        wide = to_bits(dtype, v);
        break;
    }
    switch (fanin_dtype_nbits(dtype)) {
    case 8:
        *out = (uint8_t)wide;
        break;
    case 16:
        half = (uint16_t)wide;
        memcpy(out, &half, sizeof half);
        break;
    case 32:
        word = (uint32_t)wide;
        memcpy(out, &word, sizeof word);
        break;
    default:
        memcpy(out, &wide, sizeof wide);
        break;
    }
}

/* The conversions that models are full of, in loops that compilers make vectors of. */
static bool cast_fast(fanin_dtype from, const uint8_t *in, fanin_dtype to, uint8_t *out, size_t n)
{
    bool narrows = from == FANIN_F32 && (to == FANIN_BF16 || to == FANIN_F16);
    if (!narrows)
        return false;
    for (size_t i = 0; i < n; i++) {
        float wide;
        memcpy(&wide, in + 4 * i, sizeof wide);
        uint16_t half = to == FANIN_BF16 ? fanin_bf16_from_f32(wide) : fanin_f16_from_f32(wide);
        memcpy(out + 2 * i, &half, sizeof half);
    }
    return true;
}

void fanin_cast(fanin_dtype from, const void *in, fanin_dtype to, void *out, size_t n)
{
    size_t read = fanin_dtype_nbits(from) / 8, written = fanin_dtype_nbits(to) / 8;
    if (from == to) {
        memcpy(out, in, n * read);
        return;
    }
    if (cast_fast(from, in, to, out, n))
        return;
    for (size_t i = 0; i < n; i++)
        store(to, (uint8_t *)out + i * written, load(from, (const uint8_t *)in + i * read));
}
