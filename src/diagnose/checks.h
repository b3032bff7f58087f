/* SPDX-License-Identifier: MIT */
/*
 * The functions of the table of checks.
 */
#ifndef FANIN_DIAGNOSE_CHECKS_H
#define FANIN_DIAGNOSE_CHECKS_H

#include "diagnose/diagnosis_data.h"

/* check_values.c */
fanin_status fanin_check_not_finite(struct fanin_examination *examination, fanin_error *error);
fanin_status fanin_check_zero(struct fanin_examination *examination, fanin_error *error); /* between tensors */
fanin_status fanin_check_constant(struct fanin_examination *examination, fanin_error *error);

#endif
