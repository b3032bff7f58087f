/* SPDX-License-Identifier: MIT */
/*
 * fanin init: a model description in, an initialized checkpoint out.
 */
#include "small_file.h"
#include "json_output.h"
#include "option.h"
#include "progress.h"
#include "source.h"
#include "table.h"
#include "terminal.h"

#include <inttypes.h>
#include <string.h>

/* What one run has gathered. */
typedef struct job {
    source from;
    uint64_t seed;
    fanin_run_options options;
    fanin_write_options write;
    fanin_write_result result;
    char *config;
    char plan_sha256[65];
    table files;
    json_output json;
    double seconds;
} job;

static bool is_single_file(const char *output)
{
    return file_has_ending(output, ".safetensors");
}

static int check_usage(const settings *given)
{
    const command *of = &command_init;
    if (given->like == NULL && given->operands.count != 1)
        return fail_usage(of, "init takes one DESCRIPTION, or --like CHECKPOINT");
    if (given->like != NULL && given->operands.count != 0)
        return fail_usage(of, "%s and --like %s are two models; leave one out", given->operands.items[0], given->like);
    if (given->output == NULL)
        return fail_usage(of, "init needs -o OUT: a folder, or a file that ends in .safetensors");
    if (given->max_shard_nbytes != 0 && is_single_file(given->output))
        return fail_usage(of, "--max-shard-size splits the weights of a folder, and %s is one file", given->output);
    return EXIT_OK;
}

/* The input that the output would replace, or NULL. Shards of --like count by the folder they are in. */
static const char *find_overwritten(const settings *given, const char *input, bool is_config)
{
    const char *output = given->output;
    if (input == NULL || strcmp(input, "-") == 0)
        return NULL;
    if (is_single_file(output))
        return file_is_same(input, output) ? input : NULL;
    bool is_weights = file_has_ending(input, ".safetensors") || file_has_ending(input, ".safetensors.index.json");
    bool is_written = is_weights || (is_config && strcmp(file_last_name(input), "config.json") == 0);
    return file_is_same(input, output) || (is_written && file_is_in(input, output)) ? input : NULL;
}

static int check_not_input(const settings *given, const source *from)
{
    const char *description = given->operands.count > 0 ? given->operands.items[0] : NULL;
    const char *overwritten =
        find_overwritten(given, description, from->model != NULL && fanin_model_family(from->model) != NULL);
    if (overwritten == NULL)
        overwritten = find_overwritten(given, given->recipe, false);
    if (overwritten == NULL)
        overwritten = find_overwritten(given, given->like, false);
    fanin_checkpoint *checkpoint = NULL;
    char file[4096] = "";
    /* --like may name a folder or an index: its files count too. */
    if (overwritten == NULL && given->like != NULL &&
        fanin_checkpoint_open(given->like, &checkpoint, NULL) == FANIN_OK) {
        for (size_t i = 0; i < fanin_checkpoint_file_count(checkpoint) && overwritten == NULL; i++) {
            snprintf(file, sizeof file, "%s", fanin_checkpoint_file_at(checkpoint, i));
            overwritten = find_overwritten(given, file, false);
        }
        fanin_checkpoint_close(checkpoint);
    }
    if (overwritten == NULL)
        return EXIT_OK;
    print_error("-o %s would replace the input %s; write to another place", given->output, overwritten);
    return EXIT_USAGE;
}

/* The dtype of the weights, for the config.json beside them. */
static fanin_dtype weights_dtype(const fanin_plan *plan)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        fanin_dtype dtype = fanin_plan_tensor_at(plan, i)->dtype;
        if (fanin_dtype_is_random(dtype))
            return dtype;
    }
    return FANIN_F32;
}

static void add_file(void *user, const char *path, uint64_t nbytes)
{
    job *of = user;
    table_add(&of->files, "%s", path);
    table_add(&of->files, "%" PRIu64, nbytes);
}

