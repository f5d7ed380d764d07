"""SPADE: a normalisation whose scale and shift are drawn from the labels and the noise (Park et al. 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.conditioning import Condition
from MedUSISLib.networks.initialisation import Initialisation
from MedUSISLib.networks.layers import batch_norm, convolution, convolve


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
        labels, noise = condition
        weight, bias = self.convolution.weight, self.convolution.bias
        assert bias is not None
        if noise is None:
            return convolve(labels, weight, bias, padding=1)
        if noise.ndim > 2:
            return convolve(torch.cat((noise.to(labels.dtype), labels), 1), weight, bias, padding=1)
        out = convolve(labels, weight[:, self.noise_channels :], bias, padding=1)
        taps = F.linear(noise.to(labels.dtype), weight[:, : self.noise_channels].movedim(1, -1).flatten(0, -2))
        taps = taps.view(noise.shape[0], *weight.shape[:1], *weight.shape[2:])
        return out + _spread(_border_cases(taps, out.shape[2:]), out.shape[2:])


def _border_cases(taps: Tensor, size: torch.Size) -> Tensor:
    """Sum, for each border case, the taps that lie inside the image: ``[B, O, 3, 3]``, or less if it is small."""
    for axis, wanted in enumerate(size, start=2):
        cases = min(wanted, 3)
        inside = [[float(0 <= case + tap - 1 < cases) for tap in range(3)] for case in range(cases)]
        taps = torch.tensordot(taps, torch.tensor(inside, device=taps.device, dtype=taps.dtype), ([axis], [1]))
        taps = taps.movedim(-1, axis)
    return taps


def _spread(cases: Tensor, size: torch.Size) -> Tensor:
    """Repeat the inner value of each axis until the size is reached; first and last stay."""
    for axis, wanted in enumerate(size, start=2):
        if wanted > 3:
            shape = list(cases.shape)
            shape[axis] = wanted - 2
            inner = cases.narrow(axis, 1, 1).expand(shape)
            cases = torch.cat((cases.narrow(axis, 0, 1), inner, cases.narrow(axis, 2, 1)), axis)
    return cases


class Spade(nn.Module):
    """``norm(x) * (1 + gamma) + beta`` with gamma and beta convolved from labels and noise.

    Parameters
    ----------
    channels : int
        Channels of ``x``.
    classes, noise_channels : int
        Channels of the labels and of the noise.
    hidden : int
        Width of the shared convolution (128 in the paper).
    spatial_dims : {2, 3}
    scheme, gain
        Start of the three convolutions, see `initialisation`.

    Notes
    -----
    `modulation` depends on labels and noise only: computed once, it serves every dropout pass (exact).
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        noise_channels: int,
        hidden: int = 128,
        spatial_dims: int = 2,
        scheme: Initialisation = Initialisation.XAVIER,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.norm = batch_norm(spatial_dims, channels)
        self.shared = ConditionConvolution(classes, noise_channels, hidden, spatial_dims, scheme, gain)
        self.gamma = convolution(spatial_dims, hidden, channels, 3, scheme=scheme, gain=gain)
        self.beta = convolution(spatial_dims, hidden, channels, 3, scheme=scheme, gain=gain)

    def modulation(self, condition: Condition) -> Tensor:
        """``[B, 2c, ...]``: first ``1 + gamma``, then ``beta``; one convolution makes both."""
        hidden = F.relu(self.shared(condition))
        assert self.gamma.bias is not None and self.beta.bias is not None
        weight = torch.cat((self.gamma.weight, self.beta.weight))
        bias = torch.cat((self.gamma.bias + 1, self.beta.bias))
        return convolve(hidden, weight, bias, padding=1)

    def modulate(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Normalise ``x`` (``[B, c, ...]``) and apply a modulation from `modulation`."""
        scale, shift = modulation.chunk(2, 1)
        return torch.addcmul(shift, self.norm(x).to(shift.dtype), scale)

    def forward(self, x: Tensor, condition: Condition) -> Tensor:
        """Normalise and modulate; the condition must have the size of ``x``."""
        return self.modulate(x, self.modulation(condition))

    @torch.no_grad()
    def fold_batch_norm(self) -> None:
        """Take the running statistics into gamma and beta (exact in eval mode); the norm becomes the identity."""
        if isinstance(self.norm, nn.Identity):
            return
        mean, variance, eps = self.norm.running_mean, self.norm.running_var, self.norm.eps
        assert isinstance(mean, Tensor) and isinstance(variance, Tensor) and isinstance(eps, float)
        factor = torch.rsqrt(variance + eps)
        gamma, beta = self.gamma, self.beta
        assert gamma.bias is not None and beta.bias is not None
        column = (-1, *(1,) * (gamma.weight.ndim - 1))
        gamma.weight.mul_(factor.view(column))
        gamma.bias.copy_((gamma.bias + 1) * factor - 1)
        beta.weight.sub_(mean.view(column) * gamma.weight)
        beta.bias.sub_(mean * (gamma.bias + 1))
        self.norm = nn.Identity()


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold the BatchNorm of every SPADE layer of a network in eval mode, in place; the output does not change."""
    if network.training:
        raise ValueError("fold BatchNorm in eval mode only: call network.eval() first")
    for module in network.modules():
        if isinstance(module, Spade):
            module.fold_batch_norm()
    return network
