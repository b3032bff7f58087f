/* SPDX-License-Identifier: MIT */
/*
 * Sums over values for statistics, in plain C that compilers turn into vectors: sixteen lanes whatever the machine, so
 * that the order of additions, and with it every bit, is the same in all variants.
 *
 * SUMMARIZE(name) names a function of this type, REAL the type, BITS and SIGNED its bits as integers that may alias it,
 * VECTOR so many of the type as fill a vector of doubles, SUM_WIDTH.
 */

/*
 * What hashes multiply: the upper half of the bits comes down to the lower as well. Sign and exponent alone would be
 * multiples of a large power of two, whose sums modulo 2^64 have few bits: minus a row would be the row itself.
 */
#define FOLDED(b) ((b) ^ (b) >> (4 * sizeof(BITS)) ^ (b) >> (6 * sizeof(BITS)))

static void SUMMARIZE(range)(const void *data, size_t n, struct fanin_value_range *range)
{
    const BITS *bits = data;
    BITS least = bits[0], greatest = bits[0];
    SIGNED least_signed = (SIGNED)bits[0], greatest_signed = (SIGNED)bits[0];
    BITS nzero = 0;
    for (size_t i = 0; i < n; i++) {
        const BITS b = bits[i];
        const SIGNED s = (SIGNED)b;
        least = b < least ? b : least;
        greatest = b > greatest ? b : greatest;
        least_signed = s < least_signed ? s : least_signed;
        greatest_signed = s > greatest_signed ? s : greatest_signed;
        nzero += (BITS)(b << 1) == 0;
    }
    range->least = least;
    range->greatest = greatest;
    range->least_signed = least_signed;
    range->greatest_signed = greatest_signed;
    range->nzero = nzero;
}

static double SUMMARIZE(sum_lanes)(double lanes[16])
{
    for (int width = 8; width > 0; width /= 2)
        for (int j = 0; j < width; j++)
            lanes[j] += lanes[j + width];
    return lanes[0];
}

/* Values from there on, as doubles. */
#define WIDEN(to, from)                                                                                                \
    do {                                                                                                               \
        VECTOR values_;                                                                                                \
        __builtin_memcpy(&values_, from, sizeof values_);                                                              \
        to = __builtin_convertvector(values_, vector_f64);                                                             \
    } while (0)

/* Two vectors of lanes at a time, so that all sums stay in registers: narrow machines come by more than once. */
#define FOR_LANES(lane) for (size_t lane = 0; lane < 16; lane += 2 * SUM_WIDTH)

/* Sums of the first four powers of what values are from `from`. */
static void SUMMARIZE(powers)(const REAL *values, size_t n, double from, double sums[4])
{
    const size_t whole = n & ~(size_t)15;
    double lanes[4][16];
    vector_f64 x, y;
    FOR_LANES(lane)
    {
        vector_f64 first[2] = {{0}}, second[2] = {{0}}, third[2] = {{0}}, fourth[2] = {{0}};
        for (size_t i = lane; i < whole; i += 16) {
            WIDEN(x, values + i);
            WIDEN(y, values + i + SUM_WIDTH);
            x -= from;
            y -= from;
            vector_f64 x2 = x * x, y2 = y * y;
            first[0] += x;
            first[1] += y;
            second[0] += x2;
            second[1] += y2;
            third[0] += x2 * x;
            third[1] += y2 * y;
            fourth[0] += x2 * x2;
            fourth[1] += y2 * y2;
        }
        __builtin_memcpy(lanes[0] + lane, first, sizeof first);
        __builtin_memcpy(lanes[1] + lane, second, sizeof second);
        __builtin_memcpy(lanes[2] + lane, third, sizeof third);
        __builtin_memcpy(lanes[3] + lane, fourth, sizeof fourth);
    }
    for (size_t j = 0; j < n - whole; j++) {
        double d = (double)values[whole + j] - from, square = d * d;
        lanes[0][j] += d;
        lanes[1][j] += square;
        lanes[2][j] += square * d;
        lanes[3][j] += square * square;
    }
    for (int k = 0; k < 4; k++)
        sums[k] = SUMMARIZE(sum_lanes)(lanes[k]);
}

/*
 * Powers of differences from a guess of the mean, moved to the mean. A guess that is off by d costs the fourth moment
 * digits as (d / std)^4 does: one that is off by more than a standard deviation is made again.
 */
