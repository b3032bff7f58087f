/* SPDX-License-Identifier: MIT */
/*
 * The law that values follow, the rules that give it, and whether training has left its mark: a matrix as it was drawn
 * has rows and columns that differ by chance alone.
 */
#include "diagnose/origin.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Below so many values anything fits something. */
enum { MIN_NVALUES = 256 };
/* Rows shorter than this say little of their own. */
enum { MIN_NROW = 16 };
/* Over a million rows chance exceeds it once in 10^12. */
#define MAX_ROW_ERRORS 9.5

static const double none = (double)NAN;

/* -- What schemes look at -------------------------------------------------------------------------------------------*/

/* The tensor whose name is this one's with another leaf. */
static const struct fanin_record *beside(const fanin_diagnosis *diagnosis, const char *name, const char *leaf)
{
    char other[1024];
    const char *dot = strrchr(name, '.');
    size_t n = dot != NULL ? (size_t)(dot - name) + 1 : 0;
    if (n + strlen(leaf) >= sizeof other)
        return NULL;
    memcpy(other, name, n);
    strcpy(other + n, leaf);
    size_t i = fanin_names_find(&diagnosis->names, other);
    return i != SIZE_MAX ? &diagnosis->records[i] : NULL;
}

static int64_t hidden_size(const struct fanin_record *record)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    int64_t gates = 0;
    switch (tensor->layer_kind) {
    case FANIN_LAYER_LSTM:
    case FANIN_LAYER_LSTM_CELL:
        gates = 4;
        break;
    case FANIN_LAYER_GRU:
    case FANIN_LAYER_GRU_CELL:
        gates = 3;
        break;
    case FANIN_LAYER_RNN:
    case FANIN_LAYER_RNN_CELL:
        gates = 1;
        break;
    default:
        return -1;
    }
    bool projected = tensor->role != NULL && strcmp(tensor->role, "weight_hr") == 0;
    if (projected)
        return tensor->ndim == 2 ? tensor->shape[1] : -1;
    return tensor->ndim >= 1 ? tensor->shape[0] / gates : -1;
}

/* The tensor as its fans are counted; without the leading dimension that counts experts. */
static fanin_status fans_of(const struct fanin_record *record, fanin_fans *fans)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const int skipped = record->is_stacked && tensor->ndim == 3 ? 1 : 0;
    if (tensor->ndim - skipped < 2 || tensor->ndim - skipped > FANIN_MAX_DIMS)
        return FANIN_ERROR_SHAPE;
    fanin_tensor view = fanin_tensor_nd(NULL, FANIN_F32, tensor->ndim - skipped, tensor->shape + skipped);
    view.layout = record->layout;
    view.groups = record->groups;
    return fanin_calculate_fans(&view, fans, NULL);
}

struct fanin_scheme_subject fanin_origin_subject(const fanin_diagnosis *diagnosis, const struct fanin_record *record)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const int skipped = record->is_stacked && tensor->ndim == 3 ? 1 : 0;
    struct fanin_scheme_subject subject = {.dtype = tensor->dtype,
                                           .ndim = tensor->ndim - skipped,
                                           .shape = tensor->shape + skipped,
                                           .layout = record->layout,
                                           .groups = record->groups,
                                           .layer_kind = tensor->layer_kind,
                                           .role = tensor->role,
                                           .fan_beside = -1,
                                           .hidden = hidden_size(record)};
    const struct fanin_role *role = &diagnosis->roles[record->role];
    if (tensor->layer >= 0 && role->count > 0) /* members are in the order of their numbers */
        subject.nlayers = diagnosis->records[role->members[role->count - 1]].tensor.layer + 1;
    if (record->part == FANIN_PART_BIAS && subject.hidden < 0) {
        const struct fanin_record *weight = beside(diagnosis, tensor->name, "weight");
        fanin_fans fans;
        if (weight != NULL && fans_of(weight, &fans) == FANIN_OK)
            subject.fan_beside = weight->layout == FANIN_LAYOUT_TRANSPOSED ? fans.out : fans.in;
    }
    return subject;
}

/* -- Laws of whole matrices -----------------------------------------------------------------------------------------*/

