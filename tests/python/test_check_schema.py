#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/check.schema.json against what fanin check prints of good, broken and odd checkpoints, and objects that are wrong.

Exits 77, saying why, where jsonschema with draft 2020-12 or the command is missing.
"""
import copy
import json
import math
import os
import pathlib
import struct
import subprocess
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("skipped: no jsonschema with draft 2020-12 can be imported")
    sys.exit(77)

ROOT = pathlib.Path(os.environ.get("FANIN_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
FANIN = os.environ.get("FANIN_COMMAND")
if not FANIN:
    print("skipped: the command was not built")
    sys.exit(77)

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "I64": 8, "U8": 1, "BOOL": 1}


def write(path, tensors):
    """Tensors are name: (dtype, shape, bytes)."""
    header, data = {}, b""
    for name, (dtype, shape, values) in tensors.items():
        assert len(values) == math.prod(shape) * SIZES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def floats(n, value):
    return struct.pack("<%df" % n, *(value(i) if callable(value) else value for i in range(n)))


def checkpoints():
    """Pairs of a name and the options that it is checked with."""
    run = lambda *words: subprocess.run([FANIN, *words], check=True, capture_output=True)
    for path in sorted(ROOT.glob("examples/*.spec.json")):
        run("init", str(path), "-o", path.stem, "--seed", "18446744073709551615", "-q", "--force")
        yield path.stem, []
        yield path.stem, ["--deep", "--target", "f8_e4m3", "--activation", "relu", "--expect", "plan"]
    wave = lambda i: math.sin(i * i * 0.7) * 0.1
    nan, inf = float("nan"), float("inf")
    yield write("broken.safetensors", {
        "a.0.weight": ("F32", [16, 8], floats(128, nan)), "a.1.weight": ("F32", [16, 8], floats(128, 0.0)),
        "a.2.weight": ("F32", [16, 8], floats(128, 0.5)), "a.3.weight": ("F32", [16, 8], floats(128, wave)),
        "a.4.weight": ("F32", [16, 8], floats(128, lambda i: inf if i == 7 else wave(i))),
        "b.weight": ("F32", [16, 8], floats(128, lambda i: 1e37 if i == 3 else wave(i))),
        "c.weight": ("F32", [16, 8], floats(128, wave)), "d.weight": ("F32", [16, 8], floats(128, wave))}), []
    yield write("odd.safetensors", {
        "empty": ("F32", [0, 9007199254740993], b""), "scalar": ("F64", [], struct.pack("<d", -0.0)),
        "one": ("BF16", [1], b"\x80\x3f"), "int": ("I64", [3], bytes(24)), "bool": ("BOOL", [2], b"\0\1"),
        "byte": ("U8", [4], b"\0\1\2\3"), "eight": ("F8_E5M2", [2, 3], bytes(6)), "more": ("F8_E4M3", [1, 1, 2], b"\x7f\xff"),
        "half": ("F16", [2, 2], b"\0\x7c\0\xfc\1\0\0\0"), "nine": ("F32", [1] * 9, bytes(4)),
        "\u202e\x07\"\\weight\x7f\x9b\u00e4": ("F32", [2, 2], floats(4, nan))}), []
    yield write("none.safetensors", {}), []


def wrong_objects(found):
    """Objects that break the form in one place each."""

    def edited(what, edit):
        wrong = copy.deepcopy(found)
        edit(wrong)
        return what, wrong

    yield edited("version", lambda c: c.update(version=2))
    yield edited("unknown key", lambda c: c.update(more=1))
    yield edited("seed as a number", lambda c: c.update(seed=1))
    yield edited("no verdict", lambda c: c.pop("nerror"))
    yield edited("severity", lambda c: c["findings"][0].update(severity="fatal"))
    yield edited("id", lambda c: c["findings"][0].update(id="S01"))
    yield edited("rule without a call", lambda c: c["findings"][0].update(rule="a.weight"))
    yield edited("number as text", lambda c: c["findings"][0].update(measured="nan"))
    yield edited("finding without a place", lambda c: c["findings"][0].pop("where"))
    yield edited("dtype", lambda c: c["tensors"][0].update(dtype="F32"))
    yield edited("negative size", lambda c: c["tensors"][0].update(shape=[-1]))
    yield edited("rounded size", lambda c: c["tensors"][0].update(shape=[9007199254740994]))
    yield edited("small size as text", lambda c: c["tensors"][0].update(shape=["12"]))
    yield edited("law", lambda c: c["tensors"][0].update(fitted={"kind": "normal", "low": 0, "high": 1}))
    yield edited("histogram", lambda c: c["tensors"][0]["statistics"]["histogram"].pop())
    yield edited("hash", lambda c: c["tensors"][0]["statistics"].update(hash="12"))
    yield edited("integers with a mean", lambda c: c["tensors"][0]["statistics"].update(is_float=False))


def refuse_constant(word):
    raise ValueError("%s is no JSON" % word)


def main():
    schema = json.loads((ROOT / "docs/check.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    failed = nvalid = nwrong = nfindings = 0
    broken = None
    for path, options in checkpoints():
        result = subprocess.run([FANIN, "check", path, "--json", "-q", *options], capture_output=True)
        name = "%s %s" % (path, " ".join(options))
        if result.returncode not in (0, 1) or any(byte < 0x20 and byte != 0x0A or byte == 0x7F for byte in result.stdout):
            print("%s: exit %d: %s" % (name, result.returncode, result.stderr.decode()))
            failed += 1
            continue
        found = json.loads(result.stdout.decode(), parse_constant=refuse_constant)
        nvalid += 1
        nfindings += len(found["findings"])
        for error in validator.iter_errors(found):
            print("%s: %s: %s" % (name, "/".join(map(str, error.absolute_path)), error.message[:300]))
            failed += 1
        if len(found["tensors"]) != found["ntensors"]:
            print("%s: %d tensors of %d" % (name, len(found["tensors"]), found["ntensors"]))
            failed += 1
        for severity in ("error", "warn", "info"):
            if sum(f["severity"] == severity for f in found["findings"]) != found["n" + severity]:
                print("%s: the number of findings that are %s" % (name, severity))
                failed += 1
        broken = found if path == "broken.safetensors" else broken
    assert nvalid >= 7 and nfindings >= 4 and broken and broken["findings"], "too little was checked"
    for what, wrong in wrong_objects(broken):
        nwrong += 1
        if validator.is_valid(wrong):
            print("accepted, though it is wrong: %s" % what)
            failed += 1
    print("%d objects with %d findings, %d wrong ones, %d failures" % (nvalid, nfindings, nwrong, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
