/* SPDX-License-Identifier: MIT */
/*
 * Running plans: one tensor alone, all at once, in pieces, in files and shards must all be what the plain loop over the
 * plan's ops makes; and a checkpoint is proved or refuted to the element.
 */
#define _XOPEN_SOURCE 700
#include "counting_allocator.h"
#include "plan_fixture.h"
#include "scratch.h"

#include <errno.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fanin/version.h"
#include "run/chunk.h"
#include "run/shards.h"

static fanin_error error;

/* -- Equal bytes by every way ---------------------------------------------------------------------------------------
 */

#define SPEC(dtype, tensors, rules)                                                                                    \
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"" dtype "\",\"tensors\":[" tensors "],\"rules\":[" rules "]" \
    "}"

#define EVERY_WAY                                                                                                      \
    "{\"name\":\"a\",\"shape\":[3]},{\"name\":\"b\",\"shape\":[700,1001]},{\"name\":\"c\",\"shape\":[5]},"             \
    "{\"name\":\"d\",\"shape\":[2,3]},{\"name\":\"e\",\"shape\":[262144]},{\"name\":\"f\",\"shape\":[262145]},"        \
    "{\"name\":\"g\",\"shape\":[262159]},{\"name\":\"h\",\"shape\":[262160]},{\"name\":\"i\",\"shape\":[524288]},"     \
    "{\"name\":\"j\",\"shape\":[0,4]},{\"name\":\"k\",\"shape\":[]},{\"name\":\"l\",\"tie\":\"b\"},"                   \
    "{\"name\":\"m\",\"shape\":[15]},{\"name\":\"n\",\"shape\":[16]},{\"name\":\"o\",\"shape\":[17]}"

