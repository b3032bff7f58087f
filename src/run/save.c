/* SPDX-License-Identifier: MIT */
/*
 * Writing a plan's checkpoint. All files are made whole under temporary names first; only when nothing is left that can
 * run out of space or be interrupted do they get their names, the one that makes the checkpoint visible last.
 */
#include "fanin/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/file_calls.h"
#include "format/index.h"
#include "format/partial.h"
#include "format/path.h"
#include "run/chunk.h"
#include "run/content.h"
#include "run/provenance.h"
#include "run/shards.h"
#include "run/together.h"

static const char index_name[] = "model.safetensors.index.json";
static const char config_name[] = "config.json";
static const uint64_t default_shard_nbytes = 5000000000;

typedef struct saving {
    const fanin_plan *plan;
    const fanin_run_options *options;
    const fanin_write_options *write;
    fanin_error *error;
    fanin_maker maker;
    bool is_folder;
    char *folder;
    bool made_folder;
    bool has_lock;
    int lock;
    fanin_provenance provenance;
    char tag[17];
    fanin_shards shards;
    fanin_safetensors_tensor *tensors; /* of the shard at hand */
    fanin_pair *pairs;                 /* its metadata */
    size_t *ties;                      /* the tied names of the plan */
    size_t nties;
    uint64_t *offsets; /* of each tensor in its file */
    uint8_t (*digests)[32];
    bool writes_config;
    bool has_old_index;
    fanin_index old_index;   /* empty if there is none, or none that can be read */
    fanin_partial *partials; /* in the order in which they get their names */
    size_t npartials;
} saving;

/* -- What is to be written -------------------------------------------------------------------------------------- */

static fanin_status check_options(const fanin_write_options *write, fanin_error *error)
{
    if (write == NULL || write->size < sizeof *write)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "fanin_write_options.size must be sizeof(fanin_write_options), %zu, not %zu", sizeof *write,
                          write != NULL ? write->size : 0);
    if (write->path == NULL || write->path[0] == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "the output has no name: give PATH.safetensors or a folder");
    return FANIN_OK;
}

static fanin_status prepare(saving *s)
{
    const char *path = s->write->path;
    size_t ntensors = fanin_plan_tensor_count(s->plan);
    uint64_t max_nbytes = s->write->max_shard_nbytes > 0 ? s->write->max_shard_nbytes : default_shard_nbytes;
    s->is_folder = !fanin_path_ends_with(path, ".safetensors");
    s->folder = s->is_folder ? fanin_duplicate(path, strlen(path)) : fanin_path_folder(path);
    s->tensors = fanin_allocate(ntensors, sizeof *s->tensors);
    s->pairs = fanin_allocate(ntensors + sizeof s->provenance.pairs / sizeof *s->pairs, sizeof *s->pairs);
    s->ties = fanin_allocate(ntensors, sizeof *s->ties);
    s->offsets = fanin_allocate(ntensors, sizeof *s->offsets);
    s->digests = fanin_allocate(ntensors, sizeof *s->digests);
    if (s->folder == NULL || s->tensors == NULL || s->pairs == NULL || s->ties == NULL || s->offsets == NULL ||
        s->digests == NULL)
        return fanin_fail_memory(s->error, ntensors * sizeof *s->tensors);
    for (size_t i = 0; i < ntensors; i++)
        if (fanin_plan_tensor_at(s->plan, i)->tied_to != NULL)
            s->ties[s->nties++] = i;
    FANIN_TRY(fanin_provenance_create(&s->provenance, s->plan, s->options->seed, s->write->source, s->error));
    memcpy(s->tag, s->provenance.sha256, sizeof s->tag - 1);
    FANIN_TRY(fanin_shards_create(&s->shards, s->plan, s->is_folder ? max_nbytes : UINT64_MAX, s->error));
    s->maker.total_nbytes = s->shards.nbytes;
    s->partials = fanin_allocate_zeroed(s->shards.nshards + 3, sizeof *s->partials);
    return s->partials != NULL ? FANIN_OK : fanin_fail_memory(s->error, s->shards.nshards * sizeof *s->partials);
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

/* -- What is there already -------------------------------------------------------------------------------------- */

static char *path_of(const saving *s, const char *name)
{
    return fanin_path_join(s->folder, name);
}

static char *path_of_shard(const saving *s, size_t shard)
{
    char name[FANIN_SHARD_NAME_NBYTES];
    if (!s->is_folder)
        return fanin_duplicate(s->write->path, strlen(s->write->path));
    fanin_shard_name(&s->shards, shard, name);
    return path_of(s, name);
}

/* Takes the path (which may be NULL). Only a regular file may be replaced, and only by force. */
static fanin_status check_output(const saving *s, char *path, bool *exists)
{
    fanin_file_info info;
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder) + FANIN_SHARD_NAME_NBYTES);
    fanin_status status = FANIN_OK;
    int code = fanin_file_stat(path, &info);
    *exists = code >= 0;
    if (code < 0 && code != -ENOENT)
        status = fanin_fail_io(s->error, code, "look at", path);
    else if (code >= 0 && info.kind != FANIN_FILE_REGULAR)
        status = fanin_fail(s->error, FANIN_ERROR_ARGUMENT, "%s: is %s, which no file can take the place of", path,
                            info.kind == FANIN_FILE_DIRECTORY ? "a folder" : "a pipe, device or socket");
    else if (code >= 0 && !s->write->force)
        status = fanin_fail(s->error, FANIN_ERROR_EXISTS,
                            "%s: exists already; choose another output, or give --force to replace it", path);
    fanin_free(path);
    return status;
}

