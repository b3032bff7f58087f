/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic in descriptions: values to the bit, and for every mistake the character and the words.
 */
#include "test.h"

#include <math.h>

#include "base/expression.h"

static bool lookup(void *user, const char *name, size_t nbytes, double *value)
{
    (void)user;
    static const struct {
        const char *name;
        double value;
    } variables[] = {{"H", 768}, {"L", 12}, {"head_dim2", 64}, {"zero", 0}, {"e5", 5}, {"bad", (double)INFINITY}};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (strlen(variables[i].name) == nbytes && memcmp(variables[i].name, name, nbytes) == 0) {
            *value = variables[i].value;
            return true;
        }
    }
    return false;
}

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"1", 1},
        {" 0.02 ", 0.02},
        {".5", 0.5},
        {"2.", 2},
        {"1e-3", 0.001},
        {"1E+3", 1000},
        {"1e5", 100000},
        {"1 + 2*3", 7},
        {"(1 + 2)*3", 9},
        {"10 - 3 - 2", 5},
        {"100/10/5", 2},
        {"2*-3", -6},
        {"--2", 2},
        {"-+-+-2", -2},
        {"-0", -0.0},
        {"1 - -1", 2},
        {"pi", 3.14159265358979323846},
        {"H", 768},
        {"4*H", 3072},
        {"H/L", 64},
        {"head_dim2", 64},
        {"e5", 5},
        {"0.02/sqrt(2*L)", 0.004082482904638631},
        {"sqrt(5)", 2.23606797749979},
        {"sqrt(sqrt(16))", 2},
        {"sqrt ( 2 )", 1.4142135623730951},
        {"pow(2, 10)", 1024},
        {"pow(2, -2)", 0.25},
        {"pow(3, 0)", 1},
        {"pow(0, 0)", 1},
        {"pow(-2, 3)", -8},
        {"pow(2, 0.5)", 1.4142135623730951},
        {"pow(2, 1.5)", 2 * 1.4142135623730951},
        {"pow(4, -0.5)", 0.5},
        {"pow(4, -1.5)", 0.125},
        {"pow(2, 1023)", 0x1p1023},
        {"pow(2, -1074 + 52)", 0x1p-1022},
        {"pow(1, 9007199254740991)", 1},
        {"pow(-1, 9007199254740991)", -1},
        {"pow(1.1, 5)", 1.1 * ((1.1 * 1.1) * (1.1 * 1.1))},
        {"\t1\n+\r2 ", 3},
        {"((((((((((1))))))))))", 1},
        /* 70 in a row are not nested */
        {"(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+("
         "1)"
         "+(1)+(1)+(1)+(1)+(1)+(1)+(1)+pi-pi+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+("
         "1)"
         "+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+sqrt(1)+(1)+(1)+(1)"
         "+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)+(1)",
         70},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fanin_error error = {0};
        double value = -1;
        assert_ok(fanin_expression_evaluate(rows[i].text, strlen(rows[i].text), lookup, NULL, "H, L", &value, &error),
                  error);
        if (test_double_bits(value) != test_double_bits(rows[i].value))
            fail_msg("%s is %a, expected %a", rows[i].text, value, rows[i].value);
    }
}

