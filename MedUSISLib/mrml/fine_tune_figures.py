"""The figures of a training's validation: what they are called, and which way is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """A figure in words: "the error of the class means", what is better, how many digits a person needs."""

    title: str
    better: Literal["low", "high", "one"]
    digits: int = 3

    def cost(self, value: float) -> float:
        """Lower is better; infinite for what is no number.

        Examples
        --------
        >>> Figure("fine detail", "one").cost(1.2) > Figure("fine detail", "one").cost(0.9)
        True
        """
        if not math.isfinite(value):
            return math.inf
        return {"low": value, "high": -value, "one": abs(value - 1)}[self.better]

    @property
    def direction(self) -> str:
        """For the title of a curve."""
        return {"low": "lower is better", "high": "higher is better", "one": "1 is as in real MR"}[self.better]


FIGURES: Mapping[str, Figure] = {
    "mean_error": Figure("error of the class means", "low", 4),
    "absolute_error": Figure("difference to the real MR", "low", 4),
    "correlation": Figure("correlation of the class means", "high"),
    "high_frequency": Figure("fine detail", "one", 2),
    "checkerboard": Figure("checkerboard index", "low", 1),
    "resegmentation_dice": Figure("overlap when segmented again", "high"),
    "frechet": Figure("distance of features from real MR", "low", 2),
    "diversity": Figure("difference of images from one another", "one", 2),
    "ssim": Figure("structural similarity", "high"),
    "psnr": Figure("PSNR in dB", "high", 1),
}
"""By the key in the log."""

CRITERIA: Sequence[str] = tuple(FIGURES)
"""What may say which state is the best, as the window offers it."""


def figure(name: str) -> Figure:
    """The figure of this name; one that nobody knows counts as better when it is lower."""
    return FIGURES.get(name) or Figure(name.replace("_", " "), "low")


def text_of(name: str, value: float) -> str:
    """The value as a person reads it."""
    return f"{value:.{figure(name).digits}f}"


def best(points: Sequence[tuple[int, float]], name: str) -> tuple[int, float] | None:
    """The best of (iteration, value); the earliest among equals, None without any."""
    known = [point for point in points if math.isfinite(point[1])]
    return min(known, key=lambda point: (figure(name).cost(point[1]), point[0])) if known else None
