/* SPDX-License-Identifier: MIT */
/*
 * Reading the header of a safetensors file. Everything the format promises is checked before a tensor is handed out,
 * so that no later code has to doubt an offset or a shape.
 */
#include "format/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "format/file_calls.h"

/* What people hand over instead, by its first bytes. */
static const struct {
    const char *magic;
    size_t nbytes;
    const char *advice;
} other_formats[] = {
    {"PK\x03\x04", 4, "this looks like a PyTorch .pt file or another zip: save it with safetensors.torch.save_file"},
    {"\x80\x02", 2, "this looks like a Python pickle: save it with safetensors.torch.save_file"},
    {"GGUF", 4, "this looks like a GGUF file, which is not read"},
    {"\x93NUMPY", 6, "this looks like a NumPy file: it must be named *.npy"},
    {"\x89HDF", 4, "this looks like an HDF5 file, which is not read"},
    {"{", 1, "this looks like JSON: an index of shards must be named *.json"},
    {"version https://git-lfs", 8, "this looks like a Git LFS pointer: fetch the file itself with git lfs pull"},
};

static const char *advice_on(const uint8_t *first)
{
    for (size_t i = 0; i < sizeof other_formats / sizeof other_formats[0]; i++)
        if (memcmp(first, other_formats[i].magic, other_formats[i].nbytes) == 0)
            return other_formats[i].advice;
    return "the file is cut short, or it is no safetensors file";
}

fanin_status fanin_safetensors_length(const uint8_t *first, uint64_t file_nbytes, const char *path, uint64_t *nbytes,
                                      fanin_error *error)
{
    if (file_nbytes < 8)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: %" PRIu64 " bytes long, but a safetensors file begins with 8 bytes that hold the length "
                          "of its header",
                          path, file_nbytes);
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--)
        length = length << 8 | first[i];
    if (length > file_nbytes - 8)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: its first 8 bytes say that the header is %" PRIu64 " bytes long, but only %" PRIu64
                          " follow: %s",
                          path, length, file_nbytes - 8, advice_on(first));
    if (length > FANIN_SAFETENSORS_MAX_HEADER)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: a header of %" PRIu64 " bytes; the format allows at most %d",
                          path, length, FANIN_SAFETENSORS_MAX_HEADER);
    *nbytes = length;
    return FANIN_OK;
}

bool fanin_safetensors_nbytes(fanin_dtype dtype, uint64_t nelem, uint64_t *nbytes)
{
    uint64_t nbits;
    if (!fanin_checked_mul(nelem, fanin_dtype_nbits(dtype), &nbits) || nbits % 8 != 0)
        return false;
    *nbytes = nbits / 8;
    return true;
}

/* -- One entry -------------------------------------------------------------------------------------------------- */

/* A parse in progress: what the functions below share. */
typedef struct reading {
    fanin_safetensors_header *header;
    const fanin_json_document *document;
    uint64_t data_nbytes;
    uint64_t nunknown; /* fields of entries that the format does not know */
    fanin_error *error;
} reading;

/* The first few unknown fields are named, the rest are counted. */
enum { MAX_NAMED_UNKNOWN = 8 };

static fanin_status refuse(const reading *r, const fanin_json *value, const char *name, const char *what)
{
    char shown[FANIN_SHOW_NBYTES];
    return fanin_json_fail(r->document, value, r->error, "tensor %s: %s", fanin_show(name, strlen(name), shown), what);
}

static fanin_status read_dtype(const reading *r, const fanin_json *value, fanin_safetensors_tensor *tensor)
{
    if (value->kind != FANIN_JSON_STRING)
        return refuse(r, value, tensor->name, "dtype must be a string, as \"F32\"");
    for (fanin_dtype dtype = FANIN_BOOL; dtype < FANIN_DTYPE_COUNT; dtype++) {
        if (strcmp(value->string, fanin_dtype_safetensors_name(dtype)) == 0 && value->nbytes == strlen(value->string)) {
            tensor->dtype = dtype;
            return FANIN_OK;
        }
    }
    char shown[FANIN_SHOW_NBYTES], name[FANIN_SHOW_NBYTES];
    return fanin_json_fail(
        r->document, value, r->error,
        "tensor %s: unknown dtype \"%s\"; the format has F64, F32, F16, BF16, F8_E4M3, I64 and others "
        "in capitals",
        fanin_show(tensor->name, strlen(tensor->name), name), fanin_show(value->string, value->nbytes, shown));
}

/*
 * The product is formed from left to right and may not overflow on the way, which makes [2^63, 2, 0] an error as in the
 * reference; a dimension alone must fit the 63 bits of a shape.
 */
