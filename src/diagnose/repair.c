/* SPDX-License-Identifier: MIT */
/*
 * Mending a checkpoint: the tensors with findings are made anew, by the plan they were known by or by the findings'
 * rules, all others are copied byte for byte. publish.h sees to it that the files are whole or absent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "diagnose/diagnosis_data.h"
#include "fanin/version.h"
#include "format/checkpoint_metadata.h"
#include "format/content_digest.h"
#include "format/path.h"
#include "run/publish.h"
#include "run/together.h"

/* Of a tensor that is copied; small enough to stay in the second-level cache until it is hashed and written. */
enum { PIECE_NBYTES = 1 << 20 };
/* Keys that are written anew, or only kept while they are true. */
enum { NOWN_PAIRS = 3 };

/* Tensors that one plan makes. */
typedef struct making {
    const fanin_plan *plan; /* NULL: none */
    fanin_maker maker;
    bool begun;
    size_t *ids;     /* by tensor of the plan: that of the checkpoint which it makes; SIZE_MAX */
    size_t *tensors; /* of the file at hand, in the order of the plan */
} making;

typedef struct repairing {
    const fanin_checkpoint *checkpoint;
    const fanin_diagnosis *diagnosis;
    const fanin_run_options *run;
    const fanin_write_options *write;
    fanin_error *error;
    size_t n;           /* tensors of the checkpoint; what follows has one of each */
    const char **calls; /* by what it is made anew; NULL: it is copied */
    bool *is_left;      /* there is a finding that no rule mends */
    bool *is_asked;     /* and it says that it would be made anew if only a rule could be told */
    uint64_t *offsets;  /* in its file */
    uint8_t (*digests)[32];
    making planned, ruled;
    fanin_plan *by_rules;
    const char **names; /* of the files */
    size_t nfiles;
    fanin_safetensors_tensor *tensors; /* of the file at hand */
    fanin_pair *pairs;                 /* its metadata */
    size_t file;
    bool keeps_provenance; /* all that is made anew is what the checkpoint's own plan and seed make */
    char sha256[65];       /* of the plan */
    char *plan_text;       /* that is written beside the weights; NULL */
    char seed[24];
    uint64_t done_nbytes, total_nbytes, begun_nbytes;
    fanin_publication files;
} repairing;

/* -- What is made anew, and by what ------------------------------------------------------------------------------- */

/* What stands behind the first '=' of PATTERN=INIT(args). */
static const char *call_of(const char *rule)
{
    const char *equals = strchr(rule, '=');
    return equals != NULL ? equals + 1 : rule;
}

/* Worst first: the first finding with a rule decides. */
static void collect_calls(repairing *r)
{
    for (size_t i = 0; i < fanin_diagnosis_finding_count(r->diagnosis); i++) {
        const fanin_finding *finding = fanin_diagnosis_finding_at(r->diagnosis, i);
        for (size_t k = 0; k < finding->ntensors && finding->severity > FANIN_SEVERITY_INFO; k++) {
            const char *name = fanin_diagnosis_tensor_at(r->diagnosis, finding->tensors[k])->name;
            const size_t id = fanin_checkpoint_tensor_find(r->checkpoint, name);
            if (id == SIZE_MAX)
                continue;
            if (finding->rule == NULL) {
                r->is_left[id] = true;
                r->is_asked[id] = r->is_asked[id] || finding->missing != NULL;
            } else if (r->calls[id] == NULL) {
                r->calls[id] = call_of(finding->rule);
            }
        }
    }
}

static bool is_same_kind(const fanin_plan_tensor *planned, const fanin_checkpoint_tensor *found)
{
    return planned->refused == NULL && planned->dtype == found->dtype && planned->ndim == found->ndim &&
           memcmp(planned->shape, found->shape, (size_t)found->ndim * sizeof *found->shape) == 0;
}

/* What the diagnosis knows of a tensor. */
static const struct fanin_record *record_of(const repairing *r, const char *name)
{
    const size_t i = fanin_names_find(&r->diagnosis->names, name);
    return i != SIZE_MAX ? &r->diagnosis->records[i] : NULL;
}

