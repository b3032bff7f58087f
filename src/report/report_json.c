/* SPDX-License-Identifier: MIT */
/*
 * A diagnosis as JSON, by docs/check.schema.json: the summary, the findings, and what is known of every tensor.
 */
#include "fanin/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* JSON as it is written: two blanks a level, one member a line, arrays of numbers in one line. */
typedef struct writer {
    fanin_text text;
    int depth;
    bool has_items; /* the open object or array has one already */
} writer;

/* What is no UTF-8 becomes U+FFFD, and no control character reaches a terminal, whatever a name holds. */
static void add_text(fanin_text *to, const char *text)
{
    size_t nbytes = strlen(text);
    fanin_text_add(to, "\"");
    while (nbytes > 0) {
        const unsigned char first = (unsigned char)text[0];
        const size_t n = fanin_utf8_length(text, nbytes);
        if (n == 0)
            fanin_text_add(to, "\\ufffd");
        else if (first < 0x20 || first == 0x7f)
            fanin_text_format(to, "\\u%04x", first);
        else if (first == 0xc2 && (unsigned char)text[1] < 0xa0)
            fanin_text_format(to, "\\u%04x", (unsigned char)text[1]);
        else if (first == '"' || first == '\\')
            fanin_text_format(to, "\\%c", first);
        else
            fanin_text_append(to, text, n);
        text += n > 0 ? n : 1;
        nbytes -= n > 0 ? n : 1;
    }
    fanin_text_add(to, "\"");
}

/* key: NULL for an item of an array. */
static void begin_value(writer *w, const char *key)
{
    if (w->depth > 0)
        fanin_text_format(&w->text, "%s\n%*s", w->has_items ? "," : "", w->depth * 2, "");
    w->has_items = true;
    if (key != NULL)
        fanin_text_format(&w->text, "\"%s\": ", key);
}

static void begin(writer *w, const char *key, const char *bracket)
{
    begin_value(w, key);
    fanin_text_add(&w->text, bracket);
    w->depth++;
    w->has_items = false;
}

static void end(writer *w, const char *bracket)
{
    w->depth--;
    if (w->has_items)
        fanin_text_format(&w->text, "\n%*s", w->depth * 2, "");
    fanin_text_add(&w->text, bracket);
    w->has_items = true;
}

static void put_text(writer *w, const char *key, const char *text)
{
    begin_value(w, key);
    if (text != NULL)
        add_text(&w->text, text);
    else
        fanin_text_add(&w->text, "null");
}

static void put_bool(writer *w, const char *key, bool value)
{
    begin_value(w, key);
    fanin_text_add(&w->text, value ? "true" : "false");
}

static void add_number(writer *w, double value)
{
    char text[FANIN_NUMBER_NBYTES];
    fanin_text_add(&w->text, isfinite(value) ? fanin_number_format(value, text) : "null");
}

static void put_number(writer *w, const char *key, double value)
{
    begin_value(w, key);
    add_number(w, value);
}

/* Many readers keep numbers as doubles: what they would round is written as a string of its digits. */
static void add_u64(writer *w, uint64_t value)
{
    const char *quote = value > (uint64_t)1 << 53 ? "\"" : "";
    fanin_text_format(&w->text, "%s%" PRIu64 "%s", quote, value, quote);
}

static void put_u64(writer *w, const char *key, uint64_t value)
{
    begin_value(w, key);
    add_u64(w, value);
}

static void put_index(writer *w, const char *key, uint64_t index)
{
    if (index == FANIN_NO_INDEX)
        put_text(w, key, NULL);
    else
        put_u64(w, key, index);
}

/* -1: there is none. */
static void put_i64(writer *w, const char *key, int64_t value)
{
    put_index(w, key, value < 0 ? FANIN_NO_INDEX : (uint64_t)value);
}

/* -- The parts ---------------------------------------------------------------------------------------------------- */

