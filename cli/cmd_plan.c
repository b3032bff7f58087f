/* SPDX-License-Identifier: MIT */
/*
 * fanin plan: what init would do, as a table, as the plan file, or as an expanded spec.
 */
#include "option.h"
#include "source.h"
#include "table.h"
#include "terminal.h"

#include <inttypes.h>
#include <string.h>

/* On a narrow terminal the least useful text goes first: the beginning of names, the end of calls and numbers. */
static const column columns[] = {
    {"tensor", COLUMN_CUT_BEGIN, 16}, {"shape", COLUMN_LEFT, 0},           {"dtype", COLUMN_LEFT, 0},
    {"fans", COLUMN_LEFT, 0},         {"initializer", COLUMN_CUT_END, 10}, {"values", COLUMN_CUT_END, 8},
    {"at", COLUMN_RIGHT, 0},
};

static void add_op(table *to, const fanin_plan *plan, const fanin_plan_op *op)
{
    char text[VALUES_NBYTES], shape[SHAPE_NBYTES];
    const char *name = op->tensor != SIZE_MAX ? fanin_plan_tensor_at(plan, op->tensor)->name : "-";
    table_add(to, "%s%s%s%s", name, op->part != NULL ? " (" : "", op->part != NULL ? op->part : "",
              op->part != NULL ? ")" : "");
    table_add(to, "%s", format_shape(op->view.shape, op->view.ndim, shape));
    table_add(to, "%s", fanin_dtype_name(op->view.dtype));
    table_add(to, "%s", format_fans(op->fan_in, op->fan_out, text));
    table_add(to, "%s", op->initializer != NULL ? op->initializer : fanin_fill_kind_name(op->fill.kind));
    table_add(to, "%s%s", format_values(&op->fill, text), op->dead ? " (overwritten)" : "");
    if (op->ndraws == 0)
        table_add(to, "-");
    else
        table_add(to, "%" PRIu64 "%s", op->at, op->barriers > 0 ? "+" : "");
}

static int print_table(const fanin_plan *plan)
{
    table rows = {.columns = columns, .ncolumns = sizeof columns / sizeof columns[0]};
    bool has_barriers = false;
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        add_op(&rows, plan, fanin_plan_op_at(plan, i));
        has_barriers = has_barriers || fanin_plan_op_at(plan, i)->barriers > 0;
    }
    bool printed = table_print(&rows);
    table_release(&rows);
    if (!printed)
        return EXIT_SYSTEM;
    uint64_t nelem = 0, nbytes = 0;
    putchar('\n');
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to == NULL) {
            nelem += tensor->nelem;
            nbytes += tensor->nbytes;
            continue;
        }
        print_escaped(stdout, tensor->name);
        fputs(" is tied to ", stdout);
        print_escaped(stdout, tensor->tied_to);
        putchar('\n');
    }
    short_text size;
    uint64_t ndraws = fanin_plan_ndraws(plan);
    size_t nstored = count_stored(plan);
    printf("%zu tensor%s, %" PRIu64 " value%s, %s; %" PRIu64 " draw%s of %s\n", nstored, plural(nstored), nelem,
           plural(nelem), format_bytes(nbytes, size), ndraws, plural(ndraws),
           fanin_profile_name(fanin_plan_profile(plan)));
    if (has_barriers)
        print_wrapped(stdout,
                      "+ a trunc_normal before it may draw more than one round, which only the seed tells; counted as "
                      "one round each",
                      0, 80);
    return EXIT_OK;
}

/* Text that the library made, which is released. */
static void print_text(char *text)
{
    fputs(text, stdout);
    size_t length = strlen(text);
    if (length == 0 || text[length - 1] != '\n')
        putchar('\n');
    fanin_release(text);
}

static int run_with(const settings *given, source *from)
{
    fanin_error error;
    char *text = NULL;
    int exit_status = source_read_model(given, given->operands.count > 0 ? given->operands.items[0] : NULL, from);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (given->spec) {
        if (fanin_model_to_spec(from->model, &text, &error) != FANIN_OK)
            return fail_with(&error);
        print_text(text);
        return EXIT_OK;
    }
    exit_status = source_make_plan(given, given->profile, from);
    if (exit_status == EXIT_OK)
        exit_status = source_report_warnings(given, from);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (!given->quiet)
        source_print_notes(from);
    if (!given->json)
        return print_table(from->plan);
    if (fanin_plan_to_json(from->plan, &text, &error) != FANIN_OK)
        return fail_with(&error);
    print_text(text);
    return EXIT_OK;
}

static int run(const settings *given)
{
    const command *of = &command_plan;
    if (given->like == NULL && given->operands.count != 1)
        return fail_usage(of, "plan takes one DESCRIPTION, or --like CHECKPOINT");
    if (given->like != NULL && given->operands.count != 0)
        return fail_usage(of, "%s and --like %s are two models; leave one out", given->operands.items[0], given->like);
    if (given->spec && given->json)
        return fail_usage(of, "--spec and --json print two things; leave one out");
    if (given->spec &&
        (given->recipe != NULL || given->rules.count > 0 || given->dtype != FANIN_DTYPE_NONE || given->profile != 0))
        return fail_usage(of, "--spec prints the description as it is; leave out --recipe, --set, --dtype, --profile");
    source from = {0};
    int exit_status = run_with(given, &from);
    source_release(&from);
    return exit_status;
}

static const option options[] = {
    {OPTION_LIKE},
    {OPTION_RECIPE},
    {OPTION_SET},
    {OPTION_MODEL_DTYPE},
    {OPTION_PROFILE_NAME},
    {OPTION_STRICT},
    {OPTION_JSON, "print the plan file: what runs, as data"},
    {OPTION_ROW("spec", 0, OPTION_FLAG, spec, NULL), "print the description as a spec file, a config.json expanded"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_plan = {
    .name = "plan",
    .summary = "show what init would do, tensor by tensor",
    .usage = (const char *const[]){"DESCRIPTION [options]", "--like CHECKPOINT [--recipe FILE] [options]", NULL},
    .description =
        "Prints one row for each fill, in the order of the stream: tensor, shape, dtype, fans (in/out), initializer, "
        "the "
        "numbers it resolves to (+- a bound, a std, = a constant), and the position of its first 32-bit draw. A plan "
        "is the same for every seed.",
    .options = options,
    .examples = (const char *const[]){"fanin plan config.json", "fanin plan config.json --spec > spec.json",
                                      "fanin plan --like model.safetensors --recipe recipe.json", NULL},
    .run = run,
};
