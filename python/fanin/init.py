# SPDX-License-Identifier: MIT
"""torch.nn.init for arrays: the same names, the same formulas, the same bytes, in place and without a copy.

`array` is anything that `fanin.view` takes: NumPy arrays, torch tensors on the CPU, DLPack 1.0, the buffer protocol; or
a view that `fanin.view(array, dtype=..., layout=..., groups=...)` made, which says what the bytes are and which axes
are the fans. Each function fills the whole array and returns it. Random ones take float64, float32, bfloat16 and
float16 and draw from `generator`, a `fanin.Generator`, exactly what torch would draw; the others take every dtype.

All raise fanin.ArrayError (a TypeError) for what cannot be written, fanin.DtypeError (a TypeError), fanin.ShapeError
and fanin.ArgumentError (ValueErrors) for what torch refuses; array and generator are then as they were. UserWarnings
are torch's.
"""

import ctypes
import typing
import warnings

from . import _lib, _tensor, _threads
from ._lib import lib
from .errors import ArgumentError
from .generator import Generator

__all__ = ["calculate_gain", "uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_",
           "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_", "fill_",
           "randperm"]

_Array = typing.TypeVar("_Array")
_STACKLEVEL = 5  # from warnings.warn, by _lib.call, _run and _initialize, to the caller of a function here


def uniform_(array: _Array, a: float = 0.0, b: float = 1.0, *, generator: Generator) -> _Array:
    """Values of U[a, b). Errors: a > b, b - a beyond the dtype, bounds that are infinite or NaN."""
    return _initialize("uniform", array, _checked(generator), {"a": a, "b": b})


def normal_(array: _Array, mean: float = 0.0, std: float = 1.0, *, generator: Generator) -> _Array:
    """Values of N(mean, std^2). Errors: std negative or NaN."""
    return _initialize("normal", array, _checked(generator), {"mean": mean, "std": std})


def trunc_normal_(array: _Array, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, *,
                  generator: Generator) -> _Array:
    """Values of N(mean, std^2), those outside of [a, b] drawn again. a and b are values, not multiples of std.

    From torch 2.12 on by rejection, before by the inverse of the distribution. Errors: std <= 0 or not finite, bounds
    that `uniform_` refuses, parameters under which torch would draw more than 1e5 rounds. Warning: mean more than 2 std
    outside of [a, b].
    """
    return _initialize("trunc_normal", array, _checked(generator), {"mean": mean, "std": std, "a": a, "b": b})


def constant_(array: _Array, val: float) -> _Array:
    """`val` everywhere, in any dtype. Error: a finite value that the dtype cannot hold."""
    return _initialize("constant", array, None, {"val": val})


def ones_(array: _Array) -> _Array:
    """1 everywhere, in any dtype."""
    return _initialize("ones", array, None, {})


def zeros_(array: _Array) -> _Array:
    """0 everywhere, in any dtype."""
    return _initialize("zeros", array, None, {})


def eye_(array: _Array) -> _Array:
    """The identity, for 2 dimensions, square or not, in any dtype."""
    return _initialize("eye", array, None, {})


def dirac_(array: _Array, groups: int = 1) -> _Array:
    """The Dirac delta, which lets a convolution pass its input through; 3 to 5 dimensions, any dtype.

    Errors: shape[0] not divisible by groups, groups < 1.
    """
    return _initialize("dirac", array, None, {"groups": groups})


def xavier_uniform_(array: _Array, gain: float = 1.0, *, generator: Generator) -> _Array:
    """U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)); 2 dimensions or more. Glorot & Bengio 2010, eq. 16."""
    return _initialize("xavier_uniform", array, _checked(generator), {"gain": gain})


def xavier_normal_(array: _Array, gain: float = 1.0, *, generator: Generator) -> _Array:
    """N(0, std^2) with std = gain sqrt(2 / (fan_in + fan_out)); 2 dimensions or more. Glorot & Bengio 2010."""
    return _initialize("xavier_normal", array, _checked(generator), {"gain": gain})


def kaiming_uniform_(array: _Array, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                     generator: Generator) -> _Array:
    """U(-bound, bound) with bound = gain(nonlinearity, a) sqrt(3 / fan); 2 dimensions or more. He et al. 2015.

    a: the negative slope of leaky_relu. mode: "fan_in" or "fan_out". nonlinearity: see `calculate_gain`.
    An array without elements is left alone, with a warning.
    """
    return _initialize("kaiming_uniform", array, _checked(generator), {"a": a, "mode": mode, "nonlinearity": nonlinearity})


def kaiming_normal_(array: _Array, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", *,
                    generator: Generator) -> _Array:
    """N(0, std^2) with std = gain(nonlinearity, a) / sqrt(fan); 2 dimensions or more. He et al. 2015.

    Parameters as in `kaiming_uniform_`.
    """
    return _initialize("kaiming_normal", array, _checked(generator), {"a": a, "mode": mode, "nonlinearity": nonlinearity})


def orthogonal_(array: _Array, gain: float = 1.0, *, generator: Generator) -> _Array:
    """A (semi-)orthogonal matrix times gain, the array read as [shape[0], rest]; Saxe et al. 2013. float32 and float64.

    torch's draws and its result within rounding, not its bits, which depend on its LAPACK; these are the same on every
    machine.
    """
    return _initialize("orthogonal", array, _checked(generator), {"gain": gain})


