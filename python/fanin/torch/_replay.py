# SPDX-License-Identifier: MIT
"""The reference executor: runs a plan with torch's own operations, any tensor alone.

It is the oracle of the tests, and what makes tensors in `materialize` that only the host's torch can make to the bit.
"""

from __future__ import annotations

import base64
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set

import torch

from ..generator import Generator
from . import _intervals as intervals
from ._plan_ops import TORCH_DTYPES
from ._tape import reads_metadata_only, tensor_of_bytes

# Offsets in a CPU generator's state: what comes before the kept normal, and the kept normal with its flag.
_CACHE = slice(5024, 5048)


def skip(generator: torch.Generator, count: int) -> None:
    """Moves a generator by `count` 32-bit draws, in time that does not grow with them. The kept normal stays."""
    if count < 1024:
        torch.empty(count).uniform_(generator=generator)
        return
    moved = Generator(0)
    moved.set_state(generator.get_state().numpy())
    moved.skip(count)
    generator.set_state(torch.frombuffer(bytearray(moved.get_state()), dtype=torch.uint8))


def json_double(value: Any) -> float:
    """A number of a plan: what JSON lacks is a string."""
    return float(value)


class Place:
    """A view named by an op: storage, offset, sizes and strides in elements."""

    __slots__ = ("storage", "offset", "sizes", "strides", "dtype", "itemsize")

    def __init__(self, described: Mapping[str, Any], storages: Sequence[Mapping[str, Any]]) -> None:
        self.storage = int(described["s"])
        storage = storages[self.storage]
        self.offset = int(described.get("off", 0))
        self.sizes = tuple(described.get("sizes", (storage["n"],)))
        strides: List[int] = []
        step = 1
        for size in reversed(self.sizes):
            strides.insert(0, step)
            step *= size
        self.strides = tuple(described.get("strides", strides))
        self.dtype = TORCH_DTYPES[described.get("dtype", storage["dtype"])]
        self.itemsize = self.dtype.itemsize

    def runs(self) -> intervals.Runs:
        begins, ends = intervals.runs_of(self.offset, self.sizes, self.strides)
        return begins * self.itemsize, ends * self.itemsize

    def of(self, memory: torch.Tensor) -> torch.Tensor:
        """The view in a storage's memory, a 1-D tensor of the storage's dtype."""
        if memory.dtype is not self.dtype:
            memory = memory.view(self.dtype)
        return memory.as_strided(self.sizes, self.strides, self.offset)


def _views_in(value: Any, found: List[Mapping[str, Any]]) -> List[Mapping[str, Any]]:
    if isinstance(value, dict):
        if "view" in value:
            found.append(value["view"])
    elif isinstance(value, list):
        for item in value:
            _views_in(item, found)
    return found


def is_torch_op(op: Mapping[str, Any]) -> bool:
    """Whether an op is one of torch's own, with its arguments."""
    return "args" in op


