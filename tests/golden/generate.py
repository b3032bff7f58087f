#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden vectors of torch.nn.init: replays a fixed list of scenarios in the torch at hand and writes what it did.

    python generate.py --profile torch-2.13 -o torch-2.13.jsonl

One scenario a line: a seed, calls on one generator, the digest of the generator's state after the last of them.
README.md beside this file describes the format; test_golden.c replays it. The scenarios depend on nothing but this
text, so that a file can be made again, under any torch from 1.13 on, and compared byte by byte.
"""

import argparse
import base64
import ctypes
import hashlib
import json
import math
import random
import sys
import warnings

import torch

INLINE_NBYTES = 256  # storages up to this size are written out, larger ones as a digest
UNTOUCHED = 0xA5  # every byte of a storage before its call: shows what a call must not have written

PROFILES = (
    ("torch-2.13", (2, 13)), ("torch-2.12", (2, 12)), ("torch-2.1", (2, 1)), ("torch-2.0", (2, 0)),
    ("torch-1.13", (1, 13)),
)  # newest first, each with its first release

_NAMES = {
    "f32": "float32",
    "f64": "float64",
    "bf16": "bfloat16",
    "f16": "float16",
    "bool": "bool",
    "u8": "uint8",
    "i8": "int8",
    "i16": "int16",
    "u16": "uint16",
    "i32": "int32",
    "u32": "uint32",
    "i64": "int64",
    "u64": "uint64",
    "c64": "complex64",
    "f8_e4m3": "float8_e4m3fn",
    "f8_e5m2": "float8_e5m2",
    "f8_e4m3fnuz": "float8_e4m3fnuz",
    "f8_e5m2fnuz": "float8_e5m2fnuz",
    "f8_e8m0": "float8_e8m0fnu",
}
DTYPES = {short: getattr(torch, name) for short, name in _NAMES.items() if hasattr(torch, name)}
RANDOM = ("f32", "f64", "bf16", "f16")

# Only the low 32 bits reach the engine, all 64 the state.
SEEDS = (0, 42, 2**32 + 5, 2**63 + 11, 2**64 - 1, 1, 12345, 2**32 - 1, 67280421310721)
# Around 8 and 16 (vector width and block), 624 (refill), 1024.
COUNTS = (
    0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 100, 311, 312, 313, 623, 624, 625, 1000, 1023, 1024, 1025,
)


def torch_version():
    return tuple(int(x) for x in torch.__version__.split("+")[0].split(".")[:2])


def profile_of(version):
    for name, first in PROFILES:
        if version >= first:
            return name
    raise SystemExit("torch %d.%d is older than every profile" % version)


# ---------------------------------------------------------------- views: shape, strides, offset over one flat storage


def product(numbers):
    result = 1
    for n in numbers:
        result *= n
    return result


def view(shape, strides, offset=0, behind=0):
    """A view and the storage it needs, with `behind` elements after its last one."""
    last = sum((n - 1) * s for n, s in zip(shape, strides)) + 1 if product(shape) else 0
    return {"shape": list(shape), "strides": list(strides), "offset": offset, "storage": offset + last + behind}


def dense(shape, order=None, offset=0, behind=0):
    """Without holes, dimensions laid out in `order`, outermost first (None: row-major)."""
    strides, step = [0] * len(shape), 1
    for d in reversed(order if order is not None else range(len(shape))):
        strides[d] = step
        step *= max(shape[d], 1)
    return view(shape, strides, offset, behind)


def sliced(shape, steps, order=None, offset=0, behind=0):
    """x[::steps[0], ::steps[1], ...] of a dense tensor just large enough for a whole step in every dimension."""
    whole = dense([n * k for n, k in zip(shape, steps)], order)
    return view(shape, [s * k for s, k in zip(whole["strides"], steps)], offset, behind)


def channels_last(shape, **more):
    return dense(shape, [0] + list(range(2, len(shape))) + [1], **more)


def call(fn, dtype, where, refused=False, **args):
    made = {"fn": fn, "dtype": dtype}
    made.update(where)
    made["args"] = args
    if refused:
        made["refused"] = True
    return made


# ---------------------------------------------------------------- running a scenario


def number(x):
    """A double as strict JSON; what JSON has no number for becomes a string."""
    if isinstance(x, float):
        if math.isnan(x):
            return "nan"
        if math.isinf(x):
            return "inf" if x > 0 else "-inf"
        if x == 0.0 and math.copysign(1.0, x) < 0:
            return "-0"
    return x


def state_bytes():
    state = torch.get_rng_state()
    return ctypes.string_at(state.data_ptr(), state.numel())


def tensor_bytes(tensor):
    nbytes = tensor.numel() * tensor.element_size()
    return ctypes.string_at(tensor.data_ptr(), nbytes) if nbytes else b""


def condition(shape, dtype):
    """cond(A) of the Gaussian matrix that orthogonal_ is about to draw; the generator stays where it is."""
    saved = torch.get_rng_state()
    drawn = torch.empty((shape[0], product(shape) // shape[0]), dtype=DTYPES[dtype]).normal_(0, 1)
    torch.set_rng_state(saved)
    values = torch.linalg.svdvals(drawn.double())
    return float(values.max() / values.min())


def perform(spec):
    """Runs one call; returns (tensor whose bytes are the result or None, value or None)."""
    fn, args = spec["fn"], spec["args"]
    if fn == "calculate_gain":
        return None, float(torch.nn.init.calculate_gain(args["nonlinearity"], args["param"]))
    if fn == "randperm":
        return torch.randperm(args["n"]), None
    if fn == "u64":
        # The full range of int64 is the one integer fill that hands out the generator's words unreduced.
        return torch.empty(args["n"], dtype=torch.int64).random_(-(2**63), None), None
    storage = torch.empty(spec["storage"], dtype=DTYPES[spec["dtype"]])
    ctypes.memset(storage.data_ptr(), UNTOUCHED, storage.numel() * storage.element_size())
    where = torch.as_strided(storage, spec["shape"], spec["strides"], spec["offset"])
    getattr(torch.nn.init, fn + "_")(where, **args)
    return storage, None


def record_call(spec, old_trunc):
    line = {key: value for key, value in spec.items() if key not in ("args", "refused")}
    line["args"] = {key: number(value) for key, value in spec["args"].items()}
    if spec.get("refused"):
        line["refused"] = True  # torch makes values of no meaning, or never ends: not worth running
        return line
    cond = None
    if (
        spec["fn"] == "orthogonal"
        and len(spec["shape"]) > 1
        and product(spec["shape"])
        and spec["dtype"] in ("f32", "f64")
    ):
        cond = condition(spec["shape"], spec["dtype"])
    before = torch.get_rng_state()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            storage, value = perform(spec)
        except Exception as e:  # every class counts: torch raises half a dozen for bad arguments
            # What torch drew before it gave up is no promise of anybody's; the scenario goes on from before it.
            torch.set_rng_state(before)
            if spec["fn"] == "eye" and "not implemented" in str(e):
                return None  # a gap of some releases and dtypes that nobody needs to repeat
            line["error"] = "%s: %s" % (type(e).__name__, str(e).splitlines()[0] if str(e) else "")
            return line
    if value is not None:
        line["value"] = number(value) if math.isinf(value) or math.isnan(value) else value.hex()
        return line
    data = tensor_bytes(storage)
    if cond is not None:
        line["cond"] = cond
    near = old_trunc and spec["fn"] == "trunc_normal" and spec["dtype"] in ("f32", "f64")
    if near:
        line["near"] = True  # erfinv_ was a closed library's: good to an ulp before scaling, not to a bit
    if len(data) <= INLINE_NBYTES:
        line["hex"] = data.hex()
    elif cond is not None or near:
        line["data"] = base64.b64encode(data).decode()
    else:
        line["sha256"] = hashlib.sha256(data).hexdigest()
        line["head"] = data[:32].hex()
    if caught:
        line["warning"] = str(caught[0].message).splitlines()[0]
    return line


def record(seed, calls):
    # The default generator: before torch 2.6 nn.init has no other, and sparse_ draws its permutations from it always.
    torch.manual_seed(seed)
    old_trunc = torch_version() < (2, 12)
    lines = [record_call(spec, old_trunc) for spec in calls if spec.get("dtype", "f32") in DTYPES]
    lines = [line for line in lines if line is not None]
    return {
        "seed": str(seed),
        "torch": torch.__version__.split("+")[0],
        "calls": lines,
        "state": hashlib.sha256(state_bytes()).hexdigest(),
    }


# ---------------------------------------------------------------- scenarios: functions that yield (seed, [call ...])

NAN, INF = float("nan"), float("inf")
NORMALS = (
    (0.0, 1.0), (0.0, 0.02), (0.5, 2.0), (-3.25, 1e-3), (1e4, 0.1), (0.1, 0.3333333333333333), (0.0, 0.0), (2.0, 0.0),
    (-1e-3, 1e-8), (7.0, 100.0),
)
# The upper-bound rule of 2.12 shows where `to - from` is small beside `from`.
UNIFORMS = (
    (0.0, 1.0), (-0.1, 0.1), (-0.30000000000000004, 0.7), (1.0, 1.0001), (-0.5, 0.5), (3.0, 3.0), (-2.0, -1.9),
    (0.0, 1e-30), (-1.0 / 3.0, 1.0 / 3.0), (1.0, 1.00000001), (-0.04419417382415922, 0.04419417382415922),
    (100.0, 101.0), (1e-3, 5e4),
)
# p > 0.3: one round as good as surely; two to four rounds; many; one-sided; off centre.
TRUNCS_NORMAL = (
    (0.0, 0.02, -2.0, 2.0), (0.0, 1.0, -2.0, 2.0), (0.0, 1.0, -0.5, 0.5), (0.0, 1.0, -INF, 0.0), (0.3, 0.7, -0.2, 1.9),
    (1.0, 2.0, 0.5, INF), (0.0, 1.0, -3.0, 3.0), (-5.0, 0.1, -5.05, -4.95), (0.0, 0.02, -0.04, 0.04),
    (0.1, 1.0, -0.35, 0.45),
)
# p <= 0.3: tails, narrow windows, an empty one, mean outside.
TRUNCS_UNIFORM = (
    (0.0, 1.0, 1.0, 3.0), (0.0, 1.0, -0.1, 0.1), (0.0, 1.0, 0.7, 0.7), (2.0, 0.5, 0.0, 1.2), (0.0, 0.02, 0.03, 0.05),
    (-1.0, 3.0, 4.0, 4.5), (10.0, 4.0, 8.0, 9.0), (0.0, 1.0, 2.5, 4.0),
)


def pick(table, i):
    return table[i % len(table)]


def fill_call(fn, dtype, where, i):
    """A random fill with the i-th parameters of its table."""
    if fn == "normal":
        mean, std = pick(NORMALS, i)
        return call(fn, dtype, where, mean=mean, std=std)
    if fn == "uniform":
        a, b = pick(UNIFORMS, i)
        return call(fn, dtype, where, a=a, b=b)
    if fn == "trunc_normal":
        mean, std, a, b = pick(TRUNCS_NORMAL, i // 2) if i % 2 == 0 else pick(TRUNCS_UNIFORM, i // 2)
        return call(fn, dtype, where, mean=mean, std=std, a=a, b=b)
    if fn == "xavier_uniform" or fn == "xavier_normal":
        return call(fn, dtype, where, gain=pick((1.0, 0.5, 5.0 / 3.0, math.sqrt(2.0), 1.7), i))
    if fn == "kaiming_uniform" or fn == "kaiming_normal":
        a, nonlinearity = pick(
            (
                (0.0, "leaky_relu"), (math.sqrt(5.0), "leaky_relu"), (0.0, "relu"), (0.2, "leaky_relu"), (0.0, "tanh"),
                (0.0, "linear"), (0.0, "selu"), (0.01, "sigmoid"), (0.3, "conv_transpose2d"),
            ),
            i,
        )
        return call(fn, dtype, where, a=a, mode=("fan_in", "fan_out")[i // 2 % 2], nonlinearity=nonlinearity)
    if fn == "orthogonal":
        return call(fn, dtype, where, gain=pick((1.0, 1.5, math.sqrt(2.0), -0.7), i))
    if fn == "sparse":
        return call(fn, dtype, where, sparsity=pick((0.1, 0.5, 0.9, 0.07, 0.0, 1.0), i), std=pick((0.01, 1.0), i))
    if fn == "constant":
        return call(fn, dtype, where, val=pick((0.0, 1.0, -0.3, 1e-3, 65504.0, NAN, INF, 0.1, -0.0, 1e-8), i))
    if fn == "dirac":
        return call(fn, dtype, where, groups=1)
    return call(fn, dtype, where)


def every_count():
    """Every random fill x dtype x count, contiguous 1-D; two parameter sets and a cached normal between them."""
    i = 0
    for fn in ("uniform", "normal", "trunc_normal"):
        for dtype in RANDOM:
            for n in COUNTS:
                yield pick(SEEDS, i), [
                    fill_call(fn, dtype, dense([n]), 2 * i),
                    fill_call(fn, dtype, dense([n]), 2 * i + 1),
                ]
                i += 1


def every_parameter():
    """Every row of the parameter tables x dtype, at counts with and without a tail and on the scalar path."""
    i = 0
    for fn, table in (("uniform", UNIFORMS), ("normal", NORMALS), ("trunc_normal", TRUNCS_NORMAL + TRUNCS_UNIFORM)):
        for dtype in RANDOM:
            for row in range(len(table)):
                for n in (5, 200):
                    names = {
                        "uniform": ("a", "b"),
                        "normal": ("mean", "std"),
                        "trunc_normal": ("mean", "std", "a", "b"),
                    }[fn]
                    args = dict(zip(names, table[row]))
                    yield pick(SEEDS, i), [call(fn, dtype, dense([n]), **args)]
                    i += 1


FAN_SHAPES = (
    [1, 1], [3, 5], [4, 4], [2, 8], [17, 1], [1, 16], [5, 3, 1], [3, 3, 5], [16, 33], [8, 4, 3], [6, 5, 3, 3],
    [2, 2, 2, 2], [1, 3, 1, 5], [4, 2, 2, 3, 2], [50, 7], [31, 33], [624, 1], [25, 25], [7, 3, 7, 7], [64, 16],
    [2, 1, 1, 2, 2, 3], [10, 20, 3], [3, 1, 2, 2],
)


def every_fan():
    """The initializers that look at fans x dtype x shape, the 4 of them one after another."""
    i = 0
    for dtype in RANDOM:
        for shape in FAN_SHAPES:
            yield pick(SEEDS, i), [
                fill_call(fn, dtype, dense(shape), i + k)
                for k, fn in enumerate(("kaiming_uniform", "xavier_uniform", "kaiming_normal", "xavier_normal"))
            ]
            i += 1
    for shape in ([24, 10], [12, 6, 3]):
        for mode in ("fan_in", "fan_out", "FAN_OUT"):
            for nonlinearity in (
                "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
                "sigmoid", "tanh", "relu", "leaky_relu", "selu",
            ):
                i += 1
                yield pick(SEEDS, i), [
                    call(
                        fn, "f32", dense(shape), a=pick((0.0, 0.1, math.sqrt(5.0)), i), mode=mode,
                        nonlinearity=nonlinearity,
                    )
                    for fn in ("kaiming_uniform", "kaiming_normal")
                ]
    for gain in (0.0, 1e-20, 1e20, -0.0):
        i += 1
        yield pick(SEEDS, i), [call(fn, "f32", dense([5, 9]), gain=gain) for fn in ("xavier_uniform", "xavier_normal")]


VIEWS = (
    dense([]), dense([], offset=3, behind=2), dense([20], offset=1), dense([15], offset=5, behind=4), view([5], [3]),
    view([16], [2]), view([40], [7], offset=2), view([1], [9]), view([3, 1, 8], [8, 0, 1]),
    view([3, 1, 5], [5, 77, 1]), view([1, 24], [1, 1]), view([1, 1, 17], [3, 2, 1], offset=1), view([1, 7], [7, 2]),
    sliced([6, 5], [1, 2]), sliced([6, 5], [2, 1]), sliced([3, 4], [2, 3], offset=1),
    view([6, 5], [8, 1], offset=2, behind=1), dense([5, 7], [1, 0]), dense([4, 3], [1, 0]), dense([16, 16], [1, 0]),
    sliced([4, 6], [2, 1], [1, 0]), sliced([5, 4], [1, 2], [1, 0]), view([4, 5], [1, 9]),
    sliced([9, 3], [3, 2], [1, 0], offset=2), dense([3, 4, 5], [2, 1, 0]), dense([3, 4, 5], [1, 2, 0]),
    dense([2, 3, 5], [0, 2, 1], offset=1), sliced([3, 4, 5], [1, 1, 2]), sliced([3, 4, 5], [2, 1, 1], [2, 0, 1]),
    sliced([2, 3, 4], [1, 2, 1], [1, 0, 2]), channels_last([2, 3, 4, 5]), channels_last([3, 1, 4, 4]),
    channels_last([4, 5, 1, 1]), channels_last([1, 3, 2, 2]), channels_last([4, 2, 2, 3, 2]),
    sliced([2, 3, 2, 3], [1, 2, 1, 1], [0, 2, 3, 1]), sliced([2, 3, 3, 3], [1, 1, 2, 2]),
    dense([2, 2, 3, 2], [3, 1, 0, 2], offset=7, behind=3), dense([2, 3, 1, 2, 2, 2]),
    dense([2, 1, 2, 2, 1, 2, 2, 2], [7, 0, 2, 1, 4, 3, 6, 5]), view([4, 1, 6], [6, 1, 1]), view([2, 4, 1], [16, 2, 5]),
    dense([0]), dense([3, 0]), dense([0, 2, 3]), dense([2, 0, 1, 4], offset=2, behind=1),
)


def every_view():
    """Every layout x dtype x initializer that takes it. A cached normal may be left for the next call."""
    i = 0
    for dtype in RANDOM:
        for where in VIEWS:
            ndim, empty = len(where["shape"]), product(where["shape"]) == 0
            calls = [fill_call("normal", dtype, where, i), fill_call("uniform", dtype, where, i)]
            calls.append(fill_call("constant", dtype, where, 2 if i % 3 else 3))
            if not (empty and i % 2):
                calls += [fill_call("trunc_normal", dtype, where, k) for k in (2, 1)]
            yield pick(SEEDS, i), calls
            if ndim >= 2:
                fans = [fill_call("kaiming_uniform", dtype, where, i), fill_call("kaiming_normal", dtype, where, i)]
                if sum(where["shape"][:2]):
                    fans.append(fill_call("xavier_normal", dtype, where, i))
                if ndim == 2:
                    fans += [fill_call("sparse", dtype, where, i), fill_call("eye", dtype, where, i)]
                if 3 <= ndim <= 5:
                    fans.append(fill_call("dirac", dtype, where, i))
                fans.append(fill_call(("ones", "zeros")[i % 2], dtype, where, i))
                yield pick(SEEDS, i + 1), fans
            i += 1


def truncated_layouts():
    """trunc_normal on views with holes: later rounds run on dense copies, whose path may differ from the first's."""
    i = 0
    for dtype in RANDOM:
        for where in (
            view([33], [2]), sliced([6, 9], [2, 1]), sliced([9, 6], [1, 2], [1, 0]), dense([9, 6], [1, 0]),
            sliced([3, 4, 5], [2, 1, 1], [2, 0, 1]), channels_last([2, 3, 4, 4]),
            sliced([2, 3, 4, 4], [1, 1, 2, 1], [0, 2, 3, 1]), view([4, 1, 8], [8, 0, 1]), view([2, 9], [50, 2]),
            view([15], [2]),
        ):
            for args in ((0.0, 1.0, -0.5, 0.5), (0.0, 1.0, 0.5, 3.0)):
                i += 1
                yield pick(SEEDS, i), [
                    call("trunc_normal", dtype, where, **dict(zip(("mean", "std", "a", "b"), args))),
                    call("normal", dtype, dense([3]), mean=0.0, std=1.0),
                ]


