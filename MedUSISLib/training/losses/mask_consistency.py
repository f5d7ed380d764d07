"""L_mask = |E(m) - E(G(m))|^2 with a soft extractor E, so that it has a gradient (thesis section 3.1.5, eq. 3.5).

The exact extractor (threshold, opening, hole filling) is for the overlay and the metric: `evaluation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class SoftMask:
    """Body mask of an MR in [-1, 1] as a differentiable map in [0, 1].

    Gaussian blur -> ``sigmoid((x - threshold) / temperature)`` -> closing (the skull is dark: without it, bone counts
    as missing tissue) -> opening (specks of air noise vanish). Every sample for itself and on a fixed intensity
    scale: normalising by the batch's maximum would reward an image that vanishes.

    Attributes
    ----------
    threshold : float
        In [-1, 1]; -0.8 is 0.12 on the scale where white matter is 0.7.
    temperature : float
        Width of the soft step. At 0.05 black air (-1) scores 0.018 and still has a slope.
    blur_sigma : float
        Pixels. At 1.0 bright skin would look one pixel wider than its label (the step is at 1/6 of its height); at
        0.5 the edge stays where it is.
    closing, opening : int
        Odd window in pixels, 1 for none. 9 closes the skull of an adult at 1 mm.
    """

    threshold: float = -0.8
    temperature: float = 0.05
    blur_sigma: float = 0.5
    closing: int = 9
    opening: int = 3

    def __post_init__(self) -> None:
        if self.closing % 2 == 0 or self.opening % 2 == 0:
            raise ValueError("closing and opening are odd windows, 1 for none")

    def __call__(self, image: Tensor) -> Tensor:
        """``[B, 1, ...]`` in [-1, 1] -> ``[B, 1, ...]`` in [0, 1]."""
        x = torch.sigmoid((_gaussian_blur(image.float(), self.blur_sigma) - self.threshold) / self.temperature)
        x = _erode(_dilate(x, self.closing), self.closing)
        return _dilate(_erode(x, self.opening), self.opening)


def mask_consistency_loss(image: Tensor, body: Tensor, extractor: SoftMask | None = None) -> Tensor:
    """Mean squared difference between the image's soft mask and the filled mask of the labels.

    Parameters
    ----------
    image : Tensor
        ``[B, 1, ...]`` synthetic MR in [-1, 1].
    body : Tensor
        ``[B, 1, ...]`` filled binary mask, see `filled_body`.
    extractor : SoftMask, optional
    """
    if image.shape != body.shape:
        raise ValueError(f"image {tuple(image.shape)} and mask {tuple(body.shape)} differ")
    with torch.autocast(image.device.type, enabled=False):
        return F.mse_loss((extractor or SoftMask())(image), body.float())


@torch.no_grad()
def filled_body(labels: Tensor, background: int = 0) -> Tensor:
    """Everything that is not background, holes filled, as ``[B, 1, ...]`` float of class indices ``[B, ...]``.

    Runs on the CPU (about 1 ms a 256x256 slice); cache it with the labels where that counts.
    """
    from scipy.ndimage import binary_fill_holes

    masks = [binary_fill_holes(mask) for mask in (labels != background).cpu().numpy()]
    return torch.from_numpy(np.stack(masks)).to(labels.device, torch.float32).unsqueeze(1)


def _gaussian_blur(x: Tensor, sigma: float) -> Tensor:
    if sigma <= 0:
        return x
    radius = max(1, math.ceil(3 * sigma))
    taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device) / sigma) ** 2)
    taps = taps / taps.sum()
    dimensions = x.ndim - 2
    x = F.pad(x, (radius,) * (2 * dimensions), mode="replicate")
    for axis in range(dimensions):
        shape = [1] * dimensions
        shape[axis] = taps.numel()
        x = (F.conv2d if dimensions == 2 else F.conv3d)(x, taps.view(1, 1, *shape))
    return x


def _dilate(x: Tensor, window: int) -> Tensor:
    """Largest value in a window, axis after axis; outside the image nothing counts."""
    if window == 1:
        return x
    dimensions = x.ndim - 2
    pool = F.max_pool2d if dimensions == 2 else F.max_pool3d
    for axis in range(dimensions):
        size, padding = [1] * dimensions, [0] * dimensions
        size[axis], padding[axis] = window, window // 2
        x = pool(x, size, stride=1, padding=padding)
    return x


def _erode(x: Tensor, window: int) -> Tensor:
    return -_dilate(-x, window)
