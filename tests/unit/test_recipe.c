/* SPDX-License-Identifier: MIT */
/*
 * Rules: which of them a tensor gets, what they come to, what is refused, and what is only warned of.
 */
#include "description.h"

#include <math.h>

#define HEAD "{'format':'fanin-spec','version':1,"
#define MODEL                                                                                                          \
    HEAD "'tensors':[{'name':'a.fc','linear':[3,4]},{'name':'b.conv','conv2d':[3,4,5]},{'name':'n','batch_norm':2}]"

/* "tensor(part): initializer @where" of every op. */
static void show(const fanin_plan *plan, char *text, size_t nbytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        at += (size_t)snprintf(text + at, nbytes - at, "%s%s%s%s%s: %s", i > 0 ? "\n" : "",
                               fanin_plan_tensor_at(plan, op->tensor)->name, op->part != NULL ? " (" : "",
                               op->part != NULL ? op->part : "", op->part != NULL ? ")" : "", op->initializer);
        assert_true(at < nbytes);
    }
}

static void check(const char *model, const char *recipe, const char *expected)
{
    static char shown[20000];
    fanin_plan *plan = test_plan(model, recipe);
    show(plan, shown, sizeof shown);
    assert_string_equal(shown, expected);
    fanin_plan_free(plan);
}

static void test_first_match(void **state)
{
    (void)state;
    check(MODEL ",'rules':[{'layer':'conv2d','role':'weight','init':'dirac'},{'match':'a.*.weight','init':'ones'},"
                "{'role':'bias','init':'constant','val':'1/4'},{'match':'b.*','init':'zeros','optional':true},"
                "{'layer':'batch_norm','init':'torch_default'}]}",
          NULL,
          "a.fc.weight: ones\na.fc.bias: constant(val=0.25)\nb.conv.weight: dirac\nb.conv.bias: constant(val=0.25)\n"
          "n.weight: torch_default\nn.bias: torch_default\nn.running_mean: torch_default\nn.running_var: "
          "torch_default\nn.num_batches_tracked: torch_default");
}

/* A recipe goes before the model's rules, its rules in their order. */
static void test_precedence(void **state)
{
    (void)state;
    check(HEAD "'tensors':[{'name':'a','shape':[2]},{'name':'b','shape':[2]}],"
               "'rules':[{'match':'**','init':'zeros'}]}",
          "{'format':'fanin-recipe','version':1,'rules':[{'match':'a','init':'ones'}]}", "a: ones\nb: zeros");
    fanin_model *model = test_model(HEAD "'tensors':[{'name':'a','shape':[2]},{'name':'b','shape':[2]}]}");
    fanin_recipe *recipe;
    fanin_plan *plan;
    fanin_error error;
    char shown[200];
    assert_ok(fanin_recipe_create(&recipe, &error), error);
    assert_ok(fanin_recipe_set(recipe, "a=normal(std=sqrt(4))", &error), error);
    assert_ok(fanin_recipe_set(recipe, "{a,b}=uniform(-1, b=1)", &error), error);
    assert_ok(fanin_plan_create(model, recipe, NULL, &plan, &error), error);
    show(plan, shown, sizeof shown);
    assert_string_equal(shown, "a: normal(std=2)\nb: uniform(a=-1)");
    assert_string_equal(fanin_plan_op_at(plan, 0)->where, "set:1:1");
    assert_string_equal(fanin_plan_op_at(plan, 1)->where, "set:2:1");
    fanin_plan_free(plan);
    assert_fails(fanin_recipe_set(recipe, "a=zeroes", &error), FANIN_ERROR_FORMAT, error,
                 "set:3:3: there is no "
                 "initializer 'zeroes'");
    assert_fails(fanin_recipe_set(recipe, "a{=zeros", &error), FANIN_ERROR_FORMAT, error, "set:3:2: ");
    assert_fails(fanin_recipe_set(recipe, "zeros", &error), FANIN_ERROR_ARGUMENT, error, "PATTERN=INIT");
    assert_fails(fanin_recipe_set(recipe, "=zeros", &error), FANIN_ERROR_ARGUMENT, error, "PATTERN=INIT");
    assert_fails(fanin_recipe_set(recipe, "a=", &error), FANIN_ERROR_ARGUMENT, error, "PATTERN=INIT");
    /* What failed left nothing behind. */
    assert_ok(fanin_plan_create(model, recipe, NULL, &plan, &error), error);
    assert_int_equal(fanin_plan_warning_count(plan), 0);
    fanin_plan_free(plan);
    fanin_recipe_free(recipe);
    fanin_recipe_free(NULL);
    fanin_model_free(model);
}

