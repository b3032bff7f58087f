/* SPDX-License-Identifier: MIT */
/*
 * The progress line: label, bar, share, bytes, rate and time left, in one line that is written over with a carriage
 * return, so that it needs nothing of the terminal. In a pipe there is none.
 */
#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include "terminal.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Seconds between two drawings: fast enough to look alive, slow enough to cost nothing. */
#define DRAW_INTERVAL 0.1
/* The widest line that is drawn. */
#define WIDEST        100
#define NARROWEST_BAR 10

/*
 * Signals after which the process ends at once. Not two: a terminal, a wrapper or timeout(1) may well send the same one
 * to the process and to its group.
 */
#define IMPATIENT 3

/*
 * What a signal handler may write and another thread may read: a signal comes to any thread, and whichever finishes a
 * piece asks.
 */
static atomic_int signal_received;
static atomic_int signal_count;
_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "a signal handler must not wait for a lock");

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

static void remember_signal(int number)
{
    atomic_store(&signal_received, number);
    if (atomic_fetch_add(&signal_count, 1) + 1 >= IMPATIENT) {
        signal(number, SIG_DFL);
        raise(number);
    }
}

/* Signals that the parent chose to ignore (nohup, a job in the background) stay ignored. */
static void catch_signals(void (*handler)(int))
{
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        struct sigaction action;
        if (sigaction(stop_signals[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN)
            continue;
        memset(&action, 0, sizeof action);
        sigemptyset(&action.sa_mask);
        action.sa_handler = handler;
        sigaction(stop_signals[i], &action, NULL);
    }
}

int progress_signal(void)
{
    return atomic_load(&signal_received);
}

void progress_begin(progress *of, const char *label, bool quiet)
{
    *of = (progress){.label = label, .shown = !quiet && terminal_width(stderr) > 0, .began = clock_seconds()};
    atomic_store(&signal_received, 0);
    atomic_store(&signal_count, 0);
    catch_signals(remember_signal);
}

static void clear_line(unsigned width)
{
    fprintf(stderr, "\r%*s\r", (int)width, "");
}

static void draw(const progress *of, uint64_t done, uint64_t total, double now)
{
    /* The last column stays free: some terminals begin a new line when it is written. */
    unsigned width = terminal_width(stderr);
    width = width > WIDEST ? WIDEST : width;
    width = width > 1 ? width - 1 : 1;
    double share = total > 0 ? (double)done / (double)total : 1;
    double elapsed = now - of->began;
    double rate = elapsed > 0 ? (double)done / elapsed : 0;
    short_text done_text, total_text, rate_text, left_text;
    char numbers[4 * SHORT_NBYTES + 32];
    size_t length = (size_t)snprintf(numbers, sizeof numbers, " %3d%%  %s of %s", (int)(share * 100),
                                     format_bytes(done, done_text), format_bytes(total, total_text));
    if (elapsed > 0.5 && done > 0)
        snprintf(numbers + length, sizeof numbers - length, "  %s  %s left", format_rate(rate, rate_text),
                 format_seconds((double)(total - done) / rate, left_text));
    size_t label_columns = count_columns(of->label) + 1;
    size_t number_columns = strlen(numbers);
    char line[4 * WIDEST + 256];
    if (label_columns + 2 + NARROWEST_BAR + number_columns <= width) {
        char bar[WIDEST + 1];
        size_t bar_columns = width - label_columns - 2 - number_columns;
        size_t filled = (size_t)(share * (double)bar_columns);
        memset(bar, ' ', bar_columns);
        memset(bar, '=', filled);
        if (filled < bar_columns)
            bar[filled] = '>';
        bar[bar_columns] = '\0';
        snprintf(line, sizeof line, "%s [%s]%s", of->label, bar, numbers);
    } else if (label_columns + number_columns <= width) {
        snprintf(line, sizeof line, "%s %s", of->label, numbers);
    } else {
        snprintf(line, sizeof line, "%.*s", (int)width, numbers + 1);
    }
    int padding = (int)width - (int)count_columns(line);
    fprintf(stderr, "\r%s%*s", line, padding > 0 ? padding : 0, "");
    fflush(stderr);
}

bool progress_update(void *user, uint64_t done_nbytes, uint64_t total_nbytes)
{
    progress *of = user;
    if (of->shown) {
        double now = clock_seconds();
        if (!of->drawn || now - of->drawn_at >= DRAW_INTERVAL) {
            draw(of, done_nbytes < total_nbytes ? done_nbytes : total_nbytes, total_nbytes, now);
            of->drawn = true;
            of->drawn_at = now;
        }
    }
    return atomic_load(&signal_received) == 0;
}

void progress_end(progress *of)
{
    if (of->drawn)
        clear_line(terminal_width(stderr) > 1 ? terminal_width(stderr) - 1 : 1);
    of->drawn = false;
    catch_signals(SIG_DFL);
}
