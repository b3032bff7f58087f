# SPDX-License-Identifier: MIT
"""check(): a live module's weights with what its classes tell: kinds of layers, ties, buffers, and, in nn.Sequential,
what follows what. What is called in code cannot be read off a module, and is not guessed."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import nn

from .._check import Diagnosis, Weight, check_weights, prepare
from .._lib import LAYOUTS, lib
from ..errors import ArgumentError

_KINDS = (
    (nn.Linear, "linear"), (nn.Bilinear, "bilinear"), (nn.ConvTranspose1d, "conv_transpose1d"),
    (nn.ConvTranspose2d, "conv_transpose2d"), (nn.ConvTranspose3d, "conv_transpose3d"), (nn.Conv1d, "conv1d"),
    (nn.Conv2d, "conv2d"), (nn.Conv3d, "conv3d"), (nn.Embedding, "embedding"), (nn.EmbeddingBag, "embedding"),
    (nn.RNN, "rnn"), (nn.LSTM, "lstm"), (nn.GRU, "gru"), (nn.RNNCell, "rnn_cell"), (nn.LSTMCell, "lstm_cell"),
    (nn.GRUCell, "gru_cell"), (nn.MultiheadAttention, "multihead_attention"),
    (nn.modules.batchnorm._BatchNorm, "batch_norm"), (nn.LayerNorm, "layer_norm"), (nn.GroupNorm, "group_norm"),
    (nn.PReLU, "prelu")) + (((nn.RMSNorm, "rms_norm"),) if hasattr(nn, "RMSNorm") else ())
_NORMS = ("batch_norm", "layer_norm", "group_norm", "rms_norm")
# Layers whose scale a chain is about.
_LINKS = ("linear", "conv1d", "conv2d", "conv3d")
_ACTIVATIONS = ((nn.ReLU6, "relu6"), (nn.ReLU, "relu"), (nn.GELU, "gelu"), (nn.SiLU, "silu"), (nn.Mish, "mish"),
                (nn.ELU, "elu"), (nn.SELU, "selu"), (nn.Softplus, "softplus"), (nn.Tanh, "tanh"),
                (nn.Sigmoid, "sigmoid"), (nn.Softsign, "softsign"), (nn.Hardswish, "hardswish"),
                (nn.Hardtanh, "hardtanh"))
# They leave the mean square of what passes as it is.
_TRANSPARENT = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_UNKNOWN, _NO, _YES = range(3)


def _kind_of(module: nn.Module) -> Optional[str]:
    if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):
        return "linear"  # GPT-2's, stored as [in, out]
    return next((kind for cls, kind in _KINDS if isinstance(module, cls)), None)


def _activation_of(module: nn.Module) -> Optional[str]:
    if isinstance(module, nn.LeakyReLU):
        return "leaky_relu" if module.negative_slope == 0.01 else None
    if isinstance(module, nn.ELU) and module.alpha != 1:
        return None
    return next((name for cls, name in _ACTIVATIONS if isinstance(module, cls)), None)


def _is_sequence(module: nn.Module) -> bool:
    """A subclass with a forward of its own may do anything in it."""
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


class _Step(NamedTuple):
    """One module of a sequence, nested sequences opened."""

    name: str
    module: nn.Module


def _steps(prefix: str, sequence: nn.Sequential) -> List[_Step]:
    found = []
    for name, child in sequence.named_children():
        path = "%s.%s" % (prefix, name) if prefix else name
        if _is_sequence(child):
            found += _steps(path, child)
        else:
            found.append(_Step(path, child))
    return found


class _Order:
    """What follows the layers of one sequence: facts by the layer's name, and the longest chain."""

    def __init__(self, steps: List[_Step], is_whole: bool) -> None:
        self.facts: Dict[str, Dict[str, Any]] = {}
        self.chain: List[str] = []
        chain: List[str] = []
        for i, step in enumerate(steps):
            if _kind_of(step.module) in (None, "prelu") or _kind_of(step.module) in _NORMS:
                continue
            activation, norm, links = self._after(steps[i + 1:], is_whole)
            facts: Dict[str, Any] = {"norm_follows": norm}
            if activation is not None:
                facts["activation"] = activation
            if norm != _UNKNOWN:
                facts["in_residual"] = _NO
            self.facts[step.name] = facts
            if _kind_of(step.module) in _LINKS and activation is not None and norm == _NO:
                chain.append(step.name)
            else:
                chain = []
            if len(chain) > len(self.chain):
                self.chain = list(chain)
            if not links:
                chain = []

    @staticmethod
    def _after(steps: List[_Step], is_whole: bool) -> Tuple[Optional[str], int, bool]:
        """(the activation that follows, whether a norm does, whether the next layer is linked by nothing else)"""
        activation, norm = None, _NO
        for step in steps:
            kind = _kind_of(step.module)
            if kind in _NORMS:
                norm = _YES
            elif isinstance(step.module, _TRANSPARENT):
                continue
            elif activation is None and _activation_of(step.module) is not None:
                activation = _activation_of(step.module)
            elif kind in _LINKS:
                return activation or "linear", norm, norm == _NO
            else:
                # pooling, attention, a block of somebody's: what it does to the signal is not known
                return activation, norm if norm == _YES else _UNKNOWN, False
        if is_whole:
            return activation or "linear", norm, False
        return activation, norm if norm == _YES else _UNKNOWN, False


