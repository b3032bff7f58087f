/* SPDX-License-Identifier: MIT */
/*
 * Runs what a constructor does on the caller's memory, and the constructors that take one call.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "init/layer_program.h"
#include "init/random.h"

static bool same_shape(const fanin_tensor *a, const fanin_layer_parameter *b)
{
    return a->ndim == b->ndim && memcmp(a->shape, b->shape, (size_t)b->ndim * sizeof b->shape[0]) == 0;
}

enum { SHAPE_NBYTES = FANIN_MAX_DIMS * 21 + 3 }; /* a sign and 19 digits each, and a comma */

static void write_shape(int ndim, const int64_t *shape, char text[SHAPE_NBYTES])
{
    int at = snprintf(text, SHAPE_NBYTES, "[");
    for (int i = 0; i < ndim && i < FANIN_MAX_DIMS; i++)
        at += snprintf(text + at, (size_t)(SHAPE_NBYTES - at), "%s%" PRId64, i > 0 ? "," : "", shape[i]);
    snprintf(text + at, (size_t)(SHAPE_NBYTES - at), "]");
}

/* A view has the dtype and shape of its parameter, and memory. */
static fanin_status check_view(const fanin_program *program, const fanin_tensor *view, uint64_t i, fanin_error *error)
{
    const char *kind = fanin_layer_kind_name(program->layer->kind);
    fanin_layer_parameter parameter;
    fanin_program_parameter(program, i, &parameter);
    if (view->dtype != parameter.dtype)
        return fanin_fail(error, FANIN_ERROR_DTYPE, "%s: %s is %s, not %s", kind, parameter.name,
                          fanin_dtype_name(view->dtype), fanin_dtype_name(parameter.dtype));
    if (!same_shape(view, &parameter)) {
        char found[SHAPE_NBYTES], expected[SHAPE_NBYTES];
        write_shape(view->ndim, view->shape, found);
        write_shape(parameter.ndim, parameter.shape, expected);
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%s: the shape of %s is %s, not %s", kind, parameter.name, found,
                          expected);
    }
    fanin_status status = fanin_view_check(view, true, error);
    if (status == FANIN_OK && view->data == NULL && fanin_tensor_nelem(view) > 0)
        status = fanin_fail(error, FANIN_ERROR_ARGUMENT, "the tensor has no memory (its data is NULL)");
    if (status != FANIN_OK)
        fanin_fail_within(error, "%s: %s", kind, parameter.name);
    return status;
}

/* What a step fills: of the caller's memory, or of a layer that is thrown away. */
static fanin_tensor target_of(const fanin_program *program, const fanin_layer_step *step,
                              const fanin_tensor *parameters)
{
    if (step->parameter == SIZE_MAX)
        return fanin_tensor_1d(NULL, program->layer->dtype, step->nelem);
    const fanin_tensor *tensor = &parameters[step->parameter];
    return step->row_end < 0 ? *tensor : fanin_tensor_rows(tensor, step->row_begin, step->row_end);
}

