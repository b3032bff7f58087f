/* SPDX-License-Identifier: MIT */
/*
 * Checks by linear algebra: whether a matrix is orthogonal, and whether its largest singular value is that of
 * independent values. A matrix is read in pieces as often as it is needed, so memory holds vectors only.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/origin.h"
#include "kernel/math64.inc.h"

enum {
    PIECE_NELEM = 1 << 16,
    MAX_NELEM = 1 << 24,      /* of larger matrices the first rows stand for all */
    MAX_PROBES = 64,          /* W15 */
    PROBES_NVALUES = 1 << 20, /* values of all probes together */
    NSTEPS = 24               /* of Lanczos: the largest singular value to 1e-3 and better */
};

/* Rows of a weight as doubles, one after the other. */
struct rows {
    const struct fanin_examination *e;
    uint64_t nrows, ncols; /* that are looked at */
    uint8_t *bytes;
    double *values; /* of a piece of a row */
};

static fanin_status begin_rows(struct rows *rows, const struct fanin_examination *e, uint64_t max_nelem,
                               fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    *rows = (struct rows){.e = e, .nrows = s->nrows, .ncols = s->ncols};
    if (max_nelem > 0 && rows->nrows * rows->ncols > max_nelem)
        rows->nrows = max_nelem / rows->ncols > 0 ? max_nelem / rows->ncols : 1;
    rows->bytes = fanin_allocate(PIECE_NELEM, 8);
    rows->values = fanin_allocate(PIECE_NELEM, sizeof *rows->values);
    return rows->bytes != NULL && rows->values != NULL ? FANIN_OK
                                                       : fanin_fail_memory(error, (uint64_t)PIECE_NELEM * 16);
}

static void end_rows(struct rows *rows)
{
    fanin_free(rows->values);
    fanin_free(rows->bytes);
}

/* Elements [begin, begin + n) of the tensor into values. */
static fanin_status read_values(struct rows *rows, uint64_t begin, size_t n, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = rows->e->diagnosis;
    const struct fanin_record *record = rows->e->record;
    const unsigned nbytes = fanin_dtype_nbits(record->tensor.dtype) / 8;
    FANIN_TRY(diagnosis->weights->read(diagnosis->weights->user, (size_t)(record - diagnosis->records), begin * nbytes,
                                       rows->bytes, n * nbytes, error));
    for (size_t i = 0; i < n; i++)
        rows->values[i] = fanin_dtype_value(record->tensor.dtype, rows->bytes, i);
    return FANIN_OK;
}

/*
 * What is done with a piece of whole rows, or of one long row: rows [row, row + nrows) from column `column`, ncols
 * each.
 */
typedef void (*take_piece)(void *context, const double *values, uint64_t row, uint64_t nrows, uint64_t column,
                           uint64_t ncols);

static fanin_status walk_rows(struct rows *rows, take_piece take, void *context, fanin_error *error)
{
    if (rows->ncols <= PIECE_NELEM) {
        const uint64_t step = PIECE_NELEM / rows->ncols;
        for (uint64_t row = 0; row < rows->nrows; row += step) {
            uint64_t n = rows->nrows - row < step ? rows->nrows - row : step;
            FANIN_TRY(read_values(rows, row * rows->ncols, (size_t)(n * rows->ncols), error));
            take(context, rows->values, row, n, 0, rows->ncols);
        }
        return FANIN_OK;
    }
    for (uint64_t row = 0; row < rows->nrows; row++)
        for (uint64_t column = 0; column < rows->ncols; column += PIECE_NELEM) {
            uint64_t n = rows->ncols - column < PIECE_NELEM ? rows->ncols - column : PIECE_NELEM;
            FANIN_TRY(read_values(rows, row * rows->ncols + column, (size_t)n, error));
            take(context, rows->values, row, 1, column, n);
        }
    return FANIN_OK;
}

/* out = A in, or A^T in, of nvectors vectors that lie side by side: in[j * nvectors + k]. */
struct product {
    const double *in;
    double *out;
    size_t nvectors;
    bool is_transposed;
};

