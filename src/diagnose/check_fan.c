/* SPDX-License-Identifier: MIT */
/*
 * The check of fans: whether a weight has the size that its scheme gives for another fan than the layer has.
 */
#include <inttypes.h>
#include <math.h>

#include "diagnose/checks.h"
#include "diagnose/expected.h"
#include "diagnose/origin.h"
#include "fanin/initializer.h"

/* How near a standard deviation has to be to that of the other fan. */
#define FAN_TOLERANCE 0.03
#define FAN_NERRORS   5

/* One way to count wrongly. */
struct slip {
    const char *what;
    bool other_mode, swapped, no_groups, no_kernel;
};

static const struct slip slips[] = {
    {"fan_out taken for fan_in, or the other way round", .other_mode = true},
    {"the axes transposed", .swapped = true},
    {"the groups left out", .no_groups = true},
    {"the kernel left out", .no_kernel = true},
    {"the groups left out and fan_out taken for fan_in, or the other way round", .other_mode = true, .no_groups = true},
    {"the axes transposed and the groups left out", .swapped = true, .no_groups = true},
};

static fanin_tensor plain_tensor(const struct fanin_record *record)
{
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const int skipped = record->is_stacked && tensor->ndim == 3 ? 1 : 0;
    fanin_tensor view = fanin_tensor_nd(NULL, FANIN_F64, tensor->ndim - skipped, tensor->shape + skipped);
    view.layout = record->layout;
    view.groups = record->groups;
    return view;
}

static void drop_kernel(fanin_tensor *view)
{
    const bool in_out = view->layout == FANIN_LAYOUT_IN_OUT;
    for (int d = in_out ? 0 : 2; d < (in_out ? view->ndim - 2 : view->ndim); d++)
        view->shape[d] = 1;
}

static void toggle_mode(fanin_call *call)
{
    for (size_t i = 0; i < FANIN_MAX_PARAMETERS && call->initializer->parameters[i].name != NULL; i++)
        if (call->initializer->parameters[i].kind == FANIN_PARAMETER_MODE)
            call->values[i] = call->values[i] == FANIN_FAN_IN ? FANIN_FAN_OUT : FANIN_FAN_IN;
}

/*
 * What std the call comes to with that slip. `groups` tells how many the layer has where the view does not say. NaN if
 * nothing would be different.
 */
static double slipped_std(const fanin_call *right, const fanin_tensor *view, int64_t groups, const struct slip *slip,
                          int64_t *fan)
{
    fanin_call call = *right;
    fanin_tensor other = *view;
    fanin_resolved resolved;
    if (slip->other_mode)
        toggle_mode(&call);
    if (slip->swapped)
        other.layout = view->layout == FANIN_LAYOUT_OUT_IN ? FANIN_LAYOUT_TRANSPOSED : FANIN_LAYOUT_OUT_IN;
    if (slip->swapped && view->layout == FANIN_LAYOUT_IN_OUT && view->ndim != 2)
        return (double)NAN;
    if (slip->no_groups && groups <= 1)
        return (double)NAN;
    if (slip->no_groups)
        other.groups = 0;
    if (slip->no_kernel)
        drop_kernel(&other);
    if (fanin_call_resolve(&call, &other, &resolved, NULL) != FANIN_OK)
        return (double)NAN;
    *fan = resolved.fan_in;
    for (size_t i = 0; i < FANIN_MAX_PARAMETERS && call.initializer->parameters[i].name != NULL; i++)
        if (call.initializer->parameters[i].kind == FANIN_PARAMETER_MODE && call.values[i] == FANIN_FAN_OUT)
            *fan = resolved.fan_out;
    return resolved.std;
}

struct found_slip {
    const struct slip *slip; /* NULL: none */
    int64_t fan, right_fan;
    double right_std;
};

