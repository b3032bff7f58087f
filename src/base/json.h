/* SPDX-License-Identifier: MIT */
/*
 * A strict JSON reader (RFC 8259) that remembers where every value stands and keeps 64-bit integers exact.
 *
 * Refused, with line and column: duplicate keys, -0 as an integer, numbers that do not fit (integers beyond u64/i64,
 * doubles beyond their range), invalid UTF-8, lone surrogates, unescaped control characters, a BOM, anything after the
 * value but blanks, nesting deeper than the caller allows, more values than the caller allows.
 */
#ifndef FANIN_BASE_JSON_H
#define FANIN_BASE_JSON_H

#include "base/memory.h"

typedef enum fanin_json_kind {
    FANIN_JSON_NULL,
    FANIN_JSON_BOOL,
    FANIN_JSON_UNSIGNED, /* an integer literal >= 0: unsigned_value, and number as double */
    FANIN_JSON_NEGATIVE, /* an integer literal < 0: signed_value, and number as double */
    FANIN_JSON_NUMBER,   /* with fraction or exponent: number */
    FANIN_JSON_STRING,
    FANIN_JSON_ARRAY,
    FANIN_JSON_OBJECT
} fanin_json_kind;

typedef struct fanin_json fanin_json;
struct fanin_json {
    fanin_json_kind kind;
    uint32_t line;   /* 1-based, where the value begins */
    uint32_t column; /* 1-based, in characters */
    bool boolean;
    uint64_t unsigned_value;
    int64_t signed_value;
    double number;
    const char *string; /* decoded, NUL-terminated (it may hold NULs before) */
    size_t nbytes;      /* of string */
    size_t count;       /* items of an array, members of an object */
    const fanin_json *items;
    /* of a member of an object: its key */
    const char *key;
    size_t key_nbytes;
    uint32_t key_line;
    uint32_t key_column;
};

typedef struct fanin_json_document {
    fanin_json root;
    const char *name; /* of the file, for messages; borrowed */
    fanin_arena arena;
} fanin_json_document;

typedef struct fanin_json_limits {
    uint32_t depth;  /* nesting, e.g. 64 */
    uint64_t values; /* in all, e.g. 10 million */
} fanin_json_limits;

/* text need not be NUL-terminated and may go after the call. FANIN_ERROR_FORMAT: "name:line:column: what". */
fanin_status fanin_json_parse(const char *text, size_t nbytes, const char *name, const fanin_json_limits *limits,
                              fanin_json_document *document, fanin_error *error);
void fanin_json_release(fanin_json_document *document);

/* Member by key, or NULL. */
const fanin_json *fanin_json_get(const fanin_json *object, const char *key);
/* FANIN_ERROR_FORMAT with "name:line:column: " of this value (NULL: of the document) before the message. */
fanin_status fanin_json_fail(const fanin_json_document *document, const fanin_json *value, fanin_error *error,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));
/* What a value is, for messages: "a string", "an object" ... */
const char *fanin_json_kind_name(const fanin_json *value);

/* As in error.h. */
#ifdef __clang_analyzer__
#define fanin_json_fail(document, value, error, ...)                                                                   \
    (fanin_json_fail(document, value, error, __VA_ARGS__), FANIN_ERROR_FORMAT)
#endif
#endif
