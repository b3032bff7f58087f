/* SPDX-License-Identifier: MIT */
/*
 * Which machine variant runs: the best one this processor has, chosen once, or the one FANIN_ISA names.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fanin/version.h"
#include "kernel/kernel.h"

#ifndef FANIN_HAVE_AVX2
#define FANIN_HAVE_AVX2 0
#endif
#ifndef FANIN_HAVE_AVX512
#define FANIN_HAVE_AVX512 0
#endif

static bool always(void) { return true; }

#if FANIN_HAVE_AVX2
#include <cpuid.h>

/* The builtins know which registers the system saves; F16C has no name there in older compilers. */
static bool has_f16c(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C);
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c() &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}
#endif
#if FANIN_HAVE_AVX512
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

/* The ladder, best first. */
static const struct {
    const struct fanin_kernel *kernel;
    bool (*is_supported)(void);
} variants[] = {
#if FANIN_HAVE_AVX512
    {&fanin_kernel_avx512, has_avx512},
#endif
#if FANIN_HAVE_AVX2
    {&fanin_kernel_avx2, has_avx2},
#endif
    {&fanin_kernel_scalar, always},
};
enum { NVARIANTS = sizeof variants / sizeof variants[0] };

/* The choice: NULL until the first use. Two threads that choose at once choose the same. */
static _Atomic(const struct fanin_kernel *) chosen;

size_t fanin_isa_count(void) { return NVARIANTS; }

const char *fanin_isa_name(size_t i) { return i < NVARIANTS ? variants[i].kernel->name : NULL; }

bool fanin_isa_is_supported(size_t i) { return i < NVARIANTS && variants[i].is_supported(); }

const struct fanin_kernel *fanin_kernel_at(size_t isa)
{
    return fanin_isa_is_supported(isa) ? variants[isa].kernel : NULL;
}

static const struct fanin_kernel *find(const char *name)
{
    for (size_t i = 0; i < NVARIANTS; i++)
        if (strcmp(variants[i].kernel->name, name) == 0 && variants[i].is_supported())
            return variants[i].kernel;
    return NULL;
}

/* An unknown name in the environment is ignored here; the command checks it with fanin_isa_force and says so. */
static const struct fanin_kernel *choose(void)
{
    const char *name = getenv("FANIN_ISA");
    const struct fanin_kernel *kernel = name ? find(name) : NULL;
    for (size_t i = 0; kernel == NULL; i++)
        if (variants[i].is_supported())
            kernel = variants[i].kernel;
    return kernel;
}

static const struct fanin_kernel *active(void)
{
    const struct fanin_kernel *kernel = atomic_load_explicit(&chosen, memory_order_acquire);
    if (kernel == NULL) {
        kernel = choose();
        atomic_store_explicit(&chosen, kernel, memory_order_release);
    }
    return kernel;
}

const char *fanin_isa_active(void) { return active()->name; }

fanin_status fanin_isa_force(const char *name, fanin_error *error)
{
    const struct fanin_kernel *kernel = find(name);
    if (kernel == NULL)
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                          "no machine variant '%s' here; 'fanin version' lists those this processor can run", name);
    atomic_store_explicit(&chosen, kernel, memory_order_release);
    return FANIN_OK;
}

const struct fanin_kernel *fanin_kernel_for(fanin_profile profile)
{
    return profile & FANIN_UNFUSED ? &fanin_kernel_unfused : active();
}

bool fanin_kernel_bypasses_zeros(const struct fanin_kernel *kernel)
{
#if FANIN_HAVE_AVX2
    return kernel != &fanin_kernel_scalar && kernel != &fanin_kernel_unfused && !__builtin_cpu_is("amd");
#else
    (void)kernel;
    return false;
#endif
}

const char *fanin_version(void) { return FANIN_VERSION_STRING; }
