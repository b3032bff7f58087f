/* SPDX-License-Identifier: MIT */
/*
 * A Hugging Face config.json as a spec: names, shapes and order of transformers, and the distributions its models
 * begin with (not transformers' bits: those depend on its release and need a recording).
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "model/model_data.h"

/* Whole numbers beyond this are no size of any model; the products of two stay exact. */
#define MAX_SIZE INT64_C(2147483647)

/* Conditions under which a line of a template is written. */
enum { TIED = 1, UNTIED = 2, PADDED = 4, BIASED = 8 };

struct line {
    unsigned when; /* 0: always */
    const char *text;
};

/* $s initializer_range; $p pad_token_id; $q $o $m whether q,k,v, o and the feed-forward layers have biases. */
static const struct line gpt2_lines[] = {
    {0, "  {\"name\":\"transformer.wte.weight\",\"shape\":[\"V\",\"H\"]},\n"
        "  {\"name\":\"transformer.wpe.weight\",\"shape\":[\"P\",\"H\"]},\n"
        "  {\"repeat\":{\"i\":[0,\"L\"]},\"tensors\":[\n"
        "    {\"name\":\"transformer.h.{i}.ln_1\",\"layer_norm\":\"H\"},\n"
        "    {\"name\":\"transformer.h.{i}.attn.c_attn.weight\",\"shape\":[\"H\",\"3*H\"],\"layout\":\"in_out\"},\n"
        "    {\"name\":\"transformer.h.{i}.attn.c_attn.bias\",\"shape\":[\"3*H\"]},\n"
        "    {\"name\":\"transformer.h.{i}.attn.c_proj.weight\",\"shape\":[\"H\",\"H\"],\"layout\":\"in_out\"},\n"
        "    {\"name\":\"transformer.h.{i}.attn.c_proj.bias\",\"shape\":[\"H\"]},\n"
        "    {\"name\":\"transformer.h.{i}.ln_2\",\"layer_norm\":\"H\"},\n"
        "    {\"name\":\"transformer.h.{i}.mlp.c_fc.weight\",\"shape\":[\"H\",\"I\"],\"layout\":\"in_out\"},\n"
        "    {\"name\":\"transformer.h.{i}.mlp.c_fc.bias\",\"shape\":[\"I\"]},\n"
        "    {\"name\":\"transformer.h.{i}.mlp.c_proj.weight\",\"shape\":[\"I\",\"H\"],\"layout\":\"in_out\"},\n"
        "    {\"name\":\"transformer.h.{i}.mlp.c_proj.bias\",\"shape\":[\"H\"]}]},\n"
        "  {\"name\":\"transformer.ln_f\",\"layer_norm\":\"H\"},\n"},
    {TIED, "  {\"name\":\"lm_head.weight\",\"tie\":\"transformer.wte.weight\"}],\n"},
    {UNTIED, "  {\"name\":\"lm_head\",\"linear\":{\"in\":\"H\",\"out\":\"V\",\"bias\":false}}],\n"},
    {0, " \"rules\":[\n"
        "  {\"match\":\"**.c_proj.weight\",\"init\":\"normal\",\"std\":\"$s/sqrt(2*L)\"},\n"
        "  {\"layer\":\"layer_norm\",\"role\":\"norm_weight\",\"init\":\"ones\"},\n"
        "  {\"match\":\"**.bias\",\"init\":\"zeros\"},\n"
        "  {\"match\":\"**\",\"init\":\"normal\",\"std\":$s}]}\n"},
    {0, NULL},
};

