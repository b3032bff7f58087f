/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own for a test program, gone when it ends: files that a failed or killed run left can not disturb the
 * next one. For cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch). Needs _XOPEN_SOURCE 700.
 */
#ifndef FANIN_TEST_SCRATCH_H
#define FANIN_TEST_SCRATCH_H

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char test_scratch_path[] = "scratch-XXXXXX";

static inline int test_enter_scratch(void **state)
{
    (void)state;
    if (mkdtemp(test_scratch_path) != NULL && chdir(test_scratch_path) == 0)
        return 0;
    perror(test_scratch_path);
    return -1;
}

static inline int test_remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind;
    return place->level > 0 ? remove(path) : 0;
}

/* Removes all that a folder holds; one that is not there is fine. */
static inline void test_empty_folder(const char *folder)
{
    (void)nftw(folder, test_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline int test_leave_scratch(void **state)
{
    (void)state;
    test_empty_folder(".");
    if (chdir("..") == 0)
        rmdir(test_scratch_path);
    return 0;
}

/* Files of a folder whose name holds `part`; all for "". */
static inline size_t test_count_files(const char *folder, const char *part)
{
    size_t n = 0;
    DIR *listing = opendir(folder);
    if (listing == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        n += entry->d_name[0] != '.' && strstr(entry->d_name, part) != NULL;
    closedir(listing);
    return n;
}

#endif
