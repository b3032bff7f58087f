/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader, without recursion and in two passes. The first looks only at brackets, commas and quotes: it counts
 * the items of every container and finds nesting that is too deep, so that the second, which does all the rest, can
 * place every value where it stays. What is allocated is thus proportional to the text.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
/* The analyzer's macro of json.h is for callers. */
#undef fanin_json_fail

struct container {
    uint32_t count;  /* items it has at most: commas + 1 */
    uint32_t parent; /* while the first pass is inside it */
};

/* A container whose end was not read yet. */
struct level {
    fanin_json *value;
    fanin_json *items;
};

struct parser {
    const char *text;
    const char *end;
    const char *at;
    /* `located` is at this line and column; the parser's places only move forward. */
    const char *located;
    uint32_t line;
    uint32_t column;
    const char *name;
    const fanin_json_limits *limits;
    fanin_arena *arena;
    fanin_error *error;
    struct container *containers; /* in the order of their beginnings */
    size_t ncontainers;
    size_t deepest;
    struct level *levels;
    uint64_t nvalues; /* that may still come */
};

/* -- Places and failures --------------------------------------------------------------------------------------------*/

static void advance(const char *from, const char *to, uint32_t *line, uint32_t *column)
{
    for (; from < to; from++) {
        if (*from == '\n') {
            *line += 1;
            *column = 1;
        } else {
            *column += ((unsigned char)*from & 0xc0) != 0x80; /* UTF-8 continuation bytes are no characters */
        }
    }
}

static void locate(struct parser *p, uint32_t *line, uint32_t *column)
{
    advance(p->located, p->at, &p->line, &p->column);
    p->located = p->at;
    *line = p->line;
    *column = p->column;
}

/* FANIN_ERROR_FORMAT at a place of the text. */
__attribute__((format(printf, 3, 4))) static fanin_status refuse(const struct parser *p, const char *at,
                                                                 const char *format, ...)
{
    char what[512];
    uint32_t line = 1, column = 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    advance(p->text, at, &line, &column);
    return fanin_fail(p->error, FANIN_ERROR_FORMAT, "%s:%" PRIu32 ":%" PRIu32 ": %s", p->name, line, column, what);
}

static bool is_word_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '+' ||
           c == '-' || c == '.';
}

/* What stands at a place, for messages: a word, or one character. */
static const char *found_at(const struct parser *p, const char *at, char shown[FANIN_SHOW_NBYTES])
{
    const char *stop = at;
    while (stop < p->end && is_word_character(*stop))
        stop++;
    if (stop == at) {
        size_t length = fanin_utf8_length(at, (size_t)(p->end - at));
        stop += length > 0 ? length : 1;
    }
    return fanin_show(at, (size_t)(stop - at), shown);
}

/* The frequent slips get a sentence of their own. */
static fanin_status refuse_token(const struct parser *p, const char *expected)
{
    static const struct {
        const char *beginning;
        const char *advice;
    } slips[] = {
        {"//", "JSON has no comments"},
        {"/*", "JSON has no comments"},
        {"#", "JSON has no comments"},
        {"'", "strings stand in double quotes"},
        {"NaN", "every number must be finite"},
        {"nan", "every number must be finite"},
        {"Infinity", "every number must be finite"},
        {"inf", "every number must be finite"},
        {"True", "write true"},
        {"False", "write false"},
        {"None", "write null"},
        {"+", "write the number without its plus sign"},
        {".", "write a digit before the point, as in 0.5"},
    };
    char shown[FANIN_SHOW_NBYTES];
    if (p->at == p->end)
        return refuse(p, p->at, "the text ends where %s was expected", expected);
    const char *advice = NULL;
    for (size_t i = 0; i < sizeof slips / sizeof slips[0] && advice == NULL; i++) {
        size_t length = strlen(slips[i].beginning);
        if ((size_t)(p->end - p->at) >= length && memcmp(p->at, slips[i].beginning, length) == 0)
            advice = slips[i].advice;
    }
    return refuse(p, p->at, "%s was expected, not %s%s%s", expected, found_at(p, p->at, shown),
                  advice != NULL ? "; " : "", advice != NULL ? advice : "");
}

