/* SPDX-License-Identifier: MIT */
/*
 * orthogonal_ and the factorization under it, against the plain algorithm on one column after the other in double: what
 * every Q must be, which Q it must be, and the same bits from every machine variant.
 */
#include <math.h>

#include "test.h"

#include "base/sha256.h"
#include "counting_allocator.h"
#include "fanin/fanin.h"
#include "init/orthogonal.h"

/* ---- the reference ---- */

/* a, nrows x ncols row-major, nrows >= ncols, becomes Q with the signs of R's diagonal; `work` holds 3 ncols. */
static void orthogonalize_plainly(double *a, size_t nrows, size_t ncols, double *work)
{
    double *tau = work, *sign = work + ncols, *w = sign + ncols;
    for (size_t k = 0; k < ncols; k++) {
        double head = a[k * ncols + k], tail = 0;
        for (size_t i = k + 1; i < nrows; i++)
            tail += a[i * ncols + k] * a[i * ncols + k];
        tau[k] = 0;
        sign[k] = head > 0 ? 1 : head < 0 ? -1 : 0;
        if (tail == 0)
            continue;
        const double norm = sqrt(head * head + tail), beta = head > 0 ? -norm : norm;
        tau[k] = (beta - head) / beta;
        sign[k] = beta > 0 ? 1 : -1;
        a[k * ncols + k] = 1;
        for (size_t i = k + 1; i < nrows; i++)
            a[i * ncols + k] /= head - beta;
        for (size_t j = k + 1; j < ncols; j++) {
            w[j] = 0;
            for (size_t i = k; i < nrows; i++)
                w[j] += a[i * ncols + k] * a[i * ncols + j];
            for (size_t i = k; i < nrows; i++)
                a[i * ncols + j] -= tau[k] * w[j] * a[i * ncols + k];
        }
    }
    for (size_t k = ncols; k-- > 0;) {
        for (size_t j = k + 1; j < ncols; j++) {
            w[j] = 0;
            for (size_t i = k + 1; i < nrows; i++)
                w[j] += a[i * ncols + k] * a[i * ncols + j];
            a[k * ncols + j] = -tau[k] * w[j];
            for (size_t i = k + 1; i < nrows; i++)
                a[i * ncols + j] -= tau[k] * w[j] * a[i * ncols + k];
        }
        for (size_t i = k + 1; i < nrows; i++)
            a[i * ncols + k] *= -tau[k];
        a[k * ncols + k] = 1 - tau[k];
    }
    for (size_t i = 0; i < nrows; i++)
        for (size_t j = 0; j < ncols; j++)
            a[i * ncols + j] *= sign[j];
}

/* ---- what is compared ---- */

static double unit_roundoff(fanin_dtype dtype)
{
    return dtype == FANIN_F64 ? 0x1p-53 : 0x1p-24;
}

static double get(const void *data, fanin_dtype dtype, size_t i)
{
    return dtype == FANIN_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i];
}

