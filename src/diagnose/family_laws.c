/* SPDX-License-Identifier: MIT */
/*
 * The table of families. transformers begins most of them alike: every linear layer, convolution and embedding normal
 * with one standard deviation, biases zero. What is listed is where a family does something else.
 */
#include "diagnose/family_laws.h"

#include <string.h>

#include "diagnose/naming.h"

/* Lists of families are words with blanks between. */
struct scale_row {
    const char *families;
    struct fanin_family_scale scale;
};

static const struct scale_row scales[] = {
    {"albert apertus arcee bert bert-generation big_bird biogpt bitnet bloom camembert canine codegen cohere cohere2 "
     "convbert ctrl cwm data2vec-text deberta deberta-v2 deepseek_v2 deepseek_v3 diffllama distilbert doge dots1 "
     "electra ernie ernie4_5 ernie4_5_moe esm exaone4 falcon fnet gemma gemma2 gemma3_text glm glm4 "
     "glm4_moe gpt2 gpt_bigcode gpt_neo gpt_neox gpt_neox_japanese gpt_oss gptj granite granitemoe helium "
     "hunyuan_v1_dense ibert jetmoe layoutlm lilt llama longformer luke megatron-bert mistral mixtral "
     "mobilebert modernbert mpnet mpt nemotron nystromformer olmo olmo2 olmo3 olmoe openai-gpt persimmon phi phi3 "
     "phimoe qwen2 qwen2_moe qwen3 qwen3_moe rembert roberta roberta-prelayernorm roc_bert roformer seed_oss smollm3 "
     "splinter squeezebert stablelm starcoder2 vilt vit vit_msn xlm-roberta xlm-roberta-xl xmod yolos yoso deit "
     "dinov2 dinov2_with_registers dinov3_vit convnext data2vec-vision jamba lfm2 llama4_text minimax ministral "
     "qwen3_next segformer swin vaultgemma videomae vit_mae xlnet",
     {"initializer_range", 0.02}},
    {"mamba falcon_mamba", {"initializer_range", 0.1}},
    {"bart blenderbot blenderbot-small led m2m_100 marian mbart mvp opt pegasus plbart whisper xglm",
     {"init_std", 0.02}},
    {"t5 mt5 umt5", {"initializer_factor", 1}},
};

struct law_row {
    const char *families;
    const char *name; /* what the name of the tensor ends in, whole segments */
    const char *rule; /* NULL: not known, or a table */
};

/* The first that fits; a weight that none fits has the law of most. */
static const struct law_row laws[] = {
    {"gpt2 gpt_bigcode", "c_proj.weight", "normal(std=$s/sqrt(2*$L))"},
    {"t5 mt5 umt5", "SelfAttention.q.weight", "normal(std=$s/sqrt($d*$k))"},
    {"t5 mt5 umt5", "EncDecAttention.q.weight", "normal(std=$s/sqrt($d*$k))"},
    {"t5 mt5 umt5", "Attention.o.weight", "normal(std=$s/sqrt($n*$k))"},
    {"t5 mt5 umt5", "DenseReluDense.wo.weight", "normal(std=$s/sqrt($f))"},
    {"t5 mt5 umt5", "SelfAttention.o.weight", "normal(std=$s/sqrt($n*$k))"},
    {"t5 mt5 umt5", "EncDecAttention.o.weight", "normal(std=$s/sqrt($n*$k))"},
    {"t5 mt5 umt5", "shared.weight", "normal(std=$s)"},
    {"t5 mt5 umt5", "lm_head.weight", "normal(std=$s)"},
    {"t5 mt5 umt5", "classifier.weight", "normal(std=$s)"},
    {"t5 mt5 umt5", "embed_tokens.weight", NULL},
    {"t5 mt5 umt5", "weight", "normal(std=$s/sqrt($d))"},
    {"openai-gpt", "c_attn.weight", "normal(std=0.02)"},
    {"openai-gpt", "c_fc.weight", "normal(std=0.02)"},
    {"openai-gpt", "c_proj.weight", "normal(std=0.02)"},
    {"whisper", "encoder.embed_positions.weight", NULL},
    {"roformer", "embed_positions.weight", NULL},
    {"marian pegasus", "embed_positions.weight", NULL},
    {"jamba", "mamba.dt_proj.weight", NULL},
    {"mamba falcon_mamba", "mixer.out_proj.weight", NULL},
    {"mamba falcon_mamba", "mixer.conv1d.weight", NULL},
    {"mamba falcon_mamba", "mixer.dt_proj.weight", NULL},
    {"modernbert", "weight", NULL},
};

static const struct law_row norm_laws[] = {
    {"gemma gemma2 gemma3_text vaultgemma", "weight", "zeros"}, /* the code adds 1 */
    {"qwen3_next", "weight", NULL},
    {"t5 mt5 umt5", "weight", "constant(val=$s)"},
};

/* Embeddings that are constructed with a padding_idx have one of these names; some families use them without. */
static const char *const padded[] = {"word_embeddings.weight", "embed_tokens.weight"};
static const char unpadded_families[] = "bloom falcon t5 mt5 umt5";

static const struct law_row bias_laws[] = {
    {"mamba falcon_mamba", "mixer.dt_proj.bias", NULL},
    {"jamba", "mamba.dt_proj.bias", NULL},
    {"gpt_oss", "router.bias", NULL},
    {"modernbert", "bias", "zeros"},
};

static bool is_listed(const char *words, const char *word)
{
    const size_t n = strlen(word);
    for (const char *at = words; *at != '\0';) {
        const size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, word, n) == 0)
            return true;
        at += length;
        at += strspn(at, " ");
    }
    return false;
}

const struct fanin_family_scale *fanin_family_scale_of(const char *family)
{
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++)
        if (is_listed(scales[i].families, family))
            return &scales[i].scale;
    return NULL;
}

static const char *find_rule(const struct law_row *rows, size_t nrows, const char *family, const char *name,
                             const char *usual)
{
    for (size_t i = 0; i < nrows; i++)
        if (fanin_name_ends_in(name, rows[i].name) && is_listed(rows[i].families, family))
            return rows[i].rule;
    return usual;
}

const char *fanin_family_rule(const char *family, const char *name)
{
    return find_rule(laws, sizeof laws / sizeof laws[0], family, name, "normal(std=$s)");
}

const char *fanin_family_bias_rule(const char *family, const char *name)
{
    return find_rule(bias_laws, sizeof bias_laws / sizeof bias_laws[0], family, name, "zeros");
}

const char *fanin_family_norm_rule(const char *family, const char *name)
{
    return find_rule(norm_laws, sizeof norm_laws / sizeof norm_laws[0], family, name, "ones");
}

bool fanin_family_pads(const char *family, const char *name)
{
    for (size_t i = 0; i < sizeof padded / sizeof padded[0]; i++)
        if (fanin_name_ends_in(name, padded[i]))
            return !is_listed(unpadded_families, family);
    return false;
}
