/* SPDX-License-Identifier: MIT */
/*
 * What a model and a plan tell: layer kinds, axes and gates from the one, from the other the law each tensor was, or
 * should have been, drawn from.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "diagnose/facts.h"
#include "diagnose/law.h"
#include "diagnose/naming.h"

/* Rows set apart (the zero row of padding) leave the law of the rest what it is while they are at most one in so many.
 */
#define MINOR_SHARE 56
/* A copy of a copy, that far. */
#define MAX_COPIES 4

/* ---- the model ---- */

static fanin_status copy_text(fanin_diagnosis *diagnosis, const char *text, const char **copy, fanin_error *error)
{
    *copy = text != NULL ? fanin_arena_text(&diagnosis->arena, text, strlen(text)) : NULL;
    return text == NULL || *copy != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(text));
}

static int32_t count_blocks(const char *blocks)
{
    int32_t n = 1;
    for (const char *c = blocks; *c != '\0'; c++)
        n += *c == ',';
    return n;
}

static fanin_status take_described(fanin_diagnosis *diagnosis, const fanin_model_tensor *described,
                                   struct fanin_record *record, fanin_error *error)
{
    if (described->ndim != record->tensor.ndim)
        return FANIN_OK;
    if (described->layer_kind != FANIN_LAYER_NONE) {
        record->tensor.layer_kind = described->layer_kind;
        FANIN_TRY(copy_text(diagnosis, described->role, &record->tensor.role, error));
        fanin_facts_by_role(record);
    }
    record->layout = described->layout;
    if (described->groups != 0)
        record->groups = described->groups;
    if (described->gates != NULL) {
        FANIN_TRY(copy_text(diagnosis, described->gates, &record->blocks, error));
        record->nblocks = count_blocks(described->gates);
    }
    return copy_text(diagnosis, described->tied_to, &record->tied_to, error);
}

fanin_status fanin_facts_by_model(fanin_diagnosis *diagnosis, fanin_error *error)
{
    struct fanin_description description;
    FANIN_TRY(fanin_description_of_model(&description, diagnosis, error));
    fanin_status status = FANIN_OK;
    for (size_t i = 0; i < diagnosis->nrecords && status == FANIN_OK; i++) {
        size_t at = fanin_description_find(&description, diagnosis->records[i].tensor.name);
        if (at != SIZE_MAX)
            status =
                take_described(diagnosis, fanin_model_tensor_at(diagnosis->model, at), &diagnosis->records[i], error);
    }
    fanin_description_end(&description);
    return status;
}

/* ---- the plan ---- */

/* Ops of one storage, in the plan's order. */
struct op_lists {
    const fanin_plan *plan;
    size_t *begin; /* of storage s: order[begin[s]] to order[begin[s + 1] - 1] */
    size_t *order;
    bool *repeats; /* op i draws what an earlier one has drawn */
};

struct drawn {
    const fanin_plan_op *op;
    size_t index;
};

