"""Haar bands without scattering pixels: images kept as their parity planes.

The inverse Haar transform is a sum and difference of the bands (a 4x4 Hadamard matrix) followed by putting the four
results on the even and odd rows and columns of an image. What comes between an inverse and a forward transform acts on
each pixel alone (SPADE's scale and shift), so the second half need not happen: the four planes stay channels.

*Parity layout* of an image of ``c`` channels: ``4c`` channels at half the size, first the ``c`` channels of the pixels
with even row and column, then odd row, then odd column, then both odd - the order of the bands in `haar`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from MedUSISLib.networks.layers import linear_up

_THICK = {4: 8, 2: 32}
"""By bytes of a value: with fewer channels a plane is too thin to be added to others, and a product with the matrix is
faster (64 channels of 128x128: 0.26 ms against 1.46 in float32, 1.39 against 0.31 in bfloat16)."""


def hadamard_matrix(like: Tensor) -> Tensor:
    """The 4x4 matrix of ones and minus ones, symmetric; half of it is orthonormal and its own inverse."""
    small = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=like.dtype, device=like.device)
    return torch.kron(small, small)


def onto_parity(weight: Tensor, axis: int) -> Tensor:
    """The same for a weight (or bias): its channels along ``axis`` read bands, now they read parity planes.

    Along the outputs it makes a convolution answer in parity layout, along the inputs it takes parity layout. Exact but
    for rounding; doing it twice gives the weight back.
    """
    split = weight.movedim(axis, 0)
    split = split.reshape(4, -1, *split.shape[1:])
    turned = torch.tensordot(hadamard_matrix(weight) / 2, split, ([1], [0]))
    return turned.reshape(weight.movedim(axis, 0).shape).movedim(0, axis)


def to_parity(image: Tensor) -> Tensor:
    """``[B, c, 2n, 2m]`` -> ``[B, 4c, n, m]`` in parity layout, stored channels last."""
    batch, channels, rows, columns = image.shape
    planes = image.permute(0, 2, 3, 1).reshape(batch, rows // 2, 2, columns // 2, 2, channels)
    planes = planes.permute(0, 1, 3, 4, 2, 5).reshape(batch, rows // 2, columns // 2, 4 * channels)
    return planes.permute(0, 3, 1, 2)


def from_parity(planes: Tensor) -> Tensor:
    """``[B, 4c, n, m]`` in parity layout -> the image ``[B, c, 2n, 2m]``, stored channels last."""
    batch, channels, rows, columns = planes.shape
    image = planes.permute(0, 2, 3, 1).reshape(batch, rows, columns, 2, 2, channels // 4)
    image = image.permute(0, 1, 4, 2, 3, 5).reshape(batch, 2 * rows, 2 * columns, channels // 4)
    return image.permute(0, 3, 1, 2)


def thin_hadamard(channels: int, like: Tensor) -> Tensor | None:
    """For `hadamard_` of thin planes: its matrix as the weight of a 1x1 convolution; None for thick ones."""
    if channels // 4 >= _THICK.get(like.dtype.itemsize, 1):
        return None
    eye = torch.eye(channels // 4, dtype=like.dtype, device=like.device)
    return torch.kron(hadamard_matrix(like), eye)[:, :, None, None]


def hadamard_(planes: Tensor, thin: Tensor | None) -> Tensor:
    """Sums and differences of the four groups of channels, without the factor 1/2; parity planes <-> bands.

    Parameters
    ----------
    planes : Tensor
        ``[B, 4c, n, m]``, stored channels last; may be overwritten.
    thin : Tensor or None
        `thin_hadamard` of its channels.
    """
    if torch.compiler.is_compiling():  # the compiler plans the memory, and knows no answers into parts of tensors
        a, b, c, d = planes.chunk(4, 1)
        return torch.cat((a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d), 1)
    if thin is not None:
        return F.conv2d(planes, thin)
    pixels = planes.permute(0, 2, 3, 1).view(-1, 2, 2, planes.shape[1] // 4)
    if planes.dtype == torch.float32:  # a - b as (a + b) - 2 b: no memory is asked for; in 16 bits that would show
        for first, second in ((pixels[:, 0], pixels[:, 1]), (pixels[:, :, 0], pixels[:, :, 1])):
            torch.sub(first.add_(second), second, alpha=2, out=second)
        return planes
    between = torch.empty_like(pixels)
    torch.add(pixels[:, 0], pixels[:, 1], out=between[:, 0])
    torch.sub(pixels[:, 0], pixels[:, 1], out=between[:, 1])
    torch.add(between[:, :, 0], between[:, :, 1], out=pixels[:, :, 0])
    torch.sub(between[:, :, 0], between[:, :, 1], out=pixels[:, :, 1])
    return planes


def times_doubled(shift: Tensor, scale: Tensor, small: Tensor) -> Tensor:
    """``shift + scale * nearest_up(small)``, without enlarging anything."""
    return _from_blocks(torch.addcmul(_by_block(shift), _by_block(scale), _doubled(small)))


def plus_doubled(large: Tensor, small: Tensor) -> Tensor:
    """``large + nearest_up(small)``."""
    return _from_blocks(torch.add(_by_block(large), _doubled(small)))


def enlarged(planes: Tensor, added: Tensor) -> Tensor:
    """The image twice as large, bilinear, plus ``nearest_up(added)``; all in parity layout.

    ``[B, 4c, n, m]`` twice -> ``[B, 4c, 2n, 2m]``. The sum is made while the pixels are put in order: one pass less
    over the largest features.
    """
    image = linear_up(from_parity(planes)).permute(0, 2, 3, 1)
    batch, rows, columns, channels = image.shape
    quads = image.view(batch, rows // 4, 2, 2, columns // 4, 2, 2, channels).permute(0, 1, 2, 4, 5, 6, 3, 7)
    small = added.permute(0, 2, 3, 1).view(batch, rows // 4, 1, columns // 4, 1, 2, 2, channels)
    if torch.compiler.is_compiling():
        out = (quads + small).contiguous()
    else:
        out = torch.empty(quads.shape, dtype=image.dtype, device=image.device)
        torch.add(quads, small, out=out)
    return out.view(batch, rows // 2, columns // 2, 4 * channels).permute(0, 3, 1, 2)


def _by_block(x: Tensor) -> Tensor:
    batch, channels, rows, columns = x.shape
    return x.permute(0, 2, 3, 1).view(batch, rows // 2, 2, columns // 2, 2, channels)


def _doubled(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)[:, :, None, :, None]


def _from_blocks(x: Tensor) -> Tensor:
    batch, rows, _, columns, _, channels = x.shape
    return x.view(batch, 2 * rows, 2 * columns, channels).permute(0, 3, 1, 2)
