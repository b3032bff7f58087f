/* SPDX-License-Identifier: MIT */
/*
 * Which initializer is the usual choice where, and why: what `list choices` and `explain` tell.
 */
#ifndef FANIN_CLI_CHOICES_H
#define FANIN_CLI_CHOICES_H

#include "fanin/fanin.h"

typedef struct choice {
    const char *place;        /* "before a ReLU" */
    const char *initializers; /* names with blanks around each, so that " name " is found in it */
    const char *write;        /* what to write */
    const char *reason;       /* with its source */
} choice;

size_t choice_count(void);
const choice *choice_at(size_t i);
bool choice_names(const choice *of, const char *initializer);
/* The choice for a tensor whose place is known from its layer kind, role or gates; NULL if it is not. */
const choice *choice_for(const fanin_model_tensor *tensor);

#endif
