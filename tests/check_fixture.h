/* SPDX-License-Identifier: MIT */
/*
 * Weights in memory for tests of checks: made from a spec, spoiled by the test, diagnosed, and asked what was found.
 */
#ifndef FANIN_CHECK_FIXTURE_H
#define FANIN_CHECK_FIXTURE_H

#include "plan_fixture.h"

#include "fanin/check.h"

typedef struct check_weights {
    fanin_plan *plan; /* what they are made by; the diagnosis is not told */
    void **data;
    fanin_weight weights[64];
    fanin_weights all;
} check_weights;

static inline fanin_status check_read(void *user, size_t i, uint64_t offset, void *data, size_t nbytes,
                                      fanin_error *error)
{
    const check_weights *w = user;
    (void)error;
    memcpy(data, (const char *)w->data[i] + offset, nbytes);
    return FANIN_OK;
}

/* `spec` is JSON with ' for ". At most 64 tensors. */
static inline void check_make(check_weights *w, const char *spec, uint64_t seed)
{
    fanin_error error;
    const fanin_run_options options = test_options(seed);
    char *json = malloc(strlen(spec) + 1);
    assert_non_null(json);
    for (size_t i = 0; i <= strlen(spec); i++)
        json[i] = spec[i] == '\'' ? '"' : spec[i];
    memset(w, 0, sizeof *w);
    w->plan = test_plan(json, 0);
    free(json);
    w->data = test_allocate_tensors(w->plan);
    size_t n = fanin_plan_tensor_count(w->plan);
    assert_true(n <= 64);
    assert_ok(fanin_run_memory(w->plan, &options, w->data, &error), error);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(w->plan, i);
        w->weights[i] =
            (fanin_weight){.name = tensor->name, .dtype = tensor->dtype, .ndim = tensor->ndim, .shape = tensor->shape};
    }
    w->all = (fanin_weights){.nweights = n, .weights = w->weights, .read = check_read, .user = w, .name = "weights"};
}

static inline void check_free(check_weights *w)
{
    test_free_tensors(w->plan, w->data);
    fanin_plan_free(w->plan);
}

/* The memory of a tensor. */
static inline void *check_data(check_weights *w, const char *name)
{
    size_t i = fanin_plan_tensor_find(w->plan, name);
    if (i == SIZE_MAX)
        fail_msg("no tensor %s", name);
    return w->data[i];
}

static inline fanin_diagnosis *check_diagnose(const check_weights *w, const fanin_diagnosis_options *options)
{
    fanin_error error;
    fanin_diagnosis *diagnosis;
    assert_ok(fanin_diagnose(&w->all, options, &diagnosis, &error), error);
    return diagnosis;
}

/* The finding of this id about this tensor (NULL: any), or NULL. */
static inline const fanin_finding *check_find(const fanin_diagnosis *diagnosis, const char *id, const char *name)
{
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if (strcmp(finding->check->id, id) != 0)
            continue;
        if (name == NULL)
            return finding;
        for (size_t k = 0; k < finding->ntensors; k++)
            if (strcmp(fanin_diagnosis_tensor_at(diagnosis, finding->tensors[k])->name, name) == 0)
                return finding;
    }
    return NULL;
}

static inline void check_print(const fanin_diagnosis *diagnosis)
{
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *f = fanin_diagnosis_finding_at(diagnosis, i);
        printf("%s %s %s: %s; expected %s; %s; rule %s; missing %s; command %s\n", fanin_severity_name(f->severity),
               f->check->id, f->where, f->what, f->expectation != NULL ? f->expectation : "-",
               f->consequence != NULL ? f->consequence : "-", f->rule != NULL ? f->rule : "-",
               f->missing != NULL ? f->missing : "-", f->command != NULL ? f->command : "-");
    }
}

/* There is such a finding, and of what it says `part` is a piece. */
static inline const fanin_finding *check_expect(const fanin_diagnosis *diagnosis, const char *id, const char *name,
                                                fanin_severity severity, const char *part)
{
    const fanin_finding *finding = check_find(diagnosis, id, name);
    if (finding == NULL || finding->severity != severity || strstr(finding->what, part) == NULL) {
        check_print(diagnosis);
        fail_msg("no finding %s %s of %s that says \"%s\"", fanin_severity_name(severity), id,
                 name != NULL ? name : "anything", part);
    }
    return finding;
}

static inline void check_expect_healthy(const fanin_diagnosis *diagnosis)
{
    if (fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN) +
            fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR) >
        0) {
        check_print(diagnosis);
        fail_msg("healthy weights have findings");
    }
}

/* Nothing above info is found of the spec's weights under 20 seeds. */
static inline void check_expect_healthy_seeds(const char *spec)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        check_weights w;
        check_make(&w, spec, seed);
        fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
        check_expect_healthy(diagnosis);
        fanin_diagnosis_free(diagnosis);
        check_free(&w);
    }
}

#endif
