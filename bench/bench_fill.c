/* SPDX-License-Identifier: MIT */
/*
 * Rows of single tensors: fills in cache and in memory, on fresh pages, on several threads; orthogonal matrices; jumps.
 * Each is timed beside a store of a constant into the same memory.
 */
#include "bench.h"

#include <string.h>

enum form { FLAT, SQUARE, CONVOLUTION, PERMUTATION };

struct fill_kind {
    const char *name; /* what torch_side.py calls it too */
    enum form form;
    fanin_fill fill;
    int64_t max_nelem; /* where a pass over a whole tensor "in memory" takes too long; 0: no limit */
};

static const struct fill_kind fill_kinds[] = {
    {"uniform", FLAT, {FANIN_FILL_UNIFORM, {-0.05, 0.05}}, 0},
    {"normal", FLAT, {FANIN_FILL_NORMAL, {0, 0.02}}, 0},
    {"trunc_normal std 0.02", FLAT, {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}}, 0},
    {"trunc_normal", FLAT, {FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}}, 64 << 20},
    {"constant", FLAT, {FANIN_FILL_CONSTANT, {0.5}}, 0},
    {"zeros", FLAT, {FANIN_FILL_CONSTANT, {0}}, 0},
    {"eye", SQUARE, {FANIN_FILL_EYE, {0}}, 0},
    {"dirac", CONVOLUTION, {FANIN_FILL_DIRAC, {1}}, 0},
    {"sparse", SQUARE, {FANIN_FILL_SPARSE, {0.1, 0.01}}, 16 << 20},
    {"randperm", PERMUTATION, {FANIN_FILL_NONE, {0}}, 16 << 20},
};
enum { NKINDS = sizeof fill_kinds / sizeof fill_kinds[0] };

static const struct fill_kind orthogonal_kind = {"orthogonal", SQUARE, {FANIN_FILL_ORTHOGONAL, {1}}, 0};
static const fanin_dtype random_dtypes[] = {FANIN_F32, FANIN_BF16, FANIN_F16, FANIN_F64};

enum { MAX_ISAS = 4, CACHE_NBYTES = 1 << 20, CACHE_NDRAWS = CACHE_NBYTES / 4 };

struct fill_pass {
    const char *isa;
    const struct fill_kind *kind;
    fanin_tensor tensor;
    fanin_generator *generator;
    const fanin_parallel *parallel; /* NULL: by the calling thread */
};

static void prepare_fill(void *context)
{
    const struct fill_pass *pass = context;
    bench_force_isa(pass->isa);
}

static void run_fill(void *context)
{
    const struct fill_pass *pass = context;
    fanin_error error;
    fanin_status status =
        pass->kind->form == PERMUTATION
            ? fanin_randperm(pass->tensor.data, pass->tensor.shape[0], pass->generator, &error)
            : fanin_fill_run_parallel(&pass->kind->fill, &pass->tensor, pass->generator, pass->parallel, &error);
    bench_check(status, &error, pass->kind->name);
}

static struct bench_contender fill_contender(struct fill_pass *pass, enum bench_clock clock)
{
    return (struct bench_contender){.prepare = prepare_fill, .pass = run_fill, .context = pass, .clock = clock};
}

