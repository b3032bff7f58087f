#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden plans: recordings written down op by op, each op done by torch at the same time.

    python generate_plans.py -o plans

Every plan becomes NAME.plan.json, in which "check" has the SHA-256 of each tensor at seed 0, and all of them together
digests.json with those at other seeds. Tensors of functions that torch takes from its host are in near.json with
all their bytes at seed 0. No recorder takes part: where an op begins in the stream is counted here, by
the rules that docs/plan-format.md gives, and what its storage holds is what torch left there.
"""
import argparse
import base64
import hashlib
import json
import math
import os

import torch

SEEDS = (0, 1, 42, 2**63 + 11)
HOST = ("exp", "log", "expm1", "log1p", "erfinv")
SHORT = {torch.float32: "f32", torch.float64: "f64", torch.bfloat16: "bf16", torch.float16: "f16", torch.int64: "i64",
         torch.int32: "i32", torch.int16: "i16", torch.uint8: "u8", torch.int8: "i8", torch.bool: "bool",
         torch.complex64: "c64"}


def raw(tensor):
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


class Stream:
    """Where a generator stands: draws since its seed (rounds of trunc_normal taken as one), and the kept normal."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed % 2**64 if seed < 2**63 else seed - 2**64)
        self.at = 0
        self.cached = None  # position of its pair, "unknown" behind data, or None
        self.cached_barriers = 0
        self.barriers = 0

    def save(self):
        return self.generator.get_state(), self.at, self.cached, self.cached_barriers, self.barriers

    def restore(self, saved):
        state, self.at, self.cached, self.cached_barriers, barriers = saved
        assert barriers == self.barriers, "a plan has no way behind an op that depends on data"
        self.generator.set_state(state)


