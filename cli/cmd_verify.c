/* SPDX-License-Identifier: MIT */
/*
 * fanin verify: whether a checkpoint holds, byte for byte, what its plan and seed make.
 */
#include "json_output.h"
#include "option.h"
#include "progress.h"
#include "small_file.h"
#include "source.h"
#include "table.h"
#include "terminal.h"

#include <inttypes.h>
#include <string.h>

/* Differences that are printed in full; --json has them all. */
#define NSHOWN 20

static const column columns[] = {
    {"tensor", COLUMN_CUT_BEGIN, 16}, {"differs in", COLUMN_CUT_END, 12}, {"first", COLUMN_RIGHT, 0},
    {"expected", COLUMN_RIGHT, 0},    {"found", COLUMN_RIGHT, 0},         {"largest gap", COLUMN_RIGHT, 0},
};

typedef struct job {
    const settings *given;
    source from;
    fanin_checkpoint *checkpoint;
    fanin_plan *own_plan; /* that the checkpoint carries; NULL if it has none */
    uint64_t own_seed;
    const fanin_plan *plan; /* the one to compare with: own_plan or from.plan */
    uint64_t seed;
    fanin_verify_result result;
    size_t nreported;
    table rows;
    json_output json;
    double seconds;
} job;

static const char *difference_name(fanin_difference_kind kind)
{
    static const char *const names[] = {
        [FANIN_DIFFERENCE_MISSING] = "missing", [FANIN_DIFFERENCE_UNEXPECTED] = "unexpected",
        [FANIN_DIFFERENCE_DTYPE] = "dtype",     [FANIN_DIFFERENCE_SHAPE] = "shape",
        [FANIN_DIFFERENCE_BYTES] = "bytes",
    };
    return names[kind];
}

static void report_json(job *of, const fanin_difference *difference)
{
    json_output *json = &of->json;
    json_begin(json, NULL, '{');
    json_string(json, "tensor", difference->tensor);
    json_string(json, "kind", difference_name(difference->kind));
    if (difference->kind == FANIN_DIFFERENCE_BYTES) {
        json_u64(json, "nelem", difference->nelem);
        json_u64(json, "ndiffering", difference->ndiffering);
        json_u64(json, "first", difference->first);
        json_number(json, "expected", difference->expected);
        json_number(json, "found", difference->found);
        json_number(json, "max_abs", difference->max_abs);
    }
    json_end(json, '}');
}

/* What the plan and the checkpoint say about a tensor of another dtype or shape. */
static void describe(const job *of, const fanin_difference *difference, char text[2 * SHAPE_NBYTES])
{
    char planned[SHAPE_NBYTES], found[SHAPE_NBYTES];
    size_t p = fanin_plan_tensor_find(of->plan, difference->tensor);
    size_t c = fanin_checkpoint_tensor_find(of->checkpoint, difference->tensor);
    const fanin_plan_tensor *in_plan = p != SIZE_MAX ? fanin_plan_tensor_at(of->plan, p) : NULL;
    const fanin_checkpoint_tensor *in_file = c != SIZE_MAX ? fanin_checkpoint_tensor_at(of->checkpoint, c) : NULL;
    const char *kind = difference_name(difference->kind);
    if (difference->kind == FANIN_DIFFERENCE_MISSING)
        snprintf(text, 2 * SHAPE_NBYTES, "missing from the file");
    else if (difference->kind == FANIN_DIFFERENCE_UNEXPECTED)
        snprintf(text, 2 * SHAPE_NBYTES, "not in the plan");
    else if (in_plan == NULL || in_file == NULL)
        snprintf(text, 2 * SHAPE_NBYTES, "%s", kind);
    else if (difference->kind == FANIN_DIFFERENCE_DTYPE)
        snprintf(text, 2 * SHAPE_NBYTES, "dtype: %s, not %s", fanin_dtype_name(in_file->dtype),
                 fanin_dtype_name(in_plan->dtype));
    else
        snprintf(text, 2 * SHAPE_NBYTES, "shape: %s, not %s", format_shape(in_file->shape, in_file->ndim, found),
                 format_shape(in_plan->shape, in_plan->ndim, planned));
}

