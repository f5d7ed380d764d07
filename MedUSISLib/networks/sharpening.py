"""An unsharp mask: the last, fixed layer of a generator whose averaged weights draw borders a little too soft."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_KERNEL = (0.25, 0.5, 0.25)


def sharpened(image: Tensor, strength: float) -> Tensor:
    """``x + strength * (x - blurred x)``, kept in [-1, 1].

    The blur is the binomial kernel [1, 2, 1] along every axis: at the highest frequency the gain is ``1 + strength``,
    at half of it ``1 + strength / 2``, and flat tissue is left as it is.

    Parameters
    ----------
    image : Tensor
        ``[B, 1, H, W]`` or ``[B, 1, D, H, W]`` in [-1, 1].
    strength : float
        0 returns the image itself.
    """
    if not strength:
        return image
    # sums of shifted images: a convolution of one channel takes twice as long and more
    blurred = F.pad(image, (1,) * (2 * (image.ndim - 2)), mode="replicate")
    for axis in range(2, image.ndim):
        size = image.shape[axis]
        before, here, behind = (blurred.narrow(axis, start, size) for start in range(3))
        blurred = _KERNEL[0] * before + _KERNEL[1] * here + _KERNEL[2] * behind
    return (image + strength * (image - blurred)).clamp(-1, 1)
