/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis as a whole: the same words and numbers for every count of threads, findings grouped and in order, and
 * failing memory and reads that leave nothing behind.
 */
#include "check_fixture.h"

#include "counting_allocator.h"

#include <math.h>

static fanin_error error;

static const char spec[] =
    "{'format':'fanin-spec','version':1,'construct':true,'tensors':[{'name':'embed','embedding':[500,64]},"
    "{'repeat':{'i':[0,6]},'tensors':[{'name':'layers.{i}.fc1','linear':[64,96]},{'name':'layers.{i}.fc2','linear':[96,"
    "64]},"
    "{'name':'layers.{i}.norm','layer_norm':64}]},{'name':'lstm','lstm':[16,16]},{'name':'head','linear':[64,10]}]}";

/* One fault of every kind that a test here looks at. */
static void spoil(check_weights *w)
{
    ((float *)check_data(w, "layers.1.fc1.weight"))[7] = NAN;
    ((float *)check_data(w, "layers.4.fc1.weight"))[7] = NAN;
    ((float *)check_data(w, "layers.5.fc1.weight"))[7] = 1e30f;
    memset(check_data(w, "layers.2.fc2.weight"), 0, 96 * 64 * sizeof(float));
    memcpy(check_data(w, "layers.4.fc2.weight"), check_data(w, "layers.3.fc2.weight"), 96 * 64 * sizeof(float));
    float *embed = check_data(w, "embed.weight");
    memcpy(embed + 64 * 100, embed, 64 * 100 * sizeof *embed);
    float *head = check_data(w, "head.weight");
    for (size_t i = 0; i < 640; i++)
        head[i] = head[i] < 0 ? -head[i] : head[i];
}

/* Everything a diagnosis says, in one text. */
static char *tell(const fanin_diagnosis *diagnosis)
{
    size_t capacity = 1 << 20, n = 0;
    char *text = malloc(capacity);
    assert_non_null(text);
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *f = fanin_diagnosis_finding_at(diagnosis, i);
        n += (size_t)snprintf(text + n, capacity - n, "%s %s %s | %s | %a %a | %s | %s | %s | %s | %s\n",
                              fanin_severity_name(f->severity), f->check->id, f->where, f->what, f->measured,
                              f->expected, f->expectation != NULL ? f->expectation : "-",
                              f->consequence != NULL ? f->consequence : "-", f->rule != NULL ? f->rule : "-",
                              f->missing != NULL ? f->missing : "-", f->command != NULL ? f->command : "-");
        for (size_t k = 0; k < f->ntensors; k++)
            n += (size_t)snprintf(text + n, capacity - n, " %zu", f->tensors[k]);
    }
    for (size_t i = 0; i < fanin_diagnosis_tensor_count(diagnosis); i++) {
        const fanin_diagnosis_tensor *t = fanin_diagnosis_tensor_at(diagnosis, i);
        n += (size_t)snprintf(text + n, capacity - n, "%s %d %d %d %d %a %a %d\n", t->name, (int)t->layer_kind,
                              t->is_weight, t->is_random_looking, t->worst, t->statistics->mean,
                              t->statistics->variance, (int)t->fitted.kind);
    }
    assert_true(n < capacity);
    return text;
}

static void run_backwards(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    while (ntasks > 0)
        task(context, --ntasks);
}

static void every_count_of_threads(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    spoil(&w);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    char *expected = tell(diagnosis);
    fanin_diagnosis_free(diagnosis);
    for (unsigned nthreads = 1; nthreads <= 7; nthreads += 2) {
        fanin_pool *pool;
        assert_ok(fanin_pool_create(nthreads, &pool, &error), error);
        const fanin_parallel parallel = fanin_pool_parallel(pool);
        const fanin_parallel backwards = {run_backwards, NULL, nthreads};
        for (int i = 0; i < 2; i++) {
            const fanin_diagnosis_options options = {.size = sizeof options,
                                                     .parallel = i == 0 ? &parallel : &backwards};
            diagnosis = check_diagnose(&w, &options);
            char *found = tell(diagnosis);
            assert_string_equal(found, expected);
            free(found);
            fanin_diagnosis_free(diagnosis);
        }
        fanin_pool_free(pool);
    }
    free(expected);
    check_free(&w);
}

static void in_order(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    spoil(&w);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W01", "layers.4.fc1.weight", FANIN_SEVERITY_ERROR, "1 NaN");
    check_expect(diagnosis, "W02", "layers.5.fc1.weight", FANIN_SEVERITY_ERROR, "values up to 1e+30");
    check_expect(diagnosis, "W03", "layers.2.fc2.weight", FANIN_SEVERITY_ERROR, "in 1 of the 6");
    check_expect(diagnosis, "W05", "embed.weight", FANIN_SEVERITY_ERROR, "rows 0-99 equal rows 100-199");
    check_expect(diagnosis, "W06", "layers.4.fc2.weight", FANIN_SEVERITY_ERROR, "equal to layers.3.fc2.weight");
    check_expect(diagnosis, "W10", "head.weight", FANIN_SEVERITY_WARN, "instead of uniform(-a, a)?");
    size_t counts[3] = {0};
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *f = fanin_diagnosis_finding_at(diagnosis, i);
        const fanin_finding *next = fanin_diagnosis_finding_at(diagnosis, i + 1);
        counts[f->severity]++;
        assert_true(f->severity <= f->check->worst);
        assert_true(next == NULL || next->severity < f->severity ||
                    (next->severity == f->severity && strcmp(f->check->id, next->check->id) <= 0));
        assert_true(f->rule == NULL || f->missing == NULL);
        assert_true(f->what[0] != '\0' && f->where[0] != '\0');
        for (size_t k = 1; k < f->ntensors; k++)
            assert_true(f->tensors[k - 1] < f->tensors[k]);
        for (size_t k = 0; k < f->ntensors; k++)
            assert_true(fanin_diagnosis_tensor_at(diagnosis, f->tensors[k])->worst >= (int)f->severity);
    }
    for (int s = 0; s < 3; s++)
        assert_int_equal(fanin_diagnosis_severity_count(diagnosis, (fanin_severity)s), counts[s]);
    assert_null(fanin_diagnosis_finding_at(diagnosis, fanin_diagnosis_finding_count(diagnosis)));
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

