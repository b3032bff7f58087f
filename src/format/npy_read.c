/* SPDX-License-Identifier: MIT */
/*
 * Reading .npy files: versions 1.0 to 3.0, either order, and the dtypes that we write. The literal is read by its own
 * small grammar and never evaluated.
 */
#include "format/npy.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/file_calls.h"

static const char magic[] = "\x93NUMPY";
/* NumPy itself stops at 10,000 characters; one plain array needs less than 300. */
enum { MAX_HEADER_NBYTES = 65536 };

fanin_status fanin_npy_length(const uint8_t *first, uint64_t file_nbytes, const char *path, uint64_t *begin,
                              uint64_t *nbytes, fanin_error *error)
{
    if (file_nbytes < 10 || memcmp(first, magic, sizeof magic - 1) != 0)
        return fanin_fail(
            error, FANIN_ERROR_FORMAT,
            "%s: does not begin as a .npy file does (\\x93NUMPY, version, length of the header): it is cut "
            "short, or another format",
            path);
    const unsigned major = first[6], minor = first[7];
    if (major < 1 || major > 3 || minor != 0)
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED, "%s: .npy version %u.%u; 1.0, 2.0 and 3.0 are read", path,
                          major, minor);
    *begin = major == 1 ? 10 : 12;
    *nbytes = (uint64_t)(first[8] | first[9] << 8);
    if (major > 1 && file_nbytes >= 12)
        *nbytes |= (uint64_t)first[10] << 16 | (uint64_t)first[11] << 24;
    if (file_nbytes < *begin || *nbytes > file_nbytes - *begin)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: says that its header is %" PRIu64
                          " bytes long, but the file ends before: it is cut short",
                          path, *nbytes);
    if (*nbytes > MAX_HEADER_NBYTES)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: a header of %" PRIu64 " bytes; at most %d are read", path,
                          *nbytes, MAX_HEADER_NBYTES);
    return FANIN_OK;
}

/* -- The literal: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ------------------------------------- */

typedef struct reading {
    const char *next;
    const char *end;
    const char *begin;
    uint64_t at; /* where it begins in the file */
    const char *path;
    fanin_npy_header *header;
    fanin_error *error;
} reading;

static fanin_status refuse(const reading *r, const char *what)
{
    return fanin_fail(r->error, FANIN_ERROR_FORMAT, "%s: byte %" PRIu64 " of the .npy header: %s", r->path,
                      r->at + (uint64_t)(r->next - r->begin), what);
}

static char peek(const reading *r)
{
    return r->next < r->end ? *r->next : '\0';
}

static void skip_blanks(reading *r)
{
    while (r->next < r->end && memchr(" \t\r\n", *r->next, 4) != NULL)
        r->next++;
}

/* The next character that is no blank, if it is `wanted`. */
static bool take(reading *r, char wanted)
{
    skip_blanks(r);
    if (peek(r) != wanted)
        return false;
    r->next++;
    return true;
}

static bool take_word(reading *r, const char *word)
{
    const size_t n = strlen(word);
    skip_blanks(r);
    if ((size_t)(r->end - r->next) < n || memcmp(r->next, word, n) != 0)
        return false;
    r->next += n;
    return true;
}

/* A string without escapes: what it holds is in the file. */
static fanin_status read_string(reading *r, const char **text, size_t *nbytes)
{
    skip_blanks(r);
    const char quote = peek(r);
    if (quote != '\'' && quote != '"')
        return refuse(r, "a string in quotes is missing");
    const char *begin = ++r->next;
    while (r->next < r->end && *r->next != quote && *r->next != '\\' && *r->next != '\n')
        r->next++;
    if (peek(r) != quote)
        return refuse(r, "a string does not end, or holds an escape");
    *text = begin;
    *nbytes = (size_t)(r->next++ - begin);
    return FANIN_OK;
}

