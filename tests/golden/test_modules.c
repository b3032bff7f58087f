/* SPDX-License-Identifier: MIT */
/*
 * Replays what constructors of torch.nn left (README.md beside this file), by fanin_layer_init and again step by step:
 * names, shapes, every byte and the generator's state. test_modules FILE... ends with 1 if anything differs.
 */
#define _POSIX_C_SOURCE 200809L

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/sha256.h"
#include "fanin/layer.h"

enum { UNTOUCHED = 0xa5, NPRINTED = 10 };

struct tally {
    const char *path;
    size_t line;
    size_t nmodules;
    size_t ntensors;
    size_t nfailed;
    uint64_t nvalues;
};

/* ---- from torch's names to fields ---- */

struct module {
    const char *name;
    fanin_layer_kind kind;
};
static const struct module modules[] = {
    {"Linear", FANIN_LAYER_LINEAR},
    {"Bilinear", FANIN_LAYER_BILINEAR},
    {"Conv1d", FANIN_LAYER_CONV1D},
    {"Conv2d", FANIN_LAYER_CONV2D},
    {"Conv3d", FANIN_LAYER_CONV3D},
    {"ConvTranspose1d", FANIN_LAYER_CONV_TRANSPOSE1D},
    {"ConvTranspose2d", FANIN_LAYER_CONV_TRANSPOSE2D},
    {"ConvTranspose3d", FANIN_LAYER_CONV_TRANSPOSE3D},
    {"Embedding", FANIN_LAYER_EMBEDDING},
    {"EmbeddingBag", FANIN_LAYER_EMBEDDING},
    {"RNN", FANIN_LAYER_RNN},
    {"LSTM", FANIN_LAYER_LSTM},
    {"GRU", FANIN_LAYER_GRU},
    {"RNNCell", FANIN_LAYER_RNN_CELL},
    {"LSTMCell", FANIN_LAYER_LSTM_CELL},
    {"GRUCell", FANIN_LAYER_GRU_CELL},
    {"MultiheadAttention", FANIN_LAYER_MULTIHEAD_ATTENTION},
    {"TransformerEncoderLayer", FANIN_LAYER_TRANSFORMER_ENCODER_LAYER},
    {"TransformerDecoderLayer", FANIN_LAYER_TRANSFORMER_DECODER_LAYER},
    {"TransformerEncoder", FANIN_LAYER_TRANSFORMER_ENCODER},
    {"TransformerDecoder", FANIN_LAYER_TRANSFORMER_DECODER},
    {"Transformer", FANIN_LAYER_TRANSFORMER},
    {"BatchNorm1d", FANIN_LAYER_BATCH_NORM},
    {"BatchNorm2d", FANIN_LAYER_BATCH_NORM},
    {"BatchNorm3d", FANIN_LAYER_BATCH_NORM},
    {"InstanceNorm1d", FANIN_LAYER_BATCH_NORM},
    {"InstanceNorm2d", FANIN_LAYER_BATCH_NORM},
    {"InstanceNorm3d", FANIN_LAYER_BATCH_NORM},
    {"LayerNorm", FANIN_LAYER_LAYER_NORM},
    {"GroupNorm", FANIN_LAYER_GROUP_NORM},
    {"RMSNorm", FANIN_LAYER_RMS_NORM},
    {"PReLU", FANIN_LAYER_PRELU},
};

