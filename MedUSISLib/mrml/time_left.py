"""How far a run is as a whole, and how long it will still take: from its stages and their steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from MedUSISLib.mrml.settings import SynthesisSettings
from MedUSISLib.mrml.stage_titles import LOADING_RESULT, PREPARING_INPUTS

_SILENT_S = 3.0
_SILENT_FRACTION = 0.1
"""Before that much is done only a stage that counts its own steps can say how long it takes."""


def synthesis_weights(settings: SynthesisSettings) -> dict[str, float]:
    """Relative time of each stage of a synthesis, in their order.

    In seconds as measured on the sample head (208 x 256 x 160 voxels) with two processors: 8 to 9 s for each pass, and
    12 s for everything else. An accelerator shortens the two stages that use a network alike.
    """
    views = 3 if settings.mode == "three-view" else 1
    return {
        PREPARING_INPUTS: 1.5,
        "reading": 2.5,  # the start of the child process is in it
        "preparing": 1.5,
        "compiling": 0.0,  # runs in Slicer's window are not compiled
        "synthesizing": 8.5 * (settings.passes + settings.noise_samples) * views,
        "segmenting": 7.5,
        "restoring": 0.5,
        "measuring": 0.6,
        "reporting": 1.2,
        "writing": 0.5,
        LOADING_RESULT: 1.0,
    }


SEGMENTATION_WEIGHTS: Mapping[str, float] = {
    PREPARING_INPUTS: 1.0,
    "reading": 1.0,
    "finding the head": 2.0,
    "segmenting": 8.0,
    "applying the intensity rules": 4.0,
    "running TotalSegmentator": 30.0,
    "writing": 1.0,
    LOADING_RESULT: 1.0,
}


class TimeLeft:
    """Turns stages and steps into a fraction of the whole that never goes back, and seconds that are left.

    Parameters
    ----------
    weights : mapping of str to float
        Relative time of each stage, in their order. Stages that are skipped count as done.
    now : callable
        A clock in seconds.

    Examples
    --------
    >>> seconds = iter([0.0, 10.0])
    >>> left = TimeLeft({"reading": 1.0, "synthesizing": 9.0}, now=lambda: next(seconds))
    >>> left.stage("synthesizing")
    >>> left.step(4, 9, 12.0)
    (0.5, 12.0)
    """

    def __init__(self, weights: Mapping[str, float], now: Callable[[], float] = time.monotonic) -> None:
        total = sum(weights.values()) or 1.0
        self._shares = {name: weight / total for name, weight in weights.items()}
        self._now = now
        self._began = now()
        self._stage = ""
        self._fraction = 0.0

    def stage(self, name: str) -> None:
        """A stage begins; those before it are done. An unknown one changes nothing."""
        if name in self._shares:
            self._stage = name
            self._fraction = max(self._fraction, self._before(name))

    def step(self, done: int, total: int, eta_s: float | None) -> tuple[float, float | None]:
        """The fraction of the whole that is done, and the seconds left (None: nobody knows yet).

        Parameters
        ----------
        done, total : int
            Units of the current stage.
        eta_s : float or None
            What is left of the current stage, as it says itself.
        """
        share = self._shares.get(self._stage, 0.0)
        within = min(1.0, done / total) if total > 0 else 0.0
        if self._stage:
            self._fraction = max(self._fraction, self._before(self._stage) + share * within)
        return self._fraction, self._seconds_left(share * (1.0 - within), eta_s)

    @property
    def fraction(self) -> float:
        """Done of the whole, 0 to 1."""
        return self._fraction

    def _seconds_left(self, of_this_stage: float, eta_s: float | None) -> float | None:
        elapsed = self._now() - self._began
        if elapsed < _SILENT_S or self._fraction <= 0.0 or (eta_s is None and self._fraction < _SILENT_FRACTION):
            return None
        pace = elapsed / self._fraction
        later = max(0.0, 1.0 - self._fraction - of_this_stage)
        if later < 1e-9:
            later = 0.0
        return (eta_s if eta_s is not None else of_this_stage * pace) + later * pace

    def _before(self, name: str) -> float:
        names = list(self._shares)
        return sum(self._shares[earlier] for earlier in names[: names.index(name)])
