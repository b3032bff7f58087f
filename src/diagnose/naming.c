/* SPDX-License-Identifier: MIT */
/*
 * Finding the tensor of a description that a weight is, if need be under a longer or shorter name.
 */
#include "diagnose/naming.h"

#include <string.h>

#include "base/error.h"

/* More names of models side by side than any description has. */
#define MAX_PREFIXES 64

bool fanin_name_ends_in(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '.');
}

struct fanin_described fanin_description_at(const struct fanin_description *description, size_t i)
{
    if (description->plan != NULL) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(description->plan, i);
        return (struct fanin_described){tensor->name, tensor->ndim, tensor->shape, tensor->tied_to,
                                        fanin_plan_tensor_is_stored(tensor) &&
                                            strstr(tensor->name, "num_batches_tracked") == NULL};
    }
    const fanin_model_tensor *tensor = fanin_model_tensor_at(description->model, i);
    return (struct fanin_described){tensor->name, tensor->ndim, tensor->shape, tensor->tied_to,
                                    tensor->tied_to == NULL && strstr(tensor->name, "num_batches_tracked") == NULL};
}

size_t fanin_description_find(const struct fanin_description *description, const char *name)
{
    char longer[1024];
    size_t n = strlen(description->added), m = strlen(name);
    if (n == 0)
        return m > description->nleft ? fanin_names_find(&description->names, name + description->nleft) : SIZE_MAX;
    if (n + m >= sizeof longer)
        return SIZE_MAX;
    memcpy(longer, description->added, n);
    memcpy(longer + n, name, m + 1);
    return fanin_names_find(&description->names, longer);
}

static size_t count_found(const fanin_diagnosis *diagnosis, const struct fanin_description *description)
{
    size_t n = 0;
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        n += fanin_description_find(description, diagnosis->records[i].tensor.name) != SIZE_MAX;
    return n;
}

/* "x." of "x.y.z"; 0: there is none. */
static size_t prefix_length(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) + 1 : 0;
}

/* Described names may begin with a segment that those of the weights lack. */
static void try_added(const fanin_diagnosis *diagnosis, struct fanin_description *description, size_t *best)
{
    struct fanin_description other = *description;
    const char *last = "";
    size_t ntried = 0;
    other.nleft = 0;
    for (size_t i = 0; i < description->count && ntried < MAX_PREFIXES; i++) {
        const char *name = description->names.entries[i].name;
        size_t n = prefix_length(name);
        if (n == 0 || n >= sizeof other.added || strncmp(name, last, n) == 0)
            continue;
        last = name;
        ntried++;
        memcpy(other.added, name, n);
        other.added[n] = '\0';
        size_t found = count_found(diagnosis, &other);
        if (found > *best) {
            *best = found;
            *description = other;
        }
    }
}

/* Or the weights' all begin with one that the described lack. */
static void try_left(const fanin_diagnosis *diagnosis, struct fanin_description *description, size_t *best)
{
    struct fanin_description other = *description;
    const char *first = diagnosis->nrecords > 0 ? diagnosis->records[0].tensor.name : "";
    other.added[0] = '\0';
    other.nleft = prefix_length(first);
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        if (strncmp(diagnosis->records[i].tensor.name, first, other.nleft) != 0)
            return;
    size_t found = other.nleft > 0 ? count_found(diagnosis, &other) : 0;
    if (found > *best) {
        *best = found;
        *description = other;
    }
}

static fanin_status begin(struct fanin_description *description, const fanin_diagnosis *diagnosis, fanin_error *error)
{
    FANIN_TRY(fanin_names_begin(&description->names, description->count, error));
    for (size_t i = 0; i < description->count; i++)
        description->names.entries[i] = (fanin_name_entry){fanin_description_at(description, i).name, i};
    fanin_status status = fanin_names_sort(&description->names, error);
    if (status != FANIN_OK) {
        fanin_description_end(description);
        return status;
    }
    size_t best = count_found(diagnosis, description);
    if (2 * best < diagnosis->nrecords) {
        try_added(diagnosis, description, &best);
        try_left(diagnosis, description, &best);
    }
    return FANIN_OK;
}

fanin_status fanin_description_of_model(struct fanin_description *description, const fanin_diagnosis *diagnosis,
                                        fanin_error *error)
{
    *description =
        (struct fanin_description){.model = diagnosis->model, .count = fanin_model_tensor_count(diagnosis->model)};
    return begin(description, diagnosis, error);
}

fanin_status fanin_description_of_plan(struct fanin_description *description, const fanin_diagnosis *diagnosis,
                                       fanin_error *error)
{
    *description =
        (struct fanin_description){.plan = diagnosis->plan, .count = fanin_plan_tensor_count(diagnosis->plan)};
    return begin(description, diagnosis, error);
}

void fanin_description_end(struct fanin_description *description)
{
    fanin_names_end(&description->names);
}
