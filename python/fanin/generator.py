# SPDX-License-Identifier: MIT
"""Generators: torch's CPU generator as a value. Same seed, same draws, same state bytes; copy it, compare it, save it,
skip any distance."""

import contextlib
import ctypes
import operator
import os
import threading
import typing

from . import _lib
from ._lib import lib

_MAX_NWORDS = 2**64


def profiles() -> typing.Dict[str, str]:
    """The frozen profiles, oldest first, each with one line on which torch releases it stands for."""
    found = {}
    for i in range(lib.fanin_profile_count()):
        profile = lib.fanin_profile_at(i)
        found[lib.fanin_profile_name(profile).decode()] = lib.fanin_profile_description(profile).decode()
    return found


def parse_profile(name: str) -> int:
    """The library's number of a profile: "torch", "torch-2.13", "torch-2.6", each with an optional ":unfused"."""
    if not isinstance(name, str):
        raise TypeError("a profile is named by a string such as \"torch-2.13\", not by %s" % type(name).__name__)
    profile = ctypes.c_uint32()
    _lib.call(lib.fanin_profile_parse, name.encode("utf-8", "surrogateescape"), ctypes.byref(profile))
    return profile.value


def as_seed(seed: int) -> int:
    """A seed as torch takes it, in [-2^63, 2^64), as its 64 bits."""
    try:
        value = operator.index(seed)
    except TypeError:
        raise TypeError("a seed is an integer, not %s" % type(seed).__name__) from None
    if not -(2**63) <= value < 2**64:
        raise ValueError("seed %d lies outside of [-2^63, 2^64)" % value)
    return value % 2**64


class Generator:
    """`torch.Generator().manual_seed(seed)`: MT19937 with the normal that the scalar path of `normal_` keeps.

    seed: integer in [-2^63, 2^64); as in torch a negative one counts modulo 2^64, and only the low 32 bits reach the
        engine.
    profile: which torch's bits: "torch" is the newest, "torch-2.6" names a release (see `fanin.profiles()`).
    Raises TypeError for a seed that is no integer, ValueError for one out of range, fanin.ArgumentError (a ValueError)
    for an unknown profile, fanin.UnsupportedError for a torch before 1.13.

    A generator may be used from several threads; a fill holds it from its first draw to its last. Which thread comes
    first is not determined: give each thread its own where the values have to be the same again.
    """

    __slots__ = ("_c", "_lock", "_pid", "__weakref__")

    def __init__(self, seed: int, profile: str = "torch"):
        self._c = lib.fanin_generator_create(parse_profile(profile), as_seed(seed))
        self._lock = threading.RLock()
        self._pid = os.getpid()

    @contextlib.contextmanager
    def _borrow(self) -> typing.Iterator[_lib.Generator]:
        """The struct, for as long as nobody else draws from it."""
        if self._pid != os.getpid():
            # The thread that held the lock when this process was forked is not here to release it.
            self._lock, self._pid = threading.RLock(), os.getpid()
        with self._lock:
            yield self._c

    @property
    def profile(self) -> str:
        """The frozen name of the profile: "torch-2.13" for "torch"."""
        return lib.fanin_profile_name(self._c.profile).decode()

    def manual_seed(self, seed: int) -> "Generator":
        """Starts again from `seed`, without a cached normal. Returns the generator, as torch does."""
        with self._borrow() as c:
            ctypes.pointer(c)[0] = lib.fanin_generator_create(c.profile, as_seed(seed))
        return self

    def initial_seed(self) -> int:
        """The seed as it was given, all 64 bits."""
        return self._c.seed

    def random(self) -> int:
        """One draw: 32 bits (torch's `random()`)."""
        with self._borrow() as c:
            return lib.fanin_generator_u32(c)

    def random64(self) -> int:
        """Two draws: 64 bits, the first draw above the second (torch's `random64()`)."""
        with self._borrow() as c:
            return lib.fanin_generator_u64(c)

    def skip(self, ndraws: int) -> None:
        """Leaves out `ndraws` 32-bit draws, in time that does not grow with their number. The cached normal stays."""
        count = operator.index(ndraws)
        if not 0 <= count < _MAX_NWORDS:
            raise ValueError("skip takes 0 to 2^64 - 1 draws, not %d" % count)
        with self._borrow() as c:
            lib.fanin_generator_skip(c, count)

    def get_state(self) -> bytes:
        """`torch.Generator.get_state()`: 5056 bytes, the same as torch's."""
        state = ctypes.create_string_buffer(_lib.TORCH_STATE_NBYTES)
        with self._borrow() as c:
            lib.fanin_generator_get_torch_state(c, state)
        return state.raw

    def set_state(self, state: typing.Any) -> None:
        """`torch.Generator.set_state()`. The profile stays.

        state: 5056 bytes, as `bytes` or anything with the buffer protocol (`torch.get_rng_state().numpy()`).
        Raises ValueError (`fanin.FormatError` or `fanin.ArgumentError`) for what torch refuses; nothing changes then.
        """
        try:
            data = bytes(memoryview(state))
        except TypeError:
            raise TypeError("a state is %d bytes, as bytes or a uint8 array, not %s"
                            % (_lib.TORCH_STATE_NBYTES, type(state).__name__)) from None
        with self._borrow() as c:
            _lib.call(lib.fanin_generator_set_torch_state, c, data, len(data))

    def copy(self) -> "Generator":
        """Another generator in the same state."""
        other = Generator.__new__(Generator)
        other._lock, other._pid = threading.RLock(), os.getpid()
        with self._borrow() as c:
            other._c = _lib.Generator.from_buffer_copy(c)
        return other

    __copy__ = copy

    def __deepcopy__(self, memo: dict) -> "Generator":
        return self.copy()

    def __reduce__(self) -> tuple:
        return _restore, (self.profile, self.get_state())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generator):
            return NotImplemented
        return self.profile == other.profile and self.get_state() == other.get_state()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "fanin.Generator(seed=%d, profile=%r)" % (self.initial_seed(), self.profile)


def _restore(profile: str, state: bytes) -> Generator:
    generator = Generator(0, profile)
    generator.set_state(state)
    return generator
