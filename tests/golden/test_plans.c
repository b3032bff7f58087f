/* SPDX-License-Identifier: MIT */
/*
 * Golden plans (README.md beside this file): test_plans FOLDER PLAN. What torch left in every tensor is made from the
 * plan in every way there is: each alone in a shuffled order, all at once on 1 to 8 threads, in shards of both
 * dimensions, by every machine variant.
 */
#include "test.h"

#include <math.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "fanin/fanin.h"

static const char *folder, *plan_name;
static fanin_error error;

static const char *path_in_folder(char path[1024], const char *name, const char *ending)
{
    snprintf(path, 1024, "%s/%s%s", folder, name, ending);
    return path;
}

static char *read_text(const char *name, const char *ending, size_t *nbytes)
{
    char path[1024], *text;
    assert_ok(fanin_read_file(path_in_folder(path, name, ending), (uint64_t)1 << 30, &text, nbytes, &error), error);
    return text;
}

static fanin_plan *read_plan(void)
{
    char path[1024];
    fanin_model *model;
    fanin_plan *plan;
    assert_ok(fanin_description_read(path_in_folder(path, plan_name, ".plan.json"), &model, &plan, &error), error);
    assert_null(model);
    return plan;
}

static void sha256_hex(const void *data, size_t nbytes, char hex[65])
{
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, data, nbytes);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, hex);
}

/* The plan at one seed of digests.json: what each tensor must be. */
typedef struct seeded {
    const fanin_plan *plan;
    fanin_run_options options;
    const fanin_json *digests;
} seeded;

static const char *digest_of(const seeded *s, size_t tensor)
{
    const fanin_json *digest = fanin_json_get(s->digests, fanin_plan_tensor_at(s->plan, tensor)->name);
    return digest != NULL ? digest->string : NULL;
}

static void assert_tensor(const seeded *s, size_t tensor, const void *data, const char *way)
{
    const fanin_plan_tensor *of = fanin_plan_tensor_at(s->plan, tensor);
    char hex[65];
    sha256_hex(data, of->nbytes, hex);
    if (strcmp(hex, digest_of(s, tensor)) != 0)
        fail_msg("%s, seed %llu, %s: not what torch made", of->name, (unsigned long long)s->options.seed, way);
}

static void each_alone(const seeded *s)
{
    size_t n = fanin_plan_tensor_count(s->plan), nmade = 0;
    for (size_t i = 0, t = 7 % n; i < n; i++, t = (t + 7919) % n) { /* 7919 is prime, and no plan has so many */
        if (digest_of(s, t) == NULL)
            continue;
        void *data = malloc(fanin_plan_tensor_at(s->plan, t)->nbytes + 1);
        assert_ok(fanin_run_tensor(s->plan, &s->options, t, data, &error), error);
        assert_tensor(s, t, data, "alone");
        free(data);
        nmade++;
    }
    assert_int_equal(nmade, s->digests->count);
}

static void all_at_once(const seeded *s, unsigned nthreads)
{
    size_t n = fanin_plan_tensor_count(s->plan);
    fanin_pool *pool;
    void **data = calloc(n, sizeof *data);
    for (size_t t = 0; t < n; t++)
        if (digest_of(s, t) != NULL)
            data[t] = malloc(fanin_plan_tensor_at(s->plan, t)->nbytes + 1);
    assert_ok(fanin_pool_create(nthreads, &pool, &error), error);
    const fanin_parallel parallel = fanin_pool_parallel(pool);
    fanin_run_options options = s->options;
    options.parallel = &parallel;
    assert_ok(fanin_run_memory(s->plan, &options, data, &error), error);
    for (size_t t = 0; t < n; t++)
        if (data[t] != NULL && fanin_plan_tensor_at(s->plan, t)->tied_to == NULL)
            assert_tensor(s, t, data[t], "all at once");
    for (size_t t = 0; t < n; t++)
        free(data[t]);
    fanin_pool_free(pool);
    free(data);
}

