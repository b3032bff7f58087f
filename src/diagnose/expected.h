/* SPDX-License-Identifier: MIT */
/*
 * The size of a tensor's values against the law it should have.
 */
#ifndef FANIN_DIAGNOSE_EXPECTED_H
#define FANIN_DIAGNOSE_EXPECTED_H

#include "diagnose/diagnosis_data.h"

double fanin_expected_std_of(const struct fanin_record *record);
/* Values that are numbers. */
uint64_t fanin_expected_count(const struct fanin_record *record);
/* Whether the law is one draw for each element. */
bool fanin_expected_is_random(const struct fanin_record *record);
/* How far the standard deviation is from that of the law, in standard errors; 0 within what 16 bits explain. */
double fanin_expected_errors(const struct fanin_record *record);
/* Whether the standard deviation is that of the plan's rule with another fan, of which W09 speaks. */
bool fanin_expected_has_other_fan(const struct fanin_record *record);
/* Whether the end of a residual branch is as large as its beginning, of which W18 speaks. */
bool fanin_expected_is_unscaled_branch(const fanin_diagnosis *diagnosis, const struct fanin_record *record);

#endif
