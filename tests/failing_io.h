/* SPDX-License-Identifier: MIT */
/*
 * A table of file operations for tests whose n-th call fails, once or from then on, with an errno or by a transfer that
 * stops short; and the faults that are tried.
 */
#ifndef FANIN_FAILING_IO_H
#define FANIN_FAILING_IO_H

#include <errno.h>
#include <limits.h>

#include "fanin/hooks.h"

enum { SHORT = 1, NOTHING = 2 }; /* a transfer of half the bytes, of none */

static struct {
    bool armed;
    long calls; /* since it was armed */
    long first; /* the call that fails: 1 is the first */
    long last;  /* and the last that does */
    int fault;  /* a negative errno, SHORT or NOTHING */
    bool happened;
    bool spared_partials; /* unlink failed, so a temporary file may be left */
    int open_files;
} io;

static bool fails(void)
{
    if (!io.armed)
        return false;
    io.calls++;
    bool now = io.calls >= io.first && io.calls <= io.last;
    io.happened = io.happened || now;
    return now;
}

#define REAL fanin_default_io()

static int opened(int fd)
{
    io.open_files += fd >= 0;
    return fd;
}

static int bad_open_read(void *user, const char *path)
{
    return fails() && io.fault < 0 ? io.fault : opened(REAL->open_read(user, path));
}

static int bad_create(void *user, const char *path)
{
    return fails() && io.fault < 0 ? io.fault : opened(REAL->create_exclusive(user, path));
}

static int64_t bad_pread(void *user, int fd, void *data, size_t nbytes, uint64_t offset)
{
    if (!fails())
        return REAL->pread(user, fd, data, nbytes, offset);
    return io.fault == SHORT     ? REAL->pread(user, fd, data, (nbytes + 1) / 2, offset)
           : io.fault == NOTHING ? 0
                                 : io.fault;
}

static int64_t bad_pwrite(void *user, int fd, const void *data, size_t nbytes, uint64_t offset)
{
    if (!fails())
        return REAL->pwrite(user, fd, data, nbytes, offset);
    return io.fault == SHORT     ? REAL->pwrite(user, fd, data, (nbytes + 1) / 2, offset)
           : io.fault == NOTHING ? 0
                                 : io.fault;
}

/* Space is really reserved, but nothing is synced: the order of calls is what is tested, not the disk. */
static int bad_allocate(void *user, int fd, uint64_t nbytes)
{
    return fails() && io.fault < 0 ? io.fault : REAL->allocate(user, fd, nbytes);
}

static int bad_truncate(void *user, int fd, uint64_t nbytes)
{
    return fails() && io.fault < 0 ? io.fault : REAL->truncate(user, fd, nbytes);
}

static int bad_sync(void *user, int fd)
{
    (void)user, (void)fd;
    return fails() && io.fault < 0 ? io.fault : 0;
}

static int bad_close(void *user, int fd)
{
    io.open_files--;
    int code = REAL->close(user, fd);
    return fails() && io.fault < 0 ? io.fault : code;
}

static int bad_rename(void *user, const char *from, const char *to)
{
    return fails() && io.fault < 0 ? io.fault : REAL->rename(user, from, to);
}

static int bad_unlink(void *user, const char *path)
{
    bool failing = fails() && io.fault < 0;
    io.spared_partials = io.spared_partials || failing;
    return failing ? io.fault : REAL->unlink(user, path);
}

static int bad_make_directory(void *user, const char *path)
{
    return fails() && io.fault < 0 ? io.fault : REAL->make_directory(user, path);
}

static int bad_sync_directory(void *user, const char *path)
{
    (void)user, (void)path;
    return fails() && io.fault < 0 ? io.fault : 0;
}

static int bad_stat(void *user, const char *path, fanin_file_info *info)
{
    return fails() && io.fault < 0 ? io.fault : REAL->stat(user, path, info);
}

static int bad_fstat(void *user, int fd, fanin_file_info *info)
{
    return fails() && io.fault < 0 ? io.fault : REAL->fstat(user, fd, info);
}

static int bad_lock(void *user, int fd)
{
    return fails() && io.fault < 0 ? io.fault : REAL->lock(user, fd);
}

static int bad_write_back(void *user, int fd, uint64_t offset, uint64_t nbytes, bool drop)
{
    return fails() && io.fault < 0 ? io.fault : REAL->write_back(user, fd, offset, nbytes, drop);
}

/* Not counted: where it fails, the page cache is used, and nobody is told. */
static int set_direct(void *user, int fd, bool direct)
{
    return REAL->set_direct(user, fd, direct);
}

static const fanin_io bad_io = {bad_open_read,      bad_create,         bad_pread, bad_pwrite, bad_allocate,
                                bad_truncate,       bad_sync,           bad_close, bad_rename, bad_unlink,
                                bad_make_directory, bad_sync_directory, bad_stat,  bad_fstat,  bad_lock,
                                bad_write_back,     set_direct,         NULL};

static const struct {
    const char *name;
    int fault;
    bool is_harmless; /* repeated, or carried on: the run must succeed */
} faults[] = {
    {"no space", -ENOSPC, false},    {"input or output error", -EIO, false},  {"interrupted", -EINTR, true},
    {"short transfer", SHORT, true}, {"transfer of nothing", NOTHING, false},
};
enum { NFAULTS = sizeof faults / sizeof faults[0] };

#endif
