#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Joins what the benchmark and torch_side.py wrote in turn into one JSON, a table, and the goals met or missed.

usage: compare.py --json OUT.json RUN.json...    runs of bench and of torch_side.py, in any order"""

import argparse
import json
import statistics
import sys

SECTIONS = ["cache", "memory", "square", "cold", "threads", "jump", "model", "check", "file"]


def key_of(row):
    return tuple(str(row[k]) for k in ("section", "name", "dtype", "shape", "nelem", "threads"))


def join(runs):
    """Samples of equal rows are put together; torch's median goes beside each row that it has."""
    fanin = [run for run in runs if run["format"] == "fanin-bench"]
    beside = [run for run in runs if run["format"] == "fanin-bench-torch"]
    if not fanin:
        sys.exit("compare.py: no run of the benchmark among the files")
    torch = {key_of(row): row["seconds"] for run in beside for row in run["rows"]}
    rows = {}
    for run in fanin:
        for row in run["rows"]:
            rows.setdefault(key_of(row) + (row["variant"],), []).append(row)
    joined = []
    for same in rows.values():
        first = same[0]
        seconds = sorted(s for row in same for s in row["seconds"])
        row = {
            k: first[k] for k in ("section", "name", "dtype", "variant", "threads", "nelem", "nbytes", "clock", "note")
        }
        row["seconds"] = {
            "median": statistics.median(seconds),
            "min": seconds[0],
            "max": seconds[-1],
            "n": len(seconds),
        }
        stores = [r["store"] for r in same if r["store"] > 0]
        row["store_seconds"] = statistics.median(stores) if stores else None
        others = torch.get(key_of(first)) if not is_reference(first) else None
        row["torch_seconds"] = statistics.median(others) if others else None
        joined.append(row)
    joined.sort(key=lambda row: SECTIONS.index(row["section"]))
    for row in joined:
        row["remark"] = remark(row, joined)
    return {
        "format": "fanin-bench-comparison",
        "version": 1,
        "date": fanin[0]["date"],
        "quick": fanin[0]["quick"],
        "machine": dict(fanin[0]["machine"], load=[run["machine"]["load"] for run in fanin]),
        "fanin": fanin[0]["fanin"],
        "torch": beside[0]["torch"] if beside else None,
        "rows": joined,
    }


def is_reference(row):
    """A loop to compare with, not the library."""
    return row["name"] in ("store", "write", "write, no fsync")


def remark(row, rows):
    """What the row's time means beside another row of the same section and variant."""

    def beside(**wanted):
        wanted.update(section=row["section"], variant=row["variant"])
        return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)

    seconds = row["seconds"]["median"]
    if row["threads"] > 1:
        one = beside(name=row["name"], dtype=row["dtype"], nelem=row["nelem"], threads=1)
        return f"{one['seconds']['median'] / seconds:.2f} x one thread" if one else ""
    if row["section"] == "jump" and not row["nelem"]:
        return f"as long as {seconds * rate(beside(name='uniform')) / 1e6:.2f} M uniform draws"
    return row["note"]


def rate(row):
    return row["nelem"] / row["seconds"]["median"]


def of_store(row):
    return row["store_seconds"] / row["seconds"]["median"] if row["store_seconds"] else None


def to_torch(row):
    return row["torch_seconds"] / row["seconds"]["median"] if row["torch_seconds"] else None


