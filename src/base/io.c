/* SPDX-License-Identifier: MIT */
/*
 * The default I/O table (POSIX), the table in force, and whole transfers built on it. Nothing else in the library
 * makes a system call on a file.
 */
#define _GNU_SOURCE /* fallocate, flock, sync_file_range, O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/memory.h"

/* -- The operating system's -----------------------------------------------------------------------------------------*/

static int failure(void)
{
    return errno > 0 ? -errno : -EIO;
}

/* O_NONBLOCK: a FIFO or terminal in place of a file is an error later, not a wait now. Regular files ignore it. */
static int posix_open_read(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd >= 0 ? fd : failure();
}

static int posix_create_exclusive(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return fd >= 0 ? fd : failure();
}

/* What has no position (standard input from a pipe) is read from where it stands. */
static int64_t posix_pread(void *user, int fd, void *data, size_t nbytes, uint64_t offset)
{
    (void)user;
    if (offset > INT64_MAX)
        return -EOVERFLOW;
    ssize_t n = pread(fd, data, nbytes, (off_t)offset);
    if (n < 0 && errno == ESPIPE)
        n = read(fd, data, nbytes);
    return n >= 0 ? n : failure();
}

static int64_t posix_pwrite(void *user, int fd, const void *data, size_t nbytes, uint64_t offset)
{
    (void)user;
    if (offset > INT64_MAX)
        return -EFBIG;
    ssize_t n = pwrite(fd, data, nbytes, (off_t)offset);
    return n >= 0 ? n : failure();
}

/* Not posix_fallocate: glibc writes to every block of a file system that cannot preallocate. */
static int posix_allocate(void *user, int fd, uint64_t nbytes)
{
    (void)user;
    if (nbytes == 0)
        return 0;
    if (nbytes > INT64_MAX)
        return -EFBIG;
#if defined(__linux__)
    return fallocate(fd, 0, 0, (off_t)nbytes) == 0 ? 0 : failure();
#else
    (void)fd;
    return -EOPNOTSUPP;
#endif
}

static int posix_truncate(void *user, int fd, uint64_t nbytes)
{
    (void)user;
    if (nbytes > INT64_MAX)
        return -EFBIG;
    return ftruncate(fd, (off_t)nbytes) == 0 ? 0 : failure();
}

static int posix_sync(void *user, int fd)
{
    (void)user;
    return fsync(fd) == 0 ? 0 : failure();
}

/* The descriptor is gone even if close was interrupted, so it must not be repeated. */
static int posix_close(void *user, int fd)
{
    (void)user;
    return close(fd) == 0 || errno == EINTR ? 0 : failure();
}

static int posix_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return rename(from, to) == 0 ? 0 : failure();
}

static int posix_unlink(void *user, const char *path)
{
    (void)user;
    return unlink(path) == 0 ? 0 : failure();
}

static int posix_make_directory(void *user, const char *path)
{
    (void)user;
    return mkdir(path, 0777) == 0 ? 0 : failure();
}

/* EINVAL: this file system keeps no directories that could be synced. */
static int posix_sync_directory(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return failure();
    int result = fsync(fd) == 0 || errno == EINVAL ? 0 : failure();
    close(fd);
    return result;
}

static void describe(const struct stat *from, fanin_file_info *info)
{
    info->nbytes = from->st_size > 0 ? (uint64_t)from->st_size : 0;
    info->device = (uint64_t)from->st_dev;
    info->node = (uint64_t)from->st_ino;
    info->kind = S_ISREG(from->st_mode)   ? FANIN_FILE_REGULAR
                 : S_ISDIR(from->st_mode) ? FANIN_FILE_DIRECTORY
                                          : FANIN_FILE_OTHER;
}

static int posix_stat(void *user, const char *path, fanin_file_info *info)
{
    (void)user;
    struct stat found;
    if (stat(path, &found) != 0)
        return failure();
    describe(&found, info);
    return 0;
}

static int posix_fstat(void *user, int fd, fanin_file_info *info)
{
    (void)user;
    struct stat found;
    if (fstat(fd, &found) != 0)
        return failure();
    describe(&found, info);
    return 0;
}

static int posix_lock(void *user, int fd)
{
    (void)user;
    return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : failure();
}

