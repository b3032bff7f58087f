/* SPDX-License-Identifier: MIT */
/*
 * Provenance in metadata, written and read.
 */
#include "run/provenance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "fanin/version.h"
#include "format/path.h"

/* A plan file is read whole; more than this is no plan. */
static const uint64_t max_plan_nbytes = (uint64_t)1 << 30;

static void sha256_hex(const char *text, size_t nbytes, char hex[65])
{
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, text, nbytes);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
}

fanin_status fanin_provenance_create(fanin_provenance *provenance, const fanin_plan *plan, uint64_t seed,
                                     const char *source, fanin_error *error)
{
    memset(provenance, 0, sizeof *provenance);
    FANIN_TRY(fanin_plan_to_json(plan, &provenance->plan, error));
    provenance->plan_nbytes = strlen(provenance->plan);
    provenance->plan_beside = provenance->plan_nbytes > FANIN_MAX_EMBEDDED_PLAN_NBYTES;
    sha256_hex(provenance->plan, provenance->plan_nbytes, provenance->sha256);
    snprintf(provenance->seed, sizeof provenance->seed, "%" PRIu64, seed);
    const fanin_pair pairs[] = {
        {"format", "pt"}, /* what transformers asks for before it loads */
        {FANIN_METADATA_VERSION, fanin_version()},
        {FANIN_METADATA_PROFILE, fanin_profile_name(fanin_plan_profile(plan))},
        {FANIN_METADATA_SEED, provenance->seed},
        {FANIN_METADATA_PLAN_SHA256, provenance->sha256},
        {FANIN_METADATA_PLAN, provenance->plan_beside ? NULL : provenance->plan},
        {FANIN_METADATA_SOURCE, source},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (pairs[i].value != NULL)
            provenance->pairs[provenance->npairs++] = pairs[i];
    return FANIN_OK;
}

void fanin_provenance_release(fanin_provenance *provenance)
{
    if (provenance->plan != NULL)
        fanin_release(provenance->plan);
    memset(provenance, 0, sizeof *provenance);
}

static fanin_status parse_plan(const char *text, size_t nbytes, const char *sha256, const char *place,
                               fanin_plan **plan, fanin_error *error)
{
    char hex[65];
    sha256_hex(text, nbytes, hex);
    if (strcmp(hex, sha256) != 0)
        return fanin_fail(
            error, FANIN_ERROR_FORMAT,
            "%s: the plan's SHA-256 is %.16s..., but fanin_plan_sha256 says %.16s...: the plan was changed "
            "or belongs to another checkpoint",
            place, hex, sha256);
    return fanin_plan_parse(text, nbytes, place, plan, error);
}

static fanin_status read_plan_beside(const char *checkpoint_file, const char *sha256, fanin_plan **plan,
                                     fanin_error *error)
{
    char *folder = fanin_path_folder(checkpoint_file);
    char *path = folder != NULL ? fanin_path_join(folder, FANIN_PLAN_FILE) : NULL;
    char *text = NULL;
    size_t nbytes;
    fanin_status status = path != NULL ? fanin_read_file(path, max_plan_nbytes, &text, &nbytes, error)
                                       : fanin_fail_memory(error, strlen(checkpoint_file));
    if (status == FANIN_OK)
        status = parse_plan(text, nbytes, sha256, path, plan, error);
    fanin_free(text);
    fanin_free(path);
    fanin_free(folder);
    return status;
}

fanin_status fanin_plan_from_checkpoint(const fanin_checkpoint *checkpoint, fanin_plan **plan, uint64_t *seed,
                                        fanin_error *error)
{
    fanin_clear(error);
    const char *path = fanin_checkpoint_file_at(checkpoint, 0);
    const char *embedded = fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PLAN);
    const char *sha256 = fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PLAN_SHA256);
    const char *seed_text = fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_SEED);
    uint64_t value;
    if (sha256 == NULL || seed_text == NULL)
        return fanin_fail(
            error, FANIN_ERROR_UNSUPPORTED,
            "%s: carries no plan of fanin (%s is missing from its metadata): give the description and the "
            "seed it was made from",
            path, sha256 == NULL ? FANIN_METADATA_PLAN_SHA256 : FANIN_METADATA_SEED);
    if (!fanin_u64_parse(seed_text, strlen(seed_text), &value))
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: fanin_seed in its metadata is no number from 0 to 2^64 - 1",
                          path);
    FANIN_TRY(embedded != NULL ? parse_plan(embedded, strlen(embedded), sha256, path, plan, error)
                               : read_plan_beside(path, sha256, plan, error));
    *seed = value;
    return FANIN_OK;
}
