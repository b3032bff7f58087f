/* SPDX-License-Identifier: MIT */
/*
 * Where in the model something was found: a strip for each stack of layers, a cell for each layer. How high a cell is
 * filled says the same as its colour.
 */
#include "report/page.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* More layers than that share cells, more stacks the last strip. */
enum { MAX_NCELLS = 240, MAX_NSTRIPS = 24 };

/* Tensors of one layer, or without one, of one module. */
typedef struct cell {
    const fanin_diagnosis_tensor *first;
    size_t prefix_nbytes; /* of its pattern: what comes before the first number; of names without one, the module */
    int64_t layer;        /* -1: it belongs to no stack */
    size_t ntensors;
    int worst;
} cell;

/* "layers." of "layers.#.fc1.weight"; "wte" of "wte.weight"; all of a name without a dot */
static size_t prefix_of(const fanin_diagnosis_tensor *tensor)
{
    if (tensor->layer >= 0)
        return strcspn(tensor->pattern, "#");
    const char *dot = strrchr(tensor->name, '.');
    return dot != NULL ? (size_t)(dot - tensor->name) : strlen(tensor->name);
}

static const char *text_of(const fanin_diagnosis_tensor *tensor)
{
    return tensor->layer >= 0 ? tensor->pattern : tensor->name;
}

static int compare_prefixes(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    const size_t na = prefix_of(a), nb = prefix_of(b);
    const int order = memcmp(text_of(a), text_of(b), na < nb ? na : nb);
    return order != 0 ? order : (na > nb) - (na < nb);
}

/* Stacks first. */
static int compare_layers(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    if ((a->layer < 0) != (b->layer < 0))
        return a->layer < 0 ? 1 : -1;
    const int order = compare_prefixes(a, b);
    return order != 0 ? order : (a->layer > b->layer) - (a->layer < b->layer);
}

static bool is_same_stack(const cell *a, const cell *b)
{
    return a->layer >= 0 && b->layer >= 0 && compare_prefixes(a->first, b->first) == 0;
}

/* Tensors that lie together become cells; returns how many. */
static size_t gather_cells(const fanin_diagnosis_tensor **sorted, size_t ntensors, cell *cells)
{
    size_t n = 0;
    for (size_t i = 0; i < ntensors; i++) {
        const fanin_diagnosis_tensor *tensor = sorted[i];
        if (n > 0 && compare_layers(cells[n - 1].first, tensor) == 0) {
            cells[n - 1].ntensors++;
            if (tensor->worst > cells[n - 1].worst)
                cells[n - 1].worst = tensor->worst;
        } else {
            cells[n++] = (cell){.first = tensor,
                                .prefix_nbytes = prefix_of(tensor),
                                .layer = tensor->layer,
                                .ntensors = 1,
                                .worst = tensor->worst};
        }
    }
    return n;
}

/* A stack of one layer is none: it goes to the others. Keeps the order of both; returns where the others begin. */
static size_t part_stacks(cell *cells, size_t ncells, cell *scratch)
{
    size_t nstacked = 0, nothers = 0;
    for (size_t i = 0; i < ncells; i++) {
        const bool has_neighbour = (i > 0 && is_same_stack(&cells[i - 1], &cells[i])) ||
                                   (i + 1 < ncells && is_same_stack(&cells[i], &cells[i + 1]));
        if (has_neighbour)
            scratch[nstacked++] = cells[i];
    }
    for (size_t i = 0; i < ncells; i++) {
        const bool has_neighbour = (i > 0 && is_same_stack(&cells[i - 1], &cells[i])) ||
                                   (i + 1 < ncells && is_same_stack(&cells[i], &cells[i + 1]));
        if (!has_neighbour)
            scratch[nstacked + nothers++] = cells[i];
    }
    memcpy(cells, scratch, ncells * sizeof *cells);
    return nstacked;
}

static void add_cell_name(fanin_text *page, const cell *c)
{
    char *name = fanin_duplicate(text_of(c->first), c->prefix_nbytes);
    if (name != NULL)
        fanin_markup_text(page, name, 60);
    else
        page->failed = true;
    fanin_free(name);
    if (c->layer >= 0)
        fanin_text_format(page, "%lld", (long long)c->layer);
}

