/* SPDX-License-Identifier: MIT */
/*
 * Reads a command line by a command's table of options, and prints the same table as help.
 *
 * Accepted: --name VALUE, --name=VALUE, -x VALUE, -xVALUE, -x=VALUE, letters of flags together (-qf), "--" before
 * operands that begin with a dash, "-" as an operand. Long names are written in full: an abbreviation would change its
 * meaning when an option is added.
 */
#include "option.h"

#include "suggest.h"
#include "terminal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where a value came from, for messages: "--seed". */
typedef struct occurrence {
    const option *row;
    char name[64];
} occurrence;

static bool read_digits(const char *text, uint64_t *value)
{
    if (*text == '\0')
        return false;
    *value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (*value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return true;
}

static bool read_flag(const occurrence *at, const char *text, void *field)
{
    (void)at;
    (void)text;
    *(bool *)field = true;
    return true;
}

static bool read_text(const occurrence *at, const char *text, void *field)
{
    (void)at;
    *(const char **)field = text;
    return true;
}

static bool read_list(const occurrence *at, const char *text, void *field)
{
    (void)at;
    text_list *list = field;
    list->items[list->count++] = text;
    return true;
}

/* A negative torch seed is its value mod 2^64. */
static bool read_seed(const occurrence *at, const char *text, void *field)
{
    number_setting *seed = field;
    bool negative = *text == '-';
    if (!read_digits(text + (negative ? 1 : 0), &seed->value) || (negative && seed->value > (uint64_t)1 << 63)) {
        print_error("%s %s: a seed is a whole number in decimal from -9223372036854775808 to 18446744073709551615",
                    at->name, text);
        return false;
    }
    if (negative)
        seed->value = 0 - seed->value;
    seed->given = true;
    return true;
}

static bool read_count(const occurrence *at, const char *text, void *field)
{
    number_setting *number = field;
    if (!read_digits(text, &number->value)) {
        print_error("%s %s: write a whole number in decimal from 0 to 18446744073709551615", at->name, text);
        return false;
    }
    number->given = true;
    return true;
}

static bool read_threads(const occurrence *at, const char *text, void *field)
{
    number_setting *number = field;
    if (!read_digits(text, &number->value) || number->value < 1 || number->value > 1024) {
        print_error("%s %s: write a whole number from 1 to 1024", at->name, text);
        return false;
    }
    number->given = true;
    return true;
}

static bool read_size(const occurrence *at, const char *text, void *field)
{
    static const struct {
        const char *name;
        uint64_t nbytes;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"KB", 1000},
        {"MB", 1000000},
        {"GB", 1000000000},
        {"TB", 1000000000000},
        {"KiB", (uint64_t)1 << 10},
        {"MiB", (uint64_t)1 << 20},
        {"GiB", (uint64_t)1 << 30},
        {"TiB", (uint64_t)1 << 40},
    };
    uint64_t *nbytes = field;
    size_t ndigits = strspn(text, "0123456789");
    char digits[24];
    uint64_t count;
    snprintf(digits, sizeof digits, "%.*s", (int)(ndigits < 23 ? ndigits : 23), text);
    for (size_t i = 0; ndigits < 23 && read_digits(digits, &count) && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text + ndigits, units[i].name) == 0 && count > 0 && count <= UINT64_MAX / units[i].nbytes) {
            *nbytes = count * units[i].nbytes;
            return true;
        }
    }
    print_error("%s %s: write a whole number above 0 and a unit: KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB "
                "(powers of 1024), as in 5GB",
                at->name, text);
    return false;
}

static bool read_dtype(const occurrence *at, const char *text, void *field)
{
    fanin_dtype *dtype = field;
    *dtype = fanin_dtype_from_name(text);
    if (*dtype != FANIN_DTYPE_NONE)
        return true;
    suggestion nearest = {.wanted = text};
    for (int i = FANIN_DTYPE_NONE + 1; i < FANIN_DTYPE_COUNT; i++) {
        suggest_consider(&nearest, fanin_dtype_name((fanin_dtype)i));
        const char *torch_name = fanin_dtype_torch_name((fanin_dtype)i);
        if (torch_name != NULL)
            suggest_consider(&nearest, torch_name);
    }
    char meant[SUGGESTION_NBYTES];
    print_error("%s %s: no such dtype%s ('fanin list dtypes' has them)", at->name, text,
                suggest_text(&nearest, "", meant));
    return false;
}

static bool read_profile(const occurrence *at, const char *text, void *field)
{
    fanin_error error;
    if (fanin_profile_parse(text, field, &error) == FANIN_OK)
        return true;
    print_error("%s: %s", at->name, error.message);
    return false;
}

