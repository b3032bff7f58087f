/* SPDX-License-Identifier: MIT */
/*
 * Elements of one dtype as elements of another, as torch's copy_ and to() convert them on the CPU.
 */
#ifndef FANIN_KERNEL_CAST_H
#define FANIN_KERNEL_CAST_H

#include "fanin/dtype.h"

/* Whether there is a conversion: between bool, the integers, f16, bf16, f32 and f64. */
bool fanin_cast_is_known(fanin_dtype from, fanin_dtype to);
/* n contiguous elements; `out` and `in` do not overlap. */
void fanin_cast(fanin_dtype from, const void *in, fanin_dtype to, void *out, size_t n);

#endif
