# SPDX-License-Identifier: MIT
"""Lowering: from the tape to a plan.

Positions follow from the shapes of all draws, dead ones too; then what no saved tensor needs is dropped, from the end
to the begin, and what remains is written in the plan's words. Names that depend on what a plan cannot hold are refused
one by one, with the operation and the line that caused it.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set

from . import _intervals as intervals
from ._orthogonal import recognize_qr
from ._plan_ops import DTYPES, meaning_of, tensors_in, views_in
from ._positions import Placed, Position, place_draws
from ._tape import UNDEFINED, Draw, Op, Refused, Stream, Tape, View, reads_metadata_only
from ._write_plan import Writer, alone, write_op, write_tensor

PROFILE = "torch-2.13"


# ---- what is live, and what must be refused ----


def _bytes_of(view: View) -> intervals.Runs:
    size = view.dtype.itemsize
    begins, ends = intervals.runs_of(view.offset, view.sizes, view.strides)
    return begins * size, ends * size


def _reads_of(op: Op) -> List[View]:
    if op.func is not None and reads_metadata_only(op.name.split("::")[1]):
        return []
    found = views_in((op.args, op.kwargs))
    if op.overwrites:
        # The destination is among the arguments, but not read.
        for i, view in enumerate(found):
            if view == op.dst:
                del found[i]
                break
    return found


class _Reasons:
    """Which elements of which storage cannot be made, and why."""

    def __init__(self) -> None:
        self._defined: Dict[int, intervals.Runs] = {}
        self._bad: Dict[int, Dict[str, intervals.Runs]] = {}

    def of(self, view: View) -> Optional[str]:
        runs = _bytes_of(view)
        for reason, bad in self._bad.get(view.storage, {}).items():
            if intervals.intersect(bad, runs):
                return reason
        if not intervals.contains(self._defined.get(view.storage, intervals.EMPTY), runs):
            return UNDEFINED
        return None

    def write(self, view: View, reason: Optional[str], overwrites: bool) -> None:
        runs = _bytes_of(view)
        bad = self._bad.setdefault(view.storage, {})
        if overwrites:
            for key in list(bad):
                bad[key] = intervals.subtract(bad[key], runs)
        if reason is not None:
            bad[reason] = intervals.union(bad.get(reason, intervals.EMPTY), runs)
        defined = self._defined.get(view.storage, intervals.EMPTY)
        self._defined[view.storage] = intervals.union(defined, runs)


def _unknown_dtype(op: Op) -> Optional[str]:
    for found in (op.dst, *tensors_in((op.args, op.kwargs), [])):
        if found.dtype not in DTYPES:
            return "%s: plans have no dtype %s (%s)" % (op.where, found.dtype, op.name)
    return None


def _find_reasons(tape: Tape, placed: Dict[Draw, Placed], differing: Dict[int, str]) -> None:
    """Sets Name.refused; differing: operations (by index) whose numbers change with the seed."""
    reasons = _Reasons()
    for i, op in enumerate(tape.ops):
        reason = op.refused or differing.get(i)
        if reason is None and op.draw is not None:
            begin = placed[op.draw].begin
            reason = begin.lost or placed[op.draw].end.lost
        for view in _reads_of(op) if reason is None else ():
            reason = reasons.of(view)
            if reason is not None:
                break
        reasons.write(op.dst, reason or _unknown_dtype(op), op.overwrites)
    for name in tape.names:
        if name.refused is None and isinstance(name.value, View):
            name.refused = reasons.of(name.value)
        if name.refused is None and name.dtype not in DTYPES:
            name.refused = "plans have no dtype %s" % name.dtype


def _find_live(tape: Tape) -> List[bool]:
    needed: Dict[int, intervals.Runs] = {}

    def need(view: View) -> None:
        needed[view.storage] = intervals.union(needed.get(view.storage, intervals.EMPTY), _bytes_of(view))

    for name in tape.names:
        if name.refused is None and isinstance(name.value, View):
            need(name.value)
    live = [False] * len(tape.ops)
    for i in range(len(tape.ops) - 1, -1, -1):
        op = tape.ops[i]
        runs = _bytes_of(op.dst)
        want = needed.get(op.dst.storage, intervals.EMPTY)
        live[i] = intervals.intersect(want, runs)
        if not live[i]:
            continue
        if op.overwrites:
            needed[op.dst.storage] = intervals.subtract(want, runs)
        for view in _reads_of(op):
            need(view)
    return live


def lower(tape: Tape, source: Dict[str, str], differing: Optional[Dict[int, str]] = None) -> Dict[str, Any]:
    """The plan of a tape, as docs/plan-format.md describes it (version [1,1])."""
    meanings = [meaning_of(op, tape) for op in tape.ops]
    recognize_qr(tape, meanings)
    placed = place_draws(tape, meanings)
    _find_reasons(tape, placed, differing or {})
    live = _find_live(tape)
    writer = Writer(tape)
    for name in tape.names:
        if isinstance(name.value, View):
            writer.choose_dtype(name.value)
    for op, is_live in zip(tape.ops, live):
        for view in (op.dst, *views_in((op.args, op.kwargs))):
            writer.choose_dtype(view)
    passed: Dict[Stream, List[Draw]] = {}
    done: Set[Draw] = set()
    for op, meaning, is_live in zip(tape.ops, meanings, live):
        place = placed[op.draw] if op.draw is not None else None
        depends = place is not None and place.words is not None and place.words.depends
        if not is_live and not (depends and op.draw not in done):
            continue
        barriers = 0
        if op.draw is not None and place is not None:
            before = passed.setdefault(op.draw.stream, [])
            barriers = len(before)
            if tuple(before) != place.begin.barriers:
                raise Refused(
                    "%s: the generator was put back to before a trunc_normal_ whose number of rounds depends on its "
                    "values; plans cannot hold that" % op.where
                )
            if depends and op.draw not in done:
                before.append(op.draw)
                done.add(op.draw)
        if is_live:
            write_op(writer, op, meaning, place, barriers)
        else:
            dead = alone(op, writer)
            write_op(
                writer, Op(op.func, op.args, op.kwargs, dead, 0, True, op.draw, op.where), meaning, place, barriers
            )
    tensors = [write_tensor(writer, name) for name in tape.names]
    end = placed[tape.end].end if tape.end is not None else Position()
    words = end.at if tape.end_stream is tape.streams[0] else 0
    plan: Dict[str, Any] = {
        "format": "fanin-plan",
        "version": [1, 1],
        "profile": PROFILE,
        "streams": writer.streams(),
        "source": source,
        "storages": writer.storages,
        "tensors": tensors,
    }
    if writer.literals:
        plan["literals"] = writer.literals
    plan["ops"] = writer.ops
    plan["words"] = words
    return plan
