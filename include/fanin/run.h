/* SPDX-License-Identifier: MIT */
/*
 * Running a plan: into memory, into a digest, into a checkpoint; and proving a checkpoint against one.
 */
#ifndef FANIN_RUN_H
#define FANIN_RUN_H

#include "fanin/checkpoint.h"
#include "fanin/parallel.h"
#include "fanin/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Called from time to time with bytes made so far and in all; false stops the run with FANIN_ERROR_CANCELLED. By one
 * thread at a time, though not always the same if there are several.
 */
typedef bool (*fanin_progress)(void *user, uint64_t done_nbytes, uint64_t total_nbytes);

typedef struct fanin_run_options {
    size_t size; /* sizeof(fanin_run_options) */
    uint64_t seed;
    fanin_progress progress; /* may be NULL */
    void *user;
    const fanin_parallel *parallel; /* side by side on these threads; NULL: the calling thread alone */
} fanin_run_options;

/* One tensor of the plan alone, into contiguous memory of its nbytes. Equal to what the whole plan makes. */
FANIN_API fanin_status fanin_run_tensor(const fanin_plan *plan, const fanin_run_options *options, size_t tensor,
                                        void *data, fanin_error *error);
/*
 * A block of a tensor: elements offsets[d] to offsets[d] + sizes[d] - 1 of each dimension d, into `destination`, which
 * has that shape, the tensor's dtype, and any strides. Equal to that block of the whole. Of fills that are made in
 * pieces (uniform_, normal_ of 16 elements or more, constants ...) no more is made than lies between its first and last
 * element, and never more than a piece is in memory.
 */
FANIN_API fanin_status fanin_run_slice(const fanin_plan *plan, const fanin_run_options *options, size_t tensor,
                                       const int64_t *offsets, const int64_t *sizes, const fanin_tensor *destination,
                                       fanin_error *error);

typedef struct fanin_slice {
    size_t tensor;
    const int64_t *offsets;   /* NULL: all 0 */
    fanin_tensor destination; /* its shape is that of the block */
} fanin_slice;
/* Many blocks, side by side on the options' threads, in any order and of any tensors. */
FANIN_API fanin_status fanin_run_slices(const fanin_plan *plan, const fanin_run_options *options,
                                        const fanin_slice *slices, size_t nslices, fanin_error *error);
/* All of them: data[i] is contiguous memory for tensor i, or NULL to leave it out (tied names are left out). */
FANIN_API fanin_status fanin_run_memory(const fanin_plan *plan, const fanin_run_options *options, void *const *data,
                                        fanin_error *error);
/* The content digest of the checkpoint the plan would make, without writing it. */
FANIN_API fanin_status fanin_run_digest(const fanin_plan *plan, const fanin_run_options *options, fanin_digest *digest,
                                        fanin_error *error);

typedef struct fanin_write_options {
    size_t size; /* sizeof(fanin_write_options) */
    /* PATH.safetensors is one file; anything else is a folder (made if absent) for model.safetensors or shards. */
    const char *path;
    uint64_t max_shard_nbytes; /* 0: 5 GB; only for a folder */
    bool force;                /* replace existing output */
    const char *config_json;   /* written as config.json beside the weights of a folder; may be NULL */
    const char *source;        /* provenance: what the plan was made from, in words; may be NULL */
    /*
     * Leaves the content digest out of the result: hashing takes about as long as making the values. The files are the
     * same; fanin_verify needs no digest, and fanin_checkpoint_digest reads it from the files.
     */
    bool no_digest;
} fanin_write_options;

typedef struct fanin_write_result {
    fanin_digest digest; /* all zeros if it was left out */
    uint64_t nbytes;     /* of all tensors */
    size_t nfiles;       /* of weights */
} fanin_write_result;

/*
 * Writes the plan's checkpoint so that a name either holds a whole file or what it held before: temporary name in the
 * same folder, preallocated, synced, renamed, the folder synced; with shards the index comes last. Every file's
 * metadata carries format, fanin's version, profile, seed, the plan and its SHA-256.
 */
FANIN_API fanin_status fanin_run_checkpoint(const fanin_plan *plan, const fanin_run_options *options,
                                            const fanin_write_options *write, fanin_write_result *result,
                                            fanin_error *error);

