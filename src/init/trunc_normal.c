/* SPDX-License-Identifier: MIT */
/*
 * trunc_normal_(mean, std, a, b): by rejection from torch 2.12 on (of normals where most of the mass is inside, else of
 * uniforms under the density), by the inverse CDF before.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/random.h"
#include "kernel/convert.h"
#include "kernel/element.h"
#include "kernel/erfinv.inc.h"
#include "kernel/kernel.h"
#include "kernel/math64.inc.h"
#include "rng/stream.h"

enum { MEAN, STD, A, B };

/* More rounds than this are refused while planning; torch would go on, or never end. */
static const double MAX_ROUNDS = 1e5;

static double normal_cdf(double x)
{
    return (1.0 + fanin_erf(x / 0x1.6a09e667f3bcdp+0)) / 2.0;
}

static double lower_mass(const double *v)
{
    return normal_cdf((v[A] - v[MEAN]) / v[STD]);
}
static double upper_mass(const double *v)
{
    return normal_cdf((v[B] - v[MEAN]) / v[STD]);
}

static bool is_rejection(fanin_profile profile)
{
    return fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_12;
}

static bool takes_normals(const double *v)
{
    return upper_mass(v) - lower_mass(v) > 0.3;
}

double fanin_round_to(fanin_dtype dtype, double value)
{
    switch (dtype) {
    case FANIN_F64:
        return value;
    case FANIN_F32:
        return (float)value;
    case FANIN_BF16:
        return fanin_f32_from_bf16(fanin_bf16_from_f32((float)value));
    default:
        return fanin_f32_from_f16(fanin_f16_from_f32((float)value));
    }
}

double fanin_chunk_get(fanin_dtype dtype, const fanin_chunk *chunk, size_t i)
{
    switch (dtype) {
    case FANIN_F64:
        return chunk->f64[i];
    case FANIN_F32:
        return chunk->f32[i];
    case FANIN_BF16:
        return fanin_f32_from_bf16(chunk->b16[i]);
    default:
        return fanin_f32_from_f16(chunk->b16[i]);
    }
}

void fanin_chunk_set(fanin_dtype dtype, fanin_chunk *chunk, size_t i, double value)
{
    switch (dtype) {
    case FANIN_F64:
        chunk->f64[i] = value;
        break;
    case FANIN_F32:
        chunk->f32[i] = (float)value;
        break;
    case FANIN_BF16:
        chunk->b16[i] = fanin_bf16_from_f32((float)value);
        break;
    default:
        chunk->b16[i] = fanin_f16_from_f32((float)value);
        break;
    }
}

/* Signed distance, in std, from the mean to the value of [a, b] where the density is largest. */
static double peak_distance(const double *v)
{
    double nearer = v[MEAN] < v[B] ? v[MEAN] : v[B];
    double mode = v[A] > nearer ? v[A] : nearer;
    return (mode - v[MEAN]) / v[STD];
}

/*
 * Chance that a uniform candidate is kept: the mean over [a, b] of exp(-(z^2 - m^2) / 2), m the bound or centre nearest
 * to the mean, by Simpson's rule over the part that matters. Only the order of magnitude is used.
 */
static double acceptance(const double *v)
{
    double alpha = (v[A] - v[MEAN]) / v[STD], beta = (v[B] - v[MEAN]) / v[STD];
    if (alpha < 0 && beta <= 0) { /* mirror: the mode on the left */
        double t = alpha;
        alpha = -beta;
        beta = -t;
    }
    double mode = alpha > 0 ? alpha : 0;
    double width = beta - alpha;
    double reach = mode + (mode > 1 ? 40 / mode : 40);
    double low = alpha > -40 ? alpha : -40, high = beta < reach ? beta : reach;
    enum { STEPS = 2000 };
    double h = (high - low) / STEPS, sum = 0;
    if (!(width > 0) || isinf(v[MEAN])) /* torch then keeps every candidate: the comparison is with NaN */
        return 1;
    for (int i = 0; i <= STEPS; i++) {
        double z = low + i * h;
        double weight = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
        sum += weight * fanin_exp(-0.5 * (z - mode) * (z + mode));
    }
    return sum * h / 3 / width;
}