static const char *const specs[] = {
    SPEC("f32", EVERY_WAY, "{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}"),
    SPEC("f64", EVERY_WAY, "{\"match\":\"**\",\"init\":\"normal\",\"mean\":1}"),
    SPEC("bf16", EVERY_WAY, "{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("f16", EVERY_WAY, "{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("f32", EVERY_WAY, "{\"match\":\"**\",\"init\":\"uniform\"}"),
    SPEC("f64", EVERY_WAY, "{\"match\":\"**\",\"init\":\"uniform\"}"),
    SPEC("bf16", EVERY_WAY, "{\"match\":\"**\",\"init\":\"uniform\"}"),
    SPEC("f32", EVERY_WAY, "{\"match\":\"**\",\"init\":\"trunc_normal\",\"std\":0.02}"),
    SPEC("f32", EVERY_WAY, "{\"match\":\"**\",\"init\":\"ones\"}"),
    /* rounds that depend on data, of both paths, with normals cached before, between and behind them */
    SPEC("f32", EVERY_WAY,
         "{\"match\":\"{a,d,h,m}\",\"init\":\"trunc_normal\"},{\"match\":\"{c,k}\",\"init\":\"normal\"},"
         "{\"match\":\"b\",\"init\":\"uniform\"},{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("f64", EVERY_WAY,
         "{\"match\":\"{b,c,m,n}\",\"init\":\"trunc_normal\",\"std\":0.9},{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("bf16", EVERY_WAY,
         "{\"match\":\"{b,c,m,n}\",\"init\":\"trunc_normal\",\"a\":-0.5},{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("f32", EVERY_WAY,
         "{\"match\":\"{a,c,k,m}\",\"init\":\"normal\"},{\"match\":\"**\",\"init\":\"trunc_normal\"}"),
    /* fills that need the whole tensor, fills over fills, gates */
    SPEC("f32",
         "{\"name\":\"o\",\"shape\":[40,30]},{\"name\":\"s\",\"shape\":[30,40]},{\"name\":\"i\",\"shape\":[9,7]},"
         "{\"name\":\"k\",\"shape\":[6,3,3,3]},{\"name\":\"emb\",\"embedding\":[5000,100]},"
         "{\"name\":\"n\",\"shape\":[4]},{\"name\":\"lstm\",\"lstm\":[300,300]},{\"name\":\"bn\",\"batchnorm\":7}",
         "{\"match\":\"o\",\"init\":\"orthogonal\"},{\"match\":\"s\",\"init\":\"sparse\",\"sparsity\":0.3},"
         "{\"match\":\"i\",\"init\":\"eye\"},{\"match\":\"k\",\"init\":\"dirac\"},"
         "{\"match\":\"emb.*\",\"init\":\"normal\"},{\"match\":\"emb.*\",\"row\":0,\"init\":\"zeros\"},"
         "{\"match\":\"emb.*\",\"row\":2621,\"init\":\"ones\"},{\"match\":\"emb.*\",\"row\":-1,\"init\":\"zeros\"},"
         "{\"match\":\"lstm.weight_hh*\",\"init\":\"orthogonal\",\"per_gate\":true},"
         "{\"match\":\"lstm.bias*\",\"only\":\"f\",\"init\":\"ones\"},"
         "{\"match\":\"{lstm,bn}.**\",\"init\":\"torch_default\"},{\"match\":\"**\",\"init\":\"normal\"}"),
    SPEC("bf16", "{\"name\":\"lstm\",\"lstm\":[400,400]},{\"name\":\"q\",\"shape\":[1000]}",
         "{\"match\":\"lstm.weight*\",\"init\":\"xavier_normal\",\"per_gate\":true},"
         "{\"match\":\"**\",\"init\":\"normal\"}"),
    /* a random row over a random tensor; a constant between two draws */
    SPEC("f32",
         "{\"name\":\"emb\",\"embedding\":[400,30]},{\"name\":\"lstm\",\"lstm\":[20,20]},{\"name\":\"q\",\"shape\":["
         "100]}",
         "{\"match\":\"emb.*\",\"row\":7,\"init\":\"uniform\"},{\"match\":\"emb.*\",\"init\":\"normal\"},"
         "{\"match\":\"lstm.bias*\",\"only\":\"f\",\"init\":\"ones\"},"
         "{\"match\":\"lstm.bias*\",\"init\":\"uniform\",\"per_gate\":true},{\"match\":\"**\",\"init\":\"normal\"}"),
    /* draws that meet in one element, the last */
    SPEC("f32", "{\"name\":\"emb\",\"embedding\":[400,1]},{\"name\":\"q\",\"shape\":[100]}",
         "{\"match\":\"emb.*\",\"row\":-1,\"init\":\"uniform\"},{\"match\":\"**\",\"init\":\"normal\"}"),
    /* a dead draw whose rounds every later position depends on */
    SPEC("f64",
         "{\"name\":\"a\",\"shape\":[3]},{\"name\":\"t\",\"shape\":[1,21]},{\"name\":\"s\",\"shape\":[1,5]},"
         "{\"name\":\"q\",\"shape\":[100]}",
         "{\"match\":\"{t,s}\",\"row\":0,\"init\":\"ones\"},{\"match\":\"{t,s}\",\"init\":\"trunc_normal\"},"
         "{\"match\":\"**\",\"init\":\"normal\"}"),
    /* single numbers that begin with a kept normal, of all paths, and draw nothing themselves */
    SPEC("f32",
         "{\"name\":\"a\",\"shape\":[3]},{\"name\":\"b\",\"shape\":[1]},{\"name\":\"c\",\"shape\":[5]},"
         "{\"name\":\"t\",\"shape\":[1]},{\"name\":\"d\",\"shape\":[1]},{\"name\":\"e\",\"shape\":[2,1]},"
         "{\"name\":\"f\",\"shape\":[1,1]},{\"name\":\"q\",\"shape\":[100]}",
         "{\"match\":\"t\",\"init\":\"trunc_normal\"},{\"match\":\"e\",\"row\":1,\"init\":\"uniform\"},"
         "{\"match\":\"f\",\"init\":\"orthogonal\"},{\"match\":\"**\",\"init\":\"normal\"}"),
    /* what is not drawn, and types that are not whole bytes */
    SPEC("f32",
         "{\"name\":\"a\",\"shape\":[600000],\"dtype\":\"f4\"},{\"name\":\"b\",\"shape\":[64],\"dtype\":\"f6_e2m3\"},"
         "{\"name\":\"c\",\"shape\":[],\"dtype\":\"i64\"},{\"name\":\"d\",\"shape\":[9],\"dtype\":\"f8_e4m3\"},"
         "{\"name\":\"e\",\"shape\":[3],\"dtype\":\"c64\"},{\"name\":\"f\",\"shape\":[17]}",
         "{\"match\":\"f\",\"init\":\"normal\"},{\"match\":\"**\",\"init\":\"ones\"}"),
    /* layers that are constructed: draws that are overwritten, draws that belong to nothing */
    "{\"format\":\"fanin-spec\",\"version\":1,\"construct\":true,\"tensors\":["
    "{\"name\":\"fc\",\"linear\":[33,7]},{\"name\":\"mha\",\"multihead_attention\":[64,4]},"
    "{\"name\":\"tail\",\"linear\":[5,3]}],\"rules\":[{\"match\":\"tail.weight\",\"init\":\"trunc_normal\"},"
    "{\"match\":\"fc.*\",\"init\":\"normal\"}]}",
};
enum { NSPECS = sizeof specs / sizeof specs[0] };

static void assert_same_tensor(const fanin_plan *plan, size_t i, const void *found, const void *expected,
                               const char *way)
{
    const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
    if (memcmp(found, expected, tensor->nbytes) == 0)
        return;
    uint64_t byte = 0;
    while (((const uint8_t *)found)[byte] == ((const uint8_t *)expected)[byte])
        byte++;
    fail_msg("%s: tensor %s (%s) differs at byte %llu of %llu", way, tensor->name, fanin_dtype_name(tensor->dtype),
             (unsigned long long)byte, (unsigned long long)tensor->nbytes);
}

static void check_checkpoint(const fanin_plan *plan, const fanin_run_options *options, const char *path,
                             void *const *expected, const fanin_digest *digest)
{
    fanin_checkpoint *checkpoint;
    fanin_verify_result result;
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    size_t nwritten = 0;
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        size_t found = fanin_checkpoint_tensor_find(checkpoint, tensor->name);
        if (tensor->tied_to != NULL) {
            assert_int_equal(found, SIZE_MAX);
            continue;
        }
        nwritten++;
        assert_true(found != SIZE_MAX);
        uint8_t *bytes = malloc(tensor->nbytes + 1);
        assert_non_null(bytes);
        assert_ok(fanin_checkpoint_read(checkpoint, found, 0, bytes, tensor->nbytes, &error), error);
        assert_same_tensor(plan, i, bytes, expected[i], path);
        free(bytes);
    }
    assert_int_equal(fanin_checkpoint_tensor_count(checkpoint), nwritten);
    assert_ok(fanin_verify(checkpoint, plan, options, NULL, NULL, &result, &error), error);
    assert_int_equal(result.nequal, nwritten);
    assert_int_equal(result.ndifferent, 0);
    assert_memory_equal(result.digest.bytes, digest->bytes, 32);
    fanin_digest read;
    assert_ok(fanin_checkpoint_digest(checkpoint, &read, &error), error);
    assert_memory_equal(read.bytes, digest->bytes, 32);

    /* what the file says of itself is enough */
    fanin_plan *own;
    uint64_t seed;
    assert_ok(fanin_plan_from_checkpoint(checkpoint, &own, &seed, &error), error);
    assert_int_equal(seed, options->seed);
    const fanin_run_options own_options = test_options(seed);
    assert_ok(fanin_verify(checkpoint, own, &own_options, NULL, NULL, NULL, &error), error);
    fanin_plan_free(own);
    fanin_checkpoint_close(checkpoint);
}

static void remove_folder(const char *folder)
{
    test_empty_folder(folder);
    assert_int_equal(rmdir(folder), 0);
}

static void check_every_way(const char *spec, fanin_profile profile, uint64_t seed)
{
    fanin_plan *plan = test_plan(spec, profile);
    const fanin_run_options options = test_options(seed);
    size_t n = fanin_plan_tensor_count(plan);
    void **expected = test_allocate_tensors(plan), **found = test_allocate_tensors(plan);
    test_run_plainly(plan, seed, expected);

    assert_ok(fanin_run_memory(plan, &options, found, &error), error);
    for (size_t i = 0; i < n; i++)
        if (found[i] != NULL) {
            assert_same_tensor(plan, i, found[i], expected[i], "all in memory");
            assert_int_equal(((uint8_t *)found[i])[fanin_plan_tensor_at(plan, i)->nbytes], 0xa5);
        }
    /* each alone, from the last to the first, and tied names as well */
    for (size_t i = n; i-- > 0;) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        size_t owner = tensor->tied_to != NULL ? fanin_plan_tensor_find(plan, tensor->tied_to) : i;
        memset(found[owner], 0x5a, tensor->nbytes);
        assert_ok(fanin_run_tensor(plan, &options, i, found[owner], &error), error);
        assert_same_tensor(plan, owner, found[owner], expected[owner], "alone");
    }
    fanin_digest digest;
    assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
    fanin_write_options write = {.size = sizeof write, .path = "one.safetensors", .source = "test"};
    fanin_write_result result;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_memory_equal(result.digest.bytes, digest.bytes, 32);
    check_checkpoint(plan, &options, "one.safetensors", expected, &digest);
    unlink("one.safetensors");
    write.path = "shards";
    write.max_shard_nbytes = 1500000;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_memory_equal(result.digest.bytes, digest.bytes, 32);
    check_checkpoint(plan, &options, "shards", expected, &digest);
    remove_folder("shards");

    test_free_tensors(plan, expected);
    test_free_tensors(plan, found);
    fanin_plan_free(plan);
}

