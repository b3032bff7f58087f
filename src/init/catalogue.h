/* SPDX-License-Identifier: MIT */
/*
 * What a family of initializers needs to enter the catalogue.
 */
#ifndef FANIN_INIT_CATALOGUE_H
#define FANIN_INIT_CATALOGUE_H

#include "fanin/initializer.h"

/* Everything a resolve function does not set: no fans, no gain, no bound. */
fanin_resolved fanin_resolved_none(fanin_fill_kind kind);

/* Resolves for this tensor and runs the fill: the body of every function of init.h. */
fanin_status fanin_initializer_run(const fanin_initializer *initializer, const double *values,
                                   const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error);

/* Whether a dimension is 0; kaiming_* does nothing then. */
bool fanin_has_zero_dimension(const fanin_tensor *tensor);

/* The gain of a nonlinearity held as a parameter value. */
fanin_status fanin_gain_of(double nonlinearity, double param, double *gain, fanin_error *error);

/*
 * The catalogue, in the order in which torch.nn.init documents them. ROW(x) stands for the constant
 * fanin_initializer_x, which the file of its family defines (docs/add-an-initializer.md).
 */
#define FANIN_CATALOGUE(ROW)                                                                                           \
    ROW(uniform)                                                                                                       \
    ROW(normal)                                                                                                        \
    ROW(trunc_normal)                                                                                                  \
    ROW(constant)                                                                                                      \
    ROW(ones)                                                                                                          \
    ROW(zeros)                                                                                                         \
    ROW(eye)                                                                                                           \
    ROW(dirac)                                                                                                         \
    ROW(xavier_uniform)                                                                                                \
    ROW(xavier_normal)                                                                                                 \
    ROW(kaiming_uniform)                                                                                               \
    ROW(kaiming_normal)                                                                                                \
    ROW(orthogonal)                                                                                                    \
    ROW(sparse)

#define FANIN_CATALOGUE_DECLARATION(name) extern const fanin_initializer fanin_initializer_##name;
FANIN_CATALOGUE(FANIN_CATALOGUE_DECLARATION)

#endif
