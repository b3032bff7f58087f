/* SPDX-License-Identifier: MIT */
/*
 * Plan files: what is written reads back as the same bytes, and every number that does not fit the others is refused.
 */
#include "description.h"

#include <math.h>

#include "base/sha256.h"

#define HEAD "{'format':'fanin-spec','version':1,"

static char *to_json(const fanin_plan *plan)
{
    char *json;
    fanin_error error;
    assert_ok(fanin_plan_to_json(plan, &json, &error), error);
    return json;
}

static fanin_plan *parse(const char *json)
{
    fanin_plan *plan;
    fanin_error error;
    assert_ok(fanin_plan_parse(json, strlen(json), "p.json", &plan, &error), error);
    return plan;
}

static void assert_same_ops(const fanin_plan *a, const fanin_plan *b)
{
    assert_int_equal(fanin_plan_op_count(a), fanin_plan_op_count(b));
    for (size_t i = 0; i < fanin_plan_op_count(a); i++) {
        const fanin_plan_op *x = fanin_plan_op_at(a, i), *y = fanin_plan_op_at(b, i);
        assert_int_equal(x->tensor, y->tensor);
        assert_int_equal(x->offset, y->offset);
        assert_int_equal(x->view.dtype, y->view.dtype);
        assert_int_equal(x->view.ndim, y->view.ndim);
        assert_memory_equal(x->view.shape, y->view.shape, sizeof x->view.shape);
        assert_memory_equal(x->view.strides, y->view.strides, sizeof x->view.strides);
        assert_int_equal(x->view.layout, y->view.layout);
        assert_int_equal(x->view.groups, y->view.groups);
        assert_int_equal(x->fill.kind, y->fill.kind);
        for (size_t v = 0; v < 4; v++)
            assert_same_double(x->fill.value[v], y->fill.value[v]);
        assert_int_equal(x->at, y->at);
        assert_int_equal(x->ndraws, y->ndraws);
        assert_int_equal(x->cached_at, y->cached_at);
        assert_int_equal(x->barriers, y->barriers);
        assert_int_equal(x->data_dependent, y->data_dependent);
        assert_int_equal(x->dead, y->dead);
        assert_string_equal(x->initializer, y->initializer);
        assert_string_equal(x->where, y->where);
        assert_int_equal(x->fan_in, y->fan_in);
        assert_int_equal(x->fan_out, y->fan_out);
        assert_int_equal(isnan(x->std), isnan(y->std));
    }
}

