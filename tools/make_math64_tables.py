#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write src/kernel/math64_tables.inc.h, the constants of fanin's elementary functions.

Needs mpmath.  Whatever follows from a formula is computed here to 300 bits and must equal what glibc 2.36 carries;
minimax coefficients and the breakpoints of the logarithm follow from no formula and are read from libm.so.6, found by
the bytes of derived constants beside them, not by address.

    make_math64_tables.py [--libm libm.so.6] [--out math64_tables.inc.h]      write (needs x86-64 glibc 2.36)
    make_math64_tables.py --check math64_tables.inc.h                         recompute what can be derived; any host
"""
import argparse
import os
import re
import struct
import sys

from mpmath import cos, erf, erfc, exp, log, mp, mpf, nint, pi, sin, sqrt

mp.prec = 300
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "src", "kernel", "math64_tables.inc.h")

SINCOS_N = 110  # sin, cos reach |t| = 0.8555, where rint(128 t) is 109
ERFINV_N = 189  # erfinv(1 - 2^-53) = 5.8636, where rint(32 x) is 188
ERFINV_SPLIT = 16  # rows below hold erf(k/32), the others erfc(k/32)


def rn(v):
    """The double nearest to v; mpf -> float rounds to nearest even."""
    return float(v)


def pair(v):
    hi = rn(v)
    return hi, rn(v - mpf(hi))


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


# ---- what follows from a formula ------------------------------------------------------------------------------------


def sincos_rows():
    return [pair(sin(mpf(k) / 128)) + pair(cos(mpf(k) / 128)) for k in range(SINCOS_N)]


def exp_rows(n):
    """2^(i/n) as (relative tail, bits of the nearest double minus i in the exponent's units of 1/n)."""
    step, rows = 52 - n.bit_length() + 1, []
    for i in range(n):
        v = mpf(2) ** (mpf(i) / n)
        hi = rn(v)
        rows.append((rn((v - mpf(hi)) / mpf(hi)), (bits(hi) - (i << step)) % 2**64))
    return rows


def log_c(invc):
    """log(c) for c = 1/invc, on the grid of 2^-43 so that k*ln2hi + logc is exact (|k| < 2^11)."""
    return rn(nint(-log(mpf(invc)) * 2**43) / 2**43)


def logf_c(invc):
    return rn(-log(mpf(invc)))


def pow_log_rows():
    """(1/c, log c on the grid of 2^-43, what that grid leaves of it), c next to the middle of a part of pow's z.

    The parts begin at 0x1.69555p-1, so that one of them has 1 in its middle; 1/c is the nearest multiple of 2^-7 for
    z < 1, of 2^-8 above: so few bits that z/c - 1 is a multiple of 2^-60 below 2^-7, hence exact.
    """
    edge = lambda i: mpf(struct.unpack("<d", struct.pack("<Q", 0x3FE6955500000000 + (i << 45)))[0])
    rows = []
    for i in range(128):
        steps = 2**7 if edge(i) < 1 else 2**8
        invc = rn(nint(2 * steps / (edge(i) + edge(i + 1))) / steps)
        logc = log_c(invc)
        rows.append((invc, logc, rn(-log(mpf(invc)) - mpf(logc))))
    return rows


def erfinv_rows():
    rows = []
    for k in range(ERFINV_N):
        c = mpf(k) / 32
        rows.append(pair(erf(c) if k < ERFINV_SPLIT else erfc(c)) + pair(sqrt(pi) / 2 * exp(c * c)))
    return rows


LN2HI = rn(nint(log(mpf(2)) * 2**42) / 2**42)
LN2LO = rn(log(mpf(2)) - mpf(LN2HI))

# ---- what only the library knows ------------------------------------------------------------------------------------


class Library:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        if b"GLIBC_2.35" not in self.data:
            sys.exit(f"{path}: not the libm of a glibc >= 2.35")

    def find(self, *values, kind="d", occurrence=0):
        """Offset of consecutive constants; exactly the given occurrence of them."""
        pattern, at, hits = struct.pack(f"<{len(values)}{kind}", *values), -1, []
        while (at := self.data.find(pattern, at + 1)) >= 0:
            if at % struct.calcsize(kind) == 0:
                hits.append(at)
        if len(hits) <= occurrence:
            sys.exit(f"not this libm: {values} not found")
        return hits[occurrence]

    def get(self, at, n, kind="d"):
        return list(struct.unpack_from(f"<{n}{kind}", self.data, at))


def fail(what):
    sys.exit(f"derived {what} differs from the library")


def read_library(path):
    lib, t = Library(path), {}

    rows = sincos_rows()
    at = lib.find(0.0, 0.0, 1.0, 0.0, *rows[1])
    seen = [tuple(lib.get(at + 32 * k, 4)) for k in range(SINCOS_N)]
    for mine, theirs in zip(rows, seen):
        for hi, lo in ((0, 1), (2, 3)):
            # The high parts agree; of the low ones some are off in their last bits, by at most 2^-104 of the value.
            if mine[hi] != theirs[hi] or abs(mine[lo] - theirs[lo]) > 2.0**-104 * abs(mine[hi]):
                fail("sin/cos table")
    t["sincos"] = seen

    at = lib.find(LN2HI, LN2LO)
    t["log_poly"] = lib.get(at + 16, 5)
    t["log_near1"] = lib.get(at + 56, 11)
    seen = [tuple(lib.get(at + 144 + 16 * i, 2)) for i in range(128)]
    if any(log_c(invc) != logc for invc, logc in seen):
        fail("log(c)")
    t["log"] = seen

    rows = pow_log_rows()
    at = lib.find(LN2HI, LN2LO, -0.5)
    t["pow_log_poly"] = lib.get(at + 16, 7)
    seen = [lib.get(at + 72 + 32 * i, 4) for i in range(128)]
    if any(mine != (invc, logc, tail) for mine, (invc, _, logc, tail) in zip(rows, seen)):
        fail("pow's log(c)")
    t["pow_log"] = rows

    rows = exp_rows(128)
    raw = [x for tail, b in rows for x in (bits(tail) if tail else 0, b)]
    at = lib.find(*raw, kind="Q")
    head = lib.get(at - 112, 8)
    if head[0] != rn(128 / log(mpf(2))) or head[7] != 1.5 * 2**52:
        fail("128/ln2")
    t["exp"], t["exp_reduce"], t["exp_poly"] = rows, head[1:3], head[3:7]

    log1p = lib.find(rn(mpf(2) / 3), 0.2857142874366239)
    # stored in pairs as the evaluation takes them: Lp3 Lp2 Lp1 Lp5 Lp4 Lp7 Lp6
    l3, l2, l1, l5, l4, l7, l6 = lib.get(log1p + 8, 7)
    t["log1p"] = [l1, l2, l3, l4, l5, l6, l7]

    at = lib.find(*(b for _, b in exp_rows(32)), kind="Q")
    t["expf"] = [b for _, b in exp_rows(32)]
    if lib.get(at + 288, 1)[0] != rn(32 / log(mpf(2))):
        fail("32/ln2")
    t["expf_poly"] = lib.get(at + 296, 3)

    at = lib.find(LOGF_FIRST, logf_c(LOGF_FIRST))
    seen = [tuple(lib.get(at + 16 * i, 2)) for i in range(16)]
    if any(logf_c(invc) != logc for invc, logc in seen if invc != 1.0):
        fail("logf(c)")
    t["logf"], t["logf_poly"] = seen, lib.get(at + 264, 3)

    at = lib.find(1.0, -1.0, -1.0, 1.0, rn(2 / pi * 2**24), rn(pi / 2))
    c0, c1, s1 = lib.get(at + 48, 2) + lib.get(at + 64, 1)
    c2, s2, c3, s3, c4 = lib.get(at + 72, 5)
    t["sincosf_sin"], t["sincosf_cos"] = [s1, s2, s3], [c0, c1, c2, c3, c4]

    # erf: the coefficients stand in the order in which the code takes them; a subtracted one is stored negated.
    at = lib.find(ERF_8EFX, ERF_8EFX / 16)
    v = lib.get(at, 59)
    p = v[2:]
    t["erf_small_p"] = [p[3], p[2], -p[1], p[0], p[4]]
    t["erf_small_q"] = [p[7], p[6], p[5], p[9], p[8]]
    m = p[10:]
    t["erf_mid_p"] = [-m[3], m[2], -m[1], m[0], -m[5], m[4], m[6]]
    t["erf_mid_q"] = [m[9], m[8], m[7], m[11], m[10], m[12]]
    a = m[16:]
    t["erf_near_r"] = [-a[3], a[2], -a[1], a[0], -a[5], a[4], -a[7], a[6]]
    t["erf_near_s"] = [a[10], a[9], a[8], a[12], a[11], a[14], a[13], a[15]]
    b = a[16:]
    t["erf_far_r"] = [-b[3], b[2], -b[1], b[0], -b[5], b[4], b[6]]
    t["erf_far_s"] = [b[9], b[8], b[7], b[11], b[10], b[13], b[12]]

    f32 = [struct.unpack("<f", struct.pack("<f", x))[0] for x in (v[0], v[1])]
    at = lib.find(*f32, kind="f")
    g = lib.get(at, 54, "f")
    t["erff_small_p"] = [g[1], -g[5], -g[4], -g[3], g[2]]
    t["erff_small_q"] = [1.0, g[10], g[9], g[8], g[7], g[6]]
    t["erff_mid_p"] = [-g[17], g[16], -g[15], g[14], -g[13], g[12], g[11]]
    t["erff_mid_q"] = [1.0, g[23], g[22], g[21], g[20], g[19], g[18]]
    t["erff_near_r"] = [-g[31], -g[30], -g[29], -g[28], -g[27], -g[26], -g[25], g[24]]
    t["erff_near_s"] = [1.0, g[39], g[38], g[37], g[36], g[35], g[34], g[33], g[32]]
    t["erff_far_r"] = [-g[46], -g[45], -g[44], -g[43], -g[42], -g[41], g[40]]
    t["erff_far_s"] = [1.0, g[53], g[52], g[51], g[50], g[49], g[48], g[47]]
    return t


LOGF_FIRST = float.fromhex("0x1.661ec79f8f3bep+0")
ERF_8EFX = float.fromhex("0x1.06eba8214db69p+1")  # 8 (2/sqrt(pi) - 1), good to 2^-51 only: a fact of that code

# ---- text -----------------------------------------------------------------------------------------------------------


def number(x, single=False):
    if x == 0:
        return "-0.0" if str(x).startswith("-") else "0.0"
    s = x.hex()
    s = re.sub(r"\.?0*p", "p", s)
    return s + ("f" if single else "")


def block(items, width=112):
    lines, line = [], ""
    for it in items:
        if line and len(line) + len(it) + 2 > width:
            lines.append("    " + line.rstrip())
            line = ""
        line += it + ", "
    lines.append("    " + line.rstrip())
    return "\n".join(lines)


def table(name, why, rows, typ="double", fmt=number):
    if isinstance(rows[0], tuple):
        n, m = len(rows), len(rows[0])
        body = ["{" + ", ".join(fmt(x) for x in r) + "}" for r in rows]
        dim = f"[{n}][{m}]"
    else:
        body, dim = [fmt(x) for x in rows], f"[{len(rows)}]"
    return f"/* {why} */\nstatic const {typ} {name}{dim} = {{\n{block(body)}\n}};\n"


def text(t):
    single = lambda x: number(x, True)
    word = lambda x: f"0x{x:016x}"
    out = [
        "/* SPDX-License-Identifier: MIT */\n"
        "/* Constants of src/kernel/math64.inc.h and erfinv.inc.h, written by tools/make_math64_tables.py: do not\n"
        " * edit. \"Derived\" means recomputed from the formula at 300 bits; \"data\" means taken as a fact from the\n"
        " * libm of x86-64 glibc 2.36, since a minimax fit or a search for breakpoints follows from no formula. */\n"
    ]
    add = lambda *a, **k: out.append(table(*a, **k))
    add("fanin_sincos_table", "{sin hi, sin lo, cos hi, cos lo} of k/128. High parts derived; low parts data, equal\n"
        " * to the derived ones but for some last bits, at most 2^-104 of the value.", t["sincos"])
    add("fanin_log_table", "{1/c, log c}, c near the middle of the i-th of 128 parts of [0x1.6p-1, 0x1.6p0). 1/c\n"
        " * is data: each was picked among neighbours for a log c close to a multiple of 2^-43. log c is derived:\n"
        " * -log of the stored 1/c, rounded to that grid.", t["log"])
    add("fanin_log_poly", "log(1+r) - r = r^2 (A0 + A1 r + ...), |r| < 2^-8. Data.", t["log_poly"])
    add("fanin_log_near1", "the same on [1-2^-4, 1+0x1.09p-4). Data.", t["log_near1"])
    add("fanin_pow_log_table", "{1/c, log c, log c - the stored log c}, c next to the middle of the i-th of 128 parts of\n"
        " * [0x1.69555p-1, 0x1.69555p0), 1/c a multiple of 2^-7 or 2^-8. Derived.", t["pow_log"])
    add("fanin_pow_log_poly", "log(1+r) = r + u + r u (A1 + A2 r + u (A3 + A4 r + u (A5 + A6 r))), u = A0 r^2. Data.",
        t["pow_log_poly"])
    add("fanin_log1p_poly", "log(1+f) - log(1-f) as in fdlibm: R(s^2) = L1 z + L2 z^2 + ... Data.", t["log1p"])
    add("fanin_exp_table", "{relative error of T, bits of T minus i*2^45}, T = 2^(i/128). Derived.",
        [(bits(a) if a else 0, b) for a, b in t["exp"]], typ="uint64_t", fmt=word)
    add("fanin_exp_reduce", "-ln2/128 in two parts. Data.", t["exp_reduce"])
    add("fanin_exp_poly", "exp(r) - 1 - r = r^2 (C2 + C3 r + ...). Data.", t["exp_poly"])
    add("fanin_expf_table", "bits of 2^(i/32) minus i*2^47. Derived.", t["expf"], typ="uint64_t", fmt=word)
    add("fanin_expf_poly", "2^(r/32) - 1, highest power first. Data.", t["expf_poly"])
    add("fanin_logf_table", "{1/c, log c} for 16 parts of [0x1.66p-1, 0x1.66p0). 1/c data, log c derived.", t["logf"])
    add("fanin_logf_poly", "log(1+r) - r, highest power first. Data.", t["logf_poly"])
    add("fanin_sinf_poly", "sin x = x + s1 x^3 + s2 x^5 + s3 x^7, |x| <= pi/4. Data.", t["sincosf_sin"])
    add("fanin_cosf_poly", "cos x = c0 + c1 x^2 + ... Data.", t["sincosf_cos"])
    out.append("/* erf: fdlibm's rational functions (p or r over q or s), lowest power first; the 1 a denominator\n"
               " * begins with is stored for float only. small |x| < 27/32, mid < 5/4, near < 1/0.35, far < 6. */\n")
    for name in ("small_p", "small_q", "mid_p", "mid_q", "near_r", "near_s", "far_r", "far_s"):
        add("fanin_erf_" + name, f"double, {name}", t["erf_" + name])
    for name in ("small_p", "small_q", "mid_p", "mid_q", "near_r", "near_s", "far_r", "far_s"):
        add("fanin_erff_" + name, f"float, {name}", t["erff_" + name], typ="float", fmt=single)
    add("fanin_erfinv_table", f"{{F hi, F lo, g hi, g lo}} at c = k/32: F = erf c for k < {ERFINV_SPLIT}, else\n"
        " * erfc c; g = sqrt(pi)/2 exp(c^2). Derived.", erfinv_rows())
    return "\n".join(out)


def check(path):
    src = open(path).read()

    def rows(name, width, conv):
        body = re.search(rf"\b{name}\[\d+\](?:\[\d+\])? = {{\n(.*?)\n}};", src, re.S).group(1)
        v = [conv(x) for x in re.findall(r"-?(?:0x[0-9a-f.]+(?:p[+-]?\d+)?|0\.0)", body)]
        return [tuple(v[i:i + width]) for i in range(0, len(v), width)]

    fl = float.fromhex
    for mine, seen in zip(sincos_rows(), rows("fanin_sincos_table", 4, fl), strict=True):
        if mine[0] != seen[0] or mine[2] != seen[2] or any(
                abs(mine[i + 1] - seen[i + 1]) > 2.0**-104 * abs(mine[i]) for i in (0, 2)):
            fail("sin/cos table")
    if any(log_c(a) != b for a, b in rows("fanin_log_table", 2, fl)):
        fail("log table")
    if pow_log_rows() != rows("fanin_pow_log_table", 3, fl):
        fail("pow's log table")
    if any(logf_c(a) != b for a, b in rows("fanin_logf_table", 2, fl) if a != 1.0):
        fail("logf table")
    if [(bits(a) if a else 0, b) for a, b in exp_rows(128)] != rows("fanin_exp_table", 2, lambda s: int(s, 16)):
        fail("exp table")
    if [(b,) for _, b in exp_rows(32)] != rows("fanin_expf_table", 1, lambda s: int(s, 16)):
        fail("expf table")
    if erfinv_rows() != rows("fanin_erfinv_table", 4, fl):
        fail("erfinv table")
    print("all derived constants agree")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--libm", default="/lib/x86_64-linux-gnu/libm.so.6")
    ap.add_argument("--out", default=OUT)
    ap.add_argument("--check", metavar="FILE")
    a = ap.parse_args()
    if a.check:
        return check(a.check)
    with open(a.out, "w") as f:
        f.write(text(read_library(a.libm)))


if __name__ == "__main__":
    main()