/* The plan makes what its own call is to make anew, and what no rule could be told for: it may take several steps. */
static void choose_planned(repairing *r)
{
    making *m = &r->planned;
    for (size_t t = 0; m->plan != NULL && t < fanin_plan_tensor_count(m->plan); t++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(m->plan, t);
        const size_t id = fanin_checkpoint_tensor_find(r->checkpoint, tensor->name);
        const struct fanin_record *record = record_of(r, tensor->name);
        m->ids[t] = SIZE_MAX;
        if (id == SIZE_MAX || !is_same_kind(tensor, fanin_checkpoint_tensor_at(r->checkpoint, id)))
            continue;
        const char *call = record != NULL && record->planned != SIZE_MAX ? record->initializer : NULL;
        if (r->calls[id] != NULL && call != NULL && strcmp(r->calls[id], call) == 0)
            m->ids[t] = id;
        if (r->calls[id] == NULL && r->is_asked[id]) {
            m->ids[t] = id;
            r->calls[id] = call != NULL ? call : "several steps of the plan";
        }
    }
}

static bool is_constant(const char *call)
{
    return strncmp(call, "zeros", 5) == 0 || strncmp(call, "ones", 4) == 0 || strncmp(call, "constant", 8) == 0;
}

/* Rules make no random values in 8 bits, and no more dimensions than a tensor has. */
static bool rules_can_make(const fanin_checkpoint_tensor *tensor, const char *call)
{
    return tensor->ndim <= FANIN_MAX_DIMS && (fanin_dtype_is_random(tensor->dtype) || is_constant(call));
}

static void add_tensor(const repairing *r, size_t id, size_t rule, fanin_text *spec)
{
    static const char *const layouts[] = {"out_in", "in_out", "transposed"};
    const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(r->checkpoint, id);
    const struct fanin_record *record = record_of(r, tensor->name);
    fanin_text_format(spec, "{\"name\":\"%zu.%zu\",\"dtype\":\"%s\",\"shape\":[", rule, id,
                      fanin_dtype_name(tensor->dtype));
    for (int32_t d = 0; d < tensor->ndim; d++)
        fanin_text_format(spec, "%s%" PRId64, d > 0 ? "," : "", tensor->shape[d]);
    fanin_text_add(spec, "]");
    if (record != NULL && record->layout != FANIN_LAYOUT_OUT_IN)
        fanin_text_format(spec, ",\"layout\":\"%s\"", layouts[record->layout]);
    if (record != NULL && record->groups > 1)
        fanin_text_format(spec, ",\"groups\":%" PRId32, record->groups);
    fanin_text_add(spec, "}");
}

/* What is made anew and has a row for padding gets it back. */
static void add_zero_row(const repairing *r, size_t id, fanin_text *spec)
{
    const struct fanin_record *record = record_of(r, fanin_checkpoint_tensor_at(r->checkpoint, id)->name);
    if (record != NULL && record->zero_row >= 0)
        fanin_text_format(spec, "\n{\"match\":\"*.%zu\",\"row\":%" PRId64 ",\"init\":\"zeros\"},", id,
                          record->zero_row);
}

/*
 * Tensors of one call share a rule: "3.17" is tensor 17 of the checkpoint, by rule 3. So there are as many rules as
 * calls, and a pattern of a finding cannot take what another finding is about. rules has room for all.
 */
static void describe(const repairing *r, const bool *by_rule, const char **rules, fanin_text *spec)
{
    size_t n = 0, nrules = 0;
    fanin_text_add(spec, "{\"format\":\"fanin-spec\",\"version\":1,\"tensors\":[");
    for (size_t id = 0; id < r->n; id++) {
        size_t rule = 0;
        if (!by_rule[id])
            continue;
        while (rule < nrules && strcmp(rules[rule], r->calls[id]) != 0)
            rule++;
        if (rule == nrules)
            rules[nrules++] = r->calls[id];
        fanin_text_add(spec, n++ > 0 ? ",\n" : "\n");
        add_tensor(r, id, rule, spec);
    }
    fanin_text_add(spec, "],\n\"rules\":[");
    for (size_t id = 0; id < r->n; id++)
        if (by_rule[id])
            add_zero_row(r, id, spec);
    for (size_t rule = 0; rule < nrules; rule++) {
        fanin_text_format(spec, "%s{\"match\":\"%zu.*\",\"init\":", rule > 0 ? ",\n" : "\n", rule);
        fanin_text_json_string(spec, rules[rule], strlen(rules[rule]));
        fanin_text_add(spec, "}");
    }
    fanin_text_add(spec, "]}");
}