/* Everything that can fail for the user's reason. */
static int prepare(const settings *given, job *of)
{
    fanin_error error;
    int exit_status = source_read(given, given->operands.count > 0 ? given->operands.items[0] : NULL, &of->from);
    if (exit_status == EXIT_OK)
        exit_status = check_not_input(given, &of->from);
    /* The library follows links; a link to nothing is a name that is taken, too. */
    if (exit_status == EXIT_OK && is_single_file(given->output))
        exit_status = file_check_new(given->output, given->force);
    if (exit_status == EXIT_OK)
        exit_status = source_make_plan(given, given->profile, &of->from);
    if (exit_status == EXIT_OK)
        exit_status = source_report_warnings(given, &of->from);
    if (exit_status == EXIT_OK)
        exit_status = source_check_refusals(&of->from);
    if (exit_status == EXIT_OK)
        exit_status = choose_seed(given, &of->seed);
    if (exit_status != EXIT_OK)
        return exit_status;
    fanin_plan *plan = of->from.plan;
    bool to_folder = !is_single_file(given->output);
    if (fanin_plan_sha256(plan, of->plan_sha256, &error) != FANIN_OK ||
        (to_folder && of->from.model != NULL &&
         fanin_model_config(of->from.model, weights_dtype(plan), &of->config, &error) != FANIN_OK))
        return fail_with(&error);
    of->options = (fanin_run_options){.size = sizeof of->options, .seed = of->seed};
    of->write = (fanin_write_options){
        .size = sizeof of->write,
        .path = given->output,
        .max_shard_nbytes = given->max_shard_nbytes,
        .force = given->force,
        .no_digest = given->no_digest,
        .config_json = of->config,
        .source = strcmp(of->from.name, "-") == 0 ? "standard input" : file_last_name(of->from.name),
    };
    if (fanin_run_checkpoint_check(plan, &of->options, &of->write, add_file, of, &of->result, &error) != FANIN_OK)
        return fail_with(&error);
    return EXIT_OK;
}

static int write_checkpoint(const settings *given, job *of)
{
    fanin_error error;
    fanin_pool *pool = NULL;
    if (fanin_pool_create((unsigned)given->threads.value, &pool, &error) != FANIN_OK)
        return fail_with(&error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    progress shown;
    double began = clock_seconds();
    progress_begin(&shown, "writing", given->quiet);
    of->options.progress = progress_update;
    of->options.user = &shown;
    of->options.parallel = &parallel;
    fanin_status status = fanin_run_checkpoint(of->from.plan, &of->options, &of->write, &of->result, &error);
    progress_end(&shown);
    fanin_pool_free(pool);
    of->seconds = clock_seconds() - began;
    return status == FANIN_OK ? EXIT_OK : fail_run(&error, "the unfinished file was removed");
}

static void print_json(const settings *given, job *of)
{
    char digest[65];
    fanin_digest_hex(&of->result.digest, digest);
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "init");
    json_bool(&json, "dry_run", given->dry_run);
    json_string(&json, "output", given->output);
    json_u64_string(&json, "seed", of->seed);
    json_string(&json, "profile", fanin_profile_name(fanin_plan_profile(of->from.plan)));
    json_string(&json, "plan_sha256", of->plan_sha256);
    json_string(&json, "digest", given->dry_run || given->no_digest ? NULL : digest);
    json_u64(&json, "ntensors", count_stored(of->from.plan));
    json_u64(&json, "nbytes", of->result.nbytes);
    json_u64(&json, "nfiles", of->result.nfiles);
    json_begin(&json, "files", '[');
    for (size_t i = 0; i < of->files.ncells; i += of->files.ncolumns)
        json_string(&json, NULL, of->files.cells[i]);
    json_end(&json, ']');
    json_begin(&json, "warnings", '[');
    for (size_t i = 0; i < fanin_plan_warning_count(of->from.plan); i++)
        json_string(&json, NULL, fanin_plan_warning_at(of->from.plan, i));
    json_end(&json, ']');
    json_number(&json, "seconds", of->seconds);
    json_end(&json, '}');
}