static fanin_status check_step(const fanin_program *program, uint64_t i, const fanin_tensor *parameters,
                               const fanin_generator *generator, fanin_error *error)
{
    fanin_layer_step step;
    fanin_program_step(program, i, &step);
    fanin_tensor target = target_of(program, &step, parameters);
    const char *kind = fanin_layer_kind_name(program->layer->kind);
    if (step.fill.kind != FANIN_FILL_CONSTANT && generator == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s draws random values and needs a generator", kind);
    fanin_status status = fanin_fill_check(&step.fill, &target, program->profile, error);
    if (status != FANIN_OK)
        fanin_fail_within(error, "%s", kind);
    return status;
}

/* A uniform fill in row-major order, whatever the strides. */
static void fill_row_major(const fanin_fill *fill, const fanin_tensor *tensor, fanin_generator *generator)
{
    fanin_chunk chunk;
    fanin_walk walk;
    fanin_walk_logical(tensor, &walk);
    for (int64_t done = 0; done < walk.nelem; done += FANIN_CHUNK) {
        int64_t n = walk.nelem - done < FANIN_CHUNK ? walk.nelem - done : FANIN_CHUNK;
        fanin_uniform_flat(tensor->dtype, &chunk, n, fill->value[0], fill->value[1], generator);
        fanin_walk_scatter(&walk, done, n, &chunk);
    }
}

static void copy(const fanin_tensor *from, const fanin_tensor *to)
{
    fanin_chunk chunk;
    fanin_walk source, target;
    fanin_walk_logical(from, &source);
    fanin_walk_logical(to, &target);
    for (int64_t done = 0; done < target.nelem; done += FANIN_CHUNK) {
        int64_t n = target.nelem - done < FANIN_CHUNK ? target.nelem - done : FANIN_CHUNK;
        fanin_walk_gather(&source, done, n, &chunk);
        fanin_walk_scatter(&target, done, n, &chunk);
    }
}

static fanin_status run_step(const fanin_program *program, uint64_t i, const fanin_tensor *parameters,
                             fanin_generator *generator, fanin_error *error)
{
    fanin_layer_step step;
    fanin_program_step(program, i, &step);
    fanin_tensor target = target_of(program, &step, parameters);
    if (step.parameter == SIZE_MAX) {
        fanin_fill_stream stream = {0};
        FANIN_TRY(fanin_fill_measure(&step.fill, &target, program->profile, &stream, error));
        if (stream.ndraws > 0)
            fanin_generator_skip(generator, stream.ndraws);
        return FANIN_OK;
    }
    if (step.copy_of_step >= 0) {
        fanin_layer_step source;
        fanin_program_step(program, (uint64_t)step.copy_of_step, &source);
        copy(&parameters[source.parameter], &target);
        return FANIN_OK;
    }
    if (fanin_program_slot(program, step.parameter)->is_drawn_contiguous && !fanin_tensor_is_contiguous(&target)) {
        fill_row_major(&step.fill, &target, generator);
        return FANIN_OK;
    }
    return fanin_fill_run(&step.fill, &target, generator, error);
}

fanin_status fanin_layer_init(const fanin_layer *layer, const fanin_tensor *parameters, size_t nparameters,
                              fanin_generator *generator, fanin_error *error)
{
    fanin_program program;
    FANIN_TRY(
        fanin_program_build(layer, generator != NULL ? generator->profile : FANIN_PROFILE_TORCH, &program, error));
    if (nparameters != program.nparameters)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "%s: %zu tensors for its %" PRIu64 " parameters and buffers",
                          fanin_layer_kind_name(layer->kind), nparameters, program.nparameters);
    for (uint64_t i = 0; i < program.nparameters; i++)
        FANIN_TRY(check_view(&program, &parameters[i], i, error));
    for (uint64_t i = 0; i < program.nsteps; i++)
        FANIN_TRY(check_step(&program, i, parameters, generator, error));
    for (uint64_t i = 0; i < program.nsteps; i++)
        FANIN_TRY(run_step(&program, i, parameters, generator, error));
    if (program.warning[0] != '\0')
        fanin_warn(error, "%s", program.warning);
    return FANIN_OK;
}

/* ---- one call each: the arguments are read off the shapes ---- */

static fanin_status require_ndim(const fanin_tensor *tensor, const char *name, int least, int most, fanin_error *error)
{
    fanin_clear(error);
    if (tensor->ndim < least || tensor->ndim > most)
        return fanin_fail(error, FANIN_ERROR_SHAPE, "%s has %" PRId32 " dimensions; it must have %d to %d", name,
                          tensor->ndim, least, most);
    return FANIN_OK;
}

/* A module of a weight and perhaps a bias. */
static fanin_status init_pair(fanin_layer *layer, const fanin_tensor *weight, const fanin_tensor *bias,
                              fanin_generator *generator, fanin_error *error)
{
    fanin_tensor parameters[2] = {*weight};
    if (bias != NULL)
        parameters[1] = *bias;
    layer->bias = bias != NULL;
    layer->dtype = weight->dtype;
    return fanin_layer_init(layer, parameters, bias != NULL ? 2 : 1, generator, error);
}

fanin_status fanin_linear(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                          fanin_error *error)
{
    fanin_layer layer = fanin_layer_default(FANIN_LAYER_LINEAR);
    FANIN_TRY(require_ndim(weight, "weight", 2, 2, error));
    layer.out_features = weight->shape[0];
    layer.in_features = weight->shape[1];
    return init_pair(&layer, weight, bias, generator, error);
}

