/* SPDX-License-Identifier: MIT */
/*
 * From a model and its rules to a plan: the fills that they come to, in the order in which they draw.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "plan/assignment.h"

struct builder {
    fanin_plan *plan;
    const fanin_model *model;
    fanin_dtype dtype;
    fanin_assignment rules;
    fanin_position position;
    fanin_error *error;
};

static fanin_status keep(struct builder *b, const char *text, const char **kept)
{
    *kept = fanin_arena_text(&b->plan->arena, text, strlen(text));
    return *kept != NULL ? FANIN_OK : fanin_fail_memory(b->error, strlen(text) + 1);
}

/* ---- tensors ---- */

/* Only the dtypes that have random fills are ever changed. */
static fanin_dtype dtype_of(const struct builder *b, fanin_dtype described)
{
    return b->dtype != FANIN_DTYPE_NONE && fanin_dtype_is_random(described) ? b->dtype : described;
}

static fanin_status add_tensors(struct builder *b)
{
    fanin_plan *plan = b->plan;
    const fanin_model *model = b->model;
    plan->ntensors = model->count;
    plan->tensors = fanin_allocate_zeroed(model->count, sizeof *plan->tensors);
    if (plan->tensors == NULL)
        return fanin_fail_memory(b->error, (uint64_t)model->count * sizeof *plan->tensors);
    for (size_t i = 0; i < model->count; i++) {
        const fanin_model_tensor *tensor = &model->entries[i].tensor;
        fanin_plan_tensor *made = &plan->tensors[i];
        FANIN_TRY(keep(b, tensor->name, &made->name));
        fanin_tensor view = fanin_tensor_nd(NULL, dtype_of(b, tensor->dtype), tensor->ndim, tensor->shape);
        if (fanin_plan_tensor_set_view(plan, made, &view, b->error) != FANIN_OK) {
            fanin_status status = b->error->status;
            fanin_fail_within(b->error, "%s: tensor \"%.200s\"", tensor->where, tensor->name);
            return b->error->status = status;
        }
        if (tensor->tied_to == NULL) {
            const fanin_storage storage = {.dtype = made->dtype, .nelem = (int64_t)made->nelem, .tensor = i};
            made->storage = plan->nstorages;
            FANIN_TRY(fanin_plan_add_storage(plan, &storage, b->error));
        }
    }
    for (size_t i = 0; i < model->count; i++) {
        size_t target = model->entries[i].tied;
        if (target != SIZE_MAX) {
            plan->tensors[i].tied_to = plan->tensors[target].name;
            plan->tensors[i].storage = plan->tensors[target].storage;
        }
    }
    return fanin_plan_index_names(plan, b->error);
}

/* ---- ops ---- */

static fanin_plan_op op_of_view(size_t tensor, const fanin_tensor *view)
{
    return (fanin_plan_op){.tensor = tensor,
                           .view = *view,
                           .cached_at = FANIN_NO_POSITION,
                           .fan_in = -1,
                           .fan_out = -1,
                           .gain = NAN,
                           .std = NAN,
                           .bound = NAN};
}

/* Rows [begin, end) of a tensor as an op without a fill; all of it for end -1. */
static fanin_plan_op begin_op(const struct builder *b, size_t tensor, int64_t begin, int64_t end)
{
    const fanin_plan_tensor *target = &b->plan->tensors[tensor];
    fanin_tensor whole = fanin_tensor_nd(NULL, target->dtype, target->ndim, target->shape);
    fanin_plan_op op = op_of_view(tensor, &whole);
    op.storage = target->storage;
    if (end >= 0) {
        op.offset = target->nelem > 0 ? begin * whole.strides[0] : 0; /* rows of nothing all begin at 0 */
        op.view = fanin_tensor_rows(&whole, begin, end);
    }
    return op;
}

