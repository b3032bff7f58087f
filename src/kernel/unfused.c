/* SPDX-License-Identifier: MIT */
/*
 * The kernels of torch builds that round a product before they add (profile suffix ":unfused"), scalar only.
 */
#include "kernel/simd/scalar.h"

#define KERNEL_TABLE fanin_kernel_unfused
#define KERNEL_NAME  "unfused"
#define UNFUSED      1
#include "kernel/body.inc.h"
