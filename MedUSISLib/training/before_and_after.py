"""What a fine-tuning has changed: the figures of the generator that it started from, and those of what it became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from MedUSISLib.training.figure_texts import FIGURES, of_real_slices, shown
from MedUSISLib.training.log import read_log


@dataclass(frozen=True)
class BeforeAndAfter:
    """Figures of the same held-out slices, both measured while training: averaged weights, not sharpened.

    Attributes
    ----------
    parent : str
        Id and version of the generator that was started from.
    before, after : dict of str to float
        At iteration 0, and at ``iteration``.
    """

    parent: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    iteration: int
    yardsticks: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For ``results.parent`` of the manifest."""
        return {
            "id": self.parent,
            "measured": "averaged weights, not sharpened, on the same held-out slices",
            "before": dict(self.before),
            "after": dict(self.after),
            "iteration": self.iteration,
        }

    def text(self) -> str:
        """A section of the model card."""
        lines = [
            "## What the fine-tuning has changed",
            "",
            f"Measured in the same way on the same held-out slices: the weights of {self.parent} before the first"
            f" step, and those of iteration {self.iteration}. Neither is sharpened, so the second column is not quite"
            " the table above.",
            "",
            f"| | {self.parent} | this generator | real slices |",
            "|---|---|---|---|",
        ]
        for name, (text, _, _) in FIGURES.items():
            if name in self.before or name in self.after:
                row = (shown(name, self.before.get(name)), shown(name, self.after.get(name)))
                lines.append(f"| {text} | {row[0]} | {row[1]} | {of_real_slices(name, self.yardsticks)} |")
        return "\n".join(lines) + "\n\n"


def before_and_after(out: Path, parent: str, iteration: int, yardsticks: Mapping[str, float]) -> BeforeAndAfter | None:
    """From the log of a fine-tuning; ``None`` when the parent, or this very iteration, was not measured.

    Parameters
    ----------
    out : Path
        Folder of the training.
    parent : str
        Id and version.
    iteration : int
        Of the state that is exported.
    yardsticks : mapping
        Of a validation of this training.
    """
    log = read_log(out)
    after = dict(log.validations).get(iteration)
    if log.before is None or after is None or iteration == 0:
        return None
    return BeforeAndAfter(parent, log.before, after, iteration, yardsticks)
