/* SPDX-License-Identifier: MIT */
/*
 * Functions of elements. f64 is computed in double; f32 and 16 bits in float where that is exact, else in double and
 * rounded to float, so within half a unit of the real value.
 */
#include "run/function.h"

#include <math.h>
#include <string.h>

#include "kernel/convert.h"
#include "kernel/erfinv.inc.h"
#include "kernel/math64.inc.h"

/* e^x - 1 by Kahan's quotient: what e^x lost to rounding, its logarithm lost too. Error of a few ulp. */
static double expm1_of(double x)
{
    double e = fanin_exp(x), less = e - 1.0;
    if (e == 1.0)
        return x;
    if (less == -1.0 || !isfinite(e))
        return less;
    return less * x / fanin_log(e);
}

static double transcendental(fanin_plan_function function, double x)
{
    switch (function) {
    case FANIN_FUNCTION_EXP:
        return fanin_exp(x);
    case FANIN_FUNCTION_LOG:
        return fanin_log(x);
    case FANIN_FUNCTION_EXPM1:
        return expm1_of(x);
    case FANIN_FUNCTION_LOG1P:
        return fanin_log1p(x);
    default:
        return fanin_erfinv(x);
    }
}

/* The rest, once for each type: every operation is rounded to it. A NaN goes through clamp, and has sign 0. */
#define DEFINE_ARITHMETIC(name, type, root)                                                                            \
    static type name(const fanin_plan_op *op, type x, type y)                                                          \
    {                                                                                                                  \
        type least = (type)op->numbers[0], greatest = (type)op->numbers[1];                                            \
        switch (op->function) {                                                                                        \
        case FANIN_FUNCTION_NEG:                                                                                       \
            return -x;                                                                                                 \
        case FANIN_FUNCTION_SQRT:                                                                                      \
            return root(x);                                                                                            \
        case FANIN_FUNCTION_SIGN:                                                                                      \
            return (type)((x > 0) - (x < 0));                                                                          \
        case FANIN_FUNCTION_ADD:                                                                                       \
            return x + y;                                                                                              \
        case FANIN_FUNCTION_SUB:                                                                                       \
            return x - y;                                                                                              \
        case FANIN_FUNCTION_MUL:                                                                                       \
            return x * y;                                                                                              \
        case FANIN_FUNCTION_DIV:                                                                                       \
            return x / y;                                                                                              \
        default:                                                                                                       \
            x = x < least ? least : x;                                                                                 \
            return x > greatest ? greatest : x;                                                                        \
        }                                                                                                              \
    }
DEFINE_ARITHMETIC(arithmetic_f64, double, sqrt)
DEFINE_ARITHMETIC(arithmetic_f32, float, sqrtf)

static float load(fanin_dtype dtype, const void *in, size_t i)
{
    if (dtype == FANIN_F32)
        return ((const float *)in)[i];
    uint16_t bits = ((const uint16_t *)in)[i];
    return dtype == FANIN_BF16 ? fanin_f32_from_bf16(bits) : fanin_f32_from_f16(bits);
}

static void store(fanin_dtype dtype, void *out, size_t i, float value)
{
    if (dtype == FANIN_F32)
        ((float *)out)[i] = value;
    else
        ((uint16_t *)out)[i] = dtype == FANIN_BF16 ? fanin_bf16_from_f32(value) : fanin_f16_from_f32(value);
}

void fanin_function_run(const fanin_plan_op *op, const void *in, const void *other, void *out, size_t n)
{
    fanin_dtype dtype = op->view.dtype;
    bool is_exact = op->function > FANIN_FUNCTION_ERFINV;
    double number = op->numbers[0];
    for (size_t i = 0; i < n; i++) {
        if (dtype == FANIN_F64) {
            double x = ((const double *)in)[i], y = other != NULL ? ((const double *)other)[i] : number;
            ((double *)out)[i] = is_exact ? arithmetic_f64(op, x, y) : transcendental(op->function, x);
            continue;
        }
        float x = load(dtype, in, i), y = other != NULL ? load(dtype, other, i) : (float)number;
        store(dtype, out, i, is_exact ? arithmetic_f32(op, x, y) : (float)transcendental(op->function, (double)x));
    }
}

bool fanin_function_is_in_place(const fanin_plan_op *op)
{
    return op->kind == FANIN_OP_FUNCTION && op->other == NULL && op->source->storage == op->storage &&
           op->source->offset == op->offset && fanin_tensor_is_contiguous(&op->view) &&
           fanin_tensor_is_contiguous(&op->source->view);
}