static void test_round_trip(void **state)
{
    static const char *const models[] = {
        HEAD "'tensors':[{'name':'a','multihead_attention':[6,2]},{'name':'e','embedding':{'num_embeddings':5,"
             "'embedding_dim':3,'padding_idx':1}},{'name':'t','transformer_encoder':[4,2,3]},{'name':'n',"
             "'batch_norm':3}],'rules':[{'match':'**','init':'torch_default'}]}",
        HEAD "'dtype':'f64','tensors':[{'name':'a','shape':[3]},{'name':'b','shape':[32]},{'name':'c','shape':[5]},"
             "{'name':'d','shape':[2]},{'name':'e','shape':[7]},{'name':'f','shape':[]},{'name':'g','shape':[0,2]},"
             "{'name':'h\\\"\\\\\xc3\xa9','tie':'a'}],'rules':[{'match':'{b,c}','init':'trunc_normal'},"
             "{'match':'**','init':'normal'}]}",
        HEAD
        "'tensors':[{'name':'a','lstm':[3,4]},{'name':'d','shape':[4,2,3]},{'name':'s','shape':[5,3]}],'rules':["
        "{'match':'d','init':'dirac'},{'match':'s','init':'sparse(0.5)'},{'role':'bias_ih','only':'f','init':'ones'},"
        "{'role':'weight_hh','per_gate':true,'init':'orthogonal(gain=0.1)'},{'role':'bias_hh','row':-1,'init':"
        "'constant(val=-0.0)'},{'role':'bias_hh','init':'uniform(-1e-300, 1)'},{'match':'**','init':'zeros'}]}",
        "{'model_type':'llama','vocab_size':10,'hidden_size':8,'intermediate_size':6,'num_hidden_layers':2,"
        "'num_attention_heads':4,'tie_word_embeddings':true,'pad_token_id':0}",
        HEAD "'tensors':[]}",
        HEAD "'tensors':[{'name':'e','embedding':{'num_embeddings':2,'embedding_dim':0,'padding_idx':-1}}],"
             "'rules':[{'match':'**','init':'torch_default'}]}",
        HEAD "'construct':true,'tensors':[{'name':'t','transformer':{'d_model':4,'nhead':1,'num_encoder_layers':0,"
             "'num_decoder_layers':2,'dim_feedforward':5}}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        fanin_plan *plan = test_plan(models[i], NULL);
        char *json = to_json(plan);
        fanin_plan *again = parse(json);
        char *rejson = to_json(again);
        assert_string_equal(rejson, json);
        assert_same_ops(plan, again);
        assert_int_equal(fanin_plan_tensor_count(plan), fanin_plan_tensor_count(again));
        for (size_t t = 0; t < fanin_plan_tensor_count(plan); t++) {
            const fanin_plan_tensor *x = fanin_plan_tensor_at(plan, t), *y = fanin_plan_tensor_at(again, t);
            assert_string_equal(x->name, y->name);
            assert_int_equal(x->nbytes, y->nbytes);
            assert_int_equal(x->nelem, y->nelem);
            assert_int_equal(x->tied_to == NULL, y->tied_to == NULL);
        }
        assert_int_equal(fanin_plan_ndraws(plan), fanin_plan_ndraws(again));
        assert_int_equal(fanin_plan_profile(plan), fanin_plan_profile(again));
        /* A family's promise goes with the plan. */
        assert_int_equal(fanin_plan_warning_count(again), i == 3);
        fanin_release(json);
        fanin_release(rejson);
        fanin_plan_free(plan);
        fanin_plan_free(again);
    }
}

static const char small[] =
    "{'format':'fanin-plan','version':[1,0],'profile':'torch-2.13',"
    "'streams':[{'id':0,'kind':'mt19937','seed':'user'}],"
    "'storages':[{'id':0,'dtype':'f32','n':6},{'id':1,'dtype':'f32','n':40}],"
    "'tensors':[{'name':'a','s':0,'shape':[2,3]},{'name':'b','s':1,'shape':[40]},{'name':'c','alias_of':'a'}],"
    "'ops':[{'op':'normal','s':0,'n':6,'at':0,'words':12,'mean':0,'std':1,'explain':{}},"
    "{'op':'fill','s':0,'off':1,'sizes':[2],'strides':[3],'n':2,'value':'-0','explain':{'where':'x:1:1'}},"
    "{'op':'uniform','s':1,'n':40,'at':12,'words':40,'from':-0.5,'to':0.5,'explain':{'fan_in':3}}],'words':52}";

/* The format as docs/plan-format.md has it, read and written again. */
static void test_small(void **state)
{
    char *json = test_json(small), hex[65], expected[65];
    fanin_plan *plan = parse(json);
    char *again = to_json(plan);
    const fanin_plan_op *op = fanin_plan_op_at(plan, 1);
    fanin_sha256 hash;
    uint8_t digest[32];
    fanin_error error;
    (void)state;
    assert_string_equal(again, json);
    assert_int_equal(op->fill.kind, FANIN_FILL_CONSTANT);
    assert_same_double(op->fill.value[0], -0.0);
    assert_int_equal(op->offset, 1);
    assert_int_equal(op->view.strides[0], 3);
    assert_int_equal(fanin_plan_op_at(plan, 2)->fan_in, 3);
    assert_true(isnan(fanin_plan_op_at(plan, 2)->std));
    assert_string_equal(fanin_plan_tensor_at(plan, 2)->tied_to, "a");
    assert_ok(fanin_plan_sha256(plan, hex, &error), error);
    fanin_sha256_begin(&hash);
    fanin_sha256_update(&hash, json, strlen(json));
    fanin_sha256_end(&hash, digest);
    fanin_hex32(digest, expected);
    assert_string_equal(hex, expected);
    fanin_release(again);
    fanin_plan_free(plan);
    free(json);
}