static int64_t root(int64_t n)
{
    int64_t r = 1;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

/* The tensor of the kind's form with at most nbytes. */
static fanin_tensor shape_tensor(const struct fill_kind *kind, fanin_dtype dtype, void *memory, size_t nbytes)
{
    int64_t n = (int64_t)(nbytes / (fanin_dtype_nbits(dtype) / 8));
    if (kind->max_nelem > 0 && n > kind->max_nelem)
        n = kind->max_nelem;
    if (kind->form == SQUARE)
        return fanin_tensor_2d(memory, dtype, root(n), root(n));
    if (kind->form == CONVOLUTION)
        return fanin_tensor_4d(memory, dtype, root(n / 9), root(n / 9), 3, 3);
    return fanin_tensor_1d(memory, dtype, n);
}

static size_t tensor_nbytes(const fanin_tensor *tensor)
{
    return (size_t)fanin_tensor_nelem(tensor) * (fanin_dtype_nbits(tensor->dtype) / 8);
}

/* A row of the tensor as the contender took it; names that only some rows have are the caller's. */
static struct bench_row tensor_row(const char *section, const struct fill_pass *pass,
                                   const struct bench_contender *contender, double store_seconds)
{
    const fanin_tensor *tensor = &pass->tensor;
    struct bench_row row = {.section = section,
                            .dtype = fanin_dtype_name(tensor->dtype),
                            .variant = pass->isa,
                            .nthreads = pass->parallel != NULL ? pass->parallel->nthreads : 1,
                            .nelem = (uint64_t)fanin_tensor_nelem(tensor),
                            .nbytes = tensor_nbytes(tensor),
                            .ndim = tensor->ndim,
                            .store_seconds = store_seconds};
    snprintf(row.name, sizeof row.name, "%s", pass->kind->name);
    memcpy(row.shape, tensor->shape, sizeof row.shape);
    bench_row_take(&row, contender);
    return row;
}

static void add_stores(struct bench *bench, const char *section, const struct bench_contender *contenders, size_t n,
                       const struct bench_store_pass *passes)
{
    double best = bench_best_store(contenders, n);
    for (size_t i = 0; i < n; i++) {
        struct bench_row row = {.section = section,
                                .dtype = "f32",
                                .variant = passes[i].store->name,
                                .nthreads = 1,
                                .nelem = passes[i].nbytes / 4,
                                .nbytes = passes[i].nbytes,
                                .store_seconds = best};
        snprintf(row.name, sizeof row.name, "store");
        bench_row_take(&row, &contenders[i]);
        bench_add(bench, &row);
    }
}

/* One fill in every variant, beside the stores. is_first: the stores get rows of their own. */
static void race_fill(struct bench *bench, const char *section, const struct fill_kind *kind, fanin_dtype dtype,
                      void *memory, size_t nbytes, bool is_first)
{
    const bool is_large = nbytes > CACHE_NBYTES;
    struct bench_contender contenders[BENCH_MAX_STORES + MAX_ISAS];
    struct bench_store_pass stores[BENCH_MAX_STORES];
    struct fill_pass passes[MAX_ISAS];
    fanin_generator generator = fanin_generator_torch(42);
    fanin_tensor tensor = shape_tensor(kind, dtype, memory, nbytes);
    size_t nstores = bench_store_contenders(contenders, stores, memory, tensor_nbytes(&tensor), NULL, BENCH_THREAD_CPU);
    size_t n = nstores;
    for (size_t i = 0; i < fanin_isa_count() && i < MAX_ISAS; i++) {
        const char *isa = is_large ? bench_fast_isa(bench, i) : bench_isa(bench, i);
        if (isa == NULL)
            continue;
        passes[n - nstores] = (struct fill_pass){isa, kind, tensor, &generator, NULL};
        contenders[n] = fill_contender(&passes[n - nstores], BENCH_THREAD_CPU);
        n++;
    }
    bench_race(contenders, n, &bench->effort);
    if (is_first)
        add_stores(bench, section, contenders, nstores, stores);
    for (size_t i = nstores; i < n; i++) {
        struct bench_row row =
            tensor_row(section, &passes[i - nstores], &contenders[i], bench_best_store(contenders, nstores));
        bench_add(bench, &row);
    }
}

static void race_all(struct bench *bench, const char *section, size_t nbytes)
{
    void *memory = bench_touched(nbytes);
    for (size_t k = 0; k < NKINDS; k++) {
        if (fill_kinds[k].form == PERMUTATION)
            race_fill(bench, section, &fill_kinds[k], FANIN_I64, memory, nbytes, false);
        else
            for (size_t d = 0; d < sizeof random_dtypes / sizeof random_dtypes[0]; d++)
                race_fill(bench, section, &fill_kinds[k], random_dtypes[d], memory, nbytes, k == 0 && d == 0);
    }
    bench_unmap(memory, nbytes);
}

void bench_cache(struct bench *bench)
{
    bench_print_title("in cache: a tensor of 1 MiB, again and again", "the best non-zero store");
    race_all(bench, "cache", CACHE_NBYTES);
}

void bench_memory(struct bench *bench)
{
    bench_print_title("in memory: a large tensor that was touched before", "the best non-zero store");
    race_all(bench, "memory", bench->memory_nbytes);
}

/* -- Threads ------------------------------------------------------------------------------------------------------ */

/* One fill with every count of threads, each beside stores by as many threads. */
static void race_threads(struct bench *bench, const char *section, const struct bench_crews *crews,
                         const struct fill_kind *kind, const fanin_tensor *tensor, const char *isa)
{
    struct bench_contender contenders[BENCH_MAX_CREWS * (BENCH_MAX_STORES + 1)];
    struct bench_store_pass stores[BENCH_MAX_CREWS][BENCH_MAX_STORES];
    struct fill_pass passes[BENCH_MAX_CREWS];
    fanin_generator generator = fanin_generator_torch(42);
    size_t nstores = 0;
    for (size_t t = 0; t < crews->n; t++) {
        struct bench_contender *group = contenders + t * (nstores + 1);
        nstores = bench_store_contenders(group, stores[t], tensor->data, tensor_nbytes(tensor), &crews->parallels[t],
                                         BENCH_WALL);
        passes[t] = (struct fill_pass){isa, kind, *tensor, &generator, &crews->parallels[t]};
        group[nstores] = fill_contender(&passes[t], BENCH_WALL);
    }
    bench_race(contenders, crews->n * (nstores + 1), &bench->effort);
    for (size_t t = 0; t < crews->n; t++) {
        const struct bench_contender *group = contenders + t * (nstores + 1);
        struct bench_row row = tensor_row(section, &passes[t], &group[nstores], bench_best_store(group, nstores));
        if (t > 0)
            snprintf(row.remark, sizeof row.remark, "%.2f x one thread",
                     bench_median(&contenders[nstores]) / bench_median(&group[nstores]));
        bench_add(bench, &row);
    }
}

void bench_threads(struct bench *bench)
{
    static const struct {
        size_t kind;
        fanin_dtype dtype;
    } fills[] = {{0, FANIN_F32}, {1, FANIN_F32}, {1, FANIN_BF16}, {2, FANIN_F32}, {3, FANIN_F32}, {1, FANIN_F64}};
    struct bench_crews crews;
    void *memory = bench_touched(bench->memory_nbytes);
    bench_print_title("threads: one tensor, wall time", "the best non-zero store by as many threads");
    bench_crews_begin(&crews, bench->nthreads);
    for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++) {
        int64_t n = (int64_t)(bench->memory_nbytes / (fanin_dtype_nbits(fills[i].dtype) / 8));
        int64_t counts[] = {bench->is_quick ? 1 << 20 : 16 << 20, 64 << 20};
        for (size_t j = 0; j < sizeof counts / sizeof counts[0]; j++) {
            fanin_tensor tensor = fanin_tensor_1d(memory, fills[i].dtype, counts[j]);
            for (size_t k = 0; counts[j] <= n && k < fanin_isa_count(); k++)
                if (bench_fast_isa(bench, k) != NULL)
                    race_threads(bench, "threads", &crews, &fill_kinds[fills[i].kind], &tensor,
                                 bench_fast_isa(bench, k));
        }
    }
    bench_crews_end(&crews);
    bench_unmap(memory, bench->memory_nbytes);
}

