/* SPDX-License-Identifier: MIT */
/*
 * Variables and values of description files: what every key of a spec or recipe is read through.
 */
#include "recipe/scope.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/expression.h"
#include "base/text.h"
#include "recipe/pattern.h"

#define MAX_NAME_NBYTES 1024
/* Above this a double does not hold every whole number. */
#define MAX_INTEGER 9007199254740992.0

static bool is_key(const fanin_json *member, const char *key)
{
    return member->key_nbytes == strlen(key) && memcmp(member->key, key, member->key_nbytes) == 0;
}

fanin_json fanin_json_key(const fanin_json *member)
{
    return (fanin_json){.kind = FANIN_JSON_STRING, .line = member->key_line, .column = member->key_column};
}

fanin_status fanin_keys_check(const fanin_json_document *document, const fanin_json *object, fanin_keys keys,
                              const char *what, fanin_error *error)
{
    size_t nkeys = 0;
    fanin_text all = {0};
    while (keys[nkeys] != NULL)
        nkeys++;
    for (size_t i = 0; i < object->count; i++) {
        const fanin_json *member = &object->items[i];
        size_t k = 0;
        while (k < nkeys && !is_key(member, keys[k]))
            k++;
        if (k < nkeys)
            continue;
        for (k = 0; k < nkeys; k++)
            fanin_text_format(&all, "%s%s", k == 0 ? "" : ", ", keys[k]);
        fanin_json place = fanin_json_key(member);
        const char *near = fanin_nearest(member->key, keys, nkeys);
        fanin_status status =
            near != NULL ? fanin_json_fail(document, &place, error, "%s has no key \"%.64s\"; did you mean \"%s\"?",
                                           what, member->key, near)
                         : fanin_json_fail(document, &place, error, "%s has no key \"%.64s\"; it has: %s", what,
                                           member->key, all.data != NULL ? all.data : "none");
        fanin_text_release(&all);
        return status;
    }
    return FANIN_OK;
}

static const char *const kind_words[] = {
    [FANIN_JSON_NULL] = "null",         [FANIN_JSON_BOOL] = "true or false", [FANIN_JSON_UNSIGNED] = "a whole number",
    [FANIN_JSON_NEGATIVE] = "a number", [FANIN_JSON_NUMBER] = "a number",    [FANIN_JSON_STRING] = "a string",
    [FANIN_JSON_ARRAY] = "an array",    [FANIN_JSON_OBJECT] = "an object",
};

fanin_status fanin_json_expect(const fanin_json_document *document, const fanin_json *value, fanin_json_kind kind,
                               const char *what, fanin_error *error)
{
    if (value->kind == kind)
        return FANIN_OK;
    return fanin_json_fail(document, value, error, "%s must be %s, not %s", what, kind_words[kind],
                           fanin_json_kind_name(value));
}

fanin_status fanin_json_text(const fanin_json_document *document, const fanin_json *value, const char *what,
                             fanin_arena *arena, const char **text, fanin_error *error)
{
    FANIN_TRY(fanin_json_expect(document, value, FANIN_JSON_STRING, what, error));
    for (size_t i = 0; i < value->nbytes; i++)
        if ((unsigned char)value->string[i] < 0x20 || value->string[i] == 0x7f)
            return fanin_json_fail(document, value, error, "%s holds a control character", what);
    *text = fanin_arena_text(arena, value->string, value->nbytes);
    return *text != NULL ? FANIN_OK : fanin_fail_memory(error, value->nbytes + 1);
}

bool fanin_json_is_number(const fanin_json *value)
{
    return value->kind == FANIN_JSON_UNSIGNED || value->kind == FANIN_JSON_NEGATIVE || value->kind == FANIN_JSON_NUMBER;
}

char *fanin_json_place(const fanin_json_document *document, const fanin_json *value, fanin_arena *arena)
{
    return fanin_arena_format(arena, "%s:%" PRIu32 ":%" PRIu32, document->name, value->line, value->column);
}

bool fanin_is_identifier(const char *text, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return nbytes > 0;
}

