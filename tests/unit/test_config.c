/* SPDX-License-Identifier: MIT */
/*
 * config.json of the known families: which parameters they come to, what is refused by name, and the copy that goes
 * beside the weights.
 */
#include "description.h"

static const fanin_model_tensor *find(const fanin_model *model, const char *name)
{
    for (size_t i = 0; i < fanin_model_tensor_count(model); i++)
        if (strcmp(fanin_model_tensor_at(model, i)->name, name) == 0)
            return fanin_model_tensor_at(model, i);
    return NULL;
}

static void check_shape(const fanin_model *model, const char *name, int64_t n0, int64_t n1)
{
    const fanin_model_tensor *tensor = find(model, name);
    if (tensor == NULL)
        fail_msg("there is no %s", name);
    assert_int_equal(tensor->ndim, n1 < 0 ? 1 : 2);
    assert_int_equal(tensor->shape[0], n0);
    if (n1 >= 0)
        assert_int_equal(tensor->shape[1], n1);
}

/* The fill of a tensor's only op, or of its op on this part. */
static const fanin_plan_op *find_op(const fanin_plan *plan, const char *name, const char *part)
{
    size_t tensor = fanin_plan_tensor_find(plan, name);
    assert_int_not_equal(tensor, SIZE_MAX);
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->tensor == tensor && (part == NULL) == (op->part == NULL) &&
            (part == NULL || strcmp(part, op->part) == 0))
            return op;
    }
    fail_msg("nothing fills %s", name);
    return NULL;
}

static void check_normal(const fanin_plan *plan, const char *name, double std)
{
    const fanin_plan_op *op = find_op(plan, name, NULL);
    assert_int_equal(op->fill.kind, FANIN_FILL_NORMAL);
    assert_same_double(op->fill.value[0], 0);
    assert_same_double(op->fill.value[1], std);
}

static void check_constant(const fanin_plan *plan, const char *name, const char *part, double value)
{
    const fanin_plan_op *op = find_op(plan, name, part);
    assert_int_equal(op->fill.kind, FANIN_FILL_CONSTANT);
    assert_same_double(op->fill.value[0], value);
}

static void test_gpt2(void **state)
{
    static const char small[] = "{'model_type':'gpt2','architectures':['GPT2LMHeadModel'],'initializer_range':0.03}";
    fanin_model *model = test_model(small);
    (void)state;
    assert_string_equal(fanin_model_family(model), "gpt2");
    assert_int_equal(fanin_model_tensor_count(model), 2 + 12 * 12 + 2 + 1);
    check_shape(model, "transformer.wte.weight", 50257, 768);
    check_shape(model, "transformer.wpe.weight", 1024, 768);
    check_shape(model, "transformer.h.11.attn.c_attn.weight", 768, 2304);
    check_shape(model, "transformer.h.11.attn.c_attn.bias", 2304, -1);
    check_shape(model, "transformer.h.0.mlp.c_fc.weight", 768, 3072);
    check_shape(model, "transformer.h.0.mlp.c_proj.weight", 3072, 768);
    assert_int_equal(find(model, "transformer.h.0.mlp.c_proj.weight")->layout, FANIN_LAYOUT_IN_OUT);
    assert_string_equal(find(model, "lm_head.weight")->tied_to, "transformer.wte.weight");
    assert_string_equal(find(model, "transformer.wte.weight")->where, "dir/m.json as spec:5:3");
    fanin_model_free(model);

    fanin_plan *plan = test_plan(small, NULL);
    check_normal(plan, "transformer.wte.weight", 0.03);
    check_normal(plan, "transformer.h.3.attn.c_attn.weight", 0.03);
    check_normal(plan, "transformer.h.3.attn.c_proj.weight", 0.03 / 4.898979485566356); /* sqrt(2 * 12) */
    check_normal(plan, "transformer.h.3.mlp.c_proj.weight", 0.03 / 4.898979485566356);
    check_constant(plan, "transformer.h.3.mlp.c_proj.bias", NULL, 0);
    check_constant(plan, "transformer.h.3.ln_1.weight", NULL, 1);
    check_constant(plan, "transformer.ln_f.bias", NULL, 0);
    assert_int_equal(fanin_plan_warning_count(plan), 1);
    assert_string_equal(fanin_plan_warning_at(plan, 0),
                        "gpt2: the weights have transformers' distributions, not its bits: its order of draws changes "
                        "with its releases.");
    fanin_plan_free(plan);

    /* Other names of keys; an untied head; an inner size; a pad row is not zeroed. */
    static const char other[] = "{'model_type':'gpt2','hidden_size':8,'num_attention_heads':2,'num_hidden_layers':1,"
                                "'max_position_embeddings':4,'n_inner':5,'vocab_size':10,'tie_word_embeddings':false,"
                                "'pad_token_id':0,'quantization_config':null,'dtype':'bfloat16'}";
    model = test_model(other);
    assert_int_equal(fanin_model_tensor_count(model), 2 + 12 + 2 + 1);
    check_shape(model, "transformer.h.0.mlp.c_fc.weight", 8, 5);
    check_shape(model, "transformer.wpe.weight", 4, 8);
    check_shape(model, "lm_head.weight", 10, 8);
    assert_int_equal(find(model, "lm_head.weight")->dtype, FANIN_BF16);
    assert_null(find(model, "lm_head.weight")->tied_to);
    fanin_model_free(model);
    plan = test_plan(other, NULL);
    assert_int_equal(fanin_plan_op_count(plan), 17);
    assert_int_equal(fanin_plan_warning_count(plan), 1);
    fanin_plan_free(plan);
}