static void put(void *data, fanin_dtype dtype, size_t i, double value)
{
    if (dtype == FANIN_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

/* The elements that torch would draw for a tensor of this many, as doubles. */
static double *draw(fanin_dtype dtype, size_t nelem, uint64_t seed)
{
    fanin_error error;
    double *values = malloc((nelem + 1) * sizeof *values);
    void *drawn = malloc((nelem + 1) * sizeof(double));
    fanin_generator g = fanin_generator_torch(seed);
    const fanin_tensor t = fanin_tensor_1d(drawn, dtype, (int64_t)nelem);
    assert_ok(fanin_normal(&t, 0, 1, &g, &error), error);
    for (size_t i = 0; i < nelem; i++)
        values[i] = get(drawn, dtype, i);
    free(drawn);
    return values;
}

/* Q of a (row-major doubles that the dtype holds exactly) by the library's factorization. */
static double *orthogonalize(const double *a, fanin_dtype dtype, size_t nrows, size_t ncols)
{
    double *q = malloc(nrows * ncols * sizeof *q);
    fanin_qr qr;
    assert_true(fanin_qr_begin(&qr, dtype, nrows, ncols));
    for (size_t i = 0; i < nrows; i++)
        for (size_t j = 0; j < ncols; j++)
            put(fanin_qr_at(&qr, i, j), dtype, 0, a[i * ncols + j]);
    fanin_qr_orthogonalize(&qr);
    for (size_t i = 0; i < nrows; i++)
        for (size_t j = 0; j < ncols; j++)
            q[i * ncols + j] = get(fanin_qr_at(&qr, i, j), dtype, 0);
    fanin_qr_end(&qr);
    return q;
}

/* Columns have length 1 and right angles, but those that are all zeros. Returns how many are. */
static size_t check_orthonormal(const double *q, size_t nrows, size_t ncols, double tolerance)
{
    size_t nzeros = 0;
    for (size_t j = 0; j < ncols; j++)
        for (size_t k = 0; k <= j; k++) {
            long double dot = 0;
            for (size_t i = 0; i < nrows; i++)
                dot += (long double)q[i * ncols + j] * q[i * ncols + k];
            const double off = (double)(dot - (j == k));
            if (j == k && dot == 0)
                nzeros++;
            else if (!(fabs(off) <= tolerance))
                fail_msg("columns %zu and %zu of %zu x %zu: the product is %g off", j, k, nrows, ncols, off);
        }
    return nzeros;
}

/*
 * transposed(Q) A is upper triangular with a diagonal that is not negative: with orthonormal columns that is the one
 * right Q, however ill-conditioned A is.
 */
static void check_triangular(const double *q, const double *a, size_t nrows, size_t ncols, double tolerance)
{
    for (size_t j = 0; j < ncols; j++) {
        double length = 0;
        for (size_t i = 0; i < nrows; i++)
            length += a[i * ncols + j] * a[i * ncols + j];
        length = sqrt(length);
        for (size_t k = j; k < ncols; k++) {
            long double r = 0;
            for (size_t i = 0; i < nrows; i++)
                r += (long double)q[i * ncols + k] * a[i * ncols + j];
            if (!(k == j ? r >= -tolerance * length : fabsl(r) <= tolerance * length))
                fail_msg("R(%zu, %zu) of %zu x %zu is %Lg", k, j, nrows, ncols, r);
        }
    }
}

static void check_close(const double *q, const double *expected, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(q[i] - expected[i]) <= tolerance))
            fail_msg("element %zu is %.17g, expected %.17g", i, q[i], expected[i]);
}

static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64};

/* ---- the factorization ---- */

static void test_q_is_the_one(void **state)
{
    /* around the widths of narrow matrices and strips and the heights of blocks, pieces and chunks */
    static const size_t shapes[][2] = {
        {1, 1},    {2, 1},    {2, 2},    {3, 3},     {17, 1},    {64, 1},    {65, 2},    {1100, 3},
        {31, 31},  {32, 32},  {33, 32},  {33, 33},   {34, 33},   {40, 39},   {47, 47},   {48, 48},
        {49, 48},  {49, 49},  {50, 49},  {55, 50},   {56, 56},   {57, 57},   {95, 95},   {96, 96},
        {97, 97},  {96, 33},  {97, 33},  {98, 48},   {113, 112}, {144, 144}, {145, 145}, {193, 190},
        {200, 32}, {200, 33}, {257, 47}, {300, 300}, {1040, 35}, {2060, 32},
    };
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s += test_is_slow() ? 8 : 1) {
            const size_t nrows = shapes[s][0], ncols = shapes[s][1], nelem = nrows * ncols;
            const double eps = unit_roundoff(dtypes[d]);
            double *a = draw(dtypes[d], nelem, s);
            double *q = orthogonalize(a, dtypes[d], nrows, ncols);
            assert_int_equal(check_orthonormal(q, nrows, ncols, 16 * eps), 0);
            check_triangular(q, a, nrows, ncols, 16 * eps);
            free(a);
            free(q);
        }
}

/* Matrices of condition 6 and less: all of the allowed difference is that of the dtype's own rounding. */
static void test_q_is_near_the_plain_one(void **state)
{
    static const size_t shapes[][2] = {{2, 1},    {9, 2},    {70, 31},  {70, 32},  {80, 33},   {100, 47},
                                       {110, 48}, {120, 49}, {210, 96}, {230, 97}, {400, 150}, {2100, 40}};
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s += test_is_slow() ? 8 : 1) {
            const size_t nrows = shapes[s][0], ncols = shapes[s][1], nelem = nrows * ncols;
            double *a = draw(dtypes[d], nelem, 100 + s), *work = malloc(3 * ncols * sizeof *work);
            double *q = orthogonalize(a, dtypes[d], nrows, ncols);
            orthogonalize_plainly(a, nrows, ncols, work);
            /* f64: the plain one has errors of its own */
            check_close(q, a, nelem, (d == 0 ? 1 : 2) * unit_roundoff(dtypes[d]) * (6 + sqrt((double)ncols)));
            free(a);
            free(q);
            free(work);
        }
}

