/* SPDX-License-Identifier: MIT */
/*
 * The course of a diagnosis: facts, one scan of all weights with the checks of single tensors, the checks between
 * tensors, findings. And what is read off a diagnosis afterwards.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/diagnosis_data.h"
#include "diagnose/origin.h"

/* Of the first values, so many must differ, and neighbours must not be alike: tables and constants are not random. */
#define RANDOM_DISTINCT    0.3
#define RANDOM_LAG1        0.3
#define RANDOM_LAG1_ERRORS 6.0

const char *fanin_severity_name(fanin_severity severity)
{
    static const char *const names[] = {"info", "warn", "error"};
    return (unsigned)severity < 3 ? names[severity] : "unknown";
}

size_t fanin_check_count(void)
{
    size_t count;
    (void)fanin_check_rows(&count);
    return count;
}

const fanin_check *fanin_check_at(size_t i)
{
    size_t count;
    const struct fanin_check_row *rows = fanin_check_rows(&count);
    return i < count ? &rows[i].check : NULL;
}

/* ---- what checks say ---- */

const char *fanin_say(struct fanin_examination *examination, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    char *text = n >= 0 ? fanin_arena_allocate(examination->arena, (size_t)n + 1, 1) : NULL;
    if (text != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    else
        examination->failed = true;
    va_end(again);
    va_end(arguments);
    return text != NULL ? text : "";
}

struct fanin_draft fanin_draft_begin(fanin_severity severity)
{
    return (struct fanin_draft){.severity = severity, .measured = __builtin_nan(""), .expected = __builtin_nan("")};
}

fanin_status fanin_add(struct fanin_examination *examination, const struct fanin_draft *draft, fanin_error *error)
{
    struct fanin_draft *kept = fanin_arena_allocate(examination->arena, 1, sizeof *kept);
    size_t ntensors = examination->record != NULL ? 1 : draft->ntensors;
    size_t *tensors = fanin_arena_allocate(examination->arena, ntensors, sizeof *tensors);
    if (kept == NULL || tensors == NULL || examination->failed)
        return fanin_fail_memory(error, sizeof *kept);
    *kept = *draft;
    if (examination->record != NULL)
        tensors[0] = (size_t)(examination->record - examination->diagnosis->records);
    else
        for (size_t i = 0; i < ntensors; i++)
            tensors[i] = draft->tensors[i];
    kept->ntensors = ntensors;
    kept->tensors = tensors;
    kept->check = examination->check;
    kept->next = NULL;
    if (*examination->last != NULL)
        (*examination->last)->next = kept;
    else
        *examination->first = kept;
    *examination->last = kept;
    return FANIN_OK;
}

/* ---- one tensor ---- */

/* How many different values may be expected of a dtype: four powers of 2, on both sides of zero. */
static double values_of(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_BF16:
        return 8 * 128;
    case FANIN_F16:
        return 8 * 1024;
    case FANIN_F8_E4M3:
        return 8 * 8;
    case FANIN_F8_E5M2:
        return 8 * 4;
    default:
        return 65536;
    }
}

static bool is_random_looking(const fanin_statistics *s, fanin_dtype dtype)
{
    double n = s->nelem < 65536 ? (double)s->nelem : 65536, most = values_of(dtype);
    if (!s->is_float || s->nelem < 2)
        return false;
    double chance = RANDOM_LAG1_ERRORS / __builtin_sqrt(n);
    double limit = chance > RANDOM_LAG1 ? chance : RANDOM_LAG1;
    return s->distinct * n > RANDOM_DISTINCT * (n < most ? n : most) && s->lag1 < limit;
}

static fanin_status keep_head(struct fanin_record *record, const struct fanin_scan *scan, fanin_error *error)
{
    size_t n = scan->nfirst < FANIN_HEAD_NVALUES ? scan->nfirst : FANIN_HEAD_NVALUES;
    record->head = fanin_allocate(n, sizeof *record->head);
    if (record->head == NULL)
        return fanin_fail_memory(error, n * sizeof *record->head);
    memcpy(record->head, scan->first, n * sizeof *record->head);
    record->nhead = n;
    return FANIN_OK;
}

