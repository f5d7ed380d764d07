"""``log.jsonl`` of a training: appended to line by line, and read back while it is still being written (no torch)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LOG_FILE = "log.jsonl"

_NO_LOSSES = ("iteration", "phase", "rate")


@dataclass(frozen=True)
class Rollback:
    """Once the training went wrong and back: from which iteration to which, why, and with what factor on the rates."""

    iteration: int
    back_to: int
    trouble: str
    rate_factor: float


@dataclass
class TrainingLog:
    """What a training has said so far; what a roll-back or an interruption undid is left out of the curves.

    Attributes
    ----------
    losses : dict of str to list of (int, float)
        By name, in the order of the iterations; all that a step reports, so "spread" and "gradient" too.
    rates : list of (int, float)
        Iterations a second since the training was started or continued.
    validations : list of (int, dict)
        Figures by name; a segmentator's are "dice_<class>". A figure that could not be measured is not in it.
    before : dict or None
        The figures of the generator that was started from, on the same slices (iteration 0); also in ``validations``.
    yardsticks : dict of str to float
        What the real slices reach: "resegmentation_dice_real", "frechet_between_people".
    phases : list of (int, str)
        The first iteration that was logged of each phase, and its name.
    rollbacks : list of Rollback
    estimate : dict or None
        "estimated_memory_gb", "free_gb", "estimated_hours", as said before the start.
    accumulate : int or None
        Parts that a batch goes through the networks in, when memory ran out.
    chosen : int or None
        The iteration whose state became the bundle, where that is not the last one.
    iteration : int
        The last one that anything was said of.
    """

    losses: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    rates: list[tuple[int, float]] = field(default_factory=list)
    validations: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    before: dict[str, float] | None = None
    yardsticks: dict[str, float] = field(default_factory=dict)
    phases: list[tuple[int, str]] = field(default_factory=list)
    rollbacks: list[Rollback] = field(default_factory=list)
    estimate: dict[str, float] | None = None
    accumulate: int | None = None
    chosen: int | None = None
    iteration: int = 0

    def _take(self, entry: Mapping[str, Any]) -> None:
        iteration = int(entry["iteration"])
        if entry.get("chosen"):
            self.chosen = iteration
            return
        if "rolled_back_from" in entry:
            self._forget(iteration, including=False)
            self.rollbacks.append(
                Rollback(
                    int(entry["rolled_back_from"]),
                    iteration,
                    str(entry.get("trouble", "")),
                    float(entry.get("rate_factor", 1.0)),
                )
            )
        elif iteration < self.iteration:
            self._forget(iteration)  # continued from an earlier checkpoint: what follows is said again
        self.iteration = iteration
        if "rate" in entry:
            self._take_step(iteration, entry)
        if "validation" in entry or "dice" in entry:
            figures = _numbers(entry.get("validation", {}))
            figures |= {f"dice_{name}": value for name, value in _numbers(entry.get("dice", {})).items()}
            self.validations = [one for one in self.validations if one[0] != iteration] + [(iteration, figures)]
            self.yardsticks = _numbers(entry.get("yardsticks", {})) or self.yardsticks
            if entry.get("before"):
                self.before = figures
        if "estimated_hours" in entry:
            self.estimate = {name: value for name, value in _numbers(entry).items() if name != "iteration"}
        if entry.get("out_of_memory"):
            self.accumulate = int(entry["accumulate"])

    def _take_step(self, iteration: int, entry: Mapping[str, Any]) -> None:
        if self.rates and self.rates[-1][0] == iteration:
            self._forget(iteration, curves_only=True)
        self.rates.append((iteration, float(entry["rate"])))
        phase = entry.get("phase")
        if isinstance(phase, str) and (not self.phases or self.phases[-1][1] != phase):
            self.phases.append((iteration, phase))
        for name, value in _numbers(entry).items():
            if name not in _NO_LOSSES:
                self.losses.setdefault(name, []).append((iteration, value))

    def _forget(self, iteration: int, *, including: bool = True, curves_only: bool = False) -> None:
        """Drop what was said of an iteration and of those after it."""
        first = iteration if including else iteration + 1
        for values in (*self.losses.values(), self.rates):
            while values and values[-1][0] >= first:
                values.pop()
        if not curves_only:
            self.validations = [one for one in self.validations if one[0] < first]
            self.phases = [one for one in self.phases if one[0] < first]


def read_log(path: Path | str) -> TrainingLog:
    """Read ``log.jsonl``, or that of a training's folder; a line that is not whole yet is left out.

    Parameters
    ----------
    path : Path or str
        The file, or the folder that holds it.

    Returns
    -------
    TrainingLog
        Empty when there is no file yet: a training that has just begun has said nothing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.jsonl"
    ...     _ = file.write_text('{"iteration": 10, "rate": 2.0, "loss": 0.5}\\n{"iteration": 20, "ra')
    ...     read_log(folder).losses
    {'loss': [(10, 0.5)]}
    """
    path = Path(path)
    log = TrainingLog()
    for entry in _entries(path / LOG_FILE if path.is_dir() else path):
        try:
            log._take(entry)
        except (KeyError, TypeError, ValueError):
            continue  # a line of another version, or two that a crash glued together
    return log


def append_to_log(path: Path, entry: Mapping[str, Any]) -> None:
    """Write one line, on a line of its own even when a crash cut the last one short."""
    line = (json.dumps(dict(entry)) + "\n").encode()
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def _entries(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        content = path.read_bytes()
    except OSError:
        return
    for line in content.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and isinstance(entry.get("iteration"), int):
            yield entry


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, Mapping):
        return {}
    return {k: float(v) for k, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)}
