/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints on disk: one safetensors file, shards that agree with their index, or the one array of a .npy file. Files
 * stay open as long as the checkpoint, so that what is read is what was checked, even if a name is given to another
 * file meanwhile.
 */
#include "fanin/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/checkpoint_metadata.h"
#include "format/file_calls.h"
#include "format/index.h"
#include "format/npy.h"
#include "format/path.h"
#include "format/safetensors.h"

static const char single_name[] = "model.safetensors";
static const char index_name[] = "model.safetensors.index.json";

typedef struct checkpoint_file {
    char *path;
    int fd; /* -1: not open */
    fanin_safetensors_header header;
    fanin_npy_header *npy; /* of an array that is stored column by column; NULL */
} checkpoint_file;

struct fanin_checkpoint {
    const char *path; /* as it was opened */
    checkpoint_file *files;
    size_t nfiles;
    fanin_checkpoint_tensor *tensors; /* in byte order of the names; strings and shapes are the headers' */
    size_t ntensors;
    const char **warnings;
    size_t nwarnings;
    fanin_index index; /* empty for a single file */
    fanin_arena arena;
};

/* -- Opening ---------------------------------------------------------------------------------------------------- */

static fanin_status open_file(fanin_checkpoint *checkpoint, char *path, fanin_error *error)
{
    checkpoint_file *file = &checkpoint->files[checkpoint->nfiles++];
    file->path = path;
    file->fd = -1;
    if (path == NULL)
        return fanin_fail_memory(error, 1);
    return fanin_safetensors_open(path, &file->fd, &file->header, error);
}

/* The header of an array as that of a file with one tensor. */
static fanin_status describe_array(checkpoint_file *file, const fanin_npy_header *npy, fanin_error *error)
{
    fanin_safetensors_header *header = &file->header;
    fanin_safetensors_tensor *tensor = fanin_arena_allocate(&header->arena, 1, sizeof *tensor);
    int64_t *shape = fanin_arena_allocate(&header->arena, (size_t)npy->ndim + 1, sizeof *shape);
    const char **warnings = fanin_arena_allocate(&header->arena, 1, sizeof *warnings);
    fanin_npy_header *kept = fanin_arena_allocate(&header->arena, 1, sizeof *kept);
    if (tensor == NULL || shape == NULL || warnings == NULL || kept == NULL)
        return fanin_fail_memory(error, sizeof *tensor + sizeof *kept);
    memcpy(shape, npy->shape, (size_t)npy->ndim * sizeof *shape);
    *kept = *npy;
    *tensor = (fanin_safetensors_tensor){.name = "weight",
                                         .dtype = npy->dtype,
                                         .ndim = npy->ndim,
                                         .shape = shape,
                                         .nelem = npy->nelem,
                                         .end = npy->nelem * fanin_dtype_nbits(npy->dtype) / 8};
    header->tensors = tensor;
    header->ntensors = 1;
    header->warnings = warnings;
    header->data_begin = npy->data_begin;
    file->npy = npy->is_fortran ? kept : NULL;
    if (!npy->is_raw)
        return FANIN_OK;
    warnings[header->nwarnings++] =
        fanin_arena_format(&header->arena, "%s: bytes without a type (V1) are read as f8_e4m3.", file->path);
    return warnings[0] != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(file->path));
}

/* As fill names a tensor that it writes alone. */
static fanin_status open_array(fanin_checkpoint *checkpoint, const char *path, fanin_error *error)
{
    fanin_npy_header npy;
    checkpoint->files = fanin_allocate_zeroed(1, sizeof *checkpoint->files);
    if (checkpoint->files == NULL)
        return fanin_fail_memory(error, sizeof *checkpoint->files);
    checkpoint_file *file = &checkpoint->files[checkpoint->nfiles++];
    file->path = fanin_duplicate(path, strlen(path));
    file->fd = -1;
    if (file->path == NULL)
        return fanin_fail_memory(error, strlen(path));
    FANIN_TRY(fanin_npy_open(path, &file->fd, &npy, error));
    return describe_array(file, &npy, error);
}

static fanin_status open_single(fanin_checkpoint *checkpoint, const char *path, fanin_error *error)
{
    checkpoint->files = fanin_allocate_zeroed(1, sizeof *checkpoint->files);
    if (checkpoint->files == NULL)
        return fanin_fail_memory(error, sizeof *checkpoint->files);
    return open_file(checkpoint, fanin_duplicate(path, strlen(path)), error);
}

