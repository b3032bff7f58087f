/* SPDX-License-Identifier: MIT */
/*
 * Plans: positions in the stream, the cached normal, barriers, what is overwritten, constructors and their copies; and
 * that running a plan in any order gives what its ops give one after the other.
 */
#include "description.h"

#include "fanin/run.h"

#define HEAD "{'format':'fanin-spec','version':1,"

/* Shapes of bare tensors with one rule each: {"40", "normal"} ... */
struct fill_case {
    const char *shape;
    const char *init;
};

static fanin_plan *plan_of(const struct fill_case *cases, size_t n, const char *dtype, const char *profile)
{
    char text[4000];
    size_t at = (size_t)snprintf(text, sizeof text, HEAD "'dtype':'%s','tensors':[", dtype);
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s{'name':'t%zu','shape':[%s]}", i > 0 ? "," : "", i,
                               cases[i].shape);
    at += (size_t)snprintf(text + at, sizeof text - at, "],'rules':[");
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s{'match':'t%zu','init':'%s'}", i > 0 ? "," : "", i,
                               cases[i].init);
    snprintf(text + at, sizeof text - at, "]}");
    fanin_model *model = test_model(text);
    fanin_plan_options options = {.size = sizeof options};
    fanin_plan *plan;
    fanin_error error;
    assert_ok(fanin_profile_parse(profile, &options.profile, &error), error);
    assert_ok(fanin_plan_create(model, NULL, &options, &plan, &error), error);
    assert_int_equal(fanin_plan_profile(plan), options.profile);
    assert_int_equal(fanin_plan_op_count(plan), n);
    fanin_model_free(model);
    return plan;
}

struct position {
    uint64_t at;
    uint64_t ndraws;
    uint64_t cached_at;
    size_t barriers;
    bool data_dependent;
};

#define NONE    FANIN_NO_POSITION
#define BARRIER FANIN_CACHED_AT_BARRIER

static void check_positions(const struct fill_case *cases, const struct position *expected, size_t n, const char *dtype,
                            const char *profile)
{
    fanin_plan *plan = plan_of(cases, n, dtype, profile);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        const struct position *e = &expected[i];
        if (op->at != e->at || op->ndraws != e->ndraws || op->cached_at != e->cached_at ||
            op->barriers != e->barriers || op->data_dependent != e->data_dependent)
            fail_msg("op %zu: at %llu, draws %llu, cached %lld, barriers %zu, dependent %d", i,
                     (unsigned long long)op->at, (unsigned long long)op->ndraws, (long long)op->cached_at, op->barriers,
                     op->data_dependent);
    }
    assert_int_equal(fanin_plan_ndraws(plan), expected[n - 1].at + expected[n - 1].ndraws);
    fanin_plan_free(plan);
}

static void test_draws(void **state)
{
    static const struct fill_case cases[] = {
        {"1000", "uniform"},        {"16", "normal"}, {"1000", "normal"},
        {"10,3", "xavier_uniform"}, {"5", "ones"},    {"4,5", "orthogonal"},
        {"5,4", "sparse(0.5)"},     {"0", "normal"},  {"2,17", "trunc_normal(std=0.02)"}};
    static const struct position f32[] = {
        {0, 1000, NONE, 0, false},       {1000, 16, NONE, 0, false}, {1016, 1016, NONE, 0, false},
        {2032, 30, NONE, 0, false},      {2062, 0, NONE, 0, false},  {2062, 36, NONE, 0, false},
        {2098, 36 + 16, NONE, 0, false}, {2150, 0, NONE, 0, false},  {2150, 50, NONE, 0, false}};
    static const struct position bf16[] = {{0, 1000, NONE, 0, false},
                                           {1000, 16, NONE, 0, false},
                                           {1016, 1008, NONE, 0, false},
                                           {2024, 30, NONE, 0, false}};
    (void)state;
    check_positions(cases, f32, 9, "f32", "torch");
    check_positions(cases, bf16, 4, "bf16", "torch");
    static const struct position older[] = {{0, 1000, NONE, 0, false},
                                            {1000, 16, NONE, 0, false},
                                            {1016, 1016, NONE, 0, false},
                                            {2032, 30, NONE, 0, false}};
    check_positions(cases, older, 4, "bf16", "torch-2.1");
    static const struct position f64[] = {{0, 2000, NONE, 0, false},
                                          {2000, 32, NONE, 0, false},
                                          {2032, 2032, NONE, 0, false},
                                          {4064, 60, NONE, 0, false}};
    check_positions(cases, f64, 4, "f64", "torch");
}

