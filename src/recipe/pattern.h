/* SPDX-License-Identifier: MIT */
/*
 * Patterns over dotted parameter names: globs, and "re:" extended regular expressions. Both become the same small
 * automaton, which is simulated a character at a time, so that no pattern takes more than name x pattern steps.
 */
#ifndef FANIN_RECIPE_PATTERN_H
#define FANIN_RECIPE_PATTERN_H

#include "base/memory.h"

/* Longest pattern that is read, in bytes. */
#define FANIN_PATTERN_MAX_NBYTES 1024

typedef struct fanin_pattern fanin_pattern;

/*
 * *      any characters within one segment, none too          {a,b}  one of these (wildcards inside, no braces)
 * **.    zero or more whole segments                          #      one or more digits
 * **     at the end: all the rest; alone: every name          re:X   the whole name matches the POSIX ERE X
 * Everything else, brackets too, stands for itself. The pattern lives in the arena. On failure *at is the byte of the
 * text where it went wrong.
 */
fanin_status fanin_pattern_parse(const char *text, size_t nbytes, fanin_arena *arena, const fanin_pattern **pattern,
                                 size_t *at, fanin_error *error);

bool fanin_pattern_matches(const fanin_pattern *pattern, const char *name);

/*
 * The least number of characters to change, add or leave out until the name matches, if that is at most limit;
 * SIZE_MAX if not.
 */
size_t fanin_pattern_distance(const fanin_pattern *pattern, const char *name, size_t limit);

/* How many edits still make a likely slip of this pattern: grows with the characters that stand for themselves. */
size_t fanin_pattern_tolerance(const fanin_pattern *pattern);

#endif
