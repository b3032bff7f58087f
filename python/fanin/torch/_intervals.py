# SPDX-License-Identifier: MIT
"""Sets of elements of a storage, as sorted runs: what is defined, what is still needed, what must be refused."""

from __future__ import annotations

from typing import Sequence, Tuple

import numpy as np

Runs = Tuple[np.ndarray, np.ndarray]
_NONE = np.empty(0, dtype=np.int64)
EMPTY: Runs = (_NONE, _NONE)


def _merged(begins: np.ndarray, ends: np.ndarray) -> Runs:
    if len(begins) < 2:
        return begins, ends
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    first = np.concatenate([[True], begins[1:] > ends[:-1]])
    last = np.concatenate([first[1:], [True]])
    return begins[first], ends[last]


def runs_of(offset: int, sizes: Sequence[int], strides: Sequence[int]) -> Runs:
    """The elements that a view touches."""
    if 0 in sizes:
        return EMPTY
    length = 1
    outer = []
    for stride, size in sorted((stride, size) for size, stride in zip(sizes, strides) if size > 1 and stride > 0):
        if stride <= length:
            length += (size - 1) * stride
        else:
            outer.append((stride, size))
    begins = np.array([offset], dtype=np.int64)
    for stride, size in outer:
        begins = (begins[:, None] + np.arange(size, dtype=np.int64) * stride).reshape(-1)
    return _merged(begins, begins + length)


def union(a: Runs, b: Runs) -> Runs:
    if len(a[0]) == 0:
        return b
    if len(b[0]) == 0:
        return a
    return _merged(np.concatenate([a[0], b[0]]), np.concatenate([a[1], b[1]]))


def subtract(a: Runs, b: Runs) -> Runs:
    """The elements of a that are not in b."""
    if len(a[0]) == 0 or len(b[0]) == 0:
        return a
    # The gaps of b, cut to the runs of a: each pair that overlaps gives one run.
    low, high = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    gap_begins = np.concatenate([[low], b[1]])
    gap_ends = np.concatenate([b[0], [high]])
    first = np.searchsorted(gap_ends, a[0], side="right")
    last = np.searchsorted(gap_begins, a[1], side="left")
    counts = np.maximum(last - first, 0)
    which = np.repeat(np.arange(len(a[0])), counts)
    gap = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(first, counts)
    begins, ends = np.maximum(a[0][which], gap_begins[gap]), np.minimum(a[1][which], gap_ends[gap])
    keep = begins < ends
    return begins[keep], ends[keep]


def is_empty(a: Runs) -> bool:
    return len(a[0]) == 0


def intersect(a: Runs, b: Runs) -> bool:
    """Whether they have an element in common."""
    if is_empty(a) or is_empty(b):
        return False
    at = np.searchsorted(b[1], a[0], side="right")
    inside = at < len(b[0])
    return bool((b[0][at[inside]] < a[1][inside]).any())


def contains(a: Runs, b: Runs) -> bool:
    """Whether every element of b is in a."""
    return is_empty(subtract(b, a))
