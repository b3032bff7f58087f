/* SPDX-License-Identifier: MIT */
/*
 * Blocks of a file: filled by tasks, written by threads of their own in the order in which they filled. Bytes that
 * continue a block go into it, so that tensors smaller than a block share one.
 */
#define _POSIX_C_SOURCE 200809L /* pthread_sigmask */
#include "sink/file_writer.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/file_calls.h"

/* Bytes [begin, end) of the file. */
struct fanin_file_block {
    fanin_file_block *next;
    uint64_t begin;
    uint64_t end;
    bool is_taken;  /* somebody writes behind its end, without the lock */
    uint8_t *bytes; /* of the file from `base` on, aligned */
    uint64_t base;  /* begin rounded down to the alignment */
    size_t limit;   /* full when as many bytes from base on are there */
};

/* A block may end with part of a page, which then begins the next one too. */
#define BLOCK_CAPACITY ((size_t)FANIN_FILE_BLOCK_NBYTES + FANIN_FILE_ALIGNMENT)

/*
 * Blocks that are allocated together, so that they are large enough to lie in pages of 2 MiB: from those a transfer is
 * a few pieces of memory, from small ones 512, of which a disk may take less at once (virtio: 254, and a third slower).
 */
enum { SLAB_NBLOCKS = 3 };
struct fanin_file_slab {
    fanin_file_slab *next;
    fanin_file_block blocks[SLAB_NBLOCKS];
    uint8_t memory[];
};
#define SLAB_NBYTES (sizeof(fanin_file_slab) + SLAB_NBLOCKS * BLOCK_CAPACITY + FANIN_FILE_ALIGNMENT - 1)

static uint64_t round_down(uint64_t n)
{
    return n - n % FANIN_FILE_ALIGNMENT;
}

static uint64_t round_up(uint64_t n)
{
    return round_down(n + FANIN_FILE_ALIGNMENT - 1);
}

/* Bytes of pages that a block has only a part of: where the rest of the page is, is another's to know. */
struct fanin_file_edge {
    fanin_file_edge *next;
    uint64_t begin;
    size_t nbytes;
    uint8_t bytes[];
};

/* Of failures nobody has been told of, the first is kept for the next who comes. */
static fanin_status note(fanin_file_writer *writer, fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK && writer->status == FANIN_OK) {
        writer->status = status;
        writer->error = *error;
    }
    return status;
}

/* -- Writing: with the lock, which is let go while the system works ---------------------------------------------- */

static fanin_status write_back(const fanin_file_writer *writer, fanin_file_range range, bool drop, fanin_error *error)
{
    int code = fanin_file_write_back(writer->fd, range.begin, range.end - range.begin, drop);
    return code < 0 ? fanin_fail_io(error, code, "write", writer->path) : FANIN_OK;
}

/* Sends bytes of the page cache to the disk; where too many are on the way, the oldest are waited for. */
static fanin_status send(fanin_file_writer *writer, fanin_file_range range, fanin_error *error)
{
    FANIN_TRY(write_back(writer, range, false, error));
    if (writer->nleaving == FANIN_FILE_NLEAVING) {
        const fanin_file_range oldest = writer->leaving[writer->first_leaving];
        writer->first_leaving = (writer->first_leaving + 1) % FANIN_FILE_NLEAVING;
        writer->nleaving--;
        FANIN_TRY(write_back(writer, oldest, true, error));
    }
    writer->leaving[(writer->first_leaving + writer->nleaving++) % FANIN_FILE_NLEAVING] = range;
    return FANIN_OK;
}

static void go_direct(fanin_file_writer *writer, bool direct)
{
    if (writer->is_direct == direct)
        return;
    if (fanin_file_set_direct(writer->fd, direct) < 0)
        writer->can_go_direct = false; /* the descriptor is as it was */
    else
        writer->is_direct = direct;
}

/* False where the page cache is needed. */
static bool write_direct(fanin_file_writer *writer, const fanin_file_block *block)
{
    const fanin_io *io = fanin_io_table();
    const size_t nbytes = (size_t)(block->end - block->begin);
    fanin_error error;
    if (writer->can_go_direct)
        go_direct(writer, true);
    if (!writer->can_go_direct || !writer->is_direct)
        return false;
    writer->ndirect++;
    pthread_mutex_unlock(&writer->lock);
    const int64_t n =
        io->pwrite(io->user, writer->fd, block->bytes + (block->begin - block->base), nbytes, block->begin);
    pthread_mutex_lock(&writer->lock);
    writer->ndirect--;
    if (n == (int64_t)nbytes)
        return true;
    if (n < 0 && n != -EINVAL && n != -EINTR) {
        note(writer, fanin_fail_io(&error, (int)n, "write", writer->path), &error);
        return true;
    }
    writer->can_go_direct = false; /* what stops short may have stopped where nothing aligned can begin */
    return false;
}

