/* SPDX-License-Identifier: MIT */
/*
 * Making the tensors of a plan piece by piece: each alone, in any order, with memory that does not grow with them
 * where the fills allow it.
 */
#ifndef FANIN_RUN_CHUNK_H
#define FANIN_RUN_CHUNK_H

#include "run/maker.h"
#include "sink/sink.h"

/* Makes a tensor (of a tied name: the bytes it shares) and gives them to the sink under `id`. */
fanin_status fanin_maker_make(fanin_maker *maker, size_t tensor, fanin_sink *sink, size_t id, fanin_error *error);
/*
 * Makes elements offsets[d] to offsets[d] + destination->shape[d] - 1 of each dimension d, in the memory of the
 * destination, which has the tensor's dtype and may have any strides. The block lies in the tensor.
 */
fanin_status fanin_maker_make_block(fanin_maker *maker, size_t tensor, const int64_t *offsets,
                                    const fanin_tensor *destination, fanin_error *error);

#endif
