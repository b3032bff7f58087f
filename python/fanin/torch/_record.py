# SPDX-License-Identifier: MIT
"""The recorder: a dispatch mode under which a constructor runs without memory and without drawing.

Tensors stay ordinary tensors on the CPU, so code that asks for their device, shape or attributes sees what it would
see otherwise; only storage may be hollow. Small deterministic work is really done. Operations that draw, that read
what was drawn, or that fill large memory are written to the tape instead.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ._hollow import Arena
from ._streams import Streams
from ._tape import UNDEFINED, Draw, Op, Refused, Storage, Tape, View, is_dense, reads_metadata_only

# Storages from this size on have no memory; deterministic ones up to REAL_NBYTES get it when their values are read.
HOLLOW_NBYTES = 1 << 20
REAL_NBYTES = 64 << 20

_EMPTY = {"empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided"}
_CONSTANT = {"zeros", "ones", "full", "zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full"}
_OVERWRITES = {
    "fill_",
    "zero_",
    "copy_",
    "normal_",
    "uniform_",
    "trunc_normal_",
    "random_",
    "bernoulli_",
    "exponential_",
    "log_normal_",
    "cauchy_",
    "geometric_",
}
_READS_VALUES = {"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "item"}
_FILES_OF_TORCH = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)


def where_called() -> str:
    """file:line of the innermost code that is neither torch's nor ours."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_FILES_OF_TORCH) and not name.startswith("<"):
            return "%s:%d" % (os.path.basename(name), frame.f_lineno)
        frame = frame.f_back
    return "?"


class _Info(NamedTuple):
    base: str
    name: str
    view: bool
    random: bool
    reads_values: bool
    written: Tuple[Any, ...]  # positions and names of arguments that are written
    out_form: bool
    overwrites: bool
    metadata_only: bool
    foreach: Optional[str]


_infos: Dict[Any, _Info] = {}


