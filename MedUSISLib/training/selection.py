"""Which state of a training is the best by one stated figure, and when waiting for a better one is over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Criterion = Literal[
    "mean_error",
    "absolute_error",
    "correlation",
    "high_frequency",
    "checkerboard",
    "resegmentation_dice",
    "frechet",
    "ssim",
    "psnr",
    "diversity",
]

_HIGH = ("correlation", "resegmentation_dice", "ssim", "psnr")
_NEAR_ONE = ("high_frequency", "diversity")


class SelectionSettings(BaseModel):
    """``selection`` of a configuration. Only the last phase is judged: a smooth L1 phase has the better class means.

    Attributes
    ----------
    criterion : str
        Figure of the validation: ``mean_error`` of the class means, ``absolute_error``, ``frechet`` and
        ``checkerboard`` should be low, ``correlation`` of the class means, ``resegmentation_dice``, ``ssim`` and
        ``psnr`` high, ``high_frequency`` and ``diversity`` near 1.
    patience : int, optional
        After so many validations of the last phase without a better one the training ends.
    smallest_gain : float
        What counts as better, in the unit of the criterion.
    export : {"best", "last"}, optional
        Which state becomes the bundle; with patience the best one, else the last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    criterion: Criterion = "mean_error"
    patience: int | None = Field(default=None, gt=0)
    smallest_gain: float = Field(default=0.0, ge=0)
    export: Literal["best", "last"] | None = None

    @property
    def exports_best(self) -> bool:
        """Whether the best state becomes the bundle."""
        return self.export == "best" or (self.export is None and self.patience is not None)


class Selection:
    """Remembers the best validation.

    Parameters
    ----------
    settings : SelectionSettings

    Examples
    --------
    >>> selection = Selection(SelectionSettings(criterion="correlation", patience=1))
    >>> selection.better({"correlation": 0.5}, 10), selection.better({"correlation": 0.4}, 20), selection.ended
    (True, False, True)
    """

    def __init__(self, settings: SelectionSettings) -> None:
        self.settings = settings
        self.cost = math.inf
        self.iteration = -1
        self.waited = 0

    def better(self, figures: Mapping[str, float], iteration: int) -> bool:
        """Take a validation in; whether it is the best so far."""
        cost = self._cost(figures.get(self.settings.criterion, math.nan))
        if cost < self.cost - (self.settings.smallest_gain if math.isfinite(self.cost) else 0.0):
            self.cost, self.iteration, self.waited = cost, iteration, 0
            return True
        self.waited += 1
        return False

    @property
    def ended(self) -> bool:
        """Whether patience has run out."""
        return self.settings.patience is not None and self.waited >= self.settings.patience

    def _cost(self, value: float) -> float:
        """Lower is better; infinite for what is no number."""
        if not math.isfinite(value):
            return math.inf
        if self.settings.criterion in _HIGH:
            return -value
        if self.settings.criterion in _NEAR_ONE:
            return abs(value - 1)
        return value

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"cost": self.cost, "iteration": self.iteration, "waited": self.waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.cost, self.iteration, self.waited = float(state["cost"]), int(state["iteration"]), int(state["waited"])
