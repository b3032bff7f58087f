/* SPDX-License-Identifier: MIT */
/*
 * Whole models: one content digest for every machine variant and every count of threads, and memory that does not grow
 * with them.
 */
#define _XOPEN_SOURCE 700
#include "plan_fixture.h"
#include "scratch.h"

#include <unistd.h>

#include "fanin/version.h"

static fanin_error error;

static const char *const models[] = {
    /* normals and constants, a tied head */
    "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],\"n_embd\":192,\"n_layer\":4,\"n_head\":4,"
    "\"n_positions\":512,\"vocab_size\":30000,\"initializer_range\":0.02}",
    /* 16 bits, and what a constructor draws and overwrites */
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"bf16\",\"construct\":true,\"tensors\":["
    "{\"name\":\"emb\",\"embedding\":[20000,128]},{\"name\":\"mha\",\"multihead_attention\":[512,8]},"
    "{\"name\":\"fc\",\"linear\":[2000,1500]},{\"name\":\"lstm\",\"lstm\":[200,300]},"
    "{\"name\":\"tail\",\"linear\":[1500,1500]}],\"rules\":[{\"match\":\"fc.*\",\"init\":\"normal\"}]}",
    /* draws that depend on data, before, among and behind others; an orthogonal matrix */
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"a\",\"shape\":[1500,1501]},{\"name\":\"b\",\"shape\":[7]},{\"name\":\"c\",\"shape\":[9000001]},"
    "{\"name\":\"o\",\"shape\":[200,100]},{\"name\":\"d\",\"shape\":[300,301]},{\"name\":\"e\",\"shape\":[5]},"
    "{\"name\":\"f\",\"shape\":[1200,2000]}],\"rules\":[{\"match\":\"o\",\"init\":\"orthogonal\"},"
    "{\"match\":\"{e,f}\",\"init\":\"uniform\"},{\"match\":\"d\",\"init\":\"trunc_normal\",\"a\":1,\"b\":5},"
    "{\"match\":\"**\",\"init\":\"trunc_normal\"}]}",
};

static fanin_digest digest_of(const fanin_plan *plan, unsigned nthreads)
{
    fanin_digest digest;
    fanin_pool *pool;
    assert_ok(fanin_pool_create(nthreads, &pool, &error), error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    fanin_run_options options = test_options(11);
    options.parallel = &parallel;
    assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
    fanin_pool_free(pool);
    return digest;
}

static void one_digest(void **state)
{
    (void)state;
    static const unsigned counts[] = {1, 2, 3, 7, 64};
    const char *before = fanin_isa_active();
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        fanin_plan *plan = test_plan(models[m], 0);
        const fanin_digest expected = digest_of(plan, 1);
        for (size_t isa = 0; isa < fanin_isa_count(); isa++) {
            if (!fanin_isa_is_supported(isa))
                continue;
            assert_ok(fanin_isa_force(fanin_isa_name(isa), &error), error);
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                /* plain C takes its time: once alone, once with others */
                if (strcmp(fanin_isa_name(isa), "scalar") == 0 && c != 0 && c != 2)
                    continue;
                if (test_is_slow() && (c + m + isa) % 5 != 0)
                    continue;
                const fanin_digest digest = digest_of(plan, counts[c]);
                assert_memory_equal(digest.bytes, expected.bytes, sizeof digest.bytes);
            }
        }
        assert_ok(fanin_isa_force(before, &error), error);
        fanin_plan_free(plan);
    }
}

/* The most memory this process has had at a time, in KiB; 0 where the system does not say. */
static unsigned long peak_kib(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoul(line + 6, NULL, 10);
    if (status != NULL)
        fclose(status);
    return kib;
}

/* 384 MiB of weights, and a file of 160 MiB, in 64 MiB and what threads have. */
static void memory_stays(void **state)
{
    (void)state;
    if (getenv("FANIN_SANITIZE") != NULL || peak_kib() == 0) /* tools keep books of their own */
        skip();
    fanin_plan *plan =
        test_plan("{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"bf16\",\"tensors\":["
                  "{\"name\":\"a\",\"shape\":[12000,4096]},{\"name\":\"b\",\"shape\":[12000,4096]},"
                  "{\"name\":\"c\",\"shape\":[24000,4096]},{\"name\":\"d\",\"shape\":[15]}],"
                  "\"rules\":[{\"match\":\"b\",\"init\":\"trunc_normal\"},{\"match\":\"**\",\"init\":\"normal\"}]}",
                  0);
    (void)digest_of(plan, 3);
    fanin_plan_free(plan);
    plan = test_plan("{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
                     "{\"name\":\"a\",\"shape\":[40000,1024]}],\"rules\":[{\"match\":\"a\",\"init\":\"uniform\"}]}",
                     0);
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {.size = sizeof write, .path = "m.safetensors"};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    unlink("m.safetensors");
    fanin_plan_free(plan);
    assert_in_range(peak_kib(), 1, 64 * 1024 + 3 * 4 * 1024);
}

int main(void)
{
    /* memory first: a peak is one of all that was before */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_stays),
        cmocka_unit_test(one_digest),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
