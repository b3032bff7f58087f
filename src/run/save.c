/* SPDX-License-Identifier: MIT */
/*
 * Writing a plan's checkpoint: which tensor goes to which file, and what each file says of itself. publish.h sees to it
 * that the files are whole or absent.
 */
#include "fanin/run.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "run/chunk.h"
#include "run/content.h"
#include "run/provenance.h"
#include "run/publish.h"
#include "run/shards.h"
#include "run/together.h"

static const uint64_t default_shard_nbytes = 5000000000;

typedef struct saving {
    const fanin_plan *plan;
    const fanin_run_options *options;
    const fanin_write_options *write;
    fanin_error *error;
    fanin_maker maker;
    fanin_provenance provenance;
    fanin_shards shards;
    char (*shard_names)[FANIN_SHARD_NAME_NBYTES];
    const char **names;                /* the same */
    fanin_safetensors_tensor *tensors; /* of the shard at hand */
    fanin_pair *pairs;                 /* its metadata */
    size_t *ties;                      /* the tied names of the plan */
    size_t nties;
    uint64_t *offsets; /* of each tensor in its file */
    uint8_t (*digests)[32];
    fanin_publication files;
} saving;

/* -- What is to be written -------------------------------------------------------------------------------------- */

static fanin_status prepare(saving *s)
{
    size_t ntensors = fanin_plan_tensor_count(s->plan);
    uint64_t max_nbytes = s->write->max_shard_nbytes > 0 ? s->write->max_shard_nbytes : default_shard_nbytes;
    s->tensors = fanin_allocate(ntensors, sizeof *s->tensors);
    s->pairs = fanin_allocate(ntensors + sizeof s->provenance.pairs / sizeof *s->pairs, sizeof *s->pairs);
    s->ties = fanin_allocate(ntensors, sizeof *s->ties);
    s->offsets = fanin_allocate(ntensors, sizeof *s->offsets);
    s->digests = fanin_allocate(ntensors, sizeof *s->digests);
    if (s->tensors == NULL || s->pairs == NULL || s->ties == NULL || s->offsets == NULL || s->digests == NULL)
        return fanin_fail_memory(s->error, ntensors * sizeof *s->tensors);
    for (size_t i = 0; i < ntensors; i++)
        if (fanin_plan_tensor_at(s->plan, i)->tied_to != NULL)
            s->ties[s->nties++] = i;
    FANIN_TRY(fanin_provenance_create(&s->provenance, s->plan, s->options->seed, s->write->source, s->error));
    bool is_folder = fanin_output_is_folder(s->write->path);
    FANIN_TRY(fanin_shards_create(&s->shards, s->plan, is_folder ? max_nbytes : UINT64_MAX, s->error));
    s->maker.total_nbytes = s->shards.nbytes;
    s->shard_names = fanin_allocate(s->shards.nshards, sizeof *s->shard_names);
    s->names = fanin_allocate(s->shards.nshards, sizeof *s->names);
    if (s->shard_names == NULL || s->names == NULL)
        return fanin_fail_memory(s->error, s->shards.nshards * sizeof *s->shard_names);
    for (size_t shard = 0; shard < s->shards.nshards; shard++) {
        fanin_shard_name(&s->shards, shard, s->shard_names[shard]);
        s->names[shard] = s->shard_names[shard];
    }
    return FANIN_OK;
}

/* Provenance, and which dropped name is another name of which tensor of this shard. */
static size_t collect_metadata(const saving *s, size_t shard)
{
    size_t n = s->provenance.npairs;
    memcpy(s->pairs, s->provenance.pairs, n * sizeof *s->pairs);
    for (size_t i = 0; i < s->nties; i++) {
        const fanin_plan_tensor *tied = fanin_plan_tensor_at(s->plan, s->ties[i]);
        bool taken = s->shards.of_tensor[fanin_plan_tensor_find(s->plan, tied->tied_to)] != shard;
        for (size_t p = 0; p < s->provenance.npairs; p++)
            taken = taken || strcmp(s->provenance.pairs[p].key, tied->name) == 0;
        if (!taken)
            s->pairs[n++] = (fanin_pair){.key = tied->name, .value = tied->tied_to};
    }
    return n;
}

