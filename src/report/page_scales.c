/* SPDX-License-Identifier: MIT */
/*
 * How large the weights are against how large they should be: the standard deviation on a logarithmic axis, a panel for
 * each role, a mark for each layer.
 */
#include "report/page.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* A role of fewer layers shares the last panel. */
enum { MIN_NMEMBERS = 4, MAX_NPANELS = 12 };
/* Marks of a panel; beyond, each is several layers, drawn from the least to the greatest. */
enum { MAX_NMARKS = 134 };

/* The drawing, in its own units. */
#define WIDTH  320
#define HEIGHT 150
#define LEFT   46.0
#define RIGHT  312.0
#define TOP    10.0
#define BOTTOM 120.0

/* The axis is a decade high at least. */
#define MIN_DECADES 1.0

typedef struct panel {
    const fanin_diagnosis_tensor **members;
    size_t n;
    bool is_role;     /* all of one pattern */
    const char *name; /* of what is no role */
    int worst;
    double low, high; /* log10 */
    bool has_expected;
    size_t nlayers; /* of the whole model that a standard deviation, but no distribution, is known for */
} panel;

static bool is_shown(const fanin_diagnosis_tensor *tensor)
{
    return tensor->is_weight && !tensor->is_buffer && tensor->statistics->is_float && tensor->statistics->nelem > 1;
}

static int compare_roles(const fanin_diagnosis_tensor *a, const fanin_diagnosis_tensor *b)
{
    if (is_shown(a) != is_shown(b))
        return is_shown(a) ? -1 : 1;
    const int order = strcmp(a->pattern, b->pattern);
    return order != 0 ? order : (a->layer > b->layer) - (a->layer < b->layer);
}

static bool has_scale(const fanin_diagnosis_tensor *tensor)
{
    return tensor->statistics->variance > 0 && isfinite(tensor->statistics->variance);
}

static double scale_of(const fanin_diagnosis_tensor *tensor)
{
    return fanin_markup_log10(tensor->statistics->variance) / 2;
}

static bool has_expected(const fanin_diagnosis_tensor *tensor)
{
    return tensor->expected_std > 0 && isfinite(tensor->expected_std);
}

/*
 * How far, in decades, a standard deviation may be off: 7.5 of its standard errors where the distribution is known;
 * where no more is known than what suits the layer, what makes ten times over all nlayers of them.
 */
static double reach_of(const fanin_diagnosis_tensor *tensor, size_t nlayers)
{
    if (tensor->expected.kind == FANIN_LAW_NONE)
        return 1 / (double)nlayers;
    const double n = (double)tensor->statistics->nelem;
    return fanin_markup_log10(1 + 7.5 / sqrt((tensor->expected.kind == FANIN_LAW_UNIFORM ? 5 : 2) * n));
}

static void widen(panel *of, double value)
{
    of->low = value < of->low ? value : of->low;
    of->high = value > of->high ? value : of->high;
}

static void measure(panel *of)
{
    of->worst = -1;
    of->low = HUGE_VAL;
    of->high = -HUGE_VAL;
    of->has_expected = false;
    for (size_t i = 0; i < of->n; i++) {
        const fanin_diagnosis_tensor *tensor = of->members[i];
        of->worst = tensor->worst > of->worst ? tensor->worst : of->worst;
        if (has_scale(tensor))
            widen(of, scale_of(tensor));
        if (has_expected(tensor)) {
            widen(of, fanin_markup_log10(tensor->expected_std));
            of->has_expected = true;
        }
    }
    if (of->low > of->high)
        of->low = of->high = 0;
    const double missing = MIN_DECADES - (of->high - of->low), margin = (of->high - of->low) * 0.1;
    const double room = missing > 2 * margin ? missing / 2 : margin;
    of->low -= room;
    of->high += room;
}

static double y_of(const panel *of, double log_value)
{
    const double y = BOTTOM - (log_value - of->low) / (of->high - of->low) * (BOTTOM - TOP);
    return y < TOP ? TOP : y > BOTTOM ? BOTTOM : y;
}

static double x_of(double place, size_t nmarks)
{
    return LEFT + (RIGHT - LEFT) * (place + 0.5) / (double)nmarks;
}

/* -- Drawing ------------------------------------------------------------------------------------------------------ */

static void add_point(fanin_text *page, const char *letter, double x, double y)
{
    fanin_text_add(page, letter);
    fanin_markup_tenths(page, x);
    fanin_text_add(page, " ");
    fanin_markup_tenths(page, y);
}