/* Block 1 of torch's i, f, g, o. */
static void note_forget_gate(struct fanin_record *record, const struct fanin_scan *scan)
{
    size_t block = scan->nfirst / 4;
    record->forget_mean = __builtin_nan("");
    if (record->part != FANIN_PART_BIAS || record->nblocks != 4 || scan->first == NULL || block == 0 ||
        scan->nfirst != record->statistics.nelem)
        return;
    double sum = 0;
    for (size_t i = block; i < 2 * block; i++)
        sum += (double)scan->first[i];
    record->forget_mean = sum / (double)block;
}

/* Tables of positions are smooth down their columns, where a row holds sines beside cosines. */
static bool is_smooth(const struct fanin_scan *scan)
{
    const size_t ncols = (size_t)scan->statistics.ncols, n = scan->nfirst;
    if (scan->bins == NULL || scan->statistics.nrows < 8 || n / 8 < ncols)
        return false;
    double sum = 0, squares = 0, products = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)scan->first[i];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = (double)scan->first[i] - mean;
        squares += d * d;
        if (i >= ncols)
            products += d * ((double)scan->first[i - ncols] - mean);
    }
    return products > RANDOM_LAG1 * squares && products > RANDOM_LAG1_ERRORS * squares / __builtin_sqrt((double)n);
}

static bool has_error(const struct fanin_record *record)
{
    const struct fanin_draft *draft = record->first;
    while (draft != NULL && draft->severity != FANIN_SEVERITY_ERROR)
        draft = draft->next;
    return draft != NULL;
}

static fanin_status examine_tensor(void *context, size_t i, const struct fanin_scan *scan, fanin_error *error)
{
    fanin_diagnosis *diagnosis = context;
    struct fanin_record *record = &diagnosis->records[i];
    size_t nrows;
    const struct fanin_check_row *rows = fanin_check_rows(&nrows);
    record->statistics = scan->statistics;
    record->tensor.is_random_looking = is_random_looking(&record->statistics, record->tensor.dtype);
    if (record->tensor.is_random_looking && !record->tensor.is_buffer && record->tied_to == NULL)
        FANIN_TRY(keep_head(record, scan, error));
    note_forget_gate(record, scan);
    record->is_smooth = is_smooth(scan);
    if (!record->tensor.is_buffer)
        FANIN_TRY(fanin_origin_find(diagnosis, record, scan, error));
    struct fanin_examination examination = {.diagnosis = diagnosis,
                                            .record = record,
                                            .scan = scan,
                                            .arena = &record->arena,
                                            .first = &record->first,
                                            .last = &record->last};
    for (size_t k = 0; k < nrows; k++) {
        examination.check = &rows[k].check;
        bool asked = !rows[k].check.deep || diagnosis->options->deep;
        if (rows[k].of_tensor != NULL && asked && !(rows[k].sound_only && has_error(record)))
            FANIN_TRY(rows[k].of_tensor(&examination, error));
    }
    return FANIN_OK;
}

static fanin_status examine_all(fanin_diagnosis *diagnosis, fanin_error *error)
{
    size_t nrows;
    const struct fanin_check_row *rows = fanin_check_rows(&nrows);
    struct fanin_examination examination = {
        .diagnosis = diagnosis, .arena = &diagnosis->arena, .first = &diagnosis->first, .last = &diagnosis->last};
    for (size_t k = 0; k < nrows; k++) {
        examination.check = &rows[k].check;
        if (rows[k].of_all != NULL && (!rows[k].check.deep || diagnosis->options->deep))
            FANIN_TRY(rows[k].of_all(&examination, error));
    }
    return FANIN_OK;
}

/* ---- the whole ---- */

void fanin_diagnosis_free(fanin_diagnosis *diagnosis)
{
    if (diagnosis == NULL)
        return;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        fanin_free(diagnosis->records[i].head);
        fanin_arena_release(&diagnosis->records[i].arena);
    }
    fanin_free(diagnosis->records);
    fanin_names_end(&diagnosis->names);
    fanin_arena_release(&diagnosis->arena);
    fanin_free(diagnosis);
}

