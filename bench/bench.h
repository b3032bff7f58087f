/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the benchmark share: how a pass is timed, what a row holds, what the core can store. Only public
 * headers of the library are used.
 */
#ifndef FANIN_BENCH_H
#define FANIN_BENCH_H

#include <stdio.h>

#include <fanin/fanin.h>

/* -- Timing ------------------------------------------------------------------------------------------------------- */

/* The thread's own processor time leaves out what other programs took; wall time is what threads and files need. */
enum bench_clock { BENCH_THREAD_CPU, BENCH_WALL };

enum { BENCH_MAX_SAMPLES = 15 };

struct bench_effort {
    int min_samples;
    int max_samples;
    double sample_seconds; /* short passes are repeated within a sample until it lasts this long */
    double total_seconds;  /* of one contender, if min_samples are there by then; four times that in any case */
};

/* Something that is timed: pass(context) is what counts. */
struct bench_contender {
    void (*prepare)(void *context); /* before each sample, not timed; NULL for none */
    bool is_single;                 /* one pass is one sample, however short: what prepare made serves only once */
    void (*pass)(void *context);
    void *context;
    enum bench_clock clock;
    int nsamples;
    double samples[BENCH_MAX_SAMPLES]; /* out: seconds of one pass, ascending */
};

/*
 * Times all contenders in turn, one sample each, and again: what happens to the machine meanwhile happens to all. The
 * first pass of each is not counted unless it is a long one. Pinned to one processor where all count thread time.
 */
void bench_race(struct bench_contender *contenders, size_t n, const struct bench_effort *effort);
double bench_median(const struct bench_contender *contender);

/* -- The roofline: storing a constant that is not zero ------------------------------------------------------------ */

/* Zeros are cheaper than any other constant on some machines, and are no roofline for weights. */
struct bench_store {
    const char *name;
    void (*store)(void *memory, size_t nbytes); /* memory aligned to 64 bytes */
};
/* The widest plain and non-temporal stores of this processor, and memset; returns how many. */
size_t bench_stores(const struct bench_store **stores);
/* Runs each and reads the memory back: a roofline that stores nothing would be a fine one. */
void bench_stores_check(void);

enum { BENCH_MAX_STORES = 3 };
struct bench_store_pass {
    const struct bench_store *store;
    void *memory;
    size_t nbytes;
    const fanin_parallel *parallel; /* NULL: by the calling thread */
};
/* Contenders that store into the same memory as the rows beside them. Returns how many. */
size_t bench_store_contenders(struct bench_contender *contenders, struct bench_store_pass *passes, void *memory,
                              size_t nbytes, const fanin_parallel *parallel, enum bench_clock clock);
/* The best of them: seconds of its median. */
double bench_best_store(const struct bench_contender *contenders, size_t n);

/* -- Rows --------------------------------------------------------------------------------------------------------- */

struct bench_row {
    const char *section;
    char name[64];
    const char *dtype;
    const char *variant; /* the machine variant of the library; for what is not the library, which way it is done */
    unsigned nthreads;
    uint64_t nelem; /* 0: the row is a time, not a rate */
    uint64_t nbytes;
    int ndim; /* of the tensor, where it is one */
    int64_t shape[FANIN_MAX_DIMS];
    char source[256]; /* the description a model came from; "" */
    enum bench_clock clock;
    int nsamples;
    double samples[BENCH_MAX_SAMPLES];
    double store_seconds; /* what storing, or plainly writing, the same bytes took meanwhile; 0: nothing to compare */
    char note[64];        /* a fact about the row */
    char remark[64];      /* what its time means beside another row; printed, and left to whoever reads the JSON */
};

struct bench {
    bool is_quick;
    const char *isa; /* the only variant to measure; NULL: all that this processor has */
    const char *root;
    const char *files; /* folder for files; NULL: none are written */
    const char *date;
    size_t memory_nbytes; /* of a tensor "in memory" */
    uint64_t file_nbytes;
    unsigned nthreads; /* most threads */
    struct bench_effort effort;
    struct bench_row *rows;
    size_t nrows;
};

/* Fills row with what the contender took; nelem, shape and names are the caller's. */
void bench_row_take(struct bench_row *row, const struct bench_contender *contender);
/* Prints the row and keeps it for the JSON. */
void bench_add(struct bench *bench, const struct bench_row *row);
/* full: what the column of per cent is relative to; NULL: it is empty. */
void bench_print_title(const char *title, const char *full);
bool bench_write_json(const struct bench *bench, const char *path);

/* -- The machine -------------------------------------------------------------------------------------------------- */

void bench_print_machine(FILE *file);
void bench_write_machine(FILE *file); /* as a JSON object */
void bench_write_text(FILE *file, const char *text);
uint64_t bench_available_nbytes(void);

/* -- Parts -------------------------------------------------------------------------------------------------------- */

void bench_cache(struct bench *bench);
void bench_memory(struct bench *bench);
void bench_square(struct bench *bench);
void bench_cold(struct bench *bench);
void bench_threads(struct bench *bench);
void bench_jump(struct bench *bench);
void bench_models(struct bench *bench);
void bench_checks(struct bench *bench);
void bench_files(struct bench *bench);

/* Variants to measure, best first: i < bench_isa_count(); NULL for one that is left out. */
const char *bench_isa(const struct bench *bench, size_t i);
/* The same without scalar, the specification, which would take most of a run over large tensors; unless it is asked
 * for. */
const char *bench_fast_isa(const struct bench *bench, size_t i);
const char *bench_best_isa(const struct bench *bench);
/* Not within a timed pass: asking a virtual machine what its processor has takes 8 us. */
void bench_force_isa(const char *isa);

/* A pool for each count of threads to measure: 1, 2, 4 ... and the most. */
enum { BENCH_MAX_CREWS = 8 };
struct bench_crews {
    size_t n;
    fanin_pool *pools[BENCH_MAX_CREWS];
    fanin_parallel parallels[BENCH_MAX_CREWS];
};
void bench_crews_begin(struct bench_crews *crews, unsigned nthreads);
void bench_crews_end(struct bench_crews *crews);

/* Memory aligned to 2 MiB, on pages of 2 MiB where the system has them, touched: no pass pays for its first use. */
void *bench_touched(size_t nbytes);
void *bench_untouched(size_t nbytes, bool is_huge);
void bench_unmap(void *memory, size_t nbytes);

_Noreturn void bench_die(const char *what, const char *why);
void bench_check(fanin_status status, const fanin_error *error, const char *what);

#endif
