/* SPDX-License-Identifier: MIT */
/*
 * fanin fill: one tensor without a description - to a file, or its first and last values on the screen.
 */
#define _POSIX_C_SOURCE 200809L
#include "small_file.h"
#include "json_output.h"
#include "option.h"
#include "progress.h"
#include "source.h"
#include "terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values that are shown from each end. */
#define NSHOWN 4

typedef struct statistics {
    double mean;
    double std; /* over n, not n - 1 */
    double min;
    double max;
} statistics;

/* NaN for a tensor without elements. Two passes, so that a mean far from 0 costs no digits. */
static statistics measure(const fanin_tensor *tensor, uint64_t nelem)
{
    statistics of = {NAN, NAN, NAN, NAN};
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < nelem; i++) {
        double value = fanin_dtype_value(tensor->dtype, tensor->data, i);
        sum += value;
        of.min = i == 0 || value < of.min ? value : of.min;
        of.max = i == 0 || value > of.max ? value : of.max;
    }
    if (nelem == 0)
        return of;
    of.mean = sum / (double)nelem;
    for (uint64_t i = 0; i < nelem; i++) {
        double distance = fanin_dtype_value(tensor->dtype, tensor->data, i) - of.mean;
        squares += distance * distance;
    }
    of.std = sqrt(squares / (double)nelem);
    return of;
}

/* In as many digits as tell the dtype's values apart. */
static char *format_element(fanin_dtype dtype, double value, short_text text)
{
    if (dtype == FANIN_F32)
        return format_float((float)value, text);
    if (dtype == FANIN_F16 || dtype == FANIN_BF16)
        snprintf(text, SHORT_NBYTES, dtype == FANIN_F16 ? "%.5g" : "%.4g", value);
    else
        format_number(value, text);
    return text;
}

/* One request, read from the command line. */
typedef struct job {
    fanin_call call;
    char call_text[512];
    fanin_tensor tensor;
    uint64_t nelem;
    uint64_t nbytes;
    fanin_resolved resolved;
    fanin_profile profile;
    bool has_seed; /* not with --state, nor for a fill without draws */
    uint64_t seed;
    fanin_generator generator;
} job;

static int read_job(const settings *given, job *to)
{
    fanin_error error;
    if (given->operands.count != 1)
        return fail_usage(&command_fill, "fill takes one initializer, as in 'normal(std=0.02)'");
    if (!given->shape.given)
        return fail_usage(&command_fill, "fill needs a shape: --shape 512,256 (--shape '' is a scalar)");
    if (given->state != NULL && given->seed.given)
        return fail_usage(&command_fill, "--seed and --state both say where the stream begins; leave one out");
    if (given->groups.given && (given->groups.value == 0 || given->groups.value > INT32_MAX)) {
        print_error("--groups %" PRIu64 ": write a whole number from 1 to %d", given->groups.value, INT32_MAX);
        return EXIT_USAGE;
    }
    if (fanin_call_parse(given->operands.items[0], NULL, 0, &to->call, &error) != FANIN_OK)
        return fail_with(&error);
    fanin_call_format(&to->call, to->call_text, sizeof to->call_text);
    fanin_dtype dtype = given->dtype == FANIN_DTYPE_NONE ? FANIN_F32 : given->dtype;
    to->tensor = fanin_tensor_nd(NULL, dtype, given->shape.ndim, given->shape.dims);
    to->tensor.layout = given->layout;
    to->tensor.groups = (int32_t)given->groups.value;
    to->nelem = (uint64_t)fanin_tensor_nelem(&to->tensor);
    unsigned nbits = fanin_dtype_nbits(dtype);
    if (to->nelem > (UINT64_MAX - 7) / nbits) {
        print_error("--shape: that many elements of %s do not fit in 64 bits of bytes", fanin_dtype_name(dtype));
        return EXIT_USAGE;
    }
    to->nbytes = (to->nelem * nbits + 7) / 8;
    to->profile = given->profile != 0 ? given->profile : FANIN_PROFILE_TORCH;
    if (fanin_call_resolve(&to->call, &to->tensor, &to->resolved, &error) != FANIN_OK ||
        fanin_fill_check(&to->resolved.fill, &to->tensor, to->profile, &error) != FANIN_OK)
        return fail_with(&error);
    return EXIT_OK;
}

