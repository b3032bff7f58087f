/* SPDX-License-Identifier: MIT */
/*
 * Recurrent modules and their cells: every parameter is U(+-1/sqrt(hidden_size)), in the order of the list.
 */
#include <inttypes.h>
#include <math.h>

#include "init/layer_program.h"

/* The parameters of one layer in one direction; each name is its role as well. */
static void add_layer(fanin_program *program, int64_t rows, int64_t input_size, int64_t output_size)
{
    const fanin_layer *layer = program->layer;
    const struct {
        const char *name;
        bool is_there;
        int ndim;
        int64_t shape[2];
    } parameters[] = {
        {"weight_ih", true, 2, {rows, input_size}},
        {"weight_hh", true, 2, {rows, output_size}},
        {"bias_ih", layer->bias, 1, {rows}},
        {"bias_hh", layer->bias, 1, {rows}},
        {"weight_hr", output_size != layer->hidden_size, 2, {output_size, layer->hidden_size}},
    };
    double bound = layer->hidden_size > 0 ? 1.0 / sqrt((double)layer->hidden_size) : 0;
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        const char *name = parameters[i].name;
        if (parameters[i].is_there)
            fanin_program_uniform(
                program,
                fanin_program_add(program, (fanin_slot_name){"", name, name}, parameters[i].ndim, parameters[i].shape),
                bound);
    }
}

/* gates * hidden_size: the rows of every weight; 0 after an error. */
static int64_t gate_rows(fanin_program *program, int gates)
{
    int64_t hidden_size = program->layer->hidden_size;
    return fanin_program_require(program, hidden_size <= INT64_MAX / 4, "hidden_size %" PRId64 " is too large",
                                 hidden_size)
               ? gates * hidden_size
               : 0;
}

void fanin_describe_recurrent(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    uint64_t ndirections = layer->bidirectional ? 2 : 1;
    fanin_numbering numbering = layer->bidirectional ? FANIN_NUMBER_DIRECTIONS : FANIN_NUMBER_SUFFIX;
    fanin_program_require_size(program, "input_size", layer->input_size, 1);
    fanin_program_require_size(program, "hidden_size", layer->hidden_size, 1);
    fanin_program_require_size(program, "num_layers", layer->num_layers, 1);
    fanin_program_require_size(program, "proj_size", layer->proj_size, 0);
    fanin_program_require(program, layer->proj_size == 0 || layer->kind == FANIN_LAYER_LSTM,
                          "proj_size is %" PRId64 "; only an lstm has projections", layer->proj_size);
    fanin_program_require(program, layer->proj_size < layer->hidden_size,
                          "proj_size (%" PRId64 ") must be smaller than hidden_size (%" PRId64 ")", layer->proj_size,
                          layer->hidden_size);
    int64_t rows = gate_rows(program, program->variant);
    if (program->status != FANIN_OK)
        return;
    int64_t output_size = layer->proj_size > 0 ? layer->proj_size : layer->hidden_size;
    fanin_program_phase(program, fanin_program_section(program, "", numbering, 0, ndirections), 0, ndirections);
    add_layer(program, rows, layer->input_size, output_size);
    if (layer->num_layers > 1) {
        uint64_t ncopies = ((uint64_t)layer->num_layers - 1) * ndirections;
        fanin_program_phase(program, fanin_program_section(program, "", numbering, ndirections, ncopies), 0, ncopies);
        add_layer(program, rows, output_size * (int64_t)ndirections, output_size);
    }
}

void fanin_describe_cell(fanin_program *program)
{
    const fanin_layer *layer = program->layer;
    fanin_program_require_size(program, "input_size", layer->input_size, 0);
    fanin_program_require_size(program, "hidden_size", layer->hidden_size, 0);
    int64_t rows = gate_rows(program, program->variant);
    fanin_program_once(program);
    add_layer(program, rows, layer->input_size, layer->hidden_size);
}
