/* SPDX-License-Identifier: MIT */
/*
 * Checking, making and naming the files of a checkpoint.
 */
#include "run/publish.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "base/memory.h"
#include "format/file_calls.h"
#include "format/path.h"

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";
static const char config_name[] = "config.json";

fanin_status fanin_write_options_check(const fanin_write_options *write, fanin_error *error)
{
    if (write == NULL || write->size < sizeof *write)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "fanin_write_options.size must be sizeof(fanin_write_options), %zu, not %zu", sizeof *write,
                          write != NULL ? write->size : 0);
    if (write->path == NULL || write->path[0] == 0)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "the output has no name: give PATH.safetensors or a folder");
    return FANIN_OK;
}

bool fanin_output_is_folder(const char *path)
{
    return !fanin_path_ends_with(path, ".safetensors");
}

/* -- What is there already -------------------------------------------------------------------------------------- */

static char *path_of(const fanin_publication *p, const char *name)
{
    return fanin_path_join(p->folder, name);
}

char *fanin_publication_path_of(const fanin_publication *p, size_t file)
{
    return p->is_folder ? path_of(p, p->names[file]) : fanin_duplicate(p->write->path, strlen(p->write->path));
}

/* Takes the path (which may be NULL). Only a regular file may be replaced, and only by force. */
static fanin_status check_output(const fanin_publication *p, char *path, bool *exists)
{
    fanin_file_info info;
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    fanin_status status = FANIN_OK;
    int code = fanin_file_stat(path, &info);
    *exists = code >= 0;
    if (code < 0 && code != -ENOENT)
        status = fanin_fail_io(p->error, code, "look at", path);
    else if (code >= 0 && info.kind != FANIN_FILE_REGULAR)
        status = fanin_fail(p->error, FANIN_ERROR_ARGUMENT, "%s: is %s, which no file can take the place of", path,
                            info.kind == FANIN_FILE_DIRECTORY ? "a folder" : "a pipe, device or socket");
    else if (code >= 0 && !p->write->force)
        status = fanin_fail(p->error, FANIN_ERROR_EXISTS,
                            "%s: exists already; choose another output, or give --force to replace it", path);
    fanin_free(path);
    return status;
}

/* A config.json that holds what would be written is left as it is: the folder may be the one it was read from. */
static fanin_status check_config(fanin_publication *p)
{
    const char *text = p->write->config_json;
    if (!p->is_folder || text == NULL)
        return FANIN_OK;
    char *path = path_of(p, config_name), *old = NULL;
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    fanin_file_info info;
    size_t nbytes = strlen(text), old_nbytes = 0;
    fanin_status status = FANIN_OK;
    if (fanin_file_stat(path, &info) >= 0 && info.kind == FANIN_FILE_REGULAR && info.nbytes == nbytes)
        status = fanin_read_file(path, nbytes, &old, &old_nbytes, p->error);
    p->writes_config = old == NULL || old_nbytes != nbytes || memcmp(old, text, nbytes) != 0;
    fanin_free(old);
    fanin_free(path);
    if (status != FANIN_OK || !p->writes_config)
        return status;
    bool exists;
    return check_output(p, path_of(p, config_name), &exists);
}

