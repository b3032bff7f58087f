/* SPDX-License-Identifier: MIT */
/*
 * The texts of matrices, once for float and once for double.
 */
#define REAL    float
#define VECTOR  vf
#define LANES   W
#define V(word) vf_##word
#define FMA     __builtin_fmaf
#define NAME(x) x##_f32
#include "kernel/gemm.inc.h"
#include "kernel/householder.inc.h"
#include "kernel/narrow.inc.h"
#undef REAL
#undef VECTOR
#undef LANES
#undef V
#undef FMA
#undef NAME

#define REAL    double
#define VECTOR  vd
#define LANES   D
#define V(word) vd_##word
#define FMA     __builtin_fma
#define NAME(x) x##_f64
#include "kernel/gemm.inc.h"
#include "kernel/householder.inc.h"
#include "kernel/narrow.inc.h"
#undef REAL
#undef VECTOR
#undef LANES
#undef V
#undef FMA
#undef NAME
