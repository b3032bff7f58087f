/* SPDX-License-Identifier: MIT */
/*
 * From a command line to what `check` looks at.
 */
#define _POSIX_C_SOURCE 200809L /* strdup */

#include "check_subject.h"

#include "small_file.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

/* A config.json has a page; what is far larger is some other file. */
#define CONFIG_NBYTES ((size_t)16 << 20)

/* -- The checkpoint ----------------------------------------------------------------------------------------------- */

static fanin_status read_weight(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    const subject *of = user;
    return fanin_checkpoint_read(of->checkpoint, of->numbers[i], offset, data, nbytes, error);
}

static int open_checkpoint(const settings *given, subject *of)
{
    fanin_error error;
    const char *path = given->operands.items[0];
    if (fanin_checkpoint_open(path, &of->checkpoint, &error) != FANIN_OK)
        return fail_with(&error);
    for (size_t i = 0; i < fanin_checkpoint_warning_count(of->checkpoint); i++)
        print_warning("%s", fanin_checkpoint_warning_at(of->checkpoint, i));
    fanin_status status = fanin_plan_from_checkpoint(of->checkpoint, &of->own_plan, &of->own_seed, &error);
    if (status == FANIN_ERROR_IO || status == FANIN_ERROR_MEMORY)
        return fail_with(&error);
    if (status != FANIN_OK && status != FANIN_ERROR_UNSUPPORTED)
        print_warning("%s; it is left aside", error.message);
    return EXIT_OK;
}

/* Which tensors the patterns leave; patterns are those of rules, which the library matches with the names of a plan. */
static int match_names(const settings *given, bool **keep)
{
    fanin_error error;
    fanin_model *model = NULL;
    fanin_recipe *recipe = NULL;
    fanin_plan *plan = NULL;
    const fanin_plan_options options = {.size = sizeof options};
    fanin_status status = fanin_model_like(given->operands.items[0], &model, &error);
    if (status == FANIN_OK)
        status = fanin_recipe_create(&recipe, &error);
    if (status == FANIN_OK)
        status = fanin_recipe_set(recipe, "**=zeros", &error);
    if (status == FANIN_OK)
        status = fanin_plan_create(model, recipe, &options, &plan, &error);
    *keep = calloc(plan != NULL ? fanin_plan_tensor_count(plan) + 1 : 1, sizeof **keep);
    if (status == FANIN_OK && *keep != NULL)
        status = fanin_plan_match(plan, given->only.items, given->only.count, given->except.items, given->except.count,
                                  *keep, &error);
    fanin_plan_free(plan);
    fanin_recipe_free(recipe);
    fanin_model_free(model);
    return *keep == NULL ? fail_memory() : status != FANIN_OK ? fail_with(&error) : EXIT_OK;
}

static int list_weights(const settings *given, subject *of)
{
    const size_t n = fanin_checkpoint_tensor_count(of->checkpoint);
    bool *keep = NULL;
    if (given->only.count > 0 || given->except.count > 0) {
        int exit_status = match_names(given, &keep);
        if (exit_status != EXIT_OK) {
            free(keep);
            return exit_status;
        }
    }
    of->items = calloc(n + 1, sizeof *of->items);
    of->numbers = calloc(n + 1, sizeof *of->numbers);
    bool *made = calloc(n + 1, sizeof *made);
    if (of->items == NULL || of->numbers == NULL || made == NULL) {
        free(made);
        free(keep);
        return fail_memory();
    }
    fanin_error error;
    if (fanin_repair_recorded(of->checkpoint, made, &error) != FANIN_OK) {
        free(made);
        free(keep);
        return fail_with(&error);
    }
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(of->checkpoint, i);
        if (keep != NULL && !keep[i])
            continue;
        of->numbers[count] = i;
        of->items[count++] = (fanin_weight){.name = tensor->name,
                                            .dtype = tensor->dtype,
                                            .ndim = tensor->ndim,
                                            .shape = tensor->shape,
                                            .has_seed = made[i]};
    }
    free(made);
    free(keep);
    of->nskipped = n - count;
    of->weights = (fanin_weights){.nweights = count,
                                  .weights = of->items,
                                  .read = read_weight,
                                  .user = of,
                                  .name = given->operands.items[0],
                                  .has_seed = of->own_plan != NULL,
                                  .seed = of->own_seed};
    return EXIT_OK;
}

/* -- What its tensors should be ----------------------------------------------------------------------------------- */

static int read_text(const char *path, char **text, size_t *nbytes)
{
    *text = malloc(CONFIG_NBYTES + 1);
    if (*text == NULL)
        return fail_memory();
    int exit_status = file_read(path, *text, CONFIG_NBYTES, nbytes);
    (*text)[exit_status == EXIT_OK ? *nbytes : 0] = '\0';
    if (exit_status == EXIT_OK && *nbytes == CONFIG_NBYTES) {
        print_error("%s: more than 16 MiB, which no config.json is", path);
        exit_status = EXIT_USAGE;
    }
    return exit_status;
}

