"""Which curves of a training are shown: how good it is on held-out people, beside its parent, and the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from MedUSISLib.mrml.curves_picture import Color, Level, Line, Panel
from MedUSISLib.mrml.fine_tune_figures import best, figure, text_of

if TYPE_CHECKING:
    from MedUSISLib.mrml.fine_tune_runs import RunFacts
    from MedUSISLib.training.log import TrainingLog

_BLUE: Color = (0, 90, 181)
_GREEN: Color = (0, 128, 96)
_PARENT: Color = (178, 90, 0)
_PHASE: Color = (170, 178, 188)
_WRONG: Color = (198, 40, 40)
_LOSS_COLORS: Sequence[Color] = (
    (0, 90, 181), (220, 110, 0), (0, 128, 96), (170, 60, 140), (120, 94, 10), (80, 80, 88), (0, 150, 200),
)  # fmt: skip
_SECOND = ("high_frequency", "correlation")
_LOSSES = {
    "l1": "L1",
    "class_means": "class means",
    "ssim": "SSIM",
    "adversarial": "adversarial",
    "discriminator": "discriminator",
    "mask": "mask",
    "segmentation": "segmentation",
    "lesion": "lesions",
    "periodic_pattern": "pattern",
}
_MOST_POINTS = 150


def panels_of(log: TrainingLog, facts: RunFacts) -> list[Panel]:
    """The panels, empty ones left out; none as long as nothing was said."""
    marks = [(float(first), _PHASE) for first, _ in log.phases[1:]]
    marks += [(float(rollback.iteration), _WRONG) for rollback in log.rollbacks]
    found = [_validation(log, facts, facts.criterion, _BLUE, marks)]
    second = next((name for name in _SECOND if name != facts.criterion), None)
    if second is not None:
        found.append(_validation(log, facts, second, _GREEN, marks))
    found.append(_losses(log, marks))
    return [panel for panel in found if panel is not None]


def last_iteration(log: TrainingLog, facts: RunFacts) -> int:
    """End of the horizontal axis: where the training is going to, or where it is."""
    return max(facts.iterations, log.iteration, 1)


def _validation(
    log: TrainingLog, facts: RunFacts, name: str, color: Color, marks: Sequence[tuple[float, Color]]
) -> Panel | None:
    points = [(iteration, figures[name]) for iteration, figures in log.validations if name in figures]
    if not points:
        return None
    about = figure(name)
    levels = [Level(1.0, "")] if about.better == "one" else []
    if log.before is not None and name in log.before:
        value = log.before[name]
        levels.append(Level(value, f"{facts.parent or 'before'} {text_of(name, value)}", _PARENT))
    title = f"{about.title[:1].upper()}{about.title[1:]}, held-out people ({about.direction})"
    judged = [point for point in points if point[0] > facts.judged_after]
    star = best(judged, name) if name == facts.criterion else None
    return Panel(title, [Line(points, color, width=2.0, dots=True)], levels, marks, star)


def _losses(log: TrainingLog, marks: Sequence[tuple[float, Color]]) -> Panel | None:
    lines = [
        Line(_thinned(log.losses[name]), color, title, 1.2)
        for (name, title), color in zip(
            ((name, title) for name, title in _LOSSES.items() if any(v > 0 for _, v in log.losses.get(name, ()))),
            (_LOSS_COLORS[number % len(_LOSS_COLORS)] for number in range(len(_LOSSES))),
            strict=False,
        )
    ]
    return Panel("Losses", lines, (), marks, logarithmic=True) if lines else None


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """Means of neighbours, at most ``_MOST_POINTS``: a loss jumps from step to step."""
    known = [point for point in points if math.isfinite(point[1])]
    group = max(1, len(known) // _MOST_POINTS, min(5, len(known) // 20))
    parts = [known[first : first + group] for first in range(0, len(known), group)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]
