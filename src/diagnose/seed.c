/* SPDX-License-Identifier: MIT */
/*
 * Which seed made a checkpoint. The first values of a few tensors are all it takes to refuse a seed; those that stand
 * near the beginning of the stream are made fastest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "diagnose/scan.h"
#include "fanin/which.h"
#include "kernel/element.h"

enum {
    MAX_PROBES = 4,
    PROBE_NVALUES = 32,     /* that many are made and compared */
    MIN_NVALUES = 4,        /* fewer agree by chance */
    CHEAP_NDRAWS = 1 << 18, /* a position before it is reached in less time than a jump takes */
    SEEDS_A_TASK = 256,
    TASKS_A_ROUND = 256
};

/* The beginning of a tensor, as the checkpoint has it. */
struct probe {
    size_t planned;
    const fanin_plan_op *op; /* the fill whose first values are the tensor's; NULL: it is made whole */
    fanin_dtype dtype, made_dtype;
    size_t nvalues;
    uint8_t bytes[PROBE_NVALUES * 8];
};

struct pair {
    size_t planned, stored;
};

struct search {
    const fanin_checkpoint *checkpoint;
    const fanin_plan *plan;
    const fanin_parallel *parallel;
    struct pair *pairs; /* tensors that draw, in the plan and in the checkpoint */
    size_t npairs;
    struct probe probes[MAX_PROBES];
    size_t nprobes;
    /* a round */
    uint64_t first, nseeds;
    bool *is_candidate;
    fanin_status *statuses;
    fanin_error *errors;
};

/* ---- which tensors are compared ---- */

static size_t nbytes_of(fanin_dtype dtype, uint64_t n)
{
    return (size_t)(n * fanin_dtype_nbits(dtype) / 8);
}

static bool is_same_shape(const fanin_plan_tensor *a, const fanin_checkpoint_tensor *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape) == 0;
}

static bool draws(const fanin_plan *plan, const fanin_plan_tensor *tensor)
{
    for (size_t i = 0, n = fanin_plan_op_count(plan); i < n; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->storage == tensor->storage && !op->dead && op->stream == 0 &&
            (op->ndraws > 0 || op->kind == FANIN_OP_COPY || op->kind == FANIN_OP_CAST || op->kind == FANIN_OP_FUNCTION))
            return true;
    }
    return false;
}

static fanin_status find_pairs(struct search *s, fanin_error *error)
{
    size_t count = fanin_plan_tensor_count(s->plan);
    s->pairs = fanin_allocate(count, sizeof *s->pairs);
    if (s->pairs == NULL)
        return fanin_fail_memory(error, count * sizeof *s->pairs);
    for (size_t i = 0; i < count; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(s->plan, i);
        size_t at = fanin_checkpoint_tensor_find(s->checkpoint, tensor->name);
        if (at == SIZE_MAX || !fanin_plan_tensor_is_stored(tensor))
            continue;
        const fanin_checkpoint_tensor *stored = fanin_checkpoint_tensor_at(s->checkpoint, at);
        if (is_same_shape(tensor, stored) && tensor->nelem >= MIN_NVALUES && fanin_is_summed(stored->dtype) &&
            fanin_dtype_is_random(tensor->dtype) && draws(s->plan, tensor))
            s->pairs[s->npairs++] = (struct pair){i, at};
    }
    if (s->npairs == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "no tensor of the checkpoint is one that the plan draws: is it a plan of this model?");
    return FANIN_OK;
}

/* ---- probes ---- */

