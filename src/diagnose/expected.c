/* SPDX-License-Identifier: MIT */
/*
 * The size of a tensor's values against the law it should have.
 */
#include "diagnose/expected.h"

#include <math.h>

#include "diagnose/law.h"

/*
 * Before 2.13 torch made 16-bit normals of uniforms with 8 and 11 bits and rounded after every step, which moves their
 * standard deviation by up to this share.
 */
#define LEGACY_16BIT_STD 0.01

double fanin_expected_std_of(const struct fanin_record *record)
{
    return sqrt(record->statistics.variance);
}

uint64_t fanin_expected_count(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    return s->nelem - s->nnan - s->ninf;
}

bool fanin_expected_is_random(const struct fanin_record *record)
{
    const fanin_law_kind kind = record->tensor.expected.kind;
    return kind == FANIN_LAW_UNIFORM || kind == FANIN_LAW_NORMAL || kind == FANIN_LAW_TRUNC_NORMAL;
}

double fanin_expected_errors(const struct fanin_record *record)
{
    const fanin_statistics *s = &record->statistics;
    const fanin_law *law = &record->tensor.expected;
    const double std = record->tensor.expected_std;
    if (!(std > 0) || !(s->variance >= 0) || fanin_expected_count(record) < 2)
        return 0;
    const double ratio = s->variance / (std * std);
    const bool narrow = fanin_dtype_nbits(record->tensor.dtype) <= 16;
    if (narrow && fabs(fanin_expected_std_of(record) / std - 1) < LEGACY_16BIT_STD)
        return 0;
    return fanin_law_variance_errors(ratio, fanin_law_kurtosis(law), fanin_expected_count(record));
}