static int prepare_generator(const settings *given, job *to)
{
    fanin_error error;
    int exit_status = EXIT_OK;
    fanin_fill_stream stream = {0};
    if (fanin_fill_measure(&to->resolved.fill, &to->tensor, to->profile, &stream, &error) != FANIN_OK)
        return fail_with(&error);
    if (given->state == NULL) {
        to->has_seed = stream.ndraws > 0 || given->seed.given || given->state_output != NULL;
        exit_status = to->has_seed ? choose_seed(given, &to->seed) : EXIT_OK;
        to->generator = fanin_generator_create(to->profile, to->seed);
    } else {
        /* One byte more than a state has, so that a longer file is seen. */
        uint8_t state[FANIN_TORCH_STATE_NBYTES + 1];
        size_t nbytes;
        exit_status = file_read(given->state, state, sizeof state, &nbytes);
        to->generator = fanin_generator_create(to->profile, 0);
        if (exit_status == EXIT_OK &&
            fanin_generator_set_torch_state(&to->generator, state, nbytes, &error) != FANIN_OK) {
            print_error("%s: %s", given->state, error.message);
            exit_status = EXIT_USAGE;
        }
    }
    fanin_generator_skip(&to->generator, given->skip.value);
    return exit_status;
}

/* Everything about the output that can be known before the work. */
static int check_outputs(const settings *given)
{
    int exit_status = EXIT_OK;
    if (given->output != NULL && given->state_output != NULL && file_is_same(given->output, given->state_output)) {
        print_error("-o and --state-out are the same file: %s", given->output);
        return EXIT_USAGE;
    }
    if (given->output != NULL && given->state != NULL && file_is_same(given->output, given->state)) {
        print_error("-o would replace the input %s; write to another file", given->state);
        return EXIT_USAGE;
    }
    if (given->output != NULL) {
        static const char *const endings[] = {".npy", ".safetensors", ".bin"};
        bool known = false;
        for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
            known = known || file_has_ending(given->output, endings[i]);
        if (!known) {
            print_error("-o %s: a file name that ends in .npy, .safetensors or .bin says what to write", given->output);
            return EXIT_USAGE;
        }
        exit_status = file_check_new(given->output, given->force);
    }
    /* The state may be read from and written to one file: that is how a script continues a stream. */
    bool continues =
        given->state != NULL && given->state_output != NULL && file_is_same(given->state, given->state_output);
    if (exit_status == EXIT_OK && given->state_output != NULL)
        exit_status = file_check_new(given->state_output, given->force || continues);
    return exit_status;
}

static int report_warnings(const settings *given, const job *of, const char *run_warning)
{
    const char *warnings[] = {of->resolved.warning, run_warning};
    bool warned = false;
    for (size_t i = 0; i < 2; i++) {
        if (warnings[i][0] == '\0' || (i == 1 && strcmp(warnings[0], warnings[1]) == 0))
            continue;
        print_warning("%s", warnings[i]);
        warned = true;
    }
    return warned && given->strict ? EXIT_DIFFERENT : EXIT_OK;
}

/* A signal during the writing waits until the file is whole. */
static int write_outputs(const settings *given, const job *of)
{
    fanin_error error;
    int exit_status = EXIT_OK;
    progress waiting;
    progress_begin(&waiting, "writing", true);
    if (given->output != NULL && fanin_write_tensor(given->output, &of->tensor, given->force, &error) != FANIN_OK)
        exit_status = fail_with(&error);
    if (exit_status == EXIT_OK && given->state_output != NULL) {
        uint8_t state[FANIN_TORCH_STATE_NBYTES];
        fanin_generator_get_torch_state(&of->generator, state);
        exit_status = file_write(given->state_output, state, sizeof state);
    }
    progress_end(&waiting);
    if (exit_status == EXIT_OK && progress_signal() != 0) {
        print_error("stopped by signal %d; what was asked for is written", progress_signal());
        exit_status = 128 + progress_signal();
    }
    return exit_status;
}

static void print_values(const job *of)
{
    char text[2 * NSHOWN * (SHORT_NBYTES + 2) + 16] = "[";
    for (uint64_t i = 0; i < of->nelem; i++) {
        short_text value;
        size_t used = strlen(text);
        if (i == NSHOWN && of->nelem > 2 * NSHOWN) {
            snprintf(text + used, sizeof text - used, ", ...");
            i = of->nelem - NSHOWN - 1;
            continue;
        }
        snprintf(text + used, sizeof text - used, "%s%s", i == 0 ? "" : ", ",
                 format_element(of->tensor.dtype, fanin_dtype_value(of->tensor.dtype, of->tensor.data, i), value));
    }
    print_field("values", 8, "%s]", text);
}

