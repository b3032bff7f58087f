/* SPDX-License-Identifier: MIT */
/*
 * Rows of whole models: every tensor of a plan into memory that was touched before. A model larger than that memory is
 * made part by part into the same place, as a loader that hands each tensor on would.
 */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *source; /* from the root of the sources */
    fanin_dtype dtype;
    bool is_quick; /* small enough for --quick */
} models[] = {
    {"GPT-2 small", "examples/gpt2/config.json", FANIN_F32, false},
    {"nn.Transformer", "bench/models/transformer.json", FANIN_F32, true},
    {"llama-8B, 4 of 32 layers", "bench/models/llama-8b-4-layers.json", FANIN_BF16, false},
    {"llama-8B", "bench/models/llama-8b.json", FANIN_BF16, false},
};

/* Tensors of about this much are made at once. */
static const uint64_t PART_NBYTES = UINT64_C(1) << 30;

struct model {
    const char *name;
    const char *source;
    char path[4096];
    fanin_dtype dtype;
    const fanin_plan *plan; /* to know beforehand what there is; each pass makes its own */
    const char *isa;
    char *memory;
    size_t memory_nbytes;
    size_t ntensors;
    size_t *ends;  /* of each part: the tensor behind its last one */
    void **places; /* of each tensor in the memory */
    void **data;   /* those of one part, NULL for the others */
    size_t nparts;
    uint64_t nelem;
    uint64_t nbytes;
};

static bool is_stored(const fanin_plan_tensor *tensor)
{
    return tensor->tied_to == NULL;
}

/* Deals the tensors out to parts. memory NULL: counts only, and memory_nbytes becomes what the largest part takes. */
static void divide(struct model *model)
{
    uint64_t used = 0;
    model->nparts = 0;
    model->nelem = model->nbytes = 0;
    for (size_t i = 0; i < model->ntensors; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(model->plan, i);
        if (!is_stored(tensor))
            continue;
        uint64_t nbytes = (tensor->nbytes + 63) / 64 * 64;
        if (used > 0 && used + nbytes > PART_NBYTES) {
            model->ends[model->nparts++] = i;
            used = 0;
        }
        if (model->memory != NULL)
            model->places[i] = model->memory + used;
        used += nbytes;
        if (model->memory == NULL && used > model->memory_nbytes)
            model->memory_nbytes = used;
        model->nelem += tensor->nelem;
        model->nbytes += tensor->nbytes;
    }
    model->ends[model->nparts++] = model->ntensors;
}

static fanin_plan *read_plan(const char *path, fanin_dtype dtype)
{
    fanin_error error;
    fanin_model *description;
    fanin_plan *plan;
    const fanin_plan_options options = {.size = sizeof options, .dtype = dtype};
    bench_check(fanin_model_read(path, &description, &error), &error, path);
    bench_check(fanin_plan_create(description, NULL, &options, &plan, &error), &error, path);
    fanin_model_free(description);
    return plan;
}

struct model_pass {
    struct model *model;
    fanin_run_options options;
};

/* From the description to the last weight, as torch's constructors begin with a config. */
static void make_model(void *context)
{
    const struct model_pass *pass = context;
    struct model *model = pass->model;
    fanin_error error;
    fanin_plan *plan = read_plan(model->path, model->dtype);
    size_t begin = 0;
    for (size_t part = 0; part < model->nparts; part++) {
        memset(model->data, 0, model->ntensors * sizeof *model->data);
        for (size_t i = begin; i < model->ends[part]; i++)
            model->data[i] = model->places[i];
        bench_check(fanin_run_memory(plan, &pass->options, model->data, &error), &error, model->path);
        begin = model->ends[part];
    }
    fanin_plan_free(plan);
}

/* How many of the plan's draws are made for values that nobody will see. */
static double dead_share(const fanin_plan *plan)
{
    uint64_t dead = 0;
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        if (fanin_plan_op_at(plan, i)->dead)
            dead += fanin_plan_op_at(plan, i)->ndraws;
    return fanin_plan_ndraws(plan) > 0 ? (double)dead / (double)fanin_plan_ndraws(plan) : 0;
}

