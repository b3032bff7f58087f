/* SPDX-License-Identifier: MIT */
/*
 * The operating system's file operations as a table, and whole transfers on top of whatever table is in force.
 */
#define _GNU_SOURCE /* pread, posix_fallocate, flock, O_NOFOLLOW */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/memory.h"

static int result(int value) { return value < 0 ? -errno : value; }

/* O_NONBLOCK: a FIFO or terminal in place of a file must not block; regular files ignore it. */
static int system_open_read(void *user, const char *path)
{
    (void)user;
    return result(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

static int system_create_exclusive(void *user, const char *path)
{
    (void)user;
    return result(open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
}

static int64_t system_pread(void *user, int fd, void *data, size_t nbytes, uint64_t offset)
{
    (void)user;
    if (offset > INT64_MAX)
        return -EINVAL;
    ssize_t n = pread(fd, data, nbytes, (off_t)offset);
    return n < 0 ? -errno : (int64_t)n;
}

static int64_t system_pwrite(void *user, int fd, const void *data, size_t nbytes, uint64_t offset)
{
    (void)user;
    if (offset > INT64_MAX)
        return -EINVAL;
    ssize_t n = pwrite(fd, data, nbytes, (off_t)offset);
    return n < 0 ? -errno : (int64_t)n;
}

static int system_allocate(void *user, int fd, uint64_t nbytes)
{
    (void)user;
    if (nbytes == 0)
        return 0;
    if (nbytes > INT64_MAX)
        return -EFBIG;
    return -posix_fallocate(fd, 0, (off_t)nbytes);
}

static int system_truncate(void *user, int fd, uint64_t nbytes)
{
    (void)user;
    return nbytes > INT64_MAX ? -EFBIG : result(ftruncate(fd, (off_t)nbytes));
}

static int system_sync(void *user, int fd)
{
    (void)user;
    return result(fsync(fd));
}

static int system_close(void *user, int fd)
{
    (void)user;
    return result(close(fd));
}

static int system_rename(void *user, const char *from, const char *to)
{
    (void)user;
    return result(rename(from, to));
}

static int system_unlink(void *user, const char *path)
{
    (void)user;
    return result(unlink(path));
}

static int system_make_directory(void *user, const char *path)
{
    (void)user;
    return result(mkdir(path, 0777));
}

static int system_sync_directory(void *user, const char *path)
{
    (void)user;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int status = result(fsync(fd));
    close(fd);
    /* some file systems cannot sync a folder and say so; there is nothing more to be done then */
    return status == -EINVAL ? 0 : status;
}

static int describe(int status, const struct stat *st, fanin_file_info *info)
{
    if (status < 0)
        return -errno;
    info->nbytes = (uint64_t)st->st_size;
    info->device = (uint64_t)st->st_dev;
    info->node = (uint64_t)st->st_ino;
    info->kind = S_ISREG(st->st_mode) ? FANIN_FILE_REGULAR
                 : S_ISDIR(st->st_mode) ? FANIN_FILE_DIRECTORY
                                        : FANIN_FILE_OTHER;
    return 0;
}

static int system_stat(void *user, const char *path, fanin_file_info *info)
{
    struct stat st;
    (void)user;
    return describe(stat(path, &st), &st, info);
}

static int system_fstat(void *user, int fd, fanin_file_info *info)
{
    struct stat st;
    (void)user;
    return describe(fstat(fd, &st), &st, info);
}

static int system_lock(void *user, int fd)
{
    (void)user;
    return result(flock(fd, LOCK_EX | LOCK_NB));
}

static const fanin_io system_io = {
    .open_read = system_open_read,
    .create_exclusive = system_create_exclusive,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .allocate = system_allocate,
    .truncate = system_truncate,
    .sync = system_sync,
    .close = system_close,
    .rename = system_rename,
    .unlink = system_unlink,
    .make_directory = system_make_directory,
    .sync_directory = system_sync_directory,
    .stat = system_stat,
    .fstat = system_fstat,
    .lock = system_lock,
};

/* Set before the first other call (hooks.h), so reading it needs no lock. */
static fanin_io replacement;
static bool is_replaced;

void fanin_set_io(const fanin_io *io)
{
    is_replaced = io != NULL;
    if (io != NULL)
        replacement = *io;
}

const fanin_io *fanin_default_io(void) { return &system_io; }

const fanin_io *fanin_io_table(void) { return is_replaced ? &replacement : &system_io; }

/* A table that never gets anywhere must not keep the caller for ever. */
enum { MAX_STALLS = 1000 };

fanin_status fanin_pread_all(int fd, void *data, size_t nbytes, uint64_t offset, const char *path, fanin_error *error)
{
    const fanin_io *io = fanin_io_table();
    size_t done = 0;
    int stalls = 0;
    while (done < nbytes) {
        int64_t n = io->pread(io->user, fd, (char *)data + done, nbytes - done, offset + done);
        if (n > 0) {
            done += (size_t)n;
            stalls = 0;
        } else if (n == -EINTR && stalls++ < MAX_STALLS) {
            continue;
        } else if (n < 0) {
            return fanin_fail_io(error, (int)n, "read", path);
        } else {
            return fanin_fail(error, FANIN_ERROR_IO, "cannot read %s: it ends before byte %llu", path,
                              (unsigned long long)(offset + nbytes));
        }
    }
    return FANIN_OK;
}

fanin_status fanin_pwrite_all(int fd, const void *data, size_t nbytes, uint64_t offset, const char *path,
                              fanin_error *error)
{
    const fanin_io *io = fanin_io_table();
    size_t done = 0;
    int stalls = 0;
    while (done < nbytes) {
        int64_t n = io->pwrite(io->user, fd, (const char *)data + done, nbytes - done, offset + done);
        if (n > 0) {
            done += (size_t)n;
            stalls = 0;
        } else if ((n == -EINTR || n == 0) && stalls++ < MAX_STALLS) {
            continue;
        } else {
            return fanin_fail_io(error, n < 0 ? (int)n : -EIO, "write", path);
        }
    }
    return FANIN_OK;
}

/* Standard input has no size: read into a block that grows up to the limit. */
static fanin_status read_stream(int fd, uint64_t limit, const char *path, char **data, size_t *nbytes,
                                fanin_error *error)
{
    size_t capacity = 64 * 1024, n = 0;
    char *text = fanin_allocate(capacity + 1, 1);
    while (text != NULL) {
        ssize_t got = read(fd, text + n, capacity - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            fanin_free(text);
            return fanin_fail_io(error, -errno, "read", path);
        }
        if (got == 0) {
            text[n] = '\0';
            *data = text;
            *nbytes = n;
            return FANIN_OK;
        }
        n += (size_t)got;
        if (n > limit) {
            fanin_free(text);
            return fanin_fail(error, FANIN_ERROR_FORMAT, "%s has more than %llu bytes", path,
                              (unsigned long long)limit);
        }
        if (n == capacity) {
            char *larger = fanin_reallocate(text, n, 2 * capacity + 1, 1);
            if (larger == NULL)
                break;
            text = larger;
            capacity *= 2;
        }
    }
    fanin_free(text);
    return fanin_fail_memory(error, 2 * capacity);
}

fanin_status fanin_read_file(const char *path, uint64_t limit, char **data, size_t *nbytes, fanin_error *error)
{
    const fanin_io *io = fanin_io_table();
    fanin_file_info info;
    if (strcmp(path, "-") == 0)
        return read_stream(STDIN_FILENO, limit, "standard input", data, nbytes, error);
    int fd = io->open_read(io->user, path);
    if (fd < 0)
        return fanin_fail_io(error, fd, "open", path);
    int code = io->fstat(io->user, fd, &info);
    fanin_status status = FANIN_OK;
    char *text = NULL;
    if (code < 0)
        status = fanin_fail_io(error, code, "look at", path);
    else if (info.kind != FANIN_FILE_REGULAR)
        status = fanin_fail(error, FANIN_ERROR_IO, "cannot read %s: it is %s, not a file", path,
                            info.kind == FANIN_FILE_DIRECTORY ? "a folder" : "a device, pipe or socket");
    else if (info.nbytes > limit)
        status = fanin_fail(error, FANIN_ERROR_FORMAT, "%s has %llu bytes, more than the %llu that are read", path,
                            (unsigned long long)info.nbytes, (unsigned long long)limit);
    if (status == FANIN_OK) {
        text = fanin_allocate((size_t)info.nbytes + 1, 1);
        status = text == NULL ? fanin_fail_memory(error, info.nbytes + 1)
                              : fanin_pread_all(fd, text, (size_t)info.nbytes, 0, path, error);
    }
    io->close(io->user, fd);
    if (status != FANIN_OK) {
        fanin_free(text);
        return status;
    }
    text[info.nbytes] = '\0';
    *data = text;
    *nbytes = (size_t)info.nbytes;
    return FANIN_OK;
}
