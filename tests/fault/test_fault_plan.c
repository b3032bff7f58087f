/* SPDX-License-Identifier: MIT */
/*
 * Descriptions, recipes and plans with every allocation failing, once and from then on: the call says so, nothing is
 * left, and what succeeded in spite of it is what it always is.
 */
#include "description.h"

#include "counting_allocator.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
