"""How many readers and cases a comparison of tests needs.

With the Obuchowski-Rockette components of a pilot study (or guesses), the F test has the noncentrality
``lambda = r d^2 / 2 / (Var(TR) + v + (r - 1) D)`` for a true difference d of two tests, ``v = Var - Cov1``,
``D = max(Cov2 - Cov3, 0)``, and ``(Var(TR) + v + (r - 1) D)^2 / ((Var(TR) + v - D)^2 / (r - 1))`` degrees of freedom;
error terms shrink as 1 / cases. Fixed readers: without Var(TR), chi-square. Fixed cases: ``Var(TR) + v - D``, r - 1.

References
----------
Hillis, Obuchowski, Berbaum, Acad. Radiol. 18 (2011) 129-142: power in the Obuchowski-Rockette model.
Obuchowski, Acad. Radiol. 2 (1995) S22-S29: planning with guessed components.
Bamber, J. Math. Psychol. 12 (1975) 387-415: variance of the Wilcoxon statistic.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.statistics.covariances import ErrorCovariances
from MedUSISLib.study.statistics.figures import EmpiricalAuc
from MedUSISLib.study.statistics.mrmc import MrmcResult, analyse_mrmc
from MedUSISLib.study.statistics.obuchowski_rockette import Generalisation, hillis_ddf
from MedUSISLib.study.statistics.simulation import RoeMetzModel

MOST_CASES = 20_000
"""More than this is answered with "cannot be reached"."""


@dataclass(frozen=True)
class PlanningComponents:
    """Variance components for two tests, and the number of cases that they belong to.

    Attributes
    ----------
    test_reader : float
        Var(TR), of true figures; negative estimates are taken as 0.
    error : ErrorCovariances
        For ``cases`` cases.
    cases : int
    """

    test_reader: float
    error: ErrorCovariances
    cases: int

    @classmethod
    def from_pilot(cls, result: MrmcResult) -> PlanningComponents:
        """From the analysis of a pilot study with two or more readers and tests.

        Raises
        ------
        MedUSISError
            ``BAD_SETTING``.
        """
        components = result.components
        if components.test_reader is None:
            raise MedUSISError(
                ErrorCode.BAD_SETTING, "the pilot study has one reader or one test", "two of each are needed"
            )
        return cls(max(components.test_reader, 0.0), components.error, result.positives + result.negatives)

    def for_cases(self, cases: float) -> tuple[float, float]:
        """``v`` and ``D`` of the module's text for another number of cases."""
        scale = self.cases / cases
        error = self.error
        first = error.variance - (error.cov1 or 0.0)
        second = max((error.cov2 or 0.0) - (error.cov3 or 0.0), 0.0)
        return first * scale, second * scale


@dataclass(frozen=True)
class AreaGuess:
    """Components of areas guessed from what is usually known.

    Attributes
    ----------
    auc : float
        Mean area of the two tests.
    positive_share : float
        Of the cases.
    same_reader, same_test, neither : float
        Correlations r1, r2, r3 of errors: same reader in two tests; two readers in one test; two readers in two tests.
        The defaults are those of Van Dyke's data (docs/study-statistics.md), as is ``test_reader_sd``, the standard
        deviation over readers of what the test changes (of true areas, over sqrt(2)).
    """

    auc: float = 0.85
    positive_share: float = 0.5
    same_reader: float = 0.43
    same_test: float = 0.43
    neither: float = 0.30
    test_reader_sd: float = 0.0142

    def __post_init__(self) -> None:
        if not 0.5 <= self.auc < 1 or not 0 < self.positive_share < 1 or self.test_reader_sd < 0:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the area must lie in 0.5..1, the share of positive cases between 0 and 1, deviations above 0",
            )
        rest = 1 - self.same_reader - self.same_test + self.neither
        if not 0 <= self.neither <= min(self.same_reader, self.same_test) or rest < 0:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the correlations contradict each other",
                "0 <= r3 <= r1, r3 <= r2 and r1 + r2 - r3 <= 1 must hold",
            )

    def components(self, cases: int = 100) -> PlanningComponents:
        """Components for so many cases."""
        variance = binormal_variance(self.auc, cases * self.positive_share, cases * (1 - self.positive_share))
        error = ErrorCovariances(
            variance, variance * self.same_reader, variance * self.same_test, variance * self.neither
        )
        return PlanningComponents(self.test_reader_sd**2, error, cases)

    def latent_model(self) -> RoeMetzModel:
        """A simulator with about these components.

        Latent variances equal the correlations (those of areas come out a little smaller); a reader's term s of the
        area is ``s / phi(mu / sqrt(2))`` of the latent ratings, by the derivative of ``Phi(mu / sqrt(2))``.
        """
        slope = float(stats.norm.pdf(stats.norm.ppf(self.auc)))
        return RoeMetzModel(
            case=self.neither,
            test_case=self.same_test - self.neither,
            reader_case=self.same_reader - self.neither,
            error=1 - self.same_reader - self.same_test + self.neither,
            test_reader=(self.test_reader_sd / slope) ** 2,
        )