/* A spec's rules can be taken as a recipe; files come one after the other. */
static void test_files(void **state)
{
    fanin_recipe *recipe;
    fanin_error error;
    (void)state;
    assert_ok(fanin_recipe_create(&recipe, &error), error);
    assert_ok(test_recipe_parse(recipe,
                                HEAD "'vars':{'s':2},'tensors':[],'rules':[{'match':'a','init':'constant',"
                                     "'val':'s'}]}",
                                &error),
              error);
    assert_ok(test_recipe_parse(recipe,
                                "{'format':'fanin-recipe','version':1,'description':'d','vars':{'s':3},"
                                "'rules':[{'match':'{a,b}','init':'constant','val':'s'}]}",
                                &error),
              error);
    fanin_model *model = test_model(HEAD "'tensors':[{'name':'a','shape':[2]},{'name':'b','shape':[2]}]}");
    fanin_plan *plan;
    char shown[200];
    assert_ok(fanin_plan_create(model, recipe, NULL, &plan, &error), error);
    show(plan, shown, sizeof shown);
    assert_string_equal(shown, "a: constant(val=2)\nb: constant(val=3)");
    assert_string_equal(fanin_plan_op_at(plan, 0)->where, "r.json:1:73");
    fanin_plan_free(plan);
    fanin_model_free(model);
    fanin_recipe_free(recipe);
    assert_ok(fanin_recipe_create(&recipe, NULL), error);
    assert_fails(fanin_recipe_read(recipe, "absent.json", &error), FANIN_ERROR_IO, error, "absent.json");
    fanin_recipe_free(recipe);
}

/* A variable may be the number of tensors of a kind; what comes after it may use it. */
static void test_counts(void **state)
{
    static const char recipe[] = "{'format':'fanin-recipe','version':1,'vars':{'k':1,'L':{'count':'h.#.w'},'m':4,"
                                 "'D':'m*L'},'rules':[{'match':'**','init':'normal','std':'1/sqrt(D)'}]}";
    fanin_recipe *made;
    fanin_error error;
    (void)state;
    check(HEAD "'tensors':[{'repeat':{'i':[0,4]},'tensors':[{'name':'h.{i}.w','shape':[20]}]}]}", recipe,
          "h.0.w: normal(std=0.25)\nh.1.w: normal(std=0.25)\nh.2.w: normal(std=0.25)\nh.3.w: normal(std=0.25)");
    /* An expression that only goes wrong for a model is refused there, with its place. */
    fanin_model *model = test_model(HEAD "'tensors':[{'name':'x','shape':[20]}]}");
    fanin_plan *plan;
    assert_ok(fanin_recipe_create(&made, &error), error);
    assert_ok(test_recipe_parse(made, recipe, &error), error);
    assert_fails(fanin_plan_create(model, made, NULL, &plan, &error), FANIN_ERROR_FORMAT, error, "dir/r.json:1:");
    fanin_model_free(model);
    fanin_recipe_free(made);
}

#define LSTM HEAD "'tensors':[{'name':'r','lstm':[3,4]}],'rules':["
#define REST "{'match':'**','init':'zeros'}]}"