static fanin_status plan_rules(repairing *r, const fanin_text *spec)
{
    fanin_model *model;
    const fanin_plan_options options = {.size = sizeof options,
                                        .profile = r->planned.plan != NULL ? fanin_plan_profile(r->planned.plan) : 0};
    if (spec->failed)
        return fanin_fail_memory(r->error, spec->nbytes);
    FANIN_TRY(fanin_model_parse(spec->data, spec->nbytes, "what is made anew", &model, r->error));
    fanin_status status = fanin_plan_create(model, NULL, &options, &r->by_rules, r->error);
    fanin_model_free(model);
    return status;
}

/* Which tensors are left to rules, and how many. */
static size_t list_ruled(repairing *r, bool *by_rule)
{
    const making *m = &r->planned;
    size_t n = 0;
    for (size_t id = 0; id < r->n; id++)
        by_rule[id] = r->calls[id] != NULL;
    for (size_t t = 0; m->plan != NULL && t < fanin_plan_tensor_count(m->plan); t++)
        if (m->ids[t] != SIZE_MAX)
            by_rule[m->ids[t]] = false;
    for (size_t id = 0; id < r->n; id++) {
        if (by_rule[id] && !rules_can_make(fanin_checkpoint_tensor_at(r->checkpoint, id), r->calls[id])) {
            by_rule[id] = false;
            r->calls[id] = NULL;
            r->is_left[id] = true;
        }
        n += by_rule[id];
    }
    return n;
}

static fanin_status read_ids(repairing *r)
{
    making *m = &r->ruled;
    const size_t n = fanin_plan_tensor_count(r->by_rules);
    m->plan = r->by_rules;
    m->ids = fanin_allocate(n, sizeof *m->ids);
    if (m->ids == NULL)
        return fanin_fail_memory(r->error, n * sizeof *m->ids);
    for (size_t t = 0; t < n; t++) {
        const char *digits = strchr(fanin_plan_tensor_at(m->plan, t)->name, '.') + 1;
        uint64_t id = 0;
        (void)fanin_u64_parse(digits, strlen(digits), &id);
        m->ids[t] = (size_t)id;
    }
    return FANIN_OK;
}

static fanin_status choose_ruled(repairing *r)
{
    fanin_text spec = {0};
    bool *by_rule = fanin_allocate_zeroed(r->n, sizeof *by_rule);
    const char **rules = fanin_allocate(r->n, sizeof *rules);
    fanin_status status = FANIN_OK;
    if (by_rule == NULL || rules == NULL) {
        status = fanin_fail_memory(r->error, r->n * sizeof *rules);
    } else if (list_ruled(r, by_rule) > 0) {
        describe(r, by_rule, rules, &spec);
        status = plan_rules(r, &spec);
    }
    fanin_text_release(&spec);
    fanin_free((void *)rules);
    fanin_free(by_rule);
    return status == FANIN_OK && r->by_rules != NULL ? read_ids(r) : status;
}

/* -- What the files say of themselves ----------------------------------------------------------------------------- */

