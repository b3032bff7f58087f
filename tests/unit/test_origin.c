/* SPDX-License-Identifier: MIT */
/*
 * Every scheme of the catalogue is recognized by what it leaves behind, in several shapes, dtypes and profiles; values
 * that were changed are not taken for fresh ones; and healthy ones never fail their own law.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/fanin.h"
#include "fanin/which.h"
#include "test.h"

struct subject {
    fanin_weight weight;
    const char *name;
    int64_t shape[4];
    void *data;
    size_t nbytes;
};

static fanin_status read_memory(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    const struct subject *subject = user;
    (void)i, (void)error;
    assert_true(offset + nbytes <= subject->nbytes);
    memcpy(data, (const char *)subject->data + offset, nbytes);
    return FANIN_OK;
}

/* A tensor named "fc.weight" of this shape, filled by the call. */
static void begin(struct subject *subject, const char *call_text, fanin_dtype dtype, int ndim, const int64_t *shape,
                  fanin_profile profile, uint64_t seed)
{
    fanin_error error;
    fanin_call call;
    fanin_resolved resolved;
    *subject = (struct subject){.name = ndim > 2 ? "conv.weight" : "fc.weight"};
    memcpy(subject->shape, shape, (size_t)ndim * sizeof *shape);
    subject->weight = (fanin_weight){.name = subject->name, .dtype = dtype, .ndim = ndim, .shape = subject->shape};
    fanin_tensor tensor = fanin_tensor_nd(NULL, dtype, ndim, shape);
    subject->nbytes = (size_t)fanin_tensor_nelem(&tensor) * fanin_dtype_nbits(dtype) / 8;
    subject->data = malloc(subject->nbytes);
    tensor.data = subject->data;
    fanin_generator generator = fanin_generator_create(profile, seed);
    assert_ok(fanin_call_parse(call_text, NULL, 0, &call, &error), error);
    assert_ok(fanin_call_resolve(&call, &tensor, &resolved, &error), error);
    assert_ok(fanin_fill_run(&resolved.fill, &tensor, &generator, &error), error);
}

static fanin_diagnosis *diagnose(struct subject *subject)
{
    fanin_error error;
    fanin_diagnosis *diagnosis;
    const fanin_weights weights = {
        .nweights = 1, .weights = &subject->weight, .read = read_memory, .user = subject, .name = "test"};
    subject->weight.shape = subject->shape;
    assert_ok(fanin_diagnose(&weights, NULL, &diagnosis, &error), error);
    return diagnosis;
}

static const char *const schemes[] = {"kaiming_uniform(a=sqrt(5))",
                                      "xavier_uniform",
                                      "xavier_normal",
                                      "kaiming_normal(nonlinearity=relu)",
                                      "kaiming_uniform(nonlinearity=relu)",
                                      "kaiming_normal(mode=fan_out, nonlinearity=relu)",
                                      "kaiming_uniform(mode=fan_out, nonlinearity=relu)",
                                      "kaiming_normal(nonlinearity=linear)",
                                      "kaiming_uniform(nonlinearity=linear)",
                                      "kaiming_normal(nonlinearity=tanh)",
                                      "kaiming_uniform(nonlinearity=tanh)",
                                      "kaiming_normal(nonlinearity=selu)",
                                      "kaiming_uniform(a=0.2)",
                                      "kaiming_normal(a=0.2)",
                                      "xavier_uniform(gain=5/3)",
                                      "xavier_normal(gain=5/3)",
                                      "xavier_uniform(gain=sqrt(2))",
                                      "xavier_uniform(gain=1/sqrt(2))",
                                      "normal(std=0.02)",
                                      "normal(std=0.01)",
                                      "normal(std=0.006)",
                                      "normal(std=1)",
                                      "uniform(a=-0.1, b=0.1)",
                                      "uniform(a=-0.0001, b=0.0001)",
                                      "trunc_normal(std=0.02, a=-0.04, b=0.04)",
                                      "trunc_normal(std=0.02, a=-0.06, b=0.06)",
                                      "orthogonal",
                                      "orthogonal(gain=sqrt(2))",
                                      "sparse(sparsity=0.1)"};
static const struct {
    int ndim;
    int64_t shape[4];
} shapes[] = {{2, {512, 384}}, {2, {96, 1000}}, {2, {768, 200}}, {4, {128, 64, 3, 3}}};

static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64, FANIN_BF16, FANIN_F16};

/* Whether the rule is among those found, and whether the values are taken for untouched. */
static bool is_recognized(const fanin_origin *origin, const char *call)
{
    if (origin == NULL || origin->untouched != FANIN_YES)
        return false;
    for (size_t i = 0; i < origin->nrules; i++)
        if (strcmp(origin->rules[i].rule, call) == 0)
            return true;
    return false;
}

