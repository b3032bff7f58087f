/* SPDX-License-Identifier: MIT */
/*
 * fanin explain W08: what one check of `fanin check` measures, means and says.
 */
#ifndef FANIN_CLI_EXPLAIN_CHECK_H
#define FANIN_CLI_EXPLAIN_CHECK_H

#include "fanin/check.h"

/* By its id, in either case; NULL if there is none. */
const fanin_check *find_check(const char *id);
void print_check(const fanin_check *check, bool json);

#endif
