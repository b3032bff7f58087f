# SPDX-License-Identifier: MIT
"""The names a finished model gives to its memory, and the end of hollow tensors in it."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Mapping, Tuple

import torch

from ._record import Recorder
from ._tape import UNDEFINED, Name, Refused


def named_tensors(result: Any) -> Iterator[Tuple[str, torch.Tensor, str, bool]]:
    """(name, tensor, "param" or "buffer", persistent) of a module, or of a mapping of names to tensors."""
    if isinstance(result, torch.nn.Module):
        for name, parameter in result.named_parameters(remove_duplicate=False):
            yield name, parameter, "param", True
        transient = {
            (prefix + "." if prefix else "") + name
            for prefix, module in result.named_modules(remove_duplicate=False)
            for name in module._non_persistent_buffers_set
        }
        for name, buffer in result.named_buffers(remove_duplicate=False):
            yield name, buffer, "buffer", name not in transient
    elif isinstance(result, Mapping):
        for name, tensor in result.items():
            if not isinstance(tensor, torch.Tensor):
                raise Refused("the value under %r is a %s, not a tensor" % (name, type(tensor).__name__))
            yield str(name), tensor, "param", True
    elif isinstance(result, torch.Tensor):
        yield "tensor", result, "param", True
    else:
        raise Refused(
            "the callable returned a %s; return a torch.nn.Module, or a dict of tensors" % type(result).__name__
        )


def capture(recorder: Recorder, result: Any) -> None:
    """Fills Tape.names."""
    owners: Dict[Any, str] = {}
    for name, tensor, kind, persistent in named_tensors(result):
        if torch.nn.parameter.is_lazy(tensor):
            raise Refused("%s has no shape yet (a lazy module); run the model once inside the callable" % name)
        found = Name(name, kind, persistent, tuple(tensor.shape), tensor.dtype)
        recorder.tape.names.append(found)
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            what = "quantized" if tensor.is_quantized else "%s on %s" % (tensor.layout, tensor.device)
            found.refused = "it is %s; plans hold strided tensors on the CPU" % what
            continue
        if (
            type(tensor) is not torch.Tensor
            and type(tensor) is not torch.nn.Parameter
            and hasattr(tensor, "__tensor_flatten__")
        ):
            found.refused = "it is a %s" % type(tensor).__name__
            continue
        key = (
            tensor.untyped_storage()._cdata,
            tensor.storage_offset(),
            found.shape,
            tensor.stride(),
            tensor.dtype,
            kind,
            persistent,
        )
        key = key if tensor.numel() > 0 else (id(tensor), kind, persistent)
        owner = owners.setdefault(key, name)
        if owner != name:
            found.alias_of = owner
        elif recorder.is_hollow(tensor):
            found.value = recorder.view(tensor)
        elif recorder.is_undefined(tensor):
            found.refused = UNDEFINED
        else:
            found.value = recorder.tape.add_constant(tensor)


def drop_hollow(recorder: Recorder, result: Any) -> None:
    """Puts meta tensors in the place of hollow ones, so that a model that is kept cannot be read."""
    if not isinstance(result, torch.nn.Module):
        return
    replaced: Dict[int, torch.Tensor] = {}
    for module in result.modules():
        for tensors in (module._parameters, module._buffers):
            for key, tensor in tensors.items():
                if tensor is None or torch.nn.parameter.is_lazy(tensor) or not recorder.is_hollow(tensor):
                    continue
                if id(tensor) not in replaced:
                    meta: torch.Tensor = torch.empty_strided(
                        tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta"
                    )
                    if isinstance(tensor, torch.nn.Parameter):
                        meta = torch.nn.Parameter(meta, requires_grad=tensor.requires_grad)
                    replaced[id(tensor)] = meta
                tensors[key] = replaced[id(tensor)]
