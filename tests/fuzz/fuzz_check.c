/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of a whole check: an input is a safetensors or .npy file, told apart by its first byte. What the readers
 * accept is diagnosed in every way and written as JSON; nothing but a clear error may come of what they refuse.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/json.h"
#include "fanin/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_json(const fanin_diagnosis *diagnosis)
{
    static const fanin_json_limits limits = {.depth = 8, .values = 10000000};
    fanin_json_document document;
    char *text;
    REQUIRE(fanin_diagnosis_to_json(diagnosis, &text, NULL) == FANIN_OK);
    REQUIRE(fanin_json_parse(text, strlen(text), "found", &limits, &document, NULL) == FANIN_OK);
    fanin_json_release(&document);
    fanin_release(text);
}

static void diagnose(const fanin_checkpoint *checkpoint)
{
    fanin_diagnosis *diagnosis;
    fanin_error error;
    const fanin_diagnosis_options options = {
        .size = sizeof options, .deep = true, .target = FANIN_F8_E4M3, .activation = "relu"};
    if (fanin_diagnose_checkpoint(checkpoint, &options, &diagnosis, &error) != FANIN_OK) {
        REQUIRE(error.message[0] != 0);
        return;
    }
    REQUIRE(fanin_diagnosis_tensor_count(diagnosis) == fanin_checkpoint_tensor_count(checkpoint));
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(diagnosis, i);
        REQUIRE(finding->where[0] != 0 && finding->what[0] != 0);
        for (size_t k = 0; k < finding->ntensors; k++)
            REQUIRE(finding->tensors[k] < fanin_checkpoint_tensor_count(checkpoint));
    }
    check_json(diagnosis);
    fanin_diagnosis_free(diagnosis);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fanin_checkpoint *checkpoint;
    fanin_error error;
    /* the link's name decides how the file is read */
    char path[64], target[64];
    int fd = memfd_create("fuzz", 0);
    REQUIRE(fd >= 0 && write(fd, data, nbytes) == (ssize_t)nbytes);
    snprintf(target, sizeof target, "/proc/self/fd/%d", fd);
    snprintf(path, sizeof path, "fuzz-%ld.%s", (long)getpid(), nbytes > 0 && data[0] == 0x93 ? "npy" : "safetensors");
    REQUIRE(symlink(target, path) == 0);
    fanin_status status = fanin_checkpoint_open(path, &checkpoint, &error);
    REQUIRE(unlink(path) == 0);
    if (status == FANIN_OK) {
        diagnose(checkpoint);
        fanin_checkpoint_close(checkpoint);
    } else {
        REQUIRE(error.message[0] != 0);
    }
    close(fd);
    return 0;
}