static void every_way_is_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < NSPECS; i += test_is_slow() && i < 12 ? 3 : 1) {
        print_message("spec %zu\n", i);
        check_every_way(specs[i], 0, 42 + i);
    }
}

static void every_way_is_equal_in_older_profiles(void **state)
{
    (void)state;
    for (size_t p = 0; p < fanin_profile_count(); p++)
        for (size_t i = 0; i < (test_is_slow() ? 2 : 8); i += 2) /* normals of f32 and bf16, uniforms of both */
            if (fanin_profile_at(p) != FANIN_PROFILE_TORCH)
                check_every_way(specs[i], fanin_profile_at(p), 7);
}

/* Copies draw nothing: the stream goes on behind the op they repeat. */
static void copies(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\":\"fanin-plan\",\"version\":[1,0],\"profile\":\"torch-2.13\","
        "\"streams\":[{\"id\":0,\"kind\":\"mt19937\",\"seed\":\"user\"}],"
        "\"storages\":[{\"id\":0,\"dtype\":\"f32\",\"n\":17},{\"id\":1,\"dtype\":\"f32\",\"n\":17},"
        "{\"id\":2,\"dtype\":\"f32\",\"n\":40}],"
        "\"tensors\":[{\"name\":\"t\",\"s\":0,\"shape\":[17]},{\"name\":\"copy\",\"s\":1,\"shape\":[17]},"
        "{\"name\":\"next\",\"s\":2,\"shape\":[40]}],"
        "\"ops\":[{\"op\":\"normal\",\"s\":0,\"n\":17,\"at\":0,\"words\":33,"
        "\"mean\":0,\"std\":1,\"explain\":{}},"
        "{\"op\":\"normal\",\"s\":1,\"n\":17,\"at\":0,\"words\":33,"
        "\"mean\":0,\"std\":1,\"explain\":{}},"
        "{\"op\":\"uniform\",\"s\":2,\"n\":40,\"at\":33,\"words\":40,\"from\":0,\"to\":1,\"explain\":{}}],\"words\":"
        "73}";
    fanin_plan *plan;
    assert_ok(fanin_plan_parse(text, sizeof text - 1, "plan", &plan, &error), error);
    const fanin_run_options options = test_options(11);
    float original[17], expected[40], t[17], copy[17], next[40];
    fanin_generator generator = fanin_generator_torch(11);
    fanin_tensor tensor = fanin_tensor_1d(original, FANIN_F32, 17);
    assert_ok(fanin_normal(&tensor, 0, 1, &generator, &error), error);
    tensor = fanin_tensor_1d(expected, FANIN_F32, 40);
    assert_ok(fanin_uniform(&tensor, 0, 1, &generator, &error), error);
    void *const data[] = {t, copy, next};
    assert_ok(fanin_run_memory(plan, &options, data, &error), error);
    assert_memory_equal(t, original, sizeof t);
    assert_memory_equal(copy, original, sizeof copy);
    assert_memory_equal(next, expected, sizeof next);
    for (size_t i = 3; i-- > 0;) {
        memset(data[i], 0, sizeof t);
        assert_ok(fanin_run_tensor(plan, &options, i, data[i], &error), error);
    }
    assert_memory_equal(t, original, sizeof t);
    assert_memory_equal(copy, original, sizeof copy);
    assert_memory_equal(next, expected, sizeof next);
    fanin_plan_free(plan);
}

/* A copy is of what was there then, not of what a constant makes of it later. */
static void changed_behind_a_copy(void **state)
{
    (void)state;
    static const char text[] =
        "{\"format\":\"fanin-plan\",\"version\":[1,1],\"profile\":\"torch-2.13\","
        "\"streams\":[{\"id\":0,\"kind\":\"mt19937\",\"seed\":\"user\"}],"
        "\"storages\":[{\"id\":0,\"dtype\":\"f32\",\"n\":40},{\"id\":1,\"dtype\":\"f32\",\"n\":40}],"
        "\"tensors\":[{\"name\":\"t\",\"s\":0,\"shape\":[40]},{\"name\":\"copy\",\"s\":1,\"shape\":[40]}],"
        "\"ops\":[{\"op\":\"uniform\",\"s\":0,\"n\":40,\"at\":0,\"words\":40,\"from\":1,\"to\":2},"
        "{\"op\":\"copy\",\"s\":1,\"n\":40,\"src\":{\"s\":0,\"off\":0,\"sizes\":[40],\"strides\":[1]}},"
        "{\"op\":\"fill\",\"s\":0,\"off\":0,\"sizes\":[13],\"strides\":[1],\"n\":13,\"value\":0}],\"words\":40}";
    fanin_plan *plan;
    assert_ok(fanin_plan_parse(text, sizeof text - 1, "plan", &plan, &error), error);
    const fanin_run_options options = test_options(11);
    float original[40], changed[40], found[40];
    fanin_generator generator = fanin_generator_torch(11);
    const fanin_tensor tensor = fanin_tensor_1d(original, FANIN_F32, 40);
    assert_ok(fanin_uniform(&tensor, 1, 2, &generator, &error), error);
    memcpy(changed, original, sizeof changed);
    memset(changed, 0, 13 * sizeof *changed);
    assert_ok(fanin_run_tensor(plan, &options, 0, found, &error), error);
    assert_memory_equal(found, changed, sizeof found);
    assert_ok(fanin_run_tensor(plan, &options, 1, found, &error), error);
    assert_memory_equal(found, original, sizeof found);
    fanin_plan_free(plan);
}

