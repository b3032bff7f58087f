#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What fanin reads from .npy files of every version, order and dtype against the arrays that NumPy wrote.

Exits 77, saying why, where NumPy is missing; the 8-bit and bfloat16 dtypes need ml_dtypes besides.
"""
import hashlib
import json
import os
import subprocess
import sys
import warnings

try:
    import numpy as np
    from numpy.lib import format as npy
except ImportError:
    print("skipped: no numpy can be imported")
    sys.exit(77)

FANIN = os.environ.get("FANIN_COMMAND")
if not FANIN:
    print("skipped: the command was not built")
    sys.exit(77)

DTYPES = {"<f8": "F64", "<f4": "F32", "<f2": "F16", "<i8": "I64", "<i4": "I32", "<u2": "U16", "|b1": "BOOL", "<c8": "C64"}
try:
    import ml_dtypes
    DTYPES[ml_dtypes.bfloat16] = "BF16"
    DTYPES[ml_dtypes.float8_e4m3fn] = "F8_E4M3"
    DTYPES[ml_dtypes.float8_e5m2] = "F8_E5M2"
except ImportError:
    print("without ml_dtypes: bfloat16 and float8 are left out")

SHAPES = [(), (1,), (3,), (0,), (0, 4), (5, 7), (1, 9), (9, 1), (2, 40000), (40000, 2), (64, 3, 5, 7), (50, 1, 70),
          (2,) * 7]


def digest(path):
    """The content digest of the array as fanin reads it."""
    command = [FANIN, "verify", path, "--like", path, "--set", "**=zeros", "--seed", "1", "--json", "-q"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode in (0, 1), "%s: %s" % (path, result.stderr)
    return json.loads(result.stdout)["digest"]


def expected(array, dtype):
    shape = ",".join(map(str, array.shape))
    inner = hashlib.sha256(array.tobytes("C")).digest()
    return hashlib.sha256(b"weight\0" + dtype.encode() + b"\0" + shape.encode() + b"\0" + inner).hexdigest()


def main():
    warnings.simplefilter("ignore")  # NumPy warns of versions that old readers lack
    rng = np.random.default_rng(0)
    nread = failed = 0
    for shape in SHAPES:
        for dtype, name in DTYPES.items():
            array = np.asarray(rng.normal(size=shape) * 10).astype(dtype)
            orders = [array] if array.ndim == 0 else [array, np.asfortranarray(array)]
            for order, stored in enumerate(orders):
                for version in ((1, 0), (2, 0), (3, 0)):
                    with open("x.npy", "wb") as file:
                        npy.write_array(file, stored, version=version)
                    nread += 1
                    if digest("x.npy") != expected(array, name):
                        print("%s %s, order %d, version %s: other bytes" % (shape, name, order, version))
                        failed += 1
    print("%d files, %d failures" % (nread, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
