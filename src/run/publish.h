/* SPDX-License-Identifier: MIT */
/*
 * The files of a checkpoint from their first check to their names: all are made whole under temporary names, and only
 * when nothing is left that can run out of space or be interrupted do they get their own, the one that makes the
 * checkpoint visible last.
 */
#ifndef FANIN_RUN_PUBLISH_H
#define FANIN_RUN_PUBLISH_H

#include "base/text.h"
#include "fanin/run.h"
#include "format/index.h"
#include "format/partial.h"

typedef struct fanin_publication {
    const fanin_write_options *write;
    fanin_error *error;
    bool is_folder;
    char *folder;
    bool made_folder;
    bool has_lock;
    int lock;
    char tag[17];             /* of temporary names */
    const char *const *names; /* of the files of weights in a folder; borrowed */
    size_t nnames;
    const char *plan; /* that is written beside the weights; NULL; borrowed */
    size_t plan_nbytes;
    bool writes_config;
    bool has_old_index;
    fanin_index old_index;   /* empty if there is none, or none that can be read */
    fanin_partial *partials; /* in the order in which they get their names */
    size_t npartials;
} fanin_publication;

/* Refuses options that are no options, and an output without a name. */
fanin_status fanin_write_options_check(const fanin_write_options *write, fanin_error *error);
/* Whether a path names a folder: all but *.safetensors. */
bool fanin_output_is_folder(const char *path);

/*
 * Everything that can be refused before the first byte: outputs that exist, folders that are none. To be ended whatever
 * it returns. sha256_hex decides the temporary names. write, names, plan and error are kept by pointer.
 */
fanin_status fanin_publication_begin(fanin_publication *p, const fanin_write_options *write, const char *sha256_hex,
                                     const char *const *names, size_t nnames, const char *plan, size_t plan_nbytes,
                                     fanin_error *error);
void fanin_publication_end(fanin_publication *p);

/* The path of a file of weights; fanin_free it, NULL: no memory. */
char *fanin_publication_path_of(const fanin_publication *p, size_t file);

/* Makes the folder and holds it against other runs. */
fanin_status fanin_publication_open(fanin_publication *p);
/* A file of weights, in their order: its header, then what `fill` writes behind it. */
fanin_status fanin_publication_write(fanin_publication *p, size_t file, const fanin_text *header, uint64_t nbytes,
                                     fanin_status (*fill)(void *user, const fanin_partial *partial), void *user);
/* What lies beside the weights: config, plan, and the index (NULL where there is one file). */
fanin_status fanin_publication_write_beside(fanin_publication *p, const fanin_text *index);
/* All get their names. */
fanin_status fanin_publication_commit(fanin_publication *p);

/* Each file beside the weights, as it would be written. */
fanin_status fanin_publication_report(const fanin_publication *p, const fanin_text *index, fanin_file_report report,
                                      void *user);

#endif
