/* SPDX-License-Identifier: MIT */
/*
 * Recipes: rules from files and from single lines of text, in the order in which they came.
 */
#include "recipe/recipe.h"

#include <string.h>

#include "base/error.h"
#include "base/io.h"

/* A recipe has a page of rules; what is far larger is some other file. */
#define MAX_FILE_NBYTES (UINT64_C(64) << 20)

static const fanin_json_limits limits = {.depth = 64, .values = 1000000};

fanin_status fanin_recipe_create(fanin_recipe **recipe, fanin_error *error)
{
    fanin_clear(error);
    *recipe = fanin_allocate_zeroed(1, sizeof **recipe);
    return *recipe != NULL ? FANIN_OK : fanin_fail_memory(error, sizeof **recipe);
}

void fanin_recipe_free(fanin_recipe *recipe)
{
    if (recipe == NULL)
        return;
    fanin_rules_release(&recipe->rules);
    fanin_free(recipe);
}

static fanin_status read_document(fanin_recipe *recipe, const fanin_json_document *document, fanin_error *error)
{
    static const char *const keys[] = {"format", "version", "description", "vars", "rules", NULL};
    const fanin_json *root = &document->root;
    FANIN_TRY(fanin_json_expect(document, root, FANIN_JSON_OBJECT, "a recipe", error));
    const fanin_json *format = fanin_json_get(root, "format");
    const fanin_json *version = fanin_json_get(root, "version");
    const fanin_json *description = fanin_json_get(root, "description");
    const fanin_json *rules = fanin_json_get(root, "rules");
    bool is_spec = format != NULL && format->kind == FANIN_JSON_STRING && strcmp(format->string, "fanin-spec") == 0;
    if (!is_spec &&
        (format == NULL || format->kind != FANIN_JSON_STRING || strcmp(format->string, "fanin-recipe") != 0))
        return fanin_json_fail(document, format, error, "a recipe begins with \"format\": \"fanin-recipe\"");
    if (version == NULL || version->kind != FANIN_JSON_UNSIGNED || version->unsigned_value != 1)
        return fanin_json_fail(document, version, error, "this fanin reads \"version\": 1");
    if (!is_spec)
        FANIN_TRY(fanin_keys_check(document, root, keys, "a recipe", error));
    if (description != NULL)
        FANIN_TRY(fanin_json_expect(document, description, FANIN_JSON_STRING, "\"description\"", error));
    if (rules == NULL)
        return fanin_json_fail(document, root, error, "there are no \"rules\"");
    fanin_scope *scope = fanin_arena_allocate(&recipe->rules.arena, 1, sizeof *scope);
    if (scope == NULL)
        return fanin_fail_memory(error, sizeof *scope);
    FANIN_TRY(fanin_scope_read(scope, document, fanin_json_get(root, "vars"), !is_spec, &recipe->rules.arena, error));
    return fanin_rules_read(&recipe->rules, document, rules, scope, error);
}

fanin_status fanin_recipe_parse(fanin_recipe *recipe, const char *text, size_t nbytes, const char *name,
                                fanin_error *error)
{
    fanin_error own;
    fanin_json_document document;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    FANIN_TRY(fanin_json_parse(text, nbytes, name, &limits, &document, error));
    fanin_status status = read_document(recipe, &document, error);
    fanin_json_release(&document);
    return status;
}

fanin_status fanin_recipe_read(fanin_recipe *recipe, const char *path, fanin_error *error)
{
    fanin_error own;
    char *text;
    size_t nbytes;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    FANIN_TRY(fanin_read_file(path, MAX_FILE_NBYTES, &text, &nbytes, error));
    fanin_status status = fanin_recipe_parse(recipe, text, nbytes, strcmp(path, "-") == 0 ? "<stdin>" : path, error);
    fanin_free(text);
    return status;
}

/*
 * PATTERN=INIT(args) goes the way of files: as the one rule of a recipe whose line is its number, so that "set:2:9" in
 * a message is the ninth character of the second one.
 */
fanin_status fanin_recipe_set(fanin_recipe *recipe, const char *rule, fanin_error *error)
{
    fanin_error own;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    const char *equals = strchr(rule, '=');
    if (equals == NULL || equals == rule || equals[1] == '\0')
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "\"%.200s\" is not PATTERN=INIT(args), as in \"**.bias=zeros\" or "
                          "\"head.weight=normal(std=0.02)\"",
                          rule);
    size_t nbytes = (size_t)(equals - rule);
    uint32_t line = (uint32_t)recipe->nset + 1;
    char *pattern = fanin_arena_text(&recipe->rules.arena, rule, nbytes);
    fanin_scope *scope = fanin_arena_allocate(&recipe->rules.arena, 1, sizeof *scope);
    if (pattern == NULL || scope == NULL)
        return fanin_fail_memory(error, nbytes + sizeof *scope);
    const fanin_json members[] = {
        /* A pattern's own places count from the quote that a file has before it. */
        {.kind = FANIN_JSON_STRING,
         .line = line,
         .column = 0,
         .string = pattern,
         .nbytes = nbytes,
         .key = "match",
         .key_nbytes = 5},
        {.kind = FANIN_JSON_STRING,
         .line = line,
         .column = (uint32_t)nbytes + 2,
         .string = equals + 1,
         .nbytes = strlen(equals + 1),
         .key = "init",
         .key_nbytes = 4},
    };
    const fanin_json object = {.kind = FANIN_JSON_OBJECT, .line = line, .column = 1, .count = 2, .items = members};
    const fanin_json list = {.kind = FANIN_JSON_ARRAY, .count = 1, .items = &object};
    const fanin_json_document document = {.name = "set"};
    FANIN_TRY(fanin_rules_read(&recipe->rules, &document, &list, scope, error));
    recipe->nset++;
    return FANIN_OK;
}
