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

/* check_scale.c */
fanin_status fanin_check_scale(struct fanin_examination *examination, fanin_error *error);    /* between tensors */
fanin_status fanin_check_expected(struct fanin_examination *examination, fanin_error *error); /* of --expect */
fanin_status fanin_check_fan(struct fanin_examination *examination, fanin_error *error);
/* Which roles end residual branches: before the checks between tensors. */
fanin_status fanin_branches_find(fanin_diagnosis *diagnosis, fanin_error *error);
fanin_status fanin_check_branch(struct fanin_examination *examination, fanin_error *error); /* between tensors */
fanin_status fanin_check_embedding(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_untouched(struct fanin_examination *examination, fanin_error *error); /* between tensors */

/* check_chain.c: the part of the check of scale that looks at layers which follow each other */
fanin_status fanin_check_chain(struct fanin_examination *examination, fanin_error *error);
/* FANIN_ERROR_ARGUMENT, with those that are known, if what somebody says of the layers is none of them. */
fanin_status fanin_activation_check(const char *name, fanin_error *error);

/* check_spectrum.c: only of a deep diagnosis */
fanin_status fanin_check_orthogonal(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_spectrum(struct fanin_examination *examination, fanin_error *error);

/* check_target.c */
fanin_status fanin_check_target(struct fanin_examination *examination, fanin_error *error);

#endif
