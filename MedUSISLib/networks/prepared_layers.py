"""The layers of `prepared_wavelet`: convolutions of labels with the noise inside, and SPADE in parity layout."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.condition_convolution import ConditionConvolution
from MedUSISLib.networks.conditioning import Condition
from MedUSISLib.networks.layers import SLOPE
from MedUSISLib.networks.parity import hadamard_, onto_parity, thin_hadamard, to_parity
from MedUSISLib.networks.spade import Spade


class Modulation(NamedTuple):
    """Scale and shift of a norm layer in parity layout, half of SPADE's: a Haar transform follows."""

    scale: Tensor
    shift: Tensor

    def applied_(self, x: Tensor) -> Tensor:
        """``shift + scale * x``; ``x`` is overwritten."""
        return torch.addcmul(self.shift, x, self.scale, out=None if torch.compiler.is_compiling() else x)


def stored(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """A weight as it is kept: in the precision of the arithmetic, channels last."""
    return weight.to(dtype).contiguous(memory_format=torch.channels_last)


class LabelConvolution(nn.Module):
    """`ConditionConvolution` for one noise vector that is the same everywhere.

    At each pixel the labels sum to one, and outside the image both labels and noise are zero. Adding what the noise
    gives through a tap to the weights of all classes at that tap is therefore the same, borders included.

    Parameters
    ----------
    layer : ConditionConvolution
    dtype : torch.dtype
        Of the weights that `with_noise` makes.
    parity : bool
        Answer in parity layout.
    """

    noise: Tensor
    labels: Tensor
    bias: Tensor

    def __init__(self, layer: ConditionConvolution, dtype: torch.dtype, parity: bool = False) -> None:
        super().__init__()
        weight, bias = layer.convolution.weight.detach(), layer.convolution.bias
        assert bias is not None
        weight, bias = (onto_parity(part, 0) if parity else part.clone() for part in (weight, bias.detach()))
        self._dtype = dtype
        self.register_buffer("noise", weight[:, : layer.noise_channels].clone())
        self.register_buffer("labels", weight[:, layer.noise_channels :].clone())
        self.register_buffer("bias", bias.to(dtype))

    def with_noise(self, z: Tensor | None) -> Tensor:
        """The weights ``[O, C, 3, 3]`` for one noise vector ``[1, Z]``."""
        weight = self.labels
        if z is not None and z.numel():
            weight = weight + torch.einsum("ozkl,z->okl", self.noise, z[0].to(self.noise)).unsqueeze(1)
        return stored(weight, self._dtype)

    def forward(self, condition: Condition, weight: Tensor) -> Tensor:
        """``[B, O, ...]`` at the condition's size; the weight is from `with_noise`."""
        return F.conv2d(condition.labels.to(weight.dtype), weight, self.bias, padding=1)


class PreparedNorm(nn.Module):
    """A wavelet norm layer: BatchNorm folded, scale and shift applied to parity planes.

    Parameters
    ----------
    spade : Spade
        In eval mode; not changed.
    dtype : torch.dtype
        Of the convolutions.
    features : torch.dtype
        Of what is scaled and shifted.
    """

    weight: Tensor
    bias: Tensor
    grain: Tensor | None
    thin: Tensor | None

    def __init__(self, spade: Spade, dtype: torch.dtype, features: torch.dtype) -> None:
        super().__init__()
        self._features = features
        self.shared = LabelConvolution(spade.shared, dtype)
        weight, bias = (part / 2 for part in spade.folded())
        self.register_buffer("weight", stored(weight, dtype))
        self.register_buffer("bias", bias.to(dtype))
        self.register_buffer("grain", None if spade.grain is None else spade.grain.detach() / 2)
        self.register_buffer("thin", thin_hadamard(2 * len(bias), weight.to(features)))

    def modulation(self, condition: Condition, weight: Tensor) -> Modulation:
        """Scale and shift ``[B, 4c, n, m]`` from a condition at ``2n x 2m``."""
        hidden = F.relu_(self.shared(condition, weight))
        scale, shift = F.conv2d(hidden, self.weight, self.bias, padding=1).to(self._features).chunk(2, 1)
        if self.grain is not None and condition.grain is not None:
            shift = shift + (self.grain.view(1, -1, 1, 1) * condition.grain).to(shift.dtype)
        return Modulation(to_parity(scale), to_parity(shift))

    def activated_(self, modulated: Tensor) -> Tensor:
        """Parity planes, scaled and shifted (and overwritten) -> bands after the leaky ReLU."""
        return F.leaky_relu_(hadamard_(modulated, self.thin), SLOPE)