/* The digest as checkpoint.h words it; computed with another SHA-256. */
static void digest_as_documented(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(SPEC("u8",
                                      "{\"name\":\"b\",\"shape\":[2,3]},{\"name\":\"B\",\"shape\":[]},"
                                      "{\"name\":\"a\",\"shape\":[0],\"dtype\":\"bf16\"},"
                                      "{\"name\":\"tied\",\"tie\":\"b\"}",
                                      "{\"match\":\"**\",\"init\":\"ones\"}"),
                                 0);
    const fanin_run_options options = test_options(0);
    fanin_digest digest;
    char hex[65];
    assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
    fanin_digest_hex(&digest, hex);
    assert_string_equal(hex, "54ff3c82a3280f3d1b74ef8f99d987331fe478d29f7b8ba656fcedf5115511b7");
    fanin_plan_free(plan);
}

/* -- Shards ----------------------------------------------------------------------------------------------------------
 */

/* Which tensor goes to which shard, by the plan's order: "0,1,1". */
static void check_shards(const char *tensors, uint64_t max_nbytes, size_t nshards, const char *expected)
{
    char spec[2048], found[256] = "";
    snprintf(spec, sizeof spec, SPEC("u8", "%s", "{\"match\":\"**\",\"init\":\"zeros\"}"), tensors);
    fanin_plan *plan = test_plan(spec, 0);
    fanin_shards shards;
    assert_ok(fanin_shards_create(&shards, plan, max_nbytes, &error), error);
    assert_int_equal(shards.nshards, nshards);
    for (size_t i = 0; i < fanin_plan_tensor_count(plan); i++) {
        char one[32];
        snprintf(one, sizeof one, "%s%d", i > 0 ? "," : "", (int)shards.of_tensor[i]);
        strcat(found, one);
    }
    assert_string_equal(found, expected);
    assert_int_equal(shards.first[0], 0);
    for (size_t s = 0; s < nshards; s++)
        for (size_t k = shards.first[s]; k < shards.first[s + 1]; k++) {
            assert_int_equal(shards.of_tensor[shards.tensors[k]], s);
            assert_true(k == shards.first[s] || shards.tensors[k - 1] < shards.tensors[k]);
        }
    fanin_shards_release(&shards);
    fanin_plan_free(plan);
}

#define T(name, n) "{\"name\":\"" name "\",\"shape\":[" #n "]}"

/* The hub's own example, in units: 6, 6, 2, 6, 2, 2 with a limit of 10; and its rule for tensors beyond the limit. */
static void split(void **state)
{
    (void)state;
    check_shards(T("a", 6) "," T("b", 6) "," T("c", 2) "," T("d", 6) "," T("e", 2) "," T("f", 2), 10, 3, "0,1,1,2,2,2");
    check_shards(T("a", 6) "," T("b", 6), 12, 1, "0,0");
    check_shards(T("a", 6) "," T("b", 6), 11, 2, "0,1");
    check_shards(T("a", 3) "," T("b", 20) "," T("c", 3) "," T("d", 20) "," T("e", 5), 10, 4, "2,0,2,1,3");
    check_shards(T("a", 20), 10, 1, "0");
    check_shards(T("a", 0) "," T("b", 0), 1, 1, "0,0");
    check_shards(T("a", 1) ",{\"name\":\"t\",\"tie\":\"a\"}," T("b", 1), 1, 2, "0,-1,1");
}

/* -- Verification ----------------------------------------------------------------------------------------------------
 */

typedef struct differences {
    fanin_difference items[16];
    char names[16][32];
    size_t n;
} differences;

static void keep_difference(void *user, const fanin_difference *difference)
{
    differences *d = user;
    assert_true(d->n < 16);
    d->items[d->n] = *difference;
    snprintf(d->names[d->n++], 32, "%s", difference->tensor);
}

static const char small_spec[] = SPEC("f32",
                                      "{\"name\":\"w\",\"shape\":[600,500]},{\"name\":\"b\",\"shape\":[500]},"
                                      "{\"name\":\"n\",\"shape\":[2],\"dtype\":\"i64\"},"
                                      "{\"name\":\"f\",\"shape\":[4],\"dtype\":\"f4\"},"
                                      "{\"name\":\"t\",\"tie\":\"w\"}",
                                      "{\"match\":\"w\",\"init\":\"normal\"},{\"match\":\"**\",\"init\":\"ones\"}");

static void write_checkpoint(const fanin_plan *plan, const char *path, uint64_t seed)
{
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {.size = sizeof write, .path = path, .force = true};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
}

static void patch(const char *path, const char *tensor, uint64_t offset, const void *bytes, size_t nbytes)
{
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    size_t i = fanin_checkpoint_tensor_find(checkpoint, tensor);
    assert_true(i != SIZE_MAX);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, (long)(fanin_checkpoint_tensor_at(checkpoint, i)->offset + offset), SEEK_SET);
    assert_int_equal(fwrite(bytes, 1, nbytes, file), nbytes);
    fclose(file);
    fanin_checkpoint_close(checkpoint);
}

static fanin_status verify_file(const char *path, const fanin_plan *plan, uint64_t seed, differences *found,
                                fanin_verify_result *result)
{
    fanin_checkpoint *checkpoint;
    const fanin_run_options options = test_options(seed);
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    memset(found, 0, sizeof *found);
    fanin_status status = fanin_verify(checkpoint, plan, &options, keep_difference, found, result, &error);
    fanin_digest digest;
    fanin_error other;
    assert_ok(fanin_checkpoint_digest(checkpoint, &digest, &other), other);
    assert_memory_equal(result->digest.bytes, digest.bytes, 32);
    fanin_checkpoint_close(checkpoint);
    return status;
}

