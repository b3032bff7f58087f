/* SPDX-License-Identifier: MIT */
/*
 * Patterns as programs of a few instructions, run by keeping the set of places where the automaton can be. A libc's
 * regcomp is not used: it backtracks or takes memory without bound on hostile patterns, and differs between libcs.
 */
#include "recipe/pattern.h"

#include <string.h>

#include "base/error.h"

/* Beyond this a pattern is refused: sets of places and costs are kept on the stack. */
#define MAX_INSTRUCTIONS 2048
#define MAX_CLASSES      64
#define MAX_GROUP_DEPTH  32
/* Larger patterns get no suggestions: the work for one grows with name x pattern x loops. */
#define MAX_SUGGESTED 256
/* Of a pattern, in messages. */
#define MAX_SHOWN  100
#define SET_NWORDS (MAX_INSTRUCTIONS / 64)

enum opcode {
    OP_BYTE,    /* this byte */
    OP_ANY,     /* any byte */
    OP_SEGMENT, /* any byte but '.' */
    OP_DIGIT,
    OP_CLASS, /* a byte of classes[x] */
    OP_SPLIT, /* goes on at x and at y */
    OP_JUMP,  /* goes on at x */
    OP_BEGIN, /* only at the beginning of the name */
    OP_END,   /* only at its end */
    OP_MATCH
};

struct instruction {
    uint8_t op;
    uint8_t byte;
    uint16_t x;
    uint16_t y;
};

struct byte_class {
    uint32_t bits[8];
};

struct fanin_pattern {
    size_t count;
    size_t nliterals;
    struct instruction *program;
    struct byte_class *classes;
};

struct compiler {
    const char *text;
    size_t nbytes;
    size_t at;
    size_t count;
    size_t nclasses;
    size_t nliterals;
    struct instruction *program; /* MAX_INSTRUCTIONS */
    struct byte_class *classes;  /* MAX_CLASSES */
    fanin_error *error;
};

static fanin_status refuse(struct compiler *c, size_t at, const char *what)
{
    c->at = at;
    bool is_long = c->nbytes > MAX_SHOWN;
    return fanin_fail(c->error, FANIN_ERROR_FORMAT, "pattern \"%.*s%s\": character %zu: %s",
                      is_long ? MAX_SHOWN : (int)c->nbytes, c->text, is_long ? "..." : "", at + 1, what);
}

static fanin_status emit(struct compiler *c, enum opcode op, uint8_t byte, size_t x, size_t y)
{
    /* One place is kept for OP_MATCH. */
    if (c->count >= MAX_INSTRUCTIONS - 1 && op != OP_MATCH)
        return refuse(c, c->at, "the pattern grows too large from here on; write it shorter");
    c->program[c->count++] = (struct instruction){(uint8_t)op, byte, (uint16_t)x, (uint16_t)y};
    return FANIN_OK;
}

/* X* for the one-byte instruction X. */
static fanin_status emit_loop(struct compiler *c, enum opcode op)
{
    size_t loop = c->count;
    FANIN_TRY(emit(c, OP_SPLIT, 0, loop + 1, loop + 3));
    FANIN_TRY(emit(c, op, 0, 0, 0));
    return emit(c, OP_JUMP, 0, loop, 0);
}

/* ---- globs ---- */

