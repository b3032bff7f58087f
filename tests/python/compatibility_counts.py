#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The counts in docs/compatibility.md, from the golden vectors themselves: on how many values each row was equal.

    compatibility_counts.py             compares; the test
    compatibility_counts.py --write     writes the tables anew
"""
import collections
import json
import math
import os
import sys

ROOT = os.environ.get("FANIN_SOURCE_DIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DOCUMENT = os.path.join(ROOT, "docs", "compatibility.md")
PROFILES = ("torch-2.13", "torch-2.12", "torch-2.1", "torch-2.0", "torch-1.13")
FUNCTIONS = ("uniform", "normal", "trunc_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",
             "sparse", "constant", "ones", "zeros", "eye", "dirac", "orthogonal", "randperm", "u64", "calculate_gain")
RANDOM = ("f32", "f64", "bf16", "f16")


def lines_of(name):
    path = os.path.join(ROOT, "tests", "golden", name + ".jsonl")
    if os.path.exists(path):
        with open(path) as file:
            for line in file:
                yield json.loads(line)


def table(header, rows):
    yield "| " + " | ".join(header) + " |"
    yield "|---" + "|---:" * (len(header) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(format(cell, ",") if isinstance(cell, int) else cell for cell in row) + " |"


def functions():
    """Rows: functions; columns: values in each dtype under the newest profile, and of all dtypes under the older."""
    values = collections.Counter()
    for profile in PROFILES:
        for scenario in lines_of(profile):
            for call in scenario["calls"]:
                if "error" in call or "refused" in call:
                    continue
                dtype = call.get("dtype")
                column = dtype if dtype in RANDOM else "others"
                values[profile, call["fn"], column] += math.prod(call["shape"]) if "shape" in call else 1
    known = {fn for _, fn, _ in values}
    rows = []
    for fn in [f for f in FUNCTIONS if f in known] + sorted(known - set(FUNCTIONS)):
        newest = [values["torch-2.13", fn, column] for column in RANDOM + ("others",)]
        older = [sum(values[profile, fn, column] for column in RANDOM + ("others",)) for profile in PROFILES[1:]]
        rows.append(["`%s`" % fn] + newest + older)
    rows.append(["all"] + [sum(row[i] for row in rows) for i in range(1, len(rows[0]))])
    return table(["values"] + list(RANDOM) + ["other dtypes"] + [p[len("torch-"):] for p in PROFILES[1:]], rows)


def modules():
    """Rows: modules; columns: constructions, tensors and values under the newest profile, values under the older."""
    counts = collections.Counter()
    for profile in PROFILES:
        for line in lines_of("modules-" + profile):
            if "error" in line or "params" not in line:
                continue
            counts[profile, line["module"], "constructions"] += 1
            counts[profile, line["module"], "tensors"] += len(line["params"])
            counts[profile, line["module"], "values"] += sum(math.prod(p["shape"]) for p in line["params"])
    older = [p for p in PROFILES[1:] if any(key[0] == p for key in counts)]
    rows = []
    for module in sorted({key[1] for key in counts}):
        rows.append(["`%s`" % module] + [counts["torch-2.13", module, what] for what in ("constructions", "tensors", "values")]
                    + [counts[profile, module, "values"] for profile in older])
    rows.append(["all"] + [sum(row[i] for row in rows) for i in range(1, len(rows[0]))])
    return table(["module", "constructions", "tensors", "values"] + [p[len("torch-"):] for p in older], rows)


def main():
    with open(DOCUMENT) as file:
        text = file.read()
    made = text
    for name, make in (("functions", functions), ("modules", modules)):
        begin, end = "<!-- counts: %s -->\n" % name, "<!-- end -->\n"
        head, found, rest = made.partition(begin)
        if not found:
            sys.exit("docs/compatibility.md has no table %s" % name)
        made = head + begin + "\n" + "\n".join(make()) + "\n\n" + end + rest.partition(end)[2]
    if "--write" in sys.argv:
        with open(DOCUMENT, "w") as file:
            file.write(made)
    elif made != text:
        sys.exit("docs/compatibility.md has other counts than the golden vectors: run %s --write" % sys.argv[0])


if __name__ == "__main__":
    main()