/* Square lengths of rows (columns), least and greatest. */
static bool lengths(const double *means, const double *variances, uint64_t n, uint64_t length, double *least,
                    double *greatest)
{
    *least = INFINITY;
    *greatest = 0;
    if (means == NULL || variances == NULL || n == 0)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        double square = (double)length * (variances[i] + means[i] * means[i]);
        *least = fmin(*least, square);
        *greatest = fmax(*greatest, square);
    }
    return *least > 0;
}

/* Rows are at right angles: asked of the first two that lie within the values at hand. */
static bool first_rows_are_apart(const struct fanin_scan *scan, uint64_t ncols)
{
    double product = 0, a = 0, b = 0;
    if (2 * ncols > scan->nfirst)
        return true;
    for (uint64_t i = 0; i < ncols; i++) {
        double x = (double)scan->first[i], y = (double)scan->first[ncols + i];
        product += x * y;
        a += x * x;
        b += y * y;
    }
    return fabs(product) <= 0.05 / sqrt((double)ncols) * sqrt(a * b);
}

/*
 * An orthogonal matrix has rows (columns, if those are shorter) of one length. Those of independent values differ by
 * sqrt(2 / length) of their square; rounding to 16 bits changes 2^-8 sqrt(2 / length) of it.
 */
static double orthogonal_gain(const struct fanin_scan *scan)
{
    const fanin_statistics *s = &scan->statistics;
    const bool wide = s->nrows <= s->ncols;
    const uint64_t n = wide ? s->nrows : s->ncols, length = wide ? s->ncols : s->nrows;
    double least, greatest;
    bool known = wide ? lengths(scan->row_means, scan->row_variances, n, length, &least, &greatest)
                      : lengths(scan->column_means, scan->column_variances, n, length, &least, &greatest);
    if (!known || n < 4 || greatest - least > 0.02 * sqrt(2 / (double)length) * greatest ||
        (wide && !first_rows_are_apart(scan, s->ncols)))
        return 0;
    return sqrt(0.5 * (least + greatest));
}

static bool is_eye(const fanin_diagnosis_tensor *tensor, const struct fanin_scan *scan)
{
    const fanin_statistics *s = &scan->statistics;
    const uint64_t least = s->nrows < s->ncols ? s->nrows : s->ncols;
    return tensor->ndim == 2 && least >= 2 && s->min == 0 && s->max == 1 && s->nmax == least &&
           s->nzero == s->nelem - least && scan->first[0] == 1 &&
           (s->ncols + 1 >= scan->nfirst || scan->first[s->ncols + 1] == 1);
}

static bool is_dirac(const fanin_diagnosis_tensor *tensor, const struct fanin_scan *scan)
{
    const fanin_statistics *s = &scan->statistics;
    if (tensor->ndim < 3 || tensor->ndim > 5 || s->min != 0 || s->max != 1 || s->nzero + s->nmax != s->nelem)
        return false;
    uint64_t centre = 0;
    for (int32_t d = 2; d < tensor->ndim; d++)
        centre = centre * (uint64_t)tensor->shape[d] + (uint64_t)tensor->shape[d] / 2;
    return s->nmax <= (uint64_t)tensor->shape[0] && centre < scan->nfirst && scan->first[centre] == 1;
}

/* As many zeros in every column, normal values else. The share of zeros, 0 if it is not so. */
static double sparsity(const fanin_diagnosis_tensor *tensor, const struct fanin_scan *scan, double *std)
{
    const fanin_statistics *s = &scan->statistics;
    /* NOLINTNEXTLINE(*DivideZero): where a zero is, a column is */
    if (tensor->ndim != 2 || s->nzero == 0 || s->nzero == s->nelem || s->nzero % s->ncols != 0 ||
        s->nelem < MIN_NVALUES || (s->nzero >= 64 && 4 * s->zero_run > s->nzero))
        return 0; /* zeros in one place are not strewn */
    const double share = (double)s->nzero / (double)s->nelem;
    /* moments about 0 of those that are not zero: of a normal 3 times its square */
    const double second = (s->variance + s->mean * s->mean) / (1 - share);
    const double fourth = s->kurtosis * s->variance * s->variance / (1 - share);
    const double error = sqrt(24 / ((double)s->nelem * (1 - share)));
    *std = sqrt(second);
    return fabs(fourth / (second * second) - 3) < 8 * error + 0.01 ? share : 0;
}

/* -- Marks of training ----------------------------------------------------------------------------------------------*/

