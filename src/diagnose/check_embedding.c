/* SPDX-License-Identifier: MIT */
/*
 * The check of embeddings and heads: the row for padding, and numbers to read.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/expected.h"
#include "diagnose/naming.h"

static bool is_head(const fanin_diagnosis_tensor *tensor)
{
    static const char *const names[] = {"lm_head.weight", "embed_out.weight", "output_projection.weight", "head.weight",
                                        "score.weight"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (fanin_name_ends_in(tensor->name, names[i]))
            return tensor->ndim == 2;
    return false;
}

/* The gradient of the row for padding is never used, so what stands there stays for ever. */
static fanin_status check_zero_row(struct fanin_examination *e, fanin_error *error)
{
    const int64_t row = e->record->zero_row;
    const struct fanin_scan *scan = e->scan;
    if (row < 0 || scan->row_means == NULL || (uint64_t)row >= scan->statistics.nrows ||
        (scan->row_means[row] == 0 && scan->row_variances[row] == 0))
        return FANIN_OK;
    struct fanin_draft draft = fanin_draft_begin(FANIN_SEVERITY_WARN);
    draft.topic = "padding";
    draft.measured = sqrt(scan->row_variances[row] + scan->row_means[row] * scan->row_means[row]);
    draft.expected = 0;
    draft.what = fanin_say(e, "row %" PRId64 ", that of padding, is not zero: %.3g in the root mean square", row,
                           draft.measured);
    draft.expectation = fanin_say(e, "a row of zeros (%s)", e->record->tensor.expected_by);
    draft.consequence = "padding says something to the model, and never stops: its row gets no gradient";
    draft.remedy = FANIN_REMEDY_REMAKE;
    return fanin_add(e, &draft, error);
}

fanin_status fanin_check_embedding(struct fanin_examination *e, fanin_error *error)
{
    FANIN_TRY(check_zero_row(e, error));
    const fanin_diagnosis_tensor *tensor = &e->record->tensor;
    const fanin_statistics *s = &e->record->statistics;
    const bool head = is_head(tensor);
    if (tensor->is_buffer || tensor->ndim != 2 || !(s->variance > 0) ||
        (!head && tensor->layer_kind != FANIN_LAYER_EMBEDDING))
        return FANIN_OK;
    const double width = (double)tensor->shape[1], std = fanin_expected_std_of(e->record);
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
