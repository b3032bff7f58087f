/* SPDX-License-Identifier: MIT */
/*
 * Profiles: which torch releases share their bits, and the names under which those are frozen.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "fanin/generator.h"

/* Oldest first. A torch release falls under the last row whose release is not newer. */
static const struct {
    fanin_profile profile;
    unsigned major, minor;
    const char *name;
    const char *unfused_name;
    const char *description;
} profiles[] = {
    {FANIN_PROFILE_TORCH_1_13, 1, 13, "torch-1.13", "torch-1.13:unfused", "PyTorch 1.13"},
    {FANIN_PROFILE_TORCH_2_0, 2, 0, "torch-2.0", "torch-2.0:unfused",
     "PyTorch 2.0: scalar normals through log1p, bf16 trunc_normal_ as 1.13"},
    {FANIN_PROFILE_TORCH_2_1, 2, 1, "torch-2.1", "torch-2.1:unfused",
     "PyTorch 2.1 to 2.11: f16 normals rounded after every step"},
    {FANIN_PROFILE_TORCH_2_12, 2, 12, "torch-2.12", "torch-2.12:unfused",
     "PyTorch 2.12: 16-bit types from 24-bit uniforms, trunc_normal_ by rejection, upper bounds excluded"},
    {FANIN_PROFILE_TORCH_2_13, 2, 13, "torch-2.13", "torch-2.13:unfused",
     "PyTorch 2.13 and newer (verified to 2.15.0): 16-bit normals through the vector kernel"},
};
enum { NPROFILES = sizeof profiles / sizeof profiles[0] };

size_t fanin_profile_count(void)
{
    return NPROFILES;
}

fanin_profile fanin_profile_at(size_t i)
{
    return i < NPROFILES ? profiles[i].profile : 0;
}

static size_t find(fanin_profile profile)
{
    size_t i = 0;
    while (i < NPROFILES && profiles[i].profile != (profile & ~(fanin_profile)FANIN_UNFUSED))
        i++;
    return i;
}

const char *fanin_profile_name(fanin_profile profile)
{
    size_t i = find(profile);
    if (i == NPROFILES)
        return "unknown";
    return profile & FANIN_UNFUSED ? profiles[i].unfused_name : profiles[i].name;
}

const char *fanin_profile_description(fanin_profile profile)
{
    size_t i = find(profile);
    return i == NPROFILES ? "unknown" : profiles[i].description;
}

/* "2", "13" or "2.13.1": a release number without sign or blanks, at most 3 digits a part */
static bool parse_release(const char *text, size_t nbytes, unsigned *major, unsigned *minor)
{
    unsigned parts[3] = {0};
    size_t nparts = 0, ndigits = 0;
    for (size_t i = 0; i <= nbytes; i++) {
        if (i == nbytes || text[i] == '.') {
            if (ndigits == 0 || nparts == 3)
                return false;
            nparts++;
            ndigits = 0;
        } else if (text[i] >= '0' && text[i] <= '9' && ndigits < 3 && nparts < 3) {
            parts[nparts] = parts[nparts] * 10 + (unsigned)(text[i] - '0');
            ndigits++;
        } else {
            return false;
        }
    }
    *major = parts[0];
    *minor = parts[1];
    return nparts >= 2;
}

fanin_status fanin_profile_parse(const char *name, fanin_profile *profile, fanin_error *error)
{
    static const char prefix[] = "torch", suffix[] = ":unfused";
    size_t nbytes = strlen(name), nprefix = sizeof prefix - 1, nsuffix = sizeof suffix - 1;
    fanin_profile flags = 0;
    fanin_clear(error);
    if (nbytes >= nsuffix && memcmp(name + nbytes - nsuffix, suffix, nsuffix) == 0) {
        flags = FANIN_UNFUSED;
        nbytes -= nsuffix;
    }
    if (nbytes >= nprefix && memcmp(name, prefix, nprefix) == 0) {
        unsigned major, minor;
        if (nbytes == nprefix) {
            *profile = FANIN_PROFILE_TORCH | flags;
            return FANIN_OK;
        }
        if (name[nprefix] == '-' && parse_release(name + nprefix + 1, nbytes - nprefix - 1, &major, &minor)) {
            for (size_t i = NPROFILES; i-- > 0;) {
                if (major > profiles[i].major || (major == profiles[i].major && minor >= profiles[i].minor)) {
                    *profile = profiles[i].profile | flags;
                    return FANIN_OK;
                }
            }
            return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                              "profile '%s': torch before 1.13 is not covered; the oldest profile is torch-1.13", name);
        }
    }
    return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                      "unknown profile '%s'; write torch (the newest), or torch-X.Y for a release from 1.13 on, with "
                      "':unfused' behind it for builds that do not fuse multiply and add",
                      name);
}
