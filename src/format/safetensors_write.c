/* SPDX-License-Identifier: MIT */
/*
 * Laying out a safetensors file as the reference writer does: the same order, the same JSON, the same padding, so that
 * the same tensors make the same bytes.
 */
#include "format/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* Tensors' bytes are written as they lie in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files hold little-endian values");

/* Wide types first, so that every tensor begins at a multiple of its element's size. */
static int by_dtype_and_name(const void *left, const void *right)
{
    const fanin_safetensors_tensor *a = left, *b = right;
    if (a->dtype != b->dtype)
        return a->dtype > b->dtype ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int by_key(const void *left, const void *right)
{
    return strcmp(((const fanin_pair *)left)->key, ((const fanin_pair *)right)->key);
}

static void add_string(fanin_text *out, const char *string)
{
    fanin_text_json_string(out, string, strlen(string));
}

static void add_entry(fanin_text *out, const fanin_safetensors_tensor *tensor)
{
    add_string(out, tensor->name);
    fanin_text_format(out, ":{\"dtype\":\"%s\",\"shape\":[", fanin_dtype_safetensors_name(tensor->dtype));
    for (int32_t i = 0; i < tensor->ndim; i++)
        fanin_text_format(out, "%s%" PRId64, i > 0 ? "," : "", tensor->shape[i]);
    fanin_text_format(out, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", tensor->begin, tensor->end);
}

static fanin_status place(fanin_safetensors_tensor *tensors, size_t ntensors, const char *path, fanin_error *error)
{
    uint64_t end = 0;
    for (size_t i = 0; i < ntensors; i++) {
        fanin_safetensors_tensor *tensor = &tensors[i];
        char shown[FANIN_SHOW_NBYTES];
        uint64_t nbytes;
        if (strcmp(tensor->name, "__metadata__") == 0)
            return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                              "%s: a safetensors file can hold no tensor named __metadata__: rename it", path);
        tensor->begin = end;
        if (!fanin_safetensors_nbytes(tensor->dtype, tensor->nelem, &nbytes) || !fanin_checked_add(end, nbytes, &end))
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "%s: tensor %s: %" PRIu64 " elements of %s take no whole number of bytes, or more than a "
                              "file can hold",
                              path, fanin_show(tensor->name, strlen(tensor->name), shown), tensor->nelem,
                              fanin_dtype_name(tensor->dtype));
        tensor->end = end;
    }
    return FANIN_OK;
}

fanin_status fanin_safetensors_format(fanin_safetensors_tensor *tensors, size_t ntensors, fanin_pair *metadata,
                                      size_t nmetadata, const char *path, fanin_text *out, fanin_error *error)
{
    if (ntensors > 1)
        qsort(tensors, ntensors, sizeof *tensors, by_dtype_and_name);
    if (nmetadata > 1)
        qsort(metadata, nmetadata, sizeof *metadata, by_key);
    FANIN_TRY(place(tensors, ntensors, path, error));

    size_t start = out->nbytes;
    fanin_text_append(out, "\0\0\0\0\0\0\0", 8);
    fanin_text_add(out, "{");
    for (size_t i = 0; i < nmetadata; i++) {
        fanin_text_add(out, i == 0 ? "\"__metadata__\":{" : ",");
        add_string(out, metadata[i].key);
        fanin_text_add(out, ":");
        add_string(out, metadata[i].value);
    }
    if (nmetadata > 0)
        fanin_text_add(out, "}");
    for (size_t i = 0; i < ntensors; i++) {
        if (i > 0 || nmetadata > 0)
            fanin_text_add(out, ",");
        add_entry(out, &tensors[i]);
    }
    fanin_text_add(out, "}");
    fanin_text_append(out, "       ", (8 - (out->nbytes - start) % 8) % 8);
    if (out->failed)
        return fanin_fail_memory(error, out->nbytes);

    uint64_t length = out->nbytes - start - 8;
    if (length > FANIN_SAFETENSORS_MAX_WRITTEN_HEADER)
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                          "%s: %zu tensors make a header of %" PRIu64 " bytes, but readers stop at %d: write a folder "
                          "with smaller shards, so that fewer tensors share a file",
                          path, ntensors, length, FANIN_SAFETENSORS_MAX_WRITTEN_HEADER);
    for (int i = 0; i < 8; i++)
        out->data[start + (size_t)i] = (char)(length >> 8 * i);
    return FANIN_OK;
}
