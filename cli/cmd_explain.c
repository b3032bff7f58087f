/* SPDX-License-Identifier: MIT */
/*
 * fanin explain: one initializer, or one tensor of a description - the formula, its numbers for this shape, where they
 * come from, and when it is the right choice - or one check of `fanin check`.
 */
#include "choices.h"
#include "explain_check.h"
#include "json_output.h"
#include "option.h"
#include "source.h"
#include "suggest.h"
#include "terminal.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Where the text of a field begins. */
#define INDENT 13

/* Adds "name value" with a separator; NaN is a number that plays no part. */
static void add_number(char *text, size_t nbytes, const char *name, double value)
{
    short_text number;
    size_t used = strlen(text);
    if (!isnan(value) && used < nbytes)
        snprintf(text + used, nbytes - used, "%s%s %s", used == 0 ? "" : ", ", name, format_number(value, number));
}

static void print_law(int64_t fan_in, int64_t fan_out, double gain, double std, double bound)
{
    const struct {
        const char *label;
        double value;
    } numbers[] = {{"gain", gain}, {"std", std}, {"bound", bound}};
    if (fan_in >= 0)
        print_field("fans", INDENT, "in %" PRId64 ", out %" PRId64, fan_in, fan_out);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        short_text number;
        if (!isnan(numbers[i].value))
            print_field(numbers[i].label, INDENT, "%s", format_number(numbers[i].value, number));
    }
}

static void print_fill(const fanin_fill *fill)
{
    char text[256] = "";
    for (size_t i = 0; i < fanin_fill_nvalues(fill->kind); i++)
        add_number(text, sizeof text, fanin_fill_value_name(fill->kind, i), fill->value[i]);
    print_field("fill", INDENT, "%s%s%s", fanin_fill_kind_name(fill->kind), text[0] != '\0' ? ": " : "", text);
}

static void format_draws(char *text, size_t nbytes, uint64_t ndraws, bool data_dependent)
{
    if (ndraws == 0)
        snprintf(text, nbytes, "none");
    else
        snprintf(text, nbytes, "%" PRIu64 " of 32 bits%s", ndraws,
                 data_dependent ? " a round; the seed tells how many rounds" : "");
}

static void print_catalogue(const fanin_initializer *of)
{
    print_field("formula", INDENT, "%s", of->formula);
    print_field("source", INDENT, "%s", of->reference);
    print_field("use it", INDENT, "%s", of->advice);
}

static void print_choices(const char *initializer)
{
    const char *heading = "\nusual for\n";
    for (size_t i = 0; i < choice_count(); i++) {
        const choice *one = choice_at(i);
        if (!choice_names(one, initializer))
            continue;
        fputs(heading, stdout);
        heading = "";
        printf("  %s\n", one->place);
        print_field("", 6, "%s", one->write);
        print_field("", 6, "%s", one->reason);
    }
}

static void print_parameters(const fanin_call *call)
{
    for (size_t i = 0; call->initializer->parameters[i].name != NULL; i++) {
        const fanin_parameter *parameter = &call->initializer->parameters[i];
        short_text number;
        const char *value = format_number(call->values[i], number);
        if (parameter->kind == FANIN_PARAMETER_MODE)
            value = call->values[i] == FANIN_FAN_OUT ? "fan_out" : "fan_in";
        else if (parameter->kind == FANIN_PARAMETER_NONLINEARITY)
            value = fanin_nonlinearity_name((fanin_nonlinearity)call->values[i]);
        print_field(i == 0 ? "parameters" : "", INDENT, "%s = %s: %s", parameter->name, value, parameter->help);
    }
}

static void json_law(json_output *json, int64_t fan_in, int64_t fan_out, double gain, double std, double bound)
{
    if (fan_in >= 0) {
        json_i64(json, "fan_in", fan_in);
        json_i64(json, "fan_out", fan_out);
    }
    json_number(json, "gain", gain);
    json_number(json, "std", std);
    json_number(json, "bound", bound);
}

static void json_fill(json_output *json, const fanin_fill *fill)
{
    json_begin(json, "fill", '{');
    json_string(json, "kind", fanin_fill_kind_name(fill->kind));
    for (size_t i = 0; i < fanin_fill_nvalues(fill->kind); i++)
        json_number(json, fanin_fill_value_name(fill->kind, i), fill->value[i]);
    json_end(json, '}');
}

