"""The wavelet generator made ready for many passes: the same function, rearranged.

Everything linear that follows something linear is multiplied out beforehand (docs/performance.md tells what each step
brings):

* BatchNorm and the Haar transforms' factor 1/2 go into SPADE's convolutions, spectral norm into the weights;
* noise that is the same everywhere goes into the weights of the labels, which sum to one at each pixel;
* features are kept as parity planes (`parity`) instead of images, so no pixel is moved for a norm layer, and the
  sums of an inverse transform become part of the convolution before it;
* dropout's factor, and the last block's way to the image's four bands, are part of a block's second convolution;
* what a pass does not change (scales, shifts, the first skip branch) is computed once.

Weights are held in the precision of the arithmetic. From the last norm layer on, and in narrow blocks, everything is in
float32: what bfloat16 changes in the image is for the most part rounding there, and few channels cost little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from MedUSISLib.networks.conditioning import Conditioning, check_size
from MedUSISLib.networks.keep_masks import GivenMasks, MaskSource, drop_, dropped
from MedUSISLib.networks.parity import enlarged, from_parity, onto_parity, plus_doubled, times_doubled
from MedUSISLib.networks.prepared_layers import LabelConvolution, Modulation, PreparedNorm, stored
from MedUSISLib.networks.sharpening import sharpened
from MedUSISLib.networks.wavelet_generator import WaveletBlock, WaveletGenerator

Masks = Sequence[MaskSource] | GivenMasks

NARROW = 96
"""Channels up to which a block is computed in float32: the errors of so few do not average out, and time is hardly lost
(exactness.py of the benchmarks measures both)."""


class Noise(NamedTuple):
    """One noise vector for all images, and the weights of every convolution of labels with it inside."""

    z: Tensor | None
    weights: tuple[Tensor, ...]


class PreparedState(NamedTuple):
    """Everything that a pass does not change; about 25 MB a 256x256 slice at full widths in bfloat16."""

    activated: Tensor
    """What enters the first dropout."""
    skip: Tensor
    """What the skip branches give so far: that of the next block, or the image's when there is none."""
    first: Modulation | None
    """First norm layer of the next block, what the skip branch gives it already in its shift; None without a block."""
    modulations: tuple[Modulation, ...]
    """The second norm layer of the next block, then both of each one after it."""