enum argument_kind { SIZE, SIZES, SHAPE, PADDING_IDX, FLAG, REAL, IGNORED };
struct argument {
    const char *name;
    enum argument_kind kind;
    size_t offset;
};
#define AT(field) offsetof(fanin_layer, field)
static const struct argument arguments[] = {
    {"in_features", SIZE, AT(in_features)},
    {"in1_features", SIZE, AT(in_features)},
    {"in2_features", SIZE, AT(in2_features)},
    {"out_features", SIZE, AT(out_features)},
    {"in_channels", SIZE, AT(in_channels)},
    {"out_channels", SIZE, AT(out_channels)},
    {"kernel_size", SIZES, AT(kernel_size)},
    {"groups", SIZE, AT(groups)},
    {"num_groups", SIZE, AT(groups)},
    {"num_embeddings", SIZE, AT(num_embeddings)},
    {"embedding_dim", SIZE, AT(embedding_dim)},
    {"padding_idx", PADDING_IDX, AT(padding_idx)},
    {"input_size", SIZE, AT(input_size)},
    {"hidden_size", SIZE, AT(hidden_size)},
    {"num_layers", SIZE, AT(num_layers)},
    {"proj_size", SIZE, AT(proj_size)},
    {"bidirectional", FLAG, AT(bidirectional)},
    {"embed_dim", SIZE, AT(embed_dim)},
    {"d_model", SIZE, AT(embed_dim)},
    {"num_heads", SIZE, AT(num_heads)},
    {"nhead", SIZE, AT(num_heads)},
    {"kdim", SIZE, AT(kdim)},
    {"vdim", SIZE, AT(vdim)},
    {"add_bias_kv", FLAG, AT(add_bias_kv)},
    {"dim_feedforward", SIZE, AT(dim_feedforward)},
    {"num_encoder_layers", SIZE, AT(num_encoder_layers)},
    {"num_decoder_layers", SIZE, AT(num_decoder_layers)},
    {"num_features", SIZE, AT(num_features)},
    {"num_channels", SIZE, AT(num_features)},
    {"num_parameters", SIZE, AT(num_features)},
    {"normalized_shape", SHAPE, AT(normalized_shape)},
    {"affine", FLAG, AT(affine)},
    {"elementwise_affine", FLAG, AT(affine)},
    {"track_running_stats", FLAG, AT(track_running_stats)},
    {"init", REAL, AT(init)},
    {"bias", FLAG, AT(bias)},
    {"stride", IGNORED, 0},
    {"padding", IGNORED, 0},
    {"dilation", IGNORED, 0},
};

/* ---- reading a line ---- */

/* A file that breaks its own format is no result: say where and stop. */
static _Noreturn void broken(const struct tally *tally, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "%s:%zu: ", tally->path, tally->line);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(2);
}

static const fanin_json *member(const struct tally *tally, const fanin_json *object, const char *key)
{
    const fanin_json *found = fanin_json_get(object, key);
    if (found == NULL)
        broken(tally, "no member \"%s\"", key);
    return found;
}

static const char *text_member(const struct tally *tally, const fanin_json *object, const char *key)
{
    const fanin_json *found = member(tally, object, key);
    if (found->kind != FANIN_JSON_STRING)
        broken(tally, "\"%s\" is no string", key);
    return found->string;
}

static int64_t integer(const struct tally *tally, const fanin_json *value)
{
    if (value->kind == FANIN_JSON_UNSIGNED && value->unsigned_value <= INT64_MAX)
        return (int64_t)value->unsigned_value;
    if (value->kind == FANIN_JSON_NEGATIVE)
        return value->signed_value;
    broken(tally, "an integer was expected");
}

/* One integer for all places, or one each; returns how many there are. */
static int32_t integers(const struct tally *tally, const fanin_json *value, size_t most, int64_t *out)
{
    bool is_list = value->kind == FANIN_JSON_ARRAY;
    if (is_list && value->count > most)
        broken(tally, "a list of at most %zu integers was expected", most);
    for (size_t i = 0; i < (is_list ? value->count : most); i++)
        out[i] = integer(tally, is_list ? &value->items[i] : value);
    return is_list ? (int32_t)value->count : 1;
}

static void read_argument(const struct tally *tally, const fanin_json *value, fanin_layer *layer)
{
    const struct argument *argument = arguments, *end = arguments + sizeof arguments / sizeof arguments[0];
    while (argument < end && strcmp(argument->name, value->key) != 0)
        argument++;
    if (argument == end)
        broken(tally, "\"%s\" is no argument this test knows", value->key);
    void *field = (char *)layer + argument->offset;
    switch (argument->kind) {
    case SIZE:
        *(int64_t *)field = integer(tally, value);
        break;
    case SIZES:
        integers(tally, value, 3, field);
        break;
    case SHAPE:
        layer->normalized_ndim = integers(tally, value, FANIN_MAX_DIMS, field);
        break;
    case PADDING_IDX:
        layer->has_padding_idx = true;
        *(int64_t *)field = integer(tally, value);
        break;
    case FLAG:
        *(bool *)field = value->boolean;
        break;
    case REAL:
        *(double *)field = value->number;
        break;
    case IGNORED:
        break;
    }
}

static void read_arguments(const struct tally *tally, const fanin_json *kwargs, fanin_layer *layer)
{
    for (size_t i = 0; i < kwargs->count; i++) {
        if (kwargs->items[i].kind == FANIN_JSON_OBJECT) /* the layer that a stack consists of */
            read_arguments(tally, &kwargs->items[i], layer);
        else
            read_argument(tally, &kwargs->items[i], layer);
    }
}

