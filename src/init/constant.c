/* SPDX-License-Identifier: MIT */
/*
 * Fills that draw nothing: constant_ in every dtype, eye_ and dirac_.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "init/random.h"
#include "kernel/convert.h"

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

/* Whole-number types. */
struct whole {
    fanin_dtype dtype;
    double min;
    double max; /* the largest double that fits */
};
static const struct whole wholes[] = {
    {FANIN_BOOL, 0, 1},
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

static fanin_status check_value(fanin_dtype dtype, double value, fanin_error *error)
{
    const struct small_float *small = find_small(dtype);
    const struct whole *whole = find_whole(dtype);
    const char *name = fanin_dtype_name(dtype);
    char number[FANIN_NUMBER_NBYTES];
    fanin_number_format(value, number);
    if (whole != NULL) {
        if (!(value >= whole->min && value <= whole->max))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s does not fit into %s", number, name);
        if (value != floor(value))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                              "constant %s is not a whole number, and %s holds nothing else", number, name);
        return FANIN_OK;
    }
    if (dtype == FANIN_F8_E8M0) {
        int exponent;
        if (!isnan(value) && (!(value >= 0x1p-127 && value <= 0x1p127) || frexp(value, &exponent) != 0.5))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                              "constant %s: %s holds powers of two from 2^-127 to 2^127 and NaN only", number, name);
        return FANIN_OK;
    }
    if (isnan(value) && small != NULL && small->nan == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant nan: %s has no NaN", name);
    if (isinf(value) && small != NULL && small->infinity == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s: %s has no infinity", number, name);
    if (isfinite(value) && fabs(value) > (small != NULL ? small->max : float_max(dtype)))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant %s overflows %s, whose largest value is %s", number, name,
                          fanin_number_format(small != NULL ? small->max : float_max(dtype),
                                              (char[FANIN_NUMBER_NBYTES]){0}));
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

/* The bits of a value that check_value accepts; element width in bits is the dtype's. */
static uint64_t encode(fanin_dtype dtype, double value)
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
    case FANIN_F8_E8M0: {
        int exponent;
        frexp(value, &exponent);
        return isnan(value) ? 0xff : (uint64_t)(exponent - 1 + 127);
    }
    default:
        return value < 0 ? (uint64_t)(int64_t)value : (uint64_t)value;
    }
}

static void set_run(void *data, uint64_t bits, int64_t n, size_t nbytes)
{
    switch (nbytes) {
    case 1:
        memset(data, (int)(bits & 0xff), (size_t)n);
        break;
    case 2:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)data)[i] = (uint16_t)bits;
        break;
    case 4:
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)data)[i] = (uint32_t)bits;
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)data)[i] = bits;
        break;
    }
}

/* Sub-byte types: elements follow each other from the low bits up, as safetensors packs them. */
static void set_packed(uint8_t *data, uint64_t bits, int64_t n, unsigned nbits)
{
    uint64_t at = 0;
    memset(data, 0, ((uint64_t)n * nbits + 7) / 8);
    for (int64_t i = 0; i < n; i++)
        for (unsigned b = 0; b < nbits; b++, at++)
            data[at / 8] |= (uint8_t)((bits >> b & 1) << (at % 8));
}

void fanin_constant_write(const fanin_tensor *tensor, double value)
{
    uint64_t bits = encode(tensor->dtype, value);
    unsigned nbits = fanin_dtype_nbits(tensor->dtype);
    fanin_walk walk;
    fanin_walk_begin(tensor, &walk);
    if (walk.nelem == 0)
        return;
    if (nbits % 8 != 0) {
        set_packed(tensor->data, bits, walk.nelem, nbits);
    } else if (walk.is_flat) {
        set_run(walk.data, bits, walk.nelem, walk.nbytes);
    } else {
        uint64_t line[FANIN_CHUNK];
        set_run(line, bits, walk.nelem < FANIN_CHUNK ? walk.nelem : FANIN_CHUNK, walk.nbytes);
        for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK)
            fanin_walk_scatter(&walk, done, walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK, line);
    }
}

static fanin_status check_constant(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                                   fanin_error *error)
{
    (void)profile;
    return check_value(tensor->dtype, value[0], error);
}

static fanin_status run_constant(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                                 fanin_error *error)
{
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, value[0]);
    return FANIN_OK;
}

