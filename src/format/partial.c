/* SPDX-License-Identifier: MIT */
/*
 * Files that appear under their name only when they are whole.
 */
#include "format/partial.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/file_calls.h"

/*
 * What is needed of a lock: of two runs that want the same temporary name, the second finds out that the first lives.
 * Where the file system has no locks, a leftover is taken for dead.
 */
static bool is_held(int fd)
{
    return fanin_file_lock(fd) == -EWOULDBLOCK;
}

/* 1 if the name still leads to the open file, 0 if that was removed or replaced before it was locked, or an errno. */
static int is_same_file(int fd, const char *path)
{
    fanin_file_info opened, named;
    int code = fanin_file_fstat(fd, &opened);
    if (code < 0)
        return code;
    code = fanin_file_stat(path, &named);
    if (code < 0)
        return code == -ENOENT ? 0 : code;
    return opened.device == named.device && opened.node == named.node;
}

static fanin_status fail_held(const char *path, fanin_error *error)
{
    return fanin_fail(error, FANIN_ERROR_IO, "%s: another run is writing here; wait for it to end, or end it", path);
}

/*
 * The lock on a leftover is kept until it is removed, and the name is checked under it, so that of several runs that
 * find the same leftover none can remove the file of another.
 */
static fanin_status remove_leftover(const char *path, fanin_error *error)
{
    int fd = fanin_file_open_read(path);
    if (fd == -ENOENT)
        return FANIN_OK;
    if (fd < 0)
        return fanin_fail_io(error, fd, "look at", path);
    fanin_status status = FANIN_OK;
    if (is_held(fd)) {
        status = fail_held(path, error);
    } else {
        int same = is_same_file(fd, path);
        if (same < 0)
            status = fanin_fail_io(error, same, "look at", path);
        else if (same)
            status = fanin_remove(path, error);
    }
    (void)fanin_file_close(fd);
    return status;
}

static fanin_status create_locked(fanin_partial *partial, fanin_error *error)
{
    for (int tries = 0; tries < 8; tries++) {
        int fd = fanin_file_create_exclusive(partial->path);
        if (fd == -EEXIST) {
            FANIN_TRY(remove_leftover(partial->path, error));
            continue;
        }
        if (fd < 0)
            return fanin_fail_io(error, fd, "create", partial->path);
        int same = is_held(fd) ? 0 : is_same_file(fd, partial->path);
        if (same > 0) {
            partial->fd = fd;
            partial->made = true;
            return FANIN_OK;
        }
        (void)fanin_file_close(fd);
        if (same < 0) {
            (void)fanin_remove(partial->path, NULL);
            return fanin_fail_io(error, same, "look at", partial->path);
        }
    }
    return fail_held(partial->path, error);
}

/* Linux and most file systems allow a name of this many bytes; the temporary one is cut to fit, its tag stays. */
enum { MAX_NAME_NBYTES = 255 };

static fanin_status make_paths(fanin_partial *partial, const char *name, const char *tag, fanin_error *error)
{
    static const char infix[] = ".partial-";
    const char *slash = strrchr(name, '/');
    size_t folder = slash != NULL ? (size_t)(slash - name) + 1 : 0;
    size_t n = strlen(name), m = strlen(tag), room = folder + MAX_NAME_NBYTES - (sizeof infix - 1) - m;
    size_t kept = n < room ? n : room;
    partial->fd = -1;
    partial->made = false;
    partial->name = fanin_duplicate(name, n);
    partial->path = fanin_allocate(kept + sizeof infix + m, 1);
    if (partial->name == NULL || partial->path == NULL)
        return fanin_fail_memory(error, n + sizeof infix + m);
    memcpy(partial->path, name, kept);
    memcpy(partial->path + kept, infix, sizeof infix - 1);
    memcpy(partial->path + kept + sizeof infix - 1, tag, m + 1);
    return FANIN_OK;
}

fanin_status fanin_partial_create(fanin_partial *partial, const char *name, const char *tag, uint64_t nbytes,
                                  fanin_error *error)
{
    fanin_status status = make_paths(partial, name, tag, error);
    if (status == FANIN_OK)
        status = create_locked(partial, error);
    if (status == FANIN_OK && nbytes > 0) {
        int code = fanin_file_allocate(partial->fd, nbytes);
        if (code < 0 && code != -EOPNOTSUPP)
            status = fanin_fail_io(error, code, "reserve space for", partial->path);
    }
    if (status != FANIN_OK)
        fanin_partial_discard(partial);
    return status;
}

fanin_status fanin_partial_finish(fanin_partial *partial, fanin_error *error)
{
    int code = fanin_file_sync(partial->fd);
    if (code < 0)
        return fanin_fail_io(error, code, "sync", partial->path);
    code = fanin_file_close(partial->fd);
    partial->fd = -1;
    /* an interrupted close has closed, and the bytes are on the disk already */
    if (code < 0 && code != -EINTR)
        return fanin_fail_io(error, code, "close", partial->path);
    return FANIN_OK;
}

fanin_status fanin_partial_publish(fanin_partial *partial, fanin_error *error)
{
    int code = fanin_file_rename(partial->path, partial->name);
    if (code < 0)
        return fanin_fail_io(error, code, "rename to its name", partial->path);
    partial->made = false;
    return FANIN_OK;
}

void fanin_partial_discard(fanin_partial *partial)
{
    if (partial->made && partial->fd >= 0)
        (void)fanin_file_close(partial->fd);
    if (partial->made)
        (void)fanin_remove(partial->path, NULL);
    fanin_free(partial->name);
    fanin_free(partial->path);
    memset(partial, 0, sizeof *partial);
}

fanin_status fanin_partial_write(fanin_partial *partial, const char *name, const char *tag, const void *data,
                                 size_t nbytes, fanin_error *error)
{
    FANIN_TRY(fanin_partial_create(partial, name, tag, nbytes, error));
    fanin_status status = fanin_pwrite_all(partial->fd, data, nbytes, 0, partial->path, error);
    if (status == FANIN_OK)
        status = fanin_partial_finish(partial, error);
    if (status != FANIN_OK)
        fanin_partial_discard(partial);
    return status;
}

fanin_status fanin_remove(const char *path, fanin_error *error)
{
    int code = fanin_file_unlink(path);
    return code < 0 && code != -ENOENT ? fanin_fail_io(error, code, "remove", path) : FANIN_OK;
}

fanin_status fanin_sync_folder(const char *path, fanin_error *error)
{
    int code = fanin_file_sync_directory(path);
    return code < 0 ? fanin_fail_io(error, code, "sync the folder", path) : FANIN_OK;
}

fanin_status fanin_lock_folder(const char *path, int *fd, fanin_error *error)
{
    *fd = fanin_file_open_read(path);
    if (*fd < 0)
        return fanin_fail_io(error, *fd, "open the folder", path);
    if (!is_held(*fd))
        return FANIN_OK;
    fanin_unlock_folder(*fd);
    return fail_held(path, error);
}

void fanin_unlock_folder(int fd)
{
    (void)fanin_file_close(fd);
}
