/* SPDX-License-Identifier: MIT */
/*
 * fanin which: what rule made each tensor of a checkpoint, whether it is still as it was made, and which seed made all.
 */
#include "check_subject.h"
#include "json_output.h"
#include "progress.h"
#include "table.h"
#include "terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct job {
    const settings *given;
    subject of;
    fanin_pool *pool;
    fanin_parallel parallel;
    fanin_diagnosis *diagnosis;
    fanin_seed_range *ranges;
    size_t nranges;
} job;

/* -- Seeds of the command line ------------------------------------------------------------------------------------ */

static bool read_seed(const char **text, uint64_t *seed)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    *seed = 0;
    for (end = (char *)(uintptr_t)*text; *end >= '0' && *end <= '9'; end++)
        if (__builtin_mul_overflow(*seed, 10, seed) || __builtin_add_overflow(*seed, (uint64_t)(*end - '0'), seed))
            return false;
    *text = end;
    return true;
}

/* "0-9999", "1,2,5-7" */
static int read_seeds(job *of)
{
    const char *text = of->given->seeds;
    size_t room = 1;
    for (const char *c = text; *c != '\0'; c++)
        room += *c == ',';
    of->ranges = calloc(room, sizeof *of->ranges);
    if (of->ranges == NULL)
        return fail_memory();
    for (bool more = true; more; text++) {
        fanin_seed_range *range = &of->ranges[of->nranges++];
        bool good = read_seed(&text, &range->begin);
        range->end = range->begin;
        if (good && *text == '-') {
            text++;
            good = read_seed(&text, &range->end) && range->begin <= range->end;
        }
        if (!good || (*text != ',' && *text != '\0'))
            return fail_usage(&command_which, "--seeds %s: write numbers and ranges, as in 0-9999 or 1,2,42",
                              of->given->seeds);
        more = *text == ',';
    }
    return EXIT_OK;
}

/* -- Origins ------------------------------------------------------------------------------------------------------ */

static const char *untouched_name(fanin_answer answer)
{
    return answer == FANIN_YES ? "yes" : answer == FANIN_NO ? "no" : "unknown";
}

/* Tensors of one shape and pattern whose origins are told in the same words share a row. */
typedef struct row {
    size_t first, count;
    double least_std, greatest_std;
    int64_t first_layer, last_layer;
} row;

enum { TEXT_NBYTES = 400 };

static const char *kind_name(fanin_law_kind kind)
{
    static const char *const names[] = {"none", "constant", "uniform", "normal", "trunc_normal", "orthogonal", "other"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "none";
}

/* "kaiming_uniform(a=sqrt(5)), fan_in 768"; "normal, no rule" */
static void describe_rule(const fanin_origin *origin, char text[TEXT_NBYTES])
{
    if (origin->nrules == 0) {
        snprintf(text, TEXT_NBYTES, "%s%s", origin->fits ? kind_name(origin->law.kind) : "none",
                 origin->fits ? ", no rule gives its numbers" : "");
        return;
    }
    const fanin_origin_rule *rule = &origin->rules[0];
    int n = snprintf(text, TEXT_NBYTES, "%s", rule->rule);
    if (rule->divisor != NULL && n > 0 && n < TEXT_NBYTES)
        n += snprintf(text + n, (size_t)(TEXT_NBYTES - n), ", %s %" PRId64, rule->divisor, rule->fan);
    if (origin->nrules > 1 && n > 0 && n < TEXT_NBYTES)
        snprintf(text + n, (size_t)(TEXT_NBYTES - n), " (or %s%s)", origin->rules[1].rule,
                 origin->nrules > 2 ? ", ..." : "");
}

static bool is_same_row(const fanin_diagnosis *diagnosis, size_t a, size_t b)
{
    const fanin_diagnosis_tensor *x = fanin_diagnosis_tensor_at(diagnosis, a),
                                 *y = fanin_diagnosis_tensor_at(diagnosis, b);
    const fanin_origin *p = fanin_diagnosis_origin(diagnosis, a), *q = fanin_diagnosis_origin(diagnosis, b);
    char left[TEXT_NBYTES], right[TEXT_NBYTES];
    if (strcmp(x->pattern, y->pattern) != 0 || x->dtype != y->dtype || x->ndim != y->ndim ||
        memcmp(x->shape, y->shape, (size_t)x->ndim * sizeof *x->shape) != 0 || (p == NULL) != (q == NULL))
        return false;
    if (p == NULL)
        return true;
    describe_rule(p, left);
    describe_rule(q, right);
    return p->untouched == q->untouched && strcmp(left, right) == 0 && (p->untouched != FANIN_NO || p->nrules == 0);
}

static void add_to_row(const fanin_diagnosis *diagnosis, row *to, size_t i)
{
    const fanin_diagnosis_tensor *tensor = fanin_diagnosis_tensor_at(diagnosis, i);
    const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, i);
    const double std = origin != NULL ? origin->std : (double)NAN;
    to->least_std = to->count == 0 ? std : fmin(to->least_std, std);
    to->greatest_std = to->count == 0 ? std : fmax(to->greatest_std, std);
    to->first_layer = to->count == 0 || tensor->layer < to->first_layer ? tensor->layer : to->first_layer;
    to->last_layer = to->count == 0 || tensor->layer > to->last_layer ? tensor->layer : to->last_layer;
    to->count++;
}