/* A config.json that holds what would be written is left as it is: the folder may be the one it was read from. */
static fanin_status check_config(saving *s)
{
    const char *text = s->write->config_json;
    if (!s->is_folder || text == NULL)
        return FANIN_OK;
    char *path = path_of(s, config_name), *old = NULL;
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder));
    fanin_file_info info;
    size_t nbytes = strlen(text), old_nbytes = 0;
    fanin_status status = FANIN_OK;
    if (fanin_file_stat(path, &info) >= 0 && info.kind == FANIN_FILE_REGULAR && info.nbytes == nbytes)
        status = fanin_read_file(path, nbytes, &old, &old_nbytes, s->error);
    s->writes_config = old == NULL || old_nbytes != nbytes || memcmp(old, text, nbytes) != 0;
    fanin_free(old);
    fanin_free(path);
    if (status != FANIN_OK || !s->writes_config)
        return status;
    bool exists;
    return check_output(s, path_of(s, config_name), &exists);
}

static fanin_status read_old_index(saving *s)
{
    char *path = path_of(s, index_name);
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder));
    fanin_error ignored;
    fanin_status status = fanin_index_read(path, &s->old_index, &ignored);
    fanin_free(path);
    /* one that can not be understood names no files to remove */
    return status == FANIN_ERROR_MEMORY ? fanin_fail_memory(s->error, 0) : FANIN_OK;
}

/* The folder a path lies in; "a/b//" lies in a: slashes at the end name nothing. NULL when there is no memory. */
static char *parent_of(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    char *trimmed = fanin_duplicate(path, n), *parent = trimmed != NULL ? fanin_path_folder(trimmed) : NULL;
    fanin_free(trimmed);
    return parent;
}

/* Only the last folder of a path is made. */
static fanin_status check_folder(const saving *s, const char *folder, bool may_be_absent, bool *exists)
{
    fanin_file_info info;
    int code = fanin_file_stat(folder, &info);
    *exists = code >= 0;
    if (code < 0 && !(may_be_absent && code == -ENOENT))
        return fanin_fail_io(s->error, code, "write into the folder", folder);
    if (code >= 0 && info.kind != FANIN_FILE_DIRECTORY)
        return fanin_fail(s->error, FANIN_ERROR_ARGUMENT, "%s: is no folder%s", folder,
                          may_be_absent ? "; for a single file the name must end in .safetensors" : "");
    return FANIN_OK;
}

