/* SPDX-License-Identifier: MIT */
/* The elementary functions of src/kernel/math64.inc.h and erfinv.inc.h against glibc 2.36, bit for bit.
 * Without arguments: the golden vectors of tests/golden/math64.txt, on any machine. With a host that has that libm:
 *
 *     test_math64 --golden FILE          compare with this file of vectors
 *     test_math64 --live N               N random arguments for each range of each function
 *     test_math64 --exhaustive           all floats of the float functions, all 16-bit arguments of erfinv (minutes)
 *     test_math64 --write                print a new golden file
 *
 * One line per function and range: "N arguments, M mismatches"; exit status 1 if any M is not 0.
 *
 * Compared so far with glibc 2.36 (Debian 12, x86-64 with FMA), 0 mismatches each:
 *   log     4.5e8 in three ranges, 1.5e8 of them 1 - m 2^-53
 *   log1p   7.5e8 in five ranges, 1.5e8 of them -m 2^-53
 *   sin     6e8 in four ranges, 1.5e8 of them 2 pi m 2^-53; cos the same
 *   exp     6e8 in four ranges
 *   erf     4.5e8 in three ranges
 *   square  1.4e9 in seven ranges, with pow(x, 2)
 *   logf, expf, erff all floats; sinf, cosf all floats below 120; erfinvf_torch all floats of [-1, 1]
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "../../src/kernel/math64.inc.h"
#include "../../src/kernel/erfinv.inc.h"

#ifndef FANIN_TEST_SOURCE_DIR
#define FANIN_TEST_SOURCE_DIR "."
#endif

/* ---- arguments: ranges as data ----------------------------------------------------------------------------------- */

static uint64_t state;

static uint64_t random_u64(void) /* splitmix64 */
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double uniform53(void)
{
    return (double)(random_u64() >> 11) * 0x1p-53;
}

/* every double of [lo, hi] equally likely, so every binade is; 0 <= lo < hi */
static double any_between(double lo, double hi)
{
    uint64_t a = fanin_f64_bits(lo), b = fanin_f64_bits(hi);
    return fanin_f64_from_bits(a + random_u64() % (b - a + 1));
}

static double any_sign(double x)
{
    return random_u64() & 1 ? x : -x;
}