static void test_gates(void **state)
{
    (void)state;
    check(LSTM "{'match':'**.weight_hh*','init':'orthogonal','per_gate':true},"
               "{'role':'bias_hh','only':'f','init':'ones'},{'role':'weight_ih','init':'xavier_uniform'}," REST,
          NULL,
          "r.weight_ih_l0: xavier_uniform\nr.weight_hh_l0 (gate i): orthogonal\nr.weight_hh_l0 (gate f): orthogonal\n"
          "r.weight_hh_l0 (gate g): orthogonal\nr.weight_hh_l0 (gate o): orthogonal\nr.bias_ih_l0: zeros\n"
          "r.bias_hh_l0: zeros\nr.bias_hh_l0 (gate f): ones");
    /* The constructor first, then the gate that a rule sets. */
    check(LSTM "{'match':'**.bias_ih*','only':'f,o','init':'ones'},{'match':'**','init':'torch_default'}]}", NULL,
          "r.weight_ih_l0: torch_default\nr.weight_hh_l0: torch_default\nr.bias_ih_l0: torch_default\n"
          "r.bias_hh_l0: torch_default\nr.bias_ih_l0 (gate f): ones\nr.bias_ih_l0 (gate o): ones");
    /* Gates that rules name; each by its own rule; per_gate without gates is the whole. */
    check(HEAD "'tensors':[{'name':'w','shape':[6,2]},{'name':'v','shape':[4,4]}],'rules':["
               "{'match':'w','gates':'a,b,c','only':'c','init':'ones'},{'match':'w','only':'a','init':'zeros'},"
               "{'match':'**','per_gate':true,'init':'eye'}]}",
          NULL, "w (gate a): zeros\nw (gate b): eye\nw (gate c): ones\nv: eye");
    fanin_plan *plan = test_plan(LSTM "{'role':'bias_ih','only':'f','init':'ones'}," REST, NULL);
    const fanin_plan_op *op = fanin_plan_op_at(plan, 3);
    assert_string_equal(op->part, "gate f");
    assert_int_equal(op->offset, 4);
    assert_int_equal(op->view.shape[0], 4);
    fanin_plan_free(plan);
    test_plan_fails(LSTM "{'match':'**.bias_ih*','only':'f','init':'ones'},{'match':'**.weight*','init':'zeros'}]}",
                    FANIN_ERROR_FORMAT, "no rule matches all gates of tensor \"r.bias_ih_l0\"");
    test_plan_fails(LSTM "{'match':'**','gates':'a,b,c,d','init':'ones'}]}", FANIN_ERROR_FORMAT,
                    "has the gates i,f,g,o already");
    test_plan_fails(HEAD "'tensors':[{'name':'w','shape':[5]}],'rules':[{'match':'w','gates':'a,b','init':'ones'}]}",
                    FANIN_ERROR_FORMAT, "equal blocks");
}

static void test_rows(void **state)
{
    (void)state;
    check(HEAD "'tensors':[{'name':'e','shape':[5,3]}],'rules':[{'match':'e','row':-1,'init':'zeros'},"
               "{'match':'e','row':4,'init':'ones'},{'match':'e','row':'1+1','init':'ones'},"
               "{'match':'e','init':'normal'},{'match':'e','row':0,'init':'ones','optional':true}]}",
          NULL, "e: normal\ne (row 4): zeros\ne (row 2): ones");
    test_plan_fails(HEAD "'tensors':[{'name':'e','shape':[5,3]}],'rules':[{'match':'**','row':5,'init':'zeros'}]}",
                    FANIN_ERROR_FORMAT, "m.json:1:84: tensor \"e\" has no row 5");
    test_plan_fails(HEAD "'tensors':[{'name':'e','shape':[]}],'rules':[{'match':'**','row':0,'init':'zeros'}]}",
                    FANIN_ERROR_FORMAT, "no row 0");
    test_plan_fails(HEAD "'tensors':[{'name':'e','shape':[5,3]}],'rules':[{'match':'**','row':1,'init':'zeros'}]}",
                    FANIN_ERROR_FORMAT, "no rule matches all rows of tensor \"e\"");
}

