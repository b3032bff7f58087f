# SPDX-License-Identifier: MIT
"""What a recording changes in torch while it runs: reads of memory that pass by the dispatcher are caught, and
trunc_normal_, whose rounds read values, becomes one operation."""

from __future__ import annotations

import sys
import types
from typing import Any, Optional, Set

import torch
from torch.overrides import TorchFunctionMode

from ._record import Recorder, where_called


def _is_pickling() -> bool:
    """Whether a tensor's storage is asked for in order to save it; torch.save takes a way past function modes."""
    frame: Any = sys._getframe(2)
    for _ in range(4):
        if frame is None:
            return False
        if frame.f_code is torch.Tensor._reduce_ex_internal.__code__:
            return True
        frame = frame.f_back
    return False


class ReadGuard(TorchFunctionMode):
    """Refuses the reads of memory that pass by the dispatcher."""

    _reads: Set[Any] = {
        torch.Tensor.tolist,
        torch.Tensor.numpy,
        torch.Tensor.data_ptr,
        torch.Tensor.__array__,
        torch.Tensor.__dlpack__,
        torch.Tensor.__reduce_ex__,
        torch.Tensor.storage,
        torch.Tensor.__repr__,
        torch.Tensor.__format__,
    }

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, kinds: Any, args: Any = (), kwargs: Any = None) -> Any:
        if args and isinstance(args[0], torch.Tensor):
            recorder = self._recorder
            if func is torch.Tensor.share_memory_ and recorder.is_hollow(args[0]) and not recorder.eager:
                return args[0]
            read = func in self._reads or (func is torch.Tensor.untyped_storage and _is_pickling())
            if read and recorder.is_hollow(args[0]) and not recorder.make_real([args[0]]):
                recorder.values_read(
                    "%s: the values of a random tensor are read (%s)" % (where_called(), func.__name__)
                )
        return func(*args, **(kwargs or {}))


# ---- trunc_normal_ ----

_library: Optional[torch.library.Library] = None


def _original_trunc_normal() -> Any:
    function = torch.nn.init._no_grad_trunc_normal_
    return types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def _define_trunc_normal() -> None:
    """The operation fanin::trunc_normal_; a library of definitions can be made once in a process."""
    global _library
    if _library is not None:
        return
    _library = torch.library.Library("fanin", "DEF")
    _library.define(
        "trunc_normal_(Tensor(a!) self, float mean, float std, float a, float b, Generator? generator=None) -> Tensor(a!)",
        tags=(torch.Tag.nondeterministic_seeded,),
    )
    original = _original_trunc_normal()

    def on_cpu(
        self: torch.Tensor, mean: float, std: float, a: float, b: float, generator: Optional[torch.Generator] = None
    ) -> torch.Tensor:
        original(self, mean, std, a, b, generator)
        return self

    _library.impl("trunc_normal_", on_cpu, "CPU")


def _hook(tensor, mean, std, a, b, generator=None):  # type: ignore[no-untyped-def]
    import torch

    if tensor.is_meta:
        return tensor
    with torch.no_grad():
        torch.ops.fanin.trunc_normal_(tensor, float(mean), float(std), float(a), float(b), generator)
    return tensor


class recording:
    """Context: runs what is inside under a recorder, with torch's trunc_normal_ as one operation.

    The function object is the same under all its names, so its code is exchanged, not its name in some module.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._guard = ReadGuard(recorder)

    def __enter__(self) -> Recorder:
        _define_trunc_normal()
        function = torch.nn.init._no_grad_trunc_normal_
        self._code = function.__code__
        function.__code__ = _hook.__code__
        self._recorder.__enter__()
        self._guard.__enter__()
        return self._recorder

    def __exit__(self, *exception: Any) -> None:
        self._guard.__exit__(*exception)
        self._recorder.__exit__(*exception)
        torch.nn.init._no_grad_trunc_normal_.__code__ = self._code