static void differing_bytes(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    const fanin_run_options options = test_options(3);
    differences found;
    fanin_verify_result result;
    float *w = malloc(600 * 500 * sizeof *w);
    assert_non_null(w);
    assert_ok(fanin_run_tensor(plan, &options, 0, w, &error), error);
    write_checkpoint(plan, "v.safetensors", 3);
    assert_ok(verify_file("v.safetensors", plan, 3, &found, &result), error);
    assert_int_equal(result.nequal, 4);
    assert_int_equal(result.nbytes, 600 * 500 * 4 + 500 * 4 + 16 + 2);

    /* two elements in different pieces, an infinity, a negative zero; an integer; half a byte */
    const float far = w[299999] + 3, infinite = INFINITY;
    patch("v.safetensors", "w", 4 * 1234, &infinite, 4);
    patch("v.safetensors", "w", 4 * 299999, &far, 4);
    const int64_t ten = 10;
    patch("v.safetensors", "n", 8, &ten, 8);
    const uint8_t nibble = 0x32;
    patch("v.safetensors", "f", 1, &nibble, 1);
    assert_fails(verify_file("v.safetensors", plan, 3, &found, &result), FANIN_ERROR_MISMATCH, error, "3 differences");
    assert_int_equal(found.n, 3);
    assert_int_equal(result.nequal, 1);
    assert_int_equal(result.ndifferent, 3);
    assert_string_equal(found.names[0], "w");
    assert_int_equal(found.items[0].kind, FANIN_DIFFERENCE_BYTES);
    assert_int_equal(found.items[0].nelem, 300000);
    assert_int_equal(found.items[0].ndiffering, 2);
    assert_int_equal(found.items[0].first, 1234);
    assert_same_double(found.items[0].expected, w[1234]);
    assert_same_double(found.items[0].found, INFINITY);
    assert_same_double(found.items[0].max_abs, fabs((double)far - w[299999]));
    assert_string_equal(found.names[1], "n");
    assert_int_equal(found.items[1].ndiffering, 1);
    assert_int_equal(found.items[1].first, 1);
    assert_same_double(found.items[1].expected, 1);
    assert_same_double(found.items[1].found, 10);
    assert_same_double(found.items[1].max_abs, 9);
    assert_string_equal(found.names[2], "f");
    assert_int_equal(found.items[2].first, 3); /* a one is 0x2, and the second element of a byte is its upper half */
    assert_int_equal(found.items[2].ndiffering, 1);

    /* another seed: nearly every element, and constants are equal */
    write_checkpoint(plan, "v.safetensors", 4);
    assert_fails(verify_file("v.safetensors", plan, 3, &found, &result), FANIN_ERROR_MISMATCH, error, "1 differences");
    assert_int_equal(found.n, 1);
    assert_true(found.items[0].ndiffering > 299900);
    free(w);
    fanin_plan_free(plan);
    unlink("v.safetensors");
}

static void differing_tensors(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    fanin_plan *other = test_plan(SPEC("f32",
                                       "{\"name\":\"w\",\"shape\":[500,600]},{\"name\":\"n\",\"shape\":[2]},"
                                       "{\"name\":\"extra\",\"shape\":[3]},{\"name\":\"f\",\"shape\":[4],"
                                       "\"dtype\":\"f4\"}",
                                       "{\"match\":\"**\",\"init\":\"ones\"}"),
                                  0);
    differences found;
    fanin_verify_result result;
    write_checkpoint(other, "v.safetensors", 0);
    assert_fails(verify_file("v.safetensors", plan, 0, &found, &result), FANIN_ERROR_MISMATCH, error, "4 differences");
    assert_int_equal(found.n, 4);
    const struct {
        const char *name;
        fanin_difference_kind kind;
    } expected[] = {{"w", FANIN_DIFFERENCE_SHAPE},
                    {"b", FANIN_DIFFERENCE_MISSING},
                    {"n", FANIN_DIFFERENCE_DTYPE},
                    {"extra", FANIN_DIFFERENCE_UNEXPECTED}};
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(found.names[i], expected[i].name);
        assert_int_equal(found.items[i].kind, expected[i].kind);
    }
    assert_int_equal(result.nequal, 1);
    fanin_plan_free(other);

    /* a writer that kept the tied name and dropped the other one, and one that kept both */
    const char *const ties[] = {"{\"name\":\"t\",\"shape\":[600,500]}",
                                "{\"name\":\"w\",\"shape\":[600,500]},{\"name\":\"t\",\"shape\":[600,500]}"};
    for (size_t i = 0; i < 2; i++) {
        char spec[1024];
        snprintf(spec, sizeof spec,
                 SPEC("f32",
                      "%s,{\"name\":\"b\",\"shape\":[500]},{\"name\":\"n\",\"shape\":[2],\"dtype\":\"i64\"},"
                      "{\"name\":\"f\",\"shape\":[4],\"dtype\":\"f4\"}",
                      "{\"match\":\"{w,t}\",\"init\":\"normal\"},{\"match\":\"**\",\"init\":\"ones\"}"),
                 ties[i]);
        other = test_plan(spec, 0);
        write_checkpoint(other, "v.safetensors", 5);
        fanin_status status = verify_file("v.safetensors", plan, 5, &found, &result);
        if (i == 0) {
            assert_ok(status, error);
        } else { /* drawn twice, so the second is another tensor than the tie says */
            assert_int_equal(status, FANIN_ERROR_MISMATCH);
            assert_int_equal(found.n, 1);
            assert_string_equal(found.names[0], "t");
            assert_int_equal(found.items[0].kind, FANIN_DIFFERENCE_BYTES);
        }
        fanin_plan_free(other);
    }
    fanin_plan_free(plan);
    unlink("v.safetensors");
}

/* -- What files say of themselves ------------------------------------------------------------------------------------
 */

