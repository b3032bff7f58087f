/* SPDX-License-Identifier: MIT */
/*
 * The named schemes, each resolved for the shape at hand and held against the values. What a scheme comes to is asked
 * of the catalogue of initializers, so that both never differ.
 */
#include "diagnose/scheme.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fanin/initializer.h"

/* Share of a standard deviation that is left within +-2 of them, and within +-3. */
#define WITHIN_2 0.87962566103423978
#define WITHIN_3 0.98657839255810866

/* Rules from fans, the most usual first. Truncated forms follow from the normal ones. */
static const struct rule {
    const char *title, *truncated; /* truncated: what the form cut at 2 standard deviations is called; NULL */
    const char *call;
    const char *divisor;
} rules[] = {
    {"torch's default of Linear and Conv", NULL, "kaiming_uniform(a=sqrt(5))", "fan_in"},
    {"Xavier (Glorot) uniform", NULL, "xavier_uniform()", "fan_in + fan_out"},
    {"Xavier (Glorot) normal", "Xavier (Glorot) normal, truncated (JAX, Keras)", "xavier_normal()", "fan_in + fan_out"},
    {"He (Kaiming) normal", "He (Kaiming) normal, truncated (JAX, Keras)", "kaiming_normal(nonlinearity=relu)",
     "fan_in"},
    {"He (Kaiming) uniform", NULL, "kaiming_uniform(nonlinearity=relu)", "fan_in"},
    {"He (Kaiming) normal by fan_out", "He (Kaiming) normal by fan_out, truncated",
     "kaiming_normal(mode=fan_out, nonlinearity=relu)", "fan_out"},
    {"He (Kaiming) uniform by fan_out", NULL, "kaiming_uniform(mode=fan_out, nonlinearity=relu)", "fan_out"},
    {"LeCun normal", "LeCun normal, truncated (JAX, Keras)", "kaiming_normal(nonlinearity=linear)", "fan_in"},
    {"LeCun uniform", NULL, "kaiming_uniform(nonlinearity=linear)", "fan_in"},
    {"LeCun normal by fan_out", "LeCun normal by fan_out, truncated",
     "kaiming_normal(mode=fan_out, nonlinearity=linear)", "fan_out"},
    {"LeCun uniform by fan_out", NULL, "kaiming_uniform(mode=fan_out, nonlinearity=linear)", "fan_out"},
    {"torch's default, by fan_out", NULL, "kaiming_uniform(a=sqrt(5), mode=fan_out)", "fan_out"},
    {"Xavier uniform for tanh", NULL, "xavier_uniform(gain=5/3)", "fan_in + fan_out"},
    {"Xavier normal for tanh", NULL, "xavier_normal(gain=5/3)", "fan_in + fan_out"},
    {"Xavier uniform for ReLU", NULL, "xavier_uniform(gain=sqrt(2))", "fan_in + fan_out"},
    {"Xavier normal for ReLU", NULL, "xavier_normal(gain=sqrt(2))", "fan_in + fan_out"},
    {"Xavier uniform of q, k and v (fairseq, BART)", NULL, "xavier_uniform(gain=1/sqrt(2))", "fan_in + fan_out"},
    {"Kaiming normal for tanh", NULL, "kaiming_normal(nonlinearity=tanh)", "fan_in"},
    {"Kaiming uniform for tanh", NULL, "kaiming_uniform(nonlinearity=tanh)", "fan_in"},
    {"Kaiming normal for tanh by fan_out", NULL, "kaiming_normal(mode=fan_out, nonlinearity=tanh)", "fan_out"},
    {"Kaiming normal for SELU (torch's gain 3/4)", NULL, "kaiming_normal(nonlinearity=selu)", "fan_in"},
    {"Kaiming uniform for SELU (torch's gain 3/4)", NULL, "kaiming_uniform(nonlinearity=selu)", "fan_in"},
    {"Kaiming normal for leaky ReLU 0.1", NULL, "kaiming_normal(a=0.1)", "fan_in"},
    {"Kaiming uniform for leaky ReLU 0.1", NULL, "kaiming_uniform(a=0.1)", "fan_in"},
    {"Kaiming normal for leaky ReLU 0.2", NULL, "kaiming_normal(a=0.2)", "fan_in"},
    {"Kaiming uniform for leaky ReLU 0.2", NULL, "kaiming_uniform(a=0.2)", "fan_in"},
    {"Kaiming normal, a=sqrt(5)", NULL, "kaiming_normal(a=sqrt(5))", "fan_in"},
    {"MSRA uniform of Caffe2", NULL, "kaiming_uniform(a=1)", "fan_in"},
};
enum { NRULES = sizeof rules / sizeof rules[0] };

