"""A regular pattern in flat tissue - the checkerboard of networks that double their size step by step - is an error."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def periodic_pattern_loss(
    image: Tensor, labels: Tensor, number_of_classes: int, period: int = 8, minimum_pixels: int = 2000
) -> Tensor:
    """Strength of what repeats every ``period`` pixels, class by class.

    Fine detail (the image minus its 5x5 mean) is averaged over all pixels of a class that lie at the same place of a
    ``period`` x ``period`` raster. In texture and anatomy these averages are near zero; a pattern with a period of 2, 4
    or 8 is what remains.

    Parameters
    ----------
    image : Tensor
        ``[B, 1, H, W]``.
    labels : Tensor of int64
        ``[B, H, W]``.
    number_of_classes : int
    period : int
    minimum_pixels : int
        Classes with fewer pixels in the batch are left out: their averages are noise.

    Returns
    -------
    Tensor
        Scalar: root mean square of the pattern, in the image's unit; 0 without a large class.
    """
    detail = image.float() - F.avg_pool2d(F.pad(image.float(), (2, 2, 2, 2), mode="replicate"), 5, 1)
    height, width = labels.shape[1:]
    rows = torch.arange(height, device=labels.device) % period
    columns = torch.arange(width, device=labels.device) % period
    place = rows[:, None] * period + columns
    places = period * period
    index = (labels * places + place).reshape(-1)
    bins = number_of_classes * places
    count = torch.bincount(index, minlength=bins).view(number_of_classes, places)
    total = torch.zeros(bins, device=image.device).index_add(0, index, detail.reshape(-1)).view_as(count)
    large = count.sum(1) >= minimum_pixels
    large[0] = False  # background is flat anyway
    if not large.any():
        return image.sum() * 0
    pattern = total[large] / count[large].clamp(min=1)
    pattern = pattern - pattern.mean(1, keepdim=True)
    return (pattern.square().mean() + 1e-8).sqrt()
