/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis as one page: the verdict and what to type, the findings, where they are, scales, tables, and what was
 * known. It needs no script, font or network, and says so to the browser.
 */
#include "fanin/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "fanin/version.h"
#include "report/page.h"

/* Findings that are written out. */
enum { MAX_NFINDINGS = 150, MAX_NNOTES = 100, MAX_NNAMES = 40 };

/* -- What the parts share ----------------------------------------------------------------------------------------- */

const char *fanin_page_class(int severity)
{
    static const char *const classes[] = {"ok", "i", "w", "e"};
    return classes[severity + 1];
}

const char *fanin_page_word(int severity)
{
    static const char *const words[] = {"nothing found", "note", "warning", "error"};
    return words[severity + 1];
}

/* qsort has no room for the comparison, and is not stable. */
typedef struct sortable {
    const fanin_diagnosis_tensor *tensor;
    fanin_page_comparison *compare;
    size_t place;
} sortable;

static int compare_sortable(const void *a, const void *b)
{
    const sortable *x = a, *y = b;
    const int order = x->compare(x->tensor, y->tensor);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

const fanin_diagnosis_tensor **fanin_page_sort(const fanin_diagnosis *diagnosis, fanin_page_comparison *compare)
{
    const size_t n = fanin_diagnosis_tensor_count(diagnosis);
    sortable *all = fanin_allocate(n, sizeof *all);
    const fanin_diagnosis_tensor **sorted = fanin_allocate(n, sizeof *sorted);
    if (all == NULL || sorted == NULL) {
        fanin_free(all);
        fanin_free(sorted);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        all[i] = (sortable){fanin_diagnosis_tensor_at(diagnosis, i), compare, i};
    qsort(all, n, sizeof *all, compare_sortable);
    for (size_t i = 0; i < n; i++)
        sorted[i] = all[i].tensor;
    fanin_free(all);
    return sorted;
}

/* -- Head --------------------------------------------------------------------------------------------------------- */

static int worst_of(const fanin_diagnosis *diagnosis)
{
    for (int s = FANIN_SEVERITY_ERROR; s >= FANIN_SEVERITY_WARN; s--)
        if (fanin_diagnosis_severity_count(diagnosis, (fanin_severity)s) > 0)
            return s;
    return -1;
}

/* "2 errors and 1 warning" */
static void add_verdict(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const size_t nerror = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR);
    const size_t nwarn = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN);
    if (nerror > 0)
        fanin_markup_plural(page, nerror, "error");
    fanin_text_add(page, nerror > 0 && nwarn > 0 ? " and " : "");
    if (nwarn > 0)
        fanin_markup_plural(page, nwarn, "warning");
    if (nerror + nwarn == 0)
        fanin_text_add(page, "Nothing wrong was found");
}

/* The style is the only thing that the page may load, and only this one. */
static void add_policy(fanin_text *page)
{
    uint8_t digest[32];
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, fanin_page_style, strlen(fanin_page_style));
    fanin_sha256_end(&hash, digest);
    fanin_text_add(page,
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-");
    fanin_base64_add(page, digest, sizeof digest);
    fanin_text_add(page, "'; base-uri 'none'; form-action 'none'\"/>\n");
}

static void add_head(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    fanin_text_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    add_policy(page);
    fanin_text_add(page, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                         "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                         "<meta name=\"referrer\" content=\"no-referrer\"/>\n<title>");
    add_verdict(page, diagnosis);
    fanin_text_add(page, " \xc2\xb7 ");
    fanin_markup_text(page, fanin_diagnosis_summarize(diagnosis)->name, 100);
    fanin_text_add(page, " \xc2\xb7 fanin check</title>\n<style>");
    fanin_text_add(page, fanin_page_style);
    fanin_text_add(page, "</style>\n</head>\n");
}

/* Marks differ in shape, not in colour alone: a square with a cross, a triangle, a ring with an i, a disc with a tick.
 */