static fanin_layer read_layer(const struct tally *tally, const fanin_json *line)
{
    const char *name = text_member(tally, line, "module");
    const struct module *module = modules, *end = modules + sizeof modules / sizeof modules[0];
    while (module < end && strcmp(module->name, name) != 0)
        module++;
    if (module == end)
        broken(tally, "\"%s\" is no module this test knows", name);
    fanin_layer layer = fanin_layer_default(module->kind);
    layer.dtype = fanin_dtype_from_name(text_member(tally, line, "dtype"));
    if (strncmp(name, "InstanceNorm", 12) == 0)
        layer.affine = layer.track_running_stats = false;
    read_arguments(tally, member(tally, line, "kwargs"), &layer);
    return layer;
}

static fanin_generator read_generator(const struct tally *tally, const fanin_json *line)
{
    const char *version = text_member(tally, line, "torch");
    const char *minor = strchr(version, '.');
    char name[48];
    fanin_profile profile;
    fanin_error error = {0};
    if (minor == NULL)
        broken(tally, "no torch release: %s", version);
    snprintf(name, sizeof name, "torch-%.*s", (int)(minor + 1 + strcspn(minor + 1, ".") - version), version);
    if (fanin_profile_parse(name, &profile, &error) != FANIN_OK)
        broken(tally, "%s", error.message);
    return fanin_generator_create(profile, strtoull(text_member(tally, line, "seed"), NULL, 10));
}

/* ---- one module ---- */

/* Counts a failure; true if it is among those that are shown. The line it stands on is repeated in short. */
static bool begin_failure(struct tally *tally, const fanin_json *line)
{
    if (tally->nfailed++ >= NPRINTED)
        return false;
    printf("%s:%zu: %s in %s, torch %s, seed %s: ", tally->path, tally->line, text_member(tally, line, "module"),
           text_member(tally, line, "dtype"), text_member(tally, line, "torch"), text_member(tally, line, "seed"));
    return true;
}

static void digest(const void *data, size_t nbytes, char digits[65])
{
    uint8_t bytes[32];
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, data, nbytes);
    fanin_sha256_end(&hash, bytes);
    fanin_hex32(bytes, digits);
}

static void state_digest(const fanin_generator *generator, char digits[65])
{
    uint8_t state[FANIN_TORCH_STATE_NBYTES];
    fanin_generator_get_torch_state(generator, state);
    digest(state, sizeof state, digits);
}

struct made {
    size_t count;
    fanin_tensor *tensors;
    size_t *nbytes;
};

/* Strides of torch's channels_last: the second dimension innermost, the first outermost. */
static void set_channels_last(fanin_tensor *tensor)
{
    int64_t stride = tensor->shape[1];
    tensor->strides[1] = 1;
    for (int i = tensor->ndim; i-- > 2;) {
        tensor->strides[i] = stride;
        stride *= tensor->shape[i];
    }
    tensor->strides[0] = stride;
}

static void *require_memory(const struct tally *tally, void *memory)
{
    if (memory == NULL)
        broken(tally, "out of memory");
    return memory;
}

