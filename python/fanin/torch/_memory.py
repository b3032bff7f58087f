# SPDX-License-Identifier: MIT
"""Fresh memory for the tensors of a model: one mapping, so that huge pages reach across tensors.

On a processor that makes weights as fast as memory takes them, page faults are most of the time. Each tensor is a storage
of its own and gives its pages back when it dies.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
import time
import weakref
from typing import Optional, Sequence

import torch

# Less comes from torch's allocator.
_MIN_NBYTES = 256 << 10
_HUGE_NBYTES = 2 << 20
_MADV_HUGEPAGE, _MADV_NOHUGEPAGE = 14, 15
# A huge page is cleared in 0.1 to 0.3 ms, and replaces 512 small ones of together about 0.9 ms. Where it takes longer, a
# host gives the memory only now: virtual machines hand back what is free in large blocks, and keep small pages.
_NPROBES, _COLD_S = 8, 0.9e-3
_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class _Pages:
    """The memory of one tensor, as ctypes hands it to torch; unmapped with it."""

    @staticmethod
    def of(address: int, nbytes: int, mapped: int) -> "ctypes.Array[ctypes.c_char]":
        buffer = (ctypes.c_char * nbytes).from_address(address)
        weakref.finalize(buffer, _libc.munmap, address, mapped).atexit = False
        return buffer


def _are_cold(address: int, nbytes: int) -> bool:
    """Whether huge pages cost more than they save, by the first few of a mapping."""
    first = -(-address // _HUGE_NBYTES) * _HUGE_NBYTES
    last = min(first + _NPROBES * _HUGE_NBYTES, address + nbytes - _HUGE_NBYTES)
    pages = range(first, last, _HUGE_NBYTES)
    begin = time.thread_time()
    for page in pages:
        ctypes.memset(page, 0, 1)
    return time.thread_time() - begin > _COLD_S * len(pages)


class Memory:
    """Memory for tensors of `nbytes` altogether. Whoever fills a tensor touches its pages first."""

    def __init__(self, nbytes: int) -> None:
        self._next = self._end = 0
        if nbytes < _MIN_NBYTES or sys.platform != "linux":
            return
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        address = _libc.mmap(None, nbytes, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
        if address not in (None, _FAILED):
            self._next, self._end = address, address + nbytes
            # Advice: without huge pages nothing happens.
            _libc.madvise(address, nbytes, _MADV_HUGEPAGE)
            if _are_cold(address, nbytes):
                _libc.madvise(address, nbytes, _MADV_NOHUGEPAGE)

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
        """Gives back what no tensor was made of."""
        if self._next < self._end:
            _libc.munmap(self._next, self._end - self._next)
        self._next = self._end = 0


def nbytes_for(sizes: Sequence[int]) -> int:
    """What Memory must be given for tensors of these numbers of bytes."""
    return sum(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE for size in sizes if size >= _MIN_NBYTES)
