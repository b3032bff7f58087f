/* SPDX-License-Identifier: MIT */
/*
 * The tables: a row for each role with its median and extremes, then rows for single tensors, those with findings and
 * the largest.
 */
#include "report/page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { MAX_NROLES = 300, MAX_NFOUND = 300, NLARGEST = 200 };
/* So many rows are shown at once; more are folded away. */
enum { NOPEN = 40 };

#define HISTOGRAM_HEIGHT 18

static int compare_patterns(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    const int order = strcmp(a->pattern, b->pattern);
    return order != 0 ? order : (a->layer > b->layer) - (a->layer < b->layer);
}

static int compare_findings(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    const int order = (b->worst > a->worst) - (b->worst < a->worst);
    return order != 0 ? order : compare_patterns(a, b);
}

static int compare_sizes(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    const int order = (b->statistics->nelem > a->statistics->nelem) - (b->statistics->nelem < a->statistics->nelem);
    return order != 0 ? order : compare_patterns(a, b);
}

/* -- Cells -------------------------------------------------------------------------------------------------------- */

static void add_mark(fanin_text *page, int worst)
{
    fanin_text_format(page,
                      "<td class=\"mark %s\"><svg class=\"g\" viewBox=\"0 0 16 16\" role=\"img\" aria-label=\"%s\">"
                      "<use href=\"#%s\"/></svg></td>",
                      fanin_page_class(worst), fanin_page_word(worst), fanin_page_class(worst));
}

static void add_shape(fanin_text *page, const fanin_diagnosis_tensor *tensor)
{
    fanin_text_add(page, fanin_dtype_name(tensor->dtype));
    fanin_text_add(page, tensor->ndim > 0 ? " " : " scalar");
    for (int32_t d = 0; d < tensor->ndim; d++)
        fanin_text_format(page, "%s%" PRId64, d > 0 ? "\xc2\xa0\xc3\x97\xc2\xa0" : "", tensor->shape[d]);
}

static void add_law(fanin_text *page, const fanin_law *law)
{
    switch (law->kind) {
    case FANIN_LAW_CONSTANT:
        fanin_markup_number(page, law->value);
        break;
    case FANIN_LAW_UNIFORM:
        fanin_text_add(page, "uniform ");
        fanin_markup_number(page, law->low);
        fanin_text_add(page, " \xe2\x80\xa6 ");
        fanin_markup_number(page, law->high);
        break;
    case FANIN_LAW_NORMAL:
    case FANIN_LAW_TRUNC_NORMAL:
        fanin_text_add(page, law->kind == FANIN_LAW_NORMAL ? "normal " : "truncated normal ");
        if (fabs(law->mean) > law->std * 1e-3) {
            fanin_markup_number(page, law->mean);
            fanin_text_add(page, " \xc2\xb1 ");
        }
        fanin_markup_number(page, law->std);
        break;
    case FANIN_LAW_ORTHOGONAL:
        fanin_text_add(page, "orthogonal, gain ");
        fanin_markup_number(page, law->value);
        break;
    case FANIN_LAW_OTHER:
        fanin_text_add(page, "no distribution");
        break;
    case FANIN_LAW_NONE:
        fanin_text_add(page, "\xe2\x80\x93");
        break;
    }
}

static void add_number(fanin_text *page, double value)
{
    fanin_text_add(page, "<td class=\"n\">");
    fanin_markup_number(page, value);
    fanin_text_add(page, "</td>");
}

