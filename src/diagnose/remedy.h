/* SPDX-License-Identifier: MIT */
/*
 * What mends a finding: a rule that fanin can make the tensors by, or the word for what has to be known first.
 */
#ifndef FANIN_DIAGNOSE_REMEDY_H
#define FANIN_DIAGNOSE_REMEDY_H

#include "diagnose/diagnosis_data.h"
#include "diagnose/scheme.h"

/* Rules that several healthy tensors can all have been made by. */
struct fanin_shared_rules {
    const struct fanin_record *first; /* its rules are those in question; NULL: there are no tensors */
    bool possible[FANIN_SCHEME_MAX];
    size_t count; /* of the tensors */
};

/* Healthy tensors of one role and shape. */
struct fanin_kin {
    const struct fanin_record *first;
    struct fanin_shared_rules shared; /* of those that a rule gives */
};

/* What healthy tensors tell of ill ones, gathered once all have their verdict. */
struct fanin_remedies {
    struct fanin_kin *kin; /* in the order of roles and shapes */
    size_t nkin;
    struct fanin_shared_rules kinds[FANIN_LAYER_KIND_COUNT]
                                   [FANIN_LAYOUT_TRANSPOSED + 1]; /* of weights without groups */
};

fanin_status fanin_remedies_begin(struct fanin_remedies *remedies, const fanin_diagnosis *diagnosis,
                                  fanin_error *error);
void fanin_remedies_end(struct fanin_remedies *remedies);

/* What makes the tensors of a draft as they should be; NULL: nothing known. */
fanin_status fanin_remedy_find(const struct fanin_remedies *remedies, fanin_diagnosis *diagnosis,
                               const struct fanin_draft *draft, const char **init, fanin_error *error);
/* Sets rule, missing and command of a finding made from the draft. */
fanin_status fanin_remedy_set(fanin_diagnosis *diagnosis, const struct fanin_draft *draft, const char *init,
                              fanin_finding *finding, fanin_error *error);

#endif
