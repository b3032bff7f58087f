#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the files beside it, and expected.txt: recorded plans that lie, overflow, or ask for more than they bring.

bad-*: refused with this status and these words. good-*: accepted; the words are the reason of the first tensor that the
plan refuses ("-" for none), and what can be made is made at a small cost.
"""
import base64
import hashlib
import json
import pathlib

HERE = pathlib.Path(__file__).resolve().parent
CASES = []


def plan(storages=((4, "f32"),), tensors=None, ops=(), **more):
    """A recording; without `tensors` one for each storage."""
    if tensors is None:
        tensors = [{"name": "t%d" % i, "s": i, "shape": [n]} for i, (n, _) in enumerate(storages)]
    made = {"format": "fanin-plan", "version": [1, 1], "profile": "torch-2.13",
            "streams": [{"id": 0, "kind": "mt19937", "seed": "user"}],
            "storages": [{"id": i, "dtype": dtype, "n": n} for i, (n, dtype) in enumerate(storages)],
            "tensors": tensors, "ops": list(ops), "words": 0}
    made.update(more)
    return made


def case(name, status, words, content):
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"))
    (HERE / (name + ".json")).write_text(text)
    CASES.append("%s.json | %s | %s" % (name, status, words))


def fill(s, n, **more):
    return {"op": "fill", "s": s, "n": n, "value": 0, **more}


def normal(s, n, at, words, **more):
    return {"op": "normal", "s": s, "n": n, "at": at, "words": words, "mean": 0, "std": 1, **more}


def copy(s, n, src, **more):
    return {"op": "copy", "s": s, "n": n, "src": src, **more}


def literal(content, **more):
    return {"id": 0, "nbytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
            "data": base64.b64encode(content).decode(), **more}


def cut(s, n, at, **more):
    return {"op": "trunc_normal", "s": s, "n": n, "at": at, "words": n, "data_dependent": True, "mean": 0, "std": 1,
            "a": -2, "b": 2, **more}


HUGE = 2**62
LITERAL = [{"op": "literal", "s": 0, "n": 4, "literal": 0}]

# views
case("bad-view-outside", "format", "beyond its storage of 4", plan(ops=[fill(0, 5, off=0, sizes=[5])]))
case("bad-view-off", "format", "beyond its storage of 4", plan(ops=[fill(0, 1, off=4, sizes=[1])]))
case("bad-view-strides-overflow", "format", "beyond its storage",
     plan(ops=[fill(0, 4, off=0, sizes=[2, 2], strides=[2**63 - 1, 2**63 - 1])]))
case("bad-view-twice", "format", "an element twice", plan(ops=[fill(0, 4, off=0, sizes=[2, 2], strides=[1, 1])]))
case("bad-view-negative-stride", "format", "whole numbers", plan(ops=[fill(0, 4, off=3, sizes=[4], strides=[-1])]))
case("bad-view-nine-dimensions", "format", "more than 8", plan(ops=[fill(0, 1, off=0, sizes=[1] * 9)]))
case("bad-view-n", "format", "must be 4 here", plan(ops=[fill(0, HUGE)]))
case("bad-storage-too-large", "format", "cannot be", plan(storages=[(2**63 - 1, "f64")], tensors=[]))
case("bad-storage-missing", "format", "there is no storage 1", plan(ops=[fill(1, 4)]))
case("bad-tensor-expanded-too-far", "format", "too large",
     plan(tensors=[{"name": "t", "s": 0, "shape": [2**32, 2**32], "strides": [0, 0]}], ops=[fill(0, 4)]))
case("bad-tensor-scattered", "unsupported", "separate pieces",
     plan(storages=[(HUGE // 64, "f32")], tensors=[{"name": "t", "s": 0, "shape": [2**50], "strides": [2]}],
          ops=[fill(0, 2**52, off=0, sizes=[2**52], strides=[2])]))
case("bad-tensor-part-of-packed", "format", "must be all of it",
     plan(storages=[(4, "f4")], tensors=[{"name": "t", "s": 0, "off": 1, "shape": [2]}], ops=[fill(0, 4)]))

# what nobody wrote
case("bad-undefined", "format", "would hold element 0 of storage 0", plan())
case("bad-undefined-hole", "format", "would hold element 2 of storage 0",
     plan(ops=[fill(0, 2, off=0, sizes=[2]), fill(0, 1, off=3, sizes=[1])]))
case("bad-undefined-stripe", "format", "would hold element 1 of storage 0",
     plan(ops=[fill(0, 2, off=0, sizes=[2], strides=[2])]))
case("bad-undefined-copy", "format", "op 0 (from 0) reads element 0 of storage 1",
     plan(storages=[(4, "f32")] * 2, ops=[copy(0, 4, {"s": 1, "sizes": [4]}), fill(1, 4)]))
case("bad-undefined-itself", "format", "op 0 (from 0) reads element 0 of storage 0",
     plan(ops=[copy(0, 4, {"s": 0, "sizes": [4]})]))

# literals
case("bad-literal-base64", "format", "base64 of 16 bytes", plan(ops=LITERAL, literals=[literal(bytes(16), data="A" * 23 + "*")]))
case("bad-literal-no-padding", "format", "base64 of 16 bytes", plan(ops=LITERAL, literals=[literal(bytes(16), data="A" * 22)]))
case("bad-literal-line-break", "format", "base64 of 16 bytes",
     plan(ops=LITERAL, literals=[literal(bytes(16), data="A" * 20 + "\nAA==")]))
case("bad-literal-loose-bits", "format", "base64 of 16 bytes", plan(ops=LITERAL, literals=[literal(bytes(16), data="A" * 21 + "B==")]))
case("bad-literal-sha256", "format", "one of them was changed", plan(ops=LITERAL, literals=[literal(bytes(16), sha256="0" * 64)]))
case("bad-literal-nbytes", "format", "too short for", plan(ops=LITERAL, literals=[literal(bytes(16), nbytes=HUGE)]))
case("bad-literal-size", "format", "16 are to be written", plan(ops=LITERAL, literals=[literal(bytes(15))]))
case("bad-literal-missing", "format", "there is no literal 0", plan(ops=LITERAL))

# positions
case("bad-at-end-of-stream", "format", "longer than 2^64", plan(ops=[normal(0, 4, 2**64 - 5, 8)]))
case("bad-at-fraction", "format", "must be a whole number", plan(ops=[normal(0, 4, 0.5, 8)]))
case("bad-words", "format", '"words" must be 8', plan(ops=[normal(0, 4, 0, 2**63)]))
case("bad-barriers-before", "format", '"barriers" is missing',
     plan(storages=[(64, "f32"), (4, "f32")], ops=[cut(0, 64, 0), normal(1, 4, 64, 8)]))
case("bad-barriers-back", "format", '"at" must be 64 or more',
     plan(storages=[(64, "f32"), (4, "f32")], ops=[cut(0, 64, 0), normal(1, 4, 10, 8, barriers=1)]))
case("bad-cached-in-itself", "format", "four draws between", plan(ops=[normal(0, 4, 6, 8, cached=4)]))
case("bad-cached-before-barrier", "format", "four draws between",
     plan(storages=[(64, "f32"), (3, "f32")], ops=[cut(0, 64, 0), normal(1, 3, 64, 4, cached=8, barriers=1)]))
case("bad-cached-block", "format", "belongs to the scalar path", plan(storages=[(16, "f32")], ops=[normal(0, 16, 8, 16, cached=0)]))
case("bad-stream", "format", "there is no stream 1", plan(ops=[normal(0, 4, 0, 8, stream=1)]))
case("bad-streams-none", "format", "1 to 1024 streams", plan(ops=[fill(0, 4)], streams=[]))
case("bad-streams-many", "format", "1 to 1024 streams",
     plan(ops=[fill(0, 4)], streams=[{"id": i, "kind": "mt19937", "seed": "user"} for i in range(1025)]))
case("bad-rounds", "format", "rounds of rejection",
     plan(ops=[{"op": "trunc_normal", "s": 0, "n": 4, "at": 0, "words": 8, "data_dependent": True, "mean": 0, "std": 1,
                "a": 9, "b": 1e9}]))

# ops of later versions
case("bad-unknown-barrier", "format", "without its draws", plan(ops=[fill(0, 4), {"op": "later", "s": 0, "data_dependent": True}]))
case("bad-unknown-without-storage", "format", '"s" is missing', plan(ops=[{"op": "later"}]))
case("bad-unknown-number", "format", "op must be a string", plan(ops=[{"op": 7, "s": 0}]))
case("bad-copy-to-other-dtype", "format", 'is a "cast"',
     plan(storages=[(4, "f32"), (4, "f64")], ops=[fill(0, 4), copy(1, 4, {"s": 0, "sizes": [4]})]))
case("bad-cast-of-complex", "format", "no cast from c64",
     plan(storages=[(4, "c64"), (4, "f64")], ops=[fill(0, 4), {**copy(1, 4, {"s": 0, "sizes": [4]}), "op": "cast"}]))
case("bad-copy-of-packed", "format", "only constants are written",
     plan(storages=[(4, "f4")] * 2, ops=[fill(0, 4), copy(1, 4, {"s": 0, "sizes": [4]})]))

# functions
TWO = [(4, "f32")] * 2


def function(name, **more):
    return {"op": name, "s": 1, "n": 4, "src": {"s": 0, "sizes": [4]}, **more}


case("bad-function-of-integers", "format", "not in i64", plan(storages=[(4, "i64")] * 2, ops=[fill(0, 4), function("neg")]))
case("bad-function-of-two-dtypes", "format", "must have one dtype",
     plan(storages=[(4, "f64"), (4, "f32")], ops=[fill(0, 4), function("neg")]))
case("bad-function-without-bits", "format", "belongs to functions", plan(storages=TWO, ops=[fill(0, 4), function("exp")]))
case("bad-function-with-bits", "format", "belongs to functions",
     plan(storages=TWO, ops=[fill(0, 4), function("neg", bits="host")]))
case("bad-function-bits", "format", 'must be "host"', plan(storages=TWO, ops=[fill(0, 4), function("exp", bits="guest")]))
case("bad-function-other", "format", '"other" is missing', plan(storages=TWO, ops=[fill(0, 4), function("add")]))
case("bad-function-other-size", "format", '"other" has 3 elements',
     plan(storages=TWO, ops=[fill(0, 4), function("add", other={"s": 0, "sizes": [3]})]))
case("bad-function-other-undefined", "format", "op 1 (from 0) reads element 0 of storage 1",
     plan(storages=TWO, ops=[fill(0, 4), function("add", other={"s": 1, "sizes": [4]})]))
case("bad-function-clamp", "format", "a clamp needs", plan(storages=TWO, ops=[fill(0, 4), function("clamp", min="nan")]))
case("bad-function-key", "format", 'no key "other"', plan(storages=TWO, ops=[fill(0, 4), function("neg", other=1)]))

# norms
def norm(n, dims, *, bits="host", **source):
    return {"op": "norm", "s": 1, "n": n, "src": {"s": 0, **source}, "dims": dims, "bits": bits}


NORMED = [(12, "f32"), (3, "f32")]
case("bad-norm-count", "format", "there are 4 norms, and 3 elements",
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [1], sizes=[4, 3])]))
case("bad-norm-dim", "format", 'must be dimensions of "src"',
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [2], sizes=[3, 4])]))
case("bad-norm-dim-twice", "format", 'must be dimensions of "src"',
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [1, 1], sizes=[3, 4])]))
case("bad-norm-dims-order", "format", 'must be dimensions of "src"',
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [2, 1], sizes=[3, 2, 2])]))
case("bad-norm-of-integers", "format", "computed in f64, f32, bf16 or f16",
     plan(storages=[(12, "i64"), (3, "i64")], ops=[fill(0, 12), norm(3, [1], sizes=[3, 4])]))
case("bad-norm-of-two-dtypes", "format", "of the same dtype",
     plan(storages=[(12, "f64"), (3, "f32")], ops=[fill(0, 12), norm(3, [1], sizes=[3, 4])]))
case("bad-norm-expanded", "format", "an element twice",
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [1], sizes=[3, 1 << 60], strides=[1, 0])]))
case("bad-norm-of-nothing-overflows", "format", "norms, and 3 elements",
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [0], sizes=[0, 1 << 40, 1 << 40])]))
case("bad-norm-bits", "format", 'must be "host"',
     plan(storages=NORMED, ops=[fill(0, 12), norm(3, [1], bits="ours", sizes=[3, 4])]))
case("bad-norm-undefined", "format", "reads element 11 of storage 0",
     plan(storages=NORMED, ops=[fill(0, 11, off=0, sizes=[11]), norm(3, [1], sizes=[3, 4])]))
case("good-norm-of-nothing", "ok", "-", plan(storages=NORMED, ops=[fill(0, 12), norm(3, [0], sizes=[0, 3])]))
case("good-norm-within", "ok", "-",
     plan(storages=[(12, "f32")], ops=[fill(0, 12), {**norm(3, [1], sizes=[3, 4]), "s": 0, "off": 1, "sizes": [3]}]))

# QR factorizations
def qr(sizes, source, **more):
    return {"op": "qr", "s": 1, "off": 0, "sizes": sizes, "n": 12, "src": {"s": 0, "sizes": source}, "bits": "host", **more}


SQUARES = [(12, "f32")] * 2
case("bad-qr-wide", "format", "no more columns than rows",
     plan(storages=SQUARES, ops=[fill(0, 12), qr([3, 4], [3, 4])]))
case("bad-qr-shape", "format", "matrices of one shape", plan(storages=SQUARES, ops=[fill(0, 12), qr([4, 3], [6, 2])]))
case("bad-qr-dimensions", "format", "matrices of one shape",
     plan(storages=SQUARES, ops=[fill(0, 12), qr([3, 2, 2], [3, 2, 2])]))
case("bad-qr-dtype", "format", "of f64 or f32",
     plan(storages=[(12, "bf16")] * 2, ops=[fill(0, 12), qr([4, 3], [4, 3])]))
case("bad-qr-two-dtypes", "format", "of the same dtype",
     plan(storages=[(12, "f64"), (12, "f32")], ops=[fill(0, 12), qr([4, 3], [4, 3])]))
case("bad-qr-bits", "format", 'must be "host"', plan(storages=SQUARES, ops=[fill(0, 12), qr([4, 3], [4, 3], bits="ours")]))
case("good-qr-of-zeros", "ok", "-", plan(storages=SQUARES, ops=[fill(0, 12), qr([4, 3], [4, 3])]))

# names and digests
case("bad-check-name", "format", "a tensor that the plan has not", plan(ops=[fill(0, 4)], check={"seed": "0", "sha256": {"x": "0" * 64}}))
case("bad-check-digest", "format", "64 hexadecimal digits", plan(ops=[fill(0, 4)], check={"seed": "0", "sha256": {"t0": "0" * 63}}))
case("bad-alias-of-alias", "format", "no alias itself",
     plan(tensors=[{"name": "a", "alias_of": "b"}, {"name": "b", "alias_of": "a"}]))
case("bad-twice", "format", "two tensors",
     plan(tensors=[{"name": "a", "s": 0, "shape": [4]}] * 2, ops=[fill(0, 4)]))
case("bad-two-versions", "unsupported", "reads plans of", plan(version=[1, 2]))
case("bad-description-with-literals", "format", 'no key "literals"', plan(version=[1, 0], literals=[]))

# what is odd and holds
case("good-unknown", "ok", 'no op "later"',
     plan(storages=[(4, "f32")] * 3, ops=[fill(0, 4), fill(1, 4), fill(2, 4), {"op": "later", "s": 0, "x": [[[[]]]]},
                                          copy(1, 4, {"s": 0, "sizes": [4]})]))
chain = [normal(0, 4, 0, 8), fill(1, 4)]
for i in range(2000):  # what each holds depends on both, 2000 deep: no work may double with depth
    chain.append(copy(i % 2, 2, {"s": 1 - i % 2, "off": 1, "sizes": [2]}, off=i % 3, sizes=[2]))
case("good-copies-of-copies", "ok", "-", plan(storages=[(4, "f32")] * 2, ops=chain))
line = [normal(0, 4, 0, 8)] + [copy(i, 4, {"s": i - 1, "sizes": [4]}) for i in range(1, 2000)]
case("good-line-of-copies", "ok", "-",
     plan(storages=[(4, "f32")] * 2000, tensors=[{"name": "last", "s": 1999, "shape": [4]}], ops=line))
case("good-copy-within", "ok", "-",
     plan(ops=[normal(0, 4, 0, 8), copy(0, 3, {"s": 0, "off": 0, "sizes": [3]}, off=1, sizes=[3])]))
case("good-expanded", "ok", "-", plan(tensors=[{"name": "t", "s": 0, "shape": [1000, 4], "strides": [0, 1]}], ops=[fill(0, 4)]))
case("good-empty", "ok", "-",
     plan(storages=[(0, "f32")], tensors=[{"name": "t", "s": 0, "shape": [0, 2**62]}], ops=[normal(0, 0, 0, 0)]))
case("good-many-parts", "ok", "-",
     plan(storages=[(3000, "f32")], ops=[normal(0, 1, 4 * i, 4, off=i, sizes=[1]) for i in range(3000)]))
case("good-far", "ok", "-", plan(ops=[normal(0, 4, 2**64 - 100, 8)]))

(HERE / "expected.txt").write_text("# made by make_hostile_plans.py: file | status | words\n" + "\n".join(CASES) + "\n")