const char *fanin_name_problem(const char *name, size_t nbytes)
{
    if (nbytes == 0)
        return "a tensor's name must not be empty";
    if (nbytes > MAX_NAME_NBYTES)
        return "a tensor's name must not be longer than 1024 bytes";
    for (size_t i = 0; i < nbytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return "a tensor's name must not hold control characters";
    if (nbytes == strlen("__metadata__") && memcmp(name, "__metadata__", nbytes) == 0)
        return "the name __metadata__ is reserved by the safetensors format";
    return NULL;
}

/* ---- expressions ---- */

static bool lookup(void *user, const char *name, size_t nbytes, double *value)
{
    const fanin_scope *scope = user;
    for (size_t i = 0; i < scope->nclosed; i++) {
        if (strlen(scope->variables[i].name) == nbytes && memcmp(scope->variables[i].name, name, nbytes) == 0) {
            *value = scope->variables[i].value;
            return true;
        }
    }
    return false;
}

fanin_status fanin_scope_evaluate(const fanin_scope *scope, const char *text, size_t nbytes, double *number,
                                  fanin_error *error)
{
    fanin_text known = {0};
    for (size_t i = 0; i < scope->nclosed; i++)
        fanin_text_format(&known, "%s%s", i == 0 ? "" : ", ", scope->variables[i].name);
    /* The lookup only reads; the parameter's type has no const. */
    fanin_status status =
        fanin_expression_evaluate(text, nbytes, lookup, (void *)(uintptr_t)scope, known.data, number, error);
    fanin_text_release(&known);
    return status;
}

/* "name:line:column: " before an error that another function wrote. */
static fanin_status fail_at(const fanin_json_document *document, const fanin_json *value, fanin_error *error)
{
    fanin_fail_within(error, "%s:%" PRIu32 ":%" PRIu32, document->name, value->line, value->column);
    if (error->status == FANIN_ERROR_ARGUMENT)
        error->status = FANIN_ERROR_FORMAT;
    return error->status;
}

fanin_status fanin_scope_number(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                const char *what, double *number, fanin_error *error)
{
    if (fanin_json_is_number(value)) {
        *number = value->number;
        return FANIN_OK;
    }
    if (value->kind != FANIN_JSON_STRING)
        return fanin_json_fail(document, value, error, "%s must be a number or an expression in quotes, not %s", what,
                               fanin_json_kind_name(value));
    if (fanin_scope_evaluate(scope, value->string, value->nbytes, number, error) != FANIN_OK)
        return fail_at(document, value, error);
    return FANIN_OK;
}

fanin_status fanin_scope_integer(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                 const char *what, int64_t least, int64_t *integer, fanin_error *error)
{
    double number;
    FANIN_TRY(fanin_scope_number(scope, document, value, what, &number, error));
    char shown[FANIN_NUMBER_NBYTES];
    if (number != floor(number))
        return fanin_json_fail(document, value, error, "%s must be a whole number, not %s", what,
                               fanin_number_format(number, shown));
    if (number > MAX_INTEGER || number < (double)least)
        return fanin_json_fail(document, value, error, "%s must be at least %" PRId64 "%s, not %s", what, least,
                               number > MAX_INTEGER ? " and at most 2^53" : "", fanin_number_format(number, shown));
    *integer = (int64_t)number;
    return FANIN_OK;
}

/* ---- variables ---- */

fanin_status fanin_scope_push(fanin_scope *scope, const char *name, double value, const char *place, fanin_error *error)
{
    size_t nbytes = strlen(name);
    if (!fanin_is_identifier(name, nbytes) || strcmp(name, "pi") == 0 || strcmp(name, "sqrt") == 0 ||
        strcmp(name, "pow") == 0)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: \"%.64s\" cannot name a variable; use letters, digits and _, not pi, sqrt or pow", place,
                          name);
    for (size_t i = 0; i < scope->count; i++)
        if (strcmp(scope->variables[i].name, name) == 0)
            return fanin_fail(error, FANIN_ERROR_FORMAT,
                              "%s: the variable \"%.64s\" exists already (%s); use another name", place, name,
                              scope->places[i]);
    if (scope->count == FANIN_SCOPE_MAX_VARIABLES)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: more than %d variables", place, FANIN_SCOPE_MAX_VARIABLES);
    scope->variables[scope->count] = (fanin_variable){name, value};
    scope->texts[scope->count] = NULL;
    scope->counts[scope->count] = false;
    scope->places[scope->count] = place;
    scope->nclosed += scope->nclosed == scope->count;
    scope->count++;
    return FANIN_OK;
}