/* Of condition 2^1 to 2^30: Q A of a random Q and triangular rows of falling size. */
static void test_ill_conditioned(void **state)
{
    enum { N = 60 };
    static double a[N * N];
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (int power = 1; power <= 30; power += test_is_slow() ? 14 : 1) {
            double *u = draw(dtypes[d], N * N, (uint64_t)power), *v = draw(FANIN_F64, N * N, 77);
            double *q = orthogonalize(u, dtypes[d], N, N);
            for (size_t i = 0; i < N; i++)
                for (size_t j = 0; j < N; j++) {
                    double sum = 0;
                    for (size_t k = 0; k < N; k++)
                        sum += q[i * N + k] * exp2(-power * (double)k / (N - 1)) * v[k * N + j];
                    a[i * N + j] = dtypes[d] == FANIN_F64 ? sum : (double)(float)sum;
                }
            free(q);
            q = orthogonalize(a, dtypes[d], N, N);
            assert_int_equal(check_orthonormal(q, N, N, 16 * unit_roundoff(dtypes[d])), 0);
            check_triangular(q, a, N, N, 16 * unit_roundoff(dtypes[d]));
            free(q);
            free(u);
            free(v);
        }
}

/* Columns of zeros, and of a length that counts as none, at the edges of strips. */
static void test_degenerate_columns(void **state)
{
    static const size_t widths[] = {1, 2, 5, 31, 32, 33, 48, 49, 60, 97};
    static const size_t places[] = {0, 1, 7, 30, 32, 47, 48, 59, 95, 96};
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (size_t p = 0; p < sizeof places / sizeof *places; p += test_is_slow() ? 4 : 1)
                for (int tiny = 0; tiny < 2; tiny++) {
                    const size_t ncols = widths[w], nrows = 2 * ncols + 40, zero = places[p];
                    if (zero >= ncols)
                        continue;
                    double *a = draw(dtypes[d], nrows * ncols, w), *work = malloc(3 * ncols * sizeof *work);
                    for (size_t i = 0; i < nrows; i++)
                        a[i * ncols + zero] *= tiny ? 0x1p-120 : 0;
                    double *q = orthogonalize(a, dtypes[d], nrows, ncols);
                    assert_int_equal(check_orthonormal(q, nrows, ncols, 16 * unit_roundoff(dtypes[d])), !tiny);
                    for (size_t i = 0; i < nrows * ncols && !tiny; i++)
                        assert_true(i % ncols != zero || q[i] == 0);
                    if (!tiny) {
                        orthogonalize_plainly(a, nrows, ncols, work);
                        check_close(q, a, nrows * ncols, 16 * unit_roundoff(dtypes[d]));
                    }
                    free(a);
                    free(q);
                    free(work);
                }
}

static void test_all_zeros_and_identity(void **state)
{
    static const size_t widths[] = {1, 3, 32, 33, 48, 49, 100};
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (int one = -1; one <= 1; one++) {
                const size_t n = widths[w], nrows = n + 5;
                double *a = calloc(nrows * n, sizeof *a);
                for (size_t i = 0; i < n; i++)
                    a[i * n + i] = one;
                double *q = orthogonalize(a, dtypes[d], nrows, n);
                for (size_t i = 0; i < nrows * n; i++)
                    assert_true(q[i] == a[i]);
                free(a);
                free(q);
            }
}

/* ---- the fill ---- */

