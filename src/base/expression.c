/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic by recursive descent, one function a level of precedence, with a limit to nesting. Only operations that
 * IEEE 754 defines exactly are used, so that a description means the same bits on every machine.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/expression.h"
#include "base/text.h"

enum { MAX_DEPTH = 64 };

struct reader {
    const char *text;
    const char *end;
    const char *at;
    int depth;
    fanin_lookup lookup;
    void *user;
    const char *known;
    fanin_error *error;
};

static fanin_status read_sum(struct reader *r, double *value);

__attribute__((format(printf, 3, 4))) static fanin_status refuse(const struct reader *r, const char *at,
                                                                 const char *format, ...)
{
    char what[512], shown[FANIN_SHOW_NBYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    size_t character = 1;
    for (const char *c = r->text; c < at; c++)
        character += ((unsigned char)*c & 0xc0) != 0x80;
    return fanin_fail(r->error, FANIN_ERROR_ARGUMENT, "\"%s\", character %zu: %s",
                      fanin_show(r->text, (size_t)(r->end - r->text), shown), character, what);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* The character after blanks, NUL at the end. */
static char peek(struct reader *r)
{
    skip_blanks(r);
    return r->at < r->end ? *r->at : '\0';
}

static fanin_status refuse_token(struct reader *r, const char *expected)
{
    char shown[FANIN_SHOW_NBYTES];
    if (peek(r) == '\0' && r->at == r->end)
        return refuse(r, r->at, "it ends where %s was expected", expected);
    bool is_power = *r->at == '^' || (*r->at == '*' && r->at > r->text && r->at[-1] == '*');
    size_t length = fanin_utf8_length(r->at, (size_t)(r->end - r->at));
    return refuse(r, r->at, "%s was expected, not '%s'%s", expected, fanin_show(r->at, length > 0 ? length : 1, shown),
                  is_power ? "; a power is pow(x, n)" : "");
}

static fanin_status expect(struct reader *r, char c, const char *expected)
{
    if (peek(r) != c)
        return refuse_token(r, expected);
    r->at++;
    return FANIN_OK;
}

static fanin_status check_finite(const struct reader *r, const char *at, double value)
{
    return isfinite(value) ? FANIN_OK : refuse(r, at, "the result is too large");
}

static fanin_status read_number(struct reader *r, double *value)
{
    const char *begin = r->at, *at = begin;
    while (at < r->end && (is_digit(*at) || *at == '.'))
        at++;
    if (at < r->end && (*at == 'e' || *at == 'E')) {
        const char *digits = at + 1;
        digits += digits < r->end && (*digits == '+' || *digits == '-');
        if (digits < r->end && is_digit(*digits)) {
            at = digits;
            while (at < r->end && is_digit(*at))
                at++;
        }
    }
    char shown[FANIN_SHOW_NBYTES];
    r->at = at;
    if (!fanin_number_parse(begin, (size_t)(at - begin), value))
        return refuse(r, begin, "%s is not a number", fanin_show(begin, (size_t)(at - begin), shown));
    return check_finite(r, begin, *value);
}

/* By squaring, in an order that depends on n alone. */
static double power(double x, double n)
{
    double result = 1;
    while (n >= 1) {
        double half = floor(n / 2);
        if (n != 2 * half)
            result *= x;
        n = half;
        if (n >= 1)
            x *= x;
    }
    return result;
}

static fanin_status apply_sqrt(const struct reader *r, const char *at, const double *x, double *value)
{
    if (x[0] < 0)
        return refuse(r, at, "the square root of a negative number");
    *value = sqrt(x[0]);
    return FANIN_OK;
}

static fanin_status apply_pow(const struct reader *r, const char *at, const double *x, double *value)
{
    double n = x[1], whole = floor(fabs(n));
    double root = 1;
    if (fabs(n) != whole) {
        if (fabs(n) != whole + 0.5)
            return refuse(r, at, "the exponent of pow must be a multiple of 0.5; for others combine sqrt and pow");
        FANIN_TRY(apply_sqrt(r, at, x, &root));
    }
    if (n < 0 && x[0] == 0)
        return refuse(r, at, "zero to a negative power divides by zero");
    *value = power(x[0], whole) * root;
    FANIN_TRY(check_finite(r, at, *value));
    if (n < 0)
        *value = 1 / *value;
    return check_finite(r, at, *value);
}

static const struct {
    const char *name;
    int narguments;
    fanin_status (*apply)(const struct reader *r, const char *at, const double *x, double *value);
    const char *usage;
} functions[] = {
    {"sqrt", 1, apply_sqrt, "sqrt(x)"},
    {"pow", 2, apply_pow, "pow(x, n)"},
};
enum { NFUNCTIONS = sizeof functions / sizeof functions[0] };

static bool is_name(const char *name, size_t nbytes, const char *other)
{
    return strlen(other) == nbytes && memcmp(name, other, nbytes) == 0;
}

/* Behind the opening parenthesis. */
static fanin_status read_call(struct reader *r, const char *name, size_t nbytes, double *value)
{
    char shown[FANIN_SHOW_NBYTES];
    size_t f = 0;
    while (f < NFUNCTIONS && !is_name(name, nbytes, functions[f].name))
        f++;
    if (f == NFUNCTIONS)
        return refuse(r, name, "there is no function %s; there are sqrt(x) and pow(x, n)",
                      fanin_show(name, nbytes, shown));
    double x[2] = {0};
    for (int i = 0; i < functions[f].narguments; i++) {
        if (i > 0 && peek(r) == ')')
            return refuse(r, r->at, "%s has %d arguments", functions[f].usage, functions[f].narguments);
        if (i > 0)
            FANIN_TRY(expect(r, ',', "a comma"));
        FANIN_TRY(read_sum(r, &x[i]));
    }
    if (peek(r) == ',')
        return refuse(r, r->at, "%s has no more arguments", functions[f].usage);
    FANIN_TRY(expect(r, ')', "a closing )"));
    return functions[f].apply(r, name, x, value);
}

static fanin_status read_name(struct reader *r, double *value)
{
    const char *name = r->at;
    while (r->at < r->end && (is_letter(*r->at) || is_digit(*r->at)))
        r->at++;
    size_t nbytes = (size_t)(r->at - name);
    if (peek(r) == '(') {
        r->at++;
        return read_call(r, name, nbytes, value);
    }
    if (is_name(name, nbytes, "pi")) {
        *value = 3.141592653589793;
        return FANIN_OK;
    }
    if (r->lookup != NULL && r->lookup(r->user, name, nbytes, value))
        return check_finite(r, name, *value);
    char shown[FANIN_SHOW_NBYTES];
    fanin_show(name, nbytes, shown);
    if (r->known != NULL && r->known[0] != '\0')
        return refuse(r, name, "there is no variable %s; there are %s", shown, r->known);
    return refuse(r, name, "there is no variable %s", shown);
}

static fanin_status read_operand(struct reader *r, double *value)
{
    char c = peek(r);
    if (is_digit(c) || c == '.')
        return read_number(r, value);
    if (c != '(' && !is_letter(c))
        return refuse_token(r, "a number or variable");
    if (r->depth == MAX_DEPTH)
        return refuse(r, r->at, "nested deeper than %d levels", MAX_DEPTH);
    r->depth++;
    if (c == '(') {
        r->at++;
        FANIN_TRY(read_sum(r, value));
        FANIN_TRY(expect(r, ')', "a closing )"));
    } else {
        FANIN_TRY(read_name(r, value));
    }
    r->depth--;
    return FANIN_OK;
}

static fanin_status read_signed(struct reader *r, double *value)
{
    bool is_negative = false;
    for (char c = peek(r); c == '-' || c == '+'; c = peek(r)) {
        is_negative ^= c == '-';
        r->at++;
    }
    FANIN_TRY(read_operand(r, value));
    if (is_negative)
        *value = -*value;
    return FANIN_OK;
}

static fanin_status read_product(struct reader *r, double *value)
{
    FANIN_TRY(read_signed(r, value));
    for (char c = peek(r); c == '*' || c == '/'; c = peek(r)) {
        const char *sign = r->at++;
        double right = 0;
        FANIN_TRY(read_signed(r, &right));
        if (c == '/' && right == 0)
            return refuse(r, sign, "division by zero");
        *value = c == '*' ? *value * right : *value / right;
        FANIN_TRY(check_finite(r, sign, *value));
    }
    return FANIN_OK;
}

static fanin_status read_sum(struct reader *r, double *value)
{
    FANIN_TRY(read_product(r, value));
    for (char c = peek(r); c == '+' || c == '-'; c = peek(r)) {
        const char *sign = r->at++;
        double right = 0;
        FANIN_TRY(read_product(r, &right));
        *value = c == '+' ? *value + right : *value - right;
        FANIN_TRY(check_finite(r, sign, *value));
    }
    return FANIN_OK;
}

fanin_status fanin_expression_evaluate(const char *text, size_t nbytes, fanin_lookup lookup, void *user,
                                       const char *known, double *value, fanin_error *error)
{
    struct reader r = {
        .text = text,
        .end = text + nbytes,
        .at = text,
        .lookup = lookup,
        .user = user,
        .known = known,
        .error = error,
    };
    double result = 0;
    FANIN_TRY(read_sum(&r, &result));
    if (peek(&r) != '\0' || r.at != r.end)
        return refuse_token(&r, "an operator or the end");
    *value = result;
    return FANIN_OK;
}