/* What the rules of findings give is healthy again. */
static void rules_are_rules(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    spoil(&w);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    size_t nrules = 0;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *f = fanin_diagnosis_finding_at(diagnosis, i);
        fanin_recipe *recipe;
        if (f->rule == NULL)
            continue;
        assert_ok(fanin_recipe_create(&recipe, &error), error);
        assert_ok(fanin_recipe_set(recipe, f->rule, &error), error);
        fanin_recipe_free(recipe);
        nrules++;
    }
    assert_true(nrules >= 5);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void every_allocation(void **state)
{
    check_weights w;
    counting_allocator counter;
    fanin_diagnosis *diagnosis;
    (void)state;
    check_make(&w, spec, 1);
    spoil(&w);
    fanin_model *model;
    static const char described[] =
        "{\"format\":\"fanin-spec\",\"version\":1,\"tensors\":[{\"name\":\"head\",\"linear\":[64,10]}]}";
    assert_ok(fanin_model_parse(described, strlen(described), "spec", &model, &error), error);
    const fanin_diagnosis_options options[] = {{.size = sizeof options[0]},
                                               {.size = sizeof options[0], .plan = w.plan},
                                               {.size = sizeof options[0], .model = model}};
    for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
        char *expected, *found;
        counting_begin(&counter);
        assert_ok(fanin_diagnose(&w.all, &options[o], &diagnosis, &error), error);
        uint64_t ncalls = counter.ncalls;
        expected = tell(diagnosis);
        fanin_diagnosis_free(diagnosis);
        assert_int_equal(counter.nblocks, 0);
        counting_end();
        for (uint64_t i = 1; i <= ncalls; i += i < 200 ? 1 : 7) {
            counting_begin(&counter);
            counter.fail_at = i;
            fanin_status status = fanin_diagnose(&w.all, &options[o], &diagnosis, &error);
            if (status == FANIN_OK) {
                found = tell(diagnosis);
                assert_string_equal(found, expected);
                free(found);
            } else {
                assert_int_equal(status, FANIN_ERROR_MEMORY);
                assert_null(diagnosis);
            }
            fanin_diagnosis_free(diagnosis);
            assert_int_equal(counter.nblocks, 0);
            counting_end();
        }
        free(expected);
    }
    fanin_model_free(model);
    check_free(&w);
}

static size_t nreads, fail_at;

static fanin_status read_failing(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *failed)
{
    if (++nreads == fail_at) {
        failed->status = FANIN_ERROR_IO;
        snprintf(failed->message, sizeof failed->message, "the disk is gone");
        return FANIN_ERROR_IO;
    }
    return check_read(user, i, offset, data, nbytes, failed);
}

static void every_read(void **state)
{
    check_weights w;
    fanin_diagnosis *diagnosis;
    (void)state;
    check_make(&w, spec, 1);
    w.all.read = read_failing;
    nreads = fail_at = 0;
    assert_ok(fanin_diagnose(&w.all, NULL, &diagnosis, &error), error);
    fanin_diagnosis_free(diagnosis);
    size_t n = nreads;
    for (size_t i = 1; i <= n; i++) {
        nreads = 0;
        fail_at = i;
        assert_fails(fanin_diagnose(&w.all, NULL, &diagnosis, &error), FANIN_ERROR_IO, error, "the disk is gone");
        assert_null(diagnosis);
    }
    check_free(&w);
}

static void odd_weights(void **state)
{
    (void)state;
    fanin_diagnosis *diagnosis;
    const fanin_weights none = {.name = "none"};
    assert_ok(fanin_diagnose(&none, NULL, &diagnosis, &error), error);
    assert_int_equal(fanin_diagnosis_tensor_count(diagnosis), 0);
    fanin_diagnosis_free(diagnosis);
    const int64_t negative[] = {-1, 3};
    const fanin_weight bad = {.name = "x", .dtype = FANIN_F32, .ndim = 2, .shape = negative};
    const fanin_weights one = {.nweights = 1, .weights = &bad, .read = check_read};
    assert_fails(fanin_diagnose(&one, NULL, &diagnosis, &error), FANIN_ERROR_SHAPE, error, "negative");
    const fanin_diagnosis_options options = {.size = 1};
    assert_fails(fanin_diagnose(&none, &options, &diagnosis, &error), FANIN_ERROR_ARGUMENT, error, "options.size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_count_of_threads), cmocka_unit_test(in_order),   cmocka_unit_test(rules_are_rules),
        cmocka_unit_test(every_allocation),       cmocka_unit_test(every_read), cmocka_unit_test(odd_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