static fanin_status read_shape(const reading *r, const fanin_json *value, fanin_safetensors_tensor *tensor)
{
    if (value->kind != FANIN_JSON_ARRAY)
        return refuse(r, value, tensor->name, "shape must be a list of integers, as [768, 768]");
    if (value->count > FANIN_SAFETENSORS_MAX_DIMS)
        return refuse(r, value, tensor->name, "shape has more than 64 dimensions");
    int64_t *shape = fanin_arena_allocate(&r->header->arena, value->count + 1, sizeof *shape);
    if (shape == NULL)
        return fanin_fail_memory(r->error, (value->count + 1) * sizeof *shape);
    uint64_t nelem = 1;
    for (size_t i = 0; i < value->count; i++) {
        const fanin_json *item = &value->items[i];
        if (item->kind != FANIN_JSON_UNSIGNED)
            return refuse(r, item, tensor->name,
                          "a dimension must be an integer from 0 on, without fraction or exponent");
        if (!fanin_checked_mul(nelem, item->unsigned_value, &nelem))
            return refuse(r, item, tensor->name,
                          "the number of elements overflows 64 bits (counted from left to right)");
    }
    for (size_t i = 0; i < value->count; i++) {
        if (value->items[i].unsigned_value > INT64_MAX)
            return refuse(r, &value->items[i], tensor->name, "a dimension beyond 2^63 - 1");
        shape[i] = (int64_t)value->items[i].unsigned_value;
    }
    tensor->shape = shape;
    tensor->ndim = (int32_t)value->count;
    tensor->nelem = nelem;
    return FANIN_OK;
}

static fanin_status read_offsets(const reading *r, const fanin_json *value, fanin_safetensors_tensor *tensor)
{
    static const char rule[] = "data_offsets must be two integers [begin, end], counted from the end of the header";
    if (value->kind != FANIN_JSON_ARRAY || value->count != 2)
        return refuse(r, value, tensor->name, rule);
    for (size_t i = 0; i < 2; i++)
        if (value->items[i].kind != FANIN_JSON_UNSIGNED)
            return refuse(r, &value->items[i], tensor->name, rule);
    tensor->begin = value->items[0].unsigned_value;
    tensor->end = value->items[1].unsigned_value;
    if (tensor->begin > tensor->end)
        return refuse(r, value, tensor->name, "data_offsets end before they begin");
    if (tensor->end > r->data_nbytes) {
        char shown[FANIN_SHOW_NBYTES];
        return fanin_json_fail(r->document, value, r->error,
                               "tensor %s: ends at byte %" PRIu64 " of the data, but the file holds only %" PRIu64
                               " bytes of data: it is cut short, or the offsets are wrong",
                               fanin_show(tensor->name, strlen(tensor->name), shown), tensor->end, r->data_nbytes);
    }
    return FANIN_OK;
}

static const struct {
    const char *name;
    fanin_status (*read)(const reading *r, const fanin_json *value, fanin_safetensors_tensor *tensor);
} fields[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};
enum { NFIELDS = sizeof fields / sizeof fields[0] };

static bool key_is(const fanin_json *member, const char *key)
{
    return member->key_nbytes == strlen(key) && memcmp(member->key, key, member->key_nbytes) == 0;
}

static fanin_status warn_of_unknown_fields(reading *r, const fanin_json *entry, const char *name)
{
    for (size_t i = 0; i < entry->count; i++) {
        const fanin_json *member = &entry->items[i];
        bool known = false;
        for (size_t f = 0; f < NFIELDS; f++)
            known = known || key_is(member, fields[f].name);
        if (known || r->nunknown++ >= MAX_NAMED_UNKNOWN)
            continue;
        char shown_name[FANIN_SHOW_NBYTES], shown_key[FANIN_SHOW_NBYTES];
        char *warning = fanin_arena_format(
            &r->header->arena, "%s:%" PRIu32 ":%" PRIu32 ": tensor %s: the unknown field \"%s\" is ignored.",
            r->document->name, member->key_line, member->key_column, fanin_show(name, strlen(name), shown_name),
            fanin_show(member->key, member->key_nbytes, shown_key));
        if (warning == NULL)
            return fanin_fail_memory(r->error, FANIN_SHOW_NBYTES);
        r->header->warnings[r->header->nwarnings++] = warning;
    }
    return FANIN_OK;
}

