# SPDX-License-Identifier: MIT
"""The initial weights of neural networks: the bytes of torch.nn.init, from the same seed, in C.

    import numpy as np, fanin
    g = fanin.Generator(42)                                     # torch.manual_seed(42)
    w = np.empty((512, 256), np.float32)
    fanin.init.kaiming_uniform_(w, a=5**0.5, generator=g)       # nn.Linear(256, 512).weight

fanin.init      torch.nn.init on arrays, in place            fanin.Generator  seeds, draws, torch's state bytes
fanin.view      what the bytes of an array are               fanin.Plan       plans: a whole model from one seed
fanin.check     whether weights are initialized as they should be
fanin.torch     for torch: `init` as a drop-in, `accelerate()`, `check(model)`; needs torch, and is imported only by name
"""

from . import init
from ._check import Diagnosis, Finding, check
from ._lib import DTYPES, VERSION as __version__
from ._tensor import View, view
from ._threads import get_num_threads, set_num_threads
from .errors import (ArgumentError, ArrayError, CancelledError, DtypeError, FaninError, FileError, FormatError,
                     MismatchError, OutOfMemoryError, OutputExistsError, ShapeError, UnsupportedError)
from .generator import Generator, profiles
from .plan import Plan, PlanTensor

__all__ = ["init", "check", "Diagnosis", "Finding", "DTYPES", "View", "view", "get_num_threads", "set_num_threads", "Generator", "profiles", "Plan", "PlanTensor",
           "FaninError", "ArgumentError", "ArrayError", "CancelledError", "DtypeError", "FileError", "FormatError",
           "MismatchError", "OutOfMemoryError", "OutputExistsError", "ShapeError", "UnsupportedError"]
