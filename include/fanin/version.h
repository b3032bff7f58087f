/* SPDX-License-Identifier: MIT */
/*
 * Version of the library, and which machine variants it has.
 */
#ifndef FANIN_VERSION_H
#define FANIN_VERSION_H

#include "fanin/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The one place the version is written; the build reads it from here. */
#define FANIN_VERSION_MAJOR  0
#define FANIN_VERSION_MINOR  1
#define FANIN_VERSION_PATCH  0
#define FANIN_VERSION_STRING "0.1.0"

FANIN_API const char *fanin_version(void);

/* Machine variants compiled in, best first; they never change a bit. FANIN_ISA=name in the environment forces one. */
FANIN_API size_t fanin_isa_count(void);
FANIN_API const char *fanin_isa_name(size_t i);
FANIN_API bool fanin_isa_is_supported(size_t i); /* by this processor */
FANIN_API const char *fanin_isa_active(void);
/* Forces a variant for the process; FANIN_ERROR_UNSUPPORTED for one that is unknown or that this processor lacks. */
FANIN_API fanin_status fanin_isa_force(const char *name, fanin_error *error);

#ifdef __cplusplus
}
#endif
#endif
