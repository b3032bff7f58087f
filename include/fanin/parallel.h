/* SPDX-License-Identifier: MIT */
/*
 * Threads: the caller's own parallel-for, or a pool of ours. The library never starts a thread by itself, and no count
 * of threads changes a byte.
 */
#ifndef FANIN_PARALLEL_H
#define FANIN_PARALLEL_H

#include "fanin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A way to run tasks side by side. run calls task(context, i) once for every i < ntasks, on any threads and in any
 * order, and returns when all have returned. It may run them one after the other.
 */
typedef struct fanin_parallel {
    void (*run)(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context);
    void *user;
    unsigned nthreads; /* how many tasks run at once, for the size of the pieces; at least 1 */
} fanin_parallel;

/* Threads that wait between uses. One run at a time; a run from a second thread meanwhile is done by that thread alone.
 */
typedef struct fanin_pool fanin_pool;

/* Processors this process may run on; at least 1. */
FANIN_API unsigned fanin_processor_count(void);
/* nthreads in all, the calling one included; 0 is fanin_processor_count(). Fewer if the system gives no more. */
FANIN_API fanin_status fanin_pool_create(unsigned nthreads, fanin_pool **pool, fanin_error *error);
/* Not while it runs. A pool may be freed, and used, after a fork: the child has no threads of it and works alone. */
FANIN_API void fanin_pool_free(fanin_pool *pool);
/* Valid as long as the pool. */
FANIN_API fanin_parallel fanin_pool_parallel(fanin_pool *pool);

/*
 * Touches memory that never was, on all threads and, if `huge`, in huge pages where the system gives them, so
 * that filling it does not wait for each page. What is there stays, and memory in use is left as it is. Only Linux
 * gains by it. parallel may be NULL: the calling thread alone. Returns true where huge pages took longer than small
 * ones, as in a virtual machine whose host takes free memory away, and small ones were used from then on: the next
 * calls had better ask for none, for a second or two.
 */
FANIN_API bool fanin_parallel_touch(const fanin_parallel *parallel, void *data, size_t nbytes, bool huge);

#ifdef __cplusplus
}
#endif
#endif
