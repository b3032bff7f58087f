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

extern const fanin_initializer fanin_initializer_uniform;
extern const fanin_initializer fanin_initializer_normal;
extern const fanin_initializer fanin_initializer_trunc_normal;
extern const fanin_initializer fanin_initializer_constant;
extern const fanin_initializer fanin_initializer_ones;
extern const fanin_initializer fanin_initializer_zeros;
extern const fanin_initializer fanin_initializer_eye;
extern const fanin_initializer fanin_initializer_dirac;
extern const fanin_initializer fanin_initializer_xavier_uniform;
extern const fanin_initializer fanin_initializer_xavier_normal;
extern const fanin_initializer fanin_initializer_kaiming_uniform;
extern const fanin_initializer fanin_initializer_kaiming_normal;
extern const fanin_initializer fanin_initializer_orthogonal;
extern const fanin_initializer fanin_initializer_sparse;

#endif