static fanin_status check(const double *v, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    fanin_dtype dtype = tensor->dtype;
    int64_t n = fanin_tensor_nelem(tensor);
    char number[FANIN_NUMBER_NBYTES];
    if (!(v[STD] > 0) || isinf(v[STD]))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "trunc_normal: std = %s; it must be positive and finite",
                          fanin_number_format(v[STD], number));
    if (isnan(v[MEAN]))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "trunc_normal: mean is not a number");
    if (!(v[A] <= v[B])) {
        char upper[FANIN_NUMBER_NBYTES];
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "trunc_normal: a = %s is not below b = %s",
                          fanin_number_format(v[A], number), fanin_number_format(v[B], upper));
    }
    if (!is_rejection(profile)) {
        if (dtype == FANIN_F16 && fanin_profile_base(profile) <= FANIN_PROFILE_TORCH_2_0)
            return fanin_fail(error, FANIN_ERROR_DTYPE,
                              "trunc_normal: torch before 2.1 has no f16 erfinv on the CPU; take f32 and cast, or "
                              "profile torch-2.1 or newer");
        /* torch converts each of these scalars to the dtype */
        FANIN_TRY(fanin_element_check(dtype, v[A], error));
        FANIN_TRY(fanin_element_check(dtype, v[B], error));
        FANIN_TRY(fanin_element_check(dtype, v[MEAN], error));
    } else if (!takes_normals(v)) {
        double distance = peak_distance(v);
        if (isfinite(distance) && isinf(fanin_square(distance)))
            return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                              "trunc_normal: the square of %s overflows, the distance of [a, b] from the mean in std; "
                              "move mean or widen std",
                              fanin_number_format(distance, number));
        FANIN_TRY(fanin_uniform_check(dtype, v[A], v[B], error));
        double rounds = n > 0 ? (fanin_log((double)n) + 0.58) / acceptance(v) : 0;
        if (!(rounds <= MAX_ROUNDS))
            return fanin_fail(
                error, FANIN_ERROR_ARGUMENT,
                "trunc_normal: about %.1g rounds of rejection are expected, more than 1e5: almost no mass "
                "of N(%s, std^2) lies in [a, b]; torch would not end. Move mean or widen std",
                rounds, fanin_number_format(v[MEAN], number));
    }
    if (v[MEAN] < v[A] - 2 * v[STD] || v[MEAN] > v[B] + 2 * v[STD])
        fanin_warn(error,
                   "trunc_normal: mean is more than 2 std from [a, b]; the distribution of values may be incorrect");
    return FANIN_OK;
}

/* ---- to torch 2.11: uniform, erfinv, scale, shift, clamp, each a pass rounded to the dtype ---- */

static void invert_cdf(const double *v, fanin_dtype dtype, fanin_profile profile, fanin_chunk *chunk, size_t n)
{
    const bool is_16bit = dtype == FANIN_BF16 || dtype == FANIN_F16;
    const double low = fanin_round_to(dtype, v[A]), high = fanin_round_to(dtype, v[B]);
    const double mean = fanin_round_to(dtype, v[MEAN]);
    double scale = v[STD] * 0x1.6a09e667f3bcdp+0;
    /* from 2.1 on mul_ keeps its scalar in float for 16-bit types; before it is rounded to them */
    if (is_16bit && fanin_profile_base(profile) >= FANIN_PROFILE_TORCH_2_1)
        scale = (float)scale;
    else
        scale = fanin_round_to(dtype, scale);
    for (size_t i = 0; i < n; i++) {
        double x = fanin_chunk_get(dtype, chunk, i);
        if (dtype == FANIN_F64)
            x = fanin_erfinv(x);
        else if (dtype == FANIN_F32)
            x = fanin_erfinvf((float)x);
        else
            x = fanin_round_to(dtype, fanin_erfinvf_torch((float)x));
        x = fanin_round_to(dtype, x * scale);
        x = fanin_round_to(dtype, x + mean);
        x = x < low ? low : x > high ? high : x;
        fanin_chunk_set(dtype, chunk, i, x);
    }
}

static void run_inverse(const double *v, const fanin_tensor *tensor, fanin_generator *generator)
{
    fanin_walk walk;
    const double from = 2 * lower_mass(v) - 1, to = 2 * upper_mass(v) - 1;
    fanin_walk_begin(tensor, &walk);
    for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK) {
        fanin_chunk chunk;
        int64_t n = walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK;
        fanin_uniform_flat(tensor->dtype, &chunk, n, from, to, generator);
        invert_cdf(v, tensor->dtype, generator->profile, &chunk, (size_t)n);
        fanin_walk_scatter(&walk, done, n, &chunk);
    }
}

