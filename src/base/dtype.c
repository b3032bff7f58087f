/* SPDX-License-Identifier: MIT */
/*
 * Element types by name: ours, safetensors' and torch's.
 */
#include <string.h>

#include "fanin/dtype.h"

static const struct {
    const char *name;
    const char *safetensors;
    const char *torch_name;
    unsigned nbits;
} dtypes[FANIN_DTYPE_COUNT] = {
    [FANIN_DTYPE_NONE] = {"none", "none", NULL, 0},
    [FANIN_BOOL] = {"bool", "BOOL", "bool", 8},
    [FANIN_F4] = {"f4", "F4", "float4_e2m1fn_x2", 4},
    [FANIN_F6_E2M3] = {"f6_e2m3", "F6_E2M3", NULL, 6},
    [FANIN_F6_E3M2] = {"f6_e3m2", "F6_E3M2", NULL, 6},
    [FANIN_U8] = {"u8", "U8", "uint8", 8},
    [FANIN_I8] = {"i8", "I8", "int8", 8},
    [FANIN_F8_E5M2] = {"f8_e5m2", "F8_E5M2", "float8_e5m2", 8},
    [FANIN_F8_E4M3] = {"f8_e4m3", "F8_E4M3", "float8_e4m3fn", 8},
    [FANIN_F8_E8M0] = {"f8_e8m0", "F8_E8M0", "float8_e8m0fnu", 8},
    [FANIN_F8_E4M3FNUZ] = {"f8_e4m3fnuz", "F8_E4M3FNUZ", "float8_e4m3fnuz", 8},
    [FANIN_F8_E5M2FNUZ] = {"f8_e5m2fnuz", "F8_E5M2FNUZ", "float8_e5m2fnuz", 8},
    [FANIN_I16] = {"i16", "I16", "int16", 16},
    [FANIN_U16] = {"u16", "U16", "uint16", 16},
    [FANIN_F16] = {"f16", "F16", "float16", 16},
    [FANIN_BF16] = {"bf16", "BF16", "bfloat16", 16},
    [FANIN_I32] = {"i32", "I32", "int32", 32},
    [FANIN_U32] = {"u32", "U32", "uint32", 32},
    [FANIN_F32] = {"f32", "F32", "float32", 32},
    [FANIN_C64] = {"c64", "C64", "complex64", 64},
    [FANIN_F64] = {"f64", "F64", "float64", 64},
    [FANIN_I64] = {"i64", "I64", "int64", 64},
    [FANIN_U64] = {"u64", "U64", "uint64", 64},
};

static size_t index_of(fanin_dtype dtype)
{
    return (size_t)dtype < FANIN_DTYPE_COUNT ? (size_t)dtype : FANIN_DTYPE_NONE;
}

const char *fanin_dtype_name(fanin_dtype dtype) { return dtypes[index_of(dtype)].name; }

const char *fanin_dtype_safetensors_name(fanin_dtype dtype) { return dtypes[index_of(dtype)].safetensors; }

const char *fanin_dtype_torch_name(fanin_dtype dtype) { return dtypes[index_of(dtype)].torch_name; }

fanin_dtype fanin_dtype_from_name(const char *name)
{
    for (int i = FANIN_DTYPE_NONE + 1; i < FANIN_DTYPE_COUNT; i++)
        if (strcmp(dtypes[i].name, name) == 0 || strcmp(dtypes[i].safetensors, name) == 0 ||
            (dtypes[i].torch_name != NULL && strcmp(dtypes[i].torch_name, name) == 0))
            return (fanin_dtype)i;
    return FANIN_DTYPE_NONE;
}

unsigned fanin_dtype_nbits(fanin_dtype dtype) { return dtypes[index_of(dtype)].nbits; }

bool fanin_dtype_is_random(fanin_dtype dtype)
{
    return dtype == FANIN_F64 || dtype == FANIN_F32 || dtype == FANIN_BF16 || dtype == FANIN_F16;
}
