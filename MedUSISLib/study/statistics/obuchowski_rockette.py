"""The Obuchowski-Rockette analysis of readers x tests with Hillis's degrees of freedom.

Model of the figure of test i and reader j: ``theta_ij = mu + tau_i + R_j + (tau R)_ij + e_ij``, with errors that
correlate because all come from the same cases (`ErrorCovariances`). With t tests, r readers, MS the mean squares of the
unreplicated two-way analysis of variance, and D = max(Cov2 - Cov3, 0):

==========================  =====================================  ================================================
generalises to              statistic                              degrees of freedom
==========================  =====================================  ================================================
readers and cases           F = MS(T) / (MS(TR) + r D)             t - 1, (MS(TR) + r D)^2 / (MS(TR)^2/((t-1)(r-1)))
cases (these readers)       X2 = (t-1) MS(T) / (Var - Cov1 +       t - 1
                            (r - 1) D)
readers (these cases)       F = MS(T) / MS(TR)                     t - 1, (t - 1)(r - 1)
==========================  =====================================  ================================================

Intervals of a single test use only that test's mean square MS(R) and Cov2:
``SE^2 = (MS(R) + r max(Cov2, 0)) / r`` with ``(MS(R) + r max(Cov2, 0))^2 / (MS(R)^2 / (r - 1))`` degrees of freedom.

References
----------
Obuchowski, Rockette, Commun. Stat. Simul. Comput. 24 (1995) 285-308: the model.
Hillis, Stat. Med. 26 (2007) 596-619: the degrees of freedom (ddf_H) and the single-test intervals.
Hillis, Berbaum, Metz, Acad. Radiol. 15 (2008) 647-661: the three analyses.
Hillis, Stat. Med. 33 (2014) 330-360: the marginal-mean formulation.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import combinations
from typing import Any

import numpy as np
from scipy import special

from MedUSISLib.study.statistics.covariances import ErrorCovariances


class Generalisation(StrEnum):
    """What a statement holds for beyond this study."""

    READERS_AND_CASES = "random readers, random cases"
    CASES = "fixed readers, random cases"
    READERS = "random readers, fixed cases"


@dataclass(frozen=True)
class Estimate:
    """A number with its interval. Infinite ``ddf``: a normal quantile was used."""

    value: float
    standard_error: float
    ddf: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON (infinite degrees of freedom become None)."""
        return {name: _finite(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class TestEstimate:
    """Mean over readers of one test.

    ``logit``: the interval on the logit scale, for figures in 0..1. It holds the truth more often than the symmetric
    one of the literature, whose coverage falls towards 92 % for high figures and few readers
    (docs/study-statistics.md).
    """

    test: str
    estimate: Estimate
    logit: tuple[float, float] | None = None

    __test__ = False  # not a test of pytest's

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        low, high = self.logit or (None, None)
        return {"test": self.test, **self.estimate.as_dict(), "logit_low": low, "logit_high": high}


@dataclass(frozen=True)
class Difference:
    """First test minus second; ``p_value`` is of no difference, two-sided, not corrected for several pairs."""

    first: str
    second: str
    estimate: Estimate
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {"first": self.first, "second": self.second, **self.estimate.as_dict(), "p_value": _finite(self.p_value)}


@dataclass(frozen=True)
class Analysis:
    """One of the three analyses: the global test of equal tests, every pair, every test.

    ``statistic`` is F, or chi-square for fixed readers; None with one test only. ``error`` is its denominator.
    """

    generalisation: Generalisation
    statistic_name: str
    statistic: float | None
    ndf: float | None
    ddf: float | None
    p_value: float | None
    error: float | None
    differences: tuple[Difference, ...]
    tests: tuple[TestEstimate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {
            "generalises_to": self.generalisation.value,
            "statistic_name": self.statistic_name,
            "statistic": _finite(self.statistic),
            "ndf": self.ndf,
            "ddf": _finite(self.ddf),
            "p_value": _finite(self.p_value),
            "error": _finite(self.error),
            "differences": [d.as_dict() for d in self.differences],
            "tests": [t.as_dict() for t in self.tests],
        }


@dataclass(frozen=True)
class MeanSquares:
    """Of the unreplicated analysis of variance of figures [T, R].

    ``single`` holds MS(R) of each test alone. ``None`` where there are no degrees of freedom.
    """

    test: float | None
    reader: float | None
    interaction: float | None
    single: tuple[float | None, ...]

    @classmethod
    def of(cls, values: np.ndarray) -> MeanSquares:
        """From figures [T, R]."""
        t, r = values.shape
        # Figures that are equal on paper differ in the last bit; over such a "variance" every F would be significant.
        least = (1e-12 * float(np.abs(values).max(initial=0.0))) ** 2

        def settled(square: np.floating) -> float:
            return float(square) if not square <= least else 0.0

        by_test, by_reader, grand = values.mean(axis=1), values.mean(axis=0), values.mean()
        rest = values - by_test[:, None] - by_reader[None, :] + grand
        return cls(
            test=settled(r * np.sum((by_test - grand) ** 2) / (t - 1)) if t > 1 else None,
            reader=settled(t * np.sum((by_reader - grand) ** 2) / (r - 1)) if r > 1 else None,
            interaction=settled(np.sum(rest**2) / ((t - 1) * (r - 1))) if t > 1 and r > 1 else None,
            single=tuple(settled(np.var(row, ddof=1)) if r > 1 else None for row in values),
        )


@dataclass(frozen=True)
class VarianceComponents:
    """Estimates for planning; those of readers can come out negative and are then reported so."""

    reader: float | None
    test_reader: float | None
    error: ErrorCovariances

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return {"reader": self.reader, "test_reader": self.test_reader, **self.error.as_dict()}

    @classmethod
    def of(cls, squares: MeanSquares, error: ErrorCovariances, tests: int) -> VarianceComponents:
        """``Var(TR) = MS(TR) - Var + Cov1 + Cov2 - Cov3``; ``Var(R) = (MS(R) - MS(TR)) / t - Cov1 + Cov3``."""
        if squares.interaction is None or squares.reader is None:
            return cls(None, None, error)
        assert error.cov1 is not None and error.cov2 is not None and error.cov3 is not None
        interaction = squares.interaction - error.variance + error.cov1 + error.cov2 - error.cov3
        reader = (squares.reader - squares.interaction) / tests - error.cov1 + error.cov3
        return cls(reader, interaction, error)


class ObuchowskiRockette:
    """The three analyses of figures with known covariance.

    Parameters
    ----------
    values : ndarray of float [T, R]
    covariance : ndarray of float [T, R, T, R]
        From ``covariances.covariance_of``.
    tests : sequence of str
        Names of the tests.
    confidence : float
        Of the intervals.
    bounded : bool
        The figure lies between 0 and 1.
    """

    def __init__(
        self,
        values: np.ndarray,
        covariance: np.ndarray,
        tests: tuple[str, ...],
        confidence: float,
        bounded: bool = True,
    ) -> None:
        self.values, self.covariance, self.tests, self.confidence = values, covariance, tests, confidence
        self._bounded = bounded
        self.t, self.r = values.shape
        self.squares = MeanSquares.of(values)
        self.error = ErrorCovariances.of(covariance)
        self.components = VarianceComponents.of(self.squares, self.error, self.t)
        self._single = [ErrorCovariances.of(covariance[i : i + 1, :, i : i + 1, :]) for i in range(self.t)]

    def analyse(self, generalisation: Generalisation) -> Analysis | None:
        """One of the three; None where it needs two readers and there is one."""
        if generalisation is Generalisation.CASES:
            return self._fixed_readers()
        if self.r < 2:
            return None
        return self._random_readers(generalisation)

    def reader_differences(self) -> list[tuple[int, Difference]]:
        """Every pair of tests for every reader alone: ``SE^2 = Var_1 + Var_2 - 2 Cov`` of that reader, normal."""
        found = []
        for j in range(self.r):
            for a, b in combinations(range(self.t), 2):
                c = self.covariance[:, j, :, j]
                error = math.sqrt(max(c[a, a] + c[b, b] - 2 * c[a, b], 0.0))
                found.append((j, self._difference(a, b, self.values[a, j] - self.values[b, j], error, math.inf)))
        return found

    def _random_readers(self, generalisation: Generalisation) -> Analysis:
        r, squares = self.r, self.squares
        random_cases = generalisation is Generalisation.READERS_AND_CASES
        singles = []
        for i in range(self.t):
            square = squares.single[i]
            assert square is not None
            extra = r * max(self._single[i].cov2 or 0.0, 0.0) if random_cases else 0.0
            ddf = hillis_ddf(square, extra, r - 1)
            singles.append(self._test(i, math.sqrt((square + extra) / r), ddf))
        if squares.interaction is None or squares.test is None:
            return Analysis(generalisation, "F", None, None, None, None, None, (), tuple(singles))
        extra = r * max((self.error.cov2 or 0.0) - (self.error.cov3 or 0.0), 0.0) if random_cases else 0.0
        error = squares.interaction + extra
        ddf = hillis_ddf(squares.interaction, extra, (self.t - 1) * (r - 1))
        statistic = squares.test / error if error > 0 else math.nan
        return Analysis(
            generalisation,
            "F",
            statistic,
            self.t - 1,
            ddf,
            float(special.fdtrc(self.t - 1, min(ddf, 1e12), statistic)),
            error,
            self._differences(math.sqrt(2 * error / r), ddf),
            tuple(singles),
        )

    def _fixed_readers(self) -> Analysis:
        r = self.r
        singles = []
        for i in range(self.t):
            own = self._single[i]
            square = (own.variance + (r - 1) * max(own.cov2 or 0.0, 0.0)) / r
            singles.append(self._test(i, math.sqrt(max(square, 0.0)), math.inf))
        if self.squares.test is None:
            return Analysis(Generalisation.CASES, "chi-square", None, None, None, None, None, (), tuple(singles))
        error = self.error.variance - (self.error.cov1 or 0.0)
        error += (r - 1) * max((self.error.cov2 or 0.0) - (self.error.cov3 or 0.0), 0.0)
        error = max(error, 0.0)
        statistic = (self.t - 1) * self.squares.test / error if error > 0 else math.nan
        return Analysis(
            Generalisation.CASES,
            "chi-square",
            statistic,
            self.t - 1,
            math.inf,
            float(special.chdtrc(self.t - 1, statistic)),
            error,
            self._differences(math.sqrt(2 * error / r), math.inf),
            tuple(singles),
        )

    def _differences(self, error: float, ddf: float) -> tuple[Difference, ...]:
        means = self.values.mean(axis=1)
        return tuple(self._difference(a, b, means[a] - means[b], error, ddf) for a, b in combinations(range(self.t), 2))

    def _difference(self, a: int, b: int, value: float, error: float, ddf: float) -> Difference:
        p = 2 * Student(ddf).sf(abs(value) / error) if error > 0 else math.nan
        return Difference(self.tests[a], self.tests[b], self._estimate(float(value), error, ddf), p)

    def _test(self, i: int, error: float, ddf: float) -> TestEstimate:
        estimate = self._estimate(float(self.values[i].mean()), error, ddf)
        return TestEstimate(self.tests[i], estimate, logit_interval(estimate) if self._bounded else None)

    def _estimate(self, value: float, error: float, ddf: float) -> Estimate:
        half = Student(ddf).ppf(0.5 + self.confidence / 2) * error if error > 0 else 0.0
        return Estimate(value, error, ddf, value - half, value + half)


def logit_interval(estimate: Estimate) -> tuple[float, float] | None:
    """The interval of ``log(x / (1 - x))``, SE by the delta method, back on the scale of x; None at 0 and 1.

    Pepe, The Statistical Evaluation of Medical Tests (Oxford 2003), ch. 5.

    Examples
    --------
    >>> [round(x, 3) for x in logit_interval(Estimate(0.9, 0.04, 10.0, 0.81, 0.99))]
    [0.768, 0.961]
    """
    value = estimate.value
    if not 0 < value < 1:
        return None
    middle = math.log(value / (1 - value))
    half = (estimate.high - value) / (value * (1 - value))
    return float(special.expit(middle - half)), float(special.expit(middle + half))


def hillis_ddf(square: float, extra: float, df: int) -> float:
    """Hillis's ``ddf_H = (MS + extra)^2 / (MS^2 / df)``; infinite where MS is 0 and only cases vary.

    Examples
    --------
    >>> round(hillis_ddf(0.00055103, 5 * (0.00034407 - 0.00023903), 4), 2)  # Van Dyke's data
    15.26
    """
    if square <= 0:
        return math.inf
    return df * ((square + extra) / square) ** 2


@dataclass(frozen=True)
class Student:
    """Student's distribution, or the normal one for infinite degrees of freedom.

    scipy.special instead of scipy.stats: an analysis makes a dozen of them, a simulation some ten thousand analyses.
    """

    ddf: float

    def cdf(self, x: float) -> float:
        """Probability of a smaller value."""
        return float(special.stdtr(self.ddf, x) if math.isfinite(self.ddf) else special.ndtr(x))

    def sf(self, x: float) -> float:
        """Probability of a larger value."""
        return self.cdf(-x)

    def ppf(self, p: float) -> float:
        """Value below which a share p lies."""
        return float(special.stdtrit(self.ddf, p) if math.isfinite(self.ddf) else special.ndtri(p))

    def isf(self, p: float) -> float:
        """Value above which a share p lies."""
        return -self.ppf(p)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
