/* SPDX-License-Identifier: MIT */
/*
 * The sink that compares: what is made against what a checkpoint holds, element by element where bytes differ.
 */
#include "sink/sink.h"

#include <math.h>
#include <string.h>

static void note(fanin_comparison *result, uint64_t element, double expected, double found)
{
    if (result->ndiffering++ == 0) {
        result->first = element;
        result->expected = expected;
        result->found = found;
    }
    double distance = fabs(found - expected);
    if (isfinite(distance) && distance > result->max_abs)
        result->max_abs = distance;
}

/* Elements of 4 and 6 bits lie in a byte from the low bits up, and across bytes in the same sense. */
static bool same_bits(const uint8_t *a, const uint8_t *b, uint64_t bit, unsigned nbits)
{
    for (uint64_t i = bit; i < bit + nbits; i++)
        if (((a[i / 8] ^ b[i / 8]) >> (i % 8) & 1) != 0)
            return false;
    return true;
}

/* A piece begins at an element and holds whole ones. */
static void compare_elements(fanin_comparison *result, fanin_dtype dtype, uint64_t offset, const uint8_t *expected,
                             const uint8_t *found, size_t nbytes)
{
    unsigned nbits = fanin_dtype_nbits(dtype);
    uint64_t first = offset * 8 / nbits, n = (uint64_t)nbytes * 8 / nbits;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t bit = i * nbits;
        bool same = nbits % 8 == 0 ? memcmp(expected + bit / 8, found + bit / 8, nbits / 8) == 0
                                   : same_bits(expected, found, bit, nbits);
        if (!same)
            note(result, first + i, fanin_dtype_value(dtype, expected, i), fanin_dtype_value(dtype, found, i));
    }
}

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    (void)tensor;
    fanin_compare_sink *compare = (fanin_compare_sink *)sink;
    fanin_status status =
        fanin_checkpoint_read(compare->checkpoint, compare->target, offset, compare->piece, nbytes, error);
    if (status != FANIN_OK)
        return status;
    fanin_sha256_update(&compare->hash, compare->piece, nbytes);
    if (memcmp(data, compare->piece, nbytes) == 0)
        return FANIN_OK;
    fanin_dtype dtype = fanin_checkpoint_tensor_at(compare->checkpoint, compare->target)->dtype;
    compare_elements(&compare->result, dtype, offset, data, compare->piece, nbytes);
    return FANIN_OK;
}

static fanin_status end(fanin_sink *sink, size_t tensor, fanin_error *error)
{
    (void)tensor, (void)error;
    fanin_compare_sink *compare = (fanin_compare_sink *)sink;
    fanin_sha256_end(&compare->hash, compare->digests[compare->target]);
    fanin_sha256_begin(&compare->hash);
    return FANIN_OK;
}

fanin_compare_sink fanin_compare_sink_create(const fanin_checkpoint *checkpoint, uint8_t *piece, uint8_t (*digests)[32])
{
    fanin_compare_sink compare = {
        .sink = {.put = put, .end = end}, .checkpoint = checkpoint, .piece = piece, .digests = digests};
    fanin_sha256_begin(&compare.hash);
    return compare;
}