/* Wildcards and bytes up to one of the stop characters or the end. */
static fanin_status compile_glob_run(struct compiler *c, const char *stops)
{
    while (c->at < c->nbytes && strchr(stops, c->text[c->at]) == NULL) {
        char byte = c->text[c->at];
        if (byte == '*' && c->at + 1 < c->nbytes && c->text[c->at + 1] == '*') {
            size_t after = c->at + 2;
            bool begins = c->at == 0 || c->text[c->at - 1] == '.';
            if (begins && after < c->nbytes && c->text[after] == '.') {
                size_t split = c->count;
                FANIN_TRY(emit(c, OP_SPLIT, 0, split + 1, split + 5));
                FANIN_TRY(emit_loop(c, OP_ANY));
                FANIN_TRY(emit(c, OP_BYTE, '.', 0, 0));
                c->at = after + 1;
            } else if (begins && after == c->nbytes) {
                FANIN_TRY(emit_loop(c, OP_ANY));
                c->at = after;
            } else {
                return refuse(c, c->at,
                              "** stands for whole segments: write \"**.\" before a name, or \".**\" at the "
                              "end");
            }
            continue;
        }
        if (byte == '*') {
            FANIN_TRY(emit_loop(c, OP_SEGMENT));
        } else if (byte == '#') {
            size_t digit = c->count;
            FANIN_TRY(emit(c, OP_DIGIT, 0, 0, 0));
            FANIN_TRY(emit(c, OP_SPLIT, 0, digit, digit + 2));
        } else {
            FANIN_TRY(emit(c, OP_BYTE, (uint8_t)byte, 0, 0));
            c->nliterals++;
        }
        c->at++;
    }
    return FANIN_OK;
}

static fanin_status compile_alternatives(struct compiler *c)
{
    size_t open = c->at++;
    size_t pending = SIZE_MAX; /* jumps to the end, each knowing the one before it in y */
    size_t literals = c->nliterals, most = 0;
    for (;;) {
        size_t split = c->count;
        FANIN_TRY(emit(c, OP_SPLIT, 0, split + 1, 0));
        c->nliterals = literals;
        FANIN_TRY(compile_glob_run(c, "{},"));
        most = c->nliterals > most ? c->nliterals : most;
        if (c->at >= c->nbytes)
            return refuse(c, open, "this { has no }");
        if (c->text[c->at] == '{')
            return refuse(c, c->at, "braces do not nest");
        bool last = c->text[c->at] == '}';
        size_t jump = c->count;
        FANIN_TRY(emit(c, OP_JUMP, 0, 0, pending == SIZE_MAX ? UINT16_MAX : pending));
        pending = jump;
        /* The last alternative has no other: its second way is its first. */
        c->program[split].y = (uint16_t)(last ? split + 1 : c->count);
        c->at++;
        if (last)
            break;
    }
    while (pending != UINT16_MAX) {
        size_t before = c->program[pending].y;
        c->program[pending].x = (uint16_t)c->count;
        pending = before;
    }
    c->nliterals = most;
    return FANIN_OK;
}

static fanin_status compile_glob(struct compiler *c)
{
    while (c->at < c->nbytes) {
        FANIN_TRY(compile_glob_run(c, "{}"));
        if (c->at < c->nbytes && c->text[c->at] == '}')
            return refuse(c, c->at, "this } has no {");
        if (c->at < c->nbytes)
            FANIN_TRY(compile_alternatives(c));
    }
    return FANIN_OK;
}

/* ---- extended regular expressions ---- */

/* Makes room for one instruction at `at`; code from there on only jumps within itself. */
static fanin_status insert(struct compiler *c, size_t at, struct instruction instruction)
{
    FANIN_TRY(emit(c, OP_JUMP, 0, 0, 0));
    memmove(c->program + at + 1, c->program + at, (c->count - 1 - at) * sizeof *c->program);
    for (size_t i = at + 1; i < c->count; i++) {
        if (c->program[i].op == OP_SPLIT || c->program[i].op == OP_JUMP) {
            c->program[i].x = (uint16_t)(c->program[i].x + 1);
            c->program[i].y = (uint16_t)(c->program[i].y + (c->program[i].op == OP_SPLIT));
        }
    }
    c->program[at] = instruction;
    return FANIN_OK;
}

/* Appends a fragment that was compiled for the place `origin`. */
static fanin_status append_moved(struct compiler *c, const struct instruction *fragment, size_t count, size_t origin)
{
    size_t move = c->count - origin; /* may wrap, and wraps back below */
    for (size_t i = 0; i < count; i++) {
        bool jumps = fragment[i].op == OP_SPLIT || fragment[i].op == OP_JUMP;
        FANIN_TRY(emit(c, (enum opcode)fragment[i].op, fragment[i].byte, fragment[i].x + (jumps ? move : 0),
                       fragment[i].op == OP_SPLIT ? fragment[i].y + move : fragment[i].y));
    }
    return FANIN_OK;
}