static void report_row(job *of, const fanin_difference *difference)
{
    char text[2 * SHAPE_NBYTES];
    short_text number;
    table_add(&of->rows, "%s", difference->tensor);
    if (difference->kind != FANIN_DIFFERENCE_BYTES) {
        describe(of, difference, text);
        table_add(&of->rows, "%s", text);
        for (int i = 0; i < 4; i++)
            table_add(&of->rows, "%s", "");
        return;
    }
    table_add(&of->rows, "%" PRIu64 " of %" PRIu64 " values", difference->ndiffering, difference->nelem);
    table_add(&of->rows, "[%" PRIu64 "]", difference->first);
    snprintf(number, sizeof number, "%.9g", difference->expected);
    table_add(&of->rows, "%s", number);
    snprintf(number, sizeof number, "%.9g", difference->found);
    table_add(&of->rows, "%s", number);
    snprintf(number, sizeof number, "%.3g", difference->max_abs);
    table_add(&of->rows, "%s", number);
}

static void report(void *user, const fanin_difference *difference)
{
    job *of = user;
    of->nreported++;
    if (of->given->json)
        report_json(of, difference);
    else if (!of->given->quiet && of->nreported <= NSHOWN)
        report_row(of, difference);
}

static int check_usage(const settings *given)
{
    const command *of = &command_verify;
    size_t nmodels = (given->operands.count > 1 ? 1u : 0u) + (given->like != NULL ? 1u : 0u);
    if (given->operands.count < 1 || given->operands.count > 2)
        return fail_usage(of, "verify takes a CHECKPOINT, and a DESCRIPTION if it is not to be its own");
    if (nmodels > 1)
        return fail_usage(of, "%s and --like %s are two models; leave one out", given->operands.items[1], given->like);
    if (nmodels == 0 && (given->recipe != NULL || given->rules.count > 0 || given->only.count > 0 ||
                         given->except.count > 0 || given->dtype != FANIN_DTYPE_NONE || given->profile != 0))
        return fail_usage(of, "--recipe, --set, --only, --except, --dtype and --profile belong to a DESCRIPTION or "
                              "--like");
    return EXIT_OK;
}

static int open_checkpoint(const settings *given, job *of)
{
    fanin_error error;
    const char *path = given->operands.items[0];
    if (fanin_checkpoint_open(path, &of->checkpoint, &error) != FANIN_OK)
        return fail_with(&error);
    size_t nwarnings = fanin_checkpoint_warning_count(of->checkpoint);
    for (size_t i = 0; i < nwarnings; i++)
        print_warning("%s", fanin_checkpoint_warning_at(of->checkpoint, i));
    if (given->strict && nwarnings > 0)
        return EXIT_DIFFERENT;
    bool has_description = given->operands.count > 1 || given->like != NULL;
    fanin_status status = fanin_plan_from_checkpoint(of->checkpoint, &of->own_plan, &of->own_seed, &error);
    if (status == FANIN_OK || (has_description && status == FANIN_ERROR_UNSUPPORTED))
        return EXIT_OK;
    if (status != FANIN_ERROR_UNSUPPORTED)
        return fail_with(&error);
    print_error("%s (fanin verify %s DESCRIPTION --seed N)", error.message, path);
    return EXIT_USAGE;
}

/* What to compare with. Seed and profile of a description are those of the checkpoint unless given. */
static int choose_plan(const settings *given, job *of)
{
    int exit_status = EXIT_OK;
    of->plan = of->own_plan;
    if (given->operands.count > 1 || given->like != NULL) {
        fanin_profile profile = given->profile;
        if (profile == 0 && of->own_plan != NULL)
            profile = fanin_plan_profile(of->own_plan);
        exit_status = source_read(given, given->operands.count > 1 ? given->operands.items[1] : NULL, &of->from);
        if (exit_status == EXIT_OK)
            exit_status = source_make_plan(given, profile, &of->from);
        if (exit_status == EXIT_OK)
            exit_status = source_report_warnings(given, &of->from);
        if (exit_status == EXIT_OK)
            exit_status = source_check_refusals(&of->from);
        of->plan = of->from.plan;
    }
    if (exit_status == EXIT_OK && !given->seed.given && of->own_plan == NULL)
        return fail_usage(&command_verify, "%s does not say its seed; give it with --seed N", given->operands.items[0]);
    of->seed = given->seed.given ? given->seed.value : of->own_seed;
    return exit_status;
}

static void print_json_head(job *of)
{
    json_output *json = &of->json;
    json_begin(json, NULL, '{');
    json_string(json, "command", "verify");
    json_string(json, "checkpoint", of->given->operands.items[0]);
    json_string(json, "against", of->plan == of->own_plan ? NULL : of->from.name);
    json_u64_string(json, "seed", of->seed);
    json_string(json, "profile", fanin_profile_name(fanin_plan_profile(of->plan)));
    json_begin(json, "differences", '[');
}