static fanin_status read_descr(reading *r)
{
    const char *text;
    size_t nbytes;
    char shown[FANIN_SHOW_NBYTES], descr[8] = "";
    skip_blanks(r);
    if (peek(r) == '[')
        return fanin_fail(r->error, FANIN_ERROR_UNSUPPORTED,
                          "%s: a structured array; save one field as an array of its own", r->path);
    FANIN_TRY(read_string(r, &text, &nbytes));
    if (nbytes < sizeof descr && memchr(text, 0, nbytes) == NULL)
        memcpy(descr, text, nbytes);
    if (descr[0] == '|' || descr[0] == '=')
        descr[0] = '<'; /* one byte has no order, and '=' is ours; the table has one spelling of each */
    r->header->dtype = fanin_npy_dtype(descr);
    r->header->is_raw = strcmp(descr, "<V1") == 0;
    if (r->header->dtype != FANIN_DTYPE_NONE)
        return FANIN_OK;
    const char *advice = descr[0] == '>' ? "its values are big-endian: save array.astype(array.dtype.newbyteorder('<'))"
                         : descr[1] == 'O' ? "Python objects are not read: save an array of numbers"
                                           : "convert it with array.astype('<f4')";
    return fanin_fail(r->error, FANIN_ERROR_UNSUPPORTED, "%s: dtype '%s': %s", r->path, fanin_show(text, nbytes, shown),
                      advice);
}

static fanin_status read_order(reading *r)
{
    r->header->is_fortran = take_word(r, "True");
    if (r->header->is_fortran || take_word(r, "False"))
        return FANIN_OK;
    return refuse(r, "'fortran_order' must be True or False");
}

static fanin_status read_dimension(reading *r, int64_t *dimension)
{
    uint64_t value = 0;
    skip_blanks(r);
    if (peek(r) < '0' || peek(r) > '9')
        return refuse(r, "a dimension must be a whole number from 0 on");
    for (; peek(r) >= '0' && peek(r) <= '9'; r->next++)
        if (!fanin_checked_mul(value, 10, &value) || !fanin_checked_add(value, (uint64_t)(peek(r) - '0'), &value) ||
            value > INT64_MAX)
            return refuse(r, "a dimension beyond 2^63 - 1");
    if (peek(r) == 'L')
        r->next++; /* as Python 2 wrote them */
    *dimension = (int64_t)value;
    return FANIN_OK;
}

static fanin_status read_shape(reading *r)
{
    fanin_npy_header *header = r->header;
    if (!take(r, '('))
        return refuse(r, "'shape' must be a tuple, as (2, 3)");
    bool comma = true;
    for (; !take(r, ')'); comma = take(r, ',')) {
        if (!comma)
            return refuse(r, "dimensions are separated by commas");
        if (header->ndim == FANIN_NPY_MAX_DIMS)
            return refuse(r, "more than 64 dimensions");
        FANIN_TRY(read_dimension(r, &header->shape[header->ndim++]));
    }
    return header->ndim == 1 && !comma ? refuse(r, "a tuple of one ends in a comma, as (2,)") : FANIN_OK;
}

static const struct {
    const char *key;
    fanin_status (*read)(reading *r);
} entries[] = {{"descr", read_descr}, {"fortran_order", read_order}, {"shape", read_shape}};
enum { NENTRIES = sizeof entries / sizeof entries[0] };

static fanin_status read_entry(reading *r, bool seen[NENTRIES])
{
    const char *key;
    size_t nbytes;
    FANIN_TRY(read_string(r, &key, &nbytes));
    for (size_t i = 0; i < NENTRIES; i++) {
        if (strlen(entries[i].key) != nbytes || memcmp(entries[i].key, key, nbytes) != 0)
            continue;
        if (seen[i])
            return refuse(r, "a key that is there already");
        seen[i] = true;
        if (!take(r, ':'))
            return refuse(r, "a key is followed by ':'");
        return entries[i].read(r);
    }
    return refuse(r, "a key that the format does not have");
}

