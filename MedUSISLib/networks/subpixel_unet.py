"""A U-Net that works at half resolution and answers at full resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.nets import BasicUNet
from torch import nn
from torch.nn import functional as F


class SubpixelUNet(nn.Module):
    """MONAI's BasicUNet between a pixel unshuffle and a pixel shuffle (2D).

    Each 2x2 block of pixels becomes four channels, so a 256x256 slice costs what a 128x128 one does, and the class of
    every single pixel is still answered (Shi et al., CVPR 2016).

    Parameters
    ----------
    in_channels, out_channels : int
    features : sequence of 6 int
        Widths of BasicUNet's five levels and of its last stage.

    Notes
    -----
    Input (B, in_channels, H, W), output (B, out_channels, H, W) logits; H and W multiples of 32.
    """

    def __init__(
        self, in_channels: int, out_channels: int, features: Sequence[int] = (32, 48, 96, 128, 160, 48)
    ) -> None:
        super().__init__()
        self.size_multiple = 32
        self.body = BasicUNet(
            spatial_dims=2,
            in_channels=in_channels * 4,
            out_channels=out_channels * 4,
            features=tuple(features),
            norm="batch",
            act=("leakyrelu", {"negative_slope": 0.1, "inplace": True}),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(self.body(F.pixel_unshuffle(x, 2)), 2)