static void print_json_tail(job *of, bool equal)
{
    char digest[65];
    fanin_digest_hex(&of->result.digest, digest);
    json_output *json = &of->json;
    json_end(json, ']');
    json_bool(json, "equal", equal);
    json_u64(json, "nequal", of->result.nequal);
    json_u64(json, "ndifferent", of->result.ndifferent);
    json_u64(json, "nbytes", of->result.nbytes);
    json_string(json, "digest", digest);
    json_number(json, "seconds", of->seconds);
    json_end(json, '}');
}

static int print_result(const job *of, bool equal)
{
    const char *path = of->given->operands.items[0];
    short_text size, time, rate;
    char digest[65];
    if (of->nreported > 0) {
        if (!table_print(&of->rows))
            return EXIT_SYSTEM;
        if (of->nreported > NSHOWN)
            printf("and %zu more (--json has them all)\n", of->nreported - NSHOWN);
        putchar('\n');
    }
    print_escaped(stdout, path);
    printf(": %s", equal ? "equal to " : "not equal to ");
    print_escaped(stdout, of->plan == of->own_plan ? "its own plan" : of->from.name);
    printf(" at seed %" PRIu64 ", %s\n", of->seed, fanin_profile_name(fanin_plan_profile(of->plan)));
    fanin_digest_hex(&of->result.digest, digest);
    printf("digest %s\n", digest);
    size_t nequal = of->result.nequal;
    printf("%zu tensor%s equal, %zu different; %s, %s, %s\n", nequal, plural(nequal), of->result.ndifferent,
           format_bytes(of->result.nbytes, size), format_seconds(of->seconds, time),
           format_rate(of->seconds > 0 ? (double)of->result.nbytes / of->seconds : 0, rate));
    return EXIT_OK;
}