class Executor:
    """Runs parts of one plan for one seed."""

    def __init__(self, plan: Mapping[str, Any], seed: int) -> None:
        self._plan = plan
        self._seed = seed
        self._storages = plan["storages"]
        self._ops = plan["ops"]
        self._dst = [Place(op.get("dst", op), self._storages) for op in self._ops]
        self._reads = [self._reads_of(op, dst) for op, dst in zip(self._ops, self._dst)]
        self._tensors = {t["name"]: t for t in plan["tensors"]}
        self._literals = {item["id"]: item for item in plan.get("literals", ())}
        self._barriers: Dict[int, List[int]] = {}
        for i, op in enumerate(self._ops):
            if op.get("data_dependent"):
                self._barriers.setdefault(op.get("stream", 0), []).append(i)
        # For each stream, the generator's states after its data-dependent ops.
        self._after: Dict[int, List[torch.Tensor]] = {}

    def _reads_of(self, op: Mapping[str, Any], dst: Place) -> List[Place]:
        if is_torch_op(op):
            if reads_metadata_only(op["op"].split("::")[1]):
                return []
            views = _views_in(op["args"], [])
            for value in op["kwargs"].values():
                _views_in(value, views)
            places = [Place(view, self._storages) for view in views]
            return [p for p in places if not (op.get("overwrites") and self._same(p, dst))]
        return [Place(op[key], self._storages) for key in ("src", "other") if isinstance(op.get(key), dict)]

    @staticmethod
    def _same(a: Place, b: Place) -> bool:
        return (a.storage, a.offset, a.sizes, a.strides, a.dtype) == (b.storage, b.offset, b.sizes, b.strides, b.dtype)

    def _overwrites(self, op: Mapping[str, Any]) -> bool:
        return not is_torch_op(op) or bool(op.get("overwrites"))

    def closure(self, places: Iterable[Place]) -> List[int]:
        """The ops that some elements need, in their order."""
        needed: Dict[int, intervals.Runs] = {}

        def need(place: Place) -> None:
            needed[place.storage] = intervals.union(needed.get(place.storage, intervals.EMPTY), place.runs())

        for place in places:
            need(place)
        found = []
        for i in range(len(self._ops) - 1, -1, -1):
            want = needed.get(self._dst[i].storage)
            if want is None:
                continue
            runs = self._dst[i].runs()
            if not intervals.intersect(want, runs):
                continue
            found.append(i)
            if self._overwrites(self._ops[i]):
                needed[self._dst[i].storage] = intervals.subtract(want, runs)
            for place in self._reads[i]:
                need(place)
        return found[::-1]

    # ---- positions ----

    def _fresh(self, stream: int) -> torch.Generator:
        seed = self._plan["streams"][stream]["seed"]
        return torch.Generator().manual_seed(self._seed if seed == "user" else int(seed))

    def generator_at(self, op: Mapping[str, Any]) -> torch.Generator:
        """A generator in the state in which the op began."""
        stream, barriers = op.get("stream", 0), op.get("barriers", 0)
        generator = self._fresh(stream)
        base = 0
        if barriers:
            before = self._ops[self._barriers[stream][barriers - 1]]
            generator.set_state(self._state_after(stream, barriers))
            base = before["at"] + before["words"]
        at, cached = op["at"], op.get("cached")
        kept = generator.get_state()[_CACHE].clone() if cached == "barrier" else torch.zeros(24, dtype=torch.uint8)
        if isinstance(cached, int):
            pair = torch.Generator()
            pair.set_state(generator.get_state())
            start = cached - base
            if start < 0:
                pair, start = self._fresh(stream), cached
            skip(pair, start)
            torch.empty(1).normal_(generator=pair)
            kept = pair.get_state()[_CACHE].clone()
        start = at - base
        if start < 0:
            raise ValueError("the op at %d begins before the data-dependent op that it follows" % at)
        skip(generator, start)
        state = generator.get_state()
        state[_CACHE] = kept
        generator.set_state(state)
        return generator

    def _state_after(self, stream: int, barriers: int) -> torch.Tensor:
        states = self._after.setdefault(stream, [])
        while len(states) < barriers:
            i = self._barriers[stream][len(states)]
            op, dst = self._ops[i], self._dst[i]
            extent = 1 + sum((n - 1) * s for n, s in zip(dst.sizes, dst.strides))
            memory = torch.empty(dst.offset + extent, dtype=dst.dtype)
            states.append(self._draw(op, dst.of(memory)).get_state())
        return states[barriers - 1]

    def end_state(self) -> torch.Tensor:
        """The state of the user's generator after the constructor (the kept normal aside)."""
        barriers = len(self._barriers.get(0, ()))
        return self.generator_at({"at": self._plan["words"], "barriers": barriers}).get_state()

    # ---- running ----

    def _draw(self, op: Mapping[str, Any], dst: torch.Tensor) -> torch.Generator:
        generator = self.generator_at(op)
        kind = op["op"]
        if kind == "normal":
            dst.normal_(json_double(op["mean"]), json_double(op["std"]), generator=generator)
        elif kind == "uniform":
            dst.uniform_(json_double(op["from"]), json_double(op["to"]), generator=generator)
        else:
            numbers = [json_double(op[key]) for key in ("mean", "std", "a", "b")]
            torch.nn.init._no_grad_trunc_normal_(dst, *numbers, generator=generator)
        return generator

    def _decode(self, value: Any, memories: Mapping[int, torch.Tensor]) -> Any:
        if isinstance(value, list):
            return [self._decode(item, memories) for item in value]
        if isinstance(value, dict):
            if "view" in value:
                place = Place(value["view"], self._storages)
                memory = memories.get(place.storage)
                if memory is None:  # only its shape is asked for
                    memory = torch.empty(self._storages[place.storage]["n"], dtype=place.dtype)
                return place.of(memory)
            if "float" in value:
                return json_double(value["float"])
            if "dtype" in value:
                return TORCH_DTYPES[value["dtype"]]
            if "memory_format" in value:
                return getattr(torch, value["memory_format"])
        return value

    def _torch_op(self, op: Mapping[str, Any], dst: torch.Tensor, memories: Mapping[int, torch.Tensor]) -> None:
        space, name = op["op"].split("::")
        func = getattr(getattr(getattr(torch.ops, space), name), op["overload"] or "default")
        args = self._decode(op["args"], memories)
        kwargs = {key: self._decode(value, memories) for key, value in op["kwargs"].items()}
        if "at" in op:
            names = [argument.name for argument in func._schema.arguments]
            if "generator" not in names:
                # It draws from the default generator alone.
                state = torch.default_generator.get_state()
                torch.default_generator.set_state(self.generator_at(op).get_state())
                try:
                    self._call(func, args, kwargs, op, dst)
                finally:
                    torch.default_generator.set_state(state)
                return
            if names.index("generator") < len(args):
                args[names.index("generator")] = self.generator_at(op)
            else:
                kwargs["generator"] = self.generator_at(op)
        self._call(func, args, kwargs, op, dst)

    @staticmethod
    def _call(func: Any, args: List[Any], kwargs: Dict[str, Any], op: Mapping[str, Any], dst: torch.Tensor) -> None:
        writes = [a for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write]
        if len(writes) == 1 and not writes[0].is_out:
            func(*args, **kwargs)
            return
        result = func(*args, **kwargs)
        results = result if isinstance(result, (list, tuple)) else [result]
        dst.copy_(results[op.get("out", 0)])

    def _run(self, i: int, memories: Mapping[int, torch.Tensor]) -> None:
        op, kind = self._ops[i], self._ops[i]["op"]
        dst = self._dst[i].of(memories[self._dst[i].storage])
        if is_torch_op(op):
            self._torch_op(op, dst, memories)
            return
        if kind in ("normal", "uniform", "trunc_normal"):
            self._draw(op, dst)
            return
        if kind == "fill":
            value = op["value"]
            dst.fill_(json_double(value) if isinstance(value, str) else value)
            return
        if kind == "literal":
            data = base64.b64decode(self._literals[op["literal"]]["data"])
            dst.copy_(tensor_of_bytes(data, dst.dtype, tuple(dst.shape)))
            return
        places = dict(zip([key for key in ("src", "other") if isinstance(op.get(key), dict)], self._reads[i]))
        src = places["src"].of(memories[places["src"].storage])
        if kind in ("copy", "cast"):
            dst.copy_(src.reshape(dst.shape))
        elif kind == "norm":
            dst.copy_(torch.linalg.vector_norm(src, 2, op["dims"] or None).reshape(dst.shape))
        elif kind == "qr":
            q, r = torch.linalg.qr(src)
            dst.copy_(q.mul_(torch.diag(r, 0).sign()))
        elif kind == "clamp":
            low, high = (None if op.get(k) is None else json_double(op[k]) for k in ("min", "max"))
            dst.copy_(torch.clamp(src, low, high).reshape(dst.shape))
        elif kind in ("add", "sub", "mul", "div"):
            other: Any = op["other"]
            other = places["other"].of(memories[places["other"].storage]) if "other" in places else json_double(other)
            dst.copy_(getattr(torch, kind)(src, other).reshape(dst.shape))
        else:
            dst.copy_(getattr(torch, kind)(src).reshape(dst.shape))

    def place_of(self, name: str) -> Place:
        """Where a name's elements are."""
        tensor = self._tensors[name]
        if "alias_of" in tensor:
            return self.place_of(tensor["alias_of"])
        return Place(
            {"sizes": tensor["shape"], **{k: tensor[k] for k in ("s", "off", "strides") if k in tensor}}, self._storages
        )

    def refusal(self, name: str) -> Optional[str]:
        """Why a tensor cannot be made; None where it can."""
        tensor = self._tensors[name]
        if "alias_of" in tensor:
            return self.refusal(tensor["alias_of"])
        refused = tensor.get("refused")
        return None if refused is None else str(refused)

    def needs_host(self, name: str) -> bool:
        """Whether only torch's own operations make a tensor to the bit."""
        ops = self.closure([self.place_of(name)])
        return any(is_torch_op(self._ops[i]) or self._ops[i].get("bits") == "host" for i in ops)

    def tensors(self, names: Iterable[str]) -> Dict[str, torch.Tensor]:
        """Views of the storages made; names with the same elements share them."""
        places = {name: self.place_of(name) for name in names}
        for name in places:
            if self.refusal(name) is not None:
                raise ValueError("%s cannot be made: %s" % (name, self.refusal(name)))
        ops = self.closure(places.values())
        used: Set[int] = {place.storage for place in places.values()}
        for i in ops:
            used.add(self._dst[i].storage)
            used.update(place.storage for place in self._reads[i])
        memories = {
            s: torch.empty(self._storages[s]["n"], dtype=TORCH_DTYPES[self._storages[s]["dtype"]]) for s in used
        }
        with torch.no_grad():
            for i in ops:
                self._run(i, memories)
            return {name: place.of(memories[place.storage]) for name, place in places.items()}
