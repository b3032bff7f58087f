/* SPDX-License-Identifier: MIT */
/*
 * One rule for every layer of a kind, whatever the layers are called: what model.apply(init_weights) is for in PyTorch.
 * Reads a model and rules, makes the plan, prints it and runs it; by_layer_kind.spec.json holds the same in one file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fanin/fanin.h>

static const char model_text[] =
    "{\"format\": \"fanin-spec\", \"version\": 1, \"dtype\": \"f32\", \"tensors\": ["
    "  {\"name\": \"tokens\", \"embedding\": {\"num_embeddings\": 100, \"embedding_dim\": 16, \"padding_idx\": 0}},"
    "  {\"name\": \"stem\", \"conv1d\": [16, 32, 3]},"
    "  {\"name\": \"stem_norm\", \"layer_norm\": 32},"
    "  {\"name\": \"memory\", \"gru\": [32, 32]},"
    "  {\"name\": \"hidden\", \"linear\": [32, 64]},"
    "  {\"name\": \"out\", \"linear\": [64, 5]}]}";

/* The first rule that matches a tensor decides. */
static const char rules_text[] =
    "{\"format\": \"fanin-recipe\", \"version\": 1, \"rules\": ["
    "  {\"layer\": \"conv1d\", \"role\": \"weight\", \"init\": \"kaiming_normal(mode=fan_out, nonlinearity=relu)\"},"
    "  {\"layer\": \"linear\", \"role\": \"weight\", \"init\": \"xavier_uniform\"},"
    "  {\"layer\": \"gru\", \"role\": \"weight_hh\", \"init\": \"orthogonal\", \"per_gate\": true},"
    "  {\"layer\": \"embedding\", \"row\": 0, \"init\": \"zeros\"},"
    "  {\"layer\": \"embedding\", \"init\": \"normal(std=0.02)\"},"
    "  {\"layer\": \"layer_norm\", \"init\": \"torch_default\"},"
    "  {\"match\": \"**.{bias,bias_*}\", \"init\": \"zeros\"},"
    "  {\"match\": \"**\", \"init\": \"xavier_uniform\"}]}";

static void must(fanin_status status, const fanin_error *error)
{
    if (status != FANIN_OK) {
        fprintf(stderr, "%s: %s\n", fanin_status_name(status), error->message);
        exit(1);
    }
}

static void print_op(const fanin_plan *plan, const fanin_plan_op *op)
{
    printf("%-20s %-7s %-52s at %5llu\n", fanin_plan_tensor_at(plan, op->tensor)->name,
           op->part != NULL ? op->part : "all", op->initializer, (unsigned long long)op->at);
}

/* A tensor made alone is what it is in the whole. */
static void print_values(const fanin_plan *plan, const fanin_run_options *options, const char *name)
{
    fanin_error error;
    size_t tensor = fanin_plan_tensor_find(plan, name);
    float *data = malloc((size_t)fanin_plan_tensor_at(plan, tensor)->nbytes);
    if (data == NULL)
        exit(1);
    must(fanin_run_tensor(plan, options, tensor, data, &error), &error);
    printf("%-20s %9.6f %9.6f %9.6f ...\n", name, data[0], data[1], data[2]);
    free(data);
}

int main(void)
{
    fanin_error error;
    fanin_model *model = NULL;
    fanin_recipe *recipe = NULL;
    fanin_plan *plan = NULL;
    fanin_digest digest;
    char hex[65];
    const fanin_run_options options = {.size = sizeof options, .seed = 42};

    must(fanin_model_parse(model_text, strlen(model_text), "model", &model, &error), &error);
    must(fanin_recipe_create(&recipe, &error), &error);
    must(fanin_recipe_parse(recipe, rules_text, strlen(rules_text), "rules", &error), &error);
    must(fanin_plan_create(model, recipe, NULL, &plan, &error), &error); /* whatever is wrong is said here */

    printf("The plan: what is done to which part, and at which draw of the stream it begins\n");
    for (size_t i = 0; i < fanin_plan_op_count(plan); i++)
        print_op(plan, fanin_plan_op_at(plan, i));

    printf("\nFirst values from seed 42\n");
    print_values(plan, &options, "hidden.weight");
    print_values(plan, &options, "memory.weight_hh_l0");
    must(fanin_run_digest(plan, &options, &digest, &error), &error);
    fanin_digest_hex(&digest, hex);
    printf("\nContent digest of the whole: %.16s...\n", hex);

    fanin_plan_free(plan);
    fanin_recipe_free(recipe);
    fanin_model_free(model);
    return 0;
}
