"""Noise that is the same everywhere, convolved: one value per border case instead of one per pixel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor


def add_constant_noise(out: Tensor, taps: Tensor) -> Tensor:
    """Add the 3x3 (3x3x3) convolution, zero-padded, of a constant; ``out`` is changed in place.

    Parameters
    ----------
    out : Tensor
        ``[B, O, ...]`` what it is added to.
    taps : Tensor
        ``[B, O, 3, 3]`` or ``[B, O, 3, 3, 3]``: the kernel's taps, already multiplied by the constant.

    Notes
    -----
    A pixel's value is the sum of the taps that fall inside the image, which depends only on whether the pixel is the
    first, an inner or the last one of each axis: 9 cases in 2D, 27 in 3D. They are added region by region.
    """
    return _AddByRegion.apply(out, _sums_inside(taps, out.shape[2:]))


def _sums_inside(taps: Tensor, size: torch.Size) -> Tensor:
    """For each border case the sum of the taps inside the image: ``[B, O, 3, 3]``, less along an axis below 3."""
    for axis, length in enumerate(size, start=2):
        cases = min(length, 3)
        inside = [[float(0 <= case + tap - 1 < cases) for tap in range(3)] for case in range(cases)]
        taps = torch.tensordot(taps, torch.tensor(inside, device=taps.device, dtype=taps.dtype), ([axis], [1]))
        taps = taps.movedim(-1, axis)
    return taps


def _regions(size: torch.Size) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Index of each region of the image, and of its value among the cases (both keep their axes)."""
    axes = []
    for length in size:
        bounds = list(range(length + 1)) if length <= 3 else [0, 1, length - 1, length]
        axes.append([(slice(a, b), slice(i, i + 1)) for i, (a, b) in enumerate(zip(bounds, bounds[1:], strict=False))])
    every = (slice(None), slice(None))
    for choice in product(*axes):
        yield (*every, *(pixels for pixels, _ in choice)), (*every, *(case for _, case in choice))


class _AddByRegion(torch.autograd.Function):
    """In place and in the memory format of the large tensor: half the time of adding a map of the values."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, cases: Tensor) -> Tensor:
        ctx.cases_like = cases.shape, cases.dtype
        # With the channels side by side, as in `out`, the addition is vectorised: a tenth of the time.
        cases = cases.contiguous(memory_format=torch.channels_last if out.ndim == 4 else torch.channels_last_3d)
        for pixels, case in _regions(out.shape[2:]):
            out[pixels].add_(cases[case])
        ctx.mark_dirty(out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gradient = gradients[0]
        shape, dtype = ctx.cases_like
        exact = torch.promote_types(dtype, torch.float32)
        sums = torch.empty(shape, dtype=exact, device=gradient.device)
        spatial = tuple(range(2, gradient.ndim))
        # The sum over a cut of the image takes ten times as long as that over all of it: the inside is what is left.
        # (dtype=exact here would first copy the image; torch sums bfloat16 in single precision anyway.)
        left = gradient.sum(spatial, keepdim=True).to(exact)
        inside = (slice(None), slice(None), *(slice(1, 2) if cases == 3 else slice(0, 1) for cases in shape[2:]))
        for pixels, case in _regions(gradient.shape[2:]):
            if case != inside:
                sums[case] = gradient[pixels].sum(spatial, keepdim=True).to(exact)
                left = left - sums[case]
        sums[inside] = left
        return gradient, sums.to(dtype)