/* ---- from torch 2.12, p > 0.3: normals, drawn again for the whole tensor until none is outside ---- */

/* Typed loops without early exit, so that compilers make vectors of them. */
#define DEFINE_ANY_OUTSIDE(name, type, value)                                                                          \
    static bool name(const type *p, size_t n, double low, double high)                                                 \
    {                                                                                                                  \
        unsigned any = 0;                                                                                              \
        for (size_t i = 0; i < n; i++)                                                                                 \
            any |= (unsigned)(value(p[i]) < low) | (unsigned)(value(p[i]) > high);                                     \
        return any != 0;                                                                                               \
    }
#define IDENTITY(x) (x)
DEFINE_ANY_OUTSIDE(any_outside_f64, double, IDENTITY)
DEFINE_ANY_OUTSIDE(any_outside_bf16, uint16_t, fanin_f32_from_bf16)
DEFINE_ANY_OUTSIDE(any_outside_f16, uint16_t, fanin_f32_from_f16)

static bool any_outside_f32(const float *p, size_t n, float low, float high)
{
    unsigned any = 0;
    for (size_t i = 0; i < n; i++)
        any |= (unsigned)(p[i] < low) | (unsigned)(p[i] > high);
    return any != 0;
}

static bool any_outside(fanin_dtype dtype, const void *p, size_t n, double low, double high)
{
    switch (dtype) {
    case FANIN_F64:
        return any_outside_f64(p, n, low, high);
    case FANIN_F32:
        return any_outside_f32(p, n, (float)low, (float)high);
    case FANIN_BF16:
        return any_outside_bf16(p, n, low, high);
    default:
        return any_outside_f16(p, n, low, high);
    }
}

/* The next piece of a fresh tensor of n elements of which `done` are made: multiples of 16, the last one >= 16. */
static int64_t next_piece(int64_t n, int64_t done)
{
    int64_t left = n - done;
    if (left <= FANIN_CHUNK)
        return left;
    return left - FANIN_CHUNK < FANIN_NORMAL_BLOCK ? FANIN_CHUNK - FANIN_NORMAL_BLOCK : FANIN_CHUNK;
}

/*
 * A round draws a fresh tensor and keeps of it what replaces a value outside: here from element `first` on. That tensor
 * is dense in the order of memory, whatever the strides of the one being filled: it takes the blocks of normal_ if its
 * order is row-major.
 */
static bool redraw_normals(const double *v, double low, double high, const fanin_walk *walk, int64_t first,
                           fanin_dtype dtype, fanin_generator *generator)
{
    const bool blocked = walk->is_row_major && walk->nelem >= FANIN_NORMAL_BLOCK;
    bool outside = false;
    for (int64_t done = first, n; done < walk->nelem; done += n) {
        fanin_chunk fresh, current;
        n = next_piece(walk->nelem, done);
        if (blocked)
            fanin_normal_blocks(dtype, &fresh, n, v[MEAN], v[STD], generator);
        else
            fanin_normal_scalar(dtype, &fresh, n, v[MEAN], v[STD], generator);
        fanin_walk_gather(walk, done, n, &current);
        if (!any_outside(dtype, &current, (size_t)n, low, high))
            continue;
        for (size_t i = 0; i < (size_t)n; i++) {
            double value = fanin_chunk_get(dtype, &current, i);
            if (value < low || value > high) {
                value = fanin_chunk_get(dtype, &fresh, i);
                fanin_chunk_set(dtype, &current, i, value);
                outside = outside || value < low || value > high;
            }
        }
        fanin_walk_scatter(walk, done, n, &current);
    }
    return outside;
}

static bool is_outside(const fanin_walk *walk, fanin_dtype dtype, double low, double high)
{
    if (walk->is_flat)
        return any_outside(dtype, walk->data, (size_t)walk->nelem, low, high);
    for (int64_t done = 0; done < walk->nelem; done += FANIN_CHUNK) {
        fanin_chunk chunk;
        int64_t n = walk->nelem - done < FANIN_CHUNK ? walk->nelem - done : FANIN_CHUNK;
        fanin_walk_gather(walk, done, n, &chunk);
        if (any_outside(dtype, &chunk, (size_t)n, low, high))
            return true;
    }
    return false;
}

