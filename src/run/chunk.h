/* SPDX-License-Identifier: MIT */
/*
 * Making the tensors of a plan piece by piece: each alone, in any order, with memory that does not grow with them
 * where the fills allow it.
 */
#ifndef FANIN_RUN_CHUNK_H
#define FANIN_RUN_CHUNK_H

#include "run/maker.h"
#include "sink/sink.h"

/* Passes on what it gets as elements of another dtype. */
typedef struct fanin_casting {
    fanin_sink sink;
    fanin_sink *next;
    fanin_dtype from;
    fanin_dtype to;
    uint8_t *memory; /* of a piece */
} fanin_casting;

/* A tensor on its way to a sink. Its members are chunk.c's; it stays where it began. */
typedef struct fanin_making {
    fanin_maker *maker;
    const fanin_plan_tensor *of;
    fanin_sink *to;
    bool is_whole; /* in memory first, since it cannot be made in pieces */
    /* elements [begin, end) of a storage, where `begin` is byte 0 for `sink` */
    fanin_sink *sink;
    fanin_casting cast;
    size_t id; /* for the sink */
    fanin_dtype dtype;
    size_t nbytes; /* of an element */
    uint64_t begin;
    uint64_t end;
    uint64_t position;
    const size_t *ops; /* that write the storage, in order */
    size_t nops;
    /* the op that is being drawn, and its next element; NULL: none */
    const fanin_plan_op *drawn;
    uint64_t next;
    fanin_plan_op part; /* that op from where it was entered */
    fanin_generator *generator;
    fanin_error *error;
} fanin_making;

/* Makes a tensor as fanin_maker_make does, piece by piece. To be ended even if it could not begin. */
fanin_status fanin_making_begin(fanin_making *making, fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id,
                                fanin_error *error);
/* The next piece; done: it was the last one. */
fanin_status fanin_making_step(fanin_making *making, bool *done);
void fanin_making_end(fanin_making *making);

/* Makes a tensor (of a tied name: the bytes it shares) and gives them to the sink under `id`. */
fanin_status fanin_maker_make(fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id, fanin_error *error);
/*
 * Makes elements offsets[d] to offsets[d] + destination->shape[d] - 1 of each dimension d, in the memory of the
 * destination, which has the tensor's dtype and may have any strides. The block lies in the tensor.
 */
fanin_status fanin_maker_make_block(fanin_maker *maker, size_t tensor, const int64_t *offsets,
                                    const fanin_tensor *destination, fanin_error *error);

#endif