static fanin_status read_entry(reading *r, const fanin_json *entry, fanin_safetensors_tensor *tensor)
{
    tensor->name = fanin_arena_text(&r->header->arena, entry->key, entry->key_nbytes);
    if (tensor->name == NULL)
        return fanin_fail_memory(r->error, entry->key_nbytes);
    if (strlen(tensor->name) != entry->key_nbytes)
        return refuse(r, entry, tensor->name, "its name holds a NUL character (\\u0000)");
    if (entry->kind != FANIN_JSON_OBJECT)
        return refuse(r, entry, tensor->name, "must be an object with dtype, shape and data_offsets");
    for (size_t f = 0; f < NFIELDS; f++) {
        const fanin_json *value = fanin_json_get(entry, fields[f].name);
        char what[32] = "has no ";
        if (value == NULL)
            return refuse(r, entry, tensor->name, strcat(what, fields[f].name));
        FANIN_TRY(fields[f].read(r, value, tensor));
    }
    uint64_t nbytes, nbits;
    unsigned element = fanin_dtype_nbits(tensor->dtype);
    if (!fanin_checked_mul(tensor->nelem, element, &nbits))
        return refuse(r, entry, tensor->name, "its size overflows 64 bits");
    if (!fanin_safetensors_nbytes(tensor->dtype, tensor->nelem, &nbytes))
        return refuse(r, entry, tensor->name, "its elements take no whole number of bytes");
    if (nbytes != tensor->end - tensor->begin) {
        char shown[FANIN_SHOW_NBYTES];
        return fanin_json_fail(
            r->document, entry, r->error, "tensor %s: shape and dtype make %" PRIu64 " bytes, data_offsets %" PRIu64,
            fanin_show(tensor->name, strlen(tensor->name), shown), nbytes, tensor->end - tensor->begin);
    }
    return warn_of_unknown_fields(r, entry, tensor->name);
}

/* -- The whole header ------------------------------------------------------------------------------------------- */

static fanin_status read_metadata(reading *r, const fanin_json *value)
{
    if (value->kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, value, r->error, "__metadata__ must be an object of strings, not %s",
                               fanin_json_kind_name(value));
    fanin_arena *arena = &r->header->arena;
    r->header->metadata = fanin_arena_allocate(arena, value->count, sizeof(fanin_pair));
    if (r->header->metadata == NULL)
        return fanin_fail_memory(r->error, value->count * sizeof(fanin_pair));
    for (size_t i = 0; i < value->count; i++) {
        const fanin_json *member = &value->items[i];
        char shown[FANIN_SHOW_NBYTES];
        if (member->kind != FANIN_JSON_STRING)
            return fanin_json_fail(r->document, member, r->error, "__metadata__ \"%s\" must be a string, not %s",
                                   fanin_show(member->key, member->key_nbytes, shown), fanin_json_kind_name(member));
        fanin_pair *pair = &r->header->metadata[r->header->nmetadata];
        pair->key = fanin_arena_text(arena, member->key, member->key_nbytes);
        pair->value = fanin_arena_text(arena, member->string, member->nbytes);
        if (pair->key == NULL || pair->value == NULL)
            return fanin_fail_memory(r->error, member->key_nbytes + member->nbytes);
        /* a key with a NUL inside can not be asked for, and must not be taken for its own beginning */
        if (strlen(pair->key) == member->key_nbytes)
            r->header->nmetadata++;
    }
    return FANIN_OK;
}

static int by_offset(const void *left, const void *right)
{
    const fanin_safetensors_tensor *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end)
        return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* No byte without a tensor, none with two: a file that is something else besides has no room to be. */
static fanin_status check_coverage(const fanin_safetensors_header *header, uint64_t data_nbytes, const char *path,
                                   fanin_error *error)
{
    char shown[FANIN_SHOW_NBYTES], other[FANIN_SHOW_NBYTES];
    uint64_t covered = 0;
    for (size_t i = 0; i < header->ntensors; i++) {
        const fanin_safetensors_tensor *tensor = &header->tensors[i];
        if (tensor->begin > covered)
            return fanin_fail(error, FANIN_ERROR_FORMAT,
                              "%s: a hole: bytes %" PRIu64 " to %" PRIu64
                              " of the data, before tensor %s, belong to no "
                              "tensor",
                              path, covered, tensor->begin, fanin_show(tensor->name, strlen(tensor->name), shown));
        if (tensor->begin < covered)
            return fanin_fail(
                error, FANIN_ERROR_FORMAT,
                "%s: tensor %s begins at byte %" PRIu64 " of the data, inside tensor %s, which ends at %" PRIu64, path,
                fanin_show(tensor->name, strlen(tensor->name), shown), tensor->begin,
                fanin_show(header->tensors[i - 1].name, strlen(header->tensors[i - 1].name), other), covered);
        covered = tensor->end;
    }
    if (covered != data_nbytes)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: %" PRIu64
                          " bytes after the last tensor belong to no tensor (the data end at byte %" PRIu64 ")",
                          path, data_nbytes - covered, covered);
    return FANIN_OK;
}

