/* SPDX-License-Identifier: MIT */
/*
 * One tensor in a file of its own: NumPy, safetensors or raw, by the ending of its name.
 */
#include "fanin/run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "fanin/version.h"
#include "format/file_calls.h"
#include "format/npy.h"
#include "format/partial.h"
#include "format/path.h"
#include "format/safetensors.h"

enum { PIECE_NBYTES = 1 << 20 };

static fanin_status format_safetensors(const fanin_tensor *tensor, const char *path, fanin_text *out,
                                       fanin_error *error)
{
    fanin_safetensors_tensor entry = {.name = "weight",
                                      .dtype = tensor->dtype,
                                      .ndim = tensor->ndim,
                                      .shape = tensor->shape,
                                      .nelem = (uint64_t)fanin_tensor_nelem(tensor)};
    fanin_pair metadata[] = {{"format", "pt"}, {"fanin_version", fanin_version()}};
    return fanin_safetensors_format(&entry, 1, metadata, 2, path, out, error);
}

/* The bytes alone. */
static fanin_status format_raw(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error)
{
    (void)tensor, (void)path, (void)out, (void)error;
    return FANIN_OK;
}

static const struct {
    const char *suffix;
    fanin_status (*format)(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error);
} formats[] = {{".npy", fanin_npy_format}, {".safetensors", format_safetensors}, {".bin", format_raw}};

/* Appends what goes before the bytes. */
static fanin_status format_header(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (fanin_path_ends_with(path, formats[i].suffix))
            return formats[i].format(tensor, path, out, error);
    return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                      "%s: the ending names no format: write .npy, .safetensors or .bin (raw bytes)", path);
}

static fanin_status check_absent(const char *path, bool force, fanin_error *error)
{
    fanin_file_info info;
    int code = fanin_file_stat(path, &info);
    if (code < 0)
        return code == -ENOENT ? FANIN_OK : fanin_fail_io(error, code, "look at", path);
    if (info.kind != FANIN_FILE_REGULAR)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: is no regular file, and no file can take its place", path);
    if (!force)
        return fanin_fail(error, FANIN_ERROR_EXISTS,
                          "%s: exists already; choose another output, or give --force to replace it", path);
    return FANIN_OK;
}

/* Copies elements in row-major order into the piece and writes it whenever it is full. */
static fanin_status write_strided(const fanin_partial *partial, const fanin_tensor *tensor, uint64_t offset,
                                  uint8_t *piece, fanin_error *error)
{
    size_t size = fanin_dtype_nbits(tensor->dtype) / 8, used = 0;
    int64_t nelem = fanin_tensor_nelem(tensor), index[FANIN_MAX_DIMS] = {0};
    const uint8_t *element = tensor->data;
    for (int64_t i = 0; i < nelem; i++) {
        memcpy(piece + used, element, size);
        used += size;
        if (used == PIECE_NBYTES || i == nelem - 1) {
            FANIN_TRY(fanin_pwrite_all(partial->fd, piece, used, offset, partial->path, error));
            offset += used;
            used = 0;
        }
        for (int32_t d = tensor->ndim - 1; d >= 0; d--) {
            element += tensor->strides[d] * (int64_t)size;
            if (++index[d] < tensor->shape[d])
                break;
            element -= tensor->strides[d] * tensor->shape[d] * (int64_t)size;
            index[d] = 0;
        }
    }
    return FANIN_OK;
}

static fanin_status write_data(const fanin_partial *partial, const fanin_tensor *tensor, uint64_t offset,
                               uint64_t nbytes, fanin_error *error)
{
    if (fanin_tensor_is_contiguous(tensor))
        return fanin_pwrite_all(partial->fd, tensor->data, (size_t)nbytes, offset, partial->path, error);
    uint8_t *piece = fanin_allocate(PIECE_NBYTES, 1);
    if (piece == NULL)
        return fanin_fail_memory(error, PIECE_NBYTES);
    fanin_status status = write_strided(partial, tensor, offset, piece, error);
    fanin_free(piece);
    return status;
}

/* The name alone decides the temporary one, so that two runs for one output meet. */
static void make_tag(const char *path, char tag[17])
{
    char hex[65];
    uint8_t digest[32];
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, path, strlen(path));
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
    memcpy(tag, hex, 16);
    tag[16] = 0;
}

static fanin_status write_file(const char *path, const fanin_tensor *tensor, const fanin_text *header, uint64_t nbytes,
                               fanin_error *error)
{
    char tag[17];
    make_tag(path, tag);
    char *folder = fanin_path_folder(path);
    if (folder == NULL)
        return fanin_fail_memory(error, strlen(path));
    fanin_partial partial = {0};
    fanin_status status = fanin_partial_create(&partial, path, tag, header->nbytes + nbytes, error);
    if (status == FANIN_OK && header->nbytes > 0)
        status = fanin_pwrite_all(partial.fd, header->data, header->nbytes, 0, partial.path, error);
    if (status == FANIN_OK && nbytes > 0)
        status = write_data(&partial, tensor, header->nbytes, nbytes, error);
    if (status == FANIN_OK)
        status = fanin_partial_finish(&partial, error);
    if (status == FANIN_OK)
        status = fanin_partial_publish(&partial, error);
    if (status == FANIN_OK)
        status = fanin_sync_folder(folder, error);
    fanin_partial_discard(&partial);
    fanin_free(folder);
    return status;
}

fanin_status fanin_write_tensor(const char *path, const fanin_tensor *tensor, bool force, fanin_error *error)
{
    fanin_clear(error);
    int64_t nelem = fanin_tensor_nelem(tensor);
    uint64_t nbytes;
    if (nelem < 0)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%s: the tensor's shape has a negative dimension or overflows",
                          path);
    if (fanin_dtype_nbits(tensor->dtype) == 0)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "%s: the tensor has no dtype", path);
    if (!fanin_safetensors_nbytes(tensor->dtype, (uint64_t)nelem, &nbytes))
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%s: %" PRId64 " elements of %s take no whole number of bytes",
                          path, nelem, fanin_dtype_name(tensor->dtype));
    if (fanin_dtype_nbits(tensor->dtype) % 8 != 0 && !fanin_tensor_is_contiguous(tensor))
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                          "%s: elements of %s can only be written from contiguous memory", path,
                          fanin_dtype_name(tensor->dtype));
    if (nbytes > 0 && tensor->data == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: the tensor has no memory (its data is NULL)", path);
    FANIN_TRY(check_absent(path, force, error));
    fanin_text header = {0};
    fanin_status status = format_header(tensor, path, &header, error);
    if (status == FANIN_OK)
        status = write_file(path, tensor, &header, nbytes, error);
    fanin_text_release(&header);
    return status;
}
