/* SPDX-License-Identifier: MIT */
/*
 * Mending: only what was found is made anew, by the plan or by rules, and everything else is what it was to the byte;
 * what cannot be made is left and counted; the copy says what was done, and is clean.
 */
#define _XOPEN_SOURCE 700
#include "counting_allocator.h"
#include "damage.h"
#include "plan_fixture.h"
#include "scratch.h"

#include <sys/stat.h>

#include "fanin/check.h"

static fanin_error error;

static const char spec[] =
    "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
    "{\"name\":\"emb.weight\",\"shape\":[300,64]},{\"name\":\"h.0.weight\",\"shape\":[96,64]},"
    "{\"name\":\"h.0.bias\",\"shape\":[96]},{\"name\":\"h.1.weight\",\"shape\":[96,64]},"
    "{\"name\":\"h.1.bias\",\"shape\":[96]},{\"name\":\"half.weight\",\"shape\":[40,50],\"dtype\":\"bf16\"}],"
    "\"rules\":[{\"match\":\"emb.*\",\"row\":0,\"init\":\"zeros\"},{\"match\":\"**.bias\",\"init\":\"zeros\"},"
    "{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";

static const uint8_t nan32[] = {0, 0, 0xc0, 0x7f}, nan16[] = {0xc0, 0x7f};

static fanin_plan *plan;

static void make(const char *path, uint64_t seed, uint64_t max_shard_nbytes)
{
    const fanin_run_options options = test_options(seed);
    const fanin_write_options write = {
        .size = sizeof write, .path = path, .max_shard_nbytes = max_shard_nbytes, .force = true};
    assert_ok(fanin_run_checkpoint(plan, &options, &write, NULL, &error), error);
}

static fanin_diagnosis *diagnose(const fanin_checkpoint *checkpoint, const fanin_plan *by)
{
    fanin_diagnosis *diagnosis;
    const fanin_diagnosis_options options = {.size = sizeof options, .plan = by};
    assert_ok(fanin_diagnose_checkpoint(checkpoint, &options, &diagnosis, &error), error);
    return diagnosis;
}

static fanin_checkpoint *open_checkpoint(const char *path)
{
    fanin_checkpoint *checkpoint;
    assert_ok(fanin_checkpoint_open(path, &checkpoint, &error), error);
    return checkpoint;
}

/* What was wrong with `from` is mended in `to`: by `known`, whose own ops are used if `by` is the same. */
static fanin_repair_result repair(const char *from, const char *to, const fanin_plan *known, const fanin_plan *by,
                                  const fanin_run_options *options)
{
    fanin_repair_result result;
    fanin_checkpoint *checkpoint = open_checkpoint(from);
    fanin_diagnosis *diagnosis = diagnose(checkpoint, known);
    const fanin_write_options write = {.size = sizeof write, .path = to, .force = true};
    assert_ok(fanin_repair(checkpoint, diagnosis, by, options, &write, &result, &error), error);
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
    return result;
}

static size_t count_findings(const char *path, const fanin_plan *known)
{
    fanin_checkpoint *checkpoint = open_checkpoint(path);
    fanin_diagnosis *diagnosis = diagnose(checkpoint, known);
    size_t n = fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_ERROR) +
               fanin_diagnosis_severity_count(diagnosis, FANIN_SEVERITY_WARN);
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
    return n;
}

/* Of two checkpoints, the tensors whose bytes differ, joined by commas. */
static const char *differing(const char *path_a, const char *path_b)
{
    static char text[1024];
    text[0] = 0;
    fanin_checkpoint *a = open_checkpoint(path_a), *b = open_checkpoint(path_b);
    assert_int_equal(fanin_checkpoint_tensor_count(a), fanin_checkpoint_tensor_count(b));
    for (size_t i = 0; i < fanin_checkpoint_tensor_count(a); i++) {
        const char *name = fanin_checkpoint_tensor_at(a, i)->name;
        size_t na, nb;
        uint8_t *of_a = test_bytes_of(a, name, &na), *of_b = test_bytes_of(b, name, &nb);
        if (na != nb || memcmp(of_a, of_b, na) != 0)
            strcat(strcat(text, text[0] != 0 ? "," : ""), name);
        free(of_a);
        free(of_b);
    }
    fanin_checkpoint_close(a);
    fanin_checkpoint_close(b);
    return text;
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 4 << 20);
    size_t n = fread(text, 1, (4 << 20) - 1, file);
    assert_true(n > 0);
    fclose(file);
    return text;
}

static bool metadata_is(const char *path, const char *key, const char *value)
{
    fanin_checkpoint *checkpoint = open_checkpoint(path);
    const char *found = fanin_checkpoint_metadata(checkpoint, key);
    bool same = found == NULL || value == NULL ? found == value : strcmp(found, value) == 0;
    if (!same)
        print_error("%s: %s is %s\n", path, key, found != NULL ? found : "absent");
    fanin_checkpoint_close(checkpoint);
    return same;
}

