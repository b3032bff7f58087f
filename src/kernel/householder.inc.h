/* SPDX-License-Identifier: MIT */
/*
 * Blocked Householder QR, one strip of 48 columns at a time: Q = H(0) H(1) ..., H = I - tau v transposed(v), and for
 * the reflectors of a strip H(0) ... H(47) = I - V T transposed(V) (Schreiber and Van Loan 1989), T upper triangular.
 *
 * Included with gemm.inc.h, once a type; FMA is the fused multiply-add of REAL. What is kept of T is its transposed S,
 * row by row. Column norms are summed in double, everything else in REAL.
 */

/* H = I - tau v transposed(v) that reduces a column of this head and this sum of squares below it. */
struct NAME(reflector) {
    REAL tau;
    REAL inverse; /* v is the tail times this, below a 1 */
    REAL sign;    /* of the head that is left */
};

/*
 * A tail with a norm below 2^-50 (float), 2^-100 (double) counts as reduced: its matrix has entries near 1, so that is
 * far below one rounding of them, and no square that matters is subnormal.
 */
static struct NAME(reflector) NAME(reflect)(REAL head, double squares)
{
    const double smallest = sizeof(REAL) == sizeof(double) ? 0x1p-200 : 0x1p-100;
    if (squares < smallest)
        return (struct NAME(reflector)){0, 0, (REAL)(head > 0 ? 1 : head < 0 ? -1 : 0)};
    const double x = (double)head, norm = sqrt(x * x + squares), beta = x > 0 ? -norm : norm;
    return (struct NAME(reflector)){(REAL)((beta - x) / beta), (REAL)(1 / (x - beta)), beta > 0 ? 1 : -1};
}

/* row += x c, sum += y row */
static inline void NAME(sweep_row)(REAL *row, REAL x, REAL y, const VECTOR *c, VECTOR *sum)
{
    for (size_t v = 0; v < NAME(TILE_VECTORS); v++) {
        VECTOR updated = V(fma)(V(set1)(x), c[v], V(load)(row + v * LANES));
        V(store)(row + v * LANES, updated);
        sum[v] = V(fma)(V(set1)(y), updated, sum[v]);
    }
}

/*
 * One reflection and the sums that the next one needs, in one pass over memory: every row is reduced by its element of
 * column k times weight[], then sum[j] = sum of column `next` times column j, and the squares of column `next`.
 */
static double NAME(sweep)(REAL *rows, size_t nrows, size_t k, size_t next, const REAL *weight, REAL *sum)
{
    enum { CHUNK = 64 };
    double total = 0;
    memset(sum, 0, sizeof *sum * FANIN_STRIP);
    for (size_t first = 0; first < nrows; first += CHUNK, rows += CHUNK * FANIN_STRIP) {
        const size_t n = nrows - first < CHUNK ? nrows - first : CHUNK;
        REAL x[CHUNK], y[CHUNK];
        double squares[2] = {0, 0};
        for (size_t r = 0; r < n; r++) {
            x[r] = -rows[r * FANIN_STRIP + k];
            y[r] = FMA(x[r], weight[next], rows[r * FANIN_STRIP + next]);
            squares[r % 2] = __builtin_fma((double)y[r], (double)y[r], squares[r % 2]);
        }
        total += squares[0] + squares[1];
        for (size_t j = 0; j < FANIN_STRIP; j += NAME(TILE_COLS)) {
            VECTOR c[NAME(TILE_VECTORS)], even[NAME(TILE_VECTORS)], odd[NAME(TILE_VECTORS)];
            for (size_t v = 0; v < NAME(TILE_VECTORS); v++) {
                c[v] = V(load)(weight + j + v * LANES);
                even[v] = odd[v] = V(set1)(0);
            }
            REAL *row = rows + j;
            size_t r = 0;
            for (; r + 2 <= n; r += 2, row += 2 * FANIN_STRIP) {
                NAME(sweep_row)(row, x[r], y[r], c, even);
                NAME(sweep_row)(row + FANIN_STRIP, x[r + 1], y[r + 1], c, odd);
            }
            if (r < n)
                NAME(sweep_row)(row, x[r], y[r], c, even);
            for (size_t v = 0; v < NAME(TILE_VECTORS); v++) {
                REAL *at = sum + j + v * LANES;
                V(store)(at, V(add)(V(load)(at), V(add)(even[v], odd[v])));
            }
        }
    }
    return total;
}

/* Row k of S: -tau times the sum of dot[j] S[j], and tau on the diagonal. */
static void NAME(extend)(REAL *s, size_t k, REAL tau, const REAL *dot)
{
    REAL *row = s + k * FANIN_STRIP;
    for (size_t i = 0; i < FANIN_STRIP; i += LANES) {
        VECTOR sum = V(set1)(0);
        for (size_t j = 0; j < k; j++)
            sum = V(fma)(V(set1)(dot[j]), V(load)(s + j * FANIN_STRIP + i), sum);
        V(store)(row + i, V(mul)(V(set1)(-tau), sum));
    }
    row[k] = tau;
}