/* `text` with the first `from` replaced by `to`, as JSON. */
static char *edited(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (at == NULL)
        fail_msg("there is no %s in the plan", from);
    size_t before = (size_t)(at - text);
    char *all = malloc(strlen(text) + strlen(to) + 1);
    assert_non_null(all);
    memcpy(all, text, before);
    strcpy(all + before, to);
    strcat(all, at + strlen(from));
    char *json = test_json(all);
    free(all);
    return json;
}

struct edit {
    const char *from;
    const char *to;
    const char *message;
};

static void check_edits(const char *text, const struct edit *edits, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *json = edited(text, edits[i].from, edits[i].to);
        fanin_plan *plan;
        fanin_error error;
        fanin_status status = fanin_plan_parse(json, strlen(json), "p.json", &plan, &error);
        if ((status != FANIN_ERROR_FORMAT && status != FANIN_ERROR_UNSUPPORTED) ||
            strstr(error.message, edits[i].message) == NULL)
            fail_msg("%s -> %s: %s: %s\nlacks %s", edits[i].from, edits[i].to, fanin_status_name(status), error.message,
                     edits[i].message);
        assert_null(plan);
        free(json);
    }
}

static void test_refused(void **state)
{
    static const struct edit edits[] = {
        {"'format':'fanin-plan'", "'format':'fanin-spec'", "\"format\" must be \"fanin-plan\""},
        {"'version':[1,0]", "'version':[2,0]", "\"version\": [1, 0]"},
        {"'version':[1,0]", "'version':[1,2]", "\"version\": [1, 0]"},
        {"'version':[1,0]", "'version':1", "must be an array"},
        {"'version':[1,0],", "", "\"version\" is missing"},
        {"torch-2.13", "torch", "frozen name"},
        {"torch-2.13", "torch-9", "frozen name"},
        {"'id':0,'kind'", "'id':1,'kind'", "\"id\" must be 0"},
        {"mt19937", "philox", "\"kind\" must be"},
        {"'streams':[", "'streams':[{},", "one stream"},
        {"'words':52", "'words':53", "\"words\" must be 52 here, not 53"},
        {"'words':52", "'words':52,'check':{}", "a plan has no key \"check\""},
        {"'id':1", "'id':2", "\"id\" must be 1"},
        {"'dtype':'f32'", "'dtype':'F32'", "no dtype \"F32\""},
        {"'dtype':'f32'", "'dtype':'i32'", "normal"},
        {"'n':40}", "'n':18446744073709551615}", "too large"},
        {"'n':40}", "'n':4611686018427387904}", "cannot be"},
        {"'n':40}", "'n':40,'x':1}", "a storage has no key"},
        {"'n':40}", "'n':-1}", "must be"},
        {"'n':40}", "'n':39}", "the 39 elements of its storage"},
        {"'shape':[2,3]", "'shape':[3]", "6 elements"},
        {"'shape':[2,3]", "'shape':[1,1,1,1,1,1,1,1,6]", "more than 8"},
        {"'shape':[2,3]", "'shape':[4294967296,4294967296]", "6 elements"},
        {"'shape':[2,3]", "'shape':[2,3.0]", "whole numbers"},
        {"'name':'b'", "'name':'a'", "two tensors \"a\""},
        {"'name':'b'", "'name':''", "must not be empty"},
        {"'name':'b'", "'name':'__metadata__'", "reserved"},
        {"'name':'b'", "'name':'b\\u0000'", "control character"},
        {"'s':1,'shape'", "'s':0,'shape'", "storage 0 has a name already"},
        {"'s':1,'shape'", "'s':2,'shape'", "no storage 2"},
        {"'alias_of':'a'", "'alias_of':'d'", "no alias itself"},
        {"'alias_of':'a'", "'alias_of':'c'", "no alias itself"},
        {"'alias_of':'a'", "'alias_of':'a','s':0", "an alias has no key \"s\""},
        {"'op':'normal'", "'op':'norml'", "knows no op \"norml\""},
        {"'op':'normal'", "'op':'constant'", "knows no op"},
        {"'s':0,'n':6", "'s':9,'n':6", "no storage 9"},
        {"'n':6,'at'", "'n':7,'at'", "\"n\" must be 6"},
        {"'at':0", "'at':1", "\"at\" must be 0"},
        {"'at':0,", "", "\"at\" is missing"},
        {"'at':12", "'at':11", "a copy of the op"},
        {"'at':12", "'at':0", "a copy of the op"},
        {"'words':12", "'words':8", "\"words\" must be 12"},
        {"'mean':0,", "", "\"mean\" is missing"},
        {"'mean':0", "'mean':'0'", "must be a number"},
        {"'std':1", "'std':-1", "p.json:1:"},
        {"'std':1", "'std':'nan'", "p.json:1:"},
        {"'std':1", "'std':1,'a':0", "no key \"a\""},
        {"'std':1", "'std':1,'cached':0", "\"cached\" does not agree"},
        {"'std':1", "'std':1,'cached':'barrier'", "\"cached\" does not agree"},
        {"'std':1", "'std':1,'cached':18446744073709551615", "\"cached\" does not agree"},
        {"'std':1", "'std':1,'data_dependent':true", "data_dependent"},
        {"'std':1", "'std':1,'data_dependent':false", "data_dependent"},
        {"'value':'-0'", "'value':'-0','at':12", "fill has no key \"at\""},
        {"'value':'-0'", "'value':1e39", "p.json:1:"},
        {"'off':1", "'off':3", "beyond its storage"},
        {"'off':1,", "", "\"off\" is missing"},
        {"'sizes':[2],", "", "\"sizes\" is missing"},
        {"'strides':[3]", "'strides':[0]", "an element twice"},
        {"'strides':[3]", "'strides':[9223372036854775807]", "beyond its storage"},
        {"'strides':[3]", "'strides':[3,1]", "as many"},
        {"'sizes':[2],'strides':[3],'n':2", "'sizes':[2,2],'strides':[1,1],'n':4", "an element twice"},
        {"'sizes':[2],'strides':[3],'n':2", "'sizes':[4294967296,4294967296],'n':0", "beyond its storage"},
        {"'explain':{}", "'x':{}", "no key \"x\""},
        {",'explain':{}", "", "\"explain\" is missing"},
        {"'explain':{}", "'explain':{'why':1}", "no key \"why\""},
        {"'explain':{}", "'explain':{'fan_in':-1}", "fan_in"},
        {"'explain':{}", "'explain':{'gain':'x'}", "must be a number"},
        {"'explain':{}", "'explain':{'init':1}", "must be"},
        {"'storages':[", "'source':{'family':'gpt2','x':1},'storages':[", "no key \"x\""},
        {"'storages':[", "'source':{},'storages':[", "\"family\" is missing"},
        {"'ops':[", "'ops':{},'op':[", "p.json:1:"},
        {"'words':52}", "'words':52", "p.json:1:"},
    };
    (void)state;
    check_edits(small, edits, sizeof edits / sizeof edits[0]);
    fanin_plan *plan;
    fanin_error error;
    assert_int_equal(fanin_plan_parse("", 0, "p", &plan, NULL), FANIN_ERROR_FORMAT);
    assert_fails(fanin_plan_parse("[]", 2, "p", &plan, &error), FANIN_ERROR_FORMAT, error, "p:1:1: a plan must be");
}

