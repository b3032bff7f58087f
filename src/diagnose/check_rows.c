/* SPDX-License-Identifier: MIT */
/*
 * Checks within one weight: rows or columns that are equal, and the parts of a stacked tensor.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/correlation.h"

/* Chance that two healthy rows are equal. */
#define CHANCE 1e-9
/* More slices than any model has experts are not compared. */
#define MAX_SLICES 4096

/* ---- which lines are equal ---- */

/* Copies among the rows or the columns of a matrix. */
struct copies {
    size_t count;         /* lines that are equal to one before them */
    size_t first, origin; /* the first of them, and the line it is equal to */
    size_t length;        /* so many lines from there on are equal to those from the origin on */
};

static fanin_status find_copies(const uint64_t *hashes, const double *means, const double *variances, size_t n,
                                struct copies *copies, fanin_error *error)
{
    size_t nslots = 64;
    while (nslots < 2 * n)
        nslots *= 2;
    *copies = (struct copies){0};
    size_t *slots = fanin_allocate_zeroed(nslots, sizeof *slots), *origins = fanin_allocate(n, sizeof *origins);
    if (slots == NULL || origins == NULL) {
        fanin_free(slots);
        fanin_free(origins);
        return fanin_fail_memory(error, (nslots + n) * sizeof *slots);
    }
    for (size_t i = 0; i < n; i++) {
        size_t at = (size_t)hashes[i] & (nslots - 1);
        origins[i] = i;
        if (means[i] == 0 && variances[i] == 0)
            continue;
        while (slots[at] != 0 && hashes[slots[at] - 1] != hashes[i])
            at = (at + 1) & (nslots - 1);
        if (slots[at] == 0) {
            slots[at] = i + 1;
        } else {
            origins[i] = slots[at] - 1;
            copies->count++;
        }
    }
    size_t first = 0;
    while (first < n && origins[first] == first)
        first++;
    if (copies->count > 0) {
        copies->first = first;
        copies->origin = origins[first];
        while (first + copies->length < n && copies->origin + copies->length < first &&
               origins[first + copies->length] == copies->origin + copies->length)
            copies->length++;
    }
    fanin_free(slots);
    fanin_free(origins);
    return FANIN_OK;
}

/* How likely two values of the tensor are equal, not less than it is: bins are coarser than all dtypes but bf16, f8. */
static double chance_of_equal(const struct fanin_examination *e)
{
    const fanin_dtype dtype = e->record->tensor.dtype;
    double n = (double)e->record->statistics.nelem, sum = 0;
    for (size_t i = 0; i < FANIN_SCAN_NBINS; i++) {
        double share = (double)e->scan->bins[i] / n;
        sum += share * share;
    }
    /* Of the 16 bits below a bin's, 4 are left aside: uniform values lie on a grid of 2^-23 of the largest. */
    return dtype == FANIN_F32 || dtype == FANIN_F64 ? sum * 0x1p-12 : dtype == FANIN_F16 ? sum * 0x1p-3 : sum;
}

/* Repeated rows make few of the first values differ: then the first row, up to a copy, is asked. */
static bool looks_random(const struct fanin_examination *e, size_t ncols)
{
    if (e->record->tensor.is_random_looking)
        return true;
    size_t n = ncols < e->scan->nfirst ? ncols : e->scan->nfirst;
    return n >= 8 && fanin_head_is_random(e->scan->first, n < 1024 ? n : 1024);
}

/* Whether the outputs are dimension 1 (and so the blocks are of columns). */
static bool outputs_are_columns(const struct fanin_record *record)
{
    return record->tensor.ndim == 2 && record->layout == FANIN_LAYOUT_IN_OUT;
}

/* Equal lines a whole number of blocks apart: the blocks are copies, and W20 speaks of them. */
static bool are_block_copies(const struct fanin_record *record, const struct copies *copies, size_t n, bool columns)
{
    size_t nblocks = (size_t)record->nblocks, block = n / nblocks;
    if (record->is_stacked && !columns)
        return true;
    return nblocks > 1 && columns == outputs_are_columns(record) && block > 0 && n % nblocks == 0 &&
           (copies->first - copies->origin) % block == 0;
}

