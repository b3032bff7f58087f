# SPDX-License-Identifier: MIT
"""Filling a model from a plan: in place, on all cores, ties kept, any part alone.

What C makes to the bit is made by C in the tensor's own memory; what only torch's own operations can make to the bit
goes through the reference executor.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import torch

from .._tensor import View
from ..errors import ArgumentError, DtypeError, ShapeError, UnsupportedError
from ..plan import Plan, PlanTensor
from ._accelerate import accelerate
from ._memory import Memory, nbytes_for
from ._plan_ops import TORCH_DTYPES
from ._replay import Executor
from ._shards import Box, Shard, boxes_of, chunk_of
from ._tape import is_dense


class _Piece(NamedTuple):
    """A part of a plan's tensor and the memory it goes to."""

    name: str
    box: Box
    memory: torch.Tensor


class Makers(NamedTuple):
    """Who makes which tensor: names not listed are C's, to the bit."""

    host: Set[str]
    refused: Dict[str, str]
    described: Mapping[str, Any]


def makers_of(plan: Plan) -> Makers:
    """Found once for each plan. A tensor is the host's where its bits are, and where C does not know one of its ops."""
    found: Optional[Makers] = getattr(plan, "_makers", None)
    if found is not None:
        return found
    refused = {tensor.name: tensor.refused for tensor in plan.tensors if tensor.refused is not None}
    text = plan.to_json()
    found = Makers(set(), refused, {})
    if '"bits":"host"' in text:
        described = json.loads(text)
        executor = Executor(described, 0)
        of_recorder = {tensor.name: executor.refusal(tensor.name) for tensor in plan.tensors}
        host = {
            name
            for name, reason in of_recorder.items()
            if reason is None and (name in refused or executor.needs_host(name))
        }
        found = Makers(host, {name: reason for name, reason in of_recorder.items() if reason is not None}, described)
    plan._makers = found
    return found


def run(plan: Plan, seed: int, pieces: Sequence[_Piece]) -> None:
    """Makes every piece; each has been checked to fit."""
    makers = makers_of(plan)
    blocks = []
    for piece in pieces:
        if piece.memory.numel() > 0 and piece.name not in makers.host:
            tensor = plan.tensors[plan._find(piece.name)]
            blocks.append((piece.name, piece.box.start, _view_of(piece.memory, tensor.dtype)))
    plan.fill_blocks(blocks, seed)
    with torch.no_grad():
        _run_host(makers.described, seed, [piece for piece in pieces if piece.name in makers.host])
        for piece in pieces:
            if not torch.is_inference(piece.memory):
                torch.autograd.graph.increment_version(piece.memory)


def _view_of(memory: torch.Tensor, dtype: str) -> View:
    """Memory as the library's arrays are described; the caller keeps the tensor alive."""
    return View(memory.data_ptr(), dtype, tuple(memory.shape), tuple(memory.stride()), memory)


def _run_host(described: Mapping[str, Any], seed: int, pieces: Sequence[_Piece]) -> None:
    if not pieces:
        return
    executor = Executor(described, seed)
    with accelerate():  # the draws among the operations
        for piece in pieces:
            made = executor.tensors([piece.name])[piece.name]
            part = tuple(slice(begin, begin + size) for begin, size in zip(piece.box.start, piece.box.sizes))
            piece.memory.copy_(made[part])


# ---- models ----


class _Slot(NamedTuple):
    """Where a module keeps a tensor."""

    name: str
    tensors: Dict[str, Any]
    key: str


def _slots(model: torch.nn.Module) -> List[_Slot]:
    found = []
    for prefix, module in model.named_modules(remove_duplicate=False):
        for tensors in (module._parameters, module._buffers):
            for key, tensor in tensors.items():
                if tensor is not None:
                    found.append(_Slot((prefix + "." if prefix else "") + key, tensors, key))
    return found


