/* SPDX-License-Identifier: MIT */
/*
 * File operations through the table of hooks.h: whole reads and writes, repeated where the system stopped short.
 */
#ifndef FANIN_BASE_IO_H
#define FANIN_BASE_IO_H

#include "fanin/hooks.h"

/* The table in force; never NULL. */
const fanin_io *fanin_io_table(void);

/* Exactly nbytes at offset, repeating after EINTR and short transfers. End of file is an error. */
fanin_status fanin_pread_all(int fd, void *data, size_t nbytes, uint64_t offset, const char *path, fanin_error *error);
fanin_status fanin_pwrite_all(int fd, const void *data, size_t nbytes, uint64_t offset, const char *path,
                              fanin_error *error);
/* A whole regular file of at most limit bytes, NUL added after the last byte; "-" is standard input. fanin_free it. */
fanin_status fanin_read_file(const char *path, uint64_t limit, char **data, size_t *nbytes, fanin_error *error);

#endif
