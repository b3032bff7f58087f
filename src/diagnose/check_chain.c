/* SPDX-License-Identifier: MIT */
/*
 * The size of the signal, and of the gradient, along layers that follow each other with nothing but an activation
 * between them: by the mean field of wide layers (Poole et al. 2016, Schoenholz et al. 2017).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/origin.h"
#include "kernel/math64.inc.h"

/* What is left of the square of the signal over the chain. */
#define WARN_FACTOR  1e2
#define ERROR_FACTOR 1e6
/* A layer that changes the signal by less is right. */
#define GOOD_FACTOR 0.1

/* ---- activations ---- */

static double sigmoid(double x)
{
    return 1 / (1 + fanin_exp(-x));
}
static double hyperbolic(double x)
{
    double e = fanin_exp(-2 * fabs(x));
    return copysign((1 - e) / (1 + e), x);
}
static double normal_share(double x)
{
    return 0.5 * (1 + fanin_erf(x * 0x1.6a09e667f3bcdp-1));
}

static double of_linear(double x)
{
    return x;
}
static double of_relu(double x)
{
    return x > 0 ? x : 0;
}
static double of_leaky(double x)
{
    return x > 0 ? x : 0.01 * x;
}
static double of_gelu(double x)
{
    return x * normal_share(x);
}
static double of_quick_gelu(double x)
{
    return x * sigmoid(1.702 * x);
}
static double of_silu(double x)
{
    return x * sigmoid(x);
}
static double of_mish(double x)
{
    return x * hyperbolic(fanin_log1p(fanin_exp(x)));
}
static double of_elu(double x)
{
    return x > 0 ? x : fanin_exp(x) - 1;
}
static double of_selu(double x)
{
    return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (fanin_exp(x) - 1));
}
static double of_softplus(double x)
{
    return fanin_log1p(fanin_exp(x));
}
static double of_softsign(double x)
{
    return x / (1 + fabs(x));
}
static double of_hardtanh(double x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}
static double of_relu6(double x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}
static double of_hardswish(double x)
{
    return x < -3 ? 0 : x > 3 ? x : x * (x + 3) / 6;
}
static double of_squared_relu(double x)
{
    return x > 0 ? x * x : 0;
}

/* With the rule that keeps the size of the signal: gains are those of docs/check.md, 1 / sqrt(E f(z)^2). */
static const struct activation {
    const char *name;
    double (*of)(double);
    const char *init, *scheme;
} activations[] = {
    {"linear", of_linear, "kaiming_normal(nonlinearity=linear)", "LeCun"},
    {"identity", of_linear, "kaiming_normal(nonlinearity=linear)", "LeCun"},
    {"relu", of_relu, "kaiming_normal(nonlinearity=relu)", "He"},
    {"leaky_relu", of_leaky, "kaiming_normal(a=0.01)", "He"},
    {"gelu", of_gelu, "xavier_normal(gain=1.5335)", "Xavier with the gain of GELU"},
    {"gelu_new", of_gelu, "xavier_normal(gain=1.5335)", "Xavier with the gain of GELU"},
    {"gelu_fast", of_gelu, "xavier_normal(gain=1.5335)", "Xavier with the gain of GELU"},
    {"gelu_pytorch_tanh", of_gelu, "xavier_normal(gain=1.5335)", "Xavier with the gain of GELU"},
    {"quick_gelu", of_quick_gelu, "xavier_normal(gain=1.5395)", "Xavier with the gain of GELU"},
    {"silu", of_silu, "xavier_normal(gain=1.6765)", "Xavier with the gain of SiLU"},
    {"swish", of_silu, "xavier_normal(gain=1.6765)", "Xavier with the gain of SiLU"},
    {"mish", of_mish, "xavier_normal(gain=1.4868)", "Xavier with the gain of Mish"},
    {"elu", of_elu, "xavier_normal(gain=1.2452)", "Xavier with the gain of ELU"},
    {"selu", of_selu, "kaiming_normal(nonlinearity=linear)", "LeCun"},
    {"softplus", of_softplus, "xavier_normal(gain=1.0419)", "Xavier"},
    {"tanh", hyperbolic, "xavier_normal(gain=5/3)", "Xavier with the gain of tanh"},
    {"sigmoid", sigmoid, "xavier_normal", "Xavier"},
    {"softsign", of_softsign, "xavier_normal", "Xavier"},
    {"hardtanh", of_hardtanh, "xavier_normal(gain=1.392)", "Xavier with the gain of hardtanh"},
    {"relu6", of_relu6, "kaiming_normal(nonlinearity=relu)", "He"},
    {"hardswish", of_hardswish, "xavier_normal(gain=1.7367)", "Xavier with the gain of hardswish"},
    {"relu2", of_squared_relu, "xavier_normal(gain=0.8165)", "Xavier with the gain of squared ReLU"},
};

