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
#include "init/rounds.h"
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

/* ---- from torch 2.12: rounds for the whole tensor, one bit an element for what is still to be decided ---- */

static void decide(uint64_t *pending, size_t i)
{
    pending[i / 64] &= ~((uint64_t)1 << (i % 64));
}

static fanin_status allocate_pending(size_t nelem, uint64_t **pending, fanin_error *error)
{
    const size_t nwords = (nelem + 63) / 64;
    *pending = fanin_allocate(nwords, sizeof **pending);
    if (*pending == NULL)
        return fanin_fail_memory(error, nwords * sizeof **pending);
    memset(*pending, 0xff, nwords * sizeof **pending);
    return FANIN_OK;
}

/* ---- p > 0.3: normals, drawn again until none is outside ---- */

/* The next piece of a fresh tensor of n elements of which `done` are made: multiples of 16, the last one >= 16. */
static int64_t next_piece(int64_t n, int64_t done)
{
    int64_t left = n - done;
    if (left <= FANIN_CHUNK)
        return left;
    return left - FANIN_CHUNK < FANIN_NORMAL_BLOCK ? FANIN_CHUNK - FANIN_NORMAL_BLOCK : FANIN_CHUNK;
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

bool fanin_fill_has_rounds(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile)
{
    return fill->kind == FANIN_FILL_TRUNC_NORMAL && is_rejection(profile) && takes_normals(fill->value) &&
           fanin_normal_is_blocked(tensor) && !is_one_round(fill->value, tensor, true) &&
           !fanin_normal_is_legacy(tensor->dtype, profile);
}

/*
 * A round draws a fresh tensor and keeps of it what replaces a value outside. The tensors after the first are dense in
 * the order of memory, whatever the strides of the one being filled: they take the blocks of normal_ if that order is
 * row-major.
 */
static fanin_status reject_normals(const double *v, const fanin_tensor *tensor, const fanin_walk *walk,
                                   fanin_generator *generator, fanin_error *error)
{
    const fanin_dtype dtype = tensor->dtype;
    const double low = fanin_round_to(dtype, v[A]), high = fanin_round_to(dtype, v[B]);
    uint64_t *pending;
    FANIN_TRY(allocate_pending((size_t)walk->nelem, &pending, error));
    bool any = walk->nelem > 0, blocked = fanin_normal_is_blocked(tensor);
    while (any) {
        any = false;
        for (int64_t done = 0, n; done < walk->nelem; done += n) {
            fanin_chunk fresh, current;
            n = next_piece(walk->nelem, done);
            if (blocked)
                fanin_normal_blocks(dtype, &fresh, n, v[MEAN], v[STD], generator);
            else
                fanin_normal_scalar(dtype, &fresh, n, v[MEAN], v[STD], generator);
            const size_t end = (size_t)(done + n);
            size_t at = fanin_next_pending(pending, (size_t)done, end);
            if (at == end)
                continue;
            if (walk->data != NULL)
                fanin_walk_gather(walk, done, n, &current);
            for (; at < end; at = fanin_next_pending(pending, at + 1, end)) {
                const size_t i = at - (size_t)done;
                const double value = fanin_chunk_get(dtype, &fresh, i);
                fanin_chunk_set(dtype, &current, i, value);
                if (value < low || value > high)
                    any = true;
                else
                    decide(pending, at);
            }
            if (walk->data != NULL)
                fanin_walk_scatter(walk, done, n, &current);
        }
        blocked = walk->is_row_major && walk->nelem >= FANIN_NORMAL_BLOCK;
    }
    fanin_free(pending);
    return FANIN_OK;
}

static fanin_status run_normals(const double *v, const fanin_tensor *tensor, fanin_generator *generator,
                                const fanin_parallel *parallel, fanin_error *error)
{
    const fanin_fill fill = {FANIN_FILL_TRUNC_NORMAL, {v[MEAN], v[STD], v[A], v[B]}};
    fanin_walk walk;
    if (fanin_fill_has_rounds(&fill, tensor, generator->profile))
        return fanin_rounds_run(&fill, tensor, generator, parallel, error);
    if (is_one_round(v, tensor, fanin_normal_is_blocked(tensor)))
        return tensor->data != NULL ? fanin_fill_normal.run(v, tensor, generator, error)
                                    : fanin_fill_normal.pass(v, tensor, generator, parallel, error);
    fanin_walk_begin(tensor, &walk);
    return reject_normals(v, tensor, &walk, generator, error);
}

/* ---- p <= 0.3: uniform candidates under the density ---- */

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
    const size_t nelem = (size_t)walk.nelem;
    uint64_t *pending;
    FANIN_TRY(allocate_pending(nelem, &pending, error));
    bool any = nelem > 0;
    while (any) {
        /* candidates for all elements, then the uniforms that decide for all of them: two places of one stream */
        fanin_generator decider = *generator;
        fanin_generator_skip(&decider, fanin_uniform_ndraws(t, nelem));
        any = false;
        for (size_t done = 0, next; done < nelem; done = next + FANIN_CHUNK) {
            /* chunks in which all is decided are left out */
            next = fanin_next_pending(pending, done, nelem);
            next = next < nelem ? next / FANIN_CHUNK * FANIN_CHUNK : nelem;
            fanin_generator_skip(generator, fanin_uniform_ndraws(t, next - done));
            fanin_generator_skip(&decider, fanin_uniform_ndraws(t, next - done));
            if (next == nelem)
                break;
            fanin_chunk candidates, uniforms, current;
            const size_t n = nelem - next < FANIN_CHUNK ? nelem - next : FANIN_CHUNK, end = next + n;
            fanin_uniform_flat(t, &candidates, (int64_t)n, v[A], v[B], generator);
            fanin_uniform_flat(t, &uniforms, (int64_t)n, 0, 1, &decider);
            if (walk.data != NULL)
                fanin_walk_gather(&walk, (int64_t)next, (int64_t)n, &current);
            for (size_t at = fanin_next_pending(pending, next, end); at < end;
                 at = fanin_next_pending(pending, at + 1, end)) {
                const size_t i = at - next;
                double candidate = fanin_chunk_get(t, &candidates, i);
                fanin_chunk_set(t, &current, i, candidate);
                if (is_rejected(t, candidate, fanin_chunk_get(t, &uniforms, i), mean, std, peak))
                    any = true;
                else
                    decide(pending, at);
            }
            if (walk.data != NULL)
                fanin_walk_scatter(&walk, (int64_t)next, (int64_t)n, &current);
        }
        *generator = decider;
    }
    fanin_free(pending);
    return FANIN_OK;
}

/* tensor->data NULL: for the generator alone */
static fanin_status reject(const double *v, const fanin_tensor *tensor, fanin_generator *generator,
                           const fanin_parallel *parallel, fanin_error *error)
{
    return takes_normals(v) ? run_normals(v, tensor, generator, parallel, error)
                            : run_uniforms(v, tensor, generator, error);
}

static fanin_status run(const double *v, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    if (is_rejection(generator->profile))
        return reject(v, tensor, generator, NULL, error);
    run_inverse(v, tensor, generator);
    return FANIN_OK;
}

static fanin_status pass(const double *v, const fanin_tensor *tensor, fanin_generator *generator,
                         const fanin_parallel *parallel, fanin_error *error)
{
    fanin_tensor bare = *tensor;
    bare.data = NULL;
    if (is_rejection(generator->profile))
        return reject(v, &bare, generator, parallel, error);
    fanin_generator_skip(generator, fanin_uniform_ndraws(tensor->dtype, (uint64_t)fanin_tensor_nelem(tensor)));
    return FANIN_OK;
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
    .pass = pass,
    .measure = measure,
    .is_splittable = is_splittable,
};
