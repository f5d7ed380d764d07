"""Points of ROC, FROC and AFROC curves, of each reader and of all readers together at the same rating."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.integrate import trapezoid

from MedUSISLib.study.analysis.result_statistics import ALL, Curve
from MedUSISLib.study.readings import Reading
from MedUSISLib.study.statistics.free_response import froc_points
from MedUSISLib.study.statistics.from_readings import lesion_marks
from MedUSISLib.study.statistics.lesion_table import LesionTable


def roc_points(negative: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of negative and positive cases rated at least c, for every rating c that occurs, from (0, 0) to (1, 1).

    Examples
    --------
    >>> x, y = roc_points(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    >>> x.tolist(), y.tolist()
    ([0.0, 0.0, 0.5, 1.0], [0.0, 0.5, 1.0, 1.0])
    """
    thresholds = np.unique(np.concatenate([negative, positive]))[::-1]
    x = np.array([0.0, *((negative >= c).mean() for c in thresholds)])
    y = np.array([0.0, *((positive >= c).mean() for c in thresholds)])
    return x, y


def roc_curve(arm: str, reader: str, negative: Sequence[float], positive: Sequence[float]) -> Curve | None:
    """An empirical ROC curve with its area; None where a class is empty."""
    if not len(negative) or not len(positive):
        return None
    x, y = roc_points(np.asarray(negative, float), np.asarray(positive, float))
    return _curve("roc", arm, reader, x, y, float(trapezoid(y, x)))


def lesion_curves(readings: Sequence[Reading]) -> list[Curve]:
    """FROC and AFROC curves of every reader in every arm, and of all readers together.

    Parameters
    ----------
    readings : sequence of Reading
        First readings of cases with a mask. Readers need not have read the same cases.

    Returns
    -------
    list of Curve
        The AFROC area is the weighted one where there are cases without lesions, else that of AFROC1 (false marks of
        all cases).
    """
    curves = []
    arms = list(dict.fromkeys(reading.arm for reading in readings))
    readers = list(dict.fromkeys(reading.reader for reading in readings))
    for arm in arms:
        here = [reading for reading in readings if reading.arm == arm]
        groups = {reader: [r for r in here if r.reader == reader] for reader in readers}
        if len(readers) > 1:
            groups[ALL] = [replace(r, reader=ALL, case=f"{r.reader}/{r.case}") for r in here]
        for reader, own in groups.items():
            if own:
                table = lesion_marks(own)
                curves.append(_froc(table, arm, reader))
                afroc = _afroc(table, arm, reader)
                curves += [afroc] if afroc is not None else []
    return curves


def _froc(table: LesionTable, arm: str, reader: str) -> Curve:
    x, y = froc_points(table, 0, 0)
    return _curve("froc", arm, reader, x, y, None)


def _afroc(table: LesionTable, arm: str, reader: str) -> Curve | None:
    normal = ~table.truth
    cases = normal if normal.any() else np.ones(len(table.cases), bool)
    lesions = table.lesion_ratings[0, 0]
    if not len(lesions):
        return None
    false = table.false_ratings[0, 0, cases]
    weight = table.lesion_weight / table.lesion_weight.sum()
    ratings = np.concatenate([false, lesions])
    thresholds = np.unique(ratings[np.isfinite(ratings)])[::-1]
    x = np.array([0.0, *((false >= c).mean() for c in thresholds), 1.0])
    y = np.array([0.0, *(weight[lesions >= c].sum() for c in thresholds), 1.0])
    return _curve("afroc", arm, reader, x, y, float(trapezoid(y, x)))


def _curve(kind: str, arm: str, reader: str, x: np.ndarray, y: np.ndarray, area: float | None) -> Curve:
    return Curve.model_validate(
        {
            "kind": kind,
            "arm": arm,
            "reader": reader,
            "x": tuple(float(v) for v in x),
            "y": tuple(float(v) for v in y),
            "area": area,
        }
    )
