/* SPDX-License-Identifier: MIT */
/*
 * Specs: which tensors a description comes to, in which order, and what is refused, with its place.
 */
#include "description.h"

#include "fanin/run.h"

#define HEAD "{'format':'fanin-spec','version':1,"

/* "name f32 2x3|name ..." of all tensors; ties as "name = other". */
static void show(const fanin_model *model, char *text, size_t nbytes)
{
    size_t at = 0;
    text[0] = '\0';
    for (size_t i = 0; i < fanin_model_tensor_count(model); i++) {
        const fanin_model_tensor *tensor = fanin_model_tensor_at(model, i);
        at += (size_t)snprintf(text + at, nbytes - at, "%s%s %s ", i > 0 ? "|" : "", tensor->name,
                               fanin_dtype_name(tensor->dtype));
        for (int32_t d = 0; d < tensor->ndim; d++)
            at += (size_t)snprintf(text + at, nbytes - at, "%s%lld", d > 0 ? "x" : "", (long long)tensor->shape[d]);
        if (tensor->tied_to != NULL)
            at += (size_t)snprintf(text + at, nbytes - at, "= %s", tensor->tied_to);
        assert_true(at < nbytes);
    }
}

static void check(const char *text, const char *expected)
{
    static char shown[20000];
    fanin_model *model = test_model(text);
    show(model, shown, sizeof shown);
    assert_string_equal(shown, expected);
    fanin_model_free(model);
}

/* The three examples of the format's description, as they stand. */
static const char mlp[] = "{'format':'fanin-spec','version':1,'dtype':'f32',\n"
                          " 'tensors':[{'name':'fc1','linear':[784,256]},{'name':'fc2','linear':[256,10]}],\n"
                          " 'rules':[{'match':'**.weight','init':'kaiming_normal','nonlinearity':'relu'},\n"
                          "          {'match':'**.bias','init':'zeros'}]}";
static const char cnn[] =
    "{'format':'fanin-spec','version':1,\n"
    " 'tensors':[{'name':'conv1','conv2d':{'in':3,'out':32,'k':3,'bias':false}},{'name':'bn1','batchnorm':32},\n"
    "  {'repeat':{'i':[0,4]},'tensors':[{'name':'blocks.{i}.conv','conv2d':{'in':32,'out':32,'k':3,'bias':false}},\n"
    "                                   {'name':'blocks.{i}.bn','batchnorm':32}]},\n"
    "  {'name':'fc','linear':[32,10]}],\n"
    " 'rules':[{'match':'blocks.*.bn.weight','init':'zeros'},\n"
    "          {'match':'**.bn*.{weight,running_var}','init':'ones'},\n"
    "          {'match':'**.bn*.*','init':'zeros'},\n"
    "          {'match':'**.conv*.weight','init':'kaiming_normal','mode':'fan_out','nonlinearity':'relu'},\n"
    "          {'match':'fc.*','init':'torch_default'}]}";
static const char gpt2[] =
    "{'format':'fanin-spec','version':1,'dtype':'bf16','vars':{'H':768,'L':12,'V':50257,'P':1024},\n"
    " 'tensors':[{'name':'wte.weight','shape':['V','H']},{'name':'wpe.weight','shape':['P','H']},\n"
    "  {'repeat':{'i':[0,'L']},'tensors':[\n"
    "   {'name':'h.{i}.ln_1','layernorm':'H'},{'name':'h.{i}.attn.c_attn','linear':['H','3*H']},\n"
    "   {'name':'h.{i}.attn.c_proj','linear':['H','H']},{'name':'h.{i}.ln_2','layernorm':'H'},\n"
    "   {'name':'h.{i}.mlp.c_fc','linear':['H','4*H']},{'name':'h.{i}.mlp.c_proj','linear':['4*H','H']}]},\n"
    "  {'name':'ln_f','layernorm':'H'},{'name':'lm_head.weight','tie':'wte.weight'}],\n"
    " 'rules':[{'match':'**.c_proj.weight','init':'normal','std':'0.02/sqrt(2*L)'},\n"
    "          {'match':'**.{ln_1,ln_2}.weight','init':'ones'},{'match':'ln_f.weight','init':'ones'},\n"
    "          {'match':'**.bias','init':'zeros'},{'match':'**','init':'normal','std':0.02}]}";

