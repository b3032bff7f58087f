/* SPDX-License-Identifier: MIT */
/*
 * The kernels in the scalar vocabulary.
 */
#include "kernel/simd/scalar.h"

#define KERNEL_TABLE fanin_kernel_scalar
#define KERNEL_NAME  "scalar"
#include "kernel/body.inc.h"