class Tape:
    def __init__(self, seed):
        self.streams, self.seeds = [Stream(seed)], ["user"]
        self.storages, self.names, self.ops, self.literals, self.memory = [], [], [], [], []
        self.near = {}  # tensors whose bits are the host's, and how far away they may be

    # -- what there is

    def new(self, n, dtype=torch.float32):
        """A storage, as a flat tensor that nobody has written to."""
        flat = torch.full((n,), 77, dtype=dtype)
        self.storages.append({"id": len(self.storages), "dtype": SHORT[dtype], "n": n})
        self.memory.append(flat)
        return flat

    def stream(self, seed):
        self.streams.append(Stream(seed))
        self.seeds.append(str(seed))
        return len(self.streams) - 1

    def name(self, name, tensor, **more):
        self.names.append((name, tensor, more))

    def nearly(self, name, tensor, ulps=2, within=None):
        """ulps: units in the last place; within: an absolute distance, instead of them."""
        self.near[name] = (tensor, {"ulps": ulps} if within is None else {"within": within})
        self.name(name, tensor)
        return tensor

    def storage_of(self, tensor):
        return next(i for i, flat in enumerate(self.memory)
                    if flat.untyped_storage()._cdata == tensor.untyped_storage()._cdata)

    def view_of(self, tensor):
        return {"off": tensor.storage_offset(), "sizes": list(tensor.shape), "strides": list(tensor.stride())}

    # -- ops

    def write(self, op, tensor, **values):
        s = self.storage_of(tensor)
        entry = {"op": op, "s": s}
        if not (tensor.is_contiguous() and tensor.numel() == self.memory[s].numel() and op != "eye" and op != "dirac"):
            entry.update(self.view_of(tensor))
        entry["n"] = tensor.numel()
        entry.update(values)
        self.ops.append(entry)

    def draw(self, op, tensor, words, scalar, dependent, stream, **values):
        s, n = self.streams[stream], tensor.numel()
        position = {"at": s.at}
        full = s.cached is not None and s.cached != "unknown"
        dependent = dependent or (scalar and s.cached == "unknown" and n > 0)
        if scalar:
            fresh = n - (1 if full and n > 0 else 0)
            words = 4 * ((fresh + 1) // 2)
        position["words"] = words
        if s.barriers:
            position["barriers"] = s.barriers
        if (scalar or dependent) and s.cached is not None:
            at_barrier = s.cached == "unknown" or s.cached_barriers != s.barriers
            position["cached"] = "barrier" if at_barrier else s.cached
        if dependent:
            position["data_dependent"] = True
        if stream:
            position["stream"] = stream
        self.write(op, tensor, **position, **values)
        if scalar and n > 0:
            odd = n % 2 != 0
            if dependent:
                if odd or s.cached == "unknown":
                    s.cached = "unknown"
            elif odd == full:
                s.cached = None
            else:
                s.cached, s.cached_barriers = s.at + words - 4, s.barriers
        s.at += words
        s.barriers += dependent

    @staticmethod
    def normal_words(tensor):
        n = tensor.numel()
        if n < 16 or not tensor.is_contiguous():
            return 0, True
        if tensor.dtype in (torch.bfloat16, torch.float16):
            return (n + 15) // 16 * 16, False
        return (n + (16 if n % 16 else 0)) * (2 if tensor.dtype == torch.float64 else 1), False

    def normal(self, tensor, mean=0.0, std=1.0, stream=0):
        words, scalar = self.normal_words(tensor)
        self.draw("normal", tensor, words, scalar, False, stream, mean=mean, std=std)
        return tensor.normal_(mean, std, generator=self.streams[stream].generator)

    def uniform(self, tensor, low=0.0, high=1.0, stream=0):
        words = tensor.numel() * (2 if tensor.dtype == torch.float64 else 1)
        self.draw("uniform", tensor, words, False, False, stream, **{"from": low, "to": high})
        return tensor.uniform_(low, high, generator=self.streams[stream].generator)

    def trunc_normal(self, tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, stream=0):
        words, scalar = self.normal_words(tensor)
        mass = 0.5 * (math.erf((b - mean) / std / 2**0.5) - math.erf((a - mean) / std / 2**0.5))
        reach = 8.5717 if scalar or tensor.dtype == torch.float64 else 5.7683
        dependent = tensor.numel() > 0 and not (a < mean - reach * std and mean + reach * std < b)
        if mass <= 0.3:
            words, scalar, dependent = 2 * tensor.numel() * (2 if tensor.dtype == torch.float64 else 1), False, True
        self.draw("trunc_normal", tensor, words, scalar, dependent, stream, mean=mean, std=std, a=a, b=b)
        return torch.nn.init.trunc_normal_(tensor, mean, std, a, b, generator=self.streams[stream].generator)

    def fill(self, tensor, value):
        self.write("fill", tensor, value=float(value))
        return tensor.fill_(value)

    def eye(self, tensor):
        self.write("eye", tensor)
        return torch.nn.init.eye_(tensor)

    def dirac(self, tensor, groups=1):
        self.write("dirac", tensor, groups=groups)
        return torch.nn.init.dirac_(tensor, groups)

    def literal(self, tensor, value):
        data = raw(value.to(tensor.dtype))
        sha256 = hashlib.sha256(data).hexdigest()
        known = [i for i, literal in enumerate(self.literals) if literal["sha256"] == sha256]
        if not known:
            known = [len(self.literals)]
            self.literals.append({"id": known[0], "nbytes": len(data), "sha256": sha256,
                                  "data": base64.b64encode(data).decode()})
        self.write("literal", tensor, literal=known[0])
        return tensor.copy_(value)

    def copy(self, tensor, source):
        self.write("copy" if tensor.dtype == source.dtype else "cast", tensor,
                   src={"s": self.storage_of(source), **self.view_of(source)})
        return tensor.copy_(source)

    def function(self, name, tensor, source, *numbers, other=None, low=None, high=None):
        """A function of elements, in torch's own words; out of place unless `source` is `tensor`."""
        values = {"src": {"s": self.storage_of(source), **self.view_of(source.expand(tensor.shape))}}
        if isinstance(other, torch.Tensor):
            values["other"] = {"s": self.storage_of(other), **self.view_of(other.expand(tensor.shape))}
        elif other is not None:
            values["other"] = other
        if name == "clamp":
            values.update({key: value for key, value in (("min", low), ("max", high)) if value is not None})
        if name in HOST or tensor.dtype not in (torch.float32, torch.float64):
            values["bits"] = "host"
        self.write(name, tensor, **values)
        arguments = (low, high) if name == "clamp" else () if other is None else (other,)
        return tensor.copy_(getattr(torch, name)(source, *arguments))

    def norm(self, tensor, source, *dims):
        """Euclidean norms over dimensions of `source`."""
        src = {"s": self.storage_of(source), **self.view_of(source)}
        self.write("norm", tensor, src=src, dims=list(dims), bits="host")
        return tensor.copy_(torch.linalg.vector_norm(source, 2, dims).view_as(tensor))

    def qr(self, tensor, source):
        """Q of a matrix, its columns times the signs of R's diagonal."""
        self.write("qr", tensor, src={"s": self.storage_of(source), **self.view_of(source)}, bits="host")
        self.ops[-1].update(self.view_of(tensor))
        q, r = torch.linalg.qr(source)
        return tensor.copy_(q * torch.diag(r, 0).sign())

    # -- the plan

    def plan(self, digests):
        tensors, digested = [], {}
        for name, tensor, more in self.names:
            if isinstance(tensor, str):
                tensors.append({"name": name, "alias_of": tensor})
                continue
            view = self.view_of(tensor)
            tensors.append({"name": name, "s": self.storage_of(tensor), "off": view["off"], "shape": view["sizes"],
                            "strides": view["strides"], **more})
            if "refused" not in more and name not in self.near:
                digested[name] = hashlib.sha256(raw(tensor)).hexdigest()
        plan = {"format": "fanin-plan", "version": [1, 1], "profile": "torch-2.13",
                "streams": [{"id": i, "kind": "mt19937", "seed": seed} for i, seed in enumerate(self.seeds)],
                "source": {"class": "generate_plans.py", "torch": torch.__version__.split("+")[0]},
                "storages": self.storages, "tensors": tensors, "literals": self.literals, "ops": self.ops,
                "words": self.streams[0].at}
        if digests:
            plan["check"] = {"seed": "0", "sha256": digested}
        return plan, digested


# -- the models -------------------------------------------------------------------------------------------------------

def tied(t):
    """Tied embeddings with a padding row; a layer, deep copies of it, and what happens to the original afterwards."""
    emb = t.normal(t.new(31 * 13).view(31, 13), 0.0, 0.02)
    t.fill(emb[0], 0.0)
    weight = t.uniform(t.new(13 * 7).view(7, 13), -0.25, 0.25)
    bias = t.uniform(t.new(7), -0.5, 0.5)
    first = t.copy(t.new(13 * 7).view(7, 13), weight)
    t.normal(weight, 0.0, 0.5)
    second = t.copy(t.new(13 * 7).view(7, 13), weight)
    t.fill(weight[3], 1.0)
    third = t.copy(t.new(13 * 7).view(7, 13), second)
    t.copy(third[:2], weight[2:4])
    t.name("emb.weight", emb)
    t.name("out.weight", "emb.weight")
    for i, layer in enumerate((weight, first, second, third)):
        t.name("layers.%d.weight" % i, layer)
    t.name("bias", bias)
    t.name("bad", t.new(3), refused="net.py:12: the value of a random tensor decides what is built (aten::item)")


def views(t):
    """Partial and strided writes, parameters that are views, views of one storage that overlap."""
    conv = t.uniform(t.new(4 * 3 * 5 * 5).view(4, 3, 5, 5), -1.0, 1.0)
    t.fill(conv[:, 1], 0.0)
    t.fill(conv[1:3, :, 2, 2], -0.0)
    wide = t.new(24 * 10)
    t.fill(wide, 0.0)
    wide = wide.view(24, 10)
    t.normal(wide[:, 1:], 0.0, 1.0)
    t.normal(wide[::3, 0], 0.0, 1.0)
    both = t.new(2 * 40)
    t.normal(both[:40].view(8, 5).t(), 0.0, 1.0)
    t.uniform(both[40:].view(8, 5).t(), -1.0, 1.0)
    joined = t.new(3 * 48)
    for i in range(3):
        t.normal(joined[48 * i:48 * (i + 1)], 0.0, i + 1.0)
    inner = t.new(20 * 20)
    t.normal(inner.view(20, 20), 0.0, 1.0)
    t.copy(inner.view(20, 20)[:10, :10], inner.view(20, 20)[10:, 10:].t())
    spread = t.copy(t.new(6 * 4).view(6, 4), wide[0, :4].expand(6, 4))
    three = t.new(2 * 3 * 4)
    t.uniform(three.view(4, 3, 2).permute(2, 1, 0), 0.0, 1.0)
    t.name("conv.weight", conv)
    t.name("wide", wide)
    t.name("wide.t", wide.t(), kind="buffer")
    t.name("wide.row", wide[5])
    t.name("both.a", both[:40].view(8, 5).t())
    t.name("both.b", both[40:].view(8, 5))
    t.name("q", joined[:48].view(6, 8))
    t.name("k", joined[48:96].view(6, 8))
    t.name("qk", joined[40:104].view(8, 8), kind="buffer", persistent=False)
    t.name("v", joined[96:].view(4, 12))
    t.name("inner", inner.view(20, 20))
    t.name("spread", spread)
    t.name("permuted", three.view(4, 3, 2).permute(2, 1, 0))
    t.name("one", wide[2, 3])
    t.name("expanded", wide[7, 2:3].expand(5), kind="buffer")


def few(t):
    """The scalar path with its kept normal, in every dtype, among blocks; and ways back in the stream."""
    saved = []
    for i, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64, torch.float16)):
        for n in (3, 1, 20, 5, 2, 16, 7, 1, 1, 15):
            t.name("p%d.%d" % (i, len(t.names)), t.normal(t.new(n, dtype), 0.5 * i, 1.0 + i))
            if n in (5, 7):
                saved.append(t.streams[0].save())
    later = t.streams[0].save()
    for i, state in enumerate(saved):
        t.streams[0].restore(state)
        t.name("back.%d" % i, t.normal(t.new(4), 0.0, 1.0))
        t.name("back.%d.uniform" % i, t.uniform(t.new(9), 0.0, 1.0))
        t.name("back.%d.odd" % i, t.normal(t.new(3), 0.0, 1.0))
    t.streams[0].restore(later)
    t.name("end", t.normal(t.new(3), 0.0, 1.0))


