/* SPDX-License-Identifier: MIT */
/*
 * What reading plan files is made of: values by key, views, and the parts that only recorded plans have.
 */
#ifndef FANIN_PLAN_PLAN_READER_H
#define FANIN_PLAN_PLAN_READER_H

#include "base/json.h"
#include "plan/plan_data.h"

/* Of one stream of a recorded plan: the data-dependent ops read so far, and where the last of them ends. */
typedef struct fanin_stream_reading {
    size_t barriers;
    uint64_t barrier_end;
} fanin_stream_reading;

typedef struct fanin_plan_reader {
    const fanin_json_document *document;
    fanin_plan *plan;
    fanin_error *error;
    /* of a description's plan: */
    fanin_position position;
    size_t *drawing; /* ops that draw, in the order of their positions */
    size_t ndrawing;
    /* of a recorded plan: */
    fanin_stream_reading *streams;
} fanin_plan_reader;

/* A member that must be there and of this kind. */
fanin_status fanin_plan_need(fanin_plan_reader *r, const fanin_json *object, const char *key, fanin_json_kind kind,
                             const fanin_json **value);
fanin_status fanin_plan_need_size(fanin_plan_reader *r, const fanin_json *object, const char *key, int64_t *size);
/* A number that must be just this one. */
fanin_status fanin_plan_need_number(fanin_plan_reader *r, const fanin_json *object, const char *key, uint64_t expected);
/* An index below `count` of what `what` names. */
fanin_status fanin_plan_need_index(fanin_plan_reader *r, const fanin_json *object, const char *key, size_t count,
                                   const char *what, size_t *index);
/* A number, or the word that stands for one JSON has not. */
fanin_status fanin_plan_read_double(fanin_plan_reader *r, const fanin_json *value, const char *key, double *number);
/* Kept in the plan's arena. */
fanin_status fanin_plan_need_text(fanin_plan_reader *r, const fanin_json *object, const char *key, const char **text);
fanin_status fanin_plan_need_word(fanin_plan_reader *r, const fanin_json *object, const char *key, const char *word);
fanin_status fanin_plan_need_sizes(fanin_plan_reader *r, const fanin_json *object, const char *key,
                                   int64_t sizes[FANIN_MAX_DIMS], int32_t *ndim);
/* Refuses a view that reaches beyond `nelem` elements. */
fanin_status fanin_plan_check_inside(fanin_plan_reader *r, const fanin_json *json, int64_t nelem, int64_t offset,
                                     const fanin_tensor *view);
/* A failure of another part of the library, at the place of a value. */
fanin_status fanin_plan_fail_at(fanin_plan_reader *r, const fanin_json *json);

/* ---- recording.c: what only recorded plans have ---- */

fanin_status fanin_recording_read_streams(fanin_plan_reader *r, const fanin_json *list);
fanin_status fanin_recording_read_source(fanin_plan_reader *r, const fanin_json *source);
fanin_status fanin_recording_read_literals(fanin_plan_reader *r, const fanin_json *list);
/* The storage is known, the name is read. */
fanin_status fanin_recording_read_tensor(fanin_plan_reader *r, const fanin_json *json, fanin_plan_tensor *tensor);
/* What a copy, cast or function reads, or the literal. View, kind and storage of the op are there. */
fanin_status fanin_recording_read_content(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op);
/* Position, draws and dependence of a fill, which are stated and checked. */
fanin_status fanin_recording_read_position(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op);
/* An op of a later minor version, kept as it is. */
fanin_status fanin_recording_read_unknown(fanin_plan_reader *r, const fanin_json *json, fanin_plan_op *op);
/* For each op in order, then once: refuses the tensors that depend on ops of a later version. */
void fanin_recording_follow_unknown(fanin_plan *plan, const fanin_plan_op *op);
void fanin_recording_refuse_unknown(fanin_plan *plan);
fanin_status fanin_recording_read_check(fanin_plan_reader *r, const fanin_json *check);

/* ---- coverage.c ---- */

/* Refuses tensors and copies of elements that no op has written. */
fanin_status fanin_plan_check_coverage(const fanin_plan *plan, const char *name, fanin_error *error);

#endif
