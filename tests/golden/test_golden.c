/* SPDX-License-Identifier: MIT */
/*
 * Replays golden vectors (README.md beside this file): every call torch made is made here, every byte it left is
 * compared, and so is the generator's state afterwards. test_golden FILE... ends with 1 if anything differs.
 */
#define _POSIX_C_SOURCE 200809L

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "base/json.h"
#include "base/sha256.h"
#include "fanin/init.h"

enum { UNTOUCHED = 0xa5, NPRINTED = 10, HEAD_NBYTES = 32 };

/* One file's counts, and where the scenario at hand stands. */
struct tally {
    const char *path;
    size_t line;
    size_t nscenarios;
    size_t ncalls;
    size_t nfailed;
    uint64_t nvalues;
    /* of orthogonal and of trunc_normal before 2.12: values compared within a tolerance, and those equal in every bit
     */
    uint64_t nnear[2];
    uint64_t nnear_equal[2];
};

/* One call of a scenario, ready to be made. */
struct call {
    const fanin_json *json;
    const fanin_json *args;
    const char *fn;
    fanin_tensor tensor;
    unsigned char *storage;
    size_t nbytes; /* of the storage */
    size_t itemsize;
    int64_t offset; /* of the view in the storage */
    double value;   /* what calculate_gain returned */
};

/* ---- reading a line ------------------------------------------------------------------------------------------- */

/* A file that breaks its own format is no result: say where and stop. */
static _Noreturn void broken(const struct tally *tally, const char *format, ...)
{
    va_list list;
    fprintf(stderr, "%s:%zu: ", tally->path, tally->line);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(2);
}

static const fanin_json *member(const struct tally *tally, const fanin_json *object, const char *key)
{
    const fanin_json *found = fanin_json_get(object, key);
    if (found == NULL)
        broken(tally, "no member \"%s\"", key);
    return found;
}

static const char *text_member(const struct tally *tally, const fanin_json *object, const char *key)
{
    const fanin_json *found = member(tally, object, key);
    if (found->kind != FANIN_JSON_STRING)
        broken(tally, "\"%s\" is no string", key);
    return found->string;
}

static int64_t integer(const struct tally *tally, const fanin_json *value)
{
    if (value->kind == FANIN_JSON_UNSIGNED && value->unsigned_value <= INT64_MAX)
        return (int64_t)value->unsigned_value;
    if (value->kind == FANIN_JSON_NEGATIVE)
        return value->signed_value;
    broken(tally, "an integer was expected");
}

/* "nan", "inf" and "-0" are strings, because JSON has no such numbers. */
static double number(const struct tally *tally, const fanin_json *value)
{
    switch (value->kind) {
    case FANIN_JSON_UNSIGNED:
    case FANIN_JSON_NEGATIVE:
    case FANIN_JSON_NUMBER:
        return value->number;
    case FANIN_JSON_STRING:
        return strtod(value->string, NULL);
    default:
        broken(tally, "a number was expected");
    }
}

static int64_t *integers(const struct tally *tally, const fanin_json *array, int64_t *out)
{
    if (array->kind != FANIN_JSON_ARRAY || array->count > FANIN_MAX_DIMS)
        broken(tally, "an array of at most %d integers was expected", FANIN_MAX_DIMS);
    for (size_t i = 0; i < array->count; i++)
        out[i] = integer(tally, &array->items[i]);
    return out;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t decode_hex(const struct tally *tally, const fanin_json *text, unsigned char *out, size_t nbytes)
{
    if (text->nbytes % 2 != 0 || text->nbytes / 2 > nbytes)
        broken(tally, "%zu hex digits for %zu bytes", text->nbytes, nbytes);
    for (size_t i = 0; i < text->nbytes; i += 2) {
        int high = hex_digit(text->string[i]), low = hex_digit(text->string[i + 1]);
        if (high < 0 || low < 0)
            broken(tally, "bad hex digits");
        out[i / 2] = (unsigned char)(high << 4 | low);
    }
    return text->nbytes / 2;
}

static void decode_base64(const struct tally *tally, const fanin_json *text, unsigned char *out, size_t nbytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    int nbits = 0;
    size_t n = 0;
    for (size_t i = 0; i < text->nbytes && text->string[i] != '='; i++) {
        const char *found = text->string[i] != '\0' ? strchr(digits, text->string[i]) : NULL;
        if (found == NULL)
            broken(tally, "bad base64");
        bits = bits << 6 | (uint32_t)(found - digits);
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            if (n == nbytes)
                broken(tally, "more base64 than %zu bytes", nbytes);
            out[n++] = (unsigned char)(bits >> nbits);
        }
    }
    if (n != nbytes)
        broken(tally, "%zu bytes of base64 instead of %zu", n, nbytes);
}