static bool has_fans(const struct fanin_scheme_subject *subject)
{
    return subject->ndim >= 2 && subject->ndim <= FANIN_MAX_DIMS;
}

static fanin_tensor tensor_of(const struct fanin_scheme_subject *subject)
{
    fanin_tensor tensor = fanin_tensor_nd(NULL, FANIN_F64, subject->ndim, subject->shape);
    tensor.layout = subject->layout;
    tensor.groups = subject->groups;
    return tensor;
}

/* What a rule comes to for the subject; false if it says nothing of such a shape. */
static bool resolve(const struct rule *rule, const fanin_tensor *tensor, struct fanin_scheme *scheme)
{
    fanin_call call;
    fanin_resolved resolved;
    if (fanin_call_parse(rule->call, NULL, 0, &call, NULL) != FANIN_OK ||
        fanin_call_resolve(&call, tensor, &resolved, NULL) != FANIN_OK || !(resolved.std > 0))
        return false;
    *scheme =
        (struct fanin_scheme){.title = rule->title,
                              .law = fanin_law_of_fill(&resolved.fill),
                              .std = resolved.std,
                              .divisor = rule->divisor,
                              .fan = strcmp(rule->divisor, "fan_in") == 0    ? resolved.fan_in
                                     : strcmp(rule->divisor, "fan_out") == 0 ? resolved.fan_out
                                                                             : resolved.fan_in + resolved.fan_out};
    snprintf(scheme->call, sizeof scheme->call, "%s", rule->call);
    size_t n = strlen(scheme->call);
    if (n > 2 && strcmp(scheme->call + n - 2, "()") == 0)
        scheme->call[n - 2] = '\0';
    return true;
}

/* ---- numbers ---- */

double fanin_scheme_round_number(double value, double tolerance)
{
    const double size = fabs(value);
    if (!(size > 0) || isinf(size))
        return 0;
    for (int ndigits = 1; ndigits <= 4; ndigits++) {
        char text[32];
        double rounded;
        snprintf(text, sizeof text, "%.*e", ndigits - 1, value);
        if (!fanin_number_parse(text, strlen(text), &rounded) || rounded == 0)
            return 0;
        /* numbers of so many digits lie this far apart: one is as near as that by chance in so many cases */
        int exponent;
        const char *e = strchr(text, 'e');
        exponent = e != NULL ? (int)strtol(e + 1, NULL, 10) : 0;
        double step = 1;
        for (int i = 0; i < abs(exponent - ndigits + 1); i++)
            step = exponent - ndigits + 1 > 0 ? step * 10 : step / 10;
        if (fabs(rounded - value) <= tolerance * size && 2 * tolerance * size < 0.25 * step)
            return rounded;
    }
    return 0;
}

/* ---- candidates ---- */

struct search {
    const struct fanin_scheme_subject *subject;
    const struct fanin_scan *scan;
    const struct fanin_law_fit *fit;
    struct fanin_scheme *schemes;
    size_t n, max;
    double std;       /* of the values */
    double tolerance; /* relative, of a standard deviation that the values may have */
};

static bool has_kind(const struct fanin_law_fit *fit, fanin_law_kind kind)
{
    for (size_t i = 0; i < fit->nfits; i++)
        if (fit->laws[i].kind == kind)
            return true;
    return false;
}

