"""Whether a training is going wrong: no numbers, no contrast, images all alike, a discriminator that has won."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class SafetySettings(BaseModel):
    """``safety`` of a configuration: what counts as trouble, and how often the training may try again.

    Attributes
    ----------
    rollbacks : int
        At most so many times the training goes back to its last good checkpoint.
    rate_factor : float
        Every roll-back multiplies all learning rates by this.
    vanished_below, vanished_steps
        The images of so many steps in a row have a smaller standard deviation, in [-1, 1] (a head's is about .5).
    saturated_below, saturated_steps
        The discriminator's loss is smaller in so many steps in a row: it is right about everything, and what the
        generator learns from it is noise. By chance it is 1.39.
    alike_below : float
        Images of different labels differ less than this from one another, where the real ones' difference is 1, after
        they differed more in an earlier validation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rollbacks: int = Field(default=3, ge=0)
    rate_factor: float = Field(default=0.5, gt=0, lt=1)
    vanished_below: float = Field(default=0.02, ge=0)
    vanished_steps: int = Field(default=100, gt=0)
    saturated_below: float = Field(default=0.02, ge=0)
    saturated_steps: int = Field(default=200, gt=0)
    alike_below: float = Field(default=0.1, ge=0)


class Trouble(StrEnum):
    """What is wrong, as warnings and errors say it."""

    DIVERGED = "the training diverged (a loss or a weight is not a finite number, or far too large)"
    VANISHED = "the training collapsed (its images have no contrast)"
    SATURATED = "the discriminator has won (it is never wrong any more)"
    ALIKE = "the training collapsed (its images are alike whatever their labels are)"


#: A loss beyond this is not finite for long.
_LARGEST_LOSS = 1e6


class HealthWatch:
    """Looks at the losses of every step.

    Parameters
    ----------
    settings : SafetySettings

    Examples
    --------
    >>> watch = HealthWatch(SafetySettings(saturated_steps=2))
    >>> watch.trouble({"loss": 1.0, "discriminator": 0.001}), watch.calm
    (None, False)
    >>> watch.trouble({"loss": 1.0, "discriminator": 0.001}).name
    'SATURATED'
    """

    def __init__(self, settings: SafetySettings) -> None:
        self.settings = settings
        self.vanished = self.saturated = 0
        self.differed = False

    def trouble(self, losses: Mapping[str, float]) -> Trouble | None:
        """Take the losses of one step in; what is wrong now, if anything.

        Parameters
        ----------
        losses : mapping
            ``spread`` is the standard deviation of the images, ``discriminator`` the discriminator's loss where there
            is one.
        """
        if not all(math.isfinite(value) for value in losses.values()):
            return Trouble.DIVERGED
        # (a gradient may be large, it is clipped)
        if any(abs(value) > _LARGEST_LOSS for name, value in losses.items() if name != "gradient"):
            return Trouble.DIVERGED
        settings = self.settings
        vanished = losses.get("spread", math.inf) < settings.vanished_below
        saturated = losses.get("discriminator", math.inf) < settings.saturated_below
        self.vanished = self.vanished + 1 if vanished else 0
        self.saturated = self.saturated + 1 if saturated else 0
        if self.vanished >= settings.vanished_steps:
            return Trouble.VANISHED
        if self.saturated >= settings.saturated_steps:
            return Trouble.SATURATED
        return None

    def alike(self, diversity: float | None) -> Trouble | None:
        """Take the diversity of a validation in; trouble when images that differed have become alike.

        The first images of a training are alike, because it has learned nothing yet; that is no trouble.

        Examples
        --------
        >>> watch = HealthWatch(SafetySettings())
        >>> [getattr(watch.alike(diversity), "name", None) for diversity in (0.02, 0.8, None, 0.05)]
        [None, None, None, 'ALIKE']
        """
        if diversity is None:
            return None
        if diversity >= self.settings.alike_below:
            self.differed = True
            return None
        return Trouble.ALIKE if self.differed else None

    @property
    def calm(self) -> bool:
        """Nothing has begun that may end as trouble: a checkpoint of this moment is a good one to go back to."""
        return not self.vanished and not self.saturated

    def state(self) -> dict[str, int]:
        """For a checkpoint."""
        return {"vanished": self.vanished, "saturated": self.saturated, "differed": int(self.differed)}

    def restore(self, state: Mapping[str, int]) -> None:
        """From a checkpoint."""
        self.vanished, self.saturated = int(state["vanished"]), int(state["saturated"])
        self.differed = bool(state.get("differed", False))  # an earlier version did not write it
