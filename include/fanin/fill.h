/* SPDX-License-Identifier: MIT */
/*
 * A fill is an initializer with its numbers resolved: one pass over a tensor, as data. Plans are made of fills.
 */
#ifndef FANIN_FILL_H
#define FANIN_FILL_H

#include "fanin/init.h"
#include "fanin/parallel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values are part of the ABI. value[] holds, in order, the parameters named behind each kind. */
typedef enum fanin_fill_kind {
    FANIN_FILL_NONE = 0,
    FANIN_FILL_CONSTANT = 1,     /* value */
    FANIN_FILL_UNIFORM = 2,      /* from, to */
    FANIN_FILL_NORMAL = 3,       /* mean, std */
    FANIN_FILL_TRUNC_NORMAL = 4, /* mean, std, a, b */
    FANIN_FILL_EYE = 5,
    FANIN_FILL_DIRAC = 6,      /* groups */
    FANIN_FILL_ORTHOGONAL = 7, /* gain */
    FANIN_FILL_SPARSE = 8,     /* sparsity, std */
    FANIN_FILL_KIND_COUNT
} fanin_fill_kind;

typedef struct fanin_fill {
    fanin_fill_kind kind;
    double value[4];
} fanin_fill;

FANIN_API const char *fanin_fill_kind_name(fanin_fill_kind kind); /* "uniform"; NULL if there is none */
FANIN_API fanin_fill_kind fanin_fill_kind_from_name(const char *name);
FANIN_API size_t fanin_fill_nvalues(fanin_fill_kind kind);
FANIN_API const char *fanin_fill_value_name(fanin_fill_kind kind, size_t i); /* "mean", "std" ... */

/* Everything the fill would refuse, before a byte is written or drawn. Looks at dtype, shape and strides only. */
FANIN_API fanin_status fanin_fill_check(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile,
                                        fanin_error *error);
/* Checks, then writes. generator may be NULL for fills that draw nothing. */
FANIN_API fanin_status fanin_fill_run(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator,
                                      fanin_error *error);

/*
 * fanin_fill_run in pieces, where the fill allows and the tensor is large enough to gain. Same bytes, same generator
 * afterwards. parallel may be NULL.
 */
FANIN_API fanin_status fanin_fill_run_parallel(const fanin_fill *fill, const fanin_tensor *tensor,
                                               fanin_generator *generator, const fanin_parallel *parallel,
                                               fanin_error *error);
/*
 * The same into memory that may never have been touched, such as malloc gives for large tensors: each thread touches
 * what it fills just before, in huge pages if *huge and where the system gives them (Linux; MADV_HUGEPAGE stays on that
 * memory). *huge becomes false where huge pages took longer than small ones, as in a virtual machine whose host takes
 * free memory away: the next calls had better ask for none, for a second or two.
 */
FANIN_API fanin_status fanin_fill_run_fresh(const fanin_fill *fill, const fanin_tensor *tensor,
                                            fanin_generator *generator, const fanin_parallel *parallel, bool *huge,
                                            fanin_error *error);

/*
 * What the fill takes from the stream, from dtype, shape and strides alone.
 *   ndraws       32-bit draws. For a trunc_normal that may need more than one round: those of one round.
 *   data_dependent  the number of rounds depends on the data, and with it every later position
 *   scalar       the scalar path of normal_ is taken, which uses and leaves a cached normal
 *   has_cached   in: a normal is cached before; out: one is left behind (only meaningful if not data_dependent)
 */
typedef struct fanin_fill_stream {
    uint64_t ndraws;
    bool data_dependent;
    bool scalar;
    bool has_cached;
} fanin_fill_stream;
FANIN_API fanin_status fanin_fill_measure(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile,
                                          fanin_fill_stream *stream, fanin_error *error);

/*
 * Whether the elements of a contiguous tensor can be made in separate ascending pieces with the same bytes: pieces of a
 * multiple of 16 elements, the last one of at least 16. False for fills that need the whole tensor at once.
 */
FANIN_API bool fanin_fill_is_splittable(const fanin_fill *fill, const fanin_tensor *tensor, fanin_profile profile);

#ifdef __cplusplus
}
#endif
#endif