static size_t make_rows(const fanin_diagnosis *diagnosis, row *rows)
{
    size_t n = 0;
    for (size_t i = 0; i < fanin_diagnosis_tensor_count(diagnosis); i++) {
        size_t k = 0;
        while (k < n && !is_same_row(diagnosis, rows[k].first, i))
            k++;
        if (k == n)
            rows[n++] = (row){.first = i};
        add_to_row(diagnosis, &rows[k], i);
    }
    return n;
}

static void print_row(table *to, const fanin_diagnosis *diagnosis, const row *from)
{
    const fanin_diagnosis_tensor *tensor = fanin_diagnosis_tensor_at(diagnosis, from->first);
    const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, from->first);
    char text[TEXT_NBYTES], shape[SHAPE_NBYTES];
    if (from->count == 1)
        table_add(to, "%s", tensor->name);
    else
        table_add(to, "%s (%zu)", tensor->pattern, from->count);
    table_add(to, "%s", format_shape(tensor->shape, tensor->ndim, shape));
    table_add(to, "%s", fanin_dtype_name(tensor->dtype));
    if (origin == NULL) {
        for (int i = 0; i < 3; i++)
            table_add(to, "%s", i == 1 ? "no floats" : "");
        return;
    }
    if (from->count == 1 || from->greatest_std - from->least_std < 0.01 * from->greatest_std || from->greatest_std == 0)
        table_add(to, "%.4g", origin->std);
    else
        table_add(to, "%.3g..%.3g", from->least_std, from->greatest_std);
    describe_rule(origin, text);
    table_add(to, "%s", text);
    table_add(to, "%s", untouched_name(origin->untouched));
}

static const column columns[] = {{"tensor", COLUMN_CUT_BEGIN, 24}, {"shape", COLUMN_LEFT, 0},
                                 {"dtype", COLUMN_LEFT, 0},        {"std", COLUMN_RIGHT, 0},
                                 {"rule", COLUMN_CUT_END, 24},     {"untouched", COLUMN_LEFT, 0}};

static int print_table(const job *of)
{
    const fanin_diagnosis *diagnosis = of->diagnosis;
    size_t count = fanin_diagnosis_tensor_count(diagnosis), nanswers[3] = {0};
    row *rows = calloc(count > 0 ? count : 1, sizeof *rows);
    table to = {.columns = columns, .ncolumns = sizeof columns / sizeof columns[0]};
    if (rows == NULL)
        return fail_memory();
    size_t n = make_rows(diagnosis, rows);
    for (size_t i = 0; i < n; i++)
        print_row(&to, diagnosis, &rows[i]);
    free(rows);
    bool printed = table_print(&to);
    table_release(&to);
    if (!printed)
        return EXIT_SYSTEM;
    for (size_t i = 0; i < count; i++) {
        const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, i);
        if (origin != NULL)
            nanswers[origin->untouched]++;
    }
    printf("\n%zu tensor%s as initialized, %zu changed since or of no law, %zu unknown\n", nanswers[FANIN_YES],
           plural(nanswers[FANIN_YES]), nanswers[FANIN_NO], nanswers[FANIN_UNKNOWN]);
    return EXIT_OK;
}

/* -- JSON --------------------------------------------------------------------------------------------------------- */

static void print_json_law(json_output *json, const fanin_law *law)
{
    json_begin(json, "law", '{');
    json_string(json, "kind", kind_name(law->kind));
    if (law->kind == FANIN_LAW_CONSTANT || law->kind == FANIN_LAW_ORTHOGONAL)
        json_number(json, law->kind == FANIN_LAW_CONSTANT ? "value" : "gain", law->value);
    if (law->kind == FANIN_LAW_NORMAL || law->kind == FANIN_LAW_TRUNC_NORMAL) {
        json_number(json, "mean", law->mean);
        json_number(json, "std", law->std);
    }
    if (law->kind == FANIN_LAW_UNIFORM || law->kind == FANIN_LAW_TRUNC_NORMAL) {
        json_number(json, "low", law->low);
        json_number(json, "high", law->high);
    }
    json_end(json, '}');
}

