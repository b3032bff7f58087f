/* SPDX-License-Identifier: MIT */
/*
 * Descriptions, recipes and plans with every allocation failing, once and from then on: the call says so, nothing is
 * left, and what succeeded in spite of it is what it always is.
 */
#include "description.h"

#include "counting_allocator.h"
#include "fanin/run.h"

static const char spec[] =
    "{'format':'fanin-spec','version':1,'construct':true,'vars':{'n':3,'m':'2*n'},'tensors':["
    "{'name':'a','shape':['m',4],'gates':'x,y'},{'name':'t','tie':'a'},{'repeat':{'i':[0,3]},'tensors':["
    "{'name':'l{i}','linear':['n',2]}]},{'name':'r','lstm':[2,2]},{'name':'e','transformer_encoder':[2,1,2]}],"
    "'rules':[{'match':'a','only':'x','init':'eye'},{'match':'a','per_gate':true,'init':'trunc_normal','cut':2},"
    "{'layer':'lstm','role':'bias_hh','row':-1,'init':'constant(val=1/m)'},{'match':'**.wieght','init':'ones'},"
    "{'match':'re:l[0-9]+\\\\.(weight|bias)','init':'normal','std':'1/n'},{'match':'**','init':'torch_default'}]}";
static const char recipe_text[] = "{'format':'fanin-recipe','version':1,'vars':{'L':{'count':'l#.*'},'D':'2*L'},"
                                  "'rules':[{'match':'l0.*','init':'uniform','b':'D'}]}";
static const char config[] = "{'model_type':'llama','vocab_size':5,'hidden_size':4,'intermediate_size':3,"
                             "'num_hidden_layers':1,'num_attention_heads':2,'pad_token_id':0}";

struct texts {
    char *spec;
    char *recipe;
    char *config;
};

/* All that is done with a description; *json is the plan's, to be released. */
static fanin_status everything(const struct texts *texts, char **json, fanin_error *error)
{
    fanin_model *model = NULL, *configured = NULL;
    fanin_recipe *recipe = NULL;
    fanin_plan *plan = NULL, *again = NULL, *other = NULL;
    char *copy = NULL, hex[65];
    *json = NULL;
    fanin_status status = fanin_model_parse(texts->spec, strlen(texts->spec), "m.json", &model, error);
    if (status == FANIN_OK)
        status = fanin_recipe_create(&recipe, error);
    if (status == FANIN_OK)
        status = fanin_recipe_set(recipe, "l1.bias=ones", error);
    if (status == FANIN_OK)
        status = fanin_recipe_parse(recipe, texts->recipe, strlen(texts->recipe), "r.json", error);
    if (status == FANIN_OK)
        status = fanin_plan_create(model, recipe, NULL, &plan, error);
    if (status == FANIN_OK)
        status = fanin_plan_to_json(plan, json, error);
    if (status == FANIN_OK)
        status = fanin_plan_parse(*json, strlen(*json), "p.json", &again, error);
    if (status == FANIN_OK)
        status = fanin_plan_sha256(again, hex, error);
    if (status == FANIN_OK)
        status = fanin_model_parse(texts->config, strlen(texts->config), "c.json", &configured, error);
    if (status == FANIN_OK)
        status = fanin_plan_create(configured, NULL, NULL, &other, error);
    if (status == FANIN_OK)
        status = fanin_model_config(configured, FANIN_F16, &copy, error);
    fanin_release(copy);
    fanin_plan_free(other);
    fanin_plan_free(again);
    fanin_plan_free(plan);
    fanin_recipe_free(recipe);
    fanin_model_free(configured);
    fanin_model_free(model);
    return status;
}

static void test_allocations(void **state)
{
    struct texts texts = {test_json(spec), test_json(recipe_text), test_json(config)};
    counting_allocator counter;
    fanin_error error;
    char *json, *expected;
    (void)state;
    counting_begin(&counter);
    assert_ok(everything(&texts, &json, &error), error);
    uint64_t ncalls = counter.ncalls;
    expected = malloc(strlen(json) + 1);
    assert_non_null(expected);
    strcpy(expected, json);
    fanin_release(json);
    assert_int_equal(counter.nblocks, 0);
    assert_true(ncalls > 100);
    uint64_t nfailures = 0;
    for (int on = 0; on < 2; on++) {
        for (uint64_t n = 1; n <= ncalls; n++) {
            counting_begin(&counter);
            counter.fail_at = n;
            counter.fail_on = on != 0;
            fanin_status status = everything(&texts, &json, &error);
            if (status != FANIN_OK) {
                if (status != FANIN_ERROR_MEMORY || error.message[0] == '\0')
                    fail_msg("allocation %llu: %s: %s", (unsigned long long)n, fanin_status_name(status),
                             error.message);
                nfailures++;
            } else {
                /* Only a suggestion, or room for one, can be gone without. */
                assert_string_equal(json, expected);
            }
            fanin_release(json);
            if (counter.nblocks != 0)
                fail_msg("allocation %llu: %llu blocks are left", (unsigned long long)n,
                         (unsigned long long)counter.nblocks);
        }
    }
    counting_end();
    print_message("%llu allocations, %llu failures\n", (unsigned long long)ncalls, (unsigned long long)nfailures);
    assert_true(nfailures >= ncalls);
    free(expected);
    free(texts.spec);
    free(texts.recipe);
    free(texts.config);
}