def sequences():
    """What lives in the generator between calls: the position inside a word block and the cached normal."""

    def n(dtype, count, **more):
        return call("normal", dtype, dense([count]), **dict({"mean": 0.0, "std": 1.0}, **more))

    def u(dtype, count):
        return call("uniform", dtype, dense([count]), a=-1.0, b=1.0)

    for k, seed in enumerate(SEEDS):
        a, b, c, d = (RANDOM[(k + j) % 4] for j in range(4))
        # one, two, three odd counts: the cache is filled, used, filled again, across dtypes and block fills
        yield seed, [n(a, 1), n(b, 1, mean=3.0, std=0.1)]
        yield seed, [n(a, 3), u(b, 5), n(c, 16), n(d, 2), n(a, 1)]
        yield seed, [n(a, 7), n(b, 100), u(c, 31), n(b, 15), call("randperm", "i64", dense([9]), n=9), n(c, 4)]
        yield seed, [u(a, 1), n(b, 33), call("u64", "i64", dense([3]), n=3), n(c, 5), n(d, 8), n(a, 9), n(b, 17)]
        yield seed, [
            n(a, 5), call("sparse", b, dense([3, 3]), sparsity=0.4, std=1.0), n(c, 1),
            call("sparse", c, dense([9, 4]), sparsity=0.5, std=0.1), n(d, 1),
        ]
        yield seed, [
            n(a, 5), call("trunc_normal", b, dense([7]), mean=0.0, std=1.0, a=-1.0, b=1.0), n(c, 2),
            call("trunc_normal", d, dense([40]), mean=0.0, std=1.0, a=-0.6, b=1.0), n(a, 3),
        ]
        yield seed, [
            call("kaiming_uniform", a, dense([12, 10]), a=math.sqrt(5.0), mode="fan_in", nonlinearity="leaky_relu"),
            u(a, 12),
            call("xavier_normal", b, dense([3, 4]), gain=1.0),
            n(b, 1),
            call("constant", c, dense([4]), val=0.5),
            call("eye", d, dense([3, 3])),
            n(d, 6),
        ]
        # refills at every distance: 623, 624, 625 words taken, then the rest
        yield seed, [
            u("f32", 623), u("f64", 1), u("bf16", 623), n("f32", 16), u("f16", 1), n("f64", 311), u("f32", 624),
            n("f32", 624),
        ]
        yield seed, [n("f32", m) for m in (1, 2, 15, 16, 17, 31, 32, 33, 3, 1, 1)]
        yield seed, [n("f64", m) for m in (1, 2, 15, 16, 17, 31, 32, 33, 3, 1, 1)]
        yield seed, [call("u64", "i64", dense([m]), n=m) for m in (1, 311, 312, 313, 700)]
        yield seed, [u(pick(RANDOM, m + k), m) for m in range(1, 30)]
        yield seed, [n(pick(RANDOM, m + k), m) for m in range(1, 30)]
        yield seed, []  # the state of a fresh generator