static bool is_provenance(const char *key)
{
    static const char *const keys[] = {FANIN_METADATA_PROFILE, FANIN_METADATA_SEED, FANIN_METADATA_PLAN_SHA256,
                                       FANIN_METADATA_PLAN, FANIN_METADATA_SOURCE};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static fanin_status decide_provenance(repairing *r)
{
    const char *sha256 = fanin_checkpoint_metadata(r->checkpoint, FANIN_METADATA_PLAN_SHA256);
    const char *seed = fanin_checkpoint_metadata(r->checkpoint, FANIN_METADATA_SEED);
    snprintf(r->seed, sizeof r->seed, "%" PRIu64, r->run->seed);
    if (r->planned.plan == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_plan_sha256(r->planned.plan, r->sha256, r->error));
    r->keeps_provenance = sha256 != NULL && seed != NULL && r->by_rules == NULL && strcmp(sha256, r->sha256) == 0 &&
                          strcmp(seed, r->seed) == 0;
    if (r->keeps_provenance && fanin_checkpoint_metadata(r->checkpoint, FANIN_METADATA_PLAN) == NULL)
        return fanin_plan_to_json(r->planned.plan, &r->plan_text, r->error);
    return FANIN_OK;
}

/* {"seed": "7", "profile": "torch-2.13", "source": "model", "tensors": {"fc.weight": "normal(std=0.02)"}} */
static void tell_repair(const repairing *r, const size_t *ids, size_t n, fanin_text *text)
{
    const fanin_plan *plan = r->planned.plan != NULL ? r->planned.plan : r->ruled.plan;
    const char *source = r->write->source != NULL ? r->write->source : fanin_checkpoint_path(r->checkpoint);
    const char *earlier = fanin_checkpoint_metadata(r->checkpoint, FANIN_METADATA_REPAIR);
    size_t ntold = 0;
    fanin_text_format(text, "{\"seed\":\"%s\"", r->seed);
    if (plan != NULL)
        fanin_text_format(text, ",\"profile\":\"%s\"", fanin_profile_name(fanin_plan_profile(plan)));
    if (r->planned.plan != NULL)
        fanin_text_format(text, ",\"plan_sha256\":\"%s\"", r->sha256);
    fanin_text_add(text, ",\"source\":");
    fanin_text_json_string(text, source, strlen(source));
    fanin_text_add(text, ",\"tensors\":{");
    for (size_t i = 0; i < n; i++) {
        const char *name = fanin_checkpoint_tensor_at(r->checkpoint, ids[i])->name;
        if (r->calls[ids[i]] == NULL)
            continue;
        fanin_text_add(text, ntold++ > 0 ? "," : "");
        fanin_text_json_string(text, name, strlen(name));
        fanin_text_add(text, ":");
        fanin_text_json_string(text, r->calls[ids[i]], strlen(r->calls[ids[i]]));
    }
    fanin_text_add(text, "}");
    if (earlier != NULL) {
        fanin_text_add(text, ",\"earlier\":");
        fanin_text_json_string(text, earlier, strlen(earlier));
    }
    fanin_text_add(text, "}");
}

static void add_pair(repairing *r, const char *key, const char *value, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(r->pairs[i].key, key) == 0)
            return;
    r->pairs[(*n)++] = (fanin_pair){.key = key, .value = value};
}

/* What the source's files say is kept where it is still true; of several that become one, the first is believed. */
static size_t collect_pairs(repairing *r, size_t file, const char *repair)
{
    const bool is_one = r->nfiles == 1;
    size_t n = 0;
    add_pair(r, FANIN_METADATA_REPAIR, repair, &n);
    add_pair(r, FANIN_METADATA_VERSION, fanin_version(), &n);
    for (size_t f = 0; f < fanin_checkpoint_file_count(r->checkpoint); f++) {
        size_t npairs;
        const fanin_pair *pairs = fanin_checkpoint_pairs(r->checkpoint, f, &npairs);
        for (size_t i = 0; i < npairs && (is_one || f == file); i++)
            if (r->keeps_provenance || !is_provenance(pairs[i].key))
                add_pair(r, pairs[i].key, pairs[i].value, &n);
    }
    add_pair(r, "format", "pt", &n); /* what transformers asks for before it loads */
    return n;
}

static size_t count_pairs(const repairing *r)
{
    size_t total = NOWN_PAIRS;
    for (size_t f = 0; f < fanin_checkpoint_file_count(r->checkpoint); f++) {
        size_t npairs;
        (void)fanin_checkpoint_pairs(r->checkpoint, f, &npairs);
        total += npairs;
    }
    return total;
}

/* The file up to its data, where its tensors begin, and how long it is. Leaves its tensors in r->tensors. */
static fanin_status format_file(repairing *r, size_t file, fanin_text *header, uint64_t *nbytes, size_t *ntensors)
{
    size_t n = 0;
    fanin_text repair = {0};
    size_t *ids = fanin_allocate(r->n, sizeof *ids);
    if (ids == NULL)
        return fanin_fail_memory(r->error, r->n * sizeof *ids);
    for (size_t id = 0; id < r->n; id++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(r->checkpoint, id);
        if (r->nfiles > 1 && tensor->file != file)
            continue;
        r->tensors[n] = (fanin_safetensors_tensor){.name = tensor->name,
                                                   .dtype = tensor->dtype,
                                                   .ndim = tensor->ndim,
                                                   .shape = tensor->shape,
                                                   .nelem = tensor->nelem,
                                                   .id = id};
        ids[n++] = id;
    }
    tell_repair(r, ids, n, &repair);
    fanin_free(ids);
    fanin_status status = repair.failed ? fanin_fail_memory(r->error, repair.nbytes) : FANIN_OK;
    if (status == FANIN_OK)
        status = fanin_safetensors_format(r->tensors, n, r->pairs, collect_pairs(r, file, repair.data), r->write->path,
                                          header, r->error);
    fanin_text_release(&repair);
    FANIN_TRY(status);
    for (size_t i = 0; i < n; i++)
        r->offsets[r->tensors[i].id] = header->nbytes + r->tensors[i].begin;
    *nbytes = header->nbytes + (n > 0 ? r->tensors[n - 1].end : 0);
    *ntensors = n;
    return FANIN_OK;
}

