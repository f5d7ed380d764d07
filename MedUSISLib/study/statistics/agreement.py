"""Agreement of readers with each other, and of a reader with an earlier reading, on categories.

Ratings are given as [S, R]: subjects (cases) by raters; None or NaN where a rater gave none. scipy has none of these,
statsmodels has two (Cohen's and Fleiss's kappa).

References
----------
Cohen, Educ. Psychol. Meas. 20 (1960) 37-46; Psychol. Bull. 70 (1968) 213-220: kappa, weighted kappa.
Fleiss, Cohen, Everitt, Psychol. Bull. 72 (1969) 323-327: their standard error.
Fleiss, Psychol. Bull. 76 (1971) 378-382: kappa for many raters.
Gwet, Br. J. Math. Stat. Psychol. 61 (2008) 29-48: AC1, and standard errors over subjects for it and for Fleiss's kappa.
Krippendorff, Content Analysis (3rd ed., Sage 2013), ch. 12: alpha for any number of raters, missing values, levels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of agreement; NaN where it is not defined (nobody ever used a second category).

    Attributes
    ----------
    observed, expected : float
        Share of agreement seen, and expected by chance; NaN where the coefficient knows no such thing.
    """

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    observed: float
    expected: float
    subjects: int
    raters: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON; what is not defined is None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }


class Weights(StrEnum):
    """How much a disagreement counts in Cohen's weighted kappa."""

    NONE = "none"
    LINEAR = "linear"
    QUADRATIC = "quadratic"