/* -- The first pass -------------------------------------------------------------------------------------------------*/

/* From behind the opening quote to the closing one, or to the end. */
static const char *skip_string(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at;
}

static fanin_status add_container(struct parser *p, size_t *capacity, uint32_t parent)
{
    if (p->ncontainers == *capacity) {
        size_t larger = 2 * *capacity;
        struct container *moved = fanin_reallocate(p->containers, *capacity, larger, sizeof *moved);
        if (moved == NULL)
            return fanin_fail_memory(p->error, larger * sizeof *moved);
        p->containers = moved;
        *capacity = larger;
    }
    p->containers[p->ncontainers++] = (struct container){.parent = parent};
    return FANIN_OK;
}

/* Mistakes are left to the second pass, but for the depth, which decides how much that pass would take. */
static fanin_status survey(struct parser *p)
{
    const uint32_t outside = UINT32_MAX;
    uint32_t inside = outside;
    size_t depth = 0, capacity = 64;
    p->containers = fanin_allocate(capacity, sizeof *p->containers);
    if (p->containers == NULL)
        return fanin_fail_memory(p->error, capacity * sizeof *p->containers);
    for (const char *at = p->at; at < p->end; at++) {
        char c = *at;
        if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
            continue;
        if (c == ']' || c == '}') {
            if (inside == outside)
                break;
            inside = p->containers[inside].parent;
            depth--;
            continue;
        }
        if (inside != outside && (c == ',' || p->containers[inside].count == 0))
            p->containers[inside].count++;
        if (c == '"') {
            at = skip_string(at + 1, p->end);
        } else if (c == '[' || c == '{') {
            if (depth == p->limits->depth)
                return refuse(p, at, "nested deeper than %" PRIu32 " levels", p->limits->depth);
            FANIN_TRY(add_container(p, &capacity, inside));
            inside = (uint32_t)p->ncontainers - 1;
            depth++;
            p->deepest = depth > p->deepest ? depth : p->deepest;
        }
    }
    return FANIN_OK;
}

/* -- Tokens ---------------------------------------------------------------------------------------------------------*/