/* The fragment from `start` on, least to most times (most SIZE_MAX: without end). */
static fanin_status repeat_fragment(struct compiler *c, size_t start, size_t least, size_t most)
{
    struct instruction fragment[MAX_INSTRUCTIONS];
    size_t count = c->count - start;
    memcpy(fragment, c->program + start, count * sizeof *fragment);
    c->count = start;
    for (size_t i = 0; i < least; i++)
        FANIN_TRY(append_moved(c, fragment, count, start));
    if (most == SIZE_MAX) {
        size_t loop = c->count;
        FANIN_TRY(emit(c, OP_SPLIT, 0, loop + 1, loop + count + 2));
        FANIN_TRY(append_moved(c, fragment, count, start));
        return emit(c, OP_JUMP, 0, loop, 0);
    }
    size_t end = c->count + (most - least) * (count + 1);
    if (end >= MAX_INSTRUCTIONS)
        return refuse(c, c->at, "the repetition grows too large; use smaller counts");
    for (size_t i = least; i < most; i++) {
        FANIN_TRY(emit(c, OP_SPLIT, 0, c->count + 1, end));
        FANIN_TRY(append_moved(c, fragment, count, start));
    }
    return FANIN_OK;
}

static bool read_count(struct compiler *c, size_t *count)
{
    size_t begin = c->at;
    *count = 0;
    while (c->at < c->nbytes && c->text[c->at] >= '0' && c->text[c->at] <= '9' && c->at < begin + 4)
        *count = *count * 10 + (size_t)(c->text[c->at++] - '0');
    return c->at > begin;
}

/* * + ? {m} {m,} {m,n} behind what was compiled from `start` on. */
static fanin_status compile_postfix(struct compiler *c, size_t start)
{
    while (c->at < c->nbytes) {
        size_t begin = c->at;
        size_t least = 0, most = SIZE_MAX;
        switch (c->text[c->at]) {
        case '*':
            c->at++;
            break;
        case '+':
            least = 1;
            c->at++;
            break;
        case '?':
            most = 1;
            c->at++;
            break;
        case '{':
            c->at++;
            if (!read_count(c, &least))
                return refuse(c, begin, "write a repetition as {m}, {m,} or {m,n}, and a brace as \\{");
            most = least;
            if (c->at < c->nbytes && c->text[c->at] == ',') {
                c->at++;
                if (!read_count(c, &most))
                    most = SIZE_MAX;
            }
            if (c->at >= c->nbytes || c->text[c->at] != '}' || most < least)
                return refuse(c, begin, "write a repetition as {m}, {m,} or {m,n} with m <= n");
            c->at++;
            break;
        default:
            return FANIN_OK;
        }
        FANIN_TRY(repeat_fragment(c, start, least, most));
    }
    return FANIN_OK;
}

static void class_add(struct byte_class *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to; byte++)
        set->bits[byte / 32] |= UINT32_C(1) << (byte % 32);
}

/* [:digit:] and its kin, ASCII in every locale. */
static const struct {
    const char *name;
    unsigned char ranges[8]; /* pairs, ended by 0 */
} named_classes[] = {
    {"[:alnum:]", {'0', '9', 'A', 'Z', 'a', 'z'}},
    {"[:alpha:]", {'A', 'Z', 'a', 'z'}},
    {"[:digit:]", {'0', '9'}},
    {"[:lower:]", {'a', 'z'}},
    {"[:upper:]", {'A', 'Z'}},
    {"[:xdigit:]", {'0', '9', 'A', 'F', 'a', 'f'}},
};