static fanin_status check_headers(repairing *r)
{
    fanin_status status = FANIN_OK;
    for (size_t file = 0; file < r->nfiles && status == FANIN_OK; file++) {
        fanin_text header = {0};
        uint64_t nbytes;
        size_t n;
        status = format_file(r, file, &header, &nbytes, &n);
        fanin_text_release(&header);
    }
    return status;
}

/* -- Making the files --------------------------------------------------------------------------------------------- */

/* The makers of two plans, and what is copied, are one progress. */
static bool note_progress(void *user, uint64_t done_nbytes, uint64_t total_nbytes)
{
    repairing *r = user;
    (void)total_nbytes;
    r->done_nbytes = r->begun_nbytes + done_nbytes;
    return r->run->progress == NULL || r->run->progress(r->run->user, r->done_nbytes, r->total_nbytes);
}

typedef struct filling {
    repairing *of;
    making *by;
    size_t ntensors; /* of the file, in of->tensors */
    fanin_file_writer writer;
} filling;

static fanin_status make_tensor(void *user, fanin_maker *maker, size_t tensor, fanin_error *error)
{
    filling *f = user;
    fanin_file_sink file = fanin_file_sink_create(&f->writer, f->of->offsets);
    fanin_digest_sink hashing = fanin_digest_sink_create(&file.sink, f->of->digests);
    return fanin_maker_make(maker, tensor, &hashing.sink, f->by->ids[tensor], error);
}

/* What this plan makes of the file at hand. */
static fanin_status make_part(filling *f, making *m)
{
    repairing *r = f->of;
    size_t n = 0;
    if (m->plan == NULL)
        return FANIN_OK;
    for (size_t t = 0; t < fanin_plan_tensor_count(m->plan); t++)
        if (m->ids[t] != SIZE_MAX &&
            (r->nfiles == 1 || fanin_checkpoint_tensor_at(r->checkpoint, m->ids[t])->file == r->file))
            m->tensors[n++] = t;
    const fanin_together together = {
        .maker = &m->maker, .tensors = m->tensors, .ntensors = n, .make = make_tensor, .user = f};
    f->by = m;
    r->begun_nbytes = r->done_nbytes - m->maker.done_nbytes;
    return fanin_make_together(&together, r->error);
}

static fanin_status copy_tensor(filling *f, size_t id, uint8_t *piece)
{
    repairing *r = f->of;
    const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(r->checkpoint, id);
    fanin_file_sink file = fanin_file_sink_create(&f->writer, r->offsets);
    fanin_digest_sink hashing = fanin_digest_sink_create(&file.sink, r->digests);
    r->begun_nbytes = r->done_nbytes;
    for (uint64_t at = 0; at < tensor->nbytes; at += PIECE_NBYTES) {
        const uint64_t left = tensor->nbytes - at;
        const size_t nbytes = left < PIECE_NBYTES ? (size_t)left : PIECE_NBYTES;
        FANIN_TRY(fanin_checkpoint_read(r->checkpoint, id, at, piece, nbytes, r->error));
        FANIN_TRY(hashing.sink.put(&hashing.sink, id, at, piece, nbytes, r->error));
        if (!note_progress(r, at + nbytes, 0))
            return fanin_fail(r->error, FANIN_ERROR_CANCELLED, "cancelled after %" PRIu64 " of %" PRIu64 " bytes",
                              r->done_nbytes, r->total_nbytes);
    }
    return hashing.sink.end(&hashing.sink, id, r->error);
}

static fanin_status copy_part(filling *f)
{
    fanin_status status = FANIN_OK;
    uint8_t *piece = fanin_allocate(PIECE_NBYTES, 1);
    if (piece == NULL)
        return fanin_fail_memory(f->of->error, PIECE_NBYTES);
    for (size_t i = 0; i < f->ntensors && status == FANIN_OK; i++)
        if (f->of->calls[f->of->tensors[i].id] == NULL)
            status = copy_tensor(f, f->of->tensors[i].id, piece);
    fanin_free(piece);
    return status;
}