/* The one write of the tensor's storage, if its first values can be made alone. */
static const fanin_plan_op *simple_op(const fanin_plan *plan, const fanin_plan_tensor *tensor)
{
    const fanin_plan_op *found = NULL;
    for (size_t i = 0, n = fanin_plan_op_count(plan); i < n; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->storage != tensor->storage || op->dead)
            continue;
        if (found != NULL)
            return NULL;
        found = op;
    }
    fanin_tensor whole = {.dtype = tensor->dtype, .ndim = tensor->ndim};
    if (found == NULL || tensor->ndim > FANIN_MAX_DIMS || found->kind != FANIN_OP_FILL || found->stream != 0 ||
        found->barriers > 0 || found->offset != tensor->offset || !fanin_tensor_is_contiguous(&found->view))
        return NULL;
    for (int32_t d = 0; d < tensor->ndim; d++) {
        whole.shape[d] = tensor->shape[d];
        whole.strides[d] = tensor->strides[d];
    }
    bool splittable = fanin_tensor_is_contiguous(&whole) && tensor->nelem >= PROBE_NVALUES &&
                      fanin_fill_is_splittable(&found->fill, &found->view, fanin_plan_profile(plan));
    return splittable && found->ndraws > 0 ? found : NULL;
}

static fanin_status add_probe(struct search *s, const struct pair *pair, const fanin_plan_op *op, fanin_error *error)
{
    const fanin_checkpoint_tensor *stored = fanin_checkpoint_tensor_at(s->checkpoint, pair->stored);
    struct probe *probe = &s->probes[s->nprobes];
    *probe = (struct probe){.planned = pair->planned,
                            .op = op,
                            .dtype = stored->dtype,
                            .made_dtype = fanin_plan_tensor_at(s->plan, pair->planned)->dtype,
                            .nvalues = stored->nelem < PROBE_NVALUES ? (size_t)stored->nelem : PROBE_NVALUES};
    FANIN_TRY(fanin_checkpoint_read(s->checkpoint, pair->stored, 0, probe->bytes,
                                    nbytes_of(probe->dtype, probe->nvalues), error));
    s->nprobes++;
    return FANIN_OK;
}

static bool has_probe(const struct search *s, size_t planned)
{
    for (size_t i = 0; i < s->nprobes; i++)
        if (s->probes[i].planned == planned)
            return true;
    return false;
}

/* Those nearest to the beginning of the stream; the smallest tensor, made whole, where none can be made in part. */
static fanin_status choose_probes(struct search *s, fanin_error *error)
{
    const fanin_plan_op **ops = fanin_allocate(s->npairs, sizeof *ops);
    if (ops == NULL)
        return fanin_fail_memory(error, s->npairs * sizeof *ops);
    for (size_t i = 0; i < s->npairs; i++)
        ops[i] = simple_op(s->plan, fanin_plan_tensor_at(s->plan, s->pairs[i].planned));
    fanin_status status = FANIN_OK;
    while (s->nprobes < MAX_PROBES && status == FANIN_OK) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < s->npairs; i++)
            if (ops[i] != NULL && !has_probe(s, s->pairs[i].planned) &&
                (best == SIZE_MAX || ops[i]->at < ops[best]->at))
                best = i;
        if (best == SIZE_MAX || (s->nprobes > 0 && ops[best]->at > CHEAP_NDRAWS))
            break;
        status = add_probe(s, &s->pairs[best], ops[best], error);
    }
    fanin_free(ops);
    if (s->nprobes > 0 || status != FANIN_OK)
        return status;
    size_t smallest = 0;
    for (size_t i = 1; i < s->npairs; i++)
        if (fanin_plan_tensor_at(s->plan, s->pairs[i].planned)->nelem <
            fanin_plan_tensor_at(s->plan, s->pairs[smallest].planned)->nelem)
            smallest = i;
    return add_probe(s, &s->pairs[smallest], NULL, error);
}

/* ---- comparing ---- */

/* Made values against stored ones, which may be a cast of them. */
static bool is_equal(fanin_dtype made_dtype, const void *made, fanin_dtype dtype, const uint8_t *stored, uint64_t n)
{
    if (made_dtype == dtype)
        return memcmp(made, stored, nbytes_of(dtype, n)) == 0;
    const unsigned nbytes = fanin_dtype_nbits(dtype) / 8;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bits = fanin_element_encode(dtype, fanin_dtype_value(made_dtype, made, i));
        if (memcmp(&bits, stored + i * nbytes, nbytes) != 0)
            return false;
    }
    return true;
}

