/* SPDX-License-Identifier: MIT */
/*
 * The law of a tensor that must be made anew: that of the plan; else what its healthy siblings of one shape were drawn
 * from; else what its kind always begins as; else the rule that made all other weights of its layer kind. None of them:
 * it says what is missing.
 */
#include "diagnose/remedy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/law.h"
#include "diagnose/roles.h"
#include "fanin/which.h"

/* What rules accept; longer patterns become that of the role. */
#define MAX_PATTERN_NBYTES 1000

static const char no_law[] = "the law of these tensors: give --config config.json, --recipe FILE or --plan FILE";
static const char several_steps[] =
    "one rule for these tensors: the plan makes them in several steps; make the checkpoint anew with fanin init";

/* ---- what healthy tensors were drawn from ---- */

static bool is_healthy(const struct fanin_record *record)
{
    return record->tensor.worst < FANIN_SEVERITY_WARN && record->tensor.fitted.kind != FANIN_LAW_NONE &&
           record->tensor.fitted.kind != FANIN_LAW_OTHER;
}

/* By role, then shape; and by place, so that the first of a kind is the first of the role. */
static int order_kin(const struct fanin_record *x, const struct fanin_record *y)
{
    if (x->role != y->role)
        return x->role < y->role ? -1 : 1;
    return fanin_shape_order(&x->tensor, &y->tensor);
}

static int order_records(const void *a, const void *b)
{
    const struct fanin_record *x = *(const struct fanin_record *const *)a, *y = *(const struct fanin_record *const *)b;
    int order = order_kin(x, y);
    return order != 0 ? order : x->place < y->place ? -1 : x->place > y->place;
}

static bool has_rule(const struct fanin_record *record, const char *rule)
{
    for (size_t k = 0; k < record->origin->nrules; k++)
        if (strcmp(record->origin->rules[k].rule, rule) == 0)
            return true;
    return false;
}

static bool is_by_rule(const struct fanin_record *record)
{
    return record->origin != NULL && record->origin->nrules > 0;
}

/* Of the rules that all so far can have been made by, those that made this one too. */
static void share_rules(struct fanin_shared_rules *shared, const struct fanin_record *record)
{
    if (shared->first == NULL)
        shared->first = record;
    for (size_t k = 0; k < shared->first->origin->nrules && k < FANIN_SCHEME_MAX; k++)
        shared->possible[k] =
            (shared->count == 0 || shared->possible[k]) && has_rule(record, shared->first->origin->rules[k].rule);
    shared->count++;
}

/*
 * The most usual rule by which all can have been made, if they are at least so many. It is a scheme if it gives each of
 * different shapes what it has.
 */
static const char *common_rule(const struct fanin_shared_rules *shared, size_t least)
{
    for (size_t k = 0; shared->count >= least && k < shared->first->origin->nrules && k < FANIN_SCHEME_MAX; k++)
        if (shared->possible[k])
            return shared->first->origin->rules[k].rule;
    return NULL;
}

static bool has_kind(const struct fanin_record *record)
{
    return record->tensor.is_weight && record->groups <= 1;
}

/* Tensors [0, n) in the order of their kin become families. */
static void gather_kin(struct fanin_remedies *remedies, const struct fanin_record *const *sorted, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || order_kin(sorted[i - 1], sorted[i]) != 0)
            remedies->kin[remedies->nkin++] = (struct fanin_kin){.first = sorted[i]};
        if (is_by_rule(sorted[i]))
            share_rules(&remedies->kin[remedies->nkin - 1].shared, sorted[i]);
    }
}

fanin_status fanin_remedies_begin(struct fanin_remedies *remedies, const fanin_diagnosis *diagnosis, fanin_error *error)
{
    const struct fanin_record **healthy = fanin_allocate(diagnosis->nrecords, sizeof *healthy);
    size_t n = 0;
    *remedies = (struct fanin_remedies){.kin = fanin_allocate(diagnosis->nrecords, sizeof *remedies->kin)};
    if (healthy == NULL || remedies->kin == NULL) {
        fanin_free((void *)healthy);
        fanin_remedies_end(remedies);
        return fanin_fail_memory(error, diagnosis->nrecords * sizeof *remedies->kin);
    }
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        const struct fanin_record *record = &diagnosis->records[i];
        if (!is_healthy(record))
            continue;
        healthy[n++] = record;
        if (has_kind(record) && is_by_rule(record))
            share_rules(&remedies->kinds[record->tensor.layer_kind][record->layout], record);
    }
    qsort((void *)healthy, n, sizeof *healthy, order_records);
    gather_kin(remedies, healthy, n);
    fanin_free((void *)healthy);
    return FANIN_OK;
}

void fanin_remedies_end(struct fanin_remedies *remedies)
{
    fanin_free(remedies->kin);
    remedies->kin = NULL;
}

/* Healthy tensors of its role and shape; NULL: there are none. */
static const struct fanin_kin *find_kin(const struct fanin_remedies *remedies, const struct fanin_record *record)
{
    size_t low = 0, high = remedies->nkin;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = order_kin(remedies->kin[middle].first, record);
        if (order == 0)
            return &remedies->kin[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
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
static void add_init(const struct fanin_remedies *remedies, const struct fanin_record *record, fanin_remedy remedy,
                     fanin_text *text)
{
    const struct fanin_kin *kin = find_kin(remedies, record);
    const char *rule, *usual = usual_init(record->part);
    if (record->initializer != NULL)
        fanin_text_add(text, record->initializer);
    else if (record->planned != SIZE_MAX)
        return; /* the plan makes it in several steps */
    else if (kin != NULL && (rule = common_rule(&kin->shared, 1)) != NULL)
        fanin_text_add(text, rule);
    else if (kin != NULL)
        fanin_law_write(&kin->first->tensor.fitted, text);
    else if (usual != NULL)
        fanin_text_add(text, usual);
    else if (has_kind(record) &&
             (rule = common_rule(&remedies->kinds[record->tensor.layer_kind][record->layout], 2)) != NULL)
        fanin_text_add(text, rule);
    else if (remedy == FANIN_REMEDY_REDRAW && is_by_rule(record))
        fanin_text_add(text, record->origin->rules[0].rule);
    else if (remedy == FANIN_REMEDY_REDRAW && record->tensor.fitted.kind != FANIN_LAW_NONE)
        fanin_law_write(&record->tensor.fitted, text);
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
static fanin_status common_init(const struct fanin_remedies *remedies, const fanin_diagnosis *diagnosis,
                                const struct fanin_draft *draft, fanin_text *init, fanin_error *error)
{
    for (size_t i = 0; i < draft->ntensors; i++) {
        fanin_text other = {0};
        add_init(remedies, &diagnosis->records[draft->tensors[i]], draft->remedy, i == 0 ? init : &other);
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

fanin_status fanin_remedy_find(const struct fanin_remedies *remedies, fanin_diagnosis *diagnosis,
                               const struct fanin_draft *draft, const char **init, fanin_error *error)
{
    *init = draft->remedy == FANIN_REMEDY_INIT ? draft->init : NULL;
    if (draft->remedy != FANIN_REMEDY_REMAKE && draft->remedy != FANIN_REMEDY_REDRAW)
        return FANIN_OK;
    fanin_text text = {0};
    fanin_status status = common_init(remedies, diagnosis, draft, &text, error);
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
