/* SPDX-License-Identifier: MIT */
/*
 * The orthogonal factor of a matrix, on memory that is taken before anything else happens.
 */
#ifndef FANIN_INIT_ORTHOGONAL_H
#define FANIN_INIT_ORTHOGONAL_H

#include "fanin/generator.h"
#include "fanin/parallel.h"
#include "fanin/tensor.h"
#include "kernel/kernel.h"

/*
 * A matrix of nrows x ncols elements, nrows >= ncols >= 1, as the strips of kernel.h; one of few columns as a single
 * strip that is kept column by column.
 */
typedef struct fanin_qr {
    const struct fanin_householder *kernel;
    const fanin_parallel *parallel; /* may be set before fanin_qr_orthogonalize; changes no bit */
    size_t item;                    /* bytes of an element */
    size_t nrows, ncols;
    size_t nstrips;
    size_t width;                 /* columns of a strip */
    size_t height;                /* rows of a strip with those that fill it up */
    size_t row_step, column_step; /* bytes to the next row, and to the next column of a strip */
    char *strips;                 /* all zeros at first */
    char *s;                      /* for each strip what couples its reflectors */
    double *sign;
    void *memory;
    uint64_t nbytes; /* of memory, also when there was not that much */
} fanin_qr;

/* f32 or f64. false when memory is out. */
bool fanin_qr_begin(fanin_qr *qr, fanin_dtype dtype, size_t nrows, size_t ncols);
char *fanin_qr_at(const fanin_qr *qr, size_t row, size_t col);
/*
 * The matrix becomes Q of its QR factorization, each column times the sign of R's diagonal, so that R has a positive
 * one. Where the diagonal is 0, so is the column.
 */
void fanin_qr_orthogonalize(fanin_qr *qr);
void fanin_qr_end(fanin_qr *qr);

/*
 * The same of one matrix, f32 or f64, with no more columns than rows, into another of its shape and dtype, which may
 * lie over it.
 */
fanin_status fanin_qr_run(const fanin_tensor *from, const fanin_tensor *to, const fanin_parallel *parallel,
                          fanin_error *error);

/* The fill, checked; strips are shared out to the threads of `parallel`, which may be NULL. */
fanin_status fanin_orthogonal_run(double gain, const fanin_tensor *tensor, fanin_generator *generator,
                                  const fanin_parallel *parallel, fanin_error *error);

#endif
