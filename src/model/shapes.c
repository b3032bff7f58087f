/* SPDX-License-Identifier: MIT */
/*
 * The names, shapes and dtypes of a checkpoint as a spec.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "model/model_data.h"

/* A name as fanin_scope_name reads it: braces doubled. */
static fanin_status add_name(fanin_text *spec, const char *name, fanin_error *error)
{
    fanin_text doubled = {0};
    bool failed;
    for (const char *c = name; *c != '\0'; c++)
        fanin_text_append(&doubled, (const char[]){*c, *c}, *c == '{' || *c == '}' ? 2 : 1);
    if (!doubled.failed)
        fanin_text_json_string(spec, doubled.data != NULL ? doubled.data : "", doubled.nbytes);
    failed = doubled.failed;
    fanin_text_release(&doubled);
    return failed ? fanin_fail_memory(error, strlen(name)) : FANIN_OK;
}

fanin_status fanin_shapes_expand(const fanin_checkpoint *checkpoint, fanin_text *spec, fanin_error *error)
{
    size_t count = fanin_checkpoint_tensor_count(checkpoint);
    fanin_text_add(spec, "{\"format\":\"fanin-spec\",\"version\":1,\n \"tensors\":[");
    for (size_t i = 0; i < count; i++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(checkpoint, i);
        fanin_text_add(spec, i == 0 ? "\n  {\"name\":" : ",\n  {\"name\":");
        FANIN_TRY(add_name(spec, tensor->name, error));
        fanin_text_add(spec, ",\"shape\":[");
        for (int32_t d = 0; d < tensor->ndim; d++)
            fanin_text_format(spec, "%s%" PRId64, d == 0 ? "" : ",", tensor->shape[d]);
        fanin_text_format(spec, "],\"dtype\":\"%s\"}", fanin_dtype_name(tensor->dtype));
    }
    fanin_text_add(spec, "]}\n");
    return spec->failed ? fanin_fail_memory(error, spec->nbytes) : FANIN_OK;
}