static const struct activation *find_activation(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof activations / sizeof activations[0]; i++)
        if (strcmp(activations[i].name, name) == 0)
            return &activations[i];
    return NULL;
}

fanin_status fanin_activation_check(const char *name, fanin_error *error)
{
    enum { N = sizeof activations / sizeof activations[0] };
    const char *names[N];
    char shown[FANIN_SHOW_NBYTES], known[512] = "";
    if (find_activation(name) != NULL)
        return FANIN_OK;
    for (size_t i = 0; i < N; i++) {
        names[i] = activations[i].name;
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = fanin_nearest(name, names, N);
    return fanin_fail(error, FANIN_ERROR_ARGUMENT, "no activation is called \"%s\"%s%s%s; there are %s",
                      fanin_show(name, strlen(name), shown), nearest != NULL ? " (did you mean " : "",
                      nearest != NULL ? nearest : "", nearest != NULL ? "?)" : "", known);
}

/*
 * E f(sqrt(q) z)^2 and E f'(sqrt(q) z)^2 of a normal z, by the trapezoidal rule within +-8; the slope by differences
 * over the same steps, so that a kink at 0 counts half on each side.
 */
struct moments {
    double square, slope;
};

static struct moments moments_of(const struct activation *activation, double q)
{
    enum { NSTEPS = 400 };
    const double step = 16.0 / NSTEPS, root = sqrt(q);
    struct moments sums = {0, 0};
    double total = 0, before = 0;
    for (int i = 0; i <= NSTEPS; i++) {
        double z = -8 + step * i, weight = fanin_exp(-0.5 * z * z), value = activation->of(root * z);
        sums.square += weight * value * value;
        total += weight;
        if (i > 0) {
            double middle = z - 0.5 * step, slope = root > 0 ? (value - before) / (root * step) : 0;
            sums.slope += fanin_exp(-0.5 * middle * middle) * slope * slope;
        }
        before = value;
    }
    return (struct moments){sums.square / total, sums.slope / total};
}

/* ---- the chain ---- */

struct walk {
    const fanin_diagnosis *diagnosis;
    size_t *layers; /* in their order */
    size_t nlayers;
    double signal, gradient; /* what is left of their squares over all layers */
    const struct activation *activation;
    bool is_known; /* of every layer but the last one the activation is */
};

static bool find_layers(struct walk *walk)
{
    const fanin_diagnosis *diagnosis = walk->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        if (diagnosis->records[i].chain >= 1 && diagnosis->records[i].chain <= diagnosis->nrecords)
            walk->nlayers += diagnosis->records[i].tensor.is_weight;
    for (size_t place = 0; place < walk->nlayers; place++)
        walk->layers[place] = SIZE_MAX;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        if (!record->tensor.is_weight || record->chain < 1 || record->chain > walk->nlayers)
            continue;
        walk->layers[record->chain - 1] = i;
    }
    for (size_t place = 0; place < walk->nlayers; place++)
        if (walk->layers[place] == SIZE_MAX)
            return false; /* several chains, or a gap: nothing is known of the whole */
    return walk->nlayers >= 2;
}

