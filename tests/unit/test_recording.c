/* SPDX-License-Identifier: MIT */
/*
 * Recorded plans: read and written again, refused where they are wrong, and run in every way to what their ops come to
 * one after the other.
 */
#include "description.h"

#include "fanin/run.h"

#define HEAD                                                                                                           \
    "{'format':'fanin-plan','version':[1,1],'profile':'torch-2.13',"                                                   \
    "'streams':[{'id':0,'kind':'mt19937','seed':'user'},{'id':1,'kind':'mt19937','seed':'1234'}],"                     \
    "'source':{'class':'net.Net','torch':'2.15.0','transformers':null},"

/* Everything at once: views, ties, literals, copies of what was, casts, a private stream, a barrier, a kept normal. */
static const char everything[] =
    HEAD "'storages':[{'id':0,'dtype':'f32','n':40},{'id':1,'dtype':'f32','n':12},{'id':2,'dtype':'i64','n':6},"
         "{'id':3,'dtype':'f32','n':5},{'id':4,'dtype':'f32','n':416},{'id':5,'dtype':'f32','n':3},"
         "{'id':6,'dtype':'f32','n':12},{'id':7,'dtype':'bf16','n':40},{'id':8,'dtype':'f64','n':7}],"
         "'tensors':[{'name':'emb','s':0,'shape':[10,4]},{'name':'w','s':1,'shape':[4,3]},"
         "{'name':'w.t','s':1,'shape':[3,4],'strides':[1,3],'kind':'buffer'},"
         "{'name':'table','s':2,'off':2,'shape':[2,2],'kind':'buffer','persistent':false},"
         "{'name':'noise','s':3,'shape':[5]},{'name':'cut','s':4,'shape':[20,20]},{'name':'behind','s':4,'off':400,"
         "'shape':[16]},{'name':'bad','s':5,'shape':[3],'refused':'net.py:12: depends on a random value'},"
         "{'name':'copy','s':6,'shape':[4,3]},{'name':'half','s':7,'shape':[40]},{'name':'few','s':8,'shape':[7]},"
         "{'name':'out','alias_of':'emb'}],"
         "'literals':[{'id':0,'nbytes':32,'sha256':'a8189496047176135565b27d6670fe3a098fd0fff0bbeacfa0adde67a02364d9',"
         "'data':'//////////8AAAAAAAAAAAAAAAAAAQAABwAAAAAAAAA='}],"
         "'ops':[{'op':'uniform','s':1,'n':12,'at':100,'words':12,'from':-1,'to':1},"
         "{'op':'copy','s':6,'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}},"
         "{'op':'fill','s':1,'off':1,'sizes':[4],'strides':[3],'n':4,'value':0},"
         "{'op':'copy','s':6,'off':6,'sizes':[2,3],'n':6,'src':{'s':1,'off':0,'sizes':[2,3],'strides':[1,3]}},"
         "{'op':'normal','s':0,'n':40,'at':512,'words':56,'mean':0,'std':0.02},"
         "{'op':'fill','s':0,'off':4,'sizes':[4],'n':4,'value':0},"
         "{'op':'literal','s':2,'off':2,'sizes':[4],'n':4,'literal':0},"
         "{'op':'normal','s':3,'n':5,'at':600,'words':8,'cached':592,'stream':1,'mean':0,'std':1},"
         "{'op':'trunc_normal','s':4,'off':0,'sizes':[20,20],'n':400,'at':700,'words':400,'data_dependent':true,"
         "'mean':0,'std':1,'a':-2,'b':2},"
         "{'op':'normal','s':4,'off':400,'sizes':[16],'n':16,'at':1100,'words':16,'barriers':1,'mean':0,'std':1},"
         "{'op':'normal','s':8,'n':7,'at':1200,'words':16,'barriers':1,'mean':1,'std':2,'explain':{'where':'n.py:3'}},"
         "{'op':'cast','s':7,'n':40,'src':{'s':0,'off':0,'sizes':[40]}}],"
         "'words':2211,'check':{'seed':'0','sha256':{"
         "'emb':'0000000000000000000000000000000000000000000000000000000000000000'}}}";

