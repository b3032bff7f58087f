/* SPDX-License-Identifier: MIT */
/*
 * Patterns over names: what each wildcard matches, what is refused and where, and that no pattern takes long.
 */
#include "test.h"

#include <time.h>

#include "recipe/pattern.h"

struct match {
    const char *pattern;
    const char *name;
    bool matches;
};

static const struct match globs[] = {
    {"fc1.weight", "fc1.weight", true},
    {"fc1.weight", "fc1.weights", false},
    {"fc1.weight", "xfc1.weight", false},
    {"**", "a", true},
    {"**", "a.b.c", true},
    {"*", "a", true},
    {"*", "a.b", false},
    {"*.weight", "fc.weight", true},
    {"*.weight", ".weight", true},
    {"*.weight", "a.fc.weight", false},
    {"**.weight", "weight", true},
    {"**.weight", "fc.weight", true},
    {"**.weight", "a.b.c.weight", true},
    {"**.weight", "fcweight", false},
    {"**.weight", "a.xweight", false},
    {"a.**.weight", "a.weight", true},
    {"a.**.weight", "a.b.weight", true},
    {"a.**.weight", "a.b.c.weight", true},
    {"a.**.weight", "ab.weight", false},
    {"a.**", "a.b.c", true},
    {"a.**", "a", false},
    {"a.**", "b.a.c", false},
    {"**.bn*.*", "bn1.weight", true},
    {"**.bn*.*", "blocks.0.bn.running_mean", true},
    {"**.bn*.*", "blocks.0.xbn.bias", false},
    {"**.bn*.*", "bn.a.b", false},
    {"**.bn*.{weight,running_var}", "blocks.3.bn2.running_var", true},
    {"**.bn*.{weight,running_var}", "blocks.3.bn2.running_mean", false},
    {"h.#.weight", "h.12.weight", true},
    {"h.#.weight", "h..weight", false},
    {"h.#.weight", "h.1a.weight", false},
    {"layer#.#.conv#.weight", "layer4.1.conv2.weight", true},
    {"{a,b*,c.#}.w", "a.w", true},
    {"{a,b*,c.#}.w", "bcd.w", true},
    {"{a,b*,c.#}.w", "c.7.w", true},
    {"{a,b*,c.#}.w", "c.x.w", false},
    {"x{,_y}", "x", true},
    {"x{,_y}", "x_y", true},
    {"{a}", "a", true},
    {"a?[b]", "a?[b]", true},
    {"a?[b]", "axb", false},
    {"\xc3\xa9*", "\xc3\xa9\xc3\xa8", true},
};

static const struct match regexes[] = {
    {"re:fc1\\.weight", "fc1.weight", true},
    {"re:fc1\\.weight", "fc1xweight", false},
    {"re:fc", "fc1", false}, /* the whole name */
    {"re:^fc1$", "fc1", true},
    {"re:.*\\.(weight|bias)", "a.b.bias", true},
    {"re:.*\\.(weight|bias)", "a.b.biases", false},
    {"re:h\\.[0-9]+\\.w", "h.10.w", true},
    {"re:h\\.[^0-9.]+\\.w", "h.ab.w", true},
    {"re:h\\.[^0-9.]+\\.w", "h.1.w", false},
    {"re:[[:alpha:]_]+[[:digit:]]*", "conv_12", true},
    {"re:[]x-]+", "]-x", true},
    {"re:a{3}", "aaa", true},
    {"re:a{3}", "aa", false},
    {"re:a{2,}", "aaaaa", true},
    {"re:a{2,}", "a", false},
    {"re:a{0,2}b", "b", true},
    {"re:a{0,2}b", "aab", true},
    {"re:a{0,2}b", "aaab", false},
    {"re:(ab){1,2}", "abab", true},
    {"re:(ab){1,2}", "ababab", false},
    {"re:(a|b(c|d)*)+e?", "abcdcdbae", true},
    {"re:(a|b(c|d)*)+e?", "abe", true},
    {"re:(a|b(c|d)*)+e?", "ace", false},
    {"re:(a*)*b", "aaab", true},
    {"re:a|b|cc", "cc", true},
    {"re:a|b|cc", "ab", false},
    {"re:a\\{1\\}", "a{1}", true},
    {"re:x^y", "x^y", false},
    {"re:(x$|y)", "x", true},
};

static const fanin_pattern *parse(fanin_arena *arena, const char *text)
{
    const fanin_pattern *pattern = NULL;
    fanin_error error = {0};
    size_t at;
    assert_ok(fanin_pattern_parse(text, strlen(text), arena, &pattern, &at, &error), error);
    return pattern;
}

static void check(const struct match *cases, size_t n)
{
    fanin_arena arena = {0};
    for (size_t i = 0; i < n; i++) {
        const fanin_pattern *pattern = parse(&arena, cases[i].pattern);
        bool found = fanin_pattern_matches(pattern, cases[i].name);
        if (found != cases[i].matches)
            fail_msg("%s %s %s", cases[i].pattern, found ? "matches" : "does not match", cases[i].name);
        size_t distance = fanin_pattern_distance(pattern, cases[i].name, 100);
        if ((distance == 0) != cases[i].matches)
            fail_msg("%s is at distance %zu of %s", cases[i].pattern, distance, cases[i].name);
    }
    fanin_arena_release(&arena);
}