/* A config.json that is not expanded may be of a family whose laws are known. */
static int read_config(const settings *given, subject *of)
{
    fanin_error error;
    size_t nbytes = 0;
    int exit_status = read_text(given->config, &of->config, &nbytes);
    if (exit_status != EXIT_OK)
        return exit_status;
    fanin_status status = fanin_model_parse(of->config, nbytes, given->config, &of->configured, &error);
    if (status == FANIN_OK && fanin_model_family(of->configured) == NULL) {
        print_error("--config %s: is a spec; give it as DESCRIPTION: fanin check %s %s", given->config,
                    given->operands.items[0], given->config);
        return EXIT_USAGE;
    }
    if (status == FANIN_OK) {
        of->model = of->configured;
        return EXIT_OK;
    }
    if (status != FANIN_ERROR_UNSUPPORTED)
        return fail_with(&error);
    of->unexpanded = strdup(error.message);
    return of->unexpanded != NULL ? EXIT_OK : fail_memory();
}

void subject_note_config(const settings *given, const subject *of, const fanin_diagnosis *diagnosis)
{
    const char *known_by = fanin_diagnosis_summarize(diagnosis)->known_by;
    if (!given->quiet && of->unexpanded != NULL && strncmp(known_by, "config", 6) != 0)
        print_note("%s; names and shapes are asked instead", of->unexpanded);
}

/* A spec may have no rules, or not for every tensor: then it tells what the layers are, and no laws. */
static int plan_description(const settings *given, subject *of)
{
    fanin_error error;
    source *from = &of->described;
    const fanin_plan_options options = {.size = sizeof options, .dtype = given->dtype, .profile = given->profile};
    const bool has_rules = given->recipe != NULL || given->rules.count > 0;
    if (from->plan != NULL || has_rules || given->expect != NULL || given->seeds != NULL ||
        given->dtype != FANIN_DTYPE_NONE)
        return source_make_plan(given, given->profile, from);
    if (fanin_plan_create(from->model, NULL, &options, &from->plan, &error) != FANIN_OK && !given->quiet)
        print_note("%s: says what the layers are, but not how each tensor begins: %s", from->name, error.message);
    return EXIT_OK;
}

static int read_description(const settings *given, subject *of)
{
    const char *path = given->plan != NULL ? given->plan : given->operands.items[1];
    int exit_status = source_read(given, path, &of->described);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (given->plan != NULL && of->described.plan == NULL) {
        print_error("--plan %s: describes a model; give it as DESCRIPTION: fanin check %s %s", path,
                    given->operands.items[0], path);
        return EXIT_USAGE;
    }
    exit_status = plan_description(given, of);
    of->model = of->described.model;
    if (exit_status == EXIT_OK && of->config == NULL && of->model != NULL && fanin_model_family(of->model) != NULL &&
        strcmp(path, "-") != 0) {
        size_t nbytes = 0;
        exit_status = read_text(path, &of->config, &nbytes);
    }
    return exit_status;
}

/*
 * Rules without a description are for the checkpoint's own tensors. Those that no rule is for have no law: a last rule
 * takes them, and the plan goes on without them.
 */
static int plan_rules(const settings *given, subject *of)
{
    fanin_error error;
    source *from = &of->described;
    fanin_plan *whole = NULL;
    char last[32];
    const fanin_plan_options options = {.size = sizeof options, .profile = given->profile};
    from->name = given->operands.items[0];
    of->is_partial = true;
    fanin_status status = fanin_model_like(from->name, &from->model, &error);
    if (status == FANIN_OK)
        status = fanin_recipe_create(&from->recipe, &error);
    for (size_t i = 0; i < given->rules.count && status == FANIN_OK; i++)
        status = fanin_recipe_set(from->recipe, given->rules.items[i], &error);
    if (status == FANIN_OK && given->recipe != NULL)
        status = fanin_recipe_read(from->recipe, given->recipe, &error);
    if (status == FANIN_OK)
        status = fanin_recipe_set(from->recipe, "**=zeros", &error);
    if (status == FANIN_OK)
        status = fanin_plan_create(from->model, from->recipe, &options, &whole, &error);
    if (status != FANIN_OK)
        return fail_with(&error);
    bool *keep = calloc(fanin_plan_tensor_count(whole) + 1, sizeof *keep);
    if (keep == NULL) {
        fanin_plan_free(whole);
        return fail_memory();
    }
    snprintf(last, sizeof last, "set:%zu:", given->rules.count + 1);
    for (size_t i = 0; i < fanin_plan_op_count(whole); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(whole, i);
        if (op->tensor != SIZE_MAX && !(op->where != NULL && strncmp(op->where, last, strlen(last)) == 0))
            keep[op->tensor] = true;
    }
    status = fanin_plan_part(whole, keep, &from->plan, &error);
    free(keep);
    fanin_plan_free(whole);
    return status == FANIN_OK ? EXIT_OK : fail_with(&error);
}