static const char *say(struct fanin_record *record, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *say(struct fanin_record *record, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return fanin_arena_text(&record->arena, text, strlen(text));
}

/* The most unlikely row (column) in standard errors: of its mean, or of its variance. Rows of zeros are left out. */
static double most_unlike(const double *means, const double *variances, uint64_t n, uint64_t length,
                          const fanin_law *law, double grid)
{
    const double std = fanin_law_std(law), mean = fanin_law_mean(law), kurtosis = fanin_law_kurtosis(law);
    double furthest = 0, least = INFINITY, greatest = 0;
    if (means == NULL || variances == NULL || length < MIN_NROW || n < 2)
        return 0;
    for (uint64_t i = 0; i < n; i++) {
        if (variances[i] == 0 && means[i] == 0)
            continue;
        const double off = fabs(means[i] - mean), second = variances[i] + (means[i] - mean) * (means[i] - mean);
        furthest = off > furthest ? off : furthest;
        least = second < least ? second : least;
        greatest = second > greatest ? second : greatest;
    }
    if (least > greatest)
        return 0;
    const double low = fabs(fanin_law_variance_errors(least / (std * std), kurtosis, length)),
                 high = fabs(fanin_law_variance_errors(greatest / (std * std), kurtosis, length)),
                 off = (furthest / std - grid) * sqrt((double)length);
    return fmax(off, fmax(low, high));
}

/* Why values that fit the law were changed since they were drawn; NULL: nothing tells. */
static const char *mark_of_training(struct fanin_record *record, const struct fanin_scan *scan, const fanin_law *law)
{
    const fanin_statistics *s = &scan->statistics;
    const double grid = fanin_dtype_nbits(record->tensor.dtype) <= 16 ? 0x1p-7 : 0;
    const double n = (double)(s->nelem < FANIN_SCAN_NFIRST ? s->nelem : FANIN_SCAN_NFIRST);
    double rows = most_unlike(scan->row_means, scan->row_variances, s->nrows, s->ncols, law, grid);
    double columns = most_unlike(scan->column_means, scan->column_variances, s->ncols, s->nrows, law, grid);
    if (rows > MAX_ROW_ERRORS)
        return say(record, "a row is %.1f standard errors from what chance gives", rows);
    if (columns > MAX_ROW_ERRORS)
        return say(record, "a column is %.1f standard errors from what chance gives", columns);
    if (fabs(s->lag1) > FANIN_LAW_MAX_ERRORS / sqrt(n))
        return say(record, "neighbours are correlated by %.3f", s->lag1);
    if (s->nelem >= 10000 && grid == 0) {
        double kurtosis = fanin_law_kurtosis(law), error = sqrt(24 / (double)s->nelem);
        if (fabs(s->kurtosis - kurtosis) > 12 * error)
            return say(record, "kurtosis %.3f, of that law %.3f", s->kurtosis, kurtosis);
    }
    return NULL;
}

/* -- Putting it together --------------------------------------------------------------------------------------------*/

static fanin_status add_rules(struct fanin_record *record, const struct fanin_scheme *schemes, size_t n,
                              fanin_origin *origin, fanin_error *error)
{
    fanin_origin_rule *rules = fanin_arena_allocate(&record->arena, n, sizeof *rules);
    if (rules == NULL)
        return fanin_fail_memory(error, n * sizeof *rules);
    origin->is_one_law = n > 0;
    for (size_t i = 0; i < n; i++) {
        rules[i] =
            (fanin_origin_rule){.title = schemes[i].title,
                                .rule = fanin_arena_text(&record->arena, schemes[i].call, strlen(schemes[i].call)),
                                .divisor = schemes[i].divisor,
                                .fan = schemes[i].divisor != NULL ? schemes[i].fan : -1,
                                .std = schemes[i].std};
        if (rules[i].rule == NULL)
            return fanin_fail_memory(error, strlen(schemes[i].call));
        origin->is_one_law = origin->is_one_law && schemes[i].law.kind == schemes[0].law.kind &&
                             fabs(rules[i].std - rules[0].std) <= 1e-6 * rules[0].std;
    }
    origin->rules = rules;
    origin->nrules = n;
    return FANIN_OK;
}

static fanin_status add_rule(struct fanin_record *record, const char *title, const char *call, double std,
                             fanin_origin *origin, fanin_error *error)
{
    struct fanin_scheme scheme = {.title = title, .std = std, .fan = -1};
    snprintf(scheme.call, sizeof scheme.call, "%s", call);
    return add_rules(record, &scheme, 1, origin, error);
}

static fanin_status find_constant(struct fanin_record *record, const struct fanin_scan *scan, fanin_origin *origin,
                                  fanin_error *error)
{
    const double value = scan->statistics.min;
    char call[64], number[FANIN_NUMBER_NBYTES];
    snprintf(call, sizeof call, "constant(val=%s)", fanin_number_format(value, number));
    origin->fits = true;
    origin->law = (fanin_law){.kind = FANIN_LAW_CONSTANT, .value = value};
    origin->untouched = FANIN_YES;
    origin->reason = "all values are one number";
    return add_rule(record,
                    value == 0   ? "zeros"
                    : value == 1 ? "ones"
                                 : "a constant",
                    value == 0   ? "zeros"
                    : value == 1 ? "ones"
                                 : call,
                    0, origin, error);
}

/* Eye, dirac, orthogonal, sparse: laws of the whole tensor, not of each value. */
static fanin_status find_whole(struct fanin_record *record, const struct fanin_scan *scan, fanin_origin *origin,
                               fanin_error *error)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    char call[128], number[FANIN_NUMBER_NBYTES], other[FANIN_NUMBER_NBYTES];
    double gain = 0, share = 0, std = 0;
    if (tensor->ndim < 2 || scan->statistics.nnan > 0 || scan->statistics.ninf > 0)
        return FANIN_OK;
    if (is_eye(tensor, scan) || is_dirac(tensor, scan)) {
        const char *name = tensor->ndim == 2 ? "eye" : "dirac";
        FANIN_TRY(
            add_rule(record, tensor->ndim == 2 ? "the identity" : "the Dirac delta", name, origin->std, origin, error));
        origin->law.kind = FANIN_LAW_OTHER;
    } else if ((gain = orthogonal_gain(scan)) > 0) {
        double round = fanin_scheme_round_number(gain, 1e-3);
        if (fabs(gain - 0x1.6a09e667f3bcdp+0) < 1e-3)
            snprintf(call, sizeof call, "orthogonal(gain=sqrt(2))");
        else if (round == 1)
            snprintf(call, sizeof call, "orthogonal");
        else
            snprintf(call, sizeof call, "orthogonal(gain=%s)", fanin_number_format(round != 0 ? round : gain, number));
        FANIN_TRY(add_rule(record, "orthogonal", call, origin->std, origin, error));
        origin->law = (fanin_law){.kind = FANIN_LAW_ORTHOGONAL, .value = gain};
    } else if ((share = sparsity(tensor, scan, &std)) > 0) {
        double tolerance = FANIN_LAW_MAX_ERRORS * sqrt(0.5 / ((double)scan->statistics.nelem * (1 - share)));
        double round = fanin_scheme_round_number(std, tolerance), zeros = fanin_scheme_round_number(share, 0.5 * share);
        double nzeros = (double)scan->statistics.nzero / (double)scan->statistics.ncols; /* of a column, whole */
        /* torch rounds the number of zeros up: any share that gives it is right */
        zeros = zeros > 0 && ceil(zeros * (double)scan->statistics.nrows) == nzeros ? zeros : share;
        if (round == 0.01)
            snprintf(call, sizeof call, "sparse(sparsity=%s)", fanin_number_format(zeros, number));
        else
            snprintf(call, sizeof call, "sparse(sparsity=%s, std=%s)", fanin_number_format(zeros, number),
                     fanin_number_format(round != 0 ? round : std, other));
        FANIN_TRY(add_rule(record, "sparse (Martens)", call, origin->std, origin, error));
        origin->law.kind = FANIN_LAW_OTHER;
    } else {
        return FANIN_OK;
    }
    origin->fits = true;
    origin->untouched = FANIN_YES;
    origin->reason = "the matrix is as the rule makes it";
    return FANIN_OK;
}

