/* SPDX-License-Identifier: MIT */
/*
 * The few things the command does with files itself: small ones, and questions about paths. Functions that can fail
 * say so on stderr and return an exit status.
 */
#ifndef FANIN_CLI_SMALL_FILE_H
#define FANIN_CLI_SMALL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most nbytes_most bytes of a regular file or pipe. */
int file_read(const char *path, void *data, size_t nbytes_most, size_t *nbytes);
/* Replaces path by these bytes at once: another name in the same folder, sync, rename. */
int file_write(const char *path, const void *data, size_t nbytes);
/* Refuses a path that exists (without force), is a folder, or whose folder does not exist. */
int file_check_new(const char *path, bool force);
/* Whether a file begins as a JSON object does. Says nothing of one that cannot be read. */
bool file_is_json(const char *path);
/* Two names of one file that exists, or the same name. */
bool file_is_same(const char *a, const char *b);
/* Whether `path` lies directly in the folder `directory`. */
bool file_is_in(const char *path, const char *directory);
bool file_has_ending(const char *path, const char *ending);
/* What follows the last slash. */
const char *file_last_name(const char *path);

/* Bytes of memory that this machine has; UINT64_MAX if it does not tell. */
uint64_t memory_nbytes(void);

#endif
