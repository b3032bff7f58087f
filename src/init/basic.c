/* SPDX-License-Identifier: MIT */
/*
 * Initializers that are one fill with the numbers as given: uniform, normal, trunc_normal, constants, eye, dirac,
 * orthogonal, sparse.
 */
#include <math.h>

#include "base/error.h"
#include "init/catalogue.h"
#include "kernel/math64.inc.h"

static fanin_status resolve_uniform(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                    fanin_error *error)
{
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_UNIFORM);
    r->fill.value[0] = values[0];
    r->fill.value[1] = values[1];
    r->std = (values[1] - values[0]) / sqrt(12.0);
    r->bound = fabs(values[0]) > fabs(values[1]) ? fabs(values[0]) : fabs(values[1]);
    return FANIN_OK;
}

static fanin_status resolve_normal(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                   fanin_error *error)
{
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_NORMAL);
    r->fill.value[0] = values[0];
    r->fill.value[1] = values[1];
    r->std = values[1];
    return FANIN_OK;
}

/*
 * std of the truncated law: with alpha, beta the bounds in units of std, phi the normal density and Z the mass between,
 * std^2 (1 + (alpha phi(alpha) - beta phi(beta)) / Z - ((phi(alpha) - phi(beta)) / Z)^2). NaN where Z is too small to
 * tell.
 */
static double truncated_std(double mean, double std, double a, double b)
{
    double alpha = (a - mean) / std, beta = (b - mean) / std;
    double density_a = 0.3989422804014327 * fanin_exp(-0.5 * alpha * alpha);
    double density_b = 0.3989422804014327 * fanin_exp(-0.5 * beta * beta);
    double mass = (fanin_erf(beta / sqrt(2.0)) - fanin_erf(alpha / sqrt(2.0))) / 2;
    if (!(mass > 1e-8))
        return NAN;
    double first = isinf(alpha) ? 0 : alpha * density_a, second = isinf(beta) ? 0 : beta * density_b;
    double shift = (density_a - density_b) / mass;
    return std * sqrt(1 + (first - second) / mass - shift * shift);
}

static fanin_status resolve_trunc_normal(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                         fanin_error *error)
{
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_TRUNC_NORMAL);
    for (int i = 0; i < 4; i++)
        r->fill.value[i] = values[i];
    r->std = truncated_std(values[0], values[1], values[2], values[3]);
    r->bound = fabs(values[2]) > fabs(values[3]) ? fabs(values[2]) : fabs(values[3]);
    return FANIN_OK;
}

static fanin_status resolve_value(double value, fanin_resolved *r)
{
    *r = fanin_resolved_none(FANIN_FILL_CONSTANT);
    r->fill.value[0] = value;
    r->std = 0;
    r->bound = fabs(value);
    return FANIN_OK;
}

static fanin_status resolve_constant(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                     fanin_error *error)
{
    if (tensor->dtype == FANIN_F8_E8M0 && values[0] == 0) /* zeros() writes its smallest value, as zeros_ does */
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "constant 0: f8_e8m0 has no zero");
    return resolve_value(values[0], r);
}

static fanin_status resolve_ones(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                 fanin_error *error)
{
    (void)values;
    (void)tensor;
    (void)error;
    return resolve_value(1, r);
}

static fanin_status resolve_zeros(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                  fanin_error *error)
{
    (void)values;
    (void)tensor;
    (void)error;
    return resolve_value(0, r);
}

static fanin_status resolve_eye(const double *values, const fanin_tensor *tensor, fanin_resolved *r, fanin_error *error)
{
    (void)values;
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_EYE);
    r->bound = 1;
    return FANIN_OK;
}

static fanin_status resolve_dirac(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                  fanin_error *error)
{
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_DIRAC);
    r->fill.value[0] = values[0];
    r->bound = 1;
    return FANIN_OK;
}

