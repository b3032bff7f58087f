/* SPDX-License-Identifier: MIT */
/*
 * The name that was probably meant: candidates are shown one after the other, the nearest is kept.
 */
#ifndef FANIN_CLI_SUGGEST_H
#define FANIN_CLI_SUGGEST_H

#include <stddef.h>

/* Begin with {.wanted = name}. Candidates are borrowed. */
typedef struct suggestion {
    const char *wanted;
    const char *best;
    size_t distance;
} suggestion;

void suggest_consider(suggestion *nearest, const char *candidate);
/* "; did you mean PREFIXname?", or "" if nothing is near. text must hold what that takes, at least 300 bytes. */
#define SUGGESTION_NBYTES 300
const char *suggest_text(const suggestion *nearest, const char *prefix, char text[SUGGESTION_NBYTES]);

#endif
