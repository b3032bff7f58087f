/* SPDX-License-Identifier: MIT */
/*
 * sparse_(sparsity, std): normals, then zeros in the rows that begin a permutation of its own for each column.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/text.h"
#include "init/permutation.h"
#include "init/random.h"

enum { SPARSITY, STD };

static fanin_status check(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_error *error)
{
    char number[FANIN_NUMBER_NBYTES];
    (void)profile;
    if (tensor->ndim != 2)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "sparse needs 2 dimensions, the tensor has %d", (int)tensor->ndim);
    if (!isfinite(value[SPARSITY]))
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "sparse: sparsity = %s; it is the share of zeros in a column, 0 to 1",
                          fanin_number_format(value[SPARSITY], number));
    return fanin_normal_check(value[STD], error);
}

/* torch takes the first ceil(sparsity * rows) of a permutation; a Python slice, so a negative count is from the end. */
static int64_t zero_count(double sparsity, int64_t rows)
{
    double count = ceil(sparsity * (double)rows);
    if (count >= (double)rows)
        return rows;
    if (count >= 0)
        return (int64_t)count;
    return -count >= (double)rows ? 0 : rows + (int64_t)count;
}

/* Columns that are drawn before their zeros are stored: a row's zeros are then near each other. */
enum { BATCH = 64 };

struct marks {
    uint64_t *row; /* bit c: the batch's column c has a zero there */
    fanin_index *order;
    int64_t *huge_order; /* where 32 bits are not enough */
};

static void mark_column(const struct marks *marks, int64_t rows, int64_t nzeros, uint64_t bit, fanin_stream *stream)
{
    const int64_t ndraws = rows > 0 ? rows - 1 : 0, needed = nzeros < ndraws ? nzeros : ndraws;
    for (int64_t i = 0; i < rows; i++)
        marks->order[i] = (fanin_index)i;
    for (int64_t i = 0; i < needed;) {
        int64_t elements[FANIN_PERMUTATION_RUN];
        const int64_t taken = fanin_permutation_take(elements, marks->order, rows, i, needed - i, stream);
        for (int64_t k = 0; k < taken; k++)
            marks->row[elements[k]] |= bit;
        i += taken;
    }
    fanin_stream_skip(stream, (uint64_t)(ndraws - needed));
    if (needed < nzeros) /* all rows: no draw decides about the last one left */
        marks->row[marks->order[rows - 1]] |= bit;
}

static fanin_status mark_batch(const struct marks *marks, int64_t rows, int64_t nzeros, int64_t ncols,
                               fanin_generator *generator, fanin_error *error)
{
    memset(marks->row, 0, (size_t)rows * sizeof *marks->row);
    if (marks->huge_order == NULL) {
        fanin_stream stream;
        fanin_stream_begin(&stream, generator);
        for (int64_t c = 0; c < ncols; c++)
            mark_column(marks, rows, nzeros, (uint64_t)1 << c, &stream);
        fanin_stream_end(&stream);
        return FANIN_OK;
    }
    for (int64_t c = 0; c < ncols; c++) {
        FANIN_TRY(fanin_randperm(marks->huge_order, rows, generator, error));
        for (int64_t i = 0; i < nzeros; i++)
            marks->row[marks->huge_order[i]] |= (uint64_t)1 << c;
    }
    return FANIN_OK;
}

/* Zero is all bits zero in every dtype that is drawn. */
static void store_zeros(const fanin_tensor *tensor, const uint64_t *row, int64_t first_column)
{
    const int64_t nbytes = fanin_dtype_nbits(tensor->dtype) / 8;
    char *line = (char *)tensor->data + first_column * tensor->strides[1] * nbytes;
    for (int64_t i = 0; i < tensor->shape[0]; i++, line += tensor->strides[0] * nbytes)
        for (uint64_t left = row[i]; left != 0; left &= left - 1)
            memset(line + __builtin_ctzll(left) * tensor->strides[1] * nbytes, 0, (size_t)nbytes);
}

static fanin_status run(const double *value, const fanin_tensor *tensor, fanin_generator *generator, fanin_error *error)
{
    const int64_t rows = tensor->shape[0], cols = tensor->shape[1];
    const int64_t nzeros = zero_count(value[SPARSITY], rows);
    const double normal[4] = {0, value[STD]};
    const bool is_short = fanin_permutation_is_short(rows, generator->profile);
    const size_t index_nbytes = is_short ? sizeof(fanin_index) : sizeof(int64_t);
    uint64_t *row = fanin_allocate((size_t)rows, sizeof *row);
    void *order = fanin_allocate((size_t)rows, index_nbytes);
    fanin_status status = FANIN_OK;
    if (row == NULL || order == NULL)
        status = fanin_fail_memory(error, (uint64_t)rows * (sizeof *row + index_nbytes));
    else
        status = fanin_fill_normal.run(normal, tensor, generator, error);
    const struct marks marks = {row, is_short ? order : NULL, is_short ? NULL : order};
    for (int64_t c = 0; status == FANIN_OK && c < cols; c += BATCH) {
        status = mark_batch(&marks, rows, nzeros, cols - c < BATCH ? cols - c : BATCH, generator, error);
        if (status == FANIN_OK)
            store_zeros(tensor, row, c);
    }
    fanin_free(order);
    fanin_free(row);
    return status;
}

static void measure(const double *value, const fanin_tensor *tensor, fanin_profile profile, fanin_fill_stream *stream)
{
    (void)value;
    fanin_fill_normal.measure((const double[4]){0, 1}, tensor, profile, stream);
    stream->ndraws += (uint64_t)tensor->shape[1] * fanin_permutation_ndraws((uint64_t)tensor->shape[0], profile);
}

static bool is_splittable(const double *value, const fanin_tensor *tensor, fanin_profile profile)
{
    (void)value;
    (void)tensor;
    (void)profile;
    return false;
}

const fanin_fill_rule fanin_fill_sparse = {
    .name = "sparse",
    .values = {"sparsity", "std"},
    .random = true,
    .check = check,
    .run = run,
    .measure = measure,
    .is_splittable = is_splittable,
};
