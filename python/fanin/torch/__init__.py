# SPDX-License-Identifier: MIT
"""fanin for torch: `fanin.torch.init` is torch.nn.init with the same bytes, `accelerate()` makes code that is not yours
faster, `record()` turns a constructor into a plan."""

from . import init
from ._accelerate import accelerate
from ._materialize import Shard
from ._recording import record
from ._tape import Refused

__all__ = ["Refused", "Shard", "accelerate", "init", "record"]