static void take_product(void *context, const double *values, uint64_t row, uint64_t nrows, uint64_t column,
                         uint64_t ncols)
{
    const struct product *p = context;
    const size_t n = p->nvectors;
    for (uint64_t r = 0; r < nrows; r++)
        for (uint64_t c = 0; c < ncols; c++) {
            const double value = values[r * ncols + c];
            const double *in = p->in + (p->is_transposed ? row + r : column + c) * n;
            double *out = p->out + (p->is_transposed ? column + c : row + r) * n;
            for (size_t k = 0; k < n; k++)
                out[k] += value * in[k];
        }
}

/* Numbers of a fixed stream in (-1, 1): SplitMix64 (Steele, Lea and Flood 2014). */
static double next_number(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    x ^= x >> 31;
    return (double)(x >> 11) * 0x1p-52 - 1;
}

static bool is_matrix(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    return s->is_float && record->tensor.ndim >= 2 && s->nrows >= 2 && s->ncols >= 2 && s->nnan == 0 && s->ninf == 0 &&
           !record->tensor.is_buffer;
}

/* ---- W15 ---- */

/* Of 64 directions x: the greatest |G x / gain^2 - x|, where G = W W^T or W^T W, whichever is smaller. */
static fanin_status measure_orthogonality(struct rows *rows, double gain, size_t nprobes, double *x, double *middle,
                                          double *y, double *worst, fanin_error *error)
{
    const bool wide = rows->nrows <= rows->ncols;
    const uint64_t least = wide ? rows->nrows : rows->ncols, most = wide ? rows->ncols : rows->nrows;
    uint64_t state = 1;
    for (uint64_t i = 0; i < least * nprobes; i++)
        x[i] = next_number(&state) < 0 ? -1 : 1;
    memset(middle, 0, (size_t)(most * nprobes) * sizeof *middle);
    memset(y, 0, (size_t)(least * nprobes) * sizeof *y);
    struct product first = {x, middle, nprobes, wide}, second = {middle, y, nprobes, !wide};
    FANIN_TRY(walk_rows(rows, take_product, &first, error));
    FANIN_TRY(walk_rows(rows, take_product, &second, error));
    *worst = 0;
    for (uint64_t i = 0; i < least * nprobes; i++)
        *worst = fmax(*worst, fabs(y[i] / (gain * gain) - x[i]));
    return FANIN_OK;
}

/*
 * Rounding to 16 bits changes each element by at most u of it: an entry of W W^T / gain^2 by 2 u / sqrt(n) or so, and a
 * direction of m such entries by 2 u sqrt(m / n), at most 2 u; with 8 times that chance has no part in it.
 */
static double orthogonality_limit(fanin_dtype dtype)
{
    switch (dtype) {
    case FANIN_BF16:
        return 16 * 0x1p-9;
    case FANIN_F16:
        return 16 * 0x1p-12;
    case FANIN_F8_E4M3:
        return 16 * 0x1p-5;
    case FANIN_F8_E5M2:
        return 16 * 0x1p-4;
    default:
        return 1e-4;
    }
}

