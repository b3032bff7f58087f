/* SPDX-License-Identifier: MIT */
/*
 * The parts of the report's page. Each adds itself to the page, and nothing if there is nothing to show.
 */
#ifndef FANIN_REPORT_PAGE_H
#define FANIN_REPORT_PAGE_H

#include "fanin/check.h"
#include "report/markup.h"

/* A page stays below 2 MB whatever the model: lists of rows end where this is reached. */
#define FANIN_PAGE_NBYTES 1500000
static inline bool fanin_page_has_room(const fanin_text *page)
{
    return page->nbytes < FANIN_PAGE_NBYTES;
}

/* Characters of a name or a sentence of foreign text. */
enum { FANIN_PAGE_NAME = 160, FANIN_PAGE_SENTENCE = 800 };

/* -1 (nothing found) to 2: "ok", "i", "w", "e", the classes of the style and the symbols of the page. */
const char *fanin_page_class(int severity);
/* "nothing found", "note", "warning", "error" */
const char *fanin_page_word(int severity);

/* The style sheet, without its element. */
extern const char fanin_page_style[];

/* The tensors in this order (as qsort's), to be freed; equal ones as in the checkpoint. NULL: out of memory. */
typedef int fanin_page_comparison(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b);
const fanin_diagnosis_tensor **fanin_page_sort(const fanin_diagnosis *diagnosis, fanin_page_comparison *compare);

fanin_status fanin_page_strips(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error);
fanin_status fanin_page_scales(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error);
fanin_status fanin_page_tensors(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error);

#endif