static fanin_status agrees(const struct search *s, const struct probe *probe, const fanin_generator *seeded,
                           uint64_t seed, bool *result, fanin_error *error)
{
    uint8_t made[PROBE_NVALUES * 8];
    if (probe->op != NULL) {
        fanin_generator generator = *seeded;
        if (probe->op->at > 0)
            fanin_generator_skip(&generator, probe->op->at);
        const fanin_tensor tensor = fanin_tensor_1d(made, probe->made_dtype, PROBE_NVALUES);
        FANIN_TRY(fanin_fill_run(&probe->op->fill, &tensor, &generator, error));
        *result = is_equal(probe->made_dtype, made, probe->dtype, probe->bytes, probe->nvalues);
        return FANIN_OK;
    }
    const fanin_run_options options = {.size = sizeof options, .seed = seed};
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(s->plan, probe->planned);
    void *whole = fanin_allocate((size_t)tensor->nbytes, 1);
    if (whole == NULL)
        return fanin_fail_memory(error, tensor->nbytes);
    fanin_status status = fanin_run_tensor(s->plan, &options, probe->planned, whole, error);
    *result = status == FANIN_OK && is_equal(probe->made_dtype, whole, probe->dtype, probe->bytes, probe->nvalues);
    fanin_free(whole);
    return status;
}

static void try_seeds(void *context, size_t task)
{
    struct search *s = context;
    const uint64_t begin = (uint64_t)task * SEEDS_A_TASK;
    const uint64_t end = begin + SEEDS_A_TASK < s->nseeds ? begin + SEEDS_A_TASK : s->nseeds;
    s->statuses[task] = FANIN_OK;
    for (uint64_t i = begin; i < end && s->statuses[task] == FANIN_OK; i++) {
        const fanin_generator seeded = fanin_generator_create(fanin_plan_profile(s->plan), s->first + i);
        s->is_candidate[i] = false;
        for (size_t p = 0; p < s->nprobes && !s->is_candidate[i] && s->statuses[task] == FANIN_OK; p++)
            s->statuses[task] = agrees(s, &s->probes[p], &seeded, s->first + i, &s->is_candidate[i], &s->errors[task]);
    }
}

/* All of a tensor; the checkpoint's is read in pieces. */
static fanin_status compare_whole(const struct search *s, const struct pair *pair, uint64_t seed, bool *equal,
                                  fanin_error *error)
{
    enum { PIECE = 1 << 18 };
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(s->plan, pair->planned);
    const fanin_checkpoint_tensor *stored = fanin_checkpoint_tensor_at(s->checkpoint, pair->stored);
    const fanin_run_options options = {.size = sizeof options, .seed = seed, .parallel = s->parallel};
    uint8_t *made = fanin_allocate((size_t)tensor->nbytes, 1), *bytes = fanin_allocate(PIECE, 8);
    fanin_status status =
        made != NULL && bytes != NULL ? FANIN_OK : fanin_fail_memory(error, tensor->nbytes + (uint64_t)PIECE * 8);
    if (status == FANIN_OK)
        status = fanin_run_tensor(s->plan, &options, pair->planned, made, error);
    *equal = status == FANIN_OK;
    for (uint64_t at = 0; at < tensor->nelem && *equal && status == FANIN_OK; at += PIECE) {
        uint64_t n = tensor->nelem - at < PIECE ? tensor->nelem - at : PIECE;
        status = fanin_checkpoint_read(s->checkpoint, pair->stored, nbytes_of(stored->dtype, at), bytes,
                                       nbytes_of(stored->dtype, n), error);
        *equal =
            status == FANIN_OK && is_equal(tensor->dtype, made + nbytes_of(tensor->dtype, at), stored->dtype, bytes, n);
    }
    fanin_free(bytes);
    fanin_free(made);
    return status;
}

static fanin_status confirm(const struct search *s, uint64_t seed, fanin_seed_result *result, fanin_error *error)
{
    size_t nequal = 0;
    for (size_t i = 0; i < s->npairs; i++) {
        bool equal;
        FANIN_TRY(compare_whole(s, &s->pairs[i], seed, &equal, error));
        nequal += equal;
    }
    if (nequal > 0 && !result->found) {
        result->found = true;
        result->seed = seed;
        result->nequal = nequal;
    }
    return FANIN_OK;
}