static void SUMMARIZE(moments)(const void *data, size_t n, double sums[4])
{
    const REAL *values = data;
    const size_t nguess = n < 16 ? n : 16;
    double guess = 0, s[4];
    for (size_t j = 0; j < nguess; j++)
        guess += (double)values[j];
    guess /= (double)nguess;
    for (bool is_second = false;; is_second = true) {
        SUMMARIZE(powers)(values, n, guess, s);
        const double d = s[0] / (double)n;
        sums[0] = guess + d;
        sums[1] = s[1] - d * s[0];
        sums[2] = s[2] - 3 * d * s[1] + 2 * d * d * s[0];
        sums[3] = s[3] - 4 * d * s[2] + 6 * d * d * s[1] - 3 * d * d * d * s[0];
        if (is_second || d * s[0] <= sums[1])
            break;
        guess = sums[0];
    }
    sums[1] = sums[1] > 0 ? sums[1] : 0;
    sums[3] = sums[3] > 0 ? sums[3] : 0;
}

static void SUMMARIZE(row)(const void *data, size_t n, double *sum, double *square)
{
    const REAL *values = data;
    const size_t whole = n & ~(size_t)15;
    double lanes[16], lanes2[16];
    vector_f64 x, y;
    FOR_LANES(lane)
    {
        vector_f64 first[2] = {{0}}, second[2] = {{0}};
        for (size_t i = lane; i < whole; i += 16) {
            WIDEN(x, values + i);
            WIDEN(y, values + i + SUM_WIDTH);
            first[0] += x;
            first[1] += y;
            second[0] += x * x;
            second[1] += y * y;
        }
        __builtin_memcpy(lanes + lane, first, sizeof first);
        __builtin_memcpy(lanes2 + lane, second, sizeof second);
    }
    for (size_t j = 0; j < n - whole; j++) {
        double value = (double)values[whole + j];
        lanes[j] += value;
        lanes2[j] += value * value;
    }
    *sum = SUMMARIZE(sum_lanes)(lanes);
    *square = SUMMARIZE(sum_lanes)(lanes2);
}
#undef FOR_LANES
#undef WIDEN

static uint64_t SUMMARIZE(hash)(const void *data, size_t n, const uint64_t *multipliers)
{
    const BITS *bits = data;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += FOLDED(bits[i]) * multipliers[i];
    return sum;
}

/* A strip of columns stays in the first cache while the rows go by, four at a time. */
static void SUMMARIZE(columns)(const void *data, const void *data_bits, size_t nrows, size_t ncols,
                               const uint64_t *factors, uint64_t *restrict hashes, double *restrict sums,
                               double *restrict squares)
{
    enum { STRIP = 512 };
    for (size_t from = 0; from < ncols; from += STRIP) {
        const size_t n = ncols - from < STRIP ? ncols - from : STRIP;
        uint64_t *restrict h = hashes + from;
        double *restrict s = sums + from, *restrict q = squares + from;
        size_t r = 0;
        for (; r + 4 <= nrows; r += 4) {
            const REAL *a = (const REAL *)data + r * ncols + from, *b = a + ncols, *c = b + ncols, *d = c + ncols;
            const BITS *ab = (const BITS *)data_bits + r * ncols + from, *bb = ab + ncols, *cb = bb + ncols,
                       *db = cb + ncols;
            const uint64_t fa = factors[r], fb = factors[r + 1], fc = factors[r + 2], fd = factors[r + 3];
            for (size_t j = 0; j < n; j++) {
                double x0 = (double)a[j], x1 = (double)b[j], x2 = (double)c[j], x3 = (double)d[j];
                s[j] = s[j] + x0 + x1 + x2 + x3;
                q[j] = q[j] + x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3;
            }
            for (size_t j = 0; j < n; j++)
                h[j] += FOLDED(ab[j]) * fa + FOLDED(bb[j]) * fb + FOLDED(cb[j]) * fc + FOLDED(db[j]) * fd;
        }
        for (; r < nrows; r++) {
            const REAL *a = (const REAL *)data + r * ncols + from;
            const BITS *ab = (const BITS *)data_bits + r * ncols + from;
            for (size_t j = 0; j < n; j++) {
                double value = (double)a[j];
                s[j] += value;
                q[j] += value * value;
                h[j] += FOLDED(ab[j]) * factors[r];
            }
        }
    }
}
#undef FOLDED
