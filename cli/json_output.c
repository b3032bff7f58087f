/* SPDX-License-Identifier: MIT */
/*
 * JSON on stdout: two blanks a level, one member a line, arrays of shapes in one line.
 */
#include "json_output.h"

#include "terminal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void print_string(const char *text)
{
    putchar('"');
    for (const char *byte = text; *byte != '\0';) {
        size_t nbytes;
        int32_t character = decode_utf8(byte, &nbytes);
        if (character < 0)
            fputs("\\ufffd", stdout);
        else if (character == '"' || character == '\\')
            printf("\\%c", (int)character);
        else if (character < 0x20 || (character >= 0x7f && character < 0xa0))
            printf("\\u%04x", (unsigned)character);
        else
            fwrite(byte, 1, nbytes, stdout);
        byte += nbytes;
    }
    putchar('"');
}

static void begin_value(json_output *json, const char *key)
{
    if (json->has_items)
        putchar(',');
    if (json->depth > 0)
        printf("\n%*s", (int)json->depth * 2, "");
    json->has_items = true;
    if (key != NULL) {
        print_string(key);
        fputs(": ", stdout);
    }
}

void json_begin(json_output *json, const char *key, char bracket)
{
    begin_value(json, key);
    putchar(bracket);
    json->depth++;
    json->has_items = false;
}

void json_end(json_output *json, char bracket)
{
    json->depth--;
    if (json->has_items)
        printf("\n%*s", (int)json->depth * 2, "");
    putchar(bracket);
    json->has_items = true;
    if (json->depth == 0)
        putchar('\n');
}

void json_string(json_output *json, const char *key, const char *value)
{
    begin_value(json, key);
    if (value == NULL)
        fputs("null", stdout);
    else
        print_string(value);
}

void json_u64(json_output *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    printf("%" PRIu64, value);
}

void json_u64_string(json_output *json, const char *key, uint64_t value)
{
    begin_value(json, key);
    printf("\"%" PRIu64 "\"", value);
}

void json_i64(json_output *json, const char *key, int64_t value)
{
    begin_value(json, key);
    printf("%" PRId64, value);
}

void json_number(json_output *json, const char *key, double value)
{
    begin_value(json, key);
    short_text text;
    fputs(isfinite(value) ? format_number(value, text) : "null", stdout);
}

void json_bool(json_output *json, const char *key, bool value)
{
    begin_value(json, key);
    fputs(value ? "true" : "false", stdout);
}

void json_shape(json_output *json, const char *key, const int64_t *shape, int ndim)
{
    begin_value(json, key);
    putchar('[');
    for (int i = 0; i < ndim; i++)
        printf("%s%" PRId64, i == 0 ? "" : ", ", shape[i]);
    putchar(']');
}
