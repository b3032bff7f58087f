/* SPDX-License-Identifier: MIT */
/*
 * Rows as an aligned table on standard output and as JSON in a file.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static double median_of(const struct bench_row *row)
{
    return 0.5 * (row->samples[(row->nsamples - 1) / 2] + row->samples[row->nsamples / 2]);
}

void bench_row_take(struct bench_row *row, const struct bench_contender *contender)
{
    row->clock = contender->clock;
    row->nsamples = contender->nsamples;
    memcpy(row->samples, contender->samples, sizeof row->samples);
}

void bench_print_title(const char *title, const char *full)
{
    printf("\n%s%s%s%s\n", title, full != NULL ? " (100 %: " : "", full != NULL ? full : "", full != NULL ? ")" : "");
    printf("%-24s %-5s %-22s %3s %11s  %9s %7s %6s  %10s %10s %10s %2s\n", "what", "dtype", "how", "thr", "elements",
           "Gelem/s", "GB/s", "%", "median ms", "min ms", "max ms", "n");
}

static void print_row(const struct bench_row *row)
{
    double median = median_of(row);
    printf("%-24s %-5s %-22.22s %3u ", row->name, row->dtype, row->variant, row->nthreads);
    if (row->nelem > 0)
        printf("%11llu  %9.4f %7.2f ", (unsigned long long)row->nelem, 1e-9 * (double)row->nelem / median,
               1e-9 * (double)row->nbytes / median);
    else
        printf("%11s  %9s %7s ", "-", "-", "-");
    if (row->store_seconds > 0)
        printf("%6.1f  ", 100 * row->store_seconds / median);
    else
        printf("%6s  ", "-");
    printf("%10.4f %10.4f %10.4f %2d%s%s%s%s\n", 1e3 * median, 1e3 * row->samples[0],
           1e3 * row->samples[row->nsamples - 1], row->nsamples, row->note[0] != '\0' ? "  " : "", row->note,
           row->remark[0] != '\0' ? "  " : "", row->remark);
    fflush(stdout);
}

void bench_add(struct bench *bench, const struct bench_row *row)
{
    struct bench_row *rows = realloc(bench->rows, (bench->nrows + 1) * sizeof *rows);
    if (rows == NULL)
        bench_die("rows", "no memory");
    bench->rows = rows;
    bench->rows[bench->nrows++] = *row;
    print_row(row);
}

static void write_row(FILE *file, const struct bench_row *row)
{
    fprintf(file, "    {\"section\": \"%s\", \"name\": ", row->section);
    bench_write_text(file, row->name);
    fprintf(file, ", \"dtype\": \"%s\", \"variant\": ", row->dtype);
    bench_write_text(file, row->variant);
    fprintf(file, ", \"threads\": %u, \"nelem\": %llu, \"nbytes\": %llu, \"shape\": [", row->nthreads,
            (unsigned long long)row->nelem, (unsigned long long)row->nbytes);
    for (int i = 0; i < row->ndim; i++)
        fprintf(file, "%s%lld", i > 0 ? ", " : "", (long long)row->shape[i]);
    fprintf(file, "], \"source\": ");
    bench_write_text(file, row->source);
    fprintf(file, ", \"clock\": \"%s\", \"seconds\": [", row->clock == BENCH_WALL ? "wall" : "thread");
    for (int i = 0; i < row->nsamples; i++)
        fprintf(file, "%s%.9g", i > 0 ? ", " : "", row->samples[i]);
    fprintf(file, "], \"median\": %.9g, \"store\": %.9g, \"note\": ", median_of(row), row->store_seconds);
    bench_write_text(file, row->note);
    fprintf(file, "}");
}

bool bench_write_json(const struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    fprintf(file, "{\n  \"format\": \"fanin-bench\",\n  \"version\": 1,\n  \"date\": ");
    bench_write_text(file, bench->date);
    fprintf(file, ",\n  \"quick\": %s,\n  \"machine\": ", bench->is_quick ? "true" : "false");
    bench_write_machine(file);
    fprintf(file, ",\n  \"fanin\": {\"version\": \"%s\", \"compiler\": ", fanin_version());
    bench_write_text(file, FANIN_BENCH_COMPILER);
    fprintf(file, ", \"build_type\": \"%s\", \"flags\": ", FANIN_BENCH_BUILD_TYPE);
    bench_write_text(file, FANIN_BENCH_FLAGS);
    fprintf(file, ", \"profile\": \"%s\"},\n  \"rows\": [\n", fanin_profile_name(FANIN_PROFILE_TORCH));
    for (size_t i = 0; i < bench->nrows; i++) {
        write_row(file, &bench->rows[i]);
        fputs(i + 1 < bench->nrows ? ",\n" : "\n", file);
    }
    fprintf(file, "  ]\n}\n");
    bool is_written = !ferror(file);
    return fclose(file) == 0 && is_written;
}