/* Columns, or rows of a wide tensor, are Q times the gain, rounded once more. */
static void test_tensor_is_gain_times_q(void **state)
{
    static const int64_t shapes[][4] = {{1, 1, 1, 1},   {1, 40, 1, 1},  {40, 1, 1, 1},  {3, 5, 1, 1},    {5, 3, 1, 1},
                                        {33, 40, 1, 1}, {40, 33, 1, 1}, {64, 3, 3, 3},  {8, 3, 7, 7},    {60, 50, 1, 1},
                                        {50, 60, 1, 1}, {50, 50, 1, 1}, {2, 700, 2, 1}, {32, 1025, 1, 1}};
    static const double gain = 1.7;
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const size_t rows = (size_t)shapes[s][0], cols = (size_t)(shapes[s][1] * shapes[s][2] * shapes[s][3]);
            const bool wide = rows < cols;
            const size_t nrows = wide ? cols : rows, ncols = wide ? rows : cols, nelem = rows * cols;
            fanin_error error;
            double *made = malloc(nelem * sizeof *made), *a = malloc(nelem * sizeof *a);
            double *drawn = draw(dtypes[d], nelem, s);
            fanin_generator g = fanin_generator_torch(s);
            const fanin_tensor t = fanin_tensor_nd(made, dtypes[d], 4, shapes[s]);
            assert_ok(fanin_orthogonal(&t, gain, &g, &error), error);
            for (size_t i = 0; i < nrows; i++)
                for (size_t j = 0; j < ncols; j++)
                    a[i * ncols + j] = drawn[wide ? j * cols + i : i * cols + j];
            double *q = orthogonalize(a, dtypes[d], nrows, ncols);
            for (size_t i = 0; i < nrows; i++)
                for (size_t j = 0; j < ncols; j++) {
                    const double x = q[i * ncols + j];
                    const double expected = d == 0 ? (double)((float)x * (float)gain) : x * gain;
                    assert_same_double(get(made, dtypes[d], wide ? j * cols + i : i * cols + j), expected);
                }
            free(made);
            free(a);
            free(drawn);
            free(q);
        }
}

/* Every other row and every third column of a larger memory: the same values, and nothing else is touched. */
static void test_strided(void **state)
{
    static const int64_t shapes[][2] = {{3, 4}, {40, 20}, {20, 40}, {70, 50}, {50, 70}};
    (void)state;
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const int64_t rows = shapes[s][0], cols = shapes[s][1];
            const size_t nbytes = (size_t)(rows * cols) * 6 * sizeof(double);
            fanin_error error;
            fanin_generator g = fanin_generator_torch(9), h = g;
            char *plain = malloc(nbytes), *memory = malloc(nbytes);
            memset(memory, 0x5a, nbytes);
            fanin_tensor flat = fanin_tensor_2d(plain, dtypes[d], rows, cols), view = flat;
            view.data = memory;
            view.strides[0] = 6 * cols;
            view.strides[1] = 3;
            assert_ok(fanin_orthogonal(&flat, 1, &g, &error), error);
            assert_ok(fanin_orthogonal(&view, 1, &h, &error), error);
            assert_memory_equal(&g, &h, sizeof g);
            const size_t item = d == 0 ? 4 : 8;
            for (int64_t i = 0; i < rows * cols * 6; i++) {
                const int64_t row = i / (6 * cols), col = i % (6 * cols) / 3;
                if (col < cols && i % (6 * cols) % 3 == 0)
                    assert_memory_equal(memory + (size_t)i * item, plain + (size_t)(row * cols + col) * item, item);
                else
                    for (size_t b = 0; b < item; b++)
                        assert_int_equal(memory[(size_t)i * item + b], 0x5a);
            }
            free(plain);
            free(memory);
        }
}

static void test_out_of_memory(void **state)
{
    static const int64_t shapes[][2] = {{2, 2}, {5, 70}, {70, 60}};
    static double memory[70 * 60], before[70 * 60];
    (void)state;
    memset(before, 0x33, sizeof before);
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const fanin_tensor t = fanin_tensor_2d(memory, dtypes[d], shapes[s][0], shapes[s][1]);
            for (uint64_t fail_at = 1;; fail_at++) {
                fanin_error error;
                fanin_generator g = fanin_generator_torch(3);
                const fanin_generator untouched = g;
                counting_allocator counter;
                memcpy(memory, before, sizeof memory);
                counting_begin(&counter);
                counter.fail_at = fail_at;
                fanin_status status = fanin_orthogonal(&t, 1, &g, &error);
                counting_end();
                assert_int_equal(counter.nblocks, 0);
                if (counter.ncalls < fail_at) {
                    assert_int_equal(status, FANIN_OK);
                    assert_true(fail_at > 1);
                    break;
                }
                assert_int_equal(status, FANIN_ERROR_MEMORY);
                assert_memory_equal(memory, before, sizeof memory);
                assert_memory_equal(&g, &untouched, sizeof g);
            }
        }
}

/* A matrix that memory could hold but whose strips could not even be counted. */
static void test_size_overflow(void **state)
{
    fanin_qr qr;
    (void)state;
    assert_false(fanin_qr_begin(&qr, FANIN_F64, SIZE_MAX / 400, 49));
    assert_true(qr.nbytes == UINT64_MAX);
    assert_false(fanin_qr_begin(&qr, FANIN_F64, SIZE_MAX / 16, 32));
    assert_true(qr.nbytes == UINT64_MAX);
}

