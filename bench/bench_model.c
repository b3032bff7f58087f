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
    const char *path; /* from the root of the sources */
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
    char path[4096];
    fanin_dtype dtype;
    const fanin_plan *plan; /* to know beforehand what there is; each pass makes its own */
    const char *isa;
    fanin_run_options options;
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

/* From the description to the last weight, as torch's constructors begin with a config. */
static void make_model(void *context)
{
    struct model *model = context;
    fanin_error error;
    fanin_plan *plan = read_plan(model->path, model->dtype);
    size_t begin = 0;
    for (size_t part = 0; part < model->nparts; part++) {
        memset(model->data, 0, model->ntensors * sizeof *model->data);
        for (size_t i = begin; i < model->ends[part]; i++)
            model->data[i] = model->places[i];
        bench_check(fanin_run_memory(plan, &model->options, model->data, &error), &error, model->path);
        begin = model->ends[part];
    }
    fanin_plan_free(plan);
}

struct store_model {
    const struct bench_store *store;
    const struct model *model;
};

/* As many bytes, into the same memory over and over. */
static void store_model(void *context)
{
    const struct store_model *pass = context;
    uint64_t left = pass->model->nbytes;
    while (left > 0) {
        size_t nbytes = left < pass->model->memory_nbytes ? (size_t)left : pass->model->memory_nbytes;
        pass->store->store(pass->model->memory, nbytes);
        left -= nbytes;
    }
}

static const char *best_isa(const struct bench *bench)
{
    for (size_t i = 0; i < fanin_isa_count(); i++)
        if (bench_isa(bench, i) != NULL)
            return bench_isa(bench, i);
    return fanin_isa_active();
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

static void prepare_model(void *context)
{
    const struct model *model = context;
    fanin_error error;
    bench_check(fanin_isa_force(model->isa, &error), &error, "model");
}

static void race_model(struct bench *bench, struct model *model, const char *name, const char *path)
{
    struct bench_contender contenders[BENCH_MAX_STORES + 1];
    struct store_model passes[BENCH_MAX_STORES];
    const struct bench_store *stores;
    size_t nstores = bench_stores(&stores);
    for (size_t i = 0; i < nstores; i++) {
        passes[i] = (struct store_model){&stores[i], model};
        contenders[i] = (struct bench_contender){.pass = store_model, .context = &passes[i], .clock = BENCH_WALL};
    }
    contenders[nstores] =
        (struct bench_contender){.prepare = prepare_model, .pass = make_model, .context = model, .clock = BENCH_WALL};
    bench_race(contenders, nstores + 1, &bench->effort);
    struct bench_row row = {.section = "model",
                            .dtype = fanin_dtype_name(model->dtype),
                            .variant = model->isa,
                            .nthreads = 1,
                            .nelem = model->nelem,
                            .nbytes = model->nbytes,
                            .store_seconds = bench_best_store(contenders, nstores)};
    snprintf(row.name, sizeof row.name, "%s", name);
    snprintf(row.source, sizeof row.source, "%s", path);
    if (dead_share(model->plan) > 0)
        snprintf(row.note, sizeof row.note, "%.0f %% of the draws are dead", 100 * dead_share(model->plan));
    bench_row_take(&row, &contenders[nstores]);
    bench_add(bench, &row);
}

static void bench_model(struct bench *bench, const char *name, const char *path, fanin_dtype dtype)
{
    struct model model = {
        .dtype = dtype, .isa = best_isa(bench), .options = {.size = sizeof model.options, .seed = 42}};
    snprintf(model.path, sizeof model.path, "%s/%s", bench->root, path);
    fanin_plan *plan = read_plan(model.path, dtype);
    model.plan = plan;
    model.ntensors = fanin_plan_tensor_count(plan);
    model.ends = calloc(model.ntensors, sizeof *model.ends);
    model.places = calloc(model.ntensors, sizeof *model.places);
    model.data = calloc(model.ntensors, sizeof *model.data);
    if (model.ends == NULL || model.places == NULL || model.data == NULL)
        bench_die(name, "no memory");
    divide(&model);
    if (model.memory_nbytes > bench_available_nbytes() / 2) {
        printf("%s is left out: it takes %.1f GB, and half of what is free is less\n", name,
               1e-9 * (double)model.memory_nbytes);
    } else {
        model.memory = bench_touched(model.memory_nbytes);
        divide(&model);
        race_model(bench, &model, name, path);
        bench_unmap(model.memory, model.memory_nbytes);
    }
    free(model.ends);
    free(model.places);
    free(model.data);
    fanin_plan_free(plan);
}

void bench_models(struct bench *bench)
{
    bench_print_title("whole models into memory that was touched before, wall time", "the best non-zero store");
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (models[i].is_quick || !bench->is_quick)
            bench_model(bench, models[i].name, models[i].path, models[i].dtype);
}