/* Memory for every parameter of the list, which must be the one torch has. */
static bool allocate(struct tally *tally, const fanin_json *line, const fanin_layer *layer, struct made *made)
{
    const fanin_json *expected = member(tally, line, "params");
    const bool channels_last = fanin_json_get(line, "channels_last") != NULL;
    fanin_error error = {0};
    if (fanin_layer_parameter_count(layer, &made->count, &error) != FANIN_OK) {
        if (begin_failure(tally, line))
            printf("torch succeeds, fanin: %s: %s\n", fanin_status_name(error.status), error.message);
        return false;
    }
    if (made->count != expected->count) {
        if (begin_failure(tally, line))
            printf("%zu parameters, torch has %zu\n", made->count, expected->count);
        return false;
    }
    made->tensors = require_memory(tally, calloc(made->count + 1, sizeof *made->tensors));
    made->nbytes = require_memory(tally, calloc(made->count + 1, sizeof *made->nbytes));
    for (size_t i = 0; i < made->count; i++) {
        const fanin_json *item = &expected->items[i];
        const fanin_json *sizes = member(tally, item, "shape");
        fanin_layer_parameter parameter;
        if (fanin_layer_parameter_at(layer, i, &parameter, &error) != FANIN_OK)
            broken(tally, "%s", error.message);
        bool same = strcmp(parameter.name, text_member(tally, item, "name")) == 0 &&
                    parameter.dtype == fanin_dtype_from_name(text_member(tally, item, "dtype")) &&
                    (size_t)parameter.ndim == sizes->count;
        for (int k = 0; same && k < parameter.ndim; k++)
            same = parameter.shape[k] == integer(tally, &sizes->items[k]);
        if (!same) {
            if (begin_failure(tally, line))
                printf("parameter %zu is %s (%s, %d dimensions), torch has %s\n", i, parameter.name,
                       fanin_dtype_name(parameter.dtype), (int)parameter.ndim, text_member(tally, item, "name"));
            return false;
        }
        fanin_tensor *tensor = &made->tensors[i];
        *tensor = fanin_tensor_nd(NULL, parameter.dtype, parameter.ndim, parameter.shape);
        made->nbytes[i] = (size_t)fanin_tensor_nelem(tensor) * fanin_dtype_nbits(tensor->dtype) / 8;
        tensor->data = require_memory(tally, malloc(made->nbytes[i] + 1));
        memset(tensor->data, UNTOUCHED, made->nbytes[i] + 1);
        if (channels_last && tensor->ndim > 3)
            set_channels_last(tensor);
    }
    return true;
}

static void release(struct made *made)
{
    for (size_t i = 0; i < made->count && made->tensors != NULL; i++)
        free(made->tensors[i].data);
    free(made->tensors);
    free(made->nbytes);
    memset(made, 0, sizeof *made);
}

/* What fanin_layer_init does, by the list of steps that plans are made from. */
static fanin_status run_steps(const fanin_layer *layer, struct made *made, fanin_generator *generator,
                              fanin_error *error)
{
    size_t nsteps;
    fanin_status status = fanin_layer_step_count(layer, &nsteps, error);
    for (size_t i = 0; i < nsteps && status == FANIN_OK; i++) {
        fanin_layer_step step, source;
        status = fanin_layer_step_at(layer, i, &step, error);
        if (status != FANIN_OK)
            break;
        if (step.parameter == SIZE_MAX) {
            fanin_tensor view = fanin_tensor_1d(NULL, layer->dtype, step.nelem);
            fanin_fill_stream stream = {0};
            status = fanin_fill_measure(&step.fill, &view, generator->profile, &stream, error);
            fanin_generator_skip(generator, stream.ndraws);
            continue;
        }
        fanin_tensor view = made->tensors[step.parameter];
        if (step.row_end >= 0)
            view = fanin_tensor_rows(&view, step.row_begin, step.row_end);
        if (fanin_tensor_nelem(&view) != step.nelem) {
            printf("step %zu has %" PRId64 " elements, its rows %" PRId64 "\n", i, step.nelem,
                   fanin_tensor_nelem(&view));
            return FANIN_ERROR_MISMATCH;
        }
        if (step.copy_of_step < 0) {
            status = fanin_fill_run(&step.fill, &view, generator, error);
            continue;
        }
        status = fanin_layer_step_at(layer, (size_t)step.copy_of_step, &source, error);
        const void *from = made->tensors[source.parameter].data;
        if (status == FANIN_OK && from != NULL && view.data != NULL)
            memcpy(view.data, from, made->nbytes[step.parameter]);
    }
    return status;
}

/* A torch constructor raised: fanin refuses with words, and takes nothing from the generator. */
static void check_refusal(struct tally *tally, const fanin_json *line, const fanin_layer *layer,
                          fanin_generator *generator)
{
    char before[65], after[65];
    size_t count;
    fanin_error error = {0};
    state_digest(generator, before);
    fanin_status status = fanin_layer_parameter_count(layer, &count, &error);
    fanin_status run_status = fanin_layer_init(layer, NULL, 0, generator, NULL);
    state_digest(generator, after);
    bool ok = status != FANIN_OK && run_status == status && error.message[0] != '\0' && strcmp(before, after) == 0;
    if (!ok && begin_failure(tally, line))
        printf("torch raises \"%s\", fanin: %s: \"%s\"\n", text_member(tally, line, "error"), fanin_status_name(status),
               error.message);
}