static bool has_scheme(const char *call, fanin_dtype dtype, int ndim)
{
    if (strncmp(call, "orthogonal", 10) == 0)
        return dtype == FANIN_F32 || dtype == FANIN_F64;
    if (strncmp(call, "sparse", 6) == 0)
        return ndim == 2 && (dtype == FANIN_F32 || dtype == FANIN_F64);
    /* 2^-24 is f16's least number */
    return !(dtype == FANIN_F16 && strstr(call, "0.0001") != NULL);
}

static void count(fanin_profile profile, size_t *nright, size_t *nall)
{
    for (size_t s = 0; s < sizeof schemes / sizeof schemes[0]; s++)
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
            for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
                struct subject subject;
                if (!has_scheme(schemes[s], dtypes[d], shapes[k].ndim))
                    continue;
                begin(&subject, schemes[s], dtypes[d], shapes[k].ndim, shapes[k].shape, profile, 100 * s + 10 * k + d);
                fanin_diagnosis *diagnosis = diagnose(&subject);
                const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, 0);
                bool right = is_recognized(origin, schemes[s]);
                *nall += 1;
                *nright += right;
                if (!right)
                    print_error("%s, shape %zu, %s, %s: taken for %s, std %.6g, distance %.3g of %.3g: %s\n",
                                schemes[s], k, fanin_dtype_name(dtypes[d]), fanin_profile_name(profile),
                                origin->nrules > 0 ? origin->rules[0].rule : "nothing", origin->std, origin->distance,
                                origin->limit, origin->reason);
                fanin_diagnosis_free(diagnosis);
                free(subject.data);
            }
}

static void test_schemes_are_recognized(void **state)
{
    size_t nright = 0, nall = 0;
    (void)state;
    count(FANIN_PROFILE_TORCH, &nright, &nall);
    assert_true(nall > 400);
    assert_int_equal(nright, nall);
}

/* Older torch made 16-bit values of coarser uniforms, and rounded after every step. */
static void test_schemes_of_older_torch(void **state)
{
    size_t nright = 0, nall = 0;
    (void)state;
    count(FANIN_PROFILE_TORCH_2_1, &nright, &nall);
    assert_int_equal(nright, nall);
}

static fanin_answer untouched(struct subject *subject)
{
    fanin_diagnosis *diagnosis = diagnose(subject);
    fanin_answer answer = fanin_diagnosis_origin(diagnosis, 0)->untouched;
    fanin_diagnosis_free(diagnosis);
    return answer;
}

/* What training does: a row grows, a direction is added, all values move a little the same way. */
static void test_changed_values_are_not_untouched(void **state)
{
    const int64_t shape[] = {256, 300};
    struct subject subject;
    (void)state;
    for (int change = 0; change < 4; change++) {
        begin(&subject, "normal(std=0.02)", FANIN_F32, 2, shape, FANIN_PROFILE_TORCH, 7);
        float *values = subject.data;
        for (int64_t i = 0; i < shape[0]; i++)
            for (int64_t j = 0; j < shape[1]; j++) {
                float *value = &values[i * shape[1] + j];
                if (change == 1 && i == 17)
                    *value *= 1.6f;
                if (change == 2)
                    *value += (i % 2 != 0 ? 0.005f : -0.005f) * (j % 3 != 0 ? 1.0f : -1.0f);
                if (change == 3 && j == 5)
                    *value += 0.02f;
            }
        fanin_answer answer = untouched(&subject);
        if ((answer == FANIN_YES) != (change == 0))
            fail_msg("change %d: %d", change, (int)answer);
        free(subject.data);
    }
}

static void test_constants_and_whole_matrices(void **state)
{
    static const struct {
        const char *call, *rule;
        int ndim;
        int64_t shape[4];
    } cases[] = {{"zeros", "zeros", 2, {8, 8}},
                 {"ones", "ones", 1, {12}},
                 {"constant(val=0.25)", "constant(val=0.25)", 1, {12}},
                 {"eye", "eye", 2, {12, 20}},
                 {"dirac", "dirac", 4, {16, 8, 3, 3}},
                 {"orthogonal", "orthogonal", 2, {300, 64}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct subject subject;
        begin(&subject, cases[i].call, FANIN_F32, cases[i].ndim, cases[i].shape, FANIN_PROFILE_TORCH, 1);
        fanin_diagnosis *diagnosis = diagnose(&subject);
        const fanin_origin *origin = fanin_diagnosis_origin(diagnosis, 0);
        if (!is_recognized(origin, cases[i].rule))
            fail_msg("%s: %s", cases[i].call, origin->nrules > 0 ? origin->rules[0].rule : origin->reason);
        fanin_diagnosis_free(diagnosis);
        free(subject.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schemes_are_recognized), cmocka_unit_test(test_schemes_of_older_torch),
        cmocka_unit_test(test_changed_values_are_not_untouched), cmocka_unit_test(test_constants_and_whole_matrices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
