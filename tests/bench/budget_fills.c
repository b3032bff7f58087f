/* SPDX-License-Identifier: MIT */
/*
 * Runs each fill once inside measure(), which callgrind counts call by call (check_budget.sh), and prints what was run:
 * a name and how many elements, in the same order. Exit 77 where the AVX2 variant is not the one that runs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fanin/fanin.h"

enum { NELEM = 1 << 17, SIDE = 256, CHANNELS = 96, SQUARE = 192 };

enum what { FLAT, MATRIX, KERNEL, ORTHOGONAL, PERMUTATION, JUMP };

static const struct {
    const char *name;
    enum what what;
    fanin_fill fill;
} fills[] = {
    {"uniform", FLAT, {FANIN_FILL_UNIFORM, {-0.05, 0.05}}},
    {"normal", FLAT, {FANIN_FILL_NORMAL, {0, 0.02}}},
    {"trunc_normal_std_0.02", FLAT, {FANIN_FILL_TRUNC_NORMAL, {0, 0.02, -2, 2}}},
    {"trunc_normal", FLAT, {FANIN_FILL_TRUNC_NORMAL, {0, 1, -2, 2}}},
    {"constant", FLAT, {FANIN_FILL_CONSTANT, {0.5}}},
    {"zeros", FLAT, {FANIN_FILL_CONSTANT, {0}}},
    {"eye", MATRIX, {FANIN_FILL_EYE, {0}}},
    {"dirac", KERNEL, {FANIN_FILL_DIRAC, {1}}},
    {"sparse", MATRIX, {FANIN_FILL_SPARSE, {0.1, 0.01}}},
    {"orthogonal", ORTHOGONAL, {FANIN_FILL_ORTHOGONAL, {1}}},
};
static const fanin_dtype dtypes[] = {FANIN_F32, FANIN_BF16, FANIN_F16, FANIN_F64};

struct pass {
    enum what what;
    fanin_fill fill;
    fanin_tensor tensor;
    uint64_t ndraws; /* of a jump */
};

void measure(const struct pass *pass, fanin_generator *generator);

void measure(const struct pass *pass, fanin_generator *generator)
{
    fanin_error error;
    fanin_status status = FANIN_OK;
    if (pass->what == JUMP)
        fanin_generator_skip(generator, pass->ndraws);
    else if (pass->what == PERMUTATION)
        status = fanin_randperm(pass->tensor.data, pass->tensor.shape[0], generator, &error);
    else
        status = fanin_fill_run(&pass->fill, &pass->tensor, generator, &error);
    if (status != FANIN_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
}

/* Called through here, so that no copy of it under another name is made for one of its uses. */
static void (*volatile measured)(const struct pass *pass, fanin_generator *generator) = measure;

static void run(const char *name, const char *dtype, const struct pass *pass, int64_t nelem)
{
    fanin_generator generator = fanin_generator_torch(42);
    measured(pass, &generator);
    printf("%s%s%s %lld\n", name, dtype[0] != '\0' ? "_" : "", dtype, (long long)nelem);
}

static fanin_tensor tensor_for(enum what what, fanin_dtype dtype, void *memory)
{
    switch (what) {
    case MATRIX:
        return fanin_tensor_2d(memory, dtype, SIDE, SIDE);
    case KERNEL:
        return fanin_tensor_4d(memory, dtype, CHANNELS, CHANNELS, 3, 3);
    case ORTHOGONAL:
        return fanin_tensor_2d(memory, dtype, SQUARE, SQUARE);
    default:
        return fanin_tensor_1d(memory, dtype, NELEM);
    }
}

int main(void)
{
    void *memory = aligned_alloc(4096, (size_t)NELEM * 8);
    if (memory == NULL)
        return 1;
    memset(memory, 1, (size_t)NELEM * 8);
    if (strcmp(fanin_isa_active(), "avx2") != 0) {
        printf("skipped: the variant that runs is %s, not avx2\n", fanin_isa_active());
        free(memory);
        return 77;
    }
    for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++)
        for (size_t d = 0; d < sizeof dtypes / sizeof dtypes[0]; d++) {
            if (fills[i].what == ORTHOGONAL && dtypes[d] != FANIN_F32 && dtypes[d] != FANIN_F64)
                continue;
            struct pass pass = {fills[i].what, fills[i].fill, tensor_for(fills[i].what, dtypes[d], memory), 0};
            run(fills[i].name, fanin_dtype_name(dtypes[d]), &pass, fanin_tensor_nelem(&pass.tensor));
        }
    struct pass permutation = {.what = PERMUTATION, .tensor = fanin_tensor_1d(memory, FANIN_I64, NELEM)};
    run("randperm", "i64", &permutation, NELEM);
    const struct pass near = {.what = JUMP, .ndraws = UINT64_C(1) << 20};
    run("skip_2^20", "", &near, 1);
    const struct pass far = {.what = JUMP, .ndraws = (UINT64_C(1) << 44) - 1};
    run("skip_2^44-1", "", &far, 1);
    free(memory);
    return 0;
}
