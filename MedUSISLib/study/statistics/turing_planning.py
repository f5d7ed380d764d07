"""How many readers and pictures a visual Turing test needs, to show equivalence to chance or a difference from it.

The mean share right over r readers and c pictures has ``SE^2 = (MS + r Cov2) / r`` with expected
``MS = Var(reader) + p (1 - p) (1 - rho) / c`` and ``Cov2 = rho p (1 - p) / c``, rho being the correlation of two
readers' answers to one picture, and Hillis's degrees of freedom.

References
----------
Hillis, Stat. Med. 26 (2007) 596-619: the single-test standard error.
Phillips, J. Pharmacokinet. Biopharm. 18 (1990) 137-144: power of two one-sided tests by noncentral t.
Chen, Gong, Gallas, J. Med. Imaging 5 (2018) 031410: sizing of studies of binary answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from MedUSISLib.errors import ErrorCode, MedUSISError
from MedUSISLib.study.statistics.against_chance import compare_with_chance
from MedUSISLib.study.statistics.detection import BalancedAccuracy
from MedUSISLib.study.statistics.obuchowski_rockette import Student, hillis_ddf
from MedUSISLib.study.statistics.planning import MOST_CASES, SimulatedPower, smallest
from MedUSISLib.study.statistics.simulation import TuringModel


@dataclass(frozen=True)
class TuringGuess:
    """What is guessed beforehand.

    Attributes
    ----------
    accuracy : float
        True share right; 0.5: readers guess.
    reader_sd : float
        Standard deviation of true shares right over readers.
    case_correlation : float
        Of two readers' answers to one picture, 0..1 (pictures that everybody gets right or wrong).
    """

    accuracy: float = 0.5
    reader_sd: float = 0.05
    case_correlation: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.accuracy < 1 or self.reader_sd < 0 or not 0 <= self.case_correlation < 1:
            raise MedUSISError(
                ErrorCode.BAD_SETTING,
                "the share right must lie between 0 and 1, the readers' deviation above 0, the correlation in 0..1",
            )

    def standard_error(self, readers: int, cases: int) -> tuple[float, float]:
        """Standard error of the mean over readers, and its degrees of freedom (infinite for one reader)."""
        variance = self.accuracy * (1 - self.accuracy) / cases
        if readers == 1:
            return math.sqrt(variance), math.inf
        square = self.reader_sd**2 + variance * (1 - self.case_correlation)
        extra = readers * variance * self.case_correlation
        return math.sqrt((square + extra) / readers), hillis_ddf(square, extra, readers - 1)

    def latent_model(self) -> TuringModel:
        """A simulator with about these numbers: both deviations through the slope phi(z) of the normal curve."""
        z = float(stats.norm.ppf(self.accuracy))
        slope = float(stats.norm.pdf(z))
        share = min(self.case_correlation * self.accuracy * (1 - self.accuracy) / slope**2, 0.95)
        return TuringModel(self.accuracy, self.reader_sd / slope, math.sqrt(share / (1 - share)))


def equivalence_power(guess: TuringGuess, margin: float, readers: int, cases: int, alpha: float = 0.05) -> float:
    """Probability that both one-sided tests succeed, from below (Bonferroni's bound, exact where it matters).

    Examples
    --------
    >>> round(equivalence_power(TuringGuess(), margin=0.1, readers=6, cases=100), 2)
    0.77
    """
    error, ddf = guess.standard_error(readers, cases)
    distance = guess.accuracy - 0.5
    critical = Student(ddf).isf(alpha)
    above = _shifted_sf(critical, ddf, (distance + margin) / error)
    below = _shifted_sf(critical, ddf, (margin - distance) / error)
    return max(above + below - 1, 0.0)


def difference_power(guess: TuringGuess, readers: int, cases: int, alpha: float = 0.05) -> float:
    """Probability that the true share right is found different from 1/2, two-sided."""
    error, ddf = guess.standard_error(readers, cases)
    critical = Student(ddf).isf(alpha / 2)
    shift = abs(guess.accuracy - 0.5) / error
    return _shifted_sf(critical, ddf, shift) + _shifted_sf(critical, ddf, -shift)


def half_width(guess: TuringGuess, readers: int, cases: int, confidence: float = 0.95) -> float:
    """Expected half width of the interval of the share right."""
    error, ddf = guess.standard_error(readers, cases)
    return Student(ddf).ppf(0.5 + confidence / 2) * error


def cases_for_equivalence(
    guess: TuringGuess, margin: float, readers: int, wanted: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Smallest number of pictures with the wanted power; None where no number gives it with so few readers."""
    return smallest(lambda c: equivalence_power(guess, margin, readers, c, alpha) >= wanted, 4, MOST_CASES)


def cases_for_difference(guess: TuringGuess, readers: int, wanted: float = 0.8, alpha: float = 0.05) -> int | None:
    """Smallest number of pictures with which the difference from 1/2 is found with the wanted power."""
    return smallest(lambda c: difference_power(guess, readers, c, alpha) >= wanted, 4, MOST_CASES)


def simulated_power(
    guess: TuringGuess,
    margin: float | None,
    readers: int,
    cases: int,
    studies: int = 500,
    seed: int = 0,
    alpha: float = 0.05,
) -> SimulatedPower:
    """Share of simulated studies that showed equivalence within ``margin``; without one, a difference from chance."""
    generator = np.random.default_rng(seed)
    model = guess.latent_model()
    found = 0
    for _ in range(studies):
        table = model.sample_table(generator, readers, cases // 2, cases - cases // 2)
        test, _ = compare_with_chance(BalancedAccuracy(table, table.ratings), margin, 1 - alpha)
        found += test.p_value < alpha if test.equivalence is None else test.equivalence.shown
    share = found / studies
    return SimulatedPower(share, math.sqrt(max(share * (1 - share), 1e-12) / studies), studies)


def _shifted_sf(critical: float, ddf: float, shift: float) -> float:
    if not math.isfinite(ddf) or ddf > 1e6:
        return float(stats.norm.sf(critical - shift))
    return float(stats.nct.sf(critical, ddf, shift))
