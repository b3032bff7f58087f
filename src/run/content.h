/* SPDX-License-Identifier: MIT */
/*
 * What a plan's checkpoint holds as a whole: the digest of its bytes.
 */
#ifndef FANIN_RUN_CONTENT_H
#define FANIN_RUN_CONTENT_H

#include "fanin/run.h"

/* The content digest from the SHA-256 of each tensor's bytes; those of tied names are not looked at. */
fanin_status fanin_plan_content_digest(const fanin_plan *plan, uint8_t (*digests)[32], fanin_digest *digest,
                                       fanin_error *error);

/* FANIN_ERROR_UNSUPPORTED if a tensor that belongs into the checkpoint is refused. */
fanin_status fanin_plan_check_refusals(const fanin_plan *plan, fanin_error *error);

#endif