static void json_catalogue(json_output *json, const fanin_initializer *of)
{
    json_string(json, "formula", of->formula);
    json_string(json, "reference", of->reference);
    json_string(json, "advice", of->advice);
    json_begin(json, "choices", '[');
    for (size_t i = 0; i < choice_count(); i++) {
        const choice *one = choice_at(i);
        if (!choice_names(one, of->name))
            continue;
        json_begin(json, NULL, '{');
        json_string(json, "place", one->place);
        json_string(json, "write", one->write);
        json_string(json, "reason", one->reason);
        json_end(json, '}');
    }
    json_end(json, ']');
}

/* -- One initializer ----------------------------------------------------------------------------------------------- */

static void print_initializer_json(const fanin_call *call, const char *text, const fanin_tensor *tensor,
                                   const fanin_resolved *resolved, const fanin_fill_stream *stream)
{
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "explain");
    json_string(&json, "initializer", text);
    json_catalogue(&json, call->initializer);
    if (resolved != NULL) {
        json_shape(&json, "shape", tensor->shape, tensor->ndim);
        json_string(&json, "dtype", fanin_dtype_name(tensor->dtype));
        json_law(&json, resolved->fan_in, resolved->fan_out, resolved->gain, resolved->std, resolved->bound);
        json_fill(&json, &resolved->fill);
        json_u64_string(&json, "ndraws", stream->ndraws);
        json_bool(&json, "data_dependent", stream->data_dependent);
    }
    json_end(&json, '}');
}

static int explain_initializer(const settings *given)
{
    fanin_error error;
    fanin_call call;
    const char *text = given->operands.items[0];
    const fanin_initializer *bare = fanin_initializer_find(text);
    /* A bare name may lack required values: its formula can be told all the same. */
    fanin_status status =
        bare != NULL ? fanin_call_begin(text, &call, &error) : fanin_call_parse(text, NULL, 0, &call, &error);
    if (status == FANIN_OK && given->shape.given)
        status = fanin_call_finish(&call, &error);
    if (status != FANIN_OK)
        return fail_with(&error);
    char call_text[512];
    if (bare != NULL && fanin_call_finish(&call, NULL) != FANIN_OK)
        snprintf(call_text, sizeof call_text, "%s", bare->name);
    else
        fanin_call_format(&call, call_text, sizeof call_text);
    fanin_tensor tensor = fanin_tensor_nd(NULL, given->dtype == FANIN_DTYPE_NONE ? FANIN_F32 : given->dtype,
                                          given->shape.ndim, given->shape.dims);
    tensor.layout = given->layout;
    tensor.groups = (int32_t)given->groups.value;
    fanin_profile profile = given->profile != 0 ? given->profile : FANIN_PROFILE_TORCH;
    fanin_resolved resolved;
    fanin_fill_stream stream = {0};
    if (given->shape.given && (fanin_call_resolve(&call, &tensor, &resolved, &error) != FANIN_OK ||
                               fanin_fill_check(&resolved.fill, &tensor, profile, &error) != FANIN_OK ||
                               fanin_fill_measure(&resolved.fill, &tensor, profile, &stream, &error) != FANIN_OK))
        return fail_with(&error);
    if (given->json) {
        print_initializer_json(&call, call_text, &tensor, given->shape.given ? &resolved : NULL, &stream);
        return EXIT_OK;
    }
    char shape[SHAPE_NBYTES], draws[96];
    if (given->shape.given)
        printf("%s on %s %s\n\n", call_text, format_shape(tensor.shape, tensor.ndim, shape),
               fanin_dtype_name(tensor.dtype));
    else
        printf("%s\n\n", call_text);
    print_catalogue(call.initializer);
    print_parameters(&call);
    if (given->shape.given) {
        putchar('\n');
        print_law(resolved.fan_in, resolved.fan_out, resolved.gain, resolved.std, resolved.bound);
        print_fill(&resolved.fill);
        format_draws(draws, sizeof draws, stream.ndraws, stream.data_dependent);
        print_field("draws", INDENT, "%s", draws);
        if (resolved.warning[0] != '\0')
            print_field("torch warns", INDENT, "%s", resolved.warning);
        const char *note = exactness_note(resolved.fill.kind, tensor.dtype, profile);
        if (note != NULL)
            print_field("note", INDENT, "%s", note);
    }
    print_choices(call.initializer->name);
    return EXIT_OK;
}

