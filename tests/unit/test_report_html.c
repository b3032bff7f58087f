/* SPDX-License-Identifier: MIT */
/*
 * The page of a diagnosis: well-formed whatever the names are, small whatever the model, the same bytes each time, and
 * with the findings on it.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/text.h"
#include "counting_allocator.h"
#include "fanin/check.h"
#include "report/markup.h"
#include "test.h"

enum { NELEM = 64, LONGEST_NAME = 40, DEEPEST = 64 };

typedef struct model {
    size_t n;
    fanin_weight *weights;
    char **names;
    float (*values)[NELEM];
    fanin_weights all;
} model;

static const int64_t shape[] = {8, 8};

static fanin_status read_values(void *user, size_t i, uint64_t offset, void *data, size_t nbytes, fanin_error *error)
{
    const model *m = user;
    (void)error;
    memcpy(data, (const char *)m->values[i] + offset, nbytes);
    return FANIN_OK;
}

/* n healthy weights, "layers.K.fcJ.weight" */
static void model_make(model *m, size_t n)
{
    fanin_generator generator = fanin_generator_torch(7);
    *m = (model){.n = n};
    m->weights = calloc(n, sizeof *m->weights);
    m->names = calloc(n, sizeof *m->names);
    m->values = calloc(n, sizeof *m->values);
    assert_true(m->weights != NULL && m->names != NULL && m->values != NULL);
    for (size_t i = 0; i < n; i++) {
        m->names[i] = calloc(1, LONGEST_NAME);
        assert_non_null(m->names[i]);
        snprintf(m->names[i], LONGEST_NAME, "layers.%zu.fc%zu.weight", i / 8, i % 8);
        m->weights[i] = (fanin_weight){.name = m->names[i], .dtype = FANIN_F32, .ndim = 2, .shape = shape};
        for (size_t k = 0; k < NELEM; k++)
            m->values[i][k] = (float)(fanin_generator_u32(&generator) >> 8) * 0x1p-24f - 0.5f;
    }
    m->all = (fanin_weights){.nweights = n, .weights = m->weights, .read = read_values, .user = m, .name = "model"};
}

static void model_free(model *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->names[i]);
    free(m->names);
    free(m->weights);
    free(m->values);
}

/* To be given back by fanin_release. */
static char *page_of(const model *m)
{
    fanin_error error;
    fanin_diagnosis *diagnosis;
    char *page, *again;
    const fanin_diagnosis_options options = {.size = sizeof options, .command = "fanin check model"};
    assert_ok(fanin_diagnose(&m->all, &options, &diagnosis, &error), error);
    assert_ok(fanin_diagnosis_to_html(diagnosis, &page, &error), error);
    assert_ok(fanin_diagnosis_to_html(diagnosis, &again, &error), error);
    assert_string_equal(page, again);
    fanin_release(again);
    fanin_diagnosis_free(diagnosis);
    return page;
}

/* -- A checker of form -------------------------------------------------------------------------------------------- */

typedef struct reader {
    const char *at;
    const char *page;
    char open[DEEPEST][16];
    size_t depth;
} reader;

static void complain(const reader *r, const char *what)
{
    fail_msg("%s at byte %zu: %.60s", what, (size_t)(r->at - r->page), r->at);
}

static void read_entity(reader *r)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (size_t i = 0; i < 5; i++)
        if (strncmp(r->at, known[i], strlen(known[i])) == 0) {
            r->at += strlen(known[i]);
            return;
        }
    complain(r, "an entity that is none");
}

/* One character of text; `end` is what must be escaped. */
static void read_character(reader *r)
{
    const size_t length = fanin_utf8_length(r->at, strlen(r->at));
    if (*r->at == '&') {
        read_entity(r);
        return;
    }
    if (length == 0 || ((unsigned char)*r->at < 0x20 && *r->at != '\n'))
        complain(r, "a byte that is no text");
    r->at += length;
}

static void read_name(reader *r, char name[16])
{
    size_t n = 0;
    while (n < 15 && ((*r->at >= 'a' && *r->at <= 'z') || (*r->at >= '0' && *r->at <= '9')))
        name[n++] = *r->at++;
    name[n] = '\0';
    if (n == 0)
        complain(r, "no name of an element");
}