/* The file of a shard up to its data, where its tensors begin, and how long it is. */
static fanin_status format_shard(const saving *s, size_t shard, const char *path, fanin_text *header,
                                 uint64_t *file_nbytes)
{
    size_t first = s->shards.first[shard], n = s->shards.first[shard + 1] - first;
    for (size_t i = 0; i < n; i++) {
        size_t id = s->shards.tensors[first + i];
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(s->plan, id);
        s->tensors[i] = (fanin_safetensors_tensor){.name = tensor->name,
                                                   .dtype = tensor->dtype,
                                                   .ndim = tensor->ndim,
                                                   .shape = tensor->shape,
                                                   .nelem = tensor->nelem,
                                                   .id = id};
    }
    FANIN_TRY(fanin_safetensors_format(s->tensors, n, s->pairs, collect_metadata(s, shard), path, header, s->error));
    for (size_t i = 0; i < n; i++)
        s->offsets[s->tensors[i].id] = header->nbytes + s->tensors[i].begin;
    *file_nbytes = header->nbytes + (n > 0 ? s->tensors[n - 1].end : 0);
    return FANIN_OK;
}

/* Headers are small work, and one that is refused should be before there is a file. */
static fanin_status check_headers(const saving *s)
{
    fanin_status status = FANIN_OK;
    for (size_t shard = 0; shard < s->shards.nshards && status == FANIN_OK; shard++) {
        fanin_text header = {0};
        uint64_t nbytes;
        status = format_shard(s, shard, s->write->path, &header, &nbytes);
        fanin_text_release(&header);
    }
    return status;
}

/* -- Making the files ------------------------------------------------------------------------------------------- */

typedef struct filling {
    saving *of;
    size_t shard;
    fanin_file_writer writer;
} filling;

static fanin_status fill_shard(void *user, const fanin_partial *partial)
{
    filling *f = user;
    saving *s = f->of;
    const bool is_hashed = !s->write->no_digest;
    size_t first = s->shards.first[f->shard];
    fanin_file_sink file = fanin_file_sink_create(&f->writer, s->offsets);
    const fanin_together together = {.maker = &s->maker,
                                     .tensors = s->shards.tensors + first,
                                     .ntensors = s->shards.first[f->shard + 1] - first,
                                     .sink = &file.sink,
                                     .digests = is_hashed ? s->digests : NULL};
    fanin_file_writer_begin(&f->writer, partial->fd, partial->path,
                            fanin_count_together(s->options->parallel, is_hashed));
    fanin_status status = fanin_make_together(&together, s->error);
    if (status == FANIN_OK)
        status = fanin_file_writer_finish(&f->writer, s->error);
    fanin_file_writer_end(&f->writer);
    return status;
}

static fanin_status write_shard(saving *s, size_t shard)
{
    filling f = {.of = s, .shard = shard};
    fanin_text header = {0};
    uint64_t nbytes;
    fanin_status status = format_shard(s, shard, s->write->path, &header, &nbytes);
    if (status == FANIN_OK)
        status = fanin_publication_write(&s->files, shard, &header, nbytes, fill_shard, &f);
    fanin_text_release(&header);
    return status;
}

/* Nothing where there is one file. */
static fanin_status format_index(const saving *s, fanin_text *text)
{
    size_t ntensors = fanin_plan_tensor_count(s->plan), n = 0;
    if (s->shards.nshards < 2)
        return FANIN_OK;
    fanin_index_entry *entries = fanin_allocate(ntensors, sizeof *entries);
    if (entries == NULL)
        return fanin_fail_memory(s->error, ntensors * sizeof *entries);
    for (size_t i = 0; i < ntensors; i++)
        if (s->shards.of_tensor[i] != SIZE_MAX)
            entries[n++] = (fanin_index_entry){.tensor = fanin_plan_tensor_at(s->plan, i)->name,
                                               .file = s->names[s->shards.of_tensor[i]]};
    fanin_status status = fanin_index_format(entries, n, s->shards.nbytes, text, s->error);
    fanin_free(entries);
    return status;
}

static const fanin_text *text_or_none(const fanin_text *text)
{
    return text->nbytes > 0 ? text : NULL;
}