/* Compares every tensor and the state; `how` names the way they were made. */
static bool compare(struct tally *tally, const fanin_json *line, const struct made *made,
                    const fanin_generator *generator, const char *how)
{
    const fanin_json *expected = member(tally, line, "params");
    char digits[65];
    for (size_t i = 0; i < made->count; i++) {
        const fanin_json *item = &expected->items[i];
        const unsigned char *data = made->tensors[i].data;
        if (fanin_json_get(item, "uninitialized") != NULL) /* torch left what was in memory */
            continue;
        tally->ntensors++;
        tally->nvalues += (uint64_t)fanin_tensor_nelem(&made->tensors[i]);
        digest(data, made->nbytes[i], digits);
        if (strcmp(digits, text_member(tally, item, "sha256")) == 0 && data[made->nbytes[i]] == UNTOUCHED)
            continue;
        if (begin_failure(tally, line)) {
            printf("%s (%s) differs. torch: %s, fanin: ", text_member(tally, item, "name"), how,
                   text_member(tally, item, "head"));
            for (size_t k = 0; k < 32 && k < made->nbytes[i]; k++)
                printf("%02x", data[k]);
            printf("\n");
        }
        return false;
    }
    state_digest(generator, digits);
    if (strcmp(digits, text_member(tally, line, "state")) != 0) {
        if (begin_failure(tally, line))
            printf("all %zu tensors agree, the generator's state after them does not (%s)\n", made->count, how);
        return false;
    }
    return true;
}

static void replay(struct tally *tally, const fanin_json *line)
{
    const fanin_layer layer = read_layer(tally, line);
    const fanin_generator begin = read_generator(tally, line);
    const bool warned = fanin_json_get(line, "warning") != NULL;
    fanin_generator generator = begin;
    fanin_error error = {0};
    struct made made = {0};
    tally->nmodules++;
    if (fanin_json_get(line, "error") != NULL) {
        check_refusal(tally, line, &layer, &generator);
        return;
    }
    if (!allocate(tally, line, &layer, &made)) {
        release(&made);
        return;
    }
    if (fanin_layer_init(&layer, made.tensors, made.count, &generator, &error) != FANIN_OK) {
        if (begin_failure(tally, line))
            printf("torch succeeds, fanin: %s: %s\n", fanin_status_name(error.status), error.message);
    } else if (warned != (error.warning[0] != '\0')) {
        if (begin_failure(tally, line))
            printf("torch %s, fanin: \"%s\"\n", warned ? "warns" : "does not warn", error.warning);
    } else if (compare(tally, line, &made, &generator, "in one call") &&
               fanin_json_get(line, "channels_last") == NULL &&
               (begin.profile & ~(fanin_profile)FANIN_UNFUSED) >= FANIN_PROFILE_TORCH_2_12) {
        /* steps are those of the newest torch, which differ for convolutions with a fan of 0 */
        for (size_t i = 0; i < made.count; i++)
            memset(made.tensors[i].data, UNTOUCHED, made.nbytes[i]);
        generator = begin;
        if (run_steps(&layer, &made, &generator, &error) == FANIN_OK)
            compare(tally, line, &made, &generator, "by steps");
        else if (begin_failure(tally, line))
            printf("a step failed: %s\n", error.message);
    }
    release(&made);
}

static bool replay_file(const char *path)
{
    static const fanin_json_limits limits = {.depth = 8, .values = 100000};
    struct tally tally = {.path = path};
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t nbytes;
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while ((nbytes = getline(&text, &capacity, file)) > 0) {
        fanin_json_document document;
        fanin_error error = {0};
        tally.line++;
        if (fanin_json_parse(text, (size_t)nbytes, path, &limits, &document, &error) != FANIN_OK)
            broken(&tally, "%s", error.message);
        replay(&tally, &document.root);
        fanin_json_release(&document);
    }
    bool is_read = feof(file) && !ferror(file);
    free(text);
    fclose(file);
    if (!is_read || tally.nmodules == 0)
        broken(&tally, "no module could be read");
    printf("%s: %zu modules, %zu tensors, %" PRIu64 " values, %zu failed\n", path, tally.nmodules, tally.ntensors,
           tally.nvalues, tally.nfailed);
    return tally.nfailed == 0;
}

int main(int argc, char **argv)
{
    bool ok = true;
    if (argc < 2) {
        fprintf(stderr, "usage: test_modules FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        ok = replay_file(argv[i]) && ok;
    return ok ? 0 : 1;
}
