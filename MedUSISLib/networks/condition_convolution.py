"""The convolution of labels and noise that opens the generators and every SPADE layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.conditioning import Condition
from MedUSISLib.networks.constant_noise import add_constant_noise
from MedUSISLib.networks.initialisation import Initialisation
from MedUSISLib.networks.layers import convolution, convolve


class ConditionConvolution(nn.Module):
    """Convolution 3x3 of ``concat(z, onehot)`` that does not carry constant noise over space.

    Where ``z`` is one vector per sample, its convolution takes only one value per border case (3 per axis: first
    pixel, inside, last pixel). Those are summed from the taps and spread; exact, in training too. It saves 64 of
    the 64 + C input channels at full size.

    Notes
    -----
    At the start a Xavier weight would let 9 taps of 64 constant noise channels drown the 9 active taps of the one-hot
    map by sqrt(64) = 8 to 1. The noise columns therefore start at 1/8 of that.
    """

    def __init__(
        self, classes: int, noise_channels: int, outputs: int, spatial_dims: int, scheme: Initialisation, gain: float
    ) -> None:
        super().__init__()
        self.noise_channels = noise_channels
        self.convolution = convolution(spatial_dims, noise_channels + classes, outputs, 3, scheme=scheme, gain=gain)
        if noise_channels:
            with torch.no_grad():
                self.convolution.weight[:, :noise_channels].mul_(noise_channels**-0.5)

    def forward(self, condition: Condition) -> Tensor:
        """``[B, outputs, ...]`` at the condition's size."""
        labels, noise = condition.labels, condition.noise
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        if noise is None:
            return convolve(labels, weight, bias, padding=1)
        if noise.ndim > 2:
            return convolve(torch.cat((noise.to(labels.dtype), labels), 1), weight, bias, padding=1)
        out = convolve(labels, weight[:, self.noise_channels :], bias, padding=1)
        taps = F.linear(noise.to(labels.dtype), weight[:, : self.noise_channels].movedim(1, -1).flatten(0, -2))
        taps = taps.view(noise.shape[0], *weight.shape[:1], *weight.shape[2:])
        return add_constant_noise(out, taps)
