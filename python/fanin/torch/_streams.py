# SPDX-License-Identifier: MIT
"""Which draw a generator's state belongs to.

A recorder draws nothing, so code that saves, restores or seeds generators must be noticed by other means: after each
draw that is taped the generator gets a state that names this draw. Whatever state is found before the next draw then
says where that one begins, and a state that nobody gave is a draw that went by unseen.
"""

from __future__ import annotations

from typing import Dict, Tuple

import torch

from ._tape import Draw, Refused, Stream, Tape

# Offsets in the 5056 bytes of a CPU generator's state: the seed (u64), left (i32), next (u64), words (624 u64).
_LEFT, _NEXT, _WORDS = 8, 16, 24
_MAGIC = 0xFA919


def _state(generator: torch.Generator) -> bytes:
    return generator.get_state().numpy().tobytes()


class Streams:
    """The states seen so far and the draws they are the end of."""

    def __init__(self, tape: Tape, seed: int, eager: bool) -> None:
        self._tape = tape
        self._eager = eager
        self._ndraws = 0
        self._known: Dict[bytes, Tuple[Stream, object]] = {}
        self._by_seed: Dict[int, Stream] = {}
        user = Stream(None)
        tape.streams.append(user)
        self._by_seed[seed] = user

    def position(self, generator: torch.Generator, where: str) -> Tuple[Stream, object]:
        """The stream and the last draw before the generator's present state (None at its begin)."""
        state = _state(generator)
        found = self._known.get(state)
        if found is not None:
            return found
        seed = int.from_bytes(state[:8], "little")
        if _state(torch.Generator().manual_seed(seed)) != state:
            raise Refused(
                "%s: the generator was moved by code that was not recorded: another thread, or an operation that "
                "torch does not show" % where
            )
        stream = self._by_seed.get(seed)
        if stream is None:
            stream = self._by_seed[seed] = Stream(seed)
            self._tape.streams.append(stream)
        self._known[state] = (stream, None)
        return stream, None

    def begin(self, generator: torch.Generator, where: str) -> Draw:
        stream, parent = self.position(generator, where)
        return Draw(stream, parent)

    def end(self, generator: torch.Generator, draw: Draw) -> None:
        """The draw is taped: the generator's state is from now on the name of its end."""
        self._ndraws += 1
        if not self._eager:
            state = generator.get_state()
            view = state.numpy()
            # left and next agree with each other, so that an unseen draw moves them.
            view[_LEFT : _LEFT + 4].view("<i4")[0] = 2
            view[_NEXT : _NEXT + 8].view("<u8")[0] = 622
            words = view[_WORDS : _WORDS + 624 * 8].view("<u8")
            words[:] = 1
            words[0], words[1] = _MAGIC, self._ndraws
            view[_WORDS + 624 * 8 :] = 0
            generator.set_state(state)
        self._known[_state(generator)] = (draw.stream, draw)