/* The scalar path keeps the second normal of its last pair for the next scalar fill, past all others. */
static void test_cached_normal(void **state)
{
    static const struct fill_case cases[] = {{"3", "normal"}, {"20", "normal"}, {"2", "uniform"}, {"5", "normal"},
                                             {"3", "normal"}, {"1", "normal"},  {"2", "normal"},  {"0", "normal"},
                                             {"1", "normal"}, {"1", "normal"},  {"1", "normal"}};
    static const struct position expected[] = {
        {0, 8, NONE, 0, false},  {8, 36, NONE, 0, false}, {44, 2, NONE, 0, false}, {46, 8, 4, 0, false},
        {54, 8, NONE, 0, false}, {62, 0, 58, 0, false},   {62, 4, NONE, 0, false}, {66, 0, NONE, 0, false},
        {66, 4, NONE, 0, false}, {70, 0, 66, 0, false},   {70, 4, NONE, 0, false}};
    (void)state;
    check_positions(cases, expected, 11, "f32", "torch");
}

/* Behind a trunc_normal that may take more rounds positions count it as one. */
static void test_barriers(void **state)
{
    static const struct fill_case blocks[] = {
        {"3", "normal"}, {"32", "trunc_normal"}, {"1", "uniform"}, {"32", "trunc_normal"},
        {"3", "normal"}, {"20", "normal"},       {"2", "normal"},  {"16", "trunc_normal(std=10)"},
        {"1", "normal"}};
    static const struct position blocks_expected[] = {
        {0, 8, NONE, 0, false},     {8, 32, 4, 0, true},        {40, 1, NONE, 1, false},
        {41, 32, BARRIER, 1, true}, {73, 4, BARRIER, 2, false}, {77, 36, NONE, 2, false},
        {113, 4, NONE, 2, false},   {117, 32, NONE, 2, true},   {149, 4, NONE, 3, false}};
    /* Rounds of an odd number of scalar normals leave the cache as the data will have it. */
    static const struct fill_case scalars[] = {{"4", "trunc_normal"}, {"2", "normal"},       {"5", "trunc_normal"},
                                               {"20", "normal"},      {"2", "normal"},       {"3", "normal"},
                                               {"1", "ones"},         {"32", "trunc_normal"}};
    static const struct position scalars_expected[] = {
        {0, 8, NONE, 0, true},     {8, 4, NONE, 1, false},    {12, 12, NONE, 1, true}, {24, 36, NONE, 2, false},
        {60, 4, BARRIER, 2, true}, {64, 8, BARRIER, 3, true}, {72, 0, NONE, 4, false}, {72, 32, BARRIER, 4, true}};
    (void)state;
    check_positions(blocks, blocks_expected, 9, "f32", "torch");
    check_positions(scalars, scalars_expected, 8, "f32", "torch");
    /* Before 2.12 it was an inverse distribution function: no rounds. */
    static const struct position older[] = {{0, 8, NONE, 0, false}, {8, 32, NONE, 0, false}, {40, 1, NONE, 0, false}};
    check_positions(blocks, older, 3, "f32", "torch-2.11");
}

/* ---- what is overwritten ---- */

static void check_dead(const char *model, const char *expected)
{
    fanin_plan *plan = test_plan(model, NULL);
    char found[200] = "";
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        strcat(found, fanin_plan_op_at(plan, i)->dead ? "x" : ".");
    assert_string_equal(found, expected);
    fanin_plan_free(plan);
}

static void test_dead(void **state)
{
    (void)state;
    /* out_proj.weight, its bias (drawn, then 0), in_proj_weight, in_proj_bias, out_proj.bias */
    check_dead(HEAD
               "'tensors':[{'name':'a','multihead_attention':[4,2]}],'rules':[{'match':'**','init':'torch_default'}]}",
               ".x...");
    /* A part leaves the whole alive; parts that come to the whole do not. */
    check_dead(HEAD
               "'construct':true,'tensors':[{'name':'l','linear':[2,4]}],'rules':[{'match':'l.weight','gates':'a,b',"
               "'only':'a','init':'ones'}]}",
               "...");
    check_dead(HEAD
               "'construct':true,'tensors':[{'name':'l','linear':[2,4]}],'rules':[{'match':'l.weight','gates':'a,b',"
               "'per_gate':true,'init':'ones'},{'match':'l.bias','row':2,'init':'ones'}]}",
               "x....");
    check_dead(HEAD "'tensors':[{'name':'w','shape':[4,2]}],'rules':[{'match':'w','row':0,'init':'ones'},"
                    "{'match':'w','row':1,'init':'ones'},{'match':'w','gates':'a,b','only':'a','init':'ones'},"
                    "{'match':'w','init':'zeros'}]}",
               ".x..");
    check_dead(HEAD "'tensors':[{'name':'w','shape':[0,2]}],'rules':[{'match':'w','init':'zeros'}]}", ".");
}