static void *allocate(size_t nbytes)
{
    void *memory = malloc(nbytes != 0 ? nbytes : 1);
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

/* Fills in everything but the result. The storage is fresh and marked. */
static struct call read_call(const struct tally *tally, const fanin_json *json)
{
    struct call call = {.json = json, .fn = text_member(tally, json, "fn"), .args = member(tally, json, "args")};
    if (fanin_json_get(json, "shape") == NULL) {
        call.storage = allocate(0);
        return call; /* calculate_gain has no tensor */
    }
    const fanin_json *shape = member(tally, json, "shape"), *strides = member(tally, json, "strides");
    if (shape->count != strides->count)
        broken(tally, "%zu dimensions and %zu strides", shape->count, strides->count);
    call.tensor.ndim = (int32_t)shape->count;
    integers(tally, shape, call.tensor.shape);
    integers(tally, strides, call.tensor.strides);
    call.tensor.dtype = fanin_dtype_from_name(text_member(tally, json, "dtype"));
    call.itemsize = fanin_dtype_nbits(call.tensor.dtype) / 8;
    if (call.itemsize == 0)
        broken(tally, "a dtype whose elements are no bytes");
    call.offset = integer(tally, member(tally, json, "offset"));
    call.nbytes = (size_t)integer(tally, member(tally, json, "storage")) * call.itemsize;
    call.storage = allocate(call.nbytes);
    memset(call.storage, UNTOUCHED, call.nbytes);
    call.tensor.data = call.storage + (size_t)call.offset * call.itemsize;
    return call;
}

/* ---- making a call -------------------------------------------------------------------------------------------- */

static double arg(const struct tally *tally, const struct call *call, const char *name)
{
    return number(tally, member(tally, call->args, name));
}

/* torch takes a word in any case; one it does not know becomes a value the library must refuse. */
static fanin_fan_mode mode_arg(const struct tally *tally, const struct call *call)
{
    char lower[16] = "";
    const char *text = text_member(tally, call->args, "mode");
    for (size_t i = 0; i + 1 < sizeof lower && text[i] != '\0'; i++)
        lower[i] = (char)tolower((unsigned char)text[i]);
    if (strcmp(lower, "fan_in") == 0)
        return FANIN_FAN_IN;
    return strcmp(lower, "fan_out") == 0 ? FANIN_FAN_OUT : (fanin_fan_mode)2;
}

static fanin_nonlinearity nonlinearity_arg(const struct tally *tally, const struct call *call)
{
    return fanin_nonlinearity_from_name(text_member(tally, call->args, "nonlinearity"));
}

static fanin_status call_gain(const struct tally *tally, struct call *call, fanin_error *error)
{
    const fanin_json *param = member(tally, call->args, "param");
    double slope = 0;
    if (param->kind != FANIN_JSON_NULL)
        slope = number(tally, param);
    return fanin_calculate_gain(nonlinearity_arg(tally, call), param->kind == FANIN_JSON_NULL ? NULL : &slope,
                                &call->value, error);
}

static fanin_status make_call(const struct tally *tally, struct call *call, fanin_generator *g, fanin_error *error)
{
    const char *fn = call->fn;
    const fanin_tensor *t = &call->tensor;
    if (strcmp(fn, "uniform") == 0)
        return fanin_uniform(t, arg(tally, call, "a"), arg(tally, call, "b"), g, error);
    if (strcmp(fn, "normal") == 0)
        return fanin_normal(t, arg(tally, call, "mean"), arg(tally, call, "std"), g, error);
    if (strcmp(fn, "trunc_normal") == 0)
        return fanin_trunc_normal(t, arg(tally, call, "mean"), arg(tally, call, "std"), arg(tally, call, "a"),
                                  arg(tally, call, "b"), g, error);
    if (strcmp(fn, "constant") == 0)
        return fanin_constant(t, arg(tally, call, "val"), error);
    if (strcmp(fn, "ones") == 0)
        return fanin_ones(t, error);
    if (strcmp(fn, "zeros") == 0)
        return fanin_zeros(t, error);
    if (strcmp(fn, "eye") == 0)
        return fanin_eye(t, error);
    if (strcmp(fn, "dirac") == 0)
        return fanin_dirac(t, integer(tally, member(tally, call->args, "groups")), error);
    if (strcmp(fn, "xavier_uniform") == 0)
        return fanin_xavier_uniform(t, arg(tally, call, "gain"), g, error);
    if (strcmp(fn, "xavier_normal") == 0)
        return fanin_xavier_normal(t, arg(tally, call, "gain"), g, error);
    if (strcmp(fn, "kaiming_uniform") == 0)
        return fanin_kaiming_uniform(t, arg(tally, call, "a"), mode_arg(tally, call), nonlinearity_arg(tally, call), g,
                                     error);
    if (strcmp(fn, "kaiming_normal") == 0)
        return fanin_kaiming_normal(t, arg(tally, call, "a"), mode_arg(tally, call), nonlinearity_arg(tally, call), g,
                                    error);
    if (strcmp(fn, "orthogonal") == 0)
        return fanin_orthogonal(t, arg(tally, call, "gain"), g, error);
    if (strcmp(fn, "sparse") == 0)
        return fanin_sparse(t, arg(tally, call, "sparsity"), arg(tally, call, "std"), g, error);
    if (strcmp(fn, "randperm") == 0)
        return fanin_randperm(t->data, integer(tally, member(tally, call->args, "n")), g, error);
    if (strcmp(fn, "calculate_gain") == 0)
        return call_gain(tally, call, error);
    if (strcmp(fn, "u64") == 0) {
        for (int64_t i = 0; i < t->shape[0]; i++) {
            uint64_t drawn = fanin_generator_u64(g);
            memcpy((unsigned char *)t->data + 8 * i, &drawn, 8);
        }
        *error = (fanin_error){0};
        return FANIN_OK;
    }
    broken(tally, "no function \"%s\"", fn);
}

/* ---- judging what came of it ---------------------------------------------------------------------------------- */

static void print_json(const fanin_json *value)
{
    switch (value->kind) {
    case FANIN_JSON_NULL:
        printf("null");
        break;
    case FANIN_JSON_BOOL:
        printf(value->boolean ? "true" : "false");
        break;
    case FANIN_JSON_STRING:
        printf("\"%s\"", value->string);
        break;
    case FANIN_JSON_ARRAY:
    case FANIN_JSON_OBJECT:
        putchar('[');
        for (size_t i = 0; i < value->count; i++) {
            if (i != 0)
                printf(", ");
            if (value->kind == FANIN_JSON_OBJECT)
                printf("%s=", value->items[i].key);
            print_json(&value->items[i]);
        }
        putchar(']');
        break;
    default:
        printf("%.17g", value->number);
        break;
    }
}

/* Counts a failed scenario and, for the first few, begins the message about it. */
static bool begin_failure(struct tally *tally, const struct call *call, size_t index)
{
    tally->nfailed++;
    if (tally->nfailed > NPRINTED)
        return false;
    printf("%s:%zu: ", tally->path, tally->line);
    if (call == NULL)
        return true;
    printf("call %zu: %s", index + 1, call->fn);
    static const char *const members[] = {"dtype", "shape", "strides", "offset", "args"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const fanin_json *value = fanin_json_get(call->json, members[i]);
        if (value != NULL) {
            printf(" %s ", members[i]);
            print_json(value);
        }
    }
    printf("\n    ");
    return true;
}

static double element(const struct call *call, const unsigned char *storage, size_t i)
{
    if (call->tensor.dtype == FANIN_F64) {
        double value;
        memcpy(&value, storage + 8 * i, 8);
        return value;
    }
    float value;
    memcpy(&value, storage + 4 * i, 4);
    return value;
}

static void print_element(const struct call *call, const unsigned char *storage, size_t i)
{
    for (size_t byte = call->itemsize; byte-- > 0;)
        printf("%02x", storage[i * call->itemsize + byte]);
    if (call->tensor.dtype == FANIN_F32 || call->tensor.dtype == FANIN_F64)
        printf(" (%.17g)", element(call, storage, i));
}

static void print_difference(const struct call *call, const unsigned char *expected, size_t nbytes)
{
    size_t ndifferent = 0, first = 0;
    for (size_t i = nbytes / call->itemsize; i-- > 0;) {
        if (memcmp(expected + i * call->itemsize, call->storage + i * call->itemsize, call->itemsize) != 0) {
            ndifferent++;
            first = i;
        }
    }
    printf("%zu of %zu elements differ, the first is element %zu of the storage: expected ", ndifferent,
           nbytes / call->itemsize, first);
    print_element(call, expected, first);
    printf(", got ");
    print_element(call, call->storage, first);
    putchar('\n');
}

/* The i-th element of the view in row-major order, as an index into the storage. */
static size_t view_index(const struct call *call, int64_t i)
{
    int64_t at = call->offset;
    for (int d = call->tensor.ndim; d-- > 0;) {
        at += i % call->tensor.shape[d] * call->tensor.strides[d];
        i /= call->tensor.shape[d];
    }
    return (size_t)at;
}

/*
 * How far an element may be from torch's. orthogonal: spec of the public header; the QR of torch is its LAPACK's.
 * trunc_normal before 2.12: one ulp of erfinv, scaled, and the rounding of the product and the sum.
 */
static double tolerance(const struct tally *tally, const struct call *call, double expected)
{
    double eps = call->tensor.dtype == FANIN_F64 ? 0x1p-53 : 0x1p-24;
    const fanin_json *cond = fanin_json_get(call->json, "cond");
    if (cond != NULL) {
        int64_t rows = call->tensor.shape[0], cols = fanin_tensor_nelem(&call->tensor) / rows;
        return 8 * eps * fabs(arg(tally, call, "gain")) * (cond->number + sqrt((double)(rows < cols ? rows : cols)));
    }
    return 4 * eps * fmax(fabs(expected), fabs(expected - arg(tally, call, "mean")));
}

static bool compare_near(struct tally *tally, const struct call *call, size_t index, unsigned char *expected)
{
    int64_t nelem = fanin_tensor_nelem(&call->tensor);
    bool is_trunc = fanin_json_get(call->json, "near") != NULL;
    for (int64_t i = 0; i < nelem; i++) {
        size_t at = view_index(call, i);
        double want = element(call, expected, at), got = element(call, call->storage, at);
        bool same = memcmp(expected + at * call->itemsize, call->storage + at * call->itemsize, call->itemsize) == 0;
        tally->nnear[is_trunc]++;
        tally->nnear_equal[is_trunc] += same;
        if (!same && !(fabs(want - got) <= tolerance(tally, call, want))) {
            if (begin_failure(tally, call, index))
                printf("element %zu of the storage: expected %.17g +- %.3g, got %.17g\n", at, want,
                       tolerance(tally, call, want), got);
            return false;
        }
        /* what is left to compare are the elements that no call may touch */
        memcpy(expected + at * call->itemsize, call->storage + at * call->itemsize, call->itemsize);
    }
    if (memcmp(expected, call->storage, call->nbytes) == 0)
        return true;
    if (begin_failure(tally, call, index))
        print_difference(call, expected, call->nbytes);
    return false;
}

static bool compare_bytes(struct tally *tally, const struct call *call, size_t index)
{
    const fanin_json *hex = fanin_json_get(call->json, "hex"), *data = fanin_json_get(call->json, "data");
    bool is_near = fanin_json_get(call->json, "cond") != NULL || fanin_json_get(call->json, "near") != NULL;
    tally->nvalues += call->nbytes / call->itemsize;
    if (hex != NULL || data != NULL) {
        unsigned char *expected = allocate(call->nbytes);
        bool ok;
        if (data != NULL)
            decode_base64(tally, data, expected, call->nbytes);
        else if (decode_hex(tally, hex, expected, call->nbytes) != call->nbytes)
            broken(tally, "too few hex digits");
        if (is_near) {
            ok = compare_near(tally, call, index, expected);
        } else {
            ok = memcmp(expected, call->storage, call->nbytes) == 0;
            if (!ok && begin_failure(tally, call, index))
                print_difference(call, expected, call->nbytes);
        }
        free(expected);
        return ok;
    }
    unsigned char head[HEAD_NBYTES];
    fanin_sha256 hash;
    uint8_t digest[32];
    char digits[65];
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, call->storage, call->nbytes);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, digits);
    if (strcmp(digits, text_member(tally, call->json, "sha256")) == 0)
        return true;
    if (begin_failure(tally, call, index)) {
        size_t nbytes = decode_hex(tally, member(tally, call->json, "head"), head, sizeof head);
        if (memcmp(head, call->storage, nbytes) != 0)
            print_difference(call, head, nbytes);
        else
            printf("the digest differs, the first %zu bytes do not\n", nbytes);
    }
    return false;
}

