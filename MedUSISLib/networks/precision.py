"""Where autocast must not reach: the few steps in which bfloat16's 8 bits would show."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def in_full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Context without autocast on the tensor's device (the meta device, used for counting, has none)."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)
