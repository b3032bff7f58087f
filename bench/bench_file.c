/* SPDX-License-Identifier: MIT */
/*
 * Rows of files: a checkpoint written by the library beside plain programs that write as many bytes to the same disk.
 * Before each pass the earlier file is removed and the disk is left to finish what it has.
 */
#define _GNU_SOURCE /* O_DIRECT, sync_file_range, syncfs */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 4 << 20, NBLOCKS = 16, COLUMNS = 4096 };

enum how {
    DIRECT = 1,      /* past the page cache */
    WRITE_BACK = 2,  /* sync_file_range starts it after each block */
    PREALLOCATE = 4, /* space is reserved before */
    SYNC = 8,        /* fsync at the end */
    NO_DIGEST = 16   /* of a checkpoint */
};

static const struct {
    const char *name;
    int how;
} writers[] = {
    {"direct", DIRECT | SYNC},
    {"direct, fallocate", DIRECT | PREALLOCATE | SYNC},
    {"write-back", WRITE_BACK | SYNC},
    {"write-back, fallocate", WRITE_BACK | PREALLOCATE | SYNC},
    {"buffered", 0},
};
enum { NWRITERS = sizeof writers / sizeof writers[0] };

static const struct {
    const char *name;
    int how;
} kinds[] = {
    {"checkpoint", SYNC},
    {"checkpoint, no fsync", 0},
    {"checkpoint, no digest", SYNC | NO_DIGEST},
    {"checkpoint, no digest, no fsync", NO_DIGEST},
};
enum { NKINDS = sizeof kinds / sizeof kinds[0], MAX_PASSES = NWRITERS + NKINDS * BENCH_MAX_CREWS };

struct file_pass {
    char path[4096];
    const char *folder;
    int how;
    const char *data; /* NBLOCKS blocks: enough of them that no disk finds them equal */
    uint64_t nbytes;
    const fanin_plan *plan; /* of the checkpoint; NULL: a plain writer */
    const fanin_parallel *parallel;
};

static void remove_file(void *context)
{
    const struct file_pass *pass = context;
    if (unlink(pass->path) != 0 && errno != ENOENT)
        bench_die(pass->path, strerror(errno));
    int folder = open(pass->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || syncfs(folder) != 0)
        bench_die(pass->folder, strerror(errno));
    close(folder);
}

static void write_plainly(const struct file_pass *pass)
{
    int fd = open(pass->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | (pass->how & DIRECT ? O_DIRECT : 0), 0666);
    if (fd < 0)
        bench_die(pass->path, strerror(errno));
    if (pass->how & PREALLOCATE)
        posix_fallocate(fd, 0, (off_t)pass->nbytes); /* where a file system cannot, the row says so by its time */
    for (uint64_t at = 0; at < pass->nbytes; at += BLOCK) {
        if (pwrite(fd, pass->data + at / BLOCK % NBLOCKS * BLOCK, BLOCK, (off_t)at) != BLOCK)
            bench_die(pass->path, strerror(errno));
        if (pass->how & WRITE_BACK)
            sync_file_range(fd, (off_t)at, BLOCK, SYNC_FILE_RANGE_WRITE);
    }
    if ((pass->how & SYNC && fsync(fd) != 0) || close(fd) != 0)
        bench_die(pass->path, strerror(errno));
}

static int no_sync(void *user, int fd)
{
    (void)user;
    (void)fd;
    return 0;
}

static int no_sync_directory(void *user, const char *path)
{
    (void)user;
    (void)path;
    return 0;
}

static void write_checkpoint(const struct file_pass *pass)
{
    fanin_error error;
    fanin_write_result result;
    const fanin_run_options options = {.size = sizeof options, .seed = 42, .parallel = pass->parallel};
    const fanin_write_options write = {
        .size = sizeof write, .path = pass->path, .no_digest = (pass->how & NO_DIGEST) != 0};
    /* The library always syncs; what it would take without is measured through its own table of file operations. */
    fanin_io io = *fanin_default_io();
    if (!(pass->how & SYNC)) {
        io.sync = no_sync;
        io.sync_directory = no_sync_directory;
        io.write_back = NULL;
    }
    fanin_set_io(&io);
    bench_check(fanin_run_checkpoint(pass->plan, &options, &write, &result, &error), &error, "checkpoint");
    fanin_set_io(NULL);
}

static void write_file(void *context)
{
    const struct file_pass *pass = context;
    if (pass->plan != NULL)
        write_checkpoint(pass);
    else
        write_plainly(pass);
}