static void read_attributes(reader *r)
{
    while (*r->at == ' ') {
        const char *equals = strchr(r->at, '=');
        if (equals == NULL || equals[1] != '"' || equals - r->at > 40)
            complain(r, "an attribute without a value in quotes");
        for (r->at = equals + 2; *r->at != '"';) {
            if (*r->at == '<' || *r->at == '\0')
                complain(r, "an attribute that does not end");
            read_character(r);
        }
        r->at++;
    }
}

static void read_tag(reader *r)
{
    char name[16];
    if (r->at[1] == '/') {
        r->at += 2;
        read_name(r, name);
        if (r->depth == 0 || strcmp(r->open[r->depth - 1], name) != 0 || *r->at != '>')
            complain(r, "an end without its beginning");
        r->depth--;
        r->at++;
        return;
    }
    r->at++;
    read_name(r, name);
    read_attributes(r);
    assert_true(strcmp(name, "script") != 0 && strcmp(name, "img") != 0 && strcmp(name, "iframe") != 0);
    if (strncmp(r->at, "/>", 2) == 0) {
        r->at += 2;
        return;
    }
    if (*r->at != '>' || r->depth == DEEPEST)
        complain(r, "a tag that does not end");
    r->at++;
    strcpy(r->open[r->depth++], name);
}

static void check_form(const char *page)
{
    static const char doctype[] = "<!DOCTYPE html>\n";
    reader r = {.at = page, .page = page};
    assert_memory_equal(page, doctype, strlen(doctype));
    for (r.at += strlen(doctype); *r.at != '\0';)
        if (*r.at == '<')
            read_tag(&r);
        else
            read_character(&r);
    assert_int_equal(r.depth, 0);
}

/* -- Tests -------------------------------------------------------------------------------------------------------- */

static void findings_are_on_the_page(void **state)
{
    (void)state;
    model m;
    model_make(&m, 96);
    char *healthy = page_of(&m);
    check_form(healthy);
    assert_non_null(strstr(healthy, "Nothing wrong was found"));
    assert_null(strstr(healthy, "<article class=\"e\""));
    fanin_release(healthy);
    m.values[3][9] = NAN;
    memset(m.values[8], 0, sizeof m.values[8]);
    char *page = page_of(&m);
    check_form(page);
    assert_non_null(strstr(page, "<title>2 errors"));
    assert_non_null(strstr(page, "<h3><svg class=\"g\" viewBox=\"0 0 16 16\" role=\"img\" aria-label=\"error\">"));
    assert_non_null(strstr(page, "<code>layers.0.fc3.weight</code></p>\n<p class=\"what\">1 NaN of 64 values"));
    assert_non_null(strstr(page, "<dt>made anew by</dt><dd><code class=\"copy\">layers.0.fc3.weight="));
    assert_non_null(strstr(page, "<pre class=\"type\"><code>fanin check model --fix -o NEW</code></pre>"));
    assert_non_null(strstr(page, "layers.0\xe2\x80\x93"
                                 "11"));
    fanin_release(page);
    model_free(&m);
}

static void ten_thousand_tensors_are_below_2_mb(void **state)
{
    (void)state;
    model m;
    model_make(&m, 10000);
    char *page = page_of(&m);
    check_form(page);
    assert_in_range(strlen(page), 10000, 1999999);
    fanin_release(page);
    /* as many roles as tensors, a finding each, long names that grow by escaping */
    for (size_t i = 0; i < m.n; i++) {
        char *name = calloc(1, 1100);
        assert_non_null(name);
        memset(name, '<', 1000);
        for (size_t k = 0, rest = i; k < 14; k++, rest /= 2)
            name[k] = rest % 2 != 0 ? '>' : '"';
        free(m.names[i]);
        m.weights[i].name = m.names[i] = name;
        m.values[i][0] = NAN;
    }
    page = page_of(&m);
    check_form(page);
    assert_in_range(strlen(page), 10000, 1999999);
    fanin_release(page);
    model_free(&m);
}