class PreparedWavelet(nn.Module):
    """A `WaveletGenerator` in eval mode, for inference only; equal to it but for rounding.

    Parameters
    ----------
    network : WaveletGenerator
        In 2D; it is not changed, and nothing is shared with it.
    dtype : torch.dtype
        Of weights and features: float32, bfloat16, or float16 on an accelerator; narrow blocks and what follows the
        last norm layer are in float32 anyway.

    Raises
    ------
    ValueError
        If the network is 3D or in train mode.

    Examples
    --------
    >>> net = WaveletGenerator(16, widths=(32, 32, 16), spade_hidden=8).eval()
    >>> labels, z = torch.zeros(1, 16, 32, 32), torch.randn(1, 64)
    >>> labels[:, 3] = 1
    >>> prepared = PreparedWavelet(net, torch.float32)
    >>> state = prepared.trunk(labels, prepared.with_noise(z))
    >>> torch.allclose(prepared.tail(state), net(labels, z), atol=1e-5)
    True
    """

    @torch.no_grad()
    def __init__(self, network: WaveletGenerator, dtype: torch.dtype) -> None:
        super().__init__()
        if network.training:
            raise ValueError("only a network in eval mode can be prepared: call network.eval() first")
        if network.to_bands.weight.ndim != 4:
            raise ValueError("only generators of slices can be prepared, this one is of volumes")
        self.number_of_classes = network.number_of_classes
        self.size_multiple = network.size_multiple
        self.sharpening = network.sharpening
        self.dtype = dtype
        self._noise_channels = network.noise_channels
        self._first_of_tail = network.first_of_tail
        self.start = LabelConvolution(network.start, dtype, parity=True)
        blocks: list[WaveletBlock] = list(network.blocks)  # type: ignore[arg-type]
        to_bands = network.to_bands.weight.detach()[:, :, 0, 0], _bias(network.to_bands)
        self.blocks = nn.ModuleList(
            _PreparedBlock(block, dtype, to_bands if block is blocks[-1] else None) for block in blocks
        )

    @torch.no_grad()
    def with_noise(self, z: Tensor | None) -> Noise:
        """Take a noise vector into the weights; worth keeping, it serves all images with that noise.

        Parameters
        ----------
        z : Tensor or None
            ``[1, Z]``; None is the mean noise 0.
        """
        if z is not None and tuple(z.shape) != (1, self._noise_channels):
            raise ValueError(f"noise is (1, {self._noise_channels}) for this network, got {tuple(z.shape)}")
        layers = [self.start]
        for block in self._all():
            layers += [block.norm1.shared, block.norm2.shared]
        return Noise(z, tuple(layer.with_noise(z) for layer in layers))

    def forward(self, onehot: Tensor, noise: Noise) -> Tensor:
        """Labels to images without dropout; see `trunk` and `tail`."""
        return self.tail(self.trunk(onehot, noise))

    def trunk(self, onehot: Tensor, noise: Noise) -> PreparedState:
        """Everything that the passes share.

        Parameters
        ----------
        onehot : Tensor
            ``[B, C, H, W]``, exactly one class at each pixel.
        noise : Noise
            From `with_noise`.
        """
        check_size(onehot, self.number_of_classes, self.size_multiple)
        z = None if noise.z is None else noise.z.expand(len(onehot), -1)
        grained = any(block.norm1.grain is not None for block in self._all())
        conditioning = Conditioning(onehot.to(self.dtype), z, self._noise_channels, grain=grained)
        blocks, first = self._all(), self._first_of_tail

        def modulation(number: int, second: bool) -> Modulation:
            block, place = blocks[number], 1 + 2 * number + second
            norm = block.norm2 if second else block.norm1
            return norm.modulation(conditioning.at(2 ** (len(blocks) - 1 - number)), noise.weights[place])

        x = blocks[0].taken(self.start(conditioning.at(self.size_multiple), noise.weights[0]))
        for number in range(first):
            skip = blocks[number].skip_of(x, keep=True)
            activated = blocks[number].activated_(x, modulation(number, False), modulation(number, True))
            x = blocks[number + 1].taken(enlarged(skip, blocks[number].residual(activated)))
        skip = blocks[first].skip_of(x, keep=True)
        activated = blocks[first].activated_(x, modulation(first, False), modulation(first, True))
        if first + 1 == len(blocks):
            return PreparedState(activated, skip, None, ())
        skip = blocks[first + 1].taken(enlarged(skip, torch.zeros_like(skip)))
        scale, shift = modulation(first + 1, False)
        given = Modulation(scale, torch.addcmul(shift, skip, scale))
        later = [modulation(first + 1, True)]
        for number in range(first + 2, len(blocks)):
            later += [modulation(number, False), modulation(number, True)]
        return PreparedState(activated, blocks[first + 1].skip_of(skip), given, tuple(later))

    def masks(self, state: PreparedState, sources: Sequence[MaskSource]) -> list[Tensor]:
        """All masks of a pass, for `GivenMasks`: those that `tail` would draw from the same sources."""
        found, shapes = [], [state.activated.shape, *(second.shift.shape for second in state.modulations[::2])]
        for block, (_, channels, *size) in zip(self._all()[self._first_of_tail :], shapes, strict=True):
            if block.weight2_dropout is not None:
                found.append(torch.stack([source.keep((*size, channels), block.rate) for source in sources]))
        return found

    def tail(self, state: PreparedState, sources: Masks | None = None) -> Tensor:
        """One pass: images ``[B, 1, H, W]`` in [-1, 1], float32.

        Parameters
        ----------
        state : PreparedState
            From `trunk`.
        sources : sequence of B MaskSource or GivenMasks, optional
            Where each image's dropout comes from; none: dropout is off.
        """
        blocks, first = self._all(), self._first_of_tail
        block = blocks[first]
        residual, skip = block.residual(state.activated, sources, keep=True), state.skip
        if state.first is not None:
            block, modulations = blocks[first + 1], iter(state.modulations)
            residual = block.taken(residual)
            skip = plus_doubled(skip, block.skip_of(residual))
            half = block.mixed_(times_doubled(state.first.shift, state.first.scale, residual))
            residual = block.residual(block.second_half_(half, next(modulations)), sources)
            for block in blocks[first + 2 :]:
                x = block.taken(enlarged(skip, residual))
                skip = block.skip_of(x, keep=True)
                residual = block.residual(block.activated_(x, next(modulations), next(modulations)), sources)
        return sharpened(torch.tanh(from_parity(residual.float() + skip.float())), self.sharpening)

    def _all(self) -> list[_PreparedBlock]:
        return list(self.blocks)  # type: ignore[arg-type]