/* The reflectors as products take them: 1 on the diagonal, 0 above it. */
static void NAME(finish)(REAL *strip, size_t nrows, size_t ncols, const REAL *inverse)
{
    for (size_t i = 0; i < FANIN_STRIP; i++)
        for (size_t j = 0; j < FANIN_STRIP; j++) {
            REAL *at = strip + i * FANIN_STRIP + j;
            *at = i > j ? *at * inverse[j] : i == j && j < ncols ? 1 : 0;
        }
    for (size_t i = FANIN_STRIP; i < nrows; i++)
        for (size_t j = 0; j < FANIN_STRIP; j += LANES) {
            REAL *at = strip + i * FANIN_STRIP + j;
            V(store)(at, V(mul)(V(load)(at), V(load)(inverse + j)));
        }
}

/*
 * While a strip is reduced, its columns hold the reflectors before their division by v's head; `inverse` is what makes
 * them v. The rows of R are never needed again, so row k is left as it is when column k is reduced.
 */
static void NAME(factor)(void *strip, size_t nrows, size_t ncols, void *s, double *sign)
{
    REAL *a = strip, *transposed_t = s;
    REAL sum[FANIN_STRIP], dot[FANIN_STRIP], weight[FANIN_STRIP] = {0}, inverse[FANIN_STRIP] = {0};
    double squares = NAME(sweep)(a + FANIN_STRIP, nrows - 1, 0, 0, weight, sum);
    memset(transposed_t, 0, sizeof *transposed_t * FANIN_STRIP * FANIN_STRIP);
    for (size_t k = 0; k < ncols; k++) {
        const REAL *row = a + k * FANIN_STRIP;
        const struct NAME(reflector) h = NAME(reflect)(row[k], squares);
        sign[k] = (double)h.sign;
        inverse[k] = h.inverse;
        for (size_t j = 0; j < FANIN_STRIP; j++) {
            const REAL product = FMA(h.inverse, sum[j], row[j]);
            dot[j] = j < k ? inverse[j] * product : product;
            weight[j] = j > k ? h.tau * h.inverse * product : 0;
        }
        NAME(extend)(transposed_t, k, h.tau, dot);
        if (k + 1 < ncols) {
            REAL *next = a + (k + 1) * FANIN_STRIP, x = -next[k];
            for (size_t j = 0; j < FANIN_STRIP; j++)
                next[j] = FMA(x, weight[j], next[j]);
            squares = NAME(sweep)(next + FANIN_STRIP, nrows - k - 2, k, k + 1, weight, sum);
        }
    }
    for (size_t k = ncols; k < FANIN_STRIP; k++)
        sign[k] = 0;
    NAME(finish)(a, nrows, ncols, inverse);
}

/* The first 48 rows of the result are rows of R, which nobody asks for: c keeps what it had. */
static void NAME(apply_transposed)(void *c, const void *v, const void *s, size_t nrows)
{
    enum { TOP = FANIN_STRIP * FANIN_STRIP };
    _Alignas(64) REAL w[TOP], tw[TOP] = {0};
    NAME(product_of_transposed)(w, v, c, nrows);
    NAME(product)(tw, s, w, FANIN_STRIP, 1);
    NAME(product)((REAL *)c + TOP, (const REAL *)v + TOP, tw, nrows - FANIN_STRIP, -1);
}

static void NAME(apply)(void *c, const void *v, const void *s, size_t nrows)
{
    enum { TOP = FANIN_STRIP * FANIN_STRIP };
    _Alignas(64) REAL w[TOP], tw[TOP];
    NAME(product_of_transposed)(w, (const REAL *)v + TOP, (const REAL *)c + TOP, nrows - FANIN_STRIP);
    NAME(product_of_transposed)(tw, s, w, FANIN_STRIP);
    memset(c, 0, sizeof w);
    NAME(product)(c, v, tw, nrows, -1);
}

/* E - V (T transposed(V's first 48 rows)), E the first columns of the identity; each column times its sign. */
static void NAME(form)(void *strip, const void *s, const double *sign, size_t nrows)
{
    enum { TOP = FANIN_STRIP * FANIN_STRIP, STEP = FANIN_STRIP_ROWS * FANIN_STRIP };
    _Alignas(64) REAL top[TOP], w[TOP], rows[STEP];
    REAL *a = strip;
    for (size_t i = 0; i < FANIN_STRIP; i++)
        for (size_t j = 0; j < FANIN_STRIP; j++)
            top[i * FANIN_STRIP + j] = a[j * FANIN_STRIP + i] * (REAL)sign[j];
    NAME(product_of_transposed)(w, s, top, FANIN_STRIP);
    for (size_t i = 0; i < nrows; i += FANIN_STRIP_ROWS) {
        REAL *out = a + i * FANIN_STRIP;
        memcpy(rows, out, sizeof rows);
        memset(out, 0, sizeof rows);
        for (size_t r = 0; r < FANIN_STRIP_ROWS && i + r < FANIN_STRIP; r++)
            out[r * FANIN_STRIP + i + r] = (REAL)sign[i + r];
        NAME(product)(out, rows, w, FANIN_STRIP_ROWS, -1);
    }
}