static void test_examples(void **state)
{
    (void)state;
    check(mlp, "fc1.weight f32 256x784|fc1.bias f32 256|fc2.weight f32 10x256|fc2.bias f32 10");
    fanin_model *model = test_model(cnn);
    assert_int_equal(fanin_model_tensor_count(model), 1 + 5 + 4 * 6 + 2);
    const fanin_model_tensor *tensor = fanin_model_tensor_at(model, 6 + 6 + 5);
    assert_string_equal(tensor->name, "blocks.1.bn.num_batches_tracked");
    assert_int_equal(tensor->dtype, FANIN_I64);
    assert_int_equal(tensor->ndim, 0);
    assert_int_equal(tensor->layer_kind, FANIN_LAYER_BATCH_NORM);
    assert_string_equal(tensor->where, "dir/m.json:4:36");
    assert_null(fanin_model_tensor_at(model, 32));
    fanin_model_free(model);
    model = test_model(gpt2);
    assert_int_equal(fanin_model_tensor_count(model), 2 + 12 * 12 + 2 + 1);
    tensor = fanin_model_tensor_at(model, 148);
    assert_string_equal(tensor->name, "lm_head.weight");
    assert_string_equal(tensor->tied_to, "wte.weight");
    assert_int_equal(tensor->shape[0], 50257);
    assert_int_equal(tensor->dtype, FANIN_BF16);
    assert_null(fanin_model_family(model));
    fanin_model_free(model);
    /* And each has a plan in which every rule does something. */
    const char *const all[] = {mlp, cnn, gpt2};
    for (size_t i = 0; i < 3; i++) {
        fanin_plan *plan = test_plan(all[i], NULL);
        assert_int_equal(fanin_plan_warning_count(plan), 0);
        fanin_plan_free(plan);
    }
}

static void test_tensors(void **state)
{
    (void)state;
    check(HEAD "'tensors':[{'name':'a','shape':[]},{'name':'b','shape':[0,5],'dtype':'f16'},"
               "{'name':'c','shape':['2+1'],'dtype':'BF16'},{'name':'d','shape':[7],'dtype':'int64'}]}",
          "a f32 |b f16 0x5|c bf16 3|d i64 7");
    check(HEAD "'dtype':'f64','vars':{'n':3,'m':'2*n'},'layers':[{'name':'x','shape':['m','n','m/n']}]}",
          "x f64 6x3x2");
    check(HEAD "'tensors':[{'name':'b','tie':'a'},{'name':'a','shape':[2]},{'name':'c','tie':'a'}]}",
          "b f32 2= a|a f32 2|c f32 2= a");
    check(HEAD "'tensors':[]}", "");
    check(HEAD "'description':'nothing','tensors':[{'name':'{{x}}','shape':[1]}]}", "{x} f32 1");

    fanin_model *model = test_model(HEAD "'tensors':["
                                         "{'name':'a','shape':[4,6],'layout':'in_out','groups':3,'gates':'x,y'},"
                                         "{'name':'b','shape':[8,2,3],'layout':'transposed','groups':2},"
                                         "{'name':'c','shape':[8,2,3],'layout':'out_in'}]}");
    const fanin_model_tensor *a = fanin_model_tensor_at(model, 0), *b = fanin_model_tensor_at(model, 1);
    assert_int_equal(a->layout, FANIN_LAYOUT_IN_OUT);
    assert_int_equal(a->groups, 3);
    assert_string_equal(a->gates, "x,y");
    assert_int_equal(b->layout, FANIN_LAYOUT_TRANSPOSED);
    assert_int_equal(b->groups, 2);
    assert_int_equal(fanin_model_tensor_at(model, 2)->layout, FANIN_LAYOUT_OUT_IN);
    fanin_model_free(model);
}

static void test_repeats(void **state)
{
    (void)state;
    check(HEAD "'vars':{'n':2},'tensors':[{'repeat':{'i':[0,'n']},'tensors':[{'name':'a.{i}','shape':['i+1']},"
               "{'repeat':{'j':['i','n']},'tensors':[{'name':'b.{i}.{j+10}','shape':['j']}]}]},"
               "{'repeat':{'k':[3,3]},'tensors':[{'name':'never{k}','shape':[1]}]},"
               "{'repeat':{'i':[-1,0]},'layers':[{'name':'m{i}','shape':[1]}]}]}",
          "a.0 f32 1|b.0.10 f32 0|b.0.11 f32 1|a.1 f32 2|b.1.11 f32 1|m-1 f32 1");
}

