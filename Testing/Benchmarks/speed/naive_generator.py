"""The yardstick: the wavelet generator written down literally, as published implementations of its parts run.

Haar transforms are convolutions of zero-stuffed (or full-size, then thinned out) images with 2x2 kernels, channel by
channel; spectral norm is evaluated at each call; noise is a map of 64 channels beside the labels; SPADE resizes its
condition itself and makes scale and shift with two convolutions; everything in float32, channels first, one slice at
a time. The state dict is that of ``MedUSISLib.networks.wavelet_generator.WaveletGenerator``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

STANDARD_WIDTHS = (1024, 1024, 1024, 512, 256, 128, 64)

# rows, then columns: LL, LH (difference down the rows), HL, HH; a kernel's entries are (a b / c d)
_KERNELS = ((1, 1, 1, 1), (1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    batch, channels, rows, columns = x.shape
    y = F.conv2d(x.reshape(batch * channels, 1, rows, columns), kernel[None, None])
    return y.view(batch, channels, *y.shape[2:])


def naive_haar(x: Tensor) -> Tensor:
    """Filter at full size, then keep every second pixel."""
    kernels = torch.tensor(_KERNELS, dtype=x.dtype).view(4, 2, 2) / 2
    return torch.cat([_filtered(x, kernel)[:, :, ::2, ::2] for kernel in kernels], 1)


def naive_inverse_haar(x: Tensor) -> Tensor:
    """Insert zeros between the pixels, filter at full size, sum over the bands."""
    kernels = torch.tensor(_KERNELS, dtype=x.dtype).view(4, 2, 2) / 2
    image = None
    for band, kernel in zip(x.chunk(4, 1), kernels, strict=True):
        batch, channels, rows, columns = band.shape
        stuffed = band.new_zeros(batch, channels, 2 * rows + 1, 2 * columns + 1)
        stuffed[:, :, 1::2, 1::2] = band
        part = _filtered(stuffed, kernel.flip(0, 1))
        image = part if image is None else image + part
    assert image is not None
    return image


class _Condition(nn.Module):
    def __init__(self, classes: int, noise: int, outputs: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(noise + classes, outputs, 3, padding=1)

    def forward(self, condition: Tensor) -> Tensor:
        return self.convolution(condition)


class _Spade(nn.Module):
    def __init__(self, channels: int, classes: int, noise: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = _Condition(classes, noise, hidden)
        self.gamma = nn.Conv2d(hidden, channels, 3, padding=1)
        self.beta = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        hidden = F.relu(self.shared(F.interpolate(condition, size=x.shape[2:], mode="nearest")))
        return self.norm(x) * (1 + self.gamma(hidden)) + self.beta(hidden)


class _Norm(nn.Module):
    def __init__(self, channels: int, classes: int, noise: int, hidden: int) -> None:
        super().__init__()
        self.spade = _Spade(channels // 4, classes, noise, hidden)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return naive_haar(self.spade(naive_inverse_haar(x), condition))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, classes: int, noise: int, hidden: int, dropout: float) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.norm1 = _Norm(inputs, classes, noise, hidden)
        self.conv1 = spectral_norm(nn.Conv2d(inputs, middle, 3, padding=1))
        self.norm2 = _Norm(middle, classes, noise, hidden)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.conv2 = spectral_norm(nn.Conv2d(middle, outputs, 3, padding=1))
        self.skip: nn.Module = nn.Identity()
        if inputs != outputs:
            self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        dx = self.conv1(F.leaky_relu(self.norm1(x, condition), 0.2))
        dx = self.conv2(self.dropout(F.leaky_relu(self.norm2(dx, condition), 0.2)))
        return dx, self.skip(x)


class NaiveWaveletGenerator(nn.Module):
    """One slice after the other; arguments as of ``WaveletGenerator``."""

    def __init__(
        self,
        number_of_classes: int,
        widths: Sequence[int] = STANDARD_WIDTHS,
        noise_channels: int = 64,
        spade_hidden: int = 128,
        dropout: float = 0.0,
        dropout_blocks: int = 3,
    ) -> None:
        super().__init__()
        count = len(widths) - 1
        self.factor = 2**count
        self.start = _Condition(number_of_classes, noise_channels, widths[0])
        self.blocks = nn.ModuleList(
            _Block(
                widths[i],
                widths[i + 1],
                number_of_classes,
                noise_channels,
                spade_hidden,
                dropout if i >= count - dropout_blocks else 0.0,
            )
            for i in range(count)
        )
        self.to_bands = nn.Conv2d(widths[-1], 4, 1)

    def forward(self, onehot: Tensor, z: Tensor) -> Tensor:
        """Labels ``[B, C, H, W]`` and noise ``[B, Z]`` to images ``[B, 1, H, W]``."""
        return torch.cat([self._slice(labels[None], noise[None]) for labels, noise in zip(onehot, z, strict=True)])

    def _slice(self, onehot: Tensor, z: Tensor) -> Tensor:
        condition = torch.cat((z[:, :, None, None].expand(-1, -1, *onehot.shape[2:]), onehot), 1)
        x = self.start(F.interpolate(condition, scale_factor=1 / self.factor, mode="nearest"))
        for number, block in enumerate(self.blocks):
            dx, skip = block(x, condition)
            if number + 1 < len(self.blocks):
                skip = F.interpolate(naive_inverse_haar(skip), scale_factor=2, mode="bilinear", align_corners=False)
                x = F.interpolate(dx, scale_factor=2, mode="nearest") + naive_haar(skip)
        return torch.tanh(naive_inverse_haar(self.to_bands(dx + skip)))