def permutations():
    for k, n in enumerate((0, 1, 2, 3, 5, 10, 31, 32, 33, 100, 623, 624, 625, 626, 1000, 4097, 70001)):
        for seed in (pick(SEEDS, k), pick(SEEDS, k + 3)):
            yield seed, [call("randperm", "i64", dense([n]), n=n)]
    k = 0
    for dtype in RANDOM:
        for shape in ([1, 1], [3, 4], [10, 7], [33, 5], [100, 3], [4, 100], [7, 1], [0, 4], [4, 0], [15, 1], [1, 16]):
            for sparsity in (0.0, 0.1, 0.07, 0.5, 0.9, 1.0, 1.5, -0.3):
                if (k % 3 == 0) or dtype == "f32":
                    yield pick(SEEDS, k), [
                        call("sparse", dtype, dense(shape), sparsity=sparsity, std=pick((0.01, 1.0, 0.0), k))
                    ]
                k += 1


def orthogonal_matrices():
    k = 0
    for dtype in ("f32", "f64"):
        for shape in (
            [1, 1], [1, 5], [5, 1], [2, 2], [3, 3], [4, 4], [7, 3], [3, 7], [8, 2, 3, 3], [5, 20], [16, 16], [15, 1],
            [17, 16], [2, 3, 2], [33, 20], [20, 33], [3, 1, 1, 40], [1, 1, 1], [32, 32], [40, 8], [8, 40],
        ):
            for seed in (pick(SEEDS, k), pick(SEEDS, k + 4)):
                yield seed, [fill_call("orthogonal", dtype, dense(shape), k)]
                k += 1
        for where in (
            dense([5, 7], [1, 0]), sliced([6, 4], [1, 2]), sliced([4, 6], [2, 1], offset=3),
            dense([3, 4, 5], offset=2, behind=2), channels_last([2, 3, 4, 5]), channels_last([4, 5, 1, 1]),
            view([4, 1, 6], [6, 1, 1]), dense([0, 3]), dense([3, 0]),
        ):
            yield pick(SEEDS, k), [fill_call("orthogonal", dtype, where, k)]
            k += 1
        yield pick(SEEDS, k), [call("orthogonal", dtype, dense([6, 6]), gain=0.0)]
    for seed in (0, 42, 7, 8, 9):
        yield seed, [call("orthogonal", "f32", dense([64, 64]), gain=1.0)]
    yield 3, [call("orthogonal", "f64", dense([64, 64]), gain=1.0)]
    yield 4, [
        call("orthogonal", "f32", dense([256, 128]), gain=1.0),
        call("normal", "f32", dense([5]), mean=0.0, std=1.0),
    ]
    yield 5, [call("orthogonal", "f32", dense([100, 257]), gain=2.0)]
    yield 6, [call("orthogonal", "f64", dense([128, 100]), gain=1.0)]