/*
 * Of the two fans the one that is nearer to keeping the signal counts: a network that He et al. 2015 scale by either
 * (eq. 10, eq. 14) is right, since what the fans differ by cancels along the chain.
 */
static double nearest_factor(double per_input, const fanin_diagnosis_tensor *tensor)
{
    double by_in = per_input * (double)tensor->fan_in, by_out = per_input * (double)tensor->fan_out;
    return fabs(fanin_log(by_in)) <= fabs(fanin_log(by_out)) ? by_in : by_out;
}

static bool follow(struct walk *walk)
{
    const struct fanin_record *records = walk->diagnosis->records;
    double q = 1;
    walk->signal = walk->gradient = 1;
    walk->activation = find_activation(records[walk->layers[0]].tensor.activation);
    for (size_t i = 0; i < walk->nlayers; i++) {
        const struct fanin_record *record = &records[walk->layers[i]];
        /* what lies before the layer; before the first one what follows it, as He et al. count */
        const struct activation *activation =
            i == 0 ? walk->activation : find_activation(records[walk->layers[i - 1]].tensor.activation);
        const double variance = record->statistics.variance;
        if (activation == NULL || record->norm_follows == FANIN_YES || record->in_residual == FANIN_YES ||
            record->statistics.nnan > 0 || record->statistics.ninf > 0 || !(variance > 0) ||
            record->tensor.fan_in < 1 || record->tensor.fan_out < 1)
            return false;
        const struct moments moments = moments_of(activation, q);
        const double factor = nearest_factor(variance * moments.square / q, &record->tensor);
        walk->signal *= factor;
        walk->gradient *= nearest_factor(variance * moments.slope, &record->tensor);
        q = fmin(1e12, fmax(1e-12, q * factor));
        if (i + 1 < walk->nlayers && activation != walk->activation)
            walk->activation = NULL; /* several: none is named */
    }
    return true;
}

/* For who reads the diagnosis: the standard deviation with which each layer would keep the square of the signal. */
static void recommend(struct fanin_examination *e, const struct walk *walk)
{
    struct fanin_record *records = walk->diagnosis->records;
    for (size_t i = 0; i < walk->nlayers; i++) {
        fanin_diagnosis_tensor *tensor = &records[walk->layers[i]].tensor;
        const char *before = records[walk->layers[i > 0 ? i - 1 : 0]].tensor.activation;
        const struct activation *activation = find_activation(before);
        if (tensor->expected.kind != FANIN_LAW_NONE || !isnan(tensor->expected_std) || activation == NULL)
            continue;
        tensor->expected_std = 1 / sqrt((double)tensor->fan_in * moments_of(activation, 1).square);
        tensor->expected_by = fanin_say(e, "%s (%s follows)", activation->scheme, activation->name);
    }
}

/* The rule that all layers fit, or most: the first one's that most share. */
static const fanin_origin_rule *common_rule(const struct walk *walk, size_t *count)
{
    const fanin_origin_rule *best = NULL;
    *count = 0;
    for (size_t i = 0; i < walk->nlayers; i++) {
        const fanin_origin *origin = walk->diagnosis->records[walk->layers[i]].origin;
        for (size_t r = 0; origin != NULL && r < origin->nrules; r++) {
            size_t n = 0;
            for (size_t k = 0; k < walk->nlayers; k++) {
                const fanin_origin *other = walk->diagnosis->records[walk->layers[k]].origin;
                for (size_t q = 0; other != NULL && q < other->nrules; q++)
                    n += strcmp(other->rules[q].rule, origin->rules[r].rule) == 0;
            }
            if (n > *count) {
                *count = n;
                best = &origin->rules[r];
            }
        }
    }
    return best;
}

static double distance_from_1(double factor)
{
    return factor > 1 ? factor : 1 / factor;
}