static void test_cut(void **state)
{
    (void)state;
    check(HEAD "'tensors':[{'name':'w','shape':[40]}],'rules':[{'match':'w','init':'trunc_normal','std':0.5,'mean':1,"
               "'cut':'2+1'}]}",
          NULL, "w: trunc_normal(mean=1, std=0.5, a=-0.5, b=2.5)");
    check(HEAD "'tensors':[{'name':'w','shape':[40]}],'rules':[{'match':'w','init':'trunc_normal(std=0.5)','cut':2}]}",
          NULL, "w: trunc_normal(std=0.5, a=-1, b=1)");
}

static void test_explained(void **state)
{
    fanin_plan *plan = test_plan(HEAD "'tensors':[{'name':'w','shape':[6,4],'layout':'in_out'}],\n'rules':[\n"
                                      " {'match':'w','init':'kaiming_uniform(a=sqrt(5))'}]}",
                                 NULL);
    const fanin_plan_op *op = fanin_plan_op_at(plan, 0);
    (void)state;
    assert_string_equal(op->initializer, "kaiming_uniform(a=2.23606797749979)");
    assert_string_equal(op->where, "m.json:3:2");
    assert_null(op->part);
    assert_int_equal(op->fan_in, 6);
    assert_int_equal(op->fan_out, 4);
    assert_true(fabs(op->bound - 1 / sqrt(6.0)) < 1e-12);
    assert_true(fabs(op->gain - sqrt(1.0 / 3)) < 1e-12);
    assert_int_equal(op->fill.kind, FANIN_FILL_UNIFORM);
    assert_int_equal(op->view.layout, FANIN_LAYOUT_OUT_IN);
    fanin_plan_free(plan);
}

static void check_warnings(const char *model, const char *recipe, size_t n, const char *part)
{
    fanin_plan *plan = test_plan(model, recipe);
    assert_int_equal(fanin_plan_warning_count(plan), n);
    if (n > 0 && strstr(fanin_plan_warning_at(plan, 0), part) == NULL)
        fail_msg("%s\nlacks %s", fanin_plan_warning_at(plan, 0), part);
    assert_null(fanin_plan_warning_at(plan, n));
    fanin_plan_free(plan);
}

static void test_warnings(void **state)
{
    (void)state;
    check_warnings(
        MODEL ",'rules':[{'match':'**.wieght','init':'ones'},{'match':'**','init':'zeros'}]}", NULL, 1,
        "dir/m.json:1:151: the rule for \"**.wieght\" matches no tensor; the nearest name is \"a.fc.weight\".");
    check_warnings(MODEL ",'rules':[{'layer':'lstm','init':'ones'},{'match':'**','init':'zeros'}]}", NULL, 1,
                   "the rule for layer lstm matches no tensor.");
    check_warnings(MODEL ",'rules':[{'role':'wieght','init':'ones'},{'match':'**','init':'zeros'}]}", NULL, 1,
                   "the nearest role is \"weight\".");
    check_warnings(MODEL ",'rules':[{'layer':'batchnorm','init':'ones'},{'match':'**','init':'zeros'}]}", NULL, 0, "");
    check_warnings(MODEL ",'rules':[{'layer':'lstm','init':'ones','optional':true},{'match':'**','init':'zeros'}]}",
                   NULL, 0, "");
    check_warnings(MODEL ",'rules':[{'match':'**','init':'zeros'},{'match':'a.**','init':'ones'}]}", NULL, 1,
                   "\"a.**\" never applies: an earlier rule (dir/m.json:1:151)");
    /* What a recipe takes from the model's own rules is no mistake. */
    check_warnings(MODEL ",'rules':[{'match':'**','init':'zeros'}]}",
                   "{'format':'fanin-recipe','version':1,'rules':[{'match':'**','init':'ones'}]}", 0, "");
    check_warnings(HEAD "'tensors':[{'name':'a','shape':[1]},{'name':'b','tie':'a'}],'rules':[{'match':'b','init':"
                        "'ones'},{'match':'**','init':'zeros'}]}",
                   NULL, 1, "matches only tied names such as \"b\"");
    check_warnings(HEAD "'tensors':[{'name':'a','shape':[4,4]}],'rules':[{'match':'a','only':'f','init':'ones'},"
                        "{'match':'**','init':'zeros'}]}",
                   NULL, 1, "matches no tensor");
    /* Torch's own warnings come with the place. */
    check_warnings(HEAD "'tensors':[{'name':'a','shape':[0,4]}],'rules':[{'match':'**','init':'kaiming_normal'}]}",
                   NULL, 1, "dir/m.json:1:84: tensor \"a\": ");
}

