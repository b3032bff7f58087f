/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the .npy reader: an input is a whole file. What is accepted must account for every byte, and an array
 * in Fortran order must be read to the same bytes in pieces as at once.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void read_rows(const fanin_npy_header *header, const uint8_t *file, size_t file_nbytes)
{
    size_t nbytes = file_nbytes - (size_t)header->data_begin;
    uint8_t *whole = malloc(nbytes), *pieces = malloc(nbytes);
    int fd = memfd_create("fuzz", 0);
    REQUIRE(whole != NULL && pieces != NULL && fd >= 0);
    REQUIRE(write(fd, file, file_nbytes) == (ssize_t)file_nbytes);
    REQUIRE(fanin_npy_read_rows(header, fd, "fuzz", 0, whole, nbytes, NULL) == FANIN_OK);
    for (size_t at = 0, n = 1; at < nbytes; at += n, n = n % 97 + 5) {
        n = n < nbytes - at ? n : nbytes - at;
        REQUIRE(fanin_npy_read_rows(header, fd, "fuzz", at, pieces + at, n, NULL) == FANIN_OK);
    }
    REQUIRE(memcmp(whole, pieces, nbytes) == 0);
    close(fd);
    free(pieces);
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fanin_npy_header header;
    fanin_error error;
    uint64_t begin, length;
    uint8_t first[12] = {0};
    memcpy(first, data, nbytes < sizeof first ? nbytes : sizeof first);
    fanin_status status = fanin_npy_length(first, nbytes, "fuzz", &begin, &length, &error);
    if (status == FANIN_OK)
        status = fanin_npy_parse((const char *)data + begin, length, begin, nbytes - begin - length, "fuzz", &header,
                                 &error);
    if (status != FANIN_OK) {
        REQUIRE(error.message[0] != 0);
        return 0;
    }
    uint64_t nelem = 1;
    for (int32_t d = 0; d < header.ndim; d++)
        nelem *= (uint64_t)header.shape[d];
    REQUIRE(nelem == header.nelem && header.dtype != FANIN_DTYPE_NONE);
    REQUIRE(header.data_begin + nelem * fanin_dtype_nbits(header.dtype) / 8 == nbytes);
    if (header.is_fortran && nbytes < 4096)
        read_rows(&header, data, nbytes);
    return 0;
}