static fanin_status write_files(saving *s)
{
    fanin_text index = {0};
    FANIN_TRY(fanin_publication_open(&s->files));
    for (size_t shard = 0; shard < s->shards.nshards; shard++)
        FANIN_TRY(write_shard(s, shard));
    fanin_status status = format_index(s, &index);
    if (status == FANIN_OK)
        status = fanin_publication_write_beside(&s->files, text_or_none(&index));
    fanin_text_release(&index);
    return status;
}

static fanin_status save(saving *s, fanin_write_result *result)
{
    FANIN_TRY(write_files(s));
    if (!s->write->no_digest)
        FANIN_TRY(fanin_plan_content_digest(s->plan, s->digests, &result->digest, s->error));
    return fanin_publication_commit(&s->files);
}

/* -- Saying what would be done ---------------------------------------------------------------------------------- */

typedef struct reporting {
    fanin_file_report report;
    void *user;
} reporting;

static fanin_status report_shard(const saving *s, const reporting *to, size_t shard)
{
    fanin_text header = {0};
    uint64_t nbytes = 0;
    fanin_status status = format_shard(s, shard, s->write->path, &header, &nbytes);
    fanin_text_release(&header);
    FANIN_TRY(status);
    char *path = fanin_publication_path_of(&s->files, shard);
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->write->path) + FANIN_SHARD_NAME_NBYTES);
    to->report(to->user, path, nbytes);
    fanin_free(path);
    return FANIN_OK;
}

static fanin_status report_files(const saving *s, const reporting *to)
{
    fanin_text index = {0};
    for (size_t shard = 0; shard < s->shards.nshards; shard++)
        FANIN_TRY(report_shard(s, to, shard));
    fanin_status status = format_index(s, &index);
    if (status == FANIN_OK)
        status = fanin_publication_report(&s->files, text_or_none(&index), to->report, to->user);
    fanin_text_release(&index);
    return status;
}

/* -- Both ------------------------------------------------------------------------------------------------------- */

/* to: NULL to write, else whom to tell what would be written. */
static fanin_status check_and_save(saving *s, const reporting *to, fanin_write_result *result)
{
    FANIN_TRY(prepare(s));
    FANIN_TRY(check_headers(s));
    FANIN_TRY(fanin_publication_begin(&s->files, s->write, s->provenance.sha256, s->names, s->shards.nshards,
                                      s->provenance.plan_beside ? s->provenance.plan : NULL, s->provenance.plan_nbytes,
                                      s->error));
    *result = (fanin_write_result){.nbytes = s->shards.nbytes, .nfiles = s->shards.nshards};
    if (to == NULL)
        return save(s, result);
    return to->report != NULL ? report_files(s, to) : FANIN_OK;
}

static fanin_status begin_and_end(const fanin_plan *plan, const fanin_run_options *options,
                                  const fanin_write_options *write, const reporting *to, fanin_write_result *result,
                                  fanin_error *error)
{
    fanin_write_result local;
    fanin_clear(error);
    FANIN_TRY(fanin_write_options_check(write, error));
    FANIN_TRY(fanin_plan_check_refusals(plan, error));
    saving s = {.plan = plan, .options = options, .write = write, .error = error};
    FANIN_TRY(fanin_maker_begin(&s.maker, plan, options, error));
    fanin_status status = check_and_save(&s, to, &local);
    if (status == FANIN_OK && result != NULL)
        *result = local;
    fanin_publication_end(&s.files);
    fanin_shards_release(&s.shards);
    fanin_provenance_release(&s.provenance);
    fanin_free(s.names);
    fanin_free(s.shard_names);
    fanin_free(s.digests);
    fanin_free(s.offsets);
    fanin_free(s.ties);
    fanin_free(s.pairs);
    fanin_free(s.tensors);
    fanin_maker_end(&s.maker);
    return status;
}

fanin_status fanin_run_checkpoint(const fanin_plan *plan, const fanin_run_options *options,
                                  const fanin_write_options *write, fanin_write_result *result, fanin_error *error)
{
    return begin_and_end(plan, options, write, NULL, result, error);
}

fanin_status fanin_run_checkpoint_check(const fanin_plan *plan, const fanin_run_options *options,
                                        const fanin_write_options *write, fanin_file_report report, void *user,
                                        fanin_write_result *result, fanin_error *error)
{
    const reporting to = {report, user};
    return begin_and_end(plan, options, write, &to, result, error);
}