static double one_minus_uniform(void)
{
    return 1.0 - uniform53();
}
static double minus_uniform(void)
{
    return -uniform53();
}
static double angle(void)
{
    return 0x1.921fb54442d18p2 * uniform53();
}
static double positive(void)
{
    return any_between(0x1p-1074, 0x1.fffffffffffffp1023);
}
static double around_one(void)
{
    return any_between(0.9, 1.1);
}
static double above_minus_one(void)
{
    return -any_between(0x1p-1074, 0x1.fffffffffffffp-1);
}
static double moderate(void)
{
    return any_sign(any_between(0x1p-30, 1));
}
static double beside_power(void)
{
    return ldexp(1.0 + (uniform53() - 0.5) * 0x1p-18, (int)(random_u64() % 120) - 52) - 1.0;
}
static double reducible(void)
{
    return any_sign(any_between(0x1p-1074, 105414336.0));
}
static double reducible_large(void)
{
    return any_sign(105414336.0 * uniform53());
}
static double small_angle(void)
{
    return any_between(0x1p-30, 8);
}
static double to_40(void)
{
    return 80.0 * uniform53() - 40.0;
}
static double to_760(void)
{
    return 1520.0 * uniform53() - 760.0;
}
static double to_subnormal(void)
{
    return -708.0 - 38.0 * uniform53();
}
static double to_7(void)
{
    return 14.0 * uniform53() - 7.0;
}
static double below_8(void)
{
    return any_sign(any_between(0x1p-1074, 8));
}
static double any_f64(void)
{
    return fanin_f64_from_bits(random_u64());
}
static double finite_square(void)
{
    return any_sign(any_between(0x1p-540, 0x1p512));
}
static double subnormal_square(void)
{
    return any_between(0x1p-538, 0x1p-511);
}
static double decimal(void) /* what people write as a slope, and integers */
{
    static const double unit[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    return any_sign((double)(random_u64() % 3000000) / unit[random_u64() % 7]);
}
static double root(void)
{
    return sqrt(random_u64() & 1 ? fabs(decimal()) : any_between(0x1p-40, 0x1p40));
}

/* The exponent is volatile, because compilers replace pow(x, 2.0) by x * x. */
static double pow_2(double x)
{
    volatile double two = 2.0;
    return pow(x, two);
}

static const struct range {
    const char *name, *where;
    double (*own)(double), (*libm)(double);
    double (*argument)(void);
} ranges[] = {
    {"log", "1 - m 2^-53", fanin_log, log, one_minus_uniform},
    {"log", "all positive", fanin_log, log, positive},
    {"log", "[0.9, 1.1]", fanin_log, log, around_one},
    {"log1p", "-m 2^-53", fanin_log1p, log1p, minus_uniform},
    {"log1p", "all positive", fanin_log1p, log1p, positive},
    {"log1p", "all of (-1, 0)", fanin_log1p, log1p, above_minus_one},
    {"log1p", "2^-30 .. 1", fanin_log1p, log1p, moderate},
    {"log1p", "2^k (1 + tiny) - 1", fanin_log1p, log1p, beside_power},
    {"sin", "2 pi m 2^-53", fanin_sin, sin, angle},
    {"sin", "all to 1e8", fanin_sin, sin, reducible},
    {"sin", "uniform to 1e8", fanin_sin, sin, reducible_large},
    {"sin", "2^-30 .. 8", fanin_sin, sin, small_angle},
    {"cos", "2 pi m 2^-53", fanin_cos, cos, angle},
    {"cos", "all to 1e8", fanin_cos, cos, reducible},
    {"cos", "uniform to 1e8", fanin_cos, cos, reducible_large},
    {"cos", "2^-30 .. 8", fanin_cos, cos, small_angle},
    {"exp", "-40 .. 40", fanin_exp, exp, to_40},
    {"exp", "-760 .. 760", fanin_exp, exp, to_760},
    {"exp", "subnormal results", fanin_exp, exp, to_subnormal},
    {"exp", "all", fanin_exp, exp, any_f64},
    {"erf", "-7 .. 7", fanin_erf, erf, to_7},
    {"erf", "all below 8", fanin_erf, erf, below_8},
    {"erf", "all", fanin_erf, erf, any_f64},
    {"square", "uniform of [0, 1)", fanin_square, pow_2, uniform53},
    {"square", "[0.9, 1.1]", fanin_square, pow_2, around_one},
    {"square", "decimals", fanin_square, pow_2, decimal},
    {"square", "square roots", fanin_square, pow_2, root},
    {"square", "subnormal results", fanin_square, pow_2, subnormal_square},
    {"square", "finite results", fanin_square, pow_2, finite_square},
    {"square", "all", fanin_square, pow_2, any_f64},
};
#define N_RANGES (sizeof ranges / sizeof ranges[0])

/* thresholds of the methods (each with its neighbours), zeros, infinities, NaN */
static const double edges[] = {
    0.0,
    0x1p-1074,
    0x1.fffffffffffffp-1023,
    0x1p-1022,
    0x1p-1015,
    0x1p-767,
    0x1p-600,
    0x1.6a09e667f3bcdp-538,
    0x1p-537,
    0x1p-511,
    0x1p-54,
    0x1p-53,
    0x1p-29,
    0x1p-28,
    0x1p-27,
    0x1p-26,
    0.126,
    0.5,
    0x1.2bec4p-2,
    0x1.a827ap-2,
    0x1.69555p-1,
    0x1.6a09ep-1,
    0.84375,
    0x1.b6p-1,
    0x1.ep-1,
    1.0,
    0x1.109p0,
    1.25,
    0x1.69555p0,
    0x1.6a09ep0,
    0x1.921fb54442d18p0,
    2.0,
    0x1.368fdp1,
    0x1.6db6ep1,
    0x1.921fb54442d18p1,
    0x1.921fb54442d18p2,
    6.0,
    512.0,
    0x1.62e42fefa39efp9,
    0x1.6232bdd7abcd2p9,
    0x1.74910d52d3051p9,
    1024.0,
    105414335.0,
    0x1p53,
    0x1p512,
    0x1p600,
    0x1.fffffffffffffp1023,
    INFINITY,
    NAN,
};
#define N_EDGES (sizeof edges / sizeof edges[0])

/* ---- golden vectors ---------------------------------------------------------------------------------------------- */

struct named {
    const char *name;
    double (*own)(double), (*libm)(double);
};
static const struct named named[] = {
    {"log", fanin_log, log},         {"log1p", fanin_log1p, log1p},  {"sin", fanin_sin, sin},
    {"cos", fanin_cos, cos},         {"exp", fanin_exp, exp},        {"erf", fanin_erf, erf},
    {"square", fanin_square, pow_2}, {"erfinv", fanin_erfinv, NULL},
};
struct namedf {
    const char *name;
    float (*own)(float), (*libm)(float);
};
static const struct namedf namedf[] = {
    {"logf", fanin_logf, logf}, {"sinf", fanin_sinf, sinf}, {"cosf", fanin_cosf, cosf},
    {"expf", fanin_expf, expf}, {"erff", fanin_erff, erff}, {"erfinvf", fanin_erfinvf, NULL},
};
#define N_NAMED  (sizeof named / sizeof named[0])
#define N_NAMEDF (sizeof namedf / sizeof namedf[0])

static int same(double a, double b)
{
    return fanin_f64_bits(a) == fanin_f64_bits(b) || (a != a && b != b);
}

static int samef(float a, float b)
{
    return fanin_f32_bits(a) == fanin_f32_bits(b) || (a != a && b != b);
}

static int report(const char *name, const char *where, uint64_t count, uint64_t bad)
{
    printf("%-14s %-20s %llu arguments, %llu mismatches\n", name, where, (unsigned long long)count,
           (unsigned long long)bad);
    fflush(stdout);
    return bad != 0;
}

static int in_domain(const char *name, double x)
{
    return (strcmp(name, "sin") != 0 && strcmp(name, "cos") != 0) || !(fabs(x) > 105414336.0) || isinf(x);
}

static int test_golden(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        perror(path);
        return 1;
    }
    uint64_t count[N_NAMED + N_NAMEDF] = {0}, bad[N_NAMED + N_NAMEDF] = {0}, unknown = 0;
    /* Valgrind 3.19 takes fma(-0.5, 0, -0) for 0: log1p(-0) is right on processors, but not there */
    const char *tool = getenv("FANIN_SANITIZE");
    const int under_valgrind = tool != NULL && strcmp(tool, "valgrind") == 0;
    char line[256], name[16];
    unsigned long long x, y;
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        size_t i = N_NAMED + N_NAMEDF;
        if (sscanf(line, "%15s %llx %llx", name, &x, &y) == 3) {
            for (i = 0; i < N_NAMED && strcmp(name, named[i].name) != 0;)
                i++;
            for (; i >= N_NAMED && i < N_NAMED + N_NAMEDF && strcmp(name, namedf[i - N_NAMED].name) != 0;)
                i++;
        }
        if (i == N_NAMED + N_NAMEDF) {
            unknown++;
            continue;
        }
        count[i]++;
        if (x == 1ull << 63 && i < N_NAMED && under_valgrind)
            continue;
        if (i < N_NAMED)
            bad[i] += !same(named[i].own(fanin_f64_from_bits(x)), fanin_f64_from_bits(y));
        else
            bad[i] +=
                !samef(namedf[i - N_NAMED].own(fanin_f32_from_bits((uint32_t)x)), fanin_f32_from_bits((uint32_t)y));
    }
    fclose(f);
    int failed = 0;
    for (size_t i = 0; i < N_NAMED + N_NAMEDF; i++)
        failed |= report(i < N_NAMED ? named[i].name : namedf[i - N_NAMED].name, "golden", count[i], bad[i]) |
                  (count[i] == 0);
    if (unknown)
        printf("%llu lines not understood\n", (unsigned long long)unknown);
    return failed | (unknown != 0);
}