static void print_json_tensor(json_output *json, const fanin_diagnosis *diagnosis, size_t i)
{
    const fanin_diagnosis_tensor *tensor = fanin_diagnosis_tensor_at(diagnosis, i);
    const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, i);
    json_begin(json, NULL, '{');
    json_string(json, "name", tensor->name);
    json_string(json, "dtype", fanin_dtype_name(tensor->dtype));
    json_shape(json, "shape", tensor->shape, tensor->ndim);
    if (origin != NULL) {
        json_number(json, "std", origin->std);
        json_number(json, "bound", origin->bound);
        json_bool(json, "fits", origin->fits);
        print_json_law(json, &origin->law);
        json_number(json, "distance", origin->distance);
        json_number(json, "limit", origin->limit);
        json_bool(json, "is_one_law", origin->is_one_law);
        json_begin(json, "rules", '[');
        for (size_t k = 0; k < origin->nrules; k++) {
            const fanin_origin_rule *rule = &origin->rules[k];
            json_begin(json, NULL, '{');
            json_string(json, "rule", rule->rule);
            json_string(json, "title", rule->title);
            json_string(json, "divisor", rule->divisor);
            if (rule->divisor != NULL)
                json_i64(json, "fan", rule->fan);
            json_number(json, "std", rule->std);
            json_end(json, '}');
        }
        json_end(json, ']');
        json_string(json, "untouched", untouched_name(origin->untouched));
        json_string(json, "reason", origin->reason);
    }
    json_end(json, '}');
}

static void print_json(const job *of)
{
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "which");
    json_string(&json, "checkpoint", of->given->operands.items[0]);
    json_begin(&json, "tensors", '[');
    for (size_t i = 0; i < fanin_diagnosis_tensor_count(of->diagnosis); i++)
        print_json_tensor(&json, of->diagnosis, i);
    json_end(&json, ']');
    json_end(&json, '}');
}

static int tell_origins(job *of)
{
    const settings *given = of->given;
    fanin_error error;
    progress shown;
    progress_begin(&shown, "reading", given->quiet);
    const fanin_diagnosis_options options = {.size = sizeof options,
                                             .parallel = &of->parallel,
                                             .progress = progress_update,
                                             .user = &shown,
                                             .model = of->of.model,
                                             .plan = of->of.plan,
                                             .config = of->of.config};
    fanin_status status = fanin_diagnose(&of->of.weights, &options, &of->diagnosis, &error);
    progress_end(&shown);
    if (status != FANIN_OK)
        return fail_run(&error, "nothing was changed");
    subject_note_config(given, &of->of, of->diagnosis);
    if (given->json) {
        print_json(of);
        return EXIT_OK;
    }
    return print_table(of);
}

/* -- The seed ----------------------------------------------------------------------------------------------------- */

static bool go_on(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    return progress_signal() == 0;
}

static void print_json_seed(const job *of, const fanin_seed_result *result, double seconds)
{
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "which");
    json_string(&json, "checkpoint", of->given->operands.items[0]);
    json_string(&json, "profile", fanin_profile_name(fanin_plan_profile(of->of.plan)));
    json_bool(&json, "found", result->found);
    if (result->found)
        json_u64_string(&json, "seed", result->seed);
    json_u64(&json, "ntried", result->ntried);
    json_u64(&json, "ncompared", result->ncompared);
    json_u64(&json, "nequal", result->nequal);
    json_u64(&json, "nprobes", result->nprobes);
    json_number(&json, "seconds", seconds);
    json_end(&json, '}');
}