static fanin_status compile_bracket(struct compiler *c)
{
    size_t open = c->at++;
    if (c->nclasses == MAX_CLASSES)
        return refuse(c, open, "too many brackets in one pattern");
    struct byte_class *set = &c->classes[c->nclasses];
    *set = (struct byte_class){{0}};
    bool negated = c->at < c->nbytes && c->text[c->at] == '^';
    c->at += negated;
    for (size_t first = c->at;;) {
        if (c->at >= c->nbytes)
            return refuse(c, open, "this [ has no ]");
        unsigned from = (unsigned char)c->text[c->at];
        if (from == ']' && c->at > first)
            break;
        if (from >= 0x80)
            return refuse(c, c->at, "only ASCII characters can stand in brackets");
        if (from == '[' && c->at + 1 < c->nbytes && strchr(":.=", c->text[c->at + 1]) != NULL) {
            size_t i = 0, n = sizeof named_classes / sizeof named_classes[0];
            while (i < n && (strlen(named_classes[i].name) > c->nbytes - c->at ||
                             memcmp(c->text + c->at, named_classes[i].name, strlen(named_classes[i].name)) != 0))
                i++;
            if (i == n)
                return refuse(c, c->at,
                              "unknown class: there are [:alnum:] [:alpha:] [:digit:] [:lower:] [:upper:] "
                              "[:xdigit:]");
            for (const unsigned char *range = named_classes[i].ranges; *range != 0; range += 2)
                class_add(set, range[0], range[1]);
            c->at += strlen(named_classes[i].name);
            continue;
        }
        unsigned to = from;
        if (c->at + 2 < c->nbytes && c->text[c->at + 1] == '-' && c->text[c->at + 2] != ']') {
            to = (unsigned char)c->text[c->at + 2];
            if (to >= 0x80 || to < from)
                return refuse(c, c->at, "the range runs backwards");
            c->at += 2;
        }
        class_add(set, from, to);
        c->at++;
    }
    c->at++;
    for (size_t i = 0; negated && i < 8; i++)
        set->bits[i] = ~set->bits[i];
    return emit(c, OP_CLASS, 0, c->nclasses++, 0);
}

static fanin_status compile_regex(struct compiler *c, unsigned depth);

static fanin_status compile_atom(struct compiler *c, unsigned depth)
{
    size_t begin = c->at;
    char byte = c->text[c->at];
    switch (byte) {
    case '(':
        if (depth >= MAX_GROUP_DEPTH)
            return refuse(c, begin, "groups nest too deep");
        c->at++;
        FANIN_TRY(compile_regex(c, depth + 1));
        if (c->at >= c->nbytes)
            return refuse(c, begin, "this ( has no )");
        c->at++;
        return FANIN_OK;
    case '[':
        return compile_bracket(c);
    case '.':
        c->at++;
        return emit(c, OP_ANY, 0, 0, 0);
    case '^':
    case '$':
        c->at++;
        return emit(c, byte == '^' ? OP_BEGIN : OP_END, 0, 0, 0);
    case '*':
    case '+':
    case '?':
    case '{':
        return refuse(c, begin, "there is nothing to repeat before this");
    case '\\':
        if (c->at + 1 >= c->nbytes || strchr("\\.[]()*+?{}|^$", c->text[c->at + 1]) == NULL)
            return refuse(c, begin, "\\ goes before one of \\ . [ ] ( ) * + ? { } | ^ $; there are no back references");
        byte = c->text[c->at + 1];
        c->at++;
        break;
    default:
        break;
    }
    c->at++;
    c->nliterals++;
    return emit(c, OP_BYTE, (uint8_t)byte, 0, 0);
}

/* Alternatives up to ')' or the end. */
static fanin_status compile_regex(struct compiler *c, unsigned depth)
{
    size_t pending = UINT16_MAX;
    for (;;) {
        size_t start = c->count, begin = c->at;
        while (c->at < c->nbytes && c->text[c->at] != '|' && c->text[c->at] != ')') {
            size_t atom = c->count;
            FANIN_TRY(compile_atom(c, depth));
            FANIN_TRY(compile_postfix(c, atom));
        }
        if (c->at == begin)
            return refuse(c, begin, "an alternative is empty; write (...)? for something that may be absent");
        if (c->at < c->nbytes && c->text[c->at] == ')' && depth == 0)
            return refuse(c, c->at, "this ) has no (");
        if (c->at >= c->nbytes || c->text[c->at] == ')')
            break;
        c->at++;
        FANIN_TRY(insert(c, start, (struct instruction){OP_SPLIT, 0, (uint16_t)(start + 1), 0}));
        size_t jump = c->count;
        FANIN_TRY(emit(c, OP_JUMP, 0, 0, pending));
        pending = jump;
        c->program[start].y = (uint16_t)c->count;
    }
    while (pending != UINT16_MAX) {
        size_t before = c->program[pending].y;
        c->program[pending].x = (uint16_t)c->count;
        c->program[pending].y = 0;
        pending = before;
    }
    return FANIN_OK;
}

