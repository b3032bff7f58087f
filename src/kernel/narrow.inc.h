/* SPDX-License-Identifier: MIT */
/*
 * Householder QR of a matrix of few columns, kept column by column: there are no products to gain from, so lanes are
 * rows. Included behind householder.inc.h, with the same parameters.
 */
enum { NAME(BLOCK_VECTORS) = FANIN_COLUMN_BLOCK / LANES / (sizeof(REAL) / sizeof(float)) };

/*
 * sum[j] = x . column j: 256 bytes of partial sums in REAL, each over 16 blocks, added in pairs that do not depend on
 * the variant; then in double.
 */
static void NAME(dots)(const REAL *x, const REAL *a, size_t height, size_t ncols, double *sum)
{
    enum { BLOCK = NAME(BLOCK_VECTORS) * LANES, CHUNK = 16 * BLOCK };
    for (size_t j = 0; j < ncols; j++)
        sum[j] = 0;
    for (size_t first = 0; first < height; first += CHUNK) {
        const size_t end = height - first < CHUNK ? height : first + CHUNK;
        for (size_t j = 0; j < ncols; j++) {
            const REAL *column = a + j * height;
            REAL partial[BLOCK];
            VECTOR acc[NAME(BLOCK_VECTORS)];
            for (size_t v = 0; v < NAME(BLOCK_VECTORS); v++)
                acc[v] = V(set1)(0);
            for (size_t i = first; i < end; i += BLOCK)
                for (size_t v = 0; v < NAME(BLOCK_VECTORS); v++)
                    acc[v] = V(fma)(V(load)(x + i + v * LANES), V(load)(column + i + v * LANES), acc[v]);
            for (size_t v = 0; v < NAME(BLOCK_VECTORS); v++)
                V(store)(partial + v * LANES, acc[v]);
            for (size_t half = BLOCK / 2; half > 0; half /= 2)
                for (size_t i = 0; i < half; i++)
                    partial[i] += partial[i + half];
            sum[j] += (double)partial[0];
        }
    }
}

/* column j += weight[j] x */
static void NAME(add)(REAL *a, size_t height, size_t ncols, const REAL *x, const REAL *weight)
{
    enum { CHUNK = 16 * NAME(BLOCK_VECTORS) * LANES };
    for (size_t first = 0; first < height; first += CHUNK) {
        const size_t end = height - first < CHUNK ? height : first + CHUNK;
        for (size_t j = 0; j < ncols; j++) {
            const VECTOR w = V(set1)(weight[j]);
            for (size_t i = first; i < end; i += LANES) {
                REAL *at = a + j * height + i;
                V(store)(at, V(fma)(w, V(load)(x + i), V(load)(at)));
            }
        }
    }
}

/*
 * Column k is left as v before its division by v's head. Rows that are done, of R, are set to 0 on the way, and so are
 * heads: sums may then begin at the first row.
 */
static void NAME(orthogonalize_narrow)(void *columns, size_t height, size_t ncols)
{
    REAL *a = columns;
    REAL head[FANIN_NARROW], weight[FANIN_NARROW];
    double sum[FANIN_NARROW];
    struct NAME(reflector) h[FANIN_NARROW];
    for (size_t k = 0; k < ncols; k++) {
        REAL *x = a + k * height;
        for (size_t j = k; j < ncols; j++) {
            head[j] = a[j * height + k];
            a[j * height + k] = 0;
        }
        NAME(dots)(x, x, height, ncols - k, sum + k);
        h[k] = NAME(reflect)(head[k], sum[k]);
        for (size_t j = k + 1; j < ncols; j++)
            weight[j] = -h[k].tau * h[k].inverse * FMA(h[k].inverse, (REAL)sum[j], head[j]);
        NAME(add)(x + height, height, ncols - k - 1, x, weight + k + 1);
    }
    for (size_t k = ncols; k-- > 0;) {
        REAL *x = a + k * height;
        const REAL itself = -h[k].tau * h[k].inverse;
        NAME(dots)(x, x + height, height, ncols - k - 1, sum + k + 1);
        for (size_t j = k + 1; j < ncols; j++) {
            a[j * height + k] = itself * (REAL)sum[j];
            weight[j] = a[j * height + k] * h[k].inverse;
        }
        NAME(add)(x + height, height, ncols - k - 1, x, weight + k + 1);
        for (size_t i = 0; i < height; i += LANES)
            V(store)(x + i, V(mul)(V(set1)(itself * h[k].sign), V(load)(x + i)));
        x[k] = (1 - h[k].tau) * h[k].sign;
    }
}