def _orders(model: nn.Module) -> Iterable[_Order]:
    """Of every sequence that is not part of another."""
    inside = set()
    for name, module in model.named_modules():
        if not _is_sequence(module) or name in inside:
            continue
        for path, child in module.named_modules(prefix=name):
            if _is_sequence(child):
                inside.add(path)
        yield _Order(_steps(name, module), module is model)


def _facts_of_class(module: nn.Module, kind: str, role: str) -> Dict[str, Any]:
    facts: Dict[str, Any] = {"layer_kind": lib.fanin_layer_kind_from_name(kind.encode()), "role": role}
    if kind.startswith("conv"):
        facts["groups"] = module.groups
    if kind.startswith("conv_transpose"):
        facts["layout"] = LAYOUTS.index("transposed")
    if type(module).__name__ == "Conv1D":
        facts["layout"] = LAYOUTS.index("in_out")
    return facts


def _weights_of(model: nn.Module) -> Tuple[List[Weight], List[str]]:
    """The tensors, and the layers of which it is not known what follows."""
    facts: Dict[str, Dict[str, Any]] = {}
    chain: List[str] = []
    for order in _orders(model):
        facts.update(order.facts)
        if len(order.chain) > len(chain):
            chain = order.chain
    weights, unknown, first = [], [], {}
    for name, module in model.named_modules():
        kind = _kind_of(module)
        if kind in _LINKS and not facts.get(name, {}).get("activation") and facts.get(name, {}).get("norm_follows") != _YES:
            unknown.append(name)
        tensors = [(role, p, False) for role, p in module.named_parameters(recurse=False)]
        tensors += [(role, b, True) for role, b in module.named_buffers(recurse=False)]
        for role, tensor, is_buffer in tensors:
            path = "%s.%s" % (name, role) if name else role
            known: Dict[str, Any] = {"is_buffer": is_buffer}
            if kind is not None:
                known.update(_facts_of_class(module, kind, role))
            if kind is not None and role == "weight":
                known.update(facts.get(name, {}))
                if name in chain and len(chain) > 1:
                    known["chain"] = chain.index(name) + 1
            if id(tensor) in first:
                known["tied_to"] = first[id(tensor)]
            else:
                first[id(tensor)] = path
            weights.append(Weight(path, tensor, **known))
    return weights, unknown


def check(model: nn.Module, *, config: Any = None, plan: Any = None,
          recipe: Union[None, str, "os.PathLike[str]"] = None, rules: Union[str, Iterable[str]] = (),
          activation: Optional[str] = None, expect: bool = False, deep: bool = False, target: Optional[str] = None,
          name: Optional[str] = None) -> Diagnosis:
    """Whether a live module is initialized as it should be: `fanin.check` with what its classes tell.

    Kinds of layers, groups and axes come from the modules' classes, ties from parameters that are one object. The
    activation and the norm that follow a layer, and chains of layers, are read from nn.Sequential; what a module calls in
    its forward is not known, which the diagnosis says in `notes`: give `activation`, or a config, plan or recipe.
    The module is not changed. Arguments and errors are those of `fanin.check`.
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("fanin.torch.check takes a torch.nn.Module, not %s; fanin.check takes state dicts and paths"
                            % type(model).__name__)
    found, make_options = prepare(config, plan, recipe, rules, activation, expect, deep, target)
    with torch.no_grad():
        weights, unknown = _weights_of(model)
    notes = []
    if unknown and activation is None:
        notes.append("What follows %s cannot be told from the order of the modules (%s): say activation=\"relu\", or give "
                     "config, plan or recipe." % ("1 layer" if len(unknown) == 1 else "%d layers" % len(unknown),
                                                  ", ".join(unknown[:3]) + (" ..." if len(unknown) > 3 else "")))
    return check_weights(weights, name or type(model).__name__, found, make_options, notes)