static fanin_status open_listed(fanin_checkpoint *checkpoint, const char *folder, const char *path, fanin_error *error)
{
    const fanin_index *index = &checkpoint->index;
    for (size_t i = 0; i < index->nfiles; i++) {
        fanin_status status = open_file(checkpoint, fanin_path_join(folder, index->files[i]), error);
        if (status != FANIN_OK) {
            fanin_fail_within(error, "a shard that %s lists", path);
            return status;
        }
    }
    return FANIN_OK;
}

static fanin_status open_shards(fanin_checkpoint *checkpoint, const char *path, fanin_error *error)
{
    fanin_index *index = &checkpoint->index;
    FANIN_TRY(fanin_index_read(path, index, error));
    checkpoint->files = fanin_allocate_zeroed(index->nfiles, sizeof *checkpoint->files);
    if (checkpoint->files == NULL)
        return fanin_fail_memory(error, index->nfiles * sizeof *checkpoint->files);
    char *folder = fanin_path_folder(path);
    if (folder == NULL)
        return fanin_fail_memory(error, strlen(path));
    fanin_status status = open_listed(checkpoint, folder, path, error);
    fanin_free(folder);
    return status;
}

static int by_name(const void *left, const void *right)
{
    const fanin_checkpoint_tensor *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : a->file < b->file ? -1 : a->file > b->file;
}

static fanin_status collect_tensors(fanin_checkpoint *checkpoint, fanin_error *error)
{
    size_t n = 0, nwarnings = checkpoint->index.nwarnings + 1;
    for (size_t f = 0; f < checkpoint->nfiles; f++) {
        n += checkpoint->files[f].header.ntensors;
        nwarnings += checkpoint->files[f].header.nwarnings;
    }
    checkpoint->tensors = fanin_allocate(n, sizeof *checkpoint->tensors);
    checkpoint->warnings = fanin_arena_allocate(&checkpoint->arena, nwarnings, sizeof *checkpoint->warnings);
    if (checkpoint->tensors == NULL || checkpoint->warnings == NULL)
        return fanin_fail_memory(error, n * sizeof *checkpoint->tensors);
    for (size_t i = 0; i < checkpoint->index.nwarnings; i++)
        checkpoint->warnings[checkpoint->nwarnings++] = checkpoint->index.warnings[i];
    for (size_t f = 0; f < checkpoint->nfiles; f++) {
        const fanin_safetensors_header *header = &checkpoint->files[f].header;
        for (size_t i = 0; i < header->nwarnings; i++)
            checkpoint->warnings[checkpoint->nwarnings++] = header->warnings[i];
        for (size_t i = 0; i < header->ntensors; i++) {
            const fanin_safetensors_tensor *from = &header->tensors[i];
            checkpoint->tensors[checkpoint->ntensors++] = (fanin_checkpoint_tensor){
                .name = from->name,
                .dtype = from->dtype,
                .ndim = from->ndim,
                .shape = from->shape,
                .nelem = from->nelem,
                .nbytes = from->end - from->begin,
                .file = f,
                .offset = header->data_begin + from->begin,
            };
        }
    }
    if (n > 1)
        qsort(checkpoint->tensors, n, sizeof *checkpoint->tensors, by_name);
    return FANIN_OK;
}

