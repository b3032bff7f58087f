/* SPDX-License-Identifier: MIT */
/*
 * Prints a row of the table of checks.
 */
#include "explain_check.h"

#include "json_output.h"
#include "terminal.h"

#include <string.h>

#define INDENT 13

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

const fanin_check *find_check(const char *id)
{
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const char *other = fanin_check_at(i)->id;
        size_t k = 0;
        while (id[k] != '\0' && upper(id[k]) == other[k])
            k++;
        if (id[k] == '\0' && other[k] == '\0')
            return fanin_check_at(i);
    }
    return NULL;
}

void print_check(const fanin_check *check, bool json)
{
    const struct {
        const char *label;
        const char *key;
        const char *text;
    } rows[] = {{"measures", "measures", check->measures},
                {"speaks", "rule", check->rule},
                {"at worst", "worst", fanin_severity_name(check->worst)},
                {"means", "means", check->means},
                {"mend it", "fix", check->fix},
                {"source", "source", check->source}};
    if (json) {
        json_output to = {0};
        json_begin(&to, NULL, '{');
        json_string(&to, "command", "explain");
        json_string(&to, "check", check->id);
        json_string(&to, "title", check->title);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            json_string(&to, rows[i].key, rows[i].text);
        json_bool(&to, "deep", check->deep);
        json_end(&to, '}');
        return;
    }
    printf("%s %s%s\n\n", check->id, check->title, check->deep ? " (with --deep)" : "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        print_field(rows[i].label, INDENT, "%s", rows[i].text);
}