/* Lines at powers of ten, and at 2 and 5 times them where there are few. */
static void add_axis(fanin_text *page, const panel *of)
{
    static const double steps[] = {1, 2, 5};
    const double span = of->high - of->low;
    const int nsteps = span < 1.6 ? 3 : 1;
    const int first = (int)floor(of->low), last = (int)ceil(of->high);
    const int stride = span > 6 ? (int)ceil(span / 5) : 1;
    for (int decade = first; decade <= last; decade += stride)
        for (int k = 0; k < nsteps; k++) {
            const double place = decade + fanin_markup_log10(steps[k]);
            if (place < of->low || place > of->high)
                continue;
            const double y = y_of(of, place);
            double value = steps[k];
            for (int i = 0; i < decade; i++)
                value *= 10;
            for (int i = 0; i > decade; i--)
                value /= 10;
            fanin_text_add(page, "<path class=\"grid\" d=\"");
            add_point(page, "M", LEFT, y);
            fanin_text_add(page, "H312\"/><text class=\"tick\" x=\"40\" y=\"");
            fanin_markup_tenths(page, y + 3.5);
            fanin_text_add(page, "\">");
            fanin_markup_number(page, value);
            fanin_text_add(page, "</text>");
        }
}

static size_t nmarks_of(const panel *of)
{
    return of->n < MAX_NMARKS ? of->n : MAX_NMARKS;
}

static size_t begin_of(const panel *of, size_t mark)
{
    return mark * of->n / nmarks_of(of);
}

/* What should be: a band, and a line in its middle. */
static void add_bands(fanin_text *page, const panel *of)
{
    const size_t nmarks = nmarks_of(of);
    const double step = (RIGHT - LEFT) / (double)nmarks;
    for (int is_line = 0; is_line < 2; is_line++) {
        fanin_text_format(page, "<path class=\"%s\" d=\"", is_line ? "should" : "band");
        for (size_t i = 0; i < nmarks; i++) {
            const fanin_diagnosis_tensor *tensor = of->members[begin_of(of, i)];
            if (!has_expected(tensor))
                continue;
            const double middle = fanin_markup_log10(tensor->expected_std);
            const double reach = reach_of(tensor, of->nlayers), x = LEFT + step * (double)i;
            double top = y_of(of, middle + reach), bottom = y_of(of, middle - reach);
            if (bottom - top < 5) { /* thinner could not be seen */
                top = y_of(of, middle) - 2.5;
                bottom = top + 5;
            }
            add_point(page, "M", x, is_line ? y_of(of, middle) : top);
            fanin_text_add(page, "H");
            fanin_markup_tenths(page, x + step);
            if (!is_line) {
                fanin_text_add(page, "V");
                fanin_markup_tenths(page, bottom);
                fanin_text_add(page, "H");
                fanin_markup_tenths(page, x);
                fanin_text_add(page, "Z");
            }
        }
        fanin_text_add(page, "\"/>");
    }
}

static void add_mark(fanin_text *page, const panel *of, size_t mark)
{
    const size_t nmarks = nmarks_of(of), begin = begin_of(of, mark);
    const size_t end = mark + 1 < nmarks ? begin_of(of, mark + 1) : of->n;
    const fanin_diagnosis_tensor *worst = of->members[begin];
    double least = HUGE_VAL, greatest = -HUGE_VAL;
    for (size_t i = begin; i < end; i++) {
        const fanin_diagnosis_tensor *tensor = of->members[i];
        worst = tensor->worst > worst->worst ? tensor : worst;
        if (!has_scale(tensor))
            continue;
        least = scale_of(tensor) < least ? scale_of(tensor) : least;
        greatest = scale_of(tensor) > greatest ? scale_of(tensor) : greatest;
    }
    const double x = x_of((double)mark, nmarks);
    if (least < greatest && y_of(of, least) - y_of(of, greatest) > 4) {
        fanin_text_add(page, "<path class=\"range\" d=\"");
        add_point(page, "M", x, y_of(of, least));
        fanin_text_add(page, "V");
        fanin_markup_tenths(page, y_of(of, greatest));
        fanin_text_add(page, "\"/>");
    }
    /* no scale: it lies on the floor */
    const double y = has_scale(worst) ? y_of(of, scale_of(worst)) : BOTTOM;
    const char *plain = nmarks > 60 ? "s" : "";
    fanin_text_format(page, "<use href=\"#m%s\" class=\"%s\" x=\"",
                      worst->worst >= FANIN_SEVERITY_WARN ? fanin_page_class(worst->worst) : plain,
                      fanin_page_class(worst->worst));
    fanin_markup_tenths(page, x);
    fanin_text_add(page, "\" y=\"");
    fanin_markup_tenths(page, y);
    fanin_text_add(page, "\"><title>");
    fanin_markup_text(page, worst->name, 60);
    fanin_text_add(page, ": ");
    fanin_markup_number(page, sqrt(worst->statistics->variance));
    if (has_expected(worst)) {
        fanin_text_add(page, ", should be ");
        fanin_markup_number(page, worst->expected_std);
    }
    fanin_text_add(page, "</title></use>");
}

static void add_place_names(fanin_text *page, const panel *of)
{
    const fanin_diagnosis_tensor *first = of->members[0], *last = of->members[of->n - 1];
    if (!of->is_role || first->layer < 0)
        return;
    fanin_text_format(page, "<text class=\"place\" x=\"46\" y=\"138\">layer %lld</text>", (long long)first->layer);
    fanin_text_format(page, "<text class=\"place end\" x=\"312\" y=\"138\">%lld</text>", (long long)last->layer);
}

