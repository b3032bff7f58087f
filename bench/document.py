#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Puts measured tables into documents: what stands between <!-- bench NAME --> and <!-- end --> is replaced.

usage: document.py RESULTS.json DOCUMENT.md...
NAME is one of summary, goals, machine, cache, memory, square, cold, threads, jump, model, check, file.
"""

import json
import re
import sys

FILLS = [
    "uniform",
    "normal",
    "trunc_normal std 0.02",
    "trunc_normal",
    "constant",
    "zeros",
    "eye",
    "dirac",
    "sparse",
    "randperm",
]
SUMMARY = {
    ("uniform", "f32"): "`uniform_`",
    ("normal", "f32"): "`normal_`",
    ("normal", "bf16"): "`normal_`",
    ("normal", "f64"): "`normal_`",
    ("trunc_normal std 0.02", "f32"): "`trunc_normal_(std=0.02)`",
    ("trunc_normal", "f32"): "`trunc_normal_`",
}
DTYPES = ["f32", "bf16", "f16", "f64", "i64"]


def table(head, lines):
    if not lines:
        return ["The run that is shown here left this out."]
    return ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head)] + lines]


def number(value, digits=3):
    return "-" if value is None else f"{value:.{digits}g}" if value < 100 else f"{value:.0f}"


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def rate(row, time=None):
    return row["nelem"] / (time or row["seconds"]["median"]) / 1e9


def times(row):
    return f"{row['torch_seconds'] / row['seconds']['median']:.1f}" if row["torch_seconds"] else "-"


def of_store(row):
    return f"{100 * row['store_seconds'] / row['seconds']['median']:.0f} %" if row["store_seconds"] else "-"


class Tables:
    def __init__(self, result):
        self.result = result
        self.rows = result["rows"]
        self.best = next((isa for isa in ("avx512", "avx2", "scalar") if self.find(variant=isa)), None)

    def find(self, **wanted):
        return [row for row in self.rows if all(row[k] == v for k, v in wanted.items())]

    def fills(self, section):
        """A line a fill and dtype: G elements/s of torch and of each variant."""
        isas = [isa for isa in ("avx512", "avx2", "scalar") if self.find(section=section, variant=isa)]
        lines = []
        for name in FILLS:
            for dtype in DTYPES:
                rows = [r for isa in isas for r in self.find(section=section, name=name, dtype=dtype, variant=isa)]
                if not rows:
                    continue
                first = rows[0]
                torch = rate(first, first["torch_seconds"]) if first["torch_seconds"] else None
                lines.append(
                    [name, dtype, number(torch)] + [number(rate(r)) for r in rows] + [times(first), of_store(first)]
                )
        return table(["fill", "dtype", "torch"] + isas + ["to torch", "of the best store"], lines)

    def cache(self):
        return self.fills("cache")

    def memory(self):
        return self.fills("memory")

    def square(self):
        return table(
            ["matrix", "variant", "threads", "time", "torch", "to torch"],
            [
                [
                    f"{round(r['nelem'] ** 0.5)} {r['dtype']}",
                    r["variant"],
                    str(r["threads"]),
                    seconds(r["seconds"]["median"]),
                    seconds(r["torch_seconds"]) if r["torch_seconds"] else "-",
                    times(r),
                ]
                for r in self.find(section="square")
            ],
        )

    def cold(self):
        return table(
            ["fill", "dtype", "G elements/s", "GB/s", "of the best store there", "to torch"],
            [
                [
                    r["name"],
                    r["dtype"],
                    number(rate(r)),
                    number(r["nbytes"] / r["seconds"]["median"] / 1e9),
                    of_store(r),
                    times(r),
                ]
                for r in self.find(section="cold")
            ],
        )

    def threads(self):
        return table(
            ["fill", "dtype", "elements", "variant", "threads", "G elements/s", "", "of a store by as many threads"],
            [
                [
                    r["name"],
                    r["dtype"],
                    f"{r['nelem'] >> 20} M",
                    r["variant"],
                    str(r["threads"]),
                    number(rate(r)),
                    r["remark"],
                    of_store(r),
                ]
                for r in self.find(section="threads")
            ],
        )

    def jump(self):
        return table(
            ["jump", "variant", "time", ""],
            [
                [r["name"], r["variant"], seconds(r["seconds"]["median"]), r["remark"]]
                for r in self.find(section="jump")
                if r["nelem"] == 0
            ],
        )

    def model(self):
        return table(
            ["model", "dtype", "threads", "time", "G parameters/s", "torch", "to torch", "of the best store"],
            [
                [
                    r["name"],
                    r["dtype"],
                    str(r["threads"]),
                    seconds(r["seconds"]["median"]),
                    number(rate(r)),
                    seconds(r["torch_seconds"]) if r["torch_seconds"] else "-",
                    times(r),
                    of_store(r),
                ]
                for r in self.find(section="model")
            ],
        )

    def check(self):
        return table(
            ["what", "dtype", "threads", "time", "GB/s", "NumPy's std alone", "to NumPy", ""],
            [
                [
                    r["name"],
                    r["dtype"],
                    str(r["threads"]),
                    seconds(r["seconds"]["median"]),
                    number(r["nbytes"] / r["seconds"]["median"] / 1e9),
                    seconds(r["torch_seconds"]) if r["torch_seconds"] else "-",
                    times(r),
                    r["remark"],
                ]
                for r in self.find(section="check")
            ],
        )

    def file(self):
        return table(
            ["what", "how", "threads", "time", "GB/s", "least and most", "of the best plain writer", "torch.save"],
            [
                [
                    r["name"],
                    r["variant"],
                    str(r["threads"]),
                    seconds(r["seconds"]["median"]),
                    number(r["nbytes"] / r["seconds"]["median"] / 1e9),
                    f"{seconds(r['seconds']['min'])}, {seconds(r['seconds']['max'])}",
                    of_store(r),
                    seconds(r["torch_seconds"]) if r["torch_seconds"] else "-",
                ]
                for r in self.find(section="file")
            ],
        )

    def goals(self):
        return table(
            ["goal", "wanted", "found", ""],
            [
                [g["what"], f"{g['goal']:g} {g['unit']}", f"{g['value']:.2f}", "met" if g["met"] else "**missed**"]
                for g in self.result["goals"]
            ],
        )

    def summary(self):
        """What fits on a first page."""
        lines = []
        for name, dtype in SUMMARY:
            for r in self.find(section="memory", name=name, dtype=dtype, variant=self.best):
                torch = f"{number(rate(r, r['torch_seconds']))} G/s" if r["torch_seconds"] else "-"
                lines.append([f"{SUMMARY[name, dtype]}, {dtype}", torch, f"{number(rate(r))} G/s", times(r)])
        for r in self.find(section="model", variant=self.best):
            if r["torch_seconds"]:
                what = f"{r['name']}, {r['dtype']}" + (f", {r['threads']} threads" if r["threads"] > 1 else "")
                lines.append([what, seconds(r["torch_seconds"]), seconds(r["seconds"]["median"]), times(r)])
        return table(["", "torch", "fanin", "times faster"], lines)

    def machine(self):
        machine, fanin, torch = (self.result[k] for k in ("machine", "fanin", "torch"))
        caches = f"L1d {machine['l1d_kib']} KiB, L2 {machine['l2_kib']} KiB, L3 {machine['l3_kib'] >> 10} MiB"
        loads = machine["load"]
        versions = f"fanin {fanin['version']}, {fanin['compiler']}"
        if torch:
            versions += f"; torch {torch['version']}, {torch['capability']}"
        return [
            f"{machine['processor']}, {machine['nprocessors']} processors, {caches}, "
            f"{machine['memory_nbytes'] / 1e9:.0f} GB, {machine['system']};",
            f"{versions}; {self.result['date']}, load {min(loads):.1f} to {max(loads):.1f} while it ran.",
        ]


def fill_in(text, tables):
    def replace(match):
        lines = getattr(tables, match[1], None)
        if lines is None:
            sys.exit(f"document.py: there is no table {match[1]}")
        return f"<!-- bench {match[1]} -->\n" + "\n".join(lines()) + "\n<!-- end -->"

    return re.sub(r"<!-- bench (\w+) -->.*?<!-- end -->", replace, text, flags=re.S)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        tables = Tables(json.load(file))
    for name in sys.argv[2:]:
        with open(name) as file:
            text = file.read()
        with open(name, "w") as file:
            file.write(fill_in(text, tables))


if __name__ == "__main__":
    main()