static fanin_status read_literal(reading *r)
{
    bool seen[NENTRIES] = {false};
    if (!take(r, '{'))
        return refuse(r, "must begin with {");
    bool comma = true;
    for (; !take(r, '}'); comma = take(r, ',')) {
        if (!comma)
            return refuse(r, "entries are separated by commas");
        FANIN_TRY(read_entry(r, seen));
    }
    skip_blanks(r);
    if (r->next < r->end)
        return refuse(r, "nothing may follow the }");
    for (size_t i = 0; i < NENTRIES; i++)
        if (!seen[i])
            return fanin_fail(r->error, FANIN_ERROR_FORMAT, "%s: the .npy header has no '%s'", r->path, entries[i].key);
    return FANIN_OK;
}

/* Where one dimension alone has more than one element, both orders are the same. */
static bool has_one_order(const fanin_npy_header *header)
{
    int nwide = 0;
    for (int32_t d = 0; d < header->ndim; d++)
        nwide += header->shape[d] > 1;
    return nwide < 2 || header->nelem == 0;
}

fanin_status fanin_npy_parse(const char *text, size_t nbytes, uint64_t begin, uint64_t data_nbytes, const char *path,
                             fanin_npy_header *header, fanin_error *error)
{
    uint64_t expected;
    *header = (fanin_npy_header){.data_begin = begin + nbytes};
    reading r = {
        .next = text, .end = text + nbytes, .begin = text, .at = begin, .path = path, .header = header, .error = error};
    FANIN_TRY(read_literal(&r));
    if (!fanin_shape_nelem(header->shape, header->ndim, &header->nelem) || header->nelem > INT64_MAX ||
        !fanin_checked_mul(header->nelem, fanin_dtype_nbits(header->dtype) / 8, &expected))
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: the size of its shape overflows 63 bits", path);
    if (expected > data_nbytes)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: shape and dtype make %" PRIu64 " bytes, but only %" PRIu64
                          " follow the header: the file is cut short",
                          path, expected, data_nbytes);
    if (expected < data_nbytes)
        return fanin_fail(error, FANIN_ERROR_FORMAT,
                          "%s: %" PRIu64 " bytes follow the array; a file of several arrays is not read", path,
                          data_nbytes - expected);
    header->is_fortran = header->is_fortran && !has_one_order(header);
    return FANIN_OK;
}

/* -- From a file ------------------------------------------------------------------------------------------------ */

static fanin_status read_opened(int fd, const char *path, fanin_npy_header *header, fanin_error *error)
{
    fanin_file_info info;
    uint8_t first[12] = {0};
    uint64_t begin, nbytes;
    int code = fanin_file_fstat(fd, &info);
    if (code < 0)
        return fanin_fail_io(error, code, "read the size of", path);
    if (info.kind != FANIN_FILE_REGULAR)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: is no regular file, which a .npy file must be", path);
    FANIN_TRY(
        fanin_pread_all(fd, first, info.nbytes < sizeof first ? (size_t)info.nbytes : sizeof first, 0, path, error));
    FANIN_TRY(fanin_npy_length(first, info.nbytes, path, &begin, &nbytes, error));
    char *text = fanin_allocate((size_t)nbytes, 1);
    if (text == NULL)
        return fanin_fail_memory(error, nbytes);
    fanin_status status = fanin_pread_all(fd, text, (size_t)nbytes, begin, path, error);
    if (status == FANIN_OK)
        status = fanin_npy_parse(text, (size_t)nbytes, begin, info.nbytes - begin - nbytes, path, header, error);
    fanin_free(text);
    return status;
}

fanin_status fanin_npy_open(const char *path, int *fd, fanin_npy_header *header, fanin_error *error)
{
    fanin_file_info info;
    int code = fanin_file_stat(path, &info);
    if (code < 0)
        return fanin_fail_io(error, code, "open", path);
    /* opening a pipe would wait, opening a device may do things */
    if (info.kind != FANIN_FILE_REGULAR)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "%s: is no regular file, which a .npy file must be", path);
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