static fanin_status read_header(reading *r)
{
    const fanin_json *root = &r->document->root;
    fanin_safetensors_header *header = r->header;
    if (root->kind != FANIN_JSON_OBJECT)
        return fanin_json_fail(r->document, root, r->error, "the header must be an object, not %s",
                               fanin_json_kind_name(root));
    header->tensors = fanin_arena_allocate(&header->arena, root->count, sizeof *header->tensors);
    header->warnings = fanin_arena_allocate(&header->arena, MAX_NAMED_UNKNOWN + 1, sizeof *header->warnings);
    if (header->tensors == NULL || header->warnings == NULL)
        return fanin_fail_memory(r->error, root->count * sizeof *header->tensors);
    for (size_t i = 0; i < root->count; i++) {
        const fanin_json *member = &root->items[i];
        if (key_is(member, "__metadata__"))
            FANIN_TRY(read_metadata(r, member));
        else
            FANIN_TRY(read_entry(r, member, &header->tensors[header->ntensors++]));
    }
    if (r->nunknown > MAX_NAMED_UNKNOWN) {
        char *warning = fanin_arena_format(&header->arena, "%s: %" PRIu64 " more unknown fields are ignored.",
                                           r->document->name, r->nunknown - MAX_NAMED_UNKNOWN);
        if (warning == NULL)
            return fanin_fail_memory(r->error, FANIN_SHOW_NBYTES);
        header->warnings[header->nwarnings++] = warning;
    }
    qsort(header->tensors, header->ntensors, sizeof *header->tensors, by_offset);
    return check_coverage(header, r->data_nbytes, r->document->name, r->error);
}

fanin_status fanin_safetensors_parse(const char *text, size_t nbytes, uint64_t data_nbytes, const char *path,
                                     fanin_safetensors_header *header, fanin_error *error)
{
    /*
     * Root, entry, shape: depth 3, and one more for what an unknown field holds. A value takes over 100 bytes of memory
     * when parsed, so their number is held below a quarter of the text; only a shape of tens of dimensions is denser.
     */
    fanin_json_limits limits = {.depth = 4, .values = 4096 + nbytes / 4};
    fanin_json_document document;
    FANIN_TRY(fanin_json_parse(text, nbytes, path, &limits, &document, error));
    memset(header, 0, sizeof *header);
    header->data_begin = 8 + (uint64_t)nbytes;
    reading r = {.header = header, .document = &document, .data_nbytes = data_nbytes, .error = error};
    fanin_status status = read_header(&r);
    fanin_json_release(&document);
    if (status != FANIN_OK)
        fanin_safetensors_release(header);
    return status;
}

void fanin_safetensors_release(fanin_safetensors_header *header)
{
    fanin_arena_release(&header->arena);
    memset(header, 0, sizeof *header);
}

/* -- From a file ------------------------------------------------------------------------------------------------ */

/* Anything but a regular file is refused before it is opened: opening a pipe waits, opening a device may do things. */
static fanin_status check_kind(const fanin_file_info *info, const char *path, fanin_error *error)
{
    if (info->kind == FANIN_FILE_REGULAR)
        return FANIN_OK;
    return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: is %s; a safetensors file must be a regular file", path,
                      info->kind == FANIN_FILE_DIRECTORY ? "a folder" : "a pipe, device or socket");
}

static fanin_status read_opened(int fd, const char *path, fanin_safetensors_header *header, fanin_error *error)
{
    fanin_file_info info;
    int code = fanin_file_fstat(fd, &info);
    if (code < 0)
        return fanin_fail_io(error, code, "read the size of", path);
    FANIN_TRY(check_kind(&info, path, error));
    uint8_t first[8] = {0};
    uint64_t length = 0;
    FANIN_TRY(fanin_pread_all(fd, first, info.nbytes < 8 ? (size_t)info.nbytes : 8, 0, path, error));
    FANIN_TRY(fanin_safetensors_length(first, info.nbytes, path, &length, error));
    char *text = fanin_allocate((size_t)length, 1);
    if (text == NULL)
        return fanin_fail_memory(error, length);
    fanin_status status = fanin_pread_all(fd, text, (size_t)length, 8, path, error);
    if (status == FANIN_OK)
        status = fanin_safetensors_parse(text, (size_t)length, info.nbytes - 8 - length, path, header, error);
    fanin_free(text);
    return status;
}

fanin_status fanin_safetensors_open(const char *path, int *fd, fanin_safetensors_header *header, fanin_error *error)
{
    fanin_file_info info;
    int code = fanin_file_stat(path, &info);
    if (code < 0)
        return fanin_fail_io(error, code, "open", path);
    FANIN_TRY(check_kind(&info, path, error));
    int opened = fanin_file_open_read(path);
    if (opened < 0)
        return fanin_fail_io(error, opened, "open", path);
    fanin_status status = read_opened(opened, path, header, error);
    if (status != FANIN_OK)
        (void)fanin_file_close(opened);
    else
        *fd = opened;
    return status;
}
