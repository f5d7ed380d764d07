"""Everything that a training of a generator says: its log, its events, its TensorBoard log, its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from MedUSISLib.anatomy.schema import LabelSchema
from MedUSISLib.progress import Progress
from MedUSISLib.training.log import LOG_FILE, append_to_log
from MedUSISLib.training.sample_grid import sample_mosaic, save_sample_grid
from MedUSISLib.training.tensorboard import TensorBoardLog
from MedUSISLib.training.validation import Validation, class_table_text
from MedUSISLib.training.validation_slices import ValidationSlices


class RunLog:
    """Says the same thing in all places at once.

    Parameters
    ----------
    out : Path
        Folder of the training: ``log.jsonl``, ``class_table.md``, ``samples``, ``tensorboard``.
    progress : Progress
    active : bool
        False in all processes of a training but the first: nothing is written then.
    """

    def __init__(self, out: Path, progress: Progress, active: bool = True) -> None:
        self.out, self.progress, self.active = out, progress, active
        self._board = TensorBoardLog(out / "tensorboard") if active else None
        self._inverted: list[tuple[str, str]] = []
        self._warned: set[tuple[str, str]] = set()

    def say(self, iteration: int, **entry: Any) -> None:
        """A line of ``log.jsonl``."""
        if self.active:
            append_to_log(self.out / LOG_FILE, {"iteration": iteration, **entry})

    def start(self, iteration: int) -> None:
        """The training begins, or goes on, or goes back: what was drawn beyond this iteration is undone."""
        if self._board is not None and not self._board.start(iteration):
            self._board = None
            self.progress.stage("no TensorBoard log is written (the package tensorboardX is not installed)")

    def losses(self, iteration: int, total: int, phase: str, rate: float, values: Mapping[str, float]) -> None:
        """Losses of a step; ``rate`` is in iterations a second."""
        if not self.active:
            return
        self.say(iteration, phase=phase, rate=round(rate, 3), **{k: round(v, 5) for k, v in values.items()})
        self.progress.step(iteration, total)
        for name, value in values.items():
            self.progress.metric(name, value, iteration=iteration)
        if self._board is not None:
            self._board.numbers("losses", values, iteration)

    def validation(
        self,
        iteration: int,
        result: Validation,
        slices: ValidationSlices,
        fake: np.ndarray,
        schema: LabelSchema,
        **marks: bool,
    ) -> None:
        """Figures, class table and sample grid of a validation; ``marks`` go into its line of the log."""
        if not self.active:
            return
        samples = self.out / "samples"
        samples.mkdir(parents=True, exist_ok=True)
        picture = samples / f"{iteration:06d}.png"
        save_sample_grid(picture, slices, fake, schema)
        (self.out / "class_table.md").write_text(class_table_text(result), encoding="utf-8")
        figures, dice = result.figures(), result.dice_per_class()
        self.say(
            iteration,
            validation=_rounded(figures),
            yardsticks=_rounded(result.yardsticks()),
            **({"dice_per_class": _rounded(dice)} if dice else {}),
            **({"unavailable": result.unavailable} if result.unavailable else {}),
            **({"swapped": [list(pair) for pair in result.swapped]} if result.swapped else {}),
            **marks,
        )
        for name, value in figures.items():
            self.progress.metric(f"validation_{name}", value, iteration=iteration)
        self.progress.preview(picture)
        if self._board is not None:
            self._board.numbers("validation", figures, iteration)
            self._board.numbers("yardsticks", result.yardsticks(), iteration)
            self._board.numbers("dice", dice, iteration)
            strips = [strip for _, strip in sample_mosaic(slices, fake, schema)]
            self._board.picture("samples", np.concatenate(strips), iteration)

    def warn_of_swaps(self, result: Validation, last: bool) -> None:
        """Name classes whose contrast is inverted in two validations in a row, or in the last one; each pair once."""
        lasting = [pair for pair in result.swapped if last or pair in self._inverted]
        self._inverted = result.swapped
        new = [pair for pair in lasting if pair not in self._warned]
        if not new or not self.active:
            return
        self._warned.update(new)
        named = "; ".join(f"'{brighter}' is drawn darker than '{darker}'" for brighter, darker in new[:4])
        more = f" (and {len(new) - 4} more)" if len(new) > 4 else ""
        order = result.rank_correlation
        wrong = f"; order of the classes by brightness: correlation {order:.2f}" if order is not None else ""
        self.progress.warning("CLASSES_SWAPPED", f"{named}{more}, unlike in the real images{wrong}")

    def close(self) -> None:
        """Write what is still held back."""
        if self._board is not None:
            self._board.close()


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in values.items()}
