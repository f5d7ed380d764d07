"""How well a reader tells two kinds of pictures apart: d', criterion, balanced accuracy.

References
----------
Green, Swets, Signal Detection Theory and Psychophysics (1966): d' and the criterion; 2AFC: d' = sqrt(2) z(correct).
Hautus, Behav. Res. Methods 27 (1995) 46-51: the log-linear correction, (x + 0.5) / (n + 1).
Gourevitch, Galanter, Psychometrika 32 (1967) 25-33: the variance of d'.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from MedUSISLib.study.statistics.rating_table import RatingTable


@dataclass(frozen=True)
class DPrime:
    """Distance of the two distributions in standard deviations, and where the reader puts the border.

    ``criterion`` above 0: hesitates to call a picture positive. ``low`` and ``high``: normal interval.
    """

    value: float
    standard_error: float
    low: float
    high: float
    criterion: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return asdict(self)


def d_prime(
    hits: float, positives: float, false_alarms: float, negatives: float, confidence: float = 0.95
) -> DPrime | None:
    """d' = z(H) - z(F) with the log-linear correction, so that it stays finite; None where a class is empty.

    Examples
    --------
    >>> round(d_prime(20, 25, 10, 25).value, 3)
    1.044
    """
    if positives <= 0 or negatives <= 0:
        return None
    h, f = (hits + 0.5) / (positives + 1), (false_alarms + 0.5) / (negatives + 1)
    zh, zf = float(stats.norm.ppf(h)), float(stats.norm.ppf(f))
    square = h * (1 - h) / (positives * stats.norm.pdf(zh) ** 2) + f * (1 - f) / (negatives * stats.norm.pdf(zf) ** 2)
    error = math.sqrt(square)
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * error
    return DPrime(zh - zf, error, zh - zf - half, zh - zf + half, -(zh + zf) / 2)


class BalancedAccuracy:
    """Mean of the shares right among positive and among negative cases: 1/2 for guessing, whatever their ratio.

    Parameters
    ----------
    table : RatingTable
        For readers, tests and truth; its ratings are not used.
    scores : ndarray of float [T, R, C]
        1 right, 0 wrong, 0.5 undecided, NaN left out.
    """

    name = "balanced-accuracy"
    title = "balanced accuracy"
    chance: float | None = 0.5
    bounded = True

    def __init__(self, table: RatingTable, scores: np.ndarray) -> None:
        self.readers, self.tests, self.truth, self.units = table.readers, table.tests, table.truth, table.units
        self.relevant = np.ones(len(table.truth), bool)
        self._answered = (~np.isnan(scores)).astype(float)
        self._filled = np.nan_to_num(scores)

    def values(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See ``figures.Figure``."""
        weights = np.ones(len(self.truth)) if weights is None else weights
        classes = [weights * mask for mask in (self.truth, ~self.truth)]
        return self._of(*(x for w in classes for x in (self._filled @ w, self._answered @ w)))

    def without_each_case(self) -> np.ndarray:
        """The figure without each case in turn, [C, T, R]; the same as ``values`` with that weight 0, only faster."""
        right, answered = np.moveaxis(self._filled, 2, 0), np.moveaxis(self._answered, 2, 0)
        counts = []
        for mask in (self.truth[:, None, None], ~self.truth[:, None, None]):
            for x in (right * mask, answered * mask):
                counts.append(x.sum(axis=0) - x)
        return self._of(*counts)

    def _of(self, hits: np.ndarray, positives: np.ndarray, rejected: np.ndarray, negatives: np.ndarray) -> np.ndarray:
        """From right answers and answers among positive and negative cases. A class without any counts as guessing."""
        shares = [
            np.where(answers > 0, right / np.maximum(answers, 1e-12), 0.5)
            for right, answers in ((hits, positives), (rejected, negatives))
        ]
        return (shares[0] + shares[1]) / 2


class DPrimeFigure(BalancedAccuracy):
    """d' of every reader as a figure of merit, for the analysis over readers and cases."""

    name = "d-prime"
    title = "d'"
    chance: float | None = 0.0
    bounded = False

    def _of(self, hits: np.ndarray, positives: np.ndarray, rejected: np.ndarray, negatives: np.ndarray) -> np.ndarray:
        h, f = (hits + 0.5) / (positives + 1), (negatives - rejected + 0.5) / (negatives + 1)
        return stats.norm.ppf(h) - stats.norm.ppf(f)
