/* SPDX-License-Identifier: MIT */
/*
 * fanin same: which tensors of one or two checkpoints hold the same numbers.
 */
#include "json_output.h"
#include "progress.h"
#include "source.h"
#include "table.h"
#include "terminal.h"

#include <inttypes.h>
#include <string.h>

enum { NSHOWN = 200 };

typedef struct job {
    const settings *given;
    fanin_checkpoint *a, *b; /* b NULL: within a */
    fanin_same *same;
} job;

static const char *name_of(const fanin_checkpoint *checkpoint, size_t i)
{
    return fanin_checkpoint_tensor_at(checkpoint, i)->name;
}

static const column columns[] = {{"tensor", COLUMN_CUT_BEGIN, 20}, {"and", COLUMN_CUT_BEGIN, 20},
                                 {"is", COLUMN_LEFT, 0},           {"correlation", COLUMN_RIGHT, 0},
                                 {"scale", COLUMN_RIGHT, 0},       {"lag", COLUMN_RIGHT, 0}};

static int print_pairs(const job *of)
{
    table to = {.columns = columns, .ncolumns = sizeof columns / sizeof columns[0]};
    const fanin_checkpoint *b = of->b != NULL ? of->b : of->a;
    const size_t count = fanin_same_count(of->same);
    for (size_t i = 0; i < count && i < NSHOWN; i++) {
        const fanin_same_pair *pair = fanin_same_at(of->same, i);
        table_add(&to, "%s", name_of(of->a, pair->a));
        table_add(&to, "%s", name_of(b, pair->b));
        table_add(&to, "%s", fanin_sameness_name(pair->sameness));
        if (pair->sameness <= FANIN_SAME_CAST) {
            for (int k = 0; k < 3; k++)
                table_add(&to, "%s", "");
            continue;
        }
        table_add(&to, "%.4f", pair->correlation);
        table_add(&to, "%.4g", pair->scale);
        if (pair->lag != 0)
            table_add(&to, "%" PRId64, pair->lag);
        else
            table_add(&to, "%s", "");
    }
    bool printed = count == 0 || table_print(&to);
    table_release(&to);
    if (!printed)
        return EXIT_SYSTEM;
    if (count > NSHOWN)
        printf("and %zu more (--json has them all)\n", count - NSHOWN);
    printf("%s%zu pair%s of tensors hold%s the same numbers\n", count > 0 ? "\n" : "", count, plural(count),
           count == 1 ? "s" : "");
    return EXIT_OK;
}

static void print_json(const job *of)
{
    json_output json = {0};
    const fanin_checkpoint *b = of->b != NULL ? of->b : of->a;
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "same");
    json_string(&json, "a", of->given->operands.items[0]);
    json_string(&json, "b", of->b != NULL ? of->given->operands.items[1] : NULL);
    json_begin(&json, "pairs", '[');
    for (size_t i = 0; i < fanin_same_count(of->same); i++) {
        const fanin_same_pair *pair = fanin_same_at(of->same, i);
        json_begin(&json, NULL, '{');
        json_string(&json, "a", name_of(of->a, pair->a));
        json_string(&json, "b", name_of(b, pair->b));
        json_string(&json, "is", fanin_sameness_name(pair->sameness));
        json_number(&json, "correlation", pair->correlation);
        json_number(&json, "scale", pair->scale);
        json_i64(&json, "lag", pair->lag);
        json_u64(&json, "nelem", pair->nelem);
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

static int find(job *of)
{
    const settings *given = of->given;
    fanin_error error;
    fanin_pool *pool = NULL;
    progress shown;
    if (fanin_checkpoint_open(given->operands.items[0], &of->a, &error) != FANIN_OK ||
        (given->operands.count > 1 && fanin_checkpoint_open(given->operands.items[1], &of->b, &error) != FANIN_OK) ||
        fanin_pool_create((unsigned)given->threads.value, &pool, &error) != FANIN_OK)
        return fail_with(&error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    progress_begin(&shown, "reading", given->quiet);
    const fanin_same_options options = {
        .size = sizeof options, .parallel = &parallel, .progress = progress_update, .user = &shown};
    fanin_status status = fanin_same_find(of->a, of->b, &options, &of->same, &error);
    progress_end(&shown);
    fanin_pool_free(pool);
    return status == FANIN_OK ? EXIT_OK : fail_run(&error, "nothing was changed");
}

static int run(const settings *given)
{
    job of = {.given = given};
    if (given->operands.count < 1 || given->operands.count > 2)
        return fail_usage(&command_same, "same takes one CHECKPOINT, or two");
    int exit_status = find(&of);
    if (exit_status == EXIT_OK && given->json)
        print_json(&of);
    else if (exit_status == EXIT_OK && !given->quiet)
        exit_status = print_pairs(&of);
    if (exit_status == EXIT_OK && fanin_same_count(of.same) == 0)
        exit_status = EXIT_DIFFERENT;
    fanin_same_free(of.same);
    fanin_checkpoint_close(of.b);
    fanin_checkpoint_close(of.a);
    return exit_status;
}

static const option options[] = {{OPTION_THREAD_COUNT},
                                 {OPTION_JSON, "print an object with every pair"},
                                 {OPTION_QUIET},
                                 {OPTION_HELP},
                                 {OPTION_END}};

const command command_same = {
    .name = "same",
    .summary = "which tensors hold the same numbers, in one checkpoint or in two",
    .usage = (const char *const[]){"CHECKPOINT [OTHER] [options]", NULL},
    .description =
        "Tells the pairs of tensors that are not independent, strongest first: equal; with the same bytes in another "
        "shape; equal after a cast; and those made of the same random numbers at another scale, transposed, or from "
        "another place of the stream on (lag), with their correlation and the scale. With two checkpoints, pairs "
        "between them; with one, pairs within it. Tensors of one constant are passed over.\n\n"
        "Between a checkpoint and what it began as it says which tensors are still what they were, and how far the "
        "others have gone; within one it finds layers that were copied, or seeded alike.",
    .options = options,
    .examples =
        (const char *const[]){"fanin same model.safetensors", "fanin same step0 model.safetensors --json", NULL},
    .exit_different = "no two tensors are the same",
    .run = run,
};