static void test_layers(void **state)
{
    static const struct {
        const char *layer;
        const char *expected;
    } cases[] = {
        {"'linear':[2,3]", "x.weight f32 3x2|x.bias f32 3"},
        {"'linear':{'in_features':2,'out_features':3,'bias':false}", "x.weight f32 3x2"},
        {"'linear':{'in':2,'out':3},'dtype':'f16'", "x.weight f16 3x2|x.bias f16 3"},
        {"'bilinear':[2,3,4]", "x.weight f32 4x2x3|x.bias f32 4"},
        {"'conv1d':[4,6,3]", "x.weight f32 6x4x3|x.bias f32 6"},
        {"'conv2d':{'in':4,'out':6,'k':[3,5],'groups':2}", "x.weight f32 6x2x3x5|x.bias f32 6"},
        {"'conv3d':{'in_channels':4,'out_channels':6,'kernel_size':2}", "x.weight f32 6x4x2x2x2|x.bias f32 6"},
        {"'conv_transpose1d':[4,6,3]", "x.weight f32 4x6x3|x.bias f32 6"},
        {"'conv_transpose2d':{'in':4,'out':6,'k':3,'groups':2}", "x.weight f32 4x3x3x3|x.bias f32 6"},
        {"'conv_transpose3d':[1,1,1]", "x.weight f32 1x1x1x1x1|x.bias f32 1"},
        {"'embedding':[10,4]", "x.weight f32 10x4"},
        {"'embedding':{'num_embeddings':10,'embedding_dim':4,'padding_idx':null}", "x.weight f32 10x4"},
        {"'rnn':[3,4]", "x.weight_ih_l0 f32 4x3|x.weight_hh_l0 f32 4x4|x.bias_ih_l0 f32 4|x.bias_hh_l0 f32 4"},
        {"'lstm':{'input_size':3,'hidden_size':4,'bias':false,'bidirectional':true,'proj_size':2}",
         "x.weight_ih_l0 f32 16x3|x.weight_hh_l0 f32 16x2|x.weight_hr_l0 f32 2x4|"
         "x.weight_ih_l0_reverse f32 16x3|x.weight_hh_l0_reverse f32 16x2|x.weight_hr_l0_reverse f32 2x4"},
        {"'gru':[3,4,2]", "x.weight_ih_l0 f32 12x3|x.weight_hh_l0 f32 12x4|x.bias_ih_l0 f32 12|x.bias_hh_l0 f32 12|"
                          "x.weight_ih_l1 f32 12x4|x.weight_hh_l1 f32 12x4|x.bias_ih_l1 f32 12|x.bias_hh_l1 f32 12"},
        {"'rnn_cell':[3,4]", "x.weight_ih f32 4x3|x.weight_hh f32 4x4|x.bias_ih f32 4|x.bias_hh f32 4"},
        {"'lstm_cell':{'input_size':3,'hidden_size':4,'bias':false}", "x.weight_ih f32 16x3|x.weight_hh f32 16x4"},
        {"'gru_cell':[3,4]", "x.weight_ih f32 12x3|x.weight_hh f32 12x4|x.bias_ih f32 12|x.bias_hh f32 12"},
        {"'multihead_attention':[8,2]", "x.in_proj_weight f32 24x8|x.in_proj_bias f32 24|x.out_proj.weight f32 8x8|"
                                        "x.out_proj.bias f32 8"},
        {"'multihead_attention':{'embed_dim':8,'num_heads':2,'kdim':3,'vdim':5,'bias':false,'add_bias_kv':true}",
         "x.q_proj_weight f32 8x8|x.k_proj_weight f32 8x3|x.v_proj_weight f32 8x5|x.bias_k f32 1x1x8|"
         "x.bias_v f32 1x1x8|x.out_proj.weight f32 8x8"},
        {"'batch_norm':3", "x.weight f32 3|x.bias f32 3|x.running_mean f32 3|x.running_var f32 3|"
                           "x.num_batches_tracked i64 "},
        {"'batchnorm':{'num_features':3,'affine':false,'track_running_stats':false}", ""},
        {"'layer_norm':[2,3]", "x.weight f32 2x3|x.bias f32 2x3"},
        {"'layernorm':{'normalized_shape':5,'bias':false}", "x.weight f32 5"},
        {"'group_norm':[2,6]", "x.weight f32 6|x.bias f32 6"},
        {"'groupnorm':{'num_groups':3,'num_channels':6,'affine':false}", ""},
        {"'rms_norm':7", "x.weight f32 7"},
        {"'rmsnorm':{'normalized_shape':[7],'elementwise_affine':false}", ""},
        {"'prelu':{}", "x.weight f32 1"},
        {"'prelu':4", "x.weight f32 4"},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, HEAD "'tensors':[{'name':'x',%s}]}", cases[i].layer);
        check(text, cases[i].expected);
    }
    /* The large ones by their number of parameters, which is that of torch 2.15. */
    static const struct {
        const char *layer;
        size_t count;
    } counts[] = {
        {"'transformer_encoder_layer':[8,2]", 12},
        {"'transformer_encoder_layer':{'d_model':8,'nhead':2,'dim_feedforward':16,'bias':false}", 6},
        {"'transformer_decoder_layer':[8,2]", 18},
        {"'transformer_encoder':[8,2,3]", 36},
        {"'transformer_decoder':{'d_model':8,'nhead':2,'num_layers':2}", 36},
        {"'transformer':{'d_model':8,'nhead':2,'num_encoder_layers':1,'num_decoder_layers':2}", 12 + 2 + 36 + 2},
        {"'transformer':{}", 6 * 12 + 2 + 6 * 18 + 2},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        snprintf(text, sizeof text, HEAD "'tensors':[{'name':'x',%s}]}", counts[i].layer);
        fanin_model *model = test_model(text);
        assert_int_equal(fanin_model_tensor_count(model), counts[i].count);
        fanin_model_free(model);
    }
    /* A layer may be the whole model: then its parameters have their own names. */
    check(HEAD "'tensors':[{'name':'','linear':[2,1]}]}", "weight f32 1x2|bias f32 1");
}

