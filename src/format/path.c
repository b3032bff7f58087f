/* SPDX-License-Identifier: MIT */
/*
 * Taking paths apart and putting them together.
 */
#include "format/path.h"

#include <string.h>

#include "base/memory.h"

bool fanin_path_ends_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), m = strlen(suffix);
    return n >= m && strcmp(path + n - m, suffix) == 0;
}

char *fanin_path_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return fanin_duplicate(".", 1);
    return fanin_duplicate(path, slash == path ? 1 : (size_t)(slash - path));
}

char *fanin_path_join(const char *folder, const char *name)
{
    size_t n = strcmp(folder, ".") == 0 ? 0 : strlen(folder), m = strlen(name);
    char *path = fanin_allocate(n + m + 2, 1);
    if (path == NULL)
        return NULL;
    memcpy(path, folder, n);
    if (n > 0 && folder[n - 1] != '/')
        path[n++] = '/';
    memcpy(path + n, name, m + 1);
    return path;
}
