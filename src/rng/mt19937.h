/* SPDX-License-Identifier: MIT */
/*
 * The Mersenne Twister behind torch's CPU generator, and its jump by any number of draws.
 */
#ifndef FANIN_RNG_MT19937_H
#define FANIN_RNG_MT19937_H

#include "fanin/generator.h"

/* Replaces the 624 words by the next 624 of the sequence, in place (scalar: the specification). */
void fanin_mt19937_refill(uint32_t words[FANIN_MT19937_NWORDS]);

/*
 * Moves a state window by n words: x[0..623] becomes x[n..n+623] of the same sequence. Takes no time that grows with n.
 * The low 31 bits of x[0], which the recurrence never reads, are those the sequence has when n > 0.
 */
void fanin_mt19937_jump(uint32_t words[FANIN_MT19937_NWORDS], uint64_t n);

#endif