static void test_globs(void **state)
{
    (void)state;
    check(globs, sizeof globs / sizeof globs[0]);
}

static void test_regexes(void **state)
{
    (void)state;
    check(regexes, sizeof regexes / sizeof regexes[0]);
}

static void test_refused(void **state)
{
    static const struct {
        const char *pattern;
        size_t at;
        const char *message;
    } cases[] = {
        {"a**b", 1, "whole segments"},
        {"**b", 0, "whole segments"},
        {"a.**b", 2, "whole segments"},
        {"{a,b", 0, "no }"},
        {"a}", 1, "no {"},
        {"{a,{b}}", 3, "do not nest"},
        {"re:(a", 3, "no )"},
        {"re:a)", 4, "no ("},
        {"re:*a", 3, "nothing to repeat"},
        {"re:[a", 3, "no ]"},
        {"re:[z-a]", 4, "backwards"},
        {"re:[[:word:]]", 4, "unknown class"},
        {"re:(a)\\1", 6, "back references"},
        {"re:a{x}", 4, "repetition"},
        {"re:a{3,2}", 4, "m <= n"},
        {"re:a||b", 5, "empty"},
        {"re:", 3, "empty"},
        {"re:((a{200}){200}){200}", 0, "too large"},
        {"re:[\xc3\xa9]", 4, "ASCII"},
    };
    fanin_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fanin_pattern *pattern;
        fanin_error error = {0};
        size_t at;
        assert_fails(fanin_pattern_parse(cases[i].pattern, strlen(cases[i].pattern), &arena, &pattern, &at, &error),
                     FANIN_ERROR_FORMAT, error, cases[i].message);
        if (cases[i].at > 0)
            assert_int_equal(at, cases[i].at);
    }
    fanin_arena_release(&arena);
}

static void test_lengths(void **state)
{
    char text[FANIN_PATTERN_MAX_NBYTES + 2];
    fanin_arena arena = {0};
    const fanin_pattern *pattern;
    fanin_error error = {0};
    size_t at;
    (void)state;
    memset(text, 'a', sizeof text);
    assert_ok(fanin_pattern_parse(text, FANIN_PATTERN_MAX_NBYTES, &arena, &pattern, &at, &error), error);
    assert_fails(fanin_pattern_parse(text, FANIN_PATTERN_MAX_NBYTES + 1, &arena, &pattern, &at, &error),
                 FANIN_ERROR_FORMAT, error, "1025 bytes");
    assert_fails(fanin_pattern_parse("", 0, &arena, &pattern, &at, &error), FANIN_ERROR_FORMAT, error, "empty");
    assert_fails(fanin_pattern_parse("a\0b", 3, &arena, &pattern, &at, &error), FANIN_ERROR_FORMAT, error,
                 "control character");
    /* Stars make three instructions of one byte: more than there is room for is refused, not cut. */
    for (size_t i = 0; i + 1 < FANIN_PATTERN_MAX_NBYTES; i += 2)
        memcpy(text + i, "*a", 2);
    assert_ok(fanin_pattern_parse(text, 1000, &arena, &pattern, &at, &error), error);
    assert_fails(fanin_pattern_parse(text, 1024, &arena, &pattern, &at, &error), FANIN_ERROR_FORMAT, error,
                 "too large");
    fanin_arena_release(&arena);
}

/* A backtracking engine takes 2^n steps for these. */
static void test_time(void **state)
{
    static const char *const patterns[] = {"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "re:(a*)*(a*)*(a*)*(a*)*b",
                                           "re:(a|a|a|a)*(a|aa)+b", "**.**.**.**.**.**.a"};
    char name[1001];
    fanin_arena arena = {0};
    (void)state;
    memset(name, 'a', 1000);
    name[1000] = '\0';
    clock_t begin = clock();
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++)
        for (int k = 0; k < 100; k++)
            assert_false(fanin_pattern_matches(parse(&arena, patterns[i]), name));
    assert_true((double)(clock() - begin) / CLOCKS_PER_SEC < (test_is_slow() ? 300 : 10));
    fanin_arena_release(&arena);
}

static void test_distance(void **state)
{
    static const struct {
        const char *pattern;
        const char *name;
        size_t distance;
    } cases[] = {
        {"**.wieght", "a.b.weight", 2}, {"**.conv*.weigth", "layer1.0.conv2.weight", 2}, {"fc1.weight", "fc.weight", 1},
        {"fc.weight", "fc1.weight", 1}, {"**.bn*.{weight,bias}", "bn.bia", 1},           {"h.#.w", "h.x.w", 1},
        {"re:(ab|cd)x", "cy", 2},
    };
    fanin_arena arena = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fanin_pattern *pattern = parse(&arena, cases[i].pattern);
        assert_int_equal(fanin_pattern_distance(pattern, cases[i].name, 10), cases[i].distance);
        assert_int_equal(fanin_pattern_distance(pattern, cases[i].name, cases[i].distance - 1), SIZE_MAX);
    }
    assert_int_equal(fanin_pattern_tolerance(parse(&arena, "**")), 0);
    assert_int_equal(fanin_pattern_tolerance(parse(&arena, "**.weight")), 2);
    fanin_arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),   cmocka_unit_test(test_regexes), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_time),    cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
