/* SPDX-License-Identifier: MIT */
/*
 * What a person reads: messages on stderr, wrapped text, numbers with units. The process never calls setlocale, so the
 * printf family writes numbers the same way everywhere.
 */
#define _POSIX_C_SOURCE 200809L
#include "terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Width of text where a stream is no terminal, and the widest that running text gets on one. */
#define TEXT_WIDTH 80

int32_t decode_utf8(const char *text, size_t *nbytes)
{
    const unsigned char *byte = (const unsigned char *)text;
    *nbytes = 1;
    if (byte[0] < 0x80)
        return byte[0];
    size_t length = byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;
    static const int32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return -1;
    int32_t character = byte[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return -1;
        character = character << 6 | (byte[i] & 0x3f);
    }
    if (character < smallest[length] || character > 0x10ffff || (character >= 0xd800 && character <= 0xdfff))
        return -1;
    *nbytes = length;
    return character;
}

static bool is_harmful(int32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x061c ||
           (character >= 0x200e && character <= 0x200f) || (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

char *escape_text(const char *text)
{
    /* The longest escape of a byte is \xNN; one of a three-byte character is \u{NNNN}. */
    char *escaped = malloc(strlen(text) * 4 + 1);
    if (escaped == NULL)
        return NULL;
    char *out = escaped;
    while (*text != '\0') {
        size_t nbytes;
        int32_t character = decode_utf8(text, &nbytes);
        if (character == '\n' || character == '\t' || character == '\r') {
            *out++ = '\\';
            *out++ = character == '\n' ? 'n' : character == '\t' ? 't' : 'r';
        } else if (character < 0x80 && is_harmful(character)) {
            out += sprintf(out, "\\x%02x", (unsigned char)*text);
        } else if (is_harmful(character)) {
            out += sprintf(out, "\\u{%x}", (unsigned)character);
        } else {
            memcpy(out, text, nbytes);
            out += nbytes;
        }
        text += nbytes;
    }
    *out = '\0';
    return escaped;
}

void print_escaped(FILE *file, const char *text)
{
    char *escaped = escape_text(text);
    fputs(escaped != NULL ? escaped : "(out of memory)", file);
    free(escaped);
}

size_t count_columns(const char *text)
{
    size_t columns = 0;
    while (*text != '\0') {
        size_t nbytes;
        decode_utf8(text, &nbytes);
        text += nbytes;
        columns++;
    }
    return columns;
}

static void print_message(const char *kind, const char *format, va_list arguments)
{
    char message[4096];
    vsnprintf(message, sizeof message, format, arguments);
    fflush(stdout);
    fprintf(stderr, "fanin: %s: ", kind);
    print_escaped(stderr, message);
    fputc('\n', stderr);
}

void print_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message("error", format, arguments);
    va_end(arguments);
}

void print_warning(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message("warning", format, arguments);
    va_end(arguments);
}

void print_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_message("note", format, arguments);
    va_end(arguments);
}

unsigned terminal_width(FILE *file)
{
    int descriptor = fileno(file);
    if (!isatty(descriptor))
        return 0;
    struct winsize size;
    if (ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return TEXT_WIDTH;
    return size.ws_col;
}

void print_wrapped(FILE *file, const char *text, unsigned indent, unsigned width)
{
    size_t column = indent;
    bool line_begins = true;
    while (*text != '\0') {
        if (*text == '\n') {
            fputc('\n', file);
            if (text[1] != '\n' && text[1] != '\0')
                fprintf(file, "%*s", (int)indent, "");
            column = indent;
            line_begins = true;
            text++;
            continue;
        }
        bool verbatim = line_begins && *text == ' ';
        size_t nbytes = verbatim ? strcspn(text, "\n") : strcspn(text, " \n");
        char word[512];
        snprintf(word, sizeof word, "%.*s", (int)nbytes, text);
        size_t columns = count_columns(word);
        if (!line_begins && column + 1 + columns > width) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!line_begins) {
            fputc(' ', file);
            column++;
        }
        fwrite(text, 1, nbytes, file);
        column += columns;
        line_begins = false;
        text += nbytes;
        if (*text == ' ')
            text++;
    }
    fputc('\n', file);
}

void print_field(const char *label, unsigned indent, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    unsigned width = terminal_width(stdout);
    if (count_columns(label) < indent)
        printf("%-*s", (int)indent, label);
    else
        printf("%s\n%*s", label, (int)indent, "");
    char *escaped = escape_text(text);
    print_wrapped(stdout, escaped != NULL ? escaped : "(out of memory)", indent,
                  width != 0 && width < TEXT_WIDTH ? width : TEXT_WIDTH);
    free(escaped);
}

/* In the largest unit that leaves at least 1, with one decimal. */
static char *format_with_unit(double value, const char *suffix, short_text text)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    snprintf(text, SHORT_NBYTES, unit == 0 ? "%.0f %s%s" : "%.1f %s%s", value, units[unit], suffix);
    return text;
}

char *format_bytes(uint64_t nbytes, short_text text)
{
    return format_with_unit((double)nbytes, "", text);
}

char *format_rate(double per_second, short_text text)
{
    return format_with_unit(per_second, "/s", text);
}

char *format_seconds(double seconds, short_text text)
{
    if (seconds < 99.5) {
        snprintf(text, SHORT_NBYTES, seconds < 9.995 ? "%.2f s" : "%.1f s", seconds);
        return text;
    }
    uint64_t whole = (uint64_t)(seconds + 0.5);
    if (whole < 3600)
        snprintf(text, SHORT_NBYTES, "%u:%02u", (unsigned)(whole / 60), (unsigned)(whole % 60));
    else
        snprintf(text, SHORT_NBYTES, "%llu:%02u:%02u", (unsigned long long)(whole / 3600), (unsigned)(whole / 60 % 60),
                 (unsigned)(whole % 60));
    return text;
}

char *format_number(double value, short_text text)
{
    if (isnan(value))
        return strcpy(text, "nan");
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, SHORT_NBYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

char *format_float(float value, short_text text)
{
    if (isnan(value))
        return strcpy(text, "nan");
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, SHORT_NBYTES, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}

char *format_shape(const int64_t *shape, int ndim, char text[SHAPE_NBYTES])
{
    if (ndim == 0)
        return strcpy(text, "scalar");
    size_t used = 0;
    for (int i = 0; i < ndim && used < SHAPE_NBYTES; i++)
        used += (size_t)snprintf(text + used, SHAPE_NBYTES - used, "%s%lld", i == 0 ? "" : "x", (long long)shape[i]);
    return text;
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}