static fanin_status fail_for_tensor(struct builder *b, const char *where, size_t tensor)
{
    fanin_status status = b->error->status;
    const char *name = tensor != SIZE_MAX ? b->plan->tensors[tensor].name : "thrown away";
    fanin_fail_within(b->error, "%s: tensor \"%.200s\"", where, name);
    return b->error->status = status;
}

static fanin_status place_op(struct builder *b, const char *where, fanin_plan_op *op)
{
    if (fanin_position_pass(&b->position, b->plan->profile, op, b->error) != FANIN_OK)
        return fail_for_tensor(b, where, op->tensor);
    return fanin_plan_add_op(b->plan, op, b->error);
}

static fanin_status add_call(struct builder *b, const fanin_active_rule *active, size_t tensor, int64_t begin,
                             int64_t end, const char *part)
{
    const fanin_model_tensor *described = &b->model->entries[tensor].tensor;
    fanin_plan_op op = begin_op(b, tensor, begin, end);
    fanin_tensor view = op.view;
    fanin_resolved resolved;
    view.layout = described->layout;
    view.groups = described->groups;
    if (fanin_call_resolve(&active->call, &view, &resolved, b->error) != FANIN_OK)
        return fail_for_tensor(b, active->rule->where, tensor);
    if (resolved.warning[0] != '\0')
        FANIN_TRY(fanin_plan_warn(b->plan, b->error, "%s: tensor \"%.200s\": %s", active->rule->where, described->name,
                                  resolved.warning));
    op.fill = resolved.fill;
    op.initializer = active->text;
    op.part = part;
    op.where = active->where;
    op.fan_in = resolved.fan_in;
    op.fan_out = resolved.fan_out;
    op.gain = resolved.gain;
    op.std = resolved.std;
    op.bound = resolved.bound;
    return place_op(b, active->rule->where, &op);
}

static fanin_status add_gate(struct builder *b, const fanin_active_rule *active, size_t tensor,
                             const fanin_claims *claims, size_t gate)
{
    int64_t height = b->plan->tensors[tensor].shape[0] / (int64_t)claims->ngates;
    size_t nbytes;
    const char *name = fanin_gate_at(claims->gates, gate, &nbytes);
    const char *part = fanin_arena_format(&b->plan->arena, "gate %.*s", (int)nbytes, name);
    if (part == NULL)
        return fanin_fail_memory(b->error, nbytes);
    return add_call(b, active, tensor, (int64_t)gate * height, (int64_t)(gate + 1) * height, part);
}

/* The fills that the rules, but for torch_default, come to: the whole, then gates in their order, then rows. */
static fanin_status add_rules(struct builder *b, size_t tensor)
{
    const fanin_claims *claims = &b->rules.claims[tensor];
    const fanin_active_rule *base = claims->base;
    bool by_gate = base != NULL && base->rule->per_gate && claims->ngates > 0;
    if (base != NULL && !by_gate && !base->rule->torch_default)
        FANIN_TRY(add_call(b, base, tensor, 0, -1, NULL));
    for (size_t g = 0; g < claims->ngates; g++) {
        const fanin_active_rule *active = claims->gate[g] != NULL ? claims->gate[g] : by_gate ? base : NULL;
        if (active != NULL)
            FANIN_TRY(add_gate(b, active, tensor, claims, g));
    }
    for (const fanin_row_claim *row = claims->rows; row != NULL; row = row->next) {
        const char *part = fanin_arena_format(&b->plan->arena, "row %lld", (long long)row->row);
        if (part == NULL)
            return fanin_fail_memory(b->error, 32);
        FANIN_TRY(add_call(b, row->active, tensor, row->row, row->row + 1, part));
    }
    return FANIN_OK;
}

/* ---- constructors ---- */

/* One layer's constructor while its steps become ops. */
struct construction {
    const fanin_model_layer *layer;
    const char *where; /* without the folder */
    fanin_layer_step *steps;
    size_t nsteps;
    size_t *ops; /* of each step; SIZE_MAX: none yet */
    /* Steps by parameter: those of p are sorted[first[p] .. first[p + 1] - 1]. */
    size_t *sorted;
    size_t *first;
};