/* At the seed it was made from it becomes what it was, to the bit and with its proof. */
static void by_its_plan(void **state)
{
    (void)state;
    const struct {
        const char *good, *bad, *to;
        uint64_t max_shard_nbytes;
    } cases[] = {{"good.safetensors", "bad.safetensors", "new.safetensors", 0},
                 {"good", "bad", "new", 40000},
                 {"good", "bad", "one.safetensors", 40000},
                 {"good.safetensors", "bad.safetensors", "folder", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(cases[i].good, 7, cases[i].max_shard_nbytes);
        make(cases[i].bad, 7, cases[i].max_shard_nbytes);
        test_damage(cases[i].bad, "emb.weight", 4000, nan32, 4);
        test_damage(cases[i].bad, "h.1.bias", 0, nan32, 4);
        test_damage(cases[i].bad, "half.weight", 2, nan16, 2);
        assert_int_not_equal(count_findings(cases[i].bad, NULL), 0);
        const fanin_run_options options = test_options(7);
        fanin_repair_result result = repair(cases[i].bad, cases[i].to, plan, plan, &options);
        assert_int_equal(result.nmade, 3);
        assert_int_equal(result.nleft, 0);
        assert_string_equal(differing(cases[i].good, cases[i].to), "");
        assert_int_equal(count_findings(cases[i].to, NULL), 0);
        assert_true(metadata_is(cases[i].to, FANIN_METADATA_SEED, "7"));
        fanin_checkpoint *checkpoint = open_checkpoint(cases[i].to);
        fanin_plan *own;
        uint64_t seed;
        fanin_digest digest;
        assert_ok(fanin_plan_from_checkpoint(checkpoint, &own, &seed, &error), error);
        assert_ok(fanin_verify(checkpoint, own, &options, NULL, NULL, NULL, &error), error);
        assert_ok(fanin_checkpoint_digest(checkpoint, &digest, &error), error);
        assert_memory_equal(digest.bytes, result.digest.bytes, 32);
        fanin_plan_free(own);
        fanin_checkpoint_close(checkpoint);
    }
    assert_int_equal(test_count_files("new", ""), test_count_files("bad", ""));
    assert_int_equal(test_count_files("folder", ""), 1);
}

/* At another seed it is what the plan makes there, but the whole is no plan's any more, and does not say so. */
static void by_its_plan_at_another_seed(void **state)
{
    (void)state;
    make("bad.safetensors", 7, 0);
    make("other.safetensors", 8, 0);
    test_damage("bad.safetensors", "emb.weight", 4000, nan32, 4);
    test_damage("bad.safetensors", "h.1.weight", 0, nan32, 4);
    const fanin_run_options options = test_options(8);
    repair("bad.safetensors", "new.safetensors", plan, plan, &options);
    assert_string_equal(differing("bad.safetensors", "new.safetensors"), "emb.weight,h.1.weight");
    assert_string_equal(differing("other.safetensors", "new.safetensors"), "h.0.weight,half.weight");
    assert_true(metadata_is("new.safetensors", FANIN_METADATA_SEED, NULL));
    assert_true(metadata_is("new.safetensors", FANIN_METADATA_PLAN, NULL));
    assert_true(metadata_is("new.safetensors", FANIN_METADATA_PLAN_SHA256, NULL));
    assert_int_equal(count_findings("new.safetensors", plan), 0);
}

/* Rules draw in the order of the names, and of nothing but what they make. */
static void by_rules(void **state)
{
    (void)state;
    make("bad.safetensors", 7, 0);
    test_damage("bad.safetensors", "h.0.weight", 0, nan32, 4);
    test_damage("bad.safetensors", "h.1.weight", 12, nan32, 4);
    test_damage("bad.safetensors", "half.weight", 2, nan16, 2);
    const fanin_run_options options = test_options(42);
    fanin_repair_result result = repair("bad.safetensors", "new.safetensors", plan, NULL, &options);
    assert_int_equal(result.nmade, 3);
    assert_string_equal(differing("bad.safetensors", "new.safetensors"), "h.0.weight,h.1.weight,half.weight");
    assert_int_equal(count_findings("new.safetensors", plan), 0);
    fanin_checkpoint *checkpoint = open_checkpoint("new.safetensors");
    fanin_generator generator = fanin_generator_create(fanin_plan_profile(plan), 42);
    static const char *const names[] = {"h.0.weight", "h.1.weight", "half.weight"};
    for (int i = 0; i < 3; i++) {
        size_t nbytes;
        uint8_t *found = test_bytes_of(checkpoint, names[i], &nbytes), *expected = malloc(nbytes);
        fanin_tensor tensor =
            i < 2 ? fanin_tensor_2d(expected, FANIN_F32, 96, 64) : fanin_tensor_2d(expected, FANIN_BF16, 40, 50);
        assert_ok(fanin_normal(&tensor, 0, 0.02, &generator, &error), error);
        assert_memory_equal(found, expected, nbytes);
        free(expected);
        free(found);
    }
    fanin_checkpoint_close(checkpoint);
    /* it is not what its plan makes any more */
    assert_true(metadata_is("new.safetensors", FANIN_METADATA_SEED, NULL));
    assert_true(metadata_is("new.safetensors", FANIN_METADATA_PLAN, NULL));
    assert_true(metadata_is("new.safetensors", "format", "pt"));
    assert_true(metadata_is(
        "new.safetensors", FANIN_METADATA_REPAIR,
        "{\"seed\":\"42\",\"profile\":\"torch-2.13\",\"source\":\"bad.safetensors\",\"tensors\":{\"h.0.weight\":"
        "\"normal(std=0.02)\",\"h.1.weight\":\"normal(std=0.02)\",\"half.weight\":\"normal(std=0.02)\"}}"));
    /* mended once more, it tells both */
    test_damage("new.safetensors", "h.0.bias", 0, nan32, 4);
    repair("new.safetensors", "again.safetensors", plan, NULL, &options);
    checkpoint = open_checkpoint("again.safetensors");
    assert_non_null(strstr(fanin_checkpoint_metadata(checkpoint, FANIN_METADATA_REPAIR), "\"h.0.bias\":\"zeros\"},"
                                                                                         "\"earlier\":\"{\\\"seed"));
    fanin_checkpoint_close(checkpoint);
}

/* No bit depends on the number of threads. */
static void threads(void **state)
{
    (void)state;
    make("bad.safetensors", 7, 0);
    test_damage("bad.safetensors", "h.0.weight", 0, nan32, 4);
    test_damage("bad.safetensors", "h.1.weight", 0, nan32, 4);
    char *expected = NULL;
    for (unsigned n = 1; n <= 5; n += 2) {
        fanin_pool *pool;
        assert_ok(fanin_pool_create(n, &pool, &error), error);
        const fanin_parallel parallel = fanin_pool_parallel(pool);
        fanin_run_options options = test_options(42);
        options.parallel = &parallel;
        repair("bad.safetensors", "new.safetensors", plan, NULL, &options);
        char *found = read_text("new.safetensors");
        if (expected != NULL)
            assert_memory_equal(found, expected, 4 << 20);
        free(expected);
        expected = found;
        fanin_pool_free(pool);
    }
    free(expected);
}

static void write_file(const char *path, const char *header, const void *data, size_t nbytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 8; i++)
        fputc((int)(strlen(header) >> 8 * i & 0xff), file);
    fwrite(header, 1, strlen(header), file);
    fwrite(data, 1, nbytes, file);
    assert_int_equal(fclose(file), 0);
}

