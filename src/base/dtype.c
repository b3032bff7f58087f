/* SPDX-License-Identifier: MIT */
/*
 * One table of element types: their names, sizes and, for floats, the layout of their bits. Every function of dtype.h
 * is a look into it.
 */
#include <math.h>
#include <string.h>

#include "fanin/dtype.h"

enum coding { OTHER, UNSIGNED, SIGNED, FLOAT };

/* What the largest exponent (or, in UNSIGNED_ZERO formats, the pattern of -0) means. */
enum specials {
    FINITE,        /* numbers only */
    INF_AND_NAN,   /* IEEE 754 */
    ONE_NAN,       /* all ones but the sign is NaN, no infinity */
    UNSIGNED_ZERO, /* the pattern of -0 is NaN, no infinity */
};

static const struct row {
    const char *name;
    const char *safetensors_name;
    const char *torch_name;
    uint8_t nbits;
    uint8_t coding;
    bool is_random;
    /* of floats up to 32 bits: sign, exponent, mantissa from the top */
    struct {
        uint8_t exponent;
        uint8_t mantissa;
        uint8_t bias;
        uint8_t specials;
    } bits;
} rows[FANIN_DTYPE_COUNT] = {
    [FANIN_DTYPE_NONE] = {.name = "none", .safetensors_name = "none"},
    [FANIN_BOOL] = {"bool", "BOOL", "bool", .nbits = 8, .coding = UNSIGNED},
    /* torch packs two f4 into one element of its type, so its name would stand for another shape. */
    [FANIN_F4] = {"f4", "F4", NULL, .nbits = 4, .coding = FLOAT, .bits = {2, 1, 1, FINITE}},
    [FANIN_F6_E2M3] = {"f6_e2m3", "F6_E2M3", NULL, .nbits = 6, .coding = FLOAT, .bits = {2, 3, 1, FINITE}},
    [FANIN_F6_E3M2] = {"f6_e3m2", "F6_E3M2", NULL, .nbits = 6, .coding = FLOAT, .bits = {3, 2, 3, FINITE}},
    [FANIN_U8] = {"u8", "U8", "uint8", .nbits = 8, .coding = UNSIGNED},
    [FANIN_I8] = {"i8", "I8", "int8", .nbits = 8, .coding = SIGNED},
    [FANIN_F8_E5M2] = {"f8_e5m2", "F8_E5M2", "float8_e5m2", .nbits = 8, .coding = FLOAT,
                       .bits = {5, 2, 15, INF_AND_NAN}},
    [FANIN_F8_E4M3] = {"f8_e4m3", "F8_E4M3", "float8_e4m3fn", .nbits = 8, .coding = FLOAT, .bits = {4, 3, 7, ONE_NAN}},
    [FANIN_F8_E8M0] = {"f8_e8m0", "F8_E8M0", "float8_e8m0fnu", .nbits = 8, .coding = OTHER},
    [FANIN_F8_E4M3FNUZ] = {"f8_e4m3fnuz", "F8_E4M3FNUZ", "float8_e4m3fnuz", .nbits = 8, .coding = FLOAT,
                           .bits = {4, 3, 8, UNSIGNED_ZERO}},
    [FANIN_F8_E5M2FNUZ] = {"f8_e5m2fnuz", "F8_E5M2FNUZ", "float8_e5m2fnuz", .nbits = 8, .coding = FLOAT,
                           .bits = {5, 2, 16, UNSIGNED_ZERO}},
    [FANIN_I16] = {"i16", "I16", "int16", .nbits = 16, .coding = SIGNED},
    [FANIN_U16] = {"u16", "U16", "uint16", .nbits = 16, .coding = UNSIGNED},
    [FANIN_F16] = {"f16", "F16", "float16", .nbits = 16, .coding = FLOAT, .bits = {5, 10, 15, INF_AND_NAN},
                   .is_random = true},
    [FANIN_BF16] = {"bf16", "BF16", "bfloat16", .nbits = 16, .coding = FLOAT, .bits = {8, 7, 127, INF_AND_NAN},
                    .is_random = true},
    [FANIN_I32] = {"i32", "I32", "int32", .nbits = 32, .coding = SIGNED},
    [FANIN_U32] = {"u32", "U32", "uint32", .nbits = 32, .coding = UNSIGNED},
    [FANIN_F32] = {"f32", "F32", "float32", .nbits = 32, .coding = FLOAT, .bits = {8, 23, 127, INF_AND_NAN},
                   .is_random = true},
    [FANIN_C64] = {"c64", "C64", "complex64", .nbits = 64, .coding = OTHER},
    [FANIN_F64] = {"f64", "F64", "float64", .nbits = 64, .coding = OTHER, .is_random = true},
    [FANIN_I64] = {"i64", "I64", "int64", .nbits = 64, .coding = SIGNED},
    [FANIN_U64] = {"u64", "U64", "uint64", .nbits = 64, .coding = UNSIGNED},
};

