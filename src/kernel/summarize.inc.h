/* SPDX-License-Identifier: MIT */
/*
 * Sums over values for statistics. Eight lanes whatever the machine, so that the order of additions, and with it every
 * bit, is the same in all variants.
 *
 * SUMMARIZE(name) names a function of this type, REAL the type, VECTOR so many as fill a vector, LANES; V(word) a word
 * of the vocabulary for it, DOUBLES(p) as many of the type from p on as fill a vector of doubles.
 */

static void SUMMARIZE(extremes)(const void *data, size_t nrows, size_t ncols, size_t n, double extremes[2])
{
    const REAL *row = data;
    REAL lanes[2][LANES], least = (REAL)INFINITY, greatest = -(REAL)INFINITY;
    VECTOR low = V(set1)(least), high = V(set1)(greatest), low2 = low, high2 = high;
    for (size_t r = 0; r < nrows; r++, row += ncols) {
        size_t i = 0;
        for (; i + 2 * LANES <= n; i += 2 * LANES) {
            VECTOR a = V(load)(row + i), b = V(load)(row + i + LANES);
            low = V(min)(a, low);
            high = V(max)(a, high);
            low2 = V(min)(b, low2);
            high2 = V(max)(b, high2);
        }
        for (; i < n; i++) {
            least = row[i] < least ? row[i] : least;
            greatest = row[i] > greatest ? row[i] : greatest;
        }
    }
    V(store)(lanes[0], V(min)(low, low2));
    V(store)(lanes[1], V(max)(high, high2));
    for (size_t k = 0; k < LANES; k++) {
        least = lanes[0][k] < least ? lanes[0][k] : least;
        greatest = lanes[1][k] > greatest ? lanes[1][k] : greatest;
    }
    extremes[0] = (double)least;
    extremes[1] = (double)greatest;
}

/* `n` columns, a multiple of 16, of `nrows` rows, up to 4. Narrow machines come by once for each of their lanes. */
__attribute__((always_inline)) static inline void SUMMARIZE(band)(const REAL *values, const size_t nrows, size_t ncols,
                                                                  size_t n, const bool has_columns,
                                                                  const struct fanin_sums *sums, uint32_t *bins)
{
    double lanes[2][SUM_ROWS][SUM_LANES];
    double *columns = sums->columns, *squares = sums->column_squares;
    for (size_t lane = 0; lane < SUM_LANES; lane += D) {
        vd row[SUM_ROWS], square[SUM_ROWS], cube = vd_load(sums->cubes + lane), fourth = vd_load(sums->fourths + lane);
        for (size_t r = 0; r < nrows; r++)
            row[r] = square[r] = vd_set1(0);
        for (size_t j = lane; j < n; j += 2 * SUM_LANES) {
            vd c[2], s[2];
            for (size_t k = 0; k < 2 && has_columns; k++) {
                c[k] = vd_load(columns + j + k * SUM_LANES);
                s[k] = vd_load(squares + j + k * SUM_LANES);
            }
            for (size_t r = 0; r < nrows; r++) {
                const REAL *at = values + r * ncols + j;
                vd x = DOUBLES(at), y = DOUBLES(at + SUM_LANES), xx = vd_mul(x, x), yy = vd_mul(y, y);
                row[r] = vd_add(row[r], vd_add(x, y));
                square[r] = vd_add(square[r], vd_add(xx, yy));
                cube = vd_add(cube, vd_add(vd_mul(xx, x), vd_mul(yy, y)));
                fourth = vd_add(fourth, vd_add(vd_mul(xx, xx), vd_mul(yy, yy)));
                if (has_columns) {
                    c[0] = vd_add(c[0], x);
                    c[1] = vd_add(c[1], y);
                    s[0] = vd_add(s[0], xx);
                    s[1] = vd_add(s[1], yy);
                }
            }
            for (size_t k = 0; k < 2 && has_columns; k++) {
                vd_store(columns + j + k * SUM_LANES, c[k]);
                vd_store(squares + j + k * SUM_LANES, s[k]);
            }
            if (bins != NULL && lane == 0)
                for (size_t r = 0; r < nrows; r++)
                    SUMMARIZE(count16)(bins, values + r * ncols + j);
        }
        vd_store(sums->cubes + lane, cube);
        vd_store(sums->fourths + lane, fourth);
        for (size_t r = 0; r < nrows; r++) {
            vd_store(lanes[0][r] + lane, row[r]);
            vd_store(lanes[1][r] + lane, square[r]);
        }
    }
    for (size_t r = 0; r < nrows; r++) {
        sums->rows[r] += sum_lanes(lanes[0][r]);
        sums->row_squares[r] += sum_lanes(lanes[1][r]);
    }
}

