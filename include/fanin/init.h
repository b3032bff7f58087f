/* SPDX-License-Identifier: MIT */
/*
 * torch.nn.init in C: the same names without the underscore, the same parameters, the same bytes.
 *
 * Every function writes all elements of `tensor`, draws from `generator` what torch would draw, and returns
 * FANIN_OK or leaves tensor and generator as they were. Which torch release is meant is the generator's profile.
 * Random fills take f64, f32, bf16 and f16 views with any strides that do not overlap; fills without draws take every
 * dtype. Formulas are computed in double and rounded once to the dtype, as torch's Python code does.
 */
#ifndef FANIN_INIT_H
#define FANIN_INIT_H

#include "fanin/generator.h"
#include "fanin/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fanin_fan_mode { FANIN_FAN_IN = 0, FANIN_FAN_OUT = 1 } fanin_fan_mode;

typedef enum fanin_nonlinearity {
    FANIN_LINEAR = 0, /* gain 1, and so are those of all convolutions and of sigmoid */
    FANIN_CONV1D,
    FANIN_CONV2D,
    FANIN_CONV3D,
    FANIN_CONV_TRANSPOSE1D,
    FANIN_CONV_TRANSPOSE2D,
    FANIN_CONV_TRANSPOSE3D,
    FANIN_SIGMOID,
    FANIN_TANH,       /* 5/3 */
    FANIN_RELU,       /* sqrt(2) */
    FANIN_LEAKY_RELU, /* sqrt(2 / (1 + negative_slope^2)), negative_slope 0.01 unless given */
    FANIN_SELU,       /* 3/4 */
    FANIN_NONLINEARITY_COUNT
} fanin_nonlinearity;

/* torch's spelling: "leaky_relu", "conv_transpose2d" ... NULL, or FANIN_NONLINEARITY_COUNT, for an unknown one. */
FANIN_API const char *fanin_nonlinearity_name(fanin_nonlinearity nonlinearity);
FANIN_API fanin_nonlinearity fanin_nonlinearity_from_name(const char *name);

/*
 * calculate_gain(nonlinearity, param). param is the negative slope of leaky_relu and is ignored by the others; pass
 * NULL for torch's default of 0.01.
 */
FANIN_API fanin_status fanin_calculate_gain(fanin_nonlinearity nonlinearity, const double *param, double *gain,
                                            fanin_error *error);

/* U[from, to): uniform_(from, to). Errors: from > to, to - from beyond the dtype, infinite or NaN bounds. */
FANIN_API fanin_status fanin_uniform(const fanin_tensor *tensor, double from, double to, fanin_generator *generator,
                                     fanin_error *error);
/* N(mean, std^2): normal_(mean, std). Error: std negative or NaN. */
FANIN_API fanin_status fanin_normal(const fanin_tensor *tensor, double mean, double std, fanin_generator *generator,
                                    fanin_error *error);
/*
 * N(mean, std^2) conditioned on [a, b]; a and b are values, not multiples of std (torch's defaults: 0, 1, -2, 2).
 * From torch 2.12 on by rejection, before by the inverse CDF. Errors: std <= 0 or not finite, mean NaN, bounds that
 * uniform_ refuses, and parameters under which torch would draw more than 1e5 rounds. Warning: mean more than 2 std
 * outside [a, b].
 */
FANIN_API fanin_status fanin_trunc_normal(const fanin_tensor *tensor, double mean, double std, double a, double b,
                                          fanin_generator *generator, fanin_error *error);
/* Error: a finite value that overflows the dtype. */
FANIN_API fanin_status fanin_constant(const fanin_tensor *tensor, double value, fanin_error *error);
FANIN_API fanin_status fanin_ones(const fanin_tensor *tensor, fanin_error *error);
FANIN_API fanin_status fanin_zeros(const fanin_tensor *tensor, fanin_error *error);
/* The identity; 2-D only, square or not. */
FANIN_API fanin_status fanin_eye(const fanin_tensor *tensor, fanin_error *error);
/* The Dirac delta for 3-, 4- and 5-D convolution weights; shape[0] divisible by groups >= 1. */
FANIN_API fanin_status fanin_dirac(const fanin_tensor *tensor, int64_t groups, fanin_error *error);

/* U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)); Glorot & Bengio 2010, eq. 16. */
FANIN_API fanin_status fanin_xavier_uniform(const fanin_tensor *tensor, double gain, fanin_generator *generator,
                                            fanin_error *error);
/* N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)); Glorot & Bengio 2010. */
FANIN_API fanin_status fanin_xavier_normal(const fanin_tensor *tensor, double gain, fanin_generator *generator,
                                           fanin_error *error);
/* U(-b, b), b = gain(nonlinearity, a) sqrt(3 / fan); He et al. 2015, eq. 10 and 14. torch: a 0, fan_in, leaky_relu. */
FANIN_API fanin_status fanin_kaiming_uniform(const fanin_tensor *tensor, double a, fanin_fan_mode mode,
                                             fanin_nonlinearity nonlinearity, fanin_generator *generator,
                                             fanin_error *error);
/* N(0, std^2), std = gain(nonlinearity, a) / sqrt(fan); He et al. 2015. */
FANIN_API fanin_status fanin_kaiming_normal(const fanin_tensor *tensor, double a, fanin_fan_mode mode,
                                            fanin_nonlinearity nonlinearity, fanin_generator *generator,
                                            fanin_error *error);
/*
 * A (semi-)orthogonal matrix times gain, the tensor read as [shape[0], rest]; Saxe et al. 2013. torch's draws, own
 * Householder QR in a fixed order of operations: the bits are the same on every machine and within
 * 8 eps |gain| (cond(A) + sqrt(min(rows, cols))) of torch's, whose own bits depend on its LAPACK. f32 and f64 only.
 * Takes rows x cols elements of scratch from the allocator.
 */
FANIN_API fanin_status fanin_orthogonal(const fanin_tensor *tensor, double gain, fanin_generator *generator,
                                        fanin_error *error);
/*
 * N(0, std^2) with ceil(sparsity * rows) zeros in every column of a 2-D tensor; Martens 2010. One generator for
 * values and rows, as torch with its default generator. Takes rows indices of scratch.
 */
FANIN_API fanin_status fanin_sparse(const fanin_tensor *tensor, double sparsity, double std, fanin_generator *generator,
                                    fanin_error *error);

/* torch.randperm(n): indices[0..n-1] becomes a permutation. */
FANIN_API fanin_status fanin_randperm(int64_t *indices, int64_t n, fanin_generator *generator, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