#define SMALL "'vocab_size':10,'hidden_size':8,'intermediate_size':6,'num_hidden_layers':2,'num_attention_heads':4"

static void test_llama(void **state)
{
    static const char plain[] = "{'model_type':'llama'," SMALL "}";
    (void)state;
    fanin_model *model = test_model(plain);
    assert_int_equal(fanin_model_tensor_count(model), 1 + 2 * 9 + 1 + 1);
    check_shape(model, "model.embed_tokens.weight", 10, 8);
    check_shape(model, "model.layers.1.self_attn.q_proj.weight", 8, 8);
    check_shape(model, "model.layers.1.self_attn.k_proj.weight", 8, 8);
    check_shape(model, "model.layers.1.mlp.down_proj.weight", 8, 6);
    check_shape(model, "model.layers.1.post_attention_layernorm.weight", 8, -1);
    check_shape(model, "lm_head.weight", 10, 8);
    assert_int_equal(find(model, "lm_head.weight")->dtype, FANIN_F32);
    fanin_model_free(model);

    static const char full[] =
        "{'model_type':'llama','num_key_value_heads':2,'head_dim':3,'attention_bias':true,"
        "'mlp_bias':true,'pad_token_id':-1,'tie_word_embeddings':true,'torch_dtype':'float16'," SMALL "}";
    model = test_model(full);
    assert_int_equal(fanin_model_tensor_count(model), 1 + 2 * 16 + 1 + 1);
    check_shape(model, "model.layers.0.self_attn.q_proj.weight", 12, 8);
    check_shape(model, "model.layers.0.self_attn.v_proj.weight", 6, 8);
    check_shape(model, "model.layers.0.self_attn.v_proj.bias", 6, -1);
    check_shape(model, "model.layers.0.self_attn.o_proj.weight", 8, 12);
    check_shape(model, "model.layers.0.self_attn.o_proj.bias", 8, -1);
    check_shape(model, "model.layers.0.mlp.gate_proj.bias", 6, -1);
    assert_string_equal(find(model, "lm_head.weight")->tied_to, "model.embed_tokens.weight");
    assert_int_equal(find(model, "lm_head.weight")->dtype, FANIN_F16);
    fanin_model_free(model);
    fanin_plan *plan = test_plan(full, NULL);
    check_normal(plan, "model.embed_tokens.weight", 0.02);
    check_constant(plan, "model.embed_tokens.weight", "row 9", 0);
    check_constant(plan, "model.layers.0.mlp.down_proj.bias", NULL, 0);
    check_constant(plan, "model.norm.weight", NULL, 1);
    assert_int_equal(fanin_plan_warning_count(plan), 1);
    fanin_plan_free(plan);
}