static const struct row *row_of(fanin_dtype dtype)
{
    size_t i = (size_t)dtype;
    return &rows[i < FANIN_DTYPE_COUNT ? i : FANIN_DTYPE_NONE];
}

const char *fanin_dtype_name(fanin_dtype dtype)
{
    return row_of(dtype)->name;
}

const char *fanin_dtype_safetensors_name(fanin_dtype dtype)
{
    return row_of(dtype)->safetensors_name;
}

const char *fanin_dtype_torch_name(fanin_dtype dtype)
{
    return row_of(dtype)->torch_name;
}

unsigned fanin_dtype_nbits(fanin_dtype dtype)
{
    return row_of(dtype)->nbits;
}

bool fanin_dtype_is_random(fanin_dtype dtype)
{
    return row_of(dtype)->is_random;
}

fanin_dtype fanin_dtype_from_name(const char *name)
{
    if (name == NULL)
        return FANIN_DTYPE_NONE;
    for (int i = FANIN_DTYPE_NONE + 1; i < FANIN_DTYPE_COUNT; i++) {
        const struct row *row = &rows[i];
        if (strcmp(name, row->name) == 0 || strcmp(name, row->safetensors_name) == 0 ||
            (row->torch_name != NULL && strcmp(name, row->torch_name) == 0))
            return (fanin_dtype)i;
    }
    return FANIN_DTYPE_NONE;
}

/* The bits of element i. Elements of less than a byte fill bytes from the low end on. */
static uint64_t load(const void *data, unsigned nbits, uint64_t i)
{
    const uint8_t *bytes = data;
    if (nbits < 8) {
        uint64_t at = i * nbits;
        unsigned shift = (unsigned)(at % 8);
        unsigned window = bytes[at / 8];
        if (shift + nbits > 8)
            window |= (unsigned)bytes[at / 8 + 1] << 8;
        return (window >> shift) & ((1u << nbits) - 1);
    }
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    switch (nbits) {
    case 8:
        return bytes[i];
    case 16:
        memcpy(&half, bytes + 2 * i, sizeof half);
        return half;
    case 32:
        memcpy(&word, bytes + 4 * i, sizeof word);
        return word;
    default:
        memcpy(&wide, bytes + 8 * i, sizeof wide);
        return wide;
    }
}

/* Exact: every format here has fewer digits and a smaller range than a double. */
static double decode(const struct row *row, uint64_t bits)
{
    uint64_t mantissa = bits & ((1ull << row->bits.mantissa) - 1);
    int largest = (1 << row->bits.exponent) - 1;
    int exponent = (int)(bits >> row->bits.mantissa) & largest;
    bool is_negative = bits >> (row->bits.mantissa + row->bits.exponent) & 1;
    bool is_full = exponent == largest;
    if (row->bits.specials == INF_AND_NAN && is_full)
        return mantissa != 0 ? (double)NAN : is_negative ? -(double)INFINITY : (double)INFINITY;
    if (row->bits.specials == ONE_NAN && is_full && mantissa == (1ull << row->bits.mantissa) - 1)
        return (double)NAN;
    if (row->bits.specials == UNSIGNED_ZERO && is_negative && exponent == 0 && mantissa == 0)
        return (double)NAN;
    if (exponent > 0)
        mantissa |= 1ull << row->bits.mantissa;
    else
        exponent = 1;
    double value = ldexp((double)mantissa, exponent - row->bits.bias - row->bits.mantissa);
    return is_negative ? -value : value;
}

double fanin_dtype_value(fanin_dtype dtype, const void *data, uint64_t i)
{
    const struct row *row = row_of(dtype);
    if (row->nbits == 0)
        return (double)NAN;
    uint64_t bits = load(data, row->nbits, i);
    float real;
    double wide;
    switch (row->coding) {
    case UNSIGNED:
        return (double)bits;
    case SIGNED: {
        uint64_t sign = 1ull << (row->nbits - 1); /* bits without the sign bit, less its weight */
        uint64_t low = bits & (sign - 1);
        return (double)(bits & sign ? (int64_t)(low - sign) : (int64_t)low);
    }
    case FLOAT:
        return decode(row, bits);
    }
    switch (dtype) {
    case FANIN_F8_E8M0:
        return bits == 0xff ? (double)NAN : ldexp(1, (int)bits - 127);
    case FANIN_C64:
        memcpy(&real, (const uint8_t *)data + 8 * i, sizeof real);
        return (double)real;
    default:
        memcpy(&wide, &bits, sizeof wide);
        return wide;
    }
}