void bench_square(struct bench *bench)
{
    static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_F64};
    const int64_t sizes[] = {bench->is_quick ? 128 : 512, bench->is_quick ? 0 : 2048};
    struct bench_crews crews;
    bench_crews_begin(&crews, bench->nthreads);
    bench_print_title("orthogonal matrices, wall time", NULL);
    for (size_t s = 0; s < 2 && sizes[s] > 0; s++)
        for (size_t d = 0; d < 2; d++) {
            size_t nbytes = (size_t)(sizes[s] * sizes[s]) * (fanin_dtype_nbits(dtypes[d]) / 8);
            void *memory = bench_touched(nbytes);
            fanin_tensor tensor = fanin_tensor_2d(memory, dtypes[d], sizes[s], sizes[s]);
            for (size_t i = 0; i < fanin_isa_count(); i++)
                if (bench_fast_isa(bench, i) != NULL)
                    race_threads(bench, "square", &crews, &orthogonal_kind, &tensor, bench_fast_isa(bench, i));
            bench_unmap(memory, nbytes);
        }
    bench_crews_end(&crews);
}

/* -- Cold pages --------------------------------------------------------------------------------------------------- */

struct cold_pass {
    struct fill_pass fill;
    const struct bench_store *store; /* NULL: the fill */
    size_t nbytes;
    bool is_huge;
    void *memory;
};

static void map_cold(void *context)
{
    struct cold_pass *pass = context;
    if (pass->memory != NULL)
        bench_unmap(pass->memory, pass->nbytes);
    pass->memory = bench_untouched(pass->nbytes, pass->is_huge);
    pass->fill.tensor.data = pass->memory;
    bench_force_isa(pass->fill.isa);
}

static void run_cold(void *context)
{
    struct cold_pass *pass = context;
    if (pass->store != NULL)
        pass->store->store(pass->memory, pass->nbytes);
    else
        run_fill(&pass->fill);
}

