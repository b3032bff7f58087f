# SPDX-License-Identifier: MIT
"""Recognizes what orthogonal_ does: a QR factorization whose signs are taken from R into Q.

The factors themselves depend on the library that makes them; their product with the signs does not, so this and
nothing less is an operation of the plan format.
"""

from __future__ import annotations

from typing import Dict, List, Optional, Set

import torch

from ._plan_ops import Meaning, arguments_of
from ._tape import Op, Tape, View


def _name(op: Optional[Op]) -> str:
    return "" if op is None or op.func is None else str(op.func._schema.name)


class _Writers:
    """The last operation on each storage, as the tape goes on."""

    def __init__(self) -> None:
        self._last: Dict[int, int] = {}

    def passed(self, index: int, op: Op) -> None:
        self._last[op.dst.storage] = index

    def of(self, tape: Tape, view: object, name: str) -> Optional[Op]:
        """The operation that made just this view, if it is the last on its storage and has this name."""
        index = self.index(view)
        op = tape.ops[index] if index >= 0 else None
        return op if op is not None and op.dst == view and op.overwrites and _name(op) == name else None

    def index(self, view: object) -> int:
        return self._last.get(view.storage, -1) if isinstance(view, View) else -1


def _factored(tape: Tape, op: Op, writers: _Writers) -> Optional[View]:
    """A, where `op` multiplies Q of A = Q R in place by the signs of R's diagonal."""
    if _name(op) != "aten::mul_" or not isinstance(op.dst, View) or len(op.dst.sizes) != 2:
        return None
    found = arguments_of(op)
    q = writers.of(tape, found["self"], "aten::linalg_qr")
    sign = writers.of(tape, found["other"], "aten::sign")
    if q is None or sign is None or found["self"] != op.dst or q.out != 0:
        return None
    diagonal = writers.of(tape, arguments_of(sign)["self"], "aten::diagonal_copy")
    if diagonal is None:
        return None
    taken = arguments_of(diagonal)
    r = writers.of(tape, taken["self"], "aten::linalg_qr")
    if r is None or r.out != 1 or (taken["offset"], taken["dim1"], taken["dim2"]) != (0, 0, 1):
        return None
    a, mode = arguments_of(q)["A"], arguments_of(q)["mode"]
    is_one_call = q.args == r.args and q.kwargs == r.kwargs and writers.index(q.dst) + 1 == writers.index(r.dst)
    if not is_one_call or mode != "reduced" or not isinstance(a, View):
        return None
    is_known = a.dtype in (torch.float32, torch.float64) and a.sizes == op.dst.sizes and a.sizes[0] >= a.sizes[1]
    # What it was made of must be there still.
    return a if is_known and writers.index(a) < writers.index(q.dst) else None


def recognize_qr(tape: Tape, meanings: List[Optional[Meaning]]) -> None:
    """Replaces the multiplications that end such a sequence; lowering leaves out what only they needed."""
    dtypes: Dict[int, Set[torch.dtype]] = {}
    for view in [op.dst for op in tape.ops] + [name.value for name in tape.names if isinstance(name.value, View)]:
        dtypes.setdefault(view.storage, set()).add(view.dtype)
    writers = _Writers()
    for i, op in enumerate(tape.ops):
        a = _factored(tape, op, writers)
        if a is not None and dtypes.get(a.storage) == dtypes.get(op.dst.storage) == {a.dtype}:
            func = torch.ops.aten.linalg_qr.default
            tape.ops[i] = Op(func, (a,), {}, op.dst, 0, True, None, op.where, op.refused)
            meanings[i] = Meaning("qr", {}, {"src": a}, True)
        writers.passed(i, op)
