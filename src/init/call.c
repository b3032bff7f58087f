/* SPDX-License-Identifier: MIT */
/*
 * Calls in text, "kaiming_uniform(a=sqrt(5), mode=fan_out)", to an initializer with values, and back.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/expression.h"
#include "base/text.h"
#include "init/catalogue.h"
#include "kernel/convert.h"

/* What stands in the place of a required value that was not given: a NaN with a payload no arithmetic makes. */
static const uint64_t MISSING = 0x7ff8000000fa41e5;

static double missing(void)
{
    return fanin_f64_from_bits(MISSING);
}

static bool is_missing(double value)
{
    return fanin_f64_bits(value) == MISSING;
}

static size_t parameter_count(const fanin_initializer *initializer)
{
    size_t n = 0;
    while (initializer->parameters[n].name != NULL)
        n++;
    return n;
}

static fanin_status fail_unknown(const char *name, fanin_error *error)
{
    const char *names[64];
    size_t n = fanin_initializer_count();
    for (size_t i = 0; i < n && i < 64; i++)
        names[i] = fanin_initializer_at(i)->name;
    const char *near = fanin_nearest(name, names, n < 64 ? n : 64);
    if (near != NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no initializer '%s'; did you mean '%s'?", name, near);
    return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no initializer '%s'; 'fanin list' shows them all", name);
}

fanin_status fanin_call_begin(const char *name, fanin_call *call, fanin_error *error)
{
    fanin_clear(error);
    memset(call, 0, sizeof *call);
    call->initializer = fanin_initializer_find(name);
    if (call->initializer == NULL)
        return fail_unknown(name, error);
    for (size_t i = 0; call->initializer->parameters[i].name != NULL; i++) {
        const fanin_parameter *p = &call->initializer->parameters[i];
        call->values[i] = p->required ? missing() : p->preset;
    }
    return FANIN_OK;
}

struct variables {
    const fanin_variable *at;
    size_t n;
};

static bool lookup(void *user, const char *name, size_t nbytes, double *value)
{
    const struct variables *variables = user;
    for (size_t i = 0; i < variables->n; i++)
        if (strlen(variables->at[i].name) == nbytes && memcmp(variables->at[i].name, name, nbytes) == 0) {
            *value = variables->at[i].value;
            return true;
        }
    return false;
}

static fanin_status evaluate(const char *text, size_t nbytes, const fanin_variable *variables, size_t nvariables,
                             double *value, fanin_error *error)
{
    struct variables all = {variables, nvariables};
    char known[256] = "";
    for (size_t i = 0, at = 0; i < nvariables && at < sizeof known; i++)
        at += (size_t)snprintf(known + at, sizeof known - at, "%s%s", i > 0 ? ", " : "", variables[i].name);
    return fanin_expression_evaluate(text, nbytes, lookup, &all, nvariables > 0 ? known : NULL, value, error);
}

/* Words may stand in quotes; torch compares mode without regard to case. */
static fanin_status parse_mode(const char *word, double *value, fanin_error *error)
{
    char lower[16] = "";
    for (size_t i = 0; word[i] != '\0' && i + 1 < sizeof lower; i++)
        lower[i] = (char)tolower((unsigned char)word[i]);
    if (strcmp(lower, "fan_in") == 0)
        *value = FANIN_FAN_IN;
    else if (strcmp(lower, "fan_out") == 0)
        *value = FANIN_FAN_OUT;
    else
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "mode '%s' is neither fan_in nor fan_out", word);
    return FANIN_OK;
}