/* torch.chunk over one dimension, all tensors and ranks in one call, each into its place in the whole. */
static void in_shards(const seeded *s, int dim, int64_t nshards)
{
    size_t n = fanin_plan_tensor_count(s->plan), nslices = 0;
    uint8_t **data = calloc(n, sizeof *data);
    fanin_slice *slices = calloc(n * (size_t)nshards, sizeof *slices);
    int64_t(*offsets)[FANIN_MAX_DIMS] = calloc(n * (size_t)nshards, sizeof *offsets);
    for (size_t t = 0; t < n; t++) {
        const fanin_plan_tensor *of = fanin_plan_tensor_at(s->plan, t);
        if (digest_of(s, t) == NULL || of->ndim <= dim)
            continue;
        data[t] = malloc(of->nbytes + 1);
        int64_t rows = (of->shape[dim] + nshards - 1) / nshards;
        for (int64_t rank = nshards; rank-- > 0;) {
            int64_t begin = rank * rows < of->shape[dim] ? rank * rows : of->shape[dim];
            fanin_tensor to = fanin_tensor_nd(NULL, of->dtype, of->ndim, of->shape);
            to.shape[dim] = of->shape[dim] - begin < rows ? of->shape[dim] - begin : rows;
            to.data = data[t] + (size_t)(begin * to.strides[dim]) * fanin_dtype_nbits(of->dtype) / 8;
            offsets[nslices][dim] = begin;
            slices[nslices] = (fanin_slice){.tensor = t, .offsets = offsets[nslices], .destination = to};
            nslices++;
        }
    }
    assert_ok(fanin_run_slices(s->plan, &s->options, slices, nslices, &error), error);
    for (size_t t = 0; t < n; t++) {
        if (data[t] != NULL)
            assert_tensor(s, t, data[t], "in shards");
        free(data[t]);
    }
    free(offsets);
    free(slices);
    free(data);
}

static void for_each_seed(void (*check)(const seeded *s))
{
    static const fanin_json_limits limits = {.depth = 8, .values = 1000000};
    size_t nbytes;
    char *text = read_text("digests", ".json", &nbytes);
    fanin_json_document document;
    fanin_plan *plan = read_plan();
    assert_ok(fanin_json_parse(text, nbytes, "digests.json", &limits, &document, &error), error);
    const fanin_json *seeds = fanin_json_get(&document.root, plan_name);
    assert_non_null(seeds);
    assert_true(seeds->count >= 2);
    for (size_t i = 0; i < seeds->count; i++) {
        const fanin_run_options options = {.size = sizeof options, .seed = strtoull(seeds->items[i].key, NULL, 10)};
        const seeded s = {plan, options, &seeds->items[i]};
        check(&s);
    }
    fanin_json_release(&document);
    fanin_plan_free(plan);
    fanin_free(text);
}

static void check_alone(const seeded *s)
{
    each_alone(s);
}

static void check_together(const seeded *s)
{
    for (unsigned nthreads = 1; nthreads <= 8; nthreads++)
        all_at_once(s, nthreads);
}

static void check_shards(const seeded *s)
{
    for (int dim = 0; dim < 2; dim++)
        for (int64_t nshards = 1; nshards <= 5; nshards++)
            in_shards(s, dim, nshards);
}

static void test_alone(void **state)
{
    const char *active = fanin_isa_active();
    (void)state;
    for (size_t i = 0; i < fanin_isa_count(); i++) {
        if (!fanin_isa_is_supported(i))
            continue;
        assert_ok(fanin_isa_force(fanin_isa_name(i), &error), error);
        for_each_seed(check_alone);
    }
    assert_ok(fanin_isa_force(active, &error), error);
}

static void test_together(void **state)
{
    (void)state;
    for_each_seed(check_together);
}

static void test_shards(void **state)
{
    (void)state;
    for_each_seed(check_shards);
}

/* The digests it carries, and the same bytes when it is written again and read. */
static void test_check(void **state)
{
    fanin_plan *plan = read_plan(), *again;
    const fanin_run_options options = {.size = sizeof options, .seed = 99};
    fanin_check_result result;
    char *first, *second;
    (void)state;
    assert_ok(fanin_run_check(plan, &options, NULL, NULL, &result, &error), error);
    assert_true(result.nequal > 5 && result.ndifferent == 0);
    assert_ok(fanin_plan_to_json(plan, &first, &error), error);
    assert_ok(fanin_plan_parse(first, strlen(first), "again", &again, &error), error);
    assert_ok(fanin_plan_to_json(again, &second, &error), error);
    assert_string_equal(first, second);
    fanin_release(first);
    fanin_release(second);
    fanin_plan_free(again);
    fanin_plan_free(plan);
}

/* Units in the last place between two finite numbers of one sign, or of both where they are tiny. */
static double ulps_apart(fanin_dtype dtype, double a, double b)
{
    int digits = dtype == FANIN_F64 ? 53 : dtype == FANIN_F32 ? 24 : dtype == FANIN_F16 ? 11 : 8;
    int exponent;
    if (a == b || (isnan(a) && isnan(b)))
        return 0;
    frexp(fabs(a) > fabs(b) ? a : b, &exponent);
    return fabs(a - b) / ldexp(1, exponent - digits);
}

/* From near.json: units in the last place, or a distance. */
static double apart(const fanin_json *near, fanin_dtype dtype, double a, double b)
{
    return fanin_json_get(near, "within") != NULL ? fabs(a - b) : ulps_apart(dtype, a, b);
}

