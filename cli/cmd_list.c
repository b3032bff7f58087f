/* SPDX-License-Identifier: MIT */
/*
 * fanin list: the names that other commands take.
 */
#include "choices.h"
#include "json_output.h"
#include "option.h"
#include "source.h"
#include "suggest.h"
#include "terminal.h"

#include "fanin/check.h"

#include <string.h>

/* "kaiming_uniform(a=0, mode=fan_in, nonlinearity=leaky_relu)", required parameters without a value. */
static void format_signature(const fanin_initializer *of, char *text, size_t nbytes)
{
    size_t used = (size_t)snprintf(text, nbytes, "%s(", of->name);
    for (const fanin_parameter *parameter = of->parameters; parameter->name != NULL; parameter++) {
        short_text number;
        const char *preset = format_number(parameter->preset, number);
        if (parameter->kind == FANIN_PARAMETER_MODE)
            preset = parameter->preset == FANIN_FAN_OUT ? "fan_out" : "fan_in";
        else if (parameter->kind == FANIN_PARAMETER_NONLINEARITY)
            preset = fanin_nonlinearity_name((fanin_nonlinearity)parameter->preset);
        if (used < nbytes)
            used +=
                (size_t)snprintf(text + used, nbytes - used, "%s%s%s%s", parameter == of->parameters ? "" : ", ",
                                 parameter->name, parameter->required ? "" : "=", parameter->required ? "" : preset);
    }
    if (used < nbytes)
        snprintf(text + used, nbytes - used, ")");
}

/* A section yields rows of up to three cells; false after the last one. */
typedef struct row {
    char first[256];
    const char *second;
    const char *third;
} row;

static bool initializer_row(size_t i, row *to)
{
    if (i >= fanin_initializer_count())
        return false;
    const fanin_initializer *of = fanin_initializer_at(i);
    format_signature(of, to->first, sizeof to->first);
    to->second = of->formula;
    return true;
}

static bool profile_row(size_t i, row *to)
{
    if (i >= fanin_profile_count())
        return false;
    fanin_profile profile = fanin_profile_at(fanin_profile_count() - 1 - i);
    snprintf(to->first, sizeof to->first, "%s", fanin_profile_name(profile));
    to->second = fanin_profile_description(profile);
    return true;
}

static bool family_row(size_t i, row *to)
{
    if (i >= fanin_family_count())
        return false;
    snprintf(to->first, sizeof to->first, "%s", fanin_family_name(i));
    return true;
}

static bool dtype_row(size_t i, row *to)
{
    /* The widest and most used first. */
    if (i + 1 >= FANIN_DTYPE_COUNT)
        return false;
    fanin_dtype dtype = (fanin_dtype)(FANIN_DTYPE_COUNT - 1 - i);
    snprintf(to->first, sizeof to->first, "%s", fanin_dtype_name(dtype));
    to->second = fanin_dtype_torch_name(dtype) != NULL ? fanin_dtype_torch_name(dtype) : "";
    to->third = fanin_dtype_is_random(dtype) ? "random fills and constants" : "constants";
    return true;
}

static bool layer_row(size_t i, row *to)
{
    if (i + 1 >= FANIN_LAYER_KIND_COUNT)
        return false;
    snprintf(to->first, sizeof to->first, "%s", fanin_layer_kind_name((fanin_layer_kind)(i + 1)));
    return true;
}

static bool choice_row(size_t i, row *to)
{
    if (i >= choice_count())
        return false;
    snprintf(to->first, sizeof to->first, "%s", choice_at(i)->place);
    to->second = choice_at(i)->write;
    to->third = choice_at(i)->reason;
    return true;
}

static bool check_row(size_t i, row *to)
{
    if (i >= fanin_check_count())
        return false;
    const fanin_check *check = fanin_check_at(i);
    snprintf(to->first, sizeof to->first, "%s", check->id);
    to->second = check->title;
    to->third = fanin_severity_name(check->worst);
    return true;
}

typedef enum section_style {
    SECTION_BLOCKS, /* the first cell in a line, the others indented below it */
    SECTION_FIELDS, /* the first cell as a label */
    SECTION_WORDS
} section_style;

typedef struct section {
    const char *name;
    const char *title;
    section_style style;
    const char *keys[3]; /* of the cells, in JSON */
    bool (*row)(size_t i, row *to);
    bool always; /* part of `fanin list` without a name */
} section;