static fanin_status parse_nonlinearity(const char *word, double *value, fanin_error *error)
{
    fanin_nonlinearity found = fanin_nonlinearity_from_name(word);
    if (found == FANIN_NONLINEARITY_COUNT) {
        const char *names[FANIN_NONLINEARITY_COUNT];
        for (int i = 0; i < FANIN_NONLINEARITY_COUNT; i++)
            names[i] = fanin_nonlinearity_name((fanin_nonlinearity)i);
        const char *near = fanin_nearest(word, names, FANIN_NONLINEARITY_COUNT);
        return fanin_fail(
            error, FANIN_ERROR_ARGUMENT,
            "nonlinearity '%s' has no gain in torch; %s%s%slinear, sigmoid, tanh, relu, leaky_relu, selu and "
            "the convolutions do",
            word, near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
    }
    *value = found;
    return FANIN_OK;
}

static fanin_status set_word(const fanin_parameter *p, const char *text, size_t nbytes, double *value,
                             fanin_error *error)
{
    char word[64];
    if (nbytes >= 2 && (text[0] == '\'' || text[0] == '"') && text[nbytes - 1] == text[0]) {
        text++;
        nbytes -= 2;
    }
    if (nbytes >= sizeof word)
        nbytes = sizeof word - 1;
    memcpy(word, text, nbytes);
    word[nbytes] = '\0';
    return p->kind == FANIN_PARAMETER_MODE ? parse_mode(word, value, error) : parse_nonlinearity(word, value, error);
}

static fanin_status set_value(const fanin_initializer *initializer, const fanin_parameter *p, const char *text,
                              size_t nbytes, const fanin_variable *variables, size_t nvariables, double *value,
                              fanin_error *error)
{
    if (p->kind == FANIN_PARAMETER_MODE || p->kind == FANIN_PARAMETER_NONLINEARITY)
        return set_word(p, text, nbytes, value, error);
    /* "nan" and "inf" are numbers to torch, which takes them as constants */
    fanin_status status = fanin_number_parse(text, nbytes, value)
                              ? FANIN_OK
                              : evaluate(text, nbytes, variables, nvariables, value, error);
    if (status == FANIN_OK && p->kind == FANIN_PARAMETER_INTEGER && !(isfinite(*value) && *value == floor(*value)))
        status = fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%.*s' is not a whole number", (int)nbytes, text);
    if (status != FANIN_OK)
        fanin_fail_within(error, "%s: %s", initializer->name, p->name);
    return status;
}

static const fanin_parameter *find_parameter(const fanin_initializer *initializer, const char *name, size_t nbytes)
{
    for (size_t i = 0; initializer->parameters[i].name != NULL; i++)
        if (strlen(initializer->parameters[i].name) == nbytes &&
            memcmp(initializer->parameters[i].name, name, nbytes) == 0)
            return &initializer->parameters[i];
    return NULL;
}

static fanin_status fail_parameter(const fanin_initializer *initializer, const char *name, size_t nbytes,
                                   fanin_error *error)
{
    char known[256] = "";
    for (size_t i = 0, at = 0; initializer->parameters[i].name != NULL && at < sizeof known; i++)
        at +=
            (size_t)snprintf(known + at, sizeof known - at, "%s%s", i > 0 ? ", " : "", initializer->parameters[i].name);
    if (known[0] == '\0')
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s takes no parameters, not '%.*s'", initializer->name,
                          (int)nbytes, name);
    return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s has no parameter '%.*s'; it takes %s", initializer->name,
                      (int)nbytes, name, known);
}

fanin_status fanin_call_set(fanin_call *call, const char *parameter, const char *text, double number,
                            const fanin_variable *variables, size_t nvariables, fanin_error *error)
{
    const fanin_parameter *p = find_parameter(call->initializer, parameter, strlen(parameter));
    fanin_clear(error);
    if (p == NULL)
        return fail_parameter(call->initializer, parameter, strlen(parameter), error);
    double *value = &call->values[p - call->initializer->parameters];
    if (text != NULL)
        return set_value(call->initializer, p, text, strlen(text), variables, nvariables, value, error);
    if (p->kind == FANIN_PARAMETER_MODE || p->kind == FANIN_PARAMETER_NONLINEARITY)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: %s is a word (%s), not a number", call->initializer->name,
                          p->name, p->kind == FANIN_PARAMETER_MODE ? "fan_in or fan_out" : "relu, tanh ...");
    if (p->kind == FANIN_PARAMETER_INTEGER && number != floor(number))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: %s must be a whole number", call->initializer->name,
                          p->name);
    *value = number;
    return FANIN_OK;
}

fanin_status fanin_call_finish(const fanin_call *call, fanin_error *error)
{
    fanin_clear(error);
    for (size_t i = 0; call->initializer->parameters[i].name != NULL; i++)
        if (call->initializer->parameters[i].required && is_missing(call->values[i]))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s needs a value for %s: write %s(%s=...)",
                              call->initializer->name, call->initializer->parameters[i].name, call->initializer->name,
                              call->initializer->parameters[i].name);
    return FANIN_OK;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

