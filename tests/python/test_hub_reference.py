#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Folders made from a config.json, opened by transformers, and their shards against the hub's own split.

Exits 77, saying why, where transformers, huggingface_hub or the fanin command are missing.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIP = 77
CONFIGS = {
    "gpt2": {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 64, "n_layer": 3, "n_head": 4,
             "n_positions": 128, "vocab_size": 500, "bos_token_id": 0, "eos_token_id": 0},
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 160, "vocab_size": 300,
              "max_position_embeddings": 64},
    "qwen3-tied": {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 64,
                   "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
                   "intermediate_size": 160, "vocab_size": 300, "max_position_embeddings": 64,
                   "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 0},
}
# one file; shards; shards of one or two tensors, some of them alone beyond the limit
LIMITS = ["5GB", "200KB", "20KB"]


def skip(why):
    print("skipped: " + why)
    return SKIP


def check(name, config, limit, dtype, command, folder):
    """What is wrong, as a list of sentences."""
    from huggingface_hub import split_torch_state_dict_into_shards
    from transformers import AutoModelForCausalLM

    source = folder / (name + ".json")
    source.write_text(json.dumps(config), encoding="utf-8")
    out = folder / ("%s-%s-%s" % (name, limit, dtype))
    subprocess.run([command, "init", str(source), "-o", str(out), "--seed", "1", "--dtype", dtype, "--max-shard-size",
                    limit], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    model, info = AutoModelForCausalLM.from_pretrained(str(out), output_loading_info=True)
    faults = ["%s: %s" % (key, value) for key, value in info.items() if value]
    if str(model.dtype) != {"f32": "torch.float32", "bf16": "torch.bfloat16"}[dtype]:
        faults.append("loaded as %s" % model.dtype)
    split = split_torch_state_dict_into_shards(model.state_dict(), max_shard_size=limit)
    files = sorted(path.name for path in out.glob("*.safetensors"))
    if files != sorted(split.filename_to_tensors):
        faults.append("files %s, the hub makes %s" % (files, sorted(split.filename_to_tensors)))
    index_path = out / "model.safetensors.index.json"
    if split.is_sharded != index_path.exists():
        faults.append("an index where there should be none, or none")
    elif split.is_sharded:
        text = index_path.read_text(encoding="utf-8")
        index = json.loads(text)
        if text != json.dumps(index, indent=2, sort_keys=True) + "\n":
            faults.append("the index is written otherwise")
        if index["metadata"] != split.metadata:
            faults.append("metadata %s, the hub writes %s" % (index["metadata"], split.metadata))
        # of tied names the hub lists all in the shard of the first, although the file holds one
        listed = {k: v for k, v in split.tensor_to_filename.items() if k in index["weight_map"]}
        if index["weight_map"] != listed or set(split.tensor_to_filename) - set(listed) - {"lm_head.weight"}:
            faults.append("another split than the hub's")
    print("%-10s %-5s %-6s %2d files  %s" % (name, dtype, limit, len(files), "; ".join(faults) or "as the hub does"))
    return faults


def main():
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import huggingface_hub
        import torch
        import transformers
    except ImportError as e:
        return skip("the reference cannot be imported (%s)" % e)
    command = os.environ.get("FANIN_COMMAND", os.path.join("build", "bin", "fanin"))
    if not os.access(command, os.X_OK):
        return skip("%s is not there" % command)
    print("transformers %s, huggingface_hub %s, torch %s" % (transformers.__version__, huggingface_hub.__version__,
                                                             torch.__version__))
    transformers.logging.set_verbosity_error()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for name, config in CONFIGS.items():
            for limit in LIMITS:
                for dtype in ("f32", "bf16"):
                    faults += check(name, config, limit, dtype, command, pathlib.Path(folder))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
