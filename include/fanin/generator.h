/* SPDX-License-Identifier: MIT */
/*
 * Generators: a plain value that yields 32-bit draws. Copy it, compare it, save it; nothing is hidden or shared.
 */
#ifndef FANIN_GENERATOR_H
#define FANIN_GENERATOR_H

#include "fanin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What the bits are. Every torch release from 1.13 on falls under one of these; they are frozen.
 *   torch-2.13  2.13 and newer      torch-2.12  2.12      torch-2.1  2.1 to 2.11
 *   torch-2.0   2.0                 torch-1.13  1.13
 * FANIN_UNFUSED marks builds of torch that round a product before they add (MSVC, older clang, no AVX2).
 */
typedef uint32_t fanin_profile;
enum {
    FANIN_PROFILE_TORCH_1_13 = 1,
    FANIN_PROFILE_TORCH_2_0 = 2,
    FANIN_PROFILE_TORCH_2_1 = 3,
    FANIN_PROFILE_TORCH_2_12 = 4,
    FANIN_PROFILE_TORCH_2_13 = 5,
    FANIN_PROFILE_TORCH = FANIN_PROFILE_TORCH_2_13, /* the newest */
    FANIN_UNFUSED = 0x100
};

/* "torch", "torch-2.13", "torch-2.6" (-> torch-2.1), each with an optional ":unfused". */
FANIN_API fanin_status fanin_profile_parse(const char *name, fanin_profile *profile, fanin_error *error);
/* The frozen name, "torch-2.13" or "torch-2.13:unfused"; "unknown" for a value that is none. */
FANIN_API const char *fanin_profile_name(fanin_profile profile);
/* Profiles in order, oldest first, for listings: i < fanin_profile_count(). Unfused variants are not listed. */
FANIN_API size_t fanin_profile_count(void);
FANIN_API fanin_profile fanin_profile_at(size_t i);
/* One line on what a profile stands for. */
FANIN_API const char *fanin_profile_description(fanin_profile profile);

#define FANIN_MT19937_NWORDS     624
#define FANIN_TORCH_STATE_NBYTES 5056

/*
 * MT19937 as torch keeps it, plus the normal that the scalar path of normal_ leaves for the next call. The fields
 * are torch's own (at::mt19937 and CPUGeneratorImpl); two generators with equal fields yield equal draws.
 */
typedef struct fanin_generator {
    fanin_profile profile;
    int32_t left;  /* 1..624: draws until the next refill, plus 1 */
    uint64_t seed; /* as given, all 64 bits; only the low 32 reach the engine */
    uint32_t next; /* 0..624: index of the next word */
    bool has_next_normal;
    bool has_next_float_normal;
    float next_float_normal;
    double next_normal;
    uint32_t words[FANIN_MT19937_NWORDS];
} fanin_generator;

/* torch.Generator().manual_seed(seed) under the newest profile. A negative torch seed s is (uint64_t)s. */
FANIN_API fanin_generator fanin_generator_torch(uint64_t seed);
/* The same under any profile. */
FANIN_API fanin_generator fanin_generator_create(fanin_profile profile, uint64_t seed);

/* One draw, and two (the first is the high half), as torch's random() and random64(). */
FANIN_API uint32_t fanin_generator_u32(fanin_generator *generator);
FANIN_API uint64_t fanin_generator_u64(fanin_generator *generator);
/* Leaves out ndraws 32-bit draws, any number, in time that does not grow with it. The cached normal stays. */
FANIN_API void fanin_generator_skip(fanin_generator *generator, uint64_t ndraws);

/* Generator.get_state(): 5056 bytes, little endian. */
FANIN_API void fanin_generator_get_torch_state(const fanin_generator *generator,
                                               uint8_t state[FANIN_TORCH_STATE_NBYTES]);
/* Generator.set_state(); refuses what torch refuses. The profile stays. On error nothing changes. */
FANIN_API fanin_status fanin_generator_set_torch_state(fanin_generator *generator, const uint8_t *state, size_t nbytes,
                                                       fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
