/* SPDX-License-Identifier: MIT */
/*
 * fanin check: whether a checkpoint is initialized as it should be, why not, and a copy in which what is not is mended.
 */
#include "check_subject.h"
#include "check_text.h"
#include "progress.h"
#include "small_file.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const settings *given;
    subject of;
    fanin_severity fail_on;
    fanin_pool *pool;
    fanin_parallel parallel;
    fanin_diagnosis *diagnosis;
} job;

/* -- The command line --------------------------------------------------------------------------------------------- */

static int check_mending(const settings *given)
{
    const command *of = &command_check;
    if (given->fix && given->output == NULL)
        return fail_usage(of, "--fix writes a mended copy; say where with -o NEW");
    if (!given->fix && given->output != NULL)
        return fail_usage(of, "-o %s is for --fix", given->output);
    if (!given->fix && given->seed.given)
        return fail_usage(of, "--seed is for what --fix makes anew");
    if (given->force && !given->fix && given->html == NULL)
        return fail_usage(of, "--force is for --fix and --html");
    return EXIT_OK;
}

static int check_facts(const settings *given)
{
    const command *of = &command_check;
    const bool has_description = given->operands.count > 1;
    if (has_description && given->plan != NULL)
        return fail_usage(of, "%s and --plan %s are two descriptions; leave one out", given->operands.items[1],
                          given->plan);
    if (given->plan != NULL && (given->recipe != NULL || given->rules.count > 0))
        return fail_usage(of, "--plan %s has its rules; leave out --recipe and --set", given->plan);
    if (given->dtype != FANIN_DTYPE_NONE && !has_description)
        return fail_usage(of,
                          "--dtype says what a DESCRIPTION becomes; for what the weights will be stored as write "
                          "--target %s",
                          fanin_dtype_name(given->dtype));
    if (given->expect == NULL)
        return EXIT_OK;
    if (strcmp(given->expect, "recipe") != 0 && strcmp(given->expect, "plan") != 0)
        return fail_usage(of, "--expect %s: write --expect recipe or --expect plan", given->expect);
    if (strcmp(given->expect, "recipe") == 0 && given->recipe == NULL && given->rules.count == 0)
        return fail_usage(of, "--expect recipe needs rules: --recipe FILE or --set 'PATTERN=INIT(args)'");
    return EXIT_OK;
}

static int check_usage(job *of)
{
    const settings *given = of->given;
    if (given->operands.count < 1 || given->operands.count > 2)
        return fail_usage(&command_check, "check takes a CHECKPOINT, and a DESCRIPTION of what it should be if there "
                                          "is one");
    of->fail_on = FANIN_SEVERITY_WARN;
    if (given->fail_on != NULL && strcmp(given->fail_on, "error") == 0)
        of->fail_on = FANIN_SEVERITY_ERROR;
    else if (given->fail_on != NULL && strcmp(given->fail_on, "warn") != 0)
        return fail_usage(&command_check, "--fail-on %s: write --fail-on warn or --fail-on error", given->fail_on);
    int exit_status = check_mending(given);
    if (exit_status == EXIT_OK)
        exit_status = check_facts(given);
    if (exit_status == EXIT_OK && given->html != NULL)
        exit_status = file_check_new(given->html, given->force);
    /* folders are looked at by who writes them, since what may be in them depends on what is written */
    if (exit_status == EXIT_OK && given->fix && file_has_ending(given->output, ".safetensors"))
        exit_status = file_check_new(given->output, given->force);
    return exit_status;
}

/* -- Looking ------------------------------------------------------------------------------------------------------ */