/* ---- constructors ---- */

static void test_default(void **state)
{
    /* Of a layer in which a rule fills something, only what lasts of the constructor is drawn. */
    fanin_plan *plan =
        test_plan(HEAD "'tensors':[{'name':'a','multihead_attention':[4,2]}],'rules':["
                       "{'match':'a.in_proj_weight','init':'zeros'},{'match':'**','init':'torch_default'}]}",
                  NULL);
    static const char *const names[] = {"a.in_proj_weight", "a.in_proj_bias", "a.out_proj.weight", "a.out_proj.bias"};
    (void)state;
    assert_int_equal(fanin_plan_op_count(plan), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(fanin_plan_tensor_at(plan, fanin_plan_op_at(plan, i)->tensor)->name, names[i]);
    assert_int_equal(fanin_plan_ndraws(plan), 16);
    fanin_plan_free(plan);
    /* A buffer that a rule fills does not make the layer another one. */
    plan = test_plan(HEAD "'tensors':[{'name':'n','batch_norm':4}],'rules':[{'match':'n.running_var','init':'zeros'},"
                          "{'match':'**','init':'torch_default'}]}",
                     NULL);
    assert_int_equal(fanin_plan_op_count(plan), 5);
    fanin_plan_free(plan);
}

static void test_copies(void **state)
{
    fanin_plan *plan = test_plan(HEAD "'tensors':[{'name':'t','transformer_encoder':[4,2,3]}],'rules':["
                                      "{'match':'**','init':'torch_default'}]}",
                                 NULL);
    size_t first = fanin_plan_tensor_find(plan, "t.layers.0.linear1.weight");
    size_t last = fanin_plan_tensor_find(plan, "t.layers.2.linear1.weight");
    const fanin_plan_op *ops[2] = {NULL, NULL};
    uint64_t end = 0;
    (void)state;
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        if (op->tensor == first || op->tensor == last)
            ops[op->tensor == last] = op;
        end = op->at + op->ndraws > end ? op->at + op->ndraws : end;
    }
    assert_int_equal(ops[0]->at, ops[1]->at);
    assert_int_equal(ops[0]->ndraws, ops[1]->ndraws);
    assert_int_equal(fanin_plan_ndraws(plan), end);
    fanin_plan_free(plan);

    /* Where a rule fills the source, the first copy draws and the others follow it. */
    plan =
        test_plan(HEAD "'tensors':[{'name':'t','transformer_encoder':[4,2,3]}],'rules':["
                       "{'match':'t.layers.0.**','init':'zeros'},{'match':'**.linear1.weight','init':'torch_default'},"
                       "{'match':'**','init':'zeros'}]}",
                  NULL);
    assert_int_equal(fanin_plan_ndraws(plan), 4 * 2048);
    fanin_plan_free(plan);
}

/* A stack of no layers still draws the layer it would have copied. */
static void test_thrown_away(void **state)
{
    static const char *const models[] = {
        HEAD "'construct':true,'tensors':[{'name':'t','transformer':{'d_model':4,'nhead':1,'num_encoder_layers':0,"
             "'num_decoder_layers':1,'dim_feedforward':5}},{'name':'l','linear':[2,2]}]}",
        HEAD "'tensors':[{'name':'t','transformer_encoder':{'d_model':4,'nhead':1,'num_layers':0,'dim_feedforward':5}},"
             "{'name':'l','linear':[2,2]}],'rules':[{'match':'**','init':'torch_default'}]}",
        HEAD "'tensors':[{'name':'l','linear':[2,2]},{'name':'t','transformer_encoder':{'d_model':4,'nhead':1,"
             "'num_layers':0,'dim_feedforward':5}}],'rules':[{'match':'**','init':'torch_default'}]}",
    };
    /* out_proj and its bias, in_proj_weight, two linear layers; a decoder layer has another attention. */
    const uint64_t encoder = 16 + 4 + 48 + 20 + 5 + 20 + 4, decoder = encoder + 16 + 4 + 48, linear = 6;
    const uint64_t matrices = 48 + 16 + 48 + 16 + 20 + 20; /* of the decoder, drawn again by the transformer */
    const uint64_t expected[] = {encoder + decoder + matrices + linear, encoder + linear, encoder + linear};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        fanin_plan *plan = test_plan(models[i], NULL);
        size_t nothing = 0;
        assert_int_equal(fanin_plan_ndraws(plan), expected[i]);
        for (size_t k = 0; k < fanin_plan_op_count(plan); k++) {
            const fanin_plan_op *op = fanin_plan_op_at(plan, k);
            nothing += op->tensor == SIZE_MAX;
            assert_true(op->tensor != SIZE_MAX || (op->dead && op->ndraws > 0));
        }
        assert_int_equal(nothing, 7);
        fanin_plan_free(plan);
    }
}