static bool is_known(const struct search *search, const struct fanin_scheme *scheme)
{
    for (size_t i = 0; i < search->n; i++)
        if (strcmp(search->schemes[i].call, scheme->call) == 0)
            return true;
    return false;
}

static void consider(struct search *search, const struct fanin_scheme *scheme)
{
    struct fanin_law_test test;
    if (search->n == search->max || !(fabs(scheme->std - search->std) <= search->tolerance * search->std) ||
        is_known(search, scheme))
        return;
    fanin_law_test(&scheme->law, search->subject->dtype, search->scan, &test);
    if (test.applies && test.passed)
        search->schemes[search->n++] = *scheme;
}

static void write_truncated(struct fanin_scheme *scheme, double std, double bound)
{
    char a[FANIN_NUMBER_NBYTES], b[FANIN_NUMBER_NBYTES], c[FANIN_NUMBER_NBYTES];
    scheme->law =
        (fanin_law){.kind = FANIN_LAW_TRUNC_NORMAL, .std = std, .low = scheme->law.mean - bound, .high = bound};
    scheme->std = fanin_law_std(&scheme->law);
    snprintf(scheme->call, sizeof scheme->call, "trunc_normal(std=%s, a=%s, b=%s)", fanin_number_format(std, a),
             fanin_number_format(-bound, b), fanin_number_format(bound, c));
}

static void consider_fans(struct search *search)
{
    const fanin_tensor tensor = tensor_of(search->subject);
    if (!has_fans(search->subject))
        return;
    for (size_t i = 0; i < NRULES; i++) {
        struct fanin_scheme scheme;
        if (!resolve(&rules[i], &tensor, &scheme))
            continue;
        if (has_kind(search->fit, scheme.law.kind))
            consider(search, &scheme);
        if (rules[i].truncated != NULL && has_kind(search->fit, FANIN_LAW_TRUNC_NORMAL)) {
            double std = scheme.std;
            scheme.title = rules[i].truncated;
            write_truncated(&scheme, std / WITHIN_2, 2 * std / WITHIN_2);
            consider(search, &scheme);
            write_truncated(&scheme, std, 2 * std);
            consider(search, &scheme);
            write_truncated(&scheme, std, 3 * std);
            consider(search, &scheme);
        }
    }
}

/* Standard deviations of transformers' schemes that depend on width and depth. */
static void consider_depth(struct search *search)
{
    static const double bases[] = {0.02, 0.01, 0.006};
    fanin_fans fans;
    const fanin_tensor tensor = tensor_of(search->subject);
    char number[FANIN_NUMBER_NBYTES];
    const bool normal = has_kind(search->fit, FANIN_LAW_NORMAL);
    if (!has_fans(search->subject) || !normal || fanin_calculate_fans(&tensor, &fans, NULL) != FANIN_OK)
        return;
    const double nlayers = (double)search->subject->nlayers;
    for (size_t i = 0; i < sizeof bases / sizeof bases[0] && nlayers >= 1; i++) {
        struct fanin_scheme scheme = {.title = "GPT-2's residual projection, std / sqrt(2 layers)",
                                      .std = bases[i] / sqrt(2 * nlayers),
                                      .fan = -1};
        scheme.law = (fanin_law){.kind = FANIN_LAW_NORMAL, .std = scheme.std};
        snprintf(scheme.call, sizeof scheme.call, "normal(std=%s/sqrt(2*%" PRId64 "))",
                 fanin_number_format(bases[i], number), search->subject->nlayers);
        consider(search, &scheme);
    }
    const double width = (double)(fans.in < fans.out ? fans.in : fans.out);
    struct fanin_scheme small = {.title = "SmallInit", .std = sqrt(2 / (5 * width)), .fan = -1};
    small.law = (fanin_law){.kind = FANIN_LAW_NORMAL, .std = small.std};
    snprintf(small.call, sizeof small.call, "normal(std=sqrt(2/(5*%.0f)))", width);
    consider(search, &small);
    if (nlayers >= 1) {
        struct fanin_scheme wang = {.title = "wang_init of GPT-NeoX", .std = 2 / (nlayers * sqrt(width)), .fan = -1};
        wang.law = (fanin_law){.kind = FANIN_LAW_NORMAL, .std = wang.std};
        snprintf(wang.call, sizeof wang.call, "normal(std=2/(%" PRId64 "*sqrt(%.0f)))", search->subject->nlayers,
                 width);
        consider(search, &wang);
    }
}

