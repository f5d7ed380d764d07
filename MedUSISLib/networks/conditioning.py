"""What the generator is told - labels and noise - at every size that its SPADE layers ask for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from MedUSISLib.networks.grain import coarser_grain, grain_map


class Condition(NamedTuple):
    """Labels and noise at one size."""

    labels: Tensor
    """One-hot map ``[B, C, ...]``."""
    noise: Tensor | None
    """``[B, Z]`` (the same everywhere), ``[B, Z, ...]`` (a map) or None (no noise channels)."""
    grain: Tensor | None = None
    """White noise ``[B, 1, ...]``, see `grain`, or None."""


class Conditioning:
    """The labels and noise of a batch; resizes them with *nearest*, each size once.

    Nearest by a whole factor is strided slicing (pixel ``i`` takes source pixel ``i * factor``, as `F.interpolate`
    does), so no interpolation is run, and a one-hot map stays one-hot.

    Parameters
    ----------
    onehot : Tensor
        ``[B, C, H, W]`` or ``[B, C, D, H, W]``.
    z : Tensor or None
        ``[B, Z]``, ``[B, Z, H, W]`` or None. None means the mean noise, zero.
    noise_channels : int
        ``Z`` of the network; 0 for the deterministic variant.
    grain : bool
        Whether a map of white noise is made from labels and noise (needs noise that is constant in space).

    Raises
    ------
    ValueError
        If the noise does not fit the network or the labels.
    """

    def __init__(self, onehot: Tensor, z: Tensor | None, noise_channels: int, grain: bool = False) -> None:
        if onehot.ndim not in (4, 5):
            raise ValueError(f"labels are [B, C, H, W] or [B, C, D, H, W], got {onehot.ndim} axes")
        if noise_channels == 0:
            if z is not None and z.numel():
                raise ValueError("this network has no noise channels: call it with z=None")
            z = None
        elif z is None:
            z = onehot.new_zeros((onehot.shape[0], noise_channels))
        if z is not None:
            constant, mapped = (onehot.shape[0], noise_channels), (onehot.shape[0], noise_channels, *onehot.shape[2:])
            if tuple(z.shape) not in (constant, mapped):
                raise ValueError(f"noise is {constant} or {mapped} for these labels, got {tuple(z.shape)}")
        self._onehot = onehot if onehot.is_floating_point() else onehot.float()
        self._z = z
        self._grain = grain_map(onehot, z) if grain and z is not None and z.ndim == 2 else None
        self._sizes: dict[int, Condition] = {}

    def at(self, factor: int) -> Condition:
        """Labels and noise at ``1 / factor`` of the full size."""
        if factor not in self._sizes:
            noise = self._z
            if noise is not None and noise.ndim > 2:
                noise = _every(noise, factor)
            grain = None if self._grain is None else coarser_grain(self._grain, factor)
            self._sizes[factor] = Condition(_every(self._onehot, factor), noise, grain)
        return self._sizes[factor]


def _every(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    form = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    form = form if x.is_contiguous(memory_format=form) else torch.contiguous_format
    return x[(slice(None), slice(None), *(slice(None, None, factor),) * (x.ndim - 2))].contiguous(memory_format=form)


def check_size(onehot: Tensor, classes: int, multiple: int) -> None:
    """Refuse labels that the network cannot take, in words.

    Raises
    ------
    ValueError
        If the channels are not the schema's classes or a size is no multiple of ``multiple``.
    """
    if onehot.shape[1] != classes:
        raise ValueError(f"the network knows {classes} classes, the labels have {onehot.shape[1]} channels")
    if any(size % multiple for size in onehot.shape[2:]):
        raise ValueError(f"sizes must be multiples of {multiple}, got {tuple(onehot.shape[2:])}: pad or crop first")