static double number_of(const fanin_json *value)
{
    return value->kind == FANIN_JSON_UNSIGNED ? (double)value->unsigned_value : value->number;
}

/* What has bits of the host is near what torch made: near.json says how near. */
static void test_near(void **state)
{
    static const fanin_json_limits limits = {.depth = 8, .values = 1000000};
    size_t nbytes;
    char *text = read_text("near", ".json", &nbytes);
    double most = 0;
    fanin_json_document document;
    fanin_plan *plan = read_plan();
    const fanin_run_options options = {.size = sizeof options, .seed = 0};
    (void)state;
    assert_ok(fanin_json_parse(text, nbytes, "near.json", &limits, &document, &error), error);
    const fanin_json *near = fanin_json_get(&document.root, plan_name);
    assert_non_null(near);
    for (size_t i = 0; i < near->count; i++) {
        const fanin_json *within = fanin_json_get(&near->items[i], "within");
        const fanin_json *ulps = fanin_json_get(&near->items[i], "ulps"),
                         *data = fanin_json_get(&near->items[i], "data");
        size_t t = fanin_plan_tensor_find(plan, near->items[i].key);
        assert_true(t != SIZE_MAX && (ulps != NULL) != (within != NULL) && data != NULL);
        double allowed = number_of(ulps != NULL ? ulps : within);
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
        void *expected = malloc(tensor->nbytes), *made = malloc(tensor->nbytes);
        assert_true(fanin_base64_decode(data->string, data->nbytes, expected, tensor->nbytes));
        assert_ok(fanin_run_tensor(plan, &options, t, made, &error), error);
        for (size_t e = 0; e < tensor->nelem; e++) {
            double distance = apart(&near->items[i], tensor->dtype, fanin_dtype_value(tensor->dtype, made, e),
                                    fanin_dtype_value(tensor->dtype, expected, e));
            if (!(distance <= allowed))
                fail_msg("%s[%zu] is %.17g, torch's %.17g", tensor->name, e, fanin_dtype_value(tensor->dtype, made, e),
                         fanin_dtype_value(tensor->dtype, expected, e));
            most = distance / allowed > most ? distance / allowed : most;
        }
        free(expected);
        free(made);
    }
    print_message("%zu tensors near torch's, at most %.3g of what is allowed away\n", near->count, most);
    fanin_json_release(&document);
    fanin_plan_free(plan);
    fanin_free(text);
}

/* A checkpoint of what it can make carries the plan, which proves it. */
static void test_checkpoint(void **state)
{
    fanin_plan *plan = read_plan(), *part, *carried;
    size_t n = fanin_plan_tensor_count(plan), nstored = 0;
    bool *keep = calloc(n, sizeof *keep);
    (void)state;
    for (size_t t = 0; t < n; t++)
        keep[t] = fanin_plan_tensor_at(plan, t)->refused == NULL;
    assert_ok(fanin_plan_part(plan, keep, &part, &error), error);
    for (size_t t = 0; t < fanin_plan_tensor_count(part); t++)
        nstored += fanin_plan_tensor_is_stored(fanin_plan_tensor_at(part, t));
    const fanin_run_options options = {.size = sizeof options, .seed = 7};
    const fanin_write_options write = {.size = sizeof write, .path = "part.safetensors", .force = true};
    fanin_write_result written;
    fanin_digest digest;
    fanin_checkpoint *checkpoint;
    fanin_verify_result result;
    uint64_t seed;
    assert_ok(fanin_run_checkpoint(part, &options, &write, &written, &error), error);
    assert_ok(fanin_run_digest(part, &options, &digest, &error), error);
    assert_memory_equal(&written.digest, &digest, sizeof digest);
    assert_ok(fanin_checkpoint_open("part.safetensors", &checkpoint, &error), error);
    assert_int_equal(fanin_checkpoint_tensor_count(checkpoint), nstored);
    assert_ok(fanin_plan_from_checkpoint(checkpoint, &carried, &seed, &error), error);
    assert_int_equal(seed, 7);
    assert_ok(fanin_verify(checkpoint, carried, &options, NULL, NULL, &result, &error), error);
    assert_int_equal(result.nequal, nstored);
    assert_memory_equal(&result.digest, &digest, sizeof digest);
    fanin_checkpoint_close(checkpoint);
    fanin_plan_free(carried);
    fanin_plan_free(part);
    fanin_plan_free(plan);
    free(keep);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),  cmocka_unit_test(test_alone),      cmocka_unit_test(test_together),
        cmocka_unit_test(test_shards), cmocka_unit_test(test_checkpoint), cmocka_unit_test(test_near),
    };
    if (argc != 3) {
        fprintf(stderr, "usage: test_plans FOLDER PLAN\n");
        return 2;
    }
    folder = argv[1];
    plan_name = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
