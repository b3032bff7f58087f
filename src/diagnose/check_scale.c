/* SPDX-License-Identifier: MIT */
/*
 * Checks of the size of weights: against the law that a plan or a family gives, against the fan that was meant, and of
 * residual branches, embeddings and heads.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/checks.h"
#include "diagnose/law.h"
#include "diagnose/origin.h"
#include "fanin/initializer.h"

/*
 * Before 2.13 torch made 16-bit normals of uniforms with 8 and 11 bits and rounded after every step, which moves their
 * standard deviation by up to this share.
 */
#define LEGACY_16BIT_STD 0.01
/* W09: how near a standard deviation has to be to that of the other fan. */
#define FAN_TOLERANCE 0.03
#define FAN_NERRORS   5

static double std_of(const fanin_statistics *s)
{
    return sqrt(s->variance);
}

static bool has_law(const struct fanin_record *record)
{
    const fanin_law_kind kind = record->tensor.expected.kind;
    return kind == FANIN_LAW_UNIFORM || kind == FANIN_LAW_NORMAL || kind == FANIN_LAW_TRUNC_NORMAL;
}

static uint64_t nfinite(const fanin_statistics *s)
{
    return s->nelem - s->nnan - s->ninf;
}

/* How far the standard deviation is from the expected one, in standard errors; 0 within what 16 bits explain. */
static double scale_errors(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    const fanin_law *law = &record->tensor.expected;
    const double std = record->tensor.expected_std;
    if (!(std > 0) || !(s->variance >= 0) || nfinite(s) < 2)
        return 0;
    const double ratio = s->variance / (std * std);
    const bool narrow = fanin_dtype_nbits(record->tensor.dtype) <= 16;
    if (narrow && fabs(std_of(s) / std - 1) < LEGACY_16BIT_STD)
        return 0;
    return fanin_law_variance_errors(ratio, fanin_law_kurtosis(law), nfinite(s));
}

/* ---- W09: another fan ---- */

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
    const double std = std_of(&record->statistics);
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
    double error = FAN_NERRORS * sqrt((s->kurtosis - 1) / (4 * (double)nfinite(s)));
    return error > least ? error : least;
}

/* With a plan: its own call. */
static struct found_slip find_planned_slip(const struct fanin_record *record)
{
    fanin_call call;
    if (record->initializer == NULL || record->tensor.ndim < 2 || record->tensor.ndim > FANIN_MAX_DIMS ||
        !(record->statistics.variance > 0) || fanin_call_parse(record->initializer, NULL, 0, &call, NULL) != FANIN_OK)
        return (struct found_slip){0};
    return find_slip(record, &call, fan_tolerance(record, FAN_TOLERANCE));
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
    if (has_law(record) && fabs(scale_errors(record)) > FANIN_NERRORS)
        found = find_planned_slip(record);
    else if (record->tensor.expected.kind == FANIN_LAW_NONE)
        found = find_unplanned_slip(e, &call);
    if (found.slip == NULL)
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const double std = std_of(&record->statistics);
    draft.topic = found.slip->what;
    draft.measured = std;
    draft.expected = found.right_std;
    draft.what =
        fanin_say(e, "std %.4g is that of %s with %s: it divides by %" PRId64, std, call, found.slip->what, found.fan);
    draft.expectation =
        fanin_say(e, "std %.4g (%s, which divides by %" PRId64 ")", found.right_std, call, found.right_fan);
    draft.consequence =
        fanin_say(e, "the output of the layer is x %.3g of what the scheme intends", std / found.right_std);
    draft.remedy = record->planned != SIZE_MAX ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_INIT;
    draft.init = record->planned != SIZE_MAX ? NULL : call;
    return fanin_add(e, &draft, error);
}

/* ---- W18: the end of residual branches ---- */

struct branch {
    const char *out;         /* the projection that ends a branch, as the end of its pattern */
    const char *in;          /* one that begins it, in the same place */
    const char *siblings[2]; /* patterns that have to be there too, or the name means another family; NULL */
};

static const struct branch branches[] = {
    /* OpenAI's first GPT has the same without ln_f, GPT-Neo without c_attn: theirs are not scaled */
    {"h.#.attn.c_proj.weight", "h.#.attn.c_attn.weight", {"ln_f.weight", NULL}},
    {"h.#.mlp.c_proj.weight", "h.#.mlp.c_fc.weight", {"ln_f.weight", "h.#.attn.c_attn.weight"}},
    {"layers.#.self_attention.linear_proj.weight", "layers.#.self_attention.linear_qkv.weight", {NULL, NULL}},
    {"layers.#.mlp.linear_fc2.weight", "layers.#.mlp.linear_fc1.weight", {NULL, NULL}},
    {"encoder.layers.#.self_attention.dense.weight",
     "encoder.layers.#.self_attention.query_key_value.weight",
     {NULL, NULL}},
    {"encoder.layers.#.mlp.dense_4h_to_h.weight", "encoder.layers.#.mlp.dense_h_to_4h.weight", {NULL, NULL}},
};

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0 && (n == m || text[n - m - 1] == '.');
}