def gains():
    names = (
        "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
        "tanh", "relu", "leaky_relu", "selu", "gelu", "", "ReLU", "linear ",
    )

    def gain(nonlinearity, param):
        return {"fn": "calculate_gain", "args": {"nonlinearity": nonlinearity, "param": param}}

    yield 0, [gain(name, param) for name in names for param in (None, 0.5)]
    slopes = [
        0.0, -0.0, 0.01, 0.1, 0.2, 0.3, 1.0, -1.0, math.sqrt(5.0), math.sqrt(3.0), 1e-200, 1e8, 1e150, 1e200, -1e300,
        INF, -INF, NAN, 5e-324,
    ]
    source = Dice(20)
    slopes += [source.real(-3.0, 3.0) for _ in range(150)]
    yield 0, [gain("leaky_relu", slope) for slope in slopes]


def fixed_fills():
    """constant, ones, zeros, eye, dirac: nothing is drawn, every dtype is taken."""
    values = (
        0.0, -0.0, 1.0, -1.0, 0.5, 2.7, -2.7, 1.5, 2.5, 100.0, 127.0, 128.0, 240.0, 255.0, 256.0, 448.0, 464.0, 465.0,
        1e3, -1e3, 32767.0, 32768.0, 57344.0, 61440.0, 65504.0, 65519.0, 65520.0, 65536.0, 1e6, -1e6, 2147483647.0,
        2147483648.0, 4294967295.0, 4294967296.0, 9007199254740993.0, 9.3e18, 1.9e19, 1e30, 3.4028234663852886e38,
        3.4028235677973366e38, 3.5e38, 1e39, 1e300, -1e39, 0.1, 1.0 / 3.0, 1e-3, 0.0009765625, 6e-8,
        2.9802322387695312e-08, 1e-8, 1e-40, 1.401298464324817e-45, 1e-46, 5e-324, 1e-320, 0.00390625, 0.001953125,
        0.0029296875, 1.00390625, 1.01171875, 1.0009765625, 1.00048828125, 1.000244140625, 1.0000000596046448, INF,
        -INF, NAN,
    )
    for dtype in DTYPES if torch_version() >= (2, 13) else RANDOM:
        if dtype == "c64":
            yield 0, [call("constant", dtype, dense([3]), val=value) for value in (0.0, 1.0, -0.3, 2.7, NAN)]
        else:
            yield 0, [call("constant", dtype, dense([3]), val=value) for value in values]
        yield 0, [
            call(fn, dtype, where)
            for fn in ("ones", "zeros")
            for where in (dense([5]), sliced([3, 4], [2, 1], [1, 0], offset=1), dense([0, 2]), dense([]))
        ]
        yield 0, [
            call("eye", dtype, where)
            for where in (
                dense([3, 3]), dense([2, 5]), dense([5, 2]), dense([4, 3], [1, 0]), sliced([3, 3], [2, 2], offset=1),
                dense([1, 1]), dense([0, 3]), dense([3, 0]), view([3, 1], [2, 9]),
            )
        ]
        yield 0, [
            call("dirac", dtype, where, groups=groups)
            for where, groups in (
                (dense([4, 6, 3]), 1), (dense([6, 4, 3]), 3), (dense([3, 16, 2, 2]), 1), (dense([6, 2, 3, 5]), 2),
                (dense([4, 2, 2, 3, 2]), 2), (dense([3, 3, 1]), 1), (channels_last([4, 3, 2, 3]), 2),
                (channels_last([2, 3, 3, 1, 2]), 1), (sliced([4, 2, 3], [1, 2, 1], offset=2), 4),
                (dense([2, 2, 4]), 2), (dense([0, 3, 3]), 1), (dense([3, 0, 3]), 1),
            )
        ]
    # Every element of an expanded view is one address: a constant may be written there, random values may not.
    yield 0, [call("constant", "f32", view([4], [0]), val=2.0), call("zeros", "f32", view([3, 4], [0, 1]))]