static int compare(job *of)
{
    fanin_error error;
    fanin_pool *pool = NULL;
    if (fanin_pool_create((unsigned)of->given->threads.value, &pool, &error) != FANIN_OK)
        return fail_with(&error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    progress shown;
    double began = clock_seconds();
    progress_begin(&shown, "verifying", of->given->quiet);
    fanin_run_options options = {
        .size = sizeof options, .seed = of->seed, .progress = progress_update, .user = &shown, .parallel = &parallel};
    if (of->given->json)
        print_json_head(of);
    fanin_status status = fanin_verify(of->checkpoint, of->plan, &options, report, of, &of->result, &error);
    progress_end(&shown);
    fanin_pool_free(pool);
    of->seconds = clock_seconds() - began;
    if (status != FANIN_OK && status != FANIN_ERROR_MISMATCH)
        return fail_run(&error, "nothing was changed");
    if (of->given->json)
        print_json_tail(of, status == FANIN_OK);
    else if (!of->given->quiet && print_result(of, status == FANIN_OK) != EXIT_OK)
        return EXIT_SYSTEM;
    return status == FANIN_OK ? EXIT_OK : EXIT_DIFFERENT;
}

/* -- A recording against the digests it carries ------------------------------------------------------------------- */

typedef struct checking {
    const fanin_plan *plan;
    const settings *given;
    json_output json;
    fanin_check_result result;
} checking;

static void report_check(void *user, size_t tensor, bool equal)
{
    checking *of = user;
    const char *name = fanin_plan_tensor_at(of->plan, tensor)->name;
    if (of->given->json) {
        json_begin(&of->json, NULL, '{');
        json_string(&of->json, "tensor", name);
        json_bool(&of->json, "equal", equal);
        json_end(&of->json, '}');
    } else if (!of->given->quiet && !equal) {
        print_escaped(stdout, name);
        fputs(" differs from what was recorded\n", stdout);
    }
}

static int print_check(checking *of, const source *from, uint64_t seed, double seconds, bool equal)
{
    short_text time;
    const fanin_check_result *result = &of->result;
    if (of->given->json) {
        json_end(&of->json, ']');
        json_bool(&of->json, "equal", equal);
        json_u64(&of->json, "nequal", result->nequal);
        json_u64(&of->json, "ndifferent", result->ndifferent);
        json_u64(&of->json, "nrefused", result->nrefused);
        json_number(&of->json, "seconds", seconds);
        json_end(&of->json, '}');
    } else if (!of->given->quiet) {
        print_escaped(stdout, from->name);
        printf(": makes %s at seed %" PRIu64 ", %s\n", equal ? "what was recorded" : "something else than was recorded",
               seed, fanin_profile_name(fanin_plan_profile(of->plan)));
        printf("%zu tensor%s equal, %zu different", result->nequal, plural(result->nequal), result->ndifferent);
        if (result->nrefused > 0)
            printf(", %zu that cannot be made", result->nrefused);
        printf("; %s\n", format_seconds(seconds, time));
    }
    return equal ? EXIT_OK : EXIT_DIFFERENT;
}

static int check_plan(const settings *given, source *from)
{
    fanin_error error;
    fanin_pool *pool = NULL;
    checking of = {.given = given};
    uint64_t seed = 0;
    int exit_status = source_read(given, given->operands.items[0], from);
    if (exit_status != EXIT_OK)
        return exit_status;
    of.plan = from->plan;
    if (from->plan == NULL || !fanin_plan_check_seed(from->plan, &seed)) {
        print_error("%s is %s; verify takes a checkpoint, or a recording with digests", from->name,
                    from->plan == NULL ? "the description of a model" : "a plan without digests");
        return EXIT_USAGE;
    }
    if (given->seed.given)
        return fail_usage(&command_verify, "the digests of %s are those of seed %" PRIu64 "; leave --seed out",
                          from->name, seed);
    if (fanin_pool_create((unsigned)given->threads.value, &pool, &error) != FANIN_OK)
        return fail_with(&error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    progress shown;
    double began = clock_seconds();
    progress_begin(&shown, "verifying", given->quiet);
    const fanin_run_options options = {
        .size = sizeof options, .progress = progress_update, .user = &shown, .parallel = &parallel};
    if (given->json) {
        json_begin(&of.json, NULL, '{');
        json_string(&of.json, "command", "verify");
        json_string(&of.json, "plan", from->name);
        json_u64_string(&of.json, "seed", seed);
        json_string(&of.json, "profile", fanin_profile_name(fanin_plan_profile(from->plan)));
        json_begin(&of.json, "tensors", '[');
    }
    fanin_status status = fanin_run_check(from->plan, &options, report_check, &of, &of.result, &error);
    progress_end(&shown);
    fanin_pool_free(pool);
    if (status != FANIN_OK && status != FANIN_ERROR_MISMATCH)
        return fail_run(&error, "nothing was changed");
    return print_check(&of, from, seed, clock_seconds() - began, status == FANIN_OK);
}

/* -- Both --------------------------------------------------------------------------------------------------------- */

static int run(const settings *given)
{
    job of = {.given = given, .rows = {.columns = columns, .ncolumns = sizeof columns / sizeof columns[0]}};
    int exit_status = check_usage(given);
    bool is_plan = exit_status == EXIT_OK && given->operands.count == 1 && given->like == NULL &&
                   !file_has_ending(given->operands.items[0], ".safetensors.index.json") &&
                   file_is_json(given->operands.items[0]);
    if (is_plan)
        exit_status = check_plan(given, &of.from);
    else if (exit_status == EXIT_OK)
        exit_status = open_checkpoint(given, &of);
    if (exit_status == EXIT_OK && !is_plan)
        exit_status = choose_plan(given, &of);
    if (exit_status == EXIT_OK && !is_plan)
        exit_status = compare(&of);
    table_release(&of.rows);
    fanin_plan_free(of.own_plan);
    fanin_checkpoint_close(of.checkpoint);
    source_release(&of.from);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("seed", 0, OPTION_SEED, seed, "N"), "the seed (default: the one that the checkpoint carries)"},
    {OPTION_LIKE},
    {OPTION_RECIPE},
    {OPTION_SET},
    {OPTION_ONLY},
    {OPTION_EXCEPT},
    {OPTION_MODEL_DTYPE},
    {OPTION_ROW("profile", 0, OPTION_PROFILE, profile, "NAME"),
     "whose bits (default: the profile that the checkpoint carries, else torch)"},
    {OPTION_THREAD_COUNT},
    {OPTION_STRICT},
    {OPTION_JSON, "print an object with every difference"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_verify = {
    .name = "verify",
    .summary = "prove that a checkpoint holds what its plan and seed make",
    .usage =
        (const char *const[]){"CHECKPOINT [options]", "CHECKPOINT DESCRIPTION [--seed N] [options]",
                              "CHECKPOINT --like OTHER [--recipe FILE] [--seed N] [options]", "PLAN [options]", NULL},
    .description =
        "Makes every tensor again and compares the bytes: with the plan and seed that the checkpoint carries, or with "
        "a DESCRIPTION and seed that you give. Prints the tensors that differ, where, and by how much.\n\n"
        "CHECKPOINT is a safetensors file, an index of shards, or a folder with one of them. PLAN is a recording of a "
        "PyTorch model that carries digests: its tensors are made at the seed of the digests and compared with them.",
    .options = options,
    .examples =
        (const char *const[]){"fanin verify gpt2", "fanin verify model.safetensors config.json --seed 42", NULL},
    .run = run,
};
