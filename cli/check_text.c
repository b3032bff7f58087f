/* SPDX-License-Identifier: MIT */
/*
 * Findings on a terminal or in a pipe. Colours only on a terminal, and not where NO_COLOR or TERM=dumb ask for none.
 */
#define _POSIX_C_SOURCE 200809L
#include "check_text.h"

#include "small_file.h"
#include "terminal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Findings that are printed in full; --json and --html have them all. */
#define NSHOWN      50
#define NSHOWN_INFO 20
/* Text does not get wider than this, however wide the terminal is. */
#define WIDEST 100
#define INDENT 2

/* -- Styles ------------------------------------------------------------------------------------------------------- */

typedef enum style { STYLE_BOLD, STYLE_ERROR, STYLE_WARN, STYLE_INFO, STYLE_GOOD, STYLE_FAINT } style;

static bool has_styles(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return terminal_width(stdout) > 0 && (no_color == NULL || *no_color == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static void print_styled(style which, const char *text)
{
    static const char *const codes[] = {"1", "1;31", "1;33", "1;34", "1;32", "2"};
    if (has_styles())
        printf("\033[%sm", codes[which]);
    print_escaped(stdout, text);
    if (has_styles())
        fputs("\033[0m", stdout);
}

static unsigned text_width(void)
{
    const unsigned width = terminal_width(stdout);
    return width == 0 || width > WIDEST ? (width == 0 ? 80 : WIDEST) : width < 40 ? 40 : width;
}

/* Foreign text in running text, wrapped. */
static void print_paragraph(const char *text)
{
    char *escaped = escape_text(text);
    printf("%*s", INDENT, "");
    print_wrapped(stdout, escaped != NULL ? escaped : "(out of memory)", INDENT, text_width());
    free(escaped);
}

/* -- The verdict -------------------------------------------------------------------------------------------------- */

char *check_verdict(const fanin_diagnosis *diagnosis, char text[VERDICT_NBYTES])
{
    static const char *const names[] = {"note", "warning", "error"};
    size_t used = 0;
    text[0] = '\0';
    for (int s = FANIN_SEVERITY_ERROR; s >= FANIN_SEVERITY_INFO; s--) {
        const size_t n = fanin_diagnosis_severity_count(diagnosis, (fanin_severity)s);
        if (n > 0 && used < VERDICT_NBYTES)
            used += (size_t)snprintf(text + used, VERDICT_NBYTES - used, "%s%zu %s%s", used > 0 ? ", " : "", n,
                                     names[s], plural(n));
    }
    return used > 0 ? text : strcpy(text, "nothing found");
}

static void print_head(const subject *of, const fanin_diagnosis *diagnosis)
{
    char verdict[VERDICT_NBYTES];
    short_text size;
    const fanin_diagnosis_summary *summary = fanin_diagnosis_summarize(diagnosis);
    const size_t n = fanin_diagnosis_tensor_count(diagnosis);
    const bool is_bad = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR) > 0;
    const bool is_odd = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN) > 0;
    print_styled(STYLE_BOLD, summary->name);
    fputs(": ", stdout);
    print_styled(is_bad ? STYLE_ERROR : is_odd ? STYLE_WARN : STYLE_GOOD, check_verdict(diagnosis, verdict));
    printf(" in %zu tensor%s, %" PRIu64 " value%s, %s", n, plural(n), summary->nelem, plural(summary->nelem),
           format_bytes(summary->nbytes, size));
    if (of->nskipped > 0)
        printf("; %zu left out", of->nskipped);
    putchar('\n');
}

/* By what the tensors were known, as the user named it. */
static const char *known_by(const settings *given, const subject *of, const fanin_diagnosis_summary *summary)
{
    if (summary->known_by == NULL || strcmp(summary->known_by, "plan") != 0)
        return summary->known_by != NULL ? summary->known_by : "names and shapes";
    if (of->is_own_plan)
        return "its own plan";
    if (of->is_partial)
        return given->recipe != NULL ? given->recipe : "the rules of --set";
    return of->described.name;
}