static fanin_status fill_file(void *user, const fanin_partial *partial)
{
    filling *f = user;
    fanin_file_writer_begin(&f->writer, partial->fd, partial->path, fanin_count_together(f->of->run->parallel, false));
    fanin_status status = copy_part(f);
    if (status == FANIN_OK)
        status = make_part(f, &f->of->planned);
    if (status == FANIN_OK)
        status = make_part(f, &f->of->ruled);
    if (status == FANIN_OK)
        status = fanin_file_writer_finish(&f->writer, f->of->error);
    fanin_file_writer_end(&f->writer);
    return status;
}

static fanin_status write_file(repairing *r, size_t file)
{
    filling f = {.of = r};
    fanin_text header = {0};
    uint64_t nbytes;
    r->file = file;
    fanin_status status = format_file(r, file, &header, &nbytes, &f.ntensors);
    if (status == FANIN_OK)
        status = fanin_publication_write(&r->files, file, &header, nbytes, fill_file, &f);
    fanin_text_release(&header);
    return status;
}

static fanin_status write_index(repairing *r)
{
    fanin_text text = {0};
    uint64_t total = 0;
    if (r->nfiles == 1)
        return fanin_publication_write_beside(&r->files, NULL);
    fanin_index_entry *entries = fanin_allocate(r->n, sizeof *entries);
    if (entries == NULL)
        return fanin_fail_memory(r->error, r->n * sizeof *entries);
    for (size_t id = 0; id < r->n; id++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(r->checkpoint, id);
        entries[id] = (fanin_index_entry){.tensor = tensor->name, .file = r->names[tensor->file]};
        total += tensor->nbytes;
    }
    fanin_status status = fanin_index_format(entries, r->n, total, &text, r->error);
    if (status == FANIN_OK)
        status = fanin_publication_write_beside(&r->files, &text);
    fanin_text_release(&text);
    fanin_free(entries);
    return status;
}

static void add_up(const repairing *r, fanin_repair_result *result)
{
    fanin_sha256 content;
    fanin_sha256_begin(&content);
    *result = (fanin_repair_result){0};
    for (size_t id = 0; id < r->n; id++) {
        const fanin_checkpoint_tensor *tensor = fanin_checkpoint_tensor_at(r->checkpoint, id);
        result->nmade += r->calls[id] != NULL;
        result->nleft += r->calls[id] == NULL && r->is_left[id];
        fanin_content_digest_add(&content, tensor->name, tensor->dtype, tensor->ndim, tensor->shape, r->digests[id]);
    }
    fanin_sha256_end(&content, result->digest.bytes);
}

/* -- All together ------------------------------------------------------------------------------------------------- */

static fanin_status allocate(repairing *r)
{
    const size_t nplanned = r->planned.plan != NULL ? fanin_plan_tensor_count(r->planned.plan) : 0;
    r->calls = fanin_allocate_zeroed(r->n, sizeof *r->calls);
    r->is_left = fanin_allocate_zeroed(r->n, sizeof *r->is_left);
    r->is_asked = fanin_allocate_zeroed(r->n, sizeof *r->is_asked);
    r->offsets = fanin_allocate(r->n, sizeof *r->offsets);
    r->digests = fanin_allocate(r->n, sizeof *r->digests);
    r->tensors = fanin_allocate(r->n, sizeof *r->tensors);
    r->pairs = fanin_allocate(count_pairs(r), sizeof *r->pairs);
    r->names = fanin_allocate(fanin_checkpoint_file_count(r->checkpoint) + 1, sizeof *r->names);
    r->planned.ids = fanin_allocate(nplanned, sizeof *r->planned.ids);
    return r->calls != NULL && r->is_left != NULL && r->is_asked != NULL && r->offsets != NULL && r->digests != NULL &&
                   r->tensors != NULL && r->pairs != NULL && r->names != NULL && r->planned.ids != NULL
               ? FANIN_OK
               : fanin_fail_memory(r->error, r->n * sizeof *r->tensors);
}

/* One file, or those of the source. */
static void name_files(repairing *r)
{
    const size_t nfiles = fanin_checkpoint_file_count(r->checkpoint);
    r->nfiles = fanin_output_is_folder(r->write->path) && nfiles > 1 ? nfiles : 1;
    r->names[0] = "model.safetensors";
    for (size_t f = 0; f < r->nfiles && r->nfiles > 1; f++) {
        const char *path = fanin_checkpoint_file_at(r->checkpoint, f), *slash = strrchr(path, '/');
        r->names[f] = slash != NULL ? slash + 1 : path;
    }
}