static const section sections[] = {
    {"initializers", "initializers", SECTION_BLOCKS, {"call", "formula"}, initializer_row, true},
    {"profiles", "profiles (--profile)", SECTION_FIELDS, {"name", "description"}, profile_row, true},
    {"families", "families (model_type in a config.json)", SECTION_WORDS, {"name"}, family_row, true},
    {"dtypes", "dtypes (--dtype)", SECTION_FIELDS, {"name", "torch", "fills"}, dtype_row, false},
    {"layers", "layers (in a description)", SECTION_WORDS, {"name"}, layer_row, false},
    {"choices", "choices: where, what, why", SECTION_BLOCKS, {"place", "write", "reason"}, choice_row, false},
    {"checks",
     "checks (of fanin check): what, how bad at worst",
     SECTION_FIELDS,
     {"id", "title", "worst"},
     check_row,
     false},
};
#define NSECTIONS (sizeof sections / sizeof sections[0])

static void print_json(json_output *json, const section *of)
{
    json_begin(json, of->name, '[');
    row one = {.second = NULL};
    for (size_t i = 0; of->row(i, &one); i++) {
        json_begin(json, NULL, '{');
        const char *cells[3] = {one.first, one.second, one.third};
        for (size_t c = 0; c < 3 && of->keys[c] != NULL; c++)
            json_string(json, of->keys[c], cells[c]);
        json_end(json, '}');
    }
    json_end(json, ']');
}

static void print_section(const section *of)
{
    row one = {.second = NULL};
    size_t column = 0;
    printf("%s\n", of->title);
    for (size_t i = 0; of->row(i, &one); i++) {
        switch (of->style) {
        case SECTION_BLOCKS:
            printf("  %s\n", one.first);
            print_field("", 6, "%s", one.second);
            if (one.third != NULL)
                print_field("", 6, "%s", one.third);
            break;
        case SECTION_FIELDS: {
            char label[sizeof one.first + 4];
            snprintf(label, sizeof label, "  %s", one.first);
            print_field(label, 14, "%s%s%s", one.second, one.third != NULL && *one.second != '\0' ? "; " : "",
                        one.third != NULL ? one.third : "");
            break;
        }
        case SECTION_WORDS: {
            size_t length = strlen(one.first);
            bool fits = i > 0 && column + 1 + length <= 78;
            printf("%s%s", i == 0 ? "  " : fits ? " " : "\n  ", one.first);
            column = fits ? column + 1 + length : 2 + length;
            break;
        }
        }
    }
    if (of->style == SECTION_WORDS)
        putchar('\n');
}

static const section *find_section(const char *name)
{
    suggestion nearest = {.wanted = name};
    for (size_t i = 0; i < NSECTIONS; i++) {
        if (strcmp(sections[i].name, name) == 0)
            return &sections[i];
        suggest_consider(&nearest, sections[i].name);
    }
    char meant[SUGGESTION_NBYTES];
    fail_usage(&command_list, "there is no list of %s%s", name, suggest_text(&nearest, "", meant));
    return NULL;
}

static int run(const settings *given)
{
    if (given->operands.count > 1)
        return fail_usage(&command_list, "list takes one name");
    const section *only = NULL;
    if (given->operands.count == 1) {
        only = find_section(given->operands.items[0]);
        if (only == NULL)
            return EXIT_USAGE;
    }
    json_output json = {0};
    if (given->json) {
        json_begin(&json, NULL, '{');
        json_string(&json, "command", "list");
    }
    bool first = true;
    for (size_t i = 0; i < NSECTIONS; i++) {
        if (only != NULL ? &sections[i] != only : !sections[i].always)
            continue;
        if (given->json) {
            print_json(&json, &sections[i]);
            continue;
        }
        if (!first)
            putchar('\n');
        first = false;
        print_section(&sections[i]);
    }
    if (given->json)
        json_end(&json, '}');
    return EXIT_OK;
}

static const option options[] = {{OPTION_JSON, "print an object of arrays"}, {OPTION_HELP}, {OPTION_END}};

const command command_list = {
    .name = "list",
    .summary = "initializers, profiles, families, dtypes, layers, choices, checks",
    .usage = (const char *const[]){"[NAME] [--json]", NULL},
    .description =
        "Prints the names that other commands take: initializers, profiles, families, dtypes, layers; without a "
        "NAME the first three. 'choices' says which initializer is the usual one where, and why; 'checks' are what "
        "'fanin check' looks for.",
    .options = options,
    .examples = (const char *const[]){"fanin list", "fanin list choices", NULL},
    .run = run,
};