/* One over the square root of a number that the shape of this tensor alone does not tell. */
static void consider_bound_of(struct search *search, const char *title, const char *divisor, int64_t fan)
{
    if (fan < 1 || !has_kind(search->fit, FANIN_LAW_UNIFORM))
        return;
    const double bound = 1 / sqrt((double)fan);
    struct fanin_scheme scheme = {.title = title, .divisor = divisor, .fan = fan};
    scheme.law = (fanin_law){.kind = FANIN_LAW_UNIFORM, .low = -bound, .high = bound};
    scheme.std = fanin_law_std(&scheme.law);
    snprintf(scheme.call, sizeof scheme.call, "uniform(a=-1/sqrt(%" PRId64 "), b=1/sqrt(%" PRId64 "))", fan, fan);
    consider(search, &scheme);
}

static const char *title_of_normal(const struct fanin_scheme_subject *subject, double std)
{
    if (std == 1 && subject->layer_kind == FANIN_LAYER_EMBEDDING)
        return "torch's default of Embedding";
    if (std == 0.02)
        return "normal of BERT, GPT-2 and their family";
    return "normal with a fixed standard deviation";
}

/* Fixed numbers: round ones, as people write them. */
static void consider_numbers(struct search *search)
{
    const struct fanin_law_fit *fit = search->fit;
    char a[FANIN_NUMBER_NBYTES], b[FANIN_NUMBER_NBYTES];
    const double n = (double)search->scan->statistics.nelem;
    for (size_t i = 0; i < fit->nfits; i++) {
        const fanin_law *law = &fit->laws[i];
        struct fanin_scheme scheme = {.law = *law, .fan = -1};
        if (law->kind == FANIN_LAW_NORMAL && law->mean == 0) {
            /* in small tensors any number is round: then the usual ones are tried */
            static const double usual[] = {0.02, 0.01, 0.006, 1};
            double round = fanin_scheme_round_number(law->std, search->tolerance);
            for (size_t k = 0; k < 5; k++) {
                double std = k == 0 ? round : usual[k - 1];
                if (std == 0)
                    continue;
                scheme.law.std = scheme.std = std;
                scheme.title = title_of_normal(search->subject, std);
                snprintf(scheme.call, sizeof scheme.call, "normal(std=%s)", fanin_number_format(std, a));
                consider(search, &scheme);
            }
        } else if (law->kind == FANIN_LAW_UNIFORM) {
            /* the greatest of n values misses the bound by less than 28 / n of the range, but for once in 10^12 */
            double tolerance =
                fmin(search->tolerance, 28 / n + 0x1p-7 * (fanin_dtype_nbits(search->subject->dtype) < 32));
            double high = fanin_scheme_round_number(law->high, tolerance);
            double low = law->low == -law->high ? -high : fanin_scheme_round_number(law->low, tolerance);
            if (high == 0 || (low == 0 && law->low < -tolerance * law->high))
                continue;
            scheme.law.low = low;
            scheme.law.high = high;
            scheme.std = fanin_law_std(&scheme.law);
            scheme.title = "uniform with a fixed bound";
            snprintf(scheme.call, sizeof scheme.call, "uniform(a=%s, b=%s)", fanin_number_format(low, a),
                     fanin_number_format(high, b));
            consider(search, &scheme);
        } else if (law->kind == FANIN_LAW_TRUNC_NORMAL && law->mean == 0) {
            /* cut at 2 or 3 of the standard deviations before truncation, or named after what is left */
            static const double cuts[] = {2, 3};
            static const double left[] = {WITHIN_2, WITHIN_3};
            for (size_t k = 0; k < 2; k++) {
                double std = fanin_scheme_round_number(search->std / left[k], search->tolerance);
                scheme.title = k == 0 ? "truncated normal, cut at 2 std (ViT, timm, Keras)"
                                      : "truncated normal, cut at 3 std (OLMo, torchtitan)";
                if (std > 0) {
                    write_truncated(&scheme, std, cuts[k] * std);
                    consider(search, &scheme);
                }
                scheme.title = "truncated normal, std of what is left";
                std = fanin_scheme_round_number(search->std, search->tolerance);
                if (std > 0) {
                    write_truncated(&scheme, std / left[k], cuts[k] * std / left[k]);
                    consider(search, &scheme);
                }
            }
        }
    }
}