def barriers(t):
    """trunc_normal of one and of several rounds in every dtype and path, one of no tensor, and what follows each."""
    for i, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64, torch.float16)):
        t.name("n%d.a" % i, t.normal(t.new(3, dtype)))
        t.name("n%d.cut" % i, t.trunc_normal(t.new(20 * 23, dtype).view(20, 23), 0.0, 0.02, -0.04, 0.04))
        t.name("n%d.b" % i, t.normal(t.new(4, dtype)))
        t.name("n%d.wide" % i, t.trunc_normal(t.new(33, dtype), 0.0, 0.02))
        t.name("n%d.few" % i, t.trunc_normal(t.new(5, dtype), 0.0, 1.0))
        t.name("n%d.c" % i, t.normal(t.new(3, dtype)))
        t.name("n%d.even" % i, t.trunc_normal(t.new(6, dtype), 0.0, 1.0))
        t.name("n%d.d" % i, t.normal(t.new(1, dtype)))
        t.name("n%d.tail" % i, t.trunc_normal(t.new(70, dtype), 0.0, 1.0, 1.0, 3.0))
        t.trunc_normal(t.new(40, dtype), 0.0, 1.0)
        t.name("n%d.e" % i, t.uniform(t.new(17, dtype)))
        part = t.trunc_normal(t.new(48, dtype)[8:40].view(4, 8), 0.0, 1.0)
        t.name("n%d.part" % i, part)
        t.name("n%d.strided" % i, t.trunc_normal(t.new(60, dtype).view(6, 10).t(), 0.0, 1.0))