/* Counts on a logarithmic scale: a single value far out is a bar still. */
static void add_histogram(fanin_text *page, const fanin_statistics *s)
{
    uint64_t most = 0;
    for (size_t i = 0; i < FANIN_HISTOGRAM_NBINS; i++)
        most = s->histogram[i] > most ? s->histogram[i] : most;
    fanin_text_add(page, "<td class=\"h\">");
    if (s->is_float && most > 0) {
        const double scale = HISTOGRAM_HEIGHT / fanin_markup_log10(1 + (double)most);
        int before = 0;
        fanin_text_add(page, "<svg class=\"hist\" viewBox=\"0 0 64 18\" role=\"img\" aria-label=\"histogram from ");
        fanin_markup_number(page, s->min);
        fanin_text_add(page, " to ");
        fanin_markup_number(page, s->max);
        fanin_text_add(page, "\"><path d=\"M0 18");
        for (int i = 0; i <= FANIN_HISTOGRAM_NBINS; i++) {
            const double count = i < FANIN_HISTOGRAM_NBINS ? (double)s->histogram[i] : 0;
            int height = count > 0 ? (int)(fanin_markup_log10(1 + count) * scale + 0.5) : 0;
            height = count > 0 && height < 1 ? 1 : height;
            if (height != before)
                fanin_text_format(page, "H%dV%d", i, HISTOGRAM_HEIGHT - height);
            before = height;
        }
        fanin_text_add(page, "\"/></svg>");
    }
    fanin_text_add(page, "</td>");
}

static void add_not_finite(fanin_text *page, uint64_t nnan, uint64_t ninf)
{
    fanin_text_format(page, "<td class=\"n%s\">", nnan + ninf > 0 ? " bad" : "");
    if (nnan > 0)
        fanin_markup_plural(page, nnan, "NaN");
    fanin_text_add(page, nnan > 0 && ninf > 0 ? ", " : "");
    if (ninf > 0) {
        fanin_markup_count(page, ninf);
        fanin_text_add(page, " infinite");
    }
    fanin_text_add(page, nnan + ninf == 0 ? "0</td>" : "</td>");
}

static void add_share(fanin_text *page, uint64_t count, uint64_t of)
{
    fanin_text_add(page, "<td class=\"n\">");
    if (count == 0 || of == 0) {
        fanin_text_add(page, "0");
    } else {
        fanin_markup_number(page, 100.0 * (double)count / (double)of);
        fanin_text_add(page, "\xc2\xa0%");
    }
    fanin_text_add(page, "</td>");
}

static void add_expected(fanin_text *page, const fanin_diagnosis_tensor *tensor)
{
    fanin_text_add(page, "<td class=\"n\">");
    fanin_markup_number(page, tensor->expected_std);
    if (tensor->expected_by != NULL && !isnan(tensor->expected_std)) {
        fanin_text_add(page, "<small>");
        fanin_markup_text(page, tensor->expected_by, 40);
        fanin_text_add(page, "</small>");
    }
    fanin_text_add(page, "</td>");
}

/* -- Rows of roles ------------------------------------------------------------------------------------------------ */

typedef struct role {
    const fanin_diagnosis_tensor **members;
    size_t n;
    int worst;
    uint64_t nelem;
} role;

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int compare_roles(const void *a, const void *b)
{
    const role *x = a, *y = b;
    if (x->worst != y->worst)
        return (y->worst > x->worst) - (y->worst < x->worst);
    if (x->nelem != y->nelem)
        return (y->nelem > x->nelem) - (y->nelem < x->nelem);
    return strcmp(x->members[0]->pattern, y->members[0]->pattern);
}

static size_t gather_roles(const fanin_diagnosis_tensor **members, size_t n, role *roles)
{
    size_t nroles = 0;
    for (size_t i = 0; i < n; i++) {
        if (nroles == 0 || strcmp(roles[nroles - 1].members[0]->pattern, members[i]->pattern) != 0)
            roles[nroles++] = (role){.members = members + i, .worst = -1};
        role *of = &roles[nroles - 1];
        of->n++;
        of->nelem += members[i]->statistics->nelem;
        of->worst = members[i]->worst > of->worst ? members[i]->worst : of->worst;
    }
    qsort(roles, nroles, sizeof *roles, compare_roles);
    return nroles;
}

/* The member whose standard deviation is the median. */
static const fanin_diagnosis_tensor *typical(const role *of, double median)
{
    for (size_t i = 0; i < of->n; i++)
        if (of->members[i]->statistics->variance == median)
            return of->members[i];
    return of->members[0];
}