static size_t name_length(const char *p)
{
    size_t n = 0;
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    return n;
}

/* The end of one argument: a comma or the closing parenthesis outside quotes and inner parentheses. */
static const char *argument_end(const char *p)
{
    int depth = 0;
    char quote = '\0';
    for (; *p != '\0'; p++) {
        if (quote != '\0') {
            if (*p == quote)
                quote = '\0';
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if (*p == '(') {
            depth++;
        } else if (*p == ')') {
            if (depth-- == 0)
                return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }
    return p;
}

fanin_status fanin_call_parse(const char *text, const fanin_variable *variables, size_t nvariables, fanin_call *call,
                              fanin_error *error)
{
    const char *p = skip_blanks(text);
    size_t n = name_length(p);
    char name[64];
    bool given[FANIN_MAX_PARAMETERS] = {false}, named = false;
    size_t position = 0;
    fanin_clear(error);
    if (n == 0 || n >= sizeof name)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "'%s' does not begin with the name of an initializer, as in normal(std=0.02)", text);
    memcpy(name, p, n);
    name[n] = '\0';
    FANIN_TRY(fanin_call_begin(name, call, error));
    const fanin_initializer *initializer = call->initializer;
    p = skip_blanks(p + n);
    if (*p == '\0')
        return fanin_call_finish(call, error);
    if (*p != '(')
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': expected '(' after %s", text, name);
    p = skip_blanks(p + 1);
    while (*p != ')') {
        size_t length = name_length(p);
        const char *after = skip_blanks(p + length);
        const fanin_parameter *parameter;
        if (length > 0 && *after == '=') {
            parameter = find_parameter(initializer, p, length);
            if (parameter == NULL)
                return fail_parameter(initializer, p, length, error);
            p = skip_blanks(after + 1);
            named = true;
        } else {
            if (named)
                return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': a value without a name after one with a name",
                                  text);
            if (position >= parameter_count(initializer))
                return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': %s takes %zu values", text, name,
                                  parameter_count(initializer));
            parameter = &initializer->parameters[position++];
        }
        size_t index = (size_t)(parameter - initializer->parameters);
        const char *end = argument_end(p);
        size_t nbytes = (size_t)(end - p);
        while (nbytes > 0 && isspace((unsigned char)p[nbytes - 1]))
            nbytes--;
        if (*end == '\0')
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': the closing ')' is missing", text);
        if (nbytes == 0)
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': %s has no value", text, parameter->name);
        if (given[index])
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': %s is given twice", text, parameter->name);
        given[index] = true;
        FANIN_TRY(set_value(initializer, parameter, p, nbytes, variables, nvariables, &call->values[index], error));
        p = *end == ',' ? skip_blanks(end + 1) : end;
    }
    p = skip_blanks(p + 1);
    if (*p != '\0')
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "'%s': '%s' follows the call", text, p);
    return fanin_call_finish(call, error);
}

void fanin_call_format(const fanin_call *call, char *text, size_t nbytes)
{
    const fanin_initializer *initializer = call->initializer;
    size_t at = 0, written = 0;
    char number[FANIN_NUMBER_NBYTES];
    at += (size_t)snprintf(text, nbytes, "%s", initializer->name);
    for (size_t i = 0; initializer->parameters[i].name != NULL && at < nbytes; i++) {
        const fanin_parameter *p = &initializer->parameters[i];
        const char *value;
        if (!p->required && call->values[i] == p->preset)
            continue;
        if (p->kind == FANIN_PARAMETER_MODE)
            value = call->values[i] == FANIN_FAN_OUT ? "fan_out" : "fan_in";
        else if (p->kind == FANIN_PARAMETER_NONLINEARITY)
            value = fanin_nonlinearity_name((fanin_nonlinearity)(int)call->values[i]);
        else
            value = fanin_number_format(call->values[i], number);
        at += (size_t)snprintf(text + at, nbytes - at, "%s%s=%s", written++ > 0 ? ", " : "(", p->name, value);
    }
    if (written > 0 && at < nbytes)
        snprintf(text + at, nbytes - at, ")");
}

fanin_status fanin_call_resolve(const fanin_call *call, const fanin_tensor *tensor, fanin_resolved *resolved,
                                fanin_error *error)
{
    fanin_clear(error);
    return call->initializer->resolve(call->values, tensor, resolved, error);
}