static void test_unmatched(void **state)
{
    (void)state;
    test_plan_fails(MODEL "}", FANIN_ERROR_FORMAT, "dir/m.json:1:47: there are no rules");
    test_plan_fails(MODEL ",'rules':[{'match':'**.wieght','init':'ones'},{'match':'**.bias','init':'zeros'}]}",
                    FANIN_ERROR_FORMAT,
                    "dir/m.json:1:47: no rule matches tensor \"a.fc.weight\"; the nearest is \"**.wieght\" "
                    "(dir/m.json:1:151)");
    test_plan_fails(MODEL ",'rules':[{'match':'x','init':'ones'}]}", FANIN_ERROR_FORMAT,
                    "add one, as {\"match\": \"a.fc.weight\", \"init\": ...}");
    test_plan_fails(HEAD "'tensors':[{'name':'a','shape':[1]}],'rules':[{'match':'**','init':'torch_default'}]}",
                    FANIN_ERROR_FORMAT, "of no layer");
}

/* Numbers that no initializer takes are found while planning, with rule and tensor. */
static void test_bad_values(void **state)
{
    static const struct {
        const char *rule;
        fanin_status status;
    } cases[] = {
        {"'init':'normal','std':-1", FANIN_ERROR_ARGUMENT},
        {"'init':'trunc_normal','std':0", FANIN_ERROR_ARGUMENT},
        {"'init':'trunc_normal','std':1e-3,'a':1,'b':2", FANIN_ERROR_ARGUMENT},
        {"'init':'uniform','a':1,'b':0", FANIN_ERROR_ARGUMENT},
        {"'init':'constant','val':1e39", FANIN_ERROR_ARGUMENT},
        {"'init':'eye'", FANIN_ERROR_SHAPE},
        {"'init':'xavier_normal'", FANIN_ERROR_SHAPE},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, HEAD "'tensors':[{'name':'w','shape':[40]}],'rules':[{'match':'w',%s}]}",
                 cases[i].rule);
        test_plan_fails(text, cases[i].status, "dir/m.json:1:83: tensor \"w\": ");
    }
    test_plan_fails(HEAD "'tensors':[{'name':'w','shape':[4],'dtype':'i32'}],'rules':[{'match':'w','init':'normal'}]}",
                    FANIN_ERROR_DTYPE, "tensor \"w\": ");
    test_plan_fails(HEAD "'dtype':'bf16','tensors':[{'name':'w','shape':[4,4]}],'rules':[{'match':'w','init':"
                         "'orthogonal'}]}",
                    FANIN_ERROR_DTYPE, "tensor \"w\": ");
}