static int order_drawn(const void *a, const void *b)
{
    const struct drawn *x = a, *y = b;
    if (x->op->stream != y->op->stream)
        return x->op->stream < y->op->stream ? -1 : 1;
    if (x->op->barriers != y->op->barriers)
        return x->op->barriers < y->op->barriers ? -1 : 1;
    if (x->op->at != y->op->at)
        return x->op->at < y->op->at ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool same_fill(const fanin_fill *a, const fanin_fill *b)
{
    return a->kind == b->kind && memcmp(a->value, b->value, sizeof a->value) == 0;
}

static fanin_status find_repeats(struct op_lists *lists, fanin_error *error)
{
    size_t nops = fanin_plan_op_count(lists->plan), n = 0;
    struct drawn *drawn = fanin_allocate(nops, sizeof *drawn);
    if (drawn == NULL)
        return fanin_fail_memory(error, nops * sizeof *drawn);
    for (size_t i = 0; i < nops; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(lists->plan, i);
        if (op->kind == FANIN_OP_FILL && op->ndraws > 0)
            drawn[n++] = (struct drawn){op, i};
    }
    qsort(drawn, n, sizeof *drawn, order_drawn);
    for (size_t i = 1; i < n; i++) {
        const fanin_plan_op *a = drawn[i - 1].op, *b = drawn[i].op;
        lists->repeats[drawn[i].index] =
            a->stream == b->stream && a->barriers == b->barriers && a->at == b->at && same_fill(&a->fill, &b->fill);
    }
    fanin_free(drawn);
    return FANIN_OK;
}

static void release_lists(struct op_lists *lists)
{
    fanin_free(lists->begin);
    fanin_free(lists->order);
    fanin_free(lists->repeats);
}

static fanin_status make_lists(struct op_lists *lists, fanin_error *error)
{
    size_t nstorages = fanin_plan_storage_count(lists->plan), nops = fanin_plan_op_count(lists->plan);
    lists->begin = fanin_allocate_zeroed(nstorages + 2, sizeof *lists->begin);
    lists->order = fanin_allocate(nops, sizeof *lists->order);
    lists->repeats = fanin_allocate_zeroed(nops, sizeof *lists->repeats);
    if (lists->begin == NULL || lists->order == NULL || lists->repeats == NULL)
        return fanin_fail_memory(error, (nstorages + nops) * sizeof *lists->order);
    for (size_t i = 0; i < nops; i++)
        lists->begin[fanin_plan_op_at(lists->plan, i)->storage + 2]++;
    for (size_t s = 2; s < nstorages + 2; s++)
        lists->begin[s] += lists->begin[s - 1];
    for (size_t i = 0; i < nops; i++)
        lists->order[lists->begin[fanin_plan_op_at(lists->plan, i)->storage + 1]++] = i;
    return find_repeats(lists, error);
}

/* What was found out about elements [begin, end) of a storage. */
struct origin {
    const fanin_plan_op *fill; /* the op whose law they follow; NULL: none is known */
    bool whole;                /* it alone made them */
    bool copied;
    bool touched;     /* something wrote them */
    int64_t zeros_at; /* the last few that were set to zero: where, from begin; -1 */
    int64_t nzeros;
};

static void find_origin(const struct op_lists *lists, size_t storage, int64_t begin, int64_t end, int depth,
                        struct origin *origin);

static void follow_copy(const struct op_lists *lists, const fanin_plan_op *op, int depth, struct origin *origin)
{
    *origin = (struct origin){.touched = true, .zeros_at = -1};
    bool copy = op->kind == FANIN_OP_COPY || op->kind == FANIN_OP_CAST;
    if (!copy || op->source == NULL || depth >= MAX_COPIES || !fanin_tensor_is_contiguous(&op->source->view))
        return;
    int64_t n = fanin_tensor_nelem(&op->source->view);
    find_origin(lists, op->source->storage, op->source->offset, op->source->offset + n, depth + 1, origin);
    origin->whole = false;
    origin->copied = origin->copied || op->kind == FANIN_OP_COPY;
}

static void find_origin(const struct op_lists *lists, size_t storage, int64_t begin, int64_t end, int depth,
                        struct origin *origin)
{
    int64_t minor = 0, covered = 0;
    *origin = (struct origin){.zeros_at = -1};
    for (size_t k = lists->begin[storage]; k < lists->begin[storage + 1]; k++) {
        const fanin_plan_op *op = fanin_plan_op_at(lists->plan, lists->order[k]);
        int64_t n = fanin_tensor_nelem(&op->view);
        if (op->dead || n <= 0)
            continue;
        if (!fanin_tensor_is_contiguous(&op->view)) { /* columns, diagonals: no law for the whole */
            *origin = (struct origin){.touched = true, .zeros_at = -1};
            continue;
        }
        int64_t from = op->offset > begin ? op->offset : begin;
        int64_t to = op->offset + n < end ? op->offset + n : end;
        if (from >= to)
            continue;
        bool all = from == begin && to == end;
        if (op->kind != FANIN_OP_FILL && all && op->offset == begin && op->offset + n == end)
            follow_copy(lists, op, depth, origin);
        else if (op->kind != FANIN_OP_FILL)
            *origin = (struct origin){.touched = true, .zeros_at = -1};
        else if (all) {
            *origin = (struct origin){op, true, lists->repeats[lists->order[k]], true, -1, 0};
            minor = 0;
            covered = end - begin;
        } else if (origin->fill != NULL && same_fill(&origin->fill->fill, &op->fill)) {
            covered += to - from;
            origin->whole = false;
        } else if (!origin->touched) {
            *origin = (struct origin){op, false, lists->repeats[lists->order[k]], true, -1, 0};
            covered = to - from;
        } else {
            origin->whole = false;
            minor += to - from;
            if (op->fill.kind == FANIN_FILL_CONSTANT && op->fill.value[0] == 0) {
                origin->zeros_at = from - begin;
                origin->nzeros = to - from;
            }
        }
    }
    bool rest = covered > 0 && covered < end - begin - minor;
    if (rest || minor > (end - begin) / MINOR_SHARE)
        origin->fill = NULL;
}

/* Plans of rules carry their calls; of what was recorded the fill is one. */
static fanin_status take_initializer(fanin_diagnosis *diagnosis, const fanin_plan_op *op, struct fanin_record *record,
                                     fanin_error *error)
{
    if (op->initializer != NULL)
        return copy_text(diagnosis, op->initializer, &record->initializer, error);
    fanin_text text = {0};
    fanin_law_write(&record->tensor.expected, &text);
    fanin_status status = text.failed       ? fanin_fail_memory(error, text.nbytes)
                          : text.nbytes > 0 ? copy_text(diagnosis, text.data, &record->initializer, error)
                                            : FANIN_OK;
    fanin_text_release(&text);
    return status;
}

static fanin_status take_planned(fanin_diagnosis *diagnosis, const struct op_lists *lists, size_t at,
                                 struct fanin_record *record, fanin_error *error)
{
    const fanin_plan_tensor *planned = fanin_plan_tensor_at(lists->plan, at);
    fanin_diagnosis_tensor *tensor = &record->tensor;
    const char *family = diagnosis->has_config_plan ? fanin_model_family(diagnosis->model) : NULL;
    struct origin origin = {.zeros_at = -1};
    fanin_tensor view = {.ndim = planned->ndim, .dtype = planned->dtype};
    uint64_t nelem;
    if (planned->refused != NULL || planned->ndim > FANIN_MAX_DIMS)
        return FANIN_OK;
    for (int32_t d = 0; d < planned->ndim; d++) {
        view.shape[d] = planned->shape[d];
        view.strides[d] = planned->strides[d];
    }
    tensor->is_buffer = tensor->is_buffer || planned->is_buffer;
    tensor->is_weight = tensor->is_weight && !planned->is_buffer;
    record->planned = at;
    FANIN_TRY(copy_text(diagnosis, planned->tied_to, &record->tied_to, error));
    if (!fanin_shape_nelem(tensor->shape, tensor->ndim, &nelem) || nelem != planned->nelem)
        return FANIN_OK;
    if (fanin_tensor_is_contiguous(&view))
        find_origin(lists, planned->storage, planned->offset, planned->offset + (int64_t)planned->nelem, 0, &origin);
    record->is_copied = origin.copied;
    tensor->expected_by = family != NULL ? family : "plan";
    if (origin.fill == NULL) {
        tensor->expected.kind = FANIN_LAW_OTHER;
        return FANIN_OK;
    }
    const int64_t ncols = tensor->ndim == 2 ? tensor->shape[1] : 0;
    if (ncols > 0 && origin.nzeros == ncols && origin.zeros_at % ncols == 0)
        record->zero_row = origin.zeros_at / ncols;
    tensor->expected = fanin_law_of_fill(&origin.fill->fill);
    tensor->expected_std = fanin_law_std(&tensor->expected);
    return origin.whole ? take_initializer(diagnosis, origin.fill, record, error) : FANIN_OK;
}

static fanin_status take_plan(fanin_diagnosis *diagnosis, const struct fanin_description *description,
                              struct op_lists *lists, fanin_error *error)
{
    FANIN_TRY(make_lists(lists, error));
    for (size_t i = 0; i < diagnosis->nrecords; i++) {
        size_t at = fanin_description_find(description, diagnosis->records[i].tensor.name);
        if (at != SIZE_MAX)
            FANIN_TRY(take_planned(diagnosis, lists, at, &diagnosis->records[i], error));
    }
    return FANIN_OK;
}

fanin_status fanin_facts_by_plan(fanin_diagnosis *diagnosis, fanin_error *error)
{
    struct fanin_description description;
    struct op_lists lists = {.plan = diagnosis->plan};
    FANIN_TRY(fanin_description_of_plan(&description, diagnosis, error));
    fanin_status status = take_plan(diagnosis, &description, &lists, error);
    release_lists(&lists);
    fanin_description_end(&description);
    return status;
}