/* The slip that explains the standard deviation, if the call without one does not. */
static struct found_slip find_slip(const struct fanin_record *record, const fanin_call *call, double tolerance)
{
    const double std = fanin_expected_std_of(record);
    const fanin_tensor view = plain_tensor(record);
    const struct slip none = {0};
    struct found_slip found = {0};
    found.right_std = slipped_std(call, &view, 1, &none, &found.right_fan);
    if (!(found.right_std > 0) || fabs(found.right_std - std) <= FAN_TOLERANCE * std)
        return found;
    for (size_t i = 0; i < sizeof slips / sizeof slips[0] && found.slip == NULL; i++) {
        double other = slipped_std(call, &view, record->groups, &slips[i], &found.fan);
        if (fabs(other - found.right_std) > FAN_TOLERANCE * std && fabs(other - std) <= tolerance * std)
            found.slip = &slips[i];
    }
    return found;
}

static double fan_tolerance(const struct fanin_record *record, double least)
{
    const fanin_statistics *s = &record->statistics;
    double error = FAN_NERRORS * sqrt((s->kurtosis - 1) / (4 * (double)fanin_expected_count(record)));
    return error > least ? error : least;
}

/* With a plan: its own call. */
static struct found_slip find_planned_slip(const struct fanin_record *record)
{
    fanin_call call;
    if (record->norm_follows == FANIN_YES || record->initializer == NULL || record->tensor.ndim < 2 ||
        record->tensor.ndim > FANIN_MAX_DIMS || !(record->statistics.variance > 0) ||
        fanin_call_parse(record->initializer, NULL, 0, &call, NULL) != FANIN_OK)
        return (struct found_slip){0};
    return find_slip(record, &call, fan_tolerance(record, FAN_TOLERANCE));
}

bool fanin_expected_has_other_fan(const struct fanin_record *record)
{
    return find_planned_slip(record).slip != NULL;
}

/*
 * Without one: the named schemes, where a wrong fan is likely (groups, transposed layers) and nothing makes up for it.
 * Several schemes and slips are tried, so they have to fit more closely.
 */
static struct found_slip find_unplanned_slip(const struct fanin_examination *e, const char **call_text)
{
    static const char *const calls[] = {"kaiming_normal(nonlinearity=relu)", "kaiming_uniform(nonlinearity=relu)",
                                        "xavier_uniform", "xavier_normal"};
    const struct fanin_record *record = e->record;
    const struct fanin_origin *origin = record->origin;
    const bool likely = record->groups > 1 || record->layout == FANIN_LAYOUT_TRANSPOSED;
    if (!likely || record->norm_follows != FANIN_NO || origin == NULL || !origin->fits || origin->nrules > 0 ||
        !record->tensor.is_weight)
        return (struct found_slip){0};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fanin_call call;
        if (fanin_call_parse(calls[i], NULL, 0, &call, NULL) != FANIN_OK)
            continue;
        struct found_slip found = find_slip(record, &call, fan_tolerance(record, 0.003));
        if (found.slip != NULL) {
            *call_text = calls[i];
            return found;
        }
    }
    return (struct found_slip){0};
}

fanin_status fanin_check_fan(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const char *call = record->initializer;
    struct found_slip found = {0};
    if (record->tensor.is_buffer || !(record->statistics.variance > 0))
        return FANIN_OK;
    if (fanin_expected_is_random(record) && fabs(fanin_expected_errors(record)) > FANIN_NERRORS)
        found = find_planned_slip(record);
    else if (record->tensor.expected.kind == FANIN_LAW_NONE)
        found = find_unplanned_slip(e, &call);
    if (found.slip == NULL)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const double std = fanin_expected_std_of(record);
    draft.topic = found.slip->what;
    draft.measured = std;
    draft.expected = found.right_std;
    draft.what =
        fanin_say(e, "std %.4g is that of %s with %s: it divides by %" PRId64, std, call, found.slip->what, found.fan);
    draft.expectation =
        fanin_say(e, "std %.4g (%s, which divides by %" PRId64 ")", found.right_std, call, found.right_fan);
    draft.consequence =
        fanin_say(e, "the output of the layer is x %.3g of what the scheme intends", std / found.right_std);
    draft.remedy = record->initializer != NULL ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_INIT;
    draft.init = record->initializer != NULL ? NULL : call;
    return fanin_add(e, &draft, error);
}
