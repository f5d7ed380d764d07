"""SPADE: a normalisation whose scale and shift are drawn from the labels and the noise (Park et al. 2019)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.conditioning import Condition
from MedUSISLib.networks.initialisation import Initialisation
from MedUSISLib.networks.layers import batch_norm, convolution, convolve

#: Small enough not to disturb trained weights that grain is added to, large enough to be found useful.
_GRAIN_START = 0.05


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
    grain : bool
        A learned strength per channel with which grain is added to beta.

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
        grain: bool = False,
    ) -> None:
        super().__init__()
        self.grain = nn.Parameter(torch.full((channels,), _GRAIN_START)) if grain else None
        self.norm = batch_norm(spatial_dims, channels)
        self.shared = ConditionConvolution(classes, noise_channels, hidden, spatial_dims, scheme, gain)
        self.gamma = convolution(spatial_dims, hidden, channels, 3, scheme=scheme, gain=gain)
        self.beta = convolution(spatial_dims, hidden, channels, 3, scheme=scheme, gain=gain)

    def modulation(self, condition: Condition) -> Tensor:
        """``[B, 2c, ...]``: first ``1 + gamma``, then ``beta``; one convolution makes both."""
        if self.training and torch.is_grad_enabled():
            # The hidden features are much of what the generator would keep for its gradient, and cheap to make again:
            # few of their input's channels are not constant.
            modulation: Tensor = checkpoint(
                self._scale_and_shift, condition, use_reentrant=False, preserve_rng_state=False
            )
        else:
            modulation = self._scale_and_shift(condition)
        if self.grain is None or condition.grain is None:
            return modulation
        strength = self.grain.view(1, -1, *(1,) * (modulation.ndim - 2))
        scale, shift = modulation.chunk(2, 1)
        return torch.cat((scale, shift + (strength * condition.grain).to(shift.dtype)), 1)

    def _scale_and_shift(self, condition: Condition) -> Tensor:
        hidden = F.relu(self.shared(condition), inplace=True)
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
    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight ``[2c, hidden, ...]`` and bias of the convolution that makes `modulation`, the running statistics of
        the norm taken into them (exact in eval mode)."""
        assert self.gamma.bias is not None and self.beta.bias is not None
        scale, shift = self.gamma.weight.detach().clone(), self.beta.weight.detach().clone()
        scale_bias, shift_bias = self.gamma.bias.detach() + 1, self.beta.bias.detach().clone()
        if not isinstance(self.norm, nn.Identity):
            mean, variance, eps = self.norm.running_mean, self.norm.running_var, self.norm.eps
            assert isinstance(mean, Tensor) and isinstance(variance, Tensor) and isinstance(eps, float)
            factor = torch.rsqrt(variance + eps)
            column = (-1, *(1,) * (scale.ndim - 1))
            scale *= factor.view(column)
            scale_bias *= factor
            shift -= mean.view(column) * scale
            shift_bias -= mean * scale_bias
        return torch.cat((scale, shift)), torch.cat((scale_bias, shift_bias))

    @torch.no_grad()
    def fold_batch_norm(self) -> None:
        """Take the running statistics into gamma and beta (exact in eval mode); the norm becomes the identity."""
        (scale, shift), (scale_bias, shift_bias) = (part.chunk(2) for part in self.folded())
        assert self.gamma.bias is not None and self.beta.bias is not None
        self.gamma.weight.copy_(scale)
        self.gamma.bias.copy_(scale_bias - 1)
        self.beta.weight.copy_(shift)
        self.beta.bias.copy_(shift_bias)
        self.norm = nn.Identity()


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold the BatchNorm of every SPADE layer of a network in eval mode, in place; the output does not change."""
    if network.training:
        raise ValueError("fold BatchNorm in eval mode only: call network.eval() first")
    for module in network.modules():
        if isinstance(module, Spade):
            module.fold_batch_norm()
    return network