static fanin_plan *parse(const char *text)
{
    char *json = test_json(text);
    fanin_plan *plan;
    fanin_error error;
    assert_ok(fanin_plan_parse(json, strlen(json), "p.json", &plan, &error), error);
    free(json);
    return plan;
}

static char *to_json(const fanin_plan *plan)
{
    char *json;
    fanin_error error;
    assert_ok(fanin_plan_to_json(plan, &json, &error), error);
    return json;
}

static void assert_written_again(const char *text)
{
    char *json = test_json(text);
    fanin_plan *plan = parse(text);
    char *again = to_json(plan);
    assert_string_equal(again, json);
    fanin_release(again);
    fanin_plan_free(plan);
    free(json);
}

static void test_round_trip(void **state)
{
    (void)state;
    assert_written_again(everything);
    assert_written_again("{'format':'fanin-plan','version':[1,1],'profile':'torch-2.13','streams':[{'id':0,'kind':"
                         "'mt19937','seed':'user'}],'storages':[],'tensors':[],'ops':[],'words':0}");
}

static void test_what_it_says(void **state)
{
    fanin_plan *plan = parse(everything);
    uint8_t sha256[32];
    uint64_t seed = 1;
    (void)state;
    assert_true(fanin_plan_is_recorded(plan));
    assert_int_equal(fanin_plan_stream_count(plan), 2);
    assert_int_equal(fanin_plan_stream_seed(plan, 1), 1234);
    assert_int_equal(fanin_plan_note_count(plan), 3);
    assert_string_equal(fanin_plan_note_key(plan, 1), "torch");
    assert_string_equal(fanin_plan_note_value(plan, 1), "2.15.0");
    assert_null(fanin_plan_note_value(plan, 2));
    assert_int_equal(fanin_plan_literal_count(plan), 1);
    assert_int_equal(fanin_plan_literal_at(plan, 0)->nbytes, 32);
    assert_true(fanin_plan_check_seed(plan, &seed));
    assert_int_equal(seed, 0);
    assert_true(fanin_plan_check_sha256(plan, 0, sha256));
    assert_false(fanin_plan_check_sha256(plan, 1, sha256));
    const fanin_plan_tensor *t = fanin_plan_tensor_at(plan, fanin_plan_tensor_find(plan, "w.t"));
    assert_int_equal(t->storage, 1);
    assert_int_equal(t->strides[1], 3);
    assert_true(t->is_buffer && t->is_persistent && fanin_plan_tensor_is_stored(t));
    t = fanin_plan_tensor_at(plan, fanin_plan_tensor_find(plan, "table"));
    assert_true(t->is_buffer && !t->is_persistent && t->offset == 2 && !fanin_plan_tensor_is_stored(t));
    t = fanin_plan_tensor_at(plan, fanin_plan_tensor_find(plan, "bad"));
    assert_non_null(strstr(t->refused, "net.py:12"));
    const fanin_plan_op *op = fanin_plan_op_at(plan, 9);
    assert_int_equal(op->barriers, 1);
    assert_int_equal(op->at, 1100);
    assert_int_equal(fanin_plan_op_at(plan, 7)->stream, 1);
    assert_int_equal(fanin_plan_op_at(plan, 7)->cached_at, 592);
    assert_true(fanin_plan_op_at(plan, 8)->data_dependent);
    assert_int_equal(fanin_plan_op_at(plan, 3)->source->view.strides[0], 1);
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) /* the uniform is read by what copies it */
        assert_false(fanin_plan_op_at(plan, i)->dead);
    fanin_plan_free(plan);
}

/* ---- what is refused ---- */

struct edit {
    const char *from;
    const char *to;
    const char *message;
};

