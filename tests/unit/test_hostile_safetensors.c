/* SPDX-License-Identifier: MIT */
/*
 * Hostile files: every file of tests/hostile must be refused with its status and its words, or accepted with its
 * warning. Files too large to commit, and things that are no files, are made here.
 */
#define _XOPEN_SOURCE 700
#include "counting_allocator.h"
#include "scratch.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fanin/checkpoint.h"

static fanin_error error;

static counting_allocator memory;

static int count_allocations(void **state)
{
    (void)state;
    counting_begin(&memory);
    return 0;
}

static int expect_no_leak(void **state)
{
    (void)state;
    counting_end();
    return memory.nblocks == 0 ? 0 : -1;
}

/* -- The committed files ------------------------------------------------------------------------------------------ */

static bool has_warning(const fanin_checkpoint *checkpoint, const char *part)
{
    for (size_t i = 0; i < fanin_checkpoint_warning_count(checkpoint); i++)
        if (strstr(fanin_checkpoint_warning_at(checkpoint, i), part) != NULL)
            return true;
    return false;
}

/* Returns what is wrong, or NULL. */
static const char *replay(const char *path, const char *status_name, const char *part)
{
    fanin_checkpoint *checkpoint = NULL;
    fanin_digest digest;
    memory.peak_nbytes = memory.nbytes;
    fanin_status status = fanin_checkpoint_open(path, &checkpoint, &error);
    const char *fault = NULL;
    if (strcmp(fanin_status_name(status), status_name) != 0)
        fault = "wrong status";
    else if (status != FANIN_OK && strstr(error.message, part) == NULL)
        fault = "wrong message";
    else if (status != FANIN_OK && strstr(error.message, path) == NULL)
        fault = "a message without the path";
    else if (status == FANIN_OK && strcmp(part, "-") == 0 && fanin_checkpoint_warning_count(checkpoint) > 0)
        fault = "an unexpected warning";
    else if (status == FANIN_OK && strcmp(part, "-") != 0 && !has_warning(checkpoint, part))
        fault = "no such warning";
    else if (status == FANIN_OK && fanin_checkpoint_digest(checkpoint, &digest, &error) != FANIN_OK)
        fault = "no digest";
    else if (memory.peak_nbytes > 64 << 20)
        fault = "more than 64 MiB of memory";
    for (const char *p = error.message; *p != 0; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            fault = "a message with control characters";
    fanin_checkpoint_close(checkpoint);
    return fault;
}

static void replay_folder(const char *folder, const char *suffix, size_t at_least)
{
    char path[1024], line[512];
    FILE *expected = fopen(strcat(strcpy(path, folder), "/expected.txt"), "r");
    assert_non_null(expected);
    size_t ncases = 0, nfaults = 0;
    while (fgets(line, sizeof line, expected) != NULL) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#')
            continue;
        char *status = strstr(line, " | "), *part = status != NULL ? strstr(status + 3, " | ") : NULL;
        assert_non_null(part);
        *status = *part = 0;
        snprintf(path, sizeof path, "%s/%s%s", folder, line, suffix);
        const char *fault = replay(path, status + 3, part + 3);
        if (fault != NULL)
            print_error("%s: %s: expected %s \"%s\", found \"%s\"\n", line, fault, status + 3, part + 3, error.message);
        nfaults += fault != NULL;
        ncases++;
    }
    fclose(expected);
    assert_int_equal(nfaults, 0);
    assert_true(ncases >= at_least);
}

static void committed_safetensors(void **state)
{
    (void)state;
    char folder[512];
    replay_folder(test_source_path(folder, sizeof folder, "tests/hostile/safetensors"), ".safetensors", 140);
}

static void committed_indexes(void **state)
{
    (void)state;
    char folder[512];
    replay_folder(test_source_path(folder, sizeof folder, "tests/hostile/index"), "", 45);
}

static void committed_npy(void **state)
{
    (void)state;
    char folder[512];
    replay_folder(test_source_path(folder, sizeof folder, "tests/hostile/npy"), ".npy", 65);
}

/* Every allocation fails in its turn, while files are opened that have all there is to read. */
static void no_memory(void **state)
{
    (void)state;
    static const char *const paths[] = {
        "tests/hostile/safetensors/good-every-dtype.safetensors",
        "tests/hostile/safetensors/good-only-metadata.safetensors",
        "tests/hostile/safetensors/good-many-unknown-fields.safetensors",
        "tests/hostile/index/good-unknown-field",
        "tests/hostile/npy/good-fortran.npy",
        "tests/hostile/npy/good-f8-e4m3.npy",
    };
    char path[512];
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        test_source_path(path, sizeof path, paths[i]);
        for (uint64_t n = 1;; n++) {
            fanin_checkpoint *checkpoint = NULL;
            fanin_digest digest;
            counting_begin(&memory);
            memory.fail_at = n;
            fanin_status status = fanin_checkpoint_open(path, &checkpoint, &error);
            if (status == FANIN_OK)
                status = fanin_checkpoint_digest(checkpoint, &digest, &error);
            fanin_checkpoint_close(checkpoint);
            assert_int_equal(memory.nblocks, 0);
            assert_int_equal(status, memory.ncalls >= n ? FANIN_ERROR_MEMORY : FANIN_OK);
            if (memory.ncalls < n)
                break;
        }
    }
}

