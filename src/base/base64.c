/* SPDX-License-Identifier: MIT */
/*
 * Base64, read strictly: one text for each sequence of bytes, so bits that the padding leaves over must be zero.
 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1 for a character that is none of the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool fanin_base64_decode(const char *text, size_t nbytes_text, void *data, size_t nbytes)
{
    uint8_t *out = data;
    if (nbytes_text % 4 != 0 || nbytes_text / 4 != nbytes / 3 + (nbytes % 3 != 0))
        return false;
    for (size_t done = 0; done < nbytes; done += 3, text += 4) {
        size_t n = nbytes - done < 3 ? nbytes - done : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 4; i++) {
            int value = i <= n ? value_of(text[i]) : text[i] == '=' ? 0 : -1;
            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        for (size_t i = 0; i < 3; i++) {
            uint8_t byte = (uint8_t)(bits >> (16 - 8 * i));
            if (i < n)
                out[done + i] = byte;
            else if (byte != 0)
                return false;
        }
    }
    return true;
}

void fanin_base64_add(fanin_text *text, const void *data, size_t nbytes)
{
    const uint8_t *in = data;
    for (size_t done = 0; done < nbytes && !text->failed; done += 3) {
        size_t n = nbytes - done < 3 ? nbytes - done : 3;
        uint32_t bits = 0;
        char four[4];
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < n ? in[done + i] : 0u);
        for (size_t i = 0; i < 4; i++)
            four[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
        fanin_text_append(text, four, sizeof four);
    }
}
