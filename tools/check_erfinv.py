#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check that erfinv and erfinvf in a golden file are the nearest double and float.

Needs mpmath.  Lines are "function argument result" with bits in hexadecimal; lines of other functions are passed over.

    check_erfinv.py [tests/golden/math64.txt]
"""
import os
import struct
import sys

from mpmath import erf, erfc, exp, mp, mpf, pi, sqrt

mp.prec = 220  # of which the least result in use leaves 140 at least


def double(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def single(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def erfinv(y, guess):
    """erfinv(y), 0 < y < 1, by Halley's method from a double that is good to a few ulps."""
    x = mpf(guess)
    for _ in range(2):
        d = (erf(x) - y if y < 0.5 else (1 - y) - erfc(x)) / (2 / sqrt(pi) * exp(-x * x))
        x -= d / (1 + x * d)
    return x


def nearest(x, emin, prec):
    """x > 0 rounded to nearest even in a binary format; exact ties cannot occur, erfinv being transcendental."""
    m, e = mp.frexp(x)
    unit = mpf(2) ** max(e - prec, emin)
    return mp.nint(x / unit) * unit


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden", "math64.txt")
    seen, wrong = {"erfinv": 0, "erfinvf": 0}, 0
    for line in open(path):
        name, *rest = line.split() or [""]
        if name not in seen:
            continue
        seen[name] += 1
        decode = double if name == "erfinv" else single
        y, x = (decode(int(w, 16)) for w in rest)
        if not abs(y) <= 1:
            ok = x != x
        elif abs(y) == 1:
            ok = x == y * float("inf")
        elif y == 0:
            ok = rest[0] == rest[1]
        else:
            fmt = (-1074, 53) if name == "erfinv" else (-149, 24)
            ok = (y > 0) == (x > 0 or rest[1] == "0" * len(rest[1])) and mpf(abs(x)) == nearest(
                erfinv(mpf(abs(y)), abs(x) or abs(y)), *fmt)
        if not ok:
            wrong += 1
            print(f"{name}({y.hex()}) is given as {x.hex()}")
    for name, count in seen.items():
        print(f"{name}: {count} arguments")
    print(f"{wrong} not the nearest")
    return wrong != 0 or 0 in seen.values()


if __name__ == "__main__":
    sys.exit(main())