static void test_refused(void **state)
{
    static const struct edit edits[] = {
        {"'id':1,'kind':'mt19937'", "'id':2,'kind':'mt19937'", "\"id\" must be 1"},
        {"'seed':'1234'", "'seed':'user'", "a number from 0 to 2^64 - 1"},
        {"'seed':'1234'", "'seed':1234", "must be a string"},
        {"'seed':'1234'", "'seed':'18446744073709551616'", "a number from 0 to 2^64 - 1"},
        {"'torch':'2.15.0'", "'torch':2", "torch must be a string"},
        {"'s':1,'shape':[3,4],'strides':[1,3]", "'s':1,'shape':[3,4],'strides':[1]", "as many \"strides\""},
        {"'s':1,'shape':[3,4],'strides':[1,3]", "'s':1,'shape':[3,4],'strides':[1,4]",
         "reaches beyond its storage of 12"},
        {"'s':1,'shape':[3,4],'strides':[1,3]", "'s':1,'shape':[3,4],'strides':[1,9223372036854775807]", "beyond"},
        {"'s':2,'off':2", "'s':2,'off':3", "reaches beyond its storage of 6"},
        {"'s':2,'off':2", "'s':2,'off':9223372036854775807", "beyond"},
        {"'s':2,'off':2", "'s':2,'off':1", "would hold element 1 of storage 2"},
        {"'s':2,'off':2", "'s':9,'off':2", "there is no storage 9"},
        {"'persistent':false", "'persistent':0", "must be true or false"},
        {"'kind':'buffer','persistent':false", "'persistent':false", "only a buffer"},
        {"'kind':'buffer','persistent':false", "'kind':'state'", "must be \"param\" or \"buffer\""},
        {",'refused':'net.py:12: depends on a random value'", "", "tensor \"bad\" would hold element 0 of storage 5"},
        {"'nbytes':32", "'nbytes':31", "base64 of 31 bytes"},
        {"'nbytes':32", "'nbytes':33", "base64 of 33 bytes"},
        {"'nbytes':32", "'nbytes':9223372036854775807", "too short"},
        {"AABwAAA", "AABwAA*", "base64"},
        {"AAAAAAAAA='}", "AAAAAAAAB='}", "base64"},
        {"'data':'//////", "'data':'+/////", "\"sha256\" is not that of \"data\""},
        {"a8189496", "A8189496", "64 hexadecimal digits"},
        {"'s':2,'off':2,'sizes':[4],'n':4,'literal':0", "'s':2,'off':2,'sizes':[3],'n':3,'literal':0",
         "has 32 bytes; 24 are to be written"},
        {"'literal':0}", "'literal':1}", "there is no literal 1"},
        {"'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}", "'n':12,'src':{'s':1,'off':0,'sizes':[4,4]}", "beyond"},
        {"'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}", "'n':12,'src':{'s':1,'off':0,'sizes':[4,2]}",
         "\"src\" has 8 elements, and what is written has 12"},
        {"'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}", "'n':12,'src':{'s':4,'off':0,'sizes':[4,3]}",
         "op 1 (from 0) reads element 0 of storage 4"},
        {"'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}", "'n':12,'src':{'s':7,'off':0,'sizes':[4,3]}",
         "a copy from bf16 to f32 is a \"cast\""},
        {"'n':12,'src':{'s':1,'off':0,'sizes':[4,3]}", "'n':12", "\"src\" is missing"},
        {"'n':12,'src':{'s':1,", "'n':12,'src':{'s':1,'version':1,", "no key \"version\""},
        {"'sizes':[4],'strides':[3],'n':4,'value':0", "'sizes':[4],'strides':[0],'n':4,'value':0", "an element twice"},
        {"'at':600,'words':8", "'at':600,'words':12", "\"words\" must be 8"},
        {"'cached':592", "'cached':597", "\"cached\" must be the position of four draws"},
        {"'cached':592", "'cached':'barrier'", "\"cached\" must be the position of four draws"},
        {"'at':512,'words':56", "'at':512,'words':56,'cached':4", "\"cached\" belongs to the scalar path"},
        {"'stream':1", "'stream':2", "there is no stream 2"},
        {",'data_dependent':true", "", "\"data_dependent\": true belongs"},
        {"'at':512,'words':56", "'at':512,'words':56,'data_dependent':true", "\"data_dependent\": true belongs"},
        {"'words':16,'barriers':1", "'words':16", "\"barriers\" is missing"},
        {"'words':16,'barriers':1", "'words':16,'barriers':2", "\"barriers\" must be 1"},
        {"'at':512,'words':56", "'at':512,'words':56,'barriers':1", "\"barriers\" must be 0"},
        {"'at':1100", "'at':1099", "\"at\" must be 1100 or more"},
        {"'at':512", "'at':18446744073709551600", "longer than 2^64"},
        {"'words':2211", "'words':18446744073709551615", "longer than 2^64"},
        {"'at':512,'words':56,'mean':0", "'at':512,'words':56,'mean':0,'extra':1", "no key \"extra\""},
        {"'std':0.02", "'std':-1", "p.json:1:"},
        {"'sha256':{'emb'", "'sha256':{'nobody'", "names a tensor that the plan has not"},
        {"'check':{'seed':'0'", "'check':{'seed':0", "must be a string"},
        {"{'op':'cast'", "{'op':'unheard','data_dependent':true", "without its draws no later position"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(everything, edits[i].from);
        if (at == NULL)
            fail_msg("there is no %s in the plan", edits[i].from);
        char *text = malloc(sizeof everything + strlen(edits[i].to));
        assert_non_null(text);
        sprintf(text, "%.*s%s%s", (int)(at - everything), everything, edits[i].to, at + strlen(edits[i].from));
        char *json = test_json(text);
        fanin_plan *plan;
        fanin_error error;
        fanin_status status = fanin_plan_parse(json, strlen(json), "p.json", &plan, &error);
        if (status != FANIN_ERROR_FORMAT || strstr(error.message, edits[i].message) == NULL)
            fail_msg("%s -> %s: %s: %s\nlacks %s", edits[i].from, edits[i].to, fanin_status_name(status), error.message,
                     edits[i].message);
        free(json);
        free(text);
    }
}

/* An op of a later version refuses what depends on it, and nothing else. */
static void test_unknown_op(void **state)
{
    static const char text[] =
        HEAD "'storages':[{'id':0,'dtype':'f32','n':4},{'id':1,'dtype':'f32','n':4},{'id':2,'dtype':'f32','n':4}],"
             "'tensors':[{'name':'a','s':0,'shape':[4]},{'name':'b','s':1,'shape':[4]},{'name':'c','s':2,'shape':[4]},"
             "{'name':'a.again','alias_of':'a'}],"
             "'ops':[{'op':'fill','s':0,'n':4,'value':1},{'op':'fill','s':2,'n':4,'value':1},"
             "{'op':'dance','s':0,'with':[1,-2,2.5,'-0',true,null,{'x':[]}]},"
             "{'op':'copy','s':1,'n':4,'src':{'s':0,'off':0,'sizes':[4]}}],'words':0}";
    fanin_plan *plan = parse(text);
    fanin_error error;
    float data[4];
    const fanin_run_options options = {.size = sizeof options};
    fanin_digest digest;
    (void)state;
    assert_written_again(text);
    assert_non_null(strstr(fanin_plan_tensor_at(plan, 0)->refused, "no op \"dance\""));
    assert_non_null(strstr(fanin_plan_tensor_at(plan, 1)->refused, "no op \"dance\""));
    assert_non_null(strstr(fanin_plan_tensor_at(plan, 3)->refused, "no op \"dance\""));
    assert_null(fanin_plan_tensor_at(plan, 2)->refused);
    assert_ok(fanin_run_tensor(plan, &options, 2, data, &error), error);
    assert_true(data[3] == 1);
    assert_fails(fanin_run_tensor(plan, &options, 1, data, &error), FANIN_ERROR_UNSUPPORTED, error, "no op \"dance\"");
    assert_fails(fanin_run_digest(plan, &options, &digest, &error), FANIN_ERROR_UNSUPPORTED, error,
                 "tensor a cannot be made: this fanin knows no op \"dance\", which it depends on, nor can 1 other;");
    fanin_plan *part;
    assert_ok(fanin_plan_part(plan, (bool[]){false, false, true, false}, &part, &error), error);
    assert_int_equal(fanin_plan_tensor_count(part), 1);
    assert_ok(fanin_run_digest(part, &options, &digest, &error), error);
    fanin_plan_free(part);
    fanin_plan_free(plan);
}

/* ---- what is made ---- */

static size_t storage_nbytes(const fanin_plan *plan, size_t s)
{
    return (size_t)fanin_plan_storage_nelem(plan, s) * fanin_dtype_nbits(fanin_plan_storage_dtype(plan, s)) / 8;
}

static size_t element_at(const fanin_tensor *view, int64_t offset, int64_t i)
{
    int64_t at = offset;
    for (int32_t d = view->ndim; d-- > 0;) {
        at += i % view->shape[d] * view->strides[d];
        i /= view->shape[d];
    }
    return (size_t)at;
}

static uint16_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Every op in order on whole storages; barriers by hand. Returns the storages. */
static uint8_t **run_plainly(const fanin_plan *plan, uint64_t seed)
{
    size_t n = fanin_plan_storage_count(plan);
    uint8_t **memory = calloc(n + 1, sizeof *memory);
    fanin_generator behind = fanin_generator_create(fanin_plan_profile(plan), seed);
    uint64_t end = 0;
    fanin_error error;
    assert_non_null(memory);
    for (size_t s = 0; s < n; s++)
        assert_non_null(memory[s] = calloc(storage_nbytes(plan, s) + 1, 1));
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++) {
        const fanin_plan_op *op = fanin_plan_op_at(plan, i);
        fanin_tensor view = op->view;
        size_t item = fanin_dtype_nbits(view.dtype) / 8;
        view.data = memory[op->storage] + (size_t)op->offset * item;
        if (op->kind == FANIN_OP_FILL) {
            fanin_generator g = behind;
            if (op->stream > 0)
                g = fanin_generator_create(fanin_plan_profile(plan), fanin_plan_stream_seed(plan, op->stream));
            uint64_t from = op->stream > 0 ? 0 : end;
            if (op->cached_at != FANIN_NO_POSITION) {
                double first;
                fanin_tensor one = fanin_tensor_1d(&first, FANIN_F64, 1);
                fanin_generator_skip(&g, op->cached_at - from);
                assert_ok(fanin_normal(&one, 0, 1, &g, &error), error);
                from = op->cached_at + 4;
            }
            if (op->ndraws > 0)
                fanin_generator_skip(&g, op->at - from);
            assert_ok(fanin_fill_run(&op->fill, &view, &g, &error), error);
            if (op->data_dependent) {
                behind = g;
                end = op->at + op->ndraws;
            }
            continue;
        }
        for (int64_t e = 0; e < fanin_tensor_nelem(&view); e++) {
            uint8_t *to = memory[op->storage] + element_at(&view, op->offset, e) * item;
            if (op->kind == FANIN_OP_LITERAL) {
                memcpy(to, (const uint8_t *)fanin_plan_literal_at(plan, op->literal)->data + (size_t)e * item, item);
                continue;
            }
            const fanin_plan_source *source = op->source;
            size_t read = fanin_dtype_nbits(source->view.dtype) / 8;
            const uint8_t *from = memory[source->storage] + element_at(&source->view, source->offset, e) * read;
            float value;
            memcpy(&value, from, read < 4 ? read : 4);
            uint16_t half = bf16_of(value);
            memcpy(to, op->kind == FANIN_OP_CAST ? (const uint8_t *)&half : from, item);
        }
    }
    return memory;
}

