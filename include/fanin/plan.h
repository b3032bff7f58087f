/* SPDX-License-Identifier: MIT */
/*
 * A plan is a model and a recipe, resolved: a flat list of fills, each with its absolute position in the stream.
 * Immutable, printable, the same for every seed.
 */
#ifndef FANIN_PLAN_H
#define FANIN_PLAN_H

#include "fanin/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_plan fanin_plan;

typedef struct fanin_plan_options {
    size_t size;           /* sizeof(fanin_plan_options) */
    fanin_profile profile; /* 0: the newest torch */
    fanin_dtype dtype;     /* what f64, f32, bf16 and f16 tensors become; FANIN_DTYPE_NONE: as described */
} fanin_plan_options;

/*
 * A name and the view it is of a storage: memory of one dtype, numbered from 0. A tied name has the view of the tensor
 * it is tied to; in a recorded plan tensors may also be different views of one storage.
 */
typedef struct fanin_plan_tensor {
    const char *name;
    fanin_dtype dtype;
    int32_t ndim;
    const int64_t *shape;
    uint64_t nelem;
    uint64_t nbytes;
    const char *tied_to; /* NULL, or the name it shares its storage with: such a name is not written to files */
    size_t storage;
    int64_t offset;         /* element of the storage where the view begins */
    const int64_t *strides; /* in elements of the storage */
    /* Of a recorded plan; of a description: false, true, NULL, and the tensor is all of its storage, contiguous. */
    bool is_buffer;
    bool is_persistent;  /* false: made by fanin_run_*, but in no checkpoint and no content digest */
    const char *refused; /* NULL, or why this tensor cannot be made */
} fanin_plan_tensor;

#define FANIN_NO_POSITION       UINT64_MAX
#define FANIN_CACHED_AT_BARRIER (UINT64_MAX - 1) /* whatever normal the last data-dependent op left */

typedef enum fanin_plan_op_kind {
    FANIN_OP_FILL = 0,
    /* only in recorded plans: */
    FANIN_OP_LITERAL,  /* the bytes of a literal */
    FANIN_OP_COPY,     /* what the ops before it left in `source`, which has the same dtype */
    FANIN_OP_CAST,     /* the same, converted as torch's copy_ does */
    FANIN_OP_FUNCTION, /* a function of each element of `source`, and of `other` or a number */
    FANIN_OP_NORM,     /* the Euclidean norm of `source` over its dimensions `summed`, within 1 ulp */
    FANIN_OP_QR,       /* Q of the matrix `source`, its columns times the signs of R's diagonal */
    FANIN_OP_UNKNOWN   /* of a later minor version: tensors that depend on it are refused */
} fanin_plan_op_kind;

/*
 * In the dtype of what is written, as torch computes it: 16-bit floats as float, rounded. The first five are within 2
 * units in the last place of torch's, which takes them from vector libraries of the host; the others, in f32 and f64,
 * are exact.
 */
typedef enum fanin_plan_function {
    FANIN_FUNCTION_EXP,
    FANIN_FUNCTION_LOG,
    FANIN_FUNCTION_EXPM1,
    FANIN_FUNCTION_LOG1P,
    FANIN_FUNCTION_ERFINV,
    FANIN_FUNCTION_NEG,
    FANIN_FUNCTION_SQRT,
    FANIN_FUNCTION_SIGN,
    FANIN_FUNCTION_ADD,
    FANIN_FUNCTION_SUB,
    FANIN_FUNCTION_MUL,
    FANIN_FUNCTION_DIV,
    FANIN_FUNCTION_CLAMP, /* numbers: the least and the greatest value; NaN: none */
    FANIN_FUNCTION_COUNT
} fanin_plan_function;

FANIN_API const char *fanin_plan_function_name(fanin_plan_function function); /* "exp"; NULL if there is none */
/* Whether torch's bits are those of its host: such a result is near torch's, not equal to it. */
FANIN_API bool fanin_plan_function_is_host(fanin_plan_function function, fanin_dtype dtype);

/* Bytes that a recorded plan carries: row-major elements, little endian. */
typedef struct fanin_plan_literal {
    const void *data;
    uint64_t nbytes;
    uint8_t sha256[32];
} fanin_plan_literal;

/* What an op reads, element by element in row-major order. A stride may be 0. */
typedef struct fanin_plan_source {
    size_t storage;
    int64_t offset;
    fanin_tensor view;
} fanin_plan_source;

/*
 * One write. `view` is the part of the storage it writes (data NULL), `offset` the element where the view begins.
 * `at` counts 32-bit draws from the seed, every data-dependent op before it taken as one round; `barriers` is the
 * number of such ops before it: with 0, `at` is exact. For an op that takes the scalar path of normal_, and for every
 * data-dependent one, `cached_at` is the position of the pair whose second normal is kept when the op begins, or
 * FANIN_NO_POSITION. An op that begins where an earlier one does, with the same fill, copies it and draws nothing new.
 * A dead op's result is overwritten or belongs to no tensor: only its draws count.
 * Positions and barriers are counted in each stream on its own.
 */
