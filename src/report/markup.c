/* SPDX-License-Identifier: MIT */
/*
 * Escapes for names that may hold anything, and numbers made from digits alone, so that no locale has a say.
 */
#include "report/markup.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t code_point(const char *text, size_t length)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (uint8_t)text[0] & masks[length];
    for (size_t i = 1; i < length; i++)
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    return c;
}

typedef struct range {
    uint32_t first, last;
} range;

/*
 * Unicode's controls and format characters (Cc, Cf), separators of lines, fillers, variation selectors, private use and
 * what is no character: unseen, or with an effect on what is around them.
 */
static const range unseen[] = {
    {0x00, 0x1f},       {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},      {0x600, 0x605},
    {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},      {0x8e2, 0x8e2},
    {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e},
    {0x2060, 0x206f},   {0x3164, 0x3164},   {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},   {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0x110bd, 0x110cd},  {0x13430, 0x1345f},
    {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0xf0000, 0x10ffff},
};

static bool is_unseen(uint32_t c)
{
    for (size_t i = 0; i < sizeof unseen / sizeof unseen[0]; i++)
        if (c >= unseen[i].first && c <= unseen[i].last)
            return true;
    return (c & 0xfffe) == 0xfffe;
}

static void add_character(fanin_text *page, const char *text, size_t length)
{
    const uint32_t c = length > 0 ? code_point(text, length) : 0;
    if (length == 0)
        fanin_text_format(page, "\\x%02x", (uint8_t)text[0]);
    else if (c < 0x80 && is_unseen(c))
        fanin_text_format(page, "\\x%02" PRIx32, c);
    else if (is_unseen(c))
        fanin_text_format(page, "\\u{%" PRIx32 "}", c);
    else if (c == '&')
        fanin_text_add(page, "&amp;");
    else if (c == '<')
        fanin_text_add(page, "&lt;");
    else if (c == '>')
        fanin_text_add(page, "&gt;");
    else if (c == '"')
        fanin_text_add(page, "&quot;");
    else if (c == '\'')
        fanin_text_add(page, "&#39;");
    else
        fanin_text_append(page, text, length);
}

void fanin_markup_text(fanin_text *page, const char *text, size_t most)
{
    const size_t nbytes = strlen(text);
    size_t count = 0;
    for (size_t i = 0; i < nbytes; count++) {
        const size_t length = fanin_utf8_length(text + i, nbytes - i);
        i += length > 0 ? length : 1;
    }
    const bool is_cut = count > most;
    const size_t head = is_cut ? most * 2 / 3 : count;
    const size_t tail = is_cut ? count - (most - head) : count;
    size_t at = 0;
    for (size_t i = 0; i < nbytes; at++) {
        const size_t length = fanin_utf8_length(text + i, nbytes - i);
        if (at == head && is_cut)
            fanin_text_add(page, "\xe2\x80\xa6");
        if (at < head || at >= tail)
            add_character(page, text + i, length);
        i += length > 0 ? length : 1;
    }
}

/* digits[0] . digits[1] digits[2] x 10^exponent, whatever the locale's point is */
static int three_digits(double value, char digits[4])
{
    char text[64];
    snprintf(text, sizeof text, "%.2e", value);
    const char *e = strchr(text, 'e');
    size_t n = 0;
    for (const char *c = text; c < e && n < 3; c++)
        if (*c >= '0' && *c <= '9')
            digits[n++] = *c;
    digits[n] = '\0';
    while (n > 1 && digits[n - 1] == '0')
        digits[--n] = '\0';
    return (int)strtol(e + 1, NULL, 10);
}

void fanin_markup_number(fanin_text *page, double value)
{
    char digits[4];
    if (isnan(value)) {
        fanin_text_add(page, "\xe2\x80\x93");
        return;
    }
    if (value < 0)
        fanin_text_add(page, "\xe2\x88\x92");
    if (value == 0 || isinf(value)) {
        fanin_text_add(page, value == 0 ? "0" : "\xe2\x88\x9e");
        return;
    }
    const int exponent = three_digits(fabs(value), digits), n = (int)strlen(digits);
    if (exponent < -4 || exponent > 5)
        fanin_text_format(page, "%c%s%se%s%d", digits[0], n > 1 ? "." : "", digits + 1,
                          exponent < 0 ? "\xe2\x88\x92" : "", abs(exponent));
    else if (exponent < 0)
        fanin_text_format(page, "0.%.*s%s", -exponent - 1, "0000", digits);
    else if (exponent + 1 >= n)
        fanin_text_format(page, "%s%.*s", digits, exponent + 1 - n, "00000");
    else
        fanin_text_format(page, "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
}

void fanin_markup_count(fanin_text *page, uint64_t count)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%" PRIu64, count);
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            fanin_text_add(page, ",");
        fanin_text_append(page, digits + i, 1);
    }
}

void fanin_markup_plural(fanin_text *page, uint64_t count, const char *noun)
{
    fanin_markup_count(page, count);
    fanin_text_format(page, " %s%s", noun, count == 1 ? "" : "s");
}

void fanin_markup_size(fanin_text *page, uint64_t count, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    double value = (double)count;
    size_t i = 0;
    /* 999.5 would be written as 1000 */
    for (; value >= 999.5 && i < 6; i++)
        value /= 1000;
    fanin_markup_number(page, value);
    if (prefixes[i][0] != '\0' || unit[0] != '\0')
        fanin_text_format(page, "\xc2\xa0%s%s", prefixes[i], unit);
}

void fanin_markup_tenths(fanin_text *page, double value)
{
    const long tenths = (long)floor(value * 10 + 0.5);
    const long size = labs(tenths);
    fanin_text_format(page, "%s%ld", tenths < 0 ? "-" : "", size / 10);
    if (size % 10 != 0)
        fanin_text_format(page, ".%ld", size % 10);
}

/*
 * log m = 2 atanh((m - 1) / (m + 1)) for m in [sqrt(1/2), sqrt 2), where the argument is at most 0.172: the first term
 * left out is below 2 * 0.172^13 / 13 = 2e-11.
 */
double fanin_markup_log10(double value)
{
    int exponent;
    double m = frexp(value, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    const double z = (m - 1) / (m + 1), square = z * z;
    double sum = 0;
    for (int k = 11; k >= 1; k -= 2)
        sum = sum * square + 1.0 / k;
    return (exponent * 0.69314718055994531 + 2 * z * sum) * 0.43429448190325183;
}
