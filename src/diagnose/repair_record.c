/* SPDX-License-Identifier: MIT */
/*
 * What a mended checkpoint says of its mending: the tensors that were made anew, with a seed that stands beside them.
 */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "fanin/check.h"
#include "format/checkpoint_metadata.h"

/* Mendings of what was mended, told one within the other. */
enum { MAX_EARLIER = 32 };

/* Text that is no such record is somebody's else, and nothing is known by it. */
static fanin_status take_record(const fanin_checkpoint *checkpoint, const char *text, int depth, bool *made,
                                fanin_error *error)
{
    static const fanin_json_limits limits = {.depth = 8, .values = 50000000};
    fanin_json_document document;
    fanin_error ignored;
    fanin_status status = fanin_json_parse(text, strlen(text), "the record of a repair", &limits, &document, &ignored);
    if (status == FANIN_ERROR_MEMORY)
        return fanin_fail_memory(error, strlen(text));
    if (status != FANIN_OK)
        return FANIN_OK;
    const fanin_json *seed = fanin_json_get(&document.root, "seed");
    const fanin_json *tensors = fanin_json_get(&document.root, "tensors");
    const fanin_json *earlier = fanin_json_get(&document.root, "earlier");
    if (seed != NULL && tensors != NULL && tensors->kind == FANIN_JSON_OBJECT)
        for (size_t i = 0; i < tensors->count; i++) {
            const size_t id = fanin_checkpoint_tensor_find(checkpoint, tensors->items[i].key);
            if (id != SIZE_MAX)
                made[id] = true;
        }
    if (earlier != NULL && earlier->kind == FANIN_JSON_STRING && depth < MAX_EARLIER)
        status = take_record(checkpoint, earlier->string, depth + 1, made, error);
    fanin_json_release(&document);
    return status;
}

fanin_status fanin_repair_recorded(const fanin_checkpoint *checkpoint, bool *made, fanin_error *error)
{
    fanin_clear(error);
    memset(made, 0, fanin_checkpoint_tensor_count(checkpoint) * sizeof *made);
    for (size_t file = 0; file < fanin_checkpoint_file_count(checkpoint); file++) {
        size_t npairs;
        const fanin_pair *pairs = fanin_checkpoint_pairs(checkpoint, file, &npairs);
        for (size_t i = 0; i < npairs; i++)
            if (strcmp(pairs[i].key, FANIN_METADATA_REPAIR) == 0)
                FANIN_TRY(take_record(checkpoint, pairs[i].value, 0, made, error));
    }
    return FANIN_OK;
}