static fanin_status read_variable(fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                  bool counts_allowed, fanin_arena *arena, fanin_error *error)
{
    static const char *const keys[] = {"count", NULL};
    fanin_json key = fanin_json_key(value);
    const char *place = fanin_json_place(document, &key, arena);
    const char *name = fanin_arena_text(arena, value->key, value->key_nbytes);
    if (place == NULL || name == NULL)
        return fanin_fail_memory(error, value->key_nbytes);
    if (strlen(name) != value->key_nbytes)
        return fanin_json_fail(document, &key, error, "a variable's name holds a NUL character");
    bool is_count = value->kind == FANIN_JSON_OBJECT && counts_allowed;
    /* What comes after a variable that waits waits too, so that those with values come first. */
    bool waits = is_count || scope->nclosed < scope->count;
    double number = 0;
    if (!waits || fanin_json_is_number(value))
        FANIN_TRY(fanin_scope_number(scope, document, value, "a variable", &number, error));
    size_t nclosed = scope->nclosed;
    FANIN_TRY(fanin_scope_push(scope, name, number, place, error));
    if (!waits)
        return FANIN_OK;
    scope->nclosed = nclosed;
    size_t i = scope->count - 1;
    if (fanin_json_is_number(value))
        return FANIN_OK;
    const fanin_json *text = value;
    if (is_count) {
        FANIN_TRY(fanin_keys_check(document, value, keys, "a variable", error));
        text = fanin_json_get(value, "count");
        if (text == NULL)
            return fanin_json_fail(document, value, error, "write a counted variable as {\"count\": \"PATTERN\"}");
        FANIN_TRY(fanin_json_expect(document, text, FANIN_JSON_STRING, "\"count\"", error));
        const fanin_pattern *unused;
        size_t at;
        if (fanin_pattern_parse(text->string, text->nbytes, arena, &unused, &at, error) != FANIN_OK)
            return fail_at(document, text, error);
    }
    scope->counts[i] = is_count;
    return fanin_json_text(document, text, "a variable", arena, &scope->texts[i], error);
}

fanin_status fanin_scope_read(fanin_scope *scope, const fanin_json_document *document, const fanin_json *vars,
                              bool counts_allowed, fanin_arena *arena, fanin_error *error)
{
    if (vars == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_json_expect(document, vars, FANIN_JSON_OBJECT, "\"vars\"", error));
    for (size_t i = 0; i < vars->count; i++)
        FANIN_TRY(read_variable(scope, document, &vars->items[i], counts_allowed, arena, error));
    return FANIN_OK;
}

/* ---- names ---- */

static fanin_status expand_name(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                                fanin_text *name, fanin_error *error)
{
    for (size_t i = 0; i < value->nbytes; i++) {
        char c = value->string[i];
        bool doubled = i + 1 < value->nbytes && value->string[i + 1] == c;
        if ((c == '{' || c == '}') && doubled) {
            fanin_text_append(name, &c, 1);
            i++;
        } else if (c == '}') {
            return fanin_json_fail(document, value, error, "\"%.64s\": a } without its {; write }} for the character",
                                   value->string);
        } else if (c == '{') {
            const char *begin = value->string + i + 1;
            const char *end = memchr(begin, '}', value->nbytes - i - 1);
            if (end == NULL)
                return fanin_json_fail(document, value, error,
                                       "\"%.64s\": a { without its }; write {{ for the character", value->string);
            double number;
            if (fanin_scope_evaluate(scope, begin, (size_t)(end - begin), &number, error) != FANIN_OK)
                return fail_at(document, value, error);
            if (number != floor(number) || fabs(number) > MAX_INTEGER)
                return fanin_json_fail(document, value, error, "\"%.64s\": {%.*s} is not a whole number", value->string,
                                       (int)(end - begin), begin);
            fanin_text_format(name, "%" PRId64, (int64_t)number);
            i = (size_t)(end - value->string);
        } else {
            fanin_text_append(name, &c, 1);
        }
    }
    return FANIN_OK;
}

fanin_status fanin_scope_name(const fanin_scope *scope, const fanin_json_document *document, const fanin_json *value,
                              bool may_be_empty, fanin_arena *arena, const char **name, fanin_error *error)
{
    FANIN_TRY(fanin_json_expect(document, value, FANIN_JSON_STRING, "a name", error));
    fanin_text text = {0};
    fanin_status status = expand_name(scope, document, value, &text, error);
    const char *problem = text.nbytes == 0 && may_be_empty ? NULL : fanin_name_problem(text.data, text.nbytes);
    if (status == FANIN_OK && text.failed)
        status = fanin_fail_memory(error, value->nbytes);
    if (status == FANIN_OK && problem != NULL)
        status = fanin_json_fail(document, value, error, "%s", problem);
    if (status == FANIN_OK) {
        *name = fanin_arena_text(arena, text.nbytes > 0 ? text.data : "", text.nbytes);
        if (*name == NULL)
            status = fanin_fail_memory(error, text.nbytes + 1);
    }
    fanin_text_release(&text);
    return status;
}