/* Rows (or columns) of length max(rows, cols) have norm gain, so an element has std gain / sqrt(max). */
static fanin_status resolve_orthogonal(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                       fanin_error *error)
{
    int64_t nelem = fanin_tensor_nelem(tensor);
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_ORTHOGONAL);
    r->fill.value[0] = values[0];
    r->gain = values[0];
    r->bound = fabs(values[0]);
    if (nelem > 0 && tensor->ndim >= 1) {
        int64_t rows = tensor->shape[0], cols = nelem / rows;
        r->std = fabs(values[0]) / sqrt((double)(rows > cols ? rows : cols));
    }
    return FANIN_OK;
}

static fanin_status resolve_sparse(const double *values, const fanin_tensor *tensor, fanin_resolved *r,
                                   fanin_error *error)
{
    (void)tensor;
    (void)error;
    *r = fanin_resolved_none(FANIN_FILL_SPARSE);
    r->fill.value[0] = values[0];
    r->fill.value[1] = values[1];
    if (values[0] >= 0 && values[0] <= 1)
        r->std = values[1] * sqrt(1 - values[0]);
    return FANIN_OK;
}

const fanin_initializer fanin_initializer_uniform = {
    .name = "uniform",
    .parameters = {{"a", FANIN_PARAMETER_NUMBER, false, 0.0, "lower bound"},
                   {"b", FANIN_PARAMETER_NUMBER, false, 1.0, "upper bound, itself excluded from torch 2.12 on"}},
    .formula = "U[a, b)",
    .reference = "torch.nn.init.uniform_",
    .advice = "Where a paper or a checkpoint gives the bound itself; else an initializer that takes it from the fans.",
    .resolve = resolve_uniform,
};

const fanin_initializer fanin_initializer_normal = {
    .name = "normal",
    .parameters = {{"mean", FANIN_PARAMETER_NUMBER, false, 0.0, "mean"},
                   {"std", FANIN_PARAMETER_NUMBER, false, 1.0, "standard deviation"}},
    .formula = "N(mean, std^2)",
    .reference = "torch.nn.init.normal_",
    .advice =
        "Embeddings and the linear layers of transformers (std=0.02); residual branches take std=0.02/sqrt(2*L) for L "
        "layers (GPT-2).",
    .resolve = resolve_normal,
};

const fanin_initializer fanin_initializer_trunc_normal = {
    .name = "trunc_normal",
    .parameters = {{"mean", FANIN_PARAMETER_NUMBER, false, 0.0, "mean before truncation"},
                   {"std", FANIN_PARAMETER_NUMBER, false, 1.0, "standard deviation before truncation"},
                   {"a", FANIN_PARAMETER_NUMBER, false, -2.0, "lower cut, a value, not a multiple of std"},
                   {"b", FANIN_PARAMETER_NUMBER, false, 2.0, "upper cut, a value, not a multiple of std"}},
    .formula = "N(mean, std^2) given a <= value <= b",
    .reference = "torch.nn.init.trunc_normal_",
    .advice = "Vision transformers (std=0.02; the cuts at +-2 are then 100 std away and do nothing). For a cut at two "
              "standard deviations write a=-2*std, b=2*std; the std of the values is then 0.88 std.",
    .resolve = resolve_trunc_normal,
};

const fanin_initializer fanin_initializer_constant = {
    .name = "constant",
    .parameters = {{"val", FANIN_PARAMETER_NUMBER, true, 0.0, "the value"}},
    .formula = "val",
    .reference = "torch.nn.init.constant_",
    .advice =
        "Biases with a meaning: 1 for the forget gate of an LSTM (Jozefowicz et al. 2015), log(p/(1-p)) for an output "
        "that predicts a rare class.",
    .resolve = resolve_constant,
};

const fanin_initializer fanin_initializer_ones = {
    .name = "ones",
    .formula = "1",
    .reference = "torch.nn.init.ones_",
    .advice = "Weights of normalization layers.",
    .resolve = resolve_ones,
};

