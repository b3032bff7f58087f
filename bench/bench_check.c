/* SPDX-License-Identifier: MIT */
/*
 * Rows of check: statistics of tensors in memory, and the whole diagnosis of a checkpoint that lies in the page cache.
 * torch_side.py has NumPy's std of as many values of the same shape beside them.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NCOLUMNS = 1024, NDTYPES = 2, NSIZES = 2 };

/* Tensors of 4 M values are the small matrices of a language model, of 16 M its large ones; quick: 64 K alone. */
static const int64_t NROWS[NSIZES] = {4096, 16384}, QUICK_NROWS = 64;

struct check_pass {
    const fanin_checkpoint *checkpoint; /* NULL: statistics of the tensor, ntensors times */
    fanin_tensor tensor;
    uint64_t ntensors;
    const fanin_parallel *parallel;
};

static void check_checkpoint(void *context)
{
    const struct check_pass *pass = context;
    const fanin_diagnosis_options options = {.size = sizeof options, .parallel = pass->parallel};
    fanin_diagnosis *diagnosis;
    fanin_error error;
    bench_check(fanin_diagnose_checkpoint(pass->checkpoint, &options, &diagnosis, &error), &error, "check");
    fanin_diagnosis_free(diagnosis);
}

static void summarize(void *context)
{
    const struct check_pass *pass = context;
    fanin_statistics statistics;
    fanin_error error;
    for (uint64_t i = 0; i < pass->ntensors; i++)
        bench_check(fanin_statistics_of(&pass->tensor, pass->parallel, &statistics, &error), &error, "statistics");
}

/* Equal tensors of normals, under names that tell what they are. */
static void write_checkpoint_of(const char *path, fanin_dtype dtype, int64_t nrows, uint64_t ntensors)
{
    char text[512];
    fanin_error error;
    fanin_model *model;
    fanin_plan *plan;
    fanin_write_result result;
    const fanin_run_options options = {.size = sizeof options, .seed = 42};
    const fanin_write_options write = {.size = sizeof write, .path = path, .no_digest = true};
    int length = snprintf(text, sizeof text,
                          "{\"format\": \"fanin-spec\", \"version\": 1, \"dtype\": \"%s\", \"tensors\": [{\"repeat\": "
                          "{\"i\": [0, %llu]}, \"tensors\": [{\"name\": \"layers.{i}.fc.weight\", \"shape\": [%lld, "
                          "%d]}]}], \"rules\": [{\"match\": \"**\", \"init\": \"normal\", \"std\": 0.02}]}",
                          fanin_dtype_name(dtype), (unsigned long long)ntensors, (long long)nrows, NCOLUMNS);
    bench_check(fanin_model_parse(text, (size_t)length, "bench", &model, &error), &error, "check");
    bench_check(fanin_plan_create(model, NULL, NULL, &plan, &error), &error, "check");
    bench_check(fanin_run_checkpoint(plan, &options, &write, &result, &error), &error, path);
    fanin_plan_free(plan);
    fanin_model_free(model);
}

static void add_row(struct bench *bench, const struct check_pass *pass, const struct bench_contender *contender,
                    const char *name, const struct bench_contender *one)
{
    const uint64_t nelem = pass->ntensors * (uint64_t)fanin_tensor_nelem(&pass->tensor);
    struct bench_row row = {.section = "check",
                            .dtype = fanin_dtype_name(pass->tensor.dtype),
                            .variant = bench_best_isa(bench),
                            .nthreads = pass->parallel != NULL ? pass->parallel->nthreads : 1,
                            .nelem = nelem,
                            .nbytes = nelem * fanin_dtype_nbits(pass->tensor.dtype) / 8,
                            .ndim = 2,
                            .shape = {pass->tensor.shape[0], pass->tensor.shape[1]}};
    if (bench->is_quick)
        snprintf(row.name, sizeof row.name, "%s", name);
    else
        snprintf(row.name, sizeof row.name, "%s, %lld M a tensor", name,
                 (long long)(fanin_tensor_nelem(&pass->tensor) >> 20));
    if (one != NULL && one != contender)
        snprintf(row.remark, sizeof row.remark, "%.2f x one thread", bench_median(one) / bench_median(contender));
    bench_row_take(&row, contender);
    bench_add(bench, &row);
}

/* By the thread's own clock first, against NumPy; then on 1, 2 ... threads on the wall. */
static void check_tensors(struct bench *bench, fanin_dtype dtype, int64_t nrows, const struct bench_crews *crews)
{
    const char *folder = bench->files != NULL ? bench->files : getenv("TMPDIR");
    const uint64_t of_one = (uint64_t)nrows * NCOLUMNS * fanin_dtype_nbits(dtype) / 8;
    const uint64_t ntensors = bench->memory_nbytes / of_one > 0 ? bench->memory_nbytes / of_one : 1;
    char path[4096];
    fanin_error error;
    fanin_checkpoint *checkpoint;
    snprintf(path, sizeof path, "%s/bench-check-%ld.safetensors", folder != NULL ? folder : "/tmp", (long)getpid());
    write_checkpoint_of(path, dtype, nrows, ntensors);
    bench_check(fanin_checkpoint_open(path, &checkpoint, &error), &error, path);
    void *data = bench_touched(of_one);
    const struct check_pass common = {.tensor = fanin_tensor_2d(data, dtype, nrows, NCOLUMNS), .ntensors = ntensors};
    bench_check(fanin_checkpoint_read(checkpoint, 0, 0, data, of_one, &error), &error, path);

    struct check_pass passes[2 + BENCH_MAX_CREWS];
    struct bench_contender contenders[2 + BENCH_MAX_CREWS];
    for (size_t i = 0; i < 2 + crews->n; i++) {
        passes[i] = common;
        passes[i].checkpoint = i > 0 ? checkpoint : NULL;
        passes[i].parallel = i > 2 ? &crews->parallels[i - 2] : NULL;
        contenders[i] = (struct bench_contender){.pass = i > 0 ? check_checkpoint : summarize,
                                                 .context = &passes[i],
                                                 .clock = i < 2 ? BENCH_THREAD_CPU : BENCH_WALL};
    }
    bench_race(contenders, 2, &bench->effort);
    add_row(bench, &passes[0], &contenders[0], "statistics", NULL);
    add_row(bench, &passes[1], &contenders[1], "check", NULL);
    if (crews->n > 1) {
        bench_race(contenders + 2, crews->n, &bench->effort);
        for (size_t i = 2; i < 2 + crews->n; i++)
            add_row(bench, &passes[i], &contenders[i], "check, on the wall", &contenders[2]);
    }
    bench_unmap(data, of_one);
    fanin_checkpoint_close(checkpoint);
    if (unlink(path) != 0)
        bench_die(path, "could not be removed");
}

void bench_checks(struct bench *bench)
{
    static const fanin_dtype dtypes[NDTYPES] = {FANIN_F32, FANIN_BF16};
    struct bench_crews crews;
    bench_crews_begin(&crews, bench->nthreads);
    bench_force_isa(bench_best_isa(bench));
    bench_print_title("check: statistics in memory, and the diagnosis of a checkpoint in the page cache", NULL);
    for (size_t i = 0; i < NDTYPES; i++)
        for (size_t k = 0; k < (bench->is_quick ? 1 : NSIZES); k++)
            check_tensors(bench, dtypes[i], bench->is_quick ? QUICK_NROWS : NROWS[k], &crews);
    bench_crews_end(&crews);
}