/* What was known of the tensors, and what was not looked at for want of it. */
static void print_scope(const settings *given, const subject *of, const fanin_diagnosis *diagnosis)
{
    const fanin_diagnosis_summary *summary = fanin_diagnosis_summarize(diagnosis);
    char text[512], seed[48] = "";
    if (summary->has_seed)
        snprintf(seed, sizeof seed, "; seed %" PRIu64, summary->seed);
    const bool has_laws = summary->expect || (summary->profile != NULL) || summary->family != NULL;
    snprintf(text, sizeof text, "known by %.200s%s%s%s", known_by(given, of, summary), seed,
             has_laws ? ""
                      : "; scales have nothing to compare with: --config, --plan or --recipe tells what they should be",
             summary->deep ? "" : "; --deep also looks at spectra and orthogonality");
    char *escaped = escape_text(text);
    print_wrapped(stdout, escaped != NULL ? escaped : "(out of memory)", 0, text_width());
    free(escaped);
}

/* -- Findings ----------------------------------------------------------------------------------------------------- */

static char *join(const char *const *parts, size_t nparts)
{
    size_t nbytes = 1;
    for (size_t i = 0; i < nparts; i++)
        nbytes += strlen(parts[i]);
    char *text = malloc(nbytes);
    if (text == NULL)
        return NULL;
    text[0] = '\0';
    for (size_t i = 0; i < nparts; i++)
        strcat(text, parts[i]);
    return text;
}

static void print_parts(const char *const *parts, size_t nparts)
{
    char *text = join(parts, nparts);
    print_paragraph(text != NULL ? text : "(out of memory)");
    free(text);
}

static void print_labelled(const char *label, const char *text)
{
    printf("%*s", INDENT, "");
    print_styled(STYLE_FAINT, label);
    putchar(' ');
    print_escaped(stdout, text);
    putchar('\n');
}

static void print_finding(const subject *of, const fanin_finding *finding)
{
    static const style styles[] = {STYLE_INFO, STYLE_WARN, STYLE_ERROR};
    putchar('\n');
    print_styled(styles[finding->severity], fanin_severity_name(finding->severity));
    printf(" %s ", finding->check->id);
    print_styled(STYLE_BOLD, finding->where);
    printf(": %s\n", finding->check->title);
    print_paragraph(finding->what);
    if (finding->expectation != NULL)
        print_parts((const char *[]){"expected: ", finding->expectation}, 2);
    if (finding->consequence != NULL)
        print_parts((const char *[]){"-> ", finding->consequence}, 2);
    if (subject_is_mended(of, finding))
        print_labelled("made anew by", finding->rule != NULL ? finding->rule : "the plan, in several steps");
    else if (finding->missing != NULL)
        print_parts((const char *[]){"mending needs ", finding->missing}, 2);
    if (finding->command != NULL && finding->rule == NULL) {
        printf("%*s", 2 * INDENT, "");
        print_escaped(stdout, finding->command);
        putchar('\n');
    }
}

/* The notes, or all else. */
static void print_findings(const subject *of, const fanin_diagnosis *diagnosis, bool is_info, size_t nmost)
{
    size_t n = 0;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        if ((finding->severity == FANIN_SEVERITY_INFO) == is_info && n++ < nmost)
            print_finding(of, finding);
    }
    if (n > nmost)
        printf("\nand %zu more %s (--json and --html have them all)\n", n - nmost, is_info ? "notes" : "findings");
}

/* -- The command that mends --------------------------------------------------------------------------------------- */