/* Every tensor of a shard is listed for that shard, every listed one is there, none is there twice, sizes add up. */
static fanin_status check_index(const fanin_checkpoint *checkpoint, const char *path, fanin_error *error)
{
    const fanin_index *index = &checkpoint->index;
    const fanin_checkpoint_tensor *tensors = checkpoint->tensors;
    char shown[FANIN_SHOW_NBYTES], first[FANIN_SHOW_NBYTES], second[FANIN_SHOW_NBYTES];
    for (size_t i = 1; i < checkpoint->ntensors; i++)
        if (strcmp(tensors[i - 1].name, tensors[i].name) == 0)
            return fanin_fail(
                error, FANIN_ERROR_FORMAT, "%s: tensor %s is in two shards, %s and %s", path,
                fanin_show(tensors[i].name, strlen(tensors[i].name), shown),
                fanin_show(index->files[tensors[i - 1].file], strlen(index->files[tensors[i - 1].file]), first),
                fanin_show(index->files[tensors[i].file], strlen(index->files[tensors[i].file]), second));
    uint64_t total = 0;
    size_t t = 0;
    for (size_t e = 0; e < index->nentries; e++, t++) {
        const fanin_index_entry *entry = &index->entries[e];
        int order = t < checkpoint->ntensors ? strcmp(entry->tensor, tensors[t].name) : -1;
        if (order > 0)
            break;
        if (order < 0)
            return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: lists tensor %s in %s, which does not hold it", path,
                              fanin_show(entry->tensor, strlen(entry->tensor), shown),
                              fanin_show(entry->file, strlen(entry->file), first));
        if (strcmp(entry->file, index->files[tensors[t].file]) != 0)
            return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: lists tensor %s in %s, but it is in %s", path,
                              fanin_show(entry->tensor, strlen(entry->tensor), shown),
                              fanin_show(entry->file, strlen(entry->file), first),
                              fanin_show(index->files[tensors[t].file], strlen(index->files[tensors[t].file]), second));
        if (!fanin_checked_add(total, tensors[t].nbytes, &total))
            return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: the sizes of all tensors add up to more than 64 bits",
                              path);
    }
    if (t < checkpoint->ntensors)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: does not list tensor %s, which %s holds", path,
                          fanin_show(tensors[t].name, strlen(tensors[t].name), shown),
                          fanin_show(index->files[tensors[t].file], strlen(index->files[tensors[t].file]), first));
    if (index->has_total_nbytes && index->total_nbytes != total)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: total_size is %" PRIu64 ", but the tensors take %" PRIu64 " bytes", path,
                          index->total_nbytes, total);
    return FANIN_OK;
}

static fanin_status open_path(fanin_checkpoint *checkpoint, const char *path, fanin_error *error)
{
    bool sharded = fanin_path_ends_with(path, ".json");
    FANIN_TRY(sharded                              ? open_shards(checkpoint, path, error)
              : fanin_path_ends_with(path, ".npy") ? open_array(checkpoint, path, error)
                                                   : open_single(checkpoint, path, error));
    FANIN_TRY(collect_tensors(checkpoint, error));
    return sharded ? check_index(checkpoint, path, error) : FANIN_OK;
}

/* 1: there is something, 0: there is nothing, or a negative errno value. */
static int exists(const char *path)
{
    fanin_file_info info;
    int code = fanin_file_stat(path, &info);
    return code >= 0 ? 1 : code == -ENOENT || code == -ENOTDIR ? 0 : code;
}

/* A single file goes before an index, as transformers has it. */
static fanin_status open_folder(fanin_checkpoint *checkpoint, const char *folder, fanin_error *error)
{
    char *single = fanin_path_join(folder, single_name), *index = fanin_path_join(folder, index_name);
    fanin_status status = FANIN_OK;
    int has_single = single != NULL ? exists(single) : 0, has_index = index != NULL ? exists(index) : 0;
    if (single == NULL || index == NULL)
        status = fanin_fail_memory(error, strlen(folder) + sizeof index_name);
    else if (has_single < 0 || has_index < 0)
        status = fanin_fail_io(error, has_single < 0 ? has_single : has_index, "look for a checkpoint in", folder);
    else if (!has_single && !has_index)
        status = fanin_fail(error, FANIN_ERROR_FORMAT, "%s: the folder holds neither %s nor %s", folder, single_name,
                            index_name);
    else
        status = open_path(checkpoint, has_single ? single : index, error);
    if (status == FANIN_OK && has_single && has_index) {
        char *warning =
            fanin_arena_format(&checkpoint->arena, "%s is read; the index of shards beside it is ignored.", single);
        if (warning == NULL)
            status = fanin_fail_memory(error, strlen(single));
        else
            checkpoint->warnings[checkpoint->nwarnings++] = warning;
    }
    fanin_free(single);
    fanin_free(index);
    return status;
}

