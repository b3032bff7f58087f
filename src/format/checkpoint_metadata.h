/* SPDX-License-Identifier: MIT */
/*
 * All that the files of a checkpoint say of themselves, for those who write it again.
 */
#ifndef FANIN_FORMAT_CHECKPOINT_METADATA_H
#define FANIN_FORMAT_CHECKPOINT_METADATA_H

#include "fanin/checkpoint.h"
#include "format/safetensors.h"

/* The __metadata__ of a file, in the order in which it stands there; none of a .npy file. */
const fanin_pair *fanin_checkpoint_pairs(const fanin_checkpoint *checkpoint, size_t file, size_t *npairs);

#endif
