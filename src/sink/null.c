/* SPDX-License-Identifier: MIT */
/*
 * The sink that keeps nothing: the end of a chain, and the measure of how fast bytes can be made.
 */
#include "sink/sink.h"

static fanin_status put(fanin_sink *sink, size_t tensor, uint64_t offset, const void *data, size_t nbytes,
                        fanin_error *error)
{
    (void)sink, (void)tensor, (void)offset, (void)data, (void)nbytes, (void)error;
    return FANIN_OK;
}

fanin_sink fanin_null_sink(void)
{
    return (fanin_sink){.put = put};
}
