/* SPDX-License-Identifier: MIT */
/*
 * Making programs and reading single parameters and steps out of them.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "init/layer_program.h"
#include "init/view.h"

/* ---- making ---- */

bool fanin_program_require(fanin_program *program, bool condition, const char *format, ...)
{
    if (program->status == FANIN_OK && !condition) {
        char text[sizeof program->error.message];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        program->status = fanin_fail(&program->error, FANIN_ERROR_ARGUMENT, "%s: %s",
                                     fanin_layer_kind_name(program->layer->kind), text);
    }
    return program->status == FANIN_OK;
}

void fanin_program_require_size(fanin_program *program, const char *name, int64_t value, int64_t least)
{
    fanin_program_require(program, value >= least, "%s is %" PRId64 "; it must be set to %" PRId64 " or more", name,
                          value, least);
}

/* After a call that filled program->error itself. */
static void keep(fanin_program *program, fanin_status status, const char *name)
{
    if (status == FANIN_OK)
        return;
    fanin_fail_within(&program->error, "%s: %s", fanin_layer_kind_name(program->layer->kind), name);
    program->status = status;
}

size_t fanin_program_section(fanin_program *program, const char *prefix, fanin_numbering numbering,
                             uint64_t first_number, uint64_t ncopies)
{
    fanin_section *section = &program->sections[program->nsections];
    *section = (fanin_section){.prefix = prefix,
                               .numbering = numbering,
                               .first_number = first_number,
                               .ncopies = ncopies,
                               .slot = program->nslots};
    return program->nsections++;
}

size_t fanin_program_phase(fanin_program *program, size_t section, uint64_t first_copy, uint64_t ncopies)
{
    fanin_phase *phase = &program->phases[program->nphases];
    *phase = (fanin_phase){.section = section, .first_copy = first_copy, .ncopies = ncopies, .draw = program->ndraws};
    return program->nphases++;
}

void fanin_program_once(fanin_program *program)
{
    fanin_program_phase(program, fanin_program_section(program, "", FANIN_NUMBER_NONE, 0, 1), 0, 1);
}

size_t fanin_program_add(fanin_program *program, fanin_slot_name name, int ndim, const int64_t *shape)
{
    fanin_slot *slot = &program->slots[program->nslots];
    *slot = (fanin_slot){.prefix = name.prefix, .name = name.name, .role = name.role};
    slot->view = fanin_tensor_nd(NULL, program->layer->dtype, ndim, shape);
    if (program->status == FANIN_OK)
        keep(program, fanin_view_check(&slot->view, true, &program->error), name.name);
    program->sections[program->nsections - 1].nslots++;
    return program->nslots++;
}

static fanin_draw *add_draw(fanin_program *program, size_t slot, fanin_fill fill)
{
    fanin_draw *draw = &program->draws[program->ndraws++];
    *draw = (fanin_draw){.slot = slot, .row_end = -1, .fill = fill, .copy_of = SIZE_MAX};
    program->phases[program->nphases - 1].ndraws++;
    return draw;
}

void fanin_program_constant(fanin_program *program, size_t slot, double value)
{
    add_draw(program, slot, (fanin_fill){FANIN_FILL_CONSTANT, {value}});
}

/* A bound of 0 is torch's integer 0, whose negative is 0 and not -0: from 2.12 on the lower bound is what comes out. */
void fanin_program_uniform(fanin_program *program, size_t slot, double bound)
{
    add_draw(program, slot, (fanin_fill){FANIN_FILL_UNIFORM, {bound > 0 ? -bound : 0.0, bound}});
}

void fanin_program_normal(fanin_program *program, size_t slot, double mean, double std)
{
    add_draw(program, slot, (fanin_fill){FANIN_FILL_NORMAL, {mean, std}});
}

void fanin_program_call(fanin_program *program, size_t slot, const fanin_initializer *initializer, const double *values)
{
    fanin_resolved resolved;
    if (program->status != FANIN_OK)
        return;
    keep(program, initializer->resolve(values, &program->slots[slot].view, &resolved, &program->error),
         program->slots[slot].name);
    if (program->status != FANIN_OK)
        return;
    add_draw(program, slot, resolved.fill);
    if (resolved.warning[0] != '\0')
        memcpy(program->warning, resolved.warning, sizeof program->warning);
}

void fanin_program_zero_rows(fanin_program *program, size_t slot, int64_t begin, int64_t end)
{
    fanin_draw *draw = add_draw(program, slot, (fanin_fill){FANIN_FILL_CONSTANT, {0.0}});
    draw->row_begin = begin;
    draw->row_end = end;
}

void fanin_program_repeat(fanin_program *program, size_t phase, size_t slot)
{
    size_t begin = program->phases[phase].draw, last = begin + program->phases[phase].ndraws;
    while (last-- > begin) {
        if (program->draws[last].slot != slot)
            continue;
        fanin_draw *draw = add_draw(program, slot, program->draws[last].fill);
        if (draw->fill.kind != FANIN_FILL_CONSTANT)
            draw->copy_of = last;
        return;
    }
}

/* ---- counting ---- */

