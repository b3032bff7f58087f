#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rows of a benchmark's JSON once more, made by torch: same names, shapes, dtypes, threads, clocks and repeats.
Those of the section check are made by NumPy.

usage: torch_side.py --like bench.json --json torch.json [--files FOLDER] [--root FOLDER]
Ends with status 77 where torch is not importable, 76 where the JSON has no row that torch can make."""

import argparse
import json
import os
import sys
import time
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

try:
    import torch
except ImportError:
    print("torch is not importable: no rows beside fanin's", file=sys.stderr)
    sys.exit(77)

warnings.simplefilter("ignore")
init = torch.nn.init
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16, "f64": torch.float64, "i64": torch.int64}

# By the names of bench_fill.c, with its parameters.
FILLS = {
    "uniform": lambda t: t.uniform_(-0.05, 0.05),
    "normal": lambda t: t.normal_(0, 0.02),
    "trunc_normal std 0.02": lambda t: init.trunc_normal_(t, std=0.02),
    "trunc_normal": init.trunc_normal_,
    "constant": lambda t: t.fill_(0.5),
    "zeros": lambda t: t.zero_(),
    "eye": init.eye_,
    "dirac": init.dirac_,
    "sparse": lambda t: init.sparse_(t, 0.1, 0.01),
    "randperm": lambda t: torch.randperm(t.numel(), out=t),
    "orthogonal": init.orthogonal_,
}


def measure(run, clock, effort, prepare=None, is_single=False):
    """Seconds of one pass, ascending, as bench_time.c takes them."""
    now = time.thread_time if clock == "thread" else time.perf_counter

    def sample(npasses):
        if prepare:
            prepare()
        if npasses > 1:
            run()
        begin = now()
        for _ in range(npasses):
            run()
        return (now() - begin) / npasses

    first = sample(1)
    samples = [first] if first > effort["total"] else []
    npasses = 1 if is_single or first >= effort["sample"] else 1 + int(effort["sample"] / max(first, 1e-8))
    spent = first
    while len(samples) < effort["max"]:
        limit = effort["total"] if len(samples) >= effort["min"] else 4 * effort["total"]
        if samples and spent > limit:
            break
        samples.append(sample(npasses))
        spent += samples[-1] * npasses
    return sorted(samples)


def time_fill(row, effort):
    fill = FILLS.get(row["name"])
    if fill is None or row["section"] == "jump":
        return None
    tensor = torch.ones(row["shape"], dtype=DTYPES[row["dtype"]])
    return measure(lambda: fill(tensor), row["clock"], effort)


def time_cold(row, effort):
    """A new tensor: whatever pages the allocator gets from the system for one of this size."""
    fill = FILLS[row["name"].split(",")[0]]
    held = []
    dtype = DTYPES[row["dtype"]]
    return measure(lambda: held.append(fill(torch.empty(row["shape"], dtype=dtype))), "wall", effort, held.clear, True)


def config_of(path):
    from transformers import CONFIG_MAPPING

    with open(path) as file:
        values = json.load(file)
    return CONFIG_MAPPING[values["model_type"]].from_dict(values)


def available_nbytes():
    with open("/proc/meminfo") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))


def time_model(row, effort, root):
    """The constructor, from nothing to a module with its weights; memory is its own affair."""
    if 1.5 * row["nbytes"] > available_nbytes():
        print(f"{row['name']}: not enough memory to build it with torch", file=sys.stderr)
        return None
    held = []
    if row["name"] == "nn.Transformer":
        return measure(lambda: held.append(torch.nn.Transformer()), "wall", effort, held.clear, True)
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        print(f"{row['name']}: transformers is not importable", file=sys.stderr)
        return None
    config = config_of(os.path.join(root, row["source"]))
    dtype = DTYPES[row["dtype"]]

    def build():
        held.append(AutoModelForCausalLM.from_config(config, dtype=dtype))

    samples = measure(build, "wall", effort, held.clear, True)
    found = sum(p.numel() for p in held[-1].parameters())
    if found != row["nelem"]:
        sys.exit(f"{row['name']}: torch builds {found} values, fanin {row['nelem']}")
    return samples


def time_save(row, effort, folder):
    """torch.save of tensors that are there already; fanin's row makes its values too."""
    path = os.path.join(folder, f"torch-{os.getpid()}.pt")
    one = min(row["nelem"], 32 << 20)
    tensors = {
        f"layers.{i}.weight": torch.empty(one, dtype=torch.bfloat16).normal_() for i in range(row["nelem"] // one)
    }

    def remove():
        if os.path.exists(path):
            os.unlink(path)
        os.sync()

    def save():
        torch.save(tensors, path)
        if not row["name"].endswith("no fsync"):
            with open(path, "rb") as file:
                os.fsync(file.fileno())

    try:
        return measure(save, "wall", effort, remove, True)
    finally:
        remove()


def time_std(row, effort):
    """NumPy's std alone of as many arrays of that shape: the yardstick of a diagnosis, which does far more."""
    import numpy

    try:
        import ml_dtypes
    except ImportError:
        ml_dtypes = None
    if row["threads"] > 1 or row["clock"] != "thread" or (row["dtype"] == "bf16" and ml_dtypes is None):
        return None
    dtype = numpy.float32 if row["dtype"] == "f32" else ml_dtypes.bfloat16
    tensor = (numpy.random.RandomState(42).standard_normal(row["shape"]) * 0.02).astype(dtype)
    tensors = [tensor.copy() for _ in range(row["nelem"] // tensor.size)]  # one alone would stay in the cache
    return measure(lambda: [tensor.std() for tensor in tensors], row["clock"], effort)


def key_of(row):
    return tuple(str(row[k]) for k in ("section", "name", "dtype", "shape", "nelem", "threads"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--like", required=True)
    parser.add_argument("--json", required=True)
    parser.add_argument("--files")
    parser.add_argument("--root", default=".")
    options = parser.parse_args()
    with open(options.like) as file:
        like = json.load(file)
    quick = like["quick"]
    effort = (
        {"min": 2, "max": 3, "sample": 5e-4, "total": 0.01}
        if quick
        else {"min": 3, "max": 9, "sample": 0.02, "total": 2.0}
    )

    # All of a thread's rows are timed by its own clock on one processor, as those beside them.
    processors = os.sched_getaffinity(0)
    rows, seen = [], set()
    torch.manual_seed(42)
    for row in like["rows"]:
        if key_of(row) in seen:
            continue
        seen.add(key_of(row))
        torch.set_num_threads(row["threads"])
        os.sched_setaffinity(0, {max(processors)} if row["clock"] == "thread" else processors)
        if row["section"] == "cold":
            samples = time_cold(row, effort)
        elif row["section"] == "model":
            samples = time_model(row, effort, options.root)
        elif row["section"] == "check":
            samples = time_std(row, effort)
        elif row["section"] == "file":
            samples = time_save(row, effort, options.files) if row["name"].startswith("checkpoint") else None
        else:
            samples = time_fill(row, effort)
        if samples:
            rows.append(dict(row, variant="torch", seconds=samples, store=0, note=""))
    with open(options.json, "w") as file:
        json.dump(
            {
                "format": "fanin-bench-torch",
                "version": 1,
                "rows": rows,
                "torch": {"version": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()},
            },
            file,
        )
    return 0 if rows else 76


if __name__ == "__main__":
    sys.exit(main())
