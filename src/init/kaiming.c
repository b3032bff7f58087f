/* SPDX-License-Identifier: MIT */
/*
 * Kaiming (He) initializers. K. He et al., "Delving Deep into Rectifiers", ICCV 2015.
 */
#include <math.h>
#include <stdio.h>

#include "base/error.h"
#include "init/catalogue.h"

enum { SLOPE, MODE, NONLINEARITY };

/* A tensor without elements is left alone with a warning, before its dimensions are looked at. */
static fanin_status resolve_std(const double *values, const fanin_tensor *tensor, fanin_resolved *r, fanin_error *error)
{
    fanin_fans fans;
    if (fanin_has_zero_dimension(tensor)) {
        r->std = 0;
        snprintf(r->warning, sizeof r->warning, "%s", "initializing a tensor without elements does nothing");
        return FANIN_OK;
    }
    if (!(values[MODE] == FANIN_FAN_IN || values[MODE] == FANIN_FAN_OUT))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "mode must be fan_in or fan_out");
    FANIN_TRY(fanin_calculate_fans(tensor, &fans, error));
    FANIN_TRY(fanin_gain_of(values[NONLINEARITY], values[SLOPE], &r->gain, error));
    r->fan_in = fans.in;
    r->fan_out = fans.out;
    r->std = r->gain / sqrt((double)(values[MODE] == FANIN_FAN_IN ? fans.in : fans.out));
    return FANIN_OK;
}

static fanin_status resolve_uniform(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                    fanin_error *error)
{
    *r = fanin_resolved_none(FANIN_FILL_UNIFORM);
    FANIN_TRY(resolve_std(values, tensor, r, error));
    r->bound = sqrt(3.0) * r->std;
    r->fill.value[0] = -r->bound;
    r->fill.value[1] = r->bound;
    return FANIN_OK;
}

static fanin_status resolve_normal(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                   fanin_error *error)
{
    *r = fanin_resolved_none(FANIN_FILL_NORMAL);
    FANIN_TRY(resolve_std(values, tensor, r, error));
    r->fill.value[0] = 0;
    r->fill.value[1] = r->std;
    return FANIN_OK;
}

#define KAIMING_PARAMETERS                                                                                             \
    {                                                                                                                  \
        {"a", FANIN_PARAMETER_NUMBER, false, 0.0, "negative slope of leaky_relu"},                                     \
            {"mode", FANIN_PARAMETER_MODE, false, FANIN_FAN_IN,                                                        \
             "fan_in keeps the variance of signals, fan_out that of gradients"},                                       \
            {"nonlinearity", FANIN_PARAMETER_NONLINEARITY, false, FANIN_LEAKY_RELU,                                    \
             "the activation that follows; decides the gain"},                                                         \
    }
#define KAIMING_ADVICE                                                                                                 \
    "Layers before ReLU and its family (leaky_relu, and GELU, SiLU as an approximation): the gain sqrt(2) makes up "   \
    "for the half that is cut off. nonlinearity=linear is the choice for SELU networks (LeCun normal). "               \
    "a=sqrt(5) with leaky_relu is torch's default for Linear and Conv: U(+-1/sqrt(fan_in)), too small for deep ReLU "  \
    "nets."

const fanin_initializer fanin_initializer_kaiming_uniform = {
    .name = "kaiming_uniform",
    .parameters = KAIMING_PARAMETERS,
    .formula = "U(-b, b), b = gain(nonlinearity, a) * sqrt(3 / fan)",
    .reference = "He et al. 2015, eq. 10 and 14, as a uniform of that variance",
    .advice = KAIMING_ADVICE,
    .resolve = resolve_uniform,
};

const fanin_initializer fanin_initializer_kaiming_normal = {
    .name = "kaiming_normal",
    .parameters = KAIMING_PARAMETERS,
    .formula = "N(0, std^2), std = gain(nonlinearity, a) / sqrt(fan)",
    .reference = "He et al. 2015, eq. 10 (fan_in) and 14 (fan_out)",
    .advice = KAIMING_ADVICE,
    .resolve = resolve_normal,
};

static fanin_status run(const fanin_initializer *initializer, const fanin_tensor *tensor, double a, fanin_fan_mode mode,
                        fanin_nonlinearity nonlinearity, fanin_generator *generator, fanin_error *error)
{
    const double values[] = {[SLOPE] = a, [MODE] = mode, [NONLINEARITY] = nonlinearity};
    return fanin_initializer_run(initializer, values, tensor, generator, error);
}

fanin_status fanin_kaiming_uniform(const fanin_tensor *tensor, double a, fanin_fan_mode mode,
                                   fanin_nonlinearity nonlinearity, fanin_generator *generator, fanin_error *error)
{
    return run(&fanin_initializer_kaiming_uniform, tensor, a, mode, nonlinearity, generator, error);
}

fanin_status fanin_kaiming_normal(const fanin_tensor *tensor, double a, fanin_fan_mode mode,
                                  fanin_nonlinearity nonlinearity, fanin_generator *generator, fanin_error *error)
{
    return run(&fanin_initializer_kaiming_normal, tensor, a, mode, nonlinearity, generator, error);
}
