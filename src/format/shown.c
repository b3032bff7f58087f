/* SPDX-License-Identifier: MIT */
/*
 * Names from files, made fit to stand in a message.
 */
#include "format/shown.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes of the UTF-8 character at p; 1 for what is none, so that every byte is passed. */
static size_t character_nbytes(const unsigned char *p)
{
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : *p >= 0xc0 ? 2 : 1;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 1;
    return n;
}

const char *fanin_shown(char shown[FANIN_SHOWN_NBYTES], const char *name)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *p = (const unsigned char *)name;
    size_t used = 0;
    while (*p != 0) {
        size_t n = character_nbytes(p);
        /* C0, DEL, and C1, which is c2 80 to c2 9f and drives terminals as well */
        bool escaped = *p < 0x20 || *p == 0x7f || (n == 1 && *p >= 0x80) || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0);
        size_t needed = escaped ? 4 * n : n;
        if (used + needed + sizeof "..." > FANIN_SHOWN_NBYTES) {
            memcpy(shown + used, "...", 3);
            used += 3;
            break;
        }
        if (escaped) {
            for (size_t i = 0; i < n; i++) {
                char code[4] = {'\\', 'x', digits[p[i] >> 4], digits[p[i] & 15]};
                memcpy(shown + used + 4 * i, code, 4);
            }
        } else {
            memcpy(shown + used, p, n);
        }
        used += needed;
        p += n;
    }
    shown[used] = 0;
    return shown;
}
