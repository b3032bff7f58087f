/* SPDX-License-Identifier: MIT */
/*
 * calculate_gain, and the names of nonlinearities.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "init/catalogue.h"
#include "kernel/math64.inc.h"

static const struct {
    const char *name;
    double gain; /* leaky_relu's is computed */
} nonlinearities[FANIN_NONLINEARITY_COUNT] = {
    [FANIN_LINEAR] = {"linear", 1},
    [FANIN_CONV1D] = {"conv1d", 1},
    [FANIN_CONV2D] = {"conv2d", 1},
    [FANIN_CONV3D] = {"conv3d", 1},
    [FANIN_CONV_TRANSPOSE1D] = {"conv_transpose1d", 1},
    [FANIN_CONV_TRANSPOSE2D] = {"conv_transpose2d", 1},
    [FANIN_CONV_TRANSPOSE3D] = {"conv_transpose3d", 1},
    [FANIN_SIGMOID] = {"sigmoid", 1},
    [FANIN_TANH] = {"tanh", 5.0 / 3},
    [FANIN_RELU] = {"relu", 0x1.6a09e667f3bcdp+0}, /* sqrt(2) */
    [FANIN_LEAKY_RELU] = {"leaky_relu", 0},
    [FANIN_SELU] = {"selu", 3.0 / 4},
};

const char *fanin_nonlinearity_name(fanin_nonlinearity nonlinearity)
{
    return (unsigned)nonlinearity < FANIN_NONLINEARITY_COUNT ? nonlinearities[nonlinearity].name : NULL;
}

fanin_nonlinearity fanin_nonlinearity_from_name(const char *name)
{
    int i = 0;
    while (i < FANIN_NONLINEARITY_COUNT && strcmp(nonlinearities[i].name, name) != 0)
        i++;
    return (fanin_nonlinearity)i;
}

fanin_status fanin_calculate_gain(fanin_nonlinearity nonlinearity, const double *param, double *gain,
                                  fanin_error *error)
{
    fanin_clear(error);
    if ((unsigned)nonlinearity >= FANIN_NONLINEARITY_COUNT)
        return fanin_fail(
            error, FANIN_ERROR_ARGUMENT,
            "unknown nonlinearity; those with a gain are linear, conv1d to conv_transpose3d, sigmoid, tanh, "
            "relu, leaky_relu and selu");
    if (nonlinearity == FANIN_LEAKY_RELU) {
        double slope = param != NULL ? *param : 0.01;
        /* torch has slope ** 2: Python's, which is pow, with other bits than a product */
        double square = fanin_square(slope);
        if (isfinite(slope) && isinf(square))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "leaky_relu: the square of the negative slope overflows");
        *gain = sqrt(2.0 / (1 + square));
    } else {
        *gain = nonlinearities[nonlinearity].gain;
    }
    return FANIN_OK;
}

fanin_status fanin_gain_of(double nonlinearity, double param, double *gain, fanin_error *error)
{
    return fanin_calculate_gain((fanin_nonlinearity)(int)nonlinearity, &param, gain, error);
}
