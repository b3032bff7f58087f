# SPDX-License-Identifier: MIT
"""A plan as a JSON object, from operations whose meaning and position are known (docs/plan-format.md)."""

from __future__ import annotations

import base64
import hashlib
import math
from typing import Any, Dict, List, Optional, Tuple

import torch

from ._plan_ops import DTYPES, Meaning, broadcast
from ._positions import Placed
from ._tape import Constant, Name, Op, Refused, Storage, Stream, Tape, View, tensor_bytes, tensor_of_bytes
from ._words import is_contiguous

# Tables of real models come to 135 MB at most.
MAX_LITERALS_NBYTES = 500_000_000


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


class Writer:
    """The plan under construction: storages are numbered as they are first used."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.storages: List[Dict[str, Any]] = []
        self.ops: List[Dict[str, Any]] = []
        self.literals: List[Dict[str, Any]] = []
        self._numbers: Dict[int, int] = {}
        self._dtypes: Dict[int, torch.dtype] = {}
        self._literal_ids: Dict[str, int] = {}
        self._literals_nbytes = 0
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
        found = [
            {"id": i, "kind": "mt19937", "seed": "user" if s.seed is None else str(s.seed)}
            for s, i in self._streams.items()
        ]
        return found

    def literal(self, data: bytes) -> int:
        key = hashlib.sha256(data).hexdigest()
        if key not in self._literal_ids:
            self._literals_nbytes += len(data)
            if self._literals_nbytes > MAX_LITERALS_NBYTES:
                raise Refused(
                    "the constants of this model take more than %d MB: a plan is for weights that are drawn, not for "
                    "weights that were read from files" % (MAX_LITERALS_NBYTES // 10**6)
                )
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
        """A view that is read, or a constant, in the shape of what is written."""
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
            self.ops.append(
                self.constant_op({"s": storage, "n": len(data) // constant.dtype.itemsize}, data, constant.dtype)
            )
        return self._constant_storages[key]

    def constant_op(self, place: Dict[str, Any], data: bytes, dtype: torch.dtype) -> Dict[str, Any]:
        value = constant_value(data, dtype)
        if value is not None:
            return {"op": "fill", **place, "value": value}
        return {"op": "literal", **place, "literal": self.literal(data)}

    def argument(self, value: Any) -> Any:
        """An argument of one of torch's own operations."""
        if isinstance(value, View):
            found = {
                "s": self.number(value.storage),
                "off": value.offset,
                "sizes": list(value.sizes),
                "strides": list(value.strides),
            }
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


def write_op(writer: Writer, op: Op, meaning: Optional[Meaning], placed: Optional[Placed], barriers: int) -> None:
    """Appends an operation in the plan's words, or as one of torch's own where the plan has none for it."""
    dst = writer.in_own_dtype(op.dst)
    sources = _sources(writer, dst, meaning)
    if dst is None or meaning is None or sources is None:
        writer.ops.append({**_torch_op(writer, op), **_position(writer, op, placed, barriers), "bits": "host"})
        return
    constant = meaning.sources.get("src")
    if meaning.op == "copy" and isinstance(constant, Constant):
        data = _bytes_as(constant, op.dst, writer.tape)
        writer.ops.append(writer.constant_op(writer.place(dst), data, dst.dtype))
        return
    written = {"op": meaning.op, **writer.place(dst), **_position(writer, op, placed, barriers)}
    if meaning.op == "qr":  # which needs a matrix, not the whole storage in whatever shape
        written.update(off=dst.offset, sizes=list(dst.sizes), strides=list(dst.strides))
    for key, view in sources.items():
        is_own_shape = meaning.dims is not None or math.prod(view.sizes) == dst.numel
        written[key] = writer.source(view, view.sizes if is_own_shape else dst.sizes)
    written.update({key: json_number(value) for key, value in meaning.numbers.items()})
    if meaning.dims is not None:
        written["dims"] = list(meaning.dims)
    if meaning.host:
        written["bits"] = "host"
    writer.ops.append(written)


def _sources(writer: Writer, dst: Optional[View], meaning: Optional[Meaning]) -> Optional[Dict[str, Any]]:
    """What an operation reads, each in its storage's own dtype; None where that cannot be."""
    if dst is None or meaning is None:
        return None
    found = {key: writer.in_own_dtype(s) if isinstance(s, View) else s for key, s in meaning.sources.items()}
    return None if None in found.values() else found


def _position(writer: Writer, op: Op, placed: Optional[Placed], barriers: int) -> Dict[str, Any]:
    if placed is None or placed.words is None or op.draw is None:
        return {}
    found: Dict[str, Any] = {"at": placed.begin.at, "words": placed.words.count}
    cached = placed.begin.cached()
    if cached is not None and (placed.words.scalar or placed.words.depends):
        found["cached"] = cached
    if placed.words.depends:
        found["data_dependent"] = True
    stream = writer.stream(op.draw.stream)
    if stream:
        found["stream"] = stream
    if barriers:
        found["barriers"] = barriers
    return found


def _torch_op(writer: Writer, op: Op) -> Dict[str, Any]:
    kwargs = {key: writer.argument(value) for key, value in op.kwargs.items()}
    found = {
        "op": op.name,
        "s": writer.number(op.dst.storage),
        "dst": writer.argument(op.dst)["view"],
        "overload": "" if op.func is None else op.func._overloadname,
        "args": writer.argument(op.args),
        "kwargs": {key: value for key, value in kwargs.items() if value is not None},
    }
    if op.out:
        found["out"] = op.out
    if op.overwrites:
        found["overwrites"] = True
    found["where"] = op.where
    return found


def alone(op: Op, writer: Writer) -> View:
    """Where a dead draw goes whose rounds count still: memory of its own."""
    extent = 1 + sum((n - 1) * s for n, s in zip(op.dst.sizes, op.dst.strides))
    id = -1 - len(writer.tape.storages)  # the recorder's are not negative
    writer.tape.storages[id] = Storage(id, extent * op.dst.dtype.itemsize)
    view = View(id, 0, op.dst.sizes, op.dst.strides, op.dst.dtype)
    writer.choose_dtype(view)
    return view


def write_tensor(writer: Writer, name: Name) -> Dict[str, Any]:
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
