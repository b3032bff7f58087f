# SPDX-License-Identifier: MIT
"""fanin for torch: `fanin.torch.init` is torch.nn.init with the same bytes, `accelerate()` makes code that is not yours
faster, `record()` turns a constructor into a plan."""

import torch  # noqa: F401  (says that it is missing before anything else does)

from ._materialize import Shard
from ._recording import record
from ._tape import Refused

__all__ = ["Refused", "Shard", "record"]