/* In the order of fanin_layout. */
static const char *const layout_names[] = {"out_in", "in_out", "transposed"};

static bool read_layout(const occurrence *at, const char *text, void *field)
{
    for (size_t i = 0; i < sizeof layout_names / sizeof layout_names[0]; i++) {
        if (strcmp(text, layout_names[i]) == 0) {
            *(fanin_layout *)field = (fanin_layout)i;
            return true;
        }
    }
    print_error("%s %s: write out_in, in_out or transposed", at->name, text);
    return false;
}

static bool read_shape(const occurrence *at, const char *text, void *field)
{
    shape_setting *shape = field;
    shape->given = true;
    shape->ndim = 0;
    const char *rest = text;
    while (*text != '\0') {
        size_t length = strcspn(rest, ",");
        char digits[24];
        uint64_t dim;
        snprintf(digits, sizeof digits, "%.*s", (int)(length < 23 ? length : 23), rest);
        if (shape->ndim == FANIN_MAX_DIMS) {
            print_error("%s %s: more than %d dimensions; merge some", at->name, text, FANIN_MAX_DIMS);
            return false;
        }
        if (length >= 23 || !read_digits(digits, &dim) || dim > INT64_MAX) {
            print_error("%s %s: write the dimensions as whole numbers with commas, as in 512,256; '' is a scalar",
                        at->name, text);
            return false;
        }
        shape->dims[shape->ndim++] = (int64_t)dim;
        if (rest[length] == '\0')
            break;
        rest += length + 1;
    }
    fanin_tensor tensor = fanin_tensor_nd(NULL, FANIN_U8, shape->ndim, shape->dims);
    if (fanin_tensor_nelem(&tensor) < 0) {
        print_error("%s %s: the product of the dimensions does not fit in 63 bits", at->name, text);
        return false;
    }
    return true;
}

/* By option_kind. */
static bool (*const readers[])(const occurrence *at, const char *text, void *field) = {
    [OPTION_FLAG] = read_flag,   [OPTION_TEXT] = read_text,       [OPTION_LIST] = read_list,
    [OPTION_SEED] = read_seed,   [OPTION_COUNT] = read_count,     [OPTION_SIZE] = read_size,
    [OPTION_DTYPE] = read_dtype, [OPTION_PROFILE] = read_profile, [OPTION_LAYOUT] = read_layout,
    [OPTION_SHAPE] = read_shape, [OPTION_THREADS] = read_threads,
};

static const option *find_long(const command *of, const char *name, size_t length)
{
    for (const option *row = of->options; row->name != NULL; row++) {
        if (strlen(row->name) == length && strncmp(row->name, name, length) == 0)
            return row;
    }
    return NULL;
}

static const option *find_letter(const command *of, char letter)
{
    for (const option *row = of->options; row->name != NULL; row++) {
        if (row->letter == letter && letter != '\0')
            return row;
    }
    return NULL;
}

static bool fail_unknown(const command *of, const char *argument)
{
    size_t length = strcspn(argument, "=");
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)(length < 127 ? length : 127), argument);
    suggestion nearest = {.wanted = name + strspn(name, "-")};
    for (const option *row = of->options; row->name != NULL && *nearest.wanted != '\0'; row++)
        suggest_consider(&nearest, row->name);
    char meant[SUGGESTION_NBYTES];
    print_error("unknown option %s%s ('fanin help %s' lists them)", name, suggest_text(&nearest, "--", meant),
                of->name);
    return false;
}

/* Whether an argument is exactly one of the command's options, and so more likely that than a value. */
static bool is_option(const command *of, const char *argument)
{
    if (strncmp(argument, "--", 2) == 0)
        return find_long(of, argument + 2, strcspn(argument + 2, "=")) != NULL || argument[2] == '\0';
    return argument[0] == '-' && argument[1] != '\0' && argument[2] == '\0' && find_letter(of, argument[1]) != NULL;
}

/*
 * One option whose value, if it was written in the same argument, is `attached`. *next is the argument after it and is
 * moved on when it is taken as the value. `seen` has one flag per row.
 */
