# SPDX-License-Identifier: MIT
"""Threads for fills: pools of the C library, kept between calls. How many there are never changes a byte; a process
forked from this one starts its own."""

import ctypes
import operator
import os
import time
import typing

from . import _lib
from ._lib import lib

_MAX_NTHREADS = 1024


class Pool:
    """nthreads threads, the calling one included. Whoever uses a pool holds a reference; the last one frees it."""

    def __init__(self, nthreads: int):
        self.pid = os.getpid()
        self.asked = nthreads
        self._pool = ctypes.c_void_p()
        _lib.call(lib.fanin_pool_create, nthreads, ctypes.byref(self._pool))
        self._free = lib.fanin_pool_free
        self.parallel = lib.fanin_pool_parallel(self._pool)
        self.pointer = ctypes.pointer(self.parallel)

    def __del__(self) -> None:
        if getattr(self, "_free", None) is not None:
            self._free(self._pool)


_pool: typing.Optional[Pool] = None
_nthreads = 0  # 0: as many as the process may use


def pool_of(pool: typing.Optional[Pool], nthreads: int) -> Pool:
    """`pool` if it has this many threads in this process, else a new one."""
    if pool is None or pool.asked != nthreads or pool.pid != os.getpid():
        pool = Pool(nthreads)
    return pool


def current_pool() -> Pool:
    """The pool of fills on arrays."""
    global _pool
    _pool = pool = pool_of(_pool, get_num_threads())
    return pool


def get_num_threads() -> int:
    """How many threads one call may use: what was set, else the number of processors this process may run on."""
    return _nthreads or lib.fanin_processor_count()


def set_num_threads(nthreads: int) -> None:
    """How many threads one call may use, 1 to 1024; 0 is all processors. The bytes do not depend on it.

    Calls on few elements (below a quarter of a million) use one thread in any case.
    """
    global _nthreads
    count = operator.index(nthreads)
    if not 0 <= count <= _MAX_NTHREADS:
        raise ValueError("the number of threads is 0 (all processors) to %d, not %d" % (_MAX_NTHREADS, count))
    _nthreads = count


# How long after huge pages were found cold none are asked for.
_COLD_S = 2.0
_cold_until = 0.0


def may_be_huge() -> bool:
    """Whether to ask for huge pages: not if they were slower than small ones a moment ago."""
    return time.monotonic() >= _cold_until


def found_cold() -> None:
    """Huge pages were slower than small ones just now."""
    global _cold_until
    _cold_until = time.monotonic() + _COLD_S


def touch(pool: Pool, address: int, nbytes: int) -> None:
    """fanin_parallel_touch, in huge pages where that is faster."""
    if lib.fanin_parallel_touch(pool.pointer, address, nbytes, may_be_huge()):
        found_cold()