static void explain_fill(fanin_plan_op *op)
{
    const double *value = op->fill.value;
    op->initializer = "torch_default";
    if (op->fill.kind == FANIN_FILL_CONSTANT) {
        op->std = 0;
    } else if (op->fill.kind == FANIN_FILL_UNIFORM) {
        op->bound = fmax(fabs(value[0]), fabs(value[1]));
        op->std = (value[1] - value[0]) / sqrt(12.0);
    } else if (op->fill.kind == FANIN_FILL_NORMAL) {
        op->std = value[1];
    }
}

static bool is_default(const struct builder *b, size_t entry)
{
    return b->rules.claims[entry].base != NULL && b->rules.claims[entry].base->rule->torch_default;
}

/* The first step of the chain of copies that a step ends. */
static size_t source_of(const struct construction *c, size_t step)
{
    while (c->steps[step].copy_of_step >= 0)
        step = (size_t)c->steps[step].copy_of_step;
    return step;
}

/*
 * A copy draws nothing: it is the fill of its source at its source's position. Where a rule keeps the source from being
 * made, the first copy draws in its place and the others copy that one.
 */
static fanin_status add_step(struct builder *b, struct construction *c, size_t index)
{
    const fanin_layer_step *step = &c->steps[index];
    size_t source = source_of(c, index);
    size_t tensor = c->layer->first + step->parameter;
    bool by_rule = is_default(b, tensor);
    const char *where = by_rule ? b->rules.claims[tensor].base->rule->where : c->layer->where;
    fanin_plan_op op = begin_op(b, tensor, step->row_begin, step->row_end);
    op.fill = c->steps[source].fill;
    op.where = by_rule ? b->rules.claims[tensor].base->where : c->where;
    explain_fill(&op);
    if (step->row_end >= 0) {
        op.part = step->row_end == step->row_begin + 1
                      ? fanin_arena_format(&b->plan->arena, "row %lld", (long long)step->row_begin)
                      : fanin_arena_format(&b->plan->arena, "rows %lld to %lld", (long long)step->row_begin,
                                           (long long)step->row_end - 1);
        if (op.part == NULL)
            return fanin_fail_memory(b->error, 64);
    }
    if (c->ops[source] == SIZE_MAX) {
        c->ops[source] = b->plan->nops;
        return place_op(b, where, &op);
    }
    const fanin_plan_op *made = &b->plan->ops[c->ops[source]];
    op.at = made->at;
    op.ndraws = made->ndraws;
    op.cached_at = made->cached_at;
    op.barriers = made->barriers;
    return fanin_plan_add_op(b->plan, &op, b->error);
}

/* What torch draws for a layer that it then copies no times: only the draws are left of it. */
static fanin_status add_thrown_away(struct builder *b, const struct construction *c, const fanin_layer_step *step)
{
    const fanin_storage storage = {
        .dtype = dtype_of(b, c->layer->layer.dtype), .nelem = step->nelem, .tensor = SIZE_MAX};
    fanin_tensor view = fanin_tensor_1d(NULL, storage.dtype, storage.nelem);
    fanin_plan_op op = op_of_view(SIZE_MAX, &view);
    if (!fanin_fill_kind_draws(step->fill.kind))
        return FANIN_OK;
    op.fill = step->fill;
    op.where = c->where;
    explain_fill(&op);
    FANIN_TRY(fanin_plan_add_storage(b->plan, &storage, b->error));
    op.storage = b->plan->nstorages - 1;
    return place_op(b, c->layer->where, &op);
}

static void end_construction(struct construction *c)
{
    fanin_free(c->steps);
    fanin_free(c->ops);
    fanin_free(c->sorted);
    fanin_free(c->first);
}

