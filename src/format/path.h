/* SPDX-License-Identifier: MIT */
/*
 * Taking paths apart and putting them together: the folder a file lies in, a name beside another.
 */
#ifndef FANIN_FORMAT_PATH_H
#define FANIN_FORMAT_PATH_H

#include <stdbool.h>
#include <stddef.h>

bool fanin_path_ends_with(const char *path, const char *suffix);
/* "a/b/c" -> "a/b", "c" -> ".", "/c" -> "/". NULL when there is no memory; fanin_free it. */
char *fanin_path_folder(const char *path);
/* folder/name, or name alone where the folder is "."; NULL when there is no memory; fanin_free it. */
char *fanin_path_join(const char *folder, const char *name);

#endif
