/* SPDX-License-Identifier: MIT */
/*
 * JSON values written back and compared, for tests that read what they have written. Without recursion, as the reader:
 * what it accepts must not be too deep for them.
 */
#ifndef FANIN_JSON_COMPARE_H
#define FANIN_JSON_COMPARE_H

#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define JSON_COMPARE_MAX_DEPTH 128

static inline void json_write_scalar(fanin_text *text, const fanin_json *value)
{
    char number[FANIN_NUMBER_NBYTES];
    switch (value->kind) {
    case FANIN_JSON_NULL:
        fanin_text_add(text, "null");
        break;
    case FANIN_JSON_BOOL:
        fanin_text_add(text, value->boolean ? "true" : "false");
        break;
    case FANIN_JSON_UNSIGNED:
        fanin_text_format(text, "%llu", (unsigned long long)value->unsigned_value);
        break;
    case FANIN_JSON_NEGATIVE:
        fanin_text_format(text, "%lld", (long long)value->signed_value);
        break;
    case FANIN_JSON_NUMBER:
        fanin_number_format(value->number, number);
        fanin_text_add(text, number);
        /* What is printed without a point would read back as an integer. */
        if (strpbrk(number, ".e") == NULL)
            fanin_text_add(text, ".0");
        break;
    case FANIN_JSON_STRING:
        fanin_text_json_string(text, value->string, value->nbytes);
        break;
    case FANIN_JSON_ARRAY:
    case FANIN_JSON_OBJECT:
        break;
    }
}

static inline bool json_is_container(const fanin_json *value)
{
    return value->kind == FANIN_JSON_ARRAY || value->kind == FANIN_JSON_OBJECT;
}

/* Compact, members in their order. */
static inline void json_write(fanin_text *text, const fanin_json *root)
{
    struct {
        const fanin_json *value;
        size_t next;
    } levels[JSON_COMPARE_MAX_DEPTH];
    size_t depth = 0;
    const fanin_json *value = root;
    for (;;) {
        if (json_is_container(value)) {
            levels[depth].value = value;
            levels[depth++].next = 0;
            fanin_text_add(text, value->kind == FANIN_JSON_ARRAY ? "[" : "{");
        } else {
            json_write_scalar(text, value);
        }
        while (depth > 0 && levels[depth - 1].next == levels[depth - 1].value->count)
            fanin_text_add(text, levels[--depth].value->kind == FANIN_JSON_ARRAY ? "]" : "}");
        if (depth == 0)
            return;
        const fanin_json *container = levels[depth - 1].value;
        value = &container->items[levels[depth - 1].next++];
        if (value != container->items)
            fanin_text_add(text, ",");
        if (container->kind == FANIN_JSON_OBJECT) {
            fanin_text_json_string(text, value->key, value->key_nbytes);
            fanin_text_add(text, ":");
        }
    }
}

static inline bool json_same_value(const fanin_json *a, const fanin_json *b)
{
    if (a->kind != b->kind || a->boolean != b->boolean || a->unsigned_value != b->unsigned_value ||
        a->signed_value != b->signed_value || memcmp(&a->number, &b->number, sizeof a->number) != 0 ||
        a->nbytes != b->nbytes || a->count != b->count || (a->key == NULL) != (b->key == NULL) ||
        a->key_nbytes != b->key_nbytes)
        return false;
    return (a->nbytes == 0 || memcmp(a->string, b->string, a->nbytes) == 0) &&
           (a->key_nbytes == 0 || memcmp(a->key, b->key, a->key_nbytes) == 0);
}

/* Equal in all but the places. */
static inline bool json_same(const fanin_json *a, const fanin_json *b)
{
    struct {
        const fanin_json *a, *b;
        size_t next;
    } levels[JSON_COMPARE_MAX_DEPTH];
    size_t depth = 0;
    for (;;) {
        if (!json_same_value(a, b))
            return false;
        if (json_is_container(a)) {
            levels[depth].a = a;
            levels[depth].b = b;
            levels[depth++].next = 0;
        }
        while (depth > 0 && levels[depth - 1].next == levels[depth - 1].a->count)
            depth--;
        if (depth == 0)
            return true;
        size_t i = levels[depth - 1].next++;
        a = &levels[depth - 1].a->items[i];
        b = &levels[depth - 1].b->items[i];
    }
}

#endif
