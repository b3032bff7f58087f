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
    char text[VALUES_NBYTES], shape[SHAPE_NBYTES], deed[DEED_NBYTES];
    const fanin_plan_tensor *tensor = op->tensor != SIZE_MAX ? fanin_plan_tensor_at(plan, op->tensor) : NULL;
    const char *part = op->part;
    if (part == NULL && tensor != NULL && op->kind != FANIN_OP_UNKNOWN &&
        (uint64_t)fanin_tensor_nelem(&op->view) != fanin_plan_storage_nelem(plan, op->storage))
        part = "part";
    table_add(to, "%s%s%s%s", tensor != NULL ? tensor->name : "-", part != NULL ? " (" : "", part != NULL ? part : "",
              part != NULL ? ")" : "");
    table_add(to, "%s", format_shape(op->view.shape, op->view.ndim, shape));
    table_add(to, "%s", fanin_dtype_name(op->view.dtype));
    table_add(to, "%s", format_fans(op->fan_in, op->fan_out, text));
    table_add(to, "%s", format_deed(plan, op, deed));
    if (op->kind == FANIN_OP_FILL)
        format_values(&op->fill, text);
    else if (op->kind == FANIN_OP_CAST)
        snprintf(text, sizeof text, "from %s", fanin_dtype_name(op->source->view.dtype));
    else if (op->kind == FANIN_OP_NORM || op->kind == FANIN_OP_QR ||
             (op->kind == FANIN_OP_FUNCTION && fanin_plan_function_is_host(op->function, op->view.dtype)))
        snprintf(text, sizeof text, "torch's bits are its host's");
    else
        snprintf(text, sizeof text, "%s", op->kind == FANIN_OP_UNKNOWN ? "not known to this fanin" : "");
    table_add(to, "%s%s", text, op->dead && op->kind != FANIN_OP_UNKNOWN ? " (overwritten)" : "");
    if (op->ndraws == 0)
        table_add(to, "-");
    else if (op->stream > 0)
        table_add(to, "%" PRIu64 "%s of %zu", op->at, op->barriers > 0 ? "+" : "", op->stream);
    else
        table_add(to, "%" PRIu64 "%s", op->at, op->barriers > 0 ? "+" : "");
}

/* What a recording says of itself and of single tensors. */
static void print_recording(const fanin_plan *plan)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to != NULL || (tensor->is_persistent && tensor->refused == NULL))
            continue;
        print_escaped(stdout, tensor->name);
        if (tensor->refused == NULL) {
            fputs(" is a buffer that no checkpoint holds\n", stdout);
            continue;
        }
        fputs(" cannot be made: ", stdout);
        print_escaped(stdout, tensor->refused);
        putchar('\n');
    }
    for (size_t i = 1; i < fanin_plan_stream_count(plan); i++)
        printf("stream %zu has the seed %" PRIu64 " whatever yours is\n", i, fanin_plan_stream_seed(plan, i));
    const char *separator = "recorded: ";
    for (size_t i = 0; i < fanin_plan_note_count(plan); i++) {
        if (fanin_plan_note_value(plan, i) == NULL)
            continue;
        fputs(separator, stdout);
        print_escaped(stdout, fanin_plan_note_key(plan, i));
        putchar(' ');
        print_escaped(stdout, fanin_plan_note_value(plan, i));
        separator = ", ";
    }
    if (separator[0] == ',')
        putchar('\n');
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
            nelem += fanin_plan_tensor_is_stored(tensor) ? tensor->nelem : 0;
            nbytes += fanin_plan_tensor_is_stored(tensor) ? tensor->nbytes : 0;
            continue;
        }
        print_escaped(stdout, tensor->name);
        fputs(" is tied to ", stdout);
        print_escaped(stdout, tensor->tied_to);
        putchar('\n');
    }
    if (fanin_plan_is_recorded(plan))
        print_recording(plan);
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
    int exit_status = source_read(given, given->operands.count > 0 ? given->operands.items[0] : NULL, from);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (given->spec && from->model == NULL) {
        print_error("%s is a plan, and has no description to print", from->name);
        return EXIT_USAGE;
    }
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
    if (given->spec && (given->recipe != NULL || given->rules.count > 0 || given->dtype != FANIN_DTYPE_NONE ||
                        given->profile != 0 || given->only.count > 0 || given->except.count > 0))
        return fail_usage(of, "--spec prints the description as it is; leave out --recipe, --set, --only, --except, "
                              "--dtype, --profile");
    source from = {0};
    int exit_status = run_with(given, &from);
    source_release(&from);
    return exit_status;
}

static const option options[] = {
    {OPTION_LIKE},
    {OPTION_RECIPE},
    {OPTION_SET},
    {OPTION_ONLY},
    {OPTION_EXCEPT},
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