/*
 * Random values that no rule makes in their dtype, shapes that no tensor has, and what nothing is known of: left, and
 * counted. A constant is made in every dtype.
 */
static void what_is_left(void **state)
{
    (void)state;
    static const char header[] =
        "{\"w.0.weight\":{\"dtype\":\"F32\",\"shape\":[64,64],\"data_offsets\":[0,16384]},"
        "\"w.1.weight\":{\"dtype\":\"F8_E5M2\",\"shape\":[64,64],\"data_offsets\":[16384,20480]},"
        "\"a.bias\":{\"dtype\":\"F8_E5M2\",\"shape\":[64],\"data_offsets\":[20480,20544]},"
        "\"n.bias\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[20544,20552]},"
        "\"u.thing\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[20552,20568]}}";
    static uint8_t data[20568];
    memset(data, 0xff, sizeof data); /* NaN in both dtypes */
    fanin_generator generator = fanin_generator_torch(1);
    fanin_tensor healthy = fanin_tensor_2d(data, FANIN_F32, 64, 64);
    assert_ok(fanin_normal(&healthy, 0, 0.02, &generator, &error), error);
    write_file("left.safetensors", header, data, sizeof data);
    const fanin_run_options options = test_options(1);
    fanin_repair_result result = repair("left.safetensors", "new.safetensors", NULL, NULL, &options);
    assert_string_equal(differing("left.safetensors", "new.safetensors"), "a.bias");
    assert_int_equal(result.nmade, 1);
    assert_int_equal(result.nleft, 3);
    fanin_checkpoint *checkpoint = open_checkpoint("new.safetensors");
    size_t nbytes;
    uint8_t *bytes = test_bytes_of(checkpoint, "a.bias", &nbytes);
    for (size_t i = 0; i < nbytes; i++)
        assert_int_equal(bytes[i], 0);
    free(bytes);
    fanin_checkpoint_close(checkpoint);
}

