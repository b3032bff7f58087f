/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the safetensors header parser: an input is a whole file. What is accepted must keep every promise of
 * the format, and be laid out by the writer to something that is accepted again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes);

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void check_promises(const fanin_safetensors_header *header, uint64_t data_nbytes)
{
    uint64_t covered = 0;
    for (size_t i = 0; i < header->ntensors; i++) {
        const fanin_safetensors_tensor *tensor = &header->tensors[i];
        uint64_t nelem = 1, nbytes;
        REQUIRE(tensor->begin == covered && tensor->end >= covered);
        REQUIRE(tensor->ndim >= 0 && tensor->ndim <= FANIN_SAFETENSORS_MAX_DIMS);
        for (int32_t d = 0; d < tensor->ndim; d++) {
            REQUIRE(tensor->shape[d] >= 0);
            nelem *= (uint64_t)tensor->shape[d];
        }
        REQUIRE(nelem == tensor->nelem);
        REQUIRE(fanin_safetensors_nbytes(tensor->dtype, nelem, &nbytes) && nbytes == tensor->end - tensor->begin);
        covered = tensor->end;
    }
    REQUIRE(covered == data_nbytes);
}

static void write_and_read(fanin_safetensors_header *header, uint64_t data_nbytes)
{
    fanin_text text = {0};
    fanin_safetensors_header again;
    uint64_t length;
    fanin_status status = fanin_safetensors_format(header->tensors, header->ntensors, header->metadata,
                                                   header->nmetadata, "fuzz", &text, NULL);
    REQUIRE(status == FANIN_OK);
    REQUIRE(fanin_safetensors_length((const uint8_t *)text.data, text.nbytes + data_nbytes, "fuzz", &length, NULL) ==
            FANIN_OK);
    REQUIRE(fanin_safetensors_parse(text.data + 8, length, data_nbytes, "fuzz", &again, NULL) == FANIN_OK);
    REQUIRE(again.ntensors == header->ntensors && again.nmetadata == header->nmetadata);
    check_promises(&again, data_nbytes);
    fanin_safetensors_release(&again);
    fanin_text_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t nbytes)
{
    fanin_safetensors_header header;
    fanin_error error;
    uint64_t length;
    if (fanin_safetensors_length(data, nbytes, "fuzz", &length, &error) != FANIN_OK)
        return 0;
    uint64_t data_nbytes = nbytes - 8 - length;
    if (fanin_safetensors_parse((const char *)data + 8, length, data_nbytes, "fuzz", &header, &error) != FANIN_OK) {
        REQUIRE(error.message[0] != 0);
        return 0;
    }
    check_promises(&header, data_nbytes);
    write_and_read(&header, data_nbytes);
    fanin_safetensors_release(&header);
    return 0;
}