def errors():
    """Calls that torch refuses, and warnings. After an error nothing may have changed."""
    probe = call("normal", "f32", dense([3]), mean=0.0, std=1.0)  # shows that the generator stands where it stood

    def alone(*calls):
        return 42, [probe] + list(calls) + [probe]

    for dtype in RANDOM:
        for a, b in (
            (1.0, 0.0), (NAN, 1.0), (0.0, NAN), (NAN, NAN), (-INF, 0.0), (0.0, INF), (-INF, INF), (INF, INF),
            (-6e4, 6e4), (-7e4, 0.0), (0.0, 7e4), (-2e38, 2e38), (-1e308, 1e308), (-1e39, 0.0), (0.0, 1e39),
            (0.0, 65504.0), (-3e38, 3e37), (-0.0, 0.0), (0.0, -0.0), (1.0, 0.9999999999999999), (0.0, -1e-320),
            (65504.0, 65504.0), (1e5, 1e5), (-32752.0, 32752.0), (-32760.0, 32760.0),
        ):
            yield alone(call("uniform", dtype, dense([5]), a=a, b=b), call("uniform", dtype, dense([0]), a=a, b=b))
        for mean, std in (
            (0.0, -1.0), (0.0, NAN), (0.0, -0.0), (NAN, 1.0), (INF, 1.0), (-INF, 1.0), (0.0, INF), (1e39, 1.0),
            (0.0, 1e39), (7e4, 1.0), (0.0, 7e4), (0.0, -INF), (1e300, 1e300), (0.0, -1e-320),
        ):
            for n in (0, 5, 20):
                yield alone(call("normal", dtype, dense([n]), mean=mean, std=std))
        for mean, std, a, b in (
            (0.0, 0.0, -2.0, 2.0), (0.0, 1.0, 2.0, -2.0), (0.0, 1.0, NAN, 2.0), (0.0, 1.0, -2.0, NAN),
            (0.0, 1.0, 1.0, INF), (0.0, 1.0, -INF, -1.0), (0.0, 1.0, INF, INF), (0.0, 1.0, -INF, INF),
            (0.0, 1.0, -1e6, 1e6), (0.0, 1.0, -1e39, 1e39), (6e4, 1e4, 5e4, 7e4), (6e4, 1e5, 5e4, 7e4),
            (1.0, 1.0, 1.0, 1.0), (3.0, 1.0, -2.0, 0.99), (3.0, 1.0, -2.0, 1.0), (-4.01, 1.0, -2.0, 2.0),
            (-4.0, 1.0, -2.0, 2.0), (4.5, 1.0, 0.0, 2.0), (7.0, 2.0, -2.0, 2.5), (0.0, 1e-30, -1.0, 1.0),
            (INF, 1.0, -2.0, 2.0), (0.0, 1e3, -2.0, 2.0), (0.0, 1e300, -2.0, 2.0),
        ):
            yield alone(
                call("trunc_normal", dtype, dense([5]), mean=mean, std=std, a=a, b=b),
                call("trunc_normal", dtype, dense([20]), mean=mean, std=std, a=a, b=b),
            )
        for mean, std, a, b in (
            (0.0, -1.0, -2.0, 2.0), (NAN, 1.0, -2.0, 2.0), (0.0, NAN, -2.0, 2.0), (0.0, INF, -2.0, 2.0),
            (0.0, -0.5, 0.0, 0.1), (0.0, 1e-3, 1.0, 2.0),
        ):
            refused = std != 1e-3 or torch_version() >= (2, 12)  # so far out, rejection never ends; older torch clamps
            yield alone(call("trunc_normal", dtype, dense([17]), refused=refused, mean=mean, std=std, a=a, b=b))
        yield alone(
            call("orthogonal", dtype, dense([4]), gain=1.0),
            call("orthogonal", dtype, dense([]), gain=1.0),
            call("orthogonal", dtype, channels_last([2, 3, 4, 4]), gain=1.0),
        )
        yield alone(
            call("sparse", dtype, dense([4]), sparsity=0.5, std=0.01),
            call("sparse", dtype, dense([4, 2, 2]), sparsity=0.5, std=0.01),
            call("sparse", dtype, dense([4, 3]), sparsity=NAN, std=0.01),
            call("sparse", dtype, dense([4, 3]), sparsity=0.5, std=-1.0),
            call("sparse", dtype, dense([4, 3]), sparsity=INF, std=0.1),
        )
        yield alone(call("eye", dtype, dense([4])), call("eye", dtype, dense([2, 2, 2])), call("eye", dtype, dense([])))
        yield alone(
            *[
                call("dirac", dtype, dense(shape), groups=groups)
                for shape, groups in (
                    ([4], 1), ([4, 4], 1), ([2, 2, 2, 2, 2, 2], 1), ([4, 4, 3], 3), ([4, 4, 3], 0), ([4, 4, 3], 8),
                    ([4, 4, 0], 1), ([2, 2, 0, 3], 1),
                )
            ]
        )
        for fn in ("kaiming_uniform", "kaiming_normal"):
            yield alone(
                *[
                    call(fn, dtype, dense(shape), a=0.0, mode=mode, nonlinearity=nonlinearity)
                    for shape, mode, nonlinearity in (
                        ([5], "fan_in", "relu"), ([], "fan_in", "relu"), ([0], "fan_in", "relu"),
                        ([0, 3], "fan_in", "relu"), ([3, 0], "fan_out", "relu"), ([3, 4], "fan_avg", "relu"),
                        ([3, 4], "", "relu"), ([3, 4], "fan_in", "gelu"), ([3, 4], "fan_in", ""),
                        ([3, 4], "Fan_In", "relu"), ([3, 0], "fan_avg", "gelu"), ([3, 4], "fan_in", "Tanh"),
                    )
                ]
            )
            yield alone(
                *[
                    call(fn, dtype, dense([3, 4]), a=a, mode="fan_in", nonlinearity="leaky_relu")
                    for a in (NAN, INF, 1e200, -1.0, 1e150)
                ]
            )
        for fn in ("xavier_uniform", "xavier_normal"):
            yield alone(
                *[
                    call(fn, dtype, dense(shape), gain=gain)
                    for shape, gain in (
                        ([5], 1.0), ([], 1.0), ([0], 1.0), ([0, 0], 1.0), ([0, 3], 1.0), ([3, 0], 1.0),
                        ([2, 3, 0], 1.0), ([3, 4], -1.0), ([3, 4], NAN), ([3, 4], INF), ([3, 4], 1e39),
                        ([3, 4], 1e308), ([3, 4], 1e5),
                    )
                ]
            )
        # an expanded view has one address for several values
        yield alone(
            *[
                fill_call(fn, dtype, view([4, 5], [0, 1]), 0)
                for fn in ("uniform", "normal", "trunc_normal", "kaiming_uniform", "xavier_normal", "sparse")
            ]
        )
    for dtype in ("i64", "u8", "bool"):
        yield alone(
            *[
                fill_call(fn, dtype, dense([4, 5]), 0)
                for fn in (
                    "uniform", "normal", "trunc_normal", "kaiming_uniform", "xavier_uniform", "orthogonal", "sparse",
                )
            ]
        )


