/* SPDX-License-Identifier: MIT */
/*
 * Storages made whole in memory: where an op needs all of one at once, and where ops read what others left.
 */
#ifndef FANIN_RUN_WHOLE_H
#define FANIN_RUN_WHOLE_H

#include "run/maker.h"

/* Into memory that has room for the storage, contiguous. `name` is that of the tensor, for messages. */
fanin_status fanin_whole_make(fanin_maker *maker, size_t storage, const char *name, void *memory, fanin_error *error);
/* Bytes of a storage, which may have elements of less than a byte. */
uint64_t fanin_whole_nbytes(const fanin_plan *plan, size_t storage);

#endif
