/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints for tests of the diagnosis: a model of tests/diagnose/models made from a seed in memory, changed, and
 * written as a plain safetensors file that says nothing about where it comes from.
 */
#ifndef FANIN_TEST_MADE_H
#define FANIN_TEST_MADE_H

#include "test.h"

#include <math.h>

#include "fanin/fanin.h"

struct made_tensor {
    char name[256];
    fanin_tensor view; /* contiguous, of its own memory */
    bool is_gone;      /* left out of the file */
};

struct made {
    fanin_model *model;
    fanin_plan *plan;
    char *config; /* text of a config.json; NULL of a spec */
    struct made_tensor *tensors;
    size_t ntensors, room;
};

static inline char *made_file_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    const size_t nbytes = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(nbytes + 1, 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, nbytes, file), nbytes);
    fclose(file);
    return text;
}

static inline size_t made_nbytes(const fanin_tensor *view)
{
    return (size_t)fanin_tensor_nelem(view) * fanin_dtype_nbits(view->dtype) / 8;
}

static inline void made_begin_text(struct made *made, const char *text, fanin_dtype dtype)
{
    fanin_error error;
    *made = (struct made){0};
    assert_ok(fanin_model_parse(text, strlen(text), "model", &made->model, &error), error);
    if (fanin_model_family(made->model) != NULL) {
        made->config = malloc(strlen(text) + 1);
        assert_non_null(made->config);
        strcpy(made->config, text);
    }
    const fanin_plan_options options = {.size = sizeof options, .dtype = dtype};
    assert_ok(fanin_plan_create(made->model, NULL, &options, &made->plan, &error), error);
    size_t ntensors = fanin_plan_tensor_count(made->plan);
    made->room = ntensors + 1; /* one that is extra */
    made->tensors = calloc(made->room, sizeof *made->tensors);
    assert_non_null(made->tensors);
    for (size_t i = 0; i < ntensors; i++) {
        const fanin_plan_tensor *from = fanin_plan_tensor_at(made->plan, i);
        if (!fanin_plan_tensor_is_stored(from))
            continue;
        struct made_tensor *tensor = &made->tensors[made->ntensors++];
        snprintf(tensor->name, sizeof tensor->name, "%s", from->name);
        void *data = malloc(from->nbytes > 0 ? from->nbytes : 1);
        assert_non_null(data);
        tensor->view = fanin_tensor_nd(data, from->dtype, from->ndim, from->shape);
    }
}

/* One of tests/diagnose/models. */
static inline void made_begin(struct made *made, const char *model, fanin_dtype dtype)
{
    char relative[128], path[4096];
    snprintf(relative, sizeof relative, "tests/diagnose/models/%s.json", model);
    char *text = made_file_text(test_source_path(path, sizeof path, relative));
    made_begin_text(made, text, dtype);
    free(text);
}

/* Every tensor as the plan makes it at this seed. */
static inline void made_fill(struct made *made, uint64_t seed)
{
    fanin_error error;
    const fanin_run_options options = {.size = sizeof options, .seed = seed};
    size_t ntensors = fanin_plan_tensor_count(made->plan);
    void **data = calloc(ntensors, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0, stored = 0; i < ntensors; i++)
        if (fanin_plan_tensor_is_stored(fanin_plan_tensor_at(made->plan, i)))
            data[i] = made->tensors[stored++].view.data;
    assert_ok(fanin_run_memory(made->plan, &options, data, &error), error);
    free(data);
}

static inline void made_end(struct made *made)
{
    for (size_t i = 0; i < made->ntensors; i++)
        free(made->tensors[i].view.data);
    free(made->tensors);
    free(made->config);
    fanin_plan_free(made->plan);
    fanin_model_free(made->model);
}

