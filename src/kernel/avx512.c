/* SPDX-License-Identifier: MIT */
/*
 * The kernels in the avx512 vocabulary.
 */
#include "kernel/simd/avx512.h"

#define KERNEL_TABLE fanin_kernel_avx512
#define KERNEL_NAME  "avx512"
#include "kernel/body.inc.h"
