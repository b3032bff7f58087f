/* SPDX-License-Identifier: MIT */
/*
 * From a command line to a plan, the same way for every command that has one.
 */
#define _DEFAULT_SOURCE
#include "source.h"

#include "progress.h"
#include "terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

int fail_with(const fanin_error *error)
{
    print_error("%s", error->message[0] != '\0' ? error->message : fanin_status_name(error->status));
    switch (error->status) {
    case FANIN_ERROR_IO:
    case FANIN_ERROR_MEMORY:
        return EXIT_SYSTEM;
    case FANIN_ERROR_MISMATCH:
        return EXIT_DIFFERENT;
    default:
        return EXIT_USAGE;
    }
}

int fail_run(const fanin_error *error, const char *left_behind)
{
    if (error->status != FANIN_ERROR_CANCELLED)
        return fail_with(error);
    print_error("stopped by signal %d; %s", progress_signal(), left_behind);
    return 128 + progress_signal();
}

int fail_memory(void)
{
    print_error("out of memory");
    return EXIT_SYSTEM;
}

int fail_usage(const command *of, const char *format, ...)
{
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    print_error("%s ('fanin help %s' shows how)", message, of->name);
    return EXIT_USAGE;
}

int source_read(const settings *given, const char *description, source *to)
{
    fanin_error error;
    to->name = description != NULL ? description : given->like;
    fanin_status status = description != NULL ? fanin_description_read(description, &to->model, &to->plan, &error)
                                              : fanin_model_like(given->like, &to->model, &error);
    return status == FANIN_OK ? EXIT_OK : fail_with(&error);
}

/* Of a plan file, or of what was made from a model. */
static int make_part(const settings *given, source *to)
{
    fanin_error error;
    fanin_plan *part = NULL;
    if (given->only.count == 0 && given->except.count == 0)
        return EXIT_OK;
    bool *keep = calloc(fanin_plan_tensor_count(to->plan) + 1, sizeof *keep);
    if (keep == NULL)
        return fail_memory();
    fanin_status status = fanin_plan_match(to->plan, given->only.items, given->only.count, given->except.items,
                                           given->except.count, keep, &error);
    if (status == FANIN_OK)
        status = fanin_plan_part(to->plan, keep, &part, &error);
    free(keep);
    if (status != FANIN_OK)
        return fail_with(&error);
    fanin_plan_free(to->plan);
    to->plan = part;
    return EXIT_OK;
}

int source_make_plan(const settings *given, fanin_profile profile, source *to)
{
    fanin_error error;
    if (to->plan != NULL &&
        (given->recipe != NULL || given->rules.count > 0 || given->dtype != FANIN_DTYPE_NONE || given->profile != 0)) {
        print_error("%s is a plan, in which rules, dtypes and profile are settled; leave out --recipe, --set, --dtype "
                    "and --profile",
                    to->name);
        return EXIT_USAGE;
    }
    if (to->plan != NULL)
        return make_part(given, to);
    if (given->dtype != FANIN_DTYPE_NONE && !fanin_dtype_is_random(given->dtype)) {
        print_error("--dtype %s: weights are made in f32, f64, bf16 or f16", fanin_dtype_name(given->dtype));
        return EXIT_USAGE;
    }
    fanin_status status = fanin_recipe_create(&to->recipe, &error);
    for (size_t i = 0; i < given->rules.count && status == FANIN_OK; i++)
        status = fanin_recipe_set(to->recipe, given->rules.items[i], &error);
    if (status == FANIN_OK && given->recipe != NULL)
        status = fanin_recipe_read(to->recipe, given->recipe, &error);
    fanin_plan_options options = {.size = sizeof options, .profile = profile, .dtype = given->dtype};
    if (status == FANIN_OK)
        status = fanin_plan_create(to->model, to->recipe, &options, &to->plan, &error);
    return status == FANIN_OK ? make_part(given, to) : fail_with(&error);
}

int source_check_refusals(const source *of)
{
    size_t nrefused = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(of->plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(of->plan, i);
        if (tensor->refused == NULL || tensor->tied_to != NULL || !tensor->is_persistent)
            continue;
        print_error("tensor %s cannot be made: %s", tensor->name, tensor->refused);
        nrefused++;
    }
    if (nrefused == 0)
        return EXIT_OK;
    print_error("%zu tensor%s of %s cannot be made; leave %s out with --except or --only", nrefused, plural(nrefused),
                of->name, nrefused == 1 ? "it" : "them");
    return EXIT_USAGE;
}

void source_release(source *of)
{
    fanin_plan_free(of->plan);
    fanin_recipe_free(of->recipe);
    fanin_model_free(of->model);
    *of = (source){0};
}

int source_report_warnings(const settings *given, const source *of)
{
    size_t count = fanin_plan_warning_count(of->plan);
    for (size_t i = 0; i < count; i++)
        print_warning("%s", fanin_plan_warning_at(of->plan, i));
    /*
     * A model from a config.json always has one, that its bits are not transformers': nobody could be strict then. A
     * plan file has no other.
     */
    size_t expected = of->model == NULL ? count : fanin_model_family(of->model) != NULL ? 1 : 0;
    return given->strict && count > expected ? EXIT_DIFFERENT : EXIT_OK;
}

size_t count_stored(const fanin_plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        count += fanin_plan_tensor_is_stored(fanin_plan_tensor_at(plan, i)) ? 1 : 0;
    return count;
}

