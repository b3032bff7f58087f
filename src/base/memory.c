/* SPDX-License-Identifier: MIT */
/*
 * Allocation through the caller's table, and arenas.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void *system_allocate(void *user, size_t nbytes)
{
    (void)user;
    return malloc(nbytes);
}

static void system_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

static const fanin_allocator system_allocator = {system_allocate, system_release, NULL};

/* Set before the first other call (hooks.h), so reading it needs no lock. */
static fanin_allocator allocator = {system_allocate, system_release, NULL};

void fanin_set_allocator(const fanin_allocator *replacement)
{
    allocator = replacement != NULL ? *replacement : system_allocator;
}

void *fanin_allocate(size_t count, size_t size)
{
    uint64_t nbytes;
    if (!fanin_checked_mul(count, size, &nbytes) || nbytes > PTRDIFF_MAX)
        return NULL;
    return allocator.allocate(allocator.user, nbytes > 0 ? (size_t)nbytes : 1);
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
    if (kept > 0 && old != NULL)
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
    if (copy != NULL) {
        if (nbytes > 0)
            memcpy(copy, text, nbytes);
        copy[nbytes] = '\0';
    }
    return copy;
}

/* Blocks in a list, the newest first; small requests share a block. */
struct fanin_arena_block {
    struct fanin_arena_block *next;
    size_t used;
    size_t capacity;
    _Alignas(16) char data[];
};

enum { ARENA_BLOCK = 16 * 1024, ARENA_ALIGN = 16 };

void *fanin_arena_allocate(fanin_arena *arena, size_t count, size_t size)
{
    uint64_t wanted;
    if (!fanin_checked_mul(count, size, &wanted) || wanted > PTRDIFF_MAX - ARENA_BLOCK)
        return NULL;
    size_t nbytes = ((size_t)wanted + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    struct fanin_arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < nbytes) {
        size_t capacity = nbytes > ARENA_BLOCK / 4 ? nbytes : ARENA_BLOCK;
        block = fanin_allocate(1, sizeof *block + capacity);
        if (block == NULL)
            return NULL;
        block->used = 0;
        block->capacity = capacity;
        /* a block made for one large request goes behind the one that still has room */
        if (arena->blocks != NULL && capacity != ARENA_BLOCK) {
            block->next = arena->blocks->next;
            arena->blocks->next = block;
        } else {
            block->next = arena->blocks;
            arena->blocks = block;
        }
    }
    void *memory = block->data + block->used;
    block->used += nbytes;
    memset(memory, 0, nbytes);
    return memory;
}

char *fanin_arena_text(fanin_arena *arena, const char *text, size_t nbytes)
{
    if (nbytes == SIZE_MAX)
        return NULL;
    char *copy = fanin_arena_allocate(arena, nbytes + 1, 1);
    if (copy != NULL && nbytes > 0)
        memcpy(copy, text, nbytes);
    return copy;
}

char *fanin_arena_format(fanin_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : fanin_arena_allocate(arena, (size_t)length + 1, 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void fanin_arena_release(fanin_arena *arena)
{
    while (arena->blocks != NULL) {
        struct fanin_arena_block *next = arena->blocks->next;
        fanin_free(arena->blocks);
        arena->blocks = next;
    }
}