static bool compare_gain(struct tally *tally, const struct call *call, size_t index)
{
    const char *text = text_member(tally, call->json, "value");
    double expected = strtod(text, NULL);
    tally->nvalues++;
    if ((isnan(expected) && isnan(call->value)) || memcmp(&expected, &call->value, sizeof expected) == 0)
        return true;
    if (begin_failure(tally, call, index))
        printf("expected %s, got %a\n", text, call->value);
    return false;
}

static void state_digest(const fanin_generator *generator, char digits[65])
{
    uint8_t state[FANIN_TORCH_STATE_NBYTES], digest[32];
    fanin_sha256 hash;
    fanin_generator_get_torch_state(generator, state);
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, state, sizeof state);
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, digits);
}

/* What must hold after torch raised, or fanin is to refuse: an error with words, and nothing changed. */
static bool check_refusal(struct tally *tally, const struct call *call, size_t index, fanin_status status,
                          const fanin_error *error, const fanin_generator *before, const fanin_generator *after)
{
    const fanin_json *raised = fanin_json_get(call->json, "error");
    char old_state[65], new_state[65];
    const char *what = NULL;
    bool untouched = true;
    for (size_t i = 0; i < call->nbytes; i++)
        untouched = untouched && call->storage[i] == UNTOUCHED;
    state_digest(before, old_state);
    state_digest(after, new_state);
    if (status == FANIN_OK)
        what = "success";
    else if (error->message[0] == '\0')
        what = "an error without a message";
    else if (!untouched)
        what = "an error after the tensor was written to";
    else if (strcmp(old_state, new_state) != 0)
        what = "an error after the generator had moved";
    if (what != NULL && begin_failure(tally, call, index))
        printf("%s, where %s%s\n", what, raised != NULL ? "torch raises " : "fanin is to refuse",
               raised != NULL ? raised->string : "");
    return what == NULL;
}

