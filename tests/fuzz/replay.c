/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files and folders of files, as libFuzzer would, without libFuzzer: so that every input that
 * once found something is a test on every compiler. Each input lies at the end of a block of exactly its size, where
 * the address sanitizer sees a read beyond it.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        return -1;
    }
    long end = ftell(file);
    size_t nbytes = end < 0 ? 0 : (size_t)end;
    uint8_t *data = malloc(nbytes > 0 ? nbytes : 1);
    rewind(file);
    if (data == NULL || end < 0 || fread(data, 1, nbytes, file) != nbytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        free(data);
        fclose(file);
        return -1;
    }
    fclose(file);
    /* Said before the run: after a crash it is the last line. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, nbytes);
    free(data);
    return 0;
}

static int replay_folder(const char *path, size_t *count)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        perror(path);
        return -1;
    }
    int result = 0;
    for (int i = 0; i < n; i++) {
        char file[4096];
        int length = snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && result == 0) {
            result = length < (int)sizeof file ? replay_file(file) : -1;
            *count += 1;
        }
        free(entries[i]);
    }
    free(entries);
    return result;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) != 0) {
            perror(argv[i]);
            return 1;
        }
        if (S_ISDIR(info.st_mode)) {
            if (replay_folder(argv[i], &count) != 0)
                return 1;
        } else {
            if (replay_file(argv[i]) != 0)
                return 1;
            count += 1;
        }
    }
    if (count == 0) {
        fprintf(stderr, "no inputs: name files or folders\n");
        return 1;
    }
    printf("%zu inputs replayed\n", count);
    return 0;
}