def large():
    """A million and more by digest: every path over many refills, and the vector loops' ends."""
    i = 0
    for n in (1000000, 3000005):
        for dtype in RANDOM:
            yield pick(SEEDS, i), [call("normal", dtype, dense([n]), mean=0.0, std=0.02)]
            yield pick(SEEDS, i + 1), [call("uniform", dtype, dense([n]), a=-0.0123, b=0.0123)]
            i += 1
    for dtype in RANDOM:
        # Where trunc_normal_ is only near (record_call), every value would have to be stored.
        if torch_version() >= (2, 12) or dtype in ("bf16", "f16"):
            yield pick(SEEDS, i), [call("trunc_normal", dtype, dense([1000, 1000]), mean=0.0, std=0.02, a=-2.0, b=2.0)]
            yield pick(SEEDS, i), [call("trunc_normal", dtype, dense([1000003]), mean=0.0, std=1.0, a=-2.0, b=2.0)]
            yield pick(SEEDS, i), [call("trunc_normal", dtype, dense([100003]), mean=0.0, std=1.0, a=1.0, b=2.5)]
        yield pick(SEEDS, i), [
            call("uniform", dtype, dense([1000, 777], [1, 0]), a=1.0, b=1.0001),
            call("normal", dtype, dense([333, 777], [1, 0]), mean=0.1, std=0.7),
        ]
        yield pick(SEEDS, i), [
            call(
                "kaiming_uniform", dtype, dense([768, 3072]), a=math.sqrt(5.0), mode="fan_in", nonlinearity="leaky_relu"
            ),
            call("xavier_normal", dtype, dense([512, 256, 3, 3]), gain=1.0),
        ]
        yield pick(SEEDS, i), [call("sparse", dtype, dense([1000, 300]), sparsity=0.3, std=0.01)]
        i += 1
    yield 1, [call("randperm", "i64", dense([1000003]), n=1000003), call("u64", "i64", dense([1000003]), n=1000003)]


