/* SPDX-License-Identifier: MIT */
/*
 * Calls in text: what they resolve to, how they print, and what is said about those that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "fanin/initializer.h"

static const fanin_variable variables[] = {{"L", 12}, {"H", 768}};

/* A call, what it is printed as, and the fill it becomes for a [512, 256] tensor. */
static void test_good_calls(void **state)
{
    static const struct {
        const char *text;
        const char *printed;
        fanin_fill fill;
    } cases[] = {
        {"zeros", "zeros", {FANIN_FILL_CONSTANT, {0}}},
        {"zeros_", "zeros", {FANIN_FILL_CONSTANT, {0}}},
        {" ones ( ) ", "ones", {FANIN_FILL_CONSTANT, {1}}},
        {"constant(0.5)", "constant(val=0.5)", {FANIN_FILL_CONSTANT, {0.5}}},
        {"constant(val=-1/4)", "constant(val=-0.25)", {FANIN_FILL_CONSTANT, {-0.25}}},
        {"constant(inf)", "constant(val=inf)", {FANIN_FILL_CONSTANT, {INFINITY}}},
        {"uniform", "uniform", {FANIN_FILL_UNIFORM, {0, 1}}},
        {"uniform(-1, b=2)", "uniform(a=-1, b=2)", {FANIN_FILL_UNIFORM, {-1, 2}}},
        {"normal(std=0.02)", "normal(std=0.02)", {FANIN_FILL_NORMAL, {0, 0.02}}},
        {"normal(std=0.02/sqrt(2*L))", NULL, {FANIN_FILL_NORMAL, {0, 0.02 / 4.898979485566356}}},
        {"normal( std = pow(H, -0.5) )", NULL, {FANIN_FILL_NORMAL, {0, 1 / 27.712812921102035}}},
        {"trunc_normal(std=0.02)", "trunc_normal(std=0.02)", {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}}},
        {"eye", "eye", {FANIN_FILL_EYE, {0}}},
        {"dirac(groups=2)", "dirac(groups=2)", {FANIN_FILL_DIRAC, {2}}},
        {"orthogonal(sqrt(2))", "orthogonal(gain=1.4142135623730951)", {FANIN_FILL_ORTHOGONAL, {1.4142135623730951}}},
        {"sparse(0.1)", "sparse(sparsity=0.1)", {FANIN_FILL_SPARSE, {0.1, 0.01}}},
        {"xavier_normal(gain=5/3)", NULL, {FANIN_FILL_NORMAL, {0, 0.08505172717997146}}},
        {"kaiming_normal(nonlinearity=relu)",
         "kaiming_normal(nonlinearity=relu)",
         {FANIN_FILL_NORMAL, {0, 0.08838834764831845}}},
        {"kaiming_normal(0, 'fan_out', \"relu\")",
         "kaiming_normal(mode=fan_out, nonlinearity=relu)",
         {FANIN_FILL_NORMAL, {0, 0.0625}}},
        {"kaiming_normal(mode=FAN_OUT, nonlinearity=relu)",
         "kaiming_normal(mode=fan_out, nonlinearity=relu)",
         {FANIN_FILL_NORMAL, {0, 0.0625}}},
        {"kaiming_uniform(a=sqrt(5))", "kaiming_uniform(a=2.23606797749979)", {FANIN_FILL_UNIFORM, {-0.0625, 0.0625}}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fanin_tensor t = fanin_tensor_2d(NULL, FANIN_F32, 512, 256);
        fanin_call call, again;
        fanin_resolved r;
        fanin_error error;
        char printed[256];
        if (fanin_call_parse(cases[i].text, variables, 2, &call, &error) != FANIN_OK)
            fail_msg("%s: %s", cases[i].text, error.message);
        fanin_call_format(&call, printed, sizeof printed);
        if (cases[i].printed != NULL)
            assert_string_equal(printed, cases[i].printed);
        assert_int_equal(fanin_call_resolve(&call, &t, &r, &error), FANIN_OK);
        assert_int_equal(r.fill.kind, cases[i].fill.kind);
        for (int k = 0; k < 4; k++)
            if (r.fill.value[k] != cases[i].fill.value[k] &&
                !(fabs(r.fill.value[k] - cases[i].fill.value[k]) <= 4e-16 * fabs(cases[i].fill.value[k])))
                fail_msg("%s: value %d is %.17g, not %.17g", cases[i].text, k, r.fill.value[k], cases[i].fill.value[k]);
        /* what is printed is the same call */
        assert_int_equal(fanin_call_parse(printed, NULL, 0, &again, &error), FANIN_OK);
        assert_ptr_equal(again.initializer, call.initializer);
        assert_memory_equal(again.values, call.values, sizeof call.values);
    }
}