/*
 * |z| of a normal is at most sqrt(-2 ln 2^-24) = 5.768 from 24-bit uniforms and sqrt(-2 ln 2^-53) = 8.572 from 53-bit
 * ones. If even those, with room for roundings, lie inside [a, b], there is exactly one round.
 */
static bool is_one_round(const double *v, const fanin_tensor *tensor, bool blocked)
{
    double limit = blocked && tensor->dtype != FANIN_F64 ? 5.78 : 8.58;
    double reach = limit * v[STD] + 1e-6 * fabs(v[MEAN]);
    return v[MEAN] - reach >= v[A] && v[MEAN] + reach <= v[B];
}

/* A bound as key; that of zero is the one farther out. */
static int16_t key_of(fanin_dtype dtype, double bound, bool is_low)
{
    const float value = (float)bound;
    const uint16_t bits = dtype == FANIN_BF16 ? fanin_bf16_from_f32(value) : fanin_f16_from_f32(value);
    if ((bits & 0x7fff) == 0)
        return is_low ? -1 : 0;
    return (int16_t)(bits >> 15 ? bits ^ 0x7fff : bits);
}

static struct fanin_bounds bounds_of(fanin_dtype dtype, double low, double high)
{
    return (struct fanin_bounds){
        .f64_low = low,
        .f64_high = high,
        .f32_low = (float)low,
        .f32_high = (float)high,
        .key_low = key_of(dtype, low, true),
        .key_high = key_of(dtype, high, false),
        .infinity = dtype == FANIN_BF16 ? 0x7f80 : 0x7c00,
    };
}

static const struct fanin_truncation *truncation_of(const struct fanin_kernel *kernel, fanin_dtype dtype)
{
    return dtype == FANIN_F64   ? &kernel->truncation_f64
           : dtype == FANIN_F32 ? &kernel->truncation_f32
                                : &kernel->truncation_16bit;
}

/* The first bit from `from` on that is set; `end` if there is none before it. */
static size_t next_pending(const uint64_t *pending, size_t from, size_t end)
{
    while (from < end) {
        uint64_t word = pending[from / 64] >> (from % 64);
        if (word != 0) {
            from += (size_t)__builtin_ctzll(word);
            return from < end ? from : end;
        }
        from = (from / 64 + 1) * 64;
    }
    return end;
}

/* The blocks of a contiguous tensor and a bit for each that has an element outside. */
struct blocks {
    fanin_dtype dtype;
    size_t nbytes; /* of a block */
    size_t nwords; /* it takes from the stream */
    size_t n;
    char *data;
    uint64_t *pending;
    const struct fanin_truncation *truncation;
    struct fanin_bounds bounds;
};

static bool first_round(const double *v, const struct blocks *blocks, fanin_generator *generator)
{
    enum { PIECE = 512 }; /* blocks: looked at while they are in cache; a multiple of 64 */
    bool any = false;
    for (size_t done = 0; done < blocks->n; done += PIECE) {
        const size_t n = blocks->n - done < PIECE ? blocks->n - done : PIECE;
        char *piece = blocks->data + done * blocks->nbytes;
        fanin_normal_blocks(blocks->dtype, piece, (int64_t)n * FANIN_NORMAL_BLOCK, v[MEAN], v[STD], generator);
        any |= blocks->truncation->mark(blocks->pending + done / 64, piece, n, &blocks->bounds);
    }
    return any;
}

/* A later round makes only the blocks that still need a value, a batch at a time. */
static bool next_round(const double *v, const struct blocks *blocks, fanin_generator *generator)
{
    enum { BATCH = 32 };
    _Alignas(64) uint32_t words[BATCH * 2 * FANIN_NORMAL_BLOCK];
    _Alignas(64) double fresh[BATCH * FANIN_NORMAL_BLOCK];
    uint64_t *pending = blocks->pending;
    bool any = false;
    fanin_stream stream;
    fanin_stream_begin(&stream, generator);
    for (size_t done = 0; done < blocks->n;) {
        const size_t first = next_pending(pending, done, blocks->n);
        const uint32_t *raw;
        fanin_stream_skip(&stream, (uint64_t)(first - done) * blocks->nwords);
        if (first == blocks->n)
            break;
        done = first +
               fanin_stream_take(&stream, (blocks->n - first) * blocks->nwords, blocks->nwords, &raw) / blocks->nwords;
        for (size_t next = first; next < done;) {
            size_t at[BATCH], n = 0;
            for (; n < BATCH && next < done; next = next_pending(pending, next + 1, done)) {
                memcpy(words + n * blocks->nwords, raw + (next - first) * blocks->nwords,
                       blocks->nwords * sizeof *words);
                __builtin_prefetch(blocks->data + next * blocks->nbytes, 1);
                pending[next / 64] &= ~((uint64_t)1 << (next % 64));
                at[n++] = next;
            }
            fanin_normal_make(blocks->dtype, stream.kernel, fresh, words, n, v[MEAN], v[STD], false);
            n = blocks->truncation->replace(blocks->data, fresh, at, n, &blocks->bounds);
            any |= n > 0;
            while (n-- > 0)
                pending[at[n] / 64] |= (uint64_t)1 << (at[n] % 64);
        }
    }
    fanin_stream_end(&stream);
    return any;
}

