/* SPDX-License-Identifier: MIT */
/*
 * The kernels in the avx2 vocabulary.
 */
#include "kernel/simd/avx2.h"

#define KERNEL_TABLE fanin_kernel_avx2
#define KERNEL_NAME  "avx2"
#include "kernel/body.inc.h"