static fanin_status begin_making(repairing *r, making *m, const fanin_run_options *options)
{
    if (m->plan == NULL)
        return FANIN_OK;
    const size_t n = fanin_plan_tensor_count(m->plan);
    m->tensors = fanin_allocate(n, sizeof *m->tensors);
    if (m->tensors == NULL)
        return fanin_fail_memory(r->error, n * sizeof *m->tensors);
    FANIN_TRY(fanin_maker_begin(&m->maker, m->plan, options, r->error));
    m->maker.total_nbytes = r->total_nbytes;
    m->begun = true;
    return FANIN_OK;
}

static void end_making(making *m)
{
    if (m->begun)
        fanin_maker_end(&m->maker);
    fanin_free(m->tensors);
    fanin_free(m->ids);
}

static fanin_status repair(repairing *r, const fanin_run_options *options, fanin_repair_result *result)
{
    FANIN_TRY(allocate(r));
    name_files(r);
    collect_calls(r);
    choose_planned(r);
    FANIN_TRY(choose_ruled(r));
    FANIN_TRY(decide_provenance(r));
    FANIN_TRY(begin_making(r, &r->planned, options));
    FANIN_TRY(begin_making(r, &r->ruled, options));
    FANIN_TRY(check_headers(r));
    uint8_t path_sha256[32];
    char hex[65];
    fanin_sha256 hash;
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, r->write->path, strlen(r->write->path));
    fanin_sha256_end(&hash, path_sha256);
    fanin_hex32(path_sha256, hex);
    FANIN_TRY(fanin_publication_begin(&r->files, r->write, hex, r->names, r->nfiles, r->plan_text,
                                      r->plan_text != NULL ? strlen(r->plan_text) : 0, r->error));
    FANIN_TRY(fanin_publication_open(&r->files));
    for (size_t file = 0; file < r->nfiles; file++)
        FANIN_TRY(write_file(r, file));
    FANIN_TRY(write_index(r));
    add_up(r, result);
    return fanin_publication_commit(&r->files);
}

static void release(repairing *r)
{
    fanin_publication_end(&r->files);
    end_making(&r->planned);
    end_making(&r->ruled);
    fanin_plan_free(r->by_rules);
    fanin_free(r->plan_text);
    fanin_free((void *)r->names);
    fanin_free(r->pairs);
    fanin_free(r->tensors);
    fanin_free(r->digests);
    fanin_free(r->offsets);
    fanin_free(r->is_asked);
    fanin_free(r->is_left);
    fanin_free((void *)r->calls);
}

fanin_status fanin_repair(const fanin_checkpoint *checkpoint, const fanin_diagnosis *diagnosis, const fanin_plan *plan,
                          const fanin_run_options *run, const fanin_write_options *write, fanin_repair_result *result,
                          fanin_error *error)
{
    fanin_error own;
    fanin_repair_result local;
    error = error != NULL ? error : &own;
    fanin_clear(error);
    FANIN_TRY(fanin_write_options_check(write, error));
    if (run == NULL || run->size < sizeof *run)
        return fanin_fail(error, FANIN_ERROR_ARGUMENT,
                          "fanin_run_options.size must be sizeof(fanin_run_options), %zu, not %zu", sizeof *run,
                          run != NULL ? run->size : 0);
    if (fanin_path_ends_with(write->path, ".npy"))
        return fanin_fail(error, FANIN_ERROR_UNSUPPORTED,
                          "%s: a .npy file cannot say how it was mended; write PATH.safetensors, or a folder",
                          write->path);
    repairing r = {.checkpoint = checkpoint,
                   .diagnosis = diagnosis,
                   .planned = {.plan = plan},
                   .run = run,
                   .write = write,
                   .error = error,
                   .n = fanin_checkpoint_tensor_count(checkpoint)};
    for (size_t id = 0; id < r.n; id++)
        r.total_nbytes += fanin_checkpoint_tensor_at(checkpoint, id)->nbytes;
    const fanin_run_options options = {
        .size = sizeof options, .seed = run->seed, .progress = note_progress, .user = &r, .parallel = run->parallel};
    fanin_status status = repair(&r, &options, &local);
    release(&r);
    if (status == FANIN_OK && result != NULL)
        *result = local;
    return status;
}