static void measure_nothing(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                            fanin_fill_stream *stream)
{
    (void)value;
    (void)tensor;
    (void)profile;
    (void)stream;
}

static bool split_bytes(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)profile;
    return fanin_dtype_nbits(tensor->dtype) % 8 == 0;
}

const fanin_fill_rule fanin_fill_constant = {
    .name = "constant",
    .values = {"value"},
    .check = check_constant,
    .run = run_constant,
    .measure = measure_nothing,
    .is_splittable = split_bytes,
};

/* ---- eye and dirac: zeros, then ones at given places ---- */

static void set_one(const fanin_tensor *tensor, const int64_t *index)
{
    uint64_t bits = encode(tensor->dtype, 1.0);
    size_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    int64_t at = 0;
    for (int i = 0; i < tensor->ndim; i++)
        at += index[i] * tensor->strides[i];
    set_run((char *)tensor->data + at * (int64_t)nbytes, bits, 1, nbytes);
}

static fanin_status check_placeable(const fanin_tensor *tensor, const char *name, fanin_error *error)
{
    if (fanin_dtype_nbits(tensor->dtype) % 8 != 0 || tensor->dtype == FANIN_F8_E8M0)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "%s cannot be made in %s; make it in f32 and convert", name,
                          fanin_dtype_name(tensor->dtype));
    return FANIN_OK;
}

static fanin_status check_eye(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                              fanin_error *error)
{
    (void)value;
    (void)profile;
    if (tensor->ndim != 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "eye needs 2 dimensions, the tensor has %d", (int)tensor->ndim);
    return check_placeable(tensor, "eye", error);
}

static fanin_status run_eye(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                            fanin_error *error)
{
    (void)value;
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, 0.0);
    for (int64_t i = 0; i < tensor->shape[0] && i < tensor->shape[1]; i++)
        set_one(tensor, (int64_t[]){i, i});
    return FANIN_OK;
}

static fanin_status check_dirac(const double *value, const fanin_tensor *tensor, fanin_profile profile,
                                fanin_error *error)
{
    double groups = value[0];
    (void)profile;
    if (tensor->ndim < 3 || tensor->ndim > 5)
        return fanin_fail(error, FANIN_ERROR_SHAPE,
                          "dirac needs a convolution weight of 3, 4 or 5 dimensions, the tensor has %d",
                          (int)tensor->ndim);
    if (!(groups >= 1 && groups <= 0x1p53) || groups != floor(groups))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "dirac: groups must be a whole number of 1 or more");
    if (tensor->shape[0] % (int64_t)groups != 0)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "dirac: dimension 0 has size %" PRId64 ", not divisible by %" PRId64
                          " groups", tensor->shape[0], (int64_t)groups);
    for (int i = 2; i < tensor->ndim; i++)
        if (tensor->shape[i] == 0 && tensor->shape[0] > 0 && tensor->shape[1] > 0)
            return fanin_fail(error, FANIN_ERROR_SHAPE, "dirac: dimension %d of the kernel has size 0", i);
    return check_placeable(tensor, "dirac", error);
}

static fanin_status run_dirac(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                              fanin_error *error)
{
    int64_t groups = (int64_t)value[0], out = tensor->shape[0] / groups;
    int64_t n = out < tensor->shape[1] ? out : tensor->shape[1];
    (void)generator;
    (void)error;
    fanin_constant_write(tensor, 0.0);
    if (n == 0) /* also when groups is large and there are no channels */
        return FANIN_OK;
    for (int64_t g = 0; g < groups; g++) {
        for (int64_t d = 0; d < n; d++) {
            int64_t index[FANIN_MAX_DIMS] = {g * out + d, d};
            for (int i = 2; i < tensor->ndim; i++)
                index[i] = tensor->shape[i] / 2;
            set_one(tensor, index);
        }
    }
    return FANIN_OK;
}

static bool never_split(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return false;
}

const fanin_fill_rule fanin_fill_eye = {
    .name = "eye",
    .check = check_eye,
    .run = run_eye,
    .measure = measure_nothing,
    .is_splittable = never_split,
};

const fanin_fill_rule fanin_fill_dirac = {
    .name = "dirac",
    .values = {"groups"},
    .check = check_dirac,
    .run = run_dirac,
    .measure = measure_nothing,
    .is_splittable = never_split,
};