/* -- Files made here ---------------------------------------------------------------------------------------------- */

static void write_bytes(const char *path, const void *header, size_t nbytes, uint64_t length, uint64_t file_nbytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    uint8_t first[8];
    for (int i = 0; i < 8; i++)
        first[i] = (uint8_t)(length >> 8 * i);
    assert_int_equal(write(fd, first, 8), 8);
    for (size_t done = 0; done < nbytes;) {
        ssize_t n = write(fd, (const char *)header + done, nbytes - done);
        assert_true(n > 0);
        done += (size_t)n;
    }
    assert_int_equal(ftruncate(fd, (off_t)file_nbytes), 0);
    close(fd);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void open_fails(const char *path, fanin_status status, const char *part)
{
    fanin_checkpoint *checkpoint = NULL;
    assert_fails(fanin_checkpoint_open(path, &checkpoint, &error), status, error, part);
}

static void header_beyond_the_cap(void **state)
{
    (void)state;
    write_bytes("cap.safetensors", "", 0, 100000001, 8 + 100000001 + 8);
    open_fails("cap.safetensors", FANIN_ERROR_FORMAT, "at most 100000000");
    unlink("cap.safetensors");
}

/* 10 MB of brackets: refused at the fourth, not stored. */
static void brackets(void **state)
{
    (void)state;
    size_t n = 10000000;
    char *header = malloc(n);
    assert_non_null(header);
    memset(header, '[', n);
    write_bytes("brackets.safetensors", header, n, n, 8 + n);
    free(header);
    double begin = seconds();
    open_fails("brackets.safetensors", FANIN_ERROR_FORMAT, "deep");
    assert_true(seconds() - begin < 1);
    unlink("brackets.safetensors");
}

/* A megabyte of numbers must not become more than 64 MiB of memory. */
static void numbers(void **state)
{
    (void)state;
    static const char start[] = "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,0],\"shape\":[";
    size_t n = 1 << 20;
    char *header = malloc(n);
    assert_non_null(header);
    for (size_t i = 0; i < n; i++)
        header[i] = i % 2 == 0 ? ',' : '0';
    memcpy(header, start, sizeof start - 1);
    write_bytes("numbers.safetensors", header, n, n, 8 + n);
    free(header);
    memory.peak_nbytes = memory.nbytes;
    open_fails("numbers.safetensors", FANIN_ERROR_FORMAT, "values");
    assert_true(memory.peak_nbytes < 64 << 20);
    unlink("numbers.safetensors");
}

static void terabyte(void **state)
{
    (void)state;
    char header[128];
    uint64_t nelem = (uint64_t)1 << 38; /* of 4 bytes: 1 TiB */
    int n = snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"F32\",\"shape\":[%llu],\"data_offsets\":[0,%llu]}}",
                     (unsigned long long)nelem, (unsigned long long)(4 * nelem));
    write_bytes("terabyte.safetensors", header, (size_t)n, (uint64_t)n, 8 + (uint64_t)n + 4 * nelem);
    fanin_checkpoint *checkpoint;
    double begin = seconds();
    assert_ok(fanin_checkpoint_open("terabyte.safetensors", &checkpoint, &error), error);
    assert_int_equal(fanin_checkpoint_tensor_at(checkpoint, 0)->nbytes, 4 * nelem);
    uint8_t last[4] = {1, 1, 1, 1};
    assert_ok(fanin_checkpoint_read(checkpoint, 0, 4 * nelem - 4, last, 4, &error), error);
    assert_int_equal(last[0] | last[1] | last[2] | last[3], 0);
    assert_fails(fanin_checkpoint_read(checkpoint, 0, 4 * nelem - 3, last, 4, &error), FANIN_ERROR_ARGUMENT, error,
                 "beyond its end");
    assert_fails(fanin_checkpoint_read(checkpoint, 1, 0, last, 4, &error), FANIN_ERROR_ARGUMENT, error, "no tensor 1");
    fanin_checkpoint_close(checkpoint);
    assert_true(seconds() - begin < 1);
    unlink("terabyte.safetensors");
}