static fanin_status read_old_index(fanin_publication *p)
{
    char *path = path_of(p, index_name);
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    fanin_error ignored;
    fanin_status status = fanin_index_read(path, &p->old_index, &ignored);
    fanin_free(path);
    /* one that can not be understood names no files to remove */
    return status == FANIN_ERROR_MEMORY ? fanin_fail_memory(p->error, 0) : FANIN_OK;
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
static fanin_status check_folder(const fanin_publication *p, const char *folder, bool may_be_absent, bool *exists)
{
    fanin_file_info info;
    int code = fanin_file_stat(folder, &info);
    *exists = code >= 0;
    if (code < 0 && !(may_be_absent && code == -ENOENT))
        return fanin_fail_io(p->error, code, "write into the folder", folder);
    if (code >= 0 && info.kind != FANIN_FILE_DIRECTORY)
        return fanin_fail(p->error, FANIN_ERROR_ARGUMENT, "%s: is no folder%s", folder,
                          may_be_absent ? "; for a single file the name must end in .safetensors" : "");
    return FANIN_OK;
}

static fanin_status check_outputs(fanin_publication *p)
{
    bool exists;
    FANIN_TRY(check_folder(p, p->folder, p->is_folder, &exists));
    if (!exists) {
        char *parent = parent_of(p->folder);
        fanin_status status =
            parent != NULL ? check_folder(p, parent, false, &exists) : fanin_fail_memory(p->error, strlen(p->folder));
        fanin_free(parent);
        FANIN_TRY(status);
        return check_config(p); /* in a new folder that only decides that it is written */
    }
    if (p->is_folder) {
        FANIN_TRY(check_output(p, path_of(p, index_name), &p->has_old_index));
        FANIN_TRY(check_output(p, path_of(p, single_name), &exists));
        FANIN_TRY(check_config(p));
        if (p->has_old_index)
            FANIN_TRY(read_old_index(p));
    }
    if (p->plan != NULL)
        FANIN_TRY(check_output(p, path_of(p, FANIN_PLAN_FILE), &exists));
    for (size_t file = 0; file < p->nnames; file++)
        FANIN_TRY(check_output(p, fanin_publication_path_of(p, file), &exists));
    return FANIN_OK;
}

fanin_status fanin_publication_begin(fanin_publication *p, const fanin_write_options *write, const char *sha256_hex,
                                     const char *const *names, size_t nnames, const char *plan, size_t plan_nbytes,
                                     fanin_error *error)
{
    const char *path = write->path;
    *p = (fanin_publication){.write = write,
                             .error = error,
                             .is_folder = fanin_output_is_folder(path),
                             .names = names,
                             .nnames = nnames,
                             .plan = plan,
                             .plan_nbytes = plan_nbytes};
    memcpy(p->tag, sha256_hex, sizeof p->tag - 1);
    p->folder = p->is_folder ? fanin_duplicate(path, strlen(path)) : fanin_path_folder(path);
    /* beside the weights: config, plan, index */
    p->partials = fanin_allocate_zeroed(nnames + 3, sizeof *p->partials);
    if (p->folder == NULL || p->partials == NULL)
        return fanin_fail_memory(error, (nnames + 3) * sizeof *p->partials);
    return check_outputs(p);
}

void fanin_publication_end(fanin_publication *p)
{
    for (size_t i = 0; i < p->npartials; i++)
        fanin_partial_discard(&p->partials[i]);
    if (p->has_lock)
        fanin_unlock_folder(p->lock);
    fanin_index_release(&p->old_index);
    fanin_free(p->partials);
    fanin_free(p->folder);
    *p = (fanin_publication){0};
}

/* -- Making the files ------------------------------------------------------------------------------------------- */

fanin_status fanin_publication_open(fanin_publication *p)
{
    if (!p->is_folder)
        return FANIN_OK;
    int code = fanin_file_make_directory(p->folder);
    if (code < 0 && code != -EEXIST)
        return fanin_fail_io(p->error, code, "make the folder", p->folder);
    p->made_folder = code >= 0;
    FANIN_TRY(fanin_lock_folder(p->folder, &p->lock, p->error));
    p->has_lock = true;
    return FANIN_OK;
}

fanin_status fanin_publication_write(fanin_publication *p, size_t file, const fanin_text *header, uint64_t nbytes,
                                     fanin_status (*fill)(void *user, const fanin_partial *partial), void *user)
{
    fanin_partial *partial = &p->partials[p->npartials++];
    char *path = fanin_publication_path_of(p, file);
    fanin_status status = path != NULL ? fanin_partial_create(partial, path, p->tag, nbytes, p->error)
                                       : fanin_fail_memory(p->error, strlen(p->folder));
    fanin_free(path);
    if (status == FANIN_OK)
        status = fanin_pwrite_all(partial->fd, header->data, header->nbytes, 0, partial->path, p->error);
    if (status == FANIN_OK)
        status = fill(user, partial);
    return status == FANIN_OK ? fanin_partial_finish(partial, p->error) : status;
}

static fanin_status write_text(fanin_publication *p, const char *name, const char *text, size_t nbytes)
{
    char *path = path_of(p, name);
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    fanin_status status = fanin_partial_write(&p->partials[p->npartials++], path, p->tag, text, nbytes, p->error);
    fanin_free(path);
    return status;
}

/* The file that makes the checkpoint visible is made last: the index, or the one file of weights. */
fanin_status fanin_publication_write_beside(fanin_publication *p, const fanin_text *index)
{
    if (p->writes_config)
        FANIN_TRY(write_text(p, config_name, p->write->config_json, strlen(p->write->config_json)));
    if (p->plan != NULL)
        FANIN_TRY(write_text(p, FANIN_PLAN_FILE, p->plan, p->plan_nbytes));
    if (index != NULL)
        return write_text(p, index_name, index->data, index->nbytes);
    fanin_partial weights = p->partials[0];
    memmove(p->partials, p->partials + 1, (p->npartials - 1) * sizeof *p->partials);
    p->partials[p->npartials - 1] = weights;
    return FANIN_OK;
}

/* -- Giving them their names ------------------------------------------------------------------------------------ */

static fanin_status remove_named(const fanin_publication *p, const char *name)
{
    char *path = path_of(p, name);
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    fanin_status status = fanin_remove(path, p->error);
    fanin_free(path);
    return status;
}

/* What was put in place of nothing is taken back; what replaced an older file stays, since that is gone. */
static fanin_status publish(fanin_publication *p)
{
    for (size_t i = 0; i < p->npartials; i++) {
        fanin_status status = fanin_partial_publish(&p->partials[i], p->error);
        if (status == FANIN_OK)
            continue;
        for (size_t k = 0; k < i && !p->write->force; k++)
            (void)fanin_remove(p->partials[k].name, NULL);
        return status;
    }
    return FANIN_OK;
}

static bool is_written(const fanin_publication *p, const char *name)
{
    for (size_t file = 0; file < p->nnames; file++)
        if (strcmp(p->names[file], name) == 0)
            return true;
    return false;
}

/* What is left of the checkpoint that was replaced: nothing leads to it any more, or it would go before the new one. */
static fanin_status remove_leftovers(const fanin_publication *p)
{
    if (p->plan == NULL)
        FANIN_TRY(remove_named(p, FANIN_PLAN_FILE));
    if (!is_written(p, single_name))
        FANIN_TRY(remove_named(p, single_name));
    for (size_t i = 0; i < p->old_index.nfiles; i++)
        if (!is_written(p, p->old_index.files[i]))
            FANIN_TRY(remove_named(p, p->old_index.files[i]));
    return FANIN_OK;
}

static fanin_status sync_parent(const fanin_publication *p)
{
    char *parent = parent_of(p->folder);
    fanin_status status =
        parent != NULL ? fanin_sync_folder(parent, p->error) : fanin_fail_memory(p->error, strlen(p->folder));
    fanin_free(parent);
    return status;
}

static fanin_status clean_up(const fanin_publication *p)
{
    FANIN_TRY(fanin_sync_folder(p->folder, p->error));
    if (p->is_folder && p->write->force) {
        FANIN_TRY(remove_leftovers(p));
        FANIN_TRY(fanin_sync_folder(p->folder, p->error));
    }
    return p->made_folder ? sync_parent(p) : FANIN_OK;
}

/*
 * An old index goes first: from here to the new one, no index may lead to a mixture of old and new shards. Everything
 * that takes time or space is done by then.
 */
fanin_status fanin_publication_commit(fanin_publication *p)
{
    if (p->has_old_index) {
        FANIN_TRY(remove_named(p, index_name));
        FANIN_TRY(fanin_sync_folder(p->folder, p->error));
    }
    FANIN_TRY(publish(p));
    fanin_status status = clean_up(p);
    if (status != FANIN_OK)
        fanin_fail_within(p->error, "the checkpoint %s is complete, but", p->write->path);
    return status;
}

/* -- Saying what would be done ---------------------------------------------------------------------------------- */

static fanin_status report_file(const fanin_publication *p, const char *name, uint64_t nbytes, fanin_file_report report,
                                void *user)
{
    char *path = path_of(p, name);
    if (path == NULL)
        return fanin_fail_memory(p->error, strlen(p->folder));
    report(user, path, nbytes);
    fanin_free(path);
    return FANIN_OK;
}

fanin_status fanin_publication_report(const fanin_publication *p, const fanin_text *index, fanin_file_report report,
                                      void *user)
{
    if (p->writes_config)
        FANIN_TRY(report_file(p, config_name, strlen(p->write->config_json), report, user));
    if (p->plan != NULL)
        FANIN_TRY(report_file(p, FANIN_PLAN_FILE, p->plan_nbytes, report, user));
    return index != NULL ? report_file(p, index_name, index->nbytes, report, user) : FANIN_OK;
}