/* The law whose distribution is nearest to values that no law fits. */
static void find_nearest(struct fanin_record *record, const struct fanin_scan *scan, fanin_origin *origin)
{
    const fanin_statistics *s = &scan->statistics;
    fanin_law laws[] = {{.kind = FANIN_LAW_NORMAL, .mean = s->mean, .std = origin->std},
                        {.kind = FANIN_LAW_UNIFORM, .low = s->min, .high = s->max}};
    origin->distance = INFINITY;
    for (size_t i = 0; i < 2; i++) {
        struct fanin_law_test test;
        fanin_law_test(&laws[i], record->tensor.dtype, scan, &test);
        if (test.applies && test.distance < origin->distance) {
            origin->law = laws[i];
            origin->distance = test.distance;
            origin->limit = test.limit;
        }
    }
    if (isinf(origin->distance))
        origin->distance = none;
}

static fanin_status find_random(const fanin_diagnosis *diagnosis, struct fanin_record *record,
                                const struct fanin_scan *scan, fanin_origin *origin, fanin_error *error)
{
    const fanin_statistics *s = &scan->statistics;
    struct fanin_law_fit fit;
    struct fanin_scheme schemes[FANIN_SCHEME_MAX];
    fanin_law_fit(record->tensor.dtype, scan, &fit);
    if (fit.nfits == 0) {
        find_nearest(record, scan, origin);
        origin->untouched = s->nelem < MIN_NVALUES ? FANIN_UNKNOWN : FANIN_NO;
        origin->reason = s->nelem < MIN_NVALUES ? "too few values to tell" : "no law of initialization fits";
        return FANIN_OK;
    }
    const struct fanin_scheme_subject subject = fanin_origin_subject(diagnosis, record);
    size_t n = fanin_scheme_find(&subject, scan, &fit, schemes, FANIN_SCHEME_MAX);
    size_t best = 0;
    for (size_t i = 0; n > 0 && i < fit.nfits; i++)
        if (fit.laws[i].kind == schemes[0].law.kind)
            best = i;
    origin->fits = true;
    origin->law = fit.laws[best];
    origin->distance = fit.tests[best].distance;
    origin->limit = fit.tests[best].limit;
    FANIN_TRY(add_rules(record, schemes, n, origin, error));
    const char *mark = mark_of_training(record, scan, n > 0 ? &schemes[0].law : &origin->law);
    origin->untouched = mark != NULL ? FANIN_NO : n > 0 && s->nelem >= MIN_NVALUES ? FANIN_YES : FANIN_UNKNOWN;
    origin->reason = mark != NULL             ? mark
                     : s->nelem < MIN_NVALUES ? "too few values to tell"
                     : n > 0                  ? "one law and its rule fit in every test"
                                              : "a law fits, but no rule gives its numbers";
    return FANIN_OK;
}

