/* SPDX-License-Identifier: MIT */
/*
 * What every fallible function of fanin returns, and where it explains itself.
 */
#ifndef FANIN_STATUS_H
#define FANIN_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define FANIN_API
#else
#define FANIN_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Zero is success. The values are part of the ABI. */
typedef enum fanin_status {
    FANIN_OK = 0,
    FANIN_ERROR_ARGUMENT = 1,    /* a parameter out of its range */
    FANIN_ERROR_SHAPE = 2,       /* a shape, stride or number of dimensions that the operation refuses */
    FANIN_ERROR_DTYPE = 3,       /* an operation that does not exist for this dtype */
    FANIN_ERROR_MEMORY = 4,      /* the allocator had nothing left; nothing was changed */
    FANIN_ERROR_IO = 5,          /* the operating system refused: the message carries its reason */
    FANIN_ERROR_FORMAT = 6,      /* a file or description that breaks its format; the message says where */
    FANIN_ERROR_EXISTS = 7,      /* the output is there already and was not to be replaced */
    FANIN_ERROR_UNSUPPORTED = 8, /* well formed, but not something this version does */
    FANIN_ERROR_MISMATCH = 9,    /* verification found other bytes than expected */
    FANIN_ERROR_CANCELLED = 10   /* the caller's progress function asked to stop */
} fanin_status;

/*
 * Filled by a function that is given one (every `error` parameter may be NULL).
 * message: what, where (file:line:column, tensor or parameter) and what to write instead; "" on success.
 * warning: what torch would warn about although the call succeeds; "" when there is nothing. A call clears both.
 */
typedef struct fanin_error {
    fanin_status status;
    char message[1024];
    char warning[512];
} fanin_error;

/* The name of a status in lower case: "ok", "argument", "shape" ... Never NULL. */
FANIN_API const char *fanin_status_name(fanin_status status);

#ifdef __cplusplus
}
#endif
#endif
