/* SPDX-License-Identifier: MIT */
/*
 * The functions of the table of checks.
 */
#ifndef FANIN_DIAGNOSE_CHECKS_H
#define FANIN_DIAGNOSE_CHECKS_H

#include "diagnose/diagnosis_data.h"

/* Of one tensor. */
fanin_status fanin_check_not_finite(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_unwritten(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_constant(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_duplicates(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_clones(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_mean(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_tails(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_bounds(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_running_variance(struct fanin_examination *examination, fanin_error *error);

/* Between tensors. */
fanin_status fanin_check_zero(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_equal(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_same_stream(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_biases(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_norms(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_described(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_seed(struct fanin_examination *examination, fanin_error *error);

#endif
