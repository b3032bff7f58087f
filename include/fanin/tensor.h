/* SPDX-License-Identifier: MIT */
/*
 * A tensor is a view of memory that belongs to the caller: data, dtype, shape, strides.
 */
#ifndef FANIN_TENSOR_H
#define FANIN_TENSOR_H

#include "fanin/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FANIN_MAX_DIMS 8

/*
 * Which axes of a weight are its fans. torch reads every weight as [out, in, kernel...]; where a weight is stored
 * otherwise its shape alone does not tell, and the caller says so here.
 */
typedef enum fanin_layout {
    FANIN_LAYOUT_OUT_IN = 0,    /* [out, in / groups, kernel...]: torch's Linear and Conv, and torch's rule for all */
    FANIN_LAYOUT_IN_OUT = 1,    /* [kernel..., in / groups, out]: GPT-2's Conv1D, Keras, JAX */
    FANIN_LAYOUT_TRANSPOSED = 2 /* [in, out / groups, kernel...]: transposed convolutions, fans of the map they make */
} fanin_layout;

/*
 * strides are in elements. layout and groups only tell how fans are computed; both zero is torch's own rule.
 * With groups > 1 a fan counts what one output (or input) is connected to: fan_out = out / groups * kernel.
 */
typedef struct fanin_tensor {
    void *data;
    fanin_dtype dtype;
    int32_t ndim;
    int64_t shape[FANIN_MAX_DIMS];
    int64_t strides[FANIN_MAX_DIMS];
    fanin_layout layout;
    int32_t groups;
} fanin_tensor;

/* Contiguous views (row-major). ndim 0 is a scalar. More than FANIN_MAX_DIMS dims: use fewer, or reshape. */
FANIN_API fanin_tensor fanin_tensor_nd(void *data, fanin_dtype dtype, int ndim, const int64_t *shape);
FANIN_API fanin_tensor fanin_tensor_1d(void *data, fanin_dtype dtype, int64_t n0);
FANIN_API fanin_tensor fanin_tensor_2d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1);
FANIN_API fanin_tensor fanin_tensor_3d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1, int64_t n2);
FANIN_API fanin_tensor fanin_tensor_4d(void *data, fanin_dtype dtype, int64_t n0, int64_t n1, int64_t n2, int64_t n3);

/* The transposed view of a 2-D tensor (Tensor.t()); any other tensor is returned as it is. */
FANIN_API fanin_tensor fanin_tensor_transpose(const fanin_tensor *tensor);
/* Rows [begin, end) of dimension 0, as a view. The caller keeps 0 <= begin <= end <= shape[0]. */
FANIN_API fanin_tensor fanin_tensor_rows(const fanin_tensor *tensor, int64_t begin, int64_t end);

/* Number of elements; -1 if a dimension is negative or the product does not fit. 1 for a scalar. */
FANIN_API int64_t fanin_tensor_nelem(const fanin_tensor *tensor);
/* Row-major contiguous as torch's is_contiguous() has it: dimensions of size 1 do not matter, no elements: true. */
FANIN_API bool fanin_tensor_is_contiguous(const fanin_tensor *tensor);

/* fan_in and fan_out; FANIN_ERROR_SHAPE below two dimensions, as torch. */
typedef struct fanin_fans {
    int64_t in;
    int64_t out;
} fanin_fans;
FANIN_API fanin_status fanin_calculate_fans(const fanin_tensor *tensor, fanin_fans *fans, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
