# SPDX-License-Identifier: MIT
"""Lowering: from the tape to a plan.

Positions follow from the shapes of all draws, dead ones too; then what no saved tensor needs is dropped, from the end
to the begin, and what remains is written in the plan's words. Names that depend on what a plan cannot hold are refused
one by one, with the operation and the line that caused it.
"""
from __future__ import annotations

import base64
import hashlib
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import torch

from . import _intervals as intervals
from ._plan_ops import DTYPES, Meaning, arguments_of, broadcast, meaning_of, views_in
from ._tape import UNDEFINED, Constant, Draw, Name, Op, Refused, Stream, Tape, View, reads_metadata_only, tensor_bytes, tensor_of_bytes
from ._words import Words, is_contiguous, normal_words, other_words, trunc_normal_words, uniform_words

PROFILE = "torch-2.13"
_AT_BARRIER = "barrier"


# ---- positions ----


@dataclass(frozen=True)
class Position:
    """Where the next draw is: `at` draws behind the last of `barriers`, and what is known of the kept normal."""

    at: int = 0
    barriers: Tuple[Draw, ...] = ()
    cache: str = "empty"  # empty, full, unknown
    cached_at: int = 0
    cached_barriers: int = 0
    lost: Optional[str] = None  # why the position is not known

    def cached(self) -> Optional[Any]:
        if self.cache == "empty":
            return None
        if self.cache == "unknown" or self.cached_barriers != len(self.barriers):
            return _AT_BARRIER
        return self.cached_at


@dataclass(frozen=True)
class Placed:
    begin: Position
    words: Optional[Words]
    end: Position


def _measure(op: Op, meaning: Optional[Meaning], cached: bool) -> Optional[Words]:
    dst = op.dst
    if meaning is not None and meaning.op == "normal":
        return normal_words(dst.dtype, dst.sizes, dst.strides, cached)
    if meaning is not None and meaning.op == "uniform":
        return Words(uniform_words(dst.dtype, dst.numel))
    if meaning is not None and meaning.op == "trunc_normal":
        return trunc_normal_words(dst.dtype, dst.sizes, dst.strides, cached, **meaning.numbers)
    base = op.func._schema.name.split("::")[1]
    args = list(arguments_of(op).values())
    return other_words(base, op.func._overloadname, args, dst.sizes, dst.strides, dst.dtype, cached)


