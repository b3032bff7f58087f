/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 of messages that grow at the same time. What comes of each is kept until there is enough of many, and then
 * hashed side by side, which is faster than one after the other where the machine has wide vectors.
 */
#ifndef FANIN_RUN_HASH_LANES_H
#define FANIN_RUN_HASH_LANES_H

#include <stddef.h>
#include <stdint.h>

typedef struct fanin_hash_lanes fanin_hash_lanes;

/* The longest piece of a lane that is hashed beside pieces of the others; where all come by turns, all of them are. */
enum { FANIN_LANE_NBYTES = 128 << 10 };

/* How many messages at once are as fast as it gets; 1: no number of them is faster than one after the other. */
size_t fanin_hash_lanes_count(void);
/* From how many on it is worth while; SIZE_MAX if it never is. */
size_t fanin_hash_lanes_least(void);

/* All lanes are at the beginning of a message; n <= fanin_hash_lanes_count() of them will be used. NULL: no memory. */
fanin_hash_lanes *fanin_hash_lanes_create(size_t n);
void fanin_hash_lanes_free(fanin_hash_lanes *lanes);
void fanin_hash_lanes_put(fanin_hash_lanes *lanes, size_t lane, const void *data, size_t nbytes);
/* The same without a copy: the bytes stay where they are until settle, which hashes what all lanes were lent. */
void fanin_hash_lanes_lend(fanin_hash_lanes *lanes, size_t lane, const void *data, size_t nbytes);
/* Memory of the lane's own for a piece that is then lent; NULL: it keeps bytes, or the piece is longer. */
void *fanin_hash_lanes_memory(fanin_hash_lanes *lanes, size_t lane, size_t nbytes);
void fanin_hash_lanes_settle(fanin_hash_lanes *lanes);
/* The digest of the lane's message, and the lane is at the beginning of the next one. */
void fanin_hash_lanes_end(fanin_hash_lanes *lanes, size_t lane, uint8_t digest[32]);

#endif
