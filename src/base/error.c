/* SPDX-License-Identifier: MIT */
/*
 * Filling fanin_error, and the names of statuses.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

const char *fanin_status_name(fanin_status status)
{
    static const char *const names[] = {
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
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "unknown";
}

/* snprintf may cut a message inside a character of several bytes: drop what is left of it. */
static void trim_character(char *text)
{
    size_t n = strlen(text), at = n;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t expected = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (expected > 1 && n - (at - 1) < expected)
        text[at - 1] = '\0';
}

static void set_text(char *text, size_t nbytes, const char *format, va_list arguments)
{
    int length = vsnprintf(text, nbytes, format, arguments);
    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= nbytes)
        trim_character(text);
}

void fanin_clear(fanin_error *error)
{
    if (error != NULL) {
        error->status = FANIN_OK;
        error->message[0] = '\0';
        error->warning[0] = '\0';
    }
}

fanin_status fanin_fail(fanin_error *error, fanin_status status, const char *format, ...)
{
    va_list arguments;
    if (error != NULL) {
        va_start(arguments, format);
        set_text(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        error->status = status;
        error->warning[0] = '\0';
    }
    return status;
}

fanin_status fanin_fail_memory(fanin_error *error, uint64_t nbytes)
{
    return fanin_fail(error, FANIN_ERROR_MEMORY, "out of memory: %" PRIu64 " bytes could not be had", nbytes);
}

fanin_status fanin_fail_io(fanin_error *error, int code, const char *what, const char *path)
{
    /* strerror is not safe among threads in general; its messages for known numbers are constants in glibc and musl */
    return fanin_fail(error, FANIN_ERROR_IO, "cannot %s %s: %s", what, path, strerror(-code));
}

fanin_status fanin_fail_within(fanin_error *error, const char *format, ...)
{
    va_list arguments;
    char message[sizeof error->message];
    if (error == NULL)
        return FANIN_ERROR_ARGUMENT;
    memcpy(message, error->message, sizeof message);
    va_start(arguments, format);
    set_text(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    size_t n = strlen(error->message);
    if (snprintf(error->message + n, sizeof error->message - n, ": %s", message) >= (int)(sizeof error->message - n))
        trim_character(error->message);
    return error->status;
}

void fanin_warn(fanin_error *error, const char *format, ...)
{
    va_list arguments;
    if (error == NULL)
        return;
    va_start(arguments, format);
    set_text(error->warning, sizeof error->warning, format, arguments);
    va_end(arguments);
}
