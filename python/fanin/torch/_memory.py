# SPDX-License-Identifier: MIT
"""Fresh memory for the tensors of a model: one mapping, so that huge pages reach across tensors.

On a processor that makes weights as fast as memory takes them, page faults are most of the time. Each tensor is a storage
of its own and gives its pages back when it dies.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import weakref
from typing import Optional, Sequence

import torch

from .._threads import current_pool, touch

# Less comes from torch's allocator.
_MIN_NBYTES = 256 << 10
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


class _Pages:
    """The memory of one tensor, as ctypes hands it to torch; unmapped with it."""

    @staticmethod
    def of(address: int, nbytes: int, mapped: int) -> "ctypes.Array[ctypes.c_char]":
        buffer = (ctypes.c_char * nbytes).from_address(address)
        weakref.finalize(buffer, _libc.munmap, address, mapped).atexit = False
        return buffer


class Memory:
    """Memory for tensors of `nbytes` altogether."""

    def __init__(self, nbytes: int) -> None:
        self._begin = self._next = self._end = 0
        if nbytes < _MIN_NBYTES or sys.platform != "linux":
            return
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = _libc.mmap(None, nbytes, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if address not in (None, _FAILED):
            self._begin, self._next, self._end = address, address, address + nbytes

    def empty(self, sizes: Sequence[int], dtype: torch.dtype, strides: Optional[Sequence[int]] = None) -> torch.Tensor:
        """torch.empty_strided, dense; contiguous without strides."""
        n = 1
        for size in sizes:
            n *= size
        nbytes = n * dtype.itemsize
        mapped = -(-nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        if nbytes < _MIN_NBYTES or mapped > self._end - self._next:
            flat = torch.empty(n, dtype=dtype)
        else:
            flat = torch.frombuffer(_Pages.of(self._next, nbytes, mapped), dtype=dtype)
            self._next += mapped
        return flat.view(tuple(sizes)) if strides is None else flat.as_strided(tuple(sizes), tuple(strides))

    def close(self) -> None:
        """Gives back what no tensor was made of, and touches the rest on all threads."""
        if self._next < self._end:
            _libc.munmap(self._next, self._end - self._next)
        begin, end = self._begin, self._next
        self._begin = self._next = self._end = 0
        if begin < end:
            touch(current_pool(), begin, end - begin)


def nbytes_for(sizes: Sequence[int]) -> int:
    """What Memory must be given for tensors of these numbers of bytes."""
    return sum(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE for size in sizes if size >= _MIN_NBYTES)
