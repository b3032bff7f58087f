/* SPDX-License-Identifier: MIT */
/*
 * torch.randperm step by step, for those who need only the beginning of a permutation. Step i swaps element i with one
 * of those from i on, so what is before it stays.
 */
#ifndef FANIN_INIT_PERMUTATION_H
#define FANIN_INIT_PERMUTATION_H

#include "rng/stream.h"

/* May lie in memory that the caller knows as integers of 64 bits. */
typedef uint32_t __attribute__((__may_alias__)) fanin_index;

/* Whether n elements take a 32-bit draw a step, n - 1 in all, and have indices of 30 bits: true but for huge n. */
bool fanin_permutation_is_short(int64_t n, fanin_profile profile);

/* Elements taken at once, at most. */
enum { FANIN_PERMUTATION_RUN = 512 };

/*
 * Elements i, i + 1, ... of the permutation of n elements, `most` > 0 of them or fewer: returns how many. A short one,
 * i + most < n. order holds 0 to n - 1 before the first, and from the place of the next on what is left; before that
 * place it is not read, so elements may lie there.
 */
int64_t fanin_permutation_take(int64_t elements[FANIN_PERMUTATION_RUN], fanin_index *order, int64_t n, int64_t i,
                               int64_t most, fanin_stream *stream);

/* 32-bit draws of fanin_randperm. */
uint64_t fanin_permutation_ndraws(uint64_t n, fanin_profile profile);

#endif