fanin_status fanin_program_count(fanin_program *program)
{
    bool fits = true;
    for (size_t i = 0; i < program->nsections; i++) {
        fanin_section *section = &program->sections[i];
        uint64_t n;
        section->first_parameter = program->nparameters;
        fits = fits && fanin_checked_mul(section->ncopies, section->nslots, &n) &&
               fanin_checked_add(program->nparameters, n, &program->nparameters);
    }
    for (size_t i = 0; i < program->nphases; i++) {
        fanin_phase *phase = &program->phases[i];
        uint64_t n;
        phase->first_step = program->nsteps;
        fits = fits && fanin_checked_mul(phase->ncopies, phase->ndraws, &n) &&
               fanin_checked_add(program->nsteps, n, &program->nsteps);
    }
    fits = fits && program->nparameters < INT64_MAX && program->nsteps < INT64_MAX;
    fanin_program_require(program, fits, "so many layers cannot be counted");
    return program->status;
}

/* ---- reading ---- */

/* The section that has parameter i, and which copy of which slot it is. */
static const fanin_section *find(const fanin_program *program, uint64_t i, uint64_t *copy, size_t *slot)
{
    size_t s = program->nsections - 1;
    while (i < program->sections[s].first_parameter)
        s--;
    const fanin_section *section = &program->sections[s];
    *copy = (i - section->first_parameter) / section->nslots;
    *slot = section->slot + (size_t)((i - section->first_parameter) % section->nslots);
    return section;
}

const fanin_slot *fanin_program_slot(const fanin_program *program, uint64_t i)
{
    uint64_t copy;
    size_t slot;
    find(program, i, &copy, &slot);
    return &program->slots[slot];
}

static void write_name(const fanin_section *section, const fanin_slot *slot, uint64_t copy,
                       char name[FANIN_MAX_PARAMETER_NAME])
{
    uint64_t number = section->first_number + copy;
    switch (section->numbering) {
    case FANIN_NUMBER_NONE:
        snprintf(name, FANIN_MAX_PARAMETER_NAME, "%s%s%s", section->prefix, slot->prefix, slot->name);
        break;
    case FANIN_NUMBER_PREFIX:
        snprintf(name, FANIN_MAX_PARAMETER_NAME, "%s%" PRIu64 ".%s%s", section->prefix, number, slot->prefix,
                 slot->name);
        break;
    case FANIN_NUMBER_SUFFIX:
        snprintf(name, FANIN_MAX_PARAMETER_NAME, "%s_l%" PRIu64, slot->name, number);
        break;
    case FANIN_NUMBER_DIRECTIONS:
        snprintf(name, FANIN_MAX_PARAMETER_NAME, "%s_l%" PRIu64 "%s", slot->name, number / 2,
                 number % 2 != 0 ? "_reverse" : "");
        break;
    }
}

void fanin_program_parameter(const fanin_program *program, uint64_t i, fanin_layer_parameter *parameter)
{
    uint64_t copy;
    size_t index;
    const fanin_section *section = find(program, i, &copy, &index);
    const fanin_slot *slot = &program->slots[index];
    memset(parameter, 0, sizeof *parameter);
    write_name(section, slot, copy, parameter->name);
    parameter->dtype = slot->view.dtype;
    parameter->ndim = slot->view.ndim;
    memcpy(parameter->shape, slot->view.shape, sizeof parameter->shape);
    parameter->is_buffer = slot->is_buffer;
    parameter->layout = slot->layout;
    parameter->role = slot->role;
}

/* The step in which a draw is made for the first copy of its phase. */
static int64_t step_of(const fanin_program *program, size_t draw)
{
    size_t p = program->nphases - 1;
    while (draw < program->phases[p].draw)
        p--;
    return (int64_t)(program->phases[p].first_step + (draw - program->phases[p].draw));
}

void fanin_program_step(const fanin_program *program, uint64_t i, fanin_layer_step *step)
{
    size_t p = program->nphases - 1;
    while (i < program->phases[p].first_step || program->phases[p].ndraws == 0)
        p--;
    const fanin_phase *phase = &program->phases[p];
    const fanin_section *section = &program->sections[phase->section];
    const fanin_draw *draw = &program->draws[phase->draw + (size_t)((i - phase->first_step) % phase->ndraws)];
    uint64_t copy = phase->first_copy + (i - phase->first_step) / phase->ndraws;
    fanin_tensor view = program->slots[draw->slot].view;

    memset(step, 0, sizeof *step);
    step->parameter = SIZE_MAX;
    if (copy < section->ncopies)
        step->parameter = (size_t)(section->first_parameter + copy * section->nslots + (draw->slot - section->slot));
    step->row_begin = draw->row_begin;
    step->row_end = draw->row_end;
    if (draw->row_end >= 0)
        view = fanin_tensor_rows(&view, draw->row_begin, draw->row_end);
    step->nelem = fanin_tensor_nelem(&view);
    step->fill = draw->fill;
    step->copy_of_step = draw->copy_of != SIZE_MAX ? step_of(program, draw->copy_of) : -1;
}
