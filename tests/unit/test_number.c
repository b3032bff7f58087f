/* SPDX-License-Identifier: MIT */
/*
 * Numbers as text: what is printed reads back in every bit and is as short as can be, what is read is rounded
 * correctly, and neither the locale nor the rounding mode has a say. The C library in the C locale is the judge.
 */
#include "test.h"

#include <fenv.h>
#include <locale.h>
#include <math.h>

#include "base/text.h"

/* Values and texts tried; fewer where the compiler was told to be slow, or a tool is. */
static int ntries(void)
{
#if defined(__OPTIMIZE__)
    return test_is_slow() ? 50000 : 1000000;
#else
    return 100000;
#endif
}

static uint64_t next_random(uint64_t *state)
{
    /* Marsaglia's xorshift64 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Of every kind: any bits, tiny exponents, few mantissa bits, quotients, short decimals. */
static double random_double(uint64_t *random)
{
    uint64_t bits = next_random(random);
    const uint64_t exponent = (uint64_t)0x7ff << 52, sign_and_exponent = (uint64_t)0xfff << 52;
    switch (next_random(random) % 5) {
    case 0:
        return double_of((bits & ~exponent) | next_random(random) % 3 << 52);
    case 1:
        return double_of((bits & sign_and_exponent) | next_random(random) % 4);
    case 2:
        return (double)(int64_t)bits / (double)(1 + next_random(random) % 100000);
    case 3:
        return (double)(bits % 1000000) / 1000;
    default:
        return double_of(bits);
    }
}

static void assert_reads_as(const char *text, double expected)
{
    double found = 0;
    if (!fanin_number_parse(text, strlen(text), &found))
        fail_msg("%s is not read", text);
    if (test_double_bits(found) != test_double_bits(expected))
        fail_msg("%s is read as %a, not %a", text, found, expected);
}

/* The digits of a number, without the zeros at both ends. */
static void significant_digits(const char *text, char digits[64])
{
    size_t n = 0;
    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            digits[n++] = *text;
    while (n > 0 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
}

static void test_round_trip(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0, n = ntries(); i < n; i++) {
        double value = random_double(&random);
        char text[FANIN_NUMBER_NBYTES];
        if (isnan(value))
            continue;
        assert_ptr_equal(fanin_number_format(value, text), text);
        assert_true(strlen(text) < FANIN_NUMBER_NBYTES);
        assert_reads_as(text, value);
        if (isfinite(value))
            assert_same_double(strtod(text, NULL), value);
    }
}

/* printf with the fewest digits that strtod reads back gives the same digits (ties to even in both). */
static void test_shortest(void **state)
{
    (void)state;
    uint64_t random = 1;
    for (int i = 0, n = ntries() / 10; i < n; i++) {
        double value = random_double(&random);
        char ours[FANIN_NUMBER_NBYTES], theirs[64], our_digits[64], their_digits[64];
        int exponent;
        /* Below a power of two the reach is lopsided, and printf's nearest of n digits may miss what lies above. */
        if (!isfinite(value) || fabs(frexp(value, &exponent)) == 0.5)
            continue;
        for (int digits = 1;; digits++) {
            snprintf(theirs, sizeof theirs, "%.*e", digits - 1, value);
            if (strtod(theirs, NULL) == value)
                break;
        }
        fanin_number_format(value, ours);
        significant_digits(ours, our_digits);
        significant_digits(theirs, their_digits);
        assert_string_equal(our_digits, their_digits);
    }
}

static void test_powers_of_two(void **state)
{
    (void)state;
    for (int exponent = -1074; exponent < 1024; exponent++) {
        double value = ldexp(1, exponent);
        char text[FANIN_NUMBER_NBYTES], digits[64], longer[64];
        fanin_number_format(value, text);
        assert_reads_as(text, value);
        significant_digits(text, digits);
        assert_true(strlen(digits) <= 17);
        /* None shorter: neither neighbour of one digit less reads back. */
        if (strlen(digits) > 1) {
            int n = (int)strlen(digits) - 2;
            snprintf(longer, sizeof longer, "%.*e", n, value);
            assert_true(strtod(longer, NULL) != value);
        }
    }
}

static void test_form(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0.0"},
        {3.0, "3"},
        {-100000, "-100000"},
        {0.02, "0.02"},
        {0.0001, "0.0001"},
        {0.00001, "1e-5"},
        {-2.5e-10, "-2.5e-10"},
        {9007199254740992, "9007199254740992"},
        {1e15, "1000000000000000"},
        {1e16, "1e16"},
        {123456789012345680, "1.2345678901234568e17"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
        {1.0 / 3, "0.3333333333333333"},
        {240925272072805.375, "240925272072805.38"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[FANIN_NUMBER_NBYTES];
        assert_string_equal(fanin_number_format(rows[i].value, text), rows[i].text);
    }
}

/* Digits with a point and an exponent anywhere in the range and a little beyond. */
static int random_decimal(uint64_t *random, char *text)
{
    int ndigits = 1 + (int)(next_random(random) % 40);
    int point = (int)(next_random(random) % (uint64_t)(ndigits + 1));
    int n = 0;
    if (next_random(random) % 2)
        text[n++] = '-';
    for (int i = 0; i < ndigits; i++) {
        if (i == point)
            text[n++] = '.';
        text[n++] = (char)('0' + next_random(random) % 10);
    }
    return n + sprintf(text + n, "e%d", (int)(next_random(random) % 720) - 360);
}

/* Up to 19 digits and a small exponent: the way without long numbers. */
static int random_short_decimal(uint64_t *random, char *text)
{
    int n = sprintf(text, "%llu", (unsigned long long)(next_random(random) >> next_random(random) % 64));
    return n + sprintf(text + n, "E%+d", (int)(next_random(random) % 60) - 30);
}

/* The exact middle between two doubles, and digits that lift it from the middle. */
static int random_middle(uint64_t *random, char *text)
{
    double value = fabs(random_double(random));
    if (!isfinite(value) || value >= 1.7e308)
        value = 1;
    long double middle = ((long double)value + (long double)nextafter(value, INFINITY)) / 2;
    int n = sprintf(text, "%.1100Le", middle); /* more digits than any such middle has */
    char *e = strchr(text, 'e');
    switch (next_random(random) % 3) {
    case 0: /* just above */
        e[-1] = '1';
        break;
    case 1: { /* just below */
        char *last = e - 1;
        while (*last == '0')
            *last-- = '9';
        if (*last != '.')
            *last = (char)(*last - 1);
        else
            memset(last + 1, '0', (size_t)(e - last - 1)); /* it was a whole number: left in the middle */
        break;
    }
    default:
        break;
    }
    return n;
}

static int random_hexadecimal(uint64_t *random, char *text)
{
    if (next_random(random) % 2)
        return sprintf(text, "%a", random_double(random));
    return sprintf(text, "0x%llx%llX.%llxp%d", (unsigned long long)next_random(random),
                   (unsigned long long)next_random(random), (unsigned long long)next_random(random),
                   (int)(next_random(random) % 2400) - 1250);
}

static void test_parse_against_strtod(void **state)
{
    (void)state;
    int (*const kinds[])(uint64_t *, char *) = {random_decimal, random_short_decimal, random_middle,
                                                random_hexadecimal};
    uint64_t random = 42;
    char text[2048];
    if (sizeof(long double) <= sizeof(double))
        skip(); /* middles need more bits than a double has */
    for (int i = 0, n = ntries(); i < n; i++) {
        kinds[i % 4](&random, text);
        double expected = strtod(text, NULL);
        if (!isnan(expected))
            assert_reads_as(text, expected);
    }
}

static void test_parse_edges(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } rows[] = {
        {"0", 0.0},
        {"-0", -0.0},
        {"-0.000e99999999999", -0.0},
        {"+1", 1},
        {"1.", 1},
        {".5", 0.5},
        {"1e400", INFINITY},
        {"-1e400", -INFINITY},
        {"1e-400", 0},
        {"1e99999999999999999999", INFINITY},
        {"1e-99999999999999999999", 0},
        {"1.7976931348623158e308", 1.7976931348623157e308},
        /* the middle between the greatest double and 2^1024: up to it, and from it on */
        {"1.797693134862315807e308", 1.7976931348623157e308},
        {"1.797693134862315808e308", INFINITY},
        /* half of the least double is 2.4703282292062327208...e-324 */
        {"2.4703282292062327e-324", 0},
        {"2.4703282292062328e-324", 5e-324},
        {"9007199254740993", 9007199254740992.0},
        {"9007199254740993.0000000000000000000000000000000000000000001", 9007199254740994.0},
        {"0x1p-1074", 5e-324},
        {"0x1p-1075", 0},
        {"0x1.000000000000000000001p-1075", 5e-324},
        {"0x.8p1", 1},
        {"0X1.FFFFFFFFFFFFF8p1023", INFINITY},
        {"inf", INFINITY},
        {"-Infinity", -INFINITY},
        {"INF", INFINITY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_reads_as(rows[i].text, rows[i].value);
    double value = 0;
    assert_true(fanin_number_parse("NaN", 3, &value) && isnan(value));

    static const char *const refused[] = {"",     ".",    "-",    "+",     "e5", "1e",   "1e+",  "1 ",
                                          " 1",   "1x",   "1,5",  "--1",   "0x", "0x.p", "0x1p", "0xg",
                                          "infi", "nanx", "1e5.", "1.2.3", "in", "1_0",  "+-1",  "1e1e1"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        value = 7;
        if (fanin_number_parse(refused[i], strlen(refused[i]), &value))
            fail_msg("'%s' is read as %a", refused[i], value);
        assert_same_double(value, 7);
    }
    assert_false(fanin_number_parse("1\0", 2, &value));
}

/* The longest number that is read, and one longer. Both are exact to the last digit. */
static void test_parse_long(void **state)
{
    (void)state;
    enum { MAX = 4096 };
    static char text[MAX + 2];
    double value;
    memset(text, '9', sizeof text);
    text[0] = '.';
    assert_true(fanin_number_parse(text, MAX, &value));
    assert_same_double(value, 1);
    assert_false(fanin_number_parse(text, MAX + 1, &value));
    /* 1 + 2^-53 is a middle; a digit 4000 places later decides. */
    memset(text, '0', sizeof text);
    const char middle[] = "1.00000000000000011102230246251565404236316680908203125";
    memcpy(text, middle, sizeof middle - 1);
    assert_true(fanin_number_parse(text, MAX, &value));
    assert_same_double(value, 1);
    text[MAX - 1] = '1';
    assert_true(fanin_number_parse(text, MAX, &value));
    assert_same_double(value, 1 + 0x1p-52);
    memset(text, '1', sizeof text);
    assert_true(fanin_number_parse(text, 309, &value));
    text[309] = '\0';
    assert_same_double(value, strtod(text, NULL));
}

static void test_u64(void **state)
{
    (void)state;
    uint64_t value = 0;
    assert_true(fanin_u64_parse("0", 1, &value) && value == 0);
    assert_true(fanin_u64_parse("18446744073709551615", 20, &value) && value == UINT64_MAX);
    assert_true(fanin_u64_parse("123x", 3, &value) && value == 123);
    value = 7;
    static const char *const refused[] = {
        "", "18446744073709551616", "99999999999999999999", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e2", "0x1"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_false(fanin_u64_parse(refused[i], strlen(refused[i]), &value));
    assert_true(value == 7);
}

/* What printf writes with a decimal comma in a locale that has one. */
static bool set_comma_locale(void)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "fr_FR.utf8"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (setlocale(LC_ALL, names[i]) != NULL)
            return true;
    return false;
}

static void test_locale(void **state)
{
    (void)state;
    char text[FANIN_NUMBER_NBYTES];
    if (!set_comma_locale()) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    assert_string_equal(fanin_number_format(0.5, text), "0.5");
    assert_reads_as("0.5", 0.5);
    double value;
    assert_false(fanin_number_parse("0,5", 3, &value));
    setlocale(LC_ALL, "C");
}

static void test_rounding_mode(void **state)
{
    (void)state;
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    uint64_t random = 5;
    for (int i = 0, n = ntries() / 30; i < n; i++) {
        double value = random_double(&random), found = 0;
        char nearest[FANIN_NUMBER_NBYTES], text[FANIN_NUMBER_NBYTES];
        if (!isfinite(value))
            continue;
        fanin_number_format(value, nearest);
        fesetround(modes[i % 3]);
        fanin_number_format(value, text);
        bool is_read = fanin_number_parse(text, strlen(text), &found);
        fesetround(FE_TONEAREST);
        assert_true(is_read);
        assert_string_equal(text, nearest);
        assert_same_double(found, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_powers_of_two),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_parse_against_strtod),
        cmocka_unit_test(test_parse_edges),
        cmocka_unit_test(test_parse_long),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_locale),
        cmocka_unit_test(test_rounding_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