/* ---- seeds ---- */

static fanin_status run_round(struct search *s, const fanin_seed_options *options, fanin_seed_result *result,
                              fanin_error *error)
{
    const size_t ntasks = (size_t)((s->nseeds + SEEDS_A_TASK - 1) / SEEDS_A_TASK);
    if (options->parallel != NULL && options->parallel->nthreads > 1)
        options->parallel->run(options->parallel->user, ntasks, try_seeds, s);
    else
        for (size_t i = 0; i < ntasks; i++)
            try_seeds(s, i);
    for (size_t i = 0; i < ntasks; i++)
        if (s->statuses[i] != FANIN_OK) {
            if (error != NULL)
                *error = s->errors[i];
            return s->statuses[i];
        }
    for (uint64_t i = 0; i < s->nseeds && !result->found; i++) {
        result->ntried++;
        if (s->is_candidate[i])
            FANIN_TRY(confirm(s, s->first + i, result, error));
    }
    return FANIN_OK;
}

static fanin_status run_ranges(struct search *s, const fanin_seed_range *ranges, size_t nranges,
                               const fanin_seed_options *options, fanin_seed_result *result, fanin_error *error)
{
    const uint64_t round = (uint64_t)SEEDS_A_TASK * TASKS_A_ROUND;
    uint64_t total = 0;
    for (size_t i = 0; i < nranges; i++) {
        uint64_t n = ranges[i].end - ranges[i].begin;
        total = total + n < n || total + n == UINT64_MAX ? UINT64_MAX : total + n + 1;
    }
    for (size_t i = 0; i < nranges && !result->found; i++)
        for (uint64_t done = 0, all = ranges[i].end - ranges[i].begin; !result->found;) {
            uint64_t left = all - done; /* one less than there are */
            s->first = ranges[i].begin + done;
            s->nseeds = left < round ? left + 1 : round;
            FANIN_TRY(run_round(s, options, result, error));
            if (options->progress != NULL && !options->progress(options->user, result->ntried, total))
                return fanin_fail(error, FANIN_ERROR_CANCELLED, "stopped by the caller");
            if (left < round)
                break;
            done += round;
        }
    return FANIN_OK;
}

fanin_status fanin_find_seed(const fanin_checkpoint *checkpoint, const fanin_plan *plan, const fanin_seed_range *ranges,
                             size_t nranges, const fanin_seed_options *given, fanin_seed_result *result,
                             fanin_error *error)
{
    fanin_seed_options options = {0};
    struct search s = {.checkpoint = checkpoint, .plan = plan};
    fanin_clear(error);
    *result = (fanin_seed_result){0};
    if (given != NULL && given->size < sizeof(size_t))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "options.size is %zu: set it to sizeof(fanin_seed_options)",
                          given->size);
    if (given != NULL)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    if (nranges == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no seed to try");
    for (size_t i = 0; i < nranges; i++)
        if (ranges[i].begin > ranges[i].end)
            return fanin_fail(error, FANIN_ERROR_ARGUMENT, "a range of seeds ends before it begins");
    s.parallel = options.parallel;
    s.is_candidate = fanin_allocate((size_t)SEEDS_A_TASK * TASKS_A_ROUND, sizeof *s.is_candidate);
    s.statuses = fanin_allocate(TASKS_A_ROUND, sizeof *s.statuses);
    s.errors = fanin_allocate(TASKS_A_ROUND, sizeof *s.errors);
    fanin_status status = s.is_candidate != NULL && s.statuses != NULL && s.errors != NULL
                              ? find_pairs(&s, error)
                              : fanin_fail_memory(error, (uint64_t)TASKS_A_ROUND * (SEEDS_A_TASK + sizeof *s.errors));
    if (status == FANIN_OK)
        status = choose_probes(&s, error);
    result->ncompared = s.npairs;
    result->nprobes = s.nprobes;
    if (status == FANIN_OK)
        status = run_ranges(&s, ranges, nranges, &options, result, error);
    fanin_free(s.errors);
    fanin_free(s.statuses);
    fanin_free(s.is_candidate);
    fanin_free(s.pairs);
    return status;
}