fanin_status fanin_pattern_parse(const char *text, size_t nbytes, fanin_arena *arena, const fanin_pattern **pattern,
                                 size_t *at, fanin_error *error)
{
    struct instruction program[MAX_INSTRUCTIONS];
    struct byte_class classes[MAX_CLASSES];
    struct compiler c = {.text = text, .nbytes = nbytes, .program = program, .classes = classes, .error = error};
    *at = 0;
    if (nbytes > FANIN_PATTERN_MAX_NBYTES)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "the pattern has %zu bytes; the longest that is read has %d",
                          nbytes, FANIN_PATTERN_MAX_NBYTES);
    if (nbytes == 0)
        return fanin_fail(error, FANIN_ERROR_FORMAT, "the pattern is empty; \"**\" matches every name");
    for (size_t i = 0; i < nbytes; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return fanin_fail(error, FANIN_ERROR_FORMAT, "the pattern holds a control character, which no name has");
    bool is_regex = nbytes >= 3 && memcmp(text, "re:", 3) == 0;
    c.at = is_regex ? 3 : 0;
    fanin_status status = is_regex ? compile_regex(&c, 0) : compile_glob(&c);
    *at = c.at;
    if (status != FANIN_OK)
        return status;
    FANIN_TRY(emit(&c, OP_MATCH, 0, 0, 0));

    fanin_pattern *made = fanin_arena_allocate(arena, 1, sizeof *made);
    struct instruction *kept = fanin_arena_allocate(arena, c.count, sizeof *kept);
    struct byte_class *kept_classes = fanin_arena_allocate(arena, c.nclasses + 1, sizeof *kept_classes);
    if (made == NULL || kept == NULL || kept_classes == NULL)
        return fanin_fail_memory(error, c.count * sizeof *kept);
    memcpy(kept, program, c.count * sizeof *kept);
    memcpy(kept_classes, classes, c.nclasses * sizeof *kept_classes);
    *made = (fanin_pattern){c.count, c.nliterals, kept, kept_classes};
    *pattern = made;
    return FANIN_OK;
}

/* ---- running ---- */

static bool accepts(const fanin_pattern *pattern, const struct instruction *instruction, uint8_t byte)
{
    switch (instruction->op) {
    case OP_BYTE:
        return instruction->byte == byte;
    case OP_ANY:
        return true;
    case OP_SEGMENT:
        return byte != '.';
    case OP_DIGIT:
        return byte >= '0' && byte <= '9';
    case OP_CLASS:
        return (pattern->classes[instruction->x].bits[byte / 32] >> (byte % 32) & 1) != 0;
    default:
        return false;
    }
}

/* Adds a place and all that are reached from it without a byte. */
static void add_place(const fanin_pattern *pattern, uint64_t set[SET_NWORDS], size_t place, bool at_begin, bool at_end)
{
    uint16_t stack[MAX_INSTRUCTIONS + 2];
    size_t depth = 0;
    stack[depth++] = (uint16_t)place;
    while (depth > 0) {
        size_t p = stack[--depth];
        if ((set[p / 64] >> (p % 64) & 1) != 0)
            continue;
        set[p / 64] |= UINT64_C(1) << (p % 64);
        const struct instruction *instruction = &pattern->program[p];
        /* Each place is taken once and pushes at most two, the second in the slot it came from: the stack suffices. */
        if (instruction->op == OP_SPLIT) {
            stack[depth++] = instruction->y;
            stack[depth++] = instruction->x;
        } else if (instruction->op == OP_JUMP) {
            stack[depth++] = instruction->x;
        } else if ((instruction->op == OP_BEGIN && at_begin) || (instruction->op == OP_END && at_end)) {
            stack[depth++] = (uint16_t)(p + 1);
        }
    }
}

