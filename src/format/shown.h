/* SPDX-License-Identifier: MIT */
/*
 * Names from files, made fit to stand in a message: a tensor may be called "\x1b[2J" or be 64 KiB long, and a message
 * must not carry that to a terminal.
 */
#ifndef FANIN_FORMAT_SHOWN_H
#define FANIN_FORMAT_SHOWN_H

#define FANIN_SHOWN_NBYTES 144

/* Fills `shown` with the name, control characters as \xNN, cut with "..." where it is long, and returns it. */
const char *fanin_shown(char shown[FANIN_SHOWN_NBYTES], const char *name);

#endif