/* -- One tensor ---------------------------------------------------------------------------------------------------- */

static const fanin_model_tensor *find_model_tensor(const fanin_model *model, const char *name)
{
    for (size_t i = 0; i < fanin_model_tensor_count(model); i++) {
        if (strcmp(fanin_model_tensor_at(model, i)->name, name) == 0)
            return fanin_model_tensor_at(model, i);
    }
    return NULL;
}

/* The catalogue's row for the call that an op came from; NULL for torch_default, which stands for a constructor. */
static const fanin_initializer *find_initializer(const fanin_plan_op *op)
{
    char name[64];
    if (op->initializer == NULL)
        return fanin_initializer_find(fanin_fill_kind_name(op->fill.kind));
    snprintf(name, sizeof name, "%.*s", (int)strcspn(op->initializer, "("), op->initializer);
    return fanin_initializer_find(name);
}

static int fail_unknown_tensor(const source *from, const char *name)
{
    suggestion nearest = {.wanted = name};
    for (size_t i = 0; i < fanin_plan_tensor_count(from->plan); i++)
        suggest_consider(&nearest, fanin_plan_tensor_at(from->plan, i)->name);
    char meant[SUGGESTION_NBYTES];
    print_error("%s has no tensor %s%s ('fanin plan %s' lists them)", from->name, name,
                suggest_text(&nearest, "", meant), from->name);
    return EXIT_USAGE;
}

/* Names that share the storage, and tensors whose values are made from the same draws. */
static void print_shared(const fanin_plan *plan, size_t tensor)
{
    const char *name = fanin_plan_tensor_at(plan, tensor)->name;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const char *tied_to = fanin_plan_tensor_at(plan, i)->tied_to;
        if (tied_to != NULL && strcmp(tied_to, name) == 0)
            print_field("shared by", INDENT, "%s (the same storage)", fanin_plan_tensor_at(plan, i)->name);
    }
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->storage != fanin_plan_tensor_at(plan, tensor)->storage || op->dead || op->ndraws == 0)
            continue;
        for (size_t j = 0; j < fanin_plan_op_count(plan); j++) {
            const fanin_plan_op *other = fanin_plan_op_at(plan, j);
            if (!other->dead && other->storage != op->storage && other->tensor != SIZE_MAX && other->ndraws > 0 &&
                other->at == op->at && other->stream == op->stream && other->barriers == op->barriers)
                print_field("copied in", INDENT, "%s (the same draws)",
                            fanin_plan_tensor_at(plan, other->tensor)->name);
        }
    }
}

/* Of recorded plans: what is written is not made by an initializer. */
static void print_deed(const fanin_plan *plan, const fanin_plan_op *op)
{
    short_text size;
    char shape[SHAPE_NBYTES], deed[DEED_NBYTES];
    if (op->kind == FANIN_OP_LITERAL)
        print_field("literal", INDENT, "%s of values that the recording carries",
                    format_bytes(fanin_plan_literal_at(plan, op->literal)->nbytes, size));
    else if (op->kind == FANIN_OP_UNKNOWN)
        print_field("not known", INDENT, "%s", op->unknown);
    else
        print_field(op->kind == FANIN_OP_COPY   ? "copy"
                    : op->kind == FANIN_OP_CAST ? "cast"
                    : op->kind == FANIN_OP_NORM ? "norm"
                    : op->kind == FANIN_OP_QR   ? "qr"
                                                : "function",
                    INDENT, "%s, %s %s from element %" PRId64 " on, as it is then", format_deed(plan, op, deed),
                    format_shape(op->source->view.shape, op->source->view.ndim, shape),
                    fanin_dtype_name(op->source->view.dtype), op->source->offset);
}

