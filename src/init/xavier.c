/* SPDX-License-Identifier: MIT */
/*
 * Xavier (Glorot) initializers. X. Glorot & Y. Bengio, "Understanding the difficulty of training deep feedforward
 * neural networks", AISTATS 2010.
 */
#include <math.h>

#include "base/error.h"
#include "init/catalogue.h"

/* std as torch computes it, in this order of operations. */
static fanin_status resolve_std(double gain, const fanin_tensor *tensor, fanin_resolved *r, fanin_error *error)
{
    fanin_fans fans;
    FANIN_TRY(fanin_calculate_fans(tensor, &fans, error));
    if (fans.in + fans.out == 0)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "fan_in + fan_out is 0: there is no Xavier std for this shape");
    r->fan_in = fans.in;
    r->fan_out = fans.out;
    r->gain = gain;
    r->std = gain * sqrt(2.0 / (double)(fans.in + fans.out));
    return FANIN_OK;
}

static fanin_status resolve_uniform(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                    fanin_error *error)
{
    *r = fanin_resolved_none(FANIN_FILL_UNIFORM);
    FANIN_TRY(resolve_std(values[0], tensor, r, error));
    r->bound = sqrt(3.0) * r->std;
    r->fill.value[0] = -r->bound;
    r->fill.value[1] = r->bound;
    return FANIN_OK;
}

static fanin_status resolve_normal(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                   fanin_error *error)
{
    *r = fanin_resolved_none(FANIN_FILL_NORMAL);
    FANIN_TRY(resolve_std(values[0], tensor, r, error));
    r->fill.value[0] = 0;
    r->fill.value[1] = r->std;
    return FANIN_OK;
}

#define XAVIER_ADVICE                                                                                                  \
    "Layers before tanh (gain 5/3), sigmoid or no activation: keeps the variance of both signals and gradients. Not "  \
    "before ReLU, which halves the variance: take kaiming there."

const fanin_initializer fanin_initializer_xavier_uniform = {
    .name = "xavier_uniform",
    .parameters = {{"gain", FANIN_PARAMETER_NUMBER, false, 1.0, "scale, see calculate_gain"}},
    .formula = "U(-b, b), b = gain * sqrt(6 / (fan_in + fan_out))",
    .reference = "Glorot & Bengio 2010, eq. 16",
    .advice = XAVIER_ADVICE,
    .resolve = resolve_uniform,
};

const fanin_initializer fanin_initializer_xavier_normal = {
    .name = "xavier_normal",
    .parameters = {{"gain", FANIN_PARAMETER_NUMBER, false, 1.0, "scale, see calculate_gain"}},
    .formula = "N(0, std^2), std = gain * sqrt(2 / (fan_in + fan_out))",
    .reference = "Glorot & Bengio 2010, eq. 12",
    .advice = XAVIER_ADVICE,
    .resolve = resolve_normal,
};

fanin_status fanin_xavier_uniform(const fanin_tensor *tensor, double gain, fanin_generator *generator,
                                  fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_xavier_uniform, &gain, tensor, generator, error);
}

fanin_status fanin_xavier_normal(const fanin_tensor *tensor, double gain, fanin_generator *generator,
                                 fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_xavier_normal, &gain, tensor, generator, error);
}