static int diagnose(job *of)
{
    const settings *given = of->given;
    fanin_error error;
    progress shown;
    char *asked = check_command(given);
    if (asked == NULL)
        return fail_memory();
    progress_begin(&shown, "checking", given->quiet);
    const fanin_diagnosis_options options = {.size = sizeof options,
                                             .parallel = &of->parallel,
                                             .progress = progress_update,
                                             .user = &shown,
                                             .model = of->of.model,
                                             .plan = of->of.plan,
                                             .config = of->of.config,
                                             .activation = given->activation,
                                             .expect = given->expect != NULL,
                                             .deep = given->deep,
                                             .target = given->target,
                                             .plan_is_partial = of->of.is_partial,
                                             .command = asked};
    fanin_status status = fanin_diagnose(&of->of.weights, &options, &of->diagnosis, &error);
    progress_end(&shown);
    free(asked);
    if (status != FANIN_OK)
        return fail_run(&error, "nothing was changed");
    subject_note_config(of->given, &of->of, of->diagnosis);
    return EXIT_OK;
}

static int write_page(const job *of)
{
    fanin_error error;
    char *text;
    if (of->given->html == NULL)
        return EXIT_OK;
    if (fanin_diagnosis_to_html(of->diagnosis, &text, &error) != FANIN_OK)
        return fail_with(&error);
    int exit_status = file_write(of->given->html, text, strlen(text));
    fanin_release(text);
    return exit_status;
}

static int print_json(const job *of)
{
    fanin_error error;
    char *text;
    if (fanin_diagnosis_to_json(of->diagnosis, &text, &error) != FANIN_OK)
        return fail_with(&error);
    fputs(text, stdout);
    fanin_release(text);
    return EXIT_OK;
}

static int report(const job *of)
{
    int exit_status = of->given->json ? print_json(of) : EXIT_OK;
    if (!of->given->json && !of->given->quiet)
        check_text_print(of->given, &of->of, of->diagnosis);
    return exit_status == EXIT_OK ? write_page(of) : exit_status;
}

static bool has_findings(const job *of)
{
    size_t n = 0;
    for (int s = (int)of->fail_on; s <= FANIN_SEVERITY_ERROR; s++)
        n += fanin_diagnosis_severity_count(of->diagnosis, (fanin_severity)s);
    return n > 0;
}

/* -- Mending ------------------------------------------------------------------------------------------------------ */

/* Findings that mending is about, those of them that it can do nothing for, and those of no tensor. */
typedef struct prospects {
    size_t nfindings;
    size_t nmended;
    size_t nwithout_tensors;
} prospects;

