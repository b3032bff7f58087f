/* SPDX-License-Identifier: MIT */
/*
 * Allocation through the table of hooks.h, and arithmetic on sizes that cannot wrap.
 */
#ifndef FANIN_BASE_MEMORY_H
#define FANIN_BASE_MEMORY_H

#include "fanin/hooks.h"

/* NULL when there is nothing left; count * size is checked. Zero bytes give a pointer that may be released. */
void *fanin_allocate(size_t count, size_t size);
/* The same, zeroed. */
void *fanin_allocate_zeroed(size_t count, size_t size);
/* A new block with the first old_count elements of the old one, which is released on success only. */
void *fanin_reallocate(void *old, size_t old_count, size_t new_count, size_t size);
/* NULL is fine. */
void fanin_free(void *memory);
char *fanin_duplicate(const char *text, size_t nbytes); /* NUL is added */

/* false on overflow */
static inline bool fanin_checked_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}
static inline bool fanin_checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}
/*
 * The product of a shape, multiplied from left to right as the safetensors reader does: [2^63, 2, 0] overflows on the
 * way, although a zero follows. false on overflow and for a negative dimension; ndim 0 gives 1.
 */
static inline bool fanin_shape_nelem(const int64_t *shape, int ndim, uint64_t *nelem)
{
    *nelem = 1;
    for (int i = 0; i < ndim; i++)
        if (shape[i] < 0 || !fanin_checked_mul(*nelem, (uint64_t)shape[i], nelem))
            return false;
    return true;
}

/*
 * An arena: many small strings and arrays with one lifetime. Zero-initialize, take from it, release it whole.
 */
typedef struct fanin_arena {
    struct fanin_arena_block *blocks;
} fanin_arena;
void *fanin_arena_allocate(fanin_arena *arena, size_t count, size_t size); /* zeroed, NULL when there is nothing left */
char *fanin_arena_text(fanin_arena *arena, const char *text, size_t nbytes);
char *fanin_arena_format(fanin_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fanin_arena_release(fanin_arena *arena);

#endif