static void refusals(void **state)
{
    (void)state;
    make("bad.safetensors", 7, 0);
    fanin_checkpoint *checkpoint = open_checkpoint("bad.safetensors");
    fanin_diagnosis *diagnosis = diagnose(checkpoint, plan);
    fanin_run_options options = test_options(1);
    fanin_write_options write = {.size = sizeof write, .path = "bad.safetensors"};
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_EXISTS, error,
                 "--force");
    write.path = "none/new.safetensors";
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_IO, error,
                 "none");
    write.path = "new.npy";
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_UNSUPPORTED,
                 error, "PATH.safetensors");
    write.path = "";
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "no name");
    write.path = "refused.safetensors";
    write.size = 3;
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "fanin_write_options.size");
    write.size = sizeof write;
    options.size = 0;
    assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_ARGUMENT, error,
                 "fanin_run_options.size");
    struct stat info;
    assert_int_not_equal(stat("refused.safetensors", &info), 0);
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
}

static uint64_t shown, stop_at;
static bool show(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    assert_true(done >= shown && done <= total);
    shown = done;
    return done < stop_at;
}

static void progress_and_cancelling(void **state)
{
    (void)state;
    make("bad", 7, 40000);
    test_damage("bad", "h.0.weight", 0, nan32, 4);
    test_damage("bad", "emb.weight", 0, nan32, 4);
    fanin_checkpoint *checkpoint = open_checkpoint("bad");
    fanin_diagnosis *diagnosis = diagnose(checkpoint, plan);
    fanin_run_options options = test_options(8);
    options.progress = show;
    const fanin_write_options write = {.size = sizeof write, .path = "shown"};
    uint64_t total = 0;
    for (size_t i = 0; i < fanin_checkpoint_tensor_count(checkpoint); i++)
        total += fanin_checkpoint_tensor_at(checkpoint, i)->nbytes;
    for (stop_at = 1; stop_at < total; stop_at += total / 7) {
        shown = 0;
        assert_fails(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), FANIN_ERROR_CANCELLED,
                     error, "cancelled after");
        assert_int_equal(test_count_files("shown", ""), 0);
    }
    stop_at = UINT64_MAX;
    shown = 0;
    assert_ok(fanin_repair(checkpoint, diagnosis, plan, &options, &write, NULL, &error), error);
    assert_int_equal(shown, total);
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
}

/* Memory does not grow with the tensors, made or copied. */
static void memory(void **state)
{
    (void)state;
    static const char large[] =
        "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"f32\",\"tensors\":["
        "{\"name\":\"a.weight\",\"shape\":[4000,1500]},{\"name\":\"b.weight\",\"shape\":[4000,1500]}],"
        "\"rules\":[{\"match\":\"**\",\"init\":\"normal\",\"std\":0.02}]}";
    fanin_plan *of_large = test_plan(large, 0);
    const fanin_run_options options = test_options(1);
    const fanin_write_options write = {.size = sizeof write, .path = "large.safetensors"};
    assert_ok(fanin_run_checkpoint(of_large, &options, &write, NULL, &error), error);
    test_damage("large.safetensors", "b.weight", 0, nan32, 4);
    fanin_checkpoint *checkpoint = open_checkpoint("large.safetensors");
    fanin_diagnosis *diagnosis = diagnose(checkpoint, of_large);
    for (int by_plan = 0; by_plan < 2; by_plan++) {
        const fanin_write_options to = {.size = sizeof to, .path = "mended.safetensors", .force = true};
        fanin_repair_result result;
        counting_allocator counter;
        counting_begin(&counter);
        fanin_status status =
            fanin_repair(checkpoint, diagnosis, by_plan ? of_large : NULL, &options, &to, &result, &error);
        counting_end();
        assert_ok(status, error);
        assert_int_equal(result.nmade, 1);
        assert_int_equal(counter.nblocks, 0);
        assert_true(counter.peak_nbytes < 16 << 20);
    }
    fanin_diagnosis_free(diagnosis);
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(of_large);
}

static int make_plan(void **state)
{
    if (test_enter_scratch(state) != 0)
        return -1;
    plan = test_plan(spec, 0);
    return 0;
}

static int free_plan(void **state)
{
    fanin_plan_free(plan);
    return test_leave_scratch(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_its_plan),
                                       cmocka_unit_test(by_its_plan_at_another_seed),
                                       cmocka_unit_test(by_rules),
                                       cmocka_unit_test(threads),
                                       cmocka_unit_test(what_is_left),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(progress_and_cancelling),
                                       cmocka_unit_test(memory)};
    return cmocka_run_group_tests(tests, make_plan, free_plan);
}