static const char symbols[] =
    "<svg class=\"hidden\" aria-hidden=\"true\"><defs>"
    "<symbol id=\"e\" viewBox=\"0 0 16 16\"><path d=\"M5 0h6l5 5v6l-5 5h-6l-5-5v-6z\"/>"
    "<path class=\"in\" d=\"M5 5l6 6M11 5l-6 6\"/></symbol>"
    "<symbol id=\"w\" viewBox=\"0 0 16 16\"><path d=\"M8 .8l7.8 14.2h-15.6z\"/>"
    "<path class=\"in\" d=\"M8 5.6v4.6M8 12.1v1\"/></symbol>"
    "<symbol id=\"i\" viewBox=\"0 0 16 16\"><path class=\"ring\" d=\"M8 1a7 7 0 1 0 .01 0z\"/>"
    "<path class=\"stroke\" d=\"M8 7.2v4.6M8 4v1.2\"/></symbol>"
    "<symbol id=\"ok\" viewBox=\"0 0 16 16\"><path d=\"M8 0a8 8 0 1 0 .01 0z\"/>"
    "<path class=\"in\" d=\"M4.4 8.4l2.5 2.5 4.8-5.4\"/></symbol>"
    "<circle id=\"m\" r=\"2.4\"/><circle id=\"ms\" r=\"1.2\"/><path id=\"mw\" d=\"M0-4.6l4.4 8h-8.8z\"/>"
    "<path id=\"me\" d=\"M-1-4h2v3h3v2h-3v3h-2v-3h-3v-2h3z\" transform=\"rotate(45) scale(1.15)\"/>"
    "</defs></svg>\n";

static void add_icon(fanin_text *page, int severity)
{
    const char *which = fanin_page_class(severity);
    fanin_text_format(page,
                      "<svg class=\"g\" viewBox=\"0 0 16 16\" role=\"img\" aria-label=\"%s\"><use href=\"#%s\"/></svg>",
                      fanin_page_word(severity), which);
}

/* Of the findings above notes: those with something to type, and what most of them have. */
typedef struct remedies {
    const char *command;
    size_t nfindings, nwith_rule, ncommands;
} remedies;

static remedies gather_remedies(const fanin_diagnosis *diagnosis)
{
    remedies found = {0};
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if (finding->severity == FANIN_SEVERITY_INFO)
            continue;
        found.nfindings++;
        found.nwith_rule += finding->rule != NULL;
        if (finding->rule == NULL || finding->command == NULL)
            continue;
        if (found.command == NULL)
            found.command = finding->command;
        found.ncommands += strcmp(found.command, finding->command) == 0;
    }
    return found;
}

static void add_command(fanin_text *page, const char *command)
{
    fanin_text_add(page, "<pre class=\"type\"><code>");
    fanin_markup_text(page, command, FANIN_PAGE_SENTENCE);
    fanin_text_add(page, "</code></pre>\n");
}

static void add_remedies(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const remedies found = gather_remedies(diagnosis);
    if (found.nfindings == 0)
        return;
    if (found.command != NULL) {
        fanin_text_add(page, "<div class=\"mend\"><p>");
        if (found.ncommands == found.nfindings)
            fanin_text_add(page, found.nfindings == 1 ? "To mend it, type" : "To mend all of them, type");
        else
            fanin_text_format(page, "To mend %zu of %zu, type", found.ncommands, found.nfindings);
        fanin_text_add(page, "</p>");
        add_command(page, found.command);
        fanin_text_add(page,
                       "<p class=\"soft\">It writes a copy, in which only these tensors are made anew.</p></div>\n");
    } else if (found.nwith_rule == 0) {
        fanin_text_add(page, "<p class=\"mend\">None of them can be mended with what is known; each says below what is "
                             "missing.</p>\n");
    }
}

static void add_title(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const fanin_diagnosis_summary *summary = fanin_diagnosis_summarize(diagnosis);
    const int worst = worst_of(diagnosis);
    const size_t nnotes = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_INFO);
    fanin_text_format(page, "<header class=\"%s\">\n<p class=\"kicker\">fanin check</p>\n<p class=\"subject\"><code>",
                      fanin_page_class(worst));
    fanin_markup_text(page, summary->name, FANIN_PAGE_NAME);
    fanin_text_add(page, "</code></p>\n<h1>");
    add_icon(page, worst);
    fanin_text_add(page, "<span>");
    add_verdict(page, diagnosis);
    fanin_text_add(page, "</span></h1>\n<p class=\"facts\">");
    fanin_markup_plural(page, fanin_diagnosis_tensor_count(diagnosis), "tensor");
    fanin_text_add(page, " \xc2\xb7 ");
    fanin_markup_size(page, summary->nelem, "");
    fanin_text_add(page, " values \xc2\xb7 ");
    fanin_markup_size(page, summary->nbytes, "B");
    if (nnotes > 0) {
        fanin_text_add(page, " \xc2\xb7 <a href=\"#notes\">");
        fanin_markup_plural(page, nnotes, "note");
        fanin_text_add(page, "</a>");
    }
    fanin_text_add(page, " \xc2\xb7 known by ");
    fanin_markup_text(page, summary->known_by != NULL ? summary->known_by : "names and shapes", 120);
    fanin_text_add(page, "</p>\n");
    add_remedies(page, diagnosis);
    fanin_text_add(page, "</header>\n<main>\n");
}

/* -- Findings ----------------------------------------------------------------------------------------------------- */