static fanin_status check_lines(struct fanin_examination *e, bool columns, bool *found, fanin_error *error)
{
    const fanin_statistics *s = &e->record->statistics;
    const struct fanin_scan *scan = e->scan;
    const char *lines = columns ? "columns" : "rows";
    size_t n = columns ? s->ncols : s->nrows;
    uint64_t length = columns ? s->nrows : s->ncols;
    const uint64_t *hashes = columns ? scan->column_hashes : scan->row_hashes;
    struct copies copies;
    *found = false;
    if (hashes == NULL || n < 2)
        return FANIN_OK;
    FANIN_TRY(find_copies(hashes, columns ? scan->column_means : scan->row_means,
                          columns ? scan->column_variances : scan->row_variances, n, &copies, error));
    /* W20 tells of those; and columns of rows that are copies are alike by chance far more often than counted here */
    *found = copies.count > 0 && are_block_copies(e->record, &copies, n, columns);
    if (copies.count == 0 || *found || !looks_random(e, columns ? copies.first : s->ncols) ||
        !((double)n * (double)(n - 1) / 2 * fanin_power(chance_of_equal(e), length) < CHANCE))
        return FANIN_OK;
    *found = true;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    size_t last = copies.length - 1;
    draft.topic = lines;
    draft.measured = (double)copies.count;
    draft.expected = 0;
    if (copies.count == n - 1)
        draft.what = fanin_say(e, "all %zu %s are equal", n, lines);
    else if (copies.length > 1)
        draft.what = fanin_say(e, "%s %zu-%zu equal %s %zu-%zu (%zu of %zu are copies)", lines, copies.origin,
                               copies.origin + last, lines, copies.first, copies.first + last, copies.count, n);
    else
        draft.what = fanin_say(e, "%s %zu equals %s %zu (%zu of %zu are copies)", columns ? "column" : "row",
                               copies.origin, columns ? "column" : "row", copies.first, copies.count, n);
    draft.expectation = "no two alike";
    draft.consequence =
        columns ? "inputs that are always weighed alike are as good as one; parts of the tensor were filled "
                  "with one seed, or repeated"
                : "units that begin alike stay alike; parts of the tensor were filled with one seed, or "
                  "repeated";
    draft.remedy = copies.count == n - 1 ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_REDRAW;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_duplicates(struct fanin_examination *e, fanin_error *error)
{
    bool found;
    if (!e->record->tensor.is_weight || e->record->statistics.nelem == 0 || e->scan->bins == NULL)
        return FANIN_OK;
    FANIN_TRY(check_lines(e, false, &found, error));
    return found ? FANIN_OK : check_lines(e, true, &found, error);
}

/* ---- parts of a stacked tensor ---- */

/* The first values of each slice, FANIN_HEAD_NVALUES of them or as many as there are. */
static fanin_status read_slices(const struct fanin_examination *e, size_t nslices, uint64_t stride, size_t nvalues,
                                float *heads, fanin_error *error)
{
    const fanin_weights *weights = e->diagnosis->weights;
    const fanin_dtype dtype = e->record->tensor.dtype;
    size_t nbytes = fanin_dtype_nbits(dtype) / 8, i = (size_t)(e->record - e->diagnosis->records);
    unsigned char bytes[FANIN_HEAD_NVALUES * 8];
    for (size_t k = 0; k < nslices; k++) {
        FANIN_TRY(weights->read(weights->user, i, k * stride * nbytes, bytes, nvalues * nbytes, error));
        for (size_t v = 0; v < nvalues; v++)
            heads[k * nvalues + v] = (float)fanin_dtype_value(dtype, bytes, v);
    }
    return FANIN_OK;
}

/* The first pair of slices whose values go together; how many slices are like an earlier one. */
static size_t find_clones(const float *heads, size_t nslices, size_t nvalues, size_t pair[2], double *correlation)
{
    size_t count = 0;
    for (size_t b = 1; b < nslices; b++)
        for (size_t a = 0; a < b; a++) {
            double r = fanin_correlation(heads + a * nvalues, heads + b * nvalues, nvalues);
            if (!(__builtin_fabs(r) > FANIN_SAME_CORRELATION))
                continue;
            if (count++ == 0) {
                pair[0] = a;
                pair[1] = b;
                *correlation = r;
            }
            break;
        }
    return count;
}

/* Word k of "q,k,v". */
static const char *block_name(struct fanin_examination *e, const char *names, size_t k)
{
    for (; k > 0 && names != NULL; k--) {
        names = strchr(names, ',');
        names = names != NULL ? names + 1 : NULL;
    }
    return names != NULL ? fanin_say(e, "%.*s", (int)strcspn(names, ","), names) : "";
}

static fanin_status add_clones(struct fanin_examination *e, const float *heads, size_t nslices, size_t nvalues,
                               fanin_error *error)
{
    size_t pair[2] = {0, 0};
    double r = 0;
    size_t count = find_clones(heads, nslices, nvalues, pair, &r);
    if (count == 0)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_ERROR);
    bool equal = memcmp(heads + pair[0] * nvalues, heads + pair[1] * nvalues, nvalues * sizeof *heads) == 0;
    const char *blocks = e->record->blocks;
    draft.measured = r;
    draft.expected = 0;
    if (!e->record->is_stacked && blocks != NULL)
        draft.what = fanin_say(e, "%s and %s %s (correlation %.4f)", block_name(e, blocks, pair[0]),
                               block_name(e, blocks, pair[1]), equal ? "are equal" : "are the same random numbers", r);
    else
        draft.what =
            fanin_say(e, "slices %zu and %zu %s (correlation %.4f; %zu of %zu are like an earlier one)", pair[0],
                      pair[1], equal ? "are equal" : "are the same random numbers", r, count, nslices);
    draft.expectation = "independent values in each";
    draft.consequence =
        "parts that begin alike and get the same inputs and gradients stay alike: they do the work of one";
    draft.remedy = FANIN_REMEDY_REDRAW;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_clones(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_statistics *s = &record->statistics;
    size_t nslices = record->is_stacked ? (size_t)s->nrows : (size_t)record->nblocks;
    bool columns = !record->is_stacked && outputs_are_columns(record);
    uint64_t stride = nslices > 0 ? (columns ? s->ncols : s->nelem) / nslices : 0;
    size_t nvalues = stride < FANIN_HEAD_NVALUES ? (size_t)stride : FANIN_HEAD_NVALUES;
    if (!record->tensor.is_weight || e->scan->first == NULL || nslices < 2 || nslices > MAX_SLICES ||
        nvalues < FANIN_SAME_NVALUES || (columns ? s->ncols : s->nelem) % nslices != 0)
        return FANIN_OK;
    /* Of copies all first values may be alike, so the first slice alone must look random. */
    if (!record->tensor.is_random_looking && !fanin_head_is_random(e->scan->first, nvalues))
        return FANIN_OK;
    float *heads = fanin_allocate(nslices * nvalues, sizeof *heads);
    if (heads == NULL)
        return fanin_fail_memory(error, nslices * nvalues * sizeof *heads);
    fanin_status status = read_slices(e, nslices, stride, nvalues, heads, error);
    if (status == FANIN_OK)
        status = add_clones(e, heads, nslices, nvalues, error);
    fanin_free(heads);
    return status;
}
