/* SPDX-License-Identifier: MIT */
/*
 * The sources of facts, each in a file of its own.
 */
#ifndef FANIN_DIAGNOSE_FACTS_H
#define FANIN_DIAGNOSE_FACTS_H

#include "diagnose/diagnosis_data.h"

/* By its name and shape, and the shapes of what stands beside it. */
void fanin_facts_by_name(const fanin_diagnosis *diagnosis, struct fanin_record *record);
/* What layer kind and role say together: part, blocks, whether it is a weight, a buffer. */
void fanin_facts_by_role(struct fanin_record *record);

#endif