/* What says that the call, or the file system, has no such thing. */
static bool is_unsupported(int code)
{
    return code == ENOSYS || code == EINVAL || code == ESPIPE || code == EOPNOTSUPP;
}

/* sync_file_range leaves metadata and the disk's own cache to sync, which is why sync still comes. */
static int posix_write_back(void *user, int fd, uint64_t offset, uint64_t nbytes, bool drop)
{
    (void)user;
#if defined(__linux__)
    const unsigned start = SYNC_FILE_RANGE_WRITE;
    const unsigned wait = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (offset > INT64_MAX || nbytes > INT64_MAX - offset)
        return 0;
    if (sync_file_range(fd, (off_t)offset, (off_t)nbytes, drop ? wait : start) != 0)
        return is_unsupported(errno) ? 0 : failure();
    if (drop)
        (void)posix_fadvise(fd, (off_t)offset, (off_t)nbytes, POSIX_FADV_DONTNEED);
#else
    (void)fd, (void)offset, (void)nbytes, (void)drop, (void)is_unsupported;
#endif
    return 0;
}

static int posix_set_direct(void *user, int fd, bool direct)
{
    (void)user;
#if defined(O_DIRECT)
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return failure();
    return fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 ? 0 : failure();
#else
    (void)fd;
    return direct ? -EOPNOTSUPP : 0;
#endif
}

#define POSIX_TABLE                                                                                                    \
    {                                                                                                                  \
        .open_read = posix_open_read, .create_exclusive = posix_create_exclusive, .pread = posix_pread,                \
        .pwrite = posix_pwrite, .allocate = posix_allocate, .truncate = posix_truncate, .sync = posix_sync,            \
        .close = posix_close, .rename = posix_rename, .unlink = posix_unlink, .make_directory = posix_make_directory,  \
        .sync_directory = posix_sync_directory, .stat = posix_stat, .fstat = posix_fstat, .lock = posix_lock,          \
        .write_back = posix_write_back, .set_direct = posix_set_direct,                                                \
    }

static const fanin_io posix_io = POSIX_TABLE;

/* Set before the first other call (hooks.h), so reads need no lock. */
static fanin_io table = POSIX_TABLE;

const fanin_io *fanin_default_io(void)
{
    return &posix_io;
}

void fanin_set_io(const fanin_io *io)
{
    table = io != NULL ? *io : posix_io;
}

const fanin_io *fanin_io_table(void)
{
    return &table;
}

/* -- Whole transfers ------------------------------------------------------------------------------------------------*/

/* What one call is asked for: Linux moves no more than 2 GiB - 4 KiB at once. */
#define LARGEST_TRANSFER ((size_t)1 << 30)
/* How often in a row a call may be interrupted or write nothing: a table that gets nowhere must not keep us for ever.
 */
enum { MAX_STALLS = 1000 };

fanin_status fanin_pread_all(int fd, void *data, size_t nbytes, uint64_t offset, const char *path, fanin_error *error)
{
    int nstalls = 0;
    for (size_t done = 0; done < nbytes;) {
        size_t wanted = nbytes - done < LARGEST_TRANSFER ? nbytes - done : LARGEST_TRANSFER;
        int64_t n = table.pread(table.user, fd, (char *)data + done, wanted, offset + done);
        if (n == -EINTR && nstalls++ < MAX_STALLS)
            continue;
        if (n < 0)
            return fanin_fail_io(error, (int)n, "read", path);
        if (n == 0)
            return fanin_fail(error, FANIN_ERROR_IO,
                              "cannot read %s: it ends at byte %" PRIu64 ", before byte %" PRIu64, path, offset + done,
                              offset + nbytes);
        done += (size_t)n;
        nstalls = 0;
    }
    return FANIN_OK;
}