static fanin_status check_outputs(saving *s)
{
    bool exists;
    FANIN_TRY(check_folder(s, s->folder, s->is_folder, &exists));
    if (!exists) {
        char *parent = parent_of(s->folder);
        fanin_status status =
            parent != NULL ? check_folder(s, parent, false, &exists) : fanin_fail_memory(s->error, strlen(s->folder));
        fanin_free(parent);
        FANIN_TRY(status);
        return check_config(s); /* in a new folder that only decides that it is written */
    }
    if (s->is_folder) {
        FANIN_TRY(check_output(s, path_of(s, index_name), &s->has_old_index));
        FANIN_TRY(check_output(s, path_of(s, "model.safetensors"), &exists));
        FANIN_TRY(check_config(s));
        if (s->has_old_index)
            FANIN_TRY(read_old_index(s));
    }
    if (s->provenance.plan_beside)
        FANIN_TRY(check_output(s, path_of(s, FANIN_PLAN_FILE), &exists));
    for (size_t shard = 0; shard < s->shards.nshards; shard++)
        FANIN_TRY(check_output(s, path_of_shard(s, shard), &exists));
    return FANIN_OK;
}

/* -- Making the files ------------------------------------------------------------------------------------------- */

static fanin_status open_folder(saving *s)
{
    if (!s->is_folder)
        return FANIN_OK;
    int code = fanin_file_make_directory(s->folder);
    if (code < 0 && code != -EEXIST)
        return fanin_fail_io(s->error, code, "make the folder", s->folder);
    s->made_folder = code >= 0;
    FANIN_TRY(fanin_lock_folder(s->folder, &s->lock, s->error));
    s->has_lock = true;
    return FANIN_OK;
}

typedef struct filling {
    const saving *of;
    fanin_file_writer writer;
} filling;

static fanin_status write_tensor(void *user, fanin_maker *maker, size_t tensor, fanin_error *error)
{
    filling *f = user;
    fanin_file_sink file = fanin_file_sink_create(&f->writer, f->of->offsets);
    fanin_digest_sink hashing = fanin_digest_sink_create(&file.sink, f->of->digests);
    return fanin_maker_make(maker, tensor, &hashing.sink, tensor, error);
}

static fanin_status fill_shard(saving *s, size_t shard, const fanin_partial *partial)
{
    filling f = {.of = s};
    size_t first = s->shards.first[shard];
    const fanin_together together = {.maker = &s->maker,
                                     .tensors = s->shards.tensors + first,
                                     .ntensors = s->shards.first[shard + 1] - first,
                                     .make = write_tensor,
                                     .user = &f};
    fanin_file_writer_begin(&f.writer, partial->fd, partial->path);
    fanin_status status = fanin_make_together(&together, s->error);
    fanin_file_writer_end(&f.writer);
    return status;
}

static fanin_status write_shard(saving *s, size_t shard)
{
    fanin_partial *partial = &s->partials[s->npartials++];
    fanin_text header = {0};
    uint64_t nbytes;
    char *path = path_of_shard(s, shard);
    fanin_status status =
        path != NULL ? format_shard(s, shard, path, &header, &nbytes) : fanin_fail_memory(s->error, 0);
    if (status == FANIN_OK)
        status = fanin_partial_create(partial, path, s->tag, nbytes, s->error);
    if (status == FANIN_OK)
        status = fanin_pwrite_all(partial->fd, header.data, header.nbytes, 0, partial->path, s->error);
    fanin_text_release(&header);
    fanin_free(path);
    if (status == FANIN_OK)
        status = fill_shard(s, shard, partial);
    return status == FANIN_OK ? fanin_partial_finish(partial, s->error) : status;
}

static fanin_status write_text(saving *s, const char *name, const char *text, size_t nbytes)
{
    char *path = path_of(s, name);
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder));
    fanin_status status = fanin_partial_write(&s->partials[s->npartials++], path, s->tag, text, nbytes, s->error);
    fanin_free(path);
    return status;
}

