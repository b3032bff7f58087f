/* SPDX-License-Identifier: MIT */
/*
 * What mends a finding: a rule that fanin can make the tensors by, or the word for what has to be known first.
 */
#ifndef FANIN_DIAGNOSE_REMEDY_H
#define FANIN_DIAGNOSE_REMEDY_H

#include "diagnose/diagnosis_data.h"

/* What makes the tensors of a draft as they should be, once all tensors have their verdict; NULL: nothing known. */
fanin_status fanin_remedy_find(fanin_diagnosis *diagnosis, const struct fanin_draft *draft, const char **init,
                               fanin_error *error);
/* Sets rule, missing and command of a finding made from the draft. */
fanin_status fanin_remedy_set(fanin_diagnosis *diagnosis, const struct fanin_draft *draft, const char *init,
                              fanin_finding *finding, fanin_error *error);

#endif
