/* SPDX-License-Identifier: MIT */
/*
 * What unit tests share: cmocka in the order its headers need, checks of statuses and messages that say what went
 * wrong, and where the committed test data lies.
 */
#ifndef FANIN_TEST_H
#define FANIN_TEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fanin/status.h"

/* The call succeeds; its message is printed if not. `error` is the fanin_error that was passed to it. */
#define assert_ok(call, error)                                                                                         \
    do {                                                                                                               \
        fanin_status test_status_ = (call);                                                                            \
        if (test_status_ != FANIN_OK)                                                                                  \
            fail_msg("%s: %s: %s", #call, fanin_status_name(test_status_), (error).message);                           \
    } while (0)

/* The call fails with this status, and its message holds `part`. */
#define assert_fails(call, expected, error, part)                                                                      \
    do {                                                                                                               \
        fanin_status test_status_ = (call);                                                                            \
        if (test_status_ != (expected))                                                                                \
            fail_msg("%s: %s instead of %s: %s", #call, fanin_status_name(test_status_), fanin_status_name(expected),  \
                     (error).message);                                                                                 \
        if (strstr((error).message, (part)) == NULL)                                                                   \
            fail_msg("%s: the message lacks \"%s\": %s", #call, (part), (error).message);                              \
    } while (0)

/* Floating-point numbers are equal in every bit (so -0 is not 0, and a NaN equals itself). */
static inline uint64_t test_double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
#define assert_same_double(found, expected)                                                                            \
    do {                                                                                                               \
        double test_found_ = (found), test_expected_ = (expected);                                                     \
        if (test_double_bits(test_found_) != test_double_bits(test_expected_))                                         \
            fail_msg("%s is %a, expected %a", #found, test_found_, test_expected_);                                    \
    } while (0)

/*
 * Whether ThreadSanitizer or Valgrind looks on, which makes a program 10 to 50 times slower: loops over what is much
 * alike then take fewer of it, so that the suite ends in minutes. Sanitizers are compiled in; tests that run under
 * Valgrind are told so by CTest.
 */
static inline bool test_is_slow(void)
{
    const char *tool = getenv("FANIN_SANITIZE");
    if (tool == NULL)
        tool = FANIN_TEST_SANITIZE;
    return strstr(tool, "thread") != NULL || strcmp(tool, "valgrind") == 0;
}

/* A path below the source tree: test_source_path(buffer, sizeof buffer, "tests/golden/x.jsonl"). */
static inline const char *test_source_path(char *buffer, size_t nbytes, const char *relative)
{
    const char *root = getenv("FANIN_SOURCE_DIR");
    int n = snprintf(buffer, nbytes, "%s/%s", root != NULL ? root : FANIN_TEST_SOURCE_DIR, relative);
    if (n < 0 || (size_t)n >= nbytes)
        fail_msg("the path of %s is too long", relative);
    return buffer;
}

#endif