fanin_status fanin_pwrite_all(int fd, const void *data, size_t nbytes, uint64_t offset, const char *path,
                              fanin_error *error)
{
    int nstalls = 0;
    for (size_t done = 0; done < nbytes;) {
        size_t wanted = nbytes - done < LARGEST_TRANSFER ? nbytes - done : LARGEST_TRANSFER;
        int64_t n = table.pwrite(table.user, fd, (const char *)data + done, wanted, offset + done);
        if ((n == -EINTR || n == 0) && nstalls++ < MAX_STALLS)
            continue;
        if (n < 0)
            return fanin_fail_io(error, (int)n, "write", path);
        if (n == 0)
            return fanin_fail(error, FANIN_ERROR_IO, "cannot write %s: the system took no more after byte %" PRIu64,
                              path, offset + done);
        done += (size_t)n;
        nstalls = 0;
    }
    return FANIN_OK;
}

static fanin_status fail_too_large(const char *path, uint64_t limit, fanin_error *error)
{
    return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: more than the %llu bytes such a file may have", path,
                      (unsigned long long)limit);
}

/* Reads to the end of what has no size beforehand. One byte more than the limit is read, to see that there is one. */
static fanin_status read_stream(int fd, const char *path, uint64_t limit, char **data, size_t *nbytes,
                                fanin_error *error)
{
    size_t capacity = 0;
    int nstalls = 0;
    *data = NULL;
    *nbytes = 0;
    for (;;) {
        if (*nbytes + 1 >= capacity) {
            size_t larger = capacity > 0 ? 2 * capacity : 1 << 16;
            char *moved = larger > capacity ? fanin_reallocate(*data, *nbytes, larger, 1) : NULL;
            if (moved == NULL)
                return fanin_fail_memory(error, larger);
            *data = moved;
            capacity = larger;
        }
        int64_t n = table.pread(table.user, fd, *data + *nbytes, capacity - 1 - *nbytes, *nbytes);
        if (n == -EINTR && nstalls++ < MAX_STALLS)
            continue;
        if (n < 0)
            return fanin_fail_io(error, (int)n, "read", path);
        if (n == 0)
            break;
        nstalls = 0;
        *nbytes += (size_t)n;
        if (*nbytes > limit)
            return fail_too_large(path, limit, error);
    }
    (*data)[*nbytes] = '\0';
    return FANIN_OK;
}

static fanin_status read_regular(int fd, const char *path, uint64_t limit, char **data, size_t *nbytes,
                                 fanin_error *error)
{
    fanin_file_info info;
    int result = table.fstat(table.user, fd, &info);
    for (int nstalls = 0; result == -EINTR && nstalls < MAX_STALLS; nstalls++)
        result = table.fstat(table.user, fd, &info);
    if (result < 0)
        return fanin_fail_io(error, result, "look at", path);
    if (info.kind == FANIN_FILE_DIRECTORY)
        return fanin_fail(error, FANIN_ERROR_IO, "cannot read %s: it is a folder; name a file in it", path);
    if (info.kind != FANIN_FILE_REGULAR)
        return fanin_fail(error, FANIN_ERROR_IO,
                          "cannot read %s: it is not a regular file; '-' reads a pipe from standard input", path);
    if (info.nbytes > limit || info.nbytes >= SIZE_MAX)
        return fail_too_large(path, limit, error);
    *data = fanin_allocate((size_t)info.nbytes + 1, 1);
    if (*data == NULL)
        return fanin_fail_memory(error, info.nbytes + 1);
    *nbytes = (size_t)info.nbytes;
    (*data)[*nbytes] = '\0';
    return fanin_pread_all(fd, *data, *nbytes, 0, path, error);
}

fanin_status fanin_read_file(const char *path, uint64_t limit, char **data, size_t *nbytes, fanin_error *error)
{
    *data = NULL;
    *nbytes = 0;
    fanin_status status;
    if (strcmp(path, "-") == 0) {
        status = read_stream(STDIN_FILENO, "standard input", limit, data, nbytes, error);
    } else {
        int fd = table.open_read(table.user, path);
        for (int nstalls = 0; fd == -EINTR && nstalls < MAX_STALLS; nstalls++)
            fd = table.open_read(table.user, path);
        if (fd < 0)
            return fanin_fail_io(error, fd, "open", path);
        status = read_regular(fd, path, limit, data, nbytes, error);
        table.close(table.user, fd); /* nothing was written: a failure here loses nothing */
    }
    if (status != FANIN_OK) {
        fanin_free(*data);
        *data = NULL;
        *nbytes = 0;
    }
    return status;
}
