# SPDX-License-Identifier: MIT
"""Which part of a tensor belongs to a rank: torch.chunk pieces, and the local pieces of DTensors.

A part is a list of boxes: where it begins in the whole tensor, where in the local one, and its sizes.
"""

from __future__ import annotations

from typing import Any, List, NamedTuple, Sequence, Tuple

import torch

from ..errors import ShapeError, UnsupportedError


class Shard(NamedTuple):
    """Rank `rank`'s piece of `world` along dimension `dim`, as torch.chunk and DTensor's Shard(dim) cut.

    Tensors of fewer dimensions, and buffers, are whole on every rank.
    """

    dim: int
    rank: int
    world: int


class Box(NamedTuple):
    start: Tuple[int, ...]
    local: Tuple[int, ...]
    sizes: Tuple[int, ...]


def chunk(size: int, rank: int, world: int) -> Tuple[int, int]:
    """(begin, length) of a rank's piece: ceil(size / world) elements but for the last ranks, which may have none."""
    step = -(-size // world)
    begin = min(rank * step, size)
    return begin, min(begin + step, size) - begin


def chunk_of(shape: Sequence[int], shard: Shard) -> Box:
    """The part of a tensor that a Shard names."""
    dim, rank, world = shard
    if world < 1 or not 0 <= rank < world or dim < 0:
        raise ShapeError("Shard(dim=%d, rank=%d, world=%d): rank must lie in 0..world-1 and dim be 0 or more" % shard)
    start, sizes = [0] * len(shape), list(shape)
    if dim < len(shape):
        start[dim], sizes[dim] = chunk(shape[dim], rank, world)
    return Box(tuple(start), (0,) * len(shape), tuple(sizes))


def _indices(placement: Any, indices: torch.Tensor, world: int, rank: int) -> torch.Tensor:
    """Which of these indices a placement leaves to a rank."""
    kind = type(placement).__name__
    if kind == "Shard":
        begin, length = chunk(len(indices), rank, world)
        return indices[begin : begin + length]
    from torch.distributed.tensor.placement_types import _StridedShardOffsetMode

    size, offsets = placement._local_shard_size_and_offset(
        len(indices), world, rank, offset_mode=_StridedShardOffsetMode.ALL
    )
    picked = torch.as_tensor(offsets, dtype=torch.int64)
    if len(picked) != size:
        raise UnsupportedError("this torch describes %r otherwise than by all its indices" % (placement,))
    return indices[picked]


def boxes_of(tensor: Any) -> List[Box]:
    """The parts of a DTensor that this rank holds."""
    mesh, placements, shape = tensor.device_mesh, tensor.placements, tuple(tensor.shape)
    coordinate = mesh.get_coordinate()
    if coordinate is None:
        return []
    indices = {}
    for mesh_dim, placement in enumerate(placements):
        kind = type(placement).__name__
        if kind == "Replicate":
            continue
        if kind not in ("Shard", "_StridedShard"):
            raise UnsupportedError("a %s placement has no local values of its own; redistribute it first" % kind)
        dim = placement.dim % len(shape)
        present = indices.get(dim, torch.arange(shape[dim]))
        indices[dim] = _indices(placement, present, mesh.size(mesh_dim), coordinate[mesh_dim])
    runs = [_runs(indices[d]) if d in indices else [(0, 0, size)] for d, size in enumerate(shape)]
    boxes = [Box((), (), ())]
    for choices in runs:
        boxes = [
            Box(box.start + (begin,), box.local + (local,), box.sizes + (length,))
            for box in boxes
            for begin, local, length in choices
        ]
    return boxes


def _runs(indices: torch.Tensor) -> List[Tuple[int, int, int]]:
    """(begin, place in the local tensor, length) of each run of successive indices."""
    if len(indices) == 0:
        return [(0, 0, 0)]
    breaks = (indices.diff() != 1).nonzero().flatten().add(1).tolist()
    edges = [0, *breaks, len(indices)]
    return [(int(indices[a]), a, b - a) for a, b in zip(edges[:-1], edges[1:])]
