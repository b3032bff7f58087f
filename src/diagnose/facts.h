/* SPDX-License-Identifier: MIT */
/*
 * The sources of facts, each in a file of its own.
 */
#ifndef FANIN_DIAGNOSE_FACTS_H
#define FANIN_DIAGNOSE_FACTS_H

#include "diagnose/diagnosis_data.h"

/* By its name and shape, and the shapes of what stands beside it. */
void fanin_facts_by_name(const fanin_diagnosis *diagnosis, struct fanin_record *record);
/* A bias is of the layer kind of the weight beside it. */
void fanin_facts_by_sibling(const fanin_diagnosis *diagnosis, struct fanin_record *record);
/* Whether a batch norm stands behind a weight, which makes up for its size: once its layout is known. */
void fanin_facts_by_norm(const fanin_diagnosis *diagnosis, struct fanin_record *record);
/* What layer kind and role say together: part, blocks, whether it is a weight, a buffer. */
void fanin_facts_by_role(struct fanin_record *record);
/* By diagnosis->model and diagnosis->plan, which must be there. */
fanin_status fanin_facts_by_model(fanin_diagnosis *diagnosis, fanin_error *error);
fanin_status fanin_facts_by_plan(fanin_diagnosis *diagnosis, fanin_error *error);
/* By the text of the config.json, which must be there, where no plan tells. */
fanin_status fanin_facts_by_config(fanin_diagnosis *diagnosis, fanin_error *error);
/* The family whose names these are; a constant; NULL: of none that is known. */
const char *fanin_facts_family(const fanin_diagnosis *diagnosis);
/* The places of layers in a chain, if the whole model is one. */
fanin_status fanin_facts_chain(fanin_diagnosis *diagnosis, fanin_error *error);

#endif