def _info_of(func: Any) -> _Info:
    info = _infos.get(func)
    if info is not None:
        return info
    schema = func._schema
    base = schema.name.split("::")[1]
    written: List[Any] = []
    out_form = False
    for i, argument in enumerate(schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            written.append(argument.name if argument.kwarg_only else i)
            out_form = out_form or argument.is_out
    tags = func.tags
    aliases = not written and any(r.alias_info is not None for r in schema.returns)
    foreach = base[len("_foreach_") :] if base.startswith("_foreach_") else None
    info = _Info(
        base=base,
        name=schema.name,
        view=func.is_view
        or torch.Tag.inplace_view in tags
        or aliases
        or base in ("_unsafe_view", "set_", "lift", "lift_fresh", "detach_"),
        random=torch.Tag.nondeterministic_seeded in tags,
        reads_values=torch.Tag.data_dependent_output in tags
        or torch.Tag.dynamic_output_shape in tags
        or base in _READS_VALUES,
        written=tuple(written),
        out_form=out_form,
        overwrites=out_form or base in _OVERWRITES,
        metadata_only=reads_metadata_only(base),
        foreach=foreach,
    )
    _infos[func] = info
    return info


class _Memory:
    """A storage that the recorder keeps an eye on: hollow, with a history on the tape, or partly without content."""

    __slots__ = ("id", "storage", "hollow", "constant_ops", "undefined")

    def __init__(self, id: int, storage: torch.UntypedStorage) -> None:
        self.id = id
        self.storage = storage  # kept alive: its address names it
        self.hollow = False
        # Replays the content where that is deterministic (fills of hollow memory); None where it is not.
        self.constant_ops: Optional[List[Callable[[], Any]]] = None
        # For memory that is not hollow: a byte per byte, 1 where nothing has been written.
        self.undefined: Optional[torch.Tensor] = None


def _tensors_in(value: Any, found: List[torch.Tensor]) -> List[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _tensors_in(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _tensors_in(item, found)
    return found


def _map_tensors(value: Any, function: Callable[[torch.Tensor], Any]) -> Any:
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map_tensors(item, function) for item in value)
    if isinstance(value, dict):
        return {key: _map_tensors(item, function) for key, item in value.items()}
    return value


def _covers(tensor: torch.Tensor) -> bool:
    """Whether a view is all of its storage."""
    return tensor.numel() * tensor.element_size() == tensor.untyped_storage().nbytes() and is_dense(
        tensor.shape, tensor.stride()
    )


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout is torch.strided and tensor.device.type == "cpu"


class Recorder(TorchDispatchMode):
    """Use through recording(); `tape` is complete when that ends.

    eager: operations run on real memory with real draws as well, so that values may be read. Whoever records so must
    do it under two seeds and compare the tapes.
    """

    def __init__(self, seed: int, eager: bool = False, hollow_nbytes: int = HOLLOW_NBYTES) -> None:
        super().__init__()
        self.tape = Tape(eager=eager)
        self.streams = Streams(self.tape, seed, eager)
        self.arena = Arena()
        self.eager = eager
        self.hollow_nbytes = sys.maxsize if eager else hollow_nbytes
        self.memories: Dict[int, _Memory] = {}

    # ---- memory ----

    def memory_of(self, tensor: torch.Tensor) -> Optional[_Memory]:
        if not _is_plain(tensor):
            return None
        return self.memories.get(tensor.untyped_storage()._cdata)

    def _watch(self, tensor: torch.Tensor) -> _Memory:
        storage = tensor.untyped_storage()
        memory = self.memories.get(storage._cdata)
        if memory is None:
            memory = _Memory(len(self.tape.storages), storage)
            self.memories[storage._cdata] = memory
            self.tape.storages[memory.id] = Storage(memory.id, storage.nbytes())
        return memory

    def is_hollow(self, tensor: torch.Tensor) -> bool:
        memory = self.memory_of(tensor)
        return memory is not None and memory.hollow and tensor.numel() > 0

    def is_undefined(self, tensor: torch.Tensor) -> bool:
        memory = self.memory_of(tensor)
        if memory is None or memory.undefined is None or tensor.numel() == 0:
            return False
        return bool(self._bytes_of(memory.undefined, tensor).any())

    @staticmethod
    def _bytes_of(mask: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        """The part of a mask of a storage's bytes that a view touches."""
        size = tensor.element_size()
        return mask.as_strided(
            (*tensor.shape, size), (*(s * size for s in tensor.stride()), 1), tensor.storage_offset() * size
        )

    def _set_undefined(self, tensor: torch.Tensor) -> None:
        """The tensor's memory, which is not hollow, holds nothing that a seed determines."""
        if not _is_plain(tensor) or tensor.numel() == 0:
            return
        memory = self._watch(tensor)
        if memory.undefined is None:
            memory.undefined = torch.zeros(memory.storage.nbytes(), dtype=torch.uint8)
        self._bytes_of(memory.undefined, tensor).fill_(1)

    def _set_defined(self, tensor: torch.Tensor) -> None:
        memory = self.memory_of(tensor)
        if memory is not None and memory.undefined is not None and tensor.numel() > 0:
            self._bytes_of(memory.undefined, tensor).fill_(0)
            if _covers(tensor):
                memory.undefined = None

    def _new_hollow(self, sizes: Sequence[int], strides: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """A tensor whose content is on the tape."""
        extent = 1 + sum((n - 1) * s for n, s in zip(sizes, strides)) if 0 not in sizes else 0
        nbytes = extent * dtype.itemsize
        if nbytes <= self.hollow_nbytes:
            tensor = torch.empty_strided(tuple(sizes), tuple(strides), dtype=dtype)
        else:
            tensor = self.arena.tensor(sizes, strides, dtype, nbytes)
        if nbytes > 0:
            self._watch(tensor).hollow = True
        return tensor

    def view(self, tensor: torch.Tensor) -> View:
        return View(
            self.memories[tensor.untyped_storage()._cdata].id,
            tensor.storage_offset(),
            tuple(tensor.shape),
            tuple(tensor.stride()),
            tensor.dtype,
        )

    def make_real(self, tensors: Sequence[torch.Tensor]) -> bool:
        """Gives deterministic hollow memory its content. False, having done nothing, if any of it is drawn or large."""
        memories = [m for m in (self.memory_of(t) for t in tensors) if m is not None and m.hollow]
        if any(m.constant_ops is None or m.storage.nbytes() > REAL_NBYTES for m in memories):
            return False
        for memory in memories:
            if not memory.hollow:
                continue
            if self.arena.owns(memory.storage):
                self.arena.back(memory.storage)
            memory.hollow = False
            for operation in memory.constant_ops or ():
                operation()
            memory.constant_ops = None
        return True

    # ---- the tape ----

    def values_read(self, what: str) -> None:
        """A value that depends on the seed goes to Python."""
        if not self.eager:
            raise Refused(what)
        if what not in self.tape.reads:
            self.tape.reads.append(what)

    def _encode(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            if self.is_hollow(value):
                return self.view(value)
            if _is_plain(value):
                return self.tape.add_constant(value)
            raise Refused(
                "%s: an operation mixes drawn values with a %s tensor on %s"
                % (where_called(), value.layout, value.device)
            )
        if isinstance(value, torch.Generator):
            return None
        if isinstance(value, (list, tuple)):
            return type(value)(self._encode(item) for item in value)
        if isinstance(value, dict):
            return {key: self._encode(item) for key, item in value.items()}
        return value

    def _spill(self, tensor: torch.Tensor) -> None:
        """What real memory holds goes to the tape before a part of it is drawn."""
        memory = self._watch(tensor)
        if memory.hollow:
            return
        memory.hollow = True
        memory.constant_ops = None
        size = tensor.element_size()
        n = memory.storage.nbytes() // size
        whole = torch.empty(0, dtype=tensor.dtype).set_(memory.storage, 0, (n,), (1,))
        runs = [(0, n)]
        if memory.undefined is not None:
            defined = (memory.undefined[: n * size].view(-1, size) == 0).all(1).to(torch.int8)
            edges = torch.cat([torch.zeros(1, dtype=torch.int8), defined, torch.zeros(1, dtype=torch.int8)]).diff()
            begins, ends = edges.eq(1).nonzero().flatten().tolist(), edges.eq(-1).nonzero().flatten().tolist()
            runs = list(zip(begins, ends))
            memory.undefined = None
        for begin, end in runs:
            part = whole[begin:end]
            constant = self.tape.add_constant(part)
            self.tape.ops.append(Op(None, (constant,), {}, self.view(part), 0, True, None, where_called()))

    def _write_op(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        tensors: Sequence[torch.Tensor],
        overwrites: bool,
        draw: Optional[Draw],
        refused: Optional[str],
    ) -> None:
        where = where_called()
        for out, tensor in enumerate(tensors):
            if tensor.numel() == 0:
                continue
            op = Op(func, args, kwargs, self.view(tensor), out, overwrites, draw, where, refused)
            if draw is not None and draw.op is None:
                draw.op = op
            self.tape.ops.append(op)

    # ---- dispatch ----

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(
            t is not torch.Tensor and t is not torch.nn.Parameter and hasattr(t, "__tensor_flatten__") for t in types
        ):
            return NotImplemented
        info = _info_of(func)
        device = kwargs.get("device")
        if device is not None and torch.device(device).type not in ("cpu", "meta"):
            raise Refused("%s: %s on %s; plans hold what is drawn on the CPU" % (where_called(), info.name, device))
        if info.view:
            return func(*args, **kwargs)
        if info.foreach is not None and not info.random:
            return self._foreach(info, args, kwargs)
        if info.base in _EMPTY and not info.out_form:
            return self._empty(func, args, kwargs)
        if info.base in _CONSTANT and not info.out_form:
            return self._constant(func, args, kwargs)
        written = self._written(info, args, kwargs)
        tensors = _tensors_in((args, kwargs), [])
        if any(t.device.type == "meta" for t in tensors):
            if any(self.is_hollow(t) for t in tensors):
                raise Refused("%s: %s mixes meta tensors with drawn ones" % (where_called(), info.name))
            return func(*args, **kwargs)
        ids = {id(t) for t in written} if info.overwrites else ()
        reads = [] if info.metadata_only else [t for t in tensors if id(t) not in ids]
        hollow_reads = [t for t in reads if self.is_hollow(t)]

        if info.reads_values and not self._is_integer_index(info, args):
            if hollow_reads and not self.make_real(hollow_reads):
                self.values_read(
                    "%s: the value of a random tensor decides what is built (%s)" % (where_called(), info.name)
                )
            return self._execute(func, args, kwargs, written, reads, info)
        if info.base in ("resize_", "resize_as_") and written and self.is_hollow(written[0]) and not self.eager:
            raise Refused("%s: %s of a tensor with drawn values" % (where_called(), info.name))

        if info.random:
            return self._random(func, args, kwargs, info, written)
        if hollow_reads and not self.eager and self.make_real(hollow_reads):
            hollow_reads = []
        if not hollow_reads and all(self._becomes_real(t, info) for t in written):
            for tensor in written:
                memory = self.memory_of(tensor)
                if memory is not None and memory.hollow:
                    memory.hollow = False
                    memory.constant_ops = None
            return self._execute(func, args, kwargs, written, reads, info)
        return self._tape_op(func, args, kwargs, info, written, None)

    @staticmethod
    def _written(info: _Info, args: Any, kwargs: Any) -> List[torch.Tensor]:
        found: List[torch.Tensor] = []
        for key in info.written:
            value = kwargs.get(key) if isinstance(key, str) else (args[key] if key < len(args) else None)
            _tensors_in(value, found)
        return found

    @staticmethod
    def _is_integer_index(info: _Info, args: Any) -> bool:
        if info.base not in ("index", "_unsafe_index"):
            return False
        return all(i is None or i.dtype not in (torch.bool, torch.uint8) for i in args[1])

    def _becomes_real(self, tensor: torch.Tensor, info: _Info) -> bool:
        """Whether a deterministic write can be done on real memory."""
        memory = self.memory_of(tensor)
        if memory is None or not memory.hollow:
            return True
        return (
            not self.eager
            and info.overwrites
            and _covers(tensor)
            and tensor.numel() > 0
            and not self.arena.owns(memory.storage)
        )

    def _execute(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        written: Sequence[torch.Tensor],
        reads: Sequence[torch.Tensor],
        info: _Info,
    ) -> Any:
        undefined = any(self.is_undefined(t) for t in reads)
        out = func(*args, **kwargs)
        if undefined:
            for tensor in [*written, *_tensors_in(out, [])]:
                self._set_undefined(tensor)
        elif info.overwrites:
            for tensor in written:
                self._set_defined(tensor)
        return out

    def _empty(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        device = kwargs.get("device")
        like = _tensors_in(args, [])
        if device is None and like:
            device = like[0].device
        if device is not None and torch.device(device).type == "meta":
            return func(*args, **kwargs)
        if kwargs.get("layout") not in (None, torch.strided) or (like and not _is_plain(like[0]) and device is None):
            return func(*args, **kwargs)
        meta = func(*args, **{**kwargs, "device": "meta", "pin_memory": None})
        nbytes = meta.untyped_storage().nbytes()
        if nbytes <= self.hollow_nbytes:
            out = func(*args, **{**kwargs, "device": "cpu"})
            self._set_undefined(out)
            return out
        return self._new_hollow(meta.shape, meta.stride(), meta.dtype)

    def _constant(self, func: Any, args: Any, kwargs: Any) -> torch.Tensor:
        meta = func(*args, **{**kwargs, "device": "meta", "pin_memory": None})
        device = kwargs.get("device")
        like = _tensors_in(args, [])
        device = device if device is not None else like[0].device if like else "cpu"
        small = meta.numel() * meta.element_size() <= self.hollow_nbytes
        if small or torch.device(device).type != "cpu" or meta.layout is not torch.strided:
            return func(*args, **{**kwargs, "device": device})
        out = self._new_hollow(meta.shape, meta.stride(), meta.dtype)
        base = func._schema.name
        if "full" in base:
            index = [a.name for a in func._schema.arguments].index("fill_value")
            value = args[index] if index < len(args) else kwargs["fill_value"]
        else:
            value = 1 if "ones" in base else 0
        torch_fill = torch.ops.aten.fill_.Scalar
        self._tape_op(torch_fill, (out, value), {}, _info_of(torch_fill), [out], None)
        return out

    def _foreach(self, info: _Info, args: Any, kwargs: Any) -> Any:
        """One operation for each tensor of the lists."""
        packet = getattr(torch.ops.aten, str(info.foreach))
        lists = [a for a in (*args, *kwargs.values()) if isinstance(a, (list, tuple)) and _tensors_in(a, [])]
        outs = []
        for i in range(len(lists[0])):
            pick = [a[i] if isinstance(a, (list, tuple)) else a for a in args]
            named = {k: a[i] if isinstance(a, (list, tuple)) else a for k, a in kwargs.items()}
            with self:
                outs.append(packet(*pick, **named))
        return None if info.written else outs

    # ---- operations on the tape ----

    def _random(self, func: Any, args: Any, kwargs: Any, info: _Info, written: List[torch.Tensor]) -> Any:
        generator = kwargs.get("generator")
        for i, argument in enumerate(func._schema.arguments):
            if argument.name == "generator" and i < len(args):
                generator = args[i]
        generator = torch.default_generator if generator is None else generator
        if generator.device.type != "cpu":
            raise Refused(
                "%s: %s draws on %s; plans hold what is drawn on the CPU"
                % (where_called(), info.name, generator.device)
            )
        if written and all(t.numel() == 0 for t in written):
            return func(*args, **kwargs)
        if written and not self.eager and info.name != "fanin::trunc_normal_" and written[0] is args[0]:
            # An empty tensor of the same kind draws nothing and refuses what torch refuses.
            func(torch.empty(0, dtype=written[0].dtype), *args[1:], **kwargs)
        draw = self.streams.begin(generator, where_called())
        out = self._tape_op(func, args, kwargs, info, written, draw)
        if draw.op is not None:
            self.streams.end(generator, draw)
        return out

    def _tape_op(
        self, func: Any, args: Any, kwargs: Any, info: _Info, written: List[torch.Tensor], draw: Optional[Draw]
    ) -> Any:
        if len(written) > 1 and not info.overwrites:
            raise Refused("%s: %s changes several tensors with drawn values at once" % (where_called(), info.name))
        reads = () if info.metadata_only else _tensors_in((args, kwargs), [])
        reads = [t for t in reads if not (info.overwrites and any(t is w for w in written))]
        refused = UNDEFINED if any(self.is_undefined(t) for t in reads) else None
        constant = draw is None and info.base in ("fill_", "zero_") and not self.eager
        constant = constant and not any(self.is_hollow(t) for t in _tensors_in((args[1:], kwargs), []))
        for tensor in written:
            memory = self.memory_of(tensor)
            before = memory.constant_ops if memory is not None else None
            if info.overwrites and _covers(tensor):
                memory = self._watch(tensor)
                memory.hollow, memory.undefined = True, None
                memory.constant_ops = [] if constant else None
            elif memory is not None and memory.hollow:
                memory.constant_ops = before if constant else None
            else:
                self._spill(tensor)
        encoded_args, encoded_kwargs = self._encode(tuple(args)), self._encode(dict(kwargs))
        if constant:
            memory = self.memory_of(written[0])
            if memory is not None and memory.constant_ops is not None:
                value = args[1] if len(args) > 1 else 0
                memory.constant_ops.append(lambda t=written[0].detach(), v=value: t.fill_(v))
        result = func(*args, **kwargs) if self.eager else None
        if written:
            self._write_op(func, encoded_args, encoded_kwargs, written, info.overwrites, draw, refused)
            if self.eager:
                return result
            returned = len(func._schema.returns)
            if returned == 0:
                return None
            if isinstance(args[0], (list, tuple)):
                return args[0]
            return written[0] if returned == 1 else tuple(written[:returned])
        shapes = result if self.eager else self._meta_result(func, args, kwargs, info)
        outs = []

        def hollow(value: torch.Tensor) -> torch.Tensor:
            if self.eager:
                tensor = value
                if tensor.numel() > 0:
                    memory = self._watch(tensor)
                    memory.hollow, memory.undefined = True, None
            else:
                tensor = self._new_hollow(value.shape, value.stride(), value.dtype)
            outs.append(tensor)
            return tensor

        result = _map_tensors(shapes, hollow)
        self._write_op(func, encoded_args, encoded_kwargs, outs, True, draw, refused)
        return result

    def _meta_result(self, func: Any, args: Any, kwargs: Any, info: _Info) -> Any:
        """Shapes, strides and dtypes of what an operation returns."""

        def to_meta(tensor: torch.Tensor) -> torch.Tensor:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")

        if info.base in ("index", "_unsafe_index", "index_put", "index_put_"):
            args = (args[0], self._integer_indices(args[1]), *args[2:])
        kwargs = {k: None if isinstance(v, torch.Generator) else v for k, v in kwargs.items()}
        kwargs = {k: torch.device("meta") if isinstance(v, torch.device) else v for k, v in kwargs.items()}
        if info.random and "device" not in kwargs and any(a.name == "device" for a in func._schema.arguments):
            kwargs["device"] = torch.device("meta")
        args = tuple(None if isinstance(a, torch.Generator) else a for a in args)
        try:
            return func(*_map_tensors(args, to_meta), **_map_tensors(kwargs, to_meta))
        except NotImplementedError:
            pass
        # No rule for shapes: run it on zeros, which is honest where the work is small.
        if sum(t.numel() for t in _tensors_in((args, kwargs), [])) > REAL_NBYTES // 8:
            raise Refused("%s: %s has no rule for shapes in this torch" % (where_called(), info.name))
        state = torch.default_generator.get_state()
        dummy = _map_tensors(
            (args, kwargs),
            lambda t: torch.eye(*t.shape, dtype=t.dtype) if t.dim() == 2 else torch.ones(t.shape, dtype=t.dtype),
        )
        try:
            return func(*dummy[0], **dummy[1])
        finally:
            torch.default_generator.set_state(state)

    @staticmethod
    def _integer_indices(indices: Sequence[Optional[torch.Tensor]]) -> List[Optional[torch.Tensor]]:
        found: List[Optional[torch.Tensor]] = []
        for index in indices:
            if index is not None and index.dtype in (torch.bool, torch.uint8):
                found.extend(index.nonzero().unbind(1))
            else:
                found.append(index)
        return found