/* Whether the call did what torch did. */
static bool replay_call(struct tally *tally, const fanin_json *json, size_t index, fanin_generator *generator)
{
    struct call call = read_call(tally, json);
    fanin_generator before = *generator;
    fanin_error error = {0};
    bool ok;
    tally->ncalls++;
    fanin_status status = make_call(tally, &call, generator, &error);
    const fanin_json *warning = fanin_json_get(json, "warning");
    if (fanin_json_get(json, "error") != NULL || fanin_json_get(json, "refused") != NULL) {
        ok = check_refusal(tally, &call, index, status, &error, &before, generator);
    } else if (status != FANIN_OK) {
        ok = false;
        if (begin_failure(tally, &call, index))
            printf("torch succeeds, fanin: %s: %s\n", fanin_status_name(status), error.message);
    } else if ((warning != NULL) != (error.warning[0] != '\0')) {
        ok = false;
        if (begin_failure(tally, &call, index))
            printf("torch warns: \"%s\", fanin: \"%s\"\n", warning != NULL ? warning->string : "", error.warning);
    } else if (strcmp(call.fn, "calculate_gain") == 0) {
        ok = compare_gain(tally, &call, index);
    } else {
        ok = compare_bytes(tally, &call, index);
    }
    free(call.storage);
    return ok;
}

