/* SPDX-License-Identifier: MIT */
/*
 * A number as one element of any dtype. The way back is public: fanin_dtype_value in fanin/dtype.h.
 */
#ifndef FANIN_KERNEL_ELEMENT_H
#define FANIN_KERNEL_ELEMENT_H

#include "fanin/dtype.h"

/* Refuses a value that overflows the dtype (finite ones only: NaN and infinity pass where the dtype has them). */
fanin_status fanin_element_check(fanin_dtype dtype, double value, fanin_error *error);

/* The bits of a value that was checked, rounded to nearest even; as many as the dtype has. */
uint64_t fanin_element_encode(fanin_dtype dtype, double value);

#endif