static fanin_status copy_weights(fanin_diagnosis *diagnosis, fanin_error *error)
{
    const fanin_weights *weights = diagnosis->weights;
    uint64_t nbytes;
    diagnosis->records = fanin_allocate_zeroed(weights->nweights, sizeof *diagnosis->records);
    if (diagnosis->records == NULL)
        return fanin_fail_memory(error, weights->nweights * sizeof *diagnosis->records);
    diagnosis->nrecords = weights->nweights;
    for (size_t i = 0; i < weights->nweights; i++) {
        const fanin_weight *weight = &weights->weights[i];
        struct fanin_record *record = &diagnosis->records[i];
        fanin_diagnosis_tensor *tensor = &record->tensor;
        int64_t *shape = fanin_arena_allocate(&diagnosis->arena, (size_t)weight->ndim, sizeof *shape);
        tensor->name = fanin_arena_text(&diagnosis->arena, weight->name, strlen(weight->name));
        if (shape == NULL || tensor->name == NULL)
            return fanin_fail_memory(error, strlen(weight->name));
        uint64_t nelem;
        if (!fanin_shape_nelem(weight->shape, weight->ndim, &nelem) ||
            !fanin_checked_mul(nelem, fanin_dtype_nbits(weight->dtype), &nbytes) ||
            !fanin_checked_add(diagnosis->summary.nbytes, nbytes / 8, &diagnosis->summary.nbytes))
            return fanin_fail(error, FANIN_ERROR_SHAPE,
                              "tensor \"%.200s\": a dimension is negative, or there are more elements than fit 64 bits",
                              weight->name);
        for (int32_t d = 0; d < weight->ndim; d++)
            shape[d] = weight->shape[d];
        tensor->shape = shape;
        tensor->ndim = weight->ndim;
        tensor->dtype = weight->dtype;
        tensor->statistics = &record->statistics;
        tensor->expected_std = __builtin_nan("");
        tensor->fan_in = tensor->fan_out = tensor->layer = -1;
        tensor->worst = -1;
        tensor->is_buffer = weight->is_buffer;
        record->has_seed = weight->has_seed;
        record->planned = SIZE_MAX;
        record->zero_row = -1;
        diagnosis->summary.nelem += nelem;
    }
    return FANIN_OK;
}

static fanin_status summarize(fanin_diagnosis *diagnosis, fanin_error *error)
{
    const fanin_weights *weights = diagnosis->weights;
    fanin_diagnosis_summary *summary = &diagnosis->summary;
    const char *name = weights->name != NULL ? weights->name : "weights";
    summary->name = fanin_arena_text(&diagnosis->arena, name, strlen(name));
    summary->has_seed = weights->has_seed;
    summary->seed = weights->seed;
    summary->target = diagnosis->options->target;
    summary->deep = diagnosis->options->deep;
    summary->expect = diagnosis->options->expect;
    if (diagnosis->plan != NULL)
        summary->profile = fanin_profile_name(fanin_plan_profile(diagnosis->plan));
    return summary->name != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(name));
}

static fanin_status diagnose(fanin_diagnosis *diagnosis, fanin_error *error)
{
    const fanin_diagnosis_options *options = diagnosis->options;
    FANIN_TRY(summarize(diagnosis, error));
    FANIN_TRY(copy_weights(diagnosis, error));
    FANIN_TRY(fanin_facts_gather(diagnosis, error));
    FANIN_TRY(fanin_scan_weights(diagnosis->weights, options->parallel, options->progress, options->user,
                                 examine_tensor, diagnosis, error));
    FANIN_TRY(fanin_branches_find(diagnosis, error));
    FANIN_TRY(examine_all(diagnosis, error));
    return fanin_findings_gather(diagnosis, error);
}

/* Fields that the caller's version of the struct does not have yet are zero. */
static fanin_status complete_options(const fanin_diagnosis_options *given, fanin_diagnosis_options *options,
                                     fanin_error *error)
{
    memset(options, 0, sizeof *options);
    if (given == NULL)
        return FANIN_OK;
    if (given->size < sizeof(size_t))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "options.size is %zu: set it to sizeof(fanin_diagnosis_options)",
                          given->size);
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    return options->activation != NULL ? fanin_activation_check(options->activation, error) : FANIN_OK;
}