static void put_law(writer *w, const char *key, const fanin_law *law)
{
    static const char *const names[] = {
        [FANIN_LAW_CONSTANT] = "constant",         [FANIN_LAW_UNIFORM] = "uniform",       [FANIN_LAW_NORMAL] = "normal",
        [FANIN_LAW_TRUNC_NORMAL] = "trunc_normal", [FANIN_LAW_ORTHOGONAL] = "orthogonal", [FANIN_LAW_OTHER] = "other",
    };
    if (law->kind == FANIN_LAW_NONE) {
        put_text(w, key, NULL);
        return;
    }
    const bool is_normal = law->kind == FANIN_LAW_NORMAL || law->kind == FANIN_LAW_TRUNC_NORMAL;
    begin(w, key, "{");
    put_text(w, "kind", names[law->kind]);
    if (law->kind == FANIN_LAW_CONSTANT)
        put_number(w, "value", law->value);
    if (law->kind == FANIN_LAW_ORTHOGONAL)
        put_number(w, "gain", law->value);
    if (is_normal) {
        put_number(w, "mean", law->mean);
        put_number(w, "std", law->std);
    }
    if (law->kind == FANIN_LAW_UNIFORM || law->kind == FANIN_LAW_TRUNC_NORMAL) {
        put_number(w, "low", law->low);
        put_number(w, "high", law->high);
    }
    end(w, "}");
}

static void put_quantiles(writer *w, const fanin_statistics *s)
{
    begin_value(w, "quantiles");
    fanin_text_add(&w->text, "[");
    for (size_t i = 0; i < FANIN_QUANTILE_COUNT; i++) {
        fanin_text_add(&w->text, i > 0 ? ", [" : "[");
        add_number(w, fanin_statistics_quantile_at(i));
        fanin_text_add(&w->text, ", ");
        add_number(w, s->quantiles[i]);
        fanin_text_add(&w->text, "]");
    }
    fanin_text_add(&w->text, "]");
}

static void put_histogram(writer *w, const fanin_statistics *s)
{
    begin_value(w, "histogram");
    fanin_text_add(&w->text, "[");
    for (size_t i = 0; i < FANIN_HISTOGRAM_NBINS; i++) {
        fanin_text_add(&w->text, i > 0 ? ", " : "");
        add_u64(w, s->histogram[i]);
    }
    fanin_text_add(&w->text, "]");
}

static void put_statistics(writer *w, const fanin_statistics *s)
{
    char hash[17];
    snprintf(hash, sizeof hash, "%016" PRIx64, s->hash);
    begin(w, "statistics", "{");
    put_bool(w, "is_float", s->is_float);
    put_u64(w, "nelem", s->nelem);
    put_text(w, "hash", hash);
    if (s->is_float) {
        put_u64(w, "nnan", s->nnan);
        put_u64(w, "ninf", s->ninf);
        put_u64(w, "nzero", s->nzero);
        put_u64(w, "nsubnormal", s->nsubnormal);
        put_index(w, "first_nan", s->first_nan);
        put_index(w, "first_inf", s->first_inf);
        put_u64(w, "zero_run", s->zero_run);
        put_index(w, "zero_run_at", s->zero_run_at);
        put_number(w, "min", s->min);
        put_number(w, "max", s->max);
        put_u64(w, "nmin", s->nmin);
        put_u64(w, "nmax", s->nmax);
        put_number(w, "mean", s->mean);
        put_number(w, "variance", s->variance);
        put_number(w, "std", sqrt(s->variance));
        put_number(w, "skewness", s->skewness);
        put_number(w, "kurtosis", s->kurtosis);
        put_quantiles(w, s);
        put_number(w, "median_abs", s->median_abs);
        put_histogram(w, s);
        put_number(w, "distinct", s->distinct);
        put_number(w, "lag1", s->lag1);
        put_u64(w, "nrows", s->nrows);
        put_u64(w, "ncols", s->ncols);
        put_u64(w, "nzero_rows", s->nzero_rows);
        put_number(w, "row_variance_min", s->row_variance_min);
        put_number(w, "row_variance_max", s->row_variance_max);
        put_number(w, "column_variance_min", s->column_variance_min);
        put_number(w, "column_variance_max", s->column_variance_max);
    }
    end(w, "}");
}

static void put_finding(writer *w, const fanin_diagnosis *diagnosis, const fanin_finding *finding)
{
    begin(w, NULL, "{");
    put_text(w, "id", finding->check->id);
    put_text(w, "title", finding->check->title);
    put_text(w, "severity", fanin_severity_name(finding->severity));
    put_text(w, "where", finding->where);
    begin(w, "tensors", "[");
    for (size_t i = 0; i < finding->ntensors; i++)
        put_text(w, NULL, fanin_diagnosis_tensor_at(diagnosis, finding->tensors[i])->name);
    end(w, "]");
    put_text(w, "what", finding->what);
    put_number(w, "measured", finding->measured);
    put_number(w, "expected", finding->expected);
    put_text(w, "expectation", finding->expectation);
    put_text(w, "consequence", finding->consequence);
    put_text(w, "rule", finding->rule);
    put_text(w, "missing", finding->missing);
    put_text(w, "command", finding->command);
    put_text(w, "source", finding->check->source);
    end(w, "}");
}