static void add_row(fanin_text *page, const char *term, const char *text)
{
    if (text == NULL)
        return;
    fanin_text_format(page, "<dt>%s</dt><dd>", term);
    fanin_markup_text(page, text, FANIN_PAGE_SENTENCE);
    fanin_text_add(page, "</dd>");
}

static void add_code_row(fanin_text *page, const char *term, const char *code)
{
    if (code == NULL)
        return;
    fanin_text_format(page, "<dt>%s</dt><dd><code class=\"copy\">", term);
    fanin_markup_text(page, code, FANIN_PAGE_SENTENCE);
    fanin_text_add(page, "</code></dd>");
}

static void add_names(fanin_text *page, const fanin_diagnosis *diagnosis, const fanin_finding *finding)
{
    if (finding->ntensors < 2)
        return;
    fanin_text_add(page, "<p class=\"names\">");
    for (size_t i = 0; i < finding->ntensors && i < MAX_NNAMES; i++) {
        fanin_text_add(page, i > 0 ? ", <code>" : "<code>");
        fanin_markup_text(page, fanin_diagnosis_tensor_at(diagnosis, finding->tensors[i])->name, 80);
        fanin_text_add(page, "</code>");
    }
    if (finding->ntensors > MAX_NNAMES) {
        fanin_text_add(page, " and ");
        fanin_markup_count(page, finding->ntensors - MAX_NNAMES);
        fanin_text_add(page, " more");
    }
    fanin_text_add(page, "</p>\n");
}

/* What the table of checks says to somebody who has never heard of it. */
static void add_background(fanin_text *page, const fanin_diagnosis *diagnosis, const fanin_finding *finding)
{
    fanin_text_add(page, "<details><summary>What this means</summary><p>");
    fanin_markup_text(page, finding->check->means, 2000);
    fanin_text_add(page, "</p><p>");
    fanin_markup_text(page, finding->check->fix, 2000);
    fanin_text_add(page, "</p><dl>");
    add_row(page, "measured", finding->check->measures);
    add_row(page, "rule", finding->check->rule);
    add_row(page, "source", finding->check->source);
    fanin_text_add(page, "</dl>");
    add_names(page, diagnosis, finding);
    fanin_text_add(page, "</details>\n");
}

static void add_finding(fanin_text *page, const fanin_diagnosis *diagnosis, const fanin_finding *finding,
                        bool has_background)
{
    fanin_text_format(page, "<article class=\"%s\"><h3>", fanin_page_class((int)finding->severity));
    add_icon(page, (int)finding->severity);
    fanin_text_add(page, "<span>");
    fanin_markup_text(page, finding->check->title, 120);
    fanin_text_format(page, " <small>%s</small></span></h3>\n<p class=\"at\"><code>", finding->check->id);
    fanin_markup_text(page, finding->where, FANIN_PAGE_NAME);
    fanin_text_add(page, "</code>");
    if (finding->ntensors > 1) {
        fanin_text_add(page, " <small>");
        fanin_markup_plural(page, finding->ntensors, "tensor");
        fanin_text_add(page, "</small>");
    }
    fanin_text_add(page, "</p>\n<p class=\"what\">");
    fanin_markup_text(page, finding->what, FANIN_PAGE_SENTENCE);
    fanin_text_add(page, "</p>\n<dl>");
    add_row(page, "expected", finding->expectation);
    add_row(page, "so", finding->consequence);
    add_code_row(page, "made anew by", finding->rule);
    add_row(page, "to mend it", finding->rule == NULL ? finding->missing : NULL);
    const char *command = gather_remedies(diagnosis).command; /* at the top already */
    if (finding->command != NULL && (command == NULL || strcmp(command, finding->command) != 0))
        add_code_row(page, "type", finding->command);
    fanin_text_add(page, "</dl>\n");
    if (has_background)
        add_background(page, diagnosis, finding);
    fanin_text_add(page, "</article>\n");
}

/* Each check is explained once. */
static bool is_first_of_check(const fanin_diagnosis *diagnosis, size_t at)
{
    const fanin_check *check = fanin_diagnosis_finding_at(diagnosis, at)->check;
    for (size_t i = 0; i < at; i++)
        if (fanin_diagnosis_finding_at(diagnosis, i)->check == check)
            return false;
    return true;
}

static void add_some(fanin_text *page, const fanin_diagnosis *diagnosis, bool is_notes, size_t most)
{
    size_t n = 0, nshown = 0;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if ((finding->severity == FANIN_SEVERITY_INFO) != is_notes)
            continue;
        if (n++ >= most)
            continue;
        add_finding(page, diagnosis, finding, is_first_of_check(diagnosis, i) || finding->ntensors > 1);
        nshown++;
    }
    if (n > nshown) {
        fanin_text_add(page, "<p class=\"more\">");
        fanin_markup_plural(page, n - nshown, is_notes ? "more note" : "more finding");
        fanin_text_add(page, "; <code>--json</code> has all.</p>\n");
    }
}