/* He's rule makes up for the half that ReLU cuts off, which these do not cut off. */
static bool is_made_for_another(const fanin_origin_rule *rule, const struct activation *activation)
{
    static const char *const whole[] = {"tanh", "sigmoid", "softsign", "hardtanh", "selu", "linear", "identity"};
    if (rule == NULL || activation == NULL || strncmp(rule->title, "He ", 3) != 0)
        return false;
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(activation->name, whole[i]) == 0)
            return true;
    return false;
}

fanin_status fanin_check_chain(struct fanin_examination *e, fanin_error *error)
{
    struct walk walk = {.diagnosis = e->diagnosis};
    walk.layers = fanin_arena_allocate(e->arena, e->diagnosis->nrecords, sizeof *walk.layers);
    if (walk.layers == NULL)
        return fanin_fail_memory(error, e->diagnosis->nrecords * sizeof *walk.layers);
    if (!find_layers(&walk) || !follow(&walk))
        return FANIN_OK;
    recommend(e, &walk);
    /* an activation that saturates keeps the signal within bounds, and then the gradient tells */
    const bool by_gradient = distance_from_1(walk.gradient) > distance_from_1(walk.signal);
    const double factor = by_gradient ? walk.gradient : walk.signal, off = distance_from_1(factor);
    const double a_layer = sqrt(fanin_exp(fanin_log(factor) / (double)walk.nlayers));
    size_t nfitting;
    const fanin_origin_rule *rule = common_rule(&walk, &nfitting);
    const bool is_common = rule != NULL && 2 * nfitting > walk.nlayers;
    const bool is_other = is_common && is_made_for_another(rule, walk.activation);
    const bool is_off = fabs(a_layer - 1) > GOOD_FACTOR && is_common && walk.activation != NULL;
    if (!(off > WARN_FACTOR) && !is_off && !is_other)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(off > ERROR_FACTOR  ? FANIN_SEVERITY_ERROR
                                                 : off > WARN_FACTOR ? FANIN_SEVERITY_WARN
                                                                     : FANIN_SEVERITY_INFO);
    const char *what = by_gradient ? "gradient" : "signal";
    const char *activation = walk.activation != NULL ? walk.activation->name : "its activation";
    draft.topic = "chain";
    draft.measured = sqrt(factor);
    draft.expected = 1;
    if (is_common)
        draft.what =
            fanin_say(e, "%zu of %zu layers follow %s, %s follows each: the %s is x %.3g a layer, x %.2g over all",
                      nfitting, walk.nlayers, rule->rule, activation, what, a_layer, sqrt(factor));
    else
        draft.what = fanin_say(e, "%zu layers, %s follows each: the %s is x %.3g a layer, x %.2g over all",
                               walk.nlayers, activation, what, a_layer, sqrt(factor));
    if (walk.activation != NULL) {
        draft.expectation = fanin_say(e, "x 1, by weights made for %s (%s: %s)", activation, walk.activation->scheme,
                                      walk.activation->init);
        draft.remedy = off > WARN_FACTOR ? FANIN_REMEDY_INIT : FANIN_REMEDY_NONE;
        draft.init = walk.activation->init;
    } else {
        draft.expectation = "x 1";
        draft.remedy = off > WARN_FACTOR ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_NONE;
        draft.missing = "one activation for all layers";
    }
    if (off > WARN_FACTOR)
        draft.consequence = factor < 1 ? (by_gradient ? "almost nothing of the gradient reaches the first layers: they "
                                                        "do not learn"
                                                      : "almost nothing of the input reaches the end: all outputs are "
                                                        "alike, and training begins slowly or not at all")
                                       : (by_gradient ? "gradients explode on their way to the first layers"
                                                      : "values explode from layer to layer, and so do gradients");
    else if (is_other)
        draft.consequence = fanin_say(
            e,
            "these weights make up for the half that ReLU cuts off, which %s does not: another scheme is made for it",
            activation);
    else
        draft.consequence = "too few layers for harm; with more of them the signal fades or explodes";
    draft.ntensors = walk.nlayers;
    draft.tensors = walk.layers;
    return fanin_add(e, &draft, error);
}