static fanin_status format_index(const saving *s, fanin_text *text)
{
    size_t ntensors = fanin_plan_tensor_count(s->plan), n = 0, nshards = s->shards.nshards;
    fanin_index_entry *entries = fanin_allocate(ntensors, sizeof *entries);
    char(*names)[FANIN_SHARD_NAME_NBYTES] = fanin_allocate(nshards, sizeof *names);
    fanin_status status = FANIN_OK;
    if (entries == NULL || names == NULL) {
        status = fanin_fail_memory(s->error, ntensors * sizeof *entries);
    } else {
        for (size_t shard = 0; shard < nshards; shard++)
            fanin_shard_name(&s->shards, shard, names[shard]);
        for (size_t i = 0; i < ntensors; i++)
            if (s->shards.of_tensor[i] != SIZE_MAX)
                entries[n++] = (fanin_index_entry){.tensor = fanin_plan_tensor_at(s->plan, i)->name,
                                                   .file = names[s->shards.of_tensor[i]]};
        status = fanin_index_format(entries, n, s->shards.nbytes, text, s->error);
    }
    fanin_free(names);
    fanin_free(entries);
    return status;
}

static fanin_status write_index(saving *s)
{
    fanin_text text = {0};
    fanin_status status = format_index(s, &text);
    if (status == FANIN_OK)
        status = write_text(s, index_name, text.data, text.nbytes);
    fanin_text_release(&text);
    return status;
}

/* The file that makes the checkpoint visible is made last: the index, or the one file of weights. */
static fanin_status write_files(saving *s)
{
    for (size_t shard = 0; shard < s->shards.nshards; shard++)
        FANIN_TRY(write_shard(s, shard));
    if (s->writes_config)
        FANIN_TRY(write_text(s, config_name, s->write->config_json, strlen(s->write->config_json)));
    if (s->provenance.plan_beside)
        FANIN_TRY(write_text(s, FANIN_PLAN_FILE, s->provenance.plan, s->provenance.plan_nbytes));
    if (s->shards.nshards > 1)
        return write_index(s);
    fanin_partial weights = s->partials[0];
    memmove(s->partials, s->partials + 1, (s->npartials - 1) * sizeof *s->partials);
    s->partials[s->npartials - 1] = weights;
    return FANIN_OK;
}

/* -- Giving them their names ------------------------------------------------------------------------------------ */

static fanin_status remove_named(const saving *s, const char *name)
{
    char *path = path_of(s, name);
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder));
    fanin_status status = fanin_remove(path, s->error);
    fanin_free(path);
    return status;
}

/* What was put in place of nothing is taken back; what replaced an older file stays, since that is gone. */
static fanin_status publish(saving *s)
{
    for (size_t i = 0; i < s->npartials; i++) {
        fanin_status status = fanin_partial_publish(&s->partials[i], s->error);
        if (status == FANIN_OK)
            continue;
        for (size_t k = 0; k < i && !s->write->force; k++)
            (void)fanin_remove(s->partials[k].name, NULL);
        return status;
    }
    return FANIN_OK;
}

static bool is_written(const saving *s, const char *name)
{
    char written[FANIN_SHARD_NAME_NBYTES];
    for (size_t shard = 0; shard < s->shards.nshards; shard++) {
        fanin_shard_name(&s->shards, shard, written);
        if (strcmp(written, name) == 0)
            return true;
    }
    return false;
}

/* What is left of the checkpoint that was replaced: nothing leads to it any more, or it would go before the new one. */
static fanin_status remove_leftovers(const saving *s)
{
    if (!s->provenance.plan_beside)
        FANIN_TRY(remove_named(s, FANIN_PLAN_FILE));
    if (!is_written(s, "model.safetensors"))
        FANIN_TRY(remove_named(s, "model.safetensors"));
    for (size_t i = 0; i < s->old_index.nfiles; i++)
        if (!is_written(s, s->old_index.files[i]))
            FANIN_TRY(remove_named(s, s->old_index.files[i]));
    return FANIN_OK;
}

static fanin_status sync_parent(const saving *s)
{
    char *parent = parent_of(s->folder);
    fanin_status status =
        parent != NULL ? fanin_sync_folder(parent, s->error) : fanin_fail_memory(s->error, strlen(s->folder));
    fanin_free(parent);
    return status;
}

