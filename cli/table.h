/* SPDX-License-Identifier: MIT */
/*
 * Aligned text tables. In a pipe every cell is whole; on a terminal too narrow for that, columns that may be cut are.
 */
#ifndef FANIN_CLI_TABLE_H
#define FANIN_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum column_style {
    COLUMN_LEFT,
    COLUMN_RIGHT,     /* numbers */
    COLUMN_CUT_BEGIN, /* left-aligned; loses its beginning when there is no room: dotted names */
    COLUMN_CUT_END    /* left-aligned; loses its end */
} column_style;

typedef struct column {
    const char *title;
    column_style style;
    unsigned least; /* columns that a cut one keeps */
} column;

/* Begin with {.columns = ..., .ncolumns = ...}. */
typedef struct table {
    const column *columns;
    size_t ncolumns;
    char **cells; /* row by row, escaped */
    size_t ncells;
    size_t capacity;
    bool failed; /* no memory: table_print says so */
} table;

/* The next cell, row by row. Control characters are escaped. */
void table_add(table *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* To stdout, titles first, columns that are empty in every row left out. false after an error message. */
bool table_print(const table *from);
void table_release(table *of);

#endif
