/* SPDX-License-Identifier: MIT */
/*
 * Growing text, JSON strings, and the name that was probably meant.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* Room for nbytes more and a NUL. */
static bool reserve(fanin_text *text, size_t nbytes)
{
    size_t needed;
    if (text->failed)
        return false;
    if (__builtin_add_overflow(text->nbytes, nbytes, &needed) || needed > SIZE_MAX / 2 - 1) {
        text->failed = true;
        return false;
    }
    if (needed < text->capacity)
        return true;
    size_t capacity = text->capacity > 0 ? 2 * text->capacity : 64;
    if (capacity <= needed)
        capacity = needed + 1;
    char *data = fanin_reallocate(text->data, text->nbytes, capacity, 1);
    if (data == NULL) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void fanin_text_append(fanin_text *text, const char *data, size_t nbytes)
{
    if (!reserve(text, nbytes))
        return;
    if (nbytes > 0)
        memcpy(text->data + text->nbytes, data, nbytes);
    text->nbytes += nbytes;
    text->data[text->nbytes] = '\0';
}

void fanin_text_add(fanin_text *text, const char *string)
{
    fanin_text_append(text, string, strlen(string));
}

void fanin_text_format(fanin_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if (!reserve(text, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(text->data + text->nbytes, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->nbytes += (size_t)length;
}

void fanin_text_json_string(fanin_text *text, const char *string, size_t nbytes)
{
    static const char escapes[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    fanin_text_append(text, "\"", 1);
    size_t raw = 0; /* where the bytes begin that are written as they are */
    for (size_t i = 0; i < nbytes; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        fanin_text_append(text, string + raw, i - raw);
        raw = i + 1;
        if (c >= 0x20)
            fanin_text_append(text, (const char[2]){'\\', (char)c}, 2);
        else if (c < sizeof escapes && escapes[c] != 0)
            fanin_text_append(text, (const char[2]){'\\', escapes[c]}, 2);
        else
            fanin_text_format(text, "\\u%04x", c);
    }
    fanin_text_append(text, string + raw, nbytes - raw);
    fanin_text_append(text, "\"", 1);
}

void fanin_text_release(fanin_text *text)
{
    fanin_free(text->data);
    *text = (fanin_text){0};
}

/* -- Characters -----------------------------------------------------------------------------------------------------*/

/* What the second byte may be excludes overlong forms, surrogates and all beyond U+10FFFF (Unicode, table 3-7). */
size_t fanin_utf8_length(const char *text, size_t nbytes)
{
    if (nbytes == 0)
        return 0;
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (nbytes < length || (unsigned char)text[1] < low || (unsigned char)text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

const char *fanin_show(const char *text, size_t nbytes, char shown[FANIN_SHOW_NBYTES])
{
    static const char digits[] = "0123456789abcdef";
    const size_t room = FANIN_SHOW_NBYTES - sizeof "...";
    size_t at = 0;
    for (size_t i = 0; i < nbytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = fanin_utf8_length(text + i, nbytes - i);
        bool is_control = c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && (unsigned char)text[i + 1] < 0xa0);
        bool is_raw = length > 0 && !is_control;
        if (at + (is_raw ? length : 4) > room) {
            memcpy(shown + at, "...", 3);
            at += 3;
            break;
        }
        if (is_raw) {
            memcpy(shown + at, text + i, length);
            at += length;
            i += length;
        } else {
            const char escaped[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};
            memcpy(shown + at, escaped, sizeof escaped);
            at += sizeof escaped;
            i++;
        }
    }
    shown[at] = '\0';
    return shown;
}

/* -- The nearest name -----------------------------------------------------------------------------------------------*/

/* Longer names are not compared. */
enum { LONGEST_NAME = 127 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Characters to add, drop, change or swap with their neighbour (optimal string alignment), whatever the case of ASCII
 * letters.
 */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned rows[3][LONGEST_NAME + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        above[j] = (unsigned)j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *reused = before;
        before = above;
        above = row;
        row = reused;
    }
    return above[nb];
}

const char *fanin_nearest(const char *name, const char *const *candidates, size_t n)
{
    size_t nbytes = strlen(name);
    if (nbytes > LONGEST_NAME)
        return NULL;
    const char *nearest = NULL;
    /* Near enough: at most a third of the name is wrong, rounded up. */
    unsigned best = (unsigned)(nbytes + 2) / 3 + 1;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(candidates[i]);
        size_t difference = length > nbytes ? length - nbytes : nbytes - length;
        if (length > LONGEST_NAME || difference >= best)
            continue;
        unsigned found = distance(name, nbytes, candidates[i], length);
        if (found < best && found < length) {
            best = found;
            nearest = candidates[i];
        }
    }
    return nearest;
}
