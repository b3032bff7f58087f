/* SPDX-License-Identifier: MIT */
/*
 * What tensors are compared by: names without their numbers, and shapes.
 */
#ifndef FANIN_DIAGNOSE_ROLES_H
#define FANIN_DIAGNOSE_ROLES_H

#include "diagnose/diagnosis_data.h"

/* More numbers of a name stay as they are. */
#define FANIN_ROLE_MAX_NUMBERS 8

/* Sets the roles of a diagnosis, and pattern, role, place and layer of its records. */
fanin_status fanin_roles_make(fanin_diagnosis *diagnosis, fanin_error *error);
/* The numbers that # stands for in the pattern of this name; how many there are. */
size_t fanin_role_numbers(const char *name, uint32_t numbers[FANIN_ROLE_MAX_NUMBERS]);
/* An order of tensors by dimensions and sizes; 0: they have one shape. */
int fanin_shape_order(const fanin_diagnosis_tensor *x, const fanin_diagnosis_tensor *y);

#endif
