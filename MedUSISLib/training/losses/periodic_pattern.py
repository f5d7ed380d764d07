"""A regular pattern in flat tissue - the checkerboard of networks that double their size step by step - is an error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from MedUSISLib.networks.all_reduce import sum_over_processes


def periodic_pattern_loss(
    image: Tensor,
    labels: Tensor,
    number_of_classes: int,
    periods: Sequence[int] = (2, 8),
    minimum_pixels: int = 4000,
) -> Tensor:
    """Strength of what repeats every so many pixels, class by class.

    Fine detail (the image minus its 5x5 mean) is averaged over all pixels of a class that lie at the same place of a
    ``period`` x ``period`` raster (3D: of cubes; detail is then the image minus its 5x5x5 mean). In texture and anatomy
    these averages are near zero; a pattern with that period, or a part of it, is what remains. The small period is
    measured by itself as well: its averages are over sixteen times as many pixels, and so show what the large one loses
    in chance.

    Parameters
    ----------
    image : Tensor
        ``[B, 1, ...]``, 2 or 3 spatial axes.
    labels : Tensor of int64
        ``[B, ...]``.
    number_of_classes : int
    periods : sequence of int
    minimum_pixels : int
        Classes with fewer pixels in the batch are left out: their averages are noise.

    Returns
    -------
    Tensor
        Scalar: root mean square of the pattern over the pixels, in the image's unit, summed over the periods; 0
        without a large class.
    """
    axes = image.ndim - 2
    mean = F.avg_pool2d if axes == 2 else F.avg_pool3d
    detail = image.float() - mean(F.pad(image.float(), (2, 2) * axes, mode="replicate"), 5, 1)
    total = image.sum() * 0
    for period in periods:
        total = total + _pattern(detail, labels, number_of_classes, period, minimum_pixels)
    return total


def _pattern(detail: Tensor, labels: Tensor, number_of_classes: int, period: int, minimum_pixels: int) -> Tensor:
    place = torch.zeros((), dtype=torch.long, device=labels.device)
    for size in labels.shape[1:]:
        place = place[..., None] * period + torch.arange(size, device=labels.device) % period
    places = period ** (labels.ndim - 1)
    index = (labels * places + place).reshape(-1)
    bins = number_of_classes * places
    # With several processes: of all their images, for a pattern is what many pixels have in common.
    count = sum_over_processes(torch.bincount(index, minlength=bins)).view(number_of_classes, places)
    sums = torch.zeros(bins, device=detail.device).index_add(0, index, detail.reshape(-1)).view_as(count)
    sums = sum_over_processes(sums)
    large = count.sum(1) >= minimum_pixels
    large[0] = False  # background is flat anyway
    if not large.any():
        return detail.sum() * 0
    number = count[large].float()
    pattern = sums[large] / number.clamp(min=1)
    pattern = pattern - pattern.mean(1, keepdim=True)
    # Weighted by pixels: in a small, mottled class such as scalp the averages are mostly chance.
    return ((number * pattern.square()).sum() / number.sum() + 1e-8).sqrt()