static void test_mistakes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"", "\"\", character 1: it ends where a number or variable was expected"},
        {"  ", "character 3: it ends where"},
        {"1 +", "character 4: it ends where a number or variable was expected"},
        {"1 2", "character 3: an operator or the end was expected, not '2'"},
        {"2x", "character 2: an operator or the end was expected, not 'x'"},
        {"2e", "character 2: an operator or the end was expected, not 'e'"},
        {"1.2.3", "character 1: 1.2.3 is not a number"},
        {".", "character 1: . is not a number"},
        {"1e400", "character 1: the result is too large"},
        {"0x10", "character 2: an operator or the end was expected, not 'x'"},
        {"(1", "character 3: it ends where a closing ) was expected"},
        {"1)", "character 2: an operator or the end was expected, not ')'"},
        {"()", "character 2: a number or variable was expected, not ')'"},
        {"*2", "character 1: a number or variable was expected, not '*'"},
        {"2**3", "character 3: a number or variable was expected, not '*'; a power is pow(x, n)"},
        {"2^3", "character 2: an operator or the end was expected, not '^'; a power is pow(x, n)"},
        {"7 % 2", "character 3: an operator or the end was expected, not '%'"},
        {"3*W", "character 3: there is no variable W; there are H, L"},
        {"sqr(2)", "character 1: there is no function sqr; there are sqrt(x) and pow(x, n)"},
        {"H(2)", "character 1: there is no function H"},
        {"sqrt 2", "character 1: there is no variable sqrt"},
        {"sqrt()", "character 6: a number or variable was expected, not ')'"},
        {"sqrt(1, 2)", "character 7: sqrt(x) has no more arguments"},
        {"sqrt(1", "character 7: it ends where a closing ) was expected"},
        {"pow(2)", "character 6: pow(x, n) has 2 arguments"},
        {"pow(2 3)", "character 7: a comma was expected, not '3'"},
        {"pow(1,2,3)", "character 8: pow(x, n) has no more arguments"},
        {"pow(2, 1.3)", "character 1: the exponent of pow must be a multiple of 0.5"},
        {"1 + pow(0, -1)", "character 5: zero to a negative power divides by zero"},
        {"pow(10, 400)", "character 1: the result is too large"},
        {"pow(-1, 0.5)", "character 1: the square root of a negative number"},
        {"sqrt(0 - 1)", "character 1: the square root of a negative number"},
        {"1/0", "character 2: division by zero"},
        {"H/zero", "character 2: division by zero"},
        {"0/0", "character 2: division by zero"},
        {"1e308*10", "character 6: the result is too large"},
        {"1e308+1e308", "character 6: the result is too large"},
        {"-1e308-1e308", "character 7: the result is too large"},
        {"bad", "character 1: the result is too large"},
        {"nan", "character 1: there is no variable nan"},
        {"1,5", "character 2: an operator or the end was expected, not ','"},
        {"\xc3\xa4 + 1", "character 1: a number or variable was expected, not '\xc3\xa4'"},
        {"(\xe2\x82\xac)", "character 2: a number or variable was expected, not '\xe2\x82\xac'"},
        {"1 \xff", "character 3: an operator or the end was expected, not '\\xff'"},
        {"\x1b[31m", "\"\\x1b[31m\", character 1: a number or variable was expected, not '\\x1b'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fanin_error error = {0};
        double value = 7;
        assert_fails(
            fanin_expression_evaluate(rows[i].text, strlen(rows[i].text), lookup, NULL, "H, L", &value, &error),
            FANIN_ERROR_ARGUMENT, error, rows[i].message);
        assert_same_double(value, 7);
    }
}

static void test_known_is_optional(void **state)
{
    (void)state;
    fanin_error error = {0};
    double value;
    assert_fails(fanin_expression_evaluate("x", 1, NULL, NULL, NULL, &value, &error), FANIN_ERROR_ARGUMENT, error,
                 "there is no variable x");
    assert_null(strstr(error.message, "there are"));
    assert_int_equal(fanin_expression_evaluate("x", 1, NULL, NULL, NULL, &value, NULL), FANIN_ERROR_ARGUMENT);
    /* Only the bytes given are read. */
    assert_ok(fanin_expression_evaluate("12+garbage", 2, NULL, NULL, NULL, &value, &error), error);
    assert_same_double(value, 12);
    assert_fails(fanin_expression_evaluate("1\0", 2, NULL, NULL, NULL, &value, &error), FANIN_ERROR_ARGUMENT, error,
                 "not '\\x00'");
}

/* 64 levels are read, of parentheses and functions alike; a million are refused without using the stack. */
static void test_depth(void **state)
{
    (void)state;
    enum { MANY = 1000000 };
    fanin_error error = {0};
    double value;
    char *text = malloc(2 * MANY + 1);
    assert_non_null(text);
    for (int depth = 64; depth <= 65; depth++) {
        memset(text, '(', (size_t)depth - 1);
        text[depth - 1] = '1';
        memset(text + depth, ')', (size_t)depth - 1);
        assert_ok(fanin_expression_evaluate(text, 2 * (size_t)depth - 1, NULL, NULL, NULL, &value, &error), error);
    }
    memset(text, '(', MANY);
    assert_fails(fanin_expression_evaluate(text, MANY, NULL, NULL, NULL, &value, &error), FANIN_ERROR_ARGUMENT, error,
                 "character 65: nested deeper than 64 levels");
    for (int i = 0; i < 65; i++)
        memcpy(text + 5 * i, "sqrt(", 5);
    assert_fails(fanin_expression_evaluate(text, 325, NULL, NULL, NULL, &value, &error), FANIN_ERROR_ARGUMENT, error,
                 "nested deeper than 64 levels");
    memset(text, '-', MANY);
    text[MANY] = '1';
    assert_ok(fanin_expression_evaluate(text, MANY + 1, NULL, NULL, NULL, &value, &error), error);
    assert_same_double(value, 1);
    for (int i = 0; i < MANY; i++)
        memcpy(text + 2 * i, "1+", 2);
    assert_ok(fanin_expression_evaluate(text, 2 * MANY - 1, NULL, NULL, NULL, &value, &error), error);
    assert_same_double(value, MANY);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_known_is_optional),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