static void write_pair(const char *name, double (*f)(double), double x)
{
    printf("%s %016llx %016llx\n", name, (unsigned long long)fanin_f64_bits(x),
           (unsigned long long)fanin_f64_bits(f(x)));
}

static void write_pairf(const char *name, float (*f)(float), float x)
{
    printf("%s %08lx %08lx\n", name, (unsigned long)fanin_f32_bits(x), (unsigned long)fanin_f32_bits(f(x)));
}

static int write_golden(void)
{
    puts("# function argument result, bits in hexadecimal. Written by `test_math64 --write` on glibc 2.36, x86-64 with "
         "FMA,\n"
         "# from its libm; erfinv and erfinvf, which it has not, from src/kernel/erfinv.inc.h after it was checked "
         "against\n"
         "# 220-bit arithmetic (tools/check_erfinv.py).");
    for (size_t i = 0; i < N_NAMED; i++) {
        double (*f)(double) = named[i].libm ? named[i].libm : named[i].own;
        for (size_t e = 0; e < N_EDGES; e++)
            for (int step = -1; step <= 1; step++)
                for (int sign = 1; sign >= -1; sign -= 2) {
                    double x = edges[e];
                    if (step && x != 0 && isfinite(x))
                        x = fanin_f64_from_bits(fanin_f64_bits(x) + (uint64_t)(int64_t)step);
                    if (in_domain(named[i].name, x) && (step == 0 || (x != 0 && isfinite(x))))
                        write_pair(named[i].name, f, sign * x);
                }
    }
    for (size_t r = 0; r < N_RANGES; r++)
        for (int n = 0; n < 400; n++)
            write_pair(ranges[r].name, ranges[r].libm, ranges[r].argument());
    for (int n = 0; n < 400;) { /* where pow is not x * x, about one in 1100 */
        double x = n & 1 ? finite_square() : decimal();
        if (pow_2(x) != x * x) {
            write_pair("square", pow_2, x);
            n++;
        }
    }
    for (int n = 0; n < 1000; n++) {
        write_pair("erfinv", fanin_erfinv, any_sign(n & 1 ? uniform53() : 1.0 - any_between(0x1p-53, 0.5)));
        write_pair("erfinv", fanin_erfinv, any_between(0x1p-1074, 1));
    }
    for (size_t i = 0; i < N_NAMEDF; i++) {
        float (*f)(float) = namedf[i].libm ? namedf[i].libm : namedf[i].own;
        static const float special[] = {0.0f,          0x1p-149f, 0x1p-126f,     0x1p-119f,     0x1p-28f,
                                        0x1p-12f,      0.75f,     0.84375f,      1.0f,          1.25f,
                                        0x1.6db6dcp1f, 6.0f,      0x1.62e42ep6f, 0x1.9d1d9ep6f, 0x1.9fe368p6f};
        for (size_t e = 0; e < sizeof special / sizeof special[0]; e++) {
            write_pairf(namedf[i].name, f, special[e]);
            write_pairf(namedf[i].name, f, -special[e]);
        }
        for (int n = 0; n < 1000; n++) {
            double u = (double)(random_u64() >> 40) * 0x1p-24;
            double trig = n & 1 ? 0x1.921fb54442d18p2 * u : 0x1.921fb6p2f * (float)u;
            int is_trig = i == 1 || i == 2;
            write_pairf(namedf[i].name, f,
                        (float)(is_trig  ? trig
                                : i == 0 ? 1.0 - u
                                : i == 5 ? 2 * u - 1
                                : i == 3 ? -90 * u
                                         : 8 * u - 4));
        }
    }
    return 0;
}

