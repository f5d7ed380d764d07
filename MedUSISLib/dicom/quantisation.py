"""Floating-point voxels as 16-bit numbers with a rescale, and how much that costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEPS = 32767
"""Stored values stay in 0..32767: a reader that takes them for signed numbers sees the same image."""


@dataclass(frozen=True)
class Quantisation:
    """``value = slope * stored + intercept``.

    Examples
    --------
    >>> q = Quantisation.of(0.0, 1.2)
    >>> q.slope, q.intercept, q.error_bound
    (5e-05, 0.0, 2.5e-05)
    """

    slope: float
    intercept: float

    @classmethod
    def of(cls, lowest: float, highest: float) -> Quantisation:
        """The finest slope of 1, 2 or 5 times a power of ten that spans the values.

        A short slope is the same number in the 16 characters of DICOM's decimal strings, and 0 stays exactly 0: the
        intercept is 0, or a multiple of the slope where values are negative.
        """
        lowest = min(float(lowest), 0.0)
        span = max(float(highest), 0.0) - lowest
        if not span > 0.0:
            return cls(1.0, 0.0)
        power = int(np.floor(np.log10(span / STEPS)))
        for step in (1, 2, 5, 10, 20):
            slope = float(f"{step}e{power}")
            below = int(np.ceil(-lowest / slope))
            if below + int(np.ceil(max(float(highest), 0.0) / slope)) <= STEPS:
                return cls(slope, 0.0 if below == 0 else -below * slope)
        raise AssertionError("unreachable: 20 times the lower power of ten always spans")

    @property
    def error_bound(self) -> float:
        """Largest difference between a value and what a reader gets back (plus the rounding of its own arithmetic)."""
        return self.slope / 2

    def stored(self, values: np.ndarray) -> np.ndarray:
        """uint16 of values within the range that the quantisation was made for."""
        steps = np.rint((values.astype(np.float64) - self.intercept) / self.slope)
        return np.clip(steps, 0, STEPS).astype(np.uint16)
