/* SPDX-License-Identifier: MIT */
/*
 * Files that appear under their name only when they are whole: made under a temporary name in the same folder,
 * preallocated, locked, synced, then renamed.
 */
#ifndef FANIN_FORMAT_PARTIAL_H
#define FANIN_FORMAT_PARTIAL_H

#include "fanin/status.h"

/* Zero-initialize: nothing to undo. */
typedef struct fanin_partial {
    char *path; /* NAME.partial-TAG */
    char *name; /* what it will be called */
    int fd;     /* open until finished; -1 after */
    bool made;  /* there is a file of this name that is ours to remove */
} fanin_partial;

/*
 * Creates NAME.partial-TAG with nbytes of disk space. One that a dead run left behind is removed first; one that is
 * locked by a living run is an error.
 */
fanin_status fanin_partial_create(fanin_partial *partial, const char *name, const char *tag, uint64_t nbytes,
                                  fanin_error *error);
/* Makes what was written durable and closes it. */
fanin_status fanin_partial_finish(fanin_partial *partial, fanin_error *error);
/* Gives a finished file its name, replacing what had it. The folder is still to be synced. */
fanin_status fanin_partial_publish(fanin_partial *partial, fanin_error *error);
/* Closes and removes what has no name yet, and releases memory. Fine for one that was never made. */
void fanin_partial_discard(fanin_partial *partial);

/* create, write and finish in one */
fanin_status fanin_partial_write(fanin_partial *partial, const char *name, const char *tag, const void *data,
                                 size_t nbytes, fanin_error *error);

/* Removes a file; one that is not there is fine. */
fanin_status fanin_remove(const char *path, fanin_error *error);
fanin_status fanin_sync_folder(const char *path, fanin_error *error);
/* Holds a folder against other runs until fanin_unlock_folder(*fd), where the file system has locks. */
fanin_status fanin_lock_folder(const char *path, int *fd, fanin_error *error);
void fanin_unlock_folder(int fd);

#endif