/* ---- against the host's libm ------------------------------------------------------------------------------------- */

static int host_is_the_model(void)
{
#if defined(__GLIBC__) && defined(__x86_64__)
    return strcmp(gnu_get_libc_version(), "2.36") == 0 && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("avx2");
#else
    return 0;
#endif
}

static int test_live(uint64_t n)
{
    int failed = 0;
    for (size_t r = 0; r < N_RANGES; r++) {
        const struct range *g = &ranges[r];
        uint64_t bad = 0;
        for (uint64_t i = 0; i < n; i++) {
            double x = g->argument();
            double own = g->own(x), libm = g->libm(x);
            if (!same(own, libm) && bad++ < 3)
                printf("%s(%a) is %a, should be %a\n", g->name, x, own, libm);
        }
        failed |= report(g->name, g->where, n, bad);
    }
    return failed;
}

static float angle_by_double(uint32_t m)
{
    return (float)(0x1.921fb54442d18p2 * (double)((float)m * 0x1p-24f));
}
static float angle_by_float(uint32_t m)
{
    return 0x1.921fb6p2f * ((float)m * 0x1p-24f);
}
static float one_minus(uint32_t m)
{
    return 1.0f - (float)m * 0x1p-24f;
}

/* The arguments of 16-bit normals: every 24-bit uniform. A second each, so part of --live too. */
static int test_grid(void)
{
    static const struct {
        const char *name, *where;
        float (*own)(float), (*libm)(float), (*argument)(uint32_t);
    } grids[] = {
        {"logf", "1 - m 2^-24", fanin_logf, logf, one_minus},
        {"sinf", "(float)(2 pi u)", fanin_sinf, sinf, angle_by_double},
        {"cosf", "(float)(2 pi u)", fanin_cosf, cosf, angle_by_double},
        {"sinf", "2pi_f * u", fanin_sinf, sinf, angle_by_float},
        {"cosf", "2pi_f * u", fanin_cosf, cosf, angle_by_float},
    };
    int failed = 0;
    for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
        uint64_t bad = 0;
        for (uint32_t m = 0; m < 1 << 24; m++) {
            float x = grids[g].argument(m);
            bad += !samef(grids[g].own(x), grids[g].libm(x));
        }
        failed |= report(grids[g].name, grids[g].where, 1 << 24, bad);
    }
    return failed;
}

