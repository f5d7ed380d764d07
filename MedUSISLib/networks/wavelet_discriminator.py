"""The wavelet discriminator: looks at an image's Haar bands at every size (after SWAGAN, Gal et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from MedUSISLib.networks.equalised import BiasedLeakyRelu, EqualisedConvolution, EqualisedLinear, blur
from MedUSISLib.networks.haar import haar_forward
from MedUSISLib.networks.layers import check_spatial_dims
from MedUSISLib.networks.precision import in_full_precision

STANDARD_WIDTHS = (128, 512, 512, 512, 512, 512)


class DownStage(nn.Module):
    """Convolution, then blur and convolution of stride 2: half the size."""

    def __init__(self, inputs: int, outputs: int, spatial_dims: int) -> None:
        super().__init__()
        self.conv1 = EqualisedConvolution(spatial_dims, inputs, inputs, 3)
        self.act1 = BiasedLeakyRelu(inputs)
        self.conv2 = EqualisedConvolution(spatial_dims, inputs, outputs, 3, stride=2, padding=0)
        self.act2 = BiasedLeakyRelu(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inputs, 2n, ...]`` -> ``[B, outputs, n, ...]``."""
        x = self.act1(self.conv1(x))
        return self.act2(self.conv2(blur(x, stride=1, padding=2)))


class FromBands(nn.Module):
    """The image's own bands, by a 1x1 convolution."""

    def __init__(self, outputs: int, spatial_dims: int, detail_gain: float) -> None:
        super().__init__()
        self.detail_gain = detail_gain
        self.conv = EqualisedConvolution(spatial_dims, 2**spatial_dims, outputs, 1)
        self.act = BiasedLeakyRelu(outputs)

    def forward(self, image: Tensor) -> Tensor:
        """``[B, 1, 2n, ...]`` -> ``[B, outputs, n, ...]``."""
        bands = haar_forward(image)
        if self.detail_gain != 1:
            bands = torch.cat((bands[:, :1], bands[:, 1:] * self.detail_gain), 1)
        if bands.ndim == 4:
            # An image of one channel lies in either order. Its features join those of the stages, which lie channels
            # last; in the other order their gradients took twenty times as long.
            bands = bands.contiguous(memory_format=torch.channels_last)
        return self.act(self.conv(bands))


class WaveletDiscriminator(nn.Module):
    """Real or synthetic, one number per image; 26.2 M parameters at the standard widths and 256x256.

    Parameters
    ----------
    spatial_dims : {2, 3}
    widths : sequence of int
        Channels at half the image's size, a quarter, and so on; the last is the width at the end too.
    image_size : int or sequence of int
        Size of the images; a multiple of ``2 ** len(widths)``.
    group : int
        Images that share a minibatch standard deviation.
    detail_gain : float
        Factor on the detail bands of the image. In a T1 they are some twenty times weaker than the mean, and with
        equalised learning rates the weights that would bring them up grow slowly: telling blurred slices from real
        ones, 60 steps at batch 16 end at a loss of 1.40 with a gain of 1 (chance is 1.39), 1.08 with 8 and 1.02 with 16
        (Testing/Benchmarks/discriminator_detail_gain.py). 1 is the published network.

    Raises
    ------
    ValueError
        If the size is no such multiple, and in `forward` if an image has another size.

    Examples
    --------
    >>> WaveletDiscriminator(widths=(8, 16, 16), image_size=32)(torch.zeros(4, 1, 32, 32)).shape
    torch.Size([4, 1])
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        widths: Sequence[int] = STANDARD_WIDTHS,
        image_size: int | Sequence[int] = 256,
        group: int = 4,
        detail_gain: float = 1.0,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        size = (image_size,) * spatial_dims if isinstance(image_size, int) else tuple(image_size)
        if len(size) != spatial_dims or any(n % 2 ** len(widths) for n in size):
            raise ValueError(f"image_size must be {spatial_dims} multiples of {2 ** len(widths)}, got {size}")
        self.image_size = size
        self.group = group
        last = widths[-1]
        self.from_bands = nn.ModuleList(FromBands(width, spatial_dims, detail_gain) for width in widths)
        self.stages = nn.ModuleList(DownStage(widths[i], widths[i + 1], spatial_dims) for i in range(len(widths) - 1))
        self.last_conv = EqualisedConvolution(spatial_dims, last + 1, last, 3)
        self.last_act = BiasedLeakyRelu(last)
        pixels = 1
        for n in size:
            pixels *= n // 2 ** len(widths)
        self.dense = EqualisedLinear(last * pixels, last)
        self.dense_act = BiasedLeakyRelu(last)
        self.verdict = EqualisedLinear(last, 1)
        self.verdict_bias = nn.Parameter(torch.zeros(1))

    def forward(self, image: Tensor) -> Tensor:
        """Judge images.

        Parameters
        ----------
        image : Tensor
            ``[B, 1, H, W]`` or ``[B, 1, D, H, W]`` in [-1, 1].

        Returns
        -------
        Tensor
            ``[B, 1]`` logits, float32: positive for real.
        """
        if tuple(image.shape[2:]) != self.image_size:
            raise ValueError(f"the discriminator was made for {self.image_size}, got {tuple(image.shape[2:])}")
        x = self.from_bands[0](image)
        for stage, from_bands in zip(self.stages, self.from_bands[1:], strict=True):
            # the spec's "inverse Haar -> blur -> half -> Haar" of the bands: the image itself is kept instead
            image = blur(image, stride=2, padding=1, edge=True)
            x = stage(x) + from_bands(image)
        x = self.last_act(self.last_conv(torch.cat((x, minibatch_deviation(x, self.group)), 1)))
        with in_full_precision(x):
            x = self.dense_act(self.dense(x.float().flatten(1)))
            return self.verdict(x) + self.verdict_bias


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """Mean standard deviation over a group of images, as one more channel (Karras et al. 2018).

    A batch that the group does not divide is split into the largest groups that do.
    """
    batch = x.shape[0]
    group = batch // number_of_groups(batch, group)
    with in_full_precision(x):
        grouped = x.float().reshape(group, batch // group, *x.shape[1:])
        deviation = torch.sqrt(grouped.var(0, unbiased=False) + 1e-8).flatten(1).mean(1)
    shape = (batch, *(1,) * (x.ndim - 1))
    return deviation.to(x.dtype).repeat(group).view(shape).expand(batch, 1, *x.shape[2:])


def number_of_groups(batch: int, group: int) -> int:
    """How many groups a batch falls into; with ``n`` of them, every ``n``-th image is of the same group."""
    return batch // max(size for size in range(1, min(group, batch) + 1) if batch % size == 0)