/* The keys of __metadata__ under which files say where they come from; "format" is "pt" for transformers' sake. */
#define FANIN_METADATA_VERSION     "fanin_version"
#define FANIN_METADATA_PROFILE     "fanin_profile"
#define FANIN_METADATA_SEED        "fanin_seed" /* decimal */
#define FANIN_METADATA_PLAN_SHA256 "fanin_plan_sha256"
#define FANIN_METADATA_PLAN        "fanin_plan" /* over 1 MiB it is a file beside, FANIN_PLAN_FILE, and the key is absent */
#define FANIN_METADATA_SOURCE      "fanin_source" /* only if given */
#define FANIN_PLAN_FILE            "fanin-plan.json"

/* One file that a checkpoint has: its path as it is written, and its size. */
typedef void (*fanin_file_report)(void *user, const char *path, uint64_t nbytes);
/*
 * What fanin_run_checkpoint would do, without writing: refuses what it would refuse before the first byte (output that
 * exists and is not to be replaced, a folder that cannot be made, a file where a folder must be), reports each file
 * (`report` may be NULL), and fills result but for the digest.
 */
FANIN_API fanin_status fanin_run_checkpoint_check(const fanin_plan *plan, const fanin_run_options *options,
                                                  const fanin_write_options *write, fanin_file_report report,
                                                  void *user, fanin_write_result *result, fanin_error *error);

/* One tensor without a plan, as .npy, .safetensors (named "weight") or raw .bin, by the path's ending. */
FANIN_API fanin_status fanin_write_tensor(const char *path, const fanin_tensor *tensor, bool force, fanin_error *error);

/* The plan and seed that a checkpoint written by fanin carries. FANIN_ERROR_UNSUPPORTED if it carries none. */
FANIN_API fanin_status fanin_plan_from_checkpoint(const fanin_checkpoint *checkpoint, fanin_plan **plan, uint64_t *seed,
                                                  fanin_error *error);

typedef enum fanin_difference_kind {
    FANIN_DIFFERENCE_MISSING,    /* in the plan, not in the checkpoint */
    FANIN_DIFFERENCE_UNEXPECTED, /* in the checkpoint, not in the plan */
    FANIN_DIFFERENCE_DTYPE,
    FANIN_DIFFERENCE_SHAPE,
    FANIN_DIFFERENCE_BYTES
} fanin_difference_kind;

typedef struct fanin_difference {
    fanin_difference_kind kind;
    const char *tensor;
    uint64_t nelem;      /* of the tensor */
    uint64_t ndiffering; /* elements with other bytes */
    uint64_t first;      /* index of the first of them, in row-major order */
    double expected;     /* its value by the plan */
    double found;        /* its value in the checkpoint */
    double max_abs;      /* largest |found - expected| where both are finite */
} fanin_difference;

typedef struct fanin_verify_result {
    size_t nequal;       /* tensors equal byte for byte */
    size_t ndifferent;   /* differences reported */
    uint64_t nbytes;     /* compared */
    fanin_digest digest; /* of the checkpoint */
} fanin_verify_result;

/* FANIN_OK if every byte is equal, FANIN_ERROR_MISMATCH if not; `report` (may be NULL) gets each difference. */
FANIN_API fanin_status fanin_verify(const fanin_checkpoint *checkpoint, const fanin_plan *plan,
                                    const fanin_run_options *options,
                                    void (*report)(void *user, const fanin_difference *difference), void *user,
                                    fanin_verify_result *result, fanin_error *error);

typedef struct fanin_check_result {
    size_t nequal;
    size_t ndifferent;
    size_t nrefused; /* have a digest, but cannot be made */
} fanin_check_result;

/*
 * Makes the tensors of which a recorded plan carries digests at the plan's own seed (that of the options is not used),
 * and compares. FANIN_OK if all are equal, FANIN_ERROR_MISMATCH if not; FANIN_ERROR_UNSUPPORTED if there are no
 * digests. `report` (may be NULL) is told of each, in the plan's order.
 */
FANIN_API fanin_status fanin_run_check(const fanin_plan *plan, const fanin_run_options *options,
                                       void (*report)(void *user, size_t tensor, bool equal), void *user,
                                       fanin_check_result *result, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