static void put_tensor(writer *w, const fanin_diagnosis_tensor *tensor)
{
    begin(w, NULL, "{");
    put_text(w, "name", tensor->name);
    put_text(w, "dtype", fanin_dtype_name(tensor->dtype));
    begin_value(w, "shape");
    fanin_text_add(&w->text, "[");
    for (int32_t d = 0; d < tensor->ndim; d++) {
        fanin_text_add(&w->text, d > 0 ? ", " : "");
        add_u64(w, (uint64_t)tensor->shape[d]);
    }
    fanin_text_add(&w->text, "]");
    put_text(w, "pattern", tensor->pattern);
    put_text(w, "layer_kind",
             tensor->layer_kind != FANIN_LAYER_NONE ? fanin_layer_kind_name(tensor->layer_kind) : NULL);
    put_text(w, "role", tensor->role);
    put_bool(w, "is_buffer", tensor->is_buffer);
    put_bool(w, "is_weight", tensor->is_weight);
    put_bool(w, "is_random_looking", tensor->is_random_looking);
    put_i64(w, "fan_in", tensor->fan_in);
    put_i64(w, "fan_out", tensor->fan_out);
    put_i64(w, "layer", tensor->layer);
    put_text(w, "activation", tensor->activation);
    put_law(w, "expected", &tensor->expected);
    put_text(w, "expected_by", tensor->expected_by);
    put_number(w, "expected_std", tensor->expected_std);
    put_law(w, "fitted", &tensor->fitted);
    put_text(w, "worst", tensor->worst >= 0 ? fanin_severity_name((fanin_severity)tensor->worst) : NULL);
    put_statistics(w, tensor->statistics);
    end(w, "}");
}

static void put_summary(writer *w, const fanin_diagnosis *diagnosis)
{
    const fanin_diagnosis_summary *summary = fanin_diagnosis_summarize(diagnosis);
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, summary->seed);
    put_text(w, "format", "fanin-check");
    put_u64(w, "version", 1);
    put_text(w, "name", summary->name);
    put_text(w, "known_by", summary->known_by);
    put_text(w, "family", summary->family);
    put_text(w, "seed", summary->has_seed ? seed : NULL);
    put_text(w, "profile", summary->profile);
    put_text(w, "target", summary->target != FANIN_DTYPE_NONE ? fanin_dtype_name(summary->target) : NULL);
    put_bool(w, "deep", summary->deep);
    put_bool(w, "expect", summary->expect);
    put_u64(w, "ntensors", fanin_diagnosis_tensor_count(diagnosis));
    put_u64(w, "nelem", summary->nelem);
    put_u64(w, "nbytes", summary->nbytes);
    for (fanin_severity s = FANIN_SEVERITY_ERROR + 1; s-- > FANIN_SEVERITY_INFO;) {
        static const char *const keys[] = {"ninfo", "nwarn", "nerror"};
        put_u64(w, keys[s], fanin_diagnosis_severity_count(diagnosis, s));
    }
}

fanin_status fanin_diagnosis_to_json(const fanin_diagnosis *diagnosis, char **text, fanin_error *error)
{
    writer w = {0};
    fanin_clear(error);
    begin(&w, NULL, "{");
    put_summary(&w, diagnosis);
    begin(&w, "findings", "[");
    for (size_t i = 0; i < fanin_diagnosis_finding_count(diagnosis); i++)
        put_finding(&w, diagnosis, fanin_diagnosis_finding_at(diagnosis, i));
    end(&w, "]");
    begin(&w, "tensors", "[");
    for (size_t i = 0; i < fanin_diagnosis_tensor_count(diagnosis); i++)
        put_tensor(&w, fanin_diagnosis_tensor_at(diagnosis, i));
    end(&w, "]");
    end(&w, "}");
    fanin_text_add(&w.text, "\n");
    if (w.text.failed) {
        const size_t nbytes = w.text.nbytes;
        fanin_text_release(&w.text);
        return fanin_fail_memory(error, nbytes);
    }
    *text = w.text.data;
    return FANIN_OK;
}
