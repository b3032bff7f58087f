/* SPDX-License-Identifier: MIT */
/*
 * The progress line on a terminal's stderr, and the wish to stop: what the library's progress function is given.
 */
#ifndef FANIN_CLI_PROGRESS_H
#define FANIN_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *label;
    bool shown;   /* stderr is a terminal and nobody asked for quiet */
    bool drawn;   /* a line is on the screen */
    double began; /* clock_seconds */
    double drawn_at;
} progress;

/* From here on SIGINT, SIGTERM and SIGHUP are wishes that progress_update passes on; the third one kills. */
void progress_begin(progress *of, const char *label, bool quiet);
/* A fanin_progress; user is the progress. False when a signal asked to stop. */
bool progress_update(void *user, uint64_t done_nbytes, uint64_t total_nbytes);
/* Clears the line and gives the signals back. */
void progress_end(progress *of);

/* The signal that asked to stop since progress_begin, or 0. */
int progress_signal(void);

#endif
