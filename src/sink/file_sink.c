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
    return fanin_pwrite_all(file->fd, data, nbytes, file->offsets[tensor] + offset, file->path, error);
}

fanin_file_sink fanin_file_sink_create(int fd, const char *path, const uint64_t *offsets)
{
    return (fanin_file_sink){.sink = {.put = put}, .fd = fd, .path = path, .offsets = offsets};
}