/* The plan of the tensors that are looked at, so that none of the others is missed. */
static int make_part(subject *of)
{
    fanin_error error;
    const size_t n = fanin_plan_tensor_count(of->plan);
    bool *keep = calloc(n + 1, sizeof *keep);
    if (keep == NULL)
        return fail_memory();
    for (size_t i = 0; i < of->weights.nweights; i++) {
        const size_t t = fanin_plan_tensor_find(of->plan, of->items[i].name);
        if (t != SIZE_MAX)
            keep[t] = true;
    }
    fanin_status status = fanin_plan_part(of->plan, keep, &of->part, &error);
    free(keep);
    of->plan = of->part;
    return status == FANIN_OK ? EXIT_OK : fail_with(&error);
}

/* What --fix makes tensors by where several steps do; in the dtype of the checkpoint, not that of the config.json. */
static int make_family_plan(const settings *given, subject *of)
{
    fanin_error error;
    fanin_plan_options options = {.size = sizeof options, .dtype = given->dtype, .profile = given->profile};
    for (size_t i = 0; i < of->weights.nweights && options.dtype == FANIN_DTYPE_NONE; i++)
        if (fanin_dtype_is_random(of->items[i].dtype))
            options.dtype = of->items[i].dtype;
    if (fanin_plan_create(of->configured, NULL, &options, &of->family_plan, &error) != FANIN_OK)
        return fail_with(&error);
    of->mending_plan = of->family_plan;
    return EXIT_OK;
}

static int choose_plan(const settings *given, subject *of)
{
    of->plan = of->described.plan;
    if (of->plan == NULL && of->own_plan != NULL) {
        of->plan = of->own_plan;
        of->is_own_plan = true;
    }
    if (given->expect != NULL && of->plan == NULL && of->configured == NULL) {
        print_error("--expect %s: %s carries no plan; give --plan FILE, a DESCRIPTION with rules, or --recipe FILE",
                    given->expect, given->operands.items[0]);
        return EXIT_USAGE;
    }
    of->mending_plan = of->plan;
    int exit_status = of->plan == NULL && of->configured != NULL ? make_family_plan(given, of) : EXIT_OK;
    if (exit_status != EXIT_OK)
        return exit_status;
    return of->plan != NULL && of->nskipped > 0 ? make_part(of) : EXIT_OK;
}

int subject_open(const settings *given, subject *of)
{
    int exit_status = open_checkpoint(given, of);
    if (exit_status == EXIT_OK)
        exit_status = list_weights(given, of);
    if (exit_status == EXIT_OK && given->config != NULL)
        exit_status = read_config(given, of);
    if (exit_status == EXIT_OK && (given->plan != NULL || given->operands.count > 1))
        exit_status = read_description(given, of);
    else if (exit_status == EXIT_OK && (given->recipe != NULL || given->rules.count > 0))
        exit_status = plan_rules(given, of);
    return exit_status == EXIT_OK ? choose_plan(given, of) : exit_status;
}

static bool plan_makes(const fanin_plan *plan, const fanin_weight *weight)
{
    const size_t t = fanin_plan_tensor_find(plan, weight->name);
    const fanin_plan_tensor *tensor = t != SIZE_MAX ? fanin_plan_tensor_at(plan, t) : NULL;
    return tensor != NULL && tensor->refused == NULL && tensor->dtype == weight->dtype &&
           tensor->ndim == weight->ndim &&
           memcmp(tensor->shape, weight->shape, (size_t)weight->ndim * sizeof *weight->shape) == 0;
}

bool subject_is_mended(const subject *of, const fanin_finding *finding)
{
    if (finding->rule != NULL)
        return true;
    if (finding->missing == NULL || of->mending_plan == NULL || finding->ntensors == 0)
        return false;
    for (size_t i = 0; i < finding->ntensors; i++)
        if (!plan_makes(of->mending_plan, &of->items[finding->tensors[i]]))
            return false;
    return true;
}

void subject_release(subject *of)
{
    fanin_plan_free(of->part);
    fanin_plan_free(of->family_plan);
    fanin_plan_free(of->own_plan);
    fanin_model_free(of->configured);
    source_release(&of->described);
    free(of->unexpanded);
    free(of->config);
    free(of->numbers);
    free(of->items);
    fanin_checkpoint_close(of->checkpoint);
    *of = (subject){0};
}
