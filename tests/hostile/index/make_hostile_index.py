#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
#
# Writes the hostile (and the odd but good) indexes of shards of this folder, one folder a case, and expected.txt: what
# the reader must say of each when it is given the folder.

import json
import os
import struct

FOLDER = os.path.dirname(os.path.abspath(__file__))
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
CASES = []


def shard(*names):
    """A file with one F32 element under each name."""
    header = {n: {"dtype": "F32", "shape": [1], "data_offsets": [4 * i, 4 * i + 4]} for i, n in enumerate(names)}
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + bytes(4 * len(names))


TWO = {FIRST: shard("a", "b"), SECOND: shard("c")}
MAP = {"a": FIRST, "b": FIRST, "c": SECOND}


def index(weight_map=None, total=12, **more):
    value = {"metadata": {"total_size": total}, "weight_map": MAP if weight_map is None else weight_map}
    value.update(more)
    return json.dumps(value, indent=2) + "\n"


def bad(name, text, message, shards=None, status="format"):
    CASES.append(("bad-" + name, text, TWO if shards is None else shards, status, message))


def good(name, text, warning="-", shards=None):
    CASES.append(("good-" + name, text, TWO if shards is None else shards, "ok", warning))


# -- Names that lead elsewhere

bad("name-parent", index({"a": "../../x.safetensors"}), "leads to another folder")
bad("name-parent-hidden", index({"a": "x/../../y.safetensors"}), "leads to another folder")
bad("name-absolute", index({"a": "/etc/passwd"}), "absolute path")
bad("name-subfolder", index({"a": "a/b.safetensors"}), "leads to another folder")
bad("name-backslash", index({"a": "..\\x.safetensors"}), "leads to another folder")
bad("name-empty", index({"a": ""}), "is empty")
bad("name-dot", index({"a": "."}), "leads to another folder")
bad("name-dot-dot", index({"a": ".."}), "leads to another folder")
bad("name-nul", index({"a": "x\0.safetensors"}), "NUL")
bad("name-pickle", index({"a": "pytorch_model.bin"}), "does not end in .safetensors")
bad("name-suffix-only", index({"a": ".safetensors"}), "does not end in .safetensors")
bad("name-number", index({"a": 1}), "must be the name of a file, not an integer")
bad("name-null", index({"a": None}), "must be the name of a file, not null")
bad("name-drives-terminal", index({"a": "\x1b[2J/"}), '("\\x1b[2J/")')
bad("tensor-nul", index({"a\0b": FIRST}), "NUL")

# -- Shards that disagree

bad("shard-missing", index(), "model-00002-of-00002.safetensors", {FIRST: TWO[FIRST]}, "io")
bad("shard-broken", index(), "cut short", {FIRST: TWO[FIRST], SECOND: TWO[SECOND][:20]})
bad("shard-empty-file", index(), "0 bytes long", {FIRST: TWO[FIRST], SECOND: b""})
bad("tensor-not-in-shard", index({**MAP, "d": SECOND}), "lists tensor d in model-00002-of-00002.safetensors, which does")
bad("tensor-not-listed", index({"a": FIRST, "c": SECOND}), "does not list tensor b")
bad("last-tensor-not-listed", index({"a": FIRST, "b": FIRST, "c": SECOND}), "does not list tensor d",
    {FIRST: TWO[FIRST], SECOND: shard("c", "d")})
bad("tensor-in-two-shards", index(), "tensor b is in two shards", {FIRST: TWO[FIRST], SECOND: shard("b", "c")})
bad("tensor-in-other-shard", index({"a": FIRST, "b": SECOND, "c": SECOND}), "lists tensor b in model-00002")
bad("shards-differ-by-case", index({"a": "X.safetensors", "b": "x.safetensors"}), "differ only by case", {})

# -- The JSON

bad("total-size-wrong", index(total=13), "total_size is 13, but the tensors take 12")
bad("total-size-zero", index(total=0), "total_size is 0")
bad("total-size-2-to-64", index(total=2**64), ":3:")
bad("total-size-negative", index(total=-1), "total_size must be")
bad("total-size-fraction", index(total=12.0), "total_size must be")
bad("total-size-string", index(total="12"), "total_size must be")
bad("metadata-array", index(metadata=[]), "metadata must be an object")
bad("no-weight-map", json.dumps({"metadata": {}}), "has no weight_map")
bad("weight-map-array", index([]), "weight_map must be an object")
bad("weight-map-empty", index({}), "weight_map is empty")
bad("not-an-object", "[]", "must be an object")
bad("empty-file", "", ":1:1: ")
bad("a-config", json.dumps({"architectures": ["GPT2LMHeadModel"], "n_embd": 768}), "has no weight_map")
bad("duplicate-tensor", '{"weight_map":{"a":"%s","a":"%s"}}' % (FIRST, SECOND), '"a"')
bad("duplicate-map", '{"weight_map":{},"weight_map":{}}', "weight_map")
bad("cut", index()[:60], ":5:")
bad("nested", '{"weight_map":' + "[" * 100, "deep")

# -- Odd, but all agrees

good("plain", index())
good("no-metadata", json.dumps({"weight_map": MAP}))
good("no-total-size", json.dumps({"metadata": {}, "weight_map": MAP}))
good("more-metadata", json.dumps({"metadata": {"total_size": 12, "total_parameters": 3}, "weight_map": MAP}))
good("unknown-field", index(comment="x"), 'the unknown field "comment" is ignored.')
good("one-shard", index({"a": "only.safetensors"}, total=4), "-", {"only.safetensors": shard("a")})
good("file-not-listed", index(), "-", {**TWO, "other.safetensors": shard("z")})

with open(os.path.join(FOLDER, "expected.txt"), "w", encoding="utf-8") as expected:
    expected.write("# folder | status | what the message (bad) or a warning (good) holds; written by make_hostile_index.py\n")
    for name, text, shards, status, message in CASES:
        folder = os.path.join(FOLDER, name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
            file.write(text)
        for stem, data in shards.items():
            with open(os.path.join(folder, stem), "wb") as file:
                file.write(data)
        expected.write("%s | %s | %s\n" % (name, status, message))