static void add_findings(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    if (worst_of(diagnosis) < 0)
        return;
    fanin_text_add(page, "<section aria-labelledby=\"findings\"><h2 id=\"findings\">Findings</h2>\n");
    add_some(page, diagnosis, false, MAX_NFINDINGS);
    fanin_text_add(page, "</section>\n");
}

static void add_notes(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const size_t n = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_INFO);
    if (n == 0)
        return;
    fanin_text_format(page, "<section aria-labelledby=\"notes\"><h2 id=\"notes\">Notes</h2>\n<details%s><summary>",
                      n <= 4 && worst_of(diagnosis) < 0 ? " open=\"open\"" : "");
    fanin_markup_plural(page, n, "note");
    fanin_text_add(page, ": a matter of taste, or what cannot be known</summary>\n");
    add_some(page, diagnosis, true, MAX_NNOTES);
    fanin_text_add(page, "</details></section>\n");
}

/* -- What was done ------------------------------------------------------------------------------------------------ */

static void add_checks(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const bool deep = fanin_diagnosis_summarize(diagnosis)->deep;
    fanin_text_add(page, "<ul class=\"checks\">\n");
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const fanin_check *check = fanin_check_at(i);
        const bool is_left_out = check->deep && !deep;
        int worst = -1;
        for (size_t k = 0; k < fanin_diagnosis_finding_count(diagnosis); k++) {
            const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, k);
            if (finding->check == check && (int)finding->severity > worst)
                worst = (int)finding->severity;
        }
        fanin_text_format(page, "<li class=\"%s\">", is_left_out ? "out" : fanin_page_class(worst));
        if (!is_left_out)
            add_icon(page, worst);
        fanin_text_format(page, "<span><small>%s</small> ", check->id);
        fanin_markup_text(page, check->title, 120);
        fanin_text_add(page, is_left_out ? " <small>only with --deep</small></span></li>\n" : "</span></li>\n");
    }
    fanin_text_add(page, "</ul>\n");
}

static void add_provenance(fanin_text *page, const fanin_diagnosis *diagnosis)
{
    const fanin_diagnosis_summary *summary = fanin_diagnosis_summarize(diagnosis);
    fanin_text_add(page, "<section aria-labelledby=\"how\"><h2 id=\"how\">What was looked at</h2>\n<dl class=\"how\">");
    add_row(page, "weights", summary->name);
    add_row(page, "known by", summary->known_by);
    add_row(page, "family", summary->family);
    add_row(page, "profile", summary->profile);
    fanin_text_add(page, "<dt>seed</dt><dd>");
    if (summary->has_seed)
        fanin_text_format(page, "<code>%" PRIu64 "</code>", summary->seed);
    else
        fanin_text_add(page, "none is recorded");
    fanin_text_add(page, "</dd><dt>values</dt><dd>");
    fanin_markup_count(page, summary->nelem);
    fanin_text_add(page, " in ");
    fanin_markup_count(page, summary->nbytes);
    fanin_text_add(page, " bytes</dd>");
    if (summary->target != FANIN_DTYPE_NONE)
        add_row(page, "stored as", fanin_dtype_name(summary->target));
    add_row(page, "distributions", summary->expect ? "each tensor tested against its own" : NULL);
    fanin_text_add(page, "<dt>by</dt><dd>fanin " FANIN_VERSION_STRING "</dd></dl>\n");
    add_checks(page, diagnosis);
    fanin_text_add(page, "</section>\n");
}

fanin_status fanin_diagnosis_to_html(const fanin_diagnosis *diagnosis, char **text, fanin_error *error)
{
    fanin_text page = {0};
    fanin_clear(error);
    add_head(&page, diagnosis);
    fanin_text_add(&page, "<body>\n");
    fanin_text_add(&page, symbols);
    add_title(&page, diagnosis);
    add_findings(&page, diagnosis);
    fanin_status status = fanin_page_strips(&page, diagnosis, error);
    if (status == FANIN_OK)
        status = fanin_page_scales(&page, diagnosis, error);
    add_notes(&page, diagnosis);
    if (status == FANIN_OK)
        status = fanin_page_tensors(&page, diagnosis, error);
    add_provenance(&page, diagnosis);
    fanin_text_add(&page, "</main>\n</body>\n</html>\n");
    if (status == FANIN_OK && page.failed)
        status = fanin_fail_memory(error, page.nbytes);
    if (status != FANIN_OK) {
        fanin_text_release(&page);
        return status;
    }
    *text = page.data;
    return FANIN_OK;
}
