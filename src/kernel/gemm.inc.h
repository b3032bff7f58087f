/* SPDX-License-Identifier: MIT */
/*
 * Matrix products in one order of additions: each element is a chain of fused multiply-adds in ascending order of the
 * summed index, and lanes are different elements. So neither the width of a vector nor the shape of a tile shows.
 *
 * Included once a type: REAL, LANES (of a vector of it), V(word) for the vocabulary, VECTOR, NAME(name) with a suffix.
 *
 * Matrices are strips: 48 columns, rows one after the other, row-major. That is already the order in which products
 * read them, so nothing is packed. 48 columns are a whole number of 3-vector tiles in every vocabulary; the vocabulary
 * says how many rows (TILE_ROWS, which divides FANIN_STRIP_ROWS) its registers hold.
 */
enum { NAME(TILE_VECTORS) = 3, NAME(TILE_COLS) = NAME(TILE_VECTORS) * LANES };

/*
 * acc = sum over k of a(r, k) b(k, :), a(r, k) = a[r * row_step + k * k_step]. Inlined, so that the steps are
 * constants and acc stays in registers.
 */
static inline __attribute__((always_inline)) void NAME(tile)(VECTOR acc[TILE_ROWS][NAME(TILE_VECTORS)], const REAL *a,
                                                             size_t row_step, size_t k_step, const REAL *b, size_t nk)
{
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t v = 0; v < NAME(TILE_VECTORS); v++)
            acc[r][v] = V(set1)(0);
    for (size_t k = 0; k < nk; k++) {
        VECTOR row[NAME(TILE_VECTORS)];
        for (size_t v = 0; v < NAME(TILE_VECTORS); v++)
            row[v] = V(load)(b + k * FANIN_STRIP + v * LANES);
        for (size_t r = 0; r < TILE_ROWS; r++) {
            VECTOR x = V(set1)(a[r * row_step + k * k_step]);
            for (size_t v = 0; v < NAME(TILE_VECTORS); v++)
                acc[r][v] = V(fma)(x, row[v], acc[r][v]);
        }
    }
}

/*
 * w = transposed(a) b, 48 x 48. Rows are summed CHUNK at a time, the chunks then added in order: smaller rounding
 * errors than one long chain, and both chunks stay in the first-level cache.
 */
static void NAME(product_of_transposed)(REAL *w, const REAL *a, const REAL *b, size_t nrows)
{
    enum { CHUNK = 128 };
    memset(w, 0, sizeof *w * FANIN_STRIP * FANIN_STRIP);
    for (size_t first = 0; first < nrows; first += CHUNK) {
        const size_t n = nrows - first < CHUNK ? nrows - first : CHUNK;
        for (size_t i = 0; i < FANIN_STRIP; i += TILE_ROWS)
            for (size_t j = 0; j < FANIN_STRIP; j += NAME(TILE_COLS)) {
                VECTOR acc[TILE_ROWS][NAME(TILE_VECTORS)];
                NAME(tile)(acc, a + first * FANIN_STRIP + i, 1, FANIN_STRIP, b + first * FANIN_STRIP + j, n);
                for (size_t r = 0; r < TILE_ROWS; r++)
                    for (size_t v = 0; v < NAME(TILE_VECTORS); v++) {
                        REAL *at = w + (i + r) * FANIN_STRIP + j + v * LANES;
                        V(store)(at, V(add)(V(load)(at), acc[r][v]));
                    }
            }
    }
}

/* c += scale a w, with w 48 x 48 and nrows a multiple of FANIN_STRIP_ROWS. */
static void NAME(product)(REAL *c, const REAL *a, const REAL *w, size_t nrows, REAL scale)
{
    for (size_t i = 0; i < nrows; i += TILE_ROWS)
        for (size_t j = 0; j < FANIN_STRIP; j += NAME(TILE_COLS)) {
            VECTOR acc[TILE_ROWS][NAME(TILE_VECTORS)];
            NAME(tile)(acc, a + i * FANIN_STRIP, FANIN_STRIP, 1, w + j, FANIN_STRIP);
            for (size_t r = 0; r < TILE_ROWS; r++)
                for (size_t v = 0; v < NAME(TILE_VECTORS); v++) {
                    REAL *at = c + (i + r) * FANIN_STRIP + j + v * LANES;
                    V(store)(at, V(fma)(V(set1)(scale), acc[r][v], V(load)(at)));
                }
        }
}