static void sort_steps(struct construction *c)
{
    for (size_t i = 0; i < c->nsteps; i++)
        if (c->steps[i].parameter != SIZE_MAX)
            c->first[c->steps[i].parameter + 2]++;
    for (size_t p = 2; p < c->layer->count + 2; p++)
        c->first[p] += c->first[p - 1];
    for (size_t i = 0; i < c->nsteps; i++)
        if (c->steps[i].parameter != SIZE_MAX)
            c->sorted[c->first[c->steps[i].parameter + 1]++] = i;
}

static fanin_status begin_construction(struct builder *b, const fanin_model_layer *layer, struct construction *c)
{
    *c = (struct construction){.layer = layer};
    FANIN_TRY(fanin_place_keep(b->plan, layer->where, &c->where, b->error));
    FANIN_TRY(fanin_layer_step_count(&layer->layer, &c->nsteps, b->error));
    c->steps = fanin_allocate_zeroed(c->nsteps, sizeof *c->steps);
    c->ops = fanin_allocate(c->nsteps, sizeof *c->ops);
    c->sorted = fanin_allocate(c->nsteps, sizeof *c->sorted);
    c->first = fanin_allocate_zeroed(layer->count + 2, sizeof *c->first);
    fanin_status status = FANIN_OK;
    if (c->steps == NULL || c->ops == NULL || c->sorted == NULL || c->first == NULL)
        status = fanin_fail_memory(b->error, (uint64_t)c->nsteps * sizeof *c->steps);
    for (size_t i = 0; i < c->nsteps && status == FANIN_OK; i++) {
        status = fanin_layer_step_at(&layer->layer, i, &c->steps[i], b->error);
        c->ops[i] = SIZE_MAX;
    }
    if (status == FANIN_OK)
        sort_steps(c);
    else
        end_construction(c);
    return status;
}

/* Whether of the steps of its parameter, of which this is one, a later one writes all that it does. */
static bool is_overwritten(const struct construction *c, size_t at, size_t end)
{
    const fanin_layer_step *step = &c->steps[c->sorted[at]];
    for (size_t i = at + 1; i < end; i++) {
        const fanin_layer_step *later = &c->steps[c->sorted[i]];
        if (later->row_end < 0 ||
            (step->row_end >= 0 && later->row_begin <= step->row_begin && later->row_end >= step->row_end))
            return true;
    }
    return false;
}

/* The constructor as torch runs it, dead draws and all; `only_default`: but for buffers that other rules fill. */
static fanin_status add_constructor(struct builder *b, const fanin_model_layer *layer, bool only_default)
{
    struct construction c;
    FANIN_TRY(begin_construction(b, layer, &c));
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < c.nsteps && status == FANIN_OK; i++) {
        if (c.steps[i].parameter == SIZE_MAX)
            status = add_thrown_away(b, &c, &c.steps[i]);
        else if (!only_default || is_default(b, layer->first + c.steps[i].parameter))
            status = add_step(b, &c, i);
    }
    end_construction(&c);
    return status;
}

/* A layer of which rules fill a part: tensor by tensor, of the constructor only what lasts. */
static fanin_status add_mixed(struct builder *b, const fanin_model_layer *layer)
{
    struct construction c;
    FANIN_TRY(begin_construction(b, layer, &c));
    fanin_status status = FANIN_OK;
    for (size_t p = 0; p < layer->count && status == FANIN_OK; p++) {
        size_t end = is_default(b, layer->first + p) ? c.first[p + 1] : c.first[p];
        for (size_t i = c.first[p]; i < end && status == FANIN_OK; i++)
            if (!is_overwritten(&c, i, end))
                status = add_step(b, &c, c.sorted[i]);
        if (status == FANIN_OK)
            status = add_rules(b, layer->first + p);
    }
    end_construction(&c);
    return status;
}