def casts(t):
    """Literals, and conversions between dtypes."""
    nan, inf = math.nan, math.inf
    values = torch.tensor([0.0, -0.0, 1.5, -2.5, 1e-3, 65504.0, 65519.9, 65520.0, 1e-8, 3e38, -inf, inf, 1.00390625,
                           1.01171875, 2.0**-24, 2.0**-25 * 1.0001, 2.0**-133, 127.9, -127.9, 200.7])
    literal = t.literal(t.new(20), values)
    wide = t.literal(t.new(20, torch.float64), values.double() + torch.tensor([2.0**-40] * 20).double())
    whole = t.literal(t.new(12, torch.int64), torch.tensor([0, 1, -1, 255, 256, -129, 2**24 + 1, 2**53 + 1, -2**31,
                                                            2**31, 2**62 + 2**40 + 1, -2**63]))
    drawn = t.normal(t.new(50), 0.0, 30.0)
    drawn64 = t.uniform(t.new(50, torch.float64), -100.0, 100.0)
    half = t.normal(t.new(50, torch.bfloat16), 0.0, 1.0)
    flags = t.literal(t.new(9, torch.bool), torch.tensor([True, False, True, True, False, False, True, False, True]))
    t.name("complex", t.literal(t.new(4, torch.complex64), torch.tensor([1 + 2j, -0.5j, 3.25, -1 - 1j])), kind="buffer")
    t.name("table", whole.view(3, 4), kind="buffer", persistent=False)
    t.name("literal", literal, kind="buffer")
    t.name("literal.again", t.literal(t.new(20), values), kind="buffer")
    for source_name, source, dtypes in (
            ("literal", literal, (torch.bfloat16, torch.float16, torch.float64, torch.bool)),
            ("wide", wide, (torch.bfloat16, torch.float16, torch.float32)),
            ("whole", whole, (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.int32, torch.int16,
                              torch.uint8, torch.int8, torch.bool)),
            ("drawn", drawn, (torch.bfloat16, torch.float16, torch.float64, torch.int64, torch.int32, torch.int16,
                              torch.int8, torch.bool)),
            ("drawn64", drawn64, (torch.bfloat16, torch.float16, torch.float32, torch.int32, torch.int8)),
            ("half", half, (torch.float32, torch.float64, torch.float16, torch.int32)),
            ("flags", flags, (torch.float32, torch.int64, torch.bfloat16))):
        for dtype in dtypes:
            t.name("%s.%s" % (source_name, SHORT[dtype]), t.copy(t.new(source.numel(), dtype), source))
    strided = t.new(50, torch.bfloat16)
    t.copy(strided.view(5, 10).t(), drawn.view(10, 5))
    t.name("strided", strided)
    t.name("nan", t.copy(t.new(1, torch.float16), t.literal(t.new(1), torch.tensor([nan]))))