/* scratch: room for the number of members */
static void add_role(fanin_text *page, const role *of, double *scratch)
{
    size_t n = 0;
    uint64_t nnan = 0, ninf = 0, nzero = 0;
    double min = __builtin_nan(""), max = __builtin_nan("");
    for (size_t i = 0; i < of->n; i++) {
        const fanin_statistics *s = of->members[i]->statistics;
        if (!s->is_float)
            continue;
        if (!isnan(s->variance))
            scratch[n++] = s->variance;
        nnan += s->nnan;
        ninf += s->ninf;
        nzero += s->nzero;
        min = fmin(min, s->min);
        max = fmax(max, s->max);
    }
    qsort(scratch, n, sizeof *scratch, compare_numbers);
    const double none = __builtin_nan(""), median = n > 0 ? scratch[n / 2] : none;
    const fanin_diagnosis_tensor *middle = typical(of, median);
    fanin_text_format(page, "<tr class=\"%s\">", fanin_page_class(of->worst));
    add_mark(page, of->worst);
    fanin_text_add(page, "<th scope=\"row\"><code>");
    fanin_markup_text(page, of->n > 1 ? of->members[0]->pattern : of->members[0]->name, FANIN_PAGE_NAME);
    fanin_text_add(page, "</code><small>");
    if (of->n > 1)
        fanin_text_format(page, "%zu of ", of->n);
    add_shape(page, middle);
    fanin_text_add(page, "</small></th>");
    fanin_text_add(page, "<td class=\"n\">");
    fanin_markup_number(page, sqrt(median));
    if (n > 1 && scratch[0] < scratch[n - 1]) {
        fanin_text_add(page, "<small>");
        fanin_markup_number(page, sqrt(scratch[0]));
        fanin_text_add(page, " \xe2\x80\xa6 ");
        fanin_markup_number(page, sqrt(scratch[n - 1]));
        fanin_text_add(page, "</small>");
    }
    fanin_text_add(page, "</td>");
    add_expected(page, middle);
    fanin_text_add(page, "<td>");
    add_law(page, &middle->fitted);
    fanin_text_add(page, "</td>");
    add_number(page, min);
    add_number(page, max);
    add_share(page, nzero, of->nelem);
    add_not_finite(page, nnan, ninf);
    add_histogram(page, middle->statistics);
    fanin_text_add(page, "</tr>\n");
}

static void begin_table(fanin_text *page, const char *label, const char *first, const char *std)
{
    fanin_text_format(page,
                      "<div class=\"scroll\" role=\"region\" aria-label=\"%s\" tabindex=\"0\"><table><thead><tr>"
                      "<th><span class=\"hidden\">worst finding</span></th><th>%s</th><th class=\"n\">%s</th>"
                      "<th class=\"n\">should be</th><th>looks like</th><th class=\"n\">least</th>"
                      "<th class=\"n\">greatest</th><th class=\"n\">zeros</th><th class=\"n\">not finite</th>"
                      "<th>histogram</th></tr></thead><tbody>\n",
                      label, first, std);
}

static void end_table(fanin_text *page)
{
    fanin_text_add(page, "</tbody></table></div>\n");
}

static void add_left_out(fanin_text *page, size_t n, const char *noun)
{
    if (n == 0)
        return;
    fanin_text_add(page, "<p class=\"more\">");
    fanin_markup_plural(page, n, noun);
    fanin_text_add(page, " left out here; <code>--json</code> has all.</p>\n");
}

static void add_roles(fanin_text *page, const role *roles, size_t nroles, double *scratch)
{
    size_t nshown = 0;
    fanin_text_add(page,
                   "<section aria-labelledby=\"roles\"><h2 id=\"roles\">Roles</h2>\n<p class=\"lead\">Tensors whose "
                   "names differ in numbers only, as one: the median and the extremes. The histogram is that of "
                   "the median; its counts are on a logarithmic scale, and NaN are counted apart.</p>\n");
    begin_table(page, "roles", "role", "std, median");
    for (; nshown < nroles && nshown < MAX_NROLES && fanin_page_has_room(page); nshown++)
        add_role(page, &roles[nshown], scratch);
    end_table(page);
    add_left_out(page, nroles - nshown, "role");
    fanin_text_add(page, "</section>\n");
}

/* -- Rows of tensors ---------------------------------------------------------------------------------------------- */