/* `told` is the initializer that was explained last: the gates of one weight need it once. */
static void print_op(const fanin_plan *plan, const fanin_plan_op *op, const fanin_initializer **told)
{
    char draws[96], position[160] = "";
    format_draws(draws, sizeof draws, op->ndraws, op->data_dependent);
    if (op->ndraws > 0)
        snprintf(position, sizeof position, ", the first at %" PRIu64 "%s%s", op->at,
                 op->barriers > 0 ? " or later (a trunc_normal before may take more rounds)" : "",
                 op->stream > 0 ? " of a stream with a seed of its own" : "");
    if (op->dead && op->kind == FANIN_OP_FILL) {
        print_field("before that", INDENT, "%s is drawn and overwritten: draws %s%s",
                    fanin_fill_kind_name(op->fill.kind), draws, position);
        return;
    }
    if (op->kind != FANIN_OP_FILL) {
        print_deed(plan, op);
        return;
    }
    const fanin_initializer *initializer = find_initializer(op);
    print_field(op->part != NULL ? op->part : "initializer", INDENT, "%s",
                op->initializer != NULL ? op->initializer : fanin_fill_kind_name(op->fill.kind));
    if (op->where != NULL)
        print_field("rule", INDENT, "%s", op->where);
    bool is_new = initializer == NULL || initializer != *told;
    *told = initializer;
    if (initializer != NULL && is_new)
        print_catalogue(initializer);
    else if (initializer == NULL)
        print_field("source", INDENT, "what the constructor of this layer does in torch.nn");
    print_law(op->fan_in, op->fan_out, op->gain, op->std, op->bound);
    print_fill(&op->fill);
    print_field("draws", INDENT, "%s%s", draws, position);
    const char *note = exactness_note(op->fill.kind, op->view.dtype, fanin_plan_profile(plan));
    if (note != NULL && is_new)
        print_field("note", INDENT, "%s", note);
}

static void print_tensor_json(const fanin_plan *plan, size_t tensor, const fanin_model_tensor *described)
{
    const fanin_plan_tensor *of = fanin_plan_tensor_at(plan, tensor);
    json_output json = {0};
    json_begin(&json, NULL, '{');
    json_string(&json, "command", "explain");
    json_string(&json, "tensor", of->name);
    json_shape(&json, "shape", of->shape, of->ndim);
    json_string(&json, "dtype", fanin_dtype_name(of->dtype));
    json_string(&json, "tied_to", of->tied_to);
    if (of->refused != NULL)
        json_string(&json, "refused", of->refused);
    json_string(&json, "where", described != NULL ? described->where : NULL);
    json_string(&json, "profile", fanin_profile_name(fanin_plan_profile(plan)));
    json_begin(&json, "ops", '[');
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->storage != of->storage)
            continue;
        char deed[DEED_NBYTES];
        json_begin(&json, NULL, '{');
        if (op->kind != FANIN_OP_FILL) {
            json_string(&json, "op", format_deed(plan, op, deed));
            json_bool(&json, "overwritten", op->dead);
            json_end(&json, '}');
            continue;
        }
        json_string(&json, "initializer", op->initializer);
        json_string(&json, "part", op->part);
        json_string(&json, "rule", op->where);
        json_bool(&json, "overwritten", op->dead);
        json_law(&json, op->fan_in, op->fan_out, op->gain, op->std, op->bound);
        json_fill(&json, &op->fill);
        json_u64_string(&json, "at", op->at);
        json_u64_string(&json, "ndraws", op->ndraws);
        json_bool(&json, "data_dependent", op->data_dependent);
        json_u64(&json, "barriers", op->barriers);
        const fanin_initializer *initializer = find_initializer(op);
        if (initializer != NULL)
            json_catalogue(&json, initializer);
        json_end(&json, '}');
    }
    json_end(&json, ']');
    json_end(&json, '}');
}

static void print_tensor(const source *from, size_t tensor, const fanin_model_tensor *described)
{
    const fanin_plan *plan = from->plan;
    const fanin_plan_tensor *of = fanin_plan_tensor_at(plan, tensor);
    const fanin_initializer *told = NULL;
    char shape[SHAPE_NBYTES];
    print_escaped(stdout, of->name);
    printf(", %s %s\n\n", format_shape(of->shape, of->ndim, shape), fanin_dtype_name(of->dtype));
    if (of->refused != NULL)
        print_field("refused", INDENT, "%s", of->refused);
    if (!of->is_persistent)
        print_field("buffer", INDENT, "not persistent: no checkpoint holds it");
    if (described != NULL && described->where != NULL)
        print_field("described at", INDENT, "%s", described->where);
    if (described != NULL && described->layer_kind != FANIN_LAYER_NONE) {
        const char *kind = fanin_layer_kind_name(described->layer_kind);
        bool has_role = described->role != NULL && strcmp(described->role, kind) != 0;
        print_field("layer", INDENT, "%s%s%s%s", kind, has_role ? " (its " : "", has_role ? described->role : "",
                    has_role ? ")" : "");
    }
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->storage != of->storage)
            continue;
        if (op->part != NULL)
            putchar('\n');
        print_op(plan, op, &told);
    }
    print_shared(plan, tensor);
    const choice *usual = described != NULL ? choice_for(described) : NULL;
    if (usual != NULL)
        print_field("usual here", INDENT, "%s (%s): %s", usual->write, usual->place, usual->reason);
}