/*
 * A model's own rules are a plan too, and so are those of a config.json whose family is known. What cannot be planned
 * (no rules, another family) is not: nothing but memory is an error here.
 */
static fanin_status plan_model(fanin_diagnosis *diagnosis, fanin_model **own_model, fanin_plan **own_plan,
                               fanin_error *error)
{
    const char *config = diagnosis->options->config;
    fanin_error ignored;
    fanin_status status = FANIN_OK;
    if (diagnosis->model == NULL && diagnosis->plan == NULL && config != NULL)
        status = fanin_model_parse(config, strlen(config), "config.json", own_model, &ignored);
    if (*own_model != NULL)
        diagnosis->model = *own_model;
    if (status == FANIN_OK && diagnosis->plan == NULL && diagnosis->model != NULL)
        status = fanin_plan_create(diagnosis->model, NULL, NULL, own_plan, &ignored);
    if (*own_plan != NULL) {
        diagnosis->plan = *own_plan;
        diagnosis->has_config_plan = fanin_model_family(diagnosis->model) != NULL;
    }
    if (status != FANIN_ERROR_MEMORY)
        return FANIN_OK;
    if (error != NULL)
        *error = ignored;
    return status;
}

fanin_status fanin_diagnose(const fanin_weights *weights, const fanin_diagnosis_options *given,
                            fanin_diagnosis **result, fanin_error *error)
{
    fanin_error own;
    fanin_diagnosis_options options;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *result = NULL;
    FANIN_TRY(complete_options(given, &options, error));
    fanin_diagnosis *diagnosis = fanin_allocate_zeroed(1, sizeof *diagnosis);
    if (diagnosis == NULL)
        return fanin_fail_memory(error, sizeof *diagnosis);
    diagnosis->weights = weights;
    diagnosis->options = &options;
    diagnosis->model = options.model;
    diagnosis->plan = options.plan;
    fanin_model *own_model = NULL;
    fanin_plan *own_plan = NULL;
    fanin_status status = plan_model(diagnosis, &own_model, &own_plan, error);
    if (status == FANIN_OK)
        status = diagnose(diagnosis, error);
    fanin_plan_free(own_plan);
    fanin_model_free(own_model);
    diagnosis->weights = NULL;
    diagnosis->options = NULL;
    diagnosis->model = NULL;
    diagnosis->plan = NULL;
    if (status == FANIN_OK)
        *result = diagnosis;
    else
        fanin_diagnosis_free(diagnosis);
    return status;
}

static fanin_status read_checkpoint(void *user, size_t i, uint64_t offset, void *data, size_t nbytes,
                                    fanin_error *error)
{
    return fanin_checkpoint_read(user, i, offset, data, nbytes, error);
}

/* A word of a shell's command line. */
static void add_word(fanin_text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+:,=@%";
    if (word[0] != '\0' && word[0] != '-' && strspn(word, plain) == strlen(word)) {
        fanin_text_add(text, word);
        return;
    }
    fanin_text_add(text, word[0] == '-' ? "./'" : "'");
    for (const char *c = word; *c != '\0'; c++)
        if (*c == '\'')
            fanin_text_add(text, "'\\''");
        else
            fanin_text_append(text, c, 1);
    fanin_text_add(text, "'");
}

/* What a user of the command would have typed. Files whose names are not known here are in capitals. */
static void make_command(const fanin_checkpoint *checkpoint, const fanin_diagnosis_options *options, fanin_text *text)
{
    fanin_text_add(text, "fanin check ");
    add_word(text, fanin_checkpoint_path(checkpoint));
    if (options->plan != NULL)
        fanin_text_add(text, " --plan PLAN");
    else if (options->model != NULL)
        fanin_text_add(text, " DESCRIPTION");
    if (options->config != NULL)
        fanin_text_add(text, " --config CONFIG");
    if (options->activation != NULL) {
        fanin_text_add(text, " --activation ");
        add_word(text, options->activation);
    }
}