static void add_tensor(fanin_text *page, const fanin_diagnosis_tensor *tensor)
{
    const fanin_statistics *s = tensor->statistics;
    fanin_text_format(page, "<tr class=\"%s\">", fanin_page_class(tensor->worst));
    add_mark(page, tensor->worst);
    fanin_text_add(page, "<th scope=\"row\"><code>");
    fanin_markup_text(page, tensor->name, FANIN_PAGE_NAME);
    fanin_text_add(page, "</code><small>");
    add_shape(page, tensor);
    if (tensor->layer_kind != FANIN_LAYER_NONE)
        fanin_text_format(page, " \xc2\xb7 %s", fanin_layer_kind_name(tensor->layer_kind));
    if (tensor->fan_in > 0)
        fanin_text_format(page, " \xc2\xb7 fan_in %" PRId64, tensor->fan_in);
    fanin_text_add(page, tensor->is_buffer ? " \xc2\xb7 buffer</small></th>" : "</small></th>");
    if (s->is_float) {
        add_number(page, sqrt(s->variance));
        add_expected(page, tensor);
        fanin_text_add(page, "<td>");
        add_law(page, &tensor->fitted);
        fanin_text_add(page, "</td>");
        add_number(page, s->min);
        add_number(page, s->max);
        add_share(page, s->nzero, s->nelem);
        add_not_finite(page, s->nnan, s->ninf);
        add_histogram(page, s);
    } else {
        fanin_text_add(page,
                       "<td colspan=\"8\" class=\"soft\">not a floating point type: its values are not looked at</td>");
    }
    fanin_text_add(page, "</tr>\n");
}

/* Those with warnings and errors, and the largest of the others. */
static void add_tensors(fanin_text *page, const fanin_diagnosis_tensor **found, const fanin_diagnosis_tensor **largest,
                        size_t n)
{
    size_t nfound = 0, nshown = 0, nlarge = 0;
    while (nfound < n && nfound < MAX_NFOUND && found[nfound]->worst >= FANIN_SEVERITY_WARN)
        nfound++;
    const bool is_short = n <= NOPEN, has_all = n <= NLARGEST;
    fanin_text_format(
        page, "<section aria-labelledby=\"tensors\"><h2 id=\"tensors\">Tensors</h2>\n<details%s><summary>%s",
        is_short ? " open=\"open\"" : "", has_all ? "All " : "Those with warnings or errors, and the largest of ");
    fanin_markup_plural(page, n, "tensor");
    fanin_text_add(page, "</summary>\n");
    begin_table(page, "tensors", "tensor", "std");
    for (size_t i = 0; i < nfound && fanin_page_has_room(page); i++, nshown++)
        add_tensor(page, found[i]);
    for (size_t i = 0; i < n && nlarge < NLARGEST && fanin_page_has_room(page); i++) {
        if (largest[i]->worst >= FANIN_SEVERITY_WARN)
            continue;
        add_tensor(page, largest[i]);
        nlarge++;
        nshown++;
    }
    end_table(page);
    add_left_out(page, n - nshown, "tensor");
    fanin_text_add(page, "</details></section>\n");
}

fanin_status fanin_page_tensors(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error)
{
    const size_t n = fanin_diagnosis_tensor_count(diagnosis);
    const fanin_diagnosis_tensor **members = fanin_page_sort(diagnosis, compare_patterns);
    const fanin_diagnosis_tensor **found = fanin_page_sort(diagnosis, compare_findings);
    const fanin_diagnosis_tensor **largest = fanin_page_sort(diagnosis, compare_sizes);
    role *roles = fanin_allocate(n, sizeof *roles);
    double *scratch = fanin_allocate(n, sizeof *scratch);
    fanin_status status = FANIN_OK;
    if (members == NULL || found == NULL || largest == NULL || roles == NULL || scratch == NULL) {
        status = fanin_fail_memory(error, n * sizeof *roles);
    } else if (n > 0) {
        const size_t nroles = gather_roles(members, n, roles);
        if (nroles < n)
            add_roles(page, roles, nroles, scratch);
        add_tensors(page, found, largest, n);
    }
    fanin_free(members);
    fanin_free(found);
    fanin_free(largest);
    fanin_free(roles);
    fanin_free(scratch);
    return status;
}
