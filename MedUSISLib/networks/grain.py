"""Grain: the one input of a generator that differs from pixel to pixel without meaning anything.

Labels and a noise vector that is the same everywhere cannot tell a generator where a grain of texture lies; asked for
texture all the same, it answers with a regular pattern, a checkerboard in flat tissue. A map of white noise, scaled
channel by channel with learned strengths (as in StyleGAN), gives it something to make texture from.
"""

from __future__ import annotations

import zlib

import torch
import torch.nn.functional as F
from torch import Tensor

_STEP = 4


def grain_map(onehot: Tensor, z: Tensor) -> Tensor:
    """White noise for each image of a batch, a function of its labels and its noise vector alone.

    The same labels and noise give the same grain, in whatever batch, pass or session; neighbouring slices, whose labels
    differ, get independent grain, as noise of an acquisition would be.

    Parameters
    ----------
    onehot : Tensor
        ``[B, C, H, W]`` or ``[B, C, D, H, W]``.
    z : Tensor
        ``[B, Z]``.

    Returns
    -------
    Tensor
        ``[B, 1, H, W]`` or ``[B, 1, D, H, W]``, standard normal.
    """
    shape = (1, *onehot.shape[2:])
    if onehot.device.type == "meta":
        return onehot.new_empty((len(onehot), *shape))
    coarse = onehot[(slice(None), slice(None), *(slice(None, None, _STEP),) * (onehot.ndim - 2))].argmax(1)
    labels, noise = coarse.to("cpu", torch.uint8), z.detach().to("cpu", torch.float32)
    maps = []
    for one, vector in zip(labels, noise, strict=True):
        seed = zlib.crc32(vector.contiguous().numpy().tobytes(), zlib.crc32(one.contiguous().numpy().tobytes()))
        maps.append(torch.randn(shape, generator=torch.Generator().manual_seed(seed)))
    return torch.stack(maps).to(onehot.device, onehot.dtype)


def coarser_grain(grain: Tensor, factor: int) -> Tensor:
    """The map at ``1 / factor`` of its size, by averaging, with unit variance again."""
    if factor == 1:
        return grain
    pool = F.avg_pool2d if grain.ndim == 4 else F.avg_pool3d
    return pool(grain, factor) * factor ** ((grain.ndim - 2) / 2)