/* Writers of one file through the page cache wait for each other in the system, at more cost than here. */
static void write_cached(fanin_file_writer *writer, const fanin_file_block *block)
{
    fanin_error error;
    while (writer->is_caching || writer->ndirect > 0)
        pthread_cond_wait(&writer->changed, &writer->lock);
    writer->is_caching = true;
    go_direct(writer, false);
    pthread_mutex_unlock(&writer->lock);
    fanin_status status = fanin_pwrite_all(writer->fd, block->bytes + (block->begin - block->base),
                                           (size_t)(block->end - block->begin), block->begin, writer->path, &error);
    if (status == FANIN_OK)
        status = send(writer, (fanin_file_range){block->begin, block->end}, &error);
    pthread_mutex_lock(&writer->lock);
    writer->is_caching = false;
    note(writer, status, &error);
}

/* Writes what is full, until there is nothing or enough others do. */
static void drain(fanin_file_writer *writer)
{
    while (writer->full != NULL && writer->nwriting < FANIN_FILE_NTHREADS && !writer->is_over) {
        fanin_file_block *block = writer->full;
        writer->full = block->next;
        writer->nwriting++;
        if (writer->status == FANIN_OK && !write_direct(writer, block)) {
            pthread_cond_broadcast(&writer->changed);
            write_cached(writer, block);
        }
        writer->nwriting--;
        block->next = writer->spare;
        writer->spare = block;
        pthread_cond_broadcast(&writer->changed);
    }
}

