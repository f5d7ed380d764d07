"""The maps of a volume while it is being made, on the generator's grid and in the generator's intensity unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from MedUSISLib.generators.manifest import IntensityDescription
from MedUSISLib.synthesis.passes import ImageMaps


@dataclass
class GridMaps:
    """Mean, variance and noise spread, float32 [k, j, i].

    Images are added with weights that sum to 1 over the views; where nothing is added the MR stays at the lowest
    intensity and the variances at 0, as befits slices without anatomy.
    """

    mean: np.ndarray
    variance: np.ndarray
    spread: np.ndarray | None
    intensity: IntensityDescription

    @classmethod
    def empty(cls, shape_kji: Sequence[int], intensity: IntensityDescription, with_spread: bool) -> GridMaps:
        """Maps without anatomy."""
        shape = tuple(shape_kji)
        return cls(
            mean=np.full(shape, intensity.minimum, np.float32),
            variance=np.zeros(shape, np.float32),
            spread=np.zeros(shape, np.float32) if with_spread else None,
            intensity=intensity,
        )

    def add_slices(self, axis: int, numbers: Sequence[int], images: ImageMaps, weight: float = 1.0) -> None:
        """Add images of some slices along an array axis.

        The variance of a mean of views is taken as the mean of their variances, not as that of independent views
        (which would be smaller by their number): so it stays comparable with the bundle's threshold, and what the
        views have in common is not averaged away on paper.
        """
        for position, number in enumerate(numbers):
            place = tuple(number if other == axis else slice(None) for other in range(3))
            self.add_at(
                place,
                images.mean[position],
                images.variance[position],
                None if images.spread is None else images.spread[position],
                weight,
            )

    def add_at(
        self,
        place: tuple[int | slice, ...],
        mean: np.ndarray,
        variance: np.ndarray,
        spread: np.ndarray | None,
        weight: float | np.ndarray = 1.0,
    ) -> None:
        """Add network intensities in [-1, 1] and their variances at one place."""
        half_range = (self.intensity.maximum - self.intensity.minimum) / 2
        self.mean[place] += (weight * half_range) * (mean + 1)
        self.variance[place] += (weight * half_range**2) * variance
        if self.spread is not None and spread is not None:
            self.spread[place] += (weight * half_range**2) * spread

    def network_intensities(self, number: int) -> np.ndarray:
        """The mean of one axial slice as the network draws it, in [-1, 1]."""
        range_ = self.intensity.maximum - self.intensity.minimum
        return (self.mean[number] - self.intensity.minimum) * (2 / range_) - 1
