/* SPDX-License-Identifier: MIT */
/*
 * The seed that made a checkpoint is found, of checkpoints in the plan's dtype, cast, and partly trained; another seed
 * is not taken for it.
 */
#define _XOPEN_SOURCE 700
#include "fanin/fanin.h"
#include "fanin/which.h"
#include "plan_fixture.h"
#include "scratch.h"
#include "test.h"

static const char spec[] =
    "{\"format\": \"fanin-spec\", \"version\": 1, \"tensors\": [{\"name\": \"a\", \"linear\": [24, 32]}, "
    "{\"name\": \"b\", \"linear\": [32, 8]}, {\"name\": \"norm\", \"layer_norm\": 8}], \"rules\": [%s]}";

static fanin_plan *make_plan(const char *rules)
{
    char text[2048];
    snprintf(text, sizeof text, spec, rules);
    return test_plan(text, 0);
}

static fanin_checkpoint *make(const fanin_plan *plan, uint64_t seed)
{
    fanin_error error;
    fanin_checkpoint *checkpoint;
    fanin_write_result result;
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {.size = sizeof write, .path = "made.safetensors", .force = true};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_ok(fanin_checkpoint_open("made.safetensors", &checkpoint, &error), error);
    return checkpoint;
}

static fanin_seed_result find(const fanin_checkpoint *checkpoint, const fanin_plan *plan, uint64_t begin, uint64_t end)
{
    fanin_error error;
    fanin_seed_result result;
    const fanin_seed_range range = {begin, end};
    assert_ok(fanin_find_seed(checkpoint, plan, &range, 1, NULL, &result, &error), error);
    return result;
}

static void test_seed_is_found(void **state)
{
    static const char *const rules[] = {
        "{\"match\": \"**\", \"init\": \"torch_default\"}",
        "{\"match\": \"**.weight\", \"init\": \"normal\", \"std\": 0.02}, {\"match\": \"**.bias\", \"init\": "
        "\"zeros\"}",
        "{\"match\": \"norm.*\", \"init\": \"torch_default\"}, {\"match\": \"**.bias\", \"init\": \"zeros\"}, "
        "{\"match\": \"**.weight\", \"init\": \"trunc_normal\", \"std\": 0.02, \"a\": -0.04, \"b\": 0.04}",
        "{\"match\": \"norm.*\", \"init\": \"torch_default\"}, {\"match\": \"**.bias\", \"init\": \"zeros\"}, "
        "{\"match\": \"**.weight\", \"init\": \"orthogonal\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        fanin_plan *plan = make_plan(rules[i]);
        fanin_checkpoint *checkpoint = make(plan, 1234);
        fanin_seed_result result = find(checkpoint, plan, 0, 3000);
        assert_true(result.found);
        assert_int_equal(result.seed, 1234);
        assert_int_equal(result.ntried, 1235);
        assert_int_equal(result.nequal, result.ncompared);
        assert_true(result.ncompared >= 2);
        result = find(checkpoint, plan, 1235, 2000);
        assert_false(result.found);
        assert_int_equal(result.ntried, 766);
        result = find(checkpoint, plan, UINT64_MAX - 1, UINT64_MAX);
        assert_false(result.found);
        assert_int_equal(result.ntried, 2);
        fanin_checkpoint_close(checkpoint);
        fanin_plan_free(plan);
    }
}

static void test_what_it_refuses(void **state)
{
    fanin_error error;
    fanin_seed_result result;
    fanin_plan *plan = make_plan("{\"match\": \"**\", \"init\": \"torch_default\"}");
    fanin_plan *nothing = make_plan("{\"match\": \"**\", \"init\": \"zeros\"}");
    fanin_checkpoint *checkpoint = make(plan, 1);
    const fanin_seed_range backwards = {2, 1}, one = {1, 1};
    (void)state;
    assert_fails(fanin_find_seed(checkpoint, plan, NULL, 0, NULL, &result, &error), FANIN_ERROR_ARGUMENT, error,
                 "no seed");
    assert_fails(fanin_find_seed(checkpoint, plan, &backwards, 1, NULL, &result, &error), FANIN_ERROR_ARGUMENT, error,
                 "before it begins");
    assert_fails(fanin_find_seed(checkpoint, nothing, &one, 1, NULL, &result, &error), FANIN_ERROR_ARGUMENT, error,
                 "no tensor");
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(nothing);
    fanin_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seed_is_found), cmocka_unit_test(test_what_it_refuses)};
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
