/* SPDX-License-Identifier: MIT */
/*
 * Roles: tensors whose names differ in their numbers alone do the same work in different layers, and are compared with
 * each other.
 */
#include "diagnose/roles.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* More digits are no number of a layer. */
#define MAX_DIGITS 9

/* Digits that are a whole segment, or end one of torch's recurrent names ("weight_ih_l0"); 0: none begin here. */
static size_t number_length(const char *name, size_t at)
{
    size_t n = 0;
    bool begins = at == 0 || name[at - 1] == '.';
    bool recurrent = at >= 3 && memcmp(name + at - 2, "_l", 2) == 0 && (name[at - 3] == 'h' || name[at - 3] == 'r');
    while (name[at + n] >= '0' && name[at + n] <= '9')
        n++;
    bool ends = name[at + n] == '\0' || name[at + n] == '.' || (recurrent && name[at + n] == '_');
    return n > 0 && n <= MAX_DIGITS && (begins || recurrent) && ends ? n : 0;
}

/* Writes the pattern, at most strlen(name) bytes and a NUL, and the numbers. */
static size_t split_name(const char *name, char *pattern, uint32_t numbers[FANIN_ROLE_MAX_NUMBERS])
{
    size_t nnumbers = 0, nbytes = 0;
    for (size_t i = 0; name[i] != '\0';) {
        size_t n = nnumbers < FANIN_ROLE_MAX_NUMBERS ? number_length(name, i) : 0;
        if (n == 0) {
            if (pattern != NULL)
                pattern[nbytes++] = name[i];
            i++;
            continue;
        }
        uint32_t number = 0;
        for (size_t k = 0; k < n; k++)
            number = number * 10 + (uint32_t)(name[i + k] - '0');
        numbers[nnumbers++] = number;
        if (pattern != NULL)
            pattern[nbytes++] = '#';
        i += n;
    }
    if (pattern != NULL)
        pattern[nbytes] = '\0';
    return nnumbers;
}

size_t fanin_role_numbers(const char *name, uint32_t numbers[FANIN_ROLE_MAX_NUMBERS])
{
    return split_name(name, NULL, numbers);
}

struct member {
    uint32_t numbers[FANIN_ROLE_MAX_NUMBERS];
    size_t nnumbers;
    size_t index;
};

/* Numbers as numbers, so that layer 10 comes after layer 9; equal names by their place. */
static int order_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    for (size_t i = 0; i < x->nnumbers && i < y->nnumbers; i++)
        if (x->numbers[i] != y->numbers[i])
            return x->numbers[i] < y->numbers[i] ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Entries [0, count) of one pattern become a role. */
static fanin_status make_role(fanin_diagnosis *diagnosis, const fanin_name_entry *entries, size_t count,
                              fanin_error *error)
{
    struct fanin_role *role = &diagnosis->roles[diagnosis->nroles];
    size_t *members = fanin_arena_allocate(&diagnosis->arena, count, sizeof *members);
    struct member *sorted = fanin_allocate_zeroed(count, sizeof *sorted);
    if (members == NULL || sorted == NULL) {
        fanin_free(sorted);
        return fanin_fail_memory(error, count * sizeof *sorted);
    }
    for (size_t i = 0; i < count; i++) {
        sorted[i].index = entries[i].index;
        sorted[i].nnumbers = fanin_role_numbers(diagnosis->records[entries[i].index].tensor.name, sorted[i].numbers);
    }
    qsort(sorted, count, sizeof *sorted, order_members);
    for (size_t i = 0; i < count; i++) {
        struct fanin_record *record = &diagnosis->records[sorted[i].index];
        members[i] = sorted[i].index;
        record->role = diagnosis->nroles;
        record->place = i;
        record->tensor.layer = sorted[i].nnumbers > 0 ? (int64_t)sorted[i].numbers[0] : -1;
    }
    *role = (struct fanin_role){.pattern = entries[0].name, .count = count, .members = members};
    diagnosis->nroles++;
    fanin_free(sorted);
    return FANIN_OK;
}

static fanin_status make_roles(fanin_diagnosis *diagnosis, fanin_name_index *patterns, fanin_error *error)
{
    size_t n = diagnosis->nrecords;
    for (size_t i = 0; i < n; i++) {
        uint32_t numbers[FANIN_ROLE_MAX_NUMBERS];
        const char *name = diagnosis->records[i].tensor.name;
        char *pattern = fanin_arena_allocate(&diagnosis->arena, strlen(name) + 1, 1);
        if (pattern == NULL)
            return fanin_fail_memory(error, strlen(name));
        split_name(name, pattern, numbers);
        diagnosis->records[i].tensor.pattern = pattern;
        patterns->entries[i] = (fanin_name_entry){pattern, i};
    }
    FANIN_TRY(fanin_names_sort(patterns, error));
    diagnosis->roles = fanin_arena_allocate(&diagnosis->arena, n, sizeof *diagnosis->roles);
    if (diagnosis->roles == NULL)
        return fanin_fail_memory(error, n * sizeof *diagnosis->roles);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && strcmp(patterns->entries[i].name, patterns->entries[end].name) == 0;)
            end++;
        FANIN_TRY(make_role(diagnosis, patterns->entries + i, end - i, error));
    }
    return FANIN_OK;
}

fanin_status fanin_roles_make(fanin_diagnosis *diagnosis, fanin_error *error)
{
    fanin_name_index patterns = {0};
    FANIN_TRY(fanin_names_begin(&patterns, diagnosis->nrecords, error));
    fanin_status status = make_roles(diagnosis, &patterns, error);
    fanin_names_end(&patterns);
    return status;
}

int fanin_shape_order(const fanin_diagnosis_tensor *x, const fanin_diagnosis_tensor *y)
{
    if (x->ndim != y->ndim)
        return x->ndim < y->ndim ? -1 : 1;
    for (int32_t d = 0; d < x->ndim; d++)
        if (x->shape[d] != y->shape[d])
            return x->shape[d] < y->shape[d] ? -1 : 1;
    return 0;
}