static void test_construct(void **state)
{
    static const char model[] = HEAD "'construct':true,'tensors':[{'name':'a','linear':[3,5]},{'name':'b','linear':"
                                     "[5,2]},{'name':'c','shape':[7]}],'rules':[{'match':'a.weight','init':'normal'},"
                                     "{'match':'b.*','init':'torch_default'},{'match':'c','init':'uniform'}]}";
    static const struct {
        const char *name;
        uint64_t at;
        bool dead;
    } expected[] = {{"a.weight", 0, true}, {"a.bias", 15, false},   {"b.weight", 20, false},
                    {"b.bias", 30, false}, {"a.weight", 32, false}, {"c", 64, false}};
    fanin_plan *plan = test_plan(model, NULL);
    (void)state;
    assert_int_equal(fanin_plan_op_count(plan), 6);
    for (size_t i = 0; i < 6; i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        assert_string_equal(fanin_plan_tensor_at(plan, op->tensor)->name, expected[i].name);
        assert_int_equal(op->at, expected[i].at);
        assert_int_equal(op->dead, expected[i].dead);
    }
    assert_string_equal(fanin_plan_op_at(plan, 1)->where, "m.json:1:64");
    fanin_plan_free(plan);
    test_plan_fails(HEAD "'construct':true,'tensors':[{'name':'c','shape':[7]}],'rules':[{'match':'x','init':'ones'}]}",
                    FANIN_ERROR_FORMAT, "no rule matches tensor \"c\"");
}

/* ---- options ---- */