/* ---- recordings ---- */

enum { MOST_NBYTES = 4096 };

/* All that is done with a recorded plan; `made` is memory that all of it went to. */
static fanin_status everything_recorded(const char *text, uint8_t made[MOST_NBYTES], fanin_error *error)
{
    const fanin_run_options options = {.size = sizeof options, .seed = 3};
    fanin_plan *plan = NULL, *part = NULL;
    fanin_digest digest;
    fanin_check_result result;
    bool keep[16] = {false};
    void *data[16] = {NULL};
    size_t used = 0;
    memset(made, 0, MOST_NBYTES);
    fanin_status status = fanin_plan_parse(text, strlen(text), "p.json", &plan, error);
    for (size_t t = 0; status == FANIN_OK && t < fanin_plan_tensor_count(plan); t++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
        keep[t] = tensor->refused == NULL;
        if (!keep[t] || tensor->tied_to != NULL)
            continue;
        data[t] = made + used;
        used += (tensor->nbytes + 7) / 8 * 8;
        assert_true(used <= MOST_NBYTES);
    }
    if (status == FANIN_OK)
        status = fanin_run_memory(plan, &options, data, error);
    if (status == FANIN_OK)
        status = fanin_plan_match(plan, NULL, 0, (const char *const[]){"bad"}, 1, keep, error);
    if (status == FANIN_OK)
        status = fanin_plan_part(plan, keep, &part, error);
    if (status == FANIN_OK)
        status = fanin_run_digest(part, &options, &digest, error);
    if (status == FANIN_OK && fanin_run_check(part, &options, NULL, NULL, &result, error) != FANIN_ERROR_MISMATCH)
        status = error->status; /* its digest is no tensor's */
    for (size_t t = 0; status == FANIN_OK && t < fanin_plan_tensor_count(part); t++) {
        float row[256];
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(part, t);
        const int64_t offsets[FANIN_MAX_DIMS] = {1};
        fanin_tensor to = fanin_tensor_nd(row, tensor->dtype, tensor->ndim, tensor->shape);
        to.shape[0] = 1;
        status = fanin_run_slice(part, &options, t, offsets, to.shape, &to, error);
    }
    fanin_plan_free(part);
    fanin_plan_free(plan);
    return status;
}

static void test_recorded(void **state)
{
    char path[1024], text[1 << 14];
    static uint8_t expected[MOST_NBYTES], made[MOST_NBYTES];
    counting_allocator counter;
    fanin_error error;
    FILE *file = fopen(test_source_path(path, sizeof path, "tests/fuzz/corpus/plan/recorded-everything"), "r");
    (void)state;
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    counting_begin(&counter);
    assert_ok(everything_recorded(text, expected, &error), error);
    uint64_t ncalls = counter.ncalls;
    assert_int_equal(counter.nblocks, 0);
    for (int on = 0; on < 2; on++) {
        for (uint64_t n = 1; n <= ncalls; n++) {
            counting_begin(&counter);
            counter.fail_at = n;
            counter.fail_on = on != 0;
            fanin_status status = everything_recorded(text, made, &error);
            if (status != FANIN_ERROR_MEMORY && status != FANIN_OK)
                fail_msg("allocation %llu: %s: %s", (unsigned long long)n, fanin_status_name(status), error.message);
            if (status == FANIN_OK)
                assert_memory_equal(made, expected, MOST_NBYTES);
            if (counter.nblocks != 0)
                fail_msg("allocation %llu: %llu blocks are left", (unsigned long long)n,
                         (unsigned long long)counter.nblocks);
        }
    }
    counting_end();
    print_message("%llu allocations\n", (unsigned long long)ncalls);
    assert_true(ncalls > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations), cmocka_unit_test(test_recorded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
