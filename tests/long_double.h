/* SPDX-License-Identifier: MIT */
/*
 * Whether long double has more bits than double here. It has on x86-64, but Valgrind computes with 64 bits in place of
 * the 80: no yardstick for the last places of a double.
 */
#ifndef FANIN_TEST_LONG_DOUBLE_H
#define FANIN_TEST_LONG_DOUBLE_H

#include <stdbool.h>

static inline bool long_double_is_longer(void)
{
    const volatile long double one = 1;
    return one + 0x1p-60L != one;
}

#endif