/* The plan a checkpoint of fanin's carries; NULL if it carries none. */
static fanin_status find_own_plan(const fanin_checkpoint *checkpoint, fanin_plan **plan, fanin_weights *weights,
                                  fanin_error *error)
{
    *plan = NULL;
    if (fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PLAN_SHA256) == NULL ||
        fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_SEED) == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_plan_from_checkpoint(checkpoint, plan, &weights->seed, error));
    weights->has_seed = true;
    return FANIN_OK;
}

static fanin_status list_weights(const fanin_checkpoint *checkpoint, size_t count, fanin_weight **weights,
                                 fanin_error *error)
{
    bool *made = fanin_allocate(count, sizeof *made);
    *weights = fanin_allocate_zeroed(count, sizeof **weights);
    fanin_status status = made != NULL && *weights != NULL ? fanin_repair_recorded(checkpoint, made, error)
                                                           : fanin_fail_memory(error, count * sizeof **weights);
    for (size_t i = 0; i < count && status == FANIN_OK; i++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(checkpoint, i);
        (*weights)[i] = (fanin_weight){.name = tensor->name,
                                       .dtype = tensor->dtype,
                                       .ndim = tensor->ndim,
                                       .shape = tensor->shape,
                                       .has_seed = made[i]};
    }
    fanin_free(made);
    if (status != FANIN_OK)
        fanin_free(*weights);
    return status;
}

fanin_status fanin_diagnose_checkpoint(const fanin_checkpoint *checkpoint, const fanin_diagnosis_options *given,
                                       fanin_diagnosis **result, fanin_error *error)
{
    fanin_error own;
    fanin_diagnosis_options options;
    fanin_plan *plan;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    *result = NULL;
    FANIN_TRY(complete_options(given, &options, error));
    options.size = sizeof options;
    size_t count = fanin_checkpoint_tensor_count(checkpoint);
    fanin_weight *array;
    FANIN_TRY(list_weights(checkpoint, count, &array, error));
    fanin_weights weights = {
        .nweights = count,
        .weights = array,
        .read = read_checkpoint,
        .user = (void *)(uintptr_t)checkpoint,
        .name = fanin_checkpoint_file_count(checkpoint) > 0 ? fanin_checkpoint_file_at(checkpoint, 0) : NULL};
    fanin_text command = {0};
    fanin_status status = find_own_plan(checkpoint, &plan, &weights, error);
    if (options.command == NULL) {
        make_command(checkpoint, &options, &command);
        options.command = command.data;
    }
    if (status == FANIN_OK && command.failed)
        status = fanin_fail_memory(error, command.nbytes);
    if (options.plan == NULL)
        options.plan = plan;
    if (status == FANIN_OK)
        status = fanin_diagnose(&weights, &options, result, error);
    fanin_text_release(&command);
    fanin_plan_free(plan);
    fanin_free(array);
    return status;
}

/* ---- reading it ---- */

size_t fanin_diagnosis_finding_count(const fanin_diagnosis *diagnosis)
{
    return diagnosis->nfindings;
}

const fanin_finding *fanin_diagnosis_finding_at(const fanin_diagnosis *diagnosis, size_t i)
{
    return i < diagnosis->nfindings ? &diagnosis->findings[i] : NULL;
}

size_t fanin_diagnosis_severity_count(const fanin_diagnosis *diagnosis, fanin_severity severity)
{
    return (unsigned)severity < 3 ? diagnosis->nseverities[severity] : 0;
}

size_t fanin_diagnosis_tensor_count(const fanin_diagnosis *diagnosis)
{
    return diagnosis->nrecords;
}

const fanin_diagnosis_tensor *fanin_diagnosis_tensor_at(const fanin_diagnosis *diagnosis, size_t i)
{
    return i < diagnosis->nrecords ? &diagnosis->records[i].tensor : NULL;
}

const fanin_diagnosis_summary *fanin_diagnosis_summarize(const fanin_diagnosis *diagnosis)
{
    return &diagnosis->summary;
}
