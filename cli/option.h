/* SPDX-License-Identifier: MIT */
/*
 * Commands and their options as tables. The parser and the help read the same table, so neither can know an option
 * that the other does not.
 */
#ifndef FANIN_CLI_OPTION_H
#define FANIN_CLI_OPTION_H

#include "fanin/fanin.h"

#include <stdio.h>

/* What the process returns; `fanin help` documents them. A signal that stopped a run is 128 + its number. */
enum { EXIT_OK = 0, EXIT_DIFFERENT = 1, EXIT_USAGE = 2, EXIT_SYSTEM = 3 };

typedef struct text_list {
    const char **items;
    size_t count;
} text_list;

typedef struct number_setting {
    bool given;
    uint64_t value;
} number_setting;

typedef struct shape_setting {
    bool given;
    int ndim;
    int64_t dims[FANIN_MAX_DIMS];
} shape_setting;

/* What a command line said. Fields of options that a command does not have stay zero. Texts are the argv's. */
typedef struct settings {
    text_list operands;
    bool help;
    bool json;
    bool quiet;
    bool strict;
    bool force;
    bool dry_run;
    bool no_digest;
    bool spec;
    bool deep;
    bool fix;
    const char *like;
    const char *recipe;
    const char *config;
    const char *plan;
    const char *activation;
    const char *expect;  /* "plan", "recipe" */
    const char *fail_on; /* "warn", "error" */
    const char *html;
    const char *seeds; /* "0-9999" */
    const char *output;
    const char *state;
    const char *state_output;
    text_list rules;
    text_list only;
    text_list except;
    number_setting seed;
    number_setting skip;
    number_setting groups;
    number_setting threads;
    uint64_t max_shard_nbytes; /* 0: not given */
    fanin_dtype dtype;         /* FANIN_DTYPE_NONE: not given */
    fanin_dtype target;        /* the same */
    fanin_profile profile;     /* 0: not given */
    fanin_layout layout;
    shape_setting shape;
} settings;

typedef enum option_kind {
    OPTION_FLAG,    /* bool */
    OPTION_TEXT,    /* const char * */
    OPTION_LIST,    /* text_list; may be given more than once */
    OPTION_SEED,    /* number_setting: torch's range */
    OPTION_COUNT,   /* number_setting: 0 and above */
    OPTION_THREADS, /* number_setting: 1 to 1024 */
    OPTION_SIZE,    /* uint64_t: bytes with a unit */
    OPTION_DTYPE,   /* fanin_dtype */
    OPTION_PROFILE, /* fanin_profile */
    OPTION_LAYOUT,  /* fanin_layout */
    OPTION_SHAPE    /* shape_setting */
} option_kind;

/* A table of options ends with a row whose name is NULL. */
typedef struct option {
    const char *name; /* long name, without dashes */
    char letter;      /* 0: none */
    option_kind kind;
    size_t offset;     /* of the field in settings */
    const char *value; /* what stands for the value in help; NULL for a flag */
    const char *help;
} option;

typedef struct command {
    const char *name;
    const char *summary;      /* one line */
    const char *const *usage; /* what follows "fanin NAME", one form each; NULL ends */
    const char *description;  /* paragraphs */
    const option *options;
    const char *const *examples; /* whole command lines; NULL ends */
    const char *exit_different;  /* what exit status 1 says; NULL: differences */
    int (*run)(const settings *given);
} command;

/* What several commands' rows hold: {OPTION_JSON, "what is printed"}. */
#define OPTION_ROW(name, letter, kind, field, value) name, letter, kind, offsetof(settings, field), value
#define OPTION_JSON                                  OPTION_ROW("json", 0, OPTION_FLAG, json, NULL)
#define OPTION_QUIET                                 OPTION_ROW("quiet", 'q', OPTION_FLAG, quiet, NULL), "no progress, no notes, no summary"
#define OPTION_HELP                                  OPTION_ROW("help", 'h', OPTION_FLAG, help, NULL), "print this help"
#define OPTION_STRICT                                                                                                  \
    OPTION_ROW("strict", 0, OPTION_FLAG, strict, NULL), "fail with exit status 1 when there is a warning"
#define OPTION_PROFILE_NAME                                                                                            \
    OPTION_ROW("profile", 0, OPTION_PROFILE, profile, "NAME"),                                                         \
        "whose bits: torch (the newest; default), torch-2.6, ...; see 'fanin list profiles'"
#define OPTION_THREAD_COUNT                                                                                            \
    OPTION_ROW("threads", 0, OPTION_THREADS, threads, "N"),                                                            \
        "how many threads, 1 to 1024 (default: all processors); changes no byte"
#define OPTION_LIKE                                                                                                    \
    OPTION_ROW("like", 0, OPTION_TEXT, like, "CHECKPOINT"),                                                            \
        "take names, shapes and dtypes from a safetensors file, an index of shards, or a folder with one of them"
#define OPTION_RECIPE OPTION_ROW("recipe", 0, OPTION_TEXT, recipe, "FILE"), "rules that go before the description's own"
#define OPTION_SET                                                                                                     \
    OPTION_ROW("set", 0, OPTION_LIST, rules, "'PATTERN=INIT(args)'"),                                                  \
        "a rule that goes before all others; may be repeated, the first that matches wins"
#define OPTION_ONLY                                                                                                    \
    OPTION_ROW("only", 0, OPTION_LIST, only, "PATTERN"),                                                               \
        "leave out all tensors but those whose names match; may be repeated. What stays keeps its bytes"
#define OPTION_EXCEPT                                                                                                  \
    OPTION_ROW("except", 0, OPTION_LIST, except, "PATTERN"), "leave out the tensors whose names match; may be "        \
                                                             "repeated"
#define OPTION_MODEL_DTYPE                                                                                             \
    OPTION_ROW("dtype", 0, OPTION_DTYPE, dtype, "DTYPE"),                                                              \
        "f32, f64, bf16 or f16 for all floating-point tensors (default: the description's, else f32)"

/* The row that ends a table. */
#define OPTION_END NULL, 0, OPTION_FLAG, 0, NULL, NULL

/* Fills settings; says what is wrong on stderr and returns false. The lists are released by option_release. */
bool option_parse(const command *of, int argc, char **argv, settings *given);
void option_release(settings *given);

/* The help of one command. */
void option_print_help(const command *of, FILE *file);
/* "usage: ..." alone, for errors. */
void option_print_usage(const command *of, FILE *file);

/* The commands, in the order of the general help; NULL ends (main.c). */
extern const command *const commands[];
/* NULL, after a message with the nearest name, if there is none. */
const command *command_find(const char *name);
/* The general help (main.c). */
void print_general_help(FILE *file);

extern const command command_init;
extern const command command_plan;
extern const command command_explain;
extern const command command_verify;
extern const command command_check;
extern const command command_which;
extern const command command_same;
extern const command command_fill;
extern const command command_list;
extern const command command_version;
extern const command command_help;

#endif