static void add_panel(fanin_text *page, const panel *of)
{
    fanin_text_add(page, "<figure><figcaption><code>");
    fanin_markup_text(page, of->is_role ? of->members[0]->pattern : of->name, FANIN_PAGE_NAME);
    fanin_text_add(page, "</code></figcaption><svg viewBox=\"0 0 320 150\" role=\"img\"><title>");
    fanin_text_add(page, "Standard deviation of ");
    fanin_markup_plural(page, of->n, "weight");
    fanin_text_format(page, ", the worst finding: %s</title>", fanin_page_word(of->worst));
    add_axis(page, of);
    add_bands(page, of);
    for (size_t i = 0; i < nmarks_of(of); i++)
        add_mark(page, of, i);
    add_place_names(page, of);
    fanin_text_add(page, "</svg></figure>\n");
}

/* -- Panels ------------------------------------------------------------------------------------------------------- */

/* Roles of several layers become panels, and what is left moves to the end of `members`; returns the panels' number. */
static size_t gather_panels(const fanin_diagnosis_tensor **members, size_t n, size_t nlayers, panel *panels,
                            const fanin_diagnosis_tensor **others, size_t *nothers)
{
    size_t npanels = 0;
    *nothers = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && strcmp(members[begin]->pattern, members[end]->pattern) == 0;)
            end++;
        if (end - begin >= MIN_NMEMBERS)
            panels[npanels++] =
                (panel){.members = members + begin, .n = end - begin, .is_role = true, .nlayers = nlayers};
        else
            for (size_t i = begin; i < end; i++)
                others[(*nothers)++] = members[i];
    }
    for (size_t i = 0; i < npanels; i++)
        measure(&panels[i]);
    return npanels;
}

static void add_explanation(fanin_text *page, const panel *panels, size_t npanels, bool others_have)
{
    bool has = others_have;
    for (size_t i = 0; i < npanels; i++)
        has = has || panels[i].has_expected;
    fanin_text_add(page,
                   "<section aria-labelledby=\"scale\"><h2 id=\"scale\">Scale</h2>\n<p class=\"lead\">Each mark is the "
                   "standard deviation of one weight, on a logarithmic axis. ");
    fanin_text_add(page, has ? "The line is what it should be, the band what may be: 7.5 standard errors where the "
                               "distribution is known; where only the layers are, what makes ten times over all of "
                               "them."
                             : "Nothing tells what it should be: <code>--config</code>, <code>--plan</code> or "
                               "<code>--recipe</code> would.");
    fanin_text_add(page, " A mark on the floor has none: all its values are equal, or none is finite.</p>\n"
                         "<div class=\"panels\">\n");
}

static void add_panels(fanin_text *page, panel *panels, size_t npanels, panel *rest)
{
    size_t nshown = 0;
    if (rest->n > 0)
        measure(rest);
    add_explanation(page, panels, npanels, rest->n > 0 && rest->has_expected);
    for (int severity = FANIN_SEVERITY_ERROR; severity >= -1; severity--)
        for (size_t i = 0; i < npanels; i++)
            if (panels[i].worst == severity && nshown < MAX_NPANELS) {
                add_panel(page, &panels[i]);
                nshown++;
            }
    if (rest->n > 0)
        add_panel(page, rest);
    fanin_text_add(page, "</div>\n");
    if (npanels > nshown) {
        fanin_text_add(page, "<p class=\"more\">");
        fanin_markup_plural(page, npanels - nshown, "more role");
        fanin_text_add(page, ", with nothing worse, in the table below.</p>\n");
    }
    fanin_text_add(page, "</section>\n");
}

fanin_status fanin_page_scales(fanin_text *page, const fanin_diagnosis *diagnosis, fanin_error *error)
{
    const size_t n = fanin_diagnosis_tensor_count(diagnosis);
    const fanin_diagnosis_tensor **members = fanin_page_sort(diagnosis, compare_roles);
    const fanin_diagnosis_tensor **others = fanin_allocate(n, sizeof *others);
    panel *panels = fanin_allocate(n / MIN_NMEMBERS + 1, sizeof *panels);
    fanin_status status = FANIN_OK;
    if (members == NULL || others == NULL || panels == NULL) {
        status = fanin_fail_memory(error, n * sizeof *members);
    } else {
        size_t nshown = 0, nlayers = 0;
        for (; nshown < n && is_shown(members[nshown]); nshown++)
            nlayers += has_expected(members[nshown]) && members[nshown]->expected.kind == FANIN_LAW_NONE;
        panel rest = {.members = others, .nlayers = nlayers};
        const size_t npanels = gather_panels(members, nshown, nlayers, panels, others, &rest.n);
        rest.name = npanels > 0 ? "the others" : "all weights";
        if (nshown > 0)
            add_panels(page, panels, npanels, &rest);
    }
    fanin_free(members);
    fanin_free(others);
    fanin_free(panels);
    return status;
}