const char *exactness_note(fanin_fill_kind kind, fanin_dtype dtype, fanin_profile profile)
{
    if (kind == FANIN_FILL_ORTHOGONAL)
        return "orthogonal: torch's draws but fanin's own QR, within 8 eps |gain| (cond + sqrt(min(rows, cols))) of "
               "torch's "
               "values, whose last bits depend on its LAPACK";
    bool is_erfinv = (profile & ~(fanin_profile)FANIN_UNFUSED) < FANIN_PROFILE_TORCH_2_12;
    if (kind == FANIN_FILL_TRUNC_NORMAL && is_erfinv && (dtype == FANIN_F32 || dtype == FANIN_F64))
        return "trunc_normal in f32 and f64 before torch 2.12: within one unit in the last place of torch's values, "
               "whose last bits depend on its math library (1 in 5000 differs)";
    return NULL;
}

void source_print_notes(const source *of)
{
    const char *told[FANIN_FILL_KIND_COUNT] = {NULL};
    for (size_t i = 0; i < fanin_plan_op_count(of->plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(of->plan, i);
        if (op->dead || op->kind != FANIN_OP_FILL)
            continue;
        const char *note = exactness_note(op->fill.kind, op->view.dtype, fanin_plan_profile(of->plan));
        if (note != NULL && told[op->fill.kind] == NULL)
            print_note("%s", note);
        if (note != NULL)
            told[op->fill.kind] = note;
    }
}

int choose_seed(const settings *given, uint64_t *seed)
{
    if (given->seed.given) {
        *seed = given->seed.value;
        return EXIT_OK;
    }
    /* 32 bits: no more than that reach torch's generator, and a person can copy them. */
    uint32_t random;
    if (getentropy(&random, sizeof random) != 0) {
        print_error("cannot take a seed from the system: %s; give one with --seed", strerror(errno));
        return EXIT_SYSTEM;
    }
    *seed = random;
    return EXIT_OK;
}

const char *storage_name(const fanin_plan *plan, size_t storage)
{
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++)
        if (fanin_plan_tensor_at(plan, i)->storage == storage)
            return fanin_plan_tensor_at(plan, i)->name;
    return "-";
}

char *format_deed(const fanin_plan *plan, const fanin_plan_op *op, char text[DEED_NBYTES])
{
    switch (op->kind) {
    case FANIN_OP_LITERAL:
        snprintf(text, DEED_NBYTES, "literal");
        break;
    case FANIN_OP_COPY:
    case FANIN_OP_CAST:
    case FANIN_OP_FUNCTION:
    case FANIN_OP_NORM:
    case FANIN_OP_QR:
        snprintf(text, DEED_NBYTES, "%s of %s",
                 op->kind == FANIN_OP_COPY   ? "copy"
                 : op->kind == FANIN_OP_CAST ? "cast"
                 : op->kind == FANIN_OP_NORM ? "norm"
                 : op->kind == FANIN_OP_QR   ? "qr"
                                             : fanin_plan_function_name(op->function),
                 storage_name(plan, op->source->storage));
        break;
    default:
        snprintf(text, DEED_NBYTES, "%s",
                 op->initializer != NULL ? op->initializer : fanin_fill_kind_name(op->fill.kind));
        break;
    }
    return text;
}

char *format_values(const fanin_fill *fill, char text[VALUES_NBYTES])
{
    const double *value = fill->value;
    switch (fill->kind) {
    case FANIN_FILL_CONSTANT:
        snprintf(text, VALUES_NBYTES, "= %.6g", value[0]);
        break;
    case FANIN_FILL_UNIFORM:
        if (value[0] == -value[1])
            snprintf(text, VALUES_NBYTES, "+-%.4g", value[1]);
        else
            snprintf(text, VALUES_NBYTES, "%.4g to %.4g", value[0], value[1]);
        break;
    case FANIN_FILL_NORMAL:
        if (value[0] == 0)
            snprintf(text, VALUES_NBYTES, "std %.4g", value[1]);
        else
            snprintf(text, VALUES_NBYTES, "mean %.4g, std %.4g", value[0], value[1]);
        break;
    case FANIN_FILL_TRUNC_NORMAL:
        if (value[0] == 0)
            snprintf(text, VALUES_NBYTES, "std %.4g in [%.4g, %.4g]", value[1], value[2], value[3]);
        else
            snprintf(text, VALUES_NBYTES, "mean %.4g, std %.4g in [%.4g, %.4g]", value[0], value[1], value[2],
                     value[3]);
        break;
    case FANIN_FILL_ORTHOGONAL:
        snprintf(text, VALUES_NBYTES, "gain %.4g", value[0]);
        break;
    case FANIN_FILL_SPARSE:
        snprintf(text, VALUES_NBYTES, "std %.4g, %.4g %% zeros", value[1], value[0] * 100);
        break;
    default:
        snprintf(text, VALUES_NBYTES, "0 and 1");
        break;
    }
    return text;
}

char *format_fans(int64_t fan_in, int64_t fan_out, char text[VALUES_NBYTES])
{
    if (fan_in < 0 && fan_out < 0)
        return strcpy(text, "-");
    snprintf(text, VALUES_NBYTES, "%" PRId64 "/%" PRId64, fan_in, fan_out);
    return text;
}
