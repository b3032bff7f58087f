#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records models and proves the plans: byte by byte against their constructors, in every way a plan can be run.

    record_models.py [--kind transformers|transformers-bf16|torchvision|timm] [--only NAME] [--part R/W] [-o ROWS.jsonl]
    record_models.py --table ROWS.jsonl... --into docs/compatibility.md

Each row says what was equal. Needs torch, and the library whose models it builds; nothing is downloaded.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import sys
import time
import warnings

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent.parent), str(pathlib.Path(__file__).resolve().parent)]

import model_zoo  # noqa: E402
import python_package  # noqa: E402

RECORDED_UNDER, MADE_UNDER, BEFORE = 0, 1234, 5
# Of large models no more tensors than these are made alone, in parts and with each number of threads.
MAX_ALONE = 12
MAX_ALONE_NELEM = 1_000_000


def kinds():
    """Name -> (names of models, constructor of one or None)."""
    return {
        "transformers": (model_zoo.transformers_types, model_zoo.transformers_model),
        "transformers-bf16": (lambda: model_zoo.BF16, lambda name: model_zoo.transformers_model(name, "bfloat16")),
        "torchvision": (lambda: model_zoo.TORCHVISION, model_zoo.torchvision_model),
        "timm": (lambda: model_zoo.TIMM, model_zoo.timm_model),
    }


def digests_of(named):
    from fanin.torch._tape import tensor_bytes

    return {name: hashlib.sha256(tensor_bytes(tensor)).hexdigest() for name, tensor in named}


def tensors_of(model):
    from fanin.torch._recording import named_tensors

    return [(name, tensor) for name, tensor, _, _ in named_tensors(model)]


def check_parts(fanin, plan, expected, names):
    """Tensors alone, in shuffled order; 1 to 8 threads; 1 to 5 shards over dim 0 and 1. Says what differs."""
    import torch

    from fanin.torch import Shard
    from fanin.torch._tape import tensor_bytes

    def same(name, tensor):
        return hashlib.sha256(tensor_bytes(tensor)).hexdigest() == expected[name]

    shuffled = [n for n in names if plan.tensors[plan._find(n)].nelem <= MAX_ALONE_NELEM]
    random.Random(1).shuffle(shuffled)
    shuffled = shuffled[:MAX_ALONE]
    for name in shuffled:
        if not same(name, plan.state_dict(MADE_UNDER, [name])[name]):
            return "%s alone" % name
    for nthreads in range(1, 9):
        fanin.set_num_threads(nthreads)
        made = plan.state_dict(MADE_UNDER, shuffled)
        for name in shuffled:
            if not same(name, made[name]):
                return "%s on %d threads" % (name, nthreads)
    fanin.set_num_threads(0)
    for world in range(1, 6):
        for dim in (0, 1):
            parts = [plan.state_dict(MADE_UNDER, shuffled, Shard(dim, rank, world)) for rank in range(world)]
            for name in shuffled:
                tensor = plan.tensors[plan._find(name)]
                if tensor.is_buffer or len(tensor.shape) <= dim:
                    joined = parts[-1][name]
                else:
                    joined = torch.cat([part[name] for part in parts], dim)
                if not same(name, joined):
                    return "%s in %d shards over dim %d" % (name, world, dim)
    return None


def check_model(fanin, kind, name, build, full=True):
    """One row of the table. Raises what is wrong."""
    import torch

    import fanin.torch
    from fanin.torch import _recording
    from fanin.torch._materialize import makers_of
    from fanin.torch._replay import Executor

    began = time.monotonic()
    described = _recording.record_plan(build, "%s.%s" % (kind, name))
    recorded_s = time.monotonic() - began
    text = json.dumps(described)
    plan = fanin.Plan.parse(text, name)
    again = fanin.Plan.parse(plan.to_json(), name)
    assert again.to_json() == plan.to_json(), "the plan is not the same when written again"
    host, refused, _ = makers_of(plan)
    names = [tensor.name for tensor in plan.tensors if tensor.name not in refused]
    torch.manual_seed(MADE_UNDER)
    model = build()
    state = torch.get_rng_state()
    expected = digests_of(tensors_of(model))
    del model
    torch.manual_seed(BEFORE)
    model = build()
    row = {
        "kind": kind,
        "name": name,
        "tensors": len(plan),
        "parameters": sum(p.numel() for p in model.parameters()),
        "draws": plan.ndraws,
        "ops": sorted({op["op"] for op in described["ops"]}),
        "host_ops": sorted({op["op"] for op in described["ops"] if op.get("bits") == "host"}),
        "host": len(host),
        "refused": refused,
        "recorded": described["source"]["recorded"],
        "record_s": round(recorded_s, 2),
        "literal_nbytes": sum(item["nbytes"] for item in described.get("literals", ())),
    }
    if not refused:
        plan.materialize(model, MADE_UNDER)
        made = digests_of(tensors_of(model))
        different = [n for n in expected if made[n] != expected[n]]
        assert not different, "materialize: %s" % different[:3]
        if plan.ndraws:
            assert torch.equal(Executor(described, MADE_UNDER).end_state()[:5016], state[:5016]), (
                "the generator's end state"
            )
    del model
    in_c = [n for n in names if n not in host]
    row["c"] = len(in_c)
    different = check_parts(fanin, plan, expected, names) if full else None
    assert different is None, different
    row["s"] = round(time.monotonic() - began, 2)
    return row