static int tell_seed(job *of)
{
    const settings *given = of->given;
    fanin_error error;
    fanin_seed_result result;
    progress shown;
    if (of->of.plan == NULL)
        return fail_usage(&command_which, "--seeds needs a plan: a DESCRIPTION, --plan FILE, or --recipe FILE");
    double began = clock_seconds();
    progress_begin(&shown, "trying seeds", given->quiet);
    const fanin_seed_options options = {.size = sizeof options, .parallel = &of->parallel, .progress = go_on};
    fanin_status status =
        fanin_find_seed(of->of.checkpoint, of->of.plan, of->ranges, of->nranges, &options, &result, &error);
    progress_end(&shown);
    if (status != FANIN_OK)
        return fail_run(&error, "nothing was changed");
    const double seconds = clock_seconds() - began;
    if (given->json) {
        print_json_seed(of, &result, seconds);
    } else if (result.found) {
        printf("seed %" PRIu64 ": %zu of %zu tensors that are drawn are equal byte for byte, %s\n", result.seed,
               result.nequal, result.ncompared, fanin_profile_name(fanin_plan_profile(of->of.plan)));
    } else {
        printf("none of %" PRIu64 " seeds made it, by the first values of %zu tensor%s, %s\n", result.ntried,
               result.nprobes, plural(result.nprobes), fanin_profile_name(fanin_plan_profile(of->of.plan)));
    }
    return result.found ? EXIT_OK : EXIT_DIFFERENT;
}

/* -- Both --------------------------------------------------------------------------------------------------------- */

static int check_usage(job *of)
{
    const settings *given = of->given;
    if (given->operands.count < 1 || given->operands.count > 2)
        return fail_usage(&command_which, "which takes a CHECKPOINT, and a DESCRIPTION if there is one");
    if (given->operands.count > 1 && given->plan != NULL)
        return fail_usage(&command_which, "%s and --plan %s are two descriptions; leave one out",
                          given->operands.items[1], given->plan);
    if (given->seeds == NULL && given->profile != 0)
        return fail_usage(&command_which, "--profile says whose bits --seeds tries");
    return given->seeds != NULL ? read_seeds(of) : EXIT_OK;
}

static int run(const settings *given)
{
    job of = {.given = given};
    fanin_error error;
    int exit_status = check_usage(&of);
    if (exit_status == EXIT_OK)
        exit_status = subject_open(given, &of.of);
    if (exit_status == EXIT_OK && fanin_pool_create((unsigned)given->threads.value, &of.pool, &error) != FANIN_OK)
        exit_status = fail_with(&error);
    if (exit_status == EXIT_OK) {
        of.parallel = fanin_pool_parallel(of.pool);
        exit_status = given->seeds != NULL ? tell_seed(&of) : tell_origins(&of);
    }
    fanin_diagnosis_free(of.diagnosis);
    fanin_pool_free(of.pool);
    subject_release(&of.of);
    free(of.ranges);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("seeds", 0, OPTION_TEXT, seeds, "SEEDS"),
     "instead: whether one of these seeds made the checkpoint, by its plan: 0-9999, or 1,2,42"},
    {OPTION_ROW("config", 0, OPTION_TEXT, config, "FILE"), "the model's config.json: layer kinds"},
    {OPTION_ROW("plan", 0, OPTION_TEXT, plan, "FILE"), "a plan, recorded or printed by fanin plan --json"},
    {OPTION_RECIPE},
    {OPTION_SET},
    {SUBJECT_ONLY},
    {OPTION_EXCEPT},
    {OPTION_MODEL_DTYPE},
    {OPTION_ROW("profile", 0, OPTION_PROFILE, profile, "NAME"), "whose bits --seeds tries (default: the plan's)"},
    {OPTION_THREAD_COUNT},
    {OPTION_JSON, "print an object with every tensor and every rule, or with the seed"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_which = {
    .name = "which",
    .summary = "what rule and what seed made a checkpoint, and what is still as it was made",
    .usage = (const char *const[]){"CHECKPOINT [options]", "CHECKPOINT [DESCRIPTION] --seeds 0-9999 [options]", NULL},
    .description =
        "Tells for each tensor the rule whose distribution its values follow, by its shape: "
        "kaiming_uniform(a=sqrt(5)), normal(std=0.02) ... Where several rules give the same numbers the most usual "
        "one comes first. A tensor is untouched if its values pass every test of that rule: mean and standard "
        "deviation within 7.5 standard errors, bounds, distribution, and rows and columns that differ by chance "
        "alone. Layers that are alike share a row.\n\n"
        "With --seeds and a plan (a DESCRIPTION, --plan, or the checkpoint's own) it tells instead whether one of "
        "these "
        "seeds made the checkpoint: the first values of a few tensors decide, then all are compared, in their own "
        "dtype or cast to that of the checkpoint. Exit status 1: none did.",
    .options = options,
    .examples =
        (const char *const[]){"fanin which model.safetensors", "fanin which model.safetensors --only 'lm_head.*'",
                              "fanin which model.safetensors plan.json --seeds 0-9999", NULL},
    .exit_different = "none of the seeds made it",
    .run = run,
};