static bool take_option(const command *of, occurrence *at, const char *attached, char ***next, bool *seen,
                        settings *given)
{
    const option *row = at->row;
    bool *was_seen = &seen[row - of->options];
    if (*was_seen && row->kind != OPTION_LIST && row->kind != OPTION_FLAG) {
        print_error("%s is given twice", at->name);
        return false;
    }
    *was_seen = true;
    const char *value = attached;
    if (row->kind == OPTION_FLAG && attached != NULL) {
        print_error("%s takes no value", at->name);
        return false;
    }
    if (row->kind != OPTION_FLAG && attached == NULL) {
        if (**next == NULL) {
            print_error("%s needs a value: %s %s", at->name, at->name, row->value);
            return false;
        }
        if (is_option(of, **next)) {
            print_error("%s needs a value before %s (if %s is the value, write %s=%s)", at->name, **next, **next,
                        at->name, **next);
            return false;
        }
        value = *(*next)++;
    }
    if (row->kind != OPTION_FLAG && *value == '\0' && row->kind != OPTION_SHAPE) {
        print_error("%s is empty; write %s %s", at->name, at->name, row->value);
        return false;
    }
    return readers[row->kind](at, value, (char *)given + row->offset);
}

static bool parse_argument(const command *of, const char *argument, char ***next, bool *seen, settings *given)
{
    occurrence at;
    if (strncmp(argument, "--", 2) == 0) {
        size_t length = strcspn(argument + 2, "=");
        at.row = find_long(of, argument + 2, length);
        if (at.row == NULL)
            return fail_unknown(of, argument);
        snprintf(at.name, sizeof at.name, "--%s", at.row->name);
        return take_option(of, &at, argument[2 + length] == '=' ? argument + 3 + length : NULL, next, seen, given);
    }
    /* A group of letters: flags, and at its end at most one option with a value, which may be attached. */
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        at.row = find_letter(of, *letter);
        snprintf(at.name, sizeof at.name, "-%c", *letter);
        if (at.row == NULL)
            return fail_unknown(of, at.name);
        const char *attached = NULL;
        if (letter[1] == '=')
            attached = letter + 2;
        else if (at.row->kind != OPTION_FLAG && letter[1] != '\0')
            attached = letter + 1;
        if (!take_option(of, &at, attached, next, seen, given))
            return false;
        if (attached != NULL)
            break;
    }
    return true;
}

bool option_parse(const command *of, int argc, char **argv, settings *given)
{
    *given = (settings){0};
    size_t nrows = 0;
    while (of->options[nrows].name != NULL)
        nrows++;
    size_t most = (size_t)argc + 1;
    bool *seen = calloc(nrows + 1, sizeof *seen);
    text_list *lists[] = {&given->operands, &given->rules, &given->only, &given->except};
    bool ok = seen != NULL;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        lists[i]->items = malloc(most * sizeof *lists[i]->items);
        ok = ok && lists[i]->items != NULL;
    }
    if (!ok)
        print_error("out of memory");
    bool options_end = false;
    char **next = argv;
    while (ok && *next != NULL) {
        const char *argument = *next++;
        if (options_end || argument[0] != '-' || argument[1] == '\0')
            given->operands.items[given->operands.count++] = argument;
        else if (strcmp(argument, "--") == 0)
            options_end = true;
        else
            ok = parse_argument(of, argument, &next, seen, given);
    }
    free(seen);
    return ok;
}

void option_release(settings *given)
{
    free(given->operands.items);
    free(given->rules.items);
    free(given->only.items);
    free(given->except.items);
    *given = (settings){0};
}

void option_print_usage(const command *of, FILE *file)
{
    for (size_t i = 0; of->usage[i] != NULL; i++)
        fprintf(file, "%s fanin %s%s%s\n", i == 0 ? "usage:" : "      ", of->name, of->usage[i][0] != '\0' ? " " : "",
                of->usage[i]);
}

void option_print_help(const command *of, FILE *file)
{
    const unsigned width = 80;
    const unsigned help_column = 26;
    option_print_usage(of, file);
    fputc('\n', file);
    print_wrapped(file, of->description, 0, width);
    fputs("\noptions:\n", file);
    for (const option *row = of->options; row->name != NULL; row++) {
        char left[128];
        snprintf(left, sizeof left, "  %c%c%s --%s%s%s", row->letter != '\0' ? '-' : ' ',
                 row->letter != '\0' ? row->letter : ' ', row->letter != '\0' ? "," : " ", row->name,
                 row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
        if (strlen(left) + 2 > help_column)
            fprintf(file, "%s\n%*s", left, (int)help_column, "");
        else
            fprintf(file, "%-*s", (int)help_column, left);
        print_wrapped(file, row->help, help_column, width);
    }
    if (of->examples != NULL && of->examples[0] != NULL)
        fputs("\nexamples:\n", file);
    for (size_t i = 0; of->examples != NULL && of->examples[i] != NULL; i++)
        fprintf(file, "  %s\n", of->examples[i]);
    fprintf(file,
            "\nexit status: 0 done, 1 %s, 2 bad usage or\n"
            "input, 3 the system refused (I/O, memory), 128 + n stopped by signal n\n",
            of->exit_different != NULL ? of->exit_different : "differences (or a warning under --strict)");
}
