/* SPDX-License-Identifier: MIT */
/*
 * Functions of elements, as ops of recorded plans: arithmetic, and what torch takes from vector libraries.
 */
#ifndef FANIN_RUN_FUNCTION_H
#define FANIN_RUN_FUNCTION_H

#include "fanin/plan.h"

/* n contiguous elements of the op's dtype; `other` is NULL if the op has none. `out` may be `in`. */
void fanin_function_run(const fanin_plan_op *op, const void *in, const void *other, void *out, size_t n);
/* Whether each element is a function of itself alone, in one run: then parts of it can be made apart. */
bool fanin_function_is_in_place(const fanin_plan_op *op);

#endif