def record_all(options):
    fanin = python_package.fanin()
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rank, world = (int(x) for x in options.part.split("/"))
    output = open(options.output, "w", encoding="utf-8") if options.output else sys.stdout
    for kind, (names, constructor) in kinds().items():
        if options.kind and kind not in options.kind:
            continue
        chosen = list(names())
        chosen = chosen[chosen.index(options.after) + 1 :] if options.after in chosen else chosen
        for name in chosen[rank::world]:
            if options.only and name not in options.only:
                continue
            build = constructor(name)
            if build is None:
                row = {
                    "kind": kind,
                    "name": name,
                    "skipped": "its default configuration, made smaller, cannot be built",
                }
            else:
                try:
                    row = check_model(fanin, kind, name, build)
                except Exception as e:
                    row = {"kind": kind, "name": name, "error": "%s: %s" % (type(e).__name__, e)}
            output.write(json.dumps(row) + "\n")
            output.flush()


# ---- the table ----

_TITLES = {
    "transformers": "transformers",
    "transformers-bf16": "transformers in bfloat16",
    "torchvision": "torchvision",
    "timm": "timm",
}
_BEGIN, _END = "<!-- recorded models -->\n", "<!-- end -->"


def outcome(row):
    """(what C makes, what materialize makes) in words."""
    if "error" in row:
        return "-", "not recorded: %s" % row["error"]
    made = "equal"
    if row["refused"]:
        name, reason = next(iter(row["refused"].items()))
        made = "equal but for %d tensors (%s: %s)" % (len(row["refused"]), name, reason)
    if row["host"]:
        words = []
        for what, ops in (
            ("near torch's after %s", [op for op in row["host_ops"] if "::" not in op]),
            ("refused after %s", [op for op in row["host_ops"] if "::" in op]),
        ):
            if ops:
                words.append(what % ", ".join("`%s`" % op for op in ops))
        return "equal; " + ", ".join(words), made
    return "equal" if made == "equal" else made, made


def table(rows):
    """Markdown: for each outcome the models that have it."""
    groups = {}
    for row in rows:
        if "skipped" not in row:
            groups.setdefault((row["kind"], *outcome(row)), []).append(row["name"])
    counts = {kind: sum(len(names) for key, names in groups.items() if key[0] == kind) for kind in _TITLES}
    tensors = sum(row.get("tensors", 0) for row in rows)
    skipped = sum("skipped" in row for row in rows)
    lines = [
        "%s: %s tensors. Of %d more types of transformers no small model can be built from the default configuration.\n"
        % (
            ", ".join("%d of %s" % (n, _TITLES[kind]) for kind, n in counts.items() if n),
            format(tensors, ","),
            skipped,
        ),
        "| | models | in C | `materialize` |",
        "|---|---|---|---|",
    ]
    for kind in _TITLES:
        found = [(key, names) for key, names in groups.items() if key[0] == kind]
        for (_, in_c, made), names in sorted(found, key=lambda item: (item[0][1] != "equal", -len(item[1]))):
            lines.append(
                "| %s: %d | %s | %s | %s |" % (_TITLES[kind], len(names), ", ".join(sorted(names)), in_c, made)
            )
    return "\n".join(lines) + "\n"


def write_table(paths, into):
    rows = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                rows[row["kind"], row["name"]] = row
    text = table(list(rows.values()))
    if into is None:
        sys.stdout.write(text)
        return
    page = pathlib.Path(into).read_text(encoding="utf-8")
    begin = page.index(_BEGIN) + len(_BEGIN)
    pathlib.Path(into).write_text(page[:begin] + "\n" + text + "\n" + page[page.index(_END, begin) :], encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=list(kinds()))
    parser.add_argument("--only", action="append")
    parser.add_argument("--part", default="0/1", help="only every W-th model, from the R-th")
    parser.add_argument("--after", default="", help="only models after this name, in the order of the library")
    parser.add_argument("-o", "--output")
    parser.add_argument("--table", nargs="+", metavar="ROWS", help="no recording: the table of these rows")
    parser.add_argument("--into", metavar="PAGE", help="put the table between its marks in this page")
    options = parser.parse_args()
    if options.table:
        write_table(options.table, options.into)
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    record_all(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
