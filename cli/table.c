/* SPDX-License-Identifier: MIT */
/*
 * Aligned text tables on stdout. Widths count characters, one column each.
 */
#include "table.h"

#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP          2
#define MOST_COLUMNS 16

void table_add(table *to, const char *format, ...)
{
    char cell[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(cell, sizeof cell, format, arguments);
    va_end(arguments);
    if (to->failed)
        return;
    if (to->ncells == to->capacity) {
        size_t capacity = to->capacity == 0 ? 256 : to->capacity * 2;
        char **cells = realloc(to->cells, capacity * sizeof *cells);
        if (cells == NULL) {
            to->failed = true;
            return;
        }
        to->cells = cells;
        to->capacity = capacity;
    }
    char *escaped = escape_text(cell);
    if (escaped == NULL)
        to->failed = true;
    else
        to->cells[to->ncells++] = escaped;
}

/* Takes from the widest column that may still be cut, one character at a time, until the row fits. */
static void cut_widths(const table *from, size_t widths[MOST_COLUMNS], size_t available)
{
    size_t total = 0;
    for (size_t c = 0; c < from->ncolumns; c++)
        total += widths[c] + (widths[c] > 0 && c > 0 ? GAP : 0);
    while (total > available) {
        size_t widest = from->ncolumns;
        for (size_t c = 0; c < from->ncolumns; c++) {
            bool may_be_cut = from->columns[c].style >= COLUMN_CUT_BEGIN && widths[c] > from->columns[c].least;
            if (may_be_cut && (widest == from->ncolumns || widths[c] > widths[widest]))
                widest = c;
        }
        if (widest == from->ncolumns)
            return;
        widths[widest]--;
        total--;
    }
}

/* The byte where the n-th character begins. */
static const char *skip_characters(const char *text, size_t n)
{
    while (n > 0 && *text != '\0') {
        do {
            text++;
        } while (((unsigned char)*text & 0xc0) == 0x80);
        n--;
    }
    return text;
}

static void print_cell(const char *cell, column_style style, size_t width, bool last)
{
    size_t columns = count_columns(cell);
    size_t padding = columns < width ? width - columns : 0;
    if (style == COLUMN_RIGHT)
        printf("%*s", (int)padding, "");
    if (columns > width && style == COLUMN_CUT_BEGIN) {
        printf("..%s", skip_characters(cell, columns - (width - 2)));
    } else if (columns > width && style == COLUMN_CUT_END) {
        fwrite(cell, 1, (size_t)(skip_characters(cell, width - 2) - cell), stdout);
        fputs("..", stdout);
    } else {
        fputs(cell, stdout);
    }
    if (style != COLUMN_RIGHT && !last)
        printf("%*s", (int)padding, "");
}

bool table_print(const table *from)
{
    if (from->failed) {
        print_error("out of memory");
        return false;
    }
    size_t widths[MOST_COLUMNS] = {0};
    for (size_t i = 0; i < from->ncells; i++) {
        size_t columns = count_columns(from->cells[i]);
        if (columns > widths[i % from->ncolumns])
            widths[i % from->ncolumns] = columns;
    }
    size_t last = 0;
    for (size_t c = 0; c < from->ncolumns; c++) {
        if (widths[c] == 0)
            continue;
        size_t title = strlen(from->columns[c].title);
        widths[c] = widths[c] < title ? title : widths[c];
        last = c;
    }
    unsigned available = terminal_width(stdout);
    if (available > 0)
        cut_widths(from, widths, available);
    for (size_t i = 0; i < from->ncolumns + from->ncells; i++) {
        size_t c = i % from->ncolumns;
        const char *cell = i < from->ncolumns ? from->columns[c].title : from->cells[i - from->ncolumns];
        if (widths[c] > 0) {
            if (c > 0)
                printf("%*s", GAP, "");
            print_cell(cell, from->columns[c].style, widths[c], c == last);
        }
        if (c + 1 == from->ncolumns)
            putchar('\n');
    }
    return true;
}

void table_release(table *of)
{
    for (size_t i = 0; i < of->ncells; i++)
        free(of->cells[i]);
    free(of->cells);
    of->cells = NULL;
    of->ncells = 0;
    of->capacity = 0;
}