static void test_run(void **state)
{
    fanin_plan *plan = parse(everything);
    size_t n = fanin_plan_tensor_count(plan);
    fanin_error error;
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        uint8_t **memory = run_plainly(plan, seed);
        const fanin_run_options options = {.size = sizeof options, .seed = seed};
        void *all[16] = {NULL};
        for (size_t t = 0; t < n; t++) {
            const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
            if (tensor->refused != NULL)
                continue;
            size_t item = fanin_dtype_nbits(tensor->dtype) / 8;
            uint8_t *expected = malloc(tensor->nbytes), *alone = malloc(tensor->nbytes);
            fanin_tensor view = fanin_tensor_nd(NULL, tensor->dtype, tensor->ndim, tensor->shape);
            memcpy(view.strides, tensor->strides, sizeof view.strides);
            for (int64_t e = 0; e < (int64_t)tensor->nelem; e++)
                memcpy(expected + (size_t)e * item,
                       memory[tensor->storage] + element_at(&view, tensor->offset, e) * item, item);
            assert_ok(fanin_run_tensor(plan, &options, t, alone, &error), error);
            if (memcmp(alone, expected, tensor->nbytes) != 0)
                fail_msg("tensor %s alone, seed %d", tensor->name, (int)seed);
            free(alone);
            all[t] = expected;
        }
        void *made[16] = {NULL};
        for (size_t t = 0; t < n; t++)
            if (all[t] != NULL)
                made[t] = calloc(fanin_plan_tensor_at(plan, t)->nbytes, 1);
        assert_ok(fanin_run_memory(plan, &options, made, &error), error);
        for (size_t t = 0; t < n; t++) {
            const fanin_plan_tensor *tensor = fanin_plan_tensor_at(plan, t);
            if (all[t] != NULL && tensor->tied_to == NULL)
                assert_memory_equal(made[t], all[t], tensor->nbytes);
            free(made[t]);
            free(all[t]);
        }
        for (size_t s = 0; s < fanin_plan_storage_count(plan); s++)
            free(memory[s]);
        free(memory);
    }
    fanin_plan_free(plan);
}

