/* SPDX-License-Identifier: MIT */
/*
 * The sink that is a file: every piece has its place in it, so the order of tensors does not matter. Runs of pieces
 * leave for the disk as soon as they are long enough.
 */
#include "sink/sink.h"

#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "format/file_calls.h"

/* A run leaves when it has this many bytes: less would make the disk slower. At most NLEAVING of them are on the way.
 */
static const uint64_t RUN_NBYTES = (uint64_t)4 << 20;

void fanin_file_writer_begin(fanin_file_writer *writer, int fd, const char *path)
{
    memset(writer, 0, sizeof *writer);
    writer->fd = fd;
    writer->path = path;
    pthread_mutex_init(&writer->lock, NULL);
}

void fanin_file_writer_end(fanin_file_writer *writer)
{
    pthread_mutex_destroy(&writer->lock);
}

static fanin_status write_back(const fanin_file_writer *writer, fanin_file_range range, bool drop, fanin_error *error)
{
    int code = fanin_file_write_back(writer->fd, range.begin, range.end - range.begin, drop);
    return code < 0 ? fanin_fail_io(error, code, "write", writer->path) : FANIN_OK;
}

/* Sends a run off; where too many are on the way, the oldest is waited for. */
static fanin_status send(fanin_file_writer *writer, fanin_file_range range, fanin_error *error)
{
    FANIN_TRY(write_back(writer, range, false, error));
    if (writer->nleaving == FANIN_FILE_NLEAVING) {
        const fanin_file_range oldest = writer->leaving[writer->first_leaving];
        writer->first_leaving = (writer->first_leaving + 1) % FANIN_FILE_NLEAVING;
        writer->nleaving--;
        FANIN_TRY(write_back(writer, oldest, true, error));
    }
    writer->leaving[(writer->first_leaving + writer->nleaving++) % FANIN_FILE_NLEAVING] = range;
    return FANIN_OK;
}

/* Of the runs the one that these bytes continue; else a new one, in place of the one longest there. */
static fanin_file_range *find_run(fanin_file_writer *writer, uint64_t begin)
{
    for (size_t i = 0; i < FANIN_FILE_NGROWING; i++)
        if (writer->growing[i].end == begin && writer->growing[i].begin < begin)
            return &writer->growing[i];
    fanin_file_range *run = &writer->growing[writer->next_growing];
    writer->next_growing = (writer->next_growing + 1) % FANIN_FILE_NGROWING;
    *run = (fanin_file_range){begin, begin};
    return run;
}

static fanin_status write_at(fanin_file_writer *writer, const void *data, size_t nbytes, uint64_t begin,
                             fanin_error *error)
{
    FANIN_TRY(fanin_pwrite_all(writer->fd, data, nbytes, begin, writer->path, error));
    fanin_file_range *run = find_run(writer, begin);
    run->end += nbytes;
    if (run->end - run->begin < RUN_NBYTES)
        return FANIN_OK;
    const fanin_file_range full = *run;
    *run = (fanin_file_range){full.end, full.end};
    return send(writer, full, error);
}

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    const fanin_file_sink *file = (const fanin_file_sink *)sink;
    pthread_mutex_lock(&file->writer->lock);
    fanin_status status = write_at(file->writer, data, nbytes, file->offsets[tensor] + offset, error);
    pthread_mutex_unlock(&file->writer->lock);
    return status;
}

fanin_file_sink fanin_file_sink_create(fanin_file_writer *writer, const uint64_t *offsets)
{
    return (fanin_file_sink){.sink = {.put = put}, .writer = writer, .offsets = offsets};
}
