# SPDX-License-Identifier: MIT
"""accelerate(): while it is entered, torch's own normal_ and uniform_ on the CPU are fanin's, in code that knows nothing
of it. Process-wide, nestable, undone on any exit."""

import collections
import contextlib
import types
import typing
import warnings

import torch

from ..errors import UnsupportedError
from . import _engine


# The other kernels of aten that draw from a generator of the CPU, which stay torch's and take the lock of fills, so that
# none draws between the reading of a state and its writing back. What is not here is made of these (rand, dropout,
# randint, rrelu ...), or draws nothing on the CPU (the two that _scaled_dot_product_attention chooses from).
OTHERS_THAT_DRAW = (
    "_sample_dirichlet", "_standard_gamma", "bernoulli.out", "bernoulli_.Tensor", "bernoulli_.float", "binomial", "cauchy_",
    "exponential_", "geometric_", "log_normal_", "multinomial", "multinomial.out", "native_dropout", "normal.Tensor_Tensor",
    "normal.Tensor_Tensor_out", "normal.Tensor_float", "normal.Tensor_float_out", "normal.float_Tensor",
    "normal.float_Tensor_out", "poisson", "random_", "random_.from", "random_.to", "randperm.generator_out",
    "rrelu_with_noise", "rrelu_with_noise.out", "rrelu_with_noise_")


def _locked(original):
    lock, call = _engine.lock, original.call_boxed

    def draw(keyset, *arguments, **named):
        with lock:
            return call(keyset, *arguments, **named)

    return draw


class _Kernels:
    """The overrides, and what they replace."""

    def __init__(self):
        kernel_of = torch.library.get_kernel
        normal, uniform = (kernel_of("aten::" + name, "CPU").call_boxed for name in ("normal_", "uniform_"))
        lock, draw = _engine.lock, _engine.draw

        def normal_(keyset, tensor, mean=0.0, std=1.0, *, generator=None):
            with lock:
                if tensor.numel() < _engine.MIN_NELEM or \
                        not draw(tensor, _engine.NORMAL, (mean, std), generator):
                    return normal(keyset, tensor, mean, std, generator=generator)
                return tensor

        def uniform_(keyset, tensor, low=0.0, high=1.0, *, generator=None):
            with lock:
                if tensor.numel() < _engine.MIN_NELEM or \
                        not draw(tensor, _engine.UNIFORM, (low, high), generator):
                    return uniform(keyset, tensor, low, high, generator=generator)
                return tensor

        ours = {"normal_": normal_, "uniform_": uniform_}
        for name in OTHERS_THAT_DRAW:
            if _has_kernel("aten::" + name, "CPU"):  # an older torch may make it of others
                ours[name] = _locked(kernel_of("aten::" + name, "CPU"))
        self.library = torch.library.Library("aten", "IMPL")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch up to 2.14 says that an operator gets another kernel: it does
            for name, function in ours.items():
                self.library.impl(name, function, "CPU", with_keyset=True)
        # A thread that was on its way into one of these when it was taken back must still find it.
        _kept.append([kernel_of("aten::" + name, "CPU") for name in ours])

    def restore(self):
        self.library._destroy()


_has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
_kept: typing.Deque = collections.deque(maxlen=256)


class _TruncNormal:
    """trunc_normal_ is Python over masks of the whole tensor. Its many names (early imports, transformers' tables) are
    one function object, whose code is exchanged."""

    def __init__(self):
        self.function = torch.nn.init._no_grad_trunc_normal_
        self.code = self.function.__code__
        _originals[0] = types.FunctionType(self.code, self.function.__globals__, self.function.__name__,
                                           self.function.__defaults__, self.function.__closure__)
        self.function.__code__ = _no_grad_trunc_normal_.__code__

    def restore(self):
        if self.function.__code__ is _no_grad_trunc_normal_.__code__:  # not another's since
            self.function.__code__ = self.code


_originals: typing.List[typing.Any] = [None]


def _no_grad_trunc_normal_(tensor, mean, std, a, b, generator=None):
    # Runs with the globals of torch.nn.init.
    from fanin.torch._accelerate import trunc_normal_
    return trunc_normal_(tensor, mean, std, a, b, generator)


def trunc_normal_(tensor, mean, std, a, b, generator):
    """What torch.nn.init._no_grad_trunc_normal_ does while acceleration is on."""
    original = _originals[0]
    if not _active or torch.compiler.is_compiling() or not _engine.is_plain(tensor, generator):
        return original(tensor, mean, std, a, b, generator)
    with _engine.lock:
        if not _engine.trunc_normal_(tensor, mean, std, a, b, generator):
            return original(tensor, mean, std, a, b, generator)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                      "The distribution of values may be incorrect.", stacklevel=3)
    return tensor


_depth = 0
_active: typing.List[typing.Any] = []


def _enter():
    """Under the lock of fills, as _exit: one that is being made ends first."""
    global _depth
    with _engine.lock:
        if _depth == 0:
            if not hasattr(torch.library, "get_kernel"):
                raise UnsupportedError("torch %s has no torch.library.get_kernel, by which torch's own kernels are kept for "
                                       "what is not fanin's; accelerate() needs torch 2.11 or newer, fanin.torch.init "
                                       "does not" % torch.__version__)
            _engine.prepare()
            try:
                _active.append(_Kernels())
                _active.append(_TruncNormal())
            except BaseException:
                _restore()
                raise
        _depth += 1


def _exit():
    global _depth
    with _engine.lock:
        _depth -= 1
        if _depth == 0:
            _restore()


def _restore():
    while _active:
        _active.pop().restore()


class accelerate(contextlib.ContextDecorator):
    """While entered, code that is not yours makes its weights faster, with the same bytes and the same generators.

        with fanin.torch.accelerate():
            model = Model(config)

    `Tensor.normal_` and `Tensor.uniform_` on the CPU, and everything in torch that is made of them (`torch.randn`,
    `torch.nn.init`, module constructors), are computed by fanin on `torch.get_num_threads()` threads where the tensor is
    dense, of float32, float64, bfloat16 or float16, and has 3000 elements or more; the rest stays torch's. So is
    `torch.nn.init.trunc_normal_` for all sizes. It holds for the whole process, all its threads and the processes forked
    from it; it may be nested, entered from several threads, and used as a decorator, and is undone at the last exit,
    whatever the way out.

    Raises fanin.UnsupportedError, a NotImplementedError, where torch has no `torch.library.get_kernel` (it came with
    2.11).
    """

    def __enter__(self) -> "accelerate":
        _enter()
        return self

    def __exit__(self, *exception: typing.Any) -> None:
        _exit()