bool fanin_pattern_matches(const fanin_pattern *pattern, const char *name)
{
    uint64_t sets[2][SET_NWORDS];
    size_t nwords = (pattern->count + 63) / 64;
    uint64_t *now = sets[0], *next = sets[1];
    memset(now, 0, nwords * sizeof *now);
    add_place(pattern, now, 0, true, name[0] == '\0');
    for (size_t i = 0; name[i] != '\0'; i++) {
        memset(next, 0, nwords * sizeof *next);
        uint64_t any = 0;
        for (size_t w = 0; w < nwords; w++) {
            for (uint64_t left = now[w]; left != 0; left &= left - 1) {
                size_t place = w * 64 + (size_t)__builtin_ctzll(left);
                if (accepts(pattern, &pattern->program[place], (uint8_t)name[i])) {
                    add_place(pattern, next, place + 1, false, name[i + 1] == '\0');
                    any = 1;
                }
            }
        }
        if (any == 0)
            return false;
        uint64_t *swap = now;
        now = next;
        next = swap;
    }
    size_t match = pattern->count - 1;
    return (now[match / 64] >> (match % 64) & 1) != 0;
}

/* Spreads costs along ways without a byte (free) and over instructions left out (one each), until nothing improves. */
static void relax(const fanin_pattern *pattern, uint16_t costs[MAX_SUGGESTED])
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t p = 0; p + 1 < pattern->count; p++) {
            const struct instruction *instruction = &pattern->program[p];
            size_t to[2] = {p + 1, p + 1};
            uint16_t cost = costs[p];
            if (instruction->op == OP_SPLIT) {
                to[0] = instruction->x;
                to[1] = instruction->y;
            } else if (instruction->op == OP_JUMP) {
                to[0] = to[1] = instruction->x;
            } else if (instruction->op != OP_BEGIN && instruction->op != OP_END && cost < UINT16_MAX) {
                cost++;
            }
            for (size_t k = 0; k < 2; k++) {
                if (cost < costs[to[k]]) {
                    costs[to[k]] = cost;
                    changed = true;
                }
            }
        }
    }
}

size_t fanin_pattern_distance(const fanin_pattern *pattern, const char *name, size_t limit)
{
    uint16_t rows[2][MAX_SUGGESTED] = {{0}};
    uint16_t *now = rows[0], *next = rows[1];
    if (pattern->count > MAX_SUGGESTED || strlen(name) > MAX_SUGGESTED)
        return SIZE_MAX;
    for (size_t p = 0; p < pattern->count; p++)
        now[p] = UINT16_MAX;
    now[0] = 0;
    relax(pattern, now);
    for (size_t i = 0; name[i] != '\0'; i++) {
        uint16_t least = UINT16_MAX;
        for (size_t p = 0; p < pattern->count; p++)
            next[p] = now[p] == UINT16_MAX ? UINT16_MAX : (uint16_t)(now[p] + 1); /* the byte is one too many */
        for (size_t p = 0; p + 1 < pattern->count; p++) {
            const struct instruction *instruction = &pattern->program[p];
            if (instruction->op > OP_CLASS || now[p] == UINT16_MAX)
                continue;
            uint16_t cost = (uint16_t)(now[p] + !accepts(pattern, instruction, (uint8_t)name[i]));
            next[p + 1] = cost < next[p + 1] ? cost : next[p + 1];
        }
        relax(pattern, next);
        for (size_t p = 0; p < pattern->count; p++)
            least = next[p] < least ? next[p] : least;
        if (least > limit)
            return SIZE_MAX;
        uint16_t *swap = now;
        now = next;
        next = swap;
    }
    size_t distance = now[pattern->count - 1];
    return distance <= limit ? distance : SIZE_MAX;
}

size_t fanin_pattern_tolerance(const fanin_pattern *pattern)
{
    return pattern->nliterals < 3 ? pattern->nliterals / 2 : (pattern->nliterals + 2) / 3;
}