static void test_options(void **state)
{
    fanin_model *model =
        test_model(HEAD "'tensors':[{'name':'n','batch_norm':4},{'name':'h','shape':[3],'dtype':'f16'},"
                        "{'name':'i','shape':[3],'dtype':'u8'},{'name':'t','tie':'h'}],"
                        "'rules':[{'match':'**','init':'ones'}]}");
    fanin_plan_options options = {.size = sizeof options, .dtype = FANIN_BF16};
    fanin_plan *plan;
    fanin_error error;
    (void)state;
    assert_ok(fanin_plan_create(model, NULL, &options, &plan, &error), error);
    static const fanin_dtype dtypes[] = {FANIN_BF16, FANIN_BF16, FANIN_BF16, FANIN_BF16,
                                         FANIN_I64,  FANIN_BF16, FANIN_U8,   FANIN_BF16};
    assert_int_equal(fanin_plan_tensor_count(plan), 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(fanin_plan_tensor_at(plan, i)->dtype, dtypes[i]);
    assert_string_equal(fanin_plan_tensor_at(plan, 7)->tied_to, "h");
    assert_int_equal(fanin_plan_tensor_at(plan, 7)->nbytes, 6);
    assert_int_equal(fanin_plan_tensor_find(plan, "t"), 7);
    assert_int_equal(fanin_plan_tensor_find(plan, "x"), SIZE_MAX);
    assert_null(fanin_plan_tensor_at(plan, 8));
    assert_null(fanin_plan_op_at(plan, 7));
    fanin_plan_free(plan);
    fanin_plan_free(NULL);
    options.dtype = FANIN_I64;
    assert_fails(fanin_plan_create(model, NULL, &options, &plan, &error), FANIN_ERROR_DTYPE, error, "i64");
    options = (fanin_plan_options){.size = sizeof options, .profile = 77};
    assert_fails(fanin_plan_create(model, NULL, &options, &plan, &error), FANIN_ERROR_ARGUMENT, error, "profile 77");
    options = (fanin_plan_options){0};
    assert_fails(fanin_plan_create(model, NULL, &options, &plan, &error), FANIN_ERROR_ARGUMENT, error, "sizeof");
    assert_int_equal(fanin_plan_create(model, NULL, &options, &plan, NULL), FANIN_ERROR_ARGUMENT);
    fanin_model_free(model);
}

/* More draws than a 64-bit position can count are refused, not wrapped. */
static void test_overflow(void **state)
{
    (void)state;
    test_plan_fails(HEAD
                    "'tensors':[{'repeat':{'i':[0,64]},'tensors':[{'name':'t{i}','shape':['pow(2,29)','pow(2,29)']}]}],"
                    "'rules':[{'match':'**','init':'uniform'}]}",
                    FANIN_ERROR_SHAPE, "longer than 2^64");
}

/* ---- against the ops one after the other ---- */

static char *element_of(char *const *data, const fanin_plan *plan, const fanin_plan_op *op)
{
    return data[op->tensor] + (size_t)op->offset * fanin_dtype_nbits(fanin_plan_tensor_at(plan, op->tensor)->dtype) / 8;
}

static void check_run(const char *text, uint64_t seed)
{
    fanin_plan *plan = test_plan(text, NULL);
    size_t n = fanin_plan_tensor_count(plan);
    char **expected = calloc(n, sizeof *expected), **found = calloc(n, sizeof *found);
    fanin_generator generator = fanin_generator_torch(seed), skipped = generator;
    uint64_t position = 0;
    bool has_barriers = false;
    fanin_error error;
    assert_non_null(expected);
    assert_non_null(found);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to == NULL) {
            expected[i] = calloc(1, tensor->nbytes + 1);
            found[i] = calloc(1, tensor->nbytes + 1);
        }
    }
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        fanin_generator before = generator;
        if (op->ndraws > 0 && op->at < position) { /* a copy */
            before = fanin_generator_torch(seed);
            fanin_generator_skip(&before, op->at);
            assert_false(has_barriers);
            assert_int_equal(op->cached_at, FANIN_NO_POSITION);
        }
        fanin_tensor view = op->view;
        view.data = element_of(expected, plan, op);
        assert_ok(fanin_fill_run(&op->fill, &view, &before, &error), error);
        if (op->ndraws == 0 || op->at >= position) {
            position = op->at + op->ndraws;
            generator = before;
        }
        has_barriers = has_barriers || op->data_dependent;
    }
    const fanin_run_options options = {.size = sizeof options, .seed = seed};
    assert_ok(fanin_run_memory(plan, &options, (void *const *)found, &error), error);
    for (size_t i = 0; i < n; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to == NULL && memcmp(expected[i], found[i], tensor->nbytes) != 0)
            fail_msg("%s differs with seed %llu in %s", tensor->name, (unsigned long long)seed, text);
    }
    /* The last tensor alone, which nothing before it prepares. */
    for (size_t i = n; i-- > 0;) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        if (tensor->tied_to != NULL)
            continue;
        memset(found[i], 0, tensor->nbytes);
        assert_ok(fanin_run_tensor(plan, &options, i, found[i], &error), error);
        assert_memory_equal(expected[i], found[i], tensor->nbytes);
    }
    if (!has_barriers) {
        fanin_generator_skip(&skipped, fanin_plan_ndraws(plan));
        assert_int_equal(fanin_generator_u32(&skipped), fanin_generator_u32(&generator));
    }
    for (size_t i = 0; i < n; i++) {
        free(expected[i]);
        free(found[i]);
    }
    free(expected);
    free(found);
    fanin_plan_free(plan);
}