/* A checkpoint of normals in tensors of 64 MiB, or of 4 MiB where it is small. */
static fanin_plan *plan_of(uint64_t nbytes, uint64_t *actual_nbytes)
{
    char text[512];
    fanin_error error;
    fanin_model *model;
    fanin_plan *plan;
    unsigned long long rows = nbytes >= UINT64_C(1) << 30 ? 8192 : 512, of_one = rows * COLUMNS * 2;
    unsigned long long ntensors = (nbytes + of_one / 2) / of_one;
    ntensors = ntensors > 0 ? ntensors : 1;
    int length =
        snprintf(text, sizeof text,
                 "{\"format\": \"fanin-spec\", \"version\": 1, \"dtype\": \"bf16\", \"tensors\": [{\"repeat\": "
                 "{\"i\": [0, %llu]}, \"tensors\": [{\"name\": \"layers.{i}.weight\", \"shape\": [%llu, %d]}]}],"
                 " \"rules\": [{\"match\": \"**\", \"init\": \"normal\", \"std\": 0.02}]}",
                 ntensors, rows, COLUMNS);
    bench_check(fanin_model_parse(text, (size_t)length, "bench", &model, &error), &error, "checkpoint");
    bench_check(fanin_plan_create(model, NULL, NULL, &plan, &error), &error, "checkpoint");
    fanin_model_free(model);
    *actual_nbytes = ntensors * of_one;
    return plan;
}

/* Blocks of normals: a constant might be compressed, or not written at all, somewhere below. */
static char *block_data(void)
{
    char *data = bench_touched((size_t)BLOCK * NBLOCKS);
    fanin_error error;
    fanin_generator generator = fanin_generator_torch(7);
    fanin_tensor tensor = fanin_tensor_1d(data, FANIN_BF16, (int64_t)BLOCK * NBLOCKS / 2);
    bench_check(fanin_normal(&tensor, 0, 0.02, &generator, &error), &error, "data for the plain writers");
    return data;
}

/* Plain writers first, then checkpoints of every kind by every count of threads; returns how many. */
static size_t list_passes(const struct bench *bench, struct file_pass *passes, const char *data, uint64_t nbytes,
                          const fanin_plan *plan, const struct bench_crews *crews)
{
    const struct file_pass common = {.folder = bench->files, .data = data, .nbytes = nbytes};
    size_t n = 0;
    for (; n < NWRITERS; n++) {
        passes[n] = common;
        passes[n].how = writers[n].how;
    }
    for (size_t t = 0; t < crews->n; t++)
        for (size_t kind = 0; kind < NKINDS; kind++, n++) {
            passes[n] = common;
            passes[n].how = kinds[kind].how;
            passes[n].plan = plan;
            passes[n].parallel = t > 0 ? &crews->parallels[t] : NULL;
        }
    for (size_t i = 0; i < n; i++)
        snprintf(passes[i].path, sizeof passes[i].path, "%s/bench-%ld.safetensors", bench->files, (long)getpid());
    return n;
}

void bench_files(struct bench *bench)
{
    struct file_pass passes[MAX_PASSES];
    struct bench_contender contenders[MAX_PASSES];
    struct bench_crews crews;
    uint64_t nbytes;
    fanin_plan *plan = plan_of(bench->file_nbytes, &nbytes);
    char *data = block_data();
    bench_crews_begin(&crews, bench->nthreads);
    bench_force_isa(bench_best_isa(bench));
    bench_print_title("files with fsync: a checkpoint of normals, plain writers of as many bytes, wall time",
                      "the best plain writer");
    size_t n = list_passes(bench, passes, data, nbytes, plan, &crews);
    for (size_t i = 0; i < n; i++)
        contenders[i] = (struct bench_contender){
            .prepare = remove_file, .pass = write_file, .is_single = true, .context = &passes[i], .clock = BENCH_WALL};
    struct bench_effort effort = bench->effort; /* the first pass finds cold page cache: it is left out as elsewhere */
    effort.total_seconds = bench->is_quick ? effort.total_seconds : 12;
    bench_race(contenders, n, &effort);
    for (size_t i = 0; i < n; i++) {
        bool is_plain = passes[i].plan == NULL, syncs = passes[i].how & SYNC;
        struct bench_row row = {.section = "file",
                                .dtype = "bf16",
                                .variant = is_plain ? writers[i].name : bench_best_isa(bench),
                                .nthreads = passes[i].parallel != NULL ? passes[i].parallel->nthreads : 1,
                                .nelem = nbytes / 2,
                                .nbytes = nbytes,
                                .store_seconds = syncs ? bench_best_store(contenders, NWRITERS - 1)
                                                       : bench_median(&contenders[NWRITERS - 1])};
        snprintf(row.name, sizeof row.name, "%s",
                 !is_plain ? kinds[(i - NWRITERS) % NKINDS].name
                 : syncs   ? "write"
                           : "write, no fsync");
        bench_row_take(&row, &contenders[i]);
        bench_add(bench, &row);
    }
    remove_file(&passes[0]);
    bench_crews_end(&crews);
    bench_unmap(data, (size_t)BLOCK * NBLOCKS);
    fanin_plan_free(plan);
}
