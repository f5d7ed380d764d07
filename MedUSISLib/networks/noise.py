"""The generator's noise: one vector per volume, or one per class, drawn from a normal cut off at ``bound``."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def truncated_normal(
    shape: Sequence[int],
    bound: float | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Draw from N(0, 1) restricted to [-bound, bound] by the inverse of its distribution function.

    Drawn on the CPU in double precision and then moved, so that one seed gives the same noise on every device.

    Parameters
    ----------
    shape : sequence of int
        For example ``(batch, 64)``.
    bound : float or None
        The truncation ``a`` (the thesis's best is 2); None draws the whole normal.
    generator : torch.Generator, optional
        A CPU generator; the global random state otherwise.
    device : device
        Where the result goes.

    Raises
    ------
    ValueError
        If the bound is not positive.
    """
    if bound is None or math.isinf(bound):
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float64).float().to(device)
    if not bound > 0:
        raise ValueError(f"the truncation must be positive, got {bound}")
    uniform = torch.rand(tuple(shape), generator=generator, dtype=torch.float64) * 2 - 1
    limit = math.erf(bound / math.sqrt(2))
    values = torch.erfinv(uniform * limit) * math.sqrt(2)
    return values.clamp_(-bound, bound).float().to(device)


def spread_per_class(z: Tensor, onehot: Tensor) -> Tensor:
    """Give each class its own noise vector.

    Parameters
    ----------
    z : Tensor
        ``[B, C, Z]``.
    onehot : Tensor
        ``[B, C, H, W]`` or ``[B, C, D, H, W]``.

    Returns
    -------
    Tensor
        ``[B, Z, H, W]`` or ``[B, Z, D, H, W]``: every pixel has the vector of its class.
    """
    if z.shape[:2] != onehot.shape[:2]:
        raise ValueError(f"noise {tuple(z.shape)} and labels {tuple(onehot.shape)} differ in batch or classes")
    return torch.einsum("bcz,bc...->bz...", z.to(onehot.dtype), onehot)
