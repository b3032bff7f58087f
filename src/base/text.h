/* SPDX-License-Identifier: MIT */
/*
 * Growing text, numbers that survive a round trip whatever the locale, and the nearest of several names.
 */
#ifndef FANIN_BASE_TEXT_H
#define FANIN_BASE_TEXT_H

#include "fanin/status.h"

/* Zero-initialize. After a failed append `failed` stays set and further appends do nothing: check once at the end. */
typedef struct fanin_text {
    char *data; /* always NUL-terminated once something was appended */
    size_t nbytes;
    size_t capacity;
    bool failed;
} fanin_text;
void fanin_text_append(fanin_text *text, const char *data, size_t nbytes);
void fanin_text_add(fanin_text *text, const char *string);
void fanin_text_format(fanin_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with quotes: control characters as \u00xx in lower case (\b \t \n \f \r \" \\ short), the rest raw. */
void fanin_text_json_string(fanin_text *text, const char *string, size_t nbytes);
void fanin_text_release(fanin_text *text);

/*
 * Foreign text made fit for a message: control characters and bytes that are not UTF-8 as \xNN, cut with "..." where it
 * is long. Returns `shown`.
 */
#define FANIN_SHOW_NBYTES 128
const char *fanin_show(const char *text, size_t nbytes, char shown[FANIN_SHOW_NBYTES]);
/* The number of bytes (1 to 4) of the UTF-8 character that text begins with; 0 if it is none. */
size_t fanin_utf8_length(const char *text, size_t nbytes);

/* Shortest decimal that reads back as the same double; no locale; "nan", "inf", "-inf". At least 32 bytes. */
#define FANIN_NUMBER_NBYTES 32
char *fanin_number_format(double value, char text[FANIN_NUMBER_NBYTES]);
/*
 * A decimal or hexadecimal C number without locale, and "inf", "nan"; the whole of [text, text + nbytes), which is at
 * most 4096 characters. Correctly rounded, to infinity and to zero too.
 */
bool fanin_number_parse(const char *text, size_t nbytes, double *value);
/* A decimal u64 without sign, blanks or leading zeros; false on overflow. */
bool fanin_u64_parse(const char *text, size_t nbytes, uint64_t *value);

/* The candidate nearest to `name` by edit distance, or NULL if none is near enough to suggest. */
const char *fanin_nearest(const char *name, const char *const *candidates, size_t n);

#endif
