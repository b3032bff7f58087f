# SPDX-License-Identifier: MIT
"""Hollow memory: ordinary CPU tensors whose storage is address space without memory behind it.

Touching such a page ends the process at once: a read that the recorder missed can crash, but never become a wrong bit.
"""

from __future__ import annotations

import ctypes
import mmap
from typing import Dict, Sequence

import torch

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_PROT_NONE, _MAP_NORESERVE = 0, 0x4000
_FAILED = ctypes.c_void_p(-1).value


class Arena:
    """Address ranges handed out to hollow storages; ranges that are still in use are never given back."""

    def __init__(self) -> None:
        self._ranges: Dict[int, int] = {}

    def tensor(self, sizes: Sequence[int], strides: Sequence[int], dtype: torch.dtype, nbytes: int) -> torch.Tensor:
        nbytes = max(nbytes, 1)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        address = _libc.mmap(None, nbytes, _PROT_NONE, flags, -1, 0)
        if address in (None, _FAILED):
            raise MemoryError("no address space for a tensor of %d bytes (see ulimit -v)" % nbytes)
        self._ranges[address] = nbytes
        storage = torch._C._construct_storage_from_data_pointer(address, torch.device("cpu"), nbytes)
        return torch.empty(0, dtype=dtype).set_(storage, 0, tuple(sizes), tuple(strides))

    def back(self, storage: torch.UntypedStorage) -> None:
        """Gives a range ordinary memory: it reads as zeros."""
        address = storage.data_ptr()
        if _libc.mprotect(address, self._ranges[address], mmap.PROT_READ | mmap.PROT_WRITE) != 0:
            raise MemoryError("no memory for a tensor of %d bytes" % self._ranges[address])

    def owns(self, storage: torch.UntypedStorage) -> bool:
        return storage.data_ptr() in self._ranges

    def release(self, storage: torch.UntypedStorage) -> None:
        """Unmaps a storage's range if the caller holds the only reference to it."""
        address = storage.data_ptr()
        if address in self._ranges and torch._C._storage_Use_Count(storage._cdata) == 1:
            _libc.munmap(address, self._ranges.pop(address))
