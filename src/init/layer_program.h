/* SPDX-License-Identifier: MIT */
/*
 * A constructor as data: which parameters a module has and what is drawn for each. Modules that repeat a block hold it
 * once with the number of its copies, so that a program has the same size for 1 and for 1000 layers.
 */
#ifndef FANIN_INIT_LAYER_PROGRAM_H
#define FANIN_INIT_LAYER_PROGRAM_H

#include "base/error.h"
#include "fanin/initializer.h"
#include "fanin/layer.h"

/* What torch.nn.Transformer, the largest, needs: two stacks of layers and their norms. */
enum { FANIN_MAX_SLOTS = 34, FANIN_MAX_SECTIONS = 4, FANIN_MAX_PHASES = 8, FANIN_MAX_DRAWS = 80 };

/* A parameter or buffer of a block. */
typedef struct fanin_slot {
    const char *prefix; /* "self_attn." */
    const char *name;   /* "in_proj_weight" */
    const char *role;
    fanin_tensor view; /* contiguous, without memory; its layout is OUT_IN, as torch reads every weight */
    fanin_layout layout;
    bool is_buffer;
    bool is_drawn_contiguous; /* a view with other strides gets the values that a contiguous one gets */
} fanin_slot;

/* How the parameters of copy i of a block are named. */
typedef enum fanin_numbering {
    FANIN_NUMBER_NONE,      /* "encoder.norm." "weight" */
    FANIN_NUMBER_PREFIX,    /* "encoder.layers." "3." "linear1.weight" */
    FANIN_NUMBER_SUFFIX,    /* "weight_ih" "_l3" */
    FANIN_NUMBER_DIRECTIONS /* "weight_ih" "_l1" "_reverse": two copies a layer */
} fanin_numbering;

/* Slots that the module has `ncopies` times. */
typedef struct fanin_section {
    const char *prefix;
    fanin_numbering numbering;
    uint64_t first_number;
    uint64_t ncopies;
    size_t slot;
    size_t nslots;
    uint64_t first_parameter;
} fanin_section;

/* A fill of one slot. */
typedef struct fanin_draw {
    size_t slot;
    int64_t row_begin;
    int64_t row_end;
    fanin_fill fill;
    size_t copy_of; /* the draw whose result in copy 0 is taken; SIZE_MAX */
} fanin_draw;

/* Draws that are made for one copy after the other. A copy that the section does not have is thrown away. */
typedef struct fanin_phase {
    size_t section;
    uint64_t first_copy;
    uint64_t ncopies;
    size_t draw;
    size_t ndraws;
    uint64_t first_step;
} fanin_phase;

typedef struct fanin_program {
    const fanin_layer *layer;
    fanin_profile profile;
    int variant; /* which of the modules that one function describes */
    fanin_slot slots[FANIN_MAX_SLOTS];
    fanin_section sections[FANIN_MAX_SECTIONS];
    fanin_phase phases[FANIN_MAX_PHASES];
    fanin_draw draws[FANIN_MAX_DRAWS];
    size_t nslots;
    size_t nsections;
    size_t nphases;
    size_t ndraws;
    uint64_t nparameters;
    uint64_t nsteps;
    char warning[sizeof(((fanin_resolved *)0)->warning)]; /* what torch warns about; "" */
    fanin_status status; /* of the first thing that was refused, and its message; what comes after it is not heard */
    fanin_error error;
} fanin_program;

/* Checks the arguments and makes the program. The profile decides what old releases did otherwise. */
fanin_status fanin_program_build(const fanin_layer *layer, fanin_profile profile, fanin_program *program,
                                 fanin_error *error);
/* Parameter and step i, i below nparameters and nsteps. */
const fanin_slot *fanin_program_slot(const fanin_program *program, uint64_t i);
void fanin_program_parameter(const fanin_program *program, uint64_t i, fanin_layer_parameter *parameter);
void fanin_program_step(const fanin_program *program, uint64_t i, fanin_layer_step *step);

/* ---- for the functions that describe modules ---- */

/* Refuses the layer unless `condition` holds. Returns whether nothing was refused so far. */
bool fanin_program_require(fanin_program *program, bool condition, const char *format, ...) FANIN_PRINTF(3, 4);
/* A size as torch's constructors take it: at least `least`. */
void fanin_program_require_size(fanin_program *program, const char *name, int64_t value, int64_t least);

/* Slots that follow belong to this section, draws that follow to this phase. */
size_t fanin_program_section(fanin_program *program, const char *prefix, fanin_numbering numbering,
                             uint64_t first_number, uint64_t ncopies);
size_t fanin_program_phase(fanin_program *program, size_t section, uint64_t first_copy, uint64_t ncopies);
/* One section and one phase: a module without repetition. */
void fanin_program_once(fanin_program *program);

/* Where a parameter comes from: the name's two parts and the role. */
typedef struct fanin_slot_name {
    const char *prefix;
    const char *name;
    const char *role;
} fanin_slot_name;
/* Adds a parameter of the layer's dtype and returns its slot. */
size_t fanin_program_add(fanin_program *program, fanin_slot_name name, int ndim, const int64_t *shape);

void fanin_program_constant(fanin_program *program, size_t slot, double value);
void fanin_program_uniform(fanin_program *program, size_t slot, double bound); /* U(-bound, bound) */
void fanin_program_normal(fanin_program *program, size_t slot, double mean, double std);
/* An initializer of the catalogue with these values for its parameters. */
void fanin_program_call(fanin_program *program, size_t slot, const fanin_initializer *initializer,
                        const double *values);
/* Rows of the slot become 0. */
void fanin_program_zero_rows(fanin_program *program, size_t slot, int64_t begin, int64_t end);
/* The last draw of `phase` on a slot, again; constants as such, random ones as a copy. */
void fanin_program_repeat(fanin_program *program, size_t phase, size_t slot);

/* Numbers parameters and steps; the last call. */
fanin_status fanin_program_count(fanin_program *program);

/* ---- modules that are parts of others ---- */

/* Returns the slot of the weight; the bias is the next one. */
size_t fanin_program_linear(fanin_program *program, const char *prefix, int64_t in_features, int64_t out_features,
                            bool bias);
void fanin_program_layer_norm(fanin_program *program, const char *prefix, int64_t size, bool bias);

/* One function a family, called through the table in layer.c, with what program->variant is for it. */
void fanin_describe_linear(fanin_program *program);
void fanin_describe_bilinear(fanin_program *program);
void fanin_describe_conv(fanin_program *program);           /* kernel dimensions */
void fanin_describe_conv_transpose(fanin_program *program); /* kernel dimensions */
void fanin_describe_embedding(fanin_program *program);
void fanin_describe_recurrent(fanin_program *program); /* gates */
void fanin_describe_cell(fanin_program *program);      /* gates */
void fanin_describe_attention(fanin_program *program);
void fanin_describe_transformer_layer(fanin_program *program); /* 0 encoder, 1 decoder */
void fanin_describe_transformer_stack(fanin_program *program); /* the same */
void fanin_describe_transformer(fanin_program *program);
void fanin_describe_batch_norm(fanin_program *program);
void fanin_describe_layer_norm(fanin_program *program);
void fanin_describe_group_norm(fanin_program *program);
void fanin_describe_rms_norm(fanin_program *program);
void fanin_describe_prelu(fanin_program *program);

#endif