static const struct branch *branch_of(const char *pattern)
{
    for (size_t i = 0; i < sizeof branches / sizeof branches[0]; i++)
        if (ends_in(pattern, branches[i].out))
            return &branches[i];
    return NULL;
}

static bool has_pattern_end(const fanin_diagnosis *diagnosis, const char *end)
{
    for (size_t i = 0; i < diagnosis->nroles; i++)
        if (ends_in(diagnosis->roles[i].pattern, end))
            return true;
    return false;
}

static bool has_siblings(const fanin_diagnosis *diagnosis, const struct branch *branch)
{
    for (size_t i = 0; i < 2; i++)
        if (branch->siblings[i] != NULL && !has_pattern_end(diagnosis, branch->siblings[i]))
            return false;
    return true;
}

static const struct fanin_role *role_beside(const fanin_diagnosis *diagnosis, const char *pattern,
                                            const struct branch *branch)
{
    const size_t front = strlen(pattern) - strlen(branch->out);
    for (size_t i = 0; i < diagnosis->nroles; i++) {
        const char *other = diagnosis->roles[i].pattern;
        if (strlen(other) == front + strlen(branch->in) && strncmp(other, pattern, front) == 0 &&
            strcmp(other + front, branch->in) == 0)
            return &diagnosis->roles[i];
    }
    return NULL;
}

/* Whether both look as they were drawn, from normals: what training does to them is not asked. */
static bool is_fresh_normal(const struct fanin_record *record)
{
    const fanin_law_kind kind = record->tensor.fitted.kind;
    return record->origin != NULL && record->origin->fits && record->origin->untouched != FANIN_NO &&
           (kind == FANIN_LAW_NORMAL || kind == FANIN_LAW_TRUNC_NORMAL) && record->statistics.nelem >= 1024;
}

/* The middle one of the layers: a single odd layer makes no difference. NaN if they are not fresh. */
static double middle_std(const fanin_diagnosis *diagnosis, const struct fanin_role *role)
{
    double middle = (double)NAN;
    for (size_t i = 0; i < role->count; i++) {
        const struct fanin_record *record = &diagnosis->records[role->members[i]];
        const double std = std_of(&record->statistics);
        size_t below = 0, equal = 0;
        for (size_t k = 0; k < role->count; k++) {
            double other = std_of(&diagnosis->records[role->members[k]].statistics);
            below += other < std;
            equal += other == std;
        }
        if (below <= role->count / 2 && role->count / 2 < below + equal && is_fresh_normal(record))
            middle = std;
    }
    return middle;
}

/* Ratio of std of the end to that of the beginning, where W18 speaks of it; NaN elsewhere. */
static double branch_ratio(const fanin_diagnosis *diagnosis, const struct fanin_role *role, size_t place,
                           double *wanted)
{
    const struct fanin_record *out = &diagnosis->records[role->members[place]];
    const struct branch *branch = branch_of(role->pattern);
    const struct fanin_role *beside = branch != NULL ? role_beside(diagnosis, role->pattern, branch) : NULL;
    if (beside == NULL || beside->count != role->count || !has_siblings(diagnosis, branch))
        return (double)NAN;
    if (!is_fresh_normal(out))
        return (double)NAN;
    *wanted = 1 / sqrt(2 * (double)role->count);
    /* a plan that says otherwise is right, and one that says the same speaks of the end alone */
    const struct fanin_record *in = &diagnosis->records[beside->members[place]];
    if (has_law(out) && has_law(in) &&
        (fabs(out->tensor.expected_std / in->tensor.expected_std / *wanted - 1) > 0.1 ||
         fabs(scale_errors(out)) <= FANIN_NERRORS))
        return (double)NAN;
    return std_of(&out->statistics) / middle_std(diagnosis, beside);
}

/* Whether W18 says what W08 would say again: the end of a branch has the size of its beginning. */
static bool is_unscaled_branch(const fanin_diagnosis *diagnosis, const struct fanin_record *record)
{
    const struct fanin_role *role = &diagnosis->roles[record->role];
    double wanted, ratio = branch_ratio(diagnosis, role, record->place, &wanted);
    return fabs(ratio - 1) < 0.1 && fabs(ratio / wanted - 1) > 0.1;
}

