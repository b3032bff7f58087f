#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Constructors of transformers with and without fanin, in one process: Model(config) as it is, under accelerate(), and a
meta model filled from its plan; and where the time of a constructor goes: fills, page faults, Python.

usage: python_side.py [--models gpt2,llama-1b] [--rounds N] [--json OUT] [--quick]
Everything takes turns, round by round. Ends with status 77 where torch or transformers is not importable."""

import argparse
import ctypes
import gc
import json
import mmap
import os
import pathlib
import platform
import resource
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

try:
    import torch
    import transformers
except ImportError as e:
    print("no constructors are measured: %s" % e, file=sys.stderr)
    sys.exit(77)

import fanin.torch  # noqa: E402

# Tensors of 128 KiB and more get fresh memory, as those of the first model of a process do. Later on malloc would keep some
# of it, pages and huge pages of the row before included.
M_MMAP_THRESHOLD = -3
ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 128 << 10)
QUICK = {"vocab_size": 2000}


def gpt2(quick):
    """GPT-2 small, 124 M parameters."""
    return transformers.GPT2LMHeadModel, transformers.GPT2Config(n_layer=2, **QUICK) if quick else transformers.GPT2Config()


def llama_1b(quick):
    """A llama of TinyLlama's shape, 1.1 B parameters."""
    shape = {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
             "num_key_value_heads": 4, "vocab_size": 32000, "tie_word_embeddings": False}
    if quick:
        shape.update(QUICK, num_hidden_layers=1, hidden_size=512)
    return transformers.LlamaForCausalLM, transformers.LlamaConfig(**shape)


MODELS = {"gpt2": gpt2, "llama-1b": llama_1b}


class Nothing:
    """Fills that write nothing: what is left of a constructor is Python and allocation."""

    def __enter__(self):
        self.library = torch.library.Library("aten", "IMPL")
        for name in ("normal_", "uniform_"):
            self.library.impl(name, lambda tensor, *arguments, **named: tensor, "CPU")

    def __exit__(self, *exception):
        self.library._destroy()


def back(nbytes):
    """Takes memory, touches it in huge pages and gives it back. A virtual machine's host backs pages when they are first
    touched, at a tenth of the speed, and may take them away when they are free: that is not what is measured."""
    block = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared pages are never huge
    block.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, nbytes, 4096):
        block[at] = 1
    block.close()


def clock(run, nbytes):
    """Seconds on the wall, of the processors, and page faults; as many bytes were touched just before."""
    gc.collect()
    back(nbytes)
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    kept = run()
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF)
    del kept
    gc.collect()
    return {"wall": wall, "cpu": after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime,
            "faults": after.ru_minflt - before.ru_minflt}


def parameters(model):
    """Tied ones once."""
    return {id(t): t for t in model.parameters()}.values()


def same(one, other):
    """Whether two models hold the same bytes."""
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def measure(name, quick, rounds):
    make, config = MODELS[name](quick)

    def build():
        torch.default_generator.manual_seed(0)
        return make(config)

    def accelerated():
        with fanin.torch.accelerate():
            return build()

    plan = fanin.torch.record(lambda: make(config), check=False)
    def materialized():
        return plan.materialize(make_meta(), 0)

    def make_meta():
        with torch.device("meta"):
            return make(config)

    def without_fills():
        with Nothing():
            return make(config)

    expected = build()
    assert same(expected, accelerated()), "accelerate() gave other bytes"
    state = torch.get_rng_state()
    build()
    assert torch.equal(state, torch.get_rng_state()), "accelerate() left another state"
    assert same(expected, materialized()), "the plan gave other bytes"
    del expected
    resident = make(config)
    count = sum(t.numel() for t in parameters(resident))
    nbytes = 2 * sum(t.numel() * t.element_size() for t in parameters(resident))
    metas = [make_meta() for _ in range(rounds)]
    rows = {"Model(config)": build, "under accelerate()": accelerated,
            "materialize, fresh pages": lambda: plan.materialize(metas.pop(), 0),
            "materialize, resident pages": lambda: plan.materialize(resident, 0) and None,
            "constructor without fills": without_fills}
    passes = "first store to each parameter", "second store"
    samples = {row: [] for row in [*rows, *passes]}
    for _ in range(rounds):
        for row, run in rows.items():
            samples[row].append(clock(run, nbytes))
        fresh = without_fills()
        for row in passes:
            samples[row].append(clock(lambda: [t.detach().fill_(1.0) for t in parameters(fresh)] and None, nbytes))
        del fresh
    return count, samples


def table(name, count, samples):
    seconds = {row: statistics.median(s["wall"] for s in runs) for row, runs in samples.items()}
    whole = seconds["Model(config)"]
    lines = ["%s: %.3g parameters, median of %d rounds" % (name, count, len(samples["Model(config)"])),
             "%-30s %9s %9s %9s %8s %9s" % ("", "seconds", "least", "cpu", "x torch", "faults")]
    for row, runs in samples.items():
        lines.append("%-30s %9.3f %9.3f %9.3f %8.1f %9d" % (
            row, seconds[row], min(s["wall"] for s in runs), statistics.median(s["cpu"] for s in runs),
            whole / seconds[row], statistics.median(s["faults"] for s in runs)))
    python = seconds["constructor without fills"]
    faults = seconds["first store to each parameter"] - seconds["second store"]
    lines.append("of Model(config): fills %.3f s, page faults %.3f s, Python %.3f s"
                 % (whole - faults - python, faults, python))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="gpt2,llama-1b")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true", help="does it run? small models, and no number to believe")
    options = parser.parse_args()
    threads = torch.get_num_threads()
    fanin.set_num_threads(threads)
    results = []
    print("torch %s, transformers %s, %d threads, %s, load %.1f" % (
        torch.__version__, transformers.__version__, threads, torch.backends.cpu.get_cpu_capability(), os.getloadavg()[0]))
    for name in options.models.split(","):
        count, samples = measure(name, options.quick, 1 if options.quick else options.rounds)
        print(table(name, count, samples), flush=True)
        results.append({"model": name, "parameters": count, "samples": samples})
    print("load %.1f at the end" % os.getloadavg()[0])
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"format": "fanin-bench-python", "version": 1, "quick": options.quick, "threads": threads,
                       "torch": torch.__version__, "transformers": transformers.__version__,
                       "fanin": fanin.__version__, "machine": platform.processor() or platform.machine(),
                       "capability": torch.backends.cpu.get_cpu_capability(), "load": os.getloadavg()[0],
                       "models": results}, file, indent=1)
            file.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