class Level(StrEnum):
    """Level of measurement, for Krippendorff's alpha."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def cohen_kappa(
    first: Sequence[object],
    second: Sequence[object],
    weights: Weights = Weights.NONE,
    categories: Sequence[object] | None = None,
    confidence: float = 0.95,
) -> Coefficient:
    """Cohen's kappa of two raters, or of one rater's two readings.

    ``kappa = (po - pe) / (1 - pe)`` with weights w_ij = 1 - |i - j|^p / (q - 1)^p in both.

    Parameters
    ----------
    first, second : sequence
        Categories, same length; pairs with a None are left out.
    weights : Weights
    categories : sequence, optional
        In order (needed for weights unless sorting orders them).
    confidence : float

    Raises
    ------
    ValueError
        If the lengths differ or there is no complete pair.

    Examples
    --------
    >>> pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    >>> found = cohen_kappa(*zip(*pairs))
    >>> round(found.value, 3), round(found.observed, 3), round(found.expected, 3)
    (0.4, 0.7, 0.5)
    """
    codes, names = encode(np.array([first, second], object).T if len(first) == len(second) else None, categories)
    codes = codes[(codes >= 0).all(axis=1)]
    n, q = len(codes), len(names)
    if not n:
        raise ValueError("there is no case that both rated")
    table = np.zeros((q, q))
    np.add.at(table, (codes[:, 0], codes[:, 1]), 1 / n)
    distance = np.abs(np.arange(q)[:, None] - np.arange(q)[None, :]) / max(q - 1, 1)
    power = {Weights.LINEAR: 1, Weights.QUADRATIC: 2}.get(weights)
    w = 1 - distance**power if power else np.eye(q)
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    observed, expected = float((w * table).sum()), float(rows @ w @ columns)
    if expected >= 1:
        return _undefined("Cohen's kappa", observed, expected, n, 2)
    kappa = (observed - expected) / (1 - expected)
    mean_weights = (w @ columns)[:, None] + (rows @ w)[None, :]
    square = (table * (w * (1 - expected) - mean_weights * (1 - observed)) ** 2).sum()
    square -= (observed * expected - 2 * expected + observed) ** 2
    error = math.sqrt(max(float(square), 0.0) / n) / (1 - expected) ** 2
    half = float(stats.norm.ppf(0.5 + confidence / 2)) * error
    name = "Cohen's kappa" + (f", {weights.value} weights" if power else "")
    return Coefficient(name, kappa, error, kappa - half, min(kappa + half, 1.0), observed, expected, n, 2)


def fleiss_kappa(ratings: object, confidence: float = 0.95) -> Coefficient:
    """Fleiss's kappa of two or more raters; expected agreement ``sum_q pi_q^2``, missing ratings allowed.

    The standard error is Gwet's over subjects (it does not assume kappa = 0, as Fleiss's own does).
    """
    return _many_raters("Fleiss's kappa", ratings, confidence)


def gwet_ac1(ratings: object, confidence: float = 0.95) -> Coefficient:
    """Gwet's AC1; expected agreement ``sum_q pi_q (1 - pi_q) / (Q - 1)``.

    Unlike kappa it does not collapse when nearly all cases are of one category.
    """
    return _many_raters("Gwet's AC1", ratings, confidence)


def _many_raters(name: str, ratings: object, confidence: float) -> Coefficient:
    codes, names = encode(ratings)
    counts = np.stack([(codes == q).sum(axis=1) for q in range(len(names))], axis=1).astype(float)
    counts = counts[counts.sum(axis=1) > 0]
    given = counts.sum(axis=1)
    n, q, several = len(counts), len(names), given >= 2
    if not several.any():
        raise ValueError("no case has two ratings")
    shares = counts / given[:, None]
    pi = shares.mean(axis=0)
    own = np.where(several, (counts * (counts - 1)).sum(axis=1) / np.maximum(given * (given - 1), 1), 0.0)
    observed = float(own[several].mean())
    if name == "Gwet's AC1":
        expected = float((pi * (1 - pi)).sum() / (q - 1)) if q > 1 else 0.0
        expected_each = (shares @ (1 - pi)) / (q - 1) if q > 1 else np.zeros(n)
    else:
        expected, expected_each = float((pi**2).sum()), shares @ pi
    if expected >= 1 or n < 2:
        return _undefined(name, observed, expected, n, codes.shape[1])
    value = (observed - expected) / (1 - expected)
    each = np.where(several, n / several.sum() * (own - expected) / (1 - expected), 0.0)
    each = each - 2 * (1 - value) * (expected_each - expected) / (1 - expected)
    error = math.sqrt(float(((each - value) ** 2).sum()) / (n * (n - 1)))
    half = float(stats.t.ppf(0.5 + confidence / 2, n - 1)) * error
    return Coefficient(name, value, error, value - half, min(value + half, 1.0), observed, expected, n, codes.shape[1])


def krippendorff_alpha(
    ratings: object,
    level: Level = Level.NOMINAL,
    categories: Sequence[object] | None = None,
    confidence: float = 0.95,
    samples: int = 1000,
    seed: int = 0,
) -> Coefficient:
    """Krippendorff's alpha, ``1 - Do / De``, with a bootstrap interval over subjects.

    Parameters
    ----------
    ratings : array-like [S, R]
        Numbers for interval level.
    level : Level
    categories : sequence, optional
        In order, for ordinal level.
    samples, seed : int
        Of the bootstrap; 0 samples: no interval.
    """
    codes, names = encode(ratings, categories)
    counts = np.stack([(codes == q).sum(axis=1) for q in range(len(names))], axis=1).astype(float)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("no case has two ratings")
    value = _alpha(counts, level, names)
    low = high = error = math.nan
    if samples and math.isfinite(value):
        generator = np.random.default_rng(seed)
        drawn = np.array(
            [_alpha(counts[generator.integers(len(counts), size=len(counts))], level, names) for _ in range(samples)]
        )
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) > 1:
            error = float(drawn.std(ddof=1))
            low, high = (float(x) for x in np.quantile(drawn, [0.5 - confidence / 2, 0.5 + confidence / 2]))
    name = f"Krippendorff's alpha, {level.value}"
    return Coefficient(name, value, error, low, high, math.nan, math.nan, len(counts), codes.shape[1])


def _alpha(counts: np.ndarray, level: Level, names: Sequence[Any]) -> float:
    given = counts.sum(axis=1)
    pairs = np.einsum("sq,sp->sqp", counts, counts) - np.einsum("sq,qp->sqp", counts, np.eye(counts.shape[1]))
    coincidence = (pairs / (given - 1)[:, None, None]).sum(axis=0)
    totals = coincidence.sum(axis=1)
    if level is Level.NOMINAL:
        distance = 1.0 - np.eye(len(totals))
    elif level is Level.INTERVAL:
        numbers = np.array([float(name) for name in names])
        distance = (numbers[:, None] - numbers[None, :]) ** 2
    else:
        middle = np.cumsum(totals) - totals / 2  # the sum of counts from c to k less half of both ends
        distance = (middle[:, None] - middle[None, :]) ** 2
    expected = totals @ distance @ totals / (totals.sum() - 1)
    return float(1 - (coincidence * distance).sum() / expected) if expected > 0 else math.nan


def encode(ratings: object, categories: Sequence[object] | None = None) -> tuple[np.ndarray, list[Any]]:
    """Ratings [S, R] as numbers of their categories, -1 missing, and the categories in order.

    Raises
    ------
    ValueError
        If the ratings are no table of two or more raters, or a category is not in the list.
    """
    table = np.asarray(ratings, object)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError("ratings must be a table of cases by two or more raters")
    missing = np.vectorize(lambda x: x is None or (isinstance(x, float) and math.isnan(x)), otypes=[bool])(table)
    present = table[~missing]
    names = list(categories) if categories is not None else sorted(set(present.tolist()))
    number = {name: index for index, name in enumerate(names)}
    if not set(present.tolist()) <= set(number):
        raise ValueError("a rating is none of the categories")
    codes = np.full(table.shape, -1)
    codes[~missing] = [number[x] for x in present.tolist()]
    return codes, names


def _undefined(name: str, observed: float, expected: float, subjects: int, raters: int) -> Coefficient:
    nan = math.nan
    return Coefficient(name, nan, nan, nan, nan, observed, expected, subjects, raters)
