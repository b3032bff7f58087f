/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (FIPS 180-4), in pieces or at once.
 */
#ifndef FANIN_BASE_SHA256_H
#define FANIN_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fanin_sha256 {
    uint32_t state[8];
    uint64_t nbytes;
    uint8_t pending[64];
} fanin_sha256;

void fanin_sha256_begin(fanin_sha256 *hash);
void fanin_sha256_update(fanin_sha256 *hash, const void *data, size_t nbytes);
void fanin_sha256_end(fanin_sha256 *hash, uint8_t digest[32]);
/* 64 lower-case hex digits and a NUL. */
void fanin_hex32(const uint8_t digest[32], char hex[65]);

/* FIPS 180-4, 4.2.2. */
extern const uint32_t fanin_sha256_constants[64];

/* Whether blocks are hashed by the processor's own instructions. */
bool fanin_sha256_has_instructions(void);

/* For tests: plain C from now on, or the best again. Returns whether this processor has more than plain C. */
bool fanin_sha256_force_scalar(bool forced);

#endif
