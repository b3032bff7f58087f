#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/plan.schema.json against every plan of the tree, what the command prints, and plans that are wrong.

Exits 77, saying why, where jsonschema with draft 2020-12 is missing.
"""
import copy
import json
import os
import pathlib
import re
import subprocess
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("skipped: no jsonschema with draft 2020-12 can be imported")
    sys.exit(77)

ROOT = pathlib.Path(os.environ.get("FANIN_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
FANIN = os.environ.get("FANIN_COMMAND")


def plans():
    for path in sorted(ROOT.glob("tests/golden/plans/*.plan.json")) + sorted(ROOT.glob("examples/**/*.plan.json")):
        yield str(path.relative_to(ROOT)), json.loads(path.read_text())
        if FANIN:
            text = subprocess.run([FANIN, "plan", str(path), "--json", "-q"], check=True, capture_output=True).stdout
            yield "%s as it is written" % path.name, json.loads(text)
    for i, text in enumerate(re.findall(r"```json\n(.*?)```", (ROOT / "docs/plan-format.md").read_text(), re.S)):
        yield "example %d of plan-format.md" % i, json.loads(text)
    for path in sorted(ROOT.glob("examples/*.spec.json")) if FANIN else ():
        text = subprocess.run([FANIN, "plan", str(path), "--json", "-q"], check=True, capture_output=True).stdout
        yield "the plan of %s" % path.name, json.loads(text)


def wrong_plans(plan):
    """Recordings that break the form in one place each."""

    def edited(what, edit):
        wrong = copy.deepcopy(plan)
        edit(wrong)
        return what, wrong

    def op(kind, wrong):
        return next(entry for entry in wrong["ops"] if entry["op"] == kind)

    yield edited("version", lambda p: p.update(version=[2, 0]))
    yield edited("recorded as a description", lambda p: p.update(version=[1, 0]))
    yield edited("unknown key", lambda p: p.update(more=1))
    yield edited("user's seed", lambda p: p["streams"][0].update(seed="7"))
    yield edited("seed of a stream", lambda p: p["streams"].append({"id": 2, "kind": "mt19937", "seed": "user"}))
    yield edited("seed as a number", lambda p: p["check"].update(seed=0))
    yield edited("source", lambda p: p["source"].update(torch=2.15))
    yield edited("dtype", lambda p: p["storages"][0].update(dtype="float32"))
    yield edited("elements", lambda p: p["storages"][0].update(n=-1))
    yield edited("kind", lambda p: p["tensors"][0].update(kind="state"))
    yield edited("parameter in no checkpoint", lambda p: p["tensors"][0].update(persistent=False))
    yield edited("alias with a shape", lambda p: p["tensors"][-1].update(shape=[1]))
    yield edited("dimensions", lambda p: p["tensors"][0].update(shape=[1] * 9))
    yield edited("base64", lambda p: p["literals"][0].update(data="AB="))
    yield edited("SHA-256", lambda p: p["literals"][0].update(sha256="00"))
    yield edited("value", lambda p: op("fill", p).update(value="NaN"))
    yield edited("no value", lambda p: op("fill", p).pop("value"))
    yield edited("draws of a constant", lambda p: op("fill", p).update(at=1))
    yield edited("no position", lambda p: op("normal", p).pop("at"))
    yield edited("cached", lambda p: op("normal", p).update(cached="before"))
    yield edited("std of uniform", lambda p: op("uniform", p).update(std=1))
    yield edited("source of a copy", lambda p: op("copy", p).pop("src"))
    yield edited("version of a source", lambda p: op("copy", p)["src"].update(version=1))
    yield edited("strides without sizes", lambda p: op("uniform", p).update(strides=[1]))
    yield edited("function without bits", lambda p: p["ops"].append(
        {"op": "exp", "s": 1, "n": 12, "src": {"s": 1, "sizes": [4, 3]}}))
    yield edited("clamp of nothing", lambda p: p["ops"].append(
        {"op": "clamp", "s": 1, "n": 12, "src": {"s": 1, "sizes": [4, 3]}}))
    yield edited("sum of one", lambda p: p["ops"].append(
        {"op": "add", "s": 1, "n": 12, "src": {"s": 1, "sizes": [4, 3]}}))
    yield edited("norm without dimensions", lambda p: p["ops"].append(
        {"op": "norm", "s": 1, "n": 4, "src": {"s": 1, "sizes": [4, 3]}, "bits": "host"}))
    yield edited("norm of exact bits", lambda p: p["ops"].append(
        {"op": "norm", "s": 1, "n": 4, "src": {"s": 1, "sizes": [4, 3]}, "dims": [1]}))
    yield edited("QR of exact bits", lambda p: p["ops"].append(
        {"op": "qr", "s": 1, "off": 0, "sizes": [4, 3], "n": 12, "src": {"s": 1, "sizes": [4, 3]}}))
    yield edited("explanation", lambda p: op("normal", p).update(explain={"why": "so"}))


def main():
    schema = json.loads((ROOT / "docs/plan.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    failed = nvalid = nwrong = 0
    recording = None
    for name, plan in plans():
        nvalid += 1
        for error in validator.iter_errors(plan):
            print("%s: %s: %s" % (name, "/".join(map(str, error.absolute_path)), error.message[:300]))
            failed += 1
        if "literals" in plan and any(entry["op"] == "copy" for entry in plan["ops"]) and "check" in plan:
            if name.startswith("example"):
                recording = plan
    assert recording is not None and nvalid >= 10, "the plans of the tree were not found"
    for what, plan in wrong_plans(recording):
        nwrong += 1
        if validator.is_valid(plan):
            print("accepted, though it is wrong: %s" % what)
            failed += 1
    later = copy.deepcopy(recording)
    later["ops"].append({"op": "later", "s": 0, "src": 1})
    if not validator.is_valid(later):
        print("an op of a later version is refused")
        failed += 1
    print("%d plans, %d wrong ones, %d failures" % (nvalid, nwrong, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