static void test_run(void **state)
{
    static const char *const models[] = {
        HEAD "'tensors':[{'name':'a','multihead_attention':[6,2]},{'name':'e','embedding':{'num_embeddings':5,"
             "'embedding_dim':3,'padding_idx':1}},{'name':'t','transformer':{'d_model':4,'nhead':2,"
             "'num_encoder_layers':2,'num_decoder_layers':1,'dim_feedforward':8}},{'name':'c','conv2d':[3,4,5]}],"
             "'rules':[{'match':'**','init':'torch_default'}]}",
        HEAD "'construct':true,'tensors':[{'name':'l','lstm':{'input_size':5,'hidden_size':3,'num_layers':2}},"
             "{'name':'f','linear':[3,20]}],'rules':[{'role':'weight_hh','init':'orthogonal','per_gate':true},"
             "{'role':'weight_ih','init':'xavier_uniform'},{'role':'bias_ih','only':'f','init':'ones'},"
             "{'match':'f.weight','init':'kaiming_normal','nonlinearity':'relu'}]}",
        HEAD "'tensors':[{'repeat':{'i':[1,20]},'tensors':[{'name':'n{i}','shape':['i']}]}],"
             "'rules':[{'match':'**','init':'normal'}]}",
        HEAD
        "'dtype':'bf16','tensors':[{'repeat':{'i':[1,20]},'tensors':[{'name':'n{i}','shape':['i','20-i']}]},"
        "{'name':'x','tie':'n3'}],'rules':[{'match':'n#','init':'trunc_normal','cut':2},{'match':'x','init':'ones'}]}",
        HEAD "'dtype':'f64','tensors':[{'name':'a','shape':[3]},{'name':'b','shape':[32]},{'name':'c','shape':[5]},"
             "{'name':'d','shape':[2]},{'name':'e','shape':[7]},{'name':'f','shape':[5]},{'name':'g','shape':[4]},"
             "{'name':'h','shape':[1]},{'name':'i','shape':[33]},{'name':'j','shape':[1]}],'rules':["
             "{'match':'{b,c,f,i}','init':'trunc_normal'},{'match':'**','init':'normal'}]}",
        /* A single number that is a kept normal draws nothing. */
        HEAD
        "'tensors':[{'name':'a','shape':[3]},{'name':'b','shape':[1]},{'name':'c','shape':[]},{'name':'d',"
        "'shape':[1]},{'name':'e','shape':[2]},{'name':'f','shape':[1]}],'rules':[{'match':'**','init':'normal'}]}",
        /* A trunc_normal of one number that begins with a kept normal: it may draw nothing, or more. */
        HEAD "'tensors':[{'name':'a','shape':[3]},{'name':'b','shape':[12]},{'name':'c','shape':[12]},{'name':'d',"
             "'shape':[1]},{'name':'e','shape':[40]}],'rules':[{'match':'{a,c}','init':'trunc_normal','std':0.02},"
             "{'match':'{b,d}','init':'trunc_normal'},{'match':'**','init':'uniform'}]}",
        HEAD "'tensors':[{'name':'s','shape':[5,3]},{'name':'o','shape':[3,5]},{'name':'z','shape':[0,5]},"
             "{'name':'p','shape':[3]},{'name':'k','shape':[],'dtype':'i64'}],'rules':[{'match':'s','init':"
             "'sparse(0.4, std=1)'},{'match':'o','init':'orthogonal'},{'match':'k','init':'constant','val':3},"
             "{'match':'**','init':'normal'}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        for (uint64_t seed = 0; seed < 40; seed++)
            check_run(models[i], seed);
}

/* The constructor of a layer alone is the layer's own function. */
static void test_layer(void **state)
{
    fanin_plan *plan = test_plan(HEAD "'tensors':[{'name':'','lstm':[5,4]}],'rules':[{'match':'**','init':"
                                      "'torch_default'}]}",
                                 NULL);
    float expected[4][16 * 5], found[4][16 * 5];
    fanin_layer layer = fanin_layer_default(FANIN_LAYER_LSTM);
    fanin_generator generator = fanin_generator_torch(7);
    const fanin_run_options options = {.size = sizeof options, .seed = 7};
    fanin_tensor views[4];
    void *data[4];
    fanin_error error;
    (void)state;
    layer.input_size = 5;
    layer.hidden_size = 4;
    for (size_t i = 0; i < 4; i++) {
        const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, i);
        views[i] = fanin_tensor_nd(expected[i], tensor->dtype, tensor->ndim, tensor->shape);
        data[i] = found[i];
    }
    assert_ok(fanin_layer_init(&layer, views, 4, &generator, &error), error);
    assert_ok(fanin_run_memory(plan, &options, data, &error), error);
    for (size_t i = 0; i < 4; i++)
        assert_memory_equal(expected[i], found[i], fanin_plan_tensor_at(plan, i)->nbytes);
    fanin_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws),       cmocka_unit_test(test_cached_normal), cmocka_unit_test(test_barriers),
        cmocka_unit_test(test_dead),        cmocka_unit_test(test_default),       cmocka_unit_test(test_copies),
        cmocka_unit_test(test_thrown_away), cmocka_unit_test(test_construct),     cmocka_unit_test(test_options),
        cmocka_unit_test(test_overflow),    cmocka_unit_test(test_run),           cmocka_unit_test(test_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