/* torch's formula once more, with the host's float functions */
static float erfinvf_torch_by_libm(float y)
{
    float a = fabsf(y), x;
    if (a > 1)
        return NAN;
    if (a == 1)
        return copysignf(INFINITY, y);
    if (a <= 0.7f) {
        float z = y * y;
        float num = fmaf(fmaf(fmaf(-0.140543331f, z, 0.914624893f), z, -1.645349621f), z, 0.886226899f);
        float den = fmaf(fmaf(fmaf(0.012229801f, z, -0.329097515f), z, 1.442710462f), z, -2.118377725f);
        x = y * num / fmaf(den, z, 1.0f);
    } else {
        float z = sqrtf(-logf((1.0f - a) / 2.0f));
        float num = fmaf(fmaf(fmaf(1.641345311f, z, 3.429567803f), z, -1.624906493f), z, -1.970840454f);
        x = copysignf(num, y) / fmaf(fmaf(1.637067800f, z, 3.543889200f), z, 1.0f);
    }
    float slope = 2.0f / (float)sqrt(3.14159265358979323846);
    for (int i = 0; i < 2; i++)
        x = x - (erff(x) - y) / (slope * expf(-x * x));
    return x;
}

/* The float of a bfloat16, or of a float16. */
static float widen_bfloat16(uint32_t h)
{
    return fanin_f32_from_bits(h << 16);
}

static float widen_float16(uint32_t h)
{
    int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
    float a = e ? ldexpf((float)(m + 1024), e - 25) : ldexpf((float)m, -24);
    return h & 0x8000 ? -a : a;
}

/* All 16-bit arguments of [-1, 1], before the result is rounded to 16 bits: stronger than after. */
static int test_erfinv_16bit(void)
{
    int failed = 0;
    for (int half = 0; half < 2; half++) {
        uint64_t count = 0, bad = 0;
        for (uint32_t h = 0; h < 1 << 16; h++) {
            if ((h & 0x7fff) > (half ? 0x3c00u : 0x3f80u))
                continue;
            float y = half ? widen_float16(h) : widen_bfloat16(h);
            count++;
            bad += !samef(fanin_erfinvf_torch(y), erfinvf_torch_by_libm(y));
        }
        failed |= report("erfinvf_torch", half ? "all float16" : "all bfloat16", count, bad);
    }
    return failed;
}

static int test_exhaustive(void)
{
    int failed = 0;
    for (size_t i = 0; i < N_NAMEDF; i++) {
        if (!namedf[i].libm)
            continue;
        int trig = namedf[i].own == fanin_sinf || namedf[i].own == fanin_cosf;
        uint64_t count = 0, bad = 0;
        for (uint64_t b = 0; b < (uint64_t)1 << 32; b++) {
            float x = fanin_f32_from_bits((uint32_t)b);
            if (trig && !(fabsf(x) < 120))
                continue;
            count++;
            bad += !samef(namedf[i].own(x), namedf[i].libm(x));
        }
        failed |= report(namedf[i].name, trig ? "all below 120" : "all floats", count, bad);
    }
    uint64_t bad = 0;
    for (uint32_t b = 0; b <= 0x3f800000; b++) {
        float y = fanin_f32_from_bits(b);
        bad += !samef(fanin_erfinvf_torch(y), erfinvf_torch_by_libm(y));
        bad += !samef(fanin_erfinvf_torch(-y), erfinvf_torch_by_libm(-y));
    }
    return failed | report("erfinvf_torch", "all of [-1, 1]", 2 * ((uint64_t)0x3f800000 + 1), bad);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "--golden";
    const char *value = argc > 2 ? argv[2] : NULL;

    state = 1;
    if (strcmp(mode, "--golden") == 0)
        return test_golden(value ? value : FANIN_TEST_SOURCE_DIR "/tests/golden/math64.txt");
    if (strcmp(mode, "--live") != 0 && strcmp(mode, "--exhaustive") != 0 && strcmp(mode, "--write") != 0) {
        fprintf(stderr, "usage: test_math64 [--golden FILE | --live N [SEED] | --exhaustive | --write]\n");
        return 2;
    }
    if (!host_is_the_model()) {
        printf("skipped: the host's libm is not glibc 2.36 on x86-64 with FMA\n");
        return strcmp(mode, "--write") == 0;
    }
    if (strcmp(mode, "--write") == 0)
        return write_golden();
    if (strcmp(mode, "--exhaustive") == 0)
        return test_exhaustive() | test_erfinv_16bit();
    if (argc > 3)
        state = strtoull(argv[3], NULL, 0) * 0x9e3779b97f4a7c15;
    int failed = test_live(value ? strtoull(value, NULL, 0) : 1000000);
    failed |= test_grid();
    return failed | test_erfinv_16bit();
}
