#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The plans of examples/plans: what the library makes of them has the digests that were recorded with them. Needs neither
torch nor NumPy; exits 77 where the library was built with sanitizers."""

import hashlib
import json
import math
import os
import subprocess
import sys

import python_package

fanin = python_package.fanin()
raises = python_package.raises

PLANS = sorted((python_package.ROOT / "examples" / "plans").glob("*.plan.json"))
# Of each plan the smallest tensors, up to so many bytes: all of the small plans.
MAX_NBYTES = 120_000_000
NBYTES = {"bool": 1, "u8": 1, "i64": 8, "f32": 4, "bf16": 2}


def array_of(tensor):
    memory = bytearray(tensor.nelem * NBYTES[tensor.dtype])
    view = (
        fanin.view(memory, dtype=tensor.dtype)
        if NBYTES[tensor.dtype] == 1
        else fanin.view(memoryview(memory).cast({8: "Q", 4: "I", 2: "H"}[NBYTES[tensor.dtype]]), dtype=tensor.dtype)
    )
    return memory, view


def test_there_are_plans():
    assert [path.name.split(".plan")[0] for path in PLANS] == [
        "bert-base",
        "gpt2",
        "llama-3-8b",
        "qwen3-0.6b",
        "resnet50",
        "t5-small",
        "vit-base",
        "whisper-small",
    ]


def test_plans_say_where_they_come_from():
    for path in PLANS:
        described = json.loads(path.read_text())
        assert described["version"] == [1, 1] and set(described["source"]) >= {
            "class",
            "torch",
            "python",
            "recorded",
        }, path
        assert ("transformers" in described["source"]) == (path.name != "resnet50.plan.json")
        assert all("refused" not in tensor for tensor in described["tensors"]), path
        plan = fanin.Plan.load(path)
        assert plan.to_json() + "\n" == path.read_text(), path
        names = {tensor.name for tensor in plan.tensors}
        assert described["check"]["seed"] == "0" and set(described["check"]["sha256"]) == names, path


def test_tensors_have_their_digests():
    for path in PLANS:
        plan = fanin.Plan.load(path)
        digests = json.loads(path.read_text())["check"]["sha256"]
        budget, made = MAX_NBYTES, 0
        for tensor in sorted(plan.tensors, key=lambda t: (t.nbytes, t.name)):
            budget -= tensor.nbytes
            if budget < 0:
                break
            memory, view = array_of(tensor)
            plan.fill_blocks([(tensor.name, (0,), view)] if len(tensor.shape) == 1 else [], 0)
            if len(tensor.shape) != 1:
                shaped = fanin.View(view._c.data, tensor.dtype, tensor.shape, strides_of(tensor.shape), memory)
                plan.fill_blocks([(tensor.name, (0,) * len(tensor.shape), shaped)], 0)
            assert hashlib.sha256(memory).hexdigest() == digests[tensor.name], (path, tensor.name)
            made += 1
        print("%s: %d of %d tensors" % (path.name, made, len(plan)))
        assert made > 10


def test_a_block_of_the_largest_tensor():
    for path in PLANS:
        plan = fanin.Plan.load(path)
        tensor = max((t for t in plan.tensors if len(t.shape) == 2), key=lambda t: t.nelem)
        rows, columns = tensor.shape
        whole = bytearray(4 * columns * NBYTES[tensor.dtype])
        part = bytearray(2 * 10 * NBYTES[tensor.dtype])
        for memory, start, shape in ((whole, (rows - 4, 0), (4, columns)), (part, (rows - 2, columns - 10), (2, 10))):
            view = array_of(tensor._replace(nelem=math.prod(shape)))
            shaped = fanin.View(view[1]._c.data, tensor.dtype, shape, strides_of(shape), view[0])
            plan.fill_blocks([(tensor.name, start, shaped)], 3)
            memory[:] = view[0]
        size = NBYTES[tensor.dtype]
        expected = b"".join(
            bytes(whole[size * (row * columns + columns - 10) : size * (row + 1) * columns]) for row in (2, 3)
        )
        assert bytes(part) == expected, path


def test_the_command():
    command = os.path.join(os.environ.get("FANIN_BUILD_DIR", "build/release"), "bin", "fanin")
    if not os.access(command, os.X_OK):
        print("there is no %s" % command)
        return

    def fanin_command(*arguments):
        done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    for path in PLANS:
        if path.name.startswith(("resnet50", "t5", "vit")):
            assert " 0 different" in fanin_command("verify", str(path)), path
        if path.name.startswith("resnet50"):
            fanin_command("init", str(path), "--seed", "7", "--force", "-o", "shipped.safetensors")
            assert " 0 different" in fanin_command("verify", "shipped.safetensors")
            os.unlink("shipped.safetensors")


def strides_of(shape):
    return tuple(math.prod(shape[d + 1 :]) for d in range(len(shape)))


if __name__ == "__main__":
    sys.exit(python_package.run(globals()))