/*
 * Where n is no multiple of 16 a fresh tensor makes its last 16 elements by themselves: there they and the block they
 * overlap are left to the general way.
 */
static fanin_status run_blocks(const double *v, double low, double high, const fanin_walk *walk, fanin_dtype dtype,
                               fanin_generator *generator, fanin_error *error)
{
    const size_t n = (size_t)walk->nelem, rest = n % FANIN_NORMAL_BLOCK;
    struct blocks blocks = {
        .dtype = dtype,
        .nbytes = FANIN_NORMAL_BLOCK * walk->nbytes,
        .nwords = dtype == FANIN_F64 ? 2 * FANIN_NORMAL_BLOCK : FANIN_NORMAL_BLOCK,
        .n = n / FANIN_NORMAL_BLOCK - (rest > 0),
        .data = walk->data,
        .truncation = truncation_of(fanin_kernel_for(generator->profile), dtype),
        .bounds = bounds_of(dtype, low, high),
    };
    const size_t nmarks = (blocks.n + 63) / 64;
    blocks.pending = fanin_allocate(nmarks, sizeof *blocks.pending);
    if (blocks.pending == NULL)
        return fanin_fail_memory(error, nmarks * sizeof *blocks.pending);
    bool any = first_round(v, &blocks, generator), end_outside = false;
    if (rest > 0) {
        const size_t length = FANIN_NORMAL_BLOCK + rest;
        char *end = blocks.data + blocks.n * blocks.nbytes;
        fanin_normal_blocks(dtype, end, (int64_t)length, v[MEAN], v[STD], generator);
        end_outside = any_outside(dtype, end, length, low, high);
    }
    while (any || end_outside) {
        any = next_round(v, &blocks, generator);
        end_outside =
            rest > 0 && redraw_normals(v, low, high, walk, (int64_t)blocks.n * FANIN_NORMAL_BLOCK, dtype, generator);
    }
    fanin_free(blocks.pending);
    return FANIN_OK;
}

static fanin_status run_normals(const double *v, const fanin_tensor *tensor, fanin_generator *generator,
                                fanin_error *error)
{
    const double normal[4] = {v[MEAN], v[STD]};
    const double low = fanin_round_to(tensor->dtype, v[A]), high = fanin_round_to(tensor->dtype, v[B]);
    const bool blocked = fanin_normal_is_blocked(tensor);
    fanin_walk walk;
    if (is_one_round(v, tensor, blocked))
        return fanin_fill_normal.run(normal, tensor, generator, error);
    fanin_walk_begin(tensor, &walk);
    if (blocked && !fanin_normal_is_legacy(tensor->dtype, generator->profile))
        return run_blocks(v, low, high, &walk, tensor->dtype, generator, error);
    FANIN_TRY(fanin_fill_normal.run(normal, tensor, generator, error));
    bool outside = is_outside(&walk, tensor->dtype, low, high);
    while (outside)
        outside = redraw_normals(v, low, high, &walk, 0, tensor->dtype, generator);
    return FANIN_OK;
}

/* ---- from torch 2.12, p <= 0.3: uniform candidates under the density, one bit an element for what is pending ---- */

/* Each step is an operation of its own, rounded to the dtype. */
static bool is_rejected(fanin_dtype t, double candidate, double u, double mean, double std, double peak)
{
    double g = fanin_round_to(t, candidate - mean);
    g = fanin_round_to(t, g / std);
    g = fanin_round_to(t, g * g);
    g = fanin_round_to(t, g * -0.5);
    g = fanin_round_to(t, g - peak);
    double log_u = u > 0 ? fanin_round_to(t, t == FANIN_F64 ? fanin_log(u) : (double)(float)fanin_log(u)) : -INFINITY;
    return log_u > g;
}