/* One million tensors: seconds, not minutes, and every one is found. */
static void million_tensors(void **state)
{
    (void)state;
    enum { N = 1000000 };
    size_t capacity = (size_t)N * 80, used = 0;
    char *header = malloc(capacity);
    assert_non_null(header);
    for (int i = 0; i < N; i++)
        used += (size_t)snprintf(header + used, capacity - used,
                                 "%c\"t%d\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[%d,%d]}",
                                 i == 0 ? '{' : ',', i, i, i + 1);
    header[used++] = '}';
    write_bytes("million.safetensors", header, used, used, 8 + used + N);
    free(header);
    fanin_checkpoint *checkpoint;
    double begin = seconds();
    assert_ok(fanin_checkpoint_open("million.safetensors", &checkpoint, &error), error);
    print_message("%zu bytes of header in %.2f s\n", used, seconds() - begin);
    assert_true(seconds() - begin < (getenv("FANIN_SANITIZE") != NULL ? 300 : 30));
    assert_int_equal(fanin_checkpoint_tensor_count(checkpoint), N);
    for (int i = 0; i < N; i += 997) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        size_t found = fanin_checkpoint_tensor_find(checkpoint, name);
        assert_true(found < N);
        assert_int_equal(fanin_checkpoint_tensor_at(checkpoint, found)->offset, 8 + used + (size_t)i);
    }
    assert_int_equal(fanin_checkpoint_tensor_find(checkpoint, "t1000000"), SIZE_MAX);
    fanin_checkpoint_close(checkpoint);
    unlink("million.safetensors");
}

/* Opening a pipe waits for a writer: the test would not end. */
static void no_files(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("pipe.safetensors", 0600), 0);
    open_fails("pipe.safetensors", FANIN_ERROR_FORMAT, "a pipe, device or socket");
    open_fails("/dev/zero", FANIN_ERROR_FORMAT, "a pipe, device or socket");
    open_fails("/dev/null", FANIN_ERROR_FORMAT, "a pipe, device or socket");
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket.safetensors"};
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    open_fails("socket.safetensors", FANIN_ERROR_FORMAT, "a pipe, device or socket");
    close(fd);
    open_fails("not-there.safetensors", FANIN_ERROR_IO, "not-there.safetensors");
    assert_int_equal(mkdir("empty-folder", 0700), 0);
    open_fails("empty-folder", FANIN_ERROR_FORMAT, "neither model.safetensors nor model.safetensors.index.json");
    assert_int_equal(mkdir("folder", 0700), 0);
    assert_int_equal(mkdir("folder/model.safetensors", 0700), 0);
    open_fails("folder", FANIN_ERROR_FORMAT, "is a folder");
    assert_int_equal(rmdir("folder/model.safetensors"), 0);
    assert_int_equal(mkfifo("folder/model.safetensors.index.json", 0600), 0);
    open_fails("folder", FANIN_ERROR_IO, "not a regular file");
    unlink("folder/model.safetensors.index.json");
    rmdir("folder");
    rmdir("empty-folder");
    unlink("pipe.safetensors");
    unlink("socket.safetensors");
}

/* Cut after it was opened: an error, where a mapping would end the process. */
static void cut_while_open(void **state)
{
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4096],\"data_offsets\":[0,4096]}}";
    write_bytes("cut.safetensors", header, sizeof header - 1, sizeof header - 1, 8 + sizeof header - 1 + 4096);
    fanin_checkpoint *checkpoint;
    uint8_t bytes[4096];
    assert_ok(fanin_checkpoint_open("cut.safetensors", &checkpoint, &error), error);
    assert_ok(fanin_checkpoint_read(checkpoint, 0, 0, bytes, 4096, &error), error);
    assert_int_equal(truncate("cut.safetensors", 1000), 0);
    assert_fails(fanin_checkpoint_read(checkpoint, 0, 0, bytes, 4096, &error), FANIN_ERROR_IO, error,
                 "it ends at byte");
    fanin_checkpoint_close(checkpoint);
    unlink("cut.safetensors");
}

/* Every length of a good file but its own is refused. */
static void every_truncation(void **state)
{
    (void)state;
    static const char header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    size_t whole = 8 + sizeof header - 1 + 8;
    for (size_t n = 0; n <= whole + 1; n++) {
        write_bytes("cut.safetensors", header, sizeof header - 1, sizeof header - 1, n);
        fanin_checkpoint *checkpoint = NULL;
        fanin_status status = fanin_checkpoint_open("cut.safetensors", &checkpoint, &error);
        assert_int_equal(status, n == whole ? FANIN_OK : FANIN_ERROR_FORMAT);
        fanin_checkpoint_close(checkpoint);
    }
    unlink("cut.safetensors");
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, count_allocations, expect_no_leak)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(committed_safetensors), COUNTED(committed_indexes), COUNTED(committed_npy),  COUNTED(no_memory),
        COUNTED(header_beyond_the_cap), COUNTED(brackets),          COUNTED(numbers),        COUNTED(terabyte),
        COUNTED(million_tensors),       COUNTED(no_files),          COUNTED(cut_while_open), COUNTED(every_truncation),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
