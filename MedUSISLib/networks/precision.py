"""In what precision networks compute, and where autocast must not reach: the steps in which bfloat16's 8 bits show."""

from __future__ import annotations

import platform
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def in_full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Context without autocast on the tensor's device (the meta device, used for counting, has none)."""
    return nullcontext() if x.device.type == "meta" else torch.autocast(x.device.type, enabled=False)


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """The type to compute with for a generator's precision: float32 where a device has no bfloat16 of its own.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
        What the generator was validated with.
    device : torch.device
    """
    if precision != "bfloat16":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    """Whether bfloat16 is computed by instructions of its own; elsewhere it is several times slower than float32."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return bool(torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported())
    asked = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(ask is not None and bool(ask()) for ask in asked)