def streams(t):
    """Generators of the constructor's own, which the user's seed does not move."""
    one, two = t.stream(1234), t.stream(2**64 - 1)
    t.name("a", t.normal(t.new(33)))
    t.name("b", t.normal(t.new(33), stream=one))
    t.name("c", t.normal(t.new(3), stream=two))
    t.name("d", t.normal(t.new(3)))
    t.name("e", t.normal(t.new(4), stream=two))
    t.name("f", t.trunc_normal(t.new(64), stream=one))
    t.name("g", t.uniform(t.new(5), stream=one))
    t.name("h", t.trunc_normal(t.new(80)))
    t.name("i", t.normal(t.new(1)))
    t.name("j", t.normal(t.new(2), stream=one))


def large(t):
    """Over several pieces: alone, cast, copied, partly overwritten."""
    n = t.normal(t.new(300007), 0.0, 0.02)
    table = t.literal(t.new(40), torch.arange(40.0))
    half = t.copy(t.new(300007, torch.bfloat16), n)
    again = t.copy(t.new(280000).view(400, 700), n[13:280013].view(400, 700))
    chained = t.copy(t.new(100000, torch.float16), again.view(-1)[1000:101000])
    u = t.uniform(t.new(530 * 1000).view(530, 1000), -0.1, 0.1)
    t.fill(u[7], 0.0)
    t.copy(u[500:].view(-1)[:40], table)
    t.literal(u[520, 100:140], torch.arange(40.0))
    t.name("n", n)
    t.name("half", half)
    t.name("again", again)
    t.name("chained", chained.view(100, 1000))
    t.name("u", u)
    t.name("b", t.normal(t.new(270001, torch.bfloat16), 0.0, 1.0))
    v = t.uniform(t.new(600 * 500).view(600, 500), -0.1, 0.1)
    t.literal(v.view(-1)[262134:262174], torch.arange(40.0))
    t.fill(v[599], 2.0)
    t.name("v", v)
    t.name("v.rows", v[100:559])