static void provenance(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0), *read;
    const fanin_run_options options = test_options(UINT64_MAX);
    const fanin_write_options write = {.size = sizeof write, .path = "p.safetensors", .source = "spec.json"};
    fanin_checkpoint *checkpoint;
    char hex[65];
    uint64_t seed;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    assert_ok(fanin_checkpoint_open("p.safetensors", &checkpoint, &error), error);
    assert_ok(fanin_plan_sha256(plan, hex, &error), error);
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, "format"), "pt");
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_VERSION), fanin_version());
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PROFILE), "torch-2.13");
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_SEED), "18446744073709551615");
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PLAN_SHA256), hex);
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_SOURCE), "spec.json");
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, "t"), "w");
    assert_null(fanin_checkpoint_metadata(checkpoint, "w"));
    assert_ok(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), error);
    assert_true(seed == UINT64_MAX);
    fanin_plan_free(read);
    fanin_checkpoint_close(checkpoint);

    /* a file of someone else, and one whose plan was touched */
    float ones[4] = {1, 1, 1, 1};
    fanin_tensor tensor = fanin_tensor_1d(ones, FANIN_F32, 4);
    assert_ok(fanin_write_tensor("p.safetensors", &tensor, true, &error), error);
    assert_ok(fanin_checkpoint_open("p.safetensors", &checkpoint, &error), error);
    assert_fails(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), FANIN_ERROR_UNSUPPORTED, error,
                 "carries no plan");
    fanin_checkpoint_close(checkpoint);
    assert_ok(fanin_run_checkpoint(plan, &options,
                                   &(fanin_write_options){.size = sizeof write, .path = "p.safetensors", .force = true},
                                   NULL, &error),
              error);
    char start[4096];
    FILE *file = fopen("p.safetensors", "r+b");
    assert_non_null(file);
    size_t n = fread(start, 1, sizeof start - 1, file);
    start[n] = 0;
    char *std = NULL;
    for (size_t i = 0; i + 10 < n && std == NULL; i++)
        if (memcmp(start + i, "\\\"std\\\":1", 9) == 0)
            std = start + i + 8;
    assert_non_null(std);
    fseek(file, std - start, SEEK_SET);
    fputc('2', file);
    fclose(file);
    assert_ok(fanin_checkpoint_open("p.safetensors", &checkpoint, &error), error);
    assert_fails(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), FANIN_ERROR_FORMAT, error,
                 "the plan was changed");
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(plan);
    unlink("p.safetensors");
}

/* A plan of more than 1 MiB lies beside the weights. */
static void large_plan(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(SPEC("f32",
                                      "{\"repeat\":{\"i\":[0,20000]},\"tensors\":[{\"name\":\"t{i}\",\"shape\":[2]}]}",
                                      "{\"match\":\"**\",\"init\":\"normal\"}"),
                                 0),
               *read;
    const fanin_run_options options = test_options(1);
    fanin_write_options write = {.size = sizeof write, .path = "large", .max_shard_nbytes = 60000};
    fanin_write_result result;
    fanin_checkpoint *checkpoint;
    uint64_t seed;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_int_equal(result.nfiles, 3);
    assert_ok(fanin_checkpoint_open("large", &checkpoint, &error), error);
    assert_null(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_PLAN));
    assert_ok(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), error);
    assert_ok(fanin_verify(checkpoint, read, &options, NULL, NULL, NULL, &error), error);
    fanin_plan_free(read);
    assert_int_equal(truncate("large/" FANIN_PLAN_FILE, 1000), 0);
    assert_fails(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), FANIN_ERROR_FORMAT, error,
                 "the plan was changed");
    assert_int_equal(unlink("large/" FANIN_PLAN_FILE), 0);
    assert_fails(fanin_plan_from_checkpoint(checkpoint, &read, &seed, &error), FANIN_ERROR_IO, error, FANIN_PLAN_FILE);
    fanin_checkpoint_close(checkpoint);
    remove_folder("large");
    fanin_plan_free(plan);
}

/* -- Output -----------------------------------------------------------------------------------------------------------
 */

static bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void report_file(void *user, const char *path, uint64_t nbytes)
{
    size_t *n = user;
    char line[300];
    snprintf(line, sizeof line, "%s %llu", path, (unsigned long long)nbytes);
    FILE *file = fopen("reported.txt", *n == 0 ? "w" : "a");
    assert_non_null(file);
    fprintf(file, "%s\n", line);
    fclose(file);
    ++*n;
}

/* What is foretold is what is there afterwards, file by file. */
static void foretold(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    const fanin_run_options options = test_options(1);
    const struct {
        const char *path;
        uint64_t max_shard_nbytes;
        size_t nfiles;
    } cases[] = {{"f.safetensors", 0, 1}, {"folder", 0, 2}, {"folder/", 1000000, 4}};
    for (size_t c = 0; c < 3; c++) {
        const fanin_write_options write = {.size = sizeof write,
                                           .path = cases[c].path,
                                           .max_shard_nbytes = cases[c].max_shard_nbytes,
                                           .config_json = "{\"model_type\":\"x\"}\n"};
        fanin_write_result foretold_result, result;
        size_t n = 0;
        assert_ok(fanin_run_checkpoint_check(plan, &options, &write, report_file, &n, &foretold_result, &error), error);
        assert_false(file_exists(cases[c].path));
        assert_int_equal(n, cases[c].nfiles);
        assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
        assert_int_equal(foretold_result.nbytes, result.nbytes);
        assert_int_equal(foretold_result.nfiles, result.nfiles);
        FILE *file = fopen("reported.txt", "r");
        assert_non_null(file);
        char path[256];
        unsigned long long nbytes;
        while (fscanf(file, "%255s %llu", path, &nbytes) == 2) {
            struct stat info;
            assert_int_equal(stat(path, &info), 0);
            assert_int_equal(info.st_size, nbytes);
        }
        fclose(file);
        assert_fails(fanin_run_checkpoint_check(plan, &options, &write, NULL, NULL, NULL, &error), FANIN_ERROR_EXISTS,
                     error, "--force");
        if (c == 0)
            unlink(cases[c].path);
        else
            remove_folder("folder");
    }
    unlink("reported.txt");
    fanin_plan_free(plan);
}