static void names_are_text_whatever_they_hold(void **state)
{
    (void)state;
    static const char *const pieces[] = {"</script>",    "<script>alert(1)</script>",
                                         "\"",           "'",
                                         "&amp;",        "]]>",
                                         "<!--",         "-->",
                                         "\xe2\x80\xae", "\x1b[31m",
                                         "\n",           "\xff",
                                         "\xc3",         "\xf0\x9f\x98\x80",
                                         "\xef\xbf\xbf", ".1.",
                                         "weight",       "=",
                                         "/>",           "\x7f"};
    fanin_generator generator = fanin_generator_torch(11);
    for (int round = 0; round < 200; round++) {
        model m;
        model_make(&m, 6);
        for (size_t i = 0; i < m.n; i++) {
            char name[LONGEST_NAME];
            size_t n = 0;
            for (int k = 0; k < 4; k++) {
                const uint32_t draw = fanin_generator_u32(&generator);
                if (draw % 3 == 0)
                    name[n++] = (char)(1 + (draw >> 8) % 255);
                else
                    n += (size_t)snprintf(name + n, sizeof name - n, "%.6s",
                                          pieces[(draw >> 8) % (sizeof pieces / sizeof pieces[0])]);
            }
            snprintf(name + n, sizeof name - n, "%zu", i);
            strcpy(m.names[i], name);
            m.values[i][1] = i % 2 == 0 ? NAN : 0;
        }
        m.all.name = m.names[5];
        char *page = page_of(&m);
        check_form(page);
        assert_null(strstr(page, "\xe2\x80\xae"));
        fanin_release(page);
        model_free(&m);
    }
}

static void memory_that_runs_out_leaves_nothing(void **state)
{
    (void)state;
    model m;
    fanin_diagnosis *diagnosis;
    fanin_error error;
    counting_allocator counter;
    counting_begin(&counter);
    model_make(&m, 24);
    assert_ok(fanin_diagnose(&m.all, NULL, &diagnosis, &error), error);
    const uint64_t nblocks = counter.nblocks;
    for (uint64_t n = 1;; n++) {
        char *page = NULL;
        counter.ncalls = 0;
        counter.fail_at = n;
        fanin_status status = fanin_diagnosis_to_html(diagnosis, &page, &error);
        counter.fail_at = 0;
        if (status == FANIN_OK) {
            assert_true(n > 10);
            fanin_release(page);
            break;
        }
        assert_int_equal(status, FANIN_ERROR_MEMORY);
        assert_null(page);
        assert_int_equal(counter.nblocks, nblocks);
    }
    fanin_diagnosis_free(diagnosis);
    assert_int_equal(counter.nblocks, 0);
    counting_end();
    model_free(&m);
}

static void expect_text(const char *text, size_t most, const char *expected)
{
    fanin_text page = {0};
    fanin_text_add(&page, "");
    fanin_markup_text(&page, text, most);
    assert_string_equal(page.data, expected);
    fanin_text_release(&page);
}

static void expect_number(double value, const char *expected)
{
    fanin_text page = {0};
    fanin_markup_number(&page, value);
    assert_string_equal(page.data, expected);
    fanin_text_release(&page);
}

static void words_and_numbers(void **state)
{
    (void)state;
    expect_text("a<b>&\"'", 99, "a&lt;b&gt;&amp;&quot;&#39;");
    expect_text("\x1b\xe2\x80\xae\xff\xf3\xa0\x81\x81", 99, "\\x1b\\u{202e}\\xff\\u{e0041}");
    expect_text("abcdefghijkl", 6, "abcd\xe2\x80\xa6kl");
    expect_text("h\xc3\xa9llo", 5, "h\xc3\xa9llo");
    expect_number(0.02, "0.02");
    expect_number(-0.0123456, "\xe2\x88\x92"
                              "0.0123");
    expect_number(0.0001, "0.0001");
    expect_number(0.000012345, "1.23e\xe2\x88\x92"
                               "5");
    expect_number(1, "1");
    expect_number(99.96, "100");
    expect_number(123456, "123000");
    expect_number(3.02e29, "3.02e29");
    expect_number(NAN, "\xe2\x80\x93");
    expect_number(-INFINITY, "\xe2\x88\x92\xe2\x88\x9e");
    for (int e = -300; e < 300; e += 7)
        assert_true(fabs(fanin_markup_log10(pow(10, e)) - e) < 1e-9 * (fabs((double)e) + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_on_the_page),
        cmocka_unit_test(ten_thousand_tensors_are_below_2_mb),
        cmocka_unit_test(names_are_text_whatever_they_hold),
        cmocka_unit_test(memory_that_runs_out_leaves_nothing),
        cmocka_unit_test(words_and_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
