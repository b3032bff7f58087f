# SPDX-License-Identifier: MIT
"""record(): a constructor in, a plan out, compared with the constructor itself before it is handed over."""

from __future__ import annotations

import gc
import hashlib
import json
import platform
import random
import sys
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch

from ..plan import Plan
from ._hooks import recording
from ._lower import PROFILE, lower
from ._materialize import makers_of, state_dict
from ._names import capture, drop_hollow, named_tensors
from ._record import HOLLOW_NBYTES, Recorder
from ._replay import Executor
from ._tape import Constant, Refused, Tape, tensor_bytes

# Recordings are made under these seeds; a plan must not depend on them.
_SEEDS = (0x6A09E667F3BCC908, 0xBB67AE8584CAA73B)
# Up to this many bytes of tensors a plan is compared with the constructor itself.
CHECK_NBYTES = 1_000_000_000
_CHECK_SEED = 0


class _Surroundings:
    """Generators that are not torch's, and torch's own: recording leaves them as they were."""

    def __init__(self) -> None:
        self._torch = torch.default_generator.get_state()
        self._python = random.getstate()
        self._numpy = np.random.get_state()

    def restore(self) -> List[str]:
        """The global generators of others that have moved since."""
        moved = []
        if random.getstate() != self._python:
            moved.append("random")
        state = np.random.get_state()
        if any(not np.array_equal(a, b) for a, b in zip(state, self._numpy)):
            moved.append("numpy.random")
        torch.default_generator.set_state(self._torch)
        random.setstate(self._python)
        np.random.set_state(self._numpy)
        return moved


def record_tape(fn: Callable[[], Any], seed: int, eager: bool = False, hollow_nbytes: int = HOLLOW_NBYTES) -> Tape:
    """One run of a constructor under the recorder."""
    if torch.get_default_device().type != "cpu":
        raise Refused(
            "the default device is %s; record without torch.device(...) around it" % torch.get_default_device()
        )
    surroundings = _Surroundings()
    recorder = Recorder(seed, eager, hollow_nbytes)
    result = None
    try:
        torch.default_generator.manual_seed(seed)
        with recording(recorder):
            result = fn()
        stream, draw = recorder.streams.position(torch.default_generator, "at the end of the constructor")
        recorder.tape.end_stream, recorder.tape.end = stream, draw  # type: ignore[assignment]
        capture(recorder, result)
        return recorder.tape
    finally:
        if result is not None:
            drop_hollow(recorder, result)
        result = None
        for name in surroundings.restore():
            recorder.tape.notes.append("constants depend on the state of the global generator of %s" % name)
        _release(recorder)


def _release(recorder: Recorder) -> None:
    memories = list(recorder.memories.values())
    recorder.memories.clear()
    if any(recorder.arena.owns(memory.storage) for memory in memories):
        gc.collect()
        for memory in memories:
            recorder.arena.release(memory.storage)