static void test_roles_and_gates(void **state)
{
    fanin_model *model = test_model(HEAD "'tensors':[{'name':'l','lstm':[3,4]},{'name':'g','gru_cell':[3,4]},"
                                         "{'name':'r','rnn':[3,4]},{'name':'a','multihead_attention':[8,2]},"
                                         "{'name':'n','layer_norm':2}]}");
    static const struct {
        size_t index;
        const char *role;
        const char *gates;
    } cases[] = {{0, "weight_ih", "i,f,g,o"}, {3, "bias_hh", "i,f,g,o"},       {4, "weight_ih", "r,z,n"},
                 {8, "weight_ih", NULL},      {12, "in_proj_weight", "q,k,v"}, {16, "norm_weight", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fanin_model_tensor *tensor = fanin_model_tensor_at(model, cases[i].index);
        assert_string_equal(tensor->role, cases[i].role);
        if (cases[i].gates == NULL)
            assert_null(tensor->gates);
        else
            assert_string_equal(tensor->gates, cases[i].gates);
    }
    fanin_model_free(model);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {HEAD "'tensors':[{'name':'a','shape':[1]}],'tenors':[]}", "m.json:1:73: a spec has no key \"tenors\"; did you "
                                                                   "mean \"tensors\"?"},
        {HEAD "'tensors':[{'name':'a','lineer':[1,2]}]}", "did you mean \"linear\""},
        {HEAD "'tensors':[{'name':'a','linear':[1,2],'shape':[1]}]}", "cannot be both \"linear\" and \"shape\""},
        {HEAD "'tensors':[{'name':'a'}]}", "an entry needs"},
        {HEAD "'tensors':[{'linear':[1,2]}]}", "needs a \"name\""},
        {HEAD "'tensors':[{'name':'','shape':[1]}]}", "must not be empty"},
        {HEAD "'tensors':[{'name':'__metadata__','shape':[1]}]}", "reserved"},
        {HEAD "'tensors':[{'name':'a\\u001b','shape':[1]}]}", "control characters"},
        {HEAD "'tensors':[{'name':'a','shape':[1]},{'name':'a','shape':[2]}]}", "m.json:1:72: there is a tensor \"a\" "
                                                                                "already (dir/m.json:1:47)"},
        {HEAD "'tensors':[{'name':'a','shape':[-1]}]}", "must be at least 0"},
        {HEAD "'tensors':[{'name':'a','shape':[1.5]}]}", "whole number"},
        {HEAD "'tensors':[{'name':'a','shape':['n']}]}", "m.json:1:68"},
        {HEAD "'tensors':[{'name':'a','shape':[4294967296,4294967296]}]}", "too large"},
        {HEAD "'tensors':[{'name':'a','shape':[0,4294967296,4294967296]}]}", "too large"},
        {HEAD "'tensors':[{'name':'a','shape':[1,1,1,1,1,1,1,1,1]}]}", "9 dimensions"},
        {HEAD "'tensors':[{'name':'a','shape':[3],'dtype':'f4'}]}", "whole bytes"},
        {HEAD "'tensors':[{'name':'a','shape':[3],'dtype':'f31'}]}", "dtype \"f31\""},
        {HEAD "'tensors':[{'name':'a','shape':[4],'layout':'oihw'}]}", "out_in"},
        {HEAD "'tensors':[{'name':'a','shape':[4,4],'groups':0}]}", "at least 1"},
        {HEAD "'tensors':[{'name':'a','shape':[4,4],'groups':3}]}", "must divide"},
        {HEAD "'tensors':[{'name':'a','shape':[4,4],'gates':'a,b,c'}]}", "equal blocks"},
        {HEAD "'tensors':[{'name':'a','shape':[4,4],'gates':'a,a'}]}", "twice"},
        {HEAD "'tensors':[{'name':'a','shape':[4,4],'gates':'a,'}]}", "commas"},
        {HEAD "'tensors':[{'name':'a','tie':'b'}]}", "does not exist"},
        {HEAD "'tensors':[{'name':'a','tie':'a'}]}", "itself a tie"},
        {HEAD "'tensors':[{'name':'a','tie':'b'},{'name':'b','tie':'a'}]}", "itself a tie"},
        {HEAD "'tensors':[{'name':'a','tie':'b','dtype':'f32'}]}", "a tie has no key \"dtype\""},
        {HEAD "'tensors':[{'repeat':{'i':[0,1000000000]},'tensors':[{'name':'a.{i}','shape':[1]}]}]}",
         "more than 4000000"},
        {HEAD "'tensors':[{'repeat':{'i':[0,3000]},'tensors':[{'repeat':{'j':[0,3000]},'tensors':[]}]}]}",
         "more than 4000000"},
        {HEAD "'tensors':[{'name':'t','transformer_encoder':[8,2,100000000]}]}", "more than 4000000"},
        {HEAD "'tensors':[{'repeat':{'i':[2,1]},'tensors':[]}]}", "at least 2"},
        {HEAD "'tensors':[{'repeat':{'i':[0,1],'j':[0,1]},'tensors':[]}]}", "one variable"},
        {HEAD "'tensors':[{'repeat':{'i':[0,1]}}]}", "one list"},
        {HEAD "'vars':{'i':3},'tensors':[{'repeat':{'i':[0,1]},'tensors':[]}]}", "exists already"},
        {HEAD "'vars':{'pi':3},'tensors':[]}", "cannot name a variable"},
        {HEAD "'vars':{'a':{'count':'**'}},'tensors':[]}", "number or an expression"},
        {HEAD "'tensors':[{'name':'a{i}','shape':[1]}]}", "m.json:1:55"},
        {HEAD "'tensors':[{'name':'a{','shape':[1]}]}", "without its }"},
        {HEAD "'tensors':[{'name':'a}','shape':[1]}]}", "without its {"},
        {HEAD "'tensors':[{'name':'a{1/2}','shape':[1]}]}", "not a whole number"},
        {HEAD "'tensors':[{'name':'a','linear':[1]}]}", "write a linear as [in_features, out_features]"},
        {HEAD "'tensors':[{'name':'a','linear':{'in':1}}]}", "needs \"out_features\""},
        {HEAD "'tensors':[{'name':'a','linear':{'in':1,'in_features':1,'out':2}}]}", "same argument"},
        {HEAD "'tensors':[{'name':'a','linear':{'in':1,'out':2,'bais':true}}]}", "did you mean \"bias\""},
        {HEAD "'tensors':[{'name':'a','linear':{'in':1,'out':2,'bias':1}}]}", "true or false"},
        {HEAD "'tensors':[{'name':'a','conv2d':{'in':3,'out':4,'k':3,'groups':2}}]}", "m.json:1:68"},
        {HEAD "'tensors':[{'name':'a','conv2d':{'in':3,'out':4,'k':3,'groups':0}}]}", "groups"},
        {HEAD "'tensors':[{'name':'a','conv2d':{'in':3,'out':4,'k':0}}]}", "kernel"},
        {HEAD "'tensors':[{'name':'a','conv2d':{'in':3,'out':4,'k':[3]}}]}", "one size or a list of 2"},
        {HEAD "'tensors':[{'name':'a','group_norm':[4,6]}]}", "divisible"},
        {HEAD "'tensors':[{'name':'a','multihead_attention':[9,2]}]}", "embed_dim"},
        {HEAD "'tensors':[{'name':'a','embedding':{'num_embeddings':4,'embedding_dim':2,'padding_idx':4}}]}",
         "padding_idx"},
        {HEAD "'tensors':[{'name':'a','linear':[4294967296,4294967296]}]}", "more elements than memory"},
        {HEAD "'tensors':{},'rules':[]}", "\"tensors\" must be an array"},
        {HEAD "'rules':[]}", "one list \"tensors\""},
        {HEAD "'tensors':[],'construct':1}", "true or false"},
        {"{'format':'fanin-spec','version':2,'tensors':[]}", "\"version\": 1"},
        {"{'format':'fanin-recipe','version':1,'rules':[]}", "this is a recipe"},
        {"{'format':'fanin-plan','version':[1,0]}", "this is a plan"},
        {"{'format':'safetensors'}", "a model is a spec"},
        {"[]", "a model is a spec"},
        {HEAD "'tensors':[]} x", "m.json:1:"},
        {HEAD "'version':1,'tensors':[]}", "m.json:1:"},
        {HEAD "'tensors':[{'name':'a','shape':[NaN]}]}", "m.json:1:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fanin_model *model;
        fanin_error error;
        fanin_status status = test_model_parse(cases[i].text, &model, &error);
        if (status != FANIN_ERROR_FORMAT || strstr(error.message, cases[i].message) == NULL ||
            strncmp(error.message, "dir/m.json:", 11) != 0)
            fail_msg("%s\n%s: %s\nlacks %s", cases[i].text, fanin_status_name(status), error.message, cases[i].message);
        assert_null(model);
    }
}

/* Places are lines and columns of the file. */
static void test_places(void **state)
{
    fanin_model *model;
    fanin_error error;
    (void)state;
    assert_fails(test_model_parse(HEAD "\n 'tensors':[\n  {'name':'a','shape':[1]},\n  {'name':'b',\n   'shap':[1]}]}",
                                  &model, &error),
                 FANIN_ERROR_FORMAT, error, "dir/m.json:5:4: an entry has no key \"shap\"; did you mean \"shape\"?");
    assert_int_equal(test_model_parse("[", &model, NULL), FANIN_ERROR_FORMAT);
    assert_fails(fanin_model_read("absent.json", &model, &error), FANIN_ERROR_IO, error, "absent.json");
}

static void test_text(void **state)
{
    fanin_model *model = test_model(mlp);
    char *text, *json = test_json(mlp);
    fanin_error error;
    (void)state;
    assert_ok(fanin_model_to_spec(model, &text, &error), error);
    assert_string_equal(text, json);
    free(json);
    fanin_release(text);
    assert_ok(fanin_model_config(model, FANIN_F32, &text, &error), error);
    assert_null(text);
    fanin_release(NULL);
    fanin_model_free(model);
    fanin_model_free(NULL);
}

/* The shapes of a checkpoint: in byte order of the names, which need not be those a spec could write without escapes.
 */
static void test_like(void **state)
{
    fanin_plan *plan =
        test_plan(HEAD "'tensors':[{'name':'z{{0}}','shape':[2,3],'dtype':'bf16'},{'name':'a','shape':[]},"
                       "{'name':'n','shape':[2],'dtype':'i64'},{'name':'t','tie':'a'}],"
                       "'rules':[{'match':'**','init':'ones'}]}",
                  NULL);
    const fanin_run_options options = {.size = sizeof options, .seed = 1};
    const fanin_write_options write = {.size = sizeof write, .path = "like.safetensors", .force = true};
    fanin_write_result result;
    fanin_model *model;
    fanin_error error;
    char shown[200], *text;
    (void)state;
    assert_ok(fanin_run_checkpoint(plan, &options, &write, &result, &error), error);
    fanin_plan_free(plan);
    assert_ok(fanin_model_like("like.safetensors", &model, &error), error);
    show(model, shown, sizeof shown);
    assert_string_equal(shown, "a f32 |n i64 2|z{0} bf16 2x3");
    assert_string_equal(fanin_model_tensor_at(model, 2)->where, "like.safetensors as spec:5:3");
    assert_ok(fanin_model_to_spec(model, &text, &error), error);
    assert_non_null(strstr(text, "{\"name\":\"z{{0}}\",\"shape\":[2,3],\"dtype\":\"bf16\"}"));
    fanin_release(text);
    assert_fails(fanin_plan_create(model, NULL, NULL, &plan, &error), FANIN_ERROR_FORMAT, error, "there are no rules");
    fanin_model_free(model);
    assert_fails(fanin_model_like("absent.safetensors", &model, &error), FANIN_ERROR_IO, error, "absent.safetensors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_roles_and_gates),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_like),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
