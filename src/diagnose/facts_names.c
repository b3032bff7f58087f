/* SPDX-License-Identifier: MIT */
/*
 * What names and shapes tell: torch's modules give their parameters fixed names, models give their modules customary
 * ones, and biases beside a weight tell which of its axes counts outputs. What none of it tells stays unknown.
 */
#include <stdio.h>
#include <string.h>

#include "diagnose/facts.h"
#include "diagnose/naming.h"

#define MAX_NAME 1024

/* ---- words of a name ---- */

/* A name cut at its last dot, and the last segment before it that is no number. */
struct parts {
    char module[MAX_NAME]; /* "layers.0.self_attn.q_proj"; "" */
    char last[MAX_NAME];   /* "q_proj", in lower case; "" */
    const char *leaf;      /* "weight" */
};

static bool is_number(const char *text, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return nbytes > 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static bool holds_one_of(const char *text, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strstr(text, *words) != NULL)
            return true;
    return false;
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* PEFT puts the adapter's name between: "lora_A.default.weight". */
static void split(const char *name, struct parts *parts)
{
    const char *dot = strrchr(name, '.');
    size_t n = dot != NULL ? (size_t)(dot - name) : 0;
    *parts = (struct parts){.leaf = dot != NULL ? dot + 1 : name};
    if (n >= MAX_NAME)
        return;
    memcpy(parts->module, name, n);
    for (size_t end = n; end > 0;) {
        size_t begin = end;
        while (begin > 0 && name[begin - 1] != '.')
            begin--;
        if (!is_number(name + begin, end - begin) && !(end - begin == 7 && memcmp(name + begin, "default", 7) == 0)) {
            for (size_t i = begin; i < end; i++)
                parts->last[i - begin] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
            break;
        }
        end = begin > 0 ? begin - 1 : 0;
    }
}

/* The tensor of the same module under another leaf, or NULL. */
static const struct fanin_record *beside(const fanin_diagnosis *diagnosis, const struct parts *parts, const char *leaf)
{
    char name[MAX_NAME + 64];
    snprintf(name, sizeof name, "%s%s%s", parts->module, parts->module[0] != '\0' ? "." : "", leaf);
    size_t i = fanin_names_find(&diagnosis->names, name);
    return i != SIZE_MAX ? &diagnosis->records[i] : NULL;
}

/* ---- what a role says ---- */

struct role_part {
    const char *role;
    fanin_part part;
};

static const struct role_part role_parts[] = {
    {"weight", FANIN_PART_WEIGHT},
    {"embedding", FANIN_PART_WEIGHT},
    {"weight_ih", FANIN_PART_WEIGHT},
    {"weight_hh", FANIN_PART_WEIGHT},
    {"weight_hr", FANIN_PART_WEIGHT},
    {"in_proj_weight", FANIN_PART_WEIGHT},
    {"q_proj_weight", FANIN_PART_WEIGHT},
    {"k_proj_weight", FANIN_PART_WEIGHT},
    {"v_proj_weight", FANIN_PART_WEIGHT},
    {"bias", FANIN_PART_BIAS},
    {"bias_ih", FANIN_PART_BIAS},
    {"bias_hh", FANIN_PART_BIAS},
    {"in_proj_bias", FANIN_PART_BIAS},
    {"norm_weight", FANIN_PART_NORM_WEIGHT},
    {"norm_bias", FANIN_PART_NORM_BIAS},
    {"running_mean", FANIN_PART_RUNNING_MEAN},
    {"running_var", FANIN_PART_RUNNING_VAR},
};

static bool is_norm_kind(fanin_layer_kind kind)
{
    return kind == FANIN_LAYER_BATCH_NORM || kind == FANIN_LAYER_LAYER_NORM || kind == FANIN_LAYER_GROUP_NORM ||
           kind == FANIN_LAYER_RMS_NORM;
}

/* Gates of a recurrent layer in torch's order. */
static const char *gates_of(fanin_layer_kind kind, int32_t *n)
{
    bool lstm = kind == FANIN_LAYER_LSTM || kind == FANIN_LAYER_LSTM_CELL;
    bool gru = kind == FANIN_LAYER_GRU || kind == FANIN_LAYER_GRU_CELL;
    *n = lstm ? 4 : gru ? 3 : 1;
    return lstm ? "i,f,g,o" : gru ? "r,z,n" : NULL;
}

void fanin_facts_by_role(struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    const char *role = tensor->role;
    if (role != NULL && is_norm_kind(tensor->layer_kind))
        role = strcmp(role, "weight") == 0 ? "norm_weight" : strcmp(role, "bias") == 0 ? "norm_bias" : role;
    if (role != NULL && tensor->layer_kind == FANIN_LAYER_EMBEDDING && strcmp(role, "weight") == 0)
        role = "embedding";
    if (role != NULL && tensor->layer_kind == FANIN_LAYER_PRELU)
        role = "slope";
    tensor->role = role;
    record->part = FANIN_PART_OTHER;
    for (size_t i = 0; role != NULL && i < sizeof role_parts / sizeof role_parts[0]; i++)
        if (strcmp(role, role_parts[i].role) == 0)
            record->part = role_parts[i].part;
    if (record->part == FANIN_PART_WEIGHT && (tensor->ndim < 2 || tensor->is_buffer || !fanin_is_summed(tensor->dtype)))
        record->part = FANIN_PART_OTHER;
    tensor->is_weight = record->part == FANIN_PART_WEIGHT;
    if (record->nblocks == 0)
        record->nblocks = 1;
    if (role != NULL && (begins_with(role, "weight_") || begins_with(role, "bias_")))
        record->blocks = gates_of(tensor->layer_kind, &record->nblocks);
    if (role != NULL && begins_with(role, "in_proj_")) {
        record->nblocks = 3;
        record->blocks = "q,k,v";
    }
}

/* ---- leaves ---- */

/* torch's recurrent parameters carry no module's name; the rows of weight_hh count their gates. */
static bool take_recurrent(const fanin_diagnosis *diagnosis, const struct parts *parts, struct fanin_record *record)
{
    static const char *const roles[] = {"weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh", NULL};
    static const fanin_layer_kind cells[] = {FANIN_LAYER_RNN_CELL, FANIN_LAYER_NONE, FANIN_LAYER_GRU_CELL,
                                             FANIN_LAYER_LSTM_CELL};
    static const fanin_layer_kind layers[] = {FANIN_LAYER_RNN, FANIN_LAYER_NONE, FANIN_LAYER_GRU, FANIN_LAYER_LSTM};
    char leaf[64];
    for (size_t i = 0; roles[i] != NULL; i++) {
        size_t n = strlen(roles[i]);
        if (strncmp(parts->leaf, roles[i], n) != 0 || (parts->leaf[n] != '\0' && !begins_with(parts->leaf + n, "_l")))
            continue;
        snprintf(leaf, sizeof leaf, "weight_hh%.48s", parts->leaf + n);
        const struct fanin_record *hh = beside(diagnosis, parts, leaf);
        snprintf(leaf, sizeof leaf, "weight_hr%.48s", parts->leaf + n);
        bool projected = beside(diagnosis, parts, leaf) != NULL; /* only an LSTM is */
        int64_t gates = hh != NULL && hh->tensor.ndim == 2 && hh->tensor.shape[1] > 0
                            ? hh->tensor.shape[0] / hh->tensor.shape[1]
                            : 0;
        record->tensor.role = roles[i];
        if (projected)
            record->tensor.layer_kind = FANIN_LAYER_LSTM;
        else if (gates >= 1 && gates <= 4 && hh->tensor.shape[0] == gates * hh->tensor.shape[1])
            record->tensor.layer_kind = parts->leaf[n] == '\0' ? cells[gates - 1] : layers[gates - 1];
        return true;
    }
    return false;
}

static bool take_attention(const struct parts *parts, struct fanin_record *record)
{
    static const char *const roles[] = {"in_proj_weight", "q_proj_weight", "k_proj_weight",
                                        "v_proj_weight",  "in_proj_bias",  NULL};
    for (size_t i = 0; roles[i] != NULL; i++)
        if (strcmp(parts->leaf, roles[i]) == 0) {
            record->tensor.role = roles[i];
            record->tensor.layer_kind = FANIN_LAYER_MULTIHEAD_ATTENTION;
            return true;
        }
    return false;
}

static bool take_buffer(const struct parts *parts, struct fanin_record *record)
{
    static const char *const buffers[] = {"position_ids",
                                          "token_type_ids",
                                          "inv_freq",
                                          "original_inv_freq",
                                          "num_batches_tracked",
                                          "relative_position_index",
                                          "relative_coords_table",
                                          "attn_mask",
                                          "masked_bias",
                                          "rope_freqs",
                                          "freqs_cis",
                                          "cos_cached",
                                          "sin_cached",
                                          "pe",
                                          NULL};
    fanin_diagnosis_tensor *tensor = &record->tensor;
    bool statistic = strcmp(parts->leaf, "running_mean") == 0 || strcmp(parts->leaf, "running_var") == 0;
    /* GPT-2 keeps its causal mask as a "bias" of four dimensions. */
    bool mask = strcmp(parts->leaf, "bias") == 0 && tensor->ndim == 4;
    if (!statistic && !mask && fanin_is_summed(tensor->dtype) && !is_one_of(parts->leaf, buffers))
        return false;
    tensor->is_buffer = true;
    if (statistic) {
        tensor->layer_kind = FANIN_LAYER_BATCH_NORM;
        tensor->role = strcmp(parts->leaf, "running_mean") == 0 ? "running_mean" : "running_var";
    }
    return true;
}

/* ---- weights ---- */

static bool is_norm_name(const char *last)
{
    return strstr(last, "norm") != NULL || begins_with(last, "ln") || begins_with(last, "bn") || ends_in(last, "_ln") ||
           ends_in(last, "_bn");
}

static bool is_embedding_name(const char *last)
{
    static const char *const words[] = {"wte", "wpe", "emb", "shared", "relative_attention_bias", NULL};
    static const char *const others[] = {"proj",  "out",   "unembed", "patch", "mapping", "linear",
                                         "dense", "layer", "conv",    "mlp",   "fc",      NULL};
    return (is_one_of(last, words) || strstr(last, "embed") != NULL || ends_in(last, "_emb")) &&
           !holds_one_of(last, others);
}

static bool is_transposed_name(const char *name)
{
    static const char *const words[] = {"deconv",    "conv_transpose", "convtranspose", "transposed_conv",
                                        "transconv", "upconv",         "up_conv",       NULL};
    return holds_one_of(name, words);
}

static fanin_layer_kind conv_kind(int32_t ndim, bool transposed)
{
    return (fanin_layer_kind)((transposed ? FANIN_LAYER_CONV_TRANSPOSE1D : FANIN_LAYER_CONV1D) + (ndim - 3));
}

/* Where a bias counts the other axis, the weight is stored the other way round. */
static bool bias_counts_second_axis(const fanin_diagnosis *diagnosis, const struct parts *parts,
                                    const fanin_diagnosis_tensor *tensor)
{
    const struct fanin_record *bias = beside(diagnosis, parts, "bias");
    return bias != NULL && bias->tensor.ndim == 1 && bias->tensor.shape[0] == tensor->shape[1] &&
           bias->tensor.shape[0] != tensor->shape[0];
}

static bool has_norm_bias(const fanin_diagnosis *diagnosis, const struct parts *parts,
                          const fanin_diagnosis_tensor *tensor)
{
    const struct fanin_record *bias = beside(diagnosis, parts, "bias");
    return bias != NULL && bias->tensor.ndim == tensor->ndim;
}

static void take_vector(const fanin_diagnosis *diagnosis, const struct parts *parts, struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    bool prelu = strstr(parts->last, "prelu") != NULL || strstr(parts->last, "act") != NULL ||
                 (tensor->ndim == 1 && tensor->shape[0] == 1 && beside(diagnosis, parts, "bias") == NULL);
    if (prelu) {
        tensor->layer_kind = FANIN_LAYER_PRELU;
        tensor->role = "slope";
        return;
    }
    tensor->role = "norm_weight";
    if (beside(diagnosis, parts, "running_mean") != NULL)
        tensor->layer_kind = FANIN_LAYER_BATCH_NORM;
    else if (strstr(parts->last, "rms") != NULL)
        tensor->layer_kind = FANIN_LAYER_RMS_NORM;
    else if (strstr(parts->last, "group") != NULL || begins_with(parts->last, "gn"))
        tensor->layer_kind = FANIN_LAYER_GROUP_NORM;
    else if (strstr(parts->last, "layernorm") != NULL || strstr(parts->last, "layer_norm") != NULL ||
             begins_with(parts->last, "ln"))
        tensor->layer_kind = FANIN_LAYER_LAYER_NORM;
}

/*
 * GPT-2's Conv1D is [in, out]. Its square matrices do not show it, so the one that goes before them in the same layer
 * is asked: attn.c_attn makes q, k and v of the same input, mlp.c_fc has a wide output.
 */
static bool is_gpt2_conv1d(const fanin_diagnosis *diagnosis, const char *name, const struct parts *parts)
{
    static const char *const inner[] = {"attn.c_attn", "mlp.c_fc"};
    static const char *const outer[] = {"attn.c_attn", "mlp.c_fc", "attn.c_proj", "mlp.c_proj", "attn.q_attn", NULL};
    char other[MAX_NAME + 32];
    const char *at = NULL;
    for (size_t i = 0; outer[i] != NULL && at == NULL; i++)
        at = strstr(name, outer[i]);
    if (at == NULL || strcmp(parts->leaf, "weight") != 0)
        return false;
    for (size_t i = 0; i < 2; i++) {
        snprintf(other, sizeof other, "%.*s%s.weight", (int)(at - name < MAX_NAME ? at - name : 0), name, inner[i]);
        size_t k = fanin_names_find(&diagnosis->names, other);
        const fanin_diagnosis_tensor *found = k != SIZE_MAX ? &diagnosis->records[k].tensor : NULL;
        if (found != NULL && found->ndim == 2)
            return found->shape[1] > found->shape[0];
    }
    return false;
}

/* q, k and v in one matrix, if its outputs are three times its inputs. */
static void take_fused(const struct parts *parts, struct fanin_record *record)
{
    static const char *const names[] = {"c_attn", "qkv", "qkv_proj", "to_qkv", "wqkv", "w_qkv", NULL};
    const int64_t *shape = record->tensor.shape;
    bool in_out = record->layout == FANIN_LAYOUT_IN_OUT;
    if (!is_one_of(parts->last, names) || shape[in_out ? 1 : 0] != 3 * shape[in_out ? 0 : 1])
        return;
    record->nblocks = 3;
    record->blocks = "q,k,v";
}

static void take_matrix(const fanin_diagnosis *diagnosis, const struct parts *parts, struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    tensor->role = "weight";
    if (is_embedding_name(parts->last)) {
        tensor->layer_kind = FANIN_LAYER_EMBEDDING;
        return;
    }
    tensor->layer_kind = FANIN_LAYER_LINEAR;
    if (bias_counts_second_axis(diagnosis, parts, tensor) || is_gpt2_conv1d(diagnosis, tensor->name, parts))
        record->layout = FANIN_LAYOUT_IN_OUT;
    take_fused(parts, record);
}

static void take_kernel(const fanin_diagnosis *diagnosis, const char *name, const struct parts *parts,
                        struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    bool depthwise = strstr(name, "depthwise") != NULL || strstr(parts->last, "dw") != NULL;
    bool transposed =
        is_transposed_name(parts->last) || (tensor->shape[1] > 1 && bias_counts_second_axis(diagnosis, parts, tensor));
    tensor->role = "weight";
    tensor->layer_kind = conv_kind(tensor->ndim, transposed);
    record->layout = transposed ? FANIN_LAYOUT_TRANSPOSED : FANIN_LAYOUT_OUT_IN;
    if (depthwise && !transposed && tensor->shape[1] == 1 && tensor->shape[0] <= INT32_MAX)
        record->groups = (int32_t)tensor->shape[0];
}

static void take_weight(const fanin_diagnosis *diagnosis, const char *name, const struct parts *parts,
                        struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    if (tensor->ndim < 2)
        take_vector(diagnosis, parts, record);
    else if (is_norm_name(parts->last) || has_norm_bias(diagnosis, parts, tensor))
        tensor->role = "norm_weight";
    else if (tensor->ndim == 2)
        take_matrix(diagnosis, parts, record);
    else if (tensor->ndim == 3 && strstr(name, "expert") != NULL) {
        tensor->role = "weight";
        tensor->layer_kind = FANIN_LAYER_LINEAR;
        record->is_stacked = true;
    } else if (tensor->ndim <= 5)
        take_kernel(diagnosis, name, parts, record);
}

/* Flax and Keras: [in, out], [kernel..., in, out]. */
static void take_in_out(struct fanin_record *record)
{
    fanin_diagnosis_tensor *tensor = &record->tensor;
    tensor->role = "weight";
    record->layout = FANIN_LAYOUT_IN_OUT;
    if (tensor->ndim == 2)
        tensor->layer_kind = FANIN_LAYER_LINEAR;
    else if (tensor->ndim >= 3 && tensor->ndim <= 5)
        tensor->layer_kind = conv_kind(tensor->ndim, false);
}

/* A bias belongs to a norm if the weight beside it has no more dimensions. */
static void take_bias(const fanin_diagnosis *diagnosis, const struct parts *parts, struct fanin_record *record)
{
    const struct fanin_record *weight = beside(diagnosis, parts, "weight");
    if (weight == NULL)
        weight = beside(diagnosis, parts, "kernel");
    bool norm = weight != NULL ? weight->tensor.ndim <= record->tensor.ndim : is_norm_name(parts->last);
    record->tensor.role = norm ? "norm_bias" : "bias";
}

/* Experts of transformers' newer models: one tensor for all, named like a module. */
static bool take_experts(const char *name, const struct parts *parts, struct fanin_record *record)
{
    static const char *const leaves[] = {"gate_up_proj", "down_proj", "gate_proj", "up_proj", "w1", "w2", "w3", NULL};
    if (record->tensor.ndim != 3 || strstr(name, "expert") == NULL || !is_one_of(parts->leaf, leaves))
        return false;
    record->tensor.role = "weight";
    record->tensor.layer_kind = FANIN_LAYER_LINEAR;
    record->is_stacked = true;
    return true;
}

/* ---- families ---- */

struct family_name {
    const char *family;
    const char *role; /* what a role ends in that only this family has */
};

static const struct family_name family_names[] = {
    {"gpt2", "h.#.attn.c_attn.weight"},
    {"gpt_neox", "layers.#.attention.query_key_value.weight"},
    {"bloom", "h.#.self_attention.query_key_value.weight"},
    {"gptj", "h.#.attn.out_proj.weight"},
    {"opt", "decoder.embed_positions.weight"},
    {"mamba", "layers.#.mixer.A_log"},
    {"t5", "block.#.layer.#.SelfAttention.q.weight"},
    {"vit", "encoder.layer.#.attention.attention.query.weight"},
    {"distilbert", "transformer.layer.#.attention.q_lin.weight"},
    {"bert", "encoder.layer.#.attention.self.query.weight"},
    {"whisper", "encoder.conv1.weight"},
    {"llama", "layers.#.mlp.gate_proj.weight"},
    {"timm vit", "blocks.#.attn.qkv.weight"},
    {"swin", "layers.#.blocks.#.attn.relative_position_bias_table"},
    {"torch.nn transformer", "layers.#.self_attn.in_proj_weight"},
    {"torchvision resnet", "layer1.#.conv1.weight"},
    {"torchvision densenet", "features.denseblock1.denselayer1.conv1.weight"},
};

const char *fanin_facts_family(const fanin_diagnosis *diagnosis)
{
    for (size_t f = 0; f < sizeof family_names / sizeof family_names[0]; f++)
        for (size_t r = 0; r < diagnosis->nroles; r++) {
            if (fanin_name_ends_in(diagnosis->roles[r].pattern, family_names[f].role))
                return family_names[f].family;
        }
    return NULL;
}

/* ---- all ---- */

/* Weight normalization keeps direction and length apart; the direction is what is drawn. */
static bool is_weight_norm(const struct parts *parts)
{
    return strcmp(parts->leaf, "weight_v") == 0 ||
           (strcmp(parts->leaf, "original1") == 0 && ends_in(parts->module, "parametrizations.weight"));
}

/* Names under which a layer and the batch norm behind it stand side by side. */
static const char *const norms_beside[][2] = {
    {"conv", "bn"}, {"convolution", "normalization"}, {"conv", "norm"}, {"fc", "bn"}};

static bool has_running_variance(const fanin_diagnosis *diagnosis, const char *module, int64_t nchannels)
{
    char name[MAX_NAME + 64];
    snprintf(name, sizeof name, "%.*s.running_var", MAX_NAME + 32, module);
    size_t i = fanin_names_find(&diagnosis->names, name);
    return i != SIZE_MAX && diagnosis->records[i].tensor.ndim == 1 &&
           diagnosis->records[i].tensor.shape[0] == nchannels;
}

/* "features.0" and "features.1", "conv1" and "bn1". */
static bool has_norm_behind(const fanin_diagnosis *diagnosis, const struct parts *parts, int64_t nchannels)
{
    char module[MAX_NAME + 32];
    const char *dot = strrchr(parts->module, '.'), *last = dot != NULL ? dot + 1 : parts->module;
    const int nfront = (int)(last - parts->module);
    if (is_number(last, strlen(last)) && strlen(last) < 9) {
        unsigned number = 0;
        for (const char *c = last; *c != '\0'; c++)
            number = number * 10 + (unsigned)(*c - '0');
        snprintf(module, sizeof module, "%.*s%u", nfront, parts->module, number + 1);
        return has_running_variance(diagnosis, module, nchannels);
    }
    for (size_t i = 0; i < sizeof norms_beside / sizeof norms_beside[0]; i++) {
        const size_t n = strlen(norms_beside[i][0]), m = strlen(last);
        if (!begins_with(last, norms_beside[i][0]) || (m > n && !is_number(last + n, m - n)))
            continue;
        snprintf(module, sizeof module, "%.*s%s%s", nfront, parts->module, norms_beside[i][1], last + n);
        if (has_running_variance(diagnosis, module, nchannels))
            return true;
    }
    return false;
}

void fanin_facts_by_norm(const fanin_diagnosis *diagnosis, struct fanin_record *record)
{
    struct parts parts;
    const fanin_diagnosis_tensor *tensor = &record->tensor;
    const bool transposed = tensor->layer_kind >= FANIN_LAYER_CONV_TRANSPOSE1D &&
                            tensor->layer_kind <= FANIN_LAYER_CONV_TRANSPOSE3D; /* whatever its fans are counted by */
    const int out = record->layout == FANIN_LAYOUT_IN_OUT ? tensor->ndim - 1 : transposed ? 1 : 0;
    if (!tensor->is_weight || record->norm_follows != FANIN_UNKNOWN)
        return;
    split(tensor->name, &parts);
    if (parts.module[0] != '\0' && has_norm_behind(diagnosis, &parts, tensor->shape[out]))
        record->norm_follows = FANIN_YES;
}

void fanin_facts_by_sibling(const fanin_diagnosis *diagnosis, struct fanin_record *record)
{
    struct parts parts;
    if (strcmp(record->tensor.role != NULL ? record->tensor.role : "", "bias") != 0 &&
        record->part != FANIN_PART_NORM_BIAS)
        return;
    split(record->tensor.name, &parts);
    const struct fanin_record *weight = beside(diagnosis, &parts, "weight");
    if (weight != NULL && record->tensor.layer_kind == FANIN_LAYER_NONE)
        record->tensor.layer_kind = weight->tensor.layer_kind;
}

void fanin_facts_by_name(const fanin_diagnosis *diagnosis, struct fanin_record *record)
{
    struct parts parts;
    const char *name = record->tensor.name;
    split(name, &parts);
    const char *leaf = parts.leaf;
    if (take_buffer(&parts, record) || take_recurrent(diagnosis, &parts, record) || take_attention(&parts, record) ||
        take_experts(name, &parts, record))
        ;
    else if (strcmp(leaf, "weight") == 0 || is_weight_norm(&parts))
        take_weight(diagnosis, name, &parts, record);
    else if (strcmp(leaf, "kernel") == 0)
        take_in_out(record);
    else if (strcmp(leaf, "embedding") == 0 && record->tensor.ndim == 2) {
        record->tensor.role = "weight";
        record->tensor.layer_kind = FANIN_LAYER_EMBEDDING;
    } else if (strcmp(leaf, "bias") == 0)
        take_bias(diagnosis, &parts, record);
    else if ((strcmp(leaf, "gamma") == 0 || strcmp(leaf, "scale") == 0) && is_norm_name(parts.last))
        record->tensor.role = "norm_weight";
    else if (strcmp(leaf, "beta") == 0 && is_norm_name(parts.last))
        record->tensor.role = "norm_bias";
    fanin_facts_by_role(record);
}