fanin_status fanin_check_orthogonal(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_law *law = &record->tensor.expected;
    struct rows rows;
    if (law->kind != FANIN_LAW_ORTHOGONAL || !is_matrix(record) || !(fabs(law->value) > 0))
        return FANIN_OK;
    fanin_status status = begin_rows(&rows, e, 0, error);
    const uint64_t most = rows.nrows > rows.ncols ? rows.nrows : rows.ncols;
    const size_t nprobes = most * MAX_PROBES <= PROBES_NVALUES ? MAX_PROBES
                           : most < PROBES_NVALUES             ? (size_t)(PROBES_NVALUES / most)
                                                               : 1;
    double *vectors = fanin_allocate(3 * nprobes, (size_t)most * sizeof *vectors), worst = 0;
    if (status == FANIN_OK && vectors == NULL)
        status = fanin_fail_memory(error, 3 * nprobes * most * sizeof *vectors);
    if (status == FANIN_OK)
        status = measure_orthogonality(&rows, law->value, nprobes, vectors, vectors + most * nprobes,
                                       vectors + 2 * most * nprobes, &worst, error);
    fanin_free(vectors);
    end_rows(&rows);
    const double limit = orthogonality_limit(record->tensor.dtype);
    if (status != FANIN_OK || worst <= limit)
        return status;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    draft.measured = worst;
    draft.expected = 0;
    draft.what = fanin_say(e, "W W^T / gain^2 differs from the identity by up to %.3g, in %zu random directions", worst,
                           nprobes);
    draft.expectation = fanin_say(e, "at most %.2g (orthogonal, gain %.6g)", limit, law->value);
    draft.consequence = "signals are stretched in some directions and lost in others, which orthogonal weights are for";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

/* ---- W16 ---- */

/* How many eigenvalues of the tridiagonal matrix are below x: by the signs of its LDL^T (Givens 1954). */
static size_t count_below(const double *diagonal, const double *beside, size_t n, double x)
{
    size_t count = 0;
    double d = 1;
    for (size_t i = 0; i < n; i++) {
        double square = i > 0 ? beside[i - 1] * beside[i - 1] : 0;
        d = diagonal[i] - x - (d != 0 ? square / d : square / 0x1p-1000);
        count += d < 0;
    }
    return count;
}

static double largest_eigenvalue(const double *diagonal, const double *beside, size_t n)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < n; i++) {
        double reach = fabs(diagonal[i]) + (i > 0 ? fabs(beside[i - 1]) : 0) + (i + 1 < n ? fabs(beside[i]) : 0);
        high = fmax(high, reach);
    }
    for (int i = 0; i < 60; i++) {
        double middle = 0.5 * (low + high);
        if (count_below(diagonal, beside, n, middle) == n)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* z = A^T A x in one pass where rows are whole. */
struct normal_product {
    const double *x;
    double *z, *y; /* y: of long rows */
};

static void take_normal(void *context, const double *values, uint64_t row, uint64_t nrows, uint64_t column,
                        uint64_t ncols)
{
    const struct normal_product *p = context;
    (void)row, (void)column;
    for (uint64_t r = 0; r < nrows; r++) {
        const double *a = values + r * ncols;
        double sums[8] = {0};
        uint64_t c = 0;
        for (; c + 8 <= ncols; c += 8)
            for (int k = 0; k < 8; k++)
                sums[k] += a[c + (uint64_t)k] * p->x[c + (uint64_t)k];
        double sum = (sums[0] + sums[4]) + (sums[1] + sums[5]) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
        for (; c < ncols; c++)
            sum += a[c] * p->x[c];
        for (c = 0; c < ncols; c++)
            p->z[c] += sum * a[c];
    }
}

static fanin_status multiply_normal(struct rows *rows, const double *x, double *y, double *z, fanin_error *error)
{
    memset(z, 0, (size_t)rows->ncols * sizeof *z);
    if (rows->ncols <= PIECE_NELEM) {
        struct normal_product p = {x, z, y};
        return walk_rows(rows, take_normal, &p, error);
    }
    memset(y, 0, (size_t)rows->nrows * sizeof *y);
    struct product first = {x, y, 1, false}, second = {y, z, 1, true};
    FANIN_TRY(walk_rows(rows, take_product, &first, error));
    return walk_rows(rows, take_product, &second, error);
}

static double dot(const double *a, const double *b, uint64_t n)
{
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Lanczos 1950, of A^T A, without reorthogonalization: the largest value is found all the same. */
static fanin_status largest_singular_value(struct rows *rows, double *v, double *before, double *z, double *y,
                                           double *value, fanin_error *error)
{
    const uint64_t n = rows->ncols;
    double diagonal[NSTEPS], beside[NSTEPS], beta = 0;
    uint64_t state = 2;
    size_t step = 0;
    for (uint64_t i = 0; i < n; i++)
        v[i] = next_number(&state);
    double length = sqrt(dot(v, v, n));
    for (uint64_t i = 0; i < n; i++) {
        v[i] /= length;
        before[i] = 0;
    }
    while (step < NSTEPS) {
        FANIN_TRY(multiply_normal(rows, v, y, z, error));
        double alpha = dot(v, z, n);
        for (uint64_t i = 0; i < n; i++)
            z[i] -= alpha * v[i] + beta * before[i];
        beta = sqrt(dot(z, z, n));
        diagonal[step] = alpha;
        beside[step++] = beta;
        if (!(beta > 1e-12 * fabs(alpha)))
            break; /* the matrix has no more directions */
        for (uint64_t i = 0; i < n; i++) {
            before[i] = v[i];
            v[i] = z[i] / beta;
        }
    }
    *value = sqrt(largest_eigenvalue(diagonal, beside, step));
    return FANIN_OK;
}

static fanin_status find_largest(struct rows *rows, double *value, fanin_error *error)
{
    double *vectors = fanin_allocate((size_t)(3 * rows->ncols + rows->nrows), sizeof *vectors);
    if (vectors == NULL)
        return fanin_fail_memory(error, (3 * rows->ncols + rows->nrows) * sizeof *vectors);
    fanin_status status = largest_singular_value(rows, vectors, vectors + rows->ncols, vectors + 2 * rows->ncols,
                                                 vectors + 3 * rows->ncols, value, error);
    fanin_free(vectors);
    return status;
}

fanin_status fanin_check_spectrum(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_statistics *s = &record->statistics;
    const bool whole_law =
        record->tensor.fitted.kind == FANIN_LAW_ORTHOGONAL || record->tensor.fitted.kind == FANIN_LAW_OTHER;
    struct rows rows;
    double value = 0;
    if (!is_matrix(record) || !record->tensor.is_weight || !record->tensor.is_random_looking || whole_law ||
        s->nrows < 8 || s->ncols < 8)
        return FANIN_OK;
    fanin_status status = begin_rows(&rows, e, MAX_NELEM, error);
    if (status == FANIN_OK)
        status = find_largest(&rows, &value, error);
    end_rows(&rows);
    if (status != FANIN_OK)
        return status;
    const double m = (double)rows.nrows, n = (double)rows.ncols, std = sqrt(s->variance + s->mean * s->mean);
    const double least = fmin(m, n), expected = std * (sqrt(m) + sqrt(n));
    const double slack = 5 / fanin_exp(2 * fanin_log(least) / 3);
    /* the sum of all squared singular values over the largest one */
    const double rank = m * n * std * std / (value * value),
                 random_rank = m * n / ((sqrt(m) + sqrt(n)) * (sqrt(m) + sqrt(n)));
    const bool thin = rank < 0.25 * random_rank;
    if (!thin && value <= expected * (1 + slack))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    draft.topic = thin ? "rank" : "value";
    draft.measured = thin ? rank : value;
    draft.expected = thin ? random_rank : expected;
    if (thin)
        draft.what =
            fanin_say(e, "the stable rank is %.3g of %.0f: the largest singular value is %.4g", rank, least, value);
    else
        draft.what = fanin_say(e, "the largest singular value is %.4g, x %.3g of that of independent values", value,
                               value / expected);
    draft.expectation =
        thin ? fanin_say(e, "about %.3g, as of independent values", random_rank)
             : fanin_say(e, "%.4g within %.2g %%, std (sqrt(%.0f) + sqrt(%.0f))", expected, 100 * slack, m, n);
    draft.consequence =
        thin ? "the layer carries only a few independent signals, whatever its size: it is a product of thin "
               "matrices, or one row over and over"
             : "one direction of the input is favoured over all others";
    draft.remedy = FANIN_REMEDY_REDRAW;
    return fanin_add(e, &draft, error);
}
