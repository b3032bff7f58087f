/* SPDX-License-Identifier: MIT */
/*
 * The allocator table in force, and what is built on it: checked arrays and the arena. Nothing else in the library
 * calls malloc.
 */
#define _GNU_SOURCE /* madvise */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

/*
 * From this size on memory begins at a huge page and asks for them: the first touch of it is four times as fast. It is
 * not populated here, which would be a pass of its own.
 */
enum { HUGE_NBYTES = 2 << 20 };

static void *system_allocate(void *user, size_t nbytes)
{
    (void)user;
#if defined(MADV_HUGEPAGE)
    if (nbytes >= 2 * (size_t)HUGE_NBYTES && nbytes <= SIZE_MAX - HUGE_NBYTES) {
        const size_t rounded = (nbytes + HUGE_NBYTES - 1) / HUGE_NBYTES * HUGE_NBYTES;
        void *memory = aligned_alloc(HUGE_NBYTES, rounded);
        if (memory != NULL) /* a wish: where it cannot be granted, small pages are as good */
            (void)madvise(memory, nbytes / HUGE_NBYTES * HUGE_NBYTES, MADV_HUGEPAGE);
        return memory;
    }
#endif
    return malloc(nbytes);
}

static void system_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static const fanin_allocator system_allocator = {system_allocate, system_release, NULL};

/* Set before the first other call (hooks.h), so reads need no lock. */
static fanin_allocator allocator = {system_allocate, system_release, NULL};

void fanin_set_allocator(const fanin_allocator *table)
{
    allocator = table != NULL ? *table : system_allocator;
}

void *fanin_allocate(size_t count, size_t size)
{
    size_t nbytes;
    if (__builtin_mul_overflow(count, size, &nbytes) || nbytes > PTRDIFF_MAX)
        return NULL;
    return allocator.allocate(allocator.user, nbytes > 0 ? nbytes : 1);
}

void *fanin_allocate_zeroed(size_t count, size_t size)
{
    void *memory = fanin_allocate(count, size);
    if (memory != NULL)
        memset(memory, 0, count * size);
    return memory;
}

void *fanin_reallocate(void *old, size_t old_count, size_t new_count, size_t size)
{
    void *memory = fanin_allocate(new_count, size);
    if (memory == NULL)
        return NULL;
    size_t kept = old_count < new_count ? old_count : new_count;
    if (old != NULL && kept > 0)
        memcpy(memory, old, kept * size);
    fanin_free(old);
    return memory;
}

void fanin_free(void *memory)
{
    if (memory != NULL)
        allocator.release(allocator.user, memory);
}

char *fanin_duplicate(const char *text, size_t nbytes)
{
    if (nbytes == SIZE_MAX)
        return NULL;
    char *copy = fanin_allocate(nbytes + 1, 1);
    if (copy == NULL)
        return NULL;
    if (nbytes > 0)
        memcpy(copy, text, nbytes);
    copy[nbytes] = '\0';
    return copy;
}

/* -- Arena ----------------------------------------------------------------------------------------------------------*/

struct fanin_arena_block {
    struct fanin_arena_block *next;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) unsigned char data[];
};

/* Blocks double, so that their number stays small and what lies unused stays below what is used. */
enum { FIRST_BLOCK_NBYTES = 1 << 12, LARGEST_BLOCK_NBYTES = 1 << 20 };

static struct fanin_arena_block *block_create(size_t capacity)
{
    size_t nbytes;
    if (__builtin_add_overflow(sizeof(struct fanin_arena_block), capacity, &nbytes))
        return NULL;
    struct fanin_arena_block *block = fanin_allocate(nbytes, 1);
    if (block != NULL)
        *block = (struct fanin_arena_block){.capacity = capacity};
    return block;
}

static void *arena_take(fanin_arena *arena, size_t nbytes, size_t alignment)
{
    struct fanin_arena_block *head = arena->blocks;
    if (head != NULL) {
        size_t at = (head->used + alignment - 1) & ~(alignment - 1);
        if (at <= head->capacity && nbytes <= head->capacity - at) {
            head->used = at + nbytes;
            return head->data + at;
        }
    }
    size_t capacity = FIRST_BLOCK_NBYTES;
    if (head != NULL)
        capacity = head->capacity < LARGEST_BLOCK_NBYTES / 2 ? 2 * head->capacity : LARGEST_BLOCK_NBYTES;
    bool is_large = head != NULL && nbytes > capacity / 4;
    struct fanin_arena_block *block = block_create(is_large || nbytes > capacity ? nbytes : capacity);
    if (block == NULL)
        return NULL;
    block->used = nbytes;
    if (is_large) {
        /* A large piece gets a block of its own behind the head, whose rest stays in use. */
        block->next = head->next;
        head->next = block;
    } else {
        block->next = head;
        arena->blocks = block;
    }
    return block->data;
}

void *fanin_arena_allocate(fanin_arena *arena, size_t count, size_t size)
{
    size_t nbytes;
    if (__builtin_mul_overflow(count, size, &nbytes))
        return NULL;
    void *memory = arena_take(arena, nbytes, _Alignof(max_align_t));
    if (memory != NULL)
        memset(memory, 0, nbytes);
    return memory;
}

char *fanin_arena_text(fanin_arena *arena, const char *text, size_t nbytes)
{
    if (nbytes == SIZE_MAX)
        return NULL;
    char *copy = arena_take(arena, nbytes + 1, 1);
    if (copy == NULL)
        return NULL;
    if (nbytes > 0)
        memcpy(copy, text, nbytes);
    copy[nbytes] = '\0';
    return copy;
}

char *fanin_arena_format(fanin_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    char *text = arena_take(arena, (size_t)length + 1, 1);
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void fanin_arena_release(fanin_arena *arena)
{
    for (struct fanin_arena_block *block = arena->blocks; block != NULL;) {
        struct fanin_arena_block *next = block->next;
        fanin_free(block);
        block = next;
    }
    arena->blocks = NULL;
}