/* A scenario ends at its first failure: what follows would stand on another stream. */
static void replay_scenario(struct tally *tally, const fanin_json *scenario)
{
    char release[32], profile_name[48];
    const char *version = text_member(tally, scenario, "torch");
    const char *minor = strchr(version, '.');
    size_t nbytes = minor != NULL ? (size_t)(minor - version) + 1 + strcspn(minor + 1, ".") : strlen(version);
    if (nbytes >= sizeof release)
        broken(tally, "no torch release: %s", version);
    memcpy(release, version, nbytes);
    release[nbytes] = '\0';
    snprintf(profile_name, sizeof profile_name, "torch-%s", release);

    fanin_profile profile;
    fanin_error error = {0};
    if (fanin_profile_parse(profile_name, &profile, &error) != FANIN_OK)
        broken(tally, "%s", error.message);
    uint64_t seed = strtoull(text_member(tally, scenario, "seed"), NULL, 10);
    fanin_generator generator = fanin_generator_create(profile, seed);
    const fanin_json *calls = member(tally, scenario, "calls");
    tally->nscenarios++;
    for (size_t i = 0; i < calls->count; i++) {
        if (!replay_call(tally, &calls->items[i], i, &generator))
            return;
    }
    char state[65];
    state_digest(&generator, state);
    if (strcmp(state, text_member(tally, scenario, "state")) != 0 && begin_failure(tally, NULL, 0))
        printf("the %zu calls agree, the generator's state after them does not (seed %" PRIu64 ")\n", calls->count,
               seed);
}