static void refused_outputs(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    const fanin_run_options options = test_options(1);
    fanin_write_options write = {.size = sizeof write, .path = "no/such/folder"};
    for (int force = 0; force < 2; force++) {
        write.force = force;
        write.path = "no/such/folder";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_IO, error, "no/such");
        write.path = "no/such.safetensors";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_IO, error, "folder no");
        write.path = "";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                     "no name");
        assert_int_equal(mkdir("is-a-folder.safetensors", 0700), 0);
        write.path = "is-a-folder.safetensors";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                     "is a folder");
        rmdir("is-a-folder.safetensors");
        assert_int_equal(mkfifo("is-a-pipe.safetensors", 0600), 0);
        write.path = "is-a-pipe.safetensors";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error, "a pipe");
        unlink("is-a-pipe.safetensors");
        FILE *file = fopen("is-a-file", "w");
        assert_non_null(file);
        fclose(file);
        write.path = "is-a-file";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                     "is no folder");
        write.path = "is-a-file/x.safetensors";
        assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                     "is no folder");
        unlink("is-a-file");
    }
    fanin_run_options wrong = options;
    wrong.size = 4;
    assert_fails(fanin_run_checkpoint(plan, &wrong, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "fanin_run_options.size");
    assert_fails(fanin_run_checkpoint(plan, NULL, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "fanin_run_options.size");
    write.size = 0;
    assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "fanin_write_options.size");
    uint8_t byte;
    assert_fails(fanin_run_tensor(plan, &options, 99, &byte, &error), FANIN_ERROR_ARGUMENT, error, "no tensor 99");
    fanin_plan_free(plan);
}

/* With force a checkpoint of other files goes, config.json and what is not ours stays. */
static void replaced(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    const fanin_run_options options = test_options(1);
    fanin_write_options write = {
        .size = sizeof write, .path = "folder", .max_shard_nbytes = 1000, .config_json = "{\"a\":1}\n"};
    differences found;
    fanin_verify_result result;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    assert_true(file_exists("folder/model-00002-of-00003.safetensors"));
    FILE *file = fopen("folder/notes.txt", "w");
    assert_non_null(file);
    fclose(file);
    assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_EXISTS, error,
                 "folder/model.safetensors.index.json");

    write.force = true;
    write.max_shard_nbytes = 0; /* three shards become one file */
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    assert_true(file_exists("folder/model.safetensors"));
    assert_false(file_exists("folder/model.safetensors.index.json"));
    for (int i = 1; i <= 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "folder/model-%05d-of-00003.safetensors", i);
        assert_false(file_exists(path));
    }
    assert_true(file_exists("folder/notes.txt"));
    assert_true(file_exists("folder/config.json"));
    assert_ok(verify_file("folder/model.safetensors", plan, 1, &found, &result), error);

    write.max_shard_nbytes = 1000; /* and back */
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    assert_false(file_exists("folder/model.safetensors"));
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open("folder", &checkpoint, &error), error);
    assert_int_equal(fanin_checkpoint_file_count(checkpoint), 3);
    assert_int_equal(fanin_checkpoint_warning_count(checkpoint), 0);
    fanin_checkpoint_close(checkpoint);
    remove_folder("folder");

    /* a folder that holds just the config.json that would be written is as good as an empty one */
    assert_int_equal(mkdir("folder", 0700), 0);
    file = fopen("folder/config.json", "w");
    assert_non_null(file);
    fputs("{\"a\":1}\n", file);
    fclose(file);
    write.force = false;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    remove_folder("folder");
    assert_int_equal(mkdir("folder", 0700), 0);
    file = fopen("folder/config.json", "w");
    assert_non_null(file);
    fputs("{\"a\":2}\n", file);
    fclose(file);
    assert_fails(fanin_run_checkpoint(plan, &options, &write, NULL, &error), FANIN_ERROR_EXISTS, error,
                 "folder/config.json");
    remove_folder("folder");
    fanin_plan_free(plan);
}

/* The checkpoint whose shapes are taken may be the one that is replaced. */
static void output_is_input(void **state)
{
    (void)state;
    fanin_plan *plan =
        test_plan(SPEC("f32", "{\"name\":\"w\",\"shape\":[600,500]}", "{\"match\":\"w\",\"init\":\"ones\"}"), 0);
    write_checkpoint(plan, "same.safetensors", 1);
    fanin_plan_free(plan);
    fanin_model *model;
    fanin_recipe *recipe;
    const fanin_plan_options plan_options = {.size = sizeof plan_options};
    assert_ok(fanin_model_like("same.safetensors", &model, &error), error);
    assert_ok(fanin_recipe_create(&recipe, &error), error);
    assert_ok(fanin_recipe_set(recipe, "**=normal(std=0.02)", &error), error);
    assert_ok(fanin_plan_create(model, recipe, &plan_options, &plan, &error), error);
    fanin_recipe_free(recipe);
    fanin_model_free(model);

    fanin_checkpoint *old;
    float one;
    assert_ok(fanin_checkpoint_open("same.safetensors", &old, &error), error);
    write_checkpoint(plan, "same.safetensors", 1);
    assert_ok(fanin_checkpoint_read(old, 0, 600 * 500 * 4 - 4, &one, 4, &error), error);
    assert_true(one == 1); /* who has the old file open still reads it whole */
    fanin_checkpoint_close(old);
    differences found;
    fanin_verify_result result;
    assert_ok(verify_file("same.safetensors", plan, 1, &found, &result), error);
    fanin_plan_free(plan);
    unlink("same.safetensors");
}

/* Two checkpoints in one folder: the single file goes first, as transformers has it, and the reader says so. */
static void both_kinds_in_a_folder(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(small_spec, 0);
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {.size = sizeof write, .path = "folder", .max_shard_nbytes = 1000};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
    write_checkpoint(plan, "folder/model.safetensors", 2);
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open("folder", &checkpoint, &error), error);
    assert_int_equal(fanin_checkpoint_file_count(checkpoint), 1);
    assert_string_equal(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_SEED), "2");
    assert_int_equal(fanin_checkpoint_warning_count(checkpoint), 1);
    assert_non_null(strstr(fanin_checkpoint_warning_at(checkpoint, 0), "the index of shards beside it is ignored"));
    fanin_checkpoint_close(checkpoint);
    remove_folder("folder");
    fanin_plan_free(plan);
}

/* -- Progress ------------------------------------------------------------------------------------------------------ */