static void *work(void *context)
{
    fanin_file_writer *writer = context;
    pthread_mutex_lock(&writer->lock);
    while (!writer->is_over) {
        drain(writer);
        if (!writer->is_over)
            pthread_cond_wait(&writer->changed, &writer->lock);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* Signals are for the threads of the caller. */
static void start_threads(fanin_file_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (writer->nthreads < FANIN_FILE_NTHREADS &&
           pthread_create(&writer->threads[writer->nthreads], NULL, work, writer) == 0)
        writer->nthreads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void unlink_block(fanin_file_block **list, const fanin_file_block *block)
{
    while (*list != block)
        list = &(*list)->next;
    *list = block->next;
}

static void keep_edge(fanin_file_writer *writer, const fanin_file_block *block, uint64_t begin, uint64_t end)
{
    fanin_error error;
    const size_t nbytes = (size_t)(end - begin);
    if (nbytes == 0)
        return;
    fanin_file_edge *edge = fanin_allocate(sizeof *edge + nbytes, 1);
    if (edge == NULL) {
        note(writer, fanin_fail_memory(&error, sizeof *edge + nbytes), &error);
        return;
    }
    edge->begin = begin;
    edge->nbytes = nbytes;
    memcpy(edge->bytes, block->bytes + (begin - block->base), nbytes);
    edge->next = writer->edges;
    writer->edges = edge;
}

/* A block that grows no more: its whole pages are to be written. */
static void queue(fanin_file_writer *writer, fanin_file_block *block)
{
    fanin_file_block **last = &writer->full;
    const uint64_t begin = round_up(block->begin), end = round_down(block->end);
    unlink_block(&writer->growing, block);
    if (begin >= end) {
        keep_edge(writer, block, block->begin, block->end);
        block->next = writer->spare;
        writer->spare = block;
        return;
    }
    keep_edge(writer, block, block->begin, begin);
    keep_edge(writer, block, end, block->end);
    block->begin = begin;
    block->end = end;
    while (*last != NULL)
        last = &(*last)->next;
    block->next = NULL;
    *last = block;
}

/* Sees to it that what is full will be written. */
static void set_off(fanin_file_writer *writer)
{
    if (writer->nthreads > 0)
        pthread_cond_broadcast(&writer->changed);
    else
        drain(writer);
}

static void queue_and_write(fanin_file_writer *writer, fanin_file_block *block)
{
    queue(writer, block);
    if (writer->nthreads == 0)
        start_threads(writer);
    set_off(writer);
}

static size_t count_growing(const fanin_file_writer *writer)
{
    size_t n = 0;
    for (const fanin_file_block *block = writer->growing; block != NULL; block = block->next)
        n++;
    return n;
}

/* Of the growing blocks that nobody writes to, the one used least lately; NULL. */
static fanin_file_block *find_idle(const fanin_file_writer *writer)
{
    fanin_file_block *idle = NULL;
    for (fanin_file_block *block = writer->growing; block != NULL; block = block->next)
        if (!block->is_taken)
            idle = block;
    return idle;
}

/* Where more blocks grow than tensors, those that have ended left some: they would be kept from the others. */
static void give_up_idle(fanin_file_writer *writer)
{
    fanin_file_block *idle = find_idle(writer);
    if (idle != NULL && count_growing(writer) > writer->ntensors)
        queue_and_write(writer, idle);
}

/* Spare blocks; none where memory is short. */
static void allocate_blocks(fanin_file_writer *writer)
{
    fanin_file_slab *slab = fanin_allocate(SLAB_NBYTES, 1);
    if (slab == NULL)
        return;
    uint8_t *bytes = slab->memory + (round_up((uintptr_t)slab->memory) - (uintptr_t)slab->memory);
    for (size_t i = 0; i < SLAB_NBLOCKS; i++, bytes += BLOCK_CAPACITY) {
        slab->blocks[i].bytes = bytes;
        slab->blocks[i].next = writer->spare;
        writer->spare = &slab->blocks[i];
    }
    slab->next = writer->slabs;
    writer->slabs = slab;
    writer->nblocks += SLAB_NBLOCKS;
}

/* An empty block. Where there are enough, one that is full or being written is waited for: what is not growing is. */
static fanin_file_block *find_empty(fanin_file_writer *writer)
{
    give_up_idle(writer);
    while (writer->spare == NULL && writer->nblocks > count_growing(writer) + FANIN_FILE_SPARE_BLOCKS)
        pthread_cond_wait(&writer->changed, &writer->lock);
    if (writer->spare == NULL)
        allocate_blocks(writer);
    fanin_file_block *block = writer->spare;
    if (block != NULL)
        writer->spare = block->next;
    return block;
}

static fanin_status fail_as_before(const fanin_file_writer *writer, fanin_error *error)
{
    if (error != NULL && writer->status != FANIN_OK)
        *error = writer->error;
    return writer->status;
}

/* Its task has taken it, and it comes first. */
static void grow(fanin_file_writer *writer, fanin_file_block *block)
{
    block->is_taken = true;
    block->next = writer->growing;
    writer->growing = block;
}

/* A step is a multiple of the alignment. */
enum { NSTEPS = 16 };

/*
 * Tensors that grow side by side would fill their blocks at the same time, and then nothing would fill while the disk
 * works, nor the disk work while blocks fill. So the first ones are of all lengths.
 */
static size_t choose_limit(fanin_file_writer *writer)
{
    const size_t unit = FANIN_FILE_BLOCK_NBYTES / NSTEPS;
    if (writer->nbegun >= writer->ntensors || writer->ntensors < NSTEPS)
        return FANIN_FILE_BLOCK_NBYTES;
    return unit * (writer->nbegun++ % NSTEPS + 1);
}

/* A new block that begins at `at`, taken. */
static fanin_status begin_block(fanin_file_writer *writer, uint64_t at, fanin_file_block **begun, fanin_error *error)
{
    fanin_file_block *block = find_empty(writer);
    if (block == NULL)
        return fanin_fail_memory(error, SLAB_NBYTES);
    block->base = round_down(at);
    block->limit = choose_limit(writer);
    block->begin = block->end = at;
    grow(writer, block);
    *begun = block;
    return FANIN_OK;
}

/* The block that bytes at `at` go into, taken: one that ends there, unless its task is about to pass its end on. */
static fanin_status take(fanin_file_writer *writer, uint64_t at, fanin_file_block **taken, fanin_error *error)
{
    fanin_file_block *block = writer->growing;
    FANIN_TRY(fail_as_before(writer, error));
    while (block != NULL && (block->end != at || block->is_taken))
        block = block->next;
    if (block == NULL)
        return begin_block(writer, at, taken, error);
    unlink_block(&writer->growing, block);
    grow(writer, block);
    *taken = block;
    return FANIN_OK;
}

/* Of a block that is full, the part of a page at its end begins the next one. */
static fanin_status pass_on(fanin_file_writer *writer, fanin_file_block *block, fanin_error *error)
{
    const uint64_t end = block->end, at = round_down(end);
    fanin_file_block *next;
    if (at < end) {
        FANIN_TRY(begin_block(writer, at, &next, error));
        memcpy(next->bytes, block->bytes + (at - block->base), (size_t)(end - at));
        next->end = end;
        next->is_taken = false;
        block->end = at;
    }
    queue_and_write(writer, block);
    return FANIN_OK;
}

static fanin_status let_go(fanin_file_writer *writer, fanin_file_block *block, size_t nbytes, fanin_error *error)
{
    block->end += nbytes;
    if (block->end - block->base >= block->limit)
        return pass_on(writer, block, error);
    block->is_taken = false;
    return FANIN_OK;
}

/* Copies what fits into one block. */
static fanin_status put_some(fanin_file_writer *writer, const void *data, size_t nbytes, uint64_t at, size_t *done,
                             fanin_error *error)
{
    fanin_file_block *block = NULL;
    *done = 0;
    FANIN_TRY(take(writer, at, &block, error));
    pthread_mutex_unlock(&writer->lock);
    const uint64_t used = at - block->base, room = block->limit - used;
    *done = nbytes < room ? nbytes : (size_t)room;
    memcpy(block->bytes + used, data, *done);
    pthread_mutex_lock(&writer->lock);
    return let_go(writer, block, *done, error);
}

/* The block that lent this memory; NULL. */
static fanin_file_block *find_lender(const fanin_file_writer *writer, const void *data)
{
    fanin_file_block *block = writer->growing;
    while (block != NULL && (!block->is_taken || block->bytes + (block->end - block->base) != data))
        block = block->next;
    return block;
}

void *fanin_file_writer_lend(fanin_file_writer *writer, size_t nbytes, uint64_t at)
{
    fanin_file_block *block = NULL;
    uint8_t *memory = NULL;
    fanin_error error;
    if (nbytes > FANIN_FILE_BLOCK_NBYTES)
        return NULL;
    pthread_mutex_lock(&writer->lock);
    if (note(writer, take(writer, at, &block, &error), &error) == FANIN_OK) {
        const uint64_t used = at - block->base;
        if (used + nbytes <= BLOCK_CAPACITY)
            memory = block->bytes + used;
        else
            block->is_taken = false;
    }
    pthread_mutex_unlock(&writer->lock);
    return memory;
}

fanin_status fanin_file_writer_put(fanin_file_writer *writer, const void *data, size_t nbytes, uint64_t at,
                                   fanin_error *error)
{
    fanin_status status = FANIN_OK;
    size_t n;
    pthread_mutex_lock(&writer->lock);
    fanin_file_block *lender = find_lender(writer, data);
    if (lender != NULL)
        status = let_go(writer, lender, nbytes, error);
    for (size_t done = 0; lender == NULL && done < nbytes && status == FANIN_OK; done += n)
        status = put_some(writer, (const uint8_t *)data + done, nbytes - done, at + done, &n, error);
    pthread_mutex_unlock(&writer->lock);
    return status;
}

/* -- The whole --------------------------------------------------------------------------------------------------- */

void fanin_file_writer_begin(fanin_file_writer *writer, int fd, const char *path, size_t ntensors)
{
    memset(writer, 0, sizeof *writer);
    writer->fd = fd;
    writer->path = path;
    writer->ntensors = ntensors;
    writer->can_go_direct = true;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->changed, NULL);
}

/* Neighbours share a page, which is complete in the page cache alone. */
static fanin_status write_edges(fanin_file_writer *writer, fanin_error *error)
{
    go_direct(writer, false);
    for (const fanin_file_edge *edge = writer->edges; edge != NULL; edge = edge->next)
        FANIN_TRY(fanin_pwrite_all(writer->fd, edge->bytes, edge->nbytes, edge->begin, writer->path, error));
    return FANIN_OK;
}

fanin_status fanin_file_writer_finish(fanin_file_writer *writer, fanin_error *error)
{
    pthread_mutex_lock(&writer->lock);
    while (writer->growing != NULL)
        queue(writer, writer->growing);
    set_off(writer);
    while (writer->nwriting > 0 || writer->full != NULL)
        pthread_cond_wait(&writer->changed, &writer->lock);
    fanin_status status = fail_as_before(writer, error);
    if (status == FANIN_OK)
        status = write_edges(writer, error);
    pthread_mutex_unlock(&writer->lock);
    return status;
}

void fanin_file_writer_end(fanin_file_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_over = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    while (writer->nthreads > 0)
        pthread_join(writer->threads[--writer->nthreads], NULL);
    go_direct(writer, false);
    while (writer->edges != NULL) {
        fanin_file_edge *edge = writer->edges;
        writer->edges = edge->next;
        fanin_free(edge);
    }
    while (writer->slabs != NULL) {
        fanin_file_slab *slab = writer->slabs;
        writer->slabs = slab->next;
        fanin_free(slab);
    }
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
}