/* "3 with errors, 1 with warnings" */
static void add_counts(fanin_text *page, const cell *cells, size_t n)
{
    bool has_any = false;
    for (int severity = FANIN_SEVERITY_ERROR; severity >= FANIN_SEVERITY_WARN; severity--) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++)
            count += cells[i].worst == severity;
        if (count == 0)
            continue;
        fanin_text_add(page, has_any ? ", " : "");
        fanin_markup_count(page, count);
        fanin_text_format(page, " with %ss", fanin_page_word(severity));
        has_any = true;
    }
    if (!has_any)
        fanin_text_add(page, "nothing wrong");
}

static void add_strip(fanin_text *page, const cell *cells, size_t n, const char *noun, bool is_all)
{
    const size_t nshown = n < MAX_NCELLS ? n : MAX_NCELLS;
    fanin_text_add(page, "<div class=\"strip\"><p class=\"name\">");
    if (cells[0].layer >= 0 && n > 1 && is_same_stack(&cells[0], &cells[n - 1])) {
        add_cell_name(page, &cells[0]);
        fanin_text_format(page, "\xe2\x80\x93%lld", (long long)cells[n - 1].layer);
    } else {
        fanin_text_add(page, is_all ? "modules" : "the other modules");
    }
    fanin_text_add(page, " <span>");
    add_counts(page, cells, n);
    fanin_text_format(page, "</span></p><div class=\"cells%s\" role=\"img\" aria-label=\"", n <= 48 ? " few" : "");
    fanin_markup_plural(page, n, noun);
    fanin_text_add(page, ": ");
    add_counts(page, cells, n);
    fanin_text_add(page, "\">");
    for (size_t i = 0; i < nshown; i++) {
        const size_t begin = i * n / nshown, end = (i + 1) * n / nshown;
        int worst = -1;
        for (size_t k = begin; k < end; k++)
            worst = cells[k].worst > worst ? cells[k].worst : worst;
        fanin_text_format(page, "<i class=\"%s\" title=\"", fanin_page_class(worst));
        add_cell_name(page, &cells[begin]);
        if (end - begin > 1) {
            fanin_text_add(page, " to ");
            add_cell_name(page, &cells[end - 1]);
        }
        fanin_text_format(page, ": %s\"></i>", fanin_page_word(worst));
    }
    fanin_text_add(page, "</div></div>\n");
}

static void add_strips(fanin_text *page, const cell *cells, size_t nstacked, size_t ncells)
{
    size_t begin = 0, nstrips = 0;
    while (begin < nstacked && nstrips < MAX_NSTRIPS) {
        size_t end = begin + 1;
        while (end < nstacked && is_same_stack(&cells[begin], &cells[end]))
            end++;
        add_strip(page, cells + begin, end - begin, "layer", false);
        begin = end;
        nstrips++;
    }
    if (begin < ncells)
        add_strip(page, cells + begin, ncells - begin, "module", begin == 0);
}

fanin_status fanin_page_strips(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error)
{
    const size_t n = fanin_diagnosis_tensor_count(diagnosis);
    const fanin_diagnosis_tensor **sorted = fanin_page_sort(diagnosis, compare_layers);
    cell *cells = fanin_allocate(n, sizeof *cells), *scratch = fanin_allocate(n, sizeof *scratch);
    fanin_status status = FANIN_OK;
    if (sorted == NULL || cells == NULL || scratch == NULL) {
        status = fanin_fail_memory(error, n * sizeof *cells);
    } else if (n > 0) {
        const size_t ncells = gather_cells(sorted, n, cells);
        fanin_text_add(page, "<section aria-labelledby=\"where\"><h2 id=\"where\">Where</h2>\n"
                             "<p class=\"legend\"><span><i class=\"e\"></i>error</span> "
                             "<span><i class=\"w\"></i>warning</span> <span><i class=\"i\"></i>note</span> "
                             "<span><i class=\"ok\"></i>nothing found</span></p>\n");
        add_strips(page, cells, part_stacks(cells, ncells, scratch), ncells);
        fanin_text_add(page, "</section>\n");
    }
    fanin_free(sorted);
    fanin_free(cells);
    fanin_free(scratch);
    return status;
}