static void test_others(void **state)
{
    (void)state;
    /* Absent keys are the family's own defaults; null is as many as heads. */
    fanin_model *model = test_model("{'model_type':'mistral','hidden_size':64,'num_attention_heads':16}");
    check_shape(model, "model.layers.31.self_attn.k_proj.weight", 8 * 4, 64);
    check_shape(model, "model.layers.31.mlp.up_proj.weight", 14336, 64);
    fanin_model_free(model);
    model = test_model("{'model_type':'mistral','num_key_value_heads':null," SMALL "}");
    check_shape(model, "model.layers.0.self_attn.k_proj.weight", 8, 8);
    assert_null(find(model, "model.layers.0.self_attn.k_proj.bias"));
    fanin_model_free(model);
    model = test_model("{'model_type':'qwen2','num_key_value_heads':2,'attention_bias':false," SMALL "}");
    check_shape(model, "model.layers.0.self_attn.k_proj.bias", 4, -1);
    assert_null(find(model, "model.layers.0.self_attn.o_proj.bias"));
    assert_null(find(model, "model.layers.0.self_attn.q_norm.weight"));
    fanin_model_free(model);
    model = test_model("{'model_type':'qwen2','hidden_size':64,'num_attention_heads':16,'num_hidden_layers':1}");
    check_shape(model, "model.layers.0.self_attn.k_proj.weight", 32 * 4, 64);
    check_shape(model, "model.embed_tokens.weight", 151936, 64);
    fanin_model_free(model);
    model = test_model("{'model_type':'qwen3','num_key_value_heads':1,'attention_bias':true," SMALL "}");
    check_shape(model, "model.layers.0.self_attn.q_proj.weight", 4 * 128, 8);
    check_shape(model, "model.layers.0.self_attn.k_proj.weight", 128, 8);
    check_shape(model, "model.layers.0.self_attn.q_norm.weight", 128, -1);
    check_shape(model, "model.layers.0.self_attn.o_proj.bias", 8, -1);
    assert_string_equal(fanin_model_tensor_at(model, 9)->name, "model.layers.0.self_attn.q_norm.weight");
    fanin_model_free(model);

    static const char *const names[] = {"gpt2", "llama", "mistral", "qwen2", "qwen3"};
    assert_int_equal(fanin_family_count(), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(fanin_family_name(i), names[i]);
    assert_null(fanin_family_name(5));
}

/* The expansion is a spec like any other: it can be printed, and reads back as the same model. */
static void test_spec(void **state)
{
    fanin_model *model = test_model("{'model_type':'qwen3','pad_token_id':3," SMALL "}"), *again;
    fanin_error error;
    char *text;
    (void)state;
    assert_ok(fanin_model_to_spec(model, &text, &error), error);
    assert_non_null(strstr(text, "transformers' distributions, not its bits"));
    assert_ok(fanin_model_parse(text, strlen(text), "again", &again, &error), error);
    fanin_release(text);
    assert_int_equal(fanin_model_tensor_count(again), fanin_model_tensor_count(model));
    for (size_t i = 0; i < fanin_model_tensor_count(model); i++)
        assert_string_equal(fanin_model_tensor_at(again, i)->name, fanin_model_tensor_at(model, i)->name);
    assert_null(fanin_model_family(again));
    fanin_model_free(again);
    fanin_model_free(model);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        fanin_status status;
        const char *message;
    } cases[] = {
        {"{'model_type':'bert'}", FANIN_ERROR_UNSUPPORTED,
         "dir/m.json:1:15: the family \"bert\" is not known here; those that are: gpt2, llama, mistral, qwen2, qwen3"},
        {"{'architectures':['LlamaForCausalLM']}", FANIN_ERROR_FORMAT, "\"model_type\" is missing"},
        {"{'model_type':3}", FANIN_ERROR_FORMAT, "\"model_type\" is missing"},
        {"{'model_type':'gpt2','add_cross_attention':true}", FANIN_ERROR_UNSUPPORTED,
         "m.json:1:44: "
         "\"add_cross_attention\""},
        {"{'model_type':'gpt2','quantization_config':{}}", FANIN_ERROR_UNSUPPORTED, "\"quantization_config\""},
        {"{'model_type':'gpt2','pruned_heads':{'1':[0]}}", FANIN_ERROR_UNSUPPORTED, "\"pruned_heads\""},
        {"{'model_type':'gpt2','architectures':['GPT2DoubleHeadsModel']}", FANIN_ERROR_UNSUPPORTED,
         "\"architectures\""},
        {"{'model_type':'llama','architectures':['LlamaForSequenceClassification']}", FANIN_ERROR_UNSUPPORTED,
         "*ForCausalLM"},
        {"{'model_type':'llama','architectures':'LlamaForCausalLM'}", FANIN_ERROR_FORMAT, "must be an array"},
        {"{'model_type':'gpt2','n_embd':0}", FANIN_ERROR_FORMAT, "m.json:1:31: \"n_embd\" must be a whole number"},
        {"{'model_type':'gpt2','n_embd':1e3}", FANIN_ERROR_FORMAT, "\"n_embd\""},
        {"{'model_type':'gpt2','n_embd':'8'}", FANIN_ERROR_FORMAT, "\"n_embd\""},
        {"{'model_type':'gpt2','n_embd':4294967296}", FANIN_ERROR_FORMAT, "\"n_embd\""},
        {"{'model_type':'gpt2','n_embd':8,'hidden_size':8}", FANIN_ERROR_FORMAT, "the same setting"},
        {"{'model_type':'gpt2','n_embd':10,'n_head':3}", FANIN_ERROR_FORMAT, "multiple of the 3 attention heads"},
        {"{'model_type':'gpt2','n_embd':10}", FANIN_ERROR_FORMAT, "multiple of the 12 attention heads"},
        {"{'model_type':'gpt2','n_layer':100000000}", FANIN_ERROR_FORMAT, "more than 4000000"},
        {"{'model_type':'gpt2','initializer_range':0}", FANIN_ERROR_FORMAT, "\"initializer_range\""},
        {"{'model_type':'gpt2','tie_word_embeddings':1}", FANIN_ERROR_FORMAT, "tie_word_embeddings"},
        {"{'model_type':'gpt2','dtype':'int8'}", FANIN_ERROR_FORMAT, "\"dtype\" must be"},
        {"{'model_type':'gpt2','torch_dtype':'auto'}", FANIN_ERROR_FORMAT, "\"torch_dtype\" must be"},
        {"{'model_type':'llama','hidden_size':10,'num_attention_heads':4}", FANIN_ERROR_FORMAT, "multiple of"},
        {"{'model_type':'mistral','hidden_size':10,'num_attention_heads':40}", FANIN_ERROR_FORMAT, "more attention"},
        {"{'model_type':'llama','pad_token_id':32000}", FANIN_ERROR_FORMAT, "\"pad_token_id\""},
        {"{'model_type':'llama','pad_token_id':1.5}", FANIN_ERROR_FORMAT, "\"pad_token_id\""},
        {"{'model_type':'qwen3','head_dim':null}", FANIN_ERROR_FORMAT, "\"head_dim\""},
        {"{'model_type':'llama','mlp_bias':'yes'}", FANIN_ERROR_FORMAT, "mlp_bias"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fanin_model *model;
        fanin_error error;
        fanin_status status = test_model_parse(cases[i].text, &model, &error);
        if (status != cases[i].status || strstr(error.message, cases[i].message) == NULL)
            fail_msg("%s\n%s: %s\nlacks %s", cases[i].text, fanin_status_name(status), error.message, cases[i].message);
        assert_null(model);
    }
}

static void test_copy(void **state)
{
    static const struct {
        const char *text;
        fanin_dtype dtype;
        const char *copy;
    } cases[] = {
        {"{'model_type':'gpt2','torch_dtype':'float32','x':[1,{'dtype':2}]}", FANIN_BF16,
         "{'model_type':'gpt2','torch_dtype':'bfloat16','x':[1,{'dtype':2}],'dtype': 'bfloat16'}"},
        {"{'dtype' : null ,'model_type':'gpt2'}\n", FANIN_F16, "{'dtype' : 'float16' ,'model_type':'gpt2'}\n"},
        {"{\n  'model_type': 'gpt2',\n  'dtype': 'bfloat16'\n}\n", FANIN_F32,
         "{\n  'model_type': 'gpt2',\n  'dtype': 'float32'\n}\n"},
        {"{\n  'model_type': 'gpt2',\n  'name': '\xc3\xa9\xe2\x82\xac', 'torch_dtype': 'bfloat16'}", FANIN_F64,
         "{\n  'model_type': 'gpt2',\n  'name': '\xc3\xa9\xe2\x82\xac', 'torch_dtype': 'float64', 'dtype': 'float64'}"},
        {"{\n  'model_type': 'gpt2',\n  'eos': [\n 1]\n}\n", FANIN_F16,
         "{\n  'model_type': 'gpt2',\n  'eos': [\n 1],\n  'dtype': 'float16'\n}\n"},
        {"{'a\\\\':'}','model_type':'gpt2','torch_dtype':null,'dtype':'float16'}", FANIN_F32,
         "{'a\\\\':'}','model_type':'gpt2','torch_dtype':'float32','dtype':'float32'}"},
        {"\n\n {'model_type':'gpt2'}\n\n", FANIN_F32, "\n\n {'model_type':'gpt2','dtype': 'float32'}\n\n"},
    };
    fanin_error error;
    char *copy;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fanin_model *model = test_model(cases[i].text);
        char *expected = test_json(cases[i].copy);
        assert_ok(fanin_model_config(model, cases[i].dtype, &copy, &error), error);
        assert_string_equal(copy, expected);
        fanin_release(copy);
        free(expected);
        assert_fails(fanin_model_config(model, FANIN_I8, &copy, &error), FANIN_ERROR_DTYPE, error, "i8");
        assert_null(copy);
        fanin_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2), cmocka_unit_test(test_llama),   cmocka_unit_test(test_others),
        cmocka_unit_test(test_spec), cmocka_unit_test(test_refused), cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