/* llama, mistral and qwen2; qwen3 has norms on the heads of q and k besides. */
#define LLAMA_LINES(head_norms)                                                                                        \
    {                                                                                                                  \
        {0, "  {\"name\":\"model.embed_tokens\",\"embedding\":[\"V\",\"H\"]},\n"                                       \
            "  {\"repeat\":{\"i\":[0,\"L\"]},\"tensors\":[\n"                                                          \
            "    {\"name\":\"model.layers.{i}.self_attn.q_proj\","                                                     \
            "\"linear\":{\"in\":\"H\",\"out\":\"nh*hd\",\"bias\":$q}},\n"                                              \
            "    {\"name\":\"model.layers.{i}.self_attn.k_proj\","                                                     \
            "\"linear\":{\"in\":\"H\",\"out\":\"nkv*hd\",\"bias\":$q}},\n"                                             \
            "    {\"name\":\"model.layers.{i}.self_attn.v_proj\","                                                     \
            "\"linear\":{\"in\":\"H\",\"out\":\"nkv*hd\",\"bias\":$q}},\n"                                             \
            "    {\"name\":\"model.layers.{i}.self_attn.o_proj\","                                                     \
            "\"linear\":{\"in\":\"nh*hd\",\"out\":\"H\",\"bias\":$o}},\n" head_norms                                   \
            "    {\"name\":\"model.layers.{i}.mlp.gate_proj\",\"linear\":{\"in\":\"H\",\"out\":\"I\",\"bias\":$m}},\n" \
            "    {\"name\":\"model.layers.{i}.mlp.up_proj\",\"linear\":{\"in\":\"H\",\"out\":\"I\",\"bias\":$m}},\n"   \
            "    {\"name\":\"model.layers.{i}.mlp.down_proj\",\"linear\":{\"in\":\"I\",\"out\":\"H\",\"bias\":$m}},\n" \
            "    {\"name\":\"model.layers.{i}.input_layernorm\",\"rms_norm\":\"H\"},\n"                                \
            "    {\"name\":\"model.layers.{i}.post_attention_layernorm\",\"rms_norm\":\"H\"}]},\n"                     \
            "  {\"name\":\"model.norm\",\"rms_norm\":\"H\"},\n"},                                                      \
            {TIED, "  {\"name\":\"lm_head.weight\",\"tie\":\"model.embed_tokens.weight\"}],\n"},                       \
            {UNTIED, "  {\"name\":\"lm_head\",\"linear\":{\"in\":\"H\",\"out\":\"V\",\"bias\":false}}],\n"},           \
            {0, " \"rules\":[\n"},                                                                                     \
            {PADDED, "  {\"match\":\"model.embed_tokens.weight\",\"row\":$p,\"init\":\"zeros\"},\n"},                  \
            {0, "  {\"layer\":\"rms_norm\",\"init\":\"ones\"},\n"},                                                    \
            {BIASED, "  {\"match\":\"**.bias\",\"init\":\"zeros\"},\n"},                                               \
            {0, "  {\"match\":\"**\",\"init\":\"normal\",\"std\":$s}]}\n"}, {0, NULL},                                 \
    }

static const struct line llama_lines[] = LLAMA_LINES("");
static const struct line qwen3_lines[] =
    LLAMA_LINES("    {\"name\":\"model.layers.{i}.self_attn.q_norm\",\"rms_norm\":\"hd\"},\n"
                "    {\"name\":\"model.layers.{i}.self_attn.k_norm\",\"rms_norm\":\"hd\"},\n");

/* What transformers does where a key is absent. */
struct family {
    const char *name;
    const struct line *lines;
    const char *head; /* what the name of the architecture ends in */
    int64_t vocab_size, hidden_size, intermediate_size, num_layers, num_heads;
    int64_t num_kv_heads; /* 0: as many as heads */
    int64_t head_dim;     /* 0: hidden_size / heads */
    bool heads_divide;    /* hidden_size must be a multiple of the heads */
    bool tied;
    bool qkv_bias;       /* always */
    bool attention_bias; /* there is such a key */
    bool mlp_bias;       /* there is such a key */
};

static const struct family families[] = {
    {"gpt2", gpt2_lines, "LMHeadModel", 50257, 768, 0, 12, 12, 0, 0, true, true, true, false, false},
    {"llama", llama_lines, "ForCausalLM", 32000, 4096, 11008, 32, 32, 0, 0, true, false, false, true, true},
    {"mistral", llama_lines, "ForCausalLM", 32000, 4096, 14336, 32, 32, 8, 0, false, false, false, false, false},
    {"qwen2", llama_lines, "ForCausalLM", 151936, 4096, 22016, 32, 32, 32, 0, false, false, true, false, false},
    {"qwen3", qwen3_lines, "ForCausalLM", 151936, 4096, 22016, 32, 32, 32, 128, false, false, false, true, false},
};
#define NFAMILIES (sizeof families / sizeof families[0])

size_t fanin_family_count(void)
{
    return NFAMILIES;
}
const char *fanin_family_name(size_t i)
{
    return i < NFAMILIES ? families[i].name : NULL;
}

struct reader {
    const fanin_json_document *document;
    const struct family *family;
    fanin_error *error;
};

/* ---- keys ---- */