def _same_but_numbers(a: Any, b: Any) -> bool:
    """Whether two arguments are the same but for numbers and the content of constants."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(_same_but_numbers(x, y) for x, y in zip(a, b))
    if isinstance(a, Constant) and isinstance(b, Constant):
        return a.sizes == b.sizes and a.dtype is b.dtype
    if isinstance(a, float) and isinstance(b, float):
        return True
    return bool(a == b)


def differing_ops(one: Tape, two: Tape) -> Dict[int, str]:
    """Operations of two recordings under different seeds whose numbers differ, and why that is refused.

    Refuses all if they differ in more than numbers; names that are constants and differ are refused in `one`.
    """
    found: Dict[int, str] = {}
    for i, (a, b) in enumerate(zip(one.ops, two.ops)):
        same_draw = (a.draw is None) == (b.draw is None)
        if not (a.func is b.func and a.dst == b.dst and a.out == b.out and same_draw) or not (
            _same_but_numbers(a.args, b.args) and a.kwargs.keys() == b.kwargs.keys()
        ):
            raise Refused("%s: the value of a random tensor decides what is done (%s)" % (a.where, a.name))
        if repr(a.args) != repr(b.args) or repr(a.kwargs) != repr(b.kwargs):
            found[i] = "%s: a number that %s is given depends on random values" % (a.where, a.name)
    if len(one.ops) != len(two.ops) or [n.name for n in one.names] != [n.name for n in two.names]:
        where = (one.ops + two.ops)[min(len(one.ops), len(two.ops))].where if one.ops or two.ops else "?"
        raise Refused("%s: the value of a random tensor decides what is built" % where)
    for a_name, b_name in zip(one.names, two.names):
        same = (a_name.shape, a_name.dtype, a_name.alias_of) == (b_name.shape, b_name.dtype, b_name.alias_of)
        if not same or a_name.value != b_name.value:
            a_name.refused = (
                a_name.refused or "its value depends on random values that were read: %s" % (one.reads or ["?"])[0]
            )
    return found


def _record_either(fn: Callable[[], Any], hollow_nbytes: int) -> Tuple[Tape, Optional[Dict[int, str]]]:
    """The tape, and for a recording on real memory the operations that differ between two seeds."""
    try:
        return record_tape(fn, _SEEDS[0], False, hollow_nbytes), None
    except Refused as refusal:
        reason = refusal
    one = record_tape(fn, _SEEDS[0], True)
    two = record_tape(fn, _SEEDS[1], True)
    try:
        return one, differing_ops(one, two)
    except Refused:
        raise reason from None


def source_of(fn_name: str, tape: Tape) -> Dict[str, str]:
    """Where a plan comes from: versions of what was imported."""
    found = {"class": fn_name, "torch": torch.__version__}
    for name in ("transformers", "torchvision", "timm"):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "__version__"):
            found[name] = str(module.__version__)
    found["python"] = platform.python_version()
    found["recorded"] = "eager" if tape.eager else "hollow"
    if tape.notes or tape.reads:
        found["notes"] = "; ".join(
            [*tape.notes, *("the same under all seeds tried, though %s" % read for read in tape.reads)]
        )
    return found


def tape_nbytes(tape: Tape) -> int:
    """Bytes of all tensors, tied ones once."""
    total = 0
    for name in tape.names:
        if name.alias_of is None:
            n = name.dtype.itemsize
            for size in name.shape:
                n *= size
            total += n
    return total


def build(fn: Callable[[], Any], seed: int) -> Tuple[Dict[str, str], torch.Tensor]:
    """SHA-256 of each tensor's row-major bytes as the constructor makes it, and the generator's state afterwards."""
    surroundings = _Surroundings()
    try:
        torch.manual_seed(seed)
        result = fn()
        state = torch.default_generator.get_state()
        digests = {
            name: hashlib.sha256(tensor_bytes(tensor)).hexdigest()
            for name, tensor, _, _ in named_tensors(result)
            if tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        }
        return digests, state
    finally:
        surroundings.restore()


def compare(plan: Plan, described: Dict[str, Any], fn: Callable[[], Any], reads: Sequence[str] = ()) -> Dict[str, str]:
    """Builds the model once under seed 0, compares every tensor with the plan's, and returns the digests."""
    expected, state = build(fn, _CHECK_SEED)
    names = [tensor.name for tensor in plan.tensors if tensor.name not in makers_of(plan).refused]
    made = state_dict(plan, _CHECK_SEED, names, None)
    wrong = [n for n in names if hashlib.sha256(tensor_bytes(made[n])).hexdigest() != expected.get(n)]
    if wrong and reads:
        raise Refused(reads[0])
    if wrong:
        raise Refused(
            "the plan does not make what the constructor makes under another seed: %s%s. Its values depend on something "
            "that is neither the seed nor recorded (torch.initial_seed(), time, threads)"
            % (", ".join(wrong[:3]), " and %d more" % (len(wrong) - 3) if len(wrong) > 3 else "")
        )
    if described["words"] and not torch.equal(Executor(described, _CHECK_SEED).end_state()[:5016], state[:5016]):
        if reads:
            raise Refused(reads[0])
        raise Refused("the generator is not where the plan says after the constructor has run")
    return {name: expected[name] for name in names}


def record(
    fn: Callable[[], Any],
    *,
    name: Optional[str] = None,
    check: bool = True,
    digests: bool = False,
    notes: Optional[Dict[str, str]] = None,
) -> Plan:
    """What a constructor draws and computes, as a plan that makes the same model from any seed.

        plan = fanin.torch.record(lambda: Model(config))
        plan.save("model.plan.json")

    fn: builds and returns a torch.nn.Module (or a dict of tensors) on the CPU. It runs without memory for its tensors
        and without drawing; a constructor that reads random values is run again on real memory, under two seeds. It is
        called several times, and must build the same each time. The torch, Python and NumPy generators are left as
        they were. What it returns is not kept: parameters without memory in it become meta tensors.
    name: of what is built, for the plan's `source`.
    check: a model of less than 1 GB is built once more as usual, under seed 0, and compared byte by byte; its digests go
        into the plan. A larger one is recorded under a second seed and the recordings compared.
    digests: make a larger model from the plan for its digests too.
    notes: further entries of the plan's `source`.

    Raises Refused, a RuntimeError with the operation and the line of the code that caused it, where no plan can say
    what the constructor does. Single tensors that a plan cannot make are refused in it (`PlanTensor.refused`).
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 13):
        raise Refused("torch %s draws otherwise than plans of %s; record with 2.13 or newer" % (torch.__version__, PROFILE))
    if not callable(fn):
        raise TypeError("record takes a callable that builds the model, as in record(lambda: Model(config))")
    described = name or getattr(fn, "__qualname__", None) or type(fn).__name__
    plan = record_plan(fn, described, check, digests)
    plan["source"].update(notes or {})
    return Plan.parse(json.dumps(plan), described)


def record_plan(
    fn: Callable[[], Any],
    name: str,
    check: bool = True,
    digests: bool = False,
    hollow_nbytes: int = HOLLOW_NBYTES,
) -> Dict[str, Any]:
    """The plan of a constructor as a JSON object."""
    tape, differing = _record_either(fn, hollow_nbytes)
    small = tape_nbytes(tape) < CHECK_NBYTES
    if check and not small and differing is None:
        differing = differing_ops(tape, record_tape(fn, _SEEDS[1], False, hollow_nbytes))
    described = lower(tape, source_of(name, tape), differing)
    if not (check and small) and not digests:
        return described
    plan = Plan.parse(json.dumps(described), name)
    if check and small:
        found = compare(plan, described, fn, tape.reads)
    else:
        found = {}
        for tensor in plan.tensors:
            if tensor.name not in makers_of(plan).refused:
                made = state_dict(plan, _CHECK_SEED, [tensor.name], None)[tensor.name]
                found[tensor.name] = hashlib.sha256(tensor_bytes(made)).hexdigest()
    described["check"] = {"seed": str(_CHECK_SEED), "sha256": found}
    return described
