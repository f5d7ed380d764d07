"""Overlapping windows and how they are blended, for fields of view larger than the training crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

OVERLAP = 0.5
"""Part of a window that its neighbour covers too. With a quarter, seams of a U-net-like generator stay visible."""

Borders = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""For each array axis of a volume the first voxel behind each border of a window."""

NO_BORDERS: Borders = ((), (), ())

_SIGMA = 0.125
"""Standard deviation of the weights, in window lengths; MONAI's sliding window uses the same."""


@dataclass(frozen=True)
class WindowLayout:
    """Where the windows of an image lie.

    Attributes
    ----------
    shape : tuple of int
        Shape of the image that the windows cover, padded to at least one window.
    window : tuple of int
        Size of each window.
    corners : tuple of tuples of int
        First index of each window along each axis.
    """

    shape: tuple[int, ...]
    window: tuple[int, ...]
    corners: tuple[tuple[int, ...], ...]

    def slices(self, number: int) -> tuple[slice, ...]:
        """The window's place in the image."""
        return tuple(slice(first, first + size) for first, size in zip(self.corners[number], self.window, strict=True))

    def borders(self, shape: Sequence[int]) -> list[tuple[int, ...]]:
        """For each axis the places inside an image of this shape where a window begins or another one has ended."""
        found = []
        for axis, size in enumerate(self.window):
            starts = {corner[axis] for corner in self.corners}
            found.append(tuple(sorted(n for n in starts | {s + size for s in starts} if 0 < n < shape[axis])))
        return found


def window_layout(shape: Sequence[int], window: Sequence[int], overlap: float = OVERLAP) -> WindowLayout:
    """Windows that cover an image, evenly spread.

    Parameters
    ----------
    shape, window : sequences of int
        Of the image and of a window, same number of axes.
    overlap : float
        At least this part of a window is shared with its neighbour, in [0, 1).

    Examples
    --------
    >>> window_layout((300, 256), (256, 256)).corners
    ((0, 0), (44, 0))
    """
    padded = tuple(max(size, part) for size, part in zip(shape, window, strict=True))
    starts = [_starts(size, part, overlap) for size, part in zip(padded, window, strict=True)]
    return WindowLayout(padded, tuple(window), tuple(product(*starts)))


def gaussian_weights(window: Sequence[int]) -> np.ndarray:
    """Weights of a window's pixels: a Gaussian around its middle that ends at 0 just outside, float32, all above 0.

    The Gaussian is lowered along each axis by what it still has half a pixel beyond the edge. With a floor under the
    product of the axes instead, two windows meet without any blending near the faces of an image, where both weigh as
    much as the floor: a seam index of 1.8 showed it.
    """
    weights = np.ones(tuple(window), np.float32)
    for axis, size in enumerate(window):
        position = np.append(np.arange(size) - (size - 1) / 2, size / 2)
        profile = np.exp(-0.5 * (position / (_SIGMA * size)) ** 2)
        profile = (profile[:-1] - profile[-1]) / (1 - profile[-1])
        weights *= profile.reshape([-1 if other == axis else 1 for other in range(len(window))]).astype(np.float32)
    return weights


def total_weights(layout: WindowLayout, weights: np.ndarray) -> np.ndarray:
    """Sum of all windows' weights at each pixel of the image: what a blended image is divided by."""
    total = np.zeros(layout.shape, np.float32)
    for number in range(len(layout.corners)):
        total[layout.slices(number)] += weights
    return total


def _starts(size: int, window: int, overlap: float) -> list[int]:
    if size == window:
        return [0]
    step = max(1, int(window * (1 - overlap)))
    count = -(-(size - window) // step) + 1
    return [round(number * (size - window) / (count - 1)) for number in range(count)]