def _place(draw: Draw, begin: Position, meaning: Optional[Meaning]) -> Placed:
    op = draw.op
    assert op is not None
    if begin.lost is not None:
        return Placed(begin, None, begin)
    full = begin.cache == "full"
    words = _measure(op, meaning, full)
    if words is None:
        lost = "%s: how many draws %s takes is not known" % (op.where, op.name)
        return Placed(begin, None, Position(lost=lost))
    depends = words.depends or (words.scalar and begin.cache == "unknown")
    words = Words(words.count, words.scalar, depends)
    cache, cached_at, cached_barriers = begin.cache, begin.cached_at, begin.cached_barriers
    if words.scalar:
        n = op.dst.numel
        odd = n % 2 != 0
        if depends:
            # Rounds of an odd number of normals turn the cache over each time, of an even number they keep it.
            if odd or cache == "unknown":
                cache = "unknown"
        elif odd == full:
            cache = "empty"
        else:
            cache = "full"
            cached_at = begin.at + 4 * ((n - full + 1) // 2 - 1)
            cached_barriers = len(begin.barriers)
    barriers = begin.barriers + (draw,) if depends else begin.barriers
    return Placed(begin, words, Position(begin.at + words.count, barriers, cache, cached_at, cached_barriers))


def place_draws(tape: Tape, meanings: Sequence[Optional[Meaning]]) -> Dict[Draw, Placed]:
    placed: Dict[Draw, Placed] = {}
    for op, meaning in zip(tape.ops, meanings):
        draw = op.draw
        if draw is not None and draw not in placed:
            begin = placed[draw.parent].end if draw.parent is not None else Position()
            placed[draw] = _place(draw, begin, meaning)
    return placed


# ---- what is live, and what must be refused ----


def _bytes_of(view: View) -> intervals.Runs:
    size = view.dtype.itemsize
    begins, ends = intervals.runs_of(view.offset, view.sizes, view.strides)
    return begins * size, ends * size


def _reads_of(op: Op) -> List[View]:
    if op.func is not None and reads_metadata_only(op.name.split("::")[1]):
        return []
    found = views_in((op.args, op.kwargs), [])
    if op.overwrites:
        # The destination is among the arguments, but not read.
        for i, view in enumerate(found):
            if view == op.dst:
                del found[i]
                break
    return found


class _Reasons:
    """Which elements of which storage cannot be made, and why."""

    def __init__(self) -> None:
        self._defined: Dict[int, intervals.Runs] = {}
        self._bad: Dict[int, Dict[str, intervals.Runs]] = {}

    def of(self, view: View) -> Optional[str]:
        runs = _bytes_of(view)
        for reason, bad in self._bad.get(view.storage, {}).items():
            if intervals.intersect(bad, runs):
                return reason
        if not intervals.contains(self._defined.get(view.storage, intervals.EMPTY), runs):
            return UNDEFINED
        return None

    def write(self, view: View, reason: Optional[str], overwrites: bool) -> None:
        runs = _bytes_of(view)
        bad = self._bad.setdefault(view.storage, {})
        if overwrites:
            for key in list(bad):
                bad[key] = intervals.subtract(bad[key], runs)
        if reason is not None:
            bad[reason] = intervals.union(bad.get(reason, intervals.EMPTY), runs)
        defined = self._defined.get(view.storage, intervals.EMPTY)
        self._defined[view.storage] = intervals.union(defined, runs)


def _find_reasons(tape: Tape, placed: Dict[Draw, Placed], differing: Dict[int, str]) -> None:
    """Sets Name.refused; differing: operations (by index) whose numbers change with the seed."""
    reasons = _Reasons()
    for i, op in enumerate(tape.ops):
        reason = op.refused or differing.get(i)
        if reason is None and op.draw is not None:
            begin = placed[op.draw].begin
            reason = begin.lost or placed[op.draw].end.lost
        for view in _reads_of(op) if reason is None else ():
            reason = reasons.of(view)
            if reason is not None:
                break
        reasons.write(op.dst, reason, op.overwrites)
    for name in tape.names:
        if name.refused is None and isinstance(name.value, View):
            name.refused = reasons.of(name.value)
            if name.refused is None and name.dtype not in DTYPES:
                name.refused = "plans have no dtype %s" % name.dtype


def _find_live(tape: Tape) -> List[bool]:
    needed: Dict[int, intervals.Runs] = {}

    def need(view: View) -> None:
        needed[view.storage] = intervals.union(needed.get(view.storage, intervals.EMPTY), _bytes_of(view))

    for name in tape.names:
        if name.refused is None and isinstance(name.value, View):
            need(name.value)
    live = [False] * len(tape.ops)
    for i in range(len(tape.ops) - 1, -1, -1):
        op = tape.ops[i]
        runs = _bytes_of(op.dst)
        want = needed.get(op.dst.storage, intervals.EMPTY)
        live[i] = intervals.intersect(want, runs)
        if not live[i]:
            continue
        if op.overwrites:
            needed[op.dst.storage] = intervals.subtract(want, runs)
        for view in _reads_of(op):
            need(view)
    return live


# ---- writing ----


def json_number(value: float) -> Any:
    """As plans write doubles: integers without a point, what JSON lacks as strings."""
    if isinstance(value, bool) or isinstance(value, int):
        return int(value)
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else 0
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def constant_value(data: bytes, dtype: torch.dtype) -> Optional[Any]:
    """The number all elements are, if a fill with it makes the same bytes."""
    size = dtype.itemsize
    if not data or dtype.is_complex or data != data[:size] * (len(data) // size):
        return None
    one = tensor_of_bytes(data[:size], dtype, ())
    value = one.item() if not dtype.is_floating_point else float(one.to(torch.float64).item())
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
        return None
    again = torch.empty((), dtype=torch.float64).fill_(value).to(dtype)
    return json_number(value) if tensor_bytes(again) == data[:size] else None


class _Writer:
    """The plan under construction: storages are numbered as they are first used."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.storages: List[Dict[str, Any]] = []
        self.ops: List[Dict[str, Any]] = []
        self.literals: List[Dict[str, Any]] = []
        self._numbers: Dict[int, int] = {}
        self._dtypes: Dict[int, torch.dtype] = {}
        self._literal_ids: Dict[str, int] = {}
        self._constant_storages: Dict[Tuple[str, torch.dtype], int] = {}
        self._streams: Dict[Stream, int] = {tape.streams[0]: 0}

    def choose_dtype(self, view: View) -> None:
        """The first view that is not of plain bytes says what a storage holds."""
        if self._dtypes.get(view.storage, torch.uint8) is torch.uint8:
            self._dtypes[view.storage] = view.dtype

    def new_storage(self, dtype: torch.dtype, n: int) -> int:
        self.storages.append({"id": len(self.storages), "dtype": DTYPES[dtype], "n": n})
        return len(self.storages) - 1

    def number(self, storage: int) -> int:
        if storage not in self._numbers:
            dtype = self._dtypes[storage]
            self._numbers[storage] = self.new_storage(dtype, self.tape.storages[storage].nbytes // dtype.itemsize)
        return self._numbers[storage]

    def stream(self, stream: Stream) -> int:
        return self._streams.setdefault(stream, len(self._streams))

    def streams(self) -> List[Dict[str, Any]]:
        found = [{"id": i, "kind": "mt19937", "seed": "user" if s.seed is None else str(s.seed)} for s, i in self._streams.items()]
        return found

    def literal(self, data: bytes) -> int:
        key = hashlib.sha256(data).hexdigest()
        if key not in self._literal_ids:
            self._literal_ids[key] = len(self.literals)
            text = base64.b64encode(data).decode()
            self.literals.append({"id": len(self.literals), "nbytes": len(data), "sha256": key, "data": text})
        return self._literal_ids[key]

    def in_own_dtype(self, view: View) -> Optional[View]:
        """A view of bytes (a deep copy's) in the elements of its storage."""
        dtype = self._dtypes[view.storage]
        if view.dtype is dtype:
            return view
        size = dtype.itemsize
        if view.dtype is torch.uint8 and len(view.sizes) == 1 and view.strides == (1,):
            if view.offset % size == 0 and view.sizes[0] % size == 0:
                return View(view.storage, view.offset // size, (view.sizes[0] // size,), (1,), dtype)
        return None

    def place(self, view: View) -> Dict[str, Any]:
        """off, sizes, strides and n of a destination; all but n are left out where it is its whole storage."""
        n = self.tape.storages[view.storage].nbytes // view.dtype.itemsize
        found: Dict[str, Any] = {"s": self.number(view.storage)}
        contiguous = is_contiguous(view.sizes, view.strides)
        if not (contiguous and view.offset == 0 and view.numel == n):
            found["off"] = view.offset
            found["sizes"] = list(view.sizes)
            if not contiguous:
                found["strides"] = list(view.strides)
        found["n"] = view.numel
        return found

    def source(self, source: Any, sizes: Tuple[int, ...]) -> Dict[str, Any]:
        view = broadcast(source, sizes)
        storage = self.constant_storage(source) if isinstance(source, Constant) else self.number(source.storage)
        found: Dict[str, Any] = {"s": storage, "off": view.offset, "sizes": list(view.sizes)}
        if not is_contiguous(view.sizes, view.strides):
            found["strides"] = list(view.strides)
        return found

    def constant_storage(self, constant: Constant) -> int:
        key = (constant.key, constant.dtype)
        if key not in self._constant_storages:
            data = self.tape.constants[constant.key]
            storage = self.new_storage(constant.dtype, len(data) // constant.dtype.itemsize)
            self._constant_storages[key] = storage
            self.ops.append(self.constant_op({"s": storage, "n": len(data) // constant.dtype.itemsize}, data, constant.dtype))
        return self._constant_storages[key]

    def constant_op(self, place: Dict[str, Any], data: bytes, dtype: torch.dtype) -> Dict[str, Any]:
        value = constant_value(data, dtype)
        if value is not None:
            return {"op": "fill", **place, "value": value}
        return {"op": "literal", **place, "literal": self.literal(data)}

    def argument(self, value: Any) -> Any:
        """An argument of one of torch's own operations."""
        if isinstance(value, View):
            found = {"s": self.number(value.storage), "off": value.offset, "sizes": list(value.sizes), "strides": list(value.strides)}
            if value.dtype is not self._dtypes[value.storage]:
                found["dtype"] = DTYPES[value.dtype]
            return {"view": found}
        if isinstance(value, Constant):
            return {"view": {**self.source(value, value.sizes), "strides": list(broadcast(value, value.sizes).strides)}}
        if isinstance(value, torch.dtype):
            return {"dtype": DTYPES[value]}
        if isinstance(value, torch.memory_format):
            return {"memory_format": str(value).split(".")[1]}
        if isinstance(value, (torch.device, torch.layout)):
            return None
        if isinstance(value, (list, tuple)):
            return [self.argument(item) for item in value]
        if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
            return value
        if isinstance(value, float):
            return {"float": json_number(value)}
        raise Refused("plans cannot hold an argument of type %s" % type(value).__name__)


def _bytes_as(constant: Constant, dst: View, tape: Tape) -> bytes:
    """A constant as copy_ writes it to a destination; one element where all are the same."""
    data = tape.constants[constant.key]
    if constant.dtype is dst.dtype and constant.sizes == dst.sizes:
        return data
    content = tensor_of_bytes(data, constant.dtype, constant.sizes)
    if content.numel() > 1:
        return tensor_bytes(torch.empty(dst.sizes, dtype=dst.dtype).copy_(content))
    one = tensor_bytes(torch.empty((), dtype=dst.dtype).copy_(content.reshape(())))
    return one if constant_value(one, dst.dtype) is not None else one * dst.numel


def _write_op(writer: _Writer, op: Op, meaning: Optional[Meaning], placed: Optional[Placed], barriers: int) -> None:
    dst = writer.in_own_dtype(op.dst)
    if dst is not None and meaning is not None and meaning.op == "copy" and isinstance(meaning.sources["src"], Constant):
        data = _bytes_as(meaning.sources["src"], op.dst, writer.tape)
        writer.ops.append(writer.constant_op(writer.place(dst), data, dst.dtype))
        return
    written: Dict[str, Any] = {}
    sources: Dict[str, Any] = {}
    if meaning is not None and dst is not None:
        sizes = dst.sizes
        for key, source in meaning.sources.items():
            own = writer.in_own_dtype(source) if isinstance(source, View) else source
            if own is None:
                meaning = None
                break
            if isinstance(own, View) and math.prod(own.sizes) == dst.numel:
                sources[key] = writer.source(own, own.sizes)
            else:
                sources[key] = writer.source(own, sizes)
    if meaning is None or dst is None:
        written = {"op": op.name, "s": 0}
        overload = op.func._overloadname if op.func is not None else ""
        args = writer.argument(op.args)
        kwargs = {key: writer.argument(value) for key, value in op.kwargs.items()}
        written["s"] = writer.number(op.dst.storage)
        written["dst"] = writer.argument(op.dst)["view"]
        written["overload"] = overload if op.func is not None else ""
        written["args"] = args
        written["kwargs"] = {key: value for key, value in kwargs.items() if value is not None}
        if op.out:
            written["out"] = op.out
        if op.overwrites:
            written["overwrites"] = True
        written["where"] = op.where
    else:
        written = {"op": meaning.op, **writer.place(dst)}
    if placed is not None:
        assert placed.words is not None
        written["at"] = placed.begin.at
        written["words"] = placed.words.count
        cached = placed.begin.cached()
        if cached is not None and (placed.words.scalar or placed.words.depends):
            written["cached"] = cached
        if placed.words.depends:
            written["data_dependent"] = True
        stream = writer.stream(op.draw.stream)  # type: ignore[union-attr]
        if stream:
            written["stream"] = stream
        if barriers:
            written["barriers"] = barriers
    if meaning is not None and dst is not None:
        written.update(sources)
        written.update({key: json_number(value) for key, value in meaning.numbers.items()})
        if meaning.host:
            written["bits"] = "host"
    else:
        written["bits"] = "host"
    writer.ops.append(written)


def _alone(op: Op, writer: _Writer) -> View:
    """A dead draw's rounds count still; it is made in memory of its own."""
    extent = 1 + sum((n - 1) * s for n, s in zip(op.dst.sizes, op.dst.strides))
    storage = -2 - len(writer.tape.storages)
    while storage in writer._numbers:
        storage -= 1
    writer.tape.storages[storage] = type(next(iter(writer.tape.storages.values())))(storage, extent * op.dst.dtype.itemsize)
    writer._dtypes[storage] = op.dst.dtype
    return View(storage, 0, op.dst.sizes, op.dst.strides, op.dst.dtype)


def lower(tape: Tape, source: Dict[str, str], differing: Optional[Dict[int, str]] = None) -> Dict[str, Any]:
    """The plan of a tape, as docs/plan-format.md describes it (version [1,1])."""
    meanings = [meaning_of(op, tape) for op in tape.ops]
    placed = place_draws(tape, meanings)
    _find_reasons(tape, placed, differing or {})
    live = _find_live(tape)
    writer = _Writer(tape)
    for name in tape.names:
        if isinstance(name.value, View):
            writer.choose_dtype(name.value)
    for op, is_live in zip(tape.ops, live):
        for view in (op.dst, *views_in((op.args, op.kwargs), [])):
            writer.choose_dtype(view)
    passed: Dict[Stream, List[Draw]] = {}
    done: Set[Draw] = set()
    for op, meaning, is_live in zip(tape.ops, meanings, live):
        place = placed[op.draw] if op.draw is not None else None
        depends = place is not None and place.words is not None and place.words.depends
        if not is_live and not (depends and op.draw not in done):
            continue
        barriers = 0
        if op.draw is not None and place is not None:
            before = passed.setdefault(op.draw.stream, [])
            barriers = len(before)
            if tuple(before) != place.begin.barriers:
                raise Refused(
                    "%s: the generator was put back to before a trunc_normal_ whose number of rounds depends on its "
                    "values; plans cannot hold that" % op.where
                )
            if depends and op.draw not in done:
                before.append(op.draw)
                done.add(op.draw)
        if is_live:
            _write_op(writer, op, meaning, place, barriers)
        else:
            alone = _alone(op, writer)
            _write_op(writer, Op(op.func, op.args, op.kwargs, alone, 0, True, op.draw, op.where), meaning, place, barriers)
    tensors = [_tensor(writer, name) for name in tape.names]
    end = placed[tape.end].end if tape.end is not None else Position()
    words = end.at if tape.end_stream is tape.streams[0] else 0
    plan: Dict[str, Any] = {
        "format": "fanin-plan", "version": [1, 1], "profile": PROFILE, "streams": writer.streams(), "source": source,
        "storages": writer.storages, "tensors": tensors,
    }
    if writer.literals:
        plan["literals"] = writer.literals
    plan["ops"] = writer.ops
    plan["words"] = words
    return plan


def _tensor(writer: _Writer, name: Name) -> Dict[str, Any]:
    if name.alias_of is not None:
        return {"name": name.name, "alias_of": name.alias_of}
    found: Dict[str, Any] = {"name": name.name}
    value = name.value
    view = writer.in_own_dtype(value) if isinstance(value, View) else None
    if name.refused is None and isinstance(value, View) and view is None:
        name.refused = "it is a view of memory of another dtype"
    if name.refused is not None:
        dtype = name.dtype if name.dtype in DTYPES else torch.uint8
        found["s"] = writer.new_storage(dtype, math.prod(name.shape))
        found["shape"] = list(name.shape)
        found["refused"] = name.refused
    elif view is not None:
        found["s"] = writer.number(view.storage)
        if view.offset:
            found["off"] = view.offset
        found["shape"] = list(name.shape)
        if not is_contiguous(view.sizes, view.strides):
            found["strides"] = list(view.strides)
    else:
        data = writer.tape.constants[value.key]
        n = math.prod(name.shape)
        found["s"] = writer.new_storage(value.dtype, n)
        found["shape"] = list(name.shape)
        if n:
            writer.ops.append(writer.constant_op({"s": found["s"], "n": n}, data, value.dtype))
    if name.kind != "param":
        found["kind"] = name.kind
        if not name.persistent:
            found["persistent"] = False
    return found
