/* SPDX-License-Identifier: MIT */
/*
 * The two tables through which every allocation and every file operation of the library goes. Set them before the
 * first other call, or not at all; setting them while another thread is inside the library is a race. Both must be
 * safe to call from several threads at once if you give the library threads (parallel.h); a file longer than 2 MiB is
 * written by two threads of its own, so that pwrite, write_back and set_direct may be called while others are.
 */
#ifndef FANIN_HOOKS_H
#define FANIN_HOOKS_H

#include "fanin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* allocate returns memory aligned for any object, or NULL; release takes what allocate gave, never NULL. */
typedef struct fanin_allocator {
    void *(*allocate)(void *user, size_t nbytes);
    void (*release)(void *user, void *memory);
    void *user;
} fanin_allocator;

/* NULL restores malloc and free. */
FANIN_API void fanin_set_allocator(const fanin_allocator *allocator);

enum { FANIN_FILE_OTHER = 0, FANIN_FILE_REGULAR = 1, FANIN_FILE_DIRECTORY = 2 };
typedef struct fanin_file_info {
    uint64_t nbytes;
    uint64_t device; /* device and node identify a file: output = input is found by them */
    uint64_t node;
    int kind; /* FANIN_FILE_... */
} fanin_file_info;

/*
 * POSIX calls by their names. Each returns >= 0, or a negative errno value (-ENOSPC). Interrupted calls (EINTR) and
 * short reads and writes may be returned; the library repeats.
 */
typedef struct fanin_io {
    int (*open_read)(void *user, const char *path);
    int (*create_exclusive)(void *user, const char *path); /* O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0666 */
    int64_t (*pread)(void *user, int fd, void *data, size_t nbytes, uint64_t offset);
    int64_t (*pwrite)(void *user, int fd, const void *data, size_t nbytes, uint64_t offset);
    int (*allocate)(void *user, int fd, uint64_t nbytes); /* posix_fallocate; -EOPNOTSUPP is not an error */
    int (*truncate)(void *user, int fd, uint64_t nbytes);
    int (*sync)(void *user, int fd);
    int (*close)(void *user, int fd);
    int (*rename)(void *user, const char *from, const char *to);
    int (*unlink)(void *user, const char *path);
    int (*make_directory)(void *user, const char *path);
    int (*sync_directory)(void *user, const char *path);
    int (*stat)(void *user, const char *path, fanin_file_info *info);
    int (*fstat)(void *user, int fd, fanin_file_info *info);
    int (*lock)(void *user, int fd); /* flock(LOCK_EX | LOCK_NB), on folders too; -EWOULDBLOCK: another holds it */
    /*
     * May be NULL. Begins to bring bytes that were written to the disk; with `drop` waits for them to be there and lets
     * the system forget them. Only for speed, and memory that does not grow: 0 where nothing like it can be done, but
     * an error of the disk must be returned, since sync may then not tell it again.
     */
    int (*write_back)(void *user, int fd, uint64_t offset, uint64_t nbytes, bool drop);
    /*
     * May be NULL. With `direct`, pwrite goes past the system's page cache until it is called without: offsets, counts
     * and memory are then multiples of 4096. A negative value where that cannot be done; pwrite may return -EINVAL as
     * well. Only for speed.
     */
    int (*set_direct)(void *user, int fd, bool direct);
    void *user;
} fanin_io;

/* NULL restores the operating system's. The default table can be had to wrap it. */
FANIN_API void fanin_set_io(const fanin_io *io);
FANIN_API const fanin_io *fanin_default_io(void);

#ifdef __cplusplus
}
#endif
#endif