static fanin_status clean_up(const saving *s)
{
    FANIN_TRY(fanin_sync_folder(s->folder, s->error));
    if (s->is_folder && s->write->force) {
        FANIN_TRY(remove_leftovers(s));
        FANIN_TRY(fanin_sync_folder(s->folder, s->error));
    }
    return s->made_folder ? sync_parent(s) : FANIN_OK;
}

/*
 * An old index goes first: from here to the new one, no index may lead to a mixture of old and new shards. Everything
 * that takes time or space is done by then.
 */
static fanin_status commit(saving *s)
{
    if (s->has_old_index) {
        FANIN_TRY(remove_named(s, index_name));
        FANIN_TRY(fanin_sync_folder(s->folder, s->error));
    }
    FANIN_TRY(publish(s));
    fanin_status status = clean_up(s);
    if (status != FANIN_OK)
        fanin_fail_within(s->error, "the checkpoint %s is complete, but", s->write->path);
    return status;
}

static fanin_status save(saving *s, fanin_write_result *result)
{
    FANIN_TRY(open_folder(s));
    FANIN_TRY(write_files(s));
    FANIN_TRY(fanin_plan_content_digest(s->plan, s->digests, &result->digest, s->error));
    return commit(s);
}

/* -- Saying what would be done ---------------------------------------------------------------------------------- */

typedef struct reporting {
    fanin_file_report report;
    void *user;
} reporting;

/* Takes the path, which may be NULL. */
static fanin_status report_file(const saving *s, const reporting *to, char *path, uint64_t nbytes)
{
    if (path == NULL)
        return fanin_fail_memory(s->error, strlen(s->folder) + FANIN_SHARD_NAME_NBYTES);
    to->report(to->user, path, nbytes);
    fanin_free(path);
    return FANIN_OK;
}

static fanin_status report_index(const saving *s, const reporting *to)
{
    fanin_text text = {0};
    fanin_status status = format_index(s, &text);
    if (status == FANIN_OK)
        status = report_file(s, to, path_of(s, index_name), text.nbytes);
    fanin_text_release(&text);
    return status;
}

static fanin_status report_files(const saving *s, const reporting *to)
{
    for (size_t shard = 0; shard < s->shards.nshards; shard++) {
        fanin_text header = {0};
        uint64_t nbytes = 0;
        fanin_status status = format_shard(s, shard, s->write->path, &header, &nbytes);
        fanin_text_release(&header);
        FANIN_TRY(status);
        FANIN_TRY(report_file(s, to, path_of_shard(s, shard), nbytes));
    }
    if (s->writes_config)
        FANIN_TRY(report_file(s, to, path_of(s, config_name), strlen(s->write->config_json)));
    if (s->provenance.plan_beside)
        FANIN_TRY(report_file(s, to, path_of(s, FANIN_PLAN_FILE), s->provenance.plan_nbytes));
    return s->shards.nshards > 1 ? report_index(s, to) : FANIN_OK;
}

/* -- Both ------------------------------------------------------------------------------------------------------- */

/* to: NULL to write, else whom to tell what would be written. */
static fanin_status check_and_save(saving *s, const reporting *to, fanin_write_result *result)
{
    FANIN_TRY(prepare(s));
    FANIN_TRY(check_headers(s));
    FANIN_TRY(check_outputs(s));
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
    FANIN_TRY(check_options(write, error));
    FANIN_TRY(fanin_plan_check_refusals(plan, error));
    saving s = {.plan = plan, .options = options, .write = write, .error = error};
    FANIN_TRY(fanin_maker_begin(&s.maker, plan, options, error));
    fanin_status status = check_and_save(&s, to, &local);
    if (status == FANIN_OK && result != NULL)
        *result = local;
    for (size_t i = 0; i < s.npartials; i++)
        fanin_partial_discard(&s.partials[i]);
    if (s.has_lock)
        fanin_unlock_folder(s.lock);
    fanin_index_release(&s.old_index);
    fanin_shards_release(&s.shards);
    fanin_provenance_release(&s.provenance);
    fanin_free(s.partials);
    fanin_free(s.digests);
    fanin_free(s.offsets);
    fanin_free(s.ties);
    fanin_free(s.pairs);
    fanin_free(s.tensors);
    fanin_free(s.folder);
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
