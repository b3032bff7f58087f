# SPDX-License-Identifier: MIT
"""The tape: what a recorder writes down and lowering reads.

Plain values only. A tape holds operations on storages in the order in which the constructor ran them, the draws of
each generator as a tree of positions, and the names that the finished model gives to parts of storages.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch


# What is said of memory that torch.empty gave and nobody wrote.
UNDEFINED = "never initialized: torch.empty memory that nothing was written to"


class Refused(RuntimeError):
    """A constructor did what no plan can hold; the message names the operation and the line of the user's code."""


@dataclass(frozen=True)
class View:
    """Elements of a storage: offset and strides in elements of `dtype`."""

    storage: int
    offset: int
    sizes: Tuple[int, ...]
    strides: Tuple[int, ...]
    dtype: torch.dtype

    @property
    def numel(self) -> int:
        n = 1
        for size in self.sizes:
            n *= size
        return n


@dataclass(frozen=True)
class Constant:
    """A deterministic tensor by its content: `key` names the bytes in Tape.constants, row-major."""

    key: str
    sizes: Tuple[int, ...]
    dtype: torch.dtype


@dataclass(eq=False)
class Stream:
    """A generator's numbers. seed None: the user's."""

    seed: Optional[int]


@dataclass(eq=False)
class Draw:
    """One operation's draws: they begin where `parent` ends, or where the stream begins."""

    stream: Stream
    parent: Optional["Draw"] = field(repr=False)
    op: Optional["Op"] = field(default=None, repr=False)


@dataclass(eq=False)
class Op:
    """One write: value number `out` that func(*args, **kwargs) returns or writes goes to `dst`.

    Tensors in the arguments are View or Constant, generators are left out. func None is a copy of the one argument.
    """

    func: Any
    args: Tuple[Any, ...]
    kwargs: Dict[str, Any]
    dst: View
    out: int
    overwrites: bool
    draw: Optional[Draw]
    where: str
    refused: Optional[str] = None  # why its value is not a function of the seed

    @property
    def name(self) -> str:
        return "aten::copy_" if self.func is None else str(self.func._schema.name)


@dataclass
class Storage:
    """Memory as the tape knows it."""

    id: int
    nbytes: int


@dataclass
class Name:
    """A parameter or buffer: a part of a storage, a constant, or the reason why it is neither."""

    name: str
    kind: str
    persistent: bool
    shape: Tuple[int, ...]
    dtype: torch.dtype
    value: Any = None
    alias_of: Optional[str] = None
    refused: Optional[str] = None


@dataclass
class Tape:
    streams: List[Stream] = field(default_factory=list)
    ops: List[Op] = field(default_factory=list)
    storages: Dict[int, Storage] = field(default_factory=dict)
    constants: Dict[str, bytes] = field(default_factory=dict)
    names: List[Name] = field(default_factory=list)
    end: Optional[Draw] = None
    end_stream: Optional[Stream] = None
    eager: bool = False
    notes: List[str] = field(default_factory=list)
    reads: List[str] = field(default_factory=list)  # where an eager recording read values that depend on the seed

    def add_constant(self, tensor: torch.Tensor) -> Constant:
        """The content of a real tensor as it is now."""
        data = tensor_bytes(tensor)
        key = hashlib.sha256(data).hexdigest()
        self.constants.setdefault(key, data)
        return Constant(key, tuple(tensor.shape), tensor.dtype)


def reads_metadata_only(base: str) -> bool:
    """Whether an operation of this name takes only shape and dtype from its tensors (ones_like, new_zeros)."""
    return base.endswith("_like") or base.startswith("new_") or base == "is_same_size"


def is_dense(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether a view holds every element between its first and its last once."""
    expected = 1
    for stride, size in sorted((stride, size) for size, stride in zip(sizes, strides) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return True


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """Row-major bytes of a CPU tensor of any dtype."""
    flat = tensor.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    if flat.numel() == 0:
        return b""
    return flat.view(torch.uint8).numpy().tobytes()


def tensor_of_bytes(data: bytes, dtype: torch.dtype, sizes: Tuple[int, ...]) -> torch.Tensor:
    """The inverse of tensor_bytes: a new tensor that owns its memory."""
    if not data:
        return torch.empty(sizes, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8).view(dtype).reshape(sizes)