static prospects look_ahead(const job *of)
{
    prospects ahead = {0};
    for (size_t i = 0; i < fanin_diagnosis_finding_count(of->diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(of->diagnosis, i);
        if (finding->severity == FANIN_SEVERITY_INFO)
            continue;
        ahead.nfindings++;
        ahead.nmended += subject_is_mended(&of->of, finding);
        ahead.nwithout_tensors += finding->ntensors == 0;
    }
    return ahead;
}

/* What lies beside the weights belongs to the model that they are of. */
static int read_config_beside(const char *checkpoint, char **text)
{
    char path[4096];
    size_t nbytes;
    const size_t folder = (size_t)(file_last_name(checkpoint) - checkpoint);
    const bool is_file = file_has_ending(checkpoint, ".json") || file_has_ending(checkpoint, ".safetensors");
    const int n = is_file ? snprintf(path, sizeof path, "%.*sconfig.json", (int)folder, checkpoint)
                          : snprintf(path, sizeof path, "%s/config.json", checkpoint);
    *text = NULL;
    if (n < 0 || (size_t)n >= sizeof path || !file_is_json(path))
        return EXIT_OK;
    *text = calloc(1, ((size_t)16 << 20) + 1);
    return *text != NULL ? file_read(path, *text, (size_t)16 << 20, &nbytes) : fail_memory();
}

static void print_mended(const job *of, uint64_t seed, const fanin_repair_result *result)
{
    char digest[65];
    const size_t nkept = fanin_checkpoint_tensor_count(of->of.checkpoint) - result->nmade;
    FILE *file = of->given->json ? stderr : stdout;
    fanin_digest_hex(&result->digest, digest);
    fputs(of->given->json ? "" : "\n", file);
    print_escaped(file, of->given->output);
    fprintf(file, ": %zu tensor%s made anew at seed %" PRIu64 ", %zu as %s\n", result->nmade, plural(result->nmade),
            seed, nkept, nkept == 1 ? "it was" : "they were");
    fprintf(file, "digest %s\n", digest);
}

static int repair(const job *of, uint64_t seed, const char *config)
{
    const settings *given = of->given;
    fanin_error error;
    fanin_repair_result result;
    progress shown;
    progress_begin(&shown, "writing", given->quiet);
    const fanin_run_options options = {
        .size = sizeof options, .seed = seed, .progress = progress_update, .user = &shown, .parallel = &of->parallel};
    const fanin_write_options write = {.size = sizeof write,
                                       .path = given->output,
                                       .force = given->force,
                                       .config_json = config,
                                       .source = given->operands.items[0]};
    fanin_status status =
        fanin_repair(of->of.checkpoint, of->diagnosis, of->of.mending_plan, &options, &write, &result, &error);
    progress_end(&shown);
    if (status != FANIN_OK)
        return fail_run(&error, "nothing was written");
    if (!given->quiet)
        print_mended(of, seed, &result);
    if (result.nleft == 0)
        return EXIT_OK;
    print_error("%zu tensor%s left as %s: what is missing to make %s is not known", result.nleft,
                result.nleft == 1 ? " is" : "s are", result.nleft == 1 ? "it was" : "they were",
                result.nleft == 1 ? "it" : "them");
    return EXIT_DIFFERENT;
}

static int mend(const job *of)
{
    const settings *given = of->given;
    const prospects ahead = look_ahead(of);
    uint64_t seed = of->of.own_seed;
    char *config = NULL;
    if (ahead.nfindings == 0) {
        if (!given->quiet)
            print_note("there is nothing to mend: %s is not written", given->output);
        return EXIT_OK;
    }
    if (ahead.nmended == 0) {
        print_error("nothing can be mended as long as what is missing is not known: %s is not written", given->output);
        return EXIT_DIFFERENT;
    }
    /* by its own plan at its own seed it becomes what it should have been */
    int exit_status = of->of.is_own_plan && !given->seed.given ? EXIT_OK : choose_seed(given, &seed);
    if (exit_status == EXIT_OK && !file_has_ending(given->output, ".safetensors"))
        exit_status = read_config_beside(given->operands.items[0], &config);
    if (exit_status == EXIT_OK)
        exit_status = repair(of, seed, config);
    free(config);
    if (exit_status == EXIT_OK && ahead.nwithout_tensors > 0) {
        print_error("%zu finding%s about no tensor that could be made anew", ahead.nwithout_tensors,
                    ahead.nwithout_tensors == 1 ? " is" : "s are");
        exit_status = EXIT_DIFFERENT;
    }
    return exit_status;
}

/* -- Both --------------------------------------------------------------------------------------------------------- */

static int check(job *of)
{
    fanin_error error;
    if (fanin_pool_create((unsigned)of->given->threads.value, &of->pool, &error) != FANIN_OK)
        return fail_with(&error);
    of->parallel = fanin_pool_parallel(of->pool);
    int exit_status = diagnose(of);
    if (exit_status == EXIT_OK)
        exit_status = report(of);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (of->given->fix)
        return mend(of);
    return has_findings(of) ? EXIT_DIFFERENT : EXIT_OK;
}

static int run(const settings *given)
{
    job of = {.given = given};
    int exit_status = check_usage(&of);
    if (exit_status == EXIT_OK)
        exit_status = subject_open(given, &of.of);
    if (exit_status == EXIT_OK)
        exit_status = check(&of);
    fanin_diagnosis_free(of.diagnosis);
    fanin_pool_free(of.pool);
    subject_release(&of.of);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("config", 0, OPTION_TEXT, config, "FILE"),
     "the model's config.json: for about 130 families of transformers the distribution of each weight, for some layer "
     "kinds and shapes too"},
    {OPTION_ROW("plan", 0, OPTION_TEXT, plan, "FILE"), "a plan: what each tensor should have been drawn from"},
    {OPTION_ROW("recipe", 0, OPTION_TEXT, recipe, "FILE"),
     "rules for the checkpoint's tensors, or those that go before the DESCRIPTION's own"},
    {OPTION_SET},
    {OPTION_ROW("expect", 0, OPTION_TEXT, expect, "recipe|plan"),
     "test that each tensor was drawn from its distribution, in every way there is"},
    {OPTION_ROW("activation", 0, OPTION_TEXT, activation, "NAME"),
     "what follows linear and convolution layers where nothing else tells: relu, tanh, gelu, linear ..."},
    {OPTION_ROW("target", 0, OPTION_DTYPE, target, "DTYPE"), "also say what storing the weights as DTYPE would lose"},
    {OPTION_ROW("deep", 0, OPTION_FLAG, deep, NULL), "also look at spectra and orthogonality, which takes longer"},
    {SUBJECT_ONLY},
    {OPTION_EXCEPT},
    {OPTION_ROW("dtype", 0, OPTION_DTYPE, dtype, "DTYPE"), "f32, f64, bf16 or f16 for all tensors of a DESCRIPTION"},
    {OPTION_ROW("fail-on", 0, OPTION_TEXT, fail_on, "warn|error"),
     "the least that makes the exit status 1 (default: warn)"},
    {OPTION_ROW("fix", 0, OPTION_FLAG, fix, NULL),
     "write a copy in which the tensors with warnings and errors are made anew, all others as they are"},
    {OPTION_ROW("output", 'o', OPTION_TEXT, output, "NEW"),
     "where --fix writes: a name that ends in .safetensors, or a folder"},
    {OPTION_ROW("seed", 0, OPTION_SEED, seed, "N"),
     "of what --fix makes anew (default: that of the checkpoint's own plan, else a new one, which the copy records)"},
    {OPTION_ROW("force", 0, OPTION_FLAG, force, NULL), "replace what is there under the name of -o or --html"},
    {OPTION_ROW("html", 0, OPTION_TEXT, html, "FILE"), "also write a page with findings, plots and a table of tensors"},
    {OPTION_THREAD_COUNT},
    {OPTION_JSON, "print an object with every finding and the statistics of every tensor (docs/check.schema.json)"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_check = {
    .name = "check",
    .summary = "find bad initialization in any checkpoint, say why, and mend it",
    .usage = (const char *const[]){"CHECKPOINT [DESCRIPTION] [options]", "CHECKPOINT --fix -o NEW [options]", NULL},
    .description =
        "Reads every value once and tells what is not as initial weights should be: NaN, memory that was never "
        "written, zeros and constants, equal rows, tensors or streams, scales that lose the signal, wrong fans, odd "
        "means, tails and bounds. Worst first; layers that share a finding are one line. docs/check.md explains each.\n"
        "\n"
        "CHECKPOINT is a safetensors file, an index of shards, a folder with one of them, or a .npy file. DESCRIPTION "
        "(a spec, a config.json, a plan) says which tensors there should be and how they begin; a checkpoint that "
        "fanin made carries its own plan. Without either, names and shapes tell what they can, and the rest is not "
        "guessed at.\n\n"
        "What is a matter of taste, or cannot be known, is a note and never fails.",
    .options = options,
    .examples = (const char *const[]){"fanin check model.safetensors --config config.json",
                                      "fanin check gpt2 --html report.html --fail-on error",
                                      "fanin check model.safetensors --recipe recipes/gpt2.json --expect recipe",
                                      "fanin check model.safetensors --fix -o mended.safetensors --seed 42", NULL},
    .exit_different = "findings (or what --fix left)",
    .run = run,
};
