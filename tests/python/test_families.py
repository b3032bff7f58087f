#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""config.json of every known family against transformers: names, shapes, order, ties, and what the values are.

Small configurations around every key that changes something. Names, shapes and their order must be transformers' own;
of each parameter that transformers initializes the standard deviation must agree within its statistical error, and
constants exactly. Exits 77, saying why, where torch, transformers, safetensors or the fanin command are missing.
"""
import itertools
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77
SIZES = {"vocab_size": 211, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 2,
         "num_attention_heads": 4}
GPT2 = {"model_type": "gpt2", "vocab_size": 211, "n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 37}

CONFIGS = [
    GPT2,
    {**GPT2, "n_inner": 100},
    {**GPT2, "n_inner": None, "tie_word_embeddings": False},
    {**GPT2, "n_layer": 5, "initializer_range": 0.1, "pad_token_id": 3},
    {**GPT2, "activation_function": "relu", "scale_attn_by_inverse_layer_idx": True},
    {"model_type": "gpt2", "vocab_size": 100, "hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 3,
     "max_position_embeddings": 20},
]
for family, keys in itertools.product(("llama", "mistral", "qwen2", "qwen3"), (
        {},
        {"num_key_value_heads": 2},
        {"num_key_value_heads": None},
        {"tie_word_embeddings": True, "pad_token_id": 5},
        {"head_dim": 20, "num_key_value_heads": 1, "initializer_range": 0.3},
        {"attention_bias": True, "num_key_value_heads": 4},
        {"mlp_bias": True, "pad_token_id": 0, "num_key_value_heads": 2, "num_hidden_layers": 3},
        {"num_attention_heads": 6, "num_key_value_heads": 3, "dtype": "bfloat16"})):
    if family != "mistral" or keys != {"num_key_value_heads": None}:  # which 4 took and 5 refuses
        CONFIGS.append({"model_type": family, **SIZES, **keys})
# Keys left to their defaults, where the sizes stay small enough to build on the meta device.
CONFIGS += [{"model_type": family, "num_hidden_layers": 1} for family in ("llama", "mistral", "qwen2", "qwen3")]
CONFIGS.append({"model_type": "gpt2"})


def skip(why):
    print("skipped: " + why)
    return SKIP


def run(command, *arguments):
    done = subprocess.run([command, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("fanin %s: %s" % (" ".join(arguments), done.stderr))
    return done.stdout


def shapes_of_plan(text):
    """(name, shape) in the plan's order, and the names that share a storage."""
    plan = json.loads(text)
    shapes, ties = {}, {}
    for tensor in plan["tensors"]:
        if "alias_of" in tensor:
            ties[tensor["name"]] = tensor["alias_of"]
        shapes[tensor["name"]] = shapes[tensor["alias_of"]] if "alias_of" in tensor else tensor["shape"]
    return list(shapes.items()), ties


def check_shapes(command, path, config, torch, transformers):
    found, ties = shapes_of_plan(run(command, "plan", "--json", "--quiet", str(path)))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(path.parent))
    expected = [(name, list(tensor.shape)) for name, tensor in model.state_dict().items()]
    if found != expected:
        different = [pair for pair in zip(found, expected) if pair[0] != pair[1]]
        print("%s: %d parameters instead of %d; first difference: %s" %
              (config, len(found), len(expected), different[:1]))
        return False
    head = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    if head != ("lm_head.weight" in ties):
        print("%s: the head is %stied" % (config, "" if head else "not "))
        return False
    return True


def check_values(command, path, config, torch, transformers, load_file):
    """The same law for every parameter: constants and zeroed rows exactly, deviations within six standard errors."""
    out = path.parent / "out"
    run(command, "init", "--seed", "1", "--quiet", str(path), "-o", str(out))
    found = load_file(str(out / "model.safetensors"))
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(path.parent))
    good = True
    for name, expected in model.state_dict().items():
        if name not in found:
            continue
        a, b = found[name].double(), expected.double()
        zero_rows = [(b if b.dim() == 2 else b.unsqueeze(1)).abs().sum(1) == 0,
                     (a if a.dim() == 2 else a.unsqueeze(1)).abs().sum(1) == 0]
        if not torch.equal(*zero_rows):
            print("%s: %s: other rows are zero" % (config, name))
            good = False
        if b.std() == 0 or b.numel() < 100:
            same = torch.equal(a, b)
        else:
            live = b[~zero_rows[0]].numel()
            a, b = a[~zero_rows[0]], b[~zero_rows[0]]
            error = 6 * b.std() / math.sqrt(live)  # of the mean; that of the deviation is smaller by sqrt(2)
            same = abs(a.std() - b.std()) < error and abs(a.mean() - b.mean()) < error * math.sqrt(2)
        if not same:
            print("%s: %s: mean %g, std %g instead of %g, %g" % (config, name, a.mean(), a.std(), b.mean(), b.std()))
            good = False
    return good


def main():
    command = os.environ.get("FANIN_COMMAND", "")
    if not os.access(command, os.X_OK):
        return skip("the fanin command is not there (FANIN_COMMAND)")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        import transformers
        from safetensors.torch import load_file
    except ImportError as e:
        return skip(str(e))
    if int(transformers.__version__.split(".")[0]) < 5:
        return skip("transformers %s: the defaults compared are those of 5" % transformers.__version__)
    transformers.logging.set_verbosity_error()
    good = valued = 0
    with tempfile.TemporaryDirectory() as folder:
        for i, config in enumerate(CONFIGS):
            path = pathlib.Path(folder) / str(i) / "config.json"
            path.parent.mkdir()
            path.write_text(json.dumps(config, indent=2))
            same = check_shapes(command, path, config, torch, transformers)
            # Values of the small ones; transformers makes 16-bit weights by other rules of torch than f32 ones.
            if same and "dtype" not in config and config.get("vocab_size", 10**6) < 1000:
                same = check_values(command, path, config, torch, transformers, load_file)
                valued += 1
            good += same
    print("%d of %d configurations agree with transformers %s, %d of them in their values too" %
          (good, len(CONFIGS), transformers.__version__, valued))
    return 0 if good == len(CONFIGS) else 1


if __name__ == "__main__":
    sys.exit(main())