/* With every count of threads, each beside stores by as many threads. */
static void race_model(struct bench *bench, struct model *model, const struct bench_crews *crews)
{
    struct bench_contender contenders[BENCH_MAX_CREWS * (BENCH_MAX_STORES + 1)];
    struct bench_store_pass stores[BENCH_MAX_CREWS][BENCH_MAX_STORES];
    struct model_pass passes[BENCH_MAX_CREWS];
    size_t nstores = 0;
    for (size_t t = 0; t < crews->n; t++) {
        struct bench_contender *group = contenders + t * (nstores + 1);
        const fanin_parallel *parallel = &crews->parallels[t];
        nstores = bench_store_contenders(group, stores[t], model->memory, model->memory_nbytes, parallel, BENCH_WALL);
        passes[t] = (struct model_pass){
            model, {.size = sizeof passes[t].options, .seed = 42, .parallel = t > 0 ? parallel : NULL}};
        group[nstores] = (struct bench_contender){.pass = make_model, .context = &passes[t], .clock = BENCH_WALL};
    }
    bench_force_isa(model->isa);
    bench_race(contenders, crews->n * (nstores + 1), &bench->effort);
    for (size_t t = 0; t < crews->n; t++) {
        const struct bench_contender *group = contenders + t * (nstores + 1);
        struct bench_row row = {.section = "model",
                                .dtype = fanin_dtype_name(model->dtype),
                                .variant = model->isa,
                                .nthreads = crews->parallels[t].nthreads,
                                .nelem = model->nelem,
                                .nbytes = model->nbytes};
        /* The memory is stored into as often as the model fills it. */
        row.store_seconds = bench_best_store(group, nstores) * (double)model->nbytes / (double)model->memory_nbytes;
        snprintf(row.name, sizeof row.name, "%s", model->name);
        snprintf(row.source, sizeof row.source, "%s", model->source);
        if (dead_share(model->plan) > 0)
            snprintf(row.note, sizeof row.note, "%.0f %% of the draws are dead", 100 * dead_share(model->plan));
        if (t > 0)
            snprintf(row.remark, sizeof row.remark, "%.2f x one thread",
                     bench_median(&contenders[nstores]) / bench_median(&group[nstores]));
        bench_row_take(&row, &group[nstores]);
        bench_add(bench, &row);
    }
}

static void bench_model(struct bench *bench, struct model *model, const struct bench_crews *crews)
{
    snprintf(model->path, sizeof model->path, "%s/%s", bench->root, model->source);
    fanin_plan *plan = read_plan(model->path, model->dtype);
    model->plan = plan;
    model->ntensors = fanin_plan_tensor_count(plan);
    model->ends = calloc(model->ntensors, sizeof *model->ends);
    model->places = calloc(model->ntensors, sizeof *model->places);
    model->data = calloc(model->ntensors, sizeof *model->data);
    if (model->ends == NULL || model->places == NULL || model->data == NULL)
        bench_die(model->name, "no memory");
    divide(model);
    if (model->memory_nbytes > bench_available_nbytes() / 2) {
        printf("%s is left out: it takes %.1f GB, and half of what is free is less\n", model->name,
               1e-9 * (double)model->memory_nbytes);
    } else {
        model->memory = bench_touched(model->memory_nbytes);
        divide(model);
        race_model(bench, model, crews);
        bench_unmap(model->memory, model->memory_nbytes);
    }
    free(model->ends);
    free(model->places);
    free(model->data);
    fanin_plan_free(plan);
}

void bench_models(struct bench *bench)
{
    struct bench_crews crews;
    bench_print_title("whole models into memory that was touched before, wall time",
                      "the best non-zero store by as many threads");
    bench_crews_begin(&crews, bench->nthreads);
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        struct model model = {
            .name = models[i].name, .source = models[i].source, .dtype = models[i].dtype, .isa = bench_best_isa(bench)};
        if (models[i].is_quick || !bench->is_quick)
            bench_model(bench, &model, &crews);
    }
    bench_crews_end(&crews);
}
