/* SPDX-License-Identifier: MIT */
/*
 * An open file that several tasks write: what they make is put together in blocks, and threads bring these to the
 * disk while others are made.
 */
#ifndef FANIN_SINK_FILE_WRITER_H
#define FANIN_SINK_FILE_WRITER_H

#include <pthread.h>

#include "fanin/parallel.h"

/*
 * A block is written past the system's page cache where it can be: that copy would take half as long as making the
 * bytes. Such a transfer begins and ends at multiples of the alignment, in the file and in memory. 2 MiB are long
 * enough for a disk to be as fast as it gets.
 */
enum { FANIN_FILE_BLOCK_NBYTES = 2 << 20, FANIN_FILE_ALIGNMENT = 4096 };
/* As many blocks as are enough, beside one for each that grows: they fill while the disk is slow for a moment. */
enum { FANIN_FILE_SPARE_BLOCKS = 8 };
/* The disk has transfers to go on with while the ends of others wait for a processor to be heard of. */
enum { FANIN_FILE_NTHREADS = 4 };
/* Blocks that are on their way from the page cache to the disk, where they had to be written through that. */
enum { FANIN_FILE_NLEAVING = 32 };

typedef struct fanin_file_block fanin_file_block;
typedef struct fanin_file_edge fanin_file_edge;
typedef struct fanin_file_slab fanin_file_slab;

typedef struct fanin_file_range {
    uint64_t begin;
    uint64_t end;
} fanin_file_range;

typedef struct fanin_file_writer {
    int fd;
    const char *path;
    size_t ntensors;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t changed;
    fanin_file_block *growing; /* the one used last comes first */
    fanin_file_block *full;    /* whole pages to be written, the oldest first */
    fanin_file_block *spare;
    fanin_file_slab *slabs; /* all blocks there are */
    fanin_file_edge *edges; /* parts of pages, written at the end */
    size_t nblocks;
    size_t nbegun; /* of the first ntensors blocks */
    pthread_t threads[FANIN_FILE_NTHREADS];
    size_t nthreads;
    size_t nwriting; /* blocks; of them ndirect are with the system, past the page cache */
    size_t ndirect;
    bool is_over;
    bool can_go_direct;
    bool is_direct;
    fanin_status status; /* of the first failure, and its words */
    fanin_error error;
    bool is_caching; /* somebody writes through the page cache, without the lock; what follows is theirs */
    fanin_file_range leaving[FANIN_FILE_NLEAVING]; /* a ring, the oldest at first_leaving */
    size_t first_leaving;
    size_t nleaving;
} fanin_file_writer;

/* ntensors: how many will be written at the same time, in ascending pieces each; more may. */
void fanin_file_writer_begin(fanin_file_writer *writer, int fd, const char *path, size_t ntensors);
/* Bytes that lie at `at` in the file; no two calls give the same. Fails as well where earlier ones could not be
 * written. */
fanin_status fanin_file_writer_put(fanin_file_writer *writer, const void *data, size_t nbytes, uint64_t at,
                                   fanin_error *error);
/*
 * Memory for nbytes that lie at `at`, to be put from where it is; NULL: none to lend. Who has been lent some puts it
 * before anything else.
 */
void *fanin_file_writer_lend(fanin_file_writer *writer, size_t nbytes, uint64_t at);
/* Returns when all is with the system; to make it durable is left to the sync of the file. */
fanin_status fanin_file_writer_finish(fanin_file_writer *writer, fanin_error *error);
/* Drops what was not written. The file is as ordinary as it was. */
void fanin_file_writer_end(fanin_file_writer *writer);

#endif
