/* SPDX-License-Identifier: MIT */
/*
 * SHA-256's compression of W messages side by side, a message a lane. One message is a chain of 64 rounds, each of
 * which waits for the one before; so many chains fill a machine that one leaves idle.
 */
#include "base/sha256.h"

/* FIPS 180-4, 4.1.2: the functions of capital sigmas, and of small ones. */
#define SIGMA(x, i, j, k)    vu_xor3(vu_turn(x, i), vu_turn(x, j), vu_turn(x, k))
#define SCHEDULE(x, i, j, k) vu_xor3(vu_turn(x, i), vu_turn(x, j), vu_shr(x, k))

/* Rounds t to t + 15 with the words of the schedule at hand, the first of which are the message's own. */
__attribute__((always_inline)) static inline void sixteen_rounds(vu s[8], vu word[16], const size_t t)
{
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++) {
        if (t > 0) {
            const vu two_back = word[(i + 14) % 16], fifteen_back = word[(i + 1) % 16];
            word[i] = vu_add(vu_add(word[i], word[(i + 9) % 16]),
                             vu_add(SCHEDULE(fifteen_back, 7, 18, 3), SCHEDULE(two_back, 17, 19, 10)));
        }
        vu t1 = vu_add(vu_add(s[7], vu_add(word[i], vu_broadcast(fanin_sha256_constants + t + i))),
                       vu_add(vu_choose(s[4], s[5], s[6]), SIGMA(s[4], 6, 11, 25)));
        vu t2 = vu_add(SIGMA(s[0], 2, 13, 22), vu_majority(s[0], s[1], s[2]));
        s[7] = s[6], s[6] = s[5], s[5] = s[4], s[4] = vu_add(s[3], t1);
        s[3] = s[2], s[2] = s[1], s[1] = s[0], s[0] = vu_add(t1, t2);
    }
}

static void sha256_lanes(uint32_t *states, const uint8_t *const *data, size_t nblocks)
{
    vu state[8];
    for (size_t i = 0; i < 8; i++)
        state[i] = vu_load(states + i * W);
    for (size_t block = 0; block < nblocks; block++) {
        vu s[8], word[16];
        memcpy(s, state, sizeof s);
        vu_load_messages(word, data, 64 * block);
        for (size_t l = 0; l < W; l++)
            __builtin_prefetch(data[l] + 64 * (block + 1));
        sixteen_rounds(s, word, 0);
        for (size_t t = 16; t < 64; t += 16)
            sixteen_rounds(s, word, t);
        for (size_t i = 0; i < 8; i++)
            state[i] = vu_add(state[i], s[i]);
    }
    for (size_t i = 0; i < 8; i++)
        vu_store(states + i * W, state[i]);
}

#undef SIGMA
#undef SCHEDULE