typedef struct progress {
    uint64_t last, total, largest_step;
    size_t ncalls, stop_at;
} progress;

static bool note_progress(void *user, uint64_t done, uint64_t total)
{
    progress *p = user;
    assert_true(done >= p->last && done <= total);
    p->largest_step = done - p->last > p->largest_step ? done - p->last : p->largest_step;
    p->last = done;
    p->total = total;
    return ++p->ncalls != p->stop_at;
}

static void progress_is_told(void **state)
{
    (void)state;
    fanin_plan *plan = test_plan(specs[0], 0);
    fanin_run_options options = test_options(1);
    progress p = {0};
    options.progress = note_progress;
    options.user = &p;
    fanin_write_options write = {.size = sizeof write, .path = "p.safetensors"};
    fanin_write_result result;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    assert_int_equal(p.last, result.nbytes);
    assert_int_equal(p.total, result.nbytes);
    assert_true(p.largest_step <= 32 << 20);
    p = (progress){0};
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open("p.safetensors", &checkpoint, &error), error);
    assert_ok(fanin_verify(checkpoint, plan, &options, NULL, NULL, NULL, &error), error);
    assert_int_equal(p.last, result.nbytes);
    p = (progress){.stop_at = 3};
    assert_fails(fanin_verify(checkpoint, plan, &options, NULL, NULL, NULL, &error), FANIN_ERROR_CANCELLED, error,
                 "cancelled");
    assert_int_equal(p.ncalls, 3);
    fanin_checkpoint_close(checkpoint);
    unlink("p.safetensors");
    fanin_plan_free(plan);
}

/* To make what comes behind a draw that depends on data, that draw is made: but not its tensor. */
static void behind_barriers(void **state)
{
    (void)state;
    enum { N = 3000000 };
#define BEHIND "{\"name\":\"big\",\"shape\":[3000000]},{\"name\":\"z\",\"shape\":[5]}"
    static const char *const behind[] = {
        SPEC("f64", BEHIND, "{\"match\":\"**\",\"init\":\"trunc_normal\"}"),
        SPEC("f64", BEHIND, "{\"match\":\"**\",\"init\":\"trunc_normal\",\"a\":1,\"b\":5}"),
    };
    for (size_t i = 0; i < 2; i++) {
        fanin_plan *plan = test_plan(behind[i], 0);
        const fanin_run_options options = test_options(3);
        void **expected = test_allocate_tensors(plan);
        double found[5];
        counting_allocator counter;
        test_run_plainly(plan, 3, expected);
        counting_begin(&counter);
        const fanin_status status = fanin_run_tensor(plan, &options, 1, found, &error);
        counting_end();
        assert_ok(status, error);
        assert_memory_equal(found, expected[1], sizeof found);
        assert_true(counter.peak_nbytes < FANIN_CHUNK_MAX_NBYTES + N / 8 + (1 << 20));
        test_free_tensors(plan, expected);
        fanin_plan_free(plan);
    }
}

/* -- Sent to the disk while it is made ----------------------------------------------------------------------------- */

static struct {
    size_t nstarts;
    size_t ndrops;
    size_t fail_at; /* call; 0: none */
} behind;

static int count_write_back(void *user, int fd, uint64_t offset, uint64_t nbytes, bool drop)
{
    behind.nstarts += !drop;
    behind.ndrops += drop;
    if (behind.fail_at == behind.nstarts + behind.ndrops)
        return -EIO;
    return fanin_default_io()->write_back(user, fd, offset, nbytes, drop);
}

static void written_behind(void **state)
{
    (void)state;
    /* 80 MiB: more than may be on the way at once */
    fanin_plan *plan = test_plan(SPEC("u8", "{\"name\":\"a\",\"shape\":[5]},{\"name\":\"b\",\"shape\":[80,1048576]}",
                                      "{\"match\":\"**\",\"init\":\"ones\"}"),
                                 0);
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {.size = sizeof write, .path = "w.safetensors", .force = true};
    fanin_io io = *fanin_default_io();
    fanin_digest digest;
    fanin_write_result result;
    assert_ok(fanin_run_digest(plan, &options, &digest, &error), error);
    io.set_direct = NULL; /* test_file_writer.c has what goes past the page cache */
    io.write_back = NULL;
    for (int counted = 0; counted < 2; counted++) {
        fanin_set_io(&io);
        const fanin_status status = fanin_run_checkpoint(plan, &options, &write, &result, &error);
        fanin_set_io(NULL);
        assert_ok(status, error);
        assert_memory_equal(result.digest.bytes, digest.bytes, 32);
        io.write_back = count_write_back;
    }
    const size_t nstarts = behind.nstarts, ndrops = behind.ndrops;
    assert_true(nstarts >= 19 && ndrops >= 3);
    unlink("w.safetensors");
    for (size_t fail_at = 1; fail_at <= nstarts + ndrops; fail_at += fail_at < 16 || test_is_slow() ? 15 : 1) {
        behind.nstarts = behind.ndrops = 0;
        behind.fail_at = fail_at;
        fanin_set_io(&io);
        const fanin_status status = fanin_run_checkpoint(plan, &options, &write, &result, &error);
        fanin_set_io(NULL);
        assert_fails(status, FANIN_ERROR_IO, error, "cannot write");
        assert_int_equal(test_count_files(".", "w.safetensors"), 0);
    }
    fanin_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_is_equal),
        cmocka_unit_test(every_way_is_equal_in_older_profiles),
        cmocka_unit_test(copies),
        cmocka_unit_test(changed_behind_a_copy),
        cmocka_unit_test(digest_as_documented),
        cmocka_unit_test(both_kinds_in_a_folder),
        cmocka_unit_test(split),
        cmocka_unit_test(differing_bytes),
        cmocka_unit_test(differing_tensors),
        cmocka_unit_test(provenance),
        cmocka_unit_test(large_plan),
        cmocka_unit_test(foretold),
        cmocka_unit_test(refused_outputs),
        cmocka_unit_test(replaced),
        cmocka_unit_test(output_is_input),
        cmocka_unit_test(progress_is_told),
        cmocka_unit_test(behind_barriers),
        cmocka_unit_test(written_behind),
    };
    return cmocka_run_group_tests(tests, test_enter_scratch, test_leave_scratch);
}