def print_table(result):
    machine, torch = result["machine"], result["torch"]
    print(f"{machine['processor']}, {machine['nprocessors']} processors; {machine['flags']}")
    print(
        f"L1d {machine['l1d_kib']} KiB, L2 {machine['l2_kib']} KiB, L3 {machine['l3_kib']} KiB; "
        f"{machine['memory_nbytes'] / 1e9:.1f} GB; {machine['system']}; pages of 2 MiB: {machine['huge_pages']}"
    )
    loads = ", ".join(f"{load:.1f}" for load in machine["load"])
    print(
        f"fanin {result['fanin']['version']}, {result['fanin']['compiler']}, {result['fanin']['build_type']}; "
        f"torch {torch['version'] if torch else 'is not here'}; {result['date']}; load when a run ended: {loads}"
    )
    section = None
    for row in result["rows"]:
        if row["section"] != section:
            section = row["section"]
            print(
                f"\n{section:<24} {'dtype':<5} {'how':<22} thr    elements    Gelem/s    GB/s  %store "
                f"{'x numpy' if section == 'check' else 'x torch':>8}"
                f"   median ms      min ms      max ms   n"
            )
        seconds = row["seconds"]
        line = f"{row['name']:<24} {row['dtype']:<5} {row['variant']:<22} {row['threads']:>3} "
        line += (
            f"{row['nelem']:>11} {rate(row) / 1e9:>10.4f} {row['nbytes'] / seconds['median'] / 1e9:>7.2f} "
            if row["nelem"]
            else f"{'-':>11} {'-':>10} {'-':>7} "
        )
        line += f"{100 * of_store(row):>7.1f} " if of_store(row) else f"{'-':>7} "
        line += f"{to_torch(row):>8.2f} " if to_torch(row) else f"{'-':>8} "
        line += "".join(f"{1e3 * seconds[k]:>11.4f} " for k in ("median", "min", "max")) + f"{seconds['n']:>3}"
        print(line + ("  " + row["remark"] if row["remark"] else ""))