/* What is written for barriers and the cached normal is checked as strictly. */
static void test_dependence(void **state)
{
    fanin_plan *plan = test_plan(HEAD "'tensors':[{'name':'a','shape':[3]},{'name':'b','shape':[32]},{'name':'c',"
                                      "'shape':[3]},{'name':'d','shape':[1]},{'name':'e','shape':[3]},{'name':'f',"
                                      "'shape':[1]}],'rules':[{'match':'b','init':'trunc_normal'},"
                                      "{'match':'**','init':'normal'}]}",
                                 NULL);
    char *json = to_json(plan);
    for (char *c = json; *c != '\0'; c++)
        *c = *c == '"' ? '\'' : *c;
    static const struct edit edits[] = {
        {"'cached':4,'data_dependent':true", "'data_dependent':true", "\"cached\" does not agree"},
        {"'cached':4,'data_dependent':true", "'cached':4", "data_dependent"},
        {"'cached':4,'data_dependent':true", "'cached':0,'data_dependent':true", "\"cached\" does not agree"},
        {",'cached':'barrier'", "", "\"cached\" does not agree"},
        {",'cached':'barrier'", ",'cached':'x'", "\"cached\" does not agree"},
        {",'cached':'barrier'", ",'cached':4", "\"cached\" does not agree"},
        {",'cached':44", "", "\"cached\" does not agree"},
    };
    (void)state;
    check_edits(json, edits, sizeof edits / sizeof edits[0]);
    fanin_release(json);
    fanin_plan_free(plan);
}

