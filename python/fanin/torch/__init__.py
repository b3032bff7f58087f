# SPDX-License-Identifier: MIT
"""fanin for torch: `fanin.torch.init` is torch.nn.init with the same bytes, `accelerate()` makes code that is not yours
faster, `record()` turns a constructor into a plan,
`check()` says whether a model is initialized as it should be."""

from . import init
from ._accelerate import accelerate
from ._check_module import check
from ._materialize import Shard
from ._recording import record
from ._tape import Refused

__all__ = ["Refused", "Shard", "accelerate", "check", "init", "record"]
