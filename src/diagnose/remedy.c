/* SPDX-License-Identifier: MIT */
/*
 * The law of a tensor that must be made anew: that of the plan; else what its healthy siblings of one shape were drawn
 * from; else what its kind always begins as; else the rule that made all other weights of its layer kind. None of them:
 * it says what is missing.
 */
#include "diagnose/remedy.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "fanin/which.h"

/* What rules accept; longer patterns become that of the role. */
#define MAX_PATTERN_NBYTES 1000

static const char no_law[] = "the law of these tensors: give --config config.json, --recipe FILE or --plan FILE";
static const char several_steps[] =
    "one rule for these tensors: the plan makes them in several steps; make the checkpoint anew with fanin init";

/* ---- laws ---- */

static void add_law(fanin_text *text, const fanin_law *law)
{
    char a[FANIN_NUMBER_NBYTES], b[FANIN_NUMBER_NBYTES], c[FANIN_NUMBER_NBYTES], d[FANIN_NUMBER_NBYTES];
    if (law->kind == FANIN_LAW_CONSTANT && law->value == 0)
        fanin_text_add(text, "zeros");
    else if (law->kind == FANIN_LAW_CONSTANT && law->value == 1)
        fanin_text_add(text, "ones");
    else if (law->kind == FANIN_LAW_CONSTANT)
        fanin_text_format(text, "constant(val=%s)", fanin_number_format(law->value, a));
    else if (law->kind == FANIN_LAW_UNIFORM)
        fanin_text_format(text, "uniform(a=%s, b=%s)", fanin_number_format(law->low, a),
                          fanin_number_format(law->high, b));
    else if (law->kind == FANIN_LAW_NORMAL && law->mean == 0)
        fanin_text_format(text, "normal(std=%s)", fanin_number_format(law->std, a));
    else if (law->kind == FANIN_LAW_NORMAL)
        fanin_text_format(text, "normal(mean=%s, std=%s)", fanin_number_format(law->mean, a),
                          fanin_number_format(law->std, b));
    else if (law->kind == FANIN_LAW_TRUNC_NORMAL)
        fanin_text_format(text, "trunc_normal(mean=%s, std=%s, a=%s, b=%s)", fanin_number_format(law->mean, a),
                          fanin_number_format(law->std, b), fanin_number_format(law->low, c),
                          fanin_number_format(law->high, d));
    else if (law->kind == FANIN_LAW_ORTHOGONAL)
        fanin_text_format(text, "orthogonal(gain=%s)", fanin_number_format(law->value, a));
}

static bool same_shape(const struct fanin_record *a, const struct fanin_record *b)
{
    return a->tensor.ndim == b->tensor.ndim &&
           memcmp(a->tensor.shape, b->tensor.shape, (size_t)a->tensor.ndim * sizeof *a->tensor.shape) == 0;
}

static bool is_healthy(const struct fanin_record *record)
{
    return record->tensor.worst < FANIN_SEVERITY_WARN && record->tensor.fitted.kind != FANIN_LAW_NONE &&
           record->tensor.fitted.kind != FANIN_LAW_OTHER;
}

/* The law of the first sibling of this shape that nothing was found of. */
static const fanin_law *sibling_law(const fanin_diagnosis *diagnosis, const struct fanin_record *record)
{
    const struct fanin_role *role = &diagnosis->roles[record->role];
    for (size_t i = 0; i < role->count; i++) {
        const struct fanin_record *sibling = &diagnosis->records[role->members[i]];
        if (sibling != record && is_healthy(sibling) && same_shape(sibling, record))
            return &sibling->tensor.fitted;
    }
    return NULL;
}

static bool has_rule(const struct fanin_record *record, const char *rule)
{
    for (size_t k = 0; k < record->origin->nrules; k++)
        if (strcmp(record->origin->rules[k].rule, rule) == 0)
            return true;
    return false;
}

/* Whether the rule that made one is asked of for the other: tensors of one role and shape, weights of one layer kind.
 */
static bool is_comparable(const struct fanin_record *record, const struct fanin_record *other, bool siblings)
{
    if (other == record || !is_healthy(other) || other->origin == NULL || other->origin->nrules == 0)
        return false;
    return siblings ? same_shape(record, other)
                    : record->tensor.is_weight && other->tensor.is_weight &&
                          record->tensor.layer_kind == other->tensor.layer_kind && other->layout == record->layout &&
                          other->groups <= 1 && record->groups <= 1;
}