static void print_summary(const settings *given, const job *of)
{
    short_text size, time, rate;
    char total[3 * SHORT_NBYTES], digest[65];
    const fanin_plan *plan = of->from.plan;
    const fanin_write_result *result = &of->result;
    size_t ntensors = count_stored(plan);
    fputs(given->dry_run ? "would write " : "", stdout);
    print_escaped(stdout, given->output);
    printf(": %zu tensor%s, %s, seed %" PRIu64 "%s\n", ntensors, plural(ntensors),
           fanin_profile_name(fanin_plan_profile(plan)), of->seed, given->seed.given ? "" : " (from the system)");
    snprintf(total, sizeof total, "%" PRIu64 " bytes (%s) in %zu file%s", result->nbytes,
             format_bytes(result->nbytes, size), result->nfiles, plural(result->nfiles));
    if (given->dry_run) {
        printf("%s; nothing was written\n", total);
        return;
    }
    if (!given->no_digest) {
        fanin_digest_hex(&result->digest, digest);
        printf("digest %s\n", digest);
    }
    printf("%s, %s, %s\n", total, format_seconds(of->seconds, time),
           format_rate(of->seconds > 0 ? (double)result->nbytes / of->seconds : 0, rate));
}

static int run(const settings *given)
{
    static const column columns[] = {{"file", COLUMN_CUT_BEGIN, 16}, {"bytes", COLUMN_RIGHT, 0}};
    job of = {.files = {.columns = columns, .ncolumns = 2}};
    int exit_status = check_usage(given);
    if (exit_status == EXIT_OK)
        exit_status = prepare(given, &of);
    if (exit_status == EXIT_OK && !given->quiet)
        source_print_notes(&of.from);
    if (exit_status == EXIT_OK && !given->dry_run)
        exit_status = write_checkpoint(given, &of);
    if (exit_status == EXIT_OK && given->json)
        print_json(given, &of);
    else if (exit_status == EXIT_OK && !given->quiet) {
        if (given->dry_run && !table_print(&of.files))
            exit_status = EXIT_SYSTEM;
        print_summary(given, &of);
    } else if (exit_status == EXIT_OK && !given->seed.given) {
        printf("seed %" PRIu64 "\n", of.seed);
    }
    table_release(&of.files);
    fanin_release(of.config);
    source_release(&of.from);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("output", 'o', OPTION_TEXT, output, "OUT"),
     "OUT.safetensors is one file; anything else is a folder for model.safetensors or shards, with config.json if the "
     "model came from one"},
    {OPTION_LIKE},
    {OPTION_RECIPE},
    {OPTION_SET},
    {OPTION_ONLY},
    {OPTION_EXCEPT},
    {OPTION_ROW("seed", 0, OPTION_SEED, seed, "N"),
     "torch.manual_seed(N): decimal, -2^63 to 2^64 - 1 (default: one from the system, printed and recorded)"},
    {OPTION_MODEL_DTYPE},
    {OPTION_PROFILE_NAME},
    {OPTION_ROW("max-shard-size", 0, OPTION_SIZE, max_shard_nbytes, "SIZE"),
     "largest shard of a folder, as 500MB, 5GB or 4GiB (default 5GB)"},
    {OPTION_ROW("force", 'f', OPTION_FLAG, force, NULL), "replace output that exists"},
    {OPTION_ROW("no-digest", 0, OPTION_FLAG, no_digest, NULL),
     "leave out the SHA-256 of what is written, about half of the work; the files are the same"},
    {OPTION_ROW("dry-run", 'n', OPTION_FLAG, dry_run, NULL), "check everything, print what would be written, and stop"},
    {OPTION_THREAD_COUNT},
    {OPTION_STRICT},
    {OPTION_JSON, "print an object: seed, digest, files, bytes, seconds, warnings"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_init = {
    .name = "init",
    .summary = "make an initialized checkpoint from a model description",
    .usage = (const char *const[]){"DESCRIPTION -o OUT [options]", "--like CHECKPOINT [--recipe FILE] -o OUT [options]",
                                   NULL},
    .description =
        "Writes the tensors of a model as safetensors, initialized as PyTorch would from the same seed.\n\n"
        "DESCRIPTION is a spec file (JSON: tensors or layers, and rules), a Hugging Face config.json ('fanin list "
        "families'), or a plan: one that 'fanin plan --json' printed, or a recording of a PyTorch model, which makes "
        "just the bits that its constructor would; '-' is standard input. The file carries its seed and plan, so that "
        "'fanin verify' can prove it.",
    .options = options,
    .examples =
        (const char *const[]){
            "fanin init config.json -o gpt2 --seed 42", "fanin init mlp.json -o mlp.safetensors --set '**.bias=zeros'",
            "fanin init --like model.safetensors --set '**=normal(std=0.02)' -o new.safetensors", NULL},
    .run = run,
};
