/* SPDX-License-Identifier: MIT */
/*
 * Which tensors hold the same numbers: equal, equal after a cast, or the same stream of random numbers at another
 * scale, shifted, or transposed. Between two checkpoints, or within one.
 */
#ifndef FANIN_SAME_H
#define FANIN_SAME_H

#include "fanin/checkpoint.h"
#include "fanin/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum fanin_sameness {
    FANIN_SAME_EQUAL = 0,  /* dtype, shape and bytes */
    FANIN_SAME_BYTES,      /* dtype and values, in another shape */
    FANIN_SAME_CAST,       /* the one cast to the dtype of the other */
    FANIN_SAME_SCALED,     /* b = a x scale + offset, or nearly: correlation */
    FANIN_SAME_TRANSPOSED, /* b as a matrix is a^T, at any scale */
    FANIN_SAME_SHIFTED,    /* b[i] and a[i + lag] are the same numbers, at any scale, with lag not 0 */
    FANIN_SAME_COUNT
} fanin_sameness;
FANIN_API const char *fanin_sameness_name(fanin_sameness sameness); /* "equal", "bytes", "cast", "scaled" ... */

/* Tensor a of the first checkpoint, b of the second (or of the same one, a < b). */
typedef struct fanin_same_pair {
    size_t a, b;
    fanin_sameness sameness;
    double correlation; /* of the nelem values compared; 1 of equal ones */
    double scale;       /* b / a, by their standard deviations, with the sign of the correlation; 1 of equal ones */
    int64_t lag;        /* of SHIFTED; else 0 */
    uint64_t nelem;     /* values that were compared */
} fanin_same_pair;

typedef struct fanin_same_options {
    size_t size;                    /* sizeof(fanin_same_options) */
    const fanin_parallel *parallel; /* NULL: the calling thread alone */
    fanin_progress progress;        /* NULL; bytes read */
    void *user;
    double min_correlation; /* least absolute correlation that is told; 0: 0.5 */
} fanin_same_options;

typedef struct fanin_same fanin_same;

/*
 * Strongest first. b may be NULL, or a again: then pairs within a. Tensors of one value, and of no floats unless they
 * are equal, are passed over, as are correlations that chance gives (7.5 / sqrt(n)). Lags are found up to 65,536;
 * of larger tensors correlations are those of the first 2^22 values.
 */
FANIN_API fanin_status fanin_same_find(const fanin_checkpoint *a, const fanin_checkpoint *b,
                                       const fanin_same_options *options, fanin_same **same, fanin_error *error);
FANIN_API void fanin_same_free(fanin_same *same);
FANIN_API size_t fanin_same_count(const fanin_same *same);
FANIN_API const fanin_same_pair *fanin_same_at(const fanin_same *same, size_t i);

#ifdef __cplusplus
}
#endif
#endif
