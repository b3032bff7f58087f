/* SPDX-License-Identifier: MIT */
/*
 * Euclidean norms over dimensions, as ops of recorded plans.
 */
#ifndef FANIN_RUN_NORM_H
#define FANIN_RUN_NORM_H

#include "fanin/plan.h"

/*
 * `from` is what the op reads, in memory; `out` becomes as many contiguous elements of the op's dtype as it writes.
 * Each is within one unit in the last place of the real number, whatever the order of the dimensions in memory.
 */
fanin_status fanin_norm_run(const fanin_plan_op *op, const fanin_tensor *from, void *out, fanin_error *error);

#endif