/* A minimal writer: tensors in the order they lie, aligned as the format asks. */
static inline void made_write(const struct made *made, const char *path)
{
    size_t room = 256 + made->ntensors * 512, length = 0;
    char *header = malloc(room);
    assert_non_null(header);
    uint64_t offset = 0;
    for (size_t i = 0; i < made->ntensors; i++) {
        const struct made_tensor *tensor = &made->tensors[i];
        if (tensor->is_gone)
            continue;
        uint64_t nbytes = made_nbytes(&tensor->view);
        length +=
            (size_t)snprintf(header + length, room - length, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                             length == 0 ? '{' : ',', tensor->name, fanin_dtype_safetensors_name(tensor->view.dtype));
        for (int32_t d = 0; d < tensor->view.ndim; d++)
            length += (size_t)snprintf(header + length, room - length, "%s%lld", d > 0 ? "," : "",
                                       (long long)tensor->view.shape[d]);
        length += (size_t)snprintf(header + length, room - length, "],\"data_offsets\":[%llu,%llu]}",
                                   (unsigned long long)offset, (unsigned long long)(offset + nbytes));
        offset += nbytes;
    }
    header[length++] = '}';
    while (length % 8 != 0)
        header[length++] = ' ';
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t length_field = length;
    assert_int_equal(fwrite(&length_field, 8, 1, file), 1);
    assert_int_equal(fwrite(header, 1, length, file), length);
    for (size_t i = 0; i < made->ntensors; i++) {
        const struct made_tensor *tensor = &made->tensors[i];
        size_t nbytes = tensor->is_gone ? 0 : made_nbytes(&tensor->view);
        assert_int_equal(fwrite(tensor->view.data, 1, nbytes, file), nbytes);
    }
    assert_int_equal(fclose(file), 0);
    free(header);
}

/* Patterns as in tables of tests: '#' is a number, '*' anything, the rest itself. */
static inline bool made_name_matches(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*')
        return made_name_matches(pattern + 1, name) || (*name != '\0' && made_name_matches(pattern, name + 1));
    if (*pattern == '#') {
        size_t n = strspn(name, "0123456789");
        return n > 0 && made_name_matches(pattern + 1, name + n);
    }
    return *pattern == *name && made_name_matches(pattern + 1, name + 1);
}

static inline struct made_tensor *made_find(const struct made *made, const char *name)
{
    for (size_t i = 0; i < made->ntensors; i++)
        if (strcmp(made->tensors[i].name, name) == 0)
            return &made->tensors[i];
    fail_msg("the model has no %s", name);
    return NULL;
}

static inline double made_get(const fanin_tensor *view, uint64_t i)
{
    return fanin_dtype_value(view->dtype, view->data, i);
}

/* Element i becomes the value, rounded to the dtype. */
static inline void made_set(const fanin_tensor *view, uint64_t i, double value)
{
    fanin_error error;
    char *at = (char *)view->data + i * fanin_dtype_nbits(view->dtype) / 8;
    if (view->dtype == FANIN_F64) {
        memcpy(at, &value, sizeof value);
    } else {
        fanin_tensor one = fanin_tensor_1d(at, view->dtype, 1);
        assert_ok(fanin_constant(&one, value, &error), error);
    }
}

/* Knowledge that a diagnosis is given. */
enum made_knowledge { BY_NAMES, BY_MODEL, BY_PLAN };

static inline fanin_diagnosis_options made_options(const struct made *made, enum made_knowledge known)
{
    fanin_diagnosis_options options = {.size = sizeof options};
    if (known >= BY_MODEL) {
        options.model = made->model;
        options.config = made->config;
    }
    if (known == BY_PLAN)
        options.plan = made->plan;
    return options;
}

/* For messages: what was found, line by line. */
static inline void made_print_findings(const fanin_diagnosis *diagnosis, fanin_severity least)
{
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if (finding->severity >= least)
            print_error("    %s %s %s: %s; expected %s; rule %s; missing %s\n", fanin_severity_name(finding->severity),
                        finding->check->id, finding->where, finding->what,
                        finding->expectation != NULL ? finding->expectation : "-",
                        finding->rule != NULL ? finding->rule : "-", finding->missing != NULL ? finding->missing : "-");
    }
}

#endif
