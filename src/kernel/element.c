/* SPDX-License-Identifier: MIT */
/*
 * A number as one element of any dtype, as torch converts constants. The way back is fanin_dtype_value.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "kernel/convert.h"
#include "kernel/element.h"

/*
 * Small floats as the OCP and FNUZ formats define them: value = 2^(exponent - bias) * 1.mantissa, subnormals below.
 * A NaN pattern of 0 means the format has none.
 */
struct small_float {
    fanin_dtype dtype;
    int mantissa_nbits;
    int bias;
    double max;
    uint8_t sign; /* the sign bit */
    uint8_t nan;
    uint8_t infinity; /* pattern, or 0 */
};
static const struct small_float small_floats[] = {
    {FANIN_F4, 1, 1, 6.0, 0x8, 0, 0},
    {FANIN_F6_E2M3, 3, 1, 7.5, 0x20, 0, 0},
    {FANIN_F6_E3M2, 2, 3, 28.0, 0x20, 0, 0},
    {FANIN_F8_E5M2, 2, 15, 57344.0, 0x80, 0x7f, 0x7c},
    {FANIN_F8_E4M3, 3, 7, 448.0, 0x80, 0x7f, 0},
    {FANIN_F8_E4M3FNUZ, 3, 8, 240.0, 0x80, 0x80, 0},
    {FANIN_F8_E5M2FNUZ, 2, 16, 57344.0, 0x80, 0x80, 0},
};

/* Whole-number types; a fraction is cut off, as torch does. */
struct whole {
    fanin_dtype dtype;
    double min;
    double max; /* the largest double that fits */
};
static const struct whole wholes[] = {
    {FANIN_U8, 0, 255},
    {FANIN_I8, -128, 127},
    {FANIN_I16, -32768, 32767},
    {FANIN_U16, 0, 65535},
    {FANIN_I32, -2147483648.0, 2147483647.0},
    {FANIN_U32, 0, 4294967295.0},
    {FANIN_I64, -0x1p63, 0x1.fffffffffffffp62},
    {FANIN_U64, 0, 0x1.fffffffffffffp63},
};

/* The largest finite value of the other floating types, beyond which torch refuses a constant. */
static double float_max(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_F16:
        return 65504.0;
    case FANIN_BF16:
        return 0x1.fep+127;
    case FANIN_F32:
    case FANIN_C64:
        return 0x1.fffffep+127;
    default:
        return INFINITY;
    }
}

static const struct small_float *find_small(fanin_dtype dtype)
{
    for (size_t i = 0; i < sizeof small_floats / sizeof *small_floats; i++)
        if (small_floats[i].dtype == dtype)
            return &small_floats[i];
    return NULL;
}

static const struct whole *find_whole(fanin_dtype dtype)
{
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        if (wholes[i].dtype == dtype)
            return &wholes[i];
    return NULL;
}

fanin_status fanin_element_check(fanin_dtype dtype, double value, fanin_error *error)
{
    const struct small_float *small = find_small(dtype);
    const struct whole *whole = find_whole(dtype);
    const char *name = fanin_dtype_name(dtype);
    char number[FANIN_NUMBER_NBYTES];
    fanin_number_format(value, number);
    if (dtype == FANIN_BOOL)
        return FANIN_OK;
    if (whole != NULL) {
        if (!(trunc(value) >= whole->min && trunc(value) <= whole->max))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s does not fit into %s", number, name);
        return FANIN_OK;
    }
    if (dtype == FANIN_F8_E8M0) {
        /* exponents only: no sign and no zero, for which torch's zeros_ writes the smallest */
        if (!isnan(value) && value != 0 && !(value >= 0x1p-127 && value <= 0x1p127))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s: %s holds 2^-127 to 2^127 and NaN only", number,
                              name);
        return FANIN_OK;
    }
    if (isnan(value) && small != NULL && small->nan == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant nan: %s has no NaN", name);
    if (isinf(value) && small != NULL && small->infinity == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s: %s has no infinity", number, name);
    if (isfinite(value) && fabs(value) > (small != NULL ? small->max : float_max(dtype)))
        return fanin_fail(
            error, FANIN_ERROR_ARGUMENT, "constant %s overflows %s, whose largest value is %s", number, name,
            fanin_number_format(small != NULL ? small->max : float_max(dtype), (char[FANIN_NUMBER_NBYTES]){0}));
    return FANIN_OK;
}

/* Round to nearest, ties to even, whatever the rounding mode of the caller: value is below 2^8. */
static unsigned round_half_even(double value)
{
    double below = floor(value), rest = value - below;
    unsigned n = (unsigned)below;
    return n + (rest > 0.5 || (rest == 0.5 && n % 2 != 0));
}

static uint8_t encode_small(const struct small_float *format, double value)
{
    bool unsigned_zero = format->nan == format->sign; /* FNUZ: the pattern of -0 is NaN */
    uint8_t sign = signbit(value) ? format->sign : 0;
    if (isnan(value))
        return format->nan;
    if (isinf(value))
        return sign | format->infinity;
    int exponent;
    frexp(value, &exponent);
    exponent -= 1;
    if (value == 0 || exponent < 1 - format->bias)
        exponent = 1 - format->bias;
    unsigned mantissa = round_half_even(ldexp(fabs(value), format->mantissa_nbits - exponent));
    unsigned code = ((unsigned)(exponent + format->bias - 1) << format->mantissa_nbits) + mantissa;
    if (code == 0 && unsigned_zero)
        return 0;
    return (uint8_t)(sign | code);
}

/* The exponent of a float, one more above 1.5 times its power of two, and at it unless that is the smallest. */
static uint8_t encode_exponent(float value)
{
    uint32_t bits = fanin_f32_bits(value), exponent = bits >> 23 & 0xff;
    if (exponent == 0xff)
        return 0xff;
    bool half = bits & 0x400000, more = bits & 0x3fffff;
    return (uint8_t)(exponent + (half && (more || exponent > 0)));
}

uint64_t fanin_element_encode(fanin_dtype dtype, double value)
{
    const struct small_float *small = find_small(dtype);
    if (small != NULL)
        return encode_small(small, value);
    switch (dtype) {
    case FANIN_F64:
        return fanin_f64_bits(value);
    case FANIN_F32:
    case FANIN_C64: /* the imaginary half is 0 */
        return fanin_f32_bits((float)value);
    case FANIN_BF16:
        return fanin_bf16_from_f32((float)value);
    case FANIN_F16:
        return fanin_f16_from_f32((float)value);
    case FANIN_F8_E8M0:
        return encode_exponent((float)value);
    case FANIN_BOOL:
        return value != 0;
    default:
        return value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    }
}
