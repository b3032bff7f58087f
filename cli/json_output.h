/* SPDX-License-Identifier: MIT */
/*
 * JSON on stdout, written as it goes. Only what is well formed can come out: strings are escaped, invalid UTF-8 becomes
 * U+FFFD, numbers that JSON has no word for become null.
 */
#ifndef FANIN_CLI_JSON_OUTPUT_H
#define FANIN_CLI_JSON_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialize. */
typedef struct json_output {
    unsigned depth;
    bool has_items; /* the open object or array has one already */
} json_output;

/* `key` is NULL for an item of an array and for the outermost value. bracket: '{' or '['. */
void json_begin(json_output *json, const char *key, char bracket);
void json_end(json_output *json, char bracket);
void json_string(json_output *json, const char *key, const char *value); /* NULL is null */
void json_u64(json_output *json, const char *key, uint64_t value);
/* Seeds and stream positions go beyond 2^53, where some readers lose digits: decimal digits as a string. */
void json_u64_string(json_output *json, const char *key, uint64_t value);
void json_i64(json_output *json, const char *key, int64_t value);
void json_number(json_output *json, const char *key, double value);
void json_bool(json_output *json, const char *key, bool value);
void json_shape(json_output *json, const char *key, const int64_t *shape, int ndim);

#endif