static void skip_blanks(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

static bool next_is(const struct parser *p, char c)
{
    return p->at < p->end && *p->at == c;
}

static bool is_after_comma(const struct parser *p)
{
    const char *at = p->at;
    while (at > p->text && (at[-1] == ' ' || at[-1] == '\n' || at[-1] == '\t' || at[-1] == '\r'))
        at--;
    return at > p->text && at[-1] == ',';
}

static bool digit_at(const struct parser *p, const char *at)
{
    return at < p->end && *at >= '0' && *at <= '9';
}

/* Four hexadecimal digits behind "\u", or -1. */
static int32_t read_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

static char *put_character(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* One escape at *at, which moves behind it; what it stands for goes to *to. */
static fanin_status read_escape(const struct parser *p, const char **at, char **to)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *begin = *at;
    char shown[FANIN_SHOW_NBYTES];
    char kind = begin + 1 < p->end ? begin[1] : '\0';
    const char *letter = kind != '\0' ? strchr(letters, kind) : NULL;
    if (letter != NULL) {
        *(*to)++ = meanings[letter - letters];
        *at += 2;
        return FANIN_OK;
    }
    if (kind != 'u')
        return refuse(p, begin, "there is no escape %s; for a backslash write \\\\",
                      fanin_show(begin, p->end - begin > 1 ? 2 : 1, shown));
    int32_t unit = read_unit(begin + 2, p->end);
    if (unit < 0)
        return refuse(p, begin, "four hexadecimal digits must follow \\u");
    uint32_t c = (uint32_t)unit;
    *at += 6;
    if (c >= 0xd800 && c < 0xe000) {
        int32_t low =
            c < 0xdc00 && p->end - *at > 1 && (*at)[0] == '\\' && (*at)[1] == 'u' ? read_unit(*at + 2, p->end) : -1;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(p, begin, "\\u%04" PRIx32 " is half of a surrogate pair without the other half", c);
        c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
        *at += 6;
    }
    *to = put_character(*to, c);
    return FANIN_OK;
}

/* A string at p->at, which moves behind it. */
static fanin_status read_string(struct parser *p, const char **string, size_t *nbytes)
{
    const char *begin = p->at, *at = begin + 1;
    /* First to the end, so that its size is known: decoded text is never longer. */
    bool has_escape = false;
    for (;; at++) {
        if (at >= p->end)
            return refuse(p, begin, "the string that begins here has no closing quote");
        unsigned char c = (unsigned char)*at;
        if (c == '"')
            break;
        if (c == '\\' && at + 1 < p->end) {
            has_escape = true;
            at++;
            c = (unsigned char)*at;
        }
        if (c == '\n')
            return refuse(p, at, "a string must end on its line; write \\n for a line break");
        if (c < 0x20)
            return refuse(p, at, "a control character in a string; write \\u%04x", (unsigned)c);
        if (c >= 0x80) {
            size_t length = fanin_utf8_length(at, (size_t)(p->end - at));
            if (length == 0)
                return refuse(p, at, "byte 0x%02x is not valid UTF-8 here; save the text as UTF-8", (unsigned)c);
            at += length - 1;
        }
    }
    char *copy = fanin_arena_text(p->arena, begin + 1, (size_t)(at - begin) - 1);
    if (copy == NULL)
        return fanin_fail_memory(p->error, (uint64_t)(at - begin));
    p->at = at + 1;
    *string = copy;
    *nbytes = (size_t)(at - begin) - 1;
    if (!has_escape)
        return FANIN_OK;
    char *to = copy;
    for (const char *from = begin + 1; from < at;) {
        if (*from == '\\')
            FANIN_TRY(read_escape(p, &from, &to));
        else
            *to++ = *from++;
    }
    *to = '\0';
    *nbytes = (size_t)(to - copy);
    return FANIN_OK;
}

static fanin_status read_integer(const struct parser *p, const char *begin, const char *end, fanin_json *value)
{
    char shown[FANIN_SHOW_NBYTES];
    bool is_negative = *begin == '-';
    const uint64_t largest = is_negative ? (uint64_t)1 << 63 : UINT64_MAX;
    uint64_t magnitude;
    if (!fanin_u64_parse(begin + is_negative, (size_t)(end - begin) - is_negative, &magnitude) || magnitude > largest)
        return refuse(p, begin, "the integer %s does not fit into 64 bits: %s%" PRIu64 " is the %s",
                      fanin_show(begin, (size_t)(end - begin), shown), is_negative ? "-" : "", largest,
                      is_negative ? "least" : "greatest");
    if (!is_negative) {
        value->kind = FANIN_JSON_UNSIGNED;
        value->unsigned_value = magnitude;
        value->number = (double)magnitude;
        return FANIN_OK;
    }
    if (magnitude == 0)
        return refuse(p, begin, "-0 is not an integer; write 0, or -0.0 for the negative zero");
    value->kind = FANIN_JSON_NEGATIVE;
    value->signed_value = -(int64_t)(magnitude - 1) - 1;
    value->number = -(double)magnitude;
    return FANIN_OK;
}

static fanin_status read_number(struct parser *p, fanin_json *value)
{
    char shown[FANIN_SHOW_NBYTES];
    const char *begin = p->at, *at = begin;
    at += *at == '-';
    if (!digit_at(p, at)) {
        p->at = at;
        return refuse_token(p, "a digit");
    }
    if (*at == '0' && digit_at(p, at + 1))
        return refuse(p, begin, "a number must not begin with a 0 before other digits; leave the 0 out");
    while (digit_at(p, at))
        at++;
    bool is_integer = true;
    if (at < p->end && *at == '.') {
        is_integer = false;
        if (!digit_at(p, ++at))
            return refuse(p, at, "a digit must follow the point, as in 1.0");
        while (digit_at(p, at))
            at++;
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        is_integer = false;
        at++;
        at += at < p->end && (*at == '+' || *at == '-');
        if (!digit_at(p, at))
            return refuse(p, at, "a digit must follow in the exponent, as in 1e5");
        while (digit_at(p, at))
            at++;
    }
    if (at < p->end && is_word_character(*at))
        return refuse(p, begin, "%s is not a number in JSON", found_at(p, begin, shown));
    p->at = at;
    if (is_integer)
        return read_integer(p, begin, at, value);
    value->kind = FANIN_JSON_NUMBER;
    if (!fanin_number_parse(begin, (size_t)(at - begin), &value->number))
        return refuse(p, begin, "a number of %zu characters is too long; 17 digits give every double",
                      (size_t)(at - begin));
    if (isinf(value->number))
        return refuse(p, begin, "the number %s is beyond the greatest double, 1.7976931348623157e308",
                      fanin_show(begin, (size_t)(at - begin), shown));
    return FANIN_OK;
}

static bool read_word(struct parser *p, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0)
        return false;
    p->at += length;
    return true;
}