def shapes(t):
    """eye, dirac, scalars, nothing at all."""
    t.name("eye", t.eye(t.new(35).view(5, 7)))
    t.name("dirac", t.dirac(t.new(4 * 6 * 3).view(4, 6, 3), 2))
    t.name("scalar", t.normal(t.new(1).view(())))
    t.name("nothing", t.new(0).view(0, 4))
    t.name("eye64", t.eye(t.new(30, torch.float64)[5:21].view(4, 4)))
    t.name("ones", t.fill(t.new(4, torch.int64), 1), kind="buffer")


def functions(t):
    """Arithmetic, which is exact in f32 and f64, and what torch takes from vector libraries of its host."""
    for dtype in (torch.float32, torch.float64):
        short = SHORT[dtype]
        a, b = t.uniform(t.new(120, dtype).view(8, 15), -2.0, 2.0), t.normal(t.new(120, dtype).view(8, 15), 0.0, 3.0)
        row = t.uniform(t.new(15, dtype), 0.5, 1.5)
        for name in ("add", "sub", "mul", "div"):
            t.name("%s.%s" % (short, name), t.function(name, t.new(120, dtype).view(8, 15), a, other=b))
            t.name("%s.%s.number" % (short, name), t.function(name, t.new(120, dtype).view(8, 15), a, other=0.3))
            t.name("%s.%s.row" % (short, name), t.function(name, t.new(120, dtype).view(8, 15), b, other=row))
            t.name("%s.%s.t" % (short, name), t.function(name, t.new(120, dtype).view(15, 8), a.t(), other=b.t()))
        for name in ("neg", "sign"):
            t.name("%s.%s" % (short, name), t.function(name, t.new(120, dtype).view(8, 15), b))
        t.name("%s.sqrt" % short, t.function("sqrt", t.new(15, dtype), row))
        t.name("%s.clamp" % short, t.function("clamp", t.new(120, dtype).view(8, 15), b, low=-1.1, high=0.7))
        t.name("%s.clamp.min" % short, t.function("clamp", t.new(120, dtype).view(8, 15), b, low=0.1))
        t.name("%s.clamp.max" % short, t.function("clamp", t.new(120, dtype).view(8, 15), b, high=0.1))
        chain = t.uniform(t.new(300001, dtype), -1.0, 1.0)
        t.function("mul", chain, chain, other=0.0282842712474619)
        t.function("add", chain, chain, other=0.01)
        t.function("clamp", chain, chain, low=-0.02, high=0.02)
        t.name("%s.chain" % short, chain)
        t.function("mul", a[2:4], a[2:4], other=a[4:6])
        t.name("%s.part" % short, a)
        for name, low, high in (("exp", -20.0, 20.0), ("log", 1e-6, 10.0), ("expm1", -3.0, 3.0), ("log1p", -0.99, 5.0),
                                ("erfinv", -1.0, 1.0)):
            drawn = t.uniform(t.new(400, dtype), low, high)
            t.nearly("%s.%s" % (short, name), t.function(name, t.new(400, dtype), drawn))
            small = t.function("mul", t.new(400, dtype), drawn, other=1e-5)
            if name != "log":
                t.nearly("%s.%s.small" % (short, name), t.function(name, t.new(400, dtype), small))
    half = t.uniform(t.new(400, torch.bfloat16), -2.0, 2.0)
    t.nearly("bf16.exp", t.function("exp", t.new(400, torch.bfloat16), half))
    t.nearly("bf16.mul", t.function("mul", t.new(400, torch.bfloat16), half, other=0.3))


def norm_ulps(n):
    """How far torch's norm of n elements may be from the real one, as docs/plan-format.md states it."""
    return 2 + math.sqrt(n)