fanin_status fanin_checkpoint_open(const char *path, fanin_checkpoint **checkpoint, fanin_error *error)
{
    fanin_clear(error);
    fanin_file_info info;
    int code = fanin_file_stat(path, &info);
    if (code < 0)
        return fanin_fail_io(error, code, "open", path);
    fanin_checkpoint *opened = fanin_allocate_zeroed(1, sizeof *opened);
    if (opened == NULL)
        return fanin_fail_memory(error, sizeof *opened);
    opened->path = fanin_arena_text(&opened->arena, path, strlen(path));
    fanin_status status = opened->path == NULL                ? fanin_fail_memory(error, strlen(path))
                          : info.kind == FANIN_FILE_DIRECTORY ? open_folder(opened, path, error)
                                                              : open_path(opened, path, error);
    if (status != FANIN_OK)
        fanin_checkpoint_close(opened);
    else
        *checkpoint = opened;
    return status;
}

void fanin_checkpoint_close(fanin_checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    for (size_t i = 0; i < checkpoint->nfiles; i++) {
        checkpoint_file *file = &checkpoint->files[i];
        if (file->fd >= 0) {
            (void)fanin_file_close(file->fd);
            fanin_safetensors_release(&file->header);
        }
        fanin_free(file->path);
    }
    fanin_free(checkpoint->files);
    fanin_free(checkpoint->tensors);
    fanin_index_release(&checkpoint->index);
    fanin_arena_release(&checkpoint->arena);
    fanin_free(checkpoint);
}

/* -- Asking ----------------------------------------------------------------------------------------------------- */

size_t fanin_checkpoint_tensor_count(const fanin_checkpoint *checkpoint)
{
    return checkpoint->ntensors;
}

const fanin_checkpoint_tensor *fanin_checkpoint_tensor_at(const fanin_checkpoint *checkpoint, size_t i)
{
    return i < checkpoint->ntensors ? &checkpoint->tensors[i] : NULL;
}

size_t fanin_checkpoint_tensor_find(const fanin_checkpoint *checkpoint, const char *name)
{
    size_t low = 0, high = checkpoint->ntensors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(checkpoint->tensors[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

const char *fanin_checkpoint_path(const fanin_checkpoint *checkpoint)
{
    return checkpoint->path;
}

size_t fanin_checkpoint_file_count(const fanin_checkpoint *checkpoint)
{
    return checkpoint->nfiles;
}

const char *fanin_checkpoint_file_at(const fanin_checkpoint *checkpoint, size_t i)
{
    return i < checkpoint->nfiles ? checkpoint->files[i].path : NULL;
}

const fanin_pair *fanin_checkpoint_pairs(const fanin_checkpoint *checkpoint, size_t file, size_t *npairs)
{
    *npairs = checkpoint->files[file].header.nmetadata;
    return checkpoint->files[file].header.metadata;
}

const char *fanin_checkpoint_metadata(const fanin_checkpoint *checkpoint, const char *key)
{
    size_t npairs;
    const fanin_pair *pairs = fanin_checkpoint_pairs(checkpoint, 0, &npairs);
    for (size_t i = 0; i < npairs; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

size_t fanin_checkpoint_warning_count(const fanin_checkpoint *checkpoint)
{
    return checkpoint->nwarnings;
}

const char *fanin_checkpoint_warning_at(const fanin_checkpoint *checkpoint, size_t i)
{
    return i < checkpoint->nwarnings ? checkpoint->warnings[i] : NULL;
}

/* -- Reading ---------------------------------------------------------------------------------------------------- */

fanin_status fanin_checkpoint_read(const fanin_checkpoint *checkpoint, size_t i, uint64_t offset, void *data,
                                   size_t nbytes, fanin_error *error)
{
    fanin_clear(error);
    if (i >= checkpoint->ntensors)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "there is no tensor %zu; the checkpoint has %zu", i,
                          checkpoint->ntensors);
    const fanin_checkpoint_tensor *tensor = &checkpoint->tensors[i];
    if (offset > tensor->nbytes || nbytes > tensor->nbytes - offset) {
        char shown[FANIN_SHOW_NBYTES];
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "tensor %s: %zu bytes from byte %" PRIu64 " on reach beyond its end at %" PRIu64,
                          fanin_show(tensor->name, strlen(tensor->name), shown), nbytes, offset, tensor->nbytes);
    }
    const checkpoint_file *file = &checkpoint->files[tensor->file];
    if (file->npy != NULL)
        return fanin_npy_read_rows(file->npy, file->fd, file->path, offset, data, nbytes, error);
    return fanin_pread_all(file->fd, data, nbytes, tensor->offset + offset, file->path, error);
}