def sparse_(array: _Array, sparsity: float, std: float = 0.01, *, generator: Generator) -> _Array:
    """N(0, std^2) with ceil(sparsity * rows) zeros in every column; 2 dimensions. Martens 2010."""
    return _initialize("sparse", array, _checked(generator), {"sparsity": sparsity, "std": std})


def fill_(array: _Array, call: str, *, generator: typing.Optional[Generator] = None) -> _Array:
    """An initializer as text, with expressions: "kaiming_uniform(a=sqrt(5))", "normal(0, 0.02 / sqrt(24))", "zeros".

    generator may be left out for what draws nothing.
    """
    if not isinstance(call, str):
        raise TypeError("an initializer is text such as \"normal(0, 0.02)\", not %s" % type(call).__name__)
    parsed = _lib.Call()
    _lib.call(lib.fanin_call_parse, call.encode("utf-8", "surrogateescape"), None, 0, ctypes.byref(parsed))
    return _run(parsed, array, generator, _STACKLEVEL - 1)


def calculate_gain(nonlinearity: str, param: typing.Optional[float] = None) -> float:
    """The gain for a nonlinearity: 1 for "linear", "sigmoid" and convolutions, 5/3 for "tanh", sqrt(2) for "relu",
    sqrt(2 / (1 + param^2)) for "leaky_relu" (param 0.01 unless given), 3/4 for "selu". Errors: any other word."""
    if not isinstance(nonlinearity, str):
        raise TypeError("a nonlinearity is a word such as \"relu\", not %s" % type(nonlinearity).__name__)
    slope = None if param is None else ctypes.byref(ctypes.c_double(_number("param", param)))
    code = lib.fanin_nonlinearity_from_name(nonlinearity.encode("utf-8", "surrogateescape"))
    if lib.fanin_nonlinearity_name(code) is None:
        raise ArgumentError("there is no nonlinearity %r; write one of linear, conv1d, conv2d, conv3d, "
                            "conv_transpose1d, conv_transpose2d, conv_transpose3d, sigmoid, tanh, relu, leaky_relu, selu"
                            % nonlinearity)
    gain = ctypes.c_double()
    _lib.call(lib.fanin_calculate_gain, code, slope, ctypes.byref(gain))
    return gain.value


def randperm(array: _Array, *, generator: Generator) -> _Array:
    """`torch.randperm(n)` into a contiguous int64 array of n elements."""
    view = _tensor.as_view(array)
    if view.dtype != "i64" or not lib.fanin_tensor_is_contiguous(view._c) or len(view.shape) != 1:
        raise ArgumentError("randperm takes a contiguous int64 array of one dimension, not %r" % view)
    with _checked(generator)._borrow() as c:
        _lib.call(lib.fanin_randperm, ctypes.cast(view._c.data, ctypes.POINTER(ctypes.c_int64)), view.shape[0], c)
    if view._written is not None:
        view._written()
    return array


# -- How it is done ---------------------------------------------------------------------------------------------------


def _number(name, value):
    if isinstance(value, (str, bytes)):
        raise TypeError("%s is a number, not %r; text with expressions is for fanin.init.fill_" % (name, value))
    try:
        return float(value)
    except (TypeError, OverflowError):
        raise TypeError("%s is a number, not %s" % (name, type(value).__name__)) from None


def _checked(generator):
    if not isinstance(generator, Generator):
        raise TypeError("generator is a fanin.Generator, such as fanin.Generator(42), not %s" % type(generator).__name__)
    return generator


def _initialize(name, array, generator, parameters):
    parsed = _lib.Call()
    _lib.call(lib.fanin_call_begin, name.encode(), ctypes.byref(parsed))
    for key, value in parameters.items():
        if key in ("mode", "nonlinearity"):
            if not isinstance(value, str):
                raise TypeError("%s is a word, not %s" % (key, type(value).__name__))
            text, number = value.encode("utf-8", "surrogateescape"), 0.0
        else:
            text, number = None, _number(key, value)
        _lib.call(lib.fanin_call_set, ctypes.byref(parsed), key.encode(), text, number, None, 0)
    return _run(parsed, array, generator, _STACKLEVEL)


def _run(parsed, array, generator, stacklevel):
    view = _tensor.as_view(array)
    _lib.call(lib.fanin_call_finish, ctypes.byref(parsed))
    resolved = _lib.Resolved()
    _lib.call(lib.fanin_call_resolve, ctypes.byref(parsed), ctypes.byref(view._c), ctypes.byref(resolved),
              stacklevel=stacklevel)
    pool = _threads.current_pool()
    arguments = ctypes.byref(resolved.fill), ctypes.byref(view._c)
    if generator is None:
        _lib.call(lib.fanin_fill_run_parallel, *arguments, None, pool.pointer, stacklevel=stacklevel)
    else:
        with _checked(generator)._borrow() as c:
            _lib.call(lib.fanin_fill_run_parallel, *arguments, ctypes.byref(c), pool.pointer, stacklevel=stacklevel)
    if view._written is not None:
        view._written()
    if resolved.warning:
        warnings.warn(resolved.warning.decode(), UserWarning, stacklevel=stacklevel - 1)
    return array
