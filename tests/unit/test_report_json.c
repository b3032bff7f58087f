/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis as JSON: it reads back with the numbers that were measured, whatever a name holds, and says so where
 * there is no memory for it. Its form as a whole is tests/python/test_check_schema.py.
 */
#include "counting_allocator.h"
#include "test.h"

#include <math.h>

#include "base/json.h"
#include "fanin/check.h"

static fanin_error error;

static float values[2][16];
static const int64_t shape[] = {4, 4};
/* a control character, a quote, no UTF-8, one that turns terminals: C1 */
static const char hostile[] = "a\x1b\"\xff\xc2\x9b.weight";
static const fanin_weight weights[] = {{.name = hostile, .dtype = FANIN_F32, .ndim = 2, .shape = shape},
                                       {.name = "b.bias", .dtype = FANIN_F32, .ndim = 2, .shape = shape}};

static fanin_status read_values(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *e)
{
    (void)user, (void)e;
    memcpy(data, (const char *)values[i] + offset, nbytes);
    return FANIN_OK;
}

static fanin_diagnosis *diagnose(void)
{
    for (int i = 0; i < 16; i++) {
        values[0][i] = i == 5 ? NAN : (float)sin(i * i);
        values[1][i] = 0;
    }
    const fanin_weights from = {.nweights = 2,
                                .weights = weights,
                                .read = read_values,
                                .name = "w\"1",
                                .has_seed = true,
                                .seed = 18446744073709551615u};
    fanin_diagnosis *diagnosis;
    assert_ok(fanin_diagnose(&from, NULL, &diagnosis, &error), error);
    return diagnosis;
}

static const fanin_json *member(const fanin_json *object, const char *key, fanin_json_kind kind)
{
    const fanin_json *found = fanin_json_get(object, key);
    if (found == NULL || found->kind != kind)
        fail_msg("%s: %s", key, found == NULL ? "absent" : fanin_json_kind_name(found));
    return found;
}

static void reads_back(void **state)
{
    (void)state;
    static const fanin_json_limits limits = {.depth = 8, .values = 100000};
    fanin_diagnosis *diagnosis = diagnose();
    fanin_json_document document;
    char *text;
    assert_ok(fanin_diagnosis_to_json(diagnosis, &text, &error), error);
    for (const char *c = text; *c != '\0'; c++)
        assert_true(*c == '\n' || ((unsigned char)*c >= 0x20 && *c != 0x7f));
    assert_ok(fanin_json_parse(text, strlen(text), "found", &limits, &document, &error), error);
    const fanin_json *root = &document.root;
    assert_string_equal(member(root, "name", FANIN_JSON_STRING)->string, "w\"1");
    assert_string_equal(member(root, "seed", FANIN_JSON_STRING)->string, "18446744073709551615");
    assert_int_equal(member(root, "ntensors", FANIN_JSON_UNSIGNED)->unsigned_value, 2);
    assert_int_equal(member(root, "nelem", FANIN_JSON_UNSIGNED)->unsigned_value, 32);
    const fanin_json *tensors = member(root, "tensors", FANIN_JSON_ARRAY);
    assert_int_equal(tensors->count, 2);
    const fanin_json *first = &tensors->items[0], *found = member(first, "statistics", FANIN_JSON_OBJECT);
    assert_string_equal(member(first, "name", FANIN_JSON_STRING)->string, "a\x1b\"\xef\xbf\xbd\xc2\x9b.weight");
    const fanin_statistics *s = fanin_diagnosis_tensor_at(diagnosis, 0)->statistics;
    assert_int_equal(member(found, "nnan", FANIN_JSON_UNSIGNED)->unsigned_value, 1);
    assert_int_equal(member(found, "first_nan", FANIN_JSON_UNSIGNED)->unsigned_value, 5);
    assert_same_double(member(found, "mean", FANIN_JSON_NUMBER)->number, s->mean);
    assert_same_double(member(found, "variance", FANIN_JSON_NUMBER)->number, s->variance);
    assert_same_double(member(found, "max", FANIN_JSON_NUMBER)->number, s->max);
    (void)member(found, "first_inf", FANIN_JSON_NULL);
    assert_int_equal(member(found, "histogram", FANIN_JSON_ARRAY)->count, FANIN_HISTOGRAM_NBINS);
    /* a constant has no skewness */
    found = member(&tensors->items[1], "statistics", FANIN_JSON_OBJECT);
    (void)member(found, "skewness", FANIN_JSON_NULL);
    const fanin_json *findings = member(root, "findings", FANIN_JSON_ARRAY);
    assert_int_equal(findings->count, fanin_diagnosis_finding_count(diagnosis));
    assert_string_equal(member(&findings->items[0], "id", FANIN_JSON_STRING)->string, "W01");
    assert_string_equal(member(&findings->items[0], "severity", FANIN_JSON_STRING)->string, "error");
    fanin_json_release(&document);
    fanin_release(text);
    fanin_diagnosis_free(diagnosis);
}

static void no_memory(void **state)
{
    (void)state;
    fanin_diagnosis *diagnosis = diagnose();
    for (uint64_t n = 1;; n++) {
        counting_allocator counter;
        char *text = NULL;
        counting_begin(&counter);
        counter.fail_at = n;
        fanin_status status = fanin_diagnosis_to_json(diagnosis, &text, &error);
        const bool happened = counter.ncalls >= n;
        if (status == FANIN_OK)
            fanin_release(text);
        counting_end();
        assert_int_equal(status, happened ? FANIN_ERROR_MEMORY : FANIN_OK);
        assert_int_equal(counter.nblocks, 0);
        if (!happened)
            break;
    }
    fanin_diagnosis_free(diagnosis);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_back), cmocka_unit_test(no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