/* ---- the same bits everywhere ---- */

static void digest_of_all(fanin_dtype dtype, char hex[65])
{
    static const int64_t shapes[][2] = {{1, 1},     {2, 2},    {5, 3},     {3, 5},     {20, 20}, {500, 7},
                                        {32, 32},   {33, 33},  {48, 49},   {64, 64},   {97, 96}, {100, 300},
                                        {145, 145}, {1, 2000}, {2000, 30}, {240, 240}, {600, 50}};
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_sha256_begin(&hash);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t nbytes = (size_t)(shapes[s][0] * shapes[s][1]) * (dtype == FANIN_F64 ? 8 : 4);
        fanin_error error;
        fanin_generator g = fanin_generator_torch(42);
        void *data = malloc(nbytes);
        const fanin_tensor t = fanin_tensor_2d(data, dtype, shapes[s][0], shapes[s][1]);
        assert_ok(fanin_orthogonal(&t, 0.9, &g, &error), error);
        fanin_sha256_update(&hash, data, nbytes);
        free(data);
    }
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
}

static void test_variants_and_compilers_agree(void **state)
{
    static const char *const expected[] = {"0311e72c0673cd3cb567a2469810c16b237c216013d48a82c386f258a623880c",
                                           "8b8f5c706a7c0a7df1d7e1fbff55a19d03a9b4e932ea942232d9f2b45dd34c6f"};
    const char *active = fanin_isa_active();
    fanin_error error;
    (void)state;
    for (size_t isa = 0; isa < fanin_isa_count(); isa++) {
        if (!fanin_isa_is_supported(isa))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(isa), &error), error);
        for (size_t d = 0; d < 2; d++) {
            char hex[65];
            digest_of_all(dtypes[d], hex);
            if (strcmp(hex, expected[d]) != 0)
                fail_msg("%s: %s has the digest %s", fanin_isa_name(isa), fanin_dtype_name(dtypes[d]), hex);
        }
    }
    assert_ok(fanin_isa_force(active, &error), error);
}

/* A crew of one that takes the tasks from the last to the first. */
static void run_backwards(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    size_t *total = user;
    *total += ntasks;
    for (size_t i = ntasks; i-- > 0;)
        task(context, i);
}

static void test_threads_change_nothing(void **state)
{
    static const int64_t shapes[][2] = {{20, 20}, {48, 48}, {90, 80}, {144, 145}, {400, 250}, {300, 420}, {700, 600}};
    size_t total = 0;
    const fanin_parallel backwards = {run_backwards, &total, 3};
    fanin_pool *pool;
    fanin_error error;
    (void)state;
    assert_ok(fanin_pool_create(4, &pool, &error), error);
    const fanin_parallel threads = fanin_pool_parallel(pool);
    for (size_t d = 0; d < 2; d++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const size_t nelem = (size_t)(shapes[s][0] * shapes[s][1]), nbytes = nelem * (d == 0 ? 4 : 8);
            const fanin_parallel *const crews[] = {NULL, &backwards, &threads};
            void *made[3];
            for (size_t c = 0; c < 3; c++) {
                fanin_generator g = fanin_generator_torch(s);
                made[c] = malloc(nbytes);
                const fanin_tensor t = fanin_tensor_2d(made[c], dtypes[d], shapes[s][0], shapes[s][1]);
                assert_ok(fanin_orthogonal_run(0.7, &t, &g, crews[c], &error), error);
            }
            assert_memory_equal(made[0], made[1], nbytes);
            assert_memory_equal(made[0], made[2], nbytes);
            for (size_t c = 0; c < 3; c++)
                free(made[c]);
        }
    assert_true(total > 50);
    fanin_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_q_is_the_one),
        cmocka_unit_test(test_q_is_near_the_plain_one),
        cmocka_unit_test(test_ill_conditioned),
        cmocka_unit_test(test_degenerate_columns),
        cmocka_unit_test(test_all_zeros_and_identity),
        cmocka_unit_test(test_tensor_is_gain_times_q),
        cmocka_unit_test(test_strided),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_size_overflow),
        cmocka_unit_test(test_variants_and_compilers_agree),
        cmocka_unit_test(test_threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
