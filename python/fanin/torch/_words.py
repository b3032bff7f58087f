# SPDX-License-Identifier: MIT
"""How many 32-bit draws an operation takes from torch's CPU generator (torch 2.13 and newer).

The rules are arithmetic on shapes, strides and dtypes. The plan's reader computes the same and refuses what differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional, Sequence

import torch

_FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Words:
    """`scalar`: one normal at a time, every second one kept for the next call. `depends`: rounds depend on values."""

    count: int
    scalar: bool = False
    depends: bool = False


def is_contiguous(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    expected = 1
    for size, stride in zip(reversed(sizes), reversed(strides)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def uniform_words(dtype: torch.dtype, n: int) -> int:
    return 2 * n if dtype is torch.float64 else n


def normal_words(dtype: torch.dtype, sizes: Sequence[int], strides: Sequence[int], cached: bool) -> Words:
    n = math.prod(sizes)
    if n < 16 or not is_contiguous(sizes, strides):
        return Words(4 * ((n - cached + 1) // 2), scalar=True)
    if dtype in (torch.bfloat16, torch.float16):
        return Words(16 * ((n + 15) // 16))
    words = n + (16 if n % 16 else 0)
    return Words(2 * words if dtype is torch.float64 else words)


def trunc_normal_words(
    dtype: torch.dtype,
    sizes: Sequence[int],
    strides: Sequence[int],
    cached: bool,
    mean: float,
    std: float,
    a: float,
    b: float,
) -> Words:
    def cdf(x: float) -> float:
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    n = math.prod(sizes)
    if not cdf((b - mean) / std) - cdf((a - mean) / std) > 0.3:
        return Words(2 * uniform_words(dtype, n), depends=True)
    words = normal_words(dtype, sizes, strides, cached)
    # No normal is farther out than the smallest uniform allows: 2^-24 gives 5.77 std, 2^-53 gives 8.57.
    limit = 8.58 if words.scalar or dtype is torch.float64 else 5.78
    reach = limit * std + 1e-6 * abs(mean)
    one_round = mean - reach >= a and mean + reach <= b
    return Words(words.count, words.scalar, not one_round)


def other_words(
    base: str,
    overload: str,
    args: Sequence[Any],
    sizes: Sequence[int],
    strides: Sequence[int],
    dtype: torch.dtype,
    cached: bool,
) -> Optional[Words]:
    """Of operations that only the host can repeat; None where the number of draws is not known."""
    n = math.prod(sizes)
    if base == "randperm":
        # From 2^32 / 20 elements on torch takes another way.
        return Words(max(n - 1, 0)) if n < 214748364 else None
    if base == "log_normal_":
        return Words(4 * ((n - cached + 1) // 2), scalar=True)
    if base in ("exponential_", "cauchy_", "geometric_") or (
        base in ("bernoulli", "bernoulli_") and overload in ("float", "p")
    ):
        return Words(2 * n)
    if base in ("bernoulli", "bernoulli_"):
        chances = args[1] if base == "bernoulli_" else args[0]
        return Words(n) if chances.dtype is torch.float32 else None
    if base in ("randint", "randint_like", "random_"):
        bounds = [a for a in args if isinstance(a, int) and not isinstance(a, bool)]
        wide = any(abs(b) >= 2**31 for b in bounds)
        if base == "random_" and not bounds:
            return Words(2 * n if dtype in (torch.int64, torch.float64) else n)
        return None if wide else Words(n)
    return None


def is_random_dtype(dtype: torch.dtype) -> bool:
    return dtype in _FLOATS
