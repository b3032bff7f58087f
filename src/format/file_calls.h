/* SPDX-License-Identifier: MIT */
/*
 * The calls of the I/O table, each made again while a signal interrupts it. They return what the table returns: a
 * descriptor or 0, or a negative errno value.
 */
#ifndef FANIN_FORMAT_FILE_CALLS_H
#define FANIN_FORMAT_FILE_CALLS_H

#include "base/io.h"

int fanin_file_open_read(const char *path);
int fanin_file_create_exclusive(const char *path);
int fanin_file_allocate(int fd, uint64_t nbytes);
int fanin_file_sync(int fd);
int fanin_file_close(int fd); /* made once: the descriptor is gone whatever it returns */
int fanin_file_rename(const char *from, const char *to);
int fanin_file_unlink(const char *path);
int fanin_file_make_directory(const char *path);
int fanin_file_sync_directory(const char *path);
int fanin_file_stat(const char *path, fanin_file_info *info);
int fanin_file_fstat(int fd, fanin_file_info *info);
/* begins to bring a range to the disk; with drop waits for it and forgets it. 0 as well where that cannot be done */
int fanin_file_write_back(int fd, uint64_t offset, uint64_t nbytes, bool drop);
/* whether what is written goes past the page cache; -EOPNOTSUPP where it cannot */
int fanin_file_set_direct(int fd, bool direct);
int fanin_file_lock(int fd); /* 0 as well where there are no locks */

#endif