static void test_bad_calls(void **state)
{
    static const struct {
        const char *text;
        const char *words;
    } cases[] = {
        {"", "name of an initializer"},
        {"(a=1)", "name of an initializer"},
        {"kaimin_normal", "did you mean 'kaiming_normal'"},
        {"nothing_like_it_at_all", "fanin list"},
        {"normal(", "')' is missing"},
        {"normal(std=0.02", "')' is missing"},
        {"normal)", "expected '('"},
        {"normal(std=0.02) x", "follows the call"},
        {"normal(0, 1, 2)", "takes 2 values"},
        {"normal(sd=1)", "takes mean, std"},
        {"zeros(1)", "takes 0 values"},
        {"zeros(a=1)", "takes no parameters"},
        {"normal(std=0.02, std=0.03)", "twice"},
        {"normal(0.1, mean=0.2)", "twice"},
        {"normal(std=0.02, 1)", "without a name"},
        {"normal(std=)", "has no value"},
        {"normal(std=zzz)", "std"},
        {"normal(std=1/0)", "std"},
        {"constant", "needs a value for val"},
        {"sparse(std=1)", "needs a value for sparsity"},
        {"dirac(1.5)", "whole number"},
        {"dirac(nan)", "whole number"},
        {"kaiming_normal(mode=fan_sideways)", "fan_in nor fan_out"},
        {"kaiming_normal(nonlinearity=rely)", "did you mean 'relu'"},
        {"kaiming_normal(nonlinearity=gelu)", "no gain in torch"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fanin_call call;
        fanin_error error;
        fanin_status status = fanin_call_parse(cases[i].text, variables, 2, &call, &error);
        if (status == FANIN_OK || strstr(error.message, cases[i].words) == NULL)
            fail_msg("'%s': %s, '%s'; expected '%s'", cases[i].text, fanin_status_name(status), error.message,
                     cases[i].words);
    }
}

/* NaN is a value, not a missing one. */
static void test_nan(void **state)
{
    fanin_call call;
    char printed[64];
    (void)state;
    assert_int_equal(fanin_call_parse("constant(nan)", NULL, 0, &call, NULL), FANIN_OK);
    assert_true(isnan(call.values[0]));
    fanin_call_format(&call, printed, sizeof printed);
    assert_string_equal(printed, "constant(val=nan)");
}

/* Setting parameter by parameter, as a recipe does. */
static void test_set(void **state)
{
    fanin_call call;
    fanin_error error;
    (void)state;
    assert_int_equal(fanin_call_begin("sparse", &call, &error), FANIN_OK);
    assert_int_equal(fanin_call_finish(&call, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_call_set(&call, "sparsity", "1/L", 0, variables, 2, &error), FANIN_OK);
    assert_int_equal(fanin_call_set(&call, "std", NULL, 0.5, NULL, 0, &error), FANIN_OK);
    assert_int_equal(fanin_call_finish(&call, &error), FANIN_OK);
    assert_true(call.values[0] == 1.0 / 12 && call.values[1] == 0.5);
    assert_int_equal(fanin_call_set(&call, "stdd", NULL, 1, NULL, 0, &error), FANIN_ERROR_ARGUMENT);
    assert_int_equal(fanin_call_begin("kaiming_normal", &call, &error), FANIN_OK);
    assert_int_equal(fanin_call_set(&call, "mode", NULL, 1, NULL, 0, &error), FANIN_ERROR_ARGUMENT);
    assert_non_null(strstr(error.message, "word"));
}

/* Every row of the catalogue says what it is, and its call prints and parses. */
static void test_catalogue(void **state)
{
    (void)state;
    for (size_t i = 0; i < fanin_initializer_count(); i++) {
        const fanin_initializer *initializer = fanin_initializer_at(i);
        assert_ptr_equal(fanin_initializer_find(initializer->name), initializer);
        assert_true(strlen(initializer->formula) > 0 && strlen(initializer->reference) > 0 &&
                    strlen(initializer->advice) > 0);
        for (size_t k = 0; initializer->parameters[k].name != NULL; k++)
            assert_true(k < FANIN_MAX_PARAMETERS && strlen(initializer->parameters[k].help) > 0);
    }
    assert_null(fanin_initializer_at(fanin_initializer_count()));
    assert_null(fanin_initializer_find(""));
    assert_null(fanin_initializer_find("_"));
}

/* A short buffer is cut, never overrun. */
static void test_format_into_little_room(void **state)
{
    fanin_call call;
    char whole[256], part[256];
    (void)state;
    assert_int_equal(fanin_call_parse("kaiming_normal(1, fan_out, relu)", NULL, 0, &call, NULL), FANIN_OK);
    fanin_call_format(&call, whole, sizeof whole);
    for (size_t n = 1; n < 80; n++) {
        memset(part, '#', sizeof part);
        fanin_call_format(&call, part, n);
        assert_true(strlen(part) < n);
        assert_memory_equal(part, whole, strlen(part));
        assert_int_equal(part[n], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_calls), cmocka_unit_test(test_bad_calls),
        cmocka_unit_test(test_set),        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_catalogue),  cmocka_unit_test(test_format_into_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