def _is_dtensor(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "device_mesh") and hasattr(tensor, "placements") and hasattr(tensor, "_local_tensor")


def _check(plan: Plan, slots: Sequence[_Slot], shard: Optional[Shard]) -> None:
    """Everything that can be wrong, before anything is changed."""
    names = {slot.name for slot in slots}
    refused = makers_of(plan).refused
    missing = [tensor.name for tensor in plan.tensors if tensor.name not in names]
    if missing:
        raise ArgumentError(
            "the model has no %s, which the plan has%s: is it another model, or another version of its code?"
            % (missing[0], _and_more(missing))
        )
    unknown = sorted(name for name in names if name not in plan)
    if unknown:
        raise ArgumentError(
            "the plan has no %s, which the model has%s: is it another model, or another version of its code?"
            % (unknown[0], _and_more(unknown))
        )
    for slot in slots:
        tensor, planned = slot.tensors[slot.key], plan.tensors[plan._index[slot.name]]
        if slot.name in refused:
            raise UnsupportedError("%s cannot be made from the plan: %s" % (slot.name, refused[slot.name]))
        if TORCH_DTYPES.get(planned.dtype) is not tensor.dtype:
            raise DtypeError(
                "%s is %s in the plan and %s in the model; record the model in that dtype"
                % (slot.name, planned.dtype, tensor.dtype)
            )
        allowed = [planned.shape]
        if shard is not None:
            allowed.append(chunk_of(planned.shape, shard).sizes)
        if tuple(tensor.shape) not in allowed:
            raise ShapeError(
                "%s has shape %s in the plan and %s in the model" % (slot.name, planned.shape, tuple(tensor.shape))
            )
        local = tensor._local_tensor if _is_dtensor(tensor) else tensor
        if local.device.type not in ("cpu", "meta"):
            raise UnsupportedError(
                "%s is on %s; materialize on the CPU and move the model there" % (slot.name, local.device)
            )
        if local.layout is not torch.strided:
            raise UnsupportedError("%s is %s, not strided" % (slot.name, local.layout))


def _and_more(names: Sequence[str]) -> str:
    return " (and %d more)" % (len(names) - 1) if len(names) > 1 else ""


def _parts_of(tensor: torch.Tensor, planned: PlanTensor, shard: Optional[Shard], is_buffer: bool) -> List[Box]:
    if _is_dtensor(tensor):
        return boxes_of(tensor)
    if shard is not None and not is_buffer:
        return [chunk_of(planned.shape, shard)]
    return [Box((0,) * len(planned.shape), (0,) * len(planned.shape), planned.shape)]


def _local_shape(boxes: Sequence[Box], ndim: int) -> Tuple[int, ...]:
    return tuple(max((box.local[d] + box.sizes[d] for box in boxes), default=0) for d in range(ndim))


def _target(tensor: torch.Tensor, sizes: Tuple[int, ...], source: Memory) -> Tuple[torch.Tensor, torch.Tensor]:
    """The tensor that the model keeps, and its memory on this rank: the same ones where there is memory already."""
    local: torch.Tensor = tensor._local_tensor if _is_dtensor(tensor) else tensor  # type: ignore[attr-defined]
    if tuple(local.shape) == sizes and not local.is_meta:
        return tensor, local.detach()
    keeps_layout = tuple(local.shape) == sizes and is_dense(sizes, local.stride())
    memory = source.empty(sizes, local.dtype, local.stride() if keeps_layout else None)
    fresh: torch.Tensor = memory
    if _is_dtensor(tensor):
        from torch.distributed.tensor import DTensor

        fresh = DTensor(memory, tensor._spec, requires_grad=False)  # type: ignore[attr-defined]
    if isinstance(tensor, torch.nn.Parameter):
        kept = torch.nn.Parameter(fresh, requires_grad=tensor.requires_grad)
        kept.__dict__.update(tensor.__dict__)
        return kept, memory
    return fresh, memory


