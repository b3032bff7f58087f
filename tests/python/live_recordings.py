#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A few models of each library, recorded and made in every way a plan can be run (recording/record_models.py does all).
Exits 77, saying why, where torch or every one of the libraries is missing."""

import importlib.util
import os
import pathlib
import sys

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
python_package.need("numpy")
if tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 13):
    python_package.skip("torch %s is older than 2.13" % torch.__version__)
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "recording"))

import record_models  # noqa: E402

# Plain, with dead draws, with tables, data-dependent, with bits of the host, in bfloat16.
MODELS = {
    "transformers": ("gpt2", "t5", "bert", "whisper", "modernbert", "mamba", "wav2vec2"),
    "transformers-bf16": ("llama", "qwen3"),
    "torchvision": ("resnet18", "swin_t"),
    "timm": ("vit_tiny_patch16_224", "levit_128s"),
}


def main():
    torch.set_num_threads(1)
    failed = done = 0
    for kind, names in MODELS.items():
        library = kind.split("-")[0]
        if importlib.util.find_spec(library) is None:
            print("%s cannot be imported: its models are left out" % library)
            continue
        for name in names:
            try:
                row = record_models.check_model(fanin, kind, name, record_models.kinds()[kind][1](name))
            except Exception as e:
                print("%s %s: %s: %s" % (kind, name, type(e).__name__, e))
                failed += 1
                continue
            done += 1
            print("%s %s: %d tensors, %d of the host, %.1f s" % (kind, name, row["tensors"], row["host"], row["s"]))
            if row["refused"]:
                print("refused: %s" % row["refused"])
                failed += 1
    if not done and not failed:
        return python_package.skip("none of transformers, torchvision and timm can be imported")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
