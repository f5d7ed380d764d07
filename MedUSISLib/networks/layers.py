"""Convolutions of 2 or 3 dimensions by one name each, so that every network is written once for both."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.initialisation import Initialisation, initialise
from MedUSISLib.networks.spectral_norm import spectral_norm

SLOPE = 0.2  # of every leaky ReLU in these networks


def check_spatial_dims(spatial_dims: int) -> int:
    """2 or 3, or a ValueError."""
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims is 2 or 3, not {spatial_dims!r}")
    return spatial_dims


def convolution(
    spatial_dims: int,
    inputs: int,
    outputs: int,
    kernel: int,
    *,
    bias: bool = True,
    spectral: bool = False,
    scheme: Initialisation = Initialisation.XAVIER,
    gain: float = 1.0,
) -> nn.Conv2d | nn.Conv3d:
    """A zero-padded convolution that keeps the size, initialised, then (when asked) wrapped with spectral norm."""
    kind: type[nn.Conv2d] | type[nn.Conv3d] = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
    layer = initialise(kind(inputs, outputs, kernel, padding=kernel // 2, bias=bias), scheme, gain)
    return spectral_norm(layer) if spectral else layer


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None = None, **options: int) -> Tensor:
    """`F.conv2d` or `F.conv3d`, by the number of axes."""
    function = F.conv2d if x.ndim == 4 else F.conv3d
    return function(x, weight, bias, **options)


def batch_norm(spatial_dims: int, channels: int) -> nn.Module:
    """BatchNorm without its own scale and shift; `synchronise_batch_norm` makes it that of all processes."""
    kind = nn.BatchNorm2d if spatial_dims == 2 else nn.BatchNorm3d
    return kind(channels, affine=False)


def leaky_relu(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2."""
    return F.leaky_relu(x, SLOPE)


def leaky_relu_(x: Tensor) -> Tensor:
    """The same in place, where nothing else needs ``x``: training then keeps one tensor instead of two."""
    return F.leaky_relu_(x, SLOPE)


def nearest_up(x: Tensor) -> Tensor:
    """Twice the size by repetition."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def linear_up(x: Tensor) -> Tensor:
    """Twice the size, bilinear or trilinear (half-pixel centres)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear" if x.ndim == 4 else "trilinear", align_corners=False)


def average_pool(x: Tensor) -> Tensor:
    """Half the size by block means."""
    return F.avg_pool2d(x, 2) if x.ndim == 4 else F.avg_pool3d(x, 2)