static void test_refused(void **state)
{
    static const struct {
        const char *rule;
        const char *message;
    } cases[] = {
        {"{'init':'ones'}", "r.json:1:49: a rule needs \"match\""},
        {"{'match':'a'}", "a rule needs \"init\""},
        {"{'match':'a','init':'onse'}", "r.json:1:69: there is no initializer 'onse'; did you mean 'ones'?"},
        {"{'match':'a','init':'torch_defualt'}", "did you mean 'torch_default'?"},
        {"{'match':'a','init':'normal','sdt':1}", "r.json:1:78: a rule with normal has no key \"sdt\"; did you mean "
                                                  "\"std\"?"},
        {"{'match':'a','init':'ones','std':1}", "a rule with ones has no key \"std\""},
        {"{'match':'a','init':'torch_default','std':1}", "a rule with torch_default has no key \"std\""},
        {"{'match':'a','init':'torch_default','only':'f'}", "whole tensors"},
        {"{'match':'a','init':'torch_default','per_gate':true}", "whole tensors"},
        {"{'match':'a','init':'torch_default','row':1}", "whole tensors"},
        {"{'match':'a','init':'normal','std':'x'}", "r.json:1:84: "},
        {"{'match':'a','init':'normal','std':'1/0'}", "r.json:1:84: "},
        {"{'match':'a','init':'normal','std':true}", "expression or word"},
        {"{'match':'a','init':'normal(std=1)','mean':1}", "not both"},
        {"{'match':'a','init':'normal(std=)'}", "r.json:1:69: "},
        {"{'match':'a','init':'normal(sdt=1)'}", "normal has no parameter 'sdt'"},
        {"{'match':'a','init':'constant'}", "constant needs a value for val"},
        {"{'match':'a','init':'kaiming_normal','mode':'fan_inn'}", "r.json:1:93: "},
        {"{'match':'a','init':'kaiming_normal','mode':1}", "is a word"},
        {"{'match':'a','init':'dirac','groups':1.5}", "whole number"},
        {"{'match':'a','init':'normal','cut':2}", "trunc_normal only"},
        {"{'match':'a','init':'trunc_normal','cut':2,'a':1}", "either \"cut\""},
        {"{'match':'a','init':'trunc_normal','cut':0}", "positive number"},
        {"{'match':'a**','init':'ones'}", "r.json:1:60: pattern \"a**\""},
        {"{'match':1,'init':'ones'}", "\"match\" must be a string"},
        {"{'layer':'conv2','init':'ones'}", "no layer kind \"conv2\"; did you mean \"conv2d\"?"},
        {"{'layer':'x','init':'ones'}", "no layer kind \"x\""},
        {"{'match':'a','init':'ones','only':'f,f'}", "twice"},
        {"{'match':'a','init':'ones','only':''}", "names with commas"},
        {"{'match':'a','init':'ones','row':1.5}", "whole number"},
        {"{'match':'a','init':'ones','row':1,'only':'f'}", "does not go with gates"},
        {"{'match':'a','init':'ones','per_gate':1}", "true or false"},
        {"{'match':'a','match':'b','init':'ones'}", "r.json:1:62: "},
        {"[]", "a rule must be an object"},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fanin_recipe *recipe;
        fanin_error error;
        snprintf(text, sizeof text, "{'format':'fanin-recipe','version':1,'rules':[  %s]}", cases[i].rule);
        assert_ok(fanin_recipe_create(&recipe, &error), error);
        fanin_status status = test_recipe_parse(recipe, text, &error);
        if (status != FANIN_ERROR_FORMAT || strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s\n%s: %s\nlacks %s", text, fanin_status_name(status), error.message, cases[i].message);
        fanin_recipe_free(recipe);
    }
    static const struct {
        const char *text;
        const char *message;
    } files[] = {
        {"{'format':'fanin-recipe','version':1,'rules':[],'tensors':[]}", "a recipe has no key \"tensors\""},
        {"{'format':'fanin-recipe','version':1}", "no \"rules\""},
        {"{'format':'fanin-recipe','version':3,'rules':[]}", "\"version\": 1"},
        {"{'version':1,'rules':[]}", "\"format\": \"fanin-recipe\""},
        {"{'format':'fanin-recipe','version':1,'vars':{'L':{'coun':'a'}},'rules':[]}", "no key \"coun\""},
        {"{'format':'fanin-recipe','version':1,'vars':{'L':{'count':'a**'}},'rules':[]}", "whole segments"},
        {"{'format':'fanin-recipe','version':1,'vars':{'L':{'count':'a'},'M':true},'rules':[]}", "must be a string"},
        {"{'format':'fanin-recipe','version':1,'vars':{'a b':1},'rules':[]}", "cannot name a variable"},
        {"[]", "must be an object"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        fanin_recipe *recipe;
        fanin_error error;
        assert_ok(fanin_recipe_create(&recipe, &error), error);
        assert_fails(test_recipe_parse(recipe, files[i].text, &error), FANIN_ERROR_FORMAT, error, files[i].message);
        fanin_recipe_free(recipe);
    }
}

/* The recipes that are installed, each on the names it is for: every tensor gets its rule, and no rule is idle. */
static void test_shipped(void **state)
{
    static const struct {
        const char *recipe;
        const char *model;
        const char *tensor;
        const char *initializer;
    } cases[] = {
        {"torch-default", MODEL "}", "b.conv.weight", "torch_default"},
        {"he-mlp", HEAD "'tensors':[{'name':'fc1','linear':[3,4]},{'name':'fc2','linear':[4,2]}]}", "fc2.weight",
         "kaiming_normal(nonlinearity=relu)"},
        {"resnet",
         HEAD
         "'tensors':[{'name':'conv1','conv2d':[3,4,7]},{'name':'bn1','batch_norm':4},{'name':'fc','linear':[4,2]}],"
         "'rules':[{'match':'conv1.bias','init':'zeros'}]}",
         "conv1.weight", "kaiming_normal(mode=fan_out, nonlinearity=relu)"},
        {"resnet",
         HEAD
         "'tensors':[{'name':'layer1.0.downsample.0.weight','shape':[8,4,1,1]},{'name':'layer1.0.downsample.1.weight'"
         ",'shape':[8]},{'name':'layer1.0.downsample.1.num_batches_tracked','shape':[],'dtype':'i64'},"
         "{'name':'layer1.0.bn2.running_mean','shape':[4]},{'name':'fc.weight','shape':[2,8]},"
         "{'name':'fc.bias','shape':[2]}]}",
         "fc.weight", "kaiming_uniform(a=2.23606797749979)"},
        {"gpt2",
         HEAD "'tensors':[{'name':'wte.weight','shape':[9,4]},{'repeat':{'i':[0,8]},'tensors':["
              "{'name':'h.{i}.ln_1','layer_norm':4},{'name':'h.{i}.attn.c_proj','linear':[4,4]}]}]}",
         "h.7.attn.c_proj.weight", "normal(std=0.005)"},
        {"llama",
         HEAD "'tensors':[{'name':'model.embed_tokens.weight','shape':[9,4]},{'name':'model.norm','rms_norm':4},"
              "{'name':'model.layers.0.input_layernorm','rms_norm':4}]}",
         "model.layers.0.input_layernorm.weight", "ones"},
    };
    char path[1024], relative[100];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fanin_model *model = test_model(cases[i].model);
        fanin_recipe *recipe;
        fanin_plan *plan;
        fanin_error error;
        snprintf(relative, sizeof relative, "recipes/%s.json", cases[i].recipe);
        assert_ok(fanin_recipe_create(&recipe, &error), error);
        assert_ok(fanin_recipe_read(recipe, test_source_path(path, sizeof path, relative), &error), error);
        assert_ok(fanin_plan_create(model, recipe, NULL, &plan, &error), error);
        assert_int_equal(fanin_plan_warning_count(plan), 0);
        size_t tensor = fanin_plan_tensor_find(plan, cases[i].tensor), found = 0;
        for (size_t k = 0; k < fanin_plan_op_count(plan); k++) {
            const fanin_plan_op *op = fanin_plan_op_at(plan, k);
            found += op->tensor == tensor && strcmp(op->initializer, cases[i].initializer) == 0;
        }
        assert_int_equal(found, 1);
        fanin_plan_free(plan);
        fanin_recipe_free(recipe);
        fanin_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_match), cmocka_unit_test(test_precedence), cmocka_unit_test(test_files),
        cmocka_unit_test(test_counts),      cmocka_unit_test(test_gates),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_cut),         cmocka_unit_test(test_explained),  cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_unmatched),   cmocka_unit_test(test_bad_values), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_shipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