class Goals:
    """What the project set out to reach, as ratios within one run; see docs/performance.md."""

    def __init__(self, result):
        self.rows = result["rows"]
        self.is_zen = "AMD" in result["machine"]["processor"]
        self.found = []

    def row(self, section, name, dtype, variant, threads=1, nelem=None):
        """None if there is none; of several the largest."""
        wanted = (section, name, dtype, variant, threads)
        same = [
            r
            for r in self.rows
            if tuple(r[k] for k in ("section", "name", "dtype", "variant", "threads")) == wanted
            and nelem in (None, r["nelem"])
        ]
        return max(same, key=lambda r: r["nelem"], default=None)

    def add(self, what, value, goal, unit="x torch"):
        if value is not None:
            self.found.append({"what": what, "value": value, "goal": goal, "unit": unit, "met": bool(value >= goal)})

    def against_torch(self, what, row, goal):
        self.add(what, to_torch(row) if row else None, goal)

    def quotient(self, what, a, b, goal, unit):
        """The rate of a in rates of b."""
        self.add(what, rate(a) / rate(b) if a and b else None, goal, unit)

    def of_variant(self, isa, wide):
        """wide: 512-bit registers, whose goals are higher."""

        def cache(name, dtype):
            return self.row("cache", name, dtype, isa)

        def memory(name, dtype):
            return self.row("memory", name, dtype, isa)

        self.against_torch(f"uniform f32 in cache, {isa}", cache("uniform", "f32"), 12 if wide else 6.5)
        row = memory("uniform", "f32")
        if wide:
            self.add(f"uniform f32 in memory, {isa}", of_store(row) if row else None, 0.7, "of the best store")
        normal = (7 if wide else 3.8) if self.is_zen else (5.5 if wide else 3.2)
        self.against_torch(f"normal f32 in cache, {isa}", cache("normal", "f32"), normal)
        for name in ("normal", "uniform"):
            for dtype in ("bf16", "f16"):
                for where in (cache, memory):
                    self.quotient(
                        f"{name} {dtype} in {where.__name__}, {isa}", where(name, dtype), where(name, "f32"), 1, "x f32"
                    )
        for where in (cache, memory):
            self.quotient(
                f"trunc_normal std 0.02 f32 in {where.__name__}, {isa}",
                where("trunc_normal std 0.02", "f32"),
                where("normal", "f32"),
                0.9,
                "x normal",
            )
        self.against_torch(f"trunc_normal f32, 64 M, {isa}", memory("trunc_normal", "f32"), 30)
        self.against_torch(f"normal f64 in cache, {isa}", cache("normal", "f64"), 4 if wide else 2.5)
        uniform = self.row("jump", "uniform", "f32", isa)
        for jump in [r for r in self.rows if r["section"] == "jump" and r["variant"] == isa and r["name"] != "uniform"]:
            ndraws = jump["seconds"]["median"] * rate(uniform)
            self.add(f"{jump['name']}, {isa}: 3 M uniform draws", 3e6 / ndraws, 1, "x faster")
        for name, dtype, goal in (("normal", "f32", 1.7), ("uniform", "f32", 1.3)):
            for nelem in sorted({r["nelem"] for r in self.rows if r["section"] == "threads"}):
                one, two = (self.row("threads", name, dtype, isa, n, nelem) for n in (1, 2))
                if two:
                    self.quotient(
                        f"{name} {dtype}, {two['nelem'] >> 20} M, two threads, {isa}", two, one, goal, "x one thread"
                    )
        for name, dtype in (("sparse", "f32"), ("randperm", "i64"), ("dirac", "f32")):
            for where in (cache, memory):
                self.against_torch(f"{name} {dtype} in {where.__name__}, {isa}", where(name, dtype), 3)
        for where in (cache, memory):
            self.quotient(
                f"eye f32 in {where.__name__}, {isa}", where("eye", "f32"), where("zeros", "f32"), 0.9, "x zeros"
            )
        squares = [self.row("square", "orthogonal", "f32", isa, n) for n in (1, 2)]
        others = [r["torch_seconds"] for r in squares if r and r["torch_seconds"]]
        if others:
            best = min((r for r in squares if r), key=lambda r: r["seconds"]["median"])
            self.add(
                f"orthogonal f32, {best['nelem']} elements, {isa}",
                min(others) / best["seconds"]["median"],
                1,
                "x torch's best",
            )

    def of_whole(self, isa):
        for n in sorted({row["threads"] for row in self.rows if row["section"] in ("model", "file")}):
            words = f"{n} thread{'s' * (n > 1)}"
            for name, fsync in (("checkpoint", " with fsync"), ("checkpoint, no digest", "")):
                row = self.row("file", name, "bf16", isa, n)
                found = of_store(row) if row else None
                self.add(f"{name}{fsync}, {words}", found, 0.9, "of the best plain writer")
            self.against_torch(
                f"checkpoint without fsync, {words}", self.row("file", "checkpoint, no fsync", "bf16", isa, n), 4
            )
            if n > 1:
                self.against_torch(f"GPT-2 small, {words}", self.row("model", "GPT-2 small", "f32", isa, n), 20)

    def of_check(self, isa):
        """NumPy's std alone is what the whole diagnosis is held against, by the clock of one thread."""
        for dtype, goal in (("f32", 1), ("bf16", 3)):
            for size in ("", ", 4 M a tensor", ", 16 M a tensor"):
                what = f"check {dtype}{size}"
                row = self.row("check", f"check{size}", dtype, isa)
                self.add(f"{what}, {isa}", to_torch(row) if row else None, goal, "x NumPy's std")
                one, two = (self.row("check", f"check, on the wall{size}", dtype, isa, n) for n in (1, 2))
                self.quotient(f"{what}, two threads, {isa}", two, one, 1.8, "x one thread")

    def all(self):
        isas = [isa for isa in ("avx512", "avx2") if any(r["variant"] == isa for r in self.rows)]
        for isa in isas:
            self.of_variant(isa, isa == "avx512")
        if isas:
            self.of_whole(isas[0])
            self.of_check(isas[0])
        return self.found


def print_goals(goals, quick):
    if quick:
        print(
            "\n--quick shows that everything runs: its tensors are too small, and its repeats too few, to say anything"
        )
    if goals:
        print(f"\n{'goal':<52} {'found':>8} {'wanted':>8}")
    for goal in goals:
        met = "met" if goal["met"] else "MISSED"
        print(f"{goal['what']:<52} {goal['value']:>8.2f} {goal['goal']:>8.2f} {goal['unit']:<24} {met}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", required=True)
    parser.add_argument("runs", nargs="+")
    options = parser.parse_args()
    runs = []
    for name in options.runs:
        with open(name) as file:
            runs.append(json.load(file))
    result = join(runs)
    result["goals"] = Goals(result).all()
    with open(options.json, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print_table(result)
    print_goals(result["goals"], result["quick"])


if __name__ == "__main__":
    main()