static bool replay_file(const char *path)
{
    static const fanin_json_limits limits = {.depth = 8, .values = 1000000};
    struct tally tally = {.path = path};
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t nbytes;
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while ((nbytes = getline(&text, &capacity, file)) > 0) {
        fanin_json_document document;
        fanin_error error = {0};
        tally.line++;
        if (fanin_json_parse(text, (size_t)nbytes, path, &limits, &document, &error) != FANIN_OK)
            broken(&tally, "%s", error.message);
        replay_scenario(&tally, &document.root);
        fanin_json_release(&document);
    }
    bool is_read = feof(file) && !ferror(file);
    free(text);
    fclose(file);
    if (!is_read || tally.nscenarios == 0)
        broken(&tally, "no scenario could be read");
    printf("%s: %zu scenarios, %zu calls, %" PRIu64 " values, %zu failed\n", path, tally.nscenarios, tally.ncalls,
           tally.nvalues, tally.nfailed);
    static const char *const near_names[] = {"orthogonal", "trunc_normal before 2.12"};
    for (size_t i = 0; i < 2; i++) {
        if (tally.nnear[i] != 0)
            printf("    %s: %" PRIu64 " values within a tolerance, %" PRIu64 " of them equal\n", near_names[i],
                   tally.nnear[i], tally.nnear_equal[i]);
    }
    /* The tolerance alone would let the old rule rot: it gives torch's bits in all but a few values of ten thousand. */
    if (tally.nnear_equal[1] * 100 < tally.nnear[1] * 99) {
        printf("    fewer than 99 in 100 of these are equal\n");
        return false;
    }
    return tally.nfailed == 0;
}

int main(int argc, char **argv)
{
    bool ok = true;
    if (argc < 2) {
        fprintf(stderr, "usage: test_golden FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        ok = replay_file(argv[i]) && ok;
    return ok ? 0 : 1;
}