const fanin_initializer fanin_initializer_zeros = {
    .name = "zeros",
    .formula = "0",
    .reference = "torch.nn.init.zeros_",
    .advice =
        "Biases, and the last layer of a residual branch, which then begins as the identity. Never all weights of a "
        "layer whose input matters: its units would stay equal.",
    .resolve = resolve_zeros,
};

const fanin_initializer fanin_initializer_eye = {
    .name = "eye",
    .formula = "1 where row = column, else 0",
    .reference = "torch.nn.init.eye_",
    .advice = "Linear layers that should begin as the identity; recurrent weights of ReLU RNNs (Le et al. 2015).",
    .resolve = resolve_eye,
};

const fanin_initializer fanin_initializer_dirac = {
    .name = "dirac",
    .parameters = {{"groups", FANIN_PARAMETER_INTEGER, false, 1.0, "groups of the convolution"}},
    .formula = "1 at the kernel's centre where output channel = input channel (in each group), else 0",
    .reference = "torch.nn.init.dirac_",
    .advice = "Convolutions that should begin as the identity.",
    .resolve = resolve_dirac,
};

const fanin_initializer fanin_initializer_orthogonal = {
    .name = "orthogonal",
    .parameters = {{"gain", FANIN_PARAMETER_NUMBER, false, 1.0, "scale, see calculate_gain"}},
    .formula = "gain * Q, Q (semi-)orthogonal from the QR of a normal matrix [shape[0], rest]",
    .reference = "Saxe et al. 2013; signs as Mezzadri 2007",
    .advice =
        "Recurrent weights (one gate at a time) and deep networks without normalization: keeps the norm of what passes "
        "through. gain sqrt(2) before ReLU.",
    .resolve = resolve_orthogonal,
};

const fanin_initializer fanin_initializer_sparse = {
    .name = "sparse",
    .parameters = {{"sparsity", FANIN_PARAMETER_NUMBER, true, 0.0, "share of each column that becomes 0"},
                   {"std", FANIN_PARAMETER_NUMBER, false, 0.01, "standard deviation of the others"}},
    .formula = "N(0, std^2), ceil(sparsity * rows) zeros a column",
    .reference = "Martens 2010",
    .advice = "Few strong connections a unit in wide layers with saturating activations.",
    .resolve = resolve_sparse,
};

fanin_status fanin_uniform(const fanin_tensor *tensor, double from, double to, fanin_generator *generator,
                           fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_uniform, (const double[]){from, to}, tensor, generator, error);
}

fanin_status fanin_normal(const fanin_tensor *tensor, double mean, double std, fanin_generator *generator,
                          fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_normal, (const double[]){mean, std}, tensor, generator, error);
}

fanin_status fanin_trunc_normal(const fanin_tensor *tensor, double mean, double std, double a, double b,
                                fanin_generator *generator, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_trunc_normal, (const double[]){mean, std, a, b}, tensor, generator,
                                 error);
}

fanin_status fanin_constant(const fanin_tensor *tensor, double value, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_constant, &value, tensor, NULL, error);
}

fanin_status fanin_ones(const fanin_tensor *tensor, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_ones, NULL, tensor, NULL, error);
}

fanin_status fanin_zeros(const fanin_tensor *tensor, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_zeros, NULL, tensor, NULL, error);
}

fanin_status fanin_eye(const fanin_tensor *tensor, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_eye, NULL, tensor, NULL, error);
}

fanin_status fanin_dirac(const fanin_tensor *tensor, int64_t groups, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_dirac, (const double[]){(double)groups}, tensor, NULL, error);
}

fanin_status fanin_orthogonal(const fanin_tensor *tensor, double gain, fanin_generator *generator, fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_orthogonal, &gain, tensor, generator, error);
}

fanin_status fanin_sparse(const fanin_tensor *tensor, double sparsity, double std, fanin_generator *generator,
                          fanin_error *error)
{
    return fanin_initializer_run(&fanin_initializer_sparse, (const double[]){sparsity, std}, tensor, generator, error);
}