class _PreparedBlock(nn.Module):
    """A block whose inputs and outputs are parity planes; of the last one the outputs are those of the image."""

    weight1: Tensor
    bias1: Tensor
    weight2: Tensor
    weight2_dropout: Tensor | None
    bias2: Tensor
    skip: Tensor | None

    def __init__(self, block: WaveletBlock, dtype: torch.dtype, to_bands: tuple[Tensor, Tensor] | None) -> None:
        super().__init__()
        self.rate = float(getattr(block.dropout, "p", 0.0))
        dtype = torch.float32 if block.conv1.in_channels <= NARROW else dtype
        last = dtype if to_bands is None else torch.float32
        self.norm1 = PreparedNorm(block.norm1.spade, dtype, dtype)
        self.norm2 = PreparedNorm(block.norm2.spade, dtype, last)
        weight, bias, skip = _linear_parts(block, to_bands)
        turned = onto_parity(weight, 0)
        self.register_buffer("weight1", stored(onto_parity(block.conv1.weight.detach(), 0), dtype))
        self.register_buffer("bias1", onto_parity(_bias(block.conv1), 0).to(dtype))
        self.register_buffer("weight2", stored(turned, last))
        self.register_buffer("weight2_dropout", stored(turned / (1 - self.rate), last) if self.rate else None)
        self.register_buffer("bias2", onto_parity(bias, 0).to(last))
        self.register_buffer("skip", None if skip is None else stored(onto_parity(onto_parity(skip, 0), 1), dtype))

    def taken(self, x: Tensor) -> Tensor:
        """``x`` in the precision of this block."""
        return x.to(self.weight1.dtype)

    def activated_(self, x: Tensor, first: Modulation, second: Modulation) -> Tensor:
        """From parity planes (overwritten) to what enters the dropout."""
        return self.second_half_(self.mixed_(first.applied_(x)), second)

    def mixed_(self, modulated: Tensor) -> Tensor:
        """The first convolution, of what the first norm layer has scaled and shifted (and is overwritten)."""
        return F.conv2d(self.norm1.activated_(modulated), self.weight1, self.bias1, padding=1)

    def second_half_(self, x: Tensor, modulation: Modulation) -> Tensor:
        """From the first convolution (overwritten) to what enters the dropout."""
        return self.norm2.activated_(modulation.applied_(x.to(modulation.shift.dtype)))

    def residual(self, activated: Tensor, sources: Masks | None = None, keep: bool = False) -> Tensor:
        """The residual branch from the dropout on; its input is overwritten unless it is to ``keep``."""
        if sources is None or self.weight2_dropout is None:
            return F.conv2d(activated, self.weight2, self.bias2, padding=1)
        if isinstance(sources, GivenMasks):
            activated = torch.where(sources.next(), activated, 0)
        else:
            activated = (dropped if keep else drop_)(activated, sources, self.rate)
        return F.conv2d(activated, self.weight2_dropout, self.bias2, padding=1)

    def skip_of(self, x: Tensor, keep: bool = False) -> Tensor:
        """The skip branch; ``keep`` when the input is going to be overwritten and the answer must outlive it."""
        if self.skip is None:
            return x.clone() if keep else x
        return F.conv2d(x, self.skip)


def _linear_parts(block: WaveletBlock, to_bands: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Weight and bias of the second convolution, and the skip branch's weight; of the last block those of both
    followed by the convolution to the image's bands."""
    weight, bias = block.conv2.weight.detach(), _bias(block.conv2)
    skip = block.skip.weight.detach() if isinstance(block.skip, nn.Conv2d) else None
    if to_bands is None:
        return weight, bias, skip
    matrix, shift = to_bands
    through = matrix[:, :, None, None] if skip is None else torch.einsum("oi,ijkl->ojkl", matrix, skip)
    return torch.einsum("oi,ijkl->ojkl", matrix, weight), matrix @ bias + shift, through


def _bias(layer: nn.Conv2d | nn.Conv3d) -> Tensor:
    assert layer.bias is not None
    return layer.bias.detach()
