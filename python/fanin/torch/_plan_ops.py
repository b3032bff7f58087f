# SPDX-License-Identifier: MIT
"""What an operation of the tape is called in a plan.

Fills, copies and arithmetic that the plan format knows get its names; anything else is written as torch's own
operation with its arguments, which C refuses per tensor and materialize gives to torch.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

import torch

from ._tape import Constant, Op, Tape, View, tensor_of_bytes
from ._words import is_random_dtype

DTYPES = {
    torch.bool: "bool",
    torch.uint8: "u8",
    torch.int8: "i8",
    torch.int16: "i16",
    torch.uint16: "u16",
    torch.int32: "i32",
    torch.uint32: "u32",
    torch.int64: "i64",
    torch.uint64: "u64",
    torch.float16: "f16",
    torch.bfloat16: "bf16",
    torch.float32: "f32",
    torch.float64: "f64",
    torch.complex64: "c64",
    torch.float8_e5m2: "f8_e5m2",
    torch.float8_e4m3fn: "f8_e4m3",
    torch.float8_e4m3fnuz: "f8_e4m3fnuz",
    torch.float8_e5m2fnuz: "f8_e5m2fnuz",
}
if hasattr(torch, "float8_e8m0fnu"):  # from torch 2.7 on
    DTYPES[torch.float8_e8m0fnu] = "f8_e8m0"
TORCH_DTYPES = {name: dtype for dtype, name in DTYPES.items()}

Source = Union[View, Constant]


class Meaning(NamedTuple):
    """An operation of the plan format: its name, its numbers, the tensors it reads by key, what it sums over."""

    op: str
    numbers: Dict[str, Any]
    sources: Dict[str, Source]
    host: bool = False
    dims: Optional[Tuple[int, ...]] = None  # of a norm; it reads its source in the source's own shape


_UNARY = {
    "exp": "exp",
    "log": "log",
    "expm1": "expm1",
    "log1p": "log1p",
    "erfinv": "erfinv",
    "special_erfinv": "erfinv",
    "neg": "neg",
    "sqrt": "sqrt",
    "sign": "sign",
    "sgn": "sign",
}
_BINARY = {"add", "sub", "mul", "div"}
# Rounded once by IEEE 754 in f32 and f64, so that C's bits are torch's.
_EXACT = {"neg", "sqrt", "sign", "add", "sub", "mul", "div", "clamp"}


def arguments_of(op: Op) -> Dict[str, Any]:
    """Arguments by their names, defaults filled in."""
    found: Dict[str, Any] = {}
    for i, argument in enumerate(op.func._schema.arguments):
        if i < len(op.args):
            found[argument.name] = op.args[i]
        elif argument.name in op.kwargs:
            found[argument.name] = op.kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


def meaning_of(op: Op, tape: Tape) -> Optional[Meaning]:
    """None where the plan format has no such operation."""
    if op.func is None:
        return Meaning("copy", {}, {"src": op.args[0]})
    schema = op.func._schema.name
    base = schema.split("::")[1]
    arguments = arguments_of(op)
    if op.draw is not None:
        return _random(schema, base, op, arguments)
    rule = _RULES.get(base)
    if rule is not None:
        return rule(op, arguments, tape)
    name = base[:-1] if base.endswith("_") else base
    if base.startswith("clamp"):
        return _clamp(op, arguments, tape)
    if name in _UNARY:
        return _arithmetic(_UNARY[name], op, {"src": arguments.get("self")}, {}, tape)
    if name in _BINARY:
        if arguments.get("alpha", 1) != 1 or arguments.get("rounding_mode") is not None:
            return None
        other = _number(arguments.get("other"), op.dst.dtype, tape)
        if isinstance(other, (View, Constant)):
            return _arithmetic(name, op, {"src": arguments["self"], "other": other}, {}, tape)
        return _arithmetic(name, op, {"src": arguments["self"]}, {"other": other}, tape)
    return None


def _random(schema: str, base: str, op: Op, arguments: Dict[str, Any]) -> Optional[Meaning]:
    if not is_random_dtype(op.dst.dtype):
        return None
    overload = op.func._overloadname
    if schema == "fanin::trunc_normal_":
        return Meaning("trunc_normal", {k: float(arguments[k]) for k in ("mean", "std", "a", "b")}, {})
    if base == "normal_" or (base == "normal" and overload == "float_float"):
        return Meaning("normal", {k: float(arguments[k]) for k in ("mean", "std")}, {})
    if base == "uniform_":
        return Meaning("uniform", {k: float(arguments[k]) for k in ("from", "to")}, {})
    if base in ("randn", "randn_like") and overload != "out":
        return Meaning("normal", {"mean": 0.0, "std": 1.0}, {})
    if base in ("rand", "rand_like") and overload != "out":
        return Meaning("uniform", {"from": 0.0, "to": 1.0}, {})
    return None


def _copy(op: Op, arguments: Dict[str, Any], tape: Tape) -> Optional[Meaning]:
    source = arguments["src"] if "src" in arguments else arguments["self"]
    if isinstance(source, Constant):
        return Meaning("copy", {}, {"src": source})
    if op.dst.dtype.is_complex != source.dtype.is_complex:
        return None
    return Meaning("copy" if source.dtype is op.dst.dtype else "cast", {}, {"src": source})


def _fill(op: Op, arguments: Dict[str, Any], tape: Tape) -> Optional[Meaning]:
    value = arguments.get("value", 0)
    if isinstance(value, View):
        return Meaning("copy" if value.dtype is op.dst.dtype else "cast", {}, {"src": value})
    if isinstance(value, Constant):
        value = tensor_of_bytes(tape.constants[value.key], value.dtype, ()).item()
    # As torch rounds it; the constant's bytes decide, not the number.
    one = torch.empty((), dtype=op.dst.dtype).fill_(value)
    return Meaning("copy", {}, {"src": tape.add_constant(one)})


def _norm(op: Op, arguments: Dict[str, Any], tape: Tape) -> Optional[Meaning]:
    """Euclidean norms; of other orders the plan format has none."""
    source = arguments.get("self", arguments.get("x"))
    order = arguments.get("p", arguments.get("ord"))
    dtype = op.dst.dtype
    if not isinstance(source, View) or source.dtype is not dtype or not is_random_dtype(dtype):
        return None
    if not (order is None or (isinstance(order, (int, float)) and order == 2)):
        return None
    if source.numel * dtype.itemsize > tape.storages[source.storage].nbytes:
        return None  # expanded: C refuses to read elements twice
    ndim, dims = len(source.sizes), arguments.get("dim")
    dims = [dims] if isinstance(dims, int) else list(dims or range(ndim))
    summed = sorted({dim % ndim for dim in dims} if ndim else ())
    return Meaning("norm", {}, {"src": source}, True, tuple(summed))


_RULES: Dict[str, Callable[[Op, Dict[str, Any], Tape], Optional[Meaning]]] = {
    "copy_": _copy,
    "clone": _copy,
    "_to_copy": _copy,
    "fill_": _fill,
    "zero_": _fill,
    "norm": _norm,
    "linalg_vector_norm": _norm,
}


def _clamp(op: Op, arguments: Dict[str, Any], tape: Tape) -> Optional[Meaning]:
    numbers: Dict[str, Any] = {}
    for key in ("min", "max"):
        value = _number(arguments.get(key), op.dst.dtype, tape)
        if isinstance(value, (View, Constant)):
            return None
        if value is not None:
            numbers[key] = value
    return _arithmetic("clamp", op, {"src": arguments["self"]}, numbers, tape)


def _number(value: Any, dtype: torch.dtype, tape: Tape) -> Any:
    """A scalar argument as a double, where it is one: a tensor of one element and the same dtype is."""
    if isinstance(value, Constant) and value.sizes == () and value.dtype is dtype and dtype.is_floating_point:
        return float(tensor_of_bytes(tape.constants[value.key], value.dtype, ()).item())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return value


def _arithmetic(name: str, op: Op, sources: Dict[str, Any], numbers: Dict[str, Any], tape: Tape) -> Optional[Meaning]:
    dtype = op.dst.dtype
    if not is_random_dtype(dtype):
        return None
    for source in sources.values():
        if not isinstance(source, (View, Constant)) or source.dtype is not dtype:
            return None
        if len(source.sizes) > len(op.dst.sizes):
            return None
    if not all(isinstance(number, float) for number in numbers.values()):
        return None
    host = name not in _EXACT or dtype not in (torch.float32, torch.float64)
    return Meaning(name, numbers, sources, host)


def tensors_in(value: Any, found: List[Source]) -> List[Source]:
    """Views and constants in arguments."""
    if isinstance(value, (View, Constant)):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for item in value:
            tensors_in(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            tensors_in(item, found)
    return found


def views_in(value: Any) -> List[View]:
    """Views in arguments: what an operation may read of storages."""
    return [found for found in tensors_in(value, []) if isinstance(found, View)]


def broadcast(source: Source, sizes: Tuple[int, ...]) -> View:
    """A view of a source's elements in the shape of what they are written to (constants: offset 0, contiguous)."""
    if isinstance(source, Constant):
        strides: List[int] = []
        step = 1
        for size in reversed(source.sizes):
            strides.insert(0, step)
            step *= size
        source = View(-1, 0, source.sizes, tuple(strides), source.dtype)
    missing = len(sizes) - len(source.sizes)
    own_sizes, own_strides = (1,) * missing + source.sizes, (0,) * missing + source.strides
    strides_out = tuple(0 if o == 1 and s != 1 else st for o, s, st in zip(own_sizes, sizes, own_strides))
    return View(source.storage, source.offset, sizes, strides_out, source.dtype)