static void print_summary(const settings *given, const job *of)
{
    char shape[SHAPE_NBYTES];
    short_text size;
    const fanin_resolved *resolved = &of->resolved;
    printf("%s, %s %s\n", of->call_text, format_shape(of->tensor.shape, of->tensor.ndim, shape),
           fanin_dtype_name(of->tensor.dtype));
    char origin[64];
    snprintf(origin, sizeof origin, "seed %" PRIu64 "%s", of->seed, given->seed.given ? "" : " (from the system)");
    char skipped[64] = "";
    if (given->skip.value > 0)
        snprintf(skipped, sizeof skipped, ", %" PRIu64 " draws skipped", given->skip.value);
    if (of->has_seed || given->state != NULL)
        print_field("from", 8, "%s%s, %s", given->state != NULL ? given->state : origin, skipped,
                    fanin_profile_name(of->profile));
    char law[512] = "";
    if (resolved->fan_in >= 0)
        snprintf(law, sizeof law, "fan_in %" PRId64 ", fan_out %" PRId64 ", ", resolved->fan_in, resolved->fan_out);
    if (!isnan(resolved->gain))
        snprintf(law + strlen(law), sizeof law - strlen(law), "gain %.6g, ", resolved->gain);
    if (!isnan(resolved->std))
        snprintf(law + strlen(law), sizeof law - strlen(law), "std %.6g, ", resolved->std);
    if (!isnan(resolved->bound))
        snprintf(law + strlen(law), sizeof law - strlen(law), "bound %.6g, ", resolved->bound);
    if (law[0] != '\0') {
        law[strlen(law) - 2] = '\0';
        print_field("law", 8, "%s", law);
    }
    if (given->output != NULL) {
        print_field("wrote", 8, "%s, %s", given->output, format_bytes(of->nbytes, size));
        return;
    }
    print_values(of);
    statistics found = measure(&of->tensor, of->nelem);
    if (of->nelem > 0)
        print_field("found", 8, "mean %.6g, std %.6g, min %.6g, max %.6g", found.mean, found.std, found.min, found.max);
}

static void print_json(const settings *given, const job *of)
{
    const fanin_resolved *resolved = &of->resolved;
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "fill");
    json_string(&json, "initializer", of->call_text);
    json_shape(&json, "shape", of->tensor.shape, of->tensor.ndim);
    json_string(&json, "dtype", fanin_dtype_name(of->tensor.dtype));
    json_string(&json, "profile", fanin_profile_name(of->profile));
    if (of->has_seed)
        json_u64_string(&json, "seed", of->seed);
    else
        json_string(&json, "seed", NULL);
    json_string(&json, "state", given->state);
    json_u64_string(&json, "skip", given->skip.value);
    if (resolved->fan_in >= 0) {
        json_i64(&json, "fan_in", resolved->fan_in);
        json_i64(&json, "fan_out", resolved->fan_out);
    }
    json_begin(&json, "law", '{');
    json_number(&json, "gain", resolved->gain);
    json_number(&json, "std", resolved->std);
    json_number(&json, "bound", resolved->bound);
    json_end(&json, '}');
    statistics found = measure(&of->tensor, of->nelem);
    json_begin(&json, "found", '{');
    json_number(&json, "mean", found.mean);
    json_number(&json, "std", found.std);
    json_number(&json, "min", found.min);
    json_number(&json, "max", found.max);
    json_end(&json, '}');
    json_begin(&json, "first", '[');
    uint64_t nshown = of->nelem < NSHOWN ? of->nelem : NSHOWN;
    for (uint64_t i = 0; i < nshown; i++)
        json_number(&json, NULL, fanin_dtype_value(of->tensor.dtype, of->tensor.data, i));
    json_end(&json, ']');
    json_begin(&json, "last", '[');
    for (uint64_t i = of->nelem - nshown; i < of->nelem; i++)
        json_number(&json, NULL, fanin_dtype_value(of->tensor.dtype, of->tensor.data, i));
    json_end(&json, ']');
    json_string(&json, "output", given->output);
    json_u64(&json, "nbytes", of->nbytes);
    json_end(&json, '}');
}

