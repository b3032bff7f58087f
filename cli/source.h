/* SPDX-License-Identifier: MIT */
/*
 * From a command line to a plan: the model and the rules, or a plan file, and the warnings that come with them. Every
 * function
 * says on stderr what went wrong and returns the exit status of the process, EXIT_OK to go on.
 */
#ifndef FANIN_CLI_SOURCE_H
#define FANIN_CLI_SOURCE_H

#include "option.h"

/* Zero-initialize; release with source_release whatever happened. */
typedef struct source {
    const char *name;   /* the description or checkpoint as the user wrote it */
    fanin_model *model; /* NULL if it is a plan file */
    fanin_recipe *recipe;
    fanin_plan *plan;
} source;

/* The message of a failed call on stderr, and the exit status that belongs to it. */
int fail_with(const fanin_error *error);
/* The same for a run that a signal may have stopped: what is left behind, and 128 + signal. */
int fail_run(const fanin_error *error, const char *left_behind);
int fail_memory(void);
/* Bad usage: the message, and where help is. */
int fail_usage(const command *of, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* description is NULL when --like says what the model is. A plan file is read as the plan that it is. */
int source_read(const settings *given, const char *description, source *to);
/*
 * The plan under --recipe, --set, --dtype and --profile, which a plan file does not take (profile 0: torch's newest);
 * of it the part that --only and --except leave.
 */
int source_make_plan(const settings *given, fanin_profile profile, source *to);
/* EXIT_USAGE, with a message for each, if the checkpoint would have tensors that the plan refuses. */
int source_check_refusals(const source *of);
void source_release(source *of);

/* Prints the plan's warnings; EXIT_DIFFERENT if --strict was given and there is one about the rules. */
int source_report_warnings(const settings *given, const source *of);
/* What is not torch's to the bit in this plan, as notes on stderr. */
void source_print_notes(const source *of);
/* Tensors that a checkpoint holds: not tied, persistent, not refused. */
size_t count_stored(const fanin_plan *plan);
/* NULL, or how far a fill is from torch's bits. */
const char *exactness_note(fanin_fill_kind kind, fanin_dtype dtype, fanin_profile profile);

/* The seed that was given, or one from the system. EXIT_SYSTEM if there is none to be had. */
int choose_seed(const settings *given, uint64_t *seed);

/* The first name of a storage; "-" if it has none. */
const char *storage_name(const fanin_plan *plan, size_t storage);
/* What an op does, in a word or two: its call, "literal", "copy of x". */
#define DEED_NBYTES 300
char *format_deed(const fanin_plan *plan, const fanin_plan_op *op, char text[DEED_NBYTES]);

/* The numbers a fill resolved to, in a few characters: "+-0.0625", "std 0.02", "= 1". */
#define VALUES_NBYTES 160
char *format_values(const fanin_fill *fill, char text[VALUES_NBYTES]);
/* "in/out", "-" where fans play no part. */
char *format_fans(int64_t fan_in, int64_t fan_out, char text[VALUES_NBYTES]);

#endif
