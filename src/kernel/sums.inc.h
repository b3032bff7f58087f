/* SPDX-License-Identifier: MIT */
/*
 * The texts of sums, once for float and once for double, and 16-bit types as floats.
 */
typedef uint32_t __attribute__((may_alias)) bits_of_f32;
typedef int32_t __attribute__((may_alias)) signed_of_f32;
typedef uint64_t __attribute__((may_alias)) bits_of_f64;
typedef int64_t __attribute__((may_alias)) signed_of_f64;
/* As wide as the machine's: a compiler that has to split them does it through memory. */
enum { SUM_WIDTH = D > 1 ? D : 2 };
typedef float __attribute__((vector_size(4 * SUM_WIDTH))) vector_f32;
typedef double __attribute__((vector_size(8 * SUM_WIDTH))) vector_f64;

#define REAL            float
#define VECTOR          vector_f32
#define BITS            bits_of_f32
#define SIGNED          signed_of_f32
#define SUMMARIZE(name) name##_of_f32
#include "kernel/summarize.inc.h"
#undef REAL
#undef VECTOR
#undef BITS
#undef SIGNED
#undef SUMMARIZE

#define REAL            double
#define VECTOR          vector_f64
#define BITS            bits_of_f64
#define SIGNED          signed_of_f64
#define SUMMARIZE(name) name##_of_f64
#include "kernel/summarize.inc.h"
#undef REAL
#undef VECTOR
#undef BITS
#undef SIGNED
#undef SUMMARIZE

static void widen_bf16(float *out, const uint16_t *in, size_t n)
{
    bits_of_f32 *bits = (bits_of_f32 *)out;
    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)in[i] << 16;
}

/* Moved to f32's place the exponent is 112 too low, which a product mends exactly, subnormals too. */
static void widen_f16(float *out, const uint16_t *in, size_t n)
{
    bits_of_f32 *bits = (bits_of_f32 *)out;
    for (size_t i = 0; i < n; i++)
        bits[i] = (uint32_t)(in[i] & 0x7fff) << 13;
    for (size_t i = 0; i < n; i++)
        out[i] *= 0x1p112f;
    for (size_t i = 0; i < n; i++) {
        uint32_t special = (in[i] & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
        bits[i] |= special | (uint32_t)(in[i] & 0x8000) << 16;
    }
}