typedef struct fanin_plan_op {
    fanin_plan_op_kind kind;
    size_t storage;
    size_t tensor; /* the first tensor of that storage; SIZE_MAX: of none */
    fanin_tensor view;
    int64_t offset;
    fanin_fill fill;                 /* FANIN_OP_FILL */
    size_t literal;                  /* FANIN_OP_LITERAL */
    const fanin_plan_source *source; /* of a copy, cast, function, norm or QR; else NULL */
    fanin_plan_function function;    /* FANIN_OP_FUNCTION */
    const fanin_plan_source *other;  /* of a function of two tensors; else NULL */
    double numbers[2];               /* of a function of a tensor and a number, or of clamp */
    uint32_t summed;                 /* FANIN_OP_NORM: bit d if it is over dimension d of `source` */
    const char *unknown;             /* FANIN_OP_UNKNOWN: the op, as JSON */
    size_t stream;                   /* 0: the user's */
    uint64_t at;
    uint64_t ndraws;
    uint64_t cached_at;
    size_t barriers;
    bool data_dependent;
    bool dead;
    /* explanation; NULL, NaN or -1 where there is none */
    const char *initializer; /* the call: "kaiming_uniform(a=2.23606797749979)" */
    const char *part;        /* "gate f", "row 0" ...; NULL for the whole tensor */
    const char *where;       /* the rule's place */
    int64_t fan_in;
    int64_t fan_out;
    double gain;
    double std;
    double bound;
} fanin_plan_op;

/*
 * recipe (may be NULL) goes before the model's own rules. A tensor that no rule matches is an error that names it and
 * the nearest patterns.
 */
FANIN_API fanin_status fanin_plan_create(const fanin_model *model, const fanin_recipe *recipe,
                                         const fanin_plan_options *options, fanin_plan **plan, fanin_error *error);
FANIN_API void fanin_plan_free(fanin_plan *plan);

FANIN_API fanin_profile fanin_plan_profile(const fanin_plan *plan);
FANIN_API size_t fanin_plan_tensor_count(const fanin_plan *plan);
FANIN_API const fanin_plan_tensor *fanin_plan_tensor_at(const fanin_plan *plan, size_t i);
/* SIZE_MAX if there is none. */
FANIN_API size_t fanin_plan_tensor_find(const fanin_plan *plan, const char *name);
/* Memory that tensors are views of and ops write to. */
FANIN_API size_t fanin_plan_storage_count(const fanin_plan *plan);
FANIN_API fanin_dtype fanin_plan_storage_dtype(const fanin_plan *plan, size_t storage);
FANIN_API uint64_t fanin_plan_storage_nelem(const fanin_plan *plan, size_t storage);
FANIN_API size_t fanin_plan_op_count(const fanin_plan *plan);
FANIN_API const fanin_plan_op *fanin_plan_op_at(const fanin_plan *plan, size_t i);
/* 32-bit draws of the whole plan from the user's stream (data-dependent ops taken as one round). */
FANIN_API uint64_t fanin_plan_ndraws(const fanin_plan *plan);
/*
 * Of recorded plans. Stream 0 is seeded by the user (0 is told for it); the others always begin at their own seed.
 * Notes say what was recorded with which versions: "class", "torch" ...; a value may be NULL.
 */
FANIN_API bool fanin_plan_is_recorded(const fanin_plan *plan);
FANIN_API size_t fanin_plan_stream_count(const fanin_plan *plan);
FANIN_API uint64_t fanin_plan_stream_seed(const fanin_plan *plan, size_t stream);
FANIN_API size_t fanin_plan_note_count(const fanin_plan *plan);
FANIN_API const char *fanin_plan_note_key(const fanin_plan *plan, size_t i);
FANIN_API const char *fanin_plan_note_value(const fanin_plan *plan, size_t i);
FANIN_API size_t fanin_plan_literal_count(const fanin_plan *plan);
FANIN_API const fanin_plan_literal *fanin_plan_literal_at(const fanin_plan *plan, size_t i);
/*
 * What the recorder found the tensors to be at one seed: false if the plan does not tell. The SHA-256 is of the bytes
 * that fanin_run_tensor makes.
 */
FANIN_API bool fanin_plan_check_seed(const fanin_plan *plan, uint64_t *seed);
FANIN_API bool fanin_plan_check_sha256(const fanin_plan *plan, size_t tensor, uint8_t sha256[32]);
/* Whether a tensor has its own place in checkpoints: it is not tied, persistent, and not refused. */
FANIN_API bool fanin_plan_tensor_is_stored(const fanin_plan_tensor *tensor);
/* Rules that matched nothing, scheme warnings: complete sentences with their place. */
FANIN_API size_t fanin_plan_warning_count(const fanin_plan *plan);
FANIN_API const char *fanin_plan_warning_at(const fanin_plan *plan, size_t i);

/* The plan file format of docs/plan-format.md. Compact JSON; release with fanin_release. */
FANIN_API fanin_status fanin_plan_to_json(const fanin_plan *plan, char **text, fanin_error *error);
FANIN_API fanin_status fanin_plan_parse(const char *text, size_t nbytes, const char *name, fanin_plan **plan,
                                        fanin_error *error);
/*
 * A description or a plan file, told apart by content: of *model and *plan one is set, the other NULL. "-" reads
 * standard input.
 */
FANIN_API fanin_status fanin_description_read(const char *path, fanin_model **model, fanin_plan **plan,
                                              fanin_error *error);
/*
 * keep[i] becomes whether the name of tensor i matches one of `only` (none: every name does) and none of `except`.
 * Patterns are those of rules ("encoder.**", "*.bias", "re:..."). One that matches no name is an error.
 */
FANIN_API fanin_status fanin_plan_match(const fanin_plan *plan, const char *const *only, size_t nonly,
                                        const char *const *except, size_t nexcept, bool *keep, fanin_error *error);
/*
 * The same plan with fewer names: keep[i] says of tensor i whether it stays. What belongs to no name any more is dead
 * (of a recorded plan it is left out), and positions stay what they are, so that every tensor left has the bytes it
 * had. Of tied names the first that stays takes the place of the one they were tied to.
 */
FANIN_API fanin_status fanin_plan_part(const fanin_plan *plan, const bool *keep, fanin_plan **part, fanin_error *error);
/* SHA-256 of the compact JSON, as 64 hex digits and a NUL. */
FANIN_API fanin_status fanin_plan_sha256(const fanin_plan *plan, char hex[65], fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
