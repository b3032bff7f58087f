/* SPDX-License-Identifier: MIT */
/*
 * What writing and reading plan files share.
 */
#ifndef FANIN_PLAN_PLAN_FILE_H
#define FANIN_PLAN_PLAN_FILE_H

#include "base/text.h"
#include "plan/plan_data.h"

/* A JSON number; "nan", "inf", "-inf" and "-0" as strings. */
void fanin_plan_number_add(fanin_text *text, double value);
/* The word a fill has in plan files: "fill" for a constant, else the kind's own name. */
const char *fanin_plan_op_word(fanin_fill_kind kind);
/* Whether a tensor is all of its storage, contiguous. */
bool fanin_plan_covers(const fanin_plan *plan, size_t tensor);
/* All of a storage in the shape of a tensor that covers it; in one dimension if it does not, or is SIZE_MAX. */
fanin_tensor fanin_plan_whole_view(const fanin_plan *plan, size_t storage, size_t tensor);

#endif
