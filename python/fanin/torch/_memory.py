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
from concurrent.futures import ThreadPoolExecutor
from typing import Optional, Sequence

import torch

from .._threads import get_num_threads

# Less comes from torch's allocator.
_MIN_NBYTES = 256 << 10
_HUGE_NBYTES = 2 << 20
_MADV_HUGEPAGE, _MADV_NOHUGEPAGE = 14, 15
# A huge page is cleared in 0.1 to 0.3 ms, and replaces 512 small ones of together about 0.9 ms. Where it takes longer, a
# host gives the memory only now: virtual machines hand back what is free in large blocks, and keep small pages.
_COLD_S = 0.9e-3
_CHUNK_NBYTES = 8 * _HUGE_NBYTES
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
            # Advice: without huge pages nothing happens.
            _libc.madvise(address, nbytes, _MADV_HUGEPAGE)

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
        """Gives back what no tensor was made of, and touches the rest on all threads, as long as huge pages are warm."""
        if self._next < self._end:
            _libc.munmap(self._next, self._end - self._next)
        begin, end = self._begin, self._next
        self._begin = self._next = self._end = 0
        chunks = range(-(-begin // _HUGE_NBYTES) * _HUGE_NBYTES, end - _CHUNK_NBYTES + 1, _CHUNK_NBYTES)
        if len(chunks) == 0:
            return
        with ThreadPoolExecutor(get_num_threads()) as pool:
            ends = [
                chunk + _CHUNK_NBYTES for chunk, is_warm in zip(chunks, pool.map(_Toucher().touch, chunks)) if is_warm
            ]
        cold = max(ends, default=chunks[0])
        if cold < chunks[-1]:
            _libc.madvise(cold, end // mmap.PAGESIZE * mmap.PAGESIZE - cold, _MADV_NOHUGEPAGE)


class _Toucher:
    """Touches huge pages until they turn out to be cold."""

    def __init__(self) -> None:
        self._is_cold = False

    def touch(self, chunk: int) -> bool:
        if self._is_cold:
            return False
        begin = time.thread_time()
        for page in range(chunk, chunk + _CHUNK_NBYTES, _HUGE_NBYTES):
            ctypes.memset(page, 0, 1)
        if time.thread_time() - begin > _COLD_S * (_CHUNK_NBYTES // _HUGE_NBYTES):
            self._is_cold = True
        return True


def nbytes_for(sizes: Sequence[int]) -> int:
    """What Memory must be given for tensors of these numbers of bytes."""
    return sum(-(-size // mmap.PAGESIZE) * mmap.PAGESIZE for size in sizes if size >= _MIN_NBYTES)
