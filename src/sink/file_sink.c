/* SPDX-License-Identifier: MIT */
/*
 * The sink that is a file: every piece has its place in it, so the order of tensors does not matter.
 */
#include "sink/sink.h"

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    const fanin_file_sink *file = (const fanin_file_sink *)sink;
    return fanin_file_writer_put(file->writer, data, nbytes, file->offsets[tensor] + offset, error);
}

static void *lend(fanin_sink *sink, size_t tensor, uint64_t offset, size_t nbytes)
{
    const fanin_file_sink *file = (const fanin_file_sink *)sink;
    return fanin_file_writer_lend(file->writer, nbytes, file->offsets[tensor] + offset);
}

fanin_file_sink fanin_file_sink_create(fanin_file_writer *writer, const uint64_t *offsets)
{
    return (fanin_file_sink){.sink = {.put = put, .lend = lend}, .writer = writer, .offsets = offsets};
}
