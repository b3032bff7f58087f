/* SPDX-License-Identifier: MIT */
/*
 * Words and numbers on a page of HTML that is well-formed XML too: what is foreign is escaped, and numbers look the
 * same in every locale.
 */
#ifndef FANIN_REPORT_MARKUP_H
#define FANIN_REPORT_MARKUP_H

#include "base/text.h"

/*
 * Foreign text, of which at most `most` characters: beyond that its middle becomes an ellipsis. What a reader would not
 * see or what reorders what is around it (controls, bidirectional overrides, characters of no width) and bytes that are
 * no UTF-8 are written as \xNN or \u{NNNN}.
 */
void fanin_markup_text(fanin_text *page, const char *text, size_t most);
/* Three significant digits; a dash for NaN. */
void fanin_markup_number(fanin_text *page, double value);
/* 1,234,567 */
void fanin_markup_count(fanin_text *page, uint64_t count);
/* "1 tensor", "3 tensors" */
void fanin_markup_plural(fanin_text *page, uint64_t count, const char *noun);
/* "124 M", "1.5 G": three digits with a unit of powers of 1000 */
void fanin_markup_size(fanin_text *page, uint64_t count, const char *unit);
/* A coordinate of a drawing, in tenths. */
void fanin_markup_tenths(fanin_text *page, double value);
/* log10 of a positive number, good to 1e-9: for places on an axis only. */
double fanin_markup_log10(double value);

#endif