static fanin_status read_scalar(struct parser *p, fanin_json *value)
{
    if (next_is(p, '"')) {
        value->kind = FANIN_JSON_STRING;
        return read_string(p, &value->string, &value->nbytes);
    }
    if (next_is(p, '-') || digit_at(p, p->at))
        return read_number(p, value);
    value->kind = FANIN_JSON_BOOL;
    if (read_word(p, "true")) {
        value->boolean = true;
        return FANIN_OK;
    }
    if (read_word(p, "false"))
        return FANIN_OK;
    value->kind = FANIN_JSON_NULL;
    if (read_word(p, "null"))
        return FANIN_OK;
    return refuse_token(p, is_after_comma(p) ? "another value after the comma, or no comma," : "a value");
}

/* -- Keys given twice -----------------------------------------------------------------------------------------------*/

struct key {
    uint64_t hash;
    const fanin_json *member;
};

/* FNV-1a */
static uint64_t hash_key(const char *key, size_t nbytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < nbytes; i++)
        hash = (hash ^ (unsigned char)key[i]) * 0x100000001b3u;
    return hash;
}

/* Any order that brings equal keys together: by hash, which spares most looks at the keys, then by the bytes. */
static int compare_keys(const struct key *a, const struct key *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    size_t na = a->member->key_nbytes, nb = b->member->key_nbytes;
    if (na != nb)
        return na < nb ? -1 : 1;
    return memcmp(a->member->key, b->member->key, na);
}

/*
 * Bottom-up merge sort: stable, and slow for no keys that somebody may have thought out, hashes that collide included.
 * Returns which of the two arrays holds the result.
 */
static const struct key *sort_keys(struct key *from, struct key *to, size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = begin + width < n ? begin + width : n;
            size_t end = middle + width < n ? middle + width : n;
            size_t left = begin, right = middle;
            for (size_t i = begin; i < end; i++) {
                bool from_left = left < middle && (right == end || compare_keys(&from[left], &from[right]) <= 0);
                to[i] = from_left ? from[left++] : from[right++];
            }
        }
        struct key *swapped = from;
        from = to;
        to = swapped;
    }
    return from;
}

static fanin_status refuse_twin(const struct parser *p, const fanin_json *first, const fanin_json *second)
{
    char shown[FANIN_SHOW_NBYTES];
    return fanin_fail(p->error, FANIN_ERROR_FORMAT,
                      "%s:%" PRIu32 ":%" PRIu32 ": the key \"%s\" was given before, at line %" PRIu32
                      ", column %" PRIu32,
                      p->name, second->key_line, second->key_column, fanin_show(second->key, second->key_nbytes, shown),
                      first->key_line, first->key_column);
}

