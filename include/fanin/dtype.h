/* SPDX-License-Identifier: MIT */
/*
 * Element types: all that safetensors knows. Random fills exist for f64, f32, bf16 and f16; constants for every one.
 */
#ifndef FANIN_DTYPE_H
#define FANIN_DTYPE_H

#include "fanin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* In the order in which the reference safetensors writer sorts them (it writes the last one first). */
typedef enum fanin_dtype {
    FANIN_DTYPE_NONE = 0,
    FANIN_BOOL,
    FANIN_F4,      /* e2m1, two elements a byte, the first in the low half */
    FANIN_F6_E2M3, /* four elements in three bytes */
    FANIN_F6_E3M2,
    FANIN_U8,
    FANIN_I8,
    FANIN_F8_E5M2,
    FANIN_F8_E4M3,
    FANIN_F8_E8M0,
    FANIN_F8_E4M3FNUZ,
    FANIN_F8_E5M2FNUZ,
    FANIN_I16,
    FANIN_U16,
    FANIN_F16,
    FANIN_BF16,
    FANIN_I32,
    FANIN_U32,
    FANIN_F32,
    FANIN_C64,
    FANIN_F64,
    FANIN_I64,
    FANIN_U64,
    FANIN_DTYPE_COUNT
} fanin_dtype;

/* "f32", "bf16", "f8_e4m3" ...; "none" for a value that is no dtype. */
FANIN_API const char *fanin_dtype_name(fanin_dtype dtype);
/* The name safetensors files use: "F32", "BF16" ... */
FANIN_API const char *fanin_dtype_safetensors_name(fanin_dtype dtype);
/* The name config.json and torch use ("float32", "bfloat16" ...); NULL where torch has none. */
FANIN_API const char *fanin_dtype_torch_name(fanin_dtype dtype);
/* Accepts all three spellings; FANIN_DTYPE_NONE if it is none of them. */
FANIN_API fanin_dtype fanin_dtype_from_name(const char *name);
/* Bits an element takes (4, 6, 8, 16, 32 or 64); 0 for no dtype. */
FANIN_API unsigned fanin_dtype_nbits(fanin_dtype dtype);
/* Element i of packed data as a double: c64 gives its real part, integers beyond 2^53 are rounded. */
FANIN_API double fanin_dtype_value(fanin_dtype dtype, const void *data, uint64_t i);
/* Whether random fills exist: f64, f32, bf16, f16. */
FANIN_API bool fanin_dtype_is_random(fanin_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