/* Where rules differ, those that the values are nearest to come first; the order among these stays. */
static void sort_by_nearness(struct search *search)
{
    const double near = 0.4 * search->tolerance * search->std;
    size_t n = 0;
    for (size_t i = 0; i < search->n; i++) {
        const struct fanin_scheme scheme = search->schemes[i];
        if (fabs(scheme.std - search->std) > near)
            continue;
        memmove(&search->schemes[n + 1], &search->schemes[n], (i - n) * sizeof scheme);
        search->schemes[n++] = scheme;
    }
}

size_t fanin_scheme_find(const struct fanin_scheme_subject *subject, const struct fanin_scan *scan,
                         const struct fanin_law_fit *fit, struct fanin_scheme *schemes, size_t max)
{
    const fanin_statistics *s = &scan->statistics;
    struct search search = {.subject = subject, .scan = scan, .fit = fit, .schemes = schemes, .max = max};
    if (fit->nfits == 0 || !(s->variance > 0))
        return 0;
    const double kurtosis = fanin_law_kurtosis(&fit->laws[0]);
    search.std = sqrt(s->variance + s->mean * s->mean);
    search.tolerance = FANIN_LAW_MAX_ERRORS * sqrt((kurtosis - 1) / (4 * (double)s->nelem)) + 1e-6;
    if (fanin_dtype_nbits(subject->dtype) <= 16)
        search.tolerance += subject->dtype == FANIN_F16 ? 0.004 : 0.012; /* torch's coarse uniforms, rounding */
    /* of embeddings and of what is no known layer fans say little, of more than two dimensions nothing */
    const bool plain = subject->layer_kind == FANIN_LAYER_EMBEDDING || subject->layer_kind == FANIN_LAYER_NONE;
    consider_bound_of(&search, "torch's default of recurrent layers", "hidden_size", subject->hidden);
    consider_bound_of(&search, "torch's default of biases", "fan_in of the weight", subject->fan_beside);
    if (plain)
        consider_numbers(&search);
    if (subject->layer_kind != FANIN_LAYER_NONE || subject->ndim == 2)
        consider_fans(&search);
    if (!plain)
        consider_numbers(&search);
    consider_depth(&search);
    sort_by_nearness(&search);
    return search.n;
}

struct fanin_scheme fanin_scheme_of_std(const struct fanin_scheme_subject *subject, fanin_law_kind kind, double std,
                                        double tolerance)
{
    const fanin_tensor tensor = tensor_of(subject);
    if (has_fans(subject))
        for (size_t i = 0; i < NRULES; i++) {
            struct fanin_scheme scheme;
            if (!resolve(&rules[i], &tensor, &scheme))
                continue;
            bool fits = kind == scheme.law.kind ||
                        (kind == FANIN_LAW_TRUNC_NORMAL && scheme.law.kind == FANIN_LAW_NORMAL) ||
                        kind == FANIN_LAW_NONE;
            if (fits && fabs(scheme.std - std) <= tolerance * std)
                return scheme;
        }
    return (struct fanin_scheme){0};
}
