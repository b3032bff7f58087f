/* SPDX-License-Identifier: MIT */
/*
 * What a person reads: messages on stderr, wrapped text, numbers with units. Names from files are printed so that they
 * cannot move the cursor or end a line.
 */
#ifndef FANIN_CLI_TERMINAL_H
#define FANIN_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "fanin: error: ..." and so on, in one line, escaped. */
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * One character of UTF-8; *nbytes is what it takes. Returns -1, with *nbytes 1, for a byte that begins none (overlong
 * forms and surrogates included).
 */
int32_t decode_utf8(const char *text, size_t *nbytes);

/* Width of the terminal behind a stream; 0 if it is none. */
unsigned terminal_width(FILE *file);

/*
 * Text with control characters, invalid UTF-8 and characters that change the direction of writing as \n, \x1b,
 * \u{202e}. Allocated with malloc, NULL if there is no memory.
 */
char *escape_text(const char *text);
void print_escaped(FILE *file, const char *text);
/* Characters of UTF-8 text, taken as one column each. */
size_t count_columns(const char *text);

/*
 * Words wrapped into columns [indent, width); the cursor is at `indent` already. A line break in the text is kept, and
 * so is a line that begins with a blank. Ends with a line break.
 */
void print_wrapped(FILE *file, const char *text, unsigned indent, unsigned width);
/* "label   text", wrapped; the text begins at column `indent`. */
void print_field(const char *label, unsigned indent, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Buffers of this size hold what the functions below write; they return their buffer. */
#define SHORT_NBYTES 40
typedef char short_text[SHORT_NBYTES];
char *format_bytes(uint64_t nbytes, short_text text);  /* "497.8 MB" */
char *format_seconds(double seconds, short_text text); /* "0.53 s", "2:07" */
char *format_rate(double per_second, short_text text); /* "940.1 MB/s" */
char *format_number(double value, short_text text);    /* shortest that reads back as the same double */
char *format_float(float value, short_text text);      /* the same for a float */
/* "768x2304", "scalar" for no dimensions. */
#define SHAPE_NBYTES 200
char *format_shape(const int64_t *shape, int ndim, char text[SHAPE_NBYTES]);
/* "" for 1, "s" for any other number. */
const char *plural(uint64_t n);

/* Seconds of a clock that never goes back. */
double clock_seconds(void);

#endif