/* Names the earliest member whose key another one before it has. */
static fanin_status check_keys(const struct parser *p, const fanin_json *items, size_t n)
{
    enum { FEW = 8 };
    struct key few[2 * FEW], *keys = few;
    if (n > FEW) {
        keys = fanin_allocate(2 * n, sizeof *keys);
        if (keys == NULL)
            return fanin_fail_memory(p->error, 2 * n * sizeof *keys);
    }
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct key){hash_key(items[i].key, items[i].key_nbytes), &items[i]};
    const struct key *sorted = sort_keys(keys, keys + n, n);
    size_t twin = 0; /* equal to the key sorted before it */
    for (size_t i = 1; i < n; i++)
        if (compare_keys(&sorted[i - 1], &sorted[i]) == 0 && (twin == 0 || sorted[i].member < sorted[twin].member))
            twin = i;
    fanin_status status = FANIN_OK;
    if (twin > 0)
        status = refuse_twin(p, sorted[twin - 1].member, sorted[twin].member);
    if (n > FEW)
        fanin_free(keys);
    return status;
}

/* -- The second pass ------------------------------------------------------------------------------------------------*/

/* The key, colon and place of a member. */
static fanin_status read_key(struct parser *p, fanin_json *member)
{
    skip_blanks(p);
    if (!next_is(p, '"'))
        return refuse_token(p,
                            next_is(p, '}') ? "another key after the comma, or no comma," : "a key in double quotes");
    locate(p, &member->key_line, &member->key_column);
    FANIN_TRY(read_string(p, &member->key, &member->key_nbytes));
    skip_blanks(p);
    if (!next_is(p, ':'))
        return refuse_token(p, "a colon after the key");
    p->at++;
    return FANIN_OK;
}

/* At its bracket. Leaves room for its items, which the first pass counted. */
static fanin_status open_container(struct parser *p, fanin_json *value, uint32_t capacity)
{
    value->kind = *p->at == '[' ? FANIN_JSON_ARRAY : FANIN_JSON_OBJECT;
    if (capacity > p->nvalues)
        return refuse(p, p->at, "with the items of %s the text has more than %" PRIu64 " values",
                      fanin_json_kind_name(value), p->limits->values);
    p->nvalues -= capacity;
    p->at++;
    skip_blanks(p);
    if (capacity == 0)
        return FANIN_OK;
    value->items = fanin_arena_allocate(p->arena, capacity, sizeof(fanin_json));
    return value->items != NULL ? FANIN_OK : fanin_fail_memory(p->error, (uint64_t)capacity * sizeof(fanin_json));
}

/*
 * Behind a value: closes every container that ends here. *next is the place of the value that follows, NULL after the
 * last one.
 */
static fanin_status close_containers(struct parser *p, size_t *depth, fanin_json **next)
{
    for (*next = NULL; *depth > 0; *depth -= 1) {
        struct level *level = &p->levels[*depth - 1];
        bool is_array = level->value->kind == FANIN_JSON_ARRAY;
        skip_blanks(p);
        if (next_is(p, ',')) { /* so the first pass counted one more item */
            p->at++;
            *next = &level->items[level->value->count++];
            return is_array ? FANIN_OK : read_key(p, *next);
        }
        if (!next_is(p, is_array ? ']' : '}'))
            return refuse_token(p, is_array ? "a comma or ]" : "a comma or }");
        p->at++;
        if (!is_array)
            FANIN_TRY(check_keys(p, level->items, level->value->count));
    }
    return FANIN_OK;
}

static fanin_status read_values(struct parser *p, fanin_json *root)
{
    size_t depth = 0, nopened = 0;
    fanin_json *value = root;
    while (value != NULL) {
        skip_blanks(p);
        locate(p, &value->line, &value->column);
        if (next_is(p, '[') || next_is(p, '{')) {
            uint32_t capacity = p->containers[nopened++].count;
            FANIN_TRY(open_container(p, value, capacity));
            fanin_json *items = (fanin_json *)value->items;
            p->levels[depth++] = (struct level){value, items};
            if (capacity > 0) {
                bool is_object = value->kind == FANIN_JSON_OBJECT;
                value->count = 1;
                value = items;
                if (is_object)
                    FANIN_TRY(read_key(p, value));
                continue;
            }
        } else {
            FANIN_TRY(read_scalar(p, value));
        }
        FANIN_TRY(close_containers(p, &depth, &value));
    }
    skip_blanks(p);
    char shown[FANIN_SHOW_NBYTES];
    return p->at == p->end
               ? FANIN_OK
               : refuse(p, p->at, "nothing may follow the value, but there is %s", found_at(p, p->at, shown));
}