static void run_backwards(void *user, size_t ntasks, void (*task)(void *context, size_t i), void *context)
{
    (void)user;
    while (ntasks-- > 0)
        task(context, ntasks);
}

/*
 * Tensors that draw nothing themselves, but are made of what is drawn behind a barrier, as a task each: storage 1 by a
 * copy, and storage 3 as the second of a sum.
 */
static void test_copies_behind_a_barrier(void **state)
{
    static const char text[] =
        HEAD "'storages':[{'id':0,'dtype':'f32','n':400},{'id':1,'dtype':'f32','n':2097152},"
             "{'id':2,'dtype':'f32','n':2097152},{'id':3,'dtype':'f32','n':2097152},{'id':4,'dtype':'f32','n':2097152},"
             "{'id':5,'dtype':'f32','n':2097152}],"
             "'tensors':[{'name':'cut','s':0,'shape':[400]},{'name':'a','s':2,'shape':[2097152]},"
             "{'name':'b','s':5,'shape':[2097152]}],"
             "'ops':[{'op':'uniform','s':4,'n':2097152,'at':0,'words':2097152,'from':0,'to':1},"
             "{'op':'trunc_normal','s':0,'n':400,'at':2097152,'words':400,'data_dependent':true,'mean':0,'std':1,"
             "'a':-2,'b':2},"
             "{'op':'uniform','s':PLACE,'n':2097152,'at':2097552,'words':2097152,'barriers':1,'from':0,'to':1},"
             "{'op':'fill','s':OTHER,'n':2097152,'value':3},"
             "{'op':'copy','s':2,'n':2097152,'src':{'s':1,'off':0,'sizes':[2097152]}},"
             "{'op':'add','s':5,'n':2097152,'src':{'s':4,'off':0,'sizes':[2097152]},"
             "'other':{'s':3,'off':0,'sizes':[2097152]}}],'words':4194704}";
    const fanin_parallel backwards = {run_backwards, NULL, 2};
    const size_t nbytes = (size_t)2097152 * sizeof(float);
    (void)state;
    for (int i = 0; i < 2; i++) {
        char *json = malloc(sizeof text);
        assert_non_null(json);
        strcpy(json, text);
        memcpy(strstr(json, "PLACE"), i == 0 ? "1    " : "3    ", 5);
        memcpy(strstr(json, "OTHER"), i == 0 ? "3    " : "1    ", 5);
        fanin_plan *plan = parse(json);
        uint8_t **memory = run_plainly(plan, 7);
        const fanin_run_options options = {.size = sizeof options, .seed = 7, .parallel = &backwards};
        float *a = malloc(nbytes), *b = malloc(nbytes);
        const fanin_slice slices[] = {{.tensor = 1, .destination = fanin_tensor_1d(a, FANIN_F32, 2097152)},
                                      {.tensor = 2, .destination = fanin_tensor_1d(b, FANIN_F32, 2097152)}};
        fanin_error error;
        assert_ok(fanin_run_slices(plan, &options, slices, 2, &error), error);
        assert_memory_equal(a, memory[2], nbytes);
        for (size_t k = 0; k < 2097152; k++)
            assert_true(b[k] == ((float *)(void *)memory[4])[k] + ((float *)(void *)memory[3])[k]);
        for (size_t s = 0; s < fanin_plan_storage_count(plan); s++)
            free(memory[s]);
        free(memory);
        free(a);
        free(b);
        fanin_plan_free(plan);
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_refused),    cmocka_unit_test(test_unknown_op),
        cmocka_unit_test(test_run),        cmocka_unit_test(test_copies_behind_a_barrier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
