"""Equalised learning rate (Karras et al. 2018), and the activation and blur that go with it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.layers import SLOPE, convolve

BLUR = (1.0, 3.0, 3.0, 1.0)


class EqualisedConvolution(nn.Module):
    """Convolution without bias whose weights are N(0, 1) and are scaled by ``1 / sqrt(fan in)`` when used."""

    def __init__(
        self, spatial_dims: int, inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * spatial_dims))
        self.scale = 1 / math.sqrt(inputs * kernel**spatial_dims)
        self.stride = stride
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        """Convolve; zero padding."""
        return convolve(x, self.weight * self.scale, stride=self.stride, padding=self.padding)


class EqualisedLinear(nn.Module):
    """Linear layer without bias, scaled as `EqualisedConvolution` is."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs]`` -> ``[B, outputs]``."""
        return F.linear(x, self.weight * self.scale)


class BiasedLeakyRelu(nn.Module):
    """``sqrt(2) * lrelu0.2(x + bias)``: keeps the variance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape with the channels at axis 1."""
        shifted = x + self.bias.to(x.dtype).view(-1, *(1,) * (x.ndim - 2))
        # Times first, which is the same, and in place: what the backward pass keeps is the output, which the next layer
        # keeps anyway.
        return F.leaky_relu_(shifted.mul_(math.sqrt(2)), SLOPE)


def blur(x: Tensor, stride: int, padding: int, edge: bool = False) -> Tensor:
    """Binomial blur [1, 3, 3, 1] of every channel, axis after axis.

    Parameters
    ----------
    x : Tensor
        ``[B, c, ...]``.
    stride : int
        1, or 2 to halve the size with ``padding=1``.
    padding : int
        Pixels added on every side first.
    edge : bool
        Repeat the edge instead of adding zeros (for images, whose zero is mid-grey).
    """
    dimensions = x.ndim - 2
    if edge:
        x, padding = F.pad(x, (padding,) * (2 * dimensions), mode="replicate"), 0
    taps = torch.tensor(BLUR, dtype=x.dtype, device=x.device) / sum(BLUR)
    function = F.conv2d if dimensions == 2 else F.conv3d
    for axis in range(dimensions):
        shape, steps, pads = [1] * dimensions, [1] * dimensions, [0] * dimensions
        shape[axis], steps[axis], pads[axis] = len(BLUR), stride, padding
        kernel = taps.view(1, 1, *shape).expand(x.shape[1], 1, *shape)
        x = function(x, kernel, stride=steps, padding=pads, groups=x.shape[1])
    return x