# ---------------------------------------------------------------- random scenarios


class Dice:
    """random.Random reduced to what stays the same between Python versions."""

    def __init__(self, seed):
        self._random = random.Random(seed).random

    def below(self, n):
        return int(self._random() * n)

    def real(self, low, high):
        return low + (high - low) * self._random()

    def choose(self, table):
        return table[self.below(len(table))]

    def chance(self, p):
        return self._random() < p


def random_view(dice, ndim=None):
    ndim = dice.choose((1, 1, 2, 2, 2, 3, 4, 4, 5, 0, 6)) if ndim is None else ndim
    limit = {0: 1, 1: 700, 2: 40, 3: 12, 4: 7, 5: 5, 6: 4}[ndim]
    shape = [1 + dice.below(dice.choose((3, limit))) for _ in range(ndim)]
    if ndim and dice.chance(0.02):
        shape[dice.below(ndim)] = 0
    offset, behind = (dice.below(5), dice.below(4)) if dice.chance(0.3) else (0, 0)
    kind = dice.below(10)
    if kind < 5 or ndim == 0:
        return dense(shape, None, offset, behind)
    order = list(range(ndim))
    if kind >= 7:
        for i in range(ndim - 1, 0, -1):
            j = dice.below(i + 1)
            order[i], order[j] = order[j], order[i]
    steps = [dice.choose((1, 1, 2, 3)) if kind in (5, 6, 9) else 1 for _ in range(ndim)]
    where = sliced(shape, steps, order, offset, behind)
    for d in range(ndim):
        if shape[d] == 1 and dice.chance(0.3):
            where["strides"][d] = dice.below(40)
    return where


