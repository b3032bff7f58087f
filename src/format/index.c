/* SPDX-License-Identifier: MIT */
/*
 * The index of shards. Its names come from a stranger: none of them may lead out of the folder the index lies in.
 */
#include "format/index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "base/json.h"

/* As long as a header may be; an index says less about a tensor. */
static const uint64_t max_index_nbytes = 100000000;

typedef struct reading {
    fanin_index *index;
    const fanin_json_document *document;
    fanin_error *error;
} reading;

static const char *fault_of_file_name(const fanin_json *value)
{
    static const char suffix[] = ".safetensors";
    size_t n = value->nbytes;
    const char *name = value->string;
    if (n == 0)
        return "the name of its file is empty";
    if (strlen(name) != n)
        return "the name of its file holds a NUL character";
    if (name[0] == '/')
        return "the name of its file is an absolute path; it must be a file of the index's own folder";
    if (strchr(name, '/') != NULL || strchr(name, '\\') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "the name of its file leads to another folder; it must be a file of the index's own folder";
    if (n < sizeof suffix || strcmp(name + n - (sizeof suffix - 1), suffix) != 0)
        return "the name of its file does not end in .safetensors, which is all that is read";
    return NULL;
}

static fanin_status read_entry(const reading *r, const fanin_json *member, fanin_index_entry *entry)
{
    char tensor[FANIN_SHOW_NBYTES], file[FANIN_SHOW_NBYTES];
    fanin_show(member->key, member->key_nbytes, tensor);
    if (strlen(member->key) != member->key_nbytes)
        return fanin_json_fail(r->document, member, r->error, "tensor %s: its name holds a NUL character", tensor);
    if (member->kind != FANIN_JSON_STRING)
        return fanin_json_fail(r->document, member, r->error, "tensor %s: must be the name of a file, not %s", tensor,
                               fanin_json_kind_name(member));
    const char *fault = fault_of_file_name(member);
    if (fault != NULL)
        return fanin_json_fail(r->document, member, r->error, "tensor %s: %s (\"%s\")", tensor, fault,
                               fanin_show(member->string, member->nbytes, file));
    entry->tensor = fanin_arena_text(&r->index->arena, member->key, member->key_nbytes);
    entry->file = fanin_arena_text(&r->index->arena, member->string, member->nbytes);
    if (entry->tensor == NULL || entry->file == NULL)
        return fanin_fail_memory(r->error, member->key_nbytes + member->nbytes);
    return FANIN_OK;
}

static int by_tensor(const void *left, const void *right)
{
    return strcmp(((const fanin_index_entry *)left)->tensor, ((const fanin_index_entry *)right)->tensor);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int by_folded_text(const void *left, const void *right)
{
    const unsigned char *a = *(const unsigned char *const *)left, *b = *(const unsigned char *const *)right;
    for (;; a++, b++) {
        int x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a, y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;
        if (x != y || x == 0)
            return x - y;
    }
}

/* Fills files from entries, and refuses two names that are one file where case does not count. */
static fanin_status collect_files(const reading *r)
{
    fanin_index *index = r->index;
    index->files = fanin_arena_allocate(&index->arena, index->nentries, sizeof *index->files);
    if (index->files == NULL)
        return fanin_fail_memory(r->error, index->nentries * sizeof *index->files);
    for (size_t i = 0; i < index->nentries; i++)
        index->files[i] = index->entries[i].file;
    qsort(index->files, index->nentries, sizeof *index->files, by_text);
    for (size_t i = 0; i < index->nentries; i++)
        if (i == 0 || strcmp(index->files[i], index->files[index->nfiles - 1]) != 0)
            index->files[index->nfiles++] = index->files[i];
    qsort(index->files, index->nfiles, sizeof *index->files, by_folded_text);
    for (size_t i = 1; i < index->nfiles; i++) {
        char first[FANIN_SHOW_NBYTES], second[FANIN_SHOW_NBYTES];
        if (by_folded_text(&index->files[i - 1], &index->files[i]) == 0)
            return fanin_json_fail(r->document, NULL, r->error,
                                   "the shards %s and %s differ only by case and are one file on some systems",
                                   fanin_show(index->files[i - 1], strlen(index->files[i - 1]), first),
                                   fanin_show(index->files[i], strlen(index->files[i]), second));
    }
    qsort(index->files, index->nfiles, sizeof *index->files, by_text);
    return FANIN_OK;
}

static fanin_status read_total_size(const reading *r, const fanin_json *metadata)
{
    if (metadata->kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, metadata, r->error, "metadata must be an object, not %s",
                               fanin_json_kind_name(metadata));
    const fanin_json *total = fanin_json_get(metadata, "total_size");
    if (total == NULL)
        return FANIN_OK;
    if (total->kind != FANIN_JSON_UNSIGNED)
        return fanin_json_fail(r->document, total, r->error,
                               "total_size must be the number of bytes of all tensors, an integer from 0 on, not %s",
                               fanin_json_kind_name(total));
    r->index->has_total_nbytes = true;
    r->index->total_nbytes = total->unsigned_value;
    return FANIN_OK;
}

static fanin_status warn_of_unknown(const reading *r, const fanin_json *member)
{
    char shown[FANIN_SHOW_NBYTES];
    char *warning = fanin_arena_format(
        &r->index->arena, "%s:%" PRIu32 ":%" PRIu32 ": the unknown field \"%s\" is ignored.", r->document->name,
        member->key_line, member->key_column, fanin_show(member->key, member->key_nbytes, shown));
    if (warning == NULL)
        return fanin_fail_memory(r->error, FANIN_SHOW_NBYTES);
    r->index->warnings[r->index->nwarnings++] = warning;
    return FANIN_OK;
}

static fanin_status read_index(const reading *r)
{
    const fanin_json *root = &r->document->root;
    fanin_index *index = r->index;
    if (root->kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, root, r->error, "an index of shards must be an object, not %s",
                               fanin_json_kind_name(root));
    const fanin_json *map = fanin_json_get(root, "weight_map"), *metadata = fanin_json_get(root, "metadata");
    if (map == NULL)
        return fanin_json_fail(r->document, root, r->error,
                               "has no weight_map: an index of shards was expected (NAME.safetensors.index.json)");
    if (map->kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, map, r->error, "weight_map must be an object of file names, not %s",
                               fanin_json_kind_name(map));
    if (map->count == 0)
        return fanin_json_fail(r->document, map, r->error, "weight_map is empty: an index lists at least one tensor");
    index->warnings = fanin_arena_allocate(&index->arena, root->count, sizeof *index->warnings);
    index->entries = fanin_arena_allocate(&index->arena, map->count, sizeof *index->entries);
    if (index->warnings == NULL || index->entries == NULL)
        return fanin_fail_memory(r->error, map->count * sizeof *index->entries);
    for (size_t i = 0; i < root->count; i++)
        if (&root->items[i] != map && &root->items[i] != metadata)
            FANIN_TRY(warn_of_unknown(r, &root->items[i]));
    if (metadata != NULL)
        FANIN_TRY(read_total_size(r, metadata));
    for (size_t i = 0; i < map->count; i++)
        FANIN_TRY(read_entry(r, &map->items[i], &index->entries[index->nentries++]));
    qsort(index->entries, index->nentries, sizeof *index->entries, by_tensor);
    return collect_files(r);
}

fanin_status fanin_index_parse(const char *text, size_t nbytes, const char *path, fanin_index *index,
                               fanin_error *error)
{
    /* what else stands in metadata (and is not read) may nest a little */
    fanin_json_limits limits = {.depth = 8, .values = 4096 + nbytes / 4};
    fanin_json_document document;
    FANIN_TRY(fanin_json_parse(text, nbytes, path, &limits, &document, error));
    memset(index, 0, sizeof *index);
    reading r = {.index = index, .document = &document, .error = error};
    fanin_status status = read_index(&r);
    fanin_json_release(&document);
    if (status != FANIN_OK)
        fanin_index_release(index);
    return status;
}

fanin_status fanin_index_read(const char *path, fanin_index *index, fanin_error *error)
{
    char *text;
    size_t nbytes;
    FANIN_TRY(fanin_read_file(path, max_index_nbytes, &text, &nbytes, error));
    fanin_status status = fanin_index_parse(text, nbytes, path, index, error);
    fanin_free(text);
    return status;
}

void fanin_index_release(fanin_index *index)
{
    fanin_arena_release(&index->arena);
    memset(index, 0, sizeof *index);
}

fanin_status fanin_index_format(fanin_index_entry *entries, size_t nentries, uint64_t total_nbytes, fanin_text *out,
                                fanin_error *error)
{
    qsort(entries, nentries, sizeof *entries, by_tensor);
    fanin_text_format(out, "{\n  \"metadata\": {\n    \"total_size\": %" PRIu64 "\n  },\n  \"weight_map\": {",
                      total_nbytes);
    for (size_t i = 0; i < nentries; i++) {
        fanin_text_add(out, i > 0 ? ",\n    " : "\n    ");
        fanin_text_json_string(out, entries[i].tensor, strlen(entries[i].tensor));
        fanin_text_add(out, ": ");
        fanin_text_json_string(out, entries[i].file, strlen(entries[i].file));
    }
    fanin_text_add(out, "\n  }\n}\n");
    return out->failed ? fanin_fail_memory(error, out->nbytes) : FANIN_OK;
}
