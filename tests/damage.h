/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints for tests that look for faults: values that are put into a tensor of a file, and what a file holds.
 */
#ifndef FANIN_DAMAGE_H
#define FANIN_DAMAGE_H

#include "test.h"

#include "fanin/checkpoint.h"

/* Writes bytes over those of a tensor, from byte `at` on. */
static inline void test_damage(const char *path, const char *tensor, uint64_t at, const void *bytes, size_t nbytes)
{
    fanin_error error;
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    size_t i = fanin_checkpoint_tensor_find(checkpoint, tensor);
    assert_true(i != SIZE_MAX);
    const fanin_checkpoint_tensor *found = fanin_checkpoint_tensor_at(checkpoint, i);
    assert_true(at + nbytes <= found->nbytes);
    FILE *file = fopen(fanin_checkpoint_file_at(checkpoint, found->file), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)(found->offset + at), SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    assert_int_equal(fclose(file), 0);
    fanin_checkpoint_close(checkpoint);
}

/* All bytes of a tensor, which the caller frees. */
static inline uint8_t *test_bytes_of(const fanin_checkpoint *checkpoint, const char *tensor, size_t *nbytes)
{
    fanin_error error;
    size_t i = fanin_checkpoint_tensor_find(checkpoint, tensor);
    assert_true(i != SIZE_MAX);
    *nbytes = (size_t)fanin_checkpoint_tensor_at(checkpoint, i)->nbytes;
    uint8_t *bytes = malloc(*nbytes + 1);
    assert_non_null(bytes);
    assert_ok(fanin_checkpoint_read(checkpoint, i, 0, bytes, *nbytes, &error), error);
    return bytes;
}

#endif
