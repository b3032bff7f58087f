/* SPDX-License-Identifier: MIT */
/*
 * The JSON reader on any bytes: it says yes or gives a place, takes memory in proportion, leaves nothing behind, and
 * what it accepts reads back equal when written out again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "counting_allocator.h"
#include "json_compare.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

static void check(bool is_so, const char *what)
{
    if (!is_so) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* A value of 96 bytes needs two characters; the rest is blocks of the arena, which begin at 4 KiB and double. */
static uint64_t allowed_nbytes(size_t nbytes)
{
    return 64 * (uint64_t)nbytes + (1 << 14);
}

static void check_failure(const fanin_error *error, size_t nbytes)
{
    unsigned line = 0, column = 0;
    int end = 0;
    check(error->status == FANIN_ERROR_FORMAT, "a failure that is not of the format");
    check(sscanf(error->message, "input:%u:%u: %n", &line, &column, &end) == 2 && end > 0, "a failure without place");
    check(error->message[end] != '\0', "a failure without words");
    check(line >= 1 && column >= 1 && line <= nbytes + 1 && column <= nbytes + 1, "a place outside the text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    const fanin_json_limits limits = {.depth = 64, .values = 1000000};
    counting_allocator counter;
    fanin_json_document document, again;
    fanin_error error = {0};
    counting_begin(&counter);
    if (fanin_json_parse((const char *)data, nbytes, "input", &limits, &document, &error) != FANIN_OK) {
        check_failure(&error, nbytes);
    } else {
        fanin_text text = {0};
        check(counter.peak_nbytes <= allowed_nbytes(nbytes), "more memory than the text accounts for");
        json_write(&text, &document.root);
        check(!text.failed, "out of memory");
        check(fanin_json_parse(text.data, text.nbytes, "again", &limits, &again, &error) == FANIN_OK,
              "what was written is not read");
        check(json_same(&document.root, &again.root), "what was written reads as something else");
        fanin_json_release(&again);
        fanin_text_release(&text);
        fanin_json_release(&document);
    }
    check(counter.nblocks == 0, "memory was left behind");
    counting_end();
    return 0;
}