/* -- Columns as rows -------------------------------------------------------------------------------------------- */

/* Bytes of the file at hand. */
typedef struct window {
    int fd;
    const char *path;
    uint64_t data_end; /* in the file */
    uint64_t begin, end;
    uint8_t bytes[16384];
} window;
/* Less is not worth a call of the system; more than is needed of a long row costs more than it saves. */
enum { MIN_WINDOW_NBYTES = 512 };

/* The bytes at `at`, of which `wanted` will be asked for one after the other. */
static fanin_status look(window *w, uint64_t at, size_t size, uint64_t wanted, const uint8_t **bytes,
                         fanin_error *error)
{
    if (at < w->begin || at + size > w->end) {
        uint64_t nbytes = wanted > MIN_WINDOW_NBYTES ? wanted : MIN_WINDOW_NBYTES;
        nbytes = nbytes < sizeof w->bytes ? nbytes : sizeof w->bytes;
        nbytes = nbytes < w->data_end - at ? nbytes : w->data_end - at;
        FANIN_TRY(fanin_pread_all(w->fd, w->bytes, (size_t)nbytes, at, w->path, error));
        w->begin = at;
        w->end = at + nbytes;
    }
    *bytes = w->bytes + (at - w->begin);
    return FANIN_OK;
}

/* Where element j of every row lies, counted in columns of shape[0]: the file's inner dimensions run the other way. */
static uint64_t column_of(const fanin_npy_header *header, uint64_t j)
{
    uint64_t column = 0;
    /* Horner's rule from the last dimension, whose index is the first to be known: strides grow towards it */
    uint64_t stride = header->nelem / (uint64_t)header->shape[0];
    for (int32_t d = header->ndim - 1; d > 0; d--) {
        const uint64_t n = (uint64_t)header->shape[d];
        stride /= n;
        column += j % n * stride;
        j /= n;
    }
    return column;
}

static fanin_status gather(const fanin_npy_header *header, window *w, uint64_t first, uint64_t last, uint8_t *data,
                           fanin_error *error)
{
    const size_t size = fanin_dtype_nbits(header->dtype) / 8;
    const uint64_t nrows = (uint64_t)header->shape[0], ncolumns = header->nelem / nrows;
    for (uint64_t e = first; e < last && e - first < ncolumns; e++) {
        const uint64_t n = (last - e + ncolumns - 1) / ncolumns;
        const uint64_t at = header->data_begin + (column_of(header, e % ncolumns) * nrows + e / ncolumns) * size;
        for (uint64_t k = 0; k < n; k++) {
            const uint8_t *element;
            FANIN_TRY(look(w, at + k * size, size, (n - k) * size, &element, error));
            memcpy(data + (e - first + k * ncolumns) * size, element, size);
        }
    }
    return FANIN_OK;
}

fanin_status fanin_npy_read_rows(const fanin_npy_header *header, int fd, const char *path, uint64_t offset, void *data,
                                 size_t nbytes, fanin_error *error)
{
    const size_t size = fanin_dtype_nbits(header->dtype) / 8;
    const uint64_t first = offset / size, last = (offset + nbytes + size - 1) / size;
    window w = {.fd = fd, .path = path, .data_end = header->data_begin + header->nelem * size};
    if (offset % size == 0 && nbytes % size == 0)
        return gather(header, &w, first, last, data, error);
    uint8_t *whole = fanin_allocate((size_t)(last - first), size);
    if (whole == NULL)
        return fanin_fail_memory(error, (last - first) * size);
    fanin_status status = gather(header, &w, first, last, whole, error);
    if (status == FANIN_OK)
        memcpy(data, whole + (offset - first * size), nbytes);
    fanin_free(whole);
    return status;
}