/*
 * The most usual rule by which all healthy tensors that are comparable can have been made, if they are at least so
 * many. It is a scheme if it gives each of different shapes what it has.
 */
static const char *common_rule(const fanin_diagnosis *diagnosis, const struct fanin_record *record, bool siblings)
{
    const struct fanin_role *role = &diagnosis->roles[record->role];
    const struct fanin_record *first = NULL;
    size_t n = siblings ? role->count : diagnosis->nrecords, least = siblings ? 1 : 2, count = 0;
    bool possible[16] = {false};
    for (size_t i = 0; i < n; i++) {
        const struct fanin_record *other = &diagnosis->records[siblings ? role->members[i] : i];
        if (!is_comparable(record, other, siblings))
            continue;
        count++;
        if (first == NULL)
            first = other;
        for (size_t k = 0; k < first->origin->nrules && k < 16; k++)
            possible[k] = (first == other || possible[k]) && has_rule(other, first->origin->rules[k].rule);
    }
    for (size_t k = 0; first != NULL && count >= least && k < first->origin->nrules && k < 16; k++)
        if (possible[k])
            return first->origin->rules[k].rule;
    return NULL;
}

/* What kinds of tensors begin as in every library. */
static const char *usual_init(fanin_part part)
{
    switch (part) {
    case FANIN_PART_NORM_WEIGHT:
    case FANIN_PART_RUNNING_VAR:
        return "ones";
    case FANIN_PART_BIAS:
    case FANIN_PART_NORM_BIAS:
    case FANIN_PART_RUNNING_MEAN:
        return "zeros";
    default:
        return NULL;
    }
}

/* Nothing is added where no law is known. */
static void add_init(const fanin_diagnosis *diagnosis, const struct fanin_record *record, fanin_remedy remedy,
                     fanin_text *text)
{
    const fanin_law *law;
    const char *rule, *usual = usual_init(record->part);
    if (record->planned != SIZE_MAX) {
        if (record->initializer != NULL)
            fanin_text_add(text, record->initializer);
    } else if ((rule = common_rule(diagnosis, record, true)) != NULL)
        fanin_text_add(text, rule);
    else if ((law = sibling_law(diagnosis, record)) != NULL)
        add_law(text, law);
    else if (usual != NULL)
        fanin_text_add(text, usual);
    else if ((rule = common_rule(diagnosis, record, false)) != NULL)
        fanin_text_add(text, rule);
    else if (remedy == FANIN_REMEDY_REDRAW && record->origin != NULL && record->origin->nrules > 0)
        fanin_text_add(text, record->origin->rules[0].rule);
    else if (remedy == FANIN_REMEDY_REDRAW && record->tensor.fitted.kind != FANIN_LAW_NONE)
        add_law(text, &record->tensor.fitted);
}

/* ---- patterns ---- */

static bool is_plain(const char *name)
{
    return strpbrk(name, "*#{},=") == NULL && strncmp(name, "re:", 3) != 0;
}

/* A name as a pattern that matches it alone. */
static void add_name(fanin_text *text, const char *name)
{
    if (is_plain(name)) {
        fanin_text_add(text, name);
        return;
    }
    fanin_text_add(text, "re:");
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '=') { /* a rule is cut at its first one */
            fanin_text_add(text, ".");
            continue;
        }
        if (strchr(".[]()*+?{}|^$\\", *c) != NULL)
            fanin_text_add(text, "\\");
        fanin_text_append(text, c, 1);
    }
}

static bool is_whole_role(const fanin_diagnosis *diagnosis, const fanin_finding *finding)
{
    const size_t role = diagnosis->records[finding->tensors[0]].role;
    for (size_t i = 1; i < finding->ntensors; i++)
        if (diagnosis->records[finding->tensors[i]].role != role)
            return false;
    return finding->ntensors == diagnosis->roles[role].count;
}

