/* SPDX-License-Identifier: MIT */
/*
 * Filling fanin_error. Every failing path ends in fanin_fail, so that no failure is without words.
 */
#ifndef FANIN_BASE_ERROR_H
#define FANIN_BASE_ERROR_H

#include "fanin/status.h"

#if defined(__GNUC__)
#define FANIN_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define FANIN_PRINTF(format_index, first)
#endif

/* Writes status and message (error may be NULL) and returns status. A message too long is cut at a character. */
fanin_status fanin_fail(fanin_error *error, fanin_status status, const char *format, ...) FANIN_PRINTF(3, 4);
/* FANIN_ERROR_MEMORY in the same words everywhere. */
fanin_status fanin_fail_memory(fanin_error *error, uint64_t nbytes);
/* FANIN_ERROR_IO: "cannot WHAT PATH: reason"; code is a negative errno value from the I/O table. */
fanin_status fanin_fail_io(fanin_error *error, int code, const char *what, const char *path);
/* Puts "context: " before the message of a failed call. */
void fanin_fail_within(fanin_error *error, const char *format, ...) FANIN_PRINTF(2, 3);
void fanin_warn(fanin_error *error, const char *format, ...) FANIN_PRINTF(2, 3);
void fanin_clear(fanin_error *error);

/* What the static analyzer cannot see through a call of another file: a failure is never FANIN_OK. */
#ifdef __clang_analyzer__
#define fanin_fail(error, status, ...)         (fanin_fail(error, status, __VA_ARGS__), (status))
#define fanin_fail_memory(error, nbytes)       (fanin_fail_memory(error, nbytes), FANIN_ERROR_MEMORY)
#define fanin_fail_io(error, code, what, path) (fanin_fail_io(error, code, what, path), FANIN_ERROR_IO)
#endif

/* Return the status of a fallible call that failed. */
#define FANIN_TRY(call)                                                                                                \
    do {                                                                                                               \
        fanin_status try_status_ = (call);                                                                             \
        if (try_status_ != FANIN_OK)                                                                                   \
            return try_status_;                                                                                        \
    } while (0)

#endif
