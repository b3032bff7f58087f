/* SPDX-License-Identifier: MIT */
/*
 * The sink that is a file: every piece has its place in it, so the order of tensors does not matter.
 */
#include "sink/sink.h"

#include "base/io.h"

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    const fanin_file_sink *file = (const fanin_file_sink *)sink;
    pthread_mutex_lock(file->lock);
    fanin_status status = fanin_pwrite_all(file->fd, data, nbytes, file->offsets[tensor] + offset, file->path, error);
    pthread_mutex_unlock(file->lock);
    return status;
}

fanin_file_sink fanin_file_sink_create(int fd, const char *path, const uint64_t *offsets, pthread_mutex_t *lock)
{
    return (fanin_file_sink){.sink = {.put = put}, .fd = fd, .path = path, .offsets = offsets, .lock = lock};
}