static fanin_status run_uniforms(const double *v, const fanin_tensor *tensor, fanin_generator *generator,
                                 fanin_error *error)
{
    const fanin_dtype t = tensor->dtype;
    /* torch squares by Python's **, which is pow, with other bits than a product */
    const double peak = fanin_round_to(t, -0.5 * fanin_square(peak_distance(v)));
    /* div_ keeps its scalar in float for the 16-bit types, where sub_ rounds it to them */
    const double mean = fanin_round_to(t, v[MEAN]), std = t == FANIN_F64 ? v[STD] : (double)(float)v[STD];
    fanin_walk walk;
    fanin_walk_begin(tensor, &walk);
    const size_t nelem = (size_t)walk.nelem, nwords = (nelem + 63) / 64;
    uint64_t *pending = fanin_allocate(nwords, sizeof *pending);
    if (pending == NULL)
        return fanin_fail_memory(error, nwords * sizeof *pending);
    memset(pending, 0xff, nwords * sizeof *pending);
    bool any = nelem > 0;
    while (any) {
        /* candidates for all elements, then the uniforms that decide for all of them: two places of one stream */
        fanin_generator decider = *generator;
        fanin_generator_skip(&decider, fanin_uniform_ndraws(t, nelem));
        any = false;
        for (size_t done = 0, next; done < nelem; done = next + FANIN_CHUNK) {
            /* chunks in which all is decided are left out */
            next = next_pending(pending, done, nelem);
            next = next < nelem ? next / FANIN_CHUNK * FANIN_CHUNK : nelem;
            fanin_generator_skip(generator, fanin_uniform_ndraws(t, next - done));
            fanin_generator_skip(&decider, fanin_uniform_ndraws(t, next - done));
            if (next == nelem)
                break;
            fanin_chunk candidates, uniforms, current;
            const size_t n = nelem - next < FANIN_CHUNK ? nelem - next : FANIN_CHUNK, end = next + n;
            fanin_uniform_flat(t, &candidates, (int64_t)n, v[A], v[B], generator);
            fanin_uniform_flat(t, &uniforms, (int64_t)n, 0, 1, &decider);
            fanin_walk_gather(&walk, (int64_t)next, (int64_t)n, &current);
            for (size_t at = next_pending(pending, next, end); at < end; at = next_pending(pending, at + 1, end)) {
                const size_t i = at - next;
                double candidate = fanin_chunk_get(t, &candidates, i);
                fanin_chunk_set(t, &current, i, candidate);
                if (is_rejected(t, candidate, fanin_chunk_get(t, &uniforms, i), mean, std, peak))
                    any = true;
                else
                    pending[at / 64] &= ~((uint64_t)1 << (at % 64));
            }
            fanin_walk_scatter(&walk, (int64_t)next, (int64_t)n, &current);
        }
        *generator = decider;
    }
    fanin_free(pending);
    return FANIN_OK;
}

static fanin_status run(const double *v, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    if (!is_rejection(generator->profile)) {
        run_inverse(v, tensor, generator);
        return FANIN_OK;
    }
    return takes_normals(v) ? run_normals(v, tensor, generator, error) : run_uniforms(v, tensor, generator, error);
}

static void measure(const double *v, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    uint64_t n = (uint64_t)fanin_tensor_nelem(tensor);
    if (!is_rejection(profile)) {
        stream->ndraws = fanin_uniform_ndraws(tensor->dtype, n);
    } else if (takes_normals(v)) {
        fanin_fill_normal.measure(v, tensor, profile, stream);
        stream->data_dependent = n > 0 && !is_one_round(v, tensor, !stream->scalar);
    } else {
        stream->ndraws = 2 * fanin_uniform_ndraws(tensor->dtype, n);
        stream->data_dependent = n > 0;
    }
}

static bool is_splittable(const double *v, const fanin_tensor *tensor, fanin_profile profile)
{
    fanin_fill_stream stream = {0};
    measure(v, tensor, profile, &stream);
    return !stream.data_dependent && !stream.scalar;
}

const fanin_fill_rule fanin_fill_trunc_normal = {
    .name = "trunc_normal",
    .values = {"mean", "std", "a", "b"},
    .random = true,
    .check = check,
    .run = run,
    .measure = measure,
    .is_splittable = is_splittable,
};