fanin_status fanin_origin_find(const fanin_diagnosis *diagnosis, struct fanin_record *record,
                               const struct fanin_scan *scan, fanin_error *error)
{
    const fanin_statistics *s = &scan->statistics;
    if (scan->bins == NULL || isnan(s->mean))
        return FANIN_OK;
    fanin_origin *origin = fanin_arena_allocate(&record->arena, 1, sizeof *origin);
    if (origin == NULL)
        return fanin_fail_memory(error, sizeof *origin);
    *origin = (fanin_origin){.std = sqrt(s->variance),
                             .bound = fmax(fabs(s->min), fabs(s->max)),
                             .distance = none,
                             .limit = none,
                             .reason = "some values are no numbers"};
    fanin_status status = FANIN_OK;
    if (s->nnan > 0 || s->ninf > 0)
        origin->untouched = FANIN_NO;
    else if (s->min == s->max)
        status = find_constant(record, scan, origin, error);
    else
        status = find_whole(record, scan, origin, error);
    if (status == FANIN_OK && !origin->fits && s->nnan == 0 && s->ninf == 0)
        status = find_random(diagnosis, record, scan, origin, error);
    if (status == FANIN_OK && origin->reason == NULL)
        status = fanin_fail_memory(error, FANIN_SHOW_NBYTES);
    if (status != FANIN_OK)
        return status;
    record->origin = origin;
    if (origin->fits || record->tensor.is_random_looking)
        record->tensor.fitted = origin->law;
    return FANIN_OK;
}

const fanin_origin *fanin_diagnosis_origin(const fanin_diagnosis *diagnosis, size_t i)
{
    return i < diagnosis->nrecords ? diagnosis->records[i].origin : NULL;
}
