"""How long readers took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from MedUSISLib.study.analysis.result_statistics import TimeSummary
from MedUSISLib.study.readings import Reading

Kind = Literal["reader", "arm", "outcome"]


def times(readings: Sequence[Reading], outcome: Callable[[Reading], str]) -> tuple[TimeSummary, ...]:
    """Seconds per answer by reader, by arm, and by what ``outcome`` calls an answer ("" leaves it out)."""
    found = []
    naming: tuple[tuple[Kind, Callable[[Reading], str]], ...] = (
        ("reader", lambda reading: reading.reader),
        ("arm", lambda reading: reading.arm),
        ("outcome", outcome),
    )
    for kind, name_of in naming:
        groups: dict[str, list[float]] = {}
        for reading in readings:
            name = name_of(reading)
            if name:
                groups.setdefault(name, []).append(reading.seconds)
        found += [_summary(kind, name, seconds) for name, seconds in groups.items()]
    return tuple(found)


def _summary(kind: Kind, name: str, seconds: Sequence[float]) -> TimeSummary:
    low, middle, high = (float(q) for q in np.quantile(seconds, [0.25, 0.5, 0.75]))
    return TimeSummary(
        kind=kind,
        name=name,
        answers=len(seconds),
        median_s=middle,
        quartiles_s=(low, high),
        mean_s=float(np.mean(seconds)),
        total_s=float(np.sum(seconds)),
    )