static int explain_tensor(const settings *given, source *from)
{
    const char *name = given->operands.items[given->operands.count - 1];
    int exit_status = source_read(given, given->like == NULL ? given->operands.items[0] : NULL, from);
    if (exit_status == EXIT_OK)
        exit_status = source_make_plan(given, given->profile, from);
    if (exit_status != EXIT_OK)
        return exit_status;
    size_t tensor = fanin_plan_tensor_find(from->plan, name);
    if (tensor == SIZE_MAX)
        return fail_unknown_tensor(from, name);
    const char *tied_to = fanin_plan_tensor_at(from->plan, tensor)->tied_to;
    if (tied_to != NULL && !given->json) {
        print_escaped(stdout, name);
        fputs(" is another name of ", stdout);
        print_escaped(stdout, tied_to);
        fputs("\n\n", stdout);
        tensor = fanin_plan_tensor_find(from->plan, tied_to);
    }
    const fanin_model_tensor *described =
        from->model != NULL ? find_model_tensor(from->model, fanin_plan_tensor_at(from->plan, tensor)->name) : NULL;
    if (given->json)
        print_tensor_json(from->plan, tensor, described);
    else
        print_tensor(from, tensor, described);
    return EXIT_OK;
}

static int run(const settings *given)
{
    const command *of = &command_explain;
    size_t nmodels = given->like != NULL ? 1 : 0;
    size_t count = given->operands.count;
    if (count + nmodels < 1 || count + nmodels > 2 || count == 0)
        return fail_usage(of, "explain takes one initializer, or a DESCRIPTION and one of its tensors");
    if (count + nmodels == 1) {
        const fanin_check *check = find_check(given->operands.items[0]);
        if (check != NULL) {
            print_check(check, given->json);
            return EXIT_OK;
        }
        if (given->recipe != NULL || given->rules.count > 0)
            return fail_usage(of, "--recipe and --set belong to a DESCRIPTION and one of its tensors");
        return explain_initializer(given);
    }
    if (given->shape.given || given->groups.given || given->layout != FANIN_LAYOUT_OUT_IN)
        return fail_usage(of, "--shape, --layout and --groups belong to an initializer; a tensor has its own");
    source from = {0};
    int exit_status = explain_tensor(given, &from);
    source_release(&from);
    return exit_status;
}

static const option options[] = {
    {OPTION_ROW("shape", 's', OPTION_SHAPE, shape, "DIMS"), "numbers for a tensor of this shape: 512,256"},
    {OPTION_ROW("layout", 0, OPTION_LAYOUT, layout, "LAYOUT"), "how its fans are read: out_in, in_out, transposed"},
    {OPTION_ROW("groups", 0, OPTION_COUNT, groups, "N"), "groups of a convolution, for its fan_out"},
    {OPTION_ROW("dtype", 0, OPTION_DTYPE, dtype, "DTYPE"), "f32 (default), f64, bf16 or f16"},
    {OPTION_LIKE},
    {OPTION_RECIPE},
    {OPTION_SET},
    {OPTION_PROFILE_NAME},
    {OPTION_JSON, "print an object"},
    {OPTION_HELP},
    {OPTION_END}};

const command command_explain = {
    .name = "explain",
    .summary = "formula, numbers, source and advice for an initializer, a tensor, a check",
    .usage = (const char *const[]){"'INIT(args)' [--shape DIMS] [options]", "DESCRIPTION TENSOR [options]",
                                   "--like CHECKPOINT TENSOR [options]", "CHECK [--json]", NULL},
    .description =
        "Says what an initializer computes, its bound or std for a shape, the paper it comes from, and where it is the "
        "right choice. For a tensor of a description also: the rule that matched, its place in the stream, and what "
        "shares its values. 'fanin list choices' has the advice for every part of a network. For a CHECK (W01, W02 "
        "...) "
        "what it measures, what it means, and what to do; 'fanin list checks' names them.",
    .options = options,
    .examples = (const char *const[]){"fanin explain kaiming_uniform --shape 512,256",
                                      "fanin explain config.json transformer.wte.weight", NULL},
    .run = run,
};
