/* SPDX-License-Identifier: MIT */
/*
 * The .npy header, version 1.0, with the padding numpy.save leaves for an array that grows in place.
 */
#include "format/npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const struct {
    fanin_dtype dtype;
    const char *descr;
} descriptions[] = {
    {FANIN_BOOL, "|b1"}, {FANIN_I8, "|i1"},  {FANIN_U8, "|u1"},  {FANIN_I16, "<i2"},  {FANIN_U16, "<u2"},
    {FANIN_I32, "<i4"},  {FANIN_U32, "<u4"}, {FANIN_I64, "<i8"}, {FANIN_U64, "<u8"},  {FANIN_F16, "<f2"},
    {FANIN_F32, "<f4"},  {FANIN_F64, "<f8"}, {FANIN_C64, "<c8"}, {FANIN_BF16, "<V2"}, /* what numpy.save writes for the
                                                                                         bfloat16 of ml_dtypes; it loads
                                                                                         as 2 raw bytes */
};

static const char *descr_of(fanin_dtype dtype)
{
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++)
        if (descriptions[i].dtype == dtype)
            return descriptions[i].descr;
    return NULL;
}

fanin_dtype fanin_npy_dtype(const char *descr)
{
    for (size_t i = 0; i < sizeof descriptions / sizeof descriptions[0]; i++)
        if (descr[0] == '<' && strcmp(descriptions[i].descr + 1, descr + 1) == 0)
            return descriptions[i].dtype;
    /* float8 of ml_dtypes: e5m2 has a name of its own, and of the others e4m3 is what weights are kept in */
    return strcmp(descr, "<f1") == 0 ? FANIN_F8_E5M2 : strcmp(descr, "<V1") == 0 ? FANIN_F8_E4M3 : FANIN_DTYPE_NONE;
}

fanin_status fanin_npy_format(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error)
{
    const char *descr = descr_of(tensor->dtype);
    if (descr == NULL)
        return fanin_fail(error, FANIN_ERROR_DTYPE,
                          "%s: NumPy has no type for %s: write .safetensors, raw .bin, or make the tensor in f32", path,
                          fanin_dtype_name(tensor->dtype));
    fanin_text literal = {0};
    fanin_text_format(&literal, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int32_t i = 0; i < tensor->ndim; i++)
        fanin_text_format(&literal, "%s%" PRId64, i > 0 ? ", " : "", tensor->shape[i]);
    fanin_text_add(&literal, tensor->ndim == 1 ? ",), }" : "), }");
    /* the axis that can grow is the first; 21 digits are kept for it */
    if (tensor->ndim > 0)
        fanin_text_format(&literal, "%*s", 21 - snprintf(NULL, 0, "%" PRId64, tensor->shape[0]), "");
    /* 10 bytes of magic, version and length; then the literal up to a multiple of 64, of which the newline is the last
     */
    fanin_text_format(&literal, "%*s\n", (int)(64 - (10 + literal.nbytes + 1) % 64), "");
    char start[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)literal.nbytes, (char)(literal.nbytes >> 8)};
    fanin_text_append(out, start, sizeof start);
    if (!literal.failed)
        fanin_text_append(out, literal.data, literal.nbytes);
    bool failed = literal.failed || out->failed;
    fanin_text_release(&literal);
    return failed ? fanin_fail_memory(error, 128) : FANIN_OK;
}
