/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis as a person reads it: the verdict, then the findings, worst first, and the command that mends them.
 */
#ifndef FANIN_CLI_CHECK_TEXT_H
#define FANIN_CLI_CHECK_TEXT_H

#include "check_subject.h"

/* To stdout. */
void check_text_print(const settings *given, const subject *of, const fanin_diagnosis *diagnosis);
/* What was typed, as far as it says what is looked at and how; to be freed; NULL: out of memory. */
char *check_command(const settings *given);
/* "2 errors, 1 warning", "nothing found". */
#define VERDICT_NBYTES 120
char *check_verdict(const fanin_diagnosis *diagnosis, char text[VERDICT_NBYTES]);

#endif
