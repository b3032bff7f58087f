#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fresh scenarios from the torch at hand against fanin: what the committed golden vectors cannot foresee.

    live_torch.py [--seed N] [--count N] [--keep FILE] [path of test_golden]

Every run under CTest makes the same scenarios (seed 2); another --seed makes others. Exits 77, saying why, where torch
or test_golden is missing or torch is of another build than the goldens, else with the result of test_golden.
"""
import argparse
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

SKIP = 77  # CTest's word for "not tested here"
GOLDEN_DIR = pathlib.Path(__file__).resolve().parent.parent / "golden"


def skip(why):
    print("skipped: " + why)
    return SKIP


def build_default():
    return os.path.join(os.environ.get("FANIN_BUILD_DIR", "build"), "tests", "test_golden")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("test_golden", nargs="?", default=build_default())
    parser.add_argument("--seed", type=int, default=2, help="of the scenarios; 1 is what the golden files hold")
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--keep", help="leave the scenarios in this file")
    options = parser.parse_args()

    try:
        import torch
    except ImportError as e:
        return skip("torch cannot be imported (%s)" % e)
    if not os.access(options.test_golden, os.X_OK):
        return skip("%s is not there" % options.test_golden)
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(GOLDEN_DIR))
    import generate

    if generate.torch_version() < (1, 13):
        return skip("torch %s is older than every profile" % torch.__version__)
    if not has_golden_kernels(torch):
        return skip("torch %s has other CPU kernels than the published Linux x86-64 builds" % torch.__version__)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or os.path.join(folder, "live-torch.jsonl")
        nscenarios, ncalls = generate.write(path, generate.random_scenarios(options.seed, options.count))
        print("torch %s: %d scenarios, %d calls from seed %d" % (torch.__version__, nscenarios, ncalls, options.seed))
        sys.stdout.flush()
        return subprocess.run([options.test_golden, path], check=False).returncode


def has_golden_kernels(torch):
    """Whether this torch runs AVX2 kernels in which the compiler fused multiply and add, as the goldens' builds do."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    if hasattr(torch.backends, "cpu") and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        return False
    generator = torch.Generator()
    generator.manual_seed(0)
    drawn = torch.empty(1000).uniform_(0.0, 1.0, generator=generator)
    generator.manual_seed(0)
    moved = torch.empty(1000).uniform_(-0.1, 0.3, generator=generator)
    # In double the product of two 24-bit numbers is exact, and so is the sum here: float() is the only rounding.
    low, high = torch.tensor(-0.1), torch.tensor(0.3)
    return bool(((drawn.double() * (high - low).double() + low.double()).float() == moved).all())


if __name__ == "__main__":
    sys.exit(main())
