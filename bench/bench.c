/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: every fill, dtype and machine variant beside a store of a constant in the same process, whole models,
 * and files beside plain writers. `make bench` runs it with torch beside it; README.md here says how to read it.
 */
#define _GNU_SOURCE /* getopt_long */
#include "bench.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
    const char *help;
} sections[] = {
    {"cache", bench_cache, "every fill, dtype and variant, 1 MiB"},
    {"memory", bench_memory, "the same in a large tensor that was touched before"},
    {"square", bench_square, "orthogonal matrices, 1, 2 ... threads"},
    {"cold", bench_cold, "first touch of fresh pages"},
    {"threads", bench_threads, "one tensor on 1, 2 ... threads"},
    {"jump", bench_jump, "leaving out draws"},
    {"model", bench_models, "whole models into memory"},
    {"check", bench_checks, "statistics and the diagnosis of a checkpoint"},
    {"file", bench_files, "a checkpoint on disk; only with --files"},
};
enum { NSECTIONS = sizeof sections / sizeof sections[0] };

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

void bench_check(fanin_status status, const fanin_error *error, const char *what)
{
    if (status != FANIN_OK)
        bench_die(what, error->message);
}

const char *bench_isa(const struct bench *bench, size_t i)
{
    if (!fanin_isa_is_supported(i) || (bench->isa != NULL && strcmp(bench->isa, fanin_isa_name(i)) != 0))
        return NULL;
    return fanin_isa_name(i);
}

const char *bench_fast_isa(const struct bench *bench, size_t i)
{
    const char *name = bench_isa(bench, i);
    bool is_asked_for = bench->isa != NULL || strcmp(bench_best_isa(bench), "scalar") == 0;
    return name != NULL && (is_asked_for || strcmp(name, "scalar") != 0) ? name : NULL;
}

const char *bench_best_isa(const struct bench *bench)
{
    size_t i = 0;
    while (i + 1 < fanin_isa_count() && bench_isa(bench, i) == NULL)
        i++;
    return fanin_isa_name(i);
}

void bench_force_isa(const char *isa)
{
    fanin_error error;
    bench_check(fanin_isa_force(isa, &error), &error, "variant");
}

void bench_crews_begin(struct bench_crews *crews, unsigned nthreads)
{
    fanin_error error;
    unsigned count = 1, last = 0;
    for (crews->n = 0; count > last && crews->n < BENCH_MAX_CREWS; crews->n++) {
        bench_check(fanin_pool_create(count, &crews->pools[crews->n], &error), &error, "threads");
        crews->parallels[crews->n] = fanin_pool_parallel(crews->pools[crews->n]);
        last = count;
        count = 2 * count < nthreads ? 2 * count : nthreads;
    }
}

void bench_crews_end(struct bench_crews *crews)
{
    while (crews->n > 0)
        fanin_pool_free(crews->pools[--crews->n]);
}

static void print_help(void)
{
    puts("usage: bench [--quick] [--only SECTION,...] [--isa NAME] [--threads N] [--memory MIB]\n"
         "             [--files FOLDER] [--file-mb N] [--root FOLDER] [--date DATE] [--json FILE]\n\nsections:");
    for (size_t i = 0; i < NSECTIONS; i++)
        printf("  %-8s %s\n", sections[i].name, sections[i].help);
    puts("\n  --quick    small tensors, few repeats: shows that it works, measures nothing\n"
         "  --memory   MiB of a tensor in memory (512, or less where memory is short)\n"
         "  --files    folder on the disk to measure; --file-mb: megabytes of the checkpoint (2000)\n"
         "  --root     root of the sources, where the models' descriptions are\n"
         "  --date     goes into the JSON as it is");
}

static bool is_wanted(const char *only, const char *section)
{
    size_t length = strlen(section);
    for (const char *at = only; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, section, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return only == NULL;
}

/* A misspelled section must not pass for a run that measured nothing. */
static void check_only(const char *only)
{
    for (const char *at = only; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        bool is_known = false;
        for (size_t i = 0; i < NSECTIONS; i++)
            is_known = is_known || (strncmp(at, sections[i].name, strlen(sections[i].name)) == 0 &&
                                    strcspn(at, ",") == strlen(sections[i].name));
        if (!is_known)
            bench_die(at, "no such section; --help lists them");
    }
}

static uint64_t positive(const char *text, const char *option)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value == 0 || value > 1 << 30)
        bench_die(option, "takes a whole number from 1 on");
    return value;
}

int main(int argc, char **argv)
{
    enum { QUICK, ONLY, ISA, THREADS, MEMORY, FILES, FILE_MB, ROOT, DATE, JSON, HELP };
    static const struct option options[] = {{"quick", no_argument, NULL, QUICK},
                                            {"only", required_argument, NULL, ONLY},
                                            {"isa", required_argument, NULL, ISA},
                                            {"threads", required_argument, NULL, THREADS},
                                            {"memory", required_argument, NULL, MEMORY},
                                            {"files", required_argument, NULL, FILES},
                                            {"file-mb", required_argument, NULL, FILE_MB},
                                            {"root", required_argument, NULL, ROOT},
                                            {"date", required_argument, NULL, DATE},
                                            {"json", required_argument, NULL, JSON},
                                            {"help", no_argument, NULL, HELP},
                                            {0}};
    struct bench bench = {.root = ".", .date = "", .nthreads = fanin_processor_count()};
    const char *only = NULL, *json = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case QUICK:
            bench.is_quick = true;
            break;
        case ONLY:
            only = optarg;
            break;
        case ISA:
            bench.isa = optarg;
            break;
        case THREADS:
            bench.nthreads = (unsigned)positive(optarg, "--threads");
            break;
        case MEMORY:
            bench.memory_nbytes = (size_t)positive(optarg, "--memory") << 20;
            break;
        case FILES:
            bench.files = optarg;
            break;
        case FILE_MB:
            bench.file_nbytes = positive(optarg, "--file-mb") * 1000000;
            break;
        case ROOT:
            bench.root = optarg;
            break;
        case DATE:
            bench.date = optarg;
            break;
        case JSON:
            json = optarg;
            break;
        case HELP:
            print_help();
            return 0;
        default:
            print_help();
            return 2;
        }
    if (optind < argc)
        bench_die(argv[optind], "no such argument; --help lists them");
    check_only(only);
    fanin_error error;
    if (bench.isa != NULL)
        bench_check(fanin_isa_force(bench.isa, &error), &error, "--isa");
    bench.effort = bench.is_quick ? (struct bench_effort){2, 3, 0.0005, 0.01} : (struct bench_effort){3, 9, 0.02, 2};
    if (bench.memory_nbytes == 0) {
        bench.memory_nbytes = (size_t)(bench.is_quick ? 4 : 512) << 20;
        while (bench.memory_nbytes > bench_available_nbytes() / 4 && bench.memory_nbytes > 16 << 20)
            bench.memory_nbytes /= 2;
    }
    if (bench.file_nbytes == 0)
        bench.file_nbytes = UINT64_C(1000000) * (bench.is_quick ? 16 : 2000);
    bench_stores_check();
    bench_print_machine(stdout);
    for (size_t i = 0; i < NSECTIONS; i++)
        if (is_wanted(only, sections[i].name) && (strcmp(sections[i].name, "file") != 0 || bench.files != NULL))
            sections[i].run(&bench);
    if (json != NULL && !bench_write_json(&bench, json))
        bench_die(json, "could not be written");
    free(bench.rows);
    return 0;
}