fanin_status fanin_check_branch(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t r = 0; r < diagnosis->nroles; r++) {
        const struct fanin_role *role = &diagnosis->roles[r];
        for (size_t k = 0; k < role->count; k++) {
            double wanted, ratio = branch_ratio(diagnosis, role, k, &wanted);
            if (!(fabs(ratio / wanted - 1) > 0.1))
                continue;
            const struct fanin_record *out = &diagnosis->records[role->members[k]];
            const double std = std_of(&out->statistics), right = std / ratio * wanted;
            char number[FANIN_NUMBER_NBYTES];
            double round = fanin_scheme_round_number(std / ratio, 0.01);
            struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
            draft.measured = std;
            draft.expected = right;
            draft.what =
                fanin_say(e, "std %.4g is x %.3g of that of the projection that begins the branch", std, ratio);
            draft.expectation = fanin_say(e, "x %.3g, 1/sqrt(2 x %zu layers): std %.4g", wanted, role->count, right);
            draft.consequence = fanin_say(e, "%zu branches add up to x %.3g of the signal that GPT-2's scheme intends",
                                          2 * role->count, ratio / wanted);
            draft.ntensors = 1;
            draft.tensors = &role->members[k];
            draft.remedy = out->planned != SIZE_MAX ? FANIN_REMEDY_REMAKE : FANIN_REMEDY_INIT;
            if (round == 0)
                round = std / ratio;
            draft.init = fanin_say(e, "normal(std=%s/sqrt(2*%zu))", fanin_number_format(round, number), role->count);
            FANIN_TRY(fanin_add(e, &draft, error));
        }
    }
    return FANIN_OK;
}

/* ---- W08 with a law, and --expect ---- */

static const char *found_rule(const struct fanin_record *record)
{
    return record->origin != NULL && record->origin->nrules > 0 ? record->origin->rules[0].rule : NULL;
}

static const char *expected_rule(const struct fanin_record *record)
{
    return record->initializer != NULL ? record->initializer : "its law";
}

static fanin_status add_scale(struct fanin_examination *e, const struct fanin_record *record, const size_t *tensor,
                              double errors, fanin_error *error)
{
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const double std = std_of(&record->statistics), right = record->tensor.expected_std;
    const char *other = found_rule(record);
    draft.topic = std > right ? "large" : "small";
    draft.measured = std;
    draft.expected = right;
    draft.what = other != NULL
                     ? fanin_say(e, "std %.4g, that of %s, is x %.3g of what it should be", std, other, std / right)
                     : fanin_say(e, "std %.4g is x %.3g of what it should be, %.3g standard errors off", std,
                                 std / right, fabs(errors));
    draft.expectation =
        fanin_say(e, "std %.4g (%s: %s)", right,
                  record->tensor.expected_by != NULL ? record->tensor.expected_by : "plan", expected_rule(record));
    draft.consequence = std > right
                            ? "the layer's output and its gradients are larger than the scheme intends, by that "
                              "factor"
                            : "the layer's output and its gradients are smaller than the scheme intends, by that "
                              "factor";
    draft.ntensors = 1;
    draft.tensors = tensor;
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_scale(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        if (record->tensor.is_buffer || !has_law(record))
            continue;
        double errors = scale_errors(record);
        if (fabs(errors) > FANIN_NERRORS && find_planned_slip(record).slip == NULL &&
            !is_unscaled_branch(diagnosis, record))
            FANIN_TRY(add_scale(e, record, &i, errors, error));
    }
    return fanin_check_chain(e, error);
}

