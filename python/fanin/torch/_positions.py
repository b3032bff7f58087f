# SPDX-License-Identifier: MIT
"""Where in its stream each draw begins: arithmetic on the shapes of all draws, those too that nothing needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple

from ._plan_ops import Meaning, arguments_of
from ._tape import Draw, Op, Tape
from ._words import Words, normal_words, other_words, trunc_normal_words, uniform_words

_AT_BARRIER = "barrier"


@dataclass(frozen=True)
class Position:
    """Where the next draw is: `at` draws behind the last of `barriers`, and what is known of the kept normal."""

    at: int = 0
    barriers: Tuple[Draw, ...] = ()
    cache: str = "empty"  # empty, full, unknown
    cached_at: int = 0
    cached_barriers: int = 0
    lost: Optional[str] = None  # why the position is not known

    def cached(self) -> Optional[Any]:
        if self.cache == "empty":
            return None
        if self.cache == "unknown" or self.cached_barriers != len(self.barriers):
            return _AT_BARRIER
        return self.cached_at


@dataclass(frozen=True)
class Placed:
    begin: Position
    words: Optional[Words]
    end: Position


def _measure(op: Op, meaning: Optional[Meaning], cached: bool) -> Optional[Words]:
    dst = op.dst
    if meaning is not None and meaning.op == "normal":
        return normal_words(dst.dtype, dst.sizes, dst.strides, cached)
    if meaning is not None and meaning.op == "uniform":
        return Words(uniform_words(dst.dtype, dst.numel))
    if meaning is not None and meaning.op == "trunc_normal":
        return trunc_normal_words(dst.dtype, dst.sizes, dst.strides, cached, **meaning.numbers)
    base = op.func._schema.name.split("::")[1]
    args = list(arguments_of(op).values())
    return other_words(base, op.func._overloadname, args, dst.sizes, dst.strides, dst.dtype, cached)


def _place(draw: Draw, begin: Position, meaning: Optional[Meaning]) -> Placed:
    op = draw.op
    assert op is not None
    if begin.lost is not None:
        return Placed(begin, None, begin)
    full = begin.cache == "full"
    words = _measure(op, meaning, full)
    if words is None:
        lost = "%s: how many draws %s takes is not known" % (op.where, op.name)
        return Placed(begin, None, Position(lost=lost))
    depends = words.depends or (words.scalar and begin.cache == "unknown")
    words = Words(words.count, words.scalar, depends)
    cache, cached_at, cached_barriers = begin.cache, begin.cached_at, begin.cached_barriers
    if words.scalar:
        n = op.dst.numel
        odd = n % 2 != 0
        if depends:
            # Rounds of an odd number of normals turn the cache over each time, of an even number they keep it.
            if odd or cache == "unknown":
                cache = "unknown"
        elif odd == full:
            cache = "empty"
        else:
            cache = "full"
            cached_at = begin.at + 4 * ((n - full + 1) // 2 - 1)
            cached_barriers = len(begin.barriers)
    barriers = begin.barriers + (draw,) if depends else begin.barriers
    return Placed(begin, words, Position(begin.at + words.count, barriers, cache, cached_at, cached_barriers))


def place_draws(tape: Tape, meanings: Sequence[Optional[Meaning]]) -> Dict[Draw, Placed]:
    placed: Dict[Draw, Placed] = {}
    for op, meaning in zip(tape.ops, meanings):
        draw = op.draw
        if draw is not None and draw not in placed:
            begin = placed[draw.parent].end if draw.parent is not None else Position()
            placed[draw] = _place(draw, begin, meaning)
    return placed