static void race_cold(struct bench *bench, const struct fill_kind *kind, fanin_dtype dtype, bool is_huge,
                      const char *isa)
{
    struct bench_contender contenders[BENCH_MAX_STORES + 1];
    struct cold_pass passes[BENCH_MAX_STORES + 1];
    const struct bench_store *stores;
    size_t nstores = bench_stores(&stores);
    fanin_generator generator = fanin_generator_torch(42);
    fanin_tensor tensor = shape_tensor(kind, dtype, NULL, bench->memory_nbytes / 2);
    for (size_t i = 0; i <= nstores; i++) {
        passes[i] = (struct cold_pass){.fill = {isa, kind, tensor, &generator, NULL},
                                       .store = i < nstores ? &stores[i] : NULL,
                                       .nbytes = tensor_nbytes(&tensor),
                                       .is_huge = is_huge};
        contenders[i] = (struct bench_contender){
            .prepare = map_cold, .is_single = true, .pass = run_cold, .context = &passes[i], .clock = BENCH_WALL};
    }
    bench_race(contenders, nstores + 1, &bench->effort);
    struct bench_row row =
        tensor_row("cold", &passes[nstores].fill, &contenders[nstores], bench_best_store(contenders, nstores));
    snprintf(row.name, sizeof row.name, "%s, %s pages", kind->name, is_huge ? "2 MiB" : "4 KiB");
    bench_add(bench, &row);
    for (size_t i = 0; i <= nstores; i++)
        bench_unmap(passes[i].memory, passes[i].nbytes);
}

void bench_cold(struct bench *bench)
{
    const char *isa = bench_best_isa(bench);
    bench_print_title("cold: first touch of fresh pages, wall time", "the best non-zero store on fresh pages");
    for (int is_huge = 0; is_huge < 2; is_huge++) {
        race_cold(bench, &fill_kinds[0], FANIN_F32, is_huge, isa);
        race_cold(bench, &fill_kinds[1], FANIN_F32, is_huge, isa);
        race_cold(bench, &fill_kinds[1], FANIN_BF16, is_huge, isa);
    }
}

/* -- Jumps -------------------------------------------------------------------------------------------------------- */

struct jump_pass {
    const char *isa;
    fanin_generator *generator;
    uint64_t ndraws;
};

static void prepare_jump(void *context)
{
    const struct jump_pass *pass = context;
    bench_force_isa(pass->isa);
}

static void run_jump(void *context)
{
    const struct jump_pass *pass = context;
    fanin_generator_skip(pass->generator, pass->ndraws);
}

void bench_jump(struct bench *bench)
{
    static const struct {
        const char *name;
        uint64_t ndraws;
    } jumps[] = {{"skip 2^20", UINT64_C(1) << 20},
                 {"skip 2^32", UINT64_C(1) << 32},
                 {"skip 2^44", UINT64_C(1) << 44},
                 {"skip 2^45 - 1", (UINT64_C(1) << 45) - 1}};
    enum { NJUMPS = sizeof jumps / sizeof jumps[0] };
    void *memory = bench_touched(CACHE_NBYTES);
    bench_print_title("jumps over draws, beside uniform draws in cache", NULL);
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        if (bench_isa(bench, i) == NULL)
            continue;
        struct bench_contender contenders[NJUMPS + 1];
        struct jump_pass passes[NJUMPS];
        fanin_generator generator = fanin_generator_torch(42);
        fanin_tensor tensor = fanin_tensor_1d(memory, FANIN_F32, CACHE_NDRAWS);
        struct fill_pass uniform = {bench_isa(bench, i), &fill_kinds[0], tensor, &generator, NULL};
        for (size_t j = 0; j < NJUMPS; j++) {
            passes[j] = (struct jump_pass){bench_isa(bench, i), &generator, jumps[j].ndraws};
            contenders[j] = (struct bench_contender){
                .prepare = prepare_jump, .pass = run_jump, .context = &passes[j], .clock = BENCH_THREAD_CPU};
        }
        contenders[NJUMPS] = fill_contender(&uniform, BENCH_THREAD_CPU);
        bench_race(contenders, NJUMPS + 1, &bench->effort);
        struct bench_row of_uniform = tensor_row("jump", &uniform, &contenders[NJUMPS], 0);
        bench_add(bench, &of_uniform);
        for (size_t j = 0; j < NJUMPS; j++) {
            struct bench_row row = {.section = "jump", .dtype = "", .variant = bench_isa(bench, i), .nthreads = 1};
            snprintf(row.name, sizeof row.name, "%s", jumps[j].name);
            bench_row_take(&row, &contenders[j]);
            double nfills = bench_median(&contenders[j]) / bench_median(&contenders[NJUMPS]);
            snprintf(row.remark, sizeof row.remark, "as long as %.2f M uniform draws", 1e-6 * nfills * CACHE_NDRAWS);
            bench_add(bench, &row);
        }
    }
    bench_unmap(memory, CACHE_NBYTES);
}
