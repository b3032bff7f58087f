/* SPDX-License-Identifier: MIT */
/*
 * Files through the table: the operating system's own calls, and whole transfers over a table that interrupts, stops
 * short and fails.
 */
#define _GNU_SOURCE
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "counting_allocator.h"

static void write_file(const char *path, const char *data, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, nbytes, file), nbytes);
    assert_int_equal(fclose(file), 0);
}

static void test_default_table(void **state)
{
    (void)state;
    const fanin_io *io = fanin_default_io();
    fanin_file_info info, other;
    fanin_set_io(NULL);
    umask(022);
    rmdir("folder");
    unlink("made");
    unlink("renamed");

    int fd = io->create_exclusive(io->user, "made");
    assert_true(fd >= 0);
    assert_int_equal(io->create_exclusive(io->user, "made"), -EEXIST);
    int allocated = io->allocate(io->user, fd, 1000);
    assert_true(allocated == 0 || allocated == -EOPNOTSUPP);
    assert_int_equal(io->allocate(io->user, fd, 0), 0);
    assert_int_equal(io->allocate(io->user, fd, UINT64_MAX), -EFBIG);
    assert_int_equal(io->truncate(io->user, fd, 1234), 0);
    assert_int_equal(io->truncate(io->user, fd, UINT64_MAX), -EFBIG);
    assert_int_equal(io->pwrite(io->user, fd, "abc", 3, 1231), 3);
    assert_int_equal(io->pwrite(io->user, fd, "abc", 3, UINT64_MAX), -EFBIG);
    char data[8] = "";
    assert_int_equal(io->pread(io->user, fd, data, 8, 1230), 4);
    assert_memory_equal(data, "\0abc", 4);
    assert_int_equal(io->pread(io->user, fd, data, 8, 1234), 0);
    assert_int_equal(io->pread(io->user, fd, data, 8, UINT64_MAX), -EOVERFLOW);
    assert_int_equal(io->sync(io->user, fd), 0);
    assert_int_equal(io->lock(io->user, fd), 0);
    int again = io->open_read(io->user, "made");
    assert_true(again >= 0);
    assert_int_equal(io->lock(io->user, again), -EWOULDBLOCK);
    assert_int_equal(io->pwrite(io->user, again, "x", 1, 0), -EBADF);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(again, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(io->fstat(io->user, fd, &info), 0);
    assert_int_equal(info.kind, FANIN_FILE_REGULAR);
    assert_int_equal(info.nbytes, 1234);
    assert_int_equal(io->stat(io->user, "made", &other), 0);
    assert_true(other.kind == info.kind && other.nbytes == info.nbytes);
    assert_true(other.device == info.device && other.node == info.node);
    assert_int_equal(io->close(io->user, fd), 0);
    assert_int_equal(io->lock(io->user, again), 0);
    assert_int_equal(io->close(io->user, again), 0);
    assert_int_equal(io->close(io->user, again), -EBADF);
    struct stat mode;
    assert_int_equal(stat("made", &mode), 0);
    assert_int_equal(mode.st_mode & 0777, 0644);

    assert_int_equal(io->rename(io->user, "made", "renamed"), 0);
    assert_int_equal(io->rename(io->user, "made", "renamed"), -ENOENT);
    assert_int_equal(io->stat(io->user, "renamed", &info), 0);
    assert_true(info.device == other.device && info.node == other.node);
    assert_int_equal(io->unlink(io->user, "renamed"), 0);
    assert_int_equal(io->unlink(io->user, "renamed"), -ENOENT);
    assert_int_equal(io->stat(io->user, "renamed", &info), -ENOENT);
    assert_int_equal(io->open_read(io->user, "renamed"), -ENOENT);

    assert_int_equal(io->make_directory(io->user, "folder"), 0);
    assert_int_equal(io->make_directory(io->user, "folder"), -EEXIST);
    assert_int_equal(io->sync_directory(io->user, "folder"), 0);
    assert_int_equal(io->sync_directory(io->user, "nowhere"), -ENOENT);
    assert_int_equal(io->stat(io->user, "folder", &info), 0);
    assert_int_equal(info.kind, FANIN_FILE_DIRECTORY);
    fd = io->open_read(io->user, "folder");
    assert_true(fd >= 0);
    assert_int_equal(io->lock(io->user, fd), 0);
    assert_int_equal(io->close(io->user, fd), 0);
    rmdir("folder");
}

/* A link is never followed when a file is made. */
static void test_create_does_not_follow(void **state)
{
    (void)state;
    const fanin_io *io = fanin_default_io();
    unlink("link");
    unlink("target");
    assert_int_equal(symlink("target", "link"), 0);
    assert_int_equal(io->create_exclusive(io->user, "link"), -EEXIST);
    assert_int_equal(access("target", F_OK), -1);
    unlink("link");
}

static void test_read_file(void **state)
{
    (void)state;
    char *data;
    size_t nbytes;
    fanin_error error = {0};
    write_file("text", "some\0text", 9);
    assert_ok(fanin_read_file("text", 9, &data, &nbytes, &error), error);
    assert_int_equal(nbytes, 9);
    assert_memory_equal(data, "some\0text", 10);
    fanin_free(data);
    assert_fails(fanin_read_file("text", 8, &data, &nbytes, &error), FANIN_ERROR_FORMAT, error,
                 "text: more than the 8 bytes");
    assert_null(data);
    write_file("text", "", 0);
    assert_ok(fanin_read_file("text", 0, &data, &nbytes, &error), error);
    assert_int_equal(nbytes, 0);
    assert_string_equal(data, "");
    fanin_free(data);
    assert_fails(fanin_read_file("nothing", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error,
                 "cannot open nothing: No such file or directory");
    assert_fails(fanin_read_file(".", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error,
                 "cannot read .: it is a folder");
    assert_fails(fanin_read_file("/dev/null", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error, "not a regular file");
    /* A FIFO without a writer does not keep us waiting. */
    unlink("fifo");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_fails(fanin_read_file("fifo", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error, "not a regular file");
    unlink("fifo");
    counting_allocator counter;
    counting_begin(&counter);
    counter.fail_at = 1;
    assert_fails(fanin_read_file("text", 9, &data, &nbytes, &error), FANIN_ERROR_MEMORY, error, "out of memory");
    assert_int_equal(counter.nblocks, 0);
    counting_end();
    unlink("text");
}

/* Standard input, as a pipe and as a file. */
static void test_read_standard_input(void **state)
{
    (void)state;
    enum { N = 60000 };
    char *data;
    size_t nbytes;
    fanin_error error = {0};
    int saved = dup(STDIN_FILENO), ends[2];
    for (int limit_is_passed = 0; limit_is_passed < 2; limit_is_passed++) {
        static char text[N];
        memset(text, 'x', N);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], text, N), N);
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        fanin_status status = fanin_read_file("-", limit_is_passed ? N - 1 : N, &data, &nbytes, &error);
        if (limit_is_passed) {
            assert_fails(status, FANIN_ERROR_FORMAT, error, "standard input: more than the 59999 bytes");
            assert_null(data);
        } else {
            assert_ok(status, error);
            assert_int_equal(nbytes, N);
            assert_int_equal(data[N - 1], 'x');
            assert_int_equal(data[N], '\0');
            fanin_free(data);
        }
    }
    static char large[200000];
    memset(large, 'y', sizeof large);
    write_file("input", large, sizeof large);
    int fd = open("input", O_RDONLY);
    dup2(fd, STDIN_FILENO);
    close(fd);
    assert_ok(fanin_read_file("-", 1 << 20, &data, &nbytes, &error), error);
    assert_int_equal(nbytes, sizeof large);
    assert_memory_equal(data, large, sizeof large);
    fanin_free(data);

    counting_allocator counter;
    counting_begin(&counter);
    for (uint64_t n = 1; n <= 3; n++) {
        counter.ncalls = 0;
        counter.fail_at = n;
        assert_fails(fanin_read_file("-", 1 << 20, &data, &nbytes, &error), FANIN_ERROR_MEMORY, error, "out of memory");
        assert_int_equal(counter.nblocks, 0);
    }
    counting_end();
    dup2(saved, STDIN_FILENO);
    close(saved);
    unlink("input");
}

/* A table over the system's whose transfers are interrupted, short or failing by a script of what each call does. */
struct script {
    const int *steps; /* > 0: at most so many bytes; 0: none; < 0: this error. The last one repeats. */
    size_t nsteps;
    size_t at;
};

static int next_step(struct script *script)
{
    return script->steps[script->at < script->nsteps - 1 ? script->at++ : script->at];
}

static int64_t scripted_pread(void *user, int fd, void *data, size_t nbytes, uint64_t offset)
{
    const fanin_io *system = fanin_default_io();
    int step = next_step(user);
    return step <= 0 ? step : system->pread(NULL, fd, data, nbytes < (size_t)step ? nbytes : (size_t)step, offset);
}

static int64_t scripted_pwrite(void *user, int fd, const void *data, size_t nbytes, uint64_t offset)
{
    const fanin_io *system = fanin_default_io();
    int step = next_step(user);
    return step <= 0 ? step : system->pwrite(NULL, fd, data, nbytes < (size_t)step ? nbytes : (size_t)step, offset);
}

static int scripted_fstat(void *user, int fd, fanin_file_info *info)
{
    int step = next_step(user);
    return step <= 0 ? step : fanin_default_io()->fstat(NULL, fd, info);
}

static int scripted_open_read(void *user, const char *path)
{
    int step = next_step(user);
    return step <= 0 ? step : fanin_default_io()->open_read(NULL, path);
}

/* Opening, looking and reading a stream fail with words too, and an interrupted call is repeated. */
static void test_failing_calls(void **state)
{
    (void)state;
    static const int interrupted[] = {-EINTR, -EINTR, 100};
    static const int never[] = {-EINTR};
    static const int broken[] = {-EINTR, -EIO};
    struct script script = {interrupted, 3, 0};
    fanin_io io = *fanin_default_io();
    fanin_error error = {0};
    char *data;
    size_t nbytes;
    write_file("text", "abc", 3);
    io.user = &script;
    io.open_read = scripted_open_read;
    fanin_set_io(&io);
    assert_ok(fanin_read_file("text", 9, &data, &nbytes, &error), error);
    fanin_free(data);
    script = (struct script){never, 1, 0};
    assert_fails(fanin_read_file("text", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error,
                 "cannot open text: Interrupted");
    io.open_read = fanin_default_io()->open_read;
    io.fstat = scripted_fstat;
    fanin_set_io(&io);
    script = (struct script){interrupted, 3, 0};
    assert_ok(fanin_read_file("text", 9, &data, &nbytes, &error), error);
    fanin_free(data);
    script = (struct script){broken, 2, 0};
    assert_fails(fanin_read_file("text", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error, "cannot look at text: ");
    io.pread = scripted_pread;
    fanin_set_io(&io);
    script = (struct script){broken, 2, 0};
    assert_fails(fanin_read_file("-", 9, &data, &nbytes, &error), FANIN_ERROR_IO, error,
                 "cannot read standard input: ");
    assert_null(data);
    fanin_set_io(NULL);
    unlink("text");
}

static void test_transfers(void **state)
{
    (void)state;
    static const int good[] = {-EINTR, 1, 2, -EINTR, -EINTR, 3, 100};
    static const int zero_once[] = {2, 0, 100};
    static const int full[] = {4, -ENOSPC};
    static const int never[] = {-EINTR};
    static const int nothing[] = {3, 0};
    struct script script = {good, 7, 0};
    fanin_io io = *fanin_default_io();
    fanin_error error = {0};
    char data[16];
    io.pread = scripted_pread;
    io.pwrite = scripted_pwrite;
    io.user = &script;
    fanin_set_io(&io);
    assert_ptr_equal(fanin_io_table()->user, &script);
    assert_true(fanin_default_io()->pread != scripted_pread);
    unlink("data");
    int fd = fanin_default_io()->create_exclusive(NULL, "data");
    assert_true(fd >= 0);

    assert_ok(fanin_pwrite_all(fd, "0123456789", 10, 2, "data", &error), error);
    script = (struct script){good, 7, 0};
    assert_ok(fanin_pread_all(fd, data, 12, 0, "data", &error), error);
    assert_memory_equal(data,
                        "\0\0"
                        "0123456789",
                        12);
    script = (struct script){zero_once, 3, 0};
    assert_ok(fanin_pwrite_all(fd, "abcdefghij", 10, 2, "data", &error), error);
    script = (struct script){full, 2, 0};
    assert_fails(fanin_pwrite_all(fd, "0123456789", 10, 2, "data", &error), FANIN_ERROR_IO, error,
                 "cannot write data: No space left on device");
    script = (struct script){nothing, 2, 0};
    assert_fails(fanin_pwrite_all(fd, "0123456789", 10, 2, "data", &error), FANIN_ERROR_IO, error,
                 "cannot write data: the system took no more after byte 5");
    script = (struct script){never, 1, 0};
    assert_fails(fanin_pwrite_all(fd, "0123456789", 10, 2, "data", &error), FANIN_ERROR_IO, error,
                 "cannot write data: Interrupted");
    assert_fails(fanin_pread_all(fd, data, 4, 0, "data", &error), FANIN_ERROR_IO, error,
                 "cannot read data: Interrupted");
    script = (struct script){full, 2, 0};
    assert_fails(fanin_pread_all(fd, data, 10, 0, "data", &error), FANIN_ERROR_IO, error,
                 "cannot read data: No space left");
    script = (struct script){good, 7, 0};
    assert_fails(fanin_pread_all(fd, data, 16, 0, "data", &error), FANIN_ERROR_IO, error,
                 "cannot read data: it ends at byte 12, before byte 16");
    assert_ok(fanin_pread_all(fd, NULL, 0, 0, "data", &error), error);

    /* A whole file through the same table. */
    char *text;
    size_t nbytes;
    script = (struct script){good, 7, 0};
    assert_ok(fanin_read_file("data", 100, &text, &nbytes, &error), error);
    assert_int_equal(nbytes, 12);
    fanin_free(text);
    script = (struct script){full, 2, 0};
    assert_fails(fanin_read_file("data", 100, &text, &nbytes, &error), FANIN_ERROR_IO, error, "cannot read data");
    assert_null(text);
    fanin_set_io(NULL);
    assert_ptr_equal(fanin_io_table()->pread, fanin_default_io()->pread);
    fanin_default_io()->close(NULL, fd);
    unlink("data");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_table), cmocka_unit_test(test_create_does_not_follow),
        cmocka_unit_test(test_read_file),     cmocka_unit_test(test_read_standard_input),
        cmocka_unit_test(test_failing_calls), cmocka_unit_test(test_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
