/* SPDX-License-Identifier: MIT */
/*
 * Small files and questions about paths, in POSIX calls.
 */
#define _POSIX_C_SOURCE 200809L
#include "small_file.h"

#include "option.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_io(const char *what, const char *path)
{
    print_error("cannot %s %s: %s", what, path, strerror(errno));
    return EXIT_SYSTEM;
}

int file_read(const char *path, void *data, size_t nbytes_most, size_t *nbytes)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return fail_io("open", path);
    *nbytes = 0;
    ssize_t got = 1;
    while (*nbytes < nbytes_most && got != 0) {
        got = read(file, (char *)data + *nbytes, nbytes_most - *nbytes);
        if (got > 0)
            *nbytes += (size_t)got;
        if (got < 0 && errno != EINTR)
            break;
    }
    int exit_status = got < 0 ? fail_io("read", path) : EXIT_OK;
    close(file);
    return exit_status;
}

bool file_is_json(const char *path)
{
    char begin[64];
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file == -1)
        return false;
    ssize_t n = fstat(file, &info) == 0 && S_ISREG(info.st_mode) ? read(file, begin, sizeof begin) : 0;
    close(file);
    ssize_t i = 0;
    while (i < n && memchr(" \t\r\n", begin[i], 4) != NULL)
        i++;
    /* a safetensors file may begin with the same byte, but then zeros follow */
    return i + 1 < n && begin[i] == '{' && begin[i + 1] != '\0';
}

static bool write_all(int file, const char *data, size_t nbytes)
{
    while (nbytes > 0) {
        ssize_t written = write(file, data, nbytes);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data += written;
            nbytes -= (size_t)written;
        }
    }
    return true;
}

int file_write(const char *path, const void *data, size_t nbytes)
{
    size_t length = strlen(path) + 32;
    char *temporary = malloc(length);
    if (temporary == NULL) {
        print_error("out of memory");
        return EXIT_SYSTEM;
    }
    snprintf(temporary, length, "%s.partial-%ld", path, (long)getpid());
    int file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    int exit_status = EXIT_OK;
    if (file == -1) {
        exit_status = fail_io("create", temporary);
    } else {
        bool written = write_all(file, data, nbytes) && fsync(file) == 0;
        int reason = errno;
        if (close(file) != 0 && written) {
            written = false;
            reason = errno;
        }
        errno = reason;
        if (!written)
            exit_status = fail_io("write", temporary);
        else if (rename(temporary, path) != 0)
            exit_status = fail_io("rename to", path);
        if (exit_status != EXIT_OK)
            unlink(temporary);
    }
    free(temporary);
    return exit_status;
}

/* The folder part of a path, "." if it has none; NULL if it does not fit. */
static const char *folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return strcpy(folder, ".");
    size_t length = slash == path ? 1 : (size_t)(slash - path);
    if (length >= PATH_MAX)
        return NULL;
    memcpy(folder, path, length);
    folder[length] = '\0';
    return folder;
}

int file_check_new(const char *path, bool force)
{
    struct stat info;
    char folder[PATH_MAX];
    if (lstat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode)) {
            print_error("%s is a folder; write the name of a file", path);
            return EXIT_USAGE;
        }
        if (force)
            return EXIT_OK;
        print_error("%s exists; --force replaces it", path);
        return EXIT_USAGE;
    }
    if (folder_of(path, folder) == NULL) {
        print_error("cannot write %s: the name is too long", path);
        return EXIT_USAGE;
    }
    if (stat(folder, &info) != 0) {
        print_error("cannot write %s: folder %s: %s", path, folder, strerror(errno));
        return EXIT_SYSTEM;
    }
    if (!S_ISDIR(info.st_mode)) {
        print_error("cannot write %s: %s is not a folder", path, folder);
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

bool file_is_same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    if (strcmp(a, b) == 0)
        return true;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool file_is_in(const char *path, const char *directory)
{
    char folder[PATH_MAX];
    return folder_of(path, folder) != NULL && file_is_same(folder, directory);
}

bool file_has_ending(const char *path, const char *ending)
{
    size_t length = strlen(path), ending_length = strlen(ending);
    return length > ending_length && strcmp(path + length - ending_length, ending) == 0;
}

const char *file_last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

uint64_t memory_nbytes(void)
{
#if defined(_SC_PHYS_PAGES)
    long pages = sysconf(_SC_PHYS_PAGES);
    long page = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page > 0)
        return (uint64_t)pages * (uint64_t)page;
#endif
    return UINT64_MAX;
}