/* A word as a shell takes it. What a terminal would act on is written as bash's $'...' has it. */
static void print_word(FILE *file, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+:,=@%";
    char *escaped = escape_text(word);
    const bool is_harmless = escaped != NULL && strcmp(escaped, word) == 0;
    free(escaped);
    putc(' ', file);
    if (*word != '\0' && strspn(word, plain) == strlen(word)) {
        fputs(word, file);
        return;
    }
    fputs(is_harmless ? "'" : "$'", file);
    for (const unsigned char *c = (const unsigned char *)word; *c != '\0'; c++)
        if (*c == '\'')
            fputs(is_harmless ? "'\\''" : "\\'", file);
        else if (!is_harmless && (*c < 0x20 || *c >= 0x7f || *c == '\\'))
            fprintf(file, "\\x%02x", *c);
        else
            putc(*c, file);
    putc('\'', file);
}

static void print_option(FILE *file, const char *name, const char *value)
{
    if (value == NULL)
        return;
    fprintf(file, " --%s", name);
    print_word(file, value);
}

static void print_list(FILE *file, const char *name, const text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        print_option(file, name, list->items[i]);
}

/* The name for a mended copy: "gpt2-mended", "model-mended.safetensors". */
static void print_mended_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    static const char *const endings[] = {".safetensors.index.json", ".safetensors", ".npy"};
    size_t ending = 3;
    for (size_t i = 0; i < 3 && ending == 3; i++)
        if (file_has_ending(path, endings[i]))
            ending = i;
    if (ending < 3)
        n -= strlen(endings[ending]);
    char *name = malloc(n + 32);
    if (name == NULL)
        return;
    snprintf(name, n + 32, "%.*s-mended%s", (int)n, path, ending == 1 || ending == 2 ? ".safetensors" : "");
    print_word(stdout, name);
    free(name);
}

static void print_asked(FILE *file, const settings *given)
{
    fputs("fanin check", file);
    for (size_t i = 0; i < given->operands.count; i++)
        print_word(file, given->operands.items[i]);
    print_option(file, "config", given->config);
    print_option(file, "plan", given->plan);
    print_option(file, "recipe", given->recipe);
    print_list(file, "set", &given->rules);
    print_option(file, "expect", given->expect);
    print_option(file, "activation", given->activation);
    print_list(file, "only", &given->only);
    print_list(file, "except", &given->except);
    if (given->dtype != FANIN_DTYPE_NONE)
        print_option(file, "dtype", fanin_dtype_name(given->dtype));
    if (given->target != FANIN_DTYPE_NONE)
        print_option(file, "target", fanin_dtype_name(given->target));
    if (given->deep)
        fputs(" --deep", file);
}

char *check_command(const settings *given)
{
    char *text = NULL;
    size_t nbytes;
    FILE *file = open_memstream(&text, &nbytes);
    if (file == NULL)
        return NULL;
    print_asked(file, given);
    if (fclose(file) == 0)
        return text;
    free(text);
    return NULL;
}

static void print_command(const settings *given)
{
    printf("\n%*s", INDENT, "");
    print_asked(stdout, given);
    fputs(" --fix -o", stdout);
    print_mended_name(given->operands.items[0]);
    putchar('\n');
}

static void print_mending(const settings *given, const subject *of, const fanin_diagnosis *diagnosis)
{
    size_t nmended = 0, nleft = 0;
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        const bool is_mended = subject_is_mended(of, finding);
        nmended += finding->severity > FANIN_SEVERITY_INFO && is_mended;
        nleft += finding->severity > FANIN_SEVERITY_INFO && !is_mended;
    }
    if (nmended == 0 || given->fix)
        return;
    if (nleft == 0)
        printf("\nto mend %s:\n", nmended == 1 ? "it" : "all of them");
    else
        printf("\nto mend %zu of %zu:\n", nmended, nmended + nleft);
    print_command(given);
}

void check_text_print(const settings *given, const subject *of, const fanin_diagnosis *diagnosis)
{
    print_head(of, diagnosis);
    print_scope(given, of, diagnosis);
    print_findings(of, diagnosis, false, NSHOWN);
    print_findings(of, diagnosis, true, NSHOWN_INFO);
    print_mending(given, of, diagnosis);
}
