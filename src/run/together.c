/* SPDX-License-Identifier: MIT */
/*
 * Sharing the tensors of a plan out to the caller's threads. A task that fails stops those behind it; those before it
 * go on, since one of them may fail as well, and the first error is the one that is told.
 */
#include "run/together.h"

#include "base/error.h"
#include "base/memory.h"

/* A jump takes as long as about 2 million uniform draws: tasks with fewer elements would mostly jump. */
static const uint64_t MIN_TASK_NELEM = (uint64_t)2 << 20;

typedef struct sharing {
    const fanin_together *together;
    const size_t *first; /* task i makes tensors[first[i]] to tensors[first[i + 1] - 1] */
    fanin_shared_progress progress;
} sharing;

static fanin_status make_range(const fanin_together *together, fanin_maker *maker, size_t begin, size_t end,
                               fanin_error *error)
{
    for (size_t i = begin; i < end; i++)
        FANIN_TRY(together->make(together->user, maker, together->tensors[i], error));
    return FANIN_OK;
}

static void run_task(void *context, size_t i)
{
    sharing *s = context;
    const fanin_maker *whole = s->together->maker;
    fanin_maker maker;
    fanin_error error;
    if (fanin_shared_progress_is_stopped(&s->progress, i))
        return;
    fanin_status status = fanin_maker_begin(&maker, whole->plan, whole->options, &error);
    if (status == FANIN_OK) {
        maker.shared = &s->progress;
        maker.task = i;
        status = make_range(s->together, &maker, s->first[i], s->first[i + 1], &error);
        fanin_maker_end(&maker);
    }
    if (status != FANIN_OK)
        fanin_shared_progress_fail(&s->progress, i, status, &error);
}

/* Counts the tasks, and lists where they begin if `first` is not NULL. */
static size_t cut(const fanin_together *together, size_t *first)
{
    size_t n = 0;
    uint64_t nelem = MIN_TASK_NELEM;
    for (size_t i = 0; i < together->ntensors; i++) {
        if (nelem >= MIN_TASK_NELEM) {
            if (first != NULL)
                first[n] = i;
            n++;
            nelem = 0;
        }
        nelem += fanin_plan_tensor_at(together->maker->plan, together->tensors[i])->nelem;
    }
    if (first != NULL)
        first[n] = together->ntensors;
    return n;
}

fanin_status fanin_make_together(const fanin_together *together, fanin_error *error)
{
    fanin_maker *maker = together->maker;
    const fanin_parallel *parallel = maker->options->parallel;
    /* positions behind data-dependent ops are known only to a cursor that has run them */
    size_t ntasks =
        parallel != NULL && parallel->nthreads > 1 && maker->cursor.ndependent == 0 ? cut(together, NULL) : 1;
    if (ntasks < 2)
        return make_range(together, maker, 0, together->ntensors, error);
    size_t *first = fanin_allocate(ntasks + 1, sizeof *first);
    if (first == NULL)
        return fanin_fail_memory(error, (ntasks + 1) * sizeof *first);
    cut(together, first);
    sharing s = {.together = together, .first = first};
    fanin_shared_progress_begin(&s.progress, maker);
    parallel->run(parallel->user, ntasks, run_task, &s);
    fanin_status status = fanin_shared_progress_end(&s.progress, error);
    fanin_free(first);
    return status;
}