static int fill_and_tell(const settings *given, job *of)
{
    fanin_error error;
    fanin_pool *pool = NULL;
    if (fanin_pool_create((unsigned)given->threads.value, &pool, &error) != FANIN_OK)
        return fail_with(&error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    fanin_status status = fanin_fill_run_parallel(&of->resolved.fill, &of->tensor, &of->generator, &parallel, &error);
    fanin_pool_free(pool);
    if (status != FANIN_OK)
        return fail_with(&error);
    int exit_status = report_warnings(given, of, error.warning);
    if (exit_status != EXIT_OK)
        return exit_status;
    const char *note = exactness_note(of->resolved.fill.kind, of->tensor.dtype, of->profile);
    if (note != NULL && !given->quiet)
        print_note("%s", note);
    exit_status = write_outputs(given, of);
    if (exit_status != EXIT_OK)
        return exit_status;
    if (given->json)
        print_json(given, of);
    else if (!given->quiet || given->output == NULL)
        print_summary(given, of);
    else if (!given->seed.given && of->has_seed)
        printf("seed %" PRIu64 "\n", of->seed);
    return EXIT_OK;
}

static int run(const settings *given)
{
    job *of = calloc(1, sizeof *of);
    if (of == NULL)
        return fail_memory();
    int exit_status = read_job(given, of);
    if (exit_status == EXIT_OK)
        exit_status = check_outputs(given);
    if (exit_status == EXIT_OK)
        exit_status = prepare_generator(given, of);
    if (exit_status == EXIT_OK && of->nbytes > memory_nbytes()) {
        short_text needed, there;
        print_error("the tensor needs %s of memory and this machine has %s", format_bytes(of->nbytes, needed),
                    format_bytes(memory_nbytes(), there));
        exit_status = EXIT_SYSTEM;
    }
    if (exit_status == EXIT_OK) {
        of->tensor.data = malloc(of->nbytes > 0 ? (size_t)of->nbytes : 1);
        exit_status = of->tensor.data == NULL ? fail_memory() : fill_and_tell(given, of);
        free(of->tensor.data);
    }
    free(of);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("shape", 's', OPTION_SHAPE, shape, "DIMS"), "the shape: 512,256; '' is a scalar"},
    {OPTION_ROW("dtype", 0, OPTION_DTYPE, dtype, "DTYPE"),
     "element type (default f32): f64, f32, bf16, f16; constants take every dtype of 'fanin list dtypes'"},
    {OPTION_ROW("output", 'o', OPTION_TEXT, output, "FILE"),
     "write FILE.npy, FILE.safetensors (the tensor is named \"weight\") or FILE.bin (raw, little endian) instead of "
     "printing values"},
    {OPTION_ROW("seed", 0, OPTION_SEED, seed, "N"),
     "torch.manual_seed(N): decimal, -2^63 to 2^64 - 1 (default: one from the system, printed)"},
    {OPTION_ROW("skip", 0, OPTION_COUNT, skip, "N"), "leave out N 32-bit draws before the first value"},
    {OPTION_ROW("state", 0, OPTION_TEXT, state, "FILE"),
     "begin at a saved torch.get_rng_state() (5056 bytes) instead of a seed"},
    {OPTION_ROW("state-out", 0, OPTION_TEXT, state_output, "FILE"),
     "save the state after the fill for torch.set_rng_state() or the next --state; may be the --state file itself"},
    {OPTION_PROFILE_NAME},
    {OPTION_ROW("layout", 0, OPTION_LAYOUT, layout, "LAYOUT"),
     "how fans are read from the shape: out_in (torch; default), in_out (GPT-2's Conv1D, Keras, JAX), transposed "
     "(transposed convolutions)"},
    {OPTION_ROW("groups", 0, OPTION_COUNT, groups, "N"), "groups of a convolution, for its fan_out"},
    {OPTION_ROW("force", 'f', OPTION_FLAG, force, NULL), "replace files that exist"},
    {OPTION_THREAD_COUNT},
    {OPTION_STRICT},
    {OPTION_JSON, "print an object: numbers by the law, numbers found, first and last values"},
    {OPTION_QUIET},
    {OPTION_HELP},
    {OPTION_END}};

const command command_fill = {
    .name = "fill",
    .summary = "one tensor, without any description",
    .usage = (const char *const[]){"'INIT(args)' --shape DIMS [-o FILE] [options]", NULL},
    .description =
        "Fills one tensor as torch.nn.init does and writes it, or prints its first and last values with their mean, "
        "std (over n), min and max.\n\n"
        "INIT is torch's name without the underscore, with torch's parameter names; values are numbers, expressions "
        "(+ - * / sqrt pow pi) or words: kaiming_uniform(a=sqrt(5)), kaiming_normal(mode=fan_out, nonlinearity=relu). "
        "'fanin list initializers' has them all.",
    .options = options,
    .examples =
        (const char *const[]){"fanin fill 'kaiming_uniform(a=sqrt(5))' --shape 512,256 --seed 42",
                              "fanin fill 'normal(std=0.02)' --shape 50257,768 --dtype bf16 --seed 42 -o wte.npy",
                              "fanin fill 'uniform()' --shape 8 --state rng.bin --state-out rng.bin", NULL},
    .run = run,
};