/* A key or, where transformers maps another name to it, that one; null is absent. */
static fanin_status find_key(struct reader *r, const char *key, const char *other, const fanin_json **value)
{
    const fanin_json *first = fanin_json_get(&r->document->root, key);
    const fanin_json *second = other != NULL ? fanin_json_get(&r->document->root, other) : NULL;
    if (first != NULL && second != NULL)
        return fanin_json_fail(r->document, second, r->error, "\"%s\" and \"%s\" are the same setting: leave one out",
                               other, key);
    *value = first != NULL ? first : second;
    if (*value != NULL && (*value)->kind == FANIN_JSON_NULL)
        *value = NULL;
    return FANIN_OK;
}

static fanin_status read_size(struct reader *r, const char *key, const char *other, int64_t preset, int64_t *size)
{
    const fanin_json *value;
    FANIN_TRY(find_key(r, key, other, &value));
    *size = preset;
    if (value == NULL)
        return FANIN_OK;
    if (value->kind != FANIN_JSON_UNSIGNED || value->unsigned_value < 1 || value->unsigned_value > (uint64_t)MAX_SIZE)
        return fanin_json_fail(r->document, value, r->error, "\"%s\" must be a whole number from 1 to %" PRId64,
                               value->key, MAX_SIZE);
    *size = (int64_t)value->unsigned_value;
    return FANIN_OK;
}

static fanin_status read_flag(struct reader *r, const char *key, bool preset, bool *flag)
{
    const fanin_json *value;
    FANIN_TRY(find_key(r, key, NULL, &value));
    *flag = preset;
    if (value == NULL)
        return FANIN_OK;
    FANIN_TRY(fanin_json_expect(r->document, value, FANIN_JSON_BOOL, key, r->error));
    *flag = value->boolean;
    return FANIN_OK;
}