def binormal_variance(auc: float, positives: float, negatives: float) -> float:
    """Variance of the empirical area of normal ratings with equal variances, exact.

    ``(A (1 - A) + (P + N - 2) (Q - A^2)) / (P N)``, Q the probability that two positive cases are both rated above
    one negative case, from the bivariate normal distribution with correlation 1/2. Five evenly used grades instead of
    a continuous scale: variance up to an eighth larger, area about 0.01 lower (simulated, areas 0.75 to 0.92).

    Examples
    --------
    >>> round(binormal_variance(0.85, 50, 50), 5)
    0.00143
    """
    z = float(stats.norm.ppf(auc))
    both = auc - 2 * float(special.owens_t(z, 1 / math.sqrt(3)))
    return (auc * (1 - auc) + (positives + negatives - 2) * (both - auc**2)) / (positives * negatives)


def power(
    components: PlanningComponents,
    difference: float,
    readers: int,
    cases: int,
    generalisation: Generalisation = Generalisation.READERS_AND_CASES,
    alpha: float = 0.05,
) -> float:
    """Probability that a true difference of two tests is found significant, two-sided.

    Parameters
    ----------
    components : PlanningComponents
    difference : float
        Of the mean figures.
    readers, cases : int
        Of the planned study, with the pilot's share of positive cases.
    generalisation : Generalisation
    alpha : float

    Returns
    -------
    float
    """
    v, d = components.for_cases(cases)
    if difference == 0:
        return alpha  # scipy's noncentral F is wrong (and negative) without noncentrality
    signal = readers * difference**2 / 2
    if generalisation is Generalisation.CASES:
        noise = v + (readers - 1) * d
        if noise <= 0:
            return 1.0
        return float(stats.ncx2.sf(stats.chi2.isf(alpha, 1), 1, signal / noise))
    if readers < 2:
        raise MedUSISError(ErrorCode.BAD_SETTING, "random readers need two readers at least")
    square = max(components.test_reader + v - d, 0.0)
    extra = readers * d if generalisation is Generalisation.READERS_AND_CASES else 0.0
    if square + extra <= 0:
        return 1.0
    ddf = min(hillis_ddf(square, extra, readers - 1), 1e9)
    return float(stats.ncf.sf(stats.f.isf(alpha, 1, ddf), 1, ddf, signal / (square + extra)))


def cases_for_power(
    components: PlanningComponents,
    difference: float,
    readers: int,
    wanted: float = 0.8,
    generalisation: Generalisation = Generalisation.READERS_AND_CASES,
    alpha: float = 0.05,
    least: int = 10,
) -> int | None:
    """Smallest number of cases with the wanted power; None where `MOST_CASES` do not give it."""

    def enough(cases: int) -> bool:
        return power(components, difference, readers, cases, generalisation, alpha) >= wanted

    return smallest(enough, least, MOST_CASES)


def smallest(enough: Any, least: int, most: int) -> int | None:
    """Smallest number in least..most for which a rising condition holds, by bisection."""
    if not enough(most):
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True)
class SimulatedPower:
    """Share of simulated studies with p < alpha, and its standard error."""

    power: float
    standard_error: float
    studies: int

    def as_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return asdict(self)


def simulated_power(
    guess: AreaGuess,
    difference: float,
    readers: int,
    cases: int,
    studies: int = 500,
    seed: int = 0,
    generalisation: Generalisation = Generalisation.READERS_AND_CASES,
    alpha: float = 0.05,
) -> SimulatedPower:
    """Simulate whole studies (ratings, areas, jackknife, F test) instead of trusting the formula."""
    generator = np.random.default_rng(seed)
    positives = max(round(cases * guess.positive_share), 2)
    areas = (guess.auc - difference / 2, guess.auc + difference / 2)
    if not 0 < areas[0] <= areas[1] < 1:
        raise MedUSISError(ErrorCode.BAD_SETTING, "the difference takes an area out of 0..1")
    model = guess.latent_model()
    found = 0
    for _ in range(studies):
        table = model.sample(generator, areas, readers, max(cases - positives, 2), positives)
        analysis = analyse_mrmc(EmpiricalAuc(table)).analysis(generalisation)
        p = analysis.p_value if analysis is not None else None
        found += p is not None and p < alpha
    share = found / studies
    return SimulatedPower(share, math.sqrt(max(share * (1 - share), 1e-12) / studies), studies)
