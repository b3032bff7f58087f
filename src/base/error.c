/* SPDX-License-Identifier: MIT */
/*
 * Statuses by name, and the words of a failure. The message is built apart and then copied, so that a message may quote
 * the one it replaces.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
/* The analyzer's macros of error.h are for callers. */
#undef fanin_fail
#undef fanin_fail_memory
#undef fanin_fail_io

static const char *const status_names[] = {
    [FANIN_OK] = "ok",
    [FANIN_ERROR_ARGUMENT] = "argument",
    [FANIN_ERROR_SHAPE] = "shape",
    [FANIN_ERROR_DTYPE] = "dtype",
    [FANIN_ERROR_MEMORY] = "memory",
    [FANIN_ERROR_IO] = "io",
    [FANIN_ERROR_FORMAT] = "format",
    [FANIN_ERROR_EXISTS] = "exists",
    [FANIN_ERROR_UNSUPPORTED] = "unsupported",
    [FANIN_ERROR_MISMATCH] = "mismatch",
    [FANIN_ERROR_CANCELLED] = "cancelled",
};

const char *fanin_status_name(fanin_status status)
{
    size_t i = (size_t)status;
    return i < sizeof status_names / sizeof status_names[0] ? status_names[i] : "unknown";
}

/* Messages quote names and keys of files, which must not drive the terminal they end on. */
static void blank_controls(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = '?';
}

/* vsnprintf that ends a text which did not fit at a whole character of UTF-8. */
static void print(char *text, size_t capacity, const char *format, va_list arguments)
{
    text[0] = '\0';
    int length = vsnprintf(text, capacity, format, arguments);
    blank_controls(text);
    if (length < 0 || (size_t)length < capacity)
        return;
    size_t end = capacity - 1; /* the character that was cut begins at most three bytes before the end */
    size_t start = end;
    while (start > 0 && end - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (end - (start - 1) < needed)
        text[start - 1] = '\0';
}

fanin_status fanin_fail(fanin_error *error, fanin_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    char message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    print(message, sizeof message, format, arguments);
    va_end(arguments);
    error->status = status;
    memcpy(error->message, message, sizeof message);
    error->warning[0] = '\0'; /* a warning is about a call that succeeds */
    return status;
}

fanin_status fanin_fail_memory(fanin_error *error, uint64_t nbytes)
{
    return fanin_fail(error, FANIN_ERROR_MEMORY, "out of memory: %llu bytes were not to be had",
                      (unsigned long long)nbytes);
}

fanin_status fanin_fail_io(fanin_error *error, int code, const char *what, const char *path)
{
    char reason[128];
    int number = code < 0 ? -code : code;
    if (strerror_r(number, reason, sizeof reason) != 0)
        snprintf(reason, sizeof reason, "error %d of the operating system", number);
    return fanin_fail(error, FANIN_ERROR_IO, "cannot %s %s: %s", what, path, reason);
}

void fanin_fail_within(fanin_error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char context[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    print(context, sizeof context, format, arguments);
    va_end(arguments);
    fanin_fail(error, error->status, "%s: %s", context, error->message);
}

void fanin_warn(fanin_error *error, const char *format, ...)
{
    if (error == NULL)
        return;
    char warning[sizeof error->warning];
    va_list arguments;
    va_start(arguments, format);
    print(warning, sizeof warning, format, arguments);
    va_end(arguments);
    memcpy(error->warning, warning, sizeof warning);
}

void fanin_clear(fanin_error *error)
{
    if (error == NULL)
        return;
    error->status = FANIN_OK;
    error->message[0] = '\0';
    error->warning[0] = '\0';
}