/* A pattern for the tensors of a finding. */
static void add_pattern(const fanin_diagnosis *diagnosis, const fanin_finding *finding, fanin_text *text)
{
    const struct fanin_record *first = &diagnosis->records[finding->tensors[0]];
    const char *role = first->tensor.pattern;
    fanin_text list = {0};
    bool plain = strpbrk(role, "*{},=") == NULL && strncmp(role, "re:", 3) != 0;
    for (size_t i = 0; i < finding->ntensors && list.nbytes < MAX_PATTERN_NBYTES; i++) {
        const char *name = diagnosis->records[finding->tensors[i]].tensor.name;
        plain = plain && is_plain(name);
        fanin_text_format(&list, "%s%s", i == 0 ? "{" : ",", name);
    }
    fanin_text_add(&list, "}");
    if (finding->ntensors == 1)
        add_name(text, first->tensor.name);
    else if (plain && !is_whole_role(diagnosis, finding) && list.nbytes < MAX_PATTERN_NBYTES)
        fanin_text_append(text, list.data, list.nbytes);
    else
        fanin_text_add(text, role);
    text->failed = text->failed || list.failed;
    fanin_text_release(&list);
}

/* ---- commands ---- */

static fanin_status keep(fanin_diagnosis *diagnosis, fanin_text *text, const char **kept, fanin_error *error)
{
    *kept = text->failed ? NULL : fanin_arena_text(&diagnosis->arena, text->data, text->nbytes);
    fanin_text_release(text);
    return *kept != NULL ? FANIN_OK : fanin_fail_memory(error, FANIN_SHOW_NBYTES);
}

static fanin_status set_rule(fanin_diagnosis *diagnosis, const char *init, fanin_finding *finding, fanin_error *error)
{
    fanin_text text = {0};
    add_pattern(diagnosis, finding, &text);
    fanin_text_format(&text, "=%s", init);
    FANIN_TRY(keep(diagnosis, &text, &finding->rule, error));
    if (finding->command != NULL || diagnosis->options->command == NULL)
        return FANIN_OK;
    fanin_text_format(&text, "%s --fix -o NEW", diagnosis->options->command);
    return keep(diagnosis, &text, &finding->command, error);
}

/* One law for all tensors of a draft, or none. */
static fanin_status common_init(const fanin_diagnosis *diagnosis, const struct fanin_draft *draft, fanin_text *init,
                                fanin_error *error)
{
    for (size_t i = 0; i < draft->ntensors; i++) {
        fanin_text other = {0};
        add_init(diagnosis, &diagnosis->records[draft->tensors[i]], draft->remedy, i == 0 ? init : &other);
        bool failed = init->failed || other.failed;
        bool differs = i > 0 && (init->nbytes != other.nbytes ||
                                 (init->nbytes > 0 && memcmp(init->data, other.data, init->nbytes) != 0));
        fanin_text_release(&other);
        if (failed)
            return fanin_fail_memory(error, FANIN_SHOW_NBYTES);
        if (differs)
            init->nbytes = 0;
        if (init->nbytes == 0)
            return FANIN_OK;
    }
    return FANIN_OK;
}

fanin_status fanin_remedy_find(fanin_diagnosis *diagnosis, const struct fanin_draft *draft, const char **init,
                               fanin_error *error)
{
    *init = draft->remedy == FANIN_REMEDY_INIT ? draft->init : NULL;
    if (draft->remedy != FANIN_REMEDY_REMAKE && draft->remedy != FANIN_REMEDY_REDRAW)
        return FANIN_OK;
    fanin_text text = {0};
    fanin_status status = common_init(diagnosis, draft, &text, error);
    if (status == FANIN_OK && text.nbytes > 0)
        return keep(diagnosis, &text, init, error);
    fanin_text_release(&text);
    return status;
}

fanin_status fanin_remedy_set(fanin_diagnosis *diagnosis, const struct fanin_draft *draft, const char *init,
                              fanin_finding *finding, fanin_error *error)
{
    if (draft->remedy == FANIN_REMEDY_NONE || finding->ntensors == 0)
        return FANIN_OK;
    if (init != NULL)
        return set_rule(diagnosis, init, finding, error);
    if (finding->missing == NULL)
        finding->missing = diagnosis->records[finding->tensors[0]].planned != SIZE_MAX ? several_steps : no_law;
    return FANIN_OK;
}