static fanin_status find_family(struct reader *r)
{
    const fanin_json *type = fanin_json_get(&r->document->root, "model_type");
    const char *names[NFAMILIES];
    fanin_text all = {0};
    for (size_t i = 0; i < NFAMILIES; i++) {
        names[i] = families[i].name;
        fanin_text_format(&all, "%s%s", i == 0 ? "" : ", ", names[i]);
        if (type != NULL && type->kind == FANIN_JSON_STRING && strcmp(type->string, names[i]) == 0)
            r->family = &families[i];
    }
    fanin_status status = FANIN_OK;
    if (r->family == NULL && (type == NULL || type->kind != FANIN_JSON_STRING))
        status = fanin_json_fail(r->document, type != NULL ? type : &r->document->root, r->error,
                                 "\"model_type\" is missing; the families known here are %s", all.data);
    else if (r->family == NULL)
        status = fanin_json_fail(r->document, type, r->error,
                                 "the family \"%.64s\" is not known here; those that are: %s. Describe the model in a "
                                 "spec, or take the shapes of a checkpoint",
                                 type->string, all.data);
    fanin_text_release(&all);
    if (status == FANIN_ERROR_FORMAT && type != NULL && type->kind == FANIN_JSON_STRING)
        status = r->error->status = FANIN_ERROR_UNSUPPORTED;
    return status;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Well formed, but not something this version does. */
static fanin_status refuse(struct reader *r, const fanin_json *value, const char *what)
{
    fanin_json_fail(r->document, value, r->error, "\"%s\": %s", value->key != NULL ? value->key : "architectures",
                    what);
    return r->error->status = FANIN_ERROR_UNSUPPORTED;
}

/* What changes names or shapes in ways that are not written here. */
static fanin_status refuse_others(struct reader *r)
{
    const fanin_json *architectures, *quantization, *pruned;
    bool cross_attention;
    FANIN_TRY(find_key(r, "architectures", NULL, &architectures));
    FANIN_TRY(find_key(r, "quantization_config", NULL, &quantization));
    FANIN_TRY(find_key(r, "pruned_heads", NULL, &pruned));
    FANIN_TRY(read_flag(r, "add_cross_attention", false, &cross_attention));
    if (architectures != NULL)
        FANIN_TRY(fanin_json_expect(r->document, architectures, FANIN_JSON_ARRAY, "\"architectures\"", r->error));
    for (size_t i = 0; architectures != NULL && i < architectures->count; i++) {
        const fanin_json *name = &architectures->items[i];
        if (name->kind != FANIN_JSON_STRING || !ends_in(name->string, r->family->head))
            return refuse(r, name,
                          r->family->lines == gpt2_lines ? "only *LMHeadModel is known here"
                                                         : "only *ForCausalLM is known here");
    }
    if (quantization != NULL)
        return refuse(r, quantization,
                      "the weights of a quantized model are not drawn; remove the key for those it had");
    if (pruned != NULL && pruned->count > 0)
        return refuse(r, pruned, "only models with all their heads are known here");
    if (cross_attention)
        return refuse(r, fanin_json_get(&r->document->root, "add_cross_attention"), "only false is known here");
    return FANIN_OK;
}

/* The dtype it says, f32 if it says none. */
static fanin_status read_config_dtype(struct reader *r, fanin_dtype *dtype)
{
    const fanin_json *value, *older;
    *dtype = FANIN_F32;
    FANIN_TRY(find_key(r, "dtype", NULL, &value));
    FANIN_TRY(find_key(r, "torch_dtype", NULL, &older));
    value = value != NULL ? value : older;
    if (value == NULL)
        return FANIN_OK;
    if (value->kind == FANIN_JSON_STRING)
        *dtype = fanin_dtype_from_name(value->string);
    if (value->kind != FANIN_JSON_STRING || !fanin_dtype_is_random(*dtype))
        return fanin_json_fail(r->document, value, r->error,
                               "\"%s\" must be \"float32\", \"bfloat16\", \"float16\" or \"float64\"", value->key);
    return FANIN_OK;
}

static fanin_status read_std(struct reader *r, double *std)
{
    const fanin_json *value;
    FANIN_TRY(find_key(r, "initializer_range", NULL, &value));
    *std = value != NULL && fanin_json_is_number(value) ? value->number : 0.02;
    if (value != NULL && (!fanin_json_is_number(value) || !(*std > 0)))
        return fanin_json_fail(r->document, value, r->error, "\"initializer_range\" must be a positive number");
    return FANIN_OK;
}

/* torch.nn.Embedding's check of its padding_idx. */
static fanin_status read_pad(struct reader *r, int64_t vocab_size, bool *has_pad, int64_t *pad)
{
    const fanin_json *value;
    FANIN_TRY(find_key(r, "pad_token_id", NULL, &value));
    *has_pad = value != NULL;
    if (value == NULL)
        return FANIN_OK;
    bool is_integer = value->kind == FANIN_JSON_UNSIGNED || value->kind == FANIN_JSON_NEGATIVE;
    if (!is_integer || value->number >= (double)vocab_size || value->number < -(double)vocab_size)
        return fanin_json_fail(r->document, value, r->error,
                               "\"pad_token_id\" must be a whole number below \"vocab_size\" (%" PRId64 ")",
                               vocab_size);
    *pad = (int64_t)value->number;
    return FANIN_OK;
}

/* ---- the spec ---- */

struct choices {
    unsigned conditions;
    double std;
    int64_t pad;
    bool q, o, m;
};

static void write_lines(const struct line *lines, const struct choices *choices, fanin_text *spec)
{
    char number[FANIN_NUMBER_NBYTES];
    for (; lines->text != NULL; lines++) {
        if (lines->when != 0 && (lines->when & choices->conditions) == 0)
            continue;
        for (const char *c = lines->text; *c != '\0'; c++) {
            if (*c != '$') {
                fanin_text_append(spec, c, 1);
                continue;
            }
            c++;
            if (*c == 's')
                fanin_text_add(spec, fanin_number_format(choices->std, number));
            else if (*c == 'p')
                fanin_text_format(spec, "%" PRId64, choices->pad);
            else
                fanin_text_add(spec, (*c == 'q' && choices->q) || (*c == 'o' && choices->o) || (*c == 'm' && choices->m)
                                         ? "true"
                                         : "false");
        }
    }
}

static fanin_status check_heads(struct reader *r, const char *key, int64_t hidden_size, int64_t num_heads)
{
    const fanin_json *value = fanin_json_get(&r->document->root, key);
    if (hidden_size % num_heads == 0 || !r->family->heads_divide)
        return FANIN_OK;
    return fanin_json_fail(r->document, value, r->error,
                           "the hidden size %" PRId64 " must be a multiple of the %" PRId64 " attention heads",
                           hidden_size, num_heads);
}

static fanin_status expand_gpt2(struct reader *r, struct choices *choices, fanin_text *spec)
{
    int64_t vocab_size, positions, hidden_size, inner, num_layers, num_heads;
    const struct family *family = r->family;
    FANIN_TRY(read_size(r, "vocab_size", NULL, family->vocab_size, &vocab_size));
    FANIN_TRY(read_size(r, "n_positions", "max_position_embeddings", 1024, &positions));
    FANIN_TRY(read_size(r, "n_embd", "hidden_size", family->hidden_size, &hidden_size));
    FANIN_TRY(read_size(r, "n_inner", NULL, 4 * hidden_size, &inner));
    FANIN_TRY(read_size(r, "n_layer", "num_hidden_layers", family->num_layers, &num_layers));
    FANIN_TRY(read_size(r, "n_head", "num_attention_heads", family->num_heads, &num_heads));
    FANIN_TRY(check_heads(r, "n_head", hidden_size, num_heads));
    fanin_text_format(spec,
                      "\"vars\":{\"V\":%" PRId64 ",\"P\":%" PRId64 ",\"H\":%" PRId64 ",\"I\":%" PRId64 ",\"L\":%" PRId64
                      "},\n \"tensors\":[\n",
                      vocab_size, positions, hidden_size, inner, num_layers);
    write_lines(family->lines, choices, spec);
    return FANIN_OK;
}

static fanin_status expand_llama(struct reader *r, struct choices *choices, fanin_text *spec)
{
    int64_t vocab_size, hidden_size, inner, num_layers, num_heads, num_kv_heads, head_dim;
    const struct family *family = r->family;
    const fanin_json *head_value = fanin_json_get(&r->document->root, "head_dim");
    const fanin_json *kv_value = fanin_json_get(&r->document->root, "num_key_value_heads");
    bool has_pad;
    FANIN_TRY(read_size(r, "vocab_size", NULL, family->vocab_size, &vocab_size));
    FANIN_TRY(read_size(r, "hidden_size", NULL, family->hidden_size, &hidden_size));
    FANIN_TRY(read_size(r, "intermediate_size", NULL, family->intermediate_size, &inner));
    FANIN_TRY(read_size(r, "num_hidden_layers", NULL, family->num_layers, &num_layers));
    FANIN_TRY(read_size(r, "num_attention_heads", NULL, family->num_heads, &num_heads));
    /* An absent key is the family's default; null is as many as heads. */
    bool kv_is_heads = kv_value != NULL ? kv_value->kind == FANIN_JSON_NULL : family->num_kv_heads == 0;
    FANIN_TRY(read_size(r, "num_key_value_heads", NULL, kv_is_heads ? num_heads : family->num_kv_heads, &num_kv_heads));
    FANIN_TRY(check_heads(r, "num_attention_heads", hidden_size, num_heads));
    if (family->head_dim != 0 && head_value != NULL && head_value->kind == FANIN_JSON_NULL)
        return fanin_json_fail(r->document, head_value, r->error,
                               "\"head_dim\" must be a whole number in %s; without "
                               "the key it is %" PRId64,
                               family->name, family->head_dim);
    FANIN_TRY(
        read_size(r, "head_dim", NULL, family->head_dim != 0 ? family->head_dim : hidden_size / num_heads, &head_dim));
    if (head_dim == 0)
        return fanin_json_fail(r->document, fanin_json_get(&r->document->root, "num_attention_heads"), r->error,
                               "there are more attention heads than the hidden size has elements");
    choices->q = choices->o = family->qkv_bias;
    choices->o = false;
    if (family->attention_bias) {
        FANIN_TRY(read_flag(r, "attention_bias", false, &choices->q));
        choices->o = choices->q;
    }
    if (family->mlp_bias)
        FANIN_TRY(read_flag(r, "mlp_bias", false, &choices->m));
    FANIN_TRY(read_pad(r, vocab_size, &has_pad, &choices->pad));
    choices->conditions |= (has_pad ? PADDED : 0u) | (choices->q || choices->m ? BIASED : 0u);
    fanin_text_format(spec,
                      "\"vars\":{\"V\":%" PRId64 ",\"H\":%" PRId64 ",\"I\":%" PRId64 ",\"L\":%" PRId64
                      ",\"nh\":%" PRId64 ",\"nkv\":%" PRId64 ",\"hd\":%" PRId64 "},\n \"tensors\":[\n",
                      vocab_size, hidden_size, inner, num_layers, num_heads, num_kv_heads, head_dim);
    write_lines(family->lines, choices, spec);
    return FANIN_OK;
}

fanin_status fanin_config_expand(const fanin_json_document *document, fanin_text *spec, const char **family,
                                 fanin_error *error)
{
    struct reader r = {document, NULL, error};
    struct choices choices = {0};
    fanin_dtype dtype;
    bool tied;
    FANIN_TRY(find_family(&r));
    FANIN_TRY(refuse_others(&r));
    FANIN_TRY(read_config_dtype(&r, &dtype));
    FANIN_TRY(read_std(&r, &choices.std));
    FANIN_TRY(read_flag(&r, "tie_word_embeddings", r.family->tied, &tied));
    choices.conditions = tied ? TIED : UNTIED;
    *family = r.family->name;
    fanin_text_format(spec,
                      "{\"format\":\"fanin-spec\",\"version\":1,\"dtype\":\"%s\",\n"
                      " \"description\":\"%s from its config.json: transformers' distributions, not its bits\",\n ",
                      fanin_dtype_name(dtype), r.family->name);
    FANIN_TRY(r.family->lines == gpt2_lines ? expand_gpt2(&r, &choices, spec) : expand_llama(&r, &choices, spec));
    return spec->failed ? fanin_fail_memory(error, spec->nbytes) : FANIN_OK;
}

/* ---- the config.json that goes beside the weights ---- */

/* Byte of the text where a line and column (both from 1, columns in characters) begin. */
static size_t offset_of(const char *text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t l = 1; l < line; l++)
        at = (size_t)(strchr(text + at, '\n') - text) + 1;
    for (uint32_t c = 1; c < column; c++)
        for (at++; ((unsigned char)text[at] & 0xc0) == 0x80;)
            at++;
    return at;
}

