"""Structural similarity (Wang et al. 2004) by MONAI, with the data range that belongs to the images.

The published work took a range of 255 on images in [0, 1]; that gives 0.9997 where the truth is 0.30.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn


@lru_cache(maxsize=8)
def _monai_ssim(spatial_dims: int, window: int) -> nn.Module:
    from monai.losses.ssim_loss import SSIMLoss

    return SSIMLoss(spatial_dims=spatial_dims, data_range=1.0, win_size=window)


def ssim_loss(image: Tensor, target: Tensor, window: int = 11) -> Tensor:
    """``1 - SSIM`` of images in [-1, 1], brought to [0, 1] first; data range 1.

    Parameters
    ----------
    image, target : Tensor
        ``[B, 1, ...]`` in [-1, 1]; no side smaller than the window.
    window : int
        Side of the Gaussian window in pixels.
    """
    with torch.autocast(image.device.type, enabled=False):
        return _monai_ssim(image.ndim - 2, window)((image.float() + 1) / 2, (target.float() + 1) / 2)
