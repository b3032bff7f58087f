/* SPDX-License-Identifier: MIT */
/*
 * Checks within one weight: duplicate rows and columns, and parts of stacked tensors that are copies.
 */
#include "check_fixture.h"

static const char spec[] =
    "{'format':'fanin-spec','version':1,'construct':true,'tensors':[{'name':'fc','linear':[96,128]},"
    "{'name':'conv','conv2d':[16,32,3]},{'name':'eye','linear':[64,64]},{'name':'lstm','lstm':[64,64]},"
    "{'name':'attn','multihead_attention':[64,4]},{'name':'mlp.experts.down_proj','shape':[4,32,64]},"
    "{'name':'h.0.attn.c_attn.weight','shape':[64,192],'layout':'in_out'},{'name':'narrow','linear':[2,3000]},{'name':'"
    "wide','linear':[96,64]}],"
    "'rules':[{'match':'eye.weight','init':'eye'},{'match':'mlp.**','init':'normal','std':0.02},"
    "{'match':'h.**','init':'normal','std':0.02}]}";

static void copy_rows(float *data, size_t ncols, size_t to, size_t from, size_t n)
{
    memcpy(data + to * ncols, data + from * ncols, n * ncols * sizeof *data);
}

static void healthy(void **state)
{
    (void)state;
    check_expect_healthy_seeds(spec);
}

static void rows_and_columns(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    copy_rows(check_data(&w, "fc.weight"), 96, 64, 0, 64);
    float *conv = check_data(&w, "conv.weight");
    copy_rows(conv, 144, 31, 5, 1);
    float *eye = check_data(&w, "eye.weight"), *wide = check_data(&w, "wide.weight");
    eye[1] = 1; /* no rows of an identity look random */
    for (size_t r = 0; r < 64; r++)
        wide[96 * r + 90] = wide[96 * r + 5];
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W05", "fc.weight", FANIN_SEVERITY_ERROR,
                 "rows 0-63 equal rows 64-127 (64 of 128 are copies)");
    check_expect(diagnosis, "W05", "conv.weight", FANIN_SEVERITY_ERROR, "row 5 equals row 31 (1 of 32 are copies)");
    check_expect(diagnosis, "W05", "wide.weight", FANIN_SEVERITY_ERROR, "column 5 equals column 90 (1 of 96");
    assert_null(check_find(diagnosis, "W05", "eye.weight"));
    fanin_diagnosis_free(diagnosis);
    float *fc = check_data(&w, "fc.weight");
    for (size_t r = 1; r < 128; r++)
        copy_rows(fc, 96, r, 0, 1);
    diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W05", "fc.weight", FANIN_SEVERITY_ERROR, "all 128 rows are equal");
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

/* A row of zeros is an embedding's padding, and may be there twice. */
static void zero_rows_are_left_out(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    memset(check_data(&w, "fc.weight"), 0, 2 * 96 * sizeof(float));
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect_healthy(diagnosis);
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

static void clones(void **state)
{
    check_weights w;
    (void)state;
    check_make(&w, spec, 1);
    copy_rows(check_data(&w, "lstm.weight_hh_l0"), 64, 192, 0, 64);
    copy_rows(check_data(&w, "attn.in_proj_weight"), 64, 128, 64, 64);
    float *experts = check_data(&w, "mlp.experts.down_proj");
    for (size_t i = 0; i < 2048; i++)
        experts[3 * 2048 + i] = 0.5f * experts[2048 + i];
    float *fused = check_data(&w, "h.0.attn.c_attn.weight");
    for (size_t r = 0; r < 64; r++)
        memcpy(fused + r * 192 + 128, fused + r * 192, 64 * sizeof *fused);
    fanin_diagnosis *diagnosis = check_diagnose(&w, NULL);
    check_expect(diagnosis, "W20", "lstm.weight_hh_l0", FANIN_SEVERITY_ERROR, "i and o are equal");
    check_expect(diagnosis, "W20", "attn.in_proj_weight", FANIN_SEVERITY_ERROR, "k and v are equal");
    check_expect(diagnosis, "W20", "mlp.experts.down_proj", FANIN_SEVERITY_ERROR,
                 "slices 1 and 3 are the same random numbers");
    check_expect(diagnosis, "W20", "h.0.attn.c_attn.weight", FANIN_SEVERITY_ERROR, "q and v are equal");
    assert_null(check_find(diagnosis, "W05", NULL));
    fanin_diagnosis_free(diagnosis);
    check_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),
        cmocka_unit_test(rows_and_columns),
        cmocka_unit_test(zero_rows_are_left_out),
        cmocka_unit_test(clones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