/* The byte after a string, number or word that begins at `at`. */
static size_t end_of_value(const char *text, size_t at)
{
    if (text[at] != '"')
        return at + strcspn(text + at, ",}] \t\r\n");
    for (at++; text[at] != '"'; at++)
        at += text[at] == '\\';
    return at + 1;
}

static void copy_up_to(fanin_text *out, const char *text, size_t *done, size_t end)
{
    fanin_text_append(out, text + *done, end - *done);
    *done = end;
}

static void write_config(const char *text, const fanin_json *root, const char *dtype_name, fanin_text *out)
{
    const fanin_json *last = &root->items[root->count - 1];
    bool has_dtype = false;
    size_t done = 0;
    for (size_t i = 0; i < root->count; i++) {
        const fanin_json *value = &root->items[i];
        bool newer = strcmp(value->key, "dtype") == 0;
        if (!newer && strcmp(value->key, "torch_dtype") != 0)
            continue;
        has_dtype = has_dtype || newer;
        size_t begin = offset_of(text, value->line, value->column);
        copy_up_to(out, text, &done, begin);
        fanin_text_format(out, "\"%s\"", dtype_name);
        done = end_of_value(text, begin);
    }
    if (!has_dtype) {
        /* As the last member, set off from the one before as that one is from its own. */
        size_t close = strlen(text) - 1;
        while (text[close] != '}')
            close--;
        size_t end = close;
        while (strchr(" \t\r\n", text[end - 1]) != NULL)
            end--;
        size_t key = offset_of(text, last->key_line, last->key_column), blank = key;
        while (strchr(" \t\r\n", text[blank - 1]) != NULL)
            blank--;
        copy_up_to(out, text, &done, end);
        fanin_text_add(out, ",");
        fanin_text_append(out, text + blank, key - blank);
        fanin_text_format(out, "\"dtype\": \"%s\"", dtype_name);
    }
    copy_up_to(out, text, &done, strlen(text));
}

fanin_status fanin_model_config(const fanin_model *model, fanin_dtype dtype, char **text, fanin_error *error)
{
    static const fanin_json_limits limits = {.depth = 64, .values = 50000000};
    fanin_json_document document;
    const char *dtype_name = fanin_dtype_torch_name(dtype);
    fanin_clear(error);
    *text = NULL;
    if (model->config == NULL)
        return FANIN_OK;
    if (dtype_name == NULL || !fanin_dtype_is_random(dtype))
        return fanin_fail(error, FANIN_ERROR_DTYPE, "a config.json cannot say dtype %s; write f32, bf16, f16 or f64",
                          fanin_dtype_name(dtype));
    FANIN_TRY(fanin_json_parse(model->config, strlen(model->config), "config.json", &limits, &document, error));
    fanin_text out = {0};
    write_config(model->config, &document.root, dtype_name, &out);
    fanin_json_release(&document);
    *text = out.failed ? NULL : fanin_duplicate(out.data, out.nbytes);
    fanin_text_release(&out);
    return *text != NULL ? FANIN_OK : fanin_fail_memory(error, strlen(model->config));
}
