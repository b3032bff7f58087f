/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: every initializer with its parameters, formula and source, and the way from a call in text,
 * "kaiming_uniform(a=sqrt(5))", to the fill it resolves to for one tensor.
 */
#ifndef FANIN_INITIALIZER_H
#define FANIN_INITIALIZER_H

#include "fanin/fill.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FANIN_MAX_PARAMETERS 6

typedef enum fanin_parameter_kind {
    FANIN_PARAMETER_NUMBER = 0,
    FANIN_PARAMETER_INTEGER,
    FANIN_PARAMETER_MODE,        /* fan_in, fan_out */
    FANIN_PARAMETER_NONLINEARITY /* relu, leaky_relu ... */
} fanin_parameter_kind;

typedef struct fanin_parameter {
    const char *name; /* torch's; NULL ends the list */
    fanin_parameter_kind kind;
    bool required;
    double preset; /* torch's default; words by their enum value */
    const char *help;
} fanin_parameter;

/* What an initializer becomes for one tensor. A number that plays no part is NaN, a fan that plays none is -1. */
typedef struct fanin_resolved {
    fanin_fill fill;
    int64_t fan_in;
    int64_t fan_out;
    double gain;
    double std;   /* of the values, by the law (0 for a constant) */
    double bound; /* |value| <= bound, where there is one */
    char warning[512];
} fanin_resolved;

typedef struct fanin_initializer fanin_initializer;
struct fanin_initializer {
    const char *name;
    fanin_parameter parameters[FANIN_MAX_PARAMETERS + 1];
    const char *formula;
    const char *reference; /* paper and equation, or torch version */
    const char *advice;    /* when it is the right choice */
    /* values[i] belongs to parameters[i]. Refuses what torch refuses for this shape; dtype limits are the fill's. */
    fanin_status (*resolve)(const double *values, const fanin_tensor *tensor, fanin_resolved *resolved,
                            fanin_error *error);
};

FANIN_API size_t fanin_initializer_count(void);
FANIN_API const fanin_initializer *fanin_initializer_at(size_t i);
/* By torch's name without the underscore (one with it is accepted); NULL if there is none. */
FANIN_API const fanin_initializer *fanin_initializer_find(const char *name);

/* One initializer with values for all its parameters. */
typedef struct fanin_call {
    const fanin_initializer *initializer;
    double values[FANIN_MAX_PARAMETERS];
} fanin_call;

/* Variables an expression may name: {"H", 768}. */
typedef struct fanin_variable {
    const char *name;
    double value;
} fanin_variable;

/*
 * "name", "name()", "name(a=sqrt(5), mode=fan_out)", positional values in torch's order too. Values are numbers,
 * expressions (+ - * / ( ) sqrt pow, pi, variables), or words, bare or quoted.
 */
FANIN_API fanin_status fanin_call_parse(const char *text, const fanin_variable *variables, size_t nvariables,
                                        fanin_call *call, fanin_error *error);
/* Sets one parameter by name: a number, or an expression or word as text (text wins if not NULL). */
FANIN_API fanin_status fanin_call_begin(const char *name, fanin_call *call, fanin_error *error);
FANIN_API fanin_status fanin_call_set(fanin_call *call, const char *parameter, const char *text, double number,
                                      const fanin_variable *variables, size_t nvariables, fanin_error *error);
/* FANIN_ERROR_ARGUMENT naming a required parameter that was not set. */
FANIN_API fanin_status fanin_call_finish(const fanin_call *call, fanin_error *error);
/* The call as text, values as shortest round-trip numbers, parameters at their defaults left out. */
FANIN_API void fanin_call_format(const fanin_call *call, char *text, size_t nbytes);
/* Fans, gain, bound and fill for this tensor's shape, layout and dtype (data is not touched). */
FANIN_API fanin_status fanin_call_resolve(const fanin_call *call, const fanin_tensor *tensor, fanin_resolved *resolved,
                                          fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
