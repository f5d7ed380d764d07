"""Intraclass correlation: agreement of raters on numbers (lesion counts, sizes, quality scores).

References
----------
Shrout, Fleiss, Psychol. Bull. 86 (1979) 420-428: the forms and the example that the tests use.
McGraw, Wong, Psychol. Methods 1 (1996) 30-46: names and intervals.
Koo, Li, J. Chiropr. Med. 15 (2016) 155-163: which form to report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats


class IccForm(StrEnum):
    """Which raters are meant, and whether a constant offset between them counts.

    ONE_WAY: every case has other raters, ICC(1). AGREEMENT: raters are a sample, offsets count, ICC(A), Shrout-Fleiss
    2; the one to report for readers. CONSISTENCY: offsets do not count, ICC(C), Shrout-Fleiss 3.
    """

    ONE_WAY = "one-way"
    AGREEMENT = "agreement"
    CONSISTENCY = "consistency"


@dataclass(frozen=True)
class Icc:
    """One intraclass correlation with its interval; of single ratings and of the mean over the raters."""

    form: IccForm
    single: float
    single_low: float
    single_high: float
    average: float
    average_low: float
    average_high: float
    subjects: int
    raters: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON; what is not defined is None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }


def icc(ratings: object, form: IccForm = IccForm.AGREEMENT, confidence: float = 0.95) -> Icc:
    """Intraclass correlation of complete ratings.

    Parameters
    ----------
    ratings : array-like of float [S, R]
        Cases by raters, at least two of each, none missing.
    form : IccForm
    confidence : float

    Returns
    -------
    Icc
        NaN where nothing varies.

    Raises
    ------
    ValueError
        If ratings are missing or too few.

    Notes
    -----
    With mean squares of subjects S, raters R, error E, and W within subjects, n subjects, k raters:
    one-way (S - W) / (S + (k - 1) W); agreement (S - E) / (S + (k - 1) E + k (R - E) / n); consistency
    (S - E) / (S + (k - 1) E). Averages by Spearman-Brown, k r / (1 + (k - 1) r).
    """
    x = np.asarray(ratings, float)
    if x.ndim != 2 or min(x.shape) < 2:
        raise ValueError("at least two cases and two raters are needed")
    if np.isnan(x).any():
        raise ValueError("ratings are missing; leave out cases that somebody did not rate")
    n, k = x.shape
    subjects = k * x.mean(axis=1).var(ddof=1)
    raters = n * x.mean(axis=0).var(ddof=1)
    rest = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0, keepdims=True) + x.mean()
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    within = ((x - x.mean(axis=1, keepdims=True)) ** 2).sum() / (n * (k - 1))
    quantile = 0.5 + confidence / 2
    if form is IccForm.AGREEMENT:
        bounds = _agreement(subjects, raters, error, n, k, quantile)
    else:
        noise, df = (within, n * (k - 1)) if form is IccForm.ONE_WAY else (error, (n - 1) * (k - 1))
        bounds = _from_ratio(subjects, noise, n - 1, df, k, quantile)
    average = [k * b / (1 + (k - 1) * b) if math.isfinite(b) and 1 + (k - 1) * b > 0 else math.nan for b in bounds]
    return Icc(form, bounds[0], bounds[1], bounds[2], average[0], average[1], average[2], n, k)


def _from_ratio(signal: float, noise: float, df1: int, df2: int, k: int, quantile: float) -> tuple[float, float, float]:
    if noise <= 0:
        return (1.0, 1.0, 1.0) if signal > 0 else (math.nan,) * 3
    f = signal / noise
    low = f / stats.f.ppf(quantile, df1, df2)
    high = f * stats.f.ppf(quantile, df2, df1)
    value, lower, upper = (float((x - 1) / (x + k - 1)) for x in (f, low, high))
    return value, lower, upper


def _agreement(s: float, r: float, e: float, n: int, k: int, quantile: float) -> tuple[float, float, float]:
    whole = s + (k - 1) * e + k * (r - e) / n
    if whole <= 0:
        return (math.nan,) * 3
    value = float((s - e) / whole)
    if e <= 0 and r <= 0:
        return value, value, value
    a = k * value / (n * (1 - value)) if value < 1 else math.inf
    b = 1 + a * (n - 1)
    df = (a * r + b * e) ** 2 / ((a * r) ** 2 / (k - 1) + (b * e) ** 2 / ((n - 1) * (k - 1)))
    rest = k * r + (k * n - k - n) * e
    f_low, f_high = stats.f.ppf(quantile, n - 1, df), stats.f.ppf(quantile, df, n - 1)
    low = n * (s - f_low * e) / (f_low * rest + n * s)
    high = n * (f_high * s - e) / (rest + n * f_high * s)
    return value, float(low), float(high)