fanin_status fanin_bilinear(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                            fanin_error *error)
{
    fanin_layer layer = fanin_layer_default(FANIN_LAYER_BILINEAR);
    FANIN_TRY(require_ndim(weight, "weight", 3, 3, error));
    layer.out_features = weight->shape[0];
    layer.in_features = weight->shape[1];
    layer.in2_features = weight->shape[2];
    return init_pair(&layer, weight, bias, generator, error);
}

static void read_kernel(fanin_layer *layer, const fanin_tensor *weight)
{
    for (int i = 2; i < weight->ndim; i++)
        layer->kernel_size[i - 2] = weight->shape[i];
}

/* Groups do not matter here: the fans are those of the stored shape. */
fanin_status fanin_conv(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                        fanin_error *error)
{
    FANIN_TRY(require_ndim(weight, "weight", 3, 5, error));
    fanin_layer layer = fanin_layer_default((fanin_layer_kind)(FANIN_LAYER_CONV1D + (weight->ndim - 3)));
    layer.out_channels = weight->shape[0];
    layer.in_channels = weight->shape[1];
    read_kernel(&layer, weight);
    return init_pair(&layer, weight, bias, generator, error);
}

/* With groups the bias is longer than the weight's second dimension: as many times as there are groups. */
fanin_status fanin_conv_transpose(const fanin_tensor *weight, const fanin_tensor *bias, fanin_generator *generator,
                                  fanin_error *error)
{
    FANIN_TRY(require_ndim(weight, "weight", 3, 5, error));
    fanin_layer layer = fanin_layer_default((fanin_layer_kind)(FANIN_LAYER_CONV_TRANSPOSE1D + (weight->ndim - 3)));
    layer.in_channels = weight->shape[0];
    layer.out_channels = weight->shape[1];
    if (bias != NULL && bias->ndim == 1 && weight->shape[1] > 0 && bias->shape[0] % weight->shape[1] == 0) {
        layer.out_channels = bias->shape[0];
        layer.groups = bias->shape[0] / weight->shape[1];
    }
    read_kernel(&layer, weight);
    return init_pair(&layer, weight, bias, generator, error);
}

fanin_status fanin_embedding(const fanin_tensor *weight, const int64_t *padding_idx, fanin_generator *generator,
                             fanin_error *error)
{
    fanin_layer layer = fanin_layer_default(FANIN_LAYER_EMBEDDING);
    FANIN_TRY(require_ndim(weight, "weight", 2, 2, error));
    layer.num_embeddings = weight->shape[0];
    layer.embedding_dim = weight->shape[1];
    layer.has_padding_idx = padding_idx != NULL;
    layer.padding_idx = padding_idx != NULL ? *padding_idx : 0;
    return init_pair(&layer, weight, NULL, generator, error);
}

fanin_status fanin_recurrent(const fanin_tensor *parameters, size_t nparameters, int64_t hidden_size,
                             fanin_generator *generator, fanin_error *error)
{
    fanin_clear(error);
    if (hidden_size < 1)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "hidden_size is %" PRId64 "; it must be 1 or more", hidden_size);
    if (generator == NULL)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT, "recurrent layers draw random values and need a generator");
    double bound = 1.0 / sqrt((double)hidden_size);
    const fanin_fill fill = {FANIN_FILL_UNIFORM, {-bound, bound}};
    for (size_t i = 0; i < nparameters; i++) {
        const fanin_tensor *tensor = &parameters[i];
        fanin_status status = fanin_fill_check(&fill, tensor, generator->profile, error);
        if (status == FANIN_OK && tensor->data == NULL && fanin_tensor_nelem(tensor) > 0)
            status = fanin_fail(error, FANIN_ERROR_ARGUMENT, "the tensor has no memory (its data is NULL)");
        if (status != FANIN_OK) {
            fanin_fail_within(error, "recurrent parameter %zu", i);
            return status;
        }
    }
    for (size_t i = 0; i < nparameters; i++)
        FANIN_TRY(fanin_fill_run(&fill, &parameters[i], generator, error));
    return FANIN_OK;
}