/* Marks of another encoding, which would otherwise be called an unexpected character. */
static fanin_status check_encoding(const struct parser *p)
{
    size_t nbytes = (size_t)(p->end - p->text);
    if (nbytes >= 3 && memcmp(p->text, "\xef\xbb\xbf", 3) == 0)
        return refuse(p, p->text, "the text begins with a byte order mark; save it as UTF-8 without one");
    if (nbytes >= 2 && (memcmp(p->text, "\xff\xfe", 2) == 0 || memcmp(p->text, "\xfe\xff", 2) == 0 ||
                        (p->text[0] == '\0') != (p->text[1] == '\0')))
        return refuse(p, p->text, "the text is not UTF-8 (UTF-16 perhaps); save it as UTF-8");
    if (nbytes >= UINT32_MAX)
        return refuse(p, p->text, "the text has 4 GiB or more");
    return FANIN_OK;
}

static fanin_status parse(struct parser *p, fanin_json *root)
{
    FANIN_TRY(check_encoding(p));
    FANIN_TRY(survey(p));
    if (p->nvalues == 0)
        return refuse(p, p->text, "no values are allowed here");
    p->nvalues--; /* the outermost */
    p->levels = fanin_allocate(p->deepest, sizeof *p->levels);
    if (p->levels == NULL)
        return fanin_fail_memory(p->error, p->deepest * sizeof *p->levels);
    return read_values(p, root);
}

fanin_status fanin_json_parse(const char *text, size_t nbytes, const char *name, const fanin_json_limits *limits,
                              fanin_json_document *document, fanin_error *error)
{
    *document = (fanin_json_document){.name = name};
    if (nbytes == 0)
        text = ""; /* NULL is fine then */
    struct parser p = {
        .text = text,
        .end = text + nbytes,
        .at = text,
        .located = text,
        .line = 1,
        .column = 1,
        .name = name,
        .limits = limits,
        .arena = &document->arena,
        .error = error,
        .nvalues = limits->values,
    };
    fanin_status status = parse(&p, &document->root);
    fanin_free(p.containers);
    fanin_free(p.levels);
    if (status != FANIN_OK)
        fanin_json_release(document);
    return status;
}

void fanin_json_release(fanin_json_document *document)
{
    fanin_arena_release(&document->arena);
    document->root = (fanin_json){0};
}

/* -- Using a document -----------------------------------------------------------------------------------------------*/

const fanin_json *fanin_json_get(const fanin_json *object, const char *key)
{
    size_t nbytes = strlen(key);
    if (object == NULL || object->kind != FANIN_JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < object->count; i++) {
        const fanin_json *member = &object->items[i];
        if (member->key_nbytes == nbytes && memcmp(member->key, key, nbytes) == 0)
            return member;
    }
    return NULL;
}

fanin_status fanin_json_fail(const fanin_json_document *document, const fanin_json *value, fanin_error *error,
                             const char *format, ...)
{
    char what[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (value == NULL)
        value = &document->root;
    return fanin_fail(error, FANIN_ERROR_FORMAT, "%s:%" PRIu32 ":%" PRIu32 ": %s", document->name, value->line,
                      value->column, what);
}

const char *fanin_json_kind_name(const fanin_json *value)
{
    static const char *const names[] = {
        [FANIN_JSON_NULL] = "null",
        [FANIN_JSON_BOOL] = "true or false",
        [FANIN_JSON_UNSIGNED] = "an integer",
        [FANIN_JSON_NEGATIVE] = "a negative integer",
        [FANIN_JSON_NUMBER] = "a number with a fraction or exponent",
        [FANIN_JSON_STRING] = "a string",
        [FANIN_JSON_ARRAY] = "an array",
        [FANIN_JSON_OBJECT] = "an object",
    };
    return names[value->kind];
}
