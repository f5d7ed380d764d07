"""The segmentator of the adversarial game: a residual U-Net with spectral norm and C + 1 outputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedUSISLib.networks.layers import average_pool, check_spatial_dims, convolution, leaky_relu, nearest_up
from MedUSISLib.networks.precision import in_full_precision

STANDARD_WIDTHS = (128, 128, 256, 256, 512, 512)


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside an identity or 1x1 convolution; the size changes around them."""

    def __init__(self, inputs: int, outputs: int, spatial_dims: int, spectral: bool) -> None:
        super().__init__()
        self.conv1 = convolution(spatial_dims, inputs, outputs, 3, spectral=spectral)
        self.conv2 = convolution(spatial_dims, outputs, outputs, 3, spectral=spectral)
        self.skip: nn.Module = nn.Identity()
        if inputs != outputs:
            self.skip = convolution(spatial_dims, inputs, outputs, 1, bias=False, spectral=spectral)


class DownBlock(_ResidualBlock):
    """Residual block, then average pool to half the size; the first one takes the image as it is."""

    def forward(self, x: Tensor, first: bool = False) -> Tensor:
        """``[B, inputs, 2n, ...]`` -> ``[B, outputs, n, ...]``."""
        dx = self.conv2(leaky_relu(self.conv1(x if first else leaky_relu(x))))
        return average_pool(dx) + self.skip(average_pool(x))  # a 1x1 convolution commutes with the pool


class UpBlock(_ResidualBlock):
    """Nearest to twice the size, then the residual block."""

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, n, ...]`` -> ``[B, outputs, 2n, ...]``."""
        dx = self.conv2(leaky_relu(self.conv1(nearest_up(leaky_relu(x)))))
        return dx + nearest_up(self.skip(x))  # a 1x1 convolution commutes with repetition


class UNetSegmentator(nn.Module):
    """C classes and "synthetic" for every pixel; 22.25 M parameters at 31 classes.

    Parameters
    ----------
    number_of_classes : int
        ``C``; there are ``C + 1`` outputs, the last means "synthetic".
    spatial_dims : {2, 3}
    widths : sequence of int
        Output widths of the down blocks; the up path mirrors them and ends at half the first one.
    spectral : bool
        Spectral norm; False to load folded weights.
    in_channels : int
        Channels of the image.

    Examples
    --------
    >>> UNetSegmentator(16, widths=(8, 8, 16))(torch.zeros(1, 1, 32, 32)).shape
    torch.Size([1, 17, 32, 32])
    """

    def __init__(
        self,
        number_of_classes: int,
        spatial_dims: int = 2,
        widths: Sequence[int] = STANDARD_WIDTHS,
        spectral: bool = True,
        in_channels: int = 1,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        if len(widths) < 2:
            raise ValueError(f"at least two widths are needed, got {tuple(widths)}")
        self.number_of_classes = number_of_classes
        inputs = (in_channels, *widths[:-1])
        self.down = nn.ModuleList(DownBlock(a, b, spatial_dims, spectral) for a, b in zip(inputs, widths, strict=True))
        outputs = (*reversed(widths[:-1]), widths[0] // 2)
        joined = (widths[-1], *(2 * width for width in outputs[:-1]))
        self.up = nn.ModuleList(UpBlock(a, b, spatial_dims, spectral) for a, b in zip(joined, outputs, strict=True))
        self.classify = convolution(spatial_dims, outputs[-1], number_of_classes + 1, 1)

    @property
    def size_multiple(self) -> int:
        """Every spatial size must be a multiple of this (64 at the standard widths)."""
        return 2 ** len(self.down)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of every class.

        Parameters
        ----------
        image : Tensor
            ``[B, 1, H, W]`` or ``[B, 1, D, H, W]`` in [-1, 1].

        Returns
        -------
        Tensor
            ``[B, C + 1, ...]`` logits, float32.

        Raises
        ------
        ValueError
            If a size is no multiple of `size_multiple`.
        """
        if any(size % self.size_multiple for size in image.shape[2:]):
            raise ValueError(f"sizes must be multiples of {self.size_multiple}, got {tuple(image.shape[2:])}")
        x, features = image, []
        for i, down in enumerate(self.down):
            x = down(x, first=i == 0)
            features.append(x)
        x = self.up[0](features.pop())
        for up in self.up[1:]:
            x = up(torch.cat((x, features.pop()), 1))
        with in_full_precision(x):
            return self.classify(leaky_relu(x.float()))
