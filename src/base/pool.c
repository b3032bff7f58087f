/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads for one caller. Tasks are taken from a counter, so that whoever is free takes the next one.
 */
#define _GNU_SOURCE /* sched_getaffinity */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "fanin/parallel.h"

struct fanin_pool {
    pid_t owner; /* threads exist in this process only */
    unsigned nworkers;
    pthread_t *workers;
    pthread_mutex_t running; /* held during a run */
    pthread_mutex_t lock;    /* of what follows */
    pthread_cond_t wake;
    pthread_cond_t idle;
    uint64_t round; /* runs begun; a worker takes part in each once */
    unsigned nbusy; /* workers that have not finished the round */
    bool is_closing;
    void (*task)(void *context, size_t i);
    void *context;
    size_t ntasks;
    atomic_size_t next;
};

unsigned fanin_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

static void take_tasks(fanin_pool *pool)
{
    for (;;) {
        size_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= pool->ntasks)
            return;
        pool->task(pool->context, i);
    }
}

static void *work(void *user)
{
    fanin_pool *pool = user;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->round == seen && !pool->is_closing)
            pthread_cond_wait(&pool->wake, &pool->lock);
        if (pool->is_closing)
            break;
        seen = pool->round;
        pthread_mutex_unlock(&pool->lock);
        take_tasks(pool);
        pthread_mutex_lock(&pool->lock);
        if (--pool->nbusy == 0)
            pthread_cond_signal(&pool->idle);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void run_alone(size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    for (size_t i = 0; i < ntasks; i++)
        task(context, i);
}

static void run(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    fanin_pool *pool = user;
    if (ntasks < 2 || pool->nworkers == 0 || pool->owner != getpid() || pthread_mutex_trylock(&pool->running) != 0) {
        run_alone(ntasks, task, context);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->task = task;
    pool->context = context;
    pool->ntasks = ntasks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    pool->nbusy = pool->nworkers;
    pool->round++;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    take_tasks(pool);
    pthread_mutex_lock(&pool->lock);
    while (pool->nbusy > 0)
        pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->running);
}

fanin_status fanin_pool_create(unsigned nthreads, fanin_pool **pool, fanin_error *error)
{
    fanin_clear(error);
    if (nthreads == 0)
        nthreads = fanin_processor_count();
    fanin_pool *p = fanin_allocate_zeroed(1, sizeof *p);
    pthread_t *workers = fanin_allocate(nthreads, sizeof *workers);
    if (p == NULL || workers == NULL) {
        fanin_free(p);
        fanin_free(workers);
        return fanin_fail_memory(error, sizeof *p + nthreads * sizeof *workers);
    }
    p->owner = getpid();
    p->workers = workers;
    pthread_mutex_init(&p->running, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    pthread_cond_init(&p->idle, NULL);
    while (p->nworkers + 1 < nthreads && pthread_create(&workers[p->nworkers], NULL, work, p) == 0)
        p->nworkers++;
    *pool = p;
    return FANIN_OK;
}

void fanin_pool_free(fanin_pool *pool)
{
    if (pool == NULL)
        return;
    if (pool->owner == getpid()) {
        pthread_mutex_lock(&pool->lock);
        pool->is_closing = true;
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->lock);
        for (unsigned i = 0; i < pool->nworkers; i++)
            pthread_join(pool->workers[i], NULL);
        pthread_cond_destroy(&pool->wake);
        pthread_cond_destroy(&pool->idle);
        pthread_mutex_destroy(&pool->lock);
        pthread_mutex_destroy(&pool->running);
    }
    fanin_free(pool->workers);
    fanin_free(pool);
}

fanin_parallel fanin_pool_parallel(fanin_pool *pool)
{
    return (fanin_parallel){.run = run, .user = pool, .nthreads = pool->nworkers + 1};
}
