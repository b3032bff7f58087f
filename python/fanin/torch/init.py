# SPDX-License-Identifier: MIT
"""torch.nn.init once more: the same functions, signatures, defaults, warnings, errors, bytes and generator states, made
by fanin where it is faster.

fanin's are float32, float64, bfloat16 and float16 tensors on the CPU in any dense layout (table in docs/python.md);
everything else, and what a mode, a transform or a tracer is to see, goes to torch's own functions. So do `constant_`,
`ones_`, `zeros_`, `eye_`, `dirac_`, `orthogonal_`, `sparse_` and `calculate_gain`, which torch makes well enough.
"""

import functools
import math
import typing
import warnings

import torch
from torch.nn import init as _torch_init

from . import _engine

Tensor = torch.Tensor
_Generator = typing.Optional[torch.Generator]

# Bound now: these names of torch's may become ours (`torch.nn.init.normal_ = fanin.torch.init.normal_`).
_originals = {name: getattr(_torch_init, name)
              for name in ("uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_",
                           "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_")}

calculate_gain = _torch_init.calculate_gain
constant_ = _torch_init.constant_
ones_ = _torch_init.ones_
zeros_ = _torch_init.zeros_
eye_ = _torch_init.eye_
dirac_ = _torch_init.dirac_
_calculate_fan_in_and_fan_out = _torch_init._calculate_fan_in_and_fan_out
_calculate_correct_fan = _torch_init._calculate_correct_fan

__all__ = ["calculate_gain", "uniform_", "normal_", "trunc_normal_", "constant_", "ones_", "zeros_", "eye_", "dirac_",
           "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_", "orthogonal_", "sparse_",
           "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform",
           "kaiming_normal", "orthogonal", "sparse"]


def __getattr__(name: str) -> typing.Any:
    """What else torch.nn.init has."""
    return getattr(_torch_init, name)


def _original(name, *arguments):
    # Without the lock: what looks for the name may be anybody's code, and compilers do not know locks.
    return _originals[name](*arguments)


def _is_torchs(tensor, generator):
    """Whether torch's own function has to do it: tracers, modes and subclasses look for its name."""
    return torch.compiler.is_compiling() or not _engine.is_plain(tensor, generator)


def _fill(kind, method, tensor, values, generator):
    """One of torch's in-place methods, made by fanin where the tensor is large enough to gain."""
    with _engine.lock:
        if tensor.numel() >= _engine.MIN_NELEM and _engine.are_numbers(*values) and \
                _engine.draw(tensor, kind, values, generator):
            torch.autograd.graph.increment_version(tensor)
            return tensor
        _engine.reach_of(tensor)  # only for what it raises
        with torch.no_grad():
            return getattr(tensor, method)(*values, generator=generator)


def _uniform(tensor, a, b, generator):
    return _fill(_engine.UNIFORM, "uniform_", tensor, (a, b), generator)


def _normal(tensor, mean, std, generator):
    return _fill(_engine.NORMAL, "normal_", tensor, (mean, std), generator)


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: _Generator = None) -> Tensor:
    """U[a, b), as `torch.nn.init.uniform_`. Any shape.

    Raises RuntimeError as torch: a > b, bounds that the dtype cannot hold, elements that share memory.
    """
    if _is_torchs(tensor, generator):
        return _original("uniform_", tensor, a, b, generator)
    return _uniform(tensor, a, b, generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: _Generator = None) -> Tensor:
    """N(mean, std^2), as `torch.nn.init.normal_`. Any shape. Raises RuntimeError as torch: std < 0."""
    if _is_torchs(tensor, generator):
        return _original("normal_", tensor, mean, std, generator)
    return _normal(tensor, mean, std, generator)


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: _Generator = None) -> Tensor:
    """N(mean, std^2), values outside of [a, b] drawn again, as `torch.nn.init.trunc_normal_`. Any shape.

    Warns as torch where mean is more than 2 std outside of [a, b]. Raises ValueError where torch would go on for ever.
    """
    if _is_torchs(tensor, generator):
        return _original("trunc_normal_", tensor, mean, std, a, b, generator)
    with _engine.lock:
        if not _engine.trunc_normal_(tensor, mean, std, a, b, generator):
            return _originals["trunc_normal_"](tensor, mean, std, a, b, generator)
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                      "The distribution of values may be incorrect.", stacklevel=2)
    return tensor


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: _Generator = None) -> Tensor:
    """U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)), as `torch.nn.init.xavier_uniform_`; Glorot & Bengio 2010, eq. 16.

    Raises ValueError below 2 dimensions.
    """
    if _is_torchs(tensor, generator):
        return _original("xavier_uniform_", tensor, gain, generator)
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    return _uniform(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: _Generator = None) -> Tensor:
    """N(0, std^2), std = gain sqrt(2 / (fan_in + fan_out)), as `torch.nn.init.xavier_normal_`; Glorot & Bengio 2010.

    Raises ValueError below 2 dimensions.
    """
    if _is_torchs(tensor, generator):
        return _original("xavier_normal_", tensor, gain, generator)
    return _normal(tensor, 0.0, _xavier_std(tensor, gain), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: _Generator = None) -> Tensor:
    """U(-b, b), b = gain sqrt(3 / fan), as `torch.nn.init.kaiming_uniform_`; He et al. 2015, eq. 10 and 14.

    Raises ValueError below 2 dimensions and for an unknown mode or nonlinearity; warns, and does nothing, where there
    are no elements.
    """
    if _is_torchs(tensor, generator):
        return _original("kaiming_uniform_", tensor, a, mode, nonlinearity, generator)
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return _uniform(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: _Generator = None) -> Tensor:
    """N(0, std^2), std = gain / sqrt(fan), as `torch.nn.init.kaiming_normal_`; He et al. 2015.

    Raises and warns as `kaiming_uniform_`.
    """
    if _is_torchs(tensor, generator):
        return _original("kaiming_normal_", tensor, a, mode, nonlinearity, generator)
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else _normal(tensor, 0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: _Generator = None) -> Tensor:
    """A (semi-)orthogonal matrix times gain: `torch.nn.init.orthogonal_` itself, whose bits are its LAPACK's; Saxe et
    al. 2013."""
    return _original("orthogonal_", tensor, gain, generator)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: _Generator = None) -> Tensor:
    """N(0, std^2) with ceil(sparsity * rows) zeros in each column: `torch.nn.init.sparse_` itself; Martens 2010."""
    return _original("sparse_", tensor, sparsity, std, generator)


# The order of operations is torch's: another one rounds otherwise.
def _xavier_std(tensor, gain):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def _kaiming_std(tensor, a, mode, nonlinearity):
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def _deprecated(function):
    """The name without the underscore, which torch keeps for old code."""
    name = function.__name__

    @functools.wraps(function)
    def alias(*arguments, **named):
        warnings.warn("`nn.init.%s` is now deprecated in favor of `nn.init.%s`." % (name[:-1], name), FutureWarning,
                      stacklevel=2)
        return function(*arguments, **named)

    alias.__name__ = alias.__qualname__ = name[:-1]
    alias.__doc__ = "Deprecated: the old name of `%s`." % name
    return alias


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
