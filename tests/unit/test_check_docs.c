/* SPDX-License-Identifier: MIT */
/*
 * docs/check.md says of every check what the table says: the part between its marks is made here. With
 * FANIN_UPDATE_DOCS=1 the file is written anew instead of compared.
 */
#include "test.h"

#include "fanin/check.h"

#define BEGIN_MARK "<!-- The table of checks begins; it is made by tests/unit/test_check_docs.c. -->\n"
#define END_MARK   "<!-- The table of checks ends. -->\n"
#define WIDTH      118

typedef struct growing {
    char *data;
    size_t n, capacity, column;
} growing;

static void add(growing *text, const char *piece, size_t n)
{
    if (text->n + n + 1 > text->capacity) {
        text->capacity = 2 * (text->n + n + 1);
        text->data = realloc(text->data, text->capacity);
        assert_non_null(text->data);
    }
    memcpy(text->data + text->n, piece, n);
    text->n += n;
    text->data[text->n] = '\0';
}

static void add_text(growing *text, const char *piece)
{
    add(text, piece, strlen(piece));
}

/* Words, wrapped; characters that Markdown would take for its own are escaped. */
static void add_paragraph(growing *text, const char *label, const char *words)
{
    size_t column = strlen(label);
    add_text(text, label);
    while (*words != '\0') {
        size_t n = strcspn(words, " ");
        bool breaks = column > 0 && column + 1 + n > WIDTH;
        if (column > 0)
            add_text(text, breaks ? "\n" : " ");
        column = breaks ? 0 : column + 1;
        for (size_t i = 0; i < n; i++) {
            if (strchr("*_<>", words[i]) != NULL)
                add_text(text, "\\");
            add(text, words + i, 1);
        }
        column += n;
        words += n + strspn(words + n, " ");
    }
    add_text(text, "\n\n");
}

static growing make_section(void)
{
    growing text = {0};
    add_text(&text, "\n| check | what | at worst |\n|---|---|---|\n");
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const fanin_check *check = fanin_check_at(i);
        char line[256];
        snprintf(line, sizeof line, "| %s | %s%s | %s |\n", check->id, check->title, check->deep ? " (`--deep`)" : "",
                 fanin_severity_name(check->worst));
        add_text(&text, line);
    }
    add_text(&text, "\n");
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const fanin_check *check = fanin_check_at(i);
        char line[256];
        snprintf(line, sizeof line, "### %s %s\n\n", check->id, check->title);
        add_text(&text, line);
        add_paragraph(&text, "", check->means);
        add_paragraph(&text, "**Measured:**", check->measures);
        add_paragraph(&text, "**When it speaks:**", check->rule);
        add_paragraph(&text, "**What to do:**", check->fix);
        add_paragraph(&text, "**Source:**", check->source);
    }
    return text;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    assert_non_null(file);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
    fclose(file);
    return text;
}

static void the_file_is_the_table(void **state)
{
    char path[1024];
    (void)state;
    test_source_path(path, sizeof path, "docs/check.md");
    char *file = read_file(path);
    char *begin = strstr(file, BEGIN_MARK), *end = strstr(file, END_MARK);
    assert_non_null(begin);
    assert_non_null(end);
    begin += strlen(BEGIN_MARK);
    growing section = make_section();
    if (getenv("FANIN_UPDATE_DOCS") != NULL) {
        FILE *to = fopen(path, "wb");
        assert_non_null(to);
        fwrite(file, 1, (size_t)(begin - file), to);
        fwrite(section.data, 1, section.n, to);
        fputs(end, to);
        fclose(to);
    } else if ((size_t)(end - begin) != section.n || memcmp(begin, section.data, section.n) != 0) {
        fail_msg("docs/check.md is not what the table says: run this test with FANIN_UPDATE_DOCS=1");
    }
    free(section.data);
    free(file);
}

static void every_row_is_whole(void **state)
{
    (void)state;
    assert_true(fanin_check_count() >= 22);
    assert_null(fanin_check_at(fanin_check_count()));
    for (size_t i = 0; i < fanin_check_count(); i++) {
        const fanin_check *check = fanin_check_at(i);
        const char *texts[] = {check->title, check->measures, check->rule, check->means, check->fix, check->source};
        char id[32];
        snprintf(id, sizeof id, "W%02zu", i + 1);
        assert_string_equal(check->id, id);
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            assert_non_null(texts[t]);
            assert_true(t == 0 || texts[t][strlen(texts[t]) - 1] == '.');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(the_file_is_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
