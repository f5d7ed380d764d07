"""The orthonormal Haar transform of one level, in 2D and 3D, written with strided slices and additions.

Channel layout: *bands-major*. An image of ``c`` channels becomes ``2**d * c`` channels, first all ``c`` channels of
band 0, then all of band 1, and so on. Bit ``k`` of the band's number says whether the band holds differences (1) or
sums (0) along spatial axis ``k``. In 2D, for a block ``(a b / c d)``::

    band 0 = LL = (a + b + c + d) / 2        band 1 = LH = (a + b - c - d) / 2   (difference down the rows)
    band 2 = HL = (a - b + c - d) / 2        band 3 = HH = (a - b - c + d) / 2   (band 2: along the columns)

The transform is its own transpose's inverse, so the gradient of one direction is the other direction. Both are written
as autograd functions that say so: no intermediate is kept, and second derivatives (R1) work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def haar_forward(x: Tensor) -> Tensor:
    """Split an image into its Haar bands at half the size.

    Parameters
    ----------
    x : Tensor
        ``[B, c, 2n, 2m]`` or ``[B, c, 2l, 2n, 2m]``; every spatial size even.

    Returns
    -------
    Tensor
        ``[B, 4c, n, m]`` or ``[B, 8c, l, n, m]``, bands-major.

    Raises
    ------
    ValueError
        If a spatial size is odd.

    Examples
    --------
    >>> haar_forward(torch.ones(1, 3, 4, 6)).shape
    torch.Size([1, 12, 2, 3])
    """
    _check_dimensions(x)
    if any(size % 2 for size in x.shape[2:]):
        raise ValueError(f"the Haar transform needs even sizes, got {tuple(x.shape[2:])}")
    return _HaarForward.apply(x) if x.requires_grad and torch.is_grad_enabled() else _split(x)


def haar_inverse(x: Tensor) -> Tensor:
    """Put an image together from its Haar bands, at twice the size; undoes `haar_forward` exactly.

    Parameters
    ----------
    x : Tensor
        ``[B, 4c, n, m]`` or ``[B, 8c, l, n, m]``, bands-major.

    Returns
    -------
    Tensor
        ``[B, c, 2n, 2m]`` or ``[B, c, 2l, 2n, 2m]``.

    Raises
    ------
    ValueError
        If the channels cannot be divided into 4 (2D) or 8 (3D) bands.
    """
    dimensions = _check_dimensions(x)
    if x.shape[1] % 2**dimensions:
        raise ValueError(f"{x.shape[1]} channels are not {2**dimensions} bands of equal width")
    return _HaarInverse.apply(x) if x.requires_grad and torch.is_grad_enabled() else _join(x)


def hadamard(parts: list[Tensor], scale: float) -> list[Tensor]:
    """Sums and differences of ``2**d`` equally shaped tensors: band from parity image and back (it is symmetric).

    Parameters
    ----------
    parts : list of Tensor
        ``2**d`` tensors; bit ``k`` of the position belongs to spatial axis ``k``.
    scale : float
        ``2 ** (-d / 2)`` makes it orthonormal.
    """
    parts = list(parts)
    step = 1
    while step < len(parts):
        for i in range(len(parts)):
            if not i & step:
                a, b = parts[i], parts[i | step]
                parts[i], parts[i | step] = a + b, a - b
        step *= 2
    for part in parts:
        part.mul_(scale)
    return parts


def _check_dimensions(x: Tensor) -> int:
    if x.ndim not in (4, 5):
        raise ValueError(f"expected [B, c, H, W] or [B, c, D, H, W], got {x.ndim} axes")
    return x.ndim - 2


def _parity(number: int, dimensions: int) -> tuple[Any, ...]:
    """Index of the pixels whose coordinates are odd along the axes whose bit is set."""
    return (slice(None), slice(None), *(slice((number >> axis) & 1, None, 2) for axis in range(dimensions)))


def _memory_format(x: Tensor) -> torch.memory_format:
    wanted = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    return wanted if x.is_contiguous(memory_format=wanted) else torch.contiguous_format


def _split(x: Tensor) -> Tensor:
    dimensions = x.ndim - 2
    parts = [x[_parity(p, dimensions)] for p in range(2**dimensions)]
    return torch.cat(hadamard(parts, 2 ** (-dimensions / 2)), 1)


def _join(x: Tensor) -> Tensor:
    dimensions = x.ndim - 2
    shape = (x.shape[0], x.shape[1] // 2**dimensions, *(2 * size for size in x.shape[2:]))
    out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=_memory_format(x))
    for p, part in enumerate(hadamard(list(x.chunk(2**dimensions, 1)), 2 ** (-dimensions / 2))):
        out[_parity(p, dimensions)] = part
    return out


class _HaarForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        return _split(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return haar_inverse(gradients[0])


class _HaarInverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # noqa: ARG004
        return _join(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ARG004
        return haar_forward(gradients[0])