def norms(t):
    """Norms as weight_norm takes them, over rows, columns, in between and all, in every dtype; one in its own place."""
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        short = SHORT[dtype]
        v = t.normal(t.new(6 * 5 * 40, dtype).view(6, 5, 40), 0.0, 0.02)
        t.name("%s.v" % short, v)
        for what, sizes, dims in (("rows", (6, 1, 1), (1, 2)), ("columns", (40,), (0, 1)), ("middle", (6, 40), (1,)),
                                  ("all", (), (0, 1, 2))):
            n = math.prod(sizes)
            t.nearly("%s.%s" % (short, what), t.norm(t.new(n, dtype).view(sizes), v, *dims), norm_ulps(v.numel() // n))
        t.nearly("%s.t" % short, t.norm(t.new(5, dtype), v[1:4, :, ::3].transpose(0, 2), 0, 2), norm_ulps(42))
    long = t.normal(t.new(20000 * 4).view(20000, 4), 0.0, 1.0)
    t.name("long.v", long)
    t.nearly("long", t.norm(t.new(4).view(1, 4), long, 0), norm_ulps(20000))
    own = t.uniform(t.new(60).view(6, 10), -1.0, 1.0)
    made = t.nearly("own", t.norm(own[0, :6], own, 1), norm_ulps(10))
    t.nearly("own.scaled", t.function("mul", t.new(60).view(6, 10), own, other=made.view(6, 1)), norm_ulps(10))
    t.name("own.rest", own[1:])


def orthogonals(t):
    """As orthogonal_ goes about it: tall, wide (by way of the transposed matrix), square, a column; one in place."""
    for dtype in (torch.float32, torch.float64):
        short = SHORT[dtype]
        for what, rows, cols in (("tall", 40, 9), ("wide", 7, 33), ("square", 70, 70), ("column", 12, 1),
                                 ("large", 200, 90)):
            drawn = t.normal(t.new(rows * cols, dtype).view(rows, cols), 0.0, 1.0)
            a = drawn if rows >= cols else drawn.t()
            q = t.qr(t.new(rows * cols, dtype).view(a.shape[1], a.shape[0]).t(), a)
            near = 8 * torch.finfo(dtype).eps / 2 * (torch.linalg.cond(a.double()).item() + math.sqrt(min(rows, cols)))
            made = t.copy(t.new(rows * cols, dtype).view(rows, cols), q if rows >= cols else q.t())
            t.name("%s.%s.a" % (short, what), drawn)
            t.nearly("%s.%s" % (short, what), t.function("mul", made, made, other=0.75), within=0.75 * near)
        own = t.normal(t.new(60, dtype).view(6, 10), 0.0, 1.0)
        near = 8 * torch.finfo(dtype).eps / 2 * (torch.linalg.cond(own[:, 1:5].double()).item() + 2)
        t.nearly("%s.own" % short, t.qr(own[:, 1:5], own[:, 1:5]), within=near)
        t.name("%s.rest" % short, own[:, 5:])


MODELS = (orthogonals, norms, functions, tied, views, few, barriers, casts, streams, large, shapes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", required=True, help="folder")
    args = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(args.output, exist_ok=True)
    found, near = {}, {}
    for model in MODELS:
        for seed in SEEDS:
            tape = Tape(seed)
            model(tape)
            plan, digests = tape.plan(seed == 0)
            found.setdefault(model.__name__, {})[str(seed)] = digests
            if seed == 0:
                near[model.__name__] = {name: {**allowed, "data": base64.b64encode(raw(tensor)).decode()}
                                        for name, (tensor, allowed) in tape.near.items()}
                with open(os.path.join(args.output, model.__name__ + ".plan.json"), "w", encoding="utf-8") as file:
                    json.dump(plan, file, separators=(",", ":"))
    with open(os.path.join(args.output, "digests.json"), "w", encoding="utf-8") as file:
        json.dump(found, file, indent=0)
        file.write("\n")
    with open(os.path.join(args.output, "near.json"), "w", encoding="utf-8") as file:
        json.dump(near, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
