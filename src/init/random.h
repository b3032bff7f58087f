/* SPDX-License-Identifier: MIT */
/*
 * The random fills of contiguous memory that all others are made of. Parameters have been checked.
 */
#ifndef FANIN_INIT_RANDOM_H
#define FANIN_INIT_RANDOM_H

#include "fanin/fill.h"
#include "init/view.h"
#include "kernel/kernel.h"

/* Elements that non-contiguous tensors and rejection rounds handle at a time; a multiple of 16. */
enum { FANIN_CHUNK = 1024 };

/* A chunk of any random dtype. */
typedef union fanin_chunk {
    double f64[FANIN_CHUNK];
    float f32[FANIN_CHUNK];
    uint16_t b16[FANIN_CHUNK];
} fanin_chunk;

/* Above, plain stores, which read each line first, are slower than those past the caches: half of a last-level cache.
 */
enum { FANIN_BYPASS_NBYTES = 24 << 20 };

/* uniform_ of n elements in a row. */
void fanin_uniform_flat(fanin_dtype dtype, void *out, int64_t n, double from, double to, fanin_generator *generator);
/* normal_ by blocks of 16; n >= 16. In pieces: multiples of 16, the last one >= 16. */
void fanin_normal_blocks(fanin_dtype dtype, void *out, int64_t n, double mean, double std, fanin_generator *generator);
/* The normal blocks of these raw words, 16 a block (f64: 32); not for 16-bit types of profiles up to torch-2.12.
   `running`: as many words are made behind raw[0..623] on the way (kernel.h). */
void fanin_normal_make(fanin_dtype dtype, const struct fanin_kernel *kernel, void *out, uint32_t *raw, size_t nblocks,
                       double mean, double std, bool running);
bool fanin_normal_is_legacy(fanin_dtype dtype, fanin_profile profile);
/* normal_ element by element, through the generator's cached normal. */
void fanin_normal_scalar(fanin_dtype dtype, void *out, int64_t n, double mean, double std, fanin_generator *generator);
/* 16-bit blocks of the profiles up to torch-2.12. */
void fanin_normal_legacy(fanin_dtype dtype, uint16_t *out, int64_t n, double mean, double std,
                         fanin_generator *generator);

/* A double rounded to a random dtype, through float for 16 bits, as torch converts its scalars; and back. */
double fanin_round_to(fanin_dtype dtype, double value);
/* Element i of a chunk as double, and its store (rounding as above). */
double fanin_chunk_get(fanin_dtype dtype, const fanin_chunk *chunk, size_t i);
void fanin_chunk_set(fanin_dtype dtype, fanin_chunk *chunk, size_t i, double value);

/* Whether normal_ takes blocks on this tensor. */
bool fanin_normal_is_blocked(const fanin_tensor *tensor);
/* 32-bit draws of uniform_ and normal_. `cached`: in and out, whether a cached normal is there. */
uint64_t fanin_uniform_ndraws(fanin_dtype dtype, uint64_t n);
uint64_t fanin_normal_ndraws(fanin_dtype dtype, uint64_t n, bool blocked, fanin_profile profile, bool *cached);

/* What uniform_ and normal_ check before they draw. */
fanin_status fanin_uniform_check(fanin_dtype dtype, double from, double to, fanin_error *error);
fanin_status fanin_normal_check(double std, fanin_error *error);

/* One row a fill kind: see fill.c. */
typedef struct fanin_fill_rule {
    const char *name;
    const char *values[4];
    bool random;
    fanin_status (*check)(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error);
    fanin_status (*run)(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                        fanin_error *error);
    /* moves the generator as run would, without the tensor's memory. NULL: by as many draws as measure says */
    fanin_status (*pass)(const double *value, const fanin_tensor *tensor, fanin_generator *generator,
                         const fanin_parallel *parallel, fanin_error *error);
    void (*measure)(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream);
    bool (*is_splittable)(const double *value, const fanin_tensor *tensor, fanin_profile profile);
} fanin_fill_rule;
extern const fanin_fill_rule fanin_fill_constant;
extern const fanin_fill_rule fanin_fill_uniform;
extern const fanin_fill_rule fanin_fill_normal;
extern const fanin_fill_rule fanin_fill_trunc_normal;
extern const fanin_fill_rule fanin_fill_eye;
extern const fanin_fill_rule fanin_fill_dirac;
extern const fanin_fill_rule fanin_fill_orthogonal;
extern const fanin_fill_rule fanin_fill_sparse;

/*
 * Moves the generator behind a fill as running it would; tensor->data is not looked at. Takes memory of its own where
 * what is drawn depends on what was drawn: at most a bit an element, but for small tensors.
 */
fanin_status fanin_fill_pass(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                             const fanin_parallel *parallel, fanin_error *error);

/* Sets every element to the bits of `value` in the dtype. */
void fanin_constant_write(const fanin_tensor *tensor, double value);

static inline fanin_profile fanin_profile_base(fanin_profile profile)
{
    return profile & ~(fanin_profile)FANIN_UNFUSED;
}

#endif