/* What is left of columns becomes sixteen, filled up with zeros, which add nothing. */
__attribute__((always_inline)) static inline void SUMMARIZE(rows)(const REAL *values, const size_t nrows, size_t ncols,
                                                                  size_t n, const bool has_columns,
                                                                  const struct fanin_sums *sums)
{
    enum { STEP = 2 * SUM_LANES };
    const size_t whole = n / STEP * STEP, left = n - whole;
    if (whole > 0)
        SUMMARIZE(band)(values, nrows, ncols, whole, has_columns, sums, sums->bins);
    if (left == 0)
        return;
    REAL last[SUM_ROWS * STEP] = {0};
    double columns[STEP] = {0}, squares[STEP] = {0};
    struct fanin_sums of_last = *sums;
    of_last.columns = columns;
    of_last.column_squares = squares;
    for (size_t r = 0; r < nrows; r++)
        for (size_t j = 0; j < left; j++)
            last[r * STEP + j] = values[r * ncols + whole + j];
    if (has_columns) {
        memcpy(columns, sums->columns + whole, left * sizeof *columns);
        memcpy(squares, sums->column_squares + whole, left * sizeof *squares);
    }
    SUMMARIZE(band)(last, nrows, STEP, STEP, has_columns, &of_last, NULL);
    if (has_columns) {
        memcpy(sums->columns + whole, columns, left * sizeof *columns);
        memcpy(sums->column_squares + whole, squares, left * sizeof *squares);
    }
    if (sums->bins != NULL)
        for (size_t r = 0; r < nrows; r++)
            SUMMARIZE(count)(sums->bins, values + r * ncols + whole, left);
}

static void SUMMARIZE(sums)(const void *data, size_t nrows, size_t ncols, size_t n, const struct fanin_sums *to)
{
    const REAL *values = data;
    struct fanin_sums sums = *to;
    for (; nrows >= SUM_ROWS; nrows -= SUM_ROWS, values += SUM_ROWS * ncols) {
        if (sums.columns != NULL)
            SUMMARIZE(rows)(values, SUM_ROWS, ncols, n, true, &sums);
        else
            SUMMARIZE(rows)(values, SUM_ROWS, ncols, n, false, &sums);
        sums.rows += SUM_ROWS;
        sums.row_squares += SUM_ROWS;
    }
    for (; nrows > 0; nrows--, values += ncols, sums.rows++, sums.row_squares++) {
        if (sums.columns != NULL)
            SUMMARIZE(rows)(values, 1, ncols, n, true, &sums);
        else
            SUMMARIZE(rows)(values, 1, ncols, n, false, &sums);
    }
}

static void SUMMARIZE(powers)(const void *data, size_t n, double from, double powers[4])
{
    enum { STEP = 2 * SUM_LANES };
    const REAL *values = data;
    const size_t whole = n / STEP * STEP;
    const vd back = vd_set1(-from);
    double lanes[4][SUM_LANES];
    for (size_t lane = 0; lane < SUM_LANES; lane += D) {
        vd first = vd_set1(0), second = first, third = first, fourth = first;
        for (size_t i = lane; i < whole; i += STEP) {
            vd x = vd_add(DOUBLES(values + i), back), y = vd_add(DOUBLES(values + i + SUM_LANES), back);
            vd xx = vd_mul(x, x), yy = vd_mul(y, y);
            first = vd_add(first, vd_add(x, y));
            second = vd_add(second, vd_add(xx, yy));
            third = vd_add(third, vd_add(vd_mul(xx, x), vd_mul(yy, y)));
            fourth = vd_add(fourth, vd_add(vd_mul(xx, xx), vd_mul(yy, yy)));
        }
        vd_store(lanes[0] + lane, first);
        vd_store(lanes[1] + lane, second);
        vd_store(lanes[2] + lane, third);
        vd_store(lanes[3] + lane, fourth);
    }
    for (size_t j = 0; j < n - whole; j++) {
        double d = (double)values[whole + j] - from, square = d * d;
        lanes[0][j % SUM_LANES] += d;
        lanes[1][j % SUM_LANES] += square;
        lanes[2][j % SUM_LANES] += square * d;
        lanes[3][j % SUM_LANES] += square * square;
    }
    for (int k = 0; k < 4; k++)
        powers[k] = sum_lanes(lanes[k]);
}