static fanin_status add_layer(struct builder *b, const fanin_model_layer *layer)
{
    size_t ndefault = 0;
    bool all = true; /* parameters; a buffer that a rule fills leaves the constructor what it is */
    for (size_t i = layer->first; i < layer->first + layer->count; i++) {
        ndefault += is_default(b, i);
        all = all && (b->model->entries[i].is_buffer || is_default(b, i));
    }
    if (!all && ndefault > 0)
        return add_mixed(b, layer);
    if (all)
        FANIN_TRY(add_constructor(b, layer, true));
    for (size_t i = layer->first; i < layer->first + layer->count; i++)
        FANIN_TRY(add_rules(b, i));
    return FANIN_OK;
}

static fanin_status add_ops(struct builder *b)
{
    const fanin_model *model = b->model;
    for (size_t l = 0; model->construct && l < model->nlayers; l++)
        FANIN_TRY(add_constructor(b, &model->layers[l], false));
    /* A layer without parameters stands between the entries; it may draw all the same. */
    for (size_t i = 0, l = 0; i < model->count || l < model->nlayers;) {
        if (!model->construct && l < model->nlayers && model->layers[l].first == i) {
            FANIN_TRY(add_layer(b, &model->layers[l]));
            i += model->layers[l++].count;
        } else if (i < model->count) {
            FANIN_TRY(add_rules(b, i++));
        } else {
            break;
        }
    }
    b->plan->ndraws = b->position.at;
    return FANIN_OK;
}

/* ---- the whole ---- */

static fanin_status read_options(struct builder *b, const fanin_plan_options *options)
{
    b->plan->profile = FANIN_PROFILE_TORCH;
    if (options == NULL)
        return FANIN_OK;
    if (options->size < sizeof *options)
        return fanin_fail(b->error, FANIN_ERROR_ARGUMENT, "fanin_plan_options.size must be sizeof(fanin_plan_options)");
    if (options->profile != 0)
        b->plan->profile = options->profile;
    if (strcmp(fanin_profile_name(b->plan->profile), "unknown") == 0)
        return fanin_fail(b->error, FANIN_ERROR_ARGUMENT,
                          "there is no profile %u; fanin_profile_parse knows them by name", (unsigned)options->profile);
    b->dtype = options->dtype;
    if (b->dtype != FANIN_DTYPE_NONE && !fanin_dtype_is_random(b->dtype))
        return fanin_fail(b->error, FANIN_ERROR_DTYPE, "weights can be made as f64, f32, bf16 or f16, not as %s",
                          fanin_dtype_name(b->dtype));
    return FANIN_OK;
}

static fanin_status build(struct builder *b, const fanin_recipe *recipe, const fanin_plan_options *options)
{
    FANIN_TRY(read_options(b, options));
    if (b->model->family != NULL)
        FANIN_TRY(keep(b, b->model->family, &b->plan->family));
    FANIN_TRY(fanin_plan_warn_of_family(b->plan, b->error));
    b->rules = (fanin_assignment){.model = b->model, .plan = b->plan, .error = b->error};
    FANIN_TRY(fanin_assignment_make(&b->rules, recipe));
    FANIN_TRY(add_tensors(b));
    FANIN_TRY(add_ops(b));
    return fanin_plan_mark_dead(b->plan, b->error);
}

fanin_status fanin_plan_create(const fanin_model *model, const fanin_recipe *recipe, const fanin_plan_options *options,
                               fanin_plan **plan, fanin_error *error)
{
    fanin_error own;
    struct builder b = {.model = model, .error = error != NULL ? error : &own};
    fanin_clear(b.error);
    *plan = NULL;
    b.plan = fanin_allocate_zeroed(1, sizeof *b.plan);
    fanin_status status = b.plan != NULL ? build(&b, recipe, options) : fanin_fail_memory(b.error, sizeof *b.plan);
    fanin_assignment_end(&b.rules);
    if (status == FANIN_OK) {
        fanin_clear(b.error);
        *plan = b.plan;
    } else {
        fanin_plan_free(b.plan);
    }
    return status;
}