/* An op at an earlier position is a copy of the one that draws there, or refused. */
static void test_copies(void **state)
{
    static const char copies[] =
        "{'format':'fanin-plan','version':[1,0],'profile':'torch-2.1',"
        "'streams':[{'id':0,'kind':'mt19937','seed':'user'}],"
        "'storages':[{'id':0,'dtype':'f32','n':20},{'id':1,'dtype':'f32','n':20},{'id':2,'dtype':'bf16','n':2}],"
        "'tensors':[{'name':'a','s':0,'shape':[20]},{'name':'b','s':1,'shape':[20]}],"
        "'ops':[{'op':'uniform','s':2,'n':2,'at':0,'words':2,'from':0,'to':1,'explain':{}},"
        "{'op':'normal','s':0,'n':20,'at':2,'words':36,'mean':0,'std':1,'explain':{}},"
        "{'op':'normal','s':1,'n':20,'at':2,'words':36,'mean':0,'std':1,'explain':{}}],'words':38}";
    static const struct edit edits[] = {
        {"'s':1,'n':20,'at':2", "'s':1,'n':20,'at':3", "a copy of the op"},
        {"'s':1,'n':20,'at':2", "'s':1,'n':20,'at':0", "a copy of the op"},
        {"'s':1,'n':20,'at':2", "'s':1,'off':0,'sizes':[4,5],'n':20,'at':2", "a copy of the op"},
        {"'std':1,'explain':{}}]", "'std':2,'explain':{}}]", "a copy of the op"},
        {"'at':2,'words':36,'mean':0,'std':1,'explain':{}}]", "'at':2,'words':35,'mean':0,'std':1,'explain':{}}]",
         "\"words\" must be 36"},
    };
    char *json = test_json(copies);
    fanin_plan *plan = parse(json);
    char *again = to_json(plan);
    (void)state;
    assert_string_equal(again, json);
    assert_int_equal(fanin_plan_ndraws(plan), 38);
    assert_int_equal(fanin_plan_op_at(plan, 0)->tensor, SIZE_MAX);
    assert_true(fanin_plan_op_at(plan, 0)->dead);
    assert_false(fanin_plan_op_at(plan, 2)->dead);
    assert_int_equal(fanin_plan_op_at(plan, 2)->at, 2);
    fanin_release(again);
    fanin_plan_free(plan);
    free(json);
    check_edits(copies, edits, sizeof edits / sizeof edits[0]);
}

/* The folder a description lies in is no part of the plan. */
static void test_where(void **state)
{
    static const char text[] = "{\"format\":\"fanin-spec\",\"version\":1,\"tensors\":[{\"name\":\"a\",\"shape\":[1]}],"
                               "\"rules\":[{\"match\":\"a\",\"init\":\"ones\"}]}";
    static const char *const names[] = {"x.json", "/home/me/x.json", "../x.json"};
    char *first = NULL;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fanin_model *model;
        fanin_plan *plan;
        fanin_error error;
        assert_ok(fanin_model_parse(text, strlen(text), names[i], &model, &error), error);
        assert_ok(fanin_plan_create(model, NULL, NULL, &plan, &error), error);
        char *json = to_json(plan);
        assert_string_equal(fanin_plan_op_at(plan, 0)->where, "x.json:1:82");
        if (first != NULL)
            assert_string_equal(json, first);
        fanin_release(first);
        first = json;
        fanin_plan_free(plan);
        fanin_model_free(model);
    }
    fanin_release(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_small),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dependence), cmocka_unit_test(test_copies), cmocka_unit_test(test_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
