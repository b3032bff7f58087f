/* SPDX-License-Identifier: MIT */
/*
 * The check for weights that look as they did before training.
 */
#include "base/error.h"
#include "diagnose/checks.h"
#include "diagnose/origin.h"

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
