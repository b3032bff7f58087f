/* SPDX-License-Identifier: MIT */
/*
 * The calls of the I/O table, each made again while a signal interrupts it.
 */
#include "format/file_calls.h"

#include <errno.h>

/* Runs `call`, which sees the table as io. A call interrupted this often in a row will not be let through. */
#define UNINTERRUPTED(call)                                                                                            \
    do {                                                                                                               \
        const fanin_io *io = fanin_io_table();                                                                         \
        int code_ = -EINTR;                                                                                            \
        for (int tries_ = 0; code_ == -EINTR && tries_ < 100; tries_++)                                                \
            code_ = (call);                                                                                            \
        return code_;                                                                                                  \
    } while (0)

int fanin_file_open_read(const char *path)
{
    UNINTERRUPTED(io->open_read(io->user, path));
}

int fanin_file_create_exclusive(const char *path)
{
    UNINTERRUPTED(io->create_exclusive(io->user, path));
}

int fanin_file_allocate(int fd, uint64_t nbytes)
{
    UNINTERRUPTED(io->allocate(io->user, fd, nbytes));
}

int fanin_file_sync(int fd)
{
    UNINTERRUPTED(io->sync(io->user, fd));
}

int fanin_file_close(int fd)
{
    const fanin_io *io = fanin_io_table();
    return io->close(io->user, fd);
}

int fanin_file_rename(const char *from, const char *to)
{
    UNINTERRUPTED(io->rename(io->user, from, to));
}

int fanin_file_unlink(const char *path)
{
    UNINTERRUPTED(io->unlink(io->user, path));
}

int fanin_file_make_directory(const char *path)
{
    UNINTERRUPTED(io->make_directory(io->user, path));
}

int fanin_file_sync_directory(const char *path)
{
    UNINTERRUPTED(io->sync_directory(io->user, path));
}

int fanin_file_stat(const char *path, fanin_file_info *info)
{
    UNINTERRUPTED(io->stat(io->user, path, info));
}

int fanin_file_fstat(int fd, fanin_file_info *info)
{
    UNINTERRUPTED(io->fstat(io->user, fd, info));
}

int fanin_file_write_back(int fd, uint64_t offset, uint64_t nbytes, bool drop)
{
    UNINTERRUPTED(io->write_back != NULL ? io->write_back(io->user, fd, offset, nbytes, drop) : 0);
}

int fanin_file_set_direct(int fd, bool direct)
{
    const int none = direct ? -EOPNOTSUPP : 0;
    UNINTERRUPTED(io->set_direct != NULL ? io->set_direct(io->user, fd, direct) : none);
}

int fanin_file_lock(int fd)
{
    UNINTERRUPTED(io->lock != NULL ? io->lock(io->user, fd) : 0);
}
