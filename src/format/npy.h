/* SPDX-License-Identifier: MIT */
/*
 * The .npy file of NumPy: a magic, a Python literal that describes one array, its bytes.
 */
#ifndef FANIN_FORMAT_NPY_H
#define FANIN_FORMAT_NPY_H

#include "base/text.h"
#include "fanin/tensor.h"

#define FANIN_NPY_MAX_DIMS 64

typedef struct fanin_npy_header {
    fanin_dtype dtype;
    bool is_raw; /* bytes without a type, '<V1', taken for f8_e4m3 */
    int32_t ndim;
    int64_t shape[FANIN_NPY_MAX_DIMS];
    uint64_t nelem;
    bool is_fortran;     /* the first index runs fastest; false where that makes no difference */
    uint64_t data_begin; /* in the file */
} fanin_npy_header;

/*
 * Where the literal begins and how long it is, from the file's first 12 bytes (fewer, if it is shorter), checked
 * against the file's size.
 */
fanin_status fanin_npy_length(const uint8_t *first, uint64_t file_nbytes, const char *path, uint64_t *begin,
                              uint64_t *nbytes, fanin_error *error);
/* The literal of nbytes at byte `begin` of a file, which data_nbytes follow. */
fanin_status fanin_npy_parse(const char *text, size_t nbytes, uint64_t begin, uint64_t data_nbytes, const char *path,
                             fanin_npy_header *header, fanin_error *error);
/* Opens a regular file and reads its header. The caller closes *fd. */
fanin_status fanin_npy_open(const char *path, int *fd, fanin_npy_header *header, fanin_error *error);
/* Bytes [offset, offset + nbytes) of an array in Fortran order, as they would be in C order. */
fanin_status fanin_npy_read_rows(const fanin_npy_header *header, int fd, const char *path, uint64_t offset, void *data,
                                 size_t nbytes, fanin_error *error);

/* The dtype of a NumPy type string with '<' in front; FANIN_DTYPE_NONE if there is none for it. */
fanin_dtype fanin_npy_dtype(const char *descr);

/* Appends everything before the data, byte for byte what numpy.save writes. FANIN_ERROR_DTYPE for what NumPy lacks. */
fanin_status fanin_npy_format(const fanin_tensor *tensor, const char *path, fanin_text *out, fanin_error *error);

#endif
