#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python -m fanin.record as its users see it. Exits 77 where torch cannot be imported."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import python_package

fanin = python_package.fanin()
torch = python_package.need("torch")
python_package.need("numpy")
if tuple(int(x) for x in torch.__version__.split(".")[:2]) < (2, 13):
    python_package.skip("torch %s is older than 2.13" % torch.__version__)

FOLDER = pathlib.Path(tempfile.mkdtemp())
MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8, bias=True):
        super().__init__()
        self.a = nn.Linear(width, 30, bias=bias)
        self.b = nn.Parameter(torch.empty(3))

class inner:
    build = staticmethod(lambda width: nn.Linear(width, 3))

def decides():
    w = torch.randn(30, 30)
    return {"w": w, "v": torch.randn(int(w.abs().sum() * 1000))}

def breaks():
    raise ValueError("no such width")
"""
(FOLDER / "nets.py").write_text(MODULE)


def record(*arguments, status=0):
    """(output, errors) of the command."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "fanin.record", *arguments],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(python_package.ROOT / "python")},
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def load(name):
    return json.loads((FOLDER / name).read_text())


def test_a_callable_of_ones_own():
    out, _ = record("nets:Net", "--set", "width=16", "--set", "bias=false", "-o", "net.plan.json")
    assert "net.plan.json: 2 tensors, 480 draws of torch-2.13" in out
    assert "refused b: never initialized" in out
    plan = load("net.plan.json")
    assert plan["version"] == [1, 1] and plan["source"]["class"] == "nets.Net"
    assert [t["shape"] for t in plan["tensors"]] == [[3], [30, 16]]
    assert plan["check"]["seed"] == "0" and set(plan["check"]["sha256"]) == {"a.weight"}
    text = (FOLDER / "net.plan.json").read_text()
    assert fanin.Plan.load(FOLDER / "net.plan.json").to_json() + "\n" == text
    record("nets:inner.build", "--set", "width=4", "--dtype", "bfloat16", "--no-check", "-o", "inner.plan.json")
    plan = load("inner.plan.json")
    assert plan["storages"][0]["dtype"] == "bf16" and plan["source"]["dtype"] == "bfloat16" and "check" not in plan


def test_libraries():
    made = 0
    for source in ("torchvision:resnet18", "timm:resnet18"):
        if importlib.util.find_spec(source.split(":")[0]) is not None:
            record(source, "--no-check", "--set", "num_classes=7", "-o", "library.plan.json")
            assert [7, 512] in [t["shape"] for t in load("library.plan.json")["tensors"]]
            made += 1
    if importlib.util.find_spec("transformers") is not None:
        config = {"model_type": "gpt2", "n_layer": 1, "n_embd": 16, "n_head": 2, "vocab_size": 50, "n_positions": 8}
        (FOLDER / "config.json").write_text(json.dumps(config))
        for given in ("config.json", "."):
            record("transformers:GPT2LMHeadModel", "--config", given, "-o", "gpt2.plan.json")
            plan = load("gpt2.plan.json")
            assert [50, 16] in [t.get("shape") for t in plan["tensors"]] and "transformers" in plan["source"]
        record(
            "transformers:AutoModelForCausalLM",
            "--config",
            "gpt2",
            "--set",
            "n_layer=1",
            "--no-check",
            "-o",
            "auto.plan.json",
        )
        assert "config" in record("transformers:GPT2LMHeadModel", "-o", "x.json", status=1)[1]
        assert (
            "neither a file nor a model type"
            in record("transformers:GPT2LMHeadModel", "--config", "gpt9", "-o", "x.json", status=1)[1]
        )
        assert len(record("transformers:GPT2LMHeadModel", "--config", "no.json", "-o", "x.json", status=1)[1]) < 200
        config.pop("model_type")  # the class knows its own
        (FOLDER / "plain.json").write_text(json.dumps(config))
        record("transformers:GPT2LMHeadModel", "--config", "plain.json", "--no-check", "-o", "plain.plan.json")
        assert (
            'has no "model_type"; add it'
            in record("transformers:AutoModel", "--config", "plain.json", "-o", "x.json", status=1)[1]
        )
        (FOLDER / "broken.json").write_text("{")
        assert "is not JSON" in record("transformers:AutoModel", "--config", "broken.json", "-o", "x.json", status=1)[1]
        assert "no NoSuch" in record("transformers:NoSuch", "--config", "gpt2", "-o", "x.json", status=1)[1]
        made += 1
    print("%d libraries" % made)


def test_what_cannot_be():
    for arguments, text in (
        (("nets", "-o", "x.json"), "LIBRARY:NAME"),
        (("nets:nothing", "-o", "x.json"), "nets has no nothing"),
        (("no_such_module:x", "-o", "x.json"), "no_such_module cannot be imported"),
        (("nets:Net", "--set", "width", "-o", "x.json"), "KEY=VALUE"),
        (("nets:Net", "--config", "c.json", "-o", "x.json"), "belongs to transformers"),
        (("nets:decides", "-o", "x.json"), "nets.py:16: the value of a random tensor decides"),
        (("nets:Net", "-o", "no/such/folder/x.json"), "no/such/folder"),
    ):
        _, errors = record(*arguments, status=1)
        assert text in errors and errors.startswith("fanin.record: "), errors
    assert "ValueError: no such width" in record("nets:breaks", "-o", "x.json", status=1)[1]
    record("nets:Net", status=2)
    assert not (FOLDER / "x.json").exists()


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
