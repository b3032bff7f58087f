/* SPDX-License-Identifier: MIT */
/*
 * The variables of one description file, and reading its JSON values through them: numbers, whole numbers, names with
 * {expressions}, objects of known keys. Every error carries file:line:column.
 */
#ifndef FANIN_RECIPE_SCOPE_H
#define FANIN_RECIPE_SCOPE_H

#include "base/json.h"
#include "fanin/initializer.h"

#define FANIN_SCOPE_MAX_VARIABLES 256

/*
 * Variables in the order of the file. In a recipe one may be the number of tensors that match a pattern; it and what is
 * computed after it wait for a model.
 */
typedef struct fanin_scope {
    size_t count;
    size_t nclosed; /* the first of them have their values */
    fanin_variable variables[FANIN_SCOPE_MAX_VARIABLES];
    const char *texts[FANIN_SCOPE_MAX_VARIABLES]; /* of those that wait: the pattern, or the expression */
    bool counts[FANIN_SCOPE_MAX_VARIABLES];       /* whether it is a pattern */
    const char *places[FANIN_SCOPE_MAX_VARIABLES];
} fanin_scope;

/* The keys an object may have, ended by NULL. */
typedef const char *const *fanin_keys;

/* Refuses members of other names and suggests the nearest. */
fanin_status fanin_keys_check(const fanin_json_document *document, const fanin_json *object, fanin_keys keys,
                              const char *what, fanin_error *error);
/* Whether the value is of the kind; if not, says what it should be. */
fanin_status fanin_json_expect(const fanin_json_document *document, const fanin_json *value, fanin_json_kind kind,
                               const char *what, fanin_error *error);
/* A text without control characters, as a string of the arena. */
fanin_status fanin_json_text(const fanin_json_document *document, const fanin_json *value, const char *what,
                             fanin_arena *arena, const char **text, fanin_error *error);
/* The key of a member as a value, for errors about the key itself. */
fanin_json fanin_json_key(const fanin_json *member);
bool fanin_json_is_number(const fanin_json *value);
/* "name:line:column" of a value. */
char *fanin_json_place(const fanin_json_document *document, const fanin_json *value, fanin_arena *arena);

/* "vars": {"H": 768, "I": "4*H"}; counts ({"count": PATTERN}) where they are allowed. Strings live in the arena. */
fanin_status fanin_scope_read(fanin_scope *scope, const fanin_json_document *document, const fanin_json *vars,
                              bool counts_allowed, fanin_arena *arena, fanin_error *error);
/* Adds a variable with a value; `place` lives as long as the scope. */
fanin_status fanin_scope_push(fanin_scope *scope, const char *name, double value, const char *place,
                              fanin_error *error);

/* A number, or an expression in a string. */
fanin_status fanin_scope_number(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                const char *what, double *number, fanin_error *error);
/* The same for a whole number in [least, 2^53]; `what` names it in messages. */
fanin_status fanin_scope_integer(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                 const char *what, int64_t least, int64_t *integer, fanin_error *error);
fanin_status fanin_scope_evaluate(const fanin_scope *scope, const char *text, size_t nbytes, double *number,
                                  fanin_error *error);
/* A name in which {expression} stands for a whole number, {{ and }} for braces. */
fanin_status fanin_scope_name(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                              bool may_be_empty, fanin_arena *arena, const char **name, fanin_error *error);

/* Why a tensor cannot have this name (a complete sentence), or NULL if it can. */
const char *fanin_name_problem(const char *name, size_t nbytes);
bool fanin_is_identifier(const char *text, size_t nbytes);

#endif
