/* SPDX-License-Identifier: MIT */
/*
 * Where the values of a tensor come from, found while its scan is there.
 */
#ifndef FANIN_DIAGNOSE_ORIGIN_H
#define FANIN_DIAGNOSE_ORIGIN_H

#include "diagnose/diagnosis_data.h"
#include "diagnose/scheme.h"
#include "fanin/which.h"

/* Sets origin and fitted law of the record; nothing of tensors that are no floats. */
fanin_status fanin_origin_find(const fanin_diagnosis *diagnosis, struct fanin_record *record,
                               const struct fanin_scan *scan, fanin_error *error);
/* What a scheme looks at, of this record. */
struct fanin_scheme_subject fanin_origin_subject(const fanin_diagnosis *diagnosis, const struct fanin_record *record);

#endif
