"""Where the boxes of a 3D generator lie in a volume: over its anatomy, and beyond the grid where that is too small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedUSISLib.imaging.crop import bounding_box
from MedUSISLib.synthesis.windows import Borders, WindowLayout, window_layout

_RIM = 8
"""Voxels of background that the boxes cover around the anatomy: what a generator draws there is measured, too."""


@dataclass(frozen=True)
class BoxLayout:
    """Overlapping boxes over the anatomy of a volume.

    Attributes
    ----------
    layout : WindowLayout
        Of the boxes among themselves.
    offset : (int, int, int)
        Where the layout begins in the volume; negative where it hangs out.
    """

    layout: WindowLayout
    offset: tuple[int, int, int]

    @classmethod
    def around(cls, labels_kji: np.ndarray, window_kji: tuple[int, int, int]) -> BoxLayout | None:
        """Boxes over everything that is not background; None without any.

        Anatomy that is smaller than a box lies in its middle.
        """
        found = bounding_box(labels_kji > 0)
        if found is None:
            return None
        extent, offset = [], []
        for part, size in zip(found, window_kji, strict=True):
            wanted = max(part.stop - part.start + 2 * _RIM, size)
            extent.append(wanted)
            offset.append((part.start + part.stop - wanted) // 2)
        return cls(window_layout(extent, window_kji), (offset[0], offset[1], offset[2]))

    def _bounds(self, number: int, axis: int, size: int) -> tuple[int, int, int]:
        """First voxel of a box along an axis of the volume, and the voxels of that volume that it covers."""
        start = self.layout.corners[number][axis] + self.offset[axis]
        low, high = max(start, 0), min(start + self.layout.window[axis], size)
        return start, low, max(low, high)

    def place(self, number: int, shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """What a box covers of a volume of this shape: its place in the volume, and that part of the box."""
        bounds = [self._bounds(number, axis, size) for axis, size in enumerate(shape)]
        return (
            tuple(slice(low, high) for _, low, high in bounds),
            tuple(slice(low - start, high - start) for start, low, high in bounds),
        )

    def cut(self, labels_kji: np.ndarray, number: int) -> np.ndarray:
        """The labels of a box, background where it hangs out."""
        box = np.zeros(self.layout.window, labels_kji.dtype)
        place, inside = self.place(number, labels_kji.shape)
        box[inside] = labels_kji[place]
        return box

    def occupied(self, labels_kji: np.ndarray) -> list[int]:
        """Numbers of the boxes that hold any anatomy, from the bottom up."""
        return [n for n in range(len(self.layout.corners)) if labels_kji[self.place(n, labels_kji.shape)[0]].any()]

    def borders(self, labels_kji: np.ndarray) -> Borders:
        """Where boxes begin and end inside the volume."""
        extent = [max(first) for first in zip(*self.layout.corners, strict=True)]
        inner = self.layout.borders([last + size for last, size in zip(extent, self.layout.window, strict=True)])
        first, second, third = (
            tuple(place + start for place in places if 0 < place + start < size)
            for places, start, size in zip(inner, self.offset, labels_kji.shape, strict=True)
        )
        return first, second, third