/* What --expect asks beyond the standard deviation. */
fanin_status fanin_check_expected(struct fanin_examination *e, fanin_error *error)
{
    const struct fanin_record *record = e->record;
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const fanin_law *law = &tensor->expected;
    struct fanin_law_test test;
    if (!e->diagnosis->options->expect || tensor->is_buffer || !(has_law(record) || law->kind == FANIN_LAW_CONSTANT))
        return FANIN_OK;
    fanin_law_test(law, tensor->dtype, e->scan, &test);
    if (!test.applies || test.passed || fabs(scale_errors(record)) > FANIN_NERRORS)
        return FANIN_OK; /* of the standard deviation check_scale speaks */
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    const fanin_statistics *s = &record->statistics;
    const char *other = found_rule(record);
    draft.topic = "law";
    draft.expectation = fanin_say(e, "%s (%s)", expected_rule(record), tensor->expected_by);
    draft.consequence = "the values are not those of the law that was asked for";
    draft.remedy = FANIN_REMEDY_REMAKE;
    if (law->kind == FANIN_LAW_CONSTANT) {
        draft.measured = s->max;
        draft.expected = law->value;
        draft.what = fanin_say(e, "values from %.4g to %.4g instead of one constant, %.4g", s->min, s->max, law->value);
    } else if (fabs(test.mean_z) > FANIN_LAW_MAX_ERRORS) {
        draft.measured = s->mean;
        draft.expected = fanin_law_mean(law);
        draft.what =
            fanin_say(e, "mean %.4g is %.3g standard errors from %.4g", s->mean, fabs(test.mean_z), draft.expected);
    } else if (!test.keeps_bounds) {
        draft.measured = fabs(s->min) > fabs(s->max) ? s->min : s->max;
        draft.what = fanin_say(e, "values from %.6g to %.6g, where that law has none", s->min, s->max);
    } else if (test.distance > test.limit) {
        draft.measured = test.distance;
        draft.expected = 0;
        draft.what =
            other != NULL
                ? fanin_say(e, "the distribution is that of %s: %.3g from the law (chance gives up to %.3g)", other,
                            test.distance, test.limit)
                : fanin_say(e, "the distribution is %.3g from the law (Kolmogorov-Smirnov; chance gives up to %.3g)",
                            test.distance, test.limit);
    } else {
        return FANIN_OK; /* what 16 bits explain */
    }
    return fanin_add(e, &draft, error);
}

/* ---- W19: numbers ---- */

static bool is_head(const fanin_diagnosis_tensor *tensor)
{
    static const char *const names[] = {"lm_head.weight", "embed_out.weight", "output_projection.weight", "head.weight",
                                        "score.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ends_in(tensor->name, names[i]))
            return tensor->ndim == 2;
    return false;
}

fanin_status fanin_check_embedding(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis_tensor *tensor = &e->record->tensor;
    const fanin_statistics *s = &e->record->statistics;
    const bool head = is_head(tensor);
    if (tensor->is_buffer || tensor->ndim != 2 || !(s->variance > 0) ||
        (!head && tensor->layer_kind != FANIN_LAYER_EMBEDDING))
        return FANIN_OK;
    const double width = (double)tensor->shape[1], std = std_of(s);
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_INFO);
    draft.topic = head ? "head" : "embedding";
    draft.measured = std;
    draft.expected = 1 / sqrt(width);
    draft.what = fanin_say(e, "%s of std %.4g (0.02 x %.3g; 1/sqrt(%.0f) x %.3g)", draft.topic, std, std / 0.02, width,
                           std * sqrt(width));
    draft.consequence =
        head ? fanin_say(e, "behind a norm the first logits have a std of about %.3g", std * sqrt(width))
             : fanin_say(e, "as a tied head it gives first logits of std %.3g behind a norm", std * sqrt(width));
    return fanin_add(e, &draft, error);
}

/* ---- W22: as initialized ---- */

static bool is_asked(const struct fanin_record *record)
{
    return record->tensor.is_weight && record->origin != NULL && record->statistics.nelem >= 1024 &&
           record->tied_to == NULL && record->origin->law.kind != FANIN_LAW_CONSTANT;
}

/* One sentence if most weights are fresh; where most were trained, those that were not. */
fanin_status fanin_check_untouched(struct fanin_examination *e, fanin_error *error)
{
    const fanin_diagnosis *diagnosis = e->diagnosis;
    size_t nfresh = 0, nchanged = 0;
    for (size_t i = 0; i < diagnosis->nrecords; i++)
        if (is_asked(&diagnosis->records[i])) {
            nfresh += diagnosis->records[i].origin->untouched == FANIN_YES;
            nchanged +=
                diagnosis->records[i].origin->untouched == FANIN_NO && diagnosis->records[i].statistics.nnan == 0;
        }
    /* of a plan it goes without saying that its weights are fresh */
    if (nfresh == 0 || (nchanged <= nfresh && diagnosis->plan != NULL))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_INFO);
    draft.measured = (double)nfresh;
    if (nchanged <= nfresh) {
        draft.what =
            fanin_say(e, "%zu of %zu weights follow a law of initialization in every test", nfresh, nfresh + nchanged);
        draft.consequence = "the model looks as it did before training";
        return fanin_add(e, &draft, error);
    }
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        if (!is_asked(record) || record->origin->untouched != FANIN_YES)
            continue;
        draft.ntensors = 1;
        draft.tensors = &i;
        draft.measured = record->origin->std;
        draft.what = fanin_say(e, "follows %s in every test, while %zu other weights of the model do not look fresh",
                               record->origin->rules[0].rule, nchanged);
        draft.consequence = "if the model is trained, this part of it was never loaded, or never learned";
        FANIN_TRY(fanin_add(e, &draft, error));
    }
    return FANIN_OK;
}