def _can_share(kept: Optional[torch.Tensor], tensor: torch.Tensor) -> bool:
    """Whether a tensor made for another name can stand in the place of this one."""
    if kept is None or type(kept) is not type(tensor) or kept.requires_grad != tensor.requires_grad:
        return False
    return not _is_dtensor(kept) or kept._spec == tensor._spec  # type: ignore[attr-defined]


def materialize(plan: Plan, model: torch.nn.Module, seed: int, shard: Optional[Shard]) -> torch.nn.Module:
    """See Plan.materialize."""
    if not isinstance(model, torch.nn.Module):
        raise TypeError("materialize takes a torch.nn.Module, not a %s" % type(model).__name__)
    slots = _slots(model)
    _check(plan, slots, shard)
    by_tensor: Dict[int, torch.Tensor] = {}
    by_name: Dict[str, torch.Tensor] = {}
    alive, pieces = [], []
    source = Memory(nbytes_for([tensor.nbytes for tensor in plan.tensors if tensor.tied_to is None]))
    for slot in slots:
        tensor, planned = slot.tensors[slot.key], plan.tensors[plan._index[slot.name]]
        alive.append(tensor)  # its id names it
        kept = by_tensor.get(id(tensor))
        if kept is None and _can_share(by_name.get(planned.tied_to or planned.name), tensor):
            # One tensor in the plan, two in the model: its ties were not made yet, or to_empty has undone them.
            kept = by_name[planned.tied_to or planned.name]
        if kept is None:
            boxes = _parts_of(tensor, planned, shard, planned.is_buffer)
            kept, memory = _target(tensor, _local_shape(boxes, len(planned.shape)), source)
            for box in boxes:
                part = tuple(slice(begin, begin + size) for begin, size in zip(box.local, box.sizes))
                pieces.append(_Piece(slot.name, box, memory[part] if memory.dim() else memory))
        by_tensor[id(tensor)] = kept
        by_name.setdefault(planned.tied_to or planned.name, kept)
        slot.tensors[slot.key] = kept
    source.close()
    run(plan, seed, pieces)
    _mark_initialized(model)
    return model


def _mark_initialized(model: torch.nn.Module) -> None:
    """transformers initializes again what it was not told is done."""
    transformers = sys.modules.get("transformers")
    if transformers is None or not isinstance(model, getattr(transformers, "PreTrainedModel", ())):
        return
    for module in model.modules():
        module._is_hf_initialized = True  # type: ignore[assignment]
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is not None:
                tensor._is_hf_initialized = True  # type: ignore[attr-defined]


def state_dict(
    plan: Plan, seed: int, names: Optional[Iterable[str]], shard: Optional[Shard]
) -> Dict[str, torch.Tensor]:
    """See Plan.state_dict."""
    refused = makers_of(plan).refused
    if names is None:
        names = [t.name for t in plan.tensors if t.is_persistent and t.name not in refused]
    names = list(names)
    owners = {plan.tensors[plan._find(name)].tied_to or name for name in names}
    source = Memory(nbytes_for([plan.tensors[plan._find(owner)].nbytes for owner in owners]))
    made: Dict[str, torch.Tensor] = {}
    found: Dict[str, torch.Tensor] = {}
    pieces = []
    for name in names:
        planned = plan.tensors[plan._find(name)]
        if name in refused:
            raise UnsupportedError("%s cannot be made from the plan: %s" % (name, refused[name]))
        owner = planned.tied_to or name
        if owner not in made:
            whole = Box((0,) * len(planned.shape), (0,) * len(planned.shape), planned.shape)
            box = whole if shard is None or planned.is_buffer else chunk_of(planned.shape, shard)
            made[owner] = source.empty(box.sizes, TORCH_DTYPES[planned.dtype])
            pieces.append(_Piece(name, box, made[owner]))
        found[name] = made[owner]
    source.close()
    run(plan, seed, pieces)
    return found