def random_call(dice):
    fn = dice.choose(
        ("uniform",) * 3
        + ("normal",) * 4
        + ("trunc_normal",) * 3
        + ("kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal") * 2
        + ("sparse", "orthogonal", "constant", "eye", "dirac", "randperm", "u64")
    )
    dtype = dice.choose(RANDOM)
    if fn == "randperm" or fn == "u64":
        n = dice.below(900)
        return call(fn, "i64", dense([n]), n=n)
    where = random_view(dice, {"sparse": 2, "eye": 2, "dirac": 3 + dice.below(3)}.get(fn))
    ndim = len(where["shape"])
    if ndim < 2 and fn in ("kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "orthogonal"):
        where = random_view(dice, 2 + dice.below(4))
    scale = 10.0 ** dice.real(-4.0, 1.5)
    centre = dice.choose((0.0, 0.0, scale * dice.real(-3.0, 3.0)))
    if fn == "uniform":
        return call(fn, dtype, where, a=centre, b=centre + scale)
    if fn == "normal":
        return call(fn, dtype, where, mean=centre, std=scale)
    if fn == "trunc_normal":
        low = dice.real(-4.0, 2.0)
        return call(
            fn, dtype, where, mean=centre, std=scale, a=centre + scale * low,
            b=centre + scale * (low + dice.real(0.05, 5.0)),
        )
    if fn in ("kaiming_uniform", "kaiming_normal"):
        return call(
            fn,
            dtype,
            where,
            a=dice.choose((0.0, math.sqrt(5.0), dice.real(0.0, 2.0))),
            mode=dice.choose(("fan_in", "fan_out")),
            nonlinearity=dice.choose(("relu", "leaky_relu", "leaky_relu", "tanh", "linear", "selu", "conv2d")),
        )
    if fn in ("xavier_uniform", "xavier_normal"):
        return call(fn, dtype, where, gain=dice.choose((1.0, dice.real(0.1, 3.0))))
    if fn == "orthogonal":
        return call(fn, dtype, dense(where["shape"]), gain=dice.choose((1.0, dice.real(-2.0, 2.0))))
    if fn == "sparse":
        return call(fn, dtype, where, sparsity=dice.real(0.0, 1.0), std=scale)
    if fn == "constant":
        return call(fn, dtype, where, val=centre)
    if fn == "dirac":
        return call(fn, dtype, where, groups=dice.choose((1, 1, 2, 3)))
    return call(fn, dtype, where)


def random_scenarios(seed, count):
    dice = Dice(seed)
    for _ in range(count):
        yield dice.below(2**32) * 2**32 + dice.below(2**32), [random_call(dice) for _ in range(1 + dice.below(6))]


# ---------------------------------------------------------------- the files


def scenarios(profile):
    """Everything for the newest profile; for the older ones each second, fourth or twelfth scenario of every part."""
    newest = profile == "torch-2.13"
    for part, thin in (
        (every_count(), 2), (every_parameter(), 4), (every_fan(), 4), (every_view(), 4), (truncated_layouts(), 4),
        (sequences(), 4), (permutations(), 4), (orthogonal_matrices(), 12), (gains(), 1), (fixed_fills(), 2),
        (errors(), 2), (large(), 1), (random_scenarios(1, 1200), 4),
    ):
        thin = 1 if newest else thin
        for i, scenario in enumerate(part):
            # a step of 4 would meet the same dtype or seed again and again
            if (i + i // thin) % thin == 0:
                yield scenario


def write(path, pairs):
    nlines = ncalls = 0
    with open(path, "w", encoding="ascii", newline="\n") as out:
        for seed, calls in pairs:
            line = record(seed, calls)
            out.write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
            nlines += 1
            ncalls += len(line["calls"])
    return nlines, ncalls


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=[name for name, _ in PROFILES])
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    if profile_of(torch_version()) != options.profile:
        raise SystemExit("torch %s belongs to the profile %s" % (torch.__version__, profile_of(torch_version())))
    torch.set_num_threads(1)
    print("%s: %d scenarios, %d calls" % ((options.output,) + write(options.output, scenarios(options.profile))))


if __name__ == "__main__":
    sys.exit(main())
